# SPDX-License-Identifier: GPL-2.0-only
"""The life of a large folio's owner tracking: prepared, mapped, unmapped, split or freed, prepared again.

    memory ──prep_compound_head──▶ folio ⇄ mapped
       ▲                             │
       └──free_tail_page_prepare─────┤   the counters of the second page, its _mm_ids, which lie over
       └──__split_huge_page──────────┘   page[1].private, are whatever the life before left there

The patch shows each of the three functions in part. What the contract adds to make them whole is what
the kernel has there (Linux 6.11: mm/internal.h, mm/page_alloc.c, mm/huge_memory.c), cut to this folio.
Counts are numbers of mappings (the kernel's raw values start at -1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.contract import SHOWN, Claim, Contract, Feature, Operation, Wrapper, put

MMS = 3
PAGES = 2  # mappings of one MM
MANY = 2**20  # what memory held before is beyond that
IDS = (1, 2**20 - 1, 0x55555)
PREP = "mm/internal.h, prep_compound_head"
FREE = "mm/page_alloc.c, free_tail_page_prepare"
SPLIT = "mm/huge_memory.c, __split_huge_page"


@dataclass(frozen=True)
class State:
    """What the second page of the folio holds, and what the free check said."""

    mapcount: int = 1
    entire: int = 1
    pages: int = 0
    pins: int = 0
    exclusive: bool = False
    id0: int = 0
    count0: int = 1
    id1: int = 0
    count1: int = 1
    locked: bool = False
    private: bool = False  # page[1].private is not 0
    bad: int = 0  # bad_page() was called; for _mm0_mapcount, for _mm1_mapcount, for something else


@dataclass(frozen=True)
class Ghost:
    """Whether it is a folio, of which order, and who maps it."""

    order: int = 0  # 0: memory that is no large folio
    maps: tuple[int, ...] = (0,) * MMS


def unmapped(g: Ghost) -> bool:
    return sum(g.maps) == 0


def is_memory(g: Ghost) -> bool:
    return g.order == 0


def is_idle(g: Ghost) -> bool:
    return g.order > 0 and unmapped(g)


def prep_model(s: State) -> State:
    """Whatever the memory held before: unmapped, both slots free, the IDs clear, mapped exclusively."""
    clean = replace(s, mapcount=0, entire=0, pages=0, pins=0, exclusive=True, locked=False, bad=0)
    return replace(clean, id0=0, count0=0, id1=0, count1=0, private=True)


def prep_ghost(g: Ghost, order: int) -> Ghost:
    return replace(g, order=order)


# Nobody waits for a lock that is left held: that is found where it is left.


def map_when(g: Ghost, s: State, mm: int) -> bool:
    return g.order > 0 and g.maps[mm] < PAGES and not s.locked


def map_ghost(g: Ghost, mm: int) -> Ghost:
    return replace(g, maps=put(g.maps, mm, g.maps[mm] + 1))


def unmap_when(g: Ghost, s: State, mm: int) -> bool:
    return g.maps[mm] > 0 and not s.locked


def unmap_ghost(g: Ghost, mm: int) -> Ghost:
    return replace(g, maps=put(g.maps, mm, g.maps[mm] - 1))


def free_model(s: State) -> State:
    """A folio whose mappings are all gone passes, and nothing of it is changed."""
    return replace(s, bad=0)


def free_returns(s: State) -> int:
    return 0


def gone(g: Ghost) -> Ghost:
    return replace(g, order=0)


def left_model(s: State, slot: int, n: int) -> State:
    """Each counter that is left is reported with its own message."""
    if slot == 0:
        return replace(s, count0=n, count1=0, bad=1)
    return replace(s, count0=0, count1=n, bad=2)


def reported(s: State) -> int:
    return 1


def split_when(g: Ghost, new_order: int) -> bool:
    return is_idle(g) and new_order < g.order


def split_model(s: State, new_order: int) -> State:
    """Only a split to order 0 clears what lies over the second page's private."""
    if new_order > 0:
        return replace(s, bad=0)
    return replace(s, exclusive=False, id0=0, id1=0, locked=False, private=False, bad=0)


def split_ghost(g: Ghost, new_order: int) -> Ghost:
    return replace(g, order=new_order)


def few(n: int) -> bool:
    """A count of so few mappings, or one that memory held before."""
    return -1 <= n <= MMS * PAGES or n > MANY or n < -MANY


def within(s: State) -> bool:
    """Where counts run away there is nothing more to learn."""
    return few(s.mapcount) and few(s.count0) and few(s.count1)


def passes_the_check(t: State) -> bool:
    return t.bad == 0


def private_is_zero(g: Ghost, t: State) -> bool:
    return g.order > 0 or not t.private


def starts_free(g: Ghost, t: State) -> bool:
    """Nobody maps it: exclusive, no slot counts anything or has an ID, and the lock is free."""
    free = t.count0 == 0 and t.count1 == 0 and t.id0 == 0 and t.id1 == 0
    return t.mapcount == 0 and t.exclusive and free and not t.locked


