# SPDX-License-Identifier: GPL-2.0-only
"""The headers of a patch, compiled as they are for a configuration and a word size; nothing is run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from extractor.conditions import holds
from extractor.errors import ExtractError
from extractor.items import Item, SourceLine
from extractor.kconfig_options import options
from extractor.slice import DEFINES, Slice, refuse_unsafe
from harness.build import (
    DIALECT,
    LENIENT,
    WARNINGS,
    Compiling,
    Diagnostic,
    config_flags,
    diagnostics,
)
from harness.contract import UndoneClaim
from harness.judge import Check
from harness.render import lined, overlays
from harness.static.configuration import claim_check
from kernel_snippets import INCLUDE

# What is said of code that needs more than the patch and the shims have.
LACKING = re.compile(
    r"implicit declaration of function '(\w+)'|'(\w+)' undeclared|unknown type name '(\w+)'|"
    r"has no member named '(\w+)'|incomplete type|undefined type|storage size|No such file|"
    r"redefinition of|conflicting types|missing binary operator"
)
# Conditions stand here without the headers that define what they compare.
UNLIKE = ["-fsyntax-only", "-Wno-undef"]
MEMBER = re.compile(r"has no member named '(\w+)'")
PROBE = "kconform: still defined: "
NO_WORD = re.compile(r"-m(32|64)\b|not compiled in|unimplemented")


@dataclass(frozen=True)
class Compiled:
    """What the compiler said of a patch's headers.

    `said` are errors and warnings at the patch's own lines; `lacking` what it said where patch and
    shims do not have all that is needed; `defined` the options asked for that were still defined;
    `unavailable` why nothing could be compiled.
    """

    word: int
    items: int = 0
    said: tuple[Diagnostic, ...] = ()
    lacking: tuple[Diagnostic, ...] = ()
    defined: frozenset[str] = frozenset()
    unavailable: str = ""


class Headers:
    """The complete items that a patch adds to headers below include/, being compiled beside us.

    `word` is 64 or 32. For 32 bit in a 64-bit configuration, `before` is C that stands before the
    first header and undoes options, and it is asked which of `probes` are defined after that.
    """

    def __init__(self, items: Sequence[Item], config: Mapping[str, bool], word: int, folder: Path,
                 before: Sequence[str] = (), probes: Sequence[str] = ()) -> None:  # fmt: skip
        self.word = word
        self.items = items
        self.config = {**config, "CONFIG_64BIT": word == 64}
        self.chosen = [i for i in items if chosen(i)]
        self.undone = {m[1] for text in before for m in re.finditer(r"^#undef (\w+)", text, re.M)}
        self.failed = ""
        self.compiling: Compiling | None = None
        try:
            files = self.sources(before, probes)
            folder.mkdir(parents=True, exist_ok=True)
        except ExtractError as err:
            self.failed = str(err)
            return
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        flags = config_flags({**self.config, "CONFIG_64BIT": word == 64 or bool(before)})
        size = ["-m32"] if word == 32 else []
        paths: list[str | Path] = ["-I", folder / "include", "-I", INCLUDE]
        self.compiling = Compiling(
            [*DIALECT, LENIENT, *WARNINGS, *UNLIKE, *flags, *size, *paths, "headers.c"], folder
        )

    def sources(self, before: Sequence[str], probes: Sequence[str]) -> dict[str, str]:
        """The files to compile by their names."""
        for item in (*self.chosen, *(i for i in self.items if i.kind == "record")):
            refuse_unsafe(item)
        extensions = [i for i in self.items if i.file.startswith("include/") and i.kind == "record"
                      and i.completeness == "fragment"]  # fmt: skip
        includes = [i for i in self.items if i.file.startswith("include/") and i.kind == "include"
                    and i.origin == "added"]  # fmt: skip
        piece = Slice(tuple(map(guarded, self.chosen)), tuple(extensions), tuple(includes), {}, {}, ())
        headers = overlays(piece)
        asked = [f'#ifdef {name}\n#error "{PROBE}{name}"\n#endif' for name in probes]
        unit = [*before, *asked, "#include <linux/kconfig.h>", *(f"#include <{name}>" for name in headers)]
        return {f"include/{n}": text for n, text in headers.items()} | {"headers.c": "\n".join(unit) + "\n"}

    def finish(self) -> Compiled:
        """What the compiler said, when it is done."""
        if not self.compiling:
            return Compiled(self.word, unavailable=self.failed)
        status, output = self.compiling.finish()
        found = tuple(dict.fromkeys(diagnostics(output)))
        if status and not found:
            first = next(iter(output.strip().split("\n")), "")
            way = f"the compiler has no -m{self.word}: " if NO_WORD.search(first) else ""
            return Compiled(self.word, unavailable=way + first[:200] or "the compiler failed without a word")
        defined = frozenset(d.text.partition(PROBE)[2].rstrip('"') for d in found if PROBE in d.text)
        rest = [d for d in found if PROBE not in d.text]
        lacking = self.lacking(rest)
        files = {item.file for item in self.items}
        said = tuple(d for d in rest if d not in lacking and d.file in files)
        return Compiled(self.word, len(self.chosen), said, tuple(lacking), defined)

    def lacking(self, found: Sequence[Diagnostic]) -> list[Diagnostic]:
        """Errors outside of the patch, and all messages in an item that uses what is not there."""
        own = {i.name for i in self.items if i.kind in (*DEFINES, "field") and i.completeness == "complete"}
        poor = [d for d in found if (m := LACKING.search(d.text)) and not own & set(m.groups())]
        places = {place for d in poor for place in self.places(d)}
        files = {item.file for item in self.items}
        return [d for d in found if d in poor or places.intersection(self.places(d)) or self.misplaced(d)
                or (d.error and d.file not in files)]  # fmt: skip

    def misplaced(self, said: Diagnostic) -> bool:
        """Whether a field is amiss that the patch does add here: its place is within an #if of the shim's."""
        name = MEMBER.search(said.text)
        return any(item.kind == "field" and name and item.name == name[1] and holds(item.condition, self.live)
                   for item in self.items)  # fmt: skip

    @property
    def live(self) -> dict[str, bool]:
        """The configuration after what undoes options."""
        return {**self.config, **dict.fromkeys(self.undone, False)}

    def places(self, said: Diagnostic) -> Iterator[tuple[str, int]]:
        """The items that a message is in, by file and first line."""
        for item in self.chosen:
            if item.file == said.file and item.lines[0].number <= said.line <= item.lines[-1].number:
                yield item.file, item.lines[0].number


