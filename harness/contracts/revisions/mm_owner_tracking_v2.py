# SPDX-License-Identifier: GPL-2.0-only
"""MM owner tracking as "[PATCH v2 12/20] mm/rmap: basic MM owner tracking" says; so it is in Linux 6.15.

                       mapcount: all mappings, of all MMs
    large folio ───┬── slot 0:   ID of an MM, and how often that MM maps the folio
                   ├── slot 1:   the same
                   └── shared:   "maybe mapped shared", in the high bit of slot 1's ID; the lock in slot 0's

A slot is free again when it has drained, and free slots are taken at any time. World, ghost, and what
claims have in common are those of v1; the model is written from v2's own words. IDs and counts have
31 bits each, and 15 where an importing contract sets so (`mm_owner_tracking_32bit.py`).
"""

from __future__ import annotations

from dataclasses import replace

from harness.contract import Binding, Claim, Contract, Operation, setting, settings

with settings(id_bits=31):
    from harness.contracts.mm_owner_tracking import (
        ADD,
        BAD_MM,
        BESIDE_THE_POINT,
        COUNT_MOST,
        COUNTS,
        DEC,
        EACH_MM,
        FAR_COUNTS,
        HUGETLB,
        ID_BITS,
        IDS,
        INC,
        MEMBERS,
        MMS,
        MOST,
        PAGES,
        SET,
        SMALL,
        SOME_IDS,
        SUB,
        WRONG_COUNTS,
        Ghost,
        State,
        always,
        dec_ghost,
        inc_ghost,
        lock_model,
        mappers,
        maps_less,
        maps_more,
        same,
        set_ghost,
        unlocked,
    )
    from harness.contracts.mm_owner_tracking import CONTRACT as V1

assert setting("id_bits", 31) == ID_BITS, "v1's contract was imported before, with IDs of its own"
SHORT = setting("count_bits", 31) < 31
# Pages of the folio; with short counts the largest of its kind: "We don't expect folios where even a single
# complete PTE mapping by one MM would exceed 15 bits (order-15)."
NR_PAGES = COUNT_MOST if SHORT else 1 << max(1, (PAGES - 1).bit_length())
ORDER = NR_PAGES.bit_length() - 1
# Mappings of one MM that are explored beside the few up to PAGES: around what a slot can count.
AROUND = 1 if SHORT else 0
LARGEST = max(PAGES, COUNT_MOST + AROUND) if SHORT else PAGES


def in_bounds(n: int) -> bool:
    """How often one MM may map the folio here."""
    return n <= PAGES or (n <= LARGEST and n >= LARGEST - 2 * AROUND)


# Operations.


def set_when(g: Ghost, n: int) -> bool:
    return g.fresh and in_bounds(n)


def set_model(s: State, mm: int, n: int) -> State:
    """ "App1 faults in a (shmem/file-backed) folio page -> Tracked as MM0"; a new folio is nobody else's."""
    return replace(s, mapcount=n, id0=IDS[mm], count0=n)


def add_when(g: Ghost, s: State, mm: int, diff: int) -> bool:
    """Within the bounds, and within an int, also where the code's own count has gone wrong."""
    most = s.mapcount + diff <= MOST and sum(g.maps) + diff <= MOST
    return in_bounds(g.maps[mm] + diff) and most


def add_model(s: State, mm: int, diff: int) -> State:
    """Counted in this MM's slot, or in one that it takes; exclusive while that slot has all mappings.

    "If a slot is unoccupied, it can be taken by the next MM that maps folio page." "We might have other
    mappings already." Where the count overflows, "just free up the slot and mark the folio "mapped
    shared"". "No slot available, tracked as "unknown"".
    """
    mapcount = s.mapcount + diff
    if s.id0 == IDS[mm]:
        count = s.count0 + diff
        if count > COUNT_MOST:
            return replace(s, mapcount=mapcount, id0=0, count0=0, exclusive=False)
        alone = s.exclusive and count == mapcount
        return replace(s, mapcount=mapcount, count0=count, exclusive=alone)
    if s.id1 == IDS[mm]:
        count = s.count1 + diff
        if count > COUNT_MOST:
            return replace(s, mapcount=mapcount, id1=0, count1=0, exclusive=False)
        alone = s.exclusive and count == mapcount
        return replace(s, mapcount=mapcount, count1=count, exclusive=alone)
    alone = s.exclusive and diff == mapcount
    if s.id0 == 0:
        return replace(s, mapcount=mapcount, id0=IDS[mm], count0=diff, exclusive=alone)
    if s.id1 == 0:
        return replace(s, mapcount=mapcount, id1=IDS[mm], count1=diff, exclusive=alone)
    return replace(s, mapcount=mapcount, exclusive=False)


