/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What gcc -fsanitize=thread calls, below a subject: each access is told to the engine,
 * which lets another thread run first where it wants to; then it is made. Without hooks,
 * outside of threads, it is only made. The names and shapes are those of gcc's
 * libsanitizer/tsan/tsan_interface{,_atomic}.h.
 */
#include "threads.h"

#define EXPORT __attribute__((visibility("hidden")))
#define HERE __builtin_return_address(0)

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

EXPORT struct kc_hooks kc_hooks;

static inline void tell(const volatile void *p, unsigned int size, unsigned int kind, void *pc)
{
	if (kc_hooks.access)
		kc_hooks.access(p, size, kind, pc);
}

#define PLAIN(name, size, kind)				\
EXPORT void __tsan_##name(void *p);			\
EXPORT void __tsan_##name(void *p)			\
{							\
	tell(p, size, kind, HERE);			\
}
#define SIZES(name, kind)				\
	PLAIN(name##1, 1, kind)				\
	PLAIN(name##2, 2, kind)				\
	PLAIN(name##4, 4, kind)				\
	PLAIN(name##8, 8, kind)				\
	PLAIN(name##16, 16, kind)
SIZES(read, KC_READ)
SIZES(write, KC_WRITE)
SIZES(unaligned_read, KC_READ)
SIZES(unaligned_write, KC_WRITE)
SIZES(volatile_read, KC_READ | KC_MARKED)
SIZES(volatile_write, KC_WRITE | KC_MARKED)
SIZES(unaligned_volatile_read, KC_READ | KC_MARKED)
SIZES(unaligned_volatile_write, KC_WRITE | KC_MARKED)

EXPORT void __tsan_read_range(void *p, unsigned long size);
EXPORT void __tsan_read_range(void *p, unsigned long size)
{
	tell(p, size, KC_READ, HERE);
}
EXPORT void __tsan_write_range(void *p, unsigned long size);
EXPORT void __tsan_write_range(void *p, unsigned long size)
{
	tell(p, size, KC_WRITE, HERE);
}

EXPORT void __tsan_func_entry(void *pc);
EXPORT void __tsan_func_entry(void *pc)
{
	if (kc_hooks.enter)
		kc_hooks.enter(pc);
}
EXPORT void __tsan_func_exit(void);
EXPORT void __tsan_func_exit(void)
{
	if (kc_hooks.leave)
		kc_hooks.leave();
}
EXPORT void __tsan_init(void);
EXPORT void __tsan_init(void)
{
}

/* A C11 order as the kernel's; consume is acquire, sequential consistency is a full barrier. */
static unsigned int order_of(int order)
{
	switch (order) {
	case __ATOMIC_CONSUME:
	case __ATOMIC_ACQUIRE:
		return KC_ACQUIRE;
	case __ATOMIC_RELEASE:
		return KC_RELEASE;
	case __ATOMIC_ACQ_REL:
		return KC_ACQUIRE | KC_RELEASE;
	case __ATOMIC_SEQ_CST:
		return KC_ACQUIRE | KC_RELEASE | KC_FULL;
	}
	return 0;
}

#define RMW(name, type, bits, expression)						\
EXPORT type __tsan_atomic##bits##_##name(volatile type *p, type value, int order);	\
EXPORT type __tsan_atomic##bits##_##name(volatile type *p, type value, int order)	\
{											\
	type old;									\
											\
	tell(p, sizeof(*p), KC_READ | KC_WRITE | KC_MARKED | order_of(order), HERE);	\
	old = *p;									\
	*p = expression;								\
	return old;									\
}
#define CMPXCHG(name, type, bits)							\
EXPORT int __tsan_atomic##bits##_##name(volatile type *p, type *expected, type value,	\
					int order, int failed);				\
EXPORT int __tsan_atomic##bits##_##name(volatile type *p, type *expected, type value,	\
					int order, int failed)				\
{											\
	type old, wanted = *expected;							\
											\
	(void)failed;									\
	tell(p, sizeof(*p), KC_READ | KC_WRITE | KC_MARKED | order_of(order), HERE);	\
	old = *p;									\
	if (old == wanted) {								\
		*p = value;								\
		return 1;								\
	}										\
	if (kc_hooks.failed)								\
		kc_hooks.failed();							\
	*expected = old;								\
	return 0;									\
}
#define FAMILY(type, bits)								\
EXPORT type __tsan_atomic##bits##_load(const volatile type *p, int order);		\
EXPORT type __tsan_atomic##bits##_load(const volatile type *p, int order)		\
{											\
	tell(p, sizeof(*p), KC_READ | KC_MARKED | (order_of(order) & KC_ACQUIRE), HERE); \
	return *p;									\
}											\
EXPORT void __tsan_atomic##bits##_store(volatile type *p, type value, int order);	\
EXPORT void __tsan_atomic##bits##_store(volatile type *p, type value, int order)	\
{											\
	tell(p, sizeof(*p), KC_WRITE | KC_MARKED | (order_of(order) & KC_RELEASE), HERE); \
	*p = value;									\
}											\
RMW(exchange, type, bits, value)							\
RMW(fetch_add, type, bits, old + value)							\
RMW(fetch_sub, type, bits, old - value)							\
RMW(fetch_and, type, bits, old & value)							\
RMW(fetch_or, type, bits, old | value)							\
RMW(fetch_xor, type, bits, old ^ value)							\
RMW(fetch_nand, type, bits, ~(old & value))						\
CMPXCHG(compare_exchange_strong, type, bits)						\
CMPXCHG(compare_exchange_weak, type, bits)
FAMILY(u8, 8)
FAMILY(u16, 16)
FAMILY(u32, 32)
FAMILY(u64, 64)

EXPORT void __tsan_atomic_thread_fence(int order);
EXPORT void __tsan_atomic_thread_fence(int order)
{
	tell(0, 0, KC_FENCE | order_of(order), HERE);
}
EXPORT void __tsan_atomic_signal_fence(int order);
EXPORT void __tsan_atomic_signal_fence(int order)
{
	(void)order;	/* the compiler's alone */
}

/* What the shims say: kconform/record.h and linux/compiler.h. */
EXPORT void kc_wait_(const volatile void *p, unsigned int size, unsigned long mask);
EXPORT void kc_wait_(const volatile void *p, unsigned int size, unsigned long mask)
{
	if (kc_hooks.wait)
		kc_hooks.wait(p, size, mask);
}
EXPORT void kc_lock_(const volatile void *p, unsigned int size, unsigned long mask, int locks);
EXPORT void kc_lock_(const volatile void *p, unsigned int size, unsigned long mask, int locks)
{
	if (kc_hooks.lock)
		kc_hooks.lock(p, size, mask, locks, HERE);
}
EXPORT void kc_section_(const volatile void *p, int begins);
EXPORT void kc_section_(const volatile void *p, int begins)
{
	if (kc_hooks.section)
		kc_hooks.section(p, begins, HERE);
}
EXPORT void kc_pause(void);
EXPORT void kc_pause(void)
{
	if (kc_hooks.pause)
		kc_hooks.pause();
}
EXPORT void kc_failed(void);
EXPORT void kc_failed(void)
{
	if (kc_hooks.failed)
		kc_hooks.failed();
}
EXPORT void kc_looks_away(int begins);
EXPORT void kc_looks_away(int begins)
{
	if (kc_hooks.looks_away)
		kc_hooks.looks_away(begins);
}
