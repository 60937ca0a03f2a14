# SPDX-License-Identifier: GPL-2.0-only
"""A check as a page: the verdict, findings, claims, every check, the patch with its marks, mutants."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.report.derived import reached_text
from harness.report.document import Case, Document, merged
from harness.report.html.listing import Listing, Marks, Note, listing, missed_by_line
from harness.report.html.message import pieces, said_at
from harness.report.html.mutants import fates, survivors
from harness.report.html.page import render_page
from harness.report.html.trace import Trace, view
from harness.report.mutate import strength_line
from harness.report.outline import Outline, of_check
from harness.report.series import series_lines
from harness.report.text import also, finding_words, hidden_state, judged_word, options, tool_line

NAMED = ("claim", "promise", "layout", "configuration", "documentation")  # whose sentences are a table


@dataclass(frozen=True)
class Also:
    """Other cases of one finding that say the same."""

    cases: tuple[Case, ...]
    said: str
    spread: str
    trace: Trace | None


@dataclass(frozen=True)
class Finding:
    """One finding: its plainest case, what is said of it, its trace, the cases that it also is."""

    id: str
    case: Case
    words: tuple[str, ...]
    trace: Trace | None
    also: tuple[Also, ...]
    href: str


@dataclass(frozen=True)
class Claim:
    """A case with its sentence: what shows it, as calls in one line, and where the page has that trace."""

    id: str
    case: Case
    title: str
    witness: str
    trace: Trace | None
    href: str
    said: str = ""  # where the message says it


@dataclass(frozen=True)
class Suite:
    """Every check of one contract."""

    name: str
    title: str
    counts: str
    cases: tuple[tuple[Case, str], ...]  # with what is beside its title


def check_page(document: Document, strict: bool = False) -> str:
    """The page of a check."""
    outline = of_check(document, strict)
    notes = (*notes_of(document), *survivors(document.strength))
    shown = listing(document.patches, Marks(document.coverage, document.strength, notes))
    blocks = list(merged(document.findings))
    series = list(series_lines(document))
    known = [case for case in document.cases if case.verdict == "fail" and not case.blamed]
    parts = claims(document)
    sentences: dict[str, str] = {}
    for id, case in (each for cases in parts.values() for each in cases):
        sentences.setdefault(case.quote, f"#{id}")
    messages = [pieces(patch.message, sentences, f"said-{number}-")
                for number, patch in enumerate(document.patches, 1)]  # fmt: skip
    places = said_at(messages)
    found = {key(case): f"#finding-{number}" for number, block in enumerate(blocks, 1) for case in block}
    found |= {key(case): f"#known-{number}" for number, case in enumerate(known, 1)}
    return render_page(
        "check.html.j2",
        outline=outline,
        remarks=[said for said in outline.remarks if said not in series],
        series=series,
        document=document,
        listing=shown,
        findings=[finding(document, shown, block, f"finding-{n}") for n, block in enumerate(blocks, 1)],
        known=[finding(document, shown, (case,), f"known-{n}") for n, case in enumerate(known, 1)],
        claims=[
            (part, [claim(id, case, found, places.get(sentences[case.quote], "")) for id, case in cases])
            for part, cases in parts.items()
        ],
        messages=messages,
        unknown=unknown(document),
        suites=[suite(outline, number) for number in range(len(outline.suites))],
        saved=saved(document),
        reached=[
            (text, view(case.table) if case else None) for _, text, case in reached_text(document, True)
        ],
        compiler=list(dict.fromkeys(said for part in document.parts for said in part.warnings)),
        hidden=hidden_state(document),
        missed=missed_by_line(document.coverage) if document.coverage else [],
        fates=fates(document.strength, shown),
        strength=strength_line(document.strength) if document.strength else "",
        configurations=list(configurations(document)),
        judged=judged,
        known_word=known_word,
        tool=tool_line(document),
    )


def finding(document: Document, shown: Listing, block: Sequence[Case], id: str) -> Finding:
    """One finding."""
    case = block[0]
    others = []
    for said, same in itertools.groupby(block[1:], key=lambda other: also(other, case)):
        cases = tuple(same)
        trace = view(cases[0].table) if cases[0].calls != case.calls else None
        others.append(Also(cases, *said, trace))
    return Finding(id, case, tuple(finding_words(document, case)), view(case.table), tuple(others),
                   shown.href(case.file, case.line, case.source) if case.file else "")  # fmt: skip


def key(case: Case) -> tuple[str, str, str]:
    """What tells a finding from all others."""
    return case.contract, case.id, case.within


def notes_of(document: Document) -> Iterator[Note]:
    """What stands below lines of the patch: findings, then what is known of already."""
    known = [case for case in document.cases if case.verdict == "fail" and not case.blamed]
    for kind, word, id, cases in (
        ("fail", "FINDING", "finding", [block[0] for block in merged(document.findings)]),
        ("known", "", "known", known),
    ):
        for number, case in enumerate(cases, 1):
            if case.file:
                said = f"does not hold: {case.title}"
                href = f"#{id}-{number}"
                yield Note(case.file, case.line, kind, word or known_word(case), href, said, case.source)


def known_word(case: Case) -> str:
    """Why what fails is no finding, in a word."""
    return "base" if case.inherited else "known"


def claims(document: Document) -> dict[str, list[tuple[str, Case]]]:
    """The claims of each part of the patch, and what else has a sentence of its own, each with its id."""
    found: dict[str, list[tuple[str, Case]]] = {}
    named = [c for c in document.cases if c.group == "claim" or (c.group in NAMED and c.quote)]
    for number, case in enumerate(named, 1):
        part = f"{case.part}, {case.within}" if case.within else case.part
        found.setdefault(part, []).append((f"claim-{number}", case))
    return found


def claim(id: str, case: Case, found: Mapping[tuple[str, str, str], str], said: str) -> Claim:
    """One claim and what shows it; findings are where `found` says."""
    calls = [row.call for row in case.table.rows if row.call != "(initial)"]
    witness = ", ".join(calls) or "(initial)" * bool(case.table.rows)
    href = found.get(key(case), "") if case.verdict == "fail" else ""
    title = case.title.removeprefix(f"{case.part}: ")
    return Claim(id, case, title, witness, None if href else view(case.table), href, said)


def unknown(document: Document) -> list[tuple[str, list[Case]]]:
    """What nothing is known of, by its reason."""
    reasons: dict[str, list[Case]] = {}
    for case in document.cases:
        if case.verdict == "unknown":
            reasons.setdefault(case.reason, []).append(case)
    return list(reasons.items())


def suite(outline: Outline, number: int) -> Suite:
    """Every check of one contract."""
    one = outline.suites[number]
    words = {"fail": "failed", "unknown": "unknown", "pass": "passed"}
    counted = [(sum(case.verdict == verdict for case in one.cases), word) for verdict, word in words.items()]
    said = ", ".join(f"{count:,} {word}" for count, word in counted if count)
    cases = tuple((case, case.reason or case.detail or case.explained) for case in one.cases)
    return Suite(one.name, one.title, said, cases)


def saved(document: Document) -> list[tuple[str, str, str, str]]:
    """What became of saved traces: verdict, file, title, how."""
    return [(each["verdict"], each["file"], each["title"], "; ".join((*each["how"], *each["notes"])))
            for each in document.replays]  # fmt: skip


def configurations(document: Document) -> Iterator[tuple[str, str]]:
    """The options that each contract sets: the first's, then where others need others."""
    if not document.parts:
        return
    said = document.parts[0].config
    yield document.parts[0].name, options(said)
    for part in document.parts[1:]:
        own = {name: value for name, value in part.config.items() if said.get(name, False) != value}
        if own:
            yield part.name, options(own)


def judged(case: Case) -> str:
    """How much a check judged."""
    return f"{case.judged:,} {judged_word(case)}" if case.judged else ""
