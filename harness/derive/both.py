# SPDX-License-Identifier: GPL-2.0-only
"""Contracts for the same functions of two revisions: one world, the same calls, as far as both have them."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from extractor.items import Item
from harness.derive.derive import (
    Derived,
    Needs,
    Usable,
    bounds_of,
    clustered,
    config_of,
    fits,
    settings_of_all,
    title_of,
    usable,
    within_room,
)
from harness.derive.domains import Call, both_domains, call_of, is_inlined
from harness.derive.functions import options_of_all
from harness.derive.text import Parts, contract_text
from harness.derive.types import Function
from harness.derive.world import Key, Leaf, Said, World, free_name, overlaid, said_by, world_of
from harness.errors import HarnessError
from harness.validate import MOST_VALUES

READERS = 4  # of one contract
Name = tuple[str, ...]  # a key in OLD's names: a record, then members


@dataclass(frozen=True)
class Renames:
    """NEW's name for OLD's: of functions, of records with `struct `, and of fields by OLD's record."""

    names: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def olds(self, key: Key) -> Name:
        """NEW's key in OLD's names."""
        records = {new: old for old, new in self.names.items()}
        fields = {(record, new): old for (record, old), new in self.fields.items()}
        return tuple(
            fields.get((records.get(owner, owner), word), word) if owner else records.get(word, word)
            for owner, word in key
        )

    def under_both(self, said: Said) -> Said:
        """What is said, with what the other revision calls the same."""
        fields = {old: new for (_, old), new in self.fields.items()}
        return Said(
            frozenset(either(said.fields, fields)),
            frozenset(either(said.through, fields)),
            frozenset(either(said.records, self.names)),
            frozenset(either(said.objects, self.names)),
        )


def either(names: frozenset[str], renames: Mapping[str, str]) -> set[str]:
    """Names, and what each is renamed to or from."""
    return {*names, *(new for old, new in renames.items() if old in names),
            *(old for old, new in renames.items() if new in names)}  # fmt: skip


@dataclass(frozen=True)
class Both:
    """Contracts of two revisions in pairs, why there is none of some functions, and what was compiled."""

    pairs: tuple[tuple[Derived, Derived], ...]
    left_out: tuple[str, ...]
    compiled: tuple[Sequence[Item], Sequence[Item]] = ((), ())


@dataclass(frozen=True)
class Revisions:
    """The same functions of two revisions, compiled."""

    old: Usable
    new: Usable
    renames: Renames

    @property
    def both(self) -> tuple[Usable, Usable]:
        """OLD and NEW."""
        return self.old, self.new

    def functions(self, names: Sequence[str]) -> tuple[list[Function], list[Function]]:
        """Functions by OLD's names, of each revision."""
        left, right = (side.made.types.functions for side in self.both)
        return [left[name] for name in names], [right[self.renames.names.get(name, name)] for name in names]

    def key(self, number: int, key: Key) -> Name:
        """A key of one revision in OLD's names."""
        return self.renames.olds(key) if number else tuple(word for _, word in key)

    def worlds(self, names: Sequence[str]) -> tuple[World, World]:
        """The worlds of some functions: objects and fields of what either revision speaks of."""
        sides = self.functions(names)
        said = Said()
        for functions, side in zip(sides, self.both, strict=True):
            mine = said_by(functions, side.words)
            views = overlaid(functions, side.made.types, mine).values()
            said |= replace(mine, records=mine.records | {view.tag for view in views})
        said = self.renames.under_both(said)
        for _ in range(2):  # what one has an object of may lead to an object in the other
            old, new = (world_of(functions, side.made.types, side.words, said)
                        for functions, side in zip(sides, self.both, strict=True))  # fmt: skip
            tags = {each.type.tag for world in (old, new) for each in world.objects if each.type is not None}
            said = self.renames.under_both(replace(said, objects=frozenset(tags - {""})))
        return old, new

    def needs(self, function: Function) -> Needs:
        """The records and fields of one function, by OLD's name, in both revisions."""
        records: set[Name] = set()
        fields: set[Name] = set()
        for number, world in enumerate(self.worlds([function.name])):
            records |= {self.key(number, each.key[:1]) for each in world.objects if each.type is not None}
            fields |= {self.key(number, leaf.key) for leaf in world.leaves}
        return {self.wholes.get(record, record) for record in records}, {*fields}

    @cached_property
    def wholes(self) -> dict[Name, Name]:
        """The record that another one is a view of, as a page is of a folio."""
        found: dict[Name, Name] = {}
        for number, side in enumerate(self.both):
            tags = {record.key: tag for tag, record in side.made.types.records.items()}
            for part, record in side.views.items():
                if part in tags:
                    key = self.key(number, (("", tags[part]),))
                    found.setdefault(key, self.key(number, (("", record.tag),)))
        return found


