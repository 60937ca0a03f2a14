# SPDX-License-Identifier: GPL-2.0-only
"""The values that a derived contract gives a function's arguments, and how each is written in a call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from harness.derive.types import CType, Function
from harness.derive.words import Words, compared
from harness.derive.world import PLAIN, signed64, sole
from harness.validate import MOST_ARGUMENTS, TAKEN

USUAL = (0, 1, 2)
ROOM = {1: 14, 2: 9, 3: 6, 4: 4}  # values of each argument, by how many arguments there are
CONSTANTS = 8  # of an enum


@dataclass(frozen=True)
class Argument:
    """An argument that varies: `usual` values are such as any caller may give, `odd` ones any at all."""

    name: str
    usual: tuple[int, ...]
    odd: tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """A call of a function: its C, what varies of it, and whether it gives a value."""

    function: Function
    text: str
    arguments: tuple[Argument, ...]
    observed: bool
    name: str  # of the operation

    @property
    def leads(self) -> bool:
        """Whether its value is what a pointer leads to."""
        return self.observed and self.function.returns.kind == "pointer"

    @property
    def odder(self) -> bool:
        """Whether it has arguments that are not usual."""
        return any(argument.odd != argument.usual for argument in self.arguments)


def refusal(function: Function) -> str:
    """Why no call of a function can be made up; empty where one can."""
    if function.variadic:
        return "it takes any number of arguments"
    for number, (name, kind) in enumerate(function.parameters):
        said = name or f"argument {number + 1}"
        if kind.kind == "pointer" and kind.target.kind == "function":
            return f"{said} is a callback"
        if kind.kind == "record" and sole(kind) is None:
            return f"{said} is a {kind.spelled or 'record'} by value"
        if kind.kind == "float":
            return f"{said} is no integer"
    return ""


def call_of(
    function: Function, pointers: dict[tuple[str, int], str], words: Words, like: Call | None = None
) -> Call:
    """How a function is called; of more arguments than the engine has, the last stay at one value.

    With `like`, a call of it in another revision, the operation and its arguments are called as there.
    """
    varying = [n for n, (_, kind) in enumerate(function.parameters) if kind.kind != "pointer"]
    varying = varying[:MOST_ARGUMENTS]
    theirs = [a.name for a in like.arguments] if like and len(like.arguments) == len(varying) else []
    said: list[str] = []
    arguments: list[Argument] = []
    names: list[str] = []
    for number, (name, kind) in enumerate(function.parameters):
        if kind.kind == "pointer":
            said.append(pointers[function.name, number])
            continue
        inner = kind if kind.kind in PLAIN else (sole(kind) or ("", kind))[1]
        if number not in varying:
            said.append(passed(kind, "1"))
            continue
        called = theirs[len(names)] if theirs else argument_name(name or f"arg{number + 1}", names)
        names.append(called)
        arguments.append(domain(called, name, inner, function, words, ROOM[len(varying)]))
        said.append(passed(kind, called))
    call = spread(function, said, words)
    operation = like.name if like else function.name
    return Call(function, *returned(function.returns, call, arguments), operation)


def both_domains(old: Call, new: Call, closed: bool) -> tuple[Call, Call]:
    """The same call of two revisions, with the values that either gives each argument.

    Of what is `closed`, code that is compiled for each of its constants, those that both give an enum.
    """
    if [a.name for a in old.arguments] != [a.name for a in new.arguments]:
        return old, new
    made: list[Argument] = []
    enums = [kind.kind == "enum" for _, kind in new.function.parameters if kind.kind != "pointer"]
    for ours, theirs, is_enum in zip(old.arguments, new.arguments, enums, strict=False):
        usual, odd = (tuple(dict.fromkeys((*a, *b)))
                      for a, b in ((ours.usual, theirs.usual), (ours.odd, theirs.odd)))  # fmt: skip
        if closed and is_enum and (shared := tuple(v for v in ours.usual if v in theirs.usual)):
            usual = odd = shared
        made.append(Argument(ours.name, usual, odd))
    return replace(old, arguments=tuple(made)), replace(new, arguments=tuple(made))


def is_inlined(function: Function, words: Words) -> bool:
    """Whether a function must be compiled into its callers."""
    return any("__always_inline" in item.signature for item in words.own.get(function.name, ()))


def known(function: Function, kind: CType, words: Words) -> tuple[int, ...]:
    """The constants of an enum; those that a function, or what it calls, names, where it must be inlined.

    BUILD_BUG() stops the compiler at others.
    """
    values = dict(kind.constants)
    if is_inlined(function, words):
        named = words.named(words.reach(function.name)).keys() & values.keys()
        values = {name: value for name, value in values.items() if name in named} or values
    return tuple(dict.fromkeys(values.values()))[:CONSTANTS]


def spread(function: Function, said: Sequence[str], words: Words) -> str:
    """C of a call; of what must be inlined, one for each constant of an enum, as it is compiled for these."""
    inlined = is_inlined(function, words)
    for number, (_, kind) in enumerate(function.parameters):
        constants = known(function, kind, words) if inlined and said[number].isidentifier() else ()
        if len(constants) > 1:
            *others, last = constants
            calls = [(value, [*said[:number], str(value), *said[number + 1 :]]) for value in others]
            end = spread(function, [*said[:number], str(last), *said[number + 1 :]], words)
            tests = (f"{said[number]} == {v} ? {spread(function, each, words)}" for v, each in calls)
            return f"({' : '.join([*tests, end])})"
    return f"{function.name}({', '.join(said)})"


def argument_name(name: str, others: Sequence[str]) -> str:
    """A name that an Operation's argument may have."""
    while name in TAKEN or name in others or not name.isidentifier():
        name = f"{name}_" if name.isidentifier() else "value"
    return name


def passed(kind: CType, value: str) -> str:
    """C of an argument: of a record that holds one number, the record."""
    return f"({kind.spelled}){{ {value} }}" if kind.kind == "record" else value


def domain(called: str, name: str, kind: CType, function: Function, words: Words, room: int) -> Argument:
    """The values of one argument."""
    if kind.kind == "bool":
        return Argument(called, (0, 1), (0, 1))
    if kind.kind == "enum" and kind.constants:
        values = known(function, kind, words)
        return Argument(called, values[:room], values[:room])
    bits = min(kind.bits, 64) or 32
    least, most = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if kind.signed else (0, (1 << bits) - 1)
    own = words.own.get(function.name, ())
    said = [value for item in own for value in compared(item, name, words.constants)] if name else []
    near = [value + step for value in said for step in (0, -1, 1)]
    odd = fitting((*USUAL, *((-1,) if kind.signed else ()), most, *near, *((least,) if kind.signed else ())),
                  least, most)  # fmt: skip
    return Argument(called, USUAL, odd[: max(room, len(USUAL))])


def fitting(values: Iterable[int], least: int, most: int) -> tuple[int, ...]:
    """Those values that a type has, as the engine holds them."""
    return tuple(dict.fromkeys(signed64(value) for value in values if least <= value <= most))


def returned(kind: CType, call: str, arguments: Sequence[Argument]) -> tuple[str, tuple[Argument, ...], bool]:
    """The C of a call whose value is a number, what varies, and whether it has one."""
    if kind.kind in PLAIN:
        return call, tuple(arguments), True
    if kind.kind == "pointer" and kind.target.kind != "function":
        return f"kc_which({call})", tuple(arguments), True
    if kind.kind == "record" and (only := sole(kind)):
        return f"({call}).{only[0]}", tuple(arguments), True
    return call, tuple(arguments), False
