# SPDX-License-Identifier: GPL-2.0-only
"""`kconform schema`: the JSON Schema of a report."""

from __future__ import annotations

import argparse
import json
from typing import Any

from harness.cli.options import write
from harness.errors import HarnessError


def add(commands: Any) -> None:
    """Its grammar."""
    schema = commands.add_parser("schema", help="the JSON Schema of what a command writes as JSON")
    schema.add_argument("name", nargs="?", metavar="NAME", help="such as check; without it they are listed")
    schema.add_argument("-o", "--output", metavar="FILE", help="write it there")
    schema.set_defaults(run=run_schema)


def run_schema(options: argparse.Namespace) -> int:
    """`kconform schema`."""
    from harness.report.schema import bundled, names, read

    if not options.name:
        write(options, "".join(f"{name}: {read(name)['title']}\n" for name in names()))
        return 0
    if options.name not in names():
        raise HarnessError(f"there is no schema {options.name}; there are {', '.join(names())}")
    write(options, json.dumps(bundled(options.name), indent=1) + "\n")
    return 0
