# SPDX-License-Identifier: GPL-2.0-only
"""What of a tree's headers can be parsed, sliced, compiled and called in userspace."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from extractor.cast import facts
from extractor.closure import Closure, Shims
from extractor.items import Item
from extractor.scan import scan_file
from extractor.slice import Slice, Unresolved
from extractor.unit import Unit, names_of
from harness import worker
from harness.build import (
    PLAIN,
    Building,
    CompileError,
    Diagnostic,
    Flavour,
    RefusedError,
    build,
    engine_library,
)
from harness.census.objects import call_of
from harness.driver import WHY, enter, ffi, loaded_library
from harness.errors import HarnessError
from harness.locate import address_lines
from harness.render import Rendered, template
from harness.render_unit import HEADER, TRUE_KEY, beyond_text, unit_overlays
from harness.subjects import blame
from harness.tree.files import Roots
from harness.tree.includes import Includes
from harness.tree.revision import read_unit
from harness.tree.shims import shims
from harness.tree.slicing import closed
from kernel_snippets.tree import MEMORY

ROUNDS = 60  # of compiling without what the compiler refused
CALL_SECONDS = 60
SYNTAX = Flavour("syntax", ("-O0", "-fsyntax-only"), compile_only=True)  # several times as fast
SIGNAL, BUG, SHIM_LIMIT = 1, 4, 6
POINTERS = re.compile(r"\s*extern\s+(?:const\s+)?(?:struct|union)\s+\w+\s*\*\s*\w+\s*(?:\[[^\]]*\]\s*)?;?$")
NOT_RUN = -1
RANK = ("", "bug", "beyond", "unset", "crashed", "not run")  # best first
UNSET = "a function that an object made here does not have"


@dataclass(frozen=True)
class Counted:
    """The census of one header: names of functions by how far they come; reasons of those that do not."""

    header: str
    written: tuple[str, ...]  # in any configuration
    generated: tuple[str, ...]  # in this one
    unparsed: tuple[str, ...]
    live: tuple[str, ...]  # in this configuration, written and generated
    sliced: tuple[str, ...]  # all that they need is known
    compiled: tuple[str, ...]
    called: tuple[str, ...]  # and came back, with no BUG
    beyond: Mapping[str, str]  # that stopped where another file's code or data begins, and whose
    unresolved: Mapping[str, str]  # that do not compile, and why
    crashed: Mapping[str, str]  # on objects made here, and how
    absent: Mapping[str, str] = field(default_factory=dict)  # in no branch of this configuration: theirs
    bugs: Mapping[str, str] = field(default_factory=dict)  # that came back though a BUG fired, and which
    stubs: tuple[str, ...] = ()  # what other files have
    shims: tuple[str, ...] = ()

    @property
    def parsed(self) -> int:
        """How many written and generated functions pycparser reads."""
        return len(self.written) + len(self.generated) - len(self.unparsed)


@dataclass
class Census:
    """The census of one header of a tree."""

    roots: Roots
    header: str
    config: Mapping[str, str]
    folder: Path
    unit: Unit  # of all headers
    lost: dict[str, str] = field(default_factory=dict)

    def take(self) -> Counted:
        """Counts, compiles and calls."""
        text = self.roots.text(self.header)
        if text is None:
            raise HarnessError(f"the tree has no {self.header}; give the path of a header below it")
        written = [i for i in scan_file(self.header, text, "tree") if i.kind == "function"]
        unit = self.unit
        live = [i for i in unit.items if i.kind == "function" and i.file == self.header]
        generated = [item for item in live if item.expansion]
        unparsed = [item.name for item in (*written, *generated) if not facts(item).parsed]
        piece = self.slice(unit, live)
        sliced = tuple(item.name for item in live if item.name not in self.lost)
        left, built = self.compile(piece, live)
        ends = self.call(left, built) if left else {}
        by_kind = {kind: {n: end for n, end in ends.items() if end.kind == kind} for kind in RANK}
        files = {item.file for item in left}
        crashed = {n: WHY.get(end.why, "killed") + fault_place(built, end, files)
                   for n, end in by_kind["crashed"].items()}  # fmt: skip
        crashed |= dict.fromkeys(by_kind["not run"], "not run: its worker ended before the call")
        beyond = {n: end.site for n, end in by_kind["beyond"].items()} | dict.fromkeys(
            by_kind["unset"], UNSET
        )
        names = [item.name for item in live]
        return Counted(
            self.header, tuple(i.name for i in written), tuple(i.name for i in generated), tuple(unparsed),
            tuple(names), sliced, tuple(i.name for i in left), tuple(by_kind[""]), beyond,
            {name: self.lost[name] for name in names if name in self.lost}, crashed,
            {i.name: " && ".join(i.condition) for i in written if i.name not in set(names)},
            {n: end.site for n, end in by_kind["bug"].items()}, tuple(piece.beyond), piece.shims,
        )  # fmt: skip

    def slice(self, unit: Unit, live: Sequence[Item]) -> Slice:
        """All functions of the header, with what they need; they go before shims of the same names."""
        known = shims({n: True for n, v in self.config.items() if v == "1"}, self.folder)
        closure = Closure(unit, own_before(known, live))
        piece = closed(closure, "", [item.name for item in live], self.folder)
        for lost in piece.unresolved:
            self.lose(piece, [lost])
        return piece

    def lose(self, piece: Slice, lost: Sequence[Unresolved]) -> None:
        """Leaves out what cannot be compiled, with all that needs it."""
        for each in lost:
            for name in piece.dependents([each.user]):
                reason = each.reason if name == each.user else f"needs {each.user}: {each.reason}"
                self.lost.setdefault(name, reason)

    def compile(self, piece: Slice, live: Sequence[Item]) -> tuple[list[Item], Path | None]:
        """The functions that compile, found out in a few rounds, and their library."""
        flavour = SYNTAX
        for number in range(ROUNDS):
            items = tuple(item for item in piece.items if item.name not in self.lost)
            left = [item for item in live if item.name not in self.lost]
            if not left:
                break
            try:
                built = self.build(replace(piece, items=items), left, number, flavour).finish()
                if not flavour.compile_only:
                    return left, built.library
                flavour = PLAIN
            except RefusedError as err:
                said = Diagnostic(err.file, err.line, True, f"{err.what}; it needs a shim")
                size = len(self.lost)
                self.lose(piece, list(blame(CompileError((said,), ""), piece)))
                if len(self.lost) == size:
                    raise
            except CompileError as err:
                if err.undefined:
                    piece = replace(piece, beyond={**piece.beyond, **dict.fromkeys(err.undefined, left[0])})
                    continue
                size = len(self.lost)
                first = replace_diagnostics(err)
                self.lose(piece, list(blame(first, piece)) or list(self.blame_call(first, left)))
                if len(self.lost) == size:
                    raise
        return [], None

    def blame_call(self, err: CompileError, left: Sequence[Item]) -> Iterator[Unresolved]:
        """The functions whose calls in the census itself the compiler refuses."""
        lines = (self.folder / "last/subject.c").read_text().split("\n")
        for said in err.diagnostics:
            above = lines[: said.line] if said.error and said.file == "subject.c" else []
            named = next(
                (m[1] for t in reversed(above) if (m := re.match(r"\tcase \d+: \{ /\* (\w+)", t))), ""
            )
            if named:
                item = next(item for item in left if item.name == named)
                yield Unresolved("", named, item.file, item.line, said.text)

    def build(self, piece: Slice, left: Sequence[Item], number: int, flavour: Flavour) -> Building:
        """The library of these functions, under way."""
        records = {
            name: item
            for item in piece.items
            if item.kind in ("record", "typedef")
            for name in names_of(item)
        }
        calls = [call_of(item, records) for item in left]
        objects = max((call["objects"] for call in calls), default=1)
        memory = [name for name in MEMORY if name in piece.beyond]
        data = [name for name, item in piece.beyond.items() if POINTERS.match(item.signature)]
        keys = [name for name, item in piece.beyond.items() if TRUE_KEY.search(item.text)]
        text = template("census.c.j2").render(
            header=HEADER, calls=calls, objects=objects, memory=memory, data=data, keys=keys
        )
        rendered = Rendered(unit_overlays(piece, ()), text, {}, beyond_text(piece))
        folder = self.folder / f"round{number}"
        folder.mkdir()
        (self.folder / "last").unlink(missing_ok=True)
        (self.folder / "last").symlink_to(folder)
        return build(rendered, {}, folder, flavour)

    def call(self, left: Sequence[Item], library: Path | None) -> dict[str, End]:
        """How each function ends when it is called: on the objects on which it comes furthest."""
        engine = engine_library(self.folder).finish()
        ends: dict[str, End] = {}
        for number in (0, 1, 2):
            todo = [n for n, item in enumerate(left) if item.name not in ends or ends[item.name].kind]
            for index, end in call_each(library, engine, len(left), number, todo).items():
                before = ends.setdefault(left[index].name, end)
                if RANK.index(end.kind) < RANK.index(before.kind):
                    ends[left[index].name] = end
        return ends


@dataclass(frozen=True)
class End:
    """How a call ended: guard_apply()'s reason, the text of the last warning, the place of a fault."""

    why: int
    site: str
    pc: int

    @property
    def kind(self) -> str:
        """How far it came: one of RANK."""
        if self.why in (0, BUG, NOT_RUN):
            return {0: "", BUG: "bug", NOT_RUN: "not run"}[self.why]
        if self.why == SIGNAL and not self.pc:
            return "unset"
        return "beyond" if self.why == SHIM_LIMIT else "crashed"


