# SPDX-License-Identifier: GPL-2.0-only
"""Two revisions beside each other as text: what differs, each with a trace of both."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from harness.check import tool_facts
from harness.contract import Contract
from harness.diff.blocks import Block
from harness.diff.compare import Compared
from harness.diff.product import Difference, Driven
from harness.diff.result import ClaimFate, DiffResult
from harness.driver import COMPLETE
from harness.explore import ENDS
from harness.lists import few
from harness.report.cost import cost_text
from harness.report.interface import interface_text
from harness.report.page import WIDTH, paint, wrapped
from harness.report.words import bounds_words, call_words, shown
from harness.trace import Step
from harness.translate import layout, unpack

FATES = {
    "mended": "claims that OLD breaks and NEW keeps",
    "broken anew": "claims that OLD keeps and NEW breaks",
    "broken": "claims that both break",
    "dropped": "claims that OLD keeps, and NEW neither makes nor keeps",
    "new": "claims that NEW makes and keeps, and OLD does not keep",
    "unknown": "claims that were not judged in both",
}


def diff_text(result: DiffResult, *, verbose: bool = False, color: bool = False) -> str:
    """The report; at most `WIDTH` columns but for what the patches themselves say."""
    lines = [*head(result, color), "", *result.replay_lines]
    for block, others in result.differences:
        lines += [*difference(block, others, color), *wrapped(renumbered(result, block), "  "), ""]
    lines += claims(result, verbose)
    for compared in result.compared:
        lines += following(result.blocks_of(compared), verbose)
    if result.interface:
        lines += [*interface_text(result.interface).rstrip().split("\n"), ""]
    if result.costs:
        lines += [*cost_text(result.costs).rstrip().split("\n"), ""]
    lines += [line for indent, text in unchanged(result) for line in wrapped(text, indent)]
    lines += not_compared(result)
    facts = tool_facts()
    lines.append(f"kconform {facts['version']}, {facts['compiler']}, Python {facts['python']}")
    return "\n".join(lines).rstrip() + "\n"


def head(result: DiffResult, color: bool) -> list[str]:
    """The verdict, what was compared, within which bounds."""
    word = {0: paint("SAME", "1;32", color), 1: paint("DIFFERENT", "1;31", color),
            2: paint("UNKNOWN", "1;33", color)}[result.status]  # fmt: skip
    said = result.summary
    if result.promise:
        whose = result.promise
        said += f"; {whose}" if result.status != 1 else f", though {whose}"
    return [
        *wrapped(f"{word}: {said}", ""),
        *(textwrap.shorten(f"{which}: {title}", WIDTH, placeholder=" …")
          for which, title in zip(("OLD", "NEW"), result.titles, strict=True)),
        *(line for compared in result.compared for line in wrapped(explored(compared), "")),
    ]  # fmt: skip


def explored(compared: Compared) -> str:
    """How far one contract's comparison went."""
    name = compared.title
    if renamed := compared.matched.renamed:
        name += f" ({len(renamed)} names of NEW for OLD's)"
    if compared.same_code or compared.driven is None:
        return f"against {name}: the code is the same word by word, so nothing was run"
    old = compared.aligned.old
    bounds = bounds_words(old)
    bounds += f" {old.contract.scope}" if old.bounds and old.contract.scope else ""
    said = f"against {name}, {bounds}: {extent(compared.driven)}"
    if compared.walked:
        wide = bounds_words(compared.matched.old.wide)
        said += f"; random walk of {compared.walked.walked:,} calls of both, {wide}"
    return said


def extent(driven: Driven) -> str:
    """How many pairs of states were explored."""
    end = "all" if driven.end == COMPLETE else f"INCOMPLETE ({ENDS[driven.end]}):"
    said = f"{end} {driven.states:,} pairs of states, {driven.calls:,} calls of both"
    return said if driven.complete else f"{said}, every trace of up to {driven.depth} calls"


def difference(block: Block, others: Sequence[Block], color: bool) -> list[str]:
    """One difference: what, where in each, the trace of both side by side, how far it goes."""
    first, compared = block.first, block.compared
    title = f"DIFFERENCE {first.op or 'initial'}/{first.check}"
    lines = [paint(title, "1;31", color) + f"  {where(first)}"]
    lines += wrapped(meaning(block), "  ")
    lines += side_by_side(compared, first)
    lines += wrapped(spread(first), "  ")
    for other in block.differences[1:]:
        lines += wrapped(f"also {other.op}/{other.check}: {values(compared, other)}", "  ")
    for same in others:
        names = ", ".join(f"{d.op}/{d.check}" for d in same.differences)
        lines += wrapped(f"also against {same.compared.name}: {names}", "  ")
    return lines


