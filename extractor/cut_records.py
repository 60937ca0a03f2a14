# SPDX-License-Identifier: GPL-2.0-only
"""Cuts a record of a tree down to the fields that a slice touches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, field, replace

from extractor.cast import FIELD_MACRO, strip_comments, tokens
from extractor.items import Item
from extractor.scan import declarators, mask

NAME = re.compile(r"[A-Za-z_]\w*")
DIRECTIVES = r"^[ \t]*#(?:\\\n|[^\n])*\n?"


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


@dataclass
class Member:
    """A member of a record by its offsets; one with a body has `inner` members between its braces."""

    start: int
    end: int = -1
    opening: int = -1
    closing: int = -1
    inner: list[Member] = field(default_factory=list)
    directive: bool = False
    keep: str = ""  # "whole", "part" (of its body), or "" for not at all


def cut_record(item: Item, touched: Set[str]) -> Item:
    """A struct or union with the members named in `touched` alone; the dropped ones are blank.

    It stays as it is where a kept member shows where it lies: a bit-field, an array without a size; so does
    a union inside of it of which several members are kept. An enum, and a record whose end is not shown,
    stay too. Lines that become blank are left out.
    """
    text = strip_comments(item.text)
    record = parsed(text)
    if record is None or is_enum(text, record):
        return item
    for member in inside_out(record):
        member.keep = kept(text, member, touched)
    if record.keep == "whole":
        return item
    left = list(outlines(record))
    if any(shows_its_place(text[member.start : member.end]) for member in left if member.keep):
        return item
    parts: list[str] = []
    at = 0
    for member in left:
        if not member.keep:
            parts += [text[at : member.start], blanks(text[member.start : member.end])]
            at = member.end
    cut = "".join([*parts, text[at:]])
    lines = [
        replace(line, text=said.rstrip()) for line, said in zip(item.lines, cut.split("\n"), strict=True)
    ]
    return replace(item, lines=tuple(line for line in lines if line.text))


def overlaid(item: Item) -> str:
    """The text of the unions of a record that have several members: these lie on each other."""
    text = strip_comments(item.text)
    parts: list[str] = []
    todo = [record] if (record := parsed(text)) else []
    while todo:
        member = todo.pop()
        if is_union(text, member) and len(member.inner) > 1:
            parts.append(text[member.opening : member.closing + 1])
        else:
            todo += member.inner
    return " ".join(parts)


def parsed(text: str) -> Member | None:
    """The record that comment-free `text` defines, with its members; None where no body is whole."""
    record = Member(0, len(text))
    opened = [record]  # the records around, each to get its closing brace
    at: list[Member] = []  # of each of them, the member at hand
    parens = 0
    for match in re.finditer(rf"[(){{}};]|{DIRECTIVES}", mask(text), re.M):
        mark, end = match[0], match.end()
        if mark in ("(", ")"):
            parens = max(parens + (1 if mark == "(" else -1), 0)
        elif parens and mark not in ("{", "}"):
            continue  # a macro's argument
        elif mark == "{" and not parens:
            if at:
                opened.append(at[-1])
            opened[-1].opening = match.start()
            at.append(Member(end))
        elif mark == "}" and not parens and at:
            add_member(text, opened[-1], at.pop(), match.start())
            opened[-1].closing = match.start()
            if not at:
                return record
            opened.pop()
        elif mark == ";" and at:
            at[-1] = add_member(text, opened[-1], at[-1], end)
        elif mark.lstrip().startswith("#") and at and at[-1].opening < 0:
            at[-1] = add_member(text, opened[-1], at[-1], match.start())
            opened[-1].inner.append(Member(match.start(), end, directive=True))
            at[-1] = Member(end)
    return None


def add_member(text: str, record: Member, member: Member, end: int) -> Member:
    """Ends a member of `record`, and gives the next; nothing but blanks is none."""
    member.end = end
    if text[member.start : end].strip():
        record.inner.append(member)
    return Member(end)


def inside_out(record: Member) -> Iterator[Member]:
    """Every member with a body or without, each after those inside of it, and at last the record."""
    found: list[Member] = []
    todo = [record]
    while todo:
        found.append(todo.pop())
        todo += found[-1].inner
    return reversed(found)


def outlines(record: Member) -> Iterator[Member]:
    """The members that are kept or dropped as a whole, in order."""
    todo = [record]
    while todo:
        member = todo.pop()
        if member.keep == "part":
            todo += reversed(member.inner)
        elif member is not record:
            yield member
        else:
            todo += reversed(record.inner)


def kept(text: str, member: Member, touched: Set[str]) -> str:
    """How much of a member stays, where that is known of those inside of it."""
    if member.directive:
        return "whole"
    if member.opening < 0:
        return "whole" if is_touched(text[member.start : member.end], touched) else ""
    if is_enum(text, member):  # its constants are used without it
        return "whole"
    inner = [each for each in member.inner if each.keep and not each.directive]
    if is_union(text, member) and len(inner) > 1:
        return "whole"
    if inner:
        return "part"
    return "whole" if set(NAME.findall(text[member.closing : member.end])) & touched else ""


def head_of(text: str, member: Member) -> list[str]:
    """The words before a member's body."""
    return NAME.findall(text[member.start : member.opening])


def is_enum(text: str, member: Member) -> bool:
    """Whether a member, or a record, is an enum."""
    return "enum" in head_of(text, member)


def is_union(text: str, member: Member) -> bool:
    """Whether what is in a member, or a record, lies on each other."""
    return member.opening >= 0 and "union" in head_of(text, member)


def shows_its_place(text: str) -> bool:
    """Whether a member is a bit-field, or an array without a size, which must have something before it."""
    depth = 0
    before = ""
    for word, _ in tokens(text):
        if (before == "[" and word == "]") or word == "DECLARE_FLEX_ARRAY" or (word == ":" and not depth):
            return True
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(word, 0)
        before = word
    return False


def closing_brace(text: str, opening: int) -> int:
    """The index of the brace that closes the one at `opening`; -1 for none."""
    depth = 0
    for match in re.finditer(r"[{}]", mask(text[opening:])):
        depth += 1 if match[0] == "{" else -1
        if not depth:
            return opening + match.start()
    return -1


def members(inner: str) -> Iterator[str]:
    """The parts of a record's body: each declaration up to its semicolon, each directive."""
    depth = start = 0
    for match in re.finditer(rf"[(){{}};]|{DIRECTIVES}", mask(inner), re.M):
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


def blanks(text: str) -> str:
    """`text` as blanks, its lines kept."""
    return re.sub(r"[^\n]", " ", text)
