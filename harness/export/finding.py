# SPDX-License-Identifier: GPL-2.0-only
"""What an exported file says of a trace: the calls, what is expected of the last, and the C that it needs."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import Any

from extractor.items import SourceLine
from extractor.unit import names_of, scanned
from harness.contract import Claim, Contract, Operation
from harness.errors import HarnessError
from harness.export.flat import flat_parts
from harness.export.prune import Pruned, pruned, words_of
from harness.render import (
    TEMPLATES,
    declarations,
    include_order,
    standins,
    variables,
    whole_functions,
    wrapper_text,
)
from harness.render_unit import HEADER
from harness.replay import judged
from harness.stage import Revision, Setting, Stage, calls_of, setting_of
from harness.subjects import Subject
from harness.trace import Step, apply, failed_checks
from harness.trace_file import TraceFile
from harness.translate import Translator, layout


@dataclass(frozen=True)
class Finding:
    """A trace as it is on a revision now, with the subject that it ran on."""

    trace: TraceFile
    setting: Setting
    subject: Subject
    folder: Path  # of the subject's sources
    steps: tuple[Step, ...]
    verdict: str

    @property
    def contract(self) -> Contract:
        """The contract."""
        return self.setting.loaded.contract

    @cached_property
    def used(self) -> tuple[Operation, ...]:
        """The operations that the trace calls, in the contract's order."""
        called = {step.op for step in self.trace.steps}
        return tuple(op for op in self.contract.operations if op.name in called)

    @property
    def columns(self) -> tuple[str, ...]:
        """The observations in the engine's order."""
        return tuple(layout(self.contract.state).offsets)

    @property
    def last(self) -> Operation | None:
        """The operation of the last step; None where that is the initial world."""
        name = self.trace.steps[-1].op
        return next((op for op in self.used if op.name == name), None)


def finding_of(
    trace: TraceFile, revision: Revision, stage: Stage, given: Mapping[str, Any], config: Mapping[str, bool]
) -> Finding:
    """A trace run on `revision`, in the cage; HarnessError where it cannot be run."""
    if trace.threads:
        raise HarnessError("it is a schedule of concurrent calls, which one thread does not show: export it "
                           "with --litmus, or run it with kconform replay")  # fmt: skip
    setting = setting_of(trace, revision, given, config)
    contract = setting.loaded.contract
    steps = stage.play(setting, calls_of(trace, contract))
    failing = [failed_checks(contract, step) for step in steps]
    verdict, _ = judged(trace, steps, failing, contract)
    attempt, _ = stage.ready(setting)
    return Finding(trace, setting, attempt.settle(), attempt.folder, steps, verdict)


# The C around the trace.


@dataclass(frozen=True)
class Sources:
    """The C that a trace needs: the slice, and the contract's own."""

    slice: Pruned
    standins: str
    wrappers: tuple[str, ...]
    variables: tuple[str, ...]
    given: tuple[str, ...] = ()  # what stand-ins and wrappers define, and records of the world


def sources_of(
    finding: Finding, record: str, kernel: frozenset[str] = frozenset(), more: frozenset[str] = frozenset()
) -> Sources:
    """The C that the calls of a trace need, and `more` names.

    `record` is the template of kconform/record.h, `kernel` the headers of which a kernel has its own.
    """
    contract, piece = finding.contract, finding.subject.piece
    headers = (HEADER,) if piece.unit else include_order(piece, contract.headers)
    with tempfile.TemporaryDirectory(dir=finding.folder.parent) as work:
        parts = flat_parts(finding.folder, headers, finding.setting.config,
                           (TEMPLATES / record).read_text(), Path(work), piece.items)  # fmt: skip
    own = [op.call for op in finding.used] + [contract.init, *contract.observe.values()]
    wanted = words_of("\n".join([contract.world, *own, *contract.owns])) | ALWAYS
    # All that the patch has there, also what no call reaches now: what mends it may call that.
    wanted |= more.union(*(part.defines for part in parts if part.own))
    given = given_parts(finding)
    kept: dict[str, str] = {}
    while True:  # what stand-ins and wrappers need may be stand-ins again
        fresh = {name for name in wanted if name in given and name not in kept}
        if not fresh:
            break
        for name in fresh:
            kept[name] = given[name].text
            wanted |= words_of(given[name].text)
    texts = {id(part): part for name in kept for part in (given[name],)}
    order = [part for part in dict.fromkeys(map(id, given.values())) if part in texts]
    said = [texts[number] for number in order]
    piece_of = pruned(parts, sorted(wanted), kernel)
    reached = {name for part in piece_of.patch for name in part.defines}
    return Sources(
        piece_of,
        "\n".join(part.text for part in said if not part.wrapper),
        tuple(part.text for part in said if part.wrapper),
        tuple(name for name in variables(piece) if name in reached),
        (*kept, *re.findall(r"\b(?:struct|union|enum)\s+(\w+)\s*\{", contract.world)),
    )


