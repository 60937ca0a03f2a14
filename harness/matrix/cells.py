# SPDX-License-Identifier: GPL-2.0-only
"""A patch in every configuration of its own options, CONFIG_DEBUG_VM and the word size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from extractor.composed import composed
from harness.build import cache_folder
from harness.check import Chosen, check
from harness.contract import DEBUG
from harness.drive import Poll, Request
from harness.errors import HarnessError
from harness.judge import Check, calls_of
from harness.matrix.compile import Compilers
from harness.matrix.plan import WORD, Cell, plan
from harness.matrix.without_warnings import compared
from harness.scratch import scratch_folder
from harness.static.checks import StaticChecks


@dataclass(frozen=True)
class Seen:
    """One check, and the configurations that say so; none where it does not depend on them."""

    check: Check
    cells: tuple[int, ...]


@dataclass(frozen=True)
class Matrix:
    """All configurations, the checks that are not of one of them, and what is to be said beside."""

    request: Request
    cells: tuple[Cell, ...]
    beside: tuple[Seen, ...]
    notes: tuple[str, ...]

    @property
    def ran(self) -> tuple[Cell, ...]:
        """The cells in which something was run."""
        return tuple(cell for cell in self.cells if cell.result)

    @property
    def findings(self) -> tuple[Seen, ...]:
        """Each check that fails, once for each trace or place with which it does."""
        found: dict[object, Seen] = {}
        for seen in self.all_seen("fail"):
            of = seen.check
            key = of.id, of.contract, calls_of(of), of.file, of.line
            old = found.get(key, Seen(of, ()))
            found[key] = replace(old, cells=(*old.cells, *seen.cells))
        return tuple(found.values())

    def all_seen(self, verdict: str) -> Iterator[Seen]:
        """The checks with that verdict; not those that wait for a warning that is compiled away."""
        for cell in self.cells:
            for each in cell.every:
                if each.verdict == verdict and not cell.silent(each):
                    yield Seen(each, (cell.number,))
        yield from (seen for seen in self.beside if seen.check.verdict == verdict)

    def names(self, verdict: str) -> set[tuple[str, str]]:
        """The checks that have that verdict somewhere, by id and contract."""
        return {(seen.check.id, seen.check.contract) for seen in self.all_seen(verdict)}

    @property
    def failed(self) -> int:
        """How many checks fail somewhere."""
        return len(self.names("fail"))

    @property
    def unknown(self) -> int:
        """How many are unknown somewhere, and fail nowhere."""
        return len(self.names("unknown") - self.names("fail"))

    @property
    def passed(self) -> int:
        """How many pass, and nothing else."""
        return len(self.names("pass") - self.names("fail") - self.names("unknown"))

    @property
    def whole(self) -> bool:
        """Whether everything was compiled, and explored to its bounds."""
        known = all(seen.check.verdict != "unknown" for seen in self.beside if seen.cells)
        return known and all(cell.whole for cell in self.cells)


def matrix(request: Request, name: str | None, bounds: Mapping[str, int], poll: Poll | None = None) -> Matrix:
    """Every configuration of `request`; what its config sets is not varied. `name`: the one contract."""
    planned = plan(request, name, bounds)
    with scratch_folder(cache_folder()) as folder:
        begun = {cell.number: Compilers(request.items, cell, planned.narrow.get(cell.number, ()),
                                        folder / str(cell.number))
                 for cell in planned.cells if not cell.refused}  # fmt: skip
        once = StaticChecks([replace(each, layout=()) for each in planned.static], composed(request.patches),
                            request.items, planned.cells[0].config, folder / "static")  # fmt: skip
        done: list[Cell] = []
        for cell in planned.cells:
            fits = planned.chosen.get(cell.number)
            done.append(run(request, cell, fits, poll) if fits else cell)
        cells = [begun[cell.number].finish(cell) if cell.number in begun else cell for cell in done]
        said = [Seen(check, ()) for check in once.finish(generic=name is None)]
    return Matrix(request, tuple(cells), (*said, *compare(cells)), planned.notes)


# One configuration.


def run(request: Request, cell: Cell, fits: Chosen, poll: Poll | None) -> Cell:
    """The cell with all that a check says there, but for what does not depend on a configuration."""
    layouts = tuple(replace(each, options=(), undone=()) for each in fits.static if each.layout)
    config = {**request.config, **cell.varied, WORD: cell.config[WORD]}
    asked = replace(request, contracts=fits.driven, static=layouts, near=fits.near, config=config,
                    generic=False)  # fmt: skip
    try:
        return replace(cell, result=check(asked, poll))
    except HarnessError as err:
        lost = Check(
            "configuration/runs",
            "configuration",
            "unknown",
            "configuration: what fits can be driven",
            reason=str(err),
        )
        return replace(cell, checks=(lost,), idle=str(err))


# Between configurations.


def compare(cells: Sequence[Cell]) -> Iterator[Seen]:
    """What CONFIG_DEBUG_VM alone must not change."""
    ran = {tuple(sorted(cell.config.items())): cell for cell in cells if cell.result}
    for on in ran.values():
        off = ran.get(tuple(sorted({**on.config, DEBUG: False}.items())))
        if on.config.get(DEBUG) and off and on.result and off.result:
            known = {(c.contract, calls_of(c)): c for cell in (off, on) for c in cell.every
                     if c.verdict == "fail" and c.trace}  # fmt: skip
            for each in compared(on.result, off.result):
                same = known.get((each.contract, calls_of(each)), each)  # another sight of one defect
                said = replace(each, part="configuration", file=same.file, line=same.line)
                yield Seen(said, (on.number, off.number))
