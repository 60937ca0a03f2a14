# SPDX-License-Identifier: GPL-2.0-only
"""Functions of two revisions that no contract covers, under contracts that are derived of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from extractor.items import Item
from harness.contract import Loaded
from harness.derive.derive import Derived, derive
from harness.diff.compare import Matched, Setting, side_of
from harness.diff.interface import Interface
from harness.errors import HarnessError
from harness.loading import load, without_unknown
from harness.subjects import fitted

MOST = 400  # functions of one comparison


def in_both(old: Sequence[Item], new: Sequence[Item], interface: Interface) -> list[str]:
    """The functions that both revisions define whole and that may do otherwise, in OLD's order and names."""
    theirs = {item.name for item in new if item.kind == "function" and item.completeness == "complete"}
    settled = {*interface.settled}
    names = dict.fromkeys(
        item.name for item in old if item.kind == "function" and item.completeness == "complete"
    )
    return [n for n in names if n not in settled and interface.renames.get(n, n) in theirs]


def derived_pairs(
    old: Sequence[Item],
    new: Sequence[Item],
    functions: Sequence[str],
    renames: Mapping[str, str],
    setting: Setting,
    folder: Path,
) -> tuple[list[Matched], list[str]]:
    """Contracts of `functions` for both revisions, and why there is none of some."""
    if not functions:
        return [], []
    lost = [f"{len(functions) - MOST} more functions: at most {MOST} are compared at once"]
    lost = lost if len(functions) > MOST else []
    left, why = made(old, functions[:MOST], setting)
    lost += [f"{name}: {reason} (OLD)" for name, reason in why.items()]
    pairs: list[Matched] = []
    for number, ours in enumerate(left):
        there = [renames.get(name, name) for name in ours.functions]
        right, why = made(new, there, setting)
        lost += [f"{name}: {reason} (NEW)" for name, reason in why.items()]
        for other, theirs in enumerate(right):
            name = f"{ours.name}-{number}-{other}"
            loaded = [
                loaded_from(each, items, setting, folder / f"{name}-{which}.py")
                for which, each, items in (("old", ours, old), ("new", theirs, new))
            ]
            if None in loaded:
                lost.append(f"{', '.join(ours.functions)}: what was derived does not fit")
                continue
            pairs.append(pair_of(name, loaded, old, new, renames))
    return pairs, lost


def pair_of(
    name: str, loaded: Sequence[Loaded | None], old: Sequence[Item], new: Sequence[Item],
    renames: Mapping[str, str],
) -> Matched:  # fmt: skip
    """The two contracts, by one name."""
    first, second = loaded
    assert first and second
    return Matched(name, side_of(first, old), side_of(second, new), {})


def made(
    items: Sequence[Item], functions: Sequence[str], setting: Setting
) -> tuple[tuple[Derived, ...], dict[str, str]]:
    """What can be derived of one revision's functions, and why not of the others."""
    try:
        found = derive(items, functions, setting.config)
    except HarnessError as err:
        return (), dict.fromkeys(functions, str(err))
    return found, {name: why for each in found for name, why in each.left_out.items()}


def loaded_from(each: Derived, items: Sequence[Item], setting: Setting, path: Path) -> Loaded | None:
    """A derived contract, loaded for the revision that it is of."""
    path.write_text(each.text)
    loaded, reason = fitted(load(path, without_unknown(path, setting.bounds)), items, setting.config)
    return None if reason else loaded
