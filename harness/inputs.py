# SPDX-License-Identifier: GPL-2.0-only
"""What a command is about: patches from mails or a commit range, on a kernel tree or by themselves."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from extractor.extract import series_items
from extractor.items import Item
from extractor.mail import Mail, read_mails
from extractor.patch import Patch
from extractor.series import read_series
from harness.errors import HarnessError

if TYPE_CHECKING:  # what a tree needs is imported where there is one
    from harness.build import Cached
    from harness.tree.source import Tree


@dataclass(frozen=True)
class Given:
    """The revision that a command was given: its patches, its items, the name of its tree ("" for none)."""

    patches: tuple[Patch, ...]
    items: Sequence[Item]
    tree: str = ""
    notes: tuple[str, ...] = ()
    engine: Cached | None = None  # under way, where reading the tree takes as long as to compile it

    @property
    def title(self) -> str:
        """What it is, for reports."""
        return "; ".join(patch.subject or patch.source for patch in self.patches) or self.tree


def read_patches(mails: Sequence[Mail], latest: bool, prefix: int | None) -> list[Patch]:
    """The patches of `mails` in their order, or the first `prefix`; what was passed over is said."""
    series = read_series(mails, latest)
    for note in series.notes:
        print(f"note: {note}", file=sys.stderr)
    return list((series if prefix is None else series.prefix(prefix)).patches)


def patches_of(options: argparse.Namespace) -> list[Patch]:
    """The patches of a command's arguments, where no tree is asked for."""
    return read_patches(read_mails(options.patch, sys.stdin.buffer), options.latest, options.prefix)


def tuple_of(items: Sequence[Item]) -> tuple[Item, ...]:
    """Items as a tuple; those of a tree are one already, with the tree behind them."""
    return items if isinstance(items, tuple) else tuple(items)


@contextlib.contextmanager
def given(options: argparse.Namespace) -> Iterator[Given]:
    """The revision of a command's arguments; of a tree, what is made lasts as long as the context."""
    if not options.tree:
        alone = [name for name in ("rev", "range", "kconfig") if getattr(options, name)]
        if alone:
            raise HarnessError(f"--{alone[0]} is of a kernel tree: give --tree DIR as well")
        if not options.patch:
            raise HarnessError("nothing to check: give a patch, or a kernel tree with --tree DIR")
        patches = patches_of(options)
        yield Given(tuple(patches), series_items(patches))
        return
    from harness.build import cache_folder, engine_library
    from harness.scratch import scratch_folder
    from harness.tree.configuration import BASE_CONFIG, read_config
    from harness.tree.items import tree_items

    tree, mails = source_of(options)
    patches = read_patches(mails, options.latest, options.prefix) if mails else []
    config = read_config(Path(options.kconfig) if options.kconfig else BASE_CONFIG)
    with scratch_folder(cache_folder()) as folder:
        (folder / "engine").mkdir()
        engine = engine_library(folder / "engine")
        headers = [*contract_headers(options.contract), *getattr(options, "headers", ())]
        items = tree_items(tree, patches, headers, config, folder)
        if options.kconfig:
            items.tree.configured = options.kconfig
        for note in items.tree.notes:
            print(f"note: {note}", file=sys.stderr)
        yield Given(tuple(patches), items, tree.name, items.tree.notes, engine)


def source_of(options: argparse.Namespace) -> tuple[Tree, list[Mail]]:
    """The tree, and the mails that go on it: of a range, those of its commits on what is below them."""
    from harness.tree.commits import commits
    from harness.tree.source import open_tree

    if not options.range:
        mails = read_mails(options.patch, sys.stdin.buffer) if options.patch else []
        return open_tree(options.tree, options.rev), mails
    if options.patch or options.rev:
        other = "a patch" if options.patch else "--rev"
        raise HarnessError(f"--range {options.range} says which commits are checked: leave out {other}")
    found = commits(options.tree, options.range)
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    return open_tree(options.tree, found.base), found.mails


def contract_headers(name: str | None) -> list[str]:
    """The headers that contracts need: of the one called `name`, or of all that ship."""
    from harness.loading import contract_path, is_static, load, shipped

    found: dict[str, None] = {}
    for path in map(contract_path, [name] if name else shipped()):
        if not is_static(path):
            contract = load(path, {}).contract
            found |= dict.fromkeys(contract.headers)
            found |= dict.fromkeys(header for binding in contract.bindings for header in binding.headers)
    return list(found)
