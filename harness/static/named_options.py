# SPDX-License-Identifier: GPL-2.0-only
"""Options that a patch names in code and prose, against those that are known to exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from extractor.items import Item, SourceLine
from extractor.kconfig_options import options
from extractor.patch import Patch
from extractor.regions import Region, regions
from extractor.scan import masked_lines
from harness.judge import Check
from harness.static.nearby import slip
from kernel_snippets import INCLUDE

NAMED = re.compile(r"\bCONFIG_(\w+)")


@dataclass(frozen=True)
class Name:
    """A name and where it stands."""

    text: str
    file: str
    line: int

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Known:
    """Options by their names without CONFIG_: all that are known to exist, and those that the patch adds."""

    names: frozenset[str]
    added: frozenset[str]


def post_images(patches: Sequence[Patch]) -> Iterator[Region]:
    """What the hunks show of each file afterwards; of a file that is deleted, nothing."""
    for patch in patches:
        for file in patch.files:
            if file.status != "deleted":
                yield from (part for part in regions(file) if part.lines)


def known_options(patches: Sequence[Patch], items: Sequence[Item], config: Mapping[str, bool]) -> Known:
    """Options in the patch's Kconfig, in what it removes or only shows, in the shims, and in `config`."""
    names: set[str] = set()
    for file in (file for patch in patches for file in patch.files):
        pattern = re.compile(r"\w+") if "Kconfig" in file.path else NAMED
        shown = (line.text for hunk in file.hunks for line in hunk.lines if line.kind != "+")
        names.update(name for text in shown for name in pattern.findall(text))
    own = options(items)
    added = frozenset(option.name for option in own if option.added) - names
    names |= {option.name for option in own} | {name.removeprefix("CONFIG_") for name in config}
    return Known(frozenset(names) | shim_options(), added)


@cache
def shim_options() -> frozenset[str]:
    """The options that the shims name."""
    return frozenset(name for path in INCLUDE.rglob("*.h") for name in NAMED.findall(path.read_text()))


def names_in(text: SourceLine, file: str, said: str | None = None) -> list[Name]:
    """The options that a line names (or only `said`, a part of it)."""
    return [Name(name, file, text.number) for name in NAMED.findall(text.text if said is None else said)]


def tested_options(patches: Sequence[Patch]) -> list[Name]:
    """The options that the added lines of C files name, outside of comments."""
    found: list[Name] = []
    for part in post_images(patches):
        if part.file.endswith((".c", ".h")):
            for line, code in zip(part.lines, masked_lines(part.lines), strict=True):
                found += names_in(line, part.file, code) if line.origin == "added" else []
    return found


def judge_names(check: Check, named: Sequence[Name], known: Known) -> Check:
    """Fail where a name is no known option, and a slip away from one that the patch adds.

    Other names are not judged: they may be options of the base.
    """
    strange = [name for name in named if name.text.removesuffix("_MODULE") not in known.names]
    wrong = {name: meant for name in strange if (meant := slip(name.text, known.added, strict=True))}
    check = replace(check, verdict="pass", judged=len(named))
    if not wrong:
        return check
    first = next(iter(wrong))
    said = "; ".join(f"{name.where}: there is no CONFIG_{name.text}; the patch adds CONFIG_{meant}"
                     for name, meant in wrong.items())  # fmt: skip
    return replace(check, verdict="fail", file=first.file, line=first.line, failed=len(wrong), detail=said)
