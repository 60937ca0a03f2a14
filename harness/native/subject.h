/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a compiled subject shows to the engine. Included on both sides: below a
 * slice, where no libc is, and in the engine, where libc is.
 */
#ifndef KCONFORM_SUBJECT_H
#define KCONFORM_SUBJECT_H

typedef long long kc_i64;

enum kc_kind { KC_OPERATION, KC_PROBE, KC_MISUSE };

struct kc_op {
	int kind;
	int has_ret;	/* the return value is compared */
	int has_warns;	/* misuse: judged by it; else: a warning may be due */
};

struct kc_record;

struct kc_subject {
	int world_size, state_size, ghost_size;	/* bytes; int64_t; int64_t */
	int ops, always, possible, features;
	struct kc_record *record;
	void *world;				/* the one place where operations run */
	const struct kc_op *op;
	const unsigned char *owned;		/* a byte of the world that operations may change: 1 */
	void (*init)(void);
	kc_i64 (*apply)(int op, const kc_i64 *args);
	void (*observe)(kc_i64 *state);
	void (*ghost_init)(kc_i64 *ghost);
	int (*within)(const kc_i64 *s);		/* worth exploring from */
	/* the contract, translated */
	int (*when)(int op, const kc_i64 *g, const kc_i64 *s, const kc_i64 *args);
	void (*model)(int op, const kc_i64 *s, const kc_i64 *args, kc_i64 *next);
	kc_i64 (*returns)(int op, const kc_i64 *s, const kc_i64 *args);
	int (*warns)(int op, const kc_i64 *g, const kc_i64 *s, const kc_i64 *args);
	void (*ghost)(int op, const kc_i64 *g, const kc_i64 *args, kc_i64 *next);
	unsigned long long (*broken)(int op, const kc_i64 *g, const kc_i64 *s, const kc_i64 *t,
				     kc_i64 rmw);
	unsigned long long (*witnessed)(const kc_i64 *g, const kc_i64 *s, const kc_i64 *t,
					kc_i64 rmw);
	unsigned long long (*feature)(int op, const kc_i64 *g, const kc_i64 *s, const kc_i64 *args);
};

#endif
