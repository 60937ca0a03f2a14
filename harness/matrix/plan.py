# SPDX-License-Identifier: GPL-2.0-only
"""Which configurations of a patch there are, and what can be run or compiled in each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from extractor.items import Item
from extractor.kconfig_options import options
from harness.check import Chosen, Result, choose, refuse_strange
from harness.contract import DEBUG, Loaded, StaticContract
from harness.drive import Request
from harness.errors import HarnessError
from harness.judge import Check, compiled_away
from harness.static.configuration import refused

WORD = "CONFIG_64BIT"
MOST_OPTIONS = 3  # of the patch that are varied: 32 configurations
Word = Literal["PASS", "FAIL", "UNKNOWN", "COMPILES", "REFUSED"]
Config = Mapping[str, bool]


@dataclass(frozen=True)
class Lacks:
    """What the patch adds and a configuration has not, by kind; `partly`: functions that it has in part."""

    names: Mapping[str, tuple[str, ...]]
    partly: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One configuration, and what came of it.

    `config` is all that is set, `varied` what makes it differ from the others. `refused` says why the
    patch's Kconfig does not allow it, `idle` why nothing is run there. `checks` are its own, beside
    those of `result`; `compiled` are the names of what was compiled without being run.
    """

    number: int
    config: Config
    varied: Config
    refused: str = ""
    idle: str = ""
    result: Result | None = None
    compiled: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    lacks: Lacks | None = None

    @property
    def word(self) -> int:
        """Its word size in bits."""
        return 64 if self.config[WORD] else 32

    @property
    def every(self) -> tuple[Check, ...]:
        """All its checks."""
        return (*(self.result.checks if self.result else ()), *self.checks)

    @property
    def whole(self) -> bool:
        """Whether all that there is of it was compiled, and explored to its bounds."""
        own = all(each.verdict != "unknown" for each in self.checks)
        return bool(self.refused) or (own and (not self.result or self.result.whole))

    @property
    def verdict(self) -> Word:
        """In a word."""
        if self.refused:
            return "REFUSED"
        if any(each.verdict == "fail" for each in self.every):
            return "FAIL"
        if not self.whole:
            return "UNKNOWN"
        return "PASS" if self.result else "COMPILES"

    def silent(self, said: Check) -> bool:
        """Whether a check is unknown only since the warning that it waits for is compiled away here."""
        return said.verdict == "unknown" and said.reason in {
            compiled_away(name) for name, value in self.config.items() if not value
        }


def axes(items: Sequence[Item], given: Config) -> tuple[list[str], list[str]]:
    """The options that are varied, and what is to be said of those that are not."""
    own = [option for option in options(items) if option.added and option.complete]
    names = list(dict.fromkeys(f"CONFIG_{o.name}" for o in own if o.type in ("bool", "tristate")))
    free = [name for name in names if name not in given]
    notes = [f"CONFIG_{o.name} is not varied: it is no y/n option" for o in own
             if f"CONFIG_{o.name}" not in names]  # fmt: skip
    if left := free[MOST_OPTIONS:]:
        notes.append(f"not varied, since the patch adds more than {MOST_OPTIONS} options: {', '.join(left)}")
    return [*free[:MOST_OPTIONS], *([DEBUG] if DEBUG not in given else [])], notes


@dataclass(frozen=True)
class Plan:
    """The configurations, the contracts of those that are run, those of 32 bit, and what is to be said."""

    cells: tuple[Cell, ...]
    chosen: Mapping[int, Chosen]
    narrow: Mapping[int, Sequence[Loaded]]
    static: tuple[StaticContract, ...]
    notes: tuple[str, ...]


Values = tuple[bool, ...]


@dataclass(frozen=True)
class Fitting:
    """By the values of the varied options, with 64 bits: the contracts that fit, or why none does."""

    fits: Mapping[Values, Chosen]
    reasons: Mapping[Values, str]

    @property
    def found(self) -> list[Chosen]:
        """Those that fit somewhere."""
        return list(self.fits.values())

    def idle(self, values: Values) -> str:
        """Why nothing can be run there; empty where something can."""
        fits = self.fits.get(values)
        if not fits:
            return self.reasons[values]
        runs = fits.driven or any(contract.layout for contract in fits.static)
        return "" if runs else f"{', '.join(contract.name for contract in fits.static)} only reads the patch"


