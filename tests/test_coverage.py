# SPDX-License-Identifier: GPL-2.0-only
"""Coverage of the patch's own lines: exact on small functions, complete on the real patch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cffi import FFI

from extractor.items import Item, SourceLine
from extractor.slice import Slice
from harness import coverage, explore, worker
from harness.branches import conditions
from harness.build import build, contract_library, engine_library
from harness.contract import Loaded
from harness.coverage import (
    Branch,
    Counters,
    Coverage,
    LineCoverage,
    PatchCoverage,
    coverage_flavour,
    decode_counters,
    measure,
    merge,
    read_coverage,
)
from harness.driver import COMPLETE, Driver, Flight, Libraries, Limits
from harness.errors import HarnessError
from harness.loading import contract_path, load
from harness.render import Rendered, render, render_contract
from harness.report.coverage import coverage_json, coverage_listing, coverage_summary
from harness.subjects import slice_of
from kernel_snippets import BUNDLED_PATCH
from tests import shim_subject
from tests.mails import items_of

# The real patch, driven by the engine in its cage.


def driven(folder: Path, loaded: Loaded, piece: Slice, config: dict[str, bool], skip: set[str]) -> str:
    rendered = render(loaded, piece, {})
    built = build(rendered, config, folder, coverage_flavour()).finish()
    contract = contract_library(render_contract(loaded), folder).finish()
    libraries = Libraries(built.library, contract, engine_library(folder).finish())

    def task() -> str:
        driver = Driver(libraries, loaded, Flight(), frozenset(skip | set(rendered.unavailable)))
        driver.counters = Counters(built.library)
        explored = explore.explore(driver, Limits(), "off")
        assert explored.end == COMPLETE
        return explored.counters

    outcome = worker.run(task, worker.Limits())
    assert not outcome.error and not outcome.killed_by, outcome
    return str(outcome.result)


def bundled(folder: Path, *kinds: str) -> PatchCoverage:
    """The bundled patch's coverage by the contract's operations of `kinds`."""
    loaded = load(contract_path("mm-owner-tracking"), {})
    config = dict(loaded.contract.config)
    piece = slice_of(loaded, items_of(BUNDLED_PATCH))
    skip = {op.name for op in loaded.contract.operations if op.kind not in kinds}
    gcda = decode_counters(driven(folder, loaded, piece, config, skip))
    return measure(read_coverage(folder, gcda, {item.file for item in piece.items}), piece.items)


def test_every_line_and_branch_of_the_bundled_patch_is_covered(tmp_path: Path) -> None:
    said = bundled(tmp_path, "operation", "probe", "misuse")
    assert (said.lines.done, said.branches.done) == (said.lines.total, said.branches.total) == (81, 74)
    assert str(said.called) == "12 of 12" and said.missed == ()
    assert coverage_summary(said) == (
        "coverage of the patch's lines: 81 of 81 lines, 74 of 74 branches, 12 of 12 functions\n"
    )
    rows = coverage_listing(said).split("\n")
    assert any(row.endswith(":  229:   6/6:	VM_WARN_ON_ONCE(diff <= 0 || mm_id < MM_ID_MIN || mm_id > "
                            "MM_ID_MAX);") for row in rows)  # fmt: skip
    assert "        -:  233:      :	 * We expect that unmapped folios always have the" in "\n".join(rows)


def test_what_correct_calls_alone_do_not_cover_is_named(tmp_path: Path) -> None:
    said = bundled(tmp_path, "operation")
    missed = {(m.line, m.words) for m in said.missed if m.file == "include/linux/rmap.h"}
    assert {
        (229, "never true: diff <= 0"),
        (229, "never true: mm_id < MM_ID_MIN"),
        (229, "never true: mm_id > MM_ID_MAX"),
        (218, "never true: !folio_test_large_mapped_exclusively(folio)"),
        (228, "never true: !folio_test_large(folio)"),
        (228, "never true: folio_test_hugetlb(folio)"),
    } <= missed
    assert (said.lines.done, said.lines.total) == (81, 81)
    text = coverage_summary(said)
    assert (
        "  include/linux/rmap.h:212: never true: !folio_test_large(folio); never true:\n"
        "    folio_test_hugetlb(folio)\n"
        "      VM_WARN_ON_ONCE(!folio_test_large(folio) || folio_test_hugetlb(folio));\n"
    ) in text
    assert max(map(len, text.split("\n"))) <= 100


def test_functions_that_nobody_calls_are_marked(tmp_path: Path) -> None:
    said = bundled(tmp_path, "probe")
    never = {function.name for function in said.functions if not function.called}
    assert never == {"folio_set_large_mapcount", "folio_add_large_mapcount", "folio_sub_large_mapcount"}
    assert "never called: folio_add_large_mapcount" in coverage_summary(said)
    assert "    #####:  239:      :	mapcount_val = atomic_read" in coverage_listing(said)
    assert "    #####:  229:   0/6:	VM_WARN_ON_ONCE(diff" in coverage_listing(said)


# Small functions, whose counts are known.

TINY = """static __always_inline int tiny(int a, int b, int c)
{
	int left = 0;
	if (a == 1 || b == 1)
		left++;
	if (a == 2 && b == 2)
		goto out;
	if (a == 3)
		goto out;
	VM_WARN_ON_ONCE(a == 4);
	VM_WARN_ON_ONCE(a == 5 ||
			(b == 5 && c == 5));
	if (WARN_ON_ONCE(a == 6))
		return 6;
	if (WARN(a == 7 || b == 7, "%d\\n", left++)) /* if (x) */
		return 7;
	while (c > 0 && b < 9)
		c--;
	for (int i = 0; i < a; i++)
		left += !(b == 1 || c == 1);
	do {
		left++;
	} while (left < 3);
	for (;;) {
		if (left > 5)
			break;
		left++;
	}
	if (unlikely(a == 8))
		return left ? b : c;
	if (!(a == 0))
		left--;
out:
	return left;
}

