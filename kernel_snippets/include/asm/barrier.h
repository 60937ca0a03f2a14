/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Barriers. Source: Documentation/memory-barriers.txt; smp_mb__{before,after}_atomic():
 * atomic_t.txt, "The barriers". Where operations run as threads (harness/native/interleave.c)
 * loads are never made late or early, so there rmb() shows only in what it orders between threads.
 */
#ifndef _ASM_BARRIER_H
#define _ASM_BARRIER_H

#include <kconform/record.h>
#include <linux/compiler.h>

/* exact: mb() orders all before against all after; rmb() reads, wmb() writes: at least that */
#define mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define dma_rmb() rmb()
#define dma_wmb() wmb()
/* exact: the same between processors */
#define smp_mb() mb()
#define smp_rmb() rmb()
#define smp_wmb() wmb()
/* exact: full barriers, beside a read-modify-write that returns nothing or is relaxed, and after a lock */
#define smp_mb__before_atomic() mb()
#define smp_mb__after_atomic() mb()
#define smp_mb__after_spinlock() mb()
/* exact: reads before it against all after it */
#define smp_acquire__after_ctrl_dep() rmb()

/* exact: one access: all before it, before the store; the load, before all after it; a full barrier after it */
#define smp_store_release(p, value) __atomic_store_n(p, value, __ATOMIC_RELEASE)
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_mb(variable, value) do { WRITE_ONCE(variable, value); smp_mb(); } while (0)

/* exact: the value for which `condition`, which speaks of VAL, holds, waited for; no order, or acquire then */
#define smp_cond_load_relaxed(p, condition) ({							\
	typeof(*(p)) VAL;									\
	for (;;) {										\
		VAL = READ_ONCE(*(p));								\
		if (condition)									\
			break;									\
		kc_pause();									\
	}											\
	VAL;											\
})
#define smp_cond_load_acquire(p, condition) ({							\
	typeof(*(p)) kc_value_ = smp_cond_load_relaxed(p, condition);				\
	smp_acquire__after_ctrl_dep();								\
	kc_value_;										\
})

/* inert: no instruction is run ahead of a test, as far as a result of C can tell */
#define barrier_nospec() ((void)0)
#define array_index_nospec(index, size) (index)

#endif
