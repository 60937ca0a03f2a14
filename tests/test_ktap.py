# SPDX-License-Identifier: GPL-2.0-only
"""KTAP as the kernel's own kunit.py reads it."""

from __future__ import annotations

import importlib
import io
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.report.ktap import render
from tests.reports import CHECKS, KNOWN, RUNS, case, outline, reports

CHANGED = ("mended", "broken anew", "dropped", "new")
KUNIT = Path(__file__).parents[1] / "trees/kunit/tools/testing/kunit"
pytestmark = pytest.mark.xdist_group("reports")


def parse(text: str) -> tuple[int, str]:
    """kunit.py's exit status and its output."""
    assert (KUNIT / "kunit.py").is_file(), f"{KUNIT} is needed: run make trees"
    done = subprocess.run([sys.executable, KUNIT / "kunit.py", "parse"], input=text, text=True,
                          capture_output=True, timeout=60, check=False)  # fmt: skip
    assert done.stderr == ""
    return done.returncode, re.sub(r"(?m)^\[\d\d:\d\d:\d\d\] |\x1b\[[0-9;]*m", "", done.stdout)


def totals(text: str) -> dict[str, int]:
    """What kunit.py counts."""
    (line,) = re.findall(r"Testing complete\. (.*)", text)
    return {name: int(n) for name, n in re.findall(r"(\w+): (\d+)", line)}


@cache
def modules() -> tuple[Any, Any]:
    """What kunit.py parses and prints with."""
    sys.path.insert(0, str(KUNIT))
    try:
        return importlib.import_module("kunit_parser"), importlib.import_module("kunit_printer")
    finally:
        sys.path.remove(str(KUNIT))


def parsed(text: str) -> Any:
    """The tree of tests that kunit.py makes of it."""
    parser, printer = modules()
    return parser.parse_run_tests(text.splitlines(), printer.Printer(print=False, output=io.StringIO()))


@pytest.mark.parametrize("name", CHECKS)
def test_kunit_counts_as_the_json_does(name: str) -> None:
    run = reports(name)
    status, said = parse(run.texts["ktap"])
    fails, errors = len(run.ids("fail")), run.texts["ktap"].count(" # ERROR ")
    due = {"passed": len(run.ids("pass")), "failed": fails + errors, "skipped": len(run.ids("unknown"))}
    assert totals(said) == {key: n for key, n in due.items() if n}
    assert "[ERROR]" not in said and status == bool(fails + errors) == bool(run.status)
    assert set(re.findall(r"(?m)^\[FAILED\] (\w+/\S+)", said)) >= set(run.ids("fail"))


def test_a_finding_is_told_with_its_trace() -> None:
    _, said = parse(reports("bundled").texts["ktap"])
    told = said[: said.index("[FAILED] claim/no-false-shared-with-two-mms")].rpartition("[PASSED]")[2]
    assert "# include/linux/rmap.h:264: no more than two MMs at any one time" in told
    assert '# the patch says: "There won\'t be any false "mapped shared" detection' in told
    assert "# 1  add(mm=0, diff=1)  1         shared     mm0 x1" in told
    assert "# also conformance/inc/exclusive: exclusive: the model expects 1, the code gives 0" in told


def test_what_did_not_compile_is_not_lost() -> None:
    run = reports("unresolved")
    (line,) = [line for line in run.texts["ktap"].split("\n") if " # ERROR " in line]
    assert line == f"  not ok 1 not-compiled/1 # ERROR {run.err.strip()}" and run.status == 2


def test_the_reason_of_what_is_unknown() -> None:
    _, said = parse(reports("unknown").texts["ktap"])
    assert "[SKIPPED] claim/three-mms-stay-shared (it takes at least mms=3 to show)" in said


def test_of_a_series_it_is_said_who_brings_and_who_mends() -> None:
    _, said = parse(reports("series").texts["ktap"])
    assert "[FAILED] conformance/full/return" in said and "counter, after patch 1 of 2" in said
    assert "# after patch 1 of 2: brought by 1/2 counter: change it, mended by 2/2 counter: change it" in said


def test_hostile_text_is_no_syntax() -> None:
    run = reports("hostile")
    status, said = parse(run.texts["ktap"])
    assert status == 1 and "[FAILED] claim/small" in said and "crashed" not in totals(said)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]", run.texts["ktap"])


def test_mutants_and_differences() -> None:
    mutants = reports("mutate")
    _, said = parse(mutants.texts["ktap"])
    data = mutants.json
    assert totals(said) == {"passed": len(data["killed"]), "failed": len(data["survived"]),
                            "skipped": len(data["equivalent"])}  # fmt: skip
    assert mutants.status == 1 and len(data["survived"]) > 1
    differing = reports("diff")
    status, said = parse(differing.texts["ktap"])
    (contract,) = differing.json["contracts"]
    parts = [part for block in contract["differences"] for part in block["parts"]]
    changed = [claim for claim in contract["claims"] if claim["fate"] in CHANGED]
    assert status == 1 and totals(said)["failed"] == len(parts) + len(changed) > 5
    assert "[FAILED] difference/add/exclusive" in said and "[ERROR]" not in said
    status, said = parse(reports("same").texts["ktap"])
    assert status == 0 and totals(said).keys() == {"passed"}


def test_known_and_inherited_findings_are_skipped_with_their_reason() -> None:
    text = render(outline(case("claim/a", known=KNOWN), case("claim/b", inherited=True), case("claim/c")))
    assert "  ok 1 claim/a # SKIP known: it is mended in the next series (until 2031-05-01)" in text
    assert "  ok 2 claim/b # SKIP inherited: the base does the same" in text and "\nnot ok 1 toy\n" in text
    assert totals(parse(text)[1]) == {"failed": 1, "skipped": 2}
    said = parse(render(outline(case(known=KNOWN), status=0)))[1]
    assert totals(said) == {"skipped": 1} and "[ERROR]" not in said


def test_a_run_of_nothing_has_a_result() -> None:
    assert parse(render(outline(status=0, word="SAME", command="diff")))[0] == 0
    status, said = parse(render(outline(status=2, summary="nothing could be compared")))
    assert status == 1 and "[ERROR]" not in said and totals(said) == {"failed": 1}


@settings(max_examples=300)
@given(st.text(), st.text(), st.text(), st.sampled_from(("pass", "fail", "unknown")))
def test_no_text_misleads_the_parser(one: str, other: str, why: str, verdict: str) -> None:
    cases = [case(f"claim/{one}", verdict, title=other, explained=why, reason=why, quote=one, contract=other),
             case("claim/last", "pass", contract=other)]  # fmt: skip
    shown = outline(*cases, title=one, remarks=(other,), errors=(why,), about=(other, why), again=(one,))
    test = parsed(render(shown))
    counts = test.counts
    assert (counts.passed, counts.failed, counts.skipped, counts.crashed, counts.errors) == (
        1 + (verdict == "pass"), 1 + (verdict == "fail"), int(verdict == "unknown"), 0, 0)  # fmt: skip


@pytest.mark.parametrize("name", ["hostile", "mutate", "tree"])
def test_the_same_run_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    first, second = RUNS[name](tmp_path), RUNS[name](tmp_path)
    assert {**first.texts, "json": ""} == {**second.texts, "json": ""}
    data, more = first.json, second.json
    assert data | {"timing": 0} == more | {"timing": 0}  # which is apart from the rest
