/* SPDX-License-Identifier: GPL-2.0-only */
/* Annotations and marked accesses. Source: include/linux/compiler*.h of Linux 6.12, as documented. */
#ifndef _LINUX_COMPILER_H
#define _LINUX_COMPILER_H

/* inert: annotations for sparse and for code placement; no effect on what C computes */
#define __user
#define __iomem
#define __percpu
#define __rcu
#define __force
#define __bitwise
#define __must_check __attribute__((__warn_unused_result__))
#define __maybe_unused __attribute__((__unused__))
#define __always_unused __attribute__((__unused__))
#define __randomize_layout
#define __init
#define __exit
#define __read_mostly
#define __cold
#define __pure __attribute__((__pure__))
#define __packed __attribute__((__packed__))
#define __aligned(x) __attribute__((__aligned__(x)))
#define __printf(a, b)
#define __counted_by(member)
#define fallthrough __attribute__((__fallthrough__))
#define noinline __attribute__((__noinline__))

/* exact: inlining and branch hints as the kernel's */
#define __always_inline inline __attribute__((__always_inline__))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define barrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* exact: one access of the whole word, not merged or repeated (memory-barriers.txt) */
#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value) do { *(volatile typeof(x) *)&(x) = (value); } while (0)

/* exact: the value; that KCSAN looks away has no meaning here */
#define data_race(expression) (expression)

#endif
