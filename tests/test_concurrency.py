# SPDX-License-Identifier: GPL-2.0-only
"""Calls as threads, whole command lines on the real patch: what is found, how it is told, and run again."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.interleave.places import place_of
from harness.interleave.schedule import Place
from kernel_snippets import BUNDLED_PATCH
from tests.cli import ONE, Done, kconform, once
from tests.mails import V1
from tests.planted import REPAIR, plant
from tests.planted_threads import DEFECTS, HARMLESS

DOCUMENT = Path(__file__).parents[1] / "docs/concurrency.md"
ALONE = ("--walk", "0", "--no-sanitizers")  # nothing beside exploration and threads
GROUP = "concurrency/"
RACE = "concurrency/race/exclusive"


def tracked(text: str, *arguments: object) -> Done:
    """`check` by one contract, threads among it."""
    return kconform("check", "-", "--format", "json", *ONE, *arguments, stdin=text)


def concurrency(done: Done) -> dict[str, Any]:
    return {case["id"]: case for case in done.json["checks"] if case["id"].startswith(GROUP)}


def failing(done: Done) -> set[str]:
    return {name for name, case in concurrency(done).items() if case["verdict"] == "fail"}


@cache
def defective(defect: str) -> Done:
    return tracked(plant(*DEFECTS[defect][0]), *ALONE)


def test_every_scenario_of_the_patch_is_explored_completely() -> None:
    done = tracked(V1, *ALONE)
    assert failing(done) == {RACE}
    part = done.json["contracts"][0]
    assert (
        "4,150 scenarios from 50 start states, 31,270 executions, every schedule up to equivalence"
        in part["threads"][0]["words"]
    )
    assert "sequential consistency" in part["threads"][0]["words"]
    verdicts = {name: case["verdict"] for name, case in concurrency(done).items() if name != RACE}
    names = ("results", "reads", "locks", "deadlock", "crash")
    assert verdicts == {f"{GROUP}{name}": "pass" for name in names}
    assert all(case["judged"] == 31270 for case in concurrency(done).values())


def test_the_race_of_the_patch_is_one_by_the_letter_with_what_would_excuse_it() -> None:
    case = concurrency(tracked(V1, *ALONE))[RACE]
    assert case["where"] == {"file": "include/linux/page-flags.h", "line": 1227}
    assert "marked read of 8 bytes at folio_test_large_mapped_exclusively()" in case["reason"]
    assert (
        "plain write of 8 bytes at" in case["reason"] and "CONFIG_KCSAN_ASSUME_PLAIN_WRITES" in case["reason"]
    )
    last = [step["observed"]["at"] for step in case["trace"] if step["op"].startswith("thread")][-1]
    assert last == "include/linux/page-flags.h:1227"
    excused = tracked(V1, *ALONE, "--excuse", "plain-writes-atomic")
    assert not failing(excused)
    assert any(
        "excused by --excuse plain-writes-atomic" in said
        for said in excused.json["contracts"][0]["thread_notes"]
    )
    assert failing(tracked(V1, *ALONE, "--excuse", "value-unchanged")) == {RACE}


def test_a_waiter_beside_the_holder_is_a_note_and_no_finding() -> None:
    notes = tracked(V1, *ALONE).json["contracts"][0]["thread_notes"]
    waiter = next(said for said in notes if "waits for the bit lock" in said)
    assert "races by the letter" in waiter and "every bit spinlock" in waiter
    pair = next(said for said in notes if "two moments" in said)
    assert pair.startswith("mapcount and exclusive")


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found_with_a_short_schedule(defect: str) -> None:
    name = DEFECTS[defect][1]
    done = defective(defect)
    assert name in failing(done), failing(done)
    steps = [step for step in concurrency(done)[name]["trace"] if step["op"].startswith("thread")]
    assert 0 < len(steps) <= 40
    turns = [step["op"] for step in steps]
    assert sum(a != b for a, b in pairwise(turns)) <= 4
    assert all(step["observed"]["does"] for step in steps)


@pytest.mark.parametrize("rewrite", HARMLESS)
def test_another_way_to_lock_is_no_alarm(rewrite: str) -> None:
    assert failing(tracked(plant(*HARMLESS[rewrite]), *ALONE)) <= {RACE}


def test_marked_accesses_are_no_race() -> None:
    """A reader without the lock beside writes that are all marked: nothing is left to report."""
    marked = plant(
        *HARMLESS["atomic flags"],
        ("+	folio->_mm_ids &= ~FOLIO_MM_IDS_ID0_MASK;\n+	folio->_mm_ids |= id;\n",
         "+	WRITE_ONCE(folio->_mm_ids, (folio->_mm_ids & ~FOLIO_MM_IDS_ID0_MASK) | id);\n"),
        ("+	folio->_mm_ids &= ~FOLIO_MM_IDS_ID1_MASK;\n"
         "+	folio->_mm_ids |= (unsigned long)id << FOLIO_MM_IDS_ID1_SHIFT;\n",
         "+	WRITE_ONCE(folio->_mm_ids, (folio->_mm_ids & ~FOLIO_MM_IDS_ID1_MASK) |\n"
         "+		   ((unsigned long)id << FOLIO_MM_IDS_ID1_SHIFT));\n"),
    )  # fmt: skip
    assert not failing(tracked(marked, *ALONE))


def test_what_the_code_does_wrong_alone_is_told_once() -> None:
    """The patch's known defect changes what concurrent calls leave, and no order of them hides it."""
    assert failing(tracked(V1, *ALONE)) == failing(tracked(plant(REPAIR), *ALONE)) == {RACE}


