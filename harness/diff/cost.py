# SPDX-License-Identifier: GPL-2.0-only
"""What the functions of two revisions cost, counted and not timed: the same numbers on every run.

Both are compiled as x86-64 kernels are (-O2, no vector registers, no red zone), each function by itself
and called there, without CONFIG_DEBUG_VM unless the contract insists on it. A call runs step by step
under the processor's trap flag, and what is counted are the instructions whose line is the revision's
own, inlined or not. Those of shims stand apart: the kernel has assembly where gcc makes a loop of an
atomic there (test_and_set_bit() of bit 63). What records for kconform and the harness are not counted.
"""

from __future__ import annotations

import math
import platform
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from extractor.items import Item
from extractor.slice import Slice, Unresolved
from harness import worker
from harness.build import Cached, Flavour, contract_library, engine_library
from harness.contract import DEBUG, Loaded, Operation
from harness.diff.object_costs import FunctionSize, kinds_of, read_sizes
from harness.driver import Call, Driver, Flight, Libraries, Limits
from harness.errors import HarnessError
from harness.render import Rendered, declarations, render_contract
from harness.run import MEMORY, SLACK
from harness.sanitize import ADDRESS
from harness.subjects import Attempt, Subject, slice_of
from harness.tree.items import TreeItems

X86 = platform.machine() in ("x86_64", "AMD64")
# arch/x86/Makefile of Linux 6.12; what is inlined is what gcc inlines at -O2, and no copies are made of a
# function for one caller. By address, so that also what must always be inlined is there by itself.
APART = Flavour(
    "apart",
    ("-O2", "-mgeneral-regs-only", "-fno-stack-protector", "-fno-ipa-cp", "-fno-ipa-sra", "-fstack-usage",
     *(("-mno-red-zone", "-fcf-protection=none") if X86 else ())),
)  # fmt: skip
# KASan's checks, which see every access; nothing else of the flavour 'sanitized'.
LINES = Flavour("lines", ("-O1", "-DKC_UNOPTIMISED=1", "-DKC_GAP=512", *ADDRESS), sources=("sanitizer.c",),
                constructors=1)  # fmt: skip
STATES = 4096  # breadth-first, of which calls are taken
CALLS = 40  # of one operation
INSTRUCTIONS = 10_000  # of one operation, after which no more of its calls are taken
TRIES = 40 * CALLS  # for calls of one operation that the contract allows
COUNTED = -1  # KC_COUNTED
COSTLY = ("operation", "probe")  # of misuse, nobody asks the cost


@dataclass(frozen=True)
class Cost:
    """What one operation takes: each value over the same calls of both revisions.

    `instructions` are least, median and most of a call in the revision's own lines, `shims` the same in
    shims; None where they cannot be counted. `rmw` are atomic read-modify-writes, `lines` lines of 64
    bytes of the contract's world (its records as they are laid out here), least and most.
    """

    operation: str
    function: str  # that it calls, where it calls one alone
    calls: int
    instructions: tuple[int, int, int] | None
    shims: tuple[int, int, int] | None
    rmw: tuple[int, int]
    lines: tuple[int, int] | None


@dataclass(frozen=True)
class CodeCost:
    """A function by itself, with what gcc inlines into it: bytes of code and of its stack frame.

    `bytes` are those from the revision's own lines, `shims` those from shims. The frame has the return
    address in it.
    """

    function: str
    bytes: int
    shims: int
    stack: int | None


@dataclass(frozen=True)
class Side:
    """What one of the two revisions costs."""

    operations: tuple[Cost, ...] = ()
    functions: tuple[CodeCost, ...] = ()


@dataclass(frozen=True)
class Costs:
    """What two revisions cost, under what options, and why something is not known."""

    old: Side
    new: Side
    options: str = ""
    reasons: tuple[str, ...] = ()


