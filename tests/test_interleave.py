# SPDX-License-Identifier: GPL-2.0-only
"""The interleaving engine: what it runs, what it runs once, and what it finds.

Loads are never delayed or made early, only stores are (KC_TSO, KC_RELAXED): of the outcomes that the kernel's
memory model allows, those that need that are met (SB, MP by its stores, 2+2W), others (LB, IRIW) are not.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.interleave.schedule import MEMORIES, Memory
from harness.interleave.weaver import (
    ALL,
    CRASHED,
    CUT,
    DEADLOCK,
    HELD,
    NOT_HELD,
    RACE,
    RESULT,
    SPINS,
    Effort,
    Explored,
    Weaver,
)
from kernel_snippets import BUNDLED_PATCH
from tests import thread_programs as programs
from tests.thread_programs import (
    ADD_RELAXED,
    BIT_LOCK,
    BIT_UNLOCK,
    MB,
    READ_ONCE,
    RELEASE,
    SPIN_LOCK,
    SPIN_UNLOCK,
    WMB,
    WRITE,
    WRITE_ONCE,
    XCHG,
    Instruction,
)
from tests.threads import Rig, Toy


@pytest.fixture(scope="module")
def runs() -> Iterator[Rig]:
    """The toy that runs programs."""
    rig = Rig(programs.TOY)
    yield rig
    rig.close()


def kinds_of(weaver: Weaver) -> set[int]:
    """What was found, but for what readers without a lock might see."""
    return {found.kind for found in weaver.found()}


# ---- Every schedule up to equivalence, and each once. ----


def compared(weaver: Weaver, rig: Rig, threads: Sequence[Any], memory: Memory) -> str:
    """How reduction and plain enumeration differ; "many" where there are too many schedules to tell."""
    scenario = rig.scenario(*[list(map(programs.packed, thread)) for thread in threads])
    said = []
    for reduce in (False, True):
        weaver.forget()
        explored = weaver.explore(
            0, scenario, Effort(memory, reduce, executions=4000, seconds=60, outcomes=True)
        )
        if explored.end != ALL:
            return "not all" if reduce else "many"
        number = explored.executions if reduce else explored.classes
        said.append((number, explored.blocked, explored.outcomes_are, sorted(kinds_of(weaver))))
    return "" if said[0] == said[1] else f"{memory} {threads}: {said}"


FAMILIES = {
    "plain": programs.PLAIN,
    "marked": programs.MARKED,
    "atomic": programs.ATOMIC,
    "locks": programs.LOCKS,
    "sizes": programs.SIZES,
    "branches": programs.BRANCHES,
    "crashes": programs.CRASHES,
    "waits": programs.WAITS,
    "locks by hand": programs.BY_HAND,
}
SLOW = ("waits", "locks by hand")  # alone a call may never come back, which takes its time


@pytest.mark.parametrize("family", FAMILIES)
def test_reduction_meets_each_class_of_schedules_once(family: str, runs: Rig) -> None:
    """Random programs: as many executions as classes, none blocked, the same outcomes and findings."""

    def task(weaver: Weaver) -> list[str]:
        draw = random.Random(family)
        said = []
        for _ in range(4 if family in SLOW else 60):
            threads = programs.random_threads(draw, FAMILIES[family])
            said += [compared(weaver, runs, threads, memory) for memory in MEMORIES]
        return said

    said = runs.run(task)
    assert [each for each in said if each not in ("", "many")] == []
    assert said.count("") > len(said) * 0.4


@pytest.mark.parametrize("family", [programs.KNOWN, programs.ORDERED])
def test_outcomes_are_those_of_trying_every_step(family: Sequence[int], runs: Rig) -> None:
    """Random programs, against an interpreter that tries every step with every delay of stores."""

    def task(weaver: Weaver) -> list[str]:
        draw = random.Random(8)
        said = []
        for _ in range(300):
            threads = programs.random_threads(draw, family)
            scenario = runs.scenario(*[list(map(programs.packed, thread)) for thread in threads])
            for memory in MEMORIES:
                explored = weaver.explore(0, scenario, Effort(memory, outcomes=True))
                assert (explored.end, explored.blocked) == (ALL, 0)
                if (explored.outcomes, explored.outcomes_are) != programs.counted(
                    programs.outcomes(threads, memory)
                ):
                    said.append(f"{memory} {threads}")
        return said

    assert runs.run(task) == []


def i(kind: int, place: int = 0, value: int = 0) -> Instruction:
    return kind, place, value


def locked(lock: int, unlock: int, *places: int) -> list[Instruction]:
    """Takes locks in order, and lets them go in the other."""
    return [*(i(lock, place) for place in places), *(i(unlock, place) for place in reversed(places))]


BOTH, OTHER = (0, 1), (1, 0)
COUNTS: dict[str, tuple[Sequence[Sequence[Sequence[Instruction]]], int]] = {
    "two that store to other places": ([[[i(WRITE_ONCE, 0)]], [[i(WRITE_ONCE, 1)]]], 1),
    "two that store to the same": ([[[i(WRITE_ONCE)]], [[i(WRITE_ONCE)]]], 2),
    "two readers of what nobody writes": ([[[i(READ_ONCE)]], [[i(READ_ONCE)]]], 1),
    "a writer and two readers": ([[[i(WRITE_ONCE)]], [[i(READ_ONCE)]], [[i(READ_ONCE)]]], 4),
    "two read-modify-writes each": ([[[i(ADD_RELAXED)] * 2]] * 2, 6),
    "three read-modify-writes": ([[[i(ADD_RELAXED)]]] * 3, 6),
    "two under a bit lock": ([[locked(BIT_LOCK, BIT_UNLOCK, 0)]] * 2, 2),
    "two, twice under a spinlock": ([[locked(SPIN_LOCK, SPIN_UNLOCK, 0) * 2]] * 2, 6),
    "three under a spinlock": ([[locked(SPIN_LOCK, SPIN_UNLOCK, 0)]] * 3, 6),
    "two locks in the same order": ([[locked(SPIN_LOCK, SPIN_UNLOCK, *BOTH)]] * 2, 2),
    "two locks in the other order": (
        [[locked(SPIN_LOCK, SPIN_UNLOCK, *BOTH)], [locked(SPIN_LOCK, SPIN_UNLOCK, *OTHER)]], 3),
    "two bits of a word in the other order": (
        [[locked(BIT_LOCK, BIT_UNLOCK, *BOTH)], [locked(BIT_LOCK, BIT_UNLOCK, *OTHER)]], 0),
}  # fmt: skip


@pytest.mark.parametrize("memory", MEMORIES)
def test_as_many_executions_as_there_are_ways(memory: Memory, runs: Rig) -> None:
    def task(weaver: Weaver) -> dict[str, Any]:
        said = {}
        for name, (threads, _) in COUNTS.items():
            scenario = runs.scenario(*[list(map(programs.packed, thread)) for thread in threads])
            weaver.forget()
            explored = weaver.explore(0, scenario, Effort(memory))
            assert (explored.end, explored.blocked) == (ALL, 0), name
            deadlocks = DEADLOCK in kinds_of(weaver)
            said[name] = (explored.executions, deadlocks, compared(weaver, runs, threads, memory))
        return said

    for name, (executions, deadlocks, differs) in runs.run(task).items():
        assert differs == "", name
        assert deadlocks == ("other order" in name), name
        assert executions == COUNTS[name][1] or not COUNTS[name][1], name


TABLE = {
    "add": {2: 2, 3: 6},
    "add, sub": {2: 6, 3: 90},
    "add, add": {2: 6},
}  # calls of each: threads: executions


@pytest.fixture(scope="module")
def bundled() -> Iterator[Rig]:
    rig = Rig.of(BUNDLED_PATCH, "mm-owner-tracking")
    yield rig
    rig.close()


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_bundled_patch_takes_no_more_executions_than_its_lock_has_orders(
    memory: Memory, bundled: Rig
) -> None:
    def task(weaver: Weaver) -> dict[str, dict[int, list[int]]]:
        said: dict[str, dict[int, list[int]]] = {}
        for calls, numbers in TABLE.items():
            for number in numbers:
                threads = [[(name, mm, 1) for name in calls.split(", ")] for mm in range(number)]
                explored = weaver.explore(0, bundled.scenario(*threads), Effort(memory))
                assert explored.end == ALL
                said.setdefault(calls, {})[number] = [explored.executions, explored.blocked]
        return said

    said = bundled.run(task)
    assert said == {
        calls: {str(number): [executions, 0] for number, executions in numbers.items()}
        for calls, numbers in TABLE.items()
    }


# ---- Memory models: an outcome that sequential consistency does not have is one that no order explains. ----

W0, W1, R0, R1 = [i(WRITE_ONCE, 0)], [i(WRITE_ONCE, 1)], [i(READ_ONCE, 0)], [i(READ_ONCE, 1)]
FULL, STORES = [i(MB)], [i(WMB)]
LITMUS: dict[str, tuple[list[list[list[Instruction]]], set[str]]] = {
    "SB": ([[W0, R1], [W1, R0]], {"tso", "relaxed"}),
    "SB, smp_mb": ([[W0 + FULL, R1], [W1 + FULL, R0]], set()),
    "SB, one smp_mb": ([[W0 + FULL, R1], [W1, R0]], {"tso", "relaxed"}),
    "SB, smp_wmb": ([[W0 + STORES, R1], [W1 + STORES, R0]], {"tso", "relaxed"}),
    "SB, full read-modify-write": ([[[*W0, i(XCHG, 2)], R1], [[*W1, i(XCHG, 3)], R0]], set()),
    "SB, relaxed read-modify-write": ([[[*W0, i(ADD_RELAXED, 2)], R1], [[*W1, i(ADD_RELAXED, 3)], R0]],
                                      {"relaxed"}),
    "SB, release": ([[[i(RELEASE, 0)], R1], [[i(RELEASE, 1)], R0]], {"tso", "relaxed"}),
    "MP": ([[W0, W1], [R1, R0]], {"relaxed"}),
    "MP, smp_wmb": ([[W0 + STORES, W1], [R1, R0]], set()),
    "MP, smp_mb": ([[W0 + FULL, W1], [R1, R0]], set()),
    "MP, release": ([[W0, [i(RELEASE, 1)]], [R1, R0]], set()),
    "MP, relaxed read-modify-write": ([[W0, [i(ADD_RELAXED, 1)]], [R1, R0]], {"relaxed"}),
    "MP, smp_wmb and relaxed read-modify-write": ([[W0 + STORES, [i(ADD_RELAXED, 1)]], [R1, R0]], set()),
    "MP, full read-modify-write": ([[W0, [i(XCHG, 1)]], [R1, R0]], set()),
    "MP by plain stores": ([[[i(WRITE, 0)], [i(WRITE, 1)]], [R1, R0]], {"relaxed"}),
    "2+2W": ([[W0, [i(WRITE_ONCE, 1, 1)]], [W1, [i(WRITE_ONCE, 0, 1)]]], {"relaxed"}),
    "2+2W, smp_wmb": ([[W0 + STORES, [i(WRITE_ONCE, 1, 1)]], [W1 + STORES, [i(WRITE_ONCE, 0, 1)]]], set()),
    "S": ([[[i(WRITE_ONCE, 0, 1)], W1], [R1, W0]], {"relaxed"}),
    "R": ([[W0, W1], [[i(WRITE_ONCE, 1, 1)], R0]], {"tso", "relaxed"}),
    "LB": ([[R0, W1], [R1, W0]], set()),
    "CoRR": ([[W0], [R0, R0]], set()),
    "CoWW": ([[W0, [i(WRITE_ONCE, 0, 1)]], [R0, R0]], set()),
    "CoWR": ([[W0, R0], [[i(WRITE_ONCE, 0, 1)], R0]], set()),
    "IRIW": ([[W0], [W1], [R0, R1], [R1, R0]], set()),
    "WRC": ([[W0], [R0, W1], [R1, R0]], set()),
}  # fmt: skip


def test_litmus_tests_have_the_outcomes_that_delayed_stores_make(runs: Rig) -> None:
    def task(weaver: Weaver) -> dict[str, list[str]]:
        said = {}
        for name, (threads, _) in LITMUS.items():
            scenario = runs.scenario(*[list(map(programs.packed, thread)) for thread in threads])
            said[name] = []
            for memory in MEMORIES:
                weaver.forget()
                explored = weaver.explore(0, scenario, Effort(memory))
                assert (explored.end, explored.blocked) == (ALL, 0), name
                said[name] += [memory] if RESULT in kinds_of(weaver) else []
        return said

    said = {name: set(memories) for name, memories in runs.run(task).items()}
    assert said == {name: memories for name, (_, memories) in LITMUS.items()}


# ---- Small functions, each two or three threads of which one calls each. ----


@dataclass(frozen=True)
class Case:
    """What threads do, as C over `t`; `told`: what must be found, and nothing else of `of`."""

    threads: tuple[str, ...]
    told: frozenset[int] = frozenset()
    most: int = 20_000  # executions
    more: dict[str, Any] = field(default_factory=dict)


def case(*threads: str, told: int | None = None, **more: Any) -> Case:
    most = more.pop("most", 20_000)
    return Case(threads, frozenset() if told is None else frozenset([told]), most, more)


LOCK, UNLOCK = "spin_lock(&t->lock);", "spin_unlock(&t->lock);"
OTHER_LOCK, OTHER_UNLOCK = "spin_lock(&t->other);", "spin_unlock(&t->other);"
X, GOT_X = "t->x = 1;", " got = t->x;"
FAILS = "cmpxchg(&t->y, 5, 6);"
BY_HAND = "while (xchg_acquire(&t->y, 1)) cpu_relax();"
RACES = {
    "plain store, plain read": case(X, GOT_X, told=RACE),
    "plain store, marked read": case(X, "got = READ_ONCE(t->x);", told=RACE),
    "marked store, plain read": case("WRITE_ONCE(t->x, 1);", GOT_X, told=RACE),
    "marked store, marked read": case("WRITE_ONCE(t->x, 1);", "got = READ_ONCE(t->x);"),
    "two plain reads": case(GOT_X, GOT_X),
    "atomic, plain read": case("atomic_inc(&t->a);", "got = t->a.counter;", told=RACE),
    "atomic, atomic": case("atomic_inc(&t->a);", "got = atomic_read(&t->a);"),
    "bits of a word": case("set_bit(1, &t->bits);", "__set_bit(2, &t->bits);", told=RACE),
    "the same lock": case(LOCK + X + UNLOCK, LOCK + GOT_X + UNLOCK),
    "another lock": case(LOCK + X + UNLOCK, OTHER_LOCK + GOT_X + OTHER_UNLOCK, told=RACE),
    "a lock on one side": case(LOCK + X + UNLOCK, GOT_X, told=RACE),
    "a bit lock": case(*["bit_spin_lock(3, &t->bits); got = t->x++; bit_spin_unlock(3, &t->bits);"] * 2),
    "a bit lock that is let go without atomic": case(
        *["bit_spin_lock(3, &t->bits); got = t->x++; __bit_spin_unlock(3, &t->bits);"] * 2
    ),
    "a mutex": case(*["mutex_lock(&t->mutex); got = t->x++; mutex_unlock(&t->mutex);"] * 2),
    "reader and writer": case(
        "down_write(&t->sem); t->x = 1; up_write(&t->sem);",
        "down_read(&t->sem); got = t->x; up_read(&t->sem);",
    ),
    "writing reader": case(*["down_read(&t->sem); t->x = 1; up_read(&t->sem);"] * 2, told=RACE),
    "release, acquire": case(X + "smp_store_release(&t->y, 1);", "if (smp_load_acquire(&t->y))" + GOT_X),
    "marked, acquire": case(X + "WRITE_ONCE(t->y, 1);", "if (smp_load_acquire(&t->y))" + GOT_X, told=RACE),
    "release, marked": case(X + "smp_store_release(&t->y, 1);", "if (READ_ONCE(t->y))" + GOT_X, told=RACE),
    "a release that was not met": case(
        X + "smp_store_release(&t->y, 1);", "smp_load_acquire(&t->y);" + GOT_X, told=RACE
    ),
    "a pair of fences": case(
        X + "smp_wmb(); WRITE_ONCE(t->y, 1);", "if (READ_ONCE(t->y)) { smp_rmb();" + GOT_X + "}"
    ),
    "smp_wmb alone": case(X + "smp_wmb(); WRITE_ONCE(t->y, 1);", "if (READ_ONCE(t->y))" + GOT_X, told=RACE),
    "smp_rmb alone": case(
        X + "WRITE_ONCE(t->y, 1);", "if (READ_ONCE(t->y)) { smp_rmb();" + GOT_X + "}", told=RACE
    ),
    "a pair of smp_mb": case(
        X + "smp_mb(); WRITE_ONCE(t->y, 1);", "if (READ_ONCE(t->y)) { smp_mb();" + GOT_X + "}"
    ),
    "cmpxchg that fails, before a store": case(
        X + FAILS + "WRITE_ONCE(t->z, 1);", "if (smp_load_acquire(&t->z))" + GOT_X, told=RACE
    ),
    "cmpxchg that does not": case(
        X + "cmpxchg(&t->y, 0, 6); WRITE_ONCE(t->z, 1);", "if (smp_load_acquire(&t->z))" + GOT_X
    ),
    "cmpxchg that fails, as what meets a release": case(
        X + "smp_store_release(&t->y, 1);", "if (cmpxchg(&t->y, 5, 6) == 1)" + GOT_X, told=RACE
    ),
    "cmpxchg that meets a release": case(
        X + "smp_store_release(&t->y, 1);", "if (cmpxchg(&t->y, 1, 6) == 1)" + GOT_X
    ),
    "a try of a bit lock that fails": case(
        X + "test_and_set_bit(1, &t->bits);", "if (test_and_set_bit_lock(1, &t->bits))" + GOT_X, told=RACE
    ),
    "a bit that was set": case(
        X + "test_and_set_bit(1, &t->bits);", "if (test_and_set_bit(1, &t->bits))" + GOT_X
    ),
    "a try of a lock that fails": case(
        X + "if (spin_trylock(&t->lock)) spin_unlock(&t->lock);",
        "if (spin_trylock(&t->lock)) spin_unlock(&t->lock); else" + GOT_X,
        told=RACE,
    ),
    "relaxed read-modify-writes": case(
        X + "atomic_fetch_add_relaxed(1, &t->a);",
        "if (atomic_fetch_add_relaxed(1, &t->a))" + GOT_X,
        told=RACE,
    ),
    "full read-modify-writes": case(
        X + "atomic_fetch_add(1, &t->a);", "if (atomic_fetch_add(1, &t->a))" + GOT_X
    ),
    "read-modify-writes without a value": case(
        X + "atomic_inc(&t->a);", "if (atomic_read_acquire(&t->a))" + GOT_X, told=RACE
    ),
    "a release that others counted on": case(
        X + "atomic_set_release(&t->a, 1);",
        "atomic_inc(&t->a);",
        "if (atomic_read_acquire(&t->a) == 2)" + GOT_X,
    ),
    "data_race": case(X, "got = data_race(t->x);"),
    "data_race of another access": case(X, "got = data_race(t->y) + t->x;", told=RACE),
    "a published pointer": case(
        X + "rcu_assign_pointer(t->p, &t->x);", "int *p = rcu_dereference(t->p); if (p) got = *p;"
    ),
    "a pointer that was only looked at": case(
        X + "rcu_assign_pointer(t->p, &t->x);",
        "int *p = rcu_access_pointer(t->p); if (p) got = *p;",
        told=RACE,
    ),
    "an ID allocator": case(*["got = ida_alloc(&t->ida, GFP_KERNEL);"] * 2),
    "a value that stays": case("t->x = 0;", GOT_X, told=RACE),
    "what an acquire met, read again": case(
        "WRITE_ONCE(t->z, 1);", "if (smp_load_acquire(&t->z)) got = t->z;"
    ),
    "what a marked read met, read again": case(
        "WRITE_ONCE(t->z, 1);", "if (READ_ONCE(t->z)) got = t->z;", told=RACE
    ),
    "more than an acquire met": case(
        X + "WRITE_ONCE(t->z, 1);", "if (smp_load_acquire(&t->z))" + GOT_X, told=RACE
    ),
}
WAITING = {
    "a lock taken twice": case(LOCK + LOCK + UNLOCK, "got = 1;", told=DEADLOCK),
    "a lock that is not let go": case(LOCK + X, "WRITE_ONCE(t->y, 1);", told=HELD),
    "a lock that another waits for in vain": case(LOCK + X, LOCK + X + UNLOCK, told=HELD),
    "the lock of another": case(
        "if (spin_trylock(&t->lock)) { WRITE_ONCE(t->y, 1);"
        "if (spin_is_locked(&t->lock)) spin_unlock(&t->lock); }",
        "if (READ_ONCE(t->y) && spin_is_locked(&t->lock)) spin_unlock(&t->lock);",
        told=NOT_HELD,
    ),
    "opposite orders": case(
        LOCK + OTHER_LOCK + OTHER_UNLOCK + UNLOCK,
        OTHER_LOCK + LOCK + UNLOCK + OTHER_UNLOCK,
        told=DEADLOCK,
        most=3,
    ),
    "opposite orders, the other first": case(
        OTHER_LOCK + LOCK + UNLOCK + OTHER_UNLOCK,
        LOCK + OTHER_LOCK + OTHER_UNLOCK + UNLOCK,
        told=DEADLOCK,
        most=3,
    ),
    "a ring of three": case(
        *[
            f"spin_lock(&t->ring[{n}]); spin_lock(&t->ring[{(n + 1) % 3}]);"
            f"spin_unlock(&t->ring[{(n + 1) % 3}]); spin_unlock(&t->ring[{n}]);"
            for n in range(3)
        ],
        told=DEADLOCK,
    ),
    "a try does not wait": case(
        LOCK + "if (spin_trylock(&t->other)) spin_unlock(&t->other);" + UNLOCK,
        OTHER_LOCK + "if (spin_trylock(&t->lock)) spin_unlock(&t->lock);" + OTHER_UNLOCK,
    ),
    "semaphores": case(
        "down_write(&t->sem); t->x = 1; up_write(&t->sem);",
        *["down_read(&t->sem); got = t->x; up_read(&t->sem);"] * 2,
    ),
    "a loop with a pause": case("while (!READ_ONCE(t->y)) cpu_relax();", "WRITE_ONCE(t->y, 1);", most=2),
    "a loop without": case("while (!READ_ONCE(t->y)) ;", "WRITE_ONCE(t->y, 1);", most=9),
    "a loop without, after a store": case(
        "WRITE_ONCE(t->z, 1); while (!READ_ONCE(t->y)) ;", "WRITE_ONCE(t->y, 1);", most=9
    ),
    "a loop over two places": case(
        "while (!READ_ONCE(t->y) && !READ_ONCE(t->z)) cpu_relax();",
        "WRITE_ONCE(t->y, 1);",
        "WRITE_ONCE(t->z, 1);",
        most=40,
    ),
    "a loop that the kernel has": case("smp_cond_load_acquire(&t->y, VAL);", "WRITE_ONCE(t->y, 1);", most=2),
    "a loop that needs two stores": case(
        "while (READ_ONCE(t->y) != 2) cpu_relax();", "WRITE_ONCE(t->y, 1); WRITE_ONCE(t->y, 2);", most=6
    ),
    "a lock by hand": case(
        *["while (xchg(&t->y, 1)) cpu_relax(); got = t->x++; smp_store_release(&t->y, 0);"] * 2, most=20
    ),
    "a loop that nobody ends": case(
        "while (!READ_ONCE(t->y)) cpu_relax();", "WRITE_ONCE(t->z, 1);", told=SPINS
    ),
    "a loop that ends in one order alone": case(
        "WRITE_ONCE(t->y, 1); while (READ_ONCE(t->y)) cpu_relax();", "WRITE_ONCE(t->y, 0);", told=SPINS
    ),
    "a loop that gives up": case(
        "for (int n = 0; n < 20 && !READ_ONCE(t->y); n++) cpu_relax();", "WRITE_ONCE(t->z, 1);"
    ),
    "two that wait for each other": case(
        "while (!READ_ONCE(t->y)) cpu_relax(); WRITE_ONCE(t->z, 1);",
        "while (!READ_ONCE(t->z)) cpu_relax(); WRITE_ONCE(t->y, 1);",
        told=SPINS,
    ),
    "two that meet": case(
        "WRITE_ONCE(t->y, 1); while (!READ_ONCE(t->z)) cpu_relax();",
        "WRITE_ONCE(t->z, 1); while (!READ_ONCE(t->y)) cpu_relax();",
    ),
    "IDs": case(
        "got = ida_alloc(&t->ida, GFP_KERNEL); ida_free(&t->ida, got);",
        "got = ida_alloc(&t->ida, GFP_KERNEL);",
    ),
}
CRASHING = {
    "a pointer that another clears": case(
        "if (READ_ONCE(t->q)) got = *READ_ONCE(t->q);", "WRITE_ONCE(t->q, NULL);", told=CRASHED
    ),
    "a store by it": case(
        "if (READ_ONCE(t->q)) *READ_ONCE(t->q) = 1;", "WRITE_ONCE(t->q, NULL);", told=CRASHED
    ),
    "a trap": case(
        "if (READ_ONCE(t->y) != READ_ONCE(t->y)) __builtin_trap();", "WRITE_ONCE(t->y, 1);", told=CRASHED
    ),
    "a loop without end": case(
        "if (READ_ONCE(t->y) != READ_ONCE(t->y)) for (;;) ;", "WRITE_ONCE(t->y, 1);", told=CRASHED
    ),
    "the end of the stack": case(
        "if (READ_ONCE(t->y) != READ_ONCE(t->y)) got = toy_deep(1000);", "WRITE_ONCE(t->y, 1);", told=CRASHED
    ),
    "what another does before it": case(
        "if (READ_ONCE(t->q)) got = *READ_ONCE(t->q);",
        "got = READ_ONCE(t->z); WRITE_ONCE(t->q, NULL);",
        "WRITE_ONCE(t->z, 1);",
        told=CRASHED,
    ),
}
HOSTILE = {
    "many words": case(
        "for (int n = 0; n < 200; n++) WRITE_ONCE(t->many[n], 1);", "WRITE_ONCE(t->many[7], 2);"
    ),
    "many stores": case("for (int n = 0; n < 200; n++) WRITE_ONCE(t->y, n);", "got = READ_ONCE(t->y);"),
    "a poll that gives up": case(
        "for (int n = 0; n < 50; n++) { if (READ_ONCE(t->y)) { got = 1; break; } cpu_relax(); }",
        "WRITE_ONCE(t->y, 1);",
    ),
    "many steps": case("for (int n = 0; n < 100000; n++) atomic_inc(&t->a);", "atomic_inc(&t->a);"),
}
OUTCOMES = {
    "unlocked by a plain store": case(
        f"{BY_HAND} t->x = 1; t->z = 1; WRITE_ONCE(t->y, 0);",
        f"{BY_HAND} got = t->x * 2 + t->z; smp_store_release(&t->y, 0);",
    ),
    "unlocked": case(
        f"{BY_HAND} t->x = 1; t->z = 1; smp_store_release(&t->y, 0);",
        f"{BY_HAND} got = t->x * 2 + t->z; smp_store_release(&t->y, 0);",
    ),
    "lost update": case("t->x = t->x + 1;", "t->x = t->x + 1;"),
    "read whole": case("t->x = 1; t->y = 1;", "got = READ_ONCE(t->x) * 2 + READ_ONCE(t->y);"),
}
ALL_CASES = {**RACES, **WAITING, **CRASHING, **HOSTILE, **OUTCOMES}
CASES_HEAD = """
#include <asm/processor.h>
#include <linux/atomic.h>
#include <linux/bit_spinlock.h>
#include <linux/idr.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

