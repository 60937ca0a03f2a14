# SPDX-License-Identifier: GPL-2.0-only
"""Findings and a long walk in a real kernel: the same observation at each step as in userspace.

They need `make trees`, which brings the kernel, and the package qemu-system-x86; a boot takes seconds, so
all traces go into one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.export.boot import Booted, archive
from harness.export.compare import Row, Wanted, compare_all, compared, run_of, runs_of
from harness.export.files import wanted
from harness.export.kbuild import kernel_in
from harness.report.kernel import compared_text
from harness.stage import Stage
from harness.trace_file import read_trace
from kernel_snippets import BUNDLED_PATCH
from tests.cli import kconform
from tests.findings import FINDINGS, trace_of

pytestmark = pytest.mark.xdist_group("kernel")
KERNEL = Path(__file__).parents[1] / "trees/kernel-6.12"
HOW = "make trees brings it; apt-get install qemu-system-x86 what boots it"
CALLS = 10_000
# One that never comes back is last: it takes a boot of its own.
HUNG = [each for each in FINDINGS if each.check == "crash/deadlock"]
CHOSEN = [each for each in FINDINGS if each.check.startswith((
    "claim/no-false", "conformance/s", "misuse", "crash/sub", "sanitizer", "conformance/mm", "claim/prepared",
    "conformance/f")) and "endless loop" not in each.name]  # fmt: skip


def there() -> Path:
    assert any(KERNEL.glob("boot/vmlinuz-*")), f"{KERNEL} is missing: {HOW}"
    found = shutil.which("qemu-system-x86_64") or (KERNEL / "usr/bin/qemu-system-x86_64").is_file()
    assert found, f"qemu is missing: {HOW}"
    return KERNEL


def replay(*arguments: object, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | ({"PATH": path} if path is not None else {})
    words = [sys.executable, "-m", "harness.cli", "replay", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=1200, env=environment)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A walk and a finding of every kind in one kernel, by name."""
    kernel, walk = there(), tmp_path_factory.mktemp("walk") / "walk.json"
    assert kconform("record", BUNDLED_PATCH, "--calls", CALLS, "-o", walk).status == 0
    traces = [walk, *(trace_of(each) for each in (*CHOSEN, *HUNG))]
    done = replay(*traces, "--kernel", kernel, "--format", "json")
    assert done.stderr == ""
    assert done.returncode == 0, done.stdout
    return {said["name"]: said for said in json.loads(done.stdout)}


def test_every_observation_of_ten_thousand_calls_is_equal(replayed: dict[str, Any]) -> None:
    walk = next(said for name, said in replayed.items() if name.endswith("walk.json"))
    assert walk["verdict"] == "equal"
    assert walk["steps"] >= CALLS
    assert walk["compared"] == ["mapcount", "exclusive", "id0", "count0", "id1", "count1", "locked",
                                "return", "warnings"]  # fmt: skip
    assert walk["not_compared"] == ["rmw"]


@pytest.mark.parametrize("planted", [*CHOSEN, *HUNG], ids=lambda planted: planted.id)
def test_a_finding_shows_the_same_in_a_kernel(planted: Any, replayed: dict[str, Any]) -> None:
    said = replayed[str(trace_of(planted))]
    assert said["verdict"] == "equal", said
    assert said["steps"] == len(read_trace(trace_of(planted)).steps) - 1


def test_what_is_otherwise_in_the_kernel_is_seen(tmp_path: Path) -> None:
    """Comparison can fail: the module counts one mapping too many from its second call on."""
    planted = next(each for each in FINDINGS if each.check == "conformance/sub/count1")
    path = trace_of(planted)
    one, contract = wanted("trace.json", read_trace(path), None, Stage(tmp_path), {}, {}, "kc0")
    line = "s[S_mapcount] = atomic_read(&w->folio._large_mapcount) + 1;"
    assert one.source.count(line) == 1
    other = one.source.replace(
        line, line.replace("+ 1;", "+ 1 + (atomic_read(&w->folio._large_mapcount) > 0);")
    )
    (tmp_path / "kernel").mkdir()
    done = compare_all(kernel_in(there()), [Wanted(one.name, other, one.rows)], tmp_path / "kernel")[0]
    assert not done.equal
    at = next(n for n, row in enumerate(one.rows) if row.seen["mapcount"] > 1)
    assert done.at == at
    assert done.kernel
    assert done.kernel.seen["mapcount"] == one.rows[at].seen["mapcount"] + 1
    text = compared_text([(done, contract)], False)
    assert text.startswith("DIFFERENT: trace.json\n")
    assert f"{one.rows[at].call}, userspace" in text
    assert f"{one.rows[at].call}, kernel" in text


