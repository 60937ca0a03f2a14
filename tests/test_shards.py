# SPDX-License-Identifier: GPL-2.0-only
"""A run in shards is the same run: merged, its reports are those of one run, byte by byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernel_snippets import BUNDLED_PATCH
from tests.cli import QUICK, Done, kconform
from tests.mini_kernel import COUNTER, counter_contract, mini_kernel
from tests.test_composed import fix
from tests.test_stages import BAD, GOOD, history
from tests.test_tree import git


def shards(folder: Path, count: int, *words: object) -> list[Path]:
    """The reports of all shards of a command."""
    folder.mkdir(exist_ok=True)
    made = [folder / f"{number}.json" for number in range(1, count + 1)]
    for number, path in enumerate(made, 1):
        kconform(*words, "--shard", f"{number}/{count}", "--format", f"json:{path}")
    return made


def without_timing(done: Done) -> object:
    said = done.json
    assert isinstance(said.pop("timing", {}), dict)
    return said


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("shards")
    return shards(folder, 3, "check", BUNDLED_PATCH, *QUICK, "--coverage")


def test_merged_shards_are_one_run(whole: list[Path]) -> None:
    command = ("check", BUNDLED_PATCH, *QUICK, "--coverage")
    one, merged = kconform(*command), kconform("merge", *reversed(whole))
    assert (one.status, one.out) == (merged.status, merged.out)
    merged = kconform("merge", *whole, "--format", "json")
    assert without_timing(kconform(*command, "--format", "json")) == without_timing(merged)
    verbose = kconform("merge", *whole, "-v")
    assert verbose.out == kconform(*command, "-v").out


def test_a_shard_says_that_it_is_one(whole: list[Path]) -> None:
    done = kconform("check", BUNDLED_PATCH, *QUICK, "--shard", "2/3")
    assert "shard 2/3: a part of the run, to be merged with the others" in done.out
    names = [{c["contract"] for c in json.loads(path.read_text())["checks"]} for path in whole]
    assert all(names) and not names[0] & names[1] and not names[0] & names[2]


def test_more_shards_than_contracts(tmp_path: Path) -> None:
    words = ("check", BUNDLED_PATCH, "--contract", "mm-ids-word", *QUICK)
    made = shards(tmp_path / "many", 4, *words)
    assert kconform("merge", *made).out == kconform(*words).out


def test_a_series_in_shards(tmp_path: Path) -> None:
    box = tmp_path / "mails"
    box.mkdir()
    (box / "1").write_text(BUNDLED_PATCH.read_text().replace("[PATCH v1 08/17]", "[PATCH v1 1/3]", 1))
    (box / "2").write_text(fix("2/3", "diff - 1", "diff"))
    (box / "3").write_text(fix("3/3", "diff", "diff - 1"))
    words = ("check", box, *QUICK)
    one = kconform(*words)
    assert "2/3 mm/rmap: again: brings " in one.out
    assert kconform("merge", *shards(tmp_path / "parts", 2, *words)).out == one.out


def test_a_tree_in_shards(tmp_path: Path) -> None:
    contract = counter_contract(tmp_path)
    kernel = mini_kernel(tmp_path / "linux")
    git(kernel, "init", "-q")
    history(kernel, COUNTER, COUNTER.replace(GOOD, BAD))
    words = ("check", "--tree", kernel, "--contract", contract, *QUICK, "--range", "HEAD~1..HEAD")
    one = kconform(*words)
    assert one.status == 1
    assert kconform("merge", *shards(tmp_path / "parts", 2, *words)).out == one.out


def test_mutants_in_shards(tmp_path: Path) -> None:
    words = ("mutate", BUNDLED_PATCH, "--contract", "mm-ids-word")
    made = shards(tmp_path / "mutants", 2, *words)
    totals = [json.loads(path.read_text())["total"] for path in made]
    one = kconform(*words)
    assert min(totals) > 0
    assert (kconform("merge", *made).out, kconform("merge", *made).status) == (one.out, one.status)


def test_a_baseline_can_be_given_at_the_end(whole: list[Path], tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    written = kconform("merge", *whole, "--write-baseline", known)
    assert written.status == 0 and kconform("merge", *whole, "--baseline", known).status == 0
    assert kconform("merge", *whole).status == 1


def test_what_is_not_one_run_is_refused(whole: list[Path], tmp_path: Path) -> None:
    other = shards(tmp_path / "other", 3, "check", BUNDLED_PATCH, "--contract", "mm-ids-word", *QUICK)
    for given, words in (
        (whole[:2], "of 3 shards, 3 missing"),
        ([whole[0], whole[0]], "shard 1 is there twice"),
        ([*whole[:2], other[2]], "it is of another run than"),
        ([BUNDLED_PATCH], "it is not JSON"),
    ):
        done = kconform("merge", *given)
        assert done.status == 2 and words in done.err and done.err.count("\n") == 1 and not done.out


def damaged(path: Path, folder: Path, **values: object) -> Path:
    said = json.loads(path.read_text())
    said["shard"] |= values
    made = folder / "damaged.json"
    made.write_text(json.dumps(said))
    return made


def test_what_is_damaged_is_refused(whole: list[Path], tmp_path: Path) -> None:
    document = json.loads(whole[0].read_text())["shard"]["document"]
    for values, words in (
        ({"document": {}}, "it is damaged, or of another version"),
        ({"document": document | {"cases": 3}}, "it is damaged, or of another version"),
        ({"number": 9}, "there is no such shard as 9 of 3"),
        ({"of": "3"}, "it is no report of a shard"),
        ({"command": "rm"}, "there is no such shard"),
    ):
        done = kconform("merge", damaged(whole[0], tmp_path, **values), *whole[1:])
        assert done.status == 2 and words in done.err and done.err.count("\n") == 1, (values, done.err)
    plain = tmp_path / "plain.json"
    plain.write_text('{"schema": 1}')
    assert "it is no report of a shard" in kconform("merge", plain).err


@pytest.mark.parametrize("word", ["0/3", "4/3", "x", "1", "1/2/3"])
def test_a_shard_that_there_cannot_be(word: str) -> None:
    done = kconform("check", BUNDLED_PATCH, "--shard", word)
    assert done.status == 2 and "is no shard; give it as K/N" in done.err


def test_options_that_do_not_go_with_shards() -> None:
    assert "kconform mutate --shard" in kconform("check", BUNDLED_PATCH, "--strength", "--shard", "1/2").err
    assert (
        "--shard is of one configuration"
        in kconform("check", BUNDLED_PATCH, "--matrix", "--shard", "1/2").err
    )