struct toy {
	int x, y, z;
	int *p, *q;
	atomic_t a;
	unsigned long bits;
	spinlock_t lock, other, ring[3];
	struct mutex mutex;
	struct rw_semaphore sem;
	struct ida ida;
	long *many;
};

static inline void toy_start(struct toy *t, long *many)
{
	t->q = &t->x;
	t->many = many;
}

static int toy_deep(int n)
{
	volatile char frame[1024];

	frame[n] = n;
	return n ? toy_deep(n - 1) + frame[n] : 0;
}
"""
WORDS = list(dict.fromkeys(words for each in ALL_CASES.values() for words in each.threads))
CASE = """
static inline int toy_{number}(struct toy *t)
{{
	int got = 0;

	{words}
	return got;
}}
"""


def cases_toy() -> Toy:
    """Each thread of each case as a function; threads of the same words share one."""
    functions = [CASE.format(number=number, words=words) for number, words in enumerate(WORDS)]
    switch = "".join(f"	case {number}:\n		return toy_{number}(t);\n" for number in range(len(WORDS)))
    code = "".join([CASES_HEAD, *functions, "\nstatic inline int toy_do(struct toy *t, int number)\n{\n",
                    "	switch (number) {\n", switch, "	}\n	return 0;\n}\n"])  # fmt: skip
    return Toy(
        code,
        "struct toy t; long many[200];",
        {"x": "w->t.x"},
        {"do(number)": "toy_do(&w->t, number)"},
        "toy_start(&w->t, w->many);",
    )


@pytest.fixture(scope="module")
def cases() -> Iterator[Rig]:
    rig = Rig(cases_toy())
    yield rig
    rig.close()


def explored_each(
    rig: Rig, group: dict[str, Case], effort: Effort, said: Callable[[Weaver, Explored], Any]
) -> dict[str, Any]:
    """What `said` says of each case, explored."""

    def task(weaver: Weaver) -> dict[str, Any]:
        made = {}
        for name, each in group.items():
            weaver.forget()
            scenario = rig.scenario(*[[("do", WORDS.index(thread))] for thread in each.threads])
            made[name] = said(weaver, weaver.explore(0, scenario, effort))
        return made

    return rig.run(task)


def test_data_races_are_those_of_the_kernels_memory_model(cases: Rig) -> None:
    said = explored_each(cases, RACES, Effort(), lambda weaver, done: (done.end, RACE in kinds_of(weaver)))
    assert {name: tuple(each) for name, each in said.items()} == {
        name: (ALL, RACE in each.told) for name, each in RACES.items()
    }


def test_a_race_in_which_nothing_changes_is_told_as_that(cases: Rig) -> None:
    said = explored_each(
        cases, {name: RACES[name] for name in ("a value that stays", "plain store, plain read")}, Effort(),
        lambda weaver, done: [found.changed for found in weaver.found() if found.kind == RACE],
    )  # fmt: skip
    assert said == {"a value that stays": [False], "plain store, plain read": [True]}


ENDS = {DEADLOCK, HELD, NOT_HELD, CRASHED, SPINS}


@pytest.mark.parametrize("memory", MEMORIES)
def test_what_waits_is_run_when_it_can_go_on(memory: Memory, cases: Rig) -> None:
    said = explored_each(
        cases, WAITING, Effort(memory),
        lambda weaver, done: (done.end, done.blocked, sorted(kinds_of(weaver) & ENDS), done.executions),
    )  # fmt: skip
    # Of a lock that another let go it may be told as well that it was not let go.
    said["the lock of another"][2] = [kind for kind in said["the lock of another"][2] if kind != HELD]
    assert {name: tuple(each[:3]) for name, each in said.items()} == {
        name: (ALL, 0, sorted(each.told)) for name, each in WAITING.items()
    }
    assert {name: each[3] for name, each in said.items() if each[3] > WAITING[name].most} == {}


@pytest.mark.parametrize("memory", MEMORIES)
def test_what_crashes_is_one_thread_of_one_execution(memory: Memory, cases: Rig) -> None:
    """The others go on, and so does the search: what does not crash is met as well."""
    said = explored_each(
        cases, CRASHING, Effort(memory, outcomes=True),
        lambda weaver, done: (done.end, done.blocked, sorted(kinds_of(weaver) & ENDS), done.outcomes > 1),
    )  # fmt: skip
    assert {name: tuple(each) for name, each in said.items()} == dict.fromkeys(
        CRASHING, (ALL, 0, [CRASHED], True)
    )


@pytest.mark.parametrize("memory", MEMORIES)
def test_what_is_too_much_is_cut_and_nothing_is_told(memory: Memory, cases: Rig) -> None:
    said = explored_each(
        cases, HOSTILE, Effort(memory), lambda weaver, done: (done.end, sorted(kinds_of(weaver) & ENDS))
    )
    few = {"many stores"} if memory == "sc" else set()  # they wait in no buffer
    assert {name: tuple(each) for name, each in said.items()} == {
        name: (ALL if name in few else CUT, []) for name in HOSTILE
    }


def test_limits_are_honoured(cases: Rig) -> None:
    three = {"three": case(*HOSTILE["many stores"].threads[:1] * 3)}
    for effort in (Effort(executions=10), Effort(seconds=0.3), Effort(reduce=False, executions=10)):
        done = explored_each(
            cases, three, effort, lambda weaver, done: (done.end, done.executions, done.seconds)
        )
        end, executions, seconds = done["three"]
        assert end == CUT and (executions == 10 or seconds < 3)


def test_outcomes_that_no_order_explains(cases: Rig) -> None:
    said = {
        memory: explored_each(
            cases, OUTCOMES, Effort(memory), lambda weaver, done: RESULT in kinds_of(weaver)
        )
        for memory in MEMORIES
    }
    shown = {name: {memory for memory in MEMORIES if said[memory][name]} for name in OUTCOMES}
    assert shown == {
        "unlocked by a plain store": {"relaxed"},
        "unlocked": set(),
        "lost update": set(MEMORIES),
        "read whole": set(MEMORIES),
    }


def test_what_was_found_is_shown_again_and_with_few_switches(cases: Rig) -> None:
    """The schedule of each finding, and the shortest one, each show it where nothing else was run before."""
    told = {name: each for name, each in ALL_CASES.items() if each.told or name in ("IDs", "lost update")}

    def task(weaver: Weaver) -> list[str]:
        said = []
        for name, each in told.items():
            scenario = cases.scenario(*[[("do", WORDS.index(thread))] for thread in each.threads])
            for memory in MEMORIES:
                weaver.forget()
                weaver.explore(0, scenario, Effort(memory))
                found = list(weaver.found())
                shorter = [weaver.shorten(number, scenario, Effort(memory)) for number in range(len(found))]
                orders = [
                    (one.key, order.order)
                    for one, order in zip(found * 2, [*found, *weaver.found()], strict=True)
                ]
                said += [f"{name}, {memory}: not shortened"] if not all(shorter) else []
                for key, order in orders:
                    shown = weaver.show(scenario, order, memory)
                    if not shown or key not in {one.key for one in weaver.found()}:
                        said.append(f"{name}, {memory}: not shown by {order}")
        return said

    assert cases.run(task) == []
