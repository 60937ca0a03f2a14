/* SPDX-License-Identifier: GPL-2.0-only */
/* The task that runs. Source: include/asm-generic/current.h of Linux 6.12. */
#ifndef _ASM_CURRENT_H
#define _ASM_CURRENT_H

#include <kconform/record.h>

struct task_struct;

/* recording: the task that a contract gives (`kc_task`); where it gives none, the call ends there */
static inline struct task_struct *get_current(void)
{
	if (!kc_task) {
		static const struct kc_site site = {
			KC_BUG, "current", "current, a task that the world does not have",
			"include/linux/sched.h", 0, "get_current" };

		kc_warned(&site);
		if (kc_record.stop)
			kc_record.stop(KC_STOP_SHIM, &site);
	}
	return kc_task;
}
#define current get_current()

#endif