def fault_place(library: Path | None, end: End, files: set[str]) -> str:
    """In which line of the tree a call faulted."""
    place = next(address_lines(library, end.pc, files), None) if library else None
    return f" in {place[0]}:{place[1]}" if place else ""


def replace_diagnostics(err: CompileError) -> CompileError:
    """The errors up to the first one of syntax: what gcc says after that may be untrue."""
    kept = []
    for said in err.diagnostics:
        kept.append(said)
        if said.error and re.search(r"\bexpected\b|undeclared here|defaults to", said.text):
            break
    return CompileError(tuple(kept), "")


def own_before(known: Shims, live: Sequence[Item]) -> Shims:
    """The shims without the headers that define what is itself to be looked at."""
    names = {item.name for item in live}
    return known.without({header for name, header in known.headers.items() if name in names})


def call_each(
    library: Path | None, engine: Path, count: int, number: int, todo: Sequence[int]
) -> dict[int, End]:
    """How each call ended, in a worker that is begun again where a call kills it."""
    size = ffi().sizeof("struct kc_called") * count
    memory = mmap.mmap(-1, size or 1)
    called = ffi().cast("struct kc_called *", ffi().from_buffer(memory))
    wanted = set(todo)
    for index in range(count):
        called[index].done = index not in wanted
        called[index].why = NOT_RUN
    while any(not called[index].done for index in wanted):

        def task() -> int:
            native = loaded_library(engine)
            enter(native.kc_sandbox_to_load)
            subject = loaded_library(library)
            enter(native.kc_sandbox)
            return int(native.kc_call_each(subject.kc_entry(), count, number, called))

        outcome = worker.run(task, worker.Limits(CALL_SECONDS, CALL_SECONDS * 1.5))
        if outcome.error:
            raise HarnessError(outcome.error)
        stuck = [index for index in wanted if called[index].running]
        for index in stuck:
            called[index].running, called[index].done, called[index].why = 0, 1, 99
        if not stuck:  # they are done, or it ends before any call, and would again
            break
    return {
        index: End(
            int(called[index].why),
            bytes(ffi().string(called[index].site)).decode("utf-8", "replace"),
            int(called[index].pc),
        )
        for index in wanted
    }


def censuses(
    roots: Roots, headers: Sequence[str], config: Mapping[str, str], folder: Path
) -> Iterator[Counted]:
    """The census of each header, in a folder of its own; the tree is read once."""
    includes = Includes(roots, [header.removeprefix("include/") for header in headers])
    unit, _ = read_unit(includes, config, folder)
    for number, header in enumerate(headers):
        own = folder / f"header{number}"
        own.mkdir()
        yield Census(roots, header, config, own, unit).take()
