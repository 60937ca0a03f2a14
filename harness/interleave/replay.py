# SPDX-License-Identifier: GPL-2.0-only
"""A saved schedule on a revision: run again step by step, and what became of its finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from extractor.slice import Slice
from harness import worker
from harness.contract import Contract, Loaded
from harness.driver import Call, Driver, Flight, Libraries, Limits, arguments_of
from harness.errors import HarnessError
from harness.interleave.choose import threads_of
from harness.interleave.flavour import THREADED, THREADED_TREE
from harness.interleave.judge import judge_threads
from harness.interleave.run import Interleaved, Witness, outcomes, threaded
from harness.interleave.scenario import MOST_CALLS, MOST_THREADS, READS, Scenario
from harness.interleave.schedule import Schedule
from harness.interleave.weaver import ALL, ILLEGAL, UNFIT, Effort, Weaver
from harness.judge import Check
from harness.run import MEMORY
from harness.stage import Replayed, Revision, Setting, Stage, Verdict, calls_of, notes_on
from harness.subjects import slice_of
from harness.trace_file import TraceFile, WovenCall

SECONDS = 60  # for one scenario


@dataclass(frozen=True)
class Again:
    """One scenario run again: the schedule as it was, where the code goes so, and others that fail."""

    same: Interleaved | None
    others: Interleaved


def replay_threads(
    name: str, trace: TraceFile, stage: Stage, revision: Revision, setting: Setting
) -> Replayed:
    """What became of one schedule; HarnessError where it cannot be run."""
    loaded = setting.loaded
    scenario = scenario_of(trace, loaded.contract)
    assert trace.threads
    piece = slice_of(loaded, revision.items)
    attempt, contract = stage.ready(woven_setting(setting, piece))
    subject = attempt.settle()
    libraries = Libraries(subject.built.library, contract.finish(), stage.engine.finish())
    again = run_again(libraries, loaded, scenario, trace, subject.skip)
    files = {item.file for item in piece.code}

    culprit = trace.id.removeprefix("concurrency/race/")

    def checks(one: Interleaved | None) -> tuple[Check, ...]:
        said = judge_threads(loaded, [one], libraries.subject, files, (), culprit)[0] if one else ()
        return tuple(check for check in said if check.verdict == "fail")

    same, others = checks(again.same), checks(again.others)
    if again.others.cut and not (same or others):
        raise HarnessError("not every schedule of its calls could be run, and those that were show nothing")
    verdict, how = judged(trace, same, others, again.same is not None)
    told = same if any(check.id == trace.id for check in same) else others
    own = next((check for check in told if check.id == trace.id), next(iter(told), None))
    failing = tuple(dict.fromkeys(check.id for check in (*same, *others)))
    notes = tuple(notes_on(trace, setting, verdict == "gone"))
    return Replayed(name, trace, verdict, how, (), failing, loaded, revision, notes,
                    own.schedule if own else None, own.detail if own else "")  # fmt: skip


def woven_setting(setting: Setting, piece: Slice) -> Setting:
    """The setting with the calls, and the flavour, that threads have."""
    flavour = THREADED_TREE if piece.unit else THREADED
    return replace(setting, loaded=threaded(setting.loaded), flavour=flavour)


def judged(
    trace: TraceFile, same: Sequence[Check], others: Sequence[Check], runs: bool
) -> tuple[Verdict, tuple[str, ...]]:
    """Still there, changed or gone, and how."""
    if any(check.id == trace.id for check in same):
        return "still there", ()
    how = "the schedule shows nothing" if runs else "the code does not go as the schedule says"
    if any(check.id == trace.id for check in others):
        return "changed", (f"{how}; another schedule of the same calls fails it",)
    if others or same:
        ids = ", ".join(dict.fromkeys(check.id for check in (*same, *others)))
        return "changed", (f"{how}; no schedule of the same calls fails {trace.id}, but: {ids}",)
    return "gone", ()


def scenario_of(trace: TraceFile, contract: Contract) -> Scenario:
    """The calls of a saved schedule, each one that the contract could have made."""
    if not trace.threads:
        raise HarnessError("it has no threads, which a finding of concurrent calls needs")
    calls = trace.threads.calls
    if not 2 <= len(calls) <= MOST_THREADS or sum(map(len, calls)) > MOST_CALLS or not all(calls):
        raise HarnessError(f"its threads are not 2 to {MOST_THREADS}, with {MOST_CALLS} calls in all")
    start = tuple(calls_of(replace(trace, threads=None), contract))
    return Scenario(start, tuple(tuple(call_of(one, contract) for one in thread) for thread in calls))


def call_of(one: WovenCall, contract: Contract) -> Call:
    """One call of a thread: a number from outside of its domain is never handed to the code."""
    if one.reads:
        names = list(contract.observe)
        if one.reads not in names:
            raise HarnessError(f"the contract observes no {one.reads}")
        return Call(READS - names.index(one.reads), ())
    for number, op in enumerate(contract.operations):
        if op.name != one.op:
            continue
        own = threads_of(contract).operations.get(op.name, {})
        if set(one.args) != set(op.args) or any(
            value not in op.args[name] and value not in own.get(name, ()) for name, value in one.args.items()
        ):
            raise HarnessError(f"{one.op}: these are no arguments of it in these bounds")
        if op.kind != "operation":
            raise HarnessError(f"{one.op} is a {op.kind}, which no thread calls")
        return Call(number, tuple(one.args[name] for name in op.args))
    raise HarnessError(f"the contract has no operation {one.op}")


def woven_calls(contract: Contract, scenario: Scenario) -> Iterator[tuple[WovenCall, ...]]:
    """The calls of threads as they are saved."""
    names = list(contract.observe)
    for thread in scenario.threads:
        yield tuple(
            WovenCall("", {}, names[READS - call.op])
            if call.op <= READS
            else WovenCall(contract.operations[call.op].name,
                           dict(arguments_of(contract.operations[call.op], call)))
            for call in thread
        )  # fmt: skip


def run_again(
    libraries: Libraries, loaded: Loaded, scenario: Scenario, trace: TraceFile, skip: frozenset[str]
) -> Again:
    """The schedule, and every other one of the same calls, in a worker of its own."""
    from cattrs.preconf.json import make_converter

    woven = trace.threads
    assert woven

    def task() -> object:
        convert = make_converter()
        driver = Driver(libraries, loaded, Flight(), skip)
        driver.cage()
        driver.open(Limits(seconds=SECONDS))
        return convert.unstructure(again(driver, scenario, trace))

    outcome = worker.run(task, worker.Limits(2 * SECONDS, SECONDS * 3.0, MEMORY * 2))
    made: Again = make_converter().structure(outcome.needed(), Again)
    return made


def again(driver: Driver, scenario: Scenario, trace: TraceFile) -> Again:
    """In the worker: the schedule as it was; then all of them."""
    woven = trace.threads
    assert woven
    weaver = Weaver(driver, threads_of(driver.contract).lock_free)
    schedule = weaver.show(scenario, woven.order, woven.memory)
    same = None
    if schedule:
        same = of_schedule(weaver, schedule)
        weaver.close()
    weaver = Weaver(driver, threads_of(driver.contract).lock_free)
    made = weaver.explore(0, scenario, Effort(woven.memory, seconds=SECONDS / 4))
    if made.end in (ILLEGAL, UNFIT):
        raise HarnessError("its calls are not legal after those that it starts with, in every order")
    witnesses = []
    for one in list(weaver.found()):
        shown = weaver.show(scenario, one.order, one.memory)
        if shown:
            witnesses.append(Witness(one, shown, tuple(weaver.found()), tuple(outcomes(weaver))))
    return Again(
        same,
        Interleaved(
            woven.memory,
            1,
            1,
            cut=int(made.end != ALL),
            executions=made.executions,
            witnesses=tuple(witnesses),
        ),
    )


def of_schedule(weaver: Weaver, schedule: Schedule) -> Interleaved:
    """All that one schedule shows, as if it were all there is."""
    along, alone = tuple(weaver.found()), tuple(outcomes(weaver))
    return Interleaved(schedule.memory, 1, 1, executions=1,
                       witnesses=tuple(Witness(one, schedule, along, alone) for one in along))  # fmt: skip


def schedule_of(trace: TraceFile, revision: Revision, stage: Stage, setting: Setting) -> Schedule:
    """The schedule of a finding as it runs on a revision now; HarnessError where it does not."""
    replayed = replay_threads("", trace, stage, revision, setting)
    if replayed.schedule is None or replayed.verdict == "gone":
        raise HarnessError(f"the finding is gone: no schedule of the same calls fails {trace.id}")
    return replayed.schedule
