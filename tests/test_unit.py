# SPDX-License-Identifier: GPL-2.0-only
"""Items, closures, cut records and the census, on small trees that are written here."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from extractor.cast import facts
from extractor.closure import Closure, Shims
from extractor.cut_records import cut_record, touched_fields
from extractor.items import Item, SourceLine
from extractor.scan import classify, declarators, scan_file
from extractor.slice import Slice
from extractor.unit import Unit, names_of
from harness.build import DIALECT, CompileError, RefusedError, diagnostics, refuse_unsafe_text
from harness.census.census import UNSET, Counted, censuses
from harness.census.objects import call_of, record_members
from harness.render_unit import slice_text
from harness.report.census import census_text, numbers
from harness.tree.files import Roots
from harness.tree.generated import has_body, outer_calls
from harness.tree.includes import Includes, code_of, includes_of
from harness.tree.preprocess import enum_bodies
from harness.tree.revision import read_unit, with_records
from harness.tree.shims import shims
from harness.tree.slicing import closed
from kernel_snippets import INCLUDE

Tree = Callable[..., Unit]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Writes headers below include/linux/ and reads what a file sees that includes linux/a.h."""

    def make(text: str, config: Mapping[str, str] | None = None, **others: str) -> Unit:
        others["kconfig"] = "#include <generated/autoconf.h>\n"
        for name, said in {"a": text, **others}.items():
            path = tmp_path / f"include/linux/{name}.h"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(said)
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        return read_unit(Includes(Roots([tmp_path]), ["linux/a.h"]), config or {}, work)[0]

    return make


NONE = Shims({})


def cut(unit: Unit, *entries: str, shims: Shims = NONE) -> Slice:
    return Closure(unit, shims).slice("", entries)


def pasted(unit: Unit, folder: Path, *entries: str) -> Slice:
    work = folder / "work"
    return closed(Closure(unit, shims({}, work)), "", entries, work)


def texts(piece: Slice) -> str:
    return "\n".join(item.text for item in piece.items)


def compiles(piece: Slice, folder: Path) -> str:
    """What gcc says of a slice: nothing where it is C."""
    (folder / "generated").mkdir(exist_ok=True)
    (folder / "generated/autoconf.h").write_text("")
    done = subprocess.run(
        ["gcc", *DIALECT, "-w", "-I", INCLUDE, "-I", folder, "-fsyntax-only", "-x", "c", "-"],
        input=slice_text(piece).replace("#pragma once", ""), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr


def record(text: str) -> Item:
    return scan_file("x.h", text, "tree")[0]


# Names.


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("unsigned int __mapcount", ["__mapcount"]),
        ("atomic_t __page_refcount", ["__page_refcount"]),
        ("struct page *__page_1", ["__page_1"]),
        ("int x __aligned(8)", ["x"]),
        ("struct folio x __rcu", ["x"]),
        ("struct task_struct __rcu *owner", ["owner"]),
        ("unsigned long x ____cacheline_aligned_in_smp", ["x"]),
        ("int __bitwise __kernel_rwf_t", ["__kernel_rwf_t"]),
        ("u8 a, *b, c[3], d:4", ["a", "b", "c", "d"]),
        ("void (*call)(struct page *page, int n)", ["call"]),
        ("DECLARE_BITMAP(bits, 64)", ["bits"]),
    ],
)
def test_what_a_declaration_declares(said: str, names: list[str]) -> None:
    assert [name for name, _ in declarators(said)] == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("typedef int __bitwise vma_flag_t;", {"vma_flag_t"}),
        ("typedef void (percpu_ref_func_t)(struct percpu_ref *);", {"percpu_ref_func_t"}),
        ("typedef int (*pte_fn_t)(pte_t *pte, void *data);", {"pte_fn_t"}),
        ("typedef unsigned int u32, __u32;", {"u32", "__u32"}),
        ("typedef struct spinlock {\n	int held;\n} spinlock_t, raw_spinlock_t;",
         {"spinlock_t", "raw_spinlock_t", "struct spinlock"}),
        ("enum zone_type {\n	ZONE_DMA,\n	ZONE_X = F(1, 2),\n	MAX_ZONES\n};",
         {"enum zone_type", "ZONE_DMA", "ZONE_X", "MAX_ZONES"}),
        ("struct a {\n	enum { A_ONE, A_TWO } kind;\n};", {"struct a", "A_ONE", "A_TWO"}),
    ],
)  # fmt: skip
def test_the_names_that_an_item_defines(text: str, names: set[str]) -> None:
    assert set(names_of(record(text))) == names


def test_a_declaration_is_no_product() -> None:
    """pycparser reads `pg_data_t *p = f();` as an assignment to a product where it knows no such type."""
    item = record(
        "static inline int g(void)\n{\n	pg_data_t *p = f();\n	other_t *q;\n	return p->n;\n}"
    )
    found = facts(item)
    assert found.parsed and {"pg_data_t", "other_t", "f"} <= found.names
    assert not {"p", "q", "n"} & found.names


