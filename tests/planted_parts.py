# SPDX-License-Identifier: GPL-2.0-only
"""Defects and harmless rewrites in each part of the bundled patch, beside what rmap.h does."""

from __future__ import annotations

from tests.planted import added

Edits = tuple[tuple[str, str], ...]

IDS = "kernel/fork.c, mm_alloc_id and mm_free_id"
INIT = "kernel/fork.c, mm_init"
DROP = "kernel/fork.c, __mmdrop"
PREP = "mm/internal.h, prep_compound_head"
FREE = "mm/page_alloc.c, free_tail_page_prepare"
SPLIT = "mm/huge_memory.c, __split_huge_page"
BITS = "bits of _mm_ids"
OFF = "CONFIG_MM_ID=n"
CONTRACTS = {
    IDS: "mm-ids",
    INIT: "mm-ids",
    DROP: "mm-ids",
    PREP: "large-folio-life",
    FREE: "large-folio-life",
    SPLIT: "large-folio-life",
    BITS: "mm-ids-word",
    OFF: "without-mm-id",
}

IDA = "+#ifdef CONFIG_MM_ID\n+static DEFINE_IDA(mm_ida);\n"
ALLOC = "+	ret = ida_alloc_range(&mm_ida, MM_ID_MIN, MM_ID_MAX, GFP_KERNEL);\n"
ALLOC_END = "+	if (ret < 0)\n+		return ret;\n+	mm->mm_id = ret;\n+	return 0;\n"
RESET = "+	mm->mm_id = MM_ID_DUMMY;\n"
DUMMY = "+	if (id == MM_ID_DUMMY)\n+		return;\n"
RANGE = "+	if (WARN_ON_ONCE(id < MM_ID_MIN || id > MM_ID_MAX))\n+		return;\n"
IDA_FREE = "+	ida_free(&mm_ida, id);\n"
PGD = " 	if (mm_alloc_pgd(mm))\n 		goto fail_nopgd;\n \n"
GET_ID = "+	if (mm_alloc_id(mm))\n+		goto fail_noid;\n+\n"
CONTEXT = " 	if (init_new_context(p, mm))\n 		goto fail_nocontext;\n"
INIT_TAIL = (
    " fail_cid:\n 	destroy_context(mm);\n fail_nocontext:\n+	mm_free_id(mm);\n+fail_noid:\n"
    " 	mm_free_pgd(mm);\n fail_nopgd:\n 	free_mm(mm);\n"
)
DROP_ID = " 	mm_free_pgd(mm);\n+	mm_free_id(mm);\n 	destroy_context(mm);\n"
DROP_TAIL = DROP_ID + " 	mmu_notifier_subscriptions_destroy(mm);\n 	check_mm(mm);\n"
COUNT0 = "+	folio->_mm0_mapcount = -1;\n"
COUNT1 = "+	folio->_mm1_mapcount = -1;\n"
CLEAR = "+	folio->_mm_ids = 0;\n+	folio_set_large_mapped_exclusively(folio);\n"
PREPARED = "+#ifdef CONFIG_MM_ID\n" + COUNT0 + COUNT1 + CLEAR + "+#endif\n"
LEFT0 = """+		if (unlikely(folio->_mm0_mapcount + 1)) {
+			bad_page(page, "nonzero _mm0_mapcount");
+			goto out;
+		}
"""
LEFT1 = LEFT0.replace("_mm0_", "_mm1_")
CHECKED = "+#ifdef CONFIG_MM_ID\n" + LEFT0 + LEFT1 + "+#endif\n"
SPLIT_IF = "+	if (!new_order)\n"
SPLIT_CLEAR = "+		folio->_mm_ids = 0;\n+#endif\n"
SET0 = "+	folio->_mm_ids &= ~FOLIO_MM_IDS_ID0_MASK;\n+	folio->_mm_ids |= id;\n"
SET1_CLEAR = "+	folio->_mm_ids &= ~FOLIO_MM_IDS_ID1_MASK;\n"
SET1 = SET1_CLEAR + "+	folio->_mm_ids |= (unsigned long)id << FOLIO_MM_IDS_ID1_SHIFT;\n"
GET0 = "+	return folio->_mm_ids & FOLIO_MM_IDS_ID0_MASK;\n"
GET1 = "+	return (folio->_mm_ids & FOLIO_MM_IDS_ID1_MASK) >> FOLIO_MM_IDS_ID1_SHIFT;\n"
MASK0 = "+#define FOLIO_MM_IDS_ID0_MASK			0x00000000fffffffful\n"
MASK1 = "+#define FOLIO_MM_IDS_ID1_MASK			0x00ffffff00000000ul\n"
SHIFT1 = "+#define FOLIO_MM_IDS_ID1_SHIFT			32\n"
FLAG_BIT = "+#define FOLIO_MM_IDS_EXCLUSIVE_BITNUM		62\n"
LOCK_BIT = "+#define FOLIO_MM_IDS_LOCK_BITNUM		63\n"
SET_FLAG = "+	__set_bit(FOLIO_MM_IDS_EXCLUSIVE_BITNUM, &folio->_mm_ids);\n"
CLEAR_FLAG = "+	__clear_bit(FOLIO_MM_IDS_EXCLUSIVE_BITNUM, &folio->_mm_ids);\n"
LOCKS = "+	bit_spin_lock(FOLIO_MM_IDS_LOCK_BITNUM, &folio->_mm_ids);\n"
UNLOCKS = "+	__bit_spin_unlock(FOLIO_MM_IDS_LOCK_BITNUM, &folio->_mm_ids);\n"
BITS_OF_ID = "+#define MM_ID_NR_BITS		20\n"
ID_MIN = "+#define MM_ID_MIN		(MM_ID_DUMMY + 1)\n"
ID_MAX = "+#define MM_ID_MAX		((1U << MM_ID_NR_BITS) - 1)\n"
OFF_ALLOC = "+static inline int mm_alloc_id(struct mm_struct *mm) { return 0; }\n"
OFF_FREE = "+static inline void mm_free_id(struct mm_struct *mm) {}\n"


