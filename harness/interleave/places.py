# SPDX-License-Identifier: GPL-2.0-only
"""From addresses in a subject's library to lines of C."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.interleave.schedule import Place, ThreadStep

ADDRESS = re.compile(r"^0x[0-9a-f]+$")


def resolve(library: Path, pcs: Iterable[int], files: set[str]) -> dict[int, tuple[Place, ...]]:
    """The lines of `files` before each return address, innermost first; none without binutils, or time.

    What is in no such file, shims and the contract's own C, is left out: the line that called it is there.
    """
    tool, wanted = shutil.which("addr2line"), sorted(pcs)
    if not tool or not wanted:
        return {}
    try:
        done = subprocess.run(
            [tool, "-a", "-f", "-i", "-e", str(library)],
            input="".join(f"{pc - 1:#x}\n" for pc in wanted),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {}
    found: dict[int, tuple[Place, ...]] = {}
    for pc, lines in zip(wanted, blocks(done.stdout), strict=False):
        places = (place_of(name, where, files) for name, where in zip(lines[::2], lines[1::2], strict=False))
        found[pc] = tuple(place for place in places if place)
    return found


def blocks(output: str) -> list[list[str]]:
    """What addr2line says of each address: functions and lines in turn."""
    made: list[list[str]] = []
    for line in output.splitlines():
        if ADDRESS.match(line):
            made.append([])
        elif made:
            made[-1].append(line)
    return made


def place_of(function: str, where: str, files: set[str]) -> Place | None:
    """One line, where it is of one of `files`."""
    name, _, number = where.partition(" ")[0].rpartition(":")
    fitting = (file for file in files if name == file or name.endswith(f"/{file}"))
    file = max(fitting, key=len, default=None)
    if not file or not number.isdigit() or "kernel_snippets" in name:
        return None
    return Place(function, file, int(number))


def placed(step: ThreadStep, lines: Mapping[int, Sequence[Place]]) -> ThreadStep:
    """A step with its stack."""
    pcs = (step.pc, *reversed(step.frames))
    return replace(step, stack=tuple(place for pc in pcs for place in lines.get(pc, ())))
