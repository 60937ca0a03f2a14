/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two subjects driven together, breadth-first over the product of their worlds: each
 * call is made on both, and what the contracts observe is compared. A call is made
 * where both contracts allow it. After a difference it goes on from where both are.
 */
#include <stdlib.h>

#include "run.h"

#define BLOCK 1024u		/* rows of a chunk of the store */
#define ENDLESS 8	/* calls of an operation that never end, after which it is called no more */

struct side {			/* what one call did to one subject */
	struct outcome out;
	int why;		/* it did not come back */
	uint32_t post[MAX_LIVE];
	kc_i64 ghost[MAX_SLOTS];	/* after it */
	struct kc_verdict said;
	int nstrays, strays[MAX_LIVE];	/* words that it changed and that were no state yet */
};

struct kc_pair {
	struct kc_run *run[2];
	const struct kc_call *calls;	/* of the first; the second's differ in the operation's number */
	unsigned int ncalls, *order, nstate;	/* see order_calls() */
	const struct kc_pair_op *ops;	/* by the first's number */
	struct kc_pair_options o;
	/* pairs of states: live words of both, then both ghosts, two words a value */
	uint32_t **chunks, *table, *worlds;	/* tables of whole rows, and of their worlds alone */
	uint64_t n, chunk_room, table_size, bytes;
	int width, ghost_at;
	int checks;			/* of an operation: compared observations, then KC_EXTRA */
	struct kc_pair_slot *slots;
	struct kc_pair_claim *claims;	/* [contract][side][64] */
	uint64_t *looked;
	unsigned long long *in_common;
	unsigned char *endless, *endless_call;	/* by operation how many calls, by call whether */
	uint64_t transitions;
	int depth;
	uint64_t careful;		/* see kc_options */
	double seconds;
	/* where it stands */
	kc_i64 ghost[2][MAX_SLOTS], obs[2][MAX_SLOTS];
	unsigned long long apart;	/* observations that differ already */
	struct side side[2];
	/* of a random walk */
	struct kc_call *history;
	int nhistory;
};

/* Of a row behind its words: the pair that it came from, the call, and whether both observe the same. */
enum { PARENT, CALL, BEHIND };

static uint32_t *pair_row(const struct kc_pair *pair, uint64_t i)
{
	return pair->chunks[i / BLOCK] + (i % BLOCK) * (pair->width + BEHIND);
}

static kc_i64 member(const struct kc_pair *pair, int side, kc_i64 value)
{
	for (int m = 0; m < pair->o.members; m++)
		if (pair->o.value[side][m] == value)
			return m;
	return -1;
}

/* One value as both have it: equal, or the ID of the same member. */
static int same_value(const struct kc_pair *pair, int is_id, kc_i64 first, kc_i64 second)
{
	kc_i64 m = is_id ? member(pair, 0, first) : -1;

	return m < 0 && (!is_id || member(pair, 1, second) < 0) ? first == second
								: m == member(pair, 1, second);
}

static unsigned long long compare_states(const struct kc_pair *pair, const kc_i64 *first,
					 const kc_i64 *second)
{
	unsigned long long bits = 0;

	for (int i = 0; i < pair->o.nobs; i++)
		if (!same_value(pair, pair->o.is_id[i], first[pair->o.obs[0][i]],
				second[pair->o.obs[1][i]]))
			bits |= 1ull << i;
	return bits;
}

/* The observation of `side` as contract `other` would have it. */
static void translated(const struct kc_pair *pair, int side, const kc_i64 *obs, kc_i64 *out)
{
	int other = !side;

	for (int i = 0; i < pair->o.nobs; i++) {
		kc_i64 value = obs[pair->o.obs[side][i]];
		kc_i64 m = pair->o.is_id[i] ? member(pair, side, value) : -1;

		out[pair->o.obs[other][i]] = m < 0 ? value : pair->o.value[other][m];
	}
}

/* The store. */

