# SPDX-License-Identifier: GPL-2.0-only
"""The commands that look at a kernel tree: `kconform census` and `kconform slice`."""

from __future__ import annotations

import argparse
from typing import Any

from harness.cli.options import add_config, add_report, add_tree, config_of, write


def add(commands: Any) -> None:
    """Their grammar."""
    census = commands.add_parser("census", help="what of a tree's headers can be compiled and called here")
    census.add_argument("patch", nargs="*", metavar="HEADER", help="default: those of mm")
    add_config(census)
    add_report(census)
    census.add_argument("-v", "--verbose", action="store_true", help="name every function")
    add_tree(census)
    census.set_defaults(run=run_census)
    slicing = commands.add_parser("slice", help="what functions of a kernel tree need, as one C header")
    slicing.add_argument("header", metavar="HEADER", help="a path below the tree's top")
    slicing.add_argument("name", nargs="+", metavar="FUNCTION")
    add_config(slicing)
    slicing.add_argument("-o", "--output", metavar="FILE", help="write it there")
    add_tree(slicing)
    slicing.set_defaults(run=run_slice)


def run_census(options: argparse.Namespace) -> int:
    """`kconform census`."""
    from harness.cli.tree_files import census_of

    write(options, census_of(options, config_of(options.config)))
    return 0


def run_slice(options: argparse.Namespace) -> int:
    """`kconform slice`."""
    from harness.cli.tree_files import slice_text

    write(options, slice_text(options, config_of(options.config)))
    return 0
