# SPDX-License-Identifier: GPL-2.0-only
"""The shims against the documented semantics, compiled as a subject is."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cffi import FFI
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from harness.build import DIALECT, WARNINGS, run_compiler
from kernel_snippets import INCLUDE, ROOT
from tests.shim_subject import DEBUG_VM, gcc, load

SOURCE = """
#include <linux/atomic.h>
#include <linux/bit_spinlock.h>
#include <linux/mm.h>
EXPORT unsigned int warned(void) { return kc_record.warnings; }
EXPORT unsigned int rmw(void) { unsigned int n = kc_record.rmw; kc_record.rmw = 0; return n; }
EXPORT const char *text(void) { return kc_record.first->condition; }
EXPORT int line(void) { return kc_record.first->line; }
EXPORT const char *file(void) { return kc_record.first->file; }
EXPORT void reset(void) { kc_record.warnings = 0; kc_record.rmw = 0; }
static int stopped;
static unsigned long *held;
static void stop(int why, const struct kc_site *site) { stopped = why; *held = 0; }
EXPORT int lock_held(void)
{
	unsigned long word = 1ul << 5;

	held = &word;
	kc_record.stop = stop;
	bit_spin_lock(5, &word);
	return word == 1ul << 5 ? stopped : -1;
}
EXPORT int locks(unsigned long rest)
{
	unsigned long word = rest & ~(1ul << 63);
	int ok = bit_spin_trylock(63, &word) && bit_spin_is_locked(63, &word);

	ok = ok && !bit_spin_trylock(63, &word);
	__bit_spin_unlock(63, &word);
	return ok && word == (rest & ~(1ul << 63));
}
EXPORT void unlock_free(void) { unsigned long word = 0; __bit_spin_unlock(3, &word); }
EXPORT int warn(int x)
{
#line 77 "include/linux/x.h"
	return VM_WARN_ON_ONCE(x > 1);
}
EXPORT int add(int old, int i, int *out)
{
	atomic_t v = ATOMIC_INIT(old);
	int got[6], n = 0;
	got[n++] = atomic_add_return(i, &v); atomic_set(&v, old);
	got[n++] = atomic_fetch_sub(i, &v); out[1] = atomic_read(&v); atomic_set(&v, old);
	got[n++] = atomic_add_unless(&v, i, 1); out[2] = atomic_read(&v); atomic_set(&v, old);
	got[n++] = atomic_sub_and_test(i, &v); atomic_set(&v, old);
	got[n++] = atomic_cmpxchg(&v, i, 7); out[3] = atomic_read(&v);
	for (n = 0; n < 5; n++)
		out[4 + n] = got[n];
	return 0;
}
#define BITOP(name) EXPORT int do_##name(long nr, unsigned long *p) { return name(nr, p); }
#define VOIDOP(name) EXPORT int do_##name(long nr, unsigned long *p) { name(nr, p); return 0; }
BITOP(test_bit) BITOP(test_and_set_bit) BITOP(test_and_clear_bit) BITOP(test_and_change_bit)
BITOP(test_and_set_bit_lock) BITOP(__test_and_set_bit) BITOP(__test_and_clear_bit)
VOIDOP(set_bit) VOIDOP(clear_bit) VOIDOP(change_bit) VOIDOP(__set_bit) VOIDOP(__clear_bit)
VOIDOP(__change_bit) VOIDOP(clear_bit_unlock) VOIDOP(__clear_bit_unlock)
"""
BITOPS = [f"do_{n}" for n in (
    "test_bit test_and_set_bit test_and_clear_bit test_and_change_bit test_and_set_bit_lock "
    "__test_and_set_bit __test_and_clear_bit set_bit clear_bit change_bit __set_bit __clear_bit "
    "__change_bit clear_bit_unlock __clear_bit_unlock").split()]  # fmt: skip


DECLARATIONS = (
    "unsigned warned(void); unsigned rmw(void); const char *text(void); int line(void);"
    "const char *file(void); void reset(void); int lock_held(void); int locks(unsigned long);"
    "void unlock_free(void); int warn(int); int add(int, int, int *);"
    + "".join(f"int {name}(long, unsigned long *);" for name in BITOPS)
)


@pytest.fixture(scope="module")
def shims(tmp_path_factory: pytest.TempPathFactory) -> tuple[FFI, Any]:
    return load(tmp_path_factory.mktemp("shims"), DECLARATIONS, SOURCE)


def test_bit_operations_on_every_bit(shims: tuple[FFI, Any]) -> None:
    ffi, lib = shims
    for name, nr, fill in itertools.product(BITOPS, range(128), (0, 2**64 - 1)):
        words = ffi.new("unsigned long[2]", [fill, fill])
        bit, at = 1 << nr % 64, nr // 64
        was = bool(fill & bit)
        now = {"set": True, "clear": False, "change": not was}.get(
            next((w for w in ("set", "clear", "change") if w in name), ""), was
        )
        lib.rmw()
        got = getattr(lib, name)(nr, words)
        assert got == (was if "test" in name else 0), name
        assert words[at] == (fill & ~bit | (bit if now else 0)), name
        assert words[1 - at] == fill
        atomic = "__" not in name and name != "do_test_bit"
        assert lib.rmw() == atomic, name


def wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def test_atomics_at_the_edges(shims: tuple[FFI, Any]) -> None:
    ffi, lib = shims
    edges = (0, 1, -1, 2, 2**31 - 1, -(2**31))
    for old, i in itertools.product(edges, edges):
        out = ffi.new("int[9]")
        lib.add(old, i, out)
        assert out[4] == wrap(old + i)
        assert (out[5], out[1]) == (old, wrap(old - i))
        assert (out[6], out[2]) == ((0, 1) if old == 1 else (1, wrap(old + i)))
        assert out[7] == (wrap(old - i) == 0)
        assert (out[8], out[3]) == (old, 7 if old == i else old)


def test_the_bit_spinlock(shims: tuple[FFI, Any]) -> None:
    _, lib = shims
    assert lib.lock_held() == 1  # KC_STOP_DEADLOCK
    assert all(lib.locks(rest) for rest in (0, 2**64 - 1, 2**62, 0x5555))
    lib.reset()
    lib.unlock_free()
    assert lib.warned() == 1


def test_warnings_record_text_and_line_of_the_patch(shims: tuple[FFI, Any], tmp_path: Path) -> None:
    ffi, lib = shims
    lib.reset()
    assert lib.warn(1) == 0 and lib.warned() == 0
    assert lib.warn(2) == 1 and lib.warn(3) == 1 and lib.warned() == 2
    assert ffi.string(lib.text()) == b"x > 1"
    assert (ffi.string(lib.file()), lib.line()) == (b"include/linux/x.h", 77)
    _, quiet = load(tmp_path, DECLARATIONS, SOURCE, flags=())
    assert quiet.warn(2) == 0 and quiet.warned() == 0


def test_every_header_compiles_alone(tmp_path: Path) -> None:
    for header in INCLUDE.rglob("*.h"):
        (tmp_path / "one.c").write_text(f"#include <{header.relative_to(INCLUDE)}>\n")
        for flag in ("-DCONFIG_DEBUG_VM=1", "-UCONFIG_DEBUG_VM"):
            arguments = [*DIALECT, *WARNINGS, "-Werror", "-DCONFIG_64BIT=1", flag, "-I", INCLUDE]
            status, output = run_compiler([*arguments, "-c", "one.c"], tmp_path)
            assert status == 0, output


# Headers, with more warnings than a subject gets, alone and in any order.

HEADERS = sorted(str(path.relative_to(INCLUDE)) for path in INCLUDE.rglob("*.h"))
CONFIGS = {"vm": DEBUG_VM, "no-vm": (), "pgflags": (*DEBUG_VM, "-DCONFIG_DEBUG_VM_PGFLAGS=1")}


def includes(names: list[str]) -> str:
    return "".join(f"#include <{name}>\n" for name in names)


@pytest.mark.parametrize("flags", CONFIGS.values(), ids=CONFIGS)
def test_every_header_compiles_alone_with_extra_warnings(flags: tuple[str, ...]) -> None:
    for name in HEADERS:
        assert gcc(includes([name]), "-fsyntax-only", flags=flags) == "", name


@pytest.mark.parametrize("seed", range(5))
def test_headers_compile_in_any_order(seed: int) -> None:
    names = HEADERS * 2
    random.Random(seed).shuffle(names)
    assert gcc(includes(names), "-fsyntax-only") == ""


@pytest.mark.parametrize("name", HEADERS)
def test_every_header_says_how_faithful_it_is(name: str) -> None:
    text = (INCLUDE / name).read_text()
    assert text.startswith("/* SPDX-License-Identifier: GPL-2.0-only */\n")
    if name != "kconform/record.h":  # that is the telling itself
        assert re.search(r"^(/\*| \*) (exact|recording|inert): ", text, re.M)
    assert f"`{name}`" in (ROOT / "README.md").read_text()


def test_a_libc_header_is_not_found() -> None:
    assert "stdio.h: No such file" in gcc("#include <stdio.h>\n", "-fsyntax-only")


# Atomics: every operation of each family, over values where signs, carries and wraps show.

# Old value, i, u -> new value, what the call gives, read-modify-writes.
Model = Callable[[int, int, int], tuple[int, int, int]]
ORDERS = ("", "_acquire", "_release", "_relaxed")
FAMILIES = {
    "atomic": ("atomic_t", "int", 32),
    "atomic64": ("atomic64_t", "s64", 64),
    "atomic_long": ("atomic_long_t", "long", 64),
}
MATH: dict[str, Callable[[int, int], int]] = {
    "add": lambda v, i: v + i,
    "sub": lambda v, i: v - i,
    "and": lambda v, i: v & i,
    "andnot": lambda v, i: v & ~i,
    "or": lambda v, i: v | i,
    "xor": lambda v, i: v ^ i,
}


def signed(value: int, bits: int) -> int:
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def boundary(bits: int) -> list[int]:
    top = 2 ** (bits - 1)
    return [0, 1, -1, 2, -2, 0x55555555, top - 1, -top, top - 2, 1 - top]


def rmw(bits: int, math: Callable[[int, int], int], gives: str, by_one: bool = False) -> Model:
    """The model of one read-modify-write; `gives` says what of it the caller gets."""

    def model(v: int, i: int, u: int) -> tuple[int, int, int]:
        new = signed(math(v, 1 if by_one else i), bits)
        told = {"nothing": 0, "old": v, "new": new, "zero": int(new == 0), "negative": int(new < 0)}
        return new, told[gives], 1

    return model


def unconditional_ops(bits: int) -> Iterator[tuple[str, str, Model]]:
    """Name, what C has after the name, model."""
    for name, math in MATH.items():
        yield name, "(i, p), 0", rmw(bits, math, "nothing")
        for o in ORDERS:
            yield f"fetch_{name}{o}", "(i, p)", rmw(bits, math, "old")
            if name in ("add", "sub"):
                yield f"{name}_return{o}", "(i, p)", rmw(bits, math, "new")
    for name, math in (("inc", MATH["add"]), ("dec", MATH["sub"])):
        yield name, "(p), 0", rmw(bits, math, "nothing", by_one=True)
        yield f"{name}_and_test", "(p)", rmw(bits, math, "zero", by_one=True)
        for o in ORDERS:
            yield f"{name}_return{o}", "(p)", rmw(bits, math, "new", by_one=True)
            yield f"fetch_{name}{o}", "(p)", rmw(bits, math, "old", by_one=True)
    yield "sub_and_test", "(i, p)", rmw(bits, MATH["sub"], "zero")
    for o in ORDERS:
        yield f"add_negative{o}", "(i, p)", rmw(bits, MATH["add"], "negative")
        yield f"xchg{o}", "(p, i)", rmw(bits, lambda v, i: i, "old")
    for o in ("", "_release"):
        yield f"set{o}", "(p, i), 0", lambda v, i, u: (i, 0, 0)
    for o in ("", "_acquire"):
        yield f"read{o}", "(p)", lambda v, i, u: (v, v, 0)


def conditional_ops(bits: int) -> Iterator[tuple[str, str, Model]]:
    def when(due: bool, v: int, by: int, gives: int) -> tuple[int, int, int]:
        return (signed(v + by, bits) if due else v, gives, int(due))

    for o in ORDERS:
        yield f"cmpxchg{o}", "(p, u, i)", lambda v, i, u: (i if v == u else v, v, 1)
        # Where it fails, *old becomes what was seen; where it succeeds, it was that already.
        yield (
            f"try_cmpxchg{o}",
            "(p, &u, i) * 2 + (u == v)",
            lambda v, i, u: (
                i if v == u else v,
                2 * (v == u) + 1,
                1,
            ),
        )
    yield "fetch_add_unless", "(p, i, u)", lambda v, i, u: when(v != u, v, i, v)
    yield "add_unless", "(p, i, u)", lambda v, i, u: when(v != u, v, i, int(v != u))
    yield "inc_not_zero", "(p)", lambda v, i, u: when(v != 0, v, 1, int(v != 0))
    yield "inc_unless_negative", "(p)", lambda v, i, u: when(v >= 0, v, 1, int(v >= 0))
    yield "dec_unless_positive", "(p)", lambda v, i, u: when(v <= 0, v, -1, int(v <= 0))
    yield "dec_if_positive", "(p)", lambda v, i, u: when(v > 0, v, -1, signed(v - 1, bits))


def atomic_ops(bits: int) -> list[tuple[str, str, Model]]:
    return [*unconditional_ops(bits), *conditional_ops(bits)]


def exerciser(prefix: str, name: str, arguments: str) -> str:
    kind, value, _ = FAMILIES[prefix]
    return f"""
