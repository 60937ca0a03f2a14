# SPDX-License-Identifier: GPL-2.0-only
"""Functions that no contract covers: what is derived of them, and what a check says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.derive.derive import derive
from harness.derive.functions import coverable
from harness.derive.words import evaluated
from harness.errors import HarnessError
from harness.loading import load
from kernel_snippets import BUNDLED_PATCH
from tests.cli import Done, kconform
from tests.mails import items_of
from tests.mini_kernel import mini_kernel

HEAD = """#ifndef _LINUX_TOY_H
#define _LINUX_TOY_H

#include <linux/types.h>
#include <linux/spinlock.h>
#include <linux/atomic.h>
#include <linux/mmdebug.h>

#define TOY_MAX 7

enum toy_kind { TOY_RED, TOY_GREEN = 40 };

struct toy_owner {
	int users;
};

struct toy {
	spinlock_t lock;
	atomic_t count;
	bool ready;
	unsigned int low : 3, high : 5;
	int from;
	struct toy_owner *owner;
};
"""
SOUND = """
static inline int toy_add(struct toy *toy, int nr)
{
	spin_lock(&toy->lock);
	VM_WARN_ON_ONCE(nr < 0);
	if (nr == TOY_MAX)
		return -1;	/* with the lock held */
	atomic_add(nr, &toy->count);
	toy->low++;
	toy->from = nr;
	spin_unlock(&toy->lock);
	return atomic_read(&toy->count);
}

static inline struct toy_owner *toy_owner(struct toy *toy)
{
	return toy->owner->users > 3 ? NULL : toy->owner;
}

static inline u32 toy_bit(unsigned int nr)
{
	return 1U << nr;
}
"""
FAULTY = """
static inline u32 toy_kind_bit(enum toy_kind kind)
{
	return 1U << kind;
}

static inline void toy_wait(struct toy *toy)
{
	while (!READ_ONCE(toy->ready))
		;
}

static inline void toy_twice(struct toy *toy)
{
	spin_lock(&toy->lock);
	spin_lock(&toy->lock);
}
"""
UNKNOWABLE = """
static inline void toy_each(struct toy *toy, void (*call)(struct toy *toy))
{
	call(toy);
}

static inline void toy_say(const char *text, ...)
{
}

static inline void toy_halt(struct toy *toy)
{
	asm volatile("hlt");
}
"""


def diff(*parts: str, subject: str = "") -> str:
    """A patch that adds a header of these parts."""
    lines = "".join([*parts, "\n#endif\n"]).split("\n")[:-1]
    added = "\n".join(f"+{line}" for line in lines)
    head = f"From: a@b\nSubject: {subject}\n\nToys.\n\n" if subject else ""
    return (f"{head}diff --git a/include/linux/toy.h b/include/linux/toy.h\nnew file mode 100644\n"
            f"--- /dev/null\n+++ b/include/linux/toy.h\n@@ -0,0 +1,{len(lines)} @@\n{added}\n")  # fmt: skip


@pytest.fixture(scope="module")
def faulty() -> Done:
    return kconform("check", "-", stdin=diff(HEAD, SOUND, FAULTY, UNKNOWABLE))


def test_what_is_wrong_whatever_the_objects_is_found(faulty: Done) -> None:
    assert (faulty.status, faulty.err) == (1, "")
    findings = {line.split()[1] for line in faulty.out.splitlines() if line.startswith("FINDING")}
    assert findings == {
        "crash/toy_wait", "crash/toy_twice", "sanitizer/toy_kind_bit/shift-out-of-bounds"
    }  # fmt: skip
    said = " ".join(faulty.out.split())
    assert "it waits for a lock that nobody will release, which it took itself" in said
    assert "toy_kind_bit(kind=40)" in said and "shift exponent 40 is too large" in said
    assert "endless loop, unless it waits for another CPU" in said


def test_what_made_up_calls_reach_is_said_and_no_finding(faulty: Done) -> None:
    reached = " ".join(faulty.out.partition("reached, no findings")[2].partition("passed in all")[0].split())
    assert "VM_WARN_ON_ONCE(nr < 0), by toy_add(nr=-1)" in reached
    assert "left held, by toy_add(nr=0) after toy_add(nr=7)" in reached
    assert "shift exponent 4294967295 is too large" in reached and "by toy_bit(nr=4294967295)" in reached


def test_the_report_says_that_there_is_no_model_and_what_is_left_out(faulty: Done) -> None:
    said = " ".join(faulty.out.split())
    assert "no contract fits: derived from 6 functions of the patch, without a model" in said
    assert "kconform contract --derive writes it out" in said
    assert "toy_each: nothing is derived of it: call is a callback" in said
    assert "toy_say: nothing is derived of it: it takes any number of arguments" in said
    assert "toy_halt: nothing is derived of it:" in said and "inline assembly" in said
    assert max(map(len, faulty.out.splitlines())) <= 110
    assert "passed claims" not in faulty.out


def test_sound_functions_pass_and_nothing_is_judged_emptily() -> None:
    done = kconform("check", "-", "--format", "json", "--bound", "calls=2", stdin=diff(HEAD, SOUND))
    said = done.json
    assert (done.status, done.failed(), said["bounds"]["calls"]) == (0, set(), 2)
    assert {c["group"] for c in said["checks"]} == {"crash", "sanitizer"}
    assert all(c["judged"] > 0 for c in said["checks"] if c["verdict"] == "pass")
    # A call that does not always come back, if only made up, is no pass either.
    assert "crash/toy_add" not in {c["id"] for c in said["checks"]}
    warned = next(c for c in said["reached"] if c["id"] == "reached/toy_add/made-up/warnings")
    assert warned["where"] == {"file": "include/linux/toy.h", "line": 29}
    assert said["derived"].startswith("no contract fits") and said["explored"]["complete"]


def test_a_contract_is_written_out_and_is_one(tmp_path: Path) -> None:
    path = tmp_path / "toy.py"
    patch = diff(HEAD, SOUND, UNKNOWABLE, subject='[PATCH] a """ \\ quoted toy')
    done = kconform("contract", "--derive", "-", "-o", path, stdin=patch)
    assert done.status == 0 and done.err.count("\n") == 3 and "note: toy_each: nothing is" in done.err
    text = path.read_text()
    assert "What a contract by hand has more" in text and "call is a callback" in text
    contract = load(path, {}).contract
    assert contract.world.split("\n")[1:3] == ["struct toy toy;", "struct toy_owner owner;"]
    assert "&w->toy.owner = &w->owner;" in contract.init
    assert contract.observe["owner"] == "kc_which(w->toy.owner)"
    assert contract.observe["count"] == "atomic_read(&w->toy.count)"
    assert {"lock_held", "low", "from_", "users"} <= contract.observe.keys() and len(contract.observe) == 6
    assert not any("low" in lvalue for lvalue in contract.owns)  # a bitfield has no size
    operations = {op.name: op for op in contract.operations}
    assert operations["toy_add"].args["nr"] == (0, 1, 2) and operations["toy_add"].observed
    assert {-1, 6, 7, 8, 2**31 - 1, -(2**31)} <= set(operations["toy_add/made-up"].args["nr"])
    assert operations["set low"].kind == "setup" and "set lock_held" not in operations
    assert operations["toy_add/made-up"].doubtful and not operations["toy_add"].doubtful
    used = kconform("check", "-", "--contract", path, "--walk", "0", "--no-sanitizers", stdin=patch)
    assert used.status == 0 and "derived from 3 functions" in used.out


