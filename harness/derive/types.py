# SPDX-License-Identifier: GPL-2.0-only
"""The C types of a compiled slice, as its DWARF has them: functions, records, constants."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from elftools.dwarf.die import DIE
from elftools.elf.elffile import ELFFile

Kind = Literal["void", "int", "bool", "enum", "float", "pointer", "array", "record", "function"]
PASSED = ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_atomic_type",
          "DW_TAG_restrict_type")  # fmt: skip
KINDS: Mapping[str, Kind] = {
    "DW_TAG_pointer_type": "pointer",
    "DW_TAG_array_type": "array",
    "DW_TAG_structure_type": "record",
    "DW_TAG_union_type": "record",
    "DW_TAG_enumeration_type": "enum",
    "DW_TAG_subroutine_type": "function",
}
TAGS = {"DW_TAG_structure_type": "struct", "DW_TAG_union_type": "union", "DW_TAG_enumeration_type": "enum"}
BOOLEAN, FLOATS = 2, (3, 4)  # DW_ATE_boolean; complex_float, float
SIGNED = (5, 6)  # DW_ATE_signed, signed_char
LONGEST = 64  # chain of typedefs and qualifiers


@dataclass(frozen=True)
class Member:
    """A member of a record: `at` is its first bit there; one without a name holds its members directly."""

    name: str
    type: CType
    at: int
    bits: int


class CType:
    """One C type, without its qualifiers; what it leads to is read when it is asked for."""

    def __init__(self, die: DIE | None) -> None:
        self.typedef = ""
        self.const = False
        for _ in range(LONGEST):
            if die is None or die.tag not in PASSED:
                break
            if die.tag == "DW_TAG_typedef":
                self.typedef = self.typedef or name_of(die)
            self.const = self.const or die.tag == "DW_TAG_const_type"
            die = target_of(die)
        self.die = die

    @cached_property
    def kind(self) -> Kind:
        """What sort of type it is."""
        if self.die is None:
            return "void"
        if self.die.tag == "DW_TAG_base_type":
            encoding = number(self.die, "DW_AT_encoding")
            return "bool" if encoding == BOOLEAN else "float" if encoding in FLOATS else "int"
        return KINDS.get(str(self.die.tag), "void")

    @property
    def tag(self) -> str:
        """`struct folio`; empty of what has no tag."""
        if self.die is None or self.die.tag not in TAGS or not name_of(self.die):
            return ""
        return f"{TAGS[self.die.tag]} {name_of(self.die)}"

    @cached_property
    def spelled(self) -> str:
        """As C declares it; empty where it has no name of its own."""
        if self.typedef or self.tag:
            return self.typedef or self.tag
        if self.kind == "pointer":
            return f"{self.target.spelled} *" if self.target.spelled else ""
        return "void" if self.die is None else name_of(self.die)

    @property
    def base(self) -> str:
        """A number's type without its typedefs: `unsigned int` of u32."""
        return name_of(self.die) if self.die is not None else ""

    @property
    def key(self) -> int:
        """The same for the same type, whatever its typedefs."""
        return int(self.die.offset) if self.die is not None else -1

    @property
    def complete(self) -> bool:
        """Whether it is a record whose members are known."""
        here = self.die is not None and "DW_AT_declaration" not in self.die.attributes
        return self.kind == "record" and here

    @property
    def union(self) -> bool:
        """Whether its members share their place."""
        return self.die is not None and self.die.tag == "DW_TAG_union_type"

    @cached_property
    def bits(self) -> int:
        """Its size."""
        if self.kind == "array":
            return (self.length or 0) * self.target.bits
        return 64 if self.kind == "pointer" else 8 * number(self.die, "DW_AT_byte_size")

    @cached_property
    def signed(self) -> bool:
        """Whether it is a number below zero as well."""
        if self.die is None or self.kind == "enum":
            return any(value < 0 for _, value in self.constants)
        return number(self.die, "DW_AT_encoding") in SIGNED

    @cached_property
    def target(self) -> CType:
        """What a pointer leads to, what an array is of."""
        return CType(target_of(self.die))

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """The dimensions of an array; 0 where one has no length."""
        found: list[int] = []
        for child in self.die.iter_children() if self.die is not None else ():
            if child.tag == "DW_TAG_subrange_type":
                upper = child.attributes.get("DW_AT_upper_bound")
                known = upper.value + 1 if upper and isinstance(upper.value, int) else 0
                found.append(number(child, "DW_AT_count") or known)
        return tuple(found)

    @property
    def length(self) -> int:
        """The elements of an array, of all dimensions; 0 where it has no length."""
        return math.prod(self.lengths)

    @cached_property
    def constants(self) -> tuple[tuple[str, int], ...]:
        """The constants of an enum."""
        if self.die is None or self.die.tag != "DW_TAG_enumeration_type":
            return ()
        return tuple((name_of(child), number(child, "DW_AT_const_value"))
                     for child in self.die.iter_children() if child.tag == "DW_TAG_enumerator")  # fmt: skip

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The members of a record."""
        if self.die is None or not self.complete:
            return ()
        return tuple(map(member, (c for c in self.die.iter_children() if c.tag == "DW_TAG_member")))


@dataclass(frozen=True)
class Function:
    """A function's signature."""

    name: str
    returns: CType
    parameters: tuple[tuple[str, CType], ...]
    variadic: bool


