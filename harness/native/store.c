/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The states of an exploration. Memory a state: its row (4 bytes a live word, 1, 2
 * or 4 a ghost value), 6 for parent and call, 5 to 11 in the table of states, and as much
 * again in that of worlds where every state has a world of its own.
 */
#include <stdlib.h>

#include "run.h"

#define CHUNK_BITS 8
#define CHUNK (1u << CHUNK_BITS)
#define INDEX_BITS 27
#define INDEX ((1u << INDEX_BITS) - 1)	/* as an entry: none */
#define MOST_STATES (INDEX - 1)

static void count_bytes(struct kc_run *run, int64_t more)
{
	struct store *store = &run->store;

	store->bytes += more;
	if (store->bytes > store->most_bytes)
		store->most_bytes = store->bytes;
}

static int too_much(const struct kc_run *run, uint64_t more)
{
	return run->options.max_bytes && run->store.bytes + more > run->options.max_bytes;
}

/* A sum of products, which the processor need not compute one after the other. */
uint64_t store_hash(const uint32_t *row, int n)
{
	uint64_t h = 0, factor = 0x9e3779b97f4a7c15u;

	for (int i = 0; i < n; i++, factor += 0xda942042e4dd58b6u)
		h += (row[i] + (factor >> 32)) * factor;
	h ^= h >> 29;
	h *= 0xff51afd7ed558ccdu;
	return h ^ h >> 32;
}

uint32_t *store_row(const struct store *store, uint64_t i)
{
	return store->chunks[i >> CHUNK_BITS].rows + (i & (CHUNK - 1)) * store->width;
}

uint32_t store_parent(const struct store *store, uint32_t i, unsigned int *call)
{
	const struct chunk *chunk = &store->chunks[i >> CHUNK_BITS];

	*call = chunk->call[i & (CHUNK - 1)];
	return chunk->parent[i & (CHUNK - 1)];
}

static uint32_t tagged(uint64_t hash, uint32_t index)
{
	return (uint32_t)(hash >> 59) << INDEX_BITS | index;
}

static int table_resize(struct kc_run *run, struct table *table, uint64_t size, int words)
{
	struct store *store = &run->store;
	uint32_t *entry;

	if (too_much(run, size * 4))
		return -1;
	entry = malloc(size * 4);
	if (!entry)
		return -1;
	count_bytes(run, size * 4);
	memset(entry, 0xff, size * 4);
	for (uint64_t i = 0; i < table->size; i++) {
		uint32_t index = table->entry[i] & INDEX;
		uint64_t hash, at;

		if (index == INDEX)
			continue;
		hash = store_hash(store_row(store, index), words);
		for (at = hash & (size - 1); (entry[at] & INDEX) != INDEX; at = (at + 1) & (size - 1))
			;
		entry[at] = tagged(hash, index);
	}
	free(table->entry);
	count_bytes(run, -(int64_t)table->size * 4);
	table->entry = entry;
	table->size = size;
	return 0;
}

/* The entry of the row, or the free one where it belongs. */
static uint32_t *table_find(const struct store *store, const struct table *table,
			    const uint32_t *row, int words, uint64_t hash)
{
	uint64_t mask = table->size - 1;

	for (uint64_t at = hash & mask;; at = (at + 1) & mask) {
		uint32_t entry = table->entry[at];

		if ((entry & INDEX) == INDEX)
			return &table->entry[at];
		if (entry >> INDEX_BITS == hash >> 59 &&
		    !memcmp(store_row(store, entry & INDEX), row, words * 4))
			return &table->entry[at];
	}
}

static int crowded(const struct table *table)
{
	return table->used * 4 >= table->size * 3;
}

static int add_chunk(struct kc_run *run, struct store *store)
{
	uint64_t size = CHUNK * ((uint64_t)store->width * 4 + 6);
	struct chunk chunk;

	if (too_much(run, size))
		return -1;
	if (store->nchunks == store->chunk_room) {
		unsigned int room = store->chunk_room ? store->chunk_room * 2 : 16;
		void *chunks = realloc(store->chunks, room * sizeof(chunk));

		if (!chunks)
			return -1;
		store->chunks = chunks;
		store->chunk_room = room;
	}
	chunk.rows = malloc(CHUNK * (uint64_t)store->width * 4);
	chunk.parent = malloc(CHUNK * sizeof(*chunk.parent));
	chunk.call = malloc(CHUNK * sizeof(*chunk.call));
	if (!chunk.rows || !chunk.parent || !chunk.call) {
		free(chunk.rows);
		free(chunk.parent);
		free(chunk.call);
		return -1;
	}
	store->chunks[store->nchunks++] = chunk;
	count_bytes(run, size);
	return 0;
}

static void set_width(struct store *store)
{
	store->width = store->live + (store->ghost_size * store->ghost_bytes + 3) / 4;
}

int store_open(struct kc_run *run)
{
	struct store *store = &run->store;

	store->live = run->nlive;
	store->ghost_size = run->c->ghost_size;
	store->ghost_bytes = 1;
	set_width(store);
	return table_resize(run, &store->states, 64, store->width) ||
	       table_resize(run, &store->worlds, 64, store->live);
}

void store_close(struct store *store)
{
	for (unsigned int i = 0; i < store->nchunks; i++) {
		free(store->chunks[i].rows);
		free(store->chunks[i].parent);
		free(store->chunks[i].call);
	}
	free(store->chunks);
	free(store->states.entry);
	free(store->worlds.entry);
}

