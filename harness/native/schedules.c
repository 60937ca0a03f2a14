/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which schedules are run. Every one up to equivalence: optimal dynamic partial-order
 * reduction with wakeup trees and sleep sets (Abdulla, Aronis, Jonsson, Sagonas: "Source
 * Sets: A Foundation for Optimal Dynamic Partial Order Reduction", JACM 64(4), 2017).
 * Two schedules are equivalent where they differ only in the order of steps that do not
 * conflict. Stateless: each execution begins anew, its first steps as they were.
 *
 * Without reduction: every schedule there is, those with few preemptions alone, or those
 * with few switches (to make a finding readable).
 */
#include <stdlib.h>

#include "interleave.h"

#define MOST_NODES 65536
#define MOST_CODE (64ul << 20)	/* bytes of a subject */
#define MOST_CLASSES (1 << 18)

/* ---- Steps to try, as a tree: `child` is what follows a step, `next` what is tried after it. ---- */

static int node_new(struct kc_threads *t, int proc, const struct access *access)
{
	int i = t->free_node;

	if (i >= 0) {
		t->free_node = t->nodes[i].next;
	} else if (t->nnodes == MOST_NODES) {
		t->failed_memory = 1;
		return -1;
	} else {
		i = t->nnodes++;
	}
	t->nodes[i] = (struct node){ *access, proc, -1, -1 };
	return i;
}

static void node_free(struct kc_threads *t, int i)
{
	while (i >= 0) {
		int next = t->nodes[i].next;

		node_free(t, t->nodes[i].child);
		t->nodes[i].next = t->free_node;
		t->free_node = i;
		i = next;
	}
}

/* ---- The other order of two steps. ---- */

struct sequence {		/* events, by number; the last may be one that is not yet there */
	int event[MOST_EVENTS], n, last;
};

/* Whether event a of a sequence must stay before event b. */
static int stays_before(const struct kc_threads *t, const struct sequence *v, int a, int b)
{
	const struct event *first = &t->event[a], *second = &t->event[b];

	/* Of the last one, what it waited for is no reason: it is made earlier now. */
	if (b == v->last)
		return second->before_it[first->proc] >= first->own ||
		       depend(t, first->proc, &first->access, second->proc, &second->access);
	return second->clock[first->proc] >= first->own;
}

/*
 * Whether a step of `proc` can begin an execution equivalent to one that has `v`: it is
 * the first of it in `v`, and nothing must stay before it; or it is not in `v`, and
 * conflicts with nothing there. `*at`: its place in `v`, or -1.
 */
static int can_begin(const struct kc_threads *t, const struct sequence *v, int proc,
		     const struct access *access, int *at)
{
	*at = -1;
	for (int i = 0; i < v->n && *at < 0; i++)
		if (t->event[v->event[i]].proc == proc)
			*at = i;
	for (int i = 0; i < (*at < 0 ? v->n : *at); i++) {
		if (*at >= 0 ? stays_before(t, v, v->event[i], v->event[*at])
			     : depend(t, t->event[v->event[i]].proc, &t->event[v->event[i]].access,
				      proc, access))
			return 0;
	}
	return 1;
}

/* The rest of `v` from `i` on, as steps of which each follows the one before. */
static int as_tree(struct kc_threads *t, const struct sequence *v)
{
	int tree = -1;

	for (int i = v->n - 1; i >= 0; i--) {
		const struct event *e = &t->event[v->event[i]];
		int node = node_new(t, e->proc, &e->access);

		if (node < 0)
			return -1;
		t->nodes[node].child = tree;
		tree = node;
	}
	return tree;
}

static void insert(struct kc_threads *t, struct frame *frame, struct sequence *v)
{
	int *first = &frame->tree, at;

	for (int i = 0; i < frame->nsleep; i++)
		if (can_begin(t, v, frame->sleep[i].proc, &frame->sleep[i].access, &at))
			return;
	do {
		int *place = first;

		while (*place >= 0 &&
		       !can_begin(t, v, t->nodes[*place].proc, &t->nodes[*place].access, &at))
			place = &t->nodes[*place].next;
		if (*place < 0) {
			*place = as_tree(t, v);
			return;
		}
		if (at >= 0) {
			for (int i = at + 1; i < v->n; i++)
				v->event[i - 1] = v->event[i];
			v->n--;
		}
		first = &t->nodes[*place].child;
	} while (*first >= 0);	/* where nothing follows, what is there already is enough */
}

/* Each two steps that could be the other way round, are, in an execution that is still to come. */
void schedules_reverse(struct kc_threads *t)
{
	static struct sequence v;

	for (int r = 0; r < t->nraces; r++) {
		const struct race *race = &t->races[r];
		const struct event *first = &t->event[race->first];

		v.n = 0;
		v.last = race->second;
		for (int i = race->first + 1; i < race->second; i++)
			if (t->event[i].clock[first->proc] < first->own)
				v.event[v.n++] = i;
		v.event[v.n++] = race->second;
		insert(t, &t->frame[race->first], &v);
	}
	t->nraces = 0;
}

/* ---- One execution. ---- */

/* Asleep after `step`: what was asleep before, and has nothing to do with it. */
static void pass_sleep(const struct kc_threads *t, struct frame *to, const struct frame *from, int proc,
		       const struct access *step)
{
	to->nsleep = 0;
	for (int i = 0; i < from->nsleep; i++)
		if (from->sleep[i].proc != proc &&
		    !depend(t, from->sleep[i].proc, &from->sleep[i].access, proc, step))
			to->sleep[to->nsleep++] = from->sleep[i];
}

static uint32_t asleep(const struct frame *frame)
{
	uint32_t procs = 0;

	for (int i = 0; i < frame->nsleep; i++)
		procs |= 1u << frame->sleep[i].proc;
	return procs;
}

/* Goes on with who ran last, so that the first execution has few switches. */
static int preferred(const struct kc_threads *t, uint32_t procs)
{
	if (t->last_proc >= 0 && procs >> t->last_proc & 1)
		return t->last_proc;
	return __builtin_ctz(procs);
}

/* The step after those that there are; -1: there is none. `fits` is cleared where all are asleep. */
static int next_reduced(struct kc_threads *t)
{
	struct frame *frame = &t->frame[t->n];
	uint32_t enabled = threads_enabled(t), awake;

	if (!enabled && threads_stuck(t))
		enabled = threads_enabled(t);
	if (frame->tree >= 0) {
		int proc = t->nodes[frame->tree].proc;

		if (enabled >> proc & 1)
			return proc;
		t->failed_memory = 1;	/* cannot be: what made it possible is as it was */
		return -1;
	}
	if (!enabled)
		return -1;
	awake = enabled & ~asleep(frame);
	if (!awake) {
		t->fits = 0;
		return -1;
	}
	frame->tree = node_new(t, preferred(t, awake), threads_next(t, preferred(t, awake)));
	return frame->tree < 0 ? -1 : t->nodes[frame->tree].proc;
}

/* Buffers by their first use in it, as they are when nothing else was run before. */
static void save_schedule(struct kc_threads *t, struct kc_found *f)
{
	int upto = t->upto[f - t->found];

	f->length = upto && upto < t->n ? upto : t->n;
	f->scenario = t->number;
	for (int i = 0; i < f->length; i++) {
		int proc = t->event[i].proc;

		f->schedule[i] = is_buffer(proc) ? KC_MOST_THREADS + t->buffer[proc].rank : proc;
	}
}

/* Those that were met for the first time have the execution's schedule. */
static void save_schedules(struct kc_threads *t)
{
	for (int i = 0; i < t->nfound; i++)
		if (t->found[i].length < 0)
			save_schedule(t, &t->found[i]);
}

/* Somebody did not come back; whether that was a thread, so that the others go on. */
static int note_crash(struct kc_threads *t)
{
	int found;

	if (t->touches)
		guard_end.pc = t->touches - 1;	/* what is there is where it goes on */
	t->touches = 0;
	t->why = KC_CRASHED;
	/* Where a tick came is by chance, and the engine's own addresses are others each time. */
	if (guard_end.why == KC_ENDLESS || guard_end.pc - t->run->base > MOST_CODE)
		guard_end.pc = 0;
	found = threads_note(t, KC_CRASHED, guard_end.pc, 0, guard_end.why);
	if (found >= 0 && t->found[found].length < 0)
		save_schedule(t, &t->found[found]);
	if (!t->current)
		return 0;
	guard.running = 1;
	threads_bury(t);
	return 1;
}

typedef int chooser(struct kc_threads *t);

static void run_steps(struct kc_threads *t, chooser *choose)
{
	int proc;

	threads_start(t);
	while (!t->learned && !t->failed_memory && (proc = choose(t)) >= 0) {
		if (t->n + 1 < MOST_EVENTS && choose == next_reduced && t->n >= t->known) {
			pass_sleep(t, &t->frame[t->n + 1], &t->frame[t->n], proc, threads_next(t, proc));
			t->frame[t->n + 1].tree = t->nodes[t->frame[t->n].tree].child;
			t->nodes[t->frame[t->n].tree].child = -1;
		}
		if (threads_step(t, proc))
			break;
	}
	if (t->fits && !t->learned && !t->failed_memory) {
		threads_finish(t);
		t->stuck |= t->why != 0;
	}
}

/*
 * Runs one execution to its end, `choose` says with whom; 0: it was not one, since all
 * were asleep. What crashes is a thread: what others do before it must be met as well.
 */
static int run_once(struct kc_threads *t, chooser *choose)
{
	t->fits = 1;
	t->run->record->stop = on_thread_stop;
	t->current = NULL;
	threads_begin(t);
	if (!guard_enter() || note_crash(t))
		run_steps(t, choose);
	guard_leave();
	t->current = NULL;
	t->run->record->stop = on_stop;
	return t->fits;
}

/* ---- What was there already. ---- */

static void hashes_empty(struct hashes *set, int wanted)
{
	if (wanted && !set->at)
		set->at = malloc(MOST_CLASSES * sizeof(*set->at));
	if (set->at)
		memset(set->at, 0, MOST_CLASSES * sizeof(*set->at));
	set->n = set->all = 0;
}

/* Where a hash, which is not 0, is in a set, or would be put. */
static uint64_t *hashes_place(const struct hashes *set, uint64_t hash)
{
	uint64_t at = hash % MOST_CLASSES;

	while (set->at[at] && set->at[at] != hash)
		at = (at + 1) % MOST_CLASSES;
	return &set->at[at];
}

static void hashes_add(struct hashes *set, uint64_t hash)
{
	uint64_t *place;

	hash += !hash;
	if (!set->at || set->n > MOST_CLASSES / 2)
		return;
	place = hashes_place(set, hash);
	if (*place)
		return;
	*place = hash;
	set->n++;
	set->all += hash;
}

static inline uint64_t hashed(uint64_t h, uint64_t value)
{
	h = (h ^ value) * 0xff51afd7ed558ccdu;
	return h ^ h >> 29;
}

/*
 * Counts executions that are not equivalent to one before: in which some two steps that
 * conflict come in another order, which the clocks of all steps together tell.
 */
static void count_class(struct kc_threads *t)
{
	uint64_t hash = 0;

	for (int i = 0; i < t->n; i++) {
		uint64_t h = t->event[i].proc * 4099u + t->event[i].own;

		for (int k = 0; k < t->nprocs; k++)
			if (t->event[i].clock[k])	/* the same whatever buffers are known by now */
				h = hashed(h, t->event[i].clock[k] * MOST_PROCS + k);
		hash += h;
	}
	hashes_add(&t->classes, hash);
}

static inline uint64_t hash_call(uint64_t hash, kc_i64 ret, unsigned int warned)
{
	return hashed(hashed(hash, ret), !warned);
}

static uint64_t hash_left(const struct kc_threads *t, uint64_t hash, const kc_i64 *obs)
{
	for (int k = 0; k < t->run->c->state_size; k++)
		hash = hashed(hash, obs[k]);
	return hash;
}

/* What an execution came to, whatever its schedule: how it ended, and what calls returned and left. */
static void count_outcome(struct kc_threads *t)
{
	kc_i64 obs[MAX_SLOTS];
	uint64_t hash = t->why;

	if (!t->options.outcomes)
		return;
	for (int i = 0; i < t->nthreads; i++)
		for (int call = 0; call < t->thread[i].at; call++)
			hash = hash_call(hash, t->thread[i].ret[call], t->thread[i].warned[call]);
	if (!t->why) {
		t->run->s->peek(obs);
		t->run->record->warnings = 0;
		hash = hash_left(t, hash, obs);
	}
	hashes_add(&t->outcomes, hashed(hash, 1));
}

/* Whether some execution of the scenario that ran last, where outcomes were asked for, came to this. */
int kc_threads_knows(struct kc_threads *t, const struct kc_order *what)
{
	uint64_t hash = 0;

	for (int i = 0; i < t->nthreads; i++)
		for (int call = 0; call < t->thread[i].ncalls; call++)
			hash = hash_call(hash, what->ret[i][call], what->warned[i][call]);
	hash = hashed(hash_left(t, hash, what->obs), 1);
	return t->outcomes.at && *hashes_place(&t->outcomes, hash + !hash);
}

/* ---- Every execution. ---- */

static int over(const struct kc_threads *t, double deadline)
{
	return t->failed_memory || t->executions >= t->options.max_executions ||
	       (!(t->executions & 63) && now() > deadline);
}

/* The step that was tried is done with; the number of steps that stay, or -1. */
static int back_up(struct kc_threads *t)
{
	for (int i = t->n - 1; i >= 0; i--) {
		struct frame *frame = &t->frame[i];
		int tried = frame->tree;
		struct node *node = &t->nodes[tried];

		frame->sleep[frame->nsleep++] = (struct sleeper){ node->access, node->proc };
		frame->tree = node->next;
		node->next = -1;
		node_free(t, tried);
		if (frame->tree >= 0)
			return i;
		frame->nsleep = 0;
	}
	return -1;
}

static int reduced(struct kc_threads *t, double deadline)
{
	int stay = 0;

	t->frame[0].tree = -1;
	t->frame[0].nsleep = 0;
	while (stay >= 0) {
		int complete;

		t->known = stay;
		t->nraces = 0;
		complete = run_once(t, next_reduced);
		if (t->learned)
			return -1;
		save_schedules(t);
		if (complete) {
			t->executions++;
			count_outcome(t);
		} else {
			t->blocked++;
		}
		schedules_reverse(t);
		if (complete)
			threads_pending_races(t);
		stay = back_up(t);
		if (stay >= 0 && over(t, deadline))
			return KC_CUT;
	}
	return t->failed_memory ? KC_CUT : KC_ALL;
}

/* ---- Schedules one by one. ---- */

static int switches_to(const struct kc_threads *t, int proc, uint32_t enabled)
{
	int last = t->last_proc;

	if (is_buffer(proc) || last < 0 || proc == last)
		return 0;
	/* Of preemptions only those count that nothing asked for; of a finding's switches all do. */
	return t->target >= 0 || (enabled >> last & 1);
}

static int next_bounded(struct kc_threads *t)
{
	struct frame *frame = &t->frame[t->n];
	uint32_t enabled, options = 0;
	int proc;

	enabled = threads_enabled(t);
	if (!enabled && threads_stuck(t))
		enabled = threads_enabled(t);
	if (t->n < t->known)
		return t->event[t->n].proc;
	if (!enabled)
		return -1;
	if (!t->backed_up || t->n > t->known) {
		for (uint32_t left = enabled; left; left &= left - 1) {
			proc = __builtin_ctz(left);
			if (t->options.preemptions < 0 || frame->switches + switches_to(t, proc, enabled) <=
							  t->options.preemptions)
				options |= 1u << proc;
		}
		frame->options = options;
	}
	if (!frame->options) {	/* only a finding's switches run out so */
		t->fits = 0;
		return -1;
	}
	proc = preferred(t, frame->options);
	if (t->n + 1 < MOST_EVENTS)
		t->frame[t->n + 1].switches = frame->switches + switches_to(t, proc, enabled);
	return proc;
}

static int enumerate(struct kc_threads *t, double deadline)
{
	int stay = 0;

	t->frame[0].switches = t->backed_up = 0;
	while (stay >= 0) {
		t->known = stay;
		t->nraces = 0;
		if (run_once(t, next_bounded)) {
			t->executions++;
			count_class(t);
			count_outcome(t);
		} else {
			t->blocked++;
		}
		if (t->learned)
			return -1;
		save_schedules(t);
		if (t->target >= 0 && t->target_met)
			return KC_ALL;
		for (stay = t->n - 1; stay >= 0; stay--) {
			struct frame *frame = &t->frame[stay];

			frame->options &= ~(1u << t->event[stay].proc);
			if (frame->options)
				break;
		}
		t->backed_up = 1;
		if (stay >= 0 && over(t, deadline))
			return KC_CUT;
	}
	return t->failed_memory ? KC_CUT : KC_ALL;
}

/* ---- For Python. ---- */

static void begin_scenario(struct kc_threads *t, const struct kc_scenario *scenario,
			   const struct kc_thread_options *options)
{
	t->scenario = scenario;
	t->options = *options;
	t->nthreads = scenario->threads;
	t->nprocs = KC_MOST_THREADS;
	t->executions = t->blocked = t->steps = 0;
	t->nnodes = 0;
	t->free_node = -1;
	t->failed_memory = 0;
	t->shown = NULL;
	memset(t->seen, 0, sizeof(t->seen));
	if (t->nwords > MOST_WORDS / 2) {	/* of scenarios before, which may have left no room */
		memset(t->slot, 0xff, sizeof(t->slot));
		t->nwords = 0;
	}
	weaving = t;
	*t->s->hooks = thread_hooks;
}

static void end_scenario(struct kc_threads *t)
{
	memset(t->s->hooks, 0, sizeof(*t->s->hooks));
	t->run->record->stop = on_stop;
	memcpy(t->run->world, t->run->initial, t->run->words * 4);
}

/* As asked for; begun again whenever one more word turns out to be written. */
static int search(struct kc_threads *t, double deadline)
{
	int end;

	do {
		int nfound = t->nfound, dropped = t->dropped, nkind[16];
		uint64_t executions[KC_FOUND];

		memcpy(nkind, t->nkind, sizeof(nkind));
		for (int i = 0; i < nfound; i++)
			executions[i] = t->found[i].executions;
		memset(t->seen, 0, sizeof(t->seen));
		memset(t->order_seen, 0, MOST_ORDERS);
		t->stuck = 0;
		t->target_met = 0;
		t->executions = t->blocked = t->steps = 0;
		t->nnodes = 0;
		t->free_node = -1;
		hashes_empty(&t->classes, !t->options.reduce);
		hashes_empty(&t->outcomes, t->options.outcomes);
		end = t->options.reduce ? reduced(t, deadline) : enumerate(t, deadline);
		if (end >= 0)
			break;
		/* What was found is found again. */
		t->nfound = nfound;
		t->dropped = dropped;
		memcpy(t->nkind, nkind, sizeof(nkind));
		for (int i = 0; i < nfound; i++)
			t->found[i].executions = executions[i];
	} while (end < 0 && !t->failed_memory);
	return end < 0 ? KC_CUT : end;
}

int kc_threads_explore(struct kc_threads *t, int number, const struct kc_scenario *scenario,
		       const struct kc_thread_options *options, struct kc_thread_result *result)
{
	double start = now();
	int end;

	memset(result, 0, sizeof(*result));
	t->number = number;
	t->target = -1;
	begin_scenario(t, scenario, options);
	end = orders_make(t);
	if (end == KC_ALL)
		end = search(t, start + options->seconds);
	if (end == KC_ALL && !t->stuck && !orders_all_seen(t))
		end = KC_CUT;
	result->dropped = t->dropped;
	result->end = end == KC_ALL && !options->reduce && options->preemptions >= 0 ? KC_BOUNDED : end;
	result->executions = t->executions;
	result->blocked = t->blocked;
	result->steps = t->steps;
	result->orders = t->norders;
	result->classes = t->classes.n;
	result->outcomes = t->outcomes.n;
	result->outcomes_are = t->outcomes.all;
	result->seconds = now() - start;
	end_scenario(t);
	return result->end;
}

int kc_threads_found(struct kc_threads *t)
{
	return t->nfound;
}

void kc_threads_forget(struct kc_threads *t)
{
	t->nfound = t->dropped = 0;
	memset(t->nkind, 0, sizeof(t->nkind));
}

struct kc_found *kc_threads_finding(struct kc_threads *t, int i)
{
	return &t->found[i];
}

/* Fewest switches first, each number of them anew; `max_executions` bounds each. */
int kc_threads_shorten(struct kc_threads *t, int finding, const struct kc_scenario *scenario,
		       const struct kc_thread_options *options)
{
	struct kc_thread_options fewer = *options;
	double deadline = now() + options->seconds;
	int shorter = 0;

	fewer.reduce = 0;
	for (fewer.preemptions = scenario->threads - 1; !shorter && fewer.preemptions < 8;
	     fewer.preemptions++) {
		begin_scenario(t, scenario, &fewer);
		t->target = finding;
		t->target_met = 0;
		if (orders_make(t) != KC_ALL)
			break;
		if (search(t, deadline) == KC_CUT)
			fewer.preemptions = 8;
		if (t->target_met) {
			struct kc_found *f = &t->found[finding];
			int number = t->number;

			t->number = f->scenario;
			save_schedule(t, f);
			t->number = number;
			shorter = 1;
		}
		end_scenario(t);
	}
	t->target = -1;
	return shorter;
}

static const unsigned char *shown_schedule;
static int shown_length;

static int next_shown(struct kc_threads *t)
{
	uint32_t enabled;

	enabled = threads_enabled(t);
	if (t->n == shown_length) {
		t->fits = !enabled;	/* where some could go on, what they end in is not known */
		return -1;
	}
	if (!enabled && threads_stuck(t))
		enabled = threads_enabled(t);
	if (shown_schedule[t->n] < MOST_PROCS && enabled >> shown_schedule[t->n] & 1)
		return shown_schedule[t->n];
	shown_length = -1;	/* the code does not go there */
	return -1;
}

/* The steps that are waited for at the end, after those that were made. */
static void show_blocked(struct kc_threads *t)
{
	for (int i = 0; i < t->nthreads; i++) {
		struct thread *me = &t->thread[i];
		struct event e = { .proc = i, .call = me->at, .access = me->next };

		if (me->done || !me->has_next || t->nshown == t->most_shown)
			continue;
		value_before(t, &e);
		t->shown[show(t, &e)].blocked = 1;
	}
}

int kc_threads_show(struct kc_threads *t, const struct kc_scenario *scenario,
		    const struct kc_thread_options *options, const unsigned char *schedule, int length,
		    struct kc_shown *steps, int most, struct kc_ending *ending)
{
	memset(ending, 0, sizeof(*ending));
	kc_threads_forget(t);
	begin_scenario(t, scenario, options);
	t->target = -1;
	ending->legal = orders_make(t);
	if (ending->legal != KC_ALL) {
		end_scenario(t);
		return -1;
	}
	do {
		t->known = t->nraces = 0;
		shown_schedule = schedule;
		shown_length = length;
		t->shown = steps;
		t->most_shown = most;
		kc_threads_forget(t);
		t->nprocs = KC_MOST_THREADS;
		run_once(t, next_shown);
	} while (t->learned && !t->failed_memory);
	save_schedules(t);
	ending->why = t->why;
	ending->whole = t->fits;
	ending->explained = -1;
	if (!t->why && t->fits && shown_length >= 0) {
		t->run->s->peek(ending->obs);
		ending->explained = orders_explain(t, ending->obs);
	}
	if (t->why && t->why != KC_CRASHED)
		show_blocked(t);
	for (int i = 0; i < t->nthreads; i++) {
		ending->finished[i] = t->thread[i].at;
		for (int call = 0; call < t->thread[i].at; call++) {
			ending->ret[i][call] = t->thread[i].ret[call];
			ending->warned[i][call] = t->thread[i].warned[call];
			if (t->thread[i].warned[call] && t->thread[i].site[call]) {
				ending->macro[i][call] = t->thread[i].site[call]->macro;
				ending->condition[i][call] = t->thread[i].site[call]->condition;
			}
		}
	}
	end_scenario(t);
	return shown_length < 0 ? -1 : t->nshown;
}

int kc_signature(struct kc_run *run, unsigned int state, const struct kc_call *calls, int n,
		 unsigned long long *out)
{
	kc_i64 ghost[MAX_SLOTS], obs[MAX_SLOTS];

	if (kc_state(run, state, obs, ghost))
		return -1;
	for (int i = 0; i < n; i++) {
		const struct kc_call *call = &calls[i];

		out[i] = run->c->feature(call->op, ghost, obs, call->args) << 1;
		out[i] |= run->c->when(call->op, ghost, obs, call->args) ? 1 : 0;
	}
	return run->c->within(obs) ? 0 : 1;
}

struct kc_threads *kc_threads_open(struct kc_run *run)
{
	struct kc_threads *t = calloc(1, sizeof(*t));
	unsigned long variables = 0;

	if (!t || !run->s->threaded)
		return NULL;
	t->run = run;
	t->s = run->s->threaded;
	for (int i = 0; i < t->s->nvariables; i++)
		variables += t->s->variables[i].size;
	t->start = malloc(run->words * 4 + 8);
	t->variables = malloc(variables + 1);
	t->event = calloc(MOST_EVENTS + 1, sizeof(*t->event));
	t->races = malloc(MOST_RACES * sizeof(*t->races));
	t->frame = calloc(MOST_EVENTS + 1, sizeof(*t->frame));
	t->nodes = malloc(MOST_NODES * sizeof(*t->nodes));
	t->found = calloc(KC_FOUND, sizeof(*t->found));
	t->orders = malloc(MOST_ORDERS * sizeof(*t->orders));
	t->order_seen = calloc(MOST_ORDERS, 1);
	memset(t->slot, 0xff, sizeof(t->slot));
	t->target = -1;
	if (!t->start || !t->variables || !t->event || !t->races || !t->frame || !t->nodes ||
	    !t->found || !t->orders || !t->order_seen)
		return NULL;
	for (int i = 0; i < KC_MOST_THREADS; i++)
		if (fiber_open(&t->thread[i].fiber))
			return NULL;
	return t;
}

void kc_threads_close(struct kc_threads *t)
{
	for (int i = 0; i < KC_MOST_THREADS; i++)
		fiber_close(&t->thread[i].fiber);
	free(t->start);
	free(t->variables);
	free(t->event);
	free(t->races);
	free(t->frame);
	free(t->nodes);
	free(t->found);
	free(t->orders);
	free(t->order_seen);
	free(t->moments);
	free(t->moment_of);
	free(t->classes.at);
	free(t->outcomes.at);
	free(t);
}
