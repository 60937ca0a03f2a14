# SPDX-License-Identifier: GPL-2.0-only
"""The findings of a check as trace files in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.check import Result, tool_facts
from harness.contract import Contract
from harness.driver import arguments_of
from harness.errors import HarnessError
from harness.interleave.replay import woven_calls
from harness.interleave.schedule import Schedule
from harness.interleave.words import does
from harness.judge import Check
from harness.stage import hash_of, ships
from harness.trace import DIED, Step, failed_checks, values_seen
from harness.trace_file import Diff, Recorded, TraceFile, Woven, read_trace, trace_text, write_new


def save_traces(result: Result, folder: Path) -> list[str]:
    """Writes each finding's trace that `folder` does not have yet; the names of all of them."""
    names: dict[str, str] = {}  # and the contract of each
    for trace in (trace_of(result, check) for check in result.checks if has_trace(check)):
        name = trace.name
        if names.get(name, trace.contract) != trace.contract or of_another(folder / name, trace.contract):
            name = f"{name.removesuffix('.json')}-{trace.contract}.json"
        names[name] = trace.contract
        write_new(folder, name, trace_text(trace))
    return list(names)


def of_another(path: Path, contract: str) -> bool:
    """Whether a file there is the trace of the same check in another contract."""
    try:
        return read_trace(path).contract != contract
    except (HarnessError, OSError):
        return False


def has_trace(check: Check) -> bool:
    """Whether it is a finding of this run's own that can be run again."""
    return (
        check.verdict == "fail"
        and check.group not in ("trace", "promise")
        and bool(check.trace or check.schedule)
        and not check.doubt
    )


def trace_of(result: Result, check: Check) -> TraceFile:
    """A finding as a trace; one of a random walk was judged in the walk's bounds."""
    part = result.part_of(check)
    loaded = part.wide if check.wide else part.loaded
    return TraceFile(
        check.id,
        check.title,
        check.quote,
        check.detail,
        (check.file, check.line) if check.file else None,
        loaded.contract.name,
        "" if ships(loaded.path) else loaded.path.name,
        hash_of(loaded),
        loaded.bounds,
        loaded.options,
        result.request.seed if check.wide else None,
        tuple(recorded(check, loaded.contract)),
        tuple(Diff(p.subject, Path(p.source).name, p.sha256, p.diff) for p in result.patches),
        tool_facts(),
        result.request.tree,
        woven(check.schedule, loaded.contract) if check.schedule else None,
    )


def woven(schedule: Schedule, contract: Contract) -> Woven:
    """A schedule as it is saved."""
    shown = tuple(f"thread {step.thread}  {step.stack[0] if step.stack else '-'}  {does(step)}"
                  for step in schedule.steps)  # fmt: skip
    return Woven(tuple(woven_calls(contract, schedule.scenario)), schedule.memory, schedule.order, shown)


def recorded(check: Check, contract: Contract) -> Iterator[Recorded]:
    """The steps of a finding; of a worker's death, and before concurrent calls, only the calls are known."""
    if check.schedule:
        yield Recorded("", {}, {}, {}, ())
        for call in check.schedule.scenario.start:
            op = contract.operations[call.op]
            yield Recorded(op.name, arguments_of(op, call), {}, {}, ())
        return
    if check.trace[0].op:
        yield Recorded("", {}, {}, {}, ())
    *before, last = check.trace
    died = check.group in ("crash", "sanitizer") and not last.observed and not last.why
    for step in (*before, replace(last, why=DIED) if died else last):
        yield Recorded(step.op, step.args, values_seen(step), step.expected, fails(step, contract, check))


def fails(step: Step, contract: Contract, check: Check) -> tuple[str, ...]:
    """The checks that fail at a step; of a worker's death only the calls are known."""
    if step.why == DIED:
        return (check.id,)
    return failed_checks(contract, step) if step.observed or step.why else ()
