# SPDX-License-Identifier: GPL-2.0-only
"""Lists in words, cut short where they are long."""

from __future__ import annotations

from collections.abc import Sequence


def few(names: Sequence[str], most: int = 8) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
