/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a subject of the threaded flavour (gcc -fsanitize=thread, hooks.c) tells the engine
 * of each access before it is made. Included on both sides.
 */
#ifndef KCONFORM_THREADS_H
#define KCONFORM_THREADS_H

#include "subject.h"

/* One access, in bits. MARKED: atomic or volatile; the orders are those of Documentation/atomic_t.txt. */
enum {
	KC_READ = 1, KC_WRITE = 2, KC_MARKED = 4, KC_ACQUIRE = 8, KC_RELEASE = 16, KC_FULL = 32,
	KC_WAITS = 64,		/* made when the bits that the shim said are clear */
	KC_FENCE = 128,		/* of the orders above, no access */
	KC_IGNORED = 256,	/* within data_race() */
	KC_SECTION = 512,	/* of a lock that is no word of the world */
};

struct kc_hooks {
	void (*access)(const volatile void *p, unsigned int size, unsigned int kind, void *pc);
	void (*failed)(void);		/* the read-modify-write at hand stored nothing, and orders nothing */
	void (*enter)(void *pc);	/* a function, called from there */
	void (*leave)(void);
	void (*wait)(const volatile void *p, unsigned int size, unsigned long mask);
	void (*lock)(const volatile void *p, unsigned int size, unsigned long mask, int locks, void *pc);
	void (*section)(const volatile void *p, int begins, void *pc);
	void (*pause)(void);
	void (*looks_away)(int begins);
};

struct kc_variable {
	void *at;
	unsigned long size;
	const char *name;
};

/* Beside what every subject has. */
struct kc_threaded {
	struct kc_hooks *hooks;			/* the engine sets them */
	kc_i64 (*call)(int op, const kc_i64 *args);	/* between enter() and leave() */
	kc_i64 (*read)(int observation);		/* one alone */
	void (*enter)(void), (*leave)(void);
	const struct kc_variable *variables;	/* the patch's own */
	int nvariables;
	const struct kc_object *places;		/* of the world, that operations may change: by name */
	int nplaces;
	const struct kc_variable *ours;		/* the shims' own, which no thread shares with another */
	int nours;
};

#endif
