/* SPDX-License-Identifier: GPL-2.0-only */
/* What include/linux/rmap.h of a patch finds before its first function. */
#ifndef _LINUX_RMAP_H
#define _LINUX_RMAP_H

#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/page-flags.h>

#endif
