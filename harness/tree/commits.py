# SPDX-License-Identifier: GPL-2.0-only
"""A commit range of a git repository as the mails that git format-patch would make of it."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

from extractor.mail import Mail
from extractor.patch import is_code
from harness.build import cache_folder
from harness.errors import HarnessError
from harness.scratch import scratch_folder
from harness.tree.files import text_of
from harness.tree.git import ABBREVIATED, Objects, Repository

MOST_COMMITS = 1000
DIFF = (
    *("diff-tree", "--stdin", "-r", "-p", "-M", "-O/dev/null", "--unified=3", "--full-index", "--no-color"),
    *("--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short"),
    "--text",  # what is binary is said here: a byte in a header must not hide it
)
AUTHOR = re.compile(rb"^author ([^<>\n]*) <([^<>\n]*)> (\d{1,15}) ([+-])(\d\d)(\d\d)$", re.M)
# Lines of a message that would be read as the begin of its diff, or as the message's end.
DIFF_LIKE = re.compile(r"(diff --git |--- |\+\+\+ |@@ -|---$)")


@dataclass(frozen=True)
class CommitRange:
    """The commits of a range as mails, oldest first, and the full hash of the commit below them.

    `notes` has the commits that change no text, for which there is no mail.
    """

    base: str
    mails: list[Mail]
    notes: tuple[str, ...]


def commits(path: str | Path, words: str) -> CommitRange:
    """The range `BASE..HEAD` of the repository at `path`; it must be a line of commits without merges."""
    repository = Repository(path)
    older, dots, newer = words.partition("..")
    if words.startswith("-") or not dots or not older or newer.startswith("."):
        raise HarnessError(f"{words}: error: not a range of commits; give it as BASE..HEAD")
    base, head = repository.commit(older), repository.commit(newer or "HEAD")
    chain = _chain(repository, words, base, head)
    diffs = _diffs(repository, chain)
    notes = [f"commit {oid[:ABBREVIATED]}: no change of text, passed over" for oid in chain if not diffs[oid]]
    kept = [oid for oid in chain if diffs[oid]]
    if not kept:
        raise HarnessError(f"{words}: error: its commits change no text; give another range")
    objects = Objects(repository)
    mails = [
        _mail(oid, found[1], diffs[oid], number, len(kept))
        for number, (oid, found) in enumerate(zip(kept, objects.read(kept), strict=True), 1)
        if found
    ]
    objects.end()
    return CommitRange(base, mails, tuple(notes))


def _chain(repository: Repository, words: str, base: str, head: str) -> list[str]:
    """The commits from above `base` to `head`, oldest first."""
    if repository.run("merge-base", "--is-ancestor", base, head) is None:
        fork = (repository.run("merge-base", base, head) or b"").decode().strip()[:ABBREVIATED]
        hint = f"they part at {fork}: give {fork}.." if fork else "they have no commit in common: give BASE.."
        raise HarnessError(f"{words}: error: its base is not below its head; {hint}HEAD")
    listed = repository.run("rev-list", "--reverse", "--parents", f"--max-count={MOST_COMMITS + 1}",
                            f"{base}..{head}")  # fmt: skip
    lines = (listed or b"").decode().splitlines()
    if not lines:
        raise HarnessError(f"{words}: error: there is no commit in it; give an older base")
    if len(lines) > MOST_COMMITS:
        raise HarnessError(f"{words}: error: more than {MOST_COMMITS:,} commits; give a nearer base")
    for line in lines:
        oid, *parents = line.split()
        if len(parents) != 1:
            raise HarnessError(f"{words}: error: {oid[:ABBREVIATED]} is a merge; give a range without merges")
    return [line.split()[0] for line in lines]


def _diffs(repository: Repository, chain: list[str]) -> dict[str, list[str]]:
    """The lines of each commit's diff, binary changes as git would say them."""
    given = "".join(f"{oid}\n" for oid in chain).encode()
    with scratch_folder(cache_folder()) as folder:
        said = repository.bare(folder).run(*DIFF, given=given)
    if said is None:
        raise HarnessError(f"{repository.path}: error: git cannot make the diffs; run git fsck there")
    found: dict[str, list[str]] = {oid: [] for oid in chain}
    lines: list[str] = []
    for line in said.split(b"\n"):
        # No line of a diff begins with a hash, so this cannot be a stranger's text.
        if re.fullmatch(rb"[0-9a-f]{40,64}", line):
            lines = found[line.decode()]
        else:
            lines.append(text_of(line.removesuffix(b"\r")))
    texts = {oid: list(without_binary(lines, f"commit {oid[:ABBREVIATED]}")) for oid, lines in found.items()}
    bare = {oid: lines for oid, lines in texts.items() if not any(line.startswith("@@ -") for line in lines)}
    for oid, lines in bare.items():
        refuse_renames(lines, oid[:ABBREVIATED])
    return {oid: [] if oid in bare else lines for oid, lines in texts.items()}


def refuse_renames(lines: Sequence[str], commit: str) -> None:
    """HarnessError where a commit without a change of text moves code: later ones are of the new name."""
    names = [line.partition(" ")[2] for line in lines if line.startswith(("rename from ", "rename to "))]
    for old, new in zip(names[::2], names[1::2], strict=True):
        if is_code(old) or is_code(new):
            old, new = old.removeprefix("from "), new.removeprefix("to ")
            raise HarnessError(f"commit {commit}: error: it only renames {old}, which is code, to {new}; "
                               f"give what is before it (BASE..{commit}^) and after it "
                               f"({commit}..HEAD) apart")  # fmt: skip


def without_binary(lines: Sequence[str], source: str) -> Iterator[str]:
    """A diff, what it changes in binary files left out; HarnessError where such a file is code."""
    heads = [at for at, line in enumerate(lines) if line.startswith("diff --git ")]
    for begin, end in pairwise([*heads, len(lines)]):
        part = lines[begin:end]
        if not any("\0" in line for line in part):
            yield from part
            continue
        if is_code(lines[begin]):
            named = lines[begin].removeprefix("diff --git ")
            raise HarnessError(f"{source}: error: a binary change of {named}, which is code; leave it out")
        yield lines[begin]
        yield "Binary files differ"


def _mail(oid: str, data: bytes, diff: list[str], number: int, total: int) -> Mail:
    source = f"commit {oid[:ABBREVIATED]}"
    head, _, raw = data.partition(b"\n\n")
    message = text_of(raw).replace("\r\n", "\n").replace("\0", " ").strip("\n")
    title, _, body = message.partition("\n\n")
    place = f"[PATCH {number}/{total}] " if total > 1 else "[PATCH] "
    words = [f" {line}" if DIFF_LIKE.match(line) else line for line in body.split("\n")]
    lines = (*words, "---", "", *diff, "-- ", oid)
    sender, date = _author(head)
    return Mail(source, place + " ".join(title.split()), sender, date, "", lines)


def _author(head: bytes) -> tuple[str, str]:
    """Name and date of a commit's author, in the words of a mail; "" for what is damaged."""
    match = AUTHOR.search(head)
    if not match:
        return "", ""
    minutes = int(match[5]) * 60 + int(match[6])
    try:
        zone = timezone(timedelta(minutes=-minutes if match[4] == b"-" else minutes))
        date = email.utils.format_datetime(datetime.fromtimestamp(int(match[3]), zone))
    except (OverflowError, ValueError, OSError):
        date = ""
    return f"{text_of(match[1])} <{text_of(match[2])}>", date
