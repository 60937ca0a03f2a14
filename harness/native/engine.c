/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exhaustive exploration of a subject: breadth-first over the world's own bytes
 * together with the ghost, each transition judged by the translated contract.
 *
 * A state is kept as the words of the world that ever differed from the initial
 * world ("live" words), and the ghost in 16 bits a value. Memory a state: 8 for
 * each live word, 2 for each ghost value, 6 for parent and call, 8 for the hash.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine.h"
#include "guard.h"
#include "kconform/record.h"
#include "subject.h"

#define MAX_LIVE 64
#define NONE 0xffffffffu

struct kc_run {
	const struct kc_subject *s;
	const struct kc_call *calls;
	unsigned int ncalls;
	struct kc_flight *flight;
	unsigned long long max_states;
	double deadline;
	/* the world */
	int words, nlive;
	uint64_t *world, *initial, *before;
	int live[MAX_LIVE];
	unsigned char *is_live, *owned;
	/* states */
	uint64_t n, capacity;
	uint64_t *rows;		/* [capacity][MAX live allocated + ghost words] */
	int width, live_room, ghost_words;
	uint32_t *parent, *table;
	uint16_t *call;
	uint64_t mask;
	unsigned long long transitions;
	struct kc_slot *checks, *claims;
	int per_op;
	uintptr_t base;		/* where the subject is loaded */
	int failed_memory;
};

