# SPDX-License-Identifier: GPL-2.0-only
"""From a patch to its items."""

from __future__ import annotations

import re
from collections.abc import Iterator

from extractor.items import Item, SourceLine
from extractor.patch import FileDiff, Hunk, Patch
from extractor.scan import Conditions, Region, Scanner


def extract_items(patch: Patch) -> list[Item]:
    """Every item of `patch`, in the order of its files and lines; nothing is left out."""
    return [item for file in patch.files for item in file_items(file)]


def file_items(file: FileDiff) -> list[Item]:
    """The items of one file's hunks."""
    regions = [region(file, number, hunk) for number, hunk in enumerate(file.hunks)]
    if file.status == "deleted" or not re.search(r"(\.[ch]|/Kconfig[^/]*)$", "/" + file.path):
        return [_text(file, r) for r in regions if r.lines]
    if "Kconfig" in file.path.rpartition("/")[2]:
        return [item for r in regions for item in kconfig_items(r)]
    conditions = Conditions()
    items: list[Item] = []
    for each in regions:
        items += Scanner(each, conditions).scan()
        conditions = conditions.at_border()
    return items


def region(file: FileDiff, number: int, hunk: Hunk) -> Region:
    """The post-image of one hunk."""
    lines: list[SourceLine] = []
    removed: set[int] = set()
    gone = False
    for line in hunk.lines:
        if line.number is None:
            gone = True
            continue
        if gone:
            removed.add(line.number)
        gone = False
        lines.append(SourceLine(line.text, line.number, "added" if line.kind == "+" else "context"))
    return Region(file.path, tuple(lines), hunk.heading, number, frozenset(removed))


def _text(file: FileDiff, part: Region) -> Item:
    name = file.path.rpartition("/")[2]
    said = "deleted file" if file.status == "deleted" else part.heading.strip() or name
    return Item("text", name, file.path, part.lines, "added", (), "fragment", said, part.hunk)


def kconfig_items(part: Region) -> Iterator[Item]:
    """The options of a Kconfig hunk: complete where the patch adds them, fragments where it extends."""
    entries: list[list[SourceLine]] = []
    for line in part.lines:
        if re.match(r"(config|menuconfig|choice|endchoice|menu|if|endif|source|comment)\b", line.text):
            entries.append([])
        if entries:
            entries[-1].append(line)
        elif line.origin == "added":
            entries.append([line])
    for entry in entries:
        name = re.match(r"(?:menu)?config\s+(\w+)", entry[0].text)
        if not any(line.origin == "added" for line in entry):
            continue
        said = [" ".join(line.text.split()) for line in entry[1:]]
        kept = [t for t in said if re.match(r"(bool|tristate|def_|depends|select|imply|default)", t)]
        whole = entry[0].origin == "added"
        yield Item("kconfig", name[1] if name else part.heading.strip() or "?", part.file,
                   tuple(entry), "added", (), "complete" if whole else "fragment", " ".join(kept),
                   part.hunk)  # fmt: skip
