# SPDX-License-Identifier: GPL-2.0-only
"""Reference counts of pages and folios: include/linux/page_ref.h, as of Linux 6.1 and later.

    compound page ─┬─ page 0, the head, is the folio:  _refcount: who holds it
                   └─ page 1, a tail:                  _refcount: always zero

The model is written from the words of the header, of include/linux/mm.h, of Documentation/mm/transhuge.rst
and of the comments where mm/ freezes folios, quoted where they are used. The ghost knows who holds
references and who has frozen the folio, which the code does not. Functions that a version of the
kernel has not are said to be absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.contract import Claim, Contract, Feature, Operation, Symmetry, Threads, bound, put

HOLDERS = bound("holders", 2, most=12)
REFS = bound("refs", 3, most=2**30)  # references of one holder
MOST = 2**31 - 1  # _refcount is an int


@dataclass(frozen=True)
class State:
    """The reference counts of the two pages."""

    refcount: int = 0
    tail: int = 0


@dataclass(frozen=True)
class Ghost:
    """Who holds references, and who has frozen the folio meanwhile: they are owed, and not counted."""

    holds: tuple[int, ...] = (0,) * HOLDERS
    froze: tuple[int, ...] = (0,) * HOLDERS


def frozen(g: Ghost) -> bool:
    return any(g.froze)


def free(g: Ghost) -> bool:
    return sum(g.holds) == 0 and not frozen(g)


def live(g: Ghost) -> int:
    """What the count should be: "When that reference count reaches zero, the folio is [...] frozen"."""
    return 0 if frozen(g) else sum(g.holds)


def gets(g: Ghost, who: int, nr: int) -> Ghost:
    return replace(g, holds=put(g.holds, who, g.holds[who] + nr))


# A free page gets its first references: "Setup the page count before being freed into the page allocator".


def set_when(g: Ghost, who: int, v: int) -> bool:
    return free(g)


def set_model(s: State, v: int) -> State:
    return replace(s, refcount=v)


def set_ghost(g: Ghost, who: int, v: int) -> Ghost:
    return gets(g, who, v)


def init_when(g: Ghost, who: int) -> bool:
    return free(g)


def init_model(s: State) -> State:
    """ "Turn a non-refcounted page (->_refcount == 0) into refcounted with a count of one"."""
    return replace(s, refcount=1)


def init_ghost(g: Ghost, who: int) -> Ghost:
    return gets(g, who, 1)


# Who holds the folio may take more: "as long as you know that you have a refcount on the folio".


def room(g: Ghost, s: State, who: int, nr: int) -> bool:
    """Within the bounds, and within an int, also where the code's own count has gone wrong."""
    return g.holds[who] + nr <= REFS and sum(g.holds) + nr <= MOST and s.refcount + nr <= MOST


def add_when(g: Ghost, s: State, who: int, nr: int) -> bool:
    return not frozen(g) and g.holds[who] > 0 and room(g, s, who, nr)


def add_model(s: State, nr: int) -> State:
    return replace(s, refcount=s.refcount + nr)


def add_ghost(g: Ghost, who: int, nr: int) -> Ghost:
    return gets(g, who, nr)


def inc_when(g: Ghost, s: State, who: int) -> bool:
    return add_when(g, s, who, 1)


def inc_model(s: State) -> State:
    return add_model(s, 1)


def inc_ghost(g: Ghost, who: int) -> Ghost:
    return gets(g, who, 1)


def inc_returns(s: State) -> int:
    """The count after."""
    return s.refcount + 1


# Everyone drops only what is their own, and not while it is frozen.


def sub_when(g: Ghost, who: int, nr: int) -> bool:
    return not frozen(g) and g.holds[who] >= nr


def sub_model(s: State, nr: int) -> State:
    return replace(s, refcount=s.refcount - nr)


def sub_ghost(g: Ghost, who: int, nr: int) -> Ghost:
    return gets(g, who, -nr)


def sub_returns(s: State, nr: int) -> int:
    """The count after."""
    return s.refcount - nr


def sub_is_last(s: State, nr: int) -> int:
    """ "return true if the refcount fell to zero (the page has no users)"."""
    return s.refcount - nr == 0


def dec_when(g: Ghost, who: int) -> bool:
    return sub_when(g, who, 1)


def dec_model(s: State) -> State:
    return sub_model(s, 1)


