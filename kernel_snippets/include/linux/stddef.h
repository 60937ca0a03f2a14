/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/stddef.h of Linux 6.12. */
#ifndef _LINUX_STDDEF_H
#define _LINUX_STDDEF_H

/* exact: bool and its values, NULL, places and sizes of members */
typedef _Bool bool;
enum { false, true };
#define NULL ((void *)0)
#define offsetof(type, member) __builtin_offsetof(type, member)
#define sizeof_field(type, member) sizeof(((type *)0)->member)
#define offsetofend(type, member) (offsetof(type, member) + sizeof_field(type, member))

#endif
