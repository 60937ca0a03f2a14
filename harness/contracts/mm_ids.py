# SPDX-License-Identifier: GPL-2.0-only
"""IDs of MMs: handed out when an MM is made, given back when it goes, as kernel/fork.c does it.

    mm_alloc_id ──▶ ID in use by one MM ──▶ mm_free_id ──▶ lowest free ID again
    mm_init: page tables, ID, context, in this order; what it has taken it gives back where it fails
    __mmdrop: gives back all of them

mm_init and __mmdrop are shown in part. What the contract adds to make them whole stands for what the
kernel has there (Linux 6.11, kernel/fork.c), each step counted, each able to fail.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.contract import SHOWN, Claim, Contract, Feature, Operation, Threads, Wrapper, put

# "We'll limit the IDs to 20bit / 1M for now"; 0 is the dummy of "init_mm and friends".
ID_MAX = 2**20 - 1
MMS = 3
NOMEM, NOSPC = 12, 28  # Documentation: include/uapi/asm-generic/errno-base.h
IDS = "kernel/fork.c, mm_alloc_id and mm_free_id"
INIT = "kernel/fork.c, mm_init"
DROP = "kernel/fork.c, __mmdrop"
OTHERS = ID_MAX - 2  # MMs that the world does not show, where they are there: all IDs but two are theirs
# Where mm_init fails: nowhere, at the page tables, the ID, the context, or after it.
NOWHERE, PGD, ID, CONTEXT, LATER = range(5)
# What it gives back then, in order, as digits: context, ID, page tables, and the mm itself.
BACK = (0, 4, 34, 234, 1234)  # as WORDS below


@dataclass(frozen=True)
class State:
    """Each MM's ID, and how many of everything are taken."""

    id0: int = 0
    id1: int = 0
    id2: int = 0
    ids: int = 0
    pgds: int = 0
    contexts: int = 0
    back: int = 0  # what the last mm_init gave back, in order


@dataclass(frozen=True)
class Ghost:
    """Which MMs there are, and whether others have all IDs but two."""

    live: tuple[int, ...] = (0,) * MMS  # 1: it has an ID; 2: made by mm_init
    others: bool = False


def own_id(s: State, mm: int) -> int:
    if mm == 0:
        return s.id0
    if mm == 1:
        return s.id1
    return s.id2


def with_id(s: State, mm: int, id: int) -> State:
    if mm == 0:
        return replace(s, id0=id)
    if mm == 1:
        return replace(s, id1=id)
    return replace(s, id2=id)


def taken(s: State, id: int) -> bool:
    return s.id0 == id or s.id1 == id or s.id2 == id


def next_id(s: State) -> int:
    """The lowest free ID, 0 where there is none."""
    if s.ids >= ID_MAX:
        return 0
    first = OTHERS + 1 if s.ids >= OTHERS else 1
    if not taken(s, first):
        return first
    if first + 1 <= ID_MAX and not taken(s, first + 1):
        return first + 1
    if first + 2 <= ID_MAX and not taken(s, first + 2):
        return first + 2
    return 0


def with_next(s: State, mm: int) -> State:
    if next_id(s) == 0:
        return s
    return replace(with_id(s, mm, next_id(s)), ids=s.ids + 1)


# mm_alloc_id, mm_free_id


# What is legal is asked of the code's own state as well: one wrong step is found once.


def is_none(g: Ghost, s: State, mm: int) -> bool:
    return g.live[mm] == 0 and own_id(s, mm) == 0


def alloc_model(s: State, mm: int, nomem: int) -> State:
    """The lowest free ID; where there is none, or no memory, nothing changes."""
    if nomem > 0:
        return replace(s, back=0)
    return with_next(replace(s, back=0), mm)


def alloc_returns(s: State, mm: int, nomem: int) -> int:
    if next_id(s) == 0:
        return -NOSPC
    return -NOMEM if nomem > 0 else 0


def alloc_ghost(g: Ghost, s: State, mm: int, nomem: int) -> Ghost:
    if nomem > 0 or next_id(s) == 0:
        return g
    return replace(g, live=put(g.live, mm, 1))


def has_only_an_id(g: Ghost, s: State, mm: int) -> bool:
    return g.live[mm] == 1 and own_id(s, mm) > 0


def free_model(s: State, mm: int) -> State:
    """The MM has the dummy ID from then on, and its own can be had again."""
    return replace(with_id(s, mm, 0), ids=s.ids - 1, back=0)


def free_ghost(g: Ghost, mm: int) -> Ghost:
    return replace(g, live=put(g.live, mm, 0))


def has_dummy(s: State, mm: int) -> bool:
    return own_id(s, mm) == 0


def same(s: State) -> State:
    return s


def always(s: State) -> bool:
    return True


# mm_init, __mmdrop


