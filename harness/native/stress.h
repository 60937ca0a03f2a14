/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a subject of the flavour "stressed" (gcc -fsanitize=thread, stress_hooks.c) calls: the real
 * ThreadSanitizer, through a table that the program (stress.c) fills, so that nothing outside of the
 * subject has a name in it. Included on both sides; no libc below a subject. The names and shapes are
 * those of gcc's libsanitizer/tsan/tsan_interface{,_atomic}.h.
 */
#ifndef KCONFORM_STRESS_H
#define KCONFORM_STRESS_H

#define KC_STRESS 1
#include <kconform/record.h>

#define KC_TSAN_ACCESSES(X)							\
	X(read1) X(read2) X(read4) X(read8) X(read16)				\
	X(write1) X(write2) X(write4) X(write8) X(write16)			\
	X(unaligned_read2) X(unaligned_read4) X(unaligned_read8) X(unaligned_read16)	\
	X(unaligned_write2) X(unaligned_write4) X(unaligned_write8) X(unaligned_write16)

#define KC_TSAN_RMWS(X, type, bits)						\
	X(exchange, type, bits) X(fetch_add, type, bits) X(fetch_sub, type, bits)	\
	X(fetch_and, type, bits) X(fetch_or, type, bits) X(fetch_xor, type, bits)	\
	X(fetch_nand, type, bits)
#define KC_TSAN_CMPXCHGS(X, type, bits)						\
	X(compare_exchange_strong, type, bits) X(compare_exchange_weak, type, bits)
#define KC_TSAN_ATOMICS(X)							\
	X(unsigned char, 8) X(unsigned short, 16) X(unsigned int, 32) X(unsigned long long, 64)

struct kc_stress {
#define MEMBER(name) void (*name)(void *p);
	KC_TSAN_ACCESSES(MEMBER)
#undef MEMBER
#define RMW(name, type, bits) type (*atomic##bits##_##name)(volatile type *p, type value, int order);
#define CMPXCHG(name, type, bits)						\
	int (*atomic##bits##_##name)(volatile type *p, type *expected, type value, int order, int failed);
#define FAMILY(type, bits)							\
	type (*atomic##bits##_load)(const volatile type *p, int order);		\
	void (*atomic##bits##_store)(volatile type *p, type value, int order);	\
	KC_TSAN_RMWS(RMW, type, bits)						\
	KC_TSAN_CMPXCHGS(CMPXCHG, type, bits)
	KC_TSAN_ATOMICS(FAMILY)
#undef FAMILY
#undef CMPXCHG
#undef RMW
	void (*read_range)(void *p, unsigned long size);
	void (*write_range)(void *p, unsigned long size);
	void (*func_entry)(void *pc);
	void (*func_exit)(void);
	/* The program's own. */
	void (*fence)(int order);
	struct kc_own *(*own)(void);
	void (*section)(const volatile void *p, int begins);
	void (*pause)(void);
	void (*looks_away)(int begins);
};

#endif
