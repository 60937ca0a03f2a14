# SPDX-License-Identifier: GPL-2.0-only
"""One subject and one contract in the native engine, within a worker process."""

from __future__ import annotations

import itertools
import mmap
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

from cffi import FFI

from harness.build import NATIVE
from harness.contract import EXTRA, Loaded, Operation
from harness.errors import HarnessError
from harness.translate import layout, unpack

PACKED_CALL = struct.Struct("@i4x4q")  # struct kc_call
MOST_CALLS = 4096  # of a trace; KC_MAX_PATH
SHIM_LIMIT = "a shim's limit"
WHY = {1: "signal", 2: "endless loop", 3: "deadlock", 4: "BUG", 5: "bad access", 6: SHIM_LIMIT}
COMPLETE, STATES_LIMIT, TIME_LIMIT, NO_MEMORY, STOPPED, STRAYED = range(6)
CAREFUL_STATES = 4096  # in which each call is looked at for what it changed that is not its own


@dataclass(frozen=True)
class Call:
    """One operation with its arguments."""

    op: int
    args: tuple[int, ...]

    @cached_property
    def packed(self) -> bytes:
        """As a struct kc_call."""
        return PACKED_CALL.pack(self.op, *(*self.args, 0, 0, 0, 0)[:4])


class Counters(Protocol):
    """What counts while the subject runs."""

    def read(self) -> str:
        """The counters so far."""
        ...


@dataclass(frozen=True)
class Libraries:
    """The compiled objects of one run."""

    subject: Path
    contract: Path
    engine: Path


@dataclass(frozen=True)
class Limits:
    """What one exploration may take, whether members are told apart in it, and a digest is made of it."""

    states: int = (1 << 27) - 2
    megabytes: int = 1024
    seconds: float = 20.0
    symmetry: bool = False
    digest: bool = False
    calls: int = 0  # after which it ends; 0: no limit


@cache
def ffi() -> FFI:
    """The engine's interface, read from its header."""
    made = FFI()
    header = (NATIVE / "engine.h").read_text()
    made.cdef(header.partition("/* cffi: from here */")[2].partition("/* cffi: to here */")[0])
    made.cdef("const void *kc_entry(void); const void *kc_contract_entry(void);")
    made.cdef("const void *kc_mutant(unsigned int number);")
    return made


@cache
def loaded_library(path: Path) -> Any:
    """A shared object; it stays loaded, since the engine's timer calls into it to the end."""
    return ffi().dlopen(str(path))


def enter(sandbox: Callable[[], int]) -> None:
    """Closes one of the engine's cages around this process; HarnessError where there is none."""
    status = sandbox()
    if status:
        raise HarnessError(f"no sandbox on this machine (error {-status}); nothing was run")


def calls_of(loaded: Loaded, skip: frozenset[str] = frozenset()) -> list[Call]:
    """Every call of the contract's operations within the bounds, but for the operations in `skip`."""
    return [
        Call(number, args)
        for number, op in enumerate(loaded.contract.operations)
        if op.name not in skip
        for args in itertools.product(*op.args.values())
    ]


