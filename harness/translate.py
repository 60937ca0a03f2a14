# SPDX-License-Identifier: GPL-2.0-only
"""Contract functions, written in a small Python subset, as C: the model at native speed.

The subset: parameters annotated State, Ghost, int or bool; assignments to new names, if/elif/else,
return; integers, booleans, comparisons, `and`/`or`/`not`, + - * << >> & |, `x if c else y`, fields,
subscripts, calls of other contract functions, `replace(s, field=…)`, `put(tuple, i, v)`, and
sum/any/all over a generator. States and ghosts are arrays of kc_i64
(long long), a slot each field or element.
Nothing here is trusted: every finding, and a sample of every run, is judged by Python again.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from harness.contract import Loaded, Source
from harness.errors import HarnessError


@dataclass(frozen=True)
class Layout:
    """Where each field of a State or Ghost stands in its array of kc_i64."""

    name: str
    offsets: dict[str, int]
    lengths: dict[str, int]  # of tuples; scalars are absent
    initial: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of kc_i64."""
        return len(self.initial)


def layout(cls: type) -> Layout:
    """The layout of dataclass `cls`; each field's default gives its type, length and start value."""
    offsets: dict[str, int] = {}
    lengths: dict[str, int] = {}
    initial: list[int] = []
    for field in dataclasses.fields(cls):
        offsets[field.name] = len(initial)
        if isinstance(field.default, tuple):
            lengths[field.name] = len(field.default)
            initial += [int(v) for v in field.default]
        elif isinstance(field.default, int):
            initial.append(int(field.default))
        else:
            raise HarnessError(f"{cls.__name__}.{field.name} needs a default: int, bool or tuple")
    return Layout(cls.__name__, offsets, lengths, tuple(initial))


def pack(value: Any, where: Layout) -> list[int]:
    """`value`, a State or Ghost, as its array."""
    slots: list[int] = []
    for name in where.offsets:
        item = getattr(value, name)
        slots += [int(v) for v in item] if name in where.lengths else [int(item)]
    return slots


def unpack(slots: list[int], cls: type, where: Layout) -> Any:
    """The State or Ghost that `slots` holds."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        at = where.offsets[field.name]
        if field.name in where.lengths:
            values[field.name] = tuple(slots[at : at + where.lengths[field.name]])
        elif isinstance(field.default, bool) and slots[at] in (0, 1):
            values[field.name] = bool(slots[at])
        else:
            values[field.name] = slots[at]
    return cls(**values)


OPERATORS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.LShift: "<<", ast.RShift: ">>",
    ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.And: "&&", ast.Or: "||", ast.Not: "!", ast.USub: "-",
}  # fmt: skip


class Translator:
    """The C of the functions of one loaded contract that are asked for, callees first."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.state = layout(loaded.contract.state)
        self.ghost = layout(loaded.contract.ghost)
        self.layouts = {self.state.name: self.state, self.ghost.name: self.ghost}
        self.sources = {id(source.namespace): source for source in loaded.sources}
        self.functions = {
            (id(source.namespace), node.name): node
            for source in loaded.sources
            for node in source.tree.body
            if isinstance(node, ast.FunctionDef)
        }
        self.done: dict[str, str] = {}
        self.tables: dict[str, str] = {}

    def find(self, function: object) -> ast.FunctionDef | None:
        """The text of a function of the contract's file, or of one that it imports from."""
        if not isinstance(function, FunctionType):
            return None
        return self.functions.get((id(function.__globals__), function.__name__))

    def function(self, function: FunctionType) -> ast.FunctionDef:
        """A function of the contract, translated on first use (see `text`)."""
        node = self.find(function)
        if node is None:
            name = getattr(function, "__name__", function)
            raise HarnessError(f"{self.loaded.path}: error: no function {name} to translate")
        name = self.name(node.name, function.__globals__)
        if name not in self.done:
            self.done[name] = ""  # recursion ends here; the C compiler would refuse it
            self.done[name] = _Function(self, node, self.sources[id(function.__globals__)]).text()
            self.done[name] = self.done.pop(name)  # callees first
        return node

    def name(self, name: str, namespace: Mapping[str, Any]) -> str:
        """What a name of one file is called in C, where all files' names meet."""
        number = list(self.sources).index(id(namespace))
        return f"{name}__{number}" if number else name

    def returns(self, node: ast.FunctionDef) -> Layout | None:
        """The layout that `node` returns; None for int and bool."""
        return self.layouts.get(node.returns.id) if isinstance(node.returns, ast.Name) else None

    def text(self) -> str:
        """All C translated so far."""
        return "\n".join([*self.tables.values(), *self.done.values()])


