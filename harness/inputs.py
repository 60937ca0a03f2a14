# SPDX-License-Identifier: GPL-2.0-only
"""What a command is about: patches from mails or a commit range, on a kernel tree or by themselves."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from extractor.extract import series_items
from extractor.items import Item
from extractor.mail import Mail, read_mails
from extractor.patch import Patch
from extractor.series import Series, read_series
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
    cover: str = ""  # the series' cover letter
    first: Callable[[int], Given] | None = None  # the revision that its first patches make

    @property
    def title(self) -> str:
        """What it is, for reports."""
        return "; ".join(patch.subject or patch.source for patch in self.patches) or self.tree


def read_patches(mails: Sequence[Mail], latest: bool, prefix: int | None) -> list[Patch]:
    """The patches of `mails` in their order, or the first `prefix`; what was passed over is said."""
    return list(series_of(mails, latest, prefix).patches)


def series_of(mails: Sequence[Mail], latest: bool, prefix: int | None) -> Series:
    """As read_patches(), with the cover letter."""
    series = read_series(mails, latest)
    for note in series.notes:
        print(f"note: {note}", file=sys.stderr)
    return series if prefix is None else series.prefix(prefix)


def cover_text(series: Series) -> str:
    """What the cover letter says; "" without one."""
    return "\n".join([series.cover.subject, *series.cover.lines]) if series.cover else ""


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
        series = series_of(read_mails(options.patch, sys.stdin.buffer), options.latest, options.prefix)

        def by_itself(count: int) -> Given:
            patches = series.patches[:count]
            return Given(patches, series_items(patches), cover=cover_text(series), first=by_itself)

        yield by_itself(len(series.patches))
        return
    from harness.build import cache_folder, engine_library
    from harness.scratch import scratch_folder
    from harness.tree.configuration import BASE_CONFIG, read_config
    from harness.tree.items import is_header, tree_items

    tree, mails = source_of(options)
    series = series_of(mails, options.latest, options.prefix) if mails else Series(())
    config = read_config(Path(options.kconfig) if options.kconfig else BASE_CONFIG)
    with scratch_folder(cache_folder()) as folder:
        (folder / "engine").mkdir()
        engine = engine_library(folder / "engine")
        headers = [*contract_headers(options.contract), *getattr(options, "headers", ())]

        def first(count: int) -> Given:
            # What all patches touch is read, so that each revision has the same.
            touched = [file.path for patch in series.patches for file in patch.files]
            wanted = [path.removeprefix("include/") for path in touched if is_header(path)]
            place = folder / f"first{count}"
            place.mkdir()
            return on_tree(count, [*headers, *wanted], place)

        def on_tree(count: int, headers: Sequence[str], place: Path) -> Given:
            patches = series.patches[:count]
            items = tree_items(tree, patches, headers, config, place)
            if options.kconfig:
                items.tree.configured = options.kconfig
            return Given(patches, items, tree.name, items.tree.notes, engine, cover_text(series), first)

        revision = on_tree(len(series.patches), headers, folder)
        for note in revision.notes:
            print(f"note: {note}", file=sys.stderr)
        yield revision


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
