# SPDX-License-Identifier: GPL-2.0-only
"""Line and branch coverage of the patch's own lines, by gcc's counters and gcov.

The counters are in the subject's memory. `Counters` reads them in the worker, which can open no
file; `read_coverage` has gcov read them, outside. A count is of whole lines; where a call ended in
a signal, the counts of its function can be off by that one call.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from cffi import FFI

from extractor.items import Item, SourceLine
from harness.branches import Condition, conditions
from harness.build import COMPILER_SECONDS, Flavour, compiler, limits, run_compiler
from harness.errors import HarnessError

# Unoptimised, so that the branches are the source's, and also what nobody calls is there to be
# named. The section stands in for a constructor: no libgcov code runs before the first call.
COMPILE_FLAGS = (
    "-O0",
    "-fPIC",
    "-fvisibility=hidden",
    "-pipe",
    "-fprofile-arcs",
    "-ftest-coverage",
    "-fprofile-info-section=kc_gcov_info",
    "-fkeep-inline-functions",
    "-fkeep-static-functions",
    "-DKC_COVERAGE=1",
    "-DKC_UNOPTIMISED=1",
)
LINK_FLAGS = ("-lgcov",)
SOURCES = ("coverage.c",)
COVERAGE = Flavour("coverage", COMPILE_FLAGS, LINK_FLAGS, SOURCES)
OLDEST = 12
FIRST_ROOM, MOST_ROOM = 1 << 20, 1 << 26


@dataclass(frozen=True)
class Branch:
    """One way out of a condition; `condition` is its text where that is sure, `outcome` its value then."""

    count: int
    fallthrough: bool
    condition: str = ""
    outcome: bool = False


@dataclass(frozen=True)
class LineCoverage:
    """How often a line ran that has code, and its branches in the order of the source."""

    file: str
    line: int
    count: int
    branches: tuple[Branch, ...] = ()


@dataclass(frozen=True)
class Coverage:
    """The lines that have code, each once, by file and number."""

    lines: tuple[LineCoverage, ...]


@dataclass(frozen=True)
class Missed:
    """A line that never ran, or what of a line's branches was never taken, in words."""

    file: str
    line: int
    text: str
    words: str


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    done: int
    total: int

    def __add__(self, other: Share) -> Share:
        return Share(self.done + other.done, self.total + other.total)

    def __str__(self) -> str:
        return f"{self.done} of {self.total}"


@dataclass(frozen=True)
class FunctionCoverage:
    """One function of the patch: its text, what ran of it by line number, the lines that count."""

    name: str
    file: str
    source: tuple[SourceLine, ...]
    ran: Mapping[int, LineCoverage]
    own: frozenset[int]

    @property
    def counted(self) -> tuple[LineCoverage, ...]:
        """The lines with code that are the patch's own."""
        return tuple(said for number, said in sorted(self.ran.items()) if number in self.own)

    @property
    def called(self) -> bool:
        """Whether any of it ran."""
        return any(said.count for said in self.ran.values())

    @property
    def lines(self) -> Share:
        """Own lines that ran."""
        return Share(sum(said.count > 0 for said in self.counted), len(self.counted))

    @property
    def branches(self) -> Share:
        """Branches of own lines that were taken."""
        every = [branch for said in self.counted for branch in said.branches]
        return Share(sum(branch.count > 0 for branch in every), len(every))

    @property
    def missed(self) -> tuple[Missed, ...]:
        """What of the own lines was not covered."""
        text = {line.number: line.text.strip() for line in self.source}
        return tuple(
            Missed(self.file, said.line, text.get(said.line, ""), words)
            for said in self.counted
            for words in not_covered(said)
        )


@dataclass(frozen=True)
class PatchCoverage:
    """The coverage of the functions of a slice."""

    functions: tuple[FunctionCoverage, ...]

    @property
    def lines(self) -> Share:
        """Own lines that ran."""
        return sum((f.lines for f in self.functions), Share(0, 0))

    @property
    def branches(self) -> Share:
        """Branches of own lines that were taken."""
        return sum((f.branches for f in self.functions), Share(0, 0))

    @property
    def called(self) -> Share:
        """Functions of which anything ran."""
        return Share(sum(f.called for f in self.functions), len(self.functions))

    @property
    def missed(self) -> tuple[Missed, ...]:
        """What was not covered, in the functions' order."""
        return tuple(missed for f in self.functions for missed in f.missed)