def dec_ghost(g: Ghost, who: int) -> Ghost:
    return gets(g, who, -1)


def dec_returns(s: State) -> int:
    """The count after."""
    return s.refcount - 1


def dec_is_last(s: State) -> int:
    """ "return true if the refcount fell to zero (the page has no users)"."""
    return s.refcount - 1 == 0


# Anyone may try, at any time: "find a stale pointer to a folio". It fails on a count of zero.


def try_add_model(s: State, nr: int) -> State:
    """ "Increment the refcount if it's not zero"."""
    if s.refcount == 0:
        return s
    return add_model(s, nr)


def try_add_returns(s: State) -> int:
    """ "Return: True if the reference count was successfully incremented"."""
    return s.refcount != 0


def try_add_ghost(g: Ghost, who: int, nr: int) -> Ghost:
    if live(g) == 0:
        return g
    return gets(g, who, nr)


def try_get_when(g: Ghost, s: State, who: int) -> bool:
    return room(g, s, who, 1)


def try_get_model(s: State) -> State:
    return try_add_model(s, 1)


def try_get_ghost(g: Ghost, who: int) -> Ghost:
    return try_add_ghost(g, who, 1)


def add_unless_when(g: Ghost, s: State, who: int, nr: int, u: int) -> bool:
    """Of a count of zero, nobody may ask for anything but that it stays."""
    return room(g, s, who, nr) and (u == 0 or live(g) > 0)


def add_unless_model(s: State, nr: int, u: int) -> State:
    if s.refcount == u:
        return s
    return add_model(s, nr)


def add_unless_returns(s: State, u: int) -> int:
    return s.refcount != u


def add_unless_ghost(g: Ghost, who: int, nr: int, u: int) -> Ghost:
    if live(g) == u:
        return g
    return gets(g, who, nr)


def same(s: State) -> State:
    return s


def never(s: State) -> int:
    """ "get_page_unless_zero() never succeeds on tail pages"."""
    return 0


# Who knows of every reference can freeze the folio; who has frozen it may give back fewer of their own.


def freeze_when(g: Ghost, who: int, count: int) -> bool:
    return g.holds[who] > 0


def freeze_model(s: State, count: int) -> State:
    """ "Freeze the page (by zeroing the refcount if nobody else has a reference)"."""
    if s.refcount != count:
        return s
    return replace(s, refcount=0)


def freeze_returns(s: State, count: int) -> int:
    return s.refcount == count


def freeze_ghost(g: Ghost, who: int, count: int) -> Ghost:
    if live(g) != count:
        return g
    return replace(g, froze=put(g.froze, who, 1))


def unfreeze_when(g: Ghost, who: int, count: int) -> bool:
    """By who has frozen it, or on a folio that is new: "returned folio is 'frozen'"."""
    mine = count - (sum(g.holds) - g.holds[who])
    return (g.froze[who] > 0 or free(g)) and 0 <= mine <= REFS


def unfreeze_model(s: State, count: int) -> State:
    return replace(s, refcount=count)


def unfreeze_ghost(g: Ghost, who: int, count: int) -> Ghost:
    """ "Unfreezing the refcount with 1 effectively drops the pagecache ref": what is not owed to others."""
    mine = count - (sum(g.holds) - g.holds[who])
    return replace(g, holds=put(g.holds, who, mine), froze=put(g.froze, who, 0))


# What is read, in every reachable state.


def of_folio(s: State) -> int:
    """ "Return: The number of references to this folio"."""
    return s.refcount


def of_tail(s: State) -> int:
    return s.tail


# Misuse: VM_BUG_ON() is due.


def counted(s: State) -> bool:
    """Who unfreezes expects a count of zero, also where the code's own has gone wrong."""
    return s.refcount != 0


def is_zero(s: State) -> bool:
    return s.refcount == 0


def always(s: State) -> bool:
    return True


# Claims.


def count_is_references(g: Ghost, t: State) -> bool:
    return t.refcount == live(g)


def tail_is_zero(t: State) -> bool:
    return t.tail == 0


def zero_stays(s: State, t: State) -> bool:
    return s.refcount != 0 or t.refcount == 0


def all_or_nothing(g: Ghost, s: State, t: State) -> bool:
    """A count that was wrong before is not the freeze's fault."""
    if s.refcount != 0 and s.refcount != sum(g.holds):
        return True
    return t.refcount == 0 if frozen(g) else t.refcount == s.refcount


