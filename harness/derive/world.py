# SPDX-License-Identifier: GPL-2.0-only
"""The world of a derived contract: objects for what parameters lead to, and the fields that are touched."""

from __future__ import annotations

import itertools
import keyword
import re
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field

from extractor.cast import facts
from extractor.items import Item
from harness.derive.types import CType, Function, Types, leaders
from harness.derive.words import Words, bit_numbers, followed, spoken, touched

ELEMENTS = 2  # of an array that are looked at
DEEPEST = 6  # records in records
ATOMIC = {"atomic_t": "atomic", "atomic_long_t": "atomic_long", "atomic64_t": "atomic64"}
LIST = "struct list_head"
BUFFER, MOST_BYTES = 64, 4096  # behind a pointer to anything, to a record that nobody looks into
PLAIN = ("int", "bool", "enum")
MOST_VALUES, MOST_BITS = 8, 6  # that a field is set to, and bits of it, alone and in pairs
TAKEN = frozenset(["return", "warnings", "elsewhere", "crash", "sanitizer"])

Key = tuple[tuple[str, str], ...]  # an object's record, then members, each with the record that has it


@dataclass(frozen=True)
class Object:
    """One object of the world: its C declaration, and the record that it is, where it is one.

    `of` says what another one holds; `nth` counts those of one record that a function is given.
    """

    name: str
    declaration: str
    type: CType | None = None
    array: bool = False
    of: str = ""
    nth: int = 1

    @property
    def key(self) -> Key:
        """What it is, whatever parameters are called."""
        if self.type is None:
            return (("", self.of),)
        which = (("", str(self.nth)),) if self.nth > 1 else ()
        return (("", self.type.tag or self.type.typedef), *which)

    @property
    def address(self) -> str:
        """C of a pointer to it."""
        return f"w->{self.name}" if self.array else f"&w->{self.name}"


@dataclass(frozen=True)
class Leaf:
    """A number in an object: `path` is C below the world, `member` the field that the code names.

    `key` says which it is: of what object, and by which members, a record of one number being that number.
    """

    path: str
    member: str
    type: CType
    at: int  # bits from the object's beginning
    bits: int
    atomic: str = ""
    key: Key = ()

    @property
    def addressable(self) -> bool:
        """Whether C can take its size: not of a bitfield."""
        return self.bits == self.type.bits

    @property
    def read(self) -> str:
        """C that observes it."""
        if self.atomic:
            return f"{self.atomic}_read(&w->{self.path})"
        return f"kc_which(w->{self.path})" if self.type.kind == "pointer" else f"w->{self.path}"

    @property
    def write(self) -> str:
        """C that sets it to `v`; empty of pointers, and of what is const."""
        if self.type.kind == "pointer" or self.type.const:
            return ""
        return f"{self.atomic}_set(&w->{self.path}, v)" if self.atomic else f"w->{self.path} = v"


@dataclass(frozen=True)
class Said:
    """What code speaks of: fields, names that are gone through, records, and of which it has objects."""

    fields: frozenset[str] = frozenset()
    through: frozenset[str] = frozenset()
    records: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()

    def __or__(self, other: Said) -> Said:
        return Said(
            self.fields | other.fields,
            self.through | other.through,
            self.records | other.records,
            self.objects | other.objects,
        )


def said_by(functions: Sequence[Function], words: Words) -> Said:
    """What some functions, and what they call, speak of."""
    reached = list({id(i): i for f in functions for i in words.reach(f.name)}.values())
    return Said(
        frozenset().union(*map(touched, reached)),
        frozenset(followed(reached)),
        frozenset().union(*map(spoken, reached)),
    )


@dataclass(frozen=True)
class World:
    """The objects of some functions, C that makes them, and what of them is observed."""

    objects: tuple[Object, ...]
    init: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    arguments: dict[tuple[str, int], str] = field(default_factory=dict)  # of pointers, by function


