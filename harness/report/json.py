# SPDX-License-Identifier: GPL-2.0-only
"""A check, replays, and a list of items, as JSON (schema 1)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from extractor.items import Item
from extractor.patch import Patch
from extractor.slice import Unresolved
from harness.report.baseline import baseline_lines
from harness.report.coverage import coverage_json
from harness.report.derived import derived_words
from harness.report.document import Case, Document, Part
from harness.report.kernel import WalkAgain, again_data
from harness.report.mutate import strength_data
from harness.report.series import series_lines
from harness.report.shards import Shard, shard_data
from harness.report.text import beyond, hidden_state
from harness.report.words import replay_data
from harness.stage import Replayed


def patch_json(patches: Sequence[Patch]) -> dict[str, Any]:
    """What was checked."""
    return {
        "subject": "; ".join(p.subject for p in patches),
        "files": [file.path for p in patches for file in p.files],
        "sha256": ",".join(p.sha256 for p in patches),
        "notes": [note for p in patches for note in p.notes],
    }


def check_json(document: Document, shard: Shard | None = None) -> str:
    """The JSON of `kconform check`; of a shard, with all that it takes to merge it."""
    data = check_data(document)
    if shard:
        data["shard"] = shard_data(shard, document)
    # What is not the same in the next run stands apart, at the end.
    data["timing"] = {"seconds": document.seconds}
    return json.dumps(data, indent=1) + "\n"


def check_data(document: Document) -> dict[str, Any]:
    """The same as plain data."""
    patches = document.patches
    return {
        "schema": 1,
        "patch": {
            "subject": "; ".join(p.subject for p in patches),
            "files": [file for p in patches for file in p.files],
            "sha256": ",".join(p.sha256 for p in patches),
            "notes": [note for p in patches for note in p.notes],
        },
        "tree": {"name": document.tree, "notes": list(document.tree_notes)} if document.tree else None,
        # Of the contract that reaches most of the patch.
        **(part_data(document, document.parts[0]) if document.parts else {}),
        "contracts": [
            {"name": part.name, "title": part.title} | part_data(document, part) for part in document.parts
        ],
        "not_compiled": [{"contract": name, "reason": why} for name, why in document.failed.items()],
        "coverage": coverage_json(document.coverage) if document.coverage else None,
        "strength": strength_data(document.strength) if document.strength else None,
        "checks": [case_data(case) for case in document.cases],
        "outlooks": [case_data(case) for case in document.outlooks],
        "reached": [case_data(case) for case in document.reached],
        "base": list(document.base),
        "derived": derived_words(document),
        "not_checked": [
            *(said for part in document.parts for said in part.unjudged),
            *(f"{file}: {name} ({completeness})" for file, name, completeness, _ in document.unused),
            *document.near,
            *document.partial,
            *beyond(document),
        ],
        "series": list(series_lines(document)),
        "baseline": list(baseline_lines(document)),
        "traces": list(document.replays),
        "hidden_state": list(hidden_state(document)),
        "warnings": [
            {"file": file, "line": line, "text": text}
            for file, line, text in dict.fromkeys(said for part in document.parts for said in part.warnings)
        ],
        "tool": dict(document.tool),
    }


def part_data(document: Document, part: Part) -> dict[str, Any]:
    """What was compiled and run of one contract."""
    explored = part.explored
    return {
        "config": {name: "y" if value else "n" for name, value in sorted(part.config.items())},
        "subject": {
            "functions": list(part.functions),
            "fragments": list(part.fragments),
            "shims": list(part.shims),
            "unresolved": [lost_data(lost) for lost in part.unresolved],
        },
        "bounds": dict(part.bounds),
        "explored": {
            "states": explored.states,
            "kept": explored.kept,
            "symmetry": explored.symmetry,
            "transitions": explored.transitions,
            "depth": explored.depth,
            "bytes_per_state": explored.bytes_per_state,
            "complete": explored.complete,
            "reason": explored.reason,
            "unreached": list(explored.unreached),
        },
        "walk": walk_data(document, part),
        "sanitizers": {"transitions": part.watched} if part.watched is not None else None,
        "threads": [asdict(one) for one in part.threads],
        "thread_notes": list(part.thread_notes),
        "stress": part.stressed,
    }


def lost_data(lost: Unresolved) -> dict[str, Any]:
    """A name that could not be compiled."""
    return {"name": lost.name, "user": lost.user, "file": lost.file, "line": lost.line,
            "reason": lost.reason}  # fmt: skip


def walk_data(document: Document, part: Part) -> dict[str, Any] | None:
    """The random walk, for whoever repeats it."""
    if part.walked is None:
        return None
    return {"seed": document.seed, "transitions": part.walked, "bounds": dict(part.wide_bounds)}


def case_data(case: Case) -> dict[str, Any]:
    """One check."""
    failed = case.verdict == "fail"
    said: dict[str, Any] = {
        "id": case.id,
        "group": case.group,
        "contract": case.contract,
        "part": case.part,
        "verdict": case.verdict,
        "title": case.title,
        "quote": case.quote,
        "reason": case.reason or case.detail,
        "doubt": case.doubt,
        "judged": case.judged,
        "failed": case.failed if failed else 0,
        "common": list(case.common) if failed else [],
        "found": "walk" if case.wide else "exploration",
        "trace": [
            {"op": step.op, "args": dict(step.args), "observed": dict(step.observed),
             "expected": dict(step.expected)}
            for step in case.trace
        ],
        "where": {"file": case.file, "line": case.line} if case.file else None,
    }  # fmt: skip
    if failed:
        known = {"reason": case.known.reason, "expires": case.known.expires} if case.known else None
        said |= {"kind": case.kind, "fingerprint": case.fingerprint, "known": known,
                 "inherited": case.inherited, "brought": case.brought, "mended": case.mended,
                 "within": case.within, "worsened": case.worsened}  # fmt: skip
    return said | ({"base": [dict(values) for values in case.base]} if case.base else {})


def replays_json(replays: Sequence[Replayed], walks: Sequence[WalkAgain] = ()) -> str:
    """The JSON of `kconform replay`."""
    said = {"schema": 1, "replays": list(map(replay_data, replays)), "walks": list(map(again_data, walks))}
    return json.dumps(said, indent=1) + "\n"


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
