# SPDX-License-Identifier: GPL-2.0-only
"""`kconform diff`: what a revision does otherwise than an older one."""

from __future__ import annotations

import argparse
from typing import Any

from harness.cli.options import (
    add_config,
    add_effort,
    add_formats,
    add_series,
    add_tree,
    bounds_of,
    colored,
    config_of,
    forms,
    limits_of,
    write_forms,
)

EPILOG = """exit status: 0 no difference found, 1 differences, 2 not all could be compared.
REVISION: a patch as of `check`, a kernel tree, TREE@REV of a git repository, or one with a patch on it:
TREE+PATCH, TREE@REV+PATCH. With --tree, patches are on that tree, and one alone is compared with it."""


def add(commands: Any) -> None:
    """Its grammar."""
    diff = commands.add_parser(
        "diff", help="what a revision does otherwise than an older one", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    diff.add_argument("revision", nargs="+", metavar="REVISION", help="OLD and NEW; with --tree, NEW alone")
    add_tree(diff)
    diff.add_argument("--contract", metavar="NAME|FILE.py", help="default: every one that fits both")
    add_config(diff)
    add_effort(diff)
    diff.add_argument(
        "--file", action="append", default=[], metavar="FILE", help="of two trees, what to compare"
    )
    diff.add_argument("--cost", action="store_true", help="what functions take: instructions, stack, lines")
    diff.add_argument("--expect-same", action="store_true", help="any difference breaks a promise")
    diff.add_argument("--traces", metavar="DIR", help="run the findings that are saved there on NEW first")
    add_formats(diff)
    diff.add_argument("-v", "--verbose", action="store_true", help="show every trace")
    add_series(diff)
    diff.set_defaults(run=run_diff)


def run_diff(options: argparse.Namespace) -> int:
    """`kconform diff`."""
    forms(options)  # what cannot be written is said before anything runs
    from harness.cli.comparison import diff_of
    from harness.diff.compare import Setting
    from harness.report.diff import diff_text
    from harness.report.diff_json import diff_json
    from harness.report.formats import outlined
    from harness.report.html.diff import diff_page
    from harness.report.outline_diff import of_diff

    bounds, config = bounds_of(options.bound), config_of(options.config)
    setting = Setting(options.contract, bounds, config, limits_of(options), options.walk, options.seed)
    result = diff_of(options, setting)
    write_forms(options, {
        "text": lambda: diff_text(result, verbose=options.verbose, color=colored(options)),
        "json": lambda: diff_json(result),
        "html": lambda: diff_page(result),
        **outlined(lambda: of_diff(result)),
    })  # fmt: skip
    return result.status
