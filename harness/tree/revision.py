# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree as a revision: its items for one configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from extractor.cast import strip_comments
from extractor.items import Item, SourceLine
from extractor.unit import Unit, constants, live_items, with_saved
from harness.tree.configuration import bare_metal
from harness.tree.files import Roots
from harness.tree.generated import balanced, generated_items, with_constants, with_passing
from harness.tree.includes import Include, Includes
from harness.tree.preprocess import Live, Preprocessor

# A macro that is the head of a record, such as context_lock_struct(name).
RECORD_HEAD = re.compile(r"\s*#\s*define\s+\w+\([^)]*\)\s+struct\b[^{]*$")
CALLED = re.compile(r"\s*(\w+)\s*\(\s*(\w+)\b[^{;]*\{")


def read_unit(
    includes: Includes,
    config: Mapping[str, str],
    folder: Path,
    patched: Mapping[str, Sequence[SourceLine]] | None = None,
) -> tuple[Unit, tuple[Include, ...]]:
    """What a file sees of a tree that includes headers, and what of these is not there.

    `patched` gives the lines of changed files.
    """
    config = bare_metal(config)
    live = Preprocessor(includes, config, folder).live()
    roots = Roots([*includes.roots.folders, folder])
    return replace(unit_of(live, roots, folder, patched or {}), options=dict(config)), live.unfound


def unit_of(live: Live, roots: Roots, folder: Path, patched: Mapping[str, Sequence[SourceLine]]) -> Unit:
    """The items of the lines that a preprocessor left."""
    items = [
        item
        for file, numbers in live.lines.items()
        for item in live_items(file, included(patched.get(file) or source_lines(roots, file),
                                              live.inside.get(file, {})), numbers)
    ]  # fmt: skip
    items.sort(key=Unit((), order=live.lines).place)
    items = [*with_records(with_passing([*with_saved(items)], folder))]
    items = with_constants(items, folder)
    functions, assertions = generated_items(items, folder)
    place = Unit((), order=live.lines).place
    return Unit(tuple(sorted([*items, *functions], key=place)), tuple(assertions), live.lines)


def included(text: Sequence[SourceLine], inside: Mapping[int, Sequence[str]]) -> Sequence[SourceLine]:
    """The lines of a file, some #includes of it replaced by what they stand for."""
    if not inside:
        return text
    return [replace(line, text=said) for line in text for said in inside.get(line.number, (line.text,))]


def with_records(items: Sequence[Item]) -> Iterator[Item]:
    """`items`; those that a macro such as context_lock_struct(name) { … } makes records are so."""
    heads = {i.name for i in items if i.kind == "macro" and RECORD_HEAD.match(strip_comments(i.text))}
    for item in items:
        call = CALLED.match(strip_comments(item.text))
        if call and call[1] in heads and item.kind in ("function", "declaration"):
            yield replace(item, kind="record", name=f"struct {call[2]}")
        elif item.kind in ("function", "declaration", "variable") and not balanced(item.text):
            yield replace(item, completeness="partial")
        elif item.kind == "record" and " " not in item.name:  # the enums without a tag are different ones
            yield replace(item, name=f"{item.name} of {next(constants(item), item.where)}")
        else:
            yield item


def source_lines(roots: Roots, file: str) -> tuple[SourceLine, ...]:
    """The lines of a tree's file."""
    text = roots.text(file) or ""
    return tuple(SourceLine(said, number, "tree") for number, said in enumerate(text.split("\n"), 1))
