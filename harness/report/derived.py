# SPDX-License-Identifier: GPL-2.0-only
"""What a report says of derived contracts: that there is no model, and what their calls reach."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.check import Part, Result
from harness.judge import Check
from harness.trace import call_text
from harness.tree.items import TreeItems

MOST = 10  # places that are named where not all of them are asked for


def derived_parts(result: Result) -> list[Part]:
    """The parts of contracts that were derived."""
    return [part for part in result.parts if part.loaded.contract.derived]


def derived_words(result: Result) -> str:
    """That nothing says what the functions should do, and how to begin to; empty where a contract does."""
    parts = derived_parts(result)
    if not parts:
        return ""
    count = len({name for part in parts for name in part.loaded.contract.requires})
    of = "patch" if result.patches else "tree"
    begin = "no contract fits" if len(parts) == len(result.parts) else "what no contract reaches"
    on = " --tree …" if isinstance(result.request.items, TreeItems) else ""
    return (f"{begin}: derived from {count} function{'s' * (count != 1)} of the {of}, without a model: not "
            "judged is what they return and leave, only that they come back and do nothing undefined; "
            f"kconform contract --derive{on} writes it out, to add what they should do")  # fmt: skip


def reached_text(result: Result, verbose: bool) -> Iterator[tuple[str, str, Check | None]]:
    """Indent and words of each place that derived calls reach, with the check that has a trace of it."""
    if not result.reached:
        return
    places: dict[tuple[str, ...], list[Check]] = {}
    stopped = {(check.file, check.line) for check in result.reached if kind(check) == "crash" and check.file}
    for check in result.reached:  # a condition that many functions have is said once
        if kind(check) == "sanitizer" and (check.file, check.line) in stopped:
            continue  # what a call dies of is said once
        where = () if kind(check) == "warnings" else (check.file, str(check.line))
        places.setdefault((kind(check), check.detail, *where), []).append(check)
    yield "", ("reached, no findings: nothing says that these calls are legal, or that objects are ever as "
               "here, zeroed or with fields set:"), None  # fmt: skip
    shown = list(places.values())
    for checks in shown if verbose else shown[:MOST]:
        check = min(checks, key=lambda c: len(c.trace))
        lines = len({(c.file, c.line) for c in checks}) - 1
        more = f" and {lines} more line{'s' * (lines != 1)}" if lines else ""
        at = f"{check.file}:{check.line}{more}: " if check.file else ""
        yield "  ", f"{at}{check.detail}, {by(check)}{others(checks, check)}", check
    if not verbose and len(shown) > MOST:
        yield "  ", f"and {len(shown) - MOST} more places (-v)", None


def kind(check: Check) -> str:
    """What sort of thing is reached."""
    return check.id.rpartition("/")[2]


def by(check: Check) -> str:
    """The shortest calls that lead there."""
    calls = [call_text(step.op.removesuffix("/made-up"), step.args) for step in check.trace if step.op]
    return f"by {calls[-1]}{f' after {then(calls[:-1])}' if calls[:-1] else ''}" if calls else "at once"


def then(calls: Sequence[str]) -> str:
    """Calls in their order."""
    return ", ".join(calls)


def others(checks: Sequence[Check], first: Check) -> str:
    """The other functions that reach the same place."""
    names = dict.fromkeys(check.id.split("/")[1] for check in checks if check is not first)
    names.pop(first.id.split("/")[1], None)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f" (also {', '.join([*names][:3])}{more})" if names else ""
