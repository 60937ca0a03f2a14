/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Base records, 64 bit: order, size and overlays of struct page and struct folio as
 * in Linux 6.11-rc5 with the first patches of the MM owner tracking series (the
 * _usable_1 union of the second page); struct mm_struct and vm_area_struct are cut
 * to what slices touch. Fields that a patch adds are merged after the field that
 * its context shows.
 */
#ifndef _LINUX_MM_TYPES_H
#define _LINUX_MM_TYPES_H

#include <linux/build_bug.h>
#include <linux/types.h>

struct address_space;
struct anon_vma;
struct mem_cgroup;

/* exact: 64 bytes */
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
			};
			struct address_space *mapping;
			union {
				pgoff_t index;
				unsigned long share;
			};
			unsigned long private;
		};
		struct {
			unsigned long compound_head;
		};
		struct rcu_head rcu_head;
	};
	union {
		unsigned int page_type;
		atomic_t _mapcount;
	};
	atomic_t _refcount;
	unsigned long memcg_data;
};

/* exact: four pages overlaid */
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
			void *private;
			atomic_t _mapcount;
			atomic_t _refcount;
			unsigned long memcg_data;
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
	union {
		struct {
			unsigned long _flags_3;
			unsigned long _head_3;
			unsigned long _usable_3[4];
		};
		struct page __page_3;
	};
};

static_assert(sizeof(struct page) == 64);
static_assert(sizeof(struct folio) == 256);
static_assert(__builtin_offsetof(struct folio, _mapcount) == __builtin_offsetof(struct page, _mapcount));
static_assert(__builtin_offsetof(struct folio, _refcount) == __builtin_offsetof(struct page, _refcount));
static_assert(__builtin_offsetof(struct folio, _head_1) ==
	      __builtin_offsetof(struct page, compound_head) + sizeof(struct page));

/* exact for the fields shown; the others are left out, so offsets are not the kernel's */
struct mm_struct {
	struct {
		atomic_t mm_count;
		atomic_t mm_users;
		unsigned long flags;
#ifdef CONFIG_LRU_GEN_WALKS_MMU
		struct {
			struct list_head list;
			unsigned long bitmap;
		} lru_gen;
#endif /* CONFIG_LRU_GEN_WALKS_MMU */
	} __randomize_layout;
};

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	struct mm_struct *vm_mm;
	unsigned long vm_flags;
	struct anon_vma *anon_vma;
	unsigned long vm_pgoff;
};

#endif
