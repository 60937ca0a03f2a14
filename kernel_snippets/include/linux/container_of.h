/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/container_of.h of Linux 6.12. */
#ifndef _LINUX_CONTAINER_OF_H
#define _LINUX_CONTAINER_OF_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/stddef.h>

/* exact: the record that a member is in; an error where the member has another type */
#define container_of(p, type, member) ({							\
	static_assert(__same_type(*(p), ((type *)0)->member) || __same_type(*(p), void),	\
		      "pointer type mismatch in container_of()");				\
	(type *)((char *)(p) - offsetof(type, member));						\
})

#endif
