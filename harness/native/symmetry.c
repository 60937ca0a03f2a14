/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * States that differ only by which member (MM) is which. The contract says which
 * observations hold a member's ID and which values of the ghost belong to a member;
 * where an ID stands in the world's bytes is found by turning bits over. Of each class
 * one state is kept.
 *
 * This takes for granted that the code treats all IDs alike. Where the bits of an ID
 * cannot be told apart from everything else, there is no symmetry.
 */
#include "run.h"

static int id_field(const struct kc_run *run, int observation)
{
	const struct kc_symmetry *symmetry = &run->options.symmetry;

	for (int f = 0; f < symmetry->ids; f++)
		if (symmetry->id[f] == observation)
			return f;
	return -1;
}

/* What turning bit `bit` of live word `k` over does to the observations; false: no ID is so. */
static int probe_bit(struct kc_run *run, int k, int bit, const kc_i64 *was)
{
	kc_i64 is[MAX_SLOTS];
	int field = -1, others = 0;
	uint64_t changed = 0;

	run->world[run->live[k]] ^= 1u << bit;
	run->s->observe(is);
	run->world[run->live[k]] ^= 1u << bit;
	for (int i = 0; i < run->c->state_size; i++) {
		int f = id_field(run, i);

		if (is[i] == was[i])
			continue;
		if (f < 0 || field >= 0)
			others++;
		if (f >= 0) {
			field = f;
			changed = is[i] ^ was[i];
		}
	}
	if (field < 0)
		return 1;
	if (others)
		return 0;
	if (changed & (changed - 1))
		return 1;	/* a sign, say; whether IDs are all there is seen when they are written */
	run->id_bits[field] |= changed;
	run->id_bit[field][__builtin_ctzll(changed)][0] = k;
	run->id_bit[field][__builtin_ctzll(changed)][1] = bit;
	return 1;
}

static void write_id(const struct kc_run *run, int field, uint64_t id, uint32_t *row)
{
	for (uint64_t left = run->id_bits[field]; left; left &= left - 1) {
		int b = __builtin_ctzll(left);
		uint32_t bit = 1u << run->id_bit[field][b][1];
		uint32_t *word = &row[run->id_bit[field][b][0]];

		*word = id >> b & 1 ? *word | bit : *word & ~bit;
	}
}

/* Every ID can be written into every field, and is read back from there. */
static int ids_round(struct kc_run *run)
{
	const struct kc_symmetry *symmetry = &run->options.symmetry;
	uint32_t row[MAX_LIVE];
	kc_i64 is[MAX_SLOTS];

	for (int f = 0; f < symmetry->ids; f++) {
		for (int m = 0; m < symmetry->members; m++) {
			for (int k = 0; k < run->nlive; k++)
				row[k] = run->before[run->live[k]];
			write_id(run, f, symmetry->value[m], row);
			for (int k = 0; k < run->nlive; k++)
				run->world[run->live[k]] = row[k];
			run->s->observe(is);
			restore_live(run);
			if (is[symmetry->id[f]] != symmetry->value[m])
				return 0;
		}
	}
	return 1;
}

/* Sets run->symmetric where the initial world shows where the IDs are. */
void symmetry_find(struct kc_run *run)
{
	kc_i64 was[MAX_SLOTS];

	run->s->observe(was);
	for (int k = 0; k < run->nlive; k++)
		for (int bit = 0; bit < 32; bit++)
			if (!probe_bit(run, k, bit, was))
				return;
	run->symmetric = ids_round(run);
}

/* What member m has: negative, zero, positive as it stands before, beside or behind member n. */
static int compare(const struct kc_run *run, const kc_i64 *ghost, const kc_i64 *obs, int m, int n)
{
	const struct kc_symmetry *symmetry = &run->options.symmetry;

	for (int f = 0; f < symmetry->ids; f++) {
		kc_i64 id = obs[symmetry->id[f]];
		int d = (id == symmetry->value[n]) - (id == symmetry->value[m]);

		if (d)
			return d;
	}
	for (int t = 0; ghost && t < symmetry->tuples; t++) {
		kc_i64 of_m = ghost[symmetry->tuple[t] + m], of_n = ghost[symmetry->tuple[t] + n];

		if (of_m != of_n)
			return of_m > of_n ? -1 : 1;
	}
	return 0;
}

