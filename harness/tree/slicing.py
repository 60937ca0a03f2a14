# SPDX-License-Identifier: GPL-2.0-only
"""A tree's slice, also by the names that its macros paste together: gcc says what they come to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from extractor.closure import Closure
from extractor.slice import Slice
from harness.build import DIALECT, run_compiler
from harness.errors import HarnessError
from harness.render_unit import HEADER, unit_overlays
from harness.tree.preprocess import placed_lines, write
from kernel_snippets import INCLUDE

WORD = re.compile(r"[A-Za-z_]\w*")
ROUNDS = 8  # of names that need names that are pasted


def closed(closure: Closure, text: str, entries: Iterable[str], folder: Path) -> Slice:
    """What C `text` and the names `entries` need, pasted names included."""
    piece = closure.slice(text, entries)
    seen: set[str] = set()
    for _ in range(ROUNDS):
        found = pasted_names(piece, closure.known, folder)
        fresh = set().union(*found.values()) - seen
        if not fresh:
            break
        seen |= fresh
        piece = closure.add(found)
    return piece


def pasted_names(piece: Slice, known: Callable[[str], bool], folder: Path) -> dict[str, set[str]]:
    """Of each item the words that gcc's preprocessor makes of it and that no item's text has."""
    written = {word for item in piece.items for word in WORD.findall(item.text)}
    where = {(item.file, line.number): item.name for item in piece.items for line in item.lines}
    found: dict[str, set[str]] = {}
    for place, text in expanded(piece, folder):
        words = set(WORD.findall(text)) - written if place in where else set()
        words = {word for word in words if known(word) or word not in shim_words()}
        if words:
            found.setdefault(where[place], set()).update(words)
    return found


@cache
def shim_words() -> frozenset[str]:
    """What the shims' own text says."""
    texts = (path.read_text() for path in INCLUDE.rglob("*.h"))
    return frozenset(word for text in texts for word in WORD.findall(text))


def expanded(piece: Slice, folder: Path) -> Iterator[tuple[tuple[str, int], str]]:
    """The lines of a slice as the compiler sees them, each with file and number of what it was made of."""
    for name, text in unit_overlays(piece, ()).items():
        write(folder / "include" / name, text)
    source, out = folder / "slice.c", folder / "slice.i"
    source.write_text(f"#include <{HEADER}>\n")
    includes: list[str | Path] = ["-I", folder / "include", "-I", INCLUDE]
    # To standard output, which gcc leaves there after an error: whose that is a compiler says later.
    status, said = run_compiler([*DIALECT, "-w", "-E", *includes, source, "-o", "-"], folder, out)
    text = out.read_text(errors="replace")
    if status and not text.strip():
        raise HarnessError(f"the slice of the tree cannot be read: {said.strip()[:300]}")
    return placed_lines(text)
