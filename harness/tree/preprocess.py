# SPDX-License-Identifier: GPL-2.0-only
"""The lines of a tree that exist for one configuration: conditionals resolved by gcc itself.

gcc -E -fdirectives-only expands no macro, so the lines that it leaves are the tree's own. Headers that a
kernel build would generate are made here: autoconf.h from the configuration, asm/ wrappers as Kbuild does,
bounds.h in a second run from the enums that it counts (kernel/bounds.c); the others are empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from extractor.cast import strip_comments, tokens
from harness.build import run_compiler
from harness.errors import HarnessError
from harness.tree.configuration import NUMBER, number_of
from harness.tree.includes import ORDINARY, Include, Includes
from kernel_snippets.tree import ARCH, BITS, COUNTED, COUNTED_IN, FIRST, GENERATED, INCLUDES, WIDTHS

MARKER = re.compile(r'# (\d+) "((?:[^"\\]|\\.)*)"')
ENTRY = re.compile(r"\s*[A-Za-z_]\w*\([^()]*\)\s*")
ERROR = re.compile(r"^(?P<file>[^:\n]+):(?P<line>\d+):\d+: (?:fatal )?error: (?P<text>.*)$", re.M)
OPTIONS = "include/generated/autoconf.h"


@dataclass(frozen=True)
class Live:
    """What the preprocessor left: of each file of the tree its lines, by number, with their order.

    `order` counts the lines of the whole translation unit, so that items of different files can be put
    where the compiler would meet them. `inside` has what
    an #include stands for, by file and line, where a list of macro calls is included several times, each
    time with other macros: as linux/cgroup_subsys.h is. `unfound` are #includes of what is not there.
    """

    lines: Mapping[str, Mapping[int, int]]
    inside: Mapping[str, Mapping[int, Sequence[str]]] = field(default_factory=dict)
    unfound: tuple[Include, ...] = ()


def make_missing(includes: Includes, folder: Path, config: Mapping[str, str]) -> None:
    """Writes what a kernel build would generate to `folder`/include, and empty files for what is missing.

    A compiler that is given nothing in its place would end there: which of these it reads is seen after.
    """
    generated = folder / "include"
    for name in sorted(includes.missing):
        if ".." in name.split("/") or name.startswith("/"):
            continue
        generic = f"asm-generic/{name.removeprefix('asm/')}" if name.startswith("asm/") else ""
        text = f"#include <{generic}>\n" if generic and includes.path(generic, None) else ""
        try:
            write(generated / name, text)
        except OSError:
            include = includes.missing[name]
            where = f"{include.where}: error: " if include else ""
            raise HarnessError(f"{where}{name} cannot be made: it has no file's name, or is a folder; "
                               "correct it") from None  # fmt: skip
    options = "".join(f"#define {name} {value}\n" for name, value in sorted(config.items()))
    write(folder / OPTIONS, options)


def write(path: Path, text: str) -> None:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class Preprocessor:
    """The view of a tree's files for one configuration; `folder` is for what has to be made."""

    def __init__(self, includes: Includes, config: Mapping[str, str], folder: Path) -> None:
        self.includes = includes
        self.roots = includes.roots
        self.config = dict(config)
        self.folder = folder
        (folder / "include/generated").mkdir(parents=True, exist_ok=True)

    def live(self) -> Live:
        """The lines that a file would have which includes the headers."""
        make_missing(self.includes, self.folder, self.config)
        bounds = self.folder / "include/generated/bounds.h"
        nothing = "".join(f"#define {name} 0\n" for name in COUNTED)
        write(bounds, nothing + self.widths())
        counted = [name for name in COUNTED_IN if self.includes.path(name, None)]
        counts = self.counts(self.run(counted, ["-D__GENERATING_BOUNDS_H"])) if counted else {}
        write(bounds, "".join(f"#define {k} {counts.get(k, 0)}\n" for k in COUNTED) + self.widths())
        return self.parsed(self.run(self.includes.headers))

    def widths(self) -> str:
        """The other constants of kernel/bounds.c, which follow from options (its text in Linux 6.12)."""
        values = {name: yes if option in self.config else no for name, (option, yes, no) in WIDTHS.items()}
        for name, option in BITS.items():
            values[name] = max(number_of(self.config, option, 1) - 1, 0).bit_length()
        return "".join(f"#define {name} {value}\n" for name, value in values.items())

    def counts(self, text: str) -> dict[str, int]:
        """How many constants stand before each end of an enum that is counted."""
        found: dict[str, int] = {}
        for body in enum_bodies(text):
            for name, end in COUNTED.items():
                value = -1
                for constant in body.split(",") if end in body else ():
                    word, _, given = (part.strip() for part in constant.partition("="))
                    value = (
                        int(given, 0 if given[:2] in ("0x", "0X") else 10)
                        if NUMBER.fullmatch(given)
                        else value + 1
                    )
                    if word == end:
                        found[name] = value
                        break
        return found

    def run(self, headers: Sequence[str], more: Sequence[str] = ()) -> str:
        """What gcc leaves of a file that includes `headers`."""
        unit, out = self.folder / "unit.c", self.folder / "unit.i"
        unit.write_text("".join(f"#include <{name}>\n" for name in headers))
        out.unlink(missing_ok=True)
        folders = self.roots.folders_of(INCLUDES)
        # What the tree generates is found after the architecture's own.
        folders.insert(1 if folders and ARCH in str(folders[0]) else 0, self.folder / "include")
        arguments: list[str | Path] = [
            "-E", "-fdirectives-only", "-nostdinc", "-std=gnu11", "-D__KERNEL__", "-w", *more,
            "-U__has_include", "-U__has_include_next",  # which would say what files this machine has
        ]  # fmt: skip
        for folder in [*folders, *self.roots.folders]:
            arguments += ["-I", folder]
        for name in FIRST:
            path = self.includes.path(name, None)
            arguments += ["-include", self.roots.find(path) or ""] if path else []
        # To standard output: gcc removes a file that it was told to write after an #error.
        status, said = run_compiler([*arguments, unit, "-o", "-"], self.folder, out)
        text = out.read_text(errors="replace") if out.exists() else ""
        self.refuse_outside(text)
        errors = [(m, self.path_of(m["file"])) for m in ERROR.finditer(said)]
        for match, file in errors:
            if self.includes.asks(file, int(match["line"])):
                raise HarnessError(f"{file}:{match['line']}: error: __has_include asks what files there are, "
                                   "which is not told; leave it out")  # fmt: skip
        if "fatal error: " in said or (status and not errors):
            where = said.strip()[:300]
            if errors:
                match, file = errors[-1]
                where = f"{file or 'the unit'}:{match['line']}: error: {match['text']}"
            raise HarnessError(f"{where or 'the preprocessor failed without a word'}; is the tree whole?")
        return text

    def refuse_outside(self, text: str) -> None:
        """HarnessError for a file outside of the tree, which macros may make an #include of."""
        for file in dict.fromkeys(m[2] for line in text.split("\n") if (m := MARKER.match(line))):
            self.name(file)

    def parsed(self, text: str) -> Live:
        """Which lines of which files are there; HarnessError for a file that is outside of the tree."""
        lines: dict[str, dict[int, int]] = {}
        inside: dict[str, dict[int, list[str]]] = {}
        lists = repeated_lists(text)
        for order, ((file, number), said, includer) in enumerate(included_lines(text)):
            if file in lists:
                file, number = includer
                if ENTRY.fullmatch(said):
                    inside.setdefault(file, {}).setdefault(number, []).append(said)
            lines.setdefault(file, {}).setdefault(number, order)
        names = {file: name for file in lines if (name := self.name(file))}
        return Live(
            {name: lines[file] for file, name in names.items()},
            {name: inside[file] for file, name in names.items() if file in inside},
            tuple(self.unfound(text)),
        )  # fmt: skip

    def unfound(self, text: str) -> Iterator[Include]:
        """The #includes that took an empty file for one that a tree should have."""
        seen: set[str] = set()
        for file, (of, number) in entered(text):
            path = Path(file)
            if file in seen or not path.is_relative_to(self.folder / "include"):
                continue
            seen.add(file)
            name = str(path.relative_to(self.folder / "include"))
            if (
                name in self.includes.missing
                and not name.startswith(GENERATED)
                and (home := self.path_of(of))
            ):
                yield Include(name, False, home, number)

    def name(self, file: str) -> str:
        """As path_of(); HarnessError for a name that would mean something where it is quoted."""
        found = self.path_of(file)
        if not ORDINARY.fullmatch(found):
            raise HarnessError(f"the tree includes {found!r}, which is no name of a kernel's file")
        return found

    def path_of(self, file: str) -> str:
        """A file's path in the tree, or below what is made here; empty for what stands for a command line."""
        if file.startswith("<") or file == str(self.folder / "unit.c"):
            return ""
        path = Path(file)
        if path.is_relative_to(self.folder):
            made = str(path.relative_to(self.folder))
            return "" if made == OPTIONS else made
        inside = path.resolve()  # a link may lead anywhere
        home = next((real for real in self.roots.real if inside.is_relative_to(real)), None)
        for root in self.roots.folders:
            if home and path.is_relative_to(root) and inside.is_file() and ".." not in path.parts:
                return str(path.relative_to(root))
        if home:
            return str(inside.relative_to(home))
        raise HarnessError(f"the tree includes {file}, which is outside of it")


