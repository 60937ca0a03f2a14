# SPDX-License-Identifier: GPL-2.0-only
"""A check as plain data and words: what every report of it is made of, and what shards are merged from.

Nothing here refers to a contract, a slice or a library: a document can be written to a file by one run
and become a report in another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from extractor.slice import Unresolved
from harness.coverage import PatchCoverage, together
from harness.judge import Verdict

Value = int | str
RAN_ALONE = "concurrent calls: every operation ran alone"


@dataclass(frozen=True)
class Row:
    """One step of a trace: its call, and a cell for each of the table's columns.

    There are no cells where the call did not come back (`stopped` says how) or nothing was observed.
    `was` has, of a trace that is held against another, that one's cell where it is another. `member`
    is the MM that calls ("mm0"), where the contract says which argument that is; `file` and `line`
    are those of the function that is called.
    """

    call: str
    cells: tuple[str, ...] = ()
    was: tuple[str | None, ...] = ()
    stopped: str = ""
    member: str = ""
    file: str = ""
    line: int = 0

    @property
    def before(self) -> tuple[str | None, ...]:
        """`was`, for each of the cells."""
        return self.was or (None,) * len(self.cells)

    @property
    def told(self) -> tuple[str, ...]:
        """Its cells; those that were another say so."""
        return tuple(cell if old is None else f"{cell} (was {old})"
                     for cell, old in zip(self.cells, self.before, strict=True))  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A trace, one row a step, in the contract's own columns; none where nothing was observed."""

    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    first: str = "call"  # the column of the rows' own text


@dataclass(frozen=True)
class TraceStep:
    """One step in numbers: what was observed, and what the model expects; `op` is "initial" at first."""

    op: str
    args: Mapping[str, int]
    observed: Mapping[str, Value]
    expected: Mapping[str, int]


@dataclass(frozen=True)
class Known:
    """A finding that a baseline knows: why it is not mended, and until when ("" for always)."""

    reason: str
    expires: str = ""


@dataclass(frozen=True)
class Case:
    """One check: its verdict, its place in the patch, and all that a report says of it, in words.

    `says` is whose sentence `quote` is; `explained` what was expected and what was seen; `spread` in how
    many calls, and what these have in common; `source` the text at `line`. Cases with a `merge` of their
    own are one defect seen twice. `kind` is how the behaviour diverges and `fingerprint` the hash of
    contract, check and kind: it stays when lines, names of patches and traces change.
    """

    id: str
    group: str  # of harness.judge.Group, "difference" or "mutant"
    verdict: Verdict
    title: str
    contract: str = ""
    part: str = ""
    quote: str = ""
    says: str = ""
    reason: str = ""
    detail: str = ""
    doubt: str = ""
    judged: int = 0
    failed: int = 0
    common: tuple[str, ...] = ()
    wide: bool = False
    file: str = ""
    line: int = 0
    exact: bool = False
    source: str = ""
    explained: str = ""
    spread: str = ""
    merge: str = ""
    kind: str = ""
    fingerprint: str = ""
    trace: tuple[TraceStep, ...] = ()
    base: tuple[Mapping[str, Value], ...] = ()  # what the same calls show on the base
    table: Table = Table()
    counted: str = ""  # what `judged` counts, where it is not calls
    called: tuple[str, ...] = ()  # which functions the trace's calls are, where their names do not say it
    known: Known | None = None
    brought: str = ""  # of a series: the patch after which it is first there
    mended: str = ""  # the patch after which it is gone again
    within: str = ""  # the patches after which it is there, where the whole series does not have it
    inherited: bool = False  # the base does the same: no finding of the patch
    worsened: str = ""  # the base does so as well, in fewer calls or after more: in words

    @property
    def calls(self) -> tuple[object, ...]:
        """The calls of its trace, to tell equal traces."""
        return tuple((step.op, tuple(step.args.items())) for step in self.trace) or (self.id,)

    @property
    def blamed(self) -> bool:
        """Whether it fails and neither a baseline knows it nor the base has it."""
        return self.verdict == "fail" and not self.known and not self.inherited

    @property
    def where(self) -> str:
        """`file:line`; "" where there is no place."""
        return f"{self.file}:{self.line}" if self.file else ""


