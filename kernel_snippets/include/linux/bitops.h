/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bit operations. Source: Documentation/atomic_bitops.txt. Those without __ are
 * atomic; test_and_* are fully ordered, _lock is acquire, _unlock is release.
 */
#ifndef _LINUX_BITOPS_H
#define _LINUX_BITOPS_H

#include <kconform/record.h>
#include <linux/bits.h>
#include <linux/types.h>

#define KC_WORD(nr, p) ((p) + (nr) / BITS_PER_LONG)

/* exact: plain read-modify-writes of the word, and a read */
static __always_inline void __set_bit(long nr, volatile unsigned long *p)
{
	*(unsigned long *)KC_WORD(nr, p) |= BIT_MASK(nr);
}
static __always_inline void __clear_bit(long nr, volatile unsigned long *p)
{
	*(unsigned long *)KC_WORD(nr, p) &= ~BIT_MASK(nr);
}
static __always_inline void __change_bit(long nr, volatile unsigned long *p)
{
	*(unsigned long *)KC_WORD(nr, p) ^= BIT_MASK(nr);
}
static __always_inline bool test_bit(long nr, const volatile unsigned long *p)
{
	return *KC_WORD(nr, p) >> (nr % BITS_PER_LONG) & 1;
}
static __always_inline bool test_bit_acquire(long nr, const volatile unsigned long *p)
{
	return __atomic_load_n(KC_WORD(nr, p), __ATOMIC_ACQUIRE) >> (nr % BITS_PER_LONG) & 1;
}
static __always_inline bool __test_and_set_bit(long nr, volatile unsigned long *p)
{
	bool old = test_bit(nr, p);

	__set_bit(nr, p);
	return old;
}
static __always_inline bool __test_and_clear_bit(long nr, volatile unsigned long *p)
{
	bool old = test_bit(nr, p);

	__clear_bit(nr, p);
	return old;
}

/* recording: one atomic read-modify-write each */
#define KC_TEST_AND(name, builtin, mask, order)							\
static __always_inline bool name(long nr, volatile unsigned long *p)				\
{												\
	kc_rmw();										\
	return __atomic_fetch_##builtin(KC_WORD(nr, p), mask, order)				\
		>> (nr % BITS_PER_LONG) & 1;							\
}
KC_TEST_AND(test_and_set_bit, or, BIT_MASK(nr), __ATOMIC_SEQ_CST)
KC_TEST_AND(test_and_set_bit_lock, or, BIT_MASK(nr), __ATOMIC_ACQUIRE)
KC_TEST_AND(test_and_clear_bit, and, ~BIT_MASK(nr), __ATOMIC_SEQ_CST)
KC_TEST_AND(test_and_change_bit, xor, BIT_MASK(nr), __ATOMIC_SEQ_CST)
static __always_inline void set_bit(long nr, volatile unsigned long *p)
{
	kc_rmw();
	__atomic_fetch_or(KC_WORD(nr, p), BIT_MASK(nr), __ATOMIC_RELAXED);
}
static __always_inline void clear_bit(long nr, volatile unsigned long *p)
{
	kc_rmw();
	__atomic_fetch_and(KC_WORD(nr, p), ~BIT_MASK(nr), __ATOMIC_RELAXED);
}
static __always_inline void change_bit(long nr, volatile unsigned long *p)
{
	kc_rmw();
	__atomic_fetch_xor(KC_WORD(nr, p), BIT_MASK(nr), __ATOMIC_RELAXED);
}
static __always_inline void clear_bit_unlock(long nr, volatile unsigned long *p)
{
	kc_rmw();
	__atomic_fetch_and(KC_WORD(nr, p), ~BIT_MASK(nr), __ATOMIC_RELEASE);
}
/* exact: a plain read, a release store; the caller holds the lock, so nobody else writes */
static __always_inline void __clear_bit_unlock(long nr, volatile unsigned long *p)
{
	volatile unsigned long *word = KC_WORD(nr, p);

	__atomic_store_n(word, *(unsigned long *)word & ~BIT_MASK(nr), __ATOMIC_RELEASE);
}

#endif
