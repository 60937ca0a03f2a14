# SPDX-License-Identifier: GPL-2.0-only
"""One revision against one contract: slice, build, explore, verdicts."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

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
from harness.contract import Loaded, Operation, contract_path, load, shipped
from harness.errors import HarnessError
from harness.explore import Call, Explored, Slot, Step
from harness.render import Rendered, render

Verdict = Literal["pass", "fail", "unknown"]
ROUNDS = 4  # of compiling without what the compiler refused


@dataclass(frozen=True)
class Check:
    """One verdict. `trace` is a shortest witness, of the finding or of a "possible" claim."""

    id: str
    group: Literal["conformance", "misuse", "claim", "crash"]
    verdict: Verdict
    title: str
    quote: str = ""
    trace: tuple[Step, ...] = ()
    file: str = ""
    line: int = 0
    judged: int = 0
    failed: int = 0
    common: tuple[str, ...] = ()
    reason: str = ""  # of unknown
    merge: str = ""  # findings with the same key are one defect seen twice
    detail: str = ""


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
        placed = follow_conformance([place(c, loaded, piece, built.library) for c in checks])
    if not explored.transitions and not deaths:
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
        for name in re.findall(r"\b(\w+)\s*\(", op.call)
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


@dataclass(frozen=True)
class Death:
    """A worker that died in the subject: what it ran last, and how it ended."""

    trace: tuple[Step, ...]
    how: str


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


def signal_name(number: int) -> str:
    """SIGSEGV for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# Judging.


def judge(
    loaded: Loaded,
    explored: Explored,
    rendered: Rendered,
    deaths: Sequence[Death],
    config: Mapping[str, bool],
) -> Iterator[Check]:
    """All verdicts, in the contract's order."""
    died = {death.trace[-1].op: death for death in deaths}
    undriven = dict(rendered.unavailable) | {op: f"{op} killed its worker" for op in died}
    for op in loaded.contract.operations:
        crash = explored.checks[op.name, "crash"]
        if crash.failed and crash.trace[-1].why == "endless loop":
            undriven[op.name] = f"{op.name} ran into an endless loop and was not called again"
    for op in loaded.contract.operations:
        reason = undriven.get(op.name, "")
        yield from judge_operation(op, explored, reason, config)
    yield from judge_crashes(loaded, explored, undriven, died)
    yield from judge_claims(loaded, explored, undriven)


def settle(slot: Slot, explored: Explored, reason: str) -> tuple[Verdict, str]:
    """Verdict and reason of one check."""
    if slot.failed:
        return "fail", ""
    if reason or not slot.compared:
        return "unknown", reason or "no call of it came back within the bounds"
    if explored.end != explore.COMPLETE:
        return "unknown", f"{explore.ENDS[explored.end]} after {explored.states:,} states"
    return "pass", ""


def judge_operation(
    op: Operation, explored: Explored, reason: str, config: Mapping[str, bool]
) -> Iterator[Check]:
    """conformance/<operation>/<observation>, or the one check of a misuse."""
    if op.kind == "misuse":
        slot = explored.checks[op.name, "warnings"]
        if not config.get("CONFIG_DEBUG_VM", True):
            slot, reason = Slot(0, 0), "CONFIG_DEBUG_VM=n compiles the warnings away"
        verdict, why = settle(slot, explored, reason)
        yield _check(f"misuse/{op.name}", "misuse", verdict, f"{op.title}: warns", slot, why)
        return
    names = [name for (of, name) in explored.checks if of == op.name and name != "crash"]
    for name in names:
        if name == "return" and not op.returns:
            continue
        slot = explored.checks[op.name, name]
        verdict, why = settle(slot, explored, reason)
        made = _check(
            f"conformance/{op.name}/{name}",
            "conformance",
            verdict,
            title_of(op.name, name),
            slot,
            why,
        )
        quote = " ".join((op.model.__doc__ or "").split()) if op.model else ""
        yield replace(made, quote=quote, merge=f"{op.through or op.name}/{name}")


def title_of(op: str, name: str) -> str:
    """What conformance in one observation means."""
    return {
        "warnings": f"{op} warns only where a warning is due",
        "elsewhere": f"{op} changes nothing but what is its own",
        "return": f"{op} returns what the model says",
    }.get(name, f"{op} leaves {name} as the model says")


def _check(id: str, group: str, verdict: Verdict, title: str, slot: Slot, reason: str) -> Check:
    return Check(id, group, verdict, title, trace=slot.trace, judged=slot.compared,  # type: ignore[arg-type]
                 failed=slot.failed, common=slot.common, reason=reason)  # fmt: skip


