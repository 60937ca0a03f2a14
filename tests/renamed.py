# SPDX-License-Identifier: GPL-2.0-only
"""A contract of one's own for the bundled patch under other names: the one that ships, with a binding."""

from __future__ import annotations

from dataclasses import replace

from harness.contract import Binding
from harness.contracts.mm_owner_tracking import CONTRACT as SHIPPED

NAMES = {
    "folio_lock_large_mapcount_data": "folio_owners_lock",
    "folio_unlock_large_mapcount_data": "folio_owners_unlock",
    "folio_set_large_mapped_exclusively": "folio_owners_mark_single",
    "folio_clear_large_mapped_exclusively": "folio_owners_mark_many",
    "folio_test_large_mapped_exclusively": "folio_owners_single",
    "folio_mm0_id": "folio_first_owner",
    "folio_set_mm0_id": "folio_set_first_owner",
    "folio_mm1_id": "folio_second_owner",
    "folio_set_mm1_id": "folio_set_second_owner",
    "folio_set_large_mapcount": "folio_rmap_init",
    "folio_add_large_mapcount": "folio_rmap_more",
    "folio_sub_large_mapcount": "folio_rmap_less",
    "folio_inc_large_mapcount": "folio_rmap_one_more",
    "folio_dec_large_mapcount": "folio_rmap_one_less",
    "mm_alloc_id": "mm_take_number",
    "mm_free_id": "mm_drop_number",
    "mm_ida": "mm_numbers",
    "mm_id": "number",
    "_mm0_mapcount": "_first_maps",
    "_mm1_mapcount": "_second_maps",
    "_mm_ids": "_owners",
    "FOLIO_MM_IDS_EXCLUSIVE_BITNUM": "FOLIO_OWNERS_SINGLE_BIT",
    "FOLIO_MM_IDS_LOCK_BITNUM": "FOLIO_OWNERS_LOCK_BIT",
    "FOLIO_MM_IDS_ID0_MASK": "FOLIO_OWNERS_FIRST_MASK",
    "FOLIO_MM_IDS_ID1_MASK": "FOLIO_OWNERS_SECOND_MASK",
    "FOLIO_MM_IDS_ID1_SHIFT": "FOLIO_OWNERS_SECOND_SHIFT",
    "MM_ID_DUMMY": "MM_NUMBER_NONE",
    "MM_ID_NR_BITS": "MM_NUMBER_WIDTH",
    "MM_ID_MIN": "MM_NUMBER_FIRST",
    "MM_ID_MAX": "MM_NUMBER_LAST",
    "CONFIG_MM_ID": "CONFIG_MM_NUMBER",
    "MM_ID": "MM_NUMBER",
}
CONTRACT = replace(SHIPPED, bindings=(Binding("under other names", NAMES),))
