/* SPDX-License-Identifier: GPL-2.0-only */
/* exact: what include/linux/rmap.h of a patch finds before its first function */
#ifndef _LINUX_RMAP_H
#define _LINUX_RMAP_H

#include <linux/bit_spinlock.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/page-flags.h>
#include <linux/spinlock.h>

#endif
