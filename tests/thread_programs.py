# SPDX-License-Identifier: GPL-2.0-only
"""Programs for threads as data: one compiled toy runs any, and Python says what they may come to.

A program is a call: up to eight instructions of a byte each, (kind, place, value). What it reads makes the
number that it returns.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from harness.interleave.schedule import Memory
from tests.threads import Toy

Instruction = tuple[int, int, int]  # kind, place (0 to 3), value (0 or 1, one more in C)
Calls = Sequence[Sequence[Instruction]]  # of one thread

# The cases of the toy, from 0 on.
(CMPXCHG_LOCK, READ, WRITE, ADD_PLAIN, READ_ONCE, WRITE_ONCE, RELEASE, ACQUIRE, XCHG, ADD_RELAXED, CMPXCHG,
 ADD_LOOP, BIT_LOCK, BIT_UNLOCK, SPIN_LOCK, SPIN_UNLOCK, MB, WMB, SET_BIT, SKIP, DOWN_READ, UP_READ,
 DOWN_WRITE, UP_WRITE, TRYLOCK, READ_HALF, WRITE_BYTE, WAIT, SPIN, CRASH, XCHG_LOCK,
 ZERO) = range(32)  # fmt: skip
UNLOCKS = {BIT_LOCK: BIT_UNLOCK, SPIN_LOCK: SPIN_UNLOCK, DOWN_READ: UP_READ, DOWN_WRITE: UP_WRITE,
           XCHG_LOCK: ZERO, CMPXCHG_LOCK: ZERO}  # fmt: skip

CODE = """
#include <asm/processor.h>
#include <linux/atomic.h>
#include <linux/bit_spinlock.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

struct toy {
	unsigned long v[4], bits;
	spinlock_t lock[4];
	struct rw_semaphore sem;
};

