# SPDX-License-Identifier: GPL-2.0-only
"""Where the nodes of an item's AST stand in its text: word by word, checked, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pycparser import c_ast

from extractor.cast import (
    FIRST_LINE,
    TOKEN,
    UNREADABLE,
    blanked,
    definition,
    macro_parts,
    one_branch,
    shaped,
    strip_comments,
)
from extractor.items import Item

Span = tuple[int, int]  # the indices of a node's first and last word
OPENERS = {"(": ")", "[": "]", "{": "}"}
JUMPS = (c_ast.Return, c_ast.Goto, c_ast.Break, c_ast.Continue)


@dataclass(frozen=True)
class Reading:
    """One way to read an item: its words, the offset of each in Item.text, and their AST.

    `words` are those of the text, `shapes` what the parser saw in their places. A word that the
    parser needed and the text does not have is at offset -1.
    """

    words: Sequence[str]
    offsets: Sequence[int]
    shapes: Sequence[str]
    tree: Any

    @cached_property
    def known(self) -> dict[int, Span | None]:
        """The spans found so far, by their node's id: the tree lives as long as this."""
        return {}

    @cached_property
    def pairs(self) -> dict[int, int]:
        """The closing bracket of each opening one."""
        found: dict[int, int] = {}
        opened: list[int] = []
        for i, word in enumerate(self.words):
            if word in OPENERS:
                opened.append(i)
            elif word in OPENERS.values() and opened and OPENERS[self.words[opened[-1]]] == word:
                found[opened.pop()] = i
        return found

    def word(self, i: int) -> str:
        """The word at `i`, "" beyond either end."""
        return self.words[i] if 0 <= i < len(self.words) else ""

    def place(self, span: Span) -> tuple[int, int]:
        """The offsets of a span's text."""
        return self.offsets[span[0]], self.offsets[span[1]] + len(self.words[span[1]])

    def at(self, node: Any) -> int:
        """The index of the word at a node's coord, -1 for none."""
        line = getattr(node.coord, "line", None) or 0
        return line - FIRST_LINE if FIRST_LINE <= line < FIRST_LINE + len(self.words) else -1

    def wider(self, span: Span) -> Span | None:
        """`span` with the parentheses that stand directly around it."""
        first, last = span[0] - 1, span[1] + 1
        return (first, last) if self.word(first) == "(" and self.pairs.get(first) == last else None

    def span(self, node: Any) -> Span | None:
        """The words of an expression without the parentheses around it; None where that is unsure."""
        if id(node) not in self.known:
            locate = LOCATE.get(type(node).__name__)
            self.known[id(node)] = locate(self, node) if locate and node.coord else None
        return self.known[id(node)]

    def until(self, node: Any, before: Sequence[str] = (), after: Sequence[str] = ()) -> Span | None:
        """The span of `node` with as many parentheses as it takes to stand between such words."""
        span = self.span(node)
        while span and not self.stands(span, before, after):
            span = self.wider(span)
        return span

    def stands(self, span: Span, before: Sequence[str], after: Sequence[str]) -> bool:
        """True where one of `before` and one of `after` are next to `span`; empty for any."""
        fits = not before or self.word(span[0] - 1) in before
        return fits and (not after or self.word(span[1] + 1) in after)

    def between(self, left: Any, right: Any, operator: str) -> tuple[Span, int, Span] | None:
        """Left operand, operator, right operand; the operands with all their parentheses."""
        first, last = self.span(left), self.span(right)
        if not first or not last:
            return None
        at = first[1] + 1
        while self.word(at) == ")" and first:
            first, at = self.wider(first), at + 1
        while last and last[0] > at + 1 and self.word(last[0] - 1) == "(":
            last = self.wider(last)
        if not first or not last or self.word(at) != operator or last[0] != at + 1:
            return None
        return first, at, last

    def condition(self, node: Any) -> Span | None:
        """The condition of an if, a loop or a ternary, with all parentheses but the statement's."""
        if isinstance(node, c_ast.TernaryOp):
            return self.until(node.cond, after=("?",))
        if isinstance(node, c_ast.For):
            return self.until(node.cond, (";",), (";",)) if node.cond else None
        at = self.at(node)
        if isinstance(node, c_ast.DoWhile) and self.word(at) == "do":
            at = self.end(at + 1) + 1
        if self.word(at) not in ("if", "while") or at + 1 not in self.pairs:
            return None
        return at + 2, self.pairs[at + 1] - 1

    def statement(self, node: Any) -> Span | None:
        """The words of a simple statement, without its semicolon."""
        if isinstance(node, JUMPS):
            at = self.at(node)
            last = self.end(at) - 1
            return (at, last) if self.word(at) == type(node).__name__.lower() and last >= at else None
        return self.until(node, ("{", "}", ";", ")", ":", "else", "do"), (";",))

    def end(self, at: int) -> int:
        """The index of the last word of the statement that begins at `at`."""
        while self.word(at + 1) == ":" or self.word(at) in ("case", "default"):
            while self.word(at) not in (":", ""):
                at += 1
            at += 1
        if self.word(at) == "{":
            return self.pairs.get(at, len(self.words))
        if self.word(at) == "do":
            return self.simple_end(self.end(at + 1) + 1)
        loop = self.word(at) in ("if", "while", "for", "switch")
        if not loop and not (at < len(self.words) and self.shapes[at].startswith("while (")):
            return self.simple_end(at)
        close = self.pairs.get(at + 1, len(self.words))
        last = self.end(close + 1)
        return self.end(last + 2) if self.word(at) == "if" and self.word(last + 1) == "else" else last

    def simple_end(self, at: int) -> int:
        """The next semicolon outside brackets."""
        while at < len(self.words) and self.words[at] != ";":
            at = self.pairs.get(at, at) + 1
        return at

    def otherwise(self, node: Any) -> int:
        """The index of the `else` of an if, -1 for none."""
        at = self.at(node)
        if self.word(at) != "if" or node.iffalse is None:
            return -1
        found = self.end(self.pairs.get(at + 1, len(self.words)) + 1) + 1
        # An `else` after all of it would belong to another if, were this one edited.
        return found if self.word(found) == "else" and self.word(self.end(found + 1) + 1) != "else" else -1


