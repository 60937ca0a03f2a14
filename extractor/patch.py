# SPDX-License-Identifier: GPL-2.0-only
"""Reads the diff of one mail, strictly: the counts of each hunk decide, damage is refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from extractor.errors import ExtractError
from extractor.mail import Mail

# Numbers are bounded: a stranger's thousand digits are no line number.
HUNK = re.compile(r"^@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@ ?(.*)$", re.ASCII)
TAG = re.compile(r"\[([^\[\]]{0,200})\]")
STAT_TOTAL = re.compile(r"^ \d{1,9} files? changed(?:, (\d{1,9}) ins\w+\(\+\))?(?:, (\d{1,9}) del\w+\(-\))?")
GIT_PATHS = re.compile(r'diff --git ("?a/.+?"?) ("?b/.+)$')
EXTENDED = re.compile(r"(diff --git|index|old mode|new mode|(dis)?similarity) ?")
MOVE = re.compile(r"(rename|copy) (from|to) (.*)$")
Status = Literal["modified", "added", "deleted", "renamed", "copied"]
BINARY = re.compile(r"Binary files (.* )?differ$")
# Files in which a change means something to what is checked, as they stand in the head of a diff.
CODE = re.compile(r"(?:\.[chS]|\bKconfig[\w.-]*)(?![\w./-])")
AS_TEXT = "ask for it as text (git format-patch --text)"
RESEND = "ask for the patch by git send-email, or take it from lore.kernel.org"


@dataclass(frozen=True)
class HunkLine:
    """One line of a hunk; `number` is its post-image line, None where it is removed."""

    kind: Literal[" ", "+", "-"]
    text: str
    number: int | None
    source_line: int


@dataclass(frozen=True)
class Hunk:
    """One hunk; `heading` is what stands after the second @@."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    heading: str
    lines: tuple[HunkLine, ...]
    source_line: int


@dataclass(frozen=True)
class FileDiff:
    """The hunks of one file; `path` is its post-image's (the old one's where it is deleted)."""

    path: str
    old_path: str
    status: Status
    hunks: tuple[Hunk, ...]
    source_line: int


@dataclass(frozen=True)
class Patch:
    """One mail with a diff. `sha256` is the diff's own: the same for every encoding of the mail."""

    source: str
    subject: str
    message: str
    sender: str
    date: str
    message_id: str
    number: int | None
    total: int | None
    version: int
    files: tuple[FileDiff, ...]
    sha256: str
    notes: tuple[str, ...]
    diff: tuple[str, ...] = ()  # the lines that `sha256` is of


def is_code(said: str) -> bool:
    """True where what is said of a change names a file of C, assembly or Kconfig."""
    return bool(CODE.search(said))


def odd_path(name: str) -> str:
    """Why a name is no path in a tree, or none that C can have in a comment; "" where it is one."""
    if name.startswith("/") or ".." in name.split("/") or not name:
        return f"the path {name!r} leaves the tree"
    if not name.isprintable() or any(each in name for each in ('"', "\\", "*/", "/*", "??")):
        return f"the path {name!r} has characters that no path has"
    return ""


def has_hunk(mail: Mail) -> bool:
    """True where a line of the mail begins a hunk, be it of a patch or not."""
    return any(HUNK.match(line) for line in mail.lines)


def patch_tag(subject: str) -> str:
    """What stands in the brackets of `[PATCH v2 12/20]`; "" where there are none."""
    return next((m[1] for m in TAG.finditer(subject[:1000]) if "PATCH" in m[1].upper()), "")


def subject_numbers(subject: str) -> tuple[int, int | None, int | None]:
    """Version, number and total of `[PATCH v2 12/20]`, in whichever order they stand."""
    tag = patch_tag(subject)
    place = re.search(r"\b(\d{1,5})/(\d{1,5})\b", tag)
    version = re.search(r"(?:\b|PATCH)v(\d{1,5})\b", tag, re.I)
    number, total = (int(place[1]), int(place[2])) if place else (None, None)
    return int(version[1]) if version else 1, number, total


