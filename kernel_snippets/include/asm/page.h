/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: arch/x86/include/asm/page_types.h of Linux 6.12. */
#ifndef _ASM_PAGE_H
#define _ASM_PAGE_H

/* exact: pages of 4 KiB, as on x86 */
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

#endif