def test_functions_by_name_and_none() -> None:
    one = kconform("contract", "--derive", "-", "--function", "toy_bit", stdin=diff(HEAD, SOUND))
    assert 'requires=("toy_bit",)' in one.out and "toy_add" not in one.out
    left = kconform("check", "-", stdin=diff(HEAD, UNKNOWABLE))
    assert left.status == 2 and left.err.count("\n") == 1 and "toy_each: call is a callback" in left.err
    assert left.err.startswith("kconform: error: nothing can be derived: ")
    with pytest.raises(HarnessError, match="nosuch: the revision does not define it whole"):
        derive(items_of(BUNDLED_PATCH), ["nosuch"], {})
    assert derive(items_of(BUNDLED_PATCH), [], {}) == ()


def test_headers_of_a_tree(tmp_path: Path) -> None:
    kernel = mini_kernel(tmp_path / "linux")
    done = kconform("contract", "--derive", "--tree", kernel, "include/linux/counter.h")
    assert done.status == 0 and "counter_halt: nothing is derived of it" in done.err
    assert "struct counter c;" in done.out and "counter_full(&w->c)" in done.out
    assert "*(const void **)(void *)&w->c.owner = &w->owner;" in done.out


def test_the_bundled_patch_without_its_contracts(tmp_path: Path) -> None:
    items = items_of(BUNDLED_PATCH)
    functions = coverable(items, {}, frozenset({"mm_alloc_id", "mm_free_id"}))
    assert "folio_add_large_mapcount" in functions and "mm_alloc_id" not in functions
    (made,) = derive(items, functions, {}, calls=1, settings=1)
    assert (made.name, made.functions, dict(made.left_out)) == ("derived", functions, {})
    assert made == derive(items, functions, {}, calls=1, settings=1)[0]
    path = tmp_path / "derived.py"
    path.write_text(made.text)
    loaded = load(path, {})
    assert {"large_mapcount", "mm_ids", "vm_mm", "mm_id"} <= loaded.contract.observe.keys()
    assert loaded.bounds == {"settings": 1, "calls": 1}
    assert loaded.contract.config["CONFIG_MM_ID"]


def test_many_functions_are_several_contracts() -> None:
    items = items_of(BUNDLED_PATCH)
    functions = coverable(items, {}, frozenset())
    from harness.derive import derive as module

    before, module.FUNCTIONS = module.FUNCTIONS, 6
    try:
        found = derive(items, functions, {})
    finally:
        module.FUNCTIONS = before
    assert len(found) >= 3 and len({made.name for made in found}) == len(found)
    assert sorted(f for made in found for f in made.functions) == sorted(functions)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x10UL", 16),
        ("(1UL << 20) - 1", (1 << 20) - 1),
        ("BIT(ONE + 2)", 8),
        ("010", 8),
        ("~0", -1),
        ("1 << 4000", None),
        ("f(1)", None),
        ("__import__('os')", None),
        ("(" * 150, None),
        ("1 / 2", None),
        ("'a'", None),
    ],
)
def test_constants_are_folded_and_nothing_else_is_run(text: str, value: int | None) -> None:
    assert evaluated(text, {"ONE": 1}) == value