static inline int idle(int a)
{
	if (a)
		return 1;
	return 2;
}"""
SUBJECT = """
#define KC_RECORD_DEFINE
#include <kconform/record.h>
#include <linux/mmdebug.h>
#include <linux/tiny.h>
__attribute__((visibility("default"))) int call(int a, int b, int c);
int call(int a, int b, int c) { return tiny(a, b, c) + tiny(a, b, c); }
"""


def handmade(text: str, file: str) -> list[Item]:
    items, first = [], 100
    for part in text.split("\n\n"):
        lines = tuple(SourceLine(t, first + n, "added") for n, t in enumerate(part.split("\n")))
        name = part.partition("(")[0].rpartition(" ")[2]
        items.append(Item("function", name, file, lines, "added", (), "complete", ""))
        first += len(lines) + 1
    return items


def tiny(folder: Path, calls: tuple[tuple[int, int, int], ...]) -> PatchCoverage:
    """What `calls` cover of TINY; each is made twice."""
    overlay = f'#line 100 "include/linux/tiny.h"\n{TINY}\n'
    built = build(
        Rendered({"linux/tiny.h": overlay}, SUBJECT, {}),
        {"CONFIG_DEBUG_VM": True, "CONFIG_64BIT": True},
        folder,
        coverage_flavour(),
    ).finish()

    def task() -> str:
        ffi = FFI()
        ffi.cdef("int call(int, int, int);")
        counters, subject = Counters(built.library), ffi.dlopen(str(built.library))
        for call in calls:
            subject.call(*call)
        return counters.read()

    outcome = worker.run(task, worker.Limits())
    assert not outcome.error, outcome
    gcda = decode_counters(outcome.result)
    items = handmade(TINY, "include/linux/tiny.h")
    return measure(read_coverage(folder, gcda, {"include/linux/tiny.h"}), items)


CALLS = (
    (1, 0, 0), (0, 1, 0), (0, 0, 0), (2, 2, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0), (5, 0, 0), (6, 0, 0),
    (7, 0, 0), (0, 7, 0), (0, 5, 5), (0, 5, 0), (8, 0, 2), (0, 9, 2), (9, 0, 1),
)  # fmt: skip


def taken(said: PatchCoverage, line: int) -> list[Any]:
    """Each condition of a line: text, times true, times false."""
    branches = said.functions[0].ran[line].branches
    found: dict[str, list[int]] = {}
    for branch in branches:
        found.setdefault(branch.condition, [0, 0])[not branch.outcome] += branch.count
    return [(text, *counts) for text, counts in found.items()]


def test_counts_are_exact(tmp_path: Path) -> None:
    """Every call of `CALLS` is made twice."""
    said = tiny(tmp_path, CALLS)
    assert said.functions[0].ran[100].count == 2 * len(CALLS)
    assert taken(said, 103) == [("a == 1", 2, 30), ("b == 1", 2, 28)]
    assert said.functions[0].ran[104].count == 4
    assert taken(said, 105) == [("a == 2", 4, 28), ("b == 2", 2, 2)]
    assert taken(said, 107) == [("a == 3", 2, 28)]  # its body is a goto
    assert said.functions[0].ran[108].count == 2
    assert taken(said, 109) == [("a == 4", 2, 26)]
    assert taken(said, 110) == [("a == 5", 2, 26), ("b == 5", 4, 22), ("c == 5", 2, 2)]
    assert 111 not in said.functions[0].ran
    assert taken(said, 112) == [("a == 6", 2, 26)]  # once, though the `if` tests it again
    assert taken(said, 114) == [("a == 7", 2, 24), ("b == 7", 2, 22)]
    # c is 5 and 2 and 1 to begin with, and 2 where b is 9 ends it at once
    assert taken(said, 116) == [("c > 0", 18, 20), ("b < 9", 16, 2)]
    assert said.functions[0].ran[117].count == 16
    assert taken(said, 118) == [("i < a", 2 * (1 + 2 + 4 + 5 + 8 + 9), 22)]
    assert [b.condition for b in said.functions[0].ran[122].branches] == ["left < 3"] * 2
    assert taken(said, 124)[0][2] == said.functions[0].ran[126].count
    assert taken(said, 128) == [("unlikely(a == 8)", 2, 20)]
    assert taken(said, 130) == [("!(a == 0)", 10, 10)]


def test_what_is_missed_is_said_in_words(tmp_path: Path) -> None:
    said = tiny(tmp_path, ((2, 2, 0), (0, 0, 0)))
    missed = [(m.line, m.words) for m in said.missed]
    assert missed[:4] == [
        (103, "never true: a == 1"),
        (103, "never true: b == 1"),
        (104, "never run"),
        (105, "never false: b == 2"),
    ]
    assert (107, "never true: a == 3") in missed
    assert (110, "never evaluated: c == 5") in missed
    assert (119, "never run") in missed and (129, "never run") in missed
    only = [words for line, words in missed if line == 116]
    assert only == ["never true: c > 0", "never evaluated: b < 9"]


def test_a_function_that_is_never_called_shows_it(tmp_path: Path) -> None:
    said = tiny(tmp_path, ((0, 0, 0),))
    assert str(said.called) == "1 of 2"
    text = coverage_listing(said)
    assert "include/linux/tiny.h: idle: never called\n     #####:  136:      :static inline int idle" in text
    assert "    #####:  138:   0/2:	if (a)\n     #####:  139:      :		return 1;" in text


def test_plain_data(tmp_path: Path) -> None:
    said = coverage_json(tiny(tmp_path, ((0, 0, 0),)))
    assert json.loads(json.dumps(said)) == said
    row = said["functions"][0]["counts"][2]
    assert row == {
        "line": 103,
        "count": 2,
        "branches": [
            {"count": 2, "condition": "a == 1", "outcome": False},
            {"count": 0, "condition": "a == 1", "outcome": True},
            {"count": 0, "condition": "b == 1", "outcome": True},
            {"count": 2, "condition": "b == 1", "outcome": False},
        ],
    }


# Pieces.


def test_copies_of_one_function_are_added_and_others_stand_side_by_side() -> None:
    one = LineCoverage("f.h", 3, 2, (Branch(1, True), Branch(0, False)))
    other = LineCoverage("f.h", 3, 5, (Branch(2, True), Branch(3, False)))
    assert merge([("f", one), ("f", other)]) == Coverage(
        (LineCoverage("f.h", 3, 7, (Branch(3, True), Branch(3, False))),)
    )
    assert merge([("f", one), ("g", other)]).lines[0].branches == one.branches + other.branches


def test_lines_of_the_context_do_not_count() -> None:
    lines = (SourceLine("int f(void)", 1, "context"), SourceLine("{ g(); }", 2, "added"))
    item = Item("function", "f", "f.h", lines, "added", (), "complete", "")
    said = measure(Coverage((LineCoverage("f.h", 1, 0), LineCoverage("f.h", 2, 4))), [item])
    assert str(said.lines) == "1 of 1" and said.missed == ()
    assert "    #####:    1:      :int f(void)" in coverage_listing(said)


def test_branches_that_the_text_does_not_explain_are_numbered() -> None:
    lines = (SourceLine("x = max(a, b) ? c : d;", 1, "added"),)
    item = Item("function", "f", "f.h", lines, "added", (), "complete", "")
    ran = LineCoverage("f.h", 1, 3, (Branch(3, True), Branch(0, False), Branch(0, True), Branch(3, False)))
    said = measure(Coverage((ran,)), [item])
    assert [m.words for m in said.missed] == [
        "branch 2 of 4 never taken",
        "branch 3 of 4 never taken (fallthrough)",
    ]


@pytest.mark.parametrize(
    "code, expected",
    [
        ("if (a)", [("a", True)]),
        ("if ((a || b) && c)", [("a", False), ("b", True), ("c", True)]),
        ("if ((a && b) || c)", [("a", True), ("b", False), ("c", True)]),
        ("while (f(x, y) && b)", [("f(x, y)", True), ("b", False)]),
        ("for (i = 0; i < 3 && v[i]; i++)", [("i < 3", True), ("v[i]", False)]),
        ("for (;;)", []),
        ("WARN(a || b, \"if (x)\", c && d);", [("a", False), ("b", True)]),
        ("/* if (x) */ s = \"if (y)\";", []),
        ("if (WARN_ON(a) || b)", [("a", True), ("WARN_ON(a)", False), ("b", True)]),
        ("if (a ? b : c)", []),
        ("if (a", []),
    ],
)  # fmt: skip
def test_conditions(code: str, expected: list[tuple[str, bool]]) -> None:
    found = conditions(code, 7)
    assert [(c.text, c.goes_on) for c in found.get(7, [])] == expected


@pytest.mark.parametrize("flags", [(), ("-DKC_COVERAGE=1",), ("-DKC_COVERAGE=1", "-O0")])
def test_warnings_mean_the_same_under_coverage(flags: tuple[str, ...], tmp_path: Path) -> None:
    source = """
