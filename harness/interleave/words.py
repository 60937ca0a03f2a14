# SPDX-License-Identifier: GPL-2.0-only
"""What a step of a thread does, in words."""

from __future__ import annotations

from collections.abc import Iterator

from harness.interleave.schedule import (
    FENCE,
    FULL,
    MARKED,
    READ,
    RELEASE,
    SECTION,
    WAITS,
    WRITE,
    Schedule,
    ThreadStep,
)


def told(schedule: Schedule) -> Iterator[ThreadStep]:
    """The steps, but for a read that says what the one before it in the same line said."""
    last: tuple[object, ...] = ()
    for step in schedule.steps:
        where = step.stack[0] if step.stack else step.pc
        key = step.thread, where, step.name, step.byte, step.before
        if step.kind & WRITE or step.blocked or key != last:
            yield step
        last = key if not step.kind & WRITE else ()


def does(step: ThreadStep) -> str:
    """What one step does, with values."""
    name = step.name.rpartition(".")[2] or "a shared word"
    if step.byte and step.kind & (READ | WRITE):
        name += f"+{step.byte}"
    if step.kind & FENCE:
        if step.blocked:
            return "waits: its stores are not seen yet"
        kind = "full" if step.kind & FULL else "write" if step.kind & RELEASE else "read"
        return f"{kind} memory barrier"
    if step.kind & SECTION:
        lock = f"the lock of {name}"
        return f"waits for {lock}" if step.blocked else f"{'takes' if step.kind & READ else 'lets go'} {lock}"
    before, after = (value(step, one) for one in (step.before, step.after))
    if step.blocked:
        return f"waits: {name} is {before}" if step.kind & WAITS else f"would go on: {name} is {before}"
    if step.delayed:
        return f"its store is seen: {name} = {after}"
    if step.kind & WAITS and step.kind & WRITE:
        return f"takes the lock: {name} {before} -> {after}"
    if step.kind & READ and step.kind & WRITE:
        return f"atomic: {name} {before} -> {after}"
    if step.kind & WRITE:
        return f"{name} = {after}{' (release)' if step.kind & RELEASE else ''}"
    return f"{'READ_ONCE' if step.kind & MARKED else 'reads'} {name}: {before}"


def value(step: ThreadStep, number: int) -> str:
    """A value as C would show it: an int, or a word in hexadecimal."""
    if step.size >= 8:
        return f"{number:#x}" if number > 0xFFFF else str(number)
    half = 1 << (8 * step.size - 1)
    return str(number - 2 * half if step.size == 4 and number >= half else number)
