# SPDX-License-Identifier: GPL-2.0-only
"""Two contracts, each as its revision has it, side by side: what is the same call, the same observation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cached_property

from harness.contract import Contract, Loaded, Operation
from harness.driver import Call
from harness.lists import few
from harness.translate import layout

ENGINE_OBSERVATIONS, ENGINE_MEMBERS, ENGINE_CALLS = 32, 32, 65535


@dataclass(frozen=True)
class Aligned:
    """What can be compared of OLD's contract and NEW's: operations and observations of one name.

    `operations` are pairs of numbers. IDs that stand for the same member (an MM) are the same in both,
    whatever their values. `left_out` says what only one of them has.
    """

    old: Loaded
    new: Loaded
    skip: frozenset[str] = frozenset()  # operations that cannot be made in one of them

    @property
    def both(self) -> tuple[Loaded, Loaded]:
        """OLD's contract and NEW's."""
        return self.old, self.new

    @cached_property
    def same_contract(self) -> bool:
        """Whether both are judged by the same words: names in their C aside."""
        old, new = self.old, self.new
        return old.text == new.text and [c.id for c in old.contract.claims] == [
            c.id for c in new.contract.claims
        ]

    @cached_property
    def operations(self) -> tuple[tuple[int, int], ...]:
        """The operations of both that have the same name, kind and arguments."""
        theirs = {op.name: n for n, op in enumerate(self.new.contract.operations)}
        return tuple(
            (n, theirs[op.name])
            for n, op in enumerate(self.old.contract.operations)
            if op.name in theirs
            and op.kind != "outlook"
            and op.name not in self.skip
            and alike(op, self.new.contract.operations[theirs[op.name]])
        )

    @cached_property
    def observations(self) -> tuple[tuple[str, int, int], ...]:
        """Name of each observation of both, and its number in each."""
        old, new = (layout(loaded.contract.state).offsets for loaded in self.both)
        return tuple((name, at, new[name]) for name, at in old.items() if name in new)[:ENGINE_OBSERVATIONS]

    @property
    def names(self) -> tuple[str, ...]:
        """The observations that are compared."""
        return tuple(name for name, _, _ in self.observations)

    @property
    def ids(self) -> frozenset[str]:
        """The observations that hold a member's ID in both."""
        old, new = (loaded.contract.symmetry for loaded in self.both)
        return frozenset(old.ids) & frozenset(new.ids) if old and new else frozenset()

    @property
    def members(self) -> tuple[tuple[int, int], ...]:
        """The IDs of each member, OLD's and NEW's."""
        old, new = (loaded.contract.symmetry for loaded in self.both)
        return tuple(zip(old.values, new.values, strict=False))[:ENGINE_MEMBERS] if old and new else ()

    @property
    def cross(self) -> bool:
        """Whether each contract can judge the other's code: what they observe is the same."""
        if self.same_contract:
            return False
        sizes = [layout(loaded.contract.state).size for loaded in self.both]
        return sizes == [len(self.observations)] * 2

    def calls(self) -> list[Call]:
        """Each call that both have, as OLD's."""
        found: list[Call] = []
        for old, new in self.operations:
            domains = [values for _, values in self.domains(old, new, wide=False)]
            found += [Call(old, args) for args in itertools.product(*domains)]
        return found[:ENGINE_CALLS]

    def domains(self, old: int, new: int, *, wide: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The values of each argument that both contracts have."""
        ours, theirs = self.old.contract.operations[old], self.new.contract.operations[new]
        for name in ours.args:
            other = set(theirs.domain(name, wide=wide))
            yield name, tuple(value for value in ours.domain(name, wide=wide) if value in other)

    @property
    def second(self) -> dict[int, int]:
        """The number that NEW's contract has for an operation of OLD's."""
        return dict(self.operations)

    def as_new(self, call: Call) -> Call:
        """The same call as NEW's."""
        return Call(self.second[call.op], call.args)

    @property
    def left_out(self) -> tuple[str, ...]:
        """What only one of the contracts has, or has otherwise, in the order of its reading."""
        old, new = (loaded.contract for loaded in self.both)
        compared = {old.operations[n].name for n, _ in self.operations}
        said = [
            *only_in("OLD", old, new, compared | self.skip),
            *only_in("NEW", new, old, compared | self.skip),
        ]
        for which, one, other in (("OLD", old, new), ("NEW", new, old)):
            theirs = layout(other.state).offsets
            lone = [name for name in layout(one.state).offsets if name not in theirs]
            said += [f"observed only in {which}: {few(lone)}"] if lone else []
        if any(op.kind == "outlook" for op in old.operations):
            said.append("what the patches call possible, and do not do")
        return tuple(said)


def only_in(which: str, one: Contract, other: Contract, compared: Set[str]) -> list[str]:
    """The operations of one contract that the other has not, or has otherwise."""
    theirs = {op.name for op in other.operations}
    told = [op for op in one.operations if not (one.derived and (op.kind == "setup" or op.doubtful))]
    lone = [op.name for op in told if op.name not in theirs]
    changed = [op.name for op in told
               if op.name in theirs and op.name not in compared and op.kind != "outlook"]  # fmt: skip
    said = [f"operations of {which} alone: {few(lone)}"] if lone else []
    if changed and which == "OLD":
        said.append(f"operations that have other arguments in each: {few(changed)}")
    return said


def alike(old: Operation, new: Operation) -> bool:
    """Whether two operations of one name are the same call."""
    return old.kind == new.kind and list(old.args) == list(new.args)


def returns(op: Operation) -> bool:
    """Whether the value of a call is observed."""
    return bool(op.returns or op.by or op.observed)
