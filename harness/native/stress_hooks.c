/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What gcc -fsanitize=thread calls, below a subject that real threads run: each call goes on to
 * libtsan as it is. It goes there by a jump (a call that is a function's last thing, at -O2), so that
 * libtsan finds the subject's own address as the one that it returns to.
 *
 * libtsan knows nothing of volatile. In the kernel such an access is a marked one, so it is told of a
 * relaxed atomic one: of a read, one that reads the same; of a write, one that adds nothing to what is
 * there. The access itself follows.
 */
#include "stress.h"

#define EXPORT __attribute__((visibility("hidden")))

static struct kc_stress kc_stress;

/* For the program, which fills it before anything else of the subject is called. */
__attribute__((visibility("default"))) struct kc_stress *kc_stress_entry(void);
__attribute__((visibility("default"))) struct kc_stress *kc_stress_entry(void)
{
	return &kc_stress;
}

#define ACCESS(name)						\
EXPORT void __tsan_##name(void *p);				\
EXPORT void __tsan_##name(void *p)				\
{								\
	kc_stress.name(p);					\
}
KC_TSAN_ACCESSES(ACCESS)

#define VOLATILE(size, type, bits)				\
EXPORT void __tsan_volatile_read##size(void *p);		\
EXPORT void __tsan_volatile_read##size(void *p)			\
{								\
	kc_stress.atomic##bits##_load((type *)p, __ATOMIC_RELAXED);	\
}								\
EXPORT void __tsan_volatile_write##size(void *p);		\
EXPORT void __tsan_volatile_write##size(void *p)		\
{								\
	kc_stress.atomic##bits##_fetch_add((type *)p, 0, __ATOMIC_RELAXED);	\
}
VOLATILE(1, unsigned char, 8)
VOLATILE(2, unsigned short, 16)
VOLATILE(4, unsigned int, 32)
VOLATILE(8, unsigned long long, 64)

/* Of these there is no atomic one everywhere: plain, which may tell of a race too many. */
#define VOLATILE_AS(name, as)					\
EXPORT void __tsan_##name(void *p);				\
EXPORT void __tsan_##name(void *p)				\
{								\
	kc_stress.as(p);					\
}
VOLATILE_AS(volatile_read16, read16)
VOLATILE_AS(volatile_write16, write16)
#define UNALIGNED(size)						\
VOLATILE_AS(unaligned_volatile_read##size, unaligned_read##size)	\
VOLATILE_AS(unaligned_volatile_write##size, unaligned_write##size)
UNALIGNED(2)
UNALIGNED(4)
UNALIGNED(8)
UNALIGNED(16)

EXPORT void __tsan_read_range(void *p, unsigned long size);
EXPORT void __tsan_read_range(void *p, unsigned long size)
{
	kc_stress.read_range(p, size);
}
EXPORT void __tsan_write_range(void *p, unsigned long size);
EXPORT void __tsan_write_range(void *p, unsigned long size)
{
	kc_stress.write_range(p, size);
}
EXPORT void __tsan_func_entry(void *pc);
EXPORT void __tsan_func_entry(void *pc)
{
	kc_stress.func_entry(pc);
}
EXPORT void __tsan_func_exit(void);
EXPORT void __tsan_func_exit(void)
{
	kc_stress.func_exit();
}
/* gcc's constructor calls it; the program has begun with libtsan's own. */
EXPORT void __tsan_init(void);
EXPORT void __tsan_init(void)
{
}

#define RMW(name, type, bits)								\
EXPORT type __tsan_atomic##bits##_##name(volatile type *p, type value, int order);	\
EXPORT type __tsan_atomic##bits##_##name(volatile type *p, type value, int order)	\
{											\
	return kc_stress.atomic##bits##_##name(p, value, order);			\
}
#define CMPXCHG(name, type, bits)							\
EXPORT int __tsan_atomic##bits##_##name(volatile type *p, type *expected, type value,	\
					int order, int failed);				\
EXPORT int __tsan_atomic##bits##_##name(volatile type *p, type *expected, type value,	\
					int order, int failed)				\
{											\
	return kc_stress.atomic##bits##_##name(p, expected, value, order, failed);	\
}
#define FAMILY(type, bits)								\
EXPORT type __tsan_atomic##bits##_load(const volatile type *p, int order);		\
EXPORT type __tsan_atomic##bits##_load(const volatile type *p, int order)		\
{											\
	return kc_stress.atomic##bits##_load(p, order);					\
}											\
EXPORT void __tsan_atomic##bits##_store(volatile type *p, type value, int order);	\
EXPORT void __tsan_atomic##bits##_store(volatile type *p, type value, int order)	\
{											\
	kc_stress.atomic##bits##_store(p, value, order);				\
}											\
KC_TSAN_RMWS(RMW, type, bits)								\
KC_TSAN_CMPXCHGS(CMPXCHG, type, bits)
KC_TSAN_ATOMICS(FAMILY)

EXPORT void __tsan_atomic_thread_fence(int order);
EXPORT void __tsan_atomic_thread_fence(int order)
{
	kc_stress.fence(order);
}
EXPORT void __tsan_atomic_signal_fence(int order);
EXPORT void __tsan_atomic_signal_fence(int order)
{
	(void)order;	/* the compiler's alone */
}

/* What the shims say: kconform/record.h and linux/compiler.h. */
EXPORT struct kc_own *kc_own(void)
{
	return kc_stress.own();
}
EXPORT void kc_section_(const volatile void *p, int begins)
{
	kc_stress.section(p, begins);
}
EXPORT void kc_pause(void)
{
	kc_stress.pause();
}
EXPORT void kc_looks_away(int begins);
EXPORT void kc_looks_away(int begins)
{
	kc_stress.looks_away(begins);
}
