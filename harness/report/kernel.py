# SPDX-License-Identifier: GPL-2.0-only
"""A trace in a kernel beside userspace, and a recorded walk run again, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.contract import Contract
from harness.export.compare import Compared, Row
from harness.report.page import paint, wrapped

BEFORE = 3  # steps that are shown before the one that differs


def compared_text(compared: Sequence[tuple[Compared, Contract]], color: bool) -> str:
    """The report of `kconform replay --kernel`."""
    return "\n".join("\n".join(block(one, contract, color)) + "\n" for one, contract in compared)


def block(compared: Compared, contract: Contract, color: bool) -> Iterator[str]:
    """One trace."""
    verdict = paint("EQUAL", "1;32", color) if compared.equal else paint("DIFFERENT", "1;31", color)
    yield f"{verdict}: {compared.wanted.name}"
    rows = compared.wanted.rows
    stopped = next((row.stopped for row in rows if row.stopped), "")
    if compared.equal:
        calls = f"{compared.steps - 1:,} step{'s' if compared.steps != 2 else ''}"
        how = f"every observation at each of {calls}, and of the initial world, is the same"
        if stopped:
            how += f"; the last call does not come back in either ({stopped})"
        yield from wrapped(f"{how} in userspace and in Linux {compared.version}", "  ")
    else:
        where = f"in Linux {compared.version} step {compared.at}, {rows[compared.at].call}"
        yield from wrapped(f"{where}, is not as in userspace", "  ")
        yield from ("  " + line for line in beside(compared, contract))
        if compared.said:
            yield from wrapped(f"the kernel said: {compared.said}", "  ")
    left = "; ".join(LEFT.get(name, name) for name in compared.left)
    yield from wrapped(f"compared: {', '.join(compared.columns)}" + (f"; not: {left}" if left else ""), "  ")
    yield from wrapped("the kernel's own: atomics, bit operations, locks, lists, IDs; the module's own: the "
                       "records that the patch changes, page flags, the conditions of warnings (kconform "
                       "export --kunit shows it)", "  ")  # fmt: skip


LEFT = {"rmw": "rmw (a kernel does not count its read-modify-writes)"}


def beside(compared: Compared, contract: Contract) -> Iterator[str]:
    """The step that differs in both, and the few before it."""
    rows, at = compared.wanted.rows, compared.at
    lines = [["", "", *compared.columns]]
    for number in range(max(at - BEFORE, 0), at):
        lines.append([str(number), rows[number].call, *cells(rows[number], compared.columns, contract)])
    assert compared.kernel
    lines.append([str(at), f"{rows[at].call}, userspace", *cells(rows[at], compared.columns, contract)])
    lines.append([str(at), f"{rows[at].call}, kernel", *cells(compared.kernel, compared.columns, contract)])
    widths = [max(len(line[k]) for line in lines if k < len(line)) for k in range(len(lines[0]))]
    for line in lines:
        if len(line) == 3:  # how it ended, which is no column
            yield f"{line[0].rjust(widths[0])}  {line[1].ljust(widths[1])}  {line[2]}"
        else:
            rest = [cell.ljust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
            yield "  ".join([line[0].rjust(widths[0]), *rest]).rstrip()


def cells(row: Row, columns: Sequence[str], contract: Contract) -> list[str]:
    """A row's values in the contract's words."""
    if row.stopped:
        return [f"does not come back: {row.stopped}"]
    return [contract.word(name, row.seen[name]) if name in row.seen else "" for name in columns]


def compared_json(compared: Sequence[tuple[Compared, Contract]]) -> list[Mapping[str, object]]:
    """The same as plain data."""
    return [
        {
            "name": one.wanted.name,
            "verdict": "equal" if one.equal else "different",
            "kernel": one.version,
            "steps": len(one.wanted.rows) - 1,
            "differs_at": None if one.equal else one.at,
            "userspace": None if one.equal else row_data(one.wanted.rows[one.at]),
            "in_kernel": row_data(one.kernel) if one.kernel else None,
            "compared": list(one.columns),
            "not_compared": list(one.left),
        }
        for one, _ in compared
    ]


def row_data(row: Row) -> Mapping[str, object]:
    """One row as plain data."""
    return {"call": row.call, "observed": dict(row.seen), "stopped": row.stopped}


@dataclass(frozen=True)
class WalkAgain:
    """A recorded walk run again in userspace: its steps then and now; `end` says why there are fewer."""

    name: str
    recorded: Sequence[Row]
    now: Sequence[Row]
    end: str
    contract: Contract
    bounds: Mapping[str, int]

    @cached_property
    def at(self) -> int:
        """The first step that is otherwise, -1 where none is."""
        return first_difference(self.recorded, self.now)

    @property
    def same(self) -> bool:
        """Whether every observation is as it was."""
        return self.at < 0 and not self.end

    @property
    def calls(self) -> int:
        """How many calls were recorded."""
        return sum(1 for row in self.recorded if row.call != INITIAL)


INITIAL = "(initial)"


def again_text(walk: WalkAgain) -> str:
    """What became of a recorded walk in userspace."""
    contract, at = walk.contract, walk.at
    if walk.same:
        how = f"every observation of {walk.calls:,} calls against {contract.name} is as it was"
        return "\n".join([f"AS RECORDED: {walk.name}", *wrapped(how, "  ")]) + "\n"
    lines = [f"CHANGED: {walk.name}"]
    if 0 <= at < len(walk.now):
        was, seen = walk.recorded[at].seen, walk.now[at].seen
        lines.append(f"  step {at}, {walk.recorded[at].call}:")
        lines += [f"  {key}: was {contract.word(key, was.get(key))}, now {contract.word(key, seen.get(key))}"
                  for key in dict.fromkeys((*was, *seen)) if was.get(key) != seen.get(key)]  # fmt: skip
    elif walk.end:
        lines += wrapped(walk.end, "  ")
    return "\n".join(lines) + "\n"


def again_data(walk: WalkAgain) -> Mapping[str, object]:
    """The same as plain data."""
    at = walk.at
    there = 0 <= at < len(walk.now)
    return {
        "file": walk.name,
        "verdict": "as recorded" if walk.same else "changed",
        "calls": walk.calls,
        "contract": walk.contract.name,
        "bounds": dict(walk.bounds),
        "differs_at": at if at >= 0 else None,
        "call": walk.recorded[at].call if 0 <= at < len(walk.recorded) else "",
        "was": dict(walk.recorded[at].seen) if there else {},
        "observed": dict(walk.now[at].seen) if there else {},
        "end": walk.end,
    }


def first_difference(recorded: Sequence[Row], now: Sequence[Row]) -> int:
    """The first step at which two walks differ, -1 where none does."""
    for number, (was, seen) in enumerate(zip(recorded, now, strict=False)):
        if dict(was.seen) != dict(seen.seen):
            return number
    return -1 if len(recorded) == len(now) else min(len(recorded), len(now))
