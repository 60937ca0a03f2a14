# SPDX-License-Identifier: GPL-2.0-only
"""One contract's operations as threads, in a worker: all scenarios, and a short schedule of each finding."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness import worker
from harness.contract import Loaded
from harness.driver import Driver, Flight, Libraries, Limits
from harness.errors import HarnessError
from harness.interleave.choose import explore_starts, scenarios, starts, threads_of
from harness.interleave.scenario import Scenario
from harness.interleave.schedule import Memory, Schedule
from harness.interleave.weaver import (
    ALL,
    BOUNDED,
    CUT,
    ILLEGAL,
    PAIR,
    RACE,
    UNFIT,
    WAITER,
    Alone,
    Effort,
    Found,
    Weaver,
)
from harness.run import MEMORY, SLACK

SHAPES = ((2, 1), (2, 2), (3, 1))
DEFAULT_STEPS = 4_000_000  # of all scenarios together, where nobody asks for more: a second or two
MOST_EXECUTIONS = 20_000  # of one scenario, then of one with few preemptions
PREEMPTIONS = 2  # at most, where all schedules of a scenario are too many
BROKEN_STEPS = 400_000  # after calls returned or left what no order explains: what else there is
BROKEN_EXECUTIONS = 200  # of one scenario, then
SHORTEN_EXECUTIONS = 3_000  # in which a schedule with so many switches is looked for
SHORTENED_PAIRS = 12  # of places that race: of more, schedules are as they were met
NOTES = (WAITER, PAIR)  # kinds of what is no finding
SAMPLE = 48  # scenarios that real threads run


@dataclass(frozen=True)
class Asked:
    """What is to run as threads: shapes of threads and calls, and in which orders stores are seen.

    `steps` bounds all scenarios together, 0: nothing but the time does. `wanted`: also a contract that says
    nothing of threads. `excuses` name data races that are no findings.
    """

    shapes: tuple[tuple[int, int], ...] = SHAPES
    memory: Memory = "sc"
    steps: int = DEFAULT_STEPS
    wanted: bool = False
    excuses: tuple[str, ...] = ()
    stress: float = 0.0  # seconds on real threads
    seed: int = 1  # of when these begin


@dataclass(frozen=True)
class Witness:
    """Something found, with a schedule that shows it.

    `along` is all that this schedule shows; `alone` what its calls do one after the other, each outcome once.
    """

    found: Found
    schedule: Schedule
    along: tuple[Found, ...]
    alone: tuple[Alone, ...] = ()


def keys(found: Sequence[Found]) -> frozenset[object]:
    """What these findings are, in any schedule."""
    return frozenset(one.key for one in found if one.kind not in NOTES)


@dataclass(frozen=True)
class Interleaved:
    """What came of all scenarios in one order of stores.

    `scenarios` are those of which every order of the calls is legal; of these `bounded` were run with few
    preemptions only, `cut` not to their end, and `left` not at all.
    """

    memory: Memory
    starts: int = 0
    scenarios: int = 0
    illegal: int = 0
    bounded: int = 0
    cut: int = 0
    left: int = 0
    broken: bool = False  # more than races was found, and less was run after that
    dropped: int = 0  # kinds, in bits, of what was found and not kept: there is too much of it
    executions: int = 0
    blocked: int = 0
    steps: int = 0
    seconds: float = 0.0
    witnesses: tuple[Witness, ...] = ()
    error: str = ""
    sample: tuple[Scenario, ...] = ()  # of those that were run to their end, for real threads

    @property
    def whole(self) -> bool:
        """Whether every schedule of every scenario was run, up to equivalence."""
        return not (self.bounded or self.cut or self.left or self.error)


def interleave(driver: Driver, asked: Asked, limits: Limits) -> list[Interleaved]:
    """Every scenario; where stores are seen at once, then, where that is asked for, where they are not."""
    begun = time.monotonic()
    driver.cage()
    explore_starts(driver, limits)
    begin = starts(driver)
    every = list(scenarios(driver, begin, asked.shapes))
    weaver = Weaver(driver, threads_of(driver.contract).lock_free)
    memories: list[Memory] = ["sc", *([asked.memory] if asked.memory != "sc" else [])]
    made = []
    for memory in memories:
        one = explore(weaver, every, asked, memory, begun + limits.seconds)
        made.append(replace(one, starts=len(begin)))
    found = list(weaver.found())
    said = list(short_schedules(weaver, every, found))
    return [replace(one, witnesses=tuple(w for w in said if w.found.memory == one.memory)) for one in made]


def explore(
    weaver: Weaver, every: Sequence[Scenario], asked: Asked, memory: Memory, deadline: float
) -> Interleaved:
    """The counts of all scenarios; what is found stays with the engine."""
    counts = dict.fromkeys((ALL, BOUNDED, CUT, ILLEGAL, UNFIT), 0)
    executions = blocked = steps = left = broken = dropped = 0
    whole: list[Scenario] = []
    begun = time.monotonic()
    for number, scenario in enumerate(every):
        remaining = deadline - time.monotonic()
        most = broken + BROKEN_STEPS if broken else asked.steps
        if remaining <= 0 or (most and steps >= most):
            left = len(every) - number
            break
        executions_here = BROKEN_EXECUTIONS if broken else MOST_EXECUTIONS
        effort = Effort(memory, executions=executions_here, seconds=remaining)
        made = weaver.explore(number, scenario, effort)
        if not broken and weaver.kinds() - {RACE, *NOTES}:
            broken = max(steps + made.steps, 1)
        if made.end == CUT and not broken and deadline > time.monotonic():
            few = replace(effort, reduce=False, preemptions=PREEMPTIONS,
                          seconds=deadline - time.monotonic())  # fmt: skip
            more = weaver.explore(number, scenario, few)
            made = replace(more, executions=made.executions + more.executions, steps=made.steps + more.steps)
        counts[made.end] += 1
        dropped |= made.dropped
        whole += [scenario] if made.end == ALL else []
        executions += made.executions
        blocked += made.blocked
        steps += made.steps
    return Interleaved(
        memory,
        scenarios=counts[ALL] + counts[BOUNDED] + counts[CUT],
        illegal=counts[ILLEGAL] + counts[UNFIT],
        bounded=counts[BOUNDED],
        cut=counts[CUT],
        left=left,
        broken=bool(broken),
        dropped=dropped,
        executions=executions,
        blocked=blocked,
        steps=steps,
        seconds=time.monotonic() - begun,
        sample=tuple(whole[:: -(-len(whole) // SAMPLE)]) if whole and asked.stress and memory == "sc" else (),
    )


def short_schedules(weaver: Weaver, every: Sequence[Scenario], found: Sequence[Found]) -> Iterator[Witness]:
    """Each of what was found, with a schedule of few switches; notes as they were met."""
    pairs = [number for number, one in enumerate(found) if one.kind == RACE]
    pairs.sort(key=lambda number: found[number].of_lock)
    for number, one in enumerate(found):
        if one.kind not in NOTES and number not in pairs[SHORTENED_PAIRS:]:
            weaver.shorten(number, every[one.scenario], Effort(one.memory, executions=SHORTEN_EXECUTIONS))
    shorter = list(weaver.found())
    for one, short in zip(found, shorter, strict=True):
        for told in replace(one, order=short.order), one:
            schedule = weaver.show(every[one.scenario], told.order, one.memory)
            if schedule and any(again.key == one.key for again in weaver.found()):
                break
        else:  # it is what this engine just ran
            raise HarnessError("a schedule does not run again: the code keeps something between executions")
        alone = () if one.kind in (RACE, *NOTES) else tuple(outcomes(weaver))
        yield Witness(told, schedule, tuple(weaver.found()), alone)


def outcomes(weaver: Weaver) -> Iterator[Alone]:
    """What the calls do one after the other, each outcome once."""
    seen: set[object] = set()
    for one in weaver.orders():
        key = tuple(one.observed.items()), one.returns, one.warned
        if key not in seen:
            seen.add(key)
            yield one


class Interleaving:
    """One contract's threads under way, in a worker."""

    def __init__(
        self, libraries: Libraries, loaded: Loaded, asked: Asked, limits: Limits, skip: frozenset[str]
    ) -> None:
        self.asked = asked

        def task() -> object:
            from cattrs.preconf.json import make_converter

            convert = make_converter()  # before the cage closes: it imports
            driver = Driver(libraries, loaded, Flight(), skip)
            return convert.unstructure(interleave(driver, asked, limits))

        wall = limits.seconds + SLACK
        self.running = worker.Running(
            task, worker.Limits(int(wall), wall * 1.5, MEMORY + (limits.megabytes << 20))
        )

    def end(self) -> None:
        """Ends the worker, whatever it is at."""
        self.running.end()

    def finish(self) -> tuple[Interleaved, ...]:
        """What came of it; where the worker died, that."""
        from cattrs.preconf.json import make_converter

        outcome = self.running.wait()
        if outcome.result is not None:
            return tuple(make_converter().structure(outcome.result, list[Interleaved]))
        how = outcome.error
        if outcome.timed_out or outcome.killed_by == signal.SIGXCPU:
            how = "it took far more time than its limit and was ended; try --time"
        elif outcome.killed_by:
            how = f"the worker died: signal {outcome.killed_by}"
        memories: list[Memory] = ["sc", *([self.asked.memory] if self.asked.memory != "sc" else [])]
        return tuple(Interleaved(memory, error=how) for memory in memories)


def concurrent(loaded: Loaded, asked: Asked) -> bool:
    """Whether a contract's operations run as threads: it says so, or the run asks for it."""
    return bool(loaded.contract.threads) or asked.wanted


def threaded(loaded: Loaded) -> Loaded:
    """The contract with the calls that its threads make."""
    calls: Mapping[str, str] = threads_of(loaded.contract).calls
    operations = tuple(
        replace(op, call=calls[op.name]) if op.name in calls else op for op in loaded.contract.operations
    )
    return replace(loaded, contract=replace(loaded.contract, operations=operations))
