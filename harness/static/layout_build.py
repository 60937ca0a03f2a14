# SPDX-License-Identifier: GPL-2.0-only
"""Compiles the records that a patch extends, without the patch and with it, for their layouts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from extractor.attributes import unsafe
from extractor.cast import strip_comments
from extractor.errors import ExtractError
from extractor.items import Item
from extractor.records import merge_records
from extractor.slice import Slice, cut
from harness.build import (
    DIALECT,
    LENIENT,
    CompileError,
    Compiling,
    Diagnostic,
    config_flags,
    diagnostics,
    read_preprocessed,
    refuse_unsafe_text,
    run_compiler,
)
from harness.render import has_shim, include_name, lined, overlay
from harness.static.layout import Assertion, Layouts, Lost
from harness.static.shim_records import shim_records
from kernel_snippets import INCLUDE

ASSERTION = "static assertion failed"
DIRECTIVE = re.compile(
    r"^\s*(?:#|%:)\s*(include\w*|import|pragma|line|embed|\d+)|\b(_Pragma|__has_include\w*|__has_embed)\b",
    re.M,
)


def default_config(items: Sequence[Item], given: Mapping[str, bool]) -> dict[str, bool]:
    """`given`, and else 64 bit with every option set under which the patch adds a field."""
    fields = [item for item in items if item.kind == "field" and item.origin == "added"]
    named = {name for item in fields for name in re.findall(r"(?<!\w)CONFIG_\w+", " ".join(item.condition))}
    return dict.fromkeys(sorted({"CONFIG_64BIT", "CONFIG_MMU"} | named), True) | dict(given)


def extensions(items: Sequence[Item]) -> list[Item]:
    """The records that a patch adds fields to."""
    return [
        item
        for item in items
        if item.kind == "record"
        and item.completeness == "fragment"
        and item.name.startswith(("struct ", "union "))
        and any(line.origin == "added" for line in item.lines)
    ]


@dataclass(frozen=True)
class _Sources:
    """What is compiled: the records in question, by header, and the slice that extends them."""

    known: tuple[Item, ...]
    lost: tuple[Lost, ...]
    piece: Slice
    headers: tuple[str, ...]
    records: tuple[str, ...]
    cut: frozenset[str]

    @property
    def added(self) -> frozenset[tuple[str, int]]:
        """File and line of what the patch adds to records."""
        return frozenset(
            (item.file, line.number) for item in self.known for line in item.lines if line.origin == "added"
        )


class LayoutBuild:
    """The layouts of the records that `items` extend, being compiled below `folder`, beside us.

    `config` says which options are set; without CONFIG_64BIT the word has 32 bits. Nothing is compiled
    where the patch extends no record: `finish` then gives Layouts with no `extended`. ExtractError
    or HarnessError, now or from `finish`, with the patch's line where it is to blame.
    """

    def __init__(self, items: Sequence[Item], config: Mapping[str, bool], folder: Path) -> None:
        self.config = dict(config)
        self.folder = folder
        self.sources = _sources(items, self.config)
        self.before: Compiling | None = None
        self.after: Compiling | None = None
        if self.sources.known:
            folder.mkdir(parents=True, exist_ok=True)
            self._write()
            self.before = self._compile("before.c", "-I", INCLUDE)
            self.after = self._compile_after()

    def finish(self) -> Layouts:
        """The layouts, when they are compiled."""
        sources = self.sources
        if not self.before or not self.after:
            return Layouts({}, {}, (), frozenset(), (), (), sources.lost, self.config)
        broken = self._settle("before", self.before)
        asserts = self._settle("after", self.after)
        from harness.static.layout_dwarf import read_records  # pyelftools takes 40 ms to import

        return Layouts(
            read_records(self.folder / "before.o", frozenset()),
            read_records(self.folder / "after.o", sources.added),
            tuple(dict.fromkeys(item.name for item in sources.known)),
            sources.cut,
            asserts,
            tuple(a for a in asserts if a in broken),
            sources.lost,
            self.config,
        )

    def _write(self) -> None:
        sources = self.sources
        others = dict.fromkeys(include_name(item.file) for item in sources.piece.items)
        first = [name for name in others if name not in sources.headers]
        pointers = [f"{name} *kc_{number};" for number, name in enumerate(sources.records)]
        for unit, names in ("before", sources.headers), ("after", (*first, *sources.headers)):
            text = [*(f"#include <{name}>" for name in names), *pointers]
            (self.folder / f"{unit}.c").write_text("\n".join(text) + "\n")
        extended = {item.file for item in sources.known}
        for file in dict.fromkeys((*extended, *(item.file for item in sources.piece.items))):
            path = self.folder / "include" / include_name(file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                _overlay(sources.piece, file) if file in extended else overlay(sources.piece, file)
            )

    def _flags(self, *extra: str) -> list[str | Path]:
        word = [] if self.config.get("CONFIG_64BIT") else ["-m32"]
        return [
            *DIALECT, *word, *extra, "-w", "-gdwarf-5", "-O0", *config_flags(self.config),
            f"-ffile-prefix-map={INCLUDE}=kernel_snippets/include",
            f"-ffile-prefix-map={self.folder}/=",
        ]  # fmt: skip

    def _compile(self, source: str, *flags: str | Path) -> Compiling:
        # Errors in what a macro makes are told where it is used.
        made = f"{source.partition('.')[0]}.o"
        return Compiling(
            [*self._flags(), "-ftrack-macro-expansion=0", *flags, "-c", source, "-o", made], self.folder
        )

    def _compile_after(self, *extra: str) -> Compiling:
        """What the patch's text comes to, when nothing in that is refused, as of subjects."""
        includes: list[str | Path] = ["-I", self.folder / "include", "-I", INCLUDE]
        arguments = [*self._flags(*extra), *includes, "-E", "after.c", "-o", "after.i"]
        status, output = run_compiler(arguments, self.folder)
        if status:
            raise CompileError(diagnostics(output), output)
        refuse_unsafe_text(read_preprocessed(self.folder / "after.i"), self.folder)
        return self._compile("after.i", "-fpreprocessed")

    def _settle(self, unit: str, compiling: Compiling) -> tuple[Assertion, ...]:
        """The assertions that fail, when the unit is compiled without them."""
        status, output = compiling.finish()
        if not status:
            return ()
        said = diagnostics(output)
        failed = tuple(_assertions(said))
        others = tuple(d for d in said if d.error and not d.text.startswith(ASSERTION))
        if others or not failed:
            raise CompileError(others, output)
        again = (
            self._compile("before.c", LENIENT, "-I", INCLUDE)
            if unit == "before"
            else self._compile_after(LENIENT)
        )
        status, output = again.finish()
        if status:  # an assertion that the patch itself adds has no other form
            raise CompileError(diagnostics(output), output)
        return failed


