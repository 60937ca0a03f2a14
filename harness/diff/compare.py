# SPDX-License-Identifier: GPL-2.0-only
"""Two revisions under each contract that fits both: compiled beside each other, driven together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from extractor.items import Item
from extractor.slice import Slice
from harness.build import PLAIN, QUICK, Cached, Flavour, contract_library
from harness.check import fits
from harness.contract import Binding, Loaded
from harness.diff.align import Aligned
from harness.diff.product import Difference, Driven, Pairing, Place, Work
from harness.diff.words import code_words
from harness.driver import Libraries, Limits
from harness.errors import HarnessError
from harness.lists import few
from harness.loading import contract_path, in_walk, is_static, load, shipped, without_unknown
from harness.locate import function_line, step_place
from harness.render import Rendered, render, render_contract
from harness.subjects import Attempt, Subject, missing_names, slice_of
from harness.trace import Step

T = TypeVar("T")
RENAMED = -2  # no binding of the contract file's: one that the two revisions gave


@dataclass(frozen=True)
class Side:
    """One revision as a contract has it: in the bounds of exploration and of walks, and its slice."""

    loaded: Loaded
    wide: Loaded
    piece: Slice


@dataclass(frozen=True)
class Matched:
    """A contract that fits both revisions; `renamed` are names of OLD's that NEW spells otherwise."""

    name: str
    old: Side
    new: Side
    renamed: Mapping[str, str]


@dataclass(frozen=True)
class Compared:
    """What one contract says of both. Without `driven` their code was the same, word by word."""

    matched: Matched
    aligned: Aligned
    driven: Driven | None = None
    walked: Driven | None = None
    lost: tuple[tuple[str, str], ...] = ()  # what could not be compiled: which revision, and why

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What exploration found, and what only the walk did."""
        found = self.driven.differences if self.driven else ()
        known = {(d.op, d.check) for d in found}
        beyond = self.walked.differences if self.walked else ()
        return (*found, *(d for d in beyond if (d.op, d.check) not in known))

    @property
    def name(self) -> str:
        """The contract's name; of a derived one, a number."""
        return self.matched.name

    @property
    def title(self) -> str:
        """The name, and of a derived contract the functions that it is of."""
        contract = self.aligned.old.contract
        return f"{self.name} ({few(contract.requires, 5)})" if contract.derived else self.name

    @property
    def same_code(self) -> bool:
        """Whether nothing was run, since nothing but comments and line breaks differs."""
        return self.driven is None

    @property
    def complete(self) -> bool:
        """Whether all that is compared was compared, to its bounds."""
        if self.driven is None:
            return True
        partial = any(counts.partial for counts in self.driven.counts)
        return self.driven.complete and not self.lost and not partial


@dataclass(frozen=True)
class Setting:
    """How far two revisions are compared."""

    contract: str | None
    bounds: Mapping[str, int]
    config: Mapping[str, bool]
    limits: Limits
    walk: int = 300_000
    seed: int = 1
    only: tuple[str, ...] | None = None  # contracts that are looked at, where not all that ship are


def matched(
    setting: Setting, old: Sequence[Item], new: Sequence[Item], renames: Mapping[str, str]
) -> tuple[list[Matched], list[str]]:
    """The contracts that fit both revisions, and of those that fit one of them why not the other."""
    found: list[Matched] = []
    lone: list[str] = []
    names = [setting.contract] if setting.contract else shipped()
    for name in names if setting.only is None else setting.only:
        path = contract_path(name)
        if is_static(path):
            continue
        bounds = setting.bounds if setting.contract else without_unknown(path, setting.bounds)
        loaded = load(path, bounds)
        first, why_old, _ = fits(loaded, old, setting.config)
        second, why_new, _ = fits(loaded, new, setting.config)
        if why_new and not why_old and renames:
            under = renamed(first, renames)
            why = fits(under, new, setting.config)[1]
            if not why:
                sides = [side_of(first, old), renamed_side(first, new, renames)]
                found.append(Matched(loaded.contract.name, sides[0], sides[1], renames))
                continue
        if why_old and why_new:
            if setting.contract:
                lone.append(f"{why_old} (OLD); {why_new} (NEW)" if why_old != why_new else why_old)
        elif why_old or why_new:
            lone.append(f"{why_old or why_new} ({'OLD' if why_old else 'NEW'})")
        else:
            found.append(Matched(loaded.contract.name, side_of(first, old), side_of(second, new), {}))
    found.sort(key=lambda pair: (-len(pair.old.piece.functions), pair.name))
    return found, lone


