/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the subject's own functions cost, for `make bench`: the operations that are
 * legal in explored states, called from these states with nothing observed or judged.
 */
#include <stdlib.h>

#include "run.h"

struct legal {
	uint32_t state, call;
};

static uint64_t collect(struct kc_run *run, unsigned int states, struct legal *list)
{
	kc_i64 ghost[MAX_SLOTS], obs[MAX_SLOTS];
	uint64_t n = 0;

	for (unsigned int k = 0; k < states; k++) {
		uint32_t state = (uint64_t)k * run->store.n / states;

		kc_state(run, state, obs, ghost);
		for (unsigned int i = 0; i < run->ncalls; i++) {
			const struct kc_call *call = &run->calls[i];

			if (goes_on(op_of(run, call)) &&
			    run->c->when(call->op, ghost, obs, call->args))
				list[n++] = (struct legal){ state, i };
		}
	}
	return n;
}

double kc_bare(struct kc_run *run, unsigned int states, unsigned long long calls)
{
	struct legal *list = malloc((uint64_t)states * run->ncalls * sizeof(*list));
	uint64_t n = list ? collect(run, states, list) : 0, done = 0;
	kc_i64 ghost[MAX_SLOTS];
	uint64_t at = 0;
	uint32_t inside = NONE;
	double start;

	if (!n)
		return 0;
	start = now();
	for (; done < calls; done++) {
		const struct legal *next = &list[at];
		const struct kc_call *call = &run->calls[next->call];

		if (next->state != inside)
			enter_state(run, inside = next->state, ghost);
		run->s->apply(call->op, call->args);
		restore_live(run);
		at = at + 1 == n ? 0 : at + 1;
	}
	free(list);
	return done / (now() - start);
}