def derive_both(
    old: Sequence[Item],
    new: Sequence[Item],
    functions: Sequence[str],
    renames: Renames,
    config: Mapping[str, bool],
    readers: Sequence[str] = (),
) -> Both:
    """Contracts of `functions`, by OLD's names, for both revisions, in which the same has the same name.

    Where there is room, `readers` are called as well: what `functions` wrote may be read by them alone.
    """
    try:
        options = options_of_all((old, new), config)
    except HarnessError as err:
        return Both((), (f"functions that no contract covers: {err}",))
    found: list[Usable] = []
    lost: list[str] = []
    for which, items in (("OLD", old), ("NEW", new)):
        there, more = ([renames.names.get(name, name) if items is new else name for name in names]
                       for names in (functions, readers))  # fmt: skip
        try:
            found.append(usable_with(items, there, more, options))
            lost += [f"{n}: {why} ({which})" for n, why in found[-1].left_out.items() if n in there]
        except HarnessError as err:
            lost += [f"{name}: {err} ({which})" for name in there]
    if len(found) < 2:
        return Both((), tuple(lost))
    revisions = Revisions(found[0], found[1], renames)
    usable_there = {function.name for function in found[1].functions}
    shared = [f for f in found[0].functions if renames.names.get(f.name, f.name) in usable_there]
    clusters = clustered([f for f in shared if f.name not in readers], revisions.needs)
    pairs: list[tuple[Derived, Derived]] = []
    for cluster in clusters:
        names = [f.name for f in cluster.functions]
        further: list[str] = []
        for function in [f for f in shared if f.name in readers and f.returns.kind != "void"]:
            needs = revisions.needs(function)
            if len(further) < READERS and needs[0] & cluster.records and fits(cluster, needs):
                cluster.add(function, needs)
                further.append(function.name)
        pairs.append(contracts_of(revisions, names, further))
    lost += [f"{name}: {why}" for ours, _ in pairs for name, why in ours.left_out.items()]
    return Both(tuple(pairs), tuple(lost), (found[0].made.piece.items, found[1].made.piece.items))


def usable_with(
    items: Sequence[Item], functions: Sequence[str], readers: Sequence[str], options: dict[str, bool]
) -> Usable:
    """As usable(), without the readers where these are what does not compile."""
    try:
        return usable(items, [*functions, *readers], options)
    except HarnessError:
        if not readers:
            raise
        return usable(items, functions, options)


@dataclass(frozen=True)
class Plan:
    """What the contracts of both revisions are made of; values of `unlike` functions are not compared."""

    sides: tuple[list[Function], list[Function]]
    worlds: tuple[World, World]
    seen: list[dict[str, Leaf]]
    unseen: list[tuple[str, ...]]
    settings: dict[str, tuple[int, ...]]
    calls: tuple[tuple[Call, ...], tuple[Call, ...]]
    unlike: dict[str, str]

    @property
    def bounds(self) -> tuple[int, int]:
        """Settings and calls."""
        return bounds_of(self.settings, self.calls[0], (2, 3))


