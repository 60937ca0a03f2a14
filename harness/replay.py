# SPDX-License-Identifier: GPL-2.0-only
"""A trace from a file on a revision: run step by step in a cage, and what became of its finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from extractor.errors import ExtractError
from harness.contract import Contract, Loaded
from harness.errors import HarnessError
from harness.interleave.replay import replay_threads
from harness.stage import Replayed, Revision, Stage, Verdict, calls_of, notes_on, own_revision, setting_of
from harness.trace import DIED, Step, call_text, failed_checks, values_seen
from harness.trace_file import TraceFile, clean, read_trace


def replay_all(
    traces: Sequence[tuple[str, TraceFile]],
    stage: Stage,
    revision: Revision | None,
    given: Mapping[str, Loaded],
    config: Mapping[str, bool],
) -> Iterator[Replayed]:
    """What became of each trace on `revision`, else on its own patches."""
    for name, trace in traces:
        try:
            yield replay_one(name, trace, stage, revision or own_revision(trace), given, config)
        except (HarnessError, ExtractError) as err:
            yield Replayed(name, trace, "cannot be run", (str(err).replace("\n", " "),))


def read_folder(folder: Path) -> tuple[list[tuple[str, TraceFile]], list[Replayed]]:
    """The traces in a folder by file name, and the files there that are none."""
    saved: list[tuple[str, TraceFile]] = []
    damaged: list[Replayed] = []
    for path in sorted(folder.glob("*.json")):
        name = clean(path.name)
        try:
            saved.append((name, read_trace(path)))
        except HarnessError as err:
            reason = str(err).partition(": error: ")[2]
            damaged.append(Replayed(name, None, "cannot be run", (reason,)))
    return saved, damaged


def replay_one(
    name: str,
    trace: TraceFile,
    stage: Stage,
    revision: Revision,
    given: Mapping[str, Loaded],
    config: Mapping[str, bool],
) -> Replayed:
    """What became of one trace; HarnessError where it cannot be run."""
    setting = setting_of(trace, revision, given, config)
    if trace.group == "concurrency":
        return replay_threads(name, trace, stage, revision, setting)
    contract = setting.loaded.contract
    steps = stage.play(setting, calls_of(trace, contract))
    failing = [failed_checks(contract, step) for step in steps]
    verdict, how = judged(trace, steps, failing, contract)
    said = tuple(dict.fromkeys(check for checks in failing for check in checks))
    notes = tuple(notes_on(trace, setting, verdict == "gone"))
    return Replayed(name, trace, verdict, how, steps, said, setting.loaded, revision, notes)


# The verdict.


def judged(
    trace: TraceFile, steps: Sequence[Step], failing: Sequence[tuple[str, ...]], contract: Contract
) -> tuple[Verdict, tuple[str, ...]]:
    """Still there, changed or gone, and how."""
    own = aliases(trace)
    at = next((number for number, checks in enumerate(failing) if own & set(checks)), None)
    if at == trace.last:
        differ = differences(trace, steps[at], contract)
        return ("changed", differ) if differ else ("still there", ())
    if at is not None:
        call = call_text(steps[at].op, steps[at].args)
        return "changed", (f"fails already at step {at}, {call}; it was step {trace.last}",)
    others = [*ended_early(trace, steps), *other_failures(trace, steps, failing)]
    return ("changed", (f"{trace.id} does not fail", *others)) if others else ("gone", ())


def aliases(trace: TraceFile) -> set[str]:
    """The ids under which a trace's check may show at a step, where only the first report is known."""
    fails = trace.steps[-1].fails
    if trace.group != "sanitizer" or trace.id in fails:
        return {trace.id}
    return {trace.id, *(check for check in fails if check.startswith("sanitizer/"))}


def ended_early(trace: TraceFile, steps: Sequence[Step]) -> Iterator[str]:
    """Why a trace did not run to its end, where the contract no longer lets it."""
    number = len(steps)
    if number <= trace.last and not steps[-1].why:
        step = trace.steps[number]
        yield f"step {number}, {call_text(step.op, step.args)}, is no longer legal under the contract"


def other_failures(
    trace: TraceFile, steps: Sequence[Step], failing: Sequence[tuple[str, ...]]
) -> Iterator[str]:
    """Other checks that fail along a trace, but for those that did on its way when it was recorded.

    Those have traces of their own. At the last step they are another sight of the same defect.
    """
    for number, checks in enumerate(failing):
        known = trace.steps[number].fails
        for check in checks:
            if check in known and number == trace.last:
                yield f"{check} fails at step {number}, as it did"
            elif check not in known:
                yield f"{check} fails at step {number}, {call_text(steps[number].op, steps[number].args)}"


def differences(trace: TraceFile, now: Step, contract: Contract) -> tuple[str, ...]:
    """What is seen or expected otherwise at the step that fails."""
    was = trace.steps[-1]
    aside = set() if counts(trace, contract) else {"rmw"}
    if was.observed.get("stopped") == DIED:
        aside.add("signal")  # it is not known which it was
    found = changes(was.observed, values_seen(now), aside, "")
    return (*found, *changes(was.expected, now.expected, aside, "expected "))


def counts(trace: TraceFile, contract: Contract) -> bool:
    """Whether the check is about how an operation worked, not what it left."""
    return any(claim.counts for claim in contract.claims if trace.id == f"claim/{claim.id}")


def changes(
    was: Mapping[str, int | str], now: Mapping[str, int | str], aside: set[str], what: str
) -> Iterator[str]:
    """Each value that is another one, but for those `aside`."""
    for name in dict.fromkeys((*was, *now)):
        if name not in aside and was.get(name) != now.get(name):
            yield f"{what}{name}: was {was.get(name, 'none')}, now {now.get(name, 'none')}"
