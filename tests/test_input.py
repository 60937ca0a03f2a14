# SPDX-License-Identifier: GPL-2.0-only
"""Mails and patches: what is read, and what is refused at which line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractor.errors import ExtractError
from extractor.extract import extract_items
from extractor.mail import Mail, read_mails
from extractor.patch import Patch, parse_patch
from kernel_snippets import BUNDLED_PATCH
from tests.cli import kconform
from tests.mails import FORMS, SUBJECT, V1

LINES = V1.split("\n")


def parse(text: str) -> Patch:
    return parse_patch(Mail("mail.txt", SUBJECT, "", "", "", tuple(text.split("\n"))))


def test_the_bundled_mail_is_the_one_in_shared() -> None:
    shared = Path(__file__).parents[2] / "shared/patches" / BUNDLED_PATCH.name
    assert shared.is_file(), f"{shared} is needed to compare"
    assert BUNDLED_PATCH.read_bytes() == shared.read_bytes()


def test_headers_and_numbers() -> None:
    (mail,) = read_mails([str(BUNDLED_PATCH)])
    patch = parse_patch(mail)
    assert patch.subject == SUBJECT
    assert (patch.version, patch.number, patch.total) == (1, 8, 17)
    assert len(patch.files) == 10 and patch.notes == ()
    assert "There won't be any false" in patch.message and "diff --git" not in patch.message


def test_a_directory_and_an_mbox(tmp_path: Path) -> None:
    (tmp_path / "0001.patch").write_bytes(FORMS["format-patch"])
    (tmp_path / "0002.mbox").write_bytes(FORMS["mbox"])
    assert [m.subject[:16] for m in read_mails([str(tmp_path)])] == [
        "[PATCH v1 08/17]", "[PATCH v1 00/17]", "[PATCH v1 08/17]",
    ]  # fmt: skip


def at(text: str) -> int:
    return next(i for i, line in enumerate(LINES) if text in line)


HUNK = at("@@ -1187,6 +1188,46 @@")
DAMAGE = {
    "truncated": (LINES[: HUNK + 10], HUNK + 10, "truncated"),
    "cut between files": (LINES[: at("diff --git a/mm/Kconfig")], None, "truncated"),
    "wrapped": ([*LINES[: HUNK + 5], "folio);", *LINES[HUNK + 5 :]], HUNK + 6, "wrapped"),
    "quoted-printable": ([*LINES[: HUNK + 5], "x =3D 1", *LINES[HUNK + 5 :]], HUNK + 6, "quoted-printable"),
    "a line lost": (LINES[: HUNK + 5] + LINES[HUNK + 6 :], None, "counts are off"),
    "a line too many": ([*LINES[: HUNK + 5], LINES[HUNK + 5], *LINES[HUNK + 5 :]], None, "counts are off"),
    "tabs lost": ([line.replace("\t", "        ") for line in LINES], None, "turned to spaces"),
    "no diff": (LINES[: at("diff --git")], None, "no diff found"),
    "leaves the tree": ([re.sub(r"^\+\+\+ b/mm/Kconfig", "+++ b/../x", t) for t in LINES], None, "leaves"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused(damage: str) -> None:
    lines, line, words = DAMAGE[damage]
    with pytest.raises(ExtractError, match=words) as caught:
        parse("\n".join(lines))
    assert caught.value.file == "mail.txt"
    if line is not None:
        assert caught.value.line == line
    if damage != "no diff":
        assert caught.value.line


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(V1) - 1), st.integers(0, 400))
def test_cutting_anything_out_never_breaks_the_reader(start: int, length: int) -> None:
    try:
        extract_items(parse(V1[:start] + V1[start + length :]))
    except ExtractError as err:
        assert str(err).startswith("mail.txt")


@pytest.mark.parametrize(
    "data, words",
    [(b"", "empty"), (b"\0\1", "binary"), (b"Subject: hello\n\nno patch here\n", "no diff found")],
)
def test_unusable_input_is_one_line(data: bytes, words: str) -> None:
    done = kconform("check", "-", stdin=data)
    assert done.status == 2 and words in done.err and done.err.count("\n") == 1


def test_missing_files_and_documentation_only_patches() -> None:
    done = kconform("check", "no/such/mail")
    assert done.status == 2 and done.err.startswith("no/such/mail: error:")
    only = "\n".join(LINES[at("diff --git") : at("diff --git a/arch")])
    done = kconform("check", "-", stdin=only)
    assert done.status == 2 and "nothing to check" in done.err
