# SPDX-License-Identifier: GPL-2.0-only
"""A patch's message with the sentences that claims were taken from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """A stretch of the message; a sentence has an `id`, and a link to its claim."""

    text: str
    id: str = ""
    href: str = ""


def pieces(message: str, sentences: Mapping[str, str], id: str) -> list[Piece]:
    """`message` cut at `sentences`, each with the link to its claim; of two that overlap the first counts."""
    found = []
    for sentence, href in sentences.items():
        words = r"\s+".join(map(re.escape, sentence.split()))
        if words and (match := re.search(words, message)):
            found.append((match.start(), -match.end(), href))
    at = 0
    cut: list[Piece] = []
    for start, end, href in sorted(found):
        if start >= at:
            cut += [Piece(message[at:start]), Piece(message[start:-end], f"{id}{len(cut) // 2 + 1}", href)]
            at = -end
    return [piece for piece in (*cut, Piece(message[at:])) if piece.text]


def said_at(messages: Sequence[Sequence[Piece]]) -> dict[str, str]:
    """Where the page quotes each claim, by the link to the claim."""
    return {piece.href: f"#{piece.id}" for message in messages for piece in message if piece.id}