EXPORT void t_{prefix}_{name}(long long v_, long long i_, long long u_, long long *out);
void t_{prefix}_{name}(long long v_, long long i_, long long u_, long long *out)
{{
	{value} v = v_, i = i_, u = u_;
	{kind} a = {{ v }}, *p = &a;

	(void)i, (void)u;
	kc_record.rmw = 0;
	out[1] = ({prefix}_{name}{arguments});
	out[0] = a.counter;
	out[2] = kc_record.rmw;
}}
"""


@pytest.fixture(scope="module")
def atomics(tmp_path_factory: pytest.TempPathFactory) -> Any:
    source, declarations = "#include <linux/atomic.h>\n", ""
    for prefix, (_, _, bits) in FAMILIES.items():
        for name, arguments, _ in atomic_ops(bits):
            source += exerciser(prefix, name, arguments)
            declarations += f"void t_{prefix}_{name}(long long, long long, long long, long long *);\n"
    return load(tmp_path_factory.mktemp("atomics"), declarations, source)


@pytest.mark.parametrize("prefix", FAMILIES)
def test_every_atomic_of_a_family(prefix: str, atomics: Any) -> None:
    ffi, lib = atomics
    bits = FAMILIES[prefix][2]
    out = ffi.new("long long[3]")
    for name, arguments, model in atomic_ops(bits):
        run = getattr(lib, f"t_{prefix}_{name}")
        for v, i in itertools.product(boundary(bits), repeat=2):
            for u in {v, i, 0, -1} if "u" in arguments else {0}:
                run(v, i, u, out)
                assert tuple(out) == model(v, i, u), (name, v, i, u)


def check(folder: Path, headers: str, body: str, flags: tuple[str, ...] = DEBUG_VM) -> None:
    """Runs C statements; CHECK(x) fails the test and shows its line of `body`."""
    source = (
        f"{includes(headers.split())}#define CHECK(x) do {{ if (!(x)) return __LINE__; }} while (0)\n"
        f"EXPORT int check(void);\nint check(void)\n{{\n#line 1\n{body}\n\treturn 0;\n}}\n"
    )
    _, lib = load(folder, "int check(void);", source, flags)
    line = lib.check()
    assert line == 0, body.split("\n")[line - 1]


def test_plain_words_are_exchanged(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/atomic.h",
        """
	unsigned char c = 1;
	unsigned long l = 7, old = 6;
	int x = 5, *p = &x;

	CHECK(xchg(&c, 255) == 1 && c == 255 && kc_record.rmw == 1);
	CHECK(!try_cmpxchg(&l, &old, 9) && old == 7 && l == 7 && kc_record.rmw == 2);
	CHECK(try_cmpxchg_acquire(&l, &old, 9) && old == 7 && l == 9);
	CHECK(cmpxchg(&l, 8, 1) == 9 && l == 9 && cmpxchg_release(&l, 9, 1) == 9 && l == 1);
	CHECK(xchg_relaxed(&p, NULL) == &x && !p && kc_record.rmw == 6);