def where(found: Difference) -> str:
    """The places in OLD and in NEW."""
    places = [f"{place[0]}:{place[1]}" if place else "?" for place in found.places]
    return places[0] if places[0] == places[1] else " -> ".join(places)


def renumbered(result: DiffResult, block: Block) -> str:
    """The constants of other values that a function uses: where no contract names things, that may be all."""
    if not block.compared.aligned.old.contract.derived:
        return ""
    said = other_values(result, block.compared, block.first.op)
    return f"the value of {'; of '.join(said[:4])}" if said else ""


def other_values(result: DiffResult, compared: Compared, op: str) -> list[str]:
    """The constants behind an operation whose values are others in NEW, with both."""
    changes = [c for c in result.interface.changes if c.what] if result.interface else []
    values = {c.name: c.what[0].removeprefix("value: ") for c in changes
              if c.kind in ("constant", "macro") and c.what[0].startswith("value: ")}  # fmt: skip
    called = next((o.called for o in compared.aligned.old.contract.operations if o.name == op), [])
    used = compared.matched.old.piece.reached(called)
    return [f"{name} is another: {values[name]}" for name in used if name in values]


def meaning(block: Block) -> str:
    """What the difference comes to: both values, and whose model expects which."""
    first = block.first
    said = values(block.compared, first)
    if any(op.doubtful and op.name == first.op for op in block.compared.aligned.old.contract.operations):
        return f"{said}; with fields or arguments made up, which a kernel may never have"
    if block.compared.aligned.same_contract:
        whose = "the contract's model"
        if block.mends:
            return f"{said}; {whose} expects what NEW does: mended"
        if block.breaks:
            return f"{said}; {whose} expects what OLD does: broken anew"
        if first.wrong(0) and first.wrong(1):
            return f"{said}; {whose} expects neither"
        return said
    if block.mends:
        return f"{said}; OLD's own model does not expect that of OLD: mended"
    if block.breaks:
        return f"{said}; NEW's own model does not expect that of NEW"
    if first.wrong(0) and first.wrong(1):
        return f"{said}; neither model expects it"
    return f"{said}; each does what its own model expects" if has_models(block) else said


def has_models(block: Block) -> bool:
    """Whether both contracts predict what the operation leaves."""
    found = [op for loaded in block.compared.aligned.both for op in loaded.contract.operations
             if op.name == block.first.op]  # fmt: skip
    return len(found) == 2 and all(op.model or op.returns for op in found)


def values(compared: Compared, found: Difference) -> str:
    """OLD's value and NEW's at the end of the trace, in the columns of the table where these tell it."""
    of = contracts(compared, found)
    if found.check in compared.aligned.names and of[0].show and of[1].show:
        ends = [shown(contract, trace[-1]) if trace and trace[-1].observed else {}
                for contract, trace in zip(of, (found.old, found.new), strict=True)]  # fmt: skip
        only = [show_changes(contract, found.check, trace[-1]) if trace and trace[-1].observed else set()
                for contract, trace in zip(of, (found.old, found.new), strict=True)]  # fmt: skip
        apart = [name for name in ends[0] if name in only[0] | only[1]
                 and ends[1].get(name, ends[0][name]) != ends[0][name]]  # fmt: skip
        if apart:
            return "; ".join(f"{n}: {ends[0][n]} in OLD, {ends[1][n]} in NEW" for n in apart)
    old, new = (value(contract, found, trace)
                for contract, trace in zip(of, (found.old, found.new), strict=True))  # fmt: skip
    if found.check == "return" and any(
        trace and "itself" in trace[-1].observed for trace in (found.old, found.new)
    ):
        old, new = ("does" if trace and trace[-1].observed.get("itself") else "does not"
                    for trace in (found.old, found.new))  # fmt: skip
        return f"the function itself {old} warn in OLD, {new} in NEW"
    what = {"return": "it returns ", "warnings": "", "crash": "it ", "elsewhere": "it changes "}
    return f"{what.get(found.check, f'{found.check}: ')}{old} in OLD, {new} in NEW"


def show_changes(contract: Contract, check: str, step: Step) -> set[str]:
    """The columns of a table in which an observation shows."""
    lay = layout(contract.state)
    before = [step.observed[name] for name in lay.offsets]
    found: set[str] = set()
    assert contract.show
    for other in (0, 1, 2):
        now = [other if name == check else step.observed[name] for name in lay.offsets]
        was, is_ = (contract.show(unpack(values, contract.state, lay)) for values in (before, now))
        found |= {name for name in was if was[name] != is_.get(name)}
    return found


def contracts(compared: Compared, found: Difference) -> tuple[Contract, Contract]:
    """The contracts in whose bounds the difference was found."""
    old, new = compared.matched.old, compared.matched.new
    if found.wide:
        return old.wide.contract, new.wide.contract
    return old.loaded.contract, new.loaded.contract


