# SPDX-License-Identifier: GPL-2.0-only
"""Drives a compiled subject through the native engine, and has Python judge what it found."""

from __future__ import annotations

import itertools
import mmap
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cffi import FFI

from harness.build import NATIVE
from harness.contract import Loaded, Operation, parameters
from harness.errors import HarnessError
from harness.translate import layout, pack, unpack

MAX_STATES = 4_000_000
SECONDS = 20.0
AUDITED = 400  # transitions of a run that Python judges as well
COMPLETE = 0
EXTRA = ("return", "warnings", "elsewhere", "crash")
WHY = {1: "signal", 2: "endless loop", 3: "deadlock", 4: "BUG"}
ENDS = {1: "the limit of states was reached", 2: "the time limit was reached", 3: "memory ran out"}


@dataclass(frozen=True)
class Call:
    """One operation with its arguments."""

    op: int
    args: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """What one call of a trace did: observations by name, and what the model expects of them."""

    op: str
    args: Mapping[str, int]
    observed: Mapping[str, int]
    expected: Mapping[str, int]
    why: str = ""  # signal, endless loop, deadlock: the call did not come back
    signal: int = 0
    pc: int = 0
    changed_pc: int = 0  # the instruction that changed the observation in question last
    warning: Mapping[str, Any] | None = None
    elsewhere: int = -1


@dataclass(frozen=True)
class Slot:
    """One check over all transitions: how many it judged, how many failed, and a first witness."""

    compared: int
    failed: int
    trace: tuple[Step, ...] = ()
    common: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explored:
    """A whole exploration. `checks` by (operation, observation), `claims` by id."""

    end: int
    states: int
    transitions: int
    checks: Mapping[tuple[str, str], Slot]
    claims: Mapping[str, Slot]
    errors: tuple[str, ...] = ()
    blind: Step | None = None  # the initial world cannot even be observed


@cache
def ffi() -> FFI:
    """The engine's interface, read from its header."""
    made = FFI()
    header = (NATIVE / "engine.h").read_text()
    made.cdef(header.partition("/* cffi: from here */")[2].partition("/* cffi: to here */")[0])
    made.cdef("const void *kc_entry(void);")
    return made


def calls_of(loaded: Loaded, skip: frozenset[str]) -> list[Call]:
    """Every call of the contract's operations within the bounds, but for the operations in `skip`."""
    return [
        Call(number, args)
        for number, op in enumerate(loaded.contract.operations)
        if op.name not in skip
        for args in itertools.product(*op.args.values())
    ]


