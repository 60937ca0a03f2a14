# SPDX-License-Identifier: GPL-2.0-only
"""The closed set of items that some entry points need, in order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from extractor.attributes import unsafe
from extractor.cast import Facts, facts, strip_comments
from extractor.conditions import holds
from extractor.errors import ExtractError
from extractor.fragments import fragments, names, statements
from extractor.items import Item, SourceLine

# What only the kernel's own headers may say; `%:` is a `#`. gcc takes a form feed and its like for blanks.
BLANK = r"[ \t\f\v\r\0]*"
DIRECTIVE = re.compile(
    rf"^{BLANK}(?:#|%:){BLANK}(include\w*|import|embed|pragma|line|ident|sccs|assert|unassert|\d+)\b|"
    r"\b(_Pragma|__has_include|__has_include_next|__has_embed)\b",
    re.M,
)


@dataclass(frozen=True)
class Unresolved:
    """A name that neither patch nor shims define, and where it is used."""

    name: str
    user: str
    file: str
    line: int
    reason: str


@dataclass(frozen=True)
class Shown:
    """What can stand in a function's body of one fragment: consecutive lines of the post-image."""

    item: Item
    lines: tuple[SourceLine, ...]


@dataclass(frozen=True)
class Slice:
    """What a subject is made of.

    `items` are complete, live and in file and line order; `extensions` are the record fragments;
    `outside` are the names that shims (or nothing) must define, with their first user;
    `needs` gives each function's own references within the slice. `shown` are the statements of
    functions that the patch shows in part, by name, each fragment for itself. Of a `unit` (a kernel
    tree's) the items are in the order of its files as a compiler includes them; `declared` are what its
    headers only declare, `beyond` the names that these have: their bodies are in other files; `shims`
    are the shim headers that it needs, `tags` the records of which pointers alone are used.
    """

    items: tuple[Item, ...]
    extensions: tuple[Item, ...]
    includes: tuple[Item, ...]
    outside: Mapping[str, Unresolved]
    needs: Mapping[str, frozenset[str]]
    unresolved: tuple[Unresolved, ...]
    shown: Mapping[str, tuple[Shown, ...]] = field(default_factory=dict)
    unit: bool = False
    beyond: Mapping[str, Item] = field(default_factory=dict)
    shims: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, Unresolved] = field(default_factory=dict)
    replaced: tuple[str, ...] = ()  # shim headers in whose place the tree's own text is

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of the patch's own functions in the slice."""
        return tuple(item.name for item in self.items if item.kind == "function")

    @property
    def parts(self) -> tuple[Shown, ...]:
        """What is shown of functions, in order."""
        return tuple(part for parts in self.shown.values() for part in parts)

    @property
    def code(self) -> tuple[Item, ...]:
        """Its items, and what is shown of functions as if these were whole."""
        return (*self.items, *(replace(part.item, lines=part.lines) for part in self.parts))

    def reached(self, names: Iterable[str]) -> tuple[str, ...]:
        """`names`, and every name that these need, directly or not, each once."""
        found = dict.fromkeys(names)
        todo = list(found)
        while todo:
            more = [name for name in self.needs.get(todo.pop(), ()) if name not in found]
            found |= dict.fromkeys(more)
            todo += more
        return tuple(found)

    def dependents(self, names: Iterable[str]) -> frozenset[str]:
        """Every item of the slice that needs one of `names`, directly or not; `names` included."""
        found = set(names)
        while more := {user for user, needs in self.needs.items() if needs & found} - found:
            found |= more
        return frozenset(found)


DEFINES = ("function", "macro", "record", "typedef", "variable")


def live_items(items: Sequence[Item], config: Mapping[str, bool]) -> list[Item]:
    """The items that exist under `config`; those whose condition cannot be known are left out."""
    return [item for item in items if holds(item.condition, config)]


def definitions(items: Sequence[Item], config: Mapping[str, bool]) -> dict[str, Item]:
    """Complete live definitions by name; of several, the last."""
    return {
        item.name: item
        for item in live_items(items, config)
        if item.kind in DEFINES and item.completeness == "complete"
    }


