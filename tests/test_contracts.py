# SPDX-License-Identifier: GPL-2.0-only
"""`kconform contracts`: which there are, what each needs and claims, and which fit a patch."""

from __future__ import annotations

from pathlib import Path

from harness.contract import CONTRACTS
from harness.loading import contract_path, is_static, load, load_static, shipped
from kernel_snippets import BUNDLED_PATCH
from tests.cli import kconform
from tests.mails import V1, V2


def test_every_contract_is_listed_with_what_it_needs_and_claims() -> None:
    done = kconform("contracts", "--format", "json")
    assert done.status == 0
    said = {contract["name"]: contract for contract in done.json["contracts"]}
    assert set(said) == {path.stem.replace("_", "-") for path in CONTRACTS.glob("[!_]*.py")}
    assert all(contract["needs"] and contract["title"] for contract in said.values())
    assert "__mmdrop" in said["mm-ids"]["within"] and not said["mm-owner-layout"]["runs"]
    claims = {claim["id"]: claim for claim in said["mm-owner-tracking"]["claims"]}
    assert "as long as only two MMs" in claims["no-false-shared-with-two-mms"]["sentence"]


OF_TREES = {"page-ref"}  # whose sentences are the kernel's; see test_page_ref.py


def test_all_that_are_for_patches_fit_the_bundled_one() -> None:
    done = kconform("contracts", BUNDLED_PATCH)
    others = [*OF_TREES, "mm-owner-tracking-32bit"]  # the latter is of v2: v1 needs 64 bits
    assert done.status == 0 and done.out.count("\n  fits this patch") == len(shipped()) - len(others)
    assert max(map(len, done.out.splitlines())) <= 100


def test_what_keeps_one_from_fitting_is_said() -> None:
    text = kconform("contracts", V2).out
    assert "does not fit: mm-ids needs MM_ID_NR_BITS, which the patch does not define" in text
    fitting = kconform("contracts", V2, "--format", "json").json["contracts"]
    fits = [contract["name"] for contract in fitting if contract["fits"]]
    assert fits == ["mm-owner-tracking", "mm-owner-tracking-32bit"]
    off = kconform("contracts", BUNDLED_PATCH, "--config", "CONFIG_MM_ID=n", "--format", "json").json
    assert [c["name"] for c in off["contracts"] if c["fits"]] == ["without-mm-id"]
    assert "is for CONFIG_MM_ID=y" in next(c["why"] for c in off["contracts"] if c["name"] == "mm-ids")


def test_every_sentence_is_the_patchs_own() -> None:
    words = " ".join(V1.replace("\n+", "\n").split())
    for name in set(shipped()) - OF_TREES:
        path = contract_path(name)
        if name == "mm-owner-tracking-32bit":  # of v2; see tests/test_revisions.py
            continue
        contract = load_static(path) if is_static(path) else load(path, {}).contract
        claims = [*getattr(contract, "claims", ()), *getattr(contract, "layout", ())]
        claims += [*getattr(contract, "options", ()), *getattr(contract, "undone", ())]
        said = {claim.id: claim.sentence for claim in claims}
        said |= {op.name: op.sentence for op in getattr(contract, "operations", ()) if op.sentence}
        for id, sentence in said.items():
            plain = " ".join(sentence.replace(" * ", " ").split())
            assert plain in words or plain in words.replace(" * ", " "), (name, id, sentence)


def test_errors_are_one_line(tmp_path: Path) -> None:
    for arguments in ([tmp_path / "nosuch"], ["--config", "x"]):
        done = kconform("contracts", *arguments)
        assert done.status == 2 and done.err.count("\n") == 1
