# SPDX-License-Identifier: GPL-2.0-only
"""A run of any command as suites of cases: what KTAP, JUnit, SARIF, b4, mails and pages are made of."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.judge import Verdict
from harness.report.baseline import baseline_lines
from harness.report.document import Case, Document, MutantRecord, PatchText, StrengthRecord, merged
from harness.report.mutate import strength_line
from harness.report.page import table_lines
from harness.report.series import series_lines
from harness.report.text import (
    again,
    counts,
    legends,
    run_words,
    stage_words,
    unchecked,
    verdict_word,
)
from harness.report.text import also as also_words
from harness.subjects import describe


@dataclass(frozen=True)
class Suite:
    """The cases of one contract; `title` says what it is about. Ids are unique in it."""

    name: str
    title: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Outline:
    """What was run, and every case of it.

    `word` is the verdict (PASS, FAIL, UNKNOWN; SAME, DIFFERENT), `status` the exit status. `about` are
    the lines that say what was run within which bounds; `findings` the cases that fail and are to
    blame, those that are one defect together, the plainest first; `errors` what could not be compiled or
    read; `remarks` what is neither a finding nor a pass; `again` how to run the findings again.
    """

    command: str
    word: str
    status: int
    summary: str
    title: str
    about: tuple[str, ...]
    suites: tuple[Suite, ...]
    findings: tuple[tuple[Case, ...], ...]
    errors: tuple[str, ...]
    remarks: tuple[str, ...]
    unchecked: tuple[str, ...]
    legends: tuple[str, ...]
    again: tuple[str, ...]
    patches: tuple[PatchText, ...]
    tool: Mapping[str, str]

    @property
    def cases(self) -> tuple[Case, ...]:
        """Every case, suite after suite."""
        return tuple(case for suite in self.suites for case in suite.cases)

    def words(self, case: Case) -> tuple[str, ...]:
        """What is said of a finding before its trace: its title, who brings it, whose sentence it breaks."""
        said = [case.title, *stage_words(case)]
        if case.quote and case.group in ("claim", "promise"):
            said.append(f'{case.says or "the contract"} says: "{case.quote}"')
        return tuple(said)


def told(case: Case) -> Iterator[str]:
    """A finding's trace and what it comes to, as lines of text without a width of their own."""
    yield from table_lines(case.table, "")
    yield from (said for said in (", ".join(case.called), case.explained, case.doubt) if said)
    if case.source:
        yield f"{case.where}: {case.source}"
    if case.spread:
        yield case.spread


def also(block: Sequence[Case]) -> Iterator[str]:
    """What the other cases of one finding add, a line each."""
    for other in block[1:]:
        said, spread = also_words(other, block[0])
        yield f"also {other.id}: {said}" + (f"; {spread}" if spread else "")


# Of a check.


def of_check(document: Document, strict: bool = False) -> Outline:
    """A check."""
    names = dict.fromkeys([*(part.name for part in document.parts), *map(suite_of, document.cases)])
    titles = {part.name: part.title for part in document.parts}
    suites = [Suite(name, titles.get(name, name), tuple(c for c in document.cases if suite_of(c) == name))
              for name in names]  # fmt: skip
    errors = [f"{name}: {why}" for name, why in document.failed.items()]
    errors += [describe(lost) for lost in document.unresolved]
    outlooks = [f"outlook, no finding: {case.title}: {case.detail or case.reason}"
                for case in document.outlooks if case.verdict != "pass"]  # fmt: skip
    subjects = "; ".join(patch.subject or patch.source for patch in document.patches)
    about = [*([f"tree: {document.tree}"] if document.tree else []), *run_words(document)]
    return Outline(
        command="check",
        word=verdict_word(document),
        status=document.status(strict),
        summary=counts(document),
        title=subjects or document.tree,
        about=tuple(about),
        suites=tuple(suite for suite in suites if suite.cases),
        findings=tuple(merged(document.findings)),
        errors=tuple(errors),
        remarks=(*series_lines(document), *baseline_lines(document), *outlooks),
        unchecked=tuple(unchecked(document, False)),
        legends=tuple(legends(document, False)),
        again=tuple(again(document)),
        patches=document.patches,
        tool=document.tool,
    )


def suite_of(case: Case) -> str:
    """The suite that a case is in: its contract, or what it is part of."""
    name = case.contract or case.part or case.group
    return f"{name}, {case.within}" if case.within else name


# Of mutants.


def of_mutants(strength: StrengthRecord, patches: Sequence[PatchText], tool: Mapping[str, str]) -> Outline:
    """What became of planted defects: one that survives is a finding about the checks."""
    cases = [mutant_case(mutant, verdict, reason)
             for mutants, verdict, reason in fates(strength) for mutant in mutants]  # fmt: skip
    cases = numbered(sorted(cases, key=lambda case: (case.file, case.line, case.id)))
    bounds = ", ".join(f"{name}={value}" for name, value in strength.bounds.items()) or "none"
    return Outline(
        command="mutate",
        word="FAIL" if strength.survived else "PASS",
        status=1 if strength.survived else 0,
        summary=strength_line(strength).removeprefix("strength: "),
        title=strength.what,
        about=(f"{strength.total} mutants, bounds {bounds}",),
        suites=(Suite("mutants", "planted defects, which the checks must find", tuple(cases)),),
        findings=tuple((case,) for case in cases if case.verdict == "fail"),
        errors=(),
        remarks=(),
        unchecked=(),
        legends=(),
        again=(),
        patches=tuple(patches),
        tool=tool,
    )


def fates(strength: StrengthRecord) -> Iterator[tuple[Sequence[MutantRecord], Verdict, str]]:
    """The mutants of each fate, what that is for a case, and why it says nothing of the checks."""
    yield strength.killed, "pass", ""
    yield strength.survived, "fail", ""
    yield strength.equivalent, "unknown", "equivalent: "
    yield strength.broken, "unknown", "not compiled: "


def mutant_case(mutant: MutantRecord, verdict: Verdict, reason: str) -> Case:
    """One mutant as a case."""
    id = f"mutant/{mutant.item}/{mutant.operator}/{mutant.file}:{mutant.line}:{mutant.column}"
    finds = "no check finds" if verdict == "fail" else "a check finds"
    title = f"{finds} {mutant.operator} in {mutant.item}: {mutant.before} becomes {mutant.after}"
    key = "\0".join((mutant.item, mutant.operator, mutant.before, mutant.after))
    return Case(
        id=id,
        group="mutant",
        verdict=verdict,
        title=" ".join(title.split()),
        contract="mutants",
        part=mutant.item,
        reason=f"{reason}{mutant.by}" if reason else "",
        detail=f"killed by {mutant.by}" if verdict == "pass" else "",
        judged=mutant.calls,
        failed=int(verdict == "fail"),
        file=mutant.file,
        line=mutant.line,
        exact=True,
        explained="\n".join([mutant.by, *mutant.diff]) if verdict == "fail" else "",
        kind="survives" if verdict == "fail" else "",
        fingerprint=hashlib.sha256(key.encode()).hexdigest()[:16] if verdict == "fail" else "",
    )


def numbered(cases: Sequence[Case]) -> list[Case]:
    """Cases of one id told apart by a number."""
    seen: Counter[str] = Counter()
    found: list[Case] = []
    for case in cases:
        seen[case.id] += 1
        found.append(replace(case, id=f"{case.id}-{seen[case.id]}") if seen[case.id] > 1 else case)
    return found
