# SPDX-License-Identifier: GPL-2.0-only
"""What a contract is made of.

A contract file is Python that a kernel developer can read: a State and a Ghost (frozen dataclasses
of int, bool and tuples of int), functions over them in the subset that `harness/translate.py` turns
into C, and one `CONTRACT` that names them.
"""

from __future__ import annotations

import ast
import contextlib
import contextvars
import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.static.layout import Layouts

CONTRACTS = Path(__file__).resolve().parent / "contracts"
# What is checked of each operation beside its observations, in the engine's order.
EXTRA = ("return", "warnings", "elsewhere", "crash", "sanitizer")

DEBUG = "CONFIG_DEBUG_VM"  # without which the warnings of mm are compiled away
GOES_ON = ("operation", "setup")  # the kinds of operations whose successors are explored


@dataclass
class Bounds:
    """What `--bound` asked for, and what a contract file took of it or by default."""

    wanted: dict[str, int]
    used: dict[str, int] = field(default_factory=dict)


loading: contextvars.ContextVar[Bounds | None] = contextvars.ContextVar("bounds", default=None)


def bound(name: str, default: int, *, least: int = 1, most: int = 1 << 20) -> int:
    """The bound `name` of this run: what `--bound name=N` asked for, else `default`."""
    bounds = loading.get() or Bounds({})
    value = bounds.wanted.get(name, default)
    if not least <= value <= most:
        raise HarnessError(f"bound {name}={value} is out of range; it goes from {least} to {most}")
    bounds.used[name] = value
    return value


chosen: contextvars.ContextVar[Mapping[str, int] | None] = contextvars.ContextVar("settings", default=None)


@contextlib.contextmanager
def settings(**values: int) -> Iterator[None]:
    """What `setting` gives in the contract files that are imported in here; the outermost has the last word.

    A contract file is run anew for each one that imports it, so that each has its own.
    """
    token = chosen.set(values | dict(chosen.get() or {}))
    try:
        yield
    finally:
        chosen.reset(token)


def setting(name: str, default: int) -> int:
    """A number that differs from revision to revision: `default`, or what an importing contract says."""
    return (chosen.get() or {}).get(name, default)


def put(values: tuple[int, ...], index: int, value: int) -> tuple[int, ...]:
    """`values` with `value` at `index`."""
    return (*values[:index], value, *values[index + 1 :])


def parameters(function: Any) -> Iterator[str]:
    """The parameter names of a contract function, in order."""
    yield from function.__code__.co_varnames[: function.__code__.co_argcount]


