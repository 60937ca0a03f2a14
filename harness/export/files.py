# SPDX-License-Identifier: GPL-2.0-only
"""The files that a trace is exported as, and how a trace is handed to a kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from harness.contract import Contract, Loaded
from harness.errors import HarnessError
from harness.export.c_file import c_file
from harness.export.compare import Row, Wanted
from harness.export.finding import Finding, finding_of
from harness.export.kunit_file import kunit_file
from harness.export.litmus import litmus_text
from harness.export.walks import calls_of_walk, play_walk, setting_of_walk
from harness.interleave.replay import schedule_of
from harness.stage import Revision, Stage, own_revision, setting_of
from harness.trace import Step, call_text
from harness.trace_file import WALK_ID, TraceFile

CONCURRENCY = "concurrency"


def exported(
    trace: TraceFile,
    revision: Revision | None,
    stage: Stage,
    given: Mapping[str, Loaded],
    config: Mapping[str, bool],
    name: str,
    *,
    kunit: bool,
) -> str:
    """A finding as C for gcc or, with `kunit`, for a kernel; HarnessError where it cannot be."""
    on = revision or own_revision(trace)
    if trace.id == WALK_ID:
        if not kunit:
            raise HarnessError("it is a recorded walk, which shows no finding: export it with --kunit")
        return walk_file(trace, on, stage, given, config, name)
    finding = finding_of(trace, on, stage, given, config)
    return kunit_file(finding, name) if kunit else c_file(finding, name)


def exported_litmus(
    trace: TraceFile,
    revision: Revision | None,
    stage: Stage,
    given: Mapping[str, Loaded],
    config: Mapping[str, bool],
) -> str:
    """A finding of operations as threads as a litmus test; HarnessError where it cannot be one."""
    if trace.group != CONCURRENCY:
        raise HarnessError(
            f"only findings of the group {CONCURRENCY} are schedules: {trace.id} is one of {trace.group}"
        )
    on = revision or own_revision(trace)
    # Whoever replays schedules gives the one of a trace, with the lines of its steps.
    schedule = schedule_of(trace, on, stage, setting_of(trace, on, given, config))
    races = trace.id.startswith("concurrency/race")
    return litmus_text(schedule, trace.name.removesuffix(".json"), tuple(litmus_head(trace)), races=races)


def litmus_head(trace: TraceFile) -> Iterator[str]:
    """What was found, where, and in which patches."""
    yield trace.title
    yield from filter(None, (trace.reason,))
    if trace.where:
        yield f"At {trace.where[0]}:{trace.where[1]}."
    yield ""
    for patch in trace.patches:
        yield f"Patch: {patch.subject} (sha256 {patch.sha256[:12]})"


def wanted(
    name: str,
    trace: TraceFile,
    revision: Revision | None,
    stage: Stage,
    given: Mapping[str, Loaded],
    config: Mapping[str, bool],
    tag: str,
) -> tuple[Wanted, Contract]:
    """A trace with the source of its module, and how it goes in userspace now."""
    on = revision or own_revision(trace)
    if trace.id == WALK_ID:
        setting = setting_of_walk(trace, on, given, config)
        walked = play_walk(trace, setting, stage)
        if walked.end:
            raise HarnessError(f"{name}: {walked.end}")
        operations = setting.loaded.contract.operations
        rows = tuple(
            Row(call_text(operations[op].name, dict(zip(operations[op].args, args, strict=True)))
                if op >= 0 else "(initial)", seen)
            for op, args, seen in walked.rows
        )  # fmt: skip
        source = walk_file(trace, on, stage, given, config, f"{tag}.c", tag)
        return Wanted(name, source, rows), setting.loaded.contract
    finding = finding_of(trace, on, stage, given, config)
    return Wanted(name, kunit_file(finding, f"{tag}.c", tag), tuple(rows_of(finding))), finding.contract


def rows_of(finding: Finding) -> Iterator[Row]:
    """The steps of a finding as rows to be compared."""
    for step in finding.steps:
        yield Row(call_text(step.op, step.args), seen_in(step), step.why)


def seen_in(step: Step) -> Mapping[str, int]:
    """What a step showed, with the names that a module prints."""
    return {name: value for name, value in step.observed.items() if name != "itself"}


def walk_file(
    trace: TraceFile,
    revision: Revision,
    stage: Stage,
    given: Mapping[str, Loaded],
    config: Mapping[str, bool],
    name: str,
    tag: str = "",
) -> str:
    """A recorded walk as C for a kernel."""
    setting = setting_of_walk(trace, revision, given, config)
    calls = calls_of_walk(trace, setting.loaded)
    attempt, _ = stage.ready(setting)
    short = replace(trace, steps=tuple({step.op: step for step in trace.steps}.values()))
    finding = Finding(short, setting, attempt.settle(), attempt.folder, (), "")
    rows = [
        {"op": call.op, "args": list(call.args)} if call else {"op": -1, "args": []} for call in calls[1:]
    ]
    return kunit_file(finding, name, tag, rows)
