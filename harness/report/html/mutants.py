# SPDX-License-Identifier: GPL-2.0-only
"""Mutants as a page, or as a part of one: survivors first, each with its diff and its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.report.document import MutantRecord, PatchText, StrengthRecord
from harness.report.html.listing import Listing, Marks, Note, change_words, listing
from harness.report.html.page import render_page
from harness.report.mutate import killers
from harness.report.outline import of_mutants


@dataclass(frozen=True)
class Shown:
    """One mutant."""

    id: str
    mutant: MutantRecord
    change: str
    href: str


@dataclass(frozen=True)
class Fate:
    """The mutants of one fate."""

    id: str
    title: str
    why: str  # what `by` is of these
    folded: bool
    mutants: tuple[Shown, ...]


def mutants_page(strength: StrengthRecord, patches: Sequence[PatchText], tool: Mapping[str, str]) -> str:
    """The page of `mutate`."""
    shown = listing(patches, Marks(None, strength, tuple(survivors(strength))))
    return render_page(
        "mutate.html.j2",
        outline=of_mutants(strength, patches, tool),
        strength=strength,
        killers=killers(strength.killed),
        listing=shown,
        fates=fates(strength, shown),
        tool=f"kconform {tool['version']}, {tool['compiler']}, Python {tool['python']}",
    )


def survivors(strength: StrengthRecord | None) -> Iterator[Note]:
    """What stands below lines of the patch whose mutants live."""
    for number, mutant in enumerate(strength.survived if strength else (), 1):
        yield Note(mutant.file, mutant.line, "lives", "survives", f"#survived-{number}", change_words(mutant))


def fates(strength: StrengthRecord | None, shown: Listing) -> list[Fate]:
    """Every fate that has mutants, survivors first."""
    if not strength:
        return []
    every = (
        ("survived", "Survived: no check finds them", "why", False, strength.survived),
        ("equivalent", "Equivalent: they do the same as the patch", "why", True, strength.equivalent),
        ("broken", "Not compiled, and not counted", "why", True, strength.broken),
        ("killed", "Killed", "by", True, strength.killed),
    )
    return [
        Fate(id, title, why, folded, tuple(
            Shown(f"{id}-{n}", mutant, change_words(mutant), shown.href(mutant.file, mutant.line))
            for n, mutant in enumerate(mutants, 1)
        ))
        for id, title, why, folded, mutants in every if mutants
    ]  # fmt: skip
