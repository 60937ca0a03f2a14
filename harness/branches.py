# SPDX-License-Identifier: GPL-2.0-only
"""The conditions that a function's text tests, line by line, in the order in which they are tested."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

HIDDEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
# What has one condition of its own; the kernel's warnings have it as their first argument.
TESTS = re.compile(r"\b(?:(?P<word>if|while|for)|(?P<warning>(?:VM_)?(?:WARN|BUG)(?:_\w+)?))\s*\(")
OPERATORS = ("||", "&&")


@dataclass(frozen=True)
class Condition:
    """One operand of `&&` and `||`, or a whole condition without them.

    `goes_on` is the outcome after which control goes to what stands next in the text. `repeats` is
    true of a warning that is itself tested, as in `if (WARN_ON(c))`: c has been tested just before.
    """

    text: str
    line: int
    goes_on: bool
    repeats: bool = False


@dataclass(frozen=True)
class _Part:
    start: int
    end: int
    operator: str = ""  # what follows it: ||, && or nothing


class Conditions:
    """Reads the conditions out of the C `text`, whose first line is number `first`."""

    def __init__(self, text: str, first: int) -> None:
        self.text = text
        self.code = HIDDEN.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
        self.first = first

    def all(self) -> Iterator[Condition]:
        """Every condition, in source order."""
        yield from self.within(0, len(self.code))

    def within(self, start: int, end: int) -> Iterator[Condition]:
        """The conditions of the tests that stand between two offsets."""
        while match := TESTS.search(self.code, start, end):
            close = self.closing(match.end() - 1)
            if close < 0 or close >= end:
                return
            yield from self.test(match, close)
            start = close + 1

    def test(self, match: re.Match[str], close: int) -> Iterator[Condition]:
        """The conditions of one `if (…)`, loop or warning."""
        warning, loop = match["warning"] is not None, match["word"] in ("while", "for")
        whole = self.argument(match, close)
        # The preprocessor puts all that a macro expands to on the line of its name.
        line = self.line(match.start()) if warning else 0
        for part in self.parts(whole):
            text = re.sub(r"\s+", " ", self.text[part.start : part.end]).strip()
            inner = list(self.within(part.start, part.end))
            yield from inner
            goes_on = not loop if not part.operator else part.operator == "&&"
            tested = TESTS.match(self.code, part.start)
            repeats = bool(inner and tested and self.closing(tested.end() - 1) == part.end - 1)
            if text:
                yield Condition(text, line or self.line(part.start), goes_on, repeats)

    def argument(self, match: re.Match[str], close: int) -> _Part:
        """Where the condition is between a test's parentheses."""
        separator = {"for": ";"}.get(match["word"] or "", "," if match["warning"] else "")
        found = self.split(match.end(), close, separator) if separator else [(match.end(), close)]
        return _Part(*found[1 if match["word"] == "for" and len(found) > 1 else 0])

    def parts(self, whole: _Part) -> Iterator[_Part]:
        """The operands of `&&` and `||` in `whole`, at any depth of grouping parentheses."""
        start, end = self.stripped(whole.start, whole.end)
        while end - start > 1 and self.code[start] == "(" and self.closing(start) == end - 1:
            start, end = self.stripped(start + 1, end - 1)
        for operator in OPERATORS:
            found = self.split(start, end, operator)
            if len(found) > 1:
                for n, (a, b) in enumerate(found, 1):
                    yield from self.parts(_Part(a, b, operator if n < len(found) else whole.operator))
                return
        yield _Part(start, end, whole.operator)

    def split(self, start: int, end: int, separator: str) -> list[tuple[int, int]]:
        """The stretches between `separator`s that are in no parentheses."""
        found, depth, at = [], 0, start
        for i in range(start, end):
            depth += (self.code[i] in "([{") - (self.code[i] in ")]}")
            if not depth and i >= at and self.code.startswith(separator, i, end):
                found.append((at, i))
                at = i + len(separator)
        return [*found, (at, end)]

    def stripped(self, start: int, end: int) -> tuple[int, int]:
        """The stretch without the blanks around it."""
        while start < end and self.code[start].isspace():
            start += 1
        while end > start and self.code[end - 1].isspace():
            end -= 1
        return start, end

    def closing(self, at: int) -> int:
        """The offset of the parenthesis that closes the one at `at`, or -1."""
        depth = 0
        for i in range(at, len(self.code)):
            depth += (self.code[i] == "(") - (self.code[i] == ")")
            if not depth:
                return i
        return -1

    def line(self, at: int) -> int:
        """The line number of an offset."""
        return self.first + self.code.count("\n", 0, at)


def conditions(text: str, first: int) -> dict[int, list[Condition]]:
    """The conditions of a function's text by line; lines where a `switch` or `?:` decides are left out.

    Of those the order of branches is not known from the text.
    """
    reader = Conditions(text, first)
    found: dict[int, list[Condition]] = {}
    for condition in reader.all():
        found.setdefault(condition.line, []).append(condition)
    unclear = {reader.line(m.start()) for m in re.finditer(r"\bswitch\b|\?", reader.code)}
    return {line: said for line, said in found.items() if line not in unclear}
