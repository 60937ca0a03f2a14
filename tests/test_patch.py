# SPDX-License-Identifier: GPL-2.0-only
"""What a diff may look like, and which damage is refused at which line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractor.errors import ExtractError
from extractor.mail import Mail, read_mails
from extractor.patch import Patch, parse_patch
from tests.mails import SUBJECT, V1, V2

LINES = V1.split("\n")
DIFF = range(V1[: V1.index("diff --git")].count("\n"), V1[: V1.index("-- \n2.46.0")].count("\n"))
PATHS = [line.split(" b/")[1] for line in LINES if line.startswith("diff --git ")]
HEAD = "--- a/x.c\n+++ b/x.c\n"
HUNK = "@@ -1,2 +1,3 @@ f(void)\n \ta;\n+\tb;\n \tc;\n"


def parse(text: str, subject: str = SUBJECT) -> Patch:
    return parse_patch(Mail("m", subject, "", "", "", tuple(text.split("\n")), 11))


def refused(text: str) -> ExtractError:
    with pytest.raises(ExtractError) as caught:
        parse(text)
    assert caught.value.file == "m"
    return caught.value


def test_the_v2_mail() -> None:
    (mail,) = read_mails([str(V2)])
    patch = parse_patch(mail)
    assert (patch.version, patch.number, patch.total, len(patch.files)) == (2, 12, 20, 8)
    assert patch.sender.startswith("David") and patch.message_id.startswith("<2025") and patch.notes == ()


@pytest.mark.parametrize(
    "tag, numbers",
    [
        ("[PATCH]", (1, None, None)),
        ("Re: [RFC PATCH v3 0/4]", (3, 0, 4)),
        ("[PATCHv2 1/3]", (2, 1, 3)),
        ("[PATCH 01/10 v4]", (4, 1, 10)),
        ("[mm] [PATCH RESEND mm-unstable v12 7/9]", (12, 7, 9)),
        ("[PATCH v" + "9" * 5000 + "]", (1, None, None)),
    ],
)
def test_the_subject_numbers(tag: str, numbers: tuple[int, int | None, int | None]) -> None:
    patch = parse(HEAD + HUNK, tag + " mm: x")
    assert (patch.version, patch.number, patch.total) == numbers


def test_plain_diffs_stripped_blanks_and_missing_newlines() -> None:
    plain = "--- x.c\t2024-01-01\n+++ x.c\t2024-01-02\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n"
    (file,) = parse(plain).files
    assert (file.path, [(ln.kind, ln.text, ln.number) for ln in file.hunks[0].lines]) == (
        "x.c",
        [("-", "a", None), ("+", "b", 1)],
    )
    blank = HEAD + "@@ -1,3 +1,4 @@\n a\n \n+b\n c\n"
    assert parse(blank.replace("\n \n", "\n\n")).sha256 == parse(blank).sha256


def test_added_deleted_renamed_and_binary_files() -> None:
    text = (
        "diff --git a/n.c b/n.c\nnew file mode 100644\nindex 0..1\n"
        "--- /dev/null\n+++ b/n.c\n@@ -0,0 +1 @@\n+n\n"
        "diff --git a/d.c b/d.c\ndeleted file mode 100644\n--- a/d.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-d\n"
        "diff --git a/o.c b/r.c\nsimilarity index 100%\nrename from o.c\nrename to r.c\n"
        "diff --git a/e.c b/e.c\nnew file mode 100644\n"
        'diff --git "a/\\303\\274.c" "b/\\303\\274.c"\n'
        '--- "a/\\303\\274.c"\n+++ "b/\\303\\274.c"\n@@ -1 +1 @@\n-a\n+b\n'
        "diff --git a/b.png b/b.png\nindex 1..2\nBinary files a/b.png and b/b.png differ\n"
    )
    patch = parse(text)
    assert [(f.path, f.status) for f in patch.files] == [
        ("n.c", "added"), ("d.c", "deleted"), ("r.c", "renamed"), ("e.c", "added"), ("ü.c", "modified"),
    ]  # fmt: skip
    assert "binary" in patch.notes[0]


DAMAGE = {
    "truncated": (HEAD + HUNK[:-5], 15, "1 or more lines missing"),
    "next hunk too early": (
        HEAD + HUNK.replace("-1,2 +1,3", "-1,3 +1,4") + "@@ -9 +9 @@\n-a\n+b\n",
        13,
        "more",
    ),
    "signature too early": (HEAD + HUNK.replace("-1,2 +1,3", "-1,3 +1,4") + "-- \n2.46.0\n", 13, "more"),
    "line too many": (HEAD + HUNK + "+\td;\n", 13, "fewer"),
    "context too many": (HEAD + HUNK + " \td;\n+\te;\n", 13, "fewer"),
    "wrapped": (HEAD + HUNK.replace("b;", "b\n;"), 16, "wrapped"),
    "entities": (HEAD + HUNK.replace("+\tb;", "&lt;b;"), 15, "HTML"),
    "soft break": (HEAD + HUNK.replace("b;", "b=\n;"), 16, "quoted-printable"),
    "overlap": (HEAD + HUNK + HUNK.replace("-1,2 +1,3", "-2,2 +4,3"), 17, "overlaps"),
    "out of order": (HEAD + HUNK.replace("-1,2 +1,3", "-9,2 +9,3") + HUNK, 17, "stands before"),
    "no file header": (HUNK, 11, "without a file header"),
    "bad hunk header": (HEAD + "@@ -1,x +1 @@\n", 13, "hunk header"),
    "digits": (HEAD + "@@ -" + "1" * 5000 + " +1 @@\n", 13, "hunk header"),
    "no hunk": (HEAD + HUNK[HUNK.index(" \ta") :], 13, "without a hunk"),
    "line 0": (HEAD + HUNK.replace("+1,3", "+0,3"), 13, "line 0"),
    "absolute": (HEAD.replace("b/x.c", "/etc/x.c") + HUNK, 12, "leaves the tree"),
    "rename out": ("diff --git a/x b/x\nrename from x\nrename to ../x\n", 13, "leaves the tree"),
    "quote in path": (HEAD.replace("b/x.c", 'b/x".c') + HUNK, 12, "characters"),
    "tabs lost": (HEAD + HUNK.replace("\t", " " * 8), 14, "turned to spaces"),
    "quoted": ("> " + (HEAD + HUNK).replace("\n", "\n> "), 13, "quoted in a reply"),
    "none": ("hello\n", None, "no diff found"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused_at_its_line(damage: str) -> None:
    text, line, words = DAMAGE[damage]
    err = refused(text)
    assert words in err.message and err.line == line and err.hint


def test_diffstats() -> None:
    stat = "---\n x.c | 1 +\n y.c | 2 ++\n 2 files changed, 3 insertions(+)\n\n"
    assert "y.c" in refused(stat + HEAD + HUNK).message
    notes = parse(stat + HEAD + HUNK + "-- \n2.46.0\n").notes
    assert "y.c" in notes[0] and "+3 -0" in notes[1] and "+1 -0" in notes[1]
    assert parse("A table:\n\n ops/s | 12 | 13\n\n" + HEAD + HUNK).notes == ()


def test_what_follows_the_last_hunk_is_ignored() -> None:
    for end in ("-- \n2.46.0\n", "--\n2.46.0\n", "\n[Index of Archives]\n", "-----------\nnext\n"):
        assert parse(HEAD + HUNK + end).sha256 == parse(HEAD + HUNK).sha256


def test_a_run_of_blank_lines_costs_no_quadratic_time() -> None:
    refused(HEAD + "@@ -1,999999999 +1,999999999 @@\n" + "\n" * 200_000 + "x\n")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(DIFF), st.sampled_from(["delete", "double", "cut"]))
def test_one_line_lost_or_doubled_is_only_ever_refused(at: int, how: str) -> None:
    tail = {"delete": LINES[at + 1 :], "double": [LINES[at], *LINES[at:]], "cut": []}[how]
    try:
        patch = parse("\n".join(LINES[:at] + tail))
    except ExtractError as err:
        assert err.file == "m"
    else:  # lines that are no hunk's, such as `index`, may go unnoticed; what the diffstat names may not
        assert [f.path for f in patch.files] == PATHS


@pytest.mark.parametrize(
    "change",
    [
        "diff --git a/mm/a.c b/mm/a.c\nindex 1..2 100644\nGIT binary patch\ndelta 4\nabcd\n\n",
        "diff --git a/mm/a.c b/mm/a.c\nindex 1..2 100644\nBinary files a/mm/a.c and b/mm/a.c differ\n",
        "diff --git a/mm/Kconfig b/mm/Kconfig\nindex 1..2 100644\nBinary files differ\n",
        "Binary files old/linux/mm.h and new/linux/mm.h differ\n",
    ],
)
def test_a_binary_change_of_code_is_refused(change: str) -> None:
    rest = "--- a/x.h\n+++ b/x.h\n@@ -1 +1 @@\n-int a;\n+int b;\n"
    for text in (change + rest, rest + change):
        with pytest.raises(ExtractError, match=r":\d+: error: a binary change of code") as caught:
            parse_patch(Mail("p.diff", "", "", "", "", tuple(text.split("\n"))))
        assert "format-patch --text" in str(caught.value)
    for name in ("a.png", "a.c.gz"):
        shown = f"diff --git a/{name} b/{name}\nBinary files a/{name} and b/{name} differ\n" + rest
        assert parse_patch(Mail("p.diff", "", "", "", "", tuple(shown.split("\n")))).notes
