# SPDX-License-Identifier: GPL-2.0-only
"""Where hunks go in a tree's file, what is said of it, and which are refused with the nearest place."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractor.apply import Applied, apply_patches
from extractor.errors import ExtractError, Reject
from extractor.mail import Mail
from extractor.patch import Patch, parse_patch
from harness.cli import extract, main

BASE = "".join(f"\tline{n}();\n" for n in range(1, 31))


def diff(old: str, new: str, path: str = "mm/a.c") -> str:
    lines = [text.splitlines(keepends=True) for text in (old, new)]
    return f"diff --git a/{path} b/{path}\n" + "".join(
        difflib.unified_diff(*lines, fromfile=f"a/{path}", tofile=f"b/{path}")
    )


def patch(text: str, source: str = "m") -> Patch:
    return parse_patch(Mail(source, "", "", "", "", tuple(text.split("\n")), 101))


def applied(tree: Mapping[str, str], *texts: str) -> Applied:
    return apply_patches([patch(text, f"m{n}") for n, text in enumerate(texts)], tree.get)


def text_of(made: Applied, path: str = "mm/a.c") -> str:
    lines = made.files[path]
    assert lines is not None and [line.number for line in lines] == list(range(1, len(lines) + 1))
    return "".join(line.text + "\n" for line in lines)


def added(made: Applied, path: str = "mm/a.c") -> list[str]:
    assert {line.origin for line in made.files[path] or ()} <= {"added", "tree"}
    return [line.text for line in made.files[path] or () if line.origin == "added"]


def refused(tree: Mapping[str, str], *texts: str) -> ExtractError:
    with pytest.raises(ExtractError) as caught:
        applied(tree, *texts)
    assert "\n" not in str(caught.value) and caught.value.hint
    return caught.value


def changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


L10, L20 = "\tline10();\n", "\tline20();\n"
ONE = diff(BASE, changed(BASE, (L10, L10 + "\tnew10();\n"), (L20, "\tnew20();\n")))


def test_an_exact_fit_says_nothing_and_knows_what_was_added() -> None:
    made = applied({"mm/a.c": BASE}, ONE)
    assert text_of(made) == changed(BASE, (L10, L10 + "\tnew10();\n"), (L20, "\tnew20();\n"))
    assert added(made) == ["\tnew10();", "\tnew20();"] and made.notes == ()


@pytest.mark.parametrize(
    "change, notes",
    [
        (("\tline1();\n", "\tx();\n" * 4), ["hunk 1 of mm/a.c applied at line 11 (offset +3)",
                                           "hunk 2 of mm/a.c applied at line 21 (offset +3)"]),
        (("\tline1();\n\tline2();\n", ""), ["hunk 1 of mm/a.c applied at line 6 (offset -2)",
                                          "hunk 2 of mm/a.c applied at line 16 (offset -2)"]),
        (("\tline8();\n", "\tother();\n"), ["hunk 1 of mm/a.c applied at line 8 (fuzz 1)"]),
        (("\tline9();\n", "\tother();\n"), ["hunk 1 of mm/a.c applied at line 8 (fuzz 2)"]),
        (("\tline22();\n", "\ta();\n\tb();\n"), ["hunk 2 of mm/a.c applied at line 18 (fuzz 2)"]),
        (("\tline15();\n", "\ta();\n\tline15();\n"), ["hunk 2 of mm/a.c applied at line 19 (offset +1)"]),
    ],
)  # fmt: skip
def test_offsets_and_fuzz_are_said(change: tuple[str, str], notes: list[str]) -> None:
    made = applied({"mm/a.c": changed(BASE, change)}, ONE)
    assert text_of(made) == changed(changed(BASE, change), (L10, L10 + "\tnew10();\n"), (L20, "\tnew20();\n"))
    assert [note.partition(": ")[2] for note in made.notes] == notes
    assert all(note.startswith(("m0:104: ", "m0:112: ")) for note in made.notes)


def test_the_nearest_of_two_places_and_never_before_an_applied_hunk() -> None:
    block = "\ta();\n\tb();\n\tc();\n"
    text = diff(block, block.replace("\tb", "\tnew();\n\tb")).replace("@@ -1,3 +1,4", "@@ -{0},3 +{0},4")
    far = "{\n" + block + "\tx();\n" * 10 + block + "}\n"
    for start, at in ((6, 1), (12, 14), (8, 1), (9, 14)):
        made = text_of(applied({"mm/a.c": far}, text.format(start))).split("\n")
        assert made.index("\tnew();") == at + 1
    twice = text.format(1) + text.format(5)[text.index("@@") :].replace("+5", "+6")
    assert added(applied({"mm/a.c": block * 2}, twice)) == ["\tnew();"] * 2
    with pytest.raises(Reject, match=r"hunk 2 of mm/a\.c does not apply"):
        applied({"mm/a.c": block}, twice)


def test_braces_and_blank_lines_alone_are_no_place() -> None:
    old = "\tf();\n\tg();\n}\n\n\th();\n\ti();\n"
    text = diff(old, old.replace("}\n", "}\n#endif\n"))
    assert "2 of its 6 old lines match" in refused({"mm/a.c": "{\n}\n\n"}, text).message


def test_the_ends_of_a_file_are_found_by_missing_context() -> None:
    old = "\ta();\n\tb();\n\tc();\n"
    top, end = diff(old, "\tnew();\n" + old), diff(old, old + "\tnew();\n")
    assert text_of(applied({"mm/a.c": old + "\tx();\n" + old}, top)).startswith("\tnew();\n\ta")
    assert text_of(applied({"mm/a.c": old + "\tx();\n" + old}, end)).endswith("\tc();\n\tnew();\n")
    assert "4 of" not in refused({"mm/a.c": "\tx();\n" + old + "\tx();\n"}, end).message


def test_context_left_out_at_the_begin_must_have_a_place_in_the_file() -> None:
    old = "\ta();\n\tb();\n\tc();\n\td();\n\te();\n\tf();\n"
    text = diff("\tx();\n" + old, "\tx();\n" + old.replace("\td", "\tnew();\n\td"))
    assert added(applied({"mm/a.c": old[: old.index("\te")]}, text)) == ["\tnew();"]
    assert "5 of its 6 old lines match" in refused({"mm/a.c": old[old.index("\tb") :]}, text).message


def test_a_reject_names_hunk_line_and_the_nearest_place(capsys: pytest.CaptureFixture[str]) -> None:
    tree = changed(BASE, ("\tline2();\n", ""), (L20, "\tother\x1b20();\n"))
    err = refused({"mm/a.c": tree}, ONE)
    assert isinstance(err, Reject) and (err.file, err.line) == ("m0", 112)
    assert err.message == (
        "hunk 2 of mm/a.c does not apply: 6 of its 7 old lines match at line 16, the first that differs: "
        "the hunk expects 'line20();', line 19 has 'other 20();'"
    )
    shown = err.excerpt.split("\n")
    assert shown[0] == "m0:112: hunk 2 of mm/a.c does not apply" and shown[1] == "    @@ -17,7 +18,7 @@"
    assert "    -\tline20();" in shown and "    !     19 \tother 20();" in shown and "\x1b" not in err.excerpt
    monkey = pytest.MonkeyPatch()
    monkey.setattr(extract, "run_extract", lambda options: applied({"mm/a.c": tree}, ONE))
    assert main.main(["extract", "x"]) == 2
    monkey.undo()
    assert capsys.readouterr().err == f"{err}\n{err.excerpt}\n"


def test_all_rejects_of_a_patch_are_shown() -> None:
    err = refused({"mm/a.c": "\tx();\n"}, ONE)
    assert "none of its lines (2 of the patch's 2 hunks do not apply)" in err.message
    assert isinstance(err, Reject) and "m0:112: hunk 2 of mm/a.c does not" in err.excerpt


def test_where_only_blanks_differ_they_are_shown() -> None:
    old, tree = "\tf();\n    \tg();\n", "\tf();\n\tg();\n"
    assert (
        r"the hunk expects '    \tg();', line 2 has '\tg();'"
        in refused({"mm/a.c": tree}, diff(old, "\tf();\n")).message
    )


@pytest.mark.parametrize("new", [BASE.replace(L10, L10 + "\tnew();\n"), BASE.replace(L10, "")])
def test_what_is_there_already_is_said(new: str) -> None:
    both = diff(BASE, changed(new, (L20, "\tnew20();\n")))
    words = "(2 of the patch's 2 hunks do not apply, 1 of them are applied already)"
    assert words in refused({"mm/a.c": changed(new, (L20, ""))}, both).message
    assert "hunk 1 of mm/a.c is already applied" in refused({"mm/a.c": "\n" + new}, diff(BASE, new)).message


NEW = "diff --git a/n.c b/n.c\nnew file mode 100644\n--- /dev/null\n+++ b/n.c\n@@ -0,0 +1,2 @@\n+\tn();\n+\n"
GONE = "diff --git a/n.c b/n.c\ndeleted file mode 1\n--- a/n.c\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-\tn();\n-\n"
MOVE = "diff --git a/{0} b/{1}\nsimilarity index 90%\n{2} from {0}\n{2} to {1}\n"
EDIT = "--- a/{0}\n+++ b/{1}\n@@ -1,2 +1,3 @@\n \tn();\n \n+\tm();\n"


def test_files_come_go_and_move() -> None:
    tree = {"n.c": "\tn();\n\n", "b.c": "b\n"}
    made = applied({}, NEW)
    assert text_of(made, "n.c") == "\tn();\n\n" and added(made, "n.c") == ["\tn();", ""]
    assert applied(tree, GONE).files == {"n.c": None}
    assert applied({}, NEW, GONE).files == {"n.c": None}
    assert text_of(applied(tree, GONE, NEW), "n.c") == "\tn();\n\n"
    made = applied(tree, MOVE.format("n.c", "r.c", "rename") + EDIT.format("n.c", "r.c"))
    assert made.files["n.c"] is None and text_of(made, "r.c") == "\tn();\n\n\tm();\n"
    assert added(made, "r.c") == ["\tm();"]
    made = applied(tree, EDIT.format("n.c", "n.c") + MOVE.format("n.c", "c.c", "copy"))
    assert text_of(made, "n.c").endswith("m();\n") and text_of(made, "c.c") == "\tn();\n\n"
    swapped = applied(tree, MOVE.format("n.c", "b.c", "rename") + MOVE.format("b.c", "n.c", "rename"))
    assert text_of(swapped, "n.c") == "b\n" and text_of(swapped, "b.c") == "\tn();\n\n"
    plain = NEW[NEW.index("---") :].replace("/dev/null", "n.c\t1970-01-01")
    assert text_of(applied({}, plain), "n.c") == "\tn();\n\n"


@pytest.mark.parametrize(
    "tree, texts, words",
    [
        ({}, [ONE], "the tree has no mm/a.c, which the patch changes; is this the right tree?"),
        ({}, [GONE], "the tree has no n.c, which the patch deletes"),
        ({}, [MOVE.format("n.c", "r.c", "rename")], "the tree has no n.c, which the patch renames"),
        ({"n.c": "x\n"}, [NEW], "the tree has n.c already, which the patch adds; is the"),
        ({"n.c": "", "r.c": ""}, [MOVE.format("n.c", "r.c", "copy")], "r.c already, which the patch copies"),
        ({}, [NEW, NEW], "an earlier patch has n.c already"),
        ({}, [NEW, GONE, EDIT.format("n.c", "n.c")], "an earlier change deletes n.c, which the"),
        ({"n.c": "\tn();\n\nx\n"}, [GONE], "of which the tree has more than the patch removes"),
    ],
)  # fmt: skip
def test_files_that_should_or_should_not_be_there(tree: dict[str, str], texts: list[str], words: str) -> None:
    err = refused(tree, *texts)
    assert words in str(err) and err.file == f"m{len(texts) - 1}" and err.line


def test_a_series_keeps_what_earlier_patches_added() -> None:
    second = changed(BASE, (L10, L10 + "\tnew10();\n"), (L20, "\tnew20();\n"))
    third = changed(second, ("\tnew10();\n", "\tnew10();\n\tlater();\n"), ("\tline28();\n", ""))
    made = applied({"mm/a.c": BASE.replace("\n", "\r\n")}, ONE, diff(second, third))
    assert text_of(made) == third and made.notes == ()
    assert added(made) == ["\tnew10();", "\tlater();", "\tnew20();"]


LINES = st.lists(st.sampled_from("abc}\n"), max_size=12).map(lambda ls: "".join(c.strip() + "\n" for c in ls))


@settings(max_examples=120)
@given(LINES, LINES, LINES, LINES)
def test_any_change_applies_to_its_own_base_and_between_other_lines(
    old: str, new: str, before: str, after: str
) -> None:
    if old == new:
        return
    assert text_of(applied({"mm/a.c": old}, diff(old, new))) == new
    around = [f"{word}{n}\n" * 1 for word in ("top", "end") for n in range(4)]
    top, end = before + "".join(around[:4]), "".join(around[4:]) + after
    text = diff(top + old + end, top + new + end)
    shifted = applied({"mm/a.c": "more\n" + top + old + end}, text)
    if len(patch(text).files[0].hunks) == 1 and shifted.notes and "fuzz" not in shifted.notes[0]:
        assert sorted(text_of(shifted)) == sorted("more\n" + top + new + end)


HOSTILE: dict[str, Callable[[], tuple[str, str]]] = {
    "one line all over": lambda: ("x\n" * 20_000, "x\n" * 5000 + "y\n" + "x\n" * 5000),
    "nearly periodic": lambda: ("a\nb\n" * 10_000, "a\nb\n" * 4000 + "b\n" + "a\nb\n" * 1000),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_hostile_hunks_cost_no_quadratic_time(how: str) -> None:
    tree, old = HOSTILE[how]()
    head = f"--- a/a.c\n+++ b/a.c\n@@ -9000,{old.count(chr(10))} +9000,{old.count(chr(10)) + 1} @@\n"
    text = head + "".join(f" {line}\n" for line in old.split("\n")[:-1]) + "+z\n"
    err = refused({"a.c": tree}, text)
    assert "does not apply" in err.message and len(str(err)) < 1000


def test_copies_of_copies_are_refused() -> None:
    text = "".join(MOVE.format("a.c", f"c{n}.c", "copy") for n in range(600))
    with pytest.raises(ExtractError, match=r"^m0: error: .* more than 5,000,000 lines"):
        applied({"a.c": "\n" * 10_000}, text)
