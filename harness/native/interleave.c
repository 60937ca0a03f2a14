/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls as threads: fibers of one OS thread, of which one runs at a time, from one access
 * that others can see to the next. Who goes on is decided by schedules.c; what comes of
 * each step is here: order, races, locks, delayed stores.
 *
 * A step is an access to a word that some thread writes (which words these are is learned:
 * an execution in which one more turns up is begun again), since all others are as good as
 * private. Taking a lock is one step, made when the bits that the shim said are clear.
 *
 * Delayed stores (KC_TSO, KC_RELAXED): each waits in its thread's buffer, which is a proc
 * of its own. While a thread runs, memory is as that thread sees it.
 */
#include <stdlib.h>

#include "interleave.h"

#define SECTION_AT (1ull << 62)		/* a lock that is no word of the world: no such address is */
#define REPEATS 8			/* turns of a loop without a pause, after which it waits */

static struct kc_threads *weaving;	/* hooks have no other way to it */

/* ---- Memory. ---- */

static inline unsigned int word_hash(uintptr_t word)
{
	return (word * 0x9e3779b97f4a7c15u >> 40) % (MOST_WORDS * 4);
}

static inline int word_slot(const struct kc_threads *t, uintptr_t word)
{
	unsigned int h = word_hash(word);

	for (; t->slot[h] >= 0; h = (h + 1) % (MOST_WORDS * 4))
		if (t->word[t->slot[h]] == word)
			return t->slot[h];
	return -1;
}

static void learn_word(struct kc_threads *t, uintptr_t word)
{
	unsigned int h = word_hash(word);

	if (word_slot(t, word) >= 0)
		return;
	t->learned = 1;
	if (t->nwords == MOST_WORDS) {
		t->failed_memory = 1;
		return;
	}
	while (t->slot[h] >= 0)
		h = (h + 1) % (MOST_WORDS * 4);
	t->slot[h] = t->nwords;
	t->word[t->nwords++] = word;
}

static inline int is_shared(const struct kc_threads *t, uintptr_t at, unsigned int size)
{
	for (uintptr_t word = at >> 3; word <= (at + size - 1) >> 3; word++)
		if (word_slot(t, word) >= 0)
			return 1;
	return 0;
}

static int section_held(const struct kc_threads *t, uintptr_t at)
{
	for (int i = 0; i < t->nsections; i++)
		if (t->section[i].at == at)
			return 1;
	return 0;
}

/* What everyone sees at `at`; between steps memory is that. */
static inline uint64_t load(const struct kc_threads *t, uintptr_t at, unsigned int size)
{
	uint64_t value = 0;

	if (at & SECTION_AT)
		return section_held(t, at);
	memcpy(&value, (void *)at, size < 8 ? size : 8);
	return value;
}

static inline void store(uintptr_t at, unsigned int size, uint64_t value)
{
	memcpy((void *)at, &value, size < 8 ? size : 8);
}

/* What a thread sees there, with its delayed stores. */
static uint64_t seen_by(const struct kc_threads *t, const struct thread *me, uintptr_t at, unsigned int size)
{
	uint64_t value = load(t, at, size);

	for (int i = 0; i < me->ndelayed && size <= 8; i++)
		for (unsigned int b = 0; b < me->delayed[i].size; b++) {
			uintptr_t byte = me->delayed[i].at + b - at;

			if (byte < size)
				value = (value & ~(0xffull << byte * 8)) |
					(me->delayed[i].value >> b * 8 & 0xff) << byte * 8;
		}
	return value;
}

/* Memory as thread `me` sees it, with its delayed stores. */
static void put_on(struct kc_threads *t, struct thread *me)
{
	for (int i = 0; i < t->nwords; i++)
		memcpy(&t->global[i], (void *)(t->word[i] << 3), 8);
	for (int i = 0; i < me->ndelayed; i++)
		store(me->delayed[i].at, me->delayed[i].size, me->delayed[i].value);
}

/* The value of its newest store, which may be in pieces, is there, now that it was made. */
static inline void fill(struct thread *me)
{
	for (int i = me->ndelayed - 1; i >= 0 && !me->delayed[i].filled; i--) {
		struct delayed *last = &me->delayed[i];

		last->value = 0;
		memcpy(&last->value, (void *)last->at, last->size);
		last->filled = 1;
	}
}

/* What its read-modify-write stored, where it made one; before it stores there again. */
static inline void keep_stored(const struct kc_threads *t, struct thread *me)
{
	const struct access *a = me->open >= 0 ? &t->event[me->open].access : NULL;

	if (me->kept || !a || !(a->kind & KC_WRITE) || !a->size || a->at & SECTION_AT)
		return;
	me->stored = load(t, a->at, a->size);
	me->kept = 1;
}

/* Memory as everyone sees it; what its read-modify-write stored is among that. */
static void take_off(struct kc_threads *t, struct thread *me)
{
	const struct access *a = me->open >= 0 ? &t->event[me->open].access : NULL;

	keep_stored(t, me);
	fill(me);
	for (int i = 0; i < t->nwords; i++)
		memcpy((void *)(t->word[i] << 3), &t->global[i], 8);
	if (me->kept)
		store(a->at, a->size, me->stored);
	me->kept = 0;
}

/* The buffer in which a thread's store waits; -1: there are too many. */
static int buffer_of(struct kc_threads *t, int thread, uintptr_t at)
{
	uintptr_t key = t->options.memory == KC_TSO ? 0 : at;
	int proc = KC_MOST_THREADS;

	while (proc < t->nprocs && (t->buffer[proc].thread != thread || t->buffer[proc].key != key))
		proc++;
	if (proc == MOST_PROCS)
		return -1;
	if (proc == t->nprocs) {
		t->buffer[proc].thread = thread;
		t->buffer[proc].key = key;
		t->buffer[proc].used = 0;
		t->nprocs++;
	}
	if (t->buffer[proc].used != t->begun) {
		t->buffer[proc].used = t->begun;
		t->buffer[proc].rank = t->nused++;
	}
	return proc;
}

