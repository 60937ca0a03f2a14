# SPDX-License-Identifier: GPL-2.0-only
"""A compiled subject as an ELF file: what must not be in one, however the C came to say it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from harness.errors import HarnessError

# System V ABI, "Object Files": what runs when a library is loaded, and what is resolved outside of it.
RUN_AT_LOAD = (".ctors", ".dtors", ".init", ".fini")
RUN_TYPES = (14, 15, 16)  # SHT_INIT_ARRAY, SHT_FINI_ARRAY, SHT_PREINIT_ARRAY
DYNAMIC, DYNSYM, UNDEFINED, IFUNC = 6, 11, 0, 10
RUN_TAGS = {12: "DT_INIT", 13: "DT_FINI"}  # of the dynamic section: a function that is called by its address


def refuse_unsafe_object(path: Path, constructors: int = 0) -> None:
    """HarnessError where a library would run code when it is loaded, or reach outside of itself.

    `constructors` are gcc's own: so many, and as many for when it is unloaded, are let through.
    """
    data = path.read_bytes()
    try:
        reasons = list(faults(data, constructors))
    except (struct.error, IndexError, UnicodeDecodeError):
        reasons = ["it is no ELF file of 64 bits"]
    if reasons:
        raise HarnessError(f"the patch is not run: {reasons[0]}")


def faults(data: bytes, constructors: int) -> Iterator[str]:
    """What is wrong with a 64-bit little-endian library."""
    sections = list(section_headers(data))
    names = sections[struct.unpack_from("<H", data, 62)[0]]
    for name, kind, _, _, size, _ in sections:
        said = text_at(data, names[3] + name)
        if (kind in RUN_TYPES and size > 8 * constructors) or said in RUN_AT_LOAD:
            yield f"it has code that runs when it is loaded ({said})"
    for _, kind, _, offset, size, link in sections:
        for at in range(offset, offset + size, 16) if kind == DYNAMIC else ():
            tag = struct.unpack_from("<q", data, at)[0]
            if tag in RUN_TAGS:
                yield f"it has code that runs when it is loaded ({RUN_TAGS[tag]})"
        if kind != DYNSYM:
            continue
        strings = sections[link][3]
        for at in range(offset + 24, offset + size, 24):  # the first is no symbol
            name, info, _, section = struct.unpack_from("<IBBH", data, at)
            if section == UNDEFINED:
                yield f"it refers to {text_at(data, strings + name)}, which is outside of it"
            if info & 15 == IFUNC:
                yield f"{text_at(data, strings + name)} is chosen when it is loaded (ifunc)"


def section_headers(data: bytes) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Name, type, address, offset, size and link of each section."""
    start = struct.unpack_from("<Q", data, 40)[0]
    size, count = struct.unpack_from("<HH", data, 58)
    for at in range(start, start + size * count, size):
        name, kind, _, address, offset, length, link = struct.unpack_from("<IIQQQQI", data, at)
        yield name, kind, address, offset, length, link


def text_at(data: bytes, offset: int) -> str:
    """A string of a string table."""
    return data[offset : data.index(b"\0", offset)].decode()
