# SPDX-License-Identifier: GPL-2.0-only
"""What a compiled subject's functions are made of: whose line each instruction is, sizes, stack frames."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from elftools.common.exceptions import DWARFError, ELFError
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from harness.errors import HarnessError

# Of each byte of code: a line of the revision's own, of a shim that stands for kernel API, or neither.
NEITHER, OWN, SHIM = range(3)
SHIMS = "kernel_snippets/include/"
RECORD = "kernel_snippets/include/kconform/"  # what a shim does for kconform alone
# What gcc puts apart of a function: what is cold, and what is left where a part was inlined.
PARTS = re.compile(r"(\w+?)((?:\.part\.\d+|\.cold)*)$")


@dataclass(frozen=True)
class FunctionSize:
    """Bytes of code from the revision's own lines and from shims, and of the frame (None: not known)."""

    bytes: int
    shims: int
    stack: int | None


def kinds_of(library: Path, files: Collection[str]) -> bytes:
    """What each byte of a library is, by its address in it; `files` are the revision's own."""
    try:
        with library.open("rb") as file:
            found = list(rows(ELFFile(file).get_dwarf_info()))
    except (ELFError, DWARFError, LookupError, ValueError) as err:
        raise HarnessError(f"the lines of the compiled code cannot be read: {err}") from err
    kinds = bytearray(max((end for _, end, _ in found), default=0))
    for start, end, name in found:
        kinds[start:end] = bytes([kind(name, files)]) * (end - start)
    return bytes(kinds)


def kind(name: str, files: Collection[str]) -> int:
    """Whose file that is."""
    if SHIMS in name:
        return NEITHER if RECORD in name else SHIM
    return OWN if name in files else NEITHER


def rows(dwarf: DWARFInfo) -> Iterator[tuple[int, int, str]]:
    """First address, end and file of each run of code that has a line."""
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        if program["version"] < 5:
            raise HarnessError("the compiler wrote no DWARF 5, by which lines are told; use gcc 11 or newer")
        folders = [name.decode("utf-8", "replace") for name in program["include_directory"]]
        names = [str(PurePosixPath(folders[each.dir_index] if each.dir_index else "",
                                   each.name.decode("utf-8", "replace")))
                 for each in program["file_entry"]]  # fmt: skip
        last = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if last and state.address > last.address and last.line:
                yield last.address, state.address, names[last.file]
            last = None if state.end_sequence else state


def read_sizes(library: Path, kinds: bytes, names: Sequence[str]) -> dict[str, FunctionSize]:
    """The size of each function of those names that is there by itself."""
    frames = stack_frames(library.parent)
    counts: dict[str, tuple[int, int]] = {}
    with library.open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".symtab")
        for symbol in symbols.iter_symbols() if isinstance(symbols, SymbolTableSection) else ():
            name = PARTS.match(symbol.name)
            if symbol["st_info"]["type"] == "STT_FUNC" and name and name[1] in names:
                start = symbol["st_value"]
                code = kinds[start : start + symbol["st_size"]]
                own, shims = counts.get(name[1], (0, 0))
                counts[name[1]] = own + code.count(OWN), shims + code.count(SHIM)
    return {name: FunctionSize(*counts[name], frames.get(name)) for name in names if name in counts}


def stack_frames(folder: Path) -> Mapping[str, int]:
    """The frame of each function, by gcc's -fstack-usage."""
    found: dict[str, int] = {}
    for path in folder.glob("*.su"):
        for line in path.read_text(errors="replace").splitlines():
            place, *rest = line.split("\t")
            if len(rest) == 2 and rest[0].isdigit() and rest[1] == "static":
                found[place.rpartition(":")[2]] = int(rest[0])
    return found
