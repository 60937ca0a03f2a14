# SPDX-License-Identifier: GPL-2.0-only
"""A result as text for a terminal: the verdict first, findings before passes, one screen."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from harness.check import Part, Result, tool_facts
from harness.contract import Contract, Loaded
from harness.driver import COMPLETE
from harness.explore import ENDS
from harness.judge import Check, calls_of
from harness.report.coverage import coverage_listing, coverage_summary
from harness.report.derived import derived_words, reached_text
from harness.report.mutate import strength_line, where
from harness.subjects import describe
from harness.trace import Step, call_text
from harness.translate import layout, unpack
from harness.tree.items import TreeItems

WIDTH = 100
STATIC_KEY = re.compile(r"\bstatic_key|STATIC_KEY|\bDECLARE_TRACEPOINT\b")
VERDICTS = ("still there", "changed", "gone", "cannot be run")  # of saved traces
NAMED = ("claim", "layout", "configuration", "documentation", "promise")  # groups whose checks are named
CALLED = ("conformance", "misuse", "crash", "sanitizer", "promise")  # judged call by call
COUNTED = ("claim", "conformance", "misuse", "crash", "sanitizer", "layout", "configuration",
           "documentation", "promise")  # fmt: skip
STATIC_WORDS = {"layout": "fields", "configuration": "cases", "documentation": "names"}


def text_report(result: Result, *, verbose: bool = False, color: bool = False) -> str:
    """The report; at most `WIDTH` columns but for what the patch itself says."""
    lines = [*head(result, color), ""]
    for block in merged(result):
        lines += [*finding(result, block, color), ""]
    for name, why in result.failed.items():
        lines += wrapped(f"not compiled: {name}: {why}", "  ")
    for lost in result.unresolved:
        lines += wrapped(f"not compiled: {describe(lost)}", "  ")
    for warning in result.warnings:
        lines += wrapped(f"compiler: {warning.file}:{warning.line}: {warning.text}", "  ")
    lines += list(saved_traces(result))
    for said in result.hidden_state:
        lines += wrapped(f"warning: {said}", "")
    lines += list(unknowns(result))
    lines += list(outlooks(result))
    lines += reached_lines(result, verbose)
    lines += result.base
    lines += list(passes(result, verbose))
    if result.strength:
        lines += wrapped(strength_line(result.strength), "")
        lines += [f"  survived: {where(j)} {j.mutant.operator}" for j in result.strength.survived]
    if result.coverage:
        lines += coverage_summary(result.coverage).splitlines()
    lines += list(not_checked(result, verbose))
    if result.coverage:
        lines += ["", *coverage_listing(result.coverage).splitlines()]
    return "\n".join(lines).rstrip() + "\n"


def paint(text: str, code: str, color: bool) -> str:
    """`text` in an ANSI colour, where wanted."""
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


def wrapped(text: str, indent: str) -> list[str]:
    """`text` within the width; continued lines are indented further."""
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ",
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def head(result: Result, color: bool) -> list[str]:
    """The first three lines: the verdict, of what, within which bounds."""
    failed, unknown, passed = result.count("fail"), result.count("unknown"), result.count("pass")
    word = paint("FAIL", "1;31", color) if failed else paint("PASS", "1;32", color)
    if not failed and (not result.whole or (unknown and not passed)):
        word = paint("UNKNOWN", "1;33", color)
    defects = len(list(merged(result)))
    counts = [f"{failed} of {len(result.checks)} checks failed"] if failed else []
    if failed and defects < failed:
        counts[0] += f" ({defects} separate finding{'s' * (defects != 1)})"
    counts += [f"{passed} passed"] + ([f"{unknown} unknown"] if unknown else [])
    subjects = "; ".join(p.subject or p.source for p in result.patches)
    about = [f"patch: {subjects}"] if subjects else []
    about += [f"tree: {result.request.tree}"] if result.request.tree else []
    return [
        f"{word}: {', '.join(counts)}",
        *(textwrap.shorten(line, WIDTH, placeholder=" …") for line in about),
        *wrapped(derived_words(result), ""),
        *(line for part in result.parts for line in wrapped(explored_text(result, part), "")),
        *wrapped(walked_text(result), ""),
    ]


def explored_text(result: Result, part: Part) -> str:
    """How far the exploration of one contract went."""
    explored, limits = part.runs.explored, result.request.limits
    end = "all" if explored.end == COMPLETE else f"INCOMPLETE ({ENDS[explored.end]}):"
    symmetry = part.loaded.contract.symmetry
    member = symmetry.member if symmetry and explored.symmetric else ""
    alike = f" ({explored.kept:,} up to which {member} is which)" if member else ""
    beside = f" {part.loaded.contract.scope}" if part.loaded.bounds and part.loaded.contract.scope else ""
    said = f"against {part.name}, {bounds_text(part.loaded)}{beside}: {end} {explored.states:,} states{alike}"
    if part.unreached:
        lost = ", ".join(part.unreached)
        said += f" without every call of {lost}, some of which could not be made or did not come back"
    if explored.end != COMPLETE:
        said += f", every trace of up to {explored.depth} call{'s' * (explored.depth != 1)}, "
        said += f"limits {limits.seconds:g} s and {limits.megabytes} MB"
    return said + f", {explored.transitions:,} calls"


def bounds_text(loaded: Loaded) -> str:
    """A contract's bounds."""
    named = ", ".join(f"{name}={value}" for name, value in loaded.bounds.items())
    return f"bounds {named}" if named else loaded.contract.scope or "no bounds"


