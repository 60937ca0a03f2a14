/* SPDX-License-Identifier: GPL-2.0-only */
/* Reference counts of pages and folios. Source: include/linux/page_ref.h of Linux 6.12. */
#ifndef _LINUX_PAGE_REF_H
#define _LINUX_PAGE_REF_H

#include <linux/atomic.h>
#include <linux/page-flags.h>

/* inert: tracepoints are never on */
#define page_ref_tracepoint_active(tracepoint) false

/* exact: reads and plain writes */
static inline int page_ref_count(const struct page *page)
{
	return atomic_read(&page->_refcount);
}
static inline int folio_ref_count(const struct folio *folio)
{
	return page_ref_count(&folio->page);
}
static inline int page_count(const struct page *page)
{
	return folio_ref_count(page_folio(page));
}
static inline void set_page_count(struct page *page, int count)
{
	atomic_set(&page->_refcount, count);
}
static inline void folio_set_count(struct folio *folio, int count)
{
	set_page_count(&folio->page, count);
}
/* exact: an unfrozen folio is seen with what was written before */
static inline void folio_ref_unfreeze(struct folio *folio, int count)
{
	VM_BUG_ON_PAGE(folio_ref_count(folio) != 0, &folio->page);
	VM_BUG_ON(count == 0);
	atomic_set_release(&folio->_refcount, count);
}

/* recording: by their atomic */
static inline void folio_ref_add(struct folio *folio, int nr)
{
	atomic_add(nr, &folio->_refcount);
}
static inline void folio_ref_sub(struct folio *folio, int nr)
{
	atomic_sub(nr, &folio->_refcount);
}
static inline void folio_ref_inc(struct folio *folio)
{
	atomic_inc(&folio->_refcount);
}
static inline void folio_ref_dec(struct folio *folio)
{
	atomic_dec(&folio->_refcount);
}
static inline int folio_ref_sub_and_test(struct folio *folio, int nr)
{
	return atomic_sub_and_test(nr, &folio->_refcount);
}
static inline int folio_ref_dec_and_test(struct folio *folio)
{
	return atomic_dec_and_test(&folio->_refcount);
}
static inline bool folio_ref_add_unless(struct folio *folio, int nr, int unless)
{
	return atomic_add_unless(&folio->_refcount, nr, unless);
}
static inline bool folio_try_get(struct folio *folio)
{
	return folio_ref_add_unless(folio, 1, 0);
}
static inline int folio_ref_freeze(struct folio *folio, int count)
{
	return atomic_cmpxchg(&folio->_refcount, count, 0) == count;
}

#endif
