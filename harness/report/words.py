# SPDX-License-Identifier: GPL-2.0-only
"""A result in words: each check with what was expected and seen, its trace in the contract's columns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from extractor.patch import Patch
from harness.check import Part, Result, hidden_state, tool_facts
from harness.contract import Contract, Loaded
from harness.driver import COMPLETE
from harness.explore import ENDS
from harness.interleave.compare import stress_words
from harness.interleave.judge import scope
from harness.interleave.run import Interleaved
from harness.interleave.schedule import Memory
from harness.judge import Check
from harness.locate import function_line
from harness.mutate import Judged, Strength
from harness.report.document import (
    RAN_ALONE,
    Beyond,
    Case,
    Document,
    Explored,
    MutantRecord,
    PatchText,
    Row,
    StrengthRecord,
    Table,
    TraceStep,
    Woven,
)
from harness.report.document import Part as PartWords
from harness.report.schedule import schedule_steps, schedule_table
from harness.stage import Replayed
from harness.trace import Step, call_text, values_seen
from harness.translate import layout, unpack
from harness.tree.items import TreeItems

STATIC_KEY = re.compile(r"\bstatic_key|STATIC_KEY|\bDECLARE_TRACEPOINT\b")
CALLED = ("conformance", "misuse", "crash", "sanitizer", "promise")  # judged call by call
WOVEN_KINDS = {"race": "races", "results": "no order explains it", "reads": "no moment has it",
               "locks": "a lock", "deadlock": "does not come back", "crash": "faults"}  # fmt: skip
WEAKER: dict[Memory, str] = {
    "sc": "orders of stores other than sequential consistency: --memory-model tso or relaxed",
    "tso": "orders of stores weaker than TSO: --memory-model relaxed",
    "relaxed": "reads made early, as where smp_rmb() is forgotten: stores alone are delayed",
}
NOBODY_SAYS = "calls at the same time: no contract says which may meet; --interleave 2x1 runs any two"
WHY_ALIVE = {
    "same": "no call within the bounds tells it from the patch",
    "misuse": "every legal call within the bounds does the same; only how often misuse warns differs",
    "differs": "legal calls do other things, and no check minds",
}


def document(result: Result) -> Document:
    """All that a report needs, in words."""
    request = result.request
    return Document(
        patches=tuple(map(patch_text, result.patches)),
        tree=request.tree,
        tree_notes=tuple(request.notes) if request.tree else (),
        tree_config=tree_words(result),
        seed=request.seed,
        traces_folder=str(request.traces) if request.traces else "",
        parts=tuple(part_words(result, part) for part in result.parts),
        cases=tuple(case_of(result, check) for check in result.checks),
        outlooks=tuple(case_of(result, check) for check in result.outlooks),
        reached=tuple(case_of(result, check) for check in result.reached),
        base=result.base,
        unused=tuple((item.file, item.name, item.completeness, item.line) for item in result.unused),
        near=tuple(request.near),
        partial=result.partial,
        unfound=tuple(unfound(result)),
        failed=dict(result.failed),
        replays=tuple(replay_data(replayed) for replayed in result.replays),
        strength=strength_record(result.strength) if result.strength else None,
        tool=tool_facts() | {"contract": result.main.name if result.parts else ""},
    )


def patch_text(patch: Patch) -> PatchText:
    """One patch."""
    files = tuple(file.path for file in patch.files)
    return PatchText(patch.subject, patch.source, patch.sha256, files, patch.notes, patch.message, patch.diff)


def tree_words(result: Result) -> str:
    """For which options a tree was read; empty without a tree."""
    if not isinstance(result.request.items, TreeItems):
        return ""
    tree = result.request.items.tree
    without = tree.left_out
    but = f", but for {', '.join(without)}: for no guest of a hypervisor" if without else ""
    return f"the tree was read for the {len(tree.config) - len(without)} options of {tree.configured}{but}"


def unfound(result: Result) -> Iterator[str]:
    """Includes that the tree does not have."""
    if isinstance(result.request.items, TreeItems):
        for include in result.request.items.tree.unfound:
            yield f"{include.where}: {include.name}, which the tree does not have: taken for empty"


# One contract.


def part_words(result: Result, part: Part) -> PartWords:
    """What was compiled and run of one contract."""
    explored, contract = part.runs.explored, part.loaded.contract
    lost = {u.name for u in part.unresolved}
    return PartWords(
        name=part.name,
        title=contract.title,
        derived=contract.derived,
        requires=contract.requires,
        config=dict(part.loaded.options),
        functions=tuple(part.piece.functions),
        fragments=tuple(part.piece.shown),
        shims=tuple(sorted(part.piece.outside.keys() - lost)),
        unresolved=tuple(part.unresolved),
        bounds=dict(part.loaded.bounds),
        explored=Explored(
            explored.states,
            explored.kept,
            explored.symmetric,
            explored.transitions,
            explored.depth,
            round(explored.bytes / max(explored.kept, 1), 1),
            explored.end == COMPLETE and not part.unreached,
            ENDS.get(explored.end, "not every call came back" if part.unreached else ""),
            part.unreached,
        ),
        walked=part.runs.walked[0].transitions if part.runs.walked else None,
        wide_bounds=dict(part.wide.bounds),
        watched=part.runs.watched[0].transitions if part.runs.watched else None,
        threads=tuple(map(woven_words, part.threads)),
        thread_notes=part.thread_notes,
        stressed=stress_words(part.stressed) if part.stressed else "",
        whole=part.whole,
        explored_words=explored_words(result, part),
        wide_bounds_words=bounds_words(part.wide),
        legend=contract.legend,
        wide_legend=part.wide.contract.legend,
        unjudged=(*contract.unjudged, *unwoven(part)),
        beyond=beyond(part),
        hidden_state=tuple(hidden_state(part.piece)),
        warnings=tuple((w.file, w.line, w.text) for w in part.warnings),
        coverage=part.coverage,
    )


def explored_words(result: Result, part: Part) -> str:
    """How far the exploration of one contract went."""
    explored, limits = part.runs.explored, result.request.limits
    end = "all" if explored.end == COMPLETE else f"INCOMPLETE ({ENDS[explored.end]}):"
    symmetry = part.loaded.contract.symmetry
    member = symmetry.member if symmetry and explored.symmetric else ""
    alike = f" ({explored.kept:,} up to which {member} is which)" if member else ""
    beside = f" {part.loaded.contract.scope}" if part.loaded.bounds and part.loaded.contract.scope else ""
    bounds = bounds_words(part.loaded)
    said = f"against {part.name}, {bounds}{beside}: {end} {explored.states:,} states{alike}"
    if part.unreached:
        lost = ", ".join(part.unreached)
        said += f" without every call of {lost}, some of which could not be made or did not come back"
    if explored.end != COMPLETE:
        said += f", every trace of up to {explored.depth} call{'s' * (explored.depth != 1)}, "
        said += f"limits {limits.seconds:g} s and {limits.megabytes} MB"
    return said + f", {explored.transitions:,} calls"


def bounds_words(loaded: Loaded) -> str:
    """A contract's bounds."""
    named = ", ".join(f"{name}={value}" for name, value in loaded.bounds.items())
    return f"bounds {named}" if named else loaded.contract.scope or "no bounds"