@dataclass(frozen=True)
class Operation:
    """One call of the code under test.

    `call` is C over the world `w` and the arguments; `args` gives each argument's domain, `wide` the
    domains of random walks where they are others (an empty domain in `args`: walks only). `when`
    says where the call is legal. `model` predicts the next State (without one, what it leaves is
    judged by the claims alone); `returns` the return value; `warns` whether a warning is due (never,
    where there is none), `by` the function whose own warning it is, where others that it calls warn
    of the same. `ghost` moves the ground truth. `target` is the patch's function where `call` passes it
    on to the contract's own C.

    kind "operation": legal, compared with the model, and explored further. "probe": compared, but
    its successor is not explored. "misuse": only whether it warns is compared. "setup": the
    contract's own C that prepares the world; explored further, and not judged. "outlook": a probe of
    what the patch calls possible, though it does not claim it: what differs is no finding, but said.

    One that is `optional` is left out, and said to be absent, where a revision does not define what it
    calls: a version of the code that lacks the function is no less whole.

    `option` is the one without which its warning is compiled away. `part` names the part of the patch
    that it belongs to, where that is not the contract's title. One that is `long` runs for many calls
    in one, and only where nothing slows it: not in walks, not under sanitizers. Of one that is `observed`
    the return value is seen, though nothing predicts it. One that is `doubtful` is a call of which
    nobody says that it is legal: what it reaches is said, and is no finding.
    """

    name: str
    call: str
    args: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    wide: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    kind: Literal["operation", "probe", "misuse", "setup", "outlook"] = "operation"
    title: str = ""
    part: str = ""
    sentence: str = ""  # of the patch, for an outlook
    option: str = DEBUG
    long: bool = False
    optional: bool = False
    observed: bool = False
    doubtful: bool = False
    outcome: str = "the code gives {}"  # of an outlook, with what was returned
    through: str = ""  # the operation that this one calls with fixed arguments
    when: Callable[..., bool] | None = None
    model: Callable[..., Any] | None = None
    returns: Callable[..., int] | None = None
    warns: Callable[..., bool] | None = None
    by: str = ""
    target: str = ""
    ghost: Callable[..., Any] | None = None

    @property
    def called(self) -> list[str]:
        """The functions and macros that its C calls, in order."""
        return re.findall(r"\b(\w+)\s*\(", self.call)

    @property
    def uses_ghost(self) -> bool:
        """Whether it is legal, what is due of it, or what follows depends on the ghost."""
        said = [function for function in (self.when, self.warns, self.ghost) if function]
        return any("g" in parameters(function) for function in said)

    def domain(self, name: str, *, wide: bool) -> tuple[int, ...]:
        """The values of argument `name`, in exploration or in walks."""
        return self.wide.get(name, self.args[name]) if wide else self.args[name]


@dataclass(frozen=True)
class Claim:
    """A property of ghost and observation, with the sentence it was taken from.

    "always": `holds` is judged after every legal operation (only `on` some, where given), over any of
    `g` (ghost after), `s` (state before), `t` (state after) and `rmw` (atomic read-modify-writes that
    the operation executed). "possible": some reachable `g`, `t` must satisfy `holds`.
    """

    id: str
    kind: Literal["always", "possible"]
    title: str
    sentence: str
    holds: Callable[..., bool]
    on: tuple[str, ...] = ()
    part: str = ""
    least: Mapping[str, int] = field(default_factory=dict)  # bounds below which it cannot show

    @property
    def counts(self) -> bool:
        """It judges how an operation worked, not what it left: no write in the patch breaks it."""
        return "rmw" in parameters(self.holds)

    @property
    def of_state(self) -> bool:
        """It is a property of a state, however that was reached: judged once a state."""
        return self.kind == "possible" or (not self.on and set(parameters(self.holds)) <= {"g", "t"})


@dataclass(frozen=True)
class Feature:
    """A named predicate that says what states of one divergence have in common."""

    title: str
    holds: Callable[..., bool]


@dataclass(frozen=True)
class Symmetry:
    """Which states differ only by which member (MM, CPU, …) is which.

    `values` is the ID of each member in turn; `ids` are the State fields that hold one; `tuples` are
    the Ghost fields with an element for each member; `arguments` are the operations' arguments that
    are a member's number.
    """

    values: tuple[int, ...]
    ids: tuple[str, ...]
    tuples: tuple[str, ...]
    arguments: tuple[str, ...]
    member: str = "member"  # what a report calls one


@dataclass(frozen=True)
class Threads:
    """What of a contract may run at the same time as other calls of it, and what a reader may see.

    `operations` are those that run together wherever each order of them is legal, with the values of their
    arguments where not all are for that; `by` are the arguments that tell threads apart, such as the MM that
    each works for. `calls` is the C of those whose own would use what threads share without the code's
    doing. `lock_free` are State fields that may be read without a lock, each by itself. `sentence` is the
    patch's, of how it keeps concurrent calls apart.
    """

    operations: Mapping[str, Mapping[str, tuple[int, ...]]]
    by: tuple[str, ...] = ()
    calls: Mapping[str, str] = field(default_factory=dict)
    lock_free: tuple[str, ...] = ()
    sentence: str = ""


SHOWN = "/* what the patch shows */"


