/* SPDX-License-Identifier: GPL-2.0-only */
/* What the engine's parts share: one run of one subject against one contract. */
#ifndef KCONFORM_RUN_H
#define KCONFORM_RUN_H

#include <stdint.h>
#include <string.h>

#include "engine.h"
#include "guard.h"
#include "kconform/record.h"
#include "subject.h"

#define MAX_LIVE 96		/* words of 4 bytes that operations change */
#define MAX_ROW (MAX_LIVE + MAX_SLOTS)
#define MOST_MEMBERS 32		/* that may be alike */
#define NONE 0xffffffffu
#define INITIAL 0xffffffffu	/* a slot's call: the initial state itself fails */

/*
 * States. A row holds the live words of the world (those that may change, 4 bytes
 * each), then the ghost in 1, 2 or 4 bytes a value. Rows stand in chunks, which never
 * move; a table of indices finds them.
 */
struct chunk {
	uint32_t *rows, *parent;
	uint16_t *call;
};

struct table {			/* an entry: 5 bits of the hash above 27 bits of index */
	uint32_t *entry;
	uint64_t size, used;
};

struct store {
	struct chunk *chunks;
	unsigned int nchunks, chunk_room;
	uint64_t n;
	int live, ghost_size, ghost_bytes, width;	/* in words, values, bytes a value, words */
	struct table states, worlds;
	uint64_t bytes, most_bytes;
};

/* A successor on its way into the store. */
struct pending {
	uint32_t row[MAX_ROW];
	uint64_t hash;
	unsigned int call;
};

#define PENDING 32

struct saved {			/* the trace of a walk that first failed a check */
	struct kc_call *calls;
	int n;
};

struct kc_run {
	const struct kc_subject *s;
	const struct kc_contract *c;
	struct kc_record *record;
	const struct kc_call *calls;
	unsigned int ncalls;
	struct kc_flight *flight;
	struct kc_options options;
	double deadline, seconds;
	/* the world */
	int words;			/* of 4 bytes */
	uint32_t *world, *initial, *before;
	/* live: the words that may change; foreign: the bits of each that are not the operations' own */
	int nlive, live[MAX_LIVE];
	uint32_t foreign[MAX_LIVE];
	unsigned char *is_live;
	/* the rest: stretches of words that must stay as they are */
	int nfrozen;
	struct frozen {
		int first, words;
	} frozen[MAX_LIVE + 1];
	/* indices of calls: those of every state, and those of every world */
	unsigned int *order, nstate, nworld;
	/* exploration */
	struct store store;
	struct pending pending[PENDING];
	int npending;
	int careful, strayed;		/* see kc_options */
	uint64_t weight, world_weight;	/* states that it stands for */
	volatile unsigned int at;	/* the call that runs, for after a crash */
	uint64_t states, transitions;
	int depth, digesting;
	uint64_t digest[3];		/* see kc_digest() */
	unsigned long long open_possible;
	/* verdicts */
	struct kc_slot *checks, *claims;
	int per_op, nslots, stopped, end;
	/* by operation: calls, those that did not come back, those whose features were looked at */
	uint64_t *called, *lost, *looked;
	unsigned long long *in_common;	/* features of the calls that passed every check */
	/* symmetry */
	int symmetric;
	/* where each bit of an ID stands: live word, bit */
	unsigned char id_bit[KC_MAX_IDS][64][2];
	uint64_t id_bits[KC_MAX_IDS];	/* the bits of an ID that have a place */
	/* walks */
	struct saved *saved;
	struct kc_call *history;
	int nhistory;
	uintptr_t base;			/* where the subject is loaded */
	int failed_memory;
	/* reports of the sanitizer, each place in each operation a slot behind the claims */
	int sanitized, nsites;
	struct site {
		int op;
		unsigned long pc;
	} sites[KC_MAX_SITES];
};

/* One call's outcome, beside the words that it left (run_call's `post`). */
struct outcome {
	kc_i64 obs[MAX_SLOTS], ret;
	unsigned int warnings, rmw, reports;
	int stray;			/* the first byte changed that is not its own, or -1 */
};

/* store.c */
int store_open(struct kc_run *run);
void store_close(struct store *store);
uint32_t *store_row(const struct store *store, uint64_t i);
uint64_t store_hash(const uint32_t *row, int n);
void store_prefetch(const struct store *store, uint64_t hash);
void store_prefetch_row(const struct store *store, uint64_t hash);
/* the index of the row, `*fresh` where it is new; NONE where memory ran out */
uint32_t store_put(struct kc_run *run, const uint32_t *row, uint64_t hash, uint32_t parent,
		   unsigned int call, int *fresh);
