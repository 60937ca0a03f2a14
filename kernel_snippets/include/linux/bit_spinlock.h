/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bit spinlocks. Source: include/linux/bit_spinlock.h of Linux 6.12; ordering: "Lock
 * acquisition functions" of Documentation/memory-barriers.txt, by test_and_set_bit_lock()
 * and clear_bit_unlock(). The bit lives
 * in the real word. Where it is held and an operation runs alone, nobody will ever
 * release it: that is said instead of spinning. Releasing a bit that is not set is
 * recorded as a BUG, as with CONFIG_DEBUG_SPINLOCK.
 */
#ifndef _LINUX_BIT_SPINLOCK_H
#define _LINUX_BIT_SPINLOCK_H

#include <asm/processor.h>
#include <linux/bitops.h>
#include <linux/bug.h>

/* recording: acquire; one atomic read-modify-write for each try */
static __always_inline void bit_spin_lock(int bitnum, unsigned long *addr)
{
	kc_wait(KC_WORD(bitnum, addr), BIT_MASK(bitnum));
	while (unlikely(test_and_set_bit_lock(bitnum, addr))) {
		if (kc_record.stop)
			kc_record.stop(KC_STOP_DEADLOCK, 0);
	}
	kc_locked(KC_WORD(bitnum, addr), BIT_MASK(bitnum));
}
/* recording: acquire where it is got, true then; else no order */
static __always_inline int bit_spin_trylock(int bitnum, unsigned long *addr)
{
	int got = !test_and_set_bit_lock(bitnum, addr);

	if (got)
		kc_locked(KC_WORD(bitnum, addr), BIT_MASK(bitnum));
	return got;
}
/* recording: release; atomic */
static __always_inline void bit_spin_unlock(int bitnum, unsigned long *addr)
{
	kc_unlocks(KC_WORD(bitnum, addr), BIT_MASK(bitnum));
	BUG_ON(!test_bit(bitnum, addr));
	clear_bit_unlock(bitnum, addr);
}
/* recording: release; the word is protected by the lock, so not atomic */
static __always_inline void __bit_spin_unlock(int bitnum, unsigned long *addr)
{
	kc_unlocks(KC_WORD(bitnum, addr), BIT_MASK(bitnum));
	BUG_ON(!test_bit(bitnum, addr));
	__clear_bit_unlock(bitnum, addr);
}
/* exact: as with CONFIG_SMP; a marked read, no order */
static inline int bit_spin_is_locked(int bitnum, unsigned long *addr)
{
	return test_bit(bitnum, addr);
}

#endif
