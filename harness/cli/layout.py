# SPDX-License-Identifier: GPL-2.0-only
"""`kconform layout`: the records that a patch extends, before and after."""

from __future__ import annotations

import argparse
from typing import Any

from extractor.extract import series_items
from harness.cli.options import add_config, add_report, add_series, config_of, write
from harness.inputs import patches_of


def add(commands: Any) -> None:
    """Its grammar."""
    layout = commands.add_parser("layout", help="the records that a patch extends, before and after")
    layout.add_argument("patch", nargs="+", metavar="PATCH")
    add_config(layout)
    add_report(layout, "table")
    add_series(layout)
    layout.set_defaults(run=run_layout)


def run_layout(options: argparse.Namespace) -> int:
    """`kconform layout`."""
    from harness.build import cache_folder
    from harness.report.layout import layout_json, layout_text
    from harness.scratch import scratch_folder
    from harness.static.layout_build import LayoutBuild, conditions, default_config

    given = config_of(options.config)
    patches = patches_of(options)
    items = series_items(patches)
    with scratch_folder(cache_folder()) as folder:
        layouts = LayoutBuild(items, default_config(items, given), folder).finish()
    if options.format == "json":
        write(options, layout_json(layouts, conditions(items)))
    elif not layouts.extended:
        write(options, "the patch changes no record\n")
    else:
        title = "; ".join(patch.subject or patch.source for patch in patches)
        write(options, layout_text(layouts, conditions(items), title))
    return 0
