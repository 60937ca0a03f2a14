# SPDX-License-Identifier: GPL-2.0-only
"""MM owner tracking of large folios, as "[PATCH v1 08/17] mm/rmap: initial MM owner tracking" says.

                       mapcount: all mappings, of all MMs
    large folio ───┬── slot 0:   ID of an MM, and how often that MM maps the folio
                   ├── slot 1:   the same
                   └── flag:     "mapped exclusively"; lock bit beside it

Counts are numbers of mappings (the kernel's raw values start at -1). The model is written from the
words of the mail and of the patch's comments, quoted where they are used. The ghost knows who really
maps the folio, which the code does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.contract import Claim, Contract, Feature, Operation, Symmetry, Threads, bound, put, setting

MMS = bound("mms", 3, least=1, most=12)
PAGES = bound("pages", 4, least=1, most=2**30)  # mappings of one MM
MOST = 2**31 - 1  # mappings of a folio: the mapcount is an int that starts at -1

# "We'll limit the IDs to 20bit / 1M for now"; 0 is the dummy of "init_mm and friends".
ID_BITS = setting("id_bits", 20)
ID_MAX = (1 << ID_BITS) - 1
EVEN = sum(1 << bit for bit in range(0, ID_BITS, 2))
MIDDLE = 1 << min(16, ID_BITS - 2)
# Both ends of the range, then patterns whose bits differ in every position.
IDS = (1, ID_MAX, EVEN, ID_MAX ^ EVEN, 2, ID_MAX - 1, MIDDLE, MIDDLE - 1, MIDDLE + 1, 1 << (ID_BITS - 1), 3,
       2**8)[:MMS]  # fmt: skip
BAD_IDS = (0, ID_MAX + 1, (1 << setting("id_type_bits", 32)) - 1)  # worn by three further MMs
# Mappings that a slot can count, whose type starts at -1.
COUNT_MOST = 1 << setting("count_bits", 31)


@dataclass(frozen=True)
class State:
    """What the mail says is remembered for each large folio."""

    mapcount: int = 0
    exclusive: bool = True
    id0: int = 0
    count0: int = 0
    id1: int = 0
    count1: int = 0
    locked: bool = False


@dataclass(frozen=True)
class Ghost:
    """Who really maps the folio."""

    maps: tuple[int, ...] = (0,) * MMS
    crowded: bool = False  # more than two MMs mapped it at one time since it was last unmapped
    fresh: bool = True  # never mapped since it was initialised


def mappers(g: Ghost) -> int:
    return sum(1 for n in g.maps if n > 0)


# Operations. Adding mappings never makes a folio exclusive, removing some never makes it shared.


def is_fresh(g: Ghost) -> bool:
    return g.fresh


def set_when(g: Ghost, n: int) -> bool:
    return g.fresh and n <= PAGES


def set_model(s: State, mm: int, n: int) -> State:
    """A fresh folio's mappings all belong to this MM, in the first slot."""
    return replace(s, mapcount=n, id0=IDS[mm], count0=n)


def add_when(g: Ghost, s: State, mm: int, diff: int) -> bool:
    """Within the bounds, and within an int, also where the code's own count has gone wrong."""
    most = s.mapcount + diff <= MOST and sum(g.maps) + diff <= MOST
    return g.maps[mm] + diff <= PAGES and most


def add_model(s: State, mm: int, diff: int) -> State:
    """Counted in this MM's slot, or in one that it may take; exclusive while that slot has all.

    "We only allow taking over a tracking slot if the folio is exclusive"; "As long as a folio is
    unmapped or exclusively mapped, another MM can take a free spot."
    """
    mapcount = s.mapcount + diff
    if s.id0 == IDS[mm]:
        count = s.count0 + diff
        alone = s.exclusive and count == mapcount
        return replace(s, mapcount=mapcount, count0=count, exclusive=alone)
    if s.id1 == IDS[mm]:
        count = s.count1 + diff
        alone = s.exclusive and count == mapcount
        return replace(s, mapcount=mapcount, count1=count, exclusive=alone)
    if not s.exclusive:
        return replace(s, mapcount=mapcount)
    alone = diff == mapcount
    if s.count0 == 0:
        return replace(s, mapcount=mapcount, id0=IDS[mm], count0=diff, exclusive=alone)
    return replace(s, mapcount=mapcount, id1=IDS[mm], count1=diff, exclusive=alone)


