# SPDX-License-Identifier: GPL-2.0-only
"""Names that are a slip of the pen away from another."""

from __future__ import annotations

import re
from collections.abc import Iterable

SHORT = 6  # up to here two letters make another word
SHORT_WORD = 4  # of a name's words
LEAST = 4  # below, one does
LONGEST = 100  # letters of a name that anybody means


def slip(name: str, known: Iterable[str], *, strict: bool = False) -> str:
    """The one of `known` that `name` must have been meant for; "" where there is none.

    One letter of four or more, or two of a long name, may be too many, missing, other or swapped.
    Names that differ in their digits only are taken for others on purpose; so are, if `strict`, those
    of which a short word is another: HAS and HAVE, DMA and CMA.
    """
    near: list[tuple[int, str]] = []
    if len(name) > LONGEST:
        return ""
    for other in known:
        if min(len(name), len(other)) < LEAST:
            continue
        most = 1 if min(len(name), len(other)) <= SHORT else 2
        if strict and other_word(name, other):
            continue
        letters = distance(name, other, most)
        if 0 < letters <= most and re.sub(r"\d+", "", name) != re.sub(r"\d+", "", other):
            near.append((letters, other))
    return min(near)[1] if near else ""


def other_word(left: str, right: str) -> bool:
    """Whether two names differ in a word that is short, and not just a letter too long or too short."""
    pairs = list(zip(left.split("_"), right.split("_"), strict=False))
    if left.count("_") != right.count("_"):
        return False
    differing = [(a, b) for a, b in pairs if a != b]
    a, b = differing[0] if differing else ("", "")
    short = min(len(a), len(b)) <= SHORT_WORD
    return len(differing) != 1 or (short and (len(a) == len(b) or distance(a, b, 1) > 1))


def distance(left: str, right: str, most: int) -> int:
    """How many letters to insert, drop, replace or swap with the next; `most` + 1 for any more."""
    if abs(len(left) - len(right)) > most:
        return most + 1
    older: list[int] = []
    above: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, above, row = above, row, [i]
        for j, b in enumerate(right, 1):
            least = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                least = min(least, older[j - 2] + 1)
            row.append(least)
        if min(row) > most and min(above) > most:
            return most + 1
    return row[-1]
