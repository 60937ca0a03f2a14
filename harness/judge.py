# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts: what an exploration says of each operation, claim and crash."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from harness.contract import GOES_ON, Contract, Loaded, Operation
from harness.driver import COMPLETE, SHIM_LIMIT
from harness.explore import ENDS, Explored, Slot
from harness.interleave.schedule import Schedule
from harness.render import Rendered
from harness.trace import Step

Verdict = Literal["pass", "fail", "unknown"]
Group = Literal[
    "conformance", "misuse", "claim", "crash", "sanitizer", "trace", "outlook",
    "layout", "configuration", "documentation", "promise",
    "concurrency",
    "reached",  # by calls of which nobody says that they are legal: no finding
]  # fmt: skip


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
    wide: bool = False  # found, or only judged, by a random walk
    doubt: str = ""  # what is amiss with its trace
    contract: str = ""
    part: str = ""  # of the patch
    beside: tuple[Step, ...] = ()  # the same calls on the base, of a promise that nothing changes
    exact: bool = False  # the line is that of a write, a crash, a warning; not only the function's
    schedule: Schedule | None = None  # of concurrent calls, instead of a trace
    found: frozenset[object] = frozenset()  # what it is in any schedule, and all that its own one shows
    shown: frozenset[object] = frozenset()


@dataclass(frozen=True)
class Death:
    """A worker that died in the subject: what it ran last, and how it ended."""

    trace: tuple[Step, ...]
    how: str
    wide: bool = False  # in a random walk


@dataclass(frozen=True)
class Runs:
    """What was run of one subject: exploration, a random walk, and exploration under sanitizers.

    The last two are None where they were not asked for; each has the traces after which its worker died.
    """

    explored: Explored
    deaths: tuple[Death, ...]
    walked: tuple[Explored, tuple[Death, ...]] | None = None
    watched: tuple[Explored, tuple[Death, ...]] | None = None


Judged = TypeVar("Judged", bound=Any)
Verdicts = Callable[[Loaded, Runs, Rendered], Iterator[Check]]


def judge(loaded: Loaded, runs: Runs, rendered: Rendered, of_runs: Verdicts | None = None) -> Iterator[Check]:
    """All verdicts on one contract, in its order; outlooks, and what is only reached, are among them.

    They are those that `of_runs` gives of its runs, by default `verdicts`.
    """
    contract = loaded.contract
    by_length = sorted(contract.operations, key=lambda op: -len(op.name))
    for check in (of_runs or verdicts)(loaded, runs, rendered):
        group, _, rest = check.id.partition("/")
        op = next((op for op in by_length if rest == op.name or rest.startswith(f"{op.name}/")), None)
        claim = next((c for c in contract.claims if check.id == f"claim/{c.id}"), None)
        of = claim if group == "claim" else op
        title = f"{of.part}: {check.title}" if of and of.part else check.title
        part = contract.part(of) if of else contract.title
        yield replace(check, contract=contract.name, part=part, title=title)


def verdicts(loaded: Loaded, runs: Runs, rendered: Rendered) -> Iterator[Check]:
    """As judge(), but for the contract's name and part."""
    config = loaded.options
    if runs.explored.blind:
        yield blind(runs.explored.blind)
        return
    explored = with_walk(runs)
    died = {death.trace[-1].op: death for death in runs.deaths}
    for death in runs.walked[1] if runs.walked else ():
        died.setdefault(death.trace[-1].op, replace(death, wide=True))
    undriven = dict(rendered.unavailable) | {op: f"{op} killed its worker" for op in died}
    for op in loaded.contract.operations:
        crash = explored.checks[op.name, "crash"]
        if crash.failed and crash.last.why == "endless loop":
            undriven[op.name] = f"{op.name} ran into an endless loop and was not called again"
    for op in loaded.contract.operations:
        reason = undriven.get(op.name, "")
        yield from judge_operation(loaded.contract, op, explored, reason, config)
    yield from judge_crashes(loaded, explored, undriven, died)
    if runs.watched:
        yield from judge_sanitizers(loaded, *runs.watched, rendered.unavailable)
    yield from judge_claims(loaded, explored, undriven)


def blind(step: Step) -> Check:
    """The one check of code of which not even the initial world can be read."""
    how = signal_name(step.signal) if step.signal else step.why
    return Check(
        "crash/observe",
        "crash",
        "fail",
        "the functions by which the contract observes come back",
        trace=(step,),
        judged=1,
        failed=1,
        detail=f"reading the initial world did not come back: {how}; nothing else was run",
    )


def with_walk(runs: Runs) -> Explored:
    """The exploration, and what only the walk found or reached."""
    if not runs.walked or not runs.walked[0].checks:
        return runs.explored
    near, far = runs.explored, runs.walked[0]
    return replace(
        near,
        checks={key: wider(slot, far.checks[key]) for key, slot in near.checks.items()},
        claims={key: wider(slot, far.claims[key]) for key, slot in near.claims.items()},
    )


