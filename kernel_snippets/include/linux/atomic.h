/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Atomics. Source: Documentation/atomic_t.txt, "ORDERING". Values wrap. A read-modify-write
 * that returns a value is fully ordered, as with smp_mb() before and after it, unless its
 * suffix says otherwise; one that returns none orders nothing, nor do read and set. With
 * _acquire the read is an acquire, with _release the write is a release, _relaxed orders
 * nothing. A conditional one orders nothing where it fails.
 * Each function here has the order that its name says by this rule; the last argument of
 * the macros that make them is that order. Each try of a conditional one counts as a read-modify-write; one that sees
 * beforehand that it must fail does not.
 */
#ifndef _LINUX_ATOMIC_H
#define _LINUX_ATOMIC_H

#include <asm/barrier.h>
#include <kconform/record.h>
#include <linux/types.h>

/* Each macro below makes one shape of function: prefix_..., on type, whose value is int or long. */

#define KC_FETCH(prefix, type, value, op, builtin, operand, suffix, order)			\
static __always_inline value prefix##_fetch_##op##suffix(value i, type *v)			\
{												\
	kc_rmw();										\
	return __atomic_fetch_##builtin(&v->counter, operand, order);				\
}
#define KC_RETURN(prefix, type, value, op, builtin, operand, suffix, order)			\
static __always_inline value prefix##_##op##_return##suffix(value i, type *v)			\
{												\
	kc_rmw();										\
	return __atomic_##builtin##_fetch(&v->counter, operand, order);				\
}
#define KC_STEP(prefix, type, value, op, by, ignored, suffix, order)				\
static __always_inline value prefix##_##op##_return##suffix(type *v)				\
{												\
	return prefix##_##by##_return##suffix(1, v);						\
}												\
static __always_inline value prefix##_fetch_##op##suffix(type *v)				\
{												\
	return prefix##_fetch_##by##suffix(1, v);						\
}
#define KC_NEGATIVE(prefix, type, value, op, by, ignored, suffix, order)			\
static __always_inline bool prefix##_##op##suffix(value i, type *v)				\
{												\
	return prefix##_##by##_return##suffix(i, v) < 0;					\
}
#define KC_EXCHANGE(prefix, type, value, xchg_, cmpxchg_, ignored, suffix, order)		\
static __always_inline value prefix##_##xchg_##suffix(type *v, value new)			\
{												\
	kc_rmw();										\
	return __atomic_exchange_n(&v->counter, new, order);					\
}												\
static __always_inline bool prefix##_try_##cmpxchg_##suffix(type *v, value *old, value new)	\
{												\
	typeof(v->counter) expected = *old;							\
	bool done;										\
												\
	kc_rmw();										\
	done = __atomic_compare_exchange_n(&v->counter, &expected, new, 0, order,		\
					   __ATOMIC_RELAXED);					\
	if (!done)										\
		*old = expected;								\
	return done;										\
}												\
static __always_inline value prefix##_##cmpxchg_##suffix(type *v, value old, value new)		\
{												\
	prefix##_try_##cmpxchg_##suffix(v, &old, new);						\
	return old;										\
}
#define KC_ORDERS(make, prefix, type, value, op, builtin, operand)				\
	make(prefix, type, value, op, builtin, operand, , __ATOMIC_SEQ_CST)			\
	make(prefix, type, value, op, builtin, operand, _acquire, __ATOMIC_ACQUIRE)		\
	make(prefix, type, value, op, builtin, operand, _release, __ATOMIC_RELEASE)		\
	make(prefix, type, value, op, builtin, operand, _relaxed, __ATOMIC_RELAXED)
