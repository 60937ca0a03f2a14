# SPDX-License-Identifier: GPL-2.0-only
"""What a check compiles and runs of one revision: compilers and workers beside each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from extractor.items import Item
from extractor.patch import Patch
from extractor.slice import Slice
from harness import explore, walk
from harness.build import PLAIN, QUICK, Built, Cached, Flavour, contract_library, engine_library
from harness.contract import Loaded, StaticContract
from harness.coverage import (
    Counters,
    PatchCoverage,
    coverage_flavour,
    decode_counters,
    measure,
    read_coverage,
)
from harness.driver import Driver, Flight, Libraries, Limits
from harness.errors import HarnessError
from harness.explore import Explored
from harness.interleave.compare import Compared, compare
from harness.interleave.flavour import THREADED, THREADED_TREE
from harness.interleave.judge import place_all
from harness.interleave.run import Asked, Interleaved, Interleaving, concurrent, threaded
from harness.interleave.stress import stress
from harness.judge import Runs
from harness.loading import in_walk
from harness.render import render_contract
from harness.replay import replay_all
from harness.run import Explorer, Job
from harness.sanitize import SANITIZED
from harness.stage import Replayed, Revision, Setting, Stage
from harness.subjects import Attempt, Subject, own_code
from harness.trace_file import TraceFile

Poll = Callable[[Flight], None]
Task = Callable[[Driver], Explored]
DEFAULT_LIMITS = Limits()
BY_DEFAULT = Asked()
UNSEEN = re.compile(r"\b(?:__)?no_(?:sanitize|instrument)\w*\b")  # attributes: gcc puts no hooks in such code
LONG_WALK = 2_000_000  # calls, beyond which it pays to optimise what makes them


@dataclass(frozen=True)
class Request:
    """What is to be checked, and how far."""

    patches: tuple[Patch, ...]
    items: tuple[Item, ...]
    contracts: tuple[Loaded, ...]
    static: tuple[StaticContract, ...] = ()
    near: tuple[str, ...] = ()  # why contracts that are for some of its names do not fit
    tree: str = ""  # the kernel tree that the patches are on
    notes: tuple[str, ...] = ()  # how the patches were applied
    cover: str = ""  # what the series' cover letter says
    generic: bool = True  # also what can be checked without a contract
    config: Mapping[str, bool] = field(default_factory=dict)
    limits: Limits = DEFAULT_LIMITS
    symmetry: str = "auto"
    walk: int = 300_000  # calls
    seed: int = 1
    sanitize: bool = True
    coverage: bool = False
    keep: Path | None = None
    traces: Path | None = None  # where findings are saved, for the report
    saved: tuple[tuple[str, TraceFile], ...] = ()  # those found there, to be run first
    damaged: tuple[Replayed, ...] = ()  # files there that are no traces
    threads: Asked | None = BY_DEFAULT  # what runs at the same time; None: nothing


@dataclass(frozen=True)
class Driven:
    """What was compiled and run of one contract."""

    loaded: Loaded
    wide: Loaded  # the contract in the bounds of the walk
    subject: Subject
    runs: Runs
    coverage: PatchCoverage | None
    folder: Path
    threads: tuple[Interleaved, ...] = ()
    stressed: Compared | None = None

    def library(self, *, sanitized: bool, wide: bool) -> Path:
        """The build that a trace ran on."""
        if sanitized:
            return self.folder / "sanitized/subject.so"
        path = self.folder / "wide/subject.so"
        return path if wide and path.exists() else self.subject.built.library


class Drive:
    """One contract on its way through compilers and workers, which begin at once."""

    def __init__(self, request: Request, loaded: Loaded, piece: Slice, folder: Path, engine: Cached) -> None:
        self.request, self.loaded, self.piece, self.engine = request, loaded, piece, engine
        self.config = loaded.options
        self.folder = folder / loaded.contract.name
        self.folder.mkdir(exist_ok=True)
        self.workers: list[Explorer] = []
        self.weavers: list[Interleaving] = []
        self.wide = in_walk(loaded)
        # Bounds that have names can be made wide, and then every call counts.
        self.flavour = PLAIN if loaded.bounds else QUICK
        self.contract = self.contract_of(loaded, self.flavour)
        self.plain = self.attempt(loaded, self.flavour)
        self.sanitized = self.attempt(loaded, SANITIZED) if request.sanitize else None
        self.walker, self.wide_contract = self.plain, self.contract
        self.walks = request.walk > 0 and loaded.contract.goes_further
        if self.walks and self.wide is not loaded:
            far = PLAIN if request.walk > LONG_WALK else QUICK
            self.walker = self.attempt(self.wide, far, "wide")
            self.wide_contract = self.contract_of(self.wide, far)
        self.counting = self.attempt(loaded, coverage_flavour()) if request.coverage else None
        self.asked = request.threads if request.threads and concurrent(loaded, request.threads) else None
        flavour = THREADED_TREE if piece.unit else THREADED
        self.threaded = self.attempt(threaded(loaded), flavour) if self.asked else None

    def contract_of(self, loaded: Loaded, flavour: Flavour) -> Cached:
        """The contract's library, under way."""
        return contract_library(render_contract(loaded), self.folder, flavour)

    def attempt(self, loaded: Loaded, flavour: Flavour, name: str = "") -> Attempt:
        """A subject, under way."""
        folder = self.folder / (name or flavour.name)
        return Attempt(loaded, self.piece, self.config, folder, flavour)

    def compile(self) -> None:
        """What the preprocessor has gone through goes to the compiler."""
        attempts = [self.plain, self.sanitized, self.walker, self.counting, self.threaded]
        for attempt in dict.fromkeys(attempt for attempt in attempts if attempt):
            attempt.compile()

    def settle(self) -> None:
        """The subject is known; from here on workers can begin."""
        self.subject = self.plain.settle()

    def start(self) -> None:
        """Begins all that is asked for."""
        lost = self.subject.lost
        self.exploring = self.explore(self.subject.built)
        self.walking = self.walk(self.walker.finish(lost)) if self.walks else None
        self.watching = self.explore(self.sanitized.finish(lost)) if self.sanitized else None
        self.counted = self.explore(self.counting.finish(lost), count=True) if self.counting else None
        self.weaving = self.weave(self.threaded, self.asked) if self.threaded and self.asked else None

    def finish(self, poll: Poll | None) -> Driven:
        """What came of it."""
        explored, deaths = self.exploring.finish(poll)
        walked = self.walking.finish() if self.walking else None
        watched = self.watching.finish() if self.watching else None
        covered = None
        if self.counted:
            counters = decode_counters(self.counted.finish()[0].counters)
            files = {item.file for item in self.piece.code}
            covered = measure(
                read_coverage(self.folder / "coverage", counters, files), own_code(self.loaded, self.piece)
            )
        woven = self.weaving if isinstance(self.weaving, tuple) else ()
        if isinstance(self.weaving, Interleaving):
            woven = self.weaving.finish()
        runs = Runs(explored, deaths, walked, watched)
        stressed = self.stress(woven) if woven and self.asked and self.asked.stress else None
        return Driven(self.loaded, self.wide, self.subject, runs, covered, self.folder, woven, stressed)

    def stress(self, woven: tuple[Interleaved, ...]) -> Compared:
        """The same on real threads, when nothing else runs any more, beside what the explorer found."""
        asked, sample = self.asked, woven[0].sample
        assert asked and self.threaded
        if not sample:
            return Compared(None, error="no scenario was run to its end")
        built = self.threaded.finish(self.subject.lost)
        libraries = Libraries(built.library, self.contract.finish(), self.engine.finish())
        files = {item.file for item in self.piece.code}
        placed = [place_all(one, built.library, files) for one in woven]
        try:
            stressed = stress(
                threaded(self.loaded), self.piece, self.config, sample, asked.stress, asked.seed, self.folder
            )
            return compare(libraries, self.loaded, placed, stressed, self.subject.skip | self.long)
        except HarnessError as err:
            return Compared(None, error=str(err))

    def weave(self, attempt: Attempt, asked: Asked) -> Interleaving | tuple[Interleaved, ...]:
        """Its threads, under way; where their flavour does not compile, that."""
        if hidden := [item.name for item in self.piece.code if UNSEEN.search(item.text)]:
            return (Interleaved("sc", error=f"{', '.join(hidden)}: an attribute hides what it accesses"),)
        try:
            built = attempt.finish(self.subject.lost)
        except HarnessError as err:
            return (Interleaved("sc", error=f"it does not compile for threads: {err}"),)
        libraries = Libraries(built.library, self.contract.finish(), self.engine.finish())
        limits = self.request.limits
        self.weavers.append(
            Interleaving(libraries, self.loaded, asked, limits, self.subject.skip | self.long)
        )
        return self.weavers[-1]

    def begin(
        self, built: Built, contract: Cached, loaded: Loaded, task: Task, without: frozenset[str]
    ) -> Explorer:
        """A worker, under way."""
        libraries = Libraries(built.library, contract.finish(), self.engine.finish())
        limits = self.request.limits
        job = Job(libraries, loaded, task, self.subject.skip | without, limits.seconds, limits.megabytes)
        self.workers.append(Explorer(job))
        return self.workers[-1]

    def explore(self, built: Built, count: bool = False) -> Explorer:
        """The exploration of one build."""
        request = self.request

        def task(driver: Driver) -> Explored:
            driver.counters = Counters(built.library) if count else None
            return explore.explore(driver, request.limits, request.symmetry)

        slow = count or built is not self.subject.built
        return self.begin(built, self.contract, self.loaded, task, self.long if slow else frozenset())

    def walk(self, built: Built) -> Explorer:
        """The random walk."""
        request = self.request

        def task(driver: Driver) -> Explored:
            return walk.walk(driver, request.seed, request.walk, request.limits.seconds)

        return self.begin(built, self.wide_contract, self.wide, task, self.long)

    @property
    def long(self) -> frozenset[str]:
        """The operations that run where nothing slows them."""
        return frozenset(op.name for op in self.loaded.contract.operations if op.long)

    def ready(self) -> Iterator[tuple[Loaded, Flavour, Attempt, Cached]]:
        """The subjects that saved traces can run on."""
        yield self.loaded, PLAIN, self.plain, self.contract
        if self.walker is not self.plain:
            yield self.wide, PLAIN, self.walker, self.wide_contract
        if self.sanitized:
            yield self.loaded, SANITIZED, self.sanitized, self.contract
        if self.threaded:
            yield threaded(self.loaded), self.threaded.flavour, self.threaded, self.contract


