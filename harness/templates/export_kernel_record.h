/* SPDX-License-Identifier: GPL-2.0-only */
/* What kconform/record.h is in a kernel: conditions are counted here, the first of each place is a WARN(). */
#pragma once
enum kc_warn_kind { KC_WARN, KC_VM_WARN, KC_BUG, KC_VM_BUG };
typedef long long kc_i64;
struct kc_site {
	int kind;
	const char *macro, *condition, *file;
	int line;
	const char *function;
	bool said;
};
struct kc_record {
	unsigned int warnings;	/* of one call: those that fired */
	const struct kc_site *sites[8];
};
static struct kc_record kc_record;
static unsigned int kc_fail_allocations;
static noinline void kc_warned(struct kc_site *site)
{
	if (kc_record.warnings < 8)
		kc_record.sites[kc_record.warnings] = site;
	kc_record.warnings++;
	if (!site->said)
		kc_kernel_warn(site->macro, site->condition, site->function);
	site->said = true;
}
static inline void kc_say(int ignored, ...)
{
}
#define KC_WARN_IF(kind_, macro_, text_, condition_, ...) ({			\
	static struct kc_site site_ = {						\
		kind_, macro_, text_, __FILE__, __LINE__, __func__ };		\
	bool due_ = !!(condition_);						\
	if (unlikely(due_)) {							\
		kc_warned(&site_);						\
		kc_say(0, ##__VA_ARGS__);					\
	}									\
	due_;									\
})
