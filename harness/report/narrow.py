# SPDX-License-Identifier: GPL-2.0-only
"""Lines for mails and panes: 72 columns, traces folded so that no value is cut, nothing like a trailer."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from harness.report.document import Row, Table

WIDTH = 72
GAP = "  "
BAR = "| "
# What b4 takes for a trailer of a reply, be it indented or not, and then some; git takes less.
TRAILER = re.compile(
    r"\s*\w\S*:\s.*@|\s*(\S*-(by|to|id)|to|cc|from|date|subject|fixes|link|buglink|closes|base-commit):", re.I
)


def folded(text: str, first: str = "", more: str | None = None) -> list[str]:
    """`text` within the width, `first` before its lines, or `more` before all but the first.

    A word that is wider is folded too: nothing is cut.
    """
    more = first if more is None else more
    lines: list[str] = []
    for line in text.split("\n"):
        lines += textwrap.wrap(" ".join(line.split()), WIDTH, initial_indent=more if lines else first,
                               subsequent_indent=more, break_on_hyphens=False)  # fmt: skip
    return lines


def guarded(lines: Sequence[str]) -> Iterator[str]:
    """The lines, with a bar before those that a mail tool would take for a trailer."""
    for line in lines:
        blank = len(line) - len(line.lstrip())
        if not TRAILER.match(line):
            yield line
        elif blank >= len(BAR):
            yield line[: blank - len(BAR)] + BAR + line[blank:]
        else:
            yield from folded(line, BAR)


# Traces.


def trace_lines(table: Table, most: int, indent: str = "  ") -> list[str]:
    """A trace in `most` lines, where that can be: columns that never change are said once, others folded.

    Of a trace that is longer the first and the last steps are shown, and which are left out is said; of
    a schedule those about where another thread goes on.
    """
    if table.first != Table().first:
        return list(schedule_lines(table, most, indent))
    rows = [(str(number), call_of(row), row.told) for number, row in enumerate(table.rows)]
    changing = [n for n in range(len(table.columns)) if changes(table, n)]
    head = ("", "call", table.columns)
    said = unchanging(table, changing, indent)
    for kept in range(min(len(rows), most), 0, -1):
        lines = [*blocks([head, *with_gap(rows, kept)], changing, indent), *said]
        if len(lines) <= most or kept <= 2:
            return lines
    return said


def schedule_lines(table: Table, most: int, indent: str) -> Iterator[str]:
    """A schedule in one column for all threads: the higher a thread, the further in are its steps."""
    for name in table.columns:
        yield from folded(name, indent, indent + "    ")
    who = [next((n for n, cell in enumerate(row.cells) if cell), -1) for row in table.rows]
    turns = [n for n in range(1, len(who)) if who[n] != who[n - 1]]
    near = 0
    while near < 3 and len(shown := about(turns, len(who), near + 1)) <= most:
        near += 1
    shown = about(turns, len(who), max(near, 1))
    for n, row in enumerate(table.rows):
        if n in shown:
            said = f"{row.call}  {row.cells[who[n]]}" if who[n] >= 0 else row.call
            place = f"{n:<3}" + "    " * max(who[n], 0)
            yield from folded(said, indent + place, indent + " " * (len(place) + 4))
        elif n - 1 in shown:
            last = next((k for k in range(n, len(who)) if k in shown), len(who)) - 1
            yield f"{indent}   ... step{f's {n} to {last}' if last > n else f' {n}'} left out ..."


def about(turns: Sequence[int], count: int, near: int) -> set[int]:
    """The steps before the threads begin, so many on both sides of each turn, and the last ones."""
    shown = {n for turn in turns for n in range(turn - near, turn + near) if 0 <= n < count}
    return shown | set(range(min(turns, default=0))) | set(range(max(count - near - 1, 0), count))


def call_of(row: Row) -> str:
    """A step's call, and how it ended where it did not come back."""
    return f"{row.call} -> {row.stopped}" if row.stopped and not row.cells else row.call


def changes(table: Table, n: int) -> bool:
    """Whether a column has more than one value, or one that was another."""
    whole = [row for row in table.rows if row.cells]
    return len({row.cells[n] for row in whole}) > 1 or any(
        row.was and row.was[n] is not None for row in whole
    )


def unchanging(table: Table, changing: Sequence[int], indent: str) -> list[str]:
    """What the other columns show, in words."""
    cells = next((row.cells for row in table.rows if row.cells), ())
    shown = enumerate(zip(table.columns, cells, strict=False))
    still = [f"{name} {cell or '(empty)'}" for n, (name, cell) in shown if n not in changing]
    return folded(f"(in every step: {', '.join(still)})", indent, indent + " ") if still else []


Line = tuple[str, str, Sequence[str]]  # a step's number, its call, its cells


def with_gap(rows: Sequence[Line], kept: int) -> list[Line]:
    """The first and the last steps, `kept` of them; between them, which are left out."""
    if kept == len(rows):
        return list(rows)
    first = (kept + 1) // 3
    gone = rows[first : len(rows) - kept + first]
    which = f"step {gone[0][0]}" if len(gone) == 1 else f"steps {gone[0][0]} to {gone[-1][0]}"
    return [*rows[:first], ("", f"... {which} left out ...", ()), *rows[first + len(gone) :]]


def blocks(lines: Sequence[Line], columns: Sequence[int], indent: str) -> Iterator[str]:
    """A table, its columns in as many groups as the width needs, each with the steps' numbers.

    Where a call or a column is wider than that, each step is a paragraph.
    """
    numbers = [number for number, _, _ in lines]
    shown = [[call for _, call, _ in lines]]
    shown += [[cells[n] if cells else "" for _, _, cells in lines] for n in columns]
    room = WIDTH - len(indent) - widest(numbers)
    groups: list[list[list[str]]] = []
    left = 0
    for column in shown:
        wide = len(GAP) + widest(column)
        if wide > room:
            yield from paragraphs(lines, columns, indent)
            return
        if wide > left:
            groups.append([])
            left = room
        groups[-1].append(column)
        left -= wide
    for group in groups:
        widths = [widest(column) for column in (numbers, *group)]
        for row in zip(numbers, *group, strict=True):
            yield (indent + GAP.join(map(str.ljust, row, widths))).rstrip()


def paragraphs(lines: Sequence[Line], columns: Sequence[int], indent: str) -> Iterator[str]:
    """Each step as a paragraph, its values by name."""
    names = lines[0][2]
    for number, call, cells in lines[1:]:
        values = ", ".join(f"{names[n]} {cells[n] or '(empty)'}" for n in columns if cells)
        yield from folded(f"{number} {call}" + (f" -> {values}" if values else ""), indent, indent + "    ")


def widest(column: Sequence[str]) -> int:
    """How wide a column is."""
    return max(map(len, column), default=0)