static inline long toy_run(struct toy *t, unsigned long program)
{
	unsigned long got = 0, old, zero = 0;

	for (; program; program >>= 8) {
		int p = program >> 5 & 3;
		unsigned long value = (program >> 7 & 1) + 1, *v = &t->v[p];

		switch (program & 31) {
		case 0:
			while (!try_cmpxchg_acquire(v, &zero, 1))
				zero = 0;
			break;
		case 1:
			got = got * 7 + *v;
			break;
		case 2:
			*v = value;
			break;
		case 3:
			*v = got + value;
			break;
		case 4:
			got = got * 7 + READ_ONCE(*v);
			break;
		case 5:
			WRITE_ONCE(*v, value);
			break;
		case 6:
			smp_store_release(v, value);
			break;
		case 7:
			got = got * 7 + smp_load_acquire(v);
			break;
		case 8:
			got = got * 7 + xchg(v, value);
			break;
		case 9:
			got = got * 7 + atomic_long_fetch_add_relaxed(value, (atomic_long_t *)v);
			break;
		case 10:
			got = got * 7 + cmpxchg(v, value - 1, value + 1);
			break;
		case 11:
			old = READ_ONCE(*v);
			while (!try_cmpxchg(v, &old, old + value))
				;
			got = got * 7 + old;
			break;
		case 12:
			bit_spin_lock(p, &t->bits);
			break;
		case 13:
			bit_spin_unlock(p, &t->bits);
			break;
		case 14:
			spin_lock(&t->lock[p]);
			break;
		case 15:
			spin_unlock(&t->lock[p]);
			break;
		case 16:
			smp_mb();
			break;
		case 17:
			smp_wmb();
			break;
		case 18:
			set_bit(8 + p, &t->bits);
			break;
		case 19:
			if (!READ_ONCE(*v))
				program >>= 8;
			break;
		case 20:
			down_read(&t->sem);
			break;
		case 21:
			up_read(&t->sem);
			break;
		case 22:
			down_write(&t->sem);
			break;
		case 23:
			up_write(&t->sem);
			break;
		case 24:
			if (spin_trylock(&t->lock[p])) {
				got++;
				spin_unlock(&t->lock[p]);
			}
			break;
		case 25:
			got = got * 7 + *(unsigned int *)v;
			break;
		case 26:
			*(unsigned char *)v = value;
			break;
		case 27:
			while (!READ_ONCE(*v))
				cpu_relax();
			break;
		case 28:
			while (!READ_ONCE(*v))
				;
			break;
		case 29:
			*(volatile int *)(t->v[0] * 8) = 0;
			break;
		case 30:
			while (xchg(v, 1))
				cpu_relax();
			break;
		case 31:
			WRITE_ONCE(*v, 0);
			break;
		}
	}
	return got;
}
"""
TOY = Toy(
    CODE,
    "struct toy t;",
    {f"v{i}": f"w->t.v[{i}]" for i in range(4)} | {"bits": "w->t.bits"},
    {"run(program)": "toy_run(&w->t, program)"},
)

# What a random program is made of.
PLAIN = (READ, WRITE, ADD_PLAIN, READ_ONCE, WRITE_ONCE)
MARKED = (READ_ONCE, WRITE_ONCE, RELEASE, ACQUIRE, MB, WMB)
ATOMIC = (READ_ONCE, WRITE_ONCE, XCHG, ADD_RELAXED, CMPXCHG, ADD_LOOP, ADD_PLAIN, SET_BIT)
LOCKS = (BIT_LOCK, SPIN_LOCK, DOWN_READ, DOWN_WRITE, READ, ADD_PLAIN, TRYLOCK, SET_BIT)
SIZES = (READ_HALF, WRITE_BYTE, READ, WRITE, ADD_PLAIN, XCHG)
BRANCHES = (SKIP, WRITE_ONCE, WRITE, XCHG, READ_ONCE, ADD_PLAIN)
CRASHES = (CRASH, READ, ADD_PLAIN, WRITE_ONCE)
WAITS = (WAIT, SPIN, WRITE_ONCE, WRITE, READ_ONCE)
BY_HAND = (XCHG_LOCK, CMPXCHG_LOCK, ADD_PLAIN, READ, ADD_RELAXED)
# Those whose outcomes are known.
KNOWN = (READ, WRITE, ADD_PLAIN, READ_ONCE, WRITE_ONCE, RELEASE, ACQUIRE, XCHG, ADD_RELAXED, CMPXCHG, MB, WMB,
         SKIP)  # fmt: skip
ORDERED = (READ_ONCE, WRITE_ONCE, WMB, MB, RELEASE, ADD_RELAXED)


def packed(call: Sequence[Instruction]) -> tuple[str, int]:
    """A call of the toy."""
    assert len(call) <= 8
    program = sum((kind | place << 5 | value << 7) << 8 * i for i, (kind, place, value) in enumerate(call))
    return "run", program - (1 << 64) if program >> 63 else program


def random_call(draw: random.Random, kinds: Sequence[int], length: int, places: int) -> list[Instruction]:
    """Instructions; what is locked is nearly always unlocked."""
    made: list[Instruction] = []
    held: list[tuple[int, int]] = []
    while length:
        kind, place, value = draw.choice(kinds), draw.randrange(places), draw.randrange(2)
        place = 0 if kind in (DOWN_READ, DOWN_WRITE) else place
        if kind in UNLOCKS:
            if (kind, place) in held and draw.random() < 0.9:
                continue
            held.append((kind, place))
        made.append((kind, place, value | (kind == CMPXCHG_LOCK)))
        length -= 1
        if held and draw.random() < 0.4:
            kind, place = held.pop(draw.randrange(len(held)))
            made.append((UNLOCKS[kind], place, 0))
    made += [(UNLOCKS[kind], place, 0) for kind, place in reversed(held) if draw.random() < 0.95]
    return made[:8]


def random_threads(draw: random.Random, kinds: Sequence[int]) -> list[list[list[Instruction]]]:
    """Two threads of a few instructions in one call or two, or three of fewer in one."""
    places = draw.choice((1, 2, 2, 3))
    if draw.random() < 0.75:
        return [
            [random_call(draw, kinds, draw.randint(1, 3), places) for _ in range(draw.choice((1, 1, 2)))]
            for _ in range(2)
        ]
    return [[random_call(draw, kinds, draw.randint(1, 2), places)] for _ in range(3)]


# ---- What programs of KNOWN instructions may come to, by trying every step there is. ----

WORD = (1 << 64) - 1
# A thread: the call and instruction that it is at, what it read, what calls returned, stores that are delayed
# (place, value, after how many fences, release), fences so far.
Store = tuple[int, int, int, bool]
Thread = tuple[int, int, int, tuple[int, ...], tuple[Store, ...], int]
Words = tuple[int, ...]


def outcomes(threads: Sequence[Calls], memory: Memory) -> set[tuple[tuple[Words, ...], Words]]:
    """What the calls return and leave, in every order of steps; stores are delayed as `memory` says."""
    start = (tuple((0, 0, 0, (), (), 0) for _ in threads), (0, 0, 0, 0))
    todo: list[tuple[tuple[Thread, ...], Words]] = [start]
    seen, ends = {start}, set()
    while todo:
        state = todo.pop()
        following = [
            ((*state[0][:i], thread, *state[0][i + 1 :]), words)
            for i in range(len(threads))
            for thread, words in steps(threads[i], state[0][i], state[1], memory)
        ]
        if not following:
            ends.add((tuple(thread[3] for thread in state[0]), state[1]))
        for each in following:
            if each not in seen:
                seen.add(each)
                todo.append(each)
    return ends


def put(words: Words, place: int, value: int) -> Words:
    """Words with another value at one place."""
    return (*words[:place], value & WORD, *words[place + 1 :])


def steps(calls: Calls, thread: Thread, words: Words, memory: Memory) -> list[tuple[Thread, Words]]:
    """What a thread, or one of its delayed stores, can do now."""
    call, at, got, returned, delayed, fences = thread
    found: list[tuple[Thread, Words]] = []
    for i, (place, value, after, release) in enumerate(delayed):
        older = delayed[:i]
        waits = older and (memory == "tso" or release or older[0][2] < after)
        if not waits and all(place != other[0] for other in older):
            rest = (*older, *delayed[i + 1 :])
            found.append(((call, at, got, returned, rest, fences), put(words, place, value)))
    if call == len(calls):
        return found
    if at == len(calls[call]):
        return [*found, ((call + 1, 0, 0, (*returned, got), delayed, fences), words)]
    kind, place, value = calls[call][at]
    value += 1
    own = [store[1] for store in delayed if store[0] == place]
    sees = own[-1] if own else words[place]
    read = (got * 7 + sees) & WORD

    def then(
        got: int, words: Words = words, more: tuple[Store, ...] = (), fence: int = 0, skip: int = 0
    ) -> None:
        next_at = min(at + 1 + skip, len(calls[call]))
        found.append(((call, next_at, got, returned, (*delayed, *more), fences + fence), words))

    if kind in (READ, READ_ONCE, ACQUIRE):
        then(read)
    elif kind in (WRITE, WRITE_ONCE, RELEASE, ADD_PLAIN):
        stored = (got + value if kind == ADD_PLAIN else value) & WORD
        if memory == "sc":
            then(got, put(words, place, stored))
        else:
            then(got, more=((place, stored, fences, kind == RELEASE),))
    elif kind == SKIP:
        then(got, skip=not sees)
    elif kind == WMB:
        then(got, fence=1)
    elif kind == ADD_RELAXED:
        if not own and not (delayed and (memory == "tso" or delayed[0][2] < fences)):
            then(read, put(words, place, sees + value))
    elif not delayed:  # fully ordered
        if kind == MB:
            then(got, fence=1)
        elif kind == XCHG:
            then(read, put(words, place, value))
        else:
            assert kind == CMPXCHG
            then(read, put(words, place, value + 1) if sees == value - 1 else words)
    return found


def hashed(h: int, value: int) -> int:
    """As the engine's, native/schedules.c."""
    h = (h ^ (value & WORD)) * 0xFF51AFD7ED558CCD & WORD
    return h ^ h >> 29


def counted(ends: set[tuple[tuple[Words, ...], Words]]) -> tuple[int, int]:
    """How many, and which: as the engine says it of executions."""
    which = 0
    for returned, words in ends:
        h = 0
        for got in (got for calls in returned for got in calls):
            h = hashed(hashed(h, got), 1)
        for value in (*words, 0):
            h = hashed(h, value)
        which += hashed(h, 1) or 1
    return len(ends), which & WORD
