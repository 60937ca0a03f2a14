# SPDX-License-Identifier: GPL-2.0-only
"""What an exploration or a walk found: each check's counts and its first witness, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness import audit, shrink
from harness.contract import GOES_ON, Operation
from harness.driver import COMPLETE, WHY, Call, Driver, Limits, call_from
from harness.errors import HarnessError
from harness.trace import Step, replay

# Without symmetry up to so many states; beyond, members are taken to be alike (--symmetry auto).
FEW_STATES = 200_000
ENDS = {
    1: "the limit of states was reached",
    2: "the time limit was reached",
    3: "the memory limit was reached",
}


@dataclass(frozen=True)
class Slot:
    """One check over all transitions: how many it judged, how many failed, and a first witness."""

    compared: int
    failed: int
    trace: tuple[Step, ...] = ()
    common: tuple[str, ...] = ()
    wide: bool = False  # of a random walk


@dataclass(frozen=True)
class Explored:
    """A whole exploration, or a walk. `checks` by (operation, observation), `claims` by id.

    `states` counts all states, `kept` those in memory: fewer, where each stands for all that differ
    only by which member is which. Every trace of `depth` calls was explored.
    """

    end: int
    states: int
    transitions: int
    checks: Mapping[tuple[str, str], Slot]
    claims: Mapping[str, Slot]
    sites: tuple[tuple[str, Slot], ...] = ()  # operation, and each place that a sanitizer reported in it
    kept: int = 0
    depth: int = 0
    bytes: int = 0
    symmetric: bool = False
    seconds: float = 0.0
    counters: str = ""  # of coverage, where they were compiled in
    errors: tuple[str, ...] = ()
    blind: Step | None = None  # the initial world cannot even be observed


def explore(driver: Driver, limits: Limits, symmetry: str) -> Explored:
    """Everything within the bounds, each finding with its trace; `symmetry` is auto, on or off."""
    driver.cage()
    few = Limits(min(FEW_STATES, limits.states), limits.megabytes, limits.seconds)
    alike = Limits(limits.states, limits.megabytes, limits.seconds, symmetry=True)
    wanted = {"auto": few, "on": alike, "off": limits}[symmetry]
    driver.open(wanted)
    blind = unobservable(driver)
    if blind:
        return Explored(COMPLETE, 0, 0, {}, {}, blind=blind)
    end = driver.explore(wanted)
    if symmetry == "auto" and int(driver.engine.kc_kept(driver.run)) >= few.states < limits.states:
        driver.engine.kc_close(driver.run)
        end = driver.explore(alike if driver.contract.symmetry else limits)
    try:
        return results(driver, end)
    except NotAlikeError:
        driver.engine.kc_close(driver.run)
        return results(driver, driver.explore(limits))


class NotAlikeError(Exception):
    """A trace that symmetry made does not show what it should: members are not alike in this code."""


def unobservable(driver: Driver) -> Step | None:
    """How observing the initial world crashes, where it does."""
    step = driver.step(None)
    if not step.why:
        return None
    return Step("", {}, {}, {}, WHY[step.why], int(step.signal), int(step.pc))


def results(driver: Driver, end: int) -> Explored:
    """All that the engine found, traces replayed."""
    engine, run = driver.engine, driver.run
    checks: dict[tuple[str, str], Slot] = {}
    claims: dict[str, Slot] = {}
    counters = driver.counters.read() if driver.counters else ""
    errors = tuple(audit.audit_states(driver))
    for number, op, name, c_slot in driver.slots():
        found = slot_result(driver, number, op, name, c_slot)
        if op:
            checks[op, name] = found
        else:
            claims[name] = found
    sites = [(op, slot_result(driver, number, op, "", slot)) for number, op, slot in driver.sites()]
    return Explored(
        end,
        int(engine.kc_states(run)),
        int(engine.kc_transitions(run)),
        checks,
        claims,
        tuple(sites),
        int(engine.kc_kept(run)),
        int(engine.kc_depth(run)),
        int(engine.kc_bytes(run)),
        bool(engine.kc_symmetric(run)),
        float(engine.kc_seconds(run)),
        counters,
        errors,
    )


def slot_result(driver: Driver, number: int, op: str, name: str, c_slot: Any) -> Slot:
    """One check's result, its first failure replayed."""
    if not c_slot.failed:
        return Slot(int(c_slot.compared), 0)
    calls = driver.first_trace(number)
    if driver.engine.kc_symmetric(driver.run) and calls != []:
        if calls is None or not driver.fails_after(calls, number):
            raise NotAlikeError
        plain = in_order(driver, calls)
        calls = plain if driver.fails_after(plain, number) == len(plain) else calls
    steps = tuple(replay(driver, calls or (), watch_of(driver, op, name)))
    return Slot(int(c_slot.compared), int(c_slot.failed), steps, tuple(common(driver, c_slot)))


