# SPDX-License-Identifier: GPL-2.0-only
"""`kconform merge`: one report from those of the shards of a run."""

from __future__ import annotations

import argparse
from typing import Any

from harness.cli.options import add_baseline, add_formats, forms

EPILOG = """exit status: as of the run in one piece; 2 where a shard is missing, or of another run."""


def add(commands: Any) -> None:
    """Its grammar."""
    merge = commands.add_parser("merge", help="one report from the shards of a run", epilog=EPILOG)
    merge.add_argument("report", nargs="+", metavar="REPORT", help="what --shard K/N --format json wrote")
    add_formats(merge)
    add_baseline(merge)
    merge.add_argument("--strict", action="store_true", help="unknown counts as a finding")
    merge.add_argument("-v", "--verbose", action="store_true", help="show every check")
    merge.set_defaults(run=run_merge)


def run_merge(options: argparse.Namespace) -> int:
    """`kconform merge`."""
    from harness.cli.check import baselined, emit
    from harness.cli.mutate import emit_mutants
    from harness.report.document import Document
    from harness.report.shards import read_shards

    forms(options)
    made = read_shards(options.report)
    if isinstance(made, Document):
        made = baselined(options, made)
        emit(options, made)
        return made.status(options.strict)
    return emit_mutants(options, made, ())
