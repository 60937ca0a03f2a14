# SPDX-License-Identifier: GPL-2.0-only
"""The findings of a series with who brings and who mends them, from what was judged after each patch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.prefixes import Stage
from harness.report.document import After, Case, Document
from harness.report.series import labels_of
from harness.report.words import case_of

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
    history.append(After(len(whole.patches), ids(found[-1]), judged, {}, {}))
    labels = labels_of(whole)
    base = found[0] if not history[0].patches else {}
    cases = [blamed(case, history, labels, base.get(case.fingerprint)) if case.verdict == "fail" else case
             for case in whole.cases]  # fmt: skip
    cases += passing(history, found, labels, frozenset(base))
    return replace(whole, cases=tuple(cases), history=tuple(history))


def failing_cases(stage: Stage) -> dict[str, Case]:
    """What fails after a stage, by fingerprint."""
    failing = (case_of(result, check) for name, result in stage.results.items() for check in result.checks
               if check.verdict == "fail" and check.contract == name)  # fmt: skip
    return {case.fingerprint: case for case in failing}


def after(stage: Stage, failing: Mapping[str, Case]) -> After:
    """A stage, without its traces."""
    return After(stage.patches, ids(failing), tuple(stage.results), dict(stage.unfit), dict(stage.lost))


def ids(failing: Mapping[str, Case]) -> dict[str, str]:
    """The checks by fingerprint."""
    return {fingerprint: case.id for fingerprint, case in failing.items()}


def blamed(case: Case, history: Sequence[After], labels: Sequence[str], base: Case | None) -> Case:
    """A finding of the whole with the patch after which it is there; or as one of the base."""
    stays = all(case.fingerprint in one.failing or blind(one, case) for one in history)
    if base and stays:
        less = worsened(base, case)
        return replace(case, inherited=not less, worsened=less)
    first = len(history) - 1
    before = first - 1
    while before >= 0 and (case.fingerprint in history[before].failing or blind(history[before], case)):
        first = before if case.fingerprint in history[before].failing else first
        before -= 1
    several = len(labels) > 1 and history[first].patches
    return replace(case, brought=bringer(history, first, labels, case)) if several else case


def blind(here: After, case: Case) -> bool:
    """Whether a contract that was to be judged there could not be, so that nothing is known of the case."""
    return case.contract in here.lost


def bringer(history: Sequence[After], first: int, labels: Sequence[str], case: Case) -> str:
    """The patch that brings a case; where it could not be judged before that, all that it may be."""
    lowest = first
    while lowest and blind(history[lowest - 1], case) and history[lowest - 1].patches:
        lowest -= 1
    return " or ".join(labels[one.patches - 1] for one in history[lowest : first + 1])


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
    """Findings that a patch brings and a later one mends: each stretch in which one is there."""
    for at, here in enumerate(history[:-1]):
        for fingerprint, case in found[at].items():
            if fingerprint in inherited or not here.patches or not counts(case):
                continue
            if goes_on(history, found, fingerprint, case, at):
                continue
            end = at
            while end + 1 < len(history) and (fingerprint in found[end + 1] or blind(history[end + 1], case)):
                end += 1
            if end == len(history) - 1:
                continue  # the whole has it
            first, last = here.patches, history[end].patches
            gone = case.contract in history[end + 1].judged
            where = f"after patch {first}" if first == last else f"after patches {first} to {last}"
            yield replace(
                case,
                brought=bringer(history, at, labels, case),
                mended=labels[last] if gone else "",
                within=f"{where} of {len(labels)}",
                # Known in between is not known at the end.
                fingerprint=hashlib.sha256(f"{fingerprint} between".encode()).hexdigest()[:16],
            )


def goes_on(
    history: Sequence[After], found: Sequence[Mapping[str, Case]], fingerprint: str, case: Case, at: int
) -> bool:
    """Whether a case at a stage is that of one before, perhaps beyond stages that could not be judged."""
    before = at - 1
    while before >= 0 and blind(history[before], case):
        before -= 1
    return before >= 0 and fingerprint in found[before]


def counts(case: Case) -> bool:
    """Whether what fails must hold after each patch; what the cover letter says is of the whole."""
    return case.group in AT_ONCE and (case.group != "claim" or case.says in ("the patch", "the contract"))
