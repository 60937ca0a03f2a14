/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations on real threads under the real ThreadSanitizer, for a given time.
 *
 *   stress LIBRARY MILLISECONDS SEED PATIENCE < scenarios
 *
 * Scenarios come in as longs (stress.py packs them), and are run in turn, a burst of rounds each: the
 * world is put back to where the threads begin, all of them are let go at once, each after a delay of
 * its own, and when the last is done the world is observed. Each distinct outcome is counted. The table
 * and the races that libtsan reported go to standard output at the end, a JSON text each line.
 *
 * What is here is not instrumented: libtsan sees nothing of it but where one thread waits for another,
 * which is said with __tsan_release() and __tsan_acquire(). Threads wait by spinning, since one that
 * must be woken comes too late to meet the others within a call.
 *
 * It is a stranger's C that runs: all threads are made before it is loaded, then the cages are closed
 * around all of them (sandbox.c).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "engine.h"
#include "threads.h"
#include "stress.h"

enum {
	MOST_STATE = 32, MOST_OUTCOMES = 8192, MOST_RACES = 256, MOST_FRAMES = 6,
	MOST_INPUT = 64 << 20, BURST = 32, LOCKS = 64,
};
/* Why it ended before its time; stress.py has the words. */
enum { IN_TIME, HUNG, CRASHED, SHIM_STOPPED };

/* libtsan's: tsan_interface.h, and what it has for debuggers (tsan_debugging.cpp). */
void __tsan_init(void);
void __tsan_acquire(void *p);
void __tsan_release(void *p);
void __tsan_ignore_thread_begin(void);
void __tsan_ignore_thread_end(void);
void __tsan_on_report(void *report);
int __tsan_get_report_data(void *report, const char **description, int *count, int *stacks, int *mops, int *locs,
			   int *mutexes, int *threads, int *tids, void **sleep, unsigned long size);
int __tsan_get_report_mop(void *report, unsigned long i, int *tid, void **at, int *size, int *write, int *atomic,
			  void **trace, unsigned long trace_size);
void __tsan_read_range(void *p, unsigned long size);
void __tsan_write_range(void *p, unsigned long size);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __tsan_atomic_thread_fence(int order);
#define ACCESS(name) void __tsan_##name(void *p);
#define RMW(name, type, bits) type __tsan_atomic##bits##_##name(volatile type *p, type value, int order);
#define CMPXCHG(name, type, bits)						\
	int __tsan_atomic##bits##_##name(volatile type *p, type *expected, type value, int order, int failed);
#define FAMILY(type, bits)							\
	type __tsan_atomic##bits##_load(const volatile type *p, int order);	\
	void __tsan_atomic##bits##_store(volatile type *p, type value, int order);	\
	KC_TSAN_RMWS(RMW, type, bits)						\
	KC_TSAN_CMPXCHGS(CMPXCHG, type, bits)
KC_TSAN_ACCESSES(ACCESS)
KC_TSAN_ATOMICS(FAMILY)
#undef ACCESS
#undef RMW
#undef CMPXCHG
#undef FAMILY

/* As gcc has it in programs that it instruments (libtsan_preinit.o): before any constructor. */
__attribute__((section(".preinit_array"), used)) static void (*const begin_tsan)(void) = __tsan_init;

struct call {
	long op, args[KC_MAX_ARGS];	/* op KC_READS - k: reads observation k alone */
};

struct scenario {
	const struct call *start, *calls[KC_MOST_THREADS];
	long starts, threads, length[KC_MOST_THREADS];
	unsigned char *world;		/* where the threads begin, from the first round on */
	unsigned int fail_allocations;
	void *task;
};

struct worker {
	unsigned long gate __attribute__((aligned(128)));	/* rounds that it was let into */
	unsigned long there;					/* and stands at the start of */
	unsigned long passed __attribute__((aligned(128)));	/* and out of */
	struct kc_own own;
	const unsigned long *bottom;	/* of its stack, as far as it calls from */
	const struct call *calls;
	long length;
	unsigned int delay;
	kc_i64 returned[KC_MOST_CALLS];
	unsigned char warned[KC_MOST_CALLS];
	pthread_t thread;
	clockid_t clock;		/* its CPU time */
};

