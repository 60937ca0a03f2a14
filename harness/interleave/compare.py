# SPDX-License-Identifier: GPL-2.0-only
"""What real threads did beside what the explorer says: neither may see what the other cannot explain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness import worker
from harness.contract import Contract, Loaded
from harness.driver import Driver, Flight, Libraries, Limits
from harness.interleave.choose import threads_of
from harness.interleave.run import Interleaved
from harness.interleave.scenario import Scenario, said
from harness.interleave.schedule import MEMORIES
from harness.interleave.stress import Access, Outcome, Race, Stressed
from harness.interleave.weaver import ALL, CRASHED, DEADLOCK, HELD, RACE, SPINS, Effort, Weaver
from harness.judge import Check
from harness.run import MEMORY

ID = "concurrency/stress"
TITLE = "real threads under ThreadSanitizer show nothing that the explored schedules do not"
SECONDS = 120  # to explain what they did
EXECUTIONS = 100_000  # of one scenario


@dataclass(frozen=True)
class Compared:
    """Real threads, and what of theirs no schedule explains, in words."""

    stressed: Stressed | None
    strange: tuple[str, ...] = ()
    error: str = ""


def compare(
    libraries: Libraries,
    loaded: Loaded,
    made: Sequence[Interleaved],
    stressed: Stressed,
    skip: frozenset[str],
) -> Compared:
    """Each outcome and each race of real threads, looked for among those of the explorer."""
    sample = made[0].sample

    def task() -> object:
        driver = Driver(libraries, loaded, Flight(), skip)
        driver.cage()
        driver.open(Limits(seconds=SECONDS))
        return list(unknown_outcomes(driver, sample, stressed.outcomes))

    outcome = worker.run(task, worker.Limits(2 * SECONDS, SECONDS * 3.0, MEMORY * 2))
    strange = [outcome_words(loaded.contract, sample[i], stressed.outcomes[i][k])
               for i, k in outcome.needed()]  # fmt: skip
    strange += list(strange_stops(loaded.contract, sample, made, stressed))
    strange += list(strange_races(made, stressed))
    return Compared(stressed, tuple(strange))


def unknown_outcomes(
    driver: Driver, sample: Sequence[Scenario], outcomes: Sequence[Sequence[Outcome]]
) -> Iterator[tuple[int, int]]:
    """Scenario and number of each outcome that no execution has: a processor delays stores as well."""
    weaver = Weaver(driver, threads_of(driver.contract).lock_free)
    for i, (scenario, seen) in enumerate(zip(sample, outcomes, strict=True)):
        left = list(range(len(seen)))
        for memory in MEMORIES:
            if not left:
                break
            made = weaver.explore(i, scenario, Effort(memory, executions=EXECUTIONS, outcomes=True))
            if made.end != ALL:  # then nobody knows what the others come to
                left = []
                break
            left = [k for k in left
                    if not weaver.knows(seen[k].returns, seen[k].warned, seen[k].observations)]  # fmt: skip
        yield from ((i, k) for k in left)


def outcome_words(contract: Contract, scenario: Scenario, outcome: Outcome) -> str:
    """An outcome that no schedule has."""
    left = ", ".join(f"{name} {contract.word(name, value)}"
                     for name, value in zip(contract.observe, outcome.observations, strict=True))  # fmt: skip
    return (f"{scenario_words(contract, scenario)} left {left}, and returned {list(outcome.returns)}, "
            f"{outcome.count:,} times: no schedule does")  # fmt: skip


def scenario_words(contract: Contract, scenario: Scenario) -> str:
    """What a scenario is."""
    start = ", ".join(said(contract, call) for call in scenario.start) or "nothing"
    threads = " beside ".join(", ".join(said(contract, call) for call in calls) for calls in scenario.threads)
    return f"{threads}, after {start},"


def strange_stops(
    contract: Contract, sample: Sequence[Scenario], made: Sequence[Interleaved], stressed: Stressed
) -> Iterator[str]:
    """Scenarios that stopped on real threads, where no schedule ever does."""
    kinds = {w.found.kind for one in made for w in one.witnesses}
    explained = {"hang": kinds & {DEADLOCK, HELD, SPINS}, "crash": kinds & {CRASHED}}
    for stop in stressed.stops:
        if not explained.get(stop.why, {0}):
            yield f"{scenario_words(contract, sample[stop.scenario])} did not come back: {stop.why}"


def strange_races(made: Sequence[Interleaved], stressed: Stressed) -> Iterator[str]:
    """Races that ThreadSanitizer reports and no schedule has.

    To it fences order nothing, and a marked access beside a plain one is a race whatever is done with it.
    """
    if any(one.dropped >> RACE & 1 for one in made):
        return  # not all of those of the schedules are known
    found = [w for one in made if one.memory == "sc" for w in one.witnesses if w.found.kind == RACE]
    places = {step.name for w in found for step in w.schedule.steps if step.pc in w.found.pcs}
    for race in stressed.races:
        if not race.marked and not stressed.fences and race.place not in places:
            yield f"ThreadSanitizer reports a race on {race.place} that no schedule has: {race_words(race)}"


def race_words(race: Race) -> str:
    """Both sides of a race."""
    return f"{access_words(race.first)}, against {access_words(race.second)}"


def access_words(access: Access) -> str:
    """One side."""
    does = "write" if access.write else "read"
    lines = " <- ".join(f"{file}:{line}" for file, line in access.calls)
    return f"{does} of {access.size} bytes at {lines or 'an unknown line'}"


def judge_stress(contract: Contract, compared: Compared) -> Check:
    """concurrency/stress: whether explorer and real threads agree."""
    stressed = compared.stressed
    if not stressed:
        return Check(ID, "concurrency", "unknown", TITLE, reason=compared.error, contract=contract.name,
                     part=contract.title)  # fmt: skip
    return Check(
        ID,
        "concurrency",
        "fail" if compared.strange else "pass",
        TITLE,
        judged=stressed.rounds,
        failed=len(compared.strange),
        detail="; ".join(compared.strange[:4]),
        contract=contract.name,
        part=contract.title,
    )


def stress_words(compared: Compared) -> str:
    """What real threads did, in words."""
    stressed = compared.stressed
    if not stressed:
        return f"real threads: not run: {compared.error}"
    outcomes = sum(map(len, stressed.outcomes))
    marked = sum(race.marked for race in stressed.races)
    said = (f"real threads: {stressed.rounds:,} rounds of {len(stressed.outcomes)} of the scenarios in "
            f"{stressed.seconds:g} s, seed {stressed.seed}: {outcomes} outcomes, ")  # fmt: skip
    said += (
        "each of some schedule"
        if not compared.strange
        else f"{len(compared.strange)} that no schedule explains"
    )
    races = f"{len(stressed.races)} pairs of lines race to ThreadSanitizer" if stressed.races else "no races"
    return f"{said}; {races}" + (f", {marked} of them with a marked side" if marked else "")
