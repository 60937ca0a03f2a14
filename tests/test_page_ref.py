# SPDX-License-Identifier: GPL-2.0-only
"""The contract page-ref over the kernel's own header, as it is and with defects planted in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.contract import CONTRACTS
from harness.loading import contract_path, load
from tests.cli import Done, check, kconform
from tests.test_toys import added_file

ROOT = Path(__file__).parents[1]
TREE = ROOT / "trees/linux-7"
HEADER = "include/linux/page_ref.h"
# Where the contract's sentences stand.
SOURCES = (HEADER, "include/linux/mm.h", "Documentation/mm/transhuge.rst", "mm/filemap.c", "mm/vmscan.c")
QUICK = ("--contract", "page-ref", "--walk", "0", "--no-sanitizers", "--interleave=off")


def text_of(name: str) -> str:
    """A file of the tree, which is not part of the checkout: where it is absent a test fails, and says so."""
    path = TREE / name
    assert path.is_file(), f"{path} is needed: run make trees"
    return path.read_text()


def header(*changes: tuple[str, str]) -> str:
    """A diff that adds the tree's header, with some of its text changed."""
    text = text_of(HEADER)
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return added_file(HEADER, text)


def judged(*changes: tuple[str, str]) -> Done:
    return check(header(*changes), *QUICK)


def test_the_header_of_the_kernel_passes() -> None:
    done = check(header(), "--contract", "page-ref", "--walk", "50000")
    assert (done.status, done.failed()) == (0, set())
    absent = next(said for said in done.json["not_checked"] if said.startswith("absent"))
    assert "page_ref_add_unless" in absent and "folio_try_get," not in absent
    assert {c["verdict"] for c in done.json["checks"]} == {"pass"}


SUB = "atomic_sub(nr, &page->_refcount);"
UNLESS = "bool ret = atomic_add_unless(&page->_refcount, nr, 0);"
TRY_GET = "return folio_ref_add_unless_zero(folio, 1);"
FREEZE = "int ret = likely(atomic_cmpxchg(&page->_refcount, count, 0) == count);"
DEC_TEST = "int ret = atomic_dec_and_test(&page->_refcount);"
NOT_FROZEN = "VM_BUG_ON_PAGE(page_count(page) != 0, page);"
# Several in one header: none hides another.
PLANTED = {
    "counts": (
        (SUB, SUB.replace("sub", "add"), "conformance/page_ref_sub/refcount", 2),
        (DEC_TEST, DEC_TEST.replace("= a", "= !a"), "conformance/page_ref_dec_and_test/return", 2),
        (TRY_GET, "folio_ref_inc(folio);\n\treturn true;", "claim/zero-is-left-alone", 1),
        (NOT_FROZEN, "", "misuse/page_ref_unfreeze/not-frozen", 2),
    ),
    "a freeze of one more": (
        (FREEZE, FREEZE.replace("count,", "count + 1,").replace("== count", "== count + 1"),
         "claim/freeze-takes-all-or-nothing", 2),
        (NOT_FROZEN, NOT_FROZEN.replace("page_count", "page_ref_count"), "misuse/page_ref_unfreeze/tail", 2),
    ),
    "a freeze in two steps": (
        (FREEZE, "int ret = page_ref_count(page) == count;\n\n\tif (ret)\n\t\tset_page_count(page, 0);",
         "claim/changes-are-atomic", 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_planted_defects_are_found_with_short_traces(name: str) -> None:
    done = judged(*((old, new) for old, new, *_ in PLANTED[name]))
    for _, _, id, calls in PLANTED[name]:
        finding = done.check(id)
        assert (id, finding["verdict"], len(finding["trace"]) - 1) == (id, "fail", calls)
        assert finding["where"]["file"] == HEADER


def test_what_does_the_same_in_other_words_passes() -> None:
    done = judged(
        (SUB, "atomic_add(-nr, &page->_refcount);"),
        (DEC_TEST, "int ret = atomic_dec_return(&page->_refcount) == 0;"),
        (UNLESS, "int old = page_ref_count(page);\n\tbool ret = false;\n\n\twhile (old && !ret)\n"
                 "\t\tret = atomic_try_cmpxchg(&page->_refcount, &old, old + nr);"),
        (FREEZE, "int old = count;\n\tint ret = atomic_try_cmpxchg(&page->_refcount, &old, 0);"),
        ("atomic_set_release(&page->_refcount, count);", "smp_mb();\n\tatomic_set(&page->_refcount, count);"),
        ("return folio_ref_count(page_folio(page));", "return page_ref_count(compound_head(page));"),
    )  # fmt: skip
    assert (done.status, done.failed()) == (0, set())


THREADS = ("--contract", "page-ref", "--walk", "0", "--no-sanitizers", "--interleave", "2x2,3x1")
DEC_PLAIN = (DEC_TEST, "int ret = --page->_refcount.counter == 0;")


def test_holders_that_get_drop_and_freeze_at_one_time() -> None:
    done = check(header(), *THREADS)
    assert (done.status, done.failed()) == (0, set())
    woven = done.json["contracts"][0]["threads"][0]
    assert woven["whole"] and woven["scenarios"] > 1000 and woven["executions"] > 10000
    relaxed = check(header(), *THREADS, "--memory-model", "relaxed")
    assert (relaxed.status, relaxed.failed()) == (0, set())


@pytest.mark.parametrize("change, id", [
    ((FREEZE, PLANTED["a freeze in two steps"][0][1]), "concurrency/results"),
    (DEC_PLAIN, "concurrency/results"),
    (DEC_PLAIN, "concurrency/race/page_ref_dec_and_test"),
])  # fmt: skip
def test_what_is_not_atomic_is_found_by_two_threads(change: tuple[str, str], id: str) -> None:
    done = check(header(change), *THREADS)
    finding = done.check(id)
    assert finding["verdict"] == "fail" and finding["where"]["file"] == HEADER
    assert len({step["op"] for step in finding["trace"] if step["op"].startswith("thread")}) == 2


def plain(text: str) -> str:
    """Words as a comment has them, without its margin."""
    return " ".join(re.sub(r"^[ \t]*\*", "", text, flags=re.M).split())


def test_every_sentence_is_the_kernels_own() -> None:
    words = plain(" ".join(text_of(name) for name in SOURCES))
    for claim in load(contract_path("page-ref"), {}).contract.claims:
        assert plain(claim.sentence) in words, claim.id


TAUGHT = ROOT / "docs/contracts.md"


def test_the_first_contract_that_is_taught_runs_and_says_what_is_shown(tmp_path: Path) -> None:
    text = TAUGHT.read_text()
    path = tmp_path / "first.py"
    path.write_text(text[text.index("# first.py\n") : text.index("```\n\n| field")])
    done = kconform("check", "-", "--contract", path, stdin=header())
    shown = text[text.index("PASS: 6 passed") :].split("```")[0]
    assert done.status == 0 and done.out.replace("<stdin>", "page_ref.diff").startswith(shown)


def test_what_is_taught_is_the_contract_as_it_is() -> None:
    contract = (CONTRACTS / "page_ref.py").read_text()
    blocks = re.findall(r"```python\n# page_ref\.py\n(.*?)```", TAUGHT.read_text(), re.S)
    assert len(blocks) > 8
    for block in blocks:
        for part in re.split(r"^ *# \.\.\.\n", block, flags=re.M):
            assert part.strip("\n") in contract, part
