# SPDX-License-Identifier: GPL-2.0-only
"""Edits of the bundled mail: defects, repairs and harmless rewrites, with the hunks' counts kept true."""

from __future__ import annotations

import re

from tests.mails import V1


def plant(*edits: tuple[str, str]) -> str:
    """The bundled mail with each (old, new) pair of text replaced; every old text stands there once."""
    text = V1
    for old, new in edits:
        assert text.count(old) == 1, (text.count(old), old)
        text = text.replace(old, new)
    return recount(text)


def added(code: str) -> str:
    """`code` as added lines of a diff."""
    return "".join(f"+{line}\n" for line in code.rstrip("\n").split("\n"))


def recount(text: str) -> str:
    """`text` with the counts of its hunk headers set right."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        match = re.match(r"@@ -(\d+),\d+ \+(\d+),\d+ @@(.*)", lines[at])
        if not match:
            at += 1
            continue
        end = at + 1
        while lines[end][:1] in (" ", "+", "-") and lines[end] not in ("-- ",):
            end += 1
        body = lines[at + 1 : end]
        old, new = sum(t[0] != "+" for t in body), sum(t[0] != "-" for t in body)
        lines[at] = f"@@ -{match[1]},{old} +{match[2]},{new} @@{match[3]}"
        at = end
    return "\n".join(lines)


ADD_TAKE = """+			folio_set_mm1_id(folio, mm_id);
+			folio->_mm1_mapcount = diff - 1;
+		}
+		folio_clear_large_mapped_exclusively(folio);
+	}
+	folio_unlock_large_mapcount_data(folio);
"""
REPAIR = (
    ADD_TAKE,
    ADD_TAKE.replace(
        "+		folio_clear_large_mapped_exclusively(folio);\n",
        "+		if (mapcount_val != diff - 1)\n+			folio_clear_large_mapped_exclusively(folio);\n",
    ),
)
SUB_END = """+		folio_set_large_mapped_exclusively(folio);
+	folio_unlock_large_mapcount_data(folio);
"""
DEFECTS = {
    "wrong sign": ("+		folio->_mm1_mapcount -= diff;", "+		folio->_mm1_mapcount += diff;"),
    "wrong slot": (
        "+			folio_set_mm1_id(folio, mm_id);\n+			folio->_mm1_mapcount = diff - 1;",
        "+			folio_set_mm0_id(folio, mm_id);\n+			folio->_mm1_mapcount = diff - 1;",
    ),
    "clobbered flags": (
        "+	folio->_mm_ids &= ~FOLIO_MM_IDS_ID1_MASK;",
        "+	folio->_mm_ids &= FOLIO_MM_IDS_ID0_MASK;",
    ),
    "dropped warning": (
        "+static inline void folio_set_large_mapped_exclusively(struct folio *folio)\n+{\n"
        "+	VM_WARN_ON_ONCE(!folio_test_large(folio) || folio_test_hugetlb(folio));\n",
        "+static inline void folio_set_large_mapped_exclusively(struct folio *folio)\n+{\n",
    ),
    "null dereference": (
        "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;",
        "+	mapcount_val = atomic_read((folio_mm1_id(folio) ? (atomic_t *)0 : "
        "&folio->_large_mapcount)) - diff;",
    ),
    "endless loop": (
        "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;",
        "+	while (folio_mm1_id(folio))\n+		barrier();\n"
        "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;",
    ),
    "missing unlock": (SUB_END, SUB_END.partition("\n")[0] + "\n"),
    "takeover while shared": (
        "+	} else if (folio_test_large_mapped_exclusively(folio)) {",
        "+	} else if (folio->_mm0_mapcount < 0 || folio->_mm1_mapcount < 0) {",
    ),
    "foreign field": (
        "+	folio->_mm0_mapcount = mapcount - 1;",
        "+	folio->_mm0_mapcount = mapcount - 1;\n+	atomic_set(&folio->_pincount, mapcount);",
    ),
    "narrow mask": ("0x00ffffff00000000ul", "0x0000ffff00000000ul"),
    "second atomic": (
        "+	atomic_set(&folio->_large_mapcount, mapcount_val);\n+\n+	if (folio_mm0_id(folio) == mm_id)\n"
        "+		folio->_mm0_mapcount -= diff;",
        "+	atomic_sub(diff, &folio->_large_mapcount);\n+\n+	if (folio_mm0_id(folio) == mm_id)\n"
        "+		folio->_mm0_mapcount -= diff;",
    ),
}
HARMLESS = (
    (
        "+	VM_WARN_ON_ONCE(diff <= 0 || mm_id < MM_ID_MIN || mm_id > MM_ID_MAX);\n+\n"
        "+	folio_lock_large_mapcount_data(folio);\n+	/*",
        "+	VM_WARN_ON_ONCE(mm_id > MM_ID_MAX || mm_id < MM_ID_MIN);\n+	VM_WARN_ON_ONCE(diff < 1);\n+\n"
        "+	folio_lock_large_mapcount_data(folio);\n+	/*",
    ),
    (
        "+	folio->_mm_ids &= ~FOLIO_MM_IDS_ID0_MASK;\n+	folio->_mm_ids |= id;",
        "+	unsigned long rest = folio->_mm_ids & ~FOLIO_MM_IDS_ID0_MASK;\n+\n+	folio->_mm_ids = rest | id;",
    ),
)
