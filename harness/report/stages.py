# SPDX-License-Identifier: GPL-2.0-only
"""The findings of a series with who brings and who mends them, from what was judged after each patch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.prefixes import Stage
from harness.report.document import After, Case, Document
from harness.report.series import labels_of
from harness.report.words import document

# What must hold after each patch, not only after the last: documents may come behind the code.
AT_ONCE = ("claim", "crash", "sanitizer", "conformance", "misuse", "layout", "configuration")


def with_stages(whole: Document, before: Sequence[Stage]) -> Document:
    """`whole`, with the stages before it: who brings each finding, what is mended, what the base has."""
    if not before:
        return whole
    found = [failing_cases(stage) for stage in before]
    found.append({case.fingerprint: case for case in whole.cases if case.verdict == "fail"})
    history = [after(stage, cases) for stage, cases in zip(before, found, strict=False)]
    judged = tuple(dict.fromkeys(case.contract for case in whole.cases))
    history.append(After(len(whole.patches), ids(found[-1]), judged, {}))
    labels = labels_of(whole)
    base = found[0] if not history[0].patches else {}
    cases = [blamed(case, history, labels, base.get(case.fingerprint)) if case.verdict == "fail" else case
             for case in whole.cases]  # fmt: skip
    cases += passing(history, found, labels, frozenset(base))
    return replace(whole, cases=tuple(cases), history=tuple(history))


def failing_cases(stage: Stage) -> dict[str, Case]:
    """What fails after a stage, by fingerprint."""
    made: dict[int, Document] = {}
    failing: dict[str, Case] = {}
    for name, result in stage.results.items():
        if id(result) not in made:
            made[id(result)] = document(result)
        said = made[id(result)]
        failing |= {c.fingerprint: c for c in said.cases if c.verdict == "fail" and c.contract == name}
    return failing


def after(stage: Stage, failing: Mapping[str, Case]) -> After:
    """A stage, without its traces."""
    return After(stage.patches, ids(failing), tuple(stage.results), dict(stage.lost))


def ids(failing: Mapping[str, Case]) -> dict[str, str]:
    """The checks by fingerprint."""
    return {fingerprint: case.id for fingerprint, case in failing.items()}


def blamed(case: Case, history: Sequence[After], labels: Sequence[str], base: Case | None) -> Case:
    """A finding of the whole with the patch after which it is there; or as one of the base."""
    if base:
        less = worsened(base, case)
        return replace(case, inherited=not less, worsened=less)
    first = len(history) - 1
    while first and case.fingerprint in history[first - 1].failing:
        first -= 1
    several = len(labels) > 1 and history[first].patches
    return replace(case, brought=labels[history[first].patches - 1]) if several else case


def worsened(base: Case, case: Case) -> str:
    """What a finding of the base was, where it shows in more of the calls now, or after fewer; else ""."""
    if base.wide or case.wide:  # a sample
        return ""
    more = case.failed * base.judged > base.failed * case.judged
    sooner = len(case.trace) < len(base.trace)
    calls = len(base.trace) - 1
    said = f"the base fails it in {base.failed:,} of {base.judged:,}"
    if sooner:
        said += f", after {calls} call{'s' * (calls != 1)} at the least"
    return f"{said}; here it is {case.failed:,} of {case.judged:,}" if more or sooner else ""


def passing(
    history: Sequence[After],
    found: Sequence[Mapping[str, Case]],
    labels: Sequence[str],
    inherited: frozenset[str],
) -> Iterator[Case]:
    """Findings that a patch brings and a later one mends: each for the first stretch in which it is there."""
    known = {*found[-1], *inherited}
    for at, here in enumerate(history[:-1]):
        for fingerprint, case in found[at].items():
            if fingerprint in known or not here.patches or not counts(case):
                continue
            known.add(fingerprint)
            end = at
            while fingerprint in found[end + 1]:
                end += 1
            first, last = here.patches, history[end].patches
            gone = case.contract in history[end + 1].judged
            where = f"after patch {first}" if first == last else f"after patches {first} to {last}"
            yield replace(case, brought=labels[first - 1], mended=labels[last] if gone else "",
                          within=f"{where} of {len(labels)}")  # fmt: skip


def counts(case: Case) -> bool:
    """Whether what fails must hold after each patch; what the cover letter says is of the whole."""
    return case.group in AT_ONCE and (case.group != "claim" or case.says in ("the patch", "the contract"))