def value(contract: Contract, found: Difference, trace: Sequence[Step]) -> str:
    """What one revision did in what differs."""
    if not trace:
        return "nothing"
    last, check = trace[-1], found.check
    if check == "crash" or last.why:
        return f"does not come back ({last.why})" if last.why else "comes back"
    if check == "warnings":
        said = last.warning
        return (f"{said['macro']}({said['condition']}) fires" if said
                else "a warning fires" if last.observed.get("warnings") else "no warning fires")  # fmt: skip
    if check == "elsewhere":
        return (last.place or "what is not its own") if last.elsewhere >= 0 else "only its own"
    return contract.word(check, last.observed.get(check, "nothing"))


def spread(found: Difference) -> str:
    """How many calls, from how many states, and what these have in common."""
    if not found.op:
        return "in the initial world"
    if found.wide:
        return (f"found by a random walk, beyond the bounds of exploration, in {found.parted:,} of its "
                f"{found.compared:,} such calls")  # fmt: skip
    common = f"; in all of these: {', '.join(found.common)}" if found.common else ""
    return f"in {found.parted:,} of {found.compared:,} such calls, from {found.states:,} states{common}"


def side_by_side(compared: Compared, found: Difference) -> list[str]:
    """The trace, one line a call: OLD's columns, then NEW's; the call after which they differ marked."""
    of = contracts(compared, found)
    steps = [found.old, found.new]
    if not all(any(step.observed for step in trace) for trace in steps):
        return plain(of[0], found)
    cells = [[shown(contract, step) if step.observed else {} for step in trace]
             for contract, trace in zip(of, steps, strict=True)]  # fmt: skip
    return fitting(of[0], found, cells)


def plain(contract: Contract, found: Difference) -> list[str]:
    """A trace of which nothing was observed."""
    lines = [f"    {call_words(contract, step)}" for step in found.old]
    ends = [trace[-1].why or "comes back" for trace in (found.old, found.new) if trace]
    return [*lines, f"    -> {' in OLD, '.join(ends)} in NEW"]


def fitting(contract: Contract, found: Difference, cells: Sequence[Sequence[dict[str, str]]]) -> list[str]:
    """The table with as many columns as there is room for: all, those that change, those that differ."""
    names = list(dict.fromkeys(name for side in cells for row in side for name in row))
    told = [{name for row in side for name in row} for side in cells]
    names = [name for name in names if name in told[0] & told[1]] or names
    moving = [name for name in names
              if any(len({row.get(name, "") for row in side if row}) > 1 for side in cells)]  # fmt: skip
    apart = [name for name in names if any(a.get(name) != b.get(name) for a, b in zip(*cells, strict=False))]
    for chosen in (names, [n for n in names if n in moving or n in apart], apart or names[:1]):
        lines = table(contract, found, cells, chosen)
        if max(map(len, lines)) <= WIDTH:
            return lines
    return table(contract, found, cells, apart or names[:1])


def table(
    contract: Contract, found: Difference, cells: Sequence[Sequence[dict[str, str]]], names: Sequence[str]
) -> list[str]:
    """The rows: number, call, OLD's cells, NEW's cells."""
    rows = [["", "call", *names, *names]]
    steps = found.new if len(found.new) > len(found.old) else found.old
    for number, step in enumerate(steps):
        row = [str(number), call_words(contract, step)]
        for side, trace in zip(cells, (found.old, found.new), strict=True):
            if number < len(side) and side[number]:
                row += [side[number].get(name, "") for name in names]
            else:
                why = f"-> {trace[number].why}" if number < len(trace) and trace[number].why else "->"
                row += [why, *[""] * (len(names) - 1)]
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    half = 2 + len(names)
    lines = []
    for number, row in enumerate(rows):
        same = not number or row[2:half] == row[half:]
        mark = ">" if number == len(rows) - 1 else " " if same else "*"
        parts = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        left, right = "  ".join(parts[2:half]), "  ".join(parts[half:])
        lines.append(f"  {mark} {parts[0]}  {parts[1]}  {left}  | {right}".rstrip())
    before = 4 + widths[0] + 2 + widths[1] + 2
    middle = sum(widths[2:half]) + 2 * (len(names) - 1) + 4
    return [" " * before + "OLD".ljust(middle) + "NEW", *lines]


def following(blocks: Sequence[Block], verbose: bool) -> list[str]:
    """What differs only where something differed before: it follows from the differences above."""
    rest = [block for block in blocks if not block.first.rooted]
    if not rest:
        return []
    lines = wrapped("follows from these: no such call differs where nothing that is observed differed "
                    "before it" + ("" if verbose else " (-v: their traces)"), "")  # fmt: skip
    if not verbose:
        return [
            *lines,
            *wrapped(", ".join(f"{d.op}/{d.check}" for b in rest for d in b.differences), "  "),
            "",
        ]
    for block in rest:
        names = ", ".join(f"{d.op}/{d.check}" for d in block.differences)
        lines += wrapped(f"{names}: after {trace_words(block)}: {values(block.compared, block.first)}", "  ")
        lines += side_by_side(block.compared, block.first)
    return [*lines, ""]