def add_warns(s: State, mm: int) -> bool:
    """Where the code itself expects what a correct history never brings about.

    "We expect that unmapped folios always have the "mapped exclusively" flag set"; and an exclusive
    folio has "any mappings belong to exactly one tracked MM", so never both slots in use.
    """
    if s.mapcount == 0 and not s.exclusive:
        return True
    mine = s.id0 == IDS[mm] or s.id1 == IDS[mm]
    return not mine and s.exclusive and s.count0 > 0 and s.count1 > 0


def sub_when(g: Ghost, mm: int, diff: int) -> bool:
    return g.maps[mm] >= diff


def sub_model(s: State, mm: int, diff: int) -> State:
    """ "We only consider folios exclusive if there are no mappings or if one tracked MM owns all"."""
    mapcount = s.mapcount - diff
    count0 = s.count0
    count1 = s.count1
    if s.id0 == IDS[mm]:
        count0 = s.count0 - diff
    elif s.id1 == IDS[mm]:
        count1 = s.count1 - diff
    owned = mapcount == 0 or count0 == mapcount or count1 == mapcount
    return replace(s, mapcount=mapcount, count0=count0, count1=count1, exclusive=s.exclusive or owned)


def inc_when(g: Ghost, s: State, mm: int) -> bool:
    return add_when(g, s, mm, 1)


def inc_model(s: State, mm: int) -> State:
    return add_model(s, mm, 1)


def dec_when(g: Ghost, mm: int) -> bool:
    return sub_when(g, mm, 1)


def dec_model(s: State, mm: int) -> State:
    return sub_model(s, mm, 1)


def maps_more(g: Ghost, mm: int, diff: int) -> Ghost:
    more = replace(g, maps=put(g.maps, mm, g.maps[mm] + diff), fresh=False)
    return replace(more, crowded=more.crowded or mappers(more) > 2)


def maps_less(g: Ghost, mm: int, diff: int) -> Ghost:
    less = replace(g, maps=put(g.maps, mm, g.maps[mm] - diff))
    return replace(less, crowded=less.crowded and mappers(less) > 0)


def set_ghost(g: Ghost, mm: int, n: int) -> Ghost:
    return maps_more(g, mm, n)


def inc_ghost(g: Ghost, mm: int) -> Ghost:
    return maps_more(g, mm, 1)


def dec_ghost(g: Ghost, mm: int) -> Ghost:
    return maps_less(g, mm, 1)


# Accessors, called in every reachable state.


def unlocked(s: State) -> bool:
    return not s.locked


def same(s: State) -> State:
    return s


def lock_model(s: State) -> State:
    return replace(s, locked=True)


def set_flag_model(s: State) -> State:
    return replace(s, exclusive=True)


def clear_flag_model(s: State) -> State:
    return replace(s, exclusive=False)


def flag(s: State) -> int:
    return s.exclusive


def first_id(s: State) -> int:
    return s.id0


def second_id(s: State) -> int:
    return s.id1


def set_first_id_model(s: State, id: int) -> State:
    return replace(s, id0=id)


def set_second_id_model(s: State, id: int) -> State:
    return replace(s, id1=id)


# Misuse: what the code promises to warn about.


def always(s: State) -> bool:
    return True


def set_not_fresh(g: Ghost) -> bool:
    return not g.fresh


def set_warns(s: State) -> bool:
    """The exclusive flag and a free second slot are what `set` expects of a new folio."""
    return not s.exclusive or s.count1 > 0


def add_unflagged_warns(s: State, mm: int) -> bool:
    return add_warns(replace(s, exclusive=False), mm)


def add_forged_warns(s: State, mm: int) -> bool:
    return add_warns(replace(s, exclusive=True), mm)


# Claims.


def mapcount_is_sum(g: Ghost, t: State) -> bool:
    return t.mapcount == sum(g.maps)


def exclusive_is_certain(g: Ghost, t: State) -> bool:
    return not t.exclusive or mappers(g) <= 1