# How each kind of expression is located.


def _leaf(reading: Reading, node: Any) -> Span | None:
    at = reading.at(node)
    said = node.name if isinstance(node, c_ast.ID) else node.value
    if reading.word(at) == said:
        return at, at
    last = at
    while reading.word(at)[:1] == '"' and reading.word(last + 1)[:1] == '"':
        last += 1  # strings side by side are one constant
    return (at, last) if reading.word(at)[:1] == '"' else None


def _binary(reading: Reading, node: Any) -> Span | None:
    found = reading.between(node.left, node.right, node.op)
    return (found[0][0], found[2][1]) if found else None


def _assignment(reading: Reading, node: Any) -> Span | None:
    found = reading.between(node.lvalue, node.rvalue, node.op)
    return (found[0][0], found[2][1]) if found else None


def _ternary(reading: Reading, node: Any) -> Span | None:
    cond, last = reading.until(node.cond, after=("?",)), reading.between(node.iftrue, node.iffalse, ":")
    return (cond[0], last[2][1]) if cond and last and reading.word(last[0][0] - 1) == "?" else None


def _unary(reading: Reading, node: Any) -> Span | None:
    if node.op == "sizeof":
        return _sizeof(reading, node)
    if node.op in ("p++", "p--"):
        span = reading.until(node.expr, after=(node.op[1:],))
        return (span[0], span[1] + 1) if span else None
    span = reading.until(node.expr, (node.op,))
    return (span[0] - 1, span[1]) if span else None


def _sizeof(reading: Reading, node: Any) -> Span | None:
    at = reading.at(node)
    if reading.word(at) != "sizeof":
        return None
    if isinstance(node.expr, c_ast.Typename):
        return (at, reading.pairs[at + 1]) if at + 1 in reading.pairs else None
    span = reading.until(node.expr, ("sizeof",))
    return (at, span[1]) if span and span[0] == at + 1 else None


