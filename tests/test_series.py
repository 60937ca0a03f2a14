# SPDX-License-Identifier: GPL-2.0-only
"""Mails in any order become one series, or are refused with what is missing or there twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from extractor.errors import ExtractError
from extractor.mail import read_mails
from extractor.series import Series, read_series
from kernel_snippets import BUNDLED_PATCH
from tests.cli import kconform
from tests.mails import FORMS, next_revision

HUNK = "--- a/n{0}.h\n+++ b/n{0}.h\n@@ -1 +1,2 @@\n a\n+#define N{0} {1}\n"


def mail(tag: str, number: int = 1, body: str | None = None, value: str = "1") -> str:
    subject = f"Subject: {tag.format(number)}mm: change {number}\n"
    return f"From: a@b\n{subject}\n{HUNK.format(number, value) if body is None else body}"


def mbox(folder: Path, *mails: str) -> str:
    line = "From nobody Thu Aug 29 18:56:11 2024\n"
    path = folder / "box"
    path.write_text("".join(f"{line}{text}\n" for text in mails))
    return str(path)


def series(*paths: str, latest: bool = False) -> Series:
    return read_series(read_mails(paths), latest)


def names(found: Series) -> list[str]:
    return [patch.files[0].path for patch in found.patches]


def refused(*paths: str, latest: bool = False) -> str:
    with pytest.raises(ExtractError) as caught:
        series(*paths, latest=latest)
    assert caught.value.file and "\n" not in str(caught.value)
    return str(caught.value)


THREE = [mail("[PATCH v2 {}/3] ", n) for n in (1, 2, 3)]
COVER = mail("[PATCH v2 0/3] ", 0, "All about it.\n")


def test_any_order_of_files_and_mails_gives_the_series(tmp_path: Path) -> None:
    for seed in range(3):
        mails = [COVER, *THREE]
        random.Random(seed).shuffle(mails)
        found = series(mbox(tmp_path, *mails))
        assert names(found) == ["n1.h", "n2.h", "n3.h"] and found.notes == ()
        assert found.cover and found.cover.subject.startswith("[PATCH v2 0/3]")
        (tmp_path / "box").unlink()
    for name, text in zip("cab", THREE, strict=True):
        (tmp_path / name).write_text(text)
    assert names(series(str(tmp_path))) == ["n1.h", "n2.h", "n3.h"]
    assert [names(part) for part in series(str(tmp_path)).prefixes()] == [
        ["n1.h"], ["n1.h", "n2.h"], ["n1.h", "n2.h", "n3.h"],
    ]  # fmt: skip


def test_a_cover_letter_with_an_interdiff_is_no_patch(tmp_path: Path) -> None:
    cover = mail("[PATCH v2 0/3] ", 0, "Interdiff:\n" + HUNK.format(9, 9))
    assert names(series(mbox(tmp_path, cover, *THREE))) == ["n1.h", "n2.h", "n3.h"]
    assert names(series(mbox(tmp_path, cover))) == ["n9.h"]
    assert "no diff found" in refused(mbox(tmp_path, COVER))


def test_one_numbered_mail_is_a_revision_of_its_own_also_with_fixes_on_top(tmp_path: Path) -> None:
    (tmp_path / "fix.diff").write_text(HUNK.format(7, 7))
    (tmp_path / "box.mbox").write_bytes(FORMS["mbox"])
    assert [patch.number for patch in series(str(BUNDLED_PATCH)).patches] == [8]
    assert [patch.number for patch in series(str(tmp_path / "box.mbox")).patches] == [8]
    both = series(str(BUNDLED_PATCH), str(tmp_path / "fix.diff"))
    assert [patch.number for patch in both.patches] == [8, None]


def test_mails_without_numbers_stay_as_given(tmp_path: Path) -> None:
    for name, number in (("a", 2), ("b", 1)):
        (tmp_path / name).write_text(HUNK.format(number, 0))
    assert names(series(str(tmp_path / "b"), str(tmp_path / "a"))) == ["n1.h", "n2.h"]
    assert names(series(str(tmp_path))) == ["n2.h", "n1.h"]


@pytest.mark.parametrize(
    "mails, words",
    [
        ([THREE[0], THREE[2]], "box:5: error: the series is incomplete: of 3 patches, patch 2 is missing"),
        ([mail("[PATCH {}/9] ", n) for n in (2, 4, 9)], "of 9 patches, patches 1, 3 and 5-8 are missing"),
        ([COVER, *THREE, THREE[1]], "box:41: error: patch 2/3 is there twice: also"),
        ([*THREE, mail("[PATCH v2 {}/4] ", 4)], "this is patch 4 of 4, "),
        ([*THREE, mail("[PATCH {}/3] ", 2)], "this mail is of v1 of a series, others are of v2"),
        ([*THREE, mail("[PATCH] ", 4)], "not numbered, and others beside it are of a series"),
        ([*THREE, mail("[PATCH v2 {}/3] ", 4)], "there is no patch 4 of 3"),
    ],
)  # fmt: skip
def test_what_is_no_whole_series_is_refused(mails: list[str], words: str, tmp_path: Path) -> None:
    assert words in refused(mbox(tmp_path, *mails))


def test_two_revisions_of_the_bundled_patch_are_no_series() -> None:
    text = refused(str(next_revision()), str(BUNDLED_PATCH))
    assert text.startswith(f"{BUNDLED_PATCH}:1: error: this mail is of v1") and "--latest" in text


def test_the_latest_of_each_number(tmp_path: Path) -> None:
    again = mail("[PATCH v3 {}/3] ", 2, value="3")
    other = mail("[PATCH v1 {}/2] ", 1)
    found = series(mbox(tmp_path, *THREE, again, other, COVER), latest=True)
    assert [patch.version for patch in found.patches] == [2, 3, 2]
    assert [note.partition(": ")[2] for note in found.notes] == [
        "passed over, v1 1/2: v3 has 3 patches",
        "passed over, v2 2/3: v3 of it is taken",
    ]
    assert found.cover and found.cover.subject.startswith("[PATCH v2 0/3]")
    text = refused(mbox(tmp_path, THREE[0], again, other), latest=True)
    assert "of 3 patches, patch 3 is missing" in text


def test_replies_and_other_talk_are_passed_over_and_said(tmp_path: Path) -> None:
    talk = [
        mail("Re: [PATCH v2 {}/3] ", 1, "> " + HUNK.format(1, 1).replace("\n", "\n> ") + "\n"),
        mail("RE: [PATCH v2 {}/3] ", 3, "Fix on top:\n" + HUNK.format(3, 4)),
        mail("+ mm-change\x1b.patch added to -mm: ", 4),
    ]
    found = series(mbox(tmp_path, talk[0], THREE[1], talk[1], THREE[0], THREE[2], talk[2]))
    assert names(found) == ["n1.h", "n2.h", "n3.h"]
    assert [note.partition(": ")[2] for note in found.notes] == [
        "passed over, a reply: Re: [PATCH v2 1/3] mm: change 1",
        "passed over, a reply, which has a diff of its own: RE: [PATCH v2 3/3] mm: change 3",
        "passed over, no [PATCH] mail, which has a diff of its own: "
        "+ mm-change .patch added to -mm: mm: change 4",
    ]
    assert names(series(mbox(tmp_path, talk[1]))) == ["n3.h"]
    assert "quoted in a reply" in refused(mbox(tmp_path, talk[0]))


def test_the_command_takes_a_prefix_and_says_what_it_passed_over(tmp_path: Path) -> None:
    box = mbox(tmp_path, mail("Re: [PATCH {}/3] ", 1, "Nice.\n"), *THREE)
    done = kconform("extract", box, "--prefix", 2)
    assert (done.status, done.err) == (
        0,
        f"note: {box}: passed over, a reply: Re: [PATCH 1/3] mm: change 1\n",
    )
    assert [line.split(":")[0] for line in done.out.splitlines()] == ["n1.h", "n2.h"]
    done = kconform("layout", box, "--prefix", 4)
    assert done.status == 2 and "error: there is no prefix of 4 patches, the series has 3" in done.err
    box = mbox(tmp_path, *THREE, mail("[PATCH v3 {}/3] ", 1))
    assert kconform("extract", box).status == 2 and kconform("extract", box, "--latest").status == 0


def test_mails_of_an_mbox_without_empty_lines_between_them(tmp_path: Path) -> None:
    path = tmp_path / "box"
    path.write_text("".join(f"From nobody Thu Aug 29 18:56:11 2024\n{text.rstrip()}\n" for text in THREE))
    assert names(series(str(path))) == ["n1.h", "n2.h", "n3.h"]
