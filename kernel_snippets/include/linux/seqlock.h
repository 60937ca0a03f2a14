/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sequence counters. Source: Documentation/locking/seqlock.rst; ordering: as in
 * include/linux/seqlock.h of Linux 6.12, and said at each. The counter is odd while
 * a writer writes; a reader that meets one waits, and a reader whose section a writer was
 * in reads again. A counter with an associated lock is the counter alone: the lock is
 * what lockdep would look at.
 */
#ifndef _LINUX_SEQLOCK_H
#define _LINUX_SEQLOCK_H

#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>

typedef struct seqcount {
	unsigned int sequence;
} seqcount_t, seqcount_raw_spinlock_t, seqcount_spinlock_t, seqcount_rwlock_t, seqcount_mutex_t;

typedef struct {
	seqcount_t seqcount;
	spinlock_t lock;
} seqlock_t;

#define SEQCNT_ZERO(name) { 0 }
#define SEQCNT_SPINLOCK_ZERO(name, lock) { 0 }
#define SEQCNT_MUTEX_ZERO(name, lock) { 0 }
#define __SEQLOCK_UNLOCKED(name) { .seqcount = { 0 } }
#define DEFINE_SEQLOCK(name) seqlock_t name = __SEQLOCK_UNLOCKED(name)

/* exact: nobody writes */
#define seqcount_init(s) ((void)((s)->sequence = 0))
#define seqcount_raw_spinlock_init(s, lock) ((void)(lock), seqcount_init(s))
#define seqcount_spinlock_init(s, lock) ((void)(lock), seqcount_init(s))
#define seqcount_mutex_init(s, lock) ((void)(lock), seqcount_init(s))

/* exact: acquire: what is read after the counter was; a counter that stays odd is said to the harness */
static inline unsigned int kc_seq_begin(const seqcount_t *s)
{
	unsigned int sequence;

	kc_wait(&s->sequence, 1);
	while ((sequence = smp_load_acquire(&s->sequence)) & 1)
		if (kc_record.stop)
			kc_record.stop(KC_STOP_DEADLOCK, 0);
	return sequence;
}
/* exact: smp_rmb(): what was read is read before the counter is again; whether a writer was there since */
static inline int kc_seq_retry(const seqcount_t *s, unsigned int start)
{
	smp_rmb();
	return READ_ONCE(s->sequence) != start;
}
#define read_seqcount_begin(s) kc_seq_begin(s)
#define raw_read_seqcount_begin(s) kc_seq_begin(s)
#define __read_seqcount_begin(s) kc_seq_begin(s)
#define raw_read_seqcount(s) smp_load_acquire(&(s)->sequence)
#define raw_seqcount_begin(s) (raw_read_seqcount(s) & ~1u)
#define raw_seqcount_try_begin(s, start) (!(((start) = raw_read_seqcount(s)) & 1))
#define seqprop_sequence(s) raw_read_seqcount(s)
#define read_seqcount_retry(s, start) kc_seq_retry(s, start)
#define __read_seqcount_retry(s, start) (READ_ONCE((s)->sequence) != (start))

/* exact: smp_wmb(): the counter is odd before, and even after, what is written in between */
static inline void kc_write_seqcount_begin(seqcount_t *s)
{
	WRITE_ONCE(s->sequence, s->sequence + 1);
	smp_wmb();
}
static inline void kc_write_seqcount_end(seqcount_t *s)
{
	smp_wmb();
	WRITE_ONCE(s->sequence, s->sequence + 1);
}
#define write_seqcount_begin(s) kc_write_seqcount_begin(s)
#define write_seqcount_begin_nested(s, subclass) ((void)(subclass), kc_write_seqcount_begin(s))
#define raw_write_seqcount_begin(s) kc_write_seqcount_begin(s)
#define do_raw_write_seqcount_begin(s) kc_write_seqcount_begin(s)
#define write_seqcount_end(s) kc_write_seqcount_end(s)
#define raw_write_seqcount_end(s) kc_write_seqcount_end(s)
#define do_raw_write_seqcount_end(s) kc_write_seqcount_end(s)
/* exact: smp_wmb(): readers that began before what was written until now read again */
static inline void kc_write_seqcount_invalidate(seqcount_t *s)
{
	smp_wmb();
	WRITE_ONCE(s->sequence, s->sequence + 2);
}
#define write_seqcount_invalidate(s) kc_write_seqcount_invalidate(s)
static inline void kc_raw_write_seqcount_barrier(seqcount_t *s)
{
	kc_write_seqcount_begin(s);
	WRITE_ONCE(s->sequence, s->sequence + 1);
}
#define raw_write_seqcount_barrier(s) kc_raw_write_seqcount_barrier(s)

/* recording: by the lock, as documented, whose order they have as well */
#define seqlock_init(sl) do { seqcount_init(&(sl)->seqcount); spin_lock_init(&(sl)->lock); } while (0)
static inline unsigned int read_seqbegin(const seqlock_t *sl)
{
	return kc_seq_begin(&sl->seqcount);
}
static inline unsigned int read_seqretry(const seqlock_t *sl, unsigned int start)
{
	return kc_seq_retry(&sl->seqcount, start);
}
static inline void write_seqlock(seqlock_t *sl)
{
	spin_lock(&sl->lock);
	kc_write_seqcount_begin(&sl->seqcount);
}
static inline void write_sequnlock(seqlock_t *sl)
{
	kc_write_seqcount_end(&sl->seqcount);
	spin_unlock(&sl->lock);
}
static inline void read_seqlock_excl(seqlock_t *sl)
{
	spin_lock(&sl->lock);
}
static inline void read_sequnlock_excl(seqlock_t *sl)
{
	spin_unlock(&sl->lock);
}

#endif
