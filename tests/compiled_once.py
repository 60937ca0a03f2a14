# SPDX-License-Identifier: GPL-2.0-only
"""What the compiler made of a preprocessed text is made once in a run of the tests, for both workers.

Tests check the same few revisions again and again. Only what depends on nothing but a text and arguments
is kept, and only until the run ends: a result is the compiler's own, of the same text.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Sequence
from pathlib import Path

from harness.build import Compiling, compiler, compiler_version

FOLDER = "KCONFORM_TESTS_COMPILED"
SEVERAL = frozenset(["-ftest-coverage", "-fstack-usage"])  # with which gcc makes another file as well
HERE = b"/@here@"  # for the folder that the compiler ran in


def install() -> None:
    """From here on this process and its children look first whether it was compiled before."""
    begin, wait = Compiling.__init__, Compiling.wait

    def new_begin(
        self: Compiling, arguments: Sequence[str | Path], folder: Path, out: Path | None = None
    ) -> None:
        self.kept = self.made = None  # type: ignore[attr-defined]
        words = [str(word) for word in arguments]
        if "-fpreprocessed" not in words or not SEVERAL.isdisjoint(words) or FOLDER not in os.environ:
            begin(self, arguments, folder, out)
            return
        kept = Path(os.environ[FOLDER]) / key(words, folder)
        made = folder / words[words.index("-o") + 1]
        if kept.exists():
            there, status, output, data = pickle.loads(kept.read_bytes())
            if len(there) == len(str(folder)):  # it is in what debuggers read
                self.done = status, output.replace(there, str(folder))
                if data is not None:
                    made.write_bytes(data.replace(there.encode(), str(folder).encode()))
                    made.chmod(0o755)
                return
        begin(self, arguments, folder, out)
        self.kept, self.made, self.folder = kept, made, folder  # type: ignore[attr-defined]

    def new_wait(self: Compiling) -> tuple[int, str]:
        status, output = wait(self)
        kept, made = self.kept, self.made  # type: ignore[attr-defined]
        if kept and "the compiler took more than" not in output and status >= 0:
            data = made.read_bytes() if made.exists() else None
            own = kept.with_name(f"{kept.name}.{os.getpid()}")
            own.write_bytes(pickle.dumps((str(self.folder), status, output, data)))  # type: ignore[attr-defined]
            own.replace(kept)
        return status, output

    Compiling.__init__, Compiling.wait = new_begin, new_wait  # type: ignore[method-assign]


def key(words: Sequence[str], folder: Path) -> str:
    """Of all that the compiler reads."""
    read = [word for at, word in enumerate(words) if word.endswith((".i", ".o")) and words[at - 1] != "-o"]
    parts = [
        compiler().encode(), compiler_version().encode(), *(word.encode() for word in words),
        *((folder / each).read_bytes() for each in read),
    ]  # fmt: skip
    here = str(folder).encode()
    return hashlib.sha256(b"\0".join(part.replace(here, HERE) for part in parts)).hexdigest()
