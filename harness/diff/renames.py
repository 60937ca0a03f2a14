# SPDX-License-Identifier: GPL-2.0-only
"""Which names of one revision another has under other names, as the bodies of functions say.

A rename is one to one, of a name that the other revision has nowhere to one that this one has nowhere,
and nothing speaks against it. Whatever is not certain is none.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from extractor.scan import negation
from harness.diff.things import Thing
from harness.diff.words import Pairs, Symbol, align

Key = tuple[str, str, str]
Table = Mapping[Key, Sequence[Thing]]
ENOUGH = 10  # tokens of a body that say something by themselves
MOST = 36  # pairs that are tried of what has the same shape
ROUNDS = 8
ALIKE = 0.9  # of two bodies, the share of pairs of tokens that both have
LONG = 20  # tokens of a body that may differ and still be known again
FEW = 8  # functions of one signature


@dataclass
class Renames:
    """The names that are known to be renamed so far; `old` and `new` are what there is, by key.

    `gone` are names of OLD's own that NEW does not have, `come` those that NEW has and OLD does not.
    """

    old: Table
    new: Table
    names: dict[Symbol, str] = field(default_factory=dict)
    back: dict[Symbol, str] = field(default_factory=dict)
    tried: dict[tuple[int, int], Pairs | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        old = [thing for found in self.old.values() for thing in found]
        new = [thing for found in self.new.values() for thing in found]
        there, here = names_of(new), names_of(old)
        # A tree's other files say nothing of whether a name is still in use.
        there |= used(thing for thing in new if thing.ours)
        here |= used(thing for thing in old if thing.ours)
        self.gone = {thing.symbol for thing in old if thing.ours and thing.symbol not in there}
        self.come = {thing.symbol for thing in new if not thing.partial and thing.symbol not in here}
        # Where one of the two is open (a tree), what is alike there need not be what was renamed.
        self.theirs = {thing.symbol for thing in old if thing.ours} | {t.symbol for t in new if t.ours}
        self.first_old = {t.symbol: t for t in reversed(old)}
        self.first_new = {t.symbol: t for t in reversed(new)}

    def pairs(self, old: Thing, new: Thing) -> Pairs | None:
        """The names that differ between two things that are otherwise alike; None where they are not."""
        key = id(old), id(new)
        if key not in self.tried:
            self.tried[key] = self._pairs(old, new)
        return self.tried[key]

    def _pairs(self, old: Thing, new: Thing) -> Pairs | None:
        if old.kind != new.kind:
            return None
        left, right = old.form, new.form
        found = align((*left.head, *left.body), (*right.head, *right.body))
        if found is None:
            return None
        known = {a: b for a, b in found.items() if a.space != "local" and a != b}
        known |= self.under(old, new)
        return known if all(a in self.gone and b in self.come and self.fits(a, b)
                            for a, b in known.items()) else None  # fmt: skip

    def under(self, old: Thing, new: Thing) -> Pairs:
        """The names that differ in the presence conditions of two things."""
        found = align(old.under.words, new.under.words) or {}
        return {a: b for a, b in found.items() if a != b and a in self.gone and b in self.come}

    def fits(self, a: Symbol, b: Symbol) -> bool:
        """Whether what is called `a` can be what is called `b`."""
        old, new = self.first_old[a], self.first_new[b]
        if old.kind != new.kind:
            return False
        if old.kind in ("field", "variable", "typedef"):  # of the same type
            found = align(old.form.words, new.form.words)
            return found is not None and all(x == y or x in self.gone for x, y in found.items())
        return True

    def agrees(self, pairs: Pairs) -> bool:
        """Whether nothing that is known speaks against `pairs`."""
        return all(self.names.get(a, b.text) == b.text and self.back.get(b, a.text) == a.text
                   for a, b in pairs.items())  # fmt: skip

    def learn(self, found: Iterable[Pairs]) -> bool:
        """Takes over what all of `found` agree on; True where any of it is new."""
        there: dict[Symbol, set[Symbol]] = {}
        back: dict[Symbol, set[Symbol]] = {}
        for pairs in found:
            if self.agrees(pairs):
                for a, b in pairs.items():
                    there.setdefault(a, set()).add(b)
                    back.setdefault(b, set()).add(a)
        learnt = False
        for a, others in there.items():
            b = next(iter(others))
            if len(others) == 1 and len(back[b]) == 1 and a not in self.names:
                self.names[a], self.back[b] = b.text, a.text
                learnt = True
        return learnt

    def telling(self, old: Thing, new: Thing) -> bool:
        """Whether it says anything that two things have the same shape: one-liners often have."""
        if old.kind not in ("function", "record", "macro"):
            return False
        body = old.form.body
        anchors = {w for w in body if w.space not in ("", "local")} & set(new.form.body)
        open_ended = not (old.ours and new.ours)
        enough = len(body) >= (2 if open_ended else 1) * ENOUGH
        return len(body) > 4 and (enough or (bool(anchors) and not open_ended))


def names_of(found: Iterable[Thing]) -> set[Symbol]:
    """The names that things have."""
    return {thing.symbol for thing in found}


def used(found: Iterable[Thing]) -> set[Symbol]:
    """The names that things use, beside their own."""
    return {symbol for thing in found for symbol in thing.form.symbols | thing.under.symbols}


def find_renames(old: Table, new: Table) -> dict[Symbol, str]:
    """The names of `old` that `new` has under others."""
    known = Renames(old, new)
    if not known.gone or not known.come:
        return {}
    same = [(a, b) for key in old if key in new for a, b in zip_variants(old[key], new[key])]
    fixed = [pairs for a, b in same if (pairs := known.pairs(a, b))]
    fixed += [pairs for a, b in same if (pairs := known.under(a, b))]
    buckets = [both for both in shapes(known) if both[0] and both[1]]
    for _ in range(ROUNDS):
        sure = [pairs for lefts, rights in buckets for pairs in certain(known, lefts, rights)]
        if not known.learn([*fixed, *sure]):
            break
    for lefts, rights in buckets:
        # Nothing tells them apart: then their order does, where each has one.
        left = [a for a in lefts if a.symbol not in known.names]
        right = [b for b in rights if b.symbol not in known.back]
        if len(left) == len(right) > 1 and len(left) < MOST:
            found = [known.pairs(a, b) for a, b in zip(left, right, strict=True) if known.telling(a, b)]
            whole = [pairs for pairs in found if pairs]
            if len(whole) == len(left) and all(map(known.agrees, whole)):
                known.learn(whole)
                known.learn(p for x, y in buckets for p in certain(known, x, y))
    known.learn(near(known))
    return known.names


def as_it_is(text: str) -> str:
    """A condition under the names that it has."""
    return text


def zip_variants(
    old: Sequence[Thing], new: Sequence[Thing], now: Callable[[str], str] = as_it_is
) -> Iterator[tuple[Thing, Thing]]:
    """The things of one name, in pairs: those of one file under one condition, then as they come.

    `now` gives a condition of OLD the names of NEW.
    """
    conditions = {id(a): tuple(map(now, a.condition)) for a in old[:FEW]}
    left, right = list(old[:FEW]), list(new[:FEW])
    for conditioned, kind, file in VARIANTS:
        for a in list(left):
            for b in right:
                theirs = conditions[id(a)], b.condition
                if (
                    (within(*theirs) if conditioned else not opposed(*theirs))
                    and (not kind or a.kind == b.kind)
                    and (not file or a.item.file == b.item.file)
                ):
                    yield a, b
                    left.remove(a)
                    right.remove(b)
                    break


# Whether condition, kind and file have to be the same; from what says most to what says least.
VARIANTS = ((True, True, True), (True, True, False), (True, False, False), (False, True, True),
            (False, True, False), (False, False, False))  # fmt: skip


def within(one: tuple[str, ...], two: tuple[str, ...]) -> bool:
    """Whether two conditions are the same, as far as a hunk shows both."""
    short, long = sorted((one, two), key=len)
    return one == two or (bool(short) and long[-len(short) :] == short)


def opposed(one: tuple[str, ...], two: tuple[str, ...]) -> bool:
    """Whether two conditions never hold together."""
    return any(negation(text) in two for text in one)


def shapes(known: Renames) -> list[tuple[list[Thing], list[Thing]]]:
    """The things without a counterpart, those of one shape together."""
    table: dict[object, tuple[list[Thing], list[Thing]]] = {}
    for side, found, names in ((0, known.old, known.gone), (1, known.new, known.come)):
        for each in found.values():
            for thing in each:
                if thing.symbol in names and thing.kind in ("function", "macro", "record"):
                    key = thing.kind, thing.form.shape
                    table.setdefault(key, ([], []))[side].append(thing)
    return list(table.values())


def certain(known: Renames, lefts: Sequence[Thing], rights: Sequence[Thing]) -> Iterator[Pairs]:
    """Of things of one shape, the pairs that alone are possible."""
    if len(lefts) * len(rights) > MOST:
        return
    fits = [
        (a, b, pairs) for a in lefts for b in rights if (pairs := known.pairs(a, b)) and known.agrees(pairs)
    ]
    for a, b, pairs in fits:
        alone = sum(x is a for x, _, _ in fits) == sum(y is b for _, y, _ in fits) == 1
        others = [symbol for symbol in pairs if symbol != a.symbol]
        follows = bool(others) and all(symbol in known.names for symbol in others)
        if alone and (follows or known.telling(a, b) or a.symbol in known.names):
            yield pairs


def near(known: Renames) -> Iterator[Pairs]:
    """Functions that have another name and nearly the same body."""
    table: dict[object, tuple[list[Thing], list[Thing]]] = {}
    for side, found in ((0, known.old), (1, known.new)):
        for each in found.values():
            for thing in each:
                done = known.names if side == 0 else known.back
                names = known.gone if side == 0 else known.come
                if thing.kind == "function" and thing.symbol in names and thing.symbol not in done:
                    table.setdefault(head_of(known, thing, side), ([], []))[side].append(thing)
    for lefts, rights in table.values():
        if not lefts or not rights or len(lefts) > FEW or len(rights) > FEW:
            continue
        left = [(a, turns(known, a, 0)) for a in lefts if len(a.form.body) >= LONG]
        right = [(b, turns(known, b, 1)) for b in rights if len(b.form.body) >= LONG]
        fits = [(a, b) for a, one in left for b, two in right if likeness(one, two) >= ALIKE]
        for a, b in fits:
            if sum(x is a for x, _ in fits) == sum(y is b for _, y in fits) == 1:
                yield {a.symbol: b.symbol}


def plain(known: Renames, thing: Thing, side: int, word: Symbol) -> str:
    """A word as both revisions have it: local names and names without a counterpart say nothing."""
    if word.space == "local":
        return "$"
    if word == thing.symbol:
        return "@"
    if side == 0:
        return known.names.get(word, "?" if word in known.gone else word.text)
    return "?" if word in known.come and word not in known.back else word.text


def head_of(known: Renames, thing: Thing, side: int) -> tuple[str, ...]:
    """A function's types."""
    return tuple(plain(known, thing, side, word) for word in thing.form.head)


def turns(known: Renames, thing: Thing, side: int) -> Counter[tuple[str, str]]:
    """Each two tokens that follow each other in a body."""
    words = [plain(known, thing, side, word) for word in thing.form.body]
    return Counter(itertools.pairwise(words))


def likeness(one: Counter[tuple[str, str]], two: Counter[tuple[str, str]]) -> float:
    """The share of what both have, from 0 to 1."""
    return 2 * (one & two).total() / max(1, one.total() + two.total())
