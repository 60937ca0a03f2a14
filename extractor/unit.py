# SPDX-License-Identifier: GPL-2.0-only
"""The items of one translation unit of a kernel tree, by name and in a compiler's order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from extractor.cast import C_KEYWORDS, strip_comments
from extractor.items import Item, SourceLine
from extractor.regions import Region
from extractor.scan import (
    Conditions,
    commented_lines,
    declarators,
    function_head,
    mask,
    scan_file,
    scan_region,
)

# A macro that says no more than that there is a function of this name.
ITSELF = re.compile(r"\s*#\s*define\s+(\w+)\s+\1\s*")
WITH_ARGUMENTS = re.compile(r"\s*#\s*define\s+\w+\(")
WORD = re.compile(r"[A-Za-z_]\w*")
SAVES = re.compile(r'[ \t]*#[ \t]*pragma[ \t]+(push|pop)_macro[ \t]*\([ \t]*"(\w+)"[ \t]*\)')
SEVERAL = re.compile(
    r"^(?:[A-Za-z_}]|[ \t]+(?:extern|typedef|static|struct|union|enum)\b)[^\n]*[;}][ \t]*[A-Za-z_]", re.M
)
LAST = 1 << 62  # the place of what no file of the unit includes


def live_items(file: str, text: Sequence[SourceLine], live: Mapping[int, int]) -> list[Item]:
    """The items of a file of which only the lines in `live` exist; the others are blank.

    A line that a directive goes on to, behind a backslash or in a comment, exists where the directive does.
    """
    lines: list[SourceLine] = []
    directive = goes_on = comment = False
    for line in text:
        there = line.number in live or goes_on or comment
        directive = goes_on or line.text.lstrip().startswith("#")
        goes_on = there and line.text.rstrip().endswith("\\")
        if comment:
            comment = "*/" not in line.text
        elif there and directive and "/*" in line.text:
            comment = bool(commented_lines(f"{line.text}\n"))  # it is still open at the line's end
        lines.append(line if there else SourceLine("", line.number, line.origin))
    return [*scanned(file, tuple(lines))]


@lru_cache(maxsize=1 << 14)
def scanned(file: str, lines: tuple[SourceLine, ...]) -> tuple[Item, ...]:
    """The items of lines; those of a tree are mostly the same in each configuration."""
    saves = [
        Item("undef", found[2], file, (line,), line.origin, (), "complete", f"{found[1]}_macro")
        for line in lines
        if (found := SAVES.match(line.text))
    ]
    return (*scan_region(Region(file, tuple(one_each(lines))), Conditions()), *saves)


def one_each(lines: Sequence[SourceLine]) -> Iterator[SourceLine]:
    """`lines`, in each the end of at most one declaration or function: a second has a line of its own."""
    text = "\n".join(line.text for line in lines)
    if not SEVERAL.search(text):  # as in nearly all files, and to look closer takes time
        yield from lines
        return
    masked = mask(text).split("\n")
    braces = parens = 0
    head: list[str] = []  # of what is declared here, up to its first brace
    directive = False
    for line, code in zip(lines, masked, strict=True):
        directive = directive or (code[:1] in " \t#" and code.lstrip().startswith("#"))
        start = 0
        if directive or not code or (braces and "}" not in code):  # most lines
            braces += 0 if directive else code.count("{")
            directive = directive and line.text.rstrip().endswith("\\")
            yield line
            continue
        for match in re.finditer(r"[(){};]|[^(){};]+", code):
            mark = match[0]
            if not braces:
                head.append(mark)
                parens = max(parens + {"(": 1, ")": -1}.get(mark, 0), 0)
            braces = max(braces + {"{": 1, "}": -1}.get(mark, 0), 0)
            if not braces and ((mark == ";" and not parens) or (mark == "}" and is_body(head))):
                head = []
                parens = 0
                after = code[match.end() :].lstrip()
                if after and after[0] not in ";}":
                    yield replace(line, text=line.text[start : match.end()])
                    start = match.end()
        head.append("\n")
        yield replace(line, text=line.text[start:]) if start else line


def is_body(head: Sequence[str]) -> bool:
    """Whether a `{` behind what is declared begins the body of a function."""
    return function_head("".join(head).partition("{")[0])


def changed_names(file: str, before: str, after: Sequence[SourceLine]) -> frozenset[str]:
    """The names of a file's items whose text is not as it was, lines that were only taken away included."""
    old = {(item.name, item.text) for item in scan_file(file, before, "tree")}
    items = scan_region(Region(file, tuple(after)), Conditions())
    return frozenset(i.name for i in items if i.kind in DEFINES and (i.name, i.text) not in old)