@dataclass(frozen=True)
class Wrapper:
    """A kernel function of which a patch shows only fragments, made whole by the contract's C.

    `head` is the function's C up to its body; `body` has the contract's own statements, and SHOWN where
    the fragments go, in the patch's order, whose text stays the patch's own. Where a revision defines
    the whole function, that is called instead.
    """

    of: str
    head: str
    body: str


@dataclass(frozen=True)
class Binding:
    """A contract for a revision that does the same under other names.

    `names` has the C that is spelled otherwise there, whole words of it: "folio_mm0_id" or
    "folio.flags"; all C of the contract is read so. `requires` is what it must define beside. `init`,
    `owns`, `observe` and `calls` stand for the contract's own where names do not suffice, `claims`
    for its sentences, each where it is given. What is in `without`, an operation or a claim, that
    revision has not.

    Where a revision does something else, it takes a contract of its own (see `Contract.revisions`).
    Until somebody has written that, one that is not `modelled` leaves ghost and claims to judge alone.
    """

    title: str
    names: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    init: str = ""
    owns: tuple[str, ...] = ()
    observe: Mapping[str, str] = field(default_factory=dict)
    calls: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    modelled: bool = True
    not_checked: tuple[str, ...] = ()

    def spelled(self, code: str) -> str:
        """The contract's C in this revision's names."""
        if not self.names:
            return code
        longest = sorted(self.names, key=len, reverse=True)
        found = rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)"
        return re.sub(found, lambda match: self.names[match[0]], code)


