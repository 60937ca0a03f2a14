# SPDX-License-Identifier: GPL-2.0-only
"""What the text of a slice says of fields and constants: which are touched, and with what."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from extractor.cast import facts, macro_parts, strip_comments
from extractor.items import Item
from extractor.scan import scan_file
from extractor.slice import Slice
from extractor.unit import names_of
from kernel_snippets import INCLUDE

TOUCHED = re.compile(r"(?:->|\.)\s*([A-Za-z_]\w*)")
FOLLOWED = re.compile(r"\b([A-Za-z_]\w*)\s*\)?\s*->")
RECORD = re.compile(r"\b(struct|union)\s+([A-Za-z_]\w*)")
BIT_NUMBER = re.compile(r"\b\w*_bit\w*\s*\(\s*(\w+)\s*,|\bBIT\w*\s*\(\s*(\w+)\s*\)")
SUFFIX = re.compile(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+\b")
OCTAL = re.compile(r"\b0([0-7]+)\b")
BIGGEST = 1 << 64
RELATION = r"(?:==|!=|<=?|>=?)"


@cache
def shim_items() -> Mapping[str, Item]:
    """The functions and macros of the shims by name, for what they touch."""
    found: dict[str, Item] = {}
    for path in sorted(INCLUDE.rglob("*.h")):
        name = str(path.relative_to(INCLUDE))
        for item in scan_file(name, path.read_text(), "context"):
            if item.kind in ("function", "macro"):
                found.setdefault(item.name, item)
    return found


@dataclass(frozen=True)
class Words:
    """The text of a slice, item by item, and the constants that its enums have."""

    piece: Slice
    enums: Mapping[str, int]

    @cached_property
    def own(self) -> Mapping[str, tuple[Item, ...]]:
        """The items of the slice by each of their names."""
        found: dict[str, tuple[Item, ...]] = {}
        for item in self.piece.items:
            for name in dict.fromkeys((item.name, *names_of(item))):
                found[name] = (*found.get(name, ()), item)
        return found

    @cached_property
    def known(self) -> dict[str, list[Item]]:
        """What `reach` found so far."""
        return {}

    def reach(self, name: str) -> list[Item]:
        """The functions and macros that `name` comes to, itself first, those of shims among them."""
        if name not in self.known:
            found: dict[int, Item] = {}
            todo, seen = [name], {name}
            while todo:
                at = todo.pop(0)
                items = self.own.get(at) or tuple(filter(None, [shim_items().get(at)]))
                for item in items:
                    # How shims tell the harness of warnings is no matter of the slice.
                    if item.kind not in ("function", "macro") or item.name.lower().startswith("kc_"):
                        continue
                    found[id(item)] = item
                    fresh = sorted(facts(item).names - seen)
                    seen.update(fresh)
                    todo += fresh
            self.known[name] = [*found.values()]
        return self.known[name]

    @cached_property
    def constants(self) -> Mapping[str, int]:
        """The values of enum constants, and of macros that are numbers."""
        found = dict(self.enums)
        macros = {item.name: macro_parts(code(item)) for item in self.piece.items if item.kind == "macro"}
        plain = {name: body for name, (parameters, body) in macros.items() if len(parameters) == 1}
        for _ in range(4):  # one may be made of others
            for name, body in plain.items():
                if name not in found and (value := evaluated(body, found)) is not None:
                    found[name] = value
        return found

    def named(self, items: Iterable[Item]) -> dict[str, int]:
        """The constants that items mention."""
        said = {name for item in items for name in facts(item).names}
        return {name: self.constants[name] for name in sorted(said & self.constants.keys())}


@cache
def code(item: Item) -> str:
    """An item's C without comments."""
    return strip_comments(item.expansion or item.text)


@cache
def touched(item: Item) -> frozenset[str]:
    """The fields that an item's text names."""
    return frozenset(TOUCHED.findall(code(item)))


@cache
def spoken(item: Item) -> frozenset[str]:
    """The records that an item's text speaks of, as `struct folio`."""
    return frozenset(" ".join(words) for words in RECORD.findall(code(item)))


def followed(items: Iterable[Item]) -> set[str]:
    """The names that are gone through: `p->`."""
    return {name for item in items for name in FOLLOWED.findall(code(item))}


def bit_numbers(items: Iterable[Item]) -> set[str]:
    """The constants that are numbers of bits there."""
    return {a or b for item in items for a, b in BIT_NUMBER.findall(code(item))}


def compared(item: Item, name: str, constants: Mapping[str, int]) -> Iterator[int]:
    """The numbers that an item compares a parameter with."""
    text = code(item)
    word, name = r"(-?\w+)", re.escape(name)
    after = re.findall(rf"(?<![\w.>])\b{name}\b\s*{RELATION}\s*{word}", text)
    before = re.findall(rf"{word}\s*{RELATION}\s*{name}\b(?!\s*(?:->|\.|\[))", text)
    switched = re.search(rf"switch\s*\(\s*{name}\s*\)", text)
    cases = re.findall(rf"\bcase\s+{word}\s*:", text) if switched else []
    for said in (*after, *before, *cases):
        value = evaluated(said, constants)
        if value is not None:
            yield value


def evaluated(text: str, constants: Mapping[str, int]) -> int | None:
    """What C that is made of numbers and operators comes to; None of all other C."""
    if len(text) > 200:
        return None
    said = " ".join(text.replace("\\\n", " ").split())
    said = re.sub(r"\b(?:BIT|BIT_ULL|_BITUL|_BITULL)\s*\(", "(1 << ", said)
    said = OCTAL.sub(r"0o\1", SUFFIX.sub(r"\1", said))
    try:
        with warnings.catch_warnings():  # Python's own, of what is no C either
            warnings.simplefilter("ignore")
            tree = ast.parse(said, mode="eval")
        return folded(tree.body, constants)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def folded(node: ast.expr, constants: Mapping[str, int]) -> int:
    """The value of an expression; ValueError where it has none."""
    if isinstance(node, ast.Constant) and type(node.value) is int and abs(node.value) < BIGGEST:
        return node.value
    if isinstance(node, ast.Name) and node.id in constants:
        return constants[node.id]
    if isinstance(node, ast.UnaryOp):
        inner = folded(node.operand, constants)
        signs = {ast.USub: -inner, ast.UAdd: inner, ast.Invert: ~inner}
        if type(node.op) in signs:
            return signs[type(node.op)]
    if isinstance(node, ast.BinOp):
        left, right = folded(node.left, constants), folded(node.right, constants)
        made = combined(node.op, left, right)
        if made is not None and abs(made) < BIGGEST:
            return made
    raise ValueError


def combined(operator: ast.operator, left: int, right: int) -> int | None:
    """An operator's result; None of operators that are not for constants."""
    if isinstance(operator, (ast.LShift, ast.RShift)):
        if not 0 <= right < 64:
            return None
        return left << right if isinstance(operator, ast.LShift) else left >> right
    results = {
        ast.Add: left + right, ast.Sub: left - right, ast.Mult: left * right,
        ast.BitAnd: left & right, ast.BitOr: left | right, ast.BitXor: left ^ right,
    }  # fmt: skip
    return results.get(type(operator))