def test_a_function_in_an_annotation_is_called() -> None:
    item = record(
        "static inline int g(int *l)\n{\n	int *p;\n	__cond_lock(*l, p = take(l));\n	return *p;\n}"
    )
    assert "take" in facts(item).calls


def test_a_cast_in_an_enum_is_a_type() -> None:
    item = record("enum {\n	A_BIT = ((__force flag_t)0),\n	B_BIT = ((__force flag_t)(A_BIT)),\n};")
    assert "flag_t" in facts(item).names and "A_BIT" not in facts(item).names
    assert classify("enum e { A = (t)1, B };")[0] == "record"


# Cut records.

FOLIO = """struct folio {
	unsigned long flags;	/* see page-flags.h */
	union {
		struct list_head lru;
		struct {
			void *filler;
			unsigned int mlock;
		};
	};
	int a, b:3, c:5;
	DECLARE_BITMAP(ids, 64);
	struct inner {
		int x;
		int y;
	} in;
	void (*free)(struct folio *folio, int order);
	atomic_t __count __aligned(4);
};"""


@pytest.mark.parametrize(
    ("touched", "kept", "gone"),
    [
        ({"flags"}, ["flags;"], ["union", "lru", "inner", "free"]),
        ({"mlock"}, ["union {", "struct {", "mlock;"], ["filler", "lru", "flags"]),
        ({"lru", "mlock"}, ["lru;", "filler;", "mlock;"], ["flags"]),
        ({"b"}, ["int a, b:3, c:5;", "flags;", "filler;"], ["order_"]),
        ({"ids"}, ["DECLARE_BITMAP(ids, 64);"], ["flags"]),
        ({"in"}, ["int x;", "int y;", "} in;"], ["flags"]),
        ({"in", "x"}, ["int x;", "} in;"], ["int y;"]),
        ({"free"}, ["(*free)"], ["order_"]),
        ({"order"}, ["struct folio {"], ["free"]),
        ({"__count"}, ["__count __aligned(4);"], ["flags"]),
    ],
)
def test_a_record_is_cut_to_what_is_touched(touched: set[str], kept: list[str], gone: list[str]) -> None:
    whole = record(FOLIO)
    item = cut_record(whole, touched)
    assert all(text in item.text for text in kept) and not any(text in item.text for text in gone)
    assert item.lines[0].text == "struct folio {" and item.lines[-1].text == "};"
    before = {line.number: line.text for line in whole.lines}
    assert all(before[line.number].split("/*")[0].split()[0] == line.text.split()[0] for line in item.lines)


@pytest.mark.parametrize(
    "text",
    [
        "struct x {\n	int n;\n	struct page *pages[];\n};",
        "struct x {\n	int n;\n	unsigned long bits[] __counted_by(n);\n};",
        "enum x {\n	A,\n	B,\n};",
        "struct x {\n	int n;",
    ],
)
def test_what_stays_whole(text: str) -> None:
    item = record(text)
    assert cut_record(item, {"pages", "bits"}) == item


def test_a_flexible_array_goes_where_nobody_touches_it() -> None:
    assert (
        "pages"
        not in cut_record(record("struct x {\n	int n;\n	int m;\n	int pages[];\n};"), {"n"}).text
    )


def test_fields_that_are_touched() -> None:
    said = "f(p->a.b, q -> c, container_of(x, struct y, d), list_entry(l, struct z, e), MACRO(g, 1))"
    assert {"a", "b", "c", "d", "e"} <= touched_fields(said) <= {*"abcde", "x", "l"}
    assert touched_fields(said, {"MACRO"}) - touched_fields(said) == {"g"}


# Units.


def test_enums_without_a_tag_are_different_ones(tree: Tree) -> None:
    unit = tree("""\
enum {
	A_ONE,
	A_TWO,
};
enum {
	B_ONE,
	B_TWO,
};
""")
    assert unit.defined["A_TWO"][0].name == "enum of A_ONE" and unit.defined["B_TWO"][0].line == 5
    assert [item.name for item in cut(unit, "B_TWO").items] == ["enum of B_ONE"]


def test_enums_whose_constants_macros_name(tree: Tree, tmp_path: Path) -> None:
    unit = tree(
        """\
typedef int flag_t;
#define BIT_(name, n) V_ ## name ## _BIT = ((flag_t)(n))
#define BOTH(x) x##_LOW, x##_HIGH
enum {
	BIT_(READ, 0),
	BIT_(WRITE, 1),
};
enum more {
	BOTH(PG),
	LAST,
};
#define V_MASK(name) (1UL << V_ ## name ## _BIT)
static inline long f(void)
{
	return V_MASK(WRITE) | PG_HIGH;
}
"""
    )
    assert {"V_READ_BIT", "V_WRITE_BIT", "PG_LOW", "PG_HIGH", "LAST"} <= unit.defined.keys()
    piece = pasted(unit, tmp_path, "f")
    assert "BIT_(WRITE, 1)" in texts(piece) and "enum more" in texts(piece) and "#define BIT_" in texts(piece)
    assert "V_WRITE_BIT" in piece.needs["f"] and compiles(piece, tmp_path) == ""


