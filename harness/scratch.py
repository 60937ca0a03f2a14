# SPDX-License-Identifier: GPL-2.0-only
"""A folder for what a run compiles; gone with the run, however that ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

RETRIES = 50


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A new folder below `parent`, removed at the end, by a janitor where this process is killed."""
    folder = Path(tempfile.mkdtemp(prefix="kconform-", dir=parent))
    reader, writer = os.pipe()
    janitor = os.fork()
    if janitor == 0:
        _janitor(folder, reader, writer)
    os.close(reader)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(writer)
        os.kill(janitor, signal.SIGKILL)  # workers that still run may hold its pipe open
        os.waitpid(janitor, 0)


def _janitor(folder: Path, reader: int, writer: int) -> None:
    """Never returns: waits until nobody holds `writer` any more, then removes the folder."""
    with contextlib.suppress(BaseException):
        os.setsid()  # signals that end a whole group are not for the janitor
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        os.close(writer)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):  # a pipe that someone reads to its end is not held open
            os.dup2(null, stream)
        while os.read(reader, 1):
            pass
        for _ in range(RETRIES):  # a compiler that has lost its parent may still be writing
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.2)
    os._exit(0)
