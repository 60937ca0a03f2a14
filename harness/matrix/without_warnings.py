# SPDX-License-Identifier: GPL-2.0-only
"""Two configurations, one of which compiles warnings away: the same observations, and no warning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.check import Part, Result
from harness.contract import DEBUG, Contract, Operation
from harness.driver import COMPLETE
from harness.errors import HarnessError
from harness.explore import Explored
from harness.judge import Check
from harness.matrix.parting import Parting, parting
from harness.trace import Step

SAME, SILENT = "same-without-debug-vm", "silent-without-debug-vm"


def compared(on: Result, off: Result) -> Iterator[Check]:
    """Two checks of each contract that was run in both, with the option and without."""
    with_option = {part.name: part for part in on.parts}
    without = {part.name: part for part in off.parts}
    for name in dict.fromkeys((*with_option, *without)):
        title = f"configuration: with {DEBUG}=n, legal calls do what they do with {DEBUG}=y"
        check = Check(f"configuration/{SAME}/{name}", "configuration", "unknown", title, contract=name)
        if name not in with_option or name not in without:
            lost = f"{DEBUG}={'n' if name in with_option else 'y'}"
            yield replace(check, reason=f"{name} could not be run with {lost}")
            continue
        yield same(on, with_option[name], without[name], check)
        yield silent(without[name])


def same(on: Result, part: Part, other: Part, check: Check) -> Check:
    """Whether all that legal calls left is the same, call by call."""
    first, second = part.runs.explored, other.runs.explored
    check = replace(check, judged=min(first.transitions, second.transitions))
    died = [{death.trace[-1].op for death in each.runs.deaths} for each in (part, other)]
    if part.unresolved != other.unresolved:
        return replace(check, reason="not the same could be compiled in both")
    if died[0] != died[1]:
        return differs(check, f"{', '.join(sorted(died[0] ^ died[1]))} killed its worker in one of the two")
    if first.end == second.end == COMPLETE and first.digest == second.digest:
        return replace(check, verdict="pass")
    if not told_apart(first, second):
        return replace(check, reason="not both were explored completely")
    try:
        return told(check, parting(on.request, part, other), part.loaded.contract)
    except HarnessError as err:
        return differs(check, f"they differ, but where cannot be shown: {err}")


def told_apart(first: Explored, second: Explored) -> bool:
    """Whether two explorations that are not the same are known to differ: one that is complete has ended."""
    if first.end == second.end == COMPLETE:
        return True
    short, long = sorted((first, second), key=lambda each: each.transitions)
    return short.end == COMPLETE and long.transitions > short.transitions


def differs(check: Check, detail: str) -> Check:
    """The failed check."""
    return replace(check, verdict="fail", failed=1, detail=detail)


def told(check: Check, parted: Parting, contract: Contract) -> Check:
    """The failed check with its witness: the trace without warnings, and what it is with them."""
    found = list(parted.differences(contract))
    if not found:
        return differs(check, f"of {check.judged:,} calls, not all do the same")
    said = "; ".join(found)
    first = next((step.warning for step in parted.on if step.warning), None)
    check = differs(check, f"after the last call, {said}")
    if first:
        check = replace(check, file=str(first["file"]), line=int(first["line"]))
    return replace(check, trace=parted.off)


def silent(part: Part) -> Check:
    """Whether no warning fires that the option compiles away, in legal calls and in misuse."""
    check = Check(f"configuration/{SILENT}/{part.name}", "configuration", "pass",
                  f"configuration: with {DEBUG}=n, none of the warnings fires that it compiles away",
                  contract=part.name)  # fmt: skip
    own = [op for op in part.loaded.contract.operations if op.option == DEBUG and op.kind != "setup"]
    slots = [(op, slot) for op in own if (slot := part.runs.explored.checks.get((op.name, "warnings")))]
    judged = sum(slot.compared for _, slot in slots)
    fired = [(op, slot) for op, slot in slots if slot.failed]
    if not judged:
        return replace(check, verdict="unknown", reason="no call came back")
    if not fired:
        return replace(check, judged=judged)
    op, slot = min(fired, key=lambda pair: len(pair[1].trace))
    failed = sum(each.failed for _, each in fired)
    check = replace(check, verdict="fail", judged=judged, failed=failed, trace=slot.trace)
    check = replace(check, merge=merge_of(part.loaded.contract, op), detail=warned(op, slot.last))
    said = slot.last.warning
    return replace(check, file=str(said["file"]), line=int(said["line"])) if said else check


def merge_of(contract: Contract, op: Operation) -> str:
    """The key under which a legal call that warns is a finding already."""
    return f"{op.through or op.name}/{contract.thing('warnings')}" if op.kind != "misuse" else ""


def warned(op: Operation, step: Step) -> str:
    """Which warning fired."""
    said = step.warning
    fires = f"{said['macro']}({said['condition']}) fires" if said else "a warning fires"
    return f"{op.name}: {fires}"
