# SPDX-License-Identifier: GPL-2.0-only
"""Where a hunk's lines stand in a file: at the line it says, near by, or with context left out.

The rules are those of GNU patch: the line that the header says, then ever larger offsets, then the
same without the outermost context line on either side, then without two. Two things are stricter
here, since nobody looks at the result: what is left after lines were left out must have a word
in it (blank lines and braces fit anywhere), and a hunk without old lines stands where it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from extractor.patch import Hunk

MOST_FUZZ = 2
UNKNOWN = "\0"
WORD = re.compile(r"\w")


class Book:
    """Lines as single characters, so that a file is a string and Python's own search finds a hunk.

    That search takes linear time whatever a hostile hunk repeats. A line that no hunk has is UNKNOWN.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.numbers: dict[str, int] = {}
        for text in texts:
            self.numbers.setdefault(text, len(self.numbers) + 1)

    @property
    def full(self) -> bool:
        """True where there are more different lines than characters, and encode() would fail."""
        return len(self.numbers) > 0x10FFFF

    def encode(self, texts: Iterable[str]) -> str:
        """A character for each line."""
        return "".join([chr(self.numbers.get(text, 0)) for text in texts])


@dataclass(frozen=True)
class Place:
    """Where a hunk fits: the 0-based line of its first old line that counts, and what was left out.

    `skipped` and `cut` are the context lines left out at its begin and end.
    """

    at: int
    fuzz: int
    skipped: int
    cut: int


def locate(text: str, hunk: Hunk, book: Book, guess: int, low: int) -> Place | None:
    """The place of `hunk` in the encoded file `text` that is nearest to `guess`, not before `low`."""
    old = [line.text for line in hunk.lines if line.kind != "+"]
    if not old:
        return Place(guess, 0, 0, 0) if low <= guess <= len(text) else None
    before, after = _context(hunk)
    most = max(before, after)
    encoded = book.encode(old)
    for fuzz in range(min(MOST_FUZZ, most) + 1):
        skipped, cut = fuzz + before - most, fuzz + after - most
        # Less context at one side than at the other: the hunk was at the file's begin or end.
        top, bottom = skipped < 0 and hunk.old_start <= 1, cut < 0
        skipped, cut = max(skipped, 0), max(cut, 0)
        end = len(old) - cut
        if fuzz and not _says_something(old[skipped:end]):
            break
        needle = encoded[skipped:end]
        first = max(low, skipped)  # lines left out at the begin differ, but are there
        if top or bottom:
            at = 0 if top else len(text) - len(needle)
            fits = at >= first and text.startswith(needle, at)
            at = at if fits and (not bottom or at + len(needle) == len(text)) else -1
        else:
            at = _nearest(text, needle, guess + skipped, first)
        if at >= 0:
            return Place(at, fuzz, skipped, cut)
    return None


def _context(hunk: Hunk) -> tuple[int, int]:
    """How many context lines stand before the first change and after the last one."""
    changed = [at for at, line in enumerate(hunk.lines) if line.kind != " "]
    if not changed:
        return 0, 0
    return changed[0], len(hunk.lines) - 1 - changed[-1]


def _says_something(texts: Sequence[str]) -> bool:
    return any(WORD.search(text) for text in texts)


def _nearest(text: str, needle: str, guess: int, low: int) -> int:
    """Where `needle` begins nearest to `guess` and not before `low`; -1 where it is not there."""
    if guess >= low and text.startswith(needle, guess):
        return guess
    ahead = text.find(needle, max(guess + 1, low))
    part = text[low : max(low, guess - 1 + len(needle))]
    # Reversed, since str.rfind() has no bound on its time.
    back = part[::-1].find(needle[::-1])
    behind = low + len(part) - back - len(needle) if back >= 0 else -1
    if behind < 0 or (ahead >= 0 and ahead - guess <= guess - behind):
        return ahead
    return behind
