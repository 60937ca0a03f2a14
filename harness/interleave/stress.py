# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios on real threads under gcc's ThreadSanitizer for a time: a check on the explorer itself.

What it sees depends on luck, so that it sees nothing proves nothing; but what it does see happened. An
outcome that the explorer did not find, or a race that it cannot explain, is a defect of one of the two.

What libtsan cannot know, and a comparison must excuse: it orders nothing by fences (`Stressed.fences`),
and a marked access beside a plain one is a race to it (`Race.marked`), as to the kernel's memory model,
though KCSAN lets plain aligned writes pass. Volatile accesses are told to it as relaxed atomic ones. A
marked write is an atomic read-modify-write of its own before it, which on x86 is a full barrier: there
it hides what a store buffer does. Memory is not reordered beyond what compiler and processor do.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import resource
import selectors
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from extractor.slice import Slice
from harness import worker
from harness.build import FILE_BYTES, NATIVE, Cached, Flavour, compiler
from harness.contract import Loaded
from harness.driver import Call
from harness.errors import HarnessError
from harness.interleave.scenario import Scenario
from harness.locate import address_lines
from harness.render import declarations, variables
from harness.subjects import Attempt, Subject
from kernel_snippets import INCLUDE

# As the kernel is optimised: what a compiler makes of the code is part of what the explorer stands for.
STRESSED = Flavour(
    "stressed",
    code=(
        "-O2",
        "-DKC_UNOPTIMISED=1",
        "-DKC_STRESS=1",
        "-fsanitize=thread",
        *("--param", "tsan-distinguish-volatile=1"),
        "-Wno-tsan",  # that fences order nothing
    ),
    sources=("stress_hooks.c",),
    constructors=1,
)
LIBRARY = "tsan"
# Only linked with the sanitizer, not instrumented; libtsan is first, whatever else has its functions.
PROGRAM = ["-std=gnu11", "-O2", "-w", "-pipe", "-pthread", "-Wl,--no-as-needed"]
OPTIONS = {
    "atexit_sleep_ms": 0,
    "detect_deadlocks": 0,
    "exitcode": 0,
    "halt_on_error": 0,
    "handle_abort": 0,
    "handle_segv": 0,
    "handle_sigbus": 0,
    "handle_sigfpe": 0,
    "handle_sigill": 0,
    "history_size": 7,  # the most: how far back the other access of a race may be
    "print_summary": 0,
    "report_mutex_bugs": 0,
    "report_signal_unsafe": 0,
    "report_thread_leaks": 0,
    "suppress_equal_addresses": 0,
    "symbolize": 0,
}
ADDR_NO_RANDOMIZE = 0x0040000  # linux/personality.h
LATE_STOPS = 4  # after which, where the time is over, what never ran is left so
PATIENCE = 500  # ms of CPU time in one round, after which a thread that is not done hangs
GRACE = 60.0  # seconds, to begin and end on a busy machine
MOST_OUT, MOST_ERR, MOST_MEMORY = 64 << 20, 64 << 10, 2 << 30  # bytes
POLL = 0.2
NUMBER = struct.Struct("@q")
PACKED_CALL = struct.Struct("@5q")
Why = Literal["hang", "crash", "a shim's limit"]
WHY: Mapping[int, Why] = {1: "hang", 2: "crash", 3: "a shim's limit"}
OF_PLACES, OF_VARIABLES, OF_OBJECTS = range(3)


@dataclass(frozen=True)
class Outcome:
    """What became of a scenario, `count` times: of each thread's calls what they returned, and whether they
    warned; and what was observed when all were done, in the order of the contract's State."""  # fmt: skip

    returns: tuple[tuple[int, ...], ...]
    warned: tuple[tuple[bool, ...], ...]
    observations: tuple[int, ...]
    count: int