@dataclass(frozen=True)
class Types:
    """What an object file says of its functions, of its records by tag, and of enum constants."""

    functions: Mapping[str, Function]
    records: Mapping[str, CType]
    constants: Mapping[str, int]


def read_types(path: Path) -> Types:
    """The types of an object file of one compile unit."""
    elf = ELFFile(io.BytesIO(path.read_bytes()))
    functions: dict[str, Function] = {}
    records: dict[str, CType] = {}
    constants: dict[str, int] = {}
    for unit in elf.get_dwarf_info().iter_CUs():
        for die in unit.get_top_DIE().iter_children():
            if die.tag == "DW_TAG_subprogram" and name_of(die):
                functions.setdefault(name_of(die), function(die))
            elif die.tag in TAGS:
                made = CType(die)
                constants |= dict(made.constants)
                if made.complete and made.tag:
                    records[made.tag] = made
    return Types(functions, records, constants)


def function(die: DIE) -> Function:
    """The signature of a function."""
    said = [child for child in die.iter_children() if child.tag == "DW_TAG_formal_parameter"]
    variadic = any(child.tag == "DW_TAG_unspecified_parameters" for child in die.iter_children())
    parameters = tuple((name_of(child), CType(target_of(child))) for child in said)
    return Function(name_of(die), CType(target_of(die)), parameters, variadic)


def member(die: DIE) -> Member:
    """One member."""
    kind = CType(target_of(die))
    if "DW_AT_data_bit_offset" in die.attributes:
        at = number(die, "DW_AT_data_bit_offset")
    else:
        at = 8 * number(die, "DW_AT_data_member_location")
    return Member(name_of(die), kind, at, number(die, "DW_AT_bit_size") or kind.bits)


def leaders(record: CType, within: bool = False, depth: int = 0) -> Iterator[CType]:
    """The records that stand at the first byte of `record` as one of several views of it.

    `struct page` in `struct folio`: who is given the one may go on to the other.
    """
    for each in record.members if depth < 8 else ():
        if each.at == 0 and each.type.kind == "record":
            shared = within or record.union
            if shared and each.name:
                yield each.type
            if not each.name:
                yield from leaders(each.type, shared, depth + 1)


def target_of(die: DIE | None) -> DIE | None:
    """The type that a DIE refers to; None is void."""
    if die is None or "DW_AT_type" not in die.attributes:
        return None
    return die.get_DIE_from_attribute("DW_AT_type")


def name_of(die: DIE) -> str:
    """A DIE's name."""
    attribute = die.attributes.get("DW_AT_name")
    return attribute.value.decode("utf-8", "replace") if attribute else ""


def number(die: Any, attribute: str) -> int:
    """A constant attribute; 0 where there is none."""
    value = die.attributes.get(attribute) if die is not None else None
    return value.value if value and isinstance(value.value, int) else 0
