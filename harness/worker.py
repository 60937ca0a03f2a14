# SPDX-License-Identifier: GPL-2.0-only
"""Runs work in a child process with limits, so that a stranger's code can do no harm."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1  # linux/prctl.h
POLL = 0.1  # seconds between two looks at the progress


@dataclass(frozen=True)
class Limits:
    """What a worker may use: seconds of CPU and wall time, bytes of memory, bytes a file."""

    cpu_seconds: int = 60
    wall_seconds: float = 90.0
    memory: int = 4 << 30
    file_bytes: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a worker ended: its result, or the signal that killed it, or that time ran out."""

    result: Any = None
    killed_by: int = 0
    timed_out: bool = False
    error: str = ""

    def needed(self) -> Any:
        """The result; HarnessError where there is none."""
        if self.result is None:
            raise HarnessError(self.error or f"the worker died: signal {self.killed_by}")
        return self.result


class Running:
    """A task in a forked child."""

    def __init__(self, task: Callable[[], Any], limits: Limits) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self.reader, writer = os.pipe()
        self.deadline = time.monotonic() + limits.wall_seconds
        parent = os.getpid()
        self.child = os.fork()
        if self.child == 0:
            os.close(self.reader)
            _child(task, limits, writer, parent)
        os.close(writer)

    def end(self) -> None:
        """Kills the child where it still runs."""
        with contextlib.suppress(OSError):
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
            os.close(self.reader)

    def wait(self, poll: Callable[[], None] | None = None) -> Outcome:
        """How it ended; `poll` is called now and then until it does."""
        data, timed_out = _collect(self.reader, self.deadline, poll)
        os.close(self.reader)
        if timed_out:
            os.kill(self.child, signal.SIGKILL)
        _, status = os.waitpid(self.child, 0)
        if timed_out:
            return Outcome(timed_out=True)
        if os.WIFSIGNALED(status):
            return Outcome(killed_by=os.WTERMSIG(status))
        return _outcome(data, os.waitstatus_to_exitcode(status))


def run(task: Callable[[], Any], limits: Limits) -> Outcome:
    """The JSON-able result of `task`, run in a forked child."""
    return Running(task, limits).wait()


def _outcome(data: bytes, status: int) -> Outcome:
    try:
        said = json.loads(data)
    except ValueError:
        return Outcome(error=f"the worker ended with status {status} and no result")
    return Outcome(result=said.get("result"), error=str(said.get("error", "")))


def end_with_parent() -> None:
    """From here on this process is killed when its parent ends, however that ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def die_with(parent: int) -> None:
    """As end_with_parent(), also where `parent` has ended already."""
    end_with_parent()
    if os.getppid() != parent:
        os._exit(1)


def _child(task: Callable[[], Any], limits: Limits, writer: int, parent: int) -> None:
    """Never returns; whatever happens, the parent's own handlers and buffers are not run."""
    status = 1
    with contextlib.suppress(BaseException):
        die_with(parent)
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            said: dict[str, Any] = {"result": task()}
        except BaseException as err:
            said = {"error": f"{type(err).__name__}: {err}"}
        data = json.dumps(said).encode()
        while data:
            data = data[os.write(writer, data) :]
        status = 0
    os._exit(status)


def _collect(reader: int, deadline: float, poll: Callable[[], None] | None) -> tuple[bytes, bool]:
    """All that the child writes until it ends; True when it took too long."""
    parts: list[bytes] = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return b"".join(parts), True
        ready, _, _ = select.select([reader], [], [], min(left, POLL) if poll else left)
        if poll:
            poll()
        if not ready:
            continue
        part = os.read(reader, 1 << 16)
        if not part:
            return b"".join(parts), False
        parts.append(part)
