/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page flags and types. Source: include/linux/page-flags.h of Linux 6.12 (bit
 * numbers of a 64-bit build without optional flags; page types in the top byte).
 */
#ifndef _LINUX_PAGE_FLAGS_H
#define _LINUX_PAGE_FLAGS_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/mm_types.h>
#include <linux/mmdebug.h>

enum pageflags {
	PG_locked,
	PG_writeback,
	PG_referenced,
	PG_uptodate,
	PG_dirty,
	PG_lru,
	PG_head,
	PG_waiters,
	PG_active,
	PG_workingset,
	PG_owner_priv_1,
	PG_owner_2,
	PG_arch_1,
	PG_reserved,
	PG_private,
	PG_private_2,
	PG_reclaim,
	PG_swapbacked,
	PG_unevictable,
	PG_mlocked,
};

enum pagetype {
	PGTY_buddy = 0xf0,
	PGTY_offline = 0xf1,
	PGTY_table = 0xf2,
	PGTY_guard = 0xf3,
	PGTY_hugetlb = 0xf4,
	PGTY_slab = 0xf5,
};

/* exact */
static __always_inline bool folio_test_head(const struct folio *folio)
{
	return test_bit(PG_head, &folio->flags);
}
static inline bool folio_test_large(const struct folio *folio)
{
	return folio_test_head(folio);
}
static __always_inline bool folio_test_hugetlb(const struct folio *folio)
{
	return folio->page.page_type >> 24 == PGTY_hugetlb;
}
static __always_inline bool folio_test_locked(const struct folio *folio)
{
	return test_bit(PG_locked, &folio->flags);
}

#endif
