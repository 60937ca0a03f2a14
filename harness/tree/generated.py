# SPDX-License-Identifier: GPL-2.0-only
"""Functions that macros generate, such as PAGEFLAG(Locked, locked, PF_NO_TAIL): expanded by gcc.

Only the macros that generate something are given to gcc, so that what they mention (VM_BUG_ON_PAGE and
the like) stays as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

from extractor.cast import macro_parts, strip_comments
from extractor.items import Item
from extractor.scan import mask, scan_file
from extractor.unit import ITSELF, WITH_ARGUMENTS, WORD, constants, one_a_line
from harness.build import run_compiler
from harness.errors import HarnessError

CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*\(")
ASSERTION = re.compile(r"\b(?:_S|s)tatic_assert\s*\(")
MARK = "kc_generated_"
MADE = ("declaration", "record", "variable")


class Generators:
    """The macros among `items` that generate functions or assertions where they are called."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.macros = {item.name: item for item in items if item.kind == "macro"}
        self.known: dict[str, bool] = {}
        self.said: dict[str, tuple[bool, list[str]]] = {}

    def calls(self, name: str) -> tuple[bool, list[str]]:
        """Whether a macro's own text has a function's body, and which macros it calls outside of brackets."""
        if name not in self.said:
            body = macro_parts(strip_comments(self.macros[name].text))[1]
            self.said[name] = has_body(body), [n for n in outer_calls(body) if n in self.macros]
        return self.said[name]

    def generates(self, name: str) -> bool:
        """Whether the macro's text has a function's body, or calls a macro whose text has."""
        if name not in self.known:
            seen: set[str] = set()
            todo = [name] if name in self.macros else []
            found = False
            while todo and not found:  # no recursion: a patch may chain macros as it likes
                each = todo.pop()
                if each not in seen:
                    seen.add(each)
                    found, more = self.calls(each)
                    todo += more
            self.known[name] = found
        return self.known[name]

    def needed(self, name: str) -> set[str]:
        """The macros that generate something in a call of `name`."""
        found: set[str] = set()
        todo = [name]
        while todo:
            name = todo.pop()
            if name not in found and self.generates(name):
                found.add(name)
                todo += self.calls(name)[1]
        return found


def has_body(text: str) -> bool:
    """Whether C has the body of a static function or record, or a static assertion."""
    static = False
    for match in re.finditer(r"\bstatic\b|[;{}]", text):
        if match[0] == "{" and static:
            return True
        static = match[0] == "static"
    return bool(ASSERTION.search(text))


def outer_calls(text: str) -> list[str]:
    """The names that are called outside of all brackets."""
    found: list[str] = []
    depth = 0
    for match in re.finditer(r"\b([A-Za-z_]\w*)\b\s*(?=\()|[(){}]", mask(text)):
        if match[1] and not depth:
            found.append(match[1])
        elif not match[1]:
            depth += 1 if match[0] in "({" else -1
    return found


def generated_items(items: Sequence[Item], folder: Path) -> tuple[list[Item], list[Item]]:
    """Each function that a macro call among `items` generates, and each call that makes assertions.

    A function's `lines` are those of the call, its `expansion` what gcc made of it; an assertion's too.
    """
    generators = Generators(items)
    calls = [
        (item, names)
        for item in items
        if item.kind in ("declaration", "variable") and CALL.match(item.signature) and balanced(item.text)
        if (names := [n for n in outer_calls(strip_comments(item.text)) if generators.generates(n)])
    ]
    if not calls:
        return [], []
    needed = [set().union(*map(generators.needed, names)) for _, names in calls]
    texts = expand([call for call, _ in calls], needed, generators.macros, folder)
    functions: list[Item] = []
    assertions: list[Item] = []
    for (call, _), text in zip(calls, texts, strict=True):
        found = [made for made in scan_file(call.file, one_a_line(text), "tree") if made.kind == "function"]
        functions += [
            replace(call, kind="function", name=made.name, signature=made.signature, expansion=made.text)
            for made in found
        ]
        if not found:
            assertions.append(replace(call, expansion=text))
    return functions, assertions


