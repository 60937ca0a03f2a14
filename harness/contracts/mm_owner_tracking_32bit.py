# SPDX-License-Identifier: GPL-2.0-only
"""MM owner tracking v2 with the types that it has on 32 bit: IDs of 15 bits, and counts that are short.

"On 32bit, we can cut the required metadata in half". The code under CONFIG_64BIT=n is compiled for 64 bit
and driven here. Types, masks, bit numbers and the overflow of a count are those of a 32-bit kernel;
`unsigned long` is not, so that the word of the IDs has an upper half that must stay untouched, and pointers,
alignment and the layout of the records are those of 64 bit.
"""

from __future__ import annotations

from dataclasses import replace

from harness.contract import Contract, settings

with settings(id_bits=15, id_type_bits=16, count_bits=15):
    from harness.contracts.mm_owner_tracking import COUNT_MOST
    from harness.contracts.revisions.mm_owner_tracking_v2 import AROUND
    from harness.contracts.revisions.mm_owner_tracking_v2 import CONTRACT as V2

CONTRACT: Contract = replace(
    V2,
    name="mm-owner-tracking-32bit",
    title="MM owner tracking by the model of v2, 32-bit types in a 64-bit word",
    # Names that only this revision has: v1 is not for 32 bit.
    requires=tuple(name for name in V2.requires if "_large_mapcount" not in name or "lock_" in name),
    config=dict(V2.config) | {"CONFIG_64BIT": False, "CONFIG_MEMCG": False},  # the order alone, no pages
    pinned=("CONFIG_64BIT",),
    claims=tuple(
        replace(claim, title=f"{claim.title} (a comment of the code excepts counts that overflow)")
        if claim.id == "no-false-shared-with-two-mms"
        else claim
        for claim in V2.claims
    ),
    walk={"mms": 12, "pages": 2**17},
    scope=f"and {COUNT_MOST - AROUND:,} to {COUNT_MOST + AROUND:,} mappings of an MM",
    not_checked=(
        "CONFIG_64BIT=n: only the types are those of 32 bit; unsigned long and pointers have 64 bits here, "
        "so layout and bit spinlock are not those of a 32-bit kernel",
        *V2.not_checked,
    ),
)
