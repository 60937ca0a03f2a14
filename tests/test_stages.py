# SPDX-License-Identifier: GPL-2.0-only
"""A series is judged after each of its patches, and only what it brings is blamed on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import ONE, QUICK, Done, kconform
from tests.mails import V1
from tests.mini_kernel import COUNTER, QUIET, counter_contract, mini_kernel
from tests.test_composed import fix
from tests.test_tree import commit, git

HEADER = "include/linux/counter.h"
GOOD, BAD = "c->value >= COUNTER_MAX", "c->value > COUNTER_MAX"
DOWN, WRONG = "COUNTER_OP(dec, -=)", "COUNTER_OP(dec, = -)"


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    counter_contract(tmp_path)
    tree = mini_kernel(tmp_path / "linux")
    git(tree, "init", "-q")
    return tree


def history(kernel: Path, *texts: str) -> None:
    """One commit a text, each of the counter's header."""
    for number, text in enumerate(texts):
        (kernel / HEADER).write_text(text)
        commit(kernel, f"counter: change {number}" if number else "base")


def check(kernel: Path, *more: object) -> Done:
    contract = kernel.parent / "counter.py"
    return kconform("check", "--tree", kernel, "--contract", contract, *QUIET, *more)


def range_of(kernel: Path, count: int, *more: object) -> Done:
    return check(kernel, "--range", f"HEAD~{count}..HEAD", *more)


def by_id(done: Done, verdict: str = "fail") -> dict[str, dict[str, object]]:
    return {c["id"]: c for c in done.json["checks"] if c["verdict"] == verdict}


def test_who_brings_and_who_mends(kernel: Path) -> None:
    history(kernel, COUNTER, COUNTER.replace(GOOD, BAD), COUNTER.replace(GOOD, BAD) + "\n", COUNTER + "\n")
    done = range_of(kernel, 3)
    assert done.status == 1
    lines = done.out.splitlines()
    assert "1/3 counter: change 1: brings conformance/full/return" in lines
    assert "2/3 counter: change 2: no finding of its own" in lines
    assert "3/3 counter: change 3: mends conformance/full/return" in lines
    said = " ".join(done.out.split())
    assert (
        "after patches 1 to 2 of 3: brought by 1/3 counter: change 1, mended by 3/3 counter: change 3" in said
    )
    assert "run what is after patches 1 to 2 of 3 again: kconform check … --prefix 2" in done.out
    again = range_of(kernel, 3, "--prefix", 2)
    assert "FINDING conformance/full/return" in again.out and "after patch" not in again.out
    whole = range_of(kernel, 3, "--no-prefixes")
    assert whole.status == 0 and ": brings" not in whole.out


def test_what_is_there_at_the_end_names_its_patch(kernel: Path) -> None:
    history(kernel, COUNTER, COUNTER + "\n", (COUNTER + "\n").replace(GOOD, BAD))
    found = by_id(range_of(kernel, 2, "--format", "json"))["conformance/full/return"]
    assert found["brought"] == "2/2 counter: change 2" and not found["mended"] and not found["within"]


def test_what_the_base_does_is_not_blamed_on_the_patch(kernel: Path) -> None:
    broken = COUNTER.replace(DOWN, WRONG)
    history(kernel, broken, broken.replace(GOOD, BAD))
    done = range_of(kernel, 1, "--format", "json")
    found = by_id(done)
    assert done.status == 1
    assert found["claim/never-below"]["inherited"] and not found["conformance/full/return"]["inherited"]
    text = range_of(kernel, 1).out
    assert text.startswith("FAIL: 1 of ") and text.count("FINDING") == 1
    assert "the base fails these as well, so they are no findings of the patch: " in text


def test_a_patch_on_a_broken_base_that_breaks_nothing_passes(kernel: Path) -> None:
    broken = COUNTER.replace(DOWN, WRONG)
    history(kernel, broken, broken + "\n")
    done = range_of(kernel, 1)
    assert done.status == 0 and done.out.startswith("PASS") and "the base fails these as well" in done.out
    assert check(kernel).status == 1  # the tree by itself is judged as it is


def test_a_patch_that_mends_its_base_is_told_so(kernel: Path) -> None:
    history(kernel, COUNTER.replace(DOWN, WRONG), COUNTER)
    done = range_of(kernel, 1)
    assert done.status == 0
    assert "mends of its base: " in done.out and "claim/never-below" in done.out


def test_another_divergence_of_a_check_that_the_base_fails_is_the_patchs(kernel: Path) -> None:
    far = COUNTER.replace(DOWN, "COUNTER_OP(dec, -= 0 *)")
    history(kernel, COUNTER.replace(DOWN, "COUNTER_OP(dec, -= 2 *)"), far)
    found = by_id(range_of(kernel, 1, "--format", "json"))["conformance/dec/a"]
    assert found["kind"] == "too high" and not found["inherited"]


def test_what_gets_worse_is_the_patchs(kernel: Path) -> None:
    seldom = COUNTER.replace(DOWN, "COUNTER_OP(dec, -= (c->value == 3 ? 9 : 1) *)")
    history(kernel, seldom, COUNTER.replace(DOWN, "COUNTER_OP(dec, -= 9 *)"))
    found = by_id(range_of(kernel, 1, "--format", "json"))["claim/never-below"]
    assert not found["inherited"] and str(found["worsened"]).startswith("the base fails it in ")
    text = " ".join(range_of(kernel, 1).out.split())
    assert "FINDING claim/never-below" in text and "worse than before: the base fails it in" in text
    better = range_of(kernel, 1).out
    assert (
        "so they are no findings of the patch" not in better
        or "claim/never-below" not in better.split("no findings of the patch:")[1].split("FINDING")[0]
    )