@dataclass(frozen=True)
class Unit:
    """A translation unit: its items in order, the functions that macros generate among them.

    `assertions` are calls that expand to static_assert; `order` gives each line's place in the unit;
    `options` is the configuration, as C values.
    """

    items: tuple[Item, ...]
    assertions: tuple[Item, ...] = ()
    order: Mapping[str, Mapping[int, int]] = field(default_factory=dict, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)

    def place(self, item: Item) -> tuple[int, str, int]:
        """Where the compiler meets `item`; what a patch adds to a .c file is behind all headers."""
        lines = self.order.get(item.file)
        if lines is None:
            return LAST, item.file, item.line
        return next((lines[ln.number] for ln in item.lines if ln.number in lines), 0), "", 0

    @cached_property
    def defined(self) -> Mapping[str, tuple[Item, ...]]:
        """What defines a name: functions, macros, records, typedefs, variables, the enum of a constant."""
        found: dict[str, list[Item]] = {}
        for item in self.items:
            if item.completeness != "complete" or is_extern(item) or item.kind not in DEFINES:
                continue
            if item.kind == "macro" and ITSELF.fullmatch(item.text):
                continue
            if item.kind == "variable" and (item.file, item.line) in self.calls:
                continue  # DEFINE_FREE(kfree, …) makes functions, none of which is kfree
            for name in names_of(item):
                found.setdefault(name, []).append(item)
        return {name: tuple(counting(items)) for name, items in found.items()}

    @cached_property
    def calls(self) -> Mapping[tuple[str, int], tuple[str, ...]]:
        """The functions that each macro call generates, by its file and line."""
        found: dict[tuple[str, int], tuple[str, ...]] = {}
        for item in self.items:
            if item.expansion and item.kind == "function":
                found[item.file, item.line] = (*found.get((item.file, item.line), ()), item.name)
        return found

    @cached_property
    def declared(self) -> Mapping[str, Item]:
        """What is only declared, as the unit's own headers do for other files: prototypes, extern data."""
        found: dict[str, Item] = {}
        for item in self.items:
            if item.kind == "declaration" and "(" in item.name:  # DECLARE_PER_CPU(type, name)
                if item.name.startswith("DECLARE_"):
                    for name in set(WORD.findall(item.signature)[1:]) - C_KEYWORDS:
                        found.setdefault(name, item)
            elif is_extern(item) or (item.kind == "declaration" and "(" in item.signature):
                found.setdefault(item.name, item)
        return found

    @cached_property
    def macros(self) -> frozenset[str]:
        """The macros that take arguments."""
        return frozenset(
            name
            for name, items in self.defined.items()
            if any(item.kind == "macro" and WITH_ARGUMENTS.match(item.text) for item in items)
        )

    @cached_property
    def announced(self) -> Mapping[str, Item]:
        """The static functions that are declared before they are defined, each with its first declaration."""
        found: dict[str, Item] = {}
        for item in self.items:
            if item.kind == "declaration" and re.search(r"\bstatic\b", item.signature):
                found.setdefault(item.name, item)
        return found

    @cached_property
    def asserted(self) -> frozenset[str]:
        """The records whose layout the unit's own assertions speak of."""
        said = " ".join(item.expansion for item in self.assertions)
        return frozenset(" ".join(m) for m in re.findall(r"\b(struct|union)\s+(\w+)", said))


DEFINES = ("function", "macro", "record", "typedef", "variable", "undef")


def is_extern(item: Item) -> bool:
    """A variable that is only declared."""
    return item.kind == "variable" and bool(re.match(r"\s*extern\b", item.signature))


