# SPDX-License-Identifier: GPL-2.0-only
"""A patch held to its promise that nothing changes: its base and itself, driven together."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from harness.build import cache_folder
from harness.diff.blocks import Block
from harness.diff.compare import Setting
from harness.diff.result import CHANGED, DiffResult
from harness.diff.revisions import Named, opened, touched_by
from harness.diff.run import compare_revisions
from harness.inputs import Given
from harness.judge import Check
from harness.lists import few
from harness.report.diff import difference, explored, following, values
from harness.report.page import wrapped
from harness.scratch import scratch_folder

PROMISED = "promise/no-functional-change"
FATES = {"mended": "the base breaks this claim, and the patch does not",
         "broken anew": "the base keeps this claim, and the patch does not"}  # fmt: skip
TITLE = "what the patch changes does what it did in its base"


def against_base(options: argparse.Namespace, revision: Given, setting: Setting) -> DiffResult:
    """What a patch does otherwise than the tree that it is on."""
    with (
        scratch_folder(cache_folder()) as folder,
        opened(base_of(options), options, touched_by(revision)) as base,
    ):
        return compare_revisions(base, revision, setting, Path(folder))


def base_lines(result: DiffResult) -> list[str]:
    """The differences from the base, for the report of a check that has no model: they are no findings."""
    if not result.compared:
        return []
    if result.status != 1:
        said = "; ".join(explored(one) for one in result.compared)
        same = "no difference from the base" if result.status == 0 else "no difference from the base found"
        return wrapped(f"{same}: {said}", "")
    lines = wrapped("what the patch does otherwise than its base (OLD is the base, NEW the patch); whether "
                    "it should, no model says:", "")  # fmt: skip
    for block, others in result.differences:
        lines += [*difference(block, others, False), ""]
    for one in result.compared:
        lines += following(result.blocks_of(one), False)
    return lines


def base_of(options: argparse.Namespace) -> Named:
    """The tree without the patches."""
    if not options.range:
        return Named(options.tree, options.rev or "")
    from harness.tree.commits import commits

    return Named(options.tree, commits(options.tree, options.range).base)


def checks(result: DiffResult, sentence: str) -> Iterator[Check]:
    """Each difference as a finding; without one, a pass with its bounds, or unknown."""
    for one in result.compared:
        for block in result.blocks_of(one):
            yield finding(block, sentence)
        for fate in result.fates_of(one):
            if fate.how in CHANGED:
                yield Check(f"promise/{fate.claim.id}", "promise", "fail", fate.claim.title, sentence,
                            failed=1, judged=1, contract=one.matched.name, part=TITLE,
                            detail=FATES.get(fate.how, "only one of the two keeps this"))  # fmt: skip
    if result.status == 0:
        said = "; ".join(explored(one) for one in result.compared)
        judged = sum(one.driven.calls for one in result.compared if one.driven)
        yield Check(PROMISED, "promise", "pass", TITLE, sentence, detail=said, part=TITLE, judged=judged)
    elif result.status == 2:
        lost = [*result.uncompared, *(f"{name}: {reason}" for name, reason in result.failed.items())]
        names = list(dict.fromkeys(line.partition(":")[0] for line in lost))
        why = "not all was explored"
        if lost:
            why = lost[0] if len(names) == 1 else f"{lost[0]}; nor were {few(names[1:])}"
        yield Check(PROMISED, "promise", "unknown", TITLE, sentence, reason=why, part=TITLE)


def finding(block: Block, sentence: str) -> Check:
    """One difference from the base."""
    first = block.first
    place = first.places[1] or first.places[0]
    return Check(
        f"promise/{first.op or 'initial'}/{first.check}",
        "promise",
        "fail",
        f"{first.op or 'the initial world'} does otherwise than in the base",
        quote=sentence,
        trace=first.new,
        beside=first.old,
        file=place[0] if place else "",
        line=place[1] if place else 0,
        judged=first.compared,
        failed=first.parted,
        common=first.common,
        detail=values(block.compared, first).replace("in OLD", "in the base").replace("in NEW", "here"),
        wide=first.wide,
        contract=block.compared.matched.name,
        part=TITLE,
        exact=True,
    )
