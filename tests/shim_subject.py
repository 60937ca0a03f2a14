# SPDX-License-Identifier: GPL-2.0-only
"""Compiles small C exercisers over the shims, alone and without libc, and loads them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from cffi import FFI

from harness.build import CODE, DIALECT, LINK, PLAIN
from kernel_snippets import INCLUDE

# A subject's dialect and code, with more warnings than the kernel asks for: shims give none.
FLAGS = [*DIALECT, *CODE, *PLAIN.code, "-DCONFIG_64BIT=1", "-Wall", "-Wextra", "-Wundef", "-Wvla", "-Werror",
         "-Wno-unused-parameter", "-Wno-sign-compare"]  # fmt: skip
DEBUG_VM = ("-DCONFIG_DEBUG_VM=1",)
RECORD = """
struct kc_site { int kind; const char *macro, *condition, *file; int line; };
struct kc_record { unsigned int warnings; const struct kc_site *first, *last; unsigned int rmw;
                   void (*stop)(int, const struct kc_site *); };
struct kc_record *record(void);
"""
PREAMBLE = """
#define KC_RECORD_DEFINE
#include <kconform/record.h>
#define EXPORT __attribute__((visibility("default")))
EXPORT struct kc_record *record(void);
struct kc_record *record(void) { return &kc_record; }
void *memset(void *to, int c, unsigned long n);
__attribute__((optimize("no-tree-loop-distribute-patterns")))
void *memset(void *to, int c, unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		((char *)to)[i] = c;
	return to;
}
"""


def gcc(source: str, *arguments: str | Path, flags: tuple[str, ...] = DEBUG_VM) -> str:
    """What gcc says of `source` over the shims; empty where it accepts it without a warning."""
    done = subprocess.run(
        ["gcc", *FLAGS, *flags, "-I", str(INCLUDE), "-x", "c", "-", *map(str, arguments)],
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def load(folder: Path, declarations: str, source: str, flags: tuple[str, ...] = DEBUG_VM) -> tuple[FFI, Any]:
    """`source` compiled with nothing below it, and loaded; `declarations` are exported from it."""
    path = folder / "exerciser.so"
    said = gcc(PREAMBLE + source, *LINK, "-o", path, flags=flags)
    assert not said, said
    undefined = subprocess.run(["nm", "-u", path], capture_output=True, text=True, check=True)
    assert undefined.stdout == ""
    ffi = FFI()
    ffi.cdef(RECORD + declarations)
    return ffi, ffi.dlopen(str(path))