static uint64_t hash(const uint64_t *row, int n)
{
	uint64_t h = 0x9e3779b97f4a7c15u;

	for (int i = 0; i < n; i++) {
		h = (h ^ row[i]) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	return h;
}

static uint64_t *row_of(struct kc_run *run, uint64_t i)
{
	return run->rows + i * run->width;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static int rehash(struct kc_run *run, uint64_t size)
{
	uint32_t *table = malloc(size * sizeof(*table));

	if (!table)
		return -1;
	memset(table, 0xff, size * sizeof(*table));
	for (uint64_t i = 0; i < run->n; i++) {
		uint64_t at = hash(row_of(run, i), run->width) & (size - 1);

		while (table[at] != NONE)
			at = (at + 1) & (size - 1);
		table[at] = i;
	}
	free(run->table);
	run->table = table;
	run->mask = size - 1;
	return 0;
}

static int grow(struct kc_run *run)
{
	uint64_t capacity = run->capacity ? run->capacity * 2 : 1024;
	void *rows = realloc(run->rows, capacity * run->width * 8);
	void *parent, *call;

	if (!rows)
		return -1;
	run->rows = rows;
	parent = realloc(run->parent, capacity * sizeof(*run->parent));
	if (!parent)
		return -1;
	run->parent = parent;
	call = realloc(run->call, capacity * sizeof(*run->call));
	if (!call)
		return -1;
	run->call = call;
	run->capacity = capacity;
	return rehash(run, capacity * 2);
}

/* A word of the world changed for the first time: all states so far had its initial value. */
static int add_live(struct kc_run *run, int word)
{
	if (run->nlive == MAX_LIVE)
		return -1;
	if (run->nlive == run->live_room) {
		int room = run->live_room + 2, width = room + run->ghost_words;
		uint64_t *rows = calloc(run->capacity * width, 8);

		if (!rows)
			return -1;
		for (uint64_t i = 0; i < run->n; i++) {
			memcpy(rows + i * width, row_of(run, i), run->live_room * 8);
			memcpy(rows + i * width + room, row_of(run, i) + run->live_room,
			       run->ghost_words * 8);
		}
		free(run->rows);
		run->rows = rows;
		run->live_room = room;
		run->width = width;
	}
	for (uint64_t i = 0; i < run->n; i++)
		row_of(run, i)[run->nlive] = run->initial[word];
	run->live[run->nlive++] = word;
	run->is_live[word] = 1;
	return rehash(run, run->mask + 1);
}

static void pack_ghost(const struct kc_run *run, const kc_i64 *ghost, uint64_t *words)
{
	memset(words, 0, run->ghost_words * 8);
	for (int i = 0; i < run->s->ghost_size; i++)
		((int16_t *)words)[i] = ghost[i];
}

static void unpack_ghost(const struct kc_run *run, const uint64_t *words, kc_i64 *ghost)
{
	for (int i = 0; i < run->s->ghost_size; i++)
		ghost[i] = ((const int16_t *)words)[i];
}

/* Puts state i into the world and the ghost; the observation is the caller's. */
static void enter(struct kc_run *run, uint64_t i, kc_i64 *ghost)
{
	const uint64_t *row = row_of(run, i);

	memcpy(run->before, run->initial, run->words * 8);
	for (int k = 0; k < run->nlive; k++)
		run->before[run->live[k]] = row[k];
	memcpy(run->world, run->before, run->words * 8);
	unpack_ghost(run, row + run->live_room, ghost);
}

/* The state that the world and `ghost` are, known or new; NONE when there is no memory. */
static void remember(struct kc_run *run, const kc_i64 *ghost, uint32_t parent, unsigned int call)
{
	uint64_t row[MAX_LIVE + MAX_SLOTS] = { 0 }, at;

	for (int w = 0; w < run->words; w++)
		if (run->world[w] != run->before[w] && !run->is_live[w] && add_live(run, w)) {
			run->failed_memory = 1;
			return;
		}
	for (int k = 0; k < run->nlive; k++)
		row[k] = run->world[run->live[k]];
	pack_ghost(run, ghost, row + run->live_room);
	at = hash(row, run->width) & run->mask;
	while (run->table[at] != NONE) {
		if (!memcmp(row_of(run, run->table[at]), row, run->width * 8))
			return;
		at = (at + 1) & run->mask;
	}
	if (run->n == run->capacity) {
		if (grow(run)) {
			run->failed_memory = 1;
			return;
		}
		at = hash(row, run->width) & run->mask;
		while (run->table[at] != NONE)
			at = (at + 1) & run->mask;
	}
	memcpy(row_of(run, run->n), row, run->width * 8);
	run->parent[run->n] = parent;
	run->call[run->n] = call;
	run->table[at] = run->n++;
}

static void judge(struct kc_slot *slot, int ok, uint32_t state, unsigned int call, kc_i64 got,
		  kc_i64 want, unsigned long long features)
{
	slot->compared++;
	if (ok) {
		slot->pass_all &= features;
		slot->pass_none &= ~features;
		return;
	}
	slot->fail_all &= features;
	slot->fail_none &= ~features;
	if (slot->failed++)
		return;
	slot->state = state;
	slot->call = call;
	slot->got = got;
	slot->want = want;
}

/* The first byte outside of what the contract owns that the operation changed, or -1. */
static int changed_elsewhere(const struct kc_run *run)
{
	const unsigned char *is = (void *)run->world, *was = (void *)run->before;

	for (int w = 0; w < run->words; w++) {
		if (run->world[w] == run->before[w])
			continue;
		for (int b = w * 8; b < w * 8 + 8; b++)
			if (is[b] != was[b] && !run->owned[b])
				return b;
	}
	return -1;
}

static void crashed(struct kc_slot *slot, uint32_t state, unsigned int call,
		    unsigned long long features)
{
	if (!slot->failed) {
		slot->why = guard_end.why;
		slot->signal = guard_end.signal;
		slot->pc = guard_end.pc;
	}
	judge(slot, 0, state, call, guard_end.why, 0, features);
}

static void judge_claims(struct kc_run *run, unsigned long long bits, int first, int count,
			 uint32_t state, unsigned int call, kc_i64 rmw)
{
	for (int i = 0; i < count; i++)
		judge(&run->claims[first + i], !(bits >> i & 1), state, call, rmw, 0, 0);
}

/* One call from state `from`, whose world, ghost and observation stand ready. */
static void transition(struct kc_run *run, uint32_t from, unsigned int index, const kc_i64 *ghost,
		       const kc_i64 *obs)
{
	const struct kc_subject *s = run->s;
	const struct kc_call *call = &run->calls[index];
	const struct kc_op *op = &s->op[call->op];
	struct kc_slot *slots = run->checks + call->op * run->per_op, *extra = slots + s->state_size;
	unsigned long long features = s->feature(call->op, ghost, obs, call->args);
	kc_i64 got[MAX_SLOTS], want[MAX_SLOTS], after[MAX_SLOTS], ret = 0;
	struct kc_record seen;
	int due = op->has_warns && s->warns(call->op, ghost, obs, call->args), stray;

	/* An endless loop costs its whole time slice; one witness of an operation is enough. */
	if (extra[KC_CRASH].failed && extra[KC_CRASH].why == KC_ENDLESS)
		return;
	run->flight->call = index;
	run->flight->running = 1;
	run->transitions++;
	if (guard_apply(s, call, -1, got, &ret, &seen)) {
		crashed(&extra[KC_CRASH], from, index, features);
		run->flight->running = 0;
		return;
	}
	run->flight->running = 0;
	judge(&extra[KC_CRASH], 1, from, index, 0, 0, features);
	judge(&extra[KC_WARNINGS], !seen.warnings == !due, from, index, seen.warnings, due, features);
	if (op->kind == KC_MISUSE)
		return;
	s->model(call->op, obs, call->args, want);
	for (int i = 0; i < s->state_size; i++)
		judge(&slots[i], got[i] == want[i], from, index, got[i], want[i], features);
	if (op->has_ret) {
		kc_i64 expected = s->returns(call->op, obs, call->args);

		judge(&extra[KC_RETURN], ret == expected, from, index, ret, expected, features);
	}
	stray = changed_elsewhere(run);
	judge(&extra[KC_ELSEWHERE], stray < 0, from, index, stray, -1, features);
	if (op->kind == KC_PROBE)
		return;
	s->ghost(call->op, ghost, call->args, after);
	judge_claims(run, s->broken(call->op, after, obs, got, seen.rmw), 0, s->always, from, index,
		     seen.rmw);
	judge_claims(run, s->witnessed(after, obs, got, seen.rmw), s->always, s->possible, from,
		     index, seen.rmw);
	remember(run, after, from, index);
}

static void record_path(struct kc_run *run, uint32_t state)
{
	int length = kc_path(run, state, run->flight->path);

	run->flight->length = length < 0 ? 0 : length;
}

static void expand(struct kc_run *run, uint32_t from)
{
	kc_i64 ghost[MAX_SLOTS], obs[MAX_SLOTS];

	record_path(run, from);
	enter(run, from, ghost);
	run->s->observe(obs);
	if (!run->s->within(obs))
		return;
	for (unsigned int i = 0; i < run->ncalls; i++) {
		const struct kc_call *call = &run->calls[i];

		if (!run->s->when(call->op, ghost, obs, call->args))
			continue;
		memcpy(run->world, run->before, run->words * 8);
		transition(run, from, i, ghost, obs);
	}
}

static void blank(struct kc_slot *slots, int n)
{
	for (int i = 0; i < n; i++)
		slots[i] = (struct kc_slot){ .fail_all = ~0ull, .fail_none = ~0ull,
					     .pass_all = ~0ull, .pass_none = ~0ull };
}

struct kc_run *kc_open(const void *subject, const struct kc_call *calls, unsigned int ncalls,
		       struct kc_flight *flight, unsigned long long max_states, double seconds)
{
	const struct kc_subject *s = subject;
	struct kc_run *run = calloc(1, sizeof(*run));
	kc_i64 ghost[MAX_SLOTS];
	Dl_info where;

	if (!run || s->state_size > MAX_SLOTS || s->ghost_size > MAX_SLOTS || ncalls > UINT16_MAX)
		return NULL;
	run->s = s;
	if (dladdr((void *)s->init, &where))
		run->base = (uintptr_t)where.dli_fbase;
	run->calls = calls;
	run->ncalls = ncalls;
	run->flight = flight;
	run->max_states = max_states;
	run->deadline = now() + seconds;
	run->words = (s->world_size + 7) / 8;
	run->world = s->world;
	run->initial = calloc(run->words, 8);
	run->before = calloc(run->words, 8);
	run->is_live = calloc(run->words, 1);
	run->owned = calloc(run->words, 8);
	run->ghost_words = (s->ghost_size + 3) / 4;
	run->live_room = 4;
	run->width = run->live_room + run->ghost_words;
	run->per_op = s->state_size + KC_EXTRA;
	run->checks = calloc(s->ops * run->per_op, sizeof(*run->checks));
	run->claims = calloc(s->always + s->possible + 1, sizeof(*run->claims));
	if (!run->initial || !run->before || !run->is_live || !run->owned || !run->checks ||
	    !run->claims || grow(run))
		return NULL;
	memcpy(run->owned, s->owned, s->world_size);
	blank(run->checks, s->ops * run->per_op);
	blank(run->claims, s->always + s->possible);
	guard_open(s->record);
	s->init();
	memcpy(run->initial, run->world, run->words * 8);
	memcpy(run->before, run->initial, run->words * 8);
	s->ghost_init(ghost);
	remember(run, ghost, NONE, 0);
	return run;
}

int kc_explore(struct kc_run *run)
{
	for (uint64_t i = 0; i < run->n; i++) {
		if (run->failed_memory)
			return KC_NO_MEMORY;
		if (run->n > run->max_states)
			return KC_STATES_LIMIT;
		if (!(i & 255) && now() > run->deadline)
			return KC_TIME_LIMIT;
		expand(run, i);
	}
	return run->failed_memory ? KC_NO_MEMORY : KC_COMPLETE;
}

unsigned long long kc_states(struct kc_run *run)
{
	return run->n;
}

unsigned long long kc_transitions(struct kc_run *run)
{
	return run->transitions;
}

struct kc_slot *kc_checks(struct kc_run *run)
{
	return run->checks;
}

struct kc_slot *kc_claims(struct kc_run *run)
{
	return run->claims;
}

int kc_path(struct kc_run *run, unsigned int state, int *path)
{
	int length = 0;

	for (uint32_t i = state; run->parent[i] != NONE; i = run->parent[i])
		if (length++ == KC_MAX_PATH)
			return -1;
	for (int k = length; k-- > 0; state = run->parent[state])
		path[k] = run->call[state];
	return length;
}

int kc_state(struct kc_run *run, unsigned int state, long long *obs, long long *ghost)
{
	if (state >= run->n)
		return -1;
	enter(run, state, ghost);
	run->s->observe(obs);
	return 0;
}

/* One step of a trace, for the report: from the initial world when `first`. */
int kc_step(struct kc_run *run, int first, const struct kc_call *call, int watched,
	    struct kc_step *step)
{
	struct kc_record seen = { 0 };
	kc_i64 ret = 0;

	memset(step, 0, sizeof(*step));
	if (first) {
		memcpy(run->world, run->initial, run->words * 8);
		memcpy(run->before, run->initial, run->words * 8);
	}
	memcpy(run->before, run->world, run->words * 8);
	step->why = guard_apply(run->s, call, watched, step->got, &ret, &seen);
	if (watched >= 0 && guard_end.changed)
		step->changed_pc = guard_end.changed - run->base;
	step->signal = step->why ? guard_end.signal : 0;
	step->pc = step->why ? guard_end.pc - run->base : 0;
	step->ret = ret;
	step->warnings = seen.warnings;
	step->rmw = seen.rmw;
	step->elsewhere = step->why ? -1 : changed_elsewhere(run);
	if (seen.first) {
		step->macro = seen.first->macro;
		step->condition = seen.first->condition;
		step->file = seen.first->file;
		step->line = seen.first->line;
	}
	return step->why;
}

/* The translated contract's word on one transition, so that Python can be held against it. */
void kc_judge(struct kc_run *run, const struct kc_call *call, const long long *ghost,
	      const long long *before, const long long *after, long long rmw, long long *next,
	      long long *next_ghost, long long *out)
{
	const struct kc_subject *s = run->s;
	const struct kc_op *op = &s->op[call->op];

	out[0] = s->when(call->op, ghost, before, call->args);
	out[1] = op->has_warns ? s->warns(call->op, ghost, before, call->args) : 0;
	out[2] = op->has_ret ? s->returns(call->op, before, call->args) : 0;
	out[3] = out[4] = 0;
	if (op->kind != KC_MISUSE)
		s->model(call->op, before, call->args, next);
	if (op->kind != KC_OPERATION)
		return;
	s->ghost(call->op, ghost, call->args, next_ghost);
	out[3] = s->broken(call->op, next_ghost, before, after, rmw);
	out[4] = s->witnessed(next_ghost, before, after, rmw);
}
