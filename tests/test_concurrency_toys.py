# SPDX-License-Identifier: GPL-2.0-only
"""Calls as threads, whole command lines on small patches that no contract is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel_snippets import BUNDLED_PATCH
from tests.cli import ONE, Done, kconform
from tests.planted import plant
from tests.planted_threads import DEFECTS

HEAD = """From: a
Subject: [PATCH] a toy

diff --git a/include/linux/toy.h b/include/linux/toy.h
--- a/include/linux/toy.h
+++ b/include/linux/toy.h
@@ -1,1 +1,{lines} @@
 #pragma once
"""
ALONE = ("--walk", "0", "--no-sanitizers")


def toy(code: str) -> str:
    """A mail that adds C to a header."""
    lines = ["#include <linux/atomic.h>", "#include <linux/spinlock.h>", "#include <linux/bit_spinlock.h>",
             *code.strip().splitlines()]  # fmt: skip
    return HEAD.format(lines=len(lines) + 1) + "".join(f"+{line}\n" for line in lines)


def woven(code: str, *options: str) -> Done:
    return kconform("check", "-", *ALONE, "--interleave", "2x1", *options, stdin=toy(code))


HAND_MADE = """
struct toy {{ unsigned long word; int n; }};
static inline void toy_add(struct toy *t)
{{
	while ({take})
		cpu_relax();
	t->n++;
	{give};
}}
"""
GIVE = "__bit_spin_unlock(0, &t->word)"
TRIES = {
    "bit_spin_trylock": "!bit_spin_trylock(0, &t->word)",
    "test_and_set_bit_lock": "test_and_set_bit_lock(0, &t->word)",
    "cmpxchg": "cmpxchg_acquire(&t->word, 0, 1)",
}


@pytest.mark.parametrize("way", TRIES)
def test_a_lock_made_by_hand_is_one(way: str) -> None:
    done = woven(HAND_MADE.format(take=TRIES[way], give=GIVE), "--excuse", "value-unchanged")
    assert "FINDING" not in done.out and "threads of derived" in done.out


def test_a_lock_made_by_hand_that_is_let_go_twice_is_found() -> None:
    done = woven(HAND_MADE.format(take=TRIES["cmpxchg"], give=f"{GIVE}; {GIVE}"))
    assert "FINDING concurrency/locks" in done.out or "also concurrency/locks" in done.out


def test_a_lock_made_by_hand_without_an_acquire_races() -> None:
    done = woven(HAND_MADE.format(take="cmpxchg_relaxed(&t->word, 0, 1)", give=GIVE))
    assert "concurrency/race/toy_add" in done.out and "t.n" in done.out


LOST = """
struct toy { int hits; };
static inline void toy_hit(struct toy *t)
{
	WRITE_ONCE(t->hits, READ_ONCE(t->hits) + 1);
}
"""


def test_a_lost_update_is_told_with_its_lines_and_what_is_assumed() -> None:
    done = woven(LOST)
    assert done.status == 1
    assert "FINDING concurrency/results  include/linux/toy.h:8\n" in done.out
    assert "hits is 1, one after the other it is 2; that they should is assumed" in done.out


def test_what_only_returns_can_tell_is_told() -> None:
    done = woven("""
struct toy { int pending; int idle; };
static inline int toy_queue(struct toy *t) { WRITE_ONCE(t->pending, 1); return READ_ONCE(t->idle); }
static inline int toy_sleep(struct toy *t) { WRITE_ONCE(t->idle, 1); return READ_ONCE(t->pending); }
""")
    said = done.out.replace("\n    ", " ")
    assert (
        "none gives all of them: toy_queue() of thread 0 returns 1, toy_sleep() of thread 1 returns 1" in said
    )


def test_calls_that_never_meet_are_named() -> None:
    done = woven("""
struct toy { int v; };
static inline int toy_get(struct toy *t)
{
	int old = READ_ONCE(t->v);

	if (!old)
		return 0;
	WRITE_ONCE(t->v, old + 1);
	return 1;
}
""")
    assert "calls that meet: in none of 4 scenarios do two touch the same memory to write it" in done.out


def test_locks_have_the_names_that_the_patch_gives_them() -> None:
    done = woven("""
struct toy { spinlock_t a; spinlock_t b; };
static inline void toy_ab(struct toy *t)
{
	spin_lock(&t->a);
	spin_lock(&t->b);
	spin_unlock(&t->b);
	spin_unlock(&t->a);
}
static inline void toy_ba(struct toy *t)
{
	spin_lock(&t->b);
	spin_lock(&t->a);
	spin_unlock(&t->a);
	spin_unlock(&t->b);
}
""")
    assert "FINDING concurrency/deadlock" in done.out and "kc_held" not in done.out
    assert "waits: b is 1" in done.out and "waits: a is 1" in done.out


def test_without_interleave_a_derived_contract_says_that_nothing_ran_at_once() -> None:
    done = kconform("check", "-", *ALONE, stdin=toy(LOST))
    assert (
        "calls at the same time: no contract says which may meet; --interleave 2x1 runs any two" in done.out
    )


def test_delayed_stores_are_not_early_reads() -> None:
    done = woven(LOST, "--memory-model", "relaxed")
    assert "reads made early, as where smp_rmb() is forgotten: stores alone are delayed" in done.out


@pytest.mark.parametrize("option", [("--memory-model", "tso"), ("--stress", "1")])
def test_what_needs_threads_is_refused_without_them(option: tuple[str, str]) -> None:
    done = kconform("check", BUNDLED_PATCH, "--interleave", "off", *option)
    assert done.status == 2 and "--interleave off: nothing runs at the same time" in done.err


def test_the_race_of_what_a_lock_is_for_is_shown_before_that_of_the_lock(tmp_path: Path) -> None:
    done = kconform("check", "-", *ONE, *ALONE, stdin=plant(*DEFECTS["lock not taken in sub"][0]))
    race = done.out[done.out.index("concurrency/race/") :]
    assert "read-modify-write" not in race.partition("pairs of places")[0]
