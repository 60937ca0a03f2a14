# SPDX-License-Identifier: GPL-2.0-only
"""The mail format: 72 columns, a finding on a screen, nothing that is cut, and never a tag."""

from __future__ import annotations

import email
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.document import Case, PatchText, Row, Table
from harness.report.mail import SCREEN, defect, render
from harness.report.narrow import WIDTH, folded, trace_lines
from harness.report.outline import Outline, Suite
from tests.cli import ONE, QUICK, kconform
from tests.mails import SUBJECT, V1, next_revision
from tests.test_toys import added_file, toy_diff

HEAD = "From: kconform <kconform@example.org>\nSubject: Re: [PATCH] x\nMessage-ID: <1@example.org>\n\n"


@pytest.fixture(scope="module")
def found() -> str:
    done = kconform("check", "-", "--format", "mail", *ONE, *QUICK, stdin=V1)
    assert done.status == 1 and not done.err
    return done.out


def b4() -> Any:
    try:
        import b4 as module
        import b4.review._review
    except ImportError as err:
        pytest.fail(f"{err}; with Python 3.11 or newer, pip install 'b4>=0.16' brings b4 with its review")
    return module


def own(text: str) -> list[str]:
    """The lines that are not the patch's, quoted."""
    return [line for line in text.split("\n") if not line.startswith("> ")]


