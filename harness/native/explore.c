/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exhaustive exploration of a subject: breadth-first over the world's own bytes
 * together with the ghost, each transition judged by the translated contract.
 *
 * Probes and misuse that do not look at the ghost do the same in every state with the
 * same world: they are called in the first of these.
 */
#include <stdlib.h>

#include "run.h"

/* A state that was not there before: counted, and judged as a state. */
static void meet_state(struct kc_run *run, uint32_t from, const struct pending *p)
{
	kc_i64 ghost[MAX_SLOTS], obs[MAX_SLOTS];
	uint64_t weight;

	for (int k = 0; k < run->nlive; k++)
		run->world[run->live[k]] = p->row[k];
	run->s->observe(obs);
	restore_live(run);
	store_unpack_ghost(&run->store, p->row + run->nlive, ghost);
	weight = run->symmetric ? symmetry_weight(run, ghost, obs) : 1;
	run->states += weight;
	judge_state(run, from, p->call, ghost, obs, weight);
}

static void flush(struct kc_run *run, uint32_t from)
{
	sig_atomic_t running = guard.running;

	guard.running = 0;	/* a table that grows takes its time, and is no endless loop */
	for (int i = 0; i < run->npending; i++)
		store_prefetch_row(&run->store, run->pending[i].hash);
	for (int i = 0; i < run->npending; i++) {
		struct pending *p = &run->pending[i];
		int fresh;

		if (store_put(run, p->row, p->hash, from, p->call, &fresh) == NONE) {
			run->failed_memory = 1;
			break;
		}
		if (fresh)
			meet_state(run, from, p);
	}
	run->npending = 0;
	guard.running = running;
}

/* Words that changed beside the live ones are state from now on. */
static void adopt_strays(struct kc_run *run, uint32_t from, uint32_t *post)
{
	uint32_t word[MAX_LIVE], value[MAX_LIVE];
	int n = 0;

	for (int w = 0; w < run->words && n < MAX_LIVE; w++)
		if (run->world[w] != run->before[w] && !run->is_live[w]) {
			word[n] = w;
			value[n++] = run->world[w];
		}
	restore_all(run);	/* before the pending states are looked at: they have no strays */
	flush(run, from);
	for (int i = 0; i < n; i++) {
		if (store_add_live(run, word[i])) {
			run->failed_memory = 1;
			return;
		}
		post[run->nlive - 1] = value[i];
	}
}

/* Queues the successor whose world is `post`. */
static void follow(struct kc_run *run, uint32_t from, unsigned int index, const uint32_t *post,
		   const kc_i64 *ghost, const kc_i64 *obs)
{
	unsigned char perm[MOST_MEMBERS];
	struct pending *p;

	if (run->npending == PENDING)
		flush(run, from);
	p = &run->pending[run->npending];
	if (store_try_ghost(run, ghost, p->row + run->nlive)) {
		flush(run, from);	/* what is pending has the rows' old width */
		p = run->pending;
		if (store_pack_ghost(run, ghost, p->row + run->nlive)) {
			run->failed_memory = 1;
			return;
		}
	}
	for (int k = 0; k < run->nlive; k++)
		p->row[k] = post[k];
	p->call = index;
	if (run->symmetric)
		symmetry_class(run, p->row, ghost, obs, perm);
	p->hash = store_hash(p->row, run->store.width);
	store_prefetch(&run->store, p->hash);
	run->npending++;
}

static uint64_t mixed(uint64_t h, uint64_t value)
{
	h = (h ^ value) * 0xff51afd7ed558ccdu;
	return h ^ h >> 29;
}

/* All that a call did that anyone is promised: of misuse, the warnings alone. */
static void digest(struct kc_run *run, unsigned int index, const struct outcome *out)
{
	int kind = op_of(run, &run->calls[index])->kind, misuse = kind == KC_MISUSE;
	uint64_t h = index;

	if (kind != KC_SETUP)	/* what the contract prepared is no behaviour: calls that read it tell */
		run->digest[misuse] = mixed(run->digest[misuse] ^ index, out->warnings);
	if (misuse)
		return;
	for (int k = 0; k < run->c->state_size; k++)
		h = mixed(h, out->obs[k]);
	h = mixed(mixed(mixed(h, out->ret), out->rmw), out->stray);
	run->digest[2] = mixed(run->digest[2], h);
	if (kind != KC_SETUP)
		run->digest[0] = mixed(run->digest[0], h);
}

/* The same of a call that did not come back. */
static void digest_crash(struct kc_run *run, unsigned int index)
{
	run->digest[0] = mixed(run->digest[0] ^ index, guard_end.why);
	if (op_of(run, &run->calls[index])->kind != KC_MISUSE)
		run->digest[2] = mixed(run->digest[2] ^ index, guard_end.why);
}

