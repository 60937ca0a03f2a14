# SPDX-License-Identifier: GPL-2.0-only
"""What the shims define, by name: it goes before the same in a tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from extractor.cast import strip_comments
from extractor.closure import TAG, Shims, expanding
from extractor.scan import scan_file
from extractor.unit import names_of, one_a_line
from harness.build import DIALECT, run_compiler
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
    # A .config has more options than fit on a command line.
    options = "".join(f"#define {name} 1\n" for name, value in config.items() if value)
    source.write_text(options + "".join(f"#include <{path.relative_to(INCLUDE)}>\n" for path in paths))
    flags: list[str | Path] = [*DIALECT, "-w", "-I", INCLUDE]
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
    words: dict[str, set[str]] = {}
    for header, lines in texts.items():
        if header.startswith(("/", "<", "kconform/")) or header in STANDINS:
            continue
        for item in scan_file(header, one_a_line("\n".join(lines)), "context"):
            if item.kind in ("function", "macro", "record", "typedef", "variable"):
                headers |= dict.fromkeys(names_of(item), header)
                words.setdefault(item.name, set()).update(expanding(item.text), tags(item.text))
            if item.kind == "macro" and ARGUMENTS.match(item.text):
                macros.add(item.name)
    return Shims(headers, frozenset(macros), {name: of_tree(name, words, headers) for name in words})


def tags(text: str) -> set[str]:
    """The records that `text` mentions."""
    return {" ".join(match) for match in TAG.findall(strip_comments(text))}


def of_tree(name: str, words: Mapping[str, set[str]], headers: Mapping[str, str]) -> frozenset[str]:
    """The records that a shim, or another one that it uses, mentions and that no shim defines."""
    found: set[str] = set()
    seen: set[str] = set()
    todo = [name]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            said = words.get(name, set())
            found |= {word for word in said if " " in word and word not in headers}
            todo += said
    return frozenset(found)
