# SPDX-License-Identifier: GPL-2.0-only
"""Two revisions as a page: each difference with the traces of both side by side, claims, interface, cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.check import tool_facts
from harness.contract import Contract
from harness.diff.blocks import Block
from harness.diff.interface import Change, Interface
from harness.diff.product import Difference
from harness.diff.result import ClaimFate, DiffResult
from harness.report.cost import Pair, change_text, changed, measured, pairs
from harness.report.diff import (
    FATES,
    claim_witness,
    contracts,
    meaning,
    renumbered,
    spread,
    trace_words,
    unchanged,
    values,
    where,
)
from harness.report.document import Row, Table
from harness.report.html.page import render_page
from harness.report.html.trace import Trace, pair
from harness.report.interface import MARKS, by_file, change_name, shown_kind, summary
from harness.report.outline_diff import of_diff
from harness.report.words import row, shown
from harness.trace import Step

WIDTH = 130  # of a table in characters, beyond which observations that tell nothing are left out
COSTS = ("instructions", "RMW", "code", "stack", "lines")


@dataclass(frozen=True)
class Told:
    """One difference: what it comes to, the trace of both, and the others that are the same."""

    id: str
    title: str
    where: str
    said: str
    spread: str
    trace: Trace
    also: tuple[tuple[str, str], ...]  # a name, and what it comes to
    note: str = ""


def diff_page(result: DiffResult) -> str:
    """The page of a comparison."""
    facts = tool_facts()
    fates = [fate for compared in result.compared for fate in result.fates_of(compared)]
    rest = [b for compared in result.compared for b in result.blocks_of(compared) if not b.first.rooted]
    return render_page(
        "diff.html.j2",
        outline=of_diff(result),
        titles=result.titles,
        differences=[told(result, block, others, f"difference-{n}")
                     for n, (block, others) in enumerate(result.differences, 1)],
        following=[(trace_words(block), told(result, block, (), f"follows-{n}"))
                   for n, block in enumerate(rest, 1)],
        fates=[(said, [told_claim(fate) for fate in fates if fate.how == how])
               for how, said in FATES.items() if any(fate.how == how for fate in fates)],
        kept=list(dict.fromkeys(fate.claim.id for fate in fates if fate.how == "kept")),
        interface=interface_files(result.interface) if result.interface else [],
        interface_summary=summary(result.interface) if result.interface else "",
        interface_notes=result.interface.notes if result.interface else (),
        costs=[(one.name, cost_cells(one)) for one in changed(pairs(result.costs))] if result.costs else [],
        cost_names=COSTS,
        cost_words=measured(result.costs) if result.costs else "",
        cost_reasons=result.costs.reasons if result.costs else (),
        same=[text for _, text in unchanged(result)],
        tool=f"kconform {facts['version']}, {facts['compiler']}, Python {facts['python']}",
    )  # fmt: skip


def told(result: DiffResult, block: Block, others: Sequence[Block], id: str) -> Told:
    """One difference."""
    first = block.first
    also = [(f"{d.op}/{d.check}", values(block.compared, d)) for d in block.differences[1:]]
    also += [(f"{d.op}/{d.check}", f"against {other.compared.name}")
             for other in others for d in other.differences]  # fmt: skip
    return Told(id, name_of(first), where(first), meaning(block), spread(first), traces(block), tuple(also),
                renumbered(result, block))  # fmt: skip


def name_of(found: Difference) -> str:
    """A difference by its operation and its check."""
    return f"{found.op or 'initial'}/{found.check}"


def traces(block: Block) -> Trace:
    """The traces of both."""
    found = block.first
    of = contracts(block.compared, found)
    cells = [[shown(contract, step) if step.observed else {} for step in trace]
             for contract, trace in zip(of, (found.old, found.new), strict=True)]  # fmt: skip
    every = [list(dict.fromkeys(name for cell in side for name in cell)) for side in cells]
    for names in (every, [telling(cells, own) for own in every]):
        old, new = (table(contract, trace, side, own) for contract, trace, side, own
                    in zip(of, (found.old, found.new), cells, names, strict=True))  # fmt: skip
        shown_pair = pair(("OLD", "NEW"), old, new)
        if width(shown_pair) <= WIDTH:
            break
    return shown_pair


def width(trace: Trace) -> int:
    """How many characters a row of a table takes."""
    calls = sum(max((len(line.call) for line in trace.lines if line.caller == number), default=0) + 2
                for number in range(len(trace.callers)))  # fmt: skip
    cells = [[len(name) for name in side] for side in trace.columns]
    for line in trace.lines:
        for widths, side in zip(cells, line.sides, strict=True):
            for number, cell in enumerate(side.cells):
                widths[number] = max(widths[number], len(cell.text))
    return 4 + calls + sum(n + 2 for widths in cells for n in widths)


def telling(cells: Sequence[Sequence[dict[str, str]]], names: Sequence[str]) -> list[str]:
    """The columns that change, or are not the same in both."""
    steps = max(map(len, cells))
    padded = [[*side, *[{}] * (steps - len(side))] for side in cells]
    found = [name for name in names
               if any(len({cell[name] for cell in side if name in cell}) > 1 for side in cells)
               or any(a.get(name) != b.get(name) for a, b in zip(*padded, strict=True))]  # fmt: skip
    return found or [*names[:1]]


def table(
    contract: Contract, trace: Sequence[Step], cells: Sequence[dict[str, str]], names: Sequence[str]
) -> Table:
    """One revision's trace."""
    rows: list[Row] = []
    for step, cell in zip(trace, cells, strict=True):
        rows.append(row(contract, step, None, tuple(cell.get(name, "") for name in names) if cell else ()))
    return Table(tuple(names), tuple(rows))


def told_claim(fate: ClaimFate) -> tuple[str, str, str, str]:
    """A claim: its id, title and sentence, and what breaks it, in whom."""
    witness = claim_witness(fate)
    side = ("OLD", "NEW")[fate.witness.side] if fate.witness else ""
    return fate.claim.id, fate.claim.title, fate.claim.sentence, f"{side}, after {witness}" if witness else ""


def interface_files(interface: Interface) -> list[tuple[str, list[tuple[str, str, str, Change]]]]:
    """The changes of each file: mark, kind and name of each."""
    found: dict[str, list[tuple[str, str, str, Change]]] = {}
    for change in by_file(interface):
        words = MARKS[change.how], shown_kind(change), change_name(change), change
        found.setdefault(change.file, []).append(words)
    return list(found.items())


def cost_cells(one: Pair) -> Iterator[tuple[str, bool]]:
    """What one function costs in both, and whether that is another."""
    known = {name: (old, new, unit) for name, unit, old, new in one.values() if old and new}
    for name in COSTS:
        if name in known:
            old, new, unit = known[name]
            yield f"{change_text(old, new)}{unit}", old != new
        else:
            yield "", False