@dataclass(frozen=True)
class Contract:
    """World, operations, observations, model and claims for one piece of kernel code."""

    name: str
    title: str
    requires: tuple[str, ...]  # functions that a revision must define, or show, for this contract to fit
    headers: tuple[str, ...]  # kernel headers that the world needs
    config: Mapping[str, bool]
    world: str  # C fields of the world
    init: str  # C statements that make the initial world `w`
    owns: tuple[str, ...]  # C lvalues below `w` that operations may change
    state: type  # dataclass: what is observed
    observe: Mapping[str, str]  # State field -> C expression over the world `w`
    ghost: type
    operations: tuple[Operation, ...]
    claims: tuple[Claim, ...]
    features: tuple[Feature, ...] = ()
    symmetry: Symmetry | None = None
    walk: Mapping[str, int] = field(default_factory=dict)  # bounds of random walks
    bindings: tuple[Binding, ...] = ()  # the same for revisions that name things otherwise
    # The same contract, by its name, for revisions that do otherwise: files below `revisions/`, beside it.
    revisions: tuple[str, ...] = ()
    # States outside are judged when they are reached, but not explored from, unless it is the first:
    # counters that a defect lets run away would never end.
    within: Callable[..., bool] | None = None
    legend: str = ""
    show: Callable[[Any], Mapping[str, str]] | None = None  # State -> columns of a trace
    not_checked: tuple[str, ...] = ()
    words: Mapping[str, Mapping[int, str]] = field(default_factory=dict)  # for values of arguments, of State
    # Observations of one thing, such as the fields of one word: where several diverge, it is one finding.
    together: tuple[tuple[str, ...], ...] = ()
    scope: str = ""  # its bounds in words, where it has none by name, and what it explores beside these
    pinned: tuple[str, ...] = ()  # options of `config` that no run may set otherwise
    standins: str = ""  # C of what the code under test calls and neither patch nor shims define
    wrappers: tuple[Wrapper, ...] = ()
    threads: Threads | None = None  # what runs at the same time; None: nothing, unless a run asks for it
    derived: bool = False  # of functions, by kconform (harness/derive): nobody said what they should do

    def thing(self, observation: str) -> str:
        """What an observation is of: the first of those that go together."""
        return next((group[0] for group in self.together if observation in group), observation)

    def word(self, name: str, value: object) -> str:
        """A value of an argument or observation as a report says it."""
        said = self.words.get(name, {}).get(value) if isinstance(value, int) else None
        return str(value) if said is None else said

    def part(self, of: Operation | Claim) -> str:
        """The part of the patch that an operation or claim belongs to."""
        return of.part or self.title

    @property
    def goes_further(self) -> bool:
        """Whether a random walk has calls that exploration has not."""
        return bool(self.walk) or any(op.wide for op in self.operations)

    @property
    def given(self) -> frozenset[str]:
        """The names that its own C defines: functions and macros."""
        named = r"^[ \t]*#[ \t]*define[ \t]+(\w+)|^[a-z][^;=(]*?\b(\w+)\s*\([^;{]*\)\s*\{"
        return frozenset(a or b for a, b in re.findall(named, self.standins, re.M))

    def absent(self, defined: Set[str]) -> dict[str, str]:
        """The optional operations of which a revision does not define what they call, with that name."""
        lacking = ((op.name, [name for name in op.called if name not in defined | self.given])
                   for op in self.operations if op.optional)  # fmt: skip
        return {name: lost[0] for name, lost in lacking if lost}

    def without(self, absent: Mapping[str, str]) -> Contract:
        """The contract without these operations, and without the claims that are on them alone."""
        if not absent:
            return self
        names = ", ".join(dict.fromkeys(absent.values()))
        return replace(
            self,
            operations=tuple(op for op in self.operations if op.name not in absent),
            claims=tuple(c for c in self.claims if not c.on or not set(c.on) <= absent.keys()),
            not_checked=(*self.not_checked, f"absent from this revision: {names}"),
        )

    def bound(self, binding: Binding) -> Contract:
        """The contract for a revision with other names."""
        spelled = binding.spelled

        def bound(op: Operation) -> Operation:
            call = binding.calls.get(op.name, spelled(op.call))
            made = replace(op, call=call, by=spelled(op.by), target=spelled(op.target))
            if binding.modelled or op.kind == "misuse":
                return made
            return replace(made, model=None, returns=None, warns=None)

        wrappers = [replace(w, of=spelled(w.of), head=spelled(w.head), body=spelled(w.body))
                    for w in self.wrappers]  # fmt: skip
        return replace(
            self,
            title=f"{self.title}, {binding.title}",
            requires=(*(spelled(name) for name in self.requires), *binding.requires),
            headers=binding.headers or self.headers,
            config={spelled(name): on for name, on in self.config.items()},
            pinned=tuple(spelled(name) for name in self.pinned),
            world=spelled(self.world),
            init=binding.init or spelled(self.init),
            owns=binding.owns or tuple(spelled(lvalue) for lvalue in self.owns),
            observe={name: binding.observe.get(name, spelled(c)) for name, c in self.observe.items()},
            operations=tuple(bound(op) for op in self.operations if op.name not in binding.without),
            claims=tuple(
                replace(claim, sentence=binding.claims.get(claim.id, claim.sentence))
                for claim in self.claims
                if claim.id not in binding.without
            ),
            standins=spelled(self.standins),
            wrappers=tuple(wrappers),
            not_checked=(*self.not_checked, *binding.not_checked),
            bindings=(),
            revisions=(),
        )

    @property
    def unjudged(self) -> tuple[str, ...]:
        """What its checks say nothing about: its own words, and operations that nothing predicts."""
        bare = [op.name for op in self.operations
                if op.kind in ("operation", "probe") and not op.model and not op.returns]  # fmt: skip
        few = ", ".join(bare[:6]) + (f" and {len(bare) - 6} more" if len(bare) > 6 else "")
        if self.derived:
            return self.not_checked
        alone = f"what {few} leave: the contract has no model of them, so ghost and claims judge alone"
        return (*([alone] if bare else []), *self.not_checked)


@dataclass(frozen=True)
class Source:
    """A contract file's text, and the names that running it made."""

    path: Path
    text: str
    tree: ast.Module
    namespace: Mapping[str, Any]


