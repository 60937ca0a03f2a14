/* SPDX-License-Identifier: GPL-2.0-only */
/* exact: bit masks (include/linux/bits.h) */
#ifndef _LINUX_BITS_H
#define _LINUX_BITS_H
#define BITS_PER_BYTE 8
#define BITS_PER_LONG (8 * __SIZEOF_LONG__)
#define BIT(nr) (1ul << (nr))
#define BIT_ULL(nr) (1ull << (nr))
#define BIT_MASK(nr) (1ul << ((nr) % BITS_PER_LONG))
#define BIT_WORD(nr) ((nr) / BITS_PER_LONG)
#define GENMASK(high, low) ((~0ul << (low)) & (~0ul >> (BITS_PER_LONG - 1 - (high))))
#endif