/* Where in a table the row of these words is, or would be. */
static uint32_t *entry_of(const struct kc_pair *pair, uint32_t *table, const uint32_t *row, int width)
{
	uint64_t at = store_hash(row, width) & (pair->table_size - 1);

	while (table[at] != NONE && memcmp(pair_row(pair, table[at]), row, width * 4))
		at = (at + 1) & (pair->table_size - 1);
	return &table[at];
}

static int grow_tables(struct kc_pair *pair)
{
	uint64_t was = pair->table_size, size = was ? was * 2 : 1 << 14;
	uint32_t *old = pair->worlds, *table = malloc(size * 4), *worlds = malloc(size * 4);

	if (!table || !worlds) {
		free(table);
		free(worlds);
		return -1;
	}
	memset(table, 0xff, size * 4);
	memset(worlds, 0xff, size * 4);
	pair->table_size = size;
	for (uint64_t i = 0; i < pair->n; i++)
		*entry_of(pair, table, pair_row(pair, i), pair->width) = i;
	for (uint64_t i = 0; i < was; i++)
		if (old[i] != NONE)
			*entry_of(pair, worlds, pair_row(pair, old[i]), pair->ghost_at) = old[i];
	free(pair->table);
	free(old);
	pair->bytes += (size - was) * 8;
	pair->table = table;
	pair->worlds = worlds;
	return 0;
}

/* Whether no pair that was expanded before has the same worlds as pair i. */
static int worlds_are_new(struct kc_pair *pair, uint64_t i)
{
	uint32_t *entry = entry_of(pair, pair->worlds, pair_row(pair, i), pair->ghost_at);

	if (*entry != NONE)
		return 0;
	*entry = i;
	return 1;
}

/* A row; NONE where memory ran out. */
static uint32_t pair_put(struct kc_pair *pair, const uint32_t *row, uint32_t parent, unsigned int call,
			 int *fresh)
{
	uint32_t *entry;

	if (pair->n * 2 >= pair->table_size && grow_tables(pair))
		return NONE;
	entry = entry_of(pair, pair->table, row, pair->width);
	*fresh = *entry == NONE;
	if (!*fresh)
		return *entry;
	if (pair->n >= pair->o.max_states || pair->bytes > pair->o.max_bytes)
		return NONE;
	if (pair->n % BLOCK == 0) {
		uint64_t size = BLOCK * (pair->width + BEHIND) * 4ull;

		if (pair->n / BLOCK == pair->chunk_room) {
			uint64_t room = pair->chunk_room * 2 + 16;
			uint32_t **chunks = realloc(pair->chunks, room * sizeof(*chunks));

			if (!chunks)
				return NONE;
			pair->chunks = chunks;
			pair->chunk_room = room;
		}
		pair->chunks[pair->n / BLOCK] = malloc(size);
		if (!pair->chunks[pair->n / BLOCK])
			return NONE;
		pair->bytes += size;
	}
	*entry = pair->n;
	memcpy(pair_row(pair, pair->n), row, pair->width * 4);
	pair_row(pair, pair->n)[pair->width + PARENT] = parent;
	pair_row(pair, pair->n)[pair->width + CALL] = call;
	return pair->n++;
}

static void put_ghosts(const struct kc_pair *pair, kc_i64 *const ghosts[2], uint32_t *row)
{
	row += pair->ghost_at;
	for (int i = 0; i < 2; i++) {
		int size = pair->run[i]->c->ghost_size;

		memcpy(row, ghosts[i], size * sizeof(kc_i64));
		row += size * 2;
	}
}

/* What a subject shows of its world; false where it does not come back. */
static int observe_side(struct kc_run *run, kc_i64 *obs)
{
	if (guard_enter())
		return 0;
	run->s->observe(obs);
	guard_leave();
	return 1;
}

/* Both worlds, ghosts and observations as in pair `at`. */
static int enter_pair(struct kc_pair *pair, uint64_t at)
{
	const uint32_t *row = pair_row(pair, at), *ghosts = row + pair->ghost_at;

	for (int i = 0; i < 2; i++) {
		struct kc_run *run = pair->run[i];

		memcpy(run->before, run->initial, run->words * 4);
		for (int k = 0; k < run->nlive; k++)
			run->before[run->live[k]] = *row++;
		restore_all(run);
		memcpy(pair->ghost[i], ghosts, run->c->ghost_size * sizeof(kc_i64));
		ghosts += run->c->ghost_size * 2;
		if (!observe_side(run, pair->obs[i]))
			return -1;
	}
	pair->apart = compare_states(pair, pair->obs[0], pair->obs[1]);
	return 0;
}

