# SPDX-License-Identifier: GPL-2.0-only
"""Exploration at its limits: symmetry, bounds, walks, sanitizers, coverage, and what a kill leaves."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.build import cache_folder
from harness.loading import contract_path
from kernel_snippets import BUNDLED_PATCH
from tests.cli import ONE, QUICK, kconform
from tests.cli import tracked as check
from tests.mails import V1
from tests.planted import DEFECTS, REPAIR, added, plant
from tests.test_check import FOUND, ops

SUB = "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;"
SMALL = ("--bound", "mms=3", "--bound", "pages=3", "--walk", "0", "--no-sanitizers")


def before_sub(code: str) -> str:
    """The bundled mail with `code` put before the first update of folio_sub_large_mapcount()."""
    return plant((SUB, added(code) + SUB))


# Symmetry.


def outcomes(said: dict) -> list[tuple]:
    return [(c["id"], c["verdict"], c["judged"], c["failed"], len(c["trace"])) for c in said["checks"]]


@pytest.mark.parametrize("defect", ["none", *DEFECTS])
def test_symmetry_changes_no_verdict_no_count_and_no_length(defect: str) -> None:
    """All that a class stands for is counted: the numbers are those of every single state."""
    text = V1 if defect == "none" else plant(DEFECTS[defect])
    off, on = (check(text, *SMALL, "--symmetry", how).json for how in ("off", "on"))
    # An operation that never ends is called once, whatever the number of states.
    counted = slice(None) if defect != "endless loop" else slice(0, 2)
    said = [[check[counted] for check in outcomes(run)] for run in (on, off)]
    assert said[0] == said[1]
    assert on["explored"]["states"] == off["explored"]["states"]
    if defect in ("none", "foreign field", "dropped warning", "second atomic"):
        assert on["explored"]["symmetry"] and on["explored"]["kept"] * 4 < off["explored"]["kept"]


def test_traces_of_symmetric_runs_are_real() -> None:
    """A class's trace is told with the members that really took part; each step was run again."""
    text = before_sub("	if (mm_id == MM_ID_MAX && folio_mm0_id(folio) == 0x55555)\n		diff++;")
    for how in ("on", "off"):
        said = check(text, *SMALL, "--symmetry", how)
        assert "conformance/sub/mapcount" in said.failed()


def test_symmetry_is_only_used_where_states_are_many() -> None:
    few = check(V1, "--bound", "mms=4", "--bound", "pages=8", "--walk", "0", "--no-sanitizers").json
    many = check(V1, "--bound", "mms=5", "--bound", "pages=8", "--walk", "0", "--no-sanitizers").json
    assert (few["explored"]["symmetry"], many["explored"]["symmetry"]) == (False, True)
    assert few["explored"]["kept"] == few["explored"]["states"] == 111_761
    assert many["explored"]["states"] > 1_000_000 > many["explored"]["kept"]
    assert max(few["explored"]["bytes_per_state"], many["explored"]["bytes_per_state"]) <= 64


# Limits.


@pytest.mark.parametrize("limit, word", [(("--time", "0.3"), "time"), (("--memory", "8"), "memory")])
def test_a_run_beyond_its_limits_is_unknown_and_says_what_it_completed(
    limit: tuple[str, str], word: str
) -> None:
    done = check(plant(REPAIR), "--bound", "mms=9", "--bound", "pages=64", *limit, "--no-sanitizers")
    assert done.status == 2 and not done.failed()
    explored = done.json["explored"]
    assert not explored["complete"] and word in explored["reason"] and explored["depth"] >= 1
    always = done.check("claim/exclusive-is-certain")
    assert always["verdict"] == "unknown" and "every trace of up to" in always["reason"]
    text = kconform("check", *ONE, "-", "--bound", "mms=9", "--bound", "pages=64", *limit,
                    *QUICK, stdin=plant(REPAIR)).out  # fmt: skip
    assert text.startswith("UNKNOWN") and "INCOMPLETE" in text


def test_a_defect_is_found_in_a_run_that_its_limits_end() -> None:
    wide = ("--bound", "mms=9", "--bound", "pages=64", "--time", "0.5")
    done = check(plant(DEFECTS["wrong sign"]), *QUICK, *wide)
    assert done.status == 1 and ops(done.check("conformance/sub/count1")) == ["set", "add", "sub"]


@pytest.mark.parametrize(
    "arguments",
    [("--time", "0"), ("--time", "x"), ("--memory", "-1"), ("--walk", "1.5"), ("--symmetry", "maybe")],
)
def test_bad_limits_are_refused(arguments: tuple[str, str]) -> None:
    done = check(V1, *arguments)
    assert done.status == 2 and "Traceback" not in done.err


