# SPDX-License-Identifier: GPL-2.0-only
"""The native interleaving engine, from Python: scenarios in, what is found and single schedules out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.contract import Contract
from harness.driver import Driver
from harness.errors import HarnessError
from harness.interleave.scenario import Scenario
from harness.interleave.schedule import MEMORIES, WAITS, Memory, Schedule, ThreadStep

ALL, BOUNDED, CUT, ILLEGAL, UNFIT = range(5)  # KC_ALL, ...
RACE, WAITER, RESULT, MOMENT, PAIR, DEADLOCK, HELD, NOT_HELD, CRASHED, SPINS = range(10)  # KC_RACE, ...
WHY = {DEADLOCK: "deadlock", HELD: "lock held", CRASHED: "crash", SPINS: "livelock"}
MOST_STEPS = 4096


@dataclass(frozen=True)
class Effort:
    """How far one scenario is explored."""

    memory: Memory = "sc"
    reduce: bool = True  # equivalent schedules once
    preemptions: int = -1  # at most so many, where nothing is reduced; -1: any number
    executions: int = 20_000
    seconds: float = 20.0
    everything: bool = False  # each access to the world is a step, also to what no thread writes
    outcomes: bool = False  # count what executions come to


@dataclass(frozen=True)
class Explored:
    """What one scenario took.

    `classes` counts different executions, where nothing was reduced; `outcomes` different ends, returns and
    observations, where asked for: the same ones give the same `outcomes_are`.
    """

    end: int
    executions: int
    blocked: int
    steps: int
    orders: int
    classes: int
    seconds: float
    outcomes: int = 0
    outcomes_are: int = 0
    dropped: int = 0  # kinds, in bits, of what was found so far and not kept


@dataclass(frozen=True)
class Alone:
    """What the calls of a scenario do one after the other: `order` is the thread of each.

    By the code, or by the model; `returns` and `warned` are by thread and call.
    """

    of_model: bool
    order: tuple[int, ...]
    observed: Mapping[str, int]
    returns: tuple[tuple[int, ...], ...]
    warned: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Found:
    """Something that some executions show; `scenario` is the number of the first, `order` its steps.

    `value` is what a reader saw.
    Of a race, `pcs` are the places of both accesses and `kinds` what they are; `changed` tells whether some
    write of it left another value.
    """

    kind: int
    which: int
    memory: Memory
    pcs: tuple[int, int]
    kinds: tuple[int, int]
    changed: bool
    executions: int
    scenario: int
    order: tuple[int, ...]
    value: int = 0

    @property
    def key(self) -> tuple[int, int, Memory, frozenset[int]]:
        """What makes it the same in another schedule."""
        return self.kind, self.which, self.memory, frozenset(self.pcs)

    @property
    def of_lock(self) -> bool:
        """Whether one of two accesses that race takes a lock."""
        return bool((self.kinds[0] | self.kinds[1]) & WAITS)


def name_of(text: str) -> str:
    """An object as the patch calls it: what a lock has inside here is the shim's own."""
    return re.sub(r"\.kc_\w+$", "", text)


