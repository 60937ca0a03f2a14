# SPDX-License-Identifier: GPL-2.0-only
"""What contracts would run of a patch, compiled for 32 bit; a process here has 64, so nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from extractor.errors import ExtractError
from extractor.items import Item
from extractor.slice import Slice, Unresolved
from harness.build import CompileError, Diagnostic, Flavour
from harness.contract import Loaded
from harness.errors import HarnessError
from harness.subjects import Attempt, slice_of

NARROW = Flavour("32bit", ("-O1", "-m32"), compile_only=True)


@dataclass(frozen=True)
class Narrowed:
    """The functions that compile, what the compiler said at the patch's lines, and what it refused."""

    names: tuple[str, ...] = ()
    said: tuple[Diagnostic, ...] = ()
    lost: tuple[Unresolved, ...] = ()


class Narrow:
    """The slices of some contracts, being compiled beside us."""

    def __init__(self, contracts: Sequence[Loaded], items: Sequence[Item], folder: Path) -> None:
        self.begun: list[tuple[Attempt, Slice]] = []
        folder.mkdir(parents=True, exist_ok=True)
        for loaded in contracts:
            under = loaded.under({**loaded.config, "CONFIG_64BIT": False})
            piece = slice_of(under, items)
            self.begun.append(
                (Attempt(under, piece, under.options, folder / loaded.contract.name, NARROW), piece)
            )

    def finish(self) -> Narrowed:
        """What the compiler said.

        A contract's own C may be for 64 bit: what of the patch is below it, is then only known by the
        messages at the patch's lines.
        """
        names: list[str] = []
        said: list[Diagnostic] = []
        lost: list[Unresolved] = []
        for attempt, piece in self.begun:
            try:
                subject = attempt.settle()
                names += [n for n in (*piece.functions, *piece.shown) if n not in subject.missing]
                lost += subject.lost
                messages = subject.built.warnings
            except CompileError as err:
                messages = err.diagnostics
            except (ExtractError, HarnessError):
                continue
            files = {item.file for item in piece.code}
            said += [each for each in messages if each.file in files]
        return Narrowed(tuple(dict.fromkeys(names)), tuple(dict.fromkeys(said)), tuple(dict.fromkeys(lost)))
