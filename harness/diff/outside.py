# SPDX-License-Identifier: GPL-2.0-only
"""What is used and not compared itself, of two different trees: what is the same in both, and what not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from extractor.cast import ANNOTATIONS, KNOWN_TYPES
from extractor.items import Item
from harness.diff.things import Thing, things_of
from harness.diff.words import Symbol, code_words

if TYPE_CHECKING:
    from extractor.unit import Unit
    from harness.tree.items import PatchedTree

MOST = 3_000  # definitions that are followed; what is behind them is not known
# What is the compiler's, and options, which one configuration sets for both.
GIVEN = re.compile(r"(?:__builtin_|CONFIG_)\w+|__(?:VA_ARGS|func|FILE|LINE|COUNTER|FUNCTION)__|NULL|defined"
                   r"|asm|__asm__|__volatile__|__typeof__|__auto_type|true|false")  # fmt: skip


def beyond(found: Sequence[Thing], old: PatchedTree, new: PatchedTree) -> tuple[list[Thing], set[Symbol]]:
    """What `found` uses that is not among it and that is the same in both trees, and the names of the rest.

    Only what a tree's unit has is known, in one configuration: not what is in files of C, nor what a tree
    has of which no unit is read.
    """
    units = [next(iter(tree.units.values()))[0] if tree.units else None for tree in (old, new)]
    seen = {thing.symbol for thing in found}
    more: list[Thing] = []
    unlike: set[Symbol] = set()
    todo = [symbol for thing in found for symbol in uses(thing)]
    while todo:
        symbol = todo.pop()
        if symbol in seen:
            continue
        seen.add(symbol)
        left, right = (definitions(unit, symbol) for unit in units)
        if not left or len(more) > MOST or texts(left) != texts(right):
            unlike.add(symbol)
            continue
        for item in left:
            things = list(things_of(item, False))
            # Of an enum, the constant; of a record, its tag.
            named = [thing for thing in things if thing.symbol == symbol] or things[:1]
            more += named
            todo += [used for thing in named for used in uses(thing)]
    return more, unlike


def uses(thing: Thing) -> Iterator[Symbol]:
    """The names that have to be known of a thing; a field is its record's."""
    for symbol in thing.form.symbols:
        given = symbol.text in KNOWN_TYPES or GIVEN.fullmatch(symbol.text)
        if symbol.space in ("name", "tag") and not given and not ANNOTATIONS.fullmatch(symbol.text):
            yield symbol


def definitions(unit: Unit | None, symbol: Symbol) -> tuple[Item, ...]:
    """What a unit has of a name."""
    if not unit:
        return ()
    if symbol.space != "tag":
        return unit.defined.get(symbol.text, ())
    kinds = (f"{kind} {symbol.text}" for kind in ("struct", "union", "enum"))
    return next((found for name in kinds if (found := unit.defined.get(name, ()))), ())


def texts(items: Sequence[Item]) -> list[tuple[str, ...]]:
    """The tokens of each."""
    return [code_words(item.expansion or item.text) for item in items]
