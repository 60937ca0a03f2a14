/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * WARN and BUG. Source: include/asm-generic/bug.h of Linux 6.12. They never print
 * and never abort; _ONCE fires every time, since each trace starts anew.
 */
#ifndef _LINUX_BUG_H
#define _LINUX_BUG_H

#include <kconform/record.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>

/* recording: the value is the condition's; what would be printed is evaluated, as the kernel does */
#define WARN_ON(condition) KC_WARN_IF(KC_WARN, "WARN_ON", #condition, condition)
#define WARN_ON_ONCE(condition) KC_WARN_IF(KC_WARN, "WARN_ON_ONCE", #condition, condition)
#define WARN_ON_SMP(condition) KC_WARN_IF(KC_WARN, "WARN_ON_SMP", #condition, condition)
#define WARN(condition, ...) KC_WARN_IF(KC_WARN, "WARN", #condition, condition, __VA_ARGS__)
#define WARN_ONCE(condition, ...) \
	KC_WARN_IF(KC_WARN, "WARN_ONCE", #condition, condition, __VA_ARGS__)
#define WARN_TAINT(condition, ...) \
	KC_WARN_IF(KC_WARN, "WARN_TAINT", #condition, condition, __VA_ARGS__)
#define WARN_TAINT_ONCE(condition, ...) \
	KC_WARN_IF(KC_WARN, "WARN_TAINT_ONCE", #condition, condition, __VA_ARGS__)

/* recording: the kernel would stop here; the code goes on, so what it would spoil is seen too */
#define BUG_ON(condition) ((void)KC_WARN_IF(KC_BUG, "BUG_ON", #condition, condition))
#define BUG() ((void)KC_WARN_IF(KC_BUG, "BUG", "", 1))

#endif
