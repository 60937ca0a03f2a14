# SPDX-License-Identifier: GPL-2.0-only
"""The interface of two revisions: what is renamed, changed, the same, and what is only naming."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from extractor.items import Item
from extractor.mail import read_mails
from extractor.patch import parse_patch
from extractor.scan import scan_file
from extractor.unit import Unit
from harness.diff.constants import Values
from harness.diff.interface import Interface, comparable, compare, touched
from harness.diff.layouts import layouts_of, with_layouts
from harness.diff.things import Compared
from harness.diff.words import align, function_form
from harness.report.interface import interface_json, interface_text
from harness.tree.configuration import BASE_CONFIG, read_config
from harness.tree.items import PatchedTree, tree_items
from harness.tree.source import open_tree
from kernel_snippets import BUNDLED_PATCH
from tests.mails import V1, items_of, next_revision
from tests.planted import recount
from tests.renamed import NAMES

CONFIG = {"CONFIG_64BIT": True, "CONFIG_MM_ID": True}
RMAP = "include/linux/rmap.h"
TREE = Path(__file__).parents[1] / "trees/linux-7"
Against = Callable[[str], Interface]


def renamed(names: dict[str, str]) -> str:
    return re.sub(r"\w+", lambda match: names.get(match[0], match[0]), V1)


@pytest.fixture
def against_v1(tmp_path: Path) -> Against:
    def run(text: str) -> Interface:
        path = tmp_path / "next.txt"
        path.write_text(recount(text))
        return compare(comparable(items_of(BUNDLED_PATCH)), comparable(items_of(path)), CONFIG, CONFIG)

    return run


def said(interface: Interface) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {change.name: (change.how, change.what) for change in interface.changes}


def of_text(old: str, new: str) -> Interface:
    old_items, new_items = (scan_file("include/linux/x.h", text, "added") for text in (old, new))
    return compare(old_items, new_items, CONFIG, CONFIG)


# Revisions of the bundled patch.


def test_a_revision_is_itself(against_v1: Against) -> None:
    found = against_v1(V1)
    assert not found.changes and not found.renames and not found.alike
    assert len(found.same) == 14 and found.settled == found.same
    assert interface_text(found) == "interface: no change; 14 functions the same\n"


def test_every_name_is_another(against_v1: Against) -> None:
    found = against_v1(renamed(NAMES))
    assert {change.how for change in found.changes} == {"renamed"}
    assert not any(change.what for change in found.changes)
    assert found.renames == {name: new for name, new in NAMES.items() if name != "MM_ID"}
    assert len(found.alike) == len(found.settled) == 14 and not found.same


@pytest.mark.parametrize(
    "name",
    ["folio_set_large_mapped_exclusively", "folio_mm0_id", "folio_add_large_mapcount", "mm_free_id",
     "_mm0_mapcount", "_mm_ids", "mm_ida", "FOLIO_MM_IDS_ID1_SHIFT", "MM_ID_NR_BITS"],
)  # fmt: skip
def test_one_name_is_another(name: str, against_v1: Against) -> None:
    found = against_v1(renamed({name: "what_it_is_now"}))
    assert found.renames == {name: "what_it_is_now"}
    (change,) = found.changes
    assert change.how == "renamed" and change.new_name.endswith("what_it_is_now") and not change.what
    assert sorted((*found.same, *found.alike)) == sorted(found.settled) and len(found.settled) == 14


def test_local_names_say_nothing(against_v1: Against) -> None:
    found = against_v1(
        renamed({"diff": "delta", "new_mapcount_val": "left"}).replace("delta --git", "diff --git")
    )
    assert not found.changes and set(found.alike) == {"folio_add_large_mapcount", "folio_sub_large_mapcount"}


def test_two_names_are_swapped(against_v1: Against) -> None:
    found = against_v1(renamed({"folio_mm0_id": "folio_mm1_id", "folio_mm1_id": "folio_mm0_id"}))
    assert not found.renames and {"folio_mm0_id", "folio_mm1_id"} < set(said(found))


def test_another_bit_number(against_v1: Against) -> None:
    found = against_v1(re.sub(r"(EXCLUSIVE_BITNUM\s+)62", r"\g<1>61", V1))
    assert said(found) == {"FOLIO_MM_IDS_EXCLUSIVE_BITNUM": ("changed", ("value: 62 -> 61",))}
    assert "folio_set_large_mapped_exclusively" in found.same
    assert "folio_set_large_mapped_exclusively" not in found.settled and "folio_mm0_id" in found.settled


def test_a_value_that_follows_from_another(against_v1: Against) -> None:
    found = said(against_v1(re.sub(r"(MM_ID_NR_BITS\s+)20", r"\g<1>30", V1)))
    assert found == {"MM_ID_NR_BITS": ("changed", ("value: 20 -> 30",)),
                     "MM_ID_MAX": ("changed", ("value: 0xfffff -> 0x3fffffff",))}  # fmt: skip


def test_a_renamed_constant_with_another_value(against_v1: Against) -> None:
    found = against_v1(re.sub(r"(NOW\s+)62", r"\g<1>61", renamed({"FOLIO_MM_IDS_EXCLUSIVE_BITNUM": "NOW"})))
    (change,) = found.changes
    assert (change.how, change.new_name, change.what) == ("renamed", "NOW", ("value: 62 -> 61",))
    assert "folio_set_large_mapped_exclusively" not in found.settled


def test_an_operand_is_in_another_place(against_v1: Against) -> None:
    old = "if (folio_mm0_id(folio) == mm_id) {"
    assert V1.count(old)
    found = against_v1(V1.replace(old, "if (mm_id == folio_mm0_id(folio)) {"))
    assert set(said(found)) <= {"folio_add_large_mapcount", "folio_sub_large_mapcount"}
    assert all(how == "changed" and what[0].startswith("body: ") for how, what in said(found).values())


def test_a_helper_is_inlined(against_v1: Against) -> None:
    start = V1.index("+static inline unsigned int folio_mm0_id(")
    end = V1.index("+\n", start) + 2
    text = V1[:start] + V1[end:]
    text = text.replace("folio_mm0_id(folio)", "(folio->_mm_ids & FOLIO_MM_IDS_ID0_MASK)")
    found = said(against_v1(text))
    assert found["folio_mm0_id"][0] == "removed" and found["folio_add_large_mapcount"][0] == "changed"
    assert {how for how, _ in found.values()} == {"removed", "changed"}


def test_a_signature(against_v1: Against) -> None:
    found = said(against_v1(V1.replace("unsigned int folio_mm1_id(", "unsigned long folio_mm1_id(")))
    what = ("signature: unsigned int folio_mm1_id(struct folio *folio) -> "
            "unsigned long folio_mm1_id(struct folio *folio)",)  # fmt: skip
    assert found == {"folio_mm1_id": ("changed", what)}


def test_comments_and_line_breaks_are_the_same(against_v1: Against) -> None:
    text = V1.replace(
        "static inline unsigned int folio_mm1_id(", "static inline unsigned int /* one */\n+folio_mm1_id("
    )
    found = against_v1(text)
    assert not found.changes and len(found.same) == 14


def test_an_option_depends_on_other_ones(against_v1: Against) -> None:
    found = said(
        against_v1(
            V1.replace(
                "+	depends on TRANSPARENT_HUGEPAGE && 64BIT", "+	depends on TRANSPARENT_HUGEPAGE"
            )
        )
    )
    assert found == {"MM_ID": ("changed", (
        "depends on TRANSPARENT_HUGEPAGE && 64BIT -> depends on TRANSPARENT_HUGEPAGE",))}  # fmt: skip


def test_the_next_revision(tmp_path: Path) -> None:
    old, new = items_of(BUNDLED_PATCH), items_of(next_revision())
    found = compare(old, new, CONFIG, CONFIG)
    changes = said(found)
    assert not found.renames and found.same == ("mm_alloc_id",) and not found.settled
    assert changes["MM_ID_MAX"][1] == ("value: 0xfffff -> 0x7fffffff", "no longer only under CONFIG_MM_ID")
    assert changes["FOLIO_MM_IDS_LOCK_BITNUM"][1][0] == "value: 63 -> 31"
    assert changes["struct mm_struct.mm_id"][1] == ("type: unsigned int mm_id -> mm_id_t mm_id",)
    assert changes["MM_ID"][1] == (
        'bool "MM ID tracking" -> def_bool n',
        "no longer depends on TRANSPARENT_HUGEPAGE && 64BIT",
    )
    assert changes["folio_mm0_id"][0] == "removed" and changes["folio_mm_id"][0] == "added"
    assert changes["folio_add_large_mapcount"] == ("changed", ("body: +28 -27 lines",))
    placed = with_layouts(found, *(layouts_of(i, {"CONFIG_64BIT": True}, tmp_path / n)
                                   for i, n in ((old, "old"), (new, "new"))))  # fmt: skip
    assert said(placed)["struct folio._mm_id"][1] == ("mm_id_t _mm_id[2], at 104, 8 bytes",)
    assert all(len(line) <= 100 for line in interface_text(placed).split("\n"))
    assert "→" not in interface_text(placed) and interface_json(placed)["renames"] == {}


# Kernel trees.


def of_tree(tmp_path: Path, names: list[str], files: list[str]) -> list[Item]:
    items = tree_items(open_tree(str(TREE), None), [], [], read_config(BASE_CONFIG), tmp_path)
    return comparable(items, names, files)


def test_the_next_revision_and_what_was_merged(tmp_path: Path) -> None:
    mail = items_of(next_revision())
    tree = of_tree(tmp_path, [item.name for item in mail], touched(mail))
    found = compare(mail, tree, CONFIG, CONFIG)
    assert set(found.same) == {
        "folio_lock_large_mapcount", "folio_unlock_large_mapcount", "folio_mm_id", "folio_set_mm_id",
        "folio_set_large_mapcount", "mm_alloc_id", "mm_free_id"}  # fmt: skip
    changes = said(found)
    assert set(changes) == {
        "folio_test_large_maybe_mapped_shared", "__folio_large_mapcount_sanity_checks",
        "folio_add_large_mapcount", "folio_sub_large_mapcount"}  # fmt: skip
    assert changes["folio_add_large_mapcount"][1][0] == "now a macro for folio_add_return_large_mapcount()"
    back = said(compare(tree, mail, CONFIG, CONFIG))
    assert back["folio_test_large_maybe_mapped_shared"][0] == "added"
    assert not any(how == "removed" for how, _ in back.values())


def test_a_patch_on_a_tree_and_the_tree_itself(tmp_path: Path) -> None:
    text = (TREE / RMAP).read_text()
    new = text.replace("folio_set_mm_id", "folio_put_mm_id").replace("folio->_mm_id[idx] & MM_ID_MASK", "0")
    told = difflib.unified_diff(text.splitlines(), new.splitlines(), f"a/{RMAP}", f"b/{RMAP}", lineterm="")
    mail = tmp_path / "mail"
    mail.write_text(f"Subject: [PATCH] x\n\nx\n---\ndiff --git a/{RMAP} b/{RMAP}\n" + "\n".join(told) + "\n")
    patch = parse_patch(read_mails([str(mail)])[0])
    (tmp_path / "new").mkdir()
    items = tree_items(open_tree(str(TREE), None), [patch], [], read_config(BASE_CONFIG), tmp_path / "new")
    there = comparable(items)
    (tmp_path / "old").mkdir()
    found = compare(of_tree(tmp_path / "old", [], touched(there)), there, CONFIG, CONFIG)
    assert found.renames == {"folio_set_mm_id": "folio_put_mm_id"}
    assert said(found) == {
        "folio_set_mm_id": ("renamed", ()),
        "folio_mm_id": ("changed", ("body: +1 -1 lines",)),
    }
    assert set(found.alike) == {
        "folio_set_mm_id",
        "folio_set_large_mapcount",
        "folio_add_return_large_mapcount",
        "folio_sub_return_large_mapcount",
    }


# What is small.


def test_a_lookalike_is_no_rename() -> None:
    one = "static inline int a(struct x *x)\n{\n\treturn 0;\n}\n"
    found = of_text(one, one.replace("int a(", "int b("))
    assert not found.renames and {change.how for change in found.changes} == {"added", "removed"}


def test_a_name_that_is_still_in_use_is_not_renamed() -> None:
    body = "\tx->one = get(x) + 1;\n\tx->two = get(x) + 2;\n\tdo_this(x, x->one);\n"
    old = f"static void first(struct x *x)\n{{\n{body}}}\n"
    new = old.replace("first", "second") + "static void user(struct x *x)\n{\n\tfirst(x);\n}\n"
    assert not of_text(old, new).renames
    assert of_text(old, old.replace("first", "second")).renames == {"first": "second"}


def test_a_rename_that_another_function_contradicts() -> None:
    one = "static void f(struct x *x)\n{\n\tx->a = 1;\n\tx->b = 2;\n\tsync_it(x, 3, 4);\n}\n"
    old = "struct x {\n\tint a;\n\tint b;\n\tint c;\n};\n" + one + one.replace("f(", "g(")
    new = (
        old.replace("int a;", "int d;\n\tint e;")
        .replace("x->a = 1", "x->d = 1", 1)
        .replace("x->a = 1", "x->e = 1")
    )
    found = of_text(old, new)
    assert not found.renames and said(found)["struct x.a"][0] == "removed"


def test_a_nearly_equal_function_under_another_name() -> None:
    lines = "".join(f"\tx->f{n} = call{n}(x, {n});\n" for n in range(9))
    old = f"static void first(struct x *x)\n{{\n{lines}}}\n"
    found = of_text(old, old.replace("first", "second").replace("x, 4)", "x, 5)"))
    (change,) = found.changes
    assert (change.how, change.new_name, change.what) == ("renamed", "second", ("body: +1 -1 lines",))


def test_parameters_change_places() -> None:
    old = "static int f(int a, int b)\n{\n\treturn a - b;\n}\n"
    assert not of_text(old, "static int f(int b, int a)\n{\n\treturn b - a;\n}\n").changes
    (change,) = of_text(old, old.replace("int a, int b", "int b, int a")).changes
    assert change.what == ("body: its parameters are used in another order",)


ONE = "struct one {\n\tint count;\n};\n"
SIZE = "static inline unsigned long size(void)\n{\n\treturn sizeof(struct one);\n}\n"
LIMIT = "#define ONE 1\nstatic inline unsigned long f(int x)\n{\n\treturn ONE << x;\n}\n"


def test_a_field_more_is_another_size() -> None:
    found = of_text(ONE + SIZE, ONE.replace("count;", "count;\n\tint extra;") + SIZE)
    assert found.same == ("size",) and not found.settled
    inner = "typedef struct {\n\tint a;\n} t;\n" + SIZE.replace("struct one", "t")
    assert not of_text(inner, inner.replace("int a", "long a")).settled


def test_a_value_of_another_type() -> None:
    found = of_text(LIMIT, LIMIT.replace("ONE 1", "ONE 1UL"))
    assert said(found) == {"ONE": ("changed", ("value: 1 -> 1UL",))} and not found.settled
    found = of_text(LIMIT, LIMIT.replace("ONE 1", "ONE (1)"))
    assert not found.changes and found.same == ("f",) and not found.settled


def test_a_variant_under_another_condition() -> None:
    one = "static inline int f(int a)\n{\n\treturn a + 1;\n}\n"
    text = f"#ifdef CONFIG_A\n{one}#else\n{one.replace('+ 1', '+ 2')}#endif\n"
    found = of_text(text, text.replace("+ 2", "+ 5"))
    assert said(found) == {"f": ("changed", ("body: +1 -1 lines",))} and not found.settled


def tree_with(header: str, behind: str, name: str) -> Compared:
    """A header of a tree, and what else the tree has."""
    items = Compared(scan_file("include/linux/x.h", header, "tree"))
    unit = Unit((*items, *scan_file("include/linux/y.h", behind, "tree")))
    items.tree = cast(PatchedTree, SimpleNamespace(name=name, units={(): (unit, None)}))
    return items


@pytest.mark.parametrize(("old", "new", "settled"), [
    ("static inline int g(void)\n{\n\treturn 1;\n}\n", "static inline int g(void) { return 1; }\n", True),
    ("static inline int g(void)\n{\n\treturn 1;\n}\n", "static inline int g(void) { return 2; }\n", False),
    ("int g(void);\n", "int g(void);\n", False),
    ("#define g() h()\n#define h() 1\n", "#define g() h()\n#define h() 1\n", True),
    ("#define g() h()\n#define h() 1\n", "#define g() h()\n#define h() 2\n", False),
    ("#define g() f()\n", "#define g() f()\n", True),
])  # fmt: skip
def test_what_another_tree_has_behind_the_same_text(old: str, new: str, settled: bool) -> None:
    text = "static inline int f(void)\n{\n\treturn g();\n}\n"
    found = compare(tree_with(text, old, "one"), tree_with(text, new, "two"), CONFIG, CONFIG)
    assert found.same == ("f",) and found.settled == (("f",) if settled else ())
    # What patches leave alone is the same in one tree.
    found = compare(tree_with(text, old, "one"), tree_with(text, new, "one"), CONFIG, CONFIG)
    assert found.settled == ("f",)


def test_records_and_enums() -> None:
    old = (
        "struct s {\n\tint a;\n\tlong b;\n};\nenum e {\n\tONE,\n\tTWO,\n\tEND = 1 << 4,\n};\ntypedef int t;\n"
    )
    new = (
        "struct s {\n\tlong b;\n\tint a;\n};\nenum e {\n\tZERO,\n\tONE,\n\tTWO,\n\tEND = 1 << 5,\n};\n"
        "typedef long t;\n"
    )
    found = said(of_text(old, new))
    assert found == {
        "struct s": ("changed", ("order of its fields",)),
        "ZERO": ("added", ("0",)),
        "ONE": ("changed", ("value: 0 -> 1",)),
        "TWO": ("changed", ("value: 1 -> 2",)),
        "END": ("changed", ("value: 16 -> 32",)),
        "t": ("changed", ("type: int t -> long t",)),
    }
    whole = of_text("", old)
    assert [change.name for change in whole.changes] == ["struct s", "enum e", "t"]


def test_a_presence_condition() -> None:
    one = "static inline int f(int a)\n{\n\treturn a + 1;\n}\n"
    found = said(of_text(f"int x;\n{one}", f"int x;\n#ifdef CONFIG_A\n{one}#endif\n"))
    assert found == {"f": ("changed", ("only under CONFIG_A, before: always",))}
    stub = f"#ifdef CONFIG_A\n{one}#else\n{one.replace('a + 1', '0')}#endif\n"
    assert not of_text(
        f"int x;\n{stub}", f"int y(void);\nint x;\n{stub.replace('CONFIG_A', 'CONFIG_A')}"
    ).alike
    assert said(of_text(stub, stub.replace("CONFIG_A", "CONFIG_B")))["f"][0] == "changed"


def test_locals_are_told_from_what_is_outside() -> None:
    form = function_form(
        "static int f(struct a *p, int (*call)(int x), t n[2])\n{\n\tunsigned int i = g(p), *q;\n"
        "\tstruct b *r;\n\tfor (int k = 0; k < i; k++)\n\t\tcall(p->n);\nout:\n\treturn v * w;\n}"
    )
    local = {word.text for word in form.words if word.space == "local"}
    assert local == {"p", "call", "n", "i", "q", "r", "k", "out"}
    assert align(form.words, form.words[:-1]) is None


def test_values() -> None:
    texts = {"A": "(1U << BITS) - 1", "BITS": "(sizeof(id_t) * 8)", "LOOP": "LOOP2", "LOOP2": "LOOP + 1",
             "B": "BIT(A & 7)", "BIG": "MORE * MORE", "MORE": "0xffffffffffffffff", "C": "f(1)"}  # fmt: skip
    known = Values(texts, {"id_t": "unsigned short"}, 8)
    assert [known.of(name) for name in ("A", "B", "LOOP", "BIG", "C")] == [0xFFFF, 128, None, None, None]


# Hostile ones.


@pytest.mark.parametrize("old", ["one{n}", "one"])
def test_thousands_of_functions_of_one_shape(old: str) -> None:
    body = "static void {name}(struct x *x)\n{{\n\tx->a{n} = get(x, x->b{n});\n\tput(x, x->a{n});\n}}\n"
    sides = ["".join(body.format(n=n, name=name.format(n=n)) for n in range(400)) for name in (old, "two{n}")]
    of_text(*sides)  # as long as a test may take


@pytest.mark.parametrize("text", [
    "static void f(void)\n{\n" + "int a = { " * 10_000,
    "static void f(void)\n{\n" + "; typeof(" * 10_000 + "\n}\n",
    "struct x {\n" + "\tstruct {\n" * 5_000 + "int a;\n",
    "#define A " + "(" * 10_000 + "\n",
    "enum { " + "A = A, " * 10_000 + "};\n",
    "enum {" + "{A=" * 10_000 + "};\n", "struct " * 20_000 + "{ int a; };\n",
        "#define\n#define (\nenum {};\nstruct {};\ntypedef;\n;\n}{\n",
    "\x00\xff\u2028static void é(int ß)\n{\n}\n",
])  # fmt: skip
def test_nonsense_ends_soon(text: str) -> None:
    interface_text(of_text(text, text.replace("a", "b") + "int more;\n"))
    interface_text(of_text(text, ""))
