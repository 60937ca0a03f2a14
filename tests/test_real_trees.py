# SPDX-License-Identifier: GPL-2.0-only
"""Real kernels: what of mm's headers comes how far, and what the contracts say of them.

`make trees` brings them; where one is absent the tests that read it fail, and say so.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Done, kconform

TREES = Path(__file__).parent.parent / "trees"
QUICK = ("--walk", "0", "--no-sanitizers", "--interleave=off", "--format", "json")
WHOLE = ("rmap", "page-flags", "page_ref", "bit_spinlock")
MOST = ("mm_inline", "huge_mm", "mm_types", "swap")


def tree(name: str) -> Path:
    path = TREES / name
    assert (path / "include/linux").is_dir(), f"{path} is needed: run make trees"
    return path


def check(name: str, contract: str, *more: str) -> Done:
    return kconform("check", "--tree", tree(name), "--contract", contract, *QUICK, *more)


@pytest.mark.parametrize(("name", "stems"), [("linux-7", (*WHOLE, *MOST)), ("linux-6.12", WHOLE)])
def test_how_far_the_headers_of_mm_come(name: str, stems: tuple[str, ...]) -> None:
    headers = [f"include/linux/{stem}.h" for stem in stems]
    more = ["mm/internal.h"] if name == "linux-7" else []
    done = kconform("census", "--tree", tree(name), "--format", "json", *headers, *more)
    assert done.status == 0
    found = {said["header"]: said for said in done.json["headers"]}
    for header, said in found.items():
        counts = said["counts"]
        assert counts["parsed"] == counts["functions"] + counts["generated"], said["unparsed"]
        assert said["compiled"] == said["live"] and not said["unresolved"], said["unresolved"]
        assert not said["crashed"], said["crashed"]
        # What does not come back stops at another file's code, and says whose.
        assert sorted([*said["called"], *said["bugs"], *said["stopped"]]) == sorted(said["live"])
        whole = header.removeprefix("include/linux/").removesuffix(".h") in WHOLE
        assert counts["called"] >= len(said["live"]) * (0.95 if whole else 0.8), said["stopped"]
    assert found["include/linux/page-flags.h"]["counts"]["generated"] > 250


def test_the_merged_code_is_judged_by_the_model_of_v2() -> None:
    done = check("linux-7", "mm-owner-tracking")
    assert (done.status, done.failed(), done.err) == (0, set(), "")
    assert done.json["explored"]["complete"] and done.json["explored"]["states"] > 4000
    assert done.check("conformance/sub_return/return")["verdict"] == "pass"
    assert done.check("claim/no-false-shared-with-two-mms")["verdict"] == "pass"
    assert done.json["tree"]["name"].endswith("trees/linux-7")


@pytest.mark.parametrize(
    ("name", "absent"),
    [("linux-6.1", "folio_ref_add_unless_zero"), ("linux-6.12", "page_ref_add_unless_zero")],
)
def test_page_references_of_other_kernels(name: str, absent: str) -> None:
    done = check(name, "page-ref")
    assert (done.status, done.failed(), done.err) == (0, set(), "")
    assert any(absent in said for said in done.json["not_checked"])


def test_a_defect_in_a_real_tree_is_found(tmp_path: Path) -> None:
    header = "include/linux/page_ref.h"
    text = (tree("linux-7") / header).read_text().split("\n")
    at = next(n for n, line in enumerate(text) if line.startswith("static inline void page_ref_sub("))
    at = next(n for n in range(at, len(text)) if "atomic_sub(nr, &page->_refcount);" in text[n])
    lines = [f"--- a/{header}", f"+++ b/{header}", f"@@ -{at} +{at},3 @@"]
    lines[-1] = f"@@ -{at},3 +{at},3 @@"
    lines += [
        f" {text[at - 1]}",
        f"-{text[at]}",
        f"+{text[at].replace('nr,', 'nr + 1,')}",
        f" {text[at + 1]}",
    ]
    patch = tmp_path / "sub.diff"
    patch.write_text("\n".join(lines) + "\n")
    done = check("linux-7", "page-ref", str(patch))
    assert done.status == 1 and "conformance/page_ref_sub/refcount" in done.failed()
    found = done.check("conformance/page_ref_sub/refcount")
    assert len(found["trace"]) <= 3 and found["where"]["file"] == header
