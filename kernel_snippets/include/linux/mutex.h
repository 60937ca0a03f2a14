/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mutexes. Source: Documentation/locking/mutex-design.rst; ordering: "Lock acquisition
 * functions" of Documentation/memory-barriers.txt: locking is acquire, unlocking release,
 * a failed try orders nothing. Where a caller would sleep
 * nobody can wake it, which is said to the harness; releasing a free one is recorded as
 * a BUG, as with CONFIG_DEBUG_MUTEXES. Owner and queue are left out: no result of a
 * caller depends on them.
 */
#ifndef _LINUX_MUTEX_H
#define _LINUX_MUTEX_H

#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/lockdep.h>

struct mutex {
	int kc_held;
};

#define __MUTEX_INITIALIZER(name) { 0 }
#define DEFINE_MUTEX(name) struct mutex name = __MUTEX_INITIALIZER(name)

/* exact: a new mutex is free */
#define mutex_init(lock) ((void)((lock)->kc_held = 0))
#define mutex_destroy(lock) ((void)(lock))

/* recording: acquire where it is got, else no order; one read-modify-write */
static inline int mutex_trylock(struct mutex *lock)
{
	int got = !xchg_acquire(&lock->kc_held, 1);

	if (got)
		kc_locked(&lock->kc_held, 1);
	else
		kc_failed();
	return got;
}
/* recording: acquire; what would sleep for ever ends the operation as a deadlock */
static inline void mutex_lock(struct mutex *lock)
{
	kc_wait(&lock->kc_held, 1);
	while (unlikely(!mutex_trylock(lock)))
		if (kc_record.stop)
			kc_record.stop(KC_STOP_DEADLOCK, 0);
}
/* recording: as above; no signal comes, so 0 */
static inline int mutex_lock_interruptible(struct mutex *lock)
{
	mutex_lock(lock);
	return 0;
}
#define mutex_lock_killable(lock) mutex_lock_interruptible(lock)
#define mutex_lock_nested(lock, subclass) ((void)(subclass), mutex_lock(lock))
#define mutex_lock_io(lock) mutex_lock(lock)

/* recording: release */
static inline void mutex_unlock(struct mutex *lock)
{
	kc_unlocks(&lock->kc_held, 1);
	BUG_ON(!READ_ONCE(lock->kc_held));
	smp_store_release(&lock->kc_held, 0);
}
/* exact: somebody holds it; a marked read, no order */
static inline bool mutex_is_locked(struct mutex *lock)
{
	return READ_ONCE(lock->kc_held);
}

#endif