static inline int overlaps(const struct delayed *d, uintptr_t at, unsigned int size)
{
	return d->at < at + size && at < d->at + d->size;
}

/* The oldest store in a buffer, where it may become visible now; -1. */
static int ripe(const struct kc_threads *t, int proc)
{
	const struct thread *me = &t->thread[t->buffer[proc].thread];

	for (int i = 0; i < me->ndelayed; i++) {
		const struct delayed *d = &me->delayed[i];

		if (d->proc != proc)
			continue;
		/* Release: all that was stored before is visible; a fence: what was before it. */
		if (i && (d->kind & KC_RELEASE || me->delayed[0].epoch < d->epoch))
			return -1;
		/* Stores to the same bytes keep their order. */
		for (int k = 0; k < i; k++)
			if (overlaps(&me->delayed[k], d->at, d->size))
				return -1;
		return i;
	}
	return -1;
}

/* ---- What is found. ---- */

/* How many steps show it; 0: all that there will be. A step that is being made is one of them. */
static int steps_needed(const struct kc_threads *t, int kind)
{
	if (kind == KC_WAITER)
		return t->n + 1;
	return kind == KC_RACE || kind == KC_MOMENT || kind == KC_NOT_HELD ? t->n : 0;
}

int threads_note(struct kc_threads *t, int kind, uintptr_t pc0, uintptr_t pc1, int which)
{
	struct kc_found *f;
	int i;

	pc0 -= pc0 ? t->run->base : 0;
	pc1 -= pc1 ? t->run->base : 0;
	for (i = 0; i < t->nfound; i++) {
		f = &t->found[i];
		if (f->kind == kind && f->which == which && f->memory == t->options.memory &&
		    ((f->pc[0] == pc0 && f->pc[1] == pc1) || (f->pc[0] == pc1 && f->pc[1] == pc0)))
			break;
	}
	if (t->target >= 0) {
		if (i == t->target && !t->target_met) {
			t->target_met = 1;
			t->upto[i] = steps_needed(t, kind);
		}
		return -1;
	}
	if (i == KC_FOUND || (i == t->nfound && ((kind == KC_RACE && t->nkind[kind] >= MOST_PAIRS) ||
						 (kind == KC_WAITER && t->nkind[kind] >= MOST_WAITERS)))) {
		t->dropped |= 1 << kind;
		return -1;
	}
	f = &t->found[i];
	if (i == t->nfound) {
		t->nkind[kind]++;
		memset(f, 0, sizeof(*f) - sizeof(f->schedule));
		f->kind = kind;
		f->which = which;
		f->memory = t->options.memory;
		f->pc[0] = pc0;
		f->pc[1] = pc1;
		f->scenario = t->number;
		f->length = -1;		/* the schedule is known when the execution ends */
		t->upto[i] = steps_needed(t, kind);
		t->nfound++;
	}
	if (t->seen[i] != t->executions + 1)
		f->executions++;
	t->seen[i] = t->executions + 1;
	return i;
}

/* ---- Order of steps. ---- */

static inline void join(uint16_t *into, const uint16_t *from, int n)
{
	for (int i = 0; i < n; i++)
		if (into[i] < from[i])
			into[i] = from[i];
}

static void note_race(struct kc_threads *t, int first, int second)
{
	if (t->nraces < MOST_RACES)
		t->races[t->nraces++] = (struct race){ first, second };
	else
		t->failed_memory = 1;
}

/* What an access was: a read-modify-write that failed is a marked read (atomic_t.txt). */
static inline unsigned int was(const struct event *e)
{
	return e->access.kind & ~(e->failed ? KC_WRITE : 0u);
}

static inline int races(const struct event *a, const struct event *b)
{
	const unsigned int both = was(a) & was(b), any = was(a) | was(b);

	return !(both & KC_MARKED) && !(any & (KC_IGNORED | KC_SECTION)) && any & KC_WRITE;
}

/* Whether an access may have left another value; of more than 8 bytes that is not looked at. */
static inline int stores_another(const struct event *e)
{
	return was(e) & KC_WRITE && (e->access.size > 8 || e->before != e->after);
}

/* The races with the event that was open, now that it is known what it did. */
static void note_data_races(struct kc_threads *t)
{
	for (int i = 0; i < t->nhits; i++) {
		const struct event *a = &t->event[t->hits[i].first], *b = &t->event[t->hits[i].second];
		int before = t->nfound, found;

		if (!races(a, b))
			continue;
		found = threads_note(t, KC_RACE, a->access.pc, b->access.pc, 0);
		if (found < 0)
			continue;
		if (t->nfound > before) {
			t->found[found].access[0] = was(a);
			t->found[found].access[1] = was(b);
		}
		t->found[found].changed |= stores_another(a) || stores_another(b);
	}
	t->nhits = 0;
}

/* A read of `e` met what `from` wrote: what that orders. */
static void synchronise(struct thread *me, struct event *e, const uint16_t *published)
{
	if (!(e->access.kind & KC_READ) || !(e->access.kind & KC_MARKED))
		return;
	join(e->access.kind & KC_ACQUIRE ? me->sync : me->pending, published, KC_MOST_THREADS);
}

/* After a thread's access: what whoever reads it may synchronise with. */
static void publish(struct thread *me, struct event *e, const uint16_t *met)
{
	unsigned int kind = e->access.kind;

	memset(e->published, 0, sizeof(e->published));
	if (kind & KC_FULL)
		join(me->sync, me->pending, KC_MOST_THREADS);
	if (!(kind & KC_WRITE) || !(kind & KC_MARKED))
		return;
	join(e->published, kind & KC_RELEASE ? me->sync : me->fenced, KC_MOST_THREADS);
	if (kind & KC_READ)
		join(e->published, met, KC_MOST_THREADS);
	if (kind & KC_FULL)
		memcpy(me->fenced, me->sync, sizeof(me->fenced));
}

static void keep_sync(const struct thread *me, struct event *e)
{
	memcpy(e->sync, me->sync, sizeof(e->sync));
	memcpy(e->pending, me->pending, sizeof(e->pending));
	memcpy(e->fenced, me->fenced, sizeof(e->fenced));
}

