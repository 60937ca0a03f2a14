/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bit operations. Source: Documentation/atomic_bitops.txt. Those without __ are
 * atomic. Of these, those that return nothing order nothing, and test_and_* are fully
 * ordered, whether or not the bit changes; _lock is acquire where it gets the bit and
 * orders nothing where it does not, _unlock is release, _acquire is acquire. Bit
 * numbers of BITS_PER_LONG and more are in the words that follow.
 */
#ifndef _LINUX_BITOPS_H
#define _LINUX_BITOPS_H

#include <kconform/record.h>
#include <linux/bits.h>
#include <linux/types.h>

#define KC_WORD(nr, p) ((p) + BIT_WORD(nr))
#define KC_PLAIN(nr, p) (*(unsigned long *)KC_WORD(nr, p))

/* exact: a marked read, which orders nothing; the same with acquire */
static __always_inline bool test_bit(unsigned long nr, const volatile unsigned long *p)
{
	return *KC_WORD(nr, p) & BIT_MASK(nr);
}
static __always_inline bool test_bit_acquire(unsigned long nr, const volatile unsigned long *p)
{
	return __atomic_load_n(KC_WORD(nr, p), __ATOMIC_ACQUIRE) & BIT_MASK(nr);
}

/* exact: plain read-modify-writes of the word; they order nothing */
static __always_inline void __set_bit(unsigned long nr, volatile unsigned long *p)
{
	KC_PLAIN(nr, p) |= BIT_MASK(nr);
}
static __always_inline void __clear_bit(unsigned long nr, volatile unsigned long *p)
{
	KC_PLAIN(nr, p) &= ~BIT_MASK(nr);
}
static __always_inline void __change_bit(unsigned long nr, volatile unsigned long *p)
{
	KC_PLAIN(nr, p) ^= BIT_MASK(nr);
}
#define KC_PLAIN_TEST_AND(op)									\
static __always_inline bool __test_and_##op##_bit(unsigned long nr, volatile unsigned long *p)	\
{												\
	bool old = test_bit(nr, p);								\
												\
	__##op##_bit(nr, p);									\
	return old;										\
}
KC_PLAIN_TEST_AND(set)
KC_PLAIN_TEST_AND(clear)
KC_PLAIN_TEST_AND(change)

#define KC_TEST_AND(name, builtin, mask, order)							\
static __always_inline bool name(unsigned long nr, volatile unsigned long *p)			\
{												\
	kc_rmw();										\
	return __atomic_fetch_##builtin(KC_WORD(nr, p), mask, order) & BIT_MASK(nr);		\
}
#define KC_BIT(name, builtin, mask, order)							\
static __always_inline void name(unsigned long nr, volatile unsigned long *p)			\
{												\
	kc_rmw();										\
	__atomic_fetch_##builtin(KC_WORD(nr, p), mask, order);					\
}
/* recording: one atomic read-modify-write each; fully ordered (atomic_bitops.txt), as is what returns a value */
KC_TEST_AND(test_and_set_bit, or, BIT_MASK(nr), __ATOMIC_SEQ_CST)
KC_TEST_AND(test_and_clear_bit, and, ~BIT_MASK(nr), __ATOMIC_SEQ_CST)
KC_TEST_AND(test_and_change_bit, xor, BIT_MASK(nr), __ATOMIC_SEQ_CST)
/* recording: one atomic read-modify-write each, which orders nothing, as what returns none (atomic_bitops.txt) */
KC_BIT(set_bit, or, BIT_MASK(nr), __ATOMIC_RELAXED)
KC_BIT(clear_bit, and, ~BIT_MASK(nr), __ATOMIC_RELAXED)
KC_BIT(change_bit, xor, BIT_MASK(nr), __ATOMIC_RELAXED)
/* recording: one atomic read-modify-write; release (atomic_bitops.txt) */
KC_BIT(clear_bit_unlock, and, ~BIT_MASK(nr), __ATOMIC_RELEASE)

