# SPDX-License-Identifier: GPL-2.0-only
"""Two revisions beside each other as suites of cases: one for each operation's check, one for each claim."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from harness.check import tool_facts
from harness.diff.blocks import Block
from harness.diff.compare import Compared
from harness.diff.product import Difference
from harness.diff.result import CHANGED, ClaimFate, DiffResult
from harness.report.diff import (
    claim_witness,
    contracts,
    explored,
    meaning,
    spread,
    uncompared,
    values,
)
from harness.report.document import Case, Row, Table
from harness.report.outline import Outline, Suite
from harness.report.words import call_words, patch_text, shown
from harness.trace import Step

WORDS = {0: "SAME", 1: "DIFFERENT", 2: "UNKNOWN"}
FATES = {
    "mended": "OLD breaks it, NEW keeps it",
    "broken anew": "OLD keeps it, NEW breaks it",
    "dropped": "OLD keeps it, NEW neither makes nor keeps it",
    "new": "NEW makes and keeps it, OLD does not keep it",
}


def of_diff(result: DiffResult) -> Outline:
    """A comparison: differences that follow from no other are findings, and claims that changed."""
    suites = [Suite(one.name, one.aligned.old.contract.title, tuple(cases_of(result, one)))
              for one in result.compared]  # fmt: skip
    blocks = [tuple(difference_cases(block)) for block, _ in result.differences]
    changed = [(case,) for suite in suites for case in suite.cases
               if case.group == "claim" and case.verdict == "fail"]  # fmt: skip
    return Outline(
        command="diff",
        word=WORDS[result.status],
        status=result.status,
        summary=result.summary,
        title=f"{result.titles[0]} -> {result.titles[1]}",
        about=(*([result.promise] if result.promise else []), *map(explored, result.compared)),
        suites=tuple(suite for suite in suites if suite.cases),
        findings=(*blocks, *changed),
        errors=tuple(f"{name}: {why}" for name, why in result.failed.items()),
        remarks=tuple(line.strip() for line in result.replay_lines if line.strip()),
        unchecked=tuple(uncompared(result)),
        legends=(),
        again=(),
        patches=tuple(map(patch_text, result.patches)),
        tool=tool_facts(),
    )


def cases_of(result: DiffResult, compared: Compared) -> Iterator[Case]:
    """Every case of one contract: what differs, what is the same, what became of claims."""
    for block in result.blocks_of(compared):
        yield from difference_cases(block)
    ops = compared.aligned.old.contract.operations
    apart = {found.op for found in compared.differences}
    called = {one.op: one for one in compared.driven.counts} if compared.driven else {}
    for number, _ in compared.aligned.operations:
        op = ops[number]
        if op.name in apart or op.kind == "setup":
            continue
        lost = bool(compared.driven) and (op.name not in called or not called[op.name].back)
        yield Case(
            id=f"difference/{op.name}",
            group="difference",
            verdict="unknown" if lost else "pass",
            title=f"{op.name} does the same in both",
            contract=compared.name,
            part=op.part or compared.aligned.old.contract.title,
            reason="no call of it came back in both within the bounds" if lost else "",
            detail="the code is the same word by word" if compared.same_code else "",
        )
    for fate in result.fates_of(compared):
        yield claim_case(compared, fate)


def claim_case(compared: Compared, fate: ClaimFate) -> Case:
    """What became of a claim; it is a finding where only one of the two keeps it."""
    changed = fate.how in CHANGED
    witness = claim_witness(fate)
    side = ("OLD", "NEW")[fate.witness.side] if fate.witness else ""
    detail = FATES.get(fate.how, f"both: {fate.how}") + (f"; {side}, after {witness}" if witness else "")
    return Case(
        id=f"claim/{fate.claim.id}",
        group="claim",
        verdict="fail" if changed else "unknown" if fate.how == "unknown" else "pass",
        title=fate.claim.title,
        contract=compared.name,
        part=fate.claim.part or compared.aligned.old.contract.title,
        quote=fate.claim.sentence,
        says="the contract",
        reason="it was not judged in both" if fate.how == "unknown" else "",
        detail=detail,
        explained=detail if changed else "",
        failed=int(changed),
        kind=fate.how if changed else "",
        fingerprint=hashed(compared.name, f"claim/{fate.claim.id}", fate.how) if changed else "",
    )


def difference_cases(block: Block) -> Iterator[Case]:
    """The differences that are told as one, the one whose trace is shown first."""
    for found in block.differences:
        yield difference_case(block, found)


def difference_case(block: Block, found: Difference) -> Case:
    """One difference."""
    compared = block.compared
    name = f"difference/{found.op or 'initial'}/{found.check}"
    place = found.places[1] or found.places[0]
    said = meaning(block) if found is block.first else values(compared, found)
    if not found.rooted:
        said += "; it follows from another difference"
    return Case(
        id=name,
        group="difference",
        verdict="fail",
        title=f"{found.op or 'the initial world'}: {found.check} is the same in both",
        contract=compared.name,
        part=compared.aligned.old.contract.title,
        judged=found.compared,
        failed=found.parted,
        common=found.common,
        wide=found.wide,
        file=place[0] if place else "",
        line=place[1] if place else 0,
        exact=place is not None,
        explained=said,
        spread=spread(found),
        kind="mends" if block.mends else "breaks" if block.breaks else "differs",
        fingerprint=hashed(compared.name, name, said),
        table=side_by_side(compared, found),
    )


def hashed(*words: str) -> str:
    """16 hexadecimal digits of a difference's behaviour."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


def side_by_side(compared: Compared, found: Difference) -> Table:
    """The trace of both: OLD's columns, then NEW's."""
    of = contracts(compared, found)
    cells = [[shown(contract, step) if step.observed else {} for step in trace]
             for contract, trace in zip(of, (found.old, found.new), strict=True)]  # fmt: skip
    names = [list(dict.fromkeys(name for row in side for name in row)) for side in cells]
    steps = found.new if len(found.new) > len(found.old) else found.old
    columns = [f"{which} {name}" for which, side in zip(("OLD", "NEW"), names, strict=True) for name in side]
    rows = []
    for number, step in enumerate(steps):
        own = [cell for side, told in zip(cells, names, strict=True)
               for cell in half(side[number] if number < len(side) else {}, told)]  # fmt: skip
        rows.append(Row(call_words(of[0], step), tuple(own), (), stopped(found, number)))
    return Table(tuple(columns), tuple(rows))


def half(cells: dict[str, str], names: Sequence[str]) -> list[str]:
    """One revision's cells of a row."""
    return [cells.get(name, "") for name in names]


def stopped(found: Difference, number: int) -> str:
    """How a call did not come back, in either."""
    ends: list[Step] = [trace[number] for trace in (found.old, found.new) if number < len(trace)]
    return next((step.why for step in ends if step.why), "")