""",
    )


# Places of bits, and the bit operations that the tests above do not have.


def test_places_of_bits(tmp_path: Path) -> None:
    declarations = """
    unsigned long t_ffs(unsigned long); unsigned long t_fls(unsigned long);
    int t_fls64(unsigned long); int t_weight(unsigned long); int t_ffs32(int); int t_fls32(int);
    unsigned long t_next(const unsigned long *, unsigned long, unsigned long);
    unsigned long t_zero(const unsigned long *, unsigned long, unsigned long);
    """
    source = """
#include <linux/bitops.h>
EXPORT unsigned long t_ffs(unsigned long w) { return __ffs(w); }
EXPORT unsigned long t_fls(unsigned long w) { return __fls(w); }
EXPORT int t_fls64(unsigned long w) { return fls64(w); }
EXPORT int t_weight(unsigned long w) { return hweight_long(w); }
EXPORT int t_ffs32(int w) { return ffs(w); }
EXPORT int t_fls32(int w) { return fls(w); }
EXPORT unsigned long t_next(const unsigned long *p, unsigned long n, unsigned long f)
{ return find_next_bit(p, n, f); }
EXPORT unsigned long t_zero(const unsigned long *p, unsigned long n, unsigned long f)
{ return find_next_zero_bit(p, n, f); }
"""
    ffi, lib = load(tmp_path, declarations, source)
    for low, high in itertools.combinations_with_replacement(range(64), 2):
        word = 1 << low | 1 << high
        assert (lib.t_ffs(word), lib.t_fls(word), lib.t_fls64(word)) == (low, high, high + 1)
        assert lib.t_weight(word) == bin(word).count("1")
        half = signed(word, 32)
        assert lib.t_ffs32(half) == (low + 1 if low < 32 else 0)
        assert lib.t_fls32(half) == (half % 2**32).bit_length()
    assert (lib.t_fls64(0), lib.t_weight(2**64 - 1)) == (0, 64)
    chance = random.Random(1)
    for _ in range(2000):
        value = chance.getrandbits(192) & chance.getrandbits(192) & chance.getrandbits(192)
        size, start = chance.randrange(193), chance.randrange(200)
        words = [value >> 64 * k & 2**64 - 1 for k in range(3)]
        want = next((n for n in range(start, size) if value >> n & 1), size)
        assert lib.t_next(ffi.new("unsigned long[3]", words), size, start) == want
        inverse = ffi.new("unsigned long[3]", [word ^ 2**64 - 1 for word in words])
        assert lib.t_zero(inverse, size, start) == want


def test_other_bit_operations(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/bitops.h",
        """
	unsigned long word = 0x81, two[2] = { 0, 4 }, bit, seen = 0;

	CHECK(xor_unlock_is_negative_byte(1, &word) && word == 0x80 && kc_record.rmw == 1);
	CHECK(!xor_unlock_is_negative_byte(0x81, two) && two[0] == 0x81 && kc_record.rmw == 2);
	assign_bit(70, two, 1);
	__assign_bit(7, two, 0);
	CHECK(two[0] == 1 && two[1] == 0x44 && kc_record.rmw == 3);
	CHECK(__test_and_change_bit(70, two) && !__test_and_change_bit(70, two));
	CHECK(test_bit_acquire(70, two) && !test_bit_acquire(71, two) && kc_record.rmw == 3);
	for_each_set_bit(bit, two, 128)
		seen = seen * 100 + bit;
	CHECK(seen == 6670 && ffz(7ul) == 3);
