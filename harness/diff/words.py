# SPDX-License-Identifier: GPL-2.0-only
"""The tokens of an item as data for comparison: what is a local name, a field, a tag, or known outside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from extractor.cast import ANNOTATIONS, C_KEYWORDS, TOKEN, matching, strip_comments, tokens

Space = Literal["", "name", "tag", "field", "local"]
NAME = re.compile(r"[A-Za-z_]\w*")
TYPES = frozenset("""void char short int long float double signed unsigned bool _Bool const volatile static
    register struct union enum""".split())  # fmt: skip
NO_TYPE = C_KEYWORDS - TYPES
LINKAGE = frozenset(["static", "extern", "inline", "__inline", "__inline__"])
TAGGED = ("struct", "union", "enum")
OBJECT = re.compile(r"\s*#\s*define\s+\w+\s+\(")  # one that is defined as something in parentheses
FURTHEST = 100  # tokens of a declaration in a function; hostile ones nest


class Symbol(NamedTuple):
    """A name, and in which of C's name spaces it is; "" for a token that is no name."""

    space: Space
    text: str


@dataclass(frozen=True)
class Form:
    """An item's tokens: its head (what it is) up to `cut`, then its body (what it does or holds)."""

    words: tuple[Symbol, ...]
    cut: int

    @property
    def body(self) -> tuple[Symbol, ...]:
        """What it does or holds."""
        return self.words[self.cut :]

    @cached_property
    def head(self) -> tuple[Symbol, ...]:
        """What it is, without linkage and annotations."""
        return tuple(word for word in self.words[: self.cut] if not _annotates(word))

    @cached_property
    def symbols(self) -> frozenset[Symbol]:
        """The names that are known outside of it."""
        return frozenset(word for word in self.words if word.space not in ("", "local"))

    @cached_property
    def shape(self) -> tuple[Symbol, ...]:
        """Its head and body with each name as the number of its first use."""
        numbers: dict[Symbol, int] = {}
        return tuple(
            Symbol(word.space, str(numbers.setdefault(word, len(numbers)))) if word.space else word
            for word in (*self.head, *self.body)
        )


def _annotates(word: Symbol) -> bool:
    return word.text in LINKAGE or bool(word.space and ANNOTATIONS.fullmatch(word.text))


def function_form(text: str) -> Form:
    """The form of a function's text; of a prototype, which has no body, likewise."""
    words = [word for word, _ in tokens(strip_comments(text)) if word != "\\"]
    cut = words.index("{") if "{" in words else len(words)
    own = parameters(words, cut) | declared(words, cut)
    return Form(symbols(words, own), cut)


def macro_form(text: str) -> Form:
    """The form of a macro: its name and parameters, and what stands for it."""
    match = re.match(r"\s*#\s*define\s+(\w+)(\(([^)]*)\))?", text)
    if not match:
        return Form(symbols([word for word, _ in tokens(strip_comments(text))], frozenset()), 0)
    head = [word for word, _ in tokens(match[1] + (match[2] or "")) if word != "\\"]
    body = [word for word, _ in tokens(strip_comments(text[match.end() :])) if word != "\\"]
    own = {word for word in re.findall(r"\w+", match[3] or "") if NAME.match(word)} | declared(body, 0)
    return Form(symbols([*head, *body], own), len(head))


def plain_form(text: str, fields: Set[str] = frozenset()) -> Form:
    """The form of anything else; `fields` are the names of a record's members in it."""
    words = [word for word, _ in tokens(strip_comments(text)) if word != "\\"]
    found = symbols(words, frozenset())
    said = tuple(Symbol("field", w.text) if w.space == "name" and w.text in fields else w for w in found)
    return Form(said, words.index("{") if "{" in words else 0)


def symbols(words: Sequence[str], own: Set[str]) -> tuple[Symbol, ...]:
    """Each word with its name space; `own` are those that are local."""
    found: list[Symbol] = []
    before = ""
    for word in words:
        space: Space = ""
        if NAME.match(word) and word not in C_KEYWORDS:
            space = "name"
            if before in (".", "->"):
                space = "field"
            elif before in TAGGED:
                space = "tag"
            elif word in own:
                space = "local"
        found.append(Symbol(space, word))
        before = word
    return tuple(found)


