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

HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$")
NUMBERS = re.compile(r"\[[^\]]*PATCH[^\]]*?(?:\bv(\d+)\b[^\]]*?)?(?:(\d+)/(\d+))?\s*\]", re.I)
STAT = re.compile(r"^ (\S.*?)\s+\|\s+(\d+|Bin)\b")
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
    status: Literal["modified", "added", "deleted", "renamed"]
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


def is_cover_letter(mail: Mail) -> bool:
    """True for the letter `0/N` of a series, which has no diff."""
    match = NUMBERS.search(mail.subject)
    return bool(match and match.group(2) and int(match.group(2)) == 0) and not any(
        HUNK.match(line) for line in mail.lines
    )


def parse_patch(mail: Mail) -> Patch:
    """The patch in `mail`; ExtractError, with file and line, for none or a damaged one."""
    reader = _Reader(mail)
    files = reader.files()
    if not files:
        raise ExtractError("no diff found in this mail", file=mail.source,
                           hint="give the mail that carries the patch")  # fmt: skip
    for file in files:
        _refuse_spaces(file, mail)
    match = NUMBERS.search(mail.subject)
    version, number, total = match.groups() if match else (None, None, None)
    return Patch(
        mail.source,
        mail.subject,
        _message(mail, files[0].source_line - mail.first_line),
        mail.sender,
        mail.date,
        mail.message_id,
        int(number) if number else None,
        int(total) if total else None,
        int(version) if version else 1,
        tuple(files),
        hashlib.sha256("\n".join(reader.diff).encode()).hexdigest(),
        tuple(_stat_notes(mail, files, reader)),
    )


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
    signed: bool = False

    def line(self, offset: int = 0) -> str | None:
        at = self.at + offset
        return self.mail.lines[at] if at < len(self.mail.lines) else None

    def refuse(self, what: str, at: int | None = None, hint: str = RESEND) -> ExtractError:
        line = self.mail.first_line + (self.at if at is None else at)
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
            self.at += 1
        return [f for f in found if f.hunks or f.status != "modified"]

    def at_file_header(self) -> bool:
        first, second = self.line() or "", self.line(1) or ""
        return first.startswith("--- ") and second.startswith("+++ ")

    def take(self) -> None:
        self.diff.append(self.mail.lines[self.at])
        self.at += 1

    def file(self) -> FileDiff:
        begin = self.at
        old = new = ""
        status: Literal["modified", "added", "deleted", "renamed"] = "modified"
        while (text := self.line()) is not None and not HUNK.match(text):
            if self.at_file_header():
                old, new = self.path(text), self.path(self.line(1) or "", 1)
                self.take()
            elif text.startswith("new file mode"):
                status = "added"
            elif text.startswith("deleted file mode"):
                status = "deleted"
            elif text.startswith(("rename from ", "rename to ")):
                status = "renamed"
                old, new = (text[12:], new) if text[7] == "f" else (old, text[10:])
            elif not re.match(r"(diff --git|index|old mode|new mode|(dis)?similarity|copy) ?", text) or (
                text.startswith("diff --git ") and self.at > begin
            ):
                break
            self.take()
        hunks: list[Hunk] = []
        while (text := self.line()) is not None and HUNK.match(text):
            if not new:
                raise self.refuse("a hunk without a file header (--- and +++) before it")
            hunks.append(self.hunk(hunks))
        if old == "/dev/null":
            status = "added"
        if new == "/dev/null":
            status, new = "deleted", old
        return FileDiff(new or old, old, status, tuple(hunks), self.mail.first_line + begin)

    def path(self, header: str, offset: int = 0) -> str:
        name = header[4:].split("\t")[0].strip().strip('"')
        if name == "/dev/null":
            return name
        name = re.sub(r"^[ab]/", "", name)
        if name.startswith("/") or ".." in name.split("/") or not name:
            raise self.refuse(f"the path '{name}' leaves the tree", self.at + offset, "refused")
        return name

    def hunk(self, before: Sequence[Hunk]) -> Hunk:
        begin = self.at
        match = HUNK.match(self.mail.lines[begin])
        assert match
        old_start, new_start = int(match[1]), int(match[3])
        old_count, new_count = int(match[2] or 1), int(match[4] or 1)
        if before and (new_start < before[-1].new_start + before[-1].new_count):
            raise self.refuse("this hunk overlaps the one before it")
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
        last_blank = all(not t.strip() for t in self.mail.lines[self.at :])
        if text is None or (last_blank and max(old, new) > 1):
            owed = max(old, new)
            raise self.refuse(f"the patch is truncated: it ends inside a hunk, {owed} lines missing",
                              min(self.at, len(self.mail.lines) - 1))  # fmt: skip
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
        elif re.search(r"=3D|=20|=$", text) or (self.line(-1) or "").endswith("="):
            why = "the mail is still quoted-printable"
        raise self.refuse(f"a line of the hunk begins with none of ' ', '+', '-': {why}")

    def check_end(self, begin: int) -> None:
        """After its counted lines a hunk is over; more changes there mean that the counts lie."""
        text = self.line() or ""
        if text[:1] in ("+", "-") and not self.at_file_header() and text not in ("-- ", "--", "---"):
            raise self.refuse(self.off(begin, "fewer"), begin)
        ahead = self.at
        while ahead < len(self.mail.lines) and self.mail.lines[ahead].startswith((" ", "\t")):
            ahead += 1
        after = self.mail.lines[ahead] if ahead < len(self.mail.lines) else ""
        changes = re.match(r"[+-](?![+-])|@@ -", after) and after != "-- "
        if ahead > self.at and changes:
            raise self.refuse(self.off(begin, "fewer"), begin)


def _refuse_spaces(file: FileDiff, mail: Mail) -> None:
    """C and Kconfig are indented by tabs; where there are none but wide indents, they were lost."""
    if not re.search(r"(\.[chS]|/Kconfig[^/]*)$", file.path):
        return
    lines = [line for hunk in file.hunks for line in hunk.lines]
    wide = [line for line in lines if line.text.startswith("    ")]
    if len(wide) >= 2 and not any("\t" in line.text for line in lines):
        raise ExtractError(
            f"tabs of {file.path} were turned to spaces",
            file=mail.source,
            line=wide[0].source_line,
            hint=RESEND,
        )


def _stat_notes(mail: Mail, files: Sequence[FileDiff], reader: _Reader) -> list[str]:
    """What the diffstat promises and the diff lacks; a mail cut between files is refused."""
    named = [m.group(1).strip() for m in map(STAT.match, mail.lines) if m]
    have = {f.path for f in files} | {f.old_path for f in files}
    lost = [
        name
        for name in named
        if "=>" not in name and not any(p.endswith(name.removeprefix("...")) for p in have)
    ]
    if lost and not reader.signed:
        raise ExtractError(
            f"the patch is truncated: its diffstat names {lost[0]}, the diff does not have it",
            file=mail.source,
            line=mail.first_line + len(mail.lines) - 1,
            hint=RESEND,
        )
    return [f"the diffstat names {name}, the diff does not have it" for name in lost]
