# SPDX-License-Identifier: GPL-2.0-only
"""Each ordering of a shim matters: weakened in a copy of the shims, a toy that passes with it fails.

A toy is two threads. It fails where a data race is found (any order of its threads' accesses), or where
calls return what they do in no order one after the other although each makes but one access that matters
(then, and only then, it is an outcome that sequential consistency does not have) while stores are delayed.

Loads are never delayed or made early by the engine, so of what only orders loads (smp_rmb(), acquire) races
tell, and the smp_rmb() of read_seqretry(), before which everything that it orders is a race by itself, is
the one ordering that nothing shows.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from harness.interleave.weaver import ALL, RACE, RESULT, Effort, Weaver
from kernel_snippets import INCLUDE
from tests.threads import Rig, Toy

Shape = Literal["publish", "writer", "buffer"]


@dataclass(frozen=True)
class Ordering:
    """One ordering of a shim: where it stands, what is weaker, and the toy that needs it.

    Those of a `batch` are weakened in one compile: none of its toys rests on another of them.

    publish  one thread stores x plainly, then does `first`; the other reads it plainly where `second` says so
    writer   one thread begins to write under a sequence counter; the other reads that, then the counter
    buffer   each thread stores to its own word, does `first`, then reads the other's
    """

    batch: int
    header: str
    text: str
    weaker: str
    shape: Shape
    first: str = ""
    second: str = ""
    begin: str = ""  # of the first thread; of locks, which the other lets go as its like does


RELEASED, ACQUIRED = "smp_store_release(&t->y, 1)", "smp_load_acquire(&t->y)"
FAMILY = "	make(prefix, type, value, op, builtin, operand, "
RELAXED = "__ATOMIC_RELAXED"


def family(suffix: str, order: str) -> tuple[str, str, str]:
    """The line of atomic.h that gives a whole family its order."""
    return ("linux/atomic.h", f"{FAMILY}{suffix}, __ATOMIC_{order})", f"{FAMILY}{suffix}, {RELAXED})")


def macro(text: str, order: str) -> tuple[str, str, str]:
    """A line of atomic.h or bitops.h with the order as a last argument."""
    header = "linux/bitops.h" if text.startswith("KC_") else "linux/atomic.h"
    return header, f"{text}__ATOMIC_{order})", f"{text}{RELAXED})"


BARRIER = "asm/barrier.h"
ORDERINGS: dict[str, Ordering] = {
    # Acquire: what is read after it was published before what it met.
    "smp_load_acquire": Ordering(
        0, BARRIER, "__atomic_load_n(p, __ATOMIC_ACQUIRE)", f"__atomic_load_n(p, {RELAXED})",
        "publish", RELEASED, ACQUIRED),
    "smp_rmb": Ordering(
        0, BARRIER, "#define smp_rmb() rmb()", "#define smp_rmb() barrier()",
        "publish", RELEASED, "({ int got = READ_ONCE(t->y); smp_rmb(); got; })"),
    "smp_acquire__after_ctrl_dep": Ordering(
        0, BARRIER, "#define smp_acquire__after_ctrl_dep() rmb()",
        "#define smp_acquire__after_ctrl_dep() barrier()",
        "publish", RELEASED, "({ int got = READ_ONCE(t->y); if (got) smp_acquire__after_ctrl_dep(); got; })"),
    "test_bit_acquire": Ordering(
        0, "linux/bitops.h", "__atomic_load_n(KC_WORD(nr, p), __ATOMIC_ACQUIRE)",
        f"__atomic_load_n(KC_WORD(nr, p), {RELAXED})",
        "publish", "clear_bit_unlock(0, &t->held)", "!test_bit_acquire(0, &t->held)"),
    "test_and_set_bit_lock": Ordering(
        0, "linux/bitops.h", "__atomic_fetch_or(KC_WORD(nr, p), BIT_MASK(nr), __ATOMIC_ACQUIRE)",
        f"__atomic_fetch_or(KC_WORD(nr, p), BIT_MASK(nr), {RELAXED})",
        "publish", "clear_bit_unlock(0, &t->held)", "!test_and_set_bit_lock(0, &t->held)"),
    "atomic_read_acquire": Ordering(
        0, "linux/atomic.h", "__atomic_load_n(&v->counter, __ATOMIC_ACQUIRE)",
        f"__atomic_load_n(&v->counter, {RELAXED})",
        "publish", "atomic_set_release(&t->a, 1)", "atomic_read_acquire(&t->a)"),
    "atomic_fetch_add_acquire": Ordering(
        0, *family("_acquire", "ACQUIRE"),
        "publish", "atomic_set_release(&t->a, 1)", "atomic_fetch_add_acquire(1, &t->a)"),
    "xchg_acquire": Ordering(
        0, *macro("#define xchg_acquire(p, new) KC_XCHG(p, new, ", "ACQUIRE"),
        "publish", RELEASED, "xchg_acquire(&t->y, 2)"),
    "cmpxchg_acquire": Ordering(
        0, *macro("#define cmpxchg_acquire(p, old, new) KC_CMPXCHG(p, old, new, ", "ACQUIRE"),
        "publish", RELEASED, "cmpxchg_acquire(&t->y, 1, 2)"),
    "try_cmpxchg_acquire": Ordering(
        0,
        *macro("#define try_cmpxchg_acquire(p, old_p, new) KC_TRY_CMPXCHG(p, old_p, new, ", "ACQUIRE"),
        "publish", RELEASED, "({ int old = 1; try_cmpxchg_acquire(&t->y, &old, 2); })"),
    # The same by locks and pointers, which are made of these.
    "spin_lock": Ordering(
        1, "linux/spinlock.h", "xchg_acquire(", "xchg_relaxed(",
        "publish", "spin_unlock(&t->lock)", "spin_lock(&t->lock)", "spin_lock(&t->lock)"),
    "mutex_lock": Ordering(
        1, "linux/mutex.h", "xchg_acquire(", "xchg_relaxed(",
        "publish", "mutex_unlock(&t->mutex)", "mutex_lock(&t->mutex)", "mutex_lock(&t->mutex)"),
    "down_read": Ordering(
        1, "linux/rwsem.h", "try_cmpxchg_acquire(&sem->kc_readers, &readers, readers + 1)",
        "try_cmpxchg_relaxed(&sem->kc_readers, &readers, readers + 1)",
        "publish", "up_write(&t->sem)", "down_read(&t->sem)", "down_write(&t->sem)"),
    "down_write": Ordering(
        1, "linux/rwsem.h", "try_cmpxchg_acquire(&sem->kc_readers, &readers, -1)",
        "try_cmpxchg_relaxed(&sem->kc_readers, &readers, -1)",
        "publish", "up_write(&t->sem)", "down_write(&t->sem)", "down_write(&t->sem)"),
    "read_seqbegin": Ordering(
        1, "linux/seqlock.h", "(sequence = smp_load_acquire(&s->sequence))",
        "(sequence = READ_ONCE(s->sequence))",
        "publish", "write_seqcount_end(&t->count)", "read_seqcount_begin(&t->count) == 2",
        "write_seqcount_begin(&t->count)"),
    "raw_read_seqcount": Ordering(
        1, "linux/seqlock.h", "smp_load_acquire(&(s)->sequence)", "READ_ONCE((s)->sequence)",
        "publish", "write_seqcount_end(&t->count)", "raw_read_seqcount(&t->count) == 2",
        "write_seqcount_begin(&t->count)"),
    "rcu_dereference": Ordering(
        1, "linux/rcupdate.h", "smp_load_acquire(&(p))", "READ_ONCE(p)",
        "publish", "rcu_assign_pointer(t->p, &t->x)", "!!rcu_dereference(t->p)"),
    # Release: what was stored before is there when what it stored is.
    "smp_store_release": Ordering(
        2, BARRIER, "__atomic_store_n(p, value, __ATOMIC_RELEASE)",
        f"__atomic_store_n(p, value, {RELAXED})", "publish", RELEASED, ACQUIRED),
    "smp_wmb": Ordering(
        2, BARRIER, "#define smp_wmb() wmb()", "#define smp_wmb() barrier()",
        "publish", "({ smp_wmb(); WRITE_ONCE(t->y, 1); })", ACQUIRED),
    "clear_bit_unlock": Ordering(
        2, *macro("KC_BIT(clear_bit_unlock, and, ~BIT_MASK(nr), ", "RELEASE"),
        "publish", "clear_bit_unlock(0, &t->held)", "!test_bit_acquire(0, &t->held)"),
    "__clear_bit_unlock": Ordering(
        2, "linux/bitops.h", "~BIT_MASK(nr), __ATOMIC_RELEASE);\n}",
        f"~BIT_MASK(nr), {RELAXED});\n}}",
        "publish", "__clear_bit_unlock(0, &t->held)", "!test_bit_acquire(0, &t->held)"),
    "xor_unlock_is_negative_byte": Ordering(
        2, "linux/bitops.h", "__atomic_fetch_xor(p, mask, __ATOMIC_RELEASE)",
        f"__atomic_fetch_xor(p, mask, {RELAXED})",
        "publish", "xor_unlock_is_negative_byte(1, &t->held)", "!test_bit_acquire(0, &t->held)"),
    "atomic_set_release": Ordering(
        2, "linux/atomic.h", "__atomic_store_n(&v->counter, i, __ATOMIC_RELEASE)",
        f"__atomic_store_n(&v->counter, i, {RELAXED})",
        "publish", "atomic_set_release(&t->a, 1)", "atomic_read_acquire(&t->a)"),
    "atomic_fetch_add_release": Ordering(
        2, *family("_release", "RELEASE"),
        "publish", "atomic_fetch_add_release(1, &t->a)", "atomic_read_acquire(&t->a)"),
    "xchg_release": Ordering(
        2, *macro("#define xchg_release(p, new) KC_XCHG(p, new, ", "RELEASE"),
        "publish", "xchg_release(&t->y, 1)", ACQUIRED),
    "cmpxchg_release": Ordering(
        2, *macro("#define cmpxchg_release(p, old, new) KC_CMPXCHG(p, old, new, ", "RELEASE"),
        "publish", "cmpxchg_release(&t->y, 0, 1)", ACQUIRED),
    "try_cmpxchg_release": Ordering(
        2,
        *macro("#define try_cmpxchg_release(p, old_p, new) KC_TRY_CMPXCHG(p, old_p, new, ", "RELEASE"),
        "publish", "({ int old = 0; try_cmpxchg_release(&t->y, &old, 1); })", ACQUIRED),
    # The same by locks and pointers.
    "spin_unlock": Ordering(
        3, "linux/spinlock.h", "smp_store_release(&lock->kc_held, 0)",
        "WRITE_ONCE(lock->kc_held, 0)",
        "publish", "spin_unlock(&t->lock)", "spin_lock(&t->lock)", "spin_lock(&t->lock)"),
    "mutex_unlock": Ordering(
        3, "linux/mutex.h", "smp_store_release(&lock->kc_held, 0)", "WRITE_ONCE(lock->kc_held, 0)",
        "publish", "mutex_unlock(&t->mutex)", "mutex_lock(&t->mutex)", "mutex_lock(&t->mutex)"),
    "up_read": Ordering(
        3, "linux/rwsem.h", "__atomic_fetch_sub(&sem->kc_readers, 1, __ATOMIC_RELEASE)",
        f"__atomic_fetch_sub(&sem->kc_readers, 1, {RELAXED})",
        "publish", "up_read(&t->sem)", "down_write(&t->sem)", "down_read(&t->sem)"),
    "up_write": Ordering(
        3, "linux/rwsem.h", "__atomic_fetch_add(&sem->kc_readers, 1, __ATOMIC_RELEASE)",
        f"__atomic_fetch_add(&sem->kc_readers, 1, {RELAXED})",
        "publish", "up_write(&t->sem)", "down_read(&t->sem)", "down_write(&t->sem)"),
    "downgrade_write": Ordering(
        3, "linux/rwsem.h", "__atomic_fetch_add(&sem->kc_readers, 2, __ATOMIC_RELEASE)",
        f"__atomic_fetch_add(&sem->kc_readers, 2, {RELAXED})",
        "publish", "downgrade_write(&t->sem); up_read(&t->sem)", "down_read(&t->sem)", "down_write(&t->sem)"),
    "write_seqcount_begin": Ordering(
        3, "linux/seqlock.h", "	WRITE_ONCE(s->sequence, s->sequence + 1);\n	smp_wmb();\n",
        "	WRITE_ONCE(s->sequence, s->sequence + 1);\n",
        "writer"),
    "write_seqcount_end": Ordering(
        3, "linux/seqlock.h", "	smp_wmb();\n	WRITE_ONCE(s->sequence, s->sequence + 1);\n",
        "	WRITE_ONCE(s->sequence, s->sequence + 1);\n",
        "publish", "write_seqcount_end(&t->count)", "read_seqcount_begin(&t->count) == 2",
        "write_seqcount_begin(&t->count)"),
    "write_seqcount_invalidate": Ordering(
        3, "linux/seqlock.h", "	smp_wmb();\n	WRITE_ONCE(s->sequence, s->sequence + 2);\n",
        "	WRITE_ONCE(s->sequence, s->sequence + 2);\n",
        "publish", "write_seqcount_invalidate(&t->even)", "read_seqcount_begin(&t->even) == 2"),
    "rcu_assign_pointer": Ordering(
        3, "linux/rcupdate.h", "smp_store_release(&(p), kc_value_)", "WRITE_ONCE(p, kc_value_)",
        "publish", "rcu_assign_pointer(t->p, &t->x)", "!!rcu_dereference(t->p)"),
    # Full: what was stored before is seen before anything is read after.
    "smp_mb": Ordering(1, BARRIER, "#define smp_mb() mb()", "#define smp_mb() do { rmb(); wmb(); } while (0)",
                       "buffer", "smp_mb()"),
    "smp_mb__before_atomic": Ordering(
        4, BARRIER, "#define smp_mb__before_atomic() mb()", "#define smp_mb__before_atomic() barrier()",
        "buffer", "({ smp_mb__before_atomic(); atomic_inc(a); })"),
    "smp_mb__after_atomic": Ordering(
        4, BARRIER, "#define smp_mb__after_atomic() mb()", "#define smp_mb__after_atomic() barrier()",
        "buffer", "({ atomic_inc(a); smp_mb__after_atomic(); })"),
    "smp_mb__after_spinlock": Ordering(
        4, BARRIER, "#define smp_mb__after_spinlock() mb()", "#define smp_mb__after_spinlock() barrier()",
        "buffer", "({ spin_lock(lock); smp_mb__after_spinlock(); spin_unlock(lock); })"),
    "smp_store_mb": Ordering(
        4, BARRIER, "{ WRITE_ONCE(variable, value); smp_mb(); }", "{ WRITE_ONCE(variable, value); }",
        "buffer", "smp_store_mb(*own, 1)"),
    "atomic_fetch_add": Ordering(
        4, *family("", "SEQ_CST"), "buffer", "atomic_fetch_add(1, a)"),
    "atomic_add_unless": Ordering(
        4, "linux/atomic.h", "while (!prefix##_try_cmpxchg(v, &old, sum))",
        "while (!prefix##_try_cmpxchg_relaxed(v, &old, sum))", "buffer", "atomic_add_unless(a, 1, 9)"),
    "xchg": Ordering(4, *macro("#define xchg(p, new) KC_XCHG(p, new, ", "SEQ_CST"), "buffer", "xchg(p, 1)"),
    "cmpxchg": Ordering(
        4, *macro("#define cmpxchg(p, old, new) KC_CMPXCHG(p, old, new, ", "SEQ_CST"),
        "buffer", "cmpxchg(p, 0, 1)"),
    "try_cmpxchg": Ordering(
        4, *macro("#define try_cmpxchg(p, old_p, new) KC_TRY_CMPXCHG(p, old_p, new, ", "SEQ_CST"),
        "buffer", "({ int old = 0; try_cmpxchg(p, &old, 1); })"),
    "test_and_set_bit": Ordering(
        4, *macro("KC_TEST_AND(test_and_set_bit, or, BIT_MASK(nr), ", "SEQ_CST"),
        "buffer", "test_and_set_bit(0, bits)"),
    "test_and_clear_bit": Ordering(
        4, *macro("KC_TEST_AND(test_and_clear_bit, and, ~BIT_MASK(nr), ", "SEQ_CST"),
        "buffer", "test_and_clear_bit(0, bits)"),
    "test_and_change_bit": Ordering(
        4, *macro("KC_TEST_AND(test_and_change_bit, xor, BIT_MASK(nr), ", "SEQ_CST"),
        "buffer", "test_and_change_bit(0, bits)"),
}  # fmt: skip
BATCHES = sorted({ordering.batch for ordering in ORDERINGS.values()})

HEAD = """
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>

