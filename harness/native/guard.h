/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KCONFORM_GUARD_H
#define KCONFORM_GUARD_H

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>

#include "engine.h"
#include "kconform/record.h"
#include "subject.h"

#define MAX_SLOTS 32	/* observations, or ghost values, of a contract */

/*
 * Between guard_enter() and guard_leave() a fault, an endless loop or a stop comes
 * back to guard_enter() as a value that is not 0; `guard_end` tells more. Whoever
 * runs several operations in between counts `sequence`, by which loops are told.
 */
struct guard {
	sigjmp_buf env;
	volatile sig_atomic_t running, ticks;
	volatile uint64_t sequence, seen;
};
extern struct guard guard;

#define guard_enter() (sigsetjmp(guard.env, 0) ? guard_came_back() : (guard.running = 1, 0))
int guard_came_back(void);
#define guard_leave() ((void)(guard.running = 0))

/* How the last operation ended; all but `changed` only where it did not come back. */
extern struct guard_end {
	volatile int why, signal;
	volatile uintptr_t pc;
	uintptr_t changed;	/* the instruction that changed the watched observation last, or 0 */
} guard_end;

/* Where `kinds` is not NULL guard_apply() counts the instructions that a call executes, by kind. */
extern struct guard_count {
	const unsigned char *kinds;	/* of the instruction at each byte of the subject */
	uintptr_t base, size, last;
	unsigned long steps;
	unsigned long long instructions[KC_KINDS];
} guard_count;

/* Before the cage, and once a subject: what its sanitizer, where it has one, must know. */
int guard_prepare(const struct kc_subject *s);
/* From here on faults and ticks come here, and what the subject says can never go on. */
void guard_open(const struct kc_subject *s);

/*
 * Runs one operation (none where `call` is NULL) and observes; 0, or why it did not
 * come back. `watched`: the observation whose changes are looked for, or -1.
 */
int guard_apply(const struct kc_subject *s, const struct kc_call *call, int watched, kc_i64 *obs,
		kc_i64 *ret, struct kc_record *seen);

#endif
