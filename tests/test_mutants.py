# SPDX-License-Identifier: GPL-2.0-only
"""Mutants: of the real patches as a whole, of single constructs exactly, of hostile text nothing bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractor.items import Item
from extractor.mutants import Mutant, mutants
from extractor.operators import OPERATORS, other_numbers
from extractor.scan import SKIPPED, mask, scan_file
from harness.loading import contract_path, load
from harness.subjects import slice_of
from kernel_snippets import BUNDLED_PATCH
from tests.mails import V2, items_of


def sliced(path: Path) -> tuple[Item, ...]:
    items = items_of(path)
    loaded = load(contract_path("mm-owner-tracking"), {})
    return slice_of(loaded, items).items


def of(text: str) -> list[Mutant]:
    return mutants(scan_file("a.h", text, "added"))


def made(text: str, operator: str) -> set[str]:
    """What the mutants by `operator` make of a function's body, or of a macro."""
    if text.startswith("#"):
        return {m.apply(text) for m in of(text) if m.operator == operator}
    whole = f"static inline int f(int a, int b)\n{{\n{text}\n}}"
    found = [m.apply(whole) for m in of(whole) if m.operator == operator]
    return {t.removeprefix(whole.partition("{")[0] + "{\n").removesuffix("\n}") for t in found}


# All of a real patch.


@pytest.fixture(scope="module", params=[BUNDLED_PATCH, V2], ids=["v1", "v2"])
def piece(request: pytest.FixtureRequest) -> tuple[Item, ...]:
    return sliced(request.param)


def item_of(mutant: Mutant, items: Sequence[Item]) -> Item:
    (item,) = [
        i
        for i in items
        if (i.file, i.name) == (mutant.file, mutant.item)
        and i.lines[0].number <= mutant.line <= i.lines[-1].number
    ]
    return item


def test_each_mutant_of_a_real_patch_is_one_edit_in_its_place(piece: tuple[Item, ...]) -> None:
    found = mutants(piece)
    assert len(found) >= 250
    for m in found:
        item = item_of(m, piece)
        text, changed = item.text, m.apply(item.text)
        assert text[m.start :].startswith(m.before) and m.before and changed != text
        assert changed.count("\n") == text.count("\n")
        assert text[: m.start].count("\n") + item.lines[0].number == m.line
        assert len(text[: m.start].rpartition("\n")[2]) == m.column
        assert SKIPPED.findall(text) == SKIPPED.findall(changed)  # comments and strings stay
        lines = m.before.count("\n") + 1
        assert all(ln.origin == "added" for ln in item.lines if m.line <= ln.number < m.line + lines)


def test_mutants_of_a_real_patch_are_ordered_and_differ(piece: tuple[Item, ...]) -> None:
    found = mutants(piece)
    assert found == mutants(piece)
    order = [(m.file, m.line, m.column, m.operator) for m in found]
    assert order == sorted(order)
    texts = [(m.file, item_of(m, piece).line, m.apply(item_of(m, piece).text)) for m in found]
    assert len(texts) == len(set(texts))


def test_mutants_of_the_bundled_patch_use_every_operator() -> None:
    used = {m.operator for m in mutants(sliced(BUNDLED_PATCH))}
    assert used == set(OPERATORS) - {"swap-arguments"}  # none of its calls takes two of a kind


def test_every_line_with_code_has_a_mutant(piece: tuple[Item, ...]) -> None:
    touched = {(m.file, m.line) for m in mutants(piece)}
    for item in piece:
        if item.kind != "function":
            continue
        body = mask(item.text).split("\n")
        start = next(i for i, line in enumerate(body) if line.startswith("{"))
        for line, said in zip(item.lines[start:], body[start:], strict=True):
            code = said.strip(" \t{};")
            declares = code.startswith(("int ", "unsigned int ")) and "=" not in code
            if code and not declares and not code.endswith(":"):
                assert (item.file, line.number) in touched, line.text


