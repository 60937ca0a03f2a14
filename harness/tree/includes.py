# SPDX-License-Identifier: GPL-2.0-only
"""The headers that files of a tree include, in whatever configuration, read before a compiler reads any."""

from __future__ import annotations

import bisect
import itertools
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.errors import HarnessError
from harness.tree.files import MOST_NAME, Roots, is_inside
from kernel_snippets.tree import AROUND, FIRST, INCLUDES

MAX_FILES = 5000
ORDINARY = re.compile(r"[\w./+,@~-]*", re.ASCII)
SPLICE = re.compile(rb"\\[ \t\f\v\r]*\n")
RAW = rb'(?<![A-Za-z0-9_])(?:u8|[uUL])?R"'
# Strings as the compiler reads them: one that is not closed ends with its line.
PIECE = re.compile(RAW + rb"""|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|/\*(?:.*?\*/|.*)|//[^\n]*""", re.S)
DIRECTIVE = re.compile(rb"^[ \t\f\v]*(?:\#|%:|\?\?=)[ \t\f\v]*(\w+)([^\n]*)", re.M)
OPERAND = re.compile(rb'[ \t\f\v]*(?:"([^"\n]*)"|<([^>\n]*)>)')
# Other ways to have a compiler look for a file: the kernel's headers know none of them.
OTHERS = (b"include_next", b"import", b"embed")
DEPENDS = re.compile(rb"[ \t\f\v]*GCC[ \t\f\v]+dependency\b")
WORD = re.compile(rb"[A-Za-z_]\w*")
PASTING = re.compile(rb"^[ \t]*#[ \t]*define[ \t]+\w+\(([^)\n]*)\)([^\n]*##[^\n]*)", re.M)
PASTED = re.compile(rb"\b\w+(?:[ \t]*##[ \t]*\w+)+")


@dataclass(frozen=True)
class Code:
    """A file's text without comments, its continued lines joined, and where they were."""

    text: bytes
    joined: Sequence[int]  # offsets in what was joined, before comments became blanks of the same length

    def line(self, at: int) -> int:
        """The number of the line that an offset is in."""
        return 1 + self.text.count(b"\n", 0, at) + bisect.bisect_right(self.joined, at)


def code_of(data: bytes, file: str) -> Code:
    """The code of a file; HarnessError for a raw string, by which text can seem a comment and be none."""
    parts = SPLICE.split(data)
    joined = list(itertools.accumulate(map(len, parts[:-1])))
    text = b"".join(parts)

    def plain(match: re.Match[bytes]) -> bytes:
        said = match[0]
        if said.startswith(b"/"):
            return re.sub(rb"[^\n]", b" ", said)
        if said[:1] not in (b'"', b"'"):
            where = Code(text, joined).line(match.start())
            raise HarnessError(f"{file}:{where}: error: a raw string, which no kernel has; leave it out")
        return said

    return Code(PIECE.sub(plain, text), joined)


@dataclass(frozen=True)
class Include:
    """An #include: what it names, in quotes or not, and where it stands."""

    name: str
    quoted: bool
    file: str
    line: int

    @property
    def where(self) -> str:
        """File and line, as messages have them."""
        return f"{self.file}:{self.line}"


def includes_of(code: Code, file: str) -> Iterator[Include]:
    """The #includes of a file; HarnessError for one that no kernel's header has."""
    for match in DIRECTIVE.finditer(code.text):
        name, rest = match[1], match[2]
        if name in OTHERS or (name == b"pragma" and DEPENDS.match(rest)):
            where = f"{file}:{code.line(match.start())}"
            raise HarnessError(f"{where}: error: {name.decode()} of a file, which is not read; use #include")
        operand = OPERAND.match(rest) if name == b"include" else None
        if operand:  # what a macro stands for is looked at when the compiler has said it
            said = operand[2] if operand[1] is None else operand[1]
            text = said.decode("utf-8", "replace")
            yield Include(text, operand[1] is not None, file, code.line(match.start(1)))