def sub_when(g: Ghost, mm: int, diff: int) -> bool:
    return g.maps[mm] >= diff and in_bounds(g.maps[mm] - diff)


def sub_model(s: State, mm: int, diff: int) -> State:
    """Taken from this MM's slot, which is free again when it has drained.

    "There are valid corner cases where we might underflow a per-MM mapcount (some mappings added when no
    slot was free, some mappings added once a slot was free)". "If one MM slot owns all mappings, the
    folio is mapped exclusively. Note that if the folio is now unmapped, both slots must be free, and
    we'll also mark it as exclusive."
    """
    left = replace(s, mapcount=s.mapcount - diff)
    if s.id0 == IDS[mm]:
        left = replace(left, count0=max(s.count0 - diff, 0))
        left = replace(left, id0=s.id0 if left.count0 > 0 else 0)
    elif s.id1 == IDS[mm]:
        left = replace(left, count1=max(s.count1 - diff, 0))
        left = replace(left, id1=s.id1 if left.count1 > 0 else 0)
    return replace(left, exclusive=s.exclusive or owned_by_one(left))


def owned_by_one(s: State) -> bool:
    return s.mapcount == 0 or s.count0 == s.mapcount or s.count1 == s.mapcount


def inc_when(g: Ghost, s: State, mm: int) -> bool:
    return add_when(g, s, mm, 1)


def inc_model(s: State, mm: int) -> State:
    return add_model(s, mm, 1)


def dec_when(g: Ghost, mm: int) -> bool:
    return sub_when(g, mm, 1)


def dec_model(s: State, mm: int) -> State:
    return sub_model(s, mm, 1)


def torn(s: State) -> bool:
    """What the code itself expects no history to bring about: it warns of it, whatever is asked for.

    A slot has an ID while it has mappings, and no longer; an unmapped folio is not "maybe mapped shared".
    """
    first = (s.id0 == 0) != (s.count0 == 0)
    second = (s.id1 == 0) != (s.count1 == 0)
    return first or second or (s.mapcount == 0 and not s.exclusive)


def set_warns(s: State) -> bool:
    """A new folio has no owner."""
    return torn(s) or s.id0 != 0 or s.id1 != 0


# What these return, and the accessors.


def more(s: State, diff: int) -> int:
    return s.mapcount + diff


def less(s: State, diff: int) -> int:
    return s.mapcount - diff


def one_more(s: State) -> int:
    return s.mapcount + 1


def one_less(s: State) -> int:
    return s.mapcount - 1


def shared(s: State) -> int:
    return not s.exclusive


def mapped_shared(s: State) -> int:
    """ "A single mapping implies "mapped exclusively", even if the folio flag says something different"."""
    return s.mapcount > 1 and not s.exclusive


def id_of(s: State, idx: int) -> int:
    return s.id0 if idx == 0 else s.id1


def set_id_model(s: State, idx: int, id: int) -> State:
    """Only that ID changes."""
    if idx == 0:
        return replace(s, id0=id)
    return replace(s, id1=id)


# Misuse.


def set_not_fresh(g: Ghost, s: State) -> bool:
    return not g.fresh and not s.locked


def too_many_pages(s: State, pages: int) -> bool:
    return pages > COUNT_MOST


def too_large(s: State, order: int) -> bool:
    return order > ORDER


# Claims that only v2 makes.


def slot_that_owns_all(t: State) -> bool:
    return t.exclusive or not owned_by_one(t)