def mapped_before(s: State) -> bool:
    return s.id0 > 0


def was_shared(s: State) -> bool:
    return not s.exclusive


def memory_was_clean(s: State) -> bool:
    return s.count0 == 0 and s.count1 == 0


def slot(id: int, count: int) -> str:
    if id == 0 and count == 0:
        return "-"
    owner = f"mm{IDS.index(id)}" if id in IDS else f"ID {id:#x}" if id else "no MM"
    return f"{owner} x{count}"


# "others" are the counts of entire mappings, of mapped pages, and of pins.
BAD_WORDS = {0: "-", 1: "_mm0_mapcount", 2: "_mm1_mapcount", 3: "another"}


def show(s: State) -> Mapping[str, str]:
    others = (s.entire, s.pages, s.pins)
    return {
        "mapcount": str(s.mapcount),
        "others": ", ".join(map(str, others)) if any(others) else "0",
        "flag": "exclusive" if s.exclusive else "shared",
        "slot 0": slot(s.id0, s.count0),
        "slot 1": slot(s.id1, s.count1),
        "lock": "held" if s.locked else "-",
        "private": "not 0" if s.private else "0",
        "bad page": BAD_WORDS.get(s.bad, "?"),
    }


STANDINS = """
/* mm/page_alloc.c: reports a page that must not be freed; here it is noted of which counter. */
static int kc_names(const char *reason, const char *name)
{
	for (; *reason; reason++) {
		int n = 0;

		while (name[n] && reason[n] == name[n])
			n++;
		if (!name[n])
			return 1;
	}
	return 0;
}
static void bad_page(struct page *page, const char *reason)
{
	(void)page;
	w->bad = kc_names(reason, "_mm0_mapcount") ? 1 : kc_names(reason, "_mm1_mapcount") ? 2 : 3;
}
/* include/linux/page-flags.h: a flag of the second page that is another word. */
#define ClearPageHasHWPoisoned(page) ((void)(page))
/* What was there before: all that the second and third page hold beside their flags and heads. */
static void kc_dirty(int pattern)
{
	memset(&w->folio._usable_1, pattern, sizeof(w->folio._usable_1));
	memset(&w->folio._deferred_list, pattern, sizeof(w->folio._deferred_list));
}
"""
WRAPPERS = (
    Wrapper(
        "prep_compound_head",
        "static void prep_compound_head(struct page *page, unsigned int order)",
        f"""	struct folio *folio = (struct folio *)page;

	folio->_flags_1 = (folio->_flags_1 & ~0xffUL) | order;
	folio->_nr_pages = 1U << order;
	atomic_set(&folio->_large_mapcount, -1);
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

	(void)head;
{SHOWN}
""",
    ),
)
EACH_MM = {"mm": tuple(range(MMS))}
CHECK = "free_tail_page_prepare(&w->folio.page, &w->folio.page + 1)"
LEFT = "w->folio._mm0_mapcount = slot ? -1 : n - 1, w->folio._mm1_mapcount = slot ? n - 1 : -1"
BOTH_LEFT = "w->folio._mm0_mapcount = n0 - 1, w->folio._mm1_mapcount = n1 - 1"
COUNTS = (1, 2, 512, -1, -(2**31) + 1)

