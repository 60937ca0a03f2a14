# SPDX-License-Identifier: GPL-2.0-only
"""Whether a mutant compiles to the patch's own code: gcc's assembly of both, names and labels aside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from extractor.mutants import Mutant
from harness.build import Flavour, build
from harness.contract import Loaded
from harness.render_mutants import render_mutants
from harness.subjects import Subject

# As the kernel optimises; each function by itself, which is enough to tell two of them apart.
ASSEMBLY = Flavour(
    "assembly", ("-O2", "-g0", "-fno-asynchronous-unwind-tables", "-DKC_UNOPTIMISED=1"), compile_only=True
)
LABEL = re.compile(r"\.LC?\d+\b|\bkc_site_\.\d+\b|\b__func__\.\d+\b")


def same_code(
    subject: Subject, loaded: Loaded, config: dict[str, bool], todo: Sequence[Mutant], folder: Path
) -> set[Mutant]:
    """Those of `todo` whose functions are, instruction by instruction, those of the patch."""
    if not todo:
        return set()
    pairs = [m for mutant in todo for m in (mutant, replace(mutant, after=mutant.before))]
    rendered = render_mutants(loaded, subject.piece, subject.missing, pairs)
    folder.mkdir()
    text = build(rendered, config, folder, ASSEMBLY).finish().library.read_text()
    code = functions(text)
    constants = dict(constant_blocks(text))
    return {
        mutant
        for at, mutant in enumerate(todo)
        if normal(code, constants, 2 * at + 1) == normal(code, constants, 2 * at + 2)
    }


def functions(text: str) -> dict[str, list[str]]:
    """The instructions of each function in an assembly file."""
    found: dict[str, list[str]] = {}
    inside: list[str] | None = None
    for line in text.split("\n"):
        name = re.match(r"([A-Za-z_][\w.]*):$", line)
        if name:
            inside = found.setdefault(name[1], [])
        elif line.startswith("\t.size"):
            inside = None
        elif inside is not None and not re.match(r"\t\.(?!L)|\s*#", line):
            inside.append(line.strip())
    return found


def constant_blocks(text: str) -> Iterator[tuple[str, str]]:
    """What stands at each constant's label; of strings, nothing: they only name a warning."""
    for name, body in re.findall(r"^(\.LC\d+):\n((?:\t\.(?!section|text|align)\S+.*\n)+)", text, re.M):
        yield name, "" if "\t.string" in body else body


def normal(code: Mapping[str, list[str]], constants: Mapping[str, str], number: int) -> list[str]:
    """The code of one mutant, its names without its number and its labels numbered in order."""
    own = re.compile(rf"\b(\w+)__{number}\b")
    lines: list[str] = []
    for name in sorted(n for n in code if own.match(n)):
        lines += [own.sub(r"\1", name), *(own.sub(r"\1", line) for line in code[name])]
    seen: dict[str, str] = {}

    def label(match: re.Match[str]) -> str:
        return seen.setdefault(match[0], f"L{len(seen)}{constants.get(match[0], '')}")

    return [LABEL.sub(label, line) for line in lines]
