# SPDX-License-Identifier: GPL-2.0-only
"""What a tree's files have in common, wherever they lie: their paths, their text, how large they may be."""

from __future__ import annotations

import os

MOST_BYTES = 64 << 20
MOST_PATH = 1000


def is_inside(path: str) -> bool:
    """True of a path as git has them: from the top, no empty part, none that leads out or is git's own."""
    parts = path.split("/")
    strange = any(part in ("", ".", "..") or part.lower() == ".git" for part in parts)
    return not strange and "\0" not in path and "\n" not in path and len(os.fsencode(path)) <= MOST_PATH


def text_of(data: bytes) -> str:
    """A file's text: UTF-8, or else Latin-1, which old files of the kernel are."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def is_under(path: str, under: str) -> bool:
    """True where `path` is `under` or stands below it; "" is the tree's top."""
    return not under or path == under or path.startswith(f"{under}/")
