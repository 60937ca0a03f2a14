# SPDX-License-Identifier: GPL-2.0-only
"""The functions of a revision that a contract could be derived of, compiled to know their types."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from extractor.errors import ExtractError
from extractor.items import Item
from extractor.slice import Slice, definitions, live_items
from harness.build import CompileError, Flavour
from harness.contract import Contract, Loaded, Operation, Source
from harness.derive.types import Types, read_types
from harness.errors import HarnessError
from harness.render import include_name
from harness.static.configuration import refused_by
from harness.subjects import Attempt, blame, blame_link, describe, slice_of
from harness.tree.items import TreeItems, behind
from harness.tree.shims import shims

# Functions that nothing calls are there, and constants of enums that nothing uses.
TYPES = Flavour("types", ("-gdwarf-5", "-g2", "-O1", "-fno-eliminate-unused-debug-types"))
HOLD = "static inline void kc_hold(const void *function)\n{\n\t(void)function;\n}"
USUAL = ("CONFIG_64BIT", "CONFIG_DEBUG_VM", "CONFIG_MMU")
ROUNDS = 8  # of compiling without what the compiler refused
OPTION = re.compile(r"(?<!\w)CONFIG_\w+")


@dataclass(frozen=True)
class Nothing:
    """A State, and a Ghost, of a contract that observes nothing."""

    nothing: int = 0


@dataclass(frozen=True)
class Compiled:
    """Functions as the compiler sees them: `lost` are those that it does not, with the reason."""

    piece: Slice
    types: Types
    lost: Mapping[str, str]
    headers: tuple[str, ...]  # that a contract of them needs
    config: Mapping[str, bool]


def options_of(items: Sequence[Item], given: Mapping[str, bool]) -> dict[str, bool]:
    """The configuration of a derived contract: what `given` sets, else what most of the patch is there under.

    HarnessError where its Kconfig allows no such.
    """
    return options_of_all([items], given)


def options_of_all(revisions: Sequence[Sequence[Item]], given: Mapping[str, bool]) -> dict[str, bool]:
    """One configuration for several revisions: what options_of() says of all of them together."""
    parts = [item for items in revisions for item in items if item.origin == "added" and item.condition
             and item.kind in ("function", "field")]  # fmt: skip
    named = sorted({name for item in parts for name in OPTION.findall(" && ".join(item.condition))})
    wanted = dict.fromkeys((*USUAL, *named), True)
    for name in named:
        there = [len(live_items(parts, {**wanted, name: value})) for value in (True, False)]
        wanted[name] = there[0] >= there[1]
    for items in revisions:
        if against := refused_by(items, wanted, given):
            raise HarnessError(f"nothing can be derived for a configuration that there cannot be: {against}")
    return {name: given.get(name, value) for name, value in wanted.items()}


def coverable(
    items: Sequence[Item], config: Mapping[str, bool], covered: Set[str], files: Sequence[str] = ()
) -> tuple[str, ...]:
    """The complete functions that a patch adds or changes and that are not `covered`.

    Of a tree those that the patches on it add or change, and all of `files`.
    """
    options = options_of(items, config)
    if isinstance(items, TreeItems):
        unit = items.tree.unit(options, behind(items))[0]
        found = [item for item in unit.items if item.kind == "function" and item.completeness == "complete"
                 and (item.origin == "added" or item.file in files)]  # fmt: skip
    else:
        found = [i for i in definitions(items, options).values() if i.kind == "function"]
        found = [i for i in found if i.origin == "added"]
    return tuple(dict.fromkeys(item.name for item in found if item.name not in covered))


def compiled(
    items: Sequence[Item], functions: Sequence[str], options: dict[str, bool], folder: Path
) -> Compiled:
    """`functions` with all that they need, compiled for `options` below `folder`, which is empty."""
    refused = refusals(items, functions, options)
    functions = [name for name in functions if name not in refused]
    piece = slice_of(asked(functions, options, ()), items)
    headers = headers_of(items, piece, options, folder)
    lost = refused | {name: why for name in functions if (why := unsliced(name, piece))}
    functions = [name for name in functions if name not in lost]
    if not functions:
        raise HarnessError(f"nothing can be derived: {some(lost)}")
    subject = None
    for number in range(ROUNDS):
        loaded = asked(functions, options, headers)
        piece = slice_of(loaded, items)
        try:
            subject = Attempt(loaded, piece, options, folder / f"types{number}", TYPES).settle()
            break
        except CompileError as err:
            said = [*blame(err, piece), *blame_link(err, piece)]
            gone = piece.dependents(one.user for one in said).intersection(functions)
            if not gone:
                raise
            lost |= dict.fromkeys(gone, describe(said[0]))
            functions = [name for name in functions if name not in gone]
    if subject is None or not functions:
        raise HarnessError(f"nothing can be derived: {some(lost)}")
    lost |= {name: why for name, why in subject.rendered.unavailable.items() if name not in lost}
    lost |= {u.user: describe(u) for u in subject.lost if u.user in functions and u.user not in lost}
    return Compiled(subject.piece, read_types(subject.built.library), lost, headers, options)


def some(lost: Mapping[str, str]) -> str:
    """Why nothing is derived of the first few functions."""
    return "; ".join(f"{name}: {why}" for name, why in list(lost.items())[:3])


def refusals(items: Sequence[Item], functions: Sequence[str], options: Mapping[str, bool]) -> dict[str, str]:
    """The functions that hold, or need, what must not be compiled, such as assembly, with that."""
    try:
        slice_of(asked(functions, options, ()), items)
        return {}
    except ExtractError:
        found: dict[str, str] = {}
    for name in functions:
        try:
            slice_of(asked([name], options, ()), items)
        except ExtractError as err:
            found[name] = f"{err.file}:{err.line}: {err.message}" if err.file else err.message
    return found


def unsliced(name: str, piece: Slice) -> str:
    """Why a function is in no slice; empty where it is."""
    return "" if name in piece.functions else "the revision does not define it whole in this configuration"


def asked(functions: Sequence[str], options: Mapping[str, bool], headers: tuple[str, ...]) -> Loaded:
    """A contract that holds functions and calls none."""
    contract = Contract(
        name="types",
        title="types",
        requires=(),
        headers=headers,
        config=options,
        world="int nothing;",
        init="",
        owns=(),
        state=Nothing,
        observe={"nothing": "w->nothing"},
        ghost=Nothing,
        operations=tuple(Operation(name, f"kc_hold((const void *){name})") for name in functions),
        claims=(),
        standins=HOLD,
    )
    text = f"{sorted(options.items())} {functions} {headers}"
    return Loaded(contract, (Source(Path("types.py"), text, ast.parse(""), {}),), {})


def headers_of(
    items: Sequence[Item], piece: Slice, options: Mapping[str, bool], folder: Path
) -> tuple[str, ...]:
    """The headers of the functions in a slice, and the shims' that define what a patch leaves to others."""
    own = dict.fromkeys(include_name(item.file) for item in piece.items if item.kind == "function")
    if isinstance(items, TreeItems):
        return tuple(name for name in own if name.endswith(".h") and items.tree.text(f"include/{name}"))
    known = shims(options, folder).headers
    return tuple(dict.fromkeys(known[name] for name in sorted(piece.outside) if name in known))
