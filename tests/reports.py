# SPDX-License-Identifier: GPL-2.0-only
"""Runs whose reports are read back by other programs: each run once, in every format."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.report.document import Case, Known, PatchText, Row, Table
from harness.report.document import TraceStep as Step
from harness.report.outline import Outline, Suite
from kernel_snippets import BUNDLED_PATCH
from tests.cli import ONE, QUICK, kconform
from tests.mails import SUBJECT, V1, next_revision
from tests.mini_kernel import COUNTER, counter_contract, mini_kernel
from tests.test_diff_tree import FULL, FULLER, changed
from tests.test_toys import DEFAULTS, HEAD, INC, REST, toy_diff
from tests.test_tree import commit, git

FORMATS = ("json", "ktap", "junit", "sarif")
# What ends, or begins, something in one of the formats, or in a terminal.
HOSTILE = ("]]> <b>&amp;</b> # SKIP all of it ### {0} [x](1) \x1b[31m\x00\x08 \u00e9\u4e2d\u2028"
           " 1..9 KTAP version 1")  # fmt: skip
NARROW = ("--bound", "mms=2", "--bound", "pages=2")


@dataclass(frozen=True)
class Reports:
    """One run: its exit status, and what it wrote in each format."""

    status: int
    err: str
    texts: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.texts["json"])

    def ids(self, verdict: str) -> list[str]:
        """The checks of a check that ended so."""
        return [case["id"] for case in self.json["checks"] if case["verdict"] == verdict]


def run(*arguments: object, stdin: str = "", formats: tuple[str, ...] = FORMATS) -> Reports:
    """A command in several formats at once."""
    with tempfile.TemporaryDirectory() as folder:
        asked = [word for name in formats for word in ("--format", f"{name}:{folder}/{name}")]
        done = kconform(*arguments, *asked, stdin=stdin)
        paths = {name: Path(folder) / name for name in formats}
        texts = {name: path.read_text() for name, path in paths.items() if path.exists()}
    return Reports(done.status, done.err, texts)


def toy(folder: Path, code: str = INC, contract: str = "", title: str = "toy") -> list[object]:
    """A contract over the toys' defaults, as arguments; the patch is for standard input."""
    path = folder / "toy.py"
    path.write_text(HEAD + DEFAULTS + contract + REST.replace('title="toy"', f"title={title!r}"))
    return ["--contract", path, *QUICK]


def hostile(folder: Path) -> Reports:
    """A patch and a contract that say what no format should fall for, with a finding."""
    claims = f"""
def small(t: State) -> bool:
    return t.a < 1
CLAIMS = (Claim("small", "always", {"Subtest: " + HOSTILE!r}, {"reboot: System halted " + HOSTILE!r}, small),)
"""
    mail = f"From: A B <a@b.c>\nSubject: [PATCH] toy: {HOSTILE.replace(chr(0), '')}\n\nToy.\n---\n"
    arguments = toy(folder, contract=claims, title="List of all partitions: " + HOSTILE)
    return run("check", "-", *arguments, stdin=mail + toy_diff(INC))


def unresolved(folder: Path) -> Reports:
    """A patch one of whose functions calls what nobody has."""
    code = INC + "static inline void toy_b(int *b)\n{\n	*b = toy_nobody_has(*b);\n}\n"
    contract = 'OPERATIONS = (*OPERATIONS, Operation("b", "toy_b(&w->b)", kind="probe"))\n'
    return run("check", "-", *toy(folder, contract=contract), stdin=toy_diff(code))


def promise(folder: Path) -> Reports:
    """A patch that promises no change and changes something."""
    kernel = mini_kernel(folder / "linux")
    patch = changed(folder, FULL, FULLER, "No functional change.")
    return run("check", "--tree", kernel, patch, "--contract", counter_contract(folder), *QUICK)


def tree(folder: Path) -> Reports:
    """A kernel tree by itself, with a defect."""
    kernel = mini_kernel(folder / "linux")
    header = kernel / "include/linux/counter.h"
    header.write_text(COUNTER.replace("COUNTER_OP(dec, -=)", "COUNTER_OP(dec, = -)"))
    return run("check", "--tree", kernel, "--contract", counter_contract(folder), *QUICK)