def side_of(loaded: Loaded, items: Sequence[Item]) -> Side:
    """One revision's side of a contract."""
    return Side(loaded, in_walk(loaded), slice_of(loaded, items))


def renamed(loaded: Loaded, renames: Mapping[str, str]) -> Loaded:
    """A contract for a revision that has other names for the same."""
    binding = Binding("under other names", renames)
    return replace(loaded, contract=loaded.contract.bound(binding), binding=RENAMED)


def renamed_side(loaded: Loaded, items: Sequence[Item], renames: Mapping[str, str]) -> Side:
    """As side_of(), under other names."""
    under = renamed(loaded, renames)
    return Side(under, renamed(in_walk(loaded), renames), slice_of(under, items))


def words(rendered: Rendered) -> tuple[str, ...]:
    """The tokens of all that a subject is made of, without where they stand in the patch."""
    text = "\n".join([*(rendered.overlays[name] for name in sorted(rendered.overlays)), rendered.subject,
                      rendered.beyond])  # fmt: skip
    return code_words(re.sub(r'^#(?:line)? *\d+ ".*$', "", text, flags=re.M))


def place_of(check: str, trace: Sequence[Step], side: Side, library: Path) -> Place:
    """The line of a revision where the last call of a trace did what is observed, else its function's."""
    if not trace:
        return None
    last = trace[-1]
    files = {item.file for item in side.piece.code}
    found = step_place(last, files, library, warns=check == "warnings")
    return found or function_line(last.op, side.loaded, side.piece)


