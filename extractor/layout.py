# SPDX-License-Identifier: GPL-2.0-only
"""The records of a slice of which C may see how their fields lie: these are not cut.

A record may be cut where it is certain what C does with it: pointers to it are declared, passed on,
compared, assigned to each other and gone through by `->`. Whatever else is done with one, or said of it,
counts as seeing its layout.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from extractor.cast import ANNOTATIONS, C_KEYWORDS, FIELD_MACRO, macro_parts, strip_comments, tokens
from extractor.items import Item

NAME = re.compile(r"[A-Za-z_]\w*")
QUALIFIERS = frozenset(["const", "volatile", "restrict", "\\"])
RECORDS = ("struct", "union")
BEFORE = frozenset(
    ["(", ",", "=", "==", "!=", "&&", "||", "?", ":", "!", ";", "{", "}", "return", "else", "do", ""]
)
AFTER = frozenset([")", ",", ";", "=", "==", "!=", "&&", "||", "?", ":", "}", ""])
TRUTH = frozenset(["==", "!=", "&&", "||"])  # what these make is no pointer
CONDITIONS = frozenset(["if", "while", "switch", "for"])
SEEING = re.compile(
    r"sizeof|typeof|__typeof\w*|_Alignof|__alignof\w*|_Generic|sizeof_field|struct_size|struct_group\w*|"
    r"(?:__|k|kv|v)?mem(?:set|cpy|move|cmp|chr|zero|dup|scan|swap)\w*|str[a-z]+|copy_\w*|"
    r"__builtin_(?!expect|constant_p|unreachable|trap)\w*"
)
SCALAR = re.compile(
    r"unsigned|signed|int|long|short|char|void|bool|_Bool|[us]\d+|__[us]\d+|\w+_t|struct|union"
)
MOST_STEPS = 500  # from a name to what is done with it: a stranger's C may be as long as it likes
CLOSES = {"(": ")", "[": "]", "{": "}"}


@lru_cache(8192)
def words_of(text: str) -> tuple[str, ...]:
    """The tokens of C, without what is said of types beside their names."""
    plain = ANNOTATIONS.sub(lambda match: " " * len(match[0]), strip_comments(text))
    return tuple(word for word, _ in tokens(plain) if word not in QUALIFIERS)


@dataclass(frozen=True)
class Declared:
    """What a name stands for: a record's key, and its "value", an "array", a "pointer" or more of them."""

    key: str
    kind: str


Names = dict[str, set[Declared]]


@dataclass
class Text:
    """An item's tokens, the partner of each bracket, the bracket around each token, what is declared here."""

    item: Item | None  # none: a contract's C
    words: tuple[str, ...]
    partner: dict[int, int] = field(default_factory=dict)
    around: list[int] = field(default_factory=list)
    local: Names = field(default_factory=dict)
    at: set[int] = field(default_factory=set)  # where names are declared
    voids: set[str] = field(default_factory=set)
    parameters: frozenset[str] = frozenset()  # of a macro
    anything: list[bool] = field(default_factory=list)  # from each token on, a void * before the `;`

    def __post_init__(self) -> None:
        opened: list[int] = []
        for i, word in enumerate(self.words):
            self.around.append(opened[-1] if opened else -1)
            if word in CLOSES:
                opened.append(i)
            elif word in (")", "]", "}") and opened and CLOSES[self.words[opened[-1]]] == word:
                start = opened.pop()
                self.partner[start], self.partner[i] = i, start
                self.around[i] = self.around[start]

    def word(self, i: int) -> str:
        """The token at an index; empty outside."""
        return self.words[i] if 0 <= i < len(self.words) else ""

    def is_name(self, i: int) -> bool:
        """Whether a token is an identifier."""
        word = self.word(i)
        return bool(NAME.match(word)) and word not in C_KEYWORDS

    @property
    def kind(self) -> str:
        """The kind of item; "contract" for a contract's C."""
        return self.item.kind if self.item else "contract"

    @property
    def head(self) -> int:
        """Where what is only declared ends: at a function's body."""
        if self.kind in ("function", "macro", "contract"):
            return self.words.index("{") if self.kind == "function" and "{" in self.words else 0
        return len(self.words)


def seen_layouts(items: Iterable[Item], contract: str, macros: Set[str]) -> set[str]:
    """The keys of the records, such as `struct page` or a typedef's name, whose layout C may see.

    `macros` are those of shims, which go no further into what they are given than their names say.
    """
    return Reading(items, contract, macros).seen