struct outcome {
	long scenario;
	unsigned long count;		/* 0: a free place in the table */
	kc_i64 values[2 * KC_MOST_CALLS + MOST_STATE];	/* of each call what it returned and whether it warned */
};

struct access {
	int write, atomic, size, frames;
	unsigned long pc[MOST_FRAMES];	/* innermost first, in the library */
};

struct race {
	struct access side[2];
	int kind;			/* its place is in the one of this number of ... */
	long index, offset;
	unsigned long count;
};
enum { OF_PLACES, OF_VARIABLES, OF_OBJECTS, OF_NOTHING };

static struct worker workers[KC_MOST_THREADS];
static __thread struct worker *me = &workers[0];
static long threads;			/* the most of a scenario */
static struct scenario *scenarios;
static long nscenarios, current;
static long turn;			/* the scenario's first thread is this worker, and so on around */
static unsigned long begun, rounds;
static unsigned long started __attribute__((aligned(128)));	/* of `begun`, where the threads are let go */
static unsigned long lost, more_races;	/* for which the tables have no place */
static int fences;			/* the code has some, of which libtsan does not know what they order */
static struct outcome outcomes[MOST_OUTCOMES];
static long noutcomes;
static struct race races[MOST_RACES];
static int nraces;
static const struct kc_subject *subject;
static unsigned long library_start, code_start, code_end;	/* where it is loaded, and what of it is code */
static long patience;			/* ms of CPU time after which a thread that is not done hangs */
static int processors, crowded;		/* fewer of them than there are threads in the scenario */
static int ending;			/* somebody writes the tables */
static struct { unsigned long owner, depth; } locks[LOCKS];

/* Waiting. */

static void nap(long nanoseconds)
{
	struct timespec time = { 0, nanoseconds };

	nanosleep(&time, NULL);
}

/*
 * The longer it takes the less of a processor is used, and that sooner where there are fewer of them
 * than threads. Without a "pause": where it spins a hypervisor takes the processor away.
 */
static void wait_for(const unsigned long *p, unsigned long wanted)
{
	unsigned int spins = crowded ? 500 : 20000;

	for (unsigned int i = 0; __atomic_load_n(p, __ATOMIC_ACQUIRE) != wanted; i++) {
		if (i >= spins + 200)
			nap(50000);
		else if (i >= spins)
			sched_yield();
	}
}

static void spin(unsigned int times)
{
	for (unsigned int i = 0; i < times; i++)
		__asm__ volatile("" ::: "memory");
}

static unsigned long long random_state;

static unsigned int random_bits(int bits)	/* xorshift64* */
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 2685821657736338717ull) >> (64 - bits);
}

/* What the subject asks for. */

static struct kc_own *own(void)
{
	return &me->own;
}

static void pause_(void)
{
	static __thread unsigned int times;

	if (++times % (crowded ? 16 : 1024) == 0)
		sched_yield();
}

static void looks_away(int begins)
{
	if (begins)
		__tsan_ignore_thread_begin();
	else
		__tsan_ignore_thread_end();
}

static void fence(int order)
{
	__atomic_store_n(&fences, 1, __ATOMIC_RELAXED);
	__tsan_atomic_thread_fence(order);
}

/* A lock of its own for what a shim does under one that it leaves out; the same thread may have another. */
static void section(const volatile void *p, int begins)
{
	unsigned long at = ((unsigned long)p >> 3) % LOCKS, mine = me - workers + 1, none = 0;

	if (begins) {
		if (__atomic_load_n(&locks[at].owner, __ATOMIC_RELAXED) != mine) {
			while (!__atomic_compare_exchange_n(&locks[at].owner, &none, mine, 0, __ATOMIC_ACQUIRE,
							    __ATOMIC_RELAXED)) {
				none = 0;
				pause_();
			}
			__tsan_acquire(&locks[at]);
		}
		locks[at].depth++;
	} else if (!--locks[at].depth) {
		__tsan_release(&locks[at]);
		__atomic_store_n(&locks[at].owner, 0, __ATOMIC_RELEASE);
	}
}

