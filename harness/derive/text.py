# SPDX-License-Identifier: GPL-2.0-only
"""A derived contract as a file: what a person would write, but for the model and the claims."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.derive.domains import Call
from harness.derive.world import Leaf, World

WIDTH = 108
# Both in the manner of standins: what a pointer leads to, in place of an address that no two runs share.
WHICH = """
/* A pointer as a number: 0 for NULL, n within the world's object n, an error below zero, else -1. */
static kc_i64 kc_which(const volatile void *pointer)
{
%s	long value = (long)pointer;
	unsigned long at = (unsigned long)value - (unsigned long)w;

	if (!value || (value < 0 && value >= -4095))
		return value;
	for (unsigned int n = 0; n < sizeof(%s) / sizeof(*%s); n++)
		if (at - kc_objects[n].at < kc_objects[n].size)
			return %s;
	return -1;
}
"""

HEAD = '''# SPDX-License-Identifier: GPL-2.0-only
{docstring}

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.contract import Contract, Operation, bound

{bounds}


@dataclass(frozen=True)
class State:
    """What is read back after each call: the fields that these functions name."""

{state}


@dataclass(frozen=True)
class Ghost:
    """How far a trace is; `made_up` is above zero once a field was set or an argument was no usual one."""

    made_up: int = 0
    calls: int = 0


def may_set(g: Ghost) -> bool:
    """Fields are set first."""
    return g.calls == 0 and g.made_up < SETTINGS


def is_set(g: Ghost) -> Ghost:
    return replace(g, made_up=g.made_up + 1)


def may_call(g: Ghost) -> bool:
    return g.made_up == 0 and g.calls < CALLS


def may_call_oddly(g: Ghost) -> bool:
    return g.calls < CALLS


def may_call_after(g: Ghost) -> bool:
    return g.made_up > 0 and g.calls < CALLS


def is_called(g: Ghost) -> Ghost:
    return replace(g, calls=g.calls + 1)


def is_called_oddly(g: Ghost) -> Ghost:
    return replace(g, made_up=SETTINGS, calls=g.calls + 1)


def field(name: str, statement: str, values: tuple[int, ...]) -> Operation:
    """One field set to what it may never have in a kernel."""
    return Operation(f"set {{name}}", statement, {{"v": values}}, kind="setup", when=may_set, ghost=is_set)


def function(
    name: str,
    call: str,
    usual: dict[str, tuple[int, ...]] | None = None,
    odd: dict[str, tuple[int, ...]] | None = None,
    *,
    value: bool = True,
) -> tuple[Operation, ...]:
    """One function with usual arguments, as long as nothing is made up; and with any, in any state."""
    usual = usual or {{}}
    when = may_call_oddly if odd else may_call_after
    return (
        Operation(name, call, usual, when=may_call, ghost=is_called, observed=value),
        Operation(
            f"{{name}}/made-up", call, usual | (odd or {{}}), when=when, ghost=is_called_oddly,
            observed=value, doubtful=True,
        ),
    )  # fmt: skip


CONTRACT = Contract(
    name={name},
    title={title},
    requires={requires},
    headers={headers},
    config={config},
    world="""
{world}
""",
    init={init},
    owns={owns},
    state=State,
    observe={observe},
    ghost=Ghost,
    operations=(
{operations}
    ),
    claims=(),
    not_checked={not_checked},
    derived=True,
    standins=r"""{standins}""",
)  # fmt: skip
'''


@dataclass(frozen=True)
class Parts:
    """What the text of one contract is made of."""

    name: str
    title: str
    source: str  # what it was derived of
    headers: tuple[str, ...]
    config: Mapping[str, bool]
    world: World
    observed: Mapping[str, Leaf]
    settings: Mapping[str, tuple[int, ...]]  # of observed fields
    calls: tuple[Call, ...]
    bounds: tuple[int, int]  # settings, calls
    left_out: Mapping[str, str]
    unseen: tuple[str, ...]  # fields for which there is no room
    numbers: tuple[int, ...] = ()  # of the objects, where these are not simply counted


def contract_text(parts: Parts) -> str:
    """The contract's file."""
    settings, calls = parts.bounds
    world = parts.world
    return HEAD.format(
        docstring="\n".join(docstring(parts)),
        bounds=f'SETTINGS = bound("settings", {settings})  # fields that are set before the first call\n'
        f'CALLS = bound("calls", {calls})',
        state="\n".join(f"    {name}: int = 0" for name in parts.observed) or "    nothing: int = 0",
        name=quoted(parts.name),
        title=quoted(parts.title),
        requires=listed([call.function.name for call in parts.calls]),
        headers=listed(parts.headers),
        config="{" + ", ".join(f"{quoted(n)}: {v}" for n, v in sorted(parts.config.items())) + "}",
        world="\n".join(each.declaration for each in world.objects) or "int nothing;",
        init='"""\n' + "\n".join(world.init) + '\n"""' if world.init else '""',
        # What else calls change is part of the state as well: the engine follows it.
        owns=listed([leaf.path for leaf in parts.observed.values() if leaf.addressable]),
        observe=table({name: leaf.read for name, leaf in parts.observed.items()} or {"nothing": "0"}),
        operations="\n".join(f"        {line}" for line in operations(parts)),
        not_checked=listed(not_checked(parts)),
        standins=which(parts.numbers),
    )