def in_one_rmw(s: State, t: State, rmw: int) -> bool:
    return s.refcount == t.refcount or rmw == 1


def without_rmw(rmw: int) -> bool:
    return rmw == 0


def frozen_and_owed(g: Ghost, t: State) -> bool:
    return frozen(g) and sum(g.holds) > 1 and t.refcount == 0


def spurious(g: Ghost, t: State) -> bool:
    """Two holders with one reference each."""
    return t.refcount == 2 and sum(g.holds) == 2 and all(n <= 1 for n in g.holds)


# What states of one divergence may have in common.


def is_last(s: State) -> bool:
    return s.refcount == 1


# Where counts run away there is nothing more to learn.


def within(s: State) -> bool:
    return 0 <= s.refcount <= min(HOLDERS * REFS, MOST) and s.tail == 0


def show(s: State) -> Mapping[str, str]:
    return {"refcount": str(s.refcount), "tail": str(s.tail)}


WHO = {"who": tuple(range(HOLDERS))}
ALL = min(HOLDERS * REFS, 64)
NR = tuple(range(1, min(REFS, 16) + 1))
# Few, the neighbours of powers of two, and the limits of an int.
FAR = (1, 2, 3, 4, 127, 128, 2**16 - 1, 2**16, 2**16 + 1, 2**24, 2**29, 2**30 - 1, 2**30)
FAR_COUNTS = (*FAR, 2**31 - 2, 2**31 - 1)
HEAD = "w->compound.page"
TAIL = "&w->compound.page[1]"
FOLIO = "&w->compound.folio"


def by_page_and_folio(name: str, arguments: str, *domains: str, **said: Any) -> tuple[Operation, ...]:
    """The two names that the header has for one thing: page_ref_*() of the head, folio_ref_*()."""
    page = changing(f"page_{name}", f"{HEAD}{arguments}", *domains, **said)
    return page, changing(f"folio_{name}", f"{FOLIO}{arguments}", *domains, through=page.name, **said)


DOMAINS = {
    "nr": (NR, FAR),
    "v": (NR, FAR),
    "count": (tuple(range(1, ALL + 1)), FAR_COUNTS),
    "u": (tuple(range(ALL + 1)), (0, *FAR)),
}


def changing(name: str, arguments: str, *domains: str, **said: Any) -> Operation:
    """One function that may change the count, called by each holder."""
    near = {d: DOMAINS[d][0] for d in domains}
    far = {d: DOMAINS[d][1] for d in domains}
    return Operation(name, f"{name}({arguments})", WHO | near, far, **said)


def reading(name: str, thing: str, returns: Callable[..., int], of: str = "") -> Operation:
    """One function that reads a count and changes nothing."""
    return Operation(name + of, f"{name}({thing})", kind="probe", model=same, returns=returns)


SUB = {"when": sub_when, "model": sub_model, "ghost": sub_ghost}
DEC = {"when": dec_when, "model": dec_model, "ghost": dec_ghost}
INC = {"when": inc_when, "model": inc_model, "ghost": inc_ghost}
TRY_ADD = {"when": room, "model": try_add_model, "returns": try_add_returns, "ghost": try_add_ghost}
TRY_GET = {
    "when": try_get_when, "model": try_get_model, "returns": try_add_returns, "ghost": try_get_ghost,
}  # fmt: skip
UNLESS = {
    "when": add_unless_when, "model": add_unless_model,
    "returns": add_unless_returns, "ghost": add_unless_ghost,
}  # fmt: skip
FREEZE = {"when": freeze_when, "model": freeze_model, "returns": freeze_returns, "ghost": freeze_ghost}
UNFREEZE = {"when": unfreeze_when, "model": unfreeze_model, "warns": counted, "ghost": unfreeze_ghost}

