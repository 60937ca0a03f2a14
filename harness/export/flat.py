# SPDX-License-Identifier: GPL-2.0-only
"""A subject's slice as one text: shims and patch in a compiler's order, conditionals resolved, uncut.

gcc -E -fdirectives-only expands no macro, so what is left is the shims' and the patch's own text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from extractor.cast import facts, macro_parts, strip_comments
from extractor.items import Item, SourceLine
from extractor.scan import scan_file
from extractor.unit import names_of, one_a_line, scanned
from harness.build import DIALECT, LENIENT, config_flags, run_compiler
from harness.errors import HarnessError
from harness.tree.generated import (
    CALL,
    MARK,
    balanced,
    generated_items,
    has_body,
    outer_calls,
    preprocessed,
)
from harness.tree.preprocess import MARKER
from kernel_snippets import INCLUDE

SHIM_NAME = re.compile(r"\s*#\s*define\s+(\w+)\s+(kc_shim_\w+)\s*")
# Kinds that code may need; of declarations only those of records.
KEPT = ("function", "macro", "record", "typedef", "variable")
RECORD = "kconform/record.h"


@dataclass(frozen=True)
class Part:
    """One item of a flat slice: where it is from, what it defines, and what it needs.

    `header` is the include name of the shim it is from, empty where it is the patch's (or a tree's) own.
    """

    item: Item
    text: str
    file: str
    line: int
    header: str
    defines: tuple[str, ...]
    needs: frozenset[str]

    @property
    def own(self) -> bool:
        """Whether the text is the patch's."""
        return not self.header


def flat_parts(
    folder: Path,
    headers: Sequence[str],
    config: Mapping[str, bool],
    record: str,
    work: Path,
    items: Sequence[Item] = (),
) -> list[Part]:
    """The parts of a subject whose overlays are in `folder`/include; `record` stands for kconform/record.h.

    `items` are the patch's own, whose macros gcc would spell otherwise.
    """
    (work / "kconform").mkdir(parents=True, exist_ok=True)
    (work / RECORD).write_text(record)
    unit, out = work / "flat.c", work / "flat.i"
    unit.write_text("".join(f"#include <{name}>\n" for name in (RECORD, *headers)))
    arguments: list[str | Path] = [
        "-E", "-fdirectives-only", *DIALECT, LENIENT, "-w", *config_flags(dict(config)),
        "-I", work, "-I", folder / "include", "-I", INCLUDE, unit, "-o", out,
    ]  # fmt: skip
    status, said = run_compiler(arguments, work)
    if status:
        raise HarnessError(f"the slice cannot be read: {said.strip()[:300]}")
    places, lines = placed(out.read_text(errors="surrogateescape"), folder, work)
    own = {(item.file, item.line): item.text for item in items if item.kind == "macro"}

    def spelled(place: tuple[str, int, str]) -> str:
        """A macro as it is written."""
        file, number, header = place
        path = next((root / header for root in (work, INCLUDE) if header and (root / header).is_file()), None)
        return definition(path.read_text().split("\n")[number - 1 :]) if path else own.get((file, number), "")

    return [*parts_of(lines, places, work, spelled)]


def definition(lines: Sequence[str]) -> str:
    """The macro that begins with the first of `lines`."""
    last = next((n for n, line in enumerate(lines) if not line.rstrip().endswith("\\")), 0)
    text = "\n".join(lines[: last + 1])
    return re.sub(r"[ \t]*/\*[^*]*\*/[ \t]*$", "", text) if re.match(r"\s*#\s*define\b", text) else ""


def placed(text: str, folder: Path, work: Path) -> tuple[list[tuple[str, int, str]], list[SourceLine]]:
    """Each line's file, number and shim header, and the lines themselves, numbered through."""
    places: list[tuple[str, int, str]] = []
    lines: list[SourceLine] = []
    file, number, header = "<none>", 0, ""
    for line in text.split("\n"):
        if line.startswith("# ") and (marker := MARKER.match(line)):
            number, file = int(marker[1]), marker[2]
            header = header_of(file, folder, work)
        else:
            if not file.startswith("<") and not re.match(r"\s*#\s*pragma\b", line):
                places.append((file, number, header))
                lines.append(SourceLine(line, len(lines) + 1, "context"))
            number += 1
    return places, lines


def header_of(file: str, folder: Path, work: Path) -> str:
    """The include name of a shim's file, or of one that stands over a shim; empty for a patch's file."""
    for root in (work, INCLUDE, folder / "include"):
        if Path(file).is_relative_to(root):
            return str(Path(file).relative_to(root))
    inside = "kernel_snippets/include/"  # as merged records name their shim
    return file.removeprefix(inside) if file.startswith(inside) else ""