ALWAYS = {"kc_record", "kc_i64", "KC_STOP_DEADLOCK"}


@dataclass(frozen=True)
class Given:
    """One piece of a contract's C: a stand-in, or a function made whole."""

    text: str
    wrapper: bool = False


def given_parts(finding: Finding) -> dict[str, Given]:
    """The contract's own C by the names that it defines, in order."""
    contract, piece = finding.contract, finding.subject.piece
    text = standins(contract, piece)
    found: dict[str, Given] = {}
    if "#pragma" in text:  # names of the patch's own are in the way: that holds for the whole
        whole = Given(text)
        found |= dict.fromkeys(sorted(contract.given), whole)
    else:
        lines = tuple(SourceLine(line, n, "context") for n, line in enumerate(text.split("\n"), 1))
        for item in scanned("standins", lines):
            one = Given(item.text)
            found |= dict.fromkeys(names_of(item), one)
    for whole_one in whole_functions(finding.setting.loaded, piece, finding.subject.missing):
        found[whole_one.name] = Given(wrapper_text(whole_one, whole_one.text), wrapper=True)
    return found


# What is expected of the last step.


@dataclass(frozen=True)
class Expectation:
    """What the last step must show for the finding to be gone.

    `what` is the kind: "value" (an observation, the return value), "warnings", "itself", "elsewhere",
    "claim", "back" (it must come back) or "clean" (a sanitizer has nothing to report). `name` and `due`
    say what of a value, `claim` the C of a claim; `ghost` its truth there. `other` is the due value where
    the steps before go as the model says, which they did not.
    """

    what: str
    name: str = ""
    due: int = 0
    other: int | None = None
    claim: Claim | None = None
    code: str = ""
    function: str = ""
    ghost: tuple[tuple[str, int, int], ...] = ()  # name, place, value
    sentence: str = ""


def expectation_of(finding: Finding) -> Expectation:
    """What a trace's check expects at its last step, as the contract's Python says it."""
    trace = finding.trace
    _, _, rest = trace.id.partition("/")
    if trace.group == "claim":
        return claimed(finding, rest)
    if trace.group in ("crash", "sanitizer"):
        return Expectation("back" if trace.group == "crash" else "clean")
    op = finding.last
    assert op
    name = rest.removeprefix(f"{op.name}/") if rest != op.name else "warnings"
    if name == "elsewhere":
        return Expectation("elsewhere")
    due = expected_of(finding)[-1]
    other = by_the_model(finding)
    if name not in due:
        raise HarnessError(f"{trace.id}: the contract says nothing of {name} there")
    what = name if name in ("warnings", "itself") else "value"
    return Expectation(what, name, due[name], other.get(name) if other and other != due else None)


def states_before(finding: Finding) -> Iterator[tuple[Any, Any]]:
    """Ghost and state before each call, as the code left them."""
    contract = finding.contract
    ghost: Any = contract.ghost()
    for before, step in zip(finding.steps, finding.steps[1:], strict=False):
        state = state_of(contract, before.observed)
        yield ghost, state
        op = operation(contract, step.op)
        if op.ghost:
            ghost = apply(op.ghost, {"g": ghost, "s": state} | dict(step.args))


def operation(contract: Contract, name: str) -> Operation:
    """An operation by its name."""
    return next(op for op in contract.operations if op.name == name)


