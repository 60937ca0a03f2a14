# SPDX-License-Identifier: GPL-2.0-only
"""Where in the patch a finding is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from extractor.items import Item
from extractor.scan import is_directive, masked_lines
from extractor.slice import Slice
from harness.contract import Loaded
from harness.interleave.places import resolve
from harness.judge import Check, calls_of
from harness.trace import Step, failed_checks


def place(check: Check, loaded: Loaded, piece: Slice, library: Path) -> Check:
    """`check` with the patch's file and line: of the warning, of the crash, else of the function."""
    if check.verdict != "fail" or not check.trace:
        return check
    last = check.trace[-1]
    spot = None
    files = {item.file for item in piece.code}
    if check.group == "sanitizer" or (check.group == "reached" and last.report):
        spot = report_place(last.report, files, library) if last.report else None
    else:
        warns = check.group in ("misuse", "reached") or check.id.endswith("/warnings")
        spot = step_place(last, files, library, warns=warns)
    found = spot or function_line(last.op, loaded, piece)
    if not found:
        return check
    # One faulty line that several operations reach is one finding.
    merge = f"{check.id.split('/')[-1]} {found}" if check.group == "sanitizer" else check.merge
    return replace(check, file=found[0], line=found[1], merge=merge, exact=spot is not None)


def step_place(step: Step, files: set[str], library: Path, *, warns: bool) -> tuple[str, int] | None:
    """The patch's line where a step crashed, last changed what was watched, or, of `warns`, warned."""
    if step.pc:
        return next(address_lines(library, step.pc, files), None)
    if step.changed_pc:
        # Of the chain of inlined calls, the outermost: the line of the operation's own function.
        return ([None, *address_lines(library, step.changed_pc, files)])[-1]
    if warns and step.warning and step.warning["file"] in files:
        return str(step.warning["file"]), int(step.warning["line"])
    return None


def report_place(report: Mapping[str, Any], files: set[str], library: Path) -> tuple[str, int] | None:
    """The patch's line of a sanitizer's report, which may be in a shim that the patch called."""
    if report["file"] in files:
        return str(report["file"]), int(report["line"])
    return next(address_lines(library, int(report["pc"]), files), None)


def function_line(operation: str, loaded: Loaded, piece: Slice) -> tuple[str, int] | None:
    """The patch's function that an operation calls last, through macros."""
    op = next((o for o in loaded.contract.operations if o.name == operation), None)
    if op is None:
        return None
    by_name = {part.item.name: part.item for part in reversed(piece.parts)}
    by_name |= {item.name: item for item in piece.items}
    names = [n for n in (op.target, *op.called) if n in by_name]
    if not names:
        return None
    item = by_name[names[-1]]
    while item.kind == "macro":
        inner = [n for n in piece.needs[item.name] if n in by_name]
        if len(inner) != 1:
            break
        item = by_name[inner[0]]
    return item.file, code_line(item)


def code_line(item: Item) -> int:
    """The line of a function; of a fragment, of the first code that the patch adds."""
    if item.completeness != "fragment":
        return item.line
    code = (line.number for line, text in zip(item.lines, masked_lines(item.lines), strict=True)
            if line.origin == "added" and text.strip() and not is_directive(text))  # fmt: skip
    return next(code, item.line)


def address_lines(library: Path, pc: int, files: set[str]) -> Iterator[tuple[str, int]]:
    """The lines of the patch at address `pc`, innermost call first; none without binutils."""
    for place in resolve(library, {pc + 1}, files).get(pc + 1, ()):  # it takes return addresses
        yield place.file, place.line


def follow_conformance(checks: Sequence[Check], loaded: Loaded) -> tuple[Check, ...]:
    """Claims take their line from the divergence with the same trace, but for those that count."""
    known = {
        calls_of(c): (c.file, c.line)
        for c in reversed(checks)
        if c.group == "conformance" and c.trace and c.trace[-1].changed_pc
    }
    follow = {f"claim/{claim.id}" for claim in loaded.contract.claims if not claim.counts}
    placed: list[Check] = []
    for check in checks:
        spot = known.get(calls_of(check)) if check.id in follow and check.verdict == "fail" else None
        placed.append(replace(check, file=spot[0], line=spot[1], exact=True) if spot else check)
    return tuple(consequence(check, placed, loaded) for check in placed)


def consequence(check: Check, checks: Sequence[Check], loaded: Loaded) -> Check:
    """`check`, with the divergence whose consequence it is, where no write of its own is wrong.

    That is where the last call of its trace also writes a wrong value, wrong in the same direction as
    in a finding that has a line.
    """
    contract = loaded.contract
    claims = {f"claim/{claim.id}" for claim in contract.claims if not claim.counts}
    value = check.group == "conformance" and check.id.rpartition("/")[2] in contract.observe
    if check.verdict != "fail" or check.exact or not (value or check.id in claims) or not check.trace:
        return check
    last = check.trace[-1]
    failing = set(failed_checks(contract, last))
    causes = (c for c in checks if c.id in failing and c.exact and c.group == "conformance")
    for cause in causes:
        name = cause.id.rpartition("/")[2]
        if cause.trace and name in contract.observe and error(last, name) * error(cause.trace[-1], name) > 0:
            return replace(check, file=cause.file, line=cause.line, merge=cause.merge)
    return check


def error(step: Step, name: str) -> int:
    """How far an observation is from what the model expects."""
    return step.observed.get(name, 0) - step.expected.get(name, 0)
