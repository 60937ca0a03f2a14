# SPDX-License-Identifier: GPL-2.0-only
"""The main job on the real patch, whole command lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kernel_snippets import BUNDLED_PATCH
from tests.cli import ONE, QUICK, check, kconform, once, tracked
from tests.mails import FORMS, next_revision
from tests.planted import DEFECTS, HARMLESS, REPAIR, V1, added, plant

FOUND = {
    "claim/no-false-shared-with-two-mms",
    "conformance/add/exclusive",
    "conformance/inc/exclusive",
}
RACE = "concurrency/race/exclusive"  # by the letter: a reader without the lock, beside plain writes
ALWAYS = (
    "mapcount-is-the-sum", "exclusive-is-certain", "exclusive-means-one-slot-owns-all",
    "unmapped-is-exclusive", "no-takeover-while-shared", "one-atomic-rmw-per-update",
)  # fmt: skip


def ops(said: dict) -> list[str]:
    return [step["op"] for step in said["trace"]][1:]


def test_the_bundled_patch() -> None:
    done = once("check", "-", "--format", "json", stdin=V1)
    assert (done.status, done.failed(), done.err) == (1, FOUND | {RACE}, "")
    assert done.json["explored"]["complete"]
    assert done.json["explored"]["states"] > 1000
    claim = done.check("claim/no-false-shared-with-two-mms")
    assert ops(claim) == ["add"]
    assert claim["trace"][1]["observed"]["exclusive"] == 0
    assert claim["trace"][1]["expected"]["exclusive"] == 1
    assert claim["where"] == {"file": "include/linux/rmap.h", "line": 264}
    assert "264: folio_clear_large_mapped_exclusively(folio);" in once("check", BUNDLED_PATCH).out
    common = done.check("conformance/add/exclusive")["common"]
    assert "the folio is unmapped" in common and "the MM has no slot" in common
    for name in ALWAYS:
        assert done.check(f"claim/{name}")["verdict"] == "pass"
    three = done.check("claim/three-mms-stay-shared")
    assert three["verdict"] == "pass" and ops(three) == ["set", "add", "add", "sub", "sub"]
    children = done.check("claim/children-take-both-slots")
    assert children["verdict"] == "pass" and len(ops(children)) == 3


def plain_verdicts() -> Any:
    return once("check", "-", "--format", "json", *ONE, *QUICK, stdin=V1).json


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_mail_gives_the_same_verdicts(form: str) -> None:
    plain, other = plain_verdicts(), tracked(FORMS[form], *QUICK).json
    assert other["checks"] == plain["checks"]
    assert other["patch"]["sha256"] == plain["patch"]["sha256"]


EXPECTED = {
    "wrong sign": ("conformance/sub/count1", ["set", "add", "sub"]),
    "wrong slot": ("conformance/add/id1", ["set", "add"]),
    "clobbered flags": ("conformance/set_mm1_id/exclusive", ["set_mm1_id"]),
    "dropped warning": ("misuse/set_flag/small-folio", ["set_flag/small-folio"]),
    "null dereference": ("crash/sub", ["set", "add", "sub"]),
    "endless loop": ("crash/sub", ["set", "add", "sub"]),
    "missing unlock": ("conformance/sub/locked", ["set", "sub"]),
    "takeover while shared": ("claim/no-takeover-while-shared", ["add", "add"]),
    "foreign field": ("conformance/set/elsewhere", ["set"]),
    "narrow mask": ("conformance/set_mm1_id/id1", ["set_mm1_id"]),
    "second atomic": ("claim/one-atomic-rmw-per-update", ["set", "sub"]),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_named_with_a_shortest_trace(defect: str) -> None:
    name, trace = EXPECTED[defect]
    # What the sanitizers make of each kind of crash, and of one that is none, is enough of them.
    sanitized = EXPECTED[defect][0].startswith("crash/") or defect == "wrong sign"
    done = tracked(plant(DEFECTS[defect]), *QUICK[: 3 if sanitized else 4])
    assert done.status == 1
    assert name in done.failed() - FOUND
    assert ops(done.check(name)) == trace
    assert done.check(name)["where"]["line"] > 1


def test_a_lock_that_is_never_released_is_a_finding_and_claims_say_what_they_lack() -> None:
    done = tracked(plant(DEFECTS["missing unlock"]), "--walk", "0")
    stuck = done.check("crash/deadlock")
    assert stuck["verdict"] == "fail" and len(ops(stuck)) == 3
    assert done.check("claim/exclusive-is-certain")["verdict"] == "unknown"


def test_crashes_name_the_line_of_the_patch() -> None:
    text = plant(DEFECTS["null dereference"])
    where = tracked(text, *QUICK).check("crash/sub")["where"]
    assert where == {"file": "include/linux/rmap.h", "line": 281}


def test_harmless_rewrites_bring_no_new_finding() -> None:
    assert tracked(plant(*HARMLESS)).failed() == FOUND


def test_a_repair_loses_the_finding() -> None:
    done = tracked(plant(REPAIR))
    assert (done.status, done.failed()) == (0, set())
    assert tracked(plant(REPAIR), *QUICK, "--strict").status == 0


RENAMED = V1.replace("folio_add_large_mapcount", "folio_more_large_mapcount")


def test_the_next_revision_is_judged_by_its_own_model_and_sentences() -> None:
    """It has other fields, an inverted flag, and slots that are freed."""
    v2 = next_revision()
    done = tracked(v2.read_bytes())
    assert (done.status, done.failed(), done.err) == (0, set(), "")
    assert done.json["explored"]["complete"] and done.json["explored"]["states"] > 4000
    claim = done.check("claim/no-false-shared-with-two-mms")
    assert claim["verdict"] == "pass" and claim["quote"].startswith("We will reliably detect")
    assert " ".join(claim["quote"].split()) in " ".join(v2.read_text().split())
    assert not any("no model" in said for said in done.json["not_checked"])
    assert done.check("conformance/sub/id0")["verdict"] == "pass"
    start = "+	new_mapcount_val = atomic_read(&folio->_large_mapcount) - diff;"
    text = v2.read_text().replace(start, start.replace("- diff", "- diff + (diff > 1)"))
    assert {"claim/mapcount-is-the-sum", "conformance/sub/mapcount"} <= tracked(text, *QUICK).failed()


def test_no_contract_fits_other_names() -> None:
    done = tracked(RENAMED)
    assert done.status == 2 and "no contract fits" in done.err and done.err.count("\n") == 1
    others = check(RENAMED, "--walk", "0", "--no-sanitizers").json
    assert "mm-owner-tracking" not in {part["name"] for part in others["contracts"]}
    assert any(said.startswith("mm-owner-tracking needs folio_add") for said in others["not_checked"])


def test_a_function_without_a_shim_is_named_and_the_rest_goes_on() -> None:
    old = "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;"
    done = tracked(plant((old, "+	frobnicate(folio);\n" + old)), *QUICK)
    assert done.status == 1
    assert done.err == (
        "include/linux/rmap.h:281: error: folio_sub_large_mapcount: calls frobnicate(), "
        "for which there is no shim\n"
    )
    assert done.check("conformance/sub/mapcount")["verdict"] == "unknown"
    assert done.check("conformance/set/mapcount")["verdict"] == "pass"
    assert done.check("claim/exclusive-is-certain")["verdict"] == "unknown"
    assert done.json["subject"]["unresolved"][0]["name"] == "frobnicate"


def test_what_does_not_compile_has_not_passed() -> None:
    old = "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;"
    done = kconform("check", "-", *ONE, *QUICK, stdin=plant(REPAIR, (old, "+	frobnicate(folio);\n" + old)))
    assert done.status == 2 and done.out.startswith("UNKNOWN")


def test_a_second_defect_is_a_finding_of_its_own() -> None:
    old = "+	mapcount_val = atomic_read(&folio->_large_mapcount) + diff;"
    edit = (old, "+	atomic_or(1, &folio->_pincount);\n" + old)
    done = kconform("check", "-", *ONE, *QUICK, stdin=plant(edit))
    assert "also conformance/add/elsewhere" in done.out
    assert "FINDING claim/one-atomic-rmw-per-update" in done.out


def test_a_host_file_is_not_included() -> None:
    old = "+#include <linux/bit_spinlock.h>\n"
    done = tracked(plant((old, old + '+#include "/etc/passwd"\n')))
    assert done.status == 2 and "no shim" in done.err


@pytest.mark.parametrize(
    "code, word",
    [
        ('	asm volatile("syscall");', "inline assembly"),
        ("	EVIL;", "inline assembly"),
        ('#include "/etc/passwd"', "#include"),
    ],
)
def test_unsafe_code_is_refused_by_name(code: str, word: str) -> None:
    start = "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;"
    macro = '+#define AS(a, b) a##b\n+#define EVIL AS(__as, m__)("nop")\n'
    constant = "+#define FOLIO_MM_IDS_ID1_SHIFT			32\n"
    done = tracked(plant((start, added(code) + start), (constant, macro + constant)))
    assert done.status == 2 and word in done.err and done.err.startswith("include/linux/rmap.h:")


def test_wild_writes_and_deep_recursion_are_findings() -> None:
    start = "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;"
    wild = "	((volatile long *)folio)[1L << 40] = 1;"
    assert "crash/sub" in tracked(plant((start, added(wild) + start))).failed()
    accessor = "+static inline unsigned int folio_mm0_id(struct folio *folio)\n+{\n"
    endless = accessor + added(
        "	volatile char x = folio_mm0_id(folio);\n\n	if (x != 3)\n		return x;"
    )
    done = tracked(plant((accessor, endless)))
    assert (done.status, done.failed()) == (1, {"crash/observe"})
    assert done.check("crash/observe")["where"]["file"] == "include/linux/rmap.h"


def test_options(tmp_path: Path) -> None:
    small = tracked(V1, *QUICK, "--bound", "mms=2", "--bound", "pages=2")
    assert small.json["bounds"] == {"mms": 2, "pages": 2}
    assert small.check("claim/three-mms-stay-shared")["verdict"] == "unknown"
    quiet = tracked(V1, *QUICK, "--config", "CONFIG_DEBUG_VM=n")
    assert quiet.check("misuse/add/count")["verdict"] == "unknown"
    assert quiet.failed() == FOUND
    report, kept = tmp_path / "report.txt", tmp_path / "kept"
    done = kconform("check", BUNDLED_PATCH, *ONE, *QUICK, "-o", report, "--keep", kept)
    assert (done.status, done.out) == (1, "") and report.read_text().startswith("FAIL")
    subject = next(path for path in kept.iterdir() if path.name.endswith(".mm-owner-tracking"))
    text = (subject / "include/linux/rmap.h").read_text()
    assert '#line 222 "include/linux/rmap.h"\nstatic __always_inline void folio_add_large' in text


def test_the_text_report_is_short_and_two_runs_print_the_same() -> None:
    first = once("check", BUNDLED_PATCH)
    long = kconform("check", BUNDLED_PATCH, "-v").out
    for said in ("FINDING", "against", "  also ", "not checked:"):  # the same in both runs
        assert [t for t in first.out.splitlines() if t.startswith(said)] == [
            t for t in long.splitlines() if t.startswith(said)
        ]
    lines = first.out.splitlines()
    assert len(lines) <= 110 and max(map(len, lines)) <= 110
    assert lines[0].startswith("FAIL: 4 of ") and "states" in lines[2]
    assert first.out.index("FINDING") < first.out.index("passed claims")
    assert "not checked:" in first.out and "mm_alloc_id" in first.out
    assert "pass conformance/sub/mapcount" in long


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--contract", "nosuch"], "no contract nosuch"),
        (["--bound", "cats=3"], "no bound cats"),
        (["--bound", "mms=0"], "out of range"),
        (["--bound", "mms"], "NAME=VALUE"),
        (["--config", "MM_ID=y"], "CONFIG_X=y"),
        (["--config", "CONFIG_MM_ID=n"], "no contract fits"),
    ],
)
def test_bad_options_are_one_line(arguments: list[str], words: str) -> None:
    done = tracked(V1, *arguments)
    assert done.status == 2 and words in done.err and done.err.count("\n") == 1


def test_no_compiler_is_one_line(tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = kconform("check", BUNDLED_PATCH, env=env)
    assert done.status == 2 and "install the package gcc" in done.err and done.err.count("\n") == 1


def test_what_the_linker_misses_is_named_like_what_the_compiler_misses() -> None:
    old = "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;"
    done = tracked(plant((old, "+	extern void nosuch(void);\n+\n+	nosuch();\n" + old)), *QUICK)
    assert done.status == 1 and "calls nosuch(), for which there is no shim" in done.err
    assert done.check("conformance/set/mapcount")["verdict"] == "pass"


def test_closed_and_full_streams_are_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -m harness.cli check {BUNDLED_PATCH} {' '.join((*ONE, *QUICK))}"
    for redirect, status in (("<&-", 1), (">&-", 1), (">/dev/full", 2)):
        done = subprocess.run(
            f"{command} {redirect}", shell=True, capture_output=True, text=True, check=False
        )
        assert done.returncode == status and "Traceback" not in done.stderr
        assert done.stderr.count("\n") == (status == 2)