def test_only_added_lines_of_whole_functions_and_macros_are_edited() -> None:
    text = "static inline int f(int a)\n{\n\tif (a < 1)\n\t\treturn a +\n\t\t\t2;\n\treturn a;\n}"
    (item,) = scan_file("a.h", text, "added")
    lines = [replace(ln, origin="context" if ln.number in (3, 5) else "added") for ln in item.lines]
    mixed = replace(item, lines=tuple(lines))
    assert {m.line for m in mutants([mixed])} == {4, 6}
    assert all("\n" not in m.before for m in mutants([mixed]))
    assert not mutants([replace(item, completeness="partial")])
    assert not mutants([replace(item, kind="declaration")])


# Single constructs.


@pytest.mark.parametrize(
    "operator, body, expected",
    [
        ("negate-condition", "if (a)\n\treturn 1;", {"if (!(a))\n\treturn 1;"}),
        ("negate-condition", "if (a < b) g();", set()),  # that is a relation's opposite
        ("negate-condition", "VM_WARN_ON_ONCE((a));", {"VM_WARN_ON_ONCE((!(a)));"}),
        ("force-condition", "while ((a && b) ||\n\t(b))\n\tg();",
         {"while (0\n)\n\tg();", "while (1\n)\n\tg();"}),
        ("force-condition", "for (a = 0; (a < b); a++) g();",
         {"for (a = 0; 0; a++) g();", "for (a = 0; 1; a++) g();"}),
        ("force-condition", "do { g(); } while (a);", {"do { g(); } while (0);", "do { g(); } while (1);"}),
        ("force-condition", "do { g(); } while (0);", set()),
        ("force-condition", "return (a) ? b : 1;", {"return 0 ? b : 1;", "return 1 ? b : 1;"}),
        ("force-condition", "return a ?: b;", set()),
        ("force-condition", "if (a /* why */ + 1) g();", set()),
        ("drop-else", "if (a) g(); else if (b) h(); else i();",
         {"if (a) g(); else if (0) if (b) h(); else i();", "if (a) g(); else if (b) h(); else if (0) i();"}),
        ("drop-else", "if (a) g(); else if (b) h();", set()),  # as if (0)
        ("drop-else", "if (a) for_each(b) { if (b) { g(); } } else h();",
         {"if (a) for_each(b) { if (b) { g(); } } else if (0) h();"}),
        ("change-relation", "g(((a)) >= (u8)(b));", {"g(((a)) > (u8)(b));", "g(((a)) < (u8)(b));"}),
        ("swap-logic", "g(a &&\n  /* && */ b);", {"g(a ||\n  /* && */ b);"}),
        ("drop-operand", "g((a | 1) ||\n  !(b));", {"g(\n  !(b));", "g((a | 1) \n);"}),
        ("drop-operand", "g(a || b && \"&&\");",
         {"g( b && \"&&\");", "g(a );", "g(a ||  \"&&\");", "g(a || b );"}),
        ("drop-not", "g(!!a);", {"g(!a);"}),
        ("change-arithmetic", "g(a * (b) - -a);",
         {"g(a / (b) - -a);", "g(a * (b) + -a);", "g(a * (b) - a);"}),
        ("change-arithmetic", "a++; --b; a->c[b]--;",
         {"a--; --b; a->c[b]--;", "a++; ++b; a->c[b]--;", "a++; --b; a->c[b]++;"}),
        ("change-bitwise", "a->b &= ~(c);", {"a->b &= (c);"}),
        ("change-bitwise", "g(&a & *b);", {"g(&a | *b);", "g(&a ^ *b);"}),
        ("change-assignment", "a->x[1] += b;", {"a->x[1] -= b;", "a->x[1] = b;"}),
        ("change-constant", "g(3, '3', \"3\");", {f"g({n}, '3', \"3\");" for n in (4, 2, 0)}),
        ("change-constant", "g(-0);", {"g(-1);", "g(-(-1));"}),
        ("change-constant", "switch (a) { case 1: return 5; }",
         {f"switch (a) {{ case 1: return {n}; }}" for n in (6, 4, 0)}),
        ("change-constant", "int c[4]; return sizeof(c) + true;", {"int c[4]; return sizeof(c) + false;"}),
        ("move-shift", "g((long)a << (b));",
         {"g((long)a >> (b));", "g((long)a << ((b) + 1));", "g((long)a << ((b) - 1));"}),
        ("move-shift", "g(BIT(N));", {"g(BIT((N + 1)));", "g(BIT((N - 1)));"}),
        ("drop-statement", "int c = 1;\ng(a,\n  b);\n(a)++;\nout:\nc = b;",
         {"int c = 1;\n\n;\n(a)++;\nout:\nc = b;", "int c = 1;\ng(a,\n  b);\n;\nout:\nc = b;",
          "int c = 1;\ng(a,\n  b);\n(a)++;\nout:\n;"}),
        ("drop-statement", "return ({ g(); a; }) + b;", {"return ({ ; a; }) + b;"}),
        ("drop-statement", "if (a) goto out; BUILD_BUG_ON(b); out: return b;",
         {"if (a) ; BUILD_BUG_ON(b); out: return b;"}),
        ("change-return", "return g(a) + 1;", {"return 0;"}),
        ("change-initial", "const u32 c = a->b, d = 1; struct s e = a;",
         {"const u32 c = 0, d = 1; struct s e = a;"}),
        ("confuse-names", "a->x1 = b.x2;", {"a->x2 = b.x2;", "a->x1 = b.x1;"}),
        ("swap-arguments", "g(a, b, MIN, MAX, 1);",
         {"g(b, a, MIN, MAX, 1);", "g(a, b, MAX, MIN, 1);", "g(a, b, MIN, 1, MAX);"}),
        ("move-mask", "#define M 0x0ful", {f"#define M 0x{n}ul" for n in ("1e", "07", "0e")}),
        ("move-mask", "#define M 0xF0", {f"#define M 0x{n}" for n in ("1E0", "78", "E0", "70")}),
        ("change-constant", "#define M ((1U << 4) - 1) /* 1 */",
         {f"#define M (({u} << {n}) - {m}) /* 1 */" for u, n, m in
          [("2U", 4, 1), ("0U", 4, 1),
           ("1U", 5, 1), ("1U", 3, 1), ("1U", 0, 1), ("1U", 4, 2), ("1U", 4, 0)]}),
        ("change-constant", "#define f(x, y) \\\n\tg(x, 1, y)",
         {"#define f(x, y) \\\n\tg(x, 2, y)", "#define f(x, y) \\\n\tg(x, 0, y)"}),
        ("drop-operand", "#define f(x) (x || \\\n\t y)",
         {"#define f(x) ( \\\n\t y)", "#define f(x) (x \\\n)"}),
        ("drop-statement", "#define f(x) do { g(x); } while (0)", {"#define f(x) do { ; } while (0)"}),
        ("change-constant", "#define f(x) g_##x(1)", set()),
        ("force-condition", "\n#ifdef A\n\tif (a)\n#else\n\tif (b)\n#endif\n\t\tg();",
         {f"\n#ifdef A\n\tif ({x})\n#else\n\tif ({y})\n#endif\n\t\tg();"
          for x, y in [("0", "b"), ("1", "b"), ("a", "0"), ("a", "1")]}),
        ("force-condition", "if (a\n#ifdef A\n && b\n#endif\n) g();", set()),
    ],
)  # fmt: skip
def test_what_an_operator_makes(operator: str, body: str, expected: set[str]) -> None:
    assert made(body, operator) == expected


