# SPDX-License-Identifier: GPL-2.0-only
"""Layouts of records: as the kernel has them, as a patch makes them, and what is claimed of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from extractor.errors import ExtractError
from extractor.items import Item
from harness.build import CompileError, compiler
from harness.contracts.mm_owner_layout import CONTRACT
from harness.errors import HarnessError
from harness.judge import Check
from harness.report.layout import layout_text
from harness.static.check_layout import judge_layout
from harness.static.layout import Layouts
from harness.static.layout_build import LayoutBuild, condition_text, default_config
from kernel_snippets import BUNDLED_PATCH
from tests.cli import kconform
from tests.mails import items_of, next_revision
from tests.planted import added, plant

IDS = "+					unsigned long _mm_ids;\n"
SLOT0 = "+					int _mm0_mapcount;\n"
SLOT1 = "+					int _mm1_mapcount;\n"
ENTIRE = " 					atomic_t _entire_mapcount;\n"
ALL = {"fits-order-1", "ids-overlay-private", "others-stay", "sizes-stay", "views-agree"}
# Offset and size of each field, 64 bit, 6.11 with CONFIG_MEMCG; rcu_head is a macro for callback_head.
PAGE = {
    "flags": (0, 8),
    "lru": (8, 16), "__filler": (8, 8), "mlock_count": (16, 4), "buddy_list": (8, 16), "pcp_list": (8, 16),
    "mapping": (24, 8), "index": (32, 8), "share": (32, 8), "private": (40, 8),
    "pp_magic": (8, 8), "pp": (16, 8), "_pp_mapping_pad": (24, 8), "dma_addr": (32, 8),
    "pp_ref_count": (40, 8),
    "compound_head": (8, 8), "pgmap": (8, 8), "zone_device_data": (16, 8), "callback_head": (8, 16),
    "page_type": (48, 4), "_mapcount": (48, 4), "_refcount": (52, 4), "memcg_data": (56, 8),
}  # fmt: skip
FOLIO = {
    "flags": (0, 8), "lru": (8, 16), "__filler": (8, 8), "mlock_count": (16, 4), "mapping": (24, 8),
    "index": (32, 8), "private": (40, 8), "swap": (40, 8), "_mapcount": (48, 4), "_refcount": (52, 4),
    "memcg_data": (56, 8), "page": (0, 64),
    "_flags_1": (64, 8), "_head_1": (72, 8), "_large_mapcount": (80, 4), "_entire_mapcount": (84, 4),
    "_nr_pages_mapped": (88, 4), "_pincount": (92, 4), "_usable_1": (80, 32), "_mapcount_1": (112, 4),
    "_refcount_1": (116, 4), "_nr_pages": (120, 4), "__page_1": (64, 64),
    "_flags_2": (128, 8), "_head_2": (136, 8), "_hugetlb_subpool": (144, 8), "_hugetlb_cgroup": (152, 8),
    "_hugetlb_cgroup_rsvd": (160, 8), "_hugetlb_hwpoison": (168, 8), "_flags_2a": (128, 8),
    "_head_2a": (136, 8), "_deferred_list": (144, 16), "__page_2": (128, 64),
}  # fmt: skip
ADDED = {"_mm0_mapcount": (96, 4), "_mm1_mapcount": (100, 4), "_mm_ids": (104, 8)}


def planted(folder: Path, *edits: tuple[str, str]) -> list[Item]:
    path = folder / "mail.txt"
    path.write_text(plant(*edits))
    return items_of(path)


def layouts(folder: Path, items: list[Item], **options: bool) -> Layouts:
    config = default_config(items, {f"CONFIG_{name}": value for name, value in options.items()})
    return LayoutBuild(items, config, folder / "layout").finish()


def checks(made: Layouts) -> dict[str, Check]:
    return {check.id.removeprefix("layout/"): check for check in judge_layout(CONTRACT, made)}


def failed(folder: Path, *edits: tuple[str, str]) -> dict[str, Check]:
    made = checks(layouts(folder, planted(folder, *edits)))
    assert set(made) == ALL
    return {name: check for name, check in made.items() if check.verdict == "fail"}


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Layouts:
    return layouts(tmp_path_factory.mktemp("bundled"), items_of(BUNDLED_PATCH))


def test_base_records(bundled: Layouts) -> None:
    page, folio = bundled.before["struct page"], bundled.before["struct folio"]
    assert (page.size, folio.size) == (64, 192)
    assert {field.path: (field.offset, field.size) for field in page.leaves} == PAGE
    assert {field.path: (field.offset, field.size) for field in folio.leaves} == FOLIO


def test_bundled_layout(bundled: Layouts) -> None:
    folio = bundled.after["struct folio"]
    assert {field.path: (field.offset, field.size) for field in folio.leaves} == FOLIO | ADDED
    assert [field.path for field in folio.added] == list(ADDED)
    assert bundled.after["struct page"] == bundled.before["struct page"]
    ids = folio.field("_mm_ids")
    assert ids and (ids.file, ids.line, ids.type) == ("include/linux/mm_types.h", 386, "unsigned long")
    under = ["_usable_1", "__page_1.private", "__page_1.pp_ref_count"]
    assert list(bundled.under("struct folio", ids)) == under
    assert not list(bundled.changed("struct folio"))
    assert bundled.extended == ("struct folio", "struct mm_struct")
    assert "struct mm_struct" in bundled.cut and "struct folio" not in bundled.cut


def test_bundled_claims(bundled: Layouts) -> None:
    made = checks(bundled)
    assert set(made) == ALL
    assert {check.verdict for check in made.values()} == {"pass"}
    assert all(check.title.startswith("struct layout: ") and check.judged == 36 for check in made.values())
    mail = " ".join(BUNDLED_PATCH.read_text().split())
    assert all(check.quote and check.quote in mail for check in made.values())


def test_compilers_own_offsets(tmp_path: Path, bundled: Layouts) -> None:
    """What DWARF says is what the compiler computes, of every field, before and after."""
    build = LayoutBuild(items_of(BUNDLED_PATCH), bundled.config, tmp_path / "layout")
    build.finish()
    for unit, made in ("before", bundled.before), ("after", bundled.after):
        asserts = [
            f"_Static_assert(__builtin_offsetof({record.name}, {field.path}) == {field.offset}, "
            f'"{field.path}");'
            for record in made.values()
            for field in record.leaves
        ]
        assert len(asserts) > 60
        source = build.folder / f"{unit}.c"
        source.write_text(source.read_text() + "\n".join(asserts) + "\n")
        include = ["-I", str(build.folder / "include")] if unit == "after" else []
        flags = [str(flag) for flag in build._flags()]
        shims = Path("kernel_snippets/include").resolve()
        subprocess.run(
            [compiler(), *flags, *include, "-I", shims, "-c", source, "-o", "/dev/null"], check=True
        )


# Planted defects: which claims fail, at which line of the patch.
DEFECTS = {
    "a slot's count is a long": (
        (SLOT0, SLOT0.replace("int", "long")), ALL, 384,
    ),
    "a slot's count is an array": ((SLOT1, SLOT1.replace(";", "[2];")), ALL, 385),
    "IDs first": ((SLOT0 + SLOT1 + IDS, IDS + SLOT0 + SLOT1), {"ids-overlay-private"}, 384),
    "a hole before the IDs": (
        (SLOT0 + SLOT1 + IDS, SLOT0 + IDS + SLOT1), ALL - {"ids-overlay-private"}, 386,
    ),
    "a field more": ((IDS, IDS + added("\t\t\t\t\tint _mm2_mapcount;")), ALL - {"ids-overlay-private"}, 387),
    "a small field more": ((IDS, IDS + added("\t\t\t\t\tchar _kc;")), ALL - {"ids-overlay-private"}, 387),
    "before the large mapcount": (
        (ENTIRE, added("\t\t\t\t\tint _kc;") + " \t\t\t\t\tatomic_t _large_mapcount;\n" + ENTIRE), ALL, 380,
    ),
    "between the counts": ((ENTIRE, ENTIRE + added("\t\t\t\t\tint _kc;")), ALL, 381),
    "IDs of 32 bits": ((IDS, IDS.replace("long", "int")), {"ids-overlay-private"}, 386),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFECTS)
def test_planted(tmp_path: Path, name: str) -> None:
    edit, claims, line = DEFECTS[name]
    found = failed(tmp_path, edit)
    assert set(found) == claims, {name: check.detail for name, check in found.items()}
    for check in found.values():
        assert (check.file, check.line, check.failed) == ("include/linux/mm_types.h", line, 1)
        assert check.detail


def test_details(tmp_path: Path) -> None:
    found = failed(tmp_path, (SLOT0, SLOT0.replace("int", "long")))
    grown = "; _mm0_mapcount has 8 bytes, not 4"
    said = {name: check.detail for name, check in found.items()}
    assert said["fits-order-1"] == "_mm_ids has bytes 112 to 119; _usable_1 has bytes 80 to 111" + grown
    assert said["ids-overlay-private"] == (
        "_mm_ids has bytes 112 to 119, page[1].private has bytes 104 to 111" + grown
    )
    assert "_mapcount_1 moves from byte 112 to 120" in said["others-stay"]
    assert "offsetof(struct folio, _mapcount_1)" in said["views-agree"]


def test_without_the_option(tmp_path: Path) -> None:
    """Fields that are not there are unknown, with the reason."""
    made = checks(layouts(tmp_path, items_of(BUNDLED_PATCH), MM_ID=False))
    assert {check.verdict for check in made.values()} == {"unknown"}
    assert "adds no field to struct folio with CONFIG_64BIT=y" in made["fits-order-1"].reason
    assert "CONFIG_MM_ID=n" in made["fits-order-1"].reason
    assert {c.reason for c in judge_layout(CONTRACT, "it does not compile")} == {"it does not compile"}


def test_renamed(tmp_path: Path) -> None:
    made = checks(layouts(tmp_path, planted(tmp_path, (IDS, IDS.replace("_mm_ids", "_ids")))))
    assert made["ids-overlay-private"].verdict == "unknown"
    assert "struct folio has no _mm_ids" in made["ids-overlay-private"].reason


def test_32_bit(tmp_path: Path) -> None:
    """ "we cannot easily squeeze more stuff": there is no room, and the views of a page part."""
    made = layouts(tmp_path, items_of(BUNDLED_PATCH), **{"64BIT": False})
    assert made.before["struct page"].size == 40 and not made.broken
    found = checks(made)
    assert {name for name, check in found.items() if check.verdict == "fail"} == ALL
    assert len(made.asserts) == 6


# The command.


def test_table(tmp_path: Path) -> None:
    done = kconform("layout", BUNDLED_PATCH)
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 100
    squeezed = [" ".join(line.split()) for line in lines]
    for line in (
        "with CONFIG_64BIT=y CONFIG_MMU=y CONFIG_MM_ID=y",
        "struct folio {",
        "/* --- cacheline 1 boundary (64 bytes) --- */",
        "atomic_t _pincount; 92 4 92 4",
        "* struct { 80 16 80 32",
        "+ int _mm0_mapcount; - - 96 4 CONFIG_MM_ID",
        "+ unsigned long _mm_ids; - - 104 8 CONFIG_MM_ID",
        "unsigned long _usable_1[4]; 80 32 80 32",
        "/* XXX 4 bytes padding */ 124 4 124 4",
        "struct folio: 192 bytes as before, 3 cache lines",
        "added: _mm_ids at 104 to 111, over _usable_1, __page_1.private, __page_1.pp_ref_count",
        "no other field moves or changes its size",
        "struct mm_struct: the shim has only some of the kernel's fields, so the offsets and sizes here are",
        "* unsigned long cpu_bitmap[]; 24 0 32 0",
        "+ unsigned int mm_id; - - 24 4 CONFIG_MM_ID",
        "struct mm_struct: 24 -> 32 bytes, 1 cache line",
    ):
        assert line in squeezed, line


def test_table_as_json(tmp_path: Path) -> None:
    done = kconform("layout", BUNDLED_PATCH, "--format", "json", "-o", tmp_path / "layout.json")
    assert (done.status, done.out) == (0, "")
    again = kconform("layout", BUNDLED_PATCH, "--format", "json").json
    assert (tmp_path / "layout.json").read_text() and again["assertions"] == [] == again["lost"]
    folio, mm = again["records"]
    assert (folio["name"], folio["size_before"], folio["size_after"]) == ("struct folio", 192, 192)
    assert folio["offsets_are_the_kernels"] and not mm["offsets_are_the_kernels"]
    ids = next(field for field in folio["fields"] if field["path"] == "_mm_ids")
    assert ids["before"] is None and ids["after"] == {"offset": 104, "size": 8}
    assert (ids["added"], ids["condition"], ids["line"]) == (True, "CONFIG_MM_ID", 386)


def test_table_of_broken_views() -> None:
    done = kconform("layout", "-", stdin=plant((SLOT0, SLOT0.replace("int", "long"))))
    assert done.status == 0
    assert "struct folio: 192 -> 208 bytes, 4 cache lines" in done.out
    assert "_mapcount_1 moves from 112 to 120" in done.out
    assert "assertion fails: offsetof(struct folio, _mapcount_1) ==" in done.out.replace("\n  ", " ")
    assert max(map(len, done.out.splitlines())) <= 100


def test_next_revision(tmp_path: Path) -> None:
    v2 = next_revision()
    done = kconform("layout", v2)
    assert (done.status, done.err) == (0, "")
    squeezed = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "+ mm_id_mapcount_t _mm_id_mapcount[2]; - - 96 8" in squeezed
    assert "+ union { - - 104 8" in squeezed
    made = checks(layouts(tmp_path, items_of(v2)))
    assert {check.verdict for check in made.values()} <= {"pass", "unknown", "fail"}
    assert made["ids-overlay-private"].verdict == "pass"


def test_no_record() -> None:
    text = "diff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c\n@@ -1,1 +1,2 @@\n int a;\n+int b;\n"
    done = kconform("layout", "-", stdin=text)
    assert (done.status, done.out, done.err) == (0, "the patch changes no record\n", "")


# Damaged and hostile input: one clear line, exit status 2.


def indented(code: str) -> str:
    return added("\n".join(f"\t\t\t\t\t{line}" for line in code.split("\n")))


def error(*edits: tuple[str, str]) -> str:
    done = kconform("layout", "-", stdin=plant(*edits))
    assert (done.status, done.out) == (2, "") and done.err.count("\n") == 1, (done.out, done.err)
    return done.err


def test_unknown_type() -> None:
    said = error((SLOT1, SLOT1.replace("int", "struct kc_nobody")))
    assert said.startswith("include/linux/mm_types.h:385: error: ") and "_mm1_mapcount" in said
    said = error((SLOT1, SLOT1.replace("int", "kc_nobody_t")))
    assert said == "include/linux/mm_types.h:385: error: unknown type name ‘kc_nobody_t’\n".replace(
        "‘", "'"
    ).replace("’", "'")


def test_unknown_record(tmp_path: Path) -> None:
    """One that the shims lack does not keep the others from being shown."""
    edit = ("@@ struct mm_struct {\n #endif\n", "@@ struct kc_none {\n #endif\n")
    done = kconform("layout", "-", stdin=plant(edit))
    assert done.status == 0 and "struct folio: 192 bytes as before" in done.out
    assert "not shown: include/linux/mm_types.h:1055: error: the patch extends struct kc_none" in done.out
    made = layouts(tmp_path, planted(tmp_path, edit))
    assert [lost.name for lost in made.lost] == ["struct kc_none"]
    said = error(edit, ("@@ struct folio {\n", "@@ struct kc_other {\n"))
    assert "include/linux/mm_types.h:383: error: the patch extends struct kc_other" in said


HOSTILE = {
    "an include": ('#include "/etc/passwd"', 386),
    "an include as a digraph": ('%:include "/etc/passwd"', 386),
    "a spliced include": ('#inc\\\nlude "/etc/passwd"', 386),
    "inline assembly": ('int kc asm("kc");', 386),
    "a pragma": ("#pragma pack(1)", 386),
    "another file's line": ('#line 1 "/etc/passwd"', 386),
    "a constructor": ("int kc __attribute__((constructor));", 386),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str) -> None:
    text, line = HOSTILE[name]
    said = error((IDS, indented(text) + IDS))
    assert f"include/linux/mm_types.h:{line}: error: " in said
    assert "root:" not in said


def test_hostile_macro(tmp_path: Path) -> None:
    """Assembly that only the preprocessor sees, and braces that do not match."""
    dummy = "+#define MM_ID_DUMMY		0\n"
    said = error(
        (dummy, added('#define KC(x) int kc x##m("nop")\n#define MM_ID_DUMMY KC(as)')),
        (IDS, indented("MM_ID_DUMMY;") + IDS),
    )
    assert "error: " in said
    assert "error: " in error((IDS, indented("}; };") + IDS))


def test_huge_and_odd_fields(tmp_path: Path) -> None:
    fields = """char kc_huge[1UL << 40];