def placed_lines(text: str) -> Iterator[tuple[tuple[str, int], str]]:
    """Each line that is not empty, with the file and number that markers give it."""
    return ((place, line) for place, line, _ in included_lines(text))


def included_lines(text: str) -> Iterator[tuple[tuple[str, int], str, tuple[str, int]]]:
    """Each line that is not empty, with its file and number, and those of the #include of that file."""
    file, number = "", 0
    includers: list[tuple[str, int]] = [("", 0)]
    for line in text.split("\n"):
        if line.startswith("# ") and (marker := MARKER.match(line)):
            flags = line[marker.end() :].split()
            if "1" in flags:
                includers.append((file, number))
            elif "2" in flags and len(includers) > 1:
                includers.pop()
            number, file = int(marker[1]), marker[2]
        else:
            if line and file:
                yield (file, number), line, includers[-1]
            number += 1


def repeated_lists(text: str) -> frozenset[str]:
    """The files that are there several times and have nothing but macro calls, one a line."""
    seen: dict[str, dict[int, str]] = {}
    often: set[str] = set()
    for (file, number), line in placed_lines(text):
        lines = seen.setdefault(file, {})
        if number in lines:
            often.add(file)
        lines[number] = line
    return frozenset(file for file in often if only_calls("\n".join(seen[file].values())))


def only_calls(text: str) -> bool:
    """Whether there is nothing but macro calls."""
    lines = [line for line in strip_comments(text).split("\n") if line.strip()]
    return bool(lines) and all(map(ENTRY.fullmatch, lines))


def entered(text: str) -> Iterator[tuple[str, tuple[str, int]]]:
    """Each file that is included, and the file and line of its #include."""
    files: list[str] = []
    for line in text.split("\n"):
        if line.startswith("# ") and (marker := MARKER.match(line)):
            flags = line[marker.end() :].split()
            if "1" in flags:
                files.append(marker[2])
            elif "2" in flags and files:
                yield files.pop(), (marker[2], int(marker[1]) - 1)


def enum_bodies(text: str) -> Iterator[str]:
    """What stands between the braces of each enum."""
    before = ["", ""]
    body: list[str] | None = None
    for word, _ in tokens(strip_comments("\n".join(ln for ln in text.split("\n") if ln[:1] != "#"))):
        if body is not None and word == "}":
            yield " ".join(body)
            body = None
        elif word == "{":
            body = [] if "enum" in before else None
        elif body is not None:
            body.append(word)
        before = [before[1], word]