def trailers(text: str) -> list[Any]:
    """What git and b4 take for trailers."""
    done = subprocess.run(
        ["git", "interpret-trailers", "--parse"], input=text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    message = b4().LoreMessage(email.message_from_string(HEAD + text, policy=b4().emlpolicy))
    strict, _ = b4().LoreMessage.find_trailers(text, followup=True)
    return [*done.stdout.splitlines(), *(t.as_string() for t in [*message.trailers, *strict])]


def test_a_finding_as_a_reply(found: str) -> None:
    assert found.startswith("Hello,\n\nkconform compiled the functions of this patch in userspace")
    assert f"> {SUBJECT[:68]}\n> (" in found and "It has 1 finding, told below: 3 of " in found
    assert "> +		folio_clear_large_mapped_exclusively(folio);\n\n1. claim/no-false-shared" in found
    assert "     call               mapcount  flag       slot 0\n" in found
    assert "  1  add(mm=0, diff=1)  1         shared     mm0 x1\n" in found
    assert "(in every step: slot 1 -, lock -, warnings 0)" in found
    assert "bounds mms=3, pages=4: all 1,702 states" in found and "mm0 has ID 1, mm1" in found
    assert '"kconform check PATCH --traces DIR" saves them' in found
    assert re.search(r"\n-- \nkconform \S+, gcc .*ebb037f21f4e\n$", found, re.S)


def test_the_width_and_the_screen(found: str) -> None:
    assert max(map(len, own(found))) <= WIDTH and found.isascii() and "\t" not in "".join(own(found))
    finding = found[found.index("> diff --git") : found.index("\n-- \n")]
    assert len(finding.splitlines()) <= SCREEN


def test_b4_review_shows_it_at_its_line(found: str) -> None:
    """b4 makes inline comments of what follows a quoted line of a diff."""
    review = b4().review._review
    said, comment = review._extract_comments_from_quoted_reply(found.partition("\n-- \n")[0])
    assert said["path"] == review.COMMIT_MESSAGE_PATH and said["text"].startswith("It has 1 finding")
    assert comment["path"].endswith("include/linux/rmap.h") and comment["text"].startswith(
        "1. claim/no-false"
    )
    assert comment["content"] == "+		folio_clear_large_mapped_exclusively(folio);"
    diff = V1[V1.index("diff --git") : V1.index("-- \n2.46.0")]
    review._resolve_comment_positions(diff, [comment])
    assert comment["line"] == 264


def test_there_is_no_tag_in_it(found: str) -> None:
    assert not trailers(found)
    assert not re.search(r"^\s*\S+-by:", found, re.M)


def test_a_pass_is_short() -> None:
    text = toy_diff("static inline int toy_half(int a)\n{\n\treturn a / 2;\n}\n")
    done = kconform("check", "-", "--format", "mail", *QUICK, stdin=text)
    assert done.status == 0 and len(done.out.splitlines()) < 24 and not trailers(done.out)
    assert "It has no findings: " in done.out and max(map(len, own(done.out))) <= WIDTH


def test_of_a_diff_and_of_mutants(tmp_path: Path) -> None:
    old = tmp_path / "old.patch"
    old.write_text(V1)
    done = kconform("diff", old, next_revision(), "--format", "mail", *ONE, "--walk", "0")
    assert "side by side:" in done.out and "They differ, as told below: 5 differences, 1 claim" in done.out
    assert max(map(len, own(done.out))) <= WIDTH and not trailers(done.out)


def test_a_long_series_and_a_tree() -> None:
    said = render(outline(patches=tuple(patch(f"[PATCH {n}/9] x") for n in range(1, 10))))
    assert (
        "functions of these patches in" in said and "> [PATCH 4/9] x\n\nand 5 more of the series.\n" in said
    )
    assert "functions of this tree in" in render(outline(text="linux at 0123"))


# Hostile words.

TAG = "Reviewed-by: Some Body <some@body.example.org>"
FILL = [
    *("the mapcount", "is", "a", TAG, f"\n{TAG}\n", 'Fixes: 0123456789ab ("mm: x")', "Link: https://x.org/y"),
    *("---", "-- ", "From: a@b.c", "Cc: <stable@vger.kernel.org>", "x" * 90, "\n", ">", "Acked-by:a@b.c"),
]
words = st.lists(st.sampled_from(FILL), max_size=8).map(" ".join)
cell = st.lists(st.sampled_from(["mm0 x1", "-", "0", TAG, "y" * 80, "exclusive"]), max_size=2).map(" ".join)


@st.composite
def tables(draw: Any) -> Table:
    columns = draw(st.lists(st.sampled_from(["mapcount", "flag", "Tested-by:", "z" * 75]), max_size=5))
    row = st.builds(Row, cell, st.tuples(*(cell for _ in columns)))
    return Table(tuple(columns), tuple(draw(st.lists(row, max_size=12))))


cases = st.builds(
    Case, id=words.map(lambda text: " ".join(text.split()) or "claim/x"), group=st.just("claim"),
    verdict=st.just("fail"), title=words, quote=words, says=st.sampled_from(["the patch", "the contract"]),
    explained=words, doubt=words, spread=words, file=st.sampled_from(["", "mm/a.c"]), line=st.just(3),
    source=words, table=tables(),
)  # fmt: skip


def outline(*cases: Case, text: str = "", patches: tuple[PatchText, ...] = ()) -> Outline:
    tool = {"version": "1", "compiler": "gcc"}
    blocks, suites = tuple((case,) for case in cases), (Suite("x", "x", cases),)
    said = (text,)
    return Outline("check", "FAIL", 1, "1 failed", text, said, suites, blocks, said, said, (), said, (),
                   patches, tool)  # fmt: skip


def patch(title: str) -> PatchText:
    diff = added_file("mm/a.c", f"int a;\nint b;\n{TAG}\nint c;\n").rstrip("\n").split("\n")
    return PatchText(title, "x.eml", "0" * 64, ("mm/a.c",), (), diff=tuple(diff))


@given(cases, words)
def test_no_words_become_a_trailer_or_leave_the_width(case: Case, text: str) -> None:
    said = render(outline(case, text=text, patches=(patch(" ".join(text.split())),)))
    assert not trailers(said), said
    assert all(len(line) <= WIDTH for line in own(said)), said


def test_a_quoted_line_of_the_patch_is_no_trailer_either() -> None:
    case = Case("claim/x", "claim", "fail", "t", file="mm/a.c", line=3, source=TAG)
    said = render(outline(case, patches=(patch("x"),)))
    assert f"> @@ -0,0 +1,4 @@\n> +int a;\n> +int b;\n> +{TAG}\n\n1. claim/x at mm/a.c:3\n" in said
    assert not trailers(said)


def test_a_line_that_no_patch_shows_is_not_quoted() -> None:
    case = Case("claim/x", "claim", "fail", "t", file="mm/a.c", line=2, source="int other;")
    said = render(outline(case, patches=(patch("x"),)))
    assert "1. claim/x at mm/a.c:2\n  | int other;\n" in said and "> diff" not in said


# Traces.


def squeezed(lines: list[str]) -> str:
    return "".join("".join(lines).split())


@given(tables())
def test_no_value_is_cut(table: Table) -> None:
    lines = trace_lines(table, 999)
    said = squeezed(lines)
    assert all(len(line) <= WIDTH for line in lines)
    for row in table.rows:
        assert all("".join(value.split()) in said for value in [row.call, *row.cells]), lines


def walk(steps: int, wide: int = 5) -> Table:
    cells = [[f"{n * 10 + c:0{wide}}" for c in range(9)] for n in range(steps)]
    rows = [Row(f"add(mm={n})", (*each, "0")) for n, each in enumerate(cells)]
    return Table((*(f"column{c}" for c in range(9)), "warnings"), tuple(rows))


def test_columns_that_do_not_fit_stand_below_with_the_steps_numbers() -> None:
    lines = trace_lines(walk(3), 99)
    assert lines[0].split() == ["call", *(f"column{c}" for c in range(6))]
    assert lines[3].split() == ["2", "add(mm=2)", *(f"0002{c}" for c in range(6))]
    assert lines[4].split() == [f"column{c}" for c in range(6, 9)] and lines[7].split()[0] == "2"
    assert lines[-1] == "  (in every step: warnings 0)"


def test_a_value_wider_than_a_line_makes_a_paragraph_of_each_step() -> None:
    table = Table(("bytes",), (Row("(initial)", ("0" * 100,)), Row("add()", ("1" * 100,))))
    assert squeezed(trace_lines(table, 99)) == f"0(initial)->bytes{'0' * 100}1add()->bytes{'1' * 100}"


def test_what_is_left_out_of_a_long_trace_is_said() -> None:
    lines = trace_lines(walk(200, 1), 14)
    assert len(lines) <= 14
    text = "\n".join(lines)
    assert re.search(r"\.\.\. steps \d+ to \d+ left out \.\.\.", text) and "add(mm=199)" in text
    assert "add(mm=0)" in text
    case = Case("claim/x", "claim", "fail", "t " * 100, explained="e " * 60, table=walk(200, 1))
    assert len(defect(outline(case), (case,), SCREEN)) <= SCREEN


def test_a_call_that_did_not_come_back() -> None:
    rows = (Row("(initial)", ("0",)), Row("add(mm=0)", (), stopped="it never ends"))
    assert trace_lines(Table(("mapcount",), rows), 9)[2] == "  1  add(mm=0) -> it never ends"
    base = replace(rows[0], cells=("1",), was=("7",))
    assert trace_lines(Table(("mapcount",), (rows[0], base)), 9)[2].split() == [
        "1",
        "(initial)",
        "1",
        "(was",
        "7)",
    ]


def test_many_checks_of_one_defect_stay_on_a_screen() -> None:
    case = Case("x", "conformance", "fail", "t " * 20, explained="e " * 40, table=walk(9))
    block = tuple(replace(case, id=f"conformance/x/{n}") for n in range(40))
    lines = defect(outline(), block, SCREEN)
    assert len(lines) <= SCREEN and "and 33 more" in " ".join(" ".join(lines).split())


def test_folding_keeps_lines_and_words() -> None:
    assert folded("a\nb", "- ", "  ") == ["- a", "  b"] and folded("", "- ") == []
