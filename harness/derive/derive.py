# SPDX-License-Identifier: GPL-2.0-only
"""Contracts for functions that no contract covers, derived of them: no model, but a world and calls."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from extractor.items import Item
from harness.build import cache_folder
from harness.contract import DEBUG
from harness.derive.domains import Call, call_of, refusal
from harness.derive.functions import Compiled, compiled, some
from harness.derive.text import Parts, contract_text
from harness.derive.types import Function, Types
from harness.derive.words import Words
from harness.derive.world import names_of, overlaid, settings_of, world_of
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


@dataclass
class Cluster:
    """Functions that go into one contract, since they share records."""

    functions: list[Function] = field(default_factory=list)
    records: set[int] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


def derive(
    items: Sequence[Item],
    functions: Sequence[str],
    config: Mapping[str, bool],
    *,
    calls: int = 3,
    settings: int = 2,
    source: str = "the patch",
    whole_names: bool = False,
) -> tuple[Derived, ...]:
    """Contracts of `functions`, several where one would be too large; of bounds, at most those given.

    With `whole_names` fields are called the same in whatever contract they are.

    Functions of which nothing can be derived are left out, with the reason, by the first contract.
    HarnessError where that is all of them.
    """
    if not functions:
        return ()
    with scratch_folder(cache_folder()) as folder:
        made = compiled(items, functions, config, folder)
    left_out = dict(made.lost)
    words = Words(made.piece, made.types.constants)
    usable: list[Function] = []
    for name in dict.fromkeys(functions):
        function = made.types.functions.get(name)
        why = left_out.get(name) or (refusal(function) if function else "the compiler has no such function")
        if why or function is None:
            left_out[name] = why
        else:
            usable.append(function)
    if not usable:
        raise HarnessError(f"nothing can be derived: {some(left_out)}")
    clusters = clustered(usable, made.types, words)
    names = cluster_names(clusters, words)
    files = {item.name: item.file for item in made.piece.items if item.kind == "function"}
    return tuple(
        contract_of(
            cluster,
            name,
            made,
            words,
            (settings, calls),
            source,
            files,
            left_out if n == 0 else {},
            whole_names,
        )
        for n, (cluster, name) in enumerate(zip(clusters, names, strict=True))
    )


def clustered(functions: Sequence[Function], types: Types, words: Words) -> list[Cluster]:
    """Functions in as many contracts as their fields need, those of the same records together."""
    clusters: list[Cluster] = []
    views = overlaid(functions, types, words)
    for function in functions:
        world = world_of([function], types, words)
        keys = {each.type.key for each in world.objects if each.type is not None}
        records = {views[key].key if key in views else key for key in keys}
        fields = {leaf.path.partition(".")[2] or leaf.path for leaf in world.leaves}
        home = next((c for c in clusters if fits(c, records, fields)), None)
        if home is None:
            home = Cluster()
            clusters.append(home)
        home.functions.append(function)
        home.records |= records
        home.fields |= fields
    return clusters


def fits(cluster: Cluster, records: set[int], fields: set[str]) -> bool:
    """Whether a function with these records and fields goes into a contract."""
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
    cluster: Cluster,
    name: str,
    made: Compiled,
    words: Words,
    bounds: tuple[int, int],
    source: str,
    files: Mapping[str, str],
    left_out: Mapping[str, str],
    whole_names: bool,
) -> Derived:
    """The contract of one cluster."""
    functions = tuple(cluster.functions)
    world = world_of(functions, made.types, words)
    all_names = names_of(world.leaves, whole_names)
    seen = dict(zip(all_names[:MOST_VALUES], world.leaves, strict=False))
    reached = list({id(i): i for f in functions for i in words.reach(f.name)}.values())
    settings = {n: values for n, leaf in seen.items() if (values := settings_of(leaf, reached, words))}
    calls = within_room([call_of(f, world.arguments, words) for f in functions])
    where = dict.fromkeys(files[f.name] for f in functions if f.name in files)
    parts = Parts(
        name,
        f"functions of {', '.join(where)}" if where else "functions",
        source,
        made.headers,
        {**made.config, DEBUG: made.config.get(DEBUG, True)},
        world,
        seen,
        settings,
        calls,
        bounds_of(settings, calls, bounds),
        left_out,
        tuple(all_names[MOST_VALUES:]),
    )
    return Derived(name, contract_text(parts), tuple(f.name for f in functions), left_out)


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
