# SPDX-License-Identifier: GPL-2.0-only
"""Mutants of what a patch adds: one small defect each, made from the AST, placed in the patch's text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from extractor.cast import C_KEYWORDS, KNOWN_TYPES
from extractor.edits import Edit, Place, Surroundings, edits
from extractor.items import Item
from extractor.scan import SKIPPED, mask
from extractor.spans import readings

INTEGERS = frozenset(["char", "short", "int", "long", "signed", "unsigned", "_Bool"])
STRUCTS = re.compile(r"(?:atomic|spinlock|rwlock|pgprot|p[tmug4]d|pgd|pg_data|swp_entry|nodemask|va_list)\w*")
NEWLINE = re.compile(r"\\?\n")


@dataclass(frozen=True)
class Mutant:
    """One edit of one item.

    `line` is the edit's post-image line, `column` its 0-based column there. `operator` is a key of
    operators.OPERATORS. `before`, at offset `start` of Item.text, becomes `after`.
    """

    item: str
    file: str
    line: int
    column: int
    operator: str
    before: str
    after: str
    start: int

    def of(self, item: Item) -> bool:
        """Whether `item` is the one that is edited: a name may stand in several branches of an #if."""
        there = item.name == self.item and item.file == self.file
        return (
            there
            and any(line.number == self.line for line in item.lines)
            and item.text.startswith(self.before, self.start)
        )

    @property
    def key(self) -> tuple[str | int, ...]:
        """What tells it from others, wherever its item begins."""
        return self.file, self.line, self.column, self.operator, self.before, self.after

    def apply(self, text: str) -> str:
        """The mutated Item.text: as many lines as `text` has, so that all else keeps its number."""
        breaks = NEWLINE.findall(self.before)[self.after.count("\n") :]
        end = self.start + len(self.before)
        return text[: self.start] + self.after + "".join(breaks) + text[end:]

    def diff(self, item: Item) -> list[str]:
        """The changed lines, as `-old` and `+new`."""
        old, new = item.text.split("\n"), self.apply(item.text).split("\n")
        changed = [i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
        return [f"-{old[i]}" for i in changed] + [f"+{new[i]}" for i in changed]


def mutants(items: Sequence[Item]) -> list[Mutant]:
    """Every mutant of the functions and macros in `items`, on lines that the patch added.

    In the order of file, line, column and operator; no two make the same text. What cannot be
    parsed or located has none. Never raises, whatever the text.
    """
    whole = [item for item in items if item.completeness == "complete"]
    around = surroundings(whole)
    made = [mutant for item in whole for mutant in item_mutants(item, around)]
    return sorted(made, key=lambda m: (m.file, m.line, m.column, m.operator, m.before, m.after))


def item_mutants(item: Item, around: Surroundings) -> list[Mutant]:
    """The mutants of one item among all the others."""
    if item.kind not in ("function", "macro") or item.origin != "added":
        return []
    text = item.text
    try:
        found = [edit for reading in readings(item) for edit in edits(Place(item, text, reading, around))]
    except RecursionError:  # nested too deeply to say where what stands
        return []
    return list(different(item, found))


def different(item: Item, found: Iterable[Edit]) -> Iterator[Mutant]:
    """The mutants that `found` make where they may; of several that are the same text, the first."""
    text = item.text
    seen = {hash(text)}
    for edit in found:
        if not is_allowed(item, text, edit):
            continue
        line = text.count("\n", 0, edit.start)
        column = edit.start - (text.rfind("\n", 0, edit.start) + 1)
        before = text[edit.start : edit.end]
        mutant = Mutant(item.name, item.file, item.lines[line].number, column, edit.operator, before,
                        edit.after, edit.start)  # fmt: skip
        made = hash(mutant.apply(text))
        if made not in seen:
            seen.add(made)
            yield mutant


def is_allowed(item: Item, text: str, edit: Edit) -> bool:
    """Only added lines; never what is in a comment, and no directive among what goes."""
    if not 0 <= edit.start < edit.end <= len(text):
        return False
    before = text[edit.start : edit.end]
    first = text.count("\n", 0, edit.start)
    lines = item.lines[first : first + before.count("\n") + 1]
    kept = before in edit.after or not any(said[0] == "/" for said in SKIPPED.findall(before))
    directive = re.search(r"\n[ \t]*#", mask(before))
    return kept and not directive and all(line.origin == "added" for line in lines)


# What the other items say.


def surroundings(items: Sequence[Item]) -> Surroundings:
    """What all of `items` say that matters for the edits of one."""
    order = {item.name: i for i, item in enumerate(items) if item.kind in ("function", "macro")}
    return Surroundings(scalars(items), void_functions(items), siblings(order, items), order)


def scalars(items: Sequence[Item]) -> frozenset[str]:
    """The names of types that an integer can initialise."""
    found = set(INTEGERS) | {name for name in KNOWN_TYPES if not STRUCTS.fullmatch(name)}
    for item in items:
        if item.kind == "typedef" and "(" not in item.signature:
            words = re.findall(r"\w+", item.signature)
            if words[1:-1] and all(word in found for word in words[1:-1]):
                found.add(item.name)
    return frozenset(found)


def void_functions(items: Sequence[Item]) -> frozenset[str]:
    """The functions that return nothing."""
    return frozenset(
        item.name
        for item in items
        if item.kind == "function" and re.search(rf"\bvoid\s+{re.escape(item.name)}\s*\(", item.signature)
    )


def siblings(names: Iterable[str], items: Sequence[Item]) -> Mapping[str, list[str]]:
    """For each name, and each field as ".name", those that differ from it in digits only."""
    fields = {
        f".{name}"
        for item in items
        if item.kind == "function"
        for name in re.findall(r"(?:->|\.)\s*([A-Za-z_]\w*)", mask(item.text))
    }
    alike: dict[str, set[str]] = defaultdict(set)
    for name in fields | (set(names) - C_KEYWORDS):
        alike[re.sub(r"\d+", "0", name)].add(name)
    groups = [sorted(group) for group in alike.values() if len(group) > 1]
    return {name: [other for other in group if other != name] for group in groups for name in group}
