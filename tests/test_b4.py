# SPDX-License-Identifier: GPL-2.0-only
"""The format that `b4 review` reads, run by b4's own code."""

from __future__ import annotations

import email
import email.policy
import json
import shlex
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from harness.report import b4 as b4_format
from harness.report.document import Case, Known
from harness.report.outline import Outline, Suite
from tests.cli import ONE, QUICK, kconform
from tests.mails import BODY, FORMS, SUBJECT, V1, message
from tests.test_toys import added_file

KCONFORM = Path(sys.executable).parent / "kconform"
FALSE_SHARED = "claim/no-false-shared-with-two-mms"
TRACKER = "include/linux/rmap.h:264"
COMMAND = shlex.join([str(KCONFORM), "check", "-", "--format", "b4", *ONE, *QUICK])


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """b4's module that runs review-perpatch-check-cmd and review-series-check-cmd."""
    try:
        import b4.review.checks as module
    except ImportError as err:
        pytest.fail(f"{err}; with Python 3.11 or newer, pip install 'b4>=0.16' brings b4 with its review")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return module


def as_b4_has_it(data: bytes) -> EmailMessage:
    import b4

    return email.message_from_bytes(data, policy=b4.emlpolicy)


def run(checks: Any, folder: Path, data: bytes, command: str = COMMAND) -> dict[str, str]:
    """What b4 makes of one mail: exactly one result."""
    results = checks.run_perpatch_checks([("id@x", as_b4_has_it(data))], [command], str(folder))["id@x"]
    (result,) = results
    return dict(result)


@pytest.mark.parametrize("form", ["8bit", "quoted-printable", "base64", "multipart", "format-patch"])
def test_b4_runs_it_on_every_form_of_a_mail(checks: Any, tmp_path: Path, form: str) -> None:
    """b4 hands a body on decoded, below the headers of the encoded one."""
    result = run(checks, tmp_path, FORMS[form].partition(b"\n")[2] if form == "format-patch" else FORMS[form])
    assert (result["tool"], result["status"]) == ("kconform", "fail"), result
    assert result["summary"].endswith(f"; {FALSE_SHARED} at {TRACKER}")
    assert "add(mm=0, diff=1)  1         shared     mm0 x1" in result["details"]
    assert "  | folio_clear_large_mapped_exclusively(folio);" in result["details"]
    assert "bounds mms=3, pages=4: all 1,702 states" in " ".join(result["details"].split())