/* What comes of it. */

static void print_races(void)
{
	for (int i = 0; i < nraces; i++) {
		const struct race *race = &races[i];

		printf("{\"race\": [%lu, [%d, %ld, %ld]", race->count, race->kind, race->index, race->offset);
		for (int side = 0; side < 2; side++) {
			const struct access *access = &race->side[side];

			printf(", [%d, %d, %d, [", access->write, access->atomic, access->size);
			for (int frame = 0; frame < access->frames; frame++)
				printf("%s%lu", frame ? ", " : "", access->pc[frame]);
			printf("]]");
		}
		printf("]}\n");
	}
}

static long calls_of(const struct scenario *scenario)
{
	long calls = 0;

	for (long t = 0; t < scenario->threads; t++)
		calls += scenario->length[t];
	return calls;
}

static void print_outcomes(void)
{
	for (long i = 0; i < MOST_OUTCOMES; i++) {
		const struct outcome *outcome = &outcomes[i];
		long values;

		if (!outcome->count)
			continue;
		values = 2 * calls_of(&scenarios[outcome->scenario]) + subject->state_size;
		printf("{\"outcome\": [%ld, %lu, [", outcome->scenario, outcome->count);
		for (long v = 0; v < values; v++)
			printf("%s%lld", v ? ", " : "", outcome->values[v]);
		printf("]]}\n");
	}
}

/* Never returns. Where another thread is at it, that one ends this one too. */
static void end(int why, int signal, unsigned long pc)
{
	while (__atomic_exchange_n(&ending, 1, __ATOMIC_ACQ_REL))
		nap(50000000);
	print_outcomes();
	print_races();
	printf("{\"end\": [%d, %ld, %d, %lu, %lu, %lu, %lu, %d]}\n", why, current, signal, pc, rounds, lost,
	       more_races, fences);
	fflush(stdout);
	syscall(SYS_exit_group, 0);	/* not exit(): libtsan has a report to make there */
}

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static unsigned long in_library(unsigned long pc)
{
	return pc >= code_start && pc < code_end ? pc - library_start : 0;
}

/* Most accesses are made in libtsan: then it is the innermost call of it, which is on the stack. */
static unsigned long return_address(const unsigned long *stack)
{
	unsigned long pc;

	for (; stack < me->bottom; stack++)
		if ((pc = in_library(*stack)))
			return pc;
	return 0;
}

static void crashed(int signal, siginfo_t *info, void *context)
{
	unsigned long pc = 0, stack = 0;
	const ucontext_t *at = context;

#if defined(__x86_64__)
	pc = at->uc_mcontext.gregs[REG_RIP];
	stack = at->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
	pc = at->uc_mcontext.pc;
	stack = at->uc_mcontext.sp;
#endif
	if (stack - (unsigned long)info->si_addr + (64 << 10) < 128 << 10)
		stack = 0;	/* that has run over, and cannot be looked at */
	/* As a return address, too: the one after. */
	end(CRASHED, signal, in_library(pc) ? in_library(pc) + 1 :
		stack ? return_address((const unsigned long *)stack) : 0);
}

static void stop(int why, const struct kc_site *site)
{
	(void)site;
	if (why == KC_STOP_SHIM)
		end(SHIM_STOPPED, 0, 0);
	pause_();	/* a lock is held: somebody will let it go, or this thread hangs */
}

/* Races. */

