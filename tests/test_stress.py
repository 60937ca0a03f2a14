# SPDX-License-Identifier: GPL-2.0-only
"""Operations on real threads: what they come to, what libtsan says of them, and what they cannot reach.

Which outcomes and schedules come up is luck. What is asserted holds whatever comes up; and where something
must come up, it is what no schedule avoids.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from extractor.mail import read_mails
from extractor.patch import parse_patch
from extractor.slice import Slice
from harness.build import BELOW, LINK, NATIVE, compiler, native_object
from harness.driver import Call
from harness.errors import HarnessError
from harness.interleave import stress as module
from harness.interleave.scenario import READS, Scenario
from harness.interleave.stress import (
    STRESSED,
    Access,
    Stop,
    Stressed,
    finish,
    packed,
    run_caged,
    stress,
    stress_program,
)
from harness.loading import contract_path, load
from harness.stage import revision_of
from harness.subjects import fitted, slice_of
from kernel_snippets import INCLUDE
from tests.mails import V1
from tests.planted import DEFECTS, plant
from tests.test_toys import DEFAULTS, HEAD, REST, toy_diff

SECONDS = 0.3
LOCK = """+	VM_WARN_ON_ONCE(diff <= 0 || mm_id < MM_ID_MIN || mm_id > MM_ID_MAX);
+
+	folio_lock_large_mapcount_data(folio);
+	/*
"""
UNLOCK = """+		folio_clear_large_mapped_exclusively(folio);
+	}
+	folio_unlock_large_mapcount_data(folio);
"""
NO_LOCK = ((LOCK, LOCK.replace("+	folio_lock_large_mapcount_data(folio);\n", "")),
           (UNLOCK, UNLOCK.replace("+	folio_unlock_large_mapcount_data(folio);\n", "")))  # fmt: skip


class Bench:
    """A patch under a contract, and its calls by name."""

    def __init__(self, text: str, contract: Path, folder: Path) -> None:
        mail = folder / "mail.txt"
        mail.write_text(text)
        revision = revision_of([parse_patch(read_mails([str(mail)])[0])])
        self.loaded, reason = fitted(load(contract, {}), revision.items, {})
        assert not reason, reason
        self.piece: Slice = slice_of(self.loaded, revision.items)
        self.folder = folder

    def call(self, name: str, *args: int) -> Call:
        names = [op.name for op in self.loaded.contract.operations]
        return Call(names.index(name), args)

    def read(self, observation: str) -> Call:
        return Call(READS - list(self.loaded.contract.observe).index(observation), ())

    def run(self, *scenarios: Scenario, seconds: float = SECONDS) -> Stressed:
        options = dict(self.loaded.options)
        return stress(self.loaded, self.piece, options, scenarios, seconds, 1, self.folder)


def owners(folder: Path, text: str = V1) -> Bench:
    return Bench(text, contract_path("mm-owner-tracking"), folder)


def toy(folder: Path, inc: str) -> Bench:
    path = folder / "toy.py"
    path.write_text(HEAD + DEFAULTS + REST)
    code = f"#include <linux/atomic.h>\n\nstatic inline void toy_inc(int *a)\n{{\n{inc}}}\n"
    return Bench(toy_diff(code), path, folder)


def orders(scenario: Scenario) -> Iterator[tuple[Scenario, tuple[int, ...]]]:
    """The same calls in one thread, in each order; and which thread's each is."""
    whose = [t for t, calls in enumerate(scenario.threads) for _ in calls]
    for order in sorted(set(itertools.permutations(whose))):
        rest = [iter(calls) for calls in scenario.threads]
        yield Scenario(scenario.start, (tuple(next(rest[t]) for t in order),)), order


def by_thread(values: Sequence[int], order: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(v for v, t in zip(values, order, strict=True) if t == thread)
                 for thread in sorted(set(order)))  # fmt: skip


def in_function(side: Access | Stop, piece: Slice, name: str) -> bool:
    item = next(item for item in piece.items if item.name == name and item.origin == "added")
    return any(
        file == item.file and item.lines[0].number <= line <= item.lines[-1].number
        for file, line in side.calls
    )


def test_locked_calls_come_to_what_some_order_of_them_does(tmp_path: Path) -> None:
    under = owners(tmp_path)
    add0, add1, sub0 = under.call("add", 0, 1), under.call("add", 1, 1), under.call("sub", 0, 1)
    scenarios = [
        Scenario((), ((add0,), (add1,))),
        Scenario((add0,), ((add1,), (sub0,))),
        Scenario((add0,), ((add1, under.call("sub", 1, 1)), (sub0, add0))),
    ]
    alone = [(number, *each) for number, scenario in enumerate(scenarios) for each in orders(scenario)]
    found = under.run(*scenarios, *(one for _, one, _ in alone), seconds=1)
    assert (found.stops, found.hung, found.lost, found.fences) == ((), -1, 0, False)
    expected: list[set[object]] = [set() for _ in scenarios]
    for (number, _, order), outcomes in zip(alone, found.outcomes[len(scenarios) :], strict=True):
        (only,) = outcomes  # one thread does the same each time
        returns, warned = by_thread(only.returns[0], order), by_thread(only.warned[0], order)
        expected[number].add((returns, warned, only.observations))
    for wanted, outcomes in zip(expected, found.outcomes, strict=False):
        assert {(o.returns, o.warned, o.observations) for o in outcomes} <= wanted
        assert outcomes and all(outcome.count > 0 for outcome in outcomes)
    assert found.rounds == sum(outcome.count for outcomes in found.outcomes for outcome in outcomes)
    assert (found.threads, found.seed) == (2, 1)
    # The lock is a bit of the word that it protects: who waits for it races with who has it.
    assert {race.place for race in found.races} <= {"folio._mm_ids"}
    assert all(race.marked for race in found.races)


def test_a_reader_without_the_lock_is_a_marked_race_beside_plain_writes(tmp_path: Path) -> None:
    """test_bit() is a volatile access, which plain libtsan would not tell from any other."""
    under = owners(tmp_path)
    scenario = Scenario((under.call("set", 0, 1),), ((under.call("add", 1, 1),), (under.read("exclusive"),)))
    found = under.run(scenario)
    reads = [race for race in found.races if not (race.first.write and race.second.write)]
    assert reads and all(race.marked and race.place == "folio._mm_ids" for race in found.races)
    assert any(
        side.atomic and in_function(side, under.piece, "folio_test_large_mapped_exclusively")
        for race in reads
        for side in (race.first, race.second)
    )
    for outcome in found.outcomes[0]:
        assert outcome.returns[1] in ((0,), (1,)) and outcome.warned == ((False,), (False,))


def test_a_lock_that_is_not_taken_is_a_race(tmp_path: Path) -> None:
    under = owners(tmp_path, plant(*NO_LOCK))
    found = under.run(Scenario((), ((under.call("add", 0, 1),), (under.call("add", 1, 1),))))
    plain = [race for race in found.races if not race.first.atomic and not race.second.atomic]
    assert plain
    for race in plain:
        for side in (race.first, race.second):
            assert in_function(side, under.piece, "folio_add_large_mapcount"), side
    assert {race.place for race in plain} <= {
        "folio._mm_ids", "folio._mm0_mapcount", "folio._mm1_mapcount"}  # fmt: skip


def test_what_does_not_end_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    under = owners(tmp_path, plant(DEFECTS["missing unlock"]))
    add0, add1, sub0 = under.call("add", 0, 1), under.call("add", 1, 1), under.call("sub", 0, 1)
    found = under.run(
        Scenario((), ((add0,), (add1,))),
        Scenario((add0, add0), ((sub0,), (sub0,))),
        Scenario((add0, add1), ((add0,), (add1,))),
    )
    assert [(stop.scenario, stop.why) for stop in found.stops] == [(1, "hang")]
    assert found.hung == 1 and not found.outcomes[1] and found.outcomes[0] and found.outcomes[2]


def test_a_loop_without_a_lock_hangs_as_well(tmp_path: Path) -> None:
    under = owners(tmp_path, plant(DEFECTS["endless loop"]))
    set0, add1, sub0 = under.call("set", 0, 1), under.call("add", 1, 1), under.call("sub", 0, 1)
    found = under.run(Scenario((set0, add1), ((sub0,), (add1,))))
    assert [(stop.scenario, stop.why) for stop in found.stops] == [(0, "hang")]


def test_a_crash_is_told_with_its_line(tmp_path: Path) -> None:
    under = owners(tmp_path, plant(DEFECTS["null dereference"]))
    set0, add1, sub0 = under.call("set", 0, 1), under.call("add", 1, 1), under.call("sub", 0, 1)
    found = under.run(Scenario((set0, add1), ((sub0,), (add1,))), Scenario((), ((set0,), (add1,))))
    (stop,) = found.stops
    assert in_function(stop, under.piece, "folio_sub_large_mapcount")
    assert (stop.scenario, stop.why, stop.signal) == (0, "crash", signal.SIGSEGV)


TOYS = {
    "plain": ("	*a += 1;\n", {False}, False),
    "marked": ("	WRITE_ONCE(*a, READ_ONCE(*a) + 1);\n", set(), False),
    "marked reads": ("	*a = READ_ONCE(*a) + 1;\n", {False, True}, False),
    "not looked at": ("	WRITE_ONCE(*a, data_race(*a) + 1);\n", set(), False),
    "a fence": ("	WRITE_ONCE(*a, READ_ONCE(*a) + 1);\n	smp_mb();\n", set(), True),
}


@pytest.mark.parametrize("name", TOYS)
def test_what_counts_as_a_race(name: str, tmp_path: Path) -> None:
    inc, marked, fences = TOYS[name]
    under = toy(tmp_path, inc)
    inc_a = under.call("inc")
    found = under.run(Scenario((), ((inc_a,), (inc_a,))), seconds=0.1)
    assert {race.marked for race in found.races} <= marked
    assert bool(found.races) == bool(marked) and found.fences == fences
    assert {race.place for race in found.races} <= {"a"}
    assert {outcome.observations for outcome in found.outcomes[0]} <= {(1, 0), (2, 0)}


def test_a_lock_that_a_shim_leaves_out_is_one_on_threads(tmp_path: Path) -> None:
    under = Bench(V1, contract_path("mm-ids"), tmp_path)
    alloc = [(under.call("mm_alloc_id", mm, 0),) for mm in range(3)]
    names = list(under.loaded.contract.observe)
    found = under.run(Scenario((), tuple(alloc)), Scenario(alloc[0], tuple(alloc[1:])))
    for outcomes in found.outcomes:
        for outcome in outcomes:
            ids = dict(zip(names, outcome.observations, strict=True))
            assert sorted((ids["id0"], ids["id1"], ids["id2"])) == [1, 2, 3] and ids["ids"] == 3
    assert "mm_ida" not in {race.place for race in found.races}


def test_without_libtsan_that_is_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIBRARY", "tsan_that_nobody_has")
    with pytest.raises(HarnessError, match=r"gcc's libtsan is not installed; install the package libtsan2"):
        finish(stress_program(tmp_path))
    assert not list(tmp_path.iterdir())


# A subject that no patch could be: with system calls, in each place where a patch's code runs.
HOSTILE = r"""
#define KC_RECORD_DEFINE
#include "stress.h"
#include "threads.h"
enum { PLACES = 3, TRIES = 8 };
static long said[PLACES][TRIES];
static struct kc_stress table;
static long sys(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall" : "=a"(result)
		: "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return result;
}
static void try(int place, const char *path)
{
	long *said_ = said[place];

	said_[0] = sys(257, -100, (long)path, 0101, 0600, 0, 0);	/* openat, to write */
	said_[1] = sys(41, 2, 1, 0, 0, 0, 0);		/* socket */
	said_[2] = sys(57, 0, 0, 0, 0, 0, 0);		/* fork */
	said_[3] = sys(62, sys(110, 0, 0, 0, 0, 0, 0), 0, 0, 0, 0, 0);	/* kill, getppid */
	said_[4] = sys(59, (long)path, 0, 0, 0, 0, 0);	/* execve */
	/* The library is loaded before the last cage is closed: it is not before that in a thread's call. */
	said_[5] = place ? sys(257, -100, (long)path, 0, 0, 0, 0) : -1;	/* openat, to read */
	said_[6] = place ? sys(9, 0, 4096, 7, 0x22, -1, 0) : -1;	/* mmap, to run */
	said_[7] = place ? sys(10, (long)&said / 4096 * 4096, 4096, 5, 0, 0, 0) : -1;	/* mprotect, to run */
}
#define PATH "%s"
__attribute__((constructor)) static void begin(void) { try(0, PATH); }
static void init(void) { try(1, PATH); }
static kc_i64 apply(int op, const kc_i64 *args) { (void)op; (void)args; return 0; }
static kc_i64 call(int op, const kc_i64 *args) { (void)op; (void)args; try(2, PATH); return 0; }
static void observe(kc_i64 *state)
{
	for (int i = 0; i < PLACES * TRIES; i++)
		state[i] = said[i / TRIES][i %% TRIES];
}
static kc_i64 read(int observation) { return observation; }
static void nothing(void) { }
static long world;
__attribute__((visibility("default"))) struct kc_stress *kc_stress_entry(void) { return &table; }
__attribute__((visibility("default"))) const struct kc_subject *kc_entry(void)
{
	static const struct kc_threaded threaded = {
		.call = call, .read = read, .enter = nothing, .leave = nothing };
	static const struct kc_subject subject = {
		.world_size = 8, .state_size = PLACES * TRIES, .record = &kc_record, .world = &world,
		.init = init, .apply = apply, .observe = observe, .threaded = &threaded };

	return &subject;
}
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="system calls of x86-64")
def test_nothing_of_this_machine_is_within_reach_of_a_call(tmp_path: Path) -> None:
    source, library, made = tmp_path / "hostile.c", tmp_path / "hostile.so", tmp_path / "made"
    source.write_text(HOSTILE % made)
    flags = [*BELOW, "-w", "-I", NATIVE, "-idirafter", INCLUDE]
    subprocess.run([compiler(), *flags, source, "-o", library, "-shared", "-nostdlib"], check=True)
    given = tmp_path / "scenarios"
    given.write_bytes(packed([Scenario((), ((Call(0, ()),), (Call(0, ()),)))]))
    lines = [json.loads(line) for line in run_caged(finish(stress_program(tmp_path)), library, given, 0, 1)]
    assert not made.exists()
    for line in lines:
        if "outcome" in line:
            assert line["outcome"][2][4:] == [-1] * 24  # EPERM
    assert any("outcome" in line for line in lines)


