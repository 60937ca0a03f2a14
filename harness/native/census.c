/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls each operation of a subject by itself, and says how that ended. */
#define _GNU_SOURCE
#include <dlfcn.h>

#include "guard.h"

/* Where in the subject's object that is; 0 where it is in none. */
static unsigned long place_of(const struct kc_subject *s, uintptr_t pc)
{
	Dl_info mine, where;

	if (!pc || !dladdr((void *)s->init, &mine) || !dladdr((void *)pc, &where))
		return 0;
	return where.dli_fbase == mine.dli_fbase ? pc - (uintptr_t)mine.dli_fbase : 0;
}

int kc_call_each(const void *subject, int count, int round, struct kc_called *called)
{
	const struct kc_subject *s = subject;
	struct kc_record seen;
	kc_i64 observed[MAX_SLOTS], ret;

	guard_open(s);
	for (int op = 0; op < count; op++) {
		struct kc_call call = { .op = op, .args = { round } };

		if (called[op].done)
			continue;
		called[op].running = 1;
		called[op].why = guard_apply(s, &call, -1, observed, &ret, &seen);
		called[op].running = 0;
		called[op].done = 1;
		called[op].warnings = seen.warnings;
		called[op].pc = called[op].why ? place_of(s, guard_end.pc) : 0;
		called[op].site[0] = 0;
		if (seen.last)
			for (int i = 0; i < (int)sizeof(called[op].site) - 1 && seen.last->condition[i]; i++) {
				called[op].site[i] = seen.last->condition[i];
				called[op].site[i + 1] = 0;
			}
	}
	return 0;
}
