# SPDX-License-Identifier: GPL-2.0-only
"""Translation, the worker's cage, the direction of imports, and what the README shows."""

from __future__ import annotations

import ast
import importlib
import os
import time
from pathlib import Path

import pytest

from harness import worker
from harness.loading import contract_path, load
from kernel_snippets import BUNDLED_PATCH
from tests.cli import check, kconform
from tests.mails import V1

ROOT = Path(__file__).parents[1]
CONTRACT = contract_path("mm-owner-tracking").read_text()
BINDING = '__import__("harness.contract").contract.Binding'


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("    return s.mapcount == 0\n\n\ndef is_mapped", "    while s:\n        pass\n\n\ndef is_mapped",
         "While is not in the subset"),
        ("    return s.mapcount == 0\n\n\ndef is_mapped", "    return s.nofield\n\n\ndef is_mapped",
         "no field nofield"),
        ("def is_unmapped(s: State)", "def is_unmapped(s)", "needs a type"),
        ("CONTRACT = Contract(", "CONTRAST = Contract(", "no CONTRACT"),
        ("MMS = bound(", "MMS = bound(((", ":"),
        ("MMS = bound(", "MMS = 1 / 0 + bound(", "ZeroDivisionError"),
        ("    revisions=", f"    bindings=({BINDING}('odd', calls={{'no': ''}}),),\n    revisions=",
         "binding odd: calls has no, which the contract has not"),
    ],
)  # fmt: skip
def test_a_faulty_contract_is_one_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    assert old in CONTRACT
    path = tmp_path / "mine.py"
    path.write_text(CONTRACT.replace(old, new, 1))
    done = check(V1, "--contract", path)
    assert done.status == 2 and words in done.err and done.err.count("\n") == 1
    assert str(path) in done.err


def test_a_contract_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(CONTRACT.replace("return t.mapcount == sum(g.maps)", "return t.mapcount < 3"))
    claim = check(V1, "--contract", path).check("claim/mapcount-is-the-sum")
    assert claim["verdict"] == "fail" and len(claim["trace"]) == 2


def test_a_translation_that_differs_from_python_ends_the_run(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    old = "def mappers(g: Ghost) -> int:\n    return sum(1 for n in g.maps if n > 0)"
    assert old in CONTRACT
    # `int` is C's to the translator; here Python is made to mean something else by it.
    path.write_text(CONTRACT.replace(old, "int = lambda x: x + 1\n" + old.replace("1 for", "int(1) for")))
    done = check(V1, "--contract", path)
    assert done.status == 2 and "differ" in done.err


def test_the_cage_lets_nothing_be_opened() -> None:
    from harness.build import cache_folder, engine_library
    from harness.driver import loaded_library
    from harness.scratch import scratch_folder

    with scratch_folder(cache_folder()) as folder:
        engine = loaded_library(engine_library(folder).finish())

    def task() -> list[str]:
        assert engine.kc_sandbox() == 0
        said = []
        for attempt in (lambda: os.open("/etc/passwd", 0), lambda: os.fork(), lambda: os.kill(1, 0)):
            try:
                attempt()
                said.append("done")
            except OSError as err:
                said.append(type(err).__name__)
        return said

    assert worker.run(task, worker.Limits()).result == ["PermissionError"] * 3


def test_workers_that_die_or_hang_are_said() -> None:
    assert worker.run(lambda: os.kill(os.getpid(), 9), worker.Limits()).killed_by == 9
    assert worker.run(lambda: time.sleep(9), worker.Limits(wall_seconds=0.2)).timed_out
    assert worker.run(lambda: int("no"), worker.Limits()).error.startswith("ValueError")
    assert worker.run(lambda: {"a": 1}, worker.Limits()).result == {"a": 1}


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{a.name}" for a in node.names} | {str(node.module)}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
    return found


def test_imports_run_one_way() -> None:
    for path in (ROOT / "extractor").glob("*.py"):
        assert not any(n.startswith(("harness", "subprocess", "kernel_snippets")) for n in imported(path))
    for path in (ROOT / "harness").rglob("*.py"):
        names = {n for n in imported(path) if n.startswith("harness.")}
        above = {n for n in names if n.startswith(("harness.cli", "harness.report"))}
        top = bool({"cli", "report"} & set(path.parts))
        assert top or not above, (path, above)
        if "static" in path.parts:
            run = ("harness.check", "harness.drive", "harness.run", "harness.matrix")
            assert not any(n.startswith(run) for n in names), path
        if "contracts" in path.parts:
            below = {"harness.contract", "harness.contracts", "harness.static"}
            assert {".".join(n.split(".")[:2]) for n in names} <= below, path
        if "matrix" not in path.parts and not top:
            assert not any(n.startswith("harness.matrix") for n in names), path


def test_only_contracts_and_shims_name_the_patch() -> None:
    for path in [*(ROOT / "extractor").rglob("*"), *(ROOT / "harness").rglob("*")]:
        if path.suffix in (".py", ".c", ".h", ".j2") and "contracts" not in path.parts:
            text = path.read_text()
            assert "large_mapcount" not in text and "_mm_ids" not in text and "MM_ID" not in text, path


def test_the_readme_shows_what_is_printed() -> None:
    readme = (ROOT / "README.md").read_text()
    report = kconform("check", BUNDLED_PATCH).out.rstrip().split("\n")
    assert "\n".join(report[:-1]) in readme  # the last line has this machine's versions
    for option in ("--contract", "--bound", "--config", "--format", "--keep", "--strict", "-v"):
        assert option in readme


def test_every_file_says_its_licence() -> None:
    for folder in ("extractor", "harness", "kernel_snippets", "tests", "bench"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".c", ".h", ".j2"):
                assert "SPDX-License-Identifier: GPL-2.0-only" in path.read_text()[:200], path


@pytest.mark.parametrize("name", ["engine", "interleave"])
def test_the_benchmarks_begin(name: str, tmp_path: Path) -> None:
    """They are run by hand: what they compile, and from what, is what breaks unseen."""
    bench = importlib.import_module(f"bench.{name}")
    made = bench.libraries(load(contract_path("mm-owner-tracking"), {}), tmp_path)
    assert made.subject.exists() and made.engine.exists()
