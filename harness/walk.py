# SPDX-License-Identifier: GPL-2.0-only
"""Random walks beyond the bounds of exploration; what fails in one is made a minimal trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness import audit, shrink
from harness.contract import GOES_ON, Operation
from harness.driver import COMPLETE, Call, Driver, Limits, call_from
from harness.explore import Explored, Slot, by_name, shown, unobservable


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
    short_traces(driver, seed, steps)
    walk_near(driver, seed)
    checks, claims = by_name(driver, shrunk)
    errors = tuple(audit.audit_trace(driver, last))
    return Explored(end, int(driver.engine.kc_states(driver.run)), made, checks, claims, errors=errors)


LENGTH = 512  # calls of a walk's trace
NEAR, NEAR_LENGTH = 300_000, 12  # calls that are made near each divergence, and how many at a time


def walk_near(driver: Driver, seed: int) -> None:
    """Walks with the arguments of each divergence and a few simple ones: what it leads to is near.

    Which claims a divergence breaks must not hang on how far one walk happened to come.
    """
    for number, op, name, c_slot in list(driver.slots()):
        if c_slot.failed and op and name in driver.state.offsets:
            random_walk(driver, seed, NEAR, NEAR_LENGTH, minimal_trace(driver, number))


SHORT, SHORTER = 8, 5  # calls of a short trace; how many times as many calls such walks make


def short_traces(driver: Driver, seed: int, steps: int) -> None:
    """Has failures of which only long traces were found shown by short ones, where there are.

    Of hundreds of small calls that reach a limit none can be dropped, and two large ones reach it too.
    """
    long = {number for number, _, _, slot in driver.slots()
            if slot.failed and len(driver.first_trace(number) or ()) > SHORT}  # fmt: skip
    if not long:
        return
    whole = driver.run
    driver.open(Limits())
    random_walk(driver, seed, steps * SHORTER, SHORT)
    for number, _, _, slot in list(driver.slots()):
        if slot.failed and number in long:
            minimal_trace(driver, number)  # which is kept
    driver.engine.kc_close(driver.run)
    driver.run = whole


def random_walk(
    driver: Driver, seed: int, steps: int, length: int = LENGTH, near: Sequence[Call] = ()
) -> int:
    """Walks in a run that is open, with the arguments of `near` where there is such; how that ended."""
    draws, count, kept = draws_of(driver, near)
    end = int(driver.engine.kc_walk(driver.run, draws, count, seed, steps, length))
    del kept
    return end


def draws_of(driver: Driver, near: Sequence[Call]) -> tuple[Any, int, list[Any]]:
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
            values = near_values(driver.operations, op, name, near)
            kept.append(driver.ffi.new("long long[]", values))
            draw.values[i], draw.n[i] = kept[-1], len(values)
    return draws, len(possible), kept


FEW = 3  # simple values of an argument


def near_values(
    operations: Sequence[Operation], op: Operation, name: str, near: Sequence[Call]
) -> tuple[int, ...]:
    """The wide domain of an argument; near a trace, its simplest values and those of the trace."""
    domain = op.domain(name, wide=True)
    if not near:
        return domain
    used = {value for call in near
            for argument, value in zip(operations[call.op].args, call.args, strict=True)
            if argument == name}  # fmt: skip
    return tuple(value for at, value in enumerate(domain) if at < FEW or value in used)


def shrunk(driver: Driver, number: int, op: str, name: str, c_slot: Any) -> Slot:
    """One check's result in a walk, its failing trace made minimal."""
    possible = not op and next(c for c in driver.contract.claims if c.id == name).kind == "possible"
    if not c_slot.failed or possible:
        return Slot(int(c_slot.compared), int(c_slot.failed))
    small = minimal_trace(driver, number)
    steps, doubt = shown(driver, op, name, small)
    return Slot(int(c_slot.compared), int(c_slot.failed), steps, doubt=doubt)


def minimal_trace(driver: Driver, number: int) -> list[Call]:
    """A shortest form of the trace that first failed a slot; made once."""
    if number not in driver.minimal:
        slow = driver.why(number) == "endless loop"
        driver.minimal[number] = shrink.minimal(
            driver.first_trace(number) or [],
            lambda tried: driver.fails_after(tried, number),
            lambda trace: simpler(driver.operations, trace),
            SLOW_TRIES if slow else MOST_TRIES,
        )
    return driver.minimal[number]


# Of traces while one is made minimal; each try of an endless loop takes its whole time slice.
MOST_TRIES, SLOW_TRIES = 5_000, 16


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
