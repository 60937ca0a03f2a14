# SPDX-License-Identifier: GPL-2.0-only
"""Interface and behaviour of two revisions compared, from their items to a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from extractor.items import Item
from harness.build import engine_library
from harness.diff.compare import Comparisons, Setting, matched
from harness.diff.cost import costs
from harness.diff.interface import Interface, comparable, compare, touched
from harness.diff.layouts import layouts_of, with_layouts
from harness.diff.result import DiffResult
from harness.inputs import Given
from harness.report_cost import cost_text
from harness.report_interface import interface_json, interface_text
from harness.static.layout_build import default_config
from harness.tree.items import TreeItems


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
    interface = interface_of(old, new, setting, wanted.files)
    pairs, lone = matched(setting, old.items, new.items, interface.renames if interface else {})
    under_way = Comparisons(pairs, setting, below, engine)
    try:
        under_way.start()
        if interface:
            layouts = [layouts_of(side.items, setting.config, made(folder / name))
                       for name, side in (("old", old), ("new", new))]  # fmt: skip
            interface = with_layouts(interface, layouts[0], layouts[1])
        done = under_way.finish()
    except BaseException:
        under_way.end()
        raise
    said = None
    if wanted.cost and pairs:
        main = pairs[0]
        said = costs((main.old.loaded, old.items), (main.new.loaded, new.items), folder / "cost")
    return DiffResult(
        (old.title, new.title),
        tuple(done),
        under_way.failed,
        tuple(lone),
        interface_lines=tuple(interface_text(interface).rstrip().split("\n")) if interface else (),
        interface_data=interface_json(interface) if interface else None,
        cost_lines=(*cost_text(said).rstrip().split("\n"), "") if said else (),
        cost_data=asdict(said) if said else None,
    )


def made(folder: Path) -> Path:
    """A new folder."""
    folder.mkdir()
    return folder


def interface_of(old: Given, new: Given, setting: Setting, files: Sequence[str]) -> Interface | None:
    """The interfaces compared; None of two trees of which no file is named."""
    trees = [isinstance(side.items, TreeItems) for side in (old, new)]
    bare = [tree and not side.patches for tree, side in zip(trees, (old, new), strict=True)]
    if all(bare) and not files:
        return None
    if all(bare):
        left, right = comparable(old.items, (), files), comparable(new.items, (), files)
    elif bare[0] or (trees[0] and not trees[1]):
        right = comparable(new.items)
        left = comparable(old.items, names(right), touched(right))
    elif trees[1]:
        left = comparable(old.items)
        right = comparable(new.items, names(left), touched(left))
    else:
        left, right = comparable(old.items), comparable(new.items)
    config = [default_config(side, dict(setting.config)) for side in (left, right)]
    return compare(left, right, config[0], config[1])


def names(items: Sequence[Item]) -> list[str]:
    """The names that items have."""
    return [item.name for item in items]
