# SPDX-License-Identifier: GPL-2.0-only
"""What two revisions are compared by: their items, the fields and constants of these each for itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from extractor.cast import strip_comments
from extractor.items import Item, SourceLine
from extractor.kconfig import kconfig_items
from extractor.regions import Region
from extractor.scan import Conditions, Scanner, mask, scan_file, scan_region
from extractor.unit import constants
from harness.diff.words import Form, Symbol, function_form, macro_form, plain_form

if TYPE_CHECKING:
    from harness.tree.items import PatchedTree

COMPARED = ("function", "macro", "record", "typedef", "variable", "declaration", "field", "kconfig")
WORD = re.compile(r"[A-Za-z_]\w*")


class Compared(list[Item]):
    """Items that are compared, and the kernel tree of which they are, if it is one."""

    tree: PatchedTree | None = None


def comparable(items: Sequence[Item], names: Sequence[str] = (), files: Sequence[str] = ()) -> Compared:
    """The items of a revision that can be compared.

    Of patches by themselves, all that their mails show. Of a kernel tree, with patches on it or not, those
    of `files` and those that have one of `names`; without either, those of the files that patches touch.
    What a macro generates counts as functions.
    """
    tree: PatchedTree | None = getattr(items, "tree", None)
    if tree is None:
        return Compared(items)
    wanted = dict.fromkeys(files or tree.patched)
    found = Compared(item for file in wanted for item in file_items(tree, file))
    found.tree = tree
    known = {item.name for item in found}
    missing = frozenset(names) - known
    if tree.units or (files and not names):
        from harness.tree.items import behind

        # Whatever configuration it was read for: all that is asked is who has the name.
        unit = next(iter(tree.units.values()))[0] if tree.units else tree.unit({}, behind(items))[0]
        found += [item for item in unit.items if item.expansion and item.file in wanted]
        for name in sorted(missing):
            found += [item for item in unit.defined.get(name, ()) if item.file not in wanted]
    elif missing:
        for file in headers_with(tree, missing):
            if file not in wanted:
                found += [item for item in file_items(tree, file) if item.name in missing]
    return found


def headers_with(tree: PatchedTree, names: Set[str]) -> Iterator[str]:
    """The headers of a tree that have any of `names` in their text."""
    for file in tree.roots.headers(("include/linux", "mm")):
        if not names.isdisjoint(WORD.findall(tree.text(file))):
            yield file


def file_items(tree: PatchedTree, file: str) -> list[Item]:
    """The items of a tree's file in every configuration, with what patches change in it."""
    if file in tree.patched and re.search(r"\.[ch]$", file):
        return scan_region(Region(file, tree.patched[file]), Conditions())
    text = tree.text(file)
    if text and file.rpartition("/")[2].startswith("Kconfig"):
        lines = (SourceLine(said, number, "tree") for number, said in enumerate(text.split("\n"), 1))
        return kconfig_items(Region(file, tuple(lines)))
    return scan_file(file, text, "tree") if text and re.search(r"\.[ch]$", file) else []


def touched(items: Sequence[Item]) -> list[str]:
    """The C and Kconfig files in which patches bring something."""
    return list(dict.fromkeys(i.file for i in items if i.origin == "added" and i.kind in COMPARED))


