# SPDX-License-Identifier: GPL-2.0-only
"""Reads the records of one object file from its DWARF."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from elftools.dwarf.die import DIE
from elftools.elf.elffile import ELFFile

from harness.errors import HarnessError
from harness.static.layout import Field, Record

DEEPEST = 64  # of nested structs and unions, and of a type's pointers
MOST = 10_000  # fields of a unit: macros can make any number of them
WORD = 1 << 64
QUALIFIERS = {
    "DW_TAG_const_type": "const",
    "DW_TAG_volatile_type": "volatile",
    "DW_TAG_atomic_type": "_Atomic",
    "DW_TAG_restrict_type": "restrict",
}
KINDS: dict[str, Literal["struct", "union"]] = {
    "DW_TAG_structure_type": "struct",
    "DW_TAG_union_type": "union",
}
# DWARF's names of C's types, as the kernel spells them.
PLAIN = {
    "long unsigned int": "unsigned long",
    "long int": "long",
    "short unsigned int": "unsigned short",
    "short int": "short",
    "long long unsigned int": "unsigned long long",
    "long long int": "long long",
    "_Bool": "bool",
}
Place = tuple[str, int]


def read_records(path: Path, added: Collection[Place]) -> dict[str, Record]:
    """The complete records of an object file of one compile unit; `added` are the patch's lines."""
    with path.open("rb") as file:
        dwarf = ELFFile(file).get_dwarf_info()
        unit = next(dwarf.iter_CUs())
        reader = _Reader(_files(dwarf, unit), added, unit["address_size"])
        return {record.name: record for record in reader.records(unit.get_top_DIE())}


def _files(dwarf: Any, unit: Any) -> list[str]:
    """The names of a unit's files, by their number."""
    program = dwarf.line_program_for_CU(unit)
    if unit["version"] < 5 or program is None:
        raise HarnessError("the compiler wrote no DWARF 5, from which layouts are read; use gcc 11 or newer")
    folders = [name.decode("utf-8", "replace") for name in program["include_directory"]]
    found = []
    for entry in program["file_entry"]:
        folder = folders[entry.dir_index] if entry.dir_index else ""
        found.append(str(PurePosixPath(folder, entry.name.decode("utf-8", "replace"))))
    return found