#define KC_VOID(prefix, type, value, op)							\
static __always_inline void prefix##_##op(value i, type *v)					\
{												\
	prefix##_fetch_##op##_relaxed(i, v);							\
}
/* What `sum` makes of the old value is stored unless `unless` holds of it; fully ordered where it is stored. */
#define KC_UNLESS(declaration, prefix, type, value, unless, sum, result)			\
static __always_inline declaration								\
{												\
	value old = prefix##_read(v);								\
												\
	do {											\
		if (unless)									\
			break;									\
	} while (!prefix##_try_cmpxchg(v, &old, sum));						\
	return result;										\
}

#define KC_FAMILY(prefix, type, value, wide)							\
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
KC_ORDERS(KC_FETCH, prefix, type, value, add, add, i)						\
KC_ORDERS(KC_FETCH, prefix, type, value, sub, sub, i)						\
KC_ORDERS(KC_FETCH, prefix, type, value, and, and, i)						\
KC_ORDERS(KC_FETCH, prefix, type, value, andnot, and, ~i)					\
KC_ORDERS(KC_FETCH, prefix, type, value, or, or, i)						\
KC_ORDERS(KC_FETCH, prefix, type, value, xor, xor, i)						\
KC_ORDERS(KC_RETURN, prefix, type, value, add, add, i)						\
KC_ORDERS(KC_RETURN, prefix, type, value, sub, sub, i)						\
KC_ORDERS(KC_STEP, prefix, type, value, inc, add, )						\
KC_ORDERS(KC_STEP, prefix, type, value, dec, sub, )						\
KC_ORDERS(KC_NEGATIVE, prefix, type, value, add_negative, add, )				\
KC_ORDERS(KC_EXCHANGE, prefix, type, value, xchg, cmpxchg, )					\
KC_VOID(prefix, type, value, add)								\
KC_VOID(prefix, type, value, sub)								\
KC_VOID(prefix, type, value, and)								\
KC_VOID(prefix, type, value, andnot)								\
KC_VOID(prefix, type, value, or)								\
KC_VOID(prefix, type, value, xor)								\
static __always_inline void prefix##_inc(type *v) { prefix##_add(1, v); }			\
static __always_inline void prefix##_dec(type *v) { prefix##_sub(1, v); }			\
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
KC_UNLESS(value prefix##_fetch_add_unless(type *v, value i, value u), prefix, type, value,	\
	  old == u, (value)((wide)old + (wide)i), old)						\
KC_UNLESS(bool prefix##_add_unless(type *v, value i, value u), prefix, type, value,		\
	  old == u, (value)((wide)old + (wide)i), old != u)					\
KC_UNLESS(bool prefix##_inc_not_zero(type *v), prefix, type, value,				\
	  old == 0, (value)((wide)old + 1), old != 0)						\
KC_UNLESS(bool prefix##_inc_unless_negative(type *v), prefix, type, value,			\
	  old < 0, (value)((wide)old + 1), old >= 0)						\
KC_UNLESS(bool prefix##_dec_unless_positive(type *v), prefix, type, value,			\
	  old > 0, (value)((wide)old - 1), old <= 0)						\
KC_UNLESS(value prefix##_dec_if_positive(type *v), prefix, type, value,				\
	  old < 1, (value)((wide)old - 1), (value)((wide)old - 1))

/* recording: every function of the three families but read and set, which are exact; ordered as said above */
KC_FAMILY(atomic, atomic_t, int, unsigned int)
KC_FAMILY(atomic64, atomic64_t, s64, u64)
KC_FAMILY(atomic_long, atomic_long_t, long, unsigned long)

#define KC_XCHG(p, new, order) ({								\
	kc_rmw();										\
	__atomic_exchange_n(p, new, order);							\
})
#define KC_TRY_CMPXCHG(p, old_p, new, order) ({							\
	typeof(*(p)) kc_expected_ = *(old_p);							\
	bool kc_done_;										\
	kc_rmw();										\
	kc_done_ = __atomic_compare_exchange_n(p, &kc_expected_, new, 0, order,			\
					       __ATOMIC_RELAXED);				\
	if (!kc_done_)										\
		*(old_p) = kc_expected_;							\
	kc_done_;										\
})
#define KC_CMPXCHG(p, old, new, order) ({							\
	typeof(*(p)) kc_old_ = (old);								\
	kc_rmw();										\
	__atomic_compare_exchange_n(p, &kc_old_, new, 0, order, __ATOMIC_RELAXED);		\
	kc_old_;										\
})

/* recording: read-modify-writes of plain words of 1, 2, 4 or 8 bytes; fully ordered, or as the suffix says */
#define xchg(p, new) KC_XCHG(p, new, __ATOMIC_SEQ_CST)
#define xchg_acquire(p, new) KC_XCHG(p, new, __ATOMIC_ACQUIRE)
#define xchg_release(p, new) KC_XCHG(p, new, __ATOMIC_RELEASE)
#define xchg_relaxed(p, new) KC_XCHG(p, new, __ATOMIC_RELAXED)
#define cmpxchg(p, old, new) KC_CMPXCHG(p, old, new, __ATOMIC_SEQ_CST)
#define cmpxchg_acquire(p, old, new) KC_CMPXCHG(p, old, new, __ATOMIC_ACQUIRE)
#define cmpxchg_release(p, old, new) KC_CMPXCHG(p, old, new, __ATOMIC_RELEASE)
#define cmpxchg_relaxed(p, old, new) KC_CMPXCHG(p, old, new, __ATOMIC_RELAXED)
#define try_cmpxchg(p, old_p, new) KC_TRY_CMPXCHG(p, old_p, new, __ATOMIC_SEQ_CST)
#define try_cmpxchg_acquire(p, old_p, new) KC_TRY_CMPXCHG(p, old_p, new, __ATOMIC_ACQUIRE)
#define try_cmpxchg_release(p, old_p, new) KC_TRY_CMPXCHG(p, old_p, new, __ATOMIC_RELEASE)
#define try_cmpxchg_relaxed(p, old_p, new) KC_TRY_CMPXCHG(p, old_p, new, __ATOMIC_RELAXED)

#endif