/* One call. */

static void note_strays(struct kc_run *run, struct side *side)
{
	for (int w = 0; w < run->words && side->nstrays < MAX_LIVE; w++)
		if (run->world[w] != run->before[w] && !run->is_live[w])
			side->strays[side->nstrays++] = w;
}

static void run_side(struct kc_run *run, const struct kc_call *call, struct side *side)
{
	side->why = 0;
	side->nstrays = 0;
	run->flight->call = *call;
	run->flight->running = 1;
	if (guard_enter()) {
		side->why = guard_end.why;
		run->flight->running = 0;
		restore_all(run);
		return;
	}
	run_call(run, call, &side->out, side->post);
	guard_leave();
	run->flight->running = 0;
	if (side->out.stray >= 0) {
		note_strays(run, side);
		restore_all(run);
	}
}

/* What the two did otherwise than each other: a bit each observation, then those of KC_EXTRA. */
static unsigned long long differences(const struct kc_pair *pair, const struct kc_pair_op *op, int kind)
{
	const struct side *first = &pair->side[0], *second = &pair->side[1];
	int n = pair->o.nobs;
	unsigned long long bits = 0;

	if (first->why || second->why)
		return (unsigned long long)(first->why != second->why) << (n + KC_CRASH);
	if (kind == KC_SETUP)
		return 0;
	if (kind != KC_MISUSE) {
		bits = compare_states(pair, first->out.obs, second->out.obs);
		bits |= (unsigned long long)((first->out.stray >= 0) != (second->out.stray >= 0))
			<< (n + KC_ELSEWHERE);
	}
	if (op->returns && first->out.ret != second->out.ret)
		bits |= 1ull << (n + KC_RETURN);
	bits |= (unsigned long long)(!first->out.warnings != !second->out.warnings)
		<< (n + KC_WARNINGS);
	return bits;
}

/* A check of the comparison as one of a side's own verdict. */
static int own_bit(const struct kc_pair *pair, int side, int check)
{
	int n = pair->o.nobs;

	return check < n ? pair->o.obs[side][check]
			 : pair->run[side]->c->state_size + check - n;
}

static void first_witness(struct kc_pair *pair, struct kc_witness *witness, uint32_t from,
			  unsigned int call)
{
	witness->found = 1;
	witness->state = from;
	witness->call = call;
	if (!pair->history)
		return;
	witness->calls = malloc(pair->nhistory * sizeof(*witness->calls));
	if (!witness->calls)
		return;
	memcpy(witness->calls, pair->history, pair->nhistory * sizeof(*witness->calls));
	witness->ncalls = pair->nhistory;
}

static void note_pair(struct kc_pair *pair, uint32_t from, unsigned int index, const struct kc_call *call,
		      unsigned long long bits)
{
	struct kc_pair_slot *slots = &pair->slots[call->op * pair->checks];
	unsigned long long features = 0;

	if (bits || pair->looked[call->op] < 65536)
		features = pair->run[0]->c->feature(call->op, pair->ghost[0], pair->obs[0], call->args);
	if (!bits && pair->looked[call->op]++ < 65536)
		pair->in_common[call->op] &= features;
	for (int k = 0; bits && k < pair->checks; k++) {
		struct kc_pair_slot *slot = &slots[k];

		if (!(bits >> k & 1)) {
			slot->pass_all &= features;
			continue;
		}
		if (k < pair->o.nobs && pair->apart >> k & 1) {
			slot->stayed++;
			continue;
		}
		slot->parted++;
		slot->fail_all &= features;
		for (int i = 0; i < 2; i++)
			slot->against[i] += pair->side[i].why ? 0
				: pair->side[i].said.diff >> own_bit(pair, i, k) & 1;
		slot->states += slot->last_state != from + 1ull;
		slot->last_state = from + 1ull;
		if (!slot->first.found)
			first_witness(pair, &slot->first, from, index);
		if (!pair->apart && !slot->root.found)
			first_witness(pair, &slot->root, from, index);
	}
}

