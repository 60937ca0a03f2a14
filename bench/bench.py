# SPDX-License-Identifier: GPL-2.0-only
"""Times of the bundled patch and of a kernel tree, for `make bench`: cold and warm, Python included."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kernel_snippets import BUNDLED_PATCH

RUNS = 5
TREE = Path(__file__).resolve().parent.parent / "trees/linux-7"


def seconds(arguments: list[str], cache: str) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "harness.cli", *arguments],
        env=os.environ | {"XDG_CACHE_HOME": cache},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    return time.perf_counter() - start


def show(what: str, times: list[float], base: float) -> None:
    middle = statistics.median(times)
    print(f"{what:34} {min(times):6.2f} {middle:6.2f} {max(times):6.2f} s  {middle / base:6.1f}")


def main() -> None:
    print(f"{'':34} {'min':>6} {'median':>6} {'max':>6}    ratio to extract")
    with tempfile.TemporaryDirectory() as warm:
        extract = [seconds(["extract", str(BUNDLED_PATCH)], warm) for _ in range(RUNS)]
        base = statistics.median(extract)
        show("extract", extract, base)
        cold = []
        for _ in range(RUNS):
            with tempfile.TemporaryDirectory() as empty:
                cold.append(seconds(["check", str(BUNDLED_PATCH)], empty))
        show("check, nothing cached", cold, base)
        check = ["check", str(BUNDLED_PATCH)]
        show("check, engine compiled before", [seconds(check, warm) for _ in range(RUNS + 1)][1:], base)
        wide = [*check, "--bound", "mms=4", "--bound", "pages=8"]
        show("check, 4 MMs and 8 pages", [seconds(wide, warm) for _ in range(3)], base)
        if not (TREE / "include/linux").is_dir():
            print(f"no {TREE}: run make trees for the times of kernel trees")
            return
        of_tree = ["check", "--tree", str(TREE), "--contract", "mm-owner-tracking"]
        cold = []
        for _ in range(RUNS):
            with tempfile.TemporaryDirectory() as empty:
                cold.append(seconds(of_tree, empty))
        show("check --tree, nothing cached", cold, base)
        show("check --tree, engine there", [seconds(of_tree, warm) for _ in range(3)], base)
        census = ["census", "--tree", str(TREE)]
        show("census of eleven headers", [seconds(census, warm) for _ in range(3)], base)


if __name__ == "__main__":
    main()
