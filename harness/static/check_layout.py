# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts on the layout of the records that a patch extends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.contract import LayoutClaim, StaticContract
from harness.errors import HarnessError
from harness.judge import Check
from harness.static.layout import Field, Layouts


def judge_layout(contract: StaticContract, layouts: Layouts | str) -> Iterator[Check]:
    """One check for each layout claim; `layouts` may be the reason why there are none."""
    for claim in contract.layout:
        yield _judge(claim, layouts)


def _judge(claim: LayoutClaim, layouts: Layouts | str) -> Check:
    name, title = f"layout/{claim.id}", f"struct layout: {claim.title}"
    reason = layouts if isinstance(layouts, str) else _unknown(claim, layouts)
    if reason or isinstance(layouts, str):
        return Check(name, "layout", "unknown", title, claim.sentence, reason=reason)
    judged = len(layouts.after[claim.record].leaves)
    try:
        wrong = claim.holds(layouts)
    except Exception as err:
        raise HarnessError(f"claim {claim.id}: error: {type(err).__name__}: {err}") from None
    if not wrong:
        return Check(name, "layout", "pass", title, claim.sentence, judged=judged)
    field = _to_blame(claim, layouts.added(claim.record), wrong)
    return Check(
        name, "layout", "fail", title, claim.sentence, file=field.file, line=field.line, judged=judged,
        failed=1, detail=wrong + _grown(claim, field), exact=True,
    )  # fmt: skip


def _unknown(claim: LayoutClaim, layouts: Layouts) -> str:
    """Why a claim cannot be judged; empty where it can."""
    lost = next((lost.reason for lost in layouts.lost if lost.name == claim.record), "")
    if lost:
        return lost
    config = " ".join(f"{name}={'y' if on else 'n'}" for name, on in sorted(layouts.config.items()))
    if claim.record not in layouts.before or not layouts.added(claim.record):
        return f"the patch adds no field to {claim.record} with {config}"
    missing = [path for path in claim.fields if layouts.after[claim.record].field(path) is None]
    if missing:
        return f"{claim.record} has no {', '.join(missing)} with {config}"
    if claim.record in layouts.cut:
        return f"the shim has only some fields of {claim.record}, so its offsets are not the kernel's"
    return ""


def _to_blame(claim: LayoutClaim, added: tuple[Field, ...], wrong: str) -> Field:
    """The first added field that is not as large as the patch says, else that is named, else the last."""
    named = set(re.findall(r"\w+", wrong))
    odd = [f for f in added if claim.sizes and claim.sizes.get(f.path) != f.size]
    last = max(added, key=lambda field: field.bit_end)
    return next(iter([*odd, *(f for f in added if f.name in named), last]))


def _grown(claim: LayoutClaim, field: Field) -> str:
    """What is odd about the size of a field."""
    if claim.sizes.get(field.path, field.size) == field.size:
        return ""
    return f"; {field.path} has {field.size} bytes, not {claim.sizes[field.path]}"