@dataclass(frozen=True)
class Loaded:
    """A contract for given bounds, with its sources for the translation to C.

    These are its file, and those of the contract files that it imports from.
    """

    contract: Contract
    sources: tuple[Source, ...]
    bounds: Mapping[str, int]
    binding: int = -1  # which of the contract file's bindings it is; -1: its own
    config: Mapping[str, bool] = field(default_factory=dict)  # what the run sets otherwise
    absent: Mapping[str, str] = field(default_factory=dict)  # operations that a revision lacks; see Contract
    elsewhere: Mapping[str, str] = field(default_factory=dict)  # names that it has, not here: where

    @property
    def path(self) -> Path:
        """The contract's file."""
        return self.sources[0].path

    @property
    def text(self) -> str:
        """All that the contract is made of."""
        return "".join(source.text for source in self.sources)

    @property
    def options(self) -> dict[str, bool]:
        """The configuration of its subjects: its own, and what the run sets otherwise."""
        return dict(self.contract.config) | dict(self.config)

    def under(self, config: Mapping[str, bool]) -> Loaded:
        """The contract in another configuration: where warnings are compiled away, none is due."""
        made = replace(self, config=dict(config))
        options = made.options
        operations = tuple(
            replace(op, warns=None) if not options.get(op.option, True) else op
            for op in self.contract.operations
        )
        return replace(made, contract=replace(self.contract, operations=operations))

    def bound(self, number: int) -> Loaded:
        """The contract in its binding `number`; -1: as it is."""
        if number < 0:
            return self
        return replace(self, contract=self.contract.bound(self.contract.bindings[number]), binding=number)

    def without(self, absent: Mapping[str, str], elsewhere: Mapping[str, str]) -> Loaded:
        """The contract without the operations that a revision lacks, and what it has out of reach."""
        return replace(self, contract=self.contract.without(absent), absent=absent, elsewhere=elsewhere)


@dataclass(frozen=True)
class LayoutClaim:
    """A property of record layouts before and after a patch, with the sentence it was taken from.

    `holds` gives nothing where it does, else what is wrong: "_x is at byte 112, page[1].private at
    104". It is unknown where the patch adds no field to `record`, or `fields` are not there.
    `sizes` are the bytes that the patch's fields have by its words: only to say which one is to blame.
    """

    id: str
    title: str
    sentence: str
    record: str  # "struct folio"
    holds: Callable[[Layouts], str]
    fields: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OptionClaim:
    """An option can be set only where `needs` holds, and can be set there at all.

    `free` are options that are known to be settable where `needs` does not hold; what depends on
    other options is in doubt, since one of them may need it. `manual`: nothing sets the option but
    its prompt.
    """

    id: str
    title: str
    sentence: str
    option: str  # without CONFIG_
    needs: str = "y"  # in Kconfig's language
    free: tuple[str, ...] = ()
    manual: bool = False


@dataclass(frozen=True)
class UndoneClaim:
    """A header that lets 64-bit kernel headers be compiled for 32 bit must undo an option."""

    id: str
    title: str
    sentence: str
    header: str
    option: str  # with CONFIG_
    before: tuple[str, ...] = ("CONFIG_64BIT",)  # what its base is known to undo
    config: Mapping[str, bool] = field(default_factory=dict)  # what is set where it is included


@dataclass(frozen=True)
class StaticContract:
    """What is claimed of a patch's records, options and documents; nothing of it is run."""

    name: str
    title: str
    requires: tuple[str, ...]  # fields ("struct folio._x"), options and functions that make it fit
    headers: tuple[str, ...] = ()
    config: Mapping[str, bool] = field(default_factory=dict)
    layout: tuple[LayoutClaim, ...] = ()
    options: tuple[OptionClaim, ...] = ()
    undone: tuple[UndoneClaim, ...] = ()