def fitting(request: Request, name: str | None, bounds: Mapping[str, int], varied: Sequence[str]) -> Fitting:
    """What fits where. HarnessError where no contract fits in any configuration."""
    fits: dict[Values, Chosen] = {}
    reasons: dict[Values, str] = {}
    for values in itertools.product((True, False), repeat=len(varied)):
        config = {**request.config, **dict(zip(varied, values, strict=True)), WORD: True}
        try:
            fits[values] = chosen_for(request, name, bounds, config)
        except HarnessError as err:
            reasons[values] = str(err)
    if not fits:
        raise HarnessError(next(iter(reasons.values())))
    refuse_strange((loaded for chosen in fits.values() for loaded in chosen.driven), bounds)
    return Fitting(fits, reasons)


def plan(request: Request, name: str | None, bounds: Mapping[str, int]) -> Plan:
    """What is to be done. HarnessError where no contract fits anywhere, or Kconfig allows nothing of it."""
    given = request.config
    varied, notes = axes(request.items, given)
    fit = fitting(request, name, bounds, varied)
    if DEBUG in varied and not any(DEBUG in config for config in configs(fit.found)):
        varied.remove(DEBUG)
        notes.append(f"{DEBUG} is not varied: no contract that fits names it")
        fit = fitting(request, name, bounds, varied)
    base = merged_config(fit.found, {*varied, *given, WORD})
    cells: list[Cell] = []
    runs: dict[int, Chosen] = {}
    narrow: dict[int, Sequence[Loaded]] = {}
    words = (given[WORD],) if WORD in given else (True, False)
    for word, values in itertools.product(words, itertools.product((True, False), repeat=len(varied))):
        settings = dict(zip(varied, values, strict=True))
        config = {**base, **given, **settings, WORD: word}
        types = None if word else types_alone(request, name, bounds, {**given, **settings, WORD: False})
        idle = fit.idle(values) if word else "" if types else "a process here has 64 bits"
        cell = Cell(len(cells) + 1, config, settings, refused(request.items, config), idle)
        cells.append(cell)
        if cell.refused or values not in fit.fits:
            continue
        if not word:
            narrow[cell.number] = fit.fits[values].driven
        if not idle:
            runs[cell.number] = types or fit.fits[values]
    if all(cell.refused for cell in cells):
        raise HarnessError(f"there is no such configuration: {cells[0].refused}")
    return Plan(tuple(cells), runs, narrow, fit.found[0].static, tuple(notes))


def types_alone(
    request: Request, name: str | None, bounds: Mapping[str, int], config: Config
) -> Chosen | None:
    """The contracts that drive what the patch has on 32 bit in a word of 64, where there are any."""
    try:
        return chosen_for(request, name, bounds, config)
    except HarnessError:
        return None


def chosen_for(request: Request, name: str | None, bounds: Mapping[str, int], config: Config) -> Chosen:
    """The contracts that fit there, each with those bounds that it has."""
    first = choose(name, request.items, {}, config)
    known = {bound for loaded in first.driven for bound in loaded.bounds}
    wanted = {bound: value for bound, value in bounds.items() if bound in known}
    return choose(name, request.items, wanted, config) if wanted else first


def configs(fits: Sequence[Chosen]) -> Iterator[Config]:
    """What the contracts set by themselves, those that reach most of the patch first."""
    for each in fits:
        yield from (loaded.contract.config for loaded in each.driven)
        yield from (contract.config for contract in each.static)


def merged_config(fits: Sequence[Chosen], without: set[str]) -> dict[str, bool]:
    """The options that are the same everywhere; of contracts that differ, the first one's."""
    merged: dict[str, bool] = {}
    for config in configs(fits):
        merged = {**config, **merged}
    return {name: value for name, value in merged.items() if name not in without}