def test_a_list_that_is_included_several_times(tree: Tree, tmp_path: Path) -> None:
    unit = tree(
        """\
#define S(x) x ## _id,
enum ids {
#include <linux/list_of.h>
	COUNT
};
#undef S
struct s {
	int n;
};
#define S(x) extern struct s x ## _s;
#include <linux/list_of.h>
#undef S
#define S(x) extern int x ## _on;
#include <linux/list_of.h>
#undef S
#define on(x) x ## _on
static inline int f(void)
{
	return on(memory) + io_s.n + COUNT;
}
""",
        list_of="""\
/* all
 * of them */

S(io)
#ifdef CONFIG_M
S(memory)
#endif
""",
        config={"CONFIG_M": "1"},
    )
    piece = pasted(unit, tmp_path, "f")
    assert {"io_id", "memory_id", "COUNT"} <= set(names_of(unit.defined["io_id"][0]))
    assert piece.beyond.keys() == {"memory_on", "io_s"} and compiles(piece, tmp_path) == ""


def test_functions_that_macros_generate(tree: Tree, tmp_path: Path) -> None:
    unit = tree(
        """\
struct page {
	unsigned long flags;
	int n;
};
#define TEST(u, l) static inline int Page##u(struct page *p)\\
	{ return p->flags & 1 << PG_##l; }
#define SET(u, l) static inline void SetPage##u(struct page *p)\\
	{ p->flags |= 1 << PG_##l; }
#define BOTH(u, l) TEST(u, l) SET(u, l)
enum { PG_a, PG_b };
BOTH(A, a)
TEST(B, b) SET(B, b)

static inline int f(struct page *p)
{
	return PageB(p);
}
"""
    )
    made = {item.name: item.line for item in unit.items if item.expansion and item.kind == "function"}
    assert made == {"PageA": 11, "SetPageA": 11, "PageB": 12, "SetPageB": 12}
    piece = pasted(unit, tmp_path, "f")
    assert piece.functions == ("PageB", "SetPageB", "f") and slice_text(piece).count("TEST(B, b)") == 1
    assert "int n" not in texts(piece) and compiles(piece, tmp_path) == ""


def test_a_function_is_not_what_a_macro_is_called_with(tree: Tree) -> None:
    unit = tree(
        """\
void kfree(const void *p);
#define DEFINE_FREE(name, code) static inline void __free_##name(void *p) { void *_T = p; code; }
DEFINE_FREE(kfree, kfree(_T))
static inline void f(void *p)
{
	kfree(p);
}
"""
    )
    assert cut(unit, "f").beyond.keys() == {"kfree"}


def test_records_behind_macros(tree: Tree, tmp_path: Path) -> None:
    unit = tree(
        """\
# define context_lock_struct(name, ...) struct __VA_ARGS__ name
context_lock_struct(sem);
context_lock_struct(sem) {
	int count;
	int owner;
};
struct mm {
	struct sem lock;
	int x;
};
static inline int f(struct mm *mm)
{
	return mm->lock.count;
}
"""
    )
    piece = cut(unit, "f")
    assert "context_lock_struct(sem) {" in texts(piece) and "owner" not in texts(piece)
    assert compiles(piece, tmp_path) == ""


def test_a_macro_behind_a_record_and_one_that_is_a_member(tree: Tree, tmp_path: Path) -> None:
    unit = tree(
        """\
#define ____aligned __attribute__((__aligned__(64)))
struct padding {
	char x[0];
} ____aligned;
#define PADDING(name) struct padding name
#define __guarded_by(...)
struct zone {
	int a __guarded_by(&b);
	PADDING(_pad_);
	int b;
} ____aligned;
static inline int f(struct zone *z)
{
	return z->a + sizeof(z->_pad_);
}
"""
    )
    piece = cut(unit, "f")
    assert compiles(piece, tmp_path) == "" and "} ____aligned;" in texts(piece)


def test_a_typedef_of_a_record_is_cut(tree: Tree, tmp_path: Path) -> None:
    unit = tree(
        """\
struct list {
	int n;
};
typedef struct pglist {
	struct list lists[4];
	struct unknown u;
	int id;
} pg_t;
extern pg_t *nodes[];
static inline int f(void)
{
	return nodes[0]->lists[1].n;
}
"""
    )
    piece = cut(unit, "f")
    assert "lists[4]" in texts(piece) and "unknown" not in texts(piece) and "int id" not in texts(piece)
    assert compiles(piece, tmp_path) == ""


