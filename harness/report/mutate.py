# SPDX-License-Identifier: GPL-2.0-only
"""What became of mutants, as text and as plain data."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from harness.mutate import Judged, Strength

WIDTH = 100
WHY_ALIVE = {
    "same": "no call within the bounds tells it from the patch",
    "misuse": "every legal call within the bounds does the same; only how often misuse warns differs",
    "differs": "legal calls do other things, and no check minds",
}


def strength_line(strength: Strength) -> str:
    """The score in one line."""
    real = len(strength.killed) + len(strength.survived)
    return (
        f"strength: {len(strength.killed)} of {real} mutants killed ({100 * strength.score:.1f} %); "
        f"{len(strength.equivalent)} more are equivalent"
    )


def strength_text(strength: Strength, what: str) -> str:
    """The report: the score, who killed, then every survivor and every equivalent mutant."""
    bounds = ", ".join(f"{name}={value}" for name, value in strength.bounds.items())
    lines = [strength_line(strength), f"of {what}", f"{strength.total} mutants, bounds {bounds}"]
    lines += wrapped(f"killed by {killers(strength.killed)}", "")
    for judged in strength.survived:
        lines += ["", *shown(strength, judged, "SURVIVED"), f"  {WHY_ALIVE[judged.fate]}"]
    for judged in strength.equivalent:
        lines += ["", *shown(strength, judged, "equivalent"), f"  {judged.by}"]
    if strength.broken:
        lines += ["", f"not compiled, and not counted: {len(strength.broken)}"]
        for judged in strength.broken:
            lines += wrapped(f"{where(judged)}: {judged.by}", "  ")
    return "\n".join(lines) + "\n"


def wrapped(text: str, indent: str) -> list[str]:
    """`text` within the width."""
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ",
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def killers(killed: Sequence[Judged]) -> str:
    """How many each group of checks killed."""
    groups = Counter(judged.by.partition("/")[0] for judged in killed)
    return ", ".join(f"{group} {number}" for group, number in groups.most_common()) or "none"


def where(judged: Judged) -> str:
    """The place of a mutant's edit."""
    return f"{judged.mutant.file}:{judged.mutant.line}"


def shown(strength: Strength, judged: Judged, word: str) -> Iterator[str]:
    """A mutant's place and operator, and its diff."""
    yield f"{word} {where(judged)}  {judged.mutant.operator}"
    for line in strength.diff(judged.mutant):
        yield f"    {line}"


def strength_json(strength: Strength) -> str:
    """The JSON of `kconform mutate`."""
    return json.dumps(strength_data(strength), indent=1) + "\n"


def strength_data(strength: Strength) -> dict[str, Any]:
    """Every mutant, in the list of its fate."""
    return {
        "schema": 1,
        "total": strength.total,
        "score": round(strength.score, 4),
        "bounds": dict(strength.bounds),
        "killed": [one(strength, judged) | {"by": judged.by} for judged in strength.killed],
        "equivalent": [one(strength, judged) | {"why": judged.by} for judged in strength.equivalent],
        "survived": [one(strength, judged) | {"why": WHY_ALIVE[judged.fate]} for judged in strength.survived],
        "not_compiled": [one(strength, judged) | {"why": judged.by} for judged in strength.broken],
    }


def one(strength: Strength, judged: Judged) -> dict[str, Any]:
    """One mutant."""
    mutant = judged.mutant
    return {
        "file": mutant.file,
        "line": mutant.line,
        "column": mutant.column,
        "item": mutant.item,
        "operator": mutant.operator,
        "before": mutant.before,
        "after": mutant.after,
        "calls": judged.calls,
        "diff": strength.diff(mutant),
    }
