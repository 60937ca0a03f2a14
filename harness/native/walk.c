/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random walks beyond the bounds of exploration: traces from the initial world, each
 * call and its arguments drawn from wide domains, each step judged as in exploration.
 * The same seed gives the same walk.
 */
#include "run.h"

#define TRIES 64	/* draws until one is legal; then the trace ends */
#define OTHERS 8	/* one step in so many is a probe or a misuse */

static uint64_t random64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint64_t below(uint64_t *state, uint64_t n)
{
	return (unsigned __int128)random64(state) * n >> 64;
}

/* The first `operations` of the draws are operations, the others probes and misuse. */
static void draw(const struct kc_draw *draws, int ndraws, int operations, uint64_t *random,
		 struct kc_call *call)
{
	int others = ndraws - operations;
	const struct kc_draw *drawn = others && !below(random, OTHERS)
		? &draws[operations + below(random, others)] : &draws[below(random, operations)];

	call->op = drawn->op;
	for (int i = 0; i < drawn->args; i++)
		call->args[i] = drawn->values[i][below(random, drawn->n[i])];
}

static int legal(struct kc_run *run, const kc_i64 *ghost, const kc_i64 *obs,
		 const struct kc_call *call)
{
	const struct kc_slot *crash =
		&run->checks[slot_of(run, call->op, run->c->state_size + KC_CRASH)];

	return !(crash->failed && crash->why == KC_ENDLESS) &&
	       run->c->when(call->op, ghost, obs, call->args);
}

struct walker {
	const struct kc_draw *draws;
	int ndraws, operations;
	uint64_t random;
	kc_i64 ghost[MAX_SLOTS], obs[MAX_SLOTS];
	volatile uint64_t left;
};

/* Makes the call at hand from where the walk stands; false where the trace is at its end. */
static int take(struct kc_run *run, struct walker *walker)
{
	const struct kc_call *call = &run->flight->call;
	kc_i64 after[MAX_SLOTS];
	uint32_t post[MAX_LIVE];
	struct outcome out;

	run->history[run->flight->length] = *call;
	run->nhistory = run->flight->length + 1;
	walker->left -= walker->left > 0;
	run->transitions++;
	run_call(run, call, &out, post);
	judge_call(run, 0, 0, call, walker->ghost, walker->obs, &out, after, 1);
	if (!goes_on(op_of(run, call))) {
		if (out.stray >= 0)
			restore_all(run);
		return 1;
	}
	commit(run, post);
	if (op_of(run, call)->has_ghost)
		memcpy(walker->ghost, after, run->c->ghost_size * sizeof(*after));
	memcpy(walker->obs, out.obs, run->c->state_size * sizeof(*after));
	run->states++;
	judge_state(run, 0, 0, walker->ghost, walker->obs, 1);
	run->flight->length++;
	return run->c->within(walker->obs);
}

/* One step of the walk; false where the trace is at its end. */
static int step(struct kc_run *run, struct walker *walker)
{
	int tries = 0;

	do {
		if (tries++ == TRIES)
			return 0;
		draw(walker->draws, walker->ndraws, walker->operations, &walker->random,
		     &run->flight->call);
	} while (!legal(run, walker->ghost, walker->obs, &run->flight->call));
	return take(run, walker);
}

int kc_walk(struct kc_run *run, const struct kc_draw *draws, int ndraws, unsigned long long seed,
	    unsigned long long steps, int length, const struct kc_call *prefix, int nprefix)
{
	struct walker walker = { .draws = draws, .ndraws = ndraws, .random = seed, .left = steps };

	while (walker.operations < ndraws &&
	       goes_on(&run->c->op[draws[walker.operations].op]))
		walker.operations++;
	if (!walker.operations)
		return KC_COMPLETE;
	run->history = run->flight->path;
	while (walker.left) {
		if (now() > run->deadline) {
			run->flight->running = 0;
			return KC_TIME_LIMIT;
		}
		begin_trace(run, walker.ghost);
		run->flight->length = 0;
		run->flight->running = 1;
		if (guard_enter()) {
			judge_crash(run, 0, 0, &run->flight->call, walker.ghost, walker.obs, 1);
			continue;
		}
		run->s->observe(walker.obs);
		for (int i = 0; i < nprefix; i++) {
			run->flight->call = prefix[i];
			take(run, &walker);
		}
		while (walker.left && run->flight->length < (unsigned int)length - 1 &&
		       step(run, &walker))
			;
		guard_leave();
		if (run->flight->length == (unsigned int)nprefix)
			walker.left -= walker.left > 0;	/* nothing was legal there */
		run->flight->transitions = run->transitions;
		if (run->stopped)
			break;
	}
	run->flight->running = 0;
	return run->stopped ? KC_STOPPED : KC_COMPLETE;
}
