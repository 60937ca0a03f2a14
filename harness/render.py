# SPDX-License-Identifier: GPL-2.0-only
"""Writes a slice and its contract as C: overlay headers with the patch's text, and subject.c."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import jinja2

from extractor.errors import ExtractError
from extractor.items import Item, SourceLine
from extractor.records import merge_records
from extractor.scan import mask
from extractor.slice import BLANK, Slice, spliced
from harness.contract import EXTRA, GOES_ON, SHOWN, Claim, Contract, Loaded, Operation, Wrapper, parameters
from harness.errors import HarnessError
from harness.render_unit import HEADER, beyond_text, unit_overlays
from harness.translate import Translator, layout
from kernel_snippets import INCLUDE

TEMPLATES = Path(__file__).resolve().parent / "templates"
KINDS = {"operation": "KC_OPERATION", "probe": "KC_PROBE", "misuse": "KC_MISUSE", "setup": "KC_SETUP",
         "outlook": "KC_PROBE"}  # fmt: skip


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
    # Types of fields that the patch adds stand before the record, in the patch as here.
    first = [item for item in piece.items if item.file == file and extensions and item.kind == "typedef"]
    parts = ["#pragma once", *(text for item in first for text in lined(item))]
    if extensions and shim.is_file():
        parts.append(
            merge_records(shim.read_text(), f"kernel_snippets/include/{include_name(file)}", extensions)
        )
    elif shim.is_file():
        parts += below(shim, [item for item in piece.items if item.file == file])
    for item in piece.includes:
        if item.file == file:
            parts.append(_include(item))
    for item in piece.items:
        if item.file == file and item not in first:
            parts += lined(item)
    return "\n".join(parts) + "\n"


def below(shim: Path, items: Sequence[Item]) -> list[str]:
    """The shim, in which what a revision defines itself has another name and is out of the way."""
    text = shim.read_text()
    defined = set(re.findall(r"^[a-z][^;=#(]*?\b(\w+)\([^;{]*\)\s*\{", text, re.M))
    functions = [item.name for item in items if item.kind == "function" and item.name in defined]
    defined = set(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", text, re.M))
    macros = [item.name for item in items if item.kind == "macro" and item.name in defined]
    return [
        *(f"#define {name} kc_shim_{name}" for name in functions),
        f"#include_next <{shim.relative_to(INCLUDE)}>",
        *(f"#undef {name}" for name in (*functions, *macros)),
    ]


def lined(item: Item) -> list[str]:
    """An item's text under its place in the patch."""
    return [f'#line {item.lines[0].number} "{item.file}"', item.text]


def has_shim(name: str) -> bool:
    """Whether there is a shim for an included name; a patch's own must not lead out of the shims."""
    return ".." not in name and not name.startswith("/") and (INCLUDE / name).is_file()


def _include(item: Item) -> str:
    if not has_shim(item.name):
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
    beyond: str = ""  # C of what a tree's slice refers to and other files of the kernel have


def render(loaded: Loaded, piece: Slice, missing: Mapping[str, str]) -> Rendered:
    """The C of `loaded` over `piece`; `missing` gives names that cannot be called, with the reason."""
    refuse_own_names(piece)
    operations = [subject_operation(op, missing) for op in loaded.contract.operations]
    subject = template("subject.c.j2").render(
        contract=loaded.contract,
        headers=(HEADER,) if piece.unit else include_order(piece, loaded.contract.headers),
        world=declarations(loaded.contract.world),
        variables=variables(piece),
        places=loaded.contract.owns,
        owns=[*loaded.contract.owns, *(f"kc_own_{name}" for name in variables(piece))],
        standins=standins(loaded.contract, piece),
        wrappers=[wrapper_text(item, item.text) for item in whole_functions(loaded, piece, missing)],
        observe=[(name, loaded.contract.observe[name]) for name in layout(loaded.contract.state).offsets],
        operations=operations,
    )
    unavailable = {op["name"]: op["reason"] for op in operations if op["reason"]}
    if piece.unit:
        return Rendered(
            unit_overlays(piece, loaded.contract.headers), subject, unavailable, beyond_text(piece)
        )
    return Rendered(overlays(piece), subject, unavailable)


@cache
def template(name: str) -> jinja2.Template:
    """A template of ours, compiled once a run."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    ).get_template(name)


def standins(contract: Contract, piece: Slice) -> str:
    """The contract's stand-ins; those that the patch defines itself, under other names and out of the way."""
    text = contract.standins.strip("\n")
    own = sorted(contract.given.intersection(item.name for item in piece.items))
    before = [f'#pragma push_macro("{name}")\n#undef {name}' for name in own]
    before += [f"#define {name} kc_given_{name}" for name in own]
    after = [f'#undef {name}\n#pragma pop_macro("{name}")' for name in own]
    if own:
        macro = rf"^([ \t]*#[ \t]*define[ \t]+)({'|'.join(own)})\b"
        text = re.sub(macro, r"\1kc_given_macro_\2", text, flags=re.M)
    return "\n".join([*before, text, *after])