def init_when(g: Ghost, s: State, mm: int, parent: int) -> bool:
    return is_none(g, s, mm) and parent != mm and (parent == MMS or g.live[parent] > 0)


def fails_at(s: State, fail: int) -> int:
    return ID if next_id(s) == 0 and (fail == NOWHERE or fail > ID) else fail


def init_model(s: State, mm: int, fail: int) -> State:
    """Page tables, ID, context; what was taken is given back once, in the order of the labels."""
    at = fails_at(s, fail)
    if at != NOWHERE:
        return replace(s, back=BACK[at])
    made = with_next(replace(s, back=0), mm)
    return replace(made, pgds=s.pgds + 1, contexts=s.contexts + 1)


def init_returns(s: State, fail: int) -> int:
    return fails_at(s, fail) == NOWHERE


def init_ghost(g: Ghost, s: State, mm: int, fail: int) -> Ghost:
    if fails_at(s, fail) != NOWHERE:
        return g
    return replace(g, live=put(g.live, mm, 2))


def is_made(g: Ghost, s: State, mm: int) -> bool:
    return g.live[mm] == 2 and own_id(s, mm) > 0


def drop_model(s: State, mm: int) -> State:
    """Everything is given back, the ID among it."""
    rest = replace(with_id(s, mm, 0), pgds=s.pgds - 1, contexts=s.contexts - 1)
    return replace(rest, ids=s.ids - 1, back=0)


# Others, who have all IDs but two; and all of them handed out.


def nobody(g: Ghost, s: State) -> bool:
    return sum(g.live) == 0 and s.ids == 0 and s.back == 0


def others_ghost(g: Ghost) -> Ghost:
    return replace(g, others=True)


def all_returns(s: State, error: int) -> int:
    """Every ID is handed out once, then there is no space."""
    return -NOSPC if error > 0 else ID_MAX


# Claims.


def is_live(g: Ghost, mm: int) -> bool:
    return g.live[mm] > 0


def share(g: Ghost, t: State, a: int, b: int) -> bool:
    """Of the dummy, which is nobody's, another claim speaks."""
    return is_live(g, a) and is_live(g, b) and own_id(t, a) == own_id(t, b) and own_id(t, a) != 0


def unique(g: Ghost, t: State) -> bool:
    return not share(g, t, 0, 1) and not share(g, t, 0, 2) and not share(g, t, 1, 2)


def in_range(g: Ghost, t: State) -> bool:
    """An MM that should have got none has none that is out of range either."""
    return all(own_id(t, i) <= ID_MAX and (not is_live(g, i) or own_id(t, i) >= 1) for i in range(MMS))


def not_the_dummy(g: Ghost, t: State) -> bool:
    return all(not is_live(g, i) or own_id(t, i) != 0 for i in range(MMS))


def none_leaks(g: Ghost, t: State) -> bool:
    """As many IDs are in use as there are MMs that have one."""
    mine = sum(1 for n in g.live if n > 0)
    return t.ids == mine + (OTHERS if g.others else 0)


def all_in_use(g: Ghost, t: State) -> bool:
    return g.others and t.ids == ID_MAX


def given_back_once(g: Ghost, t: State) -> bool:
    made = sum(1 for n in g.live if n == 2)
    return t.pgds == made and t.contexts == made


def few_free(s: State) -> bool:
    return s.ids >= OTHERS


def others_live(g: Ghost, mm: int) -> bool:
    return sum(g.live) > g.live[mm]


def within(s: State) -> bool:
    """An ID that leaked, or that two have, would make all that follows look wrong as well."""
    mine = int(s.id0 > 0) + int(s.id1 > 0) + int(s.id2 > 0)
    apart = (s.id0 == 0 or (s.id0 != s.id1 and s.id0 != s.id2)) and (s.id1 == 0 or s.id1 != s.id2)
    ids = s.ids == mine or s.ids == OTHERS + mine
    ranges = s.id0 <= ID_MAX and s.id1 <= ID_MAX and s.id2 <= ID_MAX
    return ids and apart and ranges and 0 <= s.pgds <= MMS and 0 <= s.contexts <= MMS


WORDS = ("", "context", "ID", "page tables", "mm")


BACK_WORDS = {0: "nothing"} | {
    int("".join(digits)): ", ".join(WORDS[int(digit)] for digit in digits)
    for count in range(1, 6)
    for digits in itertools.product("1234", repeat=count)
}
FAIL_WORDS = dict(enumerate(("nowhere", "page tables", "ID", "context", "later")))


def show(s: State) -> Mapping[str, str]:
    return {
        "IDs": ", ".join(str(id) for id in (s.id0, s.id1, s.id2)),
        "in use": f"{s.ids:,}",
        "tables, contexts": f"{s.pgds}, {s.contexts}",
        "given back": BACK_WORDS.get(s.back, str(s.back)),
    }