@dataclass(frozen=True, eq=False)
class Thing:
    """One thing that is compared: an item, or a field or constant of one.

    `kind` is that of the item, "constant", or "fragment" for what a patch adds inside of something of
    which it shows only a part. `ours` where the revision itself brings it; else it is only known to be
    there. `partial` where not all of it is shown.
    """

    kind: str
    name: str
    item: Item
    text: str
    condition: tuple[str, ...]
    own: tuple[str, ...]
    parent: str = ""
    ours: bool = True
    partial: bool = False
    fields: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def symbol(self) -> Symbol:
        """The name as other items have it."""
        if self.kind == "field":
            return Symbol("field", self.name)
        if self.item.kind == "kconfig":
            return Symbol("name", f"CONFIG_{self.name}")
        if self.item.kind == "record" and self.kind != "constant":
            return Symbol("tag", self.name.rpartition(" ")[2])
        return Symbol("name", self.name)

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is known by in both revisions."""
        return self.symbol.space, self.parent if self.kind == "field" else "", self.symbol.text

    @cached_property
    def form(self) -> Form:
        """Its tokens."""
        if self.kind == "function" or (self.kind == "declaration" and "(" in self.text):
            return function_form(self.text)
        if self.kind == "macro":
            return macro_form(self.text)
        if self.kind == "field":
            return plain_form(self.text, frozenset([self.name]))
        return plain_form(self.text, self.fields)

    @cached_property
    def under(self) -> Form:
        """The tokens of its presence condition."""
        return plain_form(" && ".join(self.condition))

    @property
    def where(self) -> str:
        """`file:line`."""
        return self.item.where


def things(items: Sequence[Item], all_ours: bool) -> list[Thing]:
    """What of `items` is compared, in their order; `all_ours` where a tree is compared as a whole."""
    found: list[Thing] = []
    defined = {item.name for item in items if item.kind == "function" and item.completeness == "complete"}
    for item in items:
        if item.kind not in COMPARED or (item.kind == "declaration" and item.name in defined):
            continue
        if item.kind == "declaration" and ("(" in item.name or item.name.isupper()):  # a macro's call
            continue
        found += things_of(item, all_ours or item.origin == "added")
    return found


def things_of(item: Item, ours: bool) -> Iterator[Thing]:
    """An item and what is in it."""
    text = item.expansion or item.text
    if item.completeness != "complete":
        if item.kind != "record" or item.completeness == "partial":
            added = "\n".join(line.text for line in item.lines if line.origin == "added")
            kind = "fragment" if item.completeness == "fragment" else item.kind
            yield Thing(kind, item.name, item, added, item.condition, item.own,
                        ours=ours and kind == "fragment", partial=kind != "fragment")  # fmt: skip
        return
    if item.kind == "field":
        yield Thing("field", item.name, item, item.signature, item.condition, item.own, item.parent, ours)
        return
    inner: list[Thing] = []
    if item.kind in ("record", "typedef") and "{" in mask(text):
        inner = [*members(item, ours), *enumerated(item, text, ours)]
    names = frozenset(thing.name for thing in inner if thing.kind == "field")
    if " " in item.name or item.kind != "record":  # an enum without a tag is its constants
        yield Thing(item.kind, item.name, item, text, item.condition, item.own, ours=ours, fields=names)
    yield from inner


def members(item: Item, ours: bool) -> Iterator[Thing]:
    """The fields of a whole record, those of nameless members too; each is the patch's where its line is."""
    if re.match(r"\s*(typedef\s+)?enum\b", strip_comments(item.text)):
        return
    origins = {line.number: line.origin for line in item.lines}
    lines = tuple(SourceLine(line.text, line.number, "added") for line in item.lines)
    masked = mask("\n".join(line.text for line in lines)).split("\n")
    last = max((i for i, line in enumerate(masked) if "}" in line), default=-1)
    if last < 0:
        return
    end = replace(lines[last], text=lines[last].text[: masked[last].rindex("}")])
    scanner = Scanner(Region(item.file, (*lines[:last], end)), Conditions())
    for each in scanner.fields(last + 1, item.name):
        added = any(origins[line.number] == "added" for line in each.lines)
        origin = "added" if added else item.lines[0].origin
        whole = replace(each, origin=origin, condition=(*item.condition, *each.condition), hunk=item.hunk,
                        own=item.own)  # fmt: skip
        yield Thing("field", each.name, whole, each.signature, whole.condition, whole.own, item.name,
                    ours and (added or item.origin != "added"))  # fmt: skip


def enumerated(item: Item, text: str, ours: bool) -> Iterator[Thing]:
    """The constants of an enum, each with what it stands for."""
    names = list(dict.fromkeys(constants(item)))
    if not names:
        return
    said = re.sub(r"^[ \t]*#[^\n]*", "", strip_comments(text), flags=re.M)
    wanted = set(names)
    pairs = re.findall(r"[{,]\s*([A-Za-z_]\w*)\s*(?:=\s*([^,{}]*))?(?=[,}])", said)
    given = {name: " ".join(value.split()) for name, value in pairs if name in wanted}
    before, more = "", 0
    for name in names:
        if given.get(name):
            before, more = given[name], 0
        value = f"({before}) + {more}" if before and more else before or str(more)
        more += 1
        yield Thing("constant", name, item, value, item.condition, item.own, item.name, ours)


def by_key(found: Sequence[Thing]) -> dict[tuple[str, str, str], list[Thing]]:
    """Things by what they are known by, in order."""
    table: dict[tuple[str, str, str], list[Thing]] = {}
    for thing in found:
        table.setdefault(thing.key, []).append(thing)
    return table


def macro_body(text: str) -> str | None:
    """What an object-like macro stands for; None for a macro with arguments."""
    match = re.match(r"\s*#\s*define\s+\w+(\(?)", text)
    if not match or match[1]:
        return None
    return " ".join(strip_comments(text[match.end() :]).replace("\\\n", " ").split())


def living(found: Sequence[Thing], config: Mapping[str, bool]) -> Iterator[Thing]:
    """Those that exist under a configuration; of which that is not known, too."""
    from extractor.conditions import holds

    yield from (thing for thing in found if holds(thing.condition, config) is not False)