def _overlay(piece: Slice, file: str) -> str:
    """A header with the patch's fields in place, and before them all that these need of the patch."""
    name = include_name(file)
    shim = (INCLUDE / name).read_text()
    needed = [text for item in piece.items if item.file == file for text in lined(item)]
    extending = [item for item in piece.extensions if item.file == file]
    merged = merge_records(shim, f"kernel_snippets/include/{name}", extending)
    includes = [f"#include <{item.name}>" for item in piece.includes if item.file == file]
    return "\n".join(["#pragma once", "#include <linux/types.h>", *includes, *needed, merged]) + "\n"


def _assertions(said: Sequence[Diagnostic]) -> Iterator[Assertion]:
    for message in said:
        if message.error and message.text.startswith(ASSERTION):
            text = message.text.removeprefix(ASSERTION).lstrip(": ").strip('"')
            yield Assertion(text or "(no text)", message.file, message.line)


def _sources(items: Sequence[Item], config: dict[str, bool]) -> _Sources:
    """The records that can be compiled, and those that cannot; ExtractError where none can."""
    wanted = extensions(items)
    for item in wanted:
        refuse_unsafe_fields(item)
        refuse_open_condition(item)
    errors = {id(item): error for item in wanted if (error := _unknown(item))}
    known = [item for item in wanted if id(item) not in errors]
    if wanted and not known:
        raise errors[id(wanted[0])]
    files = dict.fromkeys(item.file for item in known)
    lost = {id(item) for item in wanted} - {id(item) for item in known}
    text = strip_comments("\n".join(ln.text for item in known for ln in item.lines if ln.origin == "added"))
    tagged = [" ".join(name.split()) for name in re.findall(r"\b(?:struct|union|enum)\s+\w+", text)]
    piece = cut([item for item in items if id(item) not in lost], tagged, config)
    # Records of other kinds that the patch extends, and what it includes elsewhere, are not in question.
    included = tuple(i for i in piece.includes if i.file in files and has_shim(i.name))
    piece = replace(piece, extensions=tuple(known), includes=included)
    shims = [(INCLUDE / include_name(file)).read_text() for file in files]
    records = [record for text in shims for record in shim_records(text)]
    return _Sources(
        tuple(known),
        tuple(Lost(item.name, str(errors[id(item)])) for item in wanted if id(item) in errors),
        piece,
        tuple(include_name(file) for file in files),
        tuple(dict.fromkeys(name for name, _, _ in records)),
        frozenset(name for name, _, is_cut in records if is_cut),
    )


