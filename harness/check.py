# SPDX-License-Identifier: GPL-2.0-only
"""One revision against every contract that fits: slice, compile and run, verdicts."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from extractor.composed import composed
from extractor.items import Item
from extractor.patch import Patch
from extractor.scan import mask
from extractor.slice import Slice, Unresolved
from harness.build import Diagnostic, cache_folder, compiler_version
from harness.contract import GOES_ON, Loaded, StaticContract
from harness.coverage import PatchCoverage, together
from harness.derive.loading import load_derived
from harness.drive import Driven, Poll, Request, drive
from harness.driver import COMPLETE
from harness.errors import HarnessError
from harness.interleave.compare import Compared, judge_stress
from harness.interleave.judge import judge_threads
from harness.interleave.run import Interleaved
from harness.judge import Check, Runs, Verdict, judge, one_deadlock
from harness.judge_derived import derived_verdicts
from harness.loading import contract_path, is_static, load, load_static, shipped, without_unknown
from harness.locate import follow_conformance, place
from harness.mutate import Strength
from harness.render import stays
from harness.scratch import scratch_folder
from harness.stage import Replayed
from harness.static.checks import StaticChecks, lacks
from harness.static.configuration import refused_by
from harness.subjects import describe, fitted, keep_sources, slice_of
from harness.tree.items import TreeItems

WORD = "CONFIG_64BIT"
# Also by a macro such as DEFINE_IDA().
STATIC = re.compile(r"\bstatic\b([^;=(){}]*?)(?:[;=]|\b[A-Z][A-Z_]*\()")


@dataclass(frozen=True)
class Part:
    """What one contract says of a revision."""

    loaded: Loaded  # in the bounds of exploration
    wide: Loaded  # in those of the walk
    piece: Slice
    unresolved: tuple[Unresolved, ...]
    warnings: tuple[Diagnostic, ...]
    runs: Runs
    checks: tuple[Check, ...]
    coverage: PatchCoverage | None = None
    undriven: frozenset[str] = frozenset()  # operations that cannot be called
    threads: tuple[Interleaved, ...] = ()
    stressed: Compared | None = None
    thread_notes: tuple[str, ...] = ()  # what concurrent calls show and is no finding

    @property
    def name(self) -> str:
        """The contract's name."""
        return self.loaded.contract.name

    @property
    def whole(self) -> bool:
        """Whether all was compiled, and explored to its bounds."""
        runs = [self.runs.explored, *([self.runs.watched[0]] if self.runs.watched else [])]
        complete = all(run.end == COMPLETE for run in runs)
        return complete and not self.unresolved and not self.unreached

    @property
    def unreached(self) -> tuple[str, ...]:
        """The operations of which not every call was made and came back, so that states are missing.

        Of a derived contract that is what is said of them: nothing says that they should come back.
        """
        if self.loaded.contract.derived:
            return ()
        lost = {check.id for check in self.checks if check.group == "crash" and check.verdict == "fail"}
        lost |= {f"crash/{of}" for (of, name), slot in self.runs.explored.checks.items()
                 if name == "crash" and slot.failed}  # fmt: skip
        lost |= {f"crash/{name}" for name in self.undriven}
        going_on = (op.name for op in self.loaded.contract.operations if op.kind in GOES_ON)
        return tuple(name for name in going_on if f"crash/{name}" in lost)