static struct kc_pair_claim *claim_of(struct kc_pair *pair, int contract, int side, int bit)
{
	return &pair->claims[(contract * 2 + side) * 64 + bit];
}

static void note_claims(struct kc_pair *pair, int contract, int side, unsigned long long broken,
			unsigned long long witnessed, uint32_t from, unsigned int index)
{
	int always = pair->run[contract]->c->always;
	unsigned long long bits = broken | (always < 64 ? witnessed << always : 0);

	for (; bits; bits &= bits - 1) {
		struct kc_pair_claim *claim = claim_of(pair, contract, side, __builtin_ctzll(bits));

		if (!claim->failed++)
			first_witness(pair, &claim->first, from, index);
	}
}

/* What each contract says of what each side did. */
static void judge_pair(struct kc_pair *pair, uint32_t from, unsigned int index,
		       const struct kc_call call[2])
{
	for (int i = 0; i < 2; i++) {
		struct side *side = &pair->side[i];
		const struct kc_contract *own = pair->run[i]->c, *other = pair->run[!i]->c;
		kc_i64 before[MAX_SLOTS], after[MAX_SLOTS], ghost[MAX_SLOTS];

		memcpy(side->ghost, pair->ghost[i], own->ghost_size * sizeof(*ghost));
		if (side->why)
			continue;
		side->said = own->judge(call[i].op, pair->ghost[i], pair->obs[i], call[i].args,
					side->out.obs, side->out.ret, side->out.warnings,
					side->out.rmw, side->ghost);
		note_claims(pair, i, i, side->said.broken, 0, from, index);
		if (!pair->o.cross)
			continue;
		translated(pair, i, pair->obs[i], before);
		translated(pair, i, side->out.obs, after);
		memcpy(ghost, pair->ghost[!i], other->ghost_size * sizeof(*ghost));
		note_claims(pair, !i, i,
			    other->judge(call[!i].op, pair->ghost[!i], before, call[!i].args, after,
					 side->out.ret, side->out.warnings, side->out.rmw,
					 ghost).broken, 0, from, index);
	}
}

/* The claims that are properties of a state, of a pair that is new. */
static void judge_pair_states(struct kc_pair *pair, uint32_t from, unsigned int index,
			      kc_i64 *const ghosts[2], kc_i64 *const obs[2])
{
	for (int i = 0; i < 2; i++) {
		const struct kc_contract *own = pair->run[i]->c, *other = pair->run[!i]->c;
		struct kc_state_verdict said = own->states(ghosts[i], obs[i]);
		kc_i64 seen[MAX_SLOTS];

		note_claims(pair, i, i, said.broken, said.witnessed, from, index);
		if (!pair->o.cross)
			continue;
		translated(pair, i, obs[i], seen);
		said = other->states(ghosts[!i], seen);
		note_claims(pair, !i, i, said.broken, said.witnessed, from, index);
	}
}

static int legal_in(const struct kc_pair *pair, int i, const struct kc_call *call)
{
	return pair->run[i]->c->when(call->op, pair->ghost[i], pair->obs[i], call->args);
}

/* The counts of an operation. */
static struct kc_pair_slot *counts_of(struct kc_pair *pair, int op)
{
	return &pair->slots[op * pair->checks];
}

/* The same call for both, of walks without an index; false where it is not to be made. */
static int both_legal(struct kc_pair *pair, unsigned int index, const struct kc_call *call,
		      struct kc_call both[2])
{
	int first, second, endless = pair->endless[call->op] >= ENDLESS ||
				     (index != NONE && pair->endless_call[index]);