class Comparison:
    """One contract on its way through compilers and workers.

    What is beyond the bounds is walked where nothing within them differs: a walk ends where it does.
    """

    def __init__(self, pair: Matched, setting: Setting, folder: Path, engine: Cached) -> None:
        self.pair, self.setting, self.engine = pair, setting, engine
        self.folder = folder / pair.name
        self.folder.mkdir()
        self.sides = (pair.old, pair.new)
        self.pairing: Pairing | None = None
        self.driven: Driven | None = None
        self.walked: Driven | None = None
        # Rendered first: where both are the same there is nothing to compile.
        self.same = self.rendered(0) == self.rendered(1)
        self.flavour = PLAIN if pair.old.loaded.bounds else QUICK
        self.near: list[tuple[Attempt, Cached]] = []
        self.far: list[tuple[Attempt, Cached]] = []
        if not self.same:
            self.near = [
                self.begin(n, side.loaded, self.flavour, "near") for n, side in enumerate(self.sides)
            ]

    def rendered(self, number: int) -> tuple[str, ...]:
        """The words of one side's C."""
        side = self.sides[number]
        missing = missing_names(side.loaded, side.piece, side.piece.unresolved)
        return words(render(side.loaded, side.piece, missing))

    def begin(self, number: int, loaded: Loaded, flavour: Flavour, name: str) -> tuple[Attempt, Cached]:
        """A subject and its contract, under way."""
        folder = self.folder / f"{('old', 'new')[number]}-{name}"
        folder.mkdir()
        contract = contract_library(render_contract(loaded), folder, flavour)
        return Attempt(
            loaded, self.sides[number].piece, loaded.options, folder / "subject", flavour
        ), contract

    def compile(self) -> None:
        """What the preprocessor has gone through goes to the compiler."""
        for attempt, _ in (*self.near, *self.far):
            attempt.compile()

    def start(self) -> None:
        """Explores both, as far as they compile."""
        if self.same:
            return
        self.subjects = [attempt.settle() for attempt, _ in self.near]
        loaded = [side.loaded for side in self.sides]
        self.skip = frozenset().union(*(subject.skip for subject in self.subjects))
        self.skip |= {op.name for side in loaded for op in side.contract.operations if op.long}
        self.aligned = Aligned(loaded[0], loaded[1], self.skip)
        self.libraries = self.objects(self.near, self.subjects)
        self.pairing = Pairing(Work(self.libraries, self.aligned, self.setting.limits))

    def explored(self) -> None:
        """Waits for the exploration; where nothing differs, what a walk needs goes to the compiler."""
        if not self.pairing:
            return
        self.driven = self.placed(self.pairing.finish())
        self.walks = (
            not self.driven.differences
            and self.setting.walk > 0
            and all(side.loaded.contract.goes_further for side in self.sides)
        )
        if self.walks and all(side.wide is not side.loaded for side in self.sides):
            self.far = [self.begin(n, side.wide, QUICK, "far") for n, side in enumerate(self.sides)]

    def walk(self) -> None:
        """Begins the walk."""
        if not self.pairing or not self.walks:
            return
        aligned = self.aligned
        if self.far:
            subjects = [attempt.settle() for attempt, _ in self.far]
            aligned = Aligned(self.sides[0].wide, self.sides[1].wide, self.skip)
            self.libraries = self.objects(self.far, subjects)
        setting = self.setting
        self.pairing = Pairing(Work(self.libraries, aligned, setting.limits, setting.walk, setting.seed))

    def finish(self) -> Compared:
        """What came of it."""
        if not self.pairing or not self.driven:
            loaded = [side.loaded for side in self.sides]
            return Compared(self.pair, Aligned(loaded[0], loaded[1]))
        if self.walks:
            self.walked = self.placed(self.pairing.finish())
        return Compared(self.pair, self.aligned, self.driven, self.walked, tuple(self.lost()))

    def objects(
        self, begun: Sequence[tuple[Attempt, Cached]], subjects: Sequence[Subject]
    ) -> tuple[Libraries, Libraries]:
        """The compiled objects of both."""
        old, new = (
            Libraries(subject.built.library, contract.finish(), self.engine.finish())
            for subject, (_, contract) in zip(subjects, begun, strict=True)
        )
        return old, new

    def placed(self, driven: Driven) -> Driven:
        """What was found, with the lines of each revision that did it."""
        found = [
            replace(difference, places=(
                place_of(difference.check, difference.old, self.sides[0], self.libraries[0].subject),
                place_of(difference.check, difference.new, self.sides[1], self.libraries[1].subject),
            ))
            for difference in driven.differences
        ]  # fmt: skip
        return replace(driven, differences=tuple(found))

    def lost(self) -> Iterator[tuple[str, str]]:
        """What of each side could not be compiled."""
        for which, subject in zip(("OLD", "NEW"), self.subjects, strict=True):
            for lost in subject.lost:
                yield which, f"{lost.file}:{lost.line}: {lost.user}: {lost.reason}"

    def end(self) -> None:
        """Ends the worker, whatever it is at."""
        if self.pairing:
            self.pairing.end()


class Comparisons:
    """All contracts on their way: compiled beside each other, then driven as they are ready."""

    def __init__(self, pairs: Sequence[Matched], setting: Setting, folder: Path, engine: Cached) -> None:
        self.failed: dict[str, str] = {}
        self.begun: list[Comparison] = []
        for pair in pairs:
            self.begun.append(Comparison(pair, setting, folder, engine))
        self.each(Comparison.compile)

    def start(self) -> None:
        """Drives those that compile."""
        self.each(Comparison.start)

    def finish(self) -> list[Compared]:
        """What came of each."""
        self.each(Comparison.explored)
        self.each(Comparison.compile)
        self.each(Comparison.walk)
        return self.each(Comparison.finish)

    def each(self, step: Callable[[Comparison], T]) -> list[T]:
        """One step of all that have not failed; what fails is known as such, and the others go on."""
        done: list[T] = []
        for one in list(self.begun):
            try:
                done.append(step(one))
            except HarnessError as err:
                self.failed[one.pair.name] = str(err).removeprefix("HarnessError: ")
                one.end()
                self.begun.remove(one)
        return done

    def end(self) -> None:
        """Ends the workers, whatever they are at."""
        for one in self.begun:
            one.end()
