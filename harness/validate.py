# SPDX-License-Identifier: GPL-2.0-only
"""What is wrong with a contract before anything is compiled: names, counts, and what the engine can hold."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

from harness.contract import EXTRA, Binding, Contract, Operation, Symmetry, Threads, parameters

# harness/native: MAX_SLOTS, KC_MAX_ARGS, bits of a verdict and of features, kc_symmetry, uint16_t calls.
MOST_VALUES, MOST_ARGUMENTS, MOST_BITS, MOST_OPERATIONS = 32, 4, 63, 64
MOST_MEMBERS = 20  # 21! arrangements do not fit 64 bits
MOST_CALLS = 65_535
TAKEN = frozenset(["a", "s", "g", "t", "w", "op", "next", "ret", "said", "rmw", "warnings"])


def faults(contract: Contract) -> Iterator[str]:
    """Everything that is wrong, a sentence each."""
    yield from twice("operation", [op.name for op in contract.operations])
    yield from twice("claim", [claim.id for claim in contract.claims])
    yield from of_state(contract)
    for binding in contract.bindings:
        yield from of_binding(contract, binding)
    for op in contract.operations:
        yield from of_operation(op)
    for claim in contract.claims:
        yield from of_function(f"claim {claim.id}: holds", claim.holds, {"g", "s", "t", "rmw"})
    for feature in contract.features:
        yield from of_function(f"feature {feature.title}: holds", feature.holds, None)
    if contract.within:
        yield from of_function("within", contract.within, {"s"})
    for what, number, most in counts(contract):
        if number > most:
            yield f"it has {number} {what}; {most} are the most"
    for name in sorted({name for group in contract.together for name in group} - contract.observe.keys()):
        yield f"together: State has no field {name}"
    if contract.symmetry:
        yield from of_symmetry(contract, contract.symmetry)
    if contract.threads:
        yield from of_threads(contract, contract.threads)


def of_threads(contract: Contract, threads: Threads) -> Iterator[str]:
    """The names in what may run at the same time: a wrong one would leave out what it means, unsaid."""
    operations = {op.name: op for op in contract.operations if op.kind == "operation"}
    for name in sorted((threads.operations.keys() | threads.calls.keys()) - operations.keys()):
        yield f"threads: the contract has no operation {name} that threads could call"
    for name, own in threads.operations.items():
        for argument in sorted(own.keys() - operations[name].args.keys() if name in operations else ()):
            yield f"threads: operation {name} has no argument {argument}"
    called = {name for op in operations.values() if op.name in threads.operations for name in op.args}
    for name in sorted(set(threads.by) - called):
        yield f"threads: by has {name}, which is no argument of what they call"
    for name in sorted(set(threads.lock_free) - contract.observe.keys()):
        yield f"threads: lock_free has {name}, which State has not"


def twice(what: str, names: Sequence[str]) -> Iterator[str]:
    """Names that stand more than once."""
    for name, number in Counter(names).items():
        if number > 1:
            yield f"{what} {name} stands {number} times; give each a name of its own"


def of_state(contract: Contract) -> Iterator[str]:
    """State's fields, and what observes them."""
    for cls in (contract.state, contract.ghost):
        if not dataclasses.is_dataclass(cls):
            yield f"{getattr(cls, '__name__', cls)} is no dataclass"
            return
    fields = {field.name: field.default for field in dataclasses.fields(contract.state)}
    for name, default in fields.items():
        if isinstance(default, tuple):
            yield f"State.{name} is a tuple; an observation is one number, so give each element a field"
        if name in EXTRA:
            yield f"State.{name}: that name is a check's own; choose another"
    for name in sorted(fields.keys() ^ contract.observe.keys()):
        yield f"State.{name} and observe['{name}'] go together, and one is missing"


def of_binding(contract: Contract, binding: Binding) -> Iterator[str]:
    """What a binding stands in for must be there."""
    operations, claims = {op.name for op in contract.operations}, {claim.id for claim in contract.claims}
    for what, said, known in (
        ("observe", binding.observe, set(contract.observe)),
        ("calls", binding.calls, operations),
        ("claims", binding.claims, claims),
        ("without", dict.fromkeys(binding.without), operations | claims),
    ):
        for name in sorted(said.keys() - known):
            yield f"binding {binding.title}: {what} has {name}, which the contract has not"


def of_operation(op: Operation) -> Iterator[str]:
    """One operation's arguments and functions."""
    if len(op.args) > MOST_ARGUMENTS:
        yield f"operation {op.name} has {len(op.args)} arguments; {MOST_ARGUMENTS} are the most"
    for name in op.args:
        if name in TAKEN or not name.isidentifier():
            yield f"operation {op.name}: argument {name} needs another name"
        for value in (*op.args[name], *op.wide.get(name, ())):
            if not isinstance(value, int) or not -(1 << 63) <= value < 1 << 63:
                yield f"operation {op.name}: {name}={value!r} is no 64-bit number"
                break
    for name in sorted(op.wide.keys() - op.args.keys()):
        yield f"operation {op.name}: wide has {name}, which args has not"
    given = {"g", "s", *op.args}
    for key in ("when", "model", "returns", "warns", "ghost"):
        function = getattr(op, key)
        if function:
            yield from of_function(f"operation {op.name}: {key}", function, given)


def of_function(where: str, function: Any, given: set[str] | None) -> Iterator[str]:
    """A function that is to be translated; `given` are the names that it may take."""
    if not isinstance(function, FunctionType):
        yield f"{where} is no function of this file"
        return
    strange = set(parameters(function)) - (given if given is not None else set(parameters(function)))
    if strange:
        yield f"{where}: {function.__name__}() takes {', '.join(sorted(strange))}, which is not given there"


def values(cls: type) -> Mapping[str, int]:
    """How many numbers each field of a dataclass is."""
    return {
        field.name: len(field.default) if isinstance(field.default, tuple) else 1
        for field in dataclasses.fields(cls)
    }


def counts(contract: Contract) -> Iterator[tuple[str, int, int]]:
    """What there is a most of."""
    calls = sum(calls_of(op) for op in contract.operations)
    always = sum(claim.kind == "always" for claim in contract.claims)
    yield "observations", len(contract.observe), MOST_VALUES
    yield "ghost values", sum(values(contract.ghost).values()), MOST_VALUES
    yield "claims of the kind always", always, MOST_BITS
    yield "claims of the kind possible", len(contract.claims) - always, MOST_BITS
    yield "features", len(contract.features), MOST_BITS
    yield "calls in these bounds", calls, MOST_CALLS


def calls_of(op: Operation) -> int:
    """How many calls an operation has in the contract's bounds."""
    product = 1
    for domain in op.args.values():
        product *= len(domain)
    return product


def of_symmetry(contract: Contract, symmetry: Symmetry) -> Iterator[str]:
    """What is alike must be there, and not too much."""
    members, ghost = len(symmetry.values), values(contract.ghost)
    for name in symmetry.ids:
        if name not in contract.observe:
            yield f"symmetry: State has no field {name}"
    for name in symmetry.tuples:
        if ghost.get(name) != members:
            yield f"symmetry: Ghost.{name} is no tuple of {members} elements"
    for what, number, most in (
        ("members", members, MOST_MEMBERS),
        ("ids", len(symmetry.ids), MOST_ARGUMENTS),
        ("tuples", len(symmetry.tuples), MOST_ARGUMENTS),
        ("operations in the contract", len(contract.operations), MOST_OPERATIONS),
    ):
        if number > most:
            yield f"symmetry: there are {number} {what}; {most} are the most"
