/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the interleaving engine share: threads, their accesses, an execution. */
#ifndef KCONFORM_INTERLEAVE_H
#define KCONFORM_INTERLEAVE_H

#include "fiber.h"
#include "run.h"
#include "threads.h"

#define MOST_PROCS 24		/* threads, then places at which a thread's stores are delayed */
#define MOST_EVENTS 4096
#define MOST_WORDS 128		/* of 8 bytes, that threads write */
#define MOST_DELAYED 64		/* stores of one thread */
#define MOST_HELD 8		/* locks of one thread */
#define MOST_WATCHED 16		/* reads of a turn of a loop that waits */
#define MOST_LOOPS 64		/* turns of a loop that waits, without a change that it could see */
#define MOST_HITS 64		/* races with one event */
#define MOST_RACES 512		/* that are met in one execution */
#define MOST_ORDERS 5040	/* of four threads' calls, one after the other */
#define MOST_PAIRS 384		/* of places that race, and of those that wait: they leave room for what else is found */
#define MOST_WAITERS 64

/* One access to memory, or a fence (`size` 0). */
struct access {
	uintptr_t at, pc;
	uint64_t mask;			/* KC_WAITS: it is made when these bits at `at` are clear */
	uint32_t size, kind;
};

/*
 * A step of an execution: one access that others can see. A proc is a thread, or the
 * buffer in which stores of one wait. `clock` counts, for each proc, the steps that are
 * before this one in every equivalent execution; `before_it` the same without what is
 * only before because it conflicts. `sync` is what the kernel's memory model orders
 * before it, `published` what a read of it may synchronise with.
 */
struct event {
	struct access access;
	uint8_t proc, call, failed;
	uint16_t own;			/* its number among its proc's, from 1 */
	uint16_t clock[MOST_PROCS], before_it[MOST_PROCS];
	uint16_t sync[KC_MOST_THREADS], published[KC_MOST_THREADS];
	uint16_t pending[KC_MOST_THREADS], fenced[KC_MOST_THREADS];
	int store, epoch;		/* of a delayed store: its number in its thread, and after how many fences */
	uint64_t before, after;		/* the value, up to 8 bytes */
};

struct delayed {
	uintptr_t at, pc;
	uint64_t value;
	uint32_t size, kind;
	int filled, proc, issued;	/* `issued`: the thread's last event then, or -1 */
	int number, epoch;
	int call, place;		/* where in its thread it was made */
};

struct held {
	uintptr_t at;
	uint64_t mask;
	int call;			/* in which it was taken */
};

struct thread {
	struct fiber fiber;
	int ncalls, at;			/* the call that runs */
	const struct kc_call *calls;
	int done, has_next, inside;	/* `inside` one of its calls */
	struct access next;		/* what it does when it runs again */
	int shown;			/* where its open event stands among those shown, or -1 */
	int last, open;			/* its last event; the one whose value is not known yet; or -1 */
	int nplaces;			/* of its steps and delayed stores, in its own order */
	int kept;			/* `stored` is what its open event left */
	uint64_t stored;
	int looks_away, in_section;
	uintptr_t wait_at;		/* what the shim said of the next access there */
	uint64_t wait_mask;
	/* loops that wait */
	int loops, turns, writes;	/* without a pause, or forced; it wrote in this one */
	int settled;			/* whether its last step wrote is known */
	int nread, spins, forced;	/* it goes on when one of them has changed, or is forced to */
	struct { uintptr_t at, pc; uint64_t value; uint32_t size; } read[MOST_WATCHED];
	/* happens-before of the kernel's memory model */
	uint16_t sync[KC_MOST_THREADS], pending[KC_MOST_THREADS], fenced[KC_MOST_THREADS];
	/* of its open event */
	uint16_t sync_before[KC_MOST_THREADS], fenced_before[KC_MOST_THREADS], met[KC_MOST_THREADS];
	uint16_t flushed[MOST_PROCS];	/* clocks of its delayed stores that are visible */
	struct delayed delayed[MOST_DELAYED];
	int ndelayed, nstores, epoch;
	struct held held[MOST_HELD];
	int nheld;
	int first[KC_MOST_CALLS], end[KC_MOST_CALLS];	/* events of each call, or -1 */
	kc_i64 ret[KC_MOST_CALLS];
	unsigned int warned[KC_MOST_CALLS];
	const struct kc_site *site[KC_MOST_CALLS];	/* its last warning */
	unsigned long frames[64];
	int depth;
};

struct race {			/* two steps whose order could be the other way round */
	int first, second;
};

struct hit {			/* a race with the event that is open: whether that one stores is not known */
	int first, second;
};

/* A step that is to be tried, and what follows it. */
struct node {
	struct access access;
	int proc, child, next;		/* in `nodes`; -1 */
};

struct sleeper {
	struct access access;
	int proc;
};

struct hashes {			/* a set; 0 is none */
	uint64_t *at, n, all;		/* `all`: their sum */
};

