/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/kernel.h of Linux 6.12. */
#ifndef _LINUX_KERNEL_H
#define _LINUX_KERNEL_H

#include <linux/array_size.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/container_of.h>
#include <linux/kconfig.h>
#include <linux/limits.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/types.h>

/* inert: there is nothing to schedule */
#define might_sleep() ((void)0)
#define might_sleep_if(condition) ((void)(condition))
#define cond_resched() 0

#endif
