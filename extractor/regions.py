# SPDX-License-Identifier: GPL-2.0-only
"""Post-image regions: what each hunk of a patch shows of the file after it."""

from __future__ import annotations

from dataclasses import dataclass

from extractor.items import SourceLine
from extractor.patch import FileDiff


@dataclass(frozen=True)
class Region:
    """Consecutive post-image lines of one file; `removed` holds the numbers of lines after removals."""

    file: str
    lines: tuple[SourceLine, ...]
    heading: str = ""
    hunk: int = -1
    removed: frozenset[int] = frozenset()


def regions(file: FileDiff) -> list[Region]:
    """The post-image of each hunk of `file`, in order."""
    return [_region(file, number) for number in range(len(file.hunks))]


def _region(file: FileDiff, number: int) -> Region:
    hunk = file.hunks[number]
    lines: list[SourceLine] = []
    removed: set[int] = set()
    after = hunk.new_start
    for line in hunk.lines:
        if line.number is None:
            removed.add(after)
            continue
        after = line.number + 1
        lines.append(SourceLine(line.text, line.number, "added" if line.kind == "+" else "context"))
    return Region(file.path, tuple(lines), hunk.heading, number, frozenset(removed))
