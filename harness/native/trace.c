/* SPDX-License-Identifier: GPL-2.0-only */
/* Single traces: how a state was reached, what each step of a trace does, does it fail. */
#include <stdlib.h>

#include "run.h"

/* The call as it is for the members that the kept states' members really were. */
static void rename_call(const struct kc_run *run, const unsigned char *real, struct kc_call *call)
{
	for (int i = 0; i < KC_MAX_ARGS; i++)
		if (run->options.symmetry.indices[call->op] >> i & 1 && call->args[i] >= 0 &&
		    call->args[i] < run->options.symmetry.members)
			call->args[i] = real[call->args[i]];
}

/* After `call` from kept state `state`: which member became which in the kept successor. */
static int follow_members(struct kc_run *run, uint32_t state, const struct kc_call *call,
			  unsigned char *real)
{
	kc_i64 ghost[MAX_SLOTS], obs[MAX_SLOTS], after[MAX_SLOTS];
	unsigned char perm[MOST_MEMBERS], was[MOST_MEMBERS];
	uint32_t post[MAX_ROW];
	struct outcome out;

	enter_state(run, state, ghost);
	memcpy(after, ghost, sizeof(after));
	if (guard_enter())
		return -1;
	run->s->observe(obs);
	run_call(run, call, &out, post);
	guard_leave();
	run->c->judge(call->op, ghost, obs, call->args, out.obs, out.ret, out.warnings, out.rmw,
		      after);
	symmetry_class(run, post, after, out.obs, perm);
	memcpy(was, real, sizeof(was));
	for (int m = 0; m < run->options.symmetry.members; m++)
		real[perm[m]] = was[m];
	return 0;
}

static int trace_to(struct kc_run *run, uint32_t state, unsigned int last, struct kc_call *out)
{
	uint32_t at, parent, *states;
	unsigned int call, length = 0;
	unsigned char real[MOST_MEMBERS];

	for (at = state; (parent = store_parent(&run->store, at, &call)) != NONE; at = parent)
		length++;
	if (length + 1 > KC_MAX_PATH)
		return -1;
	states = malloc((length + 1) * sizeof(*states));
	if (!states)
		return -1;
	at = state;
	for (unsigned int i = length; i-- > 0; at = parent) {
		parent = store_parent(&run->store, at, &call);
		states[i] = parent;
		out[i] = run->calls[call];
	}
	out[length] = run->calls[last];
	for (int m = 0; m < MOST_MEMBERS; m++)
		real[m] = m;
	for (unsigned int i = 0; run->symmetric && i < length; i++) {
		struct kc_call kept = out[i];

		rename_call(run, real, &out[i]);
		if (follow_members(run, states[i], &kept, real)) {
			free(states);
			return -1;
		}
	}
	if (run->symmetric)
		rename_call(run, real, &out[length]);
	free(states);
	return length + 1;
}

int kc_path(struct kc_run *run, unsigned int state, unsigned int last, struct kc_call *out)
{
	if (state >= run->store.n || last >= run->ncalls || run->symmetric)
		return -1;
	return trace_to(run, state, last, out);
}

int kc_trace(struct kc_run *run, int number, struct kc_call *out)
{
	const struct kc_slot *slot = &run->checks[number];
	const struct saved *saved = &run->saved[number];

	if (!slot->failed)
		return -1;
	if (saved->calls) {
		memcpy(out, saved->calls, saved->n * sizeof(*out));
		return saved->n;
	}
	return slot->call == INITIAL ? 0 : trace_to(run, slot->state, slot->call, out);
}

int kc_state(struct kc_run *run, unsigned int state, long long *obs, long long *ghost)
{
	if (state >= run->store.n)
		return -1;
	enter_state(run, state, ghost);
	if (guard_enter())
		return -1;
	run->s->observe(obs);
	guard_leave();
	return 0;
}

/* One step of a trace, for the report: from the initial world when `first`. */
int kc_step(struct kc_run *run, int first, const struct kc_call *call, int watched,
	    struct kc_step *step)
{
	struct kc_record seen = { 0 };
	kc_i64 ret = 0;

	memset(step, 0, sizeof(*step));
	if (first)
		memcpy(run->world, run->initial, run->words * 4);
	memcpy(run->before, run->world, run->words * 4);
	step->why = guard_apply(run->s, call, watched, step->got, &ret, &seen);
	if (watched >= 0 && guard_end.changed)
		step->changed_pc = guard_end.changed - run->base;
	step->signal = step->why ? guard_end.signal : 0;
	step->pc = step->why ? guard_end.pc - run->base : 0;
	step->ret = ret;
	step->warnings = seen.warnings;
	step->rmw = seen.rmw;
	step->reports = seen.reports;
	step->elsewhere = -1;
	for (int b = 0; !step->why && step->elsewhere < 0 && b < run->s->world_size; b++)
		if (((unsigned char *)run->world)[b] != ((unsigned char *)run->before)[b] &&
		    !run->s->owned[b])
			step->elsewhere = b;
	for (int i = 0; step->elsewhere >= 0 && i < run->s->nobjects; i++) {
		const struct kc_object *object = &run->s->objects[i];

		if (step->elsewhere - object->at < object->size) {
			step->object = object->name;
			step->object_byte = step->elsewhere - object->at;
		}
	}
	if (seen.warnings && seen.first) {
		step->macro = seen.first->macro;
		step->condition = seen.first->condition;
		step->file = seen.first->file;
		step->line = seen.first->line;
	}
	if (seen.reports && seen.report) {
		step->kind = seen.report->kind;
		memcpy(step->text, seen.report->text, sizeof(step->text));
		step->report_file = seen.report->file;
		step->report_line = seen.report->line;
		step->report_pc = seen.report->pc - 1 - run->base;
	}
	return step->why;
}