# What needs no kernel.

ROWS = (Row("(initial)", {"a": 0}), Row("f()", {"a": 1, "warnings": 0}), Row("g()", {"a": 2, "warnings": 1}))
GOOD = [
    "# kc begin t 2: a return warnings",
    "[    1.5] # kc 0 0 0 0",
    "# kc 1 1 0 0",
    "# kc 2 2 0 1",
    "# kc end t",
]


def verdict(lines: list[str], ended: str = "", rows: tuple[Row, ...] = ROWS) -> int:
    return compared(Wanted("t", "", rows), run_of(lines, ended), "6.12", 1).at


def test_a_comparison_ends_at_the_first_step_that_differs() -> None:
    assert verdict(GOOD) == -1
    assert verdict([line.replace("kc 1 1", "kc 1 7") for line in GOOD]) == 1
    assert verdict([line.replace("2 2 0 1", "2 2 0 0") for line in GOOD]) == 2
    assert verdict(GOOD[:3], "oops") == 2
    crashed = (*ROWS[:2], Row("g()", {}, "signal"))
    assert verdict(GOOD[:3], "oops", crashed) == -1
    assert verdict(GOOD[:3], "hung", crashed) == 2
    assert verdict(GOOD, "", crashed) == 2  # it comes back there
    hung = (*ROWS[:2], Row("g()", {}, "deadlock"))
    assert verdict(GOOD[:3], "hung", hung) == -1
    with pytest.raises(HarnessError, match=r"the module said nothing in 6\.12: it is not loaded: error 8"):
        verdict([], "it is not loaded: error 8")


def test_what_a_guest_says_is_told_apart_by_module() -> None:
    lines = ("", *GOOD, "kconform-guest: module 0 status 0", *GOOD[:2], "[  3.1] Oops: Oops: 0002 [#1]",
             "kconform-guest: module 1 killed", "kconform-guest: module 2 status 8", *GOOD[:3])  # fmt: skip
    runs = [*runs_of(Booted(lines, True, 1))]
    assert [run.ended for run in runs] == ["", "oops", "it is not loaded: error 8", "hung"]
    assert [len(run.rows) for run in runs] == [3, 1, 0, 2]
    assert runs[1].said == "Oops: Oops: 0002 [#1]"
    assert [run.ended for run in runs_of(Booted((*lines[:7], "kconform-guest: done"), False, 1))] == [""]


def test_an_archive_has_the_first_process_and_the_modules(tmp_path: Path) -> None:
    for name, text in (("init", "first"), ("a.ko", "module")):
        (tmp_path / name).write_text(text)
    data = archive(tmp_path / "init", [tmp_path / "a.ko"])
    assert len(data) % 4 == 0
    assert data.startswith(b"070701")
    assert b"0.ko\0\0module" in data.replace(b"0.ko\0\0\0", b"0.ko\0\0")
    assert b"TRAILER!!!" in data


def test_a_kernel_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    trace = trace_of(FINDINGS[0])
    (tmp_path / "empty").mkdir()
    (tmp_path / "image/boot").mkdir(parents=True)
    (tmp_path / "image/boot/vmlinuz-6.12-cloud-amd64").touch()
    for folder, said in (("none", "no such folder"), ("empty", "boot/vmlinuz-* is missing there"),
                         ("image", "its headers (usr/src/linux-headers-*) is missing there")):  # fmt: skip
        done = replay(trace, "--kernel", tmp_path / folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert "linux-kbuild-VERSION" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_qemu_that_is_missing_is_said_before_anything_is_built(tmp_path: Path) -> None:
    kernel = there()
    for name in ("boot", "usr/src", "usr/lib"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(kernel / name)
    done = replay(trace_of(FINDINGS[0]), "--kernel", tmp_path, path=str(tmp_path / "nothing"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "qemu-system-x86_64 is missing, which boots the kernel; install the package" in done.stderr
    assert done.stderr.count("\n") == 1
