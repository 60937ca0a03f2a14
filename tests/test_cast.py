# SPDX-License-Identifier: GPL-2.0-only
"""What items refer to: GNU C that pycparser lacks, types it cannot know, and text it cannot read."""

from __future__ import annotations

import pytest

from extractor.cast import facts
from extractor.scan import scan_file
from kernel_snippets import BUNDLED_PATCH
from tests.mails import V2, items_of


def names(text: str) -> tuple[set[str], bool]:
    said = facts(scan_file("a.h", text, "tree")[0])
    assert said.lines.keys() == said.names
    return set(said.names), said.parsed


@pytest.mark.parametrize(
    "body, expected",
    [
        ("pg_data_t *q = node(p); return q->x;", {"pg_data_t", "node"}),  # no product of two variables
        ("int b = 2; g(p * b); return K * b;", {"g", "K"}),
        ("return (mm_id_t)p + sizeof(foo_t) + (u8)1;", {"mm_id_t", "foo_t", "u8"}),
        ("switch (p) { case A ... B: return p ?: C; }", {"A", "C"}),
        ("typeof(((struct z *)0)->f) y = p; return y;", {"struct z"}),
        ("return ({ int r = g(p); r; });", {"g"}),
        ("struct s *q; list_for_each_entry(q, h, node) { g(q); } for_each(q) k(q);",
         {"struct s", "list_for_each_entry", "h", "g", "for_each", "k"}),
        ("return container_of(p, struct s, member) + offsetof(struct t, f) + va_arg(p, int);",
         {"container_of", "struct s", "offsetof", "struct t", "va_arg"}),
        ("struct s x = { .a = B }; return f(&(struct t){ .z = 1 }, \"no\", 'n', x.a);",
         {"struct s", "B", "struct t"}),
        ("enum e v = E1; int w __attribute__((unused)); if (v) goto out; out: return 0;", {"enum e", "E1"}),
        ("\n#ifdef A\n\tif (a(p)) {\n#else\n\tif (b(p)) {\n#endif\n\t\tp++; }", {"a", "b"}),
        ("\n#ifdef A\n\treturn a(p);\n#else\n\treturn b(p);\n#endif\n", {"a", "b"}),
        ("{ int h = p; h++; } return h;", {"h"}),
        ("return a >= b && c << 2 || p-- != d;", {"a", "b", "c", "d"}),
    ],
)  # fmt: skip
def test_what_a_function_refers_to(body: str, expected: set[str]) -> None:
    text = f"static __always_inline int __must_check f(int p)\n{{\n{body}\n}}"
    assert names(text) == (expected, True)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("#define f(x, y...) \\\n\t({ int __r = g(x, ##y); \\\n\t__r + K; })", {"g", "K"}),
        ("#define f(x) do { struct s *__p = (x); g(__p->y); } while (0)", {"struct s", "g"}),
        ("#define f(x) ((struct s *)(x) + sizeof(a_t) + SHIFT)", {"struct s", "a_t", "SHIFT"}),
        ("#define f(x, ...) __f_##x(#x, z, __VA_ARGS__)", {"z"}),
        ("struct s {\n\tstruct t b;\n\tid_t id;\n\tlong x[MAX];\n};", {"struct t", "id_t", "MAX"}),
        ("typedef int (*fn_t)(struct s *p, id_t id);", {"struct s", "id_t"}),
    ],
)
def test_what_other_items_refer_to(text: str, expected: set[str]) -> None:
    assert names(text)[0] == expected


@pytest.mark.parametrize(
    "body",
    ["$ @ ` x(;", "x = " + "(" * 20_000, "{" * 5000, "x = a" + "*" * 50_000 + "b;", "case " * 20_000,
     '"a\\' * 30_000, "typeof(" * 20_000, "asm(\"\" : : \"r\"(x));"],
)  # fmt: skip
def test_unreadable_code_falls_back_to_its_tokens(body: str) -> None:
    (item, *_) = scan_file("a.h", f"int f(void)\n{{\n{body}\n}}", "tree")
    assert not facts(item).parsed


def test_names_calls_and_lines_of_a_function() -> None:
    text = (
        "static inline int f(struct folio *folio, gfp_t flags)\n{\n\tpg_data_t *p = node(folio);\n"
        "\tint n = p->count, m;\n\tm = n * SCALE;\n\tif (unlikely(m))\n\t\tgoto out;\n"
        "\tVM_WARN_ON_ONCE(m); /* not_me() */\nout:\n\treturn folio->x[n] + (u8)m;\n}"
    )
    (item,) = scan_file("a.h", text, "added")
    said = facts(item)
    assert said.parsed
    wanted = {"struct folio", "gfp_t", "pg_data_t", "node", "SCALE", "unlikely", "VM_WARN_ON_ONCE", "u8"}
    assert said.names == wanted
    assert said.calls == ("VM_WARN_ON_ONCE", "node", "unlikely")
    assert said.lines["SCALE"] == 5
    assert not facts(scan_file("a.h", "int g(void)\n{\n\tint $ @ broken(x);\n}", "added")[0]).parsed


def test_every_function_of_the_real_mails_is_parsed() -> None:
    for path in (BUNDLED_PATCH, V2):
        whole = [i for i in items_of(path) if i.kind == "function" and i.completeness == "complete"]
        assert whole and [i.name for i in whole if not facts(i).parsed] == []
