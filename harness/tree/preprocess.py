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

from extractor.cast import strip_comments
from harness.build import run_compiler
from harness.errors import HarnessError

INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
MARKER = re.compile(r'# (\d+) "((?:[^"\\]|\\.)*)"')
ENTRY = re.compile(r"\s*[A-Za-z_]\w*\([^()]*\)\s*")
ERROR = re.compile(r"^(?P<file>[^:\n]+):(?P<line>\d+):\d+: (?:fatal )?error: (?P<text>.*)$", re.M)
# As the kernel's Makefile has them on every command line.
FIRST = ("linux/compiler-version.h", "linux/kconfig.h", "linux/compiler_types.h")
ARCH = "arch/x86"
MAX_FILES = 5000
ORDINARY = re.compile(r"[\w./+,@~-]*")
# The kernel writes the native operations over the calls of these where it boots on no hypervisor: without
# them its headers have those in C.
GUEST = frozenset(["CONFIG_PARAVIRT", "CONFIG_PARAVIRT_XXL", "CONFIG_PARAVIRT_SPINLOCKS"])
OPTIONS = "include/generated/autoconf.h"
# kernel/bounds.c of Linux 6.12: constants that headers test in #if, and whose enums other headers declare.
COUNTED = {"NR_PAGEFLAGS": "__NR_PAGEFLAGS", "MAX_NR_ZONES": "__MAX_NR_ZONES"}
COUNTED_IN = ("linux/page-flags.h", "linux/mmzone.h")


@dataclass(frozen=True)
class Live:
    """What the preprocessor left: of each file of the tree its lines, by number, with their order.

    `order` counts the lines of the whole translation unit, so that items of different files can be put
    where the compiler would meet them. `notes` are its complaints, such as an #error. `inside` has what
    an #include stands for, by file and line, where a list of macro calls is included several times, each
    time with other macros: as linux/cgroup_subsys.h is.
    """

    lines: Mapping[str, Mapping[int, int]]
    notes: tuple[str, ...]
    inside: Mapping[str, Mapping[int, Sequence[str]]] = field(default_factory=dict)


def include_folders(roots: Sequence[Path]) -> list[Path]:
    """Where the kernel's headers are, in the order of its Makefile; each root before the next."""
    below = (f"{ARCH}/include", "include", f"{ARCH}/include/uapi", "include/uapi")
    return [root / name for name in below for root in roots if (root / name).is_dir()]


@dataclass
class Includes:
    """The headers that some files include, whatever the configuration, and those that are missing."""

    roots: Sequence[Path]

    def __post_init__(self) -> None:
        self.folders = include_folders(self.roots)
        self.found: dict[Path, bytes] = {}
        self.missing: set[str] = set()

    def path(self, name: str, beside: Path | None) -> Path | None:
        """The file that an #include means; `beside` is the folder of the one that says it in quotes."""
        if (".." in name.split("/") and beside is None) or name.startswith("/"):
            return None
        for folder in [*([beside] if beside else []), *self.folders, *self.roots]:
            path = folder / name
            if path.is_file():
                return path
        return None

    def follow(self, names: Sequence[str]) -> None:
        """Reads the headers that `names` include, and what those include."""
        seen: set[tuple[str, Path | None]] = set()
        todo: list[tuple[str, Path | None]] = [(name, None) for name in names]
        while todo:
            name, beside = todo.pop()
            if (name, beside) in seen:
                continue
            seen.add((name, beside))
            path = self.path(name, beside)
            if path is None:
                self.missing.add(name)
            elif path not in self.found:
                self.found[path] = data = path.read_bytes()
                if len(self.found) > MAX_FILES:
                    raise HarnessError(f"{names[0]} includes more than {MAX_FILES} files; is this a kernel?")
                for match in INCLUDE.finditer(data):
                    quoted = match[1] == b'"'
                    todo.append((match[2].decode("utf-8", "replace"), path.parent if quoted else None))


def make_missing(includes: Includes, folder: Path, config: Mapping[str, str]) -> None:
    """Writes what a kernel build would generate to `folder`/include."""
    generated = folder / "include"
    for name in sorted(includes.missing):
        if ".." in name.split("/") or name.startswith("/"):
            continue
        generic = f"asm-generic/{name.removeprefix('asm/')}" if name.startswith("asm/") else ""
        text = f"#include <{generic}>\n" if generic and includes.path(generic, None) else ""
        write(generated / name, text)
    options = "".join(f"#define {name} {value}\n" for name, value in sorted(config.items()))
    write(folder / OPTIONS, options)


def write(path: Path, text: str) -> None:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def bare_metal(config: Mapping[str, str]) -> dict[str, str]:
    """`config` for a machine that is nobody's guest."""
    return {name: value for name, value in config.items() if name not in GUEST}


