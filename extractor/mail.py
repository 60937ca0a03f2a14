# SPDX-License-Identifier: GPL-2.0-only
"""Reads mails in the forms that people have them: text with the line numbers of their source."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import BinaryIO

from extractor.errors import ExtractError

MAX_BYTES = 64 << 20
HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]*:[ \t]")
MAIL_HEADERS = re.compile(
    rb"^(From|Subject|Date|Message-ID|To|Return-Path|Received|MIME-Version|Content-Type):",
    re.I | re.M,
)
FROM_LINE = re.compile(rb"^From \S+.*$", re.M)
SUBJECT = re.compile(r"^\s*(?:Subject:\s*)?((?:Re:\s*)?\[[^\]\n]*PATCH[^\]\n]*\].*)$")


@dataclass(frozen=True)
class Mail:
    """One mail: its headers ("" where it has none) and its body.

    `first_line` is the 1-based line of lines[0] in `source`; where `decoded` (quoted-printable,
    base64, HTML) it counts the lines of the decoded body.
    """

    source: str
    subject: str
    sender: str
    date: str
    message_id: str
    lines: tuple[str, ...]
    first_line: int = 1
    decoded: bool = False


def read_mails(paths: Sequence[str], stdin: BinaryIO | None = None) -> list[Mail]:
    """The mails in `paths`: files, mboxes, directories, `-` for `stdin`; ExtractError for none."""
    mails: list[Mail] = []
    for path in paths:
        for source, data in _contents(path, stdin):
            mails += _split(source, data)
    return mails


def _contents(path: str, stdin: BinaryIO | None) -> Iterator[tuple[str, bytes]]:
    if path == "-":
        yield "<stdin>", _checked("<stdin>", stdin.read(MAX_BYTES + 1) if stdin else b"")
        return
    where = Path(path)
    try:
        if where.is_dir():
            files = sorted(
                f
                for f in where.rglob("*")
                if f.is_file() and not f.name.startswith(".") and f.suffix != ".md"
            )
            if not files:
                raise ExtractError("the directory holds no mail", file=path, hint="give a patch")
            for file in files:
                yield str(file), _checked(str(file), file.read_bytes())
            return
        with where.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as err:
        reason = (err.strerror or str(err)).lower()
        raise ExtractError(f"cannot read it: {reason}", file=path, hint="give a patch") from None
    yield path, _checked(path, data)


def _checked(source: str, data: bytes) -> bytes:
    if not data.strip():
        raise ExtractError("the input is empty", file=source, hint="give a mail with a patch")
    if len(data) > MAX_BYTES:
        raise ExtractError("the input is larger than 64 MiB", file=source, hint="give one series")
    if b"\0" in data:
        raise ExtractError("the input is binary, not a mail", file=source, hint="unpack or decode it first")
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _split(source: str, data: bytes) -> list[Mail]:
    """The mails of one file: an mbox's messages, or the file itself."""
    starts = [m.start() for m in FROM_LINE.finditer(data) if _begins_mail(data, m)]
    if not starts or data[: starts[0]].strip():
        return [_one(source, data, 1)]
    ends = [*starts[1:], len(data)]
    mails = []
    for start, end in zip(starts, ends, strict=True):
        body = data.index(b"\n", start) + 1
        text = re.sub(rb"^>(>*From )", rb"\1", data[body:end], flags=re.M)
        mails.append(_one(source, text, data.count(b"\n", 0, body) + 1))
    return mails


def _begins_mail(data: bytes, match: re.Match[bytes]) -> bool:
    before = data[: match.start()]
    after = data[match.end() + 1 : match.end() + 200]
    return (not before or before.endswith(b"\n\n")) and bool(HEADER.match(after))


def _one(source: str, data: bytes, line: int) -> Mail:
    head = data.lstrip(b"\n")[:4096]
    if re.match(rb"\s*(<!doctype html|<html|<\?xml|<head|<pre)", head, re.I):
        return _html(source, data.decode("utf-8", "replace"))
    block = head.partition(b"\n\n")[0]
    if HEADER.match(block) and MAIL_HEADERS.search(block):
        return _mail(source, data, line)
    lines = tuple(_text(data, "").split("\n"))
    return Mail(source, _subject(lines), "", "", "", lines, line)


def _text(data: bytes, charset: str) -> str:
    for name in (charset, "utf-8"):
        try:
            return data.decode(name or "utf-8")
        except (LookupError, UnicodeDecodeError):
            continue
    return data.decode("latin-1")


def _subject(lines: Sequence[str]) -> str:
    for text in lines[:400]:
        match = SUBJECT.match(text)
        if match:
            return " ".join(match.group(1).split())
    return ""


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, IndexError, AttributeError, TypeError):  # a hostile header
        return ""


def _mail(source: str, data: bytes, line: int) -> Mail:
    leading = len(data) - len(data.lstrip(b"\n"))
    message = email.message_from_bytes(data[leading:], policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    parts = [p for p in message.walk() if not p.is_multipart()]
    wanted = [
        p
        for p in parts
        if p.get_content_type() in ("text/plain", "text/x-patch", "text/x-diff")
        or (p.get_filename() or "").endswith((".patch", ".diff"))
    ]
    texts: list[str] = []
    for part in wanted or parts[:1]:
        payload = part.get_payload(decode=True)
        raw = payload if isinstance(payload, bytes) else str(part.get_payload()).encode()
        texts.append(_text(raw.replace(b"\r\n", b"\n"), part.get_content_charset("")))
    encoding = str(parts[0].get("Content-Transfer-Encoding", "")).lower() if parts else ""
    decoded = len(parts) > 1 or encoding in ("quoted-printable", "base64")
    first = 1 if decoded else line + leading + _header_lines(data[leading:])
    lines = tuple("\n".join(texts).split("\n"))
    if not wanted and parts and parts[0].get_content_type() == "text/html":
        lines, decoded, first = _html(source, texts[0]).lines, True, 1
    return Mail(
        source,
        _header(message, "Subject"),
        _header(message, "From"),
        _header(message, "Date"),
        _header(message, "Message-ID"),
        lines,
        first,
        decoded,
    )


def _header_lines(data: bytes) -> int:
    return data.partition(b"\n\n")[0].count(b"\n") + 2


class _Text(HTMLParser):
    """The text of a page: <pre> as it is, <br> and paragraphs as newlines."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self.silent += 1
        if tag in ("br", "p", "div", "tr", "li", "h1", "h2", "h3", "pre", "hr", "title"):
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self.silent = max(0, self.silent - 1)
        if tag in ("p", "div", "tr", "li", "h1", "h2", "h3", "pre", "title"):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(data)


def _html(source: str, text: str) -> Mail:
    reader = _Text()
    reader.feed(text)
    reader.close()
    lines = tuple("".join(reader.parts).replace("\u00a0", " ").split("\n"))
    return Mail(source, _subject(lines), "", "", "", lines, 1, True)