FIRST = (
    changing("set_page_count", f"{HEAD}, v", "v", when=set_when, model=set_model, ghost=set_ghost),
    changing("folio_set_count", f"{FOLIO}, v", "v", when=set_when, model=set_model, ghost=set_ghost),
    changing("init_page_count", HEAD, when=init_when, model=init_model, ghost=init_ghost),
)
MORE = (
    *by_page_and_folio("ref_add", ", nr", "nr", when=add_when, model=add_model, ghost=add_ghost),
    *by_page_and_folio("ref_inc", "", **INC),
    *by_page_and_folio("ref_inc_return", "", returns=inc_returns, **INC),
)
FEWER = (
    *by_page_and_folio("ref_sub", ", nr", "nr", **SUB),
    changing("page_ref_sub_return", f"{HEAD}, nr", "nr", returns=sub_returns, optional=True, **SUB),
    changing("folio_ref_sub_return", f"{FOLIO}, nr", "nr", returns=sub_returns, **SUB),
    *by_page_and_folio("ref_sub_and_test", ", nr", "nr", returns=sub_is_last, **SUB),
    *by_page_and_folio("ref_dec", "", **DEC),
    *by_page_and_folio("ref_dec_and_test", "", returns=dec_is_last, **DEC),
    *by_page_and_folio("ref_dec_return", "", returns=dec_returns, **DEC),
)
# Until 6.12 the count that is left alone is an argument, of which no caller gave another than zero.
TRIES = (
    changing("folio_try_get", FOLIO, **TRY_GET),
    changing("folio_try_get_rcu", FOLIO, optional=True, **TRY_GET),
    changing("folio_ref_try_add", f"{FOLIO}, nr", "nr", optional=True, **TRY_ADD),
    changing("folio_ref_try_add_rcu", f"{FOLIO}, nr", "nr", optional=True, **TRY_ADD),
    *by_page_and_folio("ref_add_unless_zero", ", nr", "nr", optional=True, **TRY_ADD),
)
UNLESSES = by_page_and_folio("ref_add_unless", ", nr, u", "nr", "u", optional=True, **UNLESS)
ON_TAIL = tuple(
    Operation(f"{name}/tail", f"{name}({TAIL}, {rest})", model=same, returns=never, optional=True)
    for name, rest in (("page_ref_add_unless", "1, 0"), ("page_ref_add_unless_zero", "1"))
)
FREEZES = by_page_and_folio("ref_freeze", ", count", "count", **FREEZE)
UNFREEZES = by_page_and_folio("ref_unfreeze", ", count", "count", **UNFREEZE)
READS = (
    reading("page_ref_count", HEAD, of_folio),
    reading("page_ref_count", TAIL, of_tail, "/tail"),
    reading("folio_ref_count", FOLIO, of_folio),
    reading("page_count", HEAD, of_folio),
    reading("page_count", TAIL, of_folio, "/tail"),
)
UNFREEZE_CALLS = (("page_ref_unfreeze", HEAD), ("folio_ref_unfreeze", FOLIO))
MISUSES = (
    *(
        Operation(
            f"{name}/not-frozen",
            f"{name}({thing}, count)",
            {"count": (1, 2)},
            kind="misuse",
            title=f"{name} of a folio with references",
            when=counted,
            warns=always,
        )
        for name, thing in UNFREEZE_CALLS
    ),
    *(
        Operation(
            f"{name}/none",
            f"{name}({thing}, 0)",
            kind="misuse",
            title=f"{name} with a count of zero",
            when=is_zero,
            warns=always,
        )
        for name, thing in UNFREEZE_CALLS
    ),
    # "Clear PageTail before unfreezing page refcount."
    Operation(
        "page_ref_unfreeze/tail",
        f"page_ref_unfreeze({TAIL}, 1)",
        kind="misuse",
        title="page_ref_unfreeze of a tail page of a folio with references",
        when=counted,
        warns=always,
    ),
)


def names(*groups: tuple[Operation, ...]) -> tuple[str, ...]:
    """The operations' names."""
    return tuple(op.name for group in groups for op in group)


