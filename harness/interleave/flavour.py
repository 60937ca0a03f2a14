# SPDX-License-Identifier: GPL-2.0-only
"""The flavour 'threaded': a subject that tells the engine of each access to memory before it is made.

gcc's -fsanitize=thread puts the calls in, native/hooks.c answers them; no libtsan is below a subject.
"""

from __future__ import annotations

from dataclasses import replace

from harness.build import Flavour

# Not optimised: each access of the source is one, as a compiler may make it. (Optimised, `x &= a; x |= b`
# is a single store, and what a reader may see in between is not seen.)
THREADED = Flavour(
    "threaded",
    code=(
        "-O0",
        "-gdwarf-4",  # addr2line of binutils 2.40 takes the wrong file from a small header's DWARF 5
        "-DKC_UNOPTIMISED=1",
        "-DKC_THREADS=1",
        "-fsanitize=thread",
        "--param",
        "tsan-distinguish-volatile=1",
    ),
    sources=("hooks.c",),
    constructors=1,
)
# A kernel tree's code counts on the optimiser to leave out what its constants rule out.
THREADED_TREE = replace(THREADED, code=("-O1", *THREADED.code[1:]))