def test_a_finding_is_a_table_with_a_column_a_thread() -> None:
    out = kconform("check", "-", *ONE, *ALONE, stdin=plant(*DEFECTS["lock not taken in add"][0])).out
    block = out[out.index("FINDING concurrency/results") :].split("\n\n")[0]
    assert "thread 0: add(mm=0, diff=1)" in block and "thread 1: add(mm=0, diff=1)" in block
    assert "one after the other it is" in block
    assert "also concurrency/race/add: data race on" in block and " <- folio_add_large_mapcount() " in block
    assert "FINDING concurrency/race/add" not in out  # it is the same defect


def test_a_mail_shows_a_schedule_where_threads_take_turns() -> None:
    text = plant(*DEFECTS["lock not taken in sub"][0])
    out = kconform("check", "-", *ONE, *ALONE, "--format", "mail", stdin=text).out
    told = out[out.index(". concurrency/results at ") :].split("\n")
    assert max(map(len, told)) <= 72
    assert "  thread 1: sub(mm=0, diff=1)" in told
    assert any(line.startswith("     ... steps ") for line in told)
    assert any("_large_mapcount" in line and line.startswith("  9      ") for line in told)


def test_delayed_stores_make_a_missing_release_a_wrong_result() -> None:
    text = plant(*DEFECTS["unlock without release ordering"][0])
    plain = tracked(text, *ALONE)
    assert not {name for name in failing(plain) if "race" not in name}
    relaxed = tracked(text, *ALONE, "--memory-model", "relaxed")
    assert {"concurrency/results-relaxed", "concurrency/race/add"} <= failing(relaxed)
    tso = tracked(text, *ALONE, "--memory-model", "tso")
    assert not {name for name in failing(tso) if "race" not in name}  # there stores keep their order
    for model in ("tso", "relaxed"):
        sound = tracked(V1, *ALONE, "--memory-model", model)
        assert failing(sound) == {RACE}
        assert len(sound.json["contracts"][0]["threads"]) == 2


def test_more_threads_or_calls_and_none(tmp_path: Path) -> None:
    more = tracked(V1, *ALONE, "--interleave", "4x1,2x1")
    assert "every schedule up to equivalence" in more.json["contracts"][0]["threads"][0]["words"]
    off = tracked(V1, *ALONE, "--interleave", "off")
    assert not concurrency(off) and not off.json["contracts"][0]["threads"]
    assert "concurrent calls: every operation ran alone" in off.json["not_checked"]