def costs(old: tuple[Loaded, Sequence[Item]], new: tuple[Loaded, Sequence[Item]], folder: Path) -> Costs:
    """The costs of what two revisions have in common, compiled in `folder` and run in a worker.

    What cannot be known is left out, and `reasons` says why.
    """
    folder.mkdir(exist_ok=True)
    try:
        engine = engine_library(folder, pairs=True)
        sides = [Compiled(*side, folder / name) for side, name in ((old, "old"), (new, "new"))]
        for side in sides:
            side.compile()
        engine.finish()
        for side in sides:
            side.settle()
    except HarnessError as err:
        return Costs(Side(), Side(), reasons=(f"cost is not known: {err}",))
    reasons = list(dict.fromkeys(reason for side in sides for reason in side.reasons))
    operations: list[tuple[Cost, ...]] = [(), ()]
    try:
        rows = measured(sides, engine)
        operations = [tuple(side.costs(rows, at)) for at, side in enumerate(sides)]
        reasons += uncounted(operations[0])
    except HarnessError as err:
        reasons.append(f"what calls cost is not known: {err}")
    one, other = (Side(ops, side.sizes) for ops, side in zip(operations, sides, strict=True))
    return Costs(one, other, sides[1].options, tuple(reasons))


def uncounted(operations: Sequence[Cost]) -> Iterator[str]:
    """Why instructions were not counted, where they were not."""
    if operations and all(cost.instructions is None for cost in operations):
        yield ("instructions are counted on x86-64 only" if not X86
               else "instructions are not counted: this machine does not run step by step")  # fmt: skip


class Apart(Attempt):
    """A subject of which operations call each function where it is compiled by itself."""

    def render(self, lost: Sequence[Unresolved]) -> tuple[dict[str, str], Slice, Rendered]:
        """As Attempt, with the table of its functions in front of the operations."""
        missing, left, rendered = super().render(lost)
        before, marker, after = rendered.subject.partition(OPERATIONS)
        assert marker
        names = functions_of(left)
        subject = f"{before}{kept(names)}{marker}{after}"
        return missing, left, replace(rendered, subject=subject)


OPERATIONS = "/* The operations. */\n"


def functions_of(piece: Slice) -> list[str]:
    """The functions of a slice that have an address, each once."""
    macros = {item.name for item in piece.items if item.kind == "macro"}
    return [name for name in dict.fromkeys(piece.functions) if name not in macros]


def kept(names: Sequence[str]) -> str:
    """C that has gcc compile functions by themselves, and operations call them there."""
    lines = [f"static __typeof__({name}) *volatile kc_apart_{name} = {name};" for name in names]
    lines += [f"#define {name} (*kc_apart_{name})" for name in names]
    return "".join(f"{line}\n" for line in lines)


class Compiled:
    """One revision, compiled to be counted and to be watched."""

    def __init__(self, loaded: Loaded, items: Sequence[Item], folder: Path) -> None:
        folder.mkdir()
        self.loaded, self.piece = without_debug(loaded, items)
        self.folder = folder
        self.contract = contract_library(render_contract(self.loaded), folder)
        config = self.loaded.options
        self.apart = Apart(self.loaded, self.piece, config, folder / "apart", APART)
        self.lines = Attempt(self.loaded, self.piece, config, folder / "lines", LINES)
        self.reasons: list[str] = []
        self.watched: Subject | None = None

    @property
    def options(self) -> str:
        """What was set for its compiler, as a report says it."""
        on = self.loaded.options.get(DEBUG)
        return "gcc -O2" if on is None else f"gcc -O2, {DEBUG}={'y' if on else 'n'}"

    def compile(self) -> None:
        """What the preprocessor has gone through goes to the compiler."""
        self.apart.compile()
        self.lines.compile()

    def settle(self) -> None:
        """Waits for the compilers; where accesses cannot be watched, the rest goes on."""
        self.contract.finish()
        self.counted = self.apart.settle()
        files = {item.file for item in self.counted.piece.code}
        self.kinds = kinds_of(self.counted.built.library, files)
        self.sizes = tuple(self.code_costs(files))
        try:
            finished = self.lines.finish(self.counted.lost)
            self.watched = replace(self.counted, built=finished)
        except HarnessError as err:
            self.reasons.append(f"cache lines are not known: {err}")

    def code_costs(self, files: Collection[str]) -> Iterator[CodeCost]:
        """Each function of the slice by itself."""
        names = functions_of(self.counted.piece)
        found: Mapping[str, FunctionSize] = read_sizes(self.counted.built.library, self.kinds, names)
        for name, size in found.items():
            yield CodeCost(name, size.bytes, size.shims, size.stack)

    def driver(self, subject: Subject, engine: Cached) -> Driver:
        """A driver of one of its builds, to be made in the worker."""
        libraries = Libraries(subject.built.library, self.contract.path, engine.path)
        long = frozenset(op.name for op in self.loaded.contract.operations if op.long)
        return Driver(libraries, self.loaded, Flight(), subject.skip | long)

    def function(self, operation: str) -> str:
        """The function that an operation calls, where it calls one alone."""
        op = next(op for op in self.loaded.contract.operations if op.name == operation)
        return op.called[0] if len(op.called) == 1 and ";" not in op.call else ""

    def costs(self, rows: Mapping[str, list[list[list[int]]]], side: int) -> Iterator[Cost]:
        """What `measured` found of this side, an operation each."""
        for name, calls in rows.items():
            own, shims, rmw, lines = (list(column) for column in zip(*(c[side] for c in calls), strict=True))
            counts, seen = X86 and any(own), min(lines) >= 0
            yield Cost(
                name,
                self.function(name),
                len(calls),
                spread(own) if counts else None,
                spread(shims) if counts else None,
                (min(rmw), max(rmw)),
                (min(lines), max(lines)) if seen else None,
            )


