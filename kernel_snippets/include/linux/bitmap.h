/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bitmaps. Source: the documentation comments of include/linux/bitmap.h and lib/bitmap.c,
 * Linux 6.12. These are the parts of it that are no inline functions there. The bits of
 * the last word behind the bitmap's end are anything: nothing here depends on them.
 */
#ifndef _LINUX_BITMAP_H
#define _LINUX_BITMAP_H

#include <linux/bitops.h>

#define BITMAP_FIRST_WORD_MASK(start) (~0UL << ((start) & (BITS_PER_LONG - 1)))
#define BITMAP_LAST_WORD_MASK(nbits) (~0UL >> (-(nbits) & (BITS_PER_LONG - 1)))

/* The bits of word `i` that belong to a bitmap. */
static inline unsigned long kc_bitmap_mask(unsigned int i, unsigned int nbits)
{
	return i == BITS_TO_LONGS(nbits) - 1 ? BITMAP_LAST_WORD_MASK(nbits) : ~0UL;
}

#define KC_BITMAP_EACH(i, nbits) for (unsigned int i = 0; i < BITS_TO_LONGS(nbits); i++)
#define KC_BITMAP_VOID(name, value)								\
static inline void name(unsigned long *to, const unsigned long *a, const unsigned long *b,	\
			unsigned int nbits)							\
{												\
	KC_BITMAP_EACH(i, nbits)								\
		to[i] = value;									\
}
#define KC_BITMAP_ANY(name, value)								\
static inline bool name(unsigned long *to, const unsigned long *a, const unsigned long *b,	\
			unsigned int nbits)							\
{												\
	unsigned long any = 0;									\
												\
	KC_BITMAP_EACH(i, nbits)								\
		any |= to[i] = (value) & kc_bitmap_mask(i, nbits);				\
	return any != 0;									\
}
#define KC_BITMAP_NONE(name, value)								\
static inline bool name(const unsigned long *a, const unsigned long *b, unsigned int nbits)	\
{												\
	KC_BITMAP_EACH(i, nbits)								\
		if ((value) & kc_bitmap_mask(i, nbits))						\
			return false;								\
	return true;										\
}
#define KC_BITMAP_WEIGHT(name, value)								\
static inline unsigned int name(const unsigned long *a, const unsigned long *b,			\
				unsigned int nbits)						\
{												\
	unsigned int bits = 0;									\
												\
	KC_BITMAP_EACH(i, nbits)								\
		bits += hweight_long((value) & kc_bitmap_mask(i, nbits));			\
	return bits;										\
}
/* exact: bit by bit; `and` and `andnot` say whether any bit of the result is set */
KC_BITMAP_VOID(__bitmap_or, a[i] | b[i])
KC_BITMAP_VOID(__bitmap_xor, a[i] ^ b[i])
KC_BITMAP_ANY(__bitmap_and, a[i] & b[i])
KC_BITMAP_ANY(__bitmap_andnot, a[i] & ~b[i])
/* exact: questions */
KC_BITMAP_NONE(__bitmap_equal, a[i] ^ b[i])
KC_BITMAP_NONE(__bitmap_subset, a[i] & ~b[i])
KC_BITMAP_NONE(kc_bitmap_apart, a[i] & b[i])
#define __bitmap_intersects(a, b, nbits) (!kc_bitmap_apart(a, b, nbits))
/* exact: how many bits are set */
KC_BITMAP_WEIGHT(__bitmap_weight_and, a[i] & b[i])
KC_BITMAP_WEIGHT(__bitmap_weight_andnot, a[i] & ~b[i])
#define __bitmap_weight(a, nbits) __bitmap_weight_and(a, a, nbits)

/* exact: every bit turned */
static inline void __bitmap_complement(unsigned long *to, const unsigned long *a, unsigned int nbits)
{
	KC_BITMAP_EACH(i, nbits)
		to[i] = ~a[i];
}
/* exact: a run of bits set, or clear */
static inline void __bitmap_set(unsigned long *map, unsigned int start, int len)
{
	for (; len > 0; start++, len--)
		__set_bit(start, map);
}
static inline void __bitmap_clear(unsigned long *map, unsigned int start, int len)
{
	for (; len > 0; start++, len--)
		__clear_bit(start, map);
}

#endif
