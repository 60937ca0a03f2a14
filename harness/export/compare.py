# SPDX-License-Identifier: GPL-2.0-only
"""A trace in a kernel beside the same trace in userspace: is every observation equal, step by step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.export.boot import GUEST, Booted, boot
from harness.export.kbuild import Kernel, build_modules

ROW = re.compile(r"# kc (\d+)((?: -?\d+)+)$")
BEGIN = re.compile(r"# kc begin (\w+) (\d+):([\w ]*)$")
END = re.compile(r"# kc end (\w+)$")
STATUS = re.compile(r"kconform-guest: module (\d+) (killed|status (\d+))")
OOPS = re.compile(r"BUG: |Oops: |kernel BUG at|general protection fault|stack guard page")
STAMP = re.compile(r"^\[ *\d+\.\d+\] ")


@dataclass(frozen=True)
class Row:
    """One step: the call as text, what is observed, and why it did not come back where it did not."""

    call: str
    seen: Mapping[str, int]
    stopped: str = ""


@dataclass(frozen=True)
class Wanted:
    """A trace to be run in a kernel: its module's source, and how it went in userspace."""

    name: str
    source: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Compared:
    """How a trace went in a kernel.

    `at` is the first step at which the two differ, -1 where none does; `kernel` the row there, `columns`
    what was compared; `said` other words of the kernel's (the first warning or oops), `left` what was
    not compared and why.
    """

    wanted: Wanted
    version: str
    steps: int
    at: int
    kernel: Row | None
    columns: tuple[str, ...]
    left: tuple[str, ...] = ()
    said: str = ""
    boots: int = 1

    @property
    def equal(self) -> bool:
        """Whether every observation was equal."""
        return self.at < 0


@dataclass(frozen=True)
class Run:
    """What a module printed: columns, the rows by number, how it ended (nothing: it came to its end)."""

    columns: tuple[str, ...]
    rows: Mapping[int, tuple[int, ...]]
    ended: str
    said: str


def compare_all(kernel: Kernel, wanted: Sequence[Wanted], folder: Path) -> list[Compared]:
    """Each trace in `kernel`; modules that bring a guest down, or that hang, take a boot of their own."""
    modules = build_modules(kernel, {f"kc{n}": each.source for n, each in enumerate(wanted)}, folder)
    pending = list(range(len(wanted)))
    runs: dict[int, Run] = {}
    boots = 0
    while pending:
        booted = boot(kernel, [modules[n] for n in pending], folder)
        boots += booted.boots
        loaded = [*runs_of(booted)]
        if not loaded:
            raise HarnessError(
                f"{kernel.version}: the guest loaded no module; it said: {first(booted.lines)}"
            )
        for number, run in zip(pending, loaded, strict=False):
            runs[number] = run
        pending = pending[len(loaded) :]
    return [compared(each, runs[n], kernel.version, boots) for n, each in enumerate(wanted)]


def first(lines: Sequence[str]) -> str:
    """The first line that says something."""
    return next((line.strip()[:200] for line in lines if line.strip()), "nothing")


def runs_of(booted: Booted) -> Iterator[Run]:
    """What each module printed, in order; of one that did not end, how that was."""
    lines: list[str] = []
    for line in booted.lines:
        lines.append(STAMP.sub("", line))
        if status := STATUS.match(line):
            failed = "" if status[2] in ("killed", "status 0") else f"it is not loaded: error {status[3]}"
            yield run_of(lines, failed or ("oops" if status[2] == "killed" else ""))
            lines = []
        elif line.startswith(f"{GUEST}done"):
            return
    yield run_of(lines, "hung" if booted.hung else "it brought the guest down")


def run_of(lines: Sequence[str], ended: str) -> Run:
    """One module's output."""
    columns: tuple[str, ...] = ()
    rows: dict[int, tuple[int, ...]] = {}
    said = ""
    for line in lines:
        if begin := BEGIN.search(line):
            columns = tuple(begin[3].split())
        elif row := ROW.search(line):
            rows[int(row[1])] = tuple(map(int, row[2].split()))
        elif not said and OOPS.search(line):
            said = line.strip()[:160]
    return Run(columns, rows, ended, said)


def compared(wanted: Wanted, run: Run, version: str, boots: int) -> Compared:
    """Userspace beside the kernel, up to the first step that differs."""
    if not run.columns:
        raise HarnessError(f"{wanted.name}: the module said nothing in {version}: {run.ended or 'no reason'}")
    left = dict.fromkeys(name for row in wanted.rows for name in row.seen if name not in run.columns)
    for number, row in enumerate(wanted.rows):
        values = run.rows.get(number)
        kernel = Row(row.call, {} if values is None else dict(zip(run.columns, values, strict=True)),
                     "" if values is not None else run.ended or "it said nothing of this step")  # fmt: skip
        if row.stopped:
            if row.stopped in NOT_OF_A_KERNEL:
                aside = (*left, f"step {number}, which {NOT_OF_A_KERNEL[row.stopped]}")
                return Compared(wanted, version, number, -1, None, run.columns, aside, run.said, boots)
            if alike(row.stopped, kernel.stopped):
                continue
        elif values is not None and all(kernel.seen.get(k, v) == v for k, v in row.seen.items()):
            continue
        return Compared(wanted, version, number, number, kernel, run.columns, tuple(left), run.said, boots)
    return Compared(wanted, version, len(wanted.rows), -1, None, run.columns, tuple(left), run.said, boots)


NOT_OF_A_KERNEL = {"bad access": "only a sanitizer stops", "a shim's limit": "a shim cannot do"}
# What stops a call in userspace, and how that shows in a kernel.
ALIKE = {
    "signal": ("oops", "it brought the guest down"),
    "its worker died": ("oops", "it brought the guest down", "hung"),
    "endless loop": ("hung",),
    "deadlock": ("hung",),
    "BUG": ("oops", "it brought the guest down"),
}


def alike(userspace: str, kernel: str) -> bool:
    """Whether a call that did not come back in userspace did not in the kernel either, for that reason."""
    return kernel in ALIKE.get(userspace, ())
