# SPDX-License-Identifier: GPL-2.0-only
"""Schedules as litmus tests: the form that herd7 reads, and a clause that the schedule itself meets."""

from __future__ import annotations

import os
import pickle
import re
import types
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from extractor.extract import series_items
from harness.build import contract_library, engine_library
from harness.driver import Call, Driver, Flight, Libraries, Limits
from harness.errors import HarnessError
from harness.export.litmus import litmus_text
from harness.inputs import patches_of
from harness.interleave.flavour import THREADED
from harness.interleave.scenario import Scenario
from harness.interleave.schedule import (
    ACQUIRE,
    BUFFER,
    FENCE,
    FULL,
    IGNORED,
    MARKED,
    READ,
    RELEASE,
    SECTION,
    WAITS,
    WRITE,
    Place,
    Schedule,
    ThreadStep,
)
from harness.interleave.weaver import RACE, RESULT, Effort, Weaver
from harness.loading import contract_path, load
from harness.render import render_contract
from harness.subjects import Attempt, fitted, slice_of
from tests.cli import kconform
from tests.findings import FINDINGS, trace_of
from tests.litmus import Litmus, parse, reachable
from tests.mails import V1
from tests.planted import plant

RMW = READ | WRITE | MARKED
LOCK, TAKE = 1 << 31, RMW | ACQUIRE | WAITS


def step(
    thread: int,
    kind: int,
    name: str = "",
    before: int = 0,
    after: int | None = None,
    *,
    size: int = 4,
    byte: int = 0,
    line: int = 0,
    file: str = "include/linux/rmap.h",
    delayed: bool = False,
    blocked: bool = False,
    place: int = -1,
    call: int = 0,
) -> ThreadStep:
    stack = (Place("add", file, line),) if line else ()
    return ThreadStep(
        thread, call, kind, size if name else 0, name, byte, before, before if after is None else after,
        0x1000, (), delayed, blocked, stack, place,
    )  # fmt: skip


def schedule(*steps: ThreadStep, memory: str = "sc", why: str = "") -> Schedule:
    return Schedule(Scenario((), ((), ())), memory, (), steps, why)  # type: ignore[arg-type]


def test_of(*steps: ThreadStep, memory: str = "sc", head: tuple[str, ...] = ()) -> tuple[str, Litmus]:
    """The test, which herd7's grammar takes and whose clause can be met."""
    text = litmus_text(schedule(*steps, memory=memory), "shape", head)
    test = parse(text)
    assert reachable(test, memory), text
    return text, test


test_of.__test__ = False  # type: ignore[attr-defined]


def body(text: str, number: int = 0) -> list[str]:
    """The statements of a thread, without what stands after them."""
    part = text.split(f"\nP{number}(")[1].split("\n}\n")[0]
    rows = [row for row in part.split("\n")[2:] if row and "int r" not in row]
    return [re.sub(r"; //.*|;", "", row).strip() for row in rows]


def said(text: str) -> str:
    """The first comment, its wrapped lines made whole."""
    return re.sub(r"\n \* +", " ", text[: text.index("\n *)")])


def test_an_update_that_is_lost_as_herd7_reads_it() -> None:
    lost = [
        step(0, READ, "page._mapcount", 0xFFFFFFFF, line=12),
        step(1, READ, "page._mapcount", 0xFFFFFFFF, line=12),
        step(0, WRITE, "page._mapcount", 0xFFFFFFFF, 0, line=12),
        step(1, WRITE, "page._mapcount", 0, 0, line=12),
    ]
    text, _ = test_of(*lost, head=("lost update", "", "Patch: mm: count (sha256 123456789abc)"))
    assert (
        text
        == """C shape

(*
 * lost update
 *
 * Patch: mm: count (sha256 123456789abc)
 *
 * kconform made this of one schedule: the accesses of its threads, with their values.
 * What decides which are made is not here: the clause is about this control flow alone.
 * The schedule is one statement after the other, which no memory model forbids.
 *
 *   page_mapcount: page._mapcount, 4 bytes
 *
 * A store of what its thread can have computed from what it read there last says so:
 * the model sees what depends on what. All others are of constants.
 * Where plain accesses race, herd7 says so by itself: Flag data-race.
 * In tools/memory-model of a kernel tree: herd7 -conf linux-kernel.cfg FILE
 *)

{
	page_mapcount=-1;
}

P0(int *page_mapcount)
{
	int r0;

	r0 = *page_mapcount; // rmap.h:12
	*page_mapcount = r0 + 1; // rmap.h:12
}

P1(int *page_mapcount)
{
	int r0;

	r0 = *page_mapcount; // rmap.h:12
	*page_mapcount = r0 + 1; // rmap.h:12
}

exists (0:r0=-1 /\\ 1:r0=-1 /\\ page_mapcount=0)
"""
    )
    locked = re.sub(r"\(int \*page_mapcount\)", "(int *page_mapcount, spinlock_t *l)", text)
    locked = re.sub(r"(\tr0 = .*\n\t.*\n)", r"\tspin_lock(l);\n\1\tspin_unlock(l);\n", locked)
    assert not reachable(parse(locked))


