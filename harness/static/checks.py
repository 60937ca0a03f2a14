# SPDX-License-Identifier: GPL-2.0-only
"""What is checked of a patch without running it: records, options, documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from extractor.errors import ExtractError
from extractor.items import Item
from extractor.patch import Patch
from extractor.slice import definitions, live_items
from harness.contract import StaticContract
from harness.errors import HarnessError
from harness.judge import Check
from harness.static.check_layout import judge_layout
from harness.static.configuration import judge_configuration, refused_by
from harness.static.documentation import judge_documentation
from harness.static.headers import Undo
from harness.static.layout import Layouts
from harness.static.layout_build import LayoutBuild

PARTS = {"layout": "struct layout", "configuration": "configuration", "documentation": "documentation"}


def lacks(contract: StaticContract, items: Sequence[Item], config: Mapping[str, bool]) -> list[str]:
    """What a revision must define for a static contract to fit it, and does not."""
    options = dict(contract.config) | dict(config)
    there = set(definitions(items, options))
    there |= {f"{i.parent}.{i.name}" if i.parent else i.name for i in live_items(items, options)}
    return [name for name in contract.requires if name not in there]


class StaticChecks:
    """All static checks of a revision; what they compile is under way beside us."""

    def __init__(
        self, contracts: Sequence[StaticContract], patches: Sequence[Patch], items: Sequence[Item],
        config: Mapping[str, bool], folder: Path,
    ) -> None:  # fmt: skip
        self.contracts, self.patches, self.items, self.config = contracts, patches, items, config
        self.layouts: list[tuple[StaticContract, LayoutBuild | str]] = []
        self.undos: list[tuple[StaticContract, Undo]] = []
        for contract in contracts:
            options = dict(contract.config) | dict(config)
            place = folder / contract.name
            # Of a configuration that there cannot be, only what is claimed of its options is judged.
            if contract.layout and not refused_by(items, contract.config, config):
                self.layouts.append((contract, begun(items, options, place / "layout")))
            for claim in contract.undone:
                self.undos.append((contract, Undo(claim, items, options, place / claim.id)))

    def finish(self, *, generic: bool) -> Iterator[Check]:
        """Their verdicts; `generic` are those that need no contract."""
        for contract, build in self.layouts:
            yield from named(contract.name, judge_layout(contract, finished(build)))
        claiming = [contract for contract in self.contracts if contract.options]
        judged: list[StaticContract | None] = [*claiming] if claiming or not generic else [None]
        for claims in judged:
            config = dict(claims.config if claims else {}) | dict(self.config)
            said = judge_configuration(claims, self.patches, self.items, config)
            yield from named(claims.name if claims else "", said)
        for contract, undo in self.undos:
            yield from named(contract.name, [undo.finish()])
        if generic:
            yield from named("", judge_documentation(self.patches, self.items, self.config))


def begun(items: Sequence[Item], options: Mapping[str, bool], folder: Path) -> LayoutBuild | str:
    """The layouts, under way, or why there are none."""
    try:
        return LayoutBuild(items, options, folder)
    except (ExtractError, HarnessError) as err:
        return str(err)


def finished(build: LayoutBuild | str) -> Layouts | str:
    """The layouts, or why there are none."""
    try:
        return build if isinstance(build, str) else build.finish()
    except (ExtractError, HarnessError) as err:
        return str(err)


def named(contract: str, checks: Iterator[Check] | Sequence[Check]) -> Iterator[Check]:
    """`checks` with their contract and part."""
    for check in checks:
        yield replace(check, contract=contract, part=PARTS[check.group])
