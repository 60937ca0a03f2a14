/* SPDX-License-Identifier: GPL-2.0-only */
/* What one call takes: the instructions that it executes, the cache lines of the world that it touches. */
#include "run.h"
#include "sanitizer.h"

enum { LINE = 64, MOST_LINES = 4096 };

static unsigned char touched[MOST_LINES];

static uintptr_t first_line(const struct kc_run *run)
{
	return (uintptr_t)run->s->world & -(uintptr_t)LINE;
}

static int has_line(const struct kc_run *run, const struct kc_object *object, int line)
{
	uintptr_t start = (uintptr_t)run->s->world + object->at;
	uintptr_t at = first_line(run) + (uintptr_t)line * LINE;

	return start < at + LINE && at < start + object->size;
}

static int lines_of(const struct kc_run *run, int objects)
{
	int lines = 0;

	for (int line = 0; line < MOST_LINES; line++)
		for (int i = 0; touched[line] && i < objects && i < run->s->nobjects; i++)
			if (has_line(run, &run->s->objects[i], line)) {
				lines++;
				break;
			}
	return lines;
}

/* From here on this call's lines are marked; whether they can be. */
static int begin_lines(const struct kc_run *run)
{
	uintptr_t first = first_line(run);

	uintptr_t end = (uintptr_t)run->s->world + run->s->world_size;

	if (!run->s->sanitizer || end > first + sizeof(touched) * LINE)
		return 0;
	memset(touched, 0, sizeof(touched));
	run->s->sanitizer->mark(touched, (const void *)first, MOST_LINES);
	return 1;
}

/* The last call; what it takes is in `cost`. Whether it comes back. */
static int counted_call(struct kc_run *run, const struct kc_call *call, const unsigned char *kinds,
			unsigned long long size, int objects, struct kc_cost *cost)
{
	struct kc_record seen = { 0 };
	kc_i64 obs[MAX_SLOTS], ret;
	int marks = begin_lines(run), why;

	memset(&guard_count, 0, sizeof(guard_count));
	guard_count.base = run->base;
	guard_count.size = size;
	guard_count.kinds = kinds;
	why = guard_apply(run->s, call, -1, obs, &ret, &seen);
	guard_count.kinds = NULL;
	if (run->s->sanitizer)
		run->s->sanitizer->mark(NULL, NULL, 0);
	memcpy(cost->instructions, guard_count.instructions, sizeof(cost->instructions));
	cost->rmw = seen.rmw;
	cost->lines = marks ? lines_of(run, objects) : -1;
	return !why;
}

int kc_cost(struct kc_run *run, const struct kc_call *calls, int n, const unsigned char *kinds,
	    unsigned long long size, int objects, struct kc_cost *cost)
{
	kc_i64 ghost[MAX_SLOTS], obs[MAX_SLOTS], next[MAX_SLOTS], after[MAX_SLOTS], ret;
	const struct kc_contract *c = run->c;
	struct kc_record seen = { 0 };

	begin_trace(run, ghost);
	if (guard_apply(run->s, NULL, -1, obs, &ret, &seen))
		return KC_NOT_ALLOWED;
	for (int i = 0; i < n; i++) {
		const struct kc_call *call = &calls[i];

		if (!c->when(call->op, ghost, obs, call->args) || (i && !c->within(obs)))
			return KC_NOT_ALLOWED;
		if (i == n - 1)
			return counted_call(run, call, kinds, size, objects, cost) ? KC_COUNTED : i;
		ret = 0;
		if (guard_apply(run->s, call, -1, next, &ret, &seen))
			return i;
		memcpy(after, ghost, sizeof(after));
		c->judge(call->op, ghost, obs, call->args, next, ret, seen.warnings, seen.rmw, after);
		if (op_of(run, call)->has_ghost)
			memcpy(ghost, after, sizeof(ghost));
		memcpy(obs, next, sizeof(obs));
	}
	return KC_NOT_ALLOWED;
}
