# SPDX-License-Identifier: GPL-2.0-only
"""A schedule: which thread ran when, what each step did, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from harness.interleave.scenario import Scenario

Memory = Literal["sc", "tso", "relaxed"]
MEMORIES: tuple[Memory, ...] = ("sc", "tso", "relaxed")  # KC_SC, KC_TSO, KC_RELAXED
# An access, in bits: those of native/threads.h.
READ, WRITE, MARKED, ACQUIRE, RELEASE, FULL, WAITS, FENCE, IGNORED, SECTION = (1 << n for n in range(10))
MOST_PROCS = 24  # of native/interleave.h
BUFFER = 4  # in an order of steps: a thread is below, a store that becomes visible is not


@dataclass(frozen=True)
class Place:
    """A line of C, and the function that it is in."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class ThreadStep:
    """One access of one thread that others can see.

    `kind` is an access in bits; `name` the object that it is to, at byte `byte` of it; `before` and `after`
    the value there as an unsigned number of `size` bytes. A fence has no size and no name. One that is
    `delayed` is a store of the thread that becomes visible now; one that is `blocked` could not be made when
    the schedule ended. `place` tells where a step is in its thread's own order, in which a delayed store is
    where it was made (-1: as they come). `pc` and `frames`, of the calls that led there, outermost first, are
    addresses in the subject's library; `stack` is the same in lines, innermost first, where it is known.
    """

    thread: int
    call: int
    kind: int
    size: int
    name: str
    byte: int
    before: int
    after: int
    pc: int
    frames: tuple[int, ...] = ()
    delayed: bool = False
    blocked: bool = False
    stack: tuple[Place, ...] = ()
    place: int = -1


@dataclass(frozen=True)
class Schedule:
    """One execution of a scenario, and how it ended.

    `order` has the thread of each step (BUFFER and more: a delayed store). `why` says why not all calls came
    back, `returns` and `warned` are by thread and call, of those that did; `observed` is by State field.
    """

    scenario: Scenario
    memory: Memory
    order: tuple[int, ...]
    steps: tuple[ThreadStep, ...] = ()
    why: str = ""
    returns: tuple[tuple[int, ...], ...] = ()
    warned: tuple[tuple[int, ...], ...] = ()
    warnings: tuple[tuple[str, ...], ...] = ()  # the last one of each call, as C
    observed: Mapping[str, int] | None = None
    explained: bool = False

    @property
    def calls(self) -> int:
        """How many there are before the threads begin, and in them."""
        return len(self.scenario.start) + sum(map(len, self.scenario.threads))

    @property
    def rank(self) -> tuple[int, int, int]:
        """Of two, the one with the lower rank is easier to read."""
        return self.calls, self.switches, len(self.steps)

    @property
    def switches(self) -> int:
        """How often another thread goes on than the one that ran."""
        threads = [step.thread for step in self.steps if not step.blocked]
        return sum(a != b for a, b in pairwise(threads))
