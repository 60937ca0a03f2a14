/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page flags and types. Source: include/linux/page-flags.h of Linux 6.12 (bit
 * numbers of a 64-bit build without optional flags; page types in the top byte).
 */
#ifndef _LINUX_PAGE_FLAGS_H
#define _LINUX_PAGE_FLAGS_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/mm_types.h>
#include <linux/mmdebug.h>
#include <generated/bounds.h>

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
	__NR_PAGEFLAGS,

	PG_readahead = PG_reclaim,
	PG_anon_exclusive = PG_owner_2,
	PG_swapcache = PG_owner_priv_1,
	PG_checked = PG_owner_priv_1,
	PG_has_hwpoisoned = PG_active,
	PG_large_rmappable = PG_workingset,
	PG_partially_mapped = PG_reclaim,
};

enum pagetype {
	PGTY_buddy = 0xf0,
	PGTY_offline = 0xf1,
	PGTY_table = 0xf2,
	PGTY_guard = 0xf3,
	PGTY_hugetlb = 0xf4,
	PGTY_slab = 0xf5,
	PGTY_zsmalloc = 0xf6,
	PGTY_unaccepted = 0xf7,
	PGTY_mapcount_underflow = 0xff,
};

#define PAGE_FLAGS_PRIVATE (1UL << PG_private | 1UL << PG_private_2)
#define PAGE_MAPPING_ANON 0x1UL
#define PAGE_MAPPING_MOVABLE 0x2UL
#define PAGE_MAPPING_FLAGS (PAGE_MAPPING_ANON | PAGE_MAPPING_MOVABLE)
#define FOLIO_PF_ANY 0
#define FOLIO_PF_HEAD 0
#define FOLIO_PF_NO_TAIL 0
#define FOLIO_PF_ONLY_HEAD 0
#define FOLIO_PF_NO_COMPOUND 0
#define FOLIO_PF_SECOND 1

/* exact: the flags word of page n of a folio */
static inline unsigned long *folio_flags(struct folio *folio, unsigned int n)
{
	struct page *page = (struct page *)folio;

	VM_BUG_ON_PGFLAGS(page->compound_head & 1, page);
	VM_BUG_ON_PGFLAGS(n > 0 && !test_bit(PG_head, &page->flags), page);
	return &page[n].flags;
}
static inline const unsigned long *const_folio_flags(const struct folio *folio, unsigned int n)
{
	return folio_flags((struct folio *)folio, n);
}

/* Tests, plain and atomic changes of one flag, in page n of a folio. */
#define KC_FOLIO_FLAG(name, bit, n)								\
static __always_inline bool folio_test_##name(const struct folio *folio)			\
{												\
	return test_bit(bit, const_folio_flags(folio, n));					\
}												\
static __always_inline void folio_set_##name(struct folio *folio)				\
{												\
	set_bit(bit, folio_flags(folio, n));							\
}												\
static __always_inline void folio_clear_##name(struct folio *folio)				\
{												\
	clear_bit(bit, folio_flags(folio, n));							\
}												\
static __always_inline void __folio_set_##name(struct folio *folio)				\
{												\
	__set_bit(bit, folio_flags(folio, n));							\
}												\
static __always_inline void __folio_clear_##name(struct folio *folio)				\
{												\
	__clear_bit(bit, folio_flags(folio, n));						\
}												\
static __always_inline bool folio_test_set_##name(struct folio *folio)				\
{												\
	return test_and_set_bit(bit, folio_flags(folio, n));					\
}												\
static __always_inline bool folio_test_clear_##name(struct folio *folio)			\
{												\
	return test_and_clear_bit(bit, folio_flags(folio, n));					\
}

/*
 * recording: the atomic ones, by their bitop; the tests and the plain ones are exact.
 * Each flag has all seven; the kernel leaves out those that nobody needs.
 */
KC_FOLIO_FLAG(head, PG_head, FOLIO_PF_ANY)
KC_FOLIO_FLAG(locked, PG_locked, FOLIO_PF_NO_TAIL)
KC_FOLIO_FLAG(waiters, PG_waiters, FOLIO_PF_ONLY_HEAD)
KC_FOLIO_FLAG(referenced, PG_referenced, FOLIO_PF_HEAD)
KC_FOLIO_FLAG(dirty, PG_dirty, FOLIO_PF_HEAD)
KC_FOLIO_FLAG(lru, PG_lru, FOLIO_PF_HEAD)
KC_FOLIO_FLAG(active, PG_active, FOLIO_PF_HEAD)
KC_FOLIO_FLAG(workingset, PG_workingset, FOLIO_PF_HEAD)
KC_FOLIO_FLAG(checked, PG_checked, FOLIO_PF_NO_COMPOUND)
KC_FOLIO_FLAG(reserved, PG_reserved, FOLIO_PF_NO_COMPOUND)
KC_FOLIO_FLAG(swapbacked, PG_swapbacked, FOLIO_PF_NO_TAIL)
KC_FOLIO_FLAG(private, PG_private, FOLIO_PF_ANY)
KC_FOLIO_FLAG(private_2, PG_private_2, FOLIO_PF_ANY)
KC_FOLIO_FLAG(writeback, PG_writeback, FOLIO_PF_NO_TAIL)
KC_FOLIO_FLAG(reclaim, PG_reclaim, FOLIO_PF_NO_TAIL)
KC_FOLIO_FLAG(readahead, PG_readahead, FOLIO_PF_NO_COMPOUND)
KC_FOLIO_FLAG(unevictable, PG_unevictable, FOLIO_PF_HEAD)
KC_FOLIO_FLAG(mlocked, PG_mlocked, FOLIO_PF_NO_TAIL)
KC_FOLIO_FLAG(large_rmappable, PG_large_rmappable, FOLIO_PF_SECOND)
KC_FOLIO_FLAG(partially_mapped, PG_partially_mapped, FOLIO_PF_SECOND)

