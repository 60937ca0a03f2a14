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
from extractor.slice import Slice, Unresolved, cut, definitions
from harness import explore
from harness.build import (
    Diagnostic,
    cache_folder,
    compiler_version,
    contract_library,
    engine_library,
)
from harness.contract import Loaded, contract_path, load, shipped
from harness.driver import Driver, Flight, Libraries, Limits
from harness.errors import HarnessError
from harness.explore import Explored
from harness.judge import Check, Runs, Verdict, judge
from harness.locate import follow_conformance, place
from harness.render import render_contract
from harness.run import Explorer, Job
from harness.sanitize import SANITIZED
from harness.scratch import scratch_folder
from harness.subjects import Attempt, Subject, describe, entry_names, keep_sources

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
    keep: Path | None = None


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
        defined = definitions(items, dict(loaded.contract.config) | dict(config))
        missing = [f for f in loaded.contract.requires if f not in defined]
        if not missing:
            return loaded
        few = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        reasons.append(f"{loaded.contract.name} needs {few}, which the patch does not define")
    if not any(item.kind == "function" and item.completeness == "complete" for item in items):
        raise HarnessError("nothing to check: the patch shows no whole C function")
    raise HarnessError("no contract fits this patch: " + "; ".join(reasons))


def check(request: Request, poll: Poll | None = None) -> Result:
    """Every check of the contract on the revision; `poll` is called while it explores."""
    loaded = request.loaded
    config = dict(loaded.contract.config) | dict(request.config)
    piece = cut(request.items, entry_names(loaded), config)
    with scratch_folder(cache_folder()) as folder:
        subject, wide, runs = drive(request, config, piece, folder, poll)
        if request.keep:
            keep_sources(subject.built, request.keep, loaded, request.patches)
        checks = list(judge(loaded, runs, subject.rendered, config))
        library = subject.built.library
        placed = follow_conformance([place(c, loaded, piece, library) for c in checks], loaded)
    explored = runs.explored
    if not explored.transitions and not runs.deaths and not explored.blind:
        raise HarnessError("nothing could be driven: " + "; ".join(map(describe, subject.lost)))
    unused = tuple(unused_items(request.items, piece))
    return Result(request, config, wide, piece, subject.lost, subject.built.warnings, runs, placed, unused)


def unused_items(items: Sequence[Item], piece: Slice) -> Iterator[Item]:
    """What the patch adds and the slice leaves out, but for what only describes it."""
    used = {id(item) for item in (*piece.items, *piece.extensions, *piece.includes)}
    for item in items:
        if item.origin == "added" and id(item) not in used and item.kind != "field":
            yield item


# Compilers and workers run beside each other.


def drive(
    request: Request, config: dict[str, bool], piece: Slice, folder: Path, poll: Poll | None
) -> tuple[Subject, Loaded, Runs]:
    """Everything that is compiled and run of one revision."""
    loaded = request.loaded
    wide = load(loaded.path, loaded.contract.walk) if request.walk and loaded.contract.walk else loaded
    engine = engine_library(folder)
    contract, wide_contract = (contract_library(render_contract(c), folder) for c in (loaded, wide))
    plain = Attempt(loaded, piece, config, folder / "plain")
    sanitized = Attempt(loaded, piece, config, folder / "sanitized", SANITIZED)
    walked = Attempt(wide, piece, config, folder / "wide")
    subject = plain.settle()

    def job(library: Path, contract: Path, of: Loaded, task: Task) -> Job:
        libraries = Libraries(library, contract, engine.finish())
        return Job(libraries, of, task, subject.skip, request.limits.seconds, request.limits.megabytes)

    def exploration(driver: Driver) -> Explored:
        return explore.explore(driver, request.limits, request.symmetry)

    def walk(driver: Driver) -> Explored:
        return explore.walk(driver, request.seed, request.walk, request.limits.seconds)

    exploring = Explorer(job(subject.built.library, contract.finish(), loaded, exploration))
    walking = Explorer(job(walked.finish(subject.lost).library, wide_contract.finish(), wide, walk))
    watched = Explorer(job(sanitized.finish(subject.lost).library, contract.finish(), loaded, exploration))
    explored, deaths = exploring.finish(poll)
    return subject, wide, Runs(explored, deaths, walking.finish(), watched.finish())


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