/* `value`, which stood at `a` after `f`, as it was before. */
static uint64_t undone(const struct access *a, uint64_t value, const struct event *f)
{
	unsigned int size = f->access.size < 8 ? f->access.size : 8;

	if (a->kind & KC_SECTION)
		return f->before;
	for (unsigned int b = 0; b < size; b++) {
		uintptr_t byte = f->access.at + b - a->at;

		if (byte < 8)
			value = (value & ~(0xffull << byte * 8)) | (f->before >> b * 8 & 0xff) << byte * 8;
	}
	return value;
}

/* What a step waits for, and what is there as seen at some time before it. */
struct waiting {
	int n, either;			/* `either`: one of the places has another value than it had */
	struct access at[MOST_WATCHED];
	uint64_t value[MOST_WATCHED], was[MOST_WATCHED];
	int own[MOST_WATCHED];		/* the thread's own store: from there back nothing else was seen */
};

static void what_it_waits_for(const struct kc_threads *t, const struct event *e, struct waiting *w)
{
	const struct thread *me = &t->thread[thread_of(t, e->proc)];

	w->n = w->either = 0;
	if (is_buffer(e->proc))
		return;
	if (e->access.kind & KC_WAITS) {
		w->n = 1;
		w->at[0] = e->access;
	} else if (me->spins) {
		w->n = me->nread;
		w->either = 1;
		for (int i = 0; i < w->n; i++) {
			w->at[i] = (struct access){ .at = me->read[i].at, .size = me->read[i].size };
			w->was[i] = me->read[i].value;
		}
	}
	for (int i = 0; i < w->n; i++) {
		w->own[i] = 0;
		w->value[i] = seen_by(t, me, w->at[i].at, w->at[i].size);
		for (int k = 0; k < me->ndelayed; k++)
			w->own[i] |= overlaps(&me->delayed[k], w->at[i].at, w->at[i].size);
	}
}

static void before_event(const struct kc_threads *t, struct waiting *w, const struct event *f, int family)
{
	if (!(f->access.kind & KC_WRITE))
		return;
	for (int i = 0; i < w->n; i++) {
		if (w->own[i])
			continue;
		if (is_buffer(f->proc) && thread_of(t, f->proc) == family)
			w->own[i] = w->at[i].at < f->access.at + f->access.size &&
				    f->access.at < w->at[i].at + w->at[i].size;
		else
			w->value[i] = undone(&w->at[i], w->value[i], f);
	}
}

/* Whether it could have been made then. */
static int could_be(const struct waiting *w, const struct event *e)
{
	if (!w->either)
		return !w->n || !(w->value[0] & e->access.mask);
	for (int i = 0; i < w->n; i++)
		if ((w->value[i] ^ w->was[i]) << (8 - w->at[i].size) * 8)
			return 1;
	return 0;
}

/*
 * Event `n`, not yet in the execution, against all before it: its clock, and the steps
 * whose order with it could be the other way round. For a step that waits these are the
 * last ones before which it need not have waited: taking a lock conflicts with whoever
 * took it before, not with his letting it go, which cannot come later.
 */
static void order(struct kc_threads *t, int n)
{
	struct event *e = &t->event[n];
	uint16_t candidates[MOST_PROCS];
	int family = thread_of(t, e->proc);
	struct waiting w;

	what_it_waits_for(t, e, &w);
	memcpy(e->clock, e->before_it, sizeof(e->clock));
	memcpy(candidates, e->before_it, sizeof(candidates));
	for (int i = n - 1; i >= 0; i--) {
		const struct event *f = &t->event[i];

		if (f->proc == e->proc || !conflict(&f->access, &e->access))
			continue;
		before_event(t, &w, f, family);
		if (thread_of(t, f->proc) == family) {
			if (depend(t, f->proc, &f->access, e->proc, &e->access)) {
				join(e->clock, f->clock, t->nprocs);
				join(candidates, f->clock, t->nprocs);
			}
			continue;
		}
		if (f->own > candidates[f->proc] && could_be(&w, e)) {
			note_race(t, i, n);
			join(candidates, f->clock, t->nprocs);
		}
		join(e->clock, f->clock, t->nprocs);
		if (!w.n)
			join(candidates, f->clock, t->nprocs);
	}
	/* Where nobody could go on, it is after all that led there. */
	for (int proc = 0; !is_buffer(e->proc) && t->thread[e->proc].forced && proc < t->nprocs; proc++)
		if (t->proc_last[proc] >= 0)
			join(e->clock, t->event[t->proc_last[proc]].clock, t->nprocs);
	e->clock[e->proc] = e->own;
}

/*
 * Whether an acquire before the access read the very store, so that it is visible to what comes after that
 * (wr-vis of linux-kernel.cat): a marked store that releases nothing is visible itself.
 */
static int was_met(const struct kc_threads *t, int store, int n)
{
	const struct event *f = &t->event[store], *e = &t->event[n];

	if ((was(f) & (KC_WRITE | KC_MARKED)) != (KC_WRITE | KC_MARKED))
		return 0;
	for (int i = store + 1; i < n; i++) {
		const struct event *read = &t->event[i];
		const uint16_t *known = t->thread[e->proc].sync;

		if (read->access.kind & KC_READ && read->access.kind & (KC_ACQUIRE | KC_FULL) && !read->failed &&
		    read->access.at == f->access.at && read->access.size == f->access.size && read->own <= known[read->proc])
			return 1;
		if (was(read) & KC_WRITE && conflict(&read->access, &f->access))
			return 0;	/* others read this one */
	}
	return 0;
}

