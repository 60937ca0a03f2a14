# SPDX-License-Identifier: GPL-2.0-only
"""All that is known of two revisions: their differences, what became of claims, what was not compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from extractor.patch import Patch
from harness.contract import Claim
from harness.diff.blocks import Block, blocks, rooted, together
from harness.diff.compare import Compared
from harness.diff.cost import Costs
from harness.diff.interface import Interface
from harness.diff.product import ClaimResult

CHANGED = frozenset(("mended", "broken anew", "dropped", "new"))


@dataclass(frozen=True)
class ClaimFate:
    """What became of a claim: kept, broken, mended, broken anew, dropped, new, or unknown.

    Dropped: only OLD's contract makes it, OLD keeps it and NEW does not; new: the other way round.
    """

    how: str
    claim: Claim
    compared: Compared
    witness: ClaimResult | None = None  # where one breaks it


@dataclass(frozen=True)
class DiffResult:
    """What a report needs."""

    titles: tuple[str, str]
    compared: tuple[Compared, ...]
    failed: Mapping[str, str]  # contracts that could not be driven, and why
    uncompared: tuple[str, ...] = ()  # what may do otherwise, and is in no comparison
    interface: Interface | None = None
    costs: Costs | None = None
    replay_lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what else was not compared: nobody expects it
    same_text: bool = False  # nothing that is compared has another text
    promise: str = ""  # the sentence by which the patch says that nothing changes
    patches: tuple[Patch, ...] = ()  # of NEW

    @cached_property
    def blocks(self) -> dict[str, list[Block]]:
        """The differences under each contract, by its name, those that are one together."""
        return {one.name: list(blocks(one)) for one in self.compared}

    def blocks_of(self, compared: Compared) -> list[Block]:
        """The differences under one contract."""
        return self.blocks[compared.name]

    @cached_property
    def differences(self) -> list[tuple[Block, list[Block]]]:
        """All differences that follow from no other, each with what other contracts say of the same."""
        return together([block for one in self.compared for block in rooted(self.blocks_of(one))])

    def fates_of(self, compared: Compared) -> Iterator[ClaimFate]:
        """What became of the claims of one contract."""
        if compared.driven:
            yield from fates(compared)

    @property
    def status(self) -> int:
        """The exit status: 0 no difference, 1 differences, 2 not all could be compared."""
        fates = [fate.how for compared in self.compared for fate in self.fates_of(compared)]
        if any(self.blocks_of(compared) for compared in self.compared) or CHANGED.intersection(fates):
            return 1
        whole = all(compared.complete for compared in self.compared)
        return (
            0 if whole and (self.compared or self.same_text) and not (self.failed or self.uncompared) else 2
        )

    @property
    def summary(self) -> str:
        """The verdict in a line."""
        counts: list[str] = []
        n = len(self.differences)
        if n:
            counts.append(f"{n} difference{'s' * (n != 1)}")
        fates = [fate.how for compared in self.compared for fate in self.fates_of(compared)]
        for how in ("mended", "broken anew", "broken"):
            if fates.count(how):
                words = {"broken": "broken by both"}.get(how, how)
                counts.append(f"{fates.count(how)} claim{'s' * (fates.count(how) != 1)} {words}")
        if self.status == 1 and not counts:
            counts.append("claims that only one of them keeps")
        if self.status == 0:
            same = all(compared.same_code for compared in self.compared)
            counts.insert(0, "the code is the same" if same else "no difference within these bounds")
        if self.status == 2:
            counts.insert(0, "nothing could be compared" if not self.compared else
                          "no difference in what was compared, which is not all")  # fmt: skip
        return ", ".join(counts)


def fates(compared: Compared) -> Iterator[ClaimFate]:
    """What became of each claim of both contracts."""
    assert compared.driven
    seen = {(c.contract, c.side, c.id): c for c in compared.driven.claims}
    old, new = (loaded.contract for loaded in compared.aligned.both)
    newer = {claim.id: claim for claim in new.claims}
    for claim in old.claims:
        first = seen.get((0, 0, claim.id))
        if claim.id in newer:
            yield fate(compared, claim, first, newer[claim.id], seen.get((1, 1, claim.id)))
            continue
        second = seen.get((0, 1, claim.id))
        if claim.kind == "possible" and not compared.complete:
            continue
        if first and second and not broken(compared, claim, first) and broken(compared, claim, second):
            yield ClaimFate("dropped", claim, compared, second)
    for claim in new.claims:
        if any(claim.id == other.id for other in old.claims):
            continue
        first, second = seen.get((1, 1, claim.id)), seen.get((1, 0, claim.id))
        if claim.kind == "possible" and not compared.complete:
            continue
        if first and second and not broken(compared, claim, first) and broken(compared, claim, second):
            yield ClaimFate("new", claim, compared, second)


def fate(
    compared: Compared, claim: Claim, first: ClaimResult | None, newer: Claim, second: ClaimResult | None
) -> ClaimFate:
    """What became of a claim that both contracts make."""
    if not first or not second:
        return ClaimFate("unknown", claim, compared)
    was, now = broken(compared, claim, first), broken(compared, newer, second)
    how = {(False, False): "kept", (True, True): "broken", (True, False): "mended",
           (False, True): "broken anew"}[was, now]  # fmt: skip
    small = claim.kind == "possible" and (was or now) and any(
        compared.aligned.old.bounds.get(name, least) < least for name, least in claim.least.items()
    )  # fmt: skip
    if small or (claim.kind == "possible" and how != "kept" and not compared.complete):
        return ClaimFate("unknown", claim, compared)
    return ClaimFate(how, claim if was else newer, compared, first if was else second)


def broken(compared: Compared, claim: Claim, result: ClaimResult) -> bool:
    """Whether a claim does not hold: one "always" that failed, one "possible" that nothing showed."""
    return not result.failed if claim.kind == "possible" else bool(result.failed)
