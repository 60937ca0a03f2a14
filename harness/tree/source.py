# SPDX-License-Identifier: GPL-2.0-only
"""Where a kernel tree's files come from: a directory, or a revision of a git repository.

A tree is a stranger's as a patch is: no path leaves it, be it by `..` or by a symbolic link.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from harness.errors import HarnessError
from harness.tree.files import Roots, is_inside
from harness.tree.git import GitTree

MARK = "include/linux"  # no kernel tree is without it


class Tree(Protocol):
    """Files by their paths from the tree's top, such as `include/linux/mm.h`."""

    @property
    def name(self) -> str:
        """What reports call it: the directory, of git with the commit's abbreviated hash."""

    def read(self, path: str) -> str | None:
        """The text of a file; None where there is no such file."""

    def paths(self, under: str, suffix: str) -> list[str]:
        """The files at and below `under` ("": all) whose names end in `suffix`, sorted."""

    def export(self, under: Sequence[str], folder: Path) -> Path:
        """A folder that has the tree's files at and below each of `under`, for programs that need files.

        `folder`, which must be empty, where they had to be written.
        """


class DirectoryTree:
    """A tree as it lies in a directory."""

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        self.root = Path(os.path.realpath(path))
        self.roots = Roots([self.root])

    def read(self, path: str) -> str | None:
        """See Tree."""
        return self.roots.text(path)

    def paths(self, under: str, suffix: str) -> list[str]:
        """See Tree."""
        if under and not is_inside(under):
            return []
        if self.roots.find(under):
            return [under] if under.endswith(suffix) else []
        if os.path.realpath(self.root / under) != str(self.root / under):
            return []  # by a link, which as in git is no folder
        return sorted(path for path in self._files(under) if path.endswith(suffix))

    def export(self, under: Sequence[str], folder: Path) -> Path:
        """See Tree."""
        return self.root

    def _files(self, under: str) -> Iterator[str]:
        folders = [under]
        while folders:
            folder = folders.pop()
            try:
                entries = list(os.scandir(self.root / folder))
            except OSError:
                continue
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if not is_inside(path):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif entry.is_file(follow_symlinks=False) or (entry.is_symlink() and self.roots.find(path)):
                    yield path


def open_tree(path: str, rev: str | None = None) -> Tree:
    """The tree in the directory `path`, or of the revision `rev` in the git repository there."""
    if not Path(path).is_dir():
        raise HarnessError(f"{path}: error: not a directory; give a kernel tree")
    tree: Tree = DirectoryTree(path) if rev is None else GitTree(path, rev)
    if not tree.paths(MARK, ""):
        bare = rev is None and (Path(path) / "objects").is_dir()
        hint = "give --rev for a bare git repository" if bare else "give the top of one"
        raise HarnessError(f"{tree.name}: error: not a kernel tree, it has no {MARK}; {hint}")
    return tree