@dataclass(frozen=True)
class Explored:
    """How far the exploration of one contract went."""

    states: int
    kept: int
    symmetry: bool
    transitions: int
    depth: int
    bytes_per_state: float
    complete: bool
    reason: str
    unreached: tuple[str, ...]


@dataclass(frozen=True)
class Woven:
    """What ran at the same time of one contract, under one order of stores; `words` say it all."""

    memory: str  # sc, tso, relaxed
    words: str
    starts: int
    scenarios: int
    executions: int
    steps: int
    bounded: int
    cut: int
    left: int
    whole: bool


@dataclass(frozen=True)
class Beyond:
    """What a tree's slice refers to and the tree, or its other files, has elsewhere."""

    calls: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()  # static keys and tracepoints
    data: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # and what reads it


@dataclass(frozen=True)
class Part:
    """What was compiled and run of one contract."""

    name: str
    title: str
    derived: bool
    requires: tuple[str, ...]
    config: Mapping[str, bool]
    functions: tuple[str, ...]
    fragments: tuple[str, ...]
    shims: tuple[str, ...]
    unresolved: tuple[Unresolved, ...]
    bounds: Mapping[str, int]
    explored: Explored
    walked: int | None  # calls; None without a walk
    wide_bounds: Mapping[str, int]
    watched: int | None  # calls under the sanitizers
    threads: tuple[Woven, ...]  # what ran at the same time; none where nothing did
    thread_notes: tuple[str, ...]  # what is no finding of that
    stressed: str  # what real threads did, in words
    whole: bool
    explored_words: str
    wide_bounds_words: str
    legend: str
    wide_legend: str
    unjudged: tuple[str, ...]
    beyond: Beyond = Beyond()
    hidden_state: tuple[str, ...] = ()
    warnings: tuple[tuple[str, int, str], ...] = ()  # of the compiler: file, line, text
    coverage: PatchCoverage | None = None


@dataclass(frozen=True)
class PatchText:
    """One patch that was checked; `diff` are its lines."""

    subject: str
    source: str
    sha256: str
    files: tuple[str, ...]
    notes: tuple[str, ...]
    message: str = ""
    diff: tuple[str, ...] = ()


@dataclass(frozen=True)
class MutantRecord:
    """One planted defect and what became of it: by which check it was killed, or why it lives."""

    file: str
    line: int
    column: int
    item: str
    operator: str
    before: str
    after: str
    calls: int
    diff: tuple[str, ...]
    by: str


@dataclass(frozen=True)
class StrengthRecord:
    """All mutants, each in the list of its fate."""

    what: str
    bounds: Mapping[str, int]
    killed: tuple[MutantRecord, ...]
    equivalent: tuple[MutantRecord, ...]
    survived: tuple[MutantRecord, ...]
    broken: tuple[MutantRecord, ...]

    @property
    def total(self) -> int:
        """How many mutants there are."""
        return len(self.killed) + len(self.equivalent) + len(self.survived)

    @property
    def score(self) -> float:
        """The share of killed ones among those that are not equivalent, 0 to 1."""
        real = len(self.killed) + len(self.survived)
        return len(self.killed) / real if real else 1.0


@dataclass(frozen=True)
class After:
    """What fails after so many patches of a series (0: in the tree alone), and what was judged there.

    `failing` has the ids of what fails by fingerprint; `unfit` says why a contract does not fit what is
    there so far, `lost` why one that does could not be judged.
    """

    patches: int
    failing: Mapping[str, str]
    judged: tuple[str, ...]
    unfit: Mapping[str, str]
    lost: Mapping[str, str]