def test_a_progress_line_on_a_terminal_and_none_in_a_pipe() -> None:
    command = [sys.executable, "-m", "harness.cli", "check", str(BUNDLED_PATCH), "--walk", "0",
               *ONE, "--bound", "mms=9", "--bound", "pages=64", "--time", "2", "--no-sanitizers"]  # fmt: skip
    piped = subprocess.run(command, capture_output=True, text=True, check=False)
    assert piped.stderr == ""
    ours, theirs = pty.openpty()
    shown = b""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        while process.poll() is None or shown == b"":
            try:
                shown += os.read(ours, 4096)
            except OSError:
                break
    os.close(ours)
    text = shown.decode()
    assert re.search(r"\[#* *\] [\d,]+ of [\d,]+ states so far, .* M calls/s, \d+ s or more to go", text)
    assert text.endswith("\r\x1b[K")


# A contract without a model: ghost and claims alone.


def test_without_a_model_ghost_and_claims_are_judged_alone(tmp_path: Path) -> None:
    contract = contract_path("mm-owner-tracking").read_text()
    path = tmp_path / "mine.py"
    path.write_text(re.sub(r"\n +model=\w+_model,", "", contract))
    done = check(plant(DEFECTS["takeover while shared"]), *QUICK, "--contract", path)
    assert "claim/no-takeover-while-shared" in done.failed()
    assert not any(c["id"].startswith("conformance/add/count") for c in done.json["checks"])
    assert done.json["explored"]["states"] > 1000
    assert any("model" in said for said in done.json["not_checked"])
    plain = check(V1, *QUICK, "--contract", path)
    assert plain.failed() == {"claim/no-false-shared-with-two-mms"}


# Random walks.

FAR = before_sub("	if (diff >= 512)\n		folio->_mm0_mapcount++;")


def test_a_walk_finds_what_shows_only_beyond_the_bounds_with_a_minimal_trace() -> None:
    done = check(FAR, "--no-sanitizers")
    finding = done.check("conformance/sub/count0")
    assert finding["verdict"] == "fail" and finding["found"] == "walk"
    steps = [(s["op"], s["args"]) for s in finding["trace"][1:]]
    assert len(steps) == 2 and steps[1] == ("sub", {"mm": 0, "diff": 512})
    assert steps[0][0] in ("add", "set") and 512 in steps[0][1].values()
    assert check(FAR, *QUICK).failed() == FOUND


def test_a_walk_reaches_odd_ids() -> None:
    odd = before_sub("	if (mm_id == 65536)\n		folio->_mm0_mapcount++;")
    finding = check(odd, "--no-sanitizers").check("conformance/sub/count0")
    assert finding["found"] == "walk" and len(finding["trace"]) == 3


def test_the_same_seed_walks_the_same_way_and_another_finds_the_same() -> None:
    seeds = ("7", "7", "8")
    first, again, other = (check(FAR, "--no-sanitizers", "--seed", seed) for seed in seeds)
    assert first.untimed == again.untimed
    assert first.json["walk"]["seed"] == 7
    # Which claims a departure from the model breaks in the end may take a longer walk to show.
    models = [{name for name in done.failed() if "claim/" not in name} for done in (first, other)]
    assert (
        models[0]
        == models[1]
        == {"conformance/sub/count0", "conformance/sub/exclusive"}
        | (FOUND - {"claim/no-false-shared-with-two-mms"})
    )
    assert first.untimed != other.untimed


def test_what_a_walk_only_passes_is_no_claim_of_exploration() -> None:
    done = kconform("check", *ONE, BUNDLED_PATCH, "--no-sanitizers")
    assert "random walk of 300,000 calls, seed 1" in done.out


NEAR_THE_LIMIT = plant(
    (
        "+	atomic_set(&folio->_large_mapcount, mapcount_val);\n+\n+	if (folio_mm0_id(folio) == mm_id) {",
        "+	if (mapcount_val > 0x7ffffff0)\n+		mapcount_val = 0x7ffffff0;\n"
        "+	atomic_set(&folio->_large_mapcount, mapcount_val);\n+\n"
        "+	if (folio_mm0_id(folio) == mm_id) {",
    )
)


def test_a_walk_comes_near_the_limits_and_tells_it_in_few_calls() -> None:
    """Hundreds of small calls reach the limit first; none of them can be dropped, yet two large ones do."""
    finding = check(NEAR_THE_LIMIT, "--no-sanitizers").check("conformance/add/mapcount")
    assert finding["found"] == "walk" and len(finding["trace"]) == 3 and finding["doubt"] == ""


def test_state_that_a_patch_hides_is_said() -> None:
    text = before_sub("	static int calls;\n\n	if (++calls == 5)\n		folio->_mm0_mapcount++;")
    done = check(text, "--no-sanitizers")
    assert "281: folio_sub_large_mapcount keeps state in a static variable" in done.json["hidden_state"][0]
    doubted = [c for c in done.json["checks"] if c["verdict"] == "fail" and c["doubt"]]
    assert all("what the code does varies" in c["doubt"] for c in doubted)
    assert "warning: include/linux/rmap.h:281" in kconform("check", *ONE, *QUICK, "-", stdin=text).out