def in_order(driver: Driver, calls: Sequence[Call]) -> list[Call]:
    """A trace with its members named in the order in which they appear."""
    symmetry = driver.contract.symmetry
    names: dict[int, int] = {}
    renamed: list[Call] = []
    for call in calls:
        op = driver.operations[call.op]
        args = tuple(
            names.setdefault(value, len(names))
            if symmetry and name in symmetry.arguments and value < len(symmetry.values)
            else value
            for name, value in zip(op.args, call.args, strict=True)
        )
        renamed.append(Call(call.op, args))
    return renamed


def watch_of(driver: Driver, op: str, name: str) -> int:
    """The observation whose last change says where a check went wrong, or -1."""
    return list(driver.state.offsets).index(name) if op and name in driver.state.offsets else -1


def common(driver: Driver, c_slot: Any) -> Iterator[str]:
    """Features that all failing transitions have and not all others."""
    passed = c_slot.compared > c_slot.failed
    for bit, feature in enumerate(driver.contract.features):
        if c_slot.fail_all >> bit & 1 and passed and not c_slot.pass_all >> bit & 1:
            yield feature.title


# Random walks.


def walk(driver: Driver, seed: int, steps: int, seconds: float) -> Explored:
    """A random walk of `steps` calls from `seed`; what fails is shrunk to a minimal trace."""
    driver.cage()
    driver.open(Limits(seconds=seconds))
    if unobservable(driver):
        return Explored(COMPLETE, 0, 0, {}, {})
    end = random_walk(driver, seed, steps)
    made = int(driver.engine.kc_transitions(driver.run))
    last = [call_from(driver.flight.pointer.path[i], driver.loaded)
            for i in range(driver.flight.pointer.length)]  # fmt: skip
    walk_on(driver, seed)
    checks: dict[tuple[str, str], Slot] = {}
    claims: dict[str, Slot] = {}
    for number, op, name, c_slot in driver.slots():
        found = shrunk(driver, number, op, name, c_slot)
        if op:
            checks[op, name] = found
        else:
            claims[name] = found
    errors = tuple(audit.audit_trace(driver, last))
    return Explored(end, int(driver.engine.kc_states(driver.run)), made, checks, claims, errors=errors)


LENGTH = 512  # calls of a walk's trace
FURTHER, FURTHER_LENGTH = 40_000, 12  # calls made behind each divergence, and how many at a time


def walk_on(driver: Driver, seed: int) -> None:
    """Goes on behind each divergence that was found, where what it leads to is near.

    Which claims a divergence breaks must not hang on how far one walk happened to come.
    """
    for number, op, name, c_slot in list(driver.slots()):
        if c_slot.failed and op and name in driver.state.offsets:
            calls = minimal_trace(driver, number)
            if driver.fails_after(calls, number) == len(calls):
                random_walk(driver, seed, FURTHER, calls)


def random_walk(driver: Driver, seed: int, steps: int, prefix: Sequence[Call] = ()) -> int:
    """Walks in a run that is open, each trace behind `prefix`; how that ended."""
    draws, count, kept = draws_of(driver)
    length = min(len(prefix) + FURTHER_LENGTH, LENGTH) if prefix else LENGTH
    end = int(driver.engine.kc_walk(driver.run, draws, count, seed, steps, length,
                                    driver.c_array(prefix), len(prefix)))  # fmt: skip
    del kept
    return end


def draws_of(driver: Driver) -> tuple[Any, int, list[Any]]:
    """What a walk draws from, operations first, and how many; the last part keeps C's memory alive."""
    operations = sorted(enumerate(driver.operations), key=lambda pair: pair[1].kind not in GOES_ON)
    possible = [
        (number, op)
        for number, op in operations
        if op.name not in driver.skip and all(op.domain(a, wide=True) for a in op.args)
    ]
    draws = driver.ffi.new("struct kc_draw[]", max(len(possible), 1))
    kept: list[Any] = []
    for draw, (number, op) in zip(draws, possible, strict=False):
        draw.op, draw.args = number, len(op.args)
        for i, name in enumerate(op.args):
            values = op.domain(name, wide=True)
            kept.append(driver.ffi.new("long long[]", values))
            draw.values[i], draw.n[i] = kept[-1], len(values)
    return draws, len(possible), kept