/* The kernel's memory model: what a thread's access is ordered after, and what it races with. */
static void order_memory(struct kc_threads *t, struct thread *me, int n)
{
	struct event *e = &t->event[n];
	uint16_t met[KC_MOST_THREADS] = { 0 };
	int id = e->proc;

	uint32_t bytes = e->access.size < 32 ? (1u << e->access.size) - 1 : ~0u;

	/* Each byte comes from the last store to it. */
	for (int i = n - 1; i >= 0 && bytes; i--) {
		const struct event *f = &t->event[i];

		if (f->failed || !(f->access.kind & KC_WRITE) || !conflict(&f->access, &e->access))
			continue;
		for (uint32_t b = 0; b < e->access.size && b < 32; b++) {
			if (!(bytes >> b & 1) || e->access.at + b - f->access.at >= f->access.size)
				continue;
			join(met, f->published, KC_MOST_THREADS);
			bytes &= ~(1u << b);
		}
	}
	memcpy(me->sync_before, me->sync, sizeof(me->sync));	/* until it is known not to fail */
	memcpy(me->fenced_before, me->fenced, sizeof(me->fenced));
	memcpy(me->met, met, sizeof(met));
	synchronise(me, e, met);
	me->sync[id] = e->own;
	for (int i = n - 1; i >= 0; i--) {
		const struct event *f = &t->event[i];

		if (f->proc != id && f->own > me->sync[f->proc] && conflict(&f->access, &e->access) &&
		    races(f, e) && !was_met(t, i, n)) {
			if (t->nhits == MOST_HITS)
				t->dropped |= 1 << KC_RACE;
			else
				t->hits[t->nhits++] = (struct hit){ i, n };
		}
	}
	publish(me, e, met);
}

/* ---- Hooks: called from a thread. ---- */

static inline void count_warnings(struct kc_threads *t, struct thread *me)
{
	if (t->run->record->warnings) {
		if (me->at < me->ncalls) {
			me->warned[me->at] += t->run->record->warnings;
			me->site[me->at] = t->run->record->last;
		}
		t->run->record->warnings = 0;
	}
}

static void yield_to_main(struct kc_threads *t, struct thread *me)
{
	count_warnings(t, me);
	t->current = NULL;
	fiber_switch(&me->fiber.sp, t->main_sp);
}

static inline int is_private(const struct kc_threads *t, const struct thread *me, uintptr_t at)
{
	if (at - (uintptr_t)me->fiber.stack < FIBER_STACK)
		return 1;
	for (int i = 0; i < t->s->nours; i++)
		if (at - (uintptr_t)t->s->ours[i].at < t->s->ours[i].size)
			return 1;
	return 0;
}

enum { SPINS_MAYBE = 1, SPINS };	/* where it reads the same again; or a shim says so */

/* A turn of a loop that reads and does not write is over: it goes on when it would read another value. */
static inline void wait_for_change(struct thread *me)
{
	if (me->nread && me->nread < MOST_WATCHED && !me->writes)
		me->spins = SPINS_MAYBE;
}

static void stop_waiting(struct thread *me)
{
	me->nread = me->spins = me->forced = 0;
}

static void note_read(struct thread *me, const struct access *a, uint64_t value)
{
	if (me->nread == MOST_WATCHED || a->size > 8)
		return;
	me->read[me->nread].at = a->at;
	me->read[me->nread].pc = a->pc;
	me->read[me->nread].size = a->size;
	me->read[me->nread++].value = value;
}

static void note_write(struct thread *me)
{
	me->writes = 1;
	me->nread = me->loops = me->turns = 0;
}

/* A read-modify-write that stored what was there, as a try of a lock does, has only read. */
static void settle(const struct kc_threads *t, struct thread *me)
{
	const struct event *e = &t->event[me->open < 0 ? 0 : me->open];

	if (me->settled || me->open < 0)
		return;
	me->settled = 1;
	if (e->access.size <= 8 && load(t, e->access.at, e->access.size) == e->before)
		note_read(me, &e->access, e->before);
	else
		note_write(me);
}

/* Whether an access begins the same turn anew, of a loop that has only read since. */
static void note_loop(struct thread *me, const struct access *a)
{
	int again = me->nread && a->kind & KC_READ && me->read[0].pc == a->pc && me->read[0].at == a->at;

	if (me->spins == SPINS_MAYBE && !again)
		stop_waiting(me);
	if (!again)
		return;
	me->writes = 0;
	if (++me->loops >= REPEATS)
		wait_for_change(me);
	if (!me->spins)
		me->nread = 0;
}

/* Waiting for more places than it reads next is a step of its own, over all of them. */
static void wait_for_all(struct kc_threads *t, struct thread *me, const struct access *a)
{
	uintptr_t from = a->at, to = a->at + a->size;
	int others = 0;

	for (int i = 0; i < me->nread; i++) {
		uintptr_t end = me->read[i].at + me->read[i].size;

		others |= me->read[i].at != a->at || me->read[i].size != a->size;
		from = me->read[i].at < from ? me->read[i].at : from;
		to = end > to ? end : to;
	}
	if (!me->spins || !others)
		return;
	me->next = (struct access){ from, a->pc, 0, to - from, KC_READ | KC_IGNORED };
	me->has_next = 1;
	yield_to_main(t, me);
}

static int show(struct kc_threads *t, const struct event *e);

static void delay(struct kc_threads *t, struct thread *me, const struct access *a)
{
	int proc = buffer_of(t, me - t->thread, a->at);

	if (proc < 0 || me->ndelayed == MOST_DELAYED) {
		t->failed_memory = 1;
		t->learned = 1;
		yield_to_main(t, me);
	}
	me->delayed[me->ndelayed++] = (struct delayed){
		.at = a->at, .pc = a->pc, .size = a->size, .kind = a->kind, .proc = proc,
		.issued = me->last, .number = me->nstores++, .epoch = me->epoch,
		.call = me->at, .place = me->nplaces++,
	};
	note_write(me);
}

static void on_fence(struct kc_threads *t, struct thread *me, unsigned int kind, void *pc)
{
	if (kind & KC_ACQUIRE)
		join(me->sync, me->pending, KC_MOST_THREADS);
	if (kind & KC_RELEASE) {
		memcpy(me->fenced, me->sync, sizeof(me->fenced));
		me->epoch++;
	}
	if (!is_weak(t) || !(kind & KC_FULL)) {
		struct event e = { .proc = me - t->thread, .call = me->at,
				   .access = { .pc = (uintptr_t)pc, .kind = kind } };

		if (t->shown)
			show(t, &e);	/* nothing that others see, but whoever reads the schedule */
		return;
	}
	me->next = (struct access){ .pc = (uintptr_t)pc, .kind = kind };
	me->has_next = 1;
	yield_to_main(t, me);
}

