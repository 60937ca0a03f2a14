# SPDX-License-Identifier: GPL-2.0-only
"""A patch in every configuration, as text and as JSON (schema 1)."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.check import Result, tool_facts
from harness.contract import DEBUG
from harness.judge import Check
from harness.matrix.cells import Matrix, Seen
from harness.matrix.plan import WORD, Cell, Lacks
from harness.matrix.without_warnings import SAME, SILENT
from harness.report.document import Case, Document, merged
from harness.report.json import case_data, check_data, patch_json
from harness.report.page import WIDTH, paint, wrapped
from harness.report.text import finding, passes, walked_words
from harness.report.words import case_of, document
from harness.subjects import describe

FEW = 4
MOST_SAID = 120  # characters of a reason
COLORS = {"FAIL": "1;31", "PASS": "1;32", "UNKNOWN": "1;33"}
KINDS = {"function": "functions", "macro": "macros", "field": "fields", "record": "records",
         "typedef": "types", "variable": "variables"}  # fmt: skip

PASSED = {SAME: "the same in every legal call", SILENT: "no warning with =n"}


def matrix_text(matrix: Matrix, *, verbose: bool = False, color: bool = False) -> str:
    """The report; at most `WIDTH` columns but for what the patch itself says."""
    whole = together(matrix)
    lines = [*head(matrix, whole, color), "", *table(matrix, color), ""]
    for block in blocks(matrix, whole):
        lines += [*one_finding(matrix, whole, block, color), ""]
    lines += list(not_compiled(matrix)) + list(unknowns(matrix))
    lines += list(comparisons(matrix)) + list(lacking(matrix, verbose))
    if verbose:
        for cell in matrix.ran:
            assert cell.result
            lines += ["", f"configuration {cell.number}:", *passes(document(cell.result), True)]
    lines += list(notes(matrix))
    return "\n".join(lines).rstrip() + "\n"


def verdict_word(matrix: Matrix) -> str:
    """FAIL, PASS, COMPILES where nothing could be run, or UNKNOWN."""
    if matrix.failed or not matrix.whole:
        return "FAIL" if matrix.failed else "UNKNOWN"
    return "PASS" if matrix.ran else "COMPILES"


def configured(cell: Cell) -> str:
    """A configuration by its number and what makes it differ from the others."""
    own = " ".join(f"{name.removeprefix('CONFIG_')}={yn(value)}" for name, value in cell.varied.items())
    return f"configuration {cell.number}, {cell.word} bit{f' {own}' if own else ''}"


def head(matrix: Matrix, whole: Document, color: bool) -> list[str]:
    """Verdict and counts, and of what."""
    word = verdict_word(matrix)
    total = matrix.failed + matrix.unknown + matrix.passed
    counts = []
    if matrix.failed:
        separate = len(blocks(matrix, whole))
        counts.append(f"{matrix.failed} of {total} checks failed "
                      f"({separate} separate finding{'s' * (separate != 1)})")  # fmt: skip
    counts.append(f"{matrix.passed} passed")
    counts += [f"{matrix.unknown} unknown"] if matrix.unknown else []
    words = [cell.verdict for cell in matrix.cells]
    ran = len(matrix.ran)
    refused = words.count("REFUSED")
    said = f"{len(words)} configurations: {ran} run, {len(words) - ran - refused} only compiled"
    subjects = "; ".join(p.subject or p.source for p in matrix.request.patches)
    return [
        f"{paint(word, COLORS.get(word, '1'), color)}: {', '.join(counts)}",
        textwrap.shorten(f"patch: {subjects}", WIDTH, placeholder=" …"),
        f"{said}, {refused} refused",
        *(
            line
            for cell in matrix.ran[:1]
            if cell.result
            for line in wrapped(f"configuration {cell.number}: {walked_words(document(cell.result))}", "")
        ),
    ]


def table(matrix: Matrix, color: bool) -> Iterator[str]:
    """A line for each configuration, or more where a reason is long."""
    names = list(matrix.cells[0].varied) if matrix.cells else []
    titles = [name.removeprefix("CONFIG_") for name in names]
    yield "  ".join(["             ", *titles]).rstrip()
    words = [said_word(cell) for cell in matrix.cells]
    broad = max(map(len, words))
    for cell, word in zip(matrix.cells, words, strict=True):
        values = [yn(cell.varied[name]).ljust(len(title)) for name, title in zip(names, titles, strict=True)]
        start = "  ".join([f"{cell.number:3}", f"{cell.word} bit", *values, word.ljust(broad), ""])
        indent = " " * min(len(start), WIDTH // 2)
        lines = textwrap.wrap(remark(matrix, cell), WIDTH, initial_indent=start, subsequent_indent=indent,
                              break_long_words=False, break_on_hyphens=False)  # fmt: skip
        lines = lines or [start.rstrip()]
        lines[0] = lines[0].replace(word, paint(word, COLORS.get(cell.verdict, "1"), color), 1)
        yield from lines


def yn(value: bool) -> str:
    """An option's value."""
    return "y" if value else "n"