ODD = COUNTER.replace(GOOD, "c->nothing >= COUNTER_MAX")


def test_a_stage_that_does_not_compile_was_not_judged(kernel: Path) -> None:
    history(kernel, COUNTER, ODD, COUNTER + "\n")
    done = range_of(kernel, 2)
    assert done.status == 2 and done.out.startswith("UNKNOWN")
    assert "1/2 counter: change 1: not judged by counter: " in done.out and "nothing" in done.out


def test_nobody_is_blamed_for_what_a_stage_hides(kernel: Path) -> None:
    bad = COUNTER.replace(GOOD, BAD)
    history(kernel, COUNTER, bad, ODD, bad + "\n")
    found = by_id(range_of(kernel, 3, "--format", "json"))["conformance/full/return"]
    assert found["brought"] == "1/3 counter: change 1"
    history(kernel, COUNTER, ODD, bad)
    found = by_id(range_of(kernel, 2, "--format", "json"))["conformance/full/return"]
    assert found["brought"] == "1/2 counter: change 1 or 2/2 counter: change 2"


def test_what_is_brought_again_is_told_twice(kernel: Path) -> None:
    bad = COUNTER.replace(GOOD, BAD)
    history(kernel, COUNTER, bad, COUNTER + "\n", bad + "\n")
    lines = range_of(kernel, 3).out.splitlines()
    assert "1/3 counter: change 1: brings conformance/full/return" in lines
    assert "2/3 counter: change 2: mends conformance/full/return" in lines
    assert "3/3 counter: change 3: brings conformance/full/return" in lines


def test_what_is_known_between_patches_is_not_known_at_the_end(kernel: Path, tmp_path: Path) -> None:
    bad = COUNTER.replace(GOOD, BAD)
    history(kernel, COUNTER, bad, COUNTER + "\n")
    known = tmp_path / "known.json"
    assert range_of(kernel, 2, "--write-baseline", known).status == 0
    assert range_of(kernel, 2, "--baseline", known).status == 0
    history(kernel, COUNTER, COUNTER + "\n", bad)
    assert range_of(kernel, 2, "--baseline", known).status == 1


def test_findings_of_derived_contracts_are_held_against_the_base(kernel: Path) -> None:
    loop = COUNTER.replace(
        "static inline bool counter_full",
        "static inline int counter_wait(int nr)\n{\n\twhile (nr == 1);\n\treturn nr;\n}\n\n"
        "static inline bool counter_full",
    )
    history(kernel, loop, loop.replace("\treturn nr;", "\treturn nr + 1;"))
    done = kconform("check", "--tree", kernel, *QUIET, "--range", "HEAD~1..HEAD")
    assert "FINDING crash/counter_wait" not in done.out and "the base fails these as well" in done.out


def mails(folder: Path, cover: str = "") -> Path:
    box = folder / "mails"
    box.mkdir()
    first = V1.replace("[PATCH v1 08/17]", "[PATCH v1 1/3]", 1)
    sentence = 'There won\'t be any false "mapped shared" detection'
    assert sentence in first
    if cover:
        first = first.replace(sentence, "There will be some")
        (box / "0").write_text(f"From: a@b\nSubject: [PATCH v1 0/3] mm: owners\n\n{cover}\n")
    (box / "1").write_text(first)
    (box / "2").write_text(fix("2/3", "diff - 1", "diff"))
    (box / "3").write_text(fix("3/3", "diff", "diff - 1"))
    return box


def test_mails_without_a_tree(tmp_path: Path) -> None:
    done = kconform("check", mails(tmp_path), *ONE, *QUICK, "--format", "json")
    found = [c for c in done.json["checks"] if c["id"] == "conformance/add/count0" and c["verdict"] == "fail"]
    assert [(c["brought"], c["mended"], c["within"]) for c in found] == [
        ("2/3 mm/rmap: again", "3/3 mm/rmap: again", "after patch 2 of 3")
    ]
    assert [line.partition(":")[0] for line in done.json["series"]] == [
        "1/3 mm/rmap",
        "2/3 mm/rmap",
        "3/3 mm/rmap",
    ]


def test_the_cover_letters_claims_are_of_the_whole(tmp_path: Path) -> None:
    said = (
        'There won\'t be any false "mapped shared" detection as long as only two MMs\n'
        "map pages of a folio at one point in time."
    )
    box = mails(tmp_path, said)
    done = kconform("check", box, *ONE, *QUICK)
    assert "the cover letter says: " in done.out


def test_what_the_base_has_and_a_patch_brings_again_is_the_patchs(kernel: Path) -> None:
    bad = COUNTER.replace(GOOD, BAD)
    history(kernel, bad, COUNTER, bad + "\n")
    done = range_of(kernel, 2)
    assert done.status == 1
    assert "1/2 counter: change 1: mends conformance/full/return" in done.out
    assert "2/2 counter: change 2: brings conformance/full/return" in done.out
