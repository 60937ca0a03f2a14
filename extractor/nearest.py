# SPDX-License-Identifier: GPL-2.0-only
"""The place of a file that is nearest to a hunk that does not fit, and how that is shown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest

from extractor.errors import printable
from extractor.match import WORD
from extractor.patch import Hunk

# Bounds of the search, for hunks and files that repeat one line thousands of times.
MOST_LINES = 2000
MOST_VOTES = 200_000
MOST_PLACES = 32
# Bounds of what is shown.
SHOWN_LINES = 40
SHOWN_WIDTH = 160


@dataclass(frozen=True)
class Near:
    """A place where `matching` of a hunk's `of` old lines stand.

    `at` is the 0-based line of the hunk's first old line, and may be negative; `first` is the index of
    the first old line that differs.
    """

    at: int
    matching: int
    of: int
    first: int


def nearest(old: Sequence[str], texts: Sequence[str], guess: int) -> Near | None:
    """Where most of the lines `old` stand in `texts`, those with words first; None where none does."""
    old = old[:MOST_LINES]
    wanted = set(old)
    where: dict[str, list[int]] = defaultdict(list)
    for number, text in enumerate(texts):
        if text in wanted:
            where[text].append(number)
    votes: Counter[int] = Counter()
    left = MOST_VOTES
    for at in sorted(range(len(old)), key=lambda at: len(where[old[at]])):
        votes.update(number - at for number in where[old[at]][:left])
        left -= min(left, len(where[old[at]]))
    found = nsmallest(MOST_PLACES, votes, key=lambda at: (-votes[at], abs(at - guess)))
    if not found:
        return None
    best = min(found, key=lambda at: (*_worth(old, texts, at), abs(at - guess)))
    same = _same(old, texts, best)
    return Near(best, sum(same), len(old), same.index(False) if False in same else len(old))


def _same(old: Sequence[str], texts: Sequence[str], at: int) -> list[bool]:
    return [0 <= at + i < len(texts) and texts[at + i] == text for i, text in enumerate(old)]


def _worth(old: Sequence[str], texts: Sequence[str], at: int) -> tuple[int, int]:
    same = _same(old, texts, at)
    return -sum(s and bool(WORD.search(text)) for s, text in zip(same, old, strict=True)), -sum(same)


def quoted(one: str, other: str) -> tuple[str, str]:
    """Two lines that differ, in quotes; with their blanks as escapes where only those differ."""
    if "".join(one.split()) == "".join(other.split()):
        return repr(one[:SHOWN_WIDTH]), repr(other[:SHOWN_WIDTH])
    return f"'{printable(one.strip(), SHOWN_WIDTH)}'", f"'{printable(other.strip(), SHOWN_WIDTH)}'"


def hunk_lines(hunk: Hunk) -> list[str]:
    """The hunk as its mail has it, indented, its end left out where it is long."""
    head = f"@@ -{hunk.old_start},{hunk.old_count} +{hunk.new_start},{hunk.new_count} @@ {hunk.heading}"
    body = [line.kind + line.text for line in hunk.lines[:SHOWN_LINES]]
    return _indented([head.rstrip(), *body], len(hunk.lines) - len(body))


def place_lines(near: Near, old: Sequence[str], texts: Sequence[str], numbers: Sequence[int]) -> list[str]:
    """The tree's lines at a near place, `!` at those that differ, with what the hunk expects there.

    `numbers` are the tree's own line numbers; 0 is a line that a patch added.
    """
    shown: list[str] = []
    for at, text in enumerate(old[:SHOWN_LINES]):
        line = near.at + at
        inside = 0 <= line < len(texts)
        number = str(numbers[line] or "+") if inside else ""
        if inside and texts[line] == text:
            shown.append(f"  {number:>6} {text}")
        else:
            shown.append(f"! {number:>6} {texts[line] if inside else '(no line)'}")
            shown.append(f"  expected {text}"[: SHOWN_WIDTH + 11])
    return _indented(shown, len(old) - SHOWN_LINES)


def _indented(lines: Sequence[str], more: int) -> list[str]:
    said = [f"… {more} more lines"] if more > 0 else []
    return [f"    {printable(line, SHOWN_WIDTH)}" for line in (*lines, *said)]
