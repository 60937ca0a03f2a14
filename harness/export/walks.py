# SPDX-License-Identifier: GPL-2.0-only
"""Long walks of legal calls, kept as they went: to be run again in userspace, and in a kernel."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import worker
from harness.build import PLAIN, Cached
from harness.contract import GOES_ON, Loaded, Operation
from harness.driver import WHY, Call, Driver, Flight, Libraries, Limits
from harness.errors import HarnessError
from harness.explore import unobservable
from harness.loading import in_walk
from harness.run import MEMORY
from harness.stage import Revision, Setting, Stage, contract_of, hash_of, ships
from harness.subjects import fitted
from harness.trace import apply, call_text, legal, outside
from harness.trace_file import WALK_ID, Diff, Recorded, TraceFile

SECONDS = 120
LENGTH = 512  # calls from one initial world
TRIES = 64  # draws until one is legal
Row = tuple[
    int, tuple[int, ...], dict[str, int]
]  # operation (-1: the initial world), arguments, what is seen
Play = Callable[["Walker"], Iterator[Row]]


@dataclass(frozen=True)
class Walked:
    """The steps of a walk, and why there are no more of them where it ended early."""

    rows: tuple[Row, ...]
    end: str = ""


class Walker:
    """A subject in a cage, with the ghost beside it."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.state: Any = None
        self.ghost: Any = None
        self.first = True

    def anew(self) -> Row:
        """The initial world."""
        self.state = self.driver.observed(self.driver.step(None))
        self.ghost = self.driver.contract.ghost()
        self.first = True
        return -1, (), self.driver.named(self.state)

    def given(self, op: Operation, args: Sequence[int]) -> dict[str, Any]:
        """What functions of the contract take."""
        return {"g": self.ghost, "s": self.state, **dict(zip(op.args, args, strict=True))}

    def may(self, op: Operation, args: Sequence[int]) -> bool:
        """Whether the contract allows a call here."""
        beyond = not self.first and outside(self.driver.contract, self.state)
        return not beyond and legal(op, self.given(op, args))

    def make(self, number: int, args: tuple[int, ...]) -> Row | str:
        """One call, or why it does not come back."""
        op = self.driver.operations[number]
        given = self.given(op, args)
        c = self.driver.step(Call(number, args))
        if c.why:
            return WHY.get(c.why, "it ends")
        if op.ghost:
            self.ghost = apply(op.ghost, given)
        self.state, self.first = self.driver.observed(c), False
        seen = self.driver.named(self.state) | {"warnings": int(c.warnings), "rmw": int(c.rmw)}
        if op.returns or op.observed or op.by:
            seen["return"] = int(c.ret)
        return number, args, seen


def drawn(walker: Walker, seed: int, calls: int) -> Iterator[Row | str]:
    """A random walk of legal calls: every other stretch with some of the operations only."""
    draw = random.Random(seed)
    driver = walker.driver
    possible = [(n, op) for n, op in enumerate(driver.operations)
                if op.kind in GOES_ON and not op.long and op.name not in driver.skip
                and all(op.domain(name, wide=True) for name in op.args)]  # fmt: skip
    if not possible:
        raise HarnessError("nothing can be called on this revision")
    yield walker.anew()
    made = length = idle = 0
    some = possible
    while made < calls:
        number, args = legal_call(walker, draw, some)
        if number < 0 or length == LENGTH:
            idle = idle + 1 if not length else 0
            if idle > TRIES:
                raise HarnessError("no call is legal in the initial world")
            some = [each for each in possible if draw.random() < 0.5] or possible
            some = possible if draw.random() < 0.5 else some
            if length:
                yield walker.anew()
            length = 0
            continue
        row = walker.make(number, args)
        yield row
        if isinstance(row, str):
            return
        made, length = made + 1, length + 1


def legal_call(
    walker: Walker, draw: random.Random, possible: Sequence[tuple[int, Operation]]
) -> tuple[int, tuple[int, ...]]:
    """A call that the contract allows; -1 where none was found."""
    for _ in range(TRIES):
        number, op = draw.choice(possible)
        args = tuple(draw.choice(op.domain(name, wide=True)) for name in op.args)
        if walker.may(op, args):
            return number, args
    return -1, ()


def again(walker: Walker, calls: Sequence[Call | None]) -> Iterator[Row | str]:
    """The same calls once more; None is the initial world."""
    for number, call in enumerate(calls):
        if call is None:
            yield walker.anew()
            continue
        op = walker.driver.operations[call.op]
        if not walker.may(op, call.args):
            yield f"step {number}: the contract does not allow {text_of(op, call.args)} there any more"
            return
        row = walker.make(call.op, call.args)
        yield (
            f"step {number}: {text_of(op, call.args)} does not come back: {row}"
            if isinstance(row, str)
            else row
        )
        if isinstance(row, str):
            return


