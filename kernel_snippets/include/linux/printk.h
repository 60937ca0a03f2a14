/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: Documentation/core-api/printk-basics.rst. */
#ifndef _LINUX_PRINTK_H
#define _LINUX_PRINTK_H

#include <kconform/record.h>

/* inert: the arguments are evaluated, nothing is printed; no code can read what is printed */
#define printk(...) kc_say(0, __VA_ARGS__)
#define pr_emerg(...) printk(__VA_ARGS__)
#define pr_alert(...) printk(__VA_ARGS__)
#define pr_crit(...) printk(__VA_ARGS__)
#define pr_err(...) printk(__VA_ARGS__)
#define pr_warn(...) printk(__VA_ARGS__)
#define pr_notice(...) printk(__VA_ARGS__)
#define pr_info(...) printk(__VA_ARGS__)
#define pr_err_once(...) printk(__VA_ARGS__)
#define pr_warn_once(...) printk(__VA_ARGS__)
#define pr_info_once(...) printk(__VA_ARGS__)
#define pr_warn_ratelimited(...) printk(__VA_ARGS__)

/* exact: without CONFIG_DYNAMIC_DEBUG and DEBUG compiled, never evaluated */
#define pr_debug(...) do { if (0) printk(__VA_ARGS__); } while (0)

#endif