/* Where nothing can be stored it crashes now, in the thread: between steps the engine itself would. */
static void touch(struct kc_threads *t, const struct access *a)
{
	volatile char *first = (volatile char *)a->at, *last = first + a->size - 1;

	t->touches = a->pc;
	*first = *first;
	*last = *last;
	t->touches = 0;
}

static void on_access(const volatile void *p, unsigned int size, unsigned int kind, void *pc)
{
	struct kc_threads *t = weaving;
	struct thread *me = t->current;
	uintptr_t at = (uintptr_t)p;
	struct access a = { at, (uintptr_t)pc, 0, size, kind | (me && me->looks_away ? KC_IGNORED : 0) };

	if (!me)
		return;
	settle(t, me);
	if (is_weak(t)) {
		keep_stored(t, me);
		fill(me);
	}
	if (kind & KC_FENCE) {
		on_fence(t, me, kind, pc);
		return;
	}
	if (kind & KC_SECTION) {
		;
	} else if (is_private(t, me, at)) {
		return;
	} else if (!is_shared(t, at, size) &&
		   !(t->options.everything && at - (uintptr_t)t->run->world < (uintptr_t)t->run->words * 4)) {
		if (!(kind & KC_WRITE))
			return;
		touch(t, &a);
		for (uintptr_t word = at >> 3; word <= (at + size - 1) >> 3; word++)
			learn_word(t, word);
		yield_to_main(t, me);
	}
	if (me->wait_at && at - me->wait_at < 8) {
		a.kind |= KC_WAITS;
		a.mask = me->wait_mask;
		a.mask = at == me->wait_at ? a.mask : a.mask >> (at - me->wait_at) * 8;
		me->wait_at = 0;
	}
	if (is_weak(t) && !(kind & (KC_READ | KC_SECTION))) {
		for (unsigned int done = 0; done < size; done += 8) {
			struct access piece = a;

			piece.at = at + done;
			piece.size = size - done < 8 ? size - done : 8;
			delay(t, me, &piece);
		}
		return;
	}
	note_loop(me, &a);
	wait_for_all(t, me, &a);
	me->next = a;
	me->has_next = 1;
	yield_to_main(t, me);
}

static void on_failed(void)
{
	struct kc_threads *t = weaving;
	struct thread *me = t->current;
	struct event *e;

	if (!me || me->open < 0)
		return;
	e = &t->event[me->open];
	e->failed = 1;
	if (me->open < t->known || is_weak(t))
		return;
	/* It stored nothing, and orders nothing (atomic_t.txt): as it was before, but for the step itself. */
	memcpy(me->sync, me->sync_before, sizeof(me->sync));
	memcpy(me->fenced, me->fenced_before, sizeof(me->fenced));
	me->sync[e->proc] = e->own;
	join(me->pending, me->met, KC_MOST_THREADS);
	memcpy(e->published, me->met, sizeof(e->published));
	keep_sync(me, e);
}

static void on_enter(void *pc)
{
	struct thread *me = weaving->current;

	if (me && me->depth++ < 64)
		me->frames[me->depth - 1] = (uintptr_t)pc;
}

static void on_leave(void)
{
	struct thread *me = weaving->current;

	if (me && me->depth)
		me->depth--;
}

static void on_wait(const volatile void *p, unsigned int size, unsigned long mask)
{
	struct thread *me = weaving->current;

	(void)size;
	if (!me)
		return;
	me->wait_at = (uintptr_t)p;
	me->wait_mask = mask;
}

static int forget_lock(struct thread *me, uintptr_t at, uint64_t mask)
{
	for (int i = me->nheld - 1; i >= 0; i--)
		if (me->held[i].at == at && me->held[i].mask & mask) {
			me->held[i] = me->held[--me->nheld];
			return 1;
		}
	return 0;
}

/* The thread that set the bits of a word, by whatever means, such as a lock made by hand; -1: they are clear. */
static int set_by(const struct kc_threads *t, uintptr_t at, uint64_t mask)
{
	for (int i = t->n - 1; i >= 0; i--) {
		const struct event *e = &t->event[i];

		if (e->access.size > 8 || !(was(e) & KC_WRITE))
			continue;
		for (uintptr_t byte = at; byte < at + 8; byte++) {
			unsigned int bits = mask >> 8 * (byte - at) & 0xff, shift = 8 * (byte - e->access.at);

			if (byte - e->access.at < e->access.size && (e->before ^ e->after) >> shift & bits)
				return e->after >> shift & bits ? e->proc : -1;
		}
	}
	return -1;
}

static void on_lock(const volatile void *p, unsigned int size, unsigned long mask, int locks, void *pc)
{
	struct kc_threads *t = weaving;
	struct thread *me = t->current;
	uintptr_t at = (uintptr_t)p;

	(void)size;
	if (!me)
		return;
	if (locks) {
		/* Whoever had it let it go without saying so: by a plain store, say. */
		for (int i = 0; i < t->nthreads; i++)
			forget_lock(&t->thread[i], at, mask);
		if (me->nheld < MOST_HELD)
			me->held[me->nheld++] = (struct held){ at, mask, me->at };
		return;
	}
	if (forget_lock(me, at, mask) || set_by(t, at, mask) == me - t->thread)
		return;
	/* The place is that of the call of the shim: its own lines say nothing. */
	threads_note(t, KC_NOT_HELD, me->depth ? me->frames[me->depth - 1] : (uintptr_t)pc, 0, 0);
}