def variables(piece: Slice) -> list[str]:
    """The patch's own variables that a call may change: they outlive it, so they are state."""
    return [i.name for i in piece.items if i.kind == "variable" and not stays(i.signature)]


def refuse_own_names(piece: Slice) -> None:
    """HarnessError where a slice has a name that kconform's own C uses after it, and would change that."""
    for item in (*piece.code, *piece.extensions, *piece.includes):
        name = include_name(item.file)
        if name in OWN_FILES or name.startswith("kconform/"):
            raise HarnessError(f"{item.where}: error: {item.file} has a name of kconform's own; rename it")
        text = mask(spliced(item.text))
        for found in MACRO.finditer(text):
            if found[1] in words_of_ours() and (item.origin == "added" or found[1] not in GIVEN):
                raise own_name(item, text.count("\n", 0, found.start(1)), found[1])
        if item.name == "w" and item.kind != "macro":
            raise own_name(item, 0, item.name)
        # What the patch says of them, inside as well: it might clear the warnings that it gave.
        own = mask("\n".join(ln.text if ln.origin == "added" else "" for ln in item.lines))
        if said := OWN_NAME.search(own):
            raise own_name(item, own.count("\n", 0, said.start()), said[0])


MACRO = re.compile(rf"^{BLANK}(?:#|%:){BLANK}(?:define|undef)\b{BLANK}(\w+)", re.M)
OWN_NAME = re.compile(r"\b(?:kc|KC)_\w*")
OWN_FILES = ("subject.h", "sanitizer.h")  # which subject.c includes
GIVEN = ("memcpy", "memset")  # a kernel's string.h has them as macros, and they do the same


def own_name(item: Item, below: int, name: str) -> HarnessError:
    """What is said of a name that is taken, so many lines below an item's first."""
    line = item.lines[below].number
    return HarnessError(f"{item.file}:{line}: error: {name} is a name of kconform's own; rename it")


@cache
def words_of_ours() -> frozenset[str]:
    """Every word of the C that is put around a slice."""
    texts = [(TEMPLATES / name).read_text() for name in ("subject.c.j2", "mutants.c.j2")]
    said = mask(re.sub(r"\{%.*?%\}|\{\{.*?\}\}", " ", "\n".join(texts), flags=re.S))
    return frozenset(re.findall(r"[A-Za-z_]\w*", said))


def stays(declaration: str) -> bool:
    """Whether a variable so declared cannot change: a pointer to what is const can."""
    return bool(
        re.search(r"\bconst\b", declaration.rpartition("*")[2]) or re.match(r"\s*extern\b", declaration)
    )


def wraps(wrapper: Wrapper, piece: Slice, missing: Mapping[str, str]) -> bool:
    """Whether a function is made of fragments here."""
    return wrapper.of not in missing and wrapper.of not in piece.functions


def whole_functions(loaded: Loaded, piece: Slice, missing: Mapping[str, str]) -> list[Item]:
    """The functions that the contract makes whole."""
    return [whole_function(w, piece) for w in loaded.contract.wrappers if wraps(w, piece, missing)]


def whole_function(wrapper: Wrapper, piece: Slice) -> Item:
    """A function made whole: the contract's own lines, which have the number 0, and the patch's."""
    shown = piece.shown[wrapper.of]
    before, *after = wrapper.body.split(SHOWN)
    lines = own_lines(f"{wrapper.head}\n{{\n{before}")
    for part, more in zip(shown, after, strict=True):
        # The semicolon: a label or an if may be the last that is shown.
        lines += [*part.lines, *own_lines(f";\n{more}")]
    lines += own_lines("}")
    return replace(shown[0].item, lines=tuple(lines), completeness="complete", signature=wrapper.head)


def own_lines(text: str) -> list[SourceLine]:
    """Lines that a contract adds to make a function whole."""
    return [SourceLine(line, 0, "context") for line in text.split("\n")]


def wrapper_text(whole: Item, text: str, suffix: str = "") -> str:
    """The C of a function made whole, each line of the patch under its place; `text` may be a mutant's."""
    said: list[str] = []
    last = -1
    for line, words in zip(whole.lines, text.split("\n"), strict=True):
        if line.number != (last + 1 if last else 0):
            place = (
                f'{line.number} "{whole.file}{suffix}"' if line.number else f'1 "{whole.name}{OWN}{suffix}"'
            )
            said.append(f"#line {place}")
        said.append(words)
        last = line.number
    return "\n".join(said)


