# SPDX-License-Identifier: GPL-2.0-only
"""`kconform diff`: what a revision does otherwise, as a user sees it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli import ONE, Done, kconform, once
from tests.mails import BUNDLED_PATCH as PATCH
from tests.mails import V1, next_revision
from tests.planted import DEFECTS, HARMLESS, REPAIR, added, plant, recount
from tests.planted_parts import CONTRACTS, LOCK_BIT, word
from tests.planted_parts import DEFECTS as PARTS

NO_WALK = ("--walk", "0")


def diff(old: object, new: object, *arguments: object, stdin: str = "") -> Done:
    return kconform("diff", old, new, "--format", "json", *arguments, stdin=stdin)


NARROW = ("--bound", "mms=2", "--bound", "pages=2")


def against(text: str, *arguments: object) -> Done:
    """The bundled mail against `text`, by one contract, within narrow bounds, without a walk."""
    return diff(PATCH, "-", *(arguments or (*ONE, *NARROW)), *NO_WALK, stdin=text)


def blocks(done: Done, follow: bool = False) -> list[Any]:
    """The differences that follow from no other, or those that do."""
    return [b for c in done.json["contracts"] for b in c["differences"] if b["follows"] is follow]


def names(block: Any) -> list[str]:
    return [f"{part['operation']}/{part['check']}" for part in block["parts"]]


def calls(block: Any) -> list[str]:
    """The trace of a difference, as calls."""
    return [f"{step['operation']}({', '.join(map(str, step['args'].values()))})"
            for step in block["parts"][0]["trace"][1:]]  # fmt: skip


def to_next() -> Done:
    return once("diff", PATCH, next_revision(), "--format", "json", *ONE)


# From reading both mails, not from a run: what v2 does otherwise with the calls that both have, the
# shortest trace that can show it, and where the text says so.
DIFFERENCES = {
    # "We expect that unmapped folios always have the "mapped exclusively" flag set": v1 clears the flag
    # of the first mapping all the same; v2 sets FOLIO_MM_IDS_SHARED_BIT only with other mappings.
    "add/exclusive": ["add(0, 1)"],
    # v2 frees a drained slot: folio_set_mm_id(folio, 0, MM_ID_DUMMY); v1 keeps the ID with a count of -1.
    "sub/id0": ["set(0, 1)", "sub(0, 1)"],
    "sub/id1": ["set(0, 1)", "add(1, 1)", "sub(1, 1)"],
    # v1: "We won't allow to take a free spot if the folio is not mapped exclusively"; v2: "If a slot is
    # unoccupied, it can be taken by the next MM".
    "add/id1": ["add(0, 1)", "add(1, 1)", "add(2, 1)", "sub(1, 1)", "add(1, 1)"],
    # v2: VM_WARN_ON_ONCE(folio_mm_id(folio, 0) != MM_ID_DUMMY); v1 looks at the flag and slot 1 only.
    "set/not-fresh/warnings": ["set(0, 1)", "set/not-fresh(0, 1)"],
}


def test_the_next_revision_differs_in_what_its_author_changed_and_in_nothing_else() -> None:
    done = to_next()
    assert (done.status, done.err) == (1, "")
    assert {names(block)[0]: calls(block) for block in blocks(done)} == DIFFERENCES
    assert all(set(names(block)) <= {
        "add/exclusive", "inc/exclusive", "sub/id0", "sub/id1", "set/not-fresh/warnings",
        "add/id1", "add/count1", "inc/id1", "inc/count1",
    } for block in blocks(done))  # fmt: skip


def test_what_only_differs_after_a_difference_is_told_apart() -> None:
    follow = {name for block in blocks(to_next(), follow=True) for name in names(block)}
    assert {"sub/exclusive", "add/count0", "sub/count0", "sub/count1"} <= follow
    assert not follow & DIFFERENCES.keys()


def test_the_mended_finding_is_said_to_be_mended() -> None:
    first = next(block for block in blocks(to_next()) if names(block)[0] == "add/exclusive")
    assert first["mends"] and not first["breaks"]
    fates = {claim["id"]: claim for claim in to_next().json["contracts"][0]["claims"]}
    assert fates["no-false-shared-with-two-mms"]["fate"] == "mended"
    assert fates["no-false-shared-with-two-mms"]["trace"] == "add(mm=0, diff=1)"
    assert fates["no-takeover-while-shared"]["fate"] == "dropped"
    assert fates["unmapped-frees-both-slots"]["fate"] == "new"
    assert fates["exclusive-is-certain"]["fate"] == "kept"


def test_ids_of_other_widths_are_the_same_mm() -> None:
    """v1's mm1 has the ID 1048575, v2's 2147483647: that is naming, and no difference."""
    trace = blocks(to_next())[-1]["parts"][0]["trace"]
    assert all("id0" in step["old"] for step in trace)
    assert not any(name.endswith(("set/id0", "set/id1")) for b in blocks(to_next()) for name in names(b))


def test_both_are_shown_side_by_side_with_the_step_that_parts_them() -> None:
    done = kconform("diff", PATCH, next_revision(), *ONE, *NO_WALK)
    assert done.status == 1
    rows = done.out.split("DIFFERENCE sub/id1")[1].split("\n")
    assert re.match(r"  > 3  sub\(mm=1, diff=1\) +1 .*mm1 x0 +\| 1 .*-$", rows[7])
    assert max(map(len, done.out.split("\n"))) <= 100
    assert "include/linux/rmap.h:264 -> include/linux/rmap.h:" in done.out


def test_the_same_patch_is_the_same_at_once() -> None:
    done = diff(PATCH, PATCH)
    assert (done.status, done.json["summary"]) == (0, "the code is the same")
    assert all(c["same_code"] and "pairs" not in c for c in done.json["contracts"])
    text = V1.replace("+	/* Slots are", "+	/*  Slots  are")
    assert diff(PATCH, "-", stdin=text).json["summary"] == "the code is the same"


INLINED = (
    "+	if (folio_mm0_id(folio) == mm_id)\n+		folio->_mm0_mapcount -= diff;",
    "+	if ((folio->_mm_ids & FOLIO_MM_IDS_ID0_MASK) == mm_id)\n+		folio->_mm0_mapcount -= diff;",
)
REWRITES = {
    "conditions and a local": plant(*HARMLESS),
    "a local of another name": recount(re.sub(r"\bmapcount_val\b", "total", V1)),
    "an inlined helper": plant(INLINED),
    "another bit for the lock": plant(*word(LOCK_BIT, "63", "61")),
    "a helper of its own": plant((
        "+static __always_inline void folio_add_large_mapcount(",
        added("static inline int kept_count(struct folio *folio)\n{\n"
              "	return atomic_read(&folio->_large_mapcount);\n}\n")
        + "+static __always_inline void folio_add_large_mapcount(",
    ), (
        "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;",
        "+	mapcount_val = kept_count(folio) - diff;",
    )),
}  # fmt: skip


@pytest.mark.parametrize("name", REWRITES)
def test_a_harmless_rewrite_is_no_difference(name: str) -> None:
    done = against(REWRITES[name])
    assert (done.status, blocks(done), done.err) == (0, [], "")
    assert done.json["contracts"][0]["complete"]
    assert done.json["summary"].startswith("no difference within these bounds")


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_change_is_a_difference(name: str) -> None:
    done = against(plant(DEFECTS[name]))
    assert (done.status, done.err) == (1, "")
    if name == "second atomic":  # it leaves the same, with one atomic operation more
        fates = {claim["id"]: claim["fate"] for claim in done.json["contracts"][0]["claims"]}
        assert fates["one-atomic-rmw-per-update"] == "broken anew"
    else:
        assert blocks(done)


CHANGED_PARTS = [(part, name) for part, defects in PARTS.items() for name in [*defects][::20]]


@pytest.mark.parametrize(("part", "name"), CHANGED_PARTS)
def test_a_planted_change_of_another_part_is_a_difference(part: str, name: str) -> None:
    done = against(plant(*PARTS[part][name][1]), "--contract", CONTRACTS[part])
    assert (done.status, done.err) == (1, "")


def test_a_repair_is_one_difference_that_mends() -> None:
    done = kconform("diff", PATCH, "-", *NO_WALK, stdin=plant(REPAIR))
    assert done.status == 1 and done.out.count("\nDIFFERENCE ") == 1
    assert done.out.startswith("DIFFERENT: 1 difference, 1 claim mended\n")
    assert "the contract's model expects what NEW does: mended" in done.out


def test_lines_that_two_contracts_see_are_one_difference() -> None:
    done = kconform("diff", PATCH, "-", *NO_WALK, stdin=plant(DEFECTS["clobbered flags"]))
    assert "also against mm-ids-word: folio_set_mm1_id/exclusive, folio_set_mm1_id/locked" in done.out


def test_no_difference_is_said_with_its_bounds(tmp_path: Path) -> None:
    new = tmp_path / "new.patch"
    new.write_text(REWRITES["an inlined helper"])
    done = kconform("diff", PATCH, new, *ONE, "--bound", "mms=2", "--walk", "20000")
    assert done.status == 0
    assert "bounds mms=2, pages=4: all " in done.out and "random walk of 20,000 calls of both" in done.out


def test_what_a_walk_alone_finds_is_minimal_and_said_to_be_of_a_walk() -> None:
    beyond = plant((
        "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;",
        "+	mapcount_val = atomic_read(&folio->_large_mapcount) - (diff == 513 ? 512 : diff);",
    ))  # fmt: skip
    done = diff(PATCH, "-", *ONE, stdin=beyond)
    part = next(p for b in blocks(done) for p in b["parts"] if p["check"] == "mapcount")
    assert (done.status, part["found"], len(part["trace"])) == (1, "walk", 3)


def test_an_exploration_that_does_not_end_is_no_pass() -> None:
    done = against(REWRITES["an inlined helper"], *ONE, "--bound", "mms=8", "--bound", "pages=64",
                   "--time", "0.2")  # fmt: skip
    assert done.status == 2
    assert "not all" in done.json["summary"]


def test_an_expectation_that_nothing_changes_is_quoted() -> None:
    promised = plant(DEFECTS["wrong sign"]).replace(
        "\nSigned-off-by", "\nNo functional change intended.\n\nSigned-off-by", 1
    )
    done = kconform("diff", PATCH, "-", *ONE, *NARROW, *NO_WALK, "--expect-same", stdin=promised)
    assert done.status == 1
    said = " ".join(done.out.split())
    assert 'though the patch says: "No functional change intended."' in said
    same = kconform("diff", PATCH, PATCH, *ONE, "--expect-same")
    assert same.status == 0


def test_saved_findings_are_run_on_the_new_revision_first(tmp_path: Path) -> None:
    assert kconform("check", PATCH, *ONE, *NO_WALK, "--no-sanitizers", "--traces", tmp_path).status == 1
    done = kconform("diff", PATCH, next_revision(), *ONE, *NO_WALK, "--traces", tmp_path)
    assert "fixed: claim/no-false-shared-with-two-mms" in done.out
    done = kconform("diff", PATCH, PATCH, *ONE, *NO_WALK, "--traces", tmp_path)
    assert "still there: claim/no-false-shared-with-two-mms" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((PATCH,), "give OLD and NEW"),
        ((PATCH, "nowhere.patch"), "nowhere.patch: error: no such file"),
        ((PATCH, f"nowhere+{PATCH}"), "no such file"),
        ((PATCH, PATCH, "--rev", "v6.12"), "--rev is of a kernel tree"),
        ((PATCH, PATCH, "--bound", "mms=0"), "out of range"),
        ((PATCH, PATCH, "--contract", "nothing"), "no contract nothing"),
    ],
)
def test_what_cannot_be_compared_is_one_line(arguments: tuple[object, ...], said: str) -> None:
    done = kconform("diff", *arguments)
    assert (done.status, done.out) == (2, "")
    assert said in done.err and done.err.count("\n") == 1
