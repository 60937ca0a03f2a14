# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts on functions of which nobody said what they should do: that they come back, and what they reach.

Each function is called in two ways. As it is: on objects as they are made, with usual arguments, and
after other such calls. Then made up: fields set to anything, arguments at the limits of their types; nobody
says that such a call is legal, so it shows nothing but what would happen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.contract import Loaded, Operation
from harness.driver import SHIM_LIMIT
from harness.explore import Explored, Slot
from harness.judge import Check, Death, Group, Runs, Verdict, blind, settle, signal_name
from harness.render import Rendered

# What is a finding on zeroed objects, with small numbers and constants of an enum. Others come too easily of
# an object that is zero where the kernel's has pointers and counts (null, alignment, an access beside an
# object, a division), or of a 0 or 2 that nobody passes there (a division, an index).
UNDEFINED = ("shift-out-of-bounds", "unreachable", "missing-return", "vla-bound")


def derived_verdicts(loaded: Loaded, runs: Runs, rendered: Rendered) -> Iterator[Check]:
    """crash/<function> and sanitizer/<function>, and reached/… of what is no finding."""
    if runs.explored.blind:
        yield blind(runs.explored.blind)
        return
    died = {death.trace[-1].op: death for death in runs.deaths}
    watched, late = runs.watched or (None, ())
    died_late = {death.trace[-1].op: death for death in late}
    for op in loaded.contract.operations:
        if op.kind == "setup" or op.doubtful:
            continue
        ways = [op, *(o for o in loaded.contract.operations if o.doubtful and of(o) == op.name)]
        why = rendered.unavailable.get(op.name, "")
        yield from judge_crash(ways, runs.explored, died, why)
        yield from judge_warnings(ways, runs.explored)
        if watched:
            yield from judge_undefined(ways, watched, died_late, why)


def of(op: Operation) -> str:
    """The function that a doubtful operation calls."""
    return op.name.rpartition("/")[0]


def judge_crash(
    ways: Sequence[Operation], explored: Explored, died: Mapping[str, Death], why: str
) -> Iterator[Check]:
    """crash/<function>: whether it comes back, where nothing of its objects says that it cannot."""
    op = ways[0]
    title = f"{op.name} comes back"
    slots = [explored.checks[each.name, "crash"] for each in ways]
    if op.name in died:
        death = died[op.name]
        yield Check(f"crash/{op.name}", "crash", "fail", title, trace=death.trace, failed=1, judged=1,
                    detail=f"the worker died: {death.how}")  # fmt: skip
        return
    stopped = [slot for slot in slots if slot.failed and slot.last.why == SHIM_LIMIT]
    bad = [slot for slot in slots if slot.failed and slot.last.why != SHIM_LIMIT]
    if bad and bad[0] is slots[0] and certain(bad[0]):
        yield crashed(f"crash/{op.name}", "crash", title, bad[0])
        return
    if bad:
        yield crashed(f"reached/{op.name}/crash", "reached", f"{op.name} does not come back", bad[0])
    if stopped and stopped[0].failed == stopped[0].compared:
        site = stopped[0].last.warning
        why = f"it calls {site['macro']}, whose body is in another file" if site else "a shim cannot go on"
    compared = sum(slot.compared for slot in slots)
    if not bad:
        verdict, reason = settle(Slot(compared, 0), explored, why)
        yield made(f"crash/{op.name}", "crash", verdict, title, Slot(compared, 0), reason)


def certain(slot: Slot) -> bool:
    """Whether a call that did not come back is the code's own fault.

    A fault may be a pointer that is zero here and nowhere else, a BUG() a call that is not legal. A lock
    that an earlier call left may be one that it is for to take: it is the second call that nobody says
    is legal. What is never right is to wait for a lock that one took oneself, and to loop for ever.
    """
    last = slot.last
    if last.why == "endless loop":
        return True
    alone = len(slot.trace) == 2  # the initial state, and the call
    return alone and last.why == "deadlock"