/* The translated contract's word on one transition, so that Python can be held against it. */
void kc_judge(struct kc_run *run, const struct kc_call *call, const long long *ghost,
	      const long long *before, const long long *after, long long rmw, long long *next,
	      long long *next_ghost, long long *out)
{
	const struct kc_contract *c = run->c;
	const struct kc_op *op = op_of(run, call);
	struct kc_verdict said;
	struct kc_state_verdict of_state;

	memcpy(next_ghost, ghost, c->ghost_size * sizeof(*ghost));
	said = c->judge(call->op, ghost, before, call->args, after, 0, 0, rmw, next_ghost);
	of_state = c->states(next_ghost, after);
	out[0] = c->when(call->op, ghost, before, call->args);
	out[1] = op->has_warns ? c->warns(call->op, ghost, before, call->args) : 0;
	out[2] = op->has_ret ? c->returns(call->op, before, call->args) : 0;
	out[3] = said.broken | of_state.broken;
	out[4] = of_state.witnessed;
	out[5] = said.diff;
	if (op->has_model)
		c->model(call->op, before, call->args, next);
}

/* Whether what `call` did fails check `number`. */
static int fails(struct kc_run *run, int number, const struct kc_call *call, const kc_i64 *ghost,
		 const kc_i64 *obs, const struct outcome *out, kc_i64 *after)
{
	const struct kc_contract *c = run->c;
	int claims = run->s->ops * run->per_op, bit = number - claims;
	struct kc_verdict said = c->judge(call->op, ghost, obs, call->args, out->obs, out->ret,
					  out->warnings, out->rmw, after);

	if (number >= run->nslots)
		return out->reports && site_slot(run, call->op) == number;
	if (number >= claims) {
		struct kc_state_verdict of_state = { 0 };

		if (goes_on(op_of(run, call)))
			of_state = c->states(op_of(run, call)->has_ghost ? after : ghost, out->obs);
		if (bit >= c->always)
			return of_state.witnessed >> (bit - c->always) & 1;
		return (said.broken | of_state.broken) >> bit & 1;
	}
	if (number / run->per_op != call->op)
		return 0;
	bit = number % run->per_op;
	if (bit == c->state_size + KC_ELSEWHERE)
		return out->stray >= 0 && judges_world(op_of(run, call));
	if (bit == c->state_size + KC_SANITIZER)
		return out->reports != 0;
	return said.diff >> bit & 1;
}

/* From here on the world is what the last call left. */
void commit(struct kc_run *run, const uint32_t *post)
{
	for (int k = 0; k < run->nlive; k++)
		run->world[run->live[k]] = post[k];
	memcpy(run->before, run->world, run->words * 4);
}

void begin_trace(struct kc_run *run, kc_i64 *ghost)
{
	memcpy(run->world, run->initial, run->words * 4);
	memcpy(run->before, run->initial, run->words * 4);
	run->c->ghost_init(ghost);
}

static int crash_fails(struct kc_run *run, int number, const struct kc_call *call)
{
	int check = run->c->state_size +
		    (guard_end.why == KC_BAD_ACCESS ? KC_SANITIZER : KC_CRASH);

	if (number >= run->nslots)
		return run->record->reports && site_slot(run, call->op) == number;
	return number == slot_of(run, call->op, check);
}

int kc_try(struct kc_run *run, const struct kc_call *calls, int n, int number)
{
	kc_i64 ghost[MAX_SLOTS], obs[MAX_SLOTS], after[MAX_SLOTS];
	uint32_t post[MAX_LIVE];
	struct outcome out;
	volatile int i = 0;

	begin_trace(run, ghost);
	if (guard_enter())
		return crash_fails(run, number, &calls[i]) ? i + 1 : 0;
	run->s->observe(obs);
	for (; i < n; i++) {
		const struct kc_op *op = op_of(run, &calls[i]);

		if (!run->c->when(calls[i].op, ghost, obs, calls[i].args) ||
		    (i && !run->c->within(obs)))
			break;
		run_call(run, &calls[i], &out, post);
		if (fails(run, number, &calls[i], ghost, obs, &out, after)) {
			guard_leave();
			return i + 1;
		}
		if (!goes_on(op)) {
			restore_all(run);
			continue;
		}
		commit(run, post);
		if (op->has_ghost)
			memcpy(ghost, after, sizeof(ghost));
		memcpy(obs, out.obs, sizeof(obs));
	}
	guard_leave();
	return 0;
}

unsigned long long kc_states(struct kc_run *run)
{
	return run->states;
}

unsigned long long kc_kept(struct kc_run *run)
{
	return run->store.n;
}

unsigned long long kc_bytes(struct kc_run *run)
{
	return run->store.most_bytes;
}

unsigned long long kc_transitions(struct kc_run *run)
{
	return run->transitions;
}

double kc_seconds(struct kc_run *run)
{
	return run->seconds;
}

int kc_depth(struct kc_run *run)
{
	return run->depth;
}

int kc_symmetric(struct kc_run *run)
{
	return run->symmetric;
}

unsigned long long kc_digest(struct kc_run *run, int which)
{
	return run->digest[which];
}