def unmapped_frees_slots(g: Ghost, t: State) -> bool:
    return mappers(g) > 0 or (t.id0 == 0 and t.count0 == 0 and t.id1 == 0 and t.count1 == 0)


def free_slot_is_taken(s: State, t: State) -> bool:
    """What was added is in a slot, if one was free; one that overflows is free, and has nothing."""
    added = t.mapcount - s.mapcount
    room = s.id0 == 0 or s.id1 == 0
    overflows = max(s.count0, s.count1) + added > COUNT_MOST
    return not room or overflows or t.count0 + t.count1 == s.count0 + s.count1 + added


def second_stays(g: Ghost, t: State) -> bool:
    """The first slot has drained, and the MM in the second has the folio to itself."""
    return mappers(g) == 1 and t.exclusive and t.id0 == 0 and t.id1 != 0 and t.count1 == t.mapcount


def looks_shared(g: Ghost, t: State) -> bool:
    """One MM maps it, has a slot, and it is still "maybe mapped shared"."""
    tracked = any(g.maps[i] > 0 and (t.id0 == IDS[i] or t.id1 == IDS[i]) for i in range(MMS))
    return g.crowded and mappers(g) == 1 and not t.exclusive and tracked


def partly_tracked(g: Ghost, t: State) -> bool:
    """An MM has more mappings than its slot counts."""
    first = any(t.id0 == IDS[i] and g.maps[i] > t.count0 for i in range(MMS))
    return first or any(t.id1 == IDS[i] and g.maps[i] > t.count1 for i in range(MMS))


def uncounted_is_shared(g: Ghost, t: State) -> bool:
    return not t.exclusive or all(g.maps[i] <= COUNT_MOST for i in range(MMS))


def overflowed(g: Ghost, t: State) -> bool:
    """One MM has more mappings than a slot counts, and no slot."""
    return mappers(g) == 1 and sum(g.maps) > COUNT_MOST and not t.exclusive and t.id0 == 0 and t.id1 == 0


def within(s: State) -> bool:
    most = min(MMS * LARGEST, MOST)
    return 0 <= s.mapcount <= most and 0 <= s.count0 <= most and 0 <= s.count1 <= most


CHECKS = "__folio_large_mapcount_sanity_checks"
LOCK = "folio_lock_large_mapcount(&w->folio)"
UNLOCK = "folio_unlock_large_mapcount(&w->folio)"
BOTH = (0, 1)
NEAR = (*COUNTS, *range(NR_PAGES - 3, NR_PAGES + 1)) if SHORT else COUNTS
FAR = tuple(n for n in (*FAR_COUNTS, NR_PAGES) if n <= NR_PAGES)
MM_AND_COUNT = {"mm": EACH_MM, "diff": NEAR}
ONE = {"mm": EACH_MM, "diff": (1,)}


def misuse(name: str, title: str, call: str, args: dict[str, tuple[int, ...]], by: str = CHECKS) -> Operation:
    """A call in every state, of which one function must always warn."""
    return Operation(name, call, args, kind="misuse", title=title, when=unlocked, warns=always, by=by)


CALLS = (("set", SET, "n"), ("add", ADD, "diff"), ("sub", SUB, "diff"))
OF_WRONG_CALLS = tuple(
    made
    for name, call, count in CALLS
    for made in (
        misuse(f"{name}/small-folio", f"{name} on a small folio", SMALL + call, {"mm": EACH_MM, count: (1,)}),
        misuse(f"{name}/hugetlb-folio", f"{name} on a hugetlb folio", HUGETLB + call,
               {"mm": EACH_MM, count: (1,)}),
        misuse(f"{name}/count", f"{name} of a count of zero or less", call,
               {"mm": EACH_MM, count: WRONG_COUNTS}),
        misuse(f"{name}/pages", f"{name} of more pages than the folio has", call,
               {"mm": EACH_MM, count: (NR_PAGES + 1, 2 * NR_PAGES - 1)}),
        misuse(f"{name}/id", f"{name} for an MM whose ID is out of range", call,
               {"mm": BAD_MM, count: (1,)}),
    )
)  # fmt: skip
TAKE = "folio_set_mm_id(&w->folio, idx, {id}); w->folio._mm_id_mapcount[idx] = {raw}; "
# Without room for the number of pages, a folio has its order only.
if SHORT:
    RESIZE, SIZES = "w->folio._flags_1 = order; ", {"order": (ORDER, ORDER + 1, ORDER + 2)}
