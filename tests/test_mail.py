# SPDX-License-Identifier: GPL-2.0-only
"""One mail in the forms in which people have it gives one patch; hostile mails give one error."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractor import mail as mail_module
from extractor.errors import ExtractError
from extractor.mail import Mail, read_mails
from extractor.patch import Patch, parse_patch
from tests.mails import FORMS, SUBJECT, V1


def read(data: bytes) -> list[Mail]:
    return read_mails(["-"], io.BytesIO(data))


def patch_of(data: bytes) -> Patch:
    return parse_patch(read(data)[-1])


def changes(patch: Patch) -> list[tuple[str, list[tuple[str, str, int | None]]]]:
    return [(f.path, [(ln.kind, ln.text, ln.number) for h in f.hunks for ln in h.lines]) for f in patch.files]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_patch(form: str) -> None:
    patch, reference = patch_of(FORMS[form]), patch_of(V1.encode())
    assert patch.sha256 == reference.sha256
    assert changes(patch) == changes(reference)
    assert patch.subject == ("" if form == "bare diff" else SUBJECT)


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
def test_a_body_that_is_decoded_already_below_the_headers_of_an_encoded_one(encoding: str) -> None:
    """As b4 gives mails to its check commands."""
    mail = FORMS["8bit"].replace(b"Encoding: 8bit", f"Encoding: {encoding}".encode())
    assert patch_of(mail).sha256 == patch_of(V1.encode()).sha256 and not read(mail)[0].decoded
    head = f"Subject: x\nContent-Transfer-Encoding: {encoding}\n\n".encode()
    text = {"quoted-printable": b"a =3D b =\nc=\n", "base64": b"YSA9IGIgYw==\n"}[encoding]
    assert read(head + text)[0].lines[0].split() == ["a", "=", "b", "c"]


@pytest.mark.parametrize("form", ["8bit", "mbox", "crlf", "bare diff", "format-patch"])
def test_lines_are_those_of_the_source(form: str) -> None:
    source = FORMS[form].decode().replace("\r\n", "\n").split("\n")
    for file in patch_of(FORMS[form]).files:
        assert source[file.source_line - 1].startswith("diff --git a/" + file.path)
        for hunk in file.hunks:
            assert all(source[ln.source_line - 1] == ln.kind + ln.text for ln in hunk.lines)


def test_an_mbox_splits_only_at_mails() -> None:
    quoted = b"From nobody Thu Aug 29 18:56:11 2024\nSubject: x\n\n>From here on\n\nFrom there on\n"
    (mail,) = read(quoted)
    assert mail.lines[:3] == ("From here on", "", "From there on") and mail.first_line == 4
    assert ["08/17" in m.subject for m in read(FORMS["mbox"])] == [False, True]


def test_a_maildir_without_its_hidden_files(tmp_path: Path) -> None:
    for name in ("cur/2", "new/1", ".git/config", "cur/.swp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(FORMS["8bit"])
    assert [Path(m.source).name for m in read_mails([str(tmp_path)])] == ["2", "1"]


def test_an_archive_page_with_markup_inside_pre() -> None:
    page = FORMS["html"].replace(b"<!DOCTYPE html>", b"<!-- MHonArc --><!DOCTYPE html>")
    page = page.replace(b"diff --git", b"<a href='#x'>diff --git</a>").replace(
        b"<pre>", b"<script>@@</script><pre>"
    )
    assert patch_of(page).sha256 == patch_of(V1.encode()).sha256
    assert patch_of(b"\xef\xbb\xbf" + FORMS["bare diff"]).sha256 == patch_of(V1.encode()).sha256


def test_headers_are_decoded_and_hostile_ones_do_no_harm() -> None:
    head = b"Subject: =?utf-8?q?=5BPATCH=5D_gr=C3=BC=C3=9Fe?=\n and more\n"
    assert read(head + b"\nx\n")[0].subject == "[PATCH] grüße and more"
    for bad in (b"=?nonsense?q?x?=", b"=?utf-8?b?!?=", b"\xff\xfe", b"=?utf-8?b?YQ?="):
        assert read(b"From: a@b\nSubject: " + bad + b"\n\nx\n")[0].lines == ("x", "")
    for kind in (b"text/plain; charset=idna", b"multipart/mixed", b"text/plain; charset*=a'b'%00"):
        assert read(b"From: a@b\nContent-Type: " + kind + b"\n\nbody \xff\n")


@pytest.mark.parametrize(
    "data, words",
    [
        (b" \n", "empty"),
        (b"a\0b", "binary"),
        (b"From: a@b\nContent-Transfer-Encoding: base64\n\nAAAA\n", "binary"),
        (b"<html><![x y]> <pre>", None),
        (b"From: a@b\n" + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" * 3000, None),
    ],
)
def test_unreadable_data_is_an_extract_error(data: bytes, words: str | None) -> None:
    try:
        read(data)
    except ExtractError as err:
        assert err.file == "<stdin>" and (words or "") in err.message
    else:
        assert words is None


def test_unusable_files_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "big").write_bytes(b"x" * 100)
    (tmp_path / "none").mkdir()
    monkeypatch.setattr(mail_module, "MAX_BYTES", 99)
    for name, words in {
        "missing": "no such file",
        "none": "no mail",
        "big": "64 MiB",
        "a\0b": "null",
    }.items():
        with pytest.raises(ExtractError, match=words) as caught:
            read_mails([str(tmp_path / name)])
        assert caught.value.file == str(tmp_path / name) and caught.value.hint


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(FORMS)), st.integers(0, 30_000), st.integers(0, 60), st.binary(max_size=8))
def test_no_damage_to_the_bytes_breaks_the_reader(form: str, at: int, length: int, put: bytes) -> None:
    data = FORMS[form]
    try:
        for mail in read(data[:at] + put + data[at + length :]):
            parse_patch(mail)
    except ExtractError as err:
        assert err.file == "<stdin>"


@pytest.mark.parametrize("markup", ["<a ", "<!--", "<script>", "</", "&#", "<pre><![CDATA["])
def test_hostile_markup_costs_no_quadratic_time(markup: str) -> None:
    try:
        read(b"<html>" + markup.encode() * 20_000)
    except ExtractError as err:
        assert err.file == "<stdin>"


def test_a_stray_angle_bracket_is_text() -> None:
    assert "+ if (a < b && c<d)" in read(b"<html><pre>\n+ if (a < b && c<d)\n</pre>")[0].lines
