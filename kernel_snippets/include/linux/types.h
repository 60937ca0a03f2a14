/* SPDX-License-Identifier: GPL-2.0-only */
/* Types. Source: include/linux/types.h and asm-generic/int-ll64.h of Linux 6.12. */
#ifndef _LINUX_TYPES_H
#define _LINUX_TYPES_H

#include <linux/compiler.h>
#include <linux/kconfig.h>
#include <linux/stddef.h>

/* exact: names, sizes and signs */
typedef signed char s8, __s8, int8_t;
typedef unsigned char u8, __u8, uint8_t;
typedef short s16, __s16, int16_t;
typedef unsigned short u16, __u16, uint16_t;
typedef int s32, __s32, int32_t;
typedef unsigned int u32, __u32, uint32_t;
typedef long long s64, __s64, int64_t;
typedef unsigned long long u64, __u64, uint64_t;
typedef unsigned long size_t;
typedef long ssize_t, ptrdiff_t, intptr_t;
typedef unsigned long uintptr_t, ulong;
typedef unsigned int uint;
typedef unsigned short ushort, umode_t;
typedef long long loff_t;
typedef int pid_t;
typedef unsigned long pgoff_t;
typedef u64 sector_t, blkcnt_t, phys_addr_t, resource_size_t, dma_addr_t;
typedef unsigned int __bitwise gfp_t, slab_flags_t, fmode_t;

/* exact: size, and the one member, which only the functions of linux/atomic.h touch */
typedef struct { int counter; } atomic_t;
typedef struct { s64 counter; } atomic64_t;
#ifdef __LP64__
typedef atomic64_t atomic_long_t;
#else
typedef atomic_t atomic_long_t;
#endif
#define ATOMIC_INIT(value) { (value) }
#define ATOMIC64_INIT(value) { (value) }
#define ATOMIC_LONG_INIT(value) { (value) }

/* exact: layout */
struct list_head {
	struct list_head *next, *prev;
};

struct hlist_head {
	struct hlist_node *first;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct callback_head {
	struct callback_head *next;
	void (*func)(struct callback_head *head);
} __aligned(sizeof(void *));
#define rcu_head callback_head

#endif