def crashed(name: str, group: Group, title: str, slot: Slot) -> Check:
    """A call that did not come back, and how."""
    last = slot.last
    how = signal_name(last.signal) if last.why == "signal" else last.why
    detail = f"it did not come back: {how}"
    if last.why == "endless loop":
        detail += ", unless it waits for another CPU, which there is none of here"
    if last.why == "deadlock":
        before = [step.op.removesuffix("/made-up") for step in slot.trace[1:-1]]
        left = f", which {before[-1]} or a call before it left held" if before else ", which it took itself"
        detail = f"it waits for a lock that nobody will release{left}"
    elif last.why == "BUG" and last.warning:
        said = last.warning
        detail = f"{said['macro']}({said['condition']}) at {said['file']}:{said['line']} ends the call"
    check = made(name, group, "fail", title, slot, "")
    return replace(check, detail=detail, merge=f"crash/{how}")


def judge_warnings(ways: Sequence[Operation], explored: Explored) -> Iterator[Check]:
    """reached/<function>/warnings: the first warning as it is, and another one made up."""
    seen: set[tuple[object, ...]] = set()
    for each in ways:
        slot = explored.checks[each.name, "warnings"]
        said = slot.last.warning if slot.failed else None
        if not said or (place := (said["file"], said["line"])) in seen:
            continue
        seen.add(place)
        check = made(f"reached/{each.name}/warnings", "reached", "fail", f"{ways[0].name} warns", slot, "")
        yield replace(check, detail=f"{said['macro']}({said['condition']})")


def judge_undefined(
    ways: Sequence[Operation], watched: Explored, died: Mapping[str, Death], why: str
) -> Iterator[Check]:
    """sanitizer/<function>: no undefined behaviour that is its own, not that of its made-up objects."""
    op = ways[0]
    title = f"{op.name} has no undefined behaviour and stays within its objects"
    if op.name in died:
        death = died[op.name]
        yield Check(f"sanitizer/{op.name}", "sanitizer", "fail", title, trace=death.trace, failed=1, judged=1,
                    detail=f"under the sanitizers the worker died: {death.how}")  # fmt: skip
        return
    found: dict[tuple[object, ...], tuple[Operation, Slot]] = {}
    for each in ways:
        for name, slot in watched.sites:
            if name == each.name:
                report = slot.last.report or {"kind": "bad access"}
                place = (report["file"], report["line"]) if report.get("file") else (report.get("pc"),)
                key = (report["kind"], *place)
                found.setdefault(key, (each, slot))
    compared = sum(watched.checks[each.name, "sanitizer"].compared for each in ways)
    for number, (each, site) in enumerate(found.values(), 1):
        slot = replace(site, compared=compared)
        report = slot.last.report or {"kind": "bad access", "text": "it reached outside of every object"}
        kind, text = str(report["kind"]), f"{report['kind']}: {report['text']}"
        # Where a warning said first that the call is not legal, it is not.
        if each is op and kind.startswith(UNDEFINED) and not slot.last.warning:
            suffix = "" if number == 1 else f"-{number}"
            check = made(f"sanitizer/{op.name}/{kind}{suffix}", "sanitizer", "fail", title, slot, "")
        else:
            name = f"reached/{each.name}/sanitizer"
            check = made(name, "reached", "fail", f"{op.name} does what C does not define", slot, "")
        yield replace(check, detail=text)
    crash = watched.checks[op.name, "crash"]
    if crash.failed and crash.last.why == "endless loop":
        why = f"{op.name} ran into an endless loop and was not called again"
    if not found:
        verdict, reason = settle(Slot(compared, 0), watched, why)
        yield made(f"sanitizer/{op.name}", "sanitizer", verdict, title, Slot(compared, 0), reason)


def made(name: str, group: Group, verdict: Verdict, title: str, slot: Slot, reason: str) -> Check:
    """A check of a slot."""
    return Check(name, group, verdict, title, trace=slot.trace, judged=slot.compared,
                 failed=slot.failed, reason=reason, doubt=slot.doubt if slot.failed else "")  # fmt: skip