# Sanitizers.

UNDEFINED = {
    "shift": ("	diff += (int)(1UL << (64 + folio->_mm0_mapcount)) & 0;", "shift-out-of-bounds"),
    "past the folio": (
        "	if (*(volatile long *)((&folio->_mm_ids) + 40) == 77)\n		diff++;", "out-of-bounds-read"),
    "before the folio": ("	((volatile int *)folio)[-1] = 3;", "out-of-bounds-write"),
    "array": (
        "	volatile int a[2] = { 1 }, k = folio->_mm1_mapcount;\n\n"
        "	if (k > 1 && a[k] == 5)\n		diff++;",
        "array-index-out-of-bounds"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNDEFINED)
def test_undefined_behaviour_is_a_finding_with_line_and_trace(what: str) -> None:
    code, kind = UNDEFINED[what]
    done = check(before_sub(code), "--walk", "0")
    finding = done.check(f"sanitizer/sub/{kind}")
    assert done.status == 1 and finding["verdict"] == "fail"
    assert finding["where"]["file"] == "include/linux/rmap.h" and 281 <= finding["where"]["line"] <= 283
    assert ops(finding)[-1] == "sub" and len(ops(finding)) <= 3
    text = kconform("check", *ONE, "-", "--walk", "0", stdin=before_sub(code)).out
    assert text.count(f"FINDING sanitizer/sub/{kind}") == 1 and "also sanitizer/dec/" in text
    if what == "shift":  # without sanitizers there is nothing to see of any of them
        without = check(before_sub(code), *QUICK).json["checks"]
        assert not any(c["group"] == "sanitizer" for c in without)


def test_what_the_kernels_dialect_defines_is_no_finding() -> None:
    fine = before_sub(
        "	diff += (INT_MAX + folio->_mm0_mapcount + 2) & 0;\n	diff += ((-1 - diff) << 31) & 0;"
    )
    assert check(fine).failed() == FOUND


# Coverage.


def test_coverage_in_check() -> None:
    done = kconform("check", *ONE, BUNDLED_PATCH, "--coverage")
    assert "coverage of the patch's lines: 81 of 81 lines, 74 of 74 branches, 12 of 12 functions" in done.out
    assert re.search(r"\d+:  259:   2/2:\t\t} else \{|259:", done.out)
    dead = before_sub("	if (diff == 77777)\n		diff = 1;")
    said = kconform("check", *ONE, *QUICK, "-", "--coverage", stdin=dead).out
    assert "include/linux/rmap.h:282" in said and "#####" in said
    data = check(dead, *QUICK, "--coverage").json["coverage"]
    assert any(missed["line"] == 282 for missed in data["missed"])


# What is left behind.


def cache_of(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"XDG_CACHE_HOME": str(tmp_path)}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of caches of its own, with all of kconform's own parts compiled."""
    home = tmp_path_factory.mktemp("cache")
    wide = ("--bound", "mms=9", "--bound", "pages=64", "--time", "0.1")
    kconform("check", *ONE, BUNDLED_PATCH, *wide)
    (home / "kconform").mkdir()
    for made in (*cache_folder().glob("*.so"), *cache_folder().glob("*.o")):
        shutil.copy2(made, home / "kconform")
    return home


@pytest.mark.xdist_group("killing")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killing_a_run_in_the_middle_leaves_nothing_behind(number: int, filled: Path) -> None:
    cache = filled / "kconform"
    command = [sys.executable, "-m", "harness.cli", "check", str(BUNDLED_PATCH), *ONE, "--bound", "mms=9",
               "--bound", "pages=64", "--time", "60"]  # fmt: skip
    with subprocess.Popen(command, env=cache_of(filled), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:  # fmt: skip
        deadline = time.monotonic() + 50
        while late := len(list(cache.glob("kconform-*/*/*/subject.so"))) < 3:
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        time.sleep(0.3)
        workers = children_of(process.pid)
        process.send_signal(signal.SIGKILL if late else number)  # nobody waits for its minute
    assert workers and not late
    deadline = time.monotonic() + 20
    while running(workers) or list(cache.glob("kconform-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    """The processes whose parent is `pid`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def running(pids: list[int]) -> list[int]:
    """Those of `pids` that still run; nobody may be there to wait for those that ended."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            found.append(pid)
    return found


def test_two_runs_of_everything_print_the_same() -> None:
    arguments = ("check", BUNDLED_PATCH, *ONE, "--coverage", "--format", "json")
    first = kconform(*arguments)
    assert first.untimed == kconform(*arguments).untimed and first.json["checks"]
