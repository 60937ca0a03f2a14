# SPDX-License-Identifier: GPL-2.0-only
"""One revision against one contract: slice, build, explore, walk, verdicts."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from extractor.items import Item
from extractor.patch import Patch
from extractor.slice import Slice, Unresolved, cut
from harness import explore
from harness.build import (
    PLAIN,
    Built,
    Cached,
    Diagnostic,
    Flavour,
    cache_folder,
    compiler_version,
    contract_library,
    engine_library,
)
from harness.contract import Loaded, contract_path, load, shipped
from harness.coverage import (
    Counters,
    PatchCoverage,
    coverage_flavour,
    decode_counters,
    measure,
    read_coverage,
)
from harness.driver import COMPLETE, Driver, Flight, Libraries, Limits
from harness.errors import HarnessError
from harness.explore import Explored
from harness.judge import Check, Runs, Verdict, judge
from harness.locate import follow_conformance, place
from harness.mutate import Strength
from harness.render import render_contract
from harness.replay import Replayed, Revision, Setting, Stage, replay_all
from harness.run import Explorer, Job
from harness.sanitize import SANITIZED
from harness.scratch import scratch_folder
from harness.subjects import Attempt, Subject, describe, entry_names, keep_sources, misfit
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


@dataclass(frozen=True)
class Result:
    """All that a report needs."""

    request: Request
    config: Mapping[str, bool]
    wide: Loaded  # the contract in the bounds of the walk
    piece: Slice
    unresolved: tuple[Unresolved, ...]
    warnings: tuple[Diagnostic, ...]
    runs: Runs
    checks: tuple[Check, ...]
    unused: tuple[Item, ...]  # items that the patch adds and no operation reaches
    coverage: PatchCoverage | None = None
    replays: tuple[Replayed, ...] = ()  # of saved traces
    strength: Strength | None = None

    @property
    def whole(self) -> bool:
        """Whether all was compiled, and explored to its bounds."""
        runs = [self.runs.explored, *([self.runs.watched[0]] if self.runs.watched else [])]
        return not self.unresolved and all(run.end == COMPLETE for run in runs)

    @property
    def patches(self) -> tuple[Patch, ...]:
        """The revision."""
        return self.request.patches

    @property
    def loaded(self) -> Loaded:
        """The contract in the bounds of exploration."""
        return self.request.loaded

    def count(self, verdict: Verdict) -> int:
        """How many checks ended so."""
        return sum(check.verdict == verdict for check in self.checks)


def choose_contract(
    name: str | None, items: Sequence[Item], bounds: Mapping[str, int], config: Mapping[str, bool]
) -> Loaded:
    """The contract called `name`, or the one that ships and fits; HarnessError with what is missing."""
    reasons: list[str] = []
    for candidate in [name] if name else shipped():
        loaded = load(contract_path(candidate), bounds)
        reason = misfit(loaded, items, config)
        if not reason:
            return loaded
        reasons.append(reason)
    if not any(item.kind == "function" and item.completeness == "complete" for item in items):
        raise HarnessError("nothing to check: the patch shows no whole C function")
    raise HarnessError("no contract fits this patch: " + "; ".join(reasons))


def check(request: Request, poll: Poll | None = None) -> Result:
    """Every check of the contract on the revision; `poll` is called while it explores."""
    loaded = request.loaded
    config = dict(loaded.contract.config) | dict(request.config)
    piece = cut(request.items, entry_names(loaded), config)
    with scratch_folder(cache_folder()) as folder:
        subject, wide, runs, covered, replays = drive(request, config, piece, folder, poll)
        if request.keep:
            keep_sources(subject.built, request.keep, loaded, request.patches)
        checks = list(judge(loaded, runs, subject.rendered, config))
        library, other = subject.built.library, folder / "sanitized/subject.so"
        placed = follow_conformance([place(c, loaded, piece, library, other) for c in checks], loaded)
    explored = runs.explored
    if not explored.transitions and not runs.deaths and not explored.blind:
        raise HarnessError("nothing could be driven: " + "; ".join(map(describe, subject.lost)))
    unused = tuple(unused_items(request.items, piece))
    warnings = subject.built.warnings
    checks = [*placed, *judge_replays(replays, placed)]
    return Result(
        request, config, wide, piece, subject.lost, warnings, runs, tuple(checks), unused, covered, replays
    )


def judge_replays(replays: Sequence[Replayed], checks: Sequence[Check]) -> Iterator[Check]:
    """trace/<name> of each saved trace whose finding no check of this run reports as well."""
    failing = {check.id for check in checks if check.verdict == "fail"}
    verdicts: dict[str, Verdict] = {"gone": "pass", "cannot be run": "unknown"}
    for replayed in replays:
        verdict = verdicts.get(replayed.verdict, "fail")
        if verdict == "fail" and replayed.failing and failing.issuperset(replayed.failing):
            continue
        how = "; ".join(replayed.how)
        title = f"the saved trace of {replayed.trace.id} is gone" if replayed.trace else "it is a trace"
        yield Check(
            f"trace/{Path(replayed.name).stem}",
            "trace",
            verdict,
            title,
            trace=replayed.steps if verdict == "fail" else (),
            judged=1,
            failed=int(verdict == "fail"),
            reason=f"cannot be run: {how}" if verdict == "unknown" else "",
            detail=f"{replayed.verdict}: {how}" if how else replayed.verdict,
        )


def unused_items(items: Sequence[Item], piece: Slice) -> Iterator[Item]:
    """What the patch adds and the slice leaves out, but for what only describes it."""
    used = {id(item) for item in (*piece.items, *piece.extensions, *piece.includes)}
    for item in items:
        if item.origin == "added" and id(item) not in used and item.kind != "field":
            yield item


# Compilers and workers run beside each other.


class Drive:
    """One revision on its way through compilers and workers."""

    def __init__(self, request: Request, config: dict[str, bool], piece: Slice, folder: Path) -> None:
        self.request, self.config, self.piece, self.folder = request, config, piece, folder
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
        return Explorer(Job(libraries, loaded, task, self.subject.skip, limits.seconds, limits.megabytes))

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
            return explore.walk(driver, request.seed, request.walk, request.limits.seconds)

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
    loaded = request.loaded
    wide = load(loaded.path, loaded.contract.walk) if loaded.contract.walk else loaded
    under = Drive(request, config, piece, folder)
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
    covered = covered_by(counted.finish()[0], folder / "coverage", piece) if counted else None
    return under.subject, wide, runs, covered, replays


def covered_by(explored: Explored, folder: Path, piece: Slice) -> PatchCoverage:
    """The coverage of the patch's own lines by an exploration."""
    files = {item.file for item in piece.items}
    return measure(read_coverage(folder, decode_counters(explored.counters), files), piece.items)


def tool_facts(loaded: Loaded) -> dict[str, str]:
    """What made a report: versions of tool, compiler and Python, and the contract."""
    try:
        own = version("kconform")
    except PackageNotFoundError:
        own = "unknown"
    return {
        "version": own,
        "compiler": compiler_version(),
        "python": platform.python_version(),
        "contract": loaded.contract.name,
    }
