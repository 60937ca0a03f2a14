# SPDX-License-Identifier: GPL-2.0-only
"""Makes a failing trace minimal: no call can be dropped, no argument made simpler."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from harness.driver import Call

SUFFIXES = (1, 2, 3, 4)  # lengths that are tried first: most findings need no more


def minimal(
    calls: Sequence[Call],
    fails_after: Callable[[Sequence[Call]], int],
    simpler: Callable[[Sequence[Call]], Iterable[list[Call]]],
    tries: int = 1 << 20,
) -> list[Call]:
    """A shortest form of `calls` that still fails; the same where it does not fail at all.

    `fails_after` says how many calls of a trace it takes to fail, 0 where it does not; `simpler`
    gives the simpler forms of a trace of the same length, simplest first. After `tries` traces it
    is as it is.
    """
    left = itertools.count(tries, -1)

    def fails(tried: Sequence[Call]) -> int:
        return fails_after(tried) if next(left) > 0 else 0

    best = list(calls[: fails_after(calls)]) or list(calls)
    best = next((best[-n:] for n in SUFFIXES if n < len(best) and fails(best[-n:]) == n), best)
    while True:
        shorter = drop(best, fails)
        plainer = next((tried[:length] for tried in simpler(shorter) if (length := fails(tried))), None)
        if plainer is None:
            return shorter
        best = plainer


def drop(calls: list[Call], fails_after: Callable[[Sequence[Call]], int]) -> list[Call]:
    """`calls` without all that is not needed: large pieces first, then single calls (ddmin)."""
    size = len(calls) // 2
    while size:
        at = 0
        while at < len(calls):
            tried = calls[:at] + calls[at + size :]
            length = fails_after(tried) if tried else 0
            if length:
                calls = tried[:length]
            else:
                at += size
        size //= 2
    return calls
