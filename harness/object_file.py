# SPDX-License-Identifier: GPL-2.0-only
"""A compiled subject as an ELF file: what must not be in one, however the C came to say it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError

# System V ABI, "Object Files" and "Dynamic Linking", with GNU's extensions: what a loader reads, and
# what of it a subject needs. Whatever is not said here is refused by its number.
RUN_AT_LOAD = (".ctors", ".dtors", ".init", ".fini", ".preinit_array")
RUN_TYPES = (14, 15, 16)  # SHT_INIT_ARRAY, SHT_FINI_ARRAY, SHT_PREINIT_ARRAY
SYMTAB, DYNSYM, UNDEFINED, TLS, IFUNC = 2, 11, 0, 6, 10
PT_LOAD, PT_DYNAMIC, PT_GNU_STACK = 1, 2, 0x6474E551
# With PT_NOTE and GNU_EH_FRAME, _RELRO, _PROPERTY, _SFRAME; without PT_INTERP, PT_TLS.
SEGMENTS = {PT_LOAD, PT_DYNAMIC, PT_GNU_STACK, 4, 0x6474E550, 0x6474E552, 0x6474E553, 0x6474E554}
EXECUTE, WRITE = 1, 2
DT_RELA, DT_RELASZ, DT_RELAENT, DT_FLAGS, DT_JMPREL, DT_PLTRELSZ = 7, 8, 9, 30, 23, 2
# Tables of symbols and relocations, and that names are looked up in the library itself (DT_SYMBOLIC).
TAGS = {DT_PLTRELSZ, 3, 4, 5, 6, DT_RELA, DT_RELASZ, DT_RELAENT, 10, 11, 14, 16, 20, DT_JMPREL, DT_FLAGS,
        0x6FFFFEF5, 0x6FFFFFF9, 0x6FFFFFFB}  # fmt: skip
FLAGS = {DT_FLAGS: 0x2 | 0x8, 0x6FFFFFFB: 0x1}  # DF_SYMBOLIC, DF_BIND_NOW; DF_1_NOW
RUN_TAGS = {12: "DT_INIT", 13: "DT_FINI", 32: "DT_PREINIT_ARRAY"}
ARRAYS = {25: "DT_INIT_ARRAY", 26: "DT_FINI_ARRAY"}
SIZES = {27: 25, 28: 26}  # DT_INIT_ARRAYSZ, DT_FINI_ARRAYSZ
# All that a library needs that refers to itself alone: a place in it, of which only the base is open.
RELATIVE = {62: 8, 183: 1027}  # EM_X86_64: R_X86_64_RELATIVE; EM_AARCH64: R_AARCH64_RELATIVE
IRELATIVE = {62: 37, 183: 1032}


class MalformedError(Exception):
    """The file is not what a linker makes."""


@dataclass(frozen=True)
class Segment:
    """A program header: what a loader maps, or reads."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int


def refuse_unsafe_object(path: Path, constructors: int = 0) -> None:
    """HarnessError where a library would run code when it is loaded, or reach outside of itself.

    `constructors` are gcc's own: so many, and as many for when it is unloaded, are let through.
    """
    data = path.read_bytes()
    try:
        reason = next(faults(data, constructors), "")
    except (struct.error, IndexError, OverflowError, ValueError, MalformedError) as err:
        reason = str(err) if isinstance(err, MalformedError) else "it is no whole ELF file of 64 bits"
    if reason:
        raise HarnessError(f"the patch is not run: {reason}")


def faults(data: bytes, constructors: int) -> Iterator[str]:
    """What is wrong with a 64-bit little-endian library."""
    kind, machine = struct.unpack_from("<HH", data, 16)
    if data[:6] != b"\x7fELF\2\1" or kind != 3 or machine not in RELATIVE:
        raise MalformedError("it is no library for this machine")
    yield from section_faults(data, constructors)
    segments = list(program_headers(data))
    yield from segment_faults(segments)
    tags = list(dynamic_tags(data, segments))
    yield from tag_faults(tags, constructors)
    yield from relocation_faults(data, segments, dict(tags), machine)


def segment_faults(segments: list[Segment]) -> Iterator[str]:
    """What a loader must not be asked to map."""
    for segment in segments:
        if segment.kind not in SEGMENTS:
            yield f"it has a segment of type {segment.kind:#x}"
        if segment.kind == PT_LOAD and segment.flags & EXECUTE and segment.flags & WRITE:
            yield "it has memory that can be both written and run"
        if segment.kind == PT_GNU_STACK and segment.flags & EXECUTE:
            yield "it asks for a stack that can be run (a function within a function?)"
    if PT_GNU_STACK not in {segment.kind for segment in segments}:
        yield "it asks for a stack that can be run"
    if [segment.kind for segment in segments].count(PT_DYNAMIC) != 1:
        yield "it has not one dynamic section"