def said_word(cell: Cell) -> str:
    """The verdict, with a count."""
    counts = {"FAIL": "fail", "PASS": "pass"}
    if cell.verdict not in counts:
        return cell.verdict
    return f"{cell.verdict} {sum(c.verdict == counts[cell.verdict] for c in cell.every)}"


def remark(matrix: Matrix, cell: Cell) -> str:
    """What follows from the verdict."""
    if cell.refused:
        return cell.refused
    said: list[str] = []
    if cell.verdict == "FAIL" and cell.result:
        separate = len(list(merged([case_of(cell.result, c) for c in cell.every if c.verdict == "fail"])))
        said += [f"{separate} separate finding{'s' * (separate != 1)}"]
        said += [f"{sum(c.verdict == 'pass' for c in cell.every)} passed"]
    elif cell.verdict == "FAIL":
        said += ["does not compile as it should"]
    unknown = [c for c in cell.every if c.verdict == "unknown"]
    if away := sum(map(cell.silent, unknown)):
        said.append(f"{away} of misuse compiled away")
    if lost := [c for c in unknown if not cell.silent(c)]:
        said.append(f"{len(lost)} unknown")
    if cell.result and not cell.result.whole and not lost:
        said.append("not all was compiled or reached")
    if cell.result and cell.word == 32:
        said.append("only the types are those of 32 bit")
    if cell.verdict == "COMPILES":
        why = textwrap.shorten(cell.idle, MOST_SAID, placeholder=" …")
        what = (
            f"{few(cell.compiled)} compiled" if cell.compiled else "nothing of what the patch adds is there"
        )
        said.append(f"{what}, not run: {why}")
    return ", ".join(said)


# Findings: one view of all configurations, for the report of a check.


def together(matrix: Matrix) -> Document:
    """The findings of all configurations, in their order, as the cases of one check."""
    results = [cell.result for cell in matrix.ran if cell.result]
    parts = {part.name: part for result in reversed(results) for part in result.parts}
    order = dict.fromkeys(part.name for result in results for part in result.parts)
    checks = tuple(seen.check for seen in matrix.findings)
    first = results[0] if results else Result(matrix.request, (), (), (), (), (), {})
    return document(replace(first, parts=tuple(parts[name] for name in order), checks=checks))


def blocks(matrix: Matrix, whole: Document) -> list[tuple[Case, ...]]:
    """The separate findings; `whole` is what `together` made."""
    return list(merged(whole.cases)) if matrix.ran else [(case,) for case in whole.cases]


def one_finding(matrix: Matrix, whole: Document, block: Sequence[Case], color: bool) -> list[str]:
    """One finding, as a check says it, with the configurations that show it."""
    pairs = zip(matrix.findings, whole.cases, strict=True)
    own = [seen for seen, case in pairs if any(case is each for each in block)]
    # What was compared is of two configurations, the defect perhaps of one.
    own = [seen for seen in own if not any(seen.check is other.check for other in matrix.beside)] or own
    cells = {number for seen in own for number in seen.cells}
    where = wrapped(f"in {named(matrix, sorted(cells))}" if cells else "whatever the configuration", "  ")
    if not matrix.ran:
        first = block[0]
        return [f"FINDING {first.id}  {first.where}", *where, *wrapped(first.detail, "  ")]
    lines = finding(whole, block, color)
    return [lines[0], *where, *lines[1:]]