def parse_patch(mail: Mail) -> Patch:
    """The patch in `mail`; ExtractError, with file and line, for none or a damaged one."""
    reader = _Reader(mail)
    files = reader.files()
    if not files:
        raise _no_diff(mail)
    for file in files:
        _refuse_spaces(file, mail)
    version, number, total = subject_numbers(mail.subject)
    return Patch(
        mail.source,
        mail.subject,
        _message(mail, files[0].source_line - mail.first_line),
        mail.sender,
        mail.date,
        mail.message_id,
        number,
        total,
        version,
        tuple(files),
        hashlib.sha256("\n".join(reader.diff).encode()).hexdigest(),
        (*reader.notes, *_stat_notes(mail, files, reader.signed)),
        tuple(reader.diff),
    )


def _no_diff(mail: Mail) -> ExtractError:
    for at, text in enumerate(mail.lines):
        if re.match(r"[>| ]{0,20}> ?(diff --git |@@ -\d)", text):
            return ExtractError("the diff is quoted in a reply", file=mail.source,
                                line=mail.first_line + at, hint="give the mail that it answers")  # fmt: skip
    hint = "give the mail that carries the patch"
    return ExtractError("no diff found in this mail", file=mail.source, hint=hint)


def _message(mail: Mail, diff_at: int) -> str:
    lines = list(mail.lines[:diff_at])
    for at, text in enumerate(lines):
        if text == "---":
            lines = lines[:at]
            break
    for at, text in enumerate(lines):
        if mail.subject and mail.subject in " ".join(text.split()):
            lines = lines[at + 1 :]
            break
    return "\n".join(lines).strip()


