# SPDX-License-Identifier: GPL-2.0-only
"""Shim headers and bundled patches, as data."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent
INCLUDE = ROOT / "include"
PATCHES = ROOT / "patches"
BUNDLED_PATCH = PATCHES / "mm-owner-tracking-v1-08of17.txt"