/* How many states a call in the state being expanded is counted for. */
static uint64_t weight_of(const struct kc_run *run, const struct kc_op *op)
{
	return goes_on(op) || op->uses_ghost ? run->weight : run->world_weight;
}

/* The world as it was; what a call wrote that is not its own is noted where it is not yet. */
static void take_back(struct kc_run *run)
{
	run->strayed |= !run->careful && frozen_changed(run);
	restore_all(run);
}

/* One call from state `from`, whose world, ghost and observation stand ready. */
static void transition(struct kc_run *run, uint32_t from, unsigned int index, const kc_i64 *ghost,
		       const kc_i64 *obs)
{
	const struct kc_call *call = &run->calls[index];
	const struct kc_op *op = op_of(run, call);
	struct outcome out;
	kc_i64 after[MAX_SLOTS];
	uint32_t post[MAX_LIVE];

	run->flight->call = *call;
	run->transitions++;
	run->stopped |= run->transitions == run->options.most_transitions;
	run_call(run, call, &out, post);
	if (run->digesting)
		digest(run, index, &out);
	judge_call(run, from, index, call, ghost, obs, &out, after, weight_of(run, op));
	if (__builtin_expect(out.stray >= 0, 0)) {
		if (goes_on(op) && run->careful)
			adopt_strays(run, from, post);
		take_back(run);
	}
	if (goes_on(op))
		follow(run, from, index, post, op->has_ghost ? after : ghost, out.obs);
}

static void record_path(struct kc_run *run, uint32_t state)
{
	uint32_t parent;
	unsigned int call, length = 0;
	uint32_t at;

	for (at = state; (parent = store_parent(&run->store, at, &call)) != NONE; at = parent)
		if (++length > KC_MAX_PATH) {
			length = 0;
			break;
		}
	run->flight->length = length;
	for (at = state; length && (parent = store_parent(&run->store, at, &call)) != NONE; at = parent)
		run->flight->path[--length] = run->calls[call];
}

static void expand(struct kc_run *run, uint32_t from)
{
	kc_i64 ghost[MAX_SLOTS], obs[MAX_SLOTS];
	unsigned int last;

	enter_state(run, from, ghost);
	run->s->observe(obs);
	if (from && !run->c->within(obs))
		return;	/* the initial state is always explored */
	record_path(run, from);
	last = run->nstate + (store_world_is_new(run, from) ? run->nworld : 0);
	run->weight = run->symmetric ? symmetry_weight(run, ghost, obs) : 1;
	run->world_weight = run->symmetric ? symmetry_weight(run, NULL, obs) : 1;
	run->at = 0;
	if (guard_enter()) {
		unsigned int index = run->order[run->at];

		judge_crash(run, from, index, &run->calls[index], ghost, obs,
			    weight_of(run, op_of(run, &run->calls[index])));
		if (run->digesting)
			digest_crash(run, index);
		take_back(run);
		run->at++;
		guard.running = 1;
	}
	run->flight->running = 1;
	for (; run->at < last && !run->stopped; run->at++) {
		unsigned int index = run->order[run->at];
		const struct kc_call *call = &run->calls[index];

		if (run->c->when(call->op, ghost, obs, call->args) && !never_ends(run, call->op))
			transition(run, from, index, ghost, obs);
	}
	guard_leave();
	run->flight->running = 0;
	flush(run, from);
}

static void report_progress(struct kc_run *run, uint64_t expanded)
{
	run->flight->states = run->store.n;
	run->flight->expanded = expanded;
	run->flight->transitions = run->transitions;
	run->flight->depth = run->depth;
}

static int explore(struct kc_run *run)
{
	uint64_t level_end = run->store.n;

	for (uint64_t i = 0; i < run->store.n; i++) {
		if (i == level_end) {
			run->depth++;
			level_end = run->store.n;
		}
		if (!(i & 255)) {
			report_progress(run, i);
			if (now() > run->deadline)
				return KC_TIME_LIMIT;
		}
		run->careful = i < run->options.careful_states;
		expand(run, i);
		take_back(run);
		if (run->strayed)
			return KC_STRAYED;
		if (run->failed_memory)
			return run->store.n >= run->options.max_states ? KC_STATES_LIMIT
								       : KC_NO_MEMORY;
		if (run->stopped)
			return KC_STOPPED;
	}
	run->depth++;
	return KC_COMPLETE;
}

int kc_explore(struct kc_run *run)
{
	double start = now();

	run->end = explore(run);
	run->careful = 1;
	run->seconds = now() - start;
	report_progress(run, run->store.n);
	return run->end;
}