def no_false_shared(g: Ghost, t: State) -> bool:
    return g.crowded or mappers(g) != 1 or t.exclusive


def one_slot_owns_all(t: State) -> bool:
    return not t.exclusive or t.mapcount == 0 or t.count0 == t.mapcount or t.count1 == t.mapcount


def unmapped_is_exclusive(g: Ghost, t: State) -> bool:
    return mappers(g) > 0 or t.exclusive


def owners_stay(s: State, t: State) -> bool:
    return s.mapcount == 0 or s.exclusive or (s.id0 == t.id0 and s.id1 == t.id1)


def only_app3(g: Ghost, t: State) -> bool:
    """Three at one time, two of them gone, the last in no slot, and still shared."""
    last_tracked = any(g.maps[i] > 0 and (t.id0 == IDS[i] or t.id1 == IDS[i]) for i in range(MMS))
    return g.crowded and mappers(g) == 1 and not t.exclusive and not last_tracked


def parent_untracked(g: Ghost, t: State) -> bool:
    """Both slots in use by MMs that map the folio, and a third MM maps it as well."""
    first = any(g.maps[i] > 0 and t.id0 == IDS[i] and t.count0 > 0 for i in range(MMS))
    second = any(g.maps[i] > 0 and t.id1 == IDS[i] and t.count1 > 0 for i in range(MMS))
    third = any(g.maps[i] > 0 and t.id0 != IDS[i] and t.id1 != IDS[i] for i in range(MMS))
    return first and second and third


def at_most_one_rmw(rmw: int) -> bool:
    return rmw <= 1


# What states of one divergence may have in common. Misuse has MMs beyond MMS, which nothing tracks.


def is_unmapped(s: State) -> bool:
    return s.mapcount == 0


def is_mapped(s: State) -> bool:
    return s.mapcount > 0


def flag_set(s: State) -> bool:
    return s.exclusive


def flag_clear(s: State) -> bool:
    return not s.exclusive


def in_slot0(s: State, mm: int) -> bool:
    return mm < MMS and s.id0 == IDS[mm]


def in_slot1(s: State, mm: int) -> bool:
    return mm < MMS and s.id1 == IDS[mm]


def untracked(s: State, mm: int) -> bool:
    return not in_slot0(s, mm) and not in_slot1(s, mm)


def mm_maps(g: Ghost, mm: int) -> bool:
    return mm < MMS and g.maps[mm] > 0


def mm_maps_not(g: Ghost, mm: int) -> bool:
    return not mm_maps(g, mm)


def others_map(g: Ghost, mm: int) -> bool:
    return mappers(g) > 1 or (mappers(g) == 1 and not mm_maps(g, mm))


# Where counters run away there is nothing more to learn.


def within(s: State) -> bool:
    most = min(MMS * PAGES, MOST)
    return 0 <= s.mapcount <= most and 0 <= s.count0 <= most and 0 <= s.count1 <= most


# Reading a trace.


def slot(id: int, count: int) -> str:
    if id == 0 and count == 0:
        return "-"
    owner = f"mm{IDS.index(id)}" if id in IDS else f"ID {id}"
    return f"{owner} x{count}"


def show(s: State) -> Mapping[str, str]:
    return {
        "mapcount": str(s.mapcount),
        "flag": "exclusive" if s.exclusive else "shared",
        "slot 0": slot(s.id0, s.count0),
        "slot 1": slot(s.id1, s.count1),
        "lock": "held" if s.locked else "-",
    }


EACH_MM = tuple(range(MMS))
COUNTS = tuple(range(1, min(PAGES, 512) + 1))
# Single pages, whole folios of every order, the neighbours of powers of two, and near the limits.
FAR_COUNTS = (1, 2, 3, *(2**k for k in range(2, 12)), *(2**k - 1 for k in range(3, 12)), 513,
              2**15, 2**16 - 1, 2**16, 2**20, 2**24, 2**28, 2**29, 2**30 - 1, 2**30)  # fmt: skip
