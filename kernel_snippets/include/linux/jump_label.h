/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Static keys. Source: Documentation/staging/static-keys.rst. The kernel writes a key's
 * value into the code; here it is read, as without CONFIG_JUMP_LABEL.
 */
#ifndef _LINUX_JUMP_LABEL_H
#define _LINUX_JUMP_LABEL_H

#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/kconfig.h>

/* exact: a key is on where its count is above zero */
struct static_key {
	atomic_t enabled;
};
struct static_key_true {
	struct static_key key;
};
struct static_key_false {
	struct static_key key;
};

#define STATIC_KEY_INIT_TRUE { .enabled = { 1 } }
#define STATIC_KEY_INIT_FALSE { .enabled = { 0 } }
#define STATIC_KEY_INIT STATIC_KEY_INIT_FALSE
#define STATIC_KEY_TRUE_INIT (struct static_key_true){ .key = STATIC_KEY_INIT_TRUE }
#define STATIC_KEY_FALSE_INIT (struct static_key_false){ .key = STATIC_KEY_INIT_FALSE }
#define DEFINE_STATIC_KEY_TRUE(name) struct static_key_true name = { .key = STATIC_KEY_INIT_TRUE }
#define DEFINE_STATIC_KEY_TRUE_RO(name) DEFINE_STATIC_KEY_TRUE(name)
#define DECLARE_STATIC_KEY_TRUE(name) extern struct static_key_true name
#define DEFINE_STATIC_KEY_FALSE(name) struct static_key_false name = { .key = STATIC_KEY_INIT_FALSE }
#define DEFINE_STATIC_KEY_FALSE_RO(name) DEFINE_STATIC_KEY_FALSE(name)
#define DECLARE_STATIC_KEY_FALSE(name) extern struct static_key_false name
#define KC_KEY_MAYBE_1(make) make##TRUE
#define KC_KEY_MAYBE_0(make) make##FALSE
#define KC_KEY_MAYBE__(make, is) KC_KEY_MAYBE_##is(make)
#define KC_KEY_MAYBE_(make, is) KC_KEY_MAYBE__(make, is)
#define DEFINE_STATIC_KEY_MAYBE(option, name) KC_KEY_MAYBE_(DEFINE_STATIC_KEY_, IS_ENABLED(option))(name)
#define DECLARE_STATIC_KEY_MAYBE(option, name) KC_KEY_MAYBE_(DECLARE_STATIC_KEY_, IS_ENABLED(option))(name)

/* exact: reads */
static inline int static_key_count(struct static_key *key)
{
	return atomic_read(&key->enabled);
}
static __always_inline bool static_key_false(struct static_key *key)
{
	return unlikely(static_key_count(key) > 0);
}
static __always_inline bool static_key_true(struct static_key *key)
{
	return likely(static_key_count(key) > 0);
}
#define static_key_enabled(key_) (static_key_count((struct static_key *)(key_)) > 0)
#define static_branch_likely(key_) likely(static_key_enabled(&(key_)->key))
#define static_branch_unlikely(key_) unlikely(static_key_enabled(&(key_)->key))
#define static_branch_maybe(option, key_) \
	(IS_ENABLED(option) ? static_branch_likely(key_) : static_branch_unlikely(key_))

/* recording: by their atomic; a count below zero warns, as there */
static inline bool static_key_slow_inc(struct static_key *key)
{
	atomic_inc(&key->enabled);
	return true;
}
static inline void static_key_slow_dec(struct static_key *key)
{
	WARN_ON(atomic_dec_return(&key->enabled) < 0);
}
static inline void static_key_enable(struct static_key *key)
{
	if (!static_key_count(key))
		atomic_set(&key->enabled, 1);
}
static inline void static_key_disable(struct static_key *key)
{
	if (static_key_count(key))
		atomic_set(&key->enabled, 0);
}
#define static_branch_inc(x) static_key_slow_inc(&(x)->key)
#define static_branch_dec(x) static_key_slow_dec(&(x)->key)
#define static_branch_enable(x) static_key_enable(&(x)->key)
#define static_branch_disable(x) static_key_disable(&(x)->key)
#define static_branch_inc_cpuslocked(x) static_branch_inc(x)
#define static_branch_dec_cpuslocked(x) static_branch_dec(x)
#define static_branch_enable_cpuslocked(x) static_branch_enable(x)
#define static_branch_disable_cpuslocked(x) static_branch_disable(x)

#endif