@dataclass(frozen=True)
class Access:
    """One side of a race: `atomic` where it is marked, that is atomic or volatile.

    `pc` is the return address of libtsan's hook within the subject, 0 where libtsan has lost it; `calls`
    are the lines of the patch that led there, innermost first.
    """

    write: bool
    atomic: bool
    size: int
    pc: int
    calls: tuple[tuple[str, int], ...] = field(compare=False)


@dataclass(frozen=True)
class Race:
    """Two accesses that nothing ordered, and to what of the world: so many bytes into which place of it."""

    first: Access
    second: Access
    place: str
    offset: int

    @property
    def marked(self) -> bool:
        """Whether one side is marked: KCSAN lets that pass where the other is a plain aligned write."""
        return self.first.atomic or self.second.atomic


@dataclass(frozen=True)
class Stop:
    """A scenario that did not come to its end, why, and of a crash the lines of the patch that led there."""

    scenario: int
    why: Why
    signal: int = 0
    calls: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Stressed:
    """What real threads did: `outcomes` by scenario. A scenario that stopped was not begun again.

    `lost` counts rounds whose outcome, and `more_races` reports that the tables had no place for.
    """

    seconds: float
    rounds: int
    threads: int
    outcomes: tuple[tuple[Outcome, ...], ...]
    races: tuple[Race, ...]
    stops: tuple[Stop, ...]
    seed: int
    fences: bool
    lost: int = 0
    more_races: int = 0

    @property
    def hung(self) -> int:
        """The first scenario that hung; -1: none did."""
        return next((stop.scenario for stop in self.stops if stop.why == "hang"), -1)


def stress(
    loaded: Loaded,
    piece: Slice,
    config: dict[str, bool],
    scenarios: Sequence[Scenario],
    seconds: float,
    seed: int,
    folder: Path,
) -> Stressed:
    """Runs `scenarios` in turn for so many seconds; HarnessError where there is no libtsan or no cage.

    `seed` is of the delays after which threads begin. A scenario that stops is left out from there on.
    """
    program = stress_program(folder)
    attempt = Attempt(loaded, piece, config, folder / "stressed", STRESSED)
    ready = finish(program)
    subject = attempt.settle()
    found = Found(loaded, subject, scenarios)
    left = list(range(len(scenarios)))
    given = folder / "scenarios"
    end = time.monotonic() + seconds
    while left:
        given.write_bytes(packed([scenarios[i] for i in left]))
        remaining = max(end - time.monotonic(), 0.0)
        lines = run_caged(ready, subject.built.library, given, remaining, seed + len(found.stops))
        stopped = found.take(lines, left)
        if stopped is None:
            break
        left.remove(stopped)
        never = any(not found.outcomes[i] for i in left)
        if time.monotonic() >= end and (not never or len(found.stops) > LATE_STOPS):
            break
    return found.all(seconds, seed)


def stress_program(folder: Path) -> Cached:
    """The program that runs a subject on threads."""
    sources = [NATIVE / "stress.c", NATIVE / "sandbox.c"]
    arguments: list[str | Path] = [*PROGRAM, f"-l{LIBRARY}", "-I", NATIVE, "-idirafter", INCLUDE]
    inputs = [*sources, *sorted(NATIVE.glob("*.h")), INCLUDE / "kconform/record.h"]
    return Cached("stress", sources, arguments, [path.read_text() for path in inputs], folder, "bin")


def finish(program: Cached) -> Path:
    """The program, when it is compiled."""
    try:
        return program.finish()
    except HarnessError as err:
        if f"-l{LIBRARY}" in str(err):
            raise lacking() from None
        raise


def lacking() -> HarnessError:
    """What is said where there is no libtsan."""
    return HarnessError(
        f"no ThreadSanitizer for {compiler()}: gcc's libtsan is not installed; install the package libtsan2 "
        "(Debian, Ubuntu) or libtsan (Fedora), or do without --stress"
    )


def packed(scenarios: Sequence[Scenario]) -> bytes:
    """Scenarios as stress.c reads them."""
    parts = [NUMBER.pack(len(scenarios))]
    for scenario in scenarios:
        parts += [packed_calls(scenario.start), NUMBER.pack(len(scenario.threads))]
        parts += [packed_calls(calls) for calls in scenario.threads]
    return b"".join(parts)


