# SPDX-License-Identifier: GPL-2.0-only
"""Contracts for functions that no contract covers, derived of them: no model, but a world and calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from extractor.items import Item
from harness.build import cache_folder
from harness.contract import DEBUG
from harness.derive.domains import Call, call_of, refusal
from harness.derive.functions import Compiled, compiled, options_of, some
from harness.derive.text import Parts, contract_text
from harness.derive.types import CType, Function
from harness.derive.words import Words
from harness.derive.world import Leaf, names_of, overlaid, said_by, settings_of, world_of
from harness.errors import HarnessError
from harness.scratch import scratch_folder
from harness.validate import MOST_VALUES

FUNCTIONS = 32  # of one contract
CALLS = 60_000  # of one contract in all: MOST_CALLS of harness/validate.py, and some room
WORK = 4_000_000  # calls of an exploration, as far as they can be estimated: some half a second


@dataclass(frozen=True)
class Derived:
    """A contract's file, and what it is of: `left_out` says why nothing is derived of a function."""

    name: str
    text: str
    functions: tuple[str, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class Usable:
    """The functions of a revision of which something can be derived, and why nothing can of others."""

    made: Compiled
    words: Words
    functions: tuple[Function, ...]
    left_out: Mapping[str, str]

    @cached_property
    def views(self) -> dict[int, CType]:
        """Records that stand for others, of all functions."""
        return overlaid(self.functions, self.made.types, said_by(self.functions, self.words))


def usable(items: Sequence[Item], functions: Sequence[str], options: dict[str, bool]) -> Usable:
    """Those of `functions` of which something can be derived; HarnessError where that is none."""
    with scratch_folder(cache_folder()) as folder:
        made = compiled(items, functions, options, folder)
    left_out = dict(made.lost)
    found: list[Function] = []
    for name in dict.fromkeys(functions):
        function = made.types.functions.get(name)
        why = left_out.get(name) or (refusal(function) if function else "the compiler has no such function")
        if why or function is None:
            left_out[name] = why
        else:
            found.append(function)
    if not found:
        raise HarnessError(f"nothing can be derived: {some(left_out)}")
    return Usable(made, Words(made.piece, made.types.constants), tuple(found), left_out)


Needs = tuple[set[Hashable], set[Hashable]]  # a function's records and fields


@dataclass
class Cluster:
    """Functions that go into one contract, since they share records."""

    functions: list[Function] = field(default_factory=list)
    records: set[Hashable] = field(default_factory=set)
    fields: set[Hashable] = field(default_factory=set)

    def add(self, function: Function, needs: Needs) -> None:
        """Takes a function in."""
        self.functions.append(function)
        self.records |= needs[0]
        self.fields |= needs[1]


def derive(
    items: Sequence[Item],
    functions: Sequence[str],
    config: Mapping[str, bool],
    *,
    calls: int = 3,
    settings: int = 2,
    source: str = "the patch",
) -> tuple[Derived, ...]:
    """Contracts of `functions`, several where one would be too large; of bounds, at most those given.

    Functions of which nothing can be derived are left out, with the reason, by the first contract.
    HarnessError where that is all of them.
    """
    if not functions:
        return ()
    found = usable(items, functions, options_of(items, config))
    clusters = clustered(found.functions, lambda function: needs_of(function, found))
    return tuple(
        contract_of(
            cluster.functions, name, found, (settings, calls), source, found.left_out if n == 0 else {}
        )
        for n, (cluster, name) in enumerate(zip(clusters, cluster_names(clusters, found.words), strict=True))
    )


def needs_of(function: Function, found: Usable) -> Needs:
    """The records and fields of the world of one function."""
    world, views = world_of([function], found.made.types, found.words), found.views
    keys = {each.type.key for each in world.objects if each.type is not None}
    return (
        {views[key].key if key in views else key for key in keys},
        {leaf.path.partition(".")[2] or leaf.path for leaf in world.leaves},
    )


def clustered(functions: Sequence[Function], needs_of: Callable[[Function], Needs]) -> list[Cluster]:
    """Functions in as many contracts as their fields need, those of the same records together."""
    clusters: list[Cluster] = []
    for function in functions:
        needs = needs_of(function)
        home = next((c for c in clusters if fits(c, needs)), None)
        if home is None:
            home = Cluster()
            clusters.append(home)
        home.add(function, needs)
    return clusters


def fits(cluster: Cluster, needs: Needs) -> bool:
    """Whether a function with these records and fields goes into a contract."""
    records, fields = needs
    alike = bool(cluster.records & records) or not (cluster.records and records)
    return alike and len(cluster.functions) < FUNCTIONS and len(cluster.fields | fields) <= MOST_VALUES


def cluster_names(clusters: Sequence[Cluster], words: Words) -> list[str]:
    """`derived`, or where there are several `derived-page-ref` after what their functions are called."""
    if len(clusters) == 1:
        return ["derived"]
    found: list[str] = []
    for cluster in clusters:
        items = [item for f in cluster.functions for item in words.own.get(f.name, ())[:1]]
        stem = re.sub(r"^.*/|\.\w+$", "", items[0].file) if items else "functions"
        name = "derived-" + re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
        number = sum(re.fullmatch(rf"{re.escape(name)}(-\d+)?", other) is not None for other in found)
        found.append(f"{name}-{number + 1}" if number else name)
    return found


def contract_of(
    functions: Sequence[Function],
    name: str,
    found: Usable,
    bounds: tuple[int, int],
    source: str,
    left_out: Mapping[str, str],
) -> Derived:
    """The contract of one cluster."""
    words = found.words
    world = world_of(functions, found.made.types, words)
    all_names = names_of(world.leaves)
    seen = dict(zip(all_names[:MOST_VALUES], world.leaves, strict=False))
    settings = settings_of_all(seen, functions, words)
    calls = within_room([call_of(f, world.arguments, words) for f in functions])
    parts = Parts(
        name,
        title_of(functions, found),
        source,
        found.made.headers,
        config_of(found),
        world,
        seen,
        settings,
        calls,
        bounds_of(settings, calls, bounds),
        left_out,
        tuple(all_names[MOST_VALUES:]),
    )
    return Derived(name, contract_text(parts), tuple(f.name for f in functions), left_out)


def title_of(functions: Sequence[Function], found: Usable) -> str:
    """A contract's title: the files of its functions."""
    files = {item.name: item.file for item in found.made.piece.items if item.kind == "function"}
    where = dict.fromkeys(files[f.name] for f in functions if f.name in files)
    return f"functions of {', '.join(where)}" if where else "functions"


def config_of(found: Usable) -> dict[str, bool]:
    """The configuration that a contract is for."""
    return {**found.made.config, DEBUG: found.made.config.get(DEBUG, True)}


def settings_of_all(
    seen: Mapping[str, Leaf], functions: Sequence[Function], words: Words
) -> dict[str, tuple[int, ...]]:
    """What each observed field is set to, of those that are set at all."""
    reached = list({id(i): i for f in functions for i in words.reach(f.name)}.values())
    return {n: values for n, leaf in seen.items() if (values := settings_of(leaf, reached, words))}


def within_room(calls: Sequence[Call]) -> tuple[Call, ...]:
    """The calls with fewer values where there would be more of them than the engine holds."""
    found = list(calls)
    while sum(combinations(call) for call in found) > CALLS:
        largest = max(range(len(found)), key=lambda n: combinations(found[n]))
        call = found[largest]
        fewer = tuple(
            replace(a, odd=a.odd[: max(len(a.odd) - 1, 1)], usual=a.usual[: max(len(a.odd) - 1, 1)])
            for a in call.arguments
        )
        found[largest] = replace(call, arguments=fewer)
    return tuple(found)


def combinations(call: Call) -> int:
    """How many calls a function has, with usual arguments and with any."""
    usual = odd = 1
    for argument in call.arguments:
        usual *= len(argument.usual)
        odd *= len(argument.odd)
    return usual + odd


def bounds_of(
    settings: Mapping[str, tuple[int, ...]], calls: Sequence[Call], most: tuple[int, int]
) -> tuple[int, int]:
    """Bounds of settings and calls for which an exploration is short.

    Which calls change something is not known before: taken for granted is that a few of them do, and
    that each of the worlds that settings make is one that they change.
    """
    values = sum(len(domain) for domain in settings.values())
    number = sum(combinations(call) for call in calls)
    growth = 1 + min(number, 8 * len(calls)) / 4
    for wanted in ((2, 3), (2, 2), (1, 3), (1, 2), (2, 1), (1, 1)):
        few, deep = min(wanted[0], most[0]), min(wanted[1], most[1])
        worlds = 1 + values + (values * values / 2 if few == 2 else 0)
        if worlds * number * sum(growth**n for n in range(deep)) <= WORK:
            return few, deep
    return 1, 1