class _Reader:
    """Walks the types of a unit."""

    def __init__(self, files: list[str], added: Collection[Place], address_size: int) -> None:
        self.files = files
        self.added = added
        self.address_size = address_size
        self.fields = 0

    def records(self, top: DIE) -> Iterator[Record]:
        """The structs and unions that have a name."""
        for die in top.iter_children():
            if die.tag in KINDS and "DW_AT_declaration" not in die.attributes and _name(die):
                name = f"{KINDS[die.tag]} {_name(die)}"
                file, line = self.declared(die)
                fields = tuple(self.members(die, "", 0, 0))
                yield Record(name, _number(die, "DW_AT_byte_size"), fields, file, line)

    def declared(self, die: DIE) -> Place:
        """File and line of a declaration."""
        number = _number(die, "DW_AT_decl_file")
        return (
            self.files[number] if number < len(self.files) else "",
            _number(die, "DW_AT_decl_line"),
        )

    def members(self, die: DIE, prefix: str, start: int, depth: int) -> Iterator[Field]:
        """The members of a struct or union that begins at bit `start` of the record."""
        for child in die.iter_children():
            if child.tag == "DW_TAG_member":
                self.fields += 1
                if self.fields > MOST:
                    raise HarnessError(f"the records have more than {MOST:,} fields; none is shown")
                yield self.member(child, prefix, start, depth)

    def member(self, die: DIE, prefix: str, start: int, depth: int) -> Field:
        """One member, with its own where its type has no name."""
        bitfield = "DW_AT_bit_size" in die.attributes
        type_die = die.get_DIE_from_attribute("DW_AT_type")
        bits = _number(die, "DW_AT_bit_size") if bitfield else 8 * self.size(type_die)
        if "DW_AT_data_bit_offset" in die.attributes:
            at = start + _number(die, "DW_AT_data_bit_offset")
        else:
            at = start + 8 * _number(die, "DW_AT_data_member_location")
        spelled, array, inner = self.spelled(type_die)
        name = _name(die)
        # Of a member without a name, only its type has a place.
        file, line = self.declared(die if name or inner is None else inner)
        if depth > DEEPEST:
            raise HarnessError(f"{file}:{line}: error: structs nested more than {DEEPEST} deep")
        path = prefix + name
        kind: Literal["", "struct", "union"] = ""
        members: tuple[Field, ...] = ()
        if inner is not None and (not name or not _name(inner)):
            kind = KINDS[str(inner.tag)]
            below = f"{path}." if name else prefix
            members = tuple(self.members(inner, below, at, depth + 1))
        return Field(name, path, spelled, array, at, bits, bitfield, depth, file, line,
                     (file, line) in self.added, kind, members)  # fmt: skip

    def size(self, die: DIE | None) -> int:
        """Bytes of a type."""
        count = 1
        while die is not None:
            if die.tag == "DW_TAG_array_type":
                for length in _dimensions(die):
                    count *= length or 0
            elif "DW_AT_byte_size" in die.attributes:
                return count * _number(die, "DW_AT_byte_size")
            elif die.tag == "DW_TAG_pointer_type":
                return count * self.address_size
            die = _target(die)
        return 0

    def spelled(self, die: DIE | None) -> tuple[str, str, DIE | None]:
        """A type as C spells it, its dimensions, and the struct or union that it is (an array of)."""
        stars, array, pending = "", "", ""
        for _ in range(DEEPEST):
            if die is None:
                return _joined(pending, "void", stars), array, None
            if die.tag in QUALIFIERS:
                pending = f"{QUALIFIERS[die.tag]} {pending}"
            elif die.tag == "DW_TAG_pointer_type":
                stars, pending = f"*{pending}{stars}", ""
            elif die.tag == "DW_TAG_array_type":
                dims = "".join("[]" if n is None else f"[{n}]" for n in _dimensions(die))
                if stars:
                    inner = self.spelled(_target(die))
                    return f"{inner[0]} ({stars}){dims}{inner[1]}", array, None
                array += dims
            elif die.tag == "DW_TAG_subroutine_type":
                returned = self.spelled(_target(die))[0]
                return f"{returned} ({stars})(…)", array, None
            else:
                own = _own_name(die)
                record = die if die.tag in KINDS and not stars else None
                return _joined(pending, own, stars), array, record
            die = _target(die)
        return f"… {stars}", array, None


def _joined(qualifiers: str, name: str, stars: str) -> str:
    return f"{qualifiers}{name} {stars}".rstrip()


def _own_name(die: DIE) -> str:
    """The name of a type that is no pointer, array or function."""
    words = {**KINDS, "DW_TAG_enumeration_type": "enum"}
    if die.tag in words:
        return f"{words[die.tag]} {_name(die)}" if _name(die) else words[die.tag]
    return PLAIN.get(_name(die), _name(die))


def _target(die: DIE) -> DIE | None:
    return die.get_DIE_from_attribute("DW_AT_type") if "DW_AT_type" in die.attributes else None


def _name(die: DIE) -> str:
    attribute = die.attributes.get("DW_AT_name")
    return attribute.value.decode("utf-8", "replace") if attribute else ""


def _number(die: DIE, attribute: str) -> int:
    """A constant attribute; 0 where there is none."""
    value = die.attributes.get(attribute)
    return value.value if value and isinstance(value.value, int) else 0


def _dimensions(die: DIE) -> Iterator[int | None]:
    """The lengths of an array; None where it has none."""
    for child in die.iter_children():
        if child.tag != "DW_TAG_subrange_type":
            continue
        if "DW_AT_count" in child.attributes:
            yield _number(child, "DW_AT_count")
        elif "DW_AT_upper_bound" in child.attributes:
            yield (_number(child, "DW_AT_upper_bound") + 1) % WORD
        else:
            yield None
