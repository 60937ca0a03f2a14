# SPDX-License-Identifier: GPL-2.0-only
"""What of a flat slice some C needs, in an order in which the shims come first and the patch last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from extractor.cast import C_KEYWORDS, strip_comments
from harness.export.flat import Part, said_tags

WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Pruned:
    """The parts that are needed: `base` without a word of the patch's, `patch` the rest, each in order.

    `tags` are records of which only pointers are used; `headers` those of the shims whose parts a kernel
    has itself, and `kernel` the names that are taken from them.
    """

    base: tuple[Part, ...]
    patch: tuple[Part, ...]
    tags: tuple[str, ...]
    headers: tuple[str, ...] = ()
    kernel: frozenset[str] = frozenset()


def words_of(text: str) -> set[str]:
    """Every name in C that may be a global one, and the records it mentions."""
    plain = strip_comments(text)
    words = WORD.findall(re.sub(r"(?:->|\.)\s*[A-Za-z_]\w*", "", plain))
    return (set(words) | said_tags(plain)) - C_KEYWORDS


def pruned(parts: Sequence[Part], wanted: Iterable[str], kernel: Set[str] = frozenset()) -> Pruned:
    """What `wanted` names need of `parts`; parts from the headers in `kernel` are the kernel's own there."""
    defined: dict[str, list[int]] = {}
    for number, part in enumerate(parts):
        for name in part.defines:
            defined.setdefault(name, []).append(number)
    macros = {name for part in parts if part.item.kind == "macro" for name in part.defines}
    chosen: set[int] = set()
    outside: dict[str, str] = {}
    said: set[str] = set()
    todo = [*wanted]
    while todo:
        name = todo.pop()
        if name in said:
            continue
        said.add(name)
        for number in defined.get(name, [])[-1:]:  # the last definition is the one that code sees
            part = parts[number]
            if part.header in kernel:
                outside[name] = part.header
            elif number not in chosen:
                chosen.add(number)
                todo += part.needs
                # What annotates a declaration, or stands for a tag: the parser does not see it.
                words = [word for word in WORD.findall(strip_comments(part.text)) if word not in part.defines]
                todo += [word for word in words if word in macros]
                todo += [f"struct {word}" for word in words if part.item.kind == "macro"]
    kept = [parts[number] for number in sorted(chosen)]
    behind = needing_patch(kept)
    there = {name for part in kept for name in part.defines}
    tags = {tag for part in kept for tag in part.needs if tag.startswith(("struct ", "union "))
            and tag.partition(" ")[2] not in macros}  # fmt: skip
    return Pruned(
        tuple(part for part in kept if id(part) not in behind),
        tuple(part for part in kept if id(part) in behind),
        tuple(sorted(tag for tag in tags if tag not in there and tag not in outside)),
        tuple(dict.fromkeys(sorted(outside.values()))),
        frozenset(outside),
    )


def needing_patch(parts: Sequence[Part]) -> set[int]:
    """The parts that are the patch's or need one that is, by id."""
    behind = {id(part) for part in parts if part.own}
    names = {name for part in parts if part.own for name in part.defines}
    grown = True
    while grown:
        more = [part for part in parts if id(part) not in behind and part.needs & names]
        behind |= {id(part) for part in more}
        names |= {name for part in more for name in part.defines}
        grown = bool(more)
    return behind