def _unknown(item: Item) -> ExtractError | None:
    """Why the base of a record that the patch extends is not known; None where it is."""
    name = include_name(item.file)
    if not has_shim(name):
        return ExtractError(
            f"the patch extends {item.name}, and there is no shim for {item.file}",
            file=item.file,
            line=item.line,
            hint="the record needs a shim",
        )
    try:
        merge_records((INCLUDE / name).read_text(), name, [item])
    except ExtractError as err:
        return err
    return None


def refuse_open_condition(item: Item) -> None:
    """ExtractError where an #if that the patch adds in a record ends outside of it."""
    opened: list[int] = []
    for line in item.lines:
        word = re.match(r"\s*#\s*(if|endif)", line.text) if line.origin == "added" else None
        if word and word[1] == "if":
            opened.append(line.number)
        elif word and opened:
            opened.pop()
        elif word:
            opened.append(line.number)
            break
    if opened:
        raise ExtractError(
            f"the #if or #endif has no other end among what the patch adds to {item.name}",
            file=item.file,
            line=opened[-1],
            hint="fields stand indented in a record; give the patch as it was mailed",
        )


def refuse_unsafe_fields(item: Item) -> None:
    """ExtractError where the fields that a patch adds hold what must never be compiled here."""
    for line, text in zip(item.lines, strip_comments(item.text).split("\n"), strict=True):
        if line.origin != "added":
            continue
        spliced = "#" in text and text.rstrip().endswith("\\")
        if spliced or DIRECTIVE.search(text) or next(unsafe(text), None):
            raise ExtractError(
                f"{item.name} has '{line.text.strip()[:60]}' among its fields",
                file=item.file,
                line=line.number,
                hint="such code is not compiled for a check",
            )


def conditions(items: Sequence[Item]) -> dict[tuple[str, int], str]:
    """The presence condition of each field that a patch adds, as text, by file and line."""
    return {
        (item.file, item.line): condition_text(item.condition)
        for item in items
        if item.kind == "field" and item.condition
    }


def condition_text(condition: Sequence[str]) -> str:
    """A presence condition as people write it."""
    plain = [re.sub(r"\bdefined\s*\(\s*(\w+)\s*\)", r"\1", part) for part in condition]
    return " && ".join(
        part if re.fullmatch(r"!?\w+", part) or len(plain) == 1 else f"({part})" for part in plain
    )
