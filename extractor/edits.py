# SPDX-License-Identifier: GPL-2.0-only
"""The edits that each node of an AST invites: the mutation operators, node by node."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from pycparser import c_ast

from extractor.cast import FIELD_MACRO
from extractor.items import Item
from extractor.operators import (
    ASSIGNMENTS,
    AT_COMPILE_TIME,
    BINARY,
    BIT_OF,
    LOGIC,
    RELATIONS,
    SHIFTS,
    STEPS,
    UNARY,
    WARNING,
    other_numbers,
)
from extractor.spans import JUMPS, Reading, Span

SIMPLE = (c_ast.FuncCall, c_ast.Assignment, c_ast.UnaryOp)
TRUTH = {"true": "false", "false": "true"}
SWAPPABLE = re.compile(r"[A-Z][A-Z0-9_]+")


class Edit(NamedTuple):
    """A piece of an item's text, by offsets, and what stands there instead."""

    start: int
    end: int
    after: str
    operator: str


@dataclass(frozen=True)
class Surroundings:
    """What all the items say that matters for edits of one of them.

    `scalars` are the types that 0 can initialise, `void` the functions without a value. `siblings`
    gives the names that differ in digits only, of fields (with a leading "."), functions and
    macros; `order` is the place of each function and macro: it can use those before it.
    """

    scalars: frozenset[str]
    void: frozenset[str]
    siblings: Mapping[str, Sequence[str]]
    order: Mapping[str, int]


@dataclass(frozen=True)
class Place:
    """A reading of one item, and its surroundings."""

    item: Item
    text: str
    reading: Reading
    around: Surroundings

    def said(self, span: Span) -> str:
        """The text of a span, as it stands there."""
        start, end = self.reading.place(span)
        return self.text[start:end]

    def swap(self, span: Span | None, after: str, operator: str) -> Iterator[Edit]:
        """`span` replaced by `after`."""
        if span:
            yield Edit(*self.reading.place(span), after, operator)

    def wrap(self, span: Span | None, before: str, after: str, operator: str) -> Iterator[Edit]:
        """`span` between two texts."""
        if span:
            yield from self.swap(span, before + self.said(span) + after, operator)

    def scalar(self, kind: Any) -> bool:
        """True for a type of which 0 is a value: pointers too."""
        if isinstance(kind, c_ast.PtrDecl):
            return True
        names = getattr(getattr(kind, "type", None), "names", ["?"])
        return isinstance(kind, c_ast.TypeDecl) and all(name in self.around.scalars for name in names)

    @cached_property
    def kinds(self) -> Mapping[str, object]:
        """The type of each parameter and local variable, None where a name has several."""
        found: dict[str, object] = {}
        parameters = getattr(self.reading.tree.decl.type.args, "params", None) or []
        for node in (*parameters, *nodes(self.reading.tree)):
            if isinstance(node, c_ast.Decl) and node.name:
                kind = type_key(node.type)
                found[node.name] = kind if found.get(node.name, kind) == kind else None
        return found


def type_key(kind: Any) -> object:
    """What two declarations of one type have in common, None for what is not compared."""
    stars = 0
    while isinstance(kind, c_ast.PtrDecl):
        kind, stars = kind.type, stars + 1
    inner = getattr(kind, "type", None)
    said = getattr(inner, "names", None) or [getattr(inner, "name", None)]
    return (stars, *said) if isinstance(kind, c_ast.TypeDecl) and said[0] else None


def nodes(tree: Any) -> Iterator[Any]:
    """Every node of a function's body in which a value is computed: no types, no case labels."""
    todo = [tree.body]
    while todo:
        node = todo.pop()
        yield node
        todo += [child for child in children(node) if child is not None]


def children(node: Any) -> list[Any]:
    """The nodes below `node` whose values may change without breaking its syntax."""
    if isinstance(node, c_ast.Decl):
        return [node.init]
    if isinstance(node, c_ast.Case):
        return list(node.stmts or [])
    if isinstance(node, c_ast.StructRef):
        return [node.name]
    if isinstance(node, c_ast.NamedInitializer):
        return [node.expr]
    if isinstance(node, c_ast.Cast):
        return [node.expr]
    constant = isinstance(node, c_ast.FuncCall) and is_constant_call(node)
    if constant or isinstance(node, (c_ast.Typename, c_ast.StaticAssert)) or is_sizeof(node):
        return []
    return [child for _, child in node.children()]


def is_sizeof(node: Any) -> bool:
    """A size needs a type, not a value."""
    return isinstance(node, c_ast.UnaryOp) and node.op in ("sizeof", "_Alignof")


def is_constant_call(node: Any) -> bool:
    """A check at compile time, or a macro that names a field."""
    name = getattr(node.name, "name", None)
    return isinstance(name, str) and bool(AT_COMPILE_TIME.fullmatch(name) or FIELD_MACRO.fullmatch(name))


def edits(place: Place) -> Iterator[Edit]:
    """Every edit of a place, in no order; some may be the same."""
    for node in nodes(place.reading.tree):
        for editor in EDITORS.get(type(node).__name__, ()):
            yield from editor(place, node)


