/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/build_bug.h of Linux 6.12. */
#ifndef _LINUX_BUILD_BUG_H
#define _LINUX_BUILD_BUG_H

#define KC_STATIC_ASSERT(expression, message, ...) _Static_assert(expression, message)

/* exact: an error of the compiler where the expression is false */
#define static_assert(expression, ...) \
	KC_STATIC_ASSERT(expression, ##__VA_ARGS__, #expression)

/* exact: an error where the optimiser cannot prove the condition false; a statement */
#define BUILD_BUG_ON_MSG(condition, message) KC_BUILD_BUG(condition, message, __COUNTER__)
#define KC_BUILD_BUG(condition, message, number) KC_BUILD_BUG_(condition, message, number)
#ifdef KC_UNOPTIMISED	/* no optimiser to ask, and no branch of the code's: the plain build has asked */
#define KC_BUILD_BUG_(condition, message, number) ((void)sizeof((long)(condition)))
#else
#define KC_BUILD_BUG_(condition, message, number) do {				\
	extern void kc_build_bug_##number(void) __attribute__((__error__(message))); \
	if (condition)								\
		kc_build_bug_##number();					\
} while (0)
#endif
#define BUILD_BUG_ON(condition) BUILD_BUG_ON_MSG(condition, "BUILD_BUG_ON failed: " #condition)
#define BUILD_BUG() BUILD_BUG_ON_MSG(1, "BUILD_BUG failed")
#define BUILD_BUG_ON_NOT_POWER_OF_2(n) BUILD_BUG_ON((n) == 0 || ((n) & ((n) - 1)) != 0)

/* exact: compiled, never evaluated; no code */
#define BUILD_BUG_ON_INVALID(expression) ((void)sizeof((long)(expression)))
/* exact: 0, or an error */
#define BUILD_BUG_ON_ZERO(condition) ((int)sizeof(struct { int:(-!!(condition)); }))

#endif