static void on_section(const volatile void *p, int begins, void *pc)
{
	unsigned int kind = KC_SECTION | KC_WRITE | KC_MARKED;
	struct thread *me = weaving->current;

	if (!me)
		return;
	if (begins) {
		me->wait_at = (uintptr_t)p | SECTION_AT;
		me->wait_mask = 1;
		kind |= KC_READ | KC_ACQUIRE;
	} else {
		kind |= KC_RELEASE;
	}
	on_access((const volatile char *)((uintptr_t)p | SECTION_AT), 8, kind, pc);
}

static void on_pause(void)
{
	struct thread *me = weaving->current;

	if (!me)
		return;
	settle(weaving, me);
	wait_for_change(me);
	me->writes = 0;
	if (!me->spins)
		me->nread = 0;
}

static void on_looks_away(int begins)
{
	struct thread *me = weaving->current;

	if (me)
		me->looks_away += begins ? 1 : -1;
}

/* A shim has tried in vain, and would spin: it tries again when what it tried at has changed. */
static void on_thread_stop(int why, const struct kc_site *site)
{
	struct kc_threads *t = weaving;
	struct thread *me = t->current;
	const struct event *e;

	if (!me || why != KC_STOP_DEADLOCK) {
		on_stop(why, site);
		return;
	}
	if (me->open < 0)
		return;
	e = &t->event[me->open];
	me->read[0].at = e->access.at;
	me->read[0].pc = e->access.pc;
	me->read[0].size = e->access.size;
	me->read[0].value = load(t, e->access.at, e->access.size);
	me->nread = me->settled = 1;
	me->spins = SPINS;
	me->writes = 0;
}

static const struct kc_hooks thread_hooks = {
	.access = on_access, .failed = on_failed, .enter = on_enter, .leave = on_leave,
	.wait = on_wait, .lock = on_lock, .section = on_section, .pause = on_pause,
	.looks_away = on_looks_away,
};

/* ---- Steps: made by whoever schedules. ---- */

static void thread_main(void)
{
	struct kc_threads *t = weaving;
	struct thread *me = t->current;

	while (me->at < me->ncalls) {
		struct kc_call call = me->calls[me->at];
		kc_i64 ret;

		me->inside = 1;
		ret = call.op > KC_READS ? t->s->call(call.op, call.args) : t->s->read(KC_READS - call.op);
		count_warnings(t, me);
		me->ret[me->at] = ret;
		me->end[me->at] = me->last;
		me->inside = 0;
		me->at++;
	}
	me->done = 1;
	for (;;)
		yield_to_main(t, me);
}

/* Up to its next access that others can see. */
static void run_thread(struct kc_threads *t, struct thread *me)
{
	me->has_next = 0;
	if (is_weak(t))
		put_on(t, me);
	t->current = me;
	fiber_switch(&t->main_sp, me->fiber.sp);
	if (is_weak(t))
		take_off(t, me);
}

void threads_reset(struct kc_threads *t)
{
	struct kc_run *run = t->run;

	memcpy(run->world, t->start, run->words * 4);
	variables_put(t, t->variables);
	run->record->warnings = run->record->rmw = 0;
}

void threads_begin(struct kc_threads *t)
{
	threads_reset(t);
	guard.sequence++;
	t->n = t->nsections = t->nhits = t->why = t->learned = t->nshown = t->started = t->nused = 0;
	t->begun++;
	t->last_proc = -1;
	for (int i = 0; i < MOST_PROCS; i++)
		t->proc_last[i] = -1;
	for (int i = 0; i < t->nthreads; i++) {
		struct thread *me = &t->thread[i];
		struct fiber fiber = me->fiber;

		memset(me, 0, offsetof(struct thread, delayed));
		me->ndelayed = me->nstores = me->epoch = me->nheld = me->depth = 0;
		me->fiber = fiber;
		me->ncalls = t->scenario->ncalls[i];
		me->calls = t->scenario->calls[i];
		me->last = me->open = -1;
		for (int c = 0; c < me->ncalls; c++) {
			me->first[c] = me->end[c] = -1;
			me->warned[c] = 0;
		}
		fiber_begin(&me->fiber, thread_main);
	}
}

/* Each thread up to its first step; goes on after one that crashed. */
void threads_start(struct kc_threads *t)
{
	while (t->started < t->nthreads && !t->learned)
		run_thread(t, &t->thread[t->started++]);
}

/* Whether a thread's step is made only when none of its stores is delayed. */
static int drains(const struct kc_threads *t, const struct access *a)
{
	if (!a->size)
		return 1;
	return a->kind & KC_WRITE &&
	       (t->options.memory == KC_TSO || a->kind & (KC_RELEASE | KC_FULL | KC_SECTION));
}

static int drained(const struct kc_threads *t, const struct thread *me, const struct access *a)
{
	if (!me->ndelayed)
		return 1;
	/* As a store that is delayed itself: after those that a fence is behind. */
	if (drains(t, a) || me->delayed[0].epoch < me->epoch)
		return 0;
	for (int i = 0; i < me->ndelayed; i++)
		if (overlaps(&me->delayed[i], a->at, a->size))
			return 0;
	return 1;
}

static int changed(const struct kc_threads *t, const struct thread *me)
{
	for (int i = 0; i < me->nread; i++)
		if (seen_by(t, me, me->read[i].at, me->read[i].size) != me->read[i].value)
			return 1;
	return 0;
}

static int thread_enabled(const struct kc_threads *t, const struct thread *me)
{
	const struct access *a = &me->next;

	if (!me->has_next)
		return 0;
	if (is_weak(t) && (!a->size || a->kind & KC_WRITE) && !drained(t, me, a))
		return 0;
	if (a->kind & KC_WAITS && seen_by(t, me, a->at, a->size) & a->mask)
		return 0;
	return !me->spins || me->forced || changed(t, me);
}

uint32_t threads_enabled(struct kc_threads *t)
{
	uint32_t enabled = 0;

	for (int i = 0; i < t->nthreads; i++)
		enabled |= (uint32_t)thread_enabled(t, &t->thread[i]) << i;
	for (int proc = KC_MOST_THREADS; proc < t->nprocs; proc++)
		enabled |= (uint32_t)(ripe(t, proc) >= 0) << proc;
	return enabled;
}