@dataclass
class _Reader:
    """Walks a mail's lines; `diff` gathers the lines that are diff, for its hash."""

    mail: Mail
    at: int = 0
    diff: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    signed: bool = False
    headed: bool = False  # the file at hand has its --- and +++ lines
    end: int = 0  # after the last line that says anything

    def __post_init__(self) -> None:
        blank = 0
        while blank < len(self.mail.lines) and not self.mail.lines[-1 - blank].strip():
            blank += 1
        self.end = len(self.mail.lines) - blank

    def line(self, offset: int = 0) -> str | None:
        at = self.at + offset
        return self.mail.lines[at] if at < len(self.mail.lines) else None

    def refuse(self, what: str, at: int | None = None, hint: str = RESEND) -> ExtractError:
        line = self.mail.first_line + min(self.at if at is None else at, len(self.mail.lines) - 1)
        return ExtractError(what, file=self.mail.source, line=line, hint=hint)

    def files(self) -> list[FileDiff]:
        found: list[FileDiff] = []
        while (text := self.line()) is not None:
            if text.startswith("diff --git ") or self.at_file_header():
                found.append(self.file())
                continue
            if text in ("-- ", "--") and found:
                self.signed = True
            elif HUNK.match(text):
                raise self.refuse("a hunk without a file header (--- and +++) before it")
            elif text == "GIT binary patch" or BINARY.match(text):
                self.binary(text, found[-1:])
            self.at += 1
        return [f for f in found if f.hunks or f.status != "modified"]

    def binary(self, text: str, last: Sequence[FileDiff]) -> None:
        """A change that the mail does not show; refused where it may be one of code."""
        of = " ".join(
            [text, *(path for file in last if not file.hunks for path in (file.old_path, file.path))]
        )
        if is_code(of):
            raise self.refuse("a binary change of code, which shows nothing of it", hint=AS_TEXT)
        self.notes.append(f"a binary change is left out (line {self.source_line()})")

    def at_file_header(self) -> bool:
        first, second = self.line() or "", self.line(1) or ""
        return first.startswith("--- ") and second.startswith("+++ ")

    def take(self) -> None:
        # Mailers strip the blank of an empty context line; the hash must not depend on it.
        self.diff.append(self.mail.lines[self.at] or " ")
        self.at += 1

    def file(self) -> FileDiff:
        begin = self.at
        old, new, status = self.file_header()
        hunks: list[Hunk] = []
        while (text := self.line()) is not None and text.startswith("@@ -"):
            if not new or not self.headed:
                raise self.refuse("a hunk without a file header (--- and +++) before it")
            hunks.append(self.hunk(hunks))
        if self.headed and not hunks:
            raise self.refuse("a file header (--- and +++) without a hunk (@@) after it")
        if old == "/dev/null":
            status = "added"
        if new == "/dev/null":
            status, new = "deleted", old
        return FileDiff(new or old, old, status, tuple(hunks), self.mail.first_line + begin)

    def file_header(self) -> tuple[str, str, Status]:
        """The old path, the new path and the status, from the lines before the first hunk."""
        begin, self.headed = self.at, False
        old = new = ""
        status: Status = "modified"
        while (text := self.line()) is not None and not text.startswith("@@ -"):
            if self.at_file_header():
                if self.headed:
                    break
                old, new = self.path(text[4:]), self.path((self.line(1) or "")[4:], 1)
                self.headed = True
                self.take()
            elif text.startswith("diff --git "):
                if self.at > begin:
                    break
                if names := GIT_PATHS.match(text):
                    old, new = self.path(names[1]), self.path(names[2])
            elif text.startswith("new file mode"):
                status = "added"
            elif text.startswith("deleted file mode"):
                status = "deleted"
            elif move := MOVE.match(text):
                status = "renamed" if move[1] == "rename" else "copied"
                old, new = (self.path(move[3]), new) if move[2] == "from" else (old, self.path(move[3]))
            elif not EXTENDED.match(text):
                break
            self.take()
        return old, new, status

    def path(self, name: str, offset: int = 0) -> str:
        name = name.split("\t")[0].strip()
        if name.startswith('"'):
            name = _unquoted(name)
        if name == "/dev/null":
            return name
        name = re.sub(r"^[ab]/", "", name)
        if odd := odd_path(name):
            raise self.refuse(odd, self.at + offset, "refused")
        return name

    def hunk(self, before: Sequence[Hunk]) -> Hunk:
        begin = self.at
        match = HUNK.match(self.mail.lines[begin])
        if not match:
            raise self.refuse("a hunk header that is none (@@ -line,count +line,count @@)")
        old_start, new_start = int(match[1]), int(match[3])
        old_count, new_count = int(match[2] or 1), int(match[4] or 1)
        if (old_count and not old_start) or (new_count and not new_start):
            raise self.refuse("a hunk cannot begin at line 0")
        if before and _overlaps(before[-1], old_start + (not old_count), new_start + (not new_count)):
            raise self.refuse("this hunk overlaps the one before it, or stands before it")
        self.take()
        owed_old, owed_new, number = old_count, new_count, new_start
        lines: list[HunkLine] = []
        while owed_old > 0 or owed_new > 0:
            kind, text = self.hunk_line(begin, owed_old, owed_new)
            lines.append(HunkLine(kind, text, None if kind == "-" else number, self.source_line()))
            owed_old -= kind != "+"
            owed_new -= kind != "-"
            number += kind != "-"
            if owed_old < 0 or owed_new < 0:
                raise self.refuse(self.off(begin, "fewer"), begin)
            self.take()
            if (self.line() or "").startswith("\\"):
                self.take()
        self.check_end(begin)
        return Hunk(
            old_start,
            old_count,
            new_start,
            new_count,
            match[5],
            tuple(lines),
            self.mail.first_line + begin,
        )

    def source_line(self) -> int:
        return self.mail.first_line + self.at

    def off(self, begin: int, how: str) -> str:
        return f"the hunk's counts are off: '{self.mail.lines[begin][:40]}' says {how} lines than follow"

    def hunk_line(self, begin: int, old: int, new: int) -> tuple[Literal[" ", "+", "-"], str]:
        text = self.line()
        # One blank line may be a context line that lost its blank, but not the text's last newline.
        over = self.at >= self.end and (max(old, new) > 1 or self.at + 1 == len(self.mail.lines))
        if text is None or over:
            owed = max(old, new)
            raise self.refuse(f"the patch is truncated: it ends inside a hunk, {owed} or more lines missing",
                              min(self.at, self.end - 1))  # fmt: skip
        if HUNK.match(text) or text.startswith("diff --git ") or self.at_file_header():
            raise self.refuse(self.off(begin, "more"), begin)
        if text in ("-- ", "--") and re.match(r"^\d+\.\d+", self.line(1) or ""):
            raise self.refuse(self.off(begin, "more"), begin)
        if text == "":
            return " ", ""
        if text[0] == " ":
            return " ", text[1:]
        if text[0] == "+":
            return "+", text[1:]
        if text[0] == "-":
            return "-", text[1:]
        if text[0] == "\t":
            raise self.refuse("a line of the hunk lost its first character (' ', '+' or '-')")
        why = "the mail was wrapped on its way"
        if text.startswith("> "):
            why = "the mail is quoted in a reply"
        elif re.search(r"&(lt|gt|amp|quot|#\d{1,5});", text):
            why = "the text still has HTML entities"
        elif re.search(r"=3D|=20|=$", text) or (self.line(-1) or "").endswith("="):
            why = "the mail is still quoted-printable"
        raise self.refuse(f"a line of the hunk begins with none of ' ', '+', '-': {why}")

    def check_end(self, begin: int) -> None:
        """After its counted lines a hunk is over; more changes there mean that the counts lie."""
        text = self.line() or ""
        rule = len(text.rstrip()) > 1 and not text.strip("- ")  # a signature, or an archive's rule
        if text[:1] in ("+", "-") and not self.at_file_header() and not rule:
            raise self.refuse(self.off(begin, "fewer"), begin)
        ahead = self.at
        while ahead < len(self.mail.lines) and self.mail.lines[ahead].startswith((" ", "\t")):
            ahead += 1
        after = self.mail.lines[ahead] if ahead < len(self.mail.lines) else ""
        changes = re.match(r"[+-](?![+-])|@@ -", after) and after != "-- "
        if ahead > self.at and changes:
            raise self.refuse(self.off(begin, "fewer"), begin)


