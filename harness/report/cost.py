# SPDX-License-Identifier: GPL-2.0-only
"""What two revisions cost, as text: what differs, the largest change first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.diff.cost import CodeCost, Cost, Costs

WIDTH = 100
Range = tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """One function, or an operation that calls several, in both revisions."""

    name: str
    calls: tuple[Cost, Cost] | None
    code: tuple[CodeCost, CodeCost] | None

    def values(self) -> Iterator[tuple[str, str, Range | None, Range | None]]:
        """What was measured: its name, its unit, and what it is in both."""
        if self.calls:
            old, new = self.calls
            yield "instructions", "", old.instructions, new.instructions
            yield "RMW", "", old.rmw, new.rmw
        if self.code:
            was, now = self.code
            yield "code", " bytes", (was.bytes,), (now.bytes,)
            if was.stack is not None and now.stack is not None:
                yield "stack", "", (was.stack,), (now.stack,)
        if self.calls:
            yield "lines", "", old.lines, new.lines

    @property
    def changed(self) -> bool:
        """Whether anything is another number."""
        return any(old != new for _, _, old, new in self.values())

    @property
    def change(self) -> tuple[float, ...]:
        """How much, for the order: atomics, then instructions, then code."""
        rmw = abs(self.calls[0].rmw[1] - self.calls[1].rmw[1]) if self.calls else 0
        return (rmw, *(abs(share(old, new)) for name, _, old, new in self.values()
                       if name in ("instructions", "code")))  # fmt: skip

    def text(self) -> str:
        """In one line; what did not change stands there once."""
        said = [f"{name} {change_text(old, new)}{unit}"
                for name, unit, old, new in self.values() if old and new]  # fmt: skip
        return f"{self.name}: {'; '.join(said)}"


def share(old: Range | None, new: Range | None) -> float:
    """The change as a share of what it was; of a spread, that of its median."""
    if not old or not new:
        return 0.0
    was, now = (each[len(each) // 2] for each in (old, new))
    return (now - was) / max(was, 1)


def change_text(old: Range, new: Range) -> str:
    """Both values, or the one that they have in common."""
    return range_text(old) if old == new else f"{range_text(old)} -> {range_text(new)}"


def range_text(values: Range) -> str:
    """A spread as `least..most (median m)`, or the one number that it is."""
    if len(set(values)) == 1:
        return str(values[0])
    middle = f" (median {values[1]})" if len(values) == 3 else ""
    return f"{values[0]}..{values[-1]}{middle}"


def pairs(costs: Costs) -> list[Pair]:
    """What both revisions have: functions with the operation that calls them, then other operations."""
    found: list[Pair] = []
    new_code = {code.function: code for code in costs.new.functions}
    old_code = {code.function: code for code in costs.old.functions}
    new_calls = {cost.operation: cost for cost in costs.new.operations}
    seen: set[str] = set()
    for old in costs.old.operations:
        new = new_calls[old.operation]
        whole = old.function in old_code and new.function in new_code
        code = (old_code[old.function], new_code[new.function]) if whole else None
        found.append(Pair(pair_name(old, new, seen), (old, new), code))
        seen |= {old.function, new.function}
    for name, was in old_code.items():
        if name in new_code and name not in seen:
            found.append(Pair(name, None, (was, new_code[name])))
    return found


def pair_name(old: Cost, new: Cost, seen: set[str]) -> str:
    """The function, under both names where it has two; the operation, where it is not one function's."""
    if not (old.function and new.function) or old.function in seen:
        return f"operation {old.operation}"
    return old.function if old.function == new.function else f"{old.function} (now {new.function})"


def cost_text(costs: Costs, width: int = WIDTH) -> str:
    """The report; nothing where nothing could be compared."""
    every = pairs(costs)
    differ = changed(every)
    lines = [line for pair in differ for line in wrapped(pair.text(), width)]
    if same := len(every) - len(differ):
        lines.append(f"the same in {same} {'other ' if differ else ''}function{'s' if same > 1 else ''}")
    head: list[str] = []
    if every:
        head = wrapped(f"cost ({measured(costs)})", width)
    return "".join(f"{line}\n" for line in (*head, *(f"  {line}" for line in lines), *costs.reasons))


def changed(every: Sequence[Pair]) -> list[Pair]:
    """Those that cost something else, the largest change first."""
    return sorted((pair for pair in every if pair.changed), key=lambda pair: pair.change, reverse=True)


def measured(costs: Costs) -> str:
    """How it was measured, and of what."""
    own = "instructions of a call and bytes of code are those of its own lines, not of shims"
    return f"{costs.options}; {own}"


def wrapped(text: str, width: int) -> list[str]:
    """`text` within the width."""
    return textwrap.wrap(text, width - 2, subsequent_indent="  ", break_long_words=False,
                         break_on_hyphens=False)  # fmt: skip
