# SPDX-License-Identifier: GPL-2.0-only
"""Edits of the v2 mail: defects, harmless rewrites, and what became of it when it was merged."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.mails import next_revision
from tests.planted import recount


def plant(*edits: tuple[str, str]) -> str:
    """The v2 mail with each (old, new) pair of text replaced; every old text stands there once."""
    text = next_revision().read_text()
    for old, new in edits:
        assert text.count(old) == 1, (text.count(old), old)
        text = text.replace(old, new)
    return renumbered(recount(text))


def renumbered(text: str) -> str:
    """`text` with the places of its hunks in the new file set right."""
    lines, shift = text.split("\n"), 0
    for at, line in enumerate(lines):
        shift = 0 if line.startswith("diff --git") else shift
        if match := re.match(r"@@ -(\d+),(\d+) \+\d+,(\d+) @@(.*)", line):
            lines[at] = f"@@ -{match[1]},{match[2]} +{int(match[1]) + shift},{match[3]} @@{match[4]}"
            shift += int(match[3]) - int(match[2])
    return "\n".join(lines)


class Defect(NamedTuple):
    """An edit, the check that finds it, and the calls of its shortest trace."""

    old: str
    new: str
    check: str
    calls: int


SHARED = "+		folio->_mm_ids |= FOLIO_MM_IDS_SHARED_BIT;\n"
SHARED_WITHIN = SHARED.replace("+", "+	")
DRAINED = """+		folio->_mm_id_mapcount[0] = -1;
+		folio_set_mm_id(folio, 0, MM_ID_DUMMY);
+	} else if (folio_mm_id(folio, 1) == mm_id) {
+		folio->_mm_id_mapcount[1] -= diff;
"""
SET_ID = "+	folio->_mm_id[idx] &= ~MM_ID_MASK;\n+	folio->_mm_id[idx] |= id;"
DEFECTS = {
    "shared though nothing else is mapped": Defect(
        "+		if (new_mapcount_val != diff - 1)\n" + SHARED_WITHIN,
        SHARED,
        "claim/no-false-shared-with-two-mms",
        1,
    ),
    "a drained slot keeps a count": Defect(
        DRAINED,
        DRAINED.replace("+		folio->_mm_id_mapcount[0] = -1;\n", ""),
        "conformance/sub/count0",
        6,
    ),
    "no check of the second slot": Defect(
        "+			folio->_mm_id_mapcount[1] < 0);",
        "+			folio->_mm_id_mapcount[1] < -1);",
        "misuse/add/owner-without-count",
        1,
    ),
}
OVERFLOW = "+			folio_set_mm_id(folio, {0}, MM_ID_DUMMY);\n" + SHARED_WITHIN
SHORT_DEFECTS = {
    "an overflow is not shared": Defect(
        OVERFLOW.format(0),
        OVERFLOW.format(0).replace(SHARED_WITHIN, ""),
        "claim/more-than-is-counted-is-shared",
        2,
    ),
}
HARMLESS = (
    (SET_ID, "+	folio->_mm_id[idx] = (folio->_mm_id[idx] & ~MM_ID_MASK) | id;"),
    (
        "+	VM_WARN_ON_ONCE(diff <= 0);\n+	VM_WARN_ON_ONCE(mm_id < MM_ID_MIN || mm_id > MM_ID_MAX);",
        "+	VM_WARN_ON_ONCE(mm_id > MM_ID_MAX || mm_id < MM_ID_MIN);\n+	VM_WARN_ON_ONCE(diff < 1);",
    ),
    (
        "+	if (folio->_mm_id_mapcount[0] == new_mapcount_val ||\n"
        "+	    folio->_mm_id_mapcount[1] == new_mapcount_val)",
        "+	if (new_mapcount_val == folio->_mm_id_mapcount[1] ||\n"
        "+	    new_mapcount_val == folio->_mm_id_mapcount[0])",
    ),
    (
        "+		/* Slot 0 certainly has mappings as well. */\n" + SHARED,
        "+		__set_bit(FOLIO_MM_IDS_SHARED_BITNUM, &folio->_mm_ids);\n",
    ),
    (
        "+		folio_set_mm_id(folio, 1, mm_id);\n+		folio->_mm_id_mapcount[1] = diff - 1;",
        "+		folio->_mm_id_mapcount[1] = diff - 1;\n+		folio_set_mm_id(folio, 1, mm_id);",
    ),
    (
        "+	atomic_set(&folio->_large_mapcount, mapcount - 1);\n"
        "+	folio->_mm_id_mapcount[0] = mapcount - 1;",
        "+	folio->_mm_id_mapcount[0] = --mapcount;\n+	atomic_set(&folio->_large_mapcount, mapcount);",
    ),
    (
        "+		if (!IS_ENABLED(CONFIG_64BIT) && unlikely(folio->_mm_id_mapcount[0] < 0)) {",
        "+		if (!IS_ENABLED(CONFIG_64BIT) && folio->_mm_id_mapcount[0] <= -1) {",
    ),
    ("((1U << MM_ID_BITS) - 1)", "((1U << MM_ID_BITS) + ~0U)"),
)
# As in Linux 6.15: what adds and subtracts gives the mapcount back, and the flag has no function.
FLAG_TEST = "folio_test_large_maybe_mapped_shared(folio)"
MERGED = (
    (f"+			{FLAG_TEST});", "+			test_bit(FOLIO_MM_IDS_SHARED_BITNUM, &folio->_mm_ids));"),
    (
        "+static inline bool folio_test_large_maybe_mapped_shared(const struct folio *folio)\n+{\n"
        "+	return test_bit(FOLIO_MM_IDS_SHARED_BITNUM, &folio->_mm_ids);\n+}\n",
        "",
    ),
    (
        "+static __always_inline void folio_add_large_mapcount(",
        "+static __always_inline int folio_add_return_large_mapcount(",
    ),
    (
        "+	folio_unlock_large_mapcount(folio);\n+}\n+\n"
        "+static __always_inline void folio_sub_large_mapcount(",
        "+	folio_unlock_large_mapcount(folio);\n+	return new_mapcount_val + 1;\n+}\n"
        "+#define folio_add_large_mapcount folio_add_return_large_mapcount\n+\n"
        "+static __always_inline int folio_sub_return_large_mapcount(",
    ),
    (
        "+out:\n+	folio_unlock_large_mapcount(folio);\n+}\n",
        "+out:\n+	folio_unlock_large_mapcount(folio);\n+	return new_mapcount_val + 1;\n+}\n"
        "+#define folio_sub_large_mapcount folio_sub_return_large_mapcount\n",
    ),
    (
        "+#endif /* CONFIG_MM_ID */\n \n #define folio_inc_large",
        "+#endif /* CONFIG_MM_ID */\n+\n"
        "+#define folio_inc_return_large_mapcount(folio, vma) \\\n"
        "+	folio_add_return_large_mapcount(folio, 1, vma)\n"
        "+#define folio_dec_large_mapcount(folio, vma) \\\n"
        "+	folio_sub_large_mapcount(folio, 1, vma)\n"
        "+#define folio_dec_return_large_mapcount(folio, vma) \\\n"
        "+	folio_sub_return_large_mapcount(folio, 1, vma)\n"
        " \n #define folio_inc_large",
    ),
)