def test_a_message_that_is_passed_without_release() -> None:
    steps = [
        step(1, READ | MARKED | ACQUIRE, "flag", 1, place=0),
        step(1, READ | MARKED, "data", 0, place=1),
    ]
    stores = [
        step(0, WRITE | MARKED, "flag", 0, 1, delayed=True, place=1),
        *steps,
        step(0, WRITE | MARKED, "data", 0, 1, delayed=True, place=0),
    ]
    text, test = test_of(*stores, memory="relaxed")
    assert body(text) == ["WRITE_ONCE(*data, 1)", "WRITE_ONCE(*flag, 1)"]
    assert body(text, 1) == ["r0 = smp_load_acquire(flag)", "r1 = READ_ONCE(*data)"]
    assert test.exists == {"1:r0": 1, "1:r1": 0, "flag": 1, "data": 1}
    assert "The schedule delays stores (relaxed)." in text
    assert not reachable(test)
    released = text.replace("WRITE_ONCE(*flag, 1)", "smp_store_release(flag, 1)")
    fenced = text.replace("\tWRITE_ONCE(*flag, 1)", "\tsmp_wmb();\n\tWRITE_ONCE(*flag, 1)")
    assert not reachable(parse(released), "relaxed")
    assert not reachable(parse(fenced), "relaxed")


def test_stores_that_are_buffered() -> None:
    steps = [
        step(0, READ | MARKED, "y", 0, place=1),
        step(1, READ | MARKED, "x", 0, place=1),
        step(0, WRITE | MARKED, "x", 0, 1, delayed=True, place=0),
        step(1, WRITE | MARKED, "y", 0, 1, delayed=True, place=0),
    ]
    text = litmus_text(schedule(*steps, memory="tso"), "SB", ())
    test = parse(text)
    assert body(text) == ["WRITE_ONCE(*x, 1)", "r0 = READ_ONCE(*y)"]
    assert reachable(test, "relaxed") and not reachable(test)
    fenced = re.sub(r"(\tWRITE_ONCE.*\n)", r"\1\tsmp_mb();\n", text)
    assert not reachable(parse(fenced), "relaxed")


def locked(thread: int, before: int, after: int, unlock: int = WRITE | MARKED | RELEASE) -> list[ThreadStep]:
    """A word changed under the lock that is a bit of it."""
    return [
        step(thread, TAKE, "folio._mm_ids", before, before | LOCK),
        step(thread, READ, "folio._mm_ids", before | LOCK),
        step(thread, WRITE, "folio._mm_ids", before | LOCK, after | LOCK),
        step(thread, READ, "folio._mm_ids", after | LOCK),
        step(thread, unlock, "folio._mm_ids", after | LOCK, after),
    ]


def test_a_lock_in_the_word_that_it_protects_is_a_lock_of_its_own() -> None:
    text, test = test_of(*locked(0, 0, 1), *locked(1, 1, 3))
    assert body(text) == [
        "spin_lock(lock_folio_mm_ids)",
        "r0 = *folio_mm_ids",
        "*folio_mm_ids = r0 + 1",
        "spin_unlock(lock_folio_mm_ids)",
    ]
    assert body(text, 1)[2] == "*folio_mm_ids = r0 | 2"
    assert test.exists == {"0:r0": 0, "1:r0": 1, "folio_mm_ids": 3}
    assert not test.filter
    told = "folio_mm_ids: folio._mm_ids, 4 bytes; without bit 31, a lock: lock_folio_mm_ids stands for it"
    assert told in said(text)


def test_a_lock_that_is_let_go_atomically_is_one_too() -> None:
    steps = [s for s in locked(0, 0, 1) if s.before != s.after]
    steps[-1] = replace(steps[-1], kind=RMW | RELEASE)
    text, _ = test_of(*steps)
    assert body(text) == [
        "spin_lock(lock_folio_mm_ids)",
        "*folio_mm_ids = 1",
        "spin_unlock(lock_folio_mm_ids)",
    ]


