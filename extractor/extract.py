# SPDX-License-Identifier: GPL-2.0-only
"""From a patch to its items."""

from __future__ import annotations

import re
from collections.abc import Sequence

from extractor.composed import composed
from extractor.items import Item, SourceLine
from extractor.kconfig import kconfig_items
from extractor.patch import FileDiff, Patch
from extractor.regions import Region, regions
from extractor.scan import Conditions, scan_region


def series_items(patches: Sequence[Patch]) -> list[Item]:
    """Every item that patches on top of each other leave; ExtractError where they do not fit."""
    return [item for patch in composed(patches) for item in extract_items(patch)]


def extract_items(patch: Patch) -> list[Item]:
    """Every item of `patch`, in the order of its files and lines; nothing is left out."""
    return [item for file in patch.files for item in file_items(file)]


def file_items(file: FileDiff) -> list[Item]:
    """The items of one file's hunks."""
    name = file.path.rpartition("/")[2]
    if file.status == "deleted":
        nothing = (SourceLine("", 1, "added"),)  # it has no post-image line, and an item needs one
        return [Item("text", name, file.path, nothing, "added", (), "fragment", "deleted file")]
    parts = [part for part in regions(file) if part.lines]
    if name.startswith("Kconfig"):
        return [item for part in parts for item in kconfig_items(part)]
    if not re.search(r"\.[ch]$", name):
        return [_text(name, part) for part in parts]
    conditions = Conditions()
    items: list[Item] = []
    for part in parts:
        items += scan_region(part, conditions)
        conditions = conditions.at_border()
    return items


def _text(name: str, part: Region) -> Item:
    said = part.heading.strip() or name
    return Item("text", name, part.file, part.lines, "added", (), "fragment", said, part.hunk)
