/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Base records. Source: order, size and overlays of struct page and struct folio as in
 * mm-unstable of August 2024 (Linux 6.11-rc5 with the first patches of the MM owner
 * tracking series: _nr_pages, and _usable_1 over what precedes it), with CONFIG_MEMCG
 * (or CONFIG_SLAB_OBJ_EXT, which has the same word under another name). What lies
 * behind memcg_data is there only in the configurations that the conditions name, as in
 * the kernel. struct mm_struct and vm_area_struct are cut to what slices touch.
 *
 * Fields that a patch adds are merged after the line that its context shows: each
 * declaration stands on a line of its own, spelled as the kernel spells it.
 */
#ifndef _LINUX_MM_TYPES_H
#define _LINUX_MM_TYPES_H

#include <linux/build_bug.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/types.h>
#include <asm/page.h>

struct address_space;
struct anon_vma;
struct dev_pagemap;
struct mem_cgroup;
struct page_pool;

/* exact: types */
typedef unsigned long vm_flags_t;
typedef struct {
	unsigned long val;
} swp_entry_t;

/* exact: with HAVE_ALIGNED_STRUCT_PAGE, which x86, arm64 and s390 select */
#define _struct_page_alignment	__aligned(2 * sizeof(unsigned long))

/* exact: 64 bytes on 64 bit */
struct page {
	unsigned long flags;
	union {
		struct {
			union {
				struct list_head lru;
				struct {
					void *__filler;
					unsigned int mlock_count;
				};
				struct list_head buddy_list;
				struct list_head pcp_list;
			};
			struct address_space *mapping;
			union {
				pgoff_t index;
				unsigned long share;
			};
			unsigned long private;
		};
		struct {
			unsigned long pp_magic;
			struct page_pool *pp;
			unsigned long _pp_mapping_pad;
			unsigned long dma_addr;
			atomic_long_t pp_ref_count;
		};
		struct {
			unsigned long compound_head;
		};
		struct {
			struct dev_pagemap *pgmap;
			void *zone_device_data;
		};
		struct rcu_head rcu_head;
	};
	union {
		unsigned int page_type;
		atomic_t _mapcount;
	};
	atomic_t _refcount;
	unsigned long memcg_data;
#if defined(WANT_PAGE_VIRTUAL)
	void *virtual;
#endif
#ifdef LAST_CPUPID_NOT_IN_PAGE_FLAGS
	int _last_cpupid;
#endif
#ifdef CONFIG_KMSAN
	struct page *kmsan_shadow;
	struct page *kmsan_origin;
#endif
} _struct_page_alignment;

/* exact: three pages overlaid, 192 bytes on 64 bit */
struct folio {
	union {
		struct {
			unsigned long flags;
			union {
				struct list_head lru;
				struct {
					void *__filler;
					unsigned int mlock_count;
				};
			};
			struct address_space *mapping;
			pgoff_t index;
			union {
				void *private;
				swp_entry_t swap;
			};
			atomic_t _mapcount;
			atomic_t _refcount;
			unsigned long memcg_data;
#if defined(WANT_PAGE_VIRTUAL)
			void *virtual;
#endif
#ifdef LAST_CPUPID_NOT_IN_PAGE_FLAGS
			int _last_cpupid;
#endif
		};
		struct page page;
	};
	union {
		struct {
			unsigned long _flags_1;
			unsigned long _head_1;
			union {
				struct {
					atomic_t _large_mapcount;
					atomic_t _entire_mapcount;
					atomic_t _nr_pages_mapped;
					atomic_t _pincount;
/* 6.15 has these lines around two of the fields; what it adds there is merged after them. */
#ifdef CONFIG_64BIT
#endif /* CONFIG_64BIT */
				};
				unsigned long _usable_1[4];
			};
			atomic_t _mapcount_1;
			atomic_t _refcount_1;
#ifdef CONFIG_64BIT
			unsigned int _nr_pages;
#endif
		};
		struct page __page_1;
	};
	union {
		struct {
			unsigned long _flags_2;
			unsigned long _head_2;
			void *_hugetlb_subpool;
			void *_hugetlb_cgroup;
			void *_hugetlb_cgroup_rsvd;
			void *_hugetlb_hwpoison;
		};
		struct {
			unsigned long _flags_2a;
			unsigned long _head_2a;
			struct list_head _deferred_list;
		};
		struct page __page_2;
	};
};

/*
 * exact: where the two views of a page must agree (FOLIO_MATCH of include/linux/mm_types.h).
 * Builds that are to go on where they do not, which is judged elsewhere, leave them out.
 */
#ifndef KC_NO_LAYOUT_ASSERTS
#define KC_MATCH(page_field, folio_field, nr)							\
	static_assert(offsetof(struct folio, folio_field) ==					\
		      offsetof(struct page, page_field) + (nr) * sizeof(struct page))

KC_MATCH(flags, flags, 0);
KC_MATCH(lru, lru, 0);
KC_MATCH(mapping, mapping, 0);
KC_MATCH(compound_head, lru, 0);
KC_MATCH(index, index, 0);
KC_MATCH(private, private, 0);
KC_MATCH(_mapcount, _mapcount, 0);
KC_MATCH(_refcount, _refcount, 0);
KC_MATCH(memcg_data, memcg_data, 0);
#if defined(WANT_PAGE_VIRTUAL)
KC_MATCH(virtual, virtual, 0);
#endif
#ifdef LAST_CPUPID_NOT_IN_PAGE_FLAGS
KC_MATCH(_last_cpupid, _last_cpupid, 0);
#endif
KC_MATCH(flags, _flags_1, 1);
KC_MATCH(compound_head, _head_1, 1);
KC_MATCH(_mapcount, _mapcount_1, 1);
KC_MATCH(_refcount, _refcount_1, 1);
KC_MATCH(flags, _flags_2, 2);
KC_MATCH(compound_head, _head_2, 2);
KC_MATCH(flags, _flags_2a, 2);
KC_MATCH(compound_head, _head_2a, 2);
#endif

/* exact: the fields shown; the others are left out, so offsets are not the kernel's */
struct mm_struct {
	struct {
		struct {
			atomic_t mm_count;
		};
		atomic_t mm_users;
		int map_count;
		unsigned long flags;
#ifdef CONFIG_LRU_GEN_WALKS_MMU
		struct {
			struct list_head list;
			unsigned long bitmap;
		} lru_gen;
#endif /* CONFIG_LRU_GEN_WALKS_MMU */
	} __randomize_layout;

	unsigned long cpu_bitmap[];
};

/* exact: the fields shown; the others are left out, so offsets are not the kernel's */
struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	struct mm_struct *vm_mm;
	vm_flags_t vm_flags;
	struct anon_vma *anon_vma;
	unsigned long vm_pgoff;
};

#endif
