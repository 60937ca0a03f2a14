/* SPDX-License-Identifier: GPL-2.0-only */
/* The engine's interface; read by the C compiler and, between the markers, by cffi. */
#ifndef KCONFORM_ENGINE_H
#define KCONFORM_ENGINE_H
#pragma GCC visibility push(default)
/* cffi: from here */
enum { KC_MAX_ARGS = 4, KC_MAX_PATH = 4096, KC_MAX_IDS = 4, KC_MAX_SITES = 64 };
/* checks of an operation beside its observations (which come first, in State's order) */
enum { KC_RETURN, KC_WARNINGS, KC_ELSEWHERE, KC_CRASH, KC_SANITIZER, KC_EXTRA };
enum { KC_SIGNAL = 1, KC_ENDLESS, KC_DEADLOCK, KC_BUG_STOP, KC_BAD_ACCESS,
       KC_SHIM_STOP };
enum { KC_COMPLETE, KC_STATES_LIMIT, KC_TIME_LIMIT, KC_NO_MEMORY, KC_STOPPED, KC_STRAYED };

struct kc_call { int op; long long args[4]; };

struct kc_slot {		/* one check, all its transitions or states */
	unsigned long long compared, failed;
	unsigned int state, call;		/* the first failure; call NONE: the initial state */
	unsigned long long fail_all, pass_all;	/* features that all failures, all others have */
	int why;				/* KC_CRASH only */
};

struct kc_flight {		/* in shared memory: what ran when a worker died, and how far it is */
	volatile unsigned long long states, expanded, transitions;
	volatile int depth;
	volatile int running;
	unsigned int length;
	struct kc_call path[4096];		/* calls from the initial state */
	struct kc_call call;
};

/* Which states differ only by which MM (or the like) is which. */
struct kc_symmetry {
	int members;				/* how many there are; 0: no symmetry */
	int ids, id[4];				/* observations that hold a member's ID */
	long long value[32];			/* the ID of each member */
	int tuples, tuple[4];			/* where the ghost has a value for each member */
	unsigned int indices[64];		/* of each operation, the arguments that are members */
};

struct kc_options {
	unsigned long long max_states, max_bytes;
	double seconds;
	/*
	 * Whether an operation changed what is not its own is looked at after each call in
	 * so many states, then once a state: where that finds something, the run ends as
	 * KC_STRAYED, to be made again with this set higher.
	 */
	unsigned long long careful_states;
	int stop_at_first;		/* end as soon as a check fails that `known` does not name */
	int digest;			/* of all that calls did; stop_at_first has it as well */
	unsigned long long most_transitions;	/* end as KC_STOPPED after so many; 0: no limit */
	const unsigned char *known;	/* [op][state_size + KC_EXTRA], then the claims */
	struct kc_symmetry symmetry;
};

struct kc_draw { int op; int args; const long long *values[4]; int n[4]; };

struct kc_step { long long got[32]; long long ret; unsigned int warnings, rmw, reports; int why, signal;
	unsigned long long pc, changed_pc; const char *macro, *condition, *file; int line; int elsewhere;
	const char *object; unsigned long long object_byte;	/* where `elsewhere` is */
	/* the first report of a sanitizer */
	const char *kind, *report_file; char text[160]; int report_line; unsigned long long report_pc; };

struct kc_run;
struct kc_run *kc_open(const void *subject, const void *contract, const struct kc_call *calls,
		       unsigned int ncalls, struct kc_flight *flight, const struct kc_options *options);
void kc_close(struct kc_run *run);
int kc_explore(struct kc_run *run);
unsigned long long kc_states(struct kc_run *run);	/* all; with symmetry, all that they stand for */
unsigned long long kc_kept(struct kc_run *run);		/* states in memory */
unsigned long long kc_bytes(struct kc_run *run);	/* the most memory that they took */
unsigned long long kc_transitions(struct kc_run *run);
double kc_seconds(struct kc_run *run);		/* that the exploration took */
int kc_depth(struct kc_run *run);		/* every trace of so many calls was explored */
int kc_symmetric(struct kc_run *run);
/* of all that legal calls did (0), how misuse warned (1), all that legal calls did but warn (2) */
unsigned long long kc_digest(struct kc_run *run, int which);
struct kc_slot *kc_checks(struct kc_run *run);	/* [op][state_size + KC_EXTRA] */
struct kc_slot *kc_claims(struct kc_run *run);	/* always, then possible */
int kc_sites(struct kc_run *run);		/* places that a sanitizer reported, slots behind the claims */
int kc_site_op(struct kc_run *run, int site);
int kc_prepare(const void *subject);		/* before the cage; 0, or the sanitizer cannot be opened */
/* the calls up to and with the first failure of a slot; their number, or -1 */
int kc_trace(struct kc_run *run, int slot, struct kc_call *out);
int kc_state(struct kc_run *run, unsigned int state, long long *obs, long long *ghost);
/* `watch`: an observation whose last change is to be found in the code (x86-64), or -1 */
int kc_step(struct kc_run *run, int first, const struct kc_call *call, int watch,
	    struct kc_step *step);
