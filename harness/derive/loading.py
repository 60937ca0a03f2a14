# SPDX-License-Identifier: GPL-2.0-only
"""Derived contracts as contracts that are loaded, like those that people wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path

from extractor.items import Item
from harness.contract import Loaded
from harness.derive.derive import derive
from harness.derive.functions import coverable
from harness.loading import load, without_unknown
from harness.subjects import fitted


def load_derived(
    items: Sequence[Item],
    covered: Set[str],
    bounds: Mapping[str, int],
    config: Mapping[str, bool],
    folder: Path,
) -> list[Loaded]:
    """Contracts of all functions of a revision that are not `covered`, written to `folder`, which stays.

    None where it has no such function; HarnessError where nothing can be derived of those that it has.
    """
    found: list[Loaded] = []
    for made in derive(items, coverable(items, config, covered), config):
        path = folder / f"{made.name.replace('-', '_')}.py"
        loaded = load_text(made.text, items, bounds, config, path)
        found += [loaded] if loaded else []
    return found


def load_text(
    text: str, items: Sequence[Item], bounds: Mapping[str, int], config: Mapping[str, bool], path: Path
) -> Loaded | None:
    """A derived contract, written to `path` and loaded; None where it does not fit the revision."""
    path.write_text(text)
    loaded, reason = fitted(load(path, without_unknown(path, bounds)), items, config)
    return None if reason else loaded
