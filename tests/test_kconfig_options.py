# SPDX-License-Identifier: GPL-2.0-only
"""Kconfig's expressions against a Python truth table, and entries as options."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractor.extract import extract_items
from extractor.items import Item
from extractor.kconfig_language import Expression, atoms, evaluate, parse
from extractor.kconfig_options import Option, allowed, options, selected, ways
from extractor.mail import Mail
from extractor.patch import parse_patch

NAMES = ("64BIT", "A", "B_2")
EXPRESSIONS = st.recursive(
    st.sampled_from([*NAMES, "y", "n", "m", "A=m", "B_2 != y", '"n" = 64BIT', "A<B_2"]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from([" && ", "||"]), inner, inner).map(lambda t: f"({t[1]}){t[0]}({t[2]})"),
        inner.map(lambda text: f"!({text})"),
    ),
    max_leaves=8,
)
COMPARED = {
    "A=m": "Tri(2*(A==1))",
    "B_2 != y": "Tri(2*(B!=2))",
    '"n" = 64BIT': "Tri(2*(C==0))",
    "A<B_2": "Tri(2*(A<B))",
}
PYTHON = {"y": 2, "m": 1, "n": 0}


def by_python(text: str, values: dict[str, str]) -> int:
    """The same by other means: Python's own operators on 0, 1, 2."""

    class Tri:
        def __init__(self, value: int) -> None:
            self.value = value

        def __and__(self, other: Tri) -> Tri:
            return Tri(min(self.value, other.value))

        def __or__(self, other: Tri) -> Tri:
            return Tri(max(self.value, other.value))

        def __invert__(self) -> Tri:
            return Tri(2 - self.value)

    said = text
    names = {"A": PYTHON[values["A"]], "B": PYTHON[values["B_2"]], "C": PYTHON[values["64BIT"]]}
    for old, new in COMPARED.items():
        said = said.replace(f"({old})", f"({new})").replace(old, new)
    for old, new in (("&&", "&"), ("||", "|"), ("!(", "~("), ("64BIT", "Tri(C)"), ("B_2", "Tri(B)")):
        said = said.replace(old, new)
    for name in ("A", "y", "m", "n"):
        said = said.replace(f"({name})", f"(Tri({names.get(name, PYTHON.get(name))}))")
    if said in ("A", "y", "m", "n"):
        said = f"Tri({names.get(said, PYTHON.get(said))})"
    return int(eval(said, {"Tri": Tri, **names}).value)


@given(EXPRESSIONS, st.tuples(*[st.sampled_from("nmy")] * 3))
def test_expressions_mean_what_their_truth_table_says(text: str, given: tuple[str, ...]) -> None:
    values = dict(zip(NAMES, given, strict=True))
    expression = parse(text)
    assert expression
    assert evaluate(expression, values) == by_python(text, values)
    again = parse(str(expression))
    assert again and evaluate(again, values) == evaluate(expression, values)
    assert set(atoms(expression)) <= set(NAMES)


@given(EXPRESSIONS, st.dictionaries(st.sampled_from(NAMES), st.sampled_from("nmy")))
def test_what_is_known_holds_whatever_the_unknown_is(text: str, known: dict[str, str]) -> None:
    expression = parse(text)
    assert expression
    value = evaluate(expression, known)
    if value is not None:
        for rest in itertools.product("nmy", repeat=3):
            every = dict(zip(NAMES, rest, strict=True)) | known
            assert evaluate(expression, every) == value


@pytest.mark.parametrize(
    "text, values, value",
    [
        ("NR_CPUS >= 16", {"NR_CPUS": 64}, 2),
        ("NR_CPUS >= 16", {"NR_CPUS": 9}, 0),
        ("NR_CPUS >= 16", {}, None),
        ("NR_CPUS >= 16", {"NR_CPUS >= 16": "y"}, 2),
        ("0x10 = 16", {}, 2),
        ("NAME = \"a b\"", {"NAME": "a b"}, 2),
        ("NAME", {"NAME": "a b"}, 0),
        ("$(cc-option,-m32) && A", {"A": True}, None),
        ("$(cc-option,-m32) && A", {"A": False}, 0),
        ("!A", {"A": "m"}, 1),
        ("A || B && n", {"A": False, "B": True}, 0),
    ],
)  # fmt: skip
def test_values(text: str, values: dict[str, bool | int | str], value: int | None) -> None:
    expression = parse(text)
    assert expression and evaluate(expression, values) == value


@pytest.mark.parametrize(
    "text", ["", "A &&", "(A", "A B", "&& A", "!", "A = ", "A)", '"a', "A & B", "(" * 5000]
)
def test_what_is_no_expression(text: str) -> None:
    assert parse(text) is None


