# SPDX-License-Identifier: GPL-2.0-only
"""Patches on top of each other, without the files that they are for: one change of each file.

A later patch of a series changes what an earlier one brought. Of a file that several patches change,
what is known is put together: the lines that any of the hunks shows, at their places after all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from extractor.errors import ExtractError
from extractor.patch import FileDiff, Hunk, HunkLine, Patch, Status

WITH_TREE = "give the kernel tree as well, with --tree"


@dataclass
class _Line:
    """One known line: who brought it, and the base's lines that are gone right before it."""

    text: str
    added: bool
    source_line: int
    gone: list[HunkLine] = field(default_factory=list)


@dataclass
class _Stretch:
    """Consecutive known lines, from the 1-based line `start`; the base's lines that are gone behind them."""

    start: int
    lines: list[_Line]
    heading: str
    source_line: int
    gone: list[HunkLine] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The line after its last."""
        return self.start + len(self.lines)


def composed(patches: Sequence[Patch]) -> list[Patch]:
    """The same change, each file in the first patch that changes it; ExtractError where two do not fit."""
    touched: dict[str, list[tuple[Patch, FileDiff]]] = {}
    for patch in patches:
        for file in patch.files:
            touched.setdefault(file.path, []).append((patch, file))
    for number, patch in enumerate(patches):
        for file in patch.files:
            if file.status == "renamed" and _changed_elsewhere(file.old_path, patches, number):
                what = f"{file.old_path}, which another of the patches changes, is renamed here"
                raise ExtractError(what, file=patch.source, line=file.source_line, hint=WITH_TREE)
    several = {path: found for path, found in touched.items() if len(found) > 1}
    if not several:
        return list(patches)
    made = {path: _one(path, found) for path, found in several.items()}
    result: list[Patch] = []
    done: set[str] = set()
    for patch in patches:
        files: list[FileDiff] = []
        for file in patch.files:
            if file.path not in made:
                files.append(file)
            elif file.path not in done:
                done.add(file.path)
                files.append(made[file.path])
        result.append(replace(patch, files=tuple(files)))
    return result


def _changed_elsewhere(path: str, patches: Sequence[Patch], number: int) -> bool:
    """Whether an earlier patch than that changes the file, or a later one does under the same name."""
    if any(file.path == path for patch in patches[:number] for file in patch.files):
        return True
    later = [file.status for patch in patches[number + 1 :] for file in patch.files if file.path == path]
    return bool(later) and later[0] in ("modified", "deleted")  # what is added is another file


def _one(path: str, found: Sequence[tuple[Patch, FileDiff]]) -> FileDiff:
    """All that is known of one file after the patches."""
    first, last = found[0][1], found[-1][1]
    if last.status == "deleted":
        return last
    image: list[_Stretch] = []
    for patch, file in found:
        if file.status in ("added", "deleted"):
            image = []
        for hunk in reversed(file.hunks):  # what is before a hunk stays at its lines
            _apply(image, patch, file, hunk)
    status: Status = "added" if first.status == "added" else "modified"
    hunks: list[Hunk] = []
    for stretch in image:
        longer = sum(hunk.new_count - hunk.old_count for hunk in hunks)
        hunk = _hunk(stretch, longer)
        if hunk.lines:  # else what one patch added another took away, and nothing is known around it
            hunks.append(hunk)
    return FileDiff(path, first.old_path, status, tuple(hunks), first.source_line)


def _apply(image: list[_Stretch], patch: Patch, file: FileDiff, hunk: Hunk) -> None:
    """Changes `image`, in which no stretch overlaps or touches another, by one hunk."""
    old = [line for line in hunk.lines if line.kind != "+"]
    start = _place(image, old, hunk.old_start + (not hunk.old_count))
    if start is None:
        what = f"a hunk of {file.path} does not fit what the patches before it leave"
        hint = f"give the patches in their order; or {WITH_TREE}"
        raise ExtractError(what, file=patch.source, line=hunk.source_line, hint=hint)
    end = start + len(old)
    met = [stretch for stretch in image if stretch.start <= end and start <= stretch.end]
    before = [line for s in met for n, line in enumerate(s.lines, s.start) if n < start]
    after = [line for s in met for n, line in enumerate(s.lines, s.start) if n >= end]
    known = {n: line for s in met for n, line in enumerate(s.lines, s.start) if start <= n < end}
    left = {s.end: s.gone for s in met if s.gone}  # gone before the line at which a stretch ends
    made: list[_Line] = []
    gone: list[HunkLine] = []
    at = start
    for line in hunk.lines:
        if line.kind == "+":
            made.append(_Line(line.text, True, line.source_line, gone))
            gone = []
            continue
        had = known.get(at) or _Line(line.text, False, line.source_line)
        gone = [*gone, *left.pop(at, []), *had.gone]
        at += 1
        if line.kind == " ":
            made.append(replace(had, gone=gone))
            gone = []
        elif not had.added:
            gone.append(HunkLine("-", line.text, None, line.source_line))
    if after:
        after[0] = replace(after[0], gone=[*gone, *left.pop(end, []), *after[0].gone])
        gone = []
    gone += [line for end in sorted(left) for line in left[end]]
    top = min([start, *(s.start for s in met)])
    head: _Stretch | Hunk = next((s for s in met if s.start == top), hunk)
    whole = _Stretch(top, [*before, *made, *after], head.heading, head.source_line, gone)
    shift = hunk.new_count - hunk.old_count
    rest = [replace(s, start=s.start + shift) if s.start >= end else s for s in image if s not in met]
    image[:] = sorted([*rest, whole], key=lambda s: s.start)


def _place(image: Sequence[_Stretch], old: Sequence[HunkLine], said: int) -> int | None:
    """Where the old lines of a hunk are: at the line that it says, or where alone all are known."""
    texts = [line.text for line in old]
    known = {n: line.text for s in image for n, line in enumerate(s.lines, s.start)}
    if all(known.get(n, text) == text for n, text in enumerate(texts, said)):
        return said
    places = [
        s.start + at
        for s in image
        for at in range(len(s.lines) - len(texts) + 1)
        if all(line.text == text for line, text in zip(s.lines[at:], texts, strict=False))
    ]
    return places[0] if len(places) == 1 else None


def _hunk(stretch: _Stretch, longer: int) -> Hunk:
    """A stretch as a hunk, with `longer` lines more before it; what is put back as it was is context."""
    lines: list[_Line | HunkLine] = []
    for known in stretch.lines:
        lines += [*known.gone, known]
    said = list(_said([*lines, *stretch.gone], stretch.start))
    new = sum(line.kind != "-" for line in said)
    old = sum(line.kind != "+" for line in said)
    start = stretch.start
    return Hunk(
        start - longer - (not old),
        old,
        start - (not new),
        new,
        stretch.heading,
        tuple(said),
        stretch.source_line,
    )


def _said(lines: Sequence[_Line | HunkLine], start: int) -> Iterator[HunkLine]:
    """The lines of a hunk: of those that are gone and those in their place, first what both have alike."""
    number = itertools.count(start)
    gone: list[HunkLine] = []
    added: list[_Line] = []
    for line in (*lines, None):
        if isinstance(line, _Line) and line.added:
            added.append(line)
            continue
        if isinstance(line, HunkLine) and not added:
            gone.append(line)
            continue
        pairs = zip(gone, added, strict=False)
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0].text == pair[1].text, pairs))
        yield from (HunkLine(" ", back.text, next(number), back.source_line) for back in added[:same])
        yield from gone[same:]
        yield from (HunkLine("+", new.text, next(number), new.source_line) for new in added[same:])
        gone, added = [], []
        if isinstance(line, HunkLine):
            gone = [line]
        elif line:
            yield HunkLine(" ", line.text, next(number), line.source_line)
