# SPDX-License-Identifier: GPL-2.0-only
"""The bundled mail in the forms in which people have it, and the next revision's."""

from __future__ import annotations

import html
from email.message import EmailMessage
from pathlib import Path

from extractor.extract import extract_items
from extractor.items import Item
from extractor.mail import read_mails
from extractor.patch import parse_patch
from kernel_snippets import BUNDLED_PATCH

V1 = BUNDLED_PATCH.read_text()
V2 = Path(__file__).parents[2] / "shared/patches/mm-owner-tracking-v2-12of20.eml"
SUBJECT = "[PATCH v1 08/17] mm/rmap: initial MM owner tracking for large folios (!hugetlb)"
BODY = V1[V1.index("Let's track") : V1.index("-- \n2.46.0") + 10]


def next_revision() -> Path:
    """The v2 mail, which is not part of the checkout: a test that needs it fails where it is absent."""
    assert V2.is_file(), f"{V2} is needed: the v2 mail is not part of the checkout"
    return V2


def message(encoding: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "David Hildenbrand <david@xxxxxxxxxx>"
    mail["Subject"] = SUBJECT
    mail["Date"] = "Thu, 29 Aug 2024 18:56:11 +0200"
    mail.set_content(BODY, cte=encoding)
    return mail


def multipart() -> bytes:
    mail = message("8bit")
    mail.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="graph.png")
    return bytes(mail)


def mbox() -> bytes:
    cover = f"From: a@b\nSubject: {SUBJECT.replace('08/17', '00/17')}\n\nA cover letter.\n\n"
    patch = bytes(message("8bit")).replace(b"\nFrom ", b"\n>From ")
    line = b"From nobody Thu Aug 29 18:56:11 2024\n"
    return line + cover.encode() + line + patch


FORMS = {
    "quoted-printable": bytes(message("quoted-printable")),
    "base64": bytes(message("base64")),
    "8bit": bytes(message("8bit")),
    "multipart": multipart(),
    "mbox": mbox(),
    "html": f"<!DOCTYPE html><html><head><title>{SUBJECT}</title></head><body><h1>{SUBJECT}</h1>"
    f"<a href='/'>Index</a><pre>{html.escape(BODY)}</pre></body></html>".encode(),
    "crlf": V1.replace("\n", "\r\n").encode(),
    "bare diff": V1[V1.index("diff --git") : V1.index("-- \n2.46.0")].encode(),
    "format-patch": b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
    + bytes(message("8bit")),
}


def items_of(path: Path) -> list[Item]:
    return extract_items(parse_patch(read_mails([str(path)])[0]))