def spread(values: Sequence[int]) -> tuple[int, int, int]:
    """Least, median and most."""
    return min(values), int(statistics.median_low(values)), max(values)


def without_debug(loaded: Loaded, items: Sequence[Item]) -> tuple[Loaded, Slice]:
    """A contract and its slice without what DEBUG compiles in, unless it is pinned."""
    options = loaded.options
    if not options.get(DEBUG) or DEBUG in loaded.contract.pinned:
        return loaded, slice_of(loaded, items)
    quiet = loaded.under({**loaded.config, DEBUG: False})
    if not isinstance(items, TreeItems):
        return quiet, slice_of(quiet, items)
    # A tree is read for one configuration; without the option, its shims alone are.
    piece = slice_of(loaded, items)
    return quiet, replace(piece, options={k: v for k, v in piece.options.items() if k != DEBUG})


# In the worker.


def measured(sides: Sequence[Compiled], engine: Cached) -> dict[str, list[list[list[int]]]]:
    """By operation, of each call both sides' numbers: own instructions, shims', RMWs, lines."""

    def task() -> object:
        counting = [Meter(side, side.counted, engine) for side in sides]
        watching = [Meter(side, side.watched, engine) for side in sides if side.watched]
        cage([*counting, *watching])
        return compare(counting, watching)

    wall = 2 * SLACK
    limits = worker.Limits(int(wall), wall * 1.5, MEMORY * 2)
    outcome = worker.run(task, limits)
    if outcome.result is None:
        raise HarnessError(outcome.error or "the worker died")
    rows: dict[str, list[list[list[int]]]] = outcome.result
    return rows


class Meter:
    """One build of one side, whose calls are measured."""

    def __init__(self, side: Compiled, subject: Subject, engine: Cached) -> None:
        self.driver = side.driver(subject, engine)
        ffi = self.driver.ffi
        self.kinds = ffi.from_buffer(side.kinds) if X86 and subject is side.counted else ffi.NULL
        self.size = len(side.kinds)
        self.objects = len(declarations(side.loaded.contract.world))
        self.names = {op.name: number for number, op in enumerate(self.driver.operations)}
        self.cost = ffi.new("struct kc_cost *")
        self.functions = frozenset(functions_of(subject.piece))
        self.lost: set[Call] = set()  # that did not come back: each takes its time until that is known

    def asks(self, op: Operation) -> bool:
        """Whether an operation has a cost of its own: not where it is a macro for another operation."""
        return op.kind in COSTLY and not (op.through and self.functions.isdisjoint(op.called))

    def translated(self, other: Meter, call: Call) -> Call | None:
        """A call of `other` as it is here: the operation and its arguments by their names."""
        theirs = other.driver.operations[call.op]
        number = self.names.get(theirs.name)
        if number is None or theirs.name in self.driver.skip:
            return None
        given = dict(zip(theirs.args, call.args, strict=True))
        op = self.driver.operations[number]
        if op.args.keys() != given.keys() or any(given[name] not in op.args[name] for name in given):
            return None
        return Call(number, tuple(given[name] for name in op.args))

    def measure(self, calls: Sequence[Call]) -> list[int] | None:
        """What the last call takes; None where it is not allowed, or does not come back."""
        driver = self.driver
        if not self.lost.isdisjoint(calls):
            return None
        end = int(driver.engine.kc_cost(driver.run, driver.c_array(calls), len(calls), self.kinds, self.size,
                                        self.objects, self.cost))  # fmt: skip
        if end >= 0:
            self.lost.add(calls[end])
        if end != COUNTED:
            return None
        cost = self.cost
        return [int(cost.instructions[1]), int(cost.instructions[2]), int(cost.rmw), int(cost.lines)]

    def each(self, traces: Sequence[Sequence[Call]]) -> Iterator[list[int] | None]:
        """What the last call of each trace takes."""
        self.driver.open(Limits(states=1))
        yield from map(self.measure, traces)
        self.driver.engine.kc_close(self.driver.run)


