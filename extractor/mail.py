# SPDX-License-Identifier: GPL-2.0-only
"""Reads mails in the forms that people have them: text with the line numbers of their source."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from html.parser import HTMLParser
from pathlib import Path
from typing import BinaryIO

from extractor.errors import ExtractError

MAX_BYTES = 64 << 20
# A `<` that begins no tag: text in a careless page, quadratic time in html.parser from a hostile one.
STRAY = re.compile(r"<(?![^<>]{1,4000}>)")
PLAIN = ("", "7bit", "8bit", "binary")
# What no body in that encoding has: it was decoded already. An empty context line of a diff is one blank,
# and an encoded text has blanks at no line's end.
NOT_ENCODED = {
    "quoted-printable": re.compile(rb"[^\n\t\x20-\x7e]|=(?![0-9A-Fa-f]{2}|[ \t]*$)|^ $", re.M),
    "base64": re.compile(rb"[^A-Za-z0-9+/=\s]"),
}
HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]*:[ \t]")
MAIL_HEADERS = re.compile(
    rb"^(From|Subject|Date|Message-ID|To|Return-Path|Received|MIME-Version|Content-Type):",
    re.I | re.M,
)
# What git mailsplit takes for the begin of a mail, whatever stands before it.
DATED = re.compile(rb"From \S+ .*\b\d{1,2}:\d\d(?::\d\d)? .*\b\d{4}\b")
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
                f for f in where.rglob("*") if f.is_file() and not _hidden(f, where) and f.suffix != ".md"
            )
            if not files:
                raise ExtractError("the directory holds no mail", file=path, hint="give a patch")
        else:
            files = [where]
    except (OSError, ValueError) as err:
        raise _unreadable(path, err) from None
    for file in files:
        name = path if file is where else str(file)
        yield name, _checked(name, _read(file, name))


def _hidden(file: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(root).parts)


def _read(file: Path, name: str) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as err:
        raise _unreadable(name, err) from None


def _unreadable(name: str, err: OSError | ValueError) -> ExtractError:
    reason = (getattr(err, "strerror", None) or str(err)).lower()
    return ExtractError(f"cannot read it: {reason}", file=name, hint="give a patch")


def _checked(source: str, data: bytes) -> bytes:
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise ExtractError("the input is empty", file=source, hint="give a mail with a patch")
    if len(data) > MAX_BYTES:
        raise ExtractError("the input is larger than 64 MiB", file=source, hint="give one series")
    if b"\0" in data:
        raise _binary(source)
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _binary(source: str) -> ExtractError:
    return ExtractError("the input is binary, not a mail", file=source, hint="unpack or decode it first")


def _split(source: str, data: bytes) -> list[Mail]:
    """The mails of one file: an mbox's messages, or the file itself."""
    starts = [m.start() for m in FROM_LINE.finditer(data) if _begins_mail(data, m)]
    if not starts or data[: starts[0]].strip():
        return [_one(source, data, 1)]
    ends = [*starts[1:], len(data)]
    mails, line = [], 2 + data.count(b"\n", 0, starts[0])
    for start, end in zip(starts, ends, strict=True):
        body = data.index(b"\n", start) + 1
        text = re.sub(rb"^>(>*From )", rb"\1", data[body:end], flags=re.M)
        mails.append(_one(source, text, line))
        line += data.count(b"\n", start, end)
    return mails


def _begins_mail(data: bytes, match: re.Match[bytes]) -> bool:
    before = data[max(0, match.start() - 2) : match.start()]
    after = data[match.end() + 1 : match.end() + 200]
    apart = not before or before.endswith(b"\n\n") or DATED.match(match[0])
    return bool(apart and HEADER.match(after))


def _one(source: str, data: bytes, line: int) -> Mail:
    head = data.lstrip(b"\n")[:4096]
    if re.match(rb"\s*(<!doctype html|<!--|<html|<\?xml|<head|<pre)", head, re.I):
        return _html(source, _text(data, ""))
    block = head.partition(b"\n\n")[0]
    if HEADER.match(block) and MAIL_HEADERS.search(block):
        return _mail(source, data, line)
    lines = tuple(_text(data, "").split("\n"))
    return Mail(source, _subject(lines), "", "", "", lines, line)