MM_AND_COUNT = {"mm": EACH_MM, "diff": COUNTS}
SOME_IDS = (*IDS, 0)
SMALL = "w->folio.flags &= ~(1UL << PG_head); "
HUGETLB = "w->folio.page.page_type = (unsigned int)PGTY_hugetlb << 24; "
SET = "folio_set_large_mapcount(&w->folio, n, &w->vma[mm])"
ADD = "folio_add_large_mapcount(&w->folio, diff, &w->vma[mm])"
SUB = "folio_sub_large_mapcount(&w->folio, diff, &w->vma[mm])"
INC = "folio_inc_large_mapcount(&w->folio, &w->vma[mm])"
DEC = "folio_dec_large_mapcount(&w->folio, &w->vma[mm])"
LOCK = "folio_lock_large_mapcount_data(&w->folio)"
UNLOCK = "folio_unlock_large_mapcount_data(&w->folio)"
SET_FLAG = "folio_set_large_mapped_exclusively(&w->folio)"
CLEAR_FLAG = "folio_clear_large_mapped_exclusively(&w->folio)"
TEST_FLAG = "folio_test_large_mapped_exclusively(&w->folio)"

# The MMs with their VMAs, and what is the same of every large folio that is not mapped.
MEMBERS = f"""
static const unsigned int ids[] = {{ {", ".join(f"{i}u" for i in (*IDS, *BAD_IDS))} }};
for (unsigned int i = 0; i < {MMS + len(BAD_IDS)}; i++) {{
	w->mm[i].mm_id = ids[i];
	w->vma[i].vm_mm = &w->mm[i];
}}
w->folio.flags = 1UL << PG_head;
w->folio.page.page_type = ~0u;
atomic_set(&w->folio._large_mapcount, -1);
atomic_set(&w->folio._entire_mapcount, -1);
"""

# What every function that checks for it promises: large folios only, and not hugetlb's.
CHECKED = {
    "set": (SET, {"mm": EACH_MM, "n": (1,)}),
    "add": (ADD, {"mm": EACH_MM, "diff": (1,)}),
    "sub": (SUB, {"mm": EACH_MM, "diff": (1,)}),
    "lock": (LOCK, {}),
    "unlock": (f"w->folio._mm_ids |= 1UL << FOLIO_MM_IDS_LOCK_BITNUM; {UNLOCK}", {}),
    "set_flag": (SET_FLAG, {}),
    "clear_flag": (CLEAR_FLAG, {}),
    "test_flag": (TEST_FLAG, {}),
}
OF_WRONG_FOLIO = tuple(
    Operation(
        f"{name}/{kind}-folio",
        change + call,
        args,
        kind="misuse",
        title=f"{name} on a {kind} folio",
        when=unlocked,
        warns=always,
        by=re.findall(r"folio_\w+(?=\()", call)[-1],
    )
    for name, (call, args) in CHECKED.items()
    for kind, change in (("small", SMALL), ("hugetlb", HUGETLB))
)
WRONG_COUNTS = (0, -1, -PAGES, -(2**31))
BAD_MM = tuple(range(MMS, MMS + len(BAD_IDS)))
OF_WRONG_ARGUMENTS = tuple(
    Operation(f"{name}/{what}", call, args, kind="misuse", title=title, when=unlocked, warns=always)
    for name, call in (("add", ADD), ("sub", SUB))
    for what, args, title in (
        ("count", {"mm": EACH_MM, "diff": WRONG_COUNTS}, f"{name} of a count of zero or less"),
        ("id", {"mm": BAD_MM, "diff": (1,)}, f"{name} for an MM whose ID is out of range"),
    )
)

CONFIG = dict.fromkeys(
    ("CONFIG_64BIT", "CONFIG_DEBUG_VM", "CONFIG_MM_ID", "CONFIG_MMU", "CONFIG_TRANSPARENT_HUGEPAGE"), True
)
BESIDE_THE_POINT = ("values that misuse leaves behind (only whether it warns is judged)",)