CLAIMS = (
    Claim(
        "count-is-the-references",
        "always",
        "the count is the number of references that are held, and zero while the folio is frozen",
        # include/linux/page_ref.h, folio_ref_count()
        "Return: The number of references to this folio.",
        count_is_references,
    ),
    Claim(
        "tail-stays-zero",
        "always",
        "no call changes the count of a tail page",
        # Documentation/mm/transhuge.rst
        "->_refcount in tail pages is always zero: get_page_unless_zero() never succeeds on tail pages.",
        tail_is_zero,
    ),
    Claim(
        "zero-is-left-alone",
        "always",
        "nothing that tries to get a reference revives a folio that is free or frozen",
        # include/linux/mm.h, get_page_unless_zero()
        "Try to grab a ref unless the page has a refcount of zero, return false if that is the case.",
        zero_stays,
        on=names(TRIES, UNLESSES),
    ),
    Claim(
        "freeze-takes-all-or-nothing",
        "always",
        "a freeze zeroes the count where it expected every reference, and else leaves it as it was",
        # mm/filemap.c, lockless page cache protocol
        "Freeze the page (by zeroing the refcount if nobody else has a reference)",
        all_or_nothing,
        on=names(FREEZES),
    ),
    Claim(
        "changes-are-atomic",
        "always",
        "what changes a count that others may change as well is one atomic read-modify-write",
        # include/linux/page_ref.h, folio_ref_count()
        "Temporary refcounts are gained by threads which need a temporary reference to make sure the folio "
        "isn't reallocated while they use it.",
        in_one_rmw,
        on=names(MORE, FEWER, TRIES, UNLESSES, FREEZES),
    ),
    Claim(
        "unfreeze-needs-no-atomic",
        "always",
        "unfreezing is a plain store: nobody else may change a count of zero",
        # mm/vmscan.c, remove_mapping()
        "Unfreezing the refcount with 1 effectively drops the pagecache ref for us without requiring another "
        "atomic operation.",
        without_rmw,
        on=names(UNFREEZES),
    ),
    Claim(
        "frozen-with-references",
        "possible",
        "a folio is frozen while more than one reference to it is owed",
        # include/linux/page_ref.h, folio_ref_count()
        "some parts of the kernel freeze folios in order to perform unusual operations on them such as "
        "splitting or migration.",
        frozen_and_owed,
    ),
    Claim(
        "spurious-reference",
        "possible",
        "somebody else has a reference to a folio of which its holder has one",
        # include/linux/page_ref.h, folio_ref_count()
        "it can surprise other users to see the spurious refcount on a freshly allocated folio (eg they may "
        "see a refcount of 2 instead of 1).",
        spurious,
        least={"holders": 2},
    ),
)

CONTRACT = Contract(
    name="page-ref",
    title="page reference counts",
    requires=(
        "page_ref_count",
        "folio_ref_count",
        "page_count",
        "page_ref_add",
        "page_ref_sub_and_test",
        "folio_try_get",
        "page_ref_freeze",
        "page_ref_unfreeze",
    ),
    headers=("linux/mm_types.h", "linux/page-flags.h", "linux/page_ref.h"),
    config={"CONFIG_64BIT": True, "CONFIG_DEBUG_VM": True, "CONFIG_MMU": True},
    world="union { struct folio folio; struct page page[2]; } compound;",
    # The word that says where the head is has other names in other versions, but lru has always its place.
    init=f"""
*(unsigned long *)&w->compound.folio.flags = 1UL << PG_head;
*(unsigned long *)&w->compound.page[1].lru = (unsigned long){HEAD} | 1;
""",
    owns=("compound.page[0]._refcount", "compound.page[1]._refcount"),
    state=State,
    observe={
        "refcount": "atomic_read(&w->compound.page[0]._refcount)",
        "tail": "atomic_read(&w->compound.page[1]._refcount)",
    },
    ghost=Ghost,
    operations=(
        *FIRST, *MORE, *FEWER, *TRIES, *UNLESSES, *ON_TAIL, *FREEZES, *UNFREEZES, *READS, *MISUSES,
    ),
    claims=CLAIMS,
    features=(
        Feature("the folio is free", free),
        Feature("the folio is frozen", frozen),
        Feature("there is one reference", is_last),
    ),
    threads=Threads(
        {
            "page_ref_inc": {},
            "page_ref_dec_and_test": {},
            "folio_try_get": {},
            "page_ref_freeze": {"count": (1, 2)},
            "page_ref_unfreeze": {"count": (1,)},
        },
        by=("who",),
        lock_free=("refcount",),
        # include/linux/page_ref.h, page_ref_freeze(): what it has to keep others from
        sentence="Freeze the page (by zeroing the refcount if nobody else has a reference)",
    ),
    symmetry=Symmetry(
        tuple(range(HOLDERS)), ids=(), tuples=("holds", "froze"), arguments=("who",), member="holder"
    ),
    walk={"holders": 4, "refs": 2**30},
    within=within,
    show=show,
    not_checked=(
        "memory ordering: what atomic_set_release() in unfreeze and the barriers of freeze promise others",
        "values that misuse leaves behind (only whether it warns is judged)",
        "counts that overflow an int, and references that nobody drops",
        "tracepoints: page_ref_tracepoint_active() is false",
    ),
)  # fmt: skip
