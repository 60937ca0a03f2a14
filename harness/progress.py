# SPDX-License-Identifier: GPL-2.0-only
"""How far an exploration is, on a terminal; nothing where standard error is none."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from harness.driver import Flight

PATIENCE = 0.5  # seconds until the first line: most runs are over before


@contextlib.contextmanager
def progress() -> Iterator[Callable[[Flight], None] | None]:
    """What is to be called now and then with a flight recorder; the line is wiped at the end."""
    if not sys.stderr.isatty():
        yield None
        return
    start = time.monotonic()
    try:
        yield lambda flight: show(flight, time.monotonic() - start)
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def show(flight: Flight, seconds: float) -> None:
    """One line over the last one."""
    if seconds >= PATIENCE:
        sys.stderr.write("\r\x1b[K" + line(*flight.progress(), seconds)[:99])
        sys.stderr.flush()


def line(states: int, expanded: int, calls: int, depth: int, seconds: float) -> str:
    """States, rate, and how long it takes at least: new states are still found."""
    share = expanded / states if states else 0.0
    bar = "#" * int(20 * share)
    rest = seconds * (states - expanded) / expanded if expanded else 0.0
    return (
        f"[{bar:20}] {expanded:,} of {states:,} states so far, traces of {depth} calls, "
        f"{calls / seconds / 1e6:.1f} M calls/s, {rest:.0f} s or more to go"
    )