def _text(data: bytes, charset: str) -> str:
    for name in (charset, "utf-8"):
        try:
            return data.decode(name or "utf-8")
        except (LookupError, ValueError):  # ValueError: some codecs raise no UnicodeDecodeError
            continue
    return data.decode("latin-1")


def _subject(lines: Sequence[str]) -> str:
    """The first line that reads as a subject; one said to be it goes before a page's title."""
    found = [m for m in (SUBJECT.match(text[:1000]) for text in lines[:400]) if m]
    found.sort(key=lambda m: not m[0].lstrip().startswith("Subject:"))
    return " ".join(found[0][1].split()) if found else ""


def _header(message: Message, name: str) -> str:
    try:
        value = str(make_header(decode_header(str(message.get(name, "")))))
    except (LookupError, ValueError, HeaderParseError):  # a charset or an encoding that is none
        value = str(message.get(name, ""))
    return " ".join(value.split())


def _mail(source: str, data: bytes, line: int) -> Mail:
    try:
        # compat32 leaves headers alone until they are asked for: hostile ones do no harm
        message = email.message_from_bytes(data.lstrip(b"\n"), policy=email.policy.compat32)
        parts = [part for part in message.walk() if not part.is_multipart()]
    except RecursionError:
        raise ExtractError("the mail's parts are nested too deeply", file=source, line=line) from None
    wanted = [part for part in parts if _is_text(part)]
    for part in wanted:
        _disown_encoding(part)
    body = "\n".join(_payload(part) for part in wanted or parts[:1])
    if "\0" in body:
        raise _binary(source)
    subject, sender = _header(message, "Subject"), _header(message, "From")
    date, ident = _header(message, "Date"), _header(message, "Message-ID")
    if not wanted and parts and parts[0].get_content_type() == "text/html":
        page = _html(source, body)
        return Mail(source, subject or page.subject, sender, date, ident, page.lines, 1, True)
    decoded = len(parts) != 1 or message.is_multipart() or _encoding(parts[0]) not in PLAIN
    first = 1 if decoded else line + data.count(b"\n") - body.count("\n")
    return Mail(source, subject, sender, date, ident, tuple(body.split("\n")), first, decoded)


def _is_text(part: Message) -> bool:
    name = str(part.get_filename() or "")
    kinds = ("text/plain", "text/x-patch", "text/x-diff")
    return part.get_content_type() in kinds or name.endswith((".patch", ".diff"))


def _encoding(part: Message) -> str:
    return str(part.get("Content-Transfer-Encoding", "")).strip().lower()


def _disown_encoding(part: Message) -> None:
    """Takes the encoding from the headers of a body that is in it no more.

    b4 gives its check commands the headers as they came and the body decoded (LoreMessage.get_msg_as_bytes).
    """
    wrong = NOT_ENCODED.get(_encoding(part))
    if wrong:
        header = str(part["Content-Transfer-Encoding"])
        del part["Content-Transfer-Encoding"]
        raw = part.get_payload(decode=True)
        if not (isinstance(raw, bytes) and wrong.search(raw)):
            part["Content-Transfer-Encoding"] = header


def _payload(part: Message) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else str(part.get_payload()).encode("utf-8", "replace")
    try:
        charset = part.get_content_charset("")
    except (LookupError, ValueError):
        charset = ""
    return _text(raw, charset).replace("\r\n", "\n").replace("\r", "\n")


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
    try:
        begin, *comments = text.split("<!--")
        shown = begin + "".join(part.partition("-->")[2] for part in comments)
        reader.feed(STRAY.sub("&lt;", shown))
        reader.close()
    except (AssertionError, ValueError):  # html.parser on `<![x` and other markup that is none
        raise ExtractError("the page's HTML cannot be read", file=source, hint="save it as text") from None
    lines = tuple("".join(reader.parts).replace("\u00a0", " ").split("\n"))
    return Mail(source, _subject(lines), "", "", "", lines, 1, True)
