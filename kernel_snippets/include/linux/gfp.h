/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/gfp.h of Linux 6.12. */
#ifndef _LINUX_GFP_H
#define _LINUX_GFP_H

#include <linux/gfp_types.h>

/* exact: whether an allocation may sleep */
static inline bool gfpflags_allow_blocking(const gfp_t flags)
{
	return flags & __GFP_DIRECT_RECLAIM;
}

#endif