def test_a_bool_is_returned_otherwise() -> None:
    text = "static inline bool f(int a) { return g(a); }"
    returned = {m.after for m in of(text) if m.operator == "change-return"}
    assert returned == {"0", "1", "!(g(a))"}


def test_types_that_the_patch_defines_are_known_as_integers() -> None:
    text = "typedef unsigned short id_t;\nstatic inline void f(int a)\n{\n\tid_t b = a;\n\tstruct_t c = a;\n}"
    assert [m.line for m in of(text) if m.operator == "change-initial"] == [4]


def test_siblings_are_those_that_stand_before() -> None:
    text = "#define A1 1\n#define A2 2\nint f1(void) { return A1; }\nint f2(void) { return f1() + f3(); }\n"
    text += "int g(void) { return f1(); }\n"
    found = {(m.item, m.before, m.after) for m in of(text) if m.operator == "confuse-names"}
    assert found == {("f1", "A1", "A2"), ("g", "f1", "f2")}


def test_a_macro_that_is_one_call_of_a_void_function_is_emptied() -> None:
    text = "static inline void g(int a) { }\n#define f(x) g(x)\n#define h(x) k(x)\n"
    assert [(m.line, m.after) for m in of(text) if m.before.endswith("(x)")] == [(2, "((void)0)")]


