# SPDX-License-Identifier: GPL-2.0-only
"""Applies patches to a tree's files, in memory: what the files are then, and who brought each line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from extractor.errors import ExtractError, Reject
from extractor.items import SourceLine
from extractor.match import WORD, Book, Place, locate
from extractor.nearest import hunk_lines, nearest, place_lines, quoted
from extractor.patch import FileDiff, Hunk, Patch

Read = Callable[[str], "str | None"]
# Further rejects of a patch are counted, but not shown.
SHOWN_REJECTS = 3
# Of all files that are kept: copies of copies cost a mail a line each.
MOST_LINES = 5_000_000
RIGHT_TREE = "is this the right tree?"
BASE = "give the tree that the patch was made for"


@dataclass(frozen=True)
class Applied:
    """What patches make of a tree.

    `files` has each file that a patch changes, by its path: its lines (`number` is the line in the file
    as patched, `origin` "added" where any of the patches added the line and "tree" elsewhere), or None
    where it is deleted or renamed away. `notes` has each hunk that did not fit exactly.
    """

    files: Mapping[str, tuple[SourceLine, ...] | None]
    notes: tuple[str, ...]


def apply_patches(patches: Sequence[Patch], read: Read) -> Applied:
    """Applies `patches`, one after the other, to the files that `read` gives (None: there is no such file).

    Reject for hunks that do not fit, all those of a patch at once; ExtractError for a file that is
    missing, or that should be. Nothing is written.
    """
    hunks = [hunk for patch in patches for file in patch.files for hunk in file.hunks]
    book = Book(line.text for hunk in hunks for line in hunk.lines)
    if book.full:
        raise ExtractError("the patch has too many lines to apply", file=patches[0].source, hint="refused")
    state = _State(read, book)
    for patch in patches:
        state.source = patch.source
        _Applying(patch, state).run()
    done = {path: file.source_lines() if file else None for path, file in state.files.items()}
    return Applied(done, tuple(state.notes))


@dataclass
class _File:
    """A file being patched: its lines, the tree's own numbers of them (0: added), and its encoded form."""

    texts: list[str]
    numbers: list[int]
    code: str

    def source_lines(self) -> tuple[SourceLine, ...]:
        pairs = enumerate(zip(self.texts, self.numbers, strict=True), 1)
        return tuple(SourceLine(text, at, "tree" if number else "added") for at, (text, number) in pairs)

    def copy(self) -> _File:
        return _File([*self.texts], [*self.numbers], self.code)