/* exact: the flag, then a read barrier; a write barrier, then the flag */
static __always_inline bool folio_test_uptodate(const struct folio *folio)
{
	bool set = test_bit(PG_uptodate, const_folio_flags(folio, 0));

	if (set)
		smp_rmb();
	return set;
}
static __always_inline void __folio_mark_uptodate(struct folio *folio)
{
	smp_wmb();
	__set_bit(PG_uptodate, folio_flags(folio, 0));
}
/* recording: by set_bit */
static __always_inline void folio_mark_uptodate(struct folio *folio)
{
	smp_wmb();
	set_bit(PG_uptodate, folio_flags(folio, 0));
}

/* exact: without the vmemmap optimisation of hugetlb, so no fake heads */
static __always_inline int PageTail(const struct page *page)
{
	return READ_ONCE(page->compound_head) & 1;
}
static __always_inline int PageHead(const struct page *page)
{
	return test_bit(PG_head, &page->flags);
}
static __always_inline int PageCompound(const struct page *page)
{
	return test_bit(PG_head, &page->flags) || PageTail(page);
}
static __always_inline void set_compound_head(struct page *page, struct page *head)
{
	WRITE_ONCE(page->compound_head, (unsigned long)head + 1);
}
static __always_inline void clear_compound_head(struct page *page)
{
	WRITE_ONCE(page->compound_head, 0);
}
static __always_inline unsigned long kc_compound_head(const struct page *page)
{
	unsigned long head = READ_ONCE(page->compound_head);

	return head & 1 ? head - 1 : (unsigned long)page;
}
#define compound_head(page) ((typeof(page))kc_compound_head(page))
#define page_folio(p) (_Generic((p),								\
	const struct page *: (const struct folio *)kc_compound_head(p),				\
	struct page *: (struct folio *)kc_compound_head(p)))
/* From the folio, not from its first page: gcc knows where that ends. */
#define folio_page(folio, n) ((struct page *)(folio) + (n))

/* exact: more than one page */
static inline bool folio_test_large(const struct folio *folio)
{
	return folio_test_head(folio);
}

/* exact: what the low bits of mapping say */
static __always_inline bool folio_test_anon(const struct folio *folio)
{
	return ((unsigned long)folio->mapping & PAGE_MAPPING_ANON) != 0;
}
static __always_inline bool folio_test_swapcache(const struct folio *folio)
{
	return folio_test_swapbacked(folio) &&
	       test_bit(PG_swapcache, const_folio_flags(folio, 0));
}
static inline int folio_has_private(const struct folio *folio)
{
	return !!(folio->flags & PAGE_FLAGS_PRIVATE);
}

/* exact: a page has a type or a mapcount, in one word; types are the negative ones below 0xff000000 */
static inline bool page_type_has_type(int page_type)
{
	return page_type < (int)((unsigned int)PGTY_mapcount_underflow << 24);
}
static inline bool page_mapcount_is_type(unsigned int mapcount)
{
	return page_type_has_type(mapcount - 1);
}
static inline bool page_has_type(const struct page *page)
{
	return page_type_has_type(data_race(page->page_type));
}

#define KC_FOLIO_TYPE(name)									\
static __always_inline bool folio_test_##name(const struct folio *folio)			\
{												\
	return data_race(folio->page.page_type >> 24) == PGTY_##name;				\
}												\
static __always_inline void __folio_set_##name(struct folio *folio)				\
{												\
	if (folio_test_##name(folio))								\
		return;										\
	VM_BUG_ON_FOLIO(folio->page.page_type != UINT_MAX, folio);				\
	folio->page.page_type = (unsigned int)PGTY_##name << 24;				\
}												\
static __always_inline void __folio_clear_##name(struct folio *folio)				\
{												\
	if (folio->page.page_type == UINT_MAX)							\
		return;										\
	VM_BUG_ON_FOLIO(!folio_test_##name(folio), folio);					\
	folio->page.page_type = UINT_MAX;							\
}
/* exact: a folio with a type has no mapcount of its first page */
KC_FOLIO_TYPE(hugetlb)
KC_FOLIO_TYPE(slab)

#endif
