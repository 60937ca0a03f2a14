# SPDX-License-Identifier: GPL-2.0-only
"""Presence conditions: what an `#if` stack says under a configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping

TOKEN = re.compile(r"\s*(?:(\d+)[uUlL]*|([A-Za-z_]\w*)|(\|\||&&|[=!<>]=|<<|>>|[()!<>+*/%?:-]))")
TESTS = ("defined", "IS_ENABLED", "IS_BUILTIN", "IS_MODULE", "IS_REACHABLE")
LEVELS = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/", "%"))


class _UnknownError(Exception):
    """The expression names what a configuration does not decide."""


def holds(condition: tuple[str, ...], config: Mapping[str, bool]) -> bool | None:
    """Whether an item with this `#if` stack exists under `config`; None where it cannot be known."""
    values = [evaluate(expression, config) for expression in condition]
    if False in values:
        return False
    return None if None in values else True


def evaluate(expression: str, config: Mapping[str, bool]) -> bool | None:
    """The truth of a preprocessor expression; CONFIG_ options absent from `config` are unset.

    None where it names anything else that `config` does not have, or is no expression.
    """
    try:
        return bool(_Parser(_tokens(expression), config).whole())
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

    def __init__(self, tokens: list[str], config: Mapping[str, bool]) -> None:
        self.tokens = tokens
        self.config = config
        self.at = 0

    def whole(self) -> int:
        value = self.binary(0)
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
        if token == "-":
            value = self.unary()
            return None if value is None else -value
        if token == "(":
            value = self.binary(0)
            self.next(")")
            return value
        if token in TESTS:
            return self.test(token)
        if token.isdigit():
            return int(token)
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
        return 0 if how == "IS_MODULE" else self.name(name)

    def name(self, name: str) -> int | None:
        if name in self.config:
            return int(self.config[name])
        return 0 if name.startswith("CONFIG_") else None


def _compute(operator: str, left: int | None, right: int | None) -> int | None:
    if operator == "&&" and (left == 0 or right == 0):
        return 0
    if operator == "||" and (left or right):
        return 1
    if left is None or right is None:
        return None
    if operator in ("/", "%") and right == 0:
        raise _UnknownError
    table = {
        "||": int(bool(left or right)), "&&": int(bool(left and right)),
        "==": int(left == right), "!=": int(left != right), "<": int(left < right),
        "<=": int(left <= right), ">": int(left > right), ">=": int(left >= right),
        "+": left + right, "-": left - right, "*": left * right,
    }  # fmt: skip
    if operator in table:
        return table[operator]
    return left // right if operator == "/" else left % right
