# SPDX-License-Identifier: GPL-2.0-only
"""What the bundled patch documents, and what it documents with defects planted there."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.judge import Check
from harness.static.documentation import judge_documentation
from tests.mails import V1, next_revision
from tests.planted import added, plant
from tests.test_configuration import read

CONFIG = {"CONFIG_64BIT": True, "CONFIG_MM_ID": True}
DOC = "+ * @_mm0_mapcount: Do not use outside of rmap code.\n"
IDS = "+ * @_mm_ids: Do not use outside of rmap code.\n"
PINCOUNT = " 					atomic_t _pincount;\n"
RST = """\x20
+    With CONFIG_MM_ID, we also maintain the two slots for tracking MM
+    owners (MM ID and corresponding mapcount), and the current status
+    ("mapped shared" vs. "mapped exclusively").
+
   - map/unmap"""


def judged(text: str, folder: Path) -> dict[str, Check]:
    patches, items = read(text, folder)
    checks = list(judge_documentation(patches, items, CONFIG))
    assert all(c.group == "documentation" and c.title.startswith("documentation: ") for c in checks)
    assert all(c.judged for c in checks) and len({c.id for c in checks}) == len(checks)
    return {check.id.partition("/")[2]: check for check in checks}


def wrong(text: str, folder: Path) -> dict[str, str]:
    return {
        id: f"{c.verdict} {c.file}:{c.line}" for id, c in judged(text, folder).items() if c.verdict != "pass"
    }


def rst(old: str, new: str) -> str:
    assert old in RST
    return plant((RST, RST.replace(old, new)))


def test_the_bundled_patch_documents_what_is_there(tmp_path: Path) -> None:
    checks = judged(V1, tmp_path)
    assert {c.verdict for c in checks.values()} == {"pass"}
    assert {id: c.judged for id, c in checks.items()} == {
        "options-documentation-mm-transhuge-rst": 2,
        "kernel-doc-include-linux-mm-types-h": 3,
        "described-include-linux-mm-types-h": 3,
        "options-include-linux-mm-types-h": 2,
        "options-include-linux-page-flags-h": 1,
        "fields-include-linux-page-flags-h": 1,
        "options-include-linux-rmap-h": 2,
    }


@pytest.mark.parametrize(
    "text, id, where, detail",
    [
        (plant((DOC, DOC.replace("mapcount:", "mapcout:"))), "kernel-doc-include-linux-mm-types-h",
         "include/linux/mm_types.h:314",
         "@_mm0_mapcout: struct folio has no such field; the patch adds _mm0_mapcount"),
        (plant((IDS, "")), "described-include-linux-mm-types-h", "include/linux/mm_types.h:386",
         "struct folio._mm_ids has no line in the kernel-doc of struct folio"),
        (plant((IDS, IDS.replace("_mm_ids", "_owners"))), "described-include-linux-mm-types-h",
         "include/linux/mm_types.h:386", "struct folio._mm_ids has no line"),
        (rst("CONFIG_MM_ID", "CONFIG_MM_IDS"), "options-documentation-mm-transhuge-rst",
         "Documentation/mm/transhuge.rst:123", "there is no CONFIG_MM_IDS; the patch adds CONFIG_MM_ID"),
        (rst("the two", "folio->_mm1_mapcuont, the two"), "fields-documentation-mm-transhuge-rst",
         "Documentation/mm/transhuge.rst:123",
         "there is no _mm1_mapcuont; the patch adds _mm1_mapcount to struct folio"),
        (rst("the two", "page->_mm_ids, the two"), "fields-documentation-mm-transhuge-rst",
         "Documentation/mm/transhuge.rst:123", "struct page has no _mm_ids; the patch adds it to"),
        (rst("With CONFIG_MM_ID, we also maintain", "Without CONFIG_MM_ID, _mm_ids has"),
         "conditions-documentation-mm-transhuge-rst", "Documentation/mm/transhuge.rst:123",
         "_mm_ids does not exist without CONFIG_MM_ID"),
        (plant(("+ * folio->_mm_ids, whereby", "+ * folio->_mm_id, whereby")),
         "fields-include-linux-page-flags-h", "include/linux/page-flags.h:1194",
         "there is no _mm_id; the patch adds _mm_ids to struct folio"),
        (plant(("+	  as transparent huge pages, that", "+	  as CONFIG_MMID, that")), "options-mm-kconfig",
         "mm/Kconfig:854", "there is no CONFIG_MMID; the patch adds CONFIG_MM_ID"),
    ],
)  # fmt: skip
def test_planted(text: str, id: str, where: str, detail: str, tmp_path: Path) -> None:
    found = wrong(text, tmp_path)
    assert found.pop(id) == f"fail {where}"
    assert not [verdict for verdict in found.values() if verdict.startswith("fail")]
    assert detail in judged(text, tmp_path)[id].detail


@pytest.mark.parametrize(
    "text",
    [
        rst("With CONFIG_MM_ID", "With CONFIG_NUMA_BALANCING"),
        rst("the two", "folio->_mm_ids, page->_mapcount, _nr_pages_mapped, ``_mm0_mapcount``, the two"),
        rst("With CONFIG_MM_ID, we also maintain", "Without CONFIG_MM_ID, there is no _mm_ids and"),
        rst("the two", "mm_alloc_id(), the two"),
        plant((" * @_nr_pages: Do not use directly, call folio_nr_pages().\n",
               " * @_nr_pages: Do not use directly, call folio_nr_pages().\n+ * @mapping: The mapping.\n")),
        # A private part of the record, in which nothing is described.
        plant((PINCOUNT, PINCOUNT + "+	/* private: */\n"), (IDS, "")),
        plant(("+#define MM_ID_DUMMY		0\n", "+/* Unlike _text and _end, mm->mm_id, vma->vm_foo: */\n"
               "+#define MM_ID_DUMMY		0\n")),
    ],
)  # fmt: skip
def test_harmless(text: str, tmp_path: Path) -> None:
    assert not wrong(text, tmp_path)


def test_what_the_base_may_have_is_unknown(tmp_path: Path) -> None:
    found = wrong(rst("the two", "folio->_of_the_base, the two"), tmp_path)
    assert found == {"fields-documentation-mm-transhuge-rst": "unknown Documentation/mm/transhuge.rst:123"}
    found = wrong(plant((DOC, DOC + "+ * @_of_the_base: Older.\n")), tmp_path)
    assert found == {"kernel-doc-include-linux-mm-types-h": "unknown include/linux/mm_types.h:315"}


def header(code: str) -> str:
    lines = added(code)
    count = lines.count("\n")
    return (
        "diff --git a/include/linux/new.h b/include/linux/new.h\nnew file mode 100644\n--- /dev/null\n"
        f"+++ b/include/linux/new.h\n@@ -0,0 +1,{count} @@\n{lines}"
    )


WHOLE = """/**
 * struct thing - A thing.
 * @first: The first.
 * @pair.second: The second.
 * @third[]: The third.
 */
struct thing {
	int first;
	struct {
		int second;
	} pair;
	int third[2];
};

/**
 * use() - Use it.
 * @thing: The thing.
 * @other: Something.
 */
void use(struct thing *thing, int other);
"""


def test_a_whole_record(tmp_path: Path) -> None:
    checks = judged(header(WHOLE), tmp_path)
    assert {id: (c.verdict, c.judged) for id, c in checks.items()} == {
        "kernel-doc-include-linux-new-h": ("pass", 4)
    }
    stale = header(WHOLE.replace("@first:", "@former:"))
    assert wrong(stale, tmp_path) == {"kernel-doc-include-linux-new-h": "fail include/linux/new.h:3"}


def test_the_next_revision(tmp_path: Path) -> None:
    checks = judged(next_revision().read_text(), tmp_path)
    assert {c.verdict for c in checks.values()} == {"pass"}
    assert checks["described-include-linux-mm-types-h"].judged == 3


def test_a_patch_without_documents(tmp_path: Path) -> None:
    text = V1[V1.index("diff --git a/mm/internal.h") : V1.index("diff --git a/mm/page_alloc.c")]
    assert not judged(text, tmp_path)
