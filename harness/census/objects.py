# SPDX-License-Identifier: GPL-2.0-only
"""The objects that a census calls a function on, as C."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from extractor.cast import strip_comments, tokens
from extractor.cut_records import closing_brace, members
from extractor.items import Item

POINTED = re.compile(r"\b((?:struct|union) \w+)\s*(?:const\s*)?\*\s*(?:const\s+)?\w*$")
VOID = re.compile(r"\bvoid\b")
NAME = re.compile(r"[A-Za-z_]\w*")
DEPTH, FILLS = 3, 100
# What a stranger's records may nest and mention; the kernel's stay far below.
NESTED, LOOKED = 20, 500


def call_of(item: Item, records: Mapping[str, Item]) -> dict[str, Any]:
    """How the census calls a function: its parameters, each as a variable, and what pointers lead to."""
    at = item.signature.find(item.name)
    opening = item.signature.find("(", at)
    found: list[dict[str, Any]] = []
    for text in parameters(item.signature[opening + 1 :] if opening >= 0 else ")"):
        said = text.strip()
        name = "" if said in ("void", "", "...") else parameter_name(said)
        if name:
            pointer = "*" in said or "[" in said
            found.append(
                {"declaration": declared(said, name), "name": name, "pointer": pointer, "text": said}
            )
    fills: list[str] = []
    for parameter in found:
        if record := POINTED.search(parameter["text"]):
            fill(fills, f"{parameter['name']}->", record[1], records, len(found))
    return {
        "name": item.name,
        "void": bool(VOID.search(item.signature[:at].rpartition("*")[2])),
        "parameters": found,
        "arguments": ", ".join(p["name"] for p in found),
        "fills": fills,
        "objects": len(found) + len(fills),
    }


def parameter_name(said: str) -> str:
    """The name that a parameter declares; empty for none."""
    words = [word for word, _ in tokens(said)]
    for at, word in enumerate(words[:-2]):
        if word == "(" and words[at + 1] == "*" and NAME.fullmatch(words[at + 2]):
            return words[at + 2]
    while words and words[-1] == "]":
        while words and words.pop() != "[":
            pass
    return words[-1] if words and NAME.fullmatch(words[-1]) else ""


def declared(said: str, name: str) -> str:
    """A parameter's declaration as that of a variable: what is an array is a pointer."""
    head, bracket, rest = said.partition("[")
    head = head.rstrip()
    if not bracket or not head.endswith(name):
        return said
    return f"{head.removesuffix(name)}*{name}{rest.partition(']')[2]}"


def fill(fills: list[str], to: str, record: str, records: Mapping[str, Item], used: int) -> None:
    """C that lets the pointers to records in the record `to` lead to objects, and theirs.

    `to` is C up to a member's name.
    """
    open_records = [(to, members_of(record, records), 0)]
    looked = 1
    while open_records and len(fills) <= FILLS and looked <= LOOKED:
        to, left, depth = open_records[-1]
        kind, star, name = next(left, ("", "", ""))
        if not kind:
            open_records.pop()
        elif not star:
            open_records.append((f"{to}{name}.", members_of(kind, records), depth))
            looked += 1
        elif kind.startswith(("struct ", "union ")):
            member = f"{to}{name}"
            fills.append(f"*(void **)(void *)&{member} = kc_object({used + len(fills)})")
            if depth < DEPTH:
                open_records.append((f"{member}->", members_of(kind, records), depth + 1))
                looked += 1


def members_of(record: str, records: Mapping[str, Item]) -> Iterator[tuple[str, str, str]]:
    """What held() says of a record that is known; nothing of another."""
    return iter(record_members(records[record].text) if record in records else ())


@lru_cache(4096)  # each function that takes a pointer to it looks at a record anew
def record_members(text: str) -> tuple[tuple[str, str, str], ...]:
    """Of a record's text what held() says."""
    plain = strip_comments(text)
    return tuple(held(plain[plain.find("{") + 1 : plain.rfind("}")]))


def held(body: str, depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """Record, star and name of each member that is a record or points to one; of a union the first alone."""
    for member in members(body) if depth < NESTED else ():
        opening = member.find("{")
        if opening >= 0:
            closing = closing_brace(member, opening)
            if closing >= 0 and not re.search(r"[A-Za-z]", member[closing:]):
                inner = [*held(member[opening + 1 : closing], depth + 1)]
                yield from inner[:1] if re.match(r"\s*union\b", member) else inner
        elif found := member_of([word for word, _ in tokens(member)]):
            yield found


def member_of(words: Sequence[str]) -> tuple[str, str, str] | None:
    """Record or type, star and name of a member whose tokens these are; None where it is of another kind."""
    plain = [*unannotated(words)]
    kind, rest = (
        (" ".join(plain[:2]), plain[2:]) if plain[0] in ("struct", "union") else (plain[0], plain[1:])
    )
    star = rest[0] if rest[:1] == ["*"] else ""
    rest = rest[1:] if star else rest
    if not kind.startswith(("struct ", "union ")) and not kind.endswith("_t"):
        return None
    return (kind, star, rest[0]) if NAME.fullmatch(rest[0]) and rest[1:] == [";", ""] else None


def unannotated(words: Sequence[str]) -> Iterator[str]:
    """Tokens without const, and without names such as __rcu with their arguments; then an empty one."""
    depth = 0
    before = ""
    for word in words:
        if word == "(" and (depth or before.startswith("__")):
            depth += 1
        elif word == ")" and depth:
            depth -= 1
        elif not depth and word != "const" and not word.startswith("__"):
            yield word
        before = word
    yield ""


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
