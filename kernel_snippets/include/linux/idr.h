/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ID allocator. Source: Documentation/core-api/idr.rst and the documentation comments
 * of lib/idr.c, Linux 6.12. A bitmap of static storage holds IDs below 2^20; where an
 * allocation would need a higher one it fails with -ENOMEM, as it is allowed to. Its
 * lock is left out, so no read-modify-writes are counted.
 */
#ifndef _LINUX_IDR_H
#define _LINUX_IDR_H

#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/limits.h>
#include <linux/minmax.h>

#define KC_IDA_IDS (1U << 20)
#define KC_IDA_WORDS (KC_IDA_IDS / BITS_PER_LONG)

struct ida {
	unsigned long kc_used[KC_IDA_WORDS];
	unsigned long kc_full[KC_IDA_WORDS / BITS_PER_LONG];	/* words of kc_used without a free ID */
};

#define IDA_INIT(name) { .kc_used = { 0 } }
#define DEFINE_IDA(name) struct ida name = IDA_INIT(name)

/* The lowest free ID from min on, or one that the bitmap does not hold. */
static inline unsigned int kc_ida_lowest(const struct ida *ida, unsigned int min)
{
	unsigned int word = BIT_WORD(min), end = (word + 1) * BITS_PER_LONG, id;

	if (min >= KC_IDA_IDS)
		return min;
	id = find_next_zero_bit(ida->kc_used, end, min);
	if (id < end)
		return id;
	word = find_next_zero_bit(ida->kc_full, KC_IDA_WORDS, word + 1);
	return word < KC_IDA_WORDS ? word * BITS_PER_LONG + ffz(ida->kc_used[word]) : KC_IDA_IDS;
}

/*
 * exact: the lowest free ID from min to max, both included and never above INT_MAX;
 * -ENOSPC where none is free, -ENOMEM where the harness lets it fail
 */
static inline int ida_alloc_range(struct ida *ida, unsigned int min, unsigned int max,
				  gfp_t gfp)
{
	unsigned int id;

	(void)gfp;
	if (min > INT_MAX)
		return -ENOSPC;
	id = kc_ida_lowest(ida, min);
	if (id > min_t(unsigned int, max, INT_MAX))
		return -ENOSPC;
	if (kc_fail_allocations) {
		kc_fail_allocations--;
		return -ENOMEM;
	}
	if (id >= KC_IDA_IDS)
		return -ENOMEM;
	__set_bit(id, ida->kc_used);
	if (!~ida->kc_used[BIT_WORD(id)])
		__set_bit(BIT_WORD(id), ida->kc_full);
	return id;
}
static inline int ida_alloc(struct ida *ida, gfp_t gfp)
{
	return ida_alloc_range(ida, 0, ~0U, gfp);
}
static inline int ida_alloc_min(struct ida *ida, unsigned int min, gfp_t gfp)
{
	return ida_alloc_range(ida, min, ~0U, gfp);
}
static inline int ida_alloc_max(struct ida *ida, unsigned int max, gfp_t gfp)
{
	return ida_alloc_range(ida, 0, max, gfp);
}

/* recording: freeing an ID that is not allocated warns; above INT_MAX it is ignored */
static inline void ida_free(struct ida *ida, unsigned int id)
{
	if (id > INT_MAX)
		return;
	if (WARN(id >= KC_IDA_IDS || !test_bit(id, ida->kc_used),
		 "ida_free called for id=%d which is not allocated.\n", id))
		return;
	__clear_bit(id, ida->kc_used);
	__clear_bit(BIT_WORD(id), ida->kc_full);
}

/* exact: all IDs are free again; questions */
static inline void ida_destroy(struct ida *ida)
{
	*ida = (struct ida)IDA_INIT();
}
static inline void ida_init(struct ida *ida)
{
	ida_destroy(ida);
}
static inline bool ida_is_empty(const struct ida *ida)
{
	return find_first_bit(ida->kc_used, KC_IDA_IDS) == KC_IDA_IDS;
}

#endif