def parts_of(
    lines: Sequence[SourceLine],
    places: Sequence[tuple[str, int, str]],
    work: Path,
    spelled: Callable[[tuple[str, int, str]], str],
) -> Iterator[Part]:
    """The items among `lines`, those that macros generate among them."""
    items = [*scanned("flat", tuple(lines))]
    theirs = [item for item in items if item.kind != "undef" and not places[item.line - 1][2]]
    shims = [item for item in items if item.kind != "undef" and places[item.line - 1][2]]
    functions, _ = generated_items(theirs, work)
    functions += families(shims, work)
    made: dict[int, list[Item]] = {}
    for function in functions:
        made.setdefault(function.line, []).append(function)
    renamed: dict[str, str] = {}
    for item in items:
        file, number, header = places[item.line - 1]
        if item.kind == "undef":
            renamed.pop(item.name, None)
        elif item.kind == "macro" and (found := SHIM_NAME.fullmatch(item.text)):
            renamed[found[1]] = found[2]
        elif item.line in made:
            for function in made[item.line]:
                text = function.expansion if header else item.text
                yield part(function, laid_out(text) if header else text, (file, number, header), renamed)
        elif item.kind in KEPT and item.completeness == "complete" and balanced(item.text):
            written = spelled((file, number, header)) if item.kind == "macro" else ""
            text = written or item.text
            if header and item.kind != "macro":
                text = re.sub(r"\n(?:[ \t]*\n)+", "\n", text)  # of conditions that are resolved
            yield part(item, text, (file, number, header), renamed)


def families(items: Sequence[Item], work: Path) -> list[Item]:
    """The functions that shims make by macros, also by those that are given a macro to call."""
    macros = {item.name: item for item in items if item.kind == "macro"}
    bodies = {name: macro_parts(strip_comments(item.text)) for name, item in macros.items()}
    makers: set[str] = set()
    grown = True
    while grown:
        fresh = {
            name
            for name, (words, body) in bodies.items()
            if name not in makers
            and (has_body(body) or any(call in makers or call in words for call in outer_calls(body)))
        }
        makers |= fresh
        grown = bool(fresh)
    calls = [item for item in items if item.kind in ("declaration", "variable")
             and (found := CALL.match(item.signature)) and found[1] in makers]  # fmt: skip
    if not calls:
        return []
    first = "\n".join(macros[name].text for name in sorted(makers))
    texts = [f"{MARK}{number}\n{item.text}" for number, item in enumerate(calls)]
    made = preprocessed([f"{first}\n{texts[0]}", *texts[1:]], work)
    return [
        replace(call, kind="function", name=each.name, signature=each.signature, expansion=each.text)
        for call, text in zip(calls, made, strict=True)
        for each in scan_file(call.file, one_a_line(text), "context")
        if each.kind == "function"
    ]


def part(item: Item, text: str, place: tuple[str, int, str], renamed: Mapping[str, str]) -> Part:
    """One part; `renamed` are the names that mean something else where it stands."""
    file, number, header = place
    if renamed:
        words = "|".join(map(re.escape, renamed))
        text = re.sub(rf"\b({words})\b", lambda match: renamed[match[1]], text)
        lines = tuple(SourceLine(line, item.line + n, "context") for n, line in enumerate(text.split("\n")))
        item = replace(item, name=renamed.get(item.name, item.name), lines=lines, expansion="")
    needs = facts(item).names | said_tags(text)
    return Part(item, text, file, number, header, names_of(item), needs - set(names_of(item)))


def said_tags(text: str) -> frozenset[str]:
    """The records that C mentions."""
    found = re.findall(r"\b(struct|union|enum)\s+(\w+)", strip_comments(text))
    return frozenset(" ".join(match) for match in found)


def laid_out(text: str) -> str:
    """C of one line, as gcc leaves it of a macro, in lines that a person can read."""
    said: list[str] = []
    depth = parens = 0
    for token in re.findall(r'"(?:\\.|[^"\\])*"|[{};()]|[^{};()"]+', " ".join(text.split())):
        if token in "()":
            parens += 1 if token == "(" else -1
        if token == "}" and not parens:
            depth -= 1
            said.append(f"{line_start(said, depth)}}}\n" + "\t" * depth)
        elif token == "{" and not parens:
            depth += 1
            opening = "\n{" if depth == 1 else "{"
            said.append(f"{opening}\n" + "\t" * depth)
        elif token == ";" and not parens:
            said.append(";\n" + "\t" * depth)
        else:
            said.append(token.lstrip() if said and said[-1].endswith(("\n", "\t")) else token)
    plain = "".join(said).replace("}\n;", "};")
    return re.sub(r"[ \t]+$", "", re.sub(r"\n\s*\n", "\n", plain), flags=re.M).strip()


def line_start(said: list[str], depth: int) -> str:
    """Brings what was said to the start of a line that is indented so far."""
    if said:
        said[-1] = said[-1].rstrip("\t ")
    return ("" if not said or said[-1].endswith("\n") else "\n") + "\t" * depth