@dataclass
class _State:
    """The tree as the patches so far left it: only files that a patch changes are kept."""

    read: Read
    book: Book
    files: dict[str, _File | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    lines: int = 0
    source: str = ""  # of the patch at hand

    def kept(self, file: _File) -> _File:
        self.lines += len(file.texts)
        if self.lines > MOST_LINES:
            what = f"the patch changes files of more than {MOST_LINES:,} lines"
            raise ExtractError(what, file=self.source, hint="refused")
        return file

    def file(self, path: str) -> _File | None:
        if path in self.files:
            return self.files[path]
        text = self.read(path)
        if text is None:
            return None
        texts = text.replace("\r\n", "\n").split("\n")
        if not texts[-1]:
            texts.pop()
        return self.kept(_File(texts, list(range(1, len(texts) + 1)), self.book.encode(texts)))


@dataclass
class _Rejected:
    """A hunk that does not fit, with what is known of it when it is met: the file goes on changing."""

    what: str
    hint: str
    line: int
    excerpt: str


@dataclass
class _Applying:
    """One patch on its way into a state; its rejects are gathered and raised together."""

    patch: Patch
    state: _State
    rejected: list[_Rejected] = field(default_factory=list)
    lost: int = 0  # hunks that do not fit
    there: int = 0  # those of them that are applied already
    before: dict[str, _File | None] = field(default_factory=dict)  # sources of renames, as they were
    made: set[str] = field(default_factory=set)

    def run(self) -> None:
        moved = [file for file in self.patch.files if file.status in ("renamed", "copied")]
        # What git says of them holds before the patch, in whichever order they stand.
        for path in dict.fromkeys(file.old_path for file in moved):
            source = self.state.file(path)
            self.before[path] = source and self.state.kept(source.copy())
        for file in self.patch.files:
            self.apply(file)
        if self.rejected:
            raise self.reject()

    def apply(self, diff: FileDiff) -> None:
        made = self.source(diff)
        self.hunks(diff, made)
        if diff.status == "deleted":
            if made.texts and not self.lost:
                raise self.refuse(diff, f"the patch deletes {diff.path}, of which the tree has "
                                        f"more than the patch removes", BASE)  # fmt: skip
            self.state.files[diff.path] = None
            return
        if diff.status == "renamed" and diff.old_path not in self.made:
            self.state.files[diff.old_path] = None
        self.state.files[diff.path] = made
        self.made.add(diff.path)

    def source(self, diff: FileDiff) -> _File:
        """The file that the hunks of `diff` are for, which may be an empty one."""
        files = self.state.files
        if diff.status == "modified" and _makes_file(diff) and self.state.file(diff.path) is None:
            return _File([], [], "")
        if diff.status in ("modified", "deleted"):
            return self.known(diff, diff.path)
        # A rename over a file that the same patch renames away is an exchange.
        away = diff.path in self.before and diff.path not in self.made
        if not away and self.state.file(diff.path) is not None:
            whose = "an earlier patch" if diff.path in files else "the tree"
            raise self.refuse(diff, f"{whose} has {diff.path} already, which the patch {_VERBS[diff.status]}",
                              "is the patch already applied?")  # fmt: skip
        if diff.status == "added":
            return _File([], [], "")
        source = self.before[diff.old_path] or self.known(diff, diff.old_path)
        return self.state.kept(source.copy())

    def known(self, diff: FileDiff, path: str) -> _File:
        found = self.state.file(path)
        if found is None:
            gone = path in self.state.files
            what = "an earlier change deletes" if gone else "the tree has no"
            hint = "give the patches in their order" if gone else RIGHT_TREE
            raise self.refuse(diff, f"{what} {path}, which the patch {_VERBS[diff.status]}", hint)
        return found

    def refuse(self, diff: FileDiff, what: str, hint: str) -> ExtractError:
        return ExtractError(what, file=self.patch.source, line=diff.source_line, hint=hint)

    def hunks(self, diff: FileDiff, file: _File) -> None:
        shift = low = net = 0  # the last hunk's offset, the line after its changes, the lines it all added
        for number, hunk in enumerate(diff.hunks, 1):
            said = hunk.old_start - bool(hunk.old_count) + net
            place = locate(file.code, hunk, self.state.book, said + shift, low)
            if place is None:
                there = self.made_at(file, hunk, low)
                self.lost += 1
                self.there += bool(there)
                if len(self.rejected) < SHOWN_REJECTS:
                    self.rejected.append(self.rejection(diff, file, number, said + shift, there))
                continue
            shift = place.at - place.skipped - said
            if shift or place.fuzz:
                how = [f"offset {shift:+d}"] * bool(shift) + [f"fuzz {place.fuzz}"] * bool(place.fuzz)
                said_at = f"{self.patch.source}:{hunk.source_line}: hunk {number} of {diff.path}"
                line = place.at - place.skipped + 1
                self.state.notes.append(f"{said_at} applied at line {line} ({', '.join(how)})")
            low = self.put(file, hunk, place)
            net += hunk.new_count - hunk.old_count

    def put(self, file: _File, hunk: Hunk, place: Place) -> int:
        """Changes the file's lines; the line after the last one that is new or had gone."""
        texts: list[str] = []
        numbers: list[int] = []
        at, last = place.at, 0
        for line in hunk.lines[place.skipped : len(hunk.lines) - place.cut]:
            if line.kind == "+":
                texts.append(line.text)
                numbers.append(0)
            elif line.kind == " ":
                texts.append(file.texts[at])
                numbers.append(file.numbers[at])
            at += line.kind != "+"
            last = len(texts) if line.kind != " " else last
        file.texts[place.at : at] = texts
        file.numbers[place.at : at] = numbers
        file.code = file.code[: place.at] + self.state.book.encode(texts) + file.code[at:]
        return place.at + last

    def rejection(self, diff: FileDiff, file: _File, number: int, guess: int, there: int) -> _Rejected:
        hunk = diff.hunks[number - 1]
        name = f"hunk {number} of {diff.path}"
        if there:
            what, hint = (
                f"{name} is already applied: what it makes is at line {there}",
                "give the tree before it",
            )
            title, near = what, list[str]()
        else:
            said, near = _nearest(diff, hunk, file, guess)
            what, hint = f"{name} does not apply: {said}", BASE
            title = f"{name} does not apply"
        shown = [f"{self.patch.source}:{hunk.source_line}: {title}", *hunk_lines(hunk), *near]
        return _Rejected(what, hint, hunk.source_line, "\n".join(shown))

    def made_at(self, file: _File, hunk: Hunk, low: int) -> int:
        """The 1-based line, after `low`, at which the file has what the hunk makes; 0 where it has not."""
        new = [line.text for line in hunk.lines if line.kind != "-"]
        # What is only removed shows by what is left on both of its sides.
        shows = any(line.kind == "+" and WORD.search(line.text) for line in hunk.lines)
        if not shows and not (hunk.lines[0].kind == hunk.lines[-1].kind == " " and WORD.search("".join(new))):
            return 0
        return file.code.find(self.state.book.encode(new), low) + 1

    def reject(self) -> Reject:
        first = self.rejected[0]
        what = first.what
        if self.lost > 1:
            hunks = sum(len(file.hunks) for file in self.patch.files)
            already = f", {self.there} of them are applied already" if self.there else ""
            what += f" ({self.lost} of the patch's {hunks} hunks do not apply{already})"
        shown = [rejected.excerpt for rejected in self.rejected]
        if self.lost > len(shown):
            shown.append(f"{self.lost - len(shown)} more hunks do not apply")
        return Reject(what, file=self.patch.source, line=first.line, hint=first.hint,
                      excerpt="\n".join(shown))  # fmt: skip


def _makes_file(diff: FileDiff) -> bool:
    """True where a plain diff says that there was no file before, without git's words for it."""
    return len(diff.hunks) == 1 and diff.hunks[0].old_start == diff.hunks[0].old_count == 0


def _nearest(diff: FileDiff, hunk: Hunk, file: _File, guess: int) -> tuple[str, list[str]]:
    """Where the hunk would nearly fit: in words, and as lines to show."""
    old = [line.text for line in hunk.lines if line.kind != "+"]
    if not old:
        return f"{diff.path} ends at line {len(file.texts)}", []
    near = nearest(old, file.texts, guess)
    if near is None:
        return f"{diff.path} has none of its lines", []
    line = next((number for number in file.numbers[max(near.at, 0) :] if number), len(file.texts))
    what = f"{near.matching} of its {near.of} old lines match at line {line}"
    if near.first < len(old):
        at = near.at + near.first
        inside = 0 <= at < len(file.texts)
        ours, theirs = quoted(old[near.first], file.texts[at] if inside else "")
        has = f"line {file.numbers[at] or at + 1} has {theirs}" if inside else "the file has no line there"
        what += f", the first that differs: the hunk expects {ours}, {has}"
    head = f"the nearest place, {diff.path}:{line}, {near.matching} of {near.of} old lines match"
    return what, [head, *place_lines(near, old, file.texts, file.numbers)]


_VERBS = {
    "modified": "changes",
    "added": "adds",
    "deleted": "deletes",
    "renamed": "renames",
    "copied": "copies",
}
