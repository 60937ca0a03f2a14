# SPDX-License-Identifier: GPL-2.0-only
"""The layout of records as a compiler made them, before and after a patch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal


@dataclass(frozen=True)
class Field:
    """One member of a record.

    `name` is empty for an anonymous struct or union; `path` goes through those, and through named
    members of nameless type: "lru", "lru_gen.list". Places are in bits from the start of the
    record. `members` are those of a nameless struct or union, whose `kind` says which; of an array of
    such, those of its first element.
    """

    name: str
    path: str
    type: str  # as C spells it, without the name and the dimensions of an array
    array: str  # "[4]"
    bit_offset: int
    bits: int
    bitfield: bool
    depth: int
    file: str
    line: int
    added: bool  # by the patch
    kind: Literal["", "struct", "union"] = ""
    members: tuple[Field, ...] = ()

    @property
    def offset(self) -> int:
        """In bytes; of a bitfield, that of its first bit."""
        return self.bit_offset // 8

    @property
    def bit_end(self) -> int:
        """The first bit behind it."""
        return self.bit_offset + self.bits

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return -(-self.bit_end // 8)

    @property
    def size(self) -> int:
        """In bytes; of a bitfield, the bytes that it touches."""
        return self.end - self.offset

    @property
    def place(self) -> tuple[str, int, str]:
        """What it is known by before and after a patch: where it is declared, and its name."""
        return self.file, self.line, self.name

    def overlaps(self, start: int, end: int) -> bool:
        """Whether it has one of the bits from `start` to before `end`."""
        return self.bit_offset < end and start < self.bit_end


def walk(fields: Sequence[Field]) -> Iterator[Field]:
    """All fields, each before its members."""
    for field in fields:
        yield field
        yield from walk(field.members)


@dataclass(frozen=True)
class Record:
    """A struct or union: its size in bytes, and its fields in the order of their declaration."""

    name: str  # "struct folio"
    size: int
    fields: tuple[Field, ...]
    file: str
    line: int

    @property
    def kind(self) -> str:
        """struct or union."""
        return self.name.partition(" ")[0]

    @cached_property
    def by_path(self) -> Mapping[str, Field]:
        """The fields that have a name."""
        return {field.path: field for field in walk(self.fields) if field.name}

    def field(self, path: str) -> Field | None:
        """The field of that name, through anonymous members; None where there is none."""
        return self.by_path.get(path)

    @property
    def leaves(self) -> tuple[Field, ...]:
        """The fields that have a name and no members."""
        return tuple(field for field in walk(self.fields) if field.name and not field.members)

    @property
    def added(self) -> tuple[Field, ...]:
        """Of these, those that the patch adds."""
        return tuple(field for field in self.leaves if field.added)


@dataclass(frozen=True)
class Assertion:
    """A static assertion of a header that fails with the patch."""

    text: str
    file: str
    line: int


@dataclass(frozen=True)
class Lost:
    """A record that the patch extends, and why its layout cannot be known."""

    name: str
    reason: str  # file:line: error: …


@dataclass(frozen=True)
class Layouts:
    """Records before and after a patch, by name: `extended` ones, and those beside them in their headers.

    `cut` ones have only some of the kernel's fields in their shim: their offsets are not the kernel's.
    """

    before: Mapping[str, Record]
    after: Mapping[str, Record]
    extended: tuple[str, ...]
    cut: frozenset[str]
    asserts: tuple[Assertion, ...]  # with the patch
    broken: tuple[Assertion, ...]  # of these, already without it
    lost: tuple[Lost, ...]
    config: Mapping[str, bool]

    def added(self, record: str) -> tuple[Field, ...]:
        """The fields that the patch adds to `record` in this configuration."""
        return self.after[record].added if record in self.after else ()

    def changed(self, record: str) -> Iterator[tuple[Field, Field | None]]:
        """Each field that the patch did not add, before and after, where offset or size differ."""
        after = {field.place: field for field in self.after[record].leaves}
        for old in self.before[record].leaves:
            new = after.get(old.place)
            if new is None or (new.bit_offset, new.bits) != (old.bit_offset, old.bits):
                yield old, new

    def under(self, record: str, field: Field) -> Iterator[str]:
        """The fields that had `field`'s bits before, those of embedded records as well."""
        if record in self.before:
            yield from self._under(self.before[record], field.bit_offset, field.bit_end, "")

    def _under(self, record: Record, start: int, end: int, prefix: str) -> Iterator[str]:
        for old in record.leaves:
            if not old.overlaps(start, end):
                continue
            inner = self.before.get(old.type)
            if inner and not old.array and inner is not record:
                at = old.bit_offset
                yield from self._under(inner, start - at, end - at, f"{prefix}{old.path}.")
            else:
                yield prefix + old.path


def paired(before: Sequence[Field], after: Sequence[Field]) -> Iterator[tuple[Field | None, Field | None]]:
    """The members of one struct or union, before and after, in the order of their declaration."""
    left = {field.place: field for field in before}
    right = {field.place for field in after}
    todo = list(before)
    for field in after:
        if field.place in left:
            while todo and todo[0].place != field.place:
                old = todo.pop(0)
                if old.place not in right:
                    yield old, None
            todo = todo[1:]
        yield left.get(field.place), field
    yield from ((old, None) for old in todo if old.place not in right)


@dataclass(frozen=True)
class Hole:
    """Bits of a struct that no member has; `before` is the member behind them, -1 at the end."""

    before: int
    bit_offset: int
    bits: int


def holes(fields: Sequence[Field], kind: str, start: int, bits: int) -> Iterator[Hole]:
    """The holes among the members of a struct that begins at bit `start`; a union has none."""
    if kind != "struct" or not fields:
        return
    end = start
    for at, field in enumerate(fields):
        if field.bit_offset > end:
            yield Hole(at, end, field.bit_offset - end)
        end = max(end, field.bit_end)
    if start + bits > end:
        yield Hole(-1, end, start + bits - end)