/* What is left to try after so many steps. */
struct frame {
	int tree;			/* the first of the steps to try; -1 */
	int nsleep;
	struct sleeper sleep[MOST_PROCS];
	uint32_t options;		/* without reduction: procs that are left */
	int switches;			/* so far */
};

struct kc_threads {
	struct kc_run *run;
	const struct kc_threaded *s;
	struct thread thread[KC_MOST_THREADS];
	int nthreads, number;		/* of the scenario */
	int started;			/* threads that were run up to their first step */
	struct kc_thread_options options;
	const struct kc_scenario *scenario;
	struct thread *current;		/* that runs, or NULL */
	void *main_sp;
	volatile uintptr_t touches;	/* the access of which it is tried whether it can be made, or 0 */
	/* where the threads begin */
	uint32_t *start;
	unsigned char *variables;
	kc_i64 ghost[MAX_SLOTS];
	/* words that some thread writes: all others are as private as a stack */
	uintptr_t word[MOST_WORDS];
	uint64_t global[MOST_WORDS];	/* what everyone sees there, where stores are delayed */
	short slot[MOST_WORDS * 4];	/* by hash, into `word`; -1 */
	int nwords, learned;
	struct held section[MOST_HELD];	/* locks that are no word of the world */
	int nsections;
	/* buffers of delayed stores */
	struct { int thread, rank; uintptr_t key; uint64_t used; } buffer[MOST_PROCS];
	int nprocs, nused;		/* `rank` is by first use in the execution that is `used` */
	uint64_t begun;			/* executions, of every scenario */
	/* the execution at hand */
	struct event *event;
	int n, known, last_proc;	/* `known`: the first so many are as in an execution before */
	int proc_last[MOST_PROCS];
	struct race *races;
	int nraces;
	struct hit hits[MOST_HITS];
	int nhits;
	int why;			/* KC_NONE_RUNS, ..., or 0 */
	int stuck;			/* an execution of this scenario did not come to its end */
	struct kc_shown *shown;
	int most_shown, nshown;
	/* the search */
	struct frame *frame;
	struct node *nodes;
	int nnodes, free_node;
	int failed_memory, fits, backed_up;
	uint64_t executions, blocked, steps;
	struct hashes classes, outcomes;	/* of executions */
	int upto[KC_FOUND];		/* the steps that show it, where not all of an execution are needed; or 0 */
	int target, target_met;		/* a finding that is looked for, or -1 */
	struct kc_found *found;
	uint64_t seen[KC_FOUND];	/* the last execution that had it */
	int nfound;
	/* one call after the other */
	struct kc_order *orders;
	int norders, orders_crashed;
	unsigned char *order_seen;	/* some execution came to the same */
	int dropped, nkind[16];
	kc_i64 (*moments)[MAX_SLOTS];	/* observations after so many calls of each thread */
	int *moment_of, nmoments, most_moments, by[KC_MOST_THREADS];
};

/* Whether stores are delayed. */
static inline int is_weak(const struct kc_threads *t)
{
	return t->options.memory != KC_SC;
}

static inline int is_buffer(int proc)
{
	return proc >= KC_MOST_THREADS;
}

/* The thread whose steps, or whose delayed stores, a proc's are. */
static inline int thread_of(const struct kc_threads *t, int proc)
{
	return is_buffer(proc) ? t->buffer[proc].thread : proc;
}

static inline int conflict(const struct access *a, const struct access *b)
{
	return a->at < b->at + b->size && b->at < a->at + a->size && ((a->kind | b->kind) & KC_WRITE);
}

/*
 * Whether two steps, both of which can be made, are something else the other way round.
 * A thread reads its own delayed store before it becomes visible as well as after.
 */
static inline int depend(const struct kc_threads *t, int proc_a, const struct access *a, int proc_b,
			 const struct access *b)
{
	if (!conflict(a, b))
		return 0;
	return is_buffer(proc_a) == is_buffer(proc_b) || thread_of(t, proc_a) != thread_of(t, proc_b) ||
	       (a->kind & b->kind & KC_WRITE);
}

/* interleave.c */
void threads_reset(struct kc_threads *t);
void threads_begin(struct kc_threads *t);
void threads_start(struct kc_threads *t);
void threads_bury(struct kc_threads *t);
uint32_t threads_enabled(struct kc_threads *t);
int threads_step(struct kc_threads *t, int proc);
int threads_stuck(struct kc_threads *t);
void threads_finish(struct kc_threads *t);
void threads_pending_races(struct kc_threads *t);
int threads_note(struct kc_threads *t, int kind, uintptr_t pc0, uintptr_t pc1, int which);
const struct access *threads_next(struct kc_threads *t, int proc);
/* orders.c */
int orders_make(struct kc_threads *t);
void orders_judge(struct kc_threads *t);
void orders_moment(struct kc_threads *t);
void variables_put(const struct kc_threads *t, const unsigned char *from);
int orders_all_seen(const struct kc_threads *t);
int orders_explain(struct kc_threads *t, const kc_i64 *obs);
/* schedules.c */
void schedules_reverse(struct kc_threads *t);

#endif
