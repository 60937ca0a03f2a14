# SPDX-License-Identifier: GPL-2.0-only
"""A finding as a file (schema 1): all that is needed to run it again, but for the contract.

A trace comes from a stranger: nothing in it is run but the patch, in the worker's cage, and every
value is checked before it is used. The contract stands in it by name and hash only. The diff is kept
as a list of its lines, not packed: whoever is sent a trace can read what it will compile, and the
bytes do not depend on a version of zlib (the bundled patch's trace has 19 KB so, 9 KB packed).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from extractor.mail import Mail
from extractor.patch import Patch, odd_path, parse_patch
from harness.driver import MOST_CALLS
from harness.errors import HarnessError
from harness.interleave.schedule import BUFFER, MEMORIES, MOST_PROCS, Memory
from harness.whole_file import unnamed

SCHEMA = 1
MOST_BYTES = 16 << 20
MOST_TEXT = 4000  # characters of a title or a quote
INT64 = 1 << 63
WORDS = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}
WALK_ID = "record/walk"  # of a walk that is no finding: steps of legal calls as they went
MOST_RECORDED = 100_000  # calls of such a walk
CHECK_ID = re.compile(
    r"(claim|conformance|misuse|crash|sanitizer|concurrency|record)/[A-Za-z0-9_/. -]{1,120}", re.ASCII
)
OPERATION = re.compile(r"[A-Za-z0-9_/.-]{1,100}", re.ASCII)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
CONTRACT = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
CONFIG = re.compile(r"CONFIG_[A-Za-z0-9_]{1,100}", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class Recorded:
    """One step as it was when it was recorded; `op` is empty for the initial world."""

    op: str
    args: Mapping[str, int]
    observed: Mapping[str, int | str]
    expected: Mapping[str, int]
    fails: tuple[str, ...]  # the ids of all checks that failed at it


@dataclass(frozen=True)
class WovenCall:
    """One call of a thread; or what it reads, of one that reads a single value without a lock."""

    op: str
    args: Mapping[str, int]
    reads: str = ""


@dataclass(frozen=True)
class Woven:
    """Concurrent calls after a trace's steps: of each thread, and whose turn it was step by step.

    An order has the number of a thread, or BUFFER and more where a delayed store of one became visible.
    `shown` is the same for people, a line a step.
    """

    calls: tuple[tuple[WovenCall, ...], ...]
    memory: Memory
    order: tuple[int, ...]
    shown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diff:
    """One patch of the revision that a trace was recorded on."""

    subject: str
    source: str
    sha256: str
    lines: tuple[str, ...]

    def patch(self, name: str) -> Patch:
        """The patch; ExtractError in `name` where it is damaged, HarnessError where it was changed."""
        # The signature keeps a last blank context line apart from the end of the text.
        mail = Mail(name, self.subject, "", "", "", (*self.lines, "-- ", ""))
        patch = parse_patch(mail)
        if patch.sha256 != self.sha256:
            raise HarnessError(f"{name} was changed: its sha256 is {patch.sha256[:12]}…, "
                               f"not {self.sha256[:12]}…")  # fmt: skip
        return patch


@dataclass(frozen=True)
class TraceFile:
    """A finding: the check that failed, against which contract, the trace, and the patches.

    `contract_file` is empty for a contract that ships, else the name of the file it was.
    """

    id: str
    title: str
    quote: str
    reason: str
    where: tuple[str, int] | None
    contract: str
    contract_file: str
    contract_sha256: str
    bounds: Mapping[str, int]
    config: Mapping[str, bool]
    seed: int | None  # of the random walk that found it
    steps: tuple[Recorded, ...]
    patches: tuple[Diff, ...]
    tool: Mapping[str, str]
    tree: str = ""  # the kernel tree that the patches were on; then there may be none
    threads: Woven | None = None  # of concurrent calls: what comes after the steps

    @property
    def group(self) -> str:
        """The group of the check."""
        return self.id.partition("/")[0]

    @property
    def last(self) -> int:
        """The number of the step at which the check failed."""
        return len(self.steps) - 1

    @property
    def name(self) -> str:
        """Its file's name: the check, and a hash of the calls."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.id.lower()).strip("-")[:100]
        calls: list[object] = [[step.op, dict(step.args)] for step in self.steps]
        if self.threads:
            calls += [
                [one.op or one.reads, dict(one.args)] for thread in self.threads.calls for one in thread
            ]
            calls.append(list(self.threads.order))
        return f"{slug}-{hashlib.sha256(json.dumps(calls).encode()).hexdigest()[:8]}.json"


