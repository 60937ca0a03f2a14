# SPDX-License-Identifier: GPL-2.0-only
"""Python judges a sample of each run as well: where the translated contract differs, nothing is said."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.contract import GOES_ON
from harness.driver import Call, Driver, arguments_of
from harness.trace import apply, broken, legal, witnessed
from harness.translate import pack

AUDITED = 400  # transitions of a run


def audit_states(driver: Driver) -> Iterator[str]:
    """Where C and Python disagree, on a sample of an exploration's states and calls."""
    choose = random.Random(1)
    states = int(driver.engine.kc_kept(driver.run))
    obs, ghost = driver.ffi.new("long long[]", 64), driver.ffi.new("long long[]", 64)
    for _ in range(AUDITED if driver.calls else 0):
        driver.engine.kc_state(driver.run, choose.randrange(states), obs, ghost)
        wrong = audit_one(driver, driver.as_state(obs), driver.as_ghost(ghost), choose.choice(driver.calls))
        if wrong:
            yield wrong
            return


def audit_trace(driver: Driver, calls: Sequence[Call]) -> Iterator[str]:
    """Where C and Python disagree along a trace."""
    state, ghost = driver.observed(driver.step(None)), driver.contract.ghost()
    for call in calls[:AUDITED]:
        wrong = audit_one(driver, state, ghost, call)
        if wrong:
            yield wrong
            return
        op = driver.operations[call.op]
        if op.kind not in GOES_ON:
            continue
        if op.ghost:
            ghost = apply(op.ghost, {"g": ghost, "s": state} | dict(arguments_of(op, call)))
        state = driver.observed(driver.step(call))


def audit_one(driver: Driver, state: Any, ghost: Any, call: Call) -> str:
    """Empty where C and Python agree on all that the contract says of one transition."""
    op = driver.operations[call.op]
    given = {"g": ghost, "s": state} | dict(arguments_of(op, call))
    if not legal(op, given):
        return ""
    before = driver.ffi.new("long long[]", [*pack(state, driver.state), 0])
    held = driver.ffi.new("long long[]", [*pack(ghost, driver.ghost), 0])
    model, next_ghost, out = (driver.ffi.new("long long[]", 64) for _ in range(3))
    driver.engine.kc_judge(
        driver.run, driver.c_array([call]), held, before, before, 1, model, next_ghost, out
    )
    got = [int(v) for v in out[0:6]]
    if op.model:
        got += [int(v) for v in model[0 : driver.state.size]]
    got += [int(v) for v in next_ghost[0 : driver.ghost.size]]
    said = judgement(driver, call, given, state)
    return "" if got == said else f"{op.name}: C says {got}, Python says {said}"


def judgement(driver: Driver, call: Call, given: Mapping[str, Any], state: Any) -> list[int]:
    """Python's word on a transition that changes nothing, in the engine's order."""
    op = driver.operations[call.op]
    due = bool(op.warns and apply(op.warns, given))
    returns = int(apply(op.returns, given)) if op.returns else int(due and bool(op.by))
    after = apply(op.ghost, given) if op.ghost else given["g"]
    model = pack(apply(op.model, given), driver.state) if op.model else None
    here = pack(state, driver.state)
    view = {"g": after, "s": state, "t": state, "rmw": 1}
    failed = broken(driver, op.name if op.kind == "operation" else "", view)
    diff = sum((a != b) << i for i, (a, b) in enumerate(zip(model, here, strict=True))) if model else 0
    diff |= bool(returns) << driver.state.size
    diff |= (due and op.kind != "setup") << (driver.state.size + 1)
    shown = bits(driver, "possible", witnessed(driver, view))
    said = [1, int(due), returns, bits(driver, "always", failed), shown, diff, *(model or ())]
    return said + pack(after, driver.ghost)


def bits(driver: Driver, kind: str, names: Sequence[str]) -> int:
    """A bit for each claim of one kind that is among `names`, in the engine's order."""
    claims = [claim.id for claim in driver.contract.claims if claim.kind == kind]
    return sum(1 << bit for bit, name in enumerate(claims) if name in names)
