# SPDX-License-Identifier: GPL-2.0-only
"""The patches as they were mailed, with what ran, what was found and which mutants live at each line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from extractor.patch import HUNK
from harness.coverage import FunctionCoverage, LineCoverage, Missed, PatchCoverage
from harness.report.coverage import taken
from harness.report.document import MutantRecord, PatchText, StrengthRecord

PATH = re.compile(r'(?:---|\+\+\+) "?(?:[ab]/)?([^\t"]*)')
MOVED = re.compile(r"(?:rename|copy) to (.*)")
Places = Mapping[tuple[str, int], Sequence[tuple[str, str]]]  # of a line: its ids, and its text
CLASSES = {"+": "a", "-": "d", " ": ""}


@dataclass(frozen=True)
class Note:
    """What is to be said below a line: where the page says more of it, in which words."""

    file: str
    line: int
    kind: str  # fail, known or lives
    word: str
    href: str
    text: str
    source: str = ""  # the line's text, where that is known


@dataclass(frozen=True)
class Line:
    """One line of a diff.

    `number` is that of the patch's own post-image, None where it has none; `last` that after all patches,
    None where a later one takes the line away: what is known of lines is known by that.
    """

    kind: str  # "a" added, "d" removed, "h" a hunk's heading, "" context
    text: str
    number: int | None = None
    last: int | None = None
    id: str = ""
    ran: LineCoverage | None = None
    mutants: str = ""
    notes: tuple[Note, ...] = ()

    @property
    def taken(self) -> str:
        """Its branches, as 3/4."""
        return taken(self.ran)

    @property
    def partly(self) -> bool:
        """Whether some of its branches were never taken."""
        return bool(self.ran and self.ran.count and any(not branch.count for branch in self.ran.branches))


@dataclass(frozen=True)
class File:
    """One file of a patch: the lines before its first hunk, and its hunks."""

    path: str
    id: str
    head: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def counted(self) -> bool:
        """Whether any of its lines has a mark."""
        return any(line.ran for line in self.lines)

    @property
    def mutated(self) -> bool:
        """Whether there are mutants of any of its lines."""
        return any(line.mutants for line in self.lines)


@dataclass(frozen=True)
class Listed:
    """One patch; of a tree by itself, its functions that were to run (no `patch` then)."""

    patch: PatchText | None
    files: tuple[File, ...]


@dataclass(frozen=True)
class Listing:
    """All patches, and where the lines are on the page: by their numbers after all, and after each patch."""

    patches: tuple[Listed, ...]
    places: Places = field(default_factory=dict)
    before: Places = field(default_factory=dict)

    def href(self, file: str, line: int, source: str = "") -> str:
        """The link to a line, best the one that reads `source`; "" where the page does not have it."""
        found = self.places.get((file, line), ())
        for known in (found, self.before.get((file, line), ())):
            if same := [id for id, text in known if text.strip() == source.strip()]:
                return f"#{same[0]}"
        return f"#{found[0][0]}" if found else ""

    @property
    def counted(self) -> bool:
        """Whether any line has a mark."""
        return any(file.counted for patch in self.patches for file in patch.files)


@dataclass(frozen=True)
class Marks:
    """What is known of lines, by file and number."""

    coverage: PatchCoverage | None = None
    strength: StrengthRecord | None = None
    notes: tuple[Note, ...] = ()


def listing(patches: Sequence[PatchText], marks: Marks) -> Listing:
    """The patches; without any, the functions that were measured."""
    listed = [Listed(patch, tuple(files_of(patch, f"p{number}"))) for number, patch in enumerate(patches, 1)]
    if not patches and marks.coverage:
        listed = [Listed(None, tuple(functions_of(marks.coverage)))]
    listed = [carried(one, listed[number:]) for number, one in enumerate(listed, 1)]
    bare = Listing(tuple(listed), places_of(listed, True), places_of(listed, False))
    return Listing(tuple(marked(one, bare, marks) for one in listed), bare.places, bare.before)


def places_of(listed: Sequence[Listed], last: bool) -> Places:
    """Where each line is, with its text: first in the patch that adds it."""
    found: dict[tuple[str, int], list[tuple[str, str]]] = {}
    every = [(listing.patch, file.path, line) for listing in listed for file in listing.files
             for line in file.lines if line.id]  # fmt: skip
    for patch, path, line in sorted(every, key=lambda each: each[2].kind != "a"):
        number = line.last if last else line.number
        if number is not None:
            found.setdefault((path, number), []).append((line.id, line.text[1:] if patch else line.text))
    return found


def carried(one: Listed, later: Sequence[Listed]) -> Listed:
    """A patch whose lines have the numbers that they have after the patches behind it."""
    files = []
    for file in one.files:
        changes = [other for each in later for other in each.files if other.path == file.path and other.lines]
        lines = list(file.lines)
        for change in changes:
            moves = Moves(change.lines)
            lines = [replace(line, last=moves.after(line.last)) for line in lines]
        files.append(replace(file, lines=tuple(lines)))
    return replace(one, files=tuple(files))


class Moves:
    """Where a patch moves the lines of one file."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.shown: dict[int, int | None] = {}  # the lines of its hunks
        self.shifts: list[tuple[int, int]] = []  # from which line on, by how much
        old = 0
        for line in lines:
            if line.kind == "h" and (hunk := HUNK.match(line.text)):
                counts = int(hunk[2] or 1), int(hunk[4] or 1)
                starts = int(hunk[1]) + (not counts[0]), int(hunk[3]) + (not counts[1])
                old = starts[0]
                self.shifts.append((old + counts[0], starts[1] + counts[1] - old - counts[0]))
            elif line.kind != "a" and not line.text.startswith("\\"):
                self.shown[old] = line.number
                old += 1

    def after(self, number: int | None) -> int | None:
        """The number that a line has then; None where it is gone."""
        if number is None or number in self.shown:
            return self.shown[number] if number is not None else None
        return number + next((by for start, by in reversed(self.shifts) if start <= number), 0)