@pytest.mark.parametrize("option, words", [
    (("--interleave", "5x1"), "5x1 is not like 2x3"),
    (("--interleave", "1x2"), "1x2 is not like 2x3"),
    (("--interleave", "4x3"), "4x3 is not like 2x3"),
    (("--interleave", "two"), "two is not like 2x3"),
    (("--excuse", "all"), "all is no excuse for a race"),
    (("--memory-model", "alpha"), "invalid choice: 'alpha'"),
])  # fmt: skip
def test_a_wrong_option_is_one_line(option: tuple[str, str], words: str) -> None:
    done = kconform("check", BUNDLED_PATCH, *option)
    assert done.status == 2 and words in done.err.strip().splitlines()[-1] and not done.out


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schedules")
    for defect in ("lock not taken in sub", "unlock forgotten on one path"):
        tracked(plant(*DEFECTS[defect][0]), *ALONE, "--traces", folder)
    return folder


def test_a_schedule_is_saved_and_replayed_like_any_trace(traces: Path) -> None:
    names = sorted(traces.glob("concurrency-*.json"))
    assert {json.loads(name.read_text())["id"] for name in names} >= {
        "concurrency/results", "concurrency/locks", "concurrency/race/exclusive",
    }  # fmt: skip
    done = kconform("replay", *names)
    assert (done.status, done.err) == (1, "")
    assert done.out.count("STILL THERE: concurrency/") == len(names)
    data = kconform("replay", *names, "--format", "json").json
    assert {one["verdict"] for one in data["replays"]} == {"still there"}


def test_a_saved_schedule_is_readable_and_says_whose_turn_it_was(traces: Path) -> None:
    text = next(traces.glob("concurrency-results-*.json")).read_text()
    woven = json.loads(text)["threads"]
    assert woven["memory"] == "sc" and len(woven["calls"]) == 2
    assert sum(steps for _, steps in woven["turns"]) == len(woven["shown"])
    assert text.index('"turns"') < text.index('"shown"') < text.index('"patches"')


def test_a_repaired_revision_has_lost_the_schedule(traces: Path) -> None:
    results = next(traces.glob("concurrency-results-*.json"))
    done = kconform("replay", results, "--patch", BUNDLED_PATCH)
    assert done.status == 0 and done.out.startswith("GONE: concurrency/results")


def test_another_schedule_of_the_same_calls_is_a_change(traces: Path, tmp_path: Path) -> None:
    """An edit that adds a step: the schedule no longer fits, the defect is there all the same."""
    results = next(traces.glob("concurrency-results-*.json"))
    said = json.loads(results.read_text())
    said["threads"]["turns"] = [[1, 1], [0, 200], [1, 200]]
    odd = tmp_path / "odd.json"
    odd.write_text(json.dumps(said))
    done = kconform("replay", odd)
    assert done.status == 1 and done.out.startswith("CHANGED: concurrency/results")
    assert "another schedule of the same calls fails it" in done.out.replace("\n    ", " ")


ALONE_AGAIN = [[{"op": "add", "args": {"mm": 0, "diff": 1}}]]


def first_call(call: dict) -> Any:
    return lambda woven: woven["calls"][0].__setitem__(0, call)