# The kernel's own of kernel/fork.c and below it, counted. An ID is seen to be given back by the count.
STANDINS = """
#define current (&w->task)
static void kc_back(int what)
{
	if (kc_ida_count(&mm_ida) < w->had) {
		w->had = kc_ida_count(&mm_ida);
		w->back = w->back * 10 + 2;
	}
	w->back = w->back * 10 + what;
}
static int mm_alloc_pgd(struct mm_struct *mm)
{
	(void)mm;
	if (w->fail == 1)
		return -ENOMEM;
	w->pgds++;
	kc_fail_allocations = w->fail == 2;
	return 0;
}
static void mm_free_pgd(struct mm_struct *mm)
{
	(void)mm;
	w->pgds--;
	kc_back(3);
}
static int init_new_context(struct task_struct *p, struct mm_struct *mm)
{
	(void)p;
	(void)mm;
	w->had = kc_ida_count(&mm_ida);
	if (w->fail == 3)
		return -ENOMEM;
	w->contexts++;
	return 0;
}
static void destroy_context(struct mm_struct *mm)
{
	(void)mm;
	w->contexts--;
	kc_back(1);
}
static int mm_alloc_cid(struct mm_struct *mm)
{
	(void)mm;
	return w->fail == 4 ? -ENOMEM : 0;
}
static void free_mm(struct mm_struct *mm)
{
	mm->mm_id = 0;	/* its memory is somebody else's */
	kc_back(4);
}
static void mmu_notifier_subscriptions_destroy(struct mm_struct *mm)
{
	(void)mm;
}
static void check_mm(struct mm_struct *mm)
{
	(void)mm;
}
/* A forked MM begins as a copy of its parent; any other is zeroed (dup_mm, mm_alloc). */
static struct mm_struct *kc_new(int mm, int parent, int fail)
{
	w->mm[mm].mm_id = parent < 3 ? w->mm[parent].mm_id : 0;
	w->fail = fail;
	w->back = 0;
	w->had = kc_ida_count(&mm_ida);
	return &w->mm[mm];
}
static int kc_done(int ret)
{
	w->fail = w->had = 0;
	kc_fail_allocations = 0;
	return ret;
}
/* One MM after the other until there is no ID left: how many got one, and the error of the next. */
static long kc_exhaust(int (*alloc)(struct mm_struct *mm), int error)
{
	long n = 0;
	int ret;

	do {
		w->mm[0].mm_id = 0;
		ret = alloc(&w->mm[0]);
	} while (!ret && ++n <= 1L << 21);
	return error ? ret : n;
}
"""
WRAPPERS = (
    Wrapper(
        "mm_init",
        "static struct mm_struct *mm_init(struct mm_struct *mm, struct task_struct *p)",
        f"""{SHOWN}
	if (mm_alloc_cid(mm))
		goto fail_cid;
	return mm;

{SHOWN}
	return NULL;
""",
    ),
    Wrapper("__mmdrop", "static void __mmdrop(struct mm_struct *mm)", SHOWN + "\n"),
)
EACH_MM = tuple(range(MMS))
FREE = "mm_free_id(&w->mm[mm])"
BAD_IDS = (-1, -ID_MAX, ID_MAX + 1, ID_MAX + 2, 2**30, 2**31 - 1, -(2**31))

