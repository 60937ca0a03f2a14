/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/array_size.h of Linux 6.12. */
#ifndef _LINUX_ARRAY_SIZE_H
#define _LINUX_ARRAY_SIZE_H

#include <linux/build_bug.h>
#include <linux/compiler.h>

/* exact: the number of elements; an error for a pointer */
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]) + \
	BUILD_BUG_ON_ZERO(__same_type(array, &(array)[0])))

#endif
