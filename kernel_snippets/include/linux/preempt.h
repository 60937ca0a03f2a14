/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/preempt.h of Linux 6.12, without CONFIG_PREEMPT_COUNT. */
#ifndef _LINUX_PREEMPT_H
#define _LINUX_PREEMPT_H

#include <linux/compiler.h>

/* exact: without CONFIG_PREEMPT_COUNT these are compiler barriers */
#define preempt_disable() barrier()
#define preempt_enable() barrier()

#endif