def clean(text: str) -> str:
    """`text` in one line that any terminal shows as it is."""
    return "".join(c if c.isprintable() else " " for c in text)[:MOST_TEXT]


# Writing.


def trace_text(trace: TraceFile) -> str:
    """The file's text: what was found first, a line a step; the patches last."""
    head: dict[str, Any] = {
        "schema": SCHEMA,
        "id": trace.id,
        "title": clean(trace.title),
        "quote": clean(trace.quote),
        "reason": clean(trace.reason),
        "where": {"file": trace.where[0], "line": trace.where[1]} if trace.where else None,
        "found": "exploration" if trace.seed is None else "walk",
        "seed": trace.seed,
        "contract": {"name": trace.contract, "file": clean(trace.contract_file),
                     "sha256": trace.contract_sha256},
        "bounds": dict(trace.bounds),
        "config": {name: "y" if value else "n" for name, value in sorted(trace.config.items())},
        "tool": {key: clean(value) for key, value in trace.tool.items()},
    }  # fmt: skip
    head |= {"tree": clean(trace.tree)} if trace.tree else {}
    parts = [f" {dump(key)}: {dump(value)}" for key, value in head.items()]
    if trace.id == WALK_ID:
        parts.append(f' "walk": {walk_text(trace.steps)}')
    else:
        parts.append(f' "steps": {listed([step_data(step) for step in trace.steps], 2)}')
    if trace.threads:
        parts.append(f' "threads": {threads_text(trace.threads)}')
    patches = ",\n".join(map(patch_text, trace.patches))
    parts.append(f' "patches": [\n{patches}\n ]')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def dump(value: object) -> str:
    """`value` as JSON in one line."""
    return json.dumps(value, ensure_ascii=False)


def listed(values: Sequence[object], indent: int) -> str:
    """`values` as JSON, one a line."""
    space = " " * indent  # little: a diff has hundreds of lines
    return "[\n" + ",\n".join(space + dump(value) for value in values) + f"\n{space[1:]}]"


def threads_text(woven: Woven) -> str:
    """Concurrent calls as JSON: whose turn it was as pairs of thread and number of steps."""
    calls = [[{"op": one.op, "args": dict(one.args)} if one.op else {"reads": one.reads} for one in thread]
             for thread in woven.calls]  # fmt: skip
    turns = [[proc, len(list(steps))] for proc, steps in itertools.groupby(woven.order)]
    head = {"memory": woven.memory, "calls": calls, "turns": turns}
    said = [f"  {dump(key)}: {dump(value)}" for key, value in head.items()]
    return (
        "{\n" + ",\n".join([*said, f'  "shown": {listed([clean(line) for line in woven.shown], 3)}']) + "\n }"
    )


def walk_text(steps: Sequence[Recorded]) -> str:
    """The steps of a recorded walk, a line each: operation, arguments, what was observed.

    Its operations stand in `calls` with their arguments' names; -1 is the initial world, made anew.
    """
    calls: dict[str, Sequence[str]] = {step.op: list(step.args) for step in steps if step.op}
    columns = list(dict.fromkeys(name for step in steps for name in step.observed))
    number = {name: n for n, name in enumerate(calls)}
    rows = [[number.get(step.op, -1), list(step.args.values()), [step.observed.get(c) for c in columns]]
            for step in steps]  # fmt: skip
    head = f'"calls": {dump([[name, *args] for name, args in calls.items()])},\n  "columns": {dump(columns)}'
    return "{\n  " + head + f',\n  "steps": {listed(rows, 2)}' + "\n }"


def step_data(step: Recorded) -> dict[str, object]:
    """One step as plain data."""
    return {
        "op": step.op or "initial",
        "args": dict(step.args),
        "observed": dict(step.observed),
        "expected": dict(step.expected),
        "fails": list(step.fails),
    }