def packed_calls(calls: Sequence[Call]) -> bytes:
    """How many, and each."""
    each = [PACKED_CALL.pack(call.op, *(*call.args, 0, 0, 0, 0)[:4]) for call in calls]
    return b"".join([NUMBER.pack(len(calls)), *each])


Value = TypeVar("Value", int, bool)


def split(values: Sequence[Value], threads: Sequence[Sequence[Call]]) -> tuple[tuple[Value, ...], ...]:
    """A value each call, by thread."""
    rest = iter(values)
    return tuple(tuple(islice(rest, len(calls))) for calls in threads)


# Running.


def run_caged(program: Path, library: Path, given: Path, seconds: float, seed: int) -> list[str]:
    """The lines that the program wrote, in its cage; HarnessError where it did not come to its end."""
    options = ":".join(f"{name}={value}" for name, value in OPTIONS.items())
    cpu, parent = int((seconds + GRACE) * 8), os.getpid()
    with given.open("rb") as scenarios:
        process = subprocess.Popen(
            [program, library, str(int(seconds * 1000)), str(seed), str(PATIENCE)],
            stdin=scenarios,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"TSAN_OPTIONS": options},
            start_new_session=True,
            preexec_fn=lambda: limits(cpu, parent),
        )
    with process:
        try:
            out, err, reason = collect(process, time.monotonic() + seconds + GRACE)
        finally:
            process.kill()
    lines = out.decode("utf-8", "replace").splitlines()
    if lines and lines[-1].startswith('{"end"') and not reason:
        return lines
    said = next(iter(err.decode("utf-8", "replace").splitlines()), "")
    if "libtsan" in said and "shared librar" in said:
        raise lacking()
    reason = reason or said or f"it ended with status {process.returncode}"
    raise HarnessError(f"the operations could not be run on threads: {reason[:200]}")


def limits(cpu: int, parent: int) -> None:
    """Runs in the program's process, which goes on to close its cage itself.

    There is no limit of its memory: libtsan's shadow has more addresses than any.
    """
    worker.die_with(parent)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # where memory runs out, this is what goes first
        Path("/proc/self/oom_score_adj").write_text("1000")
    # libtsan's shadow is at fixed addresses, which random ones may be in the way of. Where it is forbidden
    # it may still do without, and says so where not.
    worker.LIBC.personality(ADDR_NO_RANDOMIZE)


def collect(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes, str]:
    """What it wrote up to its end, and why it was not left to come to that; the beginning of its errors."""
    assert process.stdout and process.stderr
    out, err = bytearray(), bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ, out)
        waiting.register(process.stderr, selectors.EVENT_READ, err)
        while waiting.get_map():
            for key, _ in waiting.select(POLL):
                data = os.read(key.fd, 1 << 16)
                if not data:
                    waiting.unregister(key.fileobj)
                elif key.data is out or len(err) < MOST_ERR:
                    key.data.extend(data)
            if time.monotonic() > deadline:
                return bytes(out), bytes(err), "they did not come to an end"
            if len(out) > MOST_OUT:
                return bytes(out), bytes(err), "they wrote too much"
            if resident(process.pid) > MOST_MEMORY:
                return bytes(out), bytes(err), "they took too much memory"
    return bytes(out), bytes(err), ""