def beyond(part: Part) -> Beyond:
    """What a tree's slice refers to and the tree has in other files."""
    piece = part.piece
    data = {n: item for n, item in piece.beyond.items() if item.kind == "variable" or item.name != n}
    keys = tuple(name for name, item in data.items() if STATIC_KEY.search(item.text))
    users = {
        name: tuple(user for user, needs in piece.needs.items() if name in needs)
        for name in data
        if name not in keys
    }
    return Beyond(tuple(name for name in piece.beyond if name not in data), keys, users)


def woven_words(one: Interleaved) -> Woven:
    """What ran at the same time under one order of stores."""
    return Woven(one.memory, scope(one), one.starts, one.scenarios, one.executions, one.steps, one.bounded,
                 one.cut, one.left, one.whole)  # fmt: skip


def unwoven(part: Part) -> Iterator[str]:
    """What is not known of concurrent calls."""
    if not any(one.scenarios for one in part.threads):
        yield NOBODY_SAYS if part.loaded.contract.derived else RAN_ALONE
        return
    yield WEAKER[part.threads[-1].memory]
    if (sc := part.threads[0]).scenarios == sc.executions:
        yield f"calls that meet: in none of {sc.scenarios} scenarios do two touch the same memory to write it"


# One check.


def case_of(result: Result, check: Check) -> Case:
    """One check in words."""
    contract = contract_of(result, check)
    part = result.part_of(check) if result.parts else None
    base = [shown(contract, step) if step.observed else {} for step in check.beside] if contract else []
    kind = divergence(check) if check.verdict == "fail" else ""
    explained = explanation(result, check) if check.verdict == "fail" else check.detail
    woven = check.schedule if contract else None
    return Case(
        id=check.id,
        group=check.group,
        verdict=check.verdict,
        title=check.title,
        contract=check.contract,
        part=check.part,
        quote=check.quote,
        says=who_says(result, check.quote) if check.quote and check.verdict == "fail" else "",
        reason=check.reason,
        detail=check.detail,
        doubt=check.doubt,
        judged=check.judged,
        failed=check.failed,
        common=check.common,
        wide=check.wide,
        file=check.file,
        line=check.line,
        exact=check.exact,
        source=source_line(result, check) if check.verdict == "fail" else "",
        explained=explained,
        spread=spread(check) if check.failed and check.group in (*CALLED, "concurrency") else "",
        merge=check.merge,
        kind=kind,
        fingerprint=fingerprint(check, kind) if kind else "",
        trace=schedule_steps(contract, woven) if contract and woven else tuple(
            TraceStep(step.op or "initial", dict(step.args), seen(step), dict(step.expected))
            for step in check.trace),
        base=tuple(dict(values_seen(step)) for step in check.beside),
        table=schedule_table(contract, woven) if contract and woven
        else table(contract, check.trace, base, part) if contract else plain(check.trace),
        counted="executions" if woven else "states" if of_state(result, check) else "",
        called=tuple(called(contract, part, check.trace)) if contract and part else (),
    )  # fmt: skip