def judge_crashes(
    loaded: Loaded, explored: Explored, undriven: Mapping[str, str], died: Mapping[str, Death]
) -> Iterator[Check]:
    """crash/<operation>, and one check for all that wait for a lock that nobody releases."""
    stuck: list[Slot] = []
    for op in loaded.contract.operations:
        slot = explored.checks[op.name, "crash"]
        title = f"{op.name} comes back"
        if op.name in died:
            death = died[op.name]
            yield Check(f"crash/{op.name}", "crash", "fail", title, trace=death.trace, failed=1,
                        judged=1, detail=f"the worker died: {death.how}")  # fmt: skip
            continue
        if slot.failed and slot.trace[-1].why == "deadlock":
            stuck.append(slot)
            slot = Slot(slot.compared, 0)
        verdict, why = settle(slot, explored, undriven.get(op.name, ""))
        made = _check(f"crash/{op.name}", "crash", verdict, title, slot, why)
        if verdict == "fail":
            last = slot.trace[-1]
            how = signal_name(last.signal) if last.why == "signal" else last.why
            made = replace(made, detail=f"it did not come back: {how}", merge=f"crash/{how}")
        yield made
    shortest = min(stuck, key=lambda s: len(s.trace), default=Slot(explored.transitions, 0))
    verdict, why = settle(shortest, explored, "")
    made = _check("crash/deadlock", "crash", verdict, "no lock is left held for ever", shortest, why)
    detail = "it waits for a lock that nobody will release" if stuck else ""
    yield replace(made, detail=detail, failed=sum(s.failed for s in stuck))


def judge_claims(loaded: Loaded, explored: Explored, undriven: Mapping[str, str]) -> Iterator[Check]:
    """The contract's claims; one that held only because an operation is missing is unknown."""
    gone = [op.name for op in loaded.contract.operations
            if op.kind == "operation"
            and (op.name in undriven or explored.checks[op.name, "crash"].failed)]  # fmt: skip
    reason = f"not every call of {', '.join(gone)} came back, so not all states were reached" if gone else ""
    for claim in loaded.contract.claims:
        slot = explored.claims[claim.id]
        if claim.kind == "always":
            verdict, why = settle(slot, explored, reason)
        elif slot.failed:
            verdict, why = "pass", ""
        else:
            verdict, why = settle(slot, explored, reason)
            verdict = "fail" if verdict == "pass" else verdict
        made = _check(f"claim/{claim.id}", "claim", verdict, claim.title, slot, why)
        detail = ""
        if claim.kind == "possible" and verdict == "fail":
            detail = "no reachable state shows it"
        yield replace(made, quote=claim.sentence, detail=detail)


# Where in the patch.


def place(check: Check, loaded: Loaded, piece: Slice, library: Path) -> Check:
    """`check` with the patch's file and line: of the warning, of the crash, else of the function."""
    if check.verdict != "fail" or not check.trace:
        return check
    last = check.trace[-1]
    spot = None
    files = {item.file for item in piece.items}
    if last.pc:
        spot = next(address_lines(library, last.pc, files), None)
    elif last.changed_pc:
        # Of the chain of inlined calls, the outermost: the line of the operation's own function.
        spot = ([None, *address_lines(library, last.changed_pc, files)])[-1]
    elif last.warning and check.id.endswith("/warnings") and last.warning["file"] in files:
        spot = str(last.warning["file"]), int(last.warning["line"])
    found = spot or function_line(last.op, loaded, piece)
    return replace(check, file=found[0], line=found[1]) if found else check


def function_line(operation: str, loaded: Loaded, piece: Slice) -> tuple[str, int] | None:
    """The patch's function that an operation calls last, through macros."""
    op = next((o for o in loaded.contract.operations if o.name == operation), None)
    if op is None:
        return None
    by_name = {item.name: item for item in piece.items}
    names = [n for n in re.findall(r"\b(\w+)\s*\(", op.call) if n in by_name]
    if not names:
        return None
    item = by_name[names[-1]]
    while item.kind == "macro":
        inner = [n for n in piece.needs[item.name] if n in by_name]
        if len(inner) != 1:
            break
        item = by_name[inner[0]]
    return item.file, item.line


def address_lines(library: Path, pc: int, files: set[str]) -> Iterator[tuple[str, int]]:
    """The lines of the patch at address `pc`, innermost call first; none without binutils."""
    tool = shutil.which("addr2line")
    if not tool:
        return
    done = subprocess.run(
        [tool, "-i", "-e", str(library), hex(pc)],
        capture_output=True, text=True, timeout=10, check=False,
    )  # fmt: skip
    for line in done.stdout.splitlines():
        name, _, number = line.partition(" ")[0].rpartition(":")
        found = next((file for file in files if name.endswith(file)), None)
        if found and number.isdigit() and "kernel_snippets" not in name:
            yield found, int(number)


def follow_conformance(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Claims take their line from the divergence that has the same trace."""
    known = {calls_of(c): (c.file, c.line) for c in reversed(checks) if c.group == "conformance"}
    return tuple(
        replace(c, file=known[calls_of(c)][0], line=known[calls_of(c)][1])
        if c.group == "claim" and c.verdict == "fail" and calls_of(c) in known
        else c
        for c in checks
    )


def calls_of(check: Check) -> tuple[object, ...]:
    """The calls of a check's trace, to tell equal traces."""
    return tuple((step.op, tuple(step.args.items())) for step in check.trace) or (check.id,)


def tool_facts(loaded: Loaded) -> dict[str, str]:
    """What made a report: versions of tool, compiler and Python, and the contract."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

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
