/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine's side of the sanitizer: memory for its shadow, and the stack that
 * operations run on. The shadow lies where no program's memory is on 64 bit, at
 * the place that gcc's own AddressSanitizer uses.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include "sanitizer.h"

/* What operations may use of the stack, below the frame that opens. Kernel stacks have 16 KiB. */
#define STACK_ROOM (2ul << 20)
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* Another subject in this process may have mapped the shadow of the stack they share. */
static int shadow_map(void *at, unsigned long size)
{
	void *got = mmap(at, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (got == at)
		return 0;
	if (got == MAP_FAILED)
		return errno == EEXIST ? 0 : -1;
	munmap(got, size);	/* a kernel before 4.17 took `at` for a hint */
	return -1;
}

int shadow_open(const struct kc_sanitizer *s)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0), low, high;
	pthread_attr_t attributes;
	size_t size;
	void *start;

	if (pthread_getattr_np(pthread_self(), &attributes))
		return -1;
	pthread_attr_getstack(&attributes, &start, &size);
	pthread_attr_destroy(&attributes);
	low = (uintptr_t)start;
	high = low + size;
	if (here - low > STACK_ROOM)
		low = here - STACK_ROOM;
	if (s->open(shadow_map))
		return -1;
	return s->stack((void *)low, high - low);
}
