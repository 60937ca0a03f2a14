# SPDX-License-Identifier: GPL-2.0-only
"""The engine beside a bare loop over the same calls, and walks: ratios in one run, for `make bench`.

The bare loop calls the operations that are legal in explored states, from these states (the words
that they may change are put back in between), with nothing observed, judged or remembered.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from extractor.extract import series_items
from extractor.mail import read_mails
from harness import worker
from harness.build import PLAIN, Flavour, cache_folder, contract_library, engine_library
from harness.contract import Loaded
from harness.driver import Driver, Flight, Libraries, Limits
from harness.inputs import read_patches
from harness.loading import contract_path, load
from harness.render import render_contract
from harness.scratch import scratch_folder
from harness.subjects import Attempt, slice_of
from harness.walk import walk
from kernel_snippets import BUNDLED_PATCH

ROUNDS = 7
WIDE = {"mms": 4, "pages": 8}
STEPS = 2_000_000


def libraries(loaded: Loaded, folder: Path, flavour: Flavour = PLAIN) -> Libraries:
    items = series_items(read_patches(read_mails([str(BUNDLED_PATCH)]), latest=False, prefix=None))
    config = dict(loaded.contract.config)
    piece = slice_of(loaded, items)
    contract, engine = contract_library(render_contract(loaded), folder), engine_library(folder)
    subject = Attempt(loaded, piece, config, folder / "subject", flavour).settle()
    return Libraries(subject.built.library, contract.finish(), engine.finish())


def in_worker(loaded: Loaded, skip: frozenset[str], task: Any) -> Any:
    with scratch_folder(cache_folder()) as folder:
        made = libraries(loaded, folder)

        def run() -> object:
            return task(Driver(made, loaded, Flight(), skip))

        outcome = worker.run(run, worker.Limits(cpu_seconds=200, wall_seconds=300))
    assert not outcome.error and outcome.result is not None, outcome
    return outcome.result


def explored(driver: Driver) -> dict[str, float]:
    """Medians of several explorations, each beside a bare loop."""
    driver.cage()
    rates, bares, ratios = [], [], []
    for _ in range(ROUNDS):
        driver.explore(Limits())
        engine, run = driver.engine, driver.run
        rates.append(engine.kc_transitions(run) / engine.kc_seconds(run) / 1e6)
        bares.append(engine.kc_bare(run, 1000, 4_000_000) / 1e6)
        ratios.append(rates[-1] / bares[-1])
        said = {
            "states": int(engine.kc_states(run)),
            "calls": int(engine.kc_transitions(run)),
            "seconds": float(engine.kc_seconds(run)),
            "bytes": engine.kc_bytes(run) / engine.kc_kept(run),
        }
        engine.kc_close(run)
    middle = statistics.median
    return said | {"rate": middle(rates), "bare": middle(bares), "ratio": middle(ratios)}


def walked(driver: Driver) -> float:
    start = time.perf_counter()
    walk(driver, 1, STEPS, 60.0)
    return STEPS / (time.perf_counter() - start) / 1e6


def main() -> None:
    path = contract_path("mm-owner-tracking")
    loaded = load(path, WIDE)
    others = frozenset(op.name for op in loaded.contract.operations if op.kind not in ("operation", "setup"))
    print("\nexploration of 4 MMs and 8 pages, no symmetry; a bare loop over its operations beside it")
    print(f"{'':24} {'calls':>10} {'M/s':>7} {'bare M/s':>9} {'ratio':>6} {'s':>6} {'bytes/state':>12}")
    for what, skip in (("operations", others), ("with probes and misuse", frozenset())):
        r = in_worker(loaded, skip, explored)
        print(f"{what:24} {r['calls']:>10,} {r['rate']:>7.1f} {r['bare']:>9.1f} {r['ratio']:>6.2f} "
              f"{r['seconds']:>6.2f} {r['bytes']:>12.1f}")  # fmt: skip
    wide = load(path, loaded.contract.walk)
    print(f"random walk, shrinking included: {in_worker(wide, frozenset(), walked):.1f} M calls/s")


if __name__ == "__main__":
    main()