def test_atoms_have_the_values_that_they_may_have() -> None:
    expression = parse("A && B = m && NR >= 2 || $(x)")
    assert expression
    two, three = ("n", "y"), ("n", "m", "y")
    assert atoms(expression) == {"A": two, "B": three, "NR >= 2": two, "$(x)": two}
    assert isinstance(expression, Expression) and str(expression) == "A && B = m && NR >= 2 || $(x)"


def kconfig(body: str, heading: str = "config BEFORE") -> list[Item]:
    lines = body.rstrip("\n").split("\n")
    old, new = sum(t[0] != "+" for t in lines), sum(t[0] != "-" for t in lines)
    diff = "diff --git a/mm/Kconfig b/mm/Kconfig\n--- a/mm/Kconfig\n+++ b/mm/Kconfig\n"
    diff += f"@@ -9,{old} +9,{new} @@ {heading}\n"
    text = (diff + "\n".join(lines)).split("\n")
    return extract_items(parse_patch(Mail("test", "", "", "", "", tuple(text), 1)))


def one(entry: str, after: str = " config AFTER\n \tbool\n") -> Option:
    added = "".join(f"+{line}\n" for line in entry.split("\n"))
    return options(kconfig(added + after))[0]


def test_an_entry_as_data() -> None:
    option = one(
        'config NEW\n\ttristate "New # thing" if EXPERT # yes\n\tdepends on A && \\\n\t\tB\n'
        "\tdepends on C if D\n"
        "\tdefault y if A\n\tdefault m\n\tselect S if A\n\timply I\n\thelp\n\t  depends on nothing\n\n"
        "\t  default n\n\tdepends on E"
    )
    assert (option.name, option.type, option.line, option.complete, option.added) == (
        "NEW", "tristate", 9, True, True,
    )  # fmt: skip
    assert str(option.dependency) == "A && B && (C || !D) && E"
    assert [clause.line for clause in option.depends] == [11, 13, 22]
    assert [str(way.expression) for way in ways(option)] == [
        "A && B && (C || !D) && E && EXPERT",
        "A && B && (C || !D) && E && A",
        "A && B && (C || !D) && E && !A && m",
    ]
    assert [str(c.value) for c in (*option.selects, *option.implies)] == ["S", "I"]


@pytest.mark.parametrize(
    "entry",
    [
        "config NEW\n\tbool \"x\"\n\tdepends on A &&",
        "config NEW\n\tbool \"x\n\tdepends on A",
        "config NEW\n\tbool \"x\"\n\tvisibly if A",
        "config NEW\n\tbool \"x\"\n\tdepends on A if",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_not_complete(entry: str) -> None:
    assert not one(entry).complete


def test_an_entry_that_the_hunk_cuts_is_not_complete() -> None:
    assert not one('config NEW\n\tbool "x"', " \tdepends on A\n \thelp\n").complete
    assert one('config NEW\n\tbool "x"', "").complete
    shown = kconfig(' config OLD\n \tbool "x"\n+\tdepends on A\n \n config NEXT\n \tbool\n')
    old, following = options(shown)
    assert old.complete and not old.added and str(old.dependency) == "A" and not following.complete


def test_blocks_around_an_entry_count() -> None:
    body = (
        '+if A\n+menu "m"\n+\tdepends on B || C\n+\n+config NEW\n+\tbool "x"\n+endmenu\n+endif\n'
        '+config OUT\n+\tbool "y"\n'
    )
    new, out = options(kconfig(body))
    assert str(new.dependency) == "A && (B || C)" and str(out.dependency) == "y"


def test_allowed() -> None:
    option = one('config NEW\n\tbool "x"\n\tdepends on A && 64BIT')
    assert allowed(option, {}) is None
    assert allowed(option, {"64BIT": False}) is False
    assert allowed(option, {"64BIT": True, "A": "m"}) is True  # a bool may be y where that is m
    assert allowed(option, {"64BIT": True, "A": True}) is True
    tristate = one('config NEW\n\ttristate "x"\n\tdepends on A')
    assert allowed(tristate, {"A": "m"}) is False
    assert allowed(one("config NEW\n\tbool\n\tdefault n"), {}) is None  # others may select it


def test_selected() -> None:
    items = kconfig(
        '+config NEW\n+\tdef_bool n\n+config BY\n+\tbool "by"\n+\tdepends on D\n+\tselect NEW if C\n'
    )
    new, by = options(items)
    assert allowed(new, {"BY": True, "C": True, "D": True}, [new, by]) is True
    assert selected(new, {"BY": True, "C": True}, [new, by]) == "mm/Kconfig:14: BY: select NEW if C"
    assert selected(new, {"BY": True}, [new, by]) == ""


@pytest.mark.parametrize("piece", ['"', "\\", "(", "!", "a ", " if ", "$(", "=", "'\\'"])
def test_hostile_lines_take_linear_time(piece: str) -> None:
    one("config NEW\n\tdepends on " + piece * (300_000 // len(piece)))
    one("config NEW\n\tbool " + piece * (300_000 // len(piece)))
