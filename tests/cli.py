# SPDX-License-Identifier: GPL-2.0-only
"""Runs the command as a user does."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def failed(self) -> set[str]:
        return {c["id"] for c in self.json["checks"] if c["verdict"] == "fail"}

    def check(self, name: str) -> Any:
        return next(c for c in self.json["checks"] if c["id"] == name)


def kconform(*arguments: object, stdin: str | bytes = b"", env: dict[str, str] | None = None) -> Done:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    command = [sys.executable, "-m", "harness.cli", *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, timeout=120, env=env, check=False)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def check(text: str | bytes, *arguments: object) -> Done:
    return kconform("check", "-", "--format", "json", *arguments, stdin=text)


ONE = ("--contract", "mm-owner-tracking")
QUICK = ("--walk", "0", "--no-sanitizers")  # where a test is about neither


def tracked(text: str | bytes, *arguments: object) -> Done:
    """`check` by one contract, where a test is about that or about any."""
    return check(text, *ONE, *arguments)