def patch_text(diff: Diff) -> str:
    """One patch as JSON, its diff a line a line."""
    facts = {"subject": clean(diff.subject), "source": clean(diff.source), "sha256": diff.sha256}
    said = [f"   {dump(key)}: {dump(value)}" for key, value in facts.items()]
    return "  {\n" + ",\n".join([*said, f'   "diff": {listed(diff.lines, 1)}']) + "\n  }"


def write_new(folder: Path, name: str, text: str) -> bool:
    """Puts `text` into a new file, whole or not at all; False where there is a file of that name."""
    with unnamed(folder, text) as made:
        return put_in_place(made, folder / name)


def put_in_place(made: str, target: Path) -> bool:
    """Gives a finished file its name; False where there is one of that name, even a broken link."""
    try:
        os.link(made, target)  # unlike a rename, it replaces nothing
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            return False
        os.rename(made, target)
    return True


# Reading.


class FaultError(ValueError):
    """What is wrong in a trace, and where in it."""


def read_trace(path: Path) -> TraceFile:
    """The trace in `path`; HarnessError, one line, for all that is none."""
    data = contents(path)
    try:
        said = json.loads(data.decode("utf-8"), parse_int=whole, parse_float=no_number,
                          parse_constant=no_number, object_pairs_hook=distinct)  # fmt: skip
        return trace_of(said)
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except json.JSONDecodeError as err:
        reason = f"it is not JSON: {err.msg[0].lower()}{err.msg[1:]} (line {err.lineno})"
    except FaultError as err:
        reason = str(err)
    except RecursionError:
        reason = "it is nested too deeply"
    raise HarnessError(f"{clean(str(path))}: error: not a trace: {reason}")


def contents(path: Path) -> bytes:
    """The bytes of a regular file of a sane size; a stranger's link may lead anywhere."""
    name = clean(str(path))
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as err:
        reason = str(getattr(err, "strerror", None) or err).lower()
        if path.is_symlink():
            reason = "it is a symbolic link; give the file itself"
        raise HarnessError(f"{name}: error: cannot read it: {reason}") from None
    try:
        regular = stat.S_ISREG(os.fstat(handle).st_mode)
        data = read_all(handle) if regular else b""
    finally:
        os.close(handle)
    if not regular:
        raise HarnessError(f"{name}: error: it is no file; give a trace")
    if len(data) > MOST_BYTES:
        raise HarnessError(f"{name}: error: it is larger than {MOST_BYTES >> 20} MiB")
    return data


def read_all(handle: int) -> bytes:
    """What an open file holds, and one byte more than it may."""
    with open(handle, "rb", closefd=False) as stream:
        return stream.read(MOST_BYTES + 1)


def whole(digits: str) -> int:
    """An int of 64 bits, for json."""
    value = int(digits) if len(digits) <= 20 else INT64
    if not -INT64 <= value < INT64:
        raise FaultError(f"the number {digits[:12]}… has more than 64 bits")
    return value


def no_number(text: str) -> NoReturn:
    """Refuses what is no int, for json."""
    raise FaultError(f"{text[:20]} is not a whole number")


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys differ, for json."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FaultError("an object has the same key twice")
    return found


def trace_of(said: Any) -> TraceFile:
    """The trace that JSON says; FaultError where a value is missing or is not what it should be."""
    if type(said) is not dict:
        raise FaultError("it is not an object")
    if get(said, "schema", int, "trace") != SCHEMA:
        raise FaultError(f"its schema is {said['schema']}, this version reads {SCHEMA}")
    contract = get(said, "contract", dict, "trace")
    return TraceFile(
        matching(get(said, "id", str, "trace"), CHECK_ID, "id"),
        line(said, "title", "trace"),
        line(said, "quote", "trace"),
        line(said, "reason", "trace"),
        where_of(said),
        matching(get(contract, "name", str, "contract"), CONTRACT, "contract.name"),
        line(contract, "file", "contract"),
        matching(get(contract, "sha256", str, "contract"), SHA256, "contract.sha256"),
        numbers(said, "bounds", "trace"),
        config_of(said),
        None if said.get("seed") is None else get(said, "seed", int, "trace"),
        steps_of(said),
        patches_of(said),
        {matching(key, NAME, "tool"): line(said["tool"], key, "tool")
         for key in get(said, "tool", dict, "trace")},
        line(said, "tree", "trace") if "tree" in said else "",
        woven_of(get(said, "threads", dict, "trace")) if "threads" in said else None,
    )  # fmt: skip