""",
    )


# Locks.

LOCKS = """
#include <linux/bit_spinlock.h>
#include <linux/spinlock.h>
static unsigned long word;
static spinlock_t plain;
static int asked, why_asked;
static void let_go(int why, const struct kc_site *site)
{
	asked++;
	why_asked = why;
	if (asked == 3) {
		word = 0;
		plain.kc_held = 0;
	}
}
EXPORT void held(unsigned long w)
{
	word = w;
	plain.kc_held = !!w;
	asked = 0;
	kc_record = (struct kc_record){ .stop = let_go };
}
EXPORT unsigned long get(void) { return word; }
EXPORT int asks(void) { return asked * 10 + why_asked; }
EXPORT void lock(int nr) { bit_spin_lock(nr, &word); }
EXPORT int attempt(int nr) { return bit_spin_trylock(nr, &word); }
EXPORT void unlock(int nr) { bit_spin_unlock(nr, &word); }
EXPORT void plain_unlock(int nr) { __bit_spin_unlock(nr, &word); }
EXPORT int locked(int nr) { return bit_spin_is_locked(nr, &word); }
EXPORT void spin(void) { spin_lock(&plain); }
EXPORT int spin_attempt(void) { return spin_trylock(&plain); }
EXPORT void spin_release(void) { spin_unlock(&plain); }
EXPORT int spinning(void) { return spin_is_locked(&plain); }
"""


@pytest.fixture(scope="module")
def locks(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load(
        tmp_path_factory.mktemp("locks"),
        "void held(unsigned long); unsigned long get(void); int asks(void); void lock(int);"
        "int attempt(int); void unlock(int); void plain_unlock(int); int locked(int);"
        "void spin(void); int spin_attempt(void); void spin_release(void); int spinning(void);",
        LOCKS,
    )


def test_the_bit_spinlock_on_every_bit(locks: Any) -> None:
    _, lib = locks
    for nr in range(64):
        for rest in (0, (2**64 - 1) ^ 1 << nr):
            lib.held(rest)
            lib.lock(nr)
            assert (lib.get(), lib.locked(nr), lib.record().rmw) == (rest | 1 << nr, 1, 1)
            assert (lib.attempt(nr), lib.record().rmw) == (0, 2)
            lib.unlock(nr)
            assert (lib.get(), lib.locked(nr), lib.record().rmw) == (rest, 0, 3)
            assert lib.attempt(nr) == 1
            lib.plain_unlock(nr)
            assert (lib.get(), lib.record().rmw, lib.record().warnings) == (rest, 4, 0)


def test_a_held_lock_is_said_until_it_is_free(locks: Any) -> None:
    _, lib = locks
    lib.held(1 << 63)
    lib.lock(63)
    assert (lib.asks(), lib.get(), lib.record().rmw) == (31, 1 << 63, 4)
    lib.held(1)
    lib.spin()
    assert (lib.asks(), lib.spinning(), lib.record().rmw) == (31, 1, 4)


@pytest.mark.parametrize("release", ["unlock", "plain_unlock"])
def test_releasing_a_free_bit_is_a_bug(release: str, locks: Any) -> None:
    ffi, lib = locks
    lib.held(2)
    getattr(lib, release)(0)
    assert (lib.record().warnings, lib.record().first.kind, lib.get()) == (1, BUG, 2)
    assert ffi.string(lib.record().first.file).endswith(b"linux/bit_spinlock.h")


def test_the_spinlock(locks: Any) -> None:
    _, lib = locks
    lib.held(0)
    lib.spin()
    assert (lib.spinning(), lib.spin_attempt(), lib.record().rmw) == (1, 0, 2)
    lib.spin_release()
    assert (lib.spinning(), lib.record().warnings) == (0, 0)
    lib.spin_release()
    assert (lib.record().warnings, lib.record().first.kind) == (1, BUG)


# Warnings: every macro.

WARN, VM_WARN, BUG, VM_BUG = range(4)
FORMATTED = ("WARN", "WARN_ONCE", "VM_WARN", "VM_WARN_ONCE")
DUMPED = ("_FOLIO", "_PAGE", "_MM", "_VMA")
PLAIN_VALUE = ("WARN_ON", "WARN_ON_ONCE", "WARN", "WARN_ONCE")
VM_VALUE = (
    "VM_WARN_ON VM_WARN_ON_ONCE VM_WARN VM_WARN_ONCE VM_WARN_ON_PAGE VM_WARN_ON_ONCE_PAGE "
    "VM_WARN_ON_FOLIO VM_WARN_ON_ONCE_FOLIO VM_WARN_ON_ONCE_MM VM_WARN_ON_ONCE_VMA"
).split()
VM_BUGS = "VM_BUG_ON VM_BUG_ON_PAGE VM_BUG_ON_FOLIO VM_BUG_ON_VMA VM_BUG_ON_MM".split()
MACROS = {
    **dict.fromkeys(PLAIN_VALUE, WARN),
    **dict.fromkeys(VM_VALUE, VM_WARN),
    "BUG_ON": BUG,
    **dict.fromkeys(VM_BUGS, VM_BUG),
}


def warners() -> tuple[str, str]:
    """A function for each macro: its value, or 7; counts how often its arguments are evaluated."""
    source, declarations = "#include <linux/mmdebug.h>\n#include <linux/types.h>\n", ""
    for at, macro in enumerate(MACROS):
        prototype = f"int t_{macro}(int n, int *seen)"
        more = ', "%d", args++' if macro in FORMATTED else ", NULL" if macro.endswith(DUMPED) else ""
        value = "told = " if macro in (*PLAIN_VALUE, *VM_VALUE) else ""
        declarations += prototype + ";\n"
        source += (
            f"EXPORT {prototype};\n{prototype}\n{{\n\tint told = 7, args = 0;\n\n"
            f'#line {100 + at} "mm/patch.c"\n\t{value}{macro}(n++ > 1{more});\n'
            "\tseen[0] = n;\n\tseen[1] = args;\n\treturn told;\n}\n"
        )
    return declarations, source


def test_every_warning_is_recorded_with_its_place(tmp_path: Path) -> None:
    ffi, lib = load(tmp_path, *warners())
    seen, record = ffi.new("int[2]"), lib.record()
    for at, (macro, kind) in enumerate(MACROS.items()):
        for n in (2, 1, 3):  # _ONCE fires every time
            record.warnings, record.first, record.last = 0, ffi.NULL, ffi.NULL
            told, fired = getattr(lib, f"t_{macro}")(n, seen), int(n > 1)
            assert told == (fired if macro in (*PLAIN_VALUE, *VM_VALUE) else 7), macro
            assert (record.warnings, list(seen)) == (fired, [n + 1, fired * (macro in FORMATTED)]), macro
            assert record.first == record.last and bool(record.first) == bool(fired)
        site = record.first
        assert (site.kind, site.line, ffi.string(site.macro)) == (kind, 100 + at, macro.encode())
        assert (ffi.string(site.condition), ffi.string(site.file)) == (b"n++ > 1", b"mm/patch.c")


def test_vm_macros_are_only_compiled_without_debug_vm(tmp_path: Path) -> None:
    ffi, lib = load(tmp_path, *warners(), flags=())
    seen, record = ffi.new("int[2]"), lib.record()
    for macro in (*VM_VALUE, *VM_BUGS):
        told = getattr(lib, f"t_{macro}")(5, seen)
        assert (told, record.warnings, list(seen)) == (0 if macro in VM_VALUE else 7, 0, [5, 0]), macro
    unknown = "#include <linux/mmdebug.h>\nvoid f(void) { VM_WARN_ON(nothing); }\n"
    assert "undeclared" in gcc(unknown, "-fsyntax-only", flags=())


def test_first_and_last_warning_are_kept_and_bugs_go_on(tmp_path: Path) -> None:
    body = '#line 5 "a.h"\n\tWARN_ON(WARN_ON(1));\n\tBUG();\n\treturn 3;\n'
    source = f"#include <linux/bug.h>\nEXPORT int go(void);\nint go(void)\n{{\n{body}}}\n"
    ffi, lib = load(tmp_path, "int go(void);", source)
    assert lib.go() == 3
    record = lib.record()
    assert record.warnings == 3
    assert (record.first.line, ffi.string(record.first.condition)) == (5, b"1")
    assert (record.last.line, record.last.kind) == (6, BUG)


# IDs.

IDA = """
#include <linux/idr.h>
static DEFINE_IDA(ids);
static int stopped;
static void stop(int why, const struct kc_site *site) { stopped = why; }
EXPORT int get(unsigned int min, unsigned int max)
{
	return ida_alloc_range(&ids, min, max, GFP_KERNEL);
}
EXPORT int get_any(void) { return ida_alloc(&ids, GFP_KERNEL); }
EXPORT int get_min(unsigned int min) { return ida_alloc_min(&ids, min, GFP_KERNEL); }
EXPORT int get_max(unsigned int max) { return ida_alloc_max(&ids, max, GFP_KERNEL); }
EXPORT void put(unsigned int id) { ida_free(&ids, id); }
EXPORT void take(unsigned int first, unsigned int last) { kc_ida_take(&ids, first, last); }
EXPORT unsigned int count(void) { return kc_ida_count(&ids); }
EXPORT int has(unsigned int id) { return kc_ida_has(&ids, id); }
EXPORT void fail(unsigned int n) { kc_fail_allocations = n; }
EXPORT int empty(void) { return ida_is_empty(&ids); }
EXPORT int stops(void) { int n = stopped; stopped = 0; return n; }
EXPORT unsigned long size(void) { return sizeof(ids); }
EXPORT void *bytes(void) { return &ids; }
EXPORT void reset(void)
{
	ida_destroy(&ids);
	kc_record.warnings = 0;
	kc_record.stop = stop;
	fail(0);
}
EXPORT int fill(unsigned int min, unsigned int max)
{
	for (unsigned int id = min; id <= max; id++)
		if (ida_alloc_range(&ids, min, max, GFP_KERNEL) != id)
			return id;
	return -1;
}
"""
IDA_CALLS = (
    "int get(unsigned, unsigned); int get_any(void); int get_min(unsigned); int get_max(unsigned);"
    "void put(unsigned); void take(unsigned, unsigned); unsigned count(void); int has(unsigned);"
    "void fail(unsigned); int empty(void); int stops(void); unsigned long size(void);"
    "void *bytes(void); void reset(void); int fill(unsigned, unsigned);"
)
ENOMEM, ENOSPC, INT_MAX, RUNS = 12, 28, 2**31 - 1, 20
STOP_SHIM = 4  # KC_STOP_SHIM


@pytest.fixture(scope="module")
def ida(tmp_path_factory: pytest.TempPathFactory) -> tuple[FFI, Any]:
    return load(tmp_path_factory.mktemp("ida"), IDA_CALLS, IDA)


def runs(used: set[int]) -> int:
    return sum(number - 1 not in used for number in used)


def lowest(used: set[int], low: int, high: int) -> int:
    return next((n for n in range(low, min(high, INT_MAX) + 1) if n not in used), -ENOSPC)


def test_every_call_in_every_state_of_a_few_ids(ida: tuple[FFI, Any]) -> None:
    """From each set of IDs every call: the set that follows, and the one image that this set has.

    The same set is the same bytes, so every sequence of calls, of any length, is made of these.
    """
    ffi, lib = ida
    ids = range(8)
    ranges = [(low, high) for low in ids for high in ids]
    lib.reset()
    image = {frozenset[int](): bytes(ffi.buffer(lib.bytes(), lib.size()))}
    assert not any(image[frozenset()])
    todo = [frozenset[int]()]

    def arrive(before: frozenset[int], after: set[int], warnings: int = 0) -> None:
        now = bytes(ffi.buffer(lib.bytes(), lib.size()))
        known = frozenset(after)
        if known not in image:
            todo.append(known)
        assert image.setdefault(known, now) == now, (before, after)
        assert (lib.count(), lib.empty(), lib.stops()) == (len(after), not after, 0)
        assert {n for n in range(10) if lib.has(n)} == after
        assert lib.record().warnings == warnings
        lib.record().warnings = 0
        ffi.memmove(lib.bytes(), image[before], lib.size())

    while todo:
        used = todo.pop()
        ffi.memmove(lib.bytes(), image[used], lib.size())
        for low, high in ranges:
            want = lowest(set(used), low, high)
            for failing in (0, 1):
                lib.fail(failing)
                assert lib.get(low, high) == (-ENOMEM if failing and want >= 0 else want)
                arrive(used, used | ({want} - {-ENOSPC} if not failing else set()))
            lib.fail(0)
            if low <= high and not used & set(range(low, high + 1)):
                lib.take(low, high)
                arrive(used, used | set(range(low, high + 1)))
            else:
                lib.take(low, high)
                assert lib.stops() == STOP_SHIM
                arrive(used, set(used), 1)
        for number in ids:
            lib.put(number)
            arrive(used, used - {number}, number not in used)
            if (want := lowest(set(used), 0, number)) >= 0:
                assert lib.get_max(number) == want
                arrive(used, used | {want})
            if (want := lowest(set(used), number, INT_MAX)) < 8:
                assert lib.get_min(number) == want
                arrive(used, used | {want})
        if (want := lowest(set(used), 0, INT_MAX)) < 8:
            assert lib.get_any() == want
            arrive(used, used | {want})
    assert len(image) == len(set(image.values())) == 2**8


def test_ids_are_the_lowest_free(ida: tuple[FFI, Any]) -> None:
    _, lib = ida

    class Allocator(RuleBasedStateMachine):
        @initialize()
        def fresh(self) -> None:
            lib.reset()
            self.used: set[int] = set()
            self.warned = self.failing = 0

        @rule(
            low=st.sampled_from([0, 1, 60, 2**20, INT_MAX - 2]) | st.integers(0, 200),
            more=st.integers(0, 130),
        )
        def allocate(self, low: int, more: int) -> None:
            want = lowest(self.used, low, low + more)
            if want >= 0 and self.failing:
                self.failing, want = self.failing - 1, -ENOMEM
            elif want >= 0 and runs(self.used | {want}) >= max(RUNS, runs(self.used) + 1):
                want = -ENOMEM
            assert lib.get(low, low + more) == want
            self.used |= {want} - {-ENOSPC, -ENOMEM}

        @rule(low=st.integers(0, 200), more=st.integers(0, 130))
        def others_take(self, low: int, more: int) -> None:
            taken = set(range(low, low + more + 1))
            if not taken & self.used and runs(self.used | taken) < RUNS:
                lib.take(low, low + more)
                self.used |= taken

        @rule(n=st.integers(1, 2))
        def memory_runs_out(self, n: int) -> None:
            lib.fail(n)
            self.failing = n

        @precondition(lambda self: self.used)
        @rule(data=st.data())
        def free(self, data: st.DataObject) -> None:
            number = data.draw(st.sampled_from(sorted(self.used)))
            lib.put(number)
            if runs(self.used - {number}) > RUNS:
                self.warned += 1
                assert lib.stops() == STOP_SHIM
            else:
                self.used.remove(number)

        @rule(number=st.integers(0, 200) | st.sampled_from([2**20, INT_MAX]))
        def free_what_is_free(self, number: int) -> None:
            if number not in self.used:
                lib.put(number)
                self.warned += 1

        @invariant()
        def agrees(self) -> None:
            assert (lib.empty(), lib.count()) == (not self.used, len(self.used))
            assert (lib.record().warnings, lib.stops()) == (self.warned, 0)

    run_state_machine_as_test(
        Allocator, settings=settings(max_examples=80, stateful_step_count=40, deadline=None)
    )


def test_a_million_ids(ida: tuple[FFI, Any]) -> None:
    """All of 1 to 2^20 - 1, with 0 free below them: the search must not start over each time."""
    _, lib = ida
    lib.reset()
    last = 2**20 - 1
    assert lib.fill(1, last) == -1
    assert (lib.get(1, last), lib.count()) == (-ENOSPC, last)
    lib.put(777_777)
    assert (lib.get(1, last), lib.get(1, last)) == (777_777, -ENOSPC)
    assert (lib.get(0, 2**32 - 1), lib.get(0, INT_MAX)) == (0, last + 1)


def test_ids_end_at_int_max(ida: tuple[FFI, Any]) -> None:
    _, lib = ida
    lib.reset()
    assert (lib.get(2**31, 2**32 - 1), lib.get(5, 4)) == (-ENOSPC, -ENOSPC)
    assert lib.get(INT_MAX, 2**32 - 1) == INT_MAX
    assert (lib.get_min(INT_MAX), lib.get(INT_MAX, INT_MAX)) == (-ENOSPC, -ENOSPC)
    assert lib.get_min(INT_MAX - 1) == INT_MAX - 1
    for above in (2**31, 2**32 - 1):  # ignored, not warned of
        lib.put(above)
        assert (lib.has(above), lib.count(), lib.record().warnings) == (0, 2, 0)
    lib.take(0, INT_MAX - 2)
    assert (lib.count(), lib.get_any(), lib.record().warnings) == (2**31, -ENOSPC, 0)
    lib.put(INT_MAX)
    assert (lib.get_any(), lib.stops()) == (INT_MAX, 0)
    lib.reset()
    lib.take(INT_MAX, 2**31)
    assert (lib.count(), lib.record().warnings, lib.stops()) == (0, 1, STOP_SHIM)


def test_ids_that_others_took(ida: tuple[FFI, Any]) -> None:
    """All that a patch may give out but three; they come back one by one."""
    _, lib = ida
    lib.reset()
    lib.take(1, 2**20 - 4)
    assert [lib.get(1, 2**20 - 1) for _ in range(4)] == [*range(2**20 - 3, 2**20), -ENOSPC]
    lib.put(4711)
    lib.put(4712)
    assert (lib.count(), lib.has(4711), lib.has(4713)) == (2**20 - 3, 0, 1)
    assert [lib.get(1, 2**20 - 1) for _ in range(3)] == [4711, 4712, -ENOSPC]
    lib.take(2**20, 2**20)
    assert (lib.count(), lib.record().warnings) == (2**20, 0)


def test_runs_that_run_out(ida: tuple[FFI, Any]) -> None:
    ffi, lib = ida
    lib.reset()
    assert [lib.get(10 * n, 10 * n) for n in range(RUNS - 2)] == [10 * n for n in range(RUNS - 2)]
    lib.take(1000, 1009)
    assert (lib.get(500, 600), lib.get(5000, INT_MAX)) == (-ENOMEM, -ENOMEM)
    assert (lib.get(0, 0), lib.get(0, 600)) == (-ENOSPC, 1)  # beside a run there is room
    lib.take(600, 601)
    assert (lib.stops(), lib.has(600), lib.record().warnings) == (STOP_SHIM, 0, 1)
    lib.put(1003)  # the last run is for this
    assert (lib.stops(), lib.has(1003), lib.get(500, 600)) == (0, 0, -ENOMEM)
    before = bytes(ffi.buffer(lib.bytes(), lib.size()))
    lib.put(1006)
    assert (lib.stops(), lib.has(1006), lib.record().warnings) == (STOP_SHIM, 1, 2)
    assert ffi.string(lib.record().last.condition) == b"ida_free: the shim has no run left"
    assert bytes(ffi.buffer(lib.bytes(), lib.size())) == before
    lib.put(2**20)  # beyond all runs
    assert (lib.stops(), lib.record().warnings) == (0, 3)
    lib.put(0), lib.put(1), lib.put(1004)
    assert (lib.stops(), lib.count()) == (0, RUNS - 3 + 8)
    lib.put(1006)
    assert (lib.stops(), lib.has(1006), lib.size()) == (0, 0, 8 + 8 * RUNS)


# Records, counts, lists and the small headers.


def test_layout(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/mm.h linux/rmap.h",
        """
	struct folio folio = {};

	CHECK(sizeof(struct page) == 64 && sizeof(struct folio) == 192);
	CHECK(offsetof(struct page, _mapcount) == 48 && offsetof(struct page, _refcount) == 52);
	CHECK(offsetof(struct folio, _large_mapcount) == 80);
	CHECK(offsetof(struct folio, _pincount) == 92);
	CHECK(offsetof(struct folio, _nr_pages) == 64 + 56);
	CHECK(offsetof(struct folio, _deferred_list) == 128 + 16);
	CHECK(offsetof(struct mm_struct, cpu_bitmap) == sizeof(struct mm_struct));
	folio._mapcount_1.counter = 5;
	CHECK(folio_page(&folio, 1)->_mapcount.counter == 5);
	CHECK(PG_head == 6 && PG_mlocked == 19 && NR_PAGEFLAGS == 20 && PGTY_hugetlb == 0xf4);
