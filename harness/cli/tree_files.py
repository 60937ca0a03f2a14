# SPDX-License-Identifier: GPL-2.0-only
"""The commands that look at a kernel tree: census, slice, and extract with --tree."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from extractor.closure import Closure
from extractor.items import Item
from extractor.scan import scan_file
from harness.build import cache_folder
from harness.census.census import censuses, own_before
from harness.errors import HarnessError
from harness.inputs import read_patches, source_of
from harness.scratch import scratch_folder
from harness.tree.configuration import BASE_CONFIG, read_config, refuse_guest, with_options
from harness.tree.items import TreeItems, behind, tree_items
from harness.tree.slicing import closed
from kernel_snippets.tree import MEASURED


@contextlib.contextmanager
def opened(
    options: argparse.Namespace, headers: Sequence[str], config: Mapping[str, bool]
) -> Iterator[TreeItems]:
    """A tree with the files that a command names; HarnessError for one that it does not have."""
    if not options.tree:
        raise HarnessError("it needs a kernel tree: give --tree DIR")
    refuse_guest(config)
    given = argparse.Namespace(**{**vars(options), "patch": []})
    tree, mails = source_of(given)
    for name in headers:
        if tree.read(name) is None:
            raise HarnessError(f"{tree.name}: error: the tree has no {name}; give a path below its top")
    latest, prefix = getattr(options, "latest", False), getattr(options, "prefix", None)
    patches = read_patches(mails, latest, prefix) if mails else []
    base = read_config(Path(options.kconfig) if options.kconfig else BASE_CONFIG)
    with scratch_folder(cache_folder()) as folder:
        wanted = [name.removeprefix("include/") for name in headers if name.endswith(".h")]
        yield tree_items(tree, patches, wanted, with_options(base, config), folder)


def extract_tree(options: argparse.Namespace, config: Mapping[str, bool]) -> list[Item]:
    """Every item of files of a tree, and the functions that macros generate for the configuration."""
    with opened(options, options.patch, config) as items:
        tree = items.tree
        found = [item for name in options.patch for item in scan_file(name, tree.text(name), "tree")]
        if any(name.endswith(".h") for name in options.patch):
            unit = tree.unit({}, behind(items))[0]
            found += [item for item in unit.items if item.expansion and item.file in options.patch]
        order = {name: number for number, name in enumerate(options.patch)}
        return sorted(found, key=lambda item: (order[item.file], item.line))


def census_of(options: argparse.Namespace, config: Mapping[str, bool]) -> str:
    """The census of headers of a tree: those that are named, or those of mm."""
    from harness.report.census import census_json, census_text

    with opened(options, options.patch, config) as items:
        tree = items.tree
        headers = options.patch or [name for name in MEASURED if tree.text(name)]
        folder = tree.folder / "census"
        folder.mkdir()
        found = list(censuses(tree.roots, headers, tree.config, folder))
        configured = options.kconfig or tree.configured
        if options.format == "json":
            return census_json(tree.name, configured, found)
        return census_text(tree.name, configured, found, options.verbose)


def slice_text(options: argparse.Namespace, config: Mapping[str, bool]) -> str:
    """The slice of functions of a header, as one C header, with where each name is from."""
    from harness.render_unit import slice_text as rendered

    with opened(options, [options.header], config) as items:
        unit, known = items.tree.unit({}, behind(items))
        missing = [name for name in options.name if name not in unit.defined]
        if missing and missing[0] in unit.declared:
            where = unit.declared[missing[0]].where
            raise HarnessError(f"{where}: error: {missing[0]} is only declared, its body is in another file; "
                               "name a function that a header defines")  # fmt: skip
        if missing:
            raise HarnessError(
                f"{options.header}: error: {missing[0]} is not defined for this configuration; "
                f"kconform extract --tree {options.tree} {options.header} lists what is"
            )
        entries = [item for name in options.name for item in unit.defined[name]]
        piece = closed(Closure(unit, own_before(known, entries)), "", options.name, items.tree.folder)
        said = [f"{', '.join(options.name)} of {items.tree.name}, for the configuration of "
                f"{options.kconfig or 'kernel_snippets/base.config'}"]  # fmt: skip
        said += ["", "from the tree:"]
        asserts = {id(item) for item in piece.items if item.name.startswith("static_assert(")}
        said += [f"  {item.where}: {item.kind} {item.name}" for item in piece.items
                 if item.name not in piece.beyond and id(item) not in asserts]  # fmt: skip
        if asserts:
            said.append(f"  {len(asserts)} assertions of the layout of these records")
        by_header: dict[str, list[str]] = {}
        for name in sorted(piece.outside):
            by_header.setdefault(known.headers.get(name, "?"), []).append(name)
        said += ["", "from shims:"] if by_header else []
        said += [f"  {header}: {', '.join(names)}" for header, names in sorted(by_header.items())]
        said += (
            ["", "in other files of the kernel (a call stops there, data is zero):"] if piece.beyond else []
        )
        said += [f"  {item.where}: {name}" for name, item in piece.beyond.items()]
        said += ["", "not to be compiled:"] if piece.unresolved else []
        said += [f"  {lost.file}:{lost.line}: {lost.user}: {lost.reason}" for lost in piece.unresolved]
        head = "\n".join(f" * {line}".rstrip() for line in said)
        return f"/*\n{head}\n */\n{rendered(piece)}"
