# SPDX-License-Identifier: GPL-2.0-only
"""A run in shards: which part of it each is, and one report of all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import HarnessError
from harness.judge import one_deadlock
from harness.report.document import After, Case, Document, MutantRecord, StrengthRecord

MOST_BYTES = 256 << 20
Part = TypeVar("Part", Document, StrengthRecord)


@dataclass(frozen=True)
class Shard:
    """Which part of a run it is, of how many; `inputs` is a hash of what all of them were given."""

    number: int
    of: int
    inputs: str


def inputs_of(given: Mapping[str, Any]) -> str:
    """The hash of what a run was given."""
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def shard_data(shard: Shard, made: Document | StrengthRecord) -> dict[str, Any]:
    """What `kconform merge` reads: a shard's part of the report, as plain data."""
    from cattrs.preconf.json import make_converter  # a run without shards starts without it

    kind = "check" if isinstance(made, Document) else "mutate"
    return {"number": shard.number, "of": shard.of, "inputs": shard.inputs, "command": kind,
            "document": make_converter().unstructure(made)}  # fmt: skip


def dumped(document: Document) -> str:
    """A document as text, for a process of the same run."""
    from cattrs.preconf.json import make_converter

    said: str = make_converter().dumps(document)
    return said


def loaded(text: str) -> Document:
    """The document of such a text."""
    from cattrs.preconf.json import make_converter

    return make_converter().loads(text, Document)


def read_shards(paths: Sequence[str]) -> Document | StrengthRecord:
    """One run from the JSON reports of its shards; HarnessError, one line, where they are not all of one."""
    found: dict[int, tuple[str, dict[str, Any]]] = {}
    first: dict[str, Any] = {}
    for path in paths:
        said = shard_of(path)
        first = first or said
        if (said["command"], said["of"], said["inputs"]) != (first["command"], first["of"], first["inputs"]):
            raise HarnessError(f"{path}: error: it is of another run than {paths[0]}: other patches, options "
                               "or versions; give the shards of one")  # fmt: skip
        if said["number"] in found:
            raise HarnessError(f"{path}: error: shard {said['number']} is there twice, also in "
                               f"{found[said['number']][0]}")  # fmt: skip
        found[said["number"]] = path, said
    if missing := [number for number in range(1, first["of"] + 1) if number not in found]:
        lost = ", ".join(map(str, missing))
        raise HarnessError(f"{paths[0]}: error: of {first['of']} shards, {lost} missing; give all of them")
    parts = [found[number] for number in sorted(found)]
    if first["command"] == "mutate":
        return merged_strength([structured(path, said, StrengthRecord) for path, said in parts])
    return merged_documents([structured(path, said, Document) for path, said in parts])