def tag_faults(tags: list[tuple[int, int]], constructors: int) -> Iterator[str]:
    """What a loader must not be told; each thing is told once."""
    if len({tag for tag, _ in tags}) != len(tags):
        yield "its dynamic section says something twice"
    for tag, value in tags:
        if tag in RUN_TAGS or (tag in ARRAYS and not constructors):
            yield f"it has code that runs when it is loaded ({RUN_TAGS.get(tag) or ARRAYS[tag]})"
        elif tag in SIZES:
            if value > 8 * constructors:
                yield f"it has code that runs when it is loaded ({ARRAYS[SIZES[tag]]})"
        elif tag in FLAGS:
            if value & ~FLAGS[tag]:
                yield f"its dynamic section has flags {value:#x}"
        elif tag not in TAGS and tag not in ARRAYS:
            yield f"its dynamic section has a tag {tag:#x}"


def relocation_faults(
    data: bytes, segments: list[Segment], tags: dict[int, int], machine: int
) -> Iterator[str]:
    """Relocations that look a name up, or have code say an address."""
    if tags.get(DT_RELAENT, 24) != 24:
        raise MalformedError("its relocations have another size")
    for table, length in (DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ):
        size = tags.get(length, 0)
        at = file_offset(segments, tags.get(table, 0), size) if size else 0
        for entry in range(at, at + size, 24):
            kind, symbol = struct.unpack_from("<II", data, entry + 8)
            if kind == IRELATIVE[machine]:
                yield "an address in it is chosen by code when it is loaded (ifunc)"
            elif kind != RELATIVE[machine] or symbol:
                yield f"it has a relocation of type {kind}, which needs more than the library itself"


def section_faults(data: bytes, constructors: int) -> Iterator[str]:
    """What sections and symbols say, which a loader does not read, but which name what is wrong."""
    sections = list(section_headers(data))
    names = sections[struct.unpack_from("<H", data, 62)[0]]
    for name, kind, _, _, size, _ in sections:
        said = text_at(data, names[3] + name)
        if (kind in RUN_TYPES and size > 8 * constructors) or said in RUN_AT_LOAD:
            yield f"it has code that runs when it is loaded ({said})"
    for _, kind, _, offset, size, link in sections:
        if kind not in (SYMTAB, DYNSYM):
            continue
        strings = sections[link][3]
        for at in range(offset + 24, offset + size, 24):  # the first is no symbol
            name, info, _, section = struct.unpack_from("<IBBH", data, at)
            if section == UNDEFINED and (kind == DYNSYM or name):
                yield f"it refers to {text_at(data, strings + name)}, which is outside of it"
            if info & 15 == IFUNC:
                yield f"{text_at(data, strings + name)} is chosen when it is loaded (ifunc)"
            if info & 15 == TLS:
                yield f"{text_at(data, strings + name)} is a thread's own variable"


def program_headers(data: bytes) -> Iterator[Segment]:
    """The segments."""
    start = struct.unpack_from("<Q", data, 32)[0]
    size, count = struct.unpack_from("<HH", data, 54)
    if size != 56:
        raise MalformedError("its program headers have another size")
    for at in range(start, start + size * count, size):
        kind, flags, offset, address, _, length = struct.unpack_from("<IIQQQQ", data, at)
        yield Segment(kind, flags, offset, address, length)


def dynamic_tags(data: bytes, segments: list[Segment]) -> Iterator[tuple[int, int]]:
    """Tag and value of each entry of the dynamic section, up to its end."""
    for segment in segments:
        if segment.kind != PT_DYNAMIC:
            continue
        # A loader reads it where it is mapped, whatever the header says of the file.
        start = file_offset(segments, segment.address, segment.size)
        for at in range(start, start + segment.size, 16):
            tag, value = struct.unpack_from("<QQ", data, at)
            if not tag:
                return
            yield tag, value
        raise MalformedError("its dynamic section has no end")


def file_offset(segments: list[Segment], address: int, size: int) -> int:
    """Where in the file is what is mapped at `address`."""
    for segment in segments:
        if segment.kind == PT_LOAD and 0 <= address - segment.address <= segment.size - size:
            return segment.offset + address - segment.address
    raise MalformedError("it refers to what is not in it")


def section_headers(data: bytes) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Name, type, address, offset, size and link of each section."""
    start = struct.unpack_from("<Q", data, 40)[0]
    size, count = struct.unpack_from("<HH", data, 58)
    if size != 64:
        raise MalformedError("its section headers have another size")
    for at in range(start, start + size * count, size):
        name, kind, _, address, offset, length, link = struct.unpack_from("<IIQQQQI", data, at)
        yield name, kind, address, offset, length, link


def text_at(data: bytes, offset: int) -> str:
    """A string of a string table."""
    return data[offset : data.index(b"\0", offset)].decode("ascii", "replace")
