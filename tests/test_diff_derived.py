# SPDX-License-Identifier: GPL-2.0-only
"""Functions that no contract covers, in two small revisions: what is the same in both, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import kconform
from tests.test_diff import blocks, names


def patch(path: Path, code: str) -> Path:
    """A patch that adds a header."""
    lines = [
        "#ifndef FOO_H",
        "#define FOO_H",
        "#include <linux/types.h>",
        *code.strip().split("\n"),
        "#endif",
    ]
    added = "\n".join(f"+{line}" for line in lines)
    path.write_text(
        f"diff --git a/include/linux/foo.h b/include/linux/foo.h\nnew file mode 100644\n--- /dev/null\n"
        f"+++ b/include/linux/foo.h\n@@ -0,0 +1,{len(lines)} @@\n{added}\n"
    )
    return path


def compared(folder: Path, old: str, new: str) -> tuple[int, set[str], list[str]]:
    """Status, what differs, and what is not compared."""
    sides = patch(folder / "old.patch", old), patch(folder / "new.patch", new)
    done = kconform("diff", *sides, "--format", "json", "--walk", "0")
    assert done.err == ""
    found = {name for block in blocks(done) for name in names(block)}
    return done.status, found, done.json["not_compared"]


COUNTS = "struct one { int mapcount; int large_mapcount; };\nstruct two { int count; };\n"
INC = "static inline void inc(struct one *a, struct two *b)\n{\n	%s;\n}"
IS = "static inline int is(%s)\n{\n	%s\n}"
USE = """struct one { int count; };
static inline int use(struct one *a, int x)
{
	if (a->count > x)
		return a->count - x;
	a->count += x;
	return 0;
}
"""
LOOP = """struct one { int count; int other[8]; };
static inline void loop(struct one *a)
{
	int i;

	a->count = 1;
	for (i = 0; i < 8; i++)
		a->other[i] = %s;
}
static inline int last(struct one *a)
{
	return a->other[7];
}
"""


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        pytest.param(
            COUNTS + INC % "a->mapcount++", COUNTS + INC % "a->large_mapcount++",
            {"inc/one_mapcount", "inc/one_large_mapcount"}, id="a field of a similar name",
        ),
        pytest.param(
            COUNTS + INC % "a->mapcount = 5", COUNTS + INC % "b->count = 5",
            {"inc/one_mapcount", "inc/two_count"}, id="a field of another record",
        ),
        pytest.param(
            COUNTS + INC % "a->mapcount = 1", COUNTS + (INC % "q->mapcount = 2").replace("*a", "*q"),
            {"inc/one_mapcount"}, id="a pointer of another name",
        ),
        pytest.param(
            IS % ("int x", "return x > 3;"), IS % ("int x", "return x == 77 ? 9 : x > 3;"),
            {"is/made-up/return"}, id="a value that only one of both names",
        ),
        pytest.param(
            IS % ("int x", "return x + 1;"), IS % ("int nr", "return nr + 2;"),
            {"is/return"}, id="an argument of another name",
        ),
        pytest.param(
            COUNTS + IS.replace("is", "page_is") % ("struct one *a, int x",
                "if (a->mapcount > x)\n\t\treturn a->large_mapcount;\n\ta->mapcount += x;\n\treturn 1;"),
            COUNTS + IS.replace("is", "folio_is") % ("struct one *a, int x",
                "if (a->mapcount > x)\n\t\treturn a->large_mapcount;\n\ta->mapcount += x;\n\treturn 2;"),
            {"page_is/return"}, id="a function of another name",
        ),
        pytest.param(USE, USE.replace("count", "users").replace("+= x", "+= x + 1"), {"use/one_count"},
            id="a field of another name"),
        pytest.param(LOOP % "a->count", LOOP % "a->count + (i == 7)", {"last/return"},
            id="a field that only another function reads"),
    ],
)  # fmt: skip
def test_what_differs_is_found(tmp_path: Path, old: str, new: str, found: set[str]) -> None:
    status, differing, _ = compared(tmp_path, old, new)
    assert status == 1 and found <= differing


def test_a_pointer_to_the_same_object_is_the_same_number(tmp_path: Path) -> None:
    old = COUNTS + "static inline struct two *to(struct two *b)\n{\n	return b;\n}"
    new = COUNTS + "static inline struct two *to(struct one *a, struct two *b)\n{\n	return a ? b : b;\n}"
    assert compared(tmp_path, old, new)[:2] == (0, set())


def test_a_record_of_one_number_is_that_number(tmp_path: Path) -> None:
    old = "struct one { unsigned long flags; };\n"
    new = "typedef struct { unsigned long f; } flags_t;\nstruct one { flags_t flags; };\n"
    set_old = "static inline void set(struct one *a)\n{\n	a->flags = 3;\n}"
    status, found, left_out = compared(tmp_path, old + set_old, new + set_old.replace("flags =", "flags.f ="))
    assert (status, found) == (0, set()) and not any("observed" in line for line in left_out)
    status, found, _ = compared(tmp_path, old + set_old, new + set_old.replace("flags = 3", "flags.f = 2"))
    assert (status, found) == (1, {"set/one_flags", "set/made-up/one_flags"})


def test_a_number_that_was_a_pointer_is_not_compared(tmp_path: Path) -> None:
    to = "static inline %s to(struct one *a)\n{\n	return a->to%s;\n}"
    old = "struct one { struct one *to; };\n" + to % ("struct one *", "")
    new = "struct one { long to; };\n" + to % ("long", " + 7")
    status, found, left_out = compared(tmp_path, old, new)
    assert (status, found) == (2, set())
    assert any("what it returns, which is a pointer in one of both alone" in line for line in left_out)


def test_both_are_built_for_one_configuration(tmp_path: Path) -> None:
    code = """#ifdef CONFIG_MY_A
static inline int foo(int x)
{
	return x + 1;
}
#else
static inline int foo(int x)
{
	return x + 2;
}
%s#endif
"""
    old = code % ""
    more = "".join(f"static inline int g{n}(int x) {{ return x; }}\n" for n in (1, 2))
    new = (code % more).replace("x + ", "1 + x - 1 + ")
    status, found, left_out = compared(tmp_path, old, new)
    assert (status, found) == (2, set())
    assert "what is there only if defined(CONFIG_MY_A): foo" in left_out
