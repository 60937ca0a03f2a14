# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts on concurrent calls: what their results are explained by, races, locks, and that all come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from harness.contract import Claim, Contract, Loaded
from harness.interleave.choose import threads_of
from harness.interleave.places import placed, resolve
from harness.interleave.races import RACE_TITLE, pair_of, races
from harness.interleave.run import Interleaved, Witness, keys
from harness.interleave.scenario import READS, said
from harness.interleave.schedule import WAITS, WRITE, Place, ThreadStep
from harness.interleave.weaver import (
    CRASHED,
    DEADLOCK,
    HELD,
    MOMENT,
    NOT_HELD,
    PAIR,
    RACE,
    RESULT,
    SPINS,
    WAITER,
)
from harness.judge import Check, Verdict
from harness.lists import few

ORDERS = {"sc": "sequential consistency", "tso": "TSO", "relaxed": "delayed stores"}
TITLES = {
    "results": "concurrent calls return and leave what they do one after the other, in some order",
    "reads": "a reader without the lock sees only values that some order of the calls gives at that moment",
    "locks": "each lock is let go by who took it, before its call ends",
    "deadlock": "concurrent calls come back: no deadlock, no loop that waits for ever",
    "crash": "no concurrent call faults",
}
ASSUMED = "; that they should is assumed: no contract says it of these functions"
KINDS = {
    "results": (RESULT,),
    "reads": (MOMENT,),
    "locks": (HELD, NOT_HELD),
    "deadlock": (DEADLOCK, SPINS),
    "crash": (CRASHED,),
}


def judge_threads(
    loaded: Loaded,
    made: Sequence[Interleaved],
    library: Path,
    files: set[str],
    excuses: Sequence[str],
    culprit: str = "",
) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """All checks of the group on one contract, and what is said beside them; `culprit` as in races()."""
    contract = loaded.contract
    made = [place_all(one, library, files) for one in made]
    checks = [check for one in made for check in of_memory(contract, one, excuses, culprit)]
    quote = threads_of(contract).sentence
    checks = [
        replace(check, contract=contract.name, part=contract.title, quote=quote) for check in merge(checks)
    ]
    return tuple(checks), tuple(notes(contract, made, excuses))


def place_all(one: Interleaved, library: Path, files: set[str]) -> Interleaved:
    """The same, each step of each schedule with its lines."""
    steps = [step for witness in one.witnesses for step in witness.schedule.steps]
    lines = resolve(library, {pc for step in steps for pc in (step.pc, *step.frames)}, files)
    return replace(one, witnesses=tuple(with_lines(witness, lines) for witness in one.witnesses))


def with_lines(witness: Witness, lines: Mapping[int, Sequence[Place]]) -> Witness:
    """The same, each step of its schedule with its lines."""
    steps = tuple(placed(step, lines) for step in witness.schedule.steps)
    return replace(witness, schedule=replace(witness.schedule, steps=steps))


def of_memory(contract: Contract, one: Interleaved, excuses: Sequence[str], culprit: str) -> Iterator[Check]:
    """The checks under one order of stores."""
    suffix = "" if one.memory == "sc" else f"-{one.memory}"
    names = [name for name in KINDS if name != "reads" or threads_of(contract).lock_free]
    for name in names:
        found = [w for w in one.witnesses if w.found.kind in KINDS[name]]
        if found:
            yield failing(contract, f"concurrency/{name}{suffix}", TITLES[name], one, found)
        else:
            yield passing(f"concurrency/{name}{suffix}", TITLES[name], one, KINDS[name])
    if one.memory == "sc":  # delayed stores race as those do that are not
        found_races = list(races(contract, one, excuses, culprit))
        yield from found_races or [passing("concurrency/race", RACE_TITLE, one, (RACE,))]


def passing(id: str, title: str, one: Interleaved, kinds: Sequence[int]) -> Check:
    """A check of which nothing was found: as far as there was anything to run, and it was run."""
    verdict, reason = settled(one)
    if any(one.dropped >> kind & 1 for kind in kinds):
        verdict, reason = "unknown", "there is more of it than is kept, and what is kept is excused"
    return Check(id, "concurrency", verdict, title, judged=one.executions, reason=reason)


def settled(one: Interleaved) -> tuple[Verdict, str]:
    """Whether all that was asked for was run, and why not."""
    if one.error:
        return "unknown", one.error
    if not one.scenarios:
        return "unknown", "no two calls of it are legal at the same time, in each order"
    if not one.cut and not one.left:
        return "pass", ""  # with fewer preemptions, which its bounds say
    if one.broken:
        return "unknown", (f"once something else was found, {one.cut + one.left} scenarios were not run, "
                           "or not to their end")  # fmt: skip
    lost, every = one.cut + one.left, one.scenarios + one.left
    return "unknown", (f"{lost} of {every} scenarios were not run to their end; --interleave 2x1, which "
                       "lifts the limit of steps, and --time may help")  # fmt: skip


