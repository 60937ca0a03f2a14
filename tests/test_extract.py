# SPDX-License-Identifier: GPL-2.0-only
"""Items of the real mails, the scanner's traps, conditions, and what functions refer to."""

from __future__ import annotations

import pytest

from extractor.conditions import evaluate, holds
from extractor.items import Item
from extractor.scan import scan_file
from kernel_snippets import BUNDLED_PATCH
from tests.cli import kconform
from tests.mails import items_of, next_revision


def names(items: list[Item], **wanted: str) -> list[str]:
    return [i.name for i in items if all(getattr(i, k) == v for k, v in wanted.items())]


def scan(text: str) -> list[Item]:
    return scan_file("a.h", text, "added")


def test_items_of_the_bundled_patch() -> None:
    items = items_of(BUNDLED_PATCH)
    rmap = [i for i in items if i.file == "include/linux/rmap.h"]
    flags = [i for i in items if i.file == "include/linux/page-flags.h"]
    assert len(names(flags, kind="function", completeness="complete")) == 5
    assert names(flags, kind="macro") == ["FOLIO_MM_IDS_EXCLUSIVE_BITNUM", "FOLIO_MM_IDS_LOCK_BITNUM"]
    assert names(rmap, kind="function", completeness="complete") == [
        "folio_mm0_id", "folio_set_mm0_id", "folio_mm1_id", "folio_set_mm1_id",
        "folio_set_large_mapcount", "folio_add_large_mapcount", "folio_sub_large_mapcount",
    ]  # fmt: skip
    partial = [i for i in rmap if i.completeness == "partial"]
    assert [(i.name, i.condition) for i in partial] == [
        ("folio_set_large_mapcount", ("!defined(CONFIG_MM_ID)",)),
        ("folio_dec_large_mapcount", ("!defined(CONFIG_MM_ID)",)),
    ]
    fields = [(i.parent, i.name, i.signature) for i in items if i.kind == "field"]
    assert fields == [
        ("struct folio", "_mm0_mapcount", "int _mm0_mapcount"),
        ("struct folio", "_mm1_mapcount", "int _mm1_mapcount"),
        ("struct folio", "_mm_ids", "unsigned long _mm_ids"),
        ("struct mm_struct", "mm_id", "unsigned int mm_id"),
    ]
    assert [i.name for i in items if i.kind == "function" and i.completeness == "fragment"] == [
        "__mmdrop", "mm_init", "mm_init", "__split_huge_page", "prep_compound_head",
        "free_tail_page_prepare",
    ]  # fmt: skip
    fork = [(i.name, i.line, i.condition) for i in items if i.file == "kernel/fork.c" and i.line < 846]
    on, off = ("defined(CONFIG_MM_ID)",), ("!defined(CONFIG_MM_ID)",)
    assert fork[1:] == [
        ("mm_ida", 817, on), ("mm_alloc_id", 819, on), ("mm_free_id", 830, on),
        ("mm_alloc_id", 842, off), ("mm_free_id", 843, off),
    ]  # fmt: skip
    (kconfig,) = [i for i in items if i.kind == "kconfig" and i.origin == "added"]
    assert kconfig.name == "MM_ID" and "depends on TRANSPARENT_HUGEPAGE && 64BIT" in kconfig.signature
    assert names(items, kind="undef", origin="added") == ["CONFIG_MM_ID"]


def test_items_of_the_next_revision() -> None:
    v2 = next_revision()
    items = items_of(v2)
    fields = [(i.parent, i.name) for i in items if i.kind == "field"]
    assert fields == [
        ("struct folio", "_mm_id_mapcount"), ("struct folio", "_mm_id"), ("struct folio", "_mm_ids"),
        ("struct mm_struct", "mm_id"),
    ]  # fmt: skip
    assert "__folio_large_mapcount_sanity_checks" in names(items, completeness="complete")
    assert names(items, kind="typedef") == ["mm_id_mapcount_t", "mm_id_t"] * 2
    assert ("TRANSPARENT_HUGEPAGE", "fragment") in [(i.name, i.completeness) for i in items]


def test_extract_command() -> None:
    done = kconform("extract", BUNDLED_PATCH, "--json")
    keys = {"kind", "name", "file", "line", "condition", "origin", "completeness", "signature"}
    assert done.status == 0 and keys <= done.json["items"][0].keys()
    text = kconform("extract", BUNDLED_PATCH).out
    assert "include/linux/rmap.h:222: function folio_add_large_mapcount [complete, added]" in text


@pytest.mark.parametrize(
    "text, expected",
    [
        ('static inline int f(void)\n{\n\treturn "}"[0] + \'{\';\n}', [("function", "f")]),
        ("context_lock_struct(__bitlock) { };", [("declaration", "context_lock_struct(__bitlock)")]),
        ("PAGEFLAG(Locked, locked)\nPAGEFLAG(Dirty, dirty)\nint x;",
         [("declaration", "PAGEFLAG(Locked)"), ("declaration", "PAGEFLAG(Dirty)"), ("variable", "x")]),
        ("struct a {\n\tint b;\n} __packed;\nenum { A, B };", [("record", "struct a"), ("record", "enum")]),
        ("#define F(x) \\\n\tdo { x; } while (0)\nint g(int);", [("macro", "F"), ("declaration", "g")]),
        ("static const int t[] = {\n\t1,\n};\ntypedef int (*fn_t)(int);",
         [("variable", "t"), ("typedef", "fn_t")]),
        ("/* int no(void) { */\nint\nf(int a,\n  int b)\n{\n#ifdef X\n\tif (a) {\n#else\n\t{\n#endif\n\t}\n}",
         [("function", "f")]),
    ],
)  # fmt: skip
def test_the_scanner_cuts(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(i.kind, i.name) for i in scan(text)][: len(expected)] == expected


def test_hostile_text_is_scanned_in_time() -> None:
    scan("(" * 200_000)
    scan("#if " + "(" * 50_000 + "\nint x;\n#endif")
    assert evaluate("(" * 50_000, {}) is None


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("defined(CONFIG_A) && !defined(CONFIG_B)", True),
        ("IS_ENABLED(CONFIG_B) || CONFIG_N > 1", False),
        ("defined CONFIG_A", True),
        ("UNKNOWN", None),
        ("UNKNOWN && 0", False),
        ("1 +", None),
        ("1 / 0", None),
        ("__import__('os')", None),
    ],
)
def test_conditions(expression: str, expected: bool | None) -> None:
    assert evaluate(expression, {"CONFIG_A": True, "CONFIG_B": False, "CONFIG_N": True}) is expected
    assert holds((expression,), {"CONFIG_A": True, "CONFIG_N": True}) is expected