class Flight:
    """The flight recorder: what was running and how far, in memory that outlives a worker."""

    def __init__(self) -> None:
        size = ffi().sizeof("struct kc_flight")
        self.memory = mmap.mmap(-1, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
        self.pointer = ffi().cast("struct kc_flight *", ffi().from_buffer(self.memory))

    def calls(self, loaded: Loaded) -> list[Call]:
        """The calls from the initial state up to the one that was running; empty when none was."""
        if not self.pointer.running:
            return []
        path = [self.pointer.path[i] for i in range(min(self.pointer.length, MOST_CALLS))]
        return [call_from(c_call, loaded) for c_call in (*path, self.pointer.call)]

    def progress(self) -> tuple[int, int, int, int]:
        """States found, states explored from, calls made, and length of the traces done."""
        said = self.pointer
        return int(said.states), int(said.expanded), int(said.transitions), int(said.depth)


def call_from(c_call: Any, loaded: Loaded) -> Call:
    """A C call as Python's."""
    op = int(c_call.op)
    count = len(loaded.contract.operations[op].args)
    return Call(op, tuple(int(c_call.args[i]) for i in range(count)))


class Driver:
    """A run of the engine: opened once, then explored or walked, and asked for traces."""

    def __init__(
        self, libraries: Libraries, loaded: Loaded, flight: Flight, skip: frozenset[str] = frozenset()
    ) -> None:
        calls = calls_of(loaded, skip)
        self.loaded = loaded
        self.contract = loaded.contract
        self.operations: tuple[Operation, ...] = loaded.contract.operations
        self.calls = calls
        self.skip = skip
        self.flight = flight
        self.ffi = ffi()
        self.engine = loaded_library(libraries.engine)
        self.judge = loaded_library(libraries.contract)
        enter(self.engine.kc_sandbox_to_load)
        self.subject = loaded_library(libraries.subject)
        self.state = layout(self.contract.state)
        self.ghost = layout(self.contract.ghost)
        self.c_calls = self.c_array(calls)
        self.run: Any = None
        self.counters: Counters | None = None
        self.minimal: dict[int, list[Call]] = {}  # by slot, traces that were made minimal
        self.deadline = 0.0  # where a job has one, all its explorations together

    def c_array(self, calls: Sequence[Call]) -> Any:
        """`calls` as a C array."""
        data = b"".join([call.packed for call in calls]) or bytes(PACKED_CALL.size)
        return self.ffi.from_buffer("struct kc_call[]", data)

    def entry(self) -> Any:
        """The subject that is driven."""
        return self.subject.kc_entry()

    def cage(self) -> None:
        """From here on this process can open nothing."""
        if self.engine.kc_prepare(self.entry()):
            raise HarnessError("the sanitizers' shadow memory cannot be had; try --no-sanitizers")
        enter(self.engine.kc_sandbox)

    def must_end_in(self, seconds: float) -> None:
        """A limit for all that is opened from now on, together."""
        self.deadline = time.monotonic() + seconds

    def explore(self, limits: Limits, known: bytes | None = None) -> int:
        """Opens and explores; how that ended."""
        for careful in (CAREFUL_STATES, limits.states):
            self.open(limits, known, careful)
            end = int(self.engine.kc_explore(self.run))
            if end != STRAYED:
                break
            self.engine.kc_close(self.run)
        return end

    def open(self, limits: Limits, known: bytes | None = None, careful: int = CAREFUL_STATES) -> None:
        """Makes the initial world; with `known`, ends at the first failure that it does not name."""
        options = self.ffi.new("struct kc_options *")
        options.careful_states = careful
        options.max_states = limits.states
        options.max_bytes = limits.megabytes << 20
        left = self.deadline - time.monotonic() if self.deadline else limits.seconds
        options.digest, options.most_transitions = limits.digest, limits.calls
        options.seconds = max(min(limits.seconds, left), 0.05)
        if known is not None:
            self.known = self.ffi.new("unsigned char[]", known)
            options.known, options.stop_at_first = self.known, 1
        if limits.symmetry and self.contract.symmetry:
            self.fill_symmetry(options.symmetry)
        self.run = self.engine.kc_open(
            self.entry(),
            self.judge.kc_contract_entry(),
            self.c_calls,
            len(self.calls),
            self.flight.pointer,
            options,
        )
        if self.run == self.ffi.NULL:
            raise HarnessError("the engine could not start: memory, or too many observations or calls")

    def fill_symmetry(self, c: Any) -> None:
        """The contract's symmetry, for the engine."""
        symmetry = self.contract.symmetry
        assert symmetry
        c.members, c.ids, c.tuples = len(symmetry.values), len(symmetry.ids), len(symmetry.tuples)
        for i, value in enumerate(symmetry.values):
            c.value[i] = value
        for i, name in enumerate(symmetry.ids):
            c.id[i] = self.state.offsets[name]
        for i, name in enumerate(symmetry.tuples):
            c.tuple[i] = self.ghost.offsets[name]
        for number, op in enumerate(self.operations):
            c.indices[number] = sum(1 << i for i, a in enumerate(op.args) if a in symmetry.arguments)

    # Slots: one for each check of an operation, then one for each claim.

    @property
    def check_names(self) -> list[str]:
        """What is checked of each operation, in the engine's order."""
        return [*self.state.offsets, *EXTRA]

    def check_slot(self, op: int, name: str) -> int:
        """The engine's number of one check."""
        return op * len(self.check_names) + self.check_names.index(name)

    @property
    def claim_ids(self) -> list[str]:
        """The claims in the engine's order."""
        return [c.id for c in sorted(self.contract.claims, key=lambda c: c.kind != "always")]

    def claim_slot(self, claim: str) -> int:
        """The engine's number of one claim."""
        return len(self.operations) * len(self.check_names) + self.claim_ids.index(claim)

    def slots(self) -> Iterator[tuple[int, str, str, Any]]:
        """Number, operation (empty: a claim), name and C slot of each check and claim."""
        checks, claims = self.engine.kc_checks(self.run), self.engine.kc_claims(self.run)
        for number, op in enumerate(self.operations):
            for name in self.check_names:
                slot = self.check_slot(number, name)
                yield slot, op.name, name, checks[slot]
        for i, claim in enumerate(self.claim_ids):
            yield self.claim_slot(claim), "", claim, claims[i]

    def sites(self) -> Iterator[tuple[int, str, Any]]:
        """Number, operation and C slot of each place that a sanitizer reported."""
        checks = self.engine.kc_checks(self.run)
        first = len(self.operations) * len(self.check_names) + len(self.claim_ids)
        for i in range(self.engine.kc_sites(self.run)):
            op = self.operations[self.engine.kc_site_op(self.run, i)].name
            yield first + i, op, checks[first + i]

    def first_trace(self, slot: int) -> list[Call] | None:
        """The calls that first failed a slot; None where they are too many."""
        calls = self.ffi.new("struct kc_call[]", MOST_CALLS)
        length = self.engine.kc_trace(self.run, slot, calls)
        return None if length < 0 else [call_from(calls[i], self.loaded) for i in range(length)]

    def why(self, slot: int) -> str:
        """Why the call of a crash did not come back; empty of other checks."""
        return WHY.get(int(self.engine.kc_checks(self.run)[slot].why), "")

    def fails_after(self, calls: Sequence[Call], slot: int) -> int:
        """How many of `calls`, from the initial world, it takes to fail `slot`; 0: they do not."""
        return int(self.engine.kc_try(self.run, self.c_array(calls), len(calls), slot))

    def step(self, call: Call | None, watch: int = -1) -> Any:
        """One C step of a trace; without a call, back to the initial world."""
        step = self.ffi.new("struct kc_step *")
        c_call = self.c_array([call]) if call else self.ffi.NULL
        self.engine.kc_step(self.run, call is None, c_call, watch, step)
        return step

    def text(self, pointer: Any) -> str:
        """A C string."""
        if pointer == self.ffi.NULL:
            return ""
        return bytes(self.ffi.string(pointer)).decode("utf-8", "replace")

    def observed(self, step: Any) -> Any:
        """The State that a C step saw."""
        return self.as_state(step.got)

    def as_state(self, numbers: Any) -> Any:
        """A State from the engine's numbers."""
        return unpack([int(numbers[i]) for i in range(self.state.size)], self.contract.state, self.state)

    def as_ghost(self, numbers: Any) -> Any:
        """A Ghost from the engine's numbers."""
        return unpack([int(numbers[i]) for i in range(self.ghost.size)], self.contract.ghost, self.ghost)

    def named(self, state: Any) -> dict[str, int]:
        """A State's fields as ints."""
        return {name: int(getattr(state, name)) for name in self.state.offsets}


def arguments_of(op: Operation, call: Call) -> Mapping[str, int]:
    """A call's arguments by name."""
    return dict(zip(op.args, call.args, strict=True))
