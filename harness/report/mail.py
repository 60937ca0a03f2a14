# SPDX-License-Identifier: GPL-2.0-only
"""The body of a reply to a patch: 72 columns, each finding below the quoted line that it is about.

There are no headers (a mail program, or git send-email, has those of the patch) and no tags, and no
line that a mail tool would take for one. Findings quote the patch's hunk as a reviewer does, so that
b4 review shows them at their lines; what was run stands above them, since b4 takes all that follows a
quoted line for a comment on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.lists import few
from harness.report.document import Case, PatchText
from harness.report.narrow import folded, guarded, trace_lines
from harness.report.outline import Outline, also
from harness.report.page import plural
from harness.report.text import stage_words

SCREEN = 24  # lines of one finding
TITLES = 4  # patches that are named
CONTEXT = 3  # lines quoted, the last of them the finding's
HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def render(outline: Outline) -> str:
    """The body."""
    lines = ["Hello,", "", *verdict(outline), "", *run_lines(outline), *doubts(outline)]
    lines += closing(outline)
    for number, block in enumerate(outline.findings, 1):
        lines += ["", *defect(outline, block, SCREEN, f"{number}. ", quote=True)]
    return "\n".join([*lines, "", *signature(outline), ""])


def verdict(outline: Outline) -> Iterator[str]:
    """What was checked, and what came of it."""
    titles = [patch.subject or patch.source for patch in outline.patches] or [outline.title]
    what = "this tree" if not outline.patches else "this patch" if len(titles) == 1 else "these patches"
    yield from folded(f"kconform {DONE[outline.command].format(what=what)}")
    yield ""
    for title in titles[:TITLES]:
        yield from folded(title, "> ")
    if len(titles) > TITLES:
        yield from ("", f"and {len(titles) - TITLES} more of the series.")
    yield ""
    counted = len(outline.findings)
    said = WORDS.get(outline.word, "It cannot say whether all is well")
    if counted and outline.command == "check":
        said = f"It has {plural(counted, 'finding')}, told below"
    yield from folded(f"{said}: {outline.summary}.")


TRACES = "Each trace begins in the initial state and is a shortest one, or one that needs each of its calls."
AGAIN = '"kconform check PATCH --traces DIR" saves them, "kconform replay DIR/FILE" runs one again.'
WORDS = {"PASS": "It has no findings", "SAME": "They do the same", "DIFFERENT": "They differ, as told below",
         "FAIL": "What no check finds is told below"}  # fmt: skip
DONE = {
    "check": "compiled the functions of {what} in userspace and ran them against what it says:",
    "diff": "compiled the functions of two revisions in userspace and ran them side by side:",
    "mutate": "planted defects in the functions of {what}, to see which of them its checks find:",
}


def run_lines(outline: Outline) -> Iterator[str]:
    """What was run, within which bounds."""
    if outline.about:
        yield "What was run, within which bounds:"
        yield ""
    for text in outline.about:
        yield from guarded(folded(text, "- ", "  "))


def doubts(outline: Outline) -> Iterator[str]:
    """What was not judged, and what is said beside findings."""
    reasons: dict[str, list[str]] = {}
    for case in outline.cases:
        if case.verdict == "unknown":
            reasons.setdefault(case.reason, []).append(case.id)
    said = [f"{few(ids, 3)}: not judged, {why}" for why, ids in reasons.items()]
    said += [f"{case.id}: known, {case.known.reason}" for case in outline.cases if case.known]
    said += [f"{case.id}: the base does the same" for case in outline.cases
             if case.inherited and case.verdict == "fail"]  # fmt: skip
    said += [f"not compiled: {error}" for error in outline.errors]
    if said or outline.remarks:
        yield from ("", "Beside that:", "")
    for text in (*said, *outline.remarks):
        yield from guarded(folded(text, "- ", "  "))


def closing(outline: Outline) -> Iterator[str]:
    """How to read the traces, and how to run them again."""
    if not any(case.table.rows for block in outline.findings for case in block):
        return
    yield ""
    yield from folded(TRACES)
    for said in outline.legends:
        yield from guarded(folded(said))
    if outline.again:
        yield from folded(AGAIN)


def signature(outline: Outline) -> Iterator[str]:
    """What made this, of which diff."""
    facts = [f"kconform {outline.tool['version']}", outline.tool["compiler"]]
    facts += [f"diff sha256 {patch.sha256[:12]}" for patch in outline.patches]
    yield "-- "
    yield from folded(", ".join(facts))


# One finding.


def defect(
    outline: Outline, block: Sequence[Case], most: int, number: str = "", *, quote: bool = False
) -> list[str]:
    """One finding in `most` lines; below the lines of the patch that it is about, where they are wanted."""
    case = block[0]
    above = quoted(outline.patches, case) if quote else []
    head = [*above, *([""] if above else []), *heading(case, number, not above)]
    tail = ending(case, block, 99)
    for others in (99, 3, 1, 0):
        tail = ending(case, block, others)
        if len(head) + len(tail) + 8 <= most:
            break
    trace = trace_lines(case.table, max(most - len(head) - len(tail) - 2, 4))
    return [*head, *(["", *guarded(trace), ""] if trace else []), *tail]


def heading(case: Case, number: str, source: bool) -> Iterator[str]:
    """What is broken, where, and whose words say so."""
    where = f" at {case.where}" if case.file else ""
    yield from guarded(folded(f"{number}{case.id}{where}", "", " " * len(number)))
    if source and case.source:
        yield from guarded(folded(case.source, "  | "))
    for said in (case.title, *stage_words(case)):
        yield from guarded(folded(said, "  "))
    if case.quote and case.group in ("claim", "promise"):
        yield from guarded(folded(f'{case.says or "the contract"} says "{case.quote}"', "  ", "    "))


def ending(case: Case, block: Sequence[Case], others: int) -> list[str]:
    """What the trace comes to, and the other checks of the same defect."""
    calls = f"({', '.join(case.called)})" if case.called else ""
    said = [text for text in (calls, case.explained, case.doubt, case.spread) if text]
    lines = [line for text in said for line in guarded(folded(text, "  ", "    "))]
    told = list(also(block))
    for text in told[:others]:
        lines += guarded(folded(text, "  ", "    "))
    if len(told) > others:
        lines += guarded(folded(f"also {few([each.id for each in block[1 + others :]], 3)}", "  ", "    "))
    return lines


def quoted(patches: Sequence[PatchText], case: Case) -> list[str]:
    """The lines of a patch up to a finding's, quoted; none where no patch shows that line."""
    for patch in reversed(patches):
        for path, hunk, lines in hunks(patch.diff):
            if path != case.file or not case.source:
                continue
            at = next((at for at, (number, line) in enumerate(lines)
                       if number == case.line and line[1:].strip() == case.source), None)  # fmt: skip
            if at is not None:
                shown = [line for _, line in lines[max(at + 1 - CONTEXT, 0) : at + 1]]
                gap = ["[ ... ]"] if at >= CONTEXT else []
                return [
                    f"> diff --git a/{path} b/{path}",
                    f"> {hunk}",
                    *gap,
                    *(f"> {line}".rstrip() for line in shown),
                ]
    return []


def hunks(diff: Sequence[str]) -> Iterator[tuple[str, str, list[tuple[int, str]]]]:
    """Each hunk of a diff: its file, its header, and its lines, each with its number (0: removed)."""
    path, lines = "", iter(diff)
    for line in lines:
        if line.startswith("+++ "):
            path = line[4:].split("\t")[0].strip().removeprefix("b/")
        if not (found := HUNK.match(line)):
            continue
        old, number, new = int(found[1] or 1), int(found[2]), int(found[3] or 1)
        shown: list[tuple[int, str]] = []
        while old > 0 or new > 0:
            text = next(lines, "")
            if not text:
                break
            if text.startswith("\\"):
                continue
            removed = text.startswith("-")
            shown.append((0 if removed else number, text))
            number += not removed
            old -= not text.startswith("+")
            new -= not removed
        yield path, line, shown