@pytest.mark.parametrize(
    ("unlock", "written"),
    [
        (WRITE | MARKED, "WRITE_ONCE(*folio_mm_ids, r2 & 2147483647)"),
        (WRITE, "*folio_mm_ids = r2 & 2147483647"),
    ],
    ids=["once", "plain"],
)
def test_a_lock_that_is_let_go_without_release_stays_in_its_word(unlock: int, written: str) -> None:
    steps = [*locked(0, 0, 1, unlock), *locked(1, 1, 2, unlock)]
    text, test = test_of(*steps)
    assert "spin" not in "".join(body(text))
    assert body(text)[0] == "r0 = cmpxchg_acquire(folio_mm_ids, 0, -2147483648)"
    assert body(text)[-2:] == ["r2 = *folio_mm_ids", written]
    assert test.filter == {"0:r0": 0, "1:r0": 1}
    seen = {"0:r1": 0, "0:r2": 1, "1:r1": 1, "1:r2": 2}
    assert test.exists == {r: n - LOCK for r, n in seen.items()} | {"folio_mm_ids": 2}
    assert "it is let go without release" in said(text)
    assert "the filter keeps the runs in which it is got" in said(text)


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ([step(1, READ | MARKED | ACQUIRE, "folio._mm_ids", 1)], "read with acquire"),
        ([step(1, WRITE, "folio._mm_ids", 1, 1 | LOCK)], "by another than its holder"),
        ([step(1, RMW | ACQUIRE, "folio._mm_ids", 1, 1 | LOCK)], "by another than its holder"),
        ([step(1, RMW | WAITS, "folio._mm_ids", 1, 1 | LOCK)], "without acquire"),
        ([step(1, TAKE, "folio._mm_ids", 1, 5 | LOCK)], "in another way"),
    ],
    ids=["acquire", "foreign write", "trylock", "relaxed", "with more bits"],
)
def test_a_lock_that_is_more_than_one_stays_in_its_word(extra: list[ThreadStep], why: str) -> None:
    text, _ = test_of(*locked(0, 0, 1), *extra)
    assert why in said(text)
    assert "spin" not in "".join([*body(text), *body(text, 1)])


def test_a_reader_without_the_lock_sees_the_word_without_it() -> None:
    steps = locked(0, 0, 1)
    reader = step(1, READ | MARKED, "folio._mm_ids", LOCK)
    text, test = test_of(*steps[:2], reader, *steps[2:])
    assert body(text, 1) == ["r0 = READ_ONCE(*folio_mm_ids)"]
    assert test.exists["1:r0"] == 0


def test_an_atomic_is_one_where_every_access_is_marked() -> None:
    text, _ = test_of(
        step(0, RMW, "count", 0, 1),
        step(1, RMW | ACQUIRE | RELEASE | FULL, "count", 1, 0),
        step(1, READ | MARKED, "count", 0),
        step(0, WRITE | MARKED | RELEASE, "count", 0, 7),
        step(1, READ | MARKED | ACQUIRE, "count", 7),
        step(1, WRITE | MARKED, "count", 7, 8),
    )
    assert body(text) == ["r0 = atomic_fetch_add_relaxed(1, count)", "atomic_set_release(count, 7)"]
    assert body(text, 1) == [
        "r0 = atomic_fetch_sub(1, count)",
        "r1 = atomic_read(count)",
        "r2 = atomic_read_acquire(count)",
        "atomic_set(count, r2 + 1)",
    ]
    mixed, _ = test_of(step(0, RMW | RELEASE, "count", 0, 1), step(1, READ, "count", 1))
    assert body(mixed) == ["r0 = cmpxchg_release(count, 0, 1)"]


def test_fences_and_locks_that_are_no_words() -> None:
    ida = "ida"
    text, test = test_of(
        step(0, SECTION | RMW | ACQUIRE | WAITS, ida, 0, 1, size=8),
        step(0, WRITE | MARKED, "x", 0, 1),
        step(0, FENCE | RELEASE),
        step(0, WRITE | MARKED, "y", 0, 1),
        step(0, FENCE | ACQUIRE | RELEASE | FULL),
        step(0, SECTION | WRITE | MARKED | RELEASE, ida, 1, 0, size=8),
        step(1, SECTION | RMW | ACQUIRE | WAITS, ida, 0, 1, size=8),
        step(1, READ | MARKED, "y", 1),
        step(1, FENCE | ACQUIRE),
        step(1, READ | IGNORED, "x", 1),
        step(1, SECTION | WRITE | MARKED | RELEASE, ida, 1, 0, size=8),
    )
    assert body(text)[0] == "spin_lock(lock_ida)" and body(text)[2] == "smp_wmb()"
    assert body(text)[4:] == ["smp_mb()", "spin_unlock(lock_ida)"]
    assert body(text, 1)[1:4] == ["r0 = READ_ONCE(*y)", "smp_rmb()", "r1 = READ_ONCE(*x)"]
    assert "data_race()" in text and "lock_ida: the lock of ida" in text
    assert "ida" not in test.init


