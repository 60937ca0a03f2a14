# SPDX-License-Identifier: GPL-2.0-only
"""`kconform contracts` and `kconform contract`: those that ship, and one to begin with."""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import Any

from harness.cli.options import add_config, add_series, add_tree, config_of, write
from harness.inputs import given


def add(commands: Any) -> None:
    """Their grammar."""
    contracts = commands.add_parser("contracts", help="what the contracts that ship need and claim")
    contracts.add_argument("patch", nargs="*", metavar="PATCH", help="say which of them fit it")
    add_tree(contracts)
    add_config(contracts)
    contracts.add_argument("--format", choices=("text", "json"), default="text")
    contracts.add_argument("-v", "--verbose", action="store_true", help="each claim with its sentence")
    add_series(contracts)
    contracts.set_defaults(run=run_contracts, output=None, contract=None)
    contract = commands.add_parser("contract", help="a contract to begin with, derived of functions")
    contract.add_argument("patch", nargs="*", metavar="PATCH", help="with --tree alone, headers of the tree")
    contract.add_argument("--derive", action="store_true", required=True, help="of signatures and fields")
    contract.add_argument("--function", action="append", nargs="+", default=[], metavar="NAME")
    add_config(contract)
    contract.add_argument("-o", "--output", metavar="FILE", help="write it there; several get numbers")
    add_tree(contract)
    add_series(contract)
    contract.set_defaults(run=run_contract, contract=None)


def run_contracts(options: argparse.Namespace) -> int:
    """`kconform contracts`."""
    from harness.report.contracts import contracts_json, contracts_text, described

    config = config_of(options.config)
    with contextlib.ExitStack() as opened:
        any_given = options.patch or options.tree
        items = opened.enter_context(given(options)).items if any_given else None
        found = described(items, config)
    as_json = options.format == "json"
    write(options, contracts_json(found) if as_json else contracts_text(found, verbose=options.verbose))
    return 0


def run_contract(options: argparse.Namespace) -> int:
    """`kconform contract --derive`."""
    from harness.cli.derive import derived_files

    for path, text in derived_files(options, config_of(options.config)):
        if path:
            path.write_text(text)
        else:
            sys.stdout.write(text)
    return 0
