# SPDX-License-Identifier: GPL-2.0-only
"""The published JSON Schemas against what the commands write."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from harness.report.schema import FOLDER, SHARED, names, read
from kernel_snippets import BUNDLED_PATCH
from tests.cli import ONE, QUICK, Done, kconform
from tests.mails import next_revision
from tests.mini_kernel import COUNTER, counter_contract, mini_kernel
from tests.reports import CHECKS, NARROW, planted, reports
from tests.test_stages import BAD, DOWN, GOOD, WRONG, history
from tests.test_tree import git

AS_JSON = ("--format", "json")
ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.xdist_group("reports")


def validator(name: str) -> Draft202012Validator:
    """Of what `kconform schema NAME` prints, alone: it refers to nothing that is elsewhere."""
    done = kconform("schema", name)
    assert (done.status, done.err) == (0, "")
    Draft202012Validator.check_schema(done.json)
    return Draft202012Validator(done.json)


def held(name: str, done: Done) -> Any:
    """The JSON of a command, which keeps to the schema."""
    assert done.status in (0, 1), done.err
    validator(name).validate(done.json)
    return done.json


def parts(schema: Any) -> Iterator[Any]:
    """Every object in a schema."""
    if isinstance(schema, dict):
        yield schema
    for each in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from parts(each)


@pytest.mark.parametrize("name", [*names(), SHARED])
def test_every_property_is_described_and_nothing_else_is_let_in(name: str) -> None:
    schema = read(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:kconform:schema:1:{name}" and schema["title"] and schema["description"]
    open_to_more = [*read(SHARED)["$defs"].values(), *schema.get("$defs", {}).values()]
    for each in parts(schema):
        for key, value in each.get("properties", {}).items():
            assert isinstance(value, bool) or {"description", "$ref", "const"} & value.keys(), key
        if each.get("type") == "object" and "properties" in each:
            assert {"additionalProperties", "unevaluatedProperties"} & each.keys() or each in open_to_more


@pytest.mark.parametrize("name", CHECKS)
def test_checks(name: str) -> None:
    validator("check").validate(reports(name).json)


def test_a_series() -> None:
    data = reports("series").json
    assert data["series"] and any(check.get("within") for check in data["checks"])


def test_comparisons_and_mutants() -> None:
    validator("diff").validate(reports("diff").json)
    validator("diff").validate(reports("same").json)
    validator("mutate").validate(reports("mutate").json)
    with tempfile.TemporaryDirectory() as folder:
        shard = planted(Path(folder), "--shard", "1/2").json
    validator("mutate").validate(shard)
    assert shard["shard"]["command"] == "mutate"


def test_a_check_with_all_that_it_can_say(tmp_path: Path) -> None:
    kernel = mini_kernel(tmp_path / "linux")
    (kernel / "include/linux/counter.h").write_text(COUNTER.replace(DOWN, WRONG))
    options = ("--contract", counter_contract(tmp_path), "--coverage", "--traces", tmp_path)
    arguments = ("check", "--tree", kernel, *options, *AS_JSON)
    held("check", kconform(*arguments))
    data = held("check", kconform(*arguments))
    assert data["coverage"]["functions"] and data["traces"]
    traces = sorted(path for path in tmp_path.iterdir() if path.suffix == ".json")
    assert len(traces) == 2
    replays = held("replay", kconform("replay", *traces, "--tree", kernel, *options[:2], *AS_JSON))["replays"]
    assert {replay["verdict"] for replay in replays} == {"still there"}
    lost = kconform("replay", *traces, *AS_JSON)  # without the tree
    validator("replay").validate(lost.json)
    assert {replay["verdict"] for replay in lost.json["replays"]} == {"cannot be run"}


def test_strength() -> None:
    done = kconform("check", BUNDLED_PATCH, "--contract", "without-mm-id", "--strength", *QUICK, *AS_JSON)
    assert held("check", done)["strength"]["total"]


def test_walks_and_sanitizers() -> None:
    (part,) = held("check", kconform("check", BUNDLED_PATCH, *ONE, "--walk", 2000, *AS_JSON))["contracts"]
    assert part["walk"]["transitions"] == 2000 and part["sanitizers"]["transitions"] > 0


def test_shards_and_what_they_are_merged_to(tmp_path: Path) -> None:
    shards = []
    for number in (1, 2):
        shards.append(tmp_path / f"{number}.json")
        arguments = ("check", BUNDLED_PATCH, *QUICK, "--shard", f"{number}/2", "-o", shards[-1], *AS_JSON)
        assert kconform(*arguments).err == ""
        data = json.loads(shards[-1].read_text())
        validator("check").validate(data)
        assert data["shard"]["number"] == number and data["timing"]["seconds"] > 0
    assert "shard" not in held("check", kconform("merge", *shards, *AS_JSON))


def test_a_baseline_and_what_it_knows(tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    arguments = ("check", BUNDLED_PATCH, *ONE, *QUICK, *AS_JSON)
    kconform(*arguments, "--write-baseline", known, "--reason", "mended in v2")
    entries = json.loads(known.read_text())
    validator("baseline").validate(entries)
    data = held("check", kconform(*arguments, "--baseline", known))
    assert len(entries["findings"]) == sum(bool(check.get("known")) for check in data["checks"]) == 3


def test_of_functions_that_no_contract_covers(tmp_path: Path) -> None:
    kernel = mini_kernel(tmp_path / "linux")
    patch = tmp_path / "c.diff"
    git(kernel, "init", "-q")
    history(kernel, COUNTER, COUNTER.replace(GOOD, BAD))
    patch.write_text(git(kernel, "show", "--format="))
    git(kernel, "checkout", "-q", "HEAD~1")
    data = held("check", kconform("check", "--tree", kernel, patch, *AS_JSON))
    assert data["base"] and data["derived"]
    compared = held("diff", kconform("diff", "--tree", kernel, patch, *AS_JSON))
    assert compared["verdict"] == "different" and compared["interface"]["changes"]


def test_costs() -> None:
    done = kconform("diff", BUNDLED_PATCH, next_revision(), *ONE, *NARROW, "--walk", 0, "--cost", *AS_JSON)
    assert held("diff", done)["cost"]["new"]["operations"]


def test_the_matrix() -> None:
    done = kconform("check", BUNDLED_PATCH, *ONE, *NARROW, *QUICK, "--matrix", *AS_JSON)
    data = held("matrix", done)
    assert any(cell["check"] for cell in data["cells"]) and data["findings"]


def test_what_is_read_and_not_run(tmp_path: Path) -> None:
    kernel = mini_kernel(tmp_path / "linux")
    assert held("layout", kconform("layout", BUNDLED_PATCH, *AS_JSON))["records"]
    assert held("extract", kconform("extract", BUNDLED_PATCH, "--json"))["items"]
    header = "include/linux/counter.h"
    assert held("extract", kconform("extract", "--tree", kernel, header, "--json"))["items"]
    assert held("census", kconform("census", "--tree", kernel, header, *AS_JSON))["headers"]
    assert held("contracts", kconform("contracts", *AS_JSON))["contracts"]
    assert held("contracts", kconform("contracts", BUNDLED_PATCH, *AS_JSON))["contracts"][0]["fits"] in (
        True, False)  # fmt: skip


def test_what_the_schema_does_not_know_is_refused() -> None:
    data = reports("hostile").json
    for change in (
        lambda new: new | {"more": 1},
        lambda new: {key: value for key, value in new.items() if key != "checks"},
        lambda new: new | {"checks": [new["checks"][0] | {"more": 1}]},
        lambda new: new | {"checks": [new["checks"][0] | {"kind": "is broken"}]},  # of one that passes
        lambda new: new | {"explored": new["explored"] | {"states": "many"}},
        lambda new: {key: value for key, value in new.items() if key != "config"},
    ):
        with pytest.raises(ValidationError):
            validator("check").validate(change(data))


def test_the_command_lists_them_and_names_what_is_none(tmp_path: Path) -> None:
    done = kconform("schema")
    assert [line.partition(":")[0] for line in done.out.splitlines()] == names()
    assert "check: kconform check --format json" in done.out
    wrong = kconform("schema", "../schemas/check")
    assert wrong.status == 2 and wrong.err.startswith("kconform: error: there is no schema ../schemas/check;")
    kconform("schema", "check", "-o", tmp_path / "check.json")
    assert json.loads((tmp_path / "check.json").read_text()) == kconform("schema", "check").json


def test_they_are_installed_with_the_rest() -> None:
    listed = (ROOT / "pyproject.toml").read_text()
    assert '"report/schemas/*"' in listed and FOLDER == ROOT / "harness/report/schemas"
