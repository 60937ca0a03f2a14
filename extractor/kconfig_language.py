# SPDX-License-Identifier: GPL-2.0-only
"""Kconfig's expression language, as Documentation/kbuild/kconfig-language.rst defines it.

Values are n, m, y, which count as 0, 1, 2: && is the least, || the greatest, ! is 2 minus.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

Value = bool | int | str
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
TRISTATE = {"n": 0, "m": 1, "y": 2}
NUMBER = re.compile(r"-?(0[xX][0-9a-fA-F]+|\d+)")
TOKEN = re.compile(
    r"\s*(?:(?P<mark>&&|\|\||!=|<=|>=|[=<>()!])|(?P<text>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|"
    r"(?P<macro>\$\((?:[^()]|\([^()]*\))*\))|(?P<name>-?\w[\w-]*))"
)
MAX_DEPTH = 100


@dataclass(frozen=True)
class Expression:
    """An operator over `parts`, or an operand: kind "symbol", "constant" or "macro", said in `name`.

    A macro is `$(…)`, which the build expands; its value is never known here.
    """

    kind: str
    parts: tuple[Expression, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        if not self.parts:
            return self.name
        if self.kind == "!":
            return "!" + _bracketed(self.parts[0], ("&&", "||", *COMPARISONS))
        around = {"&&": ("||",), "||": ()}.get(self.kind, ("&&", "||"))
        return f" {self.kind} ".join(_bracketed(part, around) for part in self.parts)


def _bracketed(part: Expression, kinds: tuple[str, ...]) -> str:
    return f"({part})" if part.kind in kinds else str(part)


YES = Expression("constant", (), "y")


def both(*parts: Expression) -> Expression:
    """Their `&&`; YES for none."""
    flat = [p for part in parts for p in (part.parts if part.kind == "&&" else (part,)) if p != YES]
    return Expression("&&", tuple(flat)) if len(flat) > 1 else flat[0] if flat else YES


def negated(part: Expression) -> Expression:
    """Its `!`."""
    return part.parts[0] if part.kind == "!" else Expression("!", (part,))


def parse(text: str) -> Expression | None:
    """The expression that `text` is; None where it is none."""
    tokens = _tokens(text)
    if not tokens:
        return None
    try:
        return _Parser(tokens).whole()
    except ValueError:
        return None


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at, text = 0, text.strip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            return []
        kind = match.lastgroup or "mark"
        found.append((kind, match[kind]))
        at = match.end()
    return found


class _Parser:
    """Recursive descent; ValueError where the text is no expression."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def whole(self) -> Expression:
        found = self.chain("||")
        if self.at != len(self.tokens):
            raise ValueError
        return found

    def peek(self) -> str:
        """The next token where it is a mark, else nothing."""
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        return text if kind == "mark" else ""

    def chain(self, kind: str) -> Expression:
        parts = [self.chain("&&") if kind == "||" else self.unary()]
        while self.peek() == kind:
            self.at += 1
            parts.append(self.chain("&&") if kind == "||" else self.unary())
        return Expression(kind, tuple(parts)) if len(parts) > 1 else parts[0]

    def unary(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError
        found = self.inner()
        self.depth -= 1
        return found

    def inner(self) -> Expression:
        mark = self.peek()
        if mark == "!":
            self.at += 1
            return Expression("!", (self.unary(),))
        if mark == "(":
            self.at += 1
            found = self.chain("||")
            if self.peek() != ")":
                raise ValueError
            self.at += 1
            return found
        left = self.operand()
        if self.peek() in COMPARISONS:
            mark = self.peek()
            self.at += 1
            return Expression(mark, (left, self.operand()))
        return left

    def operand(self) -> Expression:
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else ("mark", "")
        if kind == "mark":
            raise ValueError
        self.at += 1
        if kind == "text":
            return Expression("constant", (), re.sub(r"\\(.)", r"\1", text[1:-1]))
        constant = kind == "name" and (text in TRISTATE or NUMBER.fullmatch(text))
        return Expression("constant" if constant else "macro" if kind == "macro" else "symbol", (), text)


def evaluate(expression: Expression, values: Mapping[str, Value]) -> int | None:
    """0, 1 or 2 for n, m or y; None where it takes what `values` does not have.

    A comparison may be in `values` as a whole, as it is written.
    """
    if expression.kind in ("&&", "||"):
        return _extreme(expression, values)
    if expression.kind == "!":
        value = evaluate(expression.parts[0], values)
        return None if value is None else 2 - value
    if expression.kind in COMPARISONS:
        whole = values.get(str(expression))
        return _tristate(whole) if whole is not None else _compare(expression, values)
    if expression.kind == "constant":
        return TRISTATE.get(expression.name, 0)
    known = values.get(expression.name)
    return None if known is None else _tristate(known)


def _extreme(expression: Expression, values: Mapping[str, Value]) -> int | None:
    found = [evaluate(part, values) for part in expression.parts]
    known = [value for value in found if value is not None]
    final, pick = (0, min) if expression.kind == "&&" else (2, max)
    if final in known:
        return final
    return None if len(known) < len(found) else pick(known)


def _tristate(value: Value) -> int:
    """An option that is neither bool nor tristate counts as n."""
    if isinstance(value, bool):
        return 2 if value else 0
    return TRISTATE.get(value, 0) if isinstance(value, str) else 0


def _compare(expression: Expression, values: Mapping[str, Value]) -> int | None:
    said = [_text(part, values) for part in expression.parts]
    left, right = said
    if left is None or right is None:
        return None
    order = _order(left, right)
    holds = {
        "=": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0,
    }  # fmt: skip
    return 2 if holds[expression.kind] else 0


def _text(operand: Expression, values: Mapping[str, Value]) -> str | None:
    if operand.kind == "constant":
        return operand.name
    value = values.get(operand.name)
    if isinstance(value, bool):
        return "y" if value else "n"
    return None if value is None else str(value)


def _order(left: str, right: str) -> int:
    """As numbers where both are, as n < m < y where both are, else as strings."""
    if left in TRISTATE and right in TRISTATE:
        return TRISTATE[left] - TRISTATE[right]
    if len(left + right) < 40 and NUMBER.fullmatch(left) and NUMBER.fullmatch(right):
        return _integer(left) - _integer(right)
    return (left > right) - (left < right)


def _integer(text: str) -> int:
    return int(text, 16 if "x" in text.lower() else 10)


def atoms(expression: Expression) -> dict[str, tuple[str, ...]]:
    """What the expression's value depends on, each with the values that it may have.

    Options of types unknown here are taken as bool, but for those that are compared with m. A
    comparison with a number or a text is one thing that holds or not, as is a macro.
    """
    found: dict[str, tuple[str, ...]] = {}
    if expression.kind in COMPARISONS:
        plain = [p for p in expression.parts if p.kind == "symbol"]
        rest = [p.name for p in expression.parts if p.kind != "symbol"]
        if not all(name in TRISTATE for name in rest):
            return {str(expression): ("n", "y")}
        return {p.name: ("n", "m", "y") if "m" in rest else ("n", "y") for p in plain}
    if expression.kind in ("symbol", "macro"):
        return {expression.name: ("n", "y")}
    for part in expression.parts:
        for name, domain in atoms(part).items():
            found[name] = max(found.get(name, ()), domain, key=len)
    return found
