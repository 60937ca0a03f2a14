# SPDX-License-Identifier: GPL-2.0-only
"""Where MM owner tracking keeps its fields, as "[PATCH v1 08/17] mm/rmap: initial MM owner tracking" says.

struct folio, 64 bit     64      72       80                                112        120
second page              flags   head     counts (4 x int)  | added fields  mapcount…  nr_pages
struct folio             ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄ _usable_1[4] ─────────────────── ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
struct page [1]          flags   lru      mapping    index    private (104) mapcount…  memcg_data
"""

from __future__ import annotations

from harness.contract import LayoutClaim, StaticContract
from harness.static.layout import Field, Layouts

FOLIO, PAGE = "struct folio", "struct page"
SQUEEZE = 'As we have to squeeze this information into the "struct folio" of even folios of order-1 (2 pages)'
SIZES = {"_mm0_mapcount": 4, "_mm1_mapcount": 4, "_mm_ids": 8}


def span(field: Field) -> str:
    return f"{field.path} has bytes {field.offset} to {field.end - 1}"


def fits_order_1(layouts: Layouts) -> str:
    """Within the four words of the second page that the base offers."""
    room = layouts.before[FOLIO].field("_usable_1")
    if room is None:
        return "struct folio has no _usable_1 to put them in"
    end = min(room.end, 2 * layouts.before[PAGE].size)
    out = [f for f in layouts.added(FOLIO) if f.offset < room.offset or f.end > end]
    if not out:
        return ""
    return f"{', '.join(span(f) for f in out)}; _usable_1 has bytes {room.offset} to {end - 1}"


def ids_overlay_private(layouts: Layouts) -> str:
    """The split code writes _mm_ids to make the second page's private 0."""
    page = layouts.after[PAGE]
    ids, private = layouts.after[FOLIO].field("_mm_ids"), page.field("private")
    if ids is None or private is None:
        return "struct page has no private"
    at = page.size + private.offset
    if (ids.offset, ids.size) == (at, private.size):
        return ""
    return f"{span(ids)}, page[1].private has bytes {at} to {at + private.size - 1}"


def others_stay(layouts: Layouts) -> str:
    """Fields that were there before keep offset and size."""
    said = []
    for old, new in layouts.changed(FOLIO):
        if new is None:
            said.append(f"{old.path} is gone")
        elif new.bit_offset != old.bit_offset:
            said.append(f"{old.path} moves from byte {old.offset} to {new.offset}")
        else:
            said.append(f"{old.path} has {new.size} bytes, before {old.size}")
    return "; ".join(said)


def sizes_stay(layouts: Layouts) -> str:
    """The memory map has one struct page for each page frame: no byte more."""
    before, after = layouts.before, layouts.after
    return "; ".join(
        f"{name} has {after[name].size} bytes, before {before[name].size}"
        for name in (FOLIO, PAGE)
        if after[name].size != before[name].size
    )


def views_agree(layouts: Layouts) -> str:
    """What FOLIO_MATCH asserts, without which no kernel builds."""
    failed = [a.text for a in layouts.asserts if a not in layouts.broken]
    more = f"; and {len(failed) - 2} more" if len(failed) > 2 else ""
    return ("not so: " + "; ".join(failed[:2]) + more) if failed else ""


CONTRACT = StaticContract(
    name="mm-owner-layout",
    title="where MM owner tracking keeps its fields",
    requires=("struct folio._mm0_mapcount", "struct folio._mm1_mapcount", "struct folio._mm_ids"),
    headers=("linux/mm_types.h",),
    config={"CONFIG_64BIT": True, "CONFIG_MMU": True, "CONFIG_MM_ID": True},
    layout=(
        LayoutClaim(
            "fits-order-1",
            "the added fields of struct folio lie in the room that _usable_1 gives, in the second page",
            SQUEEZE,
            FOLIO,
            fits_order_1,
            sizes=SIZES,
        ),
        LayoutClaim(
            "ids-overlay-private",
            "_mm_ids of a folio is private of its second page, all of it and nothing else",
            "Make sure page->private on the second page is 0.",
            FOLIO,
            ids_overlay_private,
            fields=("_mm_ids",),
            sizes=SIZES,
        ),
        LayoutClaim(
            "others-stay",
            "no other field of struct folio changes its offset or its size",
            '64bit only, because we cannot easily squeeze more stuff into the "struct folio" of order-1 '
            "folios.",
            FOLIO,
            others_stay,
            sizes=SIZES,
        ),
        LayoutClaim(
            "sizes-stay",
            "struct folio and struct page do not grow",
            "we generally want to reduce the required metadata",
            FOLIO,
            sizes_stay,
            sizes=SIZES,
        ),
        LayoutClaim(
            "views-agree",
            "struct folio and struct page agree where they overlay (FOLIO_MATCH)",
            SQUEEZE,
            FOLIO,
            views_agree,
            sizes=SIZES,
        ),
    ),
)
