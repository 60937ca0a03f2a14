# SPDX-License-Identifier: GPL-2.0-only
"""Findings that are known already fail no run, and what a baseline says stays true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.report.baseline import today
from kernel_snippets import BUNDLED_PATCH
from tests.cli import ONE, QUICK, Done, kconform
from tests.mails import V1, next_revision

LATER, OVER = "2999-12-31", "2001-01-31"


def run(patch: object, *more: object) -> Done:
    return kconform("check", patch, *ONE, *QUICK, *more)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("baseline") / "known.json"
    done = run(BUNDLED_PATCH, "--write-baseline", path, "--reason", "fixed in v2")
    assert done.status == 0 and done.out.startswith("PASS: 3 known, ")
    return path


def entries(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["findings"]
    return found


def changed(path: Path, folder: Path, **values: object) -> Path:
    """The baseline with other values in all of its entries."""
    made = folder / "changed.json"
    made.write_text(json.dumps({"schema": 1, "findings": [one | values for one in entries(path)]}))
    return made


def test_over_three_revisions(written: Path, tmp_path: Path) -> None:
    known = run(BUNDLED_PATCH, "--baseline", written)
    assert known.status == 0 and "FINDING" not in known.out
    assert "known, fixed in v2: conformance/add/exclusive (too low), " in known.out
    broken = tmp_path / "broken"
    worse = V1.replace("folio->_mm0_mapcount = diff - 1;", "folio->_mm0_mapcount = diff;")
    assert worse != V1
    broken.write_text(worse)
    again = run(broken, "--baseline", written, "--format", "json")
    assert again.status == 1
    verdicts = {c["id"]: bool(c["known"]) for c in again.json["checks"] if c["verdict"] == "fail"}
    assert verdicts["conformance/add/exclusive"] and not verdicts["conformance/add/count0"]
    mended = run(next_revision(), "--baseline", written)
    assert mended.status == 0 and mended.out.count("no longer there, drop it from the baseline: ") == 3


def test_lines_and_subjects_do_not_matter(written: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.write_text(V1.replace("[PATCH v1 08/17] mm/rmap: initial", "[PATCH v7] mm: another", 1))
    assert run(moved, "--baseline", written).status == 0


def test_an_entry_expires(written: Path, tmp_path: Path) -> None:
    later = run(BUNDLED_PATCH, "--baseline", changed(written, tmp_path, expires=LATER))
    assert later.status == 0 and f"known until {LATER}, fixed in v2: " in later.out
    over = run(BUNDLED_PATCH, "--baseline", changed(written, tmp_path, expires=OVER))
    assert over.status == 1 and over.out.startswith("FAIL: 3 of ")
    assert (
        f"known until {OVER}, and still there: conformance/add/exclusive (too low): fixed in v2" in over.out
    )


def test_the_day_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert today() == "2001-09-09"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "x")
    assert today() > "2026"


def test_what_was_written_keeps_its_reasons(written: Path, tmp_path: Path) -> None:
    old = changed(written, tmp_path, reason="as agreed", expires=LATER)
    new = tmp_path / "new.json"
    assert run(BUNDLED_PATCH, "--baseline", old, "--write-baseline", new).status == 0
    assert [(e["reason"], e["expires"]) for e in entries(new)] == [("as agreed", LATER)] * 3
    assert run(next_revision(), "--baseline", new, "--write-baseline", new).status == 0
    assert entries(new) == []


def test_what_was_not_judged_is_not_called_gone(written: Path) -> None:
    done = kconform("check", BUNDLED_PATCH, "--contract", "mm-ids-word", *QUICK, "--baseline", written)
    assert "no longer there" not in done.out


def test_a_baseline_is_written_the_same_twice(written: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    run(BUNDLED_PATCH, "--write-baseline", again, "--reason", "fixed in v2")
    assert again.read_bytes() == written.read_bytes()


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "not JSON"),
        ("[1]", "not a baseline of schema 1"),
        ('{"schema": 2, "findings": []}', "not a baseline of schema 1"),
        ('{"schema": 1, "findings": [1]}', "finding 1 is not an object"),
        ('{"schema": 1, "findings": [{}]}', "finding 1 has no fingerprint"),
    ],
)
def test_what_is_no_baseline_is_one_line(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    done = run(BUNDLED_PATCH, "--baseline", path)
    assert done.status == 2 and words in done.err and done.err.count("\n") == 1 and not done.out
    assert done.err.startswith(str(path))


@pytest.mark.parametrize(
    "values, words",
    [
        ({"reason": "  "}, "empty reason"),
        ({"expires": "tomorrow"}, "give it as YYYY-MM-DD"),
        ({"expires": 3}, "give it as YYYY-MM-DD"),
        ({"fingerprint": "xyz"}, "xyz is no fingerprint"),
        ({"title": "a\nb"}, "no title of one line"),
    ],
)
def test_an_entry_that_is_none(values: dict[str, object], words: str, written: Path, tmp_path: Path) -> None:
    done = run(BUNDLED_PATCH, "--baseline", changed(written, tmp_path, **values))
    assert done.status == 2 and words in done.err and done.err.count("\n") == 1


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    missing = run(BUNDLED_PATCH, "--baseline", tmp_path / "none")
    assert missing.status == 2 and "there is no such baseline" in missing.err
    alone = run(BUNDLED_PATCH, "--reason", "x")
    assert alone.status == 2 and "--write-baseline" in alone.err
    matrix = run(BUNDLED_PATCH, "--matrix", "--write-baseline", tmp_path / "x")
    assert matrix.status == 2 and "--write-baseline is of one configuration" in matrix.err


def test_what_this_run_says_nothing_of_is_kept(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_bytes(written.read_bytes())
    words = ("check", BUNDLED_PATCH, "--contract", "mm-ids-word", *QUICK, "--write-baseline", path)
    assert kconform(*words).status == 0 and entries(path) == entries(written)
    again = run(BUNDLED_PATCH, "--write-baseline", path)
    assert again.status == 0 and {e["reason"] for e in entries(path)} == {"fixed in v2"}
    shard = run(BUNDLED_PATCH, "--write-baseline", path, "--shard", "1/2")
    assert shard.status == 2 and "kconform merge" in shard.err


def test_another_defect_of_a_known_kind_is_not_known(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(V1.replace("+ * @_mm_ids", "+ * @_mm_idz"))
    second.write_text(first.read_text().replace("+ * @_mm0_mapcount", "+ * @_mm0_mapcounz"))
    assert V1 != first.read_text() != second.read_text()
    known = tmp_path / "known.json"
    every = ("--walk", "0", "--no-sanitizers")
    assert kconform("check", first, *every, "--write-baseline", known).status == 0
    done = kconform("check", second, *every, "--baseline", known)
    assert done.status == 1 and "_mm0_mapcounz" in done.out


def test_what_cannot_be_written_is_said_first(tmp_path: Path) -> None:
    done = run(BUNDLED_PATCH, "--write-baseline", tmp_path / "none/x", "--format", f"json:{tmp_path}/j")
    assert done.status == 2 and "there is no folder" in done.err and not (tmp_path / "j").exists()
    twice = run(BUNDLED_PATCH, "--write-baseline", tmp_path / "x", "--format", f"json:{tmp_path}/./x")
    assert twice.status == 2 and "would be written twice" in twice.err


def test_more_calls_than_were_known_are_a_finding(written: Path, tmp_path: Path) -> None:
    fewer = run(BUNDLED_PATCH, "--baseline", changed(written, tmp_path, failed=1, judged=100_000))
    assert fewer.status == 1 and "worse than before: the baseline knows it in 1 of 100,000" in fewer.out
    assert run(BUNDLED_PATCH, "--baseline", changed(written, tmp_path, failed=0, judged=0)).status == 0
    odd = run(BUNDLED_PATCH, "--baseline", changed(written, tmp_path, failed=-1))
    assert odd.status == 2 and "failed and judged are numbers" in odd.err
