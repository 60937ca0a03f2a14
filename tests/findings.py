# SPDX-License-Identifier: GPL-2.0-only
"""Findings of every group, of planted defects, as trace files; each defect is checked once a process."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.trace_file import read_trace
from tests.cli import kconform
from tests.planted import DEFECTS, REPAIR, plant
from tests.planted_parts import BITS, CONTRACTS, FREE, IDS, INIT, OFF, PREP, SPLIT
from tests.planted_parts import DEFECTS as PARTS

Edits = tuple[tuple[str, str], ...]
OWNERS = "mm-owner-tracking"
SUB = "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;\n"
SHIFT = (SUB, SUB + "+	mapcount_val += 0 * (1 << (diff + 31));\n")


@dataclass(frozen=True)
class Planted:
    """A check that fails where `edits` are made; what mends it in C, where that is not to undo them."""

    check: str
    contract: str
    edits: Edits = ()
    mended: tuple[str, str] | None = None
    sanitized: bool = False
    name: str = ""

    @property
    def id(self) -> str:
        return self.check


def own(name: str, check: str) -> Planted:
    return Planted(check, OWNERS, (DEFECTS[name],), sanitized=check.startswith("sanitizer"), name=name)


def of_part(part: str, name: str, check: str) -> Planted:
    return Planted(check, CONTRACTS[part], PARTS[part][name][1], name=name)


FINDINGS = (
    Planted("claim/no-false-shared-with-two-mms", OWNERS, (), REPAIR),
    own("wrong sign", "conformance/sub/count1"),
    own("wrong slot", "claim/unmapped-is-exclusive"),
    own("takeover while shared", "claim/no-takeover-while-shared"),
    own("foreign field", "conformance/set/elsewhere"),
    own("second atomic", "claim/one-atomic-rmw-per-update"),
    own("dropped warning", "misuse/set_flag/small-folio"),
    own("dropped warning", "misuse/set_flag/hugetlb-folio/itself"),
    own("null dereference", "crash/sub/count"),
    own("endless loop", "crash/sub/count"),
    own("missing unlock", "crash/deadlock"),
    Planted("sanitizer/sub/shift-out-of-bounds", OWNERS, (SHIFT,), sanitized=True),
    of_part(IDS, "an error is an ID", "conformance/mm_alloc_id/return"),
    of_part(INIT, "asked for twice", "conformance/mm_init/ids"),
    of_part(PREP, "ored instead of assigned", "claim/prepared-folio-starts-clean"),
    of_part(FREE, "inverted", "conformance/free_tail_page_prepare/bad"),
    of_part(SPLIT, "one half", "claim/private-is-zero-after-a-split"),
    of_part(BITS, "getter of ID 0 reads the other", "conformance/folio_set_mm0_id/id0"),
    of_part(OFF, "allocation fails", "conformance/mm_alloc_id/return"),
)


@cache
def folder_of(edits: Edits, contract: str, sanitized: bool) -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """The traces of a check; the first value keeps them alive."""
    kept = tempfile.TemporaryDirectory()
    arguments = [] if sanitized else ["--no-sanitizers"]
    done = kconform("check", "-", "--contract", contract, "--traces", kept.name, "--walk", "0", *arguments,
                    stdin=plant(*edits))  # fmt: skip
    assert done.status == 1, done.err
    return kept, Path(kept.name)


def trace_of(planted: Planted) -> Path:
    """The file of a finding."""
    _, folder = folder_of(planted.edits, planted.contract, planted.sanitized)
    found = [path for path in sorted(folder.glob("*.json")) if read_trace(path).id == planted.check]
    assert found, sorted(path.name for path in folder.iterdir())
    return found[0]