def test_a_result_outlives_b4s_cache(checks: Any, tmp_path: Path) -> None:
    """b4 keeps one result a mail and tool, in SQLite, and shows what it has kept."""
    result = run(checks, tmp_path, bytes(message("8bit")))
    db = checks.get_db()
    checks.store_results(db, "id@x", [result])
    assert checks.get_cached_results(db, ["id@x"]) == {"id@x": [result]}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("Just words.\n", "no diff"),
        (added_file("Documentation/mm/x.rst", "text"), "the patch shows no whole C function"),
        (BODY.replace("@@ -120,11 +120,19 @@", "@@ -120,11 +120,20 @@"), "the hunk's counts are off"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_a_warning_with_its_reason(
    checks: Any, tmp_path: Path, body: str, said: str
) -> None:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "a@b", "[PATCH] x"
    mail.set_content(body, cte="8bit")
    result = run(checks, tmp_path, bytes(mail), f"{KCONFORM} check - --format b4")
    assert (result["tool"], result["status"], result["summary"]) == ("kconform", "warn", "not judged")
    assert said in result["details"]
    done = kconform("check", "-", "--format", "b4", stdin=bytes(mail))
    assert done.status == 2 and said in done.err and json.loads(done.out)[0]["details"] in done.err


def test_a_wrong_command_line_is_the_users_and_b4_shows_it_as_failed(checks: Any, tmp_path: Path) -> None:
    result = run(checks, tmp_path, FORMS["8bit"], f"{KCONFORM} check - --format b4 --contrakt x")
    assert (result["status"], result["summary"]) == ("fail", "exited with error code 2")
    assert "unrecognized arguments: --contrakt x" in result["details"]
    result = run(checks, tmp_path, FORMS["8bit"], f"{KCONFORM} check - --format b4:no/such/folder")
    assert result["status"] == "fail" and "there is no folder no/such" in result["details"]


@pytest.mark.parametrize("kind", ["file", "deep", "internal"])
def test_any_other_error_is_a_warning_too(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: dict[str, Exception] = {"deep": RecursionError("deep"), "internal": KeyError("x")}
    if kind in raised:

        def broken(*_: object) -> None:
            raise raised[kind]

        monkeypatch.setattr("harness.cli.check.document_of", broken)  # before the command forks
    keep = tmp_path / "file"
    keep.write_text("")
    done = kconform("check", "-", "--format", "b4", "--traces", keep / "below", *ONE, *QUICK, stdin=V1)
    assert done.status == 2 and "kconform: error: " in done.err
    (told,) = json.loads(done.out)
    assert (told["status"], told["summary"]) == ("warn", "not judged") and "Error: " in told["details"]


def test_an_array_that_is_written_is_not_followed_by_another() -> None:
    done = kconform("check", "-", "--format", "b4", "--format", "json:/dev/full", *ONE, *QUICK, stdin=V1)
    assert done.status == 2 and "No space left" in done.err
    assert [each["status"] for each in json.loads(done.out)] == ["fail"]


def test_a_patch_without_findings_passes(checks: Any, tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "a@b", "[PATCH] x"
    code = "static inline int toy_half(int a)\n{\n\treturn a / 2;\n}\n"
    mail.set_content(added_file("include/linux/toy.h", code), cte="8bit")
    result = run(checks, tmp_path, bytes(mail), f"{KCONFORM} check - --format b4 {' '.join(QUICK)}")
    assert (result["tool"], result["status"]) == ("kconform", "pass"), result
    assert result["summary"].endswith("passed")


def test_a_series_is_a_tool_of_its_own(tmp_path: Path) -> None:
    """Without a cover letter b4 puts its result beside the first patch's, which it must not replace."""
    toy = added_file("include/linux/toy.h", "static inline int toy_a(int a)\n{\n\treturn a;\n}\n")
    mails = [f"From: a@b\nSubject: [PATCH {n}/2] x\n\n{text}" for n, text in ((1, BODY), (2, toy))]
    for number, text in enumerate(mails):
        (tmp_path / f"{number}.eml").write_text(text)
    done = kconform("check", tmp_path, "--format", "b4", *ONE, *QUICK)
    assert done.status == 1 and json.loads(done.out)[0]["tool"] == "kconform-series"


def test_a_file_beside_the_text(tmp_path: Path) -> None:
    path = tmp_path / "b4.json"
    done = kconform("check", "-", "--format", f"b4:{path}", *ONE, *QUICK, stdin=V1)
    assert done.status == 1 and done.out.startswith("FAIL:")
    assert json.loads(path.read_text())[0]["status"] == "fail"
    done = kconform("check", "-", "--format", f"b4:{path}", stdin="nothing\n")
    assert (done.status, done.out) == (2, "") and json.loads(path.read_text())[0]["status"] == "warn"


# What a small document cannot bring about.


def outline(*cases: Case, status: int = 0, word: str = "PASS", errors: tuple[str, ...] = ()) -> Outline:
    findings = tuple((case,) for case in cases if case.blamed)
    suites, tool = (Suite("x", "x", cases),), {"version": "1", "compiler": "gcc"}
    return Outline("check", word, status, "said", SUBJECT, ("ran",), suites, findings, errors,
                   (), (), (), (), (), tool)  # fmt: skip


FAILS = Case("claim/a", "claim", "fail", "t", line=3, file="a.h")
KNOWN = Case("claim/a", "claim", "fail", "t", known=Known("mended in v3", "2027-01-01"))
OLD = Case("claim/b", "claim", "fail", "t", inherited=True)
UNKNOWN = Case("claim/c", "claim", "unknown", "t", reason="not reached")


def one(outline: Outline) -> tuple[str, str]:
    (told,) = json.loads(b4_format.render(outline))
    assert list(told) == ["tool", "status", "summary", "details"]
    assert all(isinstance(value, str) for value in told.values())
    return told["status"], told["details"]


def test_what_is_no_finding_and_no_pass_is_a_warning() -> None:
    assert one(outline())[0] == "pass" and one(outline(FAILS, KNOWN, status=1))[0] == "fail"
    assert one(outline(KNOWN))[0] == "warn"
    assert "- claim/a: known: mended in v3 (until 2027-01-01)" in one(outline(KNOWN))[1]
    assert (
        one(outline(OLD)) == ("warn", one(outline(OLD))[1])
        and "the base does the same" in one(outline(OLD))[1]
    )
    assert "- claim/c: unknown: not reached" in one(outline(UNKNOWN))[1]
    assert one(outline(UNKNOWN, status=1))[0] == "warn"  # --strict
    said = one(outline(status=2, word="UNKNOWN", errors=("a.h:3: error: f: no shim",)))
    assert said[0] == "warn" and "- a.h:3: error: f: no shim" in said[1]
