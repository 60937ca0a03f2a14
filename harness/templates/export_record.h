/* SPDX-License-Identifier: GPL-2.0-only */
/* What kconform/record.h is in an exported file: how the shims tell what a call did. */
#pragma once
enum kc_warn_kind { KC_WARN, KC_VM_WARN, KC_BUG, KC_VM_BUG };
enum kc_stop { KC_STOP_DEADLOCK = 1, KC_STOP_BUG, KC_STOP_SANITIZER, KC_STOP_SHIM };
typedef long long kc_i64;
struct kc_site {
	int kind;
	const char *macro, *condition, *file;
	int line;
	const char *function;
};
static void kc_stop(int why, const struct kc_site *site);
struct kc_record {
	unsigned int warnings, rmw;	/* of one call: those that fired, atomic read-modify-writes */
	const struct kc_site *first, *last, *sites[8];
	void (*stop)(int why, const struct kc_site *site);	/* it can never go on by itself */
};
static struct kc_record kc_record = { .stop = kc_stop };
static unsigned int kc_fail_allocations;
static void *kc_task;
static void kc_warned(const struct kc_site *site)
{
	if (kc_record.warnings < 8)
		kc_record.sites[kc_record.warnings] = site;
	if (!kc_record.warnings++)
		kc_record.first = site;
	kc_record.last = site;
}
static inline void kc_say(int ignored, ...)
{
}
#define KC_WARN_IF(kind_, macro_, text_, condition_, ...) ({			\
	static const struct kc_site site_ = {					\
		kind_, macro_, text_, __FILE__, __LINE__, __func__ };		\
	_Bool due_ = !!(condition_);						\
	if (due_) {								\
		kc_warned(&site_);						\
		kc_say(0, ##__VA_ARGS__);					\
	}									\
	due_;									\
})
static inline void kc_rmw(void)
{
	kc_record.rmw++;
}
/* Here one call runs at a time: what shims say for threads is nothing. */
#define kc_wait(p, mask) ((void)0)
#define kc_locked(p, mask) ((void)0)
#define kc_unlocks(p, mask) ((void)0)
#define kc_begin(p) ((void)0)
#define kc_end(p) ((void)0)
#define kc_pause() ((void)0)
#define kc_failed() ((void)0)
