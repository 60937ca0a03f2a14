# SPDX-License-Identifier: GPL-2.0-only
"""The flavour 'sanitized': each kind of defect is reported with its values and line, its twin is not."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from extractor.extract import series_items
from extractor.mail import read_mails
from extractor.slice import cut
from harness import worker
from harness.build import NATIVE, build
from harness.inputs import read_patches
from harness.render import Rendered, overlays
from harness.sanitize import SANITIZED, SHADOW_OFFSET
from tests.mails import V1
from tests.planted import plant
from tests.sanitized_subject import STOPPED, Rig, rig, run_all, sanitized

# The world: one object of 256 bytes between two gaps, as the flavour is to be rendered.
#
#     world  0        512          768         1280
#            | gap    | folio      | gap       |
SOURCE = """
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/list.h>
EXPORT union { unsigned char bytes[1280]; unsigned long words[160]; } world = { { 0 } };
struct pair { int v[2]; int end; };
struct tail { int start; int v[2]; };
struct flexible { int n; int v[]; };
struct __packed packed { char c; long value; };
struct boxed { int a[10]; int last; };
enum colour { RED, GREEN };
long numbers[3] = { 1, 2, 3 };
static const char greeting[] = "hello";
static struct boxed *nowhere;
static volatile long sink;
static void fill(volatile char *p, long n) { while (n--) p[n] = 1; }

