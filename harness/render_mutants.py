# SPDX-License-Identifier: GPL-2.0-only
"""Writes a subject and many mutants of it as one C file: one compiler run for all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from extractor.items import Item
from extractor.mutants import Mutant
from extractor.slice import Slice
from harness.contract import Loaded
from harness.render import Rendered, render, subject_operation, template, whole_functions, wrapper_text
from harness.translate import layout


def render_mutants(
    loaded: Loaded, piece: Slice, missing: Mapping[str, str], mutants: Sequence[Mutant]
) -> Rendered:
    """The subject of `piece`, and behind it `mutants`, numbered from 1."""
    base = render(loaded, piece, missing)
    contract = loaded.contract
    wholes = whole_functions(loaded, piece, missing)
    behind = template("mutants.c.j2").render(
        init=contract.init,
        observe=[(name, contract.observe[name]) for name in layout(contract.state).offsets],
        mutants=[
            one(loaded, piece, wholes, base, number, mutant) for number, mutant in enumerate(mutants, 1)
        ],
    )
    return replace(base, subject=base.subject + behind)


def one(
    loaded: Loaded, piece: Slice, wholes: Sequence[Item], base: Rendered, number: int, mutant: Mutant
) -> dict[str, Any]:
    """What the template needs of one mutant: all that its edit reaches; `wholes` are made whole."""
    contract = loaded.contract
    reached = piece.dependents([mutant.item])
    wholes = [item for item in wholes if item.name in reached]
    edited = next(item for item in (*piece.items, *wholes) if mutant.of(item))
    functions = [i for i in piece.items if i.kind == "function" and i.name in reached]
    items = functions if edited.kind == "function" else [edited, *functions]
    operations = [
        {"number": n} | subject_operation(op, {})
        for n, op in enumerate(contract.operations)
        if op.name not in base.unavailable and mentions(op.call, reached)
    ]
    return {
        "number": number,
        "functions": [*(item.name for item in functions), *(item.name for item in wholes)],
        "macro": edited if edited.kind == "macro" else None,
        "texts": [text_of(item, mutant) for item in items],
        "wrappers": [wrapper_text(item, text_of(item, mutant)["text"], f"@{number}") for item in wholes],
        "init": mentions(contract.init, reached),
        "observe": any(mentions(expression, reached) for expression in contract.observe.values()),
        "operations": operations,
    }


def text_of(item: Item, mutant: Mutant) -> dict[str, Any]:
    """An item's text and place, mutated where it is the mutant's."""
    text = mutant.apply(item.text) if mutant.of(item) else item.text
    return {"text": text, "file": item.file, "line": item.lines[0].number}


def mentions(text: str, names: frozenset[str]) -> bool:
    """Whether C text has one of `names`."""
    return any(name in names for name in re.findall(r"[A-Za-z_]\w*", text))