def named(matrix: Matrix, numbers: Sequence[int]) -> str:
    """Configurations by number, and what is particular to them."""
    cells = [cell for cell in matrix.cells if cell.number in numbers]
    options = {"64 bit" if cell.word == 64 else "32 bit" for cell in cells}
    common = sorted(options) if len(options) == 1 else []
    for name in cells[0].varied if cells else ():
        values = {cell.varied[name] for cell in cells}
        common += [f"{name}={yn(values.pop())}"] if len(values) == 1 else []
    plural = "s" * (len(numbers) != 1)
    where = f" ({', '.join(common)})" if common else ""
    return f"configuration{plural} {', '.join(map(str, numbers))}{where}"


def not_compiled(matrix: Matrix) -> Iterator[str]:
    """What could not be compiled or driven, and warnings of what may not show again."""
    said: dict[str, list[int]] = {}
    known = {(seen.check.file, seen.check.line) for seen in matrix.findings}
    for cell in matrix.ran:
        assert cell.result
        own = [f"not compiled: {name}: {why}" for name, why in cell.result.failed.items()]
        own += [f"not compiled: {describe(lost)}" for lost in cell.result.unresolved
                if (lost.file, lost.line) not in known]  # fmt: skip
        own += [f"warning: {each}" for each in cell.result.hidden_state]
        for each in own:
            said.setdefault(each, []).append(cell.number)
    for text, numbers in said.items():
        yield from wrapped(f"{named(matrix, numbers)}: {text}", "")


def unknowns(matrix: Matrix) -> Iterator[str]:
    """Unknown checks, those of one reason together."""
    reasons: dict[str, list[Seen]] = {}
    for seen in matrix.all_seen("unknown"):
        reasons.setdefault(seen.check.reason, []).append(seen)
    for reason, every in reasons.items():
        ids = list(dict.fromkeys(seen.check.id for seen in every))
        numbers = sorted({number for seen in every for number in seen.cells})
        where = f" in {named(matrix, numbers)}" if numbers else ""
        yield from wrapped(f"unknown{where}: {few(ids)}: {reason}", "")
    away = {c.id for cell in matrix.cells for c in cell.every if cell.silent(c)}
    if away:
        yield from wrapped(f"{DEBUG}=n compiles warnings away: whether misuse warns is not judged there "
                           f"({len(away)} checks)", "")  # fmt: skip


def few(names: Sequence[str], verbose: bool = False) -> str:
    """The first of many names."""
    if verbose or len(names) <= FEW + 1:
        return ", ".join(names)
    return ", ".join(names[:FEW]) + f" and {len(names) - FEW} more"


def comparisons(matrix: Matrix) -> Iterator[str]:
    """What passed beside the configurations: between two of them, and whatever they are."""
    good = [seen for seen in matrix.beside if seen.check.verdict == "pass"]
    said: dict[tuple[tuple[int, ...], str], list[str]] = {}
    for seen in good:
        kind, _, name = seen.check.id.partition("/")[2].partition("/")
        if seen.cells:
            said.setdefault((seen.cells, name), []).append(kind)
    groups: dict[tuple[tuple[int, ...], str], list[str]] = {}
    for (cells, name), kinds in said.items():
        groups.setdefault((cells, " and ".join(PASSED[kind] for kind in kinds)), []).append(name)
    for (cells, what), names in groups.items():
        yield from wrapped(f"{DEBUG}=y and =n, configurations {' and '.join(map(str, cells))}: {what}: "
                           f"{', '.join(names)}", "")  # fmt: skip
    free = [seen.check for seen in good if not seen.cells]
    counts = [f"{sum(c.group == g for c in free)} of {g}" for g in dict.fromkeys(c.group for c in free)]
    if counts:
        yield from wrapped(f"passed whatever the configuration: {', '.join(counts)}", "")