def walked_text(result: Result) -> str:
    """What was run beside the explorations."""
    walked = [(part, part.runs.walked[0]) for part in result.parts if part.runs.walked]
    watched = [part.runs.watched[0] for part in result.parts if part.runs.watched]
    said = ""
    if walked:
        said = "; ".join(f"random walk of {run.transitions:,} calls, seed {result.request.seed}, "
                         f"{bounds_text(part.wide)}" for part, run in walked)  # fmt: skip
    if watched:
        under = f"{sum(run.transitions for run in watched):,} calls of exploration under UBSan and ASan"
        said += f"; {under}" if said else under
    return said or "no random walk, no sanitizers"


def merged(result: Result) -> Iterator[list[Check]]:
    """Findings that are one defect seen twice (same trace, or same code called otherwise), together."""
    blocks: list[tuple[set[object], list[Check]]] = []
    groups = ("claim", "crash", "sanitizer", "conformance", "misuse", "promise", "layout",
              "configuration", "documentation", "trace")  # fmt: skip
    order = {group: number for number, group in enumerate(groups)}
    failing = [c for c in result.checks if c.verdict == "fail"]
    for check in sorted(failing, key=lambda c: order[c.group]):
        keys: set[object] = {check.merge} if check.merge else set()
        keys.add((calls_of(check), check.file, check.line))
        if check.exact and check.group in ("claim", "conformance"):  # one faulty line, in several calls
            keys.add((check.file, check.line))
        home = next((block for block in blocks if block[0] & keys), None)
        if home is None:
            blocks.append((keys, [check]))
        else:
            home[0].update(keys)
            home[1].append(check)
    yield from (block for _, block in blocks)


def finding(result: Result, block: Sequence[Check], color: bool) -> list[str]:
    """One finding: what is claimed, the trace, where, and how far it goes."""
    check = block[0]
    where = f"  {check.file}:{check.line}" if check.file else ""
    lines = [paint(f"FINDING {check.id}", "1;31", color) + where, *wrapped(check.title, "  ")]
    if check.contract and check.id in {c.id for c in result.checks if c.contract != check.contract}:
        lines += wrapped(f"against {check.contract}: {result.part_of(check).loaded.contract.title}", "  ")
    if check.quote and check.group in ("claim", "promise"):
        lines += wrapped(f'{who_says(result, check.quote)} says: "{check.quote}"', "  ")
    contract = contract_of(result, check)
    base = [shown(contract, step) if step.observed else {} for step in check.beside]
    lines += table(contract, check.trace, base)
    lines += wrapped(explanation(result, check), "  ") + wrapped(check.doubt, "  ")
    if text := source_line(result, check):
        lines.append(f"  {check.file}:{check.line}: {text}")
    if check.failed and check.group in CALLED:
        lines += wrapped(spread(check), "  ")
    for said, others in itertools.groupby(block[1:], key=lambda c: also(result, c, check)):
        lines += wrapped(f"also {', '.join(other.id for other in others)}: {said[0]}", "  ")
        lines += wrapped(said[1], "    ")
    return lines


def also(result: Result, other: Check, first: Check) -> tuple[str, str]:
    """What a further check of the same finding adds: its mismatch, and how far that goes."""
    if other.group == "claim":
        return other.title, ""
    if other.group == "promise":
        return f'{explanation(result, other)}; {who_says(result, other.quote)} says: "{other.quote}"', ""
    return explanation(result, other), spread(other) if other.failed and first.group == "claim" else ""


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
    if isinstance(result.request.items, TreeItems) and result.request.items.tree.says(words):
        return "the tree"
    return "the contract"


def spread(check: Check) -> str:
    """How many calls show a divergence, and what they have in common."""
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
    if name in last.expected:
        contract = contract_of(result, check)
        due, seen = (contract.word(name, of.get(name)) for of in (last.expected, last.observed))
        return f"{name}: the model expects {due}, the code gives {seen}"
    claims = result.part_of(check).loaded.contract.claims
    of_state = any(c.of_state for c in claims if check.id == f"claim/{c.id}")
    if of_state:
        reached = " that a random walk reached" if check.wide else ""
        return f"broken in {check.failed:,} of {check.judged:,} states{reached}"
    return f"broken after {check.failed:,} of {check.judged:,} calls that were judged"


