/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How shims tell the harness what happened: warnings, atomic read-modify-writes,
 * and that the code can never go on by itself.
 */
#ifndef KCONFORM_RECORD_H
#define KCONFORM_RECORD_H

enum kc_warn_kind { KC_WARN, KC_VM_WARN, KC_BUG, KC_VM_BUG };
/* KC_STOP_SHIM: a shim cannot do what the kernel would; that says nothing of the patch. */
enum kc_stop { KC_STOP_DEADLOCK = 1, KC_STOP_BUG, KC_STOP_SANITIZER, KC_STOP_SHIM };

/* One place that may warn; file and line are the patch's, by its #line. */
struct kc_site {
	int kind;
	const char *macro, *condition, *file;
	int line;
	const char *function;
};

#define KC_SITES 8	/* places of one operation that are told apart */

/* What the sanitized flavour (harness/native/sanitizer.c) found; plain subjects never do. */
struct kc_report {
	const char *kind;	/* "shift-out-of-bounds", "out-of-bounds-read", ... */
	char text[160];		/* a sentence with the values, the same on every run */
	const char *file;	/* the patch's, by its #line; NULL where only `pc` is known */
	int line, column;
	unsigned long pc;	/* return address; the code is just before it */
};

struct kc_record {
	unsigned int warnings;			/* fired since the operation began */
	const struct kc_site *first, *last;	/* NULL when none fired */
	unsigned int rmw;			/* atomic read-modify-writes */
	void (*stop)(int why, const struct kc_site *site);	/* set by the engine */
	/* The sanitized flavour only. */
	unsigned int checking;			/* set by the engine while an operation runs */
	unsigned int reports;			/* since the operation began */
	const struct kc_report *report;		/* the first of them, until the next operation */
	const struct kc_site *sites[KC_SITES];	/* the first `warnings` are of this operation */
};

extern struct kc_record kc_record __attribute__((visibility("hidden")));
#ifndef KC_STRESS
#define kc_this_record kc_record
/* How many of the next allocations of IDs fail with -ENOMEM; a contract sets it. */
extern unsigned int kc_fail_allocations __attribute__((visibility("hidden")));
/* The task that runs, a struct task_struct of the tree's; a contract sets it. */
extern void *kc_task __attribute__((visibility("hidden")));
#else
/* A real thread (harness/native/stress.c) has its own: what it counts is no race. */
struct kc_own {
	struct kc_record record;	/* but for `stop`, which is kc_record's */
	unsigned int fail_allocations;
	void *task;
};
struct kc_own *kc_own(void) __attribute__((__const__));
#define kc_this_record (kc_own()->record)
#define kc_fail_allocations (kc_own()->fail_allocations)
#define kc_task (kc_own()->task)
#endif
#ifdef KC_RECORD_DEFINE
struct kc_record kc_record;
#ifndef KC_STRESS
unsigned int kc_fail_allocations;
void *kc_task;
#endif
#endif

static inline void kc_warned(const struct kc_site *site)
{
	if (kc_this_record.warnings < KC_SITES)
		kc_this_record.sites[kc_this_record.warnings] = site;
	if (!kc_this_record.warnings++)
		kc_this_record.first = site;
	kc_this_record.last = site;
}

/* Where the kernel would print: the arguments are evaluated, the text goes nowhere. */
static inline void kc_say(int ignored, ...)
{
	(void)ignored;
}

/*
 * Under KC_COVERAGE the same in other words: the condition has exactly the branches
 * that the patch wrote, on the patch's line, and the shim's own test has none there.
 * A function with its own test is called for that, which is not instrumented.
 */
#ifdef KC_COVERAGE
#define KC_DECIDE(condition_)							\
	_Bool kc_due_;								\
	if ((condition_))							\
		kc_due_ = 1;							\
	else									\
		kc_due_ = 0;
#define KC_IF_DUE(...)								\
	auto void kc_if_due_(void);						\
	__attribute__((__no_profile_instrument_function__))			\
	void kc_if_due_(void)							\
	{									\
		if (kc_due_) {							\
			kc_warned(&kc_site_);					\
			kc_say(0, ##__VA_ARGS__);				\
		}								\
	}									\
	kc_if_due_();
#else
#define KC_DECIDE(condition_) _Bool kc_due_ = !!(condition_);
#define KC_IF_DUE(...)								\
	if (__builtin_expect(kc_due_, 0)) {					\
		kc_warned(&kc_site_);						\
		kc_say(0, ##__VA_ARGS__);					\
	}
#endif

#define KC_WARN_IF(kind_, macro_, text_, condition_, ...) ({			\
	static const struct kc_site kc_site_ = {				\
		kind_, macro_, text_, __FILE__, __LINE__, __func__ };		\
	KC_DECIDE(condition_)							\
	KC_IF_DUE(__VA_ARGS__)							\
	__builtin_expect(kc_due_, 0);						\
})

static inline void kc_rmw(void)
{
	kc_this_record.rmw++;
}

/*
 * What the shims say where operations run as threads (KC_THREADS; harness/native/interleave.c answers).
 *
 *   kc_wait(p, mask)    the read-modify-write that follows is made when none of these bits is set in *p
 *   kc_failed()         the read-modify-write just made got nothing: it stored what was there, and orders nothing
 *   kc_locked(p, mask)  these bits of *p are a lock, and it is this thread's from now on
 *   kc_unlocks(p, mask) this thread is about to let it go
 *   kc_begin(p), kc_end(p)  what is between is done under a lock of p's that is left out here
 *   kc_pause()          this thread waits for what another one does
 *
 * On real threads (KC_STRESS; harness/native/stress.c) locks spin as they are: of those, only kc_begin(),
 * kc_end() and kc_pause() are something. Everywhere else none is.
 */
#ifdef KC_THREADS
void kc_wait_(const volatile void *p, unsigned int size, unsigned long mask);
void kc_lock_(const volatile void *p, unsigned int size, unsigned long mask, int locks);
void kc_failed(void);
#define kc_wait(p, mask) kc_wait_(p, sizeof(*(p)), mask)
#define kc_locked(p, mask) kc_lock_(p, sizeof(*(p)), mask, 1)
#define kc_unlocks(p, mask) kc_lock_(p, sizeof(*(p)), mask, 0)
#else
#define kc_wait(p, mask) ((void)0)
#define kc_locked(p, mask) ((void)0)
#define kc_unlocks(p, mask) ((void)0)
#define kc_failed() ((void)0)
#endif
#if defined(KC_THREADS) || defined(KC_STRESS)
void kc_section_(const volatile void *p, int begins);
void kc_pause(void);
#define kc_begin(p) kc_section_(p, 1)
#define kc_end(p) kc_section_(p, 0)
#else
#define kc_begin(p) ((void)0)
#define kc_end(p) ((void)0)
#define kc_pause() ((void)0)
#endif

#endif
