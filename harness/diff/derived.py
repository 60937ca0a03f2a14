# SPDX-License-Identifier: GPL-2.0-only
"""Functions of two revisions that no contract covers, under contracts that are derived of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from extractor.items import Item
from harness.derive.both import Renames, derive_both
from harness.derive.loading import load_text
from harness.derive.words import touched
from harness.diff.compare import Matched, Setting, side_of
from harness.diff.interface import Interface
from harness.diff.words import code_words
from harness.lists import few

MOST = 400  # functions of one comparison
MOST_READERS = 16


def in_both(old: Sequence[Item], new: Sequence[Item], interface: Interface) -> list[str]:
    """The functions that both revisions define whole and that may do otherwise, in OLD's order and names.

    Those whose text is another one, but for comments and for names that are renamed, and those that use
    what is, as far as the items go.
    """
    renames = interface.renames
    left, right = texts(old, renames), texts(new, {})
    apart = {name for name, text in left.items() if right.get(renames.get(name, name)) != text}
    for change in interface.changes:
        record, _, name = change.name.rpartition(".")  # of a field, whose record has another size then
        apart |= {name, record} if change.how != "renamed" else set()
    apart |= {name.rpartition(" ")[2] for name in apart}  # of a record, the tag
    settled = {*interface.settled}
    users: dict[str, list[str]] = {}
    for name, text in left.items():
        for word in {*text}:
            users.setdefault(word, []).append(name)
    todo = list(apart)
    while todo:
        name = todo.pop()
        more = [user for user in users.get(renames.get(name, name), ()) if user not in apart]
        apart |= {*more}
        todo += more
    whole = [{item.name for item in side if whole_function(item)} for side in (old, new)]
    return [name for name in left if name in apart and name not in settled and name in whole[0]
            and renames.get(name, name) in whole[1]]  # fmt: skip


CODE = ("function", "macro", "record", "typedef", "variable", "declaration")


def texts(items: Sequence[Item], renames: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The tokens of each name's definitions, whatever the configuration."""
    found: dict[str, tuple[str, ...]] = {}
    for item in items:
        if item.kind in CODE:
            found[item.name] = (*found.get(item.name, ()), *words_of(item, renames))
    return found


def words_of(item: Item, renames: Mapping[str, str]) -> tuple[str, ...]:
    """The tokens of an item, in NEW's names."""
    return tuple(renames.get(word, word) for word in code_words(item.expansion or item.text))


def readers(
    old: Sequence[Item], new: Sequence[Item], functions: Sequence[str], renames: Mapping[str, str]
) -> list[str]:
    """Functions of both that are none of these, and read what these have to do with, in OLD's names.

    What is written where nobody looks, far into an array, shows in what they return.
    """
    mine, there = {*functions}, {item.name for item in new if whole_function(item)}
    fields = {name for item in old if item.name in mine for name in touched(item)}
    return [
        item.name
        for item in old
        if whole_function(item) and item.name not in mine and renames.get(item.name, item.name) in there
        and f"void {item.name}(" not in item.signature and touched(item) & fields
    ][:MOST_READERS]  # fmt: skip


def whole_function(item: Item) -> bool:
    """Whether it is a function that is there whole."""
    return item.kind == "function" and item.completeness == "complete"


def in_others(
    sides: tuple[Sequence[Item], Sequence[Item]],
    compiled: tuple[Sequence[Item], Sequence[Item]],
    functions: Sequence[str],
    renames: Mapping[str, str],
) -> Iterator[str]:
    """What is said of functions that are there, or are others, in another configuration."""
    users: dict[str, dict[str, None]] = {}
    for number, (side, used) in enumerate(zip(sides, compiled, strict=True)):
        names = {renames.get(name, name) if number else name for name in functions}
        places = {(item.name, item.file, item.line) for item in used if item.name in names}
        there = {name for name, _, _ in places}
        for item in side:
            place = item.name, item.file, item.line
            if item.kind == "function" and item.name in there and place not in places and item.condition:
                users.setdefault(" && ".join(item.condition), {})[item.name] = None
    for condition, found in users.items():
        yield f"what is there only if {condition}: {few([*found])}"


def derived_pairs(
    old: Sequence[Item],
    new: Sequence[Item],
    sides: tuple[Sequence[Item], Sequence[Item]],
    interface: Interface,
    functions: Sequence[str],
    setting: Setting,
    folder: Path,
) -> tuple[list[Matched], list[str]]:
    """Contracts of `functions`, by OLD's names, for both revisions, and why there is none of some.

    `sides` are those of their items that can be compared.
    """
    if not functions:
        return [], []
    lost = [f"{len(functions) - MOST} more functions: at most {MOST} are compared at once"]
    lost = lost if len(functions) > MOST else []
    functions = functions[:MOST]
    further = readers(*sides, functions, interface.renames)
    both = derive_both(old, new, functions, renames_of(interface), setting.config, further)
    lost += in_others(sides, both.compiled, functions, interface.renames)
    pairs: list[Matched] = []
    for number, (ours, theirs) in enumerate(both.pairs, start=1):
        name = f"derived {number}"
        first = load_text(ours.text, old, setting.bounds, setting.config, folder / f"{name}-old.py")
        second = load_text(theirs.text, new, setting.bounds, setting.config, folder / f"{name}-new.py")
        if not first or not second:
            lost.append(f"{', '.join(ours.functions)}: what was derived does not fit")
            continue
        pairs.append(Matched(name, side_of(first, old), side_of(second, new), {}))
    return pairs, [*lost, *both.left_out]


def renames_of(interface: Interface) -> Renames:
    """What is renamed, fields only within their records."""
    fields: dict[tuple[str, str], str] = {}
    for change in interface.changes:
        if change.kind == "field" and change.how == "renamed":
            record, _, name = change.name.rpartition(".")
            fields[record, name] = change.new_name.rpartition(".")[2]
    return Renames(interface.renames, fields)
