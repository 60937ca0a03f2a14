# SPDX-License-Identifier: GPL-2.0-only
"""The options of Kconfig items as data: what each depends on, and how it can come to be set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from extractor.items import Item
from extractor.kconfig_language import YES, Expression, Value, both, evaluate, negated, parse

TYPES = ("bool", "tristate", "int", "hex", "string")
HEAD = re.compile(r"(?:menu)?config\s+(\w+)\s*$")
LINE = re.compile(
    r"(bool|tristate|int|hex|string|def_bool|def_tristate|prompt|depends\s+on|select|imply|default)\b\s*(.*)$"
)
PROMPT = re.compile(r"(\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')\s*(?:if\b\s*(.*))?$")
CONDITIONAL = re.compile(r"((?:\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[^\"'])*?)(?:\s*\bif\b\s*(.*))?$")
COMMENT = re.compile(r"(\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|#.*")
LONGEST = 2000  # characters of a line; longer ones are nobody's Kconfig


@dataclass(frozen=True)
class Clause:
    """One attribute: a dependency, a default, a selected option, or a prompt (whose value is y)."""

    value: Expression
    when: Expression  # its own `if`
    text: str
    line: int


@dataclass(frozen=True)
class Option:
    """One entry of a Kconfig file.

    `around` are the conditions of the `if` and `menu` blocks that are shown around it. `complete`
    where the whole entry is shown and every line of it was understood.
    """

    name: str
    file: str
    line: int
    type: str
    prompts: tuple[Clause, ...]
    depends: tuple[Clause, ...]
    defaults: tuple[Clause, ...]
    selects: tuple[Clause, ...]
    implies: tuple[Clause, ...]
    around: tuple[Expression, ...]
    complete: bool
    added: bool

    @property
    def dependency(self) -> Expression:
        """All that it depends on."""
        return both(*self.around, *(clause.value for clause in self.depends))


@dataclass(frozen=True)
class Way:
    """One way in which an option can come to be set: `by` its prompt, its default, or another option."""

    by: str  # "prompt", "default", "select", "imply"
    expression: Expression
    file: str
    line: int
    text: str
    certain: bool = True  # False: of the option that selects it, not all is shown


MOST_CLAUSES = 64  # of an entry that anybody reads


def options(items: Sequence[Item]) -> list[Option]:
    """The options among `items`, in their order; entries without their first line are left out."""
    found = (option_of(item) for item in items if item.kind == "kconfig")
    return [option for option in found if option]


def option_of(item: Item) -> Option | None:
    """The option that a Kconfig item shows."""
    if not HEAD.match(item.lines[0].text.strip()):
        return None
    kinds: dict[str, list[Clause]] = {"prompt": [], "depends": [], "default": [], "select": [], "imply": []}
    type_ = ""
    understood = True
    for number, said in attribute_lines(item):
        match = LINE.match(said)
        clauses = list(clauses_of(match[1], match[2], said, number)) if match else []
        # A type alone (`bool`) makes no clause.
        understood = understood and (
            bool(clauses) or said in TYPES or bool(re.match(r"range\b|modules$", said))
        )
        if match and match[1].removeprefix("def_") in TYPES:
            type_ = match[1].removeprefix("def_")
        for kind, clause in clauses:
            kinds[kind].append(clause)
    if sum(map(len, kinds.values())) > MOST_CLAUSES:
        understood, kinds = False, {kind: clauses[:1] for kind, clauses in kinds.items()}
    around = [parse(text) for text in item.condition]
    known = [expression for expression in around if expression]
    whole = item.completeness == "complete" and understood and len(known) == len(around)
    return Option(item.name, item.file, item.lines[0].number, type_, tuple(kinds["prompt"]),
                  tuple(kinds["depends"]), tuple(kinds["default"]), tuple(kinds["select"]),
                  tuple(kinds["imply"]), tuple(known), whole, item.lines[0].origin == "added")  # fmt: skip


def attribute_lines(item: Item) -> Iterator[tuple[int, str]]:
    """Number and text of each attribute line: comments and help left out, continued lines joined."""
    held, start = "", 0
    help_indent: int | None = None  # -1: of the line that comes next
    for line in item.lines[1:]:
        text = line.text.expandtabs(8)
        indent = len(text) - len(text.lstrip())
        if help_indent is not None:
            if not text.strip():
                continue
            help_indent = indent if help_indent < 0 else help_indent
            if indent >= help_indent > 0:
                continue
            help_indent = None
        said = COMMENT.sub(lambda m: m[1] or "", text[:LONGEST]).strip()
        if said.strip("-") == "help":
            help_indent = -1
            continue
        start = start if held else line.number
        held += said.removesuffix("\\").rstrip() + " "
        if said.endswith("\\"):
            continue
        if held.strip():
            yield start, " ".join(held.split())
        held = ""


def clauses_of(word: str, rest: str, said: str, line: int) -> Iterator[tuple[str, Clause]]:
    """The kind and clause that one attribute line makes; none where it is not understood."""
    kind = "depends" if word.startswith("depends") else word
    if kind in TYPES or kind == "prompt":
        match = PROMPT.match(rest)
        when = parse(match[2]) if match and match[2] is not None else YES
        if match and when:
            yield "prompt", Clause(YES, when, said, line)
        return
    match = CONDITIONAL.match(rest)
    value = parse(match[1]) if match else None
    when = parse(match[2]) if match and match[2] is not None else YES
    if value and when:
        if kind == "depends" and when != YES:  # `depends on A if B`: nothing where B is n
            value, when = Expression("||", (value, negated(when))), YES
        yield (
            kind.replace("def_bool", "default").replace("def_tristate", "default"),
            Clause(value, when, said, line),
        )


def ways(option: Option, others: Sequence[Option] = ()) -> list[Way]:
    """How `option` can come to be set, as far as it and `others` show."""
    found = [_way(option, "prompt", clause, clause.when) for clause in option.prompts]
    before: list[Expression] = []  # of several defaults, the first whose condition holds counts
    for clause in option.defaults:
        found.append(_way(option, "default", clause, both(clause.when, *before, clause.value)))
        before.append(negated(clause.when))
    for other in others:
        found += _forced(option, other)
    return found


def _way(option: Option, by: str, clause: Clause, expression: Expression) -> Way:
    return Way(by, both(option.dependency, expression), option.file, clause.line, clause.text)


def _forced(option: Option, other: Option) -> Iterator[Way]:
    """A select sets an option whatever that depends on; an imply only where it may be set."""
    own = both(Expression("symbol", (), other.name), other.dependency)
    for by, clauses in (("select", other.selects), ("imply", other.implies)):
        for clause in clauses:
            if clause.value.name == option.name:
                limit = YES if by == "select" else option.dependency
                yield Way(by, both(own, clause.when, limit), other.file, clause.line,
                          f"{other.name}: {clause.text}", other.complete)  # fmt: skip


def settable(option: Option, way: Way, values: Mapping[str, Value]) -> bool | None:
    """Whether `way` lets the option be y: a bool option may be y where what it depends on is m."""
    value = evaluate(way.expression, values)
    return None if value is None else value == 2 or (value == 1 and option.type != "tristate")


def allowed(option: Option, values: Mapping[str, Value], others: Sequence[Option] = ()) -> bool | None:
    """Whether `option` may be y under `values` (by names without CONFIG_); None where it is not known.

    An option without a prompt may be selected from where nothing is shown, so it is never refused.
    """
    found = [settable(option, way, values) for way in ways(option, others)]
    if True in found:
        return True
    unknown = None in found or not option.complete or not option.prompts
    return None if unknown else False


def selected(option: Option, values: Mapping[str, Value], others: Sequence[Option]) -> str:
    """What makes `option` y under `values` whatever anybody says, as `file:line: text`; "" for nothing."""
    for other in others:
        for clause in other.selects:
            both_set = both(Expression("symbol", (), other.name), clause.when)
            if clause.value.name == option.name and evaluate(both_set, values) == 2:
                return f"{other.file}:{clause.line}: {other.name}: {clause.text}"
    return ""
