# SPDX-License-Identifier: GPL-2.0-only
"""A schedule in words: a table with a column for each thread, and one line a step."""

from __future__ import annotations

import os
from collections.abc import Iterator

from harness.contract import Contract
from harness.driver import arguments_of
from harness.interleave.scenario import said
from harness.interleave.schedule import (
    FENCE,
    MARKED,
    READ,
    RELEASE,
    SECTION,
    WAITS,
    WRITE,
    Schedule,
    ThreadStep,
)
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


def told(schedule: Schedule) -> Iterator[ThreadStep]:
    """The steps, but for a read that says what the one before it in the same line said."""
    last: tuple[object, ...] = ()
    for step in schedule.steps:
        where = step.stack[0] if step.stack else step.pc
        key = step.thread, where, step.name, step.byte, step.before
        if step.kind & WRITE or step.blocked or key != last:
            yield step
        last = key if not step.kind & WRITE else ()


def does(step: ThreadStep) -> str:
    """What one step does, with values."""
    name = step.name or "a shared word"
    if step.byte and step.kind & (READ | WRITE):
        name += f"+{step.byte}"
    if step.kind & FENCE:
        return "waits until its stores are seen" if not step.blocked else "waits: its stores are not seen"
    if step.kind & SECTION:
        lock = f"the lock of {step.name or 'an allocator'}"
        return f"waits for {lock}" if step.blocked else f"{'takes' if step.kind & READ else 'lets go'} {lock}"
    before, after = (value(step, one) for one in (step.before, step.after))
    if step.blocked:
        return f"waits: {name} is {before}" if step.kind & WAITS else f"would go on: {name} is {before}"
    if step.delayed:
        return f"its store is seen: {name} = {after}"
    if step.kind & WAITS and step.kind & WRITE:
        return f"takes the lock: {name} {before} -> {after}"
    if step.kind & READ and step.kind & WRITE:
        return f"atomic: {name} {before} -> {after}"
    if step.kind & WRITE:
        return f"{name} = {after}{' (release)' if step.kind & RELEASE else ''}"
    return f"{'READ_ONCE' if step.kind & MARKED else 'reads'} {name}: {before}"


def value(step: ThreadStep, number: int) -> str:
    """A value as C would show it: an int, or a word in hexadecimal."""
    if step.size >= 8:
        return f"{number:#x}" if number > 0xFFFF else str(number)
    half = 1 << (8 * step.size - 1)
    return str(number - 2 * half if step.size == 4 and number >= half else number)


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