OWN = " as the contract completes it"


@dataclass(frozen=True)
class Declaration:
    """One object of a world: its C, and its name."""

    text: str
    name: str


def declarations(world: str) -> list[Declaration]:
    """The objects of a world, in order."""
    found: list[Declaration] = []
    depth = start = 0
    for at, char in enumerate(world):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == ";" and not depth:
            text = " ".join(world[start : at + 1].split())
            name = re.search(r"(\w+)\s*(\[[^\]]*\]\s*)*;$", text)
            if not name:
                raise HarnessError(f"the contract's world: {text}: declare one object, with a name")
            found.append(Declaration(text, name[1]))
            start = at + 1
    return found


def subject_operation(op: Operation, missing: Mapping[str, str]) -> dict[str, Any]:
    """What subject.c needs of an operation; `reason` says why it cannot be called."""
    reason = next((missing[n] for n in re.findall(r"\b\w+", op.call) if n in missing), "")
    return {
        "name": op.name,
        "args": list(op.args),
        "call": op.call,
        "returns": op.returns is not None or op.observed,
        "by": op.by,
        "reason": reason,
    }


def render_contract(loaded: Loaded) -> str:
    """The C of a contract's functions: nothing of a patch is in it, so it serves every patch."""
    contract = loaded.contract
    translator = Translator(loaded)
    always = list(enumerate(c for c in contract.claims if c.kind == "always"))
    possible = list(enumerate(c for c in contract.claims if c.kind == "possible"))
    moves = [(bit, claim) for bit, claim in always if not claim.of_state]
    context = {
        "contract": contract,
        "contract_file": loaded.path.name,
        "state": translator.state,
        "ghost": translator.ghost,
        "operations": [_operation(translator, op, moves) for op in contract.operations],
        "always": len(always),
        "of_states": [(bit, _call(translator, c.holds, CLAIM)) for bit, c in always if c.of_state],
        "of_states_mask": f"{sum(1 << bit for bit, c in always if c.of_state):#x}ull",
        "possible": [(bit, _call(translator, c.holds, CLAIM)) for bit, c in possible],
        "judged": [
            f"{sum(1 << bit for bit, c in moves if judges(c, op)):#x}ull" for op in contract.operations
        ],
        "within": _call(translator, contract.within, {"s": "s"}) if contract.within else "1",
        "returned": EXTRA.index("return"),
        "warned": EXTRA.index("warnings"),
    }
    context["model"] = translator.text()  # last: it holds what the calls above asked for
    return template("contract.c.j2").render(context)


CLAIM = {"g": "g", "s": "s", "t": "t", "rmw": "rmw"}


def judges(claim: Claim, op: Operation) -> bool:
    """Whether `claim` is judged after calls of `op`."""
    return op.kind == "operation" and (not claim.on or op.name in claim.on)


def _call(
    translator: Translator, function: Callable[..., Any], names: Mapping[str, str], out: str = "out"
) -> str:
    """C that calls a contract function, its parameters taken by name from `names`."""
    assert isinstance(function, FunctionType)  # harness/validate.py has seen to it
    node = translator.function(function)
    arguments = [names[p] for p in parameters(function)]
    if translator.returns(node):
        arguments.append(out)
    return f"c_{translator.name(node.name, function.__globals__)}({', '.join(arguments)})"


def _operation(translator: Translator, op: Operation, moves: Sequence[tuple[int, Claim]]) -> dict[str, Any]:
    names = {"g": "g", "s": "s"} | {name: f"a[{i}]" for i, name in enumerate(op.args)}
    # Called once a world, it meets one ghost of many: what that has says nothing of the others.
    known = names if op.kind in GOES_ON or op.uses_ghost else {k: v for k, v in names.items() if k != "g"}
    features = [
        (bit, _call(translator, feature.holds, names))
        for bit, feature in enumerate(translator.loaded.contract.features)
        if set(parameters(feature.holds)) <= set(known)
    ]
    said = {
        key: _call(translator, function, names) if (function := getattr(op, key)) else None
        for key in ("when", "model", "returns", "warns", "ghost")
    }
    if op.by:
        said["returns"] = said["warns"]
    moved = CLAIM | ({"g": "next"} if op.ghost else {})
    return {
        "name": op.name,
        "kind": KINDS[op.kind],
        "features": features,
        "next_ghost": _call(translator, op.ghost, names, "next") if op.ghost else None,
        "claims": [(bit, _call(translator, c.holds, moved)) for bit, c in moves if judges(c, op)],
        "uses_ghost": op.uses_ghost,
        **said,
    }