def world_of(functions: Sequence[Function], types: Types, words: Words, said: Said | None = None) -> World:
    """The world that some functions are called in, with what is `said` of it, by them or by others too."""
    said = said or said_by(functions, words)
    records, arguments, objects = of_parameters(functions, types, said)
    for tag in sorted(said.objects & types.records.keys()):
        if types.records[tag].key not in records:
            made = fresh(of_record(types.records[tag]), types.records[tag], objects)
            records[types.records[tag].key] = made.name
    first = [o for o in objects.values() if o.type is not None]
    init: list[str] = []
    leaves: list[Leaf] = []
    for each in first:
        for leaf in leaves_of(each, said.fields):
            leaves.append(leaf)
            if leaf.type.kind != "pointer":
                continue
            to = leaf.type.target
            if leaf.type.target.tag == LIST and leaf.path.endswith(".next"):
                head = leaf.path.removesuffix(".next")
                init.append(f"w->{head}.next = w->{head}.prev = &w->{head};")
            elif to.key in records:
                init.append(leads(leaf, objects[records[to.key]]))
            elif to.complete and to.tag and leaf.member in said.through:
                made = fresh(leaf.member, to, objects)
                records[to.key] = made.name
                init.append(leads(leaf, made))
    for each in [o for o in objects.values() if o.type is not None and o not in first]:
        leaves += leaves_of(each, said.fields)
    for each in objects.values():
        leaves += scalars(each)
    return World(tuple(objects.values()), tuple(init), tuple(leaves), arguments)


def of_parameters(
    functions: Sequence[Function], types: Types, said: Said
) -> tuple[dict[int, str], dict[tuple[str, int], str], dict[str, Object]]:
    """Objects for the pointers among parameters: names by record, C of each argument, and the objects."""
    records: dict[int, str] = {}
    further: dict[tuple[int, int], str] = {}
    arguments: dict[tuple[str, int], str] = {}
    objects: dict[str, Object] = {}
    views = overlaid(functions, types, said)
    for function in functions:
        seen: dict[int, int] = {}
        for number, (name, kind) in enumerate(function.parameters):
            if kind.kind != "pointer":
                continue
            to = kind.target
            whole = views.get(to.key, to)
            # Where nobody looks into a record, a slice of a tree may not have it.
            seen_into = any(leaves_of(Object(name, "", whole), said.fields))
            if not (whole.complete and whole.spelled and seen_into):
                arguments[function.name, number] = of_buffer(name, to, objects)
                continue
            nth = seen.get(to.key, 0)  # a folio and a page are one, two pages are two
            seen[to.key] = nth + 1
            if nth == 0 and whole.key not in records:
                records[whole.key] = fresh(of_record(whole) if whole is not to else name, whole, objects).name
            if nth and (whole.key, nth) not in further:
                further[whole.key, nth] = fresh(name, whole, objects, nth + 1).name
            made = objects[further[whole.key, nth] if nth else records[whole.key]]
            cast = f"({to.spelled} *)" if whole is not to else ""
            arguments[function.name, number] = f"{cast}{made.address}"
    for part, whole in views.items():
        if whole.key in records:
            records.setdefault(part, records[whole.key])
    return records, arguments, objects


def overlaid(functions: Sequence[Function], types: Types, said: Said) -> dict[int, CType]:
    """Records that stand for others: who is given a page may go on to the folio that it begins."""
    found: dict[int, CType] = {}
    given = {t.target.key for f in functions for _, t in f.parameters if t.kind == "pointer"}
    for tag, record in types.records.items():
        parts = [part for part in leaders(record) if part.complete and part.key in given]
        if parts and (record.key in given or tag in said.records):
            found |= {part.key: record for part in parts if part.key not in found}
    return found


def of_record(kind: CType) -> str:
    """An object's name where no parameter gives one."""
    return re.sub(r"^(?:struct|union) |_(?:struct|t)$", "", kind.typedef or kind.tag)