# Before a run.


def coverage_flavour() -> Flavour:
    """COVERAGE; HarnessError where compiler or gcov cannot do it."""
    gcov()
    return COVERAGE


@cache
def gcov() -> str:
    """The path of the gcov that belongs to the compiler."""
    here = Path(compiler()).parent
    said = run_compiler(["-dumpfullversion", "-dumpversion"], here)
    version = re.match(r"(\d+)[.\d]*$", said[1].strip())
    _, library = run_compiler(["-print-file-name=libgcov.a"], here)
    if said[0] or not version or int(version[1]) < OLDEST or not os.path.isabs(library.strip()):
        raise HarnessError(f"coverage needs gcc {OLDEST} or newer with its libgcov; {compiler()} is not that")
    name = re.sub(r"(?:gcc|cc)(?=[-.\d]*$)", "gcov", Path(compiler()).name)
    found = next(filter(None, map(shutil.which, (str(here / name), f"gcov-{version[1]}", "gcov"))), None)
    if not found:
        raise HarnessError(f"coverage needs gcov, which is not installed; install gcov {version[1]}")
    return found


# In the worker.


class Counters:
    """The counters of a subject of the coverage flavour; to be made before the cage is closed."""

    def __init__(self, library: Path) -> None:
        self.ffi = FFI()
        self.ffi.cdef("long kc_coverage(void *out, unsigned long room);")
        self.subject: Any = self.ffi.dlopen(str(library))

    def read(self) -> str:
        """What was counted since the subject was loaded: a .gcda file, as base64."""
        room = FIRST_ROOM
        while room <= MOST_ROOM:
            out = self.ffi.new("char[]", room)
            size = self.subject.kc_coverage(out, room)
            if size >= 0:
                return base64.b64encode(bytes(self.ffi.buffer(out, size))).decode()
            room *= 4
        raise HarnessError("the coverage counters do not fit into memory")


# After it.


