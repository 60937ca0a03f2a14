/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What calls do one after the other, in every order: by the code alone, and by the model
 * where there is one. A concurrent execution is explained by one of these orders, or is a
 * finding: what the code does wrong also when it is alone is judged elsewhere.
 */
#include <stdlib.h>

#include "interleave.h"

struct alone {			/* after some calls, one after the other */
	uint32_t *world;
	unsigned char *variables;
	kc_i64 ghost[MAX_SLOTS], obs[MAX_SLOTS], model[MAX_SLOTS];
	int modelled;
};

static unsigned long variables_size(const struct kc_threads *t)
{
	unsigned long size = 0;

	for (int i = 0; i < t->s->nvariables; i++)
		size += t->s->variables[i].size;
	return size;
}

static void keep_variables(const struct kc_threads *t, unsigned char *to)
{
	for (int i = 0; i < t->s->nvariables; i++) {
		memcpy(to, t->s->variables[i].at, t->s->variables[i].size);
		to += t->s->variables[i].size;
	}
}

void variables_put(const struct kc_threads *t, const unsigned char *from)
{
	for (int i = 0; i < t->s->nvariables; i++) {
		memcpy(t->s->variables[i].at, from, t->s->variables[i].size);
		from += t->s->variables[i].size;
	}
}

/* The numbers of calls of each thread, as one number. */
static int counts_index(const struct kc_threads *t, const int *made)
{
	int at = 0;

	for (int i = 0; i < t->nthreads; i++)
		at = at * (t->scenario->ncalls[i] + 1) + made[i];
	return at;
}

/* That this may be observed after so many calls of each thread. */
static void add_moment(struct kc_threads *t, const int *made, const kc_i64 *obs)
{
	int of = counts_index(t, made), size = t->run->c->state_size;

	for (int i = 0; i < t->nmoments; i++)
		if (t->moment_of[i] == of && !memcmp(t->moments[i], obs, size * sizeof(*obs)))
			return;
	if (t->nmoments == t->most_moments) {
		int most = t->most_moments ? t->most_moments * 2 : 64;
		void *moments = realloc(t->moments, most * sizeof(*t->moments));
		void *of_them = moments ? realloc(t->moment_of, most * sizeof(*t->moment_of)) : NULL;

		if (moments)
			t->moments = moments;
		if (!of_them) {
			t->failed_memory = 1;
			return;
		}
		t->moment_of = of_them;
		t->most_moments = most;
	}
	memcpy(t->moments[t->nmoments], obs, size * sizeof(*obs));
	t->moment_of[t->nmoments++] = of;
}

/* One call of the code alone; -1 where the contract does not allow it, 1 where it does not come back. */
static int call_alone(struct kc_threads *t, struct alone *after, const struct kc_call *call,
		      kc_i64 *ret, unsigned int *warned)
{
	const struct kc_contract *c = t->run->c;
	struct kc_call mine = *call;
	kc_i64 next[MAX_SLOTS], obs[MAX_SLOTS];

	if (call->op > KC_READS && (!c->when(call->op, after->ghost, after->obs, call->args) ||
				    !c->within(after->obs)))
		return -1;
	t->run->record->warnings = t->run->record->rmw = 0;
	guard.sequence++;
	if (guard_enter())
		return 1;
	*ret = call->op > KC_READS ? t->s->call(mine.op, mine.args) : t->s->read(KC_READS - call->op);
	guard_leave();
	if (call->op <= KC_READS) {
		*warned = 0;
		return 0;
	}
	*warned = t->run->record->warnings;
	t->run->s->peek(obs);
	memcpy(next, after->ghost, sizeof(next));
	c->judge(call->op, after->ghost, after->obs, call->args, obs, *ret, *warned, 0, next);
	if (c->op[call->op].has_ghost)
		memcpy(after->ghost, next, sizeof(next));
	memcpy(after->obs, obs, sizeof(obs));
	return 0;
}

