# SPDX-License-Identifier: GPL-2.0-only
"""What `b4 review` expects of its check commands: a JSON array, one object of one tool.

b4 keeps one result a mail and tool, the last one: what is found must be in one object, and a whole
series, whose result stands beside its first patch where there is no cover letter, is another tool. It
reads what is printed and takes no notice of the exit status (b4 0.16, review/checks.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from harness.lists import few
from harness.report.document import Case
from harness.report.mail import defect, run_lines
from harness.report.narrow import folded
from harness.report.outline import Outline

SCREEN = 40  # lines of one finding: b4 shows them in a pane that scrolls


def render(outline: Outline) -> str:
    """The array."""
    tool = "kconform-series" if len(outline.patches) > 1 else "kconform"
    return array(tool, status(outline), summary(outline), "\n".join(details(outline)))


def refused(text: str) -> str:
    """The array for what kconform cannot judge: that is nothing against the patch."""
    return array("kconform", "warn", "not judged", text)


def array(tool: str, status: str, summary: str, details: str) -> str:
    """One result."""
    return (
        json.dumps([{"tool": tool, "status": status, "summary": summary, "details": details}], indent=1)
        + "\n"
    )


def status(outline: Outline) -> str:
    """Pass, warn or fail: a warning is what somebody must look at, and is no finding."""
    if outline.findings:
        return "fail"
    doubtful = outline.errors or outline.status or outline.word == "UNKNOWN"
    return "warn" if doubtful or any(warned(outline)) else "pass"


def warned(outline: Outline) -> Iterator[tuple[str, Case]]:
    """What is neither a pass nor a finding, and why."""
    for case in outline.cases:
        if case.verdict == "unknown":
            yield f"unknown: {case.reason}", case
        elif case.verdict == "fail" and case.known:
            until = f" (until {case.known.expires})" if case.known.expires else ""
            yield f"known: {case.known.reason}{until}", case
        elif case.verdict == "fail" and case.inherited:
            yield "the base does the same", case


def summary(outline: Outline) -> str:
    """One line: how many checks ended how, and the first finding."""
    if not outline.findings:
        return outline.summary + (f"; not compiled: {outline.errors[0]}" if outline.errors else "")
    first = outline.findings[0][0]
    return f"{outline.summary}; {first.id}" + (f" at {first.where}" if first.where else "")


def details(outline: Outline) -> Iterator[str]:
    """The findings with their traces, what could not be judged, and what was run."""
    for block in outline.findings:
        yield from defect(outline, block, SCREEN)
        yield ""
    for why, cases in by_reason(outline).items():
        yield from folded(f"{few([case.id for case in cases], 4)}: {why}", "- ", "  ")
    for text in (*outline.errors, *outline.remarks):
        yield from folded(text, "- ", "  ")
    yield ""
    yield from run_lines(outline)


def by_reason(outline: Outline) -> dict[str, list[Case]]:
    """Warned cases of one reason together."""
    reasons: dict[str, list[Case]] = {}
    for why, case in warned(outline):
        reasons.setdefault(why, []).append(case)
    return reasons
