# SPDX-License-Identifier: GPL-2.0-only
"""What became of traces as text: the verdict first, then the trace as it is now, and what is other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from harness.contract import Contract
from harness.report.page import paint, table_lines, wrapped
from harness.report.schedule import schedule_table
from harness.report.words import shown, table
from harness.stage import Replayed
from harness.trace import Step
from harness.trace_file import Recorded

COLORS = {"still there": "1;31", "changed": "1;33", "gone": "1;32"}


def replays_text(replays: Sequence[Replayed], color: bool) -> str:
    """The report of `kconform replay`."""
    blocks = ["\n".join(block(replayed, color)) + "\n" for replayed in replays if replayed.loaded]
    return "\n".join(blocks)


def block(replayed: Replayed, color: bool) -> Iterator[str]:
    """One trace."""
    trace, loaded, revision = replayed.trace, replayed.loaded, replayed.revision
    assert trace and loaded and revision
    verdict = paint(replayed.verdict.upper(), COLORS[replayed.verdict], color)
    yield f"{verdict}: {trace.id}  {replayed.name}"
    yield from wrapped(trace.title, "  ")
    for how in replayed.how:
        yield from wrapped(how, "  ")
    if replayed.schedule:
        yield from table_lines(schedule_table(loaded.contract, replayed.schedule))
        yield from wrapped(replayed.detail, "  ")
    elif replayed.steps:
        was = was_cells(loaded.contract, trace.steps)
        yield from table_lines(table(loaded.contract, replayed.steps, was))
        yield from mismatches(replayed.steps, loaded.contract)
    for note in replayed.notes:
        yield from wrapped(f"note: {note}", "  ")
    subjects = "; ".join(patch.subject or patch.source for patch in revision.patches)
    known = [diff.sha256 for diff in trace.patches]
    same = revision.key == (*([trace.tree] if trace.tree else []), *known)
    recorded = ", ".join([*([trace.tree] if trace.tree else []), *(sha[:12] for sha in known)])
    where = "which it was recorded on" if same else f"recorded on {recorded}"
    if revision.tree:
        yield from wrapped(f"tree: {revision.tree}" + ("" if subjects else f", {where}"), "  ")
    if subjects:
        hashes = ", ".join(patch.sha256[:12] for patch in revision.patches)
        yield from wrapped(f"patch: {subjects}", "  ")
        yield from wrapped(f"diff sha256 {hashes}, {where}", "  ")


def mismatches(steps: Sequence[Step], contract: Contract) -> Iterator[str]:
    """Where a trace ends otherwise than the model says."""
    last = steps[-1]
    for name, due in last.expected.items():
        seen = last.observed.get(name, due)
        if name == "warnings" and bool(seen) != bool(due):
            yield "  a warning is due, and none fires" if due else "  no warning is due, but one fires"
        elif name != "warnings" and seen != due:
            words = contract.word(name, due), contract.word(name, seen)
            yield f"  {name}: the model expects {words[0]}, the code gives {words[1]}"
    if last.report:
        yield f"  {last.report['kind']}: {last.report['text']}"


def was_cells(contract: Contract, steps: Sequence[Recorded]) -> list[dict[str, str]]:
    """The cells of a trace as it was recorded; empty where the contract has other columns now."""
    return [recorded_cells(contract, step) for step in steps]


def recorded_cells(contract: Contract, step: Recorded) -> dict[str, str]:
    """The cells of one recorded step."""
    seen = {name: value for name, value in step.observed.items() if isinstance(value, int)}
    if not set(contract.observe) <= set(seen):
        return {}
    cells: dict[str, str] = {}
    with contextlib.suppress(Exception):  # a stranger's numbers may be none that a contract can show
        cells = shown(contract, Step(step.op, step.args, seen, {}))
    return cells
