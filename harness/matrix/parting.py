# SPDX-License-Identifier: GPL-2.0-only
"""Two subjects of one contract: the shortest trace after which what they do is no longer the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness import worker
from harness.build import Cached, cache_folder, contract_library, engine_library
from harness.check import Part
from harness.contract import Contract, Loaded
from harness.drive import Request
from harness.driver import Call, Driver, Flight, Libraries, Limits, call_from
from harness.errors import HarnessError
from harness.explore import LEGAL_BUT_WARNINGS, decode_steps
from harness.render import render_contract
from harness.run import MEMORY, SLACK
from harness.scratch import scratch_folder
from harness.subjects import Attempt
from harness.trace import Step, replay, values_seen


@dataclass(frozen=True)
class Parting:
    """The same calls on both subjects, and in what their last steps differ."""

    on: tuple[Step, ...]
    off: tuple[Step, ...]

    def differences(self, contract: Contract) -> Iterator[str]:
        """Each value that is another one, warnings aside, in the contract's words."""
        if len(self.on) != len(self.off) or not self.on:
            yield "one of the two does not get so far"
            return
        one, other = (values_seen(steps[-1]) for steps in (self.on, self.off))
        for name in dict.fromkeys((*one, *other)):
            if name != "warnings" and one.get(name) != other.get(name):
                was, now = (contract.word(name, of.get(name, "none")) for of in (one, other))
                yield f"{name} is {now}, not {was}"


def parting(request: Request, on: Part, off: Part) -> Parting:
    """Where two explorations whose digests differ part; both subjects are compiled once more."""
    with scratch_folder(cache_folder()) as folder:
        engine = engine_library(folder)
        begun = [prepared(part, folder / name) for part, name in ((on, "on"), (off, "off"))]
        subjects = [attempt.settle() for attempt, _ in begun]
        libraries = [Libraries(subject.built.library, contract.finish(), engine.finish())
                     for subject, (_, contract) in zip(subjects, begun, strict=True)]  # fmt: skip
        limits = replace(request.limits, digest=True, symmetry=on.runs.explored.symmetric)
        most = min(part.runs.explored.transitions for part in (on, off))
        lost = frozenset(death.trace[-1].op for death in on.runs.deaths)

        def task() -> object:
            drivers = [
                Driver(each, part.loaded, Flight(), compiled.skip | lost)
                for each, part, compiled in zip(libraries, (on, off), subjects, strict=True)
            ]
            drivers[0].cage()
            calls = first_parting(drivers, limits, most)
            return [[asdict(step) for step in steps_of(driver, limits, calls)] for driver in drivers]

        wall = limits.seconds * 2 + SLACK
        memory = MEMORY + (limits.megabytes << 20)
        outcome = worker.run(task, worker.Limits(int(wall), wall * 1.5, memory))
    if outcome.result is None:
        raise HarnessError(outcome.error or "the worker died")
    return Parting(*(decode_steps(steps) for steps in outcome.result))


def prepared(part: Part, folder: Path) -> tuple[Attempt, Cached]:
    """One subject and its contract, under way."""
    folder.mkdir()
    loaded: Loaded = part.loaded
    contract = contract_library(render_contract(loaded), folder)
    return Attempt(loaded, part.piece, loaded.options, folder / "plain"), contract


def first_parting(drivers: Sequence[Driver], limits: Limits, most: int) -> list[Call]:
    """The trace up to the first call that does not do the same, found by halving their number."""
    low, high = 0, most
    while low + 1 < high:
        middle = (low + high) // 2
        if len({digest(driver, replace(limits, calls=middle)) for driver in drivers}) > 1:
            high = middle
        else:
            low = middle
    digest(drivers[0], replace(limits, calls=high))
    recorded = drivers[0].flight.pointer
    path = [recorded.path[i] for i in range(recorded.length)]
    return [call_from(c_call, drivers[0].loaded) for c_call in (*path, recorded.call)]


def digest(driver: Driver, limits: Limits) -> int:
    """Of the first calls of an exploration."""
    driver.explore(limits)
    said = int(driver.engine.kc_digest(driver.run, LEGAL_BUT_WARNINGS))
    driver.engine.kc_close(driver.run)
    return said


def steps_of(driver: Driver, limits: Limits, calls: Sequence[Call]) -> Iterator[Step]:
    """A trace, run by itself."""
    driver.open(limits)
    yield from replay(driver, calls)
    driver.engine.kc_close(driver.run)
