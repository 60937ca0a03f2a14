# SPDX-License-Identifier: GPL-2.0-only
"""What a check compiles and runs of one revision: compilers and workers beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from extractor.items import Item
from extractor.patch import Patch
from extractor.slice import Slice
from harness import explore, walk
from harness.build import PLAIN, Built, Cached, Flavour, contract_library, engine_library
from harness.contract import Loaded
from harness.coverage import (
    Counters,
    PatchCoverage,
    coverage_flavour,
    decode_counters,
    measure,
    read_coverage,
)
from harness.driver import Driver, Flight, Libraries, Limits
from harness.explore import Explored
from harness.judge import Runs
from harness.loading import in_walk
from harness.render import render_contract
from harness.replay import Replayed, Revision, Setting, Stage, replay_all
from harness.run import Explorer, Job
from harness.sanitize import SANITIZED
from harness.subjects import Attempt, Subject
from harness.trace_file import TraceFile

Poll = Callable[[Flight], None]
Task = Callable[[Driver], Explored]
DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Request:
    """What is to be checked, and how far."""

    patches: tuple[Patch, ...]
    items: tuple[Item, ...]
    loaded: Loaded
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


class Drive:
    """One revision on its way through compilers and workers."""

    def __init__(self, request: Request, config: dict[str, bool], piece: Slice, folder: Path) -> None:
        self.request, self.config, self.piece, self.folder = request, config, piece, folder
        self.workers: list[Explorer] = []
        self.engine = engine_library(folder)
        self.contract = self.contract_of(request.loaded)
        self.plain = self.attempt(request.loaded, PLAIN)

    def contract_of(self, loaded: Loaded) -> Cached:
        """The contract's library, under way."""
        return contract_library(render_contract(loaded), self.folder)

    def attempt(self, loaded: Loaded, flavour: Flavour, name: str = "") -> Attempt:
        """A subject, under way."""
        folder = self.folder / (name or flavour.name)
        return Attempt(loaded, self.piece, self.config, folder, flavour)

    def settle(self) -> None:
        """The subject is known; from here on workers can begin."""
        self.subject = self.plain.settle()

    def begin(self, built: Built, contract: Cached, loaded: Loaded, task: Task) -> Explorer:
        """A worker, under way."""
        libraries = Libraries(built.library, contract.finish(), self.engine.finish())
        limits = self.request.limits
        job = Job(libraries, loaded, task, self.subject.skip, limits.seconds, limits.megabytes)
        self.workers.append(Explorer(job))
        return self.workers[-1]

    def explore(self, built: Built, count: bool = False) -> Explorer:
        """The exploration of one build."""
        request = self.request

        def task(driver: Driver) -> Explored:
            driver.counters = Counters(built.library) if count else None
            return explore.explore(driver, request.limits, request.symmetry)

        return self.begin(built, self.contract, request.loaded, task)

    def walk(self, built: Built, contract: Cached, wide: Loaded) -> Explorer:
        """The random walk."""
        request = self.request

        def task(driver: Driver) -> Explored:
            return walk.walk(driver, request.seed, request.walk, request.limits.seconds)

        return self.begin(built, contract, wide, task)

    def replay_saved(
        self, known: Sequence[tuple[Loaded, Flavour, Attempt | None, Cached | None]]
    ) -> tuple[Replayed, ...]:
        """What became of the saved traces; those with the same setting run on the `known` subjects."""
        request, stage = self.request, Stage(self.folder, self.engine)
        revision = Revision(request.patches, request.items)
        for loaded, flavour, attempt, contract in known:
            if attempt and contract:
                stage.know(Setting(revision, loaded, self.config, flavour), attempt, contract)
        replays = replay_all(request.saved, stage, revision, request.loaded, {})
        return tuple(sorted((*request.damaged, *replays), key=lambda replayed: replayed.name))


def drive(
    request: Request, config: dict[str, bool], piece: Slice, folder: Path, poll: Poll | None
) -> tuple[Subject, Loaded, Runs, PatchCoverage | None, tuple[Replayed, ...]]:
    """Everything that is compiled and run of one revision."""
    under = Drive(request, config, piece, folder)
    try:
        return drive_all(under, poll)
    except BaseException:
        for explorer in under.workers:
            explorer.end()
        raise


def drive_all(
    under: Drive, poll: Poll | None
) -> tuple[Subject, Loaded, Runs, PatchCoverage | None, tuple[Replayed, ...]]:
    """As drive(); its workers may still run where it fails."""
    request, loaded = under.request, under.request.loaded
    wide = in_walk(loaded)
    sanitized = under.attempt(loaded, SANITIZED) if request.sanitize else None
    walker = under.attempt(wide, PLAIN, "wide") if request.walk else None
    wide_contract = under.contract_of(wide) if request.walk else None
    counting = under.attempt(loaded, coverage_flavour()) if request.coverage else None
    under.settle()
    lost = under.subject.lost
    known = [(loaded, PLAIN, under.plain, under.contract), (wide, PLAIN, walker, wide_contract),
             (loaded, SANITIZED, sanitized, under.contract)]  # fmt: skip
    replays = under.replay_saved(known) if request.saved or request.damaged else ()
    exploring = under.explore(under.subject.built)
    walking = under.walk(walker.finish(lost), wide_contract, wide) if walker and wide_contract else None
    watched = under.explore(sanitized.finish(lost)) if sanitized else None
    counted = under.explore(counting.finish(lost), count=True) if counting else None
    explored, deaths = exploring.finish(poll)
    runs = Runs(
        explored,
        deaths,
        walking.finish() if walking else None,
        watched.finish() if watched else None,
    )
    covered = covered_by(counted.finish()[0], under.folder / "coverage", under.piece) if counted else None
    return under.subject, wide, runs, covered, replays


def covered_by(explored: Explored, folder: Path, piece: Slice) -> PatchCoverage:
    """The coverage of the patch's own lines by an exploration."""
    files = {item.file for item in piece.items}
    return measure(read_coverage(folder, decode_counters(explored.counters), files), piece.items)