static struct access buffered(const struct delayed *d)
{
	return (struct access){ d->at, d->pc, 0, d->size, (d->kind & KC_MARKED) | KC_WRITE };
}

const struct access *threads_next(struct kc_threads *t, int proc)
{
	static struct access a;

	if (!is_buffer(proc))
		return &t->thread[proc].next;
	a = buffered(&t->thread[t->buffer[proc].thread].delayed[ripe(t, proc)]);
	return &a;
}

/*
 * Where nobody can go on, a loop that waits turns once more, for it may do so only so often; 0: there is none.
 * One after the other: what each waits for is in what it has read, and the schedule has few switches.
 */
int threads_stuck(struct kc_threads *t)
{
	struct thread *next = NULL;

	for (int i = 0; i < t->nthreads; i++) {
		struct thread *me = &t->thread[i];

		if (!next && me->spins && me->has_next && me->turns < MOST_LOOPS)
			next = me;
	}
	if (!next)
		return 0;
	next->forced = 1;
	next->turns++;
	return 1;
}

/* Somebody waits for a bit of the word that is accessed here: by the letter, his tries race with it. */
static void note_waiters(struct kc_threads *t, const struct event *e)
{
	if (e->access.kind & KC_MARKED || is_weak(t))
		return;
	for (int i = 0; i < t->nthreads; i++) {
		const struct thread *other = &t->thread[i];
		const struct access *a = &other->next;

		if (i != e->proc && other->has_next && a->kind & KC_WAITS && conflict(a, &e->access) &&
		    load(t, a->at, a->size) & a->mask)
			threads_note(t, KC_WAITER, e->access.pc, a->pc, 0);
	}
}

/* The name of what is at an address, and the byte in it. */
static void name_place(const struct kc_threads *t, uintptr_t at, struct kc_shown *s)
{
	uintptr_t in_world = (at & ~SECTION_AT) - (uintptr_t)t->run->world;

	at &= ~SECTION_AT;
	for (int pass = 0; pass < 2; pass++) {
		const struct kc_object *objects = pass ? t->run->s->objects : t->s->places;
		int n = pass ? t->run->s->nobjects : t->s->nplaces;

		for (int i = 0; i < n && !s->name; i++)
			if (in_world - objects[i].at < objects[i].size) {
				s->name = objects[i].name;
				s->byte = in_world - objects[i].at;
			}
	}
	for (int i = 0; i < t->s->nvariables && !s->name; i++)
		if (at - (uintptr_t)t->s->variables[i].at < t->s->variables[i].size) {
			s->name = t->s->variables[i].name;
			s->byte = at - (uintptr_t)t->s->variables[i].at;
		}
}

/* An event among those shown, with the calls that lead to it now; where it stands, or -1. */
static int show(struct kc_threads *t, const struct event *e)
{
	struct thread *me = &t->thread[thread_of(t, e->proc)];
	int n = me->depth < 64 ? me->depth : 64, first;
	struct kc_shown *s = &t->shown[t->nshown];

	if (t->nshown == t->most_shown)
		return -1;
	memset(s, 0, sizeof(*s));
	s->thread = me - t->thread;
	s->call = e->call;
	s->delayed = is_buffer(e->proc);
	s->kind = e->access.kind;
	s->size = e->access.size;
	s->pc = e->access.pc - t->run->base;
	s->before = e->before;
	s->after = e->after;
	if (!s->delayed) {
		s->place = me->nplaces++;
		first = n > KC_MOST_FRAMES ? n - KC_MOST_FRAMES : 1;	/* the engine's own call is no frame */
		for (int i = first; i < n; i++)
			s->frame[s->frames++] = me->frames[i] - t->run->base;
	}
	name_place(t, e->access.at, s);
	return t->nshown++;
}

/* A new event at the end of the execution, which `access` of `proc` is; not yet among the others. */
static struct event *new_event(struct kc_threads *t, int proc, const struct access *access)
{
	struct event *e = &t->event[t->n];
	int last = t->proc_last[proc];

	e->access = *access;
	e->proc = proc;
	e->failed = 0;
	e->own = last < 0 ? 1 : t->event[last].own + 1;
	memset(e->before_it, 0, sizeof(e->before_it));
	if (last >= 0)
		memcpy(e->before_it, t->event[last].clock, sizeof(e->before_it));
	return e;
}

static void value_before(struct kc_threads *t, struct event *e)
{
	const struct access *a = &e->access;

	e->before = !a->size ? 0 : is_buffer(e->proc) ? load(t, a->at, a->size)
						      : seen_by(t, &t->thread[e->proc], a->at, a->size);
	e->after = e->before;
}

/* A store that had to wait for others of its thread is after them. */
static void after_stores(struct kc_threads *t, struct event *e, int release)
{
	for (int i = 0; i < t->n; i++) {
		const struct event *f = &t->event[i];

		if (is_buffer(f->proc) && thread_of(t, f->proc) == thread_of(t, e->proc) &&
		    (f->epoch < e->epoch || (release && f->store < e->store)))
			join(e->before_it, f->clock, t->nprocs);
	}
}

/* A thread's step that waited for stores of its own is after them. */
static void after_own_stores(struct kc_threads *t, const struct thread *me, struct event *e)
{
	if (!is_weak(t))
		return;
	e->epoch = me->epoch;
	if (drains(t, &e->access))
		join(e->before_it, me->flushed, t->nprocs);
	else if (e->access.kind & KC_WRITE && me->epoch)
		after_stores(t, e, 0);
}

static void take_section(struct kc_threads *t, uintptr_t at)
{
	if (t->nsections == MOST_HELD)
		t->failed_memory = 1;
	else
		t->section[t->nsections++] = (struct held){ at, 1, 0 };
}