def test_sizeof_keeps_a_record_whole(tree: Tree) -> None:
    unit = tree(
        """\
struct a {
	int x;
	int y;
};
struct b {
	int x;
	int y;
};
static inline int f(struct b *b)
{
	return sizeof(struct a) + b->x;
}
"""
    )
    said = {item.name: item.text for item in cut(unit, "f").items}
    assert "int y" in said["struct a"] and "int y" not in said["struct b"]


TWO = """\
struct a {
	int before;
	int x;
	int after;
};
struct b {
	int first;
	struct a in;
	struct a *to;
	int last;
};
typedef struct a a_t;
typedef unsigned char u8;
#define NULL ((void *)0)
#define offsetof(t, m) __builtin_offsetof(t, m)
#define container_of(p, t, m) ((t *)((char *)(p) - __builtin_offsetof(t, m)))
#define NEXT(p) ((p) + 1)
#define SAME(p) (p)
#define HANDED(p) NEXT(p)
#define SIZE(p) ({ typeof(p) _p = (p); sizeof(*_p); })
#define GOT get()
void *memset(void *p, int c, unsigned long n);
struct a *get(void);
static inline int x_of(struct a *p)
{
	return p->x;
}
static inline int any(void *p)
{
	struct a *a = p;

	return a ? a->x : 0;
}
"""


@pytest.mark.parametrize(
    "code",
    [
        "struct a v = { 1, 2 };\n	return v.x + p->x;",
        "return ((struct a){ 1, 2 }).x;",
        "return ((a_t){ 1, 2 }).x;",
        "return sizeof(*p) + p->x;",
        "return sizeof(q->in) + p->x;",
        "return sizeof(a_t) + p->x;",
        "return __builtin_offsetof(struct a, x);",
        "return offsetof(struct a, x) + p->x;",
        "return container_of(&p->x, struct a, x)->x;",
        "return container_of(i, a_t, x)->x;",
        "return p - q->to + p->x;",
        "return (p + 1)->x;",
        "return (1 + p)->x;",
        "return p[1].x;",
        "return (p)[1].x;",
        "return (q ? p : q->to)[1].x;",
        "return q->to[1].x;",
        "return (++p)->x;",
        "p += 2;\n	return p->x;",
        "for (; p->x; p++)\n		;\n	return 0;",
        "*p = *q->to;\n	return p->x;",
        "q->in = *p;\n	return p->x;",
        "memset(p, 0, 8);\n	return p->x;",
        "memset(&p->x, 0, 8);\n	return p->x;",
        "return ((int *)p)[1] + p->x;",
        "return (&p->x)[1];",
        "return *((int *)&p->x + 1);",
        "return ((struct c *)p)->n + p->x;",
        "void *v = p;\n	struct c *c = v;\n\n	return c->n + p->x;",
        "return any(p) + p->x;",
        "return NEXT(p)->x;",
        "return HANDED(p)->x;",
        "return SAME(p)[1].x;",
        "return SIZE(p) + p->x;",
        "return (get() + 1)->x;",
        "return GOT[1].x;",
        "typeof(p) n = p;\n\n	return (n + 1)->x;",
        "__auto_type n = p;\n\n	return (n + 1)->x;",
        "struct a **all = &p;\n\n	return all[0][1].x;",
        "struct a *one = p, *two = one + 1;\n\n	return two->x;",
        "({ p; })[1].x = 1;\n	return 0;",
        "return ((u8 *)(p))[4] + p->x;",
    ],
)
def test_a_record_stays_whole_where_its_layout_may_be_seen(code: str, tree: Tree, tmp_path: Path) -> None:
    text = f"{TWO}struct c {{\n	int n;\n	int m;\n}};\n"
    unit = tree(text + f"static inline long f(struct a *p, struct b *q, int *i)\n{{\n	{code}\n}}\n")
    piece = cut(unit, "f")
    said = {item.name: item.text for item in piece.items}
    assert "int before;" in said["struct a"] and "int after;" in said["struct a"]
    assert "struct c *" not in code or "int m;" in said["struct c"]


@pytest.mark.parametrize(
    "code",
    [
        "return p->x + (p)->x;",
        "return x_of(p) + x_of(q->to) + x_of(&q->in);",
        "if (p && q->to != p && !(p == NULL))\n		p = q->to;\n	return p ? p->x : 0;",
        "struct a *v = q ? q->to : p;\n\n	return v->x;",
        "q->to = p;\n	return GOT->x + get()->x + SAME(p)->x;",
        "struct a **all = &p;\n\n	return all[0]->x + (*all)->x;",
        "if (i)\n		x_of(p);\n	return i[1] + *i;",
    ],
)
def test_a_record_is_cut_where_nobody_can_see_it(code: str, tree: Tree, tmp_path: Path) -> None:
    unit = tree(TWO + f"static inline long f(struct a *p, struct b *q, int *i)\n{{\n	{code}\n}}\n")
    piece = cut(unit, "f")
    said = {item.name: item.text for item in piece.items}
    assert "int x;" in said["struct a"] and "int before;" not in said["struct a"]
    assert "int last;" not in said.get("struct b", "") and compiles(piece, tmp_path) == ""