/* The same by the model. */
static void call_model(const struct kc_threads *t, struct alone *after, const kc_i64 *ghost,
		       const struct kc_call *call, kc_i64 *ret, unsigned int *warned)
{
	const struct kc_contract *c = t->run->c;
	kc_i64 next[MAX_SLOTS];

	if (call->op <= KC_READS) {
		*ret = after->model[KC_READS - call->op];
		*warned = 0;
		return;
	}
	if (!c->op[call->op].has_model) {
		after->modelled = 0;
		return;
	}
	if (c->op[call->op].has_ret)
		*ret = c->returns(call->op, after->model, call->args);
	*warned = c->op[call->op].has_warns ? c->warns(call->op, ghost, after->model, call->args) : 0;
	c->model(call->op, after->model, call->args, next);
	memcpy(after->model, next, c->state_size * sizeof(*next));
}

/* Every order from here on; `so_far` and `by_model` are what was done. -1: some order is not allowed. */
static int every_order(struct kc_threads *t, const struct alone *from, int *made, struct kc_order *so_far,
		 struct kc_order *by_model)
{
	unsigned long variables = variables_size(t);
	int size = t->run->words * 4, left = 0;
	uint32_t world[t->run->words];
	unsigned char values[variables + 1];

	add_moment(t, made, from->obs);
	if (from->modelled)
		add_moment(t, made, from->model);
	for (int i = 0; i < t->nthreads; i++) {
		struct alone after = *from;
		int call = made[i], length = so_far->length, end;

		if (call == t->scenario->ncalls[i])
			continue;
		left = 1;
		memcpy(t->run->world, from->world, size);
		variables_put(t, from->variables);
		end = call_alone(t, &after, &t->scenario->calls[i][call], &so_far->ret[i][call],
				 &so_far->warned[i][call]);
		if (end < 0)
			return -1;
		if (end) {	/* it waits for what another one does, or never ends: no order has it here */
			t->orders_crashed = 1;
			continue;
		}
		by_model->ret[i][call] = so_far->ret[i][call];
		if (from->modelled)
			call_model(t, &after, from->ghost, &t->scenario->calls[i][call],
				   &by_model->ret[i][call], &by_model->warned[i][call]);
		memcpy(world, t->run->world, size);
		keep_variables(t, values);
		after.world = world;
		after.variables = values;
		made[i]++;
		so_far->thread[length] = by_model->thread[length] = i;
		so_far->length = by_model->length = length + 1;
		if (every_order(t, &after, made, so_far, by_model))
			return -1;
		so_far->length = by_model->length = length;
		made[i]--;
	}
	if (left)
		return 0;
	if (t->norders + 2 > MOST_ORDERS) {
		t->failed_memory = 1;
		return 0;
	}
	memcpy(so_far->obs, from->obs, sizeof(so_far->obs));
	t->orders[t->norders++] = *so_far;
	if (from->modelled) {
		memcpy(by_model->obs, from->model, sizeof(by_model->obs));
		by_model->of_model = 1;
		t->orders[t->norders++] = *by_model;
	}
	return 0;
}

/* From the initial world to where the threads begin; -1 where that is not allowed. */
static int reach_start(struct kc_threads *t, struct alone *start)
{
	struct kc_run *run = t->run;
	const struct kc_scenario *scenario = t->scenario;

	begin_trace(run, start->ghost);
	run->s->observe(start->obs);
	for (unsigned int i = 0; i < scenario->nstart; i++) {
		struct kc_call call = scenario->start[i];
		kc_i64 obs[MAX_SLOTS], next[MAX_SLOTS], ret;

		if (!run->c->when(call.op, start->ghost, start->obs, call.args))
			return -1;
		run->record->warnings = run->record->rmw = 0;
		ret = run->s->apply(call.op, call.args);
		run->s->observe(obs);
		memcpy(next, start->ghost, sizeof(next));
		run->c->judge(call.op, start->ghost, start->obs, call.args, obs, ret,
			      run->record->warnings, 0, next);
		if (run->c->op[call.op].has_ghost)
			memcpy(start->ghost, next, sizeof(next));
		memcpy(start->obs, obs, sizeof(obs));
	}
	t->s->enter();
	return 0;
}

/*
 * Where the threads of the scenario begin, and what their calls do one after the other.
 * KC_ALL; KC_ILLEGAL: some order of the calls is not allowed; KC_UNFIT: the start cannot
 * be reached. An order in which a call does not come back is none.
 */
