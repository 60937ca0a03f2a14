# SPDX-License-Identifier: GPL-2.0-only
"""Findings as files: saved, run again on the same and on other revisions, and files that are damaged."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extractor.mail import read_mails
from extractor.patch import parse_patch
from harness.loading import contract_path
from harness.trace_file import Diff, read_trace, trace_text
from kernel_snippets import BUNDLED_PATCH
from tests.cli import ONE, QUICK, Done, kconform
from tests.mails import FORMS, next_revision
from tests.planted import DEFECTS, REPAIR, V1, added, plant
from tests.test_check import RENAMED

ROOT = Path(__file__).parents[1]
CLAIM = "claim-no-false-shared-with-two-mms-d3046948.json"
SUB = "+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;"
ADD = "+	mapcount_val = atomic_read(&folio->_large_mapcount) + diff;"
FAR = (ADD, ADD.replace("+ diff;", "+ diff + (diff >= 512);"))  # shows beyond the bounds only
SHIFT = (SUB, SUB + "\n+	mapcount_val += 0 * (1 << (diff + 31));")
SMASH = (
    SUB,
    added(
        "	for (int i = 0; i < 8192; i++)\n		((volatile char *)__builtin_frame_address(0))[i] = 65;"
    )
    + SUB,
)  # nothing above it on the stack is left, so its worker dies


def save(text: str, folder: Path, *arguments: object) -> Done:
    """A check that saves its findings; without `arguments`, those of an exploration alone."""
    done = kconform("check", *ONE, "-", "--traces", folder, *(arguments or QUICK), stdin=text)
    assert done.status == 1, done.err
    return done


def replays(*arguments: object, status: int) -> dict[str, Any]:
    """What `kconform replay` says, by check."""
    done = kconform("replay", *arguments, "--format", "json")
    assert done.status == status, (done.out, done.err)
    return {said["id"]: said for said in done.json["replays"]}


def mail(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mail.txt"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The traces of the bundled patch."""
    folder = tmp_path_factory.mktemp("traces")
    save(V1, folder)
    return folder


def test_each_finding_is_saved_and_stands_alone(traces: Path, tmp_path: Path) -> None:
    assert sorted(os.listdir(traces)) == [
        CLAIM, "conformance-add-exclusive-d3046948.json", "conformance-inc-exclusive-c4c2bf0e.json",
    ]  # fmt: skip
    assert all(path.stat().st_size < 20_000 for path in traces.iterdir())
    (tmp_path / "alone").mkdir()
    copied = tmp_path / "alone" / "t.json"
    copied.write_bytes((traces / CLAIM).read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "replay", "t.json"], cwd=copied.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("STILL THERE: claim/no-false-shared-with-two-mms  t.json\n")
    assert "1  add(mm=0, diff=1)  1         shared     mm0 x1" in done.stdout
    assert "exclusive: the model expects 1, the code gives 0" in done.stdout
    assert os.listdir(copied.parent) == ["t.json"]


def test_what_is_readable_comes_first(traces: Path) -> None:
    said = json.loads((traces / CLAIM).read_text())
    assert list(said)[:6] == ["schema", "id", "title", "quote", "reason", "where"]
    assert list(said)[-2:] == ["steps", "patches"]
    assert said["steps"][1]["fails"] == ["claim/no-false-shared-with-two-mms", "conformance/add/exclusive"]
    trace = read_trace(traces / CLAIM)
    assert trace_text(trace) == (traces / CLAIM).read_text() and trace.name == CLAIM


def test_a_repaired_revision_is_gone(traces: Path, tmp_path: Path) -> None:
    repaired = mail(tmp_path, plant(REPAIR))
    done = kconform("replay", *traces.iterdir(), "--patch", repaired)
    assert (done.status, done.err) == (0, "")
    assert done.out.count("GONE: ") == 3 and "exclusive (was shared)" in done.out


def test_the_readme_shows_what_is_printed(traces: Path, tmp_path: Path) -> None:
    (tmp_path / "traces").symlink_to(traces)
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "replay", f"traces/{CLAIM}", "--patch", "-"], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        input=plant(REPAIR),
    )  # fmt: skip
    assert done.stdout and done.stdout in (ROOT / "README.md").read_text()


