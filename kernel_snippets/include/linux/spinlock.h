/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spinlocks. Source: Documentation/locking/spinlocks.rst; ordering: "Lock acquisition
 * functions" of Documentation/memory-barriers.txt: locking is acquire, unlocking release,
 * a failed try orders nothing. The word says whether it is held; locking a held one is said to the harness instead of spinning, and releasing a
 * free one is recorded as a BUG, as with CONFIG_DEBUG_SPINLOCK. Queues, and so
 * fairness, are left out: no result of a caller depends on them.
 */
#ifndef _LINUX_SPINLOCK_H
#define _LINUX_SPINLOCK_H

#include <asm/processor.h>
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/lockdep.h>
#include <linux/preempt.h>

typedef struct spinlock {
	int kc_held;
} spinlock_t, raw_spinlock_t;

#define __SPIN_LOCK_UNLOCKED(name) { 0 }
#define __RAW_SPIN_LOCK_UNLOCKED(name) { 0 }
#define DEFINE_SPINLOCK(name) spinlock_t name = __SPIN_LOCK_UNLOCKED(name)
#define DEFINE_RAW_SPINLOCK(name) raw_spinlock_t name = __RAW_SPIN_LOCK_UNLOCKED(name)

/* exact: a new lock is free */
static inline void spin_lock_init(spinlock_t *lock)
{
	lock->kc_held = 0;
}
/* recording: acquire where it is got, else no order; one read-modify-write */
static inline int spin_trylock(spinlock_t *lock)
{
	int got = !xchg_acquire(&lock->kc_held, 1);

	if (got)
		kc_locked(&lock->kc_held, 1);
	else
		kc_failed();
	return got;
}
/* recording: acquire; one read-modify-write for each try */
static inline void spin_lock(spinlock_t *lock)
{
	kc_wait(&lock->kc_held, 1);
	while (unlikely(!spin_trylock(lock))) {
		if (kc_record.stop)
			kc_record.stop(KC_STOP_DEADLOCK, 0);
	}
}
/* recording: release */
static inline void spin_unlock(spinlock_t *lock)
{
	kc_unlocks(&lock->kc_held, 1);
	BUG_ON(!READ_ONCE(lock->kc_held));
	smp_store_release(&lock->kc_held, 0);
}
/* exact: as with CONFIG_SMP; a marked read, no order */
static inline int spin_is_locked(spinlock_t *lock)
{
	return READ_ONCE(lock->kc_held);
}

/* recording: the lock; inert: there are no interrupts to disable */
#define spin_lock_irq(lock) spin_lock(lock)
#define spin_unlock_irq(lock) spin_unlock(lock)
#define spin_lock_bh(lock) spin_lock(lock)
#define spin_unlock_bh(lock) spin_unlock(lock)
#define spin_lock_irqsave(lock, flags) do { (flags) = 0; spin_lock(lock); } while (0)
#define spin_unlock_irqrestore(lock, flags) do { (void)(flags); spin_unlock(lock); } while (0)
#define spin_trylock_irq(lock) spin_trylock(lock)
#define spin_trylock_bh(lock) spin_trylock(lock)
#define spin_trylock_irqsave(lock, flags) ({ (flags) = 0; spin_trylock(lock); })
#define assert_spin_locked(lock) BUG_ON(!spin_is_locked(lock))

/* recording: the lock; a class is for lockdep alone */
#define spin_lock_nested(lock, subclass) ((void)(subclass), spin_lock(lock))
#define spin_lock_nest_lock(lock, outer) ((void)(outer), spin_lock(lock))
/* exact: nobody waits */
#define spin_is_contended(lock) ((void)(lock), 0)
#define spin_needbreak(lock) ((void)(lock), 0)

/* recording: as spinlocks, which they are without CONFIG_PREEMPT_RT */
#define raw_spin_lock_init(lock) spin_lock_init(lock)
#define raw_spin_trylock(lock) spin_trylock(lock)
#define raw_spin_lock(lock) spin_lock(lock)
#define raw_spin_unlock(lock) spin_unlock(lock)
#define raw_spin_is_locked(lock) spin_is_locked(lock)
#define raw_spin_lock_irq(lock) spin_lock(lock)
#define raw_spin_unlock_irq(lock) spin_unlock(lock)
#define raw_spin_lock_bh(lock) spin_lock(lock)
#define raw_spin_unlock_bh(lock) spin_unlock(lock)
#define raw_spin_lock_irqsave(lock, flags) spin_lock_irqsave(lock, flags)
#define raw_spin_unlock_irqrestore(lock, flags) spin_unlock_irqrestore(lock, flags)
#define raw_spin_lock_nested(lock, subclass) spin_lock_nested(lock, subclass)
#define raw_spin_trylock_irq(lock) spin_trylock(lock)
#define raw_spin_trylock_irqsave(lock, flags) spin_trylock_irqsave(lock, flags)

#endif