CONTRACT = Contract(
    name="mm-ids",
    title="IDs of MMs",
    requires=("mm_alloc_id", "mm_free_id", "MM_ID_NR_BITS"),
    headers=("linux/mm_types.h", "linux/idr.h", "linux/errno.h", "linux/bug.h"),
    config=dict.fromkeys(
        ("CONFIG_64BIT", "CONFIG_DEBUG_VM", "CONFIG_MM_ID", "CONFIG_MMU", "CONFIG_TRANSPARENT_HUGEPAGE"),
        True,
    ),
    pinned=("CONFIG_MM_ID",),
    scope=f"{MMS} MMs alone, or with {OTHERS:,} others",
    world=f"""
struct mm_struct mm[{MMS}];
struct task_struct {{ struct mm_struct *active_mm; }} task;
int pgds;
int contexts;
int fail;
unsigned int had;
int back;
""",
    init="",
    standins=STANDINS,
    wrappers=WRAPPERS,
    owns=("mm", "pgds", "contexts", "back"),
    threads=Threads(
        {"mm_alloc_id": {"nomem": (0,)}, "mm_free_id": {}},
        by=("mm",),
        # Without what the contract keeps for itself, which the threads would share.
        calls={"mm_alloc_id": "mm_alloc_id(&w->mm[mm])", "mm_free_id": FREE},
    ),
    state=State,
    observe={
        "id0": "w->mm[0].mm_id",
        "id1": "w->mm[1].mm_id",
        "id2": "w->mm[2].mm_id",
        "ids": "kc_ida_count(&mm_ida)",
        "pgds": "w->pgds",
        "contexts": "w->contexts",
        "back": "w->back",
    },
    ghost=Ghost,
    operations=(
        Operation(
            "others",
            f"kc_ida_take(&mm_ida, MM_ID_MIN, {OTHERS})",
            kind="setup",
            when=nobody,
            ghost=others_ghost,
            part=IDS,
        ),
        Operation(
            "mm_alloc_id",
            "w->back = 0, kc_fail_allocations = nomem, kc_done(mm_alloc_id(&w->mm[mm]))",
            {"mm": EACH_MM, "nomem": (0, 1)},
            part=IDS,
            when=is_none,
            model=alloc_model,
            returns=alloc_returns,
            ghost=alloc_ghost,
        ),
        Operation(
            "mm_free_id",
            f"w->back = 0; {FREE}",
            {"mm": EACH_MM},
            part=IDS,
            when=has_only_an_id,
            model=free_model,
            ghost=free_ghost,
        ),
        Operation(
            "mm_free_id/dummy",
            FREE,
            {"mm": EACH_MM},
            kind="probe",
            part=IDS,
            when=has_dummy,
            model=same,
        ),
        Operation(
            "mm_alloc_id/all",
            "kc_exhaust(mm_alloc_id, error)",
            {"error": (0, 1)},
            kind="probe",
            long=True,  # a million IDs
            target="mm_alloc_id",
            title="mm_alloc_id hands out every ID, and then says that there is no space",
            part=IDS,
            when=nobody,
            returns=all_returns,
        ),
        Operation(
            "mm_init",
            "kc_done(mm_init(kc_new(mm, parent, fail), &w->task) == &w->mm[mm])",
            {"mm": EACH_MM, "parent": (MMS, *EACH_MM), "fail": (NOWHERE, PGD, ID, CONTEXT, LATER)},
            part=INIT,
            when=init_when,
            model=init_model,
            returns=init_returns,
            ghost=init_ghost,
        ),
        Operation(
            "__mmdrop",
            "__mmdrop(&w->mm[mm]); w->back = w->had = 0",
            {"mm": EACH_MM},
            part=DROP,
            when=is_made,
            model=drop_model,
            ghost=free_ghost,
        ),
        Operation(
            "mm_free_id/out-of-range",
            f"w->mm[mm].mm_id = id; {FREE}",
            {"mm": (0,), "id": BAD_IDS},
            kind="misuse",
            part=IDS,
            option="",
            title="mm_free_id of an ID out of range",
            warns=always,
            by="mm_free_id",
        ),
        Operation(
            "mm_free_id/twice",
            f"const unsigned int id = w->mm[mm].mm_id; {FREE}; w->mm[mm].mm_id = id; {FREE}",
            {"mm": EACH_MM},
            kind="misuse",
            part=IDS,
            option="",
            title="mm_free_id of the same ID twice",
            when=has_only_an_id,
            warns=always,
        ),
    ),
    claims=(
        Claim(
            "ids-are-unique",
            "always",
            "no two MMs have the same ID at one time",
            "we'll assign each MM a unique ID that consumes less than 32 bit.",
            unique,
            part=IDS,
        ),
        Claim(
            "ids-are-in-range",
            "always",
            f"the ID of every MM is from 1 to {ID_MAX:,}",
            "We'll limit the IDs to 20bit / 1M for now",
            in_range,
            part=IDS,
        ),
        Claim(
            "dummy-is-nobodys",
            "always",
            "no MM that asked for an ID has the dummy",
            "For init_mm and friends, we don't allocate an ID and use the dummy value",
            not_the_dummy,
            part=IDS,
        ),
        Claim(
            "no-id-leaks",
            "always",
            "as many IDs are in use as there are MMs that have one, also where mm_init failed",
            "we'll assign each MM a unique ID that consumes less than 32 bit.",
            none_leaks,
            part=IDS,
        ),
        Claim(
            "all-ids-can-be-in-use",
            "possible",
            f"{ID_MAX:,} MMs at one time, and not one more",
            "We'll limit the IDs to 20bit / 1M for now",
            all_in_use,
            part=IDS,
        ),
        Claim(
            "given-back-once",
            "always",
            "page tables and contexts: as many are taken as there are MMs, also where mm_init failed",
            "goto fail_noid;",
            given_back_once,
            part=INIT,
        ),
    ),
    features=(Feature("others have all IDs but two", few_free), Feature("other MMs are there", others_live)),
    within=within,
    together=(("id0", "id1", "id2"),),
    show=show,
    words={"parent": {MMS: "none"}, "fail": FAIL_WORDS, "nomem": {0: "no", 1: "yes"}, "back": BACK_WORDS},
    not_checked=("flags of allocations (GFP_KERNEL): whether they may sleep where they are made",),
)
