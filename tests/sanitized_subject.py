# SPDX-License-Identifier: GPL-2.0-only
"""Compiles small C texts in the flavour 'sanitized', and runs their functions in a caged worker."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cffi import FFI

from harness import worker
from harness.build import LINK, NATIVE, native_object
from harness.sanitize import SANITIZED
from kernel_snippets import INCLUDE
from tests.shim_subject import DEBUG_VM, gcc

DECLARATIONS = """
struct kc_report { const char *kind; char text[160]; const char *file; int line, column; unsigned long pc; };
struct seen { int why; long ret; unsigned int reports; struct kc_report report; unsigned long base; };
int rig_open(const void *sanitizer, void *record, const void *world, unsigned long size,
             const void *object, unsigned long object_size, const char *name);
void rig_run(long (*function)(long), long argument, struct seen *seen);
int rig_valid(const void *start, unsigned long size);
int kc_sandbox(void);
"""
PREAMBLE = """
#define KC_RECORD_DEFINE
#include <kconform/record.h>
#include <linux/types.h>
#define EXPORT __attribute__((visibility("default")))
EXPORT struct kc_record *record(void);
struct kc_record *record(void) { return &kc_record; }
"""
STOPPED = 3  # KC_STOP_SANITIZER
World = tuple[int, int, int, str]  # its size; the place, size and name of its one object


def rig(folder: Path) -> Path:
    """The guard and the engine's side of the sanitizer as a library."""
    made = folder / "rig.so"
    sources = [Path(__file__).with_name("sanitizer_rig.c"), NATIVE / "shadow.c", NATIVE / "sandbox.c"]
    flags = ["-std=gnu11", "-O1", "-fPIC", "-shared", "-Wall", "-Werror"]
    subprocess.run(["gcc", *flags, "-I", NATIVE, "-idirafter", INCLUDE, *sources, "-o", made], check=True)
    return made


def sanitized(folder: Path, source: str, *flags: str) -> Path:
    """`source` as a sanitized library with nothing below it."""
    made = folder / "exerciser.so"
    below = [native_object(name, folder).finish() for name in SANITIZED.sources]
    said = gcc(PREAMBLE + source, "-w", *SANITIZED.code, *flags, "-x", "none", *below,
               *LINK, *SANITIZED.link, "-o", made, flags=DEBUG_VM)  # fmt: skip
    assert not said, said
    undefined = subprocess.run(["nm", "-u", made], capture_output=True, text=True, check=True)
    assert undefined.stdout == ""
    return made


class Rig:
    """One sanitized library, opened in this process."""

    def __init__(self, rig: Path, library: Path, names: Sequence[str], world: str = ""):
        self.ffi = FFI()
        self.ffi.cdef(DECLARATIONS)
        exported = FFI()
        exported.cdef(
            "struct kc_record { unsigned warnings; void *first, *last; unsigned rmw; void *stop;"
            "unsigned checking, reports; const void *report; };"
            "struct kc_record *record(void); const void *kc_sanitizer(void); extern char world[];"
            + "".join(f"long {name}(long);" for name in names)
        )
        self.exported = exported
        self.rig: Any = self.ffi.dlopen(str(rig))
        self.library: Any = exported.dlopen(str(library))

    def open(self, world: World | None = None) -> None:
        """`world`: its size, where in it its one object is, the size and the name of that."""
        library, null = self.library, self.ffi.NULL
        place = (null, 0, null, 0, null)
        if world:
            size, offset, object_size, name = world
            base = int(self.exported.cast("unsigned long", self.exported.addressof(library, "world")))
            self.name = self.ffi.new("char[]", name.encode())
            pointer = self.ffi.cast
            place = (pointer("void *", base), size, pointer("void *", base + offset), object_size, self.name)
        sanitizer = self.ffi.cast("void *", int(self.exported.cast("unsigned long", library.kc_sanitizer())))
        record = self.ffi.cast("void *", int(self.exported.cast("unsigned long", library.record())))
        assert self.rig.rig_open(sanitizer, record, *place) == 0

    def close_cage(self) -> None:
        """From here on as an operation runs: no system calls but memory's."""
        assert self.rig.kc_sandbox() == 0

    def run(self, name: str, argument: int) -> dict[str, Any]:
        """What one call of `name` did."""
        seen = self.ffi.new("struct seen *")
        address = int(self.exported.cast("unsigned long", self.exported.addressof(self.library, name)))
        self.rig.rig_run(self.ffi.cast("long (*)(long)", address), argument, seen)
        report = seen.report
        return {"why": seen.why, "ret": seen.ret, "reports": seen.reports, "kind": self.text(report.kind),
                "text": self.text(report.text), "file": self.text(report.file), "line": report.line,
                "pc": report.pc, "base": seen.base}  # fmt: skip

    def text(self, pointer: Any) -> str:
        return bytes(self.ffi.string(pointer)).decode() if pointer != self.ffi.NULL else ""


def run_all(
    rig: Path,
    library: Path,
    calls: Mapping[str, tuple[str, int]],
    world: World | None = None,
) -> dict[str, dict[str, Any]]:
    """What each of `calls` (function, argument) did, by its key, in one worker."""

    def task() -> dict[str, dict[str, Any]]:
        opened = Rig(rig, library, sorted({name for name, _ in calls.values()}))
        opened.open(world)
        opened.close_cage()
        return {key: opened.run(name, argument) for key, (name, argument) in calls.items()}

    outcome = worker.run(task, worker.Limits())
    assert not outcome.error and not outcome.killed_by, outcome
    said: dict[str, dict[str, Any]] = outcome.result
    return said
