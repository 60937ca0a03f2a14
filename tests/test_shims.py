# SPDX-License-Identifier: GPL-2.0-only
"""The shims against the documented semantics, compiled as a subject is."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from cffi import FFI

from harness.build import CODE, DIALECT, LINK, WARNINGS, run_compiler
from kernel_snippets import INCLUDE

SOURCE = """
#define KC_RECORD_DEFINE
#include <kconform/record.h>
#include <linux/atomic.h>
#include <linux/bit_spinlock.h>
#include <linux/mm.h>
#define EXPORT __attribute__((visibility("default")))
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


def compiled(folder: Path, *flags: str) -> tuple[FFI, Any]:
    (folder / "shims.c").write_text(SOURCE)
    arguments = [*DIALECT, *WARNINGS, *CODE, "-Werror", "-DCONFIG_64BIT=1", *flags, "-I", INCLUDE]
    status, output = run_compiler([*arguments, "shims.c", *LINK, "-o", "shims.so"], folder)
    assert status == 0, output
    ffi = FFI()
    ffi.cdef("unsigned warned(void); unsigned rmw(void); const char *text(void); int line(void);"
             "const char *file(void); void reset(void); int lock_held(void); int locks(unsigned long);"
             "void unlock_free(void); int warn(int); int add(int, int, int *);"
             + "".join(f"int {name}(long, unsigned long *);" for name in BITOPS))  # fmt: skip
    return ffi, ffi.dlopen(str(folder / "shims.so"))


@pytest.fixture(scope="module")
def shims(tmp_path_factory: pytest.TempPathFactory) -> tuple[FFI, Any]:
    return compiled(tmp_path_factory.mktemp("shims"), "-DCONFIG_DEBUG_VM=1")


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
    _, quiet = compiled(tmp_path)
    assert quiet.warn(2) == 0 and quiet.warned() == 0


def test_every_header_compiles_alone(tmp_path: Path) -> None:
    for header in INCLUDE.rglob("*.h"):
        (tmp_path / "one.c").write_text(f"#include <{header.relative_to(INCLUDE)}>\n")
        for flag in ("-DCONFIG_DEBUG_VM=1", "-UCONFIG_DEBUG_VM"):
            arguments = [*DIALECT, *WARNINGS, "-Werror", "-DCONFIG_64BIT=1", flag, "-I", INCLUDE]
            status, output = run_compiler([*arguments, "-c", "one.c"], tmp_path)
            assert status == 0, output
