/* SPDX-License-Identifier: GPL-2.0-only */
/* Annotations and marked accesses. Source: include/linux/compiler*.h of Linux 6.12, as documented. */
#ifndef _LINUX_COMPILER_H
#define _LINUX_COMPILER_H

/* inert: annotations for sparse and KCSAN and for code placement; no effect on what C computes */
#define __user
#define __iomem
#define __percpu
#define __rcu
#define __force
#define __nocast
#define __bitwise
#define __private
#define __safe
#define __must_hold(...)
#define __must_hold_shared(...)
#define __must_not_hold(...)
#define __acquires(...)
#define __acquires_shared(...)
#define __cond_acquires(...)
#define __cond_acquires_shared(...)
#define __releases(...)
#define __releases_shared(...)
#define __cond_releases(...)
#define __guarded_by(...)
#define __pt_guarded_by(...)
#define __no_context_analysis
#define __acquire(lock) ((void)0)
#define __acquire_shared(lock) ((void)0)
#define __release(lock) ((void)0)
#define __release_shared(lock) ((void)0)
#define __assume_ctx_lock(lock) do { (void)(lock); } while (0)
#define context_unsafe(...) ({ __VA_ARGS__; })
#define __cond_lock(lock, condition) (condition)
#define __randomize_layout
#define __no_randomize_layout
#define __init
#define __exit
#define __initdata
#define __ref
#define __read_mostly
#define __ro_after_init
#define __cold
#define __hot
#define notrace
#define __no_kcsan
#define __no_sanitize_memory
#define __no_sanitize_address
#define __printf(a, b)
#define __counted_by(member)
#define __cacheline_aligned
#define ____cacheline_aligned
#define ____cacheline_aligned_in_smp
#define ____cacheline_internodealigned_in_smp
#define __section(name)
#define __nonstring
#define EXPORT_SYMBOL(name)
#define EXPORT_SYMBOL_GPL(name)
#define ASSERT_EXCLUSIVE_WRITER(variable) ((void)0)
#define ASSERT_EXCLUSIVE_ACCESS(variable) ((void)0)

/* exact: the attributes of the same names */
#define __must_check __attribute__((__warn_unused_result__))
#define __maybe_unused __attribute__((__unused__))
#define __always_unused __attribute__((__unused__))
#define __pure __attribute__((__pure__))
#define __attribute_const__ __attribute__((__const__))
#define __packed __attribute__((__packed__))
#define __aligned(x) __attribute__((__aligned__(x)))
#define __cleanup(function) __attribute__((__cleanup__(function)))
#define fallthrough __attribute__((__fallthrough__))

/* exact: inlining and branch hints as the kernel's */
#define noinline __attribute__((__noinline__))
#define noinline_for_stack noinline
#ifdef KC_UNOPTIMISED	/* one copy of a function, not one a caller: less to compile, fewer branches to count */
#define __always_inline inline
#else
#define __always_inline inline __attribute__((__always_inline__))
#endif
#define __flatten __attribute__((__flatten__))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* exact: the compiler moves no access over it */
#define barrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* exact: one access of the whole word, not merged or repeated (memory-barriers.txt) */
#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value) do { *(volatile typeof(x) *)&(x) = (value); } while (0)

/* exact: the value; where operations run as threads, what races in it is no finding, as with KCSAN */
#if defined(KC_THREADS) || defined(KC_STRESS)
void kc_looks_away(int begins);
#define data_race(expression) ({							\
	typeof(({ expression; })) kc_value_;						\
	kc_looks_away(1);								\
	kc_value_ = (expression);							\
	kc_looks_away(0);								\
	kc_value_;									\
})
#else
#define data_race(expression) (expression)
#endif

/* exact: the value, of which the optimiser knows nothing from here on */
#define OPTIMIZER_HIDE_VAR(variable) ((void)({								\
	volatile typeof(variable) kc_hidden_ = (variable);					\
	(variable) = kc_hidden_;								\
}))
#define RELOC_HIDE(p, offset) ((typeof(p))((unsigned long)(p) + (offset)))
#define absolute_pointer(value) ((void *)(unsigned long)(value))
#define barrier_data(p) barrier()

/* exact: compile-time questions */
#define __same_type(a, b) __builtin_types_compatible_p(typeof(a), typeof(b))
#define statically_true(x) (__builtin_constant_p(x) && (x))

#endif
