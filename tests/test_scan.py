# SPDX-License-Identifier: GPL-2.0-only
"""The scanner's traps: what C looks like at a hunk's borders, and what nobody should send."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractor.errors import ExtractError
from extractor.extract import extract_items, file_items
from extractor.items import Item
from extractor.mail import read_mails
from extractor.patch import FileDiff, Hunk, HunkLine, parse_patch
from extractor.scan import scan_file, tokens
from kernel_snippets import BUNDLED_PATCH


def hunk(text: str, heading: str = "", start: int = 10) -> Hunk:
    """A hunk of lines that begin with ' ', '+' or '-'."""
    lines: list[HunkLine] = []
    number = start
    for at, line in enumerate(text.split("\n"), 1):
        kind = line[:1] if line[:1] in ("+", "-") else " "
        lines.append(HunkLine(kind, line[1:], None if kind == "-" else number, at))
        number += kind != "-"
    return Hunk(start, 0, start, 0, heading, tuple(lines), 1)


def items(*hunks: Hunk, path: str = "a.h", status: str = "modified") -> list[Item]:
    return file_items(FileDiff(path, path, status, hunks, 1))


def said(found: list[Item]) -> list[tuple[str, str]]:
    return [(i.kind, i.name) for i in found]


def scan(text: str) -> list[Item]:
    return scan_file("a.h", text, "tree")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("struct a;\nint x;", [("declaration", "struct a"), ("variable", "x")]),
        ("__printf(1, 2) int f(const char *s, ...)\n{\n}\nint y;", [("function", "f"), ("variable", "y")]),
        ("static __attribute__((cold)) void f(void)\n\t__must_hold(x)\n{\n}", [("function", "f")]),
        ("struct __attribute__((packed)) a {\n\tint b;\n} __aligned(4);\nint x;",
         [("record", "struct a"), ("variable", "x")]),
        ("static DEFINE_PER_CPU(int, hits);", [("variable", "hits")]),
        ("int (*hook)(int);", [("variable", "hook")]),
        ("EXPORT_SYMBOL(f);", [("declaration", "EXPORT_SYMBOL(f)")]),
        ("int f(int a)\n{\n#ifdef X\n\tif (a) {\n#else\n\tif (!a) {\n#endif\n\t\tg();\n\t}\n}\nint x;",
         [("function", "f"), ("variable", "x")]),
        ("int f(void)\n{\n\tif (1) {\n}\nint x;", [("function", "f"), ("variable", "x")]),
    ],
)  # fmt: skip
def test_declarations(text: str, expected: list[tuple[str, str]]) -> None:
    assert said(scan(text)) == expected


def test_every_branch_has_its_condition() -> None:
    found = scan("#if A > 1\nint a;\n#elif defined(B)\nint b;\n#else\nint c;\n#endif\nint d;\n#endif")
    assert [i.condition for i in found] == [
        ("A > 1",), ("!(A > 1) && (defined(B))",), ("!(A > 1) && !defined(B)",), (),
    ]  # fmt: skip
    guarded = scan("#ifndef _H\n#define _H\n#ifndef X\nint x;\n#endif\n#endif")
    assert [(i.name, i.condition) for i in guarded] == [("_H", ()), ("x", ("!defined(X)",))]


def test_a_comment_that_goes_on_belongs_to_its_item() -> None:
    macro, variable = scan("#define N 1 /* one\n * line */\nint x; /* two\n lines */\n")
    assert macro.text.endswith("* line */") and variable.text.endswith("lines */")


def test_conditions_over_hunks() -> None:
    found = items(
        hunk("+#ifdef A\n+int a;", start=10), hunk(" #ifdef B\n int b;", start=20),
        hunk(" int c;\n+#endif\n int d;", start=30),
    )  # fmt: skip
    assert [(i.name, i.condition) for i in found] == [
        ("a", ("defined(A)",)), ("b", ("defined(A)", "defined(B)")), ("c", ("defined(A)",)), ("d", ()),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text, heading, expected",
    [
        (" out:\n+\tg();\n }\n int x;", "int f(int a)",
         [("function", "f", "fragment"), ("variable", "x", "complete")]),
        (" \tg();\n }", "int f(int a)", [("function", "f", "partial")]),
        ("-\tg();\n }", "int f(int a)", [("function", "f", "fragment")]),
        (" {\n+\tg();\n }", "int f(int a,", [("function", "f", "fragment")]),
        ("+\tg(); \\\n } while (0)\n int x;", "#define F(x) \\",
         [("macro", "F", "fragment"), ("variable", "x", "complete")]),
        (" * said\n */\n+int x;", "int f(int a)", [("variable", "x", "complete")]),
        ("+int f(int a)\n+{\n \tg();", "", [("function", "f", "partial")]),
    ],
)  # fmt: skip
def test_hunk_borders(text: str, heading: str, expected: list[tuple[str, str, str]]) -> None:
    found = items(hunk(text, heading))
    assert [(i.kind, i.name, i.completeness) for i in found] == expected
    assert found[0].origin == ("context" if expected[0][2] == "partial" and "+" not in text else "added") or (
        "* said" in text
    )


def test_fields() -> None:
    found = items(hunk(
        " \tint old;\n+\tint a, *b;\n+\tstruct {\n+\t\tint c:3;\n+\t};\n+\tint (*fn)(int, int);\n"
        "+\tstruct {\n+\t\tint d;\n+\t} named;\n+\tDECLARE_BITMAP(bits, 8);\n+\tlong t[2] __aligned(8);\n };",
        "struct s {",
    ))  # fmt: skip
    fields = [i.name for i in found if i.kind == "field"]
    assert [i for i in fields if i != "d"] == ["a", "b", "c", "fn", "named", "bits", "t"]
    assert {i.parent for i in found if i.kind == "field"} == {"struct s"}


def test_kconfig_and_other_files() -> None:
    text = "+\tselect X\n \thelp\n \t  select this\n \n+config B\n+\tint\n+\tdefault 3\n+\thelp\n+\t  int."
    extended, whole = items(hunk(text, "config A"), path="mm/Kconfig")
    assert (extended.name, extended.completeness, extended.signature) == ("A", "fragment", "select X")
    assert (whole.name, whole.completeness, whole.signature) == ("B", "complete", "int default 3")
    assert said(items(hunk("+x"), path="entry.S")) == [("text", "entry.S")]
    (gone,) = items(hunk("-int x;"), path="a.c", status="deleted")
    assert (gone.kind, gone.signature, gone.where) == ("text", "deleted file", "a.c:1")


def test_tokens() -> None:
    text = "a->b /* x\n */ \"s{\" '}' 0x1f // c\n!"
    assert [(t.text, t.line) for t in tokens(text)] == [
        ("a", 1), ("-", 1), (">", 1), ("b", 1), ('"s{"', 2), ("'}'", 2), ("0x1f", 2), ("!", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "piece",
    ["(", "{", "}", "a ", "a", "a()\n x()\n", "{}", '\\"', "/*", "int a,", "a\\\n"],
)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    scan(piece * (300_000 // len(piece)))
    items(hunk("+" + piece.replace("\n", "\n+") * (300_000 // len(piece)), "struct s {"))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ExtractError, match=r"a\.h:201: error: #if nested"):
        scan("#if a\n" * 100_000)


PATCH = parse_patch(read_mails([str(BUNDLED_PATCH)])[0])
TEXT = "\n".join(line.text for file in PATCH.files for h in file.hunks for line in h.lines)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_mutation_is_a_traceback(data: st.DataObject) -> None:
    files = []
    for file in PATCH.files:
        hunks = []
        for each in file.hunks:
            lines = list(each.lines)
            at = data.draw(st.integers(0, len(lines) - 1))
            junk = data.draw(st.text("(){}[];:#\\/*\"'=,a \t", max_size=12))
            lines[at] = replace(lines[at], text=data.draw(st.sampled_from([junk, junk + lines[at].text])))
            del lines[data.draw(st.integers(0, len(lines))) :][:1]
            hunks.append(replace(each, lines=tuple(lines)))
        files.append(replace(file, hunks=tuple(hunks)))
    for item in extract_items(replace(PATCH, files=tuple(files))):
        assert item.lines and item.name and item.where


def test_a_field_list_that_begins_with_a_comma_is_read() -> None:
    """Found by the mutation test above: the first declarator had no name to split at."""
    found = items(hunk("+ , \t\tunsigned int mm_id;\n \tint other;", "struct s {"))
    assert ("field", "mm_id") in [(item.kind, item.name) for item in found]
