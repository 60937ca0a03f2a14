# SPDX-License-Identifier: GPL-2.0-only
"""Two revisions beside each other as JSON (schema 1)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from harness.check import tool_facts
from harness.diff.blocks import Block
from harness.diff.compare import Compared
from harness.diff.product import Difference, Place
from harness.diff.result import DiffResult
from harness.driver import COMPLETE
from harness.report.diff import claim_witness, incomplete, values
from harness.report.interface import interface_json
from harness.trace import Step, values_seen

STATUS = {0: "same", 1: "different", 2: "unknown"}


def diff_json(result: DiffResult) -> str:
    """The report, the same for the same input."""
    data = {
        "schema": 1,
        "verdict": STATUS[result.status],
        "summary": result.summary,
        "old": result.titles[0],
        "new": result.titles[1],
        "promise": result.promise,
        "interface": interface_json(result.interface) if result.interface else None,
        "cost": asdict(result.costs) if result.costs else None,
        "contracts": [contract_data(result, compared) for compared in result.compared],
        "not_compared": [*(f"{name}: {why}" for name, why in result.failed.items()), *result.uncompared],
        "notes": list(result.notes),
        "tool": tool_facts(),
    }
    return json.dumps(data, indent=1) + "\n"


def contract_data(result: DiffResult, compared: Compared) -> dict[str, Any]:
    """What one contract says of both."""
    driven, walked = compared.driven, compared.walked
    said: dict[str, Any] = {
        "contract": compared.matched.name,
        "same_code": compared.same_code,
        "bounds": dict(compared.aligned.old.bounds),
        "renamed": dict(compared.matched.renamed),
    }
    if driven:
        said |= {"complete": driven.end == COMPLETE, "pairs": driven.states, "calls": driven.calls,
                 "depth": driven.depth, "walked": walked.walked if walked else 0}  # fmt: skip
    return said | {
        "differences": [block_data(block) for block in result.blocks_of(compared)],
        "claims": [
            {"id": fate.claim.id, "kind": fate.claim.kind, "title": fate.claim.title,
             "sentence": fate.claim.sentence, "fate": fate.how, "trace": claim_witness(fate)}
            for fate in result.fates_of(compared)
        ],
        "left_out": [*compared.aligned.left_out, *(f"{which}: {why}" for which, why in compared.lost)],
        "incomplete": list(incomplete(compared)),
    }  # fmt: skip


def block_data(block: Block) -> dict[str, Any]:
    """One difference, and what goes with it."""
    return {
        "follows": not block.first.rooted,
        "mends": block.mends,
        "breaks": block.breaks,
        "parts": [difference_data(block.compared, found) for found in block.differences],
    }


def difference_data(compared: Compared, found: Difference) -> dict[str, Any]:
    """One check that is not the same."""
    return {
        "operation": found.op,
        "check": found.check,
        "says": values(compared, found),
        "calls": found.parted,
        "of": found.compared,
        "states": found.states,
        "common": list(found.common),
        "against_model": {"old": found.against[0], "new": found.against[1]},
        "found": "walk" if found.wide else "exploration",
        "where": {"old": place_data(found.places[0]), "new": place_data(found.places[1])},
        "trace": [
            {"operation": step.op, "args": dict(step.args), "old": seen(found.old, number),
             "new": seen(found.new, number)}
            for number, step in enumerate(longer(found))
        ],
    }  # fmt: skip


def longer(found: Difference) -> tuple[Step, ...]:
    """The trace of the revision that got further."""
    return found.new if len(found.new) > len(found.old) else found.old


def seen(trace: tuple[Step, ...], number: int) -> dict[str, Any] | None:
    """What one revision showed at a step; None where it did not get so far."""
    return dict(values_seen(trace[number])) if number < len(trace) else None


def place_data(place: Place) -> dict[str, Any] | None:
    """File and line."""
    return {"file": place[0], "line": place[1]} if place else None
