# SPDX-License-Identifier: GPL-2.0-only
"""A tree's files as they lie in folders: which paths they have, that none leads out, how large they are."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.errors import HarnessError

MOST_BYTES = 64 << 20
MOST_PATH, MOST_NAME = 1000, 255


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


class Roots:
    """Folders that have a tree's files, those of patched ones first: nothing of it is read but from here."""

    def __init__(self, folders: Iterable[Path | str]) -> None:
        self.folders = tuple(Path(folder) for folder in folders)
        self.real = tuple(os.path.realpath(folder) for folder in self.folders)
        self.known: dict[str, str | None] = {}  # what was looked for, most of it in several folders

    def find(self, path: str) -> str | None:
        """The regular file of a path from the tree's top, links followed inside of the tree only."""
        if path not in self.known:
            self.known[path] = self.looked_for(path)
        return self.known[path]

    def looked_for(self, path: str) -> str | None:
        """As find(), on the disk."""
        if not is_inside(path):
            return None
        for root in self.real:
            there = os.path.join(root, path)
            try:
                if not stat.S_ISREG(os.stat(there).st_mode):
                    continue
                real = os.path.realpath(there)
            except OSError:
                continue
            if self.holds(real):
                return real
        return None

    def headers(self, below: Sequence[str]) -> Iterator[str]:
        """The headers below some folders of the tree, each once, by name."""
        found = {str(path.relative_to(root)) for root in self.folders for folder in below
                 for path in (root / folder).rglob("*.h")}  # fmt: skip
        yield from (file for file in sorted(found) if self.find(file))

    def leads_out(self, path: str) -> bool:
        """Whether there is something of that path, and a link takes it out of the tree."""
        real = [os.path.realpath(os.path.join(root, path)) for root in self.real] if is_inside(path) else []
        return any(os.path.lexists(one) and not self.holds(one) for one in real)

    def holds(self, real: str) -> bool:
        """Whether a path without links is below one of the folders."""
        return any(os.path.commonpath([root, real]) == root for root in self.real)

    def read(self, path: str) -> bytes | None:
        """What stands in a file; None where there is none, HarnessError where it cannot be read."""
        real = self.find(path)
        if real is None:
            return None
        try:
            with open(real, "rb") as stream:
                data = stream.read(MOST_BYTES + 1)
        except OSError as err:
            raise HarnessError(f"{real}: error: cannot read it: {err.strerror}") from None
        if len(data) > MOST_BYTES:
            raise HarnessError(f"{real}: error: larger than {MOST_BYTES >> 20} MiB")
        return data

    def text(self, path: str) -> str | None:
        """The text of a file; None where there is no such file."""
        data = self.read(path)
        return None if data is None else text_of(data)

    def folders_of(self, names: Sequence[str]) -> list[Path]:
        """The folders of these names that there are, in their order; each root before the next."""
        return [root / name for name in names for root in self.folders if (root / name).is_dir()]