def chosen(item: Item) -> bool:
    """Whether an item is compiled: what is only shown has its stand-in in the shims, if anywhere."""
    return (item.file.startswith("include/") and item.file.endswith(".h") and item.kind in DEFINES
            and item.origin == "added" and item.completeness == "complete")  # fmt: skip


def guarded(item: Item) -> Item:
    """The item within its `#if` stack, which decides at compile time; its lines keep their numbers."""
    first, last = item.lines[0].number, item.lines[-1].number
    opened = tuple(SourceLine(f"#if {said}", first - 1, "context") for said in item.condition[-1:])
    if len(item.condition) > 1:
        both = " && ".join(f"({said})" for said in item.condition)
        opened = (SourceLine(f"#if {both}", first - 1, "context"),)
    closed = tuple(SourceLine("#endif", last + 1, "context") for _ in opened)
    return replace(item, lines=(*opened, *item.lines, *closed))


def spelled(said: Diagnostic) -> str:
    """A compiler's message, as it is said."""
    return f"{said.file}:{said.line}: {'error' if said.error else 'warning'}: {said.text}"


class Undo:
    """An UndoneClaim being decided: the patch's headers for 32 bit, after the header that undoes."""

    def __init__(self, claim: UndoneClaim, items: Sequence[Item], config: Mapping[str, bool],
                 folder: Path) -> None:  # fmt: skip
        self.claim = claim
        self.items = items
        self.shown = [i for i in items if i.file == claim.header]
        self.config = {**config, **claim.config, claim.option: True}
        self.headers: Headers | None = None
        if self.shown:
            before = [*(f"#undef {name}" for name in claim.before), *self.undoing()]
            self.headers = Headers(items, self.config, 32, folder, before, [claim.option])

    def undoing(self) -> list[str]:
        """The #undef and #define lines of the header that the patch shows, in order."""
        kept = [i for i in self.shown if i.kind in ("undef", "macro") and i.completeness == "complete"]
        return [text for item in kept for text in lined(guarded(item))] + ['#line 1 "headers.c"']

    def finish(self) -> Check:
        """The verdict."""
        check = claim_check(self.claim)
        if not self.headers:
            return self.untouched(check)
        compiled = self.headers.finish()
        check = replace(check, file=self.claim.header, line=self.line(), judged=compiled.items + 1)
        if compiled.unavailable:
            return replace(check, reason=f"not compiled for 32 bit: {compiled.unavailable}")
        if self.claim.option in compiled.defined:
            return self.not_undone(check, compiled)
        if compiled.said:
            first = compiled.said[0]
            check = replace(
                check, verdict="fail", failed=len(compiled.said), file=first.file, line=first.line
            )
            return replace(check, detail=f"for 32 bit: {spelled(first)}")
        if compiled.lacking:
            return replace(check, reason=f"for 32 bit: {spelled(compiled.lacking[0])}")
        return replace(check, verdict="pass")

    def not_undone(self, check: Check, compiled: Compiled) -> Check:
        """Of an option that is still defined after what is shown of the header."""
        claim = self.claim
        if not self.is_new():
            return replace(check, reason=f"of {claim.header}, only a part is shown: more may be undone there")
        said = [f"{claim.option} is still defined after it", *map(spelled, compiled.said[:1])]
        return replace(check, verdict="fail", failed=1, detail="; ".join(said))

    def untouched(self, check: Check) -> Check:
        """Of a header that the patch does not change: it cannot undo an option that was not there."""
        claim = self.claim
        own = next((o for o in options(self.items) if f"CONFIG_{o.name}" == claim.option), None)
        if not own or not self.is_new():
            return replace(check, reason=f"the patch shows nothing of {claim.header}")
        check = replace(check, verdict="fail", judged=1, failed=1, file=own.file, line=own.line)
        return replace(check, detail=f"the patch adds {claim.option} and changes nothing in {claim.header}")

    def is_new(self) -> bool:
        """Whether the patch's Kconfig adds the option, so that its base cannot have undone it."""
        return any(o.added for o in options(self.items) if f"CONFIG_{o.name}" == self.claim.option)

    def line(self) -> int:
        """The header's line that undoes the option, else the first one added, else the last that undoes."""
        undone = [i for i in self.shown if i.kind == "undef"]
        own = [i.line for i in undone if i.name == self.claim.option]
        added = [ln.number for i in self.shown for ln in i.lines if ln.origin == "added"]
        return [*own, *added, *(i.line for i in reversed(undone)), self.shown[0].line][0]