@pytest.mark.parametrize(
    ("code", "whole"), [("sizeof(a->in) + a->in.x", True), ("a->in.x + a->all[1].m", False)]
)
def test_a_record_inside_of_one_counts_as_that(code: str, whole: bool, tree: Tree, tmp_path: Path) -> None:
    inside = "struct a {\n	struct {\n		int x;\n		int y;\n	} in;\n"
    inside += "	struct e {\n		int m;\n	} all[2];\n};\n"
    piece = cut(tree(f"{inside}static inline long f(struct a *a)\n{{\n	return {code};\n}}\n"), "f")
    assert ("int y;" in texts(piece)) == whole and compiles(piece, tmp_path) == ""


def test_what_shares_a_union_with_something_used_stays(tree: Tree, tmp_path: Path) -> None:
    unit = tree(
        """\
struct low {
	int first;
	int second;
};
struct a {
	int gone;
	union {
		struct {
			int other;
			int half;
		};
		struct low low;
		long all;
	};
};
struct flags {
	int gone;
	unsigned one:1;
	unsigned two:1;
};
static inline long f(struct a *a, struct flags *flags)
{
	return a->half + a->all + a->low.second + flags->two;
}
"""
    )
    piece = cut(unit, "f")
    said = {item.name: item.text for item in piece.items}
    assert "int other;" in said["struct a"] and "int gone;" not in said["struct a"]
    assert "int first;" in said["struct low"] and "int gone;" in said["struct flags"]
    assert compiles(piece, tmp_path) == ""


def test_a_tag_that_is_a_macro(tree: Tree, tmp_path: Path) -> None:
    unit = tree(
        """\
struct array {
	int n;
	int m;
};
#define root array
struct idr {
	struct root rt;
	int next;
};
static inline long f(struct idr *idr)
{
	return sizeof(*idr) + idr->rt.n;
}
"""
    )
    piece = cut(unit, "f")
    assert compiles(piece, tmp_path) == "" and "int m;" in texts(piece)


MANY = 10_000


@pytest.mark.parametrize(
    "member",
    [
        "int a[] " + "__a" * MANY,
        "int a[] " + "__a " * MANY + "(",
        "union { " * MANY + "int a;" + "};" * MANY,
        "struct { " * MANY + "int a;" + "};" * MANY,
        "(" * MANY + "a",
        "enum " * MANY + "a;",
        "sizeof" + " " * MANY * 4 + "a;",
    ],
)
def test_hostile_records_end(member: str) -> None:
    item = record(f"struct x {{\n	int n;\n	{member};\n}};")
    assert cut_record(item, {"a", "n"}).lines and names_of(item)


