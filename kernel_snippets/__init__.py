# SPDX-License-Identifier: GPL-2.0-only
"""Shim headers and bundled patches, as data."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent
INCLUDE = ROOT / "include"
PATCHES = ROOT / "patches"
BUNDLED_PATCH = PATCHES / "mm-owner-tracking-v1-08of17.txt"
# Headers that stand in for code and records of mm, where there is a patch and no tree: a tree has its own.
STANDINS = frozenset(
    """asm/page.h generated/bounds.h linux/gfp.h linux/gfp_types.h linux/mm.h linux/mm_types.h
    linux/page-flags.h linux/page_ref.h linux/rmap.h""".split()
)