class Reading:
    """Reads all C of a slice; `seen` are the records whose layout it may see."""

    def __init__(self, items: Iterable[Item], contract: str, macros: Set[str]) -> None:
        items = list(items)
        self.shims = macros
        self.aliases = {
            item.name: {item.name, *tags(words_of(item.text))}
            for item in items
            if item.kind == "typedef" and tags(words_of(item.text)) and "*" not in item.signature
        }
        self.seen: set[str] = set()
        self.fields: Names = {}
        self.globals: Names = {}
        self.voids: set[str] = set()
        self.macros: dict[str, Text] = {}
        self.seeing: set[str] = set()  # what looks at the layout of what it is given
        texts = [Text(None, words_of(contract))] if contract else []
        texts += [Text(item, words_of(said_by(item))) for item in items]
        for text in texts:
            self.declare(text)
        self.users: dict[str, list[Text]] = {}  # of each macro's name, the macros that say it
        for text in self.macros.values():
            for word in set(text.words) & self.macros.keys():
                self.users.setdefault(word, []).append(text)
        self.until_stable(self.stands_for)
        self.until_stable(self.looks_into)
        for text in texts:
            if text.kind in ("function", "macro", "variable", "contract"):
                self.use(text)

    # What is declared.

    def declare(self, text: Text) -> None:
        """Takes down which names of a text are of records, or pointers to anything."""
        words = text.words
        if text.kind == "macro" and text.item:
            text.parameters = frozenset(macro_parts(strip_comments(text.item.text))[0])
            self.macros[text.item.name] = text
        for i, word in enumerate(words):
            if word == "void" and text.word(i + 1) == "*":
                self.declare_void(text, i + 2)
            elif word in RECORDS and text.is_name(i + 1):
                self.declared(text, {f"{word} {words[i + 1]}"}, i + 2)
            elif word == "}" and text.item and text.kind in ("record", "typedef") and text.around[i] >= 0:
                self.declared(text, {text.item.name}, i + 1)  # of a record inside of this one
            elif word in self.aliases and text.word(i - 1) not in (".", "->", "struct", "union"):
                self.declared(text, self.aliases[word], i + 1)

    def declare_void(self, text: Text, i: int) -> None:
        while text.word(i) in ("*", "("):
            i += 1
        if text.is_name(i):
            text.voids.add(text.words[i])
            if text.kind in ("record", "typedef", "contract") or i < text.head:
                self.voids.add(text.words[i])
        opening = text.around[i] if i < len(text.around) else -1
        if opening > 0 and text.words[opening] == "(" and (opening < text.head or text.kind == "record"):
            called = opening - 1
            if text.word(called) == ")":  # (*call)(void *)
                called -= 1
            self.seeing.add(text.word(called))

    def declared(self, text: Text, keys: set[str], i: int) -> None:
        """Follows the declarators behind a record's name."""
        if text.word(i) == "{":
            i = text.partner.get(i, len(text.words)) + 1
            if text.kind in ("record", "typedef"):
                return
        elif text.word(i) == ";":
            return
        while True:
            stars = 0
            while text.word(i) == "*":
                stars, i = stars + 1, i + 1
            if text.word(i) == "(" and text.word(i + 1) == "*":  # it points to a function, or to an array
                stars, i = stars + 1, i + 2
            if not text.is_name(i):
                if not (stars and text.word(i) in (")", ",", "") and i < text.head):
                    self.seen |= keys  # a cast, sizeof, a macro's argument
                return
            end = i + 1
            sizes = 0
            while text.word(end) == "[":
                sizes, end = sizes + 1, text.partner.get(end, len(text.words)) + 1
            kind = ("value", "pointer")[stars] if stars < 2 and not sizes else "pointers"
            kind = "array" if not stars and sizes == 1 else kind
            by_value = kind == "value" or (sizes and not stars)
            if by_value and (text.kind in ("function", "macro") or text.word(end) in ("(", "=")):
                self.seen |= keys
            if by_value and text.kind == "contract" and text.word(end) != ";":
                self.seen |= keys
            self.name(text, i, {Declared(key, kind) for key in keys})
            if text.word(end) != "," or text.word(text.around[end]) == "(":
                return
            i = end + 1

    def name(self, text: Text, i: int, found: set[Declared]) -> None:
        word = text.words[i]
        text.at.add(i)
        text.local.setdefault(word, set()).update(found)
        if text.kind in ("record", "typedef", "contract"):
            self.fields.setdefault(word, set()).update(found)
        if text.kind in ("function", "declaration", "variable") and text.item and text.item.name == word:
            self.globals.setdefault(word, set()).update(found)

    def until_stable(self, learns: Callable[[str, Text], bool]) -> None:
        """Asks of each macro, and again of those that say it where something was learnt of it."""
        todo = deque(self.macros)
        while todo:
            name = todo.popleft()
            if learns(name, self.macros[name]):
                todo += [user.item.name for user in self.users.get(name, ()) if user.item]

    def stands_for(self, name: str, text: Text) -> bool:
        """Lets a macro stand for all that its text has of records; whether that is more than was known."""
        if "static" in text.words:  # it makes functions
            return False
        known = self.globals.setdefault(name, set())
        size = len(known)
        for i in range(len(text.words)):
            if i not in text.at and text.word(i + 1) not in ("->", "."):
                known |= self.meaning(text, i)
        return len(known) > size

    def looks_into(self, name: str, text: Text) -> bool:
        """Whether a macro turns out to look into what it is given, or to hand it to one that does."""
        if name in self.seeing:
            return False
        self.use(text)
        return name in self.seeing

    def meaning(self, text: Text, i: int) -> set[Declared]:
        """What the name at an index stands for."""
        if not text.is_name(i) or text.word(i - 1) in ("struct", "union", "enum", "goto"):
            return set()
        word = text.words[i]
        if text.word(i - 1) in (".", "->"):
            return self.fields.get(word, set())
        return text.local.get(word) or self.globals.get(word, set())

    # What is done with it.

    def use(self, text: Text) -> None:
        """Adds to `seen`, of a macro's parameters to `seeing`, what a text may look into."""
        own = text.item.name if text.item else ""
        for i, word in enumerate(text.words):
            if i in text.at:
                if text.word(i + 1) == "=" and self.from_void(text, i + 2):
                    self.see(text, text.local[word])
            elif word == "&" and self.is_unary(text, i):
                end = forward(text, i + 1)
                if end > i + MOST_STEPS:
                    self.see_all(text)
                    continue
                inside = [self.meaning(text, k) for k in range(i + 1, end + 1)]
                given = any(
                    text.words[k] in text.parameters for k in range(i + 1, min(end + 1, len(text.words)))
                )
                if (given or any(inside)) and not self.harmless(text, i, end):
                    self.see(text, {each for found in inside for each in found})
                    if given:
                        self.seeing.add(own)
            elif word in text.parameters and text.word(i - 1) not in (".", "->", "struct"):
                pasted = "##" in (text.word(i - 1), text.word(i + 1)) or text.word(i - 1) == "#"
                if not pasted and not self.fine(text, i, set()):
                    self.seeing.add(own)
            elif (found := self.meaning(text, i)) and not self.fine(text, i, found):
                self.see(text, found)

    def see_all(self, text: Text) -> None:
        """Adds to `seen` whatever a text has, which is longer than is looked at, may speak of."""
        for names in (text.local, self.fields, self.globals):
            for found in names.values():
                self.see(text, found)
        if text.item:
            self.seeing.add(text.item.name)

    def see(self, text: Text, found: Iterable[Declared]) -> None:
        self.seen |= {each.key for each in found}

    def fine(self, text: Text, i: int, found: set[Declared]) -> bool:
        """Whether what is done with the name at an index is certain not to see a layout."""
        if text.word(i - 1) == "." and text.word(i - 2) in ("{", ","):
            return True  # a designator
        kinds = {each.kind for each in found}
        end = i
        if text.word(end + 1) == "[" and kinds and kinds <= {"array", "pointers"}:
            end = text.partner.get(end + 1, len(text.words))
            kinds = {"value" if kind == "array" else "pointer" for kind in kinds}
        if text.word(end + 1) == "(" and text.word(i) not in text.parameters:
            end = text.partner.get(end + 1, len(text.words))
        if text.word(end + 1) in ("->", "."):
            return True
        start = backward(text, i)
        if text.word(start - 1) == "&" and self.is_unary(text, start - 1):
            return True  # looked at as a whole
        if text.word(start - 1) == "*" and kinds == {"pointers"} and end == i:
            start -= 1
        return "value" not in kinds and self.harmless(text, start, end)

    def harmless(self, text: Text, start: int, end: int) -> bool:
        """Whether a pointer, which is between two indices, is only passed on, compared or assigned."""
        for _ in range(MOST_STEPS):
            before, after = text.word(start - 1), text.word(end + 1)
            if start < 0:
                return False
            if after == "->":
                return True
            if before == ")" and text.word(text.partner.get(start - 1, 0) - 1) in CONDITIONS:
                before = ";"
            if before not in BEFORE or after not in AFTER:
                return False
            if before == "=" and not self.is_pointer(text, start - 2):
                return False
            if after == "=" and self.from_void(text, end + 2):
                return False
            if before == "return" and text.item and text.item.name in self.voids:
                return False
            if before in TRUTH or before == "!" or after in TRUTH or after == "?":
                return True
            opening = text.around[start] if start < len(text.around) else -1
            if opening < 0:
                return True  # of a macro that gives it: the macro's name stands for it
            if text.words[opening] == "{":
                if not (after == ";" and text.word(end + 2) == "}" and text.word(end + 3) == ")"):
                    return True
                start, end = text.partner.get(end + 3, 0), end + 3  # what a statement expression gives
                continue
            if text.words[opening] == "[":
                return False
            called = text.word(opening - 1)
            if called in CONDITIONS:
                return True
            closing = text.partner.get(opening, len(text.words))
            if SEEING.fullmatch(called) or FIELD_MACRO.fullmatch(called) or called in self.seeing:
                return False
            if text.is_name(opening - 1):
                if called not in self.macros and called not in self.shims:
                    return True
                start, end = backward(text, opening - 1), closing  # a macro may give what it was given
                continue
            start, end = opening, closing
        return False

    def is_pointer(self, text: Text, i: int) -> bool:
        """Whether what is assigned to, which ends at an index, is known to point to a record."""
        if text.word(i) == "]":
            i = text.partner.get(i, 0) - 1
        return bool(self.meaning(text, i)) and not self.is_void(text, i)

    def is_void(self, text: Text, i: int) -> bool:
        word = text.word(i)
        if text.word(i - 1) in (".", "->"):
            return word in self.voids
        return word in text.voids or (word in self.voids and word not in text.local)

    def from_void(self, text: Text, i: int) -> bool:
        """Whether what is assigned, from an index on, may be a pointer to anything."""
        if not text.anything:
            last = False
            text.anything = [False] * (len(text.words) + 2)
            for k in range(len(text.words) - 1, -1, -1):
                bare = self.is_void(text, k) and text.word(k + 1) not in ("->", ".")
                last = text.words[k] not in (";", "}") and (last or bare)
                text.anything[k] = last
        return text.anything[min(i, len(text.words))]

    def is_unary(self, text: Text, i: int) -> bool:
        """Whether the operator at an index has nothing before it but what a cast says."""
        before = text.word(i - 1)
        if before == ")":
            return is_cast(text, i - 1)
        return not (before and re.match(r"[\w\]\"']", before)) or before == "return"


