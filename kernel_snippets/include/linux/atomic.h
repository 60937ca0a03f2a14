/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Atomics. Source: Documentation/atomic_t.txt. Values wrap; a read-modify-write
 * that returns a value is fully ordered unless its suffix says otherwise, one that
 * returns none is relaxed, and so are read and set.
 */
#ifndef _LINUX_ATOMIC_H
#define _LINUX_ATOMIC_H

#include <kconform/record.h>
#include <linux/types.h>

#define ATOMIC_INIT(value) { (value) }
#define ATOMIC_LONG_INIT(value) { (value) }

/* exact: barriers, at least as strong as documented */
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_mb__before_atomic() smp_mb()
#define smp_mb__after_atomic() smp_mb()
#define smp_store_release(p, value) __atomic_store_n(p, value, __ATOMIC_RELEASE)
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)

/* recording: one read-modify-write that gives the old (fetch) or new (return) value */
#define KC_ATOMIC_OP(prefix, type, value, op, builtin, suffix, order)				\
static __always_inline value prefix##_fetch_##op##suffix(value i, type *v)			\
{												\
	kc_rmw();										\
	return __atomic_fetch_##builtin(&v->counter, i, order);					\
}
#define KC_ATOMIC_RETURN(prefix, type, value, op, builtin, suffix, order)			\
static __always_inline value prefix##_##op##_return##suffix(value i, type *v)			\
{												\
	kc_rmw();										\
	return __atomic_##builtin##_fetch(&v->counter, i, order);				\
}
#define KC_ATOMIC_ORDERS(make, prefix, type, value, op, builtin)				\
	make(prefix, type, value, op, builtin, , __ATOMIC_SEQ_CST)				\
	make(prefix, type, value, op, builtin, _acquire, __ATOMIC_ACQUIRE)			\
	make(prefix, type, value, op, builtin, _release, __ATOMIC_RELEASE)			\
	make(prefix, type, value, op, builtin, _relaxed, __ATOMIC_RELAXED)
#define KC_ATOMIC_VOID(prefix, type, value, op)							\
static __always_inline void prefix##_##op(value i, type *v)					\
{												\
	prefix##_fetch_##op##_relaxed(i, v);							\
}
#define KC_ATOMIC_FAMILY(prefix, type, value)							\
static __always_inline value prefix##_read(const type *v)					\
{												\
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);					\
}												\
static __always_inline value prefix##_read_acquire(const type *v)				\
{												\
	return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE);					\
}												\
static __always_inline void prefix##_set(type *v, value i)					\
{												\
	__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);					\
}												\
static __always_inline void prefix##_set_release(type *v, value i)				\
{												\
	__atomic_store_n(&v->counter, i, __ATOMIC_RELEASE);					\
}												\
KC_ATOMIC_ORDERS(KC_ATOMIC_OP, prefix, type, value, add, add)					\
KC_ATOMIC_ORDERS(KC_ATOMIC_OP, prefix, type, value, sub, sub)					\
KC_ATOMIC_ORDERS(KC_ATOMIC_OP, prefix, type, value, and, and)					\
KC_ATOMIC_ORDERS(KC_ATOMIC_OP, prefix, type, value, or, or)					\
KC_ATOMIC_ORDERS(KC_ATOMIC_OP, prefix, type, value, xor, xor)					\
KC_ATOMIC_ORDERS(KC_ATOMIC_RETURN, prefix, type, value, add, add)				\
KC_ATOMIC_ORDERS(KC_ATOMIC_RETURN, prefix, type, value, sub, sub)				\
KC_ATOMIC_VOID(prefix, type, value, add)							\
KC_ATOMIC_VOID(prefix, type, value, sub)							\
KC_ATOMIC_VOID(prefix, type, value, and)							\
KC_ATOMIC_VOID(prefix, type, value, or)								\
KC_ATOMIC_VOID(prefix, type, value, xor)							\
static __always_inline void prefix##_inc(type *v) { prefix##_add(1, v); }			\
static __always_inline void prefix##_dec(type *v) { prefix##_sub(1, v); }			\
static __always_inline value prefix##_inc_return(type *v) { return prefix##_add_return(1, v); }	\
static __always_inline value prefix##_dec_return(type *v) { return prefix##_sub_return(1, v); }	\
static __always_inline value prefix##_fetch_inc(type *v) { return prefix##_fetch_add(1, v); }	\
static __always_inline value prefix##_fetch_dec(type *v) { return prefix##_fetch_sub(1, v); }	\
static __always_inline bool prefix##_inc_and_test(type *v)					\
{												\
	return prefix##_inc_return(v) == 0;							\
}												\
static __always_inline bool prefix##_dec_and_test(type *v)					\
{												\
	return prefix##_dec_return(v) == 0;							\
}												\
static __always_inline bool prefix##_sub_and_test(value i, type *v)				\
{												\
	return prefix##_sub_return(i, v) == 0;							\
}												\
static __always_inline bool prefix##_add_negative(value i, type *v)				\
{												\
	return prefix##_add_return(i, v) < 0;							\
}												\
static __always_inline value prefix##_xchg(type *v, value new)					\
{												\
	kc_rmw();										\
	return __atomic_exchange_n(&v->counter, new, __ATOMIC_SEQ_CST);				\
}												\
static __always_inline bool prefix##_try_cmpxchg(type *v, value *old, value new)		\
{												\
	kc_rmw();										\
	return __atomic_compare_exchange_n(&v->counter, old, new, 0, __ATOMIC_SEQ_CST,		\
					   __ATOMIC_RELAXED);					\
}												\
static __always_inline value prefix##_cmpxchg(type *v, value old, value new)			\
{												\
	prefix##_try_cmpxchg(v, &old, new);							\
	return old;										\
}												\
static __always_inline value prefix##_fetch_add_unless(type *v, value i, value unless)		\
{												\
	value old = prefix##_read(v);								\
												\
	do {											\
		if (old == unless)								\
			break;									\
	} while (!prefix##_try_cmpxchg(v, &old, (value)((unsigned long)old + (unsigned long)i)));\
	return old;										\
}												\
static __always_inline bool prefix##_add_unless(type *v, value i, value unless)		\
{												\
	return prefix##_fetch_add_unless(v, i, unless) != unless;				\
}												\
static __always_inline bool prefix##_inc_not_zero(type *v)					\
{												\
	return prefix##_add_unless(v, 1, 0);							\
}

KC_ATOMIC_FAMILY(atomic, atomic_t, int)
KC_ATOMIC_FAMILY(atomic_long, atomic_long_t, long)

#endif
