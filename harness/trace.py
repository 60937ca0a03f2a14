# SPDX-License-Identifier: GPL-2.0-only
"""A trace step by step: what the code did, what the Python model expects of it, which checks that fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.contract import GOES_ON, Claim, Contract, Operation, parameters
from harness.driver import SHIM_LIMIT, WHY, Call, Driver, arguments_of

DIED = "its worker died"  # said by the parent, where the call did not even come back to the engine


@dataclass(frozen=True)
class Step:
    """What one call of a trace did: observations by name, and what the model expects of them."""

    op: str
    args: Mapping[str, int]
    observed: Mapping[str, int]
    expected: Mapping[str, int]
    why: str = ""  # signal, endless loop, deadlock: the call did not come back
    signal: int = 0
    pc: int = 0
    changed_pc: int = 0  # the instruction that changed the observation in question last
    warning: Mapping[str, Any] | None = None
    report: Mapping[str, Any] | None = None  # of a sanitizer
    elsewhere: int = -1
    place: str = ""  # where that byte of the world is
    broken: tuple[str, ...] = ()  # "always" claims that do not hold after it
    witnessed: tuple[str, ...] = ()  # "possible" claims that it shows


def apply(function: Any, given: Mapping[str, Any]) -> Any:
    """`function` of those of `given` that it takes."""
    return function(**{name: given[name] for name in parameters(function)})


def legal(op: Operation, given: Mapping[str, Any]) -> bool:
    """Whether the contract lets `op` be called there."""
    return not op.when or bool(apply(op.when, given))


def outside(contract: Contract, state: Any) -> bool:
    """Whether the contract lets no trace go on from `state`."""
    return bool(contract.within and not apply(contract.within, {"s": state}))


def replay(driver: Driver, calls: Sequence[Call], watch: int = -1) -> Iterator[Step]:
    """The steps of a trace from the initial world, each held against the Python model.

    `watch` is an observation whose last change in the last step is to be found in the code. The
    trace ends early where a call does not come back, and before one that the contract does not allow.
    """
    start = driver.step(None)
    before, ghost = driver.observed(start), driver.contract.ghost()
    view = {"g": ghost, "t": before}
    yield Step("", {}, driver.named(before), {}, broken=broken(driver, "", view),
               witnessed=witnessed(driver, view))  # fmt: skip
    for number, call in enumerate(calls, 1):
        op = driver.operations[call.op]
        given = {"g": ghost, "s": before} | dict(arguments_of(op, call))
        if not legal(op, given) or (number > 1 and outside(driver.contract, before)):
            return
        c_step = driver.step(call, watch if number == len(calls) else -1)
        if op.ghost:
            ghost = apply(op.ghost, given)
        yield one_step(driver, op, call, c_step, given, ghost)
        if c_step.why:
            return
        before = driver.observed(c_step)


def one_step(driver: Driver, op: Operation, call: Call, c: Any, given: Mapping[str, Any], ghost: Any) -> Step:
    """What one C step did, named."""
    after = driver.observed(c)
    observed = {} if c.why else driver.named(after)
    if not c.why:
        observed |= {"warnings": int(c.warnings), "rmw": int(c.rmw)}
        if op.returns or op.observed:
            observed["return"] = int(c.ret)
        if op.by:
            observed["itself"] = int(c.ret)
    view = dict(given) | {"g": ghost, "t": after, "rmw": int(c.rmw)}
    judged = not c.why and op.kind in GOES_ON
    claimed = op.name if op.kind == "operation" else ""  # of what a setup leaves, only the state is judged
    return Step(
        op.name,
        arguments_of(op, call),
        observed,
        expected(driver, op, given),
        WHY.get(c.why, ""),
        int(c.signal),
        int(c.pc),
        int(c.changed_pc),
        warning_of(driver, c),
        report_of(driver, c),
        int(c.elsewhere),
        f"byte {int(c.object_byte)} of {driver.text(c.object)}" if c.object != driver.ffi.NULL else "",
        broken(driver, claimed, view) if judged else (),
        witnessed(driver, view) if judged else (),
    )


def warning_of(driver: Driver, c: Any) -> dict[str, Any] | None:
    """The first warning of a C step."""
    if not c.warnings or c.condition == driver.ffi.NULL:
        return None
    said: dict[str, Any] = {key: driver.text(getattr(c, key)) for key in ("macro", "condition", "file")}
    return said | {"line": int(c.line)}


def report_of(driver: Driver, c: Any) -> dict[str, Any] | None:
    """The first sanitizer report of a C step."""
    if not c.reports or c.kind == driver.ffi.NULL:
        return None
    return {
        "kind": driver.text(c.kind),
        "text": driver.text(c.text),
        "file": driver.text(c.report_file),
        "line": int(c.report_line),
        "pc": int(c.report_pc),
    }


def expected(driver: Driver, op: Operation, given: Mapping[str, Any]) -> dict[str, int]:
    """What the Python model predicts."""
    due = {"warnings": int(bool(op.warns and apply(op.warns, given)))}
    if op.kind == "misuse":
        return due | ({"itself": due["warnings"]} if op.by else {})
    said = driver.named(apply(op.model, given)) if op.model else {}
    if op.returns:
        said["return"] = int(apply(op.returns, given))
    return said | due


def holds(claim: Claim, view: Mapping[str, Any]) -> bool:
    """Whether a claim holds in `view`."""
    return bool(apply(claim.holds, view))


def broken(driver: Driver, op: str, view: Mapping[str, Any]) -> tuple[str, ...]:
    """The "always" claims that do not hold after `op` (empty: in the initial state)."""
    return tuple(
        claim.id
        for claim in driver.contract.claims
        if claim.kind == "always"
        and (claim.of_state or (op and (not claim.on or op in claim.on)))
        and not holds(claim, view)
    )


def witnessed(driver: Driver, view: Mapping[str, Any]) -> tuple[str, ...]:
    """The "possible" claims that hold there."""
    return tuple(c.id for c in driver.contract.claims if c.kind == "possible" and holds(c, view))


# Which checks a step fails: their ids are those of harness/judge.py.


def failed_checks(contract: Contract, step: Step) -> tuple[str, ...]:
    """The ids of all checks that fail at one step: claims first, then crashes, then mismatches."""
    claims = [f"claim/{claim}" for claim in step.broken]
    op = next((op for op in contract.operations if op.name == step.op), None)
    if op is None:
        return (*claims, *(("crash/observe",) if step.why else ()))
    return (*claims, *failed_to_come_back(step), *mismatches(op, step))


def failed_to_come_back(step: Step) -> Iterator[str]:
    """crash/… and sanitizer/… that fail at a step."""
    if step.report is not None:
        kind = step.report.get("kind")
        yield f"sanitizer/{step.op}/{kind}" if kind else f"sanitizer/{step.op}"
    elif step.why == "bad access":
        yield f"sanitizer/{step.op}/bad access"
    if step.why == "deadlock":
        yield "crash/deadlock"
    elif step.why not in ("", "bad access", SHIM_LIMIT) and step.report != {}:
        yield f"crash/{step.op}"


def mismatches(op: Operation, step: Step) -> Iterator[str]:
    """conformance/… or misuse/… that fail at a step of `op`."""
    if step.why or not step.observed or op.kind in ("setup", "outlook"):
        return
    misuse = op.kind == "misuse"
    for name, due in step.expected.items():
        if name != "warnings" and step.observed[name] != due:
            yield f"{'misuse' if misuse else 'conformance'}/{op.name}/{name}"
    if bool(step.observed["warnings"]) != bool(step.expected["warnings"]):
        yield f"misuse/{op.name}" if misuse else f"conformance/{op.name}/warnings"
    if step.elsewhere >= 0 and not misuse:
        yield f"conformance/{op.name}/elsewhere"


def has_check(contract: Contract, name: str) -> bool:
    """Whether some step of a trace can fail a check of that id."""
    group, _, rest = name.partition("/")
    if group == "claim":
        return any(claim.id == rest and claim.kind == "always" for claim in contract.claims)
    if group == "concurrency" or name in ("crash/deadlock", "crash/observe"):
        return True
    return any(of_operation(contract, op, group, rest) for op in contract.operations)


def of_operation(contract: Contract, op: Operation, group: str, rest: str) -> bool:
    """Whether `op` has the check `group`/`rest`."""
    if group == "conformance":
        modelled = contract.observe if op.model else ()
        names = ["warnings", "elsewhere", *modelled, *(["return"] if op.returns else [])]
        return op.kind in ("operation", "probe") and any(rest == f"{op.name}/{name}" for name in names)
    if group == "misuse":
        return op.kind == "misuse" and rest in (op.name, *([f"{op.name}/itself"] if op.by else []))
    if group == "crash":
        return rest == op.name
    return group == "sanitizer" and (rest == op.name or rest.startswith(f"{op.name}/"))


def values_seen(step: Step) -> dict[str, int | str]:
    """All that a step showed, as it is written to a file."""
    seen: dict[str, int | str] = dict(step.observed)
    if step.why:
        seen["stopped"] = step.why
    if step.signal:
        seen["signal"] = step.signal
    if step.elsewhere >= 0:
        seen["elsewhere"] = step.elsewhere
    if step.report:
        seen["report"] = f"{step.report['kind']}: {step.report['text']}"
    return seen


def call_text(op: str, args: Mapping[str, object]) -> str:
    """A step's call as text."""
    return f"{op}({', '.join(f'{k}={v}' for k, v in args.items())})" if op else "(initial)"
