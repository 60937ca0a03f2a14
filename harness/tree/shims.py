# SPDX-License-Identifier: GPL-2.0-only
"""What the shims define, by name: it goes before the same in a tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from extractor.closure import Shims
from extractor.scan import scan_file
from extractor.unit import names_of, one_a_line
from harness.build import DIALECT, config_flags, run_compiler
from harness.errors import HarnessError
from kernel_snippets import INCLUDE, STANDINS

ARGUMENTS = re.compile(r"\s*#\s*define\s+\w+\(")
MARKER = re.compile(r'# \d+ "([^"]*)"')


def shims(config: Mapping[str, bool], folder: Path) -> Shims:
    """The names that shims define under `config`, but for those that stand in for what a tree has.

    gcc expands the macros with which shims make families of functions.
    """
    paths = sorted(INCLUDE.rglob("*.h"))
    source, out = folder / "shims.c", folder / "shims.i"
    source.write_text("".join(f"#include <{path.relative_to(INCLUDE)}>\n" for path in paths))
    flags = [*DIALECT, "-w", *config_flags(dict(config)), "-I", INCLUDE]
    status, said = run_compiler([*flags, "-E", "-dD", source, "-o", out], folder)
    if status:
        raise HarnessError(f"the shims cannot be read: {said.strip()[:300]}")
    texts: dict[str, list[str]] = {}
    header = ""
    for line in out.read_text().split("\n"):
        if marker := MARKER.match(line):
            header = marker[1].removeprefix(f"{INCLUDE}/")
        else:
            texts.setdefault(header, []).append(line)
    headers: dict[str, str] = {}
    macros: set[str] = set()
    for header, lines in texts.items():
        if header.startswith(("/", "<")) or header in STANDINS or header.startswith("kconform/"):
            continue
        for item in scan_file(header, one_a_line("\n".join(lines)), "context"):
            if item.kind in ("function", "macro", "record", "typedef", "variable"):
                headers |= dict.fromkeys(names_of(item), header)
            if item.kind == "macro" and ARGUMENTS.match(item.text):
                macros.add(item.name)
    return Shims(headers, frozenset(macros))
