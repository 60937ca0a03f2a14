# SPDX-License-Identifier: GPL-2.0-only
"""Findings as one C file: plain gcc compiles it, it shows the right values, exits 1, and 0 once mended."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from harness.contract import Contract
from harness.export.c_file import comment, quoted
from harness.loading import contract_path, load
from harness.trace_file import MOST_RECORDED, TraceFile, read_trace, trace_text
from kernel_snippets import BUNDLED_PATCH
from tests.cli import kconform
from tests.findings import FINDINGS, Planted, trace_of
from tests.planted import DEFECTS, REPAIR, plant
from tests.test_schemas import held


def export(trace: Path, out: Path, form: str = "--c") -> str:
    done = kconform("export", trace, form, "-o", out)
    assert done.status == 0, done.err
    return out.read_text()


def run(source: Path) -> tuple[int, list[str]]:
    """What the program does, compiled as its own head says."""
    command = re.search(r"^ \*   (gcc .*) && \./a\.out$", source.read_text(), re.M)
    assert command
    made = subprocess.run(command[1].split(), cwd=source.parent, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert not made.stderr
    done = subprocess.run(
        ["./a.out"], cwd=source.parent, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout.split("\n")


def contract_of(trace: TraceFile) -> Contract:
    return load(contract_path(trace.contract), trace.bounds).contract


def cells(row: str) -> list[str]:
    return re.split(r"\s{2,}", row.strip())


def code(text: str) -> str:
    """C of lines of a diff."""
    return "".join(line[1:] + "\n" for line in text.split("\n") if line and line[0] != "-")


def mended(text: str, planted: Planted) -> str:
    """An exported file in which somebody corrects what was planted."""
    for right, wrong in planted.edits if not planted.mended else [planted.mended[::-1]]:
        before, found, after = text.rpartition(code(wrong))
        assert found, wrong
        text = before + code(right) + after
    return text


@pytest.mark.parametrize("planted", FINDINGS, ids=lambda planted: planted.id)
def test_the_file_shows_the_finding_and_no_longer_once_it_is_mended(planted: Planted, tmp_path: Path) -> None:
    path = trace_of(planted)
    trace, out = read_trace(path), tmp_path / "finding.c"
    text = export(path, out)
    status, rows = run(out)
    assert status == 1, rows
    assert any(row.startswith(f"STILL THERE: {trace.id}: ") for row in rows)
    contract = contract_of(trace)
    shown = {cells(row)[0]: cells(row) for row in rows if re.match(r" *\d+  ", row)}
    for number, step in enumerate(trace.steps):
        if "stopped" in step.observed:
            assert str(number) not in shown or "deadlock" in shown[str(number)][1]
            continue
        values = [contract.word(name, step.observed[name]) for name in contract.observe]
        assert shown[str(number)][2 : 2 + len(values)] == values
    out.write_text(mended(text, planted))
    status, rows = run(out)
    assert status == 0, rows
    assert any(row.startswith(f"GONE: {trace.id}: ") for row in rows)


def test_the_head_says_what_and_how_and_the_patchs_text_is_unchanged(tmp_path: Path) -> None:
    text = export(trace_of(FINDINGS[0]), tmp_path / "finding.c")
    head = text.partition("*/")[0]
    for said in ("GPL-2.0-only", "FINDING claim/no-false-shared-with-two-mms  include/linux/rmap.h:264",
                 "as long as only two MMs", "diff sha256 ebb037f21f4e", "gcc finding.c && ./a.out",
                 "[PATCH v1 08/17] mm/rmap"):  # fmt: skip
        assert said in head
    patch = BUNDLED_PATCH.read_text()
    function = patch[patch.index("+static __always_inline void folio_add_large_mapcount") :].partition(
        "+}\n"
    )[0]
    assert code(function) in text
    before = text[: text.index("static __always_inline void folio_add_large_mapcount")]
    number, file, between = re.split(r'#line (\d+) "([^"]+)"\n', before)[-3:]
    assert (file, int(number) + between.count("\n")) == ("include/linux/rmap.h", 222)
    assert "folio_sub_large_mapcount" in text  # whoever mends it may need the patch's other functions
    assert "folio_test_locked" not in text  # but no shim that nothing calls
    assert len(text.split("\n")) < 800


def test_a_compilers_message_in_the_exported_file_names_its_own_lines(tmp_path: Path) -> None:
    out = tmp_path / "finding.c"
    text = export(trace_of(FINDINGS[0]), out)
    out.write_text(text.replace("static int run(void)\n{\n", "static int run(void)\n{\n\tnobody;\n"))
    made = subprocess.run(["gcc", out], cwd=tmp_path, capture_output=True, text=True, check=False)
    line = 1 + out.read_text().split("\n").index("\tnobody;")
    assert f"finding.c:{line}:" in made.stderr


def test_a_trace_that_is_gone_exits_0(tmp_path: Path) -> None:
    (tmp_path / "mail.txt").write_text(plant(REPAIR))
    done = kconform("export", trace_of(FINDINGS[0]), "--c", "--patch", tmp_path / "mail.txt",
                    "-o", tmp_path / "finding.c")  # fmt: skip
    assert done.status == 0, done.err
    assert run(tmp_path / "finding.c")[0] == 0


def test_a_sanitizers_file_says_how_it_is_compiled(tmp_path: Path) -> None:
    planted = next(planted for planted in FINDINGS if planted.sanitized)
    export(trace_of(planted), tmp_path / "finding.c")
    made = subprocess.run(["gcc", "finding.c"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode
    assert "compile with: gcc -g -fsanitize=undefined,address" in made.stderr


def test_what_cannot_be_exported_is_said_in_one_line(tmp_path: Path) -> None:
    whole = json.loads(trace_of(FINDINGS[0]).read_text())
    damaged = tmp_path / "damaged.json"
    cases = {
        "is not JSON": "{",
        "not a trace: id is not one": json.dumps({**whole, "id": "claim"}),
        "no contract nobody ships": json.dumps(
            {**whole, "contract": {**whole["contract"], "name": "nobody"}}
        ),
        "give --tree DIR": json.dumps({**whole, "tree": "linux"}),
        "was changed: its sha256": json.dumps(
            {**whole, "patches": [{**whole["patches"][0], "sha256": "0" * 64}]}
        ),
    }
    for said, text in cases.items():
        damaged.write_text(text)
        done = kconform("export", damaged, "--c")
        assert (done.status, done.out) == (2, ""), said
        assert said in done.err
        assert done.err.count("\n") == 1
    done = kconform("export", tmp_path / "none.json", "--kunit")
    assert done.status == 2
    assert "no such file" in done.err


EVIL = 'x*/ int evil; /* @slice@ @restore@ ???/" %s \\'


def test_what_a_stranger_writes_stays_in_comments_and_strings(tmp_path: Path) -> None:
    said = json.loads(trace_of(FINDINGS[0]).read_text())
    said |= {"title": EVIL, "quote": EVIL, "reason": EVIL}
    said["patches"][0] |= {"subject": EVIL, "source": EVIL}
    evil, out = tmp_path / "evil.json", tmp_path / 'odd " ???name.c'
    evil.write_text(json.dumps(said))
    for form in "--c", "--kunit":
        head, _, rest = export(evil, out, form).partition("*/")
        assert head.count("x* / int evil; / *") == 3 and "int evil" not in rest
        for word in ("constructor", "evil"):
            assert word not in re.sub(r"/\*.*?\*/", "", head + "*/" + rest, flags=re.S)
    export(evil, out)
    made = ["gcc", "-Wall", "-Werror=comment", "-trigraphs", out.name]
    done = subprocess.run(made, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert subprocess.run(["./a.out"], cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_a_place_in_a_trace_is_no_code(tmp_path: Path) -> None:
    said = json.loads(trace_of(FINDINGS[0]).read_text())
    said["where"]["file"] = "x*/ __attribute__((constructor)) void evil(void) { } /*"
    evil = tmp_path / "evil.json"
    evil.write_text(json.dumps(said))
    for form in "--c", "--kunit":
        done = kconform("export", evil, form)
        assert (done.status, done.out) == (2, "") and "characters that no path has" in done.err
    assert comment(iter([f"FINDING claim/x  {said['where']['file']}:1"])).count("*/") == 0


def test_no_two_question_marks_stand_in_a_string() -> None:
    assert quoted('a???/"?') == 'a?\\?\\?/\\"?'


@pytest.mark.parametrize("form", ["--c", "--kunit"])
def test_a_line_of_the_patch_is_no_mark(form: str, tmp_path: Path) -> None:
    marks = "+\t/*\n+@restore@\n+@slice@\n+@patch@\n+\t */\n"
    wrong, right = DEFECTS["wrong sign"]
    planted = Planted("conformance/sub/count1", "mm-owner-tracking", ((wrong, marks + right),))
    text = export(trace_of(planted), tmp_path / "finding.c", form)
    assert text.count("\t/*\n@restore@\n@slice@\n@patch@\n\t */\n") == 1
    if form == "--c":
        assert run(tmp_path / "finding.c")[0] == 1


# Walks.


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("walk") / "walk.json"
    done = kconform("record", BUNDLED_PATCH, "--calls", "2000", "--seed", "7", "-o", out)
    assert done.status == 0, done.err
    return out


def test_a_walk_is_the_same_again_from_its_seed_and_replays_as_recorded(walk: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    assert kconform("record", BUNDLED_PATCH, "--calls", "2000", "--seed", "7", "-o", again).status == 0
    assert again.read_bytes() == walk.read_bytes()
    assert walk.stat().st_size < 200_000
    trace = read_trace(walk)
    assert sum(1 for step in trace.steps if step.op) == 2000
    assert trace_text(trace) == walk.read_text()
    done = kconform("replay", walk)
    assert done.status == 0, done.err
    assert done.out.startswith("AS RECORDED")


def test_a_walk_in_json(walk: Path, tmp_path: Path) -> None:
    (tmp_path / "mail.txt").write_text(plant(REPAIR))
    finding = trace_of(FINDINGS[0])
    done = kconform("replay", walk, finding, "--format", "json")
    assert done.status == 1, done.err
    data = held("replay", done)
    assert [each["verdict"] for each in data["replays"]] == ["still there"]
    (same,) = data["walks"]
    assert (same["file"], same["verdict"], same["calls"]) == (str(walk), "as recorded", 2000)
    assert same["differs_at"] is None
    done = kconform("replay", walk, "--patch", tmp_path / "mail.txt", "--format", "json")
    assert done.status == 1, done.err
    (other,) = held("replay", done)["walks"]
    assert other["verdict"] == "changed" and other["differs_at"] > 0 and other["call"]
    assert (other["was"]["exclusive"], other["observed"]["exclusive"]) == (0, 1)


def test_a_walk_on_another_revision_says_the_first_step_that_differs(walk: Path, tmp_path: Path) -> None:
    (tmp_path / "mail.txt").write_text(plant(REPAIR))
    done = kconform("replay", walk, "--patch", tmp_path / "mail.txt")
    assert done.status == 1
    first = r"CHANGED: .*\n  step \d+, (add|inc|set|sub|dec)\(.*\):\n  exclusive: was 0, now 1"
    assert re.search(first, done.out)  # fmt: skip


def test_a_damaged_walk_is_refused(walk: Path, tmp_path: Path) -> None:
    whole = json.loads(walk.read_text())
    steps = whole["walk"]["steps"]
    cases = {
        "there are not 0 whole numbers": [[-1, [1], steps[0][2]], *steps[1:]],
        "has no operation that the walk names": [steps[0], [99, [], steps[1][2]]],
        "is not an operation, arguments and": [steps[0], [0]],
        "it has no steps, or more than": [],
        "step 0 has no operation": steps[1:],
        "is not an argument of": [steps[0], [0, [0] * len(steps[1][1]), steps[1][2]]],
        f"more than {MOST_RECORDED}": [steps[0]] * (MOST_RECORDED + 2),
    }
    for said, rows in cases.items():
        if said == "is not an argument of":
            first = next(row for row in steps if row[0] >= 0)
            rows = [steps[0], [first[0], [10**9] * len(first[1]), first[2]]]
        damaged = tmp_path / "damaged.json"
        damaged.write_text(json.dumps({**whole, "walk": {**whole["walk"], "steps": rows}}))
        done = kconform("replay", damaged)
        assert done.status == 2, (said, done.out)
        assert said in done.err
    done = kconform("record", BUNDLED_PATCH, "--calls", "0", "-o", tmp_path / "none.json")
    assert (done.status, "is not from 1 to" in done.err) == (2, True)
