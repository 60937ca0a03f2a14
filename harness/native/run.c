/* SPDX-License-Identifier: GPL-2.0-only */
/* A run is opened and closed; its world is entered, and watched for what is not its own. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

#include "run.h"

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Puts state i into the world, `before` and the ghost; the observation is the caller's. */
void enter_state(struct kc_run *run, uint64_t i, kc_i64 *ghost)
{
	const uint32_t *row = store_row(&run->store, i);

	memcpy(run->before, run->initial, run->words * 4);
	for (int k = 0; k < run->nlive; k++)
		run->before[run->live[k]] = row[k];
	restore_all(run);
	store_unpack_ghost(&run->store, row + run->nlive, ghost);
}

int stray_byte(struct kc_run *run, const uint32_t *post)
{
	for (int w = 0; w < run->words; w++) {
		uint32_t changed = run->world[w] ^ run->before[w];

		for (int k = 0; run->is_live[w] && k < run->nlive; k++)
			if (run->live[k] == w)
				changed = (post[k] ^ run->before[w]) & run->foreign[k];
		if (changed)
			return w * 4 + __builtin_ctz(changed) / 8;
	}
	return -1;
}

void find_frozen(struct kc_run *run)
{
	run->nfrozen = 0;
	for (int w = 0, first = 0; w <= run->words; w++) {
		if (w < run->words && !run->is_live[w])
			continue;
		if (w > first)
			run->frozen[run->nfrozen++] = (struct frozen){ first, w - first };
		first = w + 1;
	}
}

/* The words that operations may change, and the bits in them that they may not. */
static int find_live(struct kc_run *run)
{
	const unsigned char *owned = run->s->owned;

	for (int w = 0; w < run->words; w++) {
		uint32_t own = 0;

		for (int b = 0; b < 4 && w * 4 + b < run->s->world_size; b++)
			own |= owned[w * 4 + b] ? 0xffu << b * 8 : 0;
		if (!own)
			continue;
		if (run->nlive == MAX_LIVE)
			return -1;
		run->is_live[w] = 1;
		run->foreign[run->nlive] = ~own;
		run->live[run->nlive++] = w;
	}
	find_frozen(run);
	return 0;
}

static int open_world(struct kc_run *run)
{
	const struct kc_subject *s = run->s;

	run->words = (s->world_size + 7) / 8 * 2;
	run->world = s->world;
	run->initial = calloc(run->words, 4);
	run->before = calloc(run->words, 4);
	run->is_live = calloc(run->words, 1);
	if (!run->initial || !run->before || !run->is_live)
		return -1;
	guard_open(s);
	s->init();
	memcpy(run->initial, run->world, run->words * 4);
	memcpy(run->before, run->world, run->words * 4);
	return find_live(run);
}

/* Calls that do the same in every state with the same world come last. */
static int open_calls(struct kc_run *run)
{
	run->order = malloc((run->ncalls + 1) * sizeof(*run->order));
	if (!run->order)
		return -1;
	for (int of_world = 0; of_world <= 1; of_world++) {
		for (unsigned int i = 0; i < run->ncalls; i++) {
			const struct kc_op *op = op_of(run, &run->calls[i]);

			if ((!goes_on(op) && !op->uses_ghost) == of_world)
				run->order[run->nstate + run->nworld++] = i;
		}
		if (!of_world) {
			run->nstate = run->nworld;
			run->nworld = 0;
		}
	}
	return 0;
}

static int open_verdicts(struct kc_run *run)
{
	int ops = run->s->ops;

	run->per_op = run->c->state_size + KC_EXTRA;
	run->nslots = ops * run->per_op + run->c->always + run->c->possible;
	run->checks = calloc(run->nslots + KC_MAX_SITES, sizeof(*run->checks));
	run->saved = calloc(run->nslots + KC_MAX_SITES, sizeof(*run->saved));
	run->called = calloc(ops + 1, sizeof(*run->called));
	run->lost = calloc(ops + 1, sizeof(*run->lost));
	run->looked = calloc(ops + 1, sizeof(*run->looked));
	run->in_common = malloc((ops + 1) * sizeof(*run->in_common));
	if (!run->checks || !run->saved || !run->called || !run->lost || !run->looked ||
	    !run->in_common)
		return -1;
	memset(run->in_common, 0xff, (ops + 1) * sizeof(*run->in_common));
	run->claims = run->checks + ops * run->per_op;
	for (int i = 0; i < run->nslots + KC_MAX_SITES; i++)
		run->checks[i].fail_all = run->checks[i].pass_all = ~0ull;
	run->open_possible = run->c->possible ? ~0ull >> (64 - run->c->possible) : 0;
	return 0;
}

/* The initial state is the first of the store, and judged like every other. */
static int open_states(struct kc_run *run)
{
	kc_i64 ghost[MAX_SLOTS], obs[MAX_SLOTS];
	uint32_t row[MAX_ROW];
	int fresh;

	if (store_open(run))
		return -1;
	for (int k = 0; k < run->nlive; k++)
		row[k] = run->initial[run->live[k]];
	run->c->ghost_init(ghost);
	if (store_pack_ghost(run, ghost, row + run->nlive) ||
	    store_put(run, row, store_hash(row, run->store.width), NONE, 0, &fresh) == NONE)
		return -1;
	run->states = 1;
	if (guard_enter())
		return 0;	/* the first step of any trace says so */
	run->s->observe(obs);
	if (run->options.symmetry.members)
		symmetry_find(run);
	guard_leave();
	judge_state(run, 0, INITIAL, ghost, obs, 1);
	return 0;
}

int kc_prepare(const void *subject)
{
	return guard_prepare(subject);
}

struct kc_run *kc_open(const void *subject, const void *contract, const struct kc_call *calls,
		       unsigned int ncalls, struct kc_flight *flight, const struct kc_options *options)
{
	struct kc_run *run = calloc(1, sizeof(*run));
	Dl_info where;

	if (!run)
		return NULL;
	run->s = subject;
	run->c = contract;
	if (run->s->state_size > MAX_SLOTS || run->c->ghost_size > MAX_SLOTS ||
	    ncalls > UINT16_MAX || run->c->possible > 63 || run->c->always > 63)
		return NULL;
	run->record = run->s->record;
	run->sanitized = run->s->sanitizer != NULL;
	if (dladdr((void *)run->s->init, &where))
		run->base = (uintptr_t)where.dli_fbase;
	run->calls = calls;
	run->ncalls = ncalls;
	run->flight = flight;
	run->options = *options;
	run->digesting = options->stop_at_first || options->digest;
	run->careful = 1;
	run->deadline = now() + options->seconds;
	if (open_world(run) || open_calls(run) || open_verdicts(run) || open_states(run))
		return NULL;
	return run;
}

void kc_close(struct kc_run *run)
{
	store_close(&run->store);
	for (int i = 0; i < run->nslots + KC_MAX_SITES; i++)
		free(run->saved[i].calls);
	free(run->saved);
	free(run->checks);
	free(run->called);
	free(run->lost);
	free(run->looked);
	free(run->in_common);
	free(run->initial);
	free(run->before);
	free(run->is_live);
	free(run->order);
	free(run);
}
