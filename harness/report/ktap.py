# SPDX-License-Identifier: GPL-2.0-only
"""KTAP version 1 (Documentation/dev-tools/ktap.rst): a subtest a contract, in it one a check.

Text that arrived by mail must not end up as syntax: `#` begins a directive in a line of results, and
kunit.py ends at what it takes for the kernel's last words, wherever that stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from harness.report.document import Case
from harness.report.ending import NOT_COMPILED, broken, count, ending, lines_of, one_line, printable
from harness.report.outline import Outline, Suite

INDENT = "  "
LAST_WORDS = re.compile(r"(List of all partitions|Kernel panic - not syncing|reboot)(?=:)")


def render(outline: Outline) -> str:
    """The report."""
    errors = broken(outline)
    total = len(outline.suites) + bool(errors) or 1
    lines = ["KTAP version 1", *diagnostics(head(outline)), f"1..{total}"]
    for number, suite in enumerate(outline.suites, 1):
        lines += subtest(outline, suite, number)
    if errors:
        lines += not_compiled(errors, total)
    elif not outline.suites:
        lines.append(f"ok 1 {outline.command}")
    lines += diagnostics(tail(outline))
    return "\n".join(LAST_WORDS.sub(r"\1 ", line) for line in lines) + "\n"


def head(outline: Outline) -> Iterator[str]:
    """What was run, and the verdict."""
    tool = outline.tool
    yield f"kconform {tool['version']} {outline.command}, {tool['compiler']}, Python {tool['python']}"
    yield outline.title
    for patch in outline.patches:
        yield f"diff sha256 {patch.sha256}"
    yield from outline.about
    yield f"{outline.word}: {outline.summary}"


def tail(outline: Outline) -> Iterator[str]:
    """What is neither a finding nor a pass, and how to run the findings again."""
    yield from outline.remarks
    yield from (f"not checked: {said}" for said in outline.unchecked)
    yield from outline.legends
    yield from outline.again


def subtest(outline: Outline, suite: Suite, number: int) -> Iterator[str]:
    """The cases of one contract, then its own result: it fails if one of them does."""
    yield from opened(suite.name, suite.title, len(suite.cases))
    for at, case in enumerate(suite.cases, 1):
        yield from (INDENT + line for line in result(outline, case, at))
    skipped = count(suite, "skip") == len(suite.cases)
    yield outcome(not count(suite, "fail"), number, suite.name, "SKIP all of it" if skipped else "")


def not_compiled(errors: Iterable[str], number: int) -> Iterator[str]:
    """What the tool could not do, each as a test that fails."""
    every = [*dict.fromkeys(errors)]
    yield from opened(NOT_COMPILED, "what could not be compiled or read, and was not checked", len(every))
    for at, error in enumerate(every, 1):
        yield INDENT + outcome(False, at, f"{NOT_COMPILED}/{at}", f"ERROR {error}")
    yield outcome(False, number, NOT_COMPILED)


def opened(named: str, title: str, plan: int) -> Iterator[str]:
    """The first lines of a subtest."""
    yield f"{INDENT}KTAP version 1"
    yield f"{INDENT}# Subtest: {name(named)}"
    yield from (INDENT + line for line in diagnostics([title]))
    yield f"{INDENT}1..{plan}"


def result(outline: Outline, case: Case, number: int) -> Iterator[str]:
    """One case: what is said of it, then its result."""
    end, reason = ending(case)
    if end == "fail" or case.verdict == "fail":
        yield from diagnostics(lines_of(outline, case))
    yield outcome(end != "fail", number, case.id, f"SKIP {reason}" if end == "skip" else "")


def outcome(good: bool, number: int, named: str, directive: str = "") -> str:
    """A line of results."""
    said = f" # {plain(directive)}" if directive else ""
    return f"{'ok' if good else 'not ok'} {number} {name(named)}{said}"


def name(text: str) -> str:
    """A test's name; parsers take a dash before it for a separator, in a result and not in a head."""
    return plain(text).lstrip("- :") or "unnamed"


def plain(text: str) -> str:
    """A name or a reason, in which nothing may look like a directive."""
    return one_line(text).replace("#", "%23")


def diagnostics(texts: Iterable[str]) -> Iterator[str]:
    """Lines that are no results; none of them is taken for the head of a subtest."""
    for text in texts:
        for line in printable(text).split("\n"):
            said = line.expandtabs().rstrip()
            yield f"#  {said}" if said.startswith("Subtest:") else f"# {said}".rstrip()
