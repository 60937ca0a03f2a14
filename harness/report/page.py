# SPDX-License-Identifier: GPL-2.0-only
"""Lines for a terminal: their width, their colours, tables, and lists that are cut short."""

from __future__ import annotations

import textwrap

from harness.report.document import Table

WIDTH = 100


def paint(text: str, code: str, color: bool) -> str:
    """`text` in an ANSI colour, where wanted."""
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


def wrapped(text: str, indent: str, width: int = WIDTH) -> list[str]:
    """`text` within the width; continued lines are indented further."""
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent + "  ",
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def plural(number: int, what: str) -> str:
    """`3 findings`, `1 finding`."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def table_lines(table: Table, indent: str = "    ") -> list[str]:
    """A trace, one line a step; cells that were another say so."""
    if not table.columns:
        return [
            f"{indent}{row.call}  {f'-> {row.stopped}' if row.stopped else ''}".rstrip() for row in table.rows
        ]
    rows = [["", table.first, *table.columns]]
    for number, row in enumerate(table.rows):
        rows.append([str(number), row.call, *(row.told or [f"-> {row.stopped}"])])
    widths = [max(len(r[i]) for r in rows if i < len(r)) for i in range(len(rows[0]))]
    return [indent + "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=False)).rstrip() for r in rows]