/*
 * recording: one atomic read-modify-write, that of a lock which is not got included; acquire, but
 * where the bit was set it has failed, and orders nothing (atomic_bitops.txt)
 */
static __always_inline bool test_and_set_bit_lock(unsigned long nr, volatile unsigned long *p)
{
	bool set;

	kc_rmw();
	set = __atomic_fetch_or(KC_WORD(nr, p), BIT_MASK(nr), __ATOMIC_ACQUIRE) & BIT_MASK(nr);
	if (set)
		kc_failed();
	return set;
}

/* recording: release (asm-generic/bitops/instrumented-lock.h); tells whether bit 7 was set */
static __always_inline bool xor_unlock_is_negative_byte(unsigned long mask,
							volatile unsigned long *p)
{
	kc_rmw();
	return __atomic_fetch_xor(p, mask, __ATOMIC_RELEASE) & BIT(7);
}

/* exact: a plain read, a release store (atomic_bitops.txt); the caller holds the lock, so nobody else writes */
static __always_inline void __clear_bit_unlock(unsigned long nr, volatile unsigned long *p)
{
	__atomic_store_n(KC_WORD(nr, p), KC_PLAIN(nr, p) & ~BIT_MASK(nr), __ATOMIC_RELEASE);
}

/* recording: set_bit or clear_bit, with their order: none */
#define assign_bit(nr, p, value) ((value) ? set_bit(nr, p) : clear_bit(nr, p))
/* exact: __set_bit or __clear_bit */
#define __assign_bit(nr, p, value) ((value) ? __set_bit(nr, p) : __clear_bit(nr, p))

/* exact: places of bits; __ffs, __fls and ffz have no meaning where there is no such bit */
static __always_inline unsigned long __ffs(unsigned long word)
{
	return __builtin_ctzl(word);
}
static __always_inline unsigned long __fls(unsigned long word)
{
	return BITS_PER_LONG - 1 - __builtin_clzl(word);
}
#define ffz(word) __ffs(~(word))
static __always_inline int ffs(int word)
{
	return word ? (int)__ffs((unsigned int)word) + 1 : 0;
}
static __always_inline int fls(unsigned int word)
{
	return word ? (int)__fls(word) + 1 : 0;
}
static __always_inline int fls64(u64 word)
{
	return word ? 64 - __builtin_clzll(word) : 0;
}

/* exact: how many bits are set; a loop, since gcc's builtin may call libgcc */
static inline unsigned int hweight64(u64 word)
{
	unsigned int bits = 0;

	for (; word; word &= word - 1)
		bits++;
	return bits;
}
#define hweight_long(word) hweight64((unsigned long)(word))
#define hweight32(word) hweight64((u32)(word))
#define hweight16(word) hweight64((u16)(word))
#define hweight8(word) hweight64((u8)(word))

static inline unsigned long kc_find(const unsigned long *p, unsigned long size,
				    unsigned long from, unsigned long invert)
{
	unsigned long word, at = from - from % BITS_PER_LONG;

	for (; at < size; at += BITS_PER_LONG) {
		word = *KC_WORD(at, p) ^ invert;
		if (at < from)
			word &= ~0UL << from % BITS_PER_LONG;
		if (word)
			return at + __ffs(word) < size ? at + __ffs(word) : size;
	}
	return size;
}
/* exact: the first bit from `from` on that is set, or clear; `size` where there is none */
static inline unsigned long find_next_bit(const unsigned long *p, unsigned long size,
					  unsigned long from)
{
	return kc_find(p, size, from, 0);
}
static inline unsigned long find_next_zero_bit(const unsigned long *p, unsigned long size,
					       unsigned long from)
{
	return kc_find(p, size, from, ~0UL);
}
#define find_first_bit(p, size) find_next_bit(p, size, 0)
#define find_first_zero_bit(p, size) find_next_zero_bit(p, size, 0)
#define for_each_set_bit(bit, p, size)								\
	for ((bit) = find_first_bit(p, size); (bit) < (size);					\
	     (bit) = find_next_bit(p, size, (bit) + 1))

#endif