def test_what_a_store_depends_on_is_said_where_it_is_plain_to_see() -> None:
    def stored(before: int, after: int, call: int = 0) -> str:
        text, _ = test_of(step(0, READ, "x", before), step(0, WRITE, "x", before, after, call=call))
        return body(text)[1].removeprefix("*x = ")

    assert stored(5, 5) == "r0"
    assert stored(5, 6) == "r0 + 1" and stored(0, 0xFFFFFFFF) == "r0 - 1"
    assert stored(1, 9) == "r0 | 8"
    assert stored(9, 1) == "r0 & -9"
    assert stored(9, 1018) == "r0 + 1009"
    assert stored(9, 100_000) == "100000"
    assert stored(5, 6, call=1) == "6"  # the one call cannot know what the other one read
    text, _ = test_of(step(0, READ, "x", 9), step(0, WRITE, "x", 9, 100_000, line=7))
    assert "*x = 100000; // rmap.h:7, a constant\n" in text


HIGH = 1 << 62


@pytest.mark.parametrize(
    ("values", "written", "told"),
    [
        ((HIGH, HIGH + 1), (0, 1), "without bit 62, set throughout"),
        ((HIGH, 1), (0, 1), f"its values are numbered: 0 is {HIGH:#x}, 1 is 0x1"),
        (((1 << 64) - 1, 0), (-1, 0), ""),
        ((1 << 31, 0), (0, 1), f"its values are numbered: 0 is {1 << 31:#x}, 1 is 0x0"),
    ],
    ids=["what varies", "numbered", "signed", "one bit too wide"],
)
def test_a_long_word_is_told_in_32_bits(values: tuple[int, int], written: tuple[int, int], told: str) -> None:
    first, second = values
    text, test = test_of(
        step(0, READ, "w", first, size=8),
        step(0, WRITE, "w", first, second, size=8),
        step(1, READ, "w", second, size=8),
    )
    assert test.init == {"w": written[0]}
    assert test.exists == {"0:r0": written[0], "1:r0": written[1], "w": written[1]}
    assert told in text


def test_threads_without_a_step_are_none() -> None:
    text, test = test_of(step(1, WRITE, "x", 0, 1), step(3, READ, "x", 1), step(0, FENCE))
    assert len(test.threads) == 2
    assert "Threads: P0 is 1, P1 is 3." in text


REFUSED = {
    "two sizes": (
        [step(0, READ, "w", 0, size=8), step(1, WRITE, "w", 0, 1, size=4)],
        "accesses of one word overlap (w, 8 bytes; w, 4 bytes)",
    ),
    "two places": (
        [step(0, READ, "w", 0), step(1, WRITE, "w", 0, 1, byte=2)],
        "overlap (w, 4 bytes; w + 2, 4 bytes): herd7 has no parts of a word",
    ),
    "a range": ([step(0, WRITE, "w", size=64, line=3)], "thread 0 at rmap.h:3 accesses 64 bytes at once"),
    "an odd size": ([step(0, WRITE, "w", size=3)], "accesses 3 bytes at once"),
    "blocked": ([step(0, TAKE, "w", LOCK, blocked=True)], "waits to the end: herd7 knows no deadlock"),
    "no name": ([ThreadStep(0, 0, READ, 4, "", 0, 0, 0, 16)], "thread 0 at 0x10 accesses memory that has no"),
    "no access": ([step(0, FENCE | FULL)], "no step of it is an access"),
    "no place": ([step(0, WRITE, "w", 0, 1, delayed=True)], "not known where in its thread"),
    "threads": ([step(n, WRITE, "w") for n in range(5)], "it has 5 threads, more than 4"),
    "a fence": ([step(0, FENCE | ACQUIRE | RELEASE)], "a fence that is acquire and release"),
    "a change": ([step(0, RMW | ACQUIRE | RELEASE, "w")], "read-modify-write of just acquire and release"),
    "a plain change": ([step(0, READ | WRITE, "w", 0, 1)], "but not atomically"),
    "a read's order": ([step(0, READ | MARKED | RELEASE, "w")], "no read of that order"),
    "a write's order": ([step(0, WRITE | ACQUIRE, "w")], "no write of that order"),
    "neither": ([step(0, MARKED, "w")], "neither reads nor writes"),
    "not its lock": (
        [step(0, WRITE, "w"), step(0, SECTION | WRITE | MARKED | RELEASE, "i", 1, 0)],
        "thread 0 takes the lock of i twice, or lets it go without having it",
    ),
}


