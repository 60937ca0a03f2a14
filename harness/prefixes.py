# SPDX-License-Identifier: GPL-2.0-only
"""A series after each of its patches, and the tree below it: which checks fail there.

Contracts whose code is the same after two patches, word by word, are run for one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from extractor.errors import ExtractError
from extractor.slice import Slice
from harness.check import Chosen, Result, check, fits, static_misfit
from harness.contract import Loaded
from harness.drive import Poll, Request
from harness.errors import HarnessError
from harness.inputs import Given, tuple_of
from harness.loading import contract_path, load, without_unknown
from harness.subjects import describe, slice_of


@dataclass(frozen=True)
class Stage:
    """What was judged after so many patches (0: of the tree alone).

    `results` has each contract's result, which may be that of another stage with the same code. Of those
    that are run on the whole, `unfit` says why one does not fit what is there so far, `lost` why one that
    does could not be judged.
    """

    patches: int
    results: Mapping[str, Result]
    unfit: Mapping[str, str]
    lost: Mapping[str, str]


def stages(
    whole: Result, chosen: Chosen, revision: Given, own: str | None, poll: Poll | None
) -> Iterator[Stage]:
    """The stages before the whole, first the tree, where there is one; `own`: the one contract, if any."""
    if revision.first is None:
        return
    known = {code_of(part.loaded, part.piece): whole for part in whole.parts}
    for count in range(0 if revision.tree else 1, len(revision.patches)):
        try:
            earlier = revision.first(count)
        except (ExtractError, HarnessError) as err:  # what these patches alone do not make
            yield Stage(count, {}, {}, {loaded.contract.name: str(err) for loaded in chosen.driven})
            continue
        yield stage(replace(
            whole.request, patches=earlier.patches, items=tuple_of(earlier.items), notes=earlier.notes,
            coverage=False, keep=None, traces=None, saved=(), damaged=(), near=(), generic=False,
        ), count, chosen, own, known, poll)  # fmt: skip


def stage(
    request: Request,
    count: int,
    chosen: Chosen,
    own: str | None,
    known: dict[tuple[object, ...], Result],
    poll: Poll | None,
) -> Stage:
    """What the first patches do: each contract that fits already, but for those whose code is known."""
    results: dict[str, Result] = {}
    lost: dict[str, str] = {}
    unfit: dict[str, str] = {}
    todo: dict[str, tuple[Loaded, tuple[object, ...]]] = {}
    for loaded in chosen.driven:
        name = loaded.contract.name
        fitting, reason = as_it_fits(loaded, request, own)
        if reason:
            unfit[name] = reason
            continue
        key = code_of(fitting, slice_of(fitting, request.items))
        if key in known:
            results[name] = known[key]
        else:
            todo[name] = fitting, key
    static = tuple(s for s in chosen.static if count and not static_misfit(s, request.items, request.config))
    wanted = tuple(loaded for loaded, _ in todo.values())
    if wanted or static:
        try:
            result = check(replace(request, contracts=wanted, static=static), poll)
        except HarnessError as err:
            lost |= dict.fromkeys([*todo, *(s.name for s in static)], str(err))
        else:
            for name, (_, key) in todo.items():
                results[name] = known[key] = result
            results |= {s.name: result for s in static}
            lost |= result.failed
    for result in results.values():
        lost |= {part.name: describe(part.unresolved[0]) for part in result.parts if part.unresolved}
    judged = {name: result for name, result in results.items() if name not in lost}
    return Stage(count, judged, unfit, {name: why for name, why in lost.items() if name not in unfit})


def as_it_fits(loaded: Loaded, request: Request, own: str | None) -> tuple[Loaded, str]:
    """A contract in the form that fits a stage, or why none does."""
    path = loaded.path if loaded.contract.derived else contract_path(own or loaded.contract.name)
    known = load(path, without_unknown(path, loaded.bounds))
    fitting, reason, _ = fits(known, request.items, request.config)
    return fitting, reason


def code_of(loaded: Loaded, piece: Slice) -> tuple[object, ...]:
    """What a contract's checks depend on: its text, and the code that it drives without its lines."""
    items = [*piece.items, *piece.extensions, *piece.includes, *(part.item for part in piece.parts)]
    shown = tuple(tuple(line.text for line in part.lines) for part in piece.parts)
    return (
        loaded.contract.name, loaded.text, loaded.binding, tuple(loaded.absent),
        tuple(loaded.options.items()),
        tuple((item.file, item.kind, item.name, item.parent, item.text) for item in items), shown,
    )  # fmt: skip