def failing(contract: Contract, id: str, title: str, one: Interleaved, found: Sequence[Witness]) -> Check:
    """A finding, told by its shortest schedule."""
    kinds = {witness.found.kind for witness in found}
    best = min(found, key=lambda w: w.schedule.rank)
    count = sum(w.found.executions for w in found)
    step = blamed(best)
    return Check(
        id,
        "concurrency",
        "fail",
        title,
        file=step.stack[0].file if step and step.stack else "",
        line=step.stack[0].line if step and step.stack else 0,
        judged=one.executions,
        failed=min(count, one.executions),
        detail=detail(contract, best) + (ASSUMED if contract.derived and kinds & {RESULT, MOMENT} else ""),
        schedule=best.schedule,
        exact=True,
        shown=keys(best.along),
        found=keys([best.found]),
    )


def blamed(witness: Witness) -> ThreadStep | None:
    """The step that a finding is told at: where a thread waits, or goes on after another one came into it."""
    steps = witness.schedule.steps
    waits = [step for step in steps if step.blocked]
    if waits:
        return waits[-1]
    if witness.found.kind == MOMENT and steps:
        return steps[-1]
    own = next((step for step in steps if witness.found.pcs[0] in (step.pc, *step.frames)), None)
    if own and witness.found.pcs[0]:
        return own
    last: dict[int, ThreadStep] = {}
    for before, step in pairwise(steps):
        last[before.thread] = before
        again = last.get(step.thread)
        if again and before.thread != step.thread and again.call == step.call:
            return next_store(steps, step)  # it goes on within a call, after another thread ran
    return steps[-1] if steps else None


def next_store(steps: Sequence[ThreadStep], step: ThreadStep) -> ThreadStep:
    """What a call stores from a step on, where it does: that stays, what it read or took is gone."""
    rest = [one for one in steps[steps.index(step) :] if (one.thread, one.call) == (step.thread, step.call)]
    stores = (one for one in rest if one.kind & WRITE and not one.kind & WAITS and one.stack)
    return next(stores, step)


def detail(contract: Contract, witness: Witness) -> str:
    """What is wrong at the end of a schedule, in words."""
    kind, schedule = witness.found.kind, witness.schedule
    if kind == RESULT:
        return result_words(contract, witness)
    if kind == MOMENT:
        name = list(contract.observe)[witness.found.which]
        claims = ", ".join(claim.id for claim in contract.claims if speaks_of(claim, contract) == {name})
        return (f"{name}, read without the lock there, is {contract.word(name, witness.found.value)}, which "
                "no order of the calls gives while they are under way"
                + (f"; {claims} speak of that value alone" if claims else ""))  # fmt: skip
    if kind == HELD:
        return "a lock is still held when the call that took it is over"
    if kind == NOT_HELD:
        return "a lock is let go by a call that does not hold it"
    if kind == SPINS:
        return "a loop waits for a value that nobody will write"
    if kind == DEADLOCK:
        threads = sorted({step.thread for step in schedule.steps if step.blocked})
        who = " and ".join(f"thread {n}" for n in threads)
        return f"{who} wait{'s' * (len(threads) == 1)} for a lock that nobody will let go"
    return "a call did not come back"


def speaks_of(claim: Claim, contract: Contract) -> set[str]:
    """The observations that a claim of a state reads."""
    if not claim.of_state or claim.kind != "always":
        return set()
    return set(claim.holds.__code__.co_names) & set(contract.observe)


def result_words(contract: Contract, witness: Witness) -> str:
    """Which values no order of the calls gives, and what the orders give."""
    observed = witness.schedule.observed or {}
    alone = witness.alone
    parts = []
    for name, value in observed.items():
        others = sorted({one.observed[name] for one in alone})
        if alone and value not in others:
            words = " or ".join(contract.word(name, other) for other in others[:4])
            parts.append(f"{name} is {contract.word(name, value)}, one after the other it is {words}")
    parts += list(call_results(contract, witness))
    if parts:
        return "; ".join(parts)
    whole = [*returned(contract, witness),
             *(f"{name} is {contract.word(name, value)}" for name, value in observed.items())]  # fmt: skip
    return f"some order of the calls gives each of these, none gives all of them: {', '.join(whole)}"


