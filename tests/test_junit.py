# SPDX-License-Identifier: GPL-2.0-only
"""JUnit XML against a schema of what Jenkins accepts, and read back by junitparser."""

from __future__ import annotations

from pathlib import Path

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase

from harness.report.junit import render
from tests.reports import CHECKS, KNOWN, case, outline, reports

SCHEMA = xmlschema.XMLSchema11(Path(__file__).with_name("junit.xsd"))
pytestmark = pytest.mark.xdist_group("reports")


def read(text: str) -> dict[str, list[TestCase]]:
    """The cases by how they ended, of a file that keeps to the schema and whose totals are right."""
    SCHEMA.validate(text)
    assert text.isascii()
    top = JUnitXml.fromstring(text.encode())
    kinds = {Failure: "failed", Error: "error", Skipped: "skipped"}
    found: dict[str, list[TestCase]] = {"passed": [], "failed": [], "error": [], "skipped": []}
    for suite in top:
        assert suite.tests == len(list(suite))
        ends = [kinds[type(each.result[0])] if each.result else "passed" for each in suite]
        counts = suite.failures, suite.errors, suite.skipped
        assert counts == tuple(ends.count(end) for end in ("failed", "error", "skipped"))
        for end, each in zip(ends, suite, strict=True):
            found[end].append(each)
    assert top.tests == sum(map(len, found.values()))
    assert (top.failures, top.errors) == (len(found["failed"]), len(found["error"]))
    return found


def names(cases: list[TestCase]) -> list[str]:
    return [each.name for each in cases]


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_is_a_testcase_that_ended_as_in_the_json(name: str) -> None:
    run = reports(name)
    found = read(run.texts["junit"])
    for end, verdict in (("passed", "pass"), ("failed", "fail"), ("skipped", "unknown")):
        assert sorted(names(found[end])) == sorted(run.ids(verdict))
    reasons = {c["id"]: c["reason"] for c in run.json["checks"]}
    assert all(each.result[0].message == reasons[each.name] for each in found["skipped"])


def test_a_finding_has_its_place_its_sentence_and_its_trace() -> None:
    found = {each.name: each for each in read(reports("bundled").texts["junit"])["failed"]}
    claim = found["claim/no-false-shared-with-two-mms"]
    assert claim.classname == "kconform.mm-owner-tracking"
    (failure,) = claim.result
    assert failure.type == "claim" and failure.message.startswith("include/linux/rmap.h:264: no more than")
    assert failure.text.startswith(failure.message)
    assert "1  add(mm=0, diff=1)  1         shared     mm0 x1" in failure.text
    assert 'the patch says: "There won\'t be any false "mapped shared" detection' in failure.text


def test_what_was_run_is_in_the_properties() -> None:
    run = reports("bundled")
    suite = next(iter(JUnitXml.fromstring(run.texts["junit"].encode())))
    said = {each.name: each.value for each in suite.properties()}
    assert said["sha256"] == run.json["patch"]["sha256"] and said["patch"] == run.json["patch"]["subject"]
    assert said["compiler"] == run.json["tool"]["compiler"] and said["command"] == "check"
    assert said["run"].startswith("against mm-owner-tracking, bounds mms=3, pages=4: all 1,702 states")


def test_what_did_not_compile_is_an_error() -> None:
    run = reports("unresolved")
    (error,) = read(run.texts["junit"])["error"]
    assert error.result[0].message == run.err.strip() and error.classname == "kconform.not-compiled"


def test_a_promise_that_is_broken() -> None:
    failed = {each.name: each.result[0] for each in read(reports("promise").texts["junit"])["failed"]}
    assert failed["promise/full/return"].type == "promise"
    assert 'the patch says: "No functional change."' in failed["promise/full/return"].text
    assert "returns 0 (was 0, returns 1)" in failed["promise/full/return"].text


def test_hostile_text_is_text() -> None:
    text = reports("hostile").texts["junit"]
    (failed,) = read(text)["failed"]
    assert "]]> <b>&amp;</b> # SKIP all of it ### {0}" in failed.result[0].message
    assert "é中" in failed.result[0].text and "<![CDATA[" not in text
    assert "]]> <b>&amp;</b>" in JUnitXml.fromstring(text.encode()).name


def test_mutants_and_differences() -> None:
    run = reports("mutate")
    found = read(run.texts["junit"])
    assert len(found["passed"]) == len(run.json["killed"])
    assert len(found["failed"]) == len(run.json["survived"]) > 1
    assert "\n-\t*b |= 4;\n+\t*b &= 4;" in found["failed"][0].result[0].text
    assert [each.result[0].message for each in found["skipped"]] == [
        f"equivalent: {mutant['why']}" for mutant in run.json["equivalent"]]  # fmt: skip
    found = read(reports("diff").texts["junit"])
    assert "difference/add/exclusive" in names(found["failed"]) and found["passed"]
    assert "difference/add" in names(read(reports("same").texts["junit"])["passed"])


def test_known_and_inherited_findings_are_skipped_with_their_reason() -> None:
    found = read(render(outline(case("claim/a", known=KNOWN), case("claim/b", inherited=True), case())))
    assert [each.result[0].message for each in found["skipped"]] == [
        "known: it is mended in the next series (until 2031-05-01)",
        "inherited: the base does the same",
    ]
    assert "inc(n=1)" in found["skipped"][0].system_out and names(found["failed"]) == ["claim/x"]


def test_a_run_of_nothing_has_a_result() -> None:
    assert names(read(render(outline(status=0, command="diff")))["passed"]) == ["diff"]
    assert len(read(render(outline(status=2)))["error"]) == 1


@settings(max_examples=200)
@given(st.text(), st.text(), st.sampled_from(("pass", "fail", "unknown")))
def test_no_text_breaks_the_file(one: str, other: str, verdict: str) -> None:
    shown = outline(case(f"claim/{one}", verdict, title=other, explained=one, reason=other, contract=one),
                    title=one, remarks=(other,), errors=(one,), about=(other,), again=(one,))  # fmt: skip
    found = read(render(shown))
    end = {"pass": "passed", "fail": "failed", "unknown": "skipped"}[verdict]
    assert len(found[end]) == len(found["error"]) == 1