/* Whole words, put together in a register; what did not fit in, which is 0 where all did. */
static uint64_t put_ghost(const struct store *store, const kc_i64 *ghost, uint32_t *words)
{
	int bits = store->ghost_bytes * 8, at = 0;
	uint64_t mask = ~0ull >> (64 - bits), half = 1ull << (bits - 1), word = 0, lost = 0;

	for (int i = 0; i < store->ghost_size; i++) {
		lost |= (ghost[i] + half) & ~mask;
		word |= (ghost[i] & mask) << at;
		at += bits;
		if (at == 32) {
			*words++ = word;
			word = at = 0;
		}
	}
	if (at)
		*words = word;
	return lost;
}

static void copy_ghost(const struct store *from, const uint32_t *row, const struct store *to,
		       uint32_t *out)
{
	kc_i64 ghost[MAX_SLOTS];

	store_unpack_ghost(from, row + from->live, ghost);
	put_ghost(to, ghost, out + to->live);
}

/* Every row as `to` lays it out; `fill` is the value of a live word that is new. */
static int relayout(struct kc_run *run, struct store to, uint32_t fill)
{
	struct store *store = &run->store;
	sig_atomic_t running = guard.running;
	int failed;

	guard.running = 0;	/* it takes its time, and must not be left halfway */
	set_width(&to);
	for (unsigned int i = 0; i < store->nchunks; i++) {
		uint32_t *rows = calloc(CHUNK * (uint64_t)to.width, 4);

		if (!rows)
			return -1;
		for (unsigned int k = 0; k < CHUNK && i * (uint64_t)CHUNK + k < store->n; k++) {
			const uint32_t *row = store->chunks[i].rows + k * store->width;

			memcpy(rows + k * to.width, row, store->live * 4);
			if (to.live > store->live)
				rows[k * to.width + store->live] = fill;
			copy_ghost(store, row, &to, rows + k * to.width);
		}
		free(store->chunks[i].rows);
		store->chunks[i].rows = rows;
		count_bytes(run, CHUNK * 4 * (int64_t)(to.width - store->width));
	}
	store->live = to.live;
	store->ghost_bytes = to.ghost_bytes;
	store->width = to.width;
	failed = table_resize(run, &store->states, store->states.size, store->width) ||
		 table_resize(run, &store->worlds, store->worlds.size, store->live);
	guard.running = running;
	return failed;
}

/* A word of the world changed for the first time: all states so far had its initial value. */
int store_add_live(struct kc_run *run, int word)
{
	struct store to = run->store;

	if (run->nlive == MAX_LIVE)
		return -1;
	to.live++;
	if (relayout(run, to, run->initial[word]))
		return -1;
	run->foreign[run->nlive] = ~0u;
	run->live[run->nlive++] = word;
	run->is_live[word] = 1;
	find_frozen(run);
	return 0;
}

int store_try_ghost(const struct kc_run *run, const kc_i64 *ghost, uint32_t *words)
{
	return put_ghost(&run->store, ghost, words) ? -1 : 0;
}

int store_pack_ghost(struct kc_run *run, const kc_i64 *ghost, uint32_t *words)
{
	struct store *store = &run->store;

	while (put_ghost(store, ghost, words)) {
		struct store to = *store;

		to.ghost_bytes *= 2;
		if (to.ghost_bytes > 4 || relayout(run, to, 0))
			return -1;
	}
	return 0;
}

void store_unpack_ghost(const struct store *store, const uint32_t *words, kc_i64 *ghost)
{
	for (int i = 0; i < store->ghost_size; i++)
		ghost[i] = store->ghost_bytes == 1 ? ((const int8_t *)words)[i]
			 : store->ghost_bytes == 2 ? ((const int16_t *)words)[i]
						   : ((const int32_t *)words)[i];
}

void store_prefetch(const struct store *store, uint64_t hash)
{
	__builtin_prefetch(&store->states.entry[hash & (store->states.size - 1)]);
}

void store_prefetch_row(const struct store *store, uint64_t hash)
{
	uint32_t entry = store->states.entry[hash & (store->states.size - 1)];

	if ((entry & INDEX) != INDEX)
		__builtin_prefetch(store_row(store, entry & INDEX));
}

uint32_t store_put(struct kc_run *run, const uint32_t *row, uint64_t hash, uint32_t parent,
		   unsigned int call, int *fresh)
{
	struct store *store = &run->store;
	uint32_t *entry = table_find(store, &store->states, row, store->width, hash);
	struct chunk *chunk;

	*fresh = 0;
	if ((*entry & INDEX) != INDEX)
		return *entry & INDEX;
	if (store->n >= MOST_STATES || store->n >= run->options.max_states ||
	    (store->n == (uint64_t)store->nchunks * CHUNK && add_chunk(run, store)))
		return NONE;
	chunk = &store->chunks[store->n >> CHUNK_BITS];
	memcpy(store_row(store, store->n), row, store->width * 4);
	chunk->parent[store->n & (CHUNK - 1)] = parent;
	chunk->call[store->n & (CHUNK - 1)] = call;
	*entry = tagged(hash, store->n);
	*fresh = 1;
	store->n++;
	store->states.used++;
	if (crowded(&store->states) &&
	    table_resize(run, &store->states, store->states.size * 2, store->width))
		run->failed_memory = 1;
	return store->n - 1;
}

int store_world_is_new(struct kc_run *run, uint64_t i)
{
	struct store *store = &run->store;
	const uint32_t *row = store_row(store, i);
	uint64_t hash = store_hash(row, store->live);
	uint32_t *entry = table_find(store, &store->worlds, row, store->live, hash);

	if ((*entry & INDEX) != INDEX)
		return (*entry & INDEX) == i;
	*entry = tagged(hash, i);
	store->worlds.used++;
	if (crowded(&store->worlds) &&
	    table_resize(run, &store->worlds, store->worlds.size * 2, store->live))
		run->failed_memory = 1;
	return 1;
}
