# SPDX-License-Identifier: GPL-2.0-only
"""A check as text for a terminal: the verdict first, findings before passes, one screen."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from harness.lists import few
from harness.report.baseline import baseline_lines
from harness.report.coverage import coverage_listing, coverage_summary
from harness.report.derived import derived_words, reached_text
from harness.report.document import RAN_ALONE, Case, Document, merged
from harness.report.mutate import strength_line, where
from harness.report.page import WIDTH, paint, table_lines, wrapped
from harness.report.series import series_lines
from harness.subjects import describe

VERDICTS = ("still there", "changed", "gone", "cannot be run")  # of saved traces
NAMED = ("claim", "layout", "configuration", "documentation", "promise")  # groups whose checks are named
COUNTED = ("claim", "conformance", "misuse", "crash", "sanitizer", "concurrency", "layout", "configuration",
           "documentation", "promise")  # fmt: skip
STATIC_WORDS = {"layout": "fields", "configuration": "cases", "documentation": "names",
                "concurrency": "executions"}  # fmt: skip


def text_report(document: Document, *, verbose: bool = False, color: bool = False) -> str:
    """The report; at most `WIDTH` columns but for what the patch itself says."""
    lines = [*head(document, color), ""]
    if series := [line for said in series_lines(document) for line in wrapped(said, "")]:
        lines += [*series, ""]
    for block in merged(document.findings):
        lines += [*finding(document, block, color), ""]
    for name, why in document.failed.items():
        lines += wrapped(f"not compiled: {name}: {why}", "  ")
    for lost in document.unresolved:
        lines += wrapped(f"not compiled: {describe(lost)}", "  ")
    for file, line, text in dict.fromkeys(said for part in document.parts for said in part.warnings):
        lines += wrapped(f"compiler: {file}:{line}: {text}", "  ")
    for said in baseline_lines(document):
        lines += wrapped(said, "")
    lines += list(saved_traces(document))
    for said in hidden_state(document):
        lines += wrapped(f"warning: {said}", "")
    lines += list(unknowns(document))
    lines += list(outlooks(document))
    lines += reached_lines(document, verbose)
    lines += document.base
    lines += list(passes(document, verbose))
    if document.strength:
        lines += wrapped(strength_line(document.strength), "")
        lines += [f"  survived: {where(mutant)} {mutant.operator}" for mutant in document.strength.survived]
    coverage = document.coverage
    if coverage:
        lines += coverage_summary(coverage).splitlines()
    lines += list(not_checked(document, verbose))
    if coverage:
        lines += ["", *coverage_listing(coverage).splitlines()]
    return "\n".join(lines).rstrip() + "\n"


def hidden_state(document: Document) -> tuple[str, ...]:
    """Warnings of what outlives a call and is in no state."""
    return tuple(dict.fromkeys(said for part in document.parts for said in part.hidden_state))


def head(document: Document, color: bool) -> list[str]:
    """The first lines: the verdict, of what, within which bounds."""
    word = verdict_word(document)
    colors = {"FAIL": "1;31", "PASS": "1;32", "UNKNOWN": "1;33"}
    subjects = "; ".join(p.subject or p.source for p in document.patches)
    about = [f"patch: {subjects}"] if subjects else []
    about += [f"tree: {document.tree}"] if document.tree else []
    about += (
        [f"shard {document.shard}: a part of the run, to be merged with the others"] if document.shard else []
    )
    return [
        f"{paint(word, colors[word], color)}: {counts(document)}",
        *(textwrap.shorten(line, WIDTH, placeholder=" …") for line in about),
        *(line for said in run_words(document) for line in wrapped(said, "")),
    ]


def verdict_word(document: Document) -> str:
    """PASS, FAIL or UNKNOWN."""
    if document.count("fail"):
        return "FAIL"
    some = document.count("pass") or not document.count("unknown")
    return "PASS" if document.whole and document.judged and some else "UNKNOWN"


def counts(document: Document) -> str:
    """How many checks ended how."""
    failed, unknown, passed = (document.count(verdict) for verdict in ("fail", "unknown", "pass"))
    defects = len(list(merged(document.findings)))
    said = [f"{failed} of {len(document.cases)} checks failed"] if failed else []
    if failed and defects < failed:
        said[0] += f" ({defects} separate finding{'s' * (defects != 1)})"
    known = sum(case.known is not None for case in document.cases)
    said += [f"{known} known"] if known else []
    said += (
        [f"{inherited} of the base"] if (inherited := sum(case.inherited for case in document.cases)) else []
    )
    return ", ".join(said + [f"{passed} passed"] + ([f"{unknown} unknown"] if unknown else []))


def run_words(document: Document) -> Iterator[str]:
    """What was run, and within which bounds."""
    if said := derived_words(document):
        yield said
    yield from (part.explored_words for part in document.parts)
    yield walked_words(document)
    for part in document.parts:
        yield from (f"threads of {part.name}: {one.words}" for one in part.threads)
        yield from [f"threads of {part.name}: {part.stressed}"] if part.stressed else []


def walked_words(document: Document) -> str:
    """What was run beside the explorations."""
    walked = [part for part in document.parts if part.walked is not None]
    watched = [part.watched for part in document.parts if part.watched is not None]
    said = "; ".join(f"random walk of {part.walked:,} calls, seed {document.seed}, "
                     f"{part.wide_bounds_words}" for part in walked)  # fmt: skip
    if watched:
        under = f"{sum(watched):,} calls of exploration under UBSan and ASan"
        said += f"; {under}" if said else under
    return said or "no random walk, no sanitizers"


def finding(document: Document, block: Sequence[Case], color: bool) -> list[str]:
    """One finding: what is claimed, the trace, where, and how far it goes."""
    case = block[0]
    lines = [paint(f"FINDING {case.id}", "1;31", color) + (f"  {case.where}" if case.file else "")]
    lines += [line for said in finding_words(document, case) for line in wrapped(said, "  ")]
    lines += table_lines(case.table)
    lines += wrapped(", ".join(case.called), "  ")
    lines += wrapped(case.explained, "  ") + wrapped(case.doubt, "  ")
    if case.source:
        lines.append(f"  {case.where}: {case.source}")
    lines += wrapped(case.spread, "  ")
    for said, others in itertools.groupby(block[1:], key=lambda other: also(other, case)):
        lines += wrapped(f"also {', '.join(other.id for other in others)}: {said[0]}", "  ")
        lines += wrapped(said[1], "    ")
    return lines


def finding_words(document: Document, case: Case) -> Iterator[str]:
    """What is said of a finding before its trace."""
    yield case.title
    yield from stage_words(case)
    part = document.part_of(case)
    if part and case.id in {c.id for c in document.cases if c.contract != case.contract}:
        yield f"against {case.contract}: {part.title}"
    if case.quote and case.group in ("claim", "promise"):
        yield f'{case.says} says: "{case.quote}"'


def stage_words(case: Case) -> Iterator[str]:
    """Which patch of a series brings a finding, and which one mends it."""
    if case.within:
        end = f"mended by {case.mended}" if case.mended else "after which its contract does not fit"
        yield f"{case.within}: brought by {case.brought}, {end}"
    elif case.brought:
        yield f"brought by {case.brought}"
    if case.worsened:
        yield f"worse than before: {case.worsened}"


def also(other: Case, first: Case) -> tuple[str, str]:
    """What a further check of the same finding adds: its mismatch, and how far that goes."""
    if other.group == "claim":
        return other.title, ""
    if other.group == "promise":
        return f'{other.explained}; {other.says} says: "{other.quote}"', ""
    return other.explained, other.spread if first.group == "claim" else ""


def saved_traces(document: Document) -> Iterator[str]:
    """What became of the saved traces."""
    if not document.replays:
        return
    verdicts = [replayed["verdict"] for replayed in document.replays]
    said = [f"{verdicts.count(v)} {v}" for v in dict.fromkeys(VERDICTS) if v in verdicts]
    yield f"saved traces: {len(verdicts)} replayed: {', '.join(said)}"
    for replayed in document.replays:
        if replayed["verdict"] != "still there":
            how = f": {'; '.join(replayed['how'])}" if replayed["how"] else ""
            yield from wrapped(f"{replayed['verdict']}: {replayed['file']}{how}", "  ")


def again(document: Document) -> Iterator[str]:
    """How to run the findings again."""
    for within in dict.fromkeys(case.within for case in document.findings if case.within):
        last = re.findall(r"\d+", within)[-2]
        yield f"run what is {within} again: kconform check … --prefix {last}"
    if not any(case.trace for case in document.findings if not case.within):
        return
    if document.derived:
        yield "run them again: kconform check … --traces DIR, once to save them, then as often as you like"
    elif document.traces_folder:
        yield f"run them again: kconform replay {document.traces_folder}/FILE"
    else:
        yield "run them again: kconform check … --traces DIR; kconform replay DIR/FILE"


def unknowns(document: Document) -> Iterator[str]:
    """Unknown checks, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for case in document.cases:
        if case.verdict == "unknown" and case.group != "trace":
            reasons.setdefault(case.reason, []).append(case.id)
    for reason, ids in reasons.items():
        yield from wrapped(f"unknown: {few(ids, 4)}: {reason}", "")


