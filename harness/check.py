# SPDX-License-Identifier: GPL-2.0-only
"""One revision against one contract: slice, compile and run, verdicts."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from extractor.items import Item
from extractor.patch import Patch
from extractor.slice import Slice, Unresolved, cut
from harness.build import Diagnostic, cache_folder, compiler_version
from harness.contract import GOES_ON, Loaded
from harness.coverage import PatchCoverage
from harness.drive import Poll, Request, drive
from harness.driver import COMPLETE
from harness.errors import HarnessError
from harness.judge import Check, Runs, Verdict, judge
from harness.loading import contract_path, load, shipped
from harness.locate import follow_conformance, place
from harness.mutate import Strength
from harness.replay import Replayed
from harness.scratch import scratch_folder
from harness.subjects import Subject, describe, entry_names, fitted, keep_sources

STATIC = re.compile(r"\s*static\b(?![^;=]*\bconst\b)[^;(]*[;=]")


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
    def unreached(self) -> tuple[str, ...]:
        """The operations of which not every call came back, so that not all states were reached."""
        lost = {check.id for check in self.checks if check.group == "crash" and check.verdict != "pass"}
        going_on = (op.name for op in self.loaded.contract.operations if op.kind in GOES_ON)
        return tuple(name for name in going_on if f"crash/{name}" in lost)

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
        loaded, reason = fitted(load(contract_path(candidate), bounds), items, config)
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
        placed = [place(c, loaded, piece, library_of(c, subject, folder)) for c in checks]
        placed = list(follow_conformance(placed, loaded))
    explored = runs.explored
    if not explored.transitions and not runs.deaths and not explored.blind:
        raise HarnessError("nothing could be driven: " + "; ".join(map(describe, subject.lost)))
    unused = tuple(unused_items(request.items, piece))
    warnings = subject.built.warnings
    checks = [*placed, *judge_replays(replays, placed)]
    return Result(
        request, config, wide, piece, subject.lost, warnings, runs, tuple(checks), unused, covered, replays
    )


def library_of(check: Check, subject: Subject, folder: Path) -> Path:
    """The build whose addresses a check's trace has."""
    if check.group == "sanitizer":
        return folder / "sanitized/subject.so"
    wide = folder / "wide/subject.so"
    return wide if check.wide and wide.exists() else subject.built.library


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


def hidden_state(piece: Slice) -> Iterator[str]:
    """Static variables in functions: they outlive a call, and no state here includes them."""
    for item in piece.items:
        inside = False
        for line in item.lines if item.kind == "function" else ():
            if inside and STATIC.match(line.text):
                yield (f"{item.file}:{line.number}: {item.name} keeps state in a static variable, which is "
                       "not part of any state here: what is found may not show again")  # fmt: skip
            inside = inside or "{" in line.text


def unused_items(items: Sequence[Item], piece: Slice) -> Iterator[Item]:
    """What the patch adds and the slice leaves out, but for what only describes it."""
    used = {id(item) for item in (*piece.items, *piece.extensions, *piece.includes)}
    for item in items:
        if item.origin == "added" and id(item) not in used and item.kind != "field":
            yield item


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