#include <linux/mmdebug.h>
EXPORT int warned(int a, int b, int *evaluated);
int warned(int a, int b, int *evaluated)
{
	VM_WARN_ON_ONCE(a == 1 || b == 1);
	if (WARN(a == 2, "%d", (*evaluated)++))
		return 1;
	BUG_ON(b);
	return VM_WARN_ON(a & 4);
}
"""
    declared = "int warned(int, int, int *);"
    ffi, subject = shim_subject.load(tmp_path, declared, source, (*shim_subject.DEBUG_VM, *flags))
    said = []
    for a, b in ((0, 0), (1, 0), (0, 1), (2, 0), (4, 0), (4, 3)):
        evaluated, record = ffi.new("int *"), subject.record()
        record.warnings = 0
        record.first = ffi.NULL
        returned = subject.warned(a, b, evaluated)
        first = ffi.string(record.first.condition) if record.first != ffi.NULL else b""
        said.append((returned, evaluated[0], record.warnings, first))
    assert said == [
        (0, 0, 0, b""),
        (0, 0, 1, b"a == 1 || b == 1"),
        (0, 0, 2, b"a == 1 || b == 1"),
        (1, 1, 1, b"a == 2"),
        (1, 0, 1, b"a & 4"),
        (1, 0, 2, b"b"),
    ]


@pytest.mark.parametrize(
    "script, words",
    [("echo 11.4.0", "gcc 12 or newer"), ("echo 'unknown argument'; exit 1", "gcc 12 or newer"),
     ('case "$1" in -dump*) echo 12.2.0;; *) echo /lib/libgcov.a;; esac', "install gcov 12")],
)  # fmt: skip
def test_a_machine_without_gcov_is_one_line(
    script: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "gcc"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setattr("harness.coverage.compiler", lambda: str(fake))
    monkeypatch.setattr("harness.build.compiler", lambda: str(fake))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HarnessError, match=words) as caught:
        coverage.gcov.__wrapped__()
    assert "\n" not in str(caught.value)


def test_damaged_counters_are_said(tmp_path: Path) -> None:
    tiny(tmp_path, ((0, 0, 0),))
    with pytest.raises(HarnessError, match="damaged"):
        decode_counters("!")
    with pytest.raises(HarnessError, match="gcov gave no result"):
        read_coverage(tmp_path, b"\0" * 64, {"include/linux/tiny.h"})
    with pytest.raises(HarnessError, match="no subject of the coverage flavour"):
        read_coverage(tmp_path / "include", b"", set())
