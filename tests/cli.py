# SPDX-License-Identifier: GPL-2.0-only
"""Runs the command as a user does."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import hashlib
import importlib
import json
import os
import pickle
import re
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from extractor.extract import extract_items
from extractor.mail import read_mails
from extractor.patch import parse_patch
from harness.check import choose
from harness.cli.main import main
from harness.driver import ffi
from harness.loading import in_walk
from harness.render import render, render_contract
from harness.subjects import slice_of
from kernel_snippets import BUNDLED_PATCH
from tests.compiled_once import FOLDER


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def untimed(self) -> tuple[int, str, str]:
        """All of it, but for what is no part of the result."""
        return self.status, re.sub(r'"timing": \{[^}]*\}', "", self.out), self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def failed(self) -> set[str]:
        return {c["id"] for c in self.json["checks"] if c["verdict"] == "fail"}

    def check(self, name: str) -> Any:
        return next(c for c in self.json["checks"] if c["id"] == name)


def kconform(*arguments: object, stdin: str | bytes = b"", env: dict[str, str] | None = None) -> Done:
    """The command in a process of its own; forked from this one, which has all of it imported already."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    words = [str(each) for each in arguments]
    if env is not None:
        command = [sys.executable, "-m", "harness.cli", *words]
        done = subprocess.run(command, input=data, capture_output=True, timeout=120, env=env, check=False)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())
    prepare()
    with contextlib.ExitStack() as opened:
        given, out, err = (opened.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(data)
        given.seek(0)
        child = os.fork()
        if child == 0:
            run(words, [stream.fileno() for stream in (given, out, err)])
        status = wait(child)
        out.seek(0)
        err.seek(0)
        return Done(status, out.read().decode(), err.read().decode())


@cache
def prepare() -> None:
    """Imports what the commands import when they are first needed, and reads what they all read."""
    for name in (
        "check mutate prefixes matrix.cells cli.comparison cli.tree_files cli.derive cli.promise "
        "report.text report.json report.words report.outline report.outline_diff report.diff "
        "report.outline_matrix report.series report.stages report.baseline report.shards "
        "report.diff_json report.mutate report.matrix report.replay report.census report.layout "
        "report.contracts report.ktap report.junit report.sarif report.schema report.b4 report.mail "
        "report.formats report.html.check report.html.diff report.html.mutants "
        "export.files export.boot export.kbuild report.kernel interleave.replay interleave.stress"
    ).split():
        importlib.import_module(f"harness.{name}")
    ffi()
    items = extract_items(parse_patch(read_mails([str(BUNDLED_PATCH)])[0]))
    for loaded in choose(None, items, {}, {}).driven:
        for bounds in loaded, in_walk(loaded):
            render_contract(bounds)
            render(bounds, slice_of(bounds, items), {})
    gc.collect()
    gc.freeze()  # no child looks for garbage in what this process made


def run(words: list[str], streams: list[int]) -> NoReturn:
    """The command, in the child: as a new interpreter would."""
    status = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(os.dup(n), mode, encoding="utf-8") for n, mode in enumerate("rww")
        )
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        try:
            status = main(words)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def wait(child: int, seconds: float = 120) -> int:
    """The exit status of a process; one that takes too long is ended, with all of its group."""
    handle = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([handle], [], [], seconds)
    finally:
        os.close(handle)
    if not ready:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert ready, f"it took more than {seconds} s"
    return os.waitstatus_to_exitcode(status)


def once(*arguments: object, stdin: str = "") -> Done:
    """As kconform(); what the same command said before in this run of the tests, to whichever worker."""
    words = repr((*map(str, arguments), stdin)).encode()
    said = Path(os.environ[FOLDER]) / f"{hashlib.sha256(words).hexdigest()}.done"
    with said.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            said.write_bytes(pickle.dumps(kconform(*arguments, stdin=stdin)))
    done = pickle.loads(said.read_bytes())
    assert isinstance(done, Done)
    return done


def check(text: str | bytes, *arguments: object) -> Done:
    return kconform("check", "-", "--format", "json", *alone(arguments), stdin=text)


def alone(arguments: tuple[object, ...]) -> tuple[object, ...]:
    """The same without threads, which few tests are about, unless something is said of them."""
    said = any(str(word).startswith(("--interleave", "--memory-model", "--excuse")) for word in arguments)
    return arguments if said else (*arguments, "--interleave=off")


ONE = ("--contract", "mm-owner-tracking")
QUICK = ("--interleave=off", "--walk", "0", "--no-sanitizers")  # where a test is about none of these


def tracked(text: str | bytes, *arguments: object) -> Done:
    """`check` by one contract, where a test is about that or about any."""
    return check(text, *ONE, *arguments)
