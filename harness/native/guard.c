/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One operation at a time runs, guarded: its faults, its endless loops and its
 * stops come back to guard_apply() as a value.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

#include "guard.h"
#include "sanitizer.h"

#define TICKS 4		/* of 20 ms CPU time: what one operation may take */
#define MOST_STEPS 20000	/* what it may execute where its instructions are counted */

struct guard_end guard_end;
struct guard_count guard_count;
struct guard guard;
static const struct kc_subject *guarded;
static char signal_stack[64 * 1024];

int guard_came_back(void)
{
	guard.running = 0;
	guarded->record->checking = 0;
	if (guarded->sanitizer)
		guarded->sanitizer->unwound();
	return guard_end.why;
}

int guard_prepare(const struct kc_subject *s)
{
	const struct kc_sanitizer *sanitizer = s->sanitizer;
	int failed;

	if (!sanitizer)
		return 0;
	failed = shadow_open(sanitizer) || sanitizer->stack(signal_stack, sizeof(signal_stack));
	if (failed)
		return failed;
	sanitizer->invalid(s->world, s->world_size);
	for (int i = 0; i < s->nobjects; i++)
		failed |= sanitizer->valid((char *)s->world + s->objects[i].at, s->objects[i].size,
					   s->objects[i].name);
	return failed;
}

static void on_fault(int signal, siginfo_t *info, void *context);

static uintptr_t pc_of(void *context)
{
	ucontext_t *uc = context;
#if defined(__x86_64__)
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (uintptr_t)uc->uc_mcontext.pc;
#else
	return (void)uc, 0;
#endif
}

/*
 * Which instruction changed an observation: the operation runs step by step, the
 * observation is taken after each. Only for a trace that is reported.
 */
static struct {
	const struct kc_subject *s;
	int which;
	kc_i64 value;
	uintptr_t last;
} watch;

/* `pc` is where it goes on: each instruction is seen once, before it runs, but for one that repeats itself. */
static void count_instruction(uintptr_t pc)
{
	uintptr_t at = pc - guard_count.base;

	if (at < guard_count.size && pc != guard_count.last)
		guard_count.instructions[guard_count.kinds[at]]++;
	guard_count.last = pc;
	/* Its ticks are of time outside of the kernel, of which stepping leaves little. */
	if (guard.running && ++guard_count.steps > MOST_STEPS) {
		guard_end.why = KC_ENDLESS;
		guard_end.signal = SIGTRAP;
		guard_end.pc = pc;
		siglongjmp(guard.env, 1);
	}
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
	struct kc_record record;
	kc_i64 obs[MAX_SLOTS];

	if (guard_count.kinds) {
		count_instruction(pc_of(context));
		return;
	}
	if (!watch.s) {
		on_fault(signal, info, context);
		return;
	}
	record = *watch.s->record;
	watch.s->record->checking = 0;
	watch.s->peek(obs);
	*watch.s->record = record;
	if (obs[watch.which] != watch.value) {
		watch.value = obs[watch.which];
		guard_end.changed = watch.last;
	}
	watch.last = pc_of(context);
}

static inline void stop_stepping(void)
{
#ifdef __x86_64__
	__asm__ volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
#endif
}

static kc_i64 apply_stepwise(const struct kc_subject *s, const struct kc_call *call)
{
	kc_i64 ret;

#ifdef __x86_64__
	__asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
#endif
	ret = s->apply(call->op, call->args);
	stop_stepping();
	return ret;
}

static kc_i64 apply_watched(const struct kc_subject *s, const struct kc_call *call, int which)
{
	kc_i64 obs[MAX_SLOTS], ret;

	s->observe(obs);
	watch.which = which;
	watch.value = obs[which];
	watch.last = 0;
	watch.s = s;
	ret = apply_stepwise(s, call);
	watch.s = NULL;
	return ret;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)info;
	if (!guard.running) {
		struct sigaction normal = { .sa_handler = SIG_DFL };

		sigaction(signal, &normal, NULL);
		raise(signal);
		return;
	}
	guard_end.why = KC_SIGNAL;
	guard_end.signal = signal;
	guard_end.pc = pc_of(context);
	siglongjmp(guard.env, 1);
}

static void on_tick(int signal, siginfo_t *info, void *context)
{
	(void)info;
	if (!guard.running || guard.seen != guard.sequence) {
		guard.seen = guard.sequence;
		guard.ticks = 0;
		return;
	}
	if (++guard.ticks < TICKS)
		return;
	guard_end.why = KC_ENDLESS;
	guard_end.signal = signal;
	guard_end.pc = pc_of(context);
	siglongjmp(guard.env, 1);
}

static void on_stop(int why, const struct kc_site *site)
{
	(void)site;
	if (!guard.running)
		return;
	guard_end.why = why == KC_STOP_DEADLOCK ? KC_DEADLOCK :
			why == KC_STOP_SANITIZER ? KC_BAD_ACCESS :
			why == KC_STOP_SHIM ? KC_SHIM_STOP : KC_BUG_STOP;
	guard_end.signal = 0;
	guard_end.pc = (uintptr_t)__builtin_return_address(0);
	siglongjmp(guard.env, 1);
}

void guard_open(const struct kc_subject *s)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	stack_t alternate = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	struct sigaction fault = { .sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	struct sigaction tick = { .sa_sigaction = on_tick,
				  .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART };
	struct sigaction trap = { .sa_sigaction = on_trap,
				  .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	struct itimerval every = { { 0, 20000 }, { 0, 20000 } };

	guarded = s;
	s->record->stop = on_stop;
	sigaltstack(&alternate, NULL);
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigaction(faults[i], &fault, NULL);
	sigaction(SIGTRAP, &trap, NULL);
	sigaction(SIGVTALRM, &tick, NULL);
	setitimer(ITIMER_VIRTUAL, &every, NULL);
}

int guard_apply(const struct kc_subject *s, const struct kc_call *call, int watched, kc_i64 *obs,
		kc_i64 *ret, struct kc_record *seen)
{
	struct kc_record *record = s->record;

	guard_end.why = 0;
	guard_end.changed = 0;
	guard.sequence++;
	if (guard_enter()) {
		stop_stepping();	/* a stop comes here without a signal's return */
		watch.s = NULL;
		*seen = *record;
		return guard_end.why;
	}
	record->warnings = 0;
	record->first = record->last = NULL;
	record->rmw = 0;
	record->reports = 0;
	if (call) {
		struct kc_call mine = *call;	/* on the stack, which a sanitizer lets be read */

		record->checking = 1;
		if (guard_count.kinds)
			*ret = apply_stepwise(s, &mine);
		else
			*ret = watched < 0 ? s->apply(mine.op, mine.args)
					   : apply_watched(s, &mine, watched);
		record->checking = 0;
	}
	*seen = *record;
	s->observe(obs);
	guard_leave();
	return 0;
}