def which(numbers: Sequence[int]) -> str:
    """C that gives a pointer as the number of an object."""
    if not numbers:
        return WHICH % ("", "kc_objects", "kc_objects", "n + 1")
    table = f"	static const int numbers[] = {{ {', '.join(map(str, numbers))} }};\n"
    return WHICH % (table, "numbers", "numbers", "numbers[n]")


def docstring(parts: Parts) -> Iterator[str]:
    """What the file is, where its values are from, and what a person adds to it."""
    number = len(parts.calls)
    yield f'"""Derived by kconform of {number} function{"s" * (number != 1)} of {clean(parts.source)}.'
    yield ""
    yield from paragraph(
        "Nothing here says what the functions should do. What a contract by hand has more: a `model` for "
        "each operation and what it `returns`, `when` a call is legal, when a warning is due (`warns`), and "
        "`claims` with the sentences that they are taken from. Then `derived=True` and the made-up calls go. "
        "See docs/contracts.md, 12."
    )
    yield ""
    yield from paragraph(
        "World: an object for each record that a parameter leads to, zeroed; pointers of one to another are "
        "set, lists are empty. Observed and set: the fields that the functions, and what they call, name."
    )
    yield from paragraph(
        "Values: of a field 0, 1, all ones, its limits, and constants named where it is touched (as a bit "
        "where they are numbers of bits); of an argument 0, 1, 2 as usual ones, and -1, its limits and what "
        "the function compares it with, and one more and less, as odd ones."
    )
    if parts.left_out:
        yield ""
        yield "Left out:"
        for name, why in parts.left_out.items():
            yield from paragraph(f"{clean(name)}: {clean(why)}", "  ")
    if parts.unseen:
        yield ""
        yield from paragraph(f"Not observed, for want of room: {', '.join(parts.unseen)}")
    yield '"""'


def not_checked(parts: Parts) -> Iterator[str]:
    """What a report says of it."""
    for name, why in parts.left_out.items():
        yield clean(f"{name}: nothing is derived of it: {why}")
    if parts.unseen:
        yield f"not observed, for want of room: {', '.join(parts.unseen)}"


def operations(parts: Parts) -> Iterator[str]:
    """The operations, a line each where they fit."""
    for name, values in parts.settings.items():
        yield from call_lines("field", [quoted(name), quoted(parts.observed[name].write), repr(values)], ",")
    for name, leaf in parts.observed.items():
        place = f"*(const void **)(void *)&w->{leaf.path}"
        if leaf.type.kind == "pointer" and any(said.startswith(f"{place} =") for said in parts.world.init):
            yield from call_lines("field", [quoted(name), quoted(f"{place} = (void *)v"), "(0,)"], ",")
    for call in parts.calls:
        said = [quoted(call.name), quoted(call.text)]
        usual = {a.name: a.usual for a in call.arguments}
        odd = {a.name: a.odd for a in call.arguments if a.odd != a.usual}
        said += [arguments(usual)] if usual else []
        said += [arguments(odd)] if odd else []
        said += [] if call.observed else ["value=False"]
        yield from call_lines("*function", said, ",")


def call_lines(name: str, arguments: Sequence[str], end: str) -> Iterator[str]:
    """A call in Python, on several lines where it is long."""
    whole = f"{name}({', '.join(arguments)}){end}"
    if len(whole) <= WIDTH - 8:
        yield whole
        return
    yield f"{name}("
    for argument in arguments:
        yield f"    {argument},"
    yield f"){end}"


def arguments(values: Mapping[str, tuple[int, ...]]) -> str:
    """Domains as Python."""
    return "{" + ", ".join(f"{quoted(name)}: {domain!r}" for name, domain in values.items()) + "}"


def table(values: Mapping[str, str]) -> str:
    """A dictionary of texts, a line each."""
    return "{\n" + "".join(f"        {quoted(k)}: {quoted(v)},\n" for k, v in values.items()) + "    }"


def listed(values: Sequence[str] | Iterator[str]) -> str:
    """A tuple of texts, in Python."""
    found = [quoted(value) for value in values]
    line = f"({', '.join(found)}{',' * (len(found) == 1)})"
    return line if len(line) < 80 else "(\n" + "".join(f"        {value},\n" for value in found) + "    )"


def quoted(text: str) -> str:
    """A text as Python and ruff write it."""
    made = repr(text)
    return f'"{made[1:-1]}"' if made[0] == "'" and '"' not in made and "\\'" not in made else made


def clean(text: str) -> str:
    """A patch's words within a docstring."""
    return "".join(c if c.isprintable() and c not in '"\\' else "'" if c == '"' else " " for c in text)


def paragraph(text: str, indent: str = "") -> list[str]:
    """Lines of text."""
    return textwrap.wrap(text, 100, initial_indent=indent, subsequent_indent=indent,
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip
