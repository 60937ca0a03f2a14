/* SPDX-License-Identifier: GPL-2.0-only */
/* The processor. Source: arch/x86/include/asm/{processor,cpufeature,alternative}.h of Linux 6.12. */
#ifndef _ASM_PROCESSOR_H
#define _ASM_PROCESSOR_H

#include <kconform/record.h>
#include <linux/compiler.h>

/* exact: a hint to wait that changes no value; the compiler reads memory anew after it */
#define cpu_relax() do { barrier(); kc_pause(); } while (0)
#define rep_nop() cpu_relax()
#define native_pause() cpu_relax()

/* exact: hints to fetch what is not used as a value */
#define prefetch(p) __builtin_prefetch(p)
#define prefetchw(p) __builtin_prefetch(p, 1)

/* inert: a processor without any optional feature; others do the same in other instructions */
#define static_cpu_has(feature) ((void)(feature), 0)
#define _static_cpu_has(feature) static_cpu_has(feature)
#define boot_cpu_has(feature) static_cpu_has(feature)
#define cpu_feature_enabled(feature) static_cpu_has(feature)
#define cpu_has(cpu, feature) ((void)(cpu), static_cpu_has(feature))

#endif