def series(folder: Path) -> Reports:
    """Commits, the first of which brings a defect that the second mends."""
    kernel, contract = mini_kernel(folder / "linux"), counter_contract(folder)
    git(kernel, "init", "-q")
    for text in (COUNTER, COUNTER.replace(FULL, FULLER), COUNTER + "\n"):
        (kernel / "include/linux/counter.h").write_text(text)
        commit(kernel, "counter: change it")
    return run("check", "--tree", kernel, "--range", "HEAD~2..HEAD", "--contract", contract, *QUICK)


def planted(folder: Path, *more: object) -> Reports:
    """Mutants of a toy, some of which survive: nothing is claimed of `b`."""
    code = INC + "static inline void toy_b(int *b)\n{\n	*b |= 4;\n}\n"
    contract = 'OPERATIONS = (*OPERATIONS, Operation("b", "toy_b(&w->b)", kind="probe"))\n'
    path = folder / "toy.diff"
    path.write_text(toy_diff(code))
    return run("mutate", path, *toy(folder, contract=contract)[:2], *more)


def differing(folder: Path) -> Reports:
    """Two revisions of the bundled patch."""
    return run("diff", BUNDLED_PATCH, next_revision(), *ONE, *NARROW, "--walk", 0)


RUNS: dict[str, Callable[[Path], Reports]] = {
    "bundled": lambda folder: run("check", BUNDLED_PATCH, *QUICK),
    "unknown": lambda folder: run("check", "-", *ONE, *NARROW, *QUICK, stdin=V1),
    "hostile": hostile,
    "unresolved": unresolved,
    "promise": promise,
    "tree": tree,
    "series": series,
    "mutate": planted,
    "diff": differing,
    "same": lambda folder: run("diff", BUNDLED_PATCH, BUNDLED_PATCH),
}
CHECKS = ("bundled", "unknown", "hostile", "unresolved", "promise", "tree", "series")


@cache
def reports(name: str) -> Reports:
    """One of the runs."""
    with tempfile.TemporaryDirectory() as folder:
        return RUNS[name](Path(folder))


# Outlines without a run.


def case(id: str = "claim/x", verdict: str = "fail", **more: Any) -> Case:
    """A case with a trace, in short."""
    rows = (Row("(initial)", ("0", "no")), Row("inc(n=1)", ("1", "yes"), file="a b.h", line=2))
    told = {
        "title": "it holds", "contract": "toy", "part": "toy", "judged": 2, "failed": 1, "file": "a b.h",
        "line": 3, "explained": "a: the model expects 1, the code gives 0", "kind": "is broken",
        "fingerprint": "0123456789abcdef", "table": Table(("a", "full"), rows),
        "trace": (Step("initial", {}, {}, {}), Step("inc", {"n": 1}, {}, {})), "reason": "nobody knows",
    }  # fmt: skip
    return Case(**({"id": id, "group": "claim", "verdict": verdict} | told | more))  # type: ignore[arg-type]


KNOWN = Known("it is mended in the next series", "2031-05-01")


def outline(*cases: Case, **more: Any) -> Outline:
    """An outline of these cases, each a finding by itself."""
    suites = tuple(Suite(name, name, tuple(c for c in cases if c.contract == name))
                   for name in dict.fromkeys(c.contract for c in cases))  # fmt: skip
    told = {
        "command": "check", "word": "FAIL", "status": 1, "summary": "1 of 1", "title": SUBJECT, "about": (),
        "suites": suites, "findings": tuple((c,) for c in cases if c.blamed), "errors": (), "remarks": (),
        "unchecked": (), "legends": (), "again": (),
        "patches": (PatchText(SUBJECT, "a.patch", "ab" * 32, ("a b.h",), ()),),
        "tool": {"version": "1", "compiler": "cc", "python": "3"},
    }  # fmt: skip
    return Outline(**(told | more))  # type: ignore[arg-type]
