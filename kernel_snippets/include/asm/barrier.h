/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: Documentation/memory-barriers.txt. */
#ifndef _ASM_BARRIER_H
#define _ASM_BARRIER_H

#include <linux/compiler.h>

/* exact: fences, at least as strong as documented */
#define mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define dma_rmb() rmb()
#define dma_wmb() wmb()
#define smp_mb() mb()
#define smp_rmb() rmb()
#define smp_wmb() wmb()
#define smp_mb__before_atomic() mb()
#define smp_mb__after_atomic() mb()
#define smp_mb__after_spinlock() mb()
#define smp_acquire__after_ctrl_dep() rmb()

/* exact: one access with its ordering */
#define smp_store_release(p, value) __atomic_store_n(p, value, __ATOMIC_RELEASE)
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_mb(variable, value) do { WRITE_ONCE(variable, value); smp_mb(); } while (0)

/* exact: the fetches of a value that comes until `condition`, which speaks of VAL, holds; then acquire */
#define smp_cond_load_relaxed(p, condition) ({							\
	typeof(*(p)) VAL;									\
	for (;;) {										\
		VAL = READ_ONCE(*(p));								\
		if (condition)									\
			break;									\
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
