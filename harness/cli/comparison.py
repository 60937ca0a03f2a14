# SPDX-License-Identifier: GPL-2.0-only
"""The comparison that `kconform diff` asks for, and what became of saved findings."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import replace
from pathlib import Path

from extractor.promise import promise
from harness.build import cache_folder
from harness.diff.compare import Setting
from harness.diff.result import DiffResult
from harness.diff.revisions import both, opened_both
from harness.diff.run import Wanted, compare_revisions
from harness.inputs import Given, tuple_of
from harness.replay import read_folder, replay_all
from harness.report.page import wrapped
from harness.scratch import scratch_folder
from harness.stage import Replayed, Revision, Stage

EXPECTED = "they were expected to do the same"
FATES = {
    "gone": "fixed",
    "still there": "still there",
    "changed": "changed",
    "cannot be run": "cannot be run",
}


def diff_of(options: argparse.Namespace, setting: Setting) -> DiffResult:
    """The comparison that a command line asks for."""
    first, second = both(options.revision, options.tree or "", options.rev or "")
    with contextlib.ExitStack() as stack:
        old, new = stack.enter_context(opened_both(first, second, options, options.file))
        folder = stack.enter_context(scratch_folder(cache_folder()))
        wanted = Wanted(tuple(options.file), options.cost)
        result = replace(compare_revisions(old, new, setting, folder, wanted), patches=new.patches)
        if options.traces:
            result = replace(result, replay_lines=carried_over(new, options.traces, setting, folder))
    if not options.expect_same:
        return result
    said = promise(new.patches, new.cover)
    return replace(result, promise=f'the patch says: "{said}"' if said else EXPECTED)


def carried_over(new: Given, traces: str, setting: Setting, folder: Path) -> tuple[str, ...]:
    """What became of the findings saved in a folder, on the new revision."""
    saved, damaged = read_folder(Path(traces))
    stage = folder / "traces"
    stage.mkdir()
    revision = Revision(new.patches, tuple_of(new.items), new.tree)
    replays = [*damaged, *replay_all(saved, Stage(stage), revision, {}, dict(setting.config))]
    lines = [f"findings saved in {traces}, on NEW:" if replays else f"no findings are saved in {traces}"]
    for replayed in replays:
        lines += wrapped(f"{FATES[replayed.verdict]}: {name_of(replayed)}", "  ")
    return (*lines, "")


def name_of(replayed: Replayed) -> str:
    """A saved finding by its check, and how it changed."""
    what = replayed.trace.id if replayed.trace else replayed.name
    return what + (f": {'; '.join(replayed.how)}" if replayed.how else "")
