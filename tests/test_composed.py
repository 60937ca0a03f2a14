# SPDX-License-Identifier: GPL-2.0-only
"""Patches on top of each other, without the files that they are for, are one change of each file."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractor.apply import apply_patches
from extractor.composed import composed
from extractor.errors import ExtractError
from extractor.extract import series_items
from extractor.mail import Mail
from extractor.patch import Patch, parse_patch
from extractor.regions import regions
from tests.cli import ONE, QUICK, kconform
from tests.mails import V1
from tests.test_toys import added_file

FILE = "include/linux/a.h"
LINES = st.lists(st.sampled_from("abcdefgh"), min_size=0, max_size=30)


def patch_of(number: int, old: Sequence[str], new: Sequence[str], context: int = 3) -> Patch:
    said = difflib.unified_diff(old, new, f"a/{FILE}", f"b/{FILE}", n=context, lineterm="")
    return parse_patch(Mail(f"mail {number}", f"[PATCH {number}/9] change", "", "", "", tuple(said)))


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, min_size=2, max_size=5), st.integers(0, 3))
def test_what_is_composed_is_the_whole_change(versions: list[list[str]], context: int) -> None:
    versions = [[*map(str, range(5)), *lines, *map(str, range(5, 9))] for lines in versions]
    pairs = [(a, b) for a, b in pairwise(versions) if a != b]
    patches = [patch_of(number, a, b, context) for number, (a, b) in enumerate(pairs, 1)]
    if not patches:
        return
    base, last = pairs[0][0], pairs[-1][1]
    made = composed(patches)
    assert sum(len(patch.files) for patch in made) == 1
    applied = apply_patches(made, lambda _: "\n".join(base) + "\n").files[FILE]
    assert [line.text for line in applied or ()] == last
    for region in regions(made[0].files[0]):
        for line in region.lines:
            assert last[line.number - 1] == line.text


def test_a_line_that_is_put_back_was_never_changed() -> None:
    one, two = [*"abcdefgh"], [*"abcXefgh"]
    file = composed([patch_of(1, one, two), patch_of(2, two, one)])[0].files[0]
    assert {line.kind for hunk in file.hunks for line in hunk.lines} == {" "}


def test_what_is_added_and_removed_again_leaves_no_hunk() -> None:
    one, two = [*"abcdefgh"], [*"abcdXefgh"]
    patches = [patch_of(1, one, two, context=0), patch_of(2, two, one, context=0)]
    assert composed(patches)[0].files[0].hunks == ()
    far = ([*one, "i"], [*one, "i", "Y"])
    three = patch_of(3, *far, context=0)
    (made,) = (hunk for patch in composed([*patches, three]) for file in patch.files for hunk in file.hunks)
    assert (made.old_start, made.new_start, [line.text for line in made.lines]) == (9, 10, ["Y"])


RENAME = "diff --git a/{0} b/{1}\nsimilarity index 100%\nrename from {0}\nrename to {1}\n"
OLD, NEW = "mm/old.h", "mm/new.h"


def mail_of(number: int, diff: str) -> Patch:
    return parse_patch(Mail(f"mail {number}", f"[PATCH {number}/9] x", "", "", "", tuple(diff.split("\n"))))


def change(name: str) -> str:
    return f"--- a/{name}\n+++ b/{name}\n@@ -1,2 +1,2 @@\n-int a;\n+int b;\n int c;"


def test_a_new_file_under_a_name_that_was_renamed_away_is_another() -> None:
    renamed = mail_of(1, RENAME.format(OLD, NEW) + "-- ")
    new = mail_of(2, added_file(OLD, "int toy;\nint c;\n"))
    made = composed([renamed, new, mail_of(3, change(OLD).replace("int a;", "int toy;"))])
    assert [line.text for line in made[1].files[0].hunks[0].lines] == ["int b;", "int c;"]
    assert made[1].files[0].status == "added"
    for patches in (
        [mail_of(1, change(OLD)), mail_of(2, RENAME.format(OLD, NEW))],
        [renamed, mail_of(2, change(OLD))],
        [renamed, mail_of(2, change(OLD)), new],
        [mail_of(1, added_file(OLD, "int toy;\n")), mail_of(2, RENAME.format(OLD, NEW))],
    ):
        with pytest.raises(ExtractError, match="is renamed here"):
            composed(patches)


def test_a_hunk_with_other_numbers_is_found_where_its_lines_are() -> None:
    one, two = [*"abcdefgh"], [*"abcdXefgh"]
    late = patch_of(2, ["0"] * 7 + [*"cdXef"], ["0"] * 7 + [*"cdYef"], context=2)
    file = composed([patch_of(1, one, two), late])[0].files[0]
    assert [line.text for line in file.hunks[0].lines if line.kind == "+"] == ["Y"]


def test_a_patch_that_does_not_fit_the_one_before_is_refused() -> None:
    first = patch_of(1, [*"abcdefgh"], [*"abcdXefgh"])
    with pytest.raises(ExtractError) as caught:
        series_items([first, patch_of(2, [*"abcdZefgh"], [*"abcdWefgh"])])
    said = str(caught.value)
    assert said.startswith("mail 2:") and "does not fit what the patches before it leave" in said
    assert "--tree" in said


def fix(number: str, old: str, new: str) -> str:
    return f"From: a@b\nSubject: [PATCH v1 {number}] mm/rmap: again\n\n---\n{hunk(old, new)}"


def hunk(old: str, new: str) -> str:
    return (
        "--- a/include/linux/rmap.h\n+++ b/include/linux/rmap.h\n"
        "@@ -256,5 +256,5 @@ static __always_inline void folio_add_large_mapcount(struct folio *folio,\n"
        " \t\tif (folio->_mm0_mapcount < 0) {\n \t\t\tfolio_set_mm0_id(folio, mm_id);\n"
        f"-\t\t\tfolio->_mm0_mapcount = {old};\n+\t\t\tfolio->_mm0_mapcount = {new};\n"
        " \t\t} else {\n \t\t\tVM_WARN_ON_ONCE(folio->_mm1_mapcount >= 0);\n"
    )


def test_a_later_patch_of_a_series_counts(tmp_path: Path) -> None:
    """Its change of what an earlier one adds was passed over once, and the defect with it."""
    (tmp_path / "1").write_text(V1.replace("[PATCH v1 08/17]", "[PATCH v1 1/3]", 1))
    (tmp_path / "2").write_text(fix("2/3", "diff - 1", "diff"))
    (tmp_path / "3").write_text(fix("3/3", "diff", "diff - 1"))
    known = kconform("check", tmp_path / "1", *ONE, *QUICK, "--format", "json").failed()
    broken = kconform("check", tmp_path, "--prefix", 2, *ONE, *QUICK, "--format", "json").failed()
    mended = kconform("check", tmp_path, "--no-prefixes", *ONE, *QUICK, "--format", "json").failed()
    assert mended == known and "conformance/add/count0" in broken - known
