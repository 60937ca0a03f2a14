# SPDX-License-Identifier: GPL-2.0-only
"""Mutants judged: the real patch's, whole command lines, and what counts as killed or equivalent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from extractor.mutants import Mutant, mutants
from harness.cli.main import main
from harness.driver import Call
from harness.loading import contract_path, load
from harness.mutate import mutate
from harness.object_code import same_code
from harness.report.mutate import strength_data
from harness.report.words import strength_record
from harness.shrink import minimal
from harness.subjects import Attempt, slice_of
from kernel_snippets import BUNDLED_PATCH
from tests.cli import ONE, QUICK, kconform, once
from tests.mails import items_of
from tests.planted import REPAIR, added, plant

FILES = [f"include/linux/{name}.h" for name in ("rmap", "page-flags", "mm_types")]


@pytest.fixture
def said() -> dict:
    """What `mutate` says of the bundled patch."""
    done = once("mutate", BUNDLED_PATCH, *ONE, "--format", "json")
    assert done.err == ""
    return done.json


def few(monkeypatch: pytest.MonkeyPatch, wanted: Callable[[Mutant], object]) -> None:
    """Lets only those mutants be made that are wanted."""
    monkeypatch.setattr("harness.mutate.mutants", lambda items: [m for m in mutants(items) if wanted(m)])


@pytest.mark.xdist_group("mutants")  # of which one worker judges them once
def test_the_bundled_patchs_mutants(said: dict) -> None:
    assert said["total"] == len(said["killed"]) + len(said["equivalent"]) + len(said["survived"]) >= 150
    assert said["not_compiled"] == []
    assert said["score"] > 0.99
    # What is left changes how often a misuse warns, and nothing that anyone is promised.
    assert [(m["line"], m["before"], m["after"]) for m in said["survived"]] == [(206, "|=", "^=")]
    assert "every legal call" in said["survived"][0]["why"]
    known = {m["before"] for m in said["equivalent"]}
    assert known == {"62", "0x00000000fffffffful", "32", "0x00ffffff00000000ul", "|="}
    groups = {m["by"].partition("/")[0] for m in said["killed"]}
    assert groups == {"conformance", "misuse", "claim", "crash"}


@pytest.mark.xdist_group("mutants")
def test_every_killed_mutant_names_its_check_and_every_one_its_diff(said: dict) -> None:
    for mutant in said["killed"]:
        assert re.match(r"(conformance|misuse|claim|crash|sanitizer)/\w", mutant["by"])
    for mutant in (*said["killed"], *said["equivalent"], *said["survived"]):
        assert mutant["diff"][0].startswith("-") and mutant["diff"][-1].startswith("+")
        assert mutant["file"] in FILES


@pytest.mark.xdist_group("mutants")
def test_a_dropped_check_that_a_callee_repeats_is_killed_by_name(said: dict) -> None:
    dropped = [m for m in said["killed"] if m["operator"] == "drop-statement" and m["line"] == 228]
    assert dropped and dropped[0]["by"] == "misuse/add/small-folio/itself"


def test_the_text_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    few(monkeypatch, lambda mutant: 195 < mutant.line < 215)
    assert main(["mutate", str(BUNDLED_PATCH), *ONE, "--jobs", "1", "--bound", "pages=3"]) == 1
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert re.match(r"strength: \d+ of \d+ mutants killed \(\d\d\.\d %\)", lines[0])
    assert "bounds mms=3, pages=3" in lines[2] and max(map(len, lines)) <= 100
    assert "SURVIVED include/linux/rmap.h:206  change-assignment" in out


def test_strength_in_the_report_of_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few(monkeypatch, lambda mutant: 195 < mutant.line < 215)
    assert main(["check", str(BUNDLED_PATCH), *ONE, *QUICK, "--strength"]) == 1
    out = capsys.readouterr().out
    killed = re.search(r"^strength: (\d+) of (\d+) mutants killed", out, re.M)
    assert killed and int(killed[2]) - 1 == int(killed[1]) > 10
    assert "  survived: include/linux/rmap.h:206 change-assignment" in out


def test_a_check_of_little_worth_is_shown_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract that claims nothing, models nothing and expects no warning kills next to nothing."""
    text = contract_path("mm-owner-tracking").read_text()
    text = re.sub(r"\n +model=\w+_model,", "", text)
    text = re.sub(r"claims=\(.*?\n    \),\n    features", "claims=(),\n    features", text, flags=re.S)
    path = tmp_path / "weak.py"
    path.write_text(text)
    monkeypatch.setattr("harness.mutate.WALK", 3000)  # each survivor would walk for long
    few(monkeypatch, lambda mutant: mutant.line % 3 == 0)
    weak = mutate(items_of(BUNDLED_PATCH), [load(path, {"mms": 2, "pages": 2})], 2)
    assert strength_record(weak).score < 0.7 and len(weak.survived) > 15
    assert any("no check minds" in m["why"] for m in strength_data(strength_record(weak))["survived"])