class Preprocessor:
    """The view of a tree's files for one configuration; `folder` is for what has to be made.

    `roots` are searched in order: patched files before the tree's own.
    """

    def __init__(self, roots: Sequence[Path], config: Mapping[str, str], folder: Path) -> None:
        self.roots = [*roots]
        self.real = [root.resolve() for root in roots]
        self.config = dict(config)
        self.folder = folder
        (folder / "include/generated").mkdir(parents=True, exist_ok=True)

    def live(self, headers: Sequence[str]) -> Live:
        """The lines that a file would have which includes `headers`; HarnessError for one that is missing."""
        includes = Includes(self.roots)
        for name in headers:
            if includes.path(name, None) is None:
                raise HarnessError(f"the tree has no {name}; is it a kernel's, and new enough?")
        includes.follow([*FIRST, *headers])
        make_missing(includes, self.folder, self.config)
        bounds = self.folder / "include/generated/bounds.h"
        nothing = "".join(f"#define {name} 0\n" for name in COUNTED)
        write(bounds, nothing + self.widths())
        counted = [name for name in COUNTED_IN if includes.path(name, None)]
        counts = self.counts(self.run(counted, ["-D__GENERATING_BOUNDS_H"])) if counted else {}
        write(bounds, "".join(f"#define {k} {counts.get(k, 0)}\n" for k in COUNTED) + self.widths())
        return self.parsed(self.run(headers))

    def widths(self) -> str:
        """The other constants of kernel/bounds.c, which follow from options (its text in Linux 6.12)."""
        cpus = int(self.config.get("CONFIG_NR_CPUS", "1"), 0)
        wide = "CONFIG_LRU_GEN" in self.config
        values = {
            "NR_CPUS_BITS": max(cpus - 1, 0).bit_length(),
            "SPINLOCK_SIZE": 4,
            "LRU_GEN_WIDTH": 3 if wide else 0,
            "__LRU_REFS_WIDTH": 2 if wide else 0,
        }
        return "".join(f"#define {name} {value}\n" for name, value in values.items())

    def counts(self, text: str) -> dict[str, int]:
        """How many constants stand before each end of an enum that is counted."""
        found: dict[str, int] = {}
        plain = re.sub(r"/\*.*?\*/|//[^\n]*|^#[^\n]*", "", text, flags=re.S | re.M)
        for body in re.findall(r"\benum\s+\w*\s*\{([^{}]*)\}", plain):
            for name, end in COUNTED.items():
                value = -1
                for constant in body.split(",") if end in body else ():
                    word, _, given = (part.strip() for part in constant.partition("="))
                    value = int(given, 0) if re.fullmatch(r"\d+|0x[\da-fA-F]+", given) else value + 1
                    if word == end:
                        found[name] = value
                        break
        return found

    def run(self, headers: Sequence[str], more: Sequence[str] = ()) -> str:
        """What gcc leaves of a file that includes `headers`."""
        unit, out = self.folder / "unit.c", self.folder / "unit.i"
        unit.write_text("".join(f"#include <{name}>\n" for name in headers))
        out.unlink(missing_ok=True)
        folders = include_folders(self.roots)
        # What the tree generates is found after the architecture's own.
        folders.insert(1 if folders and ARCH in str(folders[0]) else 0, self.folder / "include")
        arguments: list[str | Path] = [
            "-E", "-fdirectives-only", "-nostdinc", "-std=gnu11", "-D__KERNEL__", "-w", *more,
        ]  # fmt: skip
        for folder in [*folders, *self.roots]:
            arguments += ["-I", folder]
        for name in FIRST:
            path = Includes(self.roots).path(name, None)
            arguments += ["-include", path] if path else []
        # To standard output: gcc removes a file that it was told to write after an #error.
        status, said = run_compiler([*arguments, unit, "-o", "-"], self.folder, out)
        text = out.read_text(errors="replace") if out.exists() else ""
        self.notes = tuple(f"{m['file']}:{m['line']}: {m['text']}" for m in ERROR.finditer(said))
        fatal = re.search(r"fatal error: (.*)", said)
        if fatal or (status and not self.notes):
            first = ERROR.search(said)
            where = (
                f"{first['file']}:{first['line']}: error: {first['text']}" if first else said.strip()[:300]
            )
            raise HarnessError(f"{where or 'the preprocessor failed without a word'}; is the tree whole?")
        return text

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
            {name: lines[file] for file, name in names.items()}, self.notes,
            {name: inside[file] for file, name in names.items() if file in inside},
        )  # fmt: skip

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
        home = next((real for real in self.real if inside.is_relative_to(real)), None)
        for root in self.roots:
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