class _Function:
    """One function on its way to C: its names, their layouts, and its temporaries."""

    def __init__(self, owner: Translator, node: ast.FunctionDef, source: Source) -> None:
        self.owner = owner
        self.node = node
        self.source = source
        self.result = owner.returns(node)
        self.names: dict[str, Layout | None] = {}
        self.fresh = itertools.count()

    def refuse(self, node: ast.AST, what: str) -> HarnessError:
        line = getattr(node, "lineno", self.node.lineno)
        return HarnessError(f"{self.source.path}:{line}: error: {what}")

    def callee(self, name: str) -> str:
        """The C name of a function that this one calls, translated."""
        function = self.source.namespace.get(name)
        if not isinstance(function, FunctionType):
            raise HarnessError(f"{self.source.path}: error: no function {name} to translate")
        node = self.owner.function(function)
        return "c_" + self.owner.name(node.name, function.__globals__)

    def text(self) -> str:
        params: list[str] = []
        for arg in self.node.args.args:
            kind = arg.annotation.id if isinstance(arg.annotation, ast.Name) else ""
            lay = self.owner.layouts.get(kind)
            if lay is None and kind not in ("int", "bool"):
                raise self.refuse(arg, f"parameter {arg.arg} needs a type: State, Ghost, int, bool")
            self.names[arg.arg] = lay
            params.append(f"{'const kc_i64 *' if lay else 'kc_i64 '}{arg.arg}")
        if self.result:
            params.append("kc_i64 *out")
        kind = "void" if self.result else "kc_i64"
        name = "c_" + self.owner.name(self.node.name, self.source.namespace)
        head = f"static inline __attribute__((always_inline)) {kind} {name}({', '.join(params)})"
        return head + "\n{\n" + "\n".join(self.block(self.node.body, 1)) + "\n}\n"

    def block(self, body: list[ast.stmt], depth: int) -> list[str]:
        return ["\t" * depth + line for statement in body for line in self.statement(statement, depth)]

    def statement(self, node: ast.stmt, depth: int) -> list[str]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return []  # a docstring
        if isinstance(node, ast.Return) and node.value is not None:
            if self.result is None:
                return [f"return {self.expr(node.value)};"]
            return [*self.fill("out", self.result, node.value), "return;"]
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            return self.assign(node.targets[0].id, node.value)
        if isinstance(node, ast.If):
            lines = [f"if ({self.expr(node.test)}) {{", *self.inner(node.body), "}"]
            if node.orelse:
                lines += ["else {", *self.inner(node.orelse), "}"]
            return lines
        raise self.refuse(node, f"{type(node).__name__} is not in the subset that models may use")

    def inner(self, body: list[ast.stmt]) -> list[str]:
        before = dict(self.names)
        lines = self.block(body, 1)
        self.names = before | {k: v for k, v in self.names.items() if k in before}
        return lines

    def assign(self, name: str, value: ast.expr) -> list[str]:
        lay = self.kind(value)
        known = name in self.names
        self.names[name] = lay
        if lay is None:
            return [f"{'' if known else 'kc_i64 '}{name} = {self.expr(value)};"]
        fresh = [] if known else [f"kc_i64 {name}[{lay.size}];"]
        if not known or not self.reads(value, name):
            return [*fresh, *self.fill(name, lay, value)]
        made = f"t{next(self.fresh)}"
        return [
            f"kc_i64 {made}[{lay.size}];",
            *self.fill(made, lay, value),
            f"kc_copy({name}, {made}, {lay.size});",
        ]

    @staticmethod
    def reads(node: ast.expr, name: str) -> bool:
        """Whether `node` mentions `name`."""
        return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))

    def kind(self, node: ast.expr) -> Layout | None:
        """The layout of the state or ghost that `node` gives; None for a number."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "replace":
                return self.kind(node.args[0])
            called = self.owner.find(self.source.namespace.get(node.func.id))
            return self.owner.returns(called) if called else None
        return None

    def fill(self, target: str, lay: Layout, node: ast.expr) -> list[str]:
        """Statements that put a state or ghost into the array `target`."""
        if isinstance(node, ast.Name):
            return [f"kc_copy({target}, {node.id}, {lay.size});"]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "replace":
                return self.fill_replace(target, lay, node)
            arguments = ", ".join([*self.arguments(node), target])
            return [f"{self.callee(node.func.id)}({arguments});"]
        raise self.refuse(node, "a State or Ghost comes from a name, a call, or replace(…)")

    def fill_replace(self, target: str, lay: Layout, node: ast.Call) -> list[str]:
        """The new values first, then the copy: `target` may be what they are computed from."""
        values: list[str] = []
        puts: list[str] = []
        for keyword in node.keywords:
            at = lay.offsets.get(keyword.arg or "")
            if at is None:
                raise self.refuse(node, f"{lay.name} has no field {keyword.arg}")
            where, value = str(at), keyword.value
            if keyword.arg in lay.lengths:
                index, value = self.put(lay, keyword.value)
                where = f"i{next(self.fresh)}"
                values.append(f"kc_i64 {where} = {at} + ({self.expr(index)});")
            made = f"v{next(self.fresh)}"
            values.append(f"kc_i64 {made} = {self.expr(value)};")
            puts.append(f"{target}[{where}] = {made};")
        return ["{", *values, *self.fill(target, lay, node.args[0]), *puts, "}"]

    def put(self, lay: Layout, node: ast.expr) -> tuple[ast.expr, ast.expr]:
        """Index and value of a put(tuple, index, value)."""
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "put"
            and len(node.args) == 3
        ):
            return node.args[1], node.args[2]
        raise self.refuse(node, f"a tuple of {lay.name} changes by put(tuple, index, value)")

    def arguments(self, call: ast.Call) -> list[str]:
        return [self.array(a) if self.kind(a) else self.expr(a) for a in call.args]

    def array(self, node: ast.expr) -> str:
        """C for a state or ghost as an argument: a name, or an array made on the spot."""
        if isinstance(node, ast.Name):
            return node.id
        lay = self.kind(node)
        assert lay is not None
        made = f"m{next(self.fresh)}"
        # A struct value outlives the statement expression that makes it, an array would not.
        body = " ".join([f"struct kc_{lay.name} {made};", *self.fill(f"{made}.v", lay, node)])
        return f"({{ {body} {made}; }}).v"

    def expr(self, node: ast.expr) -> str:
        """C for a number."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return f"{int(node.value)}LL"
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.Attribute):
            return self.field(node)
        if isinstance(node, ast.Subscript):
            return self.element(node)
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return f"({self.expr(node.left)} {OPERATORS[type(node.op)]} {self.expr(node.right)})"
        if isinstance(node, ast.BoolOp):
            word = f" {OPERATORS[type(node.op)]} "
            return "(" + word.join(self.expr(v) for v in node.values) + ")"
        if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
            return f"({OPERATORS[type(node.op)]}{self.expr(node.operand)})"
        if isinstance(node, ast.Compare):
            return self.compare(node)
        if isinstance(node, ast.IfExp):
            return f"({self.expr(node.test)} ? {self.expr(node.body)} : {self.expr(node.orelse)})"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self.call(node, node.func.id)
        raise self.refuse(node, f"{type(node).__name__} is not in the subset that models may use")

    def name(self, node: ast.Name) -> str:
        if node.id in self.names:
            return node.id
        value = self.source.namespace.get(node.id)
        if isinstance(value, int):
            return f"{int(value)}LL"
        raise self.refuse(node, f"{node.id} is neither a parameter, a local, nor an int constant")

    def field(self, node: ast.Attribute) -> str:
        lay = self.kind(node.value)
        if lay is None or node.attr not in lay.offsets:
            raise self.refuse(node, f"no field {node.attr} there")
        return f"{self.array(node.value)}[{lay.offsets[node.attr]}]"

    def element(self, node: ast.Subscript) -> str:
        index = self.expr(node.slice)
        if isinstance(node.value, ast.Attribute):
            return f"{self.field(node.value)[:-1]} + ({index})]"
        if isinstance(node.value, ast.Name):
            return f"{self.table(node.value)}[{index}]"
        raise self.refuse(node, "only a field or a constant tuple has elements")

    def table(self, node: ast.Name) -> str:
        values = self.source.namespace.get(node.id)
        if not isinstance(values, tuple) or not all(isinstance(v, int) for v in values):
            raise self.refuse(node, f"{node.id} is no constant tuple of ints")
        numbers = ", ".join(f"{int(v)}LL" for v in values)
        name = "k_" + self.owner.name(node.id, self.source.namespace)
        self.owner.tables[name] = f"static const kc_i64 {name}[] = {{ {numbers} }};"
        return name

    def compare(self, node: ast.Compare) -> str:
        terms = [node.left, *node.comparators]
        parts: list[str] = []
        for left, op, right in zip(terms, node.ops, terms[1:], strict=False):
            if type(op) not in OPERATORS:
                raise self.refuse(node, f"{type(op).__name__} is not in the subset")
            parts.append(f"({self.expr(left)} {OPERATORS[type(op)]} {self.expr(right)})")
        return "(" + " && ".join(parts) + ")"

    def call(self, node: ast.Call, name: str) -> str:
        if name in ("sum", "any", "all") and len(node.args) == 1:
            return self.fold(node, name)
        if name in ("int", "bool", "abs", "min", "max"):
            return self.builtin(node, name)
        return f"{self.callee(name)}({', '.join(self.arguments(node))})"

    def builtin(self, node: ast.Call, name: str) -> str:
        args = [self.expr(a) for a in node.args]
        if name in ("min", "max") and len(args) == 2:
            return f"({args[0]} {'<' if name == 'min' else '>'} {args[1]} ? {args[0]} : {args[1]})"
        if len(args) != 1:
            raise self.refuse(node, f"{name}() takes one argument here (min and max two)")
        return {"int": args[0], "bool": f"(!!{args[0]})"}.get(
            name, f"({args[0]} < 0 ? -{args[0]} : {args[0]})"
        )

    def fold(self, node: ast.Call, name: str) -> str:
        """sum, any or all over a field's elements or a range."""
        source = node.args[0]
        if isinstance(source, ast.Attribute):  # sum(g.maps)
            item = ast.Name("each_", ast.Load())
            source = ast.GeneratorExp(
                item, [ast.comprehension(ast.Name("each_", ast.Store()), source, [], 0)]
            )
        if not isinstance(source, ast.GeneratorExp) or len(source.generators) != 1:
            raise self.refuse(node, f"{name}() takes one generator or one tuple field")
        loop = source.generators[0]
        assert isinstance(loop.target, ast.Name)
        index, total = f"i{next(self.fresh)}", f"r{next(self.fresh)}"
        count, item_text = self.range(loop.iter, index)
        before = dict(self.names)
        self.names[loop.target.id] = None
        tests = " && ".join(self.expr(test) for test in loop.ifs) or "1"
        value = self.expr(source.elt)
        self.names = before
        step = {
            "sum": f"{total} += {value}",
            "any": f"if ({value}) {total} = 1",
            "all": f"if (!({value})) {total} = 0",
        }[name]
        return (
            f"({{ kc_i64 {total} = {int(name == 'all')}; "
            f"for (kc_i64 {index} = 0; {index} < {count}; {index}++) {{ "
            f"kc_i64 {loop.target.id} = {item_text}; if ({tests}) {{ {step}; }} }} {total}; }})"
        )

    def range(self, node: ast.expr, index: str) -> tuple[str, str]:
        """How often a generator runs, and its element, as C."""
        if isinstance(node, ast.Attribute):
            lay = self.kind(node.value)
            if lay is not None and node.attr in lay.lengths:
                return str(lay.lengths[node.attr]), f"{self.field(node)[:-1]} + {index}]"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
            return self.expr(node.args[0]), index
        raise self.refuse(node, "a generator runs over a tuple field or range(constant)")
