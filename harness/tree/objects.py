# SPDX-License-Identifier: GPL-2.0-only
"""The objects that a census calls a function on, as C."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from extractor.cast import strip_comments
from extractor.cut_records import closing_brace, members
from extractor.items import Item

PARAMETER = re.compile(r"([A-Za-z_]\w*)\s*((?:\[[^\]]*\]\s*)*)$")
POINTED = re.compile(r"\b((?:struct|union) \w+)\s*(?:const\s*)?\*\s*(?:const\s+)?\w*$")
MEMBER = re.compile(
    r"\s*(?:const\s+)?((?:struct|union) \w+|[A-Za-z_]\w*_t)\s*(\*?)\s*(?:(?:const|__\w+)\s+)*(\w+)\s*"
    r"(?:__\w+(?:\([^)]*\))?\s*)*;\s*"
)
VOID = re.compile(r"\bvoid\b(?!.*\*)")
DEPTH, FILLS = 3, 100


def call_of(item: Item, records: Mapping[str, Item]) -> dict[str, Any]:
    """How the census calls a function: its parameters, each as a variable, and what pointers lead to."""
    at = item.signature.find(item.name)
    head = item.signature[item.signature.index("(", at) + 1 :]
    found: list[dict[str, Any]] = []
    for text in parameters(head):
        said = text.strip()
        named = re.search(r"\(\s*\*\s*(\w+)", said) or PARAMETER.search(said)
        if said in ("void", "", "...") or not named:
            continue
        pointer = "*" in said or "[" in said
        array = re.compile(rf"\b{named[1]}\s*\[[^\]]*\]")
        declared = array.sub(f"*{named[1]}", said, count=1) if "[" in said else said
        found.append({"declaration": declared, "name": named[1], "pointer": pointer, "text": said})
    fills: list[str] = []
    for parameter in found:
        if record := POINTED.search(parameter["text"]):
            fill(fills, f"{parameter['name']}->", record[1], records, len(found), 0)
    return {
        "name": item.name,
        "void": bool(VOID.search(item.signature[:at])),
        "parameters": found,
        "arguments": ", ".join(p["name"] for p in found),
        "fills": fills,
        "objects": len(found) + len(fills),
    }


def fill(fills: list[str], to: str, record: str, records: Mapping[str, Item], used: int, depth: int) -> None:
    """C that lets the pointers to records in the record `to` lead to objects, and theirs.

    `to` is C up to a member's name.
    """
    if record not in records or depth > DEPTH:
        return
    text = strip_comments(records[record].text)
    for kind, star, name in held(text[text.find("{") + 1 : text.rfind("}")]):
        if len(fills) > FILLS:
            return
        if not star:
            fill(fills, f"{to}{name}.", kind, records, used, depth)
        elif kind.startswith(("struct ", "union ")):
            member = f"{to}{name}"
            fills.append(f"*(void **)(void *)&{member} = kc_object({used + len(fills)})")
            fill(fills, f"{member}->", kind, records, used, depth + 1)


def held(body: str) -> Iterator[tuple[str, str, str]]:
    """Record, star and name of each member that is a record or points to one; of a union the first alone."""
    for member in members(body):
        opening = member.find("{")
        if opening >= 0:
            closing = closing_brace(member, opening)
            if not re.search(r"[A-Za-z]", member[closing:]):
                inner = held(member[opening + 1 : closing])
                yield from [*inner][:1] if re.match(r"\s*union\b", member) else inner
        elif found := MEMBER.fullmatch(member):
            yield found[1], found[2], found[3]


def parameters(head: str) -> Iterator[str]:
    """The parameters of a signature, from behind its opening parenthesis."""
    depth = start = 0
    for at, char in enumerate(head):
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
            if depth < 0:
                yield head[start:at]
                return
        elif char == "," and not depth:
            yield head[start:at]
            start = at + 1
