# SPDX-License-Identifier: GPL-2.0-only
"""Edits of the bundled mail that only concurrent calls can tell, or that keep the lock otherwise."""

from __future__ import annotations

LOCK = "+	folio_lock_large_mapcount_data(folio);\n"
UNLOCK = "+	folio_unlock_large_mapcount_data(folio);\n"
EXPECTED = """+	/*
+	 * We expect that unmapped folios always have the "mapped exclusively"
"""
ADD_LOCK = LOCK + EXPECTED
ADD_END = """+		folio_clear_large_mapped_exclusively(folio);
+	}
+	folio_unlock_large_mapcount_data(folio);
"""
SUB_LOCK = LOCK + "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;\n"
SUB_END = """+		folio_set_large_mapped_exclusively(folio);
+	folio_unlock_large_mapcount_data(folio);
"""
SHIM_UNLOCK = "+	__bit_spin_unlock(FOLIO_MM_IDS_LOCK_BITNUM, &folio->_mm_ids);\n"
MM0_ADD = """+		folio->_mm0_mapcount += diff;
+		if (folio->_mm0_mapcount != mapcount_val)
"""
# What each defect is, the edits, and a check that must fail.
DEFECTS = {
    "lock not taken in add": (
        ((ADD_LOCK, EXPECTED), (ADD_END, ADD_END.replace(UNLOCK, ""))),
        "concurrency/results",
    ),
    "lock not taken in sub": (
        ((SUB_LOCK, SUB_LOCK.replace(LOCK, "")), (SUB_END, SUB_END.replace(UNLOCK, ""))),
        "concurrency/results",
    ),
    "lock not taken in add, but released": (((ADD_LOCK, EXPECTED),), "concurrency/locks"),
    "unlocked before the flag is cleared": (
        (
            (
                ADD_END,
                UNLOCK.replace("+	", "+		")
                + "+		folio_clear_large_mapped_exclusively(folio);\n+		return;\n+	}\n"
                + UNLOCK,
            ),
        ),
        "concurrency/results",
    ),
    "unlock without release ordering": (
        ((SHIM_UNLOCK, "+	__clear_bit(FOLIO_MM_IDS_LOCK_BITNUM, &folio->_mm_ids);\n"),),
        "concurrency/race/add",
    ),
    "flag changed outside the lock": (
        (
            (
                "+	    folio->_mm1_mapcount == mapcount_val)\n" + SUB_END,
                "+	    folio->_mm1_mapcount == mapcount_val) {\n"
                + UNLOCK.replace("+	", "+		")
                + "+		folio_set_large_mapped_exclusively(folio);\n+		return;\n+	}\n"
                + UNLOCK,
            ),
        ),
        "concurrency/results",
    ),
    "lock and flag on the same bit": (
        (("+#define FOLIO_MM_IDS_LOCK_BITNUM		63\n", "+#define FOLIO_MM_IDS_LOCK_BITNUM		62\n"),),
        "concurrency/deadlock",
    ),
    "lock taken twice": (((ADD_LOCK, LOCK + ADD_LOCK),), "concurrency/deadlock"),
    "unlock forgotten on one path": (
        (
            (
                MM0_ADD,
                MM0_ADD.replace("+		if", "+		if (diff > 1)\n+			return;\n+		if"),
            ),
        ),
        "concurrency/locks",
    ),
}
# The same locking in other words: no alarm.
HARMLESS = {
    "atomic unlock": ((SHIM_UNLOCK, SHIM_UNLOCK.replace("__bit_spin_unlock", "bit_spin_unlock")),),
    "atomic flags": (
        (
            "+	__set_bit(FOLIO_MM_IDS_EXCLUSIVE_BITNUM, &folio->_mm_ids);\n",
            "+	set_bit(FOLIO_MM_IDS_EXCLUSIVE_BITNUM, &folio->_mm_ids);\n",
        ),
        (
            "+	__clear_bit(FOLIO_MM_IDS_EXCLUSIVE_BITNUM, &folio->_mm_ids);\n",
            "+	clear_bit(FOLIO_MM_IDS_EXCLUSIVE_BITNUM, &folio->_mm_ids);\n",
        ),
    ),
}
