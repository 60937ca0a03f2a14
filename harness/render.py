# SPDX-License-Identifier: GPL-2.0-only
"""Writes a slice and its contract as C: overlay headers with the patch's text, and subject.c."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from extractor.errors import ExtractError
from extractor.items import Item
from extractor.records import merge_records
from extractor.slice import Slice
from harness.contract import Claim, Loaded, Operation, parameters
from harness.translate import Translator
from kernel_snippets import INCLUDE

TEMPLATES = Path(__file__).resolve().parent / "templates"
KINDS = {"operation": "KC_OPERATION", "probe": "KC_PROBE", "misuse": "KC_MISUSE"}


def include_name(file: str) -> str:
    """The name under which C includes a patched file."""
    return file.removeprefix("include/")


def overlays(piece: Slice) -> dict[str, str]:
    """The text of each overlay header by its include name: the shim below, the patch's items above."""
    files = dict.fromkeys(item.file for item in (*piece.extensions, *piece.items, *piece.includes))
    return {include_name(file): overlay(piece, file) for file in files}


def overlay(piece: Slice, file: str) -> str:
    """One overlay header."""
    shim = INCLUDE / include_name(file)
    extensions = [item for item in piece.extensions if item.file == file]
    parts = ["#pragma once"]
    if extensions and shim.is_file():
        parts.append(
            merge_records(shim.read_text(), f"kernel_snippets/include/{include_name(file)}", extensions)
        )
    elif shim.is_file():
        parts.append(f"#include_next <{include_name(file)}>")
    for item in piece.includes:
        if item.file == file:
            parts.append(_include(item))
    for item in piece.items:
        if item.file == file:
            parts += [f'#line {item.lines[0].number} "{item.file}"', item.text]
    return "\n".join(parts) + "\n"


def _include(item: Item) -> str:
    if item.name.startswith("/") or ".." in item.name or not (INCLUDE / item.name).is_file():
        raise ExtractError(
            f"the patch includes <{item.name}>, for which there is no shim",
            file=item.file,
            line=item.line,
            hint=f"add kernel_snippets/include/{item.name}",
        )
    return f"#include <{item.name}>"


def include_order(piece: Slice, headers: tuple[str, ...]) -> list[str]:
    """The contract's headers, then the other files of the slice, those that others need first."""
    files = dict.fromkeys(include_name(item.file) for item in piece.items)
    return [*headers, *(name for name in files if name not in headers)]


@dataclass(frozen=True)
class Rendered:
    """The sources of one subject: include name -> text of each overlay, and subject.c."""

    overlays: Mapping[str, str]
    subject: str
    unavailable: Mapping[str, str]  # operation -> why it cannot be driven


def render(loaded: Loaded, piece: Slice, missing: Mapping[str, str]) -> Rendered:
    """The C of `loaded` over `piece`; `missing` gives names that cannot be called, with the reason."""
    contract = loaded.contract
    translator = Translator(loaded)
    operations = [_operation(translator, op, missing) for op in contract.operations]
    claims = {kind: [c for c in contract.claims if c.kind == kind] for kind in ("always", "possible")}
    context = {
        "contract": contract,
        "contract_file": loaded.path.name,
        "headers": include_order(piece, contract.headers),
        "observe": [(name, contract.observe[name]) for name in translator.state.offsets],
        "operations": operations,
        "layouts": [translator.state, translator.ghost],
        "ghost_initial": translator.ghost.initial,
        "always": [_call(translator, c.holds, CLAIM) for c in claims["always"]],
        "possible": [_call(translator, c.holds, CLAIM) for c in claims["possible"]],
        "judged": [_judged(claims["always"], op) for op in contract.operations],
        "within": _call(translator, contract.within, {"s": "s"}) if contract.within else "1",
        "features": len(contract.features),
    }
    context["model"] = translator.text()  # last: it holds what the calls above asked for
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template("subject.c.j2").render(context)
    unavailable = {op["name"]: op["reason"] for op in operations if not op["available"]}
    return Rendered(overlays(piece), text, unavailable)


CLAIM = {"g": "g", "s": "s", "t": "t", "rmw": "rmw"}


def _judged(claims: list[Claim], op: Operation) -> str:
    bits = sum(1 << i for i, claim in enumerate(claims) if not claim.on or op.name in claim.on)
    return f"{bits:#x}ull"


def _call(translator: Translator, function: Callable[..., Any], names: Mapping[str, str]) -> str:
    """C that calls a contract function, its parameters taken by name from `names`."""
    node = translator.function(function.__name__)
    arguments = [names[p] for p in parameters(function)]
    if translator.returns(node):
        arguments.append("out")
    return f"c_{node.name}({', '.join(arguments)})"


def _operation(translator: Translator, op: Operation, missing: Mapping[str, str]) -> dict[str, Any]:
    names = {"g": "g", "s": "s"} | {name: f"a[{i}]" for i, name in enumerate(op.args)}
    reason = next((missing[n] for n in re.findall(r"\b\w+", op.call) if n in missing), "")
    features = [
        (bit, _call(translator, feature.holds, names))
        for bit, feature in enumerate(translator.loaded.contract.features)
        if set(parameters(feature.holds)) <= set(names)
    ]
    said = {
        key: _call(translator, function, names) if (function := getattr(op, key)) else None
        for key in ("when", "model", "returns", "warns", "ghost")
    }
    return {
        "name": op.name,
        "args": list(op.args),
        "call": op.call,
        "kind": KINDS[op.kind],
        "available": not reason,
        "reason": reason,
        "features": features,
        **said,
    }
