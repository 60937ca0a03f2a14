# SPDX-License-Identifier: GPL-2.0-only
"""The word _mm_ids of a large folio: two IDs, a flag and a lock, each in bits of its own.

     63    62         ... 56   55 ... 32   31 ... 0
    lock  exclusive            ID1         ID0

Every setter is called in every combination of a few words, and every ID up to the maximum goes through
both slots, with all other bits clear and with all of them set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.contract import Contract, Operation

ID_BITS = 20  # "We'll limit the IDs to 20bit / 1M for now"
ID_MAX = 2**ID_BITS - 1
MORE_BITS = 30  # "we could allow for up to 30bit"
# Nothing, every bit, every second bit, and each bit by itself.
IDS = (0, ID_MAX, 0x55555, 0xAAAAA, *(1 << bit for bit in range(ID_BITS)))
PART = "bits of _mm_ids"


@dataclass(frozen=True)
class State:
    """The fields of the word."""

    id0: int = 0
    id1: int = 0
    exclusive: bool = False
    locked: bool = False


@dataclass(frozen=True)
class Ghost:
    """Nothing is there that the code does not see."""

    none: bool = False


def empty(s: State) -> bool:
    return s.id0 == 0 and s.id1 == 0 and not s.exclusive and not s.locked


def unlocked(s: State) -> bool:
    return not s.locked


def locked(s: State) -> bool:
    return s.locked


def set0_model(s: State, id: int) -> State:
    """Only the first ID changes."""
    return replace(s, id0=id)


def set1_model(s: State, id: int) -> State:
    """Only the second ID changes."""
    return replace(s, id1=id)


def flag_model(s: State) -> State:
    """Only the flag changes."""
    return replace(s, exclusive=True)


def clear_model(s: State) -> State:
    """Only the flag changes."""
    return replace(s, exclusive=False)


def lock_model(s: State) -> State:
    """Only the lock changes."""
    return replace(s, locked=True)


def unlock_model(s: State) -> State:
    """Only the lock changes."""
    return replace(s, locked=False)


def is_given(id: int) -> bool:
    patterns = id == 0x55555 or id == 0xAAAAA or id == ID_MAX
    return patterns or (id < ID_MAX and id & (id - 1) == 0)


def within(s: State) -> bool:
    """IDs that add up where none is cleared would never end."""
    return is_given(s.id0) and is_given(s.id1)


def none_lost(s: State) -> int:
    return -1


def show(s: State) -> Mapping[str, str]:
    return {
        "ID 0": f"{s.id0:#x}",
        "ID 1": f"{s.id1:#x}",
        "flag": "exclusive" if s.exclusive else "shared",
        "lock": "held" if s.locked else "-",
    }


# The fields of a word as the patch's own accessors see it, but for the lock, which has none.
STANDINS = """
typedef unsigned int kc_get(struct folio *folio);
typedef void kc_set(struct folio *folio, unsigned int id);
typedef void kc_change(struct folio *folio);
#define KC_FLAGS (1UL << FOLIO_MM_IDS_EXCLUSIVE_BITNUM | 1UL << FOLIO_MM_IDS_LOCK_BITNUM)
static long kc_lost(kc_set *set, kc_get *get, kc_get *other, unsigned long id)
{
	for (int full = 0; full < 2; full++) {
		unsigned long word = full ? ~0UL : 0;
		unsigned int rest;

		w->folio._mm_ids = word;
		rest = other(&w->folio);
		set(&w->folio, id);
		if (get(&w->folio) != id || other(&w->folio) != rest)
			return 1;
		if ((w->folio._mm_ids ^ word) & KC_FLAGS)
			return 1;
	}
	return 0;
}
/* The first ID that does not come back, or with which something else changes; -1: there is none. */
static long kc_first_lost(kc_set *set, kc_get *get, kc_get *other, int bits)
{
	for (unsigned long id = 0; id < 1UL << bits; id++)
		if (kc_lost(set, get, other, id))
			return id;
	return -1;
}
/* The same of IDs with one bit, then with all. */
static long kc_first_bit_lost(kc_set *set, kc_get *get, kc_get *other, int bits)
{
	for (int bit = 0; bit < bits; bit++)
		if (kc_lost(set, get, other, 1UL << bit))
			return 1L << bit;
	return kc_lost(set, get, other, (1UL << bits) - 1) ? (1L << bits) - 1 : -1;
}
static unsigned long kc_bits_of_id(kc_set *set, int bits)
{
	unsigned long touched = 0;

	for (int bit = 0; bit < bits; bit++) {
		w->folio._mm_ids = 0;
		set(&w->folio, 1U << bit);
		touched |= w->folio._mm_ids;
	}
	w->folio._mm_ids = ~0UL;
	set(&w->folio, 0);
	return touched | ~w->folio._mm_ids;
}
static unsigned long kc_bits_of_flag(kc_change *set, kc_change *clear)
{
	unsigned long touched;

	w->folio._mm_ids = 0;
	set(&w->folio);
	touched = w->folio._mm_ids;
	w->folio._mm_ids = ~0UL;
	clear(&w->folio);
	return touched | ~w->folio._mm_ids;
}
/* The first bit that two of four fields have in common; -1: there is none. */
static int kc_shared(unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	unsigned long shared = (a & b) | ((a | b) & c) | ((a | b | c) & d);

	w->folio._mm_ids = 0;
	return shared ? __builtin_ctzl(shared) : -1;
}
"""
SLOT0 = "folio_set_mm0_id, folio_mm0_id, folio_mm1_id"
SLOT1 = "folio_set_mm1_id, folio_mm1_id, folio_mm0_id"
FLAG = "folio_set_large_mapped_exclusively, folio_clear_large_mapped_exclusively"
LOCK = "folio_lock_large_mapcount_data, folio_unlock_large_mapcount_data"

CONTRACT = Contract(
    name="mm-ids-word",
    title=PART,
    requires=(
        "folio_mm0_id",
        "folio_set_mm0_id",
        "folio_mm1_id",
        "folio_set_mm1_id",
        "folio_set_large_mapped_exclusively",
        "folio_lock_large_mapcount_data",
    ),
    headers=("linux/mm_types.h", "linux/page-flags.h", "linux/rmap.h"),
    config=dict.fromkeys(
        ("CONFIG_64BIT", "CONFIG_DEBUG_VM", "CONFIG_MM_ID", "CONFIG_MMU", "CONFIG_TRANSPARENT_HUGEPAGE"),
        True,
    ),
    pinned=("CONFIG_MM_ID",),
    scope=f"{len(IDS)} IDs in each slot, then every ID of {ID_BITS} bits",
    world="struct folio folio;",
    init="""