	both[0] = both[1] = *call;
	both[1].op = pair->ops[call->op].second;
	first = legal_in(pair, 0, &both[0]);
	second = legal_in(pair, 1, &both[1]);
	counts_of(pair, call->op)->one_sided += first != second;
	counts_of(pair, call->op)->skipped += first && second && endless;
	return first && second && !endless;
}

/* Runs and compares one call where the pair stands; what is new of it is noted. */
static int pair_call(struct kc_pair *pair, uint32_t from, unsigned int index, const struct kc_call both[2])
{
	int kind = op_of(pair->run[0], &both[0])->kind;
	struct kc_pair_slot *counts = counts_of(pair, both[0].op);
	int failed = 0, endless = 0;

	pair->transitions++;
	counts->called++;
	for (int i = 0; i < 2; i++) {
		run_side(pair->run[i], &both[i], &pair->side[i]);
		failed |= pair->side[i].why;
		endless |= pair->side[i].why == KC_ENDLESS;
		counts->shim[i] += pair->side[i].why == KC_SHIM_STOP;
	}
	if (endless && pair->endless[both[0].op] < ENDLESS)
		pair->endless[both[0].op]++;
	if (endless && !pair->history)
		pair->endless_call[index] = 1;
	if (pair->side[0].why == KC_SHIM_STOP || pair->side[1].why == KC_SHIM_STOP)
		return 0;
	counts->back += !failed;
	/* What the contract itself prepares is no behaviour; where it does not make the same of both,
	 * as where a bit of a word is another one, what follows could not be compared. */
	if (kind == KC_SETUP && !failed &&
	    compare_states(pair, pair->side[0].out.obs, pair->side[1].out.obs) & ~pair->apart) {
		counts->unlike++;
		return 0;
	}
	judge_pair(pair, from, index, both);
	note_pair(pair, from, index, &both[0], differences(pair, &pair->ops[both[0].op], kind));
	return !failed && goes_on(op_of(pair->run[0], &both[0])) &&
	       goes_on(op_of(pair->run[1], &both[1]));
}

/* Words that changed and are no state yet become state; more of them than there is room for end it all. */
static int adopt(struct kc_pair *pair)
{
	int found = KC_COMPLETE;

	for (int i = 0; i < 2; i++)
		for (int k = 0; k < pair->side[i].nstrays; k++) {
			if (store_add_live(pair->run[i], pair->side[i].strays[k]))
				return KC_NO_MEMORY;
			found = KC_STRAYED;
		}
	return found;
}

static void record_pair_path(struct kc_pair *pair, uint32_t at)
{
	for (int i = 0; i < 2; i++) {
		struct kc_flight *flight = pair->run[i]->flight;
		uint32_t state;
		unsigned int length = 0;

		for (state = at; state; state = pair_row(pair, state)[pair->width + PARENT])
			length++;
		flight->length = length > KC_MAX_PATH ? 0 : length;
		for (state = at; flight->length && state;
		     state = pair_row(pair, state)[pair->width + PARENT]) {
			struct kc_call *call = &flight->path[--length];

			*call = pair->calls[pair_row(pair, state)[pair->width + CALL]];
			call->op = i ? pair->ops[call->op].second : call->op;
		}
	}
}

static int expand_pair(struct kc_pair *pair, uint32_t from)
{
	uint32_t row[2 * MAX_LIVE + 4 * MAX_SLOTS];
	unsigned int last;

	if (enter_pair(pair, from))
		return KC_COMPLETE;
	for (int i = 0; from && i < 2; i++)
		if (!pair->run[i]->c->within(pair->obs[i]))
			return KC_COMPLETE;
	record_pair_path(pair, from);
	last = worlds_are_new(pair, from) ? pair->ncalls : pair->nstate;
	for (unsigned int number = 0; number < last; number++) {
		unsigned int index = pair->order[number];
		kc_i64 *ghosts[2] = { pair->ghost[0], pair->ghost[1] }, *obs[2];
		struct kc_call both[2];
		uint32_t *at = row;
		int fresh, adopted;

		if (!both_legal(pair, index, &pair->calls[index], both) ||
		    !pair_call(pair, from, index, both))
			continue;
		adopted = adopt(pair);
		if (adopted != KC_COMPLETE)
			return adopted;
		for (int i = 0; i < 2; i++) {
			memcpy(at, pair->side[i].post, pair->run[i]->nlive * 4);
			at += pair->run[i]->nlive;
			obs[i] = pair->side[i].out.obs;
			if (op_of(pair->run[i], &both[i])->has_ghost)
				ghosts[i] = pair->side[i].ghost;
		}
		put_ghosts(pair, ghosts, row);
		if (pair_put(pair, row, from, index, &fresh) == NONE)
			return pair->n >= pair->o.max_states ? KC_STATES_LIMIT : KC_NO_MEMORY;
		if (fresh)
			judge_pair_states(pair, from, index, ghosts, obs);
	}
	return KC_COMPLETE;
}