CONTRACT = Contract(
    name="mm-owner-tracking",
    title="MM owner tracking of large folios",
    requires=(
        "folio_set_large_mapcount",
        "folio_add_large_mapcount",
        "folio_sub_large_mapcount",
        "folio_mm0_id",
        "folio_mm1_id",
        "folio_test_large_mapped_exclusively",
    ),
    headers=("linux/mm_types.h", "linux/page-flags.h", "linux/rmap.h"),
    config=CONFIG,
    world=f"""
struct folio folio;
struct mm_struct mm[{MMS + len(BAD_IDS)}];
struct vm_area_struct vma[{MMS + len(BAD_IDS)}];
""",
    revisions=("mm_owner_tracking_v2",),
    # As the patch's prep_compound_head() leaves a large folio.
    init=f"""
{MEMBERS}
w->folio._mm0_mapcount = -1;
w->folio._mm1_mapcount = -1;
w->folio._mm_ids = 1UL << FOLIO_MM_IDS_EXCLUSIVE_BITNUM;
""",
    owns=("folio._large_mapcount", "folio._mm0_mapcount", "folio._mm1_mapcount", "folio._mm_ids"),
    threads=Threads(
        {"add": {}, "sub": {}},  # `set` is of a folio that nobody else knows yet
        by=("mm",),
        lock_free=("mapcount", "exclusive"),
        sentence="use a bit spinlock to sync on updates",
    ),
    symmetry=Symmetry(IDS, ids=("id0", "id1"), tuples=("maps",), arguments=("mm",), member="MM"),
    walk={"mms": 12, "pages": 2**30},
    state=State,
    observe={
        "mapcount": "atomic_read(&w->folio._large_mapcount) + 1",
        "exclusive": "folio_test_large_mapped_exclusively(&w->folio)",
        "id0": "folio_mm0_id(&w->folio)",
        "count0": "w->folio._mm0_mapcount + 1",
        "id1": "folio_mm1_id(&w->folio)",
        "count1": "w->folio._mm1_mapcount + 1",
        "locked": "(w->folio._mm_ids >> FOLIO_MM_IDS_LOCK_BITNUM) & 1",
    },
    ghost=Ghost,
    operations=(
        Operation(
            "order",
            "w->folio._flags_1 = (w->folio._flags_1 & ~0xfful) | order; w->folio._nr_pages = 1u << order",
            {"order": ()},
            {"order": (9, *range(1, 9), 10, 11)},
            kind="setup",
            when=is_fresh,
        ),
        Operation(
            "set",
            SET,
            {"mm": EACH_MM, "n": COUNTS},
            {"n": FAR_COUNTS},
            when=set_when,
            model=set_model,
            ghost=set_ghost,
        ),
        Operation(
            "add",
            ADD,
            MM_AND_COUNT,
            {"diff": FAR_COUNTS},
            when=add_when,
            model=add_model,
            warns=add_warns,
            ghost=maps_more,
        ),
        Operation(
            "sub",
            SUB,
            MM_AND_COUNT,
            {"diff": FAR_COUNTS},
            when=sub_when,
            model=sub_model,
            ghost=maps_less,
        ),
        Operation(
            "inc",
            INC,
            {"mm": EACH_MM},
            through="add",
            when=inc_when,
            model=inc_model,
            warns=add_warns,
            ghost=inc_ghost,
        ),
        Operation(
            "dec",
            DEC,
            {"mm": EACH_MM},
            through="sub",
            when=dec_when,
            model=dec_model,
            ghost=dec_ghost,
        ),
        Operation("lock", LOCK, kind="probe", when=unlocked, model=lock_model),
        Operation("unlock", f"{LOCK}; {UNLOCK}", kind="probe", when=unlocked, model=same),
        Operation("set_flag", SET_FLAG, kind="probe", model=set_flag_model),
        Operation("clear_flag", CLEAR_FLAG, kind="probe", model=clear_flag_model),
        Operation("test_flag", TEST_FLAG, kind="probe", model=same, returns=flag),
        Operation("mm0_id", "folio_mm0_id(&w->folio)", kind="probe", model=same, returns=first_id),
        Operation("mm1_id", "folio_mm1_id(&w->folio)", kind="probe", model=same, returns=second_id),
        Operation(
            "set_mm0_id",
            "folio_set_mm0_id(&w->folio, id)",
            {"id": SOME_IDS},
            kind="probe",
            model=set_first_id_model,
        ),
        Operation(
            "set_mm1_id",
            "folio_set_mm1_id(&w->folio, id)",
            {"id": SOME_IDS},
            kind="probe",
            model=set_second_id_model,
        ),
        *OF_WRONG_FOLIO,
        *OF_WRONG_ARGUMENTS,
        Operation(
            "set/not-fresh",
            SET,
            {"mm": EACH_MM, "n": (1, PAGES)},
            kind="misuse",
            title="set on a folio that is not freshly initialised",
            when=set_not_fresh,
            warns=set_warns,
        ),
        Operation(
            "add/flag-lost",
            f"{CLEAR_FLAG}; {ADD}",
            {"mm": EACH_MM, "diff": (1,)},
            kind="misuse",
            title="add on an unmapped folio that lost its exclusive flag",
            when=unlocked,
            warns=add_unflagged_warns,
        ),
        Operation(
            "add/flag-forged",
            f"{SET_FLAG}; {ADD}",
            {"mm": EACH_MM, "diff": (1,)},
            kind="misuse",
            title="add on a folio flagged exclusive with both slots in use",
            when=unlocked,
            warns=add_forged_warns,
        ),
    ),
    claims=(
        Claim(
            "mapcount-is-the-sum",
            "always",
            "the large mapcount is the sum over all MMs of their mappings",
            "how often they are mapping folio pages (mapcount)",
            mapcount_is_sum,
        ),
        Claim(
            "exclusive-is-certain",
            "always",
            'detected "mapped exclusively" only if at most one MM maps it',
            "certainly mapped exclusively (mapped by a single MM)",
            exclusive_is_certain,
        ),
        Claim(
            "no-false-shared-with-two-mms",
            "always",
            "no more than two MMs at any one time since last unmapped, and one maps it now: "
            'not detected "mapped shared"',
            'There won\'t be any false "mapped shared" detection as long as only two MMs map pages '
            "of a folio at one point in time",
            no_false_shared,
        ),
        Claim(
            "exclusive-means-one-slot-owns-all",
            "always",
            '"mapped exclusively" only if there are no mappings, or one tracked MM owns all',
            "We only consider folios exclusive if there are no mappings or if one tracked MM owns "
            "all mappings.",
            one_slot_owns_all,
        ),
        Claim(
            "unmapped-is-exclusive",
            "always",
            "an unmapped folio carries the exclusive flag",
            'We expect that unmapped folios always have the "mapped exclusively" flag set for simplicity.',
            unmapped_is_exclusive,
        ),
        Claim(
            "no-takeover-while-shared",
            "always",
            "a slot changes its owner only on a folio that was unmapped or mapped exclusively",
            "We won't allow to take a free spot if the folio is not mapped exclusively",
            owners_stay,
            on=("set", "add", "sub", "inc", "dec"),
        ),
        Claim(
            "three-mms-stay-shared",
            "possible",
            'App1, App2, App3 map, App1 and App2 unmap: "mapped shared", though only App3 maps it',
            'We\'ll still detect "shared" even though only App3 maps the folio.',
            only_app3,
            least={"mms": 3},
        ),
        Claim(
            "children-take-both-slots",
            "possible",
            "both slots track the children while the parent maps the folio untracked",
            "it could be that at some point both child processes are tracked instead",
            parent_untracked,
            least={"mms": 3},
        ),
        Claim(
            "one-atomic-rmw-per-update",
            "always",
            "add and sub need at most one atomic read-modify-write, the lock's",
            "to require only a single atomic operation for our updates",
            at_most_one_rmw,
            on=("add", "sub", "inc", "dec"),
        ),
    ),
    features=(
        Feature("the folio is unmapped", is_unmapped),
        Feature("the folio is mapped", is_mapped),
        Feature("the flag says exclusive", flag_set),
        Feature("the flag says shared", flag_clear),
        Feature("the MM has slot 0", in_slot0),
        Feature("the MM has slot 1", in_slot1),
        Feature("the MM has no slot", untracked),
        Feature("the MM maps it already", mm_maps),
        Feature("the MM does not map it yet", mm_maps_not),
        Feature("other MMs map it", others_map),
    ),
    within=within,
    legend=", ".join(f"mm{i} has ID {n}" for i, n in enumerate(IDS)),
    show=show,
    not_checked=(
        "set with a count of zero or less or an ID out of range: the patch promises no warning",
        *BESIDE_THE_POINT,
    ),
)