def counting(items: Sequence[Item]) -> Iterator[Item]:
    """Of several definitions of a name those that count: the last, and every macro with what undoes it."""
    functions = [item for item in items if item.kind == "function"]
    macros = [item for item in items if item.kind in ("macro", "undef")]
    others = [item for item in items if item.kind not in ("function", "macro", "undef")]
    yield from functions[-1:] or others[-1:]
    if any(item.kind == "macro" for item in macros):
        # Each holds from its line on: what is used in between, or behind an #undef, is not the last one.
        yield from macros


def with_saved(items: Iterable[Item]) -> Iterator[Item]:
    """`items`, with what `#pragma pop_macro` brings back in its place: no pragma is compiled here."""
    now: dict[str, Item] = {}
    saved: dict[str, list[Item | None]] = {}
    for item in items:
        if item.signature == "push_macro":
            saved.setdefault(item.name, []).append(now.get(item.name))
        elif item.signature == "pop_macro":
            if stack := saved.get(item.name):
                yield from restored(item, stack.pop(), now)
        else:
            if item.kind == "macro":
                now[item.name] = item
            elif item.kind == "undef":
                now.pop(item.name, None)
            yield item


def restored(at: Item, macro: Item | None, now: dict[str, Item]) -> Iterator[Item]:
    """The directives that give a macro the meaning it had, on the line of the pragma `at`."""
    now.pop(at.name, None)
    line = at.lines[0]
    yield replace(at, lines=(replace(line, text=f"#undef {at.name}"),), signature=f"#undef {at.name}")
    if macro:
        now[at.name] = macro
        said = strip_comments(macro.text)
        text = " ".join(re.sub(r"\\[ \t]*\n", " ", said).split("\n")).rstrip()
        yield replace(macro, file=at.file, lines=(replace(line, text=text),))


def names_of(item: Item) -> tuple[str, ...]:
    """Every name that an item defines."""
    others: list[str] = []
    if item.kind == "typedef" and "," in item.text:
        # Behind a record that it defines; a function's parameters are no names.
        said = strip_comments(item.text).rpartition("}")[2].strip().removeprefix("typedef").rstrip("; ")
        said = said if "(" not in said else ""
        others = [name for name, _ in declarators(said if "}" not in item.text else f"int {said}")]
    found = dict.fromkeys((item.name, *others, *constants(item), *inner_tag(item)))
    return tuple(name for name in found if name not in C_KEYWORDS)


def constants(item: Item) -> Iterator[str]:
    """The constants of an enum, also of one in a typedef or a record."""
    said = item.expansion or item.text
    if item.kind not in ("record", "typedef", "variable") or "enum" not in said:
        return
    text = re.sub(r"^[ \t]*#[^\n]*", "", mask(said), flags=re.M)
    depth = 0
    expected = inside = headed = False
    for match in re.finditer(r"[A-Za-z_]\w*|[(){},;]", text):
        word = match[0]
        if not inside:  # between `enum` and its brace are names and what is said of them alone
            inside, headed = headed and word == "{", word == "enum" or (headed and word not in "{};")
            depth, expected = 0, True
        elif word in "{}":
            inside = False
        elif word in "()":
            depth += 1 if word == "(" else -1
        elif word == ",":
            expected = expected or not depth
        elif expected and not depth and word != ";":
            expected = False
            yield word


def inner_tag(item: Item) -> Iterator[str]:
    """The tags of records that are defined inside of a typedef, a variable or another record."""
    if item.kind in ("typedef", "record", "variable") and "{" in item.text:
        text = strip_comments(item.text)
        for kind, tag in re.findall(r"\b(struct|union|enum)\s+(\w+)\s*\{", text):
            if f"{kind} {tag}" != item.name:
                yield f"{kind} {tag}"


def one_a_line(text: str) -> str:
    """Text that a preprocessor made, with a line's end after each function and declaration."""
    parts: list[str] = []
    depth = start = 0
    for match in re.finditer(r"[(){};]", mask(text)):
        depth += {"(": 1, "{": 1, ")": -1, "}": -1, ";": 0}[match[0]]
        after = text[match.end() : match.end() + 2].lstrip()[:1]
        if depth == 0 and match[0] in "};" and after not in (";", ","):
            parts.append(text[start : match.end()] + "\n")
            start = match.end()
    return "".join([*parts, text[start:]])