static void forget(struct kc_pair *pair)
{
	int ops = pair->run[0]->s->ops, claims = 2 * 2 * 64;

	for (uint64_t i = 0; i < pair->n; i += BLOCK)
		free(pair->chunks[i / BLOCK]);
	pair->n = pair->bytes = pair->transitions = 0;
	pair->depth = 0;
	if (pair->table) {
		memset(pair->table, 0xff, pair->table_size * 4);
		memset(pair->worlds, 0xff, pair->table_size * 4);
		pair->bytes = pair->table_size * 8;
	}
	memset(pair->slots, 0, ops * pair->checks * sizeof(*pair->slots));
	memset(pair->claims, 0, claims * sizeof(*pair->claims));
	memset(pair->looked, 0, ops * sizeof(*pair->looked));
	memset(pair->in_common, 0xff, ops * sizeof(*pair->in_common));
	memset(pair->endless, 0, ops);
	memset(pair->endless_call, 0, pair->ncalls);
	for (int i = 0; i < ops * pair->checks; i++)
		pair->slots[i].fail_all = pair->slots[i].pass_all = ~0ull;
	pair->ghost_at = pair->run[0]->nlive + pair->run[1]->nlive;
	pair->width = pair->ghost_at +
		      2 * (pair->run[0]->c->ghost_size + pair->run[1]->c->ghost_size);
}

/* The first pair: both as they are initialised. */
static int first_pair(struct kc_pair *pair)
{
	uint32_t row[2 * MAX_LIVE + 4 * MAX_SLOTS], *at = row;
	kc_i64 *ghosts[2] = { pair->ghost[0], pair->ghost[1] };
	kc_i64 *obs[2] = { pair->obs[0], pair->obs[1] };
	int fresh;

	for (int i = 0; i < 2; i++) {
		struct kc_run *run = pair->run[i];

		for (int k = 0; k < run->nlive; k++)
			*at++ = run->initial[run->live[k]];
		run->c->ghost_init(pair->ghost[i]);
	}
	put_ghosts(pair, ghosts, row);
	if (pair_put(pair, row, NONE, 0, &fresh) == NONE || enter_pair(pair, 0))
		return -1;
	judge_pair_states(pair, 0, INITIAL, ghosts, obs);
	return 0;
}

static int explore_pairs(struct kc_pair *pair, double deadline)
{
	uint64_t level_end = pair->n;

	for (uint64_t i = 0; i < pair->n; i++) {
		int end;

		if (i == level_end) {
			pair->depth++;
			level_end = pair->n;
		}
		if (!(i & 63) && now() > deadline)
			return KC_TIME_LIMIT;
		for (int k = 0; k < 2; k++)
			pair->run[k]->careful = i < pair->careful;
		end = expand_pair(pair, i);
		for (int k = 0; k < 2; k++) {
			if (i >= pair->careful && frozen_changed(pair->run[k])) {
				pair->careful = UINT64_MAX;	/* what strays is looked for each call */
				end = KC_STRAYED;
			}
			restore_all(pair->run[k]);
		}
		if (end != KC_COMPLETE)
			return end;
	}
	pair->depth++;
	return KC_COMPLETE;
}