def returned(contract: Contract, witness: Witness) -> Iterator[str]:
    """What the calls return, where that is not the same in every order."""
    schedule = witness.schedule
    for thread, calls in enumerate(schedule.scenario.threads):
        for number, call in enumerate(calls):
            values = {one.returns[thread][number] for one in witness.alone}
            if call.op > READS and len(values | {schedule.returns[thread][number]}) > 1:
                yield f"{said(contract, call)} of thread {thread} returns {schedule.returns[thread][number]}"


def call_results(contract: Contract, witness: Witness) -> Iterator[str]:
    """What calls return, and whether they warn, as in no order of them."""
    schedule = witness.schedule
    for thread, calls in enumerate(schedule.scenario.threads):
        for number, call in enumerate(calls):
            if call.op <= READS:
                continue
            who = f"{said(contract, call)} of thread {thread}"
            returned, warned = schedule.returns[thread][number], bool(schedule.warned[thread][number])
            returns = sorted({one.returns[thread][number] for one in witness.alone})
            if returns and returned not in returns:
                words = " or ".join(map(str, returns[:4]))
                yield f"{who} returns {returned}, one after the other {words}"
            if all(bool(one.warned[thread][number]) != warned for one in witness.alone):
                what = f"warns: {schedule.warnings[thread][number]}" if warned else "does not warn"
                yield f"{who} {what}; one after the other it {'does not' if warned else 'does'}"


# Together.


def merge(checks: Sequence[Check]) -> Iterator[Check]:
    """What the schedule of one finding shows as well is the same defect, seen otherwise."""
    failing = [check for check in checks if check.verdict == "fail"]
    for check in checks:
        home = next((one for one in failing if stuck(one) and stuck(check)), None)
        home = home or next(
            (one for one in failing if (check.found | check.shown) & (one.found | one.shown)), None
        )
        yield replace(check, merge=home.id) if home and check.verdict == "fail" else check


def stuck(check: Check) -> bool:
    """Whether it is about a lock that nobody lets go, of which others wait."""
    return check.id.startswith(("concurrency/deadlock", "concurrency/locks")) and check.verdict == "fail"


def notes(contract: Contract, made: Sequence[Interleaved], excuses: Sequence[str]) -> Iterator[str]:
    """What is no finding, and is said."""
    plain = [one for one in made if one.memory == "sc"]
    waiters = [w for one in plain for w in one.witnesses if w.found.kind == WAITER]
    if waiters:
        yield from waiter_words(waiters)
    names = list(contract.observe)
    for which in sorted({w.found.which for one in plain for w in one.witnesses if w.found.kind == PAIR}):
        first, second = names[which // 32], names[which % 32]
        yield (f"{first} and {second}, read one after the other without the lock, may be of two moments: "
               "nothing promises that they go together")  # fmt: skip
    races = [w for one in plain for w in one.witnesses if w.found.kind == RACE]
    pairs = [pair for w in races if set((pair := pair_of(contract, w)).excuses) & set(excuses)]
    for pair in pairs[:1]:
        more = f", and {len(pairs) - 1} more pairs of places" if len(pairs) > 1 else ""
        yield (f"races by the letter, excused by --excuse {','.join(excuses)}: {pair.sides[0].words}, "
               f"against {pair.sides[1].words}{more}")  # fmt: skip


def waiter_words(waiters: Sequence[Witness]) -> Iterator[str]:
    """The tries of who waits for a lock, beside plain accesses to the word that the lock is in."""
    word = next((step.name for w in waiters for step in w.schedule.steps
                 if step.pc == w.found.pcs[0] or step.pc == w.found.pcs[1]), "")  # fmt: skip
    pcs = {pc for w in waiters for pc in w.found.pcs}
    places = Counter(
        str(step.stack[0]) for w in waiters for step in w.schedule.steps if step.pc in pcs and step.stack
    )
    lines = few(sorted(places), 3)
    yield (f"whoever waits for the bit lock in {word} races by the letter with plain accesses of who holds "
           f"it ({lines}); harmless where the bit is set, and the same of every bit spinlock")  # fmt: skip


def scope(one: Interleaved, shapes: Mapping[str, int] | None = None) -> str:
    """What was run, in words."""
    said = f"{one.scenarios:,} scenarios from {one.starts} start states, {one.executions:,} executions"
    if one.bounded:
        said += f" ({one.bounded} scenarios with at most 2 preemptions only)"
    if one.cut or one.left:
        said += f", INCOMPLETE: {one.cut} cut short, {one.left} not begun"
    elif not one.bounded:
        said += ", every schedule up to equivalence"
    return f"{said}, under {ORDERS[one.memory]}"