def outlooks(document: Document) -> Iterator[str]:
    """What the patch calls possible and would not work as it is."""
    for case in document.outlooks:
        if case.verdict == "fail":
            yield from wrapped(f"outlook, no finding: {case.title}: {case.detail}", "")
            yield from wrapped(f'the patch says: "{case.quote}"', "    ")
        elif case.verdict == "unknown":
            yield from wrapped(f"outlook: {case.title}: unknown: {case.reason}", "")


def reached_lines(document: Document, verbose: bool) -> list[str]:
    """What derived calls reach that is no finding; with `verbose` all of it, with the traces."""
    lines: list[str] = []
    for indent, text, case in reached_text(document, verbose):
        lines += wrapped(text, indent)
        lines += table_lines(case.table) if verbose and case else []
    return lines


def passes(document: Document, verbose: bool) -> Iterator[str]:
    """What passed, by the parts of the patch: the claims by name, the rest counted (all of it with -v)."""
    good = [case for case in document.cases if case.verdict == "pass"]
    if verbose:
        for case in good:
            yield from passed(case)
        return
    if document.parts and not document.parts[0].derived:
        main = document.parts[0].title
        names = ", ".join(c.id.partition("/")[2] for c in good if c.group == "claim" and c.part == main)
        yield from wrapped(f"passed claims on {main}: {names or 'none'}", "")
    yield "passed in all:"
    for part in dict.fromkeys(case.part for case in good if case.group != "trace"):
        here = [case for case in good if case.part == part]
        counted = [(group, sum(case.group == group for case in here)) for group in COUNTED]
        said = ", ".join(f"{n} of {group}" for group, n in counted if n)
        yield from wrapped(f"{part}: {said}", "  ")