def _overlaps(before: Hunk, old: int, new: int) -> bool:
    return old < before.old_start + before.old_count or new < before.new_start + before.new_count


def _unquoted(name: str) -> str:
    """A path that git put in quotes, with its octal escapes (of UTF-8 bytes) undone."""
    raw = re.sub(rb"\\([0-3][0-7]{2})", lambda m: bytes([int(m[1], 8)]), name.strip('"').encode())
    return raw.decode("utf-8", "replace")


def _refuse_spaces(file: FileDiff, mail: Mail) -> None:
    """C and Kconfig are indented by tabs; where there are none but wide indents, they were lost."""
    if not re.search(r"(\.[chS]|/Kconfig[^/]*)$", file.path):
        return
    lines = [line for hunk in file.hunks for line in hunk.lines]
    wide = [line for line in lines if line.text.startswith("    ")]
    eights = sum(line.text.startswith(" " * 8) for line in wide)
    if (eights >= 2 or len(wide) >= 3) and not any("\t" in line.text for line in lines):
        raise ExtractError(
            f"tabs of {file.path} were turned to spaces",
            file=mail.source,
            line=wide[0].source_line,
            hint=RESEND,
        )


def _stat_notes(mail: Mail, files: Sequence[FileDiff], signed: bool) -> list[str]:
    """What the diffstat promises and the diff lacks; a mail cut between files is refused."""
    named, totals = _diffstat(mail.lines[: files[0].source_line - mail.first_line])
    have = {path for file in files for path in (file.path, file.old_path)}
    lost = [name for name in named if not any(p.endswith(name.removeprefix("...")) for p in have)]
    if lost and not signed:
        raise ExtractError(
            f"the patch is truncated: its diffstat names {lost[0]}, the diff does not have it",
            file=mail.source,
            line=mail.first_line + len(mail.lines) - 1,
            hint=RESEND,
        )
    notes = [f"the diffstat names {name}, the diff does not have it" for name in lost]
    kinds = [line.kind for file in files for hunk in file.hunks for line in hunk.lines]
    if totals and totals != (kinds.count("+"), kinds.count("-")):
        notes.append(f"the diffstat says +{totals[0]} -{totals[1]}, "
                     f"the diff has +{kinds.count('+')} -{kinds.count('-')}")  # fmt: skip
    return notes


def _diffstat(lines: Sequence[str]) -> tuple[list[str], tuple[int, int] | None]:
    """The text files that a diffstat names, and its insertions and deletions: only the block right
    above 'N files changed' counts, since tables in a message look the same."""
    for at in range(len(lines) - 1, -1, -1):
        if total := STAT_TOTAL.match(lines[at]):
            break
    else:
        return [], None
    named: list[str] = []
    while at > 0 and " | " in lines[at - 1]:
        at -= 1
        name, _, change = lines[at].rpartition(" | ")
        if "=>" not in name and not change.lstrip().startswith("Bin"):
            named.append(name.strip())
    return named[::-1], (int(total[1] or 0), int(total[2] or 0))