int orders_make(struct kc_threads *t)
{
	struct alone start = { .modelled = 1 };
	struct kc_order so_far = { 0 }, by_model = { 0 };
	int made[KC_MOST_THREADS] = { 0 }, unfit;

	t->norders = t->nmoments = t->orders_crashed = 0;
	guard.sequence++;
	t->run->record->stop = on_stop;
	if (guard_enter())
		return KC_UNFIT;
	unfit = reach_start(t, &start);
	guard_leave();
	if (unfit)
		return KC_UNFIT;
	memcpy(t->start, t->run->world, t->run->words * 4);
	keep_variables(t, t->variables);
	memcpy(t->ghost, start.ghost, sizeof(t->ghost));
	memcpy(start.model, start.obs, sizeof(start.model));
	start.world = t->start;
	start.variables = t->variables;
	return every_order(t, &start, made, &so_far, &by_model) ? KC_ILLEGAL : KC_ALL;
}

/* Whether a call counts: a read without a lock only where it is `read`, the one that is judged. */
static int counts(const struct thread *me, int call, const struct kc_call *read)
{
	return me->calls[call].op > KC_READS || &me->calls[call] == read;
}

/* Whether call b was over before call a began, here and in every equivalent execution. */
static int over_before(const struct kc_threads *t, int thread_b, int b, int thread_a, int a)
{
	const struct event *last, *first;

	if (t->thread[thread_b].first[b] < 0 || t->thread[thread_a].first[a] < 0)
		return 0;	/* it did nothing that others can see: it may have been at any time */
	last = &t->event[t->thread[thread_b].end[b]];
	first = &t->event[t->thread[thread_a].first[a]];
	return first->clock[last->proc] >= last->own;
}

/* Whether the calls of `order` come as they came here, where one was over before another began. */
static int in_time(const struct kc_threads *t, const struct kc_order *order, const struct kc_call *read)
{
	int made[KC_MOST_THREADS] = { 0 }, number[32], thread[32], n = 0;

	if (is_weak(t))
		return 1;	/* what a call stored may be seen after it: only each thread's own order holds */
	for (int k = 0; k < order->length; k++) {
		int call = made[order->thread[k]]++;

		if (!counts(&t->thread[order->thread[k]], call, read))
			continue;
		thread[n] = order->thread[k];
		number[n++] = call;
	}
	for (int k = 0; k < n; k++)
		for (int before = 0; before < k; before++)
			if (thread[before] != thread[k] &&
			    over_before(t, thread[k], number[k], thread[before], number[before]))
				return 0;
	return 1;
}

static int same_results(const struct kc_threads *t, const struct kc_order *order,
			const struct kc_call *read)
{
	for (int i = 0; i < t->nthreads; i++) {
		const struct thread *me = &t->thread[i];

		for (int call = 0; call < me->ncalls; call++)
			if (counts(me, call, read) &&
			    (me->ret[call] != order->ret[i][call] ||
			     !me->warned[call] != !order->warned[i][call]))
				return 0;
	}
	return 1;
}

/* Whether an order of the calls comes to what they returned, `read` among it, and left here. */
static int same_outcome(const struct kc_threads *t, const struct kc_order *order, const kc_i64 *obs,
			const struct kc_call *read)
{
	return !memcmp(order->obs, obs, t->run->c->state_size * sizeof(*obs)) && same_results(t, order, read);
}

/*
 * By which order what the calls returned and left is explained, and `read`, where it is
 * one; -1. Each read is judged by itself: that two of them are of one moment is promised
 * by nobody.
 */
static int explain(const struct kc_threads *t, const kc_i64 *obs, const struct kc_call *read)
{
	for (int i = 0; i < t->norders; i++)
		if (same_outcome(t, &t->orders[i], obs, read) && in_time(t, &t->orders[i], read))
			return i;
	return -1;
}

int orders_explain(struct kc_threads *t, const kc_i64 *obs)
{
	return explain(t, obs, NULL);
}

static void note_moment(struct kc_threads *t, int k, kc_i64 value)
{
	int before = t->nfound, found = threads_note(t, KC_MOMENT, 0, 0, k);

	if (t->nfound > before)
		t->found[found].value = value;
}

