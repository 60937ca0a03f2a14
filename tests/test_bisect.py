# SPDX-License-Identifier: GPL-2.0-only
"""`git bisect run kconform check --bisect`, on a repository with a defect and revisions that do not build."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli import kconform
from tests.mini_kernel import COUNTER, QUIET, counter_contract, mini_kernel
from tests.test_check_tree import HEADER
from tests.test_tree import WHEN, WHO, commit, git

KCONFORM = Path(sys.executable).parent / "kconform"
FULL = "c->value >= COUNTER_MAX"


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    counter_contract(tmp_path)
    folder = mini_kernel(tmp_path / "linux")
    git(folder, "init", "-q", "-b", "main")
    return folder


def history(kernel: Path, states: Sequence[str]) -> list[str]:
    """A commit for each word: good, bad (the defect), broken (does not compile), gone (no function)."""
    made = []
    for number, state in enumerate(states):
        text = COUNTER.replace(FULL, "c->value > COUNTER_MAX") if state == "bad" else COUNTER
        text = text.replace(FULL, "c->count >= no_such_name") if state == "broken" else text
        text = text.replace("counter_full(", "counter_is_full(") if state == "gone" else text
        (kernel / HEADER).write_text(f"/* {number} */\n{text}")
        made.append(commit(kernel, f"mm: {number}, {state}"))
    return made


def bisect(kernel: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | WHO | WHEN
    return subprocess.run(
        ["git", "-C", kernel, "bisect", *words], capture_output=True, text=True, env=env, check=False
    )


def command(kernel: Path, *more: str) -> list[str]:
    contract = str(kernel.parent / "counter.py")
    return [str(KCONFORM), "check", "--tree", ".", "--bisect", "--contract", contract, *QUIET, *more]


@pytest.mark.parametrize("unbuildable", ["broken", "gone"])
def test_the_first_bad_commit_is_named_and_what_cannot_be_judged_is_skipped(
    kernel: Path, unbuildable: str
) -> None:
    made = history(kernel, ["good", "good", "good", unbuildable, "good", "bad", "bad", "bad"])
    bisect(kernel, "start", made[-1], made[0])
    done = bisect(kernel, "run", *command(kernel))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{made[5]} is the first bad commit" in done.stdout
    log = bisect(kernel, "log").stdout
    assert re.findall(r"# skip: \[(\w+)\]", log) == [made[3]], log


def test_without_a_checkout(kernel: Path) -> None:
    made = history(kernel, ["good", "good", "bad", "bad"])
    bisect(kernel, "start", "--no-checkout", made[-1], made[0])
    (kernel / HEADER).unlink()
    done = bisect(kernel, "run", *command(kernel, "--rev", "BISECT_HEAD"))
    assert done.returncode == 0 and f"{made[2]} is the first bad commit" in done.stdout, (
        done.stdout + done.stderr
    )


def test_what_is_the_users_ends_the_bisection_and_marks_nothing(kernel: Path) -> None:
    made = history(kernel, ["good", "good", "bad", "bad"])
    bisect(kernel, "start", made[-1], made[0])
    done = bisect(kernel, "run", str(KCONFORM), "check", "--tree", ".", "--bisect", "--contract", "no-such")
    assert done.returncode != 0 and "no contract no-such" in done.stderr
    assert not re.search(r"^git bisect (good|bad|skip)", bisect(kernel, "log").stdout, re.M)


def test_the_statuses(kernel: Path) -> None:
    contract = kernel.parent / "counter.py"
    for state, status in (("good", 0), ("bad", 1), ("broken", 125), ("gone", 125)):
        history(kernel, [state])
        done = kconform("check", "--tree", kernel, "--bisect", "--contract", contract, *QUIET)
        assert done.status == status, (state, done.out, done.err)


def test_statuses_of_wrong_command_lines(kernel: Path) -> None:
    history(kernel, ["good"])
    contract = kernel.parent / "counter.py"
    torn = kernel.parent / "torn.py"
    torn.write_text("CONTRACT = 1\n")
    right = ["--tree", kernel, "--contract", contract]
    for words, said in (
        (["--tree", kernel.parent / "nowhere", "--contract", contract], "not a directory"),
        (["--tree", kernel.parent, "--contract", contract], "not a kernel tree"),
        (["--tree", kernel, "--contract", torn], "the file defines no CONTRACT"),
        (["--tree", kernel, "--rev", "nothing", "--contract", contract], "nothing"),
        ([*right, "--bound", "x=1"], "has no bound x"),
        ([*right, "--config", "X"], "--config X"),
        ([*right, "--kconfig", kernel / "no.config"], "no.config"),
        ([*right, "--range", "HEAD~1..HEAD"], "leave out --range"),
        ([*right, "--format", "b4:no/such/file"], "there is no folder no/such"),
        ([*right, "--contrakt"], "unrecognized arguments: --contrakt"),
        ([*right, "--walk", "many"], "many is not a number"),
        ([*right, kernel.parent / "no.patch"], "cannot read it"),
        (["--tree", kernel, "--bound", "x=1"], "give --contract NAME as well"),
        (["--contract", contract], "give --tree DIR"),
    ):
        done = kconform("check", "--bisect", *words, *QUIET)
        assert (done.status, done.out) == (128, "") and said in done.err, (words, done)
    done = kconform("check", "--bis", *right, "--walk", "many")
    assert done.status == 128, done.err
    assert kconform("check", "--walk", "many").status == 2  # as ever, where nobody bisects


def test_a_patch_that_does_not_apply_to_a_revision_is_skipped(kernel: Path) -> None:
    history(kernel, ["good"])
    (kernel / HEADER).write_text(
        (kernel / HEADER).read_text().replace("COUNTER_MAX	5", "COUNTER_MAX	4")
    )
    patch = kernel.parent / "change.diff"
    patch.write_text(git(kernel, "diff"))
    git(kernel, "checkout", "-q", ".")
    (kernel / HEADER).write_text(
        COUNTER.replace("COUNTER_MAX	5", "COUNTER_LIMIT	9").replace("zero.", "none.")
    )
    contract = kernel.parent / "counter.py"
    done = kconform("check", patch, "--tree", kernel, "--bisect", "--contract", contract, *QUIET)
    assert done.status == 125 and "does not apply" in done.err


def test_the_help_says_the_statuses() -> None:
    said = " ".join(kconform("check", "--help").out.split())
    assert "git bisect run kconform check --tree . --bisect --contract NAME" in said
    assert "125 not judged" in said and "128 the command line" in said
