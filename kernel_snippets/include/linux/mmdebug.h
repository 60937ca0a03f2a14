/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VM_WARN and VM_BUG. Source: include/linux/mmdebug.h of Linux 6.12: with
 * CONFIG_DEBUG_VM they warn, without it the condition is only compiled.
 */
#ifndef _LINUX_MMDEBUG_H
#define _LINUX_MMDEBUG_H

#include <linux/bug.h>

#ifdef CONFIG_DEBUG_VM
/* recording: the value is the condition's */
#define VM_WARN_ON(condition) ((void)KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON", #condition, condition))
#define VM_WARN_ON_ONCE(condition) KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON_ONCE", #condition, condition)
#define VM_WARN_ONCE(condition, ...) \
	((void)KC_WARN_IF(KC_VM_WARN, "VM_WARN_ONCE", #condition, condition))
#define VM_WARN(condition, ...) ((void)KC_WARN_IF(KC_VM_WARN, "VM_WARN", #condition, condition))
#define VM_WARN_ON_FOLIO(condition, folio) \
	KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON_FOLIO", #condition, condition)
#define VM_WARN_ON_ONCE_FOLIO(condition, folio) \
	KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON_ONCE_FOLIO", #condition, condition)
#define VM_WARN_ON_ONCE_PAGE(condition, page) \
	KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON_ONCE_PAGE", #condition, condition)
#define VM_WARN_ON_ONCE_MM(condition, mm) \
	KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON_ONCE_MM", #condition, condition)
#define VM_BUG_ON(condition) ((void)KC_WARN_IF(KC_VM_BUG, "VM_BUG_ON", #condition, condition))
#define VM_BUG_ON_PAGE(condition, page) \
	((void)KC_WARN_IF(KC_VM_BUG, "VM_BUG_ON_PAGE", #condition, condition))
#define VM_BUG_ON_FOLIO(condition, folio) \
	((void)KC_WARN_IF(KC_VM_BUG, "VM_BUG_ON_FOLIO", #condition, condition))
#define VM_BUG_ON_VMA(condition, vma) \
	((void)KC_WARN_IF(KC_VM_BUG, "VM_BUG_ON_VMA", #condition, condition))
#define VM_BUG_ON_MM(condition, mm) \
	((void)KC_WARN_IF(KC_VM_BUG, "VM_BUG_ON_MM", #condition, condition))
#else
/* exact: compiled, never evaluated; those with a value give false */
#define VM_WARN_ON(condition) BUILD_BUG_ON_INVALID(condition)
#define VM_WARN_ON_ONCE(condition) ({ BUILD_BUG_ON_INVALID(condition); false; })
#define VM_WARN_ONCE(condition, ...) BUILD_BUG_ON_INVALID(condition)
#define VM_WARN(condition, ...) BUILD_BUG_ON_INVALID(condition)
#define VM_WARN_ON_FOLIO(condition, folio) ({ BUILD_BUG_ON_INVALID(condition); false; })
#define VM_WARN_ON_ONCE_FOLIO(condition, folio) ({ BUILD_BUG_ON_INVALID(condition); false; })
#define VM_WARN_ON_ONCE_PAGE(condition, page) ({ BUILD_BUG_ON_INVALID(condition); false; })
#define VM_WARN_ON_ONCE_MM(condition, mm) ({ BUILD_BUG_ON_INVALID(condition); false; })
#define VM_BUG_ON(condition) BUILD_BUG_ON_INVALID(condition)
#define VM_BUG_ON_PAGE(condition, page) VM_BUG_ON(condition)
#define VM_BUG_ON_FOLIO(condition, folio) VM_BUG_ON(condition)
#define VM_BUG_ON_VMA(condition, vma) VM_BUG_ON(condition)
#define VM_BUG_ON_MM(condition, mm) VM_BUG_ON(condition)
#endif

#endif
