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
from harness.tree.generated import balanced, generated_items, with_constants, with_passing
from harness.tree.preprocess import Live, Preprocessor, bare_metal

# Headers of mm are not complete by themselves: each kernel file that has one has these as well.
RECORD_HEAD = re.compile(r"\s*#\s*define\s+\w+\([^)]*\)\s+struct\b[^{]*$")
AROUND = ("linux/mm.h", "linux/pagemap.h", "linux/swap.h", "linux/rmap.h", "linux/mm_inline.h")


def read_unit(
    roots: Sequence[Path],
    headers: Sequence[str],
    config: Mapping[str, str],
    folder: Path,
    patched: Mapping[str, Sequence[SourceLine]] | None = None,
) -> Unit:
    """What a file that includes `headers` sees of a tree; `patched` gives the lines of changed files."""
    there = [name for name in AROUND if any((root / "include" / name).is_file() for root in roots)]
    config = bare_metal(config)
    live = Preprocessor(roots, config, folder).live([*there, *(h for h in headers if h not in there)])
    return replace(unit_of(live, [*roots, folder], folder, patched or {}), options=dict(config))


def unit_of(
    live: Live, roots: Sequence[Path], folder: Path, patched: Mapping[str, Sequence[SourceLine]]
) -> Unit:
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
        call = re.match(r"\s*(\w+)\s*\(\s*(\w+)[^{;]*\{", strip_comments(item.text))
        if call and call[1] in heads and item.kind in ("function", "declaration"):
            yield replace(item, kind="record", name=f"struct {call[2]}")
        elif item.kind in ("function", "declaration", "variable") and not balanced(item.text):
            yield replace(item, completeness="partial")
        elif item.kind == "record" and " " not in item.name:  # the enums without a tag are different ones
            yield replace(item, name=f"{item.name} of {next(constants(item), item.where)}")
        else:
            yield item


def source_lines(roots: Sequence[Path], file: str) -> tuple[SourceLine, ...]:
    """The lines of a tree's file."""
    path = next((root / file for root in roots if (root / file).is_file()), None)
    text = path.read_text(errors="replace") if path else ""
    return tuple(SourceLine(said, number, "tree") for number, said in enumerate(text.split("\n"), 1))
