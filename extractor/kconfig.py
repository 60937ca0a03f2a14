# SPDX-License-Identifier: GPL-2.0-only
"""Cuts a region of a Kconfig file into its options."""

from __future__ import annotations

import re
from collections.abc import Sequence

from extractor.items import Item, SourceLine
from extractor.regions import Region

ENTRY = re.compile(
    r"(?:(?:menu)?config\s+(\w+)|(?:choice|endchoice|menu|endmenu|if|endif|source|comment|mainmenu)\b.*)"
)
OPTION = ("config ", "menuconfig ")
ATTRIBUTE = re.compile(
    r"(bool|tristate|int|hex|string|def_bool|def_tristate|prompt|depends|select|imply|default|range|visible)\b"
)


def kconfig_items(part: Region) -> list[Item]:
    """The entries of a Kconfig region: added ones complete, extended ones fragments, others context.

    What stands before the first entry belongs to the one that the hunk's heading names; it is left
    out where the patch changes nothing in it. So are blank lines at an entry's end.
    """
    entries: list[list[SourceLine]] = [[]]
    for line in part.lines:
        if ENTRY.match(line.text):
            entries.append([])
        entries[-1].append(line)
    found = [_item(part, entry, shown=at > 0) for at, entry in enumerate(entries) if entry]
    return [item for item in found if item.origin == "added" or item.lines[0].text.startswith(OPTION)]


def _item(part: Region, entry: list[SourceLine], shown: bool) -> Item:
    while len(entry) > 1 and not entry[-1].text.strip():
        entry.pop()
    first = entry[0].text if shown else part.heading
    match = ENTRY.match(first)
    name = (match[1] if match else "") or first.strip() or "?"
    added = any(line.origin == "added" for line in entry)
    numbers = {line.number for line in entry[1 if shown else 0 :]}
    changed = added or bool(numbers & part.removed)
    whole = shown and entry[0].origin == "added"
    return Item("kconfig", name, part.file, tuple(entry), "added" if changed else "context", (),
                "complete" if whole else "fragment" if changed else "partial",
                _signature(entry[1:] if shown else entry), part.hunk)  # fmt: skip


def _signature(lines: Sequence[SourceLine]) -> str:
    """Type, prompt and dependencies; the help text, which may begin with any word, is left out."""
    kept: list[str] = []
    for line in lines:
        said = " ".join(line.text.split())
        if said.strip("-") == "help":
            break
        if ATTRIBUTE.match(said):
            kept.append(said)
    return " ".join(kept)
