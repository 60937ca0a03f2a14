/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/math.h, align.h and log2.h of Linux 6.12. */
#ifndef _LINUX_MATH_H
#define _LINUX_MATH_H

#include <linux/bitops.h>
#include <linux/types.h>

/* exact: to multiples; of a power of two where the name has no DIV and no round of its own */
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define ALIGN(x, a) (((x) + ((typeof(x))(a) - 1)) & ~((typeof(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((typeof(x))(a) - 1))
#define IS_ALIGNED(x, a) (((x) & ((typeof(x))(a) - 1)) == 0)
#define round_up(x, a) ((((x) - 1) | ((typeof(x))(a) - 1)) + 1)
#define round_down(x, a) ALIGN_DOWN(x, a)

/* exact: powers of two; ilog2 has no meaning for 0 */
static __always_inline bool is_power_of_2(unsigned long n)
{
	return n != 0 && (n & (n - 1)) == 0;
}
#define ilog2(n) (__builtin_constant_p(n) ? ((n) < 2 ? 0 : 63 - __builtin_clzll((n) | 1ULL)) : fls64(n) - 1)
#define order_base_2(n) ((n) > 1 ? ilog2((n) - 1) + 1 : 0)

#endif
