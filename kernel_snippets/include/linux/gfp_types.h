/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/gfp_types.h of Linux 6.12 (without KASAN_HW_TAGS). */
#ifndef _LINUX_GFP_TYPES_H
#define _LINUX_GFP_TYPES_H

#include <linux/bits.h>
#include <linux/types.h>

#define KC_GFP(bit) ((gfp_t)BIT(bit))

/* exact: bit numbers */
#define __GFP_DMA KC_GFP(0)
#define __GFP_HIGHMEM KC_GFP(1)
#define __GFP_DMA32 KC_GFP(2)
#define __GFP_MOVABLE KC_GFP(3)
#define __GFP_RECLAIMABLE KC_GFP(4)
#define __GFP_HIGH KC_GFP(5)
#define __GFP_IO KC_GFP(6)
#define __GFP_FS KC_GFP(7)
#define __GFP_ZERO KC_GFP(8)
#define __GFP_DIRECT_RECLAIM KC_GFP(10)
#define __GFP_KSWAPD_RECLAIM KC_GFP(11)
#define __GFP_WRITE KC_GFP(12)
#define __GFP_NOWARN KC_GFP(13)
#define __GFP_RETRY_MAYFAIL KC_GFP(14)
#define __GFP_NOFAIL KC_GFP(15)
#define __GFP_NORETRY KC_GFP(16)
#define __GFP_MEMALLOC KC_GFP(17)
#define __GFP_COMP KC_GFP(18)
#define __GFP_NOMEMALLOC KC_GFP(19)
#define __GFP_HARDWALL KC_GFP(20)
#define __GFP_THISNODE KC_GFP(21)
#define __GFP_ACCOUNT KC_GFP(22)
#define __GFP_RECLAIM (__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)

/* exact: the common combinations */
#define GFP_ATOMIC (__GFP_HIGH | __GFP_KSWAPD_RECLAIM)
#define GFP_KERNEL (__GFP_RECLAIM | __GFP_IO | __GFP_FS)
#define GFP_KERNEL_ACCOUNT (GFP_KERNEL | __GFP_ACCOUNT)
#define GFP_NOWAIT (__GFP_KSWAPD_RECLAIM | __GFP_NOWARN)
#define GFP_NOIO __GFP_RECLAIM
#define GFP_NOFS (__GFP_RECLAIM | __GFP_IO)
#define GFP_USER (GFP_KERNEL | __GFP_HARDWALL)
#define GFP_HIGHUSER (GFP_USER | __GFP_HIGHMEM)
#define GFP_HIGHUSER_MOVABLE (GFP_HIGHUSER | __GFP_MOVABLE)

#endif
