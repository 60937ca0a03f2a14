/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reader-writer semaphores. Source: Documentation/locking/locktypes.rst and the
 * documentation of kernel/locking/rwsem.c, Linux 6.12; ordering: "Lock acquisition
 * functions" of Documentation/memory-barriers.txt: locking is acquire, unlocking release,
 * a failed try orders nothing. The word is -1 for a writer,
 * else the number of readers. Where a caller would sleep nobody can wake it, which is
 * said to the harness; releasing what is not held is recorded as a BUG. The queue, and
 * so fairness, is left out: no result of a caller depends on it.
 */
#ifndef _LINUX_RWSEM_H
#define _LINUX_RWSEM_H

#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/lockdep.h>

struct rw_semaphore {
	int kc_readers;
};

#define __RWSEM_INITIALIZER(name) { 0 }
#define DECLARE_RWSEM(name) struct rw_semaphore name = __RWSEM_INITIALIZER(name)

/* exact: a new semaphore is free */
#define init_rwsem(sem) ((void)((sem)->kc_readers = 0))

/* recording: acquire where it is got, else no order; one read-modify-write a try */
static inline int down_read_trylock(struct rw_semaphore *sem)
{
	int readers = READ_ONCE(sem->kc_readers);

	while (readers >= 0)
		if (try_cmpxchg_acquire(&sem->kc_readers, &readers, readers + 1))
			return 1;
	return 0;
}
static inline int down_write_trylock(struct rw_semaphore *sem)
{
	int readers = 0;

	if (!try_cmpxchg_acquire(&sem->kc_readers, &readers, -1))
		return 0;
	kc_locked(&sem->kc_readers, ~0u);
	return 1;
}

/* recording: acquire; what would sleep for ever ends the operation as a deadlock */
static inline void down_read(struct rw_semaphore *sem)
{
	kc_wait(&sem->kc_readers, 1u << 31);
	while (unlikely(!down_read_trylock(sem)))
		if (kc_record.stop)
			kc_record.stop(KC_STOP_DEADLOCK, 0);
}
static inline void down_write(struct rw_semaphore *sem)
{
	kc_wait(&sem->kc_readers, ~0u);
	while (unlikely(!down_write_trylock(sem)))
		if (kc_record.stop)
			kc_record.stop(KC_STOP_DEADLOCK, 0);
}
/* recording: as above; no signal comes, so 0 */
static inline int down_read_killable(struct rw_semaphore *sem)
{
	down_read(sem);
	return 0;
}
static inline int down_write_killable(struct rw_semaphore *sem)
{
	down_write(sem);
	return 0;
}
#define down_read_interruptible(sem) down_read_killable(sem)
#define down_read_nested(sem, subclass) ((void)(subclass), down_read(sem))
#define down_read_killable_nested(sem, subclass) ((void)(subclass), down_read_killable(sem))
#define down_read_non_owner(sem) down_read(sem)
#define down_write_nested(sem, subclass) ((void)(subclass), down_write(sem))
#define down_write_killable_nested(sem, subclass) ((void)(subclass), down_write_killable(sem))
#define down_write_nest_lock(sem, lock) ((void)(lock), down_write(sem))

/* recording: release */
static inline void up_read(struct rw_semaphore *sem)
{
	BUG_ON(READ_ONCE(sem->kc_readers) <= 0);
	kc_rmw();
	__atomic_fetch_sub(&sem->kc_readers, 1, __ATOMIC_RELEASE);
}
#define up_read_non_owner(sem) up_read(sem)
static inline void up_write(struct rw_semaphore *sem)
{
	kc_unlocks(&sem->kc_readers, ~0u);
	BUG_ON(READ_ONCE(sem->kc_readers) != -1);
	kc_rmw();
	__atomic_fetch_add(&sem->kc_readers, 1, __ATOMIC_RELEASE);
}
/* recording: release; the writer is a reader from here on */
static inline void downgrade_write(struct rw_semaphore *sem)
{
	kc_unlocks(&sem->kc_readers, ~0u);
	BUG_ON(READ_ONCE(sem->kc_readers) != -1);
	kc_rmw();
	__atomic_fetch_add(&sem->kc_readers, 2, __ATOMIC_RELEASE);
}

/* exact: nobody waits; readers or a writer hold it; a marked read, no order */
static inline int rwsem_is_locked(struct rw_semaphore *sem)
{
	return READ_ONCE(sem->kc_readers) != 0;
}
#define rwsem_is_contended(sem) ((void)(sem), 0)
/* recording: as with CONFIG_DEBUG_RWSEMS, a warning where it is not held so */
#define rwsem_assert_held(sem) ((void)WARN_ON(!rwsem_is_locked((struct rw_semaphore *)(sem))))
#define rwsem_assert_held_write(sem) ((void)WARN_ON((sem)->kc_readers != -1))
#define rwsem_assert_held_nolockdep(sem) rwsem_assert_held(sem)
#define rwsem_assert_held_write_nolockdep(sem) rwsem_assert_held_write(sem)

#endif
