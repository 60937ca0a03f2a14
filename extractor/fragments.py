# SPDX-License-Identifier: GPL-2.0-only
"""What a hunk shows of a function's body: the part of a fragment that can stand in another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from extractor.cast import C_KEYWORDS, one_branch
from extractor.conditions import Value, holds
from extractor.errors import ExtractError
from extractor.items import Item, SourceLine
from extractor.scan import (
    DIRECTIVE,
    MAX_NESTING,
    SKIPPED,
    Token,
    continued_lines,
    is_directive,
    mask,
    masked_lines,
    tokens,
)

CLOSING = {"(": ")", "[": "]", "{": "}"}
TAKES_A_STATEMENT = ("if", "while", "for", "switch")
NO_BEGINNING = frozenset("? : = , . / % ^ | < >".split())  # of a statement: it continues one


def fragments(items: Iterable[Item], name: str, config: Mapping[str, Value]) -> tuple[Item, ...]:
    """The fragments of the function `name`, in order, but those that `config` leaves out."""
    return tuple(
        item
        for item in items
        if (item.kind, item.completeness, item.name) == ("function", "fragment", name)
        and holds(item.condition, config) is not False
    )


def names(lines: Sequence[SourceLine]) -> frozenset[str]:
    """The identifiers in `lines`, those of conditional directives too; no keywords."""
    text = "\n".join(
        line if not (match := DIRECTIVE.match(line)) else match[2] for line in masked_lines(lines)
    )
    return frozenset(token.text for token in tokens(text) if token.kind == "name") - C_KEYWORDS


def statements(item: Item) -> tuple[SourceLine, ...]:
    """The longest stretch of a fragment that has all added lines and can stand in a function's body.

    Its brackets, comments and `#if`s are balanced and its statements whole. Left out is what the
    hunk cuts: before the added lines the tail of a block, call, comment or `if`, and the head of a
    block that goes on beyond the hunk; after them the end of an enclosing block, a statement that
    is not shown to its end, and all that follows. A label may come last, with no statement after it.
    ExtractError where the added lines cannot stand so, or where there are none.
    """
    return _Stretch(item).found()


class _TooDeepError(Exception):
    """Statements within statements, more than anybody writes."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


@dataclass(frozen=True)
class _Fault:
    """A line that cannot stay in the stretch, and why."""

    line: int
    why: str