WRONG = {
    "memory": (lambda woven: woven.update(memory="alpha"), "memory is not sc, tso or relaxed"),
    "calls": (lambda woven: woven.update(calls=ALONE_AGAIN, turns=[[0, 1]]), "its threads are not 2 to 4"),
    "argument": (first_call({"op": "add", "args": {"mm": 0, "diff": 10**6}}), "these are no arguments of it"),
    "operation": (first_call({"op": "set_flag", "args": {}}), "which no thread calls"),
    "reads": (first_call({"reads": "secret"}), "the contract observes no secret"),
    "turns": (lambda woven: woven.update(turns=[[0, 10**9]]), "a turn is not a thread and its number of"),
    "nobody": (lambda woven: woven.update(turns=[[3, 1]]), "a turn is not a thread and its number of"),
    "thread": (lambda woven: woven.update(turns=[[-1, 1]]), "a turn is not a thread and its number of"),
    "shown": (lambda woven: woven.update(shown=["a\u001b[31m"]), "shown is not a list of lines"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_schedule_with_a_wrong_value_is_one_line(kind: str, traces: Path, tmp_path: Path) -> None:
    change, words = WRONG[kind]
    said = json.loads(next(traces.glob("concurrency-results-*.json")).read_text())
    change(said["threads"])
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(said))
    done = kconform("replay", wrong)
    assert done.status == 2 and words in done.err and done.err.count("\n") == 1


def test_calls_that_are_not_legal_there_are_no_schedule(traces: Path, tmp_path: Path) -> None:
    """`sub` of what nobody maps: that this shows nothing would say nothing of the finding."""
    said = json.loads(next(traces.glob("concurrency-results-*.json")).read_text())
    said["steps"] = said["steps"][:1]
    odd = tmp_path / "odd.json"
    odd.write_text(json.dumps(said))
    done = kconform("replay", odd)
    assert done.status == 2 and "its calls are not legal after those that it starts with" in done.err


def test_a_line_is_of_the_file_with_the_longest_name_that_fits() -> None:
    files = {"rmap.h", "include/linux/rmap.h"}
    assert place_of("f", "/x/include/linux/rmap.h:7 (discriminator 2)", files) == Place(
        "f", "include/linux/rmap.h", 7
    )
    assert place_of("f", "/x/my_rmap.h:7", files) is None


def test_a_saved_schedule_runs_first_in_a_later_check(traces: Path) -> None:
    done = tracked(V1, *ALONE, "--traces", traces)
    gone = [one["verdict"] for one in done.json["traces"] if one["id"] == "concurrency/results"]
    assert gone == ["gone"]


def test_ids_are_handed_out_to_threads_each_once() -> None:
    done = kconform("check", BUNDLED_PATCH, "--contract", "mm-ids", *ALONE, "--format", "json")
    assert not failing(done)
    assert "every schedule up to equivalence" in done.json["contracts"][0]["threads"][0]["words"]
    lost = plant(
        ("+	mm->mm_id = ret;\n", "+	last_mm_id = ret;\n+	mm->mm_id = READ_ONCE(last_mm_id);\n"),
        ("+static DEFINE_IDA(mm_ida);\n", "+static DEFINE_IDA(mm_ida);\n+static int last_mm_id;\n"),
    )
    done = kconform("check", "-", "--contract", "mm-ids", *ALONE, "--format", "json", stdin=lost)
    assert "concurrency/results" in failing(done)


COUNTER = """From: a
Subject: [PATCH] a counter

diff --git a/include/linux/c.h b/include/linux/c.h
--- a/include/linux/c.h
+++ b/include/linux/c.h
@@ -1,1 +1,8 @@
 #pragma once
+#include <linux/atomic.h>
+struct counter { int plain; atomic_t sure; };
+static inline int counter_next(struct counter *c)
+{
+	atomic_inc(&c->sure);
+	return ++c->plain;
+}
"""


def test_a_derived_contract_runs_as_threads_where_that_is_asked_for() -> None:
    done = kconform("check", "-", *ALONE, "--format", "json", stdin=COUNTER)
    assert not concurrency(done)  # nobody says that its calls may run together
    woven = kconform("check", "-", *ALONE, "--format", "json", "--interleave", "2x1", stdin=COUNTER)
    assert {"concurrency/results", "concurrency/race/counter_next"} <= failing(woven)


def test_same_input_same_report() -> None:
    text = plant(*DEFECTS["flag changed outside the lock"][0])
    assert tracked(text, *ALONE).untimed == tracked(text, *ALONE).untimed
    assert defective("flag changed outside the lock").untimed == tracked(text, *ALONE).untimed


def test_the_document_shows_what_is_printed() -> None:
    text = plant(*DEFECTS["unlocked before the flag is cleared"][0])
    out = kconform("check", "-", *ONE, *ALONE, stdin=text).out
    shown = DOCUMENT.read_text()
    assert out[out.index("FINDING concurrency/results") :].split("\n\n")[0] in shown
    for option in ("--interleave", "--memory-model", "--excuse", "--stress", "--litmus"):
        assert option in shown


def test_the_report_says_under_which_order_of_stores() -> None:
    out = once("check", BUNDLED_PATCH).out
    assert "under sequential consistency" in " ".join(out.split())
    assert "orders of stores other than sequential consistency: --memory-model tso or relaxed" in out