static void place(struct race *race, unsigned long address)
{
	const struct kc_threaded *threaded = subject->threaded;
	unsigned long at = address - (unsigned long)subject->world;

	race->kind = OF_PLACES;
	for (race->index = 0; race->index < threaded->nplaces; race->index++) {
		race->offset = at - threaded->places[race->index].at;
		if ((unsigned long)race->offset < threaded->places[race->index].size)
			return;
	}
	race->kind = OF_VARIABLES;
	for (race->index = 0; race->index < threaded->nvariables; race->index++) {
		race->offset = address - (unsigned long)threaded->variables[race->index].at;
		if ((unsigned long)race->offset < threaded->variables[race->index].size)
			return;
	}
	race->kind = OF_OBJECTS;
	for (race->index = 0; race->index < subject->nobjects; race->index++) {
		race->offset = at - subject->objects[race->index].at;
		if ((unsigned long)race->offset < subject->objects[race->index].size)
			return;
	}
	race->kind = OF_NOTHING;
	race->index = race->offset = 0;
}

/* libtsan calls it with its own lock held; it reports a pair of stacks once, whatever follows on them. */
void __tsan_on_report(void *report)
{
	struct race race;
	const char *description;
	void *sleep, *address = NULL;
	int count, stacks, mops, locs, mutexes, made, tids, tid;

	__tsan_get_report_data(report, &description, &count, &stacks, &mops, &locs, &mutexes, &made, &tids, &sleep, 0);
	if (mops < 2 || !subject)
		return;
	memset(&race, 0, sizeof(race));
	for (int i = 1; i >= 0; i--) {
		struct access *access = &race.side[i];
		void *trace[64] = { NULL };

		__tsan_get_report_mop(report, i, &tid, &address, &access->size, &access->write, &access->atomic,
				      trace, 64);
		for (int frame = 0; frame < 64 && trace[frame] && access->frames < MOST_FRAMES; frame++) {
			unsigned long pc = in_library((unsigned long)trace[frame]);

			if (pc)
				access->pc[access->frames++] = pc;
		}
	}
	if (memcmp(&race.side[0], &race.side[1], sizeof(race.side[0])) > 0) {
		struct access first = race.side[0];

		race.side[0] = race.side[1];
		race.side[1] = first;
	}
	place(&race, (unsigned long)address);
	for (int i = 0; i < nraces; i++) {
		if (!memcmp(races[i].side, race.side, sizeof(race.side)) && races[i].kind == race.kind &&
		    races[i].index == race.index) {
			races[i].count++;
			return;
		}
	}
	race.count = 1;
	if (nraces < MOST_RACES)
		races[nraces++] = race;
	else
		more_races++;
}

/* Threads. */

static void call_all(struct worker *worker)
{
	const struct kc_threaded *threaded = subject->threaded;

	spin(worker->delay);
	for (long i = 0; i < worker->length; i++) {
		const struct call *call = &worker->calls[i];
		kc_i64 args[KC_MAX_ARGS];

		for (int a = 0; a < KC_MAX_ARGS; a++)
			args[a] = call->args[a];
		worker->own.record.warnings = 0;
		worker->returned[i] = call->op < 0 ? threaded->read(KC_READS - call->op) : threaded->call(call->op, args);
		worker->warned[i] = call->op >= 0 && worker->own.record.warnings;
	}
}

static void catch_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	struct sigaction action = { .sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
}

static void give_stack(void)	/* for handlers, where the thread's own has run over */
{
	stack_t stack = { .ss_size = 64 << 10 };

	stack.ss_sp = malloc(stack.ss_size);
	if (!stack.ss_sp || sigaltstack(&stack, NULL))
		fail("no memory for stacks");
}

