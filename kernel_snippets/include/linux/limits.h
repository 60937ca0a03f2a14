/* SPDX-License-Identifier: GPL-2.0-only */
/* exact: limits of the integer types (include/linux/limits.h) */
#ifndef _LINUX_LIMITS_H
#define _LINUX_LIMITS_H
#define SHRT_MAX __SHRT_MAX__
#define SHRT_MIN (-SHRT_MAX - 1)
#define USHRT_MAX ((unsigned short)~0u)
#define INT_MAX __INT_MAX__
#define INT_MIN (-INT_MAX - 1)
#define UINT_MAX (~0u)
#define LONG_MAX __LONG_MAX__
#define LONG_MIN (-LONG_MAX - 1)
#define ULONG_MAX (~0ul)
#define U8_MAX 0xffu
#define U16_MAX 0xffffu
#define U32_MAX (~0u)
#endif