@dataclass
class Includes:
    """The headers that some headers include, whatever the configuration, and those that are missing.

    Nothing is read that is not inside of the tree, nor taken for missing: that is an error.
    """

    roots: Roots
    headers: Sequence[str]
    found: dict[str, Code] = field(default_factory=dict)  # by path in the tree
    missing: dict[str, Include | None] = field(default_factory=dict)  # None: on the command line

    def __post_init__(self) -> None:
        around = [name for name in AROUND if self.roots.find(f"include/{name}")]
        self.headers = [*around, *(name for name in self.headers if name not in around)]
        for name in self.headers:
            if self.path(name, None) is None:
                raise HarnessError(f"the tree has no {name}; is it a kernel's, and new enough?")
        self.follow()

    def path(self, name: str, beside: str | None) -> str | None:
        """The path in the tree that an #include means; `beside` is the folder of what says it in quotes."""
        for folder in (*([] if beside is None else [beside]), *INCLUDES, ""):
            path = posixpath.normpath(posixpath.join(folder, name))
            if self.roots.find(path):
                return path
        return None

    def follow(self) -> None:
        """Reads the headers and what they include."""
        seen: set[tuple[str, str | None]] = set()
        todo: list[tuple[str, Include | None]] = [(name, None) for name in (*FIRST, *self.headers)]
        while todo:
            name, include = todo.pop()
            beside = posixpath.dirname(include.file) if include and include.quoted else None
            if (name, beside) in seen:
                continue
            seen.add((name, beside))
            if include:
                self.refuse_strange(include, beside)
            path = self.path(name, beside)
            if path is None:
                self.missing.setdefault(name, include)
            elif path not in self.found:
                data = self.roots.read(path)
                self.found[path] = code = code_of(data or b"", path)
                if len(self.found) > MAX_FILES:
                    raise HarnessError(f"{self.headers[0]} includes more than {MAX_FILES} files; "
                                       "is this a kernel?")  # fmt: skip
                todo += [(each.name, each) for each in includes_of(code, path)]

    def refuse_strange(self, include: Include, beside: str | None) -> None:
        """HarnessError for a name that leads out of the tree, or that no header has."""
        name = include.name
        parts = name.split("/")
        if not name or not ORDINARY.fullmatch(name) or max(map(len, parts)) > MOST_NAME:
            raise HarnessError(f"{include.where}: error: the tree includes {name[:80]!r}, which is no name "
                               "of a kernel's file; correct it")  # fmt: skip
        path = posixpath.normpath(posixpath.join("include" if beside is None else beside, name))
        leads_up = path.split("/")[0] == ".." and self.path(name, beside) is None
        if name.startswith("/") or leads_up or self.outside(name, beside):
            raise HarnessError(f"{include.where}: error: the tree includes {name}, which is outside of it; "
                               "leave it out")  # fmt: skip

    def outside(self, name: str, beside: str | None) -> bool:
        """Whether the first file that there is of a name is reached by a link out of the tree."""
        for folder in (*([] if beside is None else [beside]), *INCLUDES, ""):
            path = posixpath.normpath(posixpath.join(folder, name))
            if self.roots.find(path):
                return False
            if is_inside(path) and self.roots.leads_out(path):
                return True
        return False

    def asks(self, file: str, line: int) -> bool:
        """Whether a line of a file asks which files there are."""
        code = self.found.get(file)
        words = (match for match in re.finditer(rb"\b__has_include", code.text)) if code else ()
        return any(code is not None and code.line(match.start()) == line for match in words)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word of the code of these files, in whatever configuration."""
        return frozenset(
            word.decode("ascii") for code in self.found.values() for word in WORD.findall(code.text)
        )

    @cached_property
    def pasted(self) -> frozenset[tuple[str, str]]:
        """What stands before and behind the arguments that macros paste into names."""
        found = set()
        for code in self.found.values():
            for macro in PASTING.finditer(code.text):
                arguments = set(WORD.findall(macro[1]))
                for chain in PASTED.findall(macro[2]):
                    parts = [part.strip(b" \t") for part in chain.split(b"##")]
                    given = [at for at, part in enumerate(parts) if part in arguments]
                    if given and len(given) < len(parts):
                        ends = parts[: given[0]], parts[given[-1] + 1 :]
                        found.add(tuple(b"".join(end).decode("ascii", "replace") for end in ends))
        return frozenset((before, behind) for before, behind in found)

    def has_word(self, name: str) -> bool:
        """Whether these files say a name, or macros of theirs may paste it together of a word."""
        if name in self.words:
            return True
        return any(name.startswith(before) and name.endswith(behind)
                   and name[len(before) : len(name) - len(behind)] in self.words
                   for before, behind in self.pasted)  # fmt: skip