@dataclass(frozen=True)
class Result:
    """All that a report needs; the first part is that of the contract that reaches most of the patch."""

    request: Request
    parts: tuple[Part, ...]
    checks: tuple[Check, ...]
    outlooks: tuple[Check, ...]  # what the patch calls possible: said, and no findings
    reached: tuple[Check, ...]  # what calls of derived contracts reach: the same
    unused: tuple[Item, ...]  # items that the patch adds and nothing reaches
    failed: Mapping[str, str]  # contracts of which nothing could be compiled, and why
    replays: tuple[Replayed, ...] = ()  # of saved traces
    strength: Strength | None = None
    base: tuple[str, ...] = ()  # what a patch does otherwise than its base, where no model is there

    @property
    def whole(self) -> bool:
        """Whether all was compiled, and explored to its bounds."""
        unread = any(check.group in ("layout", "promise") and check.verdict == "unknown"
                     for check in self.checks)  # fmt: skip
        return not self.failed and not unread and all(part.whole for part in self.parts)

    @property
    def patches(self) -> tuple[Patch, ...]:
        """The revision."""
        return self.request.patches

    @property
    def main(self) -> Part:
        """The part of the contract that reaches most of the patch."""
        return self.parts[0]

    @property
    def unresolved(self) -> tuple[Unresolved, ...]:
        """What could not be compiled."""
        return tuple(dict.fromkeys(lost for part in self.parts for lost in part.unresolved))

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The compiler's warnings at the patch's lines."""
        return tuple(dict.fromkeys(said for part in self.parts for said in part.warnings))

    @property
    def coverage(self) -> PatchCoverage | None:
        """Of the patch's own lines, by all parts together."""
        covered = [part.coverage for part in self.parts if part.coverage]
        return together(covered) if covered else None

    @property
    def hidden_state(self) -> tuple[str, ...]:
        """Warnings of what outlives a call and is in no state."""
        return tuple(dict.fromkeys(said for part in self.parts for said in hidden_state(part.piece)))

    @property
    def partial(self) -> tuple[str, ...]:
        """Functions that a branch of the patch has and a hunk's border cuts."""
        cut = [item for item in self.request.items if item.kind == "function"
               and item.completeness == "partial" and item.condition]  # fmt: skip
        return tuple(f"{item.where}: {item.name}, if {' && '.join(item.condition)}: the patch shows only a "
                     "part of it; a kernel tree would have the rest" for item in cut)  # fmt: skip

    @property
    def main_title(self) -> str:
        """What that contract is about."""
        return self.parts[0].loaded.contract.title if self.parts else ""

    def part_of(self, check: Check) -> Part:
        """The part that a check belongs to."""
        return next((part for part in self.parts if part.name == check.contract), self.main)

    def count(self, verdict: Verdict) -> int:
        """How many checks ended so."""
        return sum(check.verdict == verdict for check in self.checks)


@dataclass(frozen=True)
class Chosen:
    """The contracts that fit a revision: those that are run, which reach most of the patch first."""

    driven: tuple[Loaded, ...]
    static: tuple[StaticContract, ...]
    near: tuple[str, ...] = ()  # of contracts that are for some of its names: why they do not fit


def choose(
    name: str | None,
    items: Sequence[Item],
    bounds: Mapping[str, int],
    config: Mapping[str, bool],
    folder: Path | None = None,
    derive: bool = False,
) -> Chosen:
    """The contract called `name`, or all that ship and fit.

    Where none does, and with `derive` for what they do not reach, contracts are derived, into `folder`.

    HarnessError with what is missing where none that is run does, where the patch's Kconfig allows no
    such configuration, or where no contract that fits has such a bound.
    """
    paths = [contract_path(each) for each in ([name] if name else shipped())]
    driven: list[Loaded] = []
    static: list[StaticContract] = []
    misfits: list[tuple[str, bool]] = []
    for path in paths:
        if is_static(path):
            contract = load_static(path)
            if config.get(WORD) is False:  # what it reads is compiled for the word size, and run nowhere
                continue
            reason = static_misfit(contract, items, config)
            near = bool(name) or (isinstance(items, TreeItems) and changes_any(contract, items))
            static += [] if reason else [contract]
        else:
            wanted = bounds if name else without_unknown(path, bounds)
            loaded, reason, near = fits(load(path, wanted), items, config)
            driven += [] if reason else [loaded]
        misfits += [(reason, near)] if reason else []
    if not driven and config.get(WORD) is False:
        raise HarnessError("CONFIG_64BIT=n: what is checked runs here, with 64 bits, and no contract that "
                           "fits is for the types alone; kconform check --matrix compiles for 32 bit "
                           "as well")  # fmt: skip
    if not driven and not (name and static):
        shown = ("complete", "fragment") if name else ("complete",)
        whole = any(i.kind == "function" and i.completeness in shown for i in items)
        if not isinstance(items, TreeItems) and not whole:
            raise HarnessError("nothing to check: the patch shows no whole C function")
    if not name:
        idle = [loaded for loaded in driven if not reaches(loaded, items)]
        driven = [loaded for loaded in driven if loaded not in idle]
        names = ", ".join(loaded.contract.name for loaded in idle)
        misfits += [(f"contracts of which the patch changes nothing: {names}", True)] if idle else []
    if folder and (derive or not (name or driven)):
        covered = {f for loaded in driven for f in slice_of(loaded, items).functions}
        driven += load_derived(items, covered, bounds, config, folder)
    if not driven and not (name and static):
        what = "tree" if isinstance(items, TreeItems) else "patch"
        raise HarnessError(f"no contract fits this {what}: " + "; ".join(reason for reason, _ in misfits))
    refuse_strange(driven, bounds)
    reach = {loaded.contract.name: len(slice_of(loaded, items).functions) for loaded in driven}
    driven.sort(key=lambda loaded: (loaded.contract.derived, -reach[loaded.contract.name],
                                    loaded.contract.name))  # fmt: skip
    return Chosen(tuple(driven), tuple(static), tuple(reason for reason, near in misfits if near))


