# SPDX-License-Identifier: GPL-2.0-only
"""The slice that some entry points need of a kernel tree: small enough for a person to read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from itertools import pairwise

from extractor.cast import C_KEYWORDS, facts, macro_parts, strip_comments, tokens
from extractor.cut_records import cut_record, overlaid, touched_fields
from extractor.errors import ExtractError
from extractor.items import Item
from extractor.layout import seen_layouts
from extractor.slice import Slice, Unresolved, refuse_unsafe
from extractor.unit import WITH_ARGUMENTS, Unit, names_of

TAG = re.compile(r"\b(struct|union)\s+(\w+)")
TAGGED = re.compile(r"\s*typedef\s+(?:struct|union)\s+\w+\s*\{")
NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Shims:
    """What the shims define: each name with its header, and the macros among them that take arguments."""

    headers: Mapping[str, str]
    macros: Set[str] = frozenset()
    records: Mapping[str, Set[str]] = field(default_factory=dict)  # of a tree, that a shim goes through
    replaced: tuple[str, ...] = ()  # headers in whose place the tree's own are

    def without(self, names: Iterable[str]) -> Shims:
        """These, but for the headers called so, whose place the tree's own take."""
        left = {*names, *self.replaced}
        kept = {name: header for name, header in self.headers.items() if header not in left}
        return replace(self, headers=kept, replaced=tuple(sorted(left)))