def with_constants(items: Sequence[Item], folder: Path) -> list[Item]:
    """`items`; enums whose constants macros name, as DECLARE_VMA_BIT(READ, 0) does, with gcc's expansion."""
    macros = {item.name: item for item in items if item.kind == "macro" and not ITSELF.fullmatch(item.text)}
    enums = [item for item in items if item.kind != "macro" and any(c in macros for c in constants(item))]
    texts = expand(enums, [reached(macros, item.text) for item in enums], macros, folder) if enums else ()
    made = {id(item): replace(item, expansion=text) for item, text in zip(enums, texts, strict=True)}
    return [made.get(id(item), item) for item in items]


def with_passing(items: Sequence[Item], folder: Path) -> list[Item]:
    """`items` in order; what macros make that are undefined later, as SUBSYS(memory) does, as made.

    Of such a macro the last definition before its call counts.
    """
    undone = {item.name for item in items if item.kind == "undef"}
    now: dict[str, Item] = {}
    calls: list[tuple[Item, list[Item]]] = []
    for item in items:
        if item.kind == "macro" and item.name in undone and WITH_ARGUMENTS.match(item.text):
            now[item.name] = item
        elif item.kind == "undef":
            now.pop(item.name, None)
        elif now and item.kind in MADE and (used := [now[w] for w in makers(item) if w in now]):
            calls.append((item, used))
    texts = [passing(number, item, used) for number, (item, used) in enumerate(calls)]
    made: dict[int, list[Item]] = {}
    for (call, _), text in zip(calls, preprocessed(texts, folder), strict=True):
        found = scan_file(call.file, one_a_line(text), "tree")
        if found and all(item.kind in MADE for item in found):
            made[id(call)] = [
                replace(item, lines=tuple(replace(line, number=call.line) for line in item.lines))
                for item in found
            ]
    return [each for item in items for each in made.get(id(item), [item])]


def makers(item: Item) -> set[str]:
    """The names that, where they are macros', make what an item is, or the constants of an enum."""
    call = CALL.match(item.signature)
    return {call[1]} if call else set(constants(item))


def passing(number: int, item: Item, macros: Sequence[Item]) -> str:
    """C in which `macros` are there for one item alone."""
    before = "\n".join(macro.text for macro in macros)
    after = "\n".join(f"#undef {macro.name}" for macro in macros)
    return f"{before}\n{MARK}{number}\n{item.text}\n{after}"


def reached(macros: Mapping[str, Item], text: str) -> set[str]:
    """The macros that `text` mentions, and those that these do."""
    found: set[str] = set()
    todo = WORD.findall(strip_comments(text))
    while todo:
        name = todo.pop()
        if name in macros and name not in found:
            found.add(name)
            todo += WORD.findall(macro_parts(strip_comments(macros[name].text))[1])
    return found


def balanced(text: str) -> bool:
    """Whether each bracket is closed: what is not would take in all that follows."""
    plain = mask(text)
    return plain.count("(") == plain.count(")") and plain.count("{") == plain.count("}")


def expand(
    items: Sequence[Item], needed: Iterable[Set[str]], macros: Mapping[str, Item], folder: Path
) -> Iterator[str]:
    """What gcc makes of each item's text, with those of the macros alone that any of them needs."""
    first = "\n".join(macros[name].text for name in sorted(set().union(*needed)))
    texts = [f"{MARK}{number}\n{item.text}" for number, item in enumerate(items)]
    return preprocessed([f"{first}\n{texts[0]}", *texts[1:]], folder)


def preprocessed(texts: Sequence[str], folder: Path) -> Iterator[str]:
    """What gcc makes of each text after its mark; each knows the macros of those before it."""
    if not texts:
        return iter(())
    source, out = folder / "generated.c", folder / "generated.i"
    source.write_text("\n".join(texts) + "\n")
    status, said = run_compiler(["-E", "-P", "-undef", "-w", source, "-o", out], folder)
    if status:
        raise HarnessError(f"the functions that macros generate cannot be read: {said.strip()[:200]}")
    parts = re.split(rf"\b{MARK}\d+\b", out.read_text(errors="replace"))[1:]
    if len(parts) != len(texts):
        raise HarnessError("the functions that macros generate cannot be read: a call is not closed")
    return map(str.strip, parts)
