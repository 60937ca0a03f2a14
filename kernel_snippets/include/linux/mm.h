/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sizes and counts of a folio. Source: include/linux/mm.h of Linux 6.12;
 * folio_large_order and folio_large_nr_pages as in 6.15.
 */
#ifndef _LINUX_MM_H
#define _LINUX_MM_H

#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mmdebug.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>

/* exact: order and pages; the count is kept in the second page on 64 bit */
static inline unsigned int folio_large_order(const struct folio *folio)
{
	return folio->_flags_1 & 0xff;
}
static inline long folio_large_nr_pages(const struct folio *folio)
{
#ifdef CONFIG_64BIT
	return folio->_nr_pages;
#else
	return 1L << folio_large_order(folio);
#endif
}
static inline unsigned int folio_order(const struct folio *folio)
{
	return folio_test_large(folio) ? folio_large_order(folio) : 0;
}
static inline long folio_nr_pages(const struct folio *folio)
{
	return folio_test_large(folio) ? folio_large_nr_pages(folio) : 1;
}
static inline size_t folio_size(const struct folio *folio)
{
	return PAGE_SIZE << folio_order(folio);
}

/* exact: mapcounts start at -1; a typed page has none */
static inline int folio_entire_mapcount(const struct folio *folio)
{
	VM_BUG_ON_FOLIO(!folio_test_large(folio), folio);
	return atomic_read(&folio->_entire_mapcount) + 1;
}
static inline int folio_large_mapcount(const struct folio *folio)
{
	VM_WARN_ON_FOLIO(!folio_test_large(folio), folio);
	return atomic_read(&folio->_large_mapcount) + 1;
}
static inline int folio_mapcount(const struct folio *folio)
{
	int mapcount;

	if (folio_test_large(folio))
		return folio_large_mapcount(folio);
	mapcount = atomic_read(&folio->_mapcount) + 1;
	return page_mapcount_is_type(mapcount) ? 0 : mapcount;
}
static inline bool folio_mapped(const struct folio *folio)
{
	return folio_mapcount(folio) >= 1;
}
/* exact: for a page of any folio, the folio's answer */
static inline bool page_mapped(const struct page *page)
{
	return folio_mapped(page_folio(page));
}

#endif
