# SPDX-License-Identifier: GPL-2.0-only
"""What runs at the same time: a start state, and the calls of each thread."""

from __future__ import annotations

from dataclasses import dataclass

from harness.contract import Contract
from harness.driver import Call
from harness.trace import call_text

MOST_THREADS = 4
MOST_CALLS = 8  # of all threads of a scenario
READS = -1  # a call's op that is READS - k reads observation k alone, as a reader without the lock does


@dataclass(frozen=True)
class Scenario:
    """Calls that lead from the initial world to where the threads begin, and those of each thread."""

    start: tuple[Call, ...]
    threads: tuple[tuple[Call, ...], ...]

    @property
    def size(self) -> tuple[int, int]:
        """Threads, and the most calls of one."""
        return len(self.threads), max(map(len, self.threads))


def said(contract: Contract, call: Call) -> str:
    """A call of a thread as text: "add(mm=0, diff=1)", or "read exclusive"."""
    if call.op <= READS:
        return f"read {list(contract.observe)[READS - call.op]}"
    op = contract.operations[call.op]
    return call_text(op.name, dict(zip(op.args, call.args, strict=True)))