def plan_of(revisions: Revisions, names: Sequence[str]) -> Plan:
    """Contracts of some functions, by OLD's names, before they are written."""
    sides, worlds = revisions.functions(names), revisions.worlds(names)
    leaves = [{revisions.key(n, leaf.key): leaf for leaf in world.leaves} for n, world in enumerate(worlds)]
    for key in [key for key in leaves[0] if key in leaves[1]]:
        # What a pointer leads to and a number are not compared.
        if len({side[key].type.kind == "pointer" for side in leaves}) == 2:
            leaves[1][(*key, "new")] = leaves[1].pop(key)
    called = names_by_key([*leaves[0], *(key for key in leaves[1] if key not in leaves[0])])
    in_both = [key for key in leaves[0] if key in leaves[1]]
    seen = [observed(side, in_both, called) for side in leaves]
    unseen = [tuple(called[key] for key in leaves[n] if called[key] not in seen[n]) for n in (0, 1)]
    domains = [settings_of_all(mine, functions, side.words)
               for mine, functions, side in zip(seen, sides, revisions.both, strict=True)]  # fmt: skip
    settings = {name: tuple(dict.fromkeys((*values, *domains[1][name])))
                for name, values in domains[0].items() if name in domains[1]}  # fmt: skip
    calls = calls_of(revisions, sides, worlds)
    unlike = {ours.name: "what it returns, which is a pointer in one of both alone"
              for ours, theirs in zip(*calls, strict=True) if ours.leads != theirs.leads}  # fmt: skip
    calls = (blind(calls[0], unlike), blind(calls[1], unlike))
    return Plan(sides, worlds, seen, unseen, settings, calls, unlike)


def contracts_of(
    revisions: Revisions, names: Sequence[str], readers: Sequence[str]
) -> tuple[Derived, Derived]:
    """The two contracts of one cluster, and of the readers where these do not make it any shallower."""
    plan = plan_of(revisions, names)
    if readers and (wider := plan_of(revisions, [*names, *readers])).bounds == plan.bounds:
        plan = wider
    numbers = numbered(revisions, plan.worlds)
    old, new = (
        Derived("derived", contract_text(Parts(
            "derived", title_of(plan.sides[n], side), "two revisions", side.made.headers, config_of(side),
            plan.worlds[n], plan.seen[n], plan.settings, plan.calls[n], plan.bounds, {}, plan.unseen[n],
            numbers[n],
        )), tuple(f.name for f in plan.sides[n]), plan.unlike)
        for n, side in enumerate(revisions.both)
    )  # fmt: skip
    return old, new


def observed(
    leaves: Mapping[Name, Leaf], in_both: Sequence[Name], called: Mapping[Name, str]
) -> dict[str, Leaf]:
    """The fields of one revision for which there is room, those that both have before others."""
    order = [*in_both, *(key for key in leaves if key not in in_both)]
    return {called[key]: leaves[key] for key in order[:MOST_VALUES]}


def calls_of(
    revisions: Revisions, sides: tuple[list[Function], list[Function]], worlds: tuple[World, World]
) -> tuple[tuple[Call, ...], tuple[Call, ...]]:
    """The calls of each, the same arguments in both, where a function takes as many."""
    left: list[Call] = []
    right: list[Call] = []
    old_words, new_words = revisions.old.words, revisions.new.words
    for ours, theirs in zip(*sides, strict=True):
        first = call_of(ours, worlds[0].arguments, old_words)
        second = call_of(theirs, worlds[1].arguments, new_words, first)
        closed = is_inlined(ours, old_words) or is_inlined(theirs, new_words)
        first, second = both_domains(first, second, closed)
        left.append(first)
        right.append(second)
    fewer = within_room(left)
    for number, (call, most) in enumerate(zip(right, fewer, strict=True)):
        if [a.name for a in call.arguments] == [a.name for a in most.arguments]:
            right[number] = replace(call, arguments=most.arguments)
    return fewer, within_room(right)


def blind(calls: Sequence[Call], names: Container[str]) -> tuple[Call, ...]:
    """The calls, the values of some not observed."""
    return tuple(replace(call, observed=call.observed and call.name not in names) for call in calls)


def numbered(revisions: Revisions, worlds: Sequence[World]) -> list[tuple[int, ...]]:
    """The number of each object of each world: of the same object the same."""
    keys = [[revisions.key(n, each.key) for each in world.objects] for n, world in enumerate(worlds)]
    known = {key: n for n, key in enumerate(dict.fromkeys([*keys[0], *keys[1]]), start=1)}
    return [tuple(known[key] for key in side) for side in keys]


def names_by_key(keys: Sequence[Name]) -> dict[Name, str]:
    """A State field's name for each key: after its object's record, which number it is, and its members."""
    found: dict[Name, str] = {}
    made: set[str] = set()
    for key in keys:
        record = re.sub(r"^(?:struct|union) |_(?:struct|t)$", "", key[0])
        found[key] = free_name(re.sub(r"\W+|__+", "_", "_".join([record, *key[1:]])).strip("_"), made)
        made.add(found[key])
    return found
