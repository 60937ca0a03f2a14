# SPDX-License-Identifier: GPL-2.0-only
"""`kconform mutate`: what the checks are worth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from extractor.extract import series_items
from extractor.items import Item
from harness.cli.options import (
    add_config,
    add_formats,
    add_series,
    add_shard,
    bounds_of,
    config_of,
    forms,
    jobs,
    processors,
    seed,
    write_forms,
)
from harness.inputs import patches_of

if TYPE_CHECKING:
    from harness.contract import Loaded
    from harness.mutate import Strength
    from harness.report.document import PatchText, StrengthRecord


def add(commands: Any) -> None:
    """Its grammar."""
    mutate = commands.add_parser("mutate", help="what the checks are worth: do they catch planted defects")
    mutate.add_argument("patch", nargs="+", metavar="PATCH")
    mutate.add_argument("--contract", metavar="NAME|FILE.py", help="default: the one that fits")
    add_config(mutate)
    mutate.add_argument("--bound", action="append", default=[], metavar="NAME=N")
    mutate.add_argument("--seed", type=seed, default=1, metavar="N", help="of the walks")
    mutate.add_argument(
        "--jobs", type=jobs, default=processors(), metavar="N", help="default: one a processor"
    )
    add_formats(mutate)
    add_shard(mutate)
    add_series(mutate)
    mutate.set_defaults(run=run_mutate)


def run_mutate(options: argparse.Namespace) -> int:
    """`kconform mutate`."""
    forms(options)  # what cannot be written is said before anything runs
    from harness.check import choose
    from harness.report.words import patch_text, strength_record

    config = config_of(options.config)
    patches = patches_of(options)
    items = series_items(patches)
    chosen = choose(options.contract, items, bounds_of(options.bound), config)
    what = "; ".join(patch.subject or patch.source for patch in patches)
    found = strength_of(items, chosen.driven, options.jobs, options.seed, options.shard or (1, 1))
    strength = strength_record(found, what)
    return emit_mutants(options, strength, tuple(map(patch_text, patches)))


def emit_mutants(options: argparse.Namespace, strength: StrengthRecord, patches: Sequence[PatchText]) -> int:
    """Writes each report of mutants to where it was asked for; the exit status."""
    from harness.check import tool_facts
    from harness.cli.check import shard_of
    from harness.report.formats import outlined
    from harness.report.html.mutants import mutants_page
    from harness.report.mutate import strength_json, strength_text
    from harness.report.outline import of_mutants

    write_forms(options, {
        "text": lambda: strength_text(strength),
        "json": lambda: strength_json(strength, shard_of(options, patches)),
        "html": lambda: mutants_page(strength, patches, tool_facts()),
        **outlined(lambda: of_mutants(strength, patches, tool_facts())),
    })  # fmt: skip
    return 1 if strength.survived else 0


def strength_of(
    items: Sequence[Item],
    contracts: Sequence[Loaded],
    jobs: int,
    seed: int,
    shard: tuple[int, int] = (1, 1),
) -> Strength:
    """What the contracts' checks are worth for this revision."""
    from harness.mutate import mutate

    return mutate(items, contracts, jobs, seed, shard)
