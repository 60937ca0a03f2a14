/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ID allocator. Source: Documentation/core-api/idr.rst and the documentation comments
 * of lib/idr.c, Linux 6.12. What is allocated is a few runs of IDs, so that an IDA can
 * be part of a state: small, without pointers, and the same IDs are the same bytes,
 * whatever calls led there. Its lock is left out, so no read-modify-writes are counted;
 * where operations run as threads, each allocation and each ida_free() has it.
 *
 * Runs can run out, as memory can. An allocation that would need another run than the
 * last one fails with -ENOMEM, as it is allowed to. Freeing an ID in the middle of a
 * run needs one more, and must not fail: the last run is for that. Where it is in use
 * too, a BUG of the shim is recorded and the call ends, since what came after it would
 * be no run of the kernel; the ID stays allocated.
 */
#ifndef _LINUX_IDR_H
#define _LINUX_IDR_H

#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/limits.h>
#include <linux/minmax.h>

#define KC_IDA_RUNS 20	/* the last one is for ida_free() alone */

struct kc_ida_run {
	unsigned int first, last;
};

/* Ascending, with a free ID between any two; entries from kc_count on are zero. */
struct ida {
	unsigned long kc_count;	/* a whole word: no padding with bytes of its own */
	struct kc_ida_run kc_runs[KC_IDA_RUNS];
};

#define IDA_INIT(name) { .kc_count = 0 }
#define DEFINE_IDA(name) struct ida name = IDA_INIT(name)

#define KC_IDA_STOP(text_, condition_) ({					\
	_Bool kc_wrong_ = KC_WARN_IF(KC_BUG, "BUG_ON", text_, condition_);	\
	if (kc_wrong_ && kc_record.stop)					\
		kc_record.stop(KC_STOP_SHIM, kc_record.last);			\
	kc_wrong_;								\
})

/* The first run that ends at `id` or after it; kc_count for none. */
static inline unsigned int kc_ida_at(const struct ida *ida, unsigned int id)
{
	unsigned int at = 0;

	while (at < ida->kc_count && ida->kc_runs[at].last < id)
		at++;
	return at;
}

/* Carries one run along instead of moving them all: gcc would call memmove for that. */
static inline void kc_ida_insert(struct ida *ida, unsigned int at, struct kc_ida_run run)
{
	ida->kc_count++;
	for (; at < ida->kc_count; at++) {
		struct kc_ida_run here = ida->kc_runs[at];

		ida->kc_runs[at] = run;
		run = here;
	}
}
static inline void kc_ida_remove(struct ida *ida, unsigned int at)
{
	struct kc_ida_run run = { 0, 0 };

	for (unsigned int i = ida->kc_count--; i-- > at;) {
		struct kc_ida_run here = ida->kc_runs[i];

		ida->kc_runs[i] = run;
		run = here;
	}
}

/* Takes free IDs; false, and nothing taken, where that needs a run that is not there. */
static inline bool kc_ida_add(struct ida *ida, unsigned int first, unsigned int last)
{
	unsigned int at = kc_ida_at(ida, first);
	struct kc_ida_run *run = &ida->kc_runs[at];
	bool below = at && run[-1].last + 1 == first;
	bool above = at < ida->kc_count && run->first == last + 1;

	if (below && above) {
		run[-1].last = run->last;
		kc_ida_remove(ida, at);
	} else if (below) {
		run[-1].last = last;
	} else if (above) {
		run->first = first;
	} else if (ida->kc_count < KC_IDA_RUNS - 1) {
		kc_ida_insert(ida, at, (struct kc_ida_run){ first, last });
	} else {
		return false;
	}
	return true;
}

/* For contracts: is it allocated, and how many are */
static inline bool kc_ida_has(const struct ida *ida, unsigned int id)
{
	unsigned int at = kc_ida_at(ida, id);

	return at < ida->kc_count && ida->kc_runs[at].first <= id;
}
static inline unsigned int kc_ida_count(const struct ida *ida)
{
	unsigned int ids = 0;

	for (unsigned int i = 0; i < ida->kc_count; i++)
		ids += ida->kc_runs[i].last - ida->kc_runs[i].first + 1;
	return ids;
}

/*
 * For contracts: others, whom the world does not show, have allocated all of first to
 * last. They must be free and within 0 to INT_MAX, and there must be a run for them;
 * each can be freed as if ida_alloc_range() had given it.
 */
static inline void kc_ida_take(struct ida *ida, unsigned int first, unsigned int last)
{
	unsigned int at = kc_ida_at(ida, first);

	if (KC_IDA_STOP("kc_ida_take: not IDs, or not free",
			first > last || last > INT_MAX ||
			(at < ida->kc_count && ida->kc_runs[at].first <= last)))
		return;
	(void)KC_IDA_STOP("kc_ida_take: the shim has no run left", !kc_ida_add(ida, first, last));
}

/*
 * exact: the lowest free ID from min to max, both included and never above INT_MAX;
 * -ENOSPC where none is free, -ENOMEM where the harness lets it fail or runs are out
 */
static inline int ida_alloc_range(struct ida *ida, unsigned int min, unsigned int max,
				  gfp_t gfp)
{
	unsigned int at, id = min;
	int got;

	(void)gfp;
	if (min > INT_MAX)
		return -ENOSPC;
	kc_begin(ida);
	at = kc_ida_at(ida, min);
	if (at < ida->kc_count && ida->kc_runs[at].first <= min)
		id = ida->kc_runs[at].last + 1;
	got = -ENOSPC;
	if (id <= min_t(unsigned int, max, INT_MAX)) {
		got = -ENOMEM;
		if (kc_fail_allocations)
			kc_fail_allocations--;
		else if (kc_ida_add(ida, id, id))
			got = id;
	}
	kc_end(ida);
	return got;
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
	unsigned int at;
	struct kc_ida_run *run;

	if (id > INT_MAX)
		return;
	kc_begin(ida);
	at = kc_ida_at(ida, id);
	run = &ida->kc_runs[at];
	if (WARN(!kc_ida_has(ida, id), "ida_free called for id=%d which is not allocated.\n", id)) {
		;
	} else if (run->first == run->last) {
		kc_ida_remove(ida, at);
	} else if (id == run->first) {
		run->first++;
	} else if (id == run->last) {
		run->last--;
	} else if (!KC_IDA_STOP("ida_free: the shim has no run left", ida->kc_count == KC_IDA_RUNS)) {
		kc_ida_insert(ida, at, (struct kc_ida_run){ run->first, id - 1 });
		run[1].first = id + 1;
	}
	kc_end(ida);
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
	return !ida->kc_count;
}

#endif