/* Calls that do the same in every pair of states with the same worlds come last. */
static void order_calls(struct kc_pair *pair)
{
	unsigned int n = 0;

	for (int of_worlds = 0; of_worlds <= 1; of_worlds++) {
		for (unsigned int i = 0; i < pair->ncalls; i++) {
			const struct kc_op *first = op_of(pair->run[0], &pair->calls[i]);
			const struct kc_op *second =
				&pair->run[1]->c->op[pair->ops[pair->calls[i].op].second];

			if ((!goes_on(first) && !first->uses_ghost && !second->uses_ghost) == of_worlds)
				pair->order[n++] = i;
		}
		pair->nstate = of_worlds ? pair->nstate : n;
	}
}

struct kc_pair *kc_pair_open(struct kc_run *first, struct kc_run *second, const struct kc_call *calls,
			     unsigned int ncalls, const struct kc_pair_op *ops,
			     const struct kc_pair_options *options)
{
	struct kc_pair *pair = calloc(1, sizeof(*pair));
	int nops = first->s->ops + 1;

	if (!pair)
		return NULL;
	pair->run[0] = first;
	pair->run[1] = second;
	pair->calls = calls;
	pair->ncalls = ncalls;
	pair->ops = ops;
	pair->o = *options;
	pair->checks = options->nobs + KC_EXTRA;
	pair->careful = first->options.careful_states;
	pair->slots = calloc(nops * pair->checks, sizeof(*pair->slots));
	pair->claims = calloc(2 * 2 * 64, sizeof(*pair->claims));
	pair->looked = calloc(nops, sizeof(*pair->looked));
	pair->in_common = calloc(nops, sizeof(*pair->in_common));
	pair->endless = calloc(nops, 1);
	pair->order = calloc(ncalls + 1, sizeof(*pair->order));
	pair->endless_call = calloc(ncalls + 1, 1);
	if (!pair->order || !pair->slots || !pair->claims || !pair->looked || !pair->in_common ||
	    !pair->endless || !pair->endless_call)
		return NULL;
	order_calls(pair);
	return pair;
}

int kc_pair_explore(struct kc_pair *pair)
{
	double start = now(), deadline = start + pair->o.seconds;
	int end;

	do {	/* again, where words turn out to be state that were not known as such */
		forget(pair);
		if (first_pair(pair))
			return KC_STRAYED;	/* not even the initial worlds can be observed */
		end = explore_pairs(pair, deadline);
	} while (end == KC_STRAYED);
	for (int k = 0; k < 2; k++)
		pair->run[k]->careful = 1;
	for (int op = 0; op < pair->run[0]->s->ops; op++)
		for (int k = 0; k < pair->checks; k++)
			pair->slots[op * pair->checks + k].pass_all &= pair->in_common[op];
	pair->seconds = now() - start;
	return end;
}

/* Both at the beginning of a trace; false where that cannot even be observed. */
static int begin_pair(struct kc_pair *pair)
{
	for (int i = 0; i < 2; i++) {
		begin_trace(pair->run[i], pair->ghost[i]);
		if (!observe_side(pair->run[i], pair->obs[i]))
			return 0;
	}
	pair->apart = compare_states(pair, pair->obs[0], pair->obs[1]);
	return 1;
}

/* From here on both are what the last call left. */
static void go_on(struct kc_pair *pair, const struct kc_call both[2])
{
	for (int i = 0; i < 2; i++) {
		commit(pair->run[i], pair->side[i].post);
		if (op_of(pair->run[i], &both[i])->has_ghost)
			memcpy(pair->ghost[i], pair->side[i].ghost, sizeof(pair->ghost[i]));
		memcpy(pair->obs[i], pair->side[i].out.obs, sizeof(pair->obs[i]));
	}
	pair->apart = compare_states(pair, pair->obs[0], pair->obs[1]);
}

/*
 * A random walk of both, in wide domains, as kc_walk() goes: what differs from a pair that
 * observes the same is kept with its trace, which then ends.
 */
