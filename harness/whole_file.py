# SPDX-License-Identifier: GPL-2.0-only
"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def unnamed(folder: Path, text: str, errors: str = "strict", mode: int | None = None) -> Iterator[str]:
    """The path of a file with `text`, as UTF-8, that is to be given its name in `folder`.

    It is gone at the end where it was not. Without `mode` it has that of any new file.
    """
    handle, made = tempfile.mkstemp(prefix=".kconform-", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors=errors, newline="\n") as stream:
            stream.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(made, 0o666 & ~umask if mode is None else mode)
        yield made
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(made)
