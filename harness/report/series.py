# SPDX-License-Identifier: GPL-2.0-only
"""What each patch of a series brings and mends, and what its base had already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.check import Result
from harness.prefixes import Stage
from harness.report.document import Case, Document, PatchText
from harness.report.page import few
from harness.report.words import document

# What must hold after each patch, not only after the last: documents may come behind the code.
AT_ONCE = ("claim", "crash", "sanitizer", "conformance", "misuse", "layout", "configuration")


@dataclass(frozen=True)
class After:
    """What fails after so many patches, by fingerprint, and which contracts were judged there."""

    patches: int
    failing: dict[str, Case]
    judged: frozenset[str]
    lost: dict[str, str]


def with_stages(whole: Document, before: Sequence[Stage]) -> Document:
    """`whole`, with the stages before it: who brings each finding, what is mended, what the base has."""
    if not before:
        return whole
    history = [*after_each(before), last(whole)]
    base = history[0] if history[0].patches == 0 else None
    labels = [label(whole.patches, number) for number in range(len(whole.patches))]
    inherited = frozenset(base.failing) if base else frozenset[str]()
    cases = [blamed(case, history, labels, case.fingerprint in inherited) if case.verdict == "fail" else case
             for case in whole.cases]  # fmt: skip
    cases += passing(history, labels, inherited)
    made = replace(whole, cases=tuple(cases))
    return replace(made, series=(*base_lines(base, history[-1]), *patch_lines(made, history, labels)))


def after_each(before: Sequence[Stage]) -> Iterator[After]:
    """The stages as what fails there."""
    made: dict[int, tuple[Result, Document]] = {}
    for stage in before:
        failing: dict[str, Case] = {}
        for name, result in stage.results.items():
            _, said = made.setdefault(id(result), (result, document(result)))
            failing |= {c.fingerprint: c for c in said.cases if c.verdict == "fail" and c.contract == name}
        yield After(stage.patches, failing, frozenset(stage.results), dict(stage.lost))


def last(whole: Document) -> After:
    """The whole as a stage."""
    failing = {case.fingerprint: case for case in whole.cases if case.verdict == "fail"}
    return After(len(whole.patches), failing, frozenset(case.contract for case in whole.cases), {})


def label(patches: Sequence[PatchText], number: int) -> str:
    """A patch by its place and subject."""
    return f"{number + 1}/{len(patches)} {title(patches[number])}"


def title(patch: PatchText) -> str:
    """Its subject without what stands in brackets before it."""
    text = patch.subject
    while text.startswith("[") and "]" in text:
        text = text.partition("]")[2].lstrip()
    return text or patch.source


def blamed(case: Case, history: Sequence[After], labels: Sequence[str], inherited: bool) -> Case:
    """A finding of the whole with the patch after which it is there; or as one of the base."""
    if inherited:
        return replace(case, inherited=True)
    first = len(history) - 1
    while first and case.fingerprint in history[first - 1].failing:
        first -= 1
    several = len(labels) > 1 and history[first].patches
    return replace(case, brought=labels[history[first].patches - 1]) if several else case


def passing(history: Sequence[After], labels: Sequence[str], inherited: frozenset[str]) -> Iterator[Case]:
    """Findings that a patch brings and a later one mends: each for the first stretch in which it is there."""
    known = {*history[-1].failing, *inherited}
    for at, here in enumerate(history[:-1]):
        for fingerprint, case in here.failing.items():
            if fingerprint in known or not here.patches or not counts(case):
                continue
            known.add(fingerprint)
            end = at
            while fingerprint in history[end + 1].failing:
                end += 1
            first, after = here.patches, history[end].patches
            gone = case.contract in history[end + 1].judged
            where = f"after patch {first}" if first == after else f"after patches {first} to {after}"
            yield replace(case, brought=labels[first - 1], mended=labels[after] if gone else "",
                          within=f"{where} of {len(labels)}")  # fmt: skip


def counts(case: Case) -> bool:
    """Whether what fails must hold after each patch; what the cover letter says is of the whole."""
    return case.group in AT_ONCE and (case.group != "claim" or case.says in ("the patch", "the contract"))


def base_lines(base: After | None, end: After) -> Iterator[str]:
    """What the base has of findings, and what of these the patches mend."""
    if base is None:
        return
    there = [case.id for fingerprint, case in base.failing.items() if fingerprint in end.failing]
    gone = [case.id for fingerprint, case in base.failing.items()
            if fingerprint not in end.failing and case.contract in end.judged]  # fmt: skip
    if there:
        yield f"the base fails these as well, so they are no findings of the patch: {few(there, 6)}"
    if gone:
        yield f"mends of its base: {few(gone, 6)}"
    for name, reason in base.lost.items():
        if name in end.judged:
            yield f"the base was not judged by {name}: {reason}"


def patch_lines(whole: Document, history: Sequence[After], labels: Sequence[str]) -> Iterator[str]:
    """A line a patch: what it brings, what it mends."""
    if len(labels) < 2:
        return
    by_patches = {one.patches: one for one in history}
    for number, said in enumerate(labels, 1):
        brings = [case.id for case in whole.cases if case.verdict == "fail" and case.brought == said]
        mends = [case.id for case in whole.cases if case.mended == said]
        words = [f"brings {few(brings, 4)}"] if brings else []
        words += [f"mends {few(mends, 4)}"] if mends else []
        here = by_patches[number]
        if not here.judged:
            words.append(f"not judged: {next(iter(here.lost.values()), 'no contract fits yet')}")
        yield f"{said}: {'; '.join(words) or 'no finding of its own'}"