@dataclass
class Closure:
    """Follows names from entry points through a unit; shims come first, then the unit, then nothing."""

    unit: Unit
    shims: Shims
    given: Set[str] = frozenset()
    whole: Set[str] = frozenset()  # records that stay as they are
    chosen: dict[int, Item] = field(default_factory=dict)
    needs: dict[str, frozenset[str]] = field(default_factory=dict)
    outside: dict[str, Unresolved] = field(default_factory=dict)
    unknown: dict[str, Unresolved] = field(default_factory=dict)
    unresolved: list[Unresolved] = field(default_factory=list)
    beyond: dict[str, Item] = field(default_factory=dict)
    records: dict[str, Item] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    followed: set[str] = field(default_factory=set)  # fields whose pointers are gone through
    embedded: set[str] = field(default_factory=set)  # records that others hold by value
    named: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by each record, what it defines
    contract: str = ""  # C that is not the tree's

    def __post_init__(self) -> None:
        self.fields_in = self.unit.macros | self.shims.macros

    def slice(self, text: str, entries: Iterable[str] = ()) -> Slice:
        """What C `text` and the names `entries` need."""
        self.contract = plain = strip_comments(text)
        self.touched |= touched_fields(plain, self.fields_in)
        self.followed |= followed_names(plain)
        tags = {" ".join(match) for match in re.findall(r"\b(struct|union|enum)\s+(\w+)", plain)}
        words = set(re.findall(r"[A-Za-z_]\w*", re.sub(r"(?:->|\.)\s*[A-Za-z_]\w*", "", plain)))
        wanted = {*tags, *words, *entries} - C_KEYWORDS
        self.follow([name for name in sorted(wanted) if self.known(name)], None)
        return self.close()

    def add(self, found: Mapping[str, Set[str]]) -> Slice:
        """The slice, where items also need names that their own text does not say: macros paste them."""
        users = {item.name: item for item in (*self.chosen.values(), *self.records.values())}
        for user, names in found.items():
            self.needs[user] = self.needs.get(user, frozenset()) | names
            self.touched |= names
            self.follow([name for name in sorted(names) if self.known(name)], users.get(user))
        return self.close()

    def close(self) -> Slice:
        """The slice of all that was followed."""
        cut = self.cut_records()
        assertions = self.assertions(cut.values())
        items = [cut.get(id(item), item) for item in self.chosen.values()]
        items = [item for item in items if item.kind != "record" or not self.empty(item)]
        ahead = [self.unit.announced[i.name] for i in items if i.kind == "function" and self.is_ahead(i)]
        items += [*assertions, *ahead, *{id(item): item for item in self.beyond.values()}.values()]
        items.sort(key=self.unit.place)
        return Slice(
            tuple(items), (), (), self.outside, self.needs, tuple(self.unresolved), unit=True,
            beyond=dict(sorted(self.beyond.items())),
            shims=tuple(sorted({self.shims.headers[n] for n in self.outside if n in self.shims.headers})),
            tags=self.forward(items), options=self.unit.options, unknown=self.unknown,
            replaced=self.shims.replaced,
        )  # fmt: skip

    def is_ahead(self, function: Item) -> bool:
        """Whether a static function is declared before it is defined, as those are that others call first."""
        before = self.unit.announced.get(function.name)
        return before is not None and self.unit.place(before) < self.unit.place(function)

    def forward(self, items: Iterable[Item]) -> tuple[str, ...]:
        """The records that must be declared before anything mentions them."""
        found: set[str] = set()
        for item in items:
            said = strip_comments(item.expansion or item.text)
            found |= {" ".join(match) for match in TAG.findall(said)}
        return tuple(sorted(found - self.shims.headers.keys()))

    def empty(self, record: Item) -> bool:
        """Whether nothing of a record is used but pointers to it."""
        text = strip_comments(record.text)
        body = text[text.find("{") + 1 : text.rfind("}")]
        return not body.strip() and record.name not in self.embedded

    def known(self, name: str) -> bool:
        """Whether a word of a contract's C is a name of the tree or of a shim."""
        return name in self.shims.headers or name in self.unit.defined or name in self.unit.declared

    def follow(self, names: Iterable[str], user: Item | None) -> None:
        """Takes in what defines `names`, and what that needs; records wait until all else is known."""
        todo = [(name, user) for name in names]
        while todo:
            name, user = todo.pop()
            if name in self.given or name.startswith(("CONFIG_", "__builtin_")):
                continue
            if name in self.shims.headers:
                if name not in self.outside:
                    self.outside[name] = self.use(name, user, f"<{self.shims.headers[name]}>")
                    todo += [(tag, user) for tag in sorted(self.shims.records.get(name, ()))]
                continue
            items = self.unit.defined.get(name, ())
            if not items and (other := self.renamed(name)):
                todo += [(name.partition(" ")[2], user), (other, user)]
            elif not items:
                todo += self.missing(name, user)
            for item in items:
                if item.name in self.shims.headers:  # struct raw_spinlock of what a shim calls raw_spinlock_t
                    todo.append((item.name, user))
                    continue
                if id(item) in self.chosen or key_of(item) in self.records:
                    continue
                if reason := unsafe(item):
                    self.unresolved.append(Unresolved("", item.name, item.file, item.line, reason))
                    self.needs.setdefault(item.name, frozenset())
                    continue
                if item.kind == "record" or is_record_typedef(item):
                    self.records[key_of(item)] = item
                    continue
                self.chosen[id(item)] = item
                said = self.said(item)
                self.needs[item.name] = self.needs.get(item.name, frozenset()) | said
                self.touched |= touched_fields(item.expansion or item.text, self.fields_in)
                self.followed |= followed_names(item.expansion or item.text)
                self.embedded |= record_uses(item.expansion or item.text, self.followed)[1]
                todo += [(other, item) for other in sorted(said)]
                if item.kind in ("typedef", "variable") and "{" in item.text:
                    self.touched |= set(re.findall(r"\w+", item.text))  # what it holds is kept whole
                if item.expansion and item.kind == "function":  # the call makes its other functions as well
                    todo += [(other, item) for other in self.together(item)]

    def renamed(self, name: str) -> str:
        """The record that `struct name` is where `name` is a macro, as radix_tree_root is; "" where not."""
        word, _, tag = name.partition(" ")
        macros = [item for item in self.unit.defined.get(tag, ()) if item.kind == "macro"] if tag else []
        body = macro_parts(strip_comments(macros[-1].text))[1].split() if macros else []
        return f"{word} {body[0]}" if len(body) == 1 else ""

    def said(self, item: Item) -> frozenset[str]:
        """The names that an item needs; where macros make it, what is compiled is their call."""
        names = facts(item).names
        if item.kind in ("function", "macro") and not item.expansion:
            return names
        # In a record the name of a field, or what stands behind its end, may be a macro's.
        text = strip_comments(item.text)
        return names | {word for word in expanding(item.text) if self.expands(word, text)}

    def expands(self, word: str, text: str) -> bool:
        """Whether `word` is a macro that expands in `text`: one with arguments where it has some."""
        own = [item for item in self.unit.defined.get(word, ()) if item.kind == "macro"]
        plain = any(not WITH_ARGUMENTS.match(item.text) for item in own)
        takes = bool(own) or word in self.shims.macros
        return plain or (takes and bool(re.search(rf"\b{word}\s*\(", text)))

    def together(self, item: Item) -> list[str]:
        """The functions that a macro call generates beside `item`."""
        return [other for other in self.unit.calls[item.file, item.line] if other != item.name]

    def missing(self, name: str, user: Item | None) -> list[tuple[str, Item | None]]:
        """What is needed by a name that nothing defines: declared for another file, or unknown."""
        if name not in self.unit.declared:
            self.unknown.setdefault(name, self.use(name, user, "neither the tree nor a shim has it"))
            return []
        self.beyond[name] = item = self.unit.declared[name]
        if name in self.needs:
            return []
        self.needs[name] = said = frozenset(facts(item).names)
        return [(other, item) for other in sorted(said - {name}) if self.known(other)]

    def use(self, name: str, user: Item | None, reason: str) -> Unresolved:
        """Where a name is used first."""
        if user is None:
            return Unresolved(name, "the contract", "", 0, reason)
        return Unresolved(name, user.name, user.file, facts(user).lines.get(name, user.line), reason)

    def cut_records(self) -> dict[int, Item]:
        """The records, cut to what is touched where nobody can see that; they may need further ones."""
        done: dict[str, tuple[Item, Item]] = {}
        seen: dict[str, tuple[object, ...]] = {}
        size: tuple[int, ...] = ()
        while size != self.size():
            while size != self.size():
                size = self.size()
                for item in [*self.records.values()]:
                    self.cut_one(item, done, seen)
            said = [*self.chosen.values(), *self.beyond.values(), *(cut for _, cut in done.values())]
            self.whole = self.whole | seen_layouts(said, self.contract, self.shims.macros)
        for item, _ in done.values():
            self.chosen[id(item)] = item
        return {id(item): cut for item, cut in done.values()}

    def cut_one(
        self, item: Item, done: dict[str, tuple[Item, Item]], seen: dict[str, tuple[object, ...]]
    ) -> None:
        """Cuts one record anew, and follows what it needs, where that is not as it was."""
        name = key_of(item)
        names = self.named.get(name) or self.named.setdefault(name, names_of(item))
        whole = any(n in self.whole or n in self.unit.asserted for n in names)
        key = whole, len(self.touched), len(self.followed)
        if seen.get(name) == key:
            return
        seen[name] = key
        cut = item if whole else cut_record(item, self.touched)
        done[name] = item, cut
        pointers, values = record_uses(body_of(cut), self.followed)
        values |= {other for name in values if (other := self.renamed(name))}
        self.embedded |= values
        self.whole = self.whole | (values if whole else record_uses(overlaid(cut), self.followed)[1])
        said = self.said(cut) - pointers
        self.needs[item.name] = self.needs.get(item.name, frozenset()) | said
        self.follow(sorted(said), cut)

    def size(self) -> tuple[int, ...]:
        """How much is known so far."""
        return len(self.records), len(self.touched), len(self.chosen), len(self.followed), len(self.whole)

    def assertions(self, records: Iterable[Item]) -> list[Item]:
        """The tree's own assertions about records that are here whole: a check of the slicing itself."""
        here = {item.name for item in records if item.name in self.unit.asserted}
        found = []
        for item in self.unit.assertions:
            named = {" ".join(match) for match in TAG.findall(item.expansion)}
            if named and named <= here:
                found.append(item)
                words = frozenset(re.findall(r"[A-Za-z_]\w*", item.text))
                self.follow([w for w in sorted(words) if w in self.unit.defined
                             and self.unit.defined[w][0].kind == "macro"], item)  # fmt: skip
        return found