unsigned kc_a : 3;
unsigned kc_b : 5;
void (*kc_f)(int);
const char *const (*kc_p)[3];
struct {
	union {
		u8 kc_deep[2][3];
		u16 kc_other;
	};
	short kc_last;
} kc_inner[2];
unsigned long kc_flex[];"""
    made = layouts(tmp_path, planted(tmp_path, (IDS, IDS + indented(fields))))
    folio = made.after["struct folio"]
    found = {f.path: (f.offset, f.size, f.type + f.array) for f in folio.added}
    base = 112 + (1 << 40)
    assert found["kc_huge"] == (112, 1 << 40, f"char[{1 << 40}]")
    assert found["kc_b"] == (base, 1, "unsigned int")
    assert found["kc_f"] == (base + 8, 8, "void (*)(…)")
    assert found["kc_p"][2] == "const char *const (*)[3]"
    assert found["kc_inner.kc_deep"] == (base + 24, 6, "u8[2][3]")
    assert found["kc_inner.kc_last"][0] == base + 30
    assert found["kc_flex"][1:] == (0, "unsigned long[]")
    text = layout_text(made, {}, "odd")
    assert max(map(len, text.splitlines())) <= 100
    squeezed = [" ".join(line.split()) for line in text.splitlines()]
    assert f"+ unsigned int kc_b:5; - - {base}:3 5 bits" in squeezed
    assert any(line.startswith("+ } kc_inner[2];") for line in squeezed)
    assert {c.verdict for n, c in checks(made).items() if n != "ids-overlay-private"} == {"fail"}


def test_nested_without_end(tmp_path: Path) -> None:
    deep = "struct {" * 200 + "int kc;" + "};" * 200
    with pytest.raises(HarnessError, match="nested more than"):
        layouts(tmp_path, planted(tmp_path, (IDS, IDS + indented(deep))))


def test_fields_without_end() -> None:
    """Macros that make a million fields cost neither time nor memory."""
    dummy = "+#define MM_ID_DUMMY		0\n"
    doubled = "\n".join(f"#define KC{n} KC{n - 1} KC{n - 1}" for n in range(1, 16))
    macros = "#define KC__(n) int kc##n;\n#define KC_(n) KC__(n)\n#define KC0 KC_(__COUNTER__)\n" + doubled
    said = error((dummy, dummy + added(macros)), (IDS, indented("KC15") + IDS))
    assert "more than 10,000 fields" in said


def test_fields_of_types_that_the_patch_adds(tmp_path: Path) -> None:
    """Macros, typedefs and records count from the patch's own text, where it stands before the record."""
    dummy = "+#define MM_ID_DUMMY		0\n"
    types = "#define KC_SLOTS 3\ntypedef u16 kc_t;\nstruct kc_slot {\n\tkc_t id;\n\tu8 count;\n};"
    edits = ((dummy, dummy + added(types)), (IDS, IDS + indented("struct kc_slot kc_slots[KC_SLOTS];")))
    field = layouts(tmp_path, planted(tmp_path, *edits)).after["struct folio"].field("kc_slots")
    assert field and (field.offset, field.size, field.type, field.array) == (112, 12, "struct kc_slot", "[3]")


