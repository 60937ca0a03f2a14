# SPDX-License-Identifier: GPL-2.0-only
"""Reads git repositories, without a checkout and without running anything that they configure."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.tree.files import MOST_BYTES, is_inside, is_under, text_of

MOST_OUTPUT = 256 << 20
ABBREVIATED = 12
MOST_EXPORTED = 1 << 30
CHUNK = 50  # requests at a time: with paths of MOST_PATH bytes less than a pipe holds
# A repository's own configuration can name programs: hooks, monitors, transports, filters. Only commands
# that read objects are used here, which run no filters, and these options close the other ways.
OPTIONS = (
    "--no-pager",
    "--literal-pathspecs",
    *("-c", "safe.directory=*"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
)
ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # also where git is too old for the line before
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_INDEX_FILE": "/dev/no-index",  # nothing here is of an index
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


@dataclass(frozen=True)
class Entry:
    """A file of a revision, or a symbolic link."""

    path: str
    link: bool


class Repository:
    """A git repository at exactly `path` (its working tree's top, or a bare one), not above it."""

    def __init__(self, path: str | Path, more: Mapping[str, str] | None = None) -> None:
        self.path = str(path)
        self.real = os.path.realpath(path)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        above = {"GIT_CEILING_DIRECTORIES": os.path.dirname(self.real)}
        self.environment = kept | ENVIRONMENT | above | dict(more or {})
        if self.run("rev-parse", "--git-dir") is None:
            raise HarnessError(f"{path}: error: not a git repository; give the top of one")

    def run(self, *arguments: str, given: bytes = b"") -> bytes | None:
        """What a git command prints; None where it fails. `given` must be less than a pipe holds."""
        with self.start(*arguments) as process:
            assert process.stdin and process.stdout
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(given)
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            data = process.stdout.read(MOST_OUTPUT + 1)
            if len(data) > MOST_OUTPUT:
                process.kill()
                raise HarnessError(
                    f"{self.path}: error: git {arguments[0]} says more than {MOST_OUTPUT:,} bytes"
                )
        return data if process.returncode == 0 else None

    def bare(self, folder: Path) -> Repository:
        """A repository made in `folder`, which must be empty, that has the objects of this one and no more.

        Neither configuration nor attributes, be they of the repository, of an index or of a working tree,
        say there how a diff is made.
        """
        objects = (self.run("rev-parse", "--git-path", "objects") or b"").decode(errors="surrogateescape")
        form = (self.run("rev-parse", "--show-object-format") or b"sha1").decode().strip()
        for name in ("refs", "objects"):
            (folder / name).mkdir()
        (folder / "HEAD").write_text("ref: refs/heads/none\n")
        (folder / "config").write_text(
            f"[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = {form}\n"
        )
        place = {"GIT_OBJECT_DIRECTORY": os.path.join(self.real, objects.rstrip("\n"))}
        return Repository(folder, place)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A git command under way."""
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        command = ["git", *OPTIONS, "-C", self.real, *arguments]
        try:
            return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=null, env=self.environment)
        except FileNotFoundError:
            raise HarnessError("git is missing; install the package git") from None

    def commit(self, rev: str) -> str:
        """The full hash of a commit; HarnessError where `rev` names none."""
        known = None
        if rev and not rev.startswith("-") and "\0" not in rev:
            known = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
        if not known:
            raise HarnessError(f"{self.path}: error: it has no commit {rev!r}; fetch it, or correct --rev")
        return known.decode().strip()


class Objects:
    """The objects of a repository, read through one git process."""

    def __init__(self, repository: Repository) -> None:
        self.path = repository.path
        self.process = repository.start("cat-file", "--batch", "--follow-symlinks")
        self.end = weakref.finalize(self, _end, self.process, os.getpid())

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, bytes] | None]:
        """The type and the data of each of `names`; None where there is no such object."""
        for first in range(0, len(names), CHUNK):
            chunk = names[first : first + CHUNK]
            stdin = self.process.stdin
            assert stdin
            try:
                stdin.write(b"".join(os.fsencode(name) + b"\n" for name in chunk))
                stdin.flush()
            except OSError:
                raise self._ended() from None
            left = len(chunk)
            try:
                while left:
                    left -= 1
                    yield self._answer()
            finally:  # where the caller stops early, no answer stays for the next question
                for _ in range(left):
                    self._answer()

    def one(self, name: str) -> tuple[str, bytes] | None:
        """The type and the data of one object."""
        return next(self.read([name]))

    def _answer(self) -> tuple[str, bytes] | None:
        head = self._line()
        known = re.fullmatch(rb"[0-9a-f]{40,64} (\w+) (\d+)", head)
        # Links that leave the tree, lead nowhere or in circles: what follows is their target or name.
        link = re.fullmatch(rb"(?:symlink|dangling|loop|notdir) (\d+)", head)
        if link:
            self._data(int(link[1]))
        if not known:
            return None
        return known[1].decode(), self._data(int(known[2]))

    def _line(self) -> bytes:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._ended()
        return line[:-1]

    def _data(self, size: int) -> bytes:
        assert self.process.stdout
        if size > MOST_BYTES:
            self.end()
            raise HarnessError(f"{self.path}: error: an object is larger than {MOST_BYTES >> 20} MiB")
        data = self.process.stdout.read(size + 1)
        if len(data) != size + 1:
            raise self._ended()
        return data[:-1]

    def _ended(self) -> HarnessError:
        return HarnessError(f"{self.path}: error: git cannot read its objects; run git fsck there")


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    """Ends the process, but not from a fork of the one that it is of."""
    if os.getpid() == owner:
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe and pipe.close()
        process.wait()


class GitTree:
    """The tree of one commit of a git repository, as it is there: nothing is checked out."""

    def __init__(self, path: str | Path, rev: str) -> None:
        self.repository = Repository(path)
        self.commit = self.repository.commit(rev)
        self.name = f"{path} at {self.commit[:ABBREVIATED]}"
        self.objects = Objects(self.repository)
        promised = self.repository.run(
            "config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$"
        )
        self.partial = bool(promised)
        self.listed: dict[str, list[Entry]] = {}

    def read(self, path: str) -> str | None:
        """The text of a file; None where there is no such file."""
        data = self._one(path) if is_inside(path) else None
        return None if data is None else text_of(data)

    def paths(self, under: str, suffix: str) -> list[str]:
        """The files at and below `under` ("": all) whose names end in `suffix`, sorted."""
        named = [entry for entry in self._entries(under) if entry.path.endswith(suffix)]
        return sorted(e.path for e in named if not e.link or self._one(e.path) is not None)

    def export(self, under: Sequence[str], folder: Path) -> Path:
        """Writes the files at and below each of `under` into `folder`, which must be empty; returns it.

        What a link inside of the tree leads to is written in its place, and no link ever.
        """
        entries = {entry.path: entry.link for one in under for entry in self._entries(one)}
        made: set[str] = set()
        left = MOST_EXPORTED
        for path, data in zip(entries, self._bytes(list(entries)), strict=True):
            data = self._one(path) if data is None and self.partial else data
            if data is None and entries[path]:
                continue
            if data is None:
                raise HarnessError(f"{self.name}: error: git cannot read {path}; run git fsck there")
            left -= len(data)
            if left < 0:
                raise HarnessError(f"{self.name}: error: its files are too large to be written")
            _write(folder, path, data, made)
        return folder

    def _bytes(self, paths: Sequence[str]) -> Iterator[bytes | None]:
        for found in self.objects.read([f"{self.commit}:{path}" for path in paths]):
            yield found[1] if found and found[0] == "blob" else None

    def _one(self, path: str) -> bytes | None:
        data = next(self._bytes([path]))
        # To git, an object that a partial clone has not fetched is missing as any other.
        if data is None and self.partial and any(e.path == path and not e.link for e in self._entries(path)):
            raise HarnessError(f"{self.name}: error: a partial clone, without {path}; fetch it there first")
        return data

    def _entries(self, under: str) -> list[Entry]:
        if under and not is_inside(under):
            return []
        if under not in self.listed:
            where = ("--", under) if under else ()
            said = self.repository.run("ls-tree", "-r", "-z", "--full-tree", self.commit, *where) or b""
            self.listed[under] = [e for e in _listed(said) if is_inside(e.path) and is_under(e.path, under)]
        return self.listed[under]


def _listed(said: bytes) -> Iterator[Entry]:
    for line in said.split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        mode, kind, _ = head.decode().split(" ")
        if kind == "blob":  # a submodule's commit is none
            yield Entry(os.fsdecode(path), mode == "120000")


def _write(folder: Path, path: str, data: bytes, made: set[str]) -> None:
    parent = os.path.dirname(path)
    if parent not in made:
        (folder / parent).mkdir(parents=True, exist_ok=True)
        made.add(parent)
    with open(folder / path, "xb") as stream:
        stream.write(data)