""",
    )


@pytest.mark.parametrize("flags", CONFIGS.values(), ids=CONFIGS)
def test_folios(tmp_path: Path, flags: tuple[str, ...]) -> None:
    check(
        tmp_path,
        "linux/mm.h",
        """
	static struct folio folio;
	struct folio *f = &folio;

	atomic_set(&f->_mapcount, -1);
	CHECK(!folio_test_large(f) && !folio_test_hugetlb(f) && folio_nr_pages(f) == 1);
	CHECK(folio_order(f) == 0 && folio_size(f) == 4096 && !folio_mapped(f));
	atomic_inc(&f->_mapcount);
	CHECK(folio_mapcount(f) == 1 && folio_mapped(f));
	f->page.page_type = UINT_MAX;
	__folio_set_hugetlb(f);
	CHECK(folio_test_hugetlb(f) && !folio_test_slab(f) && f->page.page_type == 0xf4000000u);
	CHECK(page_has_type(&f->page) && folio_mapcount(f) == 0);
	__folio_clear_hugetlb(f);
	CHECK(!folio_test_hugetlb(f) && f->page.page_type == UINT_MAX && !page_has_type(&f->page));
	__folio_set_head(f);
	f->_flags_1 = 9;
	f->_nr_pages = 512;
	set_compound_head(folio_page(f, 1), &f->page);
	atomic_set(&f->_large_mapcount, 2);
	CHECK(f->flags == 1ul << PG_head && PageHead(&f->page) && !PageTail(&f->page));
	CHECK(folio_test_large(f) && folio_order(f) == 9 && folio_nr_pages(f) == 512);
	CHECK(folio_size(f) == 2 << 20 && folio_mapcount(f) == 3 && folio_mapped(f));
	CHECK(page_folio(folio_page(f, 1)) == f && PageTail(folio_page(f, 1)));
	CHECK(compound_head(folio_page(f, 1)) == &f->page && page_mapped(folio_page(f, 1)));
	kc_record.rmw = 0;
	folio_set_partially_mapped(f);
	CHECK(f->_flags_1 == (9 | 1ul << PG_reclaim) && kc_record.rmw == 1);
	CHECK(folio_test_clear_partially_mapped(f) && !folio_test_partially_mapped(f));
	folio_set_count(f, 1);
	CHECK(folio_try_get(f) && folio_ref_count(f) == 2 && !folio_ref_freeze(f, 1));
	CHECK(folio_ref_freeze(f, 2) && !folio_try_get(f));
	folio_ref_unfreeze(f, 1);
	CHECK(folio_ref_dec_and_test(f) && page_count(&f->page) == 0);
	CHECK(kc_record.warnings == 0);