def test_what_changed_is_said(traces: Path, tmp_path: Path) -> None:
    # On a copy that counts otherwise the same check fails, with another value.
    other = mail(tmp_path, plant((ADD, ADD.replace("+ diff;", "+ diff + 1;"))))
    said = replays(traces / CLAIM, "--patch", other, status=1)["claim/no-false-shared-with-two-mms"]
    assert said["verdict"] == "changed" and "mapcount: was 1, now 2" in said["how"]
    # Where the check passes and another one fails, that is named.
    repaired = mail(tmp_path, plant(REPAIR, (ADD, ADD.replace("+ diff;", "+ diff - 0 * diff;"))))
    assert replays(traces / CLAIM, "--patch", repaired, status=0)
    wrong = "+			folio_set_mm0_id(folio, mm_id);\n+			folio->_mm0_mapcount = diff - 1;"
    broken = mail(tmp_path, plant(REPAIR, (wrong, wrong.replace("diff - 1", "diff"))))
    said = replays(traces / CLAIM, "--patch", broken, status=1)["claim/no-false-shared-with-two-mms"]
    assert said["verdict"] == "changed"
    assert any("conformance/add/count0 fails at step 1" in how for how in said["how"]), said["how"]


def test_a_check_that_fails_earlier_or_a_step_that_is_not_legal_is_a_change(tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    save(plant(REPAIR, DEFECTS["wrong sign"]), folder)
    name = next(folder.glob("conformance-sub-count1-*"))
    said = json.loads(name.read_text())
    first, illegal = copy.deepcopy(said), copy.deepcopy(said)
    last = first["steps"][-1]
    first["steps"].append({**last, "op": "add", "args": {"mm": 0, "diff": 1}})
    name.write_text(json.dumps(first))
    assert "fails already at step 3" in replays(name, status=1)["conformance/sub/count1"]["how"][0]
    illegal["steps"][2] = {**illegal["steps"][2], "op": "set", "args": {"mm": 1, "n": 1}}
    name.write_text(json.dumps(illegal))
    how = replays(name, status=1)["conformance/sub/count1"]["how"]
    assert how == ["conformance/sub/count1 does not fail",
                   "step 2, set(mm=1, n=1), is no longer legal under the contract"]  # fmt: skip


@pytest.mark.parametrize(
    "edit, name",
    [
        (DEFECTS["null dereference"], "crash/sub"),
        (DEFECTS["endless loop"], "crash/sub"),
        (DEFECTS["missing unlock"], "crash/deadlock"),
        (DEFECTS["dropped warning"], "misuse/set_flag/small-folio"),
        (DEFECTS["foreign field"], "conformance/set/elsewhere"),
        (DEFECTS["second atomic"], "claim/one-atomic-rmw-per-update"),
        (SHIFT, "sanitizer/sub/shift-out-of-bounds"),
        (SMASH, "crash/sub"),
    ],
)
def test_every_kind_of_finding_runs_again(edit: tuple[str, str], name: str, tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    save(plant(REPAIR, edit), folder, *(QUICK[: 3 if name.startswith("sanitizer") else 4]))
    repaired = mail(tmp_path, plant(REPAIR))
    files = sorted(folder.iterdir())
    said = replays(*files, status=1)
    assert said[name]["verdict"] == "still there"
    assert {one["verdict"] for one in said.values()} == {"still there"}
    gone = replays(*files, "--patch", repaired, status=0)
    assert {one["verdict"] for one in gone.values()} == {"gone"} and set(gone) == set(said)


def test_what_a_random_walk_found_runs_in_the_walks_bounds(tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    save(plant(REPAIR, FAR), folder, "--no-sanitizers")
    path = next(folder.glob("conformance-add-mapcount-*"))
    trace = json.loads(path.read_text())
    assert trace["found"] == "walk" and trace["seed"] == 1 and trace["bounds"]["mms"] == 12
    assert trace["steps"][1]["args"]["diff"] >= 512
    assert replays(path, status=1)["conformance/add/mapcount"]["verdict"] == "still there"
    assert replays(path, "--patch", mail(tmp_path, plant(REPAIR)), status=0)
    again = kconform("check", *ONE, "-", "--traces", folder, *QUICK, stdin=plant(REPAIR, FAR))
    assert again.status == 1 and "trace/conformance-add-mapcount-" in again.out


def test_the_next_revision_has_lost_the_finding(traces: Path) -> None:
    v2 = next_revision()
    done = kconform("replay", traces / CLAIM, "--patch", v2)
    assert (done.status, done.err) == (0, "") and done.out.startswith("GONE")
    modelled = next(path for path in traces.iterdir() if path.name.startswith("conformance-add"))
    gone = kconform("replay", modelled, "--patch", v2)
    assert gone.status == 0 and gone.out.startswith("GONE: conformance/add/exclusive")


def test_no_contract_fits_other_names(traces: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.patch"
    other.write_text(RENAMED)
    done = kconform("replay", traces / CLAIM, "--patch", other)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert "cannot be run: no contract fits this patch" in done.err


def test_a_contract_file_of_ones_own_is_needed_again(tmp_path: Path) -> None:
    text = contract_path("mm-owner-tracking").read_text()
    mine, folder = tmp_path / "mine.py", tmp_path / "traces"
    mine.write_text(text.replace("return t.mapcount == sum(g.maps)", "return t.mapcount < 3"))
    save(plant(REPAIR), folder, *QUICK, "--contract", mine)
    path = next(folder.glob("claim-mapcount-is-the-sum-*"))
    lost = kconform("replay", path)
    assert lost.status == 2 and lost.err.count("\n") == 1 and "mine.py" in lost.err
    assert replays(path, "--contract", mine, status=1)["claim/mapcount-is-the-sum"]["notes"] == []
    mine.write_text(text + "\n")
    note = replays(path, "--contract", mine, status=0)["claim/mapcount-is-the-sum"]["notes"][0]
    assert "not the same text" in note
    check = kconform("check", *ONE, *QUICK, BUNDLED_PATCH, "--traces", folder, "--format", "json")
    assert check.check(f"trace/{path.stem}")["verdict"] == "unknown"


def test_a_folder_of_traces_over_two_revisions(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "traces"
    first = save(V1, folder)
    assert f"run them again: kconform replay {folder}/FILE" in first.out
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    second = save(V1, folder)
    assert "saved traces: 3 replayed: 3 still there" in second.out and "trace/" not in second.out
    saved = ("check", *ONE, *QUICK, "-", "--traces", folder)
    third = kconform(*saved, "--format", "json", stdin=plant(REPAIR))
    assert (third.status, third.failed()) == (0, set())
    assert third.check(f"trace/{CLAIM[:-5]}")["verdict"] == "pass"
    assert {said["verdict"] for said in third.json["traces"]} == {"gone"}
    (folder / "broken.json").write_text("{")
    fourth = kconform(*saved, stdin=plant(REPAIR))
    assert fourth.status == 0 and "cannot be run: broken.json: not a trace" in fourth.out
    (folder / "broken.json").unlink()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def test_same_input_same_bytes_in_every_form_of_the_mail(traces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    kconform("check", *ONE, *QUICK, BUNDLED_PATCH, "--traces", folder)
    other = {path.name: path.read_text() for path in folder.iterdir()}
    for path in traces.iterdir():
        said, same = json.loads(path.read_text()), json.loads(other[path.name])
        said["patches"][0]["source"] = same["patches"][0]["source"]
        assert said == same
    folder2 = tmp_path / "again"
    kconform("check", *ONE, *QUICK, BUNDLED_PATCH, "--traces", folder2)
    assert other == {path.name: path.read_text() for path in folder2.iterdir()}


@pytest.mark.parametrize("form", FORMS)
def test_a_diff_is_the_same_after_the_way_through_a_file(form: str, tmp_path: Path) -> None:
    path = tmp_path / "mail"
    path.write_bytes(FORMS[form])
    patch = next(parse_patch(m) for m in read_mails([str(path)]) if "08/17" in m.subject or not m.subject)
    again = Diff(patch.subject, "x", patch.sha256, patch.diff).patch("x")
    assert [f.hunks for f in again.files] and again.sha256 == patch.sha256


def test_without_traces_nothing_is_written(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "check", str(BUNDLED_PATCH), *ONE, *QUICK], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "run them again: kconform check … --traces DIR; kconform replay DIR/FILE" in done.stdout
    assert not list(tmp_path.iterdir())


# Files from strangers.

Edit = Callable[[dict[str, Any]], object]


def step(said: dict[str, Any], **changes: object) -> None:
    said["steps"][1].update(changes)


HOSTILE: dict[str, tuple[Edit, str]] = {
    "schema": (lambda t: t.update(schema=2), "schema"),
    "missing key": (lambda t: t.pop("steps"), "no steps"),
    "wrong type": (lambda t: t.update(bounds=[1]), "bounds is not an object"),
    "bool for int": (lambda t: t["bounds"].update(mms=True), "not a whole number"),
    "float": (lambda t: t["bounds"].update(mms=3.5), "not a whole number"),
    "not a number": (lambda t: t["bounds"].update(mms=float("nan")), "not a whole number"),
    "huge number": (lambda t: step(t, args={"mm": 10**400, "diff": 1}), "64 bits"),
    "65 bits": (lambda t: step(t, args={"mm": 0, "diff": 2**63}), "64 bits"),
    "unknown operation": (lambda t: step(t, op="frobnicate"), "no operation frobnicate"),
    "unknown argument": (lambda t: step(t, args={"mm": 0, "n": 1}), "takes mm, diff"),
    "argument out of range": (lambda t: step(t, args={"mm": 4096, "diff": 1}), "not an argument"),
    "negative argument": (lambda t: step(t, args={"mm": -1, "diff": 1}), "not an argument"),
    "no such check": (lambda t: t.update(id="claim/nonsense"), "no check claim/nonsense"),
    "an id that is a path": (lambda t: t.update(id="../../etc/passwd"), "id is not one"),
    "contract file": (lambda t: t["contract"].update(name="/tmp/evil.py"), "contract.name is not one"),
    "contract path": (lambda t: t["contract"].update(name="evil.py"), "no contract evil.py ships"),
    "bound out of range": (lambda t: t["bounds"].update(mms=10**9), "out of range"),
    "unknown bound": (lambda t: t["bounds"].update(cats=1), "no bound cats"),
    "config": (lambda t: t["config"].update({"X=1 -fplugin=evil.so": "y"}), "option's name"),
    "escape codes": (lambda t: t.update(title="\x1b[2J"), "one line"),
    "a place that ends a comment": (lambda t: t["where"].update(file="x*/ int evil; /*"), "no path has"),
    "a place that ends a string": (lambda t: t["where"].update(file='x"'), "no path has"),
    "a place that ends a line": (lambda t: t["where"].update(file="x.h\\"), "no path has"),
    "a trigraph": (lambda t: t["where"].update(file="x.h??/"), "no path has"),
    "an absolute place": (lambda t: t["where"].update(file="/etc/passwd"), "leaves the tree"),
    "a place above": (lambda t: t["where"].update(file="mm/../../x.h"), "leaves the tree"),
    "half a character": (lambda t: t.update(quote="\ud800"), "one line"),
    "half a character in the diff": (lambda t: t["patches"][0]["diff"].append("\ud800"), "list of lines"),
    "lines in lines": (lambda t: t["patches"][0]["diff"].append("+a\n+b"), "list of lines"),
    "changed diff": (lambda t: t["patches"][0]["diff"].__setitem__(8, "+ another"), "was changed"),
    "no patch": (lambda t: t.update(patches=[]), "empty"),
    "no diff": (lambda t: t["patches"][0].update(diff=[]), "error"),
    "too many steps": (lambda t: t["steps"].extend([t["steps"][1]] * 4096), "4096"),
    "two beginnings": (lambda t: t["steps"].append(t["steps"][0]), "initial"),
    "no beginning": (lambda t: t["steps"].pop(0), "initial"),
    "a probe on the way": (lambda t: t["steps"].insert(1, {**t["steps"][1], "op": "set_flag", "args": {}}),
                           "is a probe"),
    "list": (lambda t: t.update(steps=[[1]]), "not an object"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_trace_with_a_wrong_value_is_one_line(kind: str, traces: Path, tmp_path: Path) -> None:
    edit, words = HOSTILE[kind]
    said = json.loads((traces / CLAIM).read_text())
    edit(said)
    path = tmp_path / "t.json"
    path.write_text(json.dumps(said))
    refused(path, words)


def refused(path: Path, words: str) -> None:
    done = kconform("replay", path)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
    assert done.err.startswith(f"{path}") and ": error: " in done.err and words in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[" * 200_000, "nested"),
        (b'{"a":' * 200_000, "nested"),
        (b"[]", "not an object"),
        (b'{"schema": 1, "schema": 1}', "same key twice"),
        (b"9" * 100_000, "64 bits"),
        (b'{"schema": 1}', "no contract"),
        (b"null", "not an object"),
    ],
)
def test_what_is_no_trace_is_one_line(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(data)
    refused(path, words)


def test_links_folders_and_pipes_are_not_read(traces: Path, tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(traces / CLAIM)
    refused(tmp_path / "link.json", "symbolic link")
    refused(tmp_path, "no file")
    os.mkfifo(tmp_path / "pipe.json")
    refused(tmp_path / "pipe.json", "no file")
    refused(tmp_path / "absent.json", "no such file")


def test_a_saved_trace_follows_no_link(tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    folder.mkdir()
    (folder / CLAIM).symlink_to(tmp_path / "elsewhere")
    save(V1, folder)
    assert not (tmp_path / "elsewhere").exists() and (folder / CLAIM).is_symlink()
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_trace_cannot_bring_code_that_a_patch_could_not(traces: Path, tmp_path: Path) -> None:
    said = json.loads((traces / CLAIM).read_text())
    path = mail(tmp_path, plant((SUB, '+	asm volatile("syscall");\n' + SUB)))
    patch = parse_patch(read_mails([str(path)])[0])
    said["patches"][0].update(diff=list(patch.diff), sha256=patch.sha256)
    evil = tmp_path / "t.json"
    evil.write_text(json.dumps(said))
    done = kconform("replay", evil)
    assert done.status == 2 and "inline assembly" in done.err and done.err.count("\n") == 1