def resident(pid: int) -> int:
    """Bytes of memory that a process has; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * mmap.PAGESIZE
    except (OSError, IndexError):
        return 0


# What it wrote.


class Found:
    """The tables of one run after another, together."""

    def __init__(self, loaded: Loaded, subject: Subject, scenarios: Sequence[Scenario]) -> None:
        self.scenarios = scenarios
        self.library = subject.built.library
        self.files = frozenset(item.file for item in subject.piece.code)
        own = variables(subject.piece)
        objects = [d.name for d in declarations(loaded.contract.world)]
        self.names = {OF_PLACES: loaded.contract.owns, OF_VARIABLES: own, OF_OBJECTS: [*objects, *own]}
        self.outcomes: list[Counter[Outcome]] = [Counter() for _ in scenarios]
        self.races: dict[Race, None] = {}
        self.stops: list[Stop] = []
        self.rounds = self.lost = self.more_races = 0
        self.fences = False
        self.lines_of = cache(self.find_lines)

    def take(self, lines: Sequence[str], numbers: Sequence[int]) -> int | None:
        """Adds a run's; the scenario that stopped it. `numbers` are those of the run's scenarios."""
        stopped = None
        try:
            for line in lines:
                ((kind, said),) = json.loads(line).items()
                if kind == "outcome":
                    self.take_outcome(said, numbers)
                elif kind == "race":
                    self.races[self.race(said)] = None
                elif kind == "end":
                    stopped = self.take_end(said, numbers)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            # It is the same process that the patch's code ran in.
            raise HarnessError("the operations on threads left nothing that can be read") from None
        return stopped

    def take_outcome(self, said: Any, numbers: Sequence[int]) -> None:
        """[scenario, count, [what each call returned, whether it warned, each observation]]."""
        scenario, count, values = said
        threads = self.scenarios[numbers[scenario]].threads
        calls = sum(map(len, threads))
        numbers_of = [int(value) for value in values]
        returns = split(numbers_of[:calls], threads)
        warned = split([value != 0 for value in numbers_of[calls : 2 * calls]], threads)
        outcome = Outcome(returns, warned, tuple(numbers_of[2 * calls :]), 0)
        self.outcomes[numbers[scenario]][outcome] += int(count)

    def race(self, said: Any) -> Race:
        """[count, [kind, index, offset], [write, atomic, size, [pc, the innermost first]], [...]]."""
        _, (kind, index, offset), *sides = said
        first, second = sorted((self.access(*side) for side in sides), key=lambda side: (side.pc, side.write))
        names = self.names.get(kind, ())
        return Race(first, second, names[index] if names else "", int(offset))

    def access(self, write: int, atomic: int, size: int, frames: Sequence[int]) -> Access:
        """One side of a race."""
        calls = tuple(line for pc in frames for line in self.lines_of(int(pc) - 1))
        return Access(bool(write), bool(atomic), int(size), int(frames[0]) if frames else 0, calls)

    def find_lines(self, pc: int) -> tuple[tuple[str, int], ...]:
        """The patch's lines of the code at an address, innermost first."""
        return tuple(address_lines(self.library, pc, set(self.files)))

    def take_end(self, said: Any, numbers: Sequence[int]) -> int | None:
        """[why, scenario, signal, pc, rounds, lost, more_races, fences]."""
        why, scenario, signal, pc, rounds, lost, more_races, fences = said
        self.rounds += int(rounds)
        self.lost += int(lost)
        self.more_races += int(more_races)
        self.fences |= bool(fences)
        if not why:
            return None
        calls = self.lines_of(int(pc) - 1) if pc else ()
        self.stops.append(Stop(numbers[scenario], WHY[why], int(signal), calls))
        return self.stops[-1].scenario

    def all(self, seconds: float, seed: int) -> Stressed:
        """All of it."""
        return Stressed(
            seconds=seconds,
            rounds=self.rounds,
            threads=max((len(scenario.threads) for scenario in self.scenarios), default=0),
            outcomes=tuple(tuple(counted(counter)) for counter in self.outcomes),
            races=tuple(self.races),
            stops=tuple(self.stops),
            seed=seed,
            fences=self.fences,
            lost=self.lost,
            more_races=self.more_races,
        )


def counted(counter: Counter[Outcome]) -> Iterator[Outcome]:
    """Outcomes with how often, the most frequent first."""
    for outcome, count in counter.most_common():
        yield Outcome(outcome.returns, outcome.warned, outcome.observations, count)