""",
        flags,
    )


def test_wrong_folios_warn(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/mm.h",
        """
	static struct folio folio;

	folio_large_mapcount(&folio);
	CHECK(kc_record.warnings == 1 && kc_record.last->kind == KC_VM_WARN);
	__folio_set_hugetlb(&folio);
	CHECK(kc_record.warnings == 2 && kc_record.last->kind == KC_VM_BUG);
	folio_ref_unfreeze(&folio, 0);
	CHECK(kc_record.warnings == 3 && kc_record.last->kind == KC_VM_BUG);
""",
    )


def test_lists(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/list.h",
        """
	static struct node { int n; struct list_head link; } a = { 1, {} }, b = { 2, {} }, c = { 3, {} };
	static LIST_HEAD(head);
	static LIST_HEAD(other);
	struct node *p, *next;
	int seen = 0;

	CHECK(list_empty(&head) && !list_first_entry_or_null(&head, struct node, link));
	list_add_tail(&b.link, &head);
	CHECK(list_is_singular(&head));
	list_add(&a.link, &head);
	list_add_tail(&c.link, &head);
	list_for_each_entry(p, &head, link)
		seen = seen * 10 + p->n;
	CHECK(seen == 123 && list_is_first(&a.link, &head) && list_is_last(&c.link, &head));
	list_move(&c.link, &head);
	CHECK(list_first_entry(&head, struct node, link) == &c);
	CHECK(list_last_entry(&head, struct node, link) == &b);
	list_splice_init(&head, &other);
	CHECK(list_empty(&head) && head.prev == &head);
	seen = 0;
	list_for_each_entry_safe(p, next, &other, link) {
		seen = seen * 10 + p->n;
		list_del(&p->link);
	}
	CHECK(seen == 312 && list_empty(&other) && a.link.next == LIST_POISON1);
	CHECK(container_of(&b.link, struct node, link) == &b);
""",
    )


def test_small_headers(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/kernel.h linux/err.h linux/gfp.h linux/build_bug.h",
        """
	int three[3], n = 5;

	CHECK(ARRAY_SIZE(three) == 3 && min(n++, 9) == 5 && n == 6 && max(2, 3) == 3);
	CHECK(clamp(12, 1, 9) == 9 && clamp(-1, 1, 9) == 1 && min3(3, 1, 2) == 1);
	CHECK(min_t(unsigned int, -1, 7) == 7 && max_t(int, -1, 7u) == 7);
	CHECK(GENMASK(63, 0) == ~0UL && GENMASK(5, 2) == 0x3c && BIT(63) == 1UL << 63);
	CHECK(BITS_TO_LONGS(65) == 2 && BITS_PER_TYPE(u16) == 16);
	CHECK(IS_ENABLED(CONFIG_64BIT) && IS_BUILTIN(CONFIG_64BIT) && !IS_ENABLED(CONFIG_NONE));
	CHECK(ALIGN(5, 4) == 8 && ALIGN_DOWN(5, 4) == 4 && IS_ALIGNED(8, 4) && round_up(8, 8) == 8);
	CHECK(DIV_ROUND_UP(9, 4) == 3 && ilog2(4096) == 12 && order_base_2(5) == 3);
	CHECK(is_power_of_2(64) && !is_power_of_2(0) && !is_power_of_2(6));
	CHECK(IS_ERR(ERR_PTR(-EINVAL)) && PTR_ERR(ERR_PTR(-ENOMEM)) == -12 && !IS_ERR(&n));
	CHECK(IS_ERR_OR_NULL(NULL) && PTR_ERR_OR_ZERO(&n) == 0);
	CHECK(gfpflags_allow_blocking(GFP_KERNEL) && !gfpflags_allow_blocking(GFP_ATOMIC));
	CHECK(GFP_KERNEL == 0xcc0 && GFP_NOFS == 0xc40 && GFP_HIGHUSER_MOVABLE == 0x100cca);
	CHECK(SHRT_MIN < 0 && INT_MIN == -2147483648LL && U16_MAX == 65535 && S8_MIN == -128);
	CHECK((char)-1 == 255);
	BUILD_BUG_ON(sizeof(long) != 8);
	static_assert(1);
	static_assert(1, "with a message");
