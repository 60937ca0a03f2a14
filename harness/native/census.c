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

/* The first BUG that fired, which would have ended the kernel's call; here it went on. */
static const struct kc_site *bug_of(const struct kc_record *seen)
{
	for (unsigned int i = 0; i < seen->warnings && i < KC_SITES; i++)
		if (seen->sites[i]->kind == KC_BUG || seen->sites[i]->kind == KC_VM_BUG)
			return seen->sites[i];
	return NULL;
}

static void copy_site(char *to, size_t size, const struct kc_site *site)
{
	const char *said = !site ? "" : *site->condition ? site->condition : site->macro;
	size_t i;

	for (i = 0; i < size - 1 && said[i]; i++)
		to[i] = said[i];
	to[i] = 0;
}

int kc_call_each(const void *subject, int count, int round, struct kc_called *called)
{
	const struct kc_subject *s = subject;
	const struct kc_site *bug;
	struct kc_record seen;
	kc_i64 observed[MAX_SLOTS], ret;

	guard_open(s);
	for (int op = 0; op < count; op++) {
		struct kc_call call = { .op = op, .args = { round } };

		if (called[op].done)
			continue;
		called[op].running = 1;
		called[op].why = guard_apply(s, &call, -1, observed, &ret, &seen);
		called[op].warnings = seen.warnings;
		called[op].pc = called[op].why ? place_of(s, guard_end.pc) : 0;
		bug = called[op].why ? NULL : bug_of(&seen);
		if (bug)
			called[op].why = KC_BUG_STOP;
		copy_site(called[op].site, sizeof(called[op].site), bug ? bug : seen.last);
		/* Not before: a hostile call may have left pointers here that lead nowhere. */
		called[op].running = 0;
		called[op].done = 1;
	}
	return 0;
}
