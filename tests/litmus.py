# SPDX-License-Identifier: GPL-2.0-only
"""Litmus tests as herd7 reads them, strictly: its splitter, the C that is written, and what can come of it.

herd7 is in no registry that the tests reach, so this stands in for it as far as grammar goes. What can come
of a test is found by running it in every order, stores at once ("sc") or delayed ("relaxed"): less than the
kernel's memory model allows, so what is found there it allows as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

ENDS = {"final", "forall", "exists", "cases", "observed", "Observed", "locations", "filter"}
VALUE = r"(?:-?\d+|r\d+(?: [-+|&] -?\d+)?)"
ORDER = r"(?:_relaxed|_acquire|_release)?"
# The statements that are written; all primitives are those of linux-kernel.def.
FORMS = {
    "load": re.compile(
        r"(?P<r>r\d+) = (?:\*(?P<plain>\w+)|READ_ONCE\(\*(?P<once>\w+)\)|smp_load_acquire\((?P<acq>\w+)\)"
        r"|atomic_read(?:_acquire)?\((?P<atomic>\w+)\))"
    ),
    "store": re.compile(
        rf"(?:\*(?P<plain>\w+) = (?P<v1>{VALUE})|WRITE_ONCE\(\*(?P<once>\w+), (?P<v2>{VALUE})\)"
        rf"|smp_store_release\((?P<rel>\w+), (?P<v3>{VALUE})\)"
        rf"|atomic_set\((?P<atomic>\w+), (?P<v4>{VALUE})\)"
        rf"|atomic_set_release\((?P<atomicrel>\w+), (?P<v5>{VALUE})\))"
    ),
    "cmpxchg": re.compile(rf"(?P<r>r\d+) = cmpxchg{ORDER}\((?P<x>\w+), (?P<old>-?\d+), (?P<new>-?\d+)\)"),
    "fetch": re.compile(rf"(?P<r>r\d+) = atomic_fetch_(?P<op>add|sub){ORDER}\((?P<by>\d+), (?P<x>\w+)\)"),
    "fence": re.compile(r"smp_(?P<kind>mb|rmb|wmb)\(\)"),
    "lock": re.compile(r"spin_(?P<way>lock|unlock)\((?P<x>\w+)\)"),
}
LINE = re.compile(r"\t(?P<code>[^;]+);(?: // (?:[A-Za-z0-9_.-]+:\d+(?:, a constant)?|a constant))?")
CONDITION = re.compile(r"(?:(?P<thread>\d+):(?P<r>r\d+)|(?P<x>\w+))=(?P<value>-?\d+)")


@dataclass(frozen=True)
class Statement:
    form: str
    variable: str
    register: str = ""
    value: str = ""
    extra: str = ""


@dataclass(frozen=True)
class Program:
    types: dict[str, str]
    statements: list[Statement]


@dataclass(frozen=True)
class Litmus:
    name: str
    comment: list[str]
    init: dict[str, int]
    threads: list[Program]
    filter: dict[str, int]
    exists: dict[str, int]
    types: dict[str, str]


def parse(text: str) -> Litmus:
    """The test; AssertionError where herd7 would not take it, or not for what is meant."""
    name, comment, init, program, ends = split(text)
    assert program.isascii() and ends.isascii()
    threads = [thread(n, part) for n, part in enumerate(re.split(r"\n(?=P\d+\()", "\n" + program)[1:])]
    types: dict[str, str] = {}
    for one in threads:
        for variable, kind in one.types.items():
            assert types.setdefault(variable, kind) == kind
    assert set(init) == {v for v, kind in types.items() if kind != "spinlock_t"}
    match = re.fullmatch(r"\n(?:filter \((?P<f>[^()]+)\)\n)?exists \((?P<e>[^()]+)\)\n", "\n" + ends)
    assert match
    parsed = Litmus(
        name, comment, init, threads, conditions(match["f"]) if match["f"] else {},
        conditions(match["e"]), types,
    )  # fmt: skip
    for at in [*parsed.filter, *parsed.exists]:
        number, _, register = at.rpartition(":")
        if number:
            assert register in {s.register for s in threads[int(number)].statements}
        else:
            assert types[at] != "spinlock_t"  # lock.cat: lock-final
    return parsed


def split(text: str) -> tuple[str, list[str], dict[str, int], str, str]:
    """What lib/splitter.mll makes of it."""
    match = re.match(r"C ([A-Za-z0-9_/.+\[\]-]+)\n\n\(\*\n", text)
    assert match, text[:100]
    at, depth = match.end(), 1
    while depth:
        found = re.compile(r"\(\*|\*\)").search(text, at)
        assert found
        depth += 1 if found[0] == "(*" else -1
        at = found.end()
    comment = text[match.end() : at].split("\n")
    assert all(row == " *" or row.startswith(" * ") or row == " *)" for row in comment)
    found = re.compile(r"\n\n\{\n((?:\t[A-Za-z]\w*=-?\d+;\n)*)\}\n").match(text, at)
    assert found, text[at:]
    init = {v: int(n) for v, n in re.findall(r"\t(\w+)=(-?\d+);", found[1])}
    assert all(-(1 << 31) <= n < 1 << 31 for n in init.values())
    start = found.end()
    for token in re.compile(r"[A-Za-z][A-Za-z0-9_/.-]*|.|\n").finditer(text, start):
        if token[0] in ENDS:
            return match[1], comment, init, text[start : token.start()], text[token.start() :]
        assert token[0] != '"'
    raise AssertionError("it has no clause")


def thread(number: int, text: str) -> Program:
    match = re.fullmatch(rf"P{number}\(([^)]*)\)\n\{{\n((?:\tint r\d+;\n)*)(\n?)((?:\t.+\n)+)\}}\n+", text)
    assert match, text
    types = dict(reversed(re.fullmatch(r"(\w+) \*([A-Za-z]\w*)", p).groups()) for p in match[1].split(", "))  # type: ignore[union-attr, misc]
    registers = re.findall(r"r\d+", match[2])
    assert bool(registers) == bool(match[3]) and len(set(registers)) == len(registers)
    statements = [statement(row, types) for row in match[4].split("\n")[:-1]]
    assigned: list[str] = []
    for one in statements:
        used = re.match(r"r\d+", one.value)
        assert not used or used[0] in assigned
        assert one.register not in assigned
        assigned += [one.register] if one.register else []
    assert assigned == registers
    assert set(types) == {s.variable for s in statements if s.variable}
    return Program(types, statements)


def statement(row: str, types: dict[str, str]) -> Statement:
    match = LINE.fullmatch(row)
    assert match, row
    assert not set("{}\"'") & set(row)
    for number in re.findall(r"-?\d+", re.sub(r"\w*[A-Za-z_]\w*", "", match["code"])):
        assert -(1 << 31) <= int(number) < 1 << 31
    for form, pattern in FORMS.items():
        found = pattern.fullmatch(match["code"])
        if not found:
            continue
        groups = {k: v for k, v in found.groupdict().items() if v is not None}
        if form == "fence":
            return Statement(form, "", extra=groups["kind"])
        [variable] = [v for k, v in groups.items() if k in ("plain once acq atomic rel atomicrel x".split())]
        atomic = form == "fetch" or "atomic" in groups or "atomicrel" in groups
        kind = "spinlock_t" if form == "lock" else "atomic_t" if atomic else "int"
        assert types[variable] == kind, row
        value = next((v for k, v in groups.items() if k.startswith("v")), groups.get("old", ""))
        extra = {
            "cmpxchg": groups.get("new", ""),
            "fetch": f"{'-' if groups.get('op') == 'sub' else ''}{groups.get('by', '')}",
            "store": "release" if "release" in match["code"] else "",
            "lock": groups.get("way", ""),
        }.get(form, "")
        return Statement(form, variable, groups.get("r", ""), value, extra)
    raise AssertionError(f"no statement of this C: {row}")


def conditions(text: str) -> dict[str, int]:
    found = {}
    for part in re.split(r" /\\\s+", text):
        match = CONDITION.fullmatch(part)
        assert match, part
        found[f"{match['thread']}:{match['r']}" if match["r"] else match["x"]] = int(match["value"])
    return found


# What can come of it.


@dataclass(frozen=True)
class Store:
    """A store that is delayed."""

    variable: str
    value: int
    release: bool
    epoch: int


@dataclass(frozen=True)
class State:
    at: tuple[int, ...]
    memory: tuple[tuple[str, int], ...]
    registers: tuple[tuple[tuple[str, int], ...], ...]
    buffers: tuple[tuple[Store, ...], ...]
    epochs: tuple[int, ...]
    holders: tuple[tuple[str, int], ...]


def reachable(test: Litmus, memory: str = "sc") -> bool:
    """Whether some order of the statements ends as `exists` says."""
    count = len(test.threads)
    start = State(
        (0,) * count, tuple(sorted(test.init.items())), ((),) * count, ((),) * count, (0,) * count, ()
    )
    todo, seen = [start], {start}
    while todo:
        state = todo.pop()
        if final(test, state):
            return True
        for after in steps(test, state, memory):
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return False


def final(test: Litmus, state: State) -> bool:
    if any(n < len(t.statements) for n, t in zip(state.at, test.threads, strict=True)) or any(state.buffers):
        return False
    values = dict(state.memory)
    values |= {f"{n}:{r}": v for n, own in enumerate(state.registers) for r, v in own}
    return all(values[at] == value for at, value in [*test.filter.items(), *test.exists.items()])


def steps(test: Litmus, state: State, memory: str) -> Iterator[State]:
    for n, own in enumerate(state.buffers):
        for i, store in enumerate(own):
            before = own[:i]
            if not any(
                b.variable == store.variable or store.release or b.epoch < store.epoch for b in before
            ):
                shared = tuple(sorted({**dict(state.memory), store.variable: store.value}.items()))
                yield changed(state, n, 0, memory=shared, buffer=(*before, *own[i + 1 :]))
    for n, program in enumerate(test.threads):
        if state.at[n] < len(program.statements):
            yield from run(state, n, program.statements[state.at[n]], memory)


def run(state: State, n: int, s: Statement, memory: str) -> Iterator[State]:
    own, shared = state.buffers[n], dict(state.memory)
    registers = dict(state.registers[n])
    mine = [b for b in own if b.variable == s.variable]
    if s.form == "fence":
        if s.extra != "mb" or not own:
            yield changed(state, n, 1, epoch=state.epochs[n] + (s.extra == "wmb"))
    elif s.form == "lock":
        holders = dict(state.holders)
        if s.extra == "lock" and s.variable not in holders:
            yield changed(state, n, 1, holders=(*state.holders, (s.variable, n)))
        elif s.extra == "unlock" and not own:
            assert holders.pop(s.variable) == n
            yield changed(state, n, 1, holders=tuple(sorted(holders.items())))
    elif s.form == "load":
        value = mine[-1].value if mine else shared[s.variable]
        yield changed(state, n, 1, registers=(*state.registers[n], (s.register, value)))
    elif s.form == "store":
        value = computed(s.value, registers)
        if memory == "relaxed":
            store = Store(s.variable, value, bool(s.extra), state.epochs[n])
            yield changed(state, n, 1, buffer=(*own, store))
        else:
            shared[s.variable] = value
            yield changed(state, n, 1, memory=tuple(sorted(shared.items())))
    elif not own:
        before = shared[s.variable]
        if s.form == "fetch":
            shared[s.variable] += int(s.extra)
        elif before == int(s.value):
            shared[s.variable] = int(s.extra)
        seen = (*state.registers[n], (s.register, before))
        yield changed(state, n, 1, memory=tuple(sorted(shared.items())), registers=seen)


def computed(text: str, registers: dict[str, int]) -> int:
    first, *rest = text.split(" ")
    value = registers[first] if first[0] == "r" else int(first)
    if rest:
        by = int(rest[1])
        value = {"+": value + by, "-": value - by, "|": value | by, "&": value & by}[rest[0]]
    return value


def changed(
    state: State,
    n: int,
    ran: int,
    *,
    memory: tuple[tuple[str, int], ...] | None = None,
    registers: tuple[tuple[str, int], ...] | None = None,
    buffer: tuple[Store, ...] | None = None,
    epoch: int | None = None,
    holders: tuple[tuple[str, int], ...] | None = None,
) -> State:
    def put(into: tuple, value: object) -> tuple:  # type: ignore[type-arg]
        return into if value is None else (*into[:n], value, *into[n + 1 :])

    return State(
        put(state.at, state.at[n] + ran),
        state.memory if memory is None else memory,
        put(state.registers, registers),
        put(state.buffers, buffer),
        put(state.epochs, epoch),
        state.holders if holders is None else holders,
    )