def expanding(text: str) -> Iterator[str]:
    """The words of `text` that are expanded where they are macros, but for those behind struct and ->."""
    before = ""
    for word, _ in tokens(strip_comments(text)):
        if (word[0].isalpha() or word[0] == "_") and before not in ("struct", "union", "enum", ".", "->"):
            yield word
        before = word


def key_of(record: Item) -> str:
    """A record's name, or its place where it has none."""
    return record.name if " " in record.name else record.where


def followed_names(text: str) -> set[str]:
    """The names of pointers that C goes through (p->, p[), or may: as a macro its argument."""
    words = [*(word for word, _ in tokens(strip_comments(text))), "", ""]
    found: set[str] = set()
    for at, word in enumerate(words[:-2]):
        after = words[at + 1]
        through = after in ("->", "[") or (after == ")" and words[at + 2] == "->")
        given = at > 0 and words[at - 1] in (".", "->") and after in (",", ")")
        if (through or given) and NAME.match(word):
            found.add(word)
    return found


def is_record_typedef(item: Item) -> bool:
    """A typedef that defines a struct or union with a tag, as that of pg_data_t does."""
    return item.kind == "typedef" and bool(TAGGED.match(strip_comments(item.text)))


def body_of(record: Item) -> str:
    """What stands in a record."""
    text = strip_comments(record.text)
    return text[text.find("{") + 1 :]


def record_uses(text: str, followed: Set[str]) -> tuple[set[str], set[str]]:
    """The tags of which C holds only pointers that nobody goes through, and those that it holds itself."""
    pointers: set[str] = set()
    needed: set[str] = set()
    values: set[str] = set()
    words = [word for word, _ in tokens(strip_comments(text))]
    for at, (kind, tag) in enumerate(pairwise(words)):
        if kind not in ("struct", "union") or not NAME.match(tag):
            continue
        rest = [word for word in words[at + 2 : at + 12] if not (word == "const" or word.startswith("__"))]
        name = next((word for word in rest if word != "*"), "")
        if rest[:1] != ["*"]:
            values.add(f"{kind} {tag}")
        elif name not in followed:
            pointers.add(f"{kind} {tag}")
            continue
        needed.add(f"{kind} {tag}")
    return pointers - needed, values


def unsafe(item: Item) -> str:
    """Why an item must not be compiled; empty where it may. What a patch adds is refused aloud."""
    if item.origin == "added":
        refuse_unsafe(item)
        return ""
    try:
        refuse_unsafe(item)
    except ExtractError as err:
        return f"{err.message.partition(' uses ')[2] or err.message}; it needs a shim"
    return ""
