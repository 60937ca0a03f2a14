# SPDX-License-Identifier: GPL-2.0-only
"""Records and the kernel-doc that describes them, as far as a patch and the shims show both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from extractor.items import Item, SourceLine
from extractor.regions import Region
from extractor.scan import mask
from harness.static.shim_records import shim_records
from kernel_snippets import INCLUDE

WORD = re.compile(r"[A-Za-z_]\w*")
TITLE = re.compile(r"^[\s/*]*((?:struct|union)\s+\w+)\s*(?:-|:|$)")
MENTIONED = re.compile(r"^[ \t/*]*@([\w.]*\w)", re.M)
DESCRIBED = re.compile(r"^[\s/*]*@([\w.]*\w)(?:\[\w*\])?\s*:")
COMMENT_LINE = re.compile(r"\s*(/\*|\*(?!\w))")


@dataclass(frozen=True)
class Record:
    """A record: every word of its fields, those that the patch adds, and where its text is from.

    `whole` where the patch shows all of it, `shim` where the shims have it, `cut` where they leave
    fields out.
    """

    name: str
    words: frozenset[str]
    added: frozenset[str]
    files: frozenset[str]
    whole: bool = False
    shim: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Block:
    """A kernel-doc comment, or the part of one that a hunk shows: `title` where its first line is shown.

    `described` are the names that its lines begin with, each with the line, `mentioned` also those
    without a colon; `after` is the first code line behind it.
    """

    file: str
    title: str
    described: tuple[tuple[str, SourceLine], ...]
    mentioned: frozenset[str]
    after: str
    lines: tuple[SourceLine, ...]

    def names(self, origin: str) -> list[str]:
        """The names that added, or context lines describe."""
        return [name for name, line in self.described if line.origin == origin]


@cache
def known_to_shims() -> dict[str, tuple[str, frozenset[str], bool]]:
    """Each record in the shims: its header, its words, and whether fields are left out."""
    found = {}
    for path in sorted(INCLUDE.rglob("*.h")):
        for name, text, cut in shim_records(path.read_text()):
            words = frozenset(WORD.findall(mask(text)))
            found[name] = (f"include/{path.relative_to(INCLUDE)}", words, cut)
    return found


def records(items: Sequence[Item]) -> dict[str, Record]:
    """The records of patch and shims together, by name."""
    found: dict[str, Record] = {}
    own = [i for i in items if i.kind == "record"]
    for name in dict.fromkeys([*known_to_shims(), *(i.name for i in own)]):
        file, words, cut = known_to_shims().get(name, ("", frozenset(), False))
        parts = [i for i in own if i.name == name]
        said = {word for i in parts for word in WORD.findall(mask(i.text))}
        whole = any(i.completeness == "complete" for i in parts)
        added = frozenset(i.name for i in items if i.kind == "field" and i.parent == name)
        files = frozenset({file, *(i.file for i in parts)} - {""})
        found[name] = Record(name, words | said | added, added, files, whole, bool(file), cut)
    return found


def blocks(part: Region) -> Iterator[Block]:
    """The comments of a region that may be kernel-doc, in order."""
    held: list[SourceLine] = []
    lines = part.lines
    for at, line in enumerate(lines):
        if not COMMENT_LINE.match(line.text) or (held and line.text.lstrip().startswith("/*")):
            held = []
        if COMMENT_LINE.match(line.text):
            held.append(line)
        last = at + 1 == len(lines) or not COMMENT_LINE.match(lines[at + 1].text)
        if held and (last or "*/" in line.text):
            yield block(part, held, at)
            held = []


def block(part: Region, held: Sequence[SourceLine], last: int) -> Block:
    """The block that these comment lines are, of which the last is line `last` of the region."""
    described = [(name, line) for line in held if (m := DESCRIBED.match(line.text))
                 for name in m[1].split(".") if name]  # fmt: skip
    said = MENTIONED.findall("\n".join(line.text for line in held))
    mentioned = frozenset(name for names in said for name in names.split("."))
    titles = [m[1] for line in held[:3] if (m := TITLE.match(line.text))]
    begins = held[0].text.lstrip().startswith("/*")
    after = next((ln.text.strip() for ln in part.lines[last + 1 :] if ln.text.strip()), "")
    title = " ".join(titles[0].split()) if titles and begins else "?" if begins else ""
    if begins and not held[0].text.lstrip().startswith("/**"):
        described = []  # a comment for people
    return Block(
        part.file, title, tuple(described), mentioned, after if "*/" in held[-1].text else "", tuple(held)
    )


def subject(block: Block, known: dict[str, Record]) -> Record | None:
    """The record that a block describes; None where that is in doubt, or where it is no record."""
    if block.title and block.title != "?":
        return known.get(block.title)
    if block.after:
        match = re.match(r"(?:typedef\s+)?((?:struct|union) \w+)\b[^;(]*$", block.after)
        return known.get(match[1]) if match else None
    return guess(block, known) if not block.title else None


def guess(block: Block, known: dict[str, Record]) -> Record | None:
    """The record that has what the shown lines describe: two names at least that only it may have."""
    shown = {name for name in block.names("context") if name.startswith("_")}
    found = [r for r in known.values() if block.file in r.files and len(shown & r.words) > 1]
    return found[0] if len(found) == 1 else None