static void step_thread(struct kc_threads *t, int proc)
{
	struct thread *me = &t->thread[proc];
	const struct access a = me->next;
	int n = t->n, fresh = n >= t->known;
	struct event *e = &t->event[n];

	if (fresh) {
		e = new_event(t, proc, &a);
		after_own_stores(t, me, e);
	}
	e->call = me->at;
	value_before(t, e);
	if (fresh) {
		order(t, n);
		if (!is_weak(t)) {
			order_memory(t, me, n);
			note_waiters(t, e);
		}
	}
	if (me->spins)
		stop_waiting(me);
	me->settled = !(a.kind & KC_READ && a.kind & KC_WRITE) || a.kind & KC_SECTION;
	if (a.kind & KC_WRITE && me->settled)
		note_write(me);
	else if (me->settled)
		note_read(me, &a, e->before);
	if (a.kind & KC_SECTION) {
		if (a.kind & KC_READ)
			take_section(t, a.at);
		else
			for (int i = 0; i < t->nsections; i++)
				if (t->section[i].at == a.at)
					t->section[i--] = t->section[--t->nsections];
	}
	if (me->first[me->at] < 0)
		me->first[me->at] = n;
	me->last = me->open = t->proc_last[proc] = n;
	t->n++;
	if (t->shown)
		me->shown = show(t, e);
}

/* What became of a step. One that failed is the marked read that is left (Documentation/atomic_t.txt). */
static void show_result(struct kc_shown *s, const struct event *e)
{
	s->after = e->after;
	if (e->failed)
		s->kind &= ~(KC_WRITE | KC_ACQUIRE | KC_RELEASE | KC_FULL);
}

/* What is known of the open event of a thread that has come to its next one. */
static void close_event(struct kc_threads *t, struct thread *me)
{
	struct event *e;

	if (me->open < 0)
		return;
	e = &t->event[me->open];
	if (e->access.kind & KC_WRITE)
		e->after = load(t, e->access.at, e->access.size);
	note_data_races(t);
	if (t->shown && me->shown >= 0)
		show_result(&t->shown[me->shown], e);
	me->open = -1;
	if (e->access.kind & KC_WRITE && !is_weak(t))
		orders_moment(t);
}

/* The thread that ran does not come back: the others go on without it. */
void threads_bury(struct kc_threads *t)
{
	struct thread *me = t->current;

	t->current = NULL;
	me->done = 1;
	me->has_next = 0;
	if (is_weak(t))
		take_off(t, me);
	close_event(t, me);
	guard.sequence++;
}

static void step_buffer(struct kc_threads *t, int proc)
{
	struct thread *me = &t->thread[t->buffer[proc].thread];
	int at = ripe(t, proc), n = t->n;
	struct delayed d = me->delayed[at];
	struct access a = buffered(&d);
	struct event *e = &t->event[n];
	int shown;

	if (n >= t->known) {
		e = new_event(t, proc, &a);
		if (d.issued >= 0)
			join(e->before_it, t->event[d.issued].clock, t->nprocs);
		e->store = d.number;
		e->epoch = d.epoch;
		after_stores(t, e, d.kind & KC_RELEASE);
	}
	value_before(t, e);
	if (n >= t->known)
		order(t, n);
	for (int i = at + 1; i < me->ndelayed; i++)
		me->delayed[i - 1] = me->delayed[i];
	me->ndelayed--;
	store(a.at, a.size, d.value);
	e->after = d.value;
	e->call = d.call;
	join(me->flushed, e->clock, t->nprocs);
	t->proc_last[proc] = n;
	t->n++;
	shown = t->shown ? show(t, e) : -1;
	if (shown >= 0) {
		t->shown[shown].place = d.place;
		t->shown[shown].kind = d.kind;
	}
}

/* One step of `proc`, which is enabled; -1: the execution cannot go on. */
int threads_step(struct kc_threads *t, int proc)
{
	struct thread *me;

	if (t->n == MOST_EVENTS) {
		t->failed_memory = 1;	/* it may come back: that is not known */
		return -1;
	}
	t->steps++;
	guard.sequence++;
	t->last_proc = proc;
	if (is_buffer(proc)) {
		step_buffer(t, proc);
		return 0;
	}
	me = &t->thread[proc];
	/* What fences did since its last access is in none of its events; what is known is run the same way. */
	if (t->n < t->known) {
		const struct event *e = &t->event[t->n];

		step_thread(t, proc);
		memcpy(me->sync, e->sync, sizeof(me->sync));
		memcpy(me->pending, e->pending, sizeof(me->pending));
		memcpy(me->fenced, e->fenced, sizeof(me->fenced));
	} else {
		step_thread(t, proc);
		keep_sync(me, &t->event[t->n - 1]);
	}
	run_thread(t, me);
	close_event(t, me);
	return t->learned ? -1 : 0;
}

/* What the end of an execution shows: locks that stay, threads that cannot go on. */
void threads_finish(struct kc_threads *t)
{
	int waits = -1, held = -1;

	for (int i = 0; i < t->nthreads; i++) {
		const struct thread *me = &t->thread[i];

		for (int k = 0; k < me->nheld; k++)
			if (me->held[k].call < me->at &&
			    load(t, me->held[k].at, 8) & me->held[k].mask)
				held = i;
		if (!me->done)
			waits = i;
	}
	if (t->why == KC_CRASHED)
		return;
	if (t->why == KC_SPINS || (waits >= 0 && t->thread[waits].spins)) {
		t->why = KC_SPINS;
		threads_note(t, KC_SPINS, 0, 0, 0);
	} else if (held >= 0) {
		t->why = KC_HELD;
		threads_note(t, KC_HELD, 0, 0, 0);
	} else if (waits >= 0) {
		t->why = KC_NONE_RUNS;
		threads_note(t, KC_NONE_RUNS, 0, 0, 0);
	} else {
		orders_judge(t);
	}
}

/* Steps that wait in vain could have been made before those that they wait for. */
void threads_pending_races(struct kc_threads *t)
{
	for (int i = 0; i < t->nthreads; i++) {
		struct thread *me = &t->thread[i];

		if (me->done || !me->has_next || t->n >= MOST_EVENTS)
			continue;
		after_own_stores(t, me, new_event(t, i, &me->next));
		value_before(t, &t->event[t->n]);
		order(t, t->n);
		/* It stands where the next one is put as well: its races are looked at now. */
		schedules_reverse(t);
	}
}
