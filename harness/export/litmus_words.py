# SPDX-License-Identifier: GPL-2.0-only
"""The locations of a litmus test: what fits that form, which bits are a lock, how values are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from itertools import combinations
from operator import and_, or_
from typing import Literal

from harness.errors import HarnessError
from harness.interleave.schedule import (
    ACQUIRE,
    FENCE,
    FULL,
    MARKED,
    READ,
    RELEASE,
    SECTION,
    WAITS,
    WRITE,
    Schedule,
    ThreadStep,
)  # fmt: skip

MOST_THREADS = 4
MOST_NAME = 60  # characters
INT = range(-(1 << 31), 1 << 31)  # what herd7 computes C with, whatever the type (herd/CParseTest.ml)

# Words that one of herd7's lexers takes for something else than a name.
RESERVED = frozenset(
    """
    final forall exists cases observed Observed locations filter
    volatile const char int long struct void if else while typedef extern static auto register
    lock unlock WCAS SCAS nop NOP pac pacda pacdb pacia pacib and not true false with fault Fault tag TAG
    attrs Attrs oa pending active enabled priority affinity routing_mode handling_mode valid PTE TTD PA
    INTID intid SS SSCap gicarg GICARG NULL barrier
    """.split()
)
RESERVED_FORM = re.compile(
    r"[Pr][0-9]+|\w+_t|(smp|atomic|spin|rcu|srcu|synchronize|memory|mtx|xchg|cmpxchg|parel1)(_\w*)?", re.I
)

Form = Literal["as it is", "signed", "what varies", "numbered"]


@dataclass(frozen=True)
class Location:
    """What a step is to: `size` bytes at byte `byte` of an object; a lock that is no word has no size."""

    name: str
    byte: int
    size: int

    def __str__(self) -> str:
        at = f"{self.name} + {self.byte}" if self.byte else self.name
        return f"{at}, {self.size} byte{'s' * (self.size > 1)}" if self.size else at


@dataclass
class Word:
    """A location of the test, its accesses in the order of the schedule, and how its values are written.

    `lock`: bits that are a lock, and left out; then the variable `stands` is that lock. `kept`: why a lock
    is not left out.
    """

    at: Location
    steps: list[ThreadStep] = field(default_factory=list)
    name: str = ""
    lock: int = 0
    stands: str = ""
    kept: str = ""

    @cached_property
    def seen(self) -> tuple[int, ...]:
        """Its values, the lock left out, in the order in which they come."""
        return tuple(dict.fromkeys(v & ~self.lock for s in self.steps for v in values_of(s)))

    @property
    def same(self) -> int:
        """The bits that are set in all of its values."""
        return reduce(and_, self.seen)

    @cached_property
    def written(self) -> tuple[Form, Mapping[int, int]]:
        """How its values are written in 32 bits, and each of them so."""
        width = 8 * self.at.size
        forms: tuple[tuple[Form, dict[int, int]], ...] = (
            ("as it is", {v: v for v in self.seen}),
            ("signed", {v: v - (v >> (width - 1) << width) for v in self.seen}),
            ("what varies", {v: v & ~self.same for v in self.seen}),
        )
        for form, values in forms:
            if all(v in INT for v in values.values()):
                return form, values
        return "numbered", {v: n for n, v in enumerate(self.seen)}

    def value(self, value: int) -> int:
        """A value as herd7 is told it."""
        return self.written[1][value & ~self.lock]

    @property
    def takes(self) -> list[ThreadStep]:
        """The steps that take its lock, if any."""
        return [s for s in self.steps if s.kind & WAITS]

    @cached_property
    def atomic(self) -> bool:
        """Whether it is an atomic_t: changed by read-modify-writes, and all accesses are marked."""
        changed = any(map(is_rmw, self.steps)) and not self.takes
        return changed and all(s.kind & MARKED for s in self.steps)


def refused(why: str) -> HarnessError:
    """What is said where a schedule does not fit."""
    return HarnessError(f"it does not fit a litmus test: {why}")


def program(schedule: Schedule) -> dict[int, list[ThreadStep]]:
    """The steps of each thread that has any, in its own order."""
    if schedule.why not in ("", "lock held"):
        raise refused(f"it ends in a {schedule.why}, and herd7 knows only runs that come to their end")
    for step in schedule.steps:
        check_step(step)
    weak = any(step.delayed for step in schedule.steps)
    threads: dict[int, list[ThreadStep]] = {}
    for step in sorted(schedule.steps, key=lambda s: (s.thread, s.place if weak else 0)):
        if step.size or fence(step):
            threads.setdefault(step.thread, []).append(step)
    if len(threads) > MOST_THREADS:
        raise refused(f"it has {len(threads)} threads, more than {MOST_THREADS}")
    if not any(step.size for steps in threads.values() for step in steps):
        raise refused("no step of it is an access that others can see")
    return threads


def check_step(step: ThreadStep) -> None:
    """Refuses a step that the form has no word for."""
    kind, what = step.kind, f"thread {step.thread} at {spot(step) or hex(step.pc)}"
    orders = kind & (ACQUIRE | RELEASE | FULL)
    if step.blocked:
        raise refused(f"{what} waits to the end: herd7 knows no deadlock")
    if step.delayed and step.place < 0:
        raise refused(f"{what} has a delayed store, and it is not known where in its thread it was made")
    if kind & FENCE:
        if orders == ACQUIRE | RELEASE:
            raise refused(f"{what} has a fence that is acquire and release: the memory model has none")
        return
    if not step.name:
        raise refused(f"{what} accesses memory that has no name")
    if kind & SECTION:
        return
    if step.size not in (1, 2, 4, 8):
        raise refused(f"{what} accesses {step.size} bytes at once: herd7 has words only")
    if not kind & (READ | WRITE):
        raise refused(f"{what} neither reads nor writes")
    if is_rmw(step):
        if not kind & MARKED:
            raise refused(f"{what} reads and writes at once, but not atomically")
        if orders == ACQUIRE | RELEASE:
            raise refused(f"{what}: the memory model has no read-modify-write of just acquire and release")
    elif orders and not (kind & MARKED and orders == (ACQUIRE if kind & READ else RELEASE)):
        raise refused(f"{what}: the memory model has no {'read' if kind & READ else 'write'} of that order")


def words_of(steps: Iterable[ThreadStep]) -> dict[Location, Word]:
    """The locations, none of which overlaps another."""
    words: dict[Location, Word] = {}
    for step in steps:
        if step.size and not step.kind & SECTION:
            words.setdefault(location(step), Word(location(step))).steps.append(step)
    for a, b in combinations(words, 2):
        if a.name == b.name and a.byte < b.byte + b.size and b.byte < a.byte + a.size:
            raise refused(f"accesses of one word overlap ({a}; {b}): herd7 has no parts of a word")
    for word in words.values():
        leave_lock_out(word)
    return words


def location(step: ThreadStep) -> Location:
    """What a step is to."""
    return Location(step.name, step.byte, 0 if step.kind & SECTION else step.size)


def values_of(step: ThreadStep) -> Iterator[int]:
    """The values that a step meets and leaves."""
    yield step.before
    if step.kind & WRITE:
        yield step.after


def is_rmw(step: ThreadStep) -> bool:
    """Whether a step both reads and writes a word."""
    return step.kind & (READ | WRITE | SECTION) == READ | WRITE


def fence(step: ThreadStep) -> str:
    """A fence as the model names it; "" where it orders nothing, or is none."""
    if not step.kind & FENCE:
        return ""
    if step.kind & FULL:
        return "smp_mb()"
    return "smp_wmb()" if step.kind & RELEASE else "smp_rmb()" if step.kind & ACQUIRE else ""


def spot(step: ThreadStep) -> str:
    """Where a step is made, as "rmap.h:243": innermost in the patch, else in what it calls."""
    ours = [place for place in step.stack if "kernel_snippets/" not in place.file]
    for place in [*ours, *step.stack]:
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", place.file.rpartition("/")[2])
        return f"{name}:{place.line}"
    return ""


# A lock that is a bit of the word that it protects.


def leave_lock_out(word: Word) -> None:
    """Parts a lock that lives in a bit of a word from the rest, where it is used as a lock.

    With a lock of its own, the model orders what it orders of spin_lock(), and what takes the lock is no
    access to what is protected. Anything but a lock that is taken with acquire, and let go with release by
    who has it, stays what it is.
    """
    if not word.takes:
        return
    mask = reduce(or_, (s.after & ~s.before for s in word.takes))
    word.kept = why_kept(word, mask)
    word.lock = 0 if word.kept else mask


def why_kept(word: Word, mask: int) -> str:
    """Why the bits `mask` of a word cannot be a lock of their own; "" if they can."""
    holder = -1
    for step in word.steps:
        others = step.after & ~mask == step.before & ~mask
        if step.kind & WAITS:
            if not step.kind & ACQUIRE:
                return "it is taken without acquire"
            if holder >= 0 or not others or step.before & mask or step.after & mask != mask:
                return "it is taken in another way than a lock is"
            holder = step.thread
        elif step.kind & WRITE and (step.before ^ step.after) & mask:
            if step.thread != holder or not others or step.after & mask:
                return "it is written by another than its holder, or along with other bits"
            if not step.kind & RELEASE:
                return "it is let go without release"
            holder = -1
        elif step.kind & ACQUIRE:
            return "the word is also read with acquire by whoever does not take it, which its release orders"
    return ""


def is_locks(word: Word, step: ThreadStep) -> bool:
    """Whether a step takes, or lets go of, the lock that is left out of a word."""
    return bool(step.kind & WRITE and (step.before ^ step.after) & word.lock)


def is_unlocks_read(word: Word, step: ThreadStep, later: Sequence[ThreadStep]) -> bool:
    """Whether a step is the plain read from which the next one makes the word without its lock."""
    if not word.lock or step.kind & (WRITE | MARKED) or not later:
        return False
    return location(later[0]) == word.at and is_locks(word, later[0])


# Names.


def name_all(words: Mapping[Location, Word], steps: Iterable[ThreadStep]) -> dict[Location, str]:
    """Names each word and its lock; the names of locks that are no words."""
    used: set[str] = set()
    for word in words.values():
        word.name = unused(identifier(word.at), used)
    for word in words.values():
        if word.lock:
            word.stands = unused(f"lock_{word.name}", used)
    sections = dict.fromkeys(location(s) for s in steps if s.kind & SECTION)
    return {at: unused(f"lock_{identifier(at)}", used) for at in sections}


def identifier(at: Location) -> str:
    """The name of an object as one of C, which herd7's lexers take for nothing else.

    None begins with '_': the splitter would look at what follows.
    """
    text = re.sub(r"[^A-Za-z0-9]+", "_", at.name)[:MOST_NAME].strip("_")
    if at.byte:
        text = f"{text}_{at.byte}"
    if not text[:1].isalpha():
        text = f"v_{text.strip('_')}".rstrip("_")
    return f"{text}_" if text in RESERVED or RESERVED_FORM.fullmatch(text) else text


def unused(name: str, used: set[str]) -> str:
    """A name that is not among `used`, and is from now on."""
    free, count = name, 1
    while free in used:
        count += 1
        free = f"{name}_{count}"
    used.add(free)
    return free