static void sort(const struct kc_run *run, const kc_i64 *ghost, const kc_i64 *obs,
		 unsigned char *order)
{
	for (int i = 0; i < run->options.symmetry.members; i++) {
		int at = i;

		for (; at && compare(run, ghost, obs, i, order[at - 1]) < 0; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
}

/* `perm[m]` is the place of member m among the sorted. */
static void sorted_places(const struct kc_run *run, const kc_i64 *ghost, const kc_i64 *obs,
			  unsigned char *perm)
{
	unsigned char order[MOST_MEMBERS];

	sort(run, ghost, obs, order);
	for (int i = 0; i < run->options.symmetry.members; i++)
		perm[order[i]] = i;
}

static void rename_members(const struct kc_run *run, const unsigned char *perm, uint32_t *row,
			   kc_i64 *ghost, const kc_i64 *obs)
{
	const struct kc_symmetry *symmetry = &run->options.symmetry;
	kc_i64 was[MAX_SLOTS];

	memcpy(was, ghost, run->c->ghost_size * sizeof(*was));
	for (int t = 0; t < symmetry->tuples; t++)
		for (int m = 0; m < symmetry->members; m++)
			ghost[symmetry->tuple[t] + perm[m]] = was[symmetry->tuple[t] + m];
	for (int f = 0; f < symmetry->ids; f++)
		for (int m = 0; m < symmetry->members; m++)
			if (obs[symmetry->id[f]] == symmetry->value[m]) {
				write_id(run, f, symmetry->value[perm[m]], row);
				break;
			}
}

/*
 * Which member stands where in the kept state is drawn by the hash of the class's world:
 * so that code which does not treat all IDs alike meets many arrangements of them, and
 * states with the same world keep the same one.
 */
static void mix_places(const struct kc_run *run, uint64_t hash, unsigned char *perm)
{
	unsigned char place[MOST_MEMBERS];
	int members = run->options.symmetry.members;

	for (int i = 0; i < members; i++)
		place[i] = i;
	for (int i = members - 1; i > 0; i--) {
		int with = (hash >> 16) % (i + 1);
		unsigned char kept = place[i];

		place[i] = place[with];
		place[with] = kept;
		hash = hash * 0xff51afd7ed558ccdu + 0x9e3779b97f4a7c15u;
	}
	for (int m = 0; m < members; m++)
		perm[m] = place[perm[m]];
}

void symmetry_class(struct kc_run *run, uint32_t *row, const kc_i64 *ghost, const kc_i64 *obs,
		    unsigned char *perm)
{
	kc_i64 renamed[MAX_SLOTS];
	uint32_t sorted[MAX_LIVE];

	memcpy(sorted, row, run->nlive * 4);
	memcpy(renamed, ghost, run->c->ghost_size * sizeof(*ghost));
	sorted_places(run, ghost, obs, perm);
	rename_members(run, perm, sorted, renamed, obs);
	mix_places(run, store_hash(sorted, run->nlive), perm);
	memcpy(renamed, ghost, run->c->ghost_size * sizeof(*ghost));
	rename_members(run, perm, row, renamed, obs);
	store_pack_ghost(run, renamed, row + run->nlive);
}

uint64_t symmetry_weight(const struct kc_run *run, const kc_i64 *ghost, const kc_i64 *obs)
{
	unsigned char order[MOST_MEMBERS];
	uint64_t weight = 1, alike = 1;

	sort(run, ghost, obs, order);
	for (int i = 1; i < run->options.symmetry.members; i++) {
		alike = compare(run, ghost, obs, order[i - 1], order[i]) ? 1 : alike + 1;
		weight = weight * (i + 1) / alike;
	}
	return weight;
}
