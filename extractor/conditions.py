# SPDX-License-Identifier: GPL-2.0-only
"""Presence conditions: what an `#if` stack says under a configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

TOKEN = re.compile(
    r"\s*(?:(0[xX][0-9a-fA-F]+|\d+)[uUlL]*(?!\w)|([A-Za-z_]\w*)|"
    r"(\|\||&&|[=!<>]=|<<|>>|[()!<>+*/%?:&|^~-]))"
)
NAME = re.compile(r"[A-Za-z_]\w*")
TESTS = ("defined", "IS_ENABLED", "IS_BUILTIN", "IS_MODULE", "IS_REACHABLE")
LEVELS = (
    ("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", "<=", ">", ">="), ("<<", ">>"),
    ("+", "-"), ("*", "/", "%"),
)  # fmt: skip
Value = bool | int | str


class _UnknownError(Exception):
    """The expression names what a configuration does not decide."""


def holds(condition: tuple[str, ...], config: Mapping[str, Value]) -> bool | None:
    """Whether an item with this `#if` stack exists under `config`; None where it cannot be known."""
    values = [evaluate(expression, config) for expression in condition]
    if False in values:
        return False
    return None if None in values else True


def evaluate(expression: str, config: Mapping[str, Value]) -> bool | None:
    """The truth of a preprocessor expression; CONFIG_ options absent from `config` are unset.

    Values are True or "y", False or "n", "m" (a module), or an option's integer.

    None where it names anything else that `config` does not have, or is no expression.
    """
    known = ((name, config[name]) for name in _names(expression) if name in config)
    return _truth(expression, tuple((name, type(value), value) for name, value in known))


@lru_cache(1 << 12)
def _names(expression: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(NAME.findall(expression)))


@lru_cache(1 << 12)  # asked of each item of a patch by each contract, in each configuration
def _truth(expression: str, known: tuple[tuple[str, type, Value], ...]) -> bool | None:
    """As evaluate(); of values that are alike, such as True and 1, the types tell which it is."""
    try:
        return bool(_Parser(_tokens(expression), {name: value for name, _, value in known}).whole())
    except (_UnknownError, RecursionError):
        return None


def value_of(expression: str, names: Mapping[str, Value]) -> int | None:
    """The value of an integer constant expression over `names`; None where it is not known, or is none."""
    try:
        return int(_Parser(_tokens(expression), names).whole())
    except (_UnknownError, RecursionError):
        return None


def _tokens(expression: str) -> list[str]:
    found: list[str] = []
    at = 0
    text = expression.strip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match or len(found) > 1000:
            raise _UnknownError
        found.append(match.group(match.lastindex or 0))
        at = match.end()
    return found


class _Parser:
    """Recursive descent; unknown names are carried as None, so that `0 && X` is known."""

    def __init__(self, tokens: list[str], config: Mapping[str, Value]) -> None:
        self.tokens = tokens
        self.config = config
        self.at = 0

    def whole(self) -> int:
        value = self.choice()
        if self.at != len(self.tokens) or value is None:
            raise _UnknownError
        return value

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token != wanted):
            raise _UnknownError
        self.at += 1
        return token

    def choice(self) -> int | None:
        value = self.binary(0)
        if self.peek() != "?":
            return value
        self.next("?")
        yes = self.choice()
        self.next(":")
        no = self.choice()
        if value is None:
            return yes if yes == no else None
        return yes if value else no

    def binary(self, level: int) -> int | None:
        if level == len(LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek() in LEVELS[level]:
            operator = self.next()
            left = _compute(operator, left, self.binary(level + 1))
        return left

    def unary(self) -> int | None:
        token = self.next()
        if token == "!":
            value = self.unary()
            return None if value is None else int(not value)
        if token in ("-", "+", "~"):
            value = self.unary()
            return None if value is None else {"-": -value, "+": value, "~": ~value}[token]
        if token == "(":
            value = self.choice()
            self.next(")")
            return value
        if token in TESTS:
            return self.test(token)
        if token[0].isdigit():
            return _integer(token)
        if re.match(r"[A-Za-z_]", token):
            return self.name(token)
        raise _UnknownError

    def test(self, how: str) -> int | None:
        bracket = self.peek() == "("
        if bracket:
            self.next()
        name = self.next()
        if bracket:
            self.next(")")
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise _UnknownError
        if name not in self.config and not name.startswith("CONFIG_"):
            return None
        value = self.config.get(name, False)
        module = value == "m"
        if how == "IS_MODULE":
            return int(module)
        if how == "defined" and name.startswith("CONFIG_"):
            # a module option defines CONFIG_X_MODULE, not CONFIG_X; an integer one is always defined
            return int(not module and value is not False and value != "n")
        if how == "defined":
            return 1
        return int(value is True or value in ("y", 1) or (module and how != "IS_BUILTIN"))

    def name(self, name: str) -> int | None:
        if name not in self.config:
            return 0 if name.startswith("CONFIG_") else None
        value = self.config[name]
        if not isinstance(value, str):
            return int(value)
        if value in ("y", "n", "m", ""):
            return int(value == "y")
        return _integer(value) if TOKEN.fullmatch(value) and value[0].isdigit() else None


def _integer(text: str) -> int:
    """A C integer constant of at most 64 bits; longer ones are nobody's option."""
    digits = text.rstrip("uUlL")
    if len(digits) > 24:
        raise _UnknownError
    if digits[:2] in ("0x", "0X"):
        return int(digits, 16)
    octal = digits.startswith("0") and re.fullmatch("[0-7]+", digits)
    return int(digits, 8 if octal else 10)


def _compute(operator: str, left: int | None, right: int | None) -> int | None:
    if operator == "&&" and (left == 0 or right == 0):
        return 0
    if operator == "||" and (left or right):
        return 1
    if left is None or right is None:
        return None
    if operator in ("/", "%") and right == 0:
        raise _UnknownError
    if operator in ("<<", ">>"):
        if not 0 <= right < 64:
            raise _UnknownError
        return (left << right if operator == "<<" else left >> right) & (1 << 64) - 1
    table = {
        "||": int(bool(left or right)), "&&": int(bool(left and right)),
        "==": int(left == right), "!=": int(left != right), "<": int(left < right),
        "<=": int(left <= right), ">": int(left > right), ">=": int(left >= right),
        "+": left + right, "-": left - right, "*": left * right,
        "|": left | right, "^": left ^ right, "&": left & right,
    }  # fmt: skip
    if operator in table:
        return table[operator]
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)  # C rounds to 0
    return quotient if operator == "/" else left - quotient * right