def is_cast(text: Text, closing: int) -> bool:
    """Whether parentheses hold a type."""
    opening = text.partner.get(closing, -1)
    inner = text.words[opening + 1 : closing]
    called = text.is_name(opening - 1) or text.word(opening - 1) in CONDITIONS
    return bool(inner) and not called and (inner[-1] == "*" or all(map(SCALAR.fullmatch, inner)))


def backward(text: Text, i: int) -> int:
    """Where the chain of fields, calls and indices begins that ends with the name at an index; -1 if far."""
    last = i
    while text.word(i - 1) in (".", "->"):
        i -= 2
        if i < last - MOST_STEPS:
            return -1
        while text.word(i) in (")", "]"):
            i = text.partner.get(i, 0)
            if text.is_name(i - 1) or text.word(i - 1) in (")", "]"):
                i -= 1
            elif i <= 0:
                return 0
            else:
                break
        if i <= 0:
            return 0
    return i


def forward(text: Text, i: int) -> int:
    """Where the chain of fields, calls and indices ends that begins at an index."""
    end = text.partner.get(i, i) if text.word(i) == "(" else i
    while text.word(end + 1) in ("->", ".", "[", "("):
        end = text.partner.get(end + 1, len(text.words)) if text.word(end + 1) in "[(" else end + 2
    return end


def said_by(item: Item) -> str:
    """What is compiled of an item; of a macro what it stands for."""
    return macro_parts(strip_comments(item.text))[1] if item.kind == "macro" else item.expansion or item.text


def tags(words: Sequence[str]) -> Iterator[str]:
    """The records that are named."""
    for word, after in pairwise(words):
        if word in RECORDS and NAME.match(after):
            yield f"{word} {after}"