@pytest.mark.parametrize(
    "body",
    [
        "sizeof" + " " * MANY * 5,
        "a " + " " * MANY * 5 + "a" + " " * MANY * 5 + ";",
        "a->" * MANY + "a;",
        "&a->a " * MANY,
        "(a" * MANY + ")" * MANY,
        "struct a *" * MANY,
        "*a[a](a)" * (MANY // 2),
        "(void *)" * MANY + "a;",
    ],
)
def test_hostile_functions_end(body: str) -> None:
    text = "struct a {\n	int n;\n	int m;\n};\n"
    text += f"#define M(a) {body}\nstatic int f(struct a *a)\n{{\n	{body}\n	return a->n;\n}}\n"
    items = tuple(scan_file("x.h", text, "tree"))
    assert cut(Unit(items, order={"x.h": {n: n for n in range(20)}}), "f", "struct a").items


def test_names_that_lead_to_names_without_end() -> None:
    text = "".join(f"extern struct s{n} *v{n}(struct s{n + 1} *, typeof(v{n + 1}));\n" for n in range(5000))
    items = tuple(scan_file("x.h", text + "static int f(void)\n{\n	return v0(0);\n}\n", "tree"))
    assert len(cut(Unit(items, order={"x.h": {}}), "f").beyond) == 5000


def test_what_a_macro_goes_through_is_there(tree: Tree, tmp_path: Path) -> None:
    unit = tree(
        """\
struct inode {
	int flags;
};
struct mapping {
	struct inode *host;
	struct gone *gone;
};
struct file {
	struct mapping *f_mapping;
};
#define IS_X(inode) ((inode)->flags & 1)
static inline int f(struct file *file)
{
	return IS_X(file->f_mapping->host);
}
"""
    )
    piece = cut(unit, "f")
    assert compiles(piece, tmp_path) == "" and "gone" not in texts(piece)


def test_assertions_about_whole_records_are_kept(tree: Tree, tmp_path: Path) -> None:
    """A check of the slicing itself; a macro that is defined anew means what it meant at its call."""
    unit = tree(
        """\
#include <linux/build_bug.h>
struct page {
	long flags;
	long x;
};
struct folio {
	long flags;
	long y;
	long z;
};
#define MATCH(p, f) static_assert(__builtin_offsetof(struct page, p) == __builtin_offsetof(struct folio, f))
MATCH(x, y);
#undef MATCH
#define MATCH(p, f) static_assert(__builtin_offsetof(struct page, p) + 8 == \\
	__builtin_offsetof(struct folio, f))
MATCH(x, z);
#undef MATCH
static inline long f(struct folio *f)
{
	return ((struct page *)f)->flags;
}
""",
        build_bug="#define static_assert(expr, ...) __static_assert(expr, ##__VA_ARGS__, #expr)\n"
        "#define __static_assert(expr, msg, ...) _Static_assert(expr, msg)\n",
    )
    piece = pasted(unit, tmp_path, "f")
    assert texts(piece).count("_assert(") == 2 and "long z" in texts(piece)
    assert compiles(piece, tmp_path) == ""
    assert "assertion failed" in compiles(pasted(tree(
        (tmp_path / "include/linux/a.h").read_text().replace("MATCH(x, z)", "MATCH(flags, z)"),
    ), tmp_path, "f"), tmp_path)  # fmt: skip


# Macros that are undone.

UNDONE = """\
#define ONLY(x) ((x) + 1)
static inline int f(int x)
{
	return ONLY(x);
}
#undef ONLY
static inline int ONLY(int x)
{
	return x + 2;
}
static inline int g(int x)
{
	return ONLY(x) + f(x);
}
"""


@pytest.mark.parametrize("later", [UNDONE.partition("#undef ONLY\n")[2], "enum { ONLY = 2 };\n"])
def test_a_macro_that_is_undone_once_is_so_in_the_slice(later: str, tree: Tree, tmp_path: Path) -> None:
    text = UNDONE.partition("#undef")[0] + "#undef ONLY\n" + later
    text += "" if "g(" in later else "static inline int g(int x)\n{\n\treturn ONLY + f(x);\n}\n"
    piece = cut(tree(text), "g")
    assert "#undef ONLY" in texts(piece) and later.split("\n")[0] in texts(piece)
    assert compiles(piece, tmp_path) == ""


def test_a_macro_that_is_pushed_and_popped(tree: Tree, tmp_path: Path) -> None:
    unit = tree(
        """\
#define WIDTH \\
	4 /* of
	of old */
#pragma push_macro("WIDTH")
#undef WIDTH
#define WIDTH 8
static inline int f(void)
{
	_Static_assert(WIDTH == 8, "");
	return WIDTH;
}
#pragma pop_macro("WIDTH")
#pragma pop_macro("OTHER")
static inline int g(void)
{
	_Static_assert(WIDTH == 4, "");
	return WIDTH + f();
}
#pragma push_macro("NONE")
#define NONE 1
#pragma pop_macro("NONE")
static inline int h(int NONE)
{
	return NONE;
}
"""
    )
    piece = cut(unit, "g", "h")
    assert piece.functions == ("f", "g", "h")
    assert compiles(piece, tmp_path) == "" and "pragma" not in texts(piece)


def test_several_declarations_on_a_line(tree: Tree, tmp_path: Path) -> None:
    unit = tree(
        """\
extern int a; extern int b; /* two; */ typedef int t;
struct x { int n; }; struct y { int n; } z; struct w { struct x x[2]; };
static inline int one(void) { return 1; } static inline int two(void) { return a + b; }
#define BOTH(p) { (p)->n; } ; (p)->n
static inline t f(struct x *x, struct y *y)
{
	int n = 1; int m = 2;
	return x->n + y->n + two() + n + m;
}
"""
    )
    assert {"struct x", "struct y", "struct w", "one", "two", "t", "f", "BOTH"} <= unit.defined.keys()
    piece = cut(unit, "f")
    assert set(piece.beyond) == {"a", "b"} and compiles(piece, tmp_path) == ""
    assert "int n = 1; int m = 2;" in texts(piece)


# Closures.

ASM = """static inline void pause(void)
{
	asm volatile("pause");
}
static inline void wait(void)
{
	pause();
}
static inline int f(void)
{
	return 1;
}
"""


def test_inline_assembly_needs_a_shim_by_name(tree: Tree) -> None:
    piece = cut(tree(ASM), "wait", "f")
    assert [(lost.user, lost.reason) for lost in piece.unresolved] == [
        ("pause", "inline assembly, which is not compiled for a check; it needs a shim")
    ]
    assert piece.dependents(["pause"]) == {"pause", "wait"} and "asm" not in texts(piece)


def test_a_shim_goes_before_the_trees_own(tree: Tree) -> None:
    piece = cut(tree(ASM), "wait", shims=Shims({"pause": "linux/pause.h"}))
    assert not piece.unresolved and piece.shims == ("linux/pause.h",) and piece.functions == ("wait",)


def test_a_shim_needs_the_trees_records(tree: Tree) -> None:
    unit = tree(
        """\
struct task {
	int n;
	int m;
};
#define current get_current()
static inline int f(void)
{
	return current->n;
}
"""
    )
    known = Shims({"current": "asm/current.h"}, records={"current": frozenset(["struct task"])})
    assert "int n;" in texts(cut(unit, "f", shims=known)) and "int m;" not in texts(
        cut(unit, "f", shims=known)
    )


def test_a_function_that_is_declared_first(tree: Tree, tmp_path: Path) -> None:
    unit = tree(
        """\
static inline int mask(int x);
static inline int f(int x)
{
	return mask(x);
}
static inline int mask(int x)
{
	return x & 1;
}
"""
    )
    piece = cut(unit, "f")
    assert [item.line for item in piece.items] == [1, 2, 6] and compiles(piece, tmp_path) == ""


def test_what_other_files_have(tree: Tree) -> None:
    unit = tree(
        """\
struct page;
extern int limit;
struct page *find(int n);
#define DECLARE_PER_CPU(t, n) extern t n
DECLARE_PER_CPU(int, events);
static inline int f(void)
{
	return find(limit) ? events : nothing(1);
}
"""
    )
    piece = cut(unit, "f")
    assert set(piece.beyond) == {"limit", "find", "events"}
    assert piece.unknown["nothing"].reason == "neither the tree nor a shim has it"
    assert (piece.unknown["nothing"].user, piece.unknown["nothing"].line) == ("f", 8)


# The census.

COUNTED = """struct ops {
	int (*run)(void);
};
struct inner {
	struct ops *ops;
	int n;
};
struct object {
	struct inner in;
	struct object *next;
};
int elsewhere(int n);
static inline int plain(struct object *o)
{
	return o->next->next->in.n;
}
static inline int beyond(struct object *o)
{
	return elsewhere(o->in.n);
}
static inline int through(struct object *o)
{
	return o->in.ops->run();
}
static inline int fault(void)
{
	return *(int *)64;
}
static inline int endless(void)
{
	for (;;)
		__asm__("");
}
static inline int unknown(void)
{
	return what_is_this(3);
}
static inline int needs_it(void)
{
	return unknown();
}
#ifdef CONFIG_OTHER
static inline int other(void)
{
	return 0;
}
#endif
"""


def taken(folder: Path, text: str) -> Counted:
    path = folder / "include/linux/a.h"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    (folder / "work").mkdir()
    return next(censuses(Roots([folder]), ["include/linux/a.h"], {}, folder / "work"))


def test_a_census_says_of_each_function_how_far_it_comes(tmp_path: Path) -> None:
    found = taken(tmp_path, COUNTED)
    assert len(found.written) == 8 and len(found.live) == 7 and found.parsed == 8
    assert found.called == ("plain",) and found.compiled == ("plain", "beyond", "through", "fault")
    assert found.beyond == {
        "beyond": "elsewhere(), whose body is in another file of the kernel", "through": UNSET,
    }  # fmt: skip
    assert found.crashed == {"fault": "signal in include/linux/a.h:27"}
    assert found.unresolved["needs_it"] == "needs unknown: calls what_is_this(), for which there is no shim"
    assert "inline assembly" in found.unresolved["endless"] and len(found.unresolved) == 3


def test_a_call_in_which_a_bug_fires_is_counted_and_said(tmp_path: Path) -> None:
    text = "#include <linux/bug.h>\nstatic inline void never(void)\n{\n\tBUG_ON(1 < 2);\n}\n"
    (tmp_path / "include/linux").mkdir(parents=True)
    (tmp_path / "include/linux/bug.h").write_text("")
    (tmp_path / "include/linux/a.h").write_text(text)
    (tmp_path / "work").mkdir()
    found = next(censuses(Roots([tmp_path]), ["include/linux/a.h"], {}, tmp_path / "work"))
    assert not found.called and found.bugs == {"never": "1 < 2"} and numbers(found)["called"] == 1
    said = " ".join(census_text("t", "c", [found], False).split())
    assert "a BUG fired, by its condition; the kernel would end there: 1 each: 1 < 2 (never)" in said


def test_what_was_never_run_is_not_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the worker dies when it loads the functions' library."""

    def dies(library: Path) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr("harness.census.census.loaded_library", dies)
    found = taken(tmp_path, "static inline void f(void)\n{\n}\n")
    assert not found.called and found.crashed == {"f": "not run: its worker ended before the call"}


BLANKS, WORDS = " " * 60_000, "_" * 60_000


@pytest.mark.parametrize(
    "text",
    [
        "struct s {\n\tstruct t " + "__a " * 15_000 + "!;\n};",
        f"struct s {{\n\tstruct t {WORDS} !;\n}};",
        f"struct s {{\n\tu_t {'__a(b) ' * 8_000}* !;\n}};",
        "struct s {" + "struct {" * 8_000 + "int a;" + "};" * 8_000 + "};",
        "struct s {" + "struct s a; " * 200 + "struct s *b;};",
        "#define M(x) " + "static " * 10_000,
        f"#define M(x) {WORDS} {BLANKS} x",
        f"enum{BLANKS}x;",
        "enum {" * 10_000,
        "/*" * 30_000,
        f"M({WORDS}",
        "\\\n" * 30_000,
        '"' * 200_001,
    ],
)
def test_hostile_text_of_a_tree_takes_no_time(text: str, tmp_path: Path) -> None:
    """No expression that is matched against it may try again and again: each of these took minutes."""
    record_members(text)
    has_body(text)
    outer_calls(text)
    list(enum_bodies(text))
    list(includes_of(code_of(text.encode(), "a.h"), "a.h"))
    plain = record("void f(void)\n{\n}")
    hostile = replace(
        plain, lines=tuple(SourceLine(said, n, "tree") for n, said in enumerate(text.split("\n"), 1))
    )
    list(with_records([replace(hostile, kind="macro"), hostile]))
    call_of(replace(plain, signature=f"static inline void f(struct s *a, {text})"), {"struct s": hostile})


def test_records_that_hold_each_other_end(tmp_path: Path) -> None:
    records = {f"struct s{n}": record(f"struct s{n} {{ " + f"struct s{n + 1} a, b; struct s{n + 1} c; "
                                      f"struct s{n + 1} d; }};") for n in range(3000)}  # fmt: skip
    function = record("static inline void f(struct s0 *s)\n{\n}")
    assert call_of(function, records)["fills"] == []
    assert call_of(function, {"struct s0": record("struct s0 { struct s0 *b; struct s0 a; };")})["fills"]


def test_the_first_error_is_the_one_that_is_shown() -> None:
    said = "x.c:3:1: warning: this array\n   3 | a / b\n/usr/bin/ld: x.o: multiple definition of `memset'\n"
    assert "multiple definition" in str(CompileError(diagnostics(said), said))
    assert "x.c:4: error: no" in str(CompileError(diagnostics(f"{said}x.c:4:1: error: no\n"), said))


def test_what_parameters_lead_to() -> None:
    records = {item.name: item for item in scan_file("a.h", COUNTED, "tree") if item.kind == "record"}
    call = call_of(record("static inline void f(const struct object *o, int n[2], u8 x)\n{\n}"), records)
    assert call["void"] and call["arguments"] == "o, n, x"
    assert [p["declaration"] for p in call["parameters"]] == ["const struct object *o", "int *n", "u8 x"]
    assert call["fills"][:2] == [
        "*(void **)(void *)&o->in.ops = kc_object(3)", "*(void **)(void *)&o->next = kc_object(4)",
    ]  # fmt: skip
    assert not call_of(record("static inline void *f(void)\n{\n}"), {})["void"]


def test_a_guests_options_are_left_out(tree: Tree, tmp_path: Path) -> None:
    text = "#ifdef CONFIG_PARAVIRT_XXL\nint guest;\n#endif\n#ifdef CONFIG_X86\nint host;\n#endif\n"
    unit = tree(text, {"CONFIG_PARAVIRT_XXL": "1", "CONFIG_X86": "1"})
    assert "host" in unit.defined and "guest" not in unit.defined and "CONFIG_X86" in unit.options


def test_as_many_options_as_a_distribution_sets(tmp_path: Path) -> None:
    many = {f"CONFIG_SOME_OPTION_WITH_A_LONG_NAME_{n}": True for n in range(20000)}
    assert shims(many, tmp_path).headers["spin_lock"] == "linux/spinlock.h"


# What the preprocessor made.


@pytest.mark.parametrize(
    "line",
    [
        'const char *file = "arch/x86/include/asm/page.h";',
        "int x __attribute__((__cleanup__(end)));",
        'char c = \'"\'; const char *s = "asm";',
    ],
)
def test_text_that_is_safe(line: str, tmp_path: Path) -> None:
    refuse_unsafe_text(f'# 1 "include/a.h"\n{line}\n', tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "char c = '\"'; asm(\"nop\"); char d = '\"';",
        'const char *s = "\\""; asm("nop"); const char *t = "\\"";',
        'const char *s = R"x(")x"; asm("nop"); const char *t = R"x(")x";',
        'const char *s = R"x(\n")x"; asm("nop" /* " */);',
        "int x __attribute__((__cleanup__(end), constructor));",
        "int x __attribute__((cleanup(end)));",
        "int x __attribute__((__cleanup__(end + 1)));",
        'int x __attribute__((__cleanup__(end))) __attribute__((section("x")));',
    ],
)
def test_text_that_is_not(line: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        refuse_unsafe_text(f'# 1 "include/a.h"\n{line}\n', tmp_path)
