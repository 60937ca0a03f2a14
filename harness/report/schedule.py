# SPDX-License-Identifier: GPL-2.0-only
"""A schedule in words: a table with a column for each thread, and one line a step."""

from __future__ import annotations

import os

from harness.contract import Contract
from harness.driver import arguments_of
from harness.interleave.scenario import said
from harness.interleave.schedule import Schedule
from harness.interleave.words import does, told
from harness.report.document import Row, Table, TraceStep
from harness.trace import call_text


def schedule_table(contract: Contract, schedule: Schedule) -> Table:
    """The calls before the threads begin, then each step in its thread's column, with the patch's line."""
    threads = [", ".join(said(contract, call) for call in calls) for calls in schedule.scenario.threads]
    columns = tuple(f"thread {n}: {calls}" for n, calls in enumerate(threads))
    empty = ("",) * len(columns)
    rows = [Row("(initial)", empty)]
    for call in schedule.scenario.start:
        op = contract.operations[call.op]
        rows.append(Row(call_text(op.name, arguments_of(op, call)), empty))
    for step in told(schedule):
        cells = tuple(does(step) if n == step.thread else "" for n in range(len(columns)))
        place = step.stack[0] if step.stack else None
        file, line = (place.file, place.line) if place else ("", 0)
        rows.append(Row(f"{os.path.basename(file)}:{line}" if place else "-", cells, file=file, line=line))
    return Table(columns, tuple(rows), "line")


def schedule_steps(contract: Contract, schedule: Schedule) -> tuple[TraceStep, ...]:
    """The same as data: the calls before, then each step of each thread."""
    steps = [TraceStep("initial", {}, {}, {})]
    for call in schedule.scenario.start:
        op = contract.operations[call.op]
        steps.append(TraceStep(op.name, dict(arguments_of(op, call)), {}, {}))
    for step in schedule.steps:
        place = step.stack[0] if step.stack else None
        seen: dict[str, int | str] = {
            "call": said(contract, schedule.scenario.threads[step.thread][step.call])
            if step.call < len(schedule.scenario.threads[step.thread])
            else "",
            "does": does(step),
            "at": str(place) if place else "",
        }
        steps.append(TraceStep(f"thread {step.thread}", {}, seen, {}))
    return tuple(steps)