def called(contract: Contract, part: Part, trace: Sequence[Step]) -> Iterator[str]:
    """The function that each operation of a trace calls, where that has another name."""
    by_name = {op.name: op for op in contract.operations}
    own = {item.name for item in part.piece.code}
    for name in dict.fromkeys(step.op for step in trace if step.op in by_name):
        functions = [one for one in by_name[name].called if one in own]
        if functions and functions[-1] not in name:
            yield f"{name} calls {functions[-1]}()"


def seen(step: Step) -> dict[str, int | str]:
    """What a step showed, in numbers."""
    return {**step.observed, **({"stopped": step.why} if step.why else {})}


def divergence(check: Check) -> str:
    """How the behaviour of a finding diverges: stable where lines, numbers of calls and traces change.

    Of a value that the model predicts, in which direction.
    """
    if not check.trace:
        return WOVEN_KINDS.get(check.id.split("/")[1].partition("-")[0], "is broken")
    if check.group == "claim":
        return f"broken by {check.trace[-1].op}" if check.trace[-1].op else "broken at first"
    last, name = check.trace[-1], check.id.rpartition("/")[2]
    if last.why and check.group in ("crash", "sanitizer"):
        by = f" by {last.op}" if check.id == "crash/deadlock" else ""
        return f"{last.why}{by}" if last.why != "signal" else f"signal {last.signal}"
    if last.report and check.group == "sanitizer":
        return str(last.report["kind"])
    if check.group == "misuse" or name == "warnings":
        return "warns" if last.observed.get(name, last.observed.get("warnings")) else "does not warn"
    if name == "elsewhere":
        return "writes elsewhere"
    if check.group == "promise" and check.beside and name in last.observed:
        return direction(check.beside[-1].observed.get(name, 0), last.observed[name])
    if name in last.expected and name in last.observed:
        return direction(last.expected[name], last.observed[name])
    return "is broken"


def direction(due: int, got: int) -> str:
    """Which way a value is wrong; by how much depends on the trace."""
    return "too high" if got > due else "too low"


def fingerprint(check: Check, kind: str) -> str:
    """The hash of a finding's behaviour: 16 hexadecimal digits of contract, check and kind.

    What is read and not run has no behaviour: what is wrong there counts, without its numbers.
    """
    wrong = "" if check.trace or check.schedule else re.sub(r"\d+", "", check.detail)
    return hashlib.sha256("\0".join((check.contract, check.id, kind, wrong)).encode()).hexdigest()[:16]