def parameters(words: Sequence[str], cut: int) -> set[str]:
    """The names of a function's parameters; `cut` is where its body begins."""
    closes = matching(words[:cut])
    opened = [at for at in closes if at and NAME.match(words[at - 1]) and words[at - 1] not in NO_TYPE]
    if not opened:
        return set()
    found: set[str] = set()
    # Annotations with arguments may stand on either side: the list is the longest of these.
    start = max(opened, key=lambda at: (closes[at] - at, -at))
    depth, said = 0, list[str]()
    for word in [*words[start + 1 : closes[start]], ","]:
        depth += (word in "([{") - (word in ")]}")
        if word == "," and not depth:
            found.update(_parameter(said))
            said = []
        else:
            said.append(word)
    return found


def _parameter(said: Sequence[str]) -> Iterator[str]:
    for at in range(len(said) - 2):  # int (*call)(…)
        if said[at] == "(" and said[at + 1] == "*" and NAME.match(said[at + 2]):
            yield said[at + 2]
            return
    end = said.index("[") if "[" in said else len(said)
    names = [word for word in said[:end] if NAME.match(word)]
    if len(names) > 1 and names[-1] not in C_KEYWORDS and (len(names) > 2 or names[0] not in TAGGED):
        yield names[-1]


def declared(words: Sequence[str], start: int) -> set[str]:
    """The names that the statements behind `start` declare, and their labels."""
    found: set[str] = set()
    before = ";"
    for at in range(start, len(words)):
        if before in ("{", "}", ";") or (before == "(" and at > 1 and words[at - 2] == "for"):
            found.update(_declaration(words, at))
        before = words[at]
    return found


def _declaration(words: Sequence[str], at: int) -> Iterator[str]:
    """The names of the declaration that begins at `at`; none where none does."""
    first = at
    if at + 1 < len(words) and NAME.match(words[at]) and words[at + 1] == ":" and words[at] not in NO_TYPE:
        yield words[at]  # a label
        return
    while at < len(words) and NAME.match(words[at]) and (words[at] not in NO_TYPE or "typeof" in words[at]):
        at += 1
        if "typeof" in words[at - 1] and words[at : at + 1] == ["("]:
            depth = 0
            while at < min(len(words), first + FURTHEST):
                depth += (words[at] == "(") - (words[at] == ")")
                at += 1
                if not depth:
                    break
    last = at - 1  # `struct folio *folio` has its type up to `folio`; `int i` has its name in the run
    stars = at
    while stars < len(words) and words[stars] == "*":
        stars += 1
    if stars > at:
        if at == first or not _names(words, stars):
            return
        last = stars
    elif last <= first or words[last] in TYPES or (last == first + 1 and words[first] in TAGGED):
        return
    if words[last + 1 : last + 2] not in (["="], [";"], [","], ["["]):
        return
    yield words[last]
    yield from _further(words, last + 1)


def _names(words: Sequence[str], at: int) -> bool:
    return at < len(words) and bool(NAME.match(words[at])) and words[at] not in C_KEYWORDS


def _further(words: Sequence[str], at: int) -> Iterator[str]:
    """The other names of `int a = f(b, c), *d;`, from behind the first on."""
    depth = 0
    end = min(len(words), at + FURTHEST)
    while at < end and (depth or words[at] != ";"):
        depth += (words[at] in "([{") - (words[at] in ")]}")
        if depth < 0:
            return
        if words[at] == "," and not depth:
            while words[at + 1 : at + 2] == ["*"]:
                at += 1
            if _names(words, at + 1):
                yield words[at + 1]
        at += 1


def code_words(text: str) -> tuple[str, ...]:
    """The tokens of C, so that two texts of the same ones are the same to the compiler.

    Comments and white space are none, but for the end of a directive and, in a `#define`, the blank that
    parts a name from a parenthesis: `#define F (x)` takes no argument.
    """
    found: list[str] = []
    for line in strip_comments(text.replace("\\\n", "")).split("\n"):
        words: list[str] = TOKEN.findall(line)
        if words[:1] == ["#"]:
            if OBJECT.match(line):
                words.insert(3, " ")
            words.append("\n")
        found += words
    return tuple(found)


Pairs = dict[Symbol, Symbol]


def align(old: Sequence[Symbol], new: Sequence[Symbol]) -> Pairs | None:
    """Which name stands for which, where two texts differ in names alone and each always for the same."""
    if len(old) != len(new):
        return None
    there: Pairs = {}
    back: Pairs = {}
    for left, right in zip(old, new, strict=True):
        if left.space != right.space or (not left.space and left.text != right.text):
            return None
        if left.space and (there.setdefault(left, right) != right or back.setdefault(right, left) != left):
            return None
    return there


def renamed(words: Sequence[Symbol], names: Mapping[Symbol, str]) -> list[Symbol]:
    """`words` with the names that `names` gives them."""
    return [Symbol(word.space, names.get(word, word.text)) for word in words]
