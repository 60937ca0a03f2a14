# SPDX-License-Identifier: GPL-2.0-only
"""Interface and behaviour of two revisions compared, from their items to a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from extractor.items import Item
from harness.build import engine_library
from harness.derive.functions import options_of
from harness.diff.compare import Comparisons, Matched, Setting, matched
from harness.diff.cost import costs
from harness.diff.derived import derived_pairs, in_both
from harness.diff.interface import Interface, comparable, compare, touched
from harness.diff.layouts import layouts_of, with_layouts
from harness.diff.reach import unsaid
from harness.diff.result import DiffResult
from harness.errors import HarnessError
from harness.inputs import Given
from harness.static.layout_build import default_config
from harness.tree.items import TreeItems, behind


@dataclass(frozen=True)
class Wanted:
    """What is compared beside the contracts' part: files of trees, and what functions cost."""

    files: tuple[str, ...] = ()
    cost: bool = False


def compare_revisions(
    old: Given, new: Given, setting: Setting, folder: Path, wanted: Wanted | None = None
) -> DiffResult:
    """Interface and behaviour of two revisions; what is compiled is below `folder`."""
    wanted = wanted or Wanted()
    below = folder / "contracts"
    below.mkdir()
    engine = engine_library(below, pairs=True)
    sides = comparable_sides(old, new, wanted.files, setting.config)
    interface = interface_of(sides, setting) if sides else None
    pairs, lone = matched(setting, old.items, new.items, interface.renames if interface else {})
    if sides is None:
        lone.append("functions that no contract covers: --file FILE names the headers that have them")
    if wanted.files and sides:
        there = {item.name for item in sides[0]}
        pairs, lone = [pair for pair in pairs if calls_any(pair, there)], []
    under_way = [Comparisons(pairs, setting, below, engine)]
    try:
        under_way[0].start()
        # While that is explored, the rest is made.
        need = in_both(*sides, interface) if sides and interface else []
        why: list[str] = []
        if sides and interface and not setting.contract:
            covered = {name for pair in pairs for name in pair.old.piece.functions}
            rest = [name for name in need if name not in covered]
            derived, why = derived_pairs(
                old.items, new.items, sides, interface, rest, setting, made(folder / "derived")
            )
            under_way.append(Comparisons(derived, setting, below, engine))
            under_way[1].start()
        if interface:
            layouts = [layouts_of(side.items, setting.config, made(folder / name))
                       for name, side in (("old", old), ("new", new))]  # fmt: skip
            interface = with_layouts(interface, layouts[0], layouts[1])
        done = [one for group in under_way for one in group.finish()]
    except BaseException:
        for group in under_way:
            group.end()
        raise
    failed = {name: why for group in under_way for name, why in group.failed.items()}
    missing = unsaid(need, interface, done) if interface and not setting.contract else []
    said = None
    if wanted.cost and not pairs:
        lone.append("what functions cost: no contract fits both revisions")
    if wanted.cost and pairs:
        main = pairs[0]
        said = costs((main.old.loaded, old.items), (main.new.loaded, new.items), folder / "cost")
    titles = (old.title, new.title)
    if old.title == new.title:
        titles = (f"{source_of(old)}: {old.title}", f"{source_of(new)}: {new.title}")
    return DiffResult(
        titles,
        tuple(done),
        failed,
        tuple(dict.fromkeys((*missing, *why))),
        same_text=bool(interface and not need),
        notes=tuple(lone),
        interface=interface,
        costs=said,
    )


def source_of(revision: Given) -> str:
    """Where a revision came from."""
    return ", ".join(patch.source for patch in revision.patches) or revision.tree


def calls_any(pair: Matched, names: Set[str]) -> bool:
    """Whether a contract is about any of these functions."""
    return any(name in names for op in pair.old.loaded.contract.operations for name in op.called)


def made(folder: Path) -> Path:
    """A new folder."""
    folder.mkdir()
    return folder


def comparable_sides(
    old: Given, new: Given, files: Sequence[str], config: Mapping[str, bool]
) -> tuple[list[Item], list[Item]] | None:
    """The items of each that can be compared; None of two trees of which no file is named."""
    trees = [isinstance(side.items, TreeItems) for side in (old, new)]
    for file in files:
        if not any(isinstance(s.items, TreeItems) and s.items.tree.text(file) for s in (old, new)):
            raise HarnessError(f"{file}: error: neither tree has it; give a path below its top")
    for side in (old, new):  # read now, as what is derived reads them, generated functions are known
        if isinstance(side.items, TreeItems):
            side.items.tree.unit(options_of(side.items, config), behind(side.items))
    bare = [tree and not side.patches for tree, side in zip(trees, (old, new), strict=True)]
    if all(bare) and not files:
        return None
    if all(bare):
        return comparable(old.items, (), files), comparable(new.items, (), files)
    if bare[0] or (trees[0] and not trees[1]):
        right = comparable(new.items)
        return comparable(old.items, names(right), touched(right)), right
    left = comparable(old.items)
    return left, comparable(new.items, names(left), touched(left)) if trees[1] else comparable(new.items)


def interface_of(sides: tuple[list[Item], list[Item]], setting: Setting) -> Interface:
    """The interfaces compared."""
    config = [default_config(side, dict(setting.config)) for side in sides]
    return compare(*sides, config[0], config[1])


def names(items: Sequence[Item]) -> list[str]:
    """The names that items have."""
    return [item.name for item in items]