int kc_pair_walk(struct kc_pair *pair, const struct kc_draw *draws, int ndraws,
		 unsigned long long seed, unsigned long long steps, int length)
{
	struct walker walker = { .draws = draws, .ndraws = ndraws, .random = seed, .left = steps };
	double deadline = now() + pair->o.seconds;

	forget(pair);
	pair->history = malloc(length * sizeof(*pair->history));
	while (walker.operations < ndraws &&
	       goes_on(&pair->run[0]->c->op[draws[walker.operations].op]))
		walker.operations++;
	while (pair->history && walker.operations && walker.left && walker.idle < IDLE) {
		int tries = 0, n = 0;

		if (now() > deadline)
			return KC_TIME_LIMIT;
		choose(&walker);
		if (!begin_pair(pair))
			return KC_STRAYED;
		while (n < length && walker.left && tries < TRIES) {
			struct kc_call both[2];

			draw(&walker, &pair->history[n]);
			if (!both_legal(pair, NONE, &pair->history[n], both)) {
				tries++;
				continue;
			}
			tries = 0;
			walker.left--;
			for (int i = 0; i < 2; i++) {
				pair->run[i]->flight->path[n] = both[i];
				pair->run[i]->flight->length = n;
			}
			pair->nhistory = n + 1;
			if (!pair_call(pair, pair->transitions, 0, both)) {
				if (pair->side[0].why || pair->side[1].why)
					break;
				continue;
			}
			go_on(pair, both);
			n++;
			if (pair->apart || !pair->run[0]->c->within(pair->obs[0]) ||
			    !pair->run[1]->c->within(pair->obs[1]))
				break;
		}
		walker.idle = n ? 0 : walker.idle + 1;
	}
	free(pair->history);
	pair->history = NULL;
	return KC_COMPLETE;
}

/* Whether a trace ends in a difference of `check` in its last operation: the calls that it takes, or 0. */
int kc_pair_try(struct kc_pair *pair, const struct kc_call *calls, int n, int slot)
{
	int op = slot / pair->checks;

	forget(pair);
	if (!begin_pair(pair))
		return 0;
	for (int k = 0; k < n; k++) {
		struct kc_call both[2];
		int goes;

		if (!both_legal(pair, NONE, &calls[k], both) ||
		    (k && (!pair->run[0]->c->within(pair->obs[0]) ||
			   !pair->run[1]->c->within(pair->obs[1]))))
			return 0;
		goes = pair_call(pair, k, 0, both);
		if (calls[k].op == op && pair->slots[slot].parted)
			return k + 1;
		if (pair->side[0].why || pair->side[1].why)
			return 0;
		if (!goes)
			continue;
		go_on(pair, both);
	}
	return 0;
}

/* The indices of the calls up to and with a witness; their number, or -1. */
int kc_pair_trace(struct kc_pair *pair, const struct kc_witness *witness, struct kc_call *out)
{
	unsigned int length = 0;
	uint32_t at;

	if (!witness->found)
		return -1;
	if (witness->calls) {
		memcpy(out, witness->calls, witness->ncalls * sizeof(*out));
		return witness->ncalls;
	}
	if (witness->call == INITIAL)
		return 0;
	for (at = witness->state; at; at = pair_row(pair, at)[pair->width + PARENT])
		length++;
	if (length + 1 > KC_MAX_PATH)
		return -1;
	out[length] = pair->calls[witness->call];
	for (unsigned int i = length, at = witness->state; i-- > 0;
	     at = pair_row(pair, at)[pair->width + PARENT])
		out[i] = pair->calls[pair_row(pair, at)[pair->width + CALL]];
	return length + 1;
}

unsigned long long kc_pair_states(struct kc_pair *pair)
{
	return pair->n;
}

unsigned long long kc_pair_transitions(struct kc_pair *pair)
{
	return pair->transitions;
}

int kc_pair_depth(struct kc_pair *pair)
{
	return pair->depth;
}

unsigned long long kc_pair_apart(struct kc_pair *pair)
{
	return begin_pair(pair) ? pair->apart : 0;
}

struct kc_pair_slot *kc_pair_slots(struct kc_pair *pair)
{
	return pair->slots;
}

struct kc_pair_claim *kc_pair_claims(struct kc_pair *pair)
{
	return pair->claims;
}