def changes_any(contract: StaticContract, items: Sequence[Item]) -> bool:
    """Whether the patches add or change any of what a static contract is about."""
    names = {f"{item.parent}.{item.name}" if item.parent else item.name for item in items}
    return not names.isdisjoint(contract.requires)


def reaches(loaded: Loaded, items: Sequence[Item]) -> bool:
    """Whether a contract drives anything that the patches on a tree change; without any, the tree itself."""
    if not isinstance(items, TreeItems) or not items:
        return True
    changed = items.tree.changed
    return any(item.origin == "added" or (item.file, item.name) in changed
               for item in slice_of(loaded, items).code)  # fmt: skip


def refuse_strange(driven: Iterable[Loaded], bounds: Mapping[str, int]) -> None:
    """HarnessError for a bound that no contract has."""
    known = {bound for loaded in driven for bound in loaded.bounds}
    if strange := sorted(bounds.keys() - known):
        raise HarnessError(f"there is no bound {', '.join(strange)}; the contracts that fit have: "
                           f"{', '.join(sorted(known)) or 'none'}")  # fmt: skip


def fits(loaded: Loaded, items: Sequence[Item], config: Mapping[str, bool]) -> tuple[Loaded, str, bool]:
    """A contract as it fits, or why it does not, and whether it is for some of the revision's names."""
    fitting, reason = fitted(loaded, items, config)
    if not reason and config.get(WORD) is False and loaded.contract.config.get(WORD) is not False:
        reason = f"{loaded.contract.name} is for a word of 64 bits"
    if not reason and (against := refused_by(items, loaded.contract.config, config)):
        reason = f"{loaded.contract.name} is for a configuration that there cannot be: {against}"
    there = {item.name for item in items}
    return fitting, reason, not there.isdisjoint(loaded.contract.requires)


def static_misfit(contract: StaticContract, items: Sequence[Item], config: Mapping[str, bool]) -> str:
    """Why a static contract does not fit; empty where it does."""
    if isinstance(items, TreeItems):
        return f"{contract.name} compares a patch's records and options with the shims': leave out --tree"
    missing = lacks(contract, items, config)
    return f"{contract.name} needs {', '.join(missing)}, which the patch does not define" if missing else ""


def check(request: Request, poll: Poll | None = None) -> Result:
    """Every check of every contract on the revision; `poll` is called while it explores."""
    pieces = [slice_of(loaded, request.items) for loaded in request.contracts]
    with scratch_folder(cache_folder()) as folder:
        patches = request.patches if isinstance(request.items, TreeItems) else composed(request.patches)
        static = StaticChecks(request.static, patches, request.items, request.config, folder / "static")
        driven, failed, replays = drive(request, pieces, folder, poll)
        said = list(static.finish(generic=request.generic))
        if request.keep:
            for each in driven:
                keep_sources(each.subject.built, request.keep, each.loaded, request.patches)
        whole = {loaded.contract.name: piece for loaded, piece in zip(request.contracts, pieces, strict=True)}
        excuses = request.threads.excuses if request.threads else ()
        parts = [judged(each, whole[each.loaded.contract.name], excuses) for each in driven]
    if parts and all(map(nothing_ran, parts)):
        raise HarnessError("nothing could be driven: " + "; ".join(map(describe, parts[0].unresolved)))
    every = list(one_deadlock([c for part in parts for c in part.checks]))
    checks = [check for check in every if check.group not in ("outlook", "reached")]
    outlooks = tuple(check for check in every if check.group == "outlook")
    reached = tuple(check for check in every if check.group == "reached")
    checks += said
    checks += judge_replays(replays, checks)
    unused = tuple(unused_items(request.items, [part.piece for part in parts], said))
    return Result(request, tuple(parts), tuple(checks), outlooks, reached, unused, failed, replays)


