/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reader-writer spinlocks. Source: Documentation/locking/locktypes.rst; ordered as
 * semaphores are: acquire and release. The word is -1
 * for a writer, else the number of readers. A lock that can never be got is said to the
 * harness instead of spinning, and releasing what is not held is recorded as a BUG.
 */
#ifndef _LINUX_RWLOCK_H
#define _LINUX_RWLOCK_H

#include <linux/rwsem.h>

typedef struct {
	struct rw_semaphore kc_sem;
} rwlock_t;

#define __RW_LOCK_UNLOCKED(name) { { 0 } }
#define DEFINE_RWLOCK(name) rwlock_t name = __RW_LOCK_UNLOCKED(name)
/* exact: a new lock is free */
#define rwlock_init(lock) init_rwsem(&(lock)->kc_sem)

/* recording: the lock; inert: there are no interrupts to disable */
#define read_trylock(lock) down_read_trylock(&(lock)->kc_sem)
#define write_trylock(lock) down_write_trylock(&(lock)->kc_sem)
#define read_lock(lock) down_read(&(lock)->kc_sem)
#define write_lock(lock) down_write(&(lock)->kc_sem)
#define read_unlock(lock) up_read(&(lock)->kc_sem)
#define write_unlock(lock) up_write(&(lock)->kc_sem)
#define read_lock_irq(lock) read_lock(lock)
#define write_lock_irq(lock) write_lock(lock)
#define read_unlock_irq(lock) read_unlock(lock)
#define write_unlock_irq(lock) write_unlock(lock)
#define read_lock_bh(lock) read_lock(lock)
#define write_lock_bh(lock) write_lock(lock)
#define read_unlock_bh(lock) read_unlock(lock)
#define write_unlock_bh(lock) write_unlock(lock)
#define read_lock_irqsave(lock, flags) do { (flags) = 0; read_lock(lock); } while (0)
#define write_lock_irqsave(lock, flags) do { (flags) = 0; write_lock(lock); } while (0)
#define read_unlock_irqrestore(lock, flags) do { (void)(flags); read_unlock(lock); } while (0)
#define write_unlock_irqrestore(lock, flags) do { (void)(flags); write_unlock(lock); } while (0)

#endif
