# SPDX-License-Identifier: GPL-2.0-only
"""`kconform extract`: every item of a patch."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from harness.cli.options import add_config, add_series, add_tree, config_of
from harness.inputs import given


def add(commands: Any) -> None:
    """Its grammar."""
    extract = commands.add_parser("extract", help="list every item of a patch")
    extract.add_argument("patch", nargs="*", metavar="PATCH", help="with --tree, files of the tree")
    add_config(extract)
    add_tree(extract)
    extract.add_argument("--json", action="store_true", help="as JSON")
    add_series(extract)
    extract.set_defaults(run=run_extract)


def run_extract(options: argparse.Namespace) -> int:
    """`kconform extract`."""
    if options.tree:
        from harness.cli.tree_files import extract_tree

        items = extract_tree(options, config_of(options.config))
    else:
        with given(options) as revision:
            items = list(revision.items)
    if options.json:
        from harness.report.json import items_json

        sys.stdout.write(items_json(items))
        return 0
    for item in items:
        name = f"{item.parent}.{item.name}" if item.parent else item.name
        condition = f"  if {' && '.join(item.condition)}" if item.condition else ""
        print(f"{item.where}: {item.kind} {name} [{item.completeness}, {item.origin}]{condition}")
    return 0