def text_of(op: Operation, args: Sequence[int]) -> str:
    """A call as text."""
    return call_text(op.name, dict(zip(op.args, args, strict=True)))


def played(setting: Setting, stage: Stage, play: Callable[[Walker], Iterator[Row | str]]) -> Walked:
    """What `play` does with a setting's subject, in a worker of its own."""
    attempt, contract = stage.ready(setting)
    subject = attempt.settle()
    engine: Cached = stage.engine
    libraries = Libraries(subject.built.library, contract.finish(), engine.finish())

    def task() -> object:
        driver = Driver(libraries, setting.loaded, Flight(), subject.skip)
        driver.cage()
        driver.open(Limits(seconds=SECONDS))
        if blind := unobservable(driver):
            return [[], f"nothing can be observed: {blind.why}"]
        rows: list[Row] = []
        for row in play(Walker(driver)):
            if isinstance(row, str):
                return [rows, row]
            rows.append(row)
        return [rows, ""]

    outcome = worker.run(task, worker.Limits(SECONDS, SECONDS * 1.5, MEMORY * 2))
    if outcome.error:
        raise HarnessError(outcome.error)
    if outcome.result is None:
        raise HarnessError("the walk's worker died, or took too long; give fewer calls")
    rows, end = outcome.result
    return Walked(tuple((int(op), tuple(args), dict(seen)) for op, args, seen in rows), str(end))


def record(
    revision: Revision,
    loaded: Loaded,
    config: Mapping[str, bool],
    stage: Stage,
    calls: int,
    seed: int,
    tool: Mapping[str, str],
) -> tuple[TraceFile, str]:
    """A random walk of `calls` legal calls as a trace, and why it has fewer where it has."""
    wide, reason = fitted(in_walk(loaded), revision.items, dict(config))
    if reason:
        raise HarnessError(f"no contract fits this patch: {reason}")
    setting = Setting(revision, wide, wide.options, PLAIN)
    walked = played(setting, stage, lambda walker: drawn(walker, seed, calls))
    names = [op.name for op in wide.contract.operations]
    return TraceFile(
        WALK_ID,
        f"a walk of {sum(row[0] >= 0 for row in walked.rows)} calls",
        "",
        "",
        None,
        wide.contract.name,
        "" if ships(wide.path) else wide.path.name,
        hash_of(wide),
        wide.bounds,
        wide.options,
        seed,
        tuple(step(wide, names, row) for row in walked.rows),
        tuple(Diff(p.subject, Path(p.source).name, p.sha256, p.diff) for p in revision.patches),
        tool,
        revision.tree,
    ), walked.end


def step(loaded: Loaded, names: Sequence[str], row: Row) -> Recorded:
    """One row as a recorded step."""
    number, args, seen = row
    if number < 0:
        return Recorded("", {}, seen, {}, ())
    op = loaded.contract.operations[number]
    return Recorded(names[number], dict(zip(op.args, args, strict=True)), seen, {}, ())


def setting_of_walk(
    trace: TraceFile, revision: Revision, given: Mapping[str, Loaded], config: Mapping[str, bool]
) -> Setting:
    """What a recorded walk is run with."""
    loaded, reason = fitted(contract_of(trace, given), revision.items, dict(trace.config) | dict(config))
    if reason:
        raise HarnessError(f"no contract fits this patch: {reason}")
    return Setting(revision, loaded, loaded.options, PLAIN)


def calls_of_walk(trace: TraceFile, loaded: Loaded) -> list[Call | None]:
    """A walk's calls, each one that the contract could have made; None is the initial world."""
    numbers = {op.name: n for n, op in enumerate(loaded.contract.operations)}
    domains = {(op.name, name): frozenset((*op.domain(name, wide=False), *op.domain(name, wide=True)))
               for op in loaded.contract.operations for name in op.args}  # fmt: skip
    calls: list[Call | None] = []
    for number, recorded in enumerate(trace.steps):
        if not recorded.op:
            calls.append(None)
            continue
        where = f"step {number}"
        op = loaded.contract.operations[numbers[recorded.op]] if recorded.op in numbers else None
        if op is None or op.kind not in GOES_ON:
            raise HarnessError(f"{where}: the contract has no operation {recorded.op} that goes on")
        if list(recorded.args) != list(op.args):
            raise HarnessError(f"{where}: {op.name} takes {', '.join(op.args) or 'no arguments'}")
        for name, value in recorded.args.items():
            if value not in domains[op.name, name]:
                raise HarnessError(f"{where}: {name}={value} is not an argument of {op.name} in these bounds")
        calls.append(Call(numbers[op.name], tuple(recorded.args.values())))
    return calls


def play_walk(trace: TraceFile, setting: Setting, stage: Stage) -> Walked:
    """A recorded walk once more, on the code as it is."""
    calls = calls_of_walk(trace, setting.loaded)
    return played(setting, stage, lambda walker: again(walker, calls))