EXPORT long shift(long n) { unsigned long one = 1; return one << n; }
EXPORT long shift_right(long n) { unsigned int one = 1; return one >> (int)n; }
EXPORT long shift_sign(long n) { int one = 1; return one << (int)n; }
EXPORT long wrap(long n) { int most = 2147483647; most += n; return most == -2147483648; }
EXPORT long negative_base(long n) { int base = -(int)n; return base << 1; }
EXPORT long pointer_wrap(long n) { char *p = (char *)8; return p - n == (char *)-8L; }
EXPORT long middle(long n) { struct pair p = { { 1, 2 }, 3 }; fill((void *)&p, 1); return p.v[n]; }
EXPORT long last(long n) { struct tail t = { 0, { 1, 2 } }; fill((void *)&t, 1); return t.v[n]; }
EXPORT long flexible(long n)
{
	struct flexible *f = (struct flexible *)(world.bytes + 512);
	return f->v[n];
}
EXPORT long divide(long n) { return (int)100 / (int)n; }
EXPORT long modulo(long n) { return 100L % n; }
EXPORT long misaligned(long n) { return *(long *)(world.bytes + 512 + n); }
EXPORT long misaligned_write(long n) { *(int *)(world.bytes + 512 + n) = 7; return 0; }
EXPORT long packed(long n) { return ((struct packed *)(world.bytes + 512))->value; }
EXPORT long null_read(long n) { return nowhere->a[n]; }
EXPORT long null_write(long n) { nowhere->last = n; return 0; }
EXPORT long null_byte(long n) { return *(char *)n; }
EXPORT long null_address(long n) { return (long)&nowhere->last; }
EXPORT long boolean(long n)
{
	world.bytes[512] = n;
	return *(_Bool *)(world.bytes + 512);
}
EXPORT long enumerated(long n)
{
	world.words[64] = n;
	return *(enum colour *)(world.bytes + 512);
}
EXPORT long zeros(long n) { return __builtin_ctzl(n); }
EXPORT long leading(long n) { return __builtin_clzl(n); }
EXPORT long unreachable(long n) { if (n == 7) __builtin_unreachable(); return n; }
__attribute__((nonnull)) static noinline long never_null(const void *p) { return p == (void *)8; }
EXPORT long argument(long n) { return never_null((void *)n); }
__attribute__((returns_nonnull)) static noinline void *gives(long n) { return (void *)n; }
EXPORT long returned(long n) { return (long)gives(n); }
EXPORT long vla(long n) { char v[n]; fill(v, n); return v[0]; }
EXPORT long read8(long n) { sink = ((struct packed *)(world.bytes + 511 + n))->value; return 0; }
EXPORT long read1(long n) { return world.bytes[512 + n]; }
EXPORT long global(long n) { long *p = numbers; barrier(); return *(volatile long *)(p + n); }
EXPORT long literal(long n) { const char *p = greeting; barrier(); return *(volatile char *)(p + n); }
EXPORT long stack(long n)
{
	char buffer[20];
	long other[2];

	fill(buffer, n);
	fill((char *)other, 16);
	return buffer[0] + other[1] % 2;
}
EXPORT long variable(long n) { char v[13]; char w[5 + n % 8]; fill(w, n); fill(v, 13); return w[0]; }
EXPORT long deep(long n) { char v[64]; fill(v, 64); return n ? deep(n - 1) + v[3] : 0; }
EXPORT long wild(long n) { return *(volatile int *)n; }
EXPORT long code(long n) { return *(volatile int *)((long)&code & -4L); }
EXPORT long copy(long n) { char to[16]; memcpy(to, world.bytes + 512 + 240, n); fill(to, 1); return 0; }
EXPORT long clear(long n) { memset(world.bytes + 512, 0, n); return 0; }
EXPORT long add_atomic(long n) { return __atomic_fetch_add(&world.words[64 + n], 1, 5); }
EXPORT long write4(long n)
{
#line 264 "include/linux/rmap.h"
	world.words[64 + n / 8] = 5;
	return 0;
}
EXPORT long twice(long n)
{
	unsigned int one = 1;

#line 77 "mm/rmap.c"
	sink = one << (unsigned char)n;
	sink = one >> (unsigned char)n;
	return 12;
}
EXPORT long null_line(long n)
{
	sink = 1;
#line 90 "mm/rmap.c"
	return nowhere->last;
}
"""
SOURCE = SOURCE.replace(
    "EXPORT long shift(",
    "void *memcpy(void *, const void *, unsigned long);\n"
    "void *memset(void *, int, unsigned long);\nEXPORT long shift(",
)
WORLD = (1280, 512, 256, "folio")

DEFECTS: dict[tuple[str, int], tuple[str, str]] = {
    ("shift", 64): (
        "shift-out-of-bounds", "shift exponent 64 is too large for 64-bit type 'long unsigned int'"),
    ("shift", -1): ("shift-out-of-bounds", "shift exponent -1 is negative"),
    ("shift_right", 32): (
        "shift-out-of-bounds", "shift exponent 32 is too large for 32-bit type 'unsigned int'"),
    ("middle", 2): ("array-index-out-of-bounds", "index 2 is out of range for type 'int [2]'"),
    ("middle", -1): ("array-index-out-of-bounds", "index -1 is out of range for type 'int [2]'"),
    ("last", 2): ("array-index-out-of-bounds", "index 2 is out of range for type 'int [2]'"),
    ("divide", 0): ("division-by-zero", "division of 100 by zero"),
    ("modulo", 0): ("division-by-zero", "division of 100 by zero"),
    ("misaligned", 4): ("misaligned-access", "load of type 'long int', which needs alignment to 8 bytes, "
                        "at an address 4 bytes off"),
    ("misaligned_write", 1): ("misaligned-access", "store to type 'int', which needs alignment to 4 bytes, "
                              "at an address 1 byte off"),
    ("null_read", 3): ("null-pointer", "4-byte read through a null pointer, 12 bytes into the object"),
    ("null_write", 1): ("null-pointer", "4-byte write through a null pointer, 40 bytes into the object"),
    ("null_byte", 0): ("null-pointer", "1-byte read through a null pointer"),
    ("boolean", 2): ("invalid-bool", "load of value 2, which type '_Bool' does not have"),
    ("zeros", 0): ("invalid-builtin", "__builtin_ctz() of zero"),
    ("leading", 0): ("invalid-builtin", "__builtin_clz() of zero"),
    ("unreachable", 7): ("unreachable", "the code reached what is marked unreachable"),
    ("argument", 0): ("nonnull-argument", "null pointer as argument 1, which is declared never to be null"),
    ("returned", 0): (
        "nonnull-return", "null pointer from a function that is declared never to return one"),
    ("vla", 0): ("vla-bound", "variable-length array with a bound of 0"),
    ("read8", 252): (
        "out-of-bounds-read", "8-byte read 4 bytes too long at the end of folio (256 bytes)"),
    ("read8", 260): ("out-of-bounds-read", "8-byte read 4 bytes past the end of folio (256 bytes)"),
    ("read1", 256): ("out-of-bounds-read", "1-byte read right past the end of folio (256 bytes)"),
    ("read1", -1): ("out-of-bounds-read", "1-byte read 1 byte before the start of folio (256 bytes)"),
    ("write4", -8): ("out-of-bounds-write", "8-byte write 8 bytes before the start of folio (256 bytes)"),
    ("flexible", 63): ("out-of-bounds-read", "4-byte read right past the end of folio (256 bytes)"),
    ("global", 3): ("out-of-bounds-read", "8-byte read right past the end of numbers (24 bytes)"),
    ("literal", 6): ("out-of-bounds-read", "1-byte read right past the end of greeting (6 bytes)"),
    ("stack", 21): ("out-of-bounds-write", "1-byte write right past the end of buffer (20 bytes)"),
    ("variable", 17): ("out-of-bounds-write", "1-byte write of memory that belongs to no object"),
    ("wild", 1 << 40): ("out-of-bounds-read", "4-byte read of memory that belongs to no object"),
    ("copy", 17): ("out-of-bounds-read", "17-byte read 1 byte too long at the end of folio (256 bytes)"),
    ("clear", 257): ("out-of-bounds-write", "257-byte write 1 byte too long at the end of folio (256 bytes)"),
    ("add_atomic", 32): ("out-of-bounds-write", "8-byte write right past the end of folio (256 bytes)"),
}  # fmt: skip
HARMLESS = [
    ("shift", 63), ("shift", 0), ("shift_right", 31), ("shift_sign", 31), ("wrap", 1),
    ("negative_base", 3), ("pointer_wrap", 16), ("middle", 1), ("last", 1), ("flexible", 62),
    ("divide", -3), ("modulo", 7), ("misaligned", 8), ("misaligned_write", 4), ("packed", 0),
    ("null_address", 0), ("boolean", 1), ("enumerated", 9), ("zeros", 8), ("leading", 8),
    ("unreachable", 8), ("argument", 8), ("returned", 8), ("vla", 5), ("read8", 248), ("read8", 0),
    ("read1", 255), ("read1", 0), ("write4", 0), ("global", 2), ("literal", 5), ("stack", 20),
    ("variable", 7), ("variable", 6), ("deep", 50), ("copy", 16), ("clear", 256), ("clear", 0),
    ("add_atomic", 31),
]  # fmt: skip
SIGFPE = 100 + 8
ENDS = dict.fromkeys(("null-pointer", "out-of-bounds-read", "out-of-bounds-write", "unreachable"), STOPPED)
ENDS["division-by-zero"] = SIGFPE  # the report goes on to the division


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sanitizer")
    return rig(folder), sanitized(folder, SOURCE)


@pytest.fixture(scope="module")
def seen(tools: tuple[Path, Path]) -> dict[str, dict[str, Any]]:
    """Every call; after the defects once more the harmless ones, which must not notice."""
    calls = [*DEFECTS, *HARMLESS]
    return run_all(*tools, {f"{name} {argument}": (name, argument) for name, argument in calls}, WORLD)


@pytest.mark.parametrize("call", DEFECTS, ids=lambda c: f"{c[0]}({c[1]})")
def test_a_defect_is_reported(call: tuple[str, int], seen: dict[str, dict[str, Any]]) -> None:
    got = seen[f"{call[0]} {call[1]}"]
    kind, text = DEFECTS[call]
    assert (got["kind"], got["text"]) == (kind, text)
    assert got["pc"] > got["base"]
    assert got["why"] == ENDS.get(kind, got["why"])


@pytest.mark.parametrize("call", HARMLESS, ids=lambda c: f"{c[0]}({c[1]})")
def test_its_twin_is_not(call: tuple[str, int], seen: dict[str, dict[str, Any]]) -> None:
    got = seen[f"{call[0]} {call[1]}"]
    assert (got["reports"], got["why"], got["text"]) == (0, 0, "")


def test_undefined_behaviour_goes_on_and_an_invalid_access_does_not(tools: tuple[Path, Path]) -> None:
    got = run_all(*tools, {name: (name, 40) for name in ("twice", "null_line", "code", "write4")}, WORLD)
    assert (got["twice"]["reports"], got["twice"]["why"], got["twice"]["ret"]) == (2, 0, 12)
    assert (got["null_line"]["reports"], got["null_line"]["why"]) == (1, STOPPED)
    assert (got["code"]["reports"], got["code"]["why"]) == (1, STOPPED)
    assert (got["write4"]["reports"], got["write4"]["why"]) == (0, 0)


def test_a_report_has_the_patchs_line(tools: tuple[Path, Path]) -> None:
    got = run_all(*tools, {"ub": ("twice", 32), "null": ("null_line", 0)}, WORLD)
    assert (got["ub"]["file"], got["ub"]["line"]) == ("mm/rmap.c", 77)
    assert (got["null"]["file"], got["null"]["line"]) == ("mm/rmap.c", 90)


def test_an_accesss_line_is_that_of_its_address(tools: tuple[Path, Path]) -> None:
    got = run_all(*tools, {"write": ("write4", -8)}, WORLD)["write"]
    assert got["file"] == ""
    where = hex(got["pc"] - 1 - got["base"])
    said = subprocess.run(["addr2line", "-e", tools[1], where], capture_output=True, text=True, check=True)
    assert said.stdout.partition(" ")[0].strip().endswith("include/linux/rmap.h:264")


def test_nothing_is_reported_while_no_operation_runs(tools: tuple[Path, Path]) -> None:
    def task() -> list[int]:
        opened = Rig(*tools, ["shift"])
        opened.open(WORLD)
        opened.library.shift(64)
        return [opened.library.record().reports]

    assert worker.run(task, worker.Limits()).result == [0]


def test_many_stops_leave_no_redzones_behind(tools: tuple[Path, Path]) -> None:
    calls = {f"{n}": (("stack", 21), ("deep", 60))[n % 2] for n in range(2000)}
    got = run_all(*tools, calls, WORLD)
    assert {(v["kind"], v["reports"]) for k, v in got.items() if int(k) % 2} == {("", 0)}
    assert {v["kind"] for k, v in got.items() if not int(k) % 2} == {"out-of-bounds-write"}


def test_memory_of_the_engine_is_valid_where_it_says_so(tools: tuple[Path, Path]) -> None:
    def task() -> list[str]:
        opened = Rig(*tools, ["wild", "stack"])
        opened.open(WORLD)
        heap = opened.ffi.new("long[]", 1000)
        at = int(opened.ffi.cast("long", heap))
        before = opened.run("wild", at)["text"]
        assert opened.rig.rig_valid(heap, 7998) == 0
        return [before, *(opened.run("wild", at + n)["text"] for n in (0, 7992, 7996, -4))]

    assert worker.run(task, worker.Limits()).result == [
        "4-byte read of memory that belongs to no object", "", "",
        "4-byte read 2 bytes too long at the end of arguments (7998 bytes)",
        "4-byte read 4 bytes before the start of arguments (7998 bytes)",
    ]  # fmt: skip


def test_two_subjects_in_one_process(tools: tuple[Path, Path], tmp_path: Path) -> None:
    """As when two revisions are explored together: they share the stack and its shadow."""
    second = tmp_path / "second.so"
    second.write_bytes(tools[1].read_bytes())
    second_rig = tmp_path / "rig.so"
    second_rig.write_bytes(tools[0].read_bytes())

    def task() -> list[str]:
        both = [Rig(tools[0], tools[1], ["stack"]), Rig(second_rig, second, ["stack"])]
        for opened in both:
            opened.open(WORLD)
        both[0].close_cage()
        return [opened.run("stack", n)["kind"] for n in (20, 21, 20) for opened in both]

    bad = "out-of-bounds-write"
    assert worker.run(task, worker.Limits()).result == ["", "", bad, bad, "", ""]


def test_both_sides_agree_on_the_shadows_place() -> None:
    assert f"#define KC_SHADOW_OFFSET {SHADOW_OFFSET:#x}ul" in (NATIVE / "sanitizer.h").read_text()


def test_every_hook_of_this_gcc_is_there(tmp_path: Path) -> None:
    """`-z defs` refuses a subject that calls a hook that sanitizer.c does not have; here all kinds."""
    assert sanitized(tmp_path, SOURCE, "-O0").exists()


# The bundled patch, and defects planted into it.

DRIVER = """
#define KC_RECORD_DEFINE
#include <kconform/record.h>
#include <linux/mm_types.h>
#include <linux/page-flags.h>
#include <linux/rmap.h>
#define EXPORT __attribute__((visibility("default")))
EXPORT struct kc_record *record(void);
struct kc_record *record(void) { return &kc_record; }
EXPORT union { unsigned char bytes[1280]; unsigned long words[160]; } world = { { 0 } };
/* Not static and not const: where gcc knows the address, it looks for no gaps in `world`. */
struct folio *folio = (struct folio *)(world.bytes + 512);
static struct mm_struct mm[2];
static struct vm_area_struct vma[2];
static void set_up(void)
{
	for (int i = 0; i < 2; i++) {
		mm[i].mm_id = i + 1;
		vma[i].vm_mm = &mm[i];
	}
	folio->flags = 1UL << PG_head;
	folio->page.page_type = ~0u;
	folio->_mm1_mapcount = -1;
	folio->_mm_ids = 1UL << FOLIO_MM_IDS_EXCLUSIVE_BITNUM;
}
EXPORT long rightly(long n);
long rightly(long n)
{
	set_up();
	folio_set_large_mapcount(folio, n, &vma[0]);
	folio_add_large_mapcount(folio, n, &vma[1]);
	folio_inc_large_mapcount(folio, &vma[0]);
	folio_dec_large_mapcount(folio, &vma[1]);
	folio_sub_large_mapcount(folio, n, &vma[0]);
	return kc_record.warnings;
}
"""
SUB = "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;"
PLANTED = {
    "shift": (
        SUB.replace("- diff", "- (int)(1UL << (64 + diff))"),
        "shift-out-of-bounds", "shift exponent 65 is too large for 64-bit type 'long unsigned int'"),
    "far": (
        SUB.replace("- diff", "- (int)(&folio->_mm_ids)[40]"),
        "out-of-bounds-read", "8-byte read 168 bytes past the end of folio (256 bytes)"),
    "before": (
        SUB + "\n+	((unsigned long *)folio)[-1] = diff;",
        "out-of-bounds-write", "8-byte write 8 bytes before the start of folio (256 bytes)"),
    "index": (
        SUB.replace("- diff", "- folio->_usable_1[diff + 3]"),
        "array-index-out-of-bounds", "index 4 is out of range for type 'long unsigned int [4]'"),
    "misaligned": (
        SUB.replace("- diff", "- *(long *)((char *)folio + 4)"),
        "misaligned-access",
        "load of type 'long int', which needs alignment to 8 bytes, at an address 4 bytes off"),
    "null": (
        SUB.replace("- diff", "- ((struct folio *)0)->_mm1_mapcount"),
        "null-pointer", "4-byte read through a null pointer, 100 bytes into the object"),
}  # fmt: skip


def driven(text: str, folder: Path, tools: tuple[Path, Path]) -> dict[str, Any]:
    """What the handmade driver did over the mail `text`."""
    (folder / "mail").write_text(text)
    items = series_items(read_patches(read_mails([str(folder / "mail")]), False, None))
    options = dict.fromkeys(("CONFIG_64BIT", "CONFIG_DEBUG_VM", "CONFIG_MMU", "CONFIG_MM_ID"), True)
    names = [f"folio_{what}_large_mapcount" for what in ("set", "inc", "dec")]
    rendered = Rendered(overlays(cut(items, names, options)), DRIVER, {})
    built = build(rendered, options, folder, SANITIZED).finish()
    return run_all(tools[0], built.library, {"it": ("rightly", 5)}, WORLD)["it"]


def test_the_bundled_patch_gives_no_report(tools: tuple[Path, Path], tmp_path: Path) -> None:
    got = driven(V1, tmp_path, tools)
    assert (got["reports"], got["why"], got["ret"], got["text"]) == (0, 0, 0, "")


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defect(name: str, tools: tuple[Path, Path], tmp_path: Path) -> None:
    code, kind, text = PLANTED[name]
    got = driven(plant((SUB, code)), tmp_path, tools)
    assert (got["kind"], got["text"]) == (kind, text)
    if got["file"]:
        assert (got["file"], got["line"]) == ("include/linux/rmap.h", 281)