def of_buffer(name: str, to: CType, objects: dict[str, Object]) -> str:
    """An object behind a pointer to what is no known record; C of a pointer to it."""
    called = free(name, objects)
    if to.kind in PLAIN and to.spelled and to.bits > 8:
        made = Object(called, f"{to.spelled} {called}[4];", array=True, of=to.base)
    elif to.kind == "pointer" and to.spelled:
        made = Object(called, f"{to.spelled}{called};", of=to.spelled)
    else:
        bytes_ = max(BUFFER, min(to.bits // 8, MOST_BYTES))
        size = f"unsigned char {called}[{bytes_}] __attribute__((aligned(16)));"
        made = Object(called, f"struct {{ {size} }} {called};", of=f"{bytes_} bytes")
    # One buffer serves all parameters of its kind.
    same = next((o for o in objects.values() if o.type is None and o.of == made.of), None)
    if same is None:
        objects[made.name] = same = made
    return f"(void *){same.address}"


def fresh(name: str, kind: CType, objects: dict[str, Object], nth: int = 1) -> Object:
    """A new object of a record's type."""
    called = free(name, objects)
    objects[called] = Object(called, f"{kind.spelled} {called};", kind, nth=nth)
    return objects[called]


def free(name: str, objects: dict[str, Object]) -> str:
    """`name`, or with a number where it is taken."""
    name = name.strip("_") or "object"
    number = 2
    made = name
    while made in objects:
        made, number = f"{name}{number}", number + 1
    return made


def leads(leaf: Leaf, to: Object) -> str:
    """C that lets a pointer lead to an object; what it points to may be const."""
    return f"*(const void **)(void *)&w->{leaf.path} = {to.address};"


def leaves_of(each: Object, names: Set[str]) -> Iterator[Leaf]:
    """The touched numbers of an object; of a union what is met first."""
    seen: set[int] = set()
    if each.type is None:
        return
    for leaf in walked(each.type, Place(each.name, each.key, "", 0, 0), names, 0):
        place = range(leaf.at, leaf.at + max(leaf.bits, 1))
        if seen.isdisjoint(place):
            seen.update(place)
            yield leaf


@dataclass(frozen=True)
class Place:
    """Where something is in an object: its C, its key, the record that has it, first bit and bits."""

    path: str
    key: Key
    owner: str
    at: int
    bits: int


def walked(record: CType, place: Place, names: Set[str], depth: int) -> Iterator[Leaf]:
    """The touched numbers of a record, in order."""
    owner = record.tag or place.owner
    for each in record.members if depth < DEEPEST else ():
        at = place.at + each.at
        if not each.name:
            yield from walked(each.type, Place(place.path, place.key, owner, at, each.bits), names, depth + 1)
        elif each.name in names:
            key = (*place.key, (owner, each.name))
            below = Place(f"{place.path}.{each.name}", key, owner, at, each.bits)
            yield from of_member(each.type, each.name, below, names, depth)


def of_member(kind: CType, member: str, place: Place, names: Set[str], depth: int) -> Iterator[Leaf]:
    """The numbers of one member."""
    path, key, at, bits = place.path, place.key, place.at, place.bits
    only = sole(kind)
    if kind.kind in PLAIN or (kind.kind == "pointer" and kind.target.kind != "function"):
        yield Leaf(path, member, kind, at, bits, key=key)
    elif kind.kind == "array" and kind.length:
        size = kind.target.bits
        first = "[0]" * (len(kind.lengths) - 1)
        for index in range(min(kind.lengths[-1], ELEMENTS)):
            element = Place(f"{path}{first}[{index}]", (*key, ("", str(index))), place.owner,
                            at + index * size, size)  # fmt: skip
            yield from of_member(kind.target, member, element, names, depth + 1)
    elif kind.tag == LIST and len(kind.members) == 2:
        yield Leaf(f"{path}.next", member, kind.members[0].type, at, bits, key=key)
    elif kind.kind == "record" and only:
        atomic = ATOMIC.get(kind.typedef, "")
        yield Leaf(path if atomic else f"{path}.{only[0]}", member, only[1], at, bits, atomic, key)
    elif kind.kind == "record":
        yield from walked(kind, place, names, depth + 1)


def sole(kind: CType) -> tuple[str, CType] | None:
    """Path and type of the one number that a record holds: atomic_t, swp_entry_t; None of others."""
    path = ""
    for _ in range(DEEPEST):
        if kind.kind in PLAIN:
            return path.removeprefix("."), kind
        if len(kind.members) != 1 or not kind.members[0].name:
            return None
        path, kind = f"{path}.{kind.members[0].name}", kind.members[0].type
    return None


def scalars(each: Object) -> Iterator[Leaf]:
    """What is observed of an object that is no record: its first element."""
    if each.type is not None or each.declaration.startswith("struct {"):
        return
    place = f"{each.name}[0]" if each.array else each.name
    yield Leaf(place, each.name, NUMBER if each.array else POINTER, 0, 64, key=each.key)


class Scalar(CType):
    """A type that no DWARF is asked for."""

    def __init__(self, kind: str) -> None:
        super().__init__(None)
        self.__dict__ |= {"kind": kind, "bits": 64, "signed": True}


NUMBER, POINTER = Scalar("int"), Scalar("pointer")


def names_of(leaves: Sequence[Leaf]) -> list[str]:
    """A State field's name for each leaf: the field's own, behind its object's where several have it."""
    whole = [re.sub(r"\W+", "_", leaf.path).strip("_") for leaf in leaves]
    below = [leaf.path.replace(".kc_", ".").partition(".")[2] for leaf in leaves]
    own = [re.sub(r"\W+", "_", path).strip("_") for path in below]
    made: list[str] = []
    for number, name in enumerate(own):
        unique = name and own.count(name) == 1 and name not in TAKEN and not name[0].isdigit()
        made.append(free_name(name if unique else re.sub(r"__+", "_", whole[number]), made))
    return made


def free_name(name: str, made: Collection[str]) -> str:
    """`name` as one that a State's field may have and none of `made` is."""
    said = name if not name[:1].isdigit() else f"field_{name}"
    while said in made or said in TAKEN or keyword.iskeyword(said):
        said += "_"
    return said


def settings_of(leaf: Leaf, items: Iterable[Item], words: Words) -> tuple[int, ...]:
    """The values that a field is set to: 0, 1, its limits, and what the code that touches it names."""
    kind = leaf.type
    if not leaf.write or leaf.type is NUMBER or ".kc_" in leaf.path:  # a lock that is held is none of ours
        return ()
    if kind.kind == "bool":
        return (0, 1)
    if kind.kind == "enum":
        return tuple(dict.fromkeys(value for _, value in kind.constants))[:MOST_VALUES]
    bits = min(leaf.bits, 64)
    reached = list(items)
    near = [item for item in reached if leaf.member in touched(item)]
    names = {item.name for item in near}
    # A bit of a word is tested through what gives its address, as folio_flags() does.
    through = [item for item in reached if facts(item).names & names and leaf.bits >= 32]
    named = words.named(near)
    numbers = bit_numbers([*near, *through])
    single = [1 << value for name, value in words.named([*near, *through]).items()
              if name in numbers and 0 <= value < bits][:MOST_BITS]  # fmt: skip
    single += [a | b for a, b in itertools.combinations(single, 2)]
    said = [value for name, value in named.items() if name not in numbers and -1 <= value < 1 << bits]
    most = (1 << (bits - 1)) - 1
    # All ones are -1 whatever the type: the assignment makes them the field's.
    limits = [0, 1, -1] if not kind.signed else [0, 1, -1, most, -most - 1]
    few = dict.fromkeys(signed64(value) for value in (*limits, *said))
    return tuple(dict.fromkeys((*list(few)[:MOST_VALUES], *map(signed64, single))))


def signed64(value: int) -> int:
    """A number as the engine holds it."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