@pytest.mark.parametrize("steps, why", REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_with_the_reason(steps: list[ThreadStep], why: str) -> None:
    with pytest.raises(HarnessError, match=re.escape(why)) as told:
        litmus_text(schedule(*steps), "x", ())
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("why", ["deadlock", "livelock", "crash"])
def test_a_schedule_that_does_not_end_is_refused(why: str) -> None:
    with pytest.raises(HarnessError, match=f"it ends in a {why}"):
        litmus_text(schedule(step(0, WRITE, "w", 0, 1), why=why), "x", ())


NAMES = [
    *"exists filter _final P0 r1 int lock atomic_t smp_mb spin_lock valid nop 9 __".split(),
    *("a.b", "page[1].x", "a->b", "überflüssig", '"', "(*", "x" * 500),
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_becomes_one_that_herd7_takes(name: str) -> None:
    text, _ = test_of(step(0, WRITE, name, 0, 1, line=3, file=f"mm/{name}"), step(1, READ, name, 1))
    variable = next(iter(parse(text).init))
    assert re.fullmatch(r"[A-Za-z]\w{0,70}", variable)


def test_names_that_become_the_same_are_told_apart() -> None:
    names = ["a.b", "a_b", "a->b", "lock_a_b"]
    steps = [step(0, WRITE, name, 0, n) for n, name in enumerate(names)]
    text, test = test_of(
        *steps, step(1, TAKE, "a.b", 0, LOCK), step(1, WRITE | MARKED | RELEASE, "a.b", LOCK, 0)
    )
    assert list(test.init) == ["a_b", "a_b_2", "a_b_3", "lock_a_b"]
    assert body(text, 1)[0] == "spin_lock(lock_a_b_2)"


def test_text_of_a_stranger_ends_no_comment() -> None:
    head = (
        "*) (* exists (x=1) *) {",
        "(*)",
        'Result: Never\nResult: Always\r"',
        "\x1b[31m\x00",
        "mm/{a,b}",
        "*)",
    )
    steps = [
        step(0, WRITE, "x", 0, 1, line=3, file="mm/exists"),
        step(1, READ, "x", 1, line=4, file='a"{b}\n.h'),
    ]
    text, test = test_of(*steps, head=head)
    assert not any(row.startswith(" * Result:") for row in test.comment)
    assert "*x = 1;\n" in text and "r0 = *x; // a__b__.h:4\n" in text
    assert "\x1b" not in text and "\r" not in text
    odd = litmus_text(schedule(*steps), '../"x y(*', ())
    assert odd.startswith("C .._x_y_\n") or parse(odd)
    assert parse(litmus_text(schedule(*steps), "--", ())).name == "finding"


# What the engine says.

DELAYED = -1


@cache
def woven(patch: str, kind: int) -> Schedule:
    """The first schedule of the bundled contract's calls that shows a finding, from a worker in its cage."""
    read, write = os.pipe()
    with TemporaryDirectory() as name:
        child = os.fork()
        if not child:
            try:
                os.close(read)
                os.write(write, pickle.dumps(weave(patch, kind, Path(name))))
            finally:
                os._exit(0)
        os.close(write)
        with open(read, "rb") as pipe:
            found: Schedule = pickle.loads(pipe.read())
        os.waitpid(child, 0)
    return found


def weave(patch: str, kind: int, folder: Path) -> Schedule | None:
    (folder / "patch.txt").write_text(patch)
    options = types.SimpleNamespace(patch=[str(folder / "patch.txt")], latest=False, prefix=None, tree=None)
    items = tuple(series_items(patches_of(options)))  # type: ignore[arg-type]
    loaded, _ = fitted(load(contract_path("mm-owner-tracking"), {}), items, {})
    assert loaded
    subject = Attempt(loaded, slice_of(loaded, items), loaded.options, folder / "threaded", THREADED).settle()
    assert subject.built
    engine = engine_library(folder).finish()
    contract = contract_library(render_contract(loaded), folder).finish()
    driver = Driver(Libraries(subject.built.library, contract, engine), loaded, Flight(), subject.skip)
    driver.cage()
    driver.open(Limits(seconds=60))
    weaver = Weaver(driver, ("mapcount", "exclusive"))
    add = [op.name for op in loaded.contract.operations].index("add")
    scenario = Scenario((), ((Call(add, (0, 1)),), (Call(add, (1, 1)),), (Call(-2, ()),)))
    if kind == DELAYED:
        return late(weaver, Scenario((), scenario.threads[:2]))
    weaver.explore(0, scenario, Effort())
    order = next(f.order for f in weaver.found() if f.kind == kind)
    return weaver.show(scenario, order, "sc")


def late(weaver: Weaver, scenario: Scenario) -> Schedule | None:
    """A schedule in which stores become visible as late as they can, the last word's first."""
    shown, order = None, [0]
    while order[-1] >= 0:
        for proc in (0, *range(23, BUFFER - 1, -1), 1, -1):
            longer = weaver.show(scenario, [*order, proc], "relaxed") if proc >= 0 else None
            if longer:
                shown = longer
                break
        order.append(proc)
    return shown


def test_the_bundled_patch_takes_its_lock_as_a_lock() -> None:
    text = litmus_text(woven(V1, RACE), "mm-owner-tracking", ("data race",))
    test = parse(text)
    assert reachable(test)
    [lock] = [name for name, kind in test.types.items() if kind == "spinlock_t"]
    assert lock == "lock_folio_mm_ids"
    for number in (0, 1):
        assert (
            body(text, number)[0] == f"spin_lock({lock})" and body(text, number)[-1] == f"spin_unlock({lock})"
        )
    assert "without bit 63, a lock" in text
    assert not test.filter


UNLOCK = "+	__bit_spin_unlock(FOLIO_MM_IDS_LOCK_BITNUM, &folio->_mm_ids);\n"
LOCK_CALL = "+	bit_spin_lock(FOLIO_MM_IDS_LOCK_BITNUM, &folio->_mm_ids);\n"


def test_the_bundled_patch_with_an_unlock_that_does_not_release() -> None:
    bad = plant((UNLOCK, UNLOCK.replace("__bit_spin_unlock", "__clear_bit")))
    text = litmus_text(woven(bad, RACE), "no-release", ())
    test = parse(text)
    assert reachable(test)
    assert "spin" not in "".join([*body(text), *body(text, 1)])
    assert "cmpxchg_acquire(folio_mm_ids" in body(text)[0]
    assert len(test.filter) == 2


def test_the_bundled_patch_without_its_lock_loses_an_update() -> None:
    bad = plant((UNLOCK, ""), (LOCK_CALL, ""))
    text = litmus_text(woven(bad, RESULT), "no-lock", ())
    test = parse(text)
    assert reachable(test)
    assert set(test.types.values()) == {"int"}


def test_delayed_stores_stand_where_they_were_made() -> None:
    late = woven(V1, DELAYED)
    stores = [step for step in late.steps if step.delayed and step.thread == 0]
    assert [step.place for step in stores] != sorted(step.place for step in stores)
    assert [step.kind for step in late.steps if step.kind & RELEASE] == [WRITE | MARKED | RELEASE] * 2
    text = litmus_text(late, "late", ())
    at_once = litmus_text(woven(V1, RACE), "at-once", ())
    writes, same = ([row.split()[0] for row in body(t) if row[0] != "r"] for t in (text, at_once))
    assert writes == same
    assert reachable(parse(text), "relaxed")


def test_a_fence_of_the_patch_is_one_of_the_test() -> None:
    text = litmus_text(woven(plant((UNLOCK, "+	smp_wmb();\n" + UNLOCK)), RACE), "fence", ())
    assert body(text)[-3] == "smp_wmb()"  # a shim's test of the lock is between
    assert reachable(parse(text))


# The command.


def test_the_command_says_which_findings_are_schedules(tmp_path: Path) -> None:
    trace = trace_of(next(p for p in FINDINGS if p.check.startswith("conformance/")))
    done = kconform("export", trace, "--litmus", "-o", tmp_path / "x.litmus")
    assert done.status == 2
    assert "only findings of the group concurrency are schedules: conformance/" in done.err
    assert not (tmp_path / "x.litmus").exists()
    assert kconform("export", trace, "--litmus", "--c").status == 2
