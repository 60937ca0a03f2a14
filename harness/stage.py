# SPDX-License-Identifier: GPL-2.0-only
"""What a saved trace is run with: revision, contract and subject; and what became of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from extractor.extract import series_items
from extractor.items import Item
from extractor.patch import Patch
from harness import worker
from harness.build import PLAIN, Cached, Flavour, contract_library, engine_library
from harness.contract import CONTRACTS, GOES_ON, Contract, Loaded
from harness.driver import Call, Driver, Flight, Libraries, Limits
from harness.errors import HarnessError
from harness.explore import decode_steps, unobservable
from harness.interleave.schedule import Schedule
from harness.loading import contract_path, load, shipped
from harness.render import render_contract
from harness.run import MEMORY, bare_steps
from harness.sanitize import SANITIZED
from harness.subjects import Attempt, fitted, slice_of
from harness.trace import DIED, Step, has_check, of_operation, replay
from harness.trace_file import Recorded, TraceFile

SECONDS = 60  # for one trace, however slow its steps are
Verdict = Literal["still there", "changed", "gone", "cannot be run"]


@dataclass(frozen=True)
class Revision:
    """What a trace is run on."""

    patches: tuple[Patch, ...]
    items: tuple[Item, ...]
    tree: str = ""  # the kernel tree that the patches are on

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from others: of patches their hashes, behind the tree's name where there is one."""
        return (*([self.tree] if self.tree else []), *(patch.sha256 for patch in self.patches))


@dataclass(frozen=True)
class Setting:
    """A revision under one contract, configuration and flavour."""

    revision: Revision
    loaded: Loaded
    config: Mapping[str, bool]
    flavour: Flavour

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from others."""
        bounds, config = sorted(self.loaded.bounds.items()), sorted(self.config.items())
        contract = hash_of(self.loaded)
        return self.revision.key, contract, tuple(bounds), tuple(config), self.flavour.name


@dataclass(frozen=True)
class Replayed:
    """What became of one trace: the verdict, how it came to it, and the steps as they are now.

    `failing` are the ids of all checks that fail along it; `loaded` is None where it cannot be run.
    """

    name: str
    trace: TraceFile | None
    verdict: Verdict
    how: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    failing: tuple[str, ...] = ()
    loaded: Loaded | None = None
    revision: Revision | None = None
    notes: tuple[str, ...] = ()
    schedule: Schedule | None = None  # of concurrent calls, instead of steps
    detail: str = ""  # and what is wrong in it


def hash_of(loaded: Loaded) -> str:
    """The sha256 of a contract's text."""
    return hashlib.sha256(loaded.text.encode()).hexdigest()


def ships(path: Path) -> bool:
    """Whether a contract file is one of kconform's own."""
    return CONTRACTS in path.resolve().parents


def revision_of(patches: Sequence[Patch]) -> Revision:
    """Patches with their items."""
    return Revision(tuple(patches), tuple(series_items(patches)))


# From a trace to what it is run with; HarnessError with the reason where it cannot be run.


def contract_of(trace: TraceFile, given: Mapping[str, Loaded]) -> Loaded:
    """The trace's contract in its bounds: a `given` one of that name, else the one that ships."""
    path = given[trace.contract].path if trace.contract in given else None
    if trace.contract_file and (path is None or ships(path)):
        raise HarnessError(f"it was made with a contract file of its own, {trace.contract_file} "
                           f"(contract {trace.contract}); give that with --contract FILE")  # fmt: skip
    if path is None and trace.contract not in shipped():
        raise HarnessError(f"no contract {trace.contract} ships with this version")
    return load(path or contract_path(trace.contract), trace.bounds)


def setting_of(
    trace: TraceFile, revision: Revision, given: Mapping[str, Loaded], config: Mapping[str, bool]
) -> Setting:
    """What a trace is run with on a revision; `config` goes before the trace's own."""
    wanted = dict(trace.config) | dict(config)
    loaded, reason = fitted(contract_of(trace, given), revision.items, wanted)
    if reason:
        raise HarnessError(f"no contract fits this patch: {reason}")
    if not has_check(loaded.contract, trace.id):
        raise HarnessError(f"contract {loaded.contract.name} has no check {trace.id}")
    silent = next(
        (
            op
            for op in loaded.contract.operations
            if of_operation(loaded.contract, op, *trace.id.split("/", 1))
            and not loaded.options.get(op.option, True)
        ),
        None,
    )
    if trace.group == "misuse" and silent:
        raise HarnessError(f"{silent.option}=n compiles the warnings away")
    flavour = SANITIZED if trace.group == "sanitizer" else PLAIN
    return Setting(revision, loaded, loaded.options, flavour)


def calls_of(trace: TraceFile, contract: Contract) -> list[Call]:
    """The trace's calls, each one that the contract could have made."""
    return [call_of(step, f"step {number}", contract, number == trace.last)
            for number, step in enumerate(trace.steps[1:], 1)]  # fmt: skip


