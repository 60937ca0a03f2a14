# SPDX-License-Identifier: GPL-2.0-only
"""What reading a kernel tree must know of the kernel's own build and headers, as data."""

from __future__ import annotations

ARCH = "arch/x86"
# Where headers are, in the order of the kernel's Makefile, each with its uapi folder.
INCLUDES = (f"{ARCH}/include", "include", f"{ARCH}/include/uapi", "include/uapi")
# As the kernel's Makefile has them on every command line.
FIRST = ("linux/compiler-version.h", "linux/kconfig.h", "linux/compiler_types.h")
# Headers of mm are not complete by themselves: each kernel file that has one has these as well.
AROUND = ("linux/mm.h", "linux/pagemap.h", "linux/swap.h", "linux/rmap.h", "linux/mm_inline.h")
# Where the headers are, and what says include in quotes.
EXPORTED = ("include", f"{ARCH}/include", "mm")
# What a kernel build writes, and no tree has; all other headers are files of the tree.
GENERATED = ("generated/", "asm/")
# The kernel writes the native operations over the calls of these where it boots on no hypervisor: without
# them its headers have those in C.
GUEST = frozenset(["CONFIG_PARAVIRT", "CONFIG_PARAVIRT_XXL", "CONFIG_PARAVIRT_SPINLOCKS"])
# kernel/bounds.c of Linux 6.12: constants that headers test in #if, and whose enums other headers declare.
COUNTED = {"NR_PAGEFLAGS": "__NR_PAGEFLAGS", "MAX_NR_ZONES": "__MAX_NR_ZONES"}
COUNTED_IN = ("linux/page-flags.h", "linux/mmzone.h")
# The other constants of kernel/bounds.c: the width of each where an option is set, and where it is not.
WIDTHS = {
    "LRU_GEN_WIDTH": ("CONFIG_LRU_GEN", 3, 0),
    "__LRU_REFS_WIDTH": ("CONFIG_LRU_GEN", 2, 0),
    "SPINLOCK_SIZE": ("CONFIG_SMP", 4, 4),
}
# As many bits as number the values that an option counts.
BITS = {"NR_CPUS_BITS": "CONFIG_NR_CPUS"}
# Where x86 has its struct pages and its direct map; both lead to the census's own objects.
MEMORY = ("vmemmap_base", "page_offset_base")
# The headers of mm, which a census is of.
MEASURED = (
    *(f"include/linux/{name}.h" for name in ("rmap", "page-flags", "page_ref", "bit_spinlock", "mm_inline",
                                             "huge_mm", "mm_types", "pagemap", "swap", "mm")),
    "mm/internal.h",
)  # fmt: skip
