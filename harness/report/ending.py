# SPDX-License-Identifier: GPL-2.0-only
"""How a case ends for programs that know only pass, fail and skip, and text that is safe for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from harness.report.document import Case
from harness.report.outline import Outline, Suite, also, told

Ending = Literal["pass", "fail", "skip"]
# What no program should print: all control characters but tab and newline, and what is no character.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
NOT_COMPILED = "not-compiled"


def ending(case: Case) -> tuple[Ending, str]:
    """How a case ends, and why nobody has to look at one that is skipped.

    Skipped are unknown verdicts, and findings for which the patch is not to blame.
    """
    if case.verdict == "pass":
        return "pass", ""
    if case.verdict == "unknown":
        return "skip", case.reason or "unknown"
    if case.known:
        until = f" (until {case.known.expires})" if case.known.expires else ""
        return "skip", f"known: {case.known.reason}{until}"
    if case.inherited:
        return "skip", "inherited: the base does the same"
    return "fail", ""


def count(suite: Suite, end: Ending) -> int:
    """How many cases of a suite end so."""
    return sum(ending(case)[0] == end for case in suite.cases)


def broken(outline: Outline) -> tuple[str, ...]:
    """What the tool could not do; also where nothing at all was judged and that is no success."""
    if outline.errors or outline.cases or outline.status == 0:
        return outline.errors
    return (f"nothing was judged: {outline.summary}",)


def lines_of(outline: Outline, case: Case) -> Iterator[str]:
    """All that is said of a case that did not pass, a line each; the first has its place and title."""
    first, *more = outline.words(case)
    yield f"{case.where}: {first}" if case.where else first
    block = next((block for block in outline.findings if block[0] is case), (case,))
    for said in (*more, *told(case), *also(block)):
        yield from printable(said).split("\n")


def printable(text: str) -> str:
    """`text` without control characters, each of its lines ended by a newline alone."""
    return CONTROLS.sub("", "\n".join(text.splitlines()))


def one_line(text: str) -> str:
    """`text` in one line."""
    return " ".join(CONTROLS.sub(" ", text).split())
