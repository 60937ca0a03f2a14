/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/limits.h and include/vdso/limits.h of Linux 6.12. */
#ifndef _LINUX_LIMITS_H
#define _LINUX_LIMITS_H

/* exact: values and types */
#define SCHAR_MAX 127
#define UCHAR_MAX 255
#define SHRT_MAX ((short)__SHRT_MAX__)
#define SHRT_MIN ((short)(-__SHRT_MAX__ - 1))
#define USHRT_MAX ((unsigned short)~0U)
#define INT_MAX __INT_MAX__
#define INT_MIN (-INT_MAX - 1)
#define UINT_MAX (~0U)
#define LONG_MAX __LONG_MAX__
#define LONG_MIN (-LONG_MAX - 1)
#define ULONG_MAX (~0UL)
#define LLONG_MAX __LONG_LONG_MAX__
#define LLONG_MIN (-LLONG_MAX - 1)
#define ULLONG_MAX (~0ULL)
#define SIZE_MAX (~0UL)
#define U8_MAX ((unsigned char)~0U)
#define S8_MAX ((signed char)127)
#define S8_MIN ((signed char)-128)
#define U16_MAX ((unsigned short)~0U)
#define S16_MAX ((short)__SHRT_MAX__)
#define S16_MIN ((short)(-__SHRT_MAX__ - 1))
#define U32_MAX (~0U)
#define S32_MAX INT_MAX
#define S32_MIN INT_MIN
#define U64_MAX (~0ULL)
#define S64_MAX LLONG_MAX
#define S64_MIN LLONG_MIN

#endif