else:
    RESIZE, SIZES = "w->folio._nr_pages = (unsigned int)pages; ", {"pages": (2**31, 2**31 + 1, 2**32 - 1)}
OF_WRONG_STATES = (
    misuse("add/count-without-owner", "add where a free slot has a count", TAKE.format(id=0, raw="raw") + ADD,
           ONE | {"idx": BOTH, "raw": (-2, 0, 5)}),
    misuse("add/owner-without-count", "add where a slot has an owner and no mappings",
           TAKE.format(id=1, raw="raw") + ADD, ONE | {"idx": BOTH, "raw": (-1, -2)}),
    misuse("add/unmapped-shared", 'add on an unmapped folio that is "maybe mapped shared"',
           f"atomic_set(&w->folio._large_mapcount, -1); w->folio._mm_ids |= FOLIO_MM_IDS_SHARED_BIT; {ADD}",
           ONE),
    misuse("set/owner", "set on a folio with a slot that has an owner",
           f"{TAKE.format(id=1, raw=0)}{SET}", {"mm": EACH_MM, "n": (1,), "idx": BOTH},
           by="folio_set_large_mapcount"),
    Operation(
        "set/not-fresh",
        SET,
        {"mm": EACH_MM, "n": (1, min(PAGES, NR_PAGES))},
        kind="misuse",
        title="set on a folio that is not freshly initialised, while it has owners",
        when=set_not_fresh,
        warns=set_warns,
    ),
    Operation(
        "add/folio-too-large",
        RESIZE + ADD,
        ONE | SIZES,
        kind="misuse",
        title="add on a folio of which a slot cannot count each page mapped once",
        when=unlocked,
        warns=too_large if SHORT else too_many_pages,
        by=CHECKS,
    ),
    # What follows the warning is outside of the array, so not under sanitizers.
    replace(
        misuse("mm_id/index", "mm_id of a slot that there is not", "folio_mm_id(&w->folio, (int)idx)",
               {"idx": (-1, 2)}, by="folio_mm_id"),
        long=True,
    ),
    replace(
        misuse("set_mm_id/index", "set_mm_id of a slot that there is not",
               "folio_set_mm_id(&w->folio, (int)idx, 1)", {"idx": (-1, 2)}, by="folio_set_mm_id"),
        long=True,
    ),
)  # fmt: skip