def cut(
    items: Sequence[Item],
    entries: Iterable[str],
    config: Mapping[str, bool],
    within: Iterable[str] = (),
    given: Set[str] = frozenset(),
) -> Slice:
    """The slice that `entries` (any identifiers) need from `items` under `config`.

    `within` names functions of which fragments are wanted where no item defines them whole; `given` are
    names that stand ready, unless the patch adds a definition of its own. ExtractError for code that
    must not be compiled: inline assembly, linker attributes.
    """
    defined = {
        name: item
        for name, item in definitions(items, config).items()
        if (name not in given or item.origin == "added") and not name.startswith("CONFIG_")
    }  # fmt: skip  (options are set from outside)
    refuse_keywords(defined.values())
    partly = {i.name: i for i in live_items(items, config) if i.completeness != "complete"}
    chosen: dict[str, Item] = {}
    needs: dict[str, frozenset[str]] = {}
    outside: dict[str, Unresolved] = {}
    unresolved: list[Unresolved] = []
    extensions = tuple(i for i in items if i.kind == "record" and i.completeness == "fragment")
    for extension in extensions:
        refuse_unsafe(extension)
    # Fields that a patch adds may be of types that it adds, which no function need mention.
    fields = {word for item in extensions for line in item.lines if line.origin == "added"
              for word in re.findall(r"[A-Za-z_]\w*", strip_comments(line.text))}  # fmt: skip
    shown: dict[str, tuple[Shown, ...]] = {}
    for name in within:
        if name in defined:
            continue
        parts, lost = shown_parts(items, name, config)
        unresolved += lost
        shown |= {name: parts} if parts and not lost else {}
    for name, parts in shown.items():
        needs[name] = frozenset().union(*(names(part.lines) for part in parts))
    said = [*entries, *sorted(fields), *sorted(frozenset().union(*needs.values()))]
    todo = [name for name in said if name in defined]
    while todo:
        name = todo.pop()
        if name in chosen:
            continue
        item = defined[name]
        refuse_unsafe(item)
        facts_of = facts(item)
        chosen[name] = item
        needs[name] = facts_of.names
        for other in sorted(facts_of.names):
            if other in defined:
                todo.append(other)
            elif other in given:
                continue
            elif other in partly and partly[other].kind == "function":
                unresolved.append(_use(other, facts_of, item, "the patch shows only a part of it"))
            else:
                outside.setdefault(other, _use(other, facts_of, item, "no shim for it"))
    order = {id(item): n for n, item in enumerate(items)}
    return Slice(
        tuple(sorted(chosen.values(), key=lambda item: order[id(item)])),
        extensions,
        tuple(
            i
            for i in items
            # A condition that cannot be known here (__GENERATING_BOUNDS_H) does not hide an include.
            if i.kind == "include" and i.origin == "added" and holds(i.condition, config) is not False
        ),
        outside,
        needs,
        tuple(unresolved),
        shown,
    )


def shown_parts(
    items: Sequence[Item], name: str, config: Mapping[str, bool]
) -> tuple[tuple[Shown, ...], list[Unresolved]]:
    """The fragments of function `name`, and those of which no statements can be made.

    ExtractError where one holds what must not be compiled.
    """
    parts: list[Shown] = []
    lost: list[Unresolved] = []
    for item in fragments(items, name, config):
        refuse_unsafe(item)
        try:
            parts.append(Shown(item, statements(item)))
        except ExtractError as err:
            lost.append(Unresolved("", name, item.file, err.line or item.line, err.message))
    return tuple(parts), lost


def _use(name: str, said: Facts, item: Item, reason: str) -> Unresolved:
    return Unresolved(name, item.name, item.file, said.lines.get(name, item.line), reason)


def refuse_unsafe(item: Item) -> None:
    """ExtractError where `item` holds what must never be compiled here."""
    text = strip_comments(spliced(item.text))
    found = next(unsafe(text), None)
    if found:
        raise ExtractError(
            f"{item.name} uses {found[1]}, which is not compiled for a check",
            file=item.file,
            line=item.lines[0].number + text.count("\n", 0, found[0]),
            hint="such code cannot be checked in userspace",
        )
    directive = None if item.kind == "include" else DIRECTIVE.search(text)
    if directive:
        raise ExtractError(
            f"{item.name} has {directive[2] or '#' + directive[1]} inside",
            file=item.file,
            line=item.lines[0].number + text.count("\n", 0, directive.start()),
            hint="such code is not compiled for a check",
        )


KEYWORDS = frozenset(
    """auto break case char const continue default do double else enum extern float for goto if int long
    register return short signed sizeof static struct switch typedef union unsigned void volatile while
    _Alignas _Alignof _Atomic _Bool _Generic _Static_assert _Thread_local""".split()
)


def refuse_keywords(items: Iterable[Item]) -> None:
    """ExtractError where a patch gives a word of C another meaning, which would be all code's."""
    for item in items:
        if item.kind == "macro" and item.origin == "added" and item.name in KEYWORDS:
            raise ExtractError(f"the macro {item.name} changes the language", file=item.file, line=item.line,
                               hint="such code is not compiled for a check")  # fmt: skip


def spliced(text: str) -> str:
    """Lines that go on behind a backslash as one, before comments are known, as C has it.

    The newlines stand after it, so that what follows keeps its line.
    """
    lines: list[str] = []
    held: list[str] = []
    for line in text.split("\n"):
        said = line.rstrip(" \t\f\v\r\0")
        if said.endswith("\\"):
            held.append(said[:-1])
            continue
        lines += ["".join([*held, line]), *[""] * len(held)]
        held = []
    return "\n".join([*lines, *held])
