# SPDX-License-Identifier: GPL-2.0-only
"""`kconform replay`: saved findings, run again."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from harness.cli.options import add_config, add_tree, config_of
from harness.inputs import given, tuple_of

EPILOG = """exit status: 0 all are gone, 1 at least one is still there or changed, 2 one cannot be run."""


def add(commands: Any) -> None:
    """Its grammar."""
    replay = commands.add_parser("replay", help="run saved findings again", epilog=EPILOG)
    replay.add_argument("trace", nargs="+", metavar="TRACE")
    replay.add_argument("--patch", nargs="+", metavar="PATCH", help="another revision than the trace's own")
    add_tree(replay)
    replay.add_argument("--contract", metavar="NAME|FILE.py", help="for the traces of the contract it has")
    add_config(replay)
    replay.add_argument("--format", choices=("text", "json"), default="text")
    replay.set_defaults(run=run_replay, latest=False, prefix=None)


def run_replay(options: argparse.Namespace) -> int:
    """`kconform replay`."""
    from harness.build import cache_folder
    from harness.loading import contract_path, load
    from harness.replay import Revision, Stage, replay_all
    from harness.report.json import replays_json
    from harness.report.replay import replays_text
    from harness.scratch import scratch_folder
    from harness.trace_file import clean, read_trace

    config = config_of(options.config)
    traces = [(clean(name), read_trace(Path(name))) for name in options.trace]
    own = load(contract_path(options.contract), {}) if options.contract else None
    contracts = {own.contract.name: own} if own else {}
    with contextlib.ExitStack() as opened:
        revision = None
        if options.patch or options.tree:
            on = opened.enter_context(given(options))
            revision = Revision(on.patches, tuple_of(on.items), on.tree)
        folder = opened.enter_context(scratch_folder(cache_folder()))
        replays = list(replay_all(traces, Stage(folder), revision, contracts, config))
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    sys.stdout.write(replays_json(replays) if options.format == "json" else replays_text(replays, color))
    lost = [replayed for replayed in replays if replayed.verdict == "cannot be run"]
    for replayed in lost:
        print(f"{replayed.name}: error: cannot be run: {'; '.join(replayed.how)}", file=sys.stderr)
    bad = any(replayed.verdict in ("still there", "changed") for replayed in replays)
    return 1 if bad else 2 if lost else 0
