/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts of a folio. Source: include/linux/mm.h of Linux 6.12. */
#ifndef _LINUX_MM_H
#define _LINUX_MM_H

#include <linux/page-flags.h>

/* exact, for 64 bit: _nr_pages is kept in the second page */
static inline unsigned int folio_large_nr_pages(const struct folio *folio)
{
	return folio->_nr_pages;
}
static inline long folio_nr_pages(const struct folio *folio)
{
	return folio_test_large(folio) ? folio_large_nr_pages(folio) : 1;
}
static inline int folio_large_mapcount(const struct folio *folio)
{
	VM_WARN_ON_FOLIO(!folio_test_large(folio), folio);
	return atomic_read(&folio->_large_mapcount) + 1;
}
static inline int folio_mapcount(const struct folio *folio)
{
	if (folio_test_large(folio))
		return folio_large_mapcount(folio);
	return atomic_read(&folio->_mapcount) + 1;
}
static inline bool folio_mapped(const struct folio *folio)
{
	return folio_mapcount(folio) >= 1;
}

#endif
