# SPDX-License-Identifier: GPL-2.0-only
"""What each mutation operator makes of a piece of C, as tables and text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

OPERATORS: Mapping[str, str] = {
    "negate-condition": "a condition of a branch, a loop or a warning becomes its opposite",
    "force-condition": "the condition of a branch or a loop is always, or never, true",
    "drop-else": "an else branch is never taken",
    "change-relation": "< <= > >= == != become a neighbouring one",
    "swap-logic": "&& becomes ||, and the other way",
    "drop-operand": "one side of && or || is dropped",
    "drop-not": "! is dropped",
    "change-arithmetic": "+ - * / % ++ -- become another one; an unary minus is dropped",
    "change-bitwise": "& | ^ become another one; ~ is dropped",
    "change-assignment": "+= |= and so on become another one, or =",
    "change-constant": "n becomes n + 1, n - 1, 0; true becomes false",
    "move-mask": "a hexadecimal mask is shifted by one bit, or loses a bit at one end",
    "move-shift": "<< becomes >>, and the other way; the amount is one more or less",
    "drop-statement": "a call, an assignment or a jump is dropped",
    "change-return": "another value is returned",
    "change-initial": "a local variable begins as 0",
    "confuse-names": "a field or function becomes its sibling, whose name differs in digits only",
    "swap-arguments": "two neighbouring arguments of one kind change places",
}

RELATIONS: Mapping[str, tuple[str, ...]] = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
}
ARITHMETIC: Mapping[str, tuple[str, ...]] = {
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "%": ("/",),
}
BITWISE: Mapping[str, tuple[str, ...]] = {"&": ("|", "^"), "|": ("&", "^"), "^": ("&", "|")}
SHIFTS: Mapping[str, tuple[str, ...]] = {"<<": (">>",), ">>": ("<<",)}
LOGIC: Mapping[str, tuple[str, ...]] = {"&&": ("||",), "||": ("&&",)}
STEPS: Mapping[str, str] = {"++": "--", "--": "++"}
BINARY: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "change-relation": RELATIONS,
    "change-arithmetic": ARITHMETIC,
    "change-bitwise": BITWISE,
    "move-shift": SHIFTS,
    "swap-logic": LOGIC,
}
ASSIGNMENTS: Mapping[str, tuple[str, ...]] = {
    "+=": ("-=", "="),
    "-=": ("+=", "="),
    "*=": ("/=", "="),
    "/=": ("*=", "="),
    "%=": ("/=", "="),
    "&=": ("|=", "^=", "="),
    "|=": ("&=", "^=", "="),
    "^=": ("&=", "|=", "="),
    "<<=": (">>=", "="),
    ">>=": ("<<=", "="),
}
UNARY: Mapping[str, str] = {"!": "drop-not", "~": "change-bitwise", "-": "change-arithmetic"}
NUMBER = re.compile(r"(?P<hex>0[xX])?(?P<digits>[0-9a-fA-F]+)(?P<suffix>[uUlL]*)")
WORD = 1 << 64  # no constant of C here is wider
WARNING = re.compile(r"(?:\w*_)?(?:WARN|BUG)(?:_\w*)?")  # VM_WARN_ON_ONCE, BUG_ON
AT_COMPILE_TIME = re.compile(r"BUILD_BUG\w*|(?:_S|s)tatic_assert|compiletime_assert\w*")
BIT_OF = frozenset(["BIT", "BIT_ULL", "_BITUL", "_BITULL"])  # 1 << n by name


def other_numbers(said: str) -> Iterator[tuple[str, str]]:
    """The constants that may stand for `said`, each with its operator; form and suffix are kept."""
    match = NUMBER.fullmatch(said)
    if not match or (not match["hex"] and not match["digits"].isdigit()):
        return
    octal = not match["hex"] and match["digits"][0] == "0" and len(match["digits"]) > 1
    base = 16 if match["hex"] else 8 if octal else 10
    try:
        value = int(match["digits"], base)
    except ValueError:  # 09, or thousands of digits
        return
    if value >= WORD:
        return
    for operator, other in [*(masks(value) if match["hex"] else ()), *near_values(value)]:
        written = number_text(match, base, other)
        if written and written != said:
            yield operator, written


def near_values(value: int) -> Iterator[tuple[str, int]]:
    """n + 1, n - 1 and 0."""
    for other in dict.fromkeys((value + 1, value - 1, 0)):
        yield "change-constant", other % WORD if value else other


def masks(value: int) -> Iterator[tuple[str, int]]:
    """`value` as a mask that is moved by a bit, or a bit narrower."""
    narrower = (value & (value - 1), value ^ (1 << value.bit_length() - 1)) if value else ()
    for other in dict.fromkeys((value << 1 & WORD - 1, value >> 1, *narrower)):
        yield "move-mask", other


def number_text(match: re.Match[str], base: int, value: int) -> str:
    """`value` written as the constant in `match` is; "" where that form has no such value."""
    digits, suffix = match["digits"], match["suffix"]
    if value < 0:
        return "" if base != 10 or "u" in suffix.lower() else f"-{-value}{suffix}"
    if base == 16:
        written = f"{value:0{len(digits)}{'X' if digits.upper() == digits else 'x'}}"
        return f"{match['hex']}{written}{suffix}"
    return f"0{value:o}{suffix}" if base == 8 and value else f"{value}{suffix}"
