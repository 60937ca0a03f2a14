/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Errors since a point in time. Source: Documentation/core-api/errseq.rst. A value is an
 * error number, a flag that somebody has seen it, and a counter that goes up with an
 * error after one that was seen. Its parts are no caller's business.
 */
#ifndef _LINUX_ERRSEQ_H
#define _LINUX_ERRSEQ_H

#include <linux/atomic.h>
#include <linux/err.h>

typedef u32 errseq_t;

#define KC_ERRSEQ_SEEN (MAX_ERRNO + 1u)
#define KC_ERRSEQ_STEP (KC_ERRSEQ_SEEN << 1)

/* recording: what is there afterwards; one read-modify-write a try; nothing for what is no error */
static inline errseq_t errseq_set(errseq_t *p, int error)
{
	errseq_t old = READ_ONCE(*p), fresh;

	if (error >= 0 || error < -MAX_ERRNO)
		return old;
	do {
		fresh = (old & ~(MAX_ERRNO | KC_ERRSEQ_SEEN)) | (unsigned int)-error;
		if (old & KC_ERRSEQ_SEEN)
			fresh += KC_ERRSEQ_STEP;
		if (fresh == old)
			break;
	} while (!try_cmpxchg(p, &old, fresh));
	return fresh;
}
/* exact: the point in time; 0 for an error that nobody has seen, so that it will be */
static inline errseq_t errseq_sample(errseq_t *p)
{
	errseq_t old = READ_ONCE(*p);

	return old & KC_ERRSEQ_SEEN ? old : 0;
}
/* exact: the error since then, or 0 */
static inline int errseq_check(errseq_t *p, errseq_t since)
{
	errseq_t now = READ_ONCE(*p);

	return now == since ? 0 : -(int)(now & MAX_ERRNO);
}
/* recording: as above; it is seen from here on, and `since` is now */
static inline int errseq_check_and_advance(errseq_t *p, errseq_t *since)
{
	errseq_t old = READ_ONCE(*p), fresh = old | KC_ERRSEQ_SEEN;

	if (old == *since)
		return 0;
	if (old != fresh)
		cmpxchg(p, old, fresh);
	*since = fresh;
	return -(int)(fresh & MAX_ERRNO);
}

#endif