class Flight:
    """The flight recorder: what was running, in memory that outlives a worker."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, mmap.PAGESIZE)
        self.pointer = ffi().cast("struct kc_flight *", ffi().from_buffer(self.memory))

    def calls(self) -> list[int]:
        """The calls from the initial state up to the one that was running; empty when none was."""
        if not self.pointer.running:
            return []
        path = [int(self.pointer.path[i]) for i in range(min(self.pointer.length, 64))]
        return [*path, int(self.pointer.call)]


class Driver:
    """One loaded subject in this (worker) process."""

    def __init__(self, library: Path, engine: Path, loaded: Loaded, calls: list[Call], flight: Flight):
        self.loaded = loaded
        self.contract = loaded.contract
        self.calls = calls
        self.ffi = ffi()
        self.engine: Any = self.ffi.dlopen(str(engine))
        self.subject: Any = self.ffi.dlopen(str(library))
        self.state = layout(self.contract.state)
        self.ghost = layout(self.contract.ghost)
        self.c_calls = self.ffi.new("struct kc_call[]", len(calls))
        for c_call, call in zip(self.c_calls, calls, strict=True):
            self.fill(c_call, call)
        self.flight = flight
        self.run: Any = None

    @staticmethod
    def fill(c_call: Any, call: Call) -> None:
        """Copies `call` into a C struct."""
        c_call.op = call.op
        for i, arg in enumerate(call.args):
            c_call.args[i] = arg

    def open(self, max_states: int, seconds: float) -> None:
        """Closes the cage, then makes the initial world."""
        entry = self.subject.kc_entry()
        status = self.engine.kc_sandbox()
        if status:
            raise HarnessError(f"no sandbox on this machine (error {-status}); nothing was run")
        self.run = self.engine.kc_open(
            entry, self.c_calls, len(self.calls), self.flight.pointer, max_states, seconds
        )
        if self.run == self.ffi.NULL:
            raise HarnessError("the engine could not start: memory, or too many observations")

    def explore(self) -> Explored:
        """Everything within the bounds, each finding with its trace."""
        blind = self.blind()
        if blind:
            return Explored(COMPLETE, 0, 0, {}, {}, blind=blind)
        end = int(self.engine.kc_explore(self.run))
        slots = self.engine.kc_checks(self.run)
        names = [*self.state.offsets, *EXTRA]
        checks = {
            (op.name, name): self.slot(slots[number * len(names) + k], k if k < self.state.size else -1)
            for number, op in enumerate(self.contract.operations)
            for k, name in enumerate(names)
        }
        ordered = sorted(self.contract.claims, key=lambda c: c.kind != "always")
        found = self.engine.kc_claims(self.run)
        claims = {claim.id: self.slot(found[i]) for i, claim in enumerate(ordered)}
        return Explored(
            end,
            int(self.engine.kc_states(self.run)),
            int(self.engine.kc_transitions(self.run)),
            checks,
            claims,
            tuple(self.audit()),
        )

    def blind(self) -> Step | None:
        """How observing the initial world crashes, where it does."""
        step = self.ffi.new("struct kc_step *")
        if not self.engine.kc_step(self.run, 1, self.ffi.NULL, -1, step):
            return None
        return Step("", {}, {}, {}, WHY[step.why], int(step.signal), int(step.pc))

    def slot(self, c_slot: Any, watch: int = -1) -> Slot:
        """One check's result, its first failure replayed."""
        if not c_slot.failed:
            return Slot(int(c_slot.compared), 0)
        path = self.ffi.new("int[64]")
        length = self.engine.kc_path(self.run, c_slot.state, path)
        indices = [path[i] for i in range(max(length, 0))] + [c_slot.call]
        return Slot(
            int(c_slot.compared),
            int(c_slot.failed),
            tuple(self.replay([self.calls[i] for i in indices], watch)),
            tuple(self.common(c_slot)),
        )

    def common(self, c_slot: Any) -> Iterator[str]:
        """Features that all failing transitions have and not all others."""
        passed = c_slot.compared > c_slot.failed
        for bit, feature in enumerate(self.contract.features):
            if c_slot.fail_all >> bit & 1 and passed and not c_slot.pass_all >> bit & 1:
                yield feature.title

    def replay(self, calls: list[Call], watch: int = -1) -> Iterator[Step]:
        """The steps of a trace from the initial world, each held against the Python model.

        `watch` is an observation whose last change in the last step is to be found in the code.
        """
        step = self.ffi.new("struct kc_step *")
        self.engine.kc_step(self.run, 1, self.ffi.NULL, -1, step)
        before = self.observed(step)
        ghost = self.contract.ghost()
        yield Step("", {}, self.named(before), {})
        for number, call in enumerate(calls, 1):
            op = self.contract.operations[call.op]
            c_call = self.ffi.new("struct kc_call *")
            self.fill(c_call, call)
            self.engine.kc_step(self.run, 0, c_call, watch if number == len(calls) else -1, step)
            yield self.step(op, call, step, before, ghost)
            if step.why:
                return
            args = dict(zip(op.args, call.args, strict=True))
            if op.ghost:
                ghost = apply(op.ghost, {"g": ghost} | args)
            before = self.observed(step)

    def step(self, op: Operation, call: Call, step: Any, before: Any, ghost: Any) -> Step:
        """What one C step did, named."""
        observed = {} if step.why else self.named(self.observed(step))
        if not step.why:
            observed |= {"warnings": int(step.warnings), "rmw": int(step.rmw)}
            if op.returns:
                observed["return"] = int(step.ret)
        warning: dict[str, Any] | None = None
        if step.warnings and step.condition != self.ffi.NULL:
            warning = {key: self.text(getattr(step, key)) for key in ("macro", "condition", "file")}
            warning["line"] = int(step.line)
        return Step(
            op.name,
            dict(zip(op.args, call.args, strict=True)),
            observed,
            self.expected(op, call, before, ghost),
            WHY.get(step.why, ""),
            int(step.signal),
            int(step.pc),
            int(step.changed_pc),
            warning,
            int(step.elsewhere),
        )

    def text(self, pointer: Any) -> str:
        """A C string."""
        return bytes(self.ffi.string(pointer)).decode("utf-8", "replace")

    def observed(self, step: Any) -> Any:
        """The State that a C step saw."""
        return unpack([int(step.got[i]) for i in range(self.state.size)], self.contract.state, self.state)

    def named(self, state: Any) -> dict[str, int]:
        """A State's fields as ints."""
        return {name: int(getattr(state, name)) for name in self.state.offsets}

    def expected(self, op: Operation, call: Call, before: Any, ghost: Any) -> dict[str, int]:
        """What the Python model predicts of `call` from `before`."""
        given = {"g": ghost, "s": before} | dict(zip(op.args, call.args, strict=True))
        due = bool(op.warns and apply(op.warns, given))
        if op.kind == "misuse":
            return {"warnings": int(due)}
        said = self.named(apply(op.model, given) if op.model else before)
        if op.returns:
            said["return"] = int(apply(op.returns, given))
        return said | {"warnings": int(due)}

    def audit(self) -> Iterator[str]:
        """Where the translated contract and Python disagree, on a sample of transitions."""
        choose = random.Random(1)
        states = int(self.engine.kc_states(self.run))
        for _ in range(AUDITED if self.calls else 0):
            wrong = self.audit_one(choose.randrange(states), choose.randrange(len(self.calls)))
            if wrong:
                yield wrong
                return

    def audit_one(self, number: int, index: int) -> str:
        """Empty where C and Python agree on all that the contract says of one transition."""
        numbers = self.ffi.new("long long[]", 64), self.ffi.new("long long[]", 64)
        self.engine.kc_state(self.run, number, *numbers)
        state = unpack([int(v) for v in numbers[0][0 : self.state.size]], self.contract.state, self.state)
        ghost = unpack([int(v) for v in numbers[1][0 : self.ghost.size]], self.contract.ghost, self.ghost)
        call = self.calls[index]
        op = self.contract.operations[call.op]
        given = {"g": ghost, "s": state} | dict(zip(op.args, call.args, strict=True))
        if op.when and not apply(op.when, given):
            return ""
        out = [self.ffi.new("long long[]", 64) for _ in range(3)]
        self.engine.kc_judge(
            self.run, self.c_calls[index : index + 1], numbers[1], numbers[0], numbers[0], 1, *out
        )
        said = self.judgement(op, given, state)
        got = [int(v) for v in out[2][0:5]]
        if op.kind != "misuse":
            got += [int(v) for v in out[0][0 : self.state.size]]
        if op.kind == "operation":
            got += [int(v) for v in out[1][0 : self.ghost.size]]
        return "" if got == said else f"{op.name}: C says {got}, Python says {said}"

    def judgement(self, op: Operation, given: dict[str, Any], state: Any) -> list[int]:
        """Python's word on a transition that changes nothing, in the engine's order."""
        said = [1, int(bool(op.warns and apply(op.warns, given)))]
        said.append(int(apply(op.returns, given)) if op.returns else 0)
        next_ghost = apply(op.ghost, given) if op.ghost else given["g"]
        view = {"g": next_ghost, "s": state, "t": state, "rmw": 1}
        broken = witnessed = 0
        if op.kind == "operation":
            always = [c for c in self.contract.claims if c.kind == "always"]
            possible = [c for c in self.contract.claims if c.kind == "possible"]
            for bit, claim in enumerate(always):
                judged = not claim.on or op.name in claim.on
                broken |= (judged and not apply(claim.holds, view)) << bit
            for bit, claim in enumerate(possible):
                witnessed |= bool(apply(claim.holds, view)) << bit
        said += [broken, witnessed]
        if op.kind != "misuse":
            said += pack(apply(op.model, given) if op.model else state, self.state)
        if op.kind == "operation":
            said += pack(next_ghost, self.ghost)
        return said


