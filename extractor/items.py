# SPDX-License-Identifier: GPL-2.0-only
"""The items of a revision: what each is, where it came from, and under which condition it exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "function",
    "macro",
    "record",  # struct, union, enum
    "field",  # one field that a patch adds to a record
    "typedef",
    "variable",
    "declaration",  # a prototype
    "include",
    "undef",
    "kconfig",
    "text",  # documentation and anything else that is not C
]
Origin = Literal["added", "context", "tree"]
Completeness = Literal["complete", "partial", "fragment"]


@dataclass(frozen=True)
class SourceLine:
    """One line of a post-image: its text, its 1-based number there, and who brought it."""

    text: str
    number: int
    origin: Origin


@dataclass(frozen=True)
class Item:
    """One top-level C thing (or Kconfig symbol, or stretch of text) of a revision.

    `lines` are consecutive post-image lines, unchanged. `origin` is "added" where the patch added
    at least one of them. `condition` is the `#if` stack, outermost first, each a preprocessor
    expression such as `defined(CONFIG_X)`; of a Kconfig entry, the conditions of the `if` and `menu`
    blocks that are shown around it, in Kconfig's language. `own` are those of them that the patch
    brings: its `#if` is an added line. `completeness` is "partial" where a hunk
    border cuts the item, "fragment" where the patch adds statements or fields inside a thing of which
    it shows only a part. `parent` is the record of a field, such as `struct folio`. `hunk` is the
    0-based index within its file, -1 for a tree. `expansion` is the text of a function that a macro
    generates: `lines` are then the macro's call, which may generate several.
    """

    kind: Kind
    name: str
    file: str
    lines: tuple[SourceLine, ...]
    origin: Origin
    condition: tuple[str, ...]
    completeness: Completeness
    signature: str
    hunk: int = -1
    parent: str = ""
    expansion: str = ""
    own: tuple[str, ...] = ()

    @property
    def line(self) -> int:
        """The post-image line on which the item starts (for a fragment, its first added line)."""
        if self.completeness == "fragment":
            return next((ln.number for ln in self.lines if ln.origin == "added"), self.lines[0].number)
        return self.lines[0].number

    @property
    def text(self) -> str:
        """The item's post-image text, without a final newline."""
        return "\n".join(ln.text for ln in self.lines)

    @property
    def where(self) -> str:
        """`file:line`, as messages show it."""
        return f"{self.file}:{self.line}"
