# SPDX-License-Identifier: GPL-2.0-only
"""Interface and behaviour of two revisions compared, from their items to a result."""

from __future__ import annotations

from pathlib import Path

from harness.build import engine_library
from harness.diff.compare import Setting, compared, matched
from harness.diff.result import DiffResult
from harness.inputs import Given


def compare_revisions(old: Given, new: Given, setting: Setting, folder: Path) -> DiffResult:
    """Interface and behaviour of two revisions; what is compiled is below `folder`."""
    pairs, lone = matched(setting, old.items, new.items, {})
    below = folder / "contracts"
    below.mkdir()
    engine = old.engine or new.engine or engine_library(below)
    done, failed = compared(pairs, setting, below, engine)
    return DiffResult((old.title, new.title), tuple(done), failed, tuple(lone))
