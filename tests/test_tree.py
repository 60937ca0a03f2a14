# SPDX-License-Identifier: GPL-2.0-only
"""Kernel trees in directories and in git, hostile ones among them, and commit ranges as mails."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from extractor.apply import apply_patches
from extractor.series import read_series
from harness.errors import HarnessError
from harness.tree.commits import commits
from harness.tree.git import GitTree
from harness.tree.source import DirectoryTree, Tree, open_tree

WHO = {
    f"GIT_{who}_{what}": "dév@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
WHEN = {"GIT_AUTHOR_DATE": "1724950571 +0200", "GIT_COMMITTER_DATE": "1724950571 +0200"}
MM = "include/linux/mm.h"
FILES = {
    MM: "int mm;\n",
    "include/linux/a/b.h": "int b;\n",
    "mm/x.c": "caf\xe9\n",
    "Makefile": "VERSION = 7\n",
}
LINKS = {
    "include/linux/in.h": "mm.h",
    "include/linux/out.h": "../../../secret",
    "include/linux/absolute.h": "/etc/passwd",
    "include/linux/nowhere.h": "none",
    "include/linux/loop.h": "loop.h",
    "include/dir": "linux/a",
}


def git(folder: Path, *words: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env = {**kept, **WHO, **WHEN, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", "-C", folder, *words], check=True, capture_output=True, env=env
    ).stdout.decode()


def commit(folder: Path, message: str) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD").strip()


def fill(folder: Path) -> Path:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode("latin-1"))
    for name, target in LINKS.items():
        (folder / name).symlink_to(target)
    (folder.parent / "secret").write_text("secret\n")
    return folder


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = fill(tmp_path / "linux")
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "base")
    return folder


def either(folder: Path, kind: str) -> Tree:
    return open_tree(str(folder), "main" if kind == "git" else None)


@pytest.mark.parametrize("kind", ["directory", "git"])
def test_what_a_tree_gives_and_that_nothing_leaves_it(kind: str, repo: Path, tmp_path: Path) -> None:
    tree = either(repo, kind)
    assert {name: tree.read(name) for name in FILES} == FILES
    assert tree.read("include/linux/in.h") == tree.read(MM) and tree.read("include/dir/b.h") == "int b;\n"
    nothing = [*list(LINKS)[1:], "include", "none.h", "Makefile/x", "", "/etc/passwd", "../secret",
               "include/../Makefile", "./Makefile", "include//linux/mm.h", ".git/config", "a\nb", "a\0b",
               "a b missing", "x" * 5000, str(repo / MM)]  # fmt: skip
    assert [name for name in nothing if tree.read(name) is not None] == []
    assert tree.read(MM) == "int mm;\n"
    assert tree.paths("include/linux", ".h") == ["include/linux/a/b.h", "include/linux/in.h", MM]
    assert tree.paths("include/lin", ".h") == tree.paths("..", "") == tree.paths("include/dir", ".h") == []
    assert tree.paths(MM, ".h") == [MM] and tree.paths(MM, ".c") == []
    assert tree.paths("", "x.c") == ["mm/x.c"] and tree.paths("", "config") == []
    folder = tree.export(["include", "Makefile", "../secret"], tmp_path)
    assert (folder / "include/linux/a/b.h").read_text() == "int b;\n"
    assert (folder / "include/linux/in.h").read_text() == "int mm;\n" and (folder / "Makefile").is_file()
    if kind == "git":
        written = {str(path.relative_to(tmp_path)) for path in (tmp_path / "include").rglob("*.h")}
        assert written == {"include/linux/a/b.h", "include/linux/in.h", MM} and not (tmp_path / "mm").exists()


def test_revisions_are_those_that_were_asked_for(repo: Path) -> None:
    (repo / MM).write_text("int later;\n")
    assert GitTree(repo, "main").read(MM) == "int mm;\n" and DirectoryTree(repo).read(MM) == "int later;\n"
    new = commit(repo, "later")
    git(repo, "tag", "-a", "-m", "x", "v7.9")
    tree = open_tree(str(repo), "v7.9")
    assert tree.read(MM) == "int later;\n" and tree.name == f"{repo} at {new[:12]}"
    assert open_tree(str(repo), "main~1").read(MM) == "int mm;\n" and open_tree(str(repo)).name == str(repo)
    git(repo, "clone", "-q", "--bare", ".", "../bare")
    assert open_tree(str(repo.parent / "bare"), "main").read(MM) == "int later;\n"
    with pytest.raises(HarnessError, match="give --rev for a bare git repository"):
        open_tree(str(repo.parent / "bare"))


def test_what_is_no_tree_is_said(repo: Path, tmp_path: Path) -> None:
    for path, rev, words in [
        (repo / "none", None, "not a directory"),
        (repo / "Makefile", None, "not a directory"),
        (repo / "mm", None, "not a kernel tree, it has no include/linux"),
        (repo / "mm", "main", "not a git repository"),  # not the one above it
        (tmp_path, "main", "not a git repository"),
        *[
            (repo, rev, "it has no commit")
            for rev in ("v9", "--all", "-h", "", "main:mm", "a\0b", "main main")
        ],
    ]:
        with pytest.raises(HarnessError, match=words) as caught:
            open_tree(str(path), rev)
        assert str(caught.value).startswith(f"{path}: error: ") and "\n" not in str(caught.value)
    git(repo, "rm", "-rq", "include")
    commit(repo, "gone")
    with pytest.raises(HarnessError, match="not a kernel tree"):
        open_tree(str(repo), "main")


def test_nothing_of_a_repositorys_own_configuration_runs(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    (repo / ".gitattributes").write_text("* diff=evil filter=evil\n")
    (repo / MM).write_text("int mm;\nint evil;\n")
    base = git(repo, "rev-parse", "main").strip()
    lost = git(repo, "rev-parse", "main:mm/x.c").strip()
    commit(repo, "attributes")
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external", "diff.evil.command",
                 "diff.evil.textconv", "filter.evil.smudge", "filter.evil.process", "gpg.program",
                 "core.alternateRefsCommand"):  # fmt: skip
        git(repo, "config", name, str(script))
    for name, value in (("log.showSignature", "true"), ("extensions.partialClone", "far"),
                        ("remote.far.promisor", "true"), ("remote.far.url", f"ext::{script}"),
                        ("remote.far.uploadpack", str(script)),
                        ("protocol.ext.allow", "always")):  # fmt: skip
        git(repo, "config", name, value)
    (repo / ".git/objects" / lost[:2] / lost[2:]).unlink()
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(script))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    tree = GitTree(repo, "main")
    assert tree.read(MM) == "int mm;\nint evil;\n" and tree.paths("include", "b.h")
    tree.export(["include"], tmp_path / "to")
    assert len(commits(repo, f"{base}..main").mails) == 1
    assert tree.read("mm/none.c") is None
    with pytest.raises(HarnessError, match=r"a partial clone, without mm/x\.c"):
        tree.read("mm/x.c")
    with pytest.raises(HarnessError, match=r"a partial clone, without mm/x\.c"):
        tree.export(["mm"], tmp_path / "mm")
    assert not ran.exists()


def test_a_tree_object_cannot_write_outside_of_the_export(repo: Path, tmp_path: Path) -> None:
    blob = git(repo, "rev-parse", f"main:{MM}").strip()

    def made(*entries: bytes) -> str:
        raw = b"".join(entries)
        command = ["git", "-C", repo, "hash-object", "-t", "tree", "-w", "--literally", "--stdin"]
        return subprocess.run(command, input=raw, capture_output=True, check=True).stdout.decode().strip()

    def entry(mode: bytes, name: bytes, oid: str) -> bytes:
        return mode + b" " + name + b"\0" + bytes.fromhex(oid)

    up = made(entry(b"100644", b"evil.h", blob))
    linux = made(entry(b"100644", b"..", blob), entry(b"40000", b"...", up), entry(b"100644", b"mm.h", blob),
                 entry(b"40000", b".git", up))  # fmt: skip
    top = made(
        entry(b"40000", b"..", up), entry(b"40000", b"include", made(entry(b"40000", b"linux", linux)))
    )
    head = git(repo, "commit-tree", "-m", "x", top).strip()
    to = tmp_path / "deep/to"
    open_tree(str(repo), head).export(["", "include", ".."], to)
    assert sorted(str(p.relative_to(tmp_path / "deep")) for p in (tmp_path / "deep").rglob("*.h")) == [
        "to/include/linux/.../evil.h", "to/include/linux/mm.h",
    ]  # fmt: skip
    both = made(entry(b"100644", b"a", blob), entry(b"40000", b"a", up), entry(b"40000", b"include", linux))
    tree = GitTree(repo, git(repo, "commit-tree", "-m", "x", both).strip())
    with pytest.raises(HarnessError, match=r"git cannot read a/evil\.h; run git fsck there"):
        tree.export(["a"], tmp_path / "twice")


def test_a_range_of_commits_is_a_series_on_its_base(repo: Path) -> None:
    base = git(repo, "rev-parse", "main").strip()
    (repo / MM).write_text("int mm;\nint one;\n")
    first = commit(
        repo, "mm: one\nand more\n\nWe want one.\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n---\nSigned-off"
    )
    commit(repo, "mm: nothing")
    (repo / "mm/new.c").write_text("From here\n")
    (repo / MM).rename(repo / "include/linux/mm2.h")
    commit(repo, "Re: [PATCH 2/9] mm: two")
    made = commits(repo, f"{base[:9]}..")
    assert made.base == base and "no change of text" in made.notes[0]
    assert [m.subject for m in made.mails] == ["[PATCH 1/2] mm: one and more",
                                               "[PATCH 2/2] Re: [PATCH 2/9] mm: two"]  # fmt: skip
    assert made.mails[0].source == f"commit {first[:12]}"
    assert made.mails[0].sender == "dév@example.org <dév@example.org>"
    assert made.mails[0].date == "Thu, 29 Aug 2024 18:56:11 +0200"
    series = read_series(made.mails)
    assert series.patches[0].message == "We want one.\n\n --- a/x\n +++ b/x\n @@ -1 +1 @@\n ---\nSigned-off"
    done = apply_patches(series.patches, GitTree(repo, made.base).read)
    assert done.notes == () and done.files[MM] is None
    after = GitTree(repo, "main")
    for path, lines in done.files.items():
        assert after.read(path) == (None if lines is None else "".join(f"{ln.text}\n" for ln in lines))
    assert [ln.origin for ln in done.files["include/linux/mm2.h"] or ()] == ["tree", "added"]
    assert commits(repo, "main~1..main").mails[0].subject == "[PATCH] Re: [PATCH 2/9] mm: two"


def test_ranges_that_are_none_are_refused(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "side")
    (repo / "mm/x.c").write_text("side\n")
    commit(repo, "side")
    git(repo, "checkout", "-q", "main")
    (repo / MM).write_text("int other;\n")
    fork = git(repo, "rev-parse", "main").strip()
    commit(repo, "other")
    for words, said in [
        ("main..main", "there is no commit in it"),
        ("side..main", f"they part at {fork[:12]}: give {fork[:12]}..HEAD"),
        ("main...side", "not a range of commits"),
        ("main", "not a range of commits"),
        ("..main", "not a range of commits"),
        ("--output=x..main", "not a range of commits"),
        ("main..--output=x", "it has no commit"),
        ("v9..main", "it has no commit 'v9'"),
    ]:
        with pytest.raises(HarnessError) as caught:
            commits(repo, words)
        assert said in str(caught.value) and ": error: " in str(caught.value)
    git(repo, "merge", "-q", "-m", "merge", "side")
    with pytest.raises(HarnessError, match="is a merge; give a range without merges"):
        commits(repo, f"{fork}..main")
    commit(repo, "empty")
    with pytest.raises(HarnessError, match="change no text"):
        commits(repo, "main~1..main")


def test_no_attribute_and_no_byte_hides_a_header_of_a_range(repo: Path) -> None:
    base = git(repo, "rev-parse", "main").strip()
    (repo / ".gitattributes").write_text("*.h -diff\n*.h diff=python\nmm/x.c binary\n")
    (repo / ".git/info").mkdir(exist_ok=True)
    (repo / ".git/info/attributes").write_text("*.h -diff\n")
    git(repo, "config", "diff.python.xfuncname", "^(nothing)")
    (repo / MM).write_text("int mm;\nint hidden;\n")
    (repo / "logo.png").write_bytes(b"\0PNG\n")
    commit(repo, "mm: hidden")
    made = commits(repo, f"{base}..main")
    assert "+int hidden;" in made.mails[0].lines
    patch = read_series(made.mails).patches[0]
    assert [file.path for file in patch.files if file.hunks] == [".gitattributes", MM]
    assert any("a binary change is left out" in note for note in patch.notes)
    (repo / MM).write_bytes(b"int mm;\n/* \0 */ int other;\n")
    name = commit(repo, "mm: a byte")[:12]
    with pytest.raises(HarnessError, match=f"commit {name}: error: a binary change of .*mm.h, which is code"):
        commits(repo, f"{base}..main")


def test_a_diff_is_of_objects_alone(repo: Path) -> None:
    """Neither index nor working tree is read: what they are like changes nothing."""
    (repo / MM).write_text("int one;\n")
    commit(repo, "mm: one")
    expected = commits(repo, "main~1..main").mails
    (repo / ".git/index").write_bytes(b"no index at all")
    (repo / MM).unlink()
    (repo / MM).mkdir()
    (repo / ".gitattributes").write_text("* -diff\n")
    assert commits(repo, "main~1..main").mails == expected


def test_a_blob_that_is_lost_is_said(repo: Path, tmp_path: Path) -> None:
    lost = git(repo, "rev-parse", f"main:{MM}").strip()
    (repo / ".git/objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(HarnessError, match=r"git cannot read include/linux/mm\.h; run git fsck there"):
        GitTree(repo, "main").export(["include"], tmp_path / "to")
