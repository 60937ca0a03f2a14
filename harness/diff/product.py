# SPDX-License-Identifier: GPL-2.0-only
"""Two subjects driven together in one worker: what they do otherwise, each with a shortest trace."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness import shrink, worker
from harness.contract import EXTRA, GOES_ON
from harness.diff.align import Aligned, returns
from harness.driver import COMPLETE, MOST_CALLS, STRAYED, Call, Driver, Flight, Libraries, Limits, call_from
from harness.errors import HarnessError
from harness.explore import decode_steps, watch_of
from harness.judge import signal_name
from harness.run import MEMORY, SLACK, bare_steps
from harness.trace import Step
from harness.trace import replay as replayed
from harness.walk import LENGTH, simpler

MOST_PAIRS = 1 << 26
CLAIMS = 64  # of a contract, in the engine
Place = tuple[str, int] | None  # file and line
TRIES = 2_000  # traces while one of a walk is made minimal


@dataclass(frozen=True)
class Difference:
    """One check of an operation that is not the same in both.

    `parted` calls, from `states` pairs of states, did not do the same where that check was the same
    before; `rooted`: the trace starts where nothing that is observed differed. `against` says how many
    of these calls the revision's own model does not expect: OLD's, NEW's. `old` and `new` are the same
    calls on both.
    """

    op: str
    check: str  # an observation, or return, warnings, elsewhere, crash
    parted: int
    compared: int
    states: int
    stayed: int
    against: tuple[int, int]
    common: tuple[str, ...]
    rooted: bool
    old: tuple[Step, ...]
    new: tuple[Step, ...]
    wide: bool = False  # found by a random walk
    places: tuple[Place, Place] = (None, None)  # where OLD, and NEW, did what differs

    def wrong(self, side: int) -> bool:
        """Whether OLD's model (0), or NEW's, expects something else at the end of the trace."""
        trace = (self.old, self.new)[side]
        if not trace or self.check not in trace[-1].expected:
            return False
        due, seen = trace[-1].expected[self.check], trace[-1].observed.get(self.check)
        return bool(due) != bool(seen) if self.check == "warnings" else due != seen

    @property
    def calls(self) -> tuple[object, ...]:
        """The calls of its trace, to tell equal ones."""
        return tuple((step.op, tuple(step.args.items())) for step in self.old)


@dataclass(frozen=True)
class ClaimResult:
    """A claim of one contract (0: OLD's) on the code of one revision (0: OLD), with a first witness.

    Of a claim "always" it was broken so often, of one "possible" seen.
    """

    contract: int
    side: int
    id: str
    failed: int
    old: tuple[Step, ...] = ()
    new: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Counts:
    """How far the calls of one operation came: made, back in both, stopped at a shim in OLD, in NEW.

    `unlike`: of a setup, those that did not leave the same in both, which were not followed; `one_sided`:
    those that only one contract allows; `skipped`: those left out after endless loops.
    """

    op: str
    called: int
    back: int
    stopped: tuple[int, int] = (0, 0)
    unlike: int = 0
    one_sided: int = 0
    skipped: int = 0

    @property
    def partial(self) -> str:
        """What was not compared of it, though some was; "" for nothing."""
        said = [f"{n:,} of {self.called:,} calls stop in {which} where a shim ends, or another file's code is"
                for which, n in zip(("OLD", "NEW"), self.stopped, strict=True) if n]  # fmt: skip
        said += [f"{self.skipped:,} calls left out after endless loops"] if self.skipped else []
        return ", ".join(said)


@dataclass(frozen=True)
class Driven:
    """What driving two subjects together came to."""

    end: int
    states: int
    calls: int
    depth: int
    walked: int
    differences: tuple[Difference, ...]
    claims: tuple[ClaimResult, ...]
    counts: tuple[Counts, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all pairs within the bounds were explored."""
        return self.end == COMPLETE


@dataclass(frozen=True)
class Work:
    """What is to be driven: the compiled objects of both, how far, and how long a walk, in its bounds."""

    libraries: tuple[Libraries, Libraries]
    aligned: Aligned
    limits: Limits
    walk: int = 0
    seed: int = 1


class Pairing:
    """Two subjects under way in a worker; begun anew without an operation that kills it."""

    def __init__(self, work: Work) -> None:
        self.work, self.aligned = work, work.aligned
        self.died: list[Difference] = []
        self.lost: list[Counts] = []  # operations that kill the worker in both
        self.start()

    def start(self) -> None:
        """Begins (again) in a new worker."""
        work, aligned, flights = self.work, self.aligned, (Flight(), Flight())
        self.flights = flights

        def task() -> object:
            return Pair(work, aligned, flights).results()

        wall = work.limits.seconds * 2 + SLACK
        limits = worker.Limits(int(wall), wall * 1.5, MEMORY + 2 * (work.limits.megabytes << 20))
        self.running = worker.Running(task, limits)

    def dies_too(self, lost: Difference) -> bool:
        """Whether the call that killed a worker in one revision kills one in the other as well."""
        side = 0 if lost.new[-1].why else 1  # the other one
        loaded, libraries = self.aligned.both[side], self.work.libraries[side]
        numbers = {op.name: n for n, op in enumerate(loaded.contract.operations)}
        calls = [Call(numbers[step.op], tuple(step.args.values())) for step in lost.old]

        def task() -> object:
            driver = Driver(libraries, loaded, Flight())
            driver.cage()
            driver.open(self.work.limits)
            return len(list(replayed(driver, calls)))

        wall = self.work.limits.seconds + SLACK
        outcome = worker.run(task, worker.Limits(int(wall), wall * 1.5, MEMORY))
        return outcome.result is None and not outcome.error

    def end(self) -> None:
        """Ends the worker, whatever it is at."""
        self.running.end()

    def finish(self) -> Driven:
        """What came of it."""
        while True:
            outcome = self.running.wait()
            if outcome.error:
                raise HarnessError(outcome.error)
            if outcome.result is not None:
                found = decode(outcome.result)
                return replace(found, differences=(*self.died, *found.differences),
                               counts=(*self.lost, *found.counts))  # fmt: skip
            if outcome.timed_out or outcome.killed_by == signal.SIGXCPU:
                raise HarnessError("a worker took far more time than its limit and was ended; try --time")
            lost = death(self.aligned, self.flights, outcome.killed_by)
            if lost is None:
                raise HarnessError("the worker died before the subjects ran")
            if not self.dies_too(lost):
                self.died.append(lost)
            else:
                self.lost.append(Counts(lost.op, 1, 0))
            self.aligned = replace(self.aligned, skip=self.aligned.skip | {lost.op})
            self.start()


def death(aligned: Aligned, flights: tuple[Flight, Flight], killed_by: int) -> Difference | None:
    """The call that killed the worker, as a difference, if the other revision does not die of it."""
    for side, (flight, loaded) in enumerate(zip(flights, aligned.both, strict=True)):
        calls = flight.calls(loaded)
        if not calls:
            continue
        steps = tuple(bare_steps(loaded, calls))
        how = f"it kills its worker, {signal_name(killed_by)}"
        last = Step(steps[-1].op, steps[-1].args, {}, {}, how)
        traces = [(*steps[:-1], last) if each == side else steps for each in (0, 1)]
        return Difference(last.op, "crash", 1, 1, 1, 0, (0, 0), (), True, traces[0], traces[1])
    return None


class Pair:
    """Two runs of the engine, opened together."""

    def __init__(self, work: Work, aligned: Aligned, flights: tuple[Flight, Flight]) -> None:
        self.work, self.aligned = work, aligned
        self.drivers = [
            Driver(libraries, loaded, flight)
            for libraries, loaded, flight in zip(work.libraries, aligned.both, flights, strict=True)
        ]
        first = self.drivers[0]
        self.engine, self.ffi = first.engine, first.ffi
        first.cage()
        for driver in self.drivers:
            driver.open(work.limits)
        self.checks = [*aligned.names, *EXTRA]
        calls = aligned.calls()
        self.calls = first.c_array(calls)
        self.ops = self.ffi.new("struct kc_pair_op[]", max(len(aligned.old.contract.operations), 1))
        for old, new in aligned.operations:
            pair = [of.contract.operations[n] for of, n in zip(aligned.both, (old, new), strict=True)]
            self.ops[old].second, self.ops[old].returns = new, all(map(returns, pair))
        self.options = self.fill_options()
        self.pair = self.engine.kc_pair_open(
            *(driver.run for driver in self.drivers), self.calls, len(calls), self.ops, self.options
        )  # fmt: skip
        if self.pair == self.ffi.NULL:
            raise HarnessError("the engine could not start: memory")

    def fill_options(self) -> Any:
        """What is compared, for the engine."""
        aligned, limits = self.aligned, self.work.limits
        options = self.ffi.new("struct kc_pair_options *")
        options.max_states, options.max_bytes = MOST_PAIRS, limits.megabytes << 20
        options.seconds = limits.seconds
        options.nobs, options.members = len(aligned.observations), len(aligned.members)
        options.cross = aligned.cross
        for i, (name, old, new) in enumerate(aligned.observations):
            options.obs[0][i], options.obs[1][i] = old, new
            options.is_id[i] = name in aligned.ids
        for i, values in enumerate(aligned.members):
            options.value[0][i], options.value[1][i] = values
        return options

    def results(self) -> dict[str, Any]:
        """Everything that was found, as plain data."""
        engine, pair = self.engine, self.pair
        end = self.walk() if self.work.walk else int(engine.kc_pair_explore(pair))
        numbers = {
            "end": end,
            "states": int(engine.kc_pair_states(pair)),
            "calls": int(engine.kc_pair_transitions(pair)),
            "depth": int(engine.kc_pair_depth(pair)),
        }
        operations = self.aligned.old.contract.operations
        if end == STRAYED:
            raise HarnessError("reading the initial world does not come back in both revisions")
        slots = engine.kc_pair_slots(pair)
        counts = [
            self.counted(operations[n].name, slots[n * len(self.checks)]) for n, _ in self.aligned.operations
        ]
        called = {n: int(slots[n * len(self.checks)].called) for n, _ in self.aligned.operations}
        found = list(self.differences(called))
        claims = [] if self.work.walk else list(self.claims())
        return numbers | {
            "walked": numbers["calls"] if self.work.walk else 0,
            "differences": found,
            "claims": claims,
            "counts": [asdict(one) for one in counts],
        }

    def counted(self, op: str, slot: Any) -> Counts:
        """The counts of one operation."""
        return Counts(
            op, int(slot.called), int(slot.back), (int(slot.shim[0]), int(slot.shim[1])), int(slot.unlike),
            int(slot.one_sided), int(slot.skipped),
        )  # fmt: skip

    def walk(self) -> int:
        """A random walk of both in the domains of walks."""
        aligned = self.aligned
        operations = aligned.old.contract.operations
        pairs = sorted(aligned.operations, key=lambda pair: operations[pair[0]].kind not in GOES_ON)
        domains = [
            (old, [values for _, values in aligned.domains(old, new, wide=True)]) for old, new in pairs
        ]
        possible = [(old, values) for old, values in domains if all(values)]
        draws = self.ffi.new("struct kc_draw[]", max(len(possible), 1))
        kept: list[Any] = []
        for draw, (old, values) in zip(draws, possible, strict=False):
            draw.op, draw.args = old, len(values)
            for i, domain in enumerate(values):
                kept.append(self.ffi.new("long long[]", domain))
                draw.values[i], draw.n[i] = kept[-1], len(domain)
        return int(self.engine.kc_pair_walk(
            self.pair, draws, len(possible), self.work.seed, self.work.walk, LENGTH
        ))  # fmt: skip

    def differences(self, called: dict[int, int]) -> Iterator[dict[str, Any]]:
        """Each check that was not the same."""
        start = [list(replayed(driver, [])) for driver in self.drivers]
        yield from self.initial(start)
        count = len(self.checks)
        found: list[tuple[int, int, dict[str, Any], list[Call]]] = []
        # What is kept by the engine is read before anything is run again, which would change it.
        slots = self.engine.kc_pair_slots(self.pair)
        for old, _ in self.aligned.operations:
            for k, check in enumerate(self.checks):
                slot = slots[old * count + k]
                if not slot.parted:
                    continue
                rooted = bool(slot.root.found)
                calls = self.trace(slot.root if rooted else slot.first)
                said = {
                    "op": self.aligned.old.contract.operations[old].name,
                    "check": check,
                    "parted": int(slot.parted),
                    "compared": called[old],
                    "states": int(slot.states),
                    "stayed": int(slot.stayed),
                    "against": [int(slot.against[0]), int(slot.against[1])],
                    "common": list(self.common(slot)) if not self.work.walk else [],
                    "rooted": rooted,
                    "wide": bool(self.work.walk),
                }
                found.append((old * count + k, old, said, calls))
        for slot_number, _, said, calls in found:
            shortest = self.minimal(calls, slot_number) if self.work.walk else calls
            yield said | self.both_steps(shortest, str(said["op"]), str(said["check"]))

    def initial(self, start: Sequence[Sequence[Step]]) -> Iterator[dict[str, Any]]:
        """The observations of the initial world that differ."""
        apart = int(self.engine.kc_pair_apart(self.pair))
        for bit, name in enumerate(self.aligned.names):
            if apart >> bit & 1:
                yield {"op": "", "check": name, "parted": 1, "compared": 1, "states": 1, "stayed": 0,
                       "against": [0, 0], "common": [], "rooted": True, "wide": False,
                       "old": [asdict(start[0][0])], "new": [asdict(start[1][0])]}  # fmt: skip

    def minimal(self, calls: list[Call], slot: int) -> list[Call]:
        """A trace of a walk without what it does not need."""

        def fails_after(tried: Sequence[Call]) -> int:
            return int(self.engine.kc_pair_try(self.pair, self.drivers[0].c_array(tried), len(tried), slot))

        operations = self.aligned.old.contract.operations
        return shrink.minimal(calls, fails_after, lambda trace: simpler(operations, trace), TRIES)

    def common(self, slot: Any) -> Iterator[str]:
        """What the calls that differ have in common, and not all others."""
        for bit, feature in enumerate(self.aligned.old.contract.features):
            if slot.fail_all >> bit & 1 and not slot.pass_all >> bit & 1:
                yield feature.title

    def trace(self, witness: Any) -> list[Call]:
        """The calls of a witness, as OLD's."""
        calls = self.ffi.new("struct kc_call[]", MOST_CALLS)
        length = int(self.engine.kc_pair_trace(self.pair, self.ffi.addressof(witness), calls))
        return [call_from(calls[i], self.aligned.old) for i in range(max(length, 0))]

    def both_steps(self, calls: Sequence[Call], op: str = "", check: str = "") -> dict[str, Any]:
        """A trace run by itself on both; where its last call changes what `check` observes is found."""
        theirs = [self.aligned.as_new(call) for call in calls]
        old, new = (
            [asdict(step) for step in replayed(driver, each, watch_of(driver, op, check))]
            for driver, each in zip(self.drivers, (calls, theirs), strict=True)
        )
        return {"old": old, "new": new}

    def claims(self) -> Iterator[dict[str, Any]]:
        """Each claim of each contract, on the code of each revision that it can judge."""
        slots = self.engine.kc_pair_claims(self.pair)
        found: list[tuple[dict[str, Any], list[Call] | None]] = []
        for contract, driver in enumerate(self.drivers):
            for side in (0, 1):
                if contract != side and not self.aligned.cross:
                    continue
                for bit, claim in enumerate(driver.claim_ids[:CLAIMS]):
                    slot = slots[(contract * 2 + side) * CLAIMS + bit]
                    calls = self.trace(slot.first) if slot.failed else None
                    found.append(
                        ({"contract": contract, "side": side, "id": claim, "failed": int(slot.failed)}, calls)
                    )
        for said, calls in found:
            yield said | (self.both_steps(calls) if calls is not None else {"old": [], "new": []})


def decode(data: Any) -> Driven:
    """What a worker said."""

    def steps(said: Any) -> dict[str, Any]:
        return dict(said) | {"old": decode_steps(said["old"]), "new": decode_steps(said["new"])}

    return Driven(
        **{key: data[key] for key in ("end", "states", "calls", "depth", "walked")},
        differences=tuple(
            Difference(**{**steps(d), "against": tuple(d["against"]), "common": tuple(d["common"])})
            for d in data["differences"]
        ),
        claims=tuple(ClaimResult(**steps(claim)) for claim in data["claims"]),
        counts=tuple(Counts(**{**one, "stopped": tuple(one["stopped"])}) for one in data["counts"]),
    )
