/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Read-copy update. Source: Documentation/RCU/whatisRCU.rst. Readers never wait, and
 * nothing here waits for them, so a reader's section has no more effect than that the
 * compiler moves nothing over its ends, as without CONFIG_PREEMPT_RCU.
 */
#ifndef _LINUX_RCUPDATE_H
#define _LINUX_RCUPDATE_H

#include <asm/barrier.h>
#include <linux/compiler.h>
#include <linux/stddef.h>

/* exact: without CONFIG_PREEMPT_RCU; no order between processors */
#define rcu_read_lock() barrier()
#define rcu_read_unlock() barrier()
#define rcu_read_lock_bh() barrier()
#define rcu_read_unlock_bh() barrier()
#define rcu_read_lock_sched() barrier()
#define rcu_read_unlock_sched() barrier()

/* exact: without CONFIG_PROVE_RCU any reader may */
#define rcu_read_lock_held() 1
#define rcu_read_lock_bh_held() 1
#define rcu_read_lock_sched_held() 1
#define rcu_read_lock_any_held() 1
#define RCU_LOCKDEP_WARN(condition, text) ((void)sizeof(condition))

/*
 * An address that was read orders what is read through it (memory-barriers.txt,
 * "Address-dependency barriers"). Where operations run as threads the engine follows no addresses,
 * so there it is an acquire, which orders more: what is read past the pointer as well.
 */
#if defined(KC_THREADS) || defined(KC_STRESS)
#define KC_DEREFERENCE(p) smp_load_acquire(&(p))
#else
#define KC_DEREFERENCE(p) READ_ONCE(p)
#endif

/* exact: one access; what it leads to is seen as it was published: by its address, or more where threads run */
#define rcu_dereference(p) KC_DEREFERENCE(p)
#define rcu_dereference_bh(p) KC_DEREFERENCE(p)
#define rcu_dereference_sched(p) KC_DEREFERENCE(p)
#define rcu_dereference_raw(p) KC_DEREFERENCE(p)
#define rcu_dereference_check(p, condition) KC_DEREFERENCE(p)
#define rcu_dereference_bh_check(p, condition) KC_DEREFERENCE(p)
#define rcu_dereference_sched_check(p, condition) KC_DEREFERENCE(p)
#define rcu_dereference_protected(p, condition) (p)
#define rcu_access_pointer(p) READ_ONCE(p)
#define rcu_pointer_handoff(p) (p)
#define RCU_INITIALIZER(value) (value)
#define RCU_INIT_POINTER(p, value) WRITE_ONCE(p, value)
#define RCU_POINTER_INITIALIZER(p, value) .p = (value)

/* exact: release: published with what was written before (the kernel's of a constant NULL orders nothing) */
#define rcu_assign_pointer(p, value) do {							\
	typeof(p) kc_value_ = (value);								\
	smp_store_release(&(p), kc_value_);							\
} while (0)
#define rcu_replace_pointer(p, value, condition) ({						\
	typeof(p) kc_old_ = (p);								\
	rcu_assign_pointer(p, value);								\
	kc_old_;										\
})

#endif
