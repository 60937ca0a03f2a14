# SPDX-License-Identifier: GPL-2.0-only
"""A result, and a list of items, as JSON (schema 1)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from extractor.items import Item
from extractor.patch import Patch
from harness.check import Part, Result, tool_facts
from harness.driver import COMPLETE
from harness.explore import ENDS
from harness.judge import Check
from harness.replay import Replayed
from harness.report.coverage import coverage_json
from harness.report.derived import derived_words
from harness.report.mutate import strength_data
from harness.report.text import beyond
from harness.trace import values_seen


def patch_json(patches: Sequence[Patch]) -> dict[str, Any]:
    """What was checked."""
    return {
        "subject": "; ".join(p.subject for p in patches),
        "files": [file.path for p in patches for file in p.files],
        "sha256": ",".join(p.sha256 for p in patches),
        "notes": [note for p in patches for note in p.notes],
    }


def tree_json(result: Result) -> dict[str, Any] | None:
    """The kernel tree that was checked, or that the patch is on."""
    if not result.request.tree:
        return None
    return {"name": result.request.tree, "notes": list(result.request.notes)}


def check_json(result: Result) -> str:
    """The JSON of `kconform check`."""
    return json.dumps(check_data(result), indent=1) + "\n"


def check_data(result: Result) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "schema": 1,
        "patch": patch_json(result.patches),
        "tree": {"name": result.request.tree, "notes": list(result.request.notes)}
        if result.request.tree
        else None,
        **(
            part_json(result, result.main) if result.parts else {}
        ),  # of the contract that reaches most of the patch
        "contracts": [
            {"name": p.name, "title": p.loaded.contract.title} | part_json(result, p) for p in result.parts
        ],
        "not_compiled": [{"contract": name, "reason": why} for name, why in result.failed.items()],
        "coverage": coverage_json(result.coverage) if result.coverage else None,
        "strength": strength_data(result.strength) if result.strength else None,
        "checks": [one(check) for check in result.checks],
        "outlooks": [one(check) for check in result.outlooks],
        "reached": [one(check) for check in result.reached],
        "base": list(result.base),
        "derived": derived_words(result),
        "not_checked": [
            *(said for part in result.parts for said in part.loaded.contract.unjudged),
            *(f"{i.file}: {i.name} ({i.completeness})" for i in result.unused),
            *result.request.near,
            *result.partial,
            *beyond(result),
        ],
        "traces": [replay_json(replayed) for replayed in result.replays],
        "hidden_state": list(result.hidden_state),
        "warnings": [{"file": w.file, "line": w.line, "text": w.text} for w in result.warnings],
        "tool": tool_facts() | {"contract": result.main.name if result.parts else ""},
    }


def part_json(result: Result, part: Part) -> dict[str, Any]:
    """What was compiled and run of one contract."""
    explored, watched = part.runs.explored, part.runs.watched
    return {
        "config": {name: "y" if value else "n" for name, value in sorted(part.loaded.options.items())},
        "subject": {
            "functions": list(part.piece.functions),
            "fragments": list(part.piece.shown),
            "shims": sorted(part.piece.outside.keys() - {u.name for u in part.unresolved}),
            "unresolved": [
                {"name": u.name, "user": u.user, "file": u.file, "line": u.line, "reason": u.reason}
                for u in part.unresolved
            ],
        },
        "bounds": dict(part.loaded.bounds),
        "explored": {
            "states": explored.states,
            "kept": explored.kept,
            "symmetry": explored.symmetric,
            "transitions": explored.transitions,
            "depth": explored.depth,
            "bytes_per_state": round(explored.bytes / max(explored.kept, 1), 1),
            "complete": explored.end == COMPLETE and not part.unreached,
            "reason": ENDS.get(explored.end, "not every call came back" if part.unreached else ""),
            "unreached": list(part.unreached),
        },
        "walk": walk_json(result, part),
        "sanitizers": {"transitions": watched[0].transitions} if watched else None,
    }


def walk_json(result: Result, part: Part) -> dict[str, Any] | None:
    """The random walk, for whoever repeats it."""
    walked = part.runs.walked
    if not walked:
        return None
    return {"seed": result.request.seed, "transitions": walked[0].transitions,
            "bounds": dict(part.wide.bounds)}  # fmt: skip


def one(check: Check) -> dict[str, Any]:
    """One check."""
    return {
        "id": check.id,
        "group": check.group,
        "contract": check.contract,
        "part": check.part,
        "verdict": check.verdict,
        "title": check.title,
        "quote": check.quote,
        "reason": check.reason or check.detail,
        "doubt": check.doubt,
        "judged": check.judged,
        "failed": check.failed if check.verdict == "fail" else 0,
        "common": list(check.common) if check.verdict == "fail" else [],
        "found": "walk" if check.wide else "exploration",
        "trace": [
            {
                "op": step.op or "initial",
                "args": dict(step.args),
                "observed": dict(step.observed) | ({"stopped": step.why} if step.why else {}),
                "expected": dict(step.expected),
            }
            for step in check.trace
        ],
        "where": {"file": check.file, "line": check.line} if check.file else None,
    } | ({"base": [dict(values_seen(step)) for step in check.beside]} if check.beside else {})


def replay_json(replayed: Replayed) -> dict[str, Any]:
    """What became of one trace."""
    trace, loaded = replayed.trace, replayed.loaded
    return {
        "file": replayed.name,
        "id": trace.id if trace else "",
        "title": trace.title if trace else "",
        "verdict": replayed.verdict,
        "how": list(replayed.how),
        "failing": list(replayed.failing),
        "notes": list(replayed.notes),
        "contract": trace.contract if trace else "",
        "bounds": dict(loaded.bounds) if loaded else {},
        "patch": {
            "subject": "; ".join(p.subject for p in replayed.revision.patches) if replayed.revision else "",
            "sha256": ",".join(p.sha256 for p in replayed.revision.patches) if replayed.revision else "",
            "recorded": ",".join(diff.sha256 for diff in trace.patches) if trace else "",
        },
        "trace": [
            {
                "op": step.op or "initial",
                "args": dict(step.args),
                "observed": values_seen(step),
                "expected": dict(step.expected),
                "was": dict(trace.steps[number].observed) if trace else {},
            }
            for number, step in enumerate(replayed.steps)
        ],
    }


def replays_json(replays: Sequence[Replayed]) -> str:
    """The JSON of `kconform replay`."""
    return json.dumps({"schema": 1, "replays": [replay_json(r) for r in replays]}, indent=1) + "\n"


def items_json(items: Sequence[Item]) -> str:
    """The JSON of `kconform extract`."""
    said = [
        {
            "kind": item.kind,
            "name": item.name,
            "file": item.file,
            "line": item.line,
            "condition": " && ".join(item.condition),
            "origin": item.origin,
            "completeness": item.completeness,
            "signature": item.signature,
            "parent": item.parent,
        }
        for item in items
    ]
    return json.dumps({"schema": 1, "items": said}, indent=1) + "\n"
