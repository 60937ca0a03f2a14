# SPDX-License-Identifier: GPL-2.0-only
"""Cuts a record of a tree down to the fields that a slice touches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import replace

from extractor.cast import FIELD_MACRO, strip_comments, tokens
from extractor.items import Item
from extractor.scan import declarators, mask

MOST_BRACES = 400  # of one record, which a hostile one nests; the largest of the kernel's have some 60
FLEXIBLE = re.compile(r"\[\s*\]\s*(?:__\w+\s*(?:\([^)]*\))?\s*)*;|\bDECLARE_FLEX_ARRAY\b")
NAME = re.compile(r"[A-Za-z_]\w*")


def touched_fields(text: str, macros: Set[str] = frozenset()) -> set[str]:
    """The names that `text` uses as fields: after . and ->, and as a macro's argument may be one."""
    words = [word for word, _ in tokens(strip_comments(text))]
    found: set[str] = set()
    calls: list[str] = []  # of each open parenthesis, what is called
    for at, word in enumerate(words):
        before = words[at - 1] if at else ""
        if word == "(":
            calls.append(before)
        elif word == ")" and calls:
            calls.pop()
        elif NAME.match(word):
            after = words[at + 1] if at + 1 < len(words) else ""
            called = calls[-1] if calls else ""
            alone = before in ("(", ",") and after in (")", ",", ".")
            if before in (".", "->") or (alone and (called in macros or FIELD_MACRO.fullmatch(called))):
                found.add(word)
    return found


def cut_record(item: Item, touched: Set[str]) -> Item:
    """A struct or union with the members named in `touched` alone; the dropped ones are blank.

    An enum, and a record whose end is not shown, stay as they are. Lines that become blank are left out.
    """
    text = strip_comments(item.text)
    opening = text.find("{")
    if text.count("{") > MOST_BRACES:
        return item
    if opening < 0 or re.match(r"\s*(typedef\s+)?enum\b", text):
        return item
    closing = matching(text, opening)
    if closing < 0:
        return item
    inner = cut_members(text[opening + 1 : closing], touched)
    if FLEXIBLE.search(inner):
        return item  # such an array must have something before it
    cut = text[: opening + 1] + inner + text[closing:]
    lines = [
        replace(line, text=said.rstrip()) for line, said in zip(item.lines, cut.split("\n"), strict=True)
    ]
    kept = tuple(line for line in lines if line.text)
    return replace(item, lines=kept)


def matching(text: str, opening: int) -> int:
    """The index of the brace that closes the one at `opening`; -1 for none."""
    depth = 0
    for match in re.finditer(r"[{}]", mask(text[opening:])):
        depth += 1 if match[0] == "{" else -1
        if not depth:
            return opening + match.start()
    return -1


def cut_members(inner: str, touched: Set[str]) -> str:
    """The members of a record's body, those that are not touched as blanks."""
    parts: list[str] = []
    for member in members(inner):
        opening = member.find("{")
        if member.lstrip().startswith("#"):
            parts.append(member)
        elif opening >= 0:
            closing = matching(member, opening)
            named = set(NAME.findall(member[closing:])) & touched
            nested = cut_members(member[opening + 1 : closing], touched)
            if not nested.strip() and named:
                nested = member[opening + 1 : closing]  # used as one thing
            keep = nested.strip() and closing >= 0
            parts.append(member[: opening + 1] + nested + member[closing:] if keep else blank(member))
        else:
            parts.append(member if is_touched(member, touched) else blank(member))
    return "".join(parts)


def members(inner: str) -> Iterator[str]:
    """The parts of a record's body: each declaration up to its semicolon, each directive."""
    depth = start = 0
    for match in re.finditer(r"[(){};]|^[ \t]*#(?:\\\n|[^\n])*\n?", mask(inner), re.M):
        if match[0].lstrip().startswith("#"):
            if not depth:
                if inner[start : match.start()]:
                    yield inner[start : match.start()]
                yield inner[match.start() : match.end()]
                start = match.end()
            continue
        depth += {"(": 1, "{": 1, ")": -1, "}": -1, ";": 0}[match[0]]
        if match[0] == ";" and not depth:
            yield inner[start : match.end()]
            start = match.end()
    if inner[start:]:
        yield inner[start:]


def is_touched(member: str, touched: Set[str]) -> bool:
    """Whether a declaration declares a touched field; a macro with members inside counts as one."""
    if ";" in member[: member.rstrip().rfind(";")]:  # struct_group(name, members)
        return bool(set(NAME.findall(member)) & touched)
    return any(name in touched for name, _ in declarators(member.rstrip().rstrip(";")))


def blank(text: str) -> str:
    """`text` as blanks, its lines kept."""
    return re.sub(r"[^\n]", " ", text)
