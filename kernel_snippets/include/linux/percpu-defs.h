/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Data of each processor. Source: Documentation/core-api/this_cpu_ops.rst. A world has
 * one processor: a per-CPU variable is a variable, and a per-CPU pointer a pointer.
 */
#ifndef _LINUX_PERCPU_DEFS_H
#define _LINUX_PERCPU_DEFS_H

#include <linux/compiler.h>
#include <linux/preempt.h>
#include <linux/smp.h>
#include <linux/stddef.h>

/* exact: for one processor; where such variables are placed has no meaning in C */
#define DECLARE_PER_CPU_SECTION(type, name, section) extern typeof(type) name
#define DEFINE_PER_CPU_SECTION(type, name, section) typeof(type) name
#define DECLARE_PER_CPU(type, name) extern typeof(type) name
#define DEFINE_PER_CPU(type, name) typeof(type) name
#define DECLARE_PER_CPU_FIRST(type, name) DECLARE_PER_CPU(type, name)
#define DEFINE_PER_CPU_FIRST(type, name) DEFINE_PER_CPU(type, name)
#define DECLARE_PER_CPU_ALIGNED(type, name) DECLARE_PER_CPU(type, name)
#define DEFINE_PER_CPU_ALIGNED(type, name) DEFINE_PER_CPU(type, name)
#define DECLARE_PER_CPU_SHARED_ALIGNED(type, name) DECLARE_PER_CPU(type, name)
#define DEFINE_PER_CPU_SHARED_ALIGNED(type, name) DEFINE_PER_CPU(type, name)
#define DECLARE_PER_CPU_PAGE_ALIGNED(type, name) DECLARE_PER_CPU(type, name)
#define DEFINE_PER_CPU_PAGE_ALIGNED(type, name) DEFINE_PER_CPU(type, name)
#define DECLARE_PER_CPU_READ_MOSTLY(type, name) DECLARE_PER_CPU(type, name)
#define DEFINE_PER_CPU_READ_MOSTLY(type, name) DEFINE_PER_CPU(type, name)
#define DECLARE_PER_CPU_CACHE_HOT(type, name) DECLARE_PER_CPU(type, name)
#define DEFINE_PER_CPU_CACHE_HOT(type, name) DEFINE_PER_CPU(type, name)

/* exact: for one processor, whose number does not matter */
#define per_cpu_ptr(p, cpu) ({ (void)(cpu); (p); })
#define per_cpu(variable, cpu) (*per_cpu_ptr(&(variable), cpu))
#define raw_cpu_ptr(p) (p)
#define this_cpu_ptr(p) (p)
#define get_cpu_var(variable) (*({ preempt_disable(); &(variable); }))
#define put_cpu_var(variable) do { (void)&(variable); preempt_enable(); } while (0)
#define get_cpu_ptr(p) ({ preempt_disable(); (p); })
#define put_cpu_ptr(p) do { (void)(p); preempt_enable(); } while (0)