def test_a_mutant_that_only_undefined_behaviour_betrays_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start = "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;"
    code = "	if (folio->_mm0_mapcount > 2)\n		diff += (int)(1UL << (folio->_mm0_mapcount + 58)) & 0;"
    few(monkeypatch, lambda mutant: mutant.line in (282, 283))
    path = tmp_path / "planted.eml"
    path.write_text(plant(REPAIR, (start, added(code) + start)))
    strength = mutate(items_of(path), [load(contract_path("mm-owner-tracking"), {})], 2)
    by = {m["by"] for m in strength_data(strength_record(strength))["killed"]}
    assert any(name.startswith("sanitizer/") for name in by)


def test_bad_options() -> None:
    for arguments in (["--jobs", "0"], ["--jobs", "x"], ["--contract", "nosuch"], ["--bound", "pages=0"]):
        done = kconform("mutate", BUNDLED_PATCH, *arguments)
        assert done.status == 2 and "Traceback" not in done.err
    wide = kconform("mutate", BUNDLED_PATCH, *ONE, "--bound", "mms=12", "--bound", "pages=512")
    assert wide.status == 2 and "too wide" in wide.err and wide.err.count("\n") == 1


def test_the_same_object_code_is_seen(tmp_path: Path) -> None:
    loaded = load(contract_path("mm-owner-tracking"), {"pages": 2})
    config = dict(loaded.contract.config)
    piece = slice_of(loaded, items_of(BUNDLED_PATCH))
    subject = Attempt(loaded, piece, config, tmp_path / "subject").settle()
    item = next(i for i in piece.items if i.name == "folio_sub_large_mapcount")

    def edit(before: str, after: str) -> Mutant:
        at = item.text.index(before)
        return Mutant(item.name, item.file, item.line, 0, "by hand", before, after, at)

    alike = edit("if (folio_mm0_id(folio) == mm_id)", "if (mm_id == folio_mm0_id(folio))")
    other = edit("folio->_mm0_mapcount -= diff", "folio->_mm0_mapcount += diff")
    assert same_code(subject, loaded, config, [alike, other], tmp_path / "assembly") == {alike}


def test_a_mutant_that_does_not_compile_is_left_out_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    items = items_of(BUNDLED_PATCH)
    loaded = load(contract_path("mm-owner-tracking"), {"mms": 2, "pages": 2})
    piece = slice_of(loaded, items)
    few = mutants(piece.items)[:6]
    broken = replace(few[2], after="no_such_name")
    monkeypatch.setattr("harness.mutate.mutants", lambda _: [*few[:2], broken, *few[3:]])
    strength = mutate(items, [loaded], 1)
    assert [judged.mutant for judged in strength.broken] == [broken]
    assert strength_record(strength).total == 5


# Shrinking.


def test_a_minimal_trace_has_no_call_too_many_and_no_argument_too_large() -> None:
    def fails(calls: object) -> int:
        total = 0
        for number, call in enumerate(calls, 1):  # type: ignore[call-overload]
            total += call.args[0]
            if total >= 10 and any(c.op == 7 for c in calls[:number]):  # type: ignore[index]
                return number
        return 0

    def simpler(calls: object):  # type: ignore[no-untyped-def]
        for at, call in enumerate(calls):  # type: ignore[call-overload, arg-type]
            for value in range(call.args[0]):
                yield [*calls[:at], Call(call.op, (value,)), *calls[at + 1 :]]  # type: ignore[index]

    long = [Call(n % 9, (n % 5,)) for n in range(60)]
    small = minimal(long, fails, simpler)
    assert fails(small) == len(small)
    for at in range(len(small)):
        assert not fails(small[:at] + small[at + 1 :])
    assert not any(fails(form) for form in simpler(small))
    assert minimal(long, fails, simpler, tries=3)
    assert minimal([Call(0, (0,))], fails, simpler) == [Call(0, (0,))]
