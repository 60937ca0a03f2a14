# SPDX-License-Identifier: GPL-2.0-only
"""Data races: pairs of accesses, which of them are one defect, and what would excuse them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.contract import Contract
from harness.driver import Call
from harness.errors import HarnessError
from harness.interleave.run import Interleaved, Witness, keys
from harness.interleave.scenario import READS, said
from harness.interleave.schedule import MARKED, READ, WRITE, Place, ThreadStep
from harness.interleave.weaver import RACE
from harness.judge import Check

# KCSAN's leniencies by the names of the options that they have here; lib/Kconfig.kcsan of Linux 6.12.
PLAIN_WRITES, UNCHANGED = "plain-writes-atomic", "value-unchanged"
EXCUSES = {
    PLAIN_WRITES: "CONFIG_KCSAN_ASSUME_PLAIN_WRITES_ATOMIC",
    UNCHANGED: "CONFIG_KCSAN_REPORT_VALUE_CHANGE_ONLY",
}
RACE_TITLE = "no data race by the kernel's memory model"
READER = "read "  # with the name of what is read


@dataclass(frozen=True)
class Side:
    """One of two accesses that race: by which call, what it does, and where."""

    label: str  # the operation, or what is read
    step: ThreadStep
    plain: bool

    @property
    def words(self) -> str:
        """As KCSAN says it."""
        does = {READ: "read", WRITE: "write", READ | WRITE: "read-modify-write"}
        kind = does.get(self.step.kind & (READ | WRITE), "access")
        how = "plain" if self.plain else "marked"
        return f"{how} {kind} of {self.step.size} bytes at {stack_words(self.step.stack)}, by {self.label}"


@dataclass(frozen=True)
class Pair:
    """A data race, and the leniencies of KCSAN that would not report it."""

    witness: Witness
    sides: tuple[Side, Side]
    excuses: tuple[str, ...]

    @property
    def of_lock(self) -> bool:
        """Whether a side takes a lock: a race of what the lock is for says more."""
        return self.witness.found.of_lock

    @property
    def names(self) -> set[str]:
        """Of both sides."""
        return {side.label for side in self.sides}


def stack_words(stack: Sequence[Place]) -> str:
    """The calls that led to an access, innermost first."""
    return " <- ".join(f"{place.function}() {place}" for place in stack) or "the contract's own C"


def races(contract: Contract, one: Interleaved, excuses: Sequence[str], culprit: str = "") -> Iterator[Check]:
    """A finding for each reader that takes no lock, and for calls that race with each other.

    Of these it is told by the one in most pairs, or by `culprit`, where that is among them.
    """
    pairs = [pair_of(contract, w) for w in one.witnesses if w.found.kind == RACE]
    left = [pair for pair in pairs if not set(pair.excuses) & set(excuses)]
    for name in sorted({name for pair in left for name in pair.names if name.startswith(READER)}):
        own = [pair for pair in left if name in pair.names]
        left = [pair for pair in left if name not in pair.names]
        if own:
            yield race(name, own, one)
    while left:
        names, own = connected(left)
        left = [pair for pair in left if pair not in own]
        count = Counter(name for pair in own for name in pair.names)
        most = max(sorted(names), key=lambda name: (name == culprit, count[name]))
        yield race(most, own, one)


def connected(pairs: Sequence[Pair]) -> tuple[set[str], list[Pair]]:
    """Calls that race with each other, directly or through others, and all pairs of theirs."""
    names = set(pairs[0].names)
    while more := {name for pair in pairs if pair.names & names for name in pair.names} - names:
        names |= more
    return names, [pair for pair in pairs if pair.names & names]


def race(culprit: str, pairs: Sequence[Pair], one: Interleaved) -> Check:
    """All races of one call, told by that with the shortest schedule."""
    best = min(pairs, key=lambda pair: (len(pair.excuses), pair.of_lock, pair.witness.schedule.rank))
    sides = sorted(best.sides, key=lambda side: side.label != culprit)
    where = next((side.step.stack[0] for side in sides if side.step.stack), None)
    partners = sorted({side.label for pair in pairs for side in pair.sides} - {culprit}) or [culprit]
    words = sorted({side.step.name for pair in pairs for side in pair.sides})
    said = [f"data race on {sides[0].step.name}: {sides[0].words}, against {sides[1].words}"]
    if len(pairs) > 1:
        every = " and ".join(sorted({culprit, *partners}))
        against = f"{culprit} against {', '.join(partners)}" if culprit.startswith(READER) else every
        most = " (of more nothing was kept)" if one.dropped >> RACE & 1 else ""
        where_else = f" on {', '.join(words)}," if len(words) > 1 else ""
        said.append(f"{len(pairs)} pairs of places in all,{where_else} of {against}{most}")
    said += list(excused(pairs))
    return Check(
        f"concurrency/race/{slug(culprit)}",
        "concurrency",
        "fail",
        RACE_TITLE,
        file=where.file if where else "",
        line=where.line if where else 0,
        judged=one.executions,
        failed=max(pair.witness.found.executions for pair in pairs),
        detail="; ".join(said),
        schedule=best.witness.schedule,
        exact=True,
        found=keys([pair.witness.found for pair in pairs]),
    )


def slug(label: str) -> str:
    """A call's name within an id."""
    return label.removeprefix(READER)


def excused(pairs: Sequence[Pair]) -> Iterator[str]:
    """Which options would not report them."""
    for name, option in EXCUSES.items():
        if all(name in pair.excuses for pair in pairs):
            yield f"--excuse {name} would not report it, as KCSAN with {option}=y, its default, does not"


def pair_of(contract: Contract, witness: Witness) -> Pair:
    """A race with both of its accesses."""
    first, second = accesses(witness)
    kinds = dict(zip(witness.found.pcs, witness.found.kinds, strict=True))
    calls = witness.schedule.scenario.threads
    one, other = (
        Side(label_of(contract, calls[step.thread][step.call]), step, not kinds[step.pc] & MARKED)
        for step in (first, second)
    )
    excuses = []
    if all(
        side.step.kind & (READ | WRITE) == WRITE and aligned(side.step) for side in (one, other) if side.plain
    ):
        excuses.append(PLAIN_WRITES)
    if not witness.found.changed:
        excuses.append(UNCHANGED)
    return Pair(witness, (one, other), tuple(excuses))


def accesses(witness: Witness) -> tuple[ThreadStep, ThreadStep]:
    """The first two steps of a schedule that are the race."""
    steps = witness.schedule.steps
    for at, second in enumerate(steps):
        for first in reversed(steps[:at]):
            if first.thread != second.thread and {first.pc, second.pc} == {*witness.found.pcs}:
                return first, second
    raise HarnessError("a schedule does not show the race that it was kept for")


def aligned(step: ThreadStep) -> bool:
    """Whether it is one access of a machine word or less."""
    return step.size in (1, 2, 4, 8) and step.byte % step.size == 0


def label_of(contract: Contract, call: Call) -> str:
    """A call's operation, or what it reads."""
    return said(contract, call) if call.op <= READS else contract.operations[call.op].name