void kc_judge(struct kc_run *run, const struct kc_call *call, const long long *ghost,
	      const long long *before, const long long *after, long long rmw, long long *next,
	      long long *next_ghost, long long *out);
/* random walks: `steps` calls in traces of at most `length`, from `seed` */
int kc_walk(struct kc_run *run, const struct kc_draw *draws, int ndraws, unsigned long long seed,
	    unsigned long long steps, int length);
/* does this trace end in a failure of `slot`? the calls that it takes, or 0 */
int kc_try(struct kc_run *run, const struct kc_call *calls, int n, int slot);
/* the same calls from the same states with nothing checked; calls a second */
double kc_bare(struct kc_run *run, unsigned int states, unsigned long long calls);
/* the calls up to kept state `state`, where there is no symmetry, and call `last`; their number, or -1 */
int kc_path(struct kc_run *run, unsigned int state, unsigned int last, struct kc_call *out);
/*
 * What the last of some calls takes. `kinds`: what the instruction at each byte of the subject is,
 * counted by kind (x86-64), or NULL. `lines`: of 64 bytes, of the first `objects` of the world, where
 * the subject is sanitized; else -1. KC_COUNTED; KC_NOT_ALLOWED where the contract does not allow the
 * calls; else the number of the one, from 0, that does not come back.
 */
enum { KC_COUNTED = -1, KC_NOT_ALLOWED = -2 };
enum { KC_KINDS = 3 };
struct kc_cost { unsigned long long instructions[3]; unsigned int rmw; int lines; };
int kc_cost(struct kc_run *run, const struct kc_call *calls, int n, const unsigned char *kinds,
	    unsigned long long size, int objects, struct kc_cost *cost);
/* each of `count` operations once, on objects of the kind that `round` is; see census.c.j2 */
struct kc_called { int done, running, why, warnings; unsigned long pc; char site[160]; };
int kc_call_each(const void *subject, int count, int round, struct kc_called *called);
int kc_sandbox_to_load(void);	/* before a subject is loaded */
int kc_sandbox(void);		/* before it runs */
int kc_sandbox_of_threads(void);	/* before it runs on some */
/*
 * Calls as threads; see interleave.c. A call whose `op` is KC_READS - k reads observation k alone. `memory`:
 * the order in which stores become visible. KC_RELAXED delays each store by itself, KC_TSO all of a thread
 * in their order, as far as fences, release and read-modify-writes let them.
 */
enum { KC_MOST_THREADS = 4, KC_MOST_CALLS = 8, KC_MOST_FRAMES = 8, KC_FOUND = 512, KC_READS = -1 };
enum { KC_SC, KC_TSO, KC_RELAXED };
/* KC_BOUNDED: every schedule with so many preemptions; KC_ILLEGAL: some order of the calls is not allowed */
enum { KC_ALL, KC_BOUNDED, KC_CUT, KC_ILLEGAL, KC_UNFIT };
/* kinds of what is found in an execution */
enum { KC_RACE, KC_WAITER, KC_RESULT, KC_MOMENT, KC_PAIR, KC_NONE_RUNS, KC_HELD, KC_NOT_HELD, KC_CRASHED,
       KC_SPINS };
struct kc_scenario {
	const struct kc_call *start;		/* from the initial world, one after the other */
	unsigned int nstart;
	int threads, ncalls[4];
	const struct kc_call *calls[4];
};
struct kc_thread_options {
	int memory, reduce;			/* without `reduce`: every schedule, equivalent ones as well */
	int preemptions;			/* at most so many; -1: any number */
	int everything;				/* each access to the world is a step */
	int outcomes;				/* count what executions come to */
	unsigned long long max_executions;
	double seconds;
	int nreads, reads[8];			/* observations that may be read without a lock */
};
struct kc_thread_result {
	int end;
	unsigned long long executions, blocked, steps, orders;
	unsigned long long classes;		/* of executions that differ, where nothing is reduced */
	int dropped;				/* kinds, in bits, of what was found and had no place any more */
	/* where asked for: different ends, returns and observations; the same of which are the same number */
	unsigned long long outcomes, outcomes_are;
	double seconds;
};
/* `pc`, of a race, those of the two accesses; `changed`: some execution where the write changed the value */
struct kc_found {
	int kind, which, scenario, memory, changed;
	long long value;			/* KC_MOMENT: what was read */
	unsigned int access[2];			/* KC_READ | ..., of a race */
	unsigned long long pc[2], executions;
	int length;				/* of the schedule, up to where it shows */
	unsigned char schedule[4096];		/* the thread of each step; of a delayed store, KC_MOST_THREADS and up */
};
struct kc_shown {
	int thread, call, delayed, blocked;
	int place;				/* in its thread's own order, in which a delayed store is where it was made */
	unsigned int kind, size;
	unsigned long long pc, before, after, byte;
	const char *name;
	int frames;
	unsigned long long frame[8];		/* of the calls that led there, outermost first */
};
struct kc_ending {
	int why, legal, whole;			/* `whole`: nobody could go on after the schedule */
	long long ret[4][8], obs[32];
	unsigned int warned[4][8];
	const char *macro[4][8], *condition[4][8];	/* of the last warning of each call */
	int explained;				/* by which order of the calls, from 0; -1: none */
	int finished[4];			/* calls that came back */
};
struct kc_order { int length, of_model; unsigned char thread[32]; long long ret[4][8], obs[32];
		  unsigned int warned[4][8]; };