""",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "BUILD_BUG_ON(sizeof(long) == 8);",
        "static_assert(0);",
        "int n; (void)ARRAY_SIZE(&n);",
        "struct list_head l; (void)container_of(&l, struct hlist_node, next);",
        "undeclared_function();",
    ],
)
def test_what_the_kernel_refuses_is_refused(wrong: str, tmp_path: Path) -> None:
    text = f"#include <linux/kernel.h>\nvoid f(void);\nvoid f(void)\n{{\n\t{wrong}\n}}\n"
    assert "error: " in gcc(text, "-c", "-o", tmp_path / "f.o")


# Sleeping locks, counters and keys.


def test_reader_writer_semaphores(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/rwsem.h linux/rwlock.h",
        """
	DECLARE_RWSEM(sem);
	static DEFINE_RWLOCK(lock);

	CHECK(!rwsem_is_locked(&sem) && down_read_trylock(&sem) && down_read_trylock(&sem));
	CHECK(rwsem_is_locked(&sem) && !down_write_trylock(&sem) && kc_record.rmw == 3);
	rwsem_assert_held(&sem);
	up_read(&sem);
	CHECK(!down_write_trylock(&sem));
	up_read(&sem);
	CHECK(!rwsem_is_locked(&sem) && down_write_trylock(&sem));
	CHECK(!down_write_trylock(&sem) && !down_read_trylock(&sem));
	rwsem_assert_held_write(&sem);
	downgrade_write(&sem);
	CHECK(down_read_trylock(&sem) && !down_write_trylock(&sem));
	CHECK(kc_record.warnings == 0);
	up_write(&sem);
	CHECK(kc_record.warnings == 1 && kc_record.last->kind == KC_BUG);
	init_rwsem(&sem);
	down_read(&sem);
	up_read(&sem);
	down_write(&sem);
	up_write(&sem);
	CHECK(!down_read_killable(&sem) && kc_record.warnings == 1);
	rwsem_assert_held_write(&sem);
	CHECK(kc_record.warnings == 2 && kc_record.last->kind == KC_WARN);
	up_read(&sem);
	up_read(&sem);
	CHECK(kc_record.warnings == 3);
	read_lock(&lock);
	CHECK(read_trylock(&lock) && !write_trylock(&lock));
	read_unlock(&lock);
	read_unlock(&lock);
	write_lock_irq(&lock);
	CHECK(!read_trylock(&lock));
	write_unlock_irq(&lock);
	CHECK(kc_record.warnings == 3);
""",
    )


@pytest.mark.parametrize(
    ("held", "call", "free"),
    [
        ("down_write(&s)", "down_read(&s)", "s.kc_readers = 0"),
        ("down_read(&s)", "down_write(&s)", "s.kc_readers = 0"),
        ("down_write(&s)", "down_write_killable(&s)", "s.kc_readers = 0"),
        ("mutex_lock(&m)", "mutex_lock_interruptible(&m)", "m.kc_held = 0"),
        ("write_seqcount_begin(&c)", "(void)read_seqcount_begin(&c)", "c.sequence = 0"),
        ("raw_spin_lock(&l)", "raw_spin_lock(&l)", "l.kc_held = 0"),
    ],
)
def test_what_would_wait_for_ever_is_a_deadlock(held: str, call: str, free: str, tmp_path: Path) -> None:
    source = f"""
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/seqlock.h>
static __maybe_unused struct rw_semaphore s;
static __maybe_unused struct mutex m;
static __maybe_unused seqcount_t c;
static __maybe_unused raw_spinlock_t l;
static int stopped;
static void stop(int why, const struct kc_site *site) {{ stopped += why; {free}; }}
EXPORT int run(void);
int run(void) {{ kc_record.stop = stop; {held}; {call}; return stopped; }}
"""
    _, lib = load(tmp_path, "int run(void);", source)
    assert lib.run() == 1  # KC_STOP_DEADLOCK, once


def test_mutexes(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/mutex.h",
        """
	static DEFINE_MUTEX(m);

	CHECK(!mutex_is_locked(&m) && mutex_trylock(&m) && !mutex_trylock(&m) && mutex_is_locked(&m));
	mutex_unlock(&m);
	mutex_lock(&m);
	mutex_unlock(&m);
	CHECK(!mutex_lock_killable(&m) && kc_record.warnings == 0);
	mutex_unlock(&m);
	mutex_unlock(&m);
	CHECK(kc_record.warnings == 1 && kc_record.last->kind == KC_BUG);
""",
    )


def test_sequence_counters(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/seqlock.h",
        """
	static seqcount_t s;
	static DEFINE_SEQLOCK(l);
	unsigned int start = read_seqcount_begin(&s), open;

	CHECK(!read_seqcount_retry(&s, start) && raw_seqcount_try_begin(&s, open) && open == start);
	write_seqcount_begin(&s);
	CHECK((s.sequence & 1) && read_seqcount_retry(&s, start) && !raw_seqcount_try_begin(&s, open));
	write_seqcount_end(&s);
	CHECK(!(s.sequence & 1) && read_seqcount_retry(&s, start));
	start = read_seqcount_begin(&s);
	write_seqcount_invalidate(&s);
	CHECK(read_seqcount_retry(&s, start) && !read_seqcount_retry(&s, read_seqcount_begin(&s)));
	start = read_seqbegin(&l);
	write_seqlock(&l);
	CHECK(spin_is_locked(&l.lock) && read_seqretry(&l, start));
	write_sequnlock(&l);
	CHECK(!spin_is_locked(&l.lock) && !read_seqretry(&l, read_seqbegin(&l)));
""",
    )


def test_one_processor(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/percpu.h linux/percpu_counter.h",
        """
	static DEFINE_PER_CPU(unsigned int, n);
	static DEFINE_PER_CPU(unsigned long, word);
	unsigned int old = 3;
	struct percpu_counter c;

	this_cpu_add(n, 5);
	this_cpu_dec(n);
	__this_cpu_sub(n, 1u);
	CHECK(this_cpu_read(n) == 3 && per_cpu(n, smp_processor_id()) == 3 && *this_cpu_ptr(&n) == 3);
	CHECK(this_cpu_inc_return(n) == 4 && this_cpu_sub_return(n, 5) == UINT_MAX && raw_cpu_xchg(n, 2) == -1u);
	CHECK(this_cpu_cmpxchg(n, 1, 9) == 2 && n == 2 && this_cpu_cmpxchg(n, 2, 9) == 2 && n == 9);
	CHECK(!this_cpu_try_cmpxchg(n, &old, 7) && old == 9 && this_cpu_try_cmpxchg(n, &old, 7) && n == 7);
	this_cpu_or(word, 1ul << 63);
	this_cpu_and(word, ~0ul);
	CHECK(raw_cpu_read(word) == 1ul << 63 && kc_record.rmw == 0);
	get_cpu_var(n)++;
	put_cpu_var(n);
	CHECK(*per_cpu_ptr(&n, 0) == 8 && get_cpu() == 0);
	CHECK(!percpu_counter_init(&c, -5, 0) && percpu_counter_sum(&c) == -5);
	CHECK(percpu_counter_read(&c) == -5 && !percpu_counter_read_positive(&c));
	percpu_counter_add(&c, 8);
	percpu_counter_dec(&c);
	CHECK(percpu_counter_compare(&c, 2) == 0 && percpu_counter_compare(&c, 3) == -1);
	CHECK(!percpu_counter_limited_add(&c, 3, 2) && percpu_counter_limited_add(&c, 3, 1));
	CHECK(percpu_counter_sum_positive(&c) == 3 && percpu_counter_limited_add(&c, -9, -10));