def passed(case: Case) -> Iterator[str]:
    """One check that passed, in full."""
    yield from wrapped(f"pass {case.id}: {case.title} ({case.judged:,} {judged_word(case)})", "")
    if case.group in NAMED:
        yield from wrapped(f'"{case.quote}"', "    ") if case.quote else ()
        yield from table_lines(case.table) if case.trace else ()


def judged_word(case: Case) -> str:
    """What a check counts."""
    return case.counted or STATIC_WORDS.get(case.group, "calls")


def beyond(document: Document) -> Iterator[str]:
    """What a tree's slices refer to and the tree, or its other files, has elsewhere."""
    every = [part.beyond for part in document.parts]
    calls = [*dict.fromkeys(name for one in every for name in one.calls)]
    keys = [*dict.fromkeys(name for one in every for name in one.keys)]
    users: dict[str, dict[str, None]] = {}
    for name, reads in ((name, reads) for one in every for name, reads in one.data.items()):
        users.setdefault(name, {}).update(dict.fromkeys(reads))
    if calls:
        yield f"functions whose body is in another file of the kernel (a call stops there): {few(calls, 8)}"
    if keys:
        yield (f"static keys and tracepoints of other files, other than off, or on where declared true: "
               f"{few(keys, 8)}")  # fmt: skip
    if users:
        read = ", ".join(f"{name} ({few([*reads], 3)})" for name, reads in users.items())
        yield f"data of other files of the kernel, other than zero, and what reads it: {read}"
    yield from document.unfound


def configurations(document: Document) -> Iterator[str]:
    """The options that were set, and where a contract needs others."""
    if not document.parts:
        return
    said = document.parts[0].config
    if document.tree_config:
        yield from wrapped(document.tree_config + (", and:" if said else ""), "")
    yield from wrapped(options(said), "")
    for part in document.parts[1:]:
        own = {name: value for name, value in part.config.items() if said.get(name, False) != value}
        if own:
            yield from wrapped(f"{part.name}: {options(own)}", "  ")


def options(config: Mapping[str, bool]) -> str:
    """Options with their values."""
    return " ".join(f"{name}={'y' if value else 'n'}" for name, value in sorted(config.items()))


def unchecked(document: Document, verbose: bool) -> Iterator[str]:
    """What this run says nothing about, a line each."""
    names: dict[str, list[str]] = {}
    for file, name, completeness, _ in document.unused:
        part = f"{name} ({completeness})" if completeness != "complete" else name
        names.setdefault(file, []).append(part)
    yield from dict.fromkeys(said for part in document.parts for said in part.unjudged if said != RAN_ALONE)
    if alone := [part.name for part in document.parts if RAN_ALONE in part.unjudged]:
        of = f" against {few(alone, 6)}" if len(alone) < len(document.parts) else ""
        yield f"concurrent calls{of}: every operation ran alone"
    yield from (f"no finding: {said}" for part in document.parts for said in part.thread_notes)
    parts = [f"{file}: {', '.join(dict.fromkeys(items))}" for file, items in names.items()]
    yield from parts if verbose or not parts else ["; ".join(parts)]
    yield from (*document.near, *document.partial, *beyond(document))
    for patch in document.patches:
        yield from (f"note: {note}" for note in patch.notes)


def legends(document: Document, verbose: bool) -> Iterator[str]:
    """What the values in traces mean, of the contracts that have any."""
    for number, part in enumerate(document.parts):
        own = [case for case in document.cases if case.contract == part.name and case.trace]
        if number and not verbose and not any(case.verdict == "fail" for case in own):
            continue
        legend = part.wide_legend if any(case.wide for case in own) else part.legend
        if legend:
            yield legend


def not_checked(document: Document, verbose: bool) -> Iterator[str]:
    """What this run says nothing about, its configuration, and how to run it again."""
    yield "not checked:"
    for said in unchecked(document, verbose):
        yield from wrapped(said, "  ")
    yield from configurations(document)
    for legend in legends(document, verbose):
        yield from wrapped(legend, "")
    yield from again(document)
    yield tool_line(document)


def tool_line(document: Document) -> str:
    """What made the report, of which diff."""
    facts = document.tool
    hashes = ", ".join(patch.sha256[:12] for patch in document.patches)
    said = f"kconform {facts['version']}, {facts['compiler']}, Python {facts['python']}"
    return said + f", diff sha256 {hashes}" * bool(hashes)