# Conditions and branches.


def is_opposed(node: Any) -> bool:
    """Its opposite is made elsewhere: by another relation, or without its `!`."""
    relation = isinstance(node, c_ast.BinaryOp) and node.op in RELATIONS
    return relation or (isinstance(node, c_ast.UnaryOp) and node.op == "!")


def condition_edits(place: Place, node: Any) -> Iterator[Edit]:
    """Negated, always true, never true."""
    span = place.reading.condition(node)
    if not span or isinstance(node.cond, c_ast.Constant):
        return
    if place.reading.word(span[1] + 2) == ":" and isinstance(node, c_ast.TernaryOp):
        return  # a ?: b, whose condition is its value
    if not is_opposed(node.cond):
        yield from place.wrap(span, "!(", ")", "negate-condition")
    for value in "01":
        yield from place.swap(span, value, "force-condition")


def else_edits(place: Place, node: Any) -> Iterator[Edit]:
    """`else` to `else if (0)`: a small edit that does what dropping the whole branch does."""
    at = place.reading.otherwise(node)
    last = isinstance(node.iffalse, c_ast.If) and node.iffalse.iffalse is None
    if at >= 0 and not last:  # a last `else if` is dropped where its condition is forced
        yield from place.swap((at, at), "else if (0)", "drop-else")


def warning_edits(place: Place, node: Any) -> Iterator[Edit]:
    """The condition of a warning negated."""
    name, given = getattr(node.name, "name", None), node.args.exprs[:1] if node.args else []
    if isinstance(name, str) and WARNING.fullmatch(name) and given and not is_opposed(given[0]):
        span = place.reading.until(given[0], ("(",), (")", ","))
        if not isinstance(given[0], c_ast.Constant):
            yield from place.wrap(span, "!(", ")", "negate-condition")


# Operators.


def binary_edits(place: Place, node: Any) -> Iterator[Edit]:
    """Another operator; && and || with one operand, or one negated; another amount of a shift."""
    found = place.reading.between(node.left, node.right, node.op)
    if not found:
        return
    left, at, right = found
    for operator, table in BINARY.items():
        for other in table.get(node.op, ()):
            yield from place.swap((at, at), other, operator)
    if node.op in LOGIC:
        yield from place.swap((left[0], at), "", "drop-operand")
        yield from place.swap((at, right[1]), "", "drop-operand")
        for operand, span in ((node.left, left), (node.right, right)):
            if not is_opposed(operand) and getattr(operand, "op", None) not in LOGIC:
                yield from place.wrap(span, "!(", ")", "negate-condition")
    if node.op in SHIFTS:
        yield from amount_edits(place, node.right, right)


def amount_edits(place: Place, amount: Any, span: Span | None) -> Iterator[Edit]:
    """A shift's amount one more or less; of a constant that is done as for all of them."""
    if not isinstance(amount, c_ast.Constant):
        yield from place.wrap(span, "(", " + 1)", "move-shift")
        yield from place.wrap(span, "(", " - 1)", "move-shift")


def bit_edits(place: Place, node: Any) -> Iterator[Edit]:
    """BIT(n) as the shift that it is."""
    if getattr(node.name, "name", None) in BIT_OF and node.args and len(node.args.exprs) == 1:
        amount = node.args.exprs[0]
        yield from amount_edits(place, amount, place.reading.until(amount, ("(",), (")",)))


def unary_edits(place: Place, node: Any) -> Iterator[Edit]:
    """Without !, ~ or -; ++ for --."""
    span = place.reading.span(node)
    if not span:
        return
    if node.op in UNARY:
        yield from place.swap((span[0], span[0]), "", UNARY[node.op])
    at = span[1] if node.op.startswith("p") else span[0]
    word = place.reading.word(at)
    if word in STEPS and node.op.endswith(word):
        yield from place.swap((at, at), STEPS[word], "change-arithmetic")


def assignment_edits(place: Place, node: Any) -> Iterator[Edit]:
    """Another assignment operator."""
    found = place.reading.between(node.lvalue, node.rvalue, node.op)
    if found:
        for other in ASSIGNMENTS.get(node.op, ()):
            yield from place.swap((found[1], found[1]), other, "change-assignment")


# Values.


def constant_edits(place: Place, node: Any) -> Iterator[Edit]:
    """Other numbers."""
    span = place.reading.span(node)
    if span and span[0] == span[1]:
        start = place.reading.place(span)[0]
        for operator, other in other_numbers(node.value):
            safe = f"({other})" if other[0] == "-" and place.text[start - 1 : start] == "-" else other
            yield from place.swap(span, safe, operator)


def name_edits(place: Place, node: Any) -> Iterator[Edit]:
    """true for false; a sibling for a name that is no local one."""
    span = place.reading.span(node)
    if node.name in TRUTH:
        yield from place.swap(span, TRUTH[node.name], "change-constant")
    if node.name not in place.kinds:
        order = place.around.order
        for other in place.around.siblings.get(node.name, ()):
            if order.get(other, len(order)) < order.get(place.item.name, 0):
                yield from place.swap(span, other, "confuse-names")


