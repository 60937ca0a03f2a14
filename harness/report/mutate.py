# SPDX-License-Identifier: GPL-2.0-only
"""What became of mutants, as text and as plain data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from harness.report.document import MutantRecord, StrengthRecord
from harness.report.page import wrapped
from harness.report.shards import Shard, shard_data


def strength_line(strength: StrengthRecord) -> str:
    """The score in one line."""
    real = len(strength.killed) + len(strength.survived)
    return (
        f"strength: {len(strength.killed)} of {real} mutants killed ({100 * strength.score:.1f} %); "
        f"{len(strength.equivalent)} more are equivalent"
    )


def strength_text(strength: StrengthRecord) -> str:
    """The report: the score, who killed, then every survivor and every equivalent mutant."""
    bounds = ", ".join(f"{name}={value}" for name, value in strength.bounds.items()) or "none"
    lines = [strength_line(strength), f"of {strength.what}", f"{strength.total} mutants, bounds {bounds}"]
    lines += wrapped(f"killed by {killers(strength.killed)}", "")
    for mutant in strength.survived:
        lines += ["", *shown(mutant, "SURVIVED"), f"  {mutant.by}"]
    for mutant in strength.equivalent:
        lines += ["", *shown(mutant, "equivalent"), f"  {mutant.by}"]
    if strength.broken:
        lines += ["", f"not compiled, and not counted: {len(strength.broken)}"]
        for mutant in strength.broken:
            lines += wrapped(f"{where(mutant)}: {mutant.by}", "  ")
    return "\n".join(lines) + "\n"


def killers(killed: Sequence[MutantRecord]) -> str:
    """How many each group of checks killed."""
    groups = Counter(mutant.by.partition("/")[0] for mutant in killed)
    return ", ".join(f"{group} {number}" for group, number in groups.most_common()) or "none"


def where(mutant: MutantRecord) -> str:
    """The place of a mutant's edit."""
    return f"{mutant.file}:{mutant.line}"


def shown(mutant: MutantRecord, word: str) -> Iterator[str]:
    """A mutant's place and operator, and its diff."""
    yield f"{word} {where(mutant)}  {mutant.operator}"
    for line in mutant.diff:
        yield f"    {line}"


def strength_json(strength: StrengthRecord, shard: Shard | None = None) -> str:
    """The JSON of `kconform mutate`; of a shard, with all that it takes to merge it."""
    data = strength_data(strength)
    if shard:
        data["shard"] = shard_data(shard, strength)
    return json.dumps(data, indent=1) + "\n"


def strength_data(strength: StrengthRecord) -> dict[str, Any]:
    """Every mutant, in the list of its fate."""
    return {
        "schema": 1,
        "total": strength.total,
        "score": round(strength.score, 4),
        "bounds": dict(strength.bounds),
        "killed": [one(mutant, "by") for mutant in strength.killed],
        "equivalent": [one(mutant, "why") for mutant in strength.equivalent],
        "survived": [one(mutant, "why") for mutant in strength.survived],
        "not_compiled": [one(mutant, "why") for mutant in strength.broken],
    }


def one(mutant: MutantRecord, key: str) -> dict[str, Any]:
    """One mutant."""
    return {
        "file": mutant.file,
        "line": mutant.line,
        "column": mutant.column,
        "item": mutant.item,
        "operator": mutant.operator,
        "before": mutant.before,
        "after": mutant.after,
        "calls": mutant.calls,
        "diff": list(mutant.diff),
        key: mutant.by,
    }