def _cast(reading: Reading, node: Any) -> Span | None:
    at = reading.at(node)
    close = reading.pairs.get(at, -1)
    span = reading.span(node.expr)
    while span and span[0] > close + 1:
        span = reading.wider(span)
    return (at, span[1]) if span and reading.word(at) == "(" and span[0] == close + 1 else None


def _call(reading: Reading, node: Any) -> Span | None:
    return _bracketed(reading, node.name, "(")


def _element(reading: Reading, node: Any) -> Span | None:
    return _bracketed(reading, node.name, "[")


def _bracketed(reading: Reading, name: Any, bracket: str) -> Span | None:
    span = reading.until(name, after=(bracket,))
    close = reading.pairs.get(span[1] + 1) if span else None
    return (span[0], close) if span and close is not None else None


def _field(reading: Reading, node: Any) -> Span | None:
    span, field = reading.until(node.name, after=(node.type,)), reading.span(node.field)
    return (span[0], field[1]) if span and field and field[0] == span[1] + 2 else None


def _block(reading: Reading, node: Any) -> Span | None:
    at = reading.at(node)
    return (at, reading.pairs[at]) if reading.word(at) == "{" and at in reading.pairs else None


def _literal(reading: Reading, node: Any) -> Span | None:
    at = reading.at(node)
    body = reading.pairs.get(at, -2) + 1
    return (at, reading.pairs[body]) if reading.word(body) == "{" and body in reading.pairs else None


def _list(reading: Reading, node: Any) -> Span | None:
    first = reading.until(node.exprs[0], after=(",",)) if len(node.exprs) > 1 else None
    last = reading.until(node.exprs[-1], (",",)) if first else None
    return (first[0], last[1]) if first and last else None


LOCATE = {
    "ID": _leaf,
    "Constant": _leaf,
    "BinaryOp": _binary,
    "Assignment": _assignment,
    "TernaryOp": _ternary,
    "UnaryOp": _unary,
    "Cast": _cast,
    "FuncCall": _call,
    "ArrayRef": _element,
    "StructRef": _field,
    "Compound": _block,
    "CompoundLiteral": _literal,
    "ExprList": _list,
}


# Readings of an item.


def readings(item: Item) -> list[Reading]:
    """How `item` can be read; of an `#if` in a function, both branches count, as for its facts."""
    text = strip_comments(item.text)
    if item.kind == "macro":
        return [found for found in [_read_macro(text)] if found]
    whole = _read(text)
    if whole or not re.search(r"^[ \t]*#[ \t]*el", text, re.M):
        return [whole] if whole else []
    return [found for first in (True, False) if (found := _read(one_branch(text, first)))]


def _read_macro(text: str) -> Reading | None:
    """A macro's replacement text as the body of a function; without pasting, which is no C yet."""
    body = macro_parts(text)[1]
    at = len(text) - len(body)
    if not re.match(r"\s*#\s*define\b", text) or "#" in re.sub(r"\"(?:\\.|[^\"\\])*\"", "", body):
        return None
    return _read(" " * at + body.replace("\\\n", " \n"), "void f(void) {", ";}")


def _read(text: str, before: str = "", after: str = "") -> Reading | None:
    try:
        placed = [*_added(before), *placed_words(blanked(text)), *_added(after)]
        words, offsets = [word for word, _ in placed], [offset for _, offset in placed]
        shapes = shaped(words)
        # A word with a # could begin a line marker, which moves all coords after it.
        found = definition(shapes) if "#" not in words else None
        return Reading(words, offsets, shapes, found[0]) if found else None
    except UNREADABLE:
        return None


def placed_words(text: str) -> Iterator[tuple[str, int]]:
    """Each word of comment-free C with its offset."""
    return ((match.group(), match.start()) for match in TOKEN.finditer(text))


def _added(text: str) -> list[tuple[str, int]]:
    return [(word, -1) for word, _ in placed_words(text)]
