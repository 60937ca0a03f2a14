# SPDX-License-Identifier: GPL-2.0-only
"""`diff` and promises on kernel trees: revisions of every kind, and functions that no contract covers."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

import pytest

from tests.cli import kconform
from tests.mails import next_revision
from tests.mini_kernel import COUNTER, QUIET, counter_contract, mini_kernel
from tests.test_diff import blocks, calls, names

TREES = Path(__file__).parents[1] / "trees"
STEP = "	return c->owner ? c->owner->step : 1;\n"
SAME_STEP = "	if (c->owner)\n		return c->owner->step;\n	return 1;\n"
OTHER_STEP = "	return c->owner ? c->owner->step : 2;\n"
FULL = "	return c->value >= COUNTER_MAX;\n"
FULLER = "	return c->value > COUNTER_MAX;\n"


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    return mini_kernel(tmp_path / "linux")


def changed(folder: Path, old: str, new: str, message: str = "Change it.", name: str = "c.patch") -> Path:
    """A patch of the mini kernel's header."""
    assert COUNTER.count(old) == 1
    text = COUNTER.replace(old, new)
    file = "include/linux/counter.h"
    lines = difflib.unified_diff(COUNTER.splitlines(True), text.splitlines(True), f"a/{file}", f"b/{file}")
    head = f"From: A B <a@b.c>\nSubject: [PATCH] counter: change it\n\n{message}\n---\n\n"
    path = folder / name
    path.write_text(head + "".join(lines) + "-- \n2.46.0\n")
    return path


def test_a_patch_alone_is_compared_with_the_tree_that_it_is_on(kernel: Path, tmp_path: Path) -> None:
    patch = changed(tmp_path, FULL, FULLER)
    contract = counter_contract(tmp_path)
    done = kconform("diff", "--tree", kernel, patch, "--contract", contract, "--format", "json")
    assert (done.status, done.err) == (1, "")
    (block,) = blocks(done)
    assert names(block) == ["full/return"] and len(calls(block)) == 6
    assert done.json["old"] == str(kernel) and block["breaks"]
    for spelled in ((kernel, f"{kernel}+{patch}"), (f"{kernel}+{patch}", kernel)):
        assert kconform("diff", *spelled, "--contract", contract).status == 1


def test_functions_that_no_contract_covers_are_compared_alone_and_in_sequences(
    kernel: Path, tmp_path: Path
) -> None:
    done = kconform("diff", "--tree", kernel, changed(tmp_path, STEP, OTHER_STEP), "--format", "json")
    assert (done.status, done.err) == (1, "")
    found = {name for block in blocks(done) for name in names(block)}
    # Also in functions that a macro makes, which call it.
    assert {"counter_step/made-up/return", "counter_inc/made-up/counter_value"} <= found
    same = kconform("diff", "--tree", kernel, changed(tmp_path, STEP, SAME_STEP))
    assert same.status == 0, same.out
    assert "SAME: no difference within these bounds" in same.out
    assert "counter_step" in same.out and "settings=" in same.out


def test_of_two_trees_the_files_that_are_named_are_compared(kernel: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(kernel, other)
    header = other / "include/linux/counter.h"
    header.write_text(COUNTER.replace(FULL, FULLER))
    done = kconform("diff", kernel, other, "--file", "include/linux/counter.h", "--format", "json")
    assert {name.partition("/")[0] for block in blocks(done) for name in names(block)} == {"counter_full"}
    header.write_text(COUNTER.replace("/* how far an operation goes */", "/* as it says */"))
    done = kconform("diff", kernel, other, "--file", "include/linux/counter.h")
    assert (done.status, done.out.split(":")[0]) == (0, "SAME"), done.out
    done = kconform("diff", kernel, other)
    assert done.status == 2 and "--file" in done.out + done.err


PROMISE = "Simplify.\n\nNo functional change intended."


def test_a_promise_is_kept(kernel: Path, tmp_path: Path) -> None:
    patch = changed(tmp_path, STEP, SAME_STEP, PROMISE)
    contract = counter_contract(tmp_path)
    done = kconform("check", "--tree", kernel, patch, "--contract", contract, "--format", "json", *QUIET)
    kept = done.check("promise/no-functional-change")
    assert (done.status, kept["verdict"], kept["quote"]) == (0, "pass", "No functional change intended.")


def test_a_promise_that_is_broken_is_a_finding_that_quotes_it(kernel: Path, tmp_path: Path) -> None:
    patch = changed(tmp_path, FULL, FULLER, PROMISE)
    contract = counter_contract(tmp_path)
    done = kconform("check", "--tree", kernel, patch, "--contract", contract, *QUIET)
    assert done.status == 1
    said = " ".join(done.out.split())
    assert "FINDING conformance/full/return" in said  # which the model finds as well
    assert ('also promise/full/return: it returns 1 in the base, 0 here; the patch says: "No functional '
            'change intended."') in said  # fmt: skip
    done = kconform("check", "--tree", kernel, patch, *QUIET)
    assert "FINDING promise/counter_full" in done.out and "(was 0, returns 1)" in done.out
    silent = changed(tmp_path, FULL, FULLER)
    done = kconform("check", "--tree", kernel, silent, "--contract", contract, *QUIET)
    assert "promise/" not in done.out


def test_without_a_model_the_difference_from_the_base_is_said(kernel: Path, tmp_path: Path) -> None:
    done = kconform("check", "--tree", kernel, changed(tmp_path, FULL, FULLER), *QUIET)
    assert done.status == 0, done.out
    assert "what the patch does otherwise than its base" in done.out
    assert "DIFFERENCE counter_full" in done.out
    done = kconform("check", "--tree", kernel, changed(tmp_path, STEP, SAME_STEP), *QUIET)
    assert "no difference from the base" in done.out


def test_what_a_patch_does_not_touch_is_not_blamed_on_it(tmp_path: Path) -> None:
    """linux-7 has a finding of its own, in rmap.h: a patch of page_ref.h is not charged with it."""
    file = "include/linux/page_ref.h"
    text = (TREES / "linux-7" / file).read_text()
    old = "	int ret = atomic_sub_and_test(nr, &page->_refcount);"
    new = text.replace(old, "	int ret = atomic_sub_return(nr, &page->_refcount) == 0;")
    lines = difflib.unified_diff(text.splitlines(True), new.splitlines(True), f"a/{file}", f"b/{file}")
    patch = tmp_path / "c.patch"
    patch.write_text("Subject: [PATCH] mm: x\n\nText.\n---\n\n" + "".join(lines) + "-- \n2.46.0\n")
    done = kconform("check", "--tree", TREES / "linux-7", patch, *QUIET)
    assert done.status == 0, done.out
    assert "contracts of which the patch changes nothing: mm-owner-tracking" in done.out


def test_the_value_of_a_constant_that_makes_a_difference_is_said(kernel: Path, tmp_path: Path) -> None:
    done = kconform("diff", "--tree", kernel, changed(tmp_path, "COUNTER_MAX	5", "COUNTER_MAX	6"))
    assert done.status == 1 and "the value of COUNTER_MAX is another: 5 -> 6" in done.out, done.out


def test_the_next_revision_and_what_was_merged_do_the_same() -> None:
    done = kconform("diff", next_revision(), TREES / "linux-7", "--contract", "mm-owner-tracking",
                    "--format", "json", "--walk", "20000")  # fmt: skip
    assert (done.status, blocks(done)) == (0, [])
    assert "no difference within these bounds" in done.json["summary"]
