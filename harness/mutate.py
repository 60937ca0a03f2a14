# SPDX-License-Identifier: GPL-2.0-only
"""What a pass is worth: mutants of the patch, each judged by the checks that judge the patch.

A mutant is killed by a check that passes of the patch and fails of it, or that fails otherwise than of
the patch. It is equivalent where its object code is the patch's, or where every call within the bounds
did the same: values, return value, warnings, read-modify-writes. The others have survived.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import signal
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from extractor.items import Item
from extractor.mutants import Mutant, mutants
from harness import worker
from harness.build import (
    Building,
    CompileError,
    Flavour,
    build,
    cache_folder,
    contract_library,
    engine_library,
)
from harness.contract import Loaded
from harness.driver import COMPLETE, WHY, Driver, Flight, Libraries, Limits
from harness.errors import HarnessError
from harness.loading import in_walk
from harness.object_code import same_code
from harness.render import render_contract, whole_functions
from harness.render_mutants import render_mutants
from harness.sanitize import SANITIZED
from harness.scratch import scratch_folder
from harness.subjects import Attempt, Subject, slice_of
from harness.walk import random_walk

# Many mutants are compiled and each runs for milliseconds: so nothing is inlined or optimised.
UNOPTIMISED = ("-O0", "-g0", "-DKC_UNOPTIMISED=1")
FAST = Flavour("fast", UNOPTIMISED)
FAST_SANITIZED = replace(SANITIZED, code=(*SANITIZED.code, *UNOPTIMISED))
BATCH = 40  # mutants of one compilation
LIMITS = Limits(seconds=5.0)
WALK = 300_000  # calls, as in a check
# same: in every call; misuse: in every legal call
Fate = Literal["killed", "same", "misuse", "differs", "broken"]

ALIVE = ("same", "misuse", "differs")
FATES: tuple[Fate, ...] = ("broken", "same", "misuse", "differs", "killed")  # what several contracts say


@dataclass(frozen=True)
class Judged:
    """One mutant: what became of it, by which check, after how many calls."""

    mutant: Mutant
    fate: Fate
    by: str = ""
    calls: int = 0


@dataclass(frozen=True)
class Strength:
    """All mutants of a revision, each in one of the lists; `broken` did not compile and does not count."""

    killed: tuple[Judged, ...]
    equivalent: tuple[Judged, ...]
    survived: tuple[Judged, ...]
    broken: tuple[Judged, ...]
    items: tuple[Item, ...]
    bounds: Mapping[str, int]

    def diff(self, mutant: Mutant) -> list[str]:
        """The changed lines of a mutant."""
        return mutant.diff(next(item for item in self.items if mutant.of(item)))


@dataclass(frozen=True)
class Stage:
    """One way to judge mutants: a build, a contract in its bounds, and what is run."""

    name: str
    loaded: Loaded
    flavour: Flavour
    walk: bool = False
    seed: int = 1


def mutate(
    items: Sequence[Item],
    contracts: Sequence[Loaded],
    jobs: int,
    seed: int = 1,
    shard: tuple[int, int] = (1, 1),
) -> Strength:
    """Every mutant judged by each contract that it reaches, until one kills it.

    `shard` is a number and of how many: only the mutants of that one are judged.
    """
    pieces = [slice_of(loaded, items) for loaded in contracts]
    used = {id(item) for piece in pieces for item in piece.items}
    every = [item for item in items if id(item) in used]
    made = mutants(every)
    wholes: list[Item] = []
    judged: dict[object, Judged] = {}
    alike: set[object] = set()
    with scratch_folder(cache_folder()) as folder:
        for loaded, piece in zip(contracts, pieces, strict=True):
            place = folder / loaded.contract.name
            place.mkdir()
            subject = Attempt(loaded, piece, loaded.options, place / "subject").settle()
            own = whole_functions(loaded, subject.piece, subject.missing)
            inside = [m for m in mutants([*every, *own]) if any(map(m.of, own))] if own else []
            left = [m for m in (*made, *inside) if m.key not in judged or judged[m.key].fate != "killed"]
            mine = [m for m in left if shard_of(m, shard[1]) == shard[0]]
            todo = [m for m in mine if any(map(m.of, (*subject.piece.items, *own)))]
            verdicts = judge_mutants(loaded, subject, todo, place, jobs, seed)
            alive = [j.mutant for j in verdicts.values() if j.fate in ALIVE]
            same = same_code(subject, loaded, loaded.options, alive, place / "assembly")
            alike |= {mutant.key for mutant in same}
            wholes += own
            for mutant, verdict in verdicts.items():
                before = judged.get(mutant.key)
                if not before or FATES.index(verdict.fate) > FATES.index(before.fate):
                    judged[mutant.key] = verdict
    bounds = dict(item for loaded in contracts for item in loaded.bounds.items())
    return sorted_out(judged.values(), alike, [*every, *wholes], bounds)


def judge_mutants(
    loaded: Loaded, subject: Subject, todo: Sequence[Mutant], folder: Path, jobs: int, seed: int
) -> dict[Mutant, Judged]:
    """What one contract says: explored; what is left, walked with; what is left, under sanitizers."""
    stages = [
        Stage("explore", loaded, FAST),
        Stage("walk", in_walk(loaded), FAST, walk=True, seed=seed),
        Stage("sanitizers", loaded, FAST_SANITIZED),
    ]
    judged: dict[Mutant, Judged] = {}
    left = list(todo)
    for stage in stages:
        work = Work(stage, subject, loaded.options, folder, jobs)
        for verdict in work.judge(left):
            before = judged.get(verdict.mutant)
            judged[verdict.mutant] = verdict if verdict.fate == "killed" or not before else before
        left = [j.mutant for j in judged.values() if j.fate in ALIVE]
    return judged


def place_of(judged: Judged) -> tuple[object, ...]:
    """By what mutants are sorted: no two have the same."""
    mutant = judged.mutant
    return (mutant.file, mutant.line, mutant.column, mutant.operator, mutant.before, mutant.after,
            mutant.item, mutant.start)  # fmt: skip


def shard_of(mutant: Mutant, count: int) -> int:
    """The shard that judges a mutant, 1 to `count`: the same in every run."""
    key = "\0".join(map(str, (mutant.file, mutant.line, mutant.column, mutant.operator, mutant.after)))
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % count + 1


def sorted_out(judged: Any, alike: set[object], items: Sequence[Item], bounds: Mapping[str, int]) -> Strength:
    """Each mutant in its list, in the patch's order."""
    order = sorted(judged, key=place_of)
    same_code_text, same_text = "the same object code", "the same behaviour in every call within the bounds"
    equivalent = [
        Judged(j.mutant, j.fate, same_code_text if j.mutant.key in alike else same_text)
        for j in order
        if j.fate in ALIVE and (j.mutant.key in alike or j.fate == "same")
    ]
    gone = {j.mutant for j in equivalent}
    return Strength(
        tuple(j for j in order if j.fate == "killed"),
        tuple(equivalent),
        tuple(j for j in order if j.fate in ALIVE and j.mutant not in gone),
        tuple(j for j in order if j.fate == "broken"),
        tuple(items),
        bounds,
    )