/* true where no state before has the same world as state i */
int store_world_is_new(struct kc_run *run, uint64_t i);
int store_add_live(struct kc_run *run, int word);
/* -1 where a value is too large for the rows as they are; store_pack_ghost() makes them wider */
int store_try_ghost(const struct kc_run *run, const kc_i64 *ghost, uint32_t *words);
/* where the frozen words are, after the live ones changed */
void find_frozen(struct kc_run *run);
int store_pack_ghost(struct kc_run *run, const kc_i64 *ghost, uint32_t *words);
void store_unpack_ghost(const struct store *store, const uint32_t *words, kc_i64 *ghost);
uint32_t store_parent(const struct store *store, uint32_t i, unsigned int *call);

/* run.c */
void enter_state(struct kc_run *run, uint64_t i, kc_i64 *ghost);
double now(void);

/* judge.c */
void fail_slot(struct kc_run *run, int slot, uint32_t state, unsigned int call,
	       unsigned long long features, uint64_t weight);
void judge_call(struct kc_run *run, uint32_t from, unsigned int index, const struct kc_call *call,
		const kc_i64 *ghost, const kc_i64 *obs, const struct outcome *out, kc_i64 *after,
		uint64_t weight);
/* The slot of the report at hand, made where it is new; -1 where there are too many. */
int site_slot(struct kc_run *run, int op);
void judge_crash(struct kc_run *run, uint32_t from, unsigned int index, const struct kc_call *call,
		 const kc_i64 *ghost, const kc_i64 *obs, uint64_t weight);
void judge_state(struct kc_run *run, uint32_t from, unsigned int index, const kc_i64 *ghost,
		 const kc_i64 *obs, uint64_t weight);

/* trace.c */
void begin_trace(struct kc_run *run, kc_i64 *ghost);
void commit(struct kc_run *run, const uint32_t *post);

/* symmetry.c */
void symmetry_find(struct kc_run *run);
/* `row` becomes that of the class's kept state; `perm[m]` is what member m is called in it */
void symmetry_class(struct kc_run *run, uint32_t *row, const kc_i64 *ghost, const kc_i64 *obs,
		    unsigned char *perm);
/* how many states this one stands for; without `ghost`, how many worlds */
uint64_t symmetry_weight(const struct kc_run *run, const kc_i64 *ghost, const kc_i64 *obs);

static inline const struct kc_op *op_of(const struct kc_run *run, const struct kc_call *call)
{
	return &run->c->op[call->op];
}

/* Its successors are explored. */
static inline int goes_on(const struct kc_op *op)
{
	return op->kind <= KC_SETUP;
}

/* What it leaves in the world is judged. */
static inline int judges_world(const struct kc_op *op)
{
	return op->kind == KC_OPERATION || op->kind == KC_PROBE;
}

static inline int slot_of(const struct kc_run *run, int op, int check)
{
	return op * run->per_op + check;
}

/* An endless loop costs its whole time slice; one witness of an operation is enough. */
static inline int never_ends(const struct kc_run *run, int op)
{
	const struct kc_slot *crash = &run->checks[slot_of(run, op, run->c->state_size + KC_CRASH)];

	return crash->failed && crash->why == KC_ENDLESS;
}

/* Puts back the live words. */
static inline void restore_live(struct kc_run *run)
{
	for (int k = 0; k < run->nlive; k++)
		run->world[run->live[k]] = run->before[run->live[k]];
}

static inline void restore_all(struct kc_run *run)
{
	memcpy(run->world, run->before, run->words * 4);
}

/* The first byte changed that is not the operations' own. */
int stray_byte(struct kc_run *run, const uint32_t *post);

static inline int frozen_changed(const struct kc_run *run)
{
	for (int i = 0; i < run->nfrozen; i++)
		if (memcmp(run->world + run->frozen[i].first, run->before + run->frozen[i].first,
			   run->frozen[i].words * 4))
			return 1;
	return 0;
}

/*
 * Runs and observes one call; the live words are as before then, what it left is in
 * `post` and `out`. (The frozen words are compared by themselves: what was just
 * written in small pieces would be slow to read in large ones.)
 */

static inline void run_call(struct kc_run *run, const struct kc_call *call, struct outcome *out,
			    uint32_t *post)
{
	struct kc_record *record = run->record;
	uint32_t foreign = 0;

	guard.sequence++;
	record->warnings = 0;
	record->rmw = 0;
	record->reports = 0;
	if (__builtin_expect(run->sanitized, 0)) {
		struct kc_call mine = *call;	/* on the stack, which the sanitizer lets be read */

		record->checking = 1;
		out->ret = run->s->apply(mine.op, mine.args);
		record->checking = 0;
	} else {
		out->ret = run->s->apply(call->op, call->args);
	}
	out->warnings = record->warnings;
	out->rmw = record->rmw;
	out->reports = record->reports;
	run->s->observe(out->obs);
	for (int k = 0; k < run->nlive; k++) {
		uint32_t was = run->before[run->live[k]];

		post[k] = run->world[run->live[k]];
		foreign |= (post[k] ^ was) & run->foreign[k];
		run->world[run->live[k]] = was;
	}
	out->stray = -1;
	if (__builtin_expect(foreign || (run->careful && frozen_changed(run)), 0))
		out->stray = stray_byte(run, post);
}

#endif