def apply(function: Any, given: Mapping[str, Any]) -> Any:
    """`function` of those of `given` that it takes."""
    return function(**{name: given[name] for name in parameters(function)})


def encode(explored: Explored) -> dict[str, Any]:
    """Explored as plain data, for the way from worker to parent."""
    return {
        "end": explored.end,
        "states": explored.states,
        "transitions": explored.transitions,
        "checks": {"\t".join(k): asdict(v) for k, v in explored.checks.items()},
        "claims": {k: asdict(v) for k, v in explored.claims.items()},
        "errors": list(explored.errors),
        "blind": asdict(explored.blind) if explored.blind else None,
    }


def decode(data: Mapping[str, Any]) -> Explored:
    """What `encode` was given."""

    def slot(said: Mapping[str, Any]) -> Slot:
        steps = tuple(Step(**step) for step in said["trace"])
        return Slot(said["compared"], said["failed"], steps, tuple(said["common"]))

    checks: dict[tuple[str, str], Slot] = {}
    for key, value in data["checks"].items():
        op, _, name = key.partition("\t")
        checks[op, name] = slot(value)
    return Explored(
        data["end"],
        data["states"],
        data["transitions"],
        checks,
        {k: slot(v) for k, v in data["claims"].items()},
        tuple(data["errors"]),
        Step(**data["blind"]) if data["blind"] else None,
    )
