/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a compiled subject, and a compiled contract, show to the engine. Included on
 * both sides: below a slice, where no libc is, and in the engine, where libc is.
 */
#ifndef KCONFORM_SUBJECT_H
#define KCONFORM_SUBJECT_H

typedef long long kc_i64;

struct kc_record;
struct kc_sanitizer;
struct kc_threaded;

struct kc_object {		/* one of the world's */
	unsigned long at, size;
	const char *name;
};

/* The patch's code with the contract's world: all that a stranger wrote is below this. */
struct kc_subject {
	int world_size, state_size, ops;	/* bytes; kc_i64 */
	struct kc_record *record;
	void *world;				/* the one place where operations run */
	const unsigned char *owned;		/* a byte of the world that operations may change: 1 */
	void (*init)(void);
	kc_i64 (*apply)(int op, const kc_i64 *args);
	void (*observe)(kc_i64 *state);
	void (*peek)(kc_i64 *state);		/* the same in the midst of a call */
	const struct kc_object *objects;
	int nobjects;
	const struct kc_sanitizer *sanitizer;	/* in the sanitized flavour only */
	const struct kc_threaded *threaded;	/* in the threaded flavour only */
};

/* A setup is the contract's own C: explored further as an operation is, and not judged. */
enum kc_kind { KC_OPERATION, KC_SETUP, KC_PROBE, KC_MISUSE };

struct kc_op {
	int kind;
	int has_model;	/* what it leaves is predicted */
	int has_ret;	/* the return value is compared */
	int has_warns;	/* misuse: judged by it; else: a warning may be due */
	int has_ghost;	/* the ghost moves */
	int uses_ghost;	/* when it is legal, or what it does, depends on the ghost */
};

/* diff: a bit each observation that differs, then those of KC_RETURN and KC_WARNINGS;
 * broken: a bit each "always" claim. */
struct kc_verdict {
	unsigned long long diff, broken;
};

struct kc_state_verdict {
	unsigned long long broken, witnessed;
};

/* The contract's Python functions, translated. g: ghost, s: state before, t: after, a: arguments. */
struct kc_contract {
	int state_size, ghost_size;		/* kc_i64 */
	int always, possible;
	unsigned long long of_states;		/* always claims that are properties of a state alone */
	const unsigned long long *judged;	/* the other always claims: those that an operation is judged by */
	const struct kc_op *op;
	void (*ghost_init)(kc_i64 *ghost);
	int (*within)(const kc_i64 *s);		/* worth exploring from */
	int (*when)(int op, const kc_i64 *g, const kc_i64 *s, const kc_i64 *a);
	struct kc_verdict (*judge)(int op, const kc_i64 *g, const kc_i64 *s, const kc_i64 *a,
				   const kc_i64 *t, kc_i64 ret, kc_i64 warnings, kc_i64 rmw,
				   kc_i64 *next_ghost);
	struct kc_state_verdict (*states)(const kc_i64 *g, const kc_i64 *t);
	unsigned long long (*feature)(int op, const kc_i64 *g, const kc_i64 *s, const kc_i64 *a);
	/* the parts of `judge`, for what Python is held against */
	void (*model)(int op, const kc_i64 *s, const kc_i64 *a, kc_i64 *next);
	kc_i64 (*returns)(int op, const kc_i64 *s, const kc_i64 *a);
	int (*warns)(int op, const kc_i64 *g, const kc_i64 *s, const kc_i64 *a);
};

#endif