def contract_of(result: Result, check: Check) -> Contract:
    """The contract in the bounds in which a check's trace was found."""
    for replayed in result.replays:
        if check.group == "trace" and replayed.loaded and check.trace is replayed.steps:
            return replayed.loaded.contract
    part = result.part_of(check)
    return (part.wide if check.wide else part.loaded).contract


def table(contract: Contract, trace: Sequence[Step], was: Sequence[Mapping[str, str]] = ()) -> list[str]:
    """A trace, one line a step, in the contract's own columns; cells that differ from `was` say so."""
    if not trace or not any(step.observed for step in trace):
        return [
            f"    {call_words(contract, step)}  {f'-> {step.why}' if step.why else ''}".rstrip()
            for step in trace
        ]
    columns = shown(contract, trace[0])
    if contract.derived:  # nobody chose them: those that no call of the trace changes say nothing
        steps = [shown(contract, step) for step in trace if step.observed]
        columns = {name: c for name, c in columns.items()
                   if name == "warnings" or any(cells[name] != c for cells in steps)}  # fmt: skip
    rows = [["", "call", *columns]]
    for number, step in enumerate(trace):
        old = was[number] if number < len(was) else {}
        cells = [
            f"{cell} (was {old[name]})" if old.get(name, cell) != cell else cell
            for name, cell in shown(contract, step).items()
            if name in columns
        ]
        row = cells if step.observed else [f"-> {step.why}"]
        rows.append([str(number), call_words(contract, step), *row])
    widths = [max(len(r[i]) for r in rows if i < len(r)) for i in range(len(rows[0]))]
    return ["    " + "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=False)).rstrip() for r in rows]


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


def saved_traces(result: Result) -> Iterator[str]:
    """What became of the saved traces."""
    if not result.replays:
        return
    verdicts = [replayed.verdict for replayed in result.replays]
    counts = [f"{verdicts.count(v)} {v}" for v in dict.fromkeys(VERDICTS) if v in verdicts]
    yield f"saved traces: {len(verdicts)} replayed: {', '.join(counts)}"
    for replayed in result.replays:
        if replayed.verdict != "still there":
            how = f": {'; '.join(replayed.how)}" if replayed.how else ""
            yield from wrapped(f"{replayed.verdict}: {replayed.name}{how}", "  ")


def again(result: Result) -> Iterator[str]:
    """How to run the findings again."""
    if not any(check.verdict == "fail" and check.trace for check in result.checks):
        return
    folder = result.request.traces
    if any(part.loaded.contract.derived for part in result.parts):
        yield "run them again: kconform check … --traces DIR, once to save them, then as often as you like"
    elif folder:
        yield f"run them again: kconform replay {folder}/FILE"
    else:
        yield "run them again: kconform check … --traces DIR; kconform replay DIR/FILE"


def unknowns(result: Result) -> Iterator[str]:
    """Unknown checks, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for check in result.checks:
        if check.verdict == "unknown" and check.group != "trace":
            reasons.setdefault(check.reason, []).append(check.id)
    for reason, ids in reasons.items():
        few = ", ".join(ids[:4]) + (f" and {len(ids) - 4} more" if len(ids) > 4 else "")
        yield from wrapped(f"unknown: {few}: {reason}", "")


def outlooks(result: Result) -> Iterator[str]:
    """What the patch calls possible and would not work as it is."""
    for check in result.outlooks:
        if check.verdict == "fail":
            yield from wrapped(f"outlook, no finding: {check.title}: {check.detail}", "")
            yield from wrapped(f'the patch says: "{check.quote}"', "    ")
        elif check.verdict == "unknown":
            yield from wrapped(f"outlook: {check.title}: unknown: {check.reason}", "")


def reached_lines(result: Result, verbose: bool) -> list[str]:
    """What derived calls reach that is no finding; with `verbose` all of it, with the traces."""
    lines: list[str] = []
    for indent, text, check in reached_text(result, verbose):
        lines += wrapped(text, indent)
        lines += table(contract_of(result, check), check.trace) if verbose and check else []
    return lines


def passes(result: Result, verbose: bool) -> Iterator[str]:
    """What passed, by the parts of the patch: the claims by name, the rest counted (all of it with -v)."""
    good = [c for c in result.checks if c.verdict == "pass"]
    if verbose:
        for check in good:
            yield from passed(result, check)
        return
    main = [c for c in good if c.group == "claim" and c.part == result.main_title]
    names = ", ".join(c.id.partition("/")[2] for c in main) or "none"
    if result.parts and not result.main.loaded.contract.derived:
        yield from wrapped(f"passed claims on {result.main_title}: {names}", "")
    yield "passed in all:"
    for part in dict.fromkeys(check.part for check in good if check.group != "trace"):
        here = [check for check in good if check.part == part]
        counts = [(g, sum(c.group == g for c in here)) for g in COUNTED]
        said = ", ".join(f"{n} of {g}" for g, n in counts if n)
        yield from wrapped(f"{part}: {said}", "  ")


def passed(result: Result, check: Check) -> Iterator[str]:
    """One check that passed, in full."""
    yield from wrapped(f"pass {check.id}: {check.title} ({check.judged:,} {judged_word(check)})", "")
    if check.group in NAMED:
        yield from wrapped(f'"{check.quote}"', "    ") if check.quote else ()
        yield from table(contract_of(result, check), check.trace) if check.trace else ()


def judged_word(check: Check) -> str:
    """What a check counts."""
    return STATIC_WORDS.get(check.group, "calls")


def beyond(result: Result) -> Iterator[str]:
    """What a tree's slices refer to and the tree, or its other files, has elsewhere."""
    pieces = [part.piece for part in result.parts]
    found = {name: item for piece in pieces for name, item in piece.beyond.items()}
    data = {name: item for name, item in found.items() if item.kind == "variable" or item.name != name}
    keys = [name for name, item in data.items() if STATIC_KEY.search(item.text)]
    if calls := [name for name in found if name not in data]:
        yield f"functions whose body is in another file of the kernel (a call stops there): {few(calls, 8)}"
    if keys:
        yield (f"static keys and tracepoints of other files, other than off, or on where declared true: "
               f"{few(keys, 8)}")  # fmt: skip
    read = []
    for name in (name for name in data if name not in keys):
        users = dict.fromkeys(
            user for piece in pieces for user, needs in piece.needs.items() if name in needs
        )
        read.append(f"{name} ({few([*users], 3)})")
    if read:
        yield f"data of other files of the kernel, other than zero, and what reads it: {', '.join(read)}"
    if isinstance(result.request.items, TreeItems):
        for include in result.request.items.tree.unfound:
            yield f"{include.where}: {include.name}, which the tree does not have: taken for empty"


def few(names: Sequence[str], most: int) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def configurations(result: Result) -> Iterator[str]:
    """The options that were set, and where a contract needs others."""
    if not result.parts:
        return
    said = result.main.loaded.options
    if isinstance(result.request.items, TreeItems):
        tree = result.request.items.tree
        without = tree.left_out
        but = f", but for {', '.join(without)}: for no guest of a hypervisor" if without else ""
        yield from wrapped(f"the tree was read for the {len(tree.config) - len(without)} options of "
                           f"{tree.configured}{but}" + (", and:" if said else ""), "")  # fmt: skip
    yield from wrapped(" ".join(f"{k}={'y' if v else 'n'}" for k, v in sorted(said.items())), "")
    for part in result.parts[1:]:
        own = {k: v for k, v in part.loaded.options.items() if said.get(k, False) != v}
        if own:
            options = " ".join(f"{k}={'y' if v else 'n'}" for k, v in sorted(own.items()))
            yield from wrapped(f"{part.name}: {options}", "  ")


def not_checked(result: Result, verbose: bool) -> Iterator[str]:
    """What this run says nothing about."""
    names: dict[str, list[str]] = {}
    for item in result.unused:
        part = f"{item.name} ({item.completeness})" if item.completeness != "complete" else item.name
        names.setdefault(item.file, []).append(part)
    yield "not checked:"
    for said in dict.fromkeys(said for part in result.parts for said in part.loaded.contract.unjudged):
        yield from wrapped(said, "  ")
    parts = [f"{file}: {', '.join(dict.fromkeys(items))}" for file, items in names.items()]
    for part in parts if verbose else ["; ".join(parts)]:
        yield from wrapped(part, "  ")
    for said in (*result.request.near, *result.partial, *beyond(result)):
        yield from wrapped(said, "  ")
    for patch in result.patches:
        for note in patch.notes:
            yield from wrapped(f"note: {note}", "  ")
    yield from configurations(result)
    for one in result.parts:
        if (
            one is not result.main
            and not verbose
            and not any(c.verdict == "fail" and c.trace for c in result.checks if c.contract == one.name)
        ):
            continue
        wide = any(c.wide for c in result.checks if c.trace and c.contract == one.name)
        legend = (one.wide if wide else one.loaded).contract.legend
        yield from wrapped(legend, "") if legend else ()
    yield from again(result)
    facts = tool_facts()
    hashes = ", ".join(p.sha256[:12] for p in result.patches)
    yield (f"kconform {facts['version']}, {facts['compiler']}, Python {facts['python']}"
           + f", diff sha256 {hashes}" * bool(hashes))  # fmt: skip
