/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VM_WARN and VM_BUG. Source: include/linux/mmdebug.h of Linux 6.12: with
 * CONFIG_DEBUG_VM they warn, without it the condition is only compiled.
 * VM_WARN_ON and VM_WARN_ON_ONCE have a value here, which in 6.12 they have not:
 * code that uses it does not compile there, and means what it says here.
 */
#ifndef _LINUX_MMDEBUG_H
#define _LINUX_MMDEBUG_H

#include <linux/bug.h>

struct folio;
struct mm_struct;
struct page;
struct vm_area_struct;

#define KC_VM_UNUSED(condition) ({ BUILD_BUG_ON_INVALID(condition); (_Bool)0; })

#ifdef CONFIG_DEBUG_VM
/* recording: the value is the condition's; an object that would be dumped is evaluated */
#define VM_WARN_ON(condition) KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON", #condition, condition)
#define VM_WARN_ON_ONCE(condition) KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON_ONCE", #condition, condition)
#define VM_WARN(condition, ...) \
	KC_WARN_IF(KC_VM_WARN, "VM_WARN", #condition, condition, __VA_ARGS__)
#define VM_WARN_ONCE(condition, ...) \
	KC_WARN_IF(KC_VM_WARN, "VM_WARN_ONCE", #condition, condition, __VA_ARGS__)
#define VM_WARN_ON_PAGE(condition, page) \
	KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON_PAGE", #condition, condition, page)
#define VM_WARN_ON_ONCE_PAGE(condition, page) \
	KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON_ONCE_PAGE", #condition, condition, page)
#define VM_WARN_ON_FOLIO(condition, folio) \
	KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON_FOLIO", #condition, condition, folio)
#define VM_WARN_ON_ONCE_FOLIO(condition, folio) \
	KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON_ONCE_FOLIO", #condition, condition, folio)
#define VM_WARN_ON_ONCE_MM(condition, mm) \
	KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON_ONCE_MM", #condition, condition, mm)
#define VM_WARN_ON_ONCE_VMA(condition, vma) \
	KC_WARN_IF(KC_VM_WARN, "VM_WARN_ON_ONCE_VMA", #condition, condition, vma)
/* recording: as BUG_ON, the code goes on */
#define VM_BUG_ON(condition) ((void)KC_WARN_IF(KC_VM_BUG, "VM_BUG_ON", #condition, condition))
#define VM_BUG_ON_PAGE(condition, page) \
	((void)KC_WARN_IF(KC_VM_BUG, "VM_BUG_ON_PAGE", #condition, condition, page))
#define VM_BUG_ON_FOLIO(condition, folio) \
	((void)KC_WARN_IF(KC_VM_BUG, "VM_BUG_ON_FOLIO", #condition, condition, folio))
#define VM_BUG_ON_VMA(condition, vma) \
	((void)KC_WARN_IF(KC_VM_BUG, "VM_BUG_ON_VMA", #condition, condition, vma))
#define VM_BUG_ON_MM(condition, mm) \
	((void)KC_WARN_IF(KC_VM_BUG, "VM_BUG_ON_MM", #condition, condition, mm))
#else
/* exact: compiled, never evaluated; those with a value give false */
#define VM_WARN_ON(condition) KC_VM_UNUSED(condition)
#define VM_WARN_ON_ONCE(condition) KC_VM_UNUSED(condition)
#define VM_WARN(condition, ...) KC_VM_UNUSED(condition)
#define VM_WARN_ONCE(condition, ...) KC_VM_UNUSED(condition)
#define VM_WARN_ON_PAGE(condition, page) KC_VM_UNUSED(condition)
#define VM_WARN_ON_ONCE_PAGE(condition, page) KC_VM_UNUSED(condition)
#define VM_WARN_ON_FOLIO(condition, folio) KC_VM_UNUSED(condition)
#define VM_WARN_ON_ONCE_FOLIO(condition, folio) KC_VM_UNUSED(condition)
#define VM_WARN_ON_ONCE_MM(condition, mm) KC_VM_UNUSED(condition)
#define VM_WARN_ON_ONCE_VMA(condition, vma) KC_VM_UNUSED(condition)
#define VM_BUG_ON(condition) BUILD_BUG_ON_INVALID(condition)
#define VM_BUG_ON_PAGE(condition, page) VM_BUG_ON(condition)
#define VM_BUG_ON_FOLIO(condition, folio) VM_BUG_ON(condition)
#define VM_BUG_ON_VMA(condition, vma) VM_BUG_ON(condition)
#define VM_BUG_ON_MM(condition, mm) VM_BUG_ON(condition)
#endif

/* recording: with CONFIG_DEBUG_VM_PGFLAGS; exact: without it compiled, never evaluated */
#ifdef CONFIG_DEBUG_VM_PGFLAGS
#define VM_BUG_ON_PGFLAGS(condition, page) VM_BUG_ON_PAGE(condition, page)
#else
#define VM_BUG_ON_PGFLAGS(condition, page) BUILD_BUG_ON_INVALID(condition)
#endif

/* inert: there are no interrupts */
#define VM_WARN_ON_IRQS_ENABLED() ((void)0)

#endif
