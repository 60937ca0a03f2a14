# SPDX-License-Identifier: GPL-2.0-only
"""CONFIG_MM_ID=n: the patch changes nothing, as far as it shows that branch.

No MM has an ID, and what the patch adds inside of other functions is not there. The functions of
include/linux/rmap.h in that branch are cut by the hunk's border: no patch alone can say what they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.contract import SHOWN, Contract, Operation, Wrapper


@dataclass(frozen=True)
class State:
    """The counters beside the owner tracking, and whether the free check complained."""

    entire: int = 1
    pages: int = 0
    pins: int = 0
    bad: bool = False


@dataclass(frozen=True)
class Ghost:
    """Nothing is there that the code does not see."""

    none: bool = False


def same(s: State) -> State:
    return replace(s, bad=False)


def succeeds(s: State) -> int:
    return 0


def prep_model(s: State) -> State:
    """The counters that were there before the patch, and no others."""
    return replace(s, entire=0, pages=0, pins=0, bad=False)


def show(s: State) -> Mapping[str, str]:
    return {"entire, pages, pins": f"{s.entire}, {s.pages}, {s.pins}", "bad page": "yes" if s.bad else "-"}


STANDINS = """
static void bad_page(struct page *page, const char *reason)
{
	(void)page;
	(void)reason;
	w->bad = 1;
}
#define ClearPageHasHWPoisoned(page) ((void)(page))
/* What was there before: the counters that a folio keeps in memory that is its own from then on. */
static void kc_dirty(int pattern)
{
	memset(&w->folio._entire_mapcount, pattern, sizeof(w->folio._entire_mapcount));
	memset(&w->folio._nr_pages_mapped, pattern, sizeof(w->folio._nr_pages_mapped));
	memset(&w->folio._pincount, pattern, sizeof(w->folio._pincount));
}
"""
WRAPPERS = (
    Wrapper(
        "prep_compound_head",
        "static void prep_compound_head(struct page *page, unsigned int order)",
        f"""	struct folio *folio = (struct folio *)page;

	atomic_set(&folio->_entire_mapcount, -1);
	atomic_set(&folio->_nr_pages_mapped, 0);
	atomic_set(&folio->_pincount, 0);
{SHOWN}
""",
    ),
    Wrapper(
        "free_tail_page_prepare",
        "static int free_tail_page_prepare(struct page *head_page, struct page *page)",
        f"""	struct folio *folio = (struct folio *)head_page;
	int ret = 1;

	switch (page - head_page) {{
	case 1:
{SHOWN}
		if (unlikely(!list_empty(&folio->_deferred_list))) {{
			bad_page(page, "on deferred list");
			goto out;
		}}
		break;
	}}
	ret = 0;
out:
	return ret;
""",
    ),
    Wrapper(
        "__split_huge_page",
        "static void __split_huge_page(struct page *page, unsigned int new_order)",
        f"""	struct folio *folio = (struct folio *)page;
	struct page *head = page;

	(void)folio;
	(void)head;
	(void)new_order;
{SHOWN}
""",
    ),
)
PART = "CONFIG_MM_ID=n"
CALLS = (
    Operation("mm_alloc_id", "w->bad = 0, mm_alloc_id(&w->mm)", part=PART, model=same, returns=succeeds),
    Operation("mm_free_id", "w->bad = 0; mm_free_id(&w->mm)", part=PART, model=same),
    Operation(
        "prep_compound_head",
        "w->bad = 0; prep_compound_head(&w->folio.page, order)",
        {"order": (1, 2)},
        part=PART,
        model=prep_model,
    ),
    Operation(
        "free_tail_page_prepare",
        "w->bad = 0, free_tail_page_prepare(&w->folio.page, &w->folio.page + 1)",
        part=PART,
        model=same,
        returns=succeeds,
    ),
    Operation(
        "__split_huge_page",
        "w->bad = 0; __split_huge_page(&w->folio.page, new_order)",
        {"new_order": (0, 1)},
        part=PART,
        model=same,
    ),
)

CONTRACT = Contract(
    name="without-mm-id",
    title=PART,
    requires=(
        "mm_alloc_id",
        "mm_free_id",
        "prep_compound_head",
        "free_tail_page_prepare",
        "__split_huge_page",
    ),
    headers=("linux/mm_types.h", "linux/page-flags.h", "linux/mm.h"),
    config={
        "CONFIG_64BIT": True,
        "CONFIG_DEBUG_VM": True,
        "CONFIG_MM_ID": False,
        "CONFIG_MMU": True,
        "CONFIG_TRANSPARENT_HUGEPAGE": True,
    },
    pinned=("CONFIG_MM_ID",),
    scope="one folio, one MM",
    world="struct folio folio; struct mm_struct mm; int bad;",
    init="""
w->folio.flags = 1UL << PG_head;
w->folio.page.page_type = ~0u;
""",
    standins=STANDINS,
    wrappers=WRAPPERS,
    owns=(
        "folio._entire_mapcount",
        "folio._nr_pages_mapped",
        "folio._pincount",
        "folio._deferred_list",
        "bad",
    ),
    state=State,
    observe={
        "entire": "(kc_i64)atomic_read(&w->folio._entire_mapcount) + 1",
        "pages": "atomic_read(&w->folio._nr_pages_mapped)",
        "pins": "atomic_read(&w->folio._pincount)",
        "bad": "w->bad",
    },
    ghost=Ghost,
    operations=(
        *CALLS,
        Operation(
            "memory",
            "kc_dirty(pattern)",
            {"pattern": (0xFF, 0x55)},
            kind="setup",
            part=PART,
        ),
    ),
    claims=(),
    show=show,
)