def judged(driven: Driven, piece: Slice, excuses: Sequence[str] = ()) -> Part:
    """The verdicts of one contract, each finding with its place; `excuses` name races that are none."""
    loaded, subject = driven.loaded, driven.subject

    def placed(check: Check) -> Check:
        sanitized = check.group == "sanitizer" or check.id.endswith("/sanitizer")
        return place(check, loaded, piece, driven.library(sanitized=sanitized, wide=check.wide))

    of_runs = derived_verdicts if loaded.contract.derived else None
    checks = [placed(check) for check in judge(loaded, driven.runs, subject.rendered, of_runs)]
    checks = list(follow_conformance(checks, loaded))
    files = {item.file for item in piece.code}
    woven, notes = judge_threads(
        loaded, driven.threads, driven.folder / "threaded/subject.so", files, excuses
    )
    real = [judge_stress(loaded.contract, driven.stressed)] if driven.stressed else []
    checks = with_deadlock([*checks, *woven, *real])
    warnings = tuple(said for said in subject.built.warnings if said.file in files)
    return Part(
        loaded, driven.wide, piece, subject.lost, warnings, driven.runs, tuple(checks), driven.coverage,
        subject.skip, driven.threads, driven.stressed, notes,
    )  # fmt: skip


def with_deadlock(checks: Sequence[Check]) -> list[Check]:
    """The checks; a lock that is never let go is one finding, whether calls run alone or beside others."""
    alone = any(check.id == "crash/deadlock" and check.verdict == "fail" for check in checks)
    locks = ("crash/deadlock", "concurrency/deadlock", "concurrency/locks")
    stuck = [check for check in checks if alone and check.id in locks and check.verdict == "fail"]
    return [replace(check, merge=locks[0]) if check in stuck else check for check in checks]


def nothing_ran(part: Part) -> bool:
    """Whether no call could be made."""
    explored = part.runs.explored
    return not explored.transitions and not part.runs.deaths and not explored.blind


def judge_replays(replays: Sequence[Replayed], checks: Sequence[Check]) -> Iterator[Check]:
    """trace/<name> of each saved trace whose finding no check of this run reports as well."""
    failing = {(check.contract, check.id) for check in checks if check.verdict == "fail"}
    verdicts: dict[str, Verdict] = {"gone": "pass", "cannot be run": "unknown"}
    for replayed in replays:
        verdict = verdicts.get(replayed.verdict, "fail")
        contract = replayed.trace.contract if replayed.trace else ""
        again = {(contract, id) for id in replayed.failing}
        if verdict == "fail" and again and failing >= again:
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
            contract=contract,
            part="saved traces",
        )


def hidden_state(piece: Slice) -> Iterator[str]:
    """Static variables in functions: they outlive a call, and no state here includes them."""
    for item in (item for item in piece.code if item.kind == "function"):
        text = mask("\n".join(line.text for line in item.lines))
        body = 0 if item.completeness == "fragment" else text.find("{") + 1
        for match in STATIC.finditer(text, body):
            if not stays(match[1]):
                line = item.lines[text.count("\n", 0, match.start())].number
                yield (f"{item.file}:{line}: {item.name} keeps state in a static variable, which is "
                       "not part of any state here: what is found may not show again")  # fmt: skip


def unused_items(items: Sequence[Item], pieces: Sequence[Slice], static: Sequence[Check]) -> Iterator[Item]:
    """What the patch adds, no slice has, and no static check was about."""
    read = {check.file for check in static if check.verdict != "unknown"}
    whole = (item for p in pieces for item in (*p.items, *p.extensions, *p.includes))
    # Lines of a tree are where the patch was applied, those of the items where its mail says.
    key_of = place_of if isinstance(items, TreeItems) else id
    used = {key_of(item) for item in (*whole, *(part.item for piece in pieces for part in piece.parts))}
    for item in items:
        was_read = item.kind in ("text", "kconfig", "undef") and item.file in read
        if item.kind == "include" and isinstance(items, TreeItems):
            was_read = items.tree.includes_read(item)
        if item.origin == "added" and key_of(item) not in used and item.kind != "field" and not was_read:
            yield item


def place_of(item: Item) -> tuple[object, ...]:
    """What an item is, wherever its lines have moved."""
    return item.file, item.kind, item.name, item.parent, "" if item.name else item.line


def tool_facts() -> dict[str, str]:
    """What made a report: versions of tool, compiler and Python."""
    try:
        own = version("kconform")
    except PackageNotFoundError:
        own = "unknown"
    return {
        "version": own,
        "compiler": compiler_version(),
        "python": platform.python_version(),
    }
