# SPDX-License-Identifier: GPL-2.0-only
"""The option of MM owner tracking, as "[PATCH v1 08/17] mm/rmap: initial MM owner tracking" says."""

from harness.contract import OptionClaim, StaticContract, UndoneClaim

# Options that can be set on 32 bit and without transparent huge pages (mm/Kconfig, lib/Kconfig.debug,
# init/Kconfig of Linux 6.12), so that depending on one of them takes neither.
FREE = ("64BIT", "TRANSPARENT_HUGEPAGE", "MMU", "SMP", "EXPERT", "DEBUG_VM", "DEBUG_KERNEL", "SWAP", "SHMEM",
        "COMPACTION", "MIGRATION", "KSM", "MEMCG", "HUGETLBFS", "HUGETLB_PAGE", "X86", "PPC", "RISCV", "MIPS",
        "32BIT")  # fmt: skip

CONTRACT = StaticContract(
    name="mm-owner-configuration",
    title="the option of MM owner tracking",
    requires=("folio_set_mm0_id", "folio_set_mm1_id", "folio_test_large_mapped_exclusively"),
    headers=("linux/mm_types.h", "linux/page-flags.h", "linux/rmap.h"),
    config={"CONFIG_64BIT": True, "CONFIG_MMU": True, "CONFIG_TRANSPARENT_HUGEPAGE": True,
            "CONFIG_MM_ID": True, "CONFIG_DEBUG_VM": True},
    options=(
        OptionClaim(
            id="64bit-only",
            title="MM_ID can be set on 64 bit, and only there",
            sentence='64bit only, because we cannot easily squeeze more stuff into the "struct folio" of '
            "order-1 folios.",
            option="MM_ID",
            needs="64BIT",
            free=FREE,
        ),
        OptionClaim(
            id="with-thp-only",
            title="MM_ID can be set with transparent huge pages, and only then",
            sentence="RT is out of the picture with THP, and we can always optimize this later.",
            option="MM_ID",
            needs="TRANSPARENT_HUGEPAGE",
            free=FREE,
        ),
        OptionClaim(
            id="manually-enabled",
            title="MM_ID is set by hand, and by nothing else",
            sentence="the new tracking must be manually enabled via a kconfig option for now.",
            option="MM_ID",
            manual=True,
        ),
    ),
    undone=(
        UndoneClaim(
            id="undone-for-vdso32",
            title="the vdso32 hack un-defines CONFIG_MM_ID, and what the patch adds compiles there",
            sentence="Keep compilation for the vdso32 hack working by un-defining CONFIG_MM_ID like we for "
            "CONFIG_64BIT.",
            header="arch/x86/entry/vdso/vdso32/fake_32bit_build.h",
            option="CONFIG_MM_ID",
            config={"CONFIG_X86_64": True},
        ),
    ),
)  # fmt: skip
