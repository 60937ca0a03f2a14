# SPDX-License-Identifier: GPL-2.0-only
"""Merges the fields that a patch adds to a record into a base header, where its context says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from extractor.errors import ExtractError
from extractor.items import Item, SourceLine


def merge_records(base: str, base_name: str, fragments: Sequence[Item]) -> str:
    """The header text `base` with the added lines of record `fragments` in place.

    Each run of added lines goes after the context line that stands before it, under `#line`, so that
    the compiler speaks of the patch's lines there and of `base_name` elsewhere. ExtractError where
    the base has no such record or no such line.
    """
    lines = base.split("\n")
    inserts: dict[int, list[str]] = {}
    for fragment in fragments:
        first, last = record_range(lines, fragment, base_name)
        for run, before, after in added_runs(fragment.lines):
            at = anchor(lines, first, last, before, after, fragment)
            inserts.setdefault(at, []).extend(
                [f'#line {run[0].number} "{fragment.file}"', *(ln.text for ln in run)]
            )
    merged: list[str] = []
    for number, line in enumerate(lines):
        merged.append(line)
        if number in inserts:
            merged += [*inserts[number], f'#line {number + 2} "{base_name}"']
    return "\n".join([f'#line 1 "{base_name}"', *merged])


def record_range(lines: Sequence[str], fragment: Item, base_name: str) -> tuple[int, int]:
    """First and last index of the record that `fragment` extends."""
    head = re.compile(rf"{re.escape(fragment.name)}\s*\{{")
    for first, line in enumerate(lines):
        if head.match(line):
            last = next(i for i in range(first, len(lines)) if lines[i].startswith("}"))
            return first, last
    raise ExtractError(
        f"the patch extends {fragment.name}, which {base_name} does not have",
        file=fragment.file,
        line=fragment.line,
        hint="the record needs a shim, or a kernel tree",
    )


def added_runs(
    lines: Sequence[SourceLine],
) -> list[tuple[list[SourceLine], str, str]]:
    """Runs of added lines, each with the code line before it and the one after it."""
    runs: list[tuple[list[SourceLine], str, str]] = []
    at = 0
    while at < len(lines):
        if lines[at].origin != "added":
            at += 1
            continue
        end = at
        while end < len(lines) and lines[end].origin == "added":
            end += 1
        before = next((ln.text for ln in reversed(lines[:at]) if ln.text.strip()), "")
        after = next((ln.text for ln in lines[end:] if ln.text.strip()), "")
        runs.append((list(lines[at:end]), before, after))
        at = end
    return runs


def anchor(lines: Sequence[str], first: int, last: int, before: str, after: str, fragment: Item) -> int:
    """The index in `lines` after which an added run goes."""

    def same(index: int, text: str) -> bool:
        return "".join(lines[index].split()) == "".join(text.split()) != ""

    places = [i for i in range(first, last) if same(i, before)]
    if len(places) > 1:
        places = [i for i in places if same(i + 1, after)] or places[:1]
    if not places:
        places = [i - 1 for i in range(first + 1, last + 1) if same(i, after)][:1]
    if not places:
        raise ExtractError(
            f"no place in {fragment.name} for what the patch adds: its context "
            f"'{before.strip()}' is not in the base record",
            file=fragment.file,
            line=fragment.line,
            hint="give the kernel tree that the patch was made for",
        )
    return places[0]
