# SPDX-License-Identifier: GPL-2.0-only
"""Presence conditions under configurations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractor.conditions import evaluate, holds

CONFIG = {"CONFIG_Y": "y", "CONFIG_M": "m", "CONFIG_OFF": False, "CONFIG_N": 3, "CONFIG_HEX": "0x10"}


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("IS_ENABLED(CONFIG_M) && IS_MODULE(CONFIG_M) && !IS_BUILTIN(CONFIG_M)", True),
        ("defined(CONFIG_M) || defined(CONFIG_OFF) || defined CONFIG_ABSENT", False),
        ("IS_BUILTIN(CONFIG_Y) && IS_REACHABLE(CONFIG_Y)", True),
        ("CONFIG_N >= 3UL && CONFIG_HEX == 16 && 010 == 8", True),
        ("1 << CONFIG_N == 8 && (6 & 3) == 2 && -7 / 2 == -3", True),
        ("CONFIG_ABSENT ? 1 : 0", False),
        ("MACRO ? 1 : 1", True),
        ("MACRO || 1", True),
        ("defined(MACRO)", None),
        ("1 << 1000000", None),
        ("5 % 0", None),
        ("defined(", None),
        ("0x", None),
        ("9" * 5000, None),
        ("1" + " * 9999999999" * 400, True),
        ("!" * 100_000 + "1", None),
        ("", None),
    ],
)
def test_expressions(expression: str, expected: bool | None) -> None:
    assert evaluate(expression, CONFIG) is expected


def test_a_stack_holds_where_all_of_it_does() -> None:
    assert holds((), CONFIG) is True
    assert holds(("CONFIG_Y", "MACRO"), CONFIG) is None
    assert holds(("CONFIG_OFF", "MACRO"), CONFIG) is False


@given(st.text("()!&|<>=+-*/%?: 019xaCONFIG_Y", max_size=40))
def test_any_text_is_answered(text: str) -> None:
    assert evaluate(text, CONFIG) in (True, False, None)


def test_an_option_that_is_0_is_defined_and_one_that_is_not_set_is_not() -> None:
    """Python takes them for the same; what was asked of one before is no answer for the other."""
    for value, truth in ((False, False), (0, True), (False, False)):
        assert evaluate("defined(CONFIG_X)", {"CONFIG_X": value}) is truth