""".replace("UINT_MAX", "(~0u)"),
    )


def test_static_keys(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/jump_label.h",
        """
	static DEFINE_STATIC_KEY_TRUE(on);
	static DEFINE_STATIC_KEY_FALSE(off);
	static DEFINE_STATIC_KEY_MAYBE(CONFIG_64BIT, maybe);
	static DEFINE_STATIC_KEY_MAYBE(CONFIG_NONE, maybe_not);

	CHECK(static_branch_likely(&on) && static_branch_unlikely(&on) && !static_branch_unlikely(&off));
	CHECK(static_branch_maybe(CONFIG_64BIT, &maybe) && !static_branch_maybe(CONFIG_NONE, &maybe_not));
	static_branch_inc(&off);
	static_branch_inc(&off);
	static_branch_dec(&off);
	CHECK(static_key_enabled(&off) && static_key_count(&off.key) == 1);
	static_branch_dec(&off);
	CHECK(!static_key_enabled(&off) && kc_record.warnings == 0);
	static_branch_dec(&off);
	CHECK(!static_branch_unlikely(&off) && kc_record.warnings == 1);
	static_branch_disable(&on);
	CHECK(!static_branch_likely(&on));
	static_branch_enable(&on);
	static_branch_enable(&on);
	CHECK(static_key_count(&on.key) == 1);
""",
    )


def test_errors_since(tmp_path: Path) -> None:
    """Documentation/core-api/errseq.rst: each who samples sees each error once."""
    check(
        tmp_path,
        "linux/errseq.h",
        """
	errseq_t e = 0, a = errseq_sample(&e), b = a;

	CHECK(!errseq_check(&e, a) && !errseq_check_and_advance(&e, &a));
	errseq_set(&e, -5);
	CHECK(errseq_check(&e, a) == -5 && errseq_sample(&e) == 0);
	CHECK(errseq_check_and_advance(&e, &a) == -5 && !errseq_check(&e, a));
	CHECK(errseq_check(&e, b) == -5 && errseq_sample(&e) == a);
	errseq_set(&e, -5);
	CHECK(errseq_check(&e, a) == -5 && errseq_check_and_advance(&e, &b) == -5);
	CHECK(!errseq_check(&e, b) && errseq_check_and_advance(&e, &a) == -5 && a == b);
	errseq_set(&e, -28);
	errseq_set(&e, -4095);
	CHECK(errseq_check_and_advance(&e, &a) == -4095 && errseq_set(&e, 0) == e);
""",
    )


def test_published_pointers(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/rcupdate.h linux/irqflags.h linux/preempt.h asm/processor.h",
        """
	int x = 1, y = 2, *p = NULL;
	unsigned long flags = 7;

	rcu_read_lock();
	CHECK(!rcu_dereference(p) && rcu_read_lock_held());
	rcu_assign_pointer(p, &x);
	CHECK(*rcu_dereference(p) == 1 && rcu_replace_pointer(p, &y, 1) == &x && rcu_access_pointer(p) == &y);
	RCU_INIT_POINTER(p, NULL);
	CHECK(!rcu_dereference_protected(p, 1));
	rcu_read_unlock();
	local_irq_save(flags);
	CHECK(flags == 0 && !irqs_disabled() && in_task() && !in_interrupt() && !preempt_count());
	local_irq_restore(flags);
	cpu_relax();
	CHECK(!boot_cpu_has(3) && kc_record.warnings == 0);
""",
    )


def test_the_task_that_runs(tmp_path: Path) -> None:
    check(
        tmp_path,
        "asm/current.h",
        """
	long task;

	CHECK(!current && kc_record.warnings == 1 && kc_record.last->kind == KC_BUG);
	kc_task = &task;
	CHECK(current == (void *)&task && kc_record.warnings == 1);
""",
    )


def test_cleanup_runs_where_a_scope_ends(tmp_path: Path) -> None:
    source = """
#include <linux/compiler.h>
static int order, said;
static void end(int *p) { said = said * 10 + *p; }
EXPORT int run(int early);
int run(int early)
{
	int one __cleanup(end) = 1;
	if (early)
		return 7;
	{ int two __cleanup(end) = 2; order += two; }
	int three __cleanup(end) = 3;
	return said;
}
EXPORT int ran(void);
int ran(void) { int n = said; said = 0; return n; }
"""
    _, lib = load(tmp_path, "int run(int); int ran(void);", source)
    assert (lib.run(1), lib.ran()) == (7, 1)
    assert (lib.run(0), lib.ran()) == (2, 231)


def test_memory_and_strings(tmp_path: Path) -> None:
    check(
        tmp_path,
        "linux/string.h",
        """
	char a[8] = "abcdef", b[8];

	CHECK(memcpy(b, a, 8) == b && !memcmp(a, b, 8) && strlen(b) == 6 && strnlen(b, 3) == 3);
	memmove(a + 1, a, 5);
	CHECK(!strcmp(a, "aabcde"));
	memmove(a, a + 1, 6);
	CHECK(!strncmp(a, "abcdeX", 5) && strcmp(a, "abcdf") < 0 && strcmp(a, "abcd") > 0);
	memset(b, 'x', 8);
	CHECK(!memchr_inv(b, 'x', 8) && memchr(a, 'c', 8) == a + 2 && !memchr(b, 'c', 8));
	b[5] = -1;
	CHECK(memchr_inv(b, 'x', 8) == b + 5 && memcmp(b, a, 1) > 0 && memcmp("\\xff", "a", 1) > 0);
	CHECK(strchr(a, 'd') == a + 3 && strchr(a, 0) == a + 5 && !strchr(a, 'z'));
	memzero_explicit(b, 8);
	CHECK(!memchr_inv(b, 0, 8));
""",
    )


def test_bitmaps(tmp_path: Path) -> None:
    """Against Python's integers; the bits behind the end are ones in what is read."""
    source = """
#include <linux/bitmap.h>
EXPORT int ask(int what, unsigned long *to, const unsigned long *a, const unsigned long *b, int n);
int ask(int what, unsigned long *to, const unsigned long *a, const unsigned long *b, int n)
{
	switch (what) {
	case 0: __bitmap_or(to, a, b, n); return 0;
	case 1: __bitmap_xor(to, a, b, n); return 0;
	case 2: return __bitmap_and(to, a, b, n);
	case 3: return __bitmap_andnot(to, a, b, n);
	case 4: __bitmap_complement(to, a, n); return 0;
	case 5: return __bitmap_equal(a, b, n);
	case 6: return __bitmap_subset(a, b, n);
	case 7: return __bitmap_intersects(a, b, n);
	case 8: return __bitmap_weight(a, n);
	case 9: return __bitmap_weight_and(a, b, n);
	case 10: return __bitmap_weight_andnot(a, b, n);
	}
	return -1;
}
"""
    ffi, lib = load(
        tmp_path, "int ask(int, unsigned long *, const unsigned long *, const unsigned long *, int);", source
    )
    generator = random.Random(7)
    for size in (1, 63, 64, 65, 130):
        full = (1 << size) - 1
        cases = [(0, 0), (full, full), (full, 0), *((generator.getrandbits(size), generator.getrandbits(size))
                 for _ in range(20))]  # fmt: skip
        for x, y in [*cases, *((x & y, y) for x, y in cases)]:
            want = {0: (x | y, 0), 1: (x ^ y, 0), 2: (x & y, x & y != 0), 3: (x & ~y, x & ~y != 0),
                    4: (~x & full, 0), 5: (None, x == y), 6: (None, x & ~y == 0), 7: (None, x & y != 0),
                    8: (None, x.bit_count()), 9: (None, (x & y).bit_count()),
                    10: (None, (x & ~y).bit_count())}  # fmt: skip
            words = [ffi.new("unsigned long[3]", [(v | ~full) >> 64 * i & 2**64 - 1 for i in range(3)])
                     for v in (x, y)]  # fmt: skip
            for what, (bits, gives) in want.items():
                to = ffi.new("unsigned long[3]")
                assert lib.ask(what, to, *words, size) == gives, (what, size, x, y)
                if bits is not None:
                    assert sum(word << 64 * i for i, word in enumerate(to)) & full == bits


@pytest.mark.parametrize("size", ["ilog2(512) + 1", "order_base_2(8)"])
def test_powers_of_two_are_constants(size: str) -> None:
    assert gcc(f"#include <linux/log2.h>\nint table[{size}];\n", "-fsyntax-only") == ""