def source_line(result: Result, check: Check) -> str:
    """The patch's, or the tree's, text at a finding's line."""
    if isinstance(result.request.items, TreeItems) and check.line:
        text = result.request.items.tree.text(check.file).split("\n")
        return text[check.line - 1].strip() if check.line <= len(text) else ""
    for item in result.request.items:
        for line in item.lines:
            if item.file == check.file and line.number == check.line:
                if check.exact or item.completeness != "fragment":
                    return line.text.strip()
                # No write tells which line it is: one that is innocent must not stand there.
                added = [one.number for one in item.lines if one.origin == "added"]
                return f"(it is among the lines {added[0]} to {added[-1]} that the patch adds there)"
    return ""


def who_says(result: Result, quote: str) -> str:
    """Whether a sentence is this patch's own, or the contract's, from another revision."""
    words = " ".join(quote.split())
    for patch in result.patches:
        said = " ".join([patch.message, *(line[1:] for line in patch.diff)]).replace(" * ", " ")
        if words in " ".join(said.replace("\t*", " ").split()):
            return "the patch"
    if words in " ".join(result.request.cover.split()):
        return "the cover letter"
    if isinstance(result.request.items, TreeItems) and result.request.items.tree.says(words):
        return "the tree"
    return "the contract"


def spread(check: Check) -> str:
    """How many calls show a divergence, and what they have in common."""
    if check.group == "concurrency":
        return f"in {check.failed:,} of {check.judged:,} executions"
    if check.wide:
        return f"found by a random walk, beyond the bounds of exploration, in {check.failed:,} of its calls"
    common = f"; in all of these: {', '.join(check.common)}" if check.common else ""
    return f"in {check.failed:,} of {check.judged:,} such calls{common}"


def explanation(result: Result, check: Check) -> str:
    """What was expected and what was seen at the last step."""
    if check.detail:
        return check.detail
    if not check.trace:
        return ""
    last = check.trace[-1]
    name = check.id.rpartition("/")[2]
    if name == "itself" and last.expected.get("itself"):
        return "no warning of its own fires, only of functions that it calls"
    if check.group == "misuse" or name == "warnings":
        said = last.warning
        if said:
            return (f"no warning is due, but {said['macro']}({said['condition']}) fires at "
                    f"{said['file']}:{said['line']}")  # fmt: skip
        return "a warning is due, and none fires"
    if name == "elsewhere":
        return f"{last.place or f'byte {last.elsewhere} of the world'} changed, which is not its own"
    contract = contract_of(result, check)
    if name in last.expected and contract:
        due, seen = (contract.word(name, of.get(name)) for of in (last.expected, last.observed))
        return f"{name}: the model expects {due}, the code gives {seen}"
    if of_state(result, check):
        reached = " that a random walk reached" if check.wide else ""
        return f"broken in {check.failed:,} of {check.judged:,} states{reached}"
    return f"broken after {check.failed:,} of {check.judged:,} calls that were judged"


def of_state(result: Result, check: Check) -> bool:
    """Whether a check is a claim that is judged once a state."""
    claims = result.part_of(check).loaded.contract.claims if result.parts else ()
    return any(c.of_state for c in claims if check.id == f"claim/{c.id}")


def contract_of(result: Result, check: Check) -> Contract | None:
    """The contract in the bounds in which a check's trace was found; None where nothing was run."""
    for replayed in result.replays:
        if check.group == "trace" and replayed.loaded and check.trace is replayed.steps:
            return replayed.loaded.contract
    if not result.parts:
        return None
    part = result.part_of(check)
    return (part.wide if check.wide else part.loaded).contract


# Traces.


def table(
    contract: Contract,
    trace: Sequence[Step],
    was: Sequence[Mapping[str, str]] = (),
    part: Part | None = None,
) -> Table:
    """A trace in the contract's own columns; cells that differ from `was` have that beside them."""
    if not trace or not any(step.observed for step in trace):
        return plain(trace, contract, part)
    columns = shown(contract, trace[0])
    if contract.derived:  # nobody chose them: those that no call of the trace changes say nothing
        steps = [shown(contract, step) for step in trace if step.observed]
        columns = {name: c for name, c in columns.items()
                   if name == "warnings" or any(cells[name] != c for cells in steps)}  # fmt: skip
    rows = []
    for number, step in enumerate(trace):
        old = was[number] if number < len(was) else {}
        cells = {name: cell for name, cell in shown(contract, step).items() if name in columns}
        before = tuple(old[name] if old.get(name, cell) != cell else None for name, cell in cells.items())
        said = step.observed.keys() != set()
        rows.append(row(contract, step, part, tuple(cells.values()) if said else (), before if said else ()))
    return Table(tuple(columns), tuple(rows))


