/* SPDX-License-Identifier: GPL-2.0-only */
/* Processors. Source: include/linux/smp.h of Linux 6.12; a world has one, whose number is 0. */
#ifndef _LINUX_SMP_H
#define _LINUX_SMP_H

#include <linux/preempt.h>

/* exact: the number of the only processor */
#define smp_processor_id() 0
#define raw_smp_processor_id() 0
#define __smp_processor_id() 0
#define get_cpu() ({ preempt_disable(); 0; })
#define put_cpu() preempt_enable()

#endif
