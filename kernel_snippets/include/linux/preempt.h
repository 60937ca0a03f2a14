/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/preempt.h of Linux 6.12, without CONFIG_PREEMPT_COUNT. */
#ifndef _LINUX_PREEMPT_H
#define _LINUX_PREEMPT_H

#include <linux/compiler.h>

/* exact: without CONFIG_PREEMPT_COUNT these are compiler barriers */
#define preempt_disable() barrier()
#define preempt_enable() barrier()
#define preempt_disable_notrace() barrier()
#define preempt_enable_notrace() barrier()
#define preempt_enable_no_resched() barrier()
#define preempt_check_resched() barrier()
#define migrate_disable() barrier()
#define migrate_enable() barrier()

/* exact: an operation runs as a task does, in no interrupt, and nothing disables preemption */
#define preempt_count() 0
#define preemptible() 1
#define in_interrupt() 0
#define in_hardirq() 0
#define in_serving_softirq() 0
#define in_softirq() 0
#define in_nmi() 0
#define in_task() 1
#define in_atomic() 0

#endif