def plain(trace: Sequence[Step], contract: Contract | None = None, part: Part | None = None) -> Table:
    """A trace of which nothing was observed."""
    return Table((), tuple(row(contract, step, part) for step in trace))


def row(
    contract: Contract | None,
    step: Step,
    part: Part | None,
    cells: tuple[str, ...] = (),
    was: tuple[str | None, ...] = (),
) -> Row:
    """One step."""
    call = call_words(contract, step) if contract else call_text(step.op, step.args)
    place = function_line(step.op, part.loaded, part.piece) if part and step.op else None
    names = contract.symmetry.arguments if contract and contract.symmetry else ()
    member = next((f"{name}{step.args[name]}" for name in names if name in step.args), "")
    file, line = place or ("", 0)
    return Row(call, cells, was if any(old is not None for old in was) else (), step.why, member, file, line)


def call_words(contract: Contract, step: Step) -> str:
    """A step's call, its arguments in the contract's words."""
    return call_text(step.op, {name: contract.word(name, value) for name, value in step.args.items()})


def shown(contract: Contract, step: Step) -> dict[str, str]:
    """A step's observation in the contract's columns, and its warnings."""
    names = list(layout(contract.state).offsets)
    own = step.observed.keys() >= {*names}
    if not own and step.observed:  # of another contract, derived together with that of the base
        names = [name for name in step.observed if name not in ("warnings", "rmw", "return", "itself")]
    if own and contract.show:
        values = [step.observed[name] for name in names]
        cells = dict(contract.show(unpack(values, contract.state, layout(contract.state))))
    else:
        cells = {name: str(step.observed.get(name, "")) for name in names}
    if not step.op:
        return cells | {"warnings": "0"}
    cells["warnings"] = str(step.observed.get("warnings", ""))
    if "return" in step.observed:
        cells["warnings"] += f", returns {step.observed['return']}"
    return cells


# Beside the checks.


def replay_data(replayed: Replayed) -> dict[str, Any]:
    """What became of one saved trace."""
    trace, loaded = replayed.trace, replayed.loaded
    return {
        "file": replayed.name,
        "id": trace.id if trace else "",
        "title": trace.title if trace else "",
        "verdict": replayed.verdict,
        "how": list(replayed.how),
        "failing": list(replayed.failing),
        "notes": list(replayed.notes),
        "contract": trace.contract if trace else "",
        "bounds": dict(loaded.bounds) if loaded else {},
        "patch": {
            "subject": "; ".join(p.subject for p in replayed.revision.patches) if replayed.revision else "",
            "sha256": ",".join(p.sha256 for p in replayed.revision.patches) if replayed.revision else "",
            "recorded": ",".join(diff.sha256 for diff in trace.patches) if trace else "",
        },
        "trace": [
            {
                "op": step.op or "initial",
                "args": dict(step.args),
                "observed": values_seen(step),
                "expected": dict(step.expected),
                "was": dict(trace.steps[number].observed) if trace else {},
            }
            for number, step in enumerate(replayed.steps)
        ],
    }


def strength_record(strength: Strength, what: str = "") -> StrengthRecord:
    """What became of mutants."""

    def every(fate: Sequence[Judged]) -> tuple[MutantRecord, ...]:
        return tuple(mutant_record(strength, judged) for judged in fate)

    return StrengthRecord(what, dict(strength.bounds), every(strength.killed), every(strength.equivalent),
                          every(strength.survived), every(strength.broken))  # fmt: skip


def mutant_record(strength: Strength, judged: Judged) -> MutantRecord:
    """One mutant."""
    mutant = judged.mutant
    by = WHY_ALIVE[judged.fate] if judged in strength.survived else judged.by
    return MutantRecord(mutant.file, mutant.line, mutant.column, mutant.item, mutant.operator, mutant.before,
                        mutant.after, judged.calls, tuple(strength.diff(mutant)), by)  # fmt: skip