/* exact: for one processor, on which nothing interrupts */
#define KC_CPU_ADD(variable, n) ((variable) += (n))
#define KC_CPU_XCHG(variable, n) ({								\
	typeof(variable) kc_was_ = (variable);							\
	(variable) = (n);									\
	kc_was_;										\
})
#define KC_CPU_CMPXCHG(variable, old, n) ({							\
	typeof(variable) kc_old_ = (old), kc_was_ = (variable);					\
	if (kc_was_ == kc_old_)									\
		(variable) = (n);								\
	kc_was_;										\
})
#define KC_CPU_TRY_CMPXCHG(variable, old_p, n) ({						\
	typeof(variable) kc_was_ = (variable), *kc_old_p_ = (void *)(old_p);			\
	bool kc_done_ = kc_was_ == *kc_old_p_;							\
	if (kc_done_)										\
		(variable) = (n);								\
	else											\
		*kc_old_p_ = kc_was_;								\
	kc_done_;										\
})
#define this_cpu_read(variable) READ_ONCE(variable)
#define this_cpu_write(variable, n) do { (variable) = (n); } while (0)
#define this_cpu_add(variable, n) ((void)KC_CPU_ADD(variable, n))
#define this_cpu_sub(variable, n) ((void)KC_CPU_ADD(variable, -(typeof(variable))(n)))
#define this_cpu_inc(variable) ((void)KC_CPU_ADD(variable, 1))
#define this_cpu_dec(variable) ((void)KC_CPU_ADD(variable, -1))
#define this_cpu_and(variable, n) ((void)((variable) &= (n)))
#define this_cpu_or(variable, n) ((void)((variable) |= (n)))
#define this_cpu_add_return(variable, n) KC_CPU_ADD(variable, n)
#define this_cpu_sub_return(variable, n) KC_CPU_ADD(variable, -(typeof(variable))(n))
#define this_cpu_inc_return(variable) KC_CPU_ADD(variable, 1)
#define this_cpu_dec_return(variable) KC_CPU_ADD(variable, -1)
#define this_cpu_xchg(variable, n) KC_CPU_XCHG(variable, n)
#define this_cpu_cmpxchg(variable, old, n) KC_CPU_CMPXCHG(variable, old, n)
#define this_cpu_try_cmpxchg(variable, old_p, n) KC_CPU_TRY_CMPXCHG(variable, old_p, n)
#define raw_cpu_read(variable) READ_ONCE(variable)
#define raw_cpu_write(variable, n) do { (variable) = (n); } while (0)
#define raw_cpu_add(variable, n) ((void)KC_CPU_ADD(variable, n))
#define raw_cpu_sub(variable, n) ((void)KC_CPU_ADD(variable, -(typeof(variable))(n)))
#define raw_cpu_inc(variable) ((void)KC_CPU_ADD(variable, 1))
#define raw_cpu_dec(variable) ((void)KC_CPU_ADD(variable, -1))
#define raw_cpu_and(variable, n) ((void)((variable) &= (n)))
#define raw_cpu_or(variable, n) ((void)((variable) |= (n)))
#define raw_cpu_add_return(variable, n) KC_CPU_ADD(variable, n)
#define raw_cpu_sub_return(variable, n) KC_CPU_ADD(variable, -(typeof(variable))(n))
#define raw_cpu_inc_return(variable) KC_CPU_ADD(variable, 1)
#define raw_cpu_dec_return(variable) KC_CPU_ADD(variable, -1)
#define raw_cpu_xchg(variable, n) KC_CPU_XCHG(variable, n)
#define raw_cpu_cmpxchg(variable, old, n) KC_CPU_CMPXCHG(variable, old, n)
#define raw_cpu_try_cmpxchg(variable, old_p, n) KC_CPU_TRY_CMPXCHG(variable, old_p, n)
#define __this_cpu_read(variable) READ_ONCE(variable)
#define __this_cpu_write(variable, n) do { (variable) = (n); } while (0)
#define __this_cpu_add(variable, n) ((void)KC_CPU_ADD(variable, n))
#define __this_cpu_sub(variable, n) ((void)KC_CPU_ADD(variable, -(typeof(variable))(n)))
#define __this_cpu_inc(variable) ((void)KC_CPU_ADD(variable, 1))
#define __this_cpu_dec(variable) ((void)KC_CPU_ADD(variable, -1))
#define __this_cpu_and(variable, n) ((void)((variable) &= (n)))
#define __this_cpu_or(variable, n) ((void)((variable) |= (n)))
#define __this_cpu_add_return(variable, n) KC_CPU_ADD(variable, n)
#define __this_cpu_sub_return(variable, n) KC_CPU_ADD(variable, -(typeof(variable))(n))
#define __this_cpu_inc_return(variable) KC_CPU_ADD(variable, 1)
#define __this_cpu_dec_return(variable) KC_CPU_ADD(variable, -1)
#define __this_cpu_xchg(variable, n) KC_CPU_XCHG(variable, n)
#define __this_cpu_cmpxchg(variable, old, n) KC_CPU_CMPXCHG(variable, old, n)
#define __this_cpu_try_cmpxchg(variable, old_p, n) KC_CPU_TRY_CMPXCHG(variable, old_p, n)
#define this_cpu_read_stable(variable) this_cpu_read(variable)
#define this_cpu_read_const(variable) this_cpu_read(variable)

#endif