def word(line: str, *changes: str) -> Edits:
    """`line`, which stands once in the mail, with each word replaced by the one that follows it."""
    changed = line
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert changed.count(old) == 1, (changed, old)
        changed = changed.replace(old, new)
    return ((line, changed),)


def swap(text: str, first: str, second: str) -> Edits:
    """`text` with the two pieces of it in the other order."""
    return ((text, text.replace(first, "@").replace(second, first).replace("@", second)),)


def moved(text: str, piece: str, behind: str) -> str:
    """`text` with `piece` of it moved."""
    return text.replace(piece, "").replace(behind, behind + piece)


# Part -> what is wrong -> (a check that must find it, the edits of the mail).
DEFECTS: dict[str, dict[str, tuple[str, Edits]]] = {
    IDS: {
        "allocated from the dummy": ("claim/dummy-is-nobodys", word(ALLOC, "MM_ID_MIN", "MM_ID_DUMMY")),
        "allocated from 2": ("conformance/mm_alloc_id/id0", word(ALLOC, "MM_ID_MIN", "MM_ID_MIN + 1")),
        "allocated to one too many": (
            "conformance/mm_alloc_id/all/return", word(ALLOC, "MM_ID_MAX", "MM_ID_MAX + 1")),
        "allocated to one too few": (
            "claim/all-ids-can-be-in-use", word(ALLOC, "MM_ID_MAX", "MM_ID_MAX - 1")),
        "no maximum": (
            "claim/ids-are-in-range",
            ((ALLOC, "+	ret = ida_alloc_min(&mm_ida, MM_ID_MIN, GFP_KERNEL);\n"),)),
        "no minimum": (
            "claim/dummy-is-nobodys",
            ((ALLOC, "+	ret = ida_alloc_max(&mm_ida, MM_ID_MAX, GFP_KERNEL);\n"),)),
        "an error is an ID": (
            "conformance/mm_alloc_id/return", ((ALLOC_END, "+	mm->mm_id = ret;\n+	return 0;\n"),)),
        "stored before it is known to be one": (
            "conformance/mm_alloc_id/id0",
            ((ALLOC_END, "+	mm->mm_id = ret;\n+	if (ret < 0)\n+		return ret;\n+	return 0;\n"),)),
        "an error is success": (
            "conformance/mm_alloc_id/return", word(ALLOC_END, "return ret;", "return 0;")),
        "every error is -ENOMEM": (
            "conformance/mm_alloc_id/return", word(ALLOC_END, "return ret;", "return -ENOMEM;")),
        "the ID is returned": ("conformance/mm_alloc_id/return", word(ALLOC_END, "return 0;", "return ret;")),
        "the next ID": ("conformance/mm_alloc_id/id0", word(ALLOC_END, "mm_id = ret;", "mm_id = ret + 1;")),
        "the ID is kept": ("conformance/mm_free_id/id0", ((RESET, ""),)),
        "the ID is not given back": ("claim/no-id-leaks", ((IDA_FREE, "+	(void)id;\n"),)),
        "given back after it was reset": (
            "conformance/mm_free_id/warnings", word(IDA_FREE, "id)", "mm->mm_id)")),
        "the next one is given back": ("conformance/mm_free_id/warnings", word(IDA_FREE, "id)", "id + 1)")),
        "given back twice": ("conformance/mm_free_id/warnings", ((IDA_FREE, IDA_FREE + IDA_FREE),)),
        "the dummy warns": ("conformance/mm_free_id/dummy/warnings", ((DUMMY, ""),)),
        "only the dummy is given back": ("claim/no-id-leaks", word(DUMMY, "==", "!=")),
        "the first ID is a dummy": ("claim/no-id-leaks", word(DUMMY, "== MM_ID_DUMMY", "<= MM_ID_MIN")),
        "the last ID is out of range": (
            "conformance/mm_free_id/warnings", word(RANGE, "id > MM_ID_MAX", "id >= MM_ID_MAX")),
        "the first ID is out of range": (
            "conformance/mm_free_id/warnings", word(RANGE, "id < MM_ID_MIN", "id <= MM_ID_MIN")),
        "one too many is in range": (
            "misuse/mm_free_id/out-of-range/itself", word(RANGE, "MM_ID_MAX)", "MM_ID_MAX + 1)")),
        "no upper end of the range": (
            "misuse/mm_free_id/out-of-range/itself", word(RANGE, " || id > MM_ID_MAX", "")),
        "out of both ends": ("misuse/mm_free_id/out-of-range/itself", word(RANGE, "||", "&&")),
        "no warning out of range": (
            "misuse/mm_free_id/out-of-range",
            word(RANGE, "WARN_ON_ONCE(id < MM_ID_MIN || id > MM_ID_MAX)", "id < 1 || id > MM_ID_MAX")),
        "a short ID": (
            "conformance/mm_free_id/warnings",
            (("+	const int id = mm->mm_id;\n", "+	const short id = mm->mm_id;\n"),)),
        "19 bits": ("conformance/mm_alloc_id/all/return", word(BITS_OF_ID, "20", "19")),
        "minimum is the dummy": ("claim/dummy-is-nobodys", word(ID_MIN, " + 1", "")),
        "the field is a byte": (
            "conformance/mm_alloc_id/id0",
            (("+		unsigned int mm_id;\n", "+		unsigned char mm_id;\n"),)),
    },
    INIT: {
        "leaves with the ID where there is none": (
            "conformance/mm_init/ids", word(GET_ID, "fail_noid", "fail_nocontext")),
        "leaves without the page tables": ("claim/given-back-once", word(GET_ID, "fail_noid", "fail_nopgd")),
        "the error is ignored": (
            "conformance/mm_init/return",
            ((GET_ID, "+	(void)mm_alloc_id(mm);\n+\n"), ("+fail_noid:\n", ""))),
        "inverted": ("conformance/mm_init/return", word(GET_ID, "mm_alloc", "!mm_alloc")),
        "the ID before the page tables": (
            "conformance/mm_init/ids",
            ((PGD + GET_ID, GET_ID.replace("fail_noid", "fail_nopgd") + PGD), ("+fail_noid:\n", ""))),
        "the ID after the context": (
            "claim/given-back-once", ((GET_ID + CONTEXT, CONTEXT + " \n" + GET_ID.removesuffix("+\n")),)),
        "asked for twice": ("conformance/mm_init/id0", ((GET_ID, GET_ID + GET_ID),)),
        "an ID that is there is kept": (
            "conformance/mm_init/id0",
            ((ALLOC, "+	if (mm->mm_id != MM_ID_DUMMY)\n+		return 0;\n" + ALLOC),)),
        "not given back": ("conformance/mm_init/ids", word(INIT_TAIL, "+	mm_free_id(mm);\n", "")),
        "given back after the page tables": (
            "conformance/mm_init/back",
            ((INIT_TAIL, moved(INIT_TAIL, "+	mm_free_id(mm);\n", " 	mm_free_pgd(mm);\n")),)),
        "given back before the context": (
            "conformance/mm_init/back", word(INIT_TAIL, " 	destroy", "+	mm_free_id(mm);\n 	destroy")),
        "given back also where there is none": (
            "conformance/mm_init/ids", word(INIT_TAIL, "+fail_noid:\n", "+fail_noid:\n+	mm_free_id(mm);\n")),
        "given back where nothing was taken": (
            "conformance/mm_init/ids",
            word(INIT_TAIL, " fail_nopgd:\n", " fail_nopgd:\n+	mm_free_id(mm);\n")),
        "the page tables are left": (
            "claim/given-back-once", swap(INIT_TAIL, "+fail_noid:\n", " 	mm_free_pgd(mm);\n")),
        "the page tables are freed twice": (
            "claim/given-back-once",
            word(INIT_TAIL, "+	mm_free_id(mm);\n", "+	mm_free_id(mm);\n+	mm_free_pgd(mm);\n")),
    },
    DROP: {
        "the ID is kept": ("conformance/__mmdrop/ids", word(DROP_ID, "+	mm_free_id(mm);\n", "+\n")),
        "the last ID is kept": (
            "conformance/__mmdrop/ids",
            word(DROP_ID, "mm_free_id(mm)", "if (mm->mm_id < MM_ID_MAX)\n+		mm_free_id(mm)")),
        "the page tables are freed twice": (
            "conformance/__mmdrop/pgds",
            word(DROP_ID, "+	mm_free_id(mm);\n", "+	mm_free_id(mm);\n+	mm_free_pgd(mm);\n")),
        "reset before it is given back": (
            "conformance/__mmdrop/ids",
            word(DROP_ID, "mm_free_id(mm)", "mm->mm_id = MM_ID_DUMMY;\n+	mm_free_id(mm)")),
        "another ID": (
            "conformance/__mmdrop/ids", word(DROP_ID, "mm_free_id(mm)", "mm->mm_id++;\n+	mm_free_id(mm)")),
    },
    PREP: {
        "slot 0 is left": ("claim/prepared-folio-starts-clean", ((COUNT0, ""),)),
        "slot 1 is left": ("claim/prepared-folio-starts-clean", ((COUNT1, ""),)),
        "slot 1 counts one": ("claim/prepared-folio-starts-clean", word(COUNT1, "-1", "0")),
        "the flag is not set": (
            "claim/prepared-folio-starts-clean", ((CLEAR, "+	folio->_mm_ids = 0;\n"),)),
        "the flag before the rest": (
            "claim/prepared-folio-starts-clean",
            swap(CLEAR, "+	folio->_mm_ids = 0;\n", "+	folio_set_large_mapped_exclusively(folio);\n")),
        "the IDs are left": (
            "claim/prepared-folio-starts-clean",
            ((CLEAR, "+	folio_set_large_mapped_exclusively(folio);\n"),)),
        "ored instead of assigned": ("claim/prepared-folio-starts-clean", word(CLEAR, "= 0", "|= 0")),
        "only ID 0 is cleared": (
            "claim/prepared-folio-starts-clean",
            word(CLEAR, "folio->_mm_ids = 0", "folio_set_mm0_id(folio, 0)")),
        "the lock is left": (
            "claim/prepared-folio-starts-clean",
            word(CLEAR, "_mm_ids = 0", "_mm_ids &= 1UL << FOLIO_MM_IDS_LOCK_BITNUM")),
        "the lock is held": (
            "claim/prepared-folio-starts-clean",
            word(CLEAR, "_mm_ids = 0", "_mm_ids = 1UL << FOLIO_MM_IDS_LOCK_BITNUM")),
        "only for order 2": (
            "claim/prepared-folio-starts-clean",
            word(CLEAR, "+	folio->_mm_ids = 0", "+	if (order > 1)\n+		folio->_mm_ids = 0")),
        "only for order 1": (
            "claim/prepared-folio-starts-clean", word(COUNT1, "	folio", "	if (order == 1)\n+		folio")),
        "under the opposite": ("claim/prepared-folio-starts-clean", word(PREPARED, "ifdef", "ifndef")),
        "another counter": (
            "conformance/prep_compound_head/pins",
            ((COUNT1, COUNT1 + "+	atomic_set(&folio->_pincount, 1);\n"),)),
        "a long for an int": (
            "claim/prepared-folio-starts-clean",
            ((COUNT0 + COUNT1, "+	*(unsigned int *)&folio->_mm0_mapcount = -1;\n"),)),
    },
    FREE: {
        "inverted": (
            "claim/unmapped-passes-the-free-check",
            word(LEFT0, "folio->_mm0_mapcount + 1", "!(folio->_mm0_mapcount + 1)")),
        "without the one": ("claim/unmapped-passes-the-free-check", word(LEFT0, " + 1", "")),
        "negative counts pass": (
            "conformance/free_tail_page_prepare/left/return", word(LEFT1, " + 1", " >= 0")),
        "a count of one passes": (
            "conformance/free_tail_page_prepare/left/return", word(LEFT0, " + 1", " > 0")),
        "the first 8 bits": (
            "conformance/free_tail_page_prepare/left/return",
            word(LEFT0, "folio->_mm0_mapcount + 1", "(unsigned char)(folio->_mm0_mapcount + 1)")),
        "another's message": (
            "conformance/free_tail_page_prepare/left/bad", word(LEFT1, '"nonzero _mm1', '"nonzero _mm0')),
        "another's counter": (
            "conformance/free_tail_page_prepare/left/return", word(LEFT1, "folio->_mm1", "folio->_mm0")),
        "reported and freed": (
            "conformance/free_tail_page_prepare/left/return", word(LEFT1, "+			goto out;\n", "")),
        "kept and not reported": (
            "conformance/free_tail_page_prepare/left/bad",
            word(LEFT1, '+			bad_page(page, "nonzero _mm1_mapcount");\n', "")),
        "the report behind the goto": (
            "conformance/free_tail_page_prepare/left/bad",
            swap(LEFT1, '+			bad_page(page, "nonzero _mm1_mapcount");\n', "+			goto out;\n")),
        "not checked": ("conformance/free_tail_page_prepare/left/return", ((LEFT1, ""),)),
        "of the third page": (
            "conformance/free_tail_page_prepare/left/return",
            ((CHECKED + " 		break;\n 	case 2:\n", " 		break;\n 	case 2:\n" + CHECKED),)),
        "behind the break": (
            "conformance/free_tail_page_prepare/left/return", ((CHECKED, "+		break;\n" + CHECKED),)),
        "the counter is repaired": (
            "conformance/free_tail_page_prepare/left/count1",
            word(LEFT1, "goto out;", "folio->_mm1_mapcount = -1;\n+			goto out;")),
        "under the opposite": (
            "conformance/free_tail_page_prepare/left/return", word(CHECKED, "ifdef", "ifndef")),
        "through the tail page": (
            "claim/unmapped-passes-the-free-check",
            word(LEFT0, "folio->_mm0_mapcount", "((struct folio *)page)->_mm0_mapcount")),
    },
    SPLIT: {
        "kept": ("claim/private-is-zero-after-a-split", word(SPLIT_IF, "!", "")),
        "always": ("conformance/__split_huge_page/exclusive", word(SPLIT_IF, "!new_order", "1")),
        "order 1": ("claim/private-is-zero-after-a-split", word(SPLIT_IF, "!new_order", "new_order == 1")),
        "up to order 1": (
            "conformance/__split_huge_page/exclusive", word(SPLIT_IF, "!new_order", "new_order < 2")),
        "a count instead": (
            "claim/private-is-zero-after-a-split", word(SPLIT_CLEAR, "_mm_ids", "_mm1_mapcount")),
        "a count as well": (
            "conformance/__split_huge_page/count1",
            word(SPLIT_CLEAR, "_mm_ids = 0", "_mm_ids = folio->_mm1_mapcount = 0")),
        "one half": (
            "claim/private-is-zero-after-a-split",
            word(SPLIT_CLEAR, "folio->_mm_ids = 0", "*(unsigned int *)&folio->_mm_ids = 0")),
        "ID 0 only": (
            "claim/private-is-zero-after-a-split",
            word(SPLIT_CLEAR, "folio->_mm_ids = 0", "folio_set_mm0_id(folio, 0)")),
        "the IDs only": (
            "claim/private-is-zero-after-a-split",
            word(SPLIT_CLEAR, "_mm_ids = 0", "_mm_ids &= 1UL << FOLIO_MM_IDS_EXCLUSIVE_BITNUM")),
        "not 0": ("claim/private-is-zero-after-a-split", word(SPLIT_CLEAR, "= 0", "= -1")),
        "another page's private": (
            "claim/private-is-zero-after-a-split", word(SPLIT_CLEAR, "folio->_mm_ids", "head->private")),
    },
    BITS: {
        "mask of ID 1 has the flag": ("conformance/_mm_ids/disjoint/return", word(MASK1, "0x00", "0x7f")),
        "mask of ID 1 has ID 0's last bit": (
            "conformance/_mm_ids/disjoint/return", word(MASK1, "ffffff00000000", "ffffff80000000")),
        "mask of ID 1 lacks the first bit": (
            "conformance/folio_set_mm1_id/id1", word(MASK1, "ffffff00", "fffffe00")),
        "mask of ID 1 lacks the last bit": (
            "conformance/folio_set_mm1_id/id1", word(MASK1, "00ffffff", "0007ffff")),
        "mask of ID 0 lacks the last bit": (
            "conformance/folio_set_mm0_id/id0", word(MASK0, "fffffffful", "0007fffful")),
        "mask of ID 0 has ID 1's first bit": (
            "conformance/folio_set_mm0_id/id1", word(MASK0, "0000fffffffful", "0001fffffffful")),
        "ID 1 is shifted less than its mask": ("conformance/folio_set_mm1_id/id0", word(SHIFT1, "32", "31")),
        "ID 1 is shifted into the flag": ("conformance/folio_set_mm1_id/id1", word(SHIFT1, "32", "44")),
        "ID 1 over ID 0": (
            "conformance/folio_set_mm0_id/id1",
            (*word(SHIFT1, "32", "16"), *word(MASK1, "ffffff00000000", "00ffffff0000"))),
        "flag in the mask of ID 1": (
            "conformance/folio_set_large_mapped_exclusively/id1", word(FLAG_BIT, "62", "55")),
        "flag within ID 0": ("conformance/folio_set_large_mapped_exclusively/id0", word(FLAG_BIT, "62", "3")),
        "flag is the lock": (
            "conformance/folio_set_large_mapped_exclusively/locked", word(FLAG_BIT, "62", "63")),
        "lock within ID 1": ("conformance/folio_lock_large_mapcount_data/id1", word(LOCK_BIT, "63", "32")),
        "ID 0 is not cleared": ("conformance/folio_set_mm0_id/id0", ((SET0, "+	folio->_mm_ids |= id;\n"),)),
        "ID 1 is not cleared": ("conformance/folio_set_mm1_id/id1", ((SET1_CLEAR, ""),)),
        "setter of ID 1 clears the flags": (
            "conformance/folio_set_mm1_id/exclusive",
            word(SET1_CLEAR, "~FOLIO_MM_IDS_ID1", "FOLIO_MM_IDS_ID0")),
        "setter of ID 0 clears the lock": (
            "conformance/folio_set_mm0_id/locked",
            word(SET0, "~FOLIO_MM_IDS_ID0_MASK", "~(FOLIO_MM_IDS_ID0_MASK | 1UL << 63)")),
        "getter of ID 1 has the flags": (
            "conformance/folio_set_large_mapped_exclusively/id1",
            ((GET1, "+	return folio->_mm_ids >> FOLIO_MM_IDS_ID1_SHIFT;\n"),)),
        "getter of ID 0 reads the other": (
            "conformance/folio_set_mm0_id/id0",
            word(GET0, "& FOLIO_MM_IDS_ID0_MASK", ">> FOLIO_MM_IDS_ID1_SHIFT & 0xffffff")),
        "ID 1 is an int when shifted": (
            "conformance/folio_set_mm1_id/id1", word(SET1, "(unsigned long)id", "(int)id")),
        "setter of ID 1 xors": (
            "conformance/folio_set_mm1_id/id1", ((SET1, SET1.replace(SET1_CLEAR, "").replace("|=", "^=")),)),
        "flag takes the word": (
            "conformance/folio_set_large_mapped_exclusively/id0",
            ((SET_FLAG, "+	folio->_mm_ids = 1UL << FOLIO_MM_IDS_EXCLUSIVE_BITNUM;\n"),)),
        "clearing the flag toggles it": (
            "conformance/folio_clear_large_mapped_exclusively/exclusive",
            word(CLEAR_FLAG, "__clear_bit", "__change_bit")),
        "clearing the flag clears the lock": (
            "conformance/folio_clear_large_mapped_exclusively/locked",
            ((CLEAR_FLAG, CLEAR_FLAG + "+	folio->_mm_ids &= ~0UL >> 1;\n"),)),
        "unlocking clears the flag": (
            "conformance/folio_unlock_large_mapcount_data/exclusive",
            ((UNLOCKS, "+	folio->_mm_ids &= ~(1UL << FOLIO_MM_IDS_EXCLUSIVE_BITNUM);\n" + UNLOCKS),)),
        "getter of ID 1 inverts": (
            "conformance/folio_set_mm1_id/id1", word(GET1, "(folio->_mm_ids &", "(~folio->_mm_ids &")),
        "the test inverts": (
            "conformance/folio_set_large_mapped_exclusively/exclusive",
            (("+	return test_bit(", "+	return !test_bit("),)),
        "unlocking does not": ("conformance/folio_unlock_large_mapcount_data/locked", ((UNLOCKS, ""),)),
    },
    OFF: {
        "allocation fails": ("conformance/mm_alloc_id/return", word(OFF_ALLOC, "return 0", "return -ENOMEM")),
        "freeing writes": (
            "conformance/mm_free_id/elsewhere", word(OFF_FREE, "{}", "{ *(int *)mm = 0x55; }")),
        "freeing warns": ("conformance/mm_free_id/warnings", word(OFF_FREE, "{}", "{ WARN_ON(mm); }")),
        "prep changes a count": (
            "conformance/prep_compound_head/pins",
            word(PREPARED, "+#endif\n", "+#else\n+	atomic_set(&folio->_pincount, -1);\n+#endif\n")),
        "the free check complains": (
            "conformance/free_tail_page_prepare/return",
            word(CHECKED, "+#endif", '+#else\n+		bad_page(page, "no");\n+		goto out;\n+#endif')),
        "goes on with the third page": (
            "conformance/free_tail_page_prepare/return",
            ((CHECKED + " 		break;\n", CHECKED.replace("+#endif\n", "+		break;\n+#endif\n")),)),
        "the split writes": (
            "conformance/__split_huge_page/elsewhere",
            word(SPLIT_CLEAR, "+#endif\n", "+#else\n+	head->private = 1;\n+#endif\n")),
    },
}  # fmt: skip