def files_of(patch: PatchText, id: str) -> Iterator[File]:
    """A patch's files, as its diff has them."""
    lines, at, number = patch.diff, 0, 0
    while at < len(lines):
        begin = at
        while at < len(lines) and not HUNK.match(lines[at]):
            at += 1
        head = lines[begin:at]
        *others, own = split_heads(head)
        for other in others:  # moves and changes of modes have no hunk
            number += 1
            yield File(path_of(other), f"{id}f{number}", tuple(other), ())
        number += 1
        path, body = path_of(own), []
        while at < len(lines) and (hunk := HUNK.match(lines[at])):
            owed = [int(hunk[2] or 1), int(hunk[4] or 1)]
            line = int(hunk[3])
            body.append(Line("h", lines[at]))
            at += 1
            while at < len(lines) and (any(owed) or lines[at].startswith("\\")):
                kind = lines[at][:1]
                there = kind not in ("-", "\\")
                spot = f"{id}f{number}L{line}" if there else ""
                post = line if there else None
                body.append(Line(CLASSES.get(kind, ""), lines[at], post, post, spot))
                owed = [owed[0] - (kind in " -"), owed[1] - (kind in " +")]
                line += there
                at += 1
        yield File(path, f"{id}f{number}", tuple(own), tuple(body))


def split_heads(head: Sequence[str]) -> list[Sequence[str]]:
    """The lines between hunks, of each file by itself."""
    begins = [n for n, text in enumerate(head) if text.startswith("diff --git ")]
    if not begins or begins[0]:
        begins = [0, *begins]
    return [head[a:b] for a, b in zip(begins, [*begins[1:], len(head)], strict=True)]


def path_of(head: Sequence[str]) -> str:
    """The post-image's path, the old one's of a file that is deleted."""
    names = [found[1] for text in head if (found := PATH.match(text)) and found[1] != "/dev/null"]
    moved = [found[1] for text in head if (found := MOVED.match(text))]
    git = [text.rpartition(" b/")[2] for text in head if text.startswith("diff --git ")]
    return (*names, *moved, *git, "")[max(len(names) - 1, 0)]


def functions_of(coverage: PatchCoverage) -> Iterator[File]:
    """The functions of a tree, by file, each under a heading of its own."""
    by_file: dict[str, list[FunctionCoverage]] = {}
    for function in coverage.functions:
        by_file.setdefault(function.file, []).append(function)
    for number, (path, functions) in enumerate(by_file.items(), 1):
        body: list[Line] = []
        seen: set[int] = set()
        for function in functions:
            body.append(Line("h", function.name))
            for line in function.source:
                spot = "" if line.number in seen else f"t{number}L{line.number}"
                own = line.number if spot else None
                body.append(Line("", line.text, own, own, spot))
                seen.add(line.number)
        yield File(path, f"t{number}", (), tuple(body))


def marked(one: Listed, bare: Listing, marks: Marks) -> Listed:
    """A patch with what is known of its lines."""
    ran = ran_by_place(marks.coverage)
    mutants = by_place(marks.strength)
    notes: dict[str, list[Note]] = {}
    for note in marks.notes:
        notes.setdefault(bare.href(note.file, note.line, note.source)[1:], []).append(note)
    files = []
    for file in one.files:
        lines = []
        for line in file.lines:
            place = file.path, line.last or 0
            text, said = ran.get(place, ("", None))
            own = line.text[1:] if one.patch else line.text
            if line.id:
                line = replace(
                    line,
                    ran=said if text == own else None,
                    mutants=mutants.get(place, "") if bare.href(*place, own) == f"#{line.id}" else "",
                    notes=tuple(notes.get(line.id, ())),
                )
            lines.append(line)
        files.append(replace(file, lines=tuple(lines)))
    return replace(one, files=tuple(files))


def ran_by_place(coverage: PatchCoverage | None) -> dict[tuple[str, int], tuple[str, LineCoverage]]:
    """How often each line ran that has code, with its text: a number alone may be another patch's."""
    if not coverage:
        return {}
    return {
        (function.file, line.number): (line.text, function.ran[line.number])
        for function in coverage.functions
        for line in function.source
        if line.number in function.ran
    }


def by_place(strength: StrengthRecord | None) -> dict[tuple[str, int], str]:
    """How many of each line's mutants are killed, as 3/4; those that are equivalent count for nothing."""
    if not strength:
        return {}
    counts: dict[tuple[str, int], list[int]] = {}
    for killed, mutants in ((1, strength.killed), (0, strength.survived)):
        for mutant in mutants:
            count = counts.setdefault((mutant.file, mutant.line), [0, 0])
            count[0] += killed
            count[1] += 1
    return {place: f"{killed}/{every}" for place, (killed, every) in counts.items()}


def change_words(mutant: MutantRecord) -> str:
    """What a mutant changes."""
    before, after = (" ".join(text.split()) for text in (mutant.before, mutant.after))
    return f"{mutant.operator}: {before} becomes {after or 'nothing'}" if before else mutant.operator


def missed_by_line(coverage: PatchCoverage) -> list[tuple[Missed, str]]:
    """What was not covered, one entry a line."""
    found: dict[tuple[str, int], list[Missed]] = {}
    for missed in coverage.missed:
        found.setdefault((missed.file, missed.line), []).append(missed)
    return [(each[0], "; ".join(missed.words for missed in each)) for each in found.values()]