/* What tells kept state `state` from others, of each call: whether it is legal, and its features above that. */
int kc_signature(struct kc_run *run, unsigned int state, const struct kc_call *calls, int n,
		 unsigned long long *out);
struct kc_threads;
struct kc_threads *kc_threads_open(struct kc_run *run);
void kc_threads_close(struct kc_threads *threads);
int kc_threads_explore(struct kc_threads *threads, int number, const struct kc_scenario *scenario,
		       const struct kc_thread_options *options, struct kc_thread_result *result);
int kc_threads_found(struct kc_threads *threads);
void kc_threads_forget(struct kc_threads *threads);	/* what was found */
struct kc_found *kc_threads_finding(struct kc_threads *threads, int i);
/* The same finding with the fewest switches between threads, looked for as far as it says; 1: one was found */
int kc_threads_shorten(struct kc_threads *threads, int finding, const struct kc_scenario *scenario,
		       const struct kc_thread_options *options);
/*
 * One schedule, step by step; the number of its steps, or -1: the code does not go so far. What is found is
 * what that schedule shows, from then on.
 */
int kc_threads_show(struct kc_threads *threads, const struct kc_scenario *scenario,
		    const struct kc_thread_options *options, const unsigned char *schedule, int length,
		    struct kc_shown *steps, int most, struct kc_ending *ending);
/* What the calls do one after the other, of the scenario that ran last: order i; 0 where there is none. */
int kc_threads_order(struct kc_threads *threads, int i, struct kc_order *order);
/* Whether some execution of the scenario that ran last, where outcomes were asked for, came to this. */
int kc_threads_knows(struct kc_threads *threads, const struct kc_order *what);
/* two runs driven together; see product.c */
struct kc_witness { int found; unsigned int state, call; struct kc_call *calls; int ncalls; };
struct kc_pair_op { int second, returns; };	/* the same operation of the second; its value is compared */
struct kc_pair_options {
	unsigned long long max_states, max_bytes;
	double seconds;
	int nobs, obs[2][32];			/* the observations that are compared, of each */
	unsigned char is_id[32];		/* those that hold a member's ID */
	int members;
	long long value[2][32];			/* the ID of each member, in each */
	int cross;				/* each contract can judge the other's code */
};
/*
 * One check of an operation. `parted`: calls that did not do the same on both where that check was
 * the same before; `stayed`: where it was not; `first`: a shortest trace to the first, `root` one to
 * those where nothing was observed to differ before; `against`: of them, those that a model of its own
 * does not expect of the first, of the second. Of an operation's first slot: calls that were made, that
 * came back in both, that stopped at a shim in the first, in the second; those of a setup that did not
 * leave the same in both; that only one contract allows; that were left out after endless loops.
 */
struct kc_pair_slot {
	unsigned long long parted, stayed, states, last_state;
	unsigned long long called, back, shim[2], unlike, one_sided, skipped;	/* of an operation's first */
	unsigned long long against[2], fail_all, pass_all;
	struct kc_witness first, root;
};
struct kc_pair_claim { unsigned long long failed; struct kc_witness first; };
struct kc_pair;
struct kc_pair *kc_pair_open(struct kc_run *first, struct kc_run *second, const struct kc_call *calls,
			     unsigned int ncalls, const struct kc_pair_op *ops,
			     const struct kc_pair_options *options);
int kc_pair_explore(struct kc_pair *pair);
int kc_pair_walk(struct kc_pair *pair, const struct kc_draw *draws, int ndraws,
		 unsigned long long seed, unsigned long long steps, int length);
int kc_pair_try(struct kc_pair *pair, const struct kc_call *calls, int n, int slot);
int kc_pair_trace(struct kc_pair *pair, const struct kc_witness *witness, struct kc_call *out);
unsigned long long kc_pair_states(struct kc_pair *pair);
unsigned long long kc_pair_transitions(struct kc_pair *pair);
int kc_pair_depth(struct kc_pair *pair);
unsigned long long kc_pair_apart(struct kc_pair *pair);	/* observations of the initial worlds */
struct kc_pair_slot *kc_pair_slots(struct kc_pair *pair);	/* [op of the first][nobs + KC_EXTRA] */
struct kc_pair_claim *kc_pair_claims(struct kc_pair *pair);	/* [contract][side][64] */
/* cffi: to here */
#pragma GCC visibility pop
#endif