SAID = {
    "mapcount-is-the-sum": "when updating the large mapcount + new metadata",
    "exclusive-is-certain": 'detect whether a large folio is "certainly mapped exclusively", or whether '
    'it is "maybe mapped shared".',
    "no-false-shared-with-two-mms": 'We will reliably detect folios as "mapped exclusively" vs. "mapped '
    'shared" as long as only two MMs map pages of a folio at one point in time',
    "unmapped-is-exclusive": "if the folio is now unmapped (new_mapcount_val == -1), both slots must be "
    "free (mapcount == -1), and we'll also mark it as exclusive.",
    "three-mms-stay-shared": '(4) App1 and App2 unmap all folio pages -> We will detect "maybe mapped '
    'shared".',
    "one-atomic-rmw-per-update": "effectively not adding any new atomics on the hot path when updating "
    "the large mapcount + new metadata",
}
OWN_CLAIMS = (
    Claim(
        "slot-that-owns-all-means-exclusive",
        "always",
        'a folio of which one slot owns all mappings is detected "mapped exclusively"',
        "If one MM slot owns all mappings, the folio is mapped exclusively.",
        slot_that_owns_all,
    ),
    Claim(
        "unmapped-frees-both-slots",
        "always",
        "an unmapped folio has two free slots, without ID and mappings",
        SAID["unmapped-is-exclusive"],
        unmapped_frees_slots,
    ),
    Claim(
        "free-slot-is-taken",
        "always",
        "what an MM adds while a slot is free is counted in a slot",
        "If a slot is unoccupied, it can be taken by the next MM that maps folio page.",
        free_slot_is_taken,
        on=("set", "add", "inc"),
    ),
    Claim(
        "second-mm-stays-exclusive",
        "possible",
        'App1 and App2 map, App1 unmaps: "mapped exclusively", by the second slot',
        '(4) App1 unmaps all folio pages -> We will detect "mapped exclusively".',
        second_stays,
        least={"mms": 2},
    ),
    Claim(
        "three-mms-might-look-shared",
        "possible",
        'three MMs were involved: "maybe mapped shared", though the only one that maps it has a slot',
        'As soon as three MMs are involved at the same time, we might detect "maybe mapped shared" although '
        'the folio is "mapped exclusively".',
        looks_shared,
        least={"mms": 3},
    ),
    Claim(
        "count-may-underflow",
        "possible",
        "an MM has more mappings than its slot counts",
        "There are valid corner cases where we might underflow a per-MM mapcount (some mappings added when "
        "no slot was free, some mappings added once a slot was free)",
        partly_tracked,
        least={"mms": 3, "pages": 2},
    ),
)
# Claimed only where counts are short.
OVERFLOW = (
    "we can in theory overflow the per-MM mapcount (although only for fairly large folios), turning it "
    'negative. In that case, just free up the slot and mark the folio "mapped shared"'
)
OF_SHORT_COUNTS = (
    Claim(
        "more-than-is-counted-is-shared",
        "always",
        'where an MM has more mappings than a slot counts, the folio is "mapped shared"',
        OVERFLOW,
        uncounted_is_shared,
    ),
    Claim(
        "overflow-frees-the-slot",
        "possible",
        'one MM alone has more mappings than a slot counts: it has no slot, and the folio is "mapped shared"',
        OVERFLOW,
        overflowed,
    ),
)


def shared_claims() -> tuple[Claim, ...]:
    """Those of v1 that v2 makes as well, in its words."""
    return tuple(replace(claim, sentence=SAID[claim.id]) for claim in V1.claims if claim.id in SAID)


# From 6.18 on the flags are in a type of their own.
MEMDESC = Binding("with memdesc_flags_t", {"folio.flags": "folio.flags.f"}, requires=("memdesc_flags_t",))

