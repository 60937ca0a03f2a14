# SPDX-License-Identifier: GPL-2.0-only
"""The flavour 'sanitized': a subject whose own code says when it does what C does not define.

gcc instruments, native/sanitizer.c answers; no libubsan and no libasan are below a subject. Signed
overflow and pointer overflow wrap in the kernel's dialect (build.DIALECT) and are no errors; neither
is a left shift into or out of the sign. `enum`, `return` are for C++, harmless here.
"""

from __future__ import annotations

from harness.build import Flavour

# gcc's manual, "Program Instrumentation Options". bounds-strict is what CONFIG_UBSAN_BOUNDS_STRICT
# asks of gcc: the last array of a record has a size as well (flexible array members have none).
UNDEFINED = (
    "shift-exponent",
    "bounds-strict",
    "alignment",
    "null",
    "bool",
    "enum",
    "integer-divide-by-zero",
    "unreachable",
    "return",
    "vla-bound",
    "builtin",
    "nonnull-attribute",
    "returns-nonnull-attribute",
)
SHADOW_OFFSET = 0x7FFF8000  # KC_SHADOW_OFFSET of native/sanitizer.h
# scripts/Makefile.kasan of the kernel, CONFIG_KASAN_OUTLINE with CONFIG_KASAN_STACK.
ADDRESS = (
    "-fsanitize=kernel-address",
    "-fno-sanitize-address-use-after-scope",  # hooks of its own, off in the kernel too
    f"-fasan-shadow-offset={SHADOW_OFFSET:#x}",
    *("--param", "asan-instrumentation-with-call-threshold=0"),
    *("--param", "asan-globals=1"),
    *("--param", "asan-stack=1"),
    *("--param", "asan-instrument-allocas=1"),
)
# -O1 without forced inlining: a third of the time to compile that it takes with it, and as fast to run.
SANITIZED = Flavour(
    "sanitized",
    code=(
        "-O1",
        "-DKC_UNOPTIMISED=1",
        "-DKC_GAP=512",
        f"-fsanitize={','.join(UNDEFINED)}",
        *ADDRESS,
        "-fsanitize-recover=all",
    ),
    sources=("sanitizer.c",),
    constructors=1,
)
