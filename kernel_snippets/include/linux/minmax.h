/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/minmax.h of Linux 6.12. */
#ifndef _LINUX_MINMAX_H
#define _LINUX_MINMAX_H

/* The two are compared in their common type; each is evaluated once. */
#define KC_PICK(a, op, b) KC_PICK_(a, op, b, __COUNTER__)
#define KC_PICK_(a, op, b, number) KC_PICK__(a, op, b, number)
#define KC_PICK__(a, op, b, number) ({								\
	typeof(a) kc_a_##number = (a);								\
	typeof(b) kc_b_##number = (b);								\
	kc_a_##number op kc_b_##number ? kc_a_##number : kc_b_##number;				\
})

/* exact: but that mixed signs, which the kernel's refuse to compile, are compared as C does */
#define min(a, b) KC_PICK(a, <, b)
#define max(a, b) KC_PICK(a, >, b)
#define min3(a, b, c) min(min(a, b), c)
#define max3(a, b, c) max(max(a, b), c)
#define min_t(type, a, b) KC_PICK((type)(a), <, (type)(b))
#define max_t(type, a, b) KC_PICK((type)(a), >, (type)(b))
#define clamp(value, low, high) min(max(value, low), high)
#define clamp_t(type, value, low, high) min_t(type, max_t(type, value, low), high)
#define swap(a, b) do { typeof(a) kc_swap_ = (a); (a) = (b); (b) = kc_swap_; } while (0)

#endif
