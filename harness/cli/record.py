# SPDX-License-Identifier: GPL-2.0-only
"""`kconform record`: a long walk of legal calls as a trace, with what was observed after each."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from harness.cli.options import add_config, add_series, add_tree, bounds_of, config_of, count, seed
from harness.errors import HarnessError
from harness.inputs import given, tuple_of

EPILOG = """exit status: 0 the walk is written, 2 it cannot be. `kconform replay` runs it again, and with
--kernel in a kernel."""


def add(commands: Any) -> None:
    """Its grammar."""
    record = commands.add_parser("record", help="a long walk of legal calls as a trace", epilog=EPILOG)
    record.add_argument("patch", nargs="*", metavar="PATCH")
    add_tree(record)
    record.add_argument("--contract", metavar="NAME|FILE.py", help="default: the one that reaches most")
    add_config(record)
    record.add_argument("--bound", action="append", default=[], metavar="NAME=N")
    record.add_argument("--calls", type=count, default=10_000, metavar="N")
    record.add_argument("--seed", type=seed, default=1, metavar="N", help="same seed, same walk")
    record.add_argument("-o", "--output", metavar="FILE", required=True, help="write it there")
    add_series(record)
    record.set_defaults(run=run_record)


def run_record(options: argparse.Namespace) -> int:
    """`kconform record`."""
    from harness.build import cache_folder
    from harness.check import choose, tool_facts
    from harness.export.walks import record
    from harness.scratch import scratch_folder
    from harness.stage import Revision, Stage
    from harness.trace_file import MOST_RECORDED, trace_text

    if not 1 <= options.calls <= MOST_RECORDED:
        raise HarnessError(f"--calls {options.calls} is not from 1 to {MOST_RECORDED}")
    config = config_of(options.config)
    with given(options) as on, scratch_folder(cache_folder()) as folder:
        revision = Revision(on.patches, tuple_of(on.items), on.tree)
        driven = choose(options.contract, revision.items, bounds_of(options.bound), config).driven
        if not driven:
            raise HarnessError(f"{options.contract} runs nothing: there is no walk of it")
        trace, end = record(revision, driven[0], config, Stage(folder), options.calls, options.seed,
                            tool_facts())  # fmt: skip
    Path(options.output).write_text(trace_text(trace), encoding="utf-8")
    made = sum(1 for step in trace.steps if step.op)
    print(f"{options.output}: {made:,} calls against {trace.contract}, seed {options.seed}")
    if end:
        print(
            f"{options.output}: the walk ends there: the next call does not come back: {end}", file=sys.stderr
        )
    return 0
