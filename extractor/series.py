# SPDX-License-Identifier: GPL-2.0-only
"""From mails, in whatever order they lie in files, to the patches of one series in theirs.

A single patch mail is a revision of its own, whatever its number says. From two mails on that are
numbered (`2/5`), they are a series: one version of it, complete, each number once. Mails that are not
numbered, such as bare diffs, stay in the order in which they were given; one numbered mail may be
among them, as a patch with fixes on top.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from extractor.errors import ExtractError, printable
from extractor.mail import Mail
from extractor.patch import Patch, has_hunk, parse_patch, patch_tag, subject_numbers

REPLY = re.compile(r"\s*(re|aw|sv|antw)\s*:", re.I)


@dataclass(frozen=True)
class Series:
    """The patches of one revision in their order, its cover letter, and what was passed over."""

    patches: tuple[Patch, ...]
    cover: Mail | None = None
    notes: tuple[str, ...] = ()

    def prefix(self, count: int) -> Series:
        """The revision that the first `count` patches make; ExtractError where there are fewer."""
        if not 1 <= count <= len(self.patches):
            have = len(self.patches)
            raise ExtractError(
                f"there is no prefix of {count} patches, the series has {have}",
                file=self.patches[0].source,
                hint=f"give a number from 1 to {have}",
            )
        return replace(self, patches=self.patches[:count])

    def prefixes(self) -> Iterator[Series]:
        """The revisions after one patch, after two, and so on to the whole series."""
        return (self.prefix(count) for count in range(1, len(self.patches) + 1))


def read_series(mails: Sequence[Mail], latest: bool = False) -> Series:
    """The series in `mails`; ExtractError where they are none, or not all of one.

    With `latest`, of each patch number the mail of the highest version is taken.
    """
    notes: list[str] = []
    mails = _patch_mails(mails, notes)
    placed = [_Placed(mail, *subject_numbers(mail.subject)) for mail in mails]
    # A cover letter may hold a diff of its own: of the whole series to the version before.
    series = any(one.number for one in placed)
    covers: list[_Placed] = []
    patches: list[_Placed] = []
    for one in placed:
        (covers if one.number == 0 and (series or not has_hunk(one.mail)) else patches).append(one)
    patches = patches or covers
    if sum(one.number is not None for one in patches) > 1:
        patches = _ordered(patches, latest, notes)
    version = patches[0].version
    cover = next((one.mail for one in covers if one.version == version), None)
    return Series(tuple(parse_patch(one.mail) for one in patches), cover, tuple(notes))


@dataclass(frozen=True)
class _Placed:
    """A mail and what its subject says of its place."""

    mail: Mail
    version: int
    number: int | None
    total: int | None

    @property
    def where(self) -> str:
        return self.mail.source if self.mail.decoded else f"{self.mail.source}:{self.mail.first_line}"

    def refuse(self, what: str, hint: str) -> ExtractError:
        line = None if self.mail.decoded else self.mail.first_line
        return ExtractError(what, file=self.mail.source, line=line, hint=hint)


def _patch_mails(mails: Sequence[Mail], notes: list[str]) -> list[Mail]:
    """What is meant to be applied: not the answers, nor other talk beside patches in one mbox."""
    tagged = {mail.source for mail in mails if patch_tag(mail.subject) and not REPLY.match(mail.subject)}
    held = Counter(mail.source for mail in mails)
    kept: list[Mail] = []
    for mail in mails:
        reply = bool(REPLY.match(mail.subject))
        talk = held[mail.source] > 1 and mail.source in tagged and not patch_tag(mail.subject)
        if not reply and not talk:
            kept.append(mail)
            continue
        what = "a reply" if reply else "no [PATCH] mail"
        diff = ", which has a diff of its own" if has_hunk(mail) else ""
        notes.append(f"{mail.source}: passed over, {what}{diff}: {printable(mail.subject, 160)}")
    if kept:
        return kept
    notes.clear()
    return list(mails)  # answers alone: what is wrong with them parse_patch() says


def _ordered(patches: Sequence[_Placed], latest: bool, notes: list[str]) -> list[_Placed]:
    """The patches of one version, complete, in the order of their numbers."""
    for one in patches:
        if one.number is None or one.total is None:
            raise one.refuse("the patch is not numbered, and others beside it are of a series",
                             "give the series alone, or number all of them")  # fmt: skip
        if not 1 <= one.number <= one.total:
            raise one.refuse(f"there is no patch {one.number} of {one.total}", "correct the subject")
    found = _by_number(_one_version(patches, latest, notes), notes)
    first = next(iter(found.values()))
    total = first.total or 0
    lost = [number for number in range(1, total + 1) if number not in found]
    if lost:
        said = "patch" if len(lost) == 1 else "patches"
        raise first.refuse(f"the series is incomplete: of {total} patches, {said} {_ranges(lost)} missing",
                           "give all of them, or one alone")  # fmt: skip
    return [found[number] for number in range(1, total + 1)]


def _one_version(patches: Sequence[_Placed], latest: bool, notes: list[str]) -> list[_Placed]:
    """The mails, newest first, that count, all of the same total."""
    newest = max(one.version for one in patches)
    for one in patches:
        if one.version != newest and not latest:
            raise one.refuse(f"this mail is of v{one.version} of a series, others are of v{newest}",
                             "give one version, or --latest")  # fmt: skip
    counted = sorted(patches, key=lambda one: -one.version)
    first = counted[0]
    kept: list[_Placed] = []
    for one in counted:
        if one.total == first.total:
            kept.append(one)
        elif one.version == newest:
            theirs = f"{first.where} is patch {first.number} of {first.total}"
            raise one.refuse(f"this is patch {one.number} of {one.total}, {theirs}", "give one series")
        else:
            notes.append(f"{one.where}: passed over, v{one.version} {one.number}/{one.total}: "
                         f"v{newest} has {first.total} patches")  # fmt: skip
    return kept


def _by_number(patches: Sequence[_Placed], notes: list[str]) -> dict[int, _Placed]:
    """Each number's mail; of several versions the first in `patches`, the newest."""
    found: dict[int, _Placed] = {}
    for one in patches:
        place = f"{one.number}/{one.total}"
        other = found.setdefault(one.number or 0, one)
        if other.version != one.version:
            notes.append(f"{one.where}: passed over, v{one.version} {place}: v{other.version} of it is taken")
        elif other is not one:
            raise one.refuse(f"patch {place} is there twice: also {other.where}", "leave one of them out")
    return found


def _ranges(numbers: Sequence[int]) -> str:
    """`1, 3-5 and 7 are`: ascending numbers in words, with their verb."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    words = [str(a) if a == b else f"{a}-{b}" for a, b in parts[:20]] + ["others"] * (len(parts) > 20)
    said = f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
    return f"{said} {'is' if len(numbers) == 1 else 'are'}"