static void *work(void *worker)
{
	me = worker;
	me->bottom = __builtin_frame_address(0);
	give_stack();
	__atomic_store_n(&me->passed, 1, __ATOMIC_RELEASE);
	for (unsigned long round = 2;; round++) {
		wait_for(&me->gate, round);
		__tsan_acquire(&me->gate);
		__atomic_store_n(&me->there, round, __ATOMIC_RELEASE);
		wait_for(&started, __atomic_load_n(&begun, __ATOMIC_RELAXED));
		call_all(me);
		__tsan_release(&me->passed);
		__atomic_store_n(&me->passed, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

static long used(const struct worker *worker)	/* ms */
{
	struct timespec time = { 0, 0 };

	clock_gettime(worker->clock, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Whether no thread of a round comes to its end, however much of a processor it gets. */
static void *watch(void *ready)
{
	unsigned long seen = 0;
	long before[KC_MOST_THREADS] = { 0 };

	__atomic_store_n((int *)ready, 1, __ATOMIC_RELEASE);
	for (;;) {
		unsigned long now = __atomic_load_n(&begun, __ATOMIC_ACQUIRE);
		long running = 0, hang = 0;

		for (long t = 0; now && now == seen && t < threads; t++) {
			if (__atomic_load_n(&workers[t].gate, __ATOMIC_ACQUIRE) ==
			    __atomic_load_n(&workers[t].passed, __ATOMIC_ACQUIRE))
				continue;
			running++;
			hang += used(&workers[t]) - before[t] >= patience;
		}
		if (running && hang == running)
			end(HUNG, 0, 0);
		for (long t = 0; now != seen && t < threads; t++)
			before[t] = used(&workers[t]);
		seen = now;
		nap(50000000);
	}
	return NULL;
}

/* Rounds. */

static void copy(void *to, const void *from, unsigned long size)	/* libtsan would look at memcpy() */
{
	unsigned long long *into = to;
	const unsigned long long *of = from;

	for (unsigned long i = 0; i < size / sizeof(*into); i++)
		__atomic_store_n(&into[i], of[i], __ATOMIC_RELAXED);
}

static unsigned long world_bytes(void)
{
	return (subject->world_size + 7ul) / 8 * 8;
}

/* Where the threads begin: the same bytes each time, so the way there is gone once. */
static void prepare(struct scenario *scenario)
{
	kc_i64 args[KC_MAX_ARGS];

	if (scenario->world) {
		copy(subject->world, scenario->world, world_bytes());
		me->own.fail_allocations = scenario->fail_allocations;
		me->own.task = scenario->task;
		return;
	}
	me->own.fail_allocations = 0;
	me->own.task = NULL;
	subject->init();
	for (long i = 0; i < scenario->starts; i++) {
		for (int a = 0; a < KC_MAX_ARGS; a++)
			args[a] = scenario->start[i].args[a];
		subject->apply(scenario->start[i].op, args);
	}
	scenario->world = malloc(world_bytes());
	if (!scenario->world)
		abort();
	copy(scenario->world, subject->world, world_bytes());
	scenario->fail_allocations = me->own.fail_allocations;
	scenario->task = me->own.task;
}

static struct worker *worker_of(const struct scenario *scenario, long t)
{
	return &workers[(t + turn) % scenario->threads];
}

static void count_outcome(const struct scenario *scenario)
{
	kc_i64 values[2 * KC_MOST_CALLS + MOST_STATE];
	unsigned long long hash = current;
	long calls = calls_of(scenario), size = 2 * calls + subject->state_size, n = 0;

	for (long t = 0; t < scenario->threads; t++) {
		const struct worker *worker = worker_of(scenario, t);

		for (long i = 0; i < scenario->length[t]; i++, n++) {
			values[n] = worker->returned[i];
			values[calls + n] = worker->warned[i];
		}
	}
	subject->observe(values + 2 * calls);
	for (long i = 0; i < size; i++)
		hash = (hash ^ (unsigned long long)values[i]) * 0x9e3779b97f4a7c15ull;
	for (unsigned long at = hash >> 32;; at++) {
		struct outcome *outcome = &outcomes[at % MOST_OUTCOMES];

		if (!outcome->count) {
			if (noutcomes >= MOST_OUTCOMES / 2) {
				lost++;
				return;
			}
			noutcomes++;
			outcome->scenario = current;
			memcpy(outcome->values, values, size * sizeof(*values));
		} else if (outcome->scenario != current || memcmp(outcome->values, values, size * sizeof(*values))) {
			continue;
		}
		outcome->count++;
		return;
	}
}

static void run_round(struct scenario *scenario)
{
	/* This thread is the first of them; from here on what it calls may hang. */
	__atomic_store_n(&me->gate, me->gate + 1, __ATOMIC_RELEASE);
	__atomic_add_fetch(&begun, 1, __ATOMIC_RELEASE);
	crowded = scenario->threads > processors;
	prepare(scenario);
	subject->threaded->enter();
	/* None of them always has the start that this thread has, or shares a processor with the same one. */
	turn = random_bits(8) % scenario->threads;
	for (long t = 0; t < scenario->threads; t++) {
		struct worker *worker = worker_of(scenario, t);

		worker->calls = scenario->calls[t];
		worker->length = scenario->length[t];
		worker->delay = random_bits(1 + random_bits(4) % 12);
		worker->own.fail_allocations = me->own.fail_allocations;
		worker->own.task = me->own.task;
	}
	for (long t = 1; t < scenario->threads; t++) {
		__tsan_release(&workers[t].gate);
		__atomic_store_n(&workers[t].gate, workers[t].gate + 1, __ATOMIC_RELEASE);
	}
	for (long t = 1; t < scenario->threads; t++)
		wait_for(&workers[t].there, workers[t].gate);
	__atomic_store_n(&started, begun, __ATOMIC_RELEASE);
	call_all(me);
	__atomic_store_n(&me->passed, me->gate, __ATOMIC_RELEASE);
	for (long t = 1; t < scenario->threads; t++) {
		wait_for(&workers[t].passed, workers[t].gate);
		__tsan_acquire(&workers[t].passed);
	}
	/* Whatever hangs now is the code of an observation. */
	__atomic_store_n(&me->gate, me->gate + 1, __ATOMIC_RELEASE);
	subject->threaded->leave();
	count_outcome(scenario);
	rounds++;
	__atomic_store_n(&me->passed, me->gate, __ATOMIC_RELEASE);
}

static long now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void run(long milliseconds)
{
	long last = now_ms() + milliseconds, first = 1;	/* each of them a burst, however little time there is */

	for (;; first = 0) {
		for (current = 0; current < nscenarios; current++) {
			if (!first && now_ms() >= last)
				end(IN_TIME, 0, 0);
			for (int i = 0; i < BURST; i++)
				run_round(&scenarios[current]);
		}
	}
}

/* The beginning. */

static long *input;
static size_t input_left;

static long next_number(long most)
{
	if (!input_left)
		fail("the scenarios end early");
	input_left--;
	if (*input < 0 || *input > most)
		fail("a scenario has more of something than there may be");
	return *input++;
}

static const struct call *next_calls(long count)
{
	const struct call *calls = (const struct call *)input;

	if (input_left / (sizeof(*calls) / sizeof(long)) < (size_t)count)
		fail("the scenarios end early");
	input += count * (sizeof(*calls) / sizeof(long));
	input_left -= count * (sizeof(*calls) / sizeof(long));
	return calls;
}

static void read_scenarios(void)
{
	char *data = malloc(MOST_INPUT);
	size_t size = data ? fread(data, 1, MOST_INPUT, stdin) : 0;

	close(0);
	input = (long *)data;
	input_left = size / sizeof(long);
	nscenarios = next_number(1 << 20);
	scenarios = calloc(nscenarios, sizeof(*scenarios));
	if (!scenarios)
		fail("no memory for scenarios");
	for (long i = 0; i < nscenarios; i++) {
		struct scenario *scenario = &scenarios[i];

		scenario->starts = next_number(KC_MAX_PATH);
		scenario->start = next_calls(scenario->starts);
		scenario->threads = next_number(KC_MOST_THREADS);
		if (scenario->threads > threads)
			threads = scenario->threads;
		for (long t = 0; t < scenario->threads; t++) {
			scenario->length[t] = next_number(KC_MOST_CALLS);
			scenario->calls[t] = next_calls(scenario->length[t]);
		}
		if (calls_of(scenario) > KC_MOST_CALLS)
			fail("a scenario has more of something than there may be");
	}
}

/* Left to itself a scheduler may have threads that wait for each other take turns on one processor. */
static void spread(const cpu_set_t *allowed, long t)
{
	cpu_set_t one;
	long left = t % CPU_COUNT(allowed);

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, allowed) || left--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		pthread_setaffinity_np(workers[t].thread, sizeof(one), &one);	/* where it is not let, it does without */
		return;
	}
}

static void begin_threads(void)
{
	cpu_set_t allowed;
	static int watching;
	pthread_t thread;

	give_stack();
	workers[0].thread = pthread_self();
	workers[0].gate = workers[0].passed = 1;
	for (long t = 1; t < threads; t++) {
		workers[t].gate = 1;
		if (pthread_create(&workers[t].thread, NULL, work, &workers[t]))
			fail("a thread cannot be begun");
	}
	for (long t = 0; t < threads; t++)
		if (pthread_getcpuclockid(workers[t].thread, &workers[t].clock))
			fail("a thread has no clock");
	if (pthread_create(&thread, NULL, watch, &watching))
		fail("a thread cannot be begun");
	processors = 1;
	if (!sched_getaffinity(0, sizeof(allowed), &allowed)) {
		processors = CPU_COUNT(&allowed);
		for (long t = 0; t < threads; t++)
			spread(&allowed, t);
	}
	for (long t = 1; t < threads; t++)
		wait_for(&workers[t].passed, 1);
	while (!__atomic_load_n(&watching, __ATOMIC_ACQUIRE))
		nap(100000);
}

static int find_library(struct dl_phdr_info *info, size_t size, void *within)
{
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		unsigned long start = info->dlpi_addr + header->p_vaddr;

		if (header->p_type != PT_LOAD || (unsigned long)within - start >= header->p_memsz)
			continue;
		library_start = info->dlpi_addr;
		code_start = start;
		code_end = start + header->p_memsz;
		return 1;
	}
	return 0;
}

static void open_subject(const char *path)
{
	struct kc_stress *(*stress)(void);
	const struct kc_subject *(*entry)(void);
	struct kc_stress *table;
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		fail(dlerror());
	stress = (struct kc_stress *(*)(void))dlsym(library, "kc_stress_entry");
	entry = (const struct kc_subject *(*)(void))dlsym(library, "kc_entry");
	if (!stress || !entry || !dl_iterate_phdr(find_library, (void *)stress))
		fail("the subject is none");
	table = stress();
#define ACCESS(name) table->name = __tsan_##name;
#define SAME(name, type, bits) table->atomic##bits##_##name = __tsan_atomic##bits##_##name;
#define FAMILY(type, bits)						\
	SAME(load, type, bits)						\
	SAME(store, type, bits)						\
	KC_TSAN_RMWS(SAME, type, bits)					\
	KC_TSAN_CMPXCHGS(SAME, type, bits)
	KC_TSAN_ACCESSES(ACCESS)
	KC_TSAN_ATOMICS(FAMILY)
	table->read_range = __tsan_read_range;
	table->write_range = __tsan_write_range;
	table->func_entry = __tsan_func_entry;
	table->func_exit = __tsan_func_exit;
	table->fence = fence;
	table->own = own;
	table->section = section;
	table->pause = pause_;
	table->looks_away = looks_away;
	if (kc_sandbox_of_threads())
		fail("no sandbox on this machine");
	/* From here on the stranger's code runs. */
	subject = entry();
	if (subject->state_size > MOST_STATE)
		fail("the contract observes too much");
	subject->record->stop = stop;
}

int main(int argc, char **argv)
{
	static char out[1 << 16];
	const struct rlimit none = { 0, 0 };

	if (argc != 5)
		fail("usage: stress LIBRARY MILLISECONDS SEED PATIENCE");
	setvbuf(stdout, out, _IOFBF, sizeof(out));
	random_state = strtoull(argv[3], NULL, 10) * 2 + 1;
	patience = atol(argv[4]);
	me->bottom = __builtin_frame_address(0);
	read_scenarios();
	catch_crashes();
	begin_threads();
	/* Not before: libtsan begins with a file of its own, which has no name any more. */
	if (setrlimit(RLIMIT_NPROC, &none) || setrlimit(RLIMIT_FSIZE, &none) || kc_sandbox_to_load())
		fail("no sandbox on this machine");
	open_subject(argv[1]);
	run(atol(argv[2]));
	return 0;
}