def cage(meters: Sequence[Meter]) -> None:
    """From here on this process can open nothing."""
    for meter in meters[1:]:
        if meter.driver.engine.kc_prepare(meter.driver.entry()):
            raise HarnessError("the sanitizers' shadow memory cannot be had")
    meters[0].driver.cage()


def compare(counting: Sequence[Meter], watching: Sequence[Meter]) -> dict[str, list[list[list[int]]]]:
    """As measured()."""
    old, new = counting
    taken = sample(old, new)
    theirs = [translated(new, old, calls) for calls, _ in taken]
    pairs = [((calls, other), (row, found))
             for (calls, row), other, found in zip(taken, theirs, new.each(theirs), strict=True)
             if found]  # fmt: skip
    seen = [[row[-1:] for row in rows] for _, rows in pairs]
    if len(watching) == len(counting):
        columns = [[row and row[-1:] for row in meter.each([traces[at] for traces, _ in pairs])]
                   for at, meter in enumerate(watching)]  # fmt: skip
        seen = [[column or [] for column in row] for row in zip(*columns, strict=True)]
    found: dict[str, list[list[list[int]]]] = {}
    for ((calls, _), rows), lines in zip(pairs, seen, strict=True):
        if all(lines):
            name = old.driver.operations[calls[-1].op].name
            found.setdefault(name, []).append([[*row[:-1], *of] for row, of in zip(rows, lines, strict=True)])
    return found


def translated(new: Meter, old: Meter, calls: Sequence[Call]) -> list[Call]:
    """A trace of the old side as it is on the new one; empty where that has not all of it."""
    found = [call for each in calls if (call := new.translated(old, each))]
    return found if len(found) == len(calls) else []


def sample(old: Meter, new: Meter) -> list[tuple[list[Call], list[int]]]:
    """Traces of the old side that the new one has as well, with what their last calls take."""
    driver = old.driver
    driver.explore(Limits(states=STATES))
    room = driver.ffi.new("struct kc_call[]", 4096)
    states = int(driver.engine.kc_kept(driver.run))
    shared: dict[int, list[int]] = {}
    for number, call in enumerate(driver.calls):
        own = new.translated(old, call)
        if own and old.asks(driver.operations[call.op]) and new.asks(new.driver.operations[own.op]):
            shared.setdefault(call.op, []).append(number)
    found: list[tuple[list[Call], list[int]]] = []
    for calls in shared.values():
        taken = spent = 0
        for pair in in_turn(states * len(calls)):
            path = path_to(old, pair // len(calls), calls[pair % len(calls)], room)
            row = old.measure(path) if translated(new, old, path) else None
            if row:
                found.append((path, row))
                taken, spent = taken + 1, spent + row[0] + row[1]
            if taken == CALLS or spent > INSTRUCTIONS:
                break
    driver.engine.kc_close(driver.run)
    return found


def path_to(meter: Meter, state: int, call: int, room: Any) -> list[Call]:
    """The calls that lead to a state, and one from there."""
    driver = meter.driver
    length = max(int(driver.engine.kc_path(driver.run, state, call, room)), 0)
    operations = driver.operations
    return [Call(int(c.op), tuple(c.args)[: len(operations[c.op].args)])
            for c in (room[i] for i in range(length))]  # fmt: skip


def in_turn(total: int) -> Iterator[int]:
    """Numbers below `total`, each at most once, at most TRIES: some first ones, then evenly of all."""
    step = max(int(total * (math.sqrt(5) - 1) / 2), 1)
    while math.gcd(step, total) > 1:
        step += 1
    first = range(min(total, CALLS // 4))
    evenly = (number * step % total for number in range(min(total, TRIES)))
    yield from (*first, *(number for number in evenly if number not in first))
