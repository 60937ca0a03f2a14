# SPDX-License-Identifier: GPL-2.0-only
"""Differences that are one: with the same trace, or of one thing in calls that go through each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.diff.compare import Compared
from harness.diff.product import Difference


@dataclass(frozen=True)
class Block:
    """What is told as one difference: the first has its trace shown."""

    compared: Compared
    differences: tuple[Difference, ...]

    @property
    def first(self) -> Difference:
        """The one whose trace is shown."""
        return self.differences[0]

    @property
    def mends(self) -> bool:
        """Whether OLD does in it what its own model does not expect, and NEW what its own does."""
        return self.first.wrong(0) and not self.first.wrong(1)

    @property
    def breaks(self) -> bool:
        """Whether NEW does in it what its own model does not expect, and OLD what its own does."""
        return self.first.wrong(1) and not self.first.wrong(0)


def blocks(compared: Compared) -> Iterator[Block]:
    """The differences of one contract, those that begin where nothing differed first, shortest first."""
    found: list[tuple[set[object], list[Difference]]] = []
    for difference in sorted(compared.differences, key=lambda d: (not d.rooted, len(d.old))):
        keys = {*keys_of(compared, difference)}
        home = next((block for block in found if block[0] & keys), None)
        if home is None:
            found.append((keys, [difference]))
        else:
            home[0].update(keys)
            home[1].append(difference)
    yield from (Block(compared, tuple(members)) for _, members in found)


def keys_of(compared: Compared, difference: Difference) -> Iterator[object]:
    """What makes two differences one."""
    contract = compared.aligned.old.contract
    op = next((op for op in contract.operations if op.name == difference.op), None)
    through = (op.through if op else "") or difference.op
    if op and op.doubtful:  # the function's other operation calls it as it is
        through = op.name.rpartition("/")[0]
    yield difference.rooted, difference.calls
    yield difference.rooted, through, contract.thing(difference.check)
    if difference.check == "crash" and all(difference.places):  # whatever the call was
        yield difference.rooted, "crash", difference.places


def together(found: Sequence[Block]) -> list[tuple[Block, list[Block]]]:
    """Differences of several contracts, each with those that are the same lines' in the same observation."""
    homes: list[tuple[Block, list[Block]]] = []
    for block in found:
        home = next((home for home in homes if same_lines(home[0], block)), None)
        if home:
            home[1].append(block)
        else:
            homes.append((block, []))
    return homes


def same_lines(one: Block, other: Block) -> bool:
    """Whether blocks of two contracts are of the same lines of both revisions, and the same observation."""
    if one.compared is other.compared:
        return False
    lines = {(d.places, d.check) for d in one.differences if all(d.places)}
    return any((d.places, d.check) in lines for d in other.differences)


def rooted(found: Sequence[Block]) -> list[Block]:
    """Those whose trace begins where nothing that is observed differed."""
    return [block for block in found if block.first.rooted]
