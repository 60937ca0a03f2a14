# SPDX-License-Identifier: GPL-2.0-only
"""OLD and NEW as a command names them: a patch, a series, a tree, or a patch on a tree."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.inputs import Given, given


@dataclass(frozen=True)
class Named:
    """One revision by its parts: a tree and its revision, each maybe none, and a patch, maybe none."""

    tree: str = ""
    rev: str = ""
    patch: str = ""


def is_tree(path: str) -> bool:
    """Whether a directory is a kernel tree, or a git repository, and no directory of mails."""
    folder = Path(path)
    return (folder / "include/linux").is_dir() or (folder / ".git").exists() or (
        (folder / "objects").is_dir() and (folder / "HEAD").is_file()
    )  # fmt: skip


def named(word: str, tree: str, rev: str) -> Named:
    """What `word` names: PATCH (on `tree`, where there is one), TREE, TREE@REV, TREE+PATCH, TREE@REV+PATCH.

    HarnessError where there is no such file.
    """
    if word == "-" or Path(word).exists():
        return Named(word) if word != "-" and is_tree(word) else Named(tree, rev, word)
    for at in (i for i, char in enumerate(word) if char == "+"):
        base, patch = word[:at], word[at + 1 :]
        if patch and (found := tree_of(base)) and (patch == "-" or Path(patch).exists()):
            return Named(found[0], found[1], patch)
    if found := tree_of(word):
        return Named(*found)
    raise HarnessError(f"{word}: error: no such file; give a patch, a kernel tree, TREE@REV, TREE+PATCH "
                       "or TREE@REV+PATCH")  # fmt: skip


def tree_of(word: str) -> tuple[str, str] | None:
    """The tree and the revision that `word` names, where it does."""
    if Path(word).is_dir() and is_tree(word):
        return word, ""
    path, at, rev = word.rpartition("@")
    return (path, rev) if at and rev and Path(path).is_dir() and is_tree(path) else None


def both(words: Sequence[str], tree: str, rev: str) -> tuple[Named, Named]:
    """OLD and NEW; of one patch on a tree, OLD is the tree."""
    if len(words) == 1 and tree:
        return Named(tree, rev), named(words[0], tree, rev)
    if len(words) != 2:
        raise HarnessError("give OLD and NEW, or one patch and --tree DIR, which it is compared with")
    old, new = (named(word, tree, rev) for word in words)
    return old, new


@contextlib.contextmanager
def opened_both(
    first: Named, second: Named, options: argparse.Namespace, files: Sequence[str]
) -> Iterator[tuple[Given, Given]]:
    """OLD and NEW; of a tree by itself, what the patches of the other touch is read as well."""
    with contextlib.ExitStack() as stack:
        if first.patch and not second.patch:
            old = stack.enter_context(opened(first, options, files))
            new = stack.enter_context(opened(second, options, [*files, *touched_by(old)]))
        else:
            new = stack.enter_context(opened(second, options, files))
            old = stack.enter_context(opened(first, options, [*files, *touched_by(new)]))
        yield old, new


def touched_by(revision: Given) -> list[str]:
    """The files that its patches change."""
    return [file.path for patch in revision.patches for file in patch.files]


@contextlib.contextmanager
def opened(side: Named, options: argparse.Namespace, files: Sequence[str] = ()) -> Iterator[Given]:
    """One revision, read; of a tree, `files` as well. What is made of it lasts as long as the context."""
    headers = [file.removeprefix("include/") for file in files if file.endswith(".h")]
    said = {**vars(options), "tree": side.tree or None, "rev": side.rev or None, "range": None,
            "patch": [side.patch] if side.patch else [], "contract": options.contract,
            "headers": headers}  # fmt: skip
    if not side.tree:
        said["kconfig"] = None
    with given(argparse.Namespace(**said)) as revision:
        yield revision