class _Stretch:
    """Lines `start` to `end` (left out) of `lines`; both move inwards until the stretch can stand.

    Lines are known by their index in `lines`, which has not the tail of a comment.
    """

    def __init__(self, item: Item) -> None:
        self.item = item
        self.lines = item.lines[_comment_tail(item.lines) :]
        added = [ln.number for ln in item.lines if ln.origin == "added"]
        if not added:
            raise self.refusal(item.lines[0].number, "it only removes lines here")
        if not self.lines or added[0] < self.lines[0].number:
            raise self.refusal(added[0], "the comment that ends here begins before the hunk")
        self.first, self.last = (number - self.lines[0].number for number in (added[0], added[-1]))
        masked = mask("\n".join(ln.text for ln in self.lines)).split("\n")
        self.continued = continued_lines(self.lines, masked)
        self.opened = _comment_openings(self.lines)
        self.code = [
            "" if i in self.continued or (is_directive(line) and not _conditional(line)) else line
            for i, line in enumerate(masked)
        ]
        self.start, self.end = 0, len(self.lines)

    def found(self) -> tuple[SourceLine, ...]:
        try:
            while self.narrow():
                pass
        except _TooDeepError as error:
            raise self.refusal(self.lines[error.line].number, "it is nested too deeply") from None
        return self.lines[self.start : self.end]

    def narrow(self) -> bool:
        """Leaves out what cannot stay, as far as it is seen at once; False where all can stay."""
        if self.leave_out([*self.unclosed_comment(), *self.unmatched_directives()]):
            return True
        inside = range(self.start, self.end)
        text = "\n".join(line if i in inside else "" for i, line in enumerate(self.code))
        for first in (True, False):
            words = list(tokens(one_branch(text, first)))
            if self.leave_out(list(self.unmatched_brackets(words))):
                return True
            body = _Body(words)
            if self.leave_out_tail(body) or self.leave_out(list(self.cut_statement(body))):
                return True
        return False

    def leave_out(self, faults: Sequence[_Fault]) -> bool:
        """Moves `start` past the faults before the added lines, `end` to the first one after them."""
        for fault in faults:
            if self.first <= fault.line <= self.last:
                raise self.refusal(self.lines[fault.line].number, fault.why)
        before = [fault.line for fault in faults if fault.line < self.first]
        if before:
            self.start_after(max(before))
        self.end = min([self.end, *(fault.line for fault in faults if fault.line > self.last)])
        return bool(faults)

    def start_after(self, line: int) -> None:
        """Moves `start` past `line`, and past the comment or directive that goes on there."""
        self.start = line + 1
        while self.start in self.continued or self.start in self.opened:
            self.start += 1
        if self.start > self.first:
            raise self.refusal(self.lines[self.first].number, "its beginning is not shown")

    def refusal(self, line: int, why: str) -> ExtractError:
        return ExtractError(
            f"what the patch adds to {self.item.name} cannot stand by itself: {why}",
            file=self.item.file,
            line=line,
            hint="more lines of context would show the rest of it",
        )

    # What cannot stay.

    def unclosed_comment(self) -> Iterator[_Fault]:
        if self.end in self.opened:
            yield _Fault(self.opened[self.end], "the end of this comment is not shown")

    def unmatched_directives(self) -> Iterator[_Fault]:
        opened: list[int] = []
        for i in range(self.start, self.end):
            name = _conditional(self.code[i])
            if name.startswith("if"):
                opened.append(i)
            elif name and not opened:
                yield _Fault(i, f"the #if before this #{name} is not shown")
            elif name == "endif":
                opened.pop()
        yield from (_Fault(i, "the #endif of this #if is not shown") for i in opened)

    def unmatched_brackets(self, words: Sequence[Token]) -> Iterator[_Fault]:
        opened: list[Token] = []
        for word in words:
            if word.text in CLOSING:
                opened.append(word)
            elif word.text in CLOSING.values():
                # A closing brace ends every parenthesis inside; a parenthesis ends no brace.
                while word.text == "}" and opened and opened[-1].text != "{":
                    yield _not_closed(opened.pop())
                if opened and CLOSING[opened[-1].text] == word.text:
                    opened.pop()
                else:
                    yield _Fault(_line(word), f"the beginning of what `{word.text}` ends is not shown")
        yield from map(_not_closed, opened)

    def cut_statement(self, body: _Body) -> Iterator[_Fault]:
        """Each `else` without an `if`, and the first statement that is not whole."""
        at = 0
        while at < len(body.words):
            end = body.end(at)
            if end < 0:
                yield _Fault(_line(body.words[at]), "this statement is not shown whole")
                if body.words[at].text != "else":
                    return
            at = max(end, at + 1)

    def leave_out_tail(self, body: _Body) -> bool:
        """Moves `start` past what ends or continues a cut statement; False where nothing does."""
        start, at = self.start, 0
        while at < len(body.words) and (end := self.tail(body, at)):
            last = _line(body.words[end - 1])
            if last >= self.first:
                line = max(self.first, _line(body.words[at]))
                raise self.refusal(self.lines[line].number, "the beginning of this statement is not shown")
            self.start_after(last)
            at = end
            while at < len(body.words) and _line(body.words[at]) < self.start:
                at += 1
        return self.start > start

    def tail(self, body: _Body, at: int) -> int:
        """The end of the tail of a cut statement that begins at word `at`, 0 where none does."""
        words = body.words
        if words[at].text == "else":
            end = body.end(at + 1)
            return end if end > 0 and _line(words[end - 1]) < self.first else body.head(at + 1)
        if words[at].text in NO_BEGINNING or body.said(at, 2) == ["&", "&"]:
            return at + 1
        # The body of an `if` without braces, or an expression's last line, is indented deeper.
        end = body.end(at)
        if end < 0 or body.label(at) or _line(words[end - 1]) >= self.first:
            return 0
        after = end
        while label := body.label(after):
            after = label
        if body.said(after, 1) in ([], ["}"]) or _line(words[after]) == _line(words[end - 1]):
            return 0
        return end if self.indent(words[at]) > self.indent(words[after]) else 0

    def indent(self, word: Token) -> int:
        text = self.lines[_line(word)].text.expandtabs(8)
        return len(text) - len(text.lstrip())