struct toy {
	int x, y, own[2];
	int *p;
	atomic_t a, b[2];
	unsigned long held, bits[2];
	int word[2];
	spinlock_t lock, locks[2];
	struct mutex mutex;
	struct rw_semaphore sem;
	seqcount_t count, even;
};

static inline void toy_start(struct toy *t)
{
	t->held = 1;
}

static inline int toy_read(struct toy *t, int which)
{
	return READ_ONCE(t->own[which]);
}

static inline int toy_x(struct toy *t)
{
	return READ_ONCE(t->x);
}

static inline int toy_writer(struct toy *t)
{
	write_seqcount_begin(&t->even);
	WRITE_ONCE(t->x, 1);
	return 0;
}

static inline int toy_sequence(struct toy *t)
{
	return READ_ONCE(t->even.sequence);
}
"""
PUBLISH = """
static inline int toy_first_{n}(struct toy *t)
{{
	{begin};
	t->x = 1;
	{first};
	return 0;
}}

static inline int toy_second_{n}(struct toy *t)
{{
	int got = 0;

	{second}
	return got;
}}
"""
LETS_GO = {
    "spin_lock": "spin_unlock",
    "mutex_lock": "mutex_unlock",
    "down_read": "up_read",
    "down_write": "up_write",
}
BUFFER = """
static inline int toy_first_{n}(struct toy *t, int which)
{{
	atomic_t *a = &t->b[which];
	unsigned long *bits = &t->bits[which];
	int *p = &t->word[which], *own = &t->own[which];
	spinlock_t *lock = &t->locks[which];

	(void)a, (void)bits, (void)p, (void)lock;
	WRITE_ONCE(*own, 1);
	{first};
	return 0;
}}
"""


def toy() -> Toy:
    """All of them, in one subject."""
    code = HEAD
    calls = {"read(which)": "toy_read(&w->t, which)", "x": "toy_x(&w->t)", "writer": "toy_writer(&w->t)",
             "sequence": "toy_sequence(&w->t)"}  # fmt: skip
    for n, ordering in enumerate(ORDERINGS.values()):
        if ordering.shape == "publish":
            name, _, arguments = ordering.second.partition("(")
            second = f"if ({ordering.second}) got = t->x;"
            if name in LETS_GO:
                second = f"{ordering.second}; got = t->x; {LETS_GO[name]}({arguments};"
            code += PUBLISH.format(n=n, begin=ordering.begin, first=ordering.first, second=second)
            calls |= {f"first{n}": f"toy_first_{n}(&w->t)", f"second{n}": f"toy_second_{n}(&w->t)"}
        elif ordering.shape == "buffer":
            code += BUFFER.format(n=n, first=ordering.first)
            calls[f"first{n}(which)"] = f"toy_first_{n}(&w->t, which)"
    return Toy(code, "struct toy t;", {"x": "w->t.x"}, calls, "toy_start(&w->t);")


def weakened(batch: int, folder: Path) -> Path:
    """A copy of the shims in which the orderings of a batch are weaker."""
    shutil.copytree(INCLUDE, folder)
    for ordering in ORDERINGS.values():
        if ordering.batch == batch:
            path = folder / ordering.header
            text = path.read_text()
            assert text.count(ordering.text) == 1, ordering
            path.write_text(text.replace(ordering.text, ordering.weaker))
    return folder


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[str]]:
    """The toys that fail with the shims as they are (-1), and with each batch of orderings weakened."""
    made = {}
    for batch in (-1, *BATCHES):
        folder = tmp_path_factory.mktemp("shims")
        include = INCLUDE if batch < 0 else weakened(batch, folder / "include")
        rig = Rig(toy(), include=include)
        made[batch] = rig.run(lambda weaver, rig=rig: failures(weaver, rig))
        rig.close()
    return made


def failures(weaver: Weaver, rig: Rig) -> list[str]:
    """The toys that show a race, or an outcome that sequential consistency does not have."""
    failed = []
    for n, (name, ordering) in enumerate(ORDERINGS.items()):
        weaver.forget()
        if ordering.shape == "publish":
            scenario, memories = rig.scenario([f"first{n}"], [f"second{n}"]), ("sc",)
        elif ordering.shape == "writer":
            scenario, memories = rig.scenario(["writer"], ["x", "sequence"]), ("sc", "relaxed")
        else:
            threads = ([(f"first{n}", i), ("read", 1 - i)] for i in range(2))
            scenario, memories = rig.scenario(*threads), ("sc", "relaxed")
        for memory in memories:
            explored = weaver.explore(0, scenario, Effort(memory))
            assert (explored.end, explored.blocked) == (ALL, 0), (name, memory, explored)
        kinds = {found.kind for found in weaver.found()}
        if (RACE if ordering.shape == "publish" else RESULT) in kinds:
            failed.append(name)
    return failed


def test_nothing_fails_with_the_shims_as_they_are(failing: dict[int, list[str]]) -> None:
    assert failing[-1] == []


@pytest.mark.parametrize("name", ORDERINGS)
def test_each_ordering_matters(name: str, failing: dict[int, list[str]]) -> None:
    assert name in failing[ORDERINGS[name].batch]