/* A moment at which both of two values that one thread read were there. */
static int pair_at_once(const struct kc_threads *t, int a, kc_i64 x, int b, kc_i64 y)
{
	for (int i = 0; i < t->nmoments; i++)
		if (t->moments[i][a] == x && t->moments[i][b] == y)
			return 1;
	return 0;
}

/* Which orders of the calls, by the code, this execution may be. */
static void mark_orders(struct kc_threads *t, const kc_i64 *obs)
{
	for (int i = 0; i < t->norders; i++)
		if (!t->order_seen[i] && !t->orders[i].of_model && same_outcome(t, &t->orders[i], obs, NULL))
			t->order_seen[i] = 1;
}

/*
 * Whether what the code does in each order, one call after the other, was among the
 * executions: it is one of them, unless a loop was taken to wait that would have given up.
 */
int orders_all_seen(const struct kc_threads *t)
{
	for (int i = 0; i < t->norders; i++)
		if (!t->orders[i].of_model && !t->order_seen[i])
			return 0;
	return 1;
}

/* The end of an execution in which every call came back. */
void orders_judge(struct kc_threads *t)
{
	kc_i64 obs[MAX_SLOTS];

	if (t->orders_crashed && !t->norders)
		return;	/* what the calls do even alone is told elsewhere */
	t->run->s->peek(obs);
	t->run->record->warnings = 0;
	mark_orders(t, obs);
	if (explain(t, obs, NULL) < 0) {
		threads_note(t, KC_RESULT, 0, 0, 0);
		return;
	}
	for (int i = 0; i < t->nthreads; i++) {
		const struct thread *me = &t->thread[i];

		for (int call = 0; call < me->ncalls; call++) {
			int b = KC_READS - me->calls[call].op, a = call ? KC_READS - me->calls[call - 1].op : -1;

			if (b >= 0 && explain(t, obs, &me->calls[call]) < 0)
				note_moment(t, b, me->ret[call]);
			if (a >= 0 && b >= 0 && a != b &&
			    !pair_at_once(t, a, me->ret[call - 1], b, me->ret[call]))
				threads_note(t, KC_PAIR, 0, 0, a * MAX_SLOTS + b);
		}
	}
}

/* Whether a value may be seen now: it is there after some of the calls that are over or under way. */
static int may_be_seen(const struct kc_threads *t, int k, kc_i64 value)
{
	int made[KC_MOST_THREADS] = { 0 };

	for (int under_way = 0; under_way < 1 << t->nthreads; under_way++) {
		int of, possible = 1;

		for (int i = 0; i < t->nthreads; i++) {
			const struct thread *me = &t->thread[i];
			int more = under_way >> i & 1;

			possible &= !more || (me->inside && me->first[me->at] >= 0);
			made[i] = me->at + more;
		}
		if (!possible)
			continue;
		of = counts_index(t, made);
		for (int i = 0; i < t->nmoments; i++)
			if (t->moment_of[i] == of && t->moments[i][k] == value)
				return 1;
	}
	return 0;
}

/* What a reader would see now; -1 where reading does not come back, so that it sees nothing. */
static int read_now(struct kc_threads *t, int k, kc_i64 *value)
{
	void (*stop)(int why, const struct kc_site *site) = t->run->record->stop;
	volatile int lost = 0;
	sigjmp_buf around;

	memcpy(&around, &guard.env, sizeof(around));
	guard.sequence++;
	t->run->record->stop = on_stop;
	if (guard_enter())
		lost = -1;
	else
		*value = t->s->read(k);
	t->run->record->stop = stop;
	memcpy(&guard.env, &around, sizeof(around));
	guard.running = 1;	/* the execution goes on */
	return lost;
}

/* After a write: what a reader without a lock would see now, each value by itself. */
void orders_moment(struct kc_threads *t)
{
	for (int i = 0; i < t->options.nreads && !t->orders_crashed; i++) {
		int k = t->options.reads[i];
		kc_i64 value;

		if (!read_now(t, k, &value) && !may_be_seen(t, k, value))
			note_moment(t, k, value);
	}
	t->run->record->warnings = 0;
}

int kc_threads_order(struct kc_threads *t, int i, struct kc_order *order)
{
	if (i >= t->norders)
		return 0;
	*order = t->orders[i];
	return 1;
}