def decode_counters(text: str) -> bytes:
    """The bytes of what `Counters.read` gave."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as err:
        raise HarnessError(f"the worker's coverage counters are damaged: {err}") from err


def read_coverage(folder: Path, gcda: bytes, files: Iterable[str]) -> Coverage:
    """The coverage of `files` (as #line names them) in the subject that was built in `folder`."""
    notes = next(folder.glob("*.gcno"), None)
    if not notes:
        raise HarnessError(f"{folder} holds no subject of the coverage flavour")
    notes.with_suffix(".gcda").write_bytes(gcda)
    wanted = set(files)
    return merge(
        (str(line.get("function_name", "")), parsed(entry["file"], line))
        for entry in run_gcov(notes)["files"]
        if entry["file"] in wanted
        for line in entry["lines"]
    )


def run_gcov(notes: Path) -> dict[str, Any]:
    """gcov's JSON; it reads what a stranger's code has counted, so it runs under limits too."""
    command = [gcov(), "--json-format", "--stdout", "--branch-probabilities", notes.stem + ".gcda"]
    try:
        done = subprocess.run(
            command,
            cwd=notes.parent,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            preexec_fn=limits,
            timeout=COMPILER_SECONDS * 2,
            check=False,
        )
        said = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as err:
        raise HarnessError(f"gcov gave no result: {err}") from err
    complaint = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode or "mismatch" in complaint or not isinstance(said, dict):
        raise HarnessError(f"gcov gave no result: {complaint[:200]}")
    return said


def parsed(file: str, line: Mapping[str, Any]) -> LineCoverage:
    """One line of gcov's JSON, without the branches that no source has (`throw`)."""
    branches = tuple(
        Branch(max(int(b["count"]), 0), bool(b["fallthrough"])) for b in line["branches"] if not b["throw"]
    )
    return LineCoverage(file, int(line["line_number"]), max(int(line["count"]), 0), branches)


def merge(lines: Iterable[tuple[str, LineCoverage]]) -> Coverage:
    """Each line once, given with the function that it was compiled in.

    The counts of copies of one function are added up, branch by branch; several functions on one line
    (a macro that makes them) have their branches one after the other.
    """
    by_function: dict[tuple[str, int, str], LineCoverage] = {}
    for function, line in lines:
        key = line.file, line.line, function
        by_function[key] = added(by_function[key], line) if key in by_function else line
    by_line: dict[tuple[str, int], LineCoverage] = {}
    for (file, number, _), line in by_function.items():
        old = by_line.get((file, number), LineCoverage(file, number, 0))
        by_line[file, number] = replace(
            old, count=old.count + line.count, branches=old.branches + line.branches
        )
    return Coverage(tuple(by_line[key] for key in sorted(by_line)))


def added(one: LineCoverage, other: LineCoverage) -> LineCoverage:
    """Two copies of one line; where a copy lost a branch to the compiler, the branches stand side by side."""
    branches = one.branches + other.branches
    if len(one.branches) == len(other.branches):  # in the order of the source, in both
        pairs = zip(one.branches, other.branches, strict=True)
        branches = tuple(replace(a, count=a.count + b.count) for a, b in pairs)
    return replace(one, count=one.count + other.count, branches=branches)


def measure(coverage: Coverage, items: Sequence[Item]) -> PatchCoverage:
    """`coverage` of the functions among `items`; of them, the lines that the patch (or a tree) wrote."""
    return PatchCoverage(tuple(of_function(coverage, i) for i in items if i.kind == "function"))


def together(covered: Sequence[PatchCoverage]) -> PatchCoverage:
    """The coverage of several runs: what ran in any of them; each function in the order of its first."""
    by_place: dict[tuple[str, int], FunctionCoverage] = {}
    for function in (function for said in covered for function in said.functions):
        place = function.file, function.source[0].number
        if place in by_place:
            before = by_place[place]
            both = before.ran.keys() & function.ran.keys()
            ran = {**before.ran, **function.ran} | {n: added(before.ran[n], function.ran[n]) for n in both}
            by_place[place] = replace(before, ran=ran)
        else:
            by_place[place] = function
    return PatchCoverage(tuple(by_place.values()))


def of_function(coverage: Coverage, item: Item) -> FunctionCoverage:
    """The coverage of one function, its branches named."""
    first, last = item.lines[0].number, item.lines[-1].number
    tested = conditions(item.text, first)
    ran = {
        said.line: named(said, tested.get(said.line, []))
        for said in coverage.lines
        if said.file == item.file and first <= said.line <= last
    }
    own = frozenset(line.number for line in item.lines if line.origin != "context")
    return FunctionCoverage(item.name, item.file, item.lines, ran, own)


def named(line: LineCoverage, tested: Sequence[Condition]) -> LineCoverage:
    """`line` with its conditions' text, where the text has as many as gcov; none counts twice then."""
    pairs = list(zip(line.branches[::2], line.branches[1::2], strict=False))
    sure = len(line.branches) == 2 * len(tested) and all(a.fallthrough != b.fallthrough for a, b in pairs)
    if not sure:
        return line
    branches = tuple(
        replace(branch, condition=said.text, outcome=branch.fallthrough == said.goes_on)
        for pair, said in zip(pairs, tested, strict=True)
        if not said.repeats
        for branch in pair
    )
    return replace(line, branches=branches)


def not_covered(line: LineCoverage) -> Iterator[str]:
    """What of `line` was never run or taken."""
    if not line.count:
        yield "never run"
        return
    total, at = len(line.branches), 0
    while at < total:
        branch = line.branches[at]
        pair = line.branches[at : at + 2]
        if branch.condition and not any(b.count for b in pair):
            yield f"never evaluated: {branch.condition}"
        elif branch.condition:
            for other in pair:
                if not other.count:
                    yield f"never {str(other.outcome).lower()}: {other.condition}"
        elif not branch.count:
            note = " (fallthrough)" if branch.fallthrough else ""
            yield f"branch {at + 1} of {total} never taken{note}"
        at += 2 if branch.condition else 1