def trace_words(block: Block) -> str:
    """The calls of a trace in one line."""
    contract = contracts(block.compared, block.first)[0]
    return ", ".join(call_words(contract, step) for step in block.first.old if step.op)


def claims(result: DiffResult, verbose: bool) -> list[str]:
    """What became of each claim."""
    lines: list[str] = []
    fates = [fate for compared in result.compared for fate in result.fates_of(compared)]
    for how, said in FATES.items():
        found = [fate for fate in fates if fate.how == how]
        if found:
            lines += [f"{said}:"]
            for fate in found:
                lines += claim_lines(fate, verbose)
    kept = dict.fromkeys(fate.claim.id for fate in fates if fate.how == "kept")
    if kept:
        lines += wrapped(f"claims that both keep: {', '.join(kept)}", "")
    return [*lines, ""] if lines else []


def claim_lines(fate: ClaimFate, verbose: bool) -> list[str]:
    """One claim: what it says, its sentence, and the trace that breaks it."""
    lines = wrapped(f"{fate.claim.id}: {fate.claim.title}", "  ")
    lines += wrapped(f'"{fate.claim.sentence}"', "    ") if fate.claim.sentence else []
    if trace := claim_witness(fate):
        assert fate.witness
        lines += wrapped(f"{('OLD', 'NEW')[fate.witness.side]}, after {trace}", "    ")
    return lines


def claim_witness(fate: ClaimFate) -> str:
    """The calls that break a claim, in one line; "" where none does."""
    witness = fate.witness
    if not witness or not witness.old or fate.claim.kind == "possible":
        return ""
    contract = fate.compared.aligned.both[witness.side].contract
    trace = (witness.old, witness.new)[witness.side]
    return ", ".join(call_words(contract, step) for step in trace if step.op) or "(initial)"


def unchanged(result: DiffResult) -> Iterator[tuple[str, str]]:
    """What was compared and is the same: indent and words."""
    for compared in result.compared:
        if compared.same_code:
            continue
        ops = compared.aligned.old.contract.operations
        apart = {name for d in compared.differences for name in (d.op, d.op.removesuffix("/made-up"))}
        apart |= {one.op for one in compared.driven.counts if not one.back} if compared.driven else set()
        same = [ops[n].name for n, _ in compared.aligned.operations
                if ops[n].name not in apart and ops[n].kind != "setup" and not ops[n].doubtful]  # fmt: skip
        if same:
            yield "", f"the same within these bounds against {compared.name}: {few(same)}"
            for name in same if derived(compared) else ():
                if said := other_values(result, compared, name):
                    yield "  ", f"though in {name} the value of {'; of '.join(said)}"


def derived(compared: Compared) -> bool:
    """Whether nobody wrote the contract."""
    return compared.aligned.old.contract.derived


def incomplete(compared: Compared) -> Iterator[str]:
    """How far the calls of one contract did not come."""
    doubtful = {op.name for op in compared.aligned.old.contract.operations if op.doubtful}
    counts = [one for one in compared.driven.counts if one.op not in doubtful] if compared.driven else []
    if never := [one.op for one in counts if not one.called]:
        yield f"never legal in both: {few(never)}"
    apart = {found.op for found in compared.differences}
    if lost := [one.op for one in counts if one.called and not one.back and one.op not in apart]:
        yield f"no call comes back in both: {few(lost)}"
    for one in compared.driven.counts if compared.driven else ():
        if one.partial and one.back:
            yield f"{one.op}: {one.partial}"
    if some := [one.op for one in counts if one.one_sided]:
        yield f"calls that only one of the two contracts allows, of {few(some)}"
    if some := [one.op for one in counts if one.unlike]:
        yield f"what comes after {few(some)} where that does not leave the same in both"


def not_compared(result: DiffResult) -> Iterator[str]:
    """What this comparison says nothing about, as lines."""
    said = uncompared(result)
    if said:
        yield "not compared:"
    for line in said:
        yield from wrapped(line, "  ")


def uncompared(result: DiffResult) -> list[str]:
    """What this comparison says nothing about."""
    said: list[str] = []
    for compared in result.compared:
        if compared.same_code:
            continue
        name = compared.name
        said += [f"{name}: {left}" for left in compared.aligned.left_out]
        said += [f"{name}: {which}: {why}" for which, why in compared.lost]
        said += [f"{name}: {line}" for line in incomplete(compared)]
    said += [f"{name}: {why}" for name, why in result.failed.items()]
    return [*dict.fromkeys([*result.uncompared, *said, *result.notes])]