class Weaver:
    """The engine's threads over one driver, whose world is open and whose cage is closed."""

    def __init__(self, driver: Driver, reads: Sequence[str] = ()) -> None:
        self.driver, self.ffi, self.engine = driver, driver.ffi, driver.engine
        self.contract: Contract = driver.contract
        self.reads = [list(driver.state.offsets).index(name) for name in reads]
        self.threads = self.engine.kc_threads_open(driver.run)
        if self.threads == self.ffi.NULL:
            raise HarnessError("the engine could not start its threads: memory")

    def forget(self) -> None:
        """What was found so far, that is."""
        self.engine.kc_threads_forget(self.threads)

    def close(self) -> None:
        """Gives back what the engine holds."""
        self.engine.kc_threads_close(self.threads)

    def c_scenario(self, scenario: Scenario) -> tuple[Any, Any]:
        """A scenario for the engine, and what must live as long."""
        made = self.ffi.new("struct kc_scenario *")
        start = self.driver.c_array(scenario.start)
        calls = [self.driver.c_array(thread) for thread in scenario.threads]
        made.start, made.nstart, made.threads = start, len(scenario.start), len(calls)
        for i, thread in enumerate(calls):
            made.calls[i], made.ncalls[i] = thread, len(scenario.threads[i])
        return made, (start, calls)

    def c_options(self, effort: Effort) -> Any:
        """An effort for the engine."""
        made = self.ffi.new("struct kc_thread_options *")
        made.memory = MEMORIES.index(effort.memory)
        made.reduce, made.preemptions = effort.reduce, effort.preemptions
        made.max_executions, made.seconds = effort.executions, effort.seconds
        made.everything, made.outcomes = effort.everything, effort.outcomes
        made.nreads = len(self.reads)
        for i, number in enumerate(self.reads):
            made.reads[i] = number
        return made

    def explore(self, number: int, scenario: Scenario, effort: Effort) -> Explored:
        """Every schedule of a scenario, which is number `number` of a run."""
        c, keep = self.c_scenario(scenario)
        result = self.ffi.new("struct kc_thread_result *")
        self.engine.kc_threads_explore(self.threads, number, c, self.c_options(effort), result)
        del keep
        return Explored(int(result.end), int(result.executions), int(result.blocked), int(result.steps),
                        int(result.orders), int(result.classes), float(result.seconds), int(result.outcomes),
                        int(result.outcomes_are), int(result.dropped))  # fmt: skip

    def kinds(self) -> set[int]:
        """The kinds of what was found so far."""
        count = int(self.engine.kc_threads_found(self.threads))
        return {int(self.engine.kc_threads_finding(self.threads, i).kind) for i in range(count)}

    def found(self) -> Iterator[Found]:
        """What was found so far; after show(), what that schedule shows."""
        for i in range(self.engine.kc_threads_found(self.threads)):
            f = self.engine.kc_threads_finding(self.threads, i)
            order = tuple(self.ffi.buffer(f.schedule, max(int(f.length), 0)))
            yield Found(
                int(f.kind), int(f.which), MEMORIES[f.memory], (int(f.pc[0]), int(f.pc[1])),
                (int(f.access[0]), int(f.access[1])), bool(f.changed), int(f.executions), int(f.scenario),
                tuple(byte if isinstance(byte, int) else byte[0] for byte in order), int(f.value),
            )  # fmt: skip

    def shorten(self, finding: int, scenario: Scenario, effort: Effort) -> bool:
        """Looks for the schedule of a finding with the fewest switches; whether there was time to find it."""
        c, keep = self.c_scenario(scenario)
        done = self.engine.kc_threads_shorten(self.threads, finding, c, self.c_options(effort))
        del keep
        return bool(done)

    def show(self, scenario: Scenario, order: Sequence[int], memory: Memory) -> Schedule | None:
        """One schedule, step by step; None where the code does not go so. Forgets what was found before."""
        c, keep = self.c_scenario(scenario)
        steps = self.ffi.new("struct kc_shown[]", MOST_STEPS)
        ending = self.ffi.new("struct kc_ending *")
        count = self.engine.kc_threads_show(
            self.threads, c, self.c_options(Effort(memory)), bytes(order), len(order), steps, MOST_STEPS,
            ending,
        )  # fmt: skip
        del keep
        if count < 0:
            return None
        calls = [int(ending.finished[i]) for i in range(len(scenario.threads))]
        whole = ending.whole and not ending.why
        return Schedule(
            scenario,
            memory,
            tuple(order),
            tuple(self.step(steps[i]) for i in range(count)),
            WHY.get(int(ending.why), ""),
            tuple(tuple(int(ending.ret[i][k]) for k in range(n)) for i, n in enumerate(calls)),
            tuple(tuple(int(ending.warned[i][k]) for k in range(n)) for i, n in enumerate(calls)),
            tuple(tuple(self.warning(ending, i, k) for k in range(n)) for i, n in enumerate(calls)),
            self.driver.named(self.driver.as_state(ending.obs)) if whole else None,
            ending.explained >= 0,
        )

    def warning(self, ending: Any, thread: int, call: int) -> str:
        """The last warning of a call, as the C that it is."""
        macro = self.driver.text(ending.macro[thread][call])
        return f"{macro}({self.driver.text(ending.condition[thread][call])})" if macro else ""

    def step(self, c: Any) -> ThreadStep:
        """One step."""
        frames, name = tuple(int(c.frame[i]) for i in range(c.frames)), name_of(self.driver.text(c.name))
        return ThreadStep(
            int(c.thread), int(c.call), int(c.kind), int(c.size), name, int(c.byte),
            int(c.before), int(c.after), int(c.pc), frames, bool(c.delayed), bool(c.blocked),
            place=int(c.place),
        )  # fmt: skip

    def knows(
        self, returns: Sequence[Sequence[int]], warned: Sequence[Sequence[bool]], observed: Sequence[int]
    ) -> bool:
        """Whether some execution of the scenario that ran last, with its outcomes counted, came to this."""
        what = self.ffi.new("struct kc_order *")
        for i, (values, warnings) in enumerate(zip(returns, warned, strict=True)):
            for k, (value, warns) in enumerate(zip(values, warnings, strict=True)):
                what.ret[i][k], what.warned[i][k] = value, int(warns)
        for k, value in enumerate(observed):
            what.obs[k] = value
        return bool(self.engine.kc_threads_knows(self.threads, what))

    def orders(self) -> Iterator[Alone]:
        """What the calls of the scenario that ran last do one after the other."""
        order = self.ffi.new("struct kc_order *")
        number = 0
        while self.engine.kc_threads_order(self.threads, number, order):
            threads = tuple(int(order.thread[i]) for i in range(order.length))
            counts = [threads.count(i) for i in range(max(threads) + 1)]
            yield Alone(
                bool(order.of_model),
                threads,
                self.driver.named(self.driver.as_state(order.obs)),
                tuple(tuple(int(order.ret[i][k]) for k in range(n)) for i, n in enumerate(counts)),
                tuple(tuple(int(order.warned[i][k]) for k in range(n)) for i, n in enumerate(counts)),
            )
            number += 1
