/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * WARN and BUG. Source: include/asm-generic/bug.h of Linux 6.12. They record and
 * go on; _ONCE fires every time, since each trace starts anew.
 */
#ifndef _LINUX_BUG_H
#define _LINUX_BUG_H

#include <kconform/record.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>

/* recording: the value is the condition's, as the kernel's */
#define WARN_ON(condition) KC_WARN_IF(KC_WARN, "WARN_ON", #condition, condition)
#define WARN_ON_ONCE(condition) KC_WARN_IF(KC_WARN, "WARN_ON_ONCE", #condition, condition)
#define WARN(condition, ...) KC_WARN_IF(KC_WARN, "WARN", #condition, condition)
#define WARN_ONCE(condition, ...) KC_WARN_IF(KC_WARN, "WARN_ONCE", #condition, condition)
/* recording: the kernel would stop; here the record is a warning of kind BUG and the code goes on */
#define BUG_ON(condition) ((void)KC_WARN_IF(KC_BUG, "BUG_ON", #condition, condition))
#define BUG() ((void)KC_WARN_IF(KC_BUG, "BUG", "", 1))

#endif
