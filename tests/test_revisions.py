# SPDX-License-Identifier: GPL-2.0-only
"""One contract over revisions: the model of v2 and of what was merged, its 32-bit types, and other names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.check import choose
from harness.contract import CONTRACTS
from harness.errors import HarnessError
from harness.loading import contract_path, load, variants
from harness.subjects import fitted
from kernel_snippets import BUNDLED_PATCH
from tests import renamed
from tests.cli import Done, check, tracked
from tests.mails import V1, items_of, next_revision
from tests.planted import recount
from tests.planted_v2 import DEFECTS, HARMLESS, MERGED, SHORT_DEFECTS, Defect, plant
from tests.test_check import FOUND

SHORT = ("--contract", "mm-owner-tracking-32bit")
QUICK = ("--walk", "0", "--no-sanitizers", "--interleave=off")


def verdicts(done: Done) -> dict[str, str]:
    return {each["id"]: each["verdict"] for each in done.json["checks"]}


# v2.


def test_every_sentence_is_the_next_revisions_own() -> None:
    words = " ".join(re.sub(r"\n\+", "\n", next_revision().read_text()).replace(" * ", " ").split())
    words = re.sub(r" \* ", " ", words)
    base = contract_path("mm-owner-tracking")
    contracts = [each.contract for each in variants(load(base, {}))]
    contracts.append(load(contract_path("mm-owner-tracking-32bit"), {}).contract)
    later = [each for each in contracts if "folio_mm_id" in each.requires]
    assert len(later) == 3
    for contract in later:
        for claim in contract.claims:
            assert " ".join(claim.sentence.split()) in words, (contract.name, claim.id)


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_planted_in_the_next_revision_is_found(name: str) -> None:
    found(DEFECTS[name], tracked(plant(DEFECTS[name][:2]), *QUICK))


@pytest.mark.parametrize("name", SHORT_DEFECTS)
def test_a_defect_of_the_32_bit_types_is_found(name: str) -> None:
    found(SHORT_DEFECTS[name], check(plant(SHORT_DEFECTS[name][:2]), *SHORT, *QUICK))


def found(defect: Defect, done: Done) -> None:
    assert done.status == 1 and done.check(defect.check)["verdict"] == "fail", sorted(done.failed())
    assert len(done.check(defect.check)["trace"]) - 1 == defect.calls


def test_harmless_rewrites_are_no_finding_and_the_32_bit_types_are_driven_beside_the_others() -> None:
    done = check(plant(*HARMLESS), *QUICK)
    parts = {part["name"] for part in done.json["contracts"]}
    assert (done.status, done.err) == (1, "") and parts == {"mm-owner-tracking", "mm-owner-tracking-32bit"}
    # The message is without exception, a count of 15 bits is not; the code's own comment says so.
    found = [(c["contract"], c["id"], len(c["trace"])) for c in done.json["checks"] if c["verdict"] == "fail"]
    assert found == [("mm-owner-tracking-32bit", "claim/no-false-shared-with-two-mms", 3)]
    assert done.check("claim/overflow-frees-the-slot")["verdict"] == "pass"
    assert any("only the types are those of 32 bit" in said for said in done.json["not_checked"])


def test_with_the_32_bit_types_alone_nothing_else_is_run() -> None:
    short = {"CONFIG_64BIT": False}
    chosen = choose(None, items_of(next_revision()), {}, short)
    assert [each.contract.name for each in chosen.driven] == ["mm-owner-tracking-32bit"] and not chosen.static
    with pytest.raises(HarnessError, match="no contract that fits is for the types alone"):
        choose(None, items_of(BUNDLED_PATCH), {}, short)


# What was merged.


def test_what_was_merged_has_the_same_model_and_returns() -> None:
    done = tracked(plant(*MERGED), *QUICK)
    assert (done.status, done.failed(), done.err) == (0, set(), "")
    assert {"conformance/add_return/return", "conformance/dec/mapcount"} <= verdicts(done).keys()
    absent = [said for said in done.json["not_checked"] if said.startswith("absent from this revision")]
    assert len(absent) == 1 and "folio_add" not in absent[0]
    wrong = "+	return new_mapcount_val + 1;\n+}\n+#define folio_sub"
    text = plant(*MERGED).replace(wrong, wrong.replace(" + 1", ""))
    assert "conformance/sub_return/return" in tracked(text, *QUICK).failed()


def test_flags_in_a_type_of_their_own_take_the_binding_for_it(tmp_path: Path) -> None:
    path = tmp_path / "new.patch"
    typedef = "+typedef struct {\n+	unsigned long f;\n+} memdesc_flags_t;\n+\n+/* We implicitly use"
    path.write_text(plant(("+/* We implicitly use", typedef)))
    loaded, reason = fitted(load(contract_path("mm-owner-tracking"), {}), items_of(path), {})
    assert not reason and "memdesc" in loaded.contract.title
    assert "w->folio.flags.f = 1UL << PG_head" in loaded.contract.init
    small = next(op for op in loaded.contract.operations if op.name == "add/small-folio")
    assert small.call.startswith("w->folio.flags.f &=") and loaded.path.parent == CONTRACTS / "revisions"


# Other names.


def function(text: str, name: str) -> str:
    """The added lines of a function, with the empty one behind it."""
    start = text.rindex("\n+static", 0, text.index(f" {name}(")) + 1
    return text[start : text.index("\n+}\n", start) + 4]


def moved(text: str, name: str, before: str) -> str:
    """`text` with one added function moved up, before another."""
    body = function(text, name)
    rest = text.replace(body, "")
    return rest.replace(function(rest, before), body + "+\n" + function(rest, before))


def other_names() -> str:
    """The bundled mail with every name of its own changed, its functions and files in another order."""
    text = V1
    for name, before in (
        ("folio_test_large_mapped_exclusively", "folio_set_large_mapped_exclusively"),
        ("folio_unlock_large_mapcount_data", "folio_lock_large_mapcount_data"),
        ("folio_set_mm1_id", "folio_mm0_id"),
        ("folio_mm1_id", "folio_mm0_id"),
        ("folio_sub_large_mapcount", "folio_set_large_mapcount"),
    ):
        text = moved(text, name, before)
    flags, rmap, fork = (
        text.index(f"diff --git a/{file}")
        for file in ("include/linux/page-flags.h", "include/linux/rmap.h", "kernel/fork.c")
    )
    text = text[:flags] + text[rmap:fork] + text[flags:rmap] + text[fork:]
    found = rf"\b(?:{'|'.join(sorted(renamed.NAMES, key=len, reverse=True))})\b"
    return recount(re.sub(found, lambda match: renamed.NAMES[match[0]], text))


def test_other_names_in_another_order_need_a_binding_and_nothing_else() -> None:
    text = other_names()
    assert not any(re.search(rf"\b{name}\b", text) for name in renamed.NAMES)
    assert tracked(text, *QUICK).status == 2  # the contract that ships does not know them
    done, plain = check(text, *QUICK, "--contract", renamed.__file__), tracked(V1, *QUICK)
    assert (done.status, done.failed(), done.err) == (1, FOUND, "")
    assert verdicts(done) == verdicts(plain)
    assert done.json["explored"]["states"] == plain.json["explored"]["states"]
    name = "claim/no-false-shared-with-two-mms"
    assert done.check(name)["trace"] == plain.check(name)["trace"]


def test_names_that_no_model_was_written_for_leave_ghost_and_claims(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    text = Path(renamed.__file__).read_text()
    mine.write_text(text.replace("NAMES),", "NAMES, modelled=False),"))
    done = check(other_names(), *QUICK, "--contract", mine)
    assert done.failed() == {"claim/no-false-shared-with-two-mms"}
    assert "no model" in done.json["not_checked"][0]
    assert not any(id.startswith("conformance/add/count") for id in verdicts(done))
