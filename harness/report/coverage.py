# SPDX-License-Identifier: GPL-2.0-only
"""Coverage as text: what is not covered, and the patch's functions with marks, as gcov lists them."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from harness.coverage import FunctionCoverage, LineCoverage, Missed, PatchCoverage, Share

WIDTH = 100


def coverage_summary(coverage: PatchCoverage) -> str:
    """How much of the patch's own lines ran, and what did not: at most `WIDTH` columns."""
    total = f"coverage of the patch's lines: {coverage.lines} lines, {coverage.branches} branches, "
    lines = [f"{total}{coverage.called} functions"]
    for function in coverage.functions:
        if not function.called:
            lines += wrapped(f"never called: {function.name}")
    for _, missed in itertools.groupby(coverage.missed, key=lambda m: (m.file, m.line)):
        lines += described(list(missed))
    return "\n".join(lines) + "\n"


def described(missed: Sequence[Missed]) -> list[str]:
    """What one line lacks: where and what, then the line's text."""
    first, words = missed[0], "; ".join(m.words for m in missed)
    text = textwrap.shorten(first.text, WIDTH - 6, placeholder=" ...")
    return [*wrapped(f"{first.file}:{first.line}: {words}"), f"      {text}"]


def wrapped(text: str) -> list[str]:
    """`text` within the width; a long word is cut rather than let out of it."""
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def coverage_listing(coverage: PatchCoverage) -> str:
    """Every function's source with marks: count, line number, branches taken, text.

    `#####` is a line that never ran, `-` one without code.
    """
    lines = ["     count: line: taken:source"]
    for function in coverage.functions:
        lines += ["", *listed(function)]
    return "\n".join(lines) + "\n"


def listed(function: FunctionCoverage) -> Iterator[str]:
    """The rows of one function."""
    state = f"{function.lines} lines, {function.branches} branches" if function.called else "never called"
    yield f"{function.file}: {function.name}: {state}"
    for line in function.source:
        said = function.ran.get(line.number)
        # 24 columns: the source's tabs stand as in the file
        yield f"{mark(said):>10}:{line.number:>5}:{taken(said):>6}:{line.text}"


def mark(said: LineCoverage | None) -> str:
    """How often a line ran, in one word."""
    return "-" if said is None else str(said.count) if said.count else "#####"


def taken(said: LineCoverage | None) -> str:
    """A line's branches, such as 3/4; empty where it has none."""
    if said is None or not said.branches:
        return ""
    return f"{sum(branch.count > 0 for branch in said.branches)}/{len(said.branches)}"


def coverage_json(coverage: PatchCoverage) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "lines": share(coverage.lines),
        "branches": share(coverage.branches),
        "functions": [
            {
                "name": function.name,
                "file": function.file,
                "called": function.called,
                "lines": share(function.lines),
                "branches": share(function.branches),
                "counts": [row(said) for said in function.counted],
            }
            for function in coverage.functions
        ],
        "missed": [
            {"file": missed.file, "line": missed.line, "text": missed.text, "what": missed.words}
            for missed in coverage.missed
        ],
    }


def share(said: Share) -> dict[str, int]:
    """A share as plain data."""
    return {"covered": said.done, "total": said.total}


def row(said: LineCoverage) -> dict[str, Any]:
    """One line as plain data."""
    branches = [
        {"count": b.count} | ({"condition": b.condition, "outcome": b.outcome} if b.condition else {})
        for b in said.branches
    ]
    return {"line": said.line, "count": said.count, "branches": branches}