class _Body:
    """Statements as words with balanced brackets, one branch of each `#if`; how far each of them goes."""

    def __init__(self, words: Sequence[Token]) -> None:
        self.words = words
        self.pairs: dict[int, int] = {}
        opened: list[int] = []
        for at, word in enumerate(words):
            if word.text in CLOSING:
                opened.append(at)
            elif word.text in CLOSING.values():
                self.pairs[opened.pop()] = at

    def said(self, at: int, count: int) -> list[str]:
        """The texts of `count` words from `at` on, fewer at the end."""
        return [word.text for word in self.words[at : at + count]]

    def end(self, at: int, depth: int = 0) -> int:
        """The word after the statement (or label) that begins at `at`, -1 where it is not whole."""
        while at < len(self.words):
            if depth > MAX_NESTING:
                raise _TooDeepError(_line(self.words[at]))
            word = self.words[at].text
            if word == "{":
                return self.pairs[at] + 1
            if label := self.label(at):
                return label
            if word == "do":
                return self.end_of_do(at, depth)
            head = self.head(at)
            if head == at:
                return -1 if word == "else" else self.end_of_expression(at)
            at = head
            if word == "if":
                at = self.end(head, depth + 1)
                if self.said(at, 1) != ["else"] or at < 0:
                    return at
                at += 1
        return -1

    def head(self, at: int) -> int:
        """The word after `if (…)` or `for_each_…(…)`, which a statement follows; `at` for no such head."""
        close = self.pairs.get(at + 1, -1)
        if close < 0 or self.words[at].kind != "name" or self.words[at + 1].text != "(":
            return at
        if self.words[at].text in TAKES_A_STATEMENT:
            return close + 1
        after = self.words[close + 1 : close + 2]
        return close + 1 if after and (after[0].kind == "name" or after[0].text == "{") else at

    def label(self, at: int) -> int:
        """The word after the label at `at`, 0 for none."""
        if self.said(at, 1) != ["case"]:
            named = self.words[at : at + 1] and self.words[at].kind == "name"
            return at + 2 if named and self.said(at + 1, 1) == [":"] != self.said(at + 2, 1) else 0
        choices = 0
        while (at := self.pairs.get(at, at) + 1) < len(self.words) and self.words[at].text not in ";{}":
            if self.words[at].text == ":" and not choices:
                return at + 1
            choices += (self.words[at].text == "?") - (self.words[at].text == ":")
        return 0

    def end_of_do(self, at: int, depth: int) -> int:
        at = self.end(at + 1, depth + 1)
        if at < 0 or self.said(at, 2) != ["while", "("]:
            return -1
        close = self.pairs[at + 1]
        return close + 2 if self.said(close + 1, 1) == [";"] else -1

    def end_of_expression(self, at: int) -> int:
        while at < len(self.words) and self.words[at].text != "}":
            if self.words[at].text == ";":
                return at + 1
            at = self.pairs.get(at, at) + 1
        return -1


def _line(word: Token) -> int:
    return word.line - 1


def _not_closed(word: Token) -> _Fault:
    return _Fault(_line(word), f"the end of what `{word.text}` begins is not shown")


def _conditional(line: str) -> str:
    """The name of a directive of the `#if` family, "" for anything else."""
    match = DIRECTIVE.match(line)
    return match[1] if match and match[1].startswith(("if", "el", "endif")) else ""


def _comment_tail(lines: Sequence[SourceLine]) -> int:
    """How many lines belong to a comment that begins before them."""
    shown = masked_lines(lines)
    own = mask("\n".join(ln.text for ln in lines)).split("\n")
    return next((i for i in range(len(lines), 0, -1) if shown[i - 1] != own[i - 1]), 0)


def _comment_openings(lines: Sequence[SourceLine]) -> dict[int, int]:
    """For each line that begins inside a comment, also the one after the last, where that begins."""
    text = "\n".join(ln.text for ln in lines)
    found: dict[int, int] = {}
    line = at = 0
    for match in SKIPPED.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        said = match.group()
        if said.startswith("/*"):
            height = said.count("\n") + (len(said) < 4 or not said.endswith("*/"))
            found.update((line + 1 + i, line) for i in range(height))
    return found
