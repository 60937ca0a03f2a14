# SPDX-License-Identifier: GPL-2.0-only
"""Work on a subject in worker processes: begun together, each begun again where the subject kills it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness import worker
from harness.contract import Loaded
from harness.driver import Call, Driver, Flight, Libraries, arguments_of
from harness.errors import HarnessError
from harness.explore import Explored, checked, decode, encode
from harness.judge import Death, signal_name
from harness.trace import Step

SLACK = 60.0  # seconds a worker may take beside the engine's own limit
MEMORY = 1 << 30  # bytes that it may take beside the engine's own limit


@dataclass(frozen=True)
class Job:
    """What a worker does: `task` with a driver of `libraries`, within seconds and megabytes."""

    libraries: Libraries
    loaded: Loaded
    task: Callable[[Driver], Explored]
    skip: frozenset[str]
    seconds: float
    megabytes: int


class Explorer:
    """One job under way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.skip = set(job.skip)
        self.deaths: list[Death] = []
        self.start()

    def start(self) -> None:
        """Begins (again) in a new worker."""
        job, flight, skip = self.job, Flight(), frozenset(self.skip)
        self.flight = flight

        def task() -> object:
            return encode(job.task(Driver(job.libraries, job.loaded, flight, skip)))

        wall = job.seconds + SLACK
        limits = worker.Limits(int(wall), wall * 1.5, MEMORY + (job.megabytes << 20))
        self.running = worker.Running(task, limits)

    def end(self) -> None:
        """Ends the worker, whatever it is at."""
        self.running.end()

    def finish(self, poll: Callable[[Flight], None] | None = None) -> tuple[Explored, tuple[Death, ...]]:
        """What was found, and the traces after which a worker died."""
        while True:
            outcome = self.running.wait((lambda: poll(self.flight)) if poll else None)
            if outcome.error:
                raise HarnessError(outcome.error)
            if outcome.result is not None:
                return checked(decode(outcome.result)), tuple(self.deaths)
            if outcome.timed_out or outcome.killed_by == signal.SIGXCPU:
                raise HarnessError("a worker took far more time than its limit and was ended; try --time")
            ran = self.flight.calls(self.job.loaded)
            if not ran:
                raise HarnessError("the worker died before the subject ran")
            how = signal_name(outcome.killed_by)
            self.deaths.append(Death(tuple(bare_steps(self.job.loaded, ran)), how))
            self.skip.add(self.job.loaded.contract.operations[ran[-1].op].name)
            self.start()


def bare_steps(loaded: Loaded, calls: Sequence[Call]) -> Iterator[Step]:
    """A trace of which nothing was observed."""
    for call in calls:
        op = loaded.contract.operations[call.op]
        yield Step(op.name, arguments_of(op, call), {}, {})