def shrunk(driver: Driver, number: int, op: str, name: str, c_slot: Any) -> Slot:
    """One check's result in a walk, its failing trace made minimal."""
    possible = not op and next(c for c in driver.contract.claims if c.id == name).kind == "possible"
    if not c_slot.failed or possible:
        return Slot(int(c_slot.compared), int(c_slot.failed))
    small = minimal_trace(driver, number)
    return Slot(int(c_slot.compared), int(c_slot.failed),
                tuple(replay(driver, small, watch_of(driver, op, name))))  # fmt: skip


def minimal_trace(driver: Driver, number: int) -> list[Call]:
    """A shortest form of the trace that first failed a slot."""
    slow = driver.why(number) == "endless loop"
    return shrink.minimal(
        driver.first_trace(number) or [],
        lambda tried: driver.fails_after(tried, number),
        lambda trace: simpler(driver.operations, trace),
        SLOW_TRIES if slow else MOST_TRIES,
    )


# Of traces while one is made minimal; each try of an endless loop takes its whole time slice.
MOST_TRIES, SLOW_TRIES = 20_000, 6


def simpler(operations: Sequence[Operation], trace: Sequence[Call]) -> Iterator[list[Call]]:
    """Simpler forms of a trace: a value that stands before one in its domain, everywhere or once."""
    for name, value, lower in simplifications(operations, trace):
        yield [with_value(operations, call, name, value, lower) for call in trace]
    for at, call in enumerate(trace):
        for name, value, lower in simplifications(operations, [call]):
            plain = with_value(operations, call, name, value, lower)
            yield [*trace[:at], plain, *trace[at + 1 :]]


def simplifications(operations: Sequence[Operation], trace: Sequence[Call]) -> Iterator[tuple[str, int, int]]:
    """Argument, value, and each simpler value of it, of all that a trace uses."""
    used: dict[tuple[str, int], tuple[int, ...]] = {}
    for call in trace:
        op = operations[call.op]
        for name, value in zip(op.args, call.args, strict=True):
            domain = op.domain(name, wide=True)
            used.setdefault((name, value), domain[: domain.index(value)])
    for (name, value), below in used.items():
        for lower in below:
            yield name, value, lower


def with_value(operations: Sequence[Operation], call: Call, name: str, value: int, instead: int) -> Call:
    """`call` with `instead` for argument `name` where that is `value`."""
    names = tuple(operations[call.op].args)
    return Call(
        call.op,
        tuple(instead if n == name and v == value else v for n, v in zip(names, call.args, strict=True)),
    )


# The way from worker to parent.


def encode(explored: Explored) -> dict[str, Any]:
    """Explored as plain data."""
    return {
        **{k: getattr(explored, k) for k in PLAIN_FIELDS},
        "checks": {"\t".join(k): asdict(v) for k, v in explored.checks.items()},
        "claims": {k: asdict(v) for k, v in explored.claims.items()},
        "sites": [(op, asdict(slot)) for op, slot in explored.sites],
        "errors": list(explored.errors),
        "blind": asdict(explored.blind) if explored.blind else None,
    }


PLAIN_FIELDS = ("end", "states", "transitions", "kept", "depth", "bytes", "symmetric", "seconds", "counters")


def decode(data: Mapping[str, Any]) -> Explored:
    """What `encode` was given."""
    checks: dict[tuple[str, str], Slot] = {}
    for key, value in data["checks"].items():
        op, _, name = key.partition("\t")
        checks[op, name] = decode_slot(value)
    return Explored(
        **{k: data[k] for k in PLAIN_FIELDS},
        checks=checks,
        claims={k: decode_slot(v) for k, v in data["claims"].items()},
        sites=tuple((op, decode_slot(slot)) for op, slot in data["sites"]),
        errors=tuple(data["errors"]),
        blind=Step(**data["blind"]) if data["blind"] else None,
    )


def decode_slot(said: Mapping[str, Any]) -> Slot:
    """One check's result."""
    return Slot(said["compared"], said["failed"], decode_steps(said["trace"]), tuple(said["common"]))


def decode_steps(said: Any) -> tuple[Step, ...]:
    """A trace that was plain data."""
    return tuple(
        Step(**{**step, "broken": tuple(step["broken"]), "witnessed": tuple(step["witnessed"])})
        for step in said
    )


def checked(explored: Explored) -> Explored:
    """`explored`, where Python and the translated contract agree; else HarnessError."""
    if explored.errors:
        raise HarnessError(f"translated contract and Python differ: {explored.errors[0]}")
    return explored
