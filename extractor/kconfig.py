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
    """The entries of a Kconfig region: complete where all of it is shown, else fragments or partial.

    What stands before the first entry belongs to the one that the hunk's heading names; it is left
    out where the patch changes nothing in it. So are blank lines at an entry's end. An added entry
    is whole where another follows it, or where its last line is added too.
    """
    entries: list[list[SourceLine]] = [[]]
    for line in part.lines:
        if ENTRY.match(line.text):
            entries.append([])
        entries[-1].append(line)
    found: list[Item] = []
    around: list[tuple[str, str]] = []  # the blocks that are open, each with its condition
    for at, entry in enumerate(entries):
        if entry:
            ends = at + 1 < len(entries)
            found.append(_item(part, entry, at > 0, ends, tuple(said for _, said in around if said)))
            _follow(entry, around)
    return [item for item in found if item.origin == "added" or item.lines[0].text.startswith(OPTION)]


def _follow(entry: Sequence[SourceLine], around: list[tuple[str, str]]) -> None:
    """Lets the stack of open blocks follow an entry that begins or ends one."""
    word, _, rest = " ".join(entry[0].text.split()).partition(" ")
    if word in ("menu", "choice", "if"):
        depends = re.findall(r"^\s*depends on\s+(.*)$", "\n".join(ln.text for ln in entry), re.M)
        said = rest if word == "if" else " && ".join(f"({text.strip()})" for text in depends)
        around.append((word, said.partition("#")[0].strip()))
    elif word.startswith("end") and around and around[-1][0] == word[3:]:
        around.pop()


def _item(part: Region, entry: list[SourceLine], shown: bool, ends: bool, condition: tuple[str, ...]) -> Item:
    while len(entry) > 1 and not entry[-1].text.strip():
        entry.pop()
    first = entry[0].text if shown else part.heading
    match = ENTRY.match(first)
    name = (match[1] if match else "") or first.strip() or "?"
    added = any(line.origin == "added" for line in entry)
    numbers = {line.number for line in entry[1 if shown else 0 :]}
    changed = added or bool(numbers & part.removed)
    whole = shown and (ends or entry[0].origin == entry[-1].origin == "added")
    return Item("kconfig", name, part.file, tuple(entry), "added" if changed else "context", condition,
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
