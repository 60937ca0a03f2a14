/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads of one OS thread: each with a stack of its own, and one runs at a time. */
#ifndef KCONFORM_FIBER_H
#define KCONFORM_FIBER_H

#include <stddef.h>

#define FIBER_STACK (64 * 1024)

struct fiber {
	void *sp;		/* where it goes on */
	char *stack;		/* its lowest byte */
};

/* Its stack, above a page that nobody may touch; 0, or there is no memory. */
int fiber_open(struct fiber *fiber);
void fiber_close(struct fiber *fiber);
/* The next switch to it calls `run`, which must never return. */
void fiber_begin(struct fiber *fiber, void (*run)(void));
/* Goes on where `to` left off; comes back when something switches to `*from`. */
void fiber_switch(void **from, void *to);

#endif