CONTRACT = Contract(
    name="large-folio-life",
    title="life of a large folio",
    requires=(
        "folio_add_large_mapcount",
        "folio_sub_large_mapcount",
        "folio_mm0_id",
        "folio_mm1_id",
        "folio_test_large_mapped_exclusively",
    ),
    headers=("linux/mm_types.h", "linux/page-flags.h", "linux/rmap.h", "linux/mm.h"),
    config=dict.fromkeys(
        ("CONFIG_64BIT", "CONFIG_DEBUG_VM", "CONFIG_MM_ID", "CONFIG_MMU", "CONFIG_TRANSPARENT_HUGEPAGE"),
        True,
    ),
    pinned=("CONFIG_MM_ID",),
    scope=f"{MMS} MMs, {PAGES} mappings each, life after life",
    world=f"""
struct folio folio;
struct mm_struct mm[{MMS}];
struct vm_area_struct vma[{MMS}];
int bad;
""",
    # Memory that is no large folio yet, but for the head's flag, without which nothing can be read.
    init=f"""
static const unsigned int ids[] = {{ {", ".join(f"{i}u" for i in IDS)} }};
for (unsigned int i = 0; i < {MMS}; i++) {{
	w->mm[i].mm_id = ids[i];
	w->vma[i].vm_mm = &w->mm[i];
}}
w->folio.flags = 1UL << PG_head;
w->folio.page.page_type = ~0u;
""",
    standins=STANDINS,
    wrappers=WRAPPERS,
    owns=("folio._usable_1", "folio._deferred_list", "folio._flags_1", "folio._nr_pages", "bad"),
    state=State,
    observe={
        "mapcount": "(kc_i64)atomic_read(&w->folio._large_mapcount) + 1",
        "entire": "(kc_i64)atomic_read(&w->folio._entire_mapcount) + 1",
        "pages": "atomic_read(&w->folio._nr_pages_mapped)",
        "pins": "atomic_read(&w->folio._pincount)",
        "exclusive": "folio_test_large_mapped_exclusively(&w->folio)",
        "id0": "folio_mm0_id(&w->folio)",
        "count0": "(kc_i64)w->folio._mm0_mapcount + 1",
        "id1": "folio_mm1_id(&w->folio)",
        "count1": "(kc_i64)w->folio._mm1_mapcount + 1",
        "locked": "(w->folio._mm_ids >> FOLIO_MM_IDS_LOCK_BITNUM) & 1",
        "private": "(&w->folio.page)[1].private != 0",
        "bad": "w->bad",
    },
    ghost=Ghost,
    operations=(
        Operation(
            "memory",
            "kc_dirty(pattern)",
            {"pattern": (0xFF, 0x55, 0xAA, 0x80, 0x01)},
            kind="setup",
            when=is_memory,
            part=PREP,
        ),
        Operation(
            "prep_compound_head",
            "w->bad = 0; prep_compound_head(&w->folio.page, order)",
            {"order": (1, 2)},
            part=PREP,
            when=is_memory,
            model=prep_model,
            ghost=prep_ghost,
        ),
        Operation(
            "map",
            "folio_add_large_mapcount(&w->folio, 1, &w->vma[mm])",
            EACH_MM,
            kind="setup",
            when=map_when,
            ghost=map_ghost,
        ),
        Operation(
            "unmap",
            "folio_sub_large_mapcount(&w->folio, 1, &w->vma[mm])",
            EACH_MM,
            kind="setup",
            when=unmap_when,
            ghost=unmap_ghost,
        ),
        Operation(
            "free_tail_page_prepare",
            f"w->bad = 0, {CHECK}",
            part=FREE,
            when=is_idle,
            model=free_model,
            returns=free_returns,
            ghost=gone,
        ),
        Operation(
            "free_tail_page_prepare/left",
            f"w->bad = 0, {LEFT}, {CHECK}",
            {"slot": (0, 1), "n": COUNTS},
            kind="probe",
            part=FREE,
            when=is_idle,
            model=left_model,
            returns=reported,
        ),
        Operation(
            "free_tail_page_prepare/both-left",
            f"w->bad = 0, {BOTH_LEFT}, {CHECK} && w->bad",  # whichever comes first
            {"n0": COUNTS, "n1": COUNTS},
            kind="probe",
            title="free_tail_page_prepare keeps and reports a folio with counts in both slots",
            part=FREE,
            when=is_idle,
            returns=reported,
        ),
        Operation(
            "__split_huge_page",
            "w->bad = 0; __split_huge_page(&w->folio.page, new_order)",
            {"new_order": (0, 1)},
            part=SPLIT,
            when=split_when,
            model=split_model,
            ghost=split_ghost,
        ),
    ),
    claims=(
        Claim(
            "prepared-folio-starts-clean",
            "always",
            "prep_compound_head leaves an unmapped folio: both slots free, no IDs, mapped exclusively, "
            "unlocked, also in memory of a folio that was mapped before",
            'We expect that unmapped folios always have the "mapped exclusively" flag set for simplicity.',
            starts_free,
            on=("prep_compound_head",),
            part=PREP,
        ),
        Claim(
            "unmapped-passes-the-free-check",
            "always",
            "free_tail_page_prepare: every folio whose mappings are all gone passes",
            'bad_page(page, "nonzero _mm0_mapcount");',
            passes_the_check,
            on=("free_tail_page_prepare",),
            part=FREE,
        ),
        Claim(
            "private-is-zero-after-a-split",
            "always",
            "__split_huge_page to order 0 leaves 0 in the second page's private",
            "Make sure page->private on the second page is 0.",
            private_is_zero,
            on=("__split_huge_page",),
            part=SPLIT,
        ),
    ),
    features=(
        Feature("an MM has been in slot 0", mapped_before),
        Feature("the flag says shared", was_shared),
        Feature("both counts are 0", memory_was_clean),
    ),
    within=within,
    together=(("exclusive", "id0", "id1", "locked", "private"), ("count0", "count1")),
    show=show,
    words={
        "exclusive": {0: "shared", 1: "exclusive"},
        "locked": {0: "free", 1: "held"},
        "private": {0: "0", 1: "not 0"},
        "bad": BAD_WORDS,
        "pattern": {n: f"{n:#x}" for n in (0xFF, 0x55, 0xAA, 0x80, 0x01)},
    },
    not_checked=(
        "what these functions do beside the patch's lines: the contract completes them only so far",
    ),
)
