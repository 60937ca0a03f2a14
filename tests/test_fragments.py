# SPDX-License-Identifier: GPL-2.0-only
"""What of a function that a hunk shows in part can stand in the body of another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycparser import CParser

from extractor.cast import one_branch
from extractor.errors import ExtractError
from extractor.fragments import fragments, names, statements
from extractor.items import Item, SourceLine
from extractor.scan import mask
from kernel_snippets import BUNDLED_PATCH
from tests.mails import items_of
from tests.test_scan import hunk, items

CONFIG = {"CONFIG_MM_ID": True}


# The bundled patch.


@pytest.mark.parametrize(
    "name, which, first, last",
    [
        ("__mmdrop", 0, (946, ""), (952, "\tcheck_mm(mm);")),
        ("mm_init", 0, (1324, "\tif (mm_alloc_pgd(mm))"), (1332, "")),
        ("mm_init", 1, (1346, "fail_cid:"), (1353, "\tfree_mm(mm);")),
        ("__split_huge_page", 0, (3193, ""), (3201, "")),
        ("prep_compound_head", 0, (665, "\tatomic_set(&folio->_entire_mapcount, -1);"),
         (675, "\t\tINIT_LIST_HEAD(&folio->_deferred_list);")),
        ("free_tail_page_prepare", 0, (962, "#ifdef CONFIG_MM_ID"),
         (974, "\t\t/* the second tail page: deferred_list overlaps ->mapping */")),
    ],
)  # fmt: skip
def test_the_bundled_patch(name: str, which: int, first: tuple[int, str], last: tuple[int, str]) -> None:
    found = fragments(items_of(BUNDLED_PATCH), name, CONFIG)
    assert len(found) == (2 if name == "mm_init" else 1)
    kept = statements(found[which])
    assert [(ln.number, ln.text) for ln in (kept[0], kept[-1])] == [first, last]
    assert [ln for ln in found[which].lines if first[0] <= ln.number <= last[0]] == list(kept)


def test_names() -> None:
    (found,) = fragments(items_of(BUNDLED_PATCH), "__split_huge_page", CONFIG)
    assert names(statements(found)) == {
        "ClearPageHasHWPoisoned", "head", "CONFIG_MM_ID", "new_order", "folio", "_mm_ids",
    }  # fmt: skip
    lines = (SourceLine('\tg("h", 0x1f, 1ul); /* i', 1, "added"), SourceLine("j */ k->l = 'm';", 2, "added"))
    assert names(lines) == {"g", "k", "l"}


def test_fragments_that_a_configuration_leaves_out() -> None:
    found = items(
        hunk("+#ifdef CONFIG_A\n+int x;"), hunk(" \tg();\n+\th();", "int f(int a)", 30),
        hunk(" \ti();\n }\n+#endif\n+int y;", "int f(int a)", 40),
        hunk(" \tj();\n+\tk();\n }", "int f(int a)", 50), hunk(" \tj();\n+\tk();\n }", "int g(int a)", 60),
    )  # fmt: skip
    assert [f.line for f in fragments(found, "f", {"CONFIG_A": True})] == [31, 51]
    assert [f.line for f in fragments(found, "f", {})] == [51]
    assert [f.line for f in fragments(found, "g", {})] == [61]
    assert fragments(found, "x", {}) == ()


# Small hunks: what stays, with "+" and " " as in the hunk.


def fragment(text: str) -> Item:
    (found,) = (i for i in items(hunk(text, "int f(int a)"), path="a.c") if i.kind == "function")
    assert found.completeness == "fragment"
    return found


RULES = {
    "all of it": (" \tg();\n+\th();\n \ti();", " \tg();\n+\th();\n \ti();"),
    "the tail of a block": (" \t\tg();\n \t}\n+\th();", "+\th();"),
    "of blocks": (" \t\t\tg();\n \t\t}\n \t\th();\n \t}\n \ti();\n+\tj();", " \ti();\n+\tj();"),
    "the tail of a call": (" \t\t      b,\n \t\t      c);\n \tg();\n+\th();", " \tg();\n+\th();"),
    "of a call in a block": (" \t\t c);\n \t\tg();\n \t}\n+\th();", "+\th();"),
    "of an array": (" \t\t[2] = 1,\n \t};\n+\th();", "+\th();"),
    "of a comment": (" \t * g( }\n \t */\n+\th();", "+\th();"),
    "brackets in comments and strings": (' \tg("}"); /* ) */\n+\th("(");', ' \tg("}"); /* ) */\n+\th("(");'),
    "} else {": (" \t\tg();\n \t} else {\n \t\th();\n \t}\n+\ti();", "+\ti();"),
    "else with the added lines": (" \t} else {\n \t\tg();\n+\t\th();\n \t}\n \ti();", " \t\tg();\n+\t\th();"),
    "} else if": (" \t} else if (a &&\n \t\t   b)\n \t\tg();\n+\th();", "+\th();"),
    "else": (" \telse\n \t\tg();\n \th();\n+\ti();", " \th();\n+\ti();"),
    "else if, before the added line": (" \telse if (b)\n+\t\tg();\n \th();", "+\t\tg();\n \th();"),
    "else after else": (" \telse if (a)\n \t\tg();\n \telse\n \t\th();\n+\ti();", "+\ti();"),
    "a whole if": (" \tif (a)\n \t\tg();\n \telse\n+\t\th();\n \ti();",
                   " \tif (a)\n \t\tg();\n \telse\n+\t\th();\n \ti();"),
    "the body of an if": (" \t\t\tg();\n \t\th();\n \ti();\n+\tj();", " \ti();\n+\tj();"),
    "the last line of an expression": (" \t\t&& b;\n \tg();\n+\th();", " \tg();\n+\th();"),
    "a choice": (" \t? b\n \t: c;\n+\th();", "+\th();"),
    "a block that goes on": (" \tg();\n \tif (a) {\n \t\th();\n+\t\ti();\n \t\tj();",
                             " \t\th();\n+\t\ti();\n \t\tj();"),
    "do, of which while is not shown": (" \tdo {\n+\t\tg();\n \t\th();\n \t}", "+\t\tg();\n \t\th();"),
    "do and while": (" \tdo {\n+\t\tg();\n \t} while (a);\n }", " \tdo {\n+\t\tg();\n \t} while (a);"),
    "the function's end": ("+\tg();\n \th();\n }", "+\tg();\n \th();"),
    "an enclosing block's end": ("+\t\tg();\n \t}\n \th();", "+\t\tg();"),
    "} else { after them": ("+\t\tg();\n \t} else {\n \t\th();\n \t}\n \ti();", "+\t\tg();"),
    "a block not closed": ("+\tg();\n \tfor (i = 0; i < 3;\n \t     i++) {\n \t\th();", "+\tg();"),
    "a call not closed": ("+\tg();\n \ta = h(b,\n \t      c", "+\tg();"),
    "an if without its statement": ("+\tg();\n \tif (a)", "+\tg();"),
    "an else without its statement": ("+\tg();\n \tif (a)\n \t\th();\n \telse", "+\tg();"),
    "a loop without its statement": ("+\tg();\n \tlist_for_each_entry(a, &b, c)\n \t\tif (a)", "+\tg();"),
    "an expression without its end": ("+\tg();\n \ta = b +", "+\tg();"),
    "a loop by macro": ("+\tlist_for_each_entry(a, &b, c)\n \t\tif (a) {\n \t\t\tg();\n \t\t}\n \th(",
                        "+\tlist_for_each_entry(a, &b, c)\n \t\tif (a) {\n \t\t\tg();\n \t\t}"),
    "a comment not closed": ("+\tg();\n \th();\n \t/*\n \t * i", "+\tg();\n \th();"),
    "a comment that goes on to a cut call": ("+\tg();\n \th(); /* i\n \t j */ k(", "+\tg();"),
    "case and default": (" \tcase 1 ... (a ? 2 : 3):\n+\t\tg();\n \t\tbreak;\n \tdefault:",
                         " \tcase 1 ... (a ? 2 : 3):\n+\t\tg();\n \t\tbreak;\n \tdefault:"),
    "labels": (" out:\n+\tg();\n again:\n }", " out:\n+\tg();\n again:"),
    "declarations": (" \tstruct a b = {\n \t\t.c = 1,\n \t}, *d;\n+\tint e[] = { 1 };\n \tint f =",
                     " \tstruct a b = {\n \t\t.c = 1,\n \t}, *d;\n+\tint e[] = { 1 };"),
    "a statement in an expression": ("+\ta = ({ g(); 1; });\n \tb = ({ h();", "+\ta = ({ g(); 1; });"),
    "#if": (" #ifdef A\n \tg();\n #else\n+\th();\n #endif\n \ti();",
            " #ifdef A\n \tg();\n #else\n+\th();\n #endif\n \ti();"),
    "a leading #endif": (" \tg();\n #endif\n+\th();", "+\th();"),
    "a leading #else": (" \tg();\n #else /* A\n  */\n+\th();\n #endif\n \ti();", "+\th();"),
    "#if not closed after": ("+\tg();\n \th();\n #ifdef A\n \ti();", "+\tg();\n \th();"),
    "#if not closed before": (" \tg();\n #if defined(A) && \\\n     defined(B)\n \th();\n+\ti();",
                              " \th();\n+\ti();"),
    "#if around half a statement": (" #ifdef A\n \tif (a)\n \t\tg();\n \telse\n #endif\n+\t\th();",
                                    " #ifdef A\n \tif (a)\n \t\tg();\n \telse\n #endif\n+\t\th();"),
    "branches of one block": (" #ifdef A\n \tif (a) {\n #else\n \tif (b) {\n #endif\n+\t\tg();\n \t}",
                              " #ifdef A\n \tif (a) {\n #else\n \tif (b) {\n #endif\n+\t\tg();\n \t}"),
    "#if within what is cut": ("+\tg();\n #ifdef A\n \th(\n #endif\n", "+\tg();"),
    "a macro": ("+\tg();\n #define A(x) {{( \\\n \t)\n \th();",
                "+\tg();\n #define A(x) {{( \\\n \t)\n \th();"),
}  # fmt: skip


@pytest.mark.parametrize("text, expected", RULES.values(), ids=RULES)
def test_what_stays(text: str, expected: str) -> None:
    kept = statements(fragment(text))
    assert "\n".join(("+" if ln.origin == "added" else " ") + ln.text for ln in kept) == expected


@pytest.mark.parametrize(
    "text, line, why",
    [
        ("+\tif (a) {\n \t\tg();", 10, "the end of what `{` begins is not shown"),
        (" \tg(a,\n+\t  b,", 11, "this statement is not shown whole"),
        (" \tg();\n+\t}\n \th();", 11, "the beginning of what `}` ends is not shown"),
        ("+\tg();\n \t}\n+\th();", 11, "the beginning of what `}` ends is not shown"),
        ("+\tg(a,\n \t}\n+\th();", 10, "the end of what `(` begins is not shown"),
        ("+#endif\n \tg();", 10, "the #if before this #endif is not shown"),
        ("+#ifdef A\n+\tg();", 10, "the #endif of this #if is not shown"),
        ("+\tif (a)", 10, "this statement is not shown whole"),
        ("+\telse\n+\t\tg();", 10, "the beginning of this statement is not shown"),
        (" \telse if (a &&\n+\t\t b)\n \t\tg();", 11, "the beginning of this statement is not shown"),
        (" \tg();\n+\t/* h\n \t i", 11, "the end of this comment is not shown"),
        (" \tg();\n \telse /*\n+\t * h */\n \ti();", 12, "its beginning is not shown"),
        (" \t * g\n+\t * h\n \t */\n \ti();", 11, "the comment that ends here begins before the hunk"),
        (" \tg();\n-\th();\n \ti();", 10, "it only removes lines here"),
        ("+\tg();\n" + " \tdo\n" * 300 + " \th();", 212, "it is nested too deeply"),
    ],
)  # fmt: skip
def test_what_cannot_stand(text: str, line: int, why: str) -> None:
    with pytest.raises(ExtractError) as caught:
        statements(fragment(text))
    assert str(caught.value) == (
        f"a.c:{line}: error: what the patch adds to f cannot stand by itself: {why}; "
        "more lines of context would show the rest of it"
    )


# Any cut of any body.

SIMPLE = [
    "a();",
    "b = c ? d : e;",
    "int f = 1;",
    "g(h,\n  i);",
    "j = k +\n\tl;",
    "",
    "/* m( */",
    "/*\n * {\n */",
    ";",
]


def flat(parts: list[list[str]]) -> list[str]:
    return [line for part in parts for line in part]


def indented(lines: list[str]) -> list[str]:
    return [line if line.startswith("#") else f"\t{line}" for line in lines]


def under(parts: list[list[str]]) -> list[str]:
    """The statement under an `if`: one without braces where it can be."""
    bare = len(parts) == 1 and parts[0][0][:1] in ("a", "b", "g", "j", "w", ";")
    return indented(parts[0]) if bare else ["{", *indented(flat(parts)), "}"]


def compound(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    parts = st.lists(inner, min_size=1, max_size=4)
    body = parts.map(flat)
    return st.one_of(
        st.builds(lambda b: ["if (n) {", *indented(b), "}"], body),
        st.builds(lambda b, c: ["if (n) {", *indented(b), "} else if (o &&", "\t   p) {", *indented(c), "}"],
                  body, body),
        st.builds(lambda b: ["while (q)", *under(b)], parts),
        st.builds(lambda b, c: ["if (r)", *under(b), "else", *under(c)], parts, parts),
        st.builds(lambda b: ["for (;;)", "\tif (s)", *indented(under(b))], parts),
        st.builds(lambda b: ["do {", *indented(b), "} while (t);"], body),
        st.builds(lambda b: ["switch (u) {", "case 1:", "\ta();", *indented(b), "default:", "\tg();", "}"],
                  body),
        st.builds(lambda b: ["#ifdef V", *b, "#endif"], body),
        st.builds(lambda b, c: ["#ifdef V", *b, "#else", *c, "#endif"], body, body),
    )  # fmt: skip


STATEMENT = st.recursive(st.sampled_from(SIMPLE).map(lambda text: text.split("\n")), compound, max_leaves=12)
BODY = st.lists(STATEMENT, min_size=1, max_size=6).map(flat)


def parse(lines: list[str]) -> None:
    """Fails where one way through the `#if`s is no body of a function, or an `#if` is not matched."""
    text = "\n".join(lines)
    depth = 0
    for line in lines:
        depth += line.startswith("#if") - line.startswith("#endif")
        assert depth > line.startswith("#else") - 1
    assert depth == 0
    for first in (True, False):
        code = mask(one_branch(text, first))
        assert code.count("*") == 0
        CParser().parse(f"void f(void) {{ {code}\n; }}")


@given(BODY, st.data())
def test_any_cut_of_any_body(body: list[str], data: st.DataObject) -> None:
    parse(body)
    at = data.draw(st.integers(0, len(body) - 1))
    start, end = data.draw(st.integers(0, at)), data.draw(st.integers(at + 1, len(body)))
    lines = tuple(SourceLine(f"\t{text}", 10 + i, "added" if i == at else "context")
                  for i, text in enumerate(body))  # fmt: skip
    item = Item("function", "f", "a.c", lines[start:end], "added", (), "fragment", "int f(int a)", 0)
    try:
        kept = statements(item)
    except ExtractError:
        # A whole statement on a line of its own can always stand.
        assert body[at].strip() != "a();" and end - start < len(body)
        return
    assert lines[at] in kept
    first = kept[0].number - 10
    assert kept == lines[first : first + len(kept)] and start <= first and first + len(kept) <= end
    parse([ln.text.strip() for ln in kept])
    if end - start == len(body):
        assert kept == lines
