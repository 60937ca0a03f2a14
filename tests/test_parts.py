# SPDX-License-Identifier: GPL-2.0-only
"""Every part of the patch that is run, beside rmap.h: planted defects are found there, rewrites are not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli import Done, check, kconform, once
from tests.mails import V1
from tests.planted import REPAIR, plant
from tests.planted_parts import BITS, CONTRACTS, DEFECTS, FREE, HARMLESS, IDS, OFF, PREP, Edits

QUICK = ("--walk", "0", "--no-sanitizers", "--interleave=off")
CASES = [(part, name) for part, defects in DEFECTS.items() for name in defects]


# Of the write of a wrong value, of a warning; else the first that the patch adds there.
LINES = {
    IDS: {"the next ID": 826, "the last ID is out of range": 837, "allocated to one too many": 819},
    PREP: {"slot 1 is left": 669},
    FREE: {"inverted": 963},
    BITS: {"flag takes the word": 1215, "ID 1 is shifted less than its mask": 206},
    OFF: {"allocation fails": 842},
}


def run(part: str, *edits: tuple[str, str]) -> Done:
    return check(plant(*edits), *QUICK, "--contract", CONTRACTS[part])


def report(part: str, edits: Edits) -> str:
    return kconform("check", "-", *QUICK, "--contract", CONTRACTS[part], stdin=plant(*edits)).out


# Every third one: all of them take a minute and a half of two cores (TRIED = CASES to try them).
TRIED = CASES[::3]


@pytest.mark.parametrize("part, name", TRIED, ids=[f"{part}: {name}" for part, name in TRIED])
def test_a_planted_defect_is_found_in_its_part(part: str, name: str) -> None:
    wanted, edits = DEFECTS[part][name]
    done = run(part, *edits)
    assert (done.status, done.err) == (1, "")
    assert wanted in done.failed()
    finding = done.check(wanted)
    assert finding["part"] == part and part in finding["title"]
    assert finding["contract"] == CONTRACTS[part]
    if name in LINES.get(part, {}):
        assert finding["where"]["line"] == LINES[part][name]
    if finding["trace"]:  # a claim that something is possible has none
        assert len(finding["trace"]) <= 7
        assert finding["trace"][-1]["observed"] != finding["trace"][-1]["expected"]


def test_the_patch_itself_has_no_finding_in_these_parts() -> None:
    done = once("check", "-", "--format", "json", stdin=V1)
    for part in DEFECTS:
        verdicts = {c["verdict"] for c in done.json["checks"] if c["part"] == part}
        assert verdicts == {"pass"}, part


def test_every_operation_of_these_contracts_is_driven() -> None:
    """Also those that only prepare the world, which no check is about."""
    done = check(V1, *QUICK)
    assert [part["explored"]["unreached"] for part in done.json["contracts"]] == [[]] * 5
    assert all(part["explored"]["states"] > 3 for part in done.json["contracts"])


def test_each_contract_says_the_same_twice_and_passes() -> None:
    for contract in dict.fromkeys(CONTRACTS.values()):
        first = check(V1, *QUICK, "--contract", contract)
        assert (first.status, first.failed(), first.err) == (0, set(), "")
        assert check(V1, *QUICK, "--contract", contract).untimed == first.untimed


# Rewrites of one place each; those that can stand together are one run.
ALONE = ("reset last", "given back in both", "given back twice", "after the context",
         "before the page tables", "IDs first", "slot 1 before slot 0", "flag in bit 61",
         "lock and flag change places")  # fmt: skip
TOGETHER = [name for name in HARMLESS if name not in ALONE]


@pytest.mark.parametrize("name", ALONE)
def test_a_harmless_rewrite_is_no_finding(name: str) -> None:
    part, edits = HARMLESS[name]
    done = run(part, *edits)
    assert (done.status, done.failed(), done.err) == (0, set(), "")


@pytest.mark.parametrize("contract", dict.fromkeys(CONTRACTS.values()))
def test_harmless_rewrites_of_all_parts_are_no_finding(contract: str) -> None:
    left = {name: HARMLESS[name] for name in TOGETHER if CONTRACTS[HARMLESS[name][0]] == contract}
    while left:  # of two that touch the same lines, one waits for the next round
        taken: list[tuple[str, str]] = []
        for name in list(left):
            part, edits = left[name]
            if not any(old in other or other in old for old, _ in edits for other, _ in taken):
                taken += edits
                del left[name]
        done = run(part, *taken)
        assert (done.status, done.failed(), done.err) == (0, set(), "")


def test_what_one_defect_does_to_each_mm_is_one_finding() -> None:
    text = report(IDS, DEFECTS[IDS]["the ID is kept"][1])
    assert text.count("\nFINDING ") == 2
    assert "also conformance/mm_free_id/id1" in text and "also conformance/mm_free_id/id2" in text
    assert text.index("FINDING conformance/mm_free_id/id0") < text.index("FINDING conformance/__mmdrop/id0")


def test_values_of_the_patchs_own_variables_are_those_that_the_code_left() -> None:
    """Looking for the write of a wrong value does not change what is seen."""
    finding = run(IDS, *DEFECTS[IDS]["the ID is not given back"][1]).check("conformance/mm_init/ids")
    last = finding["trace"][-1]
    assert (last["observed"]["ids"], last["expected"]["ids"]) == (1, 0)


def test_a_defect_that_never_ends_ends() -> None:
    """IDs that are never cleared add up to any ID; exploration goes no further from what is wrong."""
    done = run(BITS, *DEFECTS[BITS]["ID 0 is not cleared"][1])
    assert done.json["explored"]["complete"] and done.json["explored"]["states"] < 100_000


def test_a_wrong_beginning_is_explored() -> None:
    assert run(BITS, *DEFECTS[BITS]["getter of ID 1 inverts"][1]).status == 1


def test_a_part_outside_of_its_ifdef_is_named_where_the_option_is_not_set() -> None:
    """It does not compile there: no finding, but no pass either."""
    text = "+#ifdef CONFIG_MM_ID\n+	folio->_mm0_mapcount = -1;\n", "+	folio->_mm0_mapcount = -1;\n"
    end = ("+	folio_set_large_mapped_exclusively(folio);\n+#endif\n",
           "+	folio_set_large_mapped_exclusively(folio);\n")  # fmt: skip
    done = run(OFF, text, end)
    assert done.status == 2 and done.err.startswith("mm/internal.h:668: error: prep_compound_head: ")
    verdicts = {c["verdict"] for c in done.json["checks"] if c["id"].startswith("conformance/prep_compound")}
    assert verdicts == {"unknown"}
    assert done.check("conformance/mm_alloc_id/return")["verdict"] == "pass"


def test_the_whole_of_kernel_fork_c_under_the_opposite_option_is_no_pass() -> None:
    old = "+#ifdef CONFIG_MM_ID\n+static DEFINE_IDA(mm_ida);\n"
    done = check(plant((old, old.replace("ifdef", "ifndef"))), *QUICK)
    assert done.status != 0 and "kernel/fork.c" in done.err


def test_a_fragment_that_cannot_stand_leaves_the_rest_to_be_checked() -> None:
    """The whole check ended with one line before."""
    cut = (
        "+	if (mm_alloc_id(mm))\n+		goto fail_noid;\n+\n"
        " 	if (init_new_context(p, mm))\n 		goto fail_nocontext;\n \n",
        "+	if (mm_alloc_id(mm) ||\n 	    init_new_context(p,\n",
    )
    done = check(plant(REPAIR, cut), *QUICK)
    assert (done.status, done.failed()) == (2, set()) and "cannot stand by itself" in done.err
    unknown = {c["id"] for c in done.json["checks"] if c["verdict"] == "unknown"}
    assert any(name.startswith("conformance/mm_init/") for name in unknown)
    assert done.check("conformance/mm_alloc_id/return")["verdict"] == "pass"


CONTEXT = "".join(
    f" \t{line}\n"
    for line in (
        "atomic_set(&folio->_entire_mapcount, -1);",
        "atomic_set(&folio->_nr_pages_mapped, 0);",
        "atomic_set(&folio->_pincount, 0);",
    )
)


@pytest.mark.parametrize("kept", range(3))
def test_a_hunk_with_less_context_is_the_same_code(kept: int) -> None:
    less = "".join(CONTEXT.splitlines(True)[3 - kept :])
    text = plant(REPAIR, (CONTEXT, less))
    text = re.sub(r"@@ -665,(\d+) \+665,", rf"@@ -{668 - kept},\1 +{668 - kept},", text)
    done = check(text, *QUICK)
    assert (done.status, done.failed()) == (0, set())


def test_a_layout_that_could_not_be_read_is_no_pass() -> None:
    field = "+		unsigned int mm_id;\n"
    done = check(plant(REPAIR, (field, field + "+		struct nothing_known mm_x;\n")), *QUICK)
    assert (done.status, done.failed()) == (2, set())
    assert done.check("layout/others-stay")["verdict"] == "unknown"


def test_a_pointer_to_what_is_const_is_state() -> None:
    last = "+static DEFINE_IDA(mm_ida);\n"
    kept = "+	mm->mm_id = ret;\n+	return 0;\n"
    used = "+	if (last == mm)\n+		return -EBUSY;\n+	last = mm;\n" + kept
    text = plant((last, last + "+static const struct mm_struct *last;\n"), (kept, used))
    done = check(text, *QUICK, "--contract", "mm-ids")
    found = [c for c in done.json["checks"] if c["verdict"] == "fail"]
    assert found and not any(c["doubt"] for c in found)


def test_a_static_variable_in_a_fragment_is_said() -> None:
    text = plant(
        (
            " 	if (mm_alloc_pgd(mm))\n",
            "+	{ static int seen;\n+	seen++; }\n 	if (mm_alloc_pgd(mm))\n",
        )
    )
    done = check(text, *QUICK, "--contract", "mm-ids")
    assert any("mm_init keeps state" in said for said in done.json["hidden_state"])


def test_traces_of_one_check_in_two_contracts_are_two_files(tmp_path: Path) -> None:
    end = "+#endif\n 	if (order > 1)\n"
    text = plant((end, "+#endif\n+	atomic_set(&folio->_pincount, 1);\n 	if (order > 1)\n"))
    done = check(text, *QUICK, "--traces", tmp_path)
    both = {c["contract"] for c in done.json["checks"] if c["id"] == "conformance/prep_compound_head/pins"
            and c["verdict"] == "fail"}  # fmt: skip
    assert both == {"large-folio-life", "without-mm-id"}
    assert len(list(tmp_path.glob("conformance-prep-compound-head-pins-*.json"))) == 2


def test_coverage_has_the_lines_of_both_branches() -> None:
    end = "+	folio_set_large_mapped_exclusively(folio);\n+#endif\n"
    other = end.replace("#endif", "#else\n+	atomic_set(&folio->_nr_pages_mapped, 0);\n+#endif")
    covered = check(plant((end, other)), *QUICK, "--coverage").json["coverage"]
    prep = next(f for f in covered["functions"] if f["name"] == "prep_compound_head")
    assert {line["line"] for line in prep["counts"] if line["count"]} >= {669, 674}


def test_a_sentence_that_the_patch_no_longer_has_is_the_contracts() -> None:
    edit = ("+		goto fail_noid;", "+		goto fail_nopgd;")
    text = kconform("check", "-", *QUICK, "--contract", "mm-ids", stdin=plant(edit)).out
    assert 'the contract says: "goto fail_noid;"' in text and 'patch says: "goto' not in text


def test_an_option_that_can_be_a_module_is_found_where_it_is_made() -> None:
    done = check(plant(REPAIR, ('+	bool "MM ID tracking"', '+	tristate "MM ID tracking"')), *QUICK)
    assert done.failed() == {"configuration/manually-enabled"}
    assert done.check("configuration/manually-enabled")["where"] == {"file": "mm/Kconfig", "line": 850}


def test_a_header_of_another_unit_sets_no_option_here() -> None:
    done = check(plant(REPAIR, ("+#undef CONFIG_MM_ID", "+#define CONFIG_MM_ID 1")), *QUICK)
    assert (done.failed(), done.err) == ({"configuration/undone-for-vdso32"}, "")


def test_a_fragments_line_that_no_write_tells_is_not_shown_as_evidence() -> None:
    edit = (
        '+			bad_page(page, "nonzero _mm1_mapcount");',
        '+			bad_page(page, "nonzero _mm0_mapcount");',
    )
    text = kconform("check", "-", *QUICK, "--contract", "large-folio-life", stdin=plant(edit)).out
    assert "it is among the lines 962 to 971 that the patch adds there" in text