def wider(near: Slot, far: Slot) -> Slot:
    """The slot of the walk where it says more than that of the exploration."""
    more = not near.failed and (far.trace or (not near.compared and far.compared))
    return replace(far, wide=True) if more else near


def settle(slot: Slot, explored: Explored, reason: str) -> tuple[Verdict, str]:
    """Verdict and reason of one check."""
    if slot.failed:
        return "fail", ""
    if reason or not slot.compared:
        return "unknown", reason or "no call of it was made, or came back, within the bounds"
    if explored.end != COMPLETE and not slot.wide:
        return "unknown", incomplete(explored)
    return "pass", ""


def incomplete(explored: Explored) -> str:
    """Why an exploration ended before its bounds, and what it did complete."""
    calls = f"{explored.depth} call{'s' * (explored.depth != 1)}"
    return f"{ENDS[explored.end]}; complete is every trace of up to {calls}"


def judge_operation(
    contract: Contract, op: Operation, explored: Explored, reason: str, config: Mapping[str, bool]
) -> Iterator[Check]:
    """conformance/<operation>/<observation>, or the one check of a misuse."""
    if op.kind == "setup":
        return
    if op.kind == "outlook":
        yield judge_outlook(op, explored, reason)
        return
    if op.kind == "misuse":
        slot = explored.checks[op.name, "warnings"]
        if not config.get(op.option, True):
            slot, reason = Slot(0, 0), compiled_away(op.option)
        verdict, why = settle(slot, explored, reason)
        yield _check(f"misuse/{op.name}", "misuse", verdict, f"{op.title}: warns", slot, why)
        if op.by:
            own = explored.checks[op.name, "return"] if slot.compared else slot
            verdict, why = settle(own, explored, reason)
            title = f"{op.title}: {op.by}() itself warns"
            yield _check(f"misuse/{op.name}/itself", "misuse", verdict, title, own, why)
        return
    names = [name for (of, name) in explored.checks if of == op.name]
    unjudged = {"crash", "sanitizer"} | (set() if op.returns else {"return"})
    observed = set(names) - {"warnings", "elsewhere", "return"}
    for name in names:
        if name in unjudged or (name in observed and not op.model):
            continue
        slot = explored.checks[op.name, name]
        verdict, why = settle(slot, explored, reason)
        made = _check(
            f"conformance/{op.name}/{name}",
            "conformance",
            verdict,
            op.title if op.title and name == "return" else title_of(op.name, name),
            slot,
            why,
        )
        quote = " ".join((op.model.__doc__ or "").split()) if op.model else ""
        yield replace(made, quote=quote, merge=f"{op.through or op.name}/{contract.thing(name)}")


def compiled_away(option: str) -> str:
    """Why a misuse is not judged where its warning's option is not set."""
    return f"{option}=n compiles the warnings away"


def judge_outlook(op: Operation, explored: Explored, reason: str) -> Check:
    """outlook/<operation>: whether what the patch calls possible would work as the code is."""
    slots = [explored.checks[op.name, name] for of, name in explored.checks if of == op.name]
    seen = [slot for slot in slots if slot.failed] or slots[:1]
    first = min(seen, key=lambda slot: len(slot.trace))
    verdict, why = settle(first, explored, reason)
    made = _check(f"outlook/{op.name}", "outlook", verdict, op.title, first, why)
    last = first.last if verdict == "fail" else None
    said = op.outcome.format(last.observed.get("return")) if last and op.returns else ""
    return replace(made, quote=op.sentence, detail=said)


def title_of(op: str, name: str) -> str:
    """What conformance in one observation means."""
    return {
        "warnings": f"{op} warns only where a warning is due",
        "elsewhere": f"{op} changes nothing but what is its own",
        "return": f"{op} returns what the model says",
    }.get(name, f"{op} leaves {name} as the model says")


def _check(id: str, group: Group, verdict: Verdict, title: str, slot: Slot, reason: str) -> Check:
    return Check(id, group, verdict, title, trace=slot.trace, judged=slot.compared,
                 failed=slot.failed, common=slot.common, reason=reason, wide=slot.wide,
                 doubt=slot.doubt if slot.failed else "")  # fmt: skip


