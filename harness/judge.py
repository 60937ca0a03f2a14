# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts: what an exploration says of each operation, claim and crash."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness import explore
from harness.contract import Loaded, Operation
from harness.explore import Explored, Slot, Step
from harness.render import Rendered

Verdict = Literal["pass", "fail", "unknown"]
Group = Literal["conformance", "misuse", "claim", "crash"]


@dataclass(frozen=True)
class Check:
    """One verdict. `trace` is a shortest witness, of the finding or of a "possible" claim."""

    id: str
    group: Group
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
class Death:
    """A worker that died in the subject: what it ran last, and how it ended."""

    trace: tuple[Step, ...]
    how: str


def judge(
    loaded: Loaded,
    explored: Explored,
    rendered: Rendered,
    deaths: Sequence[Death],
    config: Mapping[str, bool],
) -> Iterator[Check]:
    """All verdicts, in the contract's order."""
    if explored.blind:
        how = signal_name(explored.blind.signal) if explored.blind.signal else explored.blind.why
        yield Check(
            "crash/observe",
            "crash",
            "fail",
            "the functions by which the contract observes come back",
            trace=(explored.blind,),
            judged=1,
            failed=1,
            detail=f"reading the initial world did not come back: {how}; nothing else was run",
        )
        return
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


def _check(id: str, group: Group, verdict: Verdict, title: str, slot: Slot, reason: str) -> Check:
    return Check(id, group, verdict, title, trace=slot.trace, judged=slot.compared,
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
    yield replace(made, detail=detail, failed=sum(s.failed for s in stuck), judged=explored.transitions)


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
            small = [f"{k}={v}" for k, v in claim.least.items() if loaded.bounds.get(k, v) < v]
            if small:
                verdict, why = "unknown", f"it takes at least {', '.join(small)} to show"
        made = _check(f"claim/{claim.id}", "claim", verdict, claim.title, slot, why)
        detail = ""
        if claim.kind == "possible" and verdict == "fail":
            detail = "no reachable state shows it"
        elif verdict == "fail" and claim.counts:
            detail = f"{slot.trace[-1].observed.get('rmw')} atomic read-modify-writes in this call"
        yield replace(made, quote=claim.sentence, detail=detail)


def calls_of(check: Check) -> tuple[object, ...]:
    """The calls of a check's trace, to tell equal traces."""
    return tuple((step.op, tuple(step.args.items())) for step in check.trace) or (check.id,)


def signal_name(number: int) -> str:
    """SIGSEGV for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
