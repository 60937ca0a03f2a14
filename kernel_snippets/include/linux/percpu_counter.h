/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters with a part for each processor. Source: include/linux/percpu_counter.h of
 * Linux 6.12. A world has one processor, and its part is always added up at once: an
 * approximate read is exact.
 */
#ifndef _LINUX_PERCPU_COUNTER_H
#define _LINUX_PERCPU_COUNTER_H

#include <linux/types.h>

struct percpu_counter {
	s64 count;
};

/* inert: how far the parts may go before they are added up */
#define percpu_counter_batch 32

/* exact: the count; there is nothing to allocate, so that no error comes */
static inline int kc_percpu_counter_init(struct percpu_counter *counters, s64 amount, u32 n)
{
	for (u32 i = 0; i < n; i++)
		counters[i].count = amount;
	return 0;
}
#define percpu_counter_init_many(counters, amount, gfp, n) \
	((void)(gfp), kc_percpu_counter_init(counters, amount, n))
#define percpu_counter_init(counter, amount, gfp) \
	((void)(gfp), kc_percpu_counter_init(counter, amount, 1))
#define percpu_counter_destroy_many(counters, n) ((void)(counters), (void)(n))
#define percpu_counter_destroy(counter) ((void)(counter))
static inline bool percpu_counter_initialized(struct percpu_counter *counter)
{
	(void)counter;
	return true;
}
static inline void percpu_counter_set(struct percpu_counter *counter, s64 amount)
{
	counter->count = amount;
}
static inline void percpu_counter_add(struct percpu_counter *counter, s64 amount)
{
	counter->count += amount;
}
static inline void percpu_counter_add_batch(struct percpu_counter *counter, s64 amount, s32 batch)
{
	(void)batch;
	percpu_counter_add(counter, amount);
}
static inline void percpu_counter_add_local(struct percpu_counter *counter, s64 amount)
{
	percpu_counter_add(counter, amount);
}
static inline void percpu_counter_sub(struct percpu_counter *counter, s64 amount)
{
	percpu_counter_add(counter, -amount);
}
static inline void percpu_counter_sub_local(struct percpu_counter *counter, s64 amount)
{
	percpu_counter_add(counter, -amount);
}
static inline void percpu_counter_inc(struct percpu_counter *counter)
{
	percpu_counter_add(counter, 1);
}
static inline void percpu_counter_dec(struct percpu_counter *counter)
{
	percpu_counter_add(counter, -1);
}
static inline bool percpu_counter_limited_add(struct percpu_counter *counter, s64 limit, s64 amount)
{
	s64 count = counter->count + amount;
	bool good = !amount || (amount > 0 ? count <= limit : count >= limit);

	if (good)
		counter->count = count;
	return good;
}
static inline s64 percpu_counter_read(struct percpu_counter *counter)
{
	return counter->count;
}
static inline s64 percpu_counter_read_positive(struct percpu_counter *counter)
{
	return counter->count < 0 ? 0 : counter->count;
}
static inline s64 percpu_counter_sum(struct percpu_counter *counter)
{
	return counter->count;
}
static inline s64 percpu_counter_sum_positive(struct percpu_counter *counter)
{
	return counter->count < 0 ? 0 : counter->count;
}
#define __percpu_counter_sum(counter) percpu_counter_sum(counter)
#define percpu_counter_sync(counter) ((void)(counter))
static inline int percpu_counter_compare(struct percpu_counter *counter, s64 other)
{
	return (counter->count > other) - (counter->count < other);
}

#endif
