# SPDX-License-Identifier: GPL-2.0-only
"""What is compiled of a patch in one configuration and not run, and what it lacks there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from extractor.conditions import holds
from extractor.items import Item
from extractor.slice import DEFINES, Unresolved
from harness.build import Diagnostic
from harness.contract import Loaded
from harness.judge import Check
from harness.matrix.narrow import Narrow, Narrowed
from harness.matrix.plan import Cell, Config, Lacks
from harness.static.headers import LACKING, Compiled, Headers, chosen, spelled
from harness.subjects import describe
from kernel_snippets import INCLUDE

TITLE = "configuration: it compiles without a warning in every configuration that it allows"


class Compilers:
    """Everything of a configuration that is compiled and not run, under way beside us."""

    def __init__(self, items: Sequence[Item], cell: Cell, narrow: Sequence[Loaded], folder: Path) -> None:
        self.items, self.cell = items, cell
        self.headers = Headers(items, cell.config, cell.word, folder)
        self.narrow = Narrow(narrow, items, folder / "slices")

    def finish(self, cell: Cell) -> Cell:
        """The cell with what the compiler said, and with what it lacks."""
        compiled, narrowed = self.headers.finish(), self.narrow.finish()
        there = [i.name for i in self.items if chosen(i) and holds(i.condition, cell.config)]
        names = tuple(dict.fromkeys((*there, *narrowed.names)))
        said = [*driven_said(self.items, cell), *said_of(cell, compiled),
                *narrow_said(self.items, cell, narrowed)]  # fmt: skip
        found: dict[object, Check] = {}
        for each in said:
            found.setdefault((each.verdict, each.file, each.line), each)
        passed = Check("configuration/compiles", "configuration", "pass", TITLE,
                       judged=len(names))  # fmt: skip
        checks = [replace(each, part="configuration")
                  for each in (*cell.checks, *(found.values() or [passed]))]  # fmt: skip
        return replace(cell, compiled=() if compiled.unavailable else names, checks=tuple(checks),
                       lacks=lacks(self.items, cell.config))  # fmt: skip


def said_of(cell: Cell, compiled: Compiled) -> Iterator[Check]:
    """What the compiler said of the patch's headers there."""
    for said in compiled.said:
        yield failing(said, spelled(said))
    if compiled.unavailable:
        yield uncompiled(f"not compiled for {cell.word} bit: {compiled.unavailable}")
    elif compiled.lacking:
        text = spelled(compiled.lacking[0]).replace(f"{INCLUDE}/", "")
        yield uncompiled(f"not all compiled for {cell.word} bit: {text}")


def driven_said(items: Sequence[Item], cell: Cell) -> Iterator[Check]:
    """What the compiler said of what is run there, and what it refused since the patch adds it elsewhere."""
    for said in cell.result.warnings if cell.result else ():
        yield failing(said, spelled(said))
    for lost in cell.result.unresolved if cell.result else ():
        if when := elsewhere(items, cell.config, lost):
            yield failing(lost, describe(lost) + when)


def narrow_said(items: Sequence[Item], cell: Cell, narrowed: Narrowed) -> Iterator[Check]:
    """What the compiler said of the patch's other code for 32 bit."""
    for said in narrowed.said:
        if not (said.error and LACKING.search(said.text)):
            yield failing(said, spelled(said))
    for lost in narrowed.lost:
        when = elsewhere(items, cell.config, lost)
        if when or not (lost.name or LACKING.search(lost.reason)):
            yield failing(lost, describe(lost) + when)
        else:
            yield uncompiled(f"not all compiled for 32 bit: {describe(lost)}")


def uncompiled(reason: str) -> Check:
    """What is not known, since patch and shims do not have all that it takes."""
    return Check("configuration/compiles", "configuration", "unknown", TITLE, reason=reason)


def failing(said: Diagnostic | Unresolved, detail: str) -> Check:
    """A line that does not compile."""
    return Check("configuration/compiles", "configuration", "fail", TITLE, file=said.file,
                 line=said.line, judged=1, failed=1, detail=detail)  # fmt: skip


def elsewhere(items: Sequence[Item], config: Config, lost: Unresolved) -> str:
    """In which configurations the patch adds what `lost` uses, where it has it in others only."""
    match = LACKING.search(lost.reason)
    name = next((name for name in (lost.name, *(match.groups() if match else ())) if name), "")
    own = [item for item in items if item.name == name and item.kind in (*DEFINES, "field")]
    if own and all(i.origin == "added" and holds(i.condition, config) is False for i in own):
        return f"; the patch adds {name} only if {' && '.join(own[0].condition)}"
    return ""


def lacks(items: Sequence[Item], config: Config) -> Lacks:
    """What the patch adds and is not there."""
    own = [item for item in items if item.kind in (*DEFINES, "field")]
    live = {(i.kind, i.name) for i in own
            if holds(i.condition, config) is not False and i.completeness != "fragment"}  # fmt: skip
    whole = {i.name for i in own if holds(i.condition, config) and i.completeness == "complete"}
    names: dict[str, tuple[str, ...]] = {}
    for item in own:
        gone = (
            item.origin == "added" and item.completeness == "complete" and (item.kind, item.name) not in live
        )
        if gone and item.name not in names.get(item.kind, ()):
            names[item.kind] = (*names.get(item.kind, ()), item.name)
    partly = (i.name for i in own if i.kind == "function" and i.completeness == "partial" and i.condition
              and holds(i.condition, config) and i.name not in whole)  # fmt: skip
    return Lacks(names, tuple(dict.fromkeys(partly)))
