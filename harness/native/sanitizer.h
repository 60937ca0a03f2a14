/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a subject of the flavour 'sanitized' shows to the engine: dlsym() finds
 * kc_sanitizer() in it, and in no other subject. Everything of a subject may be
 * accessed but the redzones that gcc puts around its variables; besides that only
 * what the engine names here.
 */
#ifndef KCONFORM_SANITIZER_H
#define KCONFORM_SANITIZER_H

/* Where gcc looks for the shadow of an address: (address >> 3) + this (sanitize.py). */
#define KC_SHADOW_OFFSET 0x7fff8000ul

struct kc_sanitizer {
	/*
	 * First of all. `map` makes [at, at + size) zeroed memory, or leaves it where
	 * it is mapped already; 0, or nonzero when it cannot.
	 */
	int (*open)(int (*map)(void *at, unsigned long size));
	/* A stack that instrumented code runs on; all of it is valid but gcc's redzones. */
	int (*stack)(const void *low, unsigned long size);
	/*
	 * An object that may be accessed: in the subject, where `invalid` said otherwise,
	 * or outside of it; `name`, for reports, may be NULL and must stay. 0, or
	 * nonzero when there are too many.
	 */
	int (*valid)(const void *start, unsigned long size, const char *name);
	/* A range in the subject that may not be accessed: the world, before its objects. */
	void (*invalid)(const void *start, unsigned long size);
	/* After a longjmp() out of instrumented code: its frames' redzones are no more. */
	void (*unwound)(void);
	/*
	 * From here on the lines of 64 bytes that are accessed of [start, start + 64 * n)
	 * are marked in `lines`, which may be NULL.
	 */
	void (*mark)(unsigned char *lines, const void *start, unsigned long n);
};

/* The engine's side (shadow.c): opens `s` for the calling thread's stack; before the cage. */
int shadow_open(const struct kc_sanitizer *s);

#endif
