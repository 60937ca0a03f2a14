# SPDX-License-Identifier: GPL-2.0-only
"""Small C toys as threads: compiled once, driven in a worker process of each test's own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import harness.build
from extractor.extract import series_items
from harness.build import contract_library, engine_library
from harness.contract import Loaded
from harness.driver import Call, Driver, Flight, Libraries, Limits
from harness.inputs import patches_of
from harness.interleave.flavour import THREADED
from harness.interleave.scenario import Scenario
from harness.interleave.weaver import Weaver
from harness.loading import contract_path, load
from harness.render import render_contract
from harness.subjects import Attempt, fitted, slice_of
from harness.worker import Limits as WorkerLimits
from harness.worker import run
from kernel_snippets import INCLUDE
from tests.test_toys import toy_diff

CONTRACT = """from __future__ import annotations
from dataclasses import dataclass
from harness.contract import Contract, Operation

@dataclass(frozen=True)
class State:
{fields}
@dataclass(frozen=True)
class Ghost:
    none: int = 0
{model}
CONTRACT = Contract(name="toy", title="toy", requires={requires!r}, headers=("linux/toy.h",), config={{}},
    world={world!r}, init={init!r}, owns={owns!r}, state=State, observe={observe!r}, ghost=Ghost,
    operations=({operations},), claims=())
"""


@dataclass(frozen=True)
class Toy:
    """C functions, the C that is the world of them, what is seen of it, and what calls them.

    The first object of the world is theirs, of at most 96 words of 4 bytes.
    """

    code: str
    world: str  # "int a; int b;"
    observe: Mapping[str, str]
    calls: Mapping[str, str]  # by the operation's name; of "name(p, q)" p and q are arguments
    init: str = "(void)w;"


def contract_text(toy: Toy) -> str:
    """A contract of a toy, whose code alone says what it should do."""
    fields = "".join(f"    {name}: int = 0\n" for name in toy.observe)
    operations, requires = [], []
    for said, call in toy.calls.items():
        name, _, arguments = said.rstrip(")").partition("(")
        domains = {argument.strip(): (0,) for argument in arguments.split(",") if argument}
        operations.append(f"Operation({name!r}, {call!r}, {domains!r}, observed=True)")
        requires.append(call.partition("(")[0])
    owns = [toy.world.partition(";")[0].split()[-1]]
    return CONTRACT.format(
        fields=fields, model="", requires=(requires[0],), world=toy.world, init=toy.init, owns=tuple(owns),
        observe=dict(toy.observe), operations=", ".join(operations),
    )  # fmt: skip


class Rig:
    """A toy, compiled; `loaded` instead of a toy: a contract and the items of a patch."""

    def __init__(self, toy: Toy, include: Path = INCLUDE) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kconform-threads-"))
        try:
            patch, contract = self.folder / "toy.diff", self.folder / "toy.py"
            patch.write_text(toy_diff(toy.code))
            contract.write_text(contract_text(toy))
            self.build(patch, str(contract), include)
        except BaseException:
            self.close()
            raise

    @classmethod
    def of(cls, patch: Path, contract: str) -> Rig:
        """A patch as it was mailed, and a contract of it."""
        made = cls.__new__(cls)
        made.folder = Path(tempfile.mkdtemp(prefix="kconform-threads-"))
        made.build(patch, str(contract_path(contract)))
        return made

    def build(self, patch: Path, contract: str, include: Path = INCLUDE) -> None:
        said = SimpleNamespace(patch=[str(patch)], latest=False, prefix=None, tree=None)
        items = tuple(series_items(patches_of(said)))
        self.loaded: Loaded
        self.loaded, reason = fitted(load(Path(contract), {}), items, {})
        assert not reason, reason
        engine = engine_library(self.folder)
        judge = contract_library(render_contract(self.loaded), self.folder)
        piece = slice_of(self.loaded, items)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(harness.build, "INCLUDE", include)
            self.subject = Attempt(
                self.loaded, piece, self.loaded.options, self.folder / "threaded", THREADED
            ).settle()
        assert not self.subject.missing, self.subject.missing
        self.libraries = Libraries(self.subject.built.library, judge.finish(), engine.finish())
        self.ops = {op.name: i for i, op in enumerate(self.loaded.contract.operations)}
        self.reads = {name: -1 - i for i, name in enumerate(self.loaded.contract.observe)}

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, said: object) -> Call:
        """ "name", ("name", argument, ...), or "read observation"."""
        name, *arguments = (said,) if isinstance(said, str) else said  # type: ignore[misc]
        if name.startswith("read "):
            return Call(self.reads[name[5:]], ())
        return Call(self.ops[name], tuple(arguments))

    def scenario(self, *threads: Sequence[object], start: Iterable[object] = ()) -> Scenario:
        return Scenario(
            tuple(map(self.call, start)), tuple(tuple(map(self.call, thread)) for thread in threads)
        )

    def run(self, task: Callable[[Weaver], Any], reads: Sequence[str] = (), seconds: int = 60) -> Any:
        """The JSON-able result of `task`, in a caged process."""

        def caged() -> Any:
            driver = Driver(self.libraries, self.loaded, Flight(), self.subject.skip)
            driver.cage()
            driver.open(Limits(seconds=60))
            return task(Weaver(driver, reads))

        done = run(caged, WorkerLimits(seconds, 1.5 * seconds))
        assert not done.error and not done.killed_by and not done.timed_out, done
        return done.result