@dataclass(frozen=True)
class Document:
    """A check of one revision; the first part is that of the contract that reaches most of the patch."""

    patches: tuple[PatchText, ...]
    tree: str
    tree_notes: tuple[str, ...]
    tree_config: str  # for which options the tree was read
    seed: int
    traces_folder: str
    parts: tuple[Part, ...]
    cases: tuple[Case, ...]
    outlooks: tuple[Case, ...]
    reached: tuple[Case, ...]
    base: tuple[str, ...]  # what a patch does otherwise than its base, where no model is there
    unused: tuple[tuple[str, str, str, int], ...]  # file, name, completeness, line
    near: tuple[str, ...]
    partial: tuple[str, ...]
    unfound: tuple[str, ...]  # includes that a tree does not have
    failed: Mapping[str, str]  # contracts of which nothing could be compiled, and why
    replays: tuple[Mapping[str, Any], ...]  # of saved traces, as in JSON
    strength: StrengthRecord | None
    tool: Mapping[str, str]
    seconds: float = 0.0
    baseline: tuple[str, ...] = ()  # what is to be said of entries of a baseline
    history: tuple[After, ...] = ()  # after each patch, and first in the tree; the whole is the last
    order: tuple[str, ...] = ()  # the contracts that are run, those of other shards among them
    shard: str = ""  # K/N, where it is only a part of the run

    @property
    def whole(self) -> bool:
        """Whether all was compiled, and explored to its bounds."""
        unread = any(case.group in ("layout", "promise") and case.verdict == "unknown" for case in self.cases)
        lost = any(one.lost for one in self.history if one.patches)
        return not (self.failed or unread or lost) and all(part.whole for part in self.parts)

    @property
    def unresolved(self) -> tuple[Unresolved, ...]:
        """What could not be compiled."""
        return tuple(dict.fromkeys(lost for part in self.parts for lost in part.unresolved))

    @property
    def coverage(self) -> PatchCoverage | None:
        """Of the patch's own lines, by all parts together."""
        covered = [part.coverage for part in self.parts if part.coverage]
        return together(covered) if covered else None

    @property
    def findings(self) -> tuple[Case, ...]:
        """The checks that fail, and that neither a baseline knows nor the base has."""
        return tuple(case for case in self.cases if case.blamed)

    @property
    def derived(self) -> tuple[Part, ...]:
        """The parts of contracts that were derived."""
        return tuple(part for part in self.parts if part.derived)

    def count(self, verdict: Verdict) -> int:
        """How many checks ended so; of those that fail, only findings."""
        if verdict == "fail":
            return len(self.findings)
        return sum(case.verdict == verdict for case in self.cases)

    def part_of(self, case: Case) -> Part | None:
        """The part that a check belongs to."""
        return next((part for part in self.parts if part.name == case.contract), None)

    @property
    def judged(self) -> bool:
        """Whether anything passed or failed; of a shard, others may have."""
        return bool(self.shard) or any(case.verdict != "unknown" for case in self.cases)

    def status(self, strict: bool) -> int:
        """The exit status: 1 with findings (with `strict`, also unknowns), 2 where not all was checked."""
        bad = self.count("fail") + (self.count("unknown") if strict else 0)
        # What did not compile or was not reached was not checked: "all passed" would be untrue.
        return 1 if bad else 0 if self.whole and self.judged else 2


GROUPS = ("claim", "crash", "sanitizer", "conformance", "misuse", "concurrency", "promise", "layout",
          "configuration", "documentation", "trace")  # fmt: skip


def merged(cases: Sequence[Case]) -> Iterator[tuple[Case, ...]]:
    """Findings that are one defect seen twice (same trace, or same code called otherwise), together.

    What one patch of a series brings and another mends is one as well, told by its plainest trace.
    """
    blocks: list[tuple[set[object], list[Case]]] = []
    for case in sorted(cases, key=rank):
        keys = {*keys_of(case)}
        home = next((block for block in blocks if block[0] & keys), None)
        if home is None:
            blocks.append((keys, [case]))
        else:
            home[0].update(keys)
            home[1].append(case)
    yield from (tuple(block) for _, block in blocks)


def rank(case: Case) -> tuple[int, ...]:
    """Claims first; of what is between patches, what has a line of its own, and a short trace."""
    group = GROUPS.index(case.group) if case.group in GROUPS else len(GROUPS)
    if case.within:
        return 1, not case.exact, len(case.trace), group
    return 0, group


def keys_of(case: Case) -> Iterator[object]:
    """What makes two findings one."""
    if case.within:
        yield case.within, case.brought, case.mended
        return
    if case.merge:
        yield case.merge
    yield case.calls, case.file, case.line
    if case.exact and case.group in ("claim", "conformance"):  # one faulty line, in several calls
        yield case.file, case.line
