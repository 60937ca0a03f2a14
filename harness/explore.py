# SPDX-License-Identifier: GPL-2.0-only
"""What an exploration or a walk found: each check's counts and its first witness, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness import audit
from harness.driver import (
    COMPLETE,
    MOST_CALLS,
    NO_MEMORY,
    STATES_LIMIT,
    TIME_LIMIT,
    WHY,
    Call,
    Driver,
    Limits,
)
from harness.errors import HarnessError
from harness.trace import Step, failed_checks, replay

# Without symmetry up to so many states; beyond, members are taken to be alike (--symmetry auto).
FEW_STATES = 200_000
LEGAL_BUT_WARNINGS = 2  # kc_digest()
ENDS = {
    STATES_LIMIT: "the limit of states was reached",
    TIME_LIMIT: "the time limit was reached",
    NO_MEMORY: "the memory limit was reached",
}


@dataclass(frozen=True)
class Slot:
    """One check over all transitions: how many it judged, how many failed, and a first witness."""

    compared: int
    failed: int
    trace: tuple[Step, ...] = ()
    common: tuple[str, ...] = ()
    wide: bool = False  # of a random walk
    doubt: str = ""  # what is amiss with its trace

    @property
    def last(self) -> Step:
        """The step that shows it; a blank one where its trace was not kept."""
        return self.trace[-1] if self.trace else Step("", {}, {}, {})


@dataclass(frozen=True)
class Explored:
    """A whole exploration, or a walk. `checks` by (operation, observation), `claims` by id.

    `states` counts all states, `kept` those in memory: fewer, where each stands for all that differ
    only by which member is which. Every trace of `depth` calls was explored. `digest` is of all that
    legal calls did but warn, where the limits ask for it.
    """

    end: int
    states: int
    transitions: int
    checks: Mapping[tuple[str, str], Slot]
    claims: Mapping[str, Slot]
    sites: tuple[tuple[str, Slot], ...] = ()  # operation, and each place that a sanitizer reported in it
    kept: int = 0
    depth: int = 0
    bytes: int = 0
    symmetric: bool = False
    seconds: float = 0.0
    digest: int = 0
    counters: str = ""  # of coverage, where they were compiled in
    errors: tuple[str, ...] = ()
    blind: Step | None = None  # the initial world cannot even be observed


def explore(driver: Driver, limits: Limits, symmetry: str) -> Explored:
    """Everything within the bounds, each finding with its trace; `symmetry` is auto, on or off."""
    driver.cage()
    driver.must_end_in(limits.seconds)
    few = replace(limits, states=min(FEW_STATES, limits.states))
    alike = replace(limits, symmetry=True)
    wanted = {"auto": few, "on": alike, "off": limits}[symmetry]
    driver.open(wanted)
    blind = unobservable(driver)
    driver.engine.kc_close(driver.run)
    if blind:
        return Explored(COMPLETE, 0, 0, {}, {}, blind=blind)
    end = driver.explore(wanted)
    if symmetry == "auto" and int(driver.engine.kc_kept(driver.run)) >= few.states < limits.states:
        driver.engine.kc_close(driver.run)
        end = driver.explore(alike if driver.contract.symmetry else limits)
    try:
        return results(driver, end)
    except NotAlikeError:
        driver.engine.kc_close(driver.run)
        return results(driver, driver.explore(limits))


class NotAlikeError(Exception):
    """A trace that symmetry made does not show what it should: members are not alike in this code."""


def unobservable(driver: Driver) -> Step | None:
    """How observing the initial world crashes, where it does."""
    step = driver.step(None)
    if not step.why:
        return None
    return Step("", {}, {}, {}, WHY[step.why], int(step.signal), int(step.pc))


def results(driver: Driver, end: int) -> Explored:
    """All that the engine found, traces replayed."""
    engine, run = driver.engine, driver.run
    counters = driver.counters.read() if driver.counters else ""
    errors = tuple(audit.audit_states(driver))
    checks, claims = by_name(driver, slot_result)
    sites = [(op, slot_result(driver, number, op, "", slot)) for number, op, slot in driver.sites()]
    return Explored(
        end,
        int(engine.kc_states(run)),
        int(engine.kc_transitions(run)),
        checks,
        claims,
        tuple(sites),
        int(engine.kc_kept(run)),
        int(engine.kc_depth(run)),
        int(engine.kc_bytes(run)),
        bool(engine.kc_symmetric(run)),
        float(engine.kc_seconds(run)),
        int(engine.kc_digest(run, LEGAL_BUT_WARNINGS)),
        counters,
        errors,
    )


def by_name(
    driver: Driver, result: Callable[[Driver, int, str, str, Any], Slot]
) -> tuple[dict[tuple[str, str], Slot], dict[str, Slot]]:
    """The result of each check by operation and name, and of each claim by id."""
    checks: dict[tuple[str, str], Slot] = {}
    claims: dict[str, Slot] = {}
    for number, op, name, c_slot in driver.slots():
        found = result(driver, number, op, name, c_slot)
        if op:
            checks[op, name] = found
        else:
            claims[name] = found
    return checks, claims


def slot_result(driver: Driver, number: int, op: str, name: str, c_slot: Any) -> Slot:
    """One check's result, its first failure replayed."""
    if not c_slot.failed:
        return Slot(int(c_slot.compared), 0)
    calls = driver.first_trace(number)
    if driver.engine.kc_symmetric(driver.run) and calls != []:
        if calls is None or not driver.fails_after(calls, number):
            raise NotAlikeError
        plain = in_order(driver, calls)
        calls = plain if driver.fails_after(plain, number) == len(plain) else calls
    counts = int(c_slot.compared), int(c_slot.failed)
    if calls is None:
        return Slot(*counts, doubt=f"its trace has more than {MOST_CALLS} calls, and is not kept")
    steps, doubt = shown(driver, op, name, calls)
    return Slot(*counts, steps, tuple(common(driver, c_slot)), doubt=doubt)


