/* SPDX-License-Identifier: GPL-2.0-only */
/* exact: compile-time checks (include/linux/build_bug.h) */
#ifndef _LINUX_BUILD_BUG_H
#define _LINUX_BUILD_BUG_H
#define static_assert(expression, ...) _Static_assert(expression, "" #expression)
#define BUILD_BUG_ON(condition) _Static_assert(!(condition), #condition)
#define BUILD_BUG_ON_MSG(condition, message) _Static_assert(!(condition), message)
#define BUILD_BUG_ON_INVALID(expression) ((void)sizeof((long)(expression)))
#endif