def test_what_a_hostile_subject_writes_is_no_outcome(tmp_path: Path) -> None:
    """It runs in the process whose lines are read."""
    under = toy(tmp_path, "	*a += 1;\n")
    scenario = Scenario((), ((under.call("inc"),),))
    attempt = module.Attempt(
        under.loaded, under.piece, dict(under.loaded.options), tmp_path / "s", STRESSED
    ).settle()
    found = module.Found(under.loaded, attempt, [scenario])
    for line in ("", "[]", "{}", '{"outcome": [7, 1, []]}', '{"race": [1, [0, 99, 0], [], []]}',
                 '{"end": [1]}', '{"end": [9, 0, 0, 0, 1, 0, 0, 0]}', '{"outcome": 3}', '{"a": 1, "b": 2}',
                 '{"outcome": [0, 1, [{}]]}', '{"end": [1, -7, 0, 0, 1, 0, 0, 0]}'):  # fmt: skip
        with pytest.raises(HarnessError, match="nothing that can be read"):
            found.take([line], [0])


def test_the_subject_refers_to_nothing_outside_of_it(tmp_path: Path) -> None:
    """libtsan is called through a table; and by jumps, so that it sees the address in the subject."""
    made = native_object("stress_hooks.c", tmp_path).finish()
    said = subprocess.run(["objdump", "-d", made], capture_output=True, text=True, check=True).stdout
    assert "jmp" in said and "call" not in said.replace("kc_", "")
    library = tmp_path / "below.so"
    subprocess.run([compiler(), *LINK, made, "-o", library], check=True)
