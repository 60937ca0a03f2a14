/* SPDX-License-Identifier: GPL-2.0-only */
/* The engine's interface; read by the C compiler and, below the marker, by cffi. */
#ifndef KCONFORM_ENGINE_H
#define KCONFORM_ENGINE_H
/* cffi: from here */
enum { KC_MAX_ARGS = 4, KC_MAX_PATH = 64 };
/* checks of an operation beside its observations (which come first, in State's order) */
enum { KC_RETURN, KC_WARNINGS, KC_ELSEWHERE, KC_CRASH, KC_EXTRA };
enum { KC_SIGNAL = 1, KC_ENDLESS, KC_DEADLOCK, KC_BUG_STOP };
enum { KC_COMPLETE, KC_STATES_LIMIT, KC_TIME_LIMIT, KC_NO_MEMORY };

struct kc_call { int op; long long args[4]; };

struct kc_slot {		/* one check, all its transitions */
	unsigned long long compared, failed;
	unsigned int state, call;		/* the first failure */
	long long got, want;
	unsigned long long fail_all, fail_none;	/* features that all / none of the failures have */
	unsigned long long pass_all, pass_none;	/* the same of the others */
	int why, signal;			/* KC_CRASH only */
	unsigned long long pc;
};

struct kc_flight {		/* in shared memory: what ran when a worker died */
	unsigned int length;
	int running;
	int path[64];			/* calls from the initial state */
	int call;
};

struct kc_step { long long got[32]; long long ret; unsigned int warnings, rmw; int why, signal;
	unsigned long long pc, changed_pc; const char *macro, *condition, *file; int line; int elsewhere; };

struct kc_run;
struct kc_run *kc_open(const void *subject, const struct kc_call *calls, unsigned int ncalls,
		       struct kc_flight *flight, unsigned long long max_states, double seconds);
int kc_explore(struct kc_run *run);
unsigned long long kc_states(struct kc_run *run);
unsigned long long kc_transitions(struct kc_run *run);
struct kc_slot *kc_checks(struct kc_run *run);	/* [op][state_size + KC_EXTRA] */
struct kc_slot *kc_claims(struct kc_run *run);	/* always, then possible */
int kc_path(struct kc_run *run, unsigned int state, int *path);	/* length, or -1: too long */
int kc_state(struct kc_run *run, unsigned int state, long long *obs, long long *ghost);
/* `watch`: an observation whose last change is to be found in the code (x86-64), or -1 */
int kc_step(struct kc_run *run, int first, const struct kc_call *call, int watch,
	    struct kc_step *step);
void kc_judge(struct kc_run *run, const struct kc_call *call, const long long *ghost,
	      const long long *before, const long long *after, long long rmw, long long *next,
	      long long *next_ghost, long long *out);
int kc_sandbox(void);
/* cffi: to here */
#endif