def get(said: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    """The value of `key`, which must be a `kind`."""
    if key not in said:
        raise FaultError(f"{where}: there is no {key}")
    if type(said[key]) is not kind:
        raise FaultError(f"{where}: {key} is not {WORDS[kind]}")
    return said[key]


def matching(text: Any, pattern: re.Pattern[str], where: str) -> str:
    """`text`, which must match."""
    if type(text) is not str or not pattern.fullmatch(text):
        raise FaultError(f"{where} is not one")
    return text


def line(said: Mapping[str, Any], key: str, where: str) -> str:
    """A text that a terminal shows as it is."""
    text: str = get(said, key, str, where)
    if len(text) > MOST_TEXT or not text.isprintable():
        raise FaultError(f"{where}: {key} is not one line of text")
    return text


def numbers(said: Mapping[str, Any], key: str, where: str) -> dict[str, int]:
    """An object of whole numbers by name."""
    found = get(said, key, dict, where)
    for name in found:
        matching(name, NAME, f"{where}: a name in {key}")
        get(found, name, int, f"{where}: {key}")
    return dict(found)


def config_of(said: Mapping[str, Any]) -> dict[str, bool]:
    """The configuration."""
    found = get(said, "config", dict, "trace")
    for name, value in found.items():
        matching(name, CONFIG, "config: an option's name")
        if value not in ("y", "n"):
            raise FaultError(f"config: {name} is neither y nor n")
    return {name: value == "y" for name, value in found.items()}


def where_of(said: Mapping[str, Any]) -> tuple[str, int] | None:
    """The patch's file and line, where they are known."""
    if "where" in said and said["where"] is None:
        return None
    found = get(said, "where", dict, "trace")
    file = line(found, "file", "where")
    if odd := odd_path(file):
        raise FaultError(f"where: {odd}")
    return file, get(found, "line", int, "where")


def steps_of(said: Mapping[str, Any]) -> tuple[Recorded, ...]:
    """The steps, the initial world first."""
    if said.get("id") == WALK_ID:
        return walk_of(get(said, "walk", dict, "trace"))
    found = get(said, "steps", list, "trace")
    if len(found) > MOST_CALLS + 1:
        raise FaultError(f"it has more than {MOST_CALLS} steps")
    steps = tuple(step_of(step, f"step {number}") for number, step in enumerate(found))
    if not steps or [number for number, step in enumerate(steps) if not step.op] != [0]:
        raise FaultError("step 0, and no other, is the initial world")
    return steps


def woven_of(said: Mapping[str, Any]) -> Woven:
    """Concurrent calls."""
    memory = get(said, "memory", str, "threads")
    if memory not in MEMORIES:
        raise FaultError("threads: memory is not sc, tso or relaxed")
    calls = tuple(
        tuple(
            woven_call(call, f"threads: thread {number}") for call in whole_list(thread, f"thread {number}")
        )
        for number, thread in enumerate(get(said, "calls", list, "threads"))
    )
    order: list[int] = []
    for turn in get(said, "turns", list, "threads"):
        pair = whole_numbers(turn, 2, "threads: a turn")
        proc, steps = pair[0], pair[1]
        if proc is None or steps is None or not 0 < steps <= MOST_CALLS - len(order):
            raise FaultError("threads: a turn is not a thread and its number of steps")
        if not (0 <= proc < len(calls) or BUFFER <= proc < MOST_PROCS):
            raise FaultError("threads: a turn is not a thread and its number of steps")
        order += [proc] * steps
    shown = get(said, "shown", list, "threads")
    if any(type(one) is not str or not one.isprintable() or len(one) > MOST_TEXT for one in shown):
        raise FaultError("threads: shown is not a list of lines")
    return Woven(calls, memory, tuple(order), tuple(shown))


def whole_list(said: Any, where: str) -> list[Any]:
    """A list."""
    if type(said) is not list:
        raise FaultError(f"threads: {where} is not a list")
    return said


def woven_call(said: Any, where: str) -> WovenCall:
    """One call of a thread."""
    if type(said) is not dict:
        raise FaultError(f"{where}: a call is not an object")
    if "reads" in said:
        return WovenCall("", {}, matching(said["reads"], NAME, f"{where}: reads"))
    return WovenCall(matching(get(said, "op", str, where), OPERATION, where), numbers(said, "args", where))


def walk_of(said: Mapping[str, Any]) -> tuple[Recorded, ...]:
    """The steps of a recorded walk, the initial world first, and wherever it is made anew."""
    calls = [call_of(call, f"walk: call {n}") for n, call in enumerate(get(said, "calls", list, "walk"))]
    columns = [matching(name, NAME, "walk: a name in columns") for name in get(said, "columns", list, "walk")]
    found = get(said, "steps", list, "walk")
    if not 0 < len(found) <= MOST_RECORDED + 1:
        raise FaultError(f"walk: it has no steps, or more than {MOST_RECORDED}")
    steps: list[Recorded] = []
    for number, row in enumerate(found):
        where = f"walk: step {number}"
        if type(row) is not list or len(row) != 3 or type(row[0]) is not int:
            raise FaultError(f"{where} is not an operation, arguments and observations")
        name, names = calls[row[0]] if 0 <= row[0] < len(calls) else ("", [])
        if not -1 <= row[0] < len(calls) or (not number and name):
            raise FaultError(f"{where} has no operation that the walk names")
        args, seen = whole_numbers(row[1], len(names), where), whole_numbers(row[2], len(columns), where)
        observed = {column: value for column, value in zip(columns, seen, strict=True) if value is not None}
        given = {arg: value for arg, value in zip(names, args, strict=True) if value is not None}
        if len(given) < len(names):
            raise FaultError(f"{where} has an argument that is none")
        steps.append(Recorded(name, given, observed, {}, ()))
    return tuple(steps)


def call_of(said: Any, where: str) -> tuple[str, list[str]]:
    """An operation of a walk, with its arguments' names."""
    if type(said) is not list or not said:
        raise FaultError(f"{where} is not an operation with its arguments' names")
    return matching(said[0], OPERATION, where), [matching(name, NAME, where) for name in said[1:]]


def whole_numbers(said: Any, count: int, where: str) -> list[int | None]:
    """So many whole numbers, or null."""
    if type(said) is not list or len(said) != count or any(type(n) not in (int, type(None)) for n in said):
        raise FaultError(f"{where}: there are not {count} whole numbers")
    return said


def step_of(said: Any, where: str) -> Recorded:
    """One step."""
    if type(said) is not dict:
        raise FaultError(f"{where} is not an object")
    op = matching(get(said, "op", str, where), OPERATION, f"{where}: op")
    fails = get(said, "fails", list, where)
    return Recorded(
        "" if op == "initial" else op,
        numbers(said, "args", where),
        observed_of(said, where),
        numbers(said, "expected", where),
        tuple(matching(name, CHECK_ID, f"{where}: a check in fails") for name in fails),
    )


def observed_of(said: Mapping[str, Any], where: str) -> dict[str, int | str]:
    """What a step showed: numbers, and in words how it stopped or what a sanitizer reported."""
    found = get(said, "observed", dict, where)
    words = {key: line(found, key, where) for key in ("stopped", "report") if key in found}
    rest = {key: value for key, value in found.items() if key not in words}
    return {**numbers({"observed": rest}, "observed", where), **words}


def patches_of(said: Mapping[str, Any]) -> tuple[Diff, ...]:
    """The patches, in order."""
    found = get(said, "patches", list, "trace")
    if not found and "tree" not in said:
        raise FaultError("trace: patches is empty")
    return tuple(diff_of(diff, f"patch {number}") for number, diff in enumerate(found, 1))


def diff_of(said: Any, where: str) -> Diff:
    """One patch."""
    if type(said) is not dict:
        raise FaultError(f"{where} is not an object")
    lines = get(said, "diff", list, where)
    for text in lines:
        if type(text) is not str or "\n" in text or "\0" in text or not encodable(text):
            raise FaultError(f"{where}: diff is not a list of lines")
    return Diff(
        line(said, "subject", where),
        line(said, "source", where),
        matching(get(said, "sha256", str, where), SHA256, f"{where}: sha256"),
        tuple(lines),
    )


def encodable(text: str) -> bool:
    """Whether it is text at all: JSON can say halves of characters."""
    return not any("\ud800" <= c <= "\udfff" for c in text)
