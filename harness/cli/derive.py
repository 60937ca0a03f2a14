# SPDX-License-Identifier: GPL-2.0-only
"""The command that writes derived contracts out."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from extractor.items import Item
from harness.cli.tree_files import opened
from harness.derive.derive import derive
from harness.derive.functions import coverable
from harness.errors import HarnessError
from harness.inputs import given


def derived_files(
    options: argparse.Namespace, config: Mapping[str, bool]
) -> Iterator[tuple[Path | None, str]]:
    """The contracts of what a command names: each with the file that it goes to, None for standard output.

    That is a patch's functions, alone or on a tree, or those of a tree's headers; of these `--function` ones.
    """
    headers = options.patch if of_tree(options) else []
    with contextlib.ExitStack() as stack:
        if headers:
            items: Sequence[Item] = stack.enter_context(opened(options, headers, config))
            source = f"{options.tree}, {', '.join(headers)}"
        else:
            revision = stack.enter_context(given(options))
            items, source = revision.items, revision.title
        wanted = [name for names in options.function for name in names]
        functions = wanted or coverable(items, config, frozenset(), headers)
        if not functions:
            raise HarnessError("nothing to derive from: there is no whole C function; "
                               "name some of a tree with --function")  # fmt: skip
        found = derive(items, functions, config, source=source)
    path = Path(options.output) if options.output else None
    for number, made in enumerate(found):
        more = path.with_name(f"{path.stem}_{number + 1}{path.suffix}") if path and number else path
        yield more, made.text
        if len(found) > 1 and more:
            print(f"note: {more}: {made.name}, {len(made.functions)} functions", file=sys.stderr)
    for name, why in (pair for made in found for pair in made.left_out.items()):
        print(f"note: {name}: nothing is derived of it: {why}", file=sys.stderr)


def of_tree(options: argparse.Namespace) -> bool:
    """Whether the arguments are headers of the tree, not patches."""
    return bool(options.tree and options.patch) and all(
        name.endswith(".h") and not Path(name).is_file() for name in options.patch
    )