def drive(
    request: Request, pieces: Sequence[Slice], folder: Path, poll: Poll | None
) -> tuple[list[Driven], dict[str, str], tuple[Replayed, ...]]:
    """Everything that is compiled and run of one revision, a slice for each contract.

    What came of each contract, why there is nothing of some, and of the saved traces. HarnessError where
    there is nothing of any.
    """
    engine = engine_library(folder)
    pairs = zip(request.contracts, pieces, strict=True)
    drives = [Drive(request, loaded, piece, folder, engine) for loaded, piece in pairs]
    try:
        return drive_all(request, drives, folder, engine, poll)
    except BaseException:
        for under in drives:
            for explorer in under.workers:
                explorer.end()
            for weaving in under.weavers:
                weaving.end()
        raise


def drive_all(
    request: Request, drives: Sequence[Drive], folder: Path, engine: Cached, poll: Poll | None
) -> tuple[list[Driven], dict[str, str], tuple[Replayed, ...]]:
    """As drive(); workers may still run where it fails."""
    for under in drives:
        under.compile()
    settled: list[Drive] = []
    failed: dict[str, HarnessError] = {}
    for under in drives:
        try:
            under.settle()
            settled.append(under)
        except HarnessError as err:
            failed[under.loaded.contract.name] = err
    if failed and not settled:
        raise next(iter(failed.values()))
    replays = replay_saved(request, settled, Stage(folder, engine))
    for under in settled:
        under.start()
    return [under.finish(poll) for under in settled], {name: str(e) for name, e in failed.items()}, replays


def replay_saved(request: Request, drives: Sequence[Drive], stage: Stage) -> tuple[Replayed, ...]:
    """What became of the saved traces; those with the same setting run on the subjects at hand."""
    if not (request.saved or request.damaged):
        return ()
    revision = Revision(request.patches, request.items, request.tree)
    for under in drives:
        for loaded, flavour, attempt, contract in under.ready():
            stage.know(Setting(revision, loaded, under.config, flavour), attempt, contract)
    given = {under.loaded.contract.name: under.loaded for under in drives}
    replays = replay_all(request.saved, stage, revision, given, {})
    return tuple(sorted((*request.damaged, *replays), key=lambda replayed: replayed.name))
