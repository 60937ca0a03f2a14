# SPDX-License-Identifier: GPL-2.0-only
"""Checks as tests of pytest, and the check as a function of Python."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import pytest

import kconform
from kernel_snippets import BUNDLED_PATCH
from tests.mini_kernel import COUNTER, counter_contract, mini_kernel
from tests.test_stages import BAD, GOOD, history
from tests.test_tree import git

QUIETLY = "--contract mm-owner-tracking --walk 0 --no-sanitizers"
BROKEN = (
    "conformance/add/exclusive",
    "conformance/inc/exclusive",
    "claim/no-false-shared-with-two-mms",
    "concurrency/race/exclusive",
)


@dataclass(frozen=True)
class Ran:
    status: int
    out: str


def run(folder: Path, *words: object, args: str = QUIETLY) -> Ran:
    folder.mkdir(exist_ok=True)
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--kconform-args={args}"]
    done = subprocess.run(
        [*command, *map(str, words)], cwd=folder, env=env | {"TMPDIR": str(temporary)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert not list(temporary.glob("kconform*")), "something is left behind"
    return Ran(done.returncode, done.stdout + done.stderr)


PATCH = f"--kconform={BUNDLED_PATCH}"


def test_every_check_is_a_test_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "test_of_the_kernel.py").write_text("def test_other() -> None:\n    raise SystemExit\n")
    done = run(tmp_path, PATCH, "--junitxml", "out.xml")
    assert done.status == 1
    cases = list(ElementTree.parse(tmp_path / "out.xml").iter("testcase"))
    document = kconform.check(BUNDLED_PATCH, contract="mm-owner-tracking", walk=0, sanitizers=False)
    assert {case.get("name") for case in cases} == {case.id for case in document.cases}
    assert {c.get("name") for c in cases if c.find("failure") is not None} == set(BROKEN)
    assert {c.get("classname") for c in cases} == {"kconform.mm-owner-tracking"}
    assert "the model expects 1, the code gives 0" in done.out
    assert "1  add(mm=0, diff=1)  1         shared     mm0 x1" in done.out
    assert "Traceback" not in done.out and "test_other" not in done.out


def test_some_by_name(tmp_path: Path) -> None:
    done = run(tmp_path, PATCH, "-k", "no-false-shared or mapcount-is-the-sum")
    assert done.status == 1 and "1 failed, 1 passed, 219 deselected" in done.out


def test_over_several_processes(tmp_path: Path) -> None:
    done = run(tmp_path, PATCH, "-n", "2")
    assert done.status == 1 and "4 failed, 217 passed" in done.out


def test_beside_the_tests_of_a_project(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_mine() -> None:\n    pass\n")
    done = run(tmp_path, PATCH, "test_mine.py", "-k", "mine or no-false")
    assert "1 failed, 1 passed" in done.out
    alone = run(tmp_path, "test_mine.py")
    assert alone.status == 0 and "1 passed" in alone.out


def test_a_tree_what_is_known_and_what_the_base_has(tmp_path: Path) -> None:
    contract = counter_contract(tmp_path)
    kernel = mini_kernel(tmp_path / "linux")
    git(kernel, "init", "-q")
    broken = COUNTER.replace("COUNTER_OP(dec, -=)", "COUNTER_OP(dec, = -)")
    history(kernel, broken, broken.replace(GOOD, BAD))
    args = f"--contract {contract} --walk 0 --no-sanitizers --range HEAD~1..HEAD"
    done = run(tmp_path / "run", f"--kconform-tree={kernel}", "-rs", args=args)
    assert done.status == 1 and "1 failed" in done.out and "the base fails it as well" in done.out
    known = tmp_path / "known.json"
    written = run(tmp_path / "run", f"--kconform-tree={kernel}", args=f"{args} --write-baseline {known}")
    assert written.status == 0
    again = run(tmp_path / "run", f"--kconform-tree={kernel}", "-rx", args=f"{args} --baseline {known}")
    assert (
        again.status == 0 and "1 xfailed" in again.out and "known when the baseline was written" in again.out
    )


def test_unknown_is_skipped_with_its_reason(tmp_path: Path) -> None:
    args = "--contract mm-owner-tracking --no-sanitizers --walk 0 --config CONFIG_DEBUG_VM=n"
    done = run(tmp_path, PATCH, "-rs", args=args)
    assert "skipped" in done.out and "CONFIG_DEBUG_VM=n compiles the warnings away" in done.out


@pytest.mark.parametrize(
    "words, said",
    [
        (("--kconform=none.patch",), "none.patch"),
        ((PATCH, "--kconform-args=--contract no-such"), "no contract no-such"),
        ((PATCH, "--kconform-args=--shard 9/3"), "9/3 is no shard"),
        ((PATCH, "--kconform-args=--matrix"), "--matrix has a report of its own"),
    ],
)
def test_what_cannot_be_checked_is_one_line(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = run(tmp_path, *words)
    assert done.status == 4 and said in done.out and "Traceback" not in done.out


def test_from_python(tmp_path: Path) -> None:
    document = kconform.check(BUNDLED_PATCH, contract="mm-owner-tracking", walk=0, sanitizers=False)
    assert {case.id for case in document.findings} == set(BROKEN)
    assert document.status(strict=False) == 1
    assert kconform.text(document).startswith("FAIL: 4 of 221 checks failed")
    assert '"schema": 1' in kconform.json(document)
    bounds = kconform.check(
        BUNDLED_PATCH, contract="mm-ids-word", walk=0, sanitizers=False, config={"CONFIG_DEBUG_VM": True},
    )  # fmt: skip
    assert bounds.findings == ()
    with pytest.raises(kconform.ExtractError):
        kconform.check(tmp_path / "none")
    with pytest.raises(kconform.HarnessError, match="is not a number"):
        kconform.check(BUNDLED_PATCH, walk=-1)