# What a maintainer would not call a defect.
HARMLESS: dict[str, tuple[str, Edits]] = {
    "an ID is never 0": (IDS, word(ALLOC_END, "ret < 0", "ret <= 0")),
    "a variable for the ID": (
        IDS,
        ((ALLOC_END, added("	if (ret >= 0)\n		mm->mm_id = ret;\n	return ret < 0 ? ret : 0;")),)),
    "assigned where declared": (
        IDS, (("+	int ret;\n+\n" + ALLOC, ALLOC.replace("ret =", "int ret =") + "+\n"),)),
    "an int is out of an unsigned range": (IDS, word(RANGE, "id < MM_ID_MIN || ", "")),
    "reset behind the dummy": (IDS, ((RESET + DUMMY, DUMMY + RESET),)),
    "reset last": (IDS, ((RESET, ""), (IDA_FREE, IDA_FREE + RESET))),
    "numbers": (
        IDS,
        (*word(ID_MIN, "(MM_ID_DUMMY + 1)", "1"), *word(ID_MAX, "((1U << MM_ID_NR_BITS) - 1)", "0xfffffU"))),
    "given back in both": (
        INIT,
        ((INIT_TAIL, INIT_TAIL.replace(" fail_nocontext:\n", " fail_nocontext:\n+	mm_free_id(mm);\n")),)),
    "the error in a variable": (
        INIT, (("+	if (mm_alloc_id(mm))\n", "+	int noid = mm_alloc_id(mm);\n+\n+	if (noid < 0)\n"),)),
    "given back twice": (
        DROP, word(DROP_ID, "+	mm_free_id(mm);\n", "+	mm_free_id(mm);\n+	mm_free_id(mm);\n")),
    "after the context": (
        DROP, ((DROP_ID, DROP_ID.replace("+	mm_free_id(mm);\n", "") + "+	mm_free_id(mm);\n"),)),
    "before the page tables": (DROP, swap(DROP_ID, "+	mm_free_id(mm);\n", " 	mm_free_pgd(mm);\n")),
    "last": (
        DROP, ((DROP_TAIL, DROP_TAIL.replace("+	mm_free_id(mm);\n", "") + "+	mm_free_id(mm);\n"),)),
    "slot 1 first": (PREP, ((COUNT0 + COUNT1, COUNT1 + COUNT0),)),
    "IDs first": (PREP, ((COUNT0 + COUNT1 + CLEAR, CLEAR + COUNT0 + COUNT1),)),
    "one word": (PREP, ((CLEAR, "+	folio->_mm_ids = 1UL << FOLIO_MM_IDS_EXCLUSIVE_BITNUM;\n"),)),
    "by its setters": (
        PREP,
        word(CLEAR, "= 0;", "= 0;\n+	folio_set_mm0_id(folio, 0);\n+	folio_set_mm1_id(folio, 0);")),
    "not -1": (FREE, word(LEFT0, "folio->_mm0_mapcount + 1", "folio->_mm0_mapcount != -1")),
    "slot 1 before slot 0": (FREE, ((LEFT0 + LEFT1, LEFT1 + LEFT0),)),
    "a variable": (
        FREE,
        word(LEFT1, "if (unlikely(", "int n =\n+			", " + 1)", " + 1;\n+		if (unlikely(n)")),
    "order 0": (SPLIT, word(SPLIT_IF, "!new_order", "new_order == 0")),
    "private by its name": (SPLIT, word(SPLIT_CLEAR, "folio->_mm_ids", "head[1].private")),
    "flag in bit 61": (BITS, word(FLAG_BIT, "62", "61")),
    "flag in bit 56": (BITS, word(FLAG_BIT, "62", "56")),
    "lock and flag change places": (BITS, (*word(FLAG_BIT, "62", "63"), *word(LOCK_BIT, "63", "62"))),
    "ID 0 is what an int holds": (BITS, ((GET0, "+	return folio->_mm_ids;\n"),)),
    "setter in one": (
        BITS, ((SET0, "+	folio->_mm_ids = (folio->_mm_ids & ~FOLIO_MM_IDS_ID0_MASK) | id;\n"),)),
    "ID 1 is a long": (BITS, word(SET1, "(unsigned long)", "1UL * ")),
    "20 bits are enough for ID 1": (BITS, word(MASK1, "00ffffff", "000fffff")),
    "written out": (
        OFF,
        ((OFF_ALLOC, "+#define MM_ID_NONE 0\n" + OFF_ALLOC.replace("return 0;", "return MM_ID_NONE;")),)),
    "unused IDA": (
        OFF,
        swap(IDA, "+#ifdef CONFIG_MM_ID\n", "+static DEFINE_IDA(mm_ida);\n")),
}  # fmt: skip
