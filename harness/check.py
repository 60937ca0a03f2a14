# SPDX-License-Identifier: GPL-2.0-only
"""One revision against one contract: slice, build, explore, verdicts."""

from __future__ import annotations

import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from extractor.items import Item
from extractor.patch import Patch
from extractor.slice import Slice, Unresolved, cut, definitions
from harness import explore, worker
from harness.build import (
    Built,
    CompileError,
    Diagnostic,
    build,
    cache_folder,
    compiler_version,
    engine_library,
)
from harness.contract import Loaded, contract_path, load, shipped
from harness.errors import HarnessError
from harness.explore import Call, Explored, Step
from harness.judge import Check, Death, Verdict, judge, signal_name
from harness.locate import follow_conformance, place
from harness.render import Rendered, render

ROUNDS = 4  # of compiling without what the compiler refused


@dataclass(frozen=True)
class Result:
    """All that a report needs."""

    patches: tuple[Patch, ...]
    loaded: Loaded
    config: Mapping[str, bool]
    piece: Slice
    unresolved: tuple[Unresolved, ...]
    warnings: tuple[Diagnostic, ...]
    end: int
    states: int
    transitions: int
    checks: tuple[Check, ...]
    unused: tuple[Item, ...]  # items that the patch adds and no operation reaches

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


def check(
    patches: Sequence[Patch],
    items: Sequence[Item],
    loaded: Loaded,
    config: Mapping[str, bool],
    keep: Path | None = None,
) -> Result:
    """Every check of `loaded` on the revision whose items are `items`."""
    options = dict(loaded.contract.config) | dict(config)
    piece = cut(items, entry_names(loaded), options)
    with tempfile.TemporaryDirectory(prefix="kconform-", dir=cache_folder()) as name:
        rendered, built, lost = compile_what_can_be(loaded, piece, options, Path(name))
        if keep:
            keep_sources(built, keep, loaded, patches)
        explored, deaths = run_all(loaded, rendered, built)
        checks = list(judge(loaded, explored, rendered, deaths, options))
        placed = follow_conformance([place(c, loaded, piece, built.library) for c in checks], loaded)
    if not explored.transitions and not deaths and not explored.blind:
        raise HarnessError("nothing could be driven: " + "; ".join(map(describe, lost)))
    return Result(
        tuple(patches),
        loaded,
        options,
        piece,
        lost,
        built.warnings,
        explored.end,
        explored.states,
        explored.transitions,
        placed,
        tuple(unused(items, piece)),
    )


def describe(lost: Unresolved) -> str:
    """One unresolved name as `file:line: error: …`."""
    return f"{lost.file}:{lost.line}: error: {lost.user}: {lost.reason}"


def entry_names(loaded: Loaded) -> list[str]:
    """The identifiers in the contract's C, in order."""
    contract = loaded.contract
    said = [*(op.call for op in contract.operations), contract.init, *contract.observe.values()]
    return list(dict.fromkeys(re.findall(r"[A-Za-z_]\w*", " ".join(said))))


def unused(items: Sequence[Item], piece: Slice) -> Iterator[Item]:
    """What the patch adds and the slice leaves out, but for what only describes it."""
    used = {id(item) for item in (*piece.items, *piece.extensions, *piece.includes)}
    for item in items:
        if item.origin == "added" and id(item) not in used and item.kind != "field":
            yield item


# Compiling.


def compile_what_can_be(
    loaded: Loaded, piece: Slice, config: dict[str, bool], folder: Path
) -> tuple[Rendered, Built, tuple[Unresolved, ...]]:
    """The subject without what cannot be compiled; what that is comes back, by name and line."""
    lost: list[Unresolved] = list(piece.unresolved)
    absent = {
        name: f"the patch does not define {name}"
        for op in loaded.contract.operations
        for name in op.called
        if name not in piece.needs
    }
    error: CompileError | None = None
    for _ in range(ROUNDS):
        missing = absent | {
            name: next(f"{u.user}: {u.reason}" for u in lost)
            for name in piece.dependents(u.user for u in lost)
        }
        needed = " ".join([loaded.contract.init, *loaded.contract.observe.values()])
        blind = [n for n in re.findall(r"\w+", needed) if n in missing]
        if blind:
            raise HarnessError(describe(lost[0]) if lost else missing[blind[0]])
        left = replace(piece, items=tuple(i for i in piece.items if i.name not in missing))
        rendered = render(loaded, left, missing)
        try:
            return rendered, build(rendered, config, folder), tuple(lost)
        except CompileError as err:
            error = err
            fresh = list(blame(err, left))
            if not fresh:
                raise
            lost += fresh
    assert error
    raise error


def blame(err: CompileError, piece: Slice) -> Iterator[Unresolved]:
    """The items of the patch that the compiler's errors are in."""
    for said in err.diagnostics:
        if not said.error:
            continue
        item = next(
            (
                i
                for i in piece.items
                if i.file == said.file and i.lines[0].number <= said.line <= i.lines[-1].number
            ),
            None,
        )
        if item:
            name = re.search(r"declaration of function '(\w+)'", said.text)
            reason = f"calls {name[1]}(), for which there is no shim" if name else said.text
            yield Unresolved(name[1] if name else "", item.name, said.file, said.line, reason)


def keep_sources(built: Built, keep: Path, loaded: Loaded, patches: Sequence[Patch]) -> None:
    """Leaves a copy of the subject's sources and objects below `keep`, one folder a subject."""
    title = re.sub(r"^\[[^\]]*\]\s*", "", patches[0].subject) or Path(patches[0].source).stem
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:48].strip("-")
    target = keep / f"{slug}.{loaded.contract.name}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(built.folder, target)


# Running.


def run_all(loaded: Loaded, rendered: Rendered, built: Built) -> tuple[Explored, list[Death]]:
    """Explores; where the subject kills its worker, again without the operation that did."""
    skip = set(rendered.unavailable)
    engine = engine_library()
    deaths: list[Death] = []
    while True:
        calls = explore.calls_of(loaded, frozenset(skip))
        flight = explore.Flight()

        def task(calls: list[Call] = calls, flight: explore.Flight = flight) -> object:
            driver = explore.Driver(built.library, engine, loaded, calls, flight)
            driver.open(explore.MAX_STATES, explore.SECONDS)
            return explore.encode(driver.explore())

        outcome = worker.run(task, worker.Limits())
        if outcome.error:
            raise HarnessError(outcome.error)
        if outcome.result is not None:
            explored = explore.decode(outcome.result)
            if explored.errors:
                raise HarnessError(f"translated contract and Python differ: {explored.errors[0]}")
            return explored, deaths
        ran = [calls[i] for i in flight.calls()]
        if not ran:
            raise HarnessError("the worker died before the subject ran")
        how = "took too long" if outcome.timed_out else signal_name(outcome.killed_by)
        deaths.append(Death(tuple(bare_steps(loaded, ran)), how))
        skip.add(loaded.contract.operations[ran[-1].op].name)


def bare_steps(loaded: Loaded, calls: Sequence[Call]) -> Iterator[Step]:
    """A trace of which nothing was observed."""
    for call in calls:
        op = loaded.contract.operations[call.op]
        yield Step(op.name, dict(zip(op.args, call.args, strict=True)), {}, {})


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
