# SPDX-License-Identifier: GPL-2.0-only
"""Which scenarios are run: start states that the contract tells apart, and what threads call from there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.contract import GOES_ON, Contract, Operation, Threads
from harness.driver import Call, Driver, Limits
from harness.errors import HarnessError
from harness.interleave.scenario import MOST_CALLS, MOST_THREADS, READS, Scenario

MOST_STATES = 4000  # that start states are looked for in: those of the shortest traces
SOME_VALUES = 2  # of an argument: on the way to a start state, and where each thread makes one call


@dataclass(frozen=True)
class Start:
    """A state that threads begin in: the calls that lead there, and what of each member is told apart."""

    calls: tuple[Call, ...]
    legal: frozenset[Call]  # of the calls that threads begin with
    alike: tuple[tuple[int, ...], ...]  # members by what tells them apart: those in one group are alike


def threads_of(contract: Contract) -> Threads:
    """What runs together: as the contract says, else every operation of it."""
    if contract.threads:
        return contract.threads
    names = [op.name for op in contract.operations if op.kind == "operation" and not op.through]
    by = contract.symmetry.arguments if contract.symmetry else ()
    return Threads({name: {} for name in names}, by)


def chosen_calls(driver: Driver, most: int = 1) -> list[Call]:
    """The calls of threads: of each operation, all that tells threads apart, and else its first values."""
    threads = threads_of(driver.contract)
    return [
        Call(number, args)
        for number, op in enumerate(driver.operations)
        if op.name in threads.operations and op.name not in driver.skip
        for args in itertools.product(*domains(op, threads, most))
    ]


def domains(op: Operation, threads: Threads, most: int) -> list[tuple[int, ...]]:
    """The values of each argument: all that tell threads apart, or are for threads; else the first `most`."""
    own: Mapping[str, tuple[int, ...]] = threads.operations.get(op.name, {})
    return [own.get(name, values if name in threads.by else values[:most])
            for name, values in op.args.items()]  # fmt: skip


def explore_starts(driver: Driver, limits: Limits) -> None:
    """Opens the world, and explores it by all that leads further, with few values of each argument."""
    threads = threads_of(driver.contract)
    calls = [
        Call(number, args)
        for number, op in enumerate(driver.operations)
        if op.kind in GOES_ON and not op.through and op.name not in driver.skip
        for args in itertools.product(*domains(op, threads, SOME_VALUES))
    ]
    driver.calls, driver.c_calls = calls, driver.c_array(calls)
    driver.explore(Limits(min(MOST_STATES, limits.states), limits.megabytes, limits.seconds))


def member_of(contract: Contract, call: Call) -> int:
    """What tells a call's thread apart: an MM's number; -1 where nothing does."""
    op, by = contract.operations[call.op], threads_of(contract).by
    return next((value for name, value in zip(op.args, call.args, strict=True) if name in by), -1)


def starts(driver: Driver) -> list[Start]:
    """One state of each class, that of the shortest trace.

    Two states are of one class where the contract's features and what is legal are the same in both, but
    for which member is which where members are alike.
    """
    calls = chosen_calls(driver, SOME_VALUES)
    if not calls:
        return []
    telling = set(chosen_calls(driver))  # further values of arguments tell no more classes apart
    members = sorted({member_of(driver.contract, call) for call in calls})
    c_calls = driver.c_array(calls)
    out = driver.ffi.new("unsigned long long[]", len(calls))
    seen: dict[object, Start] = {}
    symmetric = driver.contract.symmetry is not None
    for state in range(int(driver.engine.kc_kept(driver.run))):
        if driver.engine.kc_signature(driver.run, state, c_calls, len(calls), out) != 0:
            continue
        told = {member: tuple(out[i] for i, call in enumerate(calls)
                              if call in telling and member_of(driver.contract, call) == member)
                for member in members}  # fmt: skip
        key = tuple(sorted(told.values())) if symmetric else tuple(told.values())
        if key in seen:
            continue
        groups: dict[object, list[int]] = {}
        for member in members:
            groups.setdefault(told[member] if symmetric else member, []).append(member)
        legal = frozenset(call for i, call in enumerate(calls) if out[i] & 1)
        path = path_to(driver, state)
        if path is not None:
            seen[key] = Start(path, legal, tuple(map(tuple, groups.values())))
    return list(seen.values())


def path_to(driver: Driver, state: int) -> tuple[Call, ...] | None:
    """The calls up to a kept state; None where they are too many."""
    made = driver.ffi.new("struct kc_call[]", 4096)
    length = int(driver.engine.kc_path(driver.run, state, 0, made))
    if length < 0:
        return None
    found: list[Call] = []
    for i in range(length - 1):  # kc_path() has one call more, which is the next
        count = len(driver.operations[made[i].op].args)
        found.append(Call(int(made[i].op), tuple(int(made[i].args[k]) for k in range(count))))
    return tuple(found)


Program = tuple[Call, ...]


def programs(driver: Driver, start: Start, calls: int, most: int) -> list[Program]:
    """What one thread may do from `start`: so many calls, all for one member."""
    contract = driver.contract
    every = chosen_calls(driver, most)
    return [
        program
        for member in sorted({member_of(contract, call) for call in every})
        for program in itertools.product([c for c in every if member_of(contract, c) == member], repeat=calls)
        if program[0] in start.legal
    ]


def reader(contract: Contract) -> Program:
    """A thread that reads without a lock: each value that may be read so."""
    names = list(contract.observe)
    lock_free = threads_of(contract).lock_free
    return tuple(Call(READS - names.index(name), ()) for name in lock_free)


def scenarios(
    driver: Driver, begin: Sequence[Start], shapes: Sequence[tuple[int, int]]
) -> Iterator[Scenario]:
    """Every choice of threads and calls from every start; those of few calls first."""
    read = reader(driver.contract)
    for threads, calls in sorted(shapes, key=lambda shape: (shape[0] * shape[1], shape)):
        if threads > MOST_THREADS or calls * threads > MOST_CALLS:
            raise HarnessError(f"{threads}x{calls}: at most {MOST_THREADS} threads, with {MOST_CALLS} calls "
                               "in all")  # fmt: skip
        most = SOME_VALUES if threads * calls <= 2 else 1
        for start in begin:
            for chosen in choices(driver, start, threads, calls, most):
                yield Scenario(start.calls, chosen)
        # Who reads is a thread more, and takes the place of one.
        beside = max(threads - 1, 1)
        for start in begin if read and beside * calls + len(read) <= MOST_CALLS else ():
            for chosen in choices(driver, start, beside, calls, most):
                yield Scenario(start.calls, (*chosen, read))


def choices(
    driver: Driver, start: Start, threads: int, calls: int, most: int
) -> Iterator[tuple[Program, ...]]:
    """What the threads may do, each choice once up to which thread, and which of alike members, is which."""
    every = programs(driver, start, calls, most)
    number = {program: i for i, program in enumerate(every)}
    others = [
        [number[tuple(renamed(driver.contract, call, naming) for call in program)] for program in every]
        for naming in namings(start.alike)
    ]
    for chosen in itertools.combinations_with_replacement(range(len(every)), threads):
        if all(tuple(sorted([naming[i] for i in chosen])) >= chosen for naming in others):
            yield tuple(every[i] for i in chosen)


def namings(alike: Sequence[Sequence[int]]) -> Iterator[dict[int, int]]:
    """Every other naming of members that are alike."""
    for orders in itertools.product(*(itertools.permutations(group) for group in alike)):
        naming = {
            member: name
            for group, order in zip(alike, orders, strict=True)
            for member, name in zip(group, order, strict=True)
        }
        if any(member != name for member, name in naming.items()):
            yield naming


def renamed(contract: Contract, call: Call, naming: Mapping[int, int]) -> Call:
    """A call for another member."""
    op, by = contract.operations[call.op], threads_of(contract).by
    return Call(call.op, tuple(naming.get(value, value) if name in by else value
                               for name, value in zip(op.args, call.args, strict=True)))  # fmt: skip
