# SPDX-License-Identifier: GPL-2.0-only
"""What a report says of derived contracts: that there is no model, and what their calls reach."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.report.document import Case, Document
from harness.trace import call_text

MOST = 10  # places that are named where not all of them are asked for


def derived_words(document: Document) -> str:
    """That nothing says what the functions should do, and how to begin to; empty where a contract does."""
    parts = document.derived
    if not parts:
        return ""
    count = len({name for part in parts for name in part.requires})
    of = "patch" if document.patches else "tree"
    begin = "no contract fits" if len(parts) == len(document.parts) else "what no contract reaches"
    on = " --tree …" if document.tree else ""
    return (f"{begin}: derived from {count} function{'s' * (count != 1)} of the {of}, without a model: not "
            "judged is what they return and leave, only that they come back and do nothing undefined; "
            f"kconform contract --derive{on} writes it out, to add what they should do")  # fmt: skip


def reached_text(document: Document, verbose: bool) -> Iterator[tuple[str, str, Case | None]]:
    """Indent and words of each place that derived calls reach, with the case that has a trace of it."""
    if not document.reached:
        return
    places: dict[tuple[str, ...], list[Case]] = {}
    stopped = {(case.file, case.line) for case in document.reached if kind(case) == "crash" and case.file}
    for case in document.reached:  # a condition that many functions have is said once
        if kind(case) == "sanitizer" and (case.file, case.line) in stopped:
            continue  # what a call dies of is said once
        where = () if kind(case) == "warnings" else (case.file, str(case.line))
        places.setdefault((kind(case), case.detail, *where), []).append(case)
    yield "", ("reached, no findings: nothing says that these calls are legal, or that objects are ever as "
               "here, zeroed or with fields set:"), None  # fmt: skip
    shown = list(places.values())
    for cases in shown if verbose else shown[:MOST]:
        case = min(cases, key=lambda c: len(c.trace))
        lines = len({(c.file, c.line) for c in cases}) - 1
        more = f" and {lines} more line{'s' * (lines != 1)}" if lines else ""
        at = f"{case.file}:{case.line}{more}: " if case.file else ""
        yield "  ", f"{at}{case.detail}, {by(case)}{others(cases, case)}", case
    if not verbose and len(shown) > MOST:
        yield "  ", f"and {len(shown) - MOST} more places (-v)", None


def kind(case: Case) -> str:
    """What sort of thing is reached."""
    return case.id.rpartition("/")[2]


def by(case: Case) -> str:
    """The shortest calls that lead there."""
    calls = [
        call_text(step.op.removesuffix("/made-up"), step.args) for step in case.trace if step.op != "initial"
    ]
    return f"by {calls[-1]}{f' after {then(calls[:-1])}' if calls[:-1] else ''}" if calls else "at once"


def then(calls: Sequence[str]) -> str:
    """Calls in their order."""
    return ", ".join(calls)


def others(cases: Sequence[Case], first: Case) -> str:
    """The other functions that reach the same place."""
    names = dict.fromkeys(case.id.split("/")[1] for case in cases if case is not first)
    names.pop(first.id.split("/")[1], None)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f" (also {', '.join([*names][:3])}{more})" if names else ""
