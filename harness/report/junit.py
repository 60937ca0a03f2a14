# SPDX-License-Identifier: GPL-2.0-only
"""JUnit XML: a testsuite a contract, in it a testcase a check.

Only what Jenkins' xUnit plugin accepts (its junit-10.xsd): it throws away a whole file for one attribute
that it does not know, and knows no `file` and `line` of a testcase. A finding's text begins with its
place. There are no times: the same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

from harness.report.document import Case
from harness.report.ending import NOT_COMPILED, broken, count, ending, lines_of, one_line, printable
from harness.report.outline import Outline, Suite


def render(outline: Outline) -> str:
    """The report, in ASCII: other characters are written as references, whatever the locale."""
    errors = [*dict.fromkeys(broken(outline))]
    top = ElementTree.Element("testsuites", name=one_line(f"kconform {outline.command}: {outline.title}"))
    for suite in outline.suites:
        add_suite(top, outline, suite)
    if errors:
        add_errors(top, outline, errors)
    elif not outline.suites:
        alone = add_head(top, outline, outline.command, (1, 0, 0, 0))
        ElementTree.SubElement(alone, "testcase", classname="kconform", name=outline.command)
    for name in ("tests", "failures", "errors"):
        top.set(name, str(sum(int(suite.get(name, "0")) for suite in top)))
    say(ElementTree.SubElement(top[-1], "system-out"), tail(outline))
    ElementTree.indent(top, " ")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(top, "us-ascii").decode("ascii")}\n'
    )


def add_suite(top: ElementTree.Element, outline: Outline, suite: Suite) -> None:
    """One contract's cases."""
    counts = (len(suite.cases), count(suite, "fail"), 0, count(suite, "skip"))
    element = add_head(top, outline, suite.name, counts)
    for case in suite.cases:
        add_case(element, outline, case)


def add_head(
    top: ElementTree.Element, outline: Outline, name: str, counts: Iterable[int]
) -> ElementTree.Element:
    """A testsuite with its numbers, and what was run within which bounds."""
    element = ElementTree.SubElement(top, "testsuite", name=one_line(name))
    for key, number in zip(("tests", "failures", "errors", "skipped"), counts, strict=True):
        element.set(key, str(number))
    properties = ElementTree.SubElement(element, "properties")
    for key, value in (*facts(outline), *run_of(outline, name)):
        ElementTree.SubElement(properties, "property", name=key, value=one_line(value))
    return element


def facts(outline: Outline) -> Iterator[tuple[str, str]]:
    """What made the report, of what."""
    yield "kconform", outline.tool["version"]
    yield "command", outline.command
    yield "compiler", outline.tool["compiler"]
    yield "python", outline.tool["python"]
    for patch in outline.patches:
        yield "patch", patch.subject or patch.source
        yield "sha256", patch.sha256
    yield "verdict", f"{outline.word}: {outline.summary}"


def run_of(outline: Outline, name: str) -> Iterator[tuple[str, str]]:
    """How far one suite was run; where no line of the run speaks of it alone, all of them."""
    own = [said for said in outline.about if said.startswith(f"against {name}, ")]
    return (("run", said) for said in own or outline.about)


def add_case(suite: ElementTree.Element, outline: Outline, case: Case) -> None:
    """One check."""
    element = add_test(suite, suite.get("name", ""), case.id)
    end, reason = ending(case)
    if end == "fail":
        first, *more = lines_of(outline, case)
        failure = ElementTree.SubElement(element, "failure", type=case.group, message=one_line(first))
        say(failure, [first, *more])
    elif end == "skip":
        ElementTree.SubElement(element, "skipped", message=one_line(reason))
        if case.verdict == "fail":
            say(ElementTree.SubElement(element, "system-out"), lines_of(outline, case))


def add_errors(top: ElementTree.Element, outline: Outline, errors: list[str]) -> None:
    """What the tool could not do: nobody's failure, and no pass."""
    element = add_head(top, outline, NOT_COMPILED, (len(errors), 0, len(errors), 0))
    for number, error in enumerate(errors, 1):
        test = add_test(element, NOT_COMPILED, f"{NOT_COMPILED}/{number}")
        say(ElementTree.SubElement(test, "error", type=NOT_COMPILED, message=one_line(error)), [error])


def add_test(suite: ElementTree.Element, named: str, id: str) -> ElementTree.Element:
    """A testcase; its class must have no dots, at which Jenkins cuts packages off."""
    classname = f"kconform.{one_line(named).replace('.', '_')}"
    return ElementTree.SubElement(suite, "testcase", classname=classname, name=one_line(id))


def tail(outline: Outline) -> Iterator[str]:
    """What is neither a finding nor a pass, and how to run the findings again."""
    yield f"{outline.word}: {outline.summary}"
    yield from outline.remarks
    yield from (f"not checked: {said}" for said in outline.unchecked)
    yield from outline.legends
    yield from outline.again


def say(element: ElementTree.Element, texts: Iterable[str]) -> None:
    """Lines as an element's text."""
    element.text = "\n".join(map(printable, texts))