CONTRACT: Contract = replace(
    V1,
    title="MM owner tracking of large folios, by the model of v2",
    requires=(
        "folio_set_large_mapcount",
        "folio_add_large_mapcount",
        "folio_sub_large_mapcount",
        "folio_mm_id",
        "folio_set_mm_id",
        "folio_lock_large_mapcount",
        "folio_unlock_large_mapcount",
    ),
    headers=("linux/mm_types.h", "linux/page-flags.h", "linux/mm.h", "linux/rmap.h"),
    # With it a large folio has room for its number of pages (NR_PAGES_IN_LARGE_FOLIO), as the shims have it.
    # Without hugetlb no folio of a tree is one of its.
    config=dict(V1.config) | {"CONFIG_MEMCG": True, "CONFIG_HUGETLB_PAGE": True},
    bindings=(MEMDESC,),
    revisions=(),
    # As the patch's prep_compound_head() leaves a large folio.
    init=f"""
{MEMBERS}
w->folio._flags_1 = {ORDER};
{"" if SHORT else f"w->folio._nr_pages = {NR_PAGES}u;"}
w->folio._mm_id_mapcount[0] = -1;
w->folio._mm_id_mapcount[1] = -1;
w->folio._mm_ids = 0;
""",
    # The IDs, with the bits between them: all of the word on 64 bit, half of it with 16-bit IDs.
    owns=("folio._large_mapcount", "folio._mm_id_mapcount", "folio._mm_id"),
    observe={
        "mapcount": "atomic_read(&w->folio._large_mapcount) + 1",
        "exclusive": "!test_bit(FOLIO_MM_IDS_SHARED_BITNUM, &w->folio._mm_ids)",
        "id0": "folio_mm_id(&w->folio, 0)",
        "count0": "w->folio._mm_id_mapcount[0] + 1",
        "id1": "folio_mm_id(&w->folio, 1)",
        "count1": "w->folio._mm_id_mapcount[1] + 1",
        "locked": "(w->folio._mm_ids >> FOLIO_MM_IDS_LOCK_BITNUM) & 1",
    },
    operations=(
        Operation(
            "set",
            SET,
            {"mm": EACH_MM, "n": NEAR},
            {"n": FAR},
            when=set_when,
            model=set_model,
            warns=set_warns,
            ghost=set_ghost,
        ),
        Operation(
            "add",
            ADD,
            MM_AND_COUNT,
            {"diff": FAR},
            when=add_when,
            model=add_model,
            warns=torn,
            ghost=maps_more,
        ),
        Operation(
            "sub",
            SUB,
            MM_AND_COUNT,
            {"diff": FAR},
            when=sub_when,
            model=sub_model,
            warns=torn,
            ghost=maps_less,
        ),
        Operation(
            "inc",
            INC,
            {"mm": EACH_MM},
            through="add",
            when=inc_when,
            model=inc_model,
            warns=torn,
            ghost=inc_ghost,
        ),
        Operation(
            "dec",
            DEC,
            {"mm": EACH_MM},
            optional=True,
            through="sub",
            when=dec_when,
            model=dec_model,
            warns=torn,
            ghost=dec_ghost,
        ),
        Operation(
            "add_return",
            "folio_add_return_large_mapcount(&w->folio, diff, &w->vma[mm])",
            MM_AND_COUNT,
            {"diff": FAR},
            kind="probe",
            optional=True,
            through="add",
            when=add_when,
            model=add_model,
            returns=more,
            warns=torn,
        ),
        Operation(
            "sub_return",
            "folio_sub_return_large_mapcount(&w->folio, diff, &w->vma[mm])",
            MM_AND_COUNT,
            {"diff": FAR},
            kind="probe",
            optional=True,
            through="sub",
            when=sub_when,
            model=sub_model,
            returns=less,
            warns=torn,
        ),
        Operation(
            "inc_return",
            "folio_inc_return_large_mapcount(&w->folio, &w->vma[mm])",
            {"mm": EACH_MM},
            kind="probe",
            optional=True,
            through="add",
            when=inc_when,
            model=inc_model,
            returns=one_more,
            warns=torn,
        ),
        Operation(
            "dec_return",
            "folio_dec_return_large_mapcount(&w->folio, &w->vma[mm])",
            {"mm": EACH_MM},
            kind="probe",
            optional=True,
            through="sub",
            when=dec_when,
            model=dec_model,
            returns=one_less,
            warns=torn,
        ),
        Operation("lock", LOCK, kind="probe", when=unlocked, model=lock_model),
        Operation("unlock", f"{LOCK}; {UNLOCK}", kind="probe", when=unlocked, model=same),
        Operation("mm_id", "folio_mm_id(&w->folio, (int)idx)", {"idx": BOTH}, kind="probe", model=same,
                  returns=id_of),
        Operation("set_mm_id", "folio_set_mm_id(&w->folio, (int)idx, id)", {"idx": BOTH, "id": SOME_IDS},
                  kind="probe", model=set_id_model),
        Operation("set_mm_id/locked", f"{LOCK}; folio_set_mm_id(&w->folio, (int)idx, id); {UNLOCK}",
                  {"idx": BOTH, "id": SOME_IDS}, kind="probe", when=unlocked, model=set_id_model),
        Operation("test_shared", "folio_test_large_maybe_mapped_shared(&w->folio)", kind="probe",
                  optional=True, model=same, returns=shared),
        Operation("maybe_mapped_shared", "folio_maybe_mapped_shared(&w->folio)", kind="probe",
                  optional=True, model=same, returns=mapped_shared),
        *OF_WRONG_CALLS,
        *OF_WRONG_STATES,
    ),
    claims=(*shared_claims(), *OWN_CLAIMS, *(OF_SHORT_COUNTS if SHORT else ())),
    within=within,
    not_checked=BESIDE_THE_POINT,
)  # fmt: skip