def test_a_diff_shows_the_changed_lines() -> None:
    (item,) = scan_file("a.h", "int f(int a)\n{\n\tg(a,\n\t  1);\n}", "added")
    (dropped,) = [m for m in mutants([item]) if m.operator == "drop-statement"]
    assert dropped.diff(item) == ["-\tg(a,", "-\t  1);", "+\t", "+;"]
    assert (dropped.line, dropped.column, dropped.after) == (3, 1, "")


@pytest.mark.parametrize(
    "said, expected",
    [
        ("0", {"1", "-1"}),
        ("0u", {"1u"}),
        ("07", {"010", "06", "0"}),
        ("09", set()),
        ("1.5", set()),
        ("'a'", set()),
        ("9" * 9999, set()),
        ("0xffffffffffffffffUL", {"0xfffffffffffffffeUL", "0x0000000000000000UL", "0x7fffffffffffffffUL"}),
    ],
)
def test_other_numbers_keep_form_and_suffix(said: str, expected: set[str]) -> None:
    assert {other for _, other in other_numbers(said)} == expected


# Hostile text.

PIECES = [
    *"if while for do else return ( ) { } [ ] ; , : ? a b->c x.y 1 0x0f 'c' \"s\" /*c*/ //d \\".split(),
    *"= == < << += && || ! ~ - ++ * & sizeof int struct typeof ({ }) case default goto ... ## #x".split(),
    *("\n", "\n#if A\n", "\n#else\n", "\n#endif\n"),
]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=40), st.sampled_from(["int f(int a)\n{\n", "#define f(a) "])
)
def test_hostile_text_never_raises_and_its_mutants_fit(pieces: list[str], head: str) -> None:
    body = " ".join(pieces)
    for item in scan_file("a.h", head + body + ("\n}" if head[0] == "i" else ""), "added"):
        for m in mutants([item]):
            changed = m.apply(item.text)
            assert item.text[m.start :].startswith(m.before) and changed != item.text
            assert changed.count("\n") == item.text.count("\n")


@pytest.mark.parametrize(
    "body",
    ["a = " + "(" * 20_000, "a = " + "!" * 5000 + "b;", "a = b" + " + b" * 5000 + ";", "if (a) " * 2000 + ";",
     "if (a) ; else " * 2000 + ";", "{" * 5000, "a = f(" * 500 + ")" * 500 + ";", "a" + "[1" * 2000,
     "a" + "->b" * 5000 + " = 1;",
     "\"\\\n\" + 1;", "for (;;) ;", "}", "# 1 \"x\"\n a = 1;", "_Pragma(\"x\") a = 1;"],
)  # fmt: skip
def test_hostile_nesting_never_raises(body: str) -> None:
    for text in (f"int f(int a)\n{{\n{body}\n}}", f"#define f(a) {body}"):
        (item, *_) = scan_file("a.h", text, "added")
        for m in mutants([item]):
            assert m.apply(item.text).count("\n") == item.text.count("\n")
