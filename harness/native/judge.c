/* SPDX-License-Identifier: GPL-2.0-only */
/* What becomes of each judged call and state: counts, first failures, common features. */
#include <stdlib.h>

#include "run.h"

/*
 * What the calls that passed have in common only serves to say what is particular to
 * those that failed; so many of an operation are looked at.
 */
#define LOOKED 65536

void fail_slot(struct kc_run *run, int number, uint32_t state, unsigned int call,
	       unsigned long long features, uint64_t weight)
{
	struct kc_slot *slot = &run->checks[number];
	struct saved *saved = &run->saved[number];

	slot->fail_all &= features;
	slot->failed += weight;
	if (slot->failed != weight)
		return;
	slot->state = state;
	slot->call = call;
	if (run->options.known && number < run->nslots && !run->options.known[number])
		run->stopped |= run->options.stop_at_first;
	if (!run->history)
		return;
	saved->calls = malloc((run->nhistory + 1) * sizeof(*saved->calls));
	if (!saved->calls)
		return;
	memcpy(saved->calls, run->history, run->nhistory * sizeof(*saved->calls));
	saved->n = run->nhistory;
}

/* The bits of a verdict as failures of the operation's slots; the others passed with these features. */
static void note_differences(struct kc_run *run, uint32_t from, unsigned int index, int op,
			     unsigned long long bits, unsigned long long features, uint64_t weight)
{
	for (int k = 0; k < run->per_op; k++) {
		if (bits >> k & 1)
			fail_slot(run, slot_of(run, op, k), from, index, features, weight);
		else
			run->checks[slot_of(run, op, k)].pass_all &= features;
	}
}

int site_slot(struct kc_run *run, int op)
{
	unsigned long pc = run->record->report ? run->record->report->pc : 0;
	int at = 0;

	while (at < run->nsites && (run->sites[at].op != op || run->sites[at].pc != pc))
		at++;
	if (at == KC_MAX_SITES)
		return -1;
	if (at == run->nsites)
		run->sites[run->nsites++] = (struct site){ op, pc };
	return run->nslots + at;
}

static void note_report(struct kc_run *run, uint32_t from, unsigned int index, int op,
			uint64_t weight)
{
	int slot = site_slot(run, op);

	if (slot >= 0)
		fail_slot(run, slot, from, index, 0, weight);
}

void judge_call(struct kc_run *run, uint32_t from, unsigned int index, const struct kc_call *call,
		const kc_i64 *ghost, const kc_i64 *obs, const struct outcome *out, kc_i64 *after,
		uint64_t weight)
{
	const struct kc_contract *c = run->c;
	int first = c->state_size, n = call->op;
	struct kc_verdict said = c->judge(n, ghost, obs, call->args, out->obs, out->ret,
					  out->warnings, out->rmw, after);
	unsigned long long bits = said.diff;

	run->called[n] += weight;
	if (out->stray >= 0 && judges_world(op_of(run, call)))
		bits |= 1ull << (first + KC_ELSEWHERE);
	if (__builtin_expect(out->reports, 0)) {
		bits |= 1ull << (first + KC_SANITIZER);
		note_report(run, from, index, n, weight);
	}
	if (__builtin_expect(bits != 0, 0))
		note_differences(run, from, index, n, bits, c->feature(n, ghost, obs, call->args),
				 weight);
	else if (run->looked[n]++ < LOOKED)
		run->in_common[n] &= c->feature(n, ghost, obs, call->args);
	for (unsigned long long left = said.broken; left; left &= left - 1)
		fail_slot(run, run->s->ops * run->per_op + __builtin_ctzll(left), from, index, 0,
			  weight);
}

void judge_crash(struct kc_run *run, uint32_t from, unsigned int index, const struct kc_call *call,
		 const kc_i64 *ghost, const kc_i64 *obs, uint64_t weight)
{
	int bad = guard_end.why == KC_BAD_ACCESS, first = run->c->state_size;
	struct kc_slot *slot = &run->checks[slot_of(run, call->op, first + KC_CRASH)];
	unsigned long long features = run->c->feature(call->op, ghost, obs, call->args);

	run->called[call->op] += weight;
	run->lost[call->op] += weight;
	if (run->record->reports)
		note_report(run, from, index, call->op, weight);
	if (bad) {
		fail_slot(run, slot_of(run, call->op, first + KC_SANITIZER), from, index, features,
			  weight);
		return;
	}
	if (!slot->failed)
		slot->why = guard_end.why;
	fail_slot(run, slot_of(run, call->op, first + KC_CRASH), from, index, features, weight);
}

/* The claims that are properties of a state alone, judged once a state. */
void judge_state(struct kc_run *run, uint32_t from, unsigned int index, const kc_i64 *ghost,
		 const kc_i64 *obs, uint64_t weight)
{
	const struct kc_contract *c = run->c;
	int first = run->s->ops * run->per_op;
	struct kc_state_verdict said = c->states(ghost, obs);
	unsigned long long broken = said.broken, seen = said.witnessed & run->open_possible;

	for (; broken; broken &= broken - 1)
		fail_slot(run, first + __builtin_ctzll(broken), from, index, 0, weight);
	run->open_possible &= ~seen;
	for (; seen; seen &= seen - 1)
		fail_slot(run, first + c->always + __builtin_ctzll(seen), from, index, 0, 1);
}

/* How often each check was judged, out of what was counted an operation. */
static void count(struct kc_run *run)
{
	const struct kc_contract *c = run->c;

	for (int i = 0; i < c->always + c->possible; i++)
		run->claims[i].compared = run->states;
	for (int n = 0; n < run->s->ops; n++) {
		struct kc_slot *slots = &run->checks[slot_of(run, n, 0)];
		uint64_t back = run->called[n] - run->lost[n];

		for (int k = 0; k < run->per_op; k++) {
			slots[k].compared = back;
			slots[k].pass_all &= run->in_common[n];
		}
		slots[c->state_size + KC_CRASH].compared = run->called[n];
		slots[c->state_size + KC_SANITIZER].compared = run->called[n];
	}
	for (int i = 0; i < c->always; i++) {
		if (c->of_states >> i & 1)
			continue;
		run->claims[i].compared = 0;
		for (int n = 0; n < run->s->ops; n++)
			if (c->judged[n] >> i & 1)
				run->claims[i].compared += run->called[n] - run->lost[n];
	}
}

struct kc_slot *kc_checks(struct kc_run *run)
{
	count(run);
	return run->checks;
}

int kc_sites(struct kc_run *run)
{
	return run->nsites;
}

int kc_site_op(struct kc_run *run, int site)
{
	return run->sites[site].op;
}

struct kc_slot *kc_claims(struct kc_run *run)
{
	count(run);
	return run->claims;
}