w->folio.flags = 1UL << PG_head;
w->folio.page.page_type = ~0u;
""",
    standins=STANDINS,
    owns=("folio._mm_ids",),
    state=State,
    observe={
        "id0": "folio_mm0_id(&w->folio)",
        "id1": "folio_mm1_id(&w->folio)",
        "exclusive": "folio_test_large_mapped_exclusively(&w->folio)",
        "locked": "(w->folio._mm_ids >> FOLIO_MM_IDS_LOCK_BITNUM) & 1",
    },
    ghost=Ghost,
    operations=(
        Operation(
            "folio_set_mm0_id",
            "folio_set_mm0_id(&w->folio, id)",
            {"id": IDS},
            part=PART,
            model=set0_model,
        ),
        Operation(
            "folio_set_mm1_id",
            "folio_set_mm1_id(&w->folio, id)",
            {"id": IDS},
            part=PART,
            model=set1_model,
        ),
        Operation(
            "folio_set_large_mapped_exclusively",
            "folio_set_large_mapped_exclusively(&w->folio)",
            part=PART,
            model=flag_model,
        ),
        Operation(
            "folio_clear_large_mapped_exclusively",
            "folio_clear_large_mapped_exclusively(&w->folio)",
            part=PART,
            model=clear_model,
        ),
        Operation(
            "folio_lock_large_mapcount_data",
            "folio_lock_large_mapcount_data(&w->folio)",
            part=PART,
            when=unlocked,
            model=lock_model,
        ),
        Operation(
            "folio_unlock_large_mapcount_data",
            "folio_unlock_large_mapcount_data(&w->folio)",
            part=PART,
            when=locked,
            model=unlock_model,
        ),
        Operation(
            "_mm_ids/disjoint",
            f"kc_shared(kc_bits_of_id(folio_set_mm0_id, {ID_BITS}), "
            f"kc_bits_of_id(folio_set_mm1_id, {ID_BITS}), kc_bits_of_flag({FLAG}), kc_bits_of_flag({LOCK}))",
            kind="probe",
            part=PART,
            title="the first bit that two of ID0, ID1, flag and lock share (-1: none)",
            when=empty,
            returns=none_lost,
        ),
        Operation(
            "_mm_ids/every-id-in-slot-0",
            f"kc_first_lost({SLOT0}, {ID_BITS})",
            target="folio_set_mm0_id",
            kind="probe",
            long=True,
            part=PART,
            title="the first ID that slot 0 does not give back, or that changes another field (-1: none)",
            when=empty,
            returns=none_lost,
        ),
        Operation(
            "_mm_ids/every-id-in-slot-1",
            f"kc_first_lost({SLOT1}, {ID_BITS})",
            target="folio_set_mm1_id",
            kind="probe",
            long=True,
            part=PART,
            title="the first ID that slot 1 does not give back, or that changes another field (-1: none)",
            when=empty,
            returns=none_lost,
        ),
        Operation(
            f"_mm_ids/{MORE_BITS}-bits-in-slot-0",
            f"kc_first_bit_lost({SLOT0}, {MORE_BITS})",
            kind="outlook",
            part=PART,
            title=f"IDs of {MORE_BITS} bits in slot 0",
            sentence="We'll limit the IDs to 20bit / 1M for now: we could allow for up to 30bit",
            outcome="the first that it does not give back, or that changes another field, is {}",
            when=empty,
            returns=none_lost,
        ),
        Operation(
            f"_mm_ids/{MORE_BITS}-bits-in-slot-1",
            f"kc_first_bit_lost({SLOT1}, {MORE_BITS})",
            kind="outlook",
            part=PART,
            title=f"IDs of {MORE_BITS} bits in slot 1",
            sentence="We'll limit the IDs to 20bit / 1M for now: we could allow for up to 30bit",
            outcome="the first that it does not give back, or that changes another field, is {}",
            when=empty,
            returns=none_lost,
        ),
    ),
    claims=(),
    within=within,
    together=(("id0", "id1", "exclusive", "locked"),),
    show=show,
)
