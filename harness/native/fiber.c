/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fibers. A switch saves what a called function must keep (System V ABI, AAPCS64) on the
 * stack that it leaves: some ten instructions, where ucontext takes two system calls.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>

#include "fiber.h"

#define GUARD_PAGE 65536	/* the largest page that a kernel has */

__attribute__((visibility("hidden"))) void fiber_switch(void **from, void *to);

#if defined(__x86_64__)
__asm__(".text\n"
	".p2align 4\n"
	".type fiber_switch, @function\n"
	"fiber_switch:\n"
	"	pushq %rbp\n	pushq %rbx\n	pushq %r12\n"
	"	pushq %r13\n	pushq %r14\n	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n	popq %r14\n	popq %r13\n"
	"	popq %r12\n	popq %rbx\n	popq %rbp\n"
	"	ret\n"
	".size fiber_switch, . - fiber_switch\n");
enum { SAVED = 6, RETURN = 6, WORDS = 8 };	/* the return address last, and the stack aligned as at a call */
#elif defined(__aarch64__)
__asm__(".text\n"
	".p2align 4\n"
	".type fiber_switch, %function\n"
	"fiber_switch:\n"
	"	sub sp, sp, #160\n"
	"	stp x19, x20, [sp]\n	stp x21, x22, [sp, #16]\n"
	"	stp x23, x24, [sp, #32]\n	stp x25, x26, [sp, #48]\n"
	"	stp x27, x28, [sp, #64]\n	stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n	stp d14, d15, [sp, #144]\n"
	"	mov x9, sp\n	str x9, [x0]\n	mov sp, x1\n"
	"	ldp x19, x20, [sp]\n	ldp x21, x22, [sp, #16]\n"
	"	ldp x23, x24, [sp, #32]\n	ldp x25, x26, [sp, #48]\n"
	"	ldp x27, x28, [sp, #64]\n	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #160\n"
	"	ret\n"
	".size fiber_switch, . - fiber_switch\n");
enum { RETURN = 11, WORDS = 20 };
#endif

int fiber_open(struct fiber *fiber)
{
	char *low = mmap(NULL, GUARD_PAGE + FIBER_STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (low == MAP_FAILED)
		return -1;
	/* Mapped anew and not mprotect()ed: the cage lets no memory change what it may be used for. */
	fiber->stack = mmap(low + GUARD_PAGE, FIBER_STACK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return fiber->stack == MAP_FAILED ? -1 : 0;
}

void fiber_close(struct fiber *fiber)
{
	munmap(fiber->stack - GUARD_PAGE, GUARD_PAGE + FIBER_STACK);
}

void fiber_begin(struct fiber *fiber, void (*run)(void))
{
	uintptr_t *top = (uintptr_t *)(fiber->stack + FIBER_STACK);

	for (int i = 1; i <= WORDS; i++)
		top[-i] = 0;
	top[RETURN - WORDS] = (uintptr_t)run;
	fiber->sp = top - WORDS;
}
