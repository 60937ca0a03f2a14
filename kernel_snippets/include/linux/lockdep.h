/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: include/linux/lockdep.h of Linux 6.12, without CONFIG_LOCKDEP. */
#ifndef _LINUX_LOCKDEP_H
#define _LINUX_LOCKDEP_H

/* exact: without CONFIG_LOCKDEP the lock is evaluated and nothing is checked */
#define lockdep_assert(condition) ((void)0)
#define lockdep_assert_held(lock) ((void)(lock))
#define lockdep_assert_held_write(lock) ((void)(lock))
#define lockdep_assert_held_read(lock) ((void)(lock))
#define lockdep_assert_not_held(lock) ((void)(lock))

#endif
