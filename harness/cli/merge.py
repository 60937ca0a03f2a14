# SPDX-License-Identifier: GPL-2.0-only
"""`kconform merge`: one report from those of the shards of a run."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from harness.cli.options import add_baseline, add_formats, forms, write_forms

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
    from harness.report.document import Document
    from harness.report.shards import read_shards

    forms(options)
    made = read_shards(options.report)
    if isinstance(made, Document):
        made = baselined(options, made)
        emit(options, made)
        return made.status(options.strict)
    from harness.check import tool_facts
    from harness.report.formats import OUTLINED, render
    from harness.report.html.mutants import mutants_page
    from harness.report.mutate import strength_json, strength_text
    from harness.report.outline import of_mutants

    strength = made
    write_forms(options, {
        "text": lambda: strength_text(strength),
        "json": lambda: strength_json(strength),
        "html": lambda: mutants_page(strength, (), tool_facts()),
        **{name: partial(lambda name: render(name, of_mutants(strength, (), tool_facts())), name)
           for name in OUTLINED},
    })  # fmt: skip
    return 1 if strength.survived else 0