def judge_crashes(
    loaded: Loaded, explored: Explored, undriven: Mapping[str, str], died: Mapping[str, Death]
) -> Iterator[Check]:
    """crash/<operation>, and one check for all that wait for a lock that nobody releases."""
    stuck: list[Slot] = []
    for op in loaded.contract.operations:
        slot = explored.checks[op.name, "crash"]
        title = f"{op.name} comes back"
        if op.kind == "outlook" or (op.kind == "setup" and not slot.failed):
            continue
        if op.name in died:
            death = died[op.name]
            yield Check(f"crash/{op.name}", "crash", "fail", title, trace=death.trace, failed=1,
                        judged=1, detail=f"the worker died: {death.how}", wide=death.wide)  # fmt: skip
            continue
        if slot.failed and slot.last.why == "deadlock":
            stuck.append(slot)
            slot = Slot(slot.compared, 0)
        reason = undriven.get(op.name, "")
        if slot.failed and slot.last.why == SHIM_LIMIT:
            slot, reason = Slot(slot.compared, 0), "a shim cannot go on where the kernel would"
        verdict, why = settle(slot, explored, reason)
        made = _check(f"crash/{op.name}", "crash", verdict, title, slot, why)
        if verdict == "fail":
            last = slot.last
            how = signal_name(last.signal) if last.why == "signal" else last.why
            made = replace(made, detail=f"it did not come back: {how}", merge=f"crash/{how}")
        yield made
    calls = sum(explored.checks[op.name, "crash"].compared for op in loaded.contract.operations)
    shortest = min(stuck, key=lambda s: len(s.trace), default=Slot(calls, 0))
    verdict, why = settle(shortest, explored, "")
    made = _check("crash/deadlock", "crash", verdict, "no lock is left held for ever", shortest, why)
    detail = "it waits for a lock that nobody will release" if stuck else ""
    yield replace(made, detail=detail, failed=sum(s.failed for s in stuck), judged=calls)


def judge_sanitizers(
    loaded: Loaded, watched: Explored, deaths: Sequence[Death], unavailable: Mapping[str, str]
) -> Iterator[Check]:
    """sanitizer/<operation>: no undefined behaviour, no access out of bounds."""
    died = {death.trace[-1].op: death for death in deaths}
    for op in loaded.contract.operations:
        if op.kind in ("setup", "outlook") or op.long:
            continue
        title = f"{op.name} has no undefined behaviour and stays within its objects"
        name = f"sanitizer/{op.name}"
        if op.name in died:
            yield Check(name, "sanitizer", "fail", title, trace=died[op.name].trace, failed=1, judged=1,
                        detail=f"under the sanitizers the worker died: {died[op.name].how}")  # fmt: skip
            continue
        slot = watched.checks[op.name, "sanitizer"]
        sites = [site for of, site in watched.sites if of == op.name]
        if sites:
            yield from judge_sites(name, title, slot, sites)
            continue
        crash = watched.checks[op.name, "crash"]
        reason = unavailable.get(op.name, "")
        if crash.failed and crash.last.why == "endless loop":
            reason = f"{op.name} ran into an endless loop and was not called again"
        verdict, why = settle(slot, watched, reason)
        yield _check(name, "sanitizer", verdict, title, slot, why)


def judge_sites(name: str, title: str, whole: Slot, sites: Sequence[Slot]) -> Iterator[Check]:
    """sanitizer/<operation>/<kind>: a check for each place that was reported."""
    kinds: Counter[str] = Counter()
    for site in sites:
        report = site.last.report or {"kind": "bad access", "text": "it reached outside of every object"}
        kind = str(report["kind"])
        kinds[kind] += 1
        number = f"-{kinds[kind]}" if kinds[kind] > 1 else ""
        slot = replace(site, compared=whole.compared)
        made = _check(f"{name}/{kind}{number}", "sanitizer", "fail", title, slot, "")
        yield replace(made, detail=f"{kind}: {report['text']}")


def judge_claims(loaded: Loaded, explored: Explored, undriven: Mapping[str, str]) -> Iterator[Check]:
    """The contract's claims; one that held only because an operation is missing is unknown."""
    gone = [op.name for op in loaded.contract.operations
            if op.kind in GOES_ON
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
            detail = "no state within these bounds shows it"
        elif verdict == "fail" and claim.counts:
            detail = f"{slot.last.observed.get('rmw')} atomic read-modify-writes in this call"
        yield replace(made, quote=claim.sentence, detail=detail)


def one_deadlock(checks: Sequence[Judged]) -> Iterator[Judged]:
    """Contracts have the same check of locks that are never released: those that fail, else one.

    `checks` are Check, or what a report has of them.
    """
    same = [check for check in checks if check.id == "crash/deadlock"]
    failing = [check for check in same if check.verdict == "fail"]
    unknown = [check for check in same if check.verdict == "unknown"]
    kept = failing or (unknown or same)[:1]
    judged = sum(check.judged for check in same)
    for check in checks:
        if check.id != "crash/deadlock":
            yield check
        elif any(check is other for other in kept):
            yield check if failing else replace(check, judged=judged)


def calls_of(check: Check) -> tuple[object, ...]:
    """The calls of a check's trace, to tell equal traces."""
    return tuple((step.op, tuple(step.args.items())) for step in check.trace) or (check.id,)


def signal_name(number: int) -> str:
    """SIGSEGV for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