def lacking(matrix: Matrix, verbose: bool) -> Iterator[str]:
    """What each configuration lacks, those that lack the same together."""
    groups: dict[str, list[int]] = {}
    for cell in matrix.cells:
        if cell.lacks:
            groups.setdefault(lacks_text(cell.lacks, verbose), []).append(cell.number)
    for text, numbers in groups.items():
        yield from wrapped(f"{named(matrix, numbers)}: {text}", "")


def lacks_text(lacks: Lacks, verbose: bool) -> str:
    """What is not there, and what is only in part."""
    said = [f"{len(names)} {KINDS.get(kind, kind) if len(names) > 1 else kind} ({few(names, verbose)})"
            for kind, names in lacks.names.items()]  # fmt: skip
    text = f"without {'; '.join(said)}" if said else "has all that the patch adds"
    partly = f"; the patch shows only a part of {few(lacks.partly, verbose)}" if lacks.partly else ""
    return text + partly


def notes(matrix: Matrix) -> Iterator[str]:
    """What is to be said beside, and how to run one configuration alone."""
    for note in matrix.notes:
        yield from wrapped(f"note: {note}", "")
    for patch in matrix.request.patches:
        for note in patch.notes:
            yield from wrapped(f"note: {note}", "")
    varied = {*matrix.cells[0].varied, WORD} if matrix.cells else set()
    base = {n: v for n, v in matrix.cells[0].config.items() if n not in varied} if matrix.cells else {}
    if base:
        yield from wrapped("in all of them: " + " ".join(f"{n}={yn(v)}" for n, v in sorted(base.items())), "")
    if matrix.cells and matrix.cells[0].varied:
        alone = " ".join(f"--config {n}={yn(v)}" for n, v in matrix.cells[0].varied.items())
        yield from wrapped(f"one alone, with what is not checked in it: kconform check … {alone}", "")
    facts = tool_facts()
    hashes = ", ".join(p.sha256[:12] for p in matrix.request.patches)
    yield (f"kconform {facts['version']}, {facts['compiler']}, Python {facts['python']}, "
           f"diff sha256 {hashes}")  # fmt: skip


# JSON.


def matrix_json(matrix: Matrix) -> str:
    """The JSON of `kconform check --matrix`."""
    said: dict[str, Any] = {
        "schema": 1,
        "patch": patch_json(matrix.request.patches),
        "counts": {"fail": matrix.failed, "pass": matrix.passed, "unknown": matrix.unknown},
        "cells": [cell_json(matrix, cell) for cell in matrix.cells],
        "findings": [
            case_data(case) | {"cells": list(seen.cells)}
            for seen, case in zip(matrix.findings, together(matrix).cases, strict=True)
        ],
        "beside": [seen_json(matrix, seen) for seen in matrix.beside],
        "notes": list(matrix.notes),
        "tool": tool_facts(),
    }
    return json.dumps(said, indent=1) + "\n"


def seen_json(matrix: Matrix, seen: Seen) -> dict[str, Any]:
    """One check, and the numbers of the cells that say so."""
    return case_data(bare(matrix, seen.check)) | {"cells": list(seen.cells)}


def bare(matrix: Matrix, check: Check) -> Case:
    """A check that is of no contract's run."""
    return case_of(Result(matrix.request, (), (), (), (), (), {}), check)


def cell_json(matrix: Matrix, cell: Cell) -> dict[str, Any]:
    """One configuration."""
    lacks: Mapping[str, Sequence[str]] = cell.lacks.names if cell.lacks else {}
    return {
        "cell": cell.number,
        "word": cell.word,
        "config": {name: yn(value) for name, value in sorted(cell.config.items())},
        "varied": {name: yn(value) for name, value in cell.varied.items()},
        "verdict": cell.verdict,
        "reason": cell.refused or cell.idle,
        "compiled": list(cell.compiled),
        "lacks": {kind: list(names) for kind, names in lacks.items()},
        "partly": list(cell.lacks.partly) if cell.lacks else [],
        "checks": [case_data(bare(matrix, check)) for check in cell.checks],
        "check": check_data(document(cell.result)) if cell.result else None,
    }