def field_edits(place: Place, node: Any) -> Iterator[Edit]:
    """A sibling for a field."""
    for other in place.around.siblings.get("." + node.field.name, ()):
        yield from place.swap(place.reading.span(node.field), other[1:], "confuse-names")


def initial_edits(place: Place, node: Any) -> Iterator[Edit]:
    """0 for what a variable begins as."""
    if node.init and not isinstance(node.init, c_ast.Constant) and place.scalar(node.type):
        span = place.reading.until(node.init, ("=",), (",", ";"))
        yield from place.swap(span, "0", "change-initial")


def return_edits(place: Place, node: Any) -> Iterator[Edit]:
    """0 returned; from a bool, also 1 and the opposite."""
    kind = place.reading.tree.decl.type.type
    if node.expr is None or isinstance(node.expr, c_ast.Constant) or not place.scalar(kind):
        return
    span = place.reading.until(node.expr, ("return",), (";",))
    truth = getattr(getattr(kind, "type", None), "names", None) in (["bool"], ["_Bool"])
    known = getattr(node.expr, "name", None)
    if isinstance(known, str) and known in TRUTH:
        return
    for value in "01" if truth else "0":
        yield from place.swap(span, value, "change-return")
    if truth and not is_opposed(node.expr):
        yield from place.wrap(span, "!(", ")", "change-return")


def argument_edits(place: Place, node: Any) -> Iterator[Edit]:
    """Two arguments of one kind change places."""
    given = node.args.exprs if node.args else []
    for left, right in pairwise(given):
        kind = argument_kind(place, left)
        first, last = place.reading.until(left, ("(", ","), (",",)), place.reading.until(right, (",",))
        if kind and kind == argument_kind(place, right) and first and last and last[0] == first[1] + 2:
            middle = place.text[place.reading.place(first)[1] : place.reading.place(last)[0]]
            after = place.said(last) + middle + place.said(first)
            yield from place.swap((first[0], last[1]), after, "swap-arguments")


def argument_kind(place: Place, node: Any) -> object:
    """What kind an argument is known to have: a number, or a variable's type; None for neither."""
    if isinstance(node, c_ast.Constant):
        return "number" if node.type.endswith("int") else None
    if isinstance(node, c_ast.ID):
        number = "number" if SWAPPABLE.fullmatch(node.name) else None
        return place.kinds.get(node.name, number)
    return None


# Statements.


def statement_edits(place: Place, node: Any) -> Iterator[Edit]:
    """Each simple statement directly below `node` dropped; its semicolon stays."""
    if place.item.kind == "macro" and node is place.reading.tree.body:
        yield from macro_edits(place, node)
        return
    for statement in statements(place, node):
        jump = isinstance(statement, JUMPS) and getattr(statement, "expr", None) is None
        if jump or (isinstance(statement, SIMPLE) and not is_kept(statement)):
            yield from place.swap(place.reading.statement(statement), "", "drop-statement")


def is_kept(node: Any) -> bool:
    """A check at compile time does nothing that could be missed."""
    return isinstance(node, c_ast.FuncCall) and is_constant_call(node)


def macro_edits(place: Place, body: Any) -> Iterator[Edit]:
    """A macro that is one call of a function without a value does nothing."""
    call = (body.block_items or [None])[0]
    if isinstance(call, c_ast.FuncCall) and getattr(call.name, "name", None) in place.around.void:
        yield from place.swap(place.reading.span(call), "((void)0)", "drop-statement")


def statements(place: Place, node: Any) -> list[Any]:
    """The statements directly below a node; of a statement expression not the last, its value."""
    if isinstance(node, c_ast.Compound):
        inner = list(node.block_items or [])
        return inner[:-1] if place.reading.word(place.reading.at(node) - 1) == "(" else inner
    if isinstance(node, c_ast.If):
        return [node.iftrue, node.iffalse]
    if isinstance(node, (c_ast.Case, c_ast.Default)):
        return list(node.stmts or [])
    return [node.stmt]


Editor = Callable[[Place, Any], Iterator[Edit]]
EDITORS: Mapping[str, tuple[Editor, ...]] = {
    "If": (condition_edits, else_edits, statement_edits),
    "TernaryOp": (condition_edits,),
    "For": (condition_edits, statement_edits),
    "While": (condition_edits, statement_edits),
    "DoWhile": (condition_edits, statement_edits),
    "Switch": (statement_edits,),
    "Label": (statement_edits,),
    "Case": (statement_edits,),
    "Default": (statement_edits,),
    "Compound": (statement_edits,),
    "BinaryOp": (binary_edits,),
    "UnaryOp": (unary_edits,),
    "Assignment": (assignment_edits,),
    "FuncCall": (warning_edits, bit_edits, argument_edits),
    "Constant": (constant_edits,),
    "ID": (name_edits,),
    "StructRef": (field_edits,),
    "Decl": (initial_edits,),
    "Return": (return_edits,),
}