def shown(driver: Driver, op: str, name: str, calls: Sequence[Call]) -> tuple[tuple[Step, ...], str]:
    """A failure's trace run by itself, and, where it does not show the failure, that."""
    steps = tuple(replay(driver, calls, watch_of(driver, op, name)))
    last = steps[-1]
    seen = {*failed_checks(driver.contract, last), *(f"claim/{claim}" for claim in last.witnessed)}
    if op and name in ("", "sanitizer"):
        there = any(check.startswith(f"sanitizer/{op}") for check in seen)
    elif op and name == "crash":
        there = bool(last.why)
    else:
        there = bool(seen & check_ids(driver, op, name))
    return steps, "" if there else "run by itself, this trace does not show it: what the code does varies"


def check_ids(driver: Driver, op: str, name: str) -> set[str]:
    """The ids under which one check of an operation, or a claim, may be known."""
    if not op:
        return {f"claim/{name}"}
    return {f"conformance/{op}/{name}", f"misuse/{op}", f"misuse/{op}/itself"}


def in_order(driver: Driver, calls: Sequence[Call]) -> list[Call]:
    """A trace with its members named in the order in which they appear."""
    symmetry = driver.contract.symmetry
    names: dict[int, int] = {}
    renamed: list[Call] = []
    for call in calls:
        op = driver.operations[call.op]
        args = tuple(
            names.setdefault(value, len(names))
            if symmetry and name in symmetry.arguments and 0 <= value < len(symmetry.values)
            else value
            for name, value in zip(op.args, call.args, strict=True)
        )
        renamed.append(Call(call.op, args))
    return renamed


def watch_of(driver: Driver, op: str, name: str) -> int:
    """The observation whose last change says where a check went wrong, or -1."""
    return list(driver.state.offsets).index(name) if op and name in driver.state.offsets else -1


def common(driver: Driver, c_slot: Any) -> Iterator[str]:
    """Features that all failing transitions have and not all others."""
    passed = c_slot.compared > c_slot.failed
    for bit, feature in enumerate(driver.contract.features):
        if c_slot.fail_all >> bit & 1 and passed and not c_slot.pass_all >> bit & 1:
            yield feature.title


# The way from worker to parent.


def encode(explored: Explored) -> dict[str, Any]:
    """Explored as plain data."""
    return {
        **{k: getattr(explored, k) for k in PLAIN_FIELDS},
        "checks": {"\t".join(k): asdict(v) for k, v in explored.checks.items()},
        "claims": {k: asdict(v) for k, v in explored.claims.items()},
        "sites": [(op, asdict(slot)) for op, slot in explored.sites],
        "errors": list(explored.errors),
        "blind": asdict(explored.blind) if explored.blind else None,
    }


PLAIN_FIELDS = (
    "end", "states", "transitions", "kept", "depth", "bytes", "symmetric", "seconds", "digest", "counters",
)  # fmt: skip


def decode(data: Mapping[str, Any]) -> Explored:
    """What `encode` was given."""
    checks: dict[tuple[str, str], Slot] = {}
    for key, value in data["checks"].items():
        op, _, name = key.partition("\t")
        checks[op, name] = decode_slot(value)
    return Explored(
        **{k: data[k] for k in PLAIN_FIELDS},
        checks=checks,
        claims={k: decode_slot(v) for k, v in data["claims"].items()},
        sites=tuple((op, decode_slot(slot)) for op, slot in data["sites"]),
        errors=tuple(data["errors"]),
        blind=Step(**data["blind"]) if data["blind"] else None,
    )


def decode_slot(said: Mapping[str, Any]) -> Slot:
    """One check's result."""
    return Slot(
        said["compared"],
        said["failed"],
        decode_steps(said["trace"]),
        tuple(said["common"]),
        doubt=said["doubt"],
    )


def decode_steps(said: Any) -> tuple[Step, ...]:
    """A trace that was plain data."""
    return tuple(
        Step(**{**step, "broken": tuple(step["broken"]), "witnessed": tuple(step["witnessed"])})
        for step in said
    )


def checked(explored: Explored) -> Explored:
    """`explored`, where Python and the translated contract agree; else HarnessError."""
    if explored.errors:
        raise HarnessError(f"translated contract and Python differ: {explored.errors[0]}")
    return explored