class Work:
    """One stage: compilations and workers, `jobs` of them beside each other."""

    def __init__(
        self, stage: Stage, subject: Subject, config: dict[str, bool], folder: Path, jobs: int
    ) -> None:
        self.stage, self.subject, self.config, self.jobs = stage, subject, config, jobs
        self.folder = folder / stage.name
        self.folder.mkdir()
        self.engine = engine_library(folder)
        self.contract = contract_library(render_contract(stage.loaded), folder)

    def judge(self, todo: Sequence[Mutant]) -> Iterator[Judged]:
        """A verdict for each of `todo`."""
        size = min(BATCH, -(-len(todo) // self.jobs)) or 1
        waiting = [list(todo[i : i + size]) for i in range(0, len(todo), size)]
        compiling: list[Batch] = []
        running: list[Batch] = []
        while waiting or compiling or running:
            while waiting and len(compiling) < self.jobs:
                compiling.append(Batch(self, len(waiting), waiting.pop(0)))
            for batch in compiling:
                batch.go_on()
            if compiling:
                batch = compiling.pop(0)
                yield from batch.compiled()
                running.append(batch)
            if len(running) >= self.jobs or not compiling:
                yield from running.pop(0).finish()


class Batch:
    """Some mutants: compiled together, then run one after the other in a worker."""

    def __init__(self, work: Work, number: int, todo: list[Mutant]) -> None:
        self.work, self.todo = work, todo
        self.folder = work.folder / f"{number}"
        self.folder.mkdir()
        self.building = self.build()

    def build(self) -> Building:
        """The compilation, under way."""
        work = self.work
        rendered = render_mutants(work.stage.loaded, work.subject.piece, work.subject.missing, self.todo)
        return build(rendered, work.config, self.folder, work.stage.flavour)

    def go_on(self) -> None:
        """From the preprocessor to the compiler, so that several do it beside each other."""
        with contextlib.suppress(CompileError):  # said when it is finished
            self.building.compile()

    def compiled(self) -> Iterator[Judged]:
        """Waits for the compiler and begins to run; gives the mutants that it refuses."""
        while True:
            try:
                self.library = self.building.finish().library
                break
            except CompileError as err:
                refused = refused_mutants(err)
                if not refused:
                    raise
                yield from (Judged(self.todo[n - 1], "broken", str(err)) for n in sorted(refused))
                self.todo = [m for n, m in enumerate(self.todo, 1) if n not in refused]
                self.building = self.build()
        self.dead: dict[int, tuple[Fate, str, int]] = {}  # those that ended a worker
        self.start()

    def start(self) -> None:
        """Begins (again), without the mutants that killed a worker."""
        stage, contract, engine = self.work.stage, self.work.contract, self.work.engine
        libraries = Libraries(self.library, contract.finish(), engine.finish())
        operations = stage.loaded.contract.operations
        aside = {op.name for op in operations if op.kind == "outlook" or op.long}
        skip, place = self.work.subject.skip | aside, mmap.mmap(-1, mmap.PAGESIZE)
        numbers = [n for n in range(1, len(self.todo) + 1) if n not in self.dead]
        self.place = place

        def task() -> object:
            driver = MutantDriver(libraries, stage.loaded, Flight(), skip)
            driver.cage()
            return [list(said) for said in driver.judge_all(stage, numbers, place)]

        self.running = worker.Running(task, worker.Limits(120, 240.0, 3 << 30))

    def finish(self) -> Iterator[Judged]:
        """The verdicts; a mutant that kills its worker is killed."""
        while True:
            outcome = self.running.wait()
            if outcome.error:
                raise HarnessError(outcome.error)
            if outcome.result is not None:
                break
            number = struct.unpack("i", self.place[:4])[0]
            slow = outcome.timed_out or outcome.killed_by == signal.SIGXCPU
            self.dead[number] = ("differs", "", 0) if slow else ("killed", "crash: the worker died", 0)
            if 0 in self.dead:
                raise HarnessError("the worker died in the patch itself, so its mutants cannot be judged")
            self.start()
        verdicts = {number: (fate, by, calls) for number, fate, by, calls in outcome.result}
        for number, mutant in enumerate(self.todo, 1):
            yield Judged(mutant, *(verdicts.get(number) or self.dead[number]))


def refused_mutants(err: CompileError) -> set[int]:
    """The numbers of the mutants that the compiler's errors are in."""
    ends = (said.file.rpartition("@")[2] for said in err.diagnostics if said.error)
    return {int(end) for end in ends if end.isdigit()}


class MutantDriver(Driver):
    """A driver that changes its subject: number 0 is the patch, the others are its mutants."""

    number = 0

    def entry(self) -> Any:
        return self.subject.kc_mutant(self.number)

    def judge_all(
        self, stage: Stage, numbers: Sequence[int], place: mmap.mmap
    ) -> Iterator[tuple[int, Fate, str, int]]:
        """Number, fate, check and calls of each mutant; `place` tells which is at work."""
        work = self.walk if stage.walk else self.explore_once
        place[:4] = struct.pack("i", 0)
        nothing_known = b"\1" * self.all_slots
        end = work(stage, nothing_known)
        if end != COMPLETE:
            raise HarnessError(
                "the bounds are too wide for mutants: the patch itself is not explored completely"
            )
        usual = self.failures()
        digests = self.digests()
        witness = {self.claim_slot(c.id) for c in self.contract.claims if c.kind == "possible"}
        known = bytes(slot in usual or slot in witness for slot in range(self.all_slots))
        for number in numbers:
            self.engine.kc_close(self.run)
            self.number = number
            place[:4] = struct.pack("i", number)
            end = work(stage, known)
            yield (number, *self.fate(stage, end, usual, known, digests))

    @property
    def all_slots(self) -> int:
        """How many checks and claims there are."""
        return len(self.operations) * len(self.check_names) + len(self.claim_ids)

    def explore_once(self, stage: Stage, known: bytes) -> int:
        """Explores the mutant at hand."""
        return self.explore(LIMITS, known)

    def walk(self, stage: Stage, known: bytes) -> int:
        """Walks with the mutant at hand."""
        self.open(LIMITS, known)
        return random_walk(self, stage.seed, WALK)

    def failures(self) -> dict[int, int]:
        """The slots that failed, and how often."""
        return {number: int(slot.failed) for number, _, _, slot in self.slots() if slot.failed}

    def digests(self) -> tuple[int, int]:
        """Of all that legal calls did, and of how misuse warned."""
        return int(self.engine.kc_digest(self.run, 0)), int(self.engine.kc_digest(self.run, 1))

    def fate(
        self, stage: Stage, end: int, usual: Mapping[int, int], known: bytes, digests: tuple[int, int]
    ) -> tuple[Fate, str, int]:
        """What becomes of the mutant that was just run."""
        names = {number: f"{op}/{name}" if op else f"claim/{name}" for number, op, name, _ in self.slots()}
        for number, op, name, slot in self.slots():
            if slot.failed and not known[number]:
                return "killed", self.check_id(op, name, int(slot.why)), len(self.first_trace(number) or ())
        if stage.walk:
            return "same", "", 0
        if end != COMPLETE:
            return "differs", "", 0  # unknown is not killed
        now = self.failures()
        for number in usual:
            if now.get(number, 0) != usual[number]:
                op, _, name = names[number].rpartition("/")
                how = "fails in other calls" if number in now else "no longer fails"
                return "killed", f"{self.check_id('' if op == 'claim' else op, name, 0)} {how}", 0
        legal, misuse = (a == b for a, b in zip(self.digests(), digests, strict=True))
        return ("differs" if not legal else "same" if misuse else "misuse"), "", 0

    def check_id(self, op: str, name: str, why: int) -> str:
        """The id of a check, as `check` reports it."""
        if not op:
            return f"claim/{name}"
        if name == "crash":
            return "crash/deadlock" if WHY.get(why) == "deadlock" else f"crash/{op}"
        if name == "sanitizer":
            return f"sanitizer/{op}"
        if name == "return" and next(o.by for o in self.operations if o.name == op):
            return f"misuse/{op}/itself"
        kind = next(o.kind for o in self.operations if o.name == op)
        return f"misuse/{op}" if kind == "misuse" else f"conformance/{op}/{name}"
