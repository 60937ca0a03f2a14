# SPDX-License-Identifier: GPL-2.0-only
"""A trace as a table: a column for the calls of each MM, then what is observed, with what changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.report.document import Row, Table


@dataclass(frozen=True)
class Cell:
    """One observation: `changed` since the row before, `apart` from the other's; `was` the base's."""

    text: str
    changed: bool = False
    apart: bool = False
    was: str | None = None


@dataclass(frozen=True)
class Side:
    """What one revision shows at a step; no cells where the call did not come back."""

    cells: tuple[Cell, ...]
    stopped: str = ""


@dataclass(frozen=True)
class Line:
    """One step: its call in the column `caller`, None for the initial world, which is of all."""

    call: str
    caller: int | None
    sides: tuple[Side, ...]
    file: str = ""
    line: int = 0

    @property
    def apart(self) -> bool:
        """Whether the two revisions show something else."""
        return any(cell.apart for side in self.sides for cell in side.cells) or (
            len(self.sides) == 2 and self.sides[0].stopped != self.sides[1].stopped
        )


@dataclass(frozen=True)
class Trace:
    """`callers` head the columns of calls ("" for the calls of no MM), `columns` those of observations."""

    callers: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]  # of each side
    lines: tuple[Line, ...]
    names: tuple[str, ...] = ()  # of the sides, where there are two
    schedule: bool = False  # of threads: a column each, and what one did is no observation

    @property
    def by_member(self) -> bool:
        """Whether it is known which MM calls."""
        return any(self.callers)

    @property
    def calls(self) -> int:
        """How many calls there are."""
        return sum(line.caller is not None for line in self.lines)

    @property
    def was(self) -> bool:
        """Whether cells have what the base shows beside them."""
        return any(cell.was is not None for line in self.lines for side in line.sides for cell in side.cells)


def view(table: Table) -> Trace | None:
    """One revision's trace; None where there is none."""
    if not table.rows:
        return None
    callers = callers_of(table.rows)
    sides = changes(table.rows)
    if table.first != Table().first:
        plain = (Side(tuple(Cell(text) for text in row.cells)) for row in table.rows)
        lines = tuple(line_of(row, ("",), (side,)) for row, side in zip(table.rows, plain, strict=True))
        return Trace(("",), (table.columns,), lines, schedule=True)
    lines = tuple(line_of(row, callers, (side,)) for row, side in zip(table.rows, sides, strict=True))
    return Trace(callers, (table.columns,), lines)


def pair(names: tuple[str, str], old: Table, new: Table) -> Trace:
    """Two revisions' traces of the same calls side by side."""
    rows = new.rows if len(new.rows) > len(old.rows) else old.rows
    callers = callers_of(rows)
    halves = [[*changes(table.rows), *[Side(())] * (len(rows) - len(table.rows))] for table in (old, new)]
    lines = []
    for number, row in enumerate(rows):
        left, right = (half[number] for half in halves)
        sides = (against(old, left, new, right), against(new, right, old, left))
        lines.append(line_of(row, callers, sides))
    return Trace(callers, (old.columns, new.columns), tuple(lines), names)


def against(table: Table, side: Side, other_table: Table, other: Side) -> Side:
    """One revision's step; what the other shows otherwise is marked."""
    seen = dict(zip(other_table.columns, (cell.text for cell in other.cells), strict=False))
    cells = (replace(cell, apart=bool(seen) and seen.get(name, cell.text) != cell.text)
             for name, cell in zip(table.columns, side.cells, strict=False))  # fmt: skip
    return replace(side, cells=tuple(cells))


def callers_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """The MMs that call, in their order; then "" where calls are of none."""
    calling = [row for row in rows if not initial(row)]
    members = sorted({row.member for row in calling if row.member}, key=natural)
    return (*members, *[""][: not members or any(not row.member for row in calling)])


def natural(name: str) -> tuple[str, int]:
    """mm2 before mm10."""
    digits = re.search(r"\d*$", name)
    assert digits
    return name[: digits.start()], int(digits[0] or 0)


def initial(row: Row) -> bool:
    """Whether a row is the world before any call."""
    return row.call == "(initial)"


def line_of(row: Row, callers: Sequence[str], sides: tuple[Side, ...]) -> Line:
    """One step."""
    return Line(row.call, None if initial(row) else callers.index(row.member), sides, row.file, row.line)


def changes(rows: Sequence[Row]) -> Iterator[Side]:
    """The observations of each row, with what is another since the row before that has any."""
    last: tuple[str, ...] = ()
    for row in rows:
        cells = zip(row.cells, last or row.cells, row.before, strict=False)
        yield Side(tuple(Cell(text, text != before, was=base) for text, before, base in cells), row.stopped)
        last = row.cells or last
