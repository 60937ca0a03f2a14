/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random walks beyond the bounds of exploration: traces from the initial world, each
 * call and its arguments drawn from wide domains, each step judged as in exploration.
 * The same seed gives the same walk.
 */
#include "run.h"

#define TRIES 64	/* draws until one is legal; then the trace ends */
#define MOST_CHOSEN 64
#define IDLE 1000
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

struct walker {
	const struct kc_draw *draws;
	int ndraws, operations;		/* operations come first, then probes and misuse */
	int nchosen, chosen[MOST_CHOSEN];	/* the operations of this trace */
	uint64_t random;
	kc_i64 ghost[MAX_SLOTS], obs[MAX_SLOTS];
	volatile uint64_t left;
	int idle;			/* traces without a call, one after the other */
};

/*
 * Every other trace has only some of the operations: what takes many adds and no sub
 * in between is not reached by an even mixture (swarm testing).
 */
static void choose(struct walker *walker)
{
	uint64_t some = random64(&walker->random);

	walker->nchosen = 0;
	for (int i = 0; i < walker->operations && walker->nchosen < MOST_CHOSEN; i++)
		if (some & 1 || some >> (1 + i % 63) & 1)
			walker->chosen[walker->nchosen++] = i;
	if (!walker->nchosen)
		walker->chosen[walker->nchosen++] = below(&walker->random, walker->operations);
}

static void draw(struct walker *walker, struct kc_call *call)
{
	int others = walker->ndraws - walker->operations;
	uint64_t *random = &walker->random;
	const struct kc_draw *drawn = others && !below(random, OTHERS)
		? &walker->draws[walker->operations + below(random, others)]
		: &walker->draws[walker->chosen[below(random, walker->nchosen)]];

	call->op = drawn->op;
	for (int i = 0; i < drawn->args; i++)
		call->args[i] = drawn->values[i][below(random, drawn->n[i])];
}

/* One step from where the walk stands; false where the trace is at its end. */
static int step(struct kc_run *run, struct walker *walker)
{
	struct kc_call *call = &run->flight->call;
	kc_i64 after[MAX_SLOTS];
	uint32_t post[MAX_LIVE];
	struct outcome out;
	int tries = 0;

	do {
		if (tries++ == TRIES)
			return 0;
		draw(walker, call);
	} while (never_ends(run, call->op) ||
		 !run->c->when(call->op, walker->ghost, walker->obs, call->args));
	run->history[run->flight->length] = *call;
	run->nhistory = run->flight->length + 1;
	walker->left--;
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

int kc_walk(struct kc_run *run, const struct kc_draw *draws, int ndraws, unsigned long long seed,
	    unsigned long long steps, int length)
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
		choose(&walker);
		run->flight->length = 0;
		run->flight->running = 1;
		if (guard_enter()) {
			judge_crash(run, 0, 0, &run->flight->call, walker.ghost, walker.obs, 1);
			continue;
		}
		run->s->observe(walker.obs);
		while (walker.left && run->flight->length < (unsigned int)length - 1 &&
		       step(run, &walker))
			;
		guard_leave();
		if (!run->flight->length)
			walker.idle++;
		else
			walker.idle = 0;
		if (walker.idle == IDLE)
			break;	/* nothing is legal there */
		run->flight->transitions = run->transitions;
		if (run->stopped)
			break;
	}
	run->flight->running = 0;
	return run->stopped ? KC_STOPPED : KC_COMPLETE;
}
