# SPDX-License-Identifier: GPL-2.0-only
"""`kconform export`: a saved finding as a file that runs without kconform."""

from __future__ import annotations

import argparse
import contextlib
import os
from pathlib import Path
from typing import Any

from harness.cli.options import add_config, add_tree, config_of, write
from harness.inputs import given, tuple_of

EPILOG = """exit status: 0 the file is written, 2 it cannot be. What --c makes exits 1 while the finding
is there, 0 when it is gone."""


def add(commands: Any) -> None:
    """Its grammar."""
    export = commands.add_parser("export", help="a saved finding as one file of C", epilog=EPILOG)
    export.add_argument("trace", metavar="TRACE")
    form = export.add_mutually_exclusive_group(required=True)
    form.add_argument("--c", action="store_true", help="for gcc alone")
    form.add_argument("--kunit", action="store_true", help="for a kernel: a KUnit test, or else a module")
    form.add_argument(
        "--litmus", action="store_true", help="a schedule for herd7 and the kernel's memory model"
    )
    export.add_argument("--patch", nargs="+", metavar="PATCH", help="another revision than the trace's own")
    add_tree(export)
    export.add_argument("--contract", metavar="NAME|FILE.py", help="for a trace of a contract of its own")
    add_config(export)
    export.add_argument("-o", "--output", metavar="FILE", help="write it there")
    export.set_defaults(run=run_export, latest=False, prefix=None)


def run_export(options: argparse.Namespace) -> int:
    """`kconform export`."""
    from harness.build import cache_folder
    from harness.export.files import exported, exported_litmus
    from harness.loading import contract_path, load
    from harness.scratch import scratch_folder
    from harness.stage import Revision, Stage
    from harness.trace_file import read_trace

    config = config_of(options.config)
    trace = read_trace(Path(options.trace))
    own = load(contract_path(options.contract), {}) if options.contract else None
    contracts = {own.contract.name: own} if own else {}
    name = os.path.basename(options.output) if options.output else "finding.c"
    with contextlib.ExitStack() as opened:
        revision = None
        if options.patch or options.tree:
            on = opened.enter_context(given(options))
            revision = Revision(on.patches, tuple_of(on.items), on.tree)
        folder = opened.enter_context(scratch_folder(cache_folder()))
        stage = Stage(folder)
        if options.litmus:
            text = exported_litmus(trace, revision, stage, contracts, config)
        else:
            text = exported(trace, revision, stage, contracts, config, name, kunit=options.kunit)
    write(options, text)
    return 0