def state_of(contract: Contract, observed: Mapping[str, Any]) -> Any:
    """A State of what was observed."""
    return contract.state(**{
        field.name: bool(observed[field.name]) if field.type in ("bool", bool) else observed[field.name]
        for field in dataclasses.fields(contract.state)
    })  # fmt: skip


def expected_of(finding: Finding) -> list[Mapping[str, int]]:
    """What the model expects of each step; of the initial world nothing."""
    return [step.expected for step in finding.steps]


def by_the_model(finding: Finding) -> Mapping[str, int] | None:
    """What is due of the last step where every step goes as the model says; None where it says not enough."""
    contract = finding.contract
    ghost: Any = contract.ghost()
    state = state_of(contract, finding.steps[0].observed)
    due: dict[str, int] = {}
    for step in finding.steps[1:]:
        op = operation(contract, step.op)
        given = {"g": ghost, "s": state} | dict(step.args)
        if op.when and not apply(op.when, given):
            return None
        due = {"warnings": int(bool(op.warns and apply(op.warns, given)))}
        if op.kind == "misuse":
            return due | ({"itself": due["warnings"]} if op.by else {})
        if op.kind == "setup" or not op.model:
            return None
        if op.returns:
            due["return"] = int(apply(op.returns, given))
        state = apply(op.model, given)
        due |= {name: int(getattr(state, name)) for name in layout(contract.state).offsets}
        ghost = apply(op.ghost, given) if op.ghost else ghost
    return due


def claimed(finding: Finding, name: str) -> Expectation:
    """A claim as C, with the ghost after the last call."""
    contract = finding.contract
    claim = next(claim for claim in contract.claims if claim.id == name)
    translator = Translator(finding.setting.loaded)
    assert isinstance(claim.holds, FunctionType)  # harness/validate.py has seen to it
    node = translator.function(claim.holds)
    function = f"c_{translator.name(node.name, claim.holds.__globals__)}"
    code = named_places(translator.text(), contract)
    return Expectation("claim", name, 1, None, claim, code, function,
                       tuple(ghost_values(finding, claim)), claim.sentence)  # fmt: skip


def ghost_values(finding: Finding, claim: Claim) -> Iterator[tuple[str, int, int]]:
    """Each value of the ghost after the last call, with its name and place."""
    contract = finding.contract
    ghost: Any = contract.ghost()
    state = state_of(contract, finding.steps[0].observed)
    for step in finding.steps[1:]:
        op = operation(contract, step.op)
        if op.ghost:
            ghost = apply(op.ghost, {"g": ghost, "s": state} | dict(step.args))
        if step.observed and not step.why:
            state = state_of(contract, step.observed)
    where = layout(contract.ghost)
    for field, at in where.offsets.items():
        value = getattr(ghost, field)
        for n, each in enumerate(value if isinstance(value, tuple) else (value,)):
            name = f"{field}[{n}]" if isinstance(value, tuple) else field
            yield name, at + n, int(each)


def named_places(code: str, contract: Contract) -> str:
    """Translated C in which a state's and a ghost's values have their names."""
    places = {"s": layout(contract.state), "t": layout(contract.state), "g": layout(contract.ghost)}
    prefix = {"s": "S", "t": "S", "g": "G"}

    def name(match: re.Match[str]) -> str:
        names = {at: field for field, at in places[match[1]].offsets.items()}
        found = names.get(int(match[2]))
        return f"{match[1]}[{prefix[match[1]]}_{found}" if found else match[0]

    code = re.sub(r"\b([stg])\[(\d+)(?=\]| \+)", name, code)
    code = code.replace("static inline __attribute__((always_inline)) ", "static ")
    return re.sub(r"\b(\d+)LL\b", r"\1", code).strip()


def owned_places(finding: Finding) -> Sequence[str]:
    """The C of all that operations may change."""
    return [*finding.contract.owns, *(f"kc_own_{name}" for name in variables(finding.subject.piece))]


def objects(finding: Finding) -> Sequence[Any]:
    """The world's objects."""
    return declarations(finding.contract.world)