def shard_of(path: str) -> dict[str, Any]:
    """The shard in a report."""
    try:
        if Path(path).stat().st_size > MOST_BYTES:
            raise HarnessError(f"{path}: error: it is larger than {MOST_BYTES >> 20} MiB: no report")
        said = json.loads(Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise HarnessError(
            f"{path}: error: it is not JSON; give what --shard K/N --format json wrote"
        ) from None
    shard = said.get("shard") if isinstance(said, dict) else None
    kinds = {"number": int, "of": int, "inputs": str, "command": str, "document": dict}
    if not isinstance(shard, dict) or any(type(shard.get(name)) is not kind for name, kind in kinds.items()):
        raise HarnessError(f"{path}: error: it is no report of a shard; give what --shard K/N --format json "
                           "wrote")  # fmt: skip
    if not 1 <= shard["number"] <= shard["of"] <= 10_000 or shard["command"] not in ("check", "mutate"):
        raise HarnessError(f"{path}: error: there is no such shard as {shard['number']} of {shard['of']}")
    return shard


def structured(path: str, said: Mapping[str, Any], kind: type[Part]) -> Part:
    """The part of the report that a shard has."""
    from cattrs.errors import BaseValidationError
    from cattrs.preconf.json import make_converter

    try:
        made = make_converter().structure(said["document"], kind)
        if isinstance(made, Document):
            # What reports take for granted of plain mappings.
            (made.tool["version"], made.tool["compiler"], made.tool["python"])
            [(each["file"], each["verdict"], each["how"]) for each in made.replays]
        return made
    except (BaseValidationError, TypeError, ValueError, KeyError, AttributeError, RecursionError):
        raise HarnessError(f"{path}: error: it is damaged, or of another version of kconform; run that shard "
                           "again") from None  # fmt: skip


def merged_documents(documents: Sequence[Document]) -> Document:
    """One check from its shards: the same report as of one run."""
    first = documents[0]
    order = {name: number for number, name in enumerate(first.order)}
    there = {part.name for each in documents for part in each.parts}
    there |= {name for each in documents for name in each.failed}
    if lost := [name for name in first.order if name not in there]:
        raise HarnessError(f"the shards have nothing of {', '.join(lost)}: run them again")

    def place(name: str) -> int:
        return order.get(name, len(order))

    parts = sorted((part for each in documents for part in each.parts), key=lambda part: place(part.name))
    cases = sorted((case for each in documents for case in each.cases), key=lambda c: rank(c, order))
    unused = [one for one in first.unused if all(one in each.unused for each in documents)]
    failed = {name: why for each in documents for name, why in each.failed.items()}
    return replace(
        first,
        parts=tuple(parts),
        cases=tuple(one_deadlock(cases)),
        outlooks=in_order((case for each in documents for case in each.outlooks), order),
        reached=in_order((case for each in documents for case in each.reached), order),
        base=tuple(line for each in documents for line in each.base),
        unused=tuple(unused),
        unfound=tuple(dict.fromkeys(line for each in documents for line in each.unfound)),
        failed=dict(sorted(failed.items(), key=lambda item: place(item[0]))),
        replays=tuple(sorted((r for each in documents for r in each.replays), key=lambda r: str(r["file"]))),
        shard="",
        tool=dict(first.tool) | {"contract": parts[0].name if parts else ""},
        seconds=sum(each.seconds for each in documents),
        baseline=tuple(dict.fromkeys(line for each in documents for line in each.baseline)),
        history=history_of(documents, order),
    )


def in_order(cases: Iterable[Case], order: Mapping[str, int]) -> tuple[Case, ...]:
    """Cases in the order of their contracts."""
    return tuple(sorted(cases, key=lambda case: order.get(case.contract, len(order))))


def rank(case: Case, order: Mapping[str, int]) -> tuple[int, int]:
    """Where a case stands in a report: by contract, then saved traces, then what is between patches."""
    kinds = {"promise": 1, "trace": 2}
    last = 3 if case.within else kinds.get(case.group, 0)
    return last, order.get(case.contract, len(order))


def history_of(documents: Sequence[Document], order: Mapping[str, int]) -> tuple[After, ...]:
    """What was judged after each patch, of all shards."""
    by_patches: dict[int, list[After]] = {}
    for one in (one for each in documents for one in each.history):
        by_patches.setdefault(one.patches, []).append(one)
    made: list[After] = []
    for patches, ones in sorted(by_patches.items()):
        judged = sorted({name for one in ones for name in one.judged}, key=lambda n: order.get(n, len(order)))
        made.append(After(
            patches, {f: id for one in ones for f, id in one.failing.items()}, tuple(judged),
            {name: why for one in ones for name, why in one.unfit.items()},
            {name: why for one in ones for name, why in one.lost.items()},
        ))  # fmt: skip
    return tuple(made)


def merged_strength(records: Sequence[StrengthRecord]) -> StrengthRecord:
    """One run of mutants from its shards."""

    def every(lists: Iterable[Sequence[MutantRecord]]) -> tuple[MutantRecord, ...]:
        found = (mutant for each in lists for mutant in each)
        return tuple(sorted(found, key=lambda m: (m.file, m.line, m.column, m.operator, m.before, m.after,
                                                  m.item)))  # fmt: skip

    return replace(
        records[0],
        killed=every(record.killed for record in records),
        equivalent=every(record.equivalent for record in records),
        survived=every(record.survived for record in records),
        broken=every(record.broken for record in records),
    )