def call_of(step: Recorded, where: str, contract: Contract, last: bool) -> Call:
    """One step's call: a number from outside of its domain is never handed to the code."""
    number = next((n for n, op in enumerate(contract.operations) if op.name == step.op), None)
    if number is None:
        raise HarnessError(f"{where}: the contract has no operation {step.op}")
    op = contract.operations[number]
    if set(step.args) != set(op.args):
        raise HarnessError(f"{where}: {step.op} takes {', '.join(op.args) or 'no arguments'}, "
                           f"not {', '.join(step.args) or 'none'}")  # fmt: skip
    for name, value in step.args.items():
        if value not in op.domain(name, wide=False) and value not in op.domain(name, wide=True):
            raise HarnessError(f"{where}: {name}={value} is not an argument of {step.op} in these bounds")
    if op.kind not in GOES_ON and not last:
        raise HarnessError(f"{where}: {step.op} is a {op.kind}, after which no trace goes on")
    return Call(number, tuple(step.args[name] for name in op.args))


# Compiling and running.


class Stage:
    """Compiled subjects by setting; each is compiled once."""

    def __init__(self, folder: Path, engine: Cached | None = None) -> None:
        self.folder = folder
        self.engine = engine or engine_library(folder)
        self.known: dict[object, tuple[Attempt, Cached]] = {}

    def know(self, setting: Setting, attempt: Attempt, contract: Cached) -> None:
        """A subject that somebody else compiles."""
        self.known[setting.key] = attempt, contract

    def ready(self, setting: Setting) -> tuple[Attempt, Cached]:
        """The subject of a setting, under way."""
        if setting.key not in self.known:
            loaded, options = setting.loaded, dict(setting.config)
            contract = contract_library(render_contract(loaded), self.folder)
            piece = slice_of(loaded, setting.revision.items)
            folder = self.folder / f"replay-{len(self.known)}"
            self.known[setting.key] = Attempt(loaded, piece, options, folder, setting.flavour), contract
        return self.known[setting.key]

    def play(self, setting: Setting, calls: Sequence[Call]) -> tuple[Step, ...]:
        """The steps of a trace on the code as it is: fewer where it stops, or may not go on."""
        attempt, contract = self.ready(setting)
        subject = attempt.settle()
        for number, call in enumerate(calls, 1):
            name = setting.loaded.contract.operations[call.op].name
            if name in subject.skip:
                reason = subject.rendered.unavailable[name]
                raise HarnessError(f"step {number}: {name} cannot be called: {reason}")
        libraries = Libraries(subject.built.library, contract.finish(), self.engine.finish())
        return play(libraries, setting, calls, subject.skip)


def play(
    libraries: Libraries, setting: Setting, calls: Sequence[Call], skip: frozenset[str]
) -> tuple[Step, ...]:
    """The steps of a trace in a worker of its own."""
    flight, loaded = Flight(), setting.loaded

    def task() -> object:
        driver = Driver(libraries, loaded, flight, skip)
        driver.cage()
        driver.open(Limits(seconds=SECONDS))
        if blind := unobservable(driver):
            return [asdict(blind)]
        steps = []
        for step in replay(driver, calls):
            steps.append(asdict(step))
            flight.pointer.length = len(steps)  # the step that is next
        return steps

    outcome = worker.run(task, worker.Limits(SECONDS, SECONDS * 1.5, MEMORY * 2))
    if outcome.error:
        raise HarnessError(outcome.error)
    if outcome.result is not None:
        return decode_steps(outcome.result)
    return died_at(int(flight.pointer.length), setting, calls, outcome.killed_by)


def died_at(number: int, setting: Setting, calls: Sequence[Call], signal: int) -> tuple[Step, ...]:
    """The steps up to the one that took its worker with it; nothing of them is known but the calls."""
    steps = [Step("", {}, {}, {}), *bare_steps(setting.loaded, calls[:number])]
    report: Mapping[str, str] | None = {} if setting.flavour is SANITIZED else None
    steps[-1] = replace(steps[-1], why=DIED, signal=signal, report=report)
    return tuple(steps)


def own_revision(trace: TraceFile) -> Revision:
    """The revision that a trace was recorded on; HarnessError where a kernel tree was behind it."""
    if trace.tree:
        raise HarnessError(f"it was found on the kernel tree {trace.tree}: give --tree DIR")
    return revision_of([diff.patch("its diff") for diff in trace.patches])


def notes_on(trace: TraceFile, setting: Setting, gone: bool) -> Iterator[str]:
    """What is not as it was when the trace was recorded."""
    if hash_of(setting.loaded) != trace.contract_sha256:
        yield f"contract {trace.contract} is not the same text as when the trace was recorded"
    changed = [f"{name}={'y' if value else 'n'}" for name, value in sorted(setting.config.items())
               if trace.config.get(name) != value]  # fmt: skip
    if changed:
        yield f"configured otherwise than when the trace was recorded: {', '.join(changed)}"
    if gone and trace.steps[-1].observed.get("stopped") == DIED:
        yield "recorded when a worker died after many calls; here the trace ran alone, and came back"
