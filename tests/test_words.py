# SPDX-License-Identifier: GPL-2.0-only
"""Whether two texts are the same to a compiler, as `diff` compares them."""

from __future__ import annotations

import pytest

from harness.diff.words import code_words
from harness.report.interface import interface_text
from tests.test_interface import of_text


@pytest.mark.parametrize(("one", "other"), [
    ("return p->a-- - p->b;", "return p->a - --p->b;"),
    ("x = a+ ++b;", "x = a++ +b;"),
    ("x = a & &b;", "x = a &&b;"),
    ("x = a / *b;", "x = a;"),
    ("#define F (x)", "#define F(x)"),
    ("#define F\nint x;", "#define F int x;"),
    ("#if A\n(B)\n#endif", "#if A(B)\n#endif"),
    ('f("a b");', 'f("ab");'), ("f(' ');", "f('');"), ("x = 0x1e+1;", "x = 0x1e +1;"), ("a b", "ab"),
])  # fmt: skip
def test_what_is_not_the_same(one: str, other: str) -> None:
    assert code_words(one) != code_words(other)


@pytest.mark.parametrize(("one", "other"), [
    ("if (a)  {\n\tb(); }", "if(a)\n{ b( ); }"),
    ("int a; /* of b */", "// a\nint a;"),
    ("#define F(a) \\\n\t(a)", "#define F(a)   (a)"),
    ("#define F (x)", "#  define F\t(x)  /* x */"),
    ("x = a-b;", "x = a - b;"),
])  # fmt: skip
def test_what_is_the_same(one: str, other: str) -> None:
    assert code_words(one) == code_words(other)


def test_operators_that_are_parted_otherwise_are_no_lines_in_another_order() -> None:
    text = "static inline int f(struct s *p)\n{\n\treturn p->a-- - p->b;\n}\n"
    assert "+1 -1 lines" in interface_text(of_text(text, text.replace("p->a-- - p", "p->a - --p")))