def test_assertion_among_the_fields() -> None:
    said = error((IDS, indented('_Static_assert(sizeof(int) == 8, "kc: no");') + IDS))
    assert said == 'include/linux/mm_types.h:386: error: static assertion failed: "kc: no"\n'


def test_fields_taken_away(tmp_path: Path) -> None:
    """A patch may hide what was there."""
    edit = (ENTIRE, added("#if 0") + ENTIRE + added("#endif"))
    made = layouts(tmp_path, planted(tmp_path, edit))
    assert ("_entire_mapcount", None) in [(old.path, new) for old, new in made.changed("struct folio")]
    assert "_entire_mapcount is gone" in checks(made)["others-stay"].detail
    assert any(line.startswith("-") for line in layout_text(made, {}, "").splitlines())


def test_errors_carry_the_line(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match="among its fields"):
        layouts(tmp_path, planted(tmp_path, (IDS, added("#include <linux/list.h>") + IDS)))
    with pytest.raises(CompileError, match=r"mm_types\.h:386: error"):
        layouts(tmp_path, planted(tmp_path, (IDS, IDS.replace(";", " kc;"))))


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (("defined(CONFIG_A)",), "CONFIG_A"),
        (("!defined(CONFIG_A)", "defined(CONFIG_B)"), "!CONFIG_A && CONFIG_B"),
        (("defined(A) || defined(B)",), "A || B"),
        (("defined(A) || defined(B)", "X > 1"), "(A || B) && (X > 1)"),
    ],
)
def test_conditions(condition: tuple[str, ...], text: str) -> None:
    assert condition_text(condition) == text
