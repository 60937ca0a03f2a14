# SPDX-License-Identifier: GPL-2.0-only
"""Threads of the bundled patch: executions with and without reduction, and a second, for `make bench`."""

from __future__ import annotations

import statistics
import time
from typing import Any

from bench.engine import libraries
from harness import worker
from harness.build import cache_folder
from harness.driver import Call, Driver, Flight, Limits
from harness.interleave.choose import explore_starts, scenarios, starts, threads_of
from harness.interleave.flavour import THREADED
from harness.interleave.run import SHAPES
from harness.interleave.scenario import READS, Scenario
from harness.interleave.weaver import ALL, Effort, Weaver
from harness.loading import contract_path, load
from harness.scratch import scratch_folder

ROUNDS = 5
MOST = 300_000  # schedules, where nothing is reduced
# What an established checker needs with the lock as one blocking step, and with the kernel's loop (issue 8).
KNOWN = {"2 x add": (2, 26 + 33), "2 x (add, sub)": (6, 2338 + 1615), "3 x add": (6, 8610 + 5790),
         "2 x 2 adds": (6, 2832 + 1635), "3 x (add, sub)": (90, None)}  # fmt: skip


def fixed(driver: Driver) -> dict[str, tuple[tuple[Call, ...], ...]]:
    """The scenarios of the table, and some with a reader; from an unmapped folio, distinct MMs."""
    number = {op.name: i for i, op in enumerate(driver.operations)}
    add, sub = (lambda mm, op=op: Call(number[op], (mm, 1)) for op in ("add", "sub"))
    names = list(driver.contract.observe)
    flag, count = (Call(READS - names.index(name), ()) for name in ("exclusive", "mapcount"))
    return {
        "2 x add": ((add(0),), (add(1),)),
        "2 x (add, sub)": ((add(0), sub(0)), (add(1), sub(1))),
        "3 x add": ((add(0),), (add(1),), (add(2),)),
        "2 x 2 adds": ((add(0), add(0)), (add(1), add(1))),
        "3 x (add, sub)": ((add(0), sub(0)), (add(1), sub(1)), (add(2), sub(2))),
        "add, add, reader": ((add(0),), (add(1),), (flag,)),
        "(add, sub), two reads": ((add(0), sub(0)), (flag, count)),
        "2 x (add, sub), two reads": ((add(0), sub(0)), (add(1), sub(1)), (flag, count)),
    }


def measure(driver: Driver) -> Any:
    driver.cage()
    begun = time.perf_counter()
    explore_starts(driver, Limits())
    every = list(scenarios(driver, starts(driver), SHAPES))
    choosing = time.perf_counter() - begun
    weaver = Weaver(driver, threads_of(driver.contract).lock_free)
    rounds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        made = [weaver.explore(i, one, Effort()) for i, one in enumerate(every)]
        rounds.append((time.perf_counter() - begun, sum(m.executions for m in made),
                       sum(m.steps for m in made), sum(m.end == ALL for m in made)))  # fmt: skip
    table = []
    for name, calls in fixed(driver).items():
        scenario = Scenario((), calls)
        reduced = weaver.explore(0, scenario, Effort(executions=MOST))
        naive = weaver.explore(0, scenario, Effort(reduce=False, executions=MOST))
        every_access = weaver.explore(0, scenario, Effort(reduce=False, executions=MOST, everything=True))
        table.append((name, reduced.executions, reduced.blocked, reduced.seconds, naive.executions,
                      naive.end == ALL, every_access.executions, every_access.end == ALL))  # fmt: skip
    return [choosing, rounds, table]


def main() -> None:
    loaded = load(contract_path("mm-owner-tracking"), {})
    with scratch_folder(cache_folder()) as folder:
        made = libraries(loaded, folder, THREADED)
        outcome = worker.run(lambda: measure(Driver(made, loaded, Flight())),
                             worker.Limits(cpu_seconds=400, wall_seconds=600))  # fmt: skip
    assert outcome.result is not None, outcome
    choosing, rounds, table = outcome.result
    times = [seconds for seconds, *_ in rounds]
    middle, executions, steps, legal = sorted(rounds)[len(rounds) // 2]
    print(f"threads: {legal:,} default scenarios chosen in {choosing:.2f} s, run in {min(times):.2f} "
          f"{statistics.median(times):.2f} {max(times):.2f} s (min, median, max)")  # fmt: skip
    print(f"  {executions / middle:,.0f} executions and {steps / middle:,.0f} steps a second")
    head = (
        "executions",
        "blocked",
        "ms",
        "not reduced",
        "each access",
        "best checker",
        "spin loop taken literally",
    )
    print(f"  {'':26} " + "  ".join(f"{word:>11}" for word in head))
    for name, reduced, blocked, seconds, naive, all_of_them, accesses, all_accesses in table:
        best, literal = KNOWN.get(name, (None, None))
        cells = (reduced, blocked, f"{seconds * 1000:.2f}", f"{naive:,}{'' if all_of_them else '+'}",
                 f"{accesses:,}{'' if all_accesses else '+'}", best or "-",
                 (f"{literal:,}" if literal else "none ended") if best else "-")  # fmt: skip
        print(f"  {name:26} " + "  ".join(f"{cell:>11}" for cell in cells))


if __name__ == "__main__":
    main()
