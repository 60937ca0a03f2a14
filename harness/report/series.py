# SPDX-License-Identifier: GPL-2.0-only
"""What each patch of a series brings and mends, and what its base had already, a line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.lists import few
from harness.report.document import After, Document, PatchText


def labels_of(whole: Document) -> list[str]:
    """The patches by their places and subjects."""
    return [label(whole.patches, number) for number in range(len(whole.patches))]


def label(patches: Sequence[PatchText], number: int) -> str:
    """A patch by its place and subject."""
    return f"{number + 1}/{len(patches)} {title(patches[number])}"


def title(patch: PatchText) -> str:
    """Its subject without what stands in brackets before it."""
    text = patch.subject
    while text.startswith("[") and "]" in text:
        text = text.partition("]")[2].lstrip()
    return text or patch.source


def series_lines(whole: Document) -> Iterator[str]:
    """What the base fails, and what each patch of a series brings and mends."""
    if not whole.history:
        return
    if not whole.history[0].patches:
        yield from base_lines(whole, whole.history[0], whole.history[-1])
    labels = labels_of(whole)
    if len(labels) < 2:
        return
    by_patches = {one.patches: one for one in whole.history}
    for number, said in enumerate(labels, 1):
        brings = [case.id for case in whole.cases
                  if case.verdict == "fail" and said in case.brought.split(" or ")]  # fmt: skip
        mends = [case.id for case in whole.cases if case.mended == said]
        mends += mended_of_base(whole, number)
        words = [f"brings {few(brings, 4)}"] if brings else []
        words += [f"mends {few(mends, 4)}"] if mends else []
        here = by_patches[number]
        words += [f"not judged by {name}: {why}" for name, why in here.lost.items()]
        if not here.judged and not here.lost:
            words.append(f"not judged: {next(iter(here.unfit.values()), 'no contract fits yet')}")
        yield f"{said}: {'; '.join(words) or 'no finding of its own'}"


def mended_of_base(whole: Document, number: int) -> list[str]:
    """What the base fails and, for the first time, the tree does not after a patch."""
    before, here = whole.history[0], next(one for one in whole.history if one.patches == number)
    if before.patches:
        return []
    earlier = [one for one in whole.history if one.patches < number]
    return [id for fingerprint, id in before.failing.items()
            if fingerprint not in here.failing and not here.lost
            and all(fingerprint in one.failing or one.lost for one in earlier)]  # fmt: skip


def base_lines(whole: Document, base: After, end: After) -> Iterator[str]:
    """What the base has of findings, and what of these the patches mend."""
    there = [case.id for case in whole.cases if case.inherited]
    gone = [id for fingerprint, id in base.failing.items() if fingerprint not in end.failing]
    if there:
        yield f"the base fails these as well, so they are no findings of the patch: {few(there, 6)}"
    if gone:
        yield f"mends of its base: {few(gone, 6)}"
    for name, reason in {**base.unfit, **base.lost}.items():
        if name in end.judged:
            yield f"the base was not judged by {name}: {reason}"
