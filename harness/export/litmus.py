# SPDX-License-Identifier: GPL-2.0-only
"""A schedule as a litmus test: C for herd7 with the Linux kernel's memory model.

Of the form, from tools/memory-model of Linux: Documentation/litmus-tests.txt (which comments stand where,
`filter`, limits of its C), linux-kernel.def (the primitives), lock.cat (a lock is accessed as nothing else),
linux-kernel.cat (data races). Of its parsers, from herdtools7's lib/: splitter.mll, CLexer.mll, CParser.mly,
stateLexer.mll.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from harness.export.litmus_words import (
    Location,
    Word,
    fence,
    is_locks,
    is_rmw,
    is_unlocks_read,
    location,
    name_all,
    program,
    refused,
    spot,
    words_of,
)  # fmt: skip
from harness.interleave.schedule import (
    ACQUIRE,
    FENCE,
    FULL,
    IGNORED,
    MARKED,
    READ,
    RELEASE,
    SECTION,
    WAITS,
    WRITE,
    Schedule,
    ThreadStep,
)  # fmt: skip

NEAR = 4096  # more than that added to what was read is taken for a constant
MANY = 16  # statements, from which on herd7 may take long
A_ROW = 6  # conditions
WIDE = 97  # characters of a comment's line

# What ends the program, where the splitter meets it as a word: also in a comment.
ENDS = frozenset("final forall exists cases observed Observed locations filter".split())


def litmus_text(schedule: Schedule, name: str, head: Sequence[str], *, races: bool = False) -> str:
    """A schedule as a litmus test called `name`; HarnessError where it does not fit that form.

    The lines of `head` say, in its first comment, what was found and in what. What `races` does so with its
    last step.
    """
    threads = program(schedule)
    words = words_of(schedule.steps)
    if races and races_with_lock(words, schedule.steps):
        raise refused("what races is the lock's own access, in place of which the test has spin_lock()")
    test = Test(threads, words, name_all(words, schedule.steps))
    bodies = [test.body(n, steps) for n, steps in enumerate(threads.values())]
    finals = test.finals()
    parts = [
        f"C {re.sub(r'[^A-Za-z0-9_+.-]', '_', name).strip('-.') or 'finding'}\n\n",
        *comment([*head, *([""] * bool(head)), *test.told(schedule)]),
        "\n{\n",
        *(f"\t{word.name}={word.value(word.steps[0].before)};\n" for word in words.values()),
        "}\n",
        *bodies,
        "\n",
    ]
    if test.filters:
        parts.append(f"filter ({clause(test.filters)})\n")
    return "".join([*parts, f"exists ({clause([*test.reads, *finals])})\n"])


def races_with_lock(words: Mapping[Location, Word], steps: Sequence[ThreadStep]) -> bool:
    """Whether the last step, or what it races with, takes the lock in a word or lets it go."""
    last = steps[-1]
    if last.kind & (FENCE | SECTION):
        return False
    word = words[location(last)]
    if is_locks(word, last):
        return True
    met = (s for s in reversed(steps[:-1]) if s.thread != last.thread and location(s) == word.at)
    step = next((s for s in met if (s.kind | last.kind) & WRITE), None)
    return step is not None and is_locks(word, step)


@dataclass
class Test:
    """The test while it is written: what its clauses will say, and what of it is to be told."""

    threads: Mapping[int, Sequence[ThreadStep]]
    words: Mapping[Location, Word]
    sections: Mapping[Location, str]  # locks that are no words
    reads: list[str] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Has the first comment say a line, once."""
        if text not in self.notes:
            self.notes.append(text)

    def body(self, number: int, steps: Sequence[ThreadStep]) -> str:
        """A thread."""
        writer = Writer(self, number)
        lines = [line for at, step in enumerate(steps) for line in writer.statement(step, steps[at + 1 :])]
        parameters = ", ".join([*writer.uses, *writer.locks])
        registers = [f"\tint r{n};\n" for n in range(writer.registers)]
        gap = ["\n"] * bool(registers)
        return "".join([f"\nP{number}({parameters})\n{{\n", *registers, *gap, *lines, "}\n"])

    def finals(self) -> list[str]:
        """The last values of the words that are written."""
        return [
            f"{word.name}={word.value(stores[-1].after)}"
            for word in self.words.values()
            if (stores := [s for s in word.steps if s.kind & WRITE and not is_locks(word, s)])
        ]

    def told(self, schedule: Schedule) -> Iterator[str]:
        """What the first comment says of the test itself, once all is written."""
        yield "kconform made this of one schedule: the accesses of its threads, with their values."
        yield "What decides which are made is not here: the clause is about this control flow alone."
        if schedule.memory == "sc":
            yield "The schedule is one statement after the other, which no memory model forbids."
        else:
            yield f"The schedule delays stores ({schedule.memory})."
        if list(self.threads) != list(range(len(self.threads))):
            yield "Threads: " + ", ".join(f"P{n} is {thread}" for n, thread in enumerate(self.threads)) + "."
        yield ""
        for word in self.words.values():
            yield told_of(word)
        for at, name in self.sections.items():
            yield f"  {name}: the lock of {at}"
        yield ""
        yield from self.notes
        if any(not s.kind & (MARKED | IGNORED) for word in self.words.values() for s in word.steps):
            yield "Where plain accesses race, herd7 says so by itself: Flag data-race."
        fast = " -speedcheck true" * (sum(map(len, self.threads.values())) > MANY)
        yield f"In tools/memory-model of a kernel tree: herd7 -conf linux-kernel.cfg{fast} FILE"


@dataclass
class Writer:
    """One thread while it is written."""

    test: Test
    number: int
    registers: int = 0
    uses: dict[str, None] = field(default_factory=dict)  # parameters
    locks: dict[str, None] = field(default_factory=dict)
    held: set[Location] = field(default_factory=set)
    last: dict[Location, tuple[str, ThreadStep]] = field(default_factory=dict)  # reads; no write came since

    def statement(self, step: ThreadStep, later: Sequence[ThreadStep]) -> Iterator[str]:
        """A step as a line; none where it is left out."""
        if step.kind & FENCE:
            yield line(fence(step), step)
        elif step.kind & SECTION:
            yield line(self.section(step), step)
        elif is_locks(word := self.test.words[location(step)], step):
            yield line(self.lock(word.stands, takes=bool(step.kind & WAITS)), step)
        elif not is_unlocks_read(word, step, later):
            self.uses[f"{'atomic_t' if word.atomic else 'int'} *{word.name}"] = None
            if step.kind & IGNORED:
                self.test.note("What is within data_race(), which the model lacks, is marked.")
            yield self.read(word, step) if step.kind & READ else self.write(word, step)

    def lock(self, name: str, *, takes: bool) -> str:
        """A lock is taken or let go."""
        self.locks[f"spinlock_t *{name}"] = None
        return f"spin_{'lock' if takes else 'unlock'}({name})"

    def section(self, step: ThreadStep) -> str:
        """A lock that is no word is taken, or let go by who has it."""
        at, takes = location(step), bool(step.kind & READ)
        if takes == (at in self.held):
            raise refused(
                f"thread {step.thread} takes the lock of {at} twice, or lets it go without having it"
            )
        self.held ^= {at}
        return self.lock(self.test.sections[at], takes=takes)

    def read(self, word: Word, step: ThreadStep) -> str:
        """A read, or a read-modify-write."""
        register = f"r{self.registers}"
        self.registers += 1
        waits = step.kind & WAITS
        (self.test.filters if waits else self.test.reads).append(
            f"{self.number}:{register}={word.value(step.before)}"
        )
        if is_rmw(step):
            self.last.pop(word.at, None)
            return line(f"{register} = {self.change(word, step)}", step)
        self.last[word.at] = register, step
        return line(f"{register} = {load(word, step.kind)}", step)

    def change(self, word: Word, step: ThreadStep) -> str:
        """A read-modify-write, as one that does the same to the value that it met."""
        order = "_relaxed"
        if step.kind & (ACQUIRE | RELEASE | FULL):
            order = "" if step.kind & FULL else "_acquire" if step.kind & ACQUIRE else "_release"
        before, after = word.value(step.before), word.value(step.after)
        if word.atomic:
            self.test.note("A read-modify-write of an atomic_t is the addition that gives the same value.")
            sign = "sub" if after < before else "add"
            return f"atomic_fetch_{sign}{order}({abs(after - before)}, {word.name})"
        # A plain access to the word is none to an atomic_t.
        self.test.note("A read-modify-write of an int is a cmpxchg() that expects the value that it met.")
        if step.kind & WAITS:
            self.test.note(
                "What waits for a lock is tried once: the filter keeps the runs in which it is got."
            )
        return f"cmpxchg{order}({word.name}, {before}, {after})"

    def write(self, word: Word, step: ThreadStep) -> str:
        """A store."""
        register, read = self.last.pop(word.at, ("", step))
        value = computed(word, register, read, step) if register and read.call == step.call else ""
        if value:
            self.test.note(
                "A store of what its thread can have computed from what it read there last says so:"
            )
            self.test.note("the model sees what depends on what. All others are of constants.")
        note = "a constant" if register and not value else ""
        return line(store(word, step.kind, value or str(word.value(step.after))), step, note)


# Statements.


def load(word: Word, kind: int) -> str:
    """A read."""
    if kind & ACQUIRE:
        return f"{'atomic_read_acquire' if word.atomic else 'smp_load_acquire'}({word.name})"
    if word.atomic:
        return f"atomic_read({word.name})"
    return f"READ_ONCE(*{word.name})" if kind & (MARKED | IGNORED) else f"*{word.name}"


def store(word: Word, kind: int, value: str) -> str:
    """A store of a value."""
    if kind & RELEASE:
        return f"{'atomic_set_release' if word.atomic else 'smp_store_release'}({word.name}, {value})"
    if word.atomic:
        return f"atomic_set({word.name}, {value})"
    return f"WRITE_ONCE(*{word.name}, {value})" if kind & (MARKED | IGNORED) else f"*{word.name} = {value}"


def computed(word: Word, register: str, read: ThreadStep, write: ThreadStep) -> str:
    """What a store writes, as computed from a value that was read; "" where that is far-fetched."""
    before, after = word.value(read.before), word.value(write.after)
    if word.written[0] != "numbered":
        return formula(register, before, after)
    return formula(register, read.before, write.after) and added(register, after - before)


def formula(register: str, before: int, after: int) -> str:
    """`after` from `before`: one more or less, bits set, bits cleared, or not far away."""
    change = after - before
    if abs(change) <= 1:
        return added(register, change)
    if before | after == after:
        return f"{register} | {after & ~before}"
    if before & after == after:
        return f"{register} & {~(before & ~after)}"
    return added(register, change) if abs(change) <= NEAR else ""


def added(register: str, change: int) -> str:
    """A sum. The blank after the sign matters: herd7 takes -1 for a constant."""
    return f"{register} {'-' if change < 0 else '+'} {abs(change)}" if change else register


def line(statement: str, step: ThreadStep, note: str = "") -> str:
    """A statement, and where it comes from, as far as that can stand in a comment."""
    said = ", ".join(filter(None, (spot(step), note)))
    if ENDS & set(re.findall(r"[A-Za-z][A-Za-z0-9_/.-]*", said)):
        said = note
    return f"\t{statement};{f' // {said}' if said else ''}\n"


def clause(parts: Sequence[str]) -> str:
    """Conditions that all hold, some a line."""
    rows = [" /\\ ".join(parts[i : i + A_ROW]) for i in range(0, len(parts), A_ROW)]
    return " /\\\n\t".join(rows)


# The first comment.


def told_of(word: Word) -> str:
    """What is said of a word."""
    parts = [str(word.at)]
    if word.lock:
        parts.append(f"without {bits(word.lock)}, a lock: {word.stands} stands for it")
    if word.kept:
        parts.append(f"its lock stays in it, for it is none as spin_lock() takes: {word.kept}")
    form, values = word.written
    if form == "what varies":
        parts.append(f"without {bits(word.same)}, set throughout")
    elif form == "numbered":
        parts.append("its values are numbered: " + ", ".join(f"{n} is {v:#x}" for v, n in values.items()))
    return f"  {word.name}: {'; '.join(parts)}"


def bits(mask: int) -> str:
    """Bits of a word, by number."""
    numbers = [str(n) for n in range(64) if mask >> n & 1]
    return f"bit{'s' * (len(numbers) > 1)} {', '.join(numbers)}"


def comment(lines: Iterable[str]) -> Iterator[str]:
    """Lines as a comment before the program, which is OCaml's there.

    It begins on a line of its own, or the splitter does not see it (a longer match comes first). The
    kernel's scripts take a line that begins with "Result:" for what the test is known to give.
    """
    yield "(*\n"
    for text in lines:
        for row in text.splitlines() or [""]:
            said = "".join(c if c.isprintable() else " " for c in row)
            said = re.sub(r"(?<=\()\*|\*(?=\))", " * ", re.sub("^Result:", "result:", said))
            deeper = " " * (len(said) - len(said.lstrip()) + 2)
            for part in wrap(said, WIDE, subsequent_indent=deeper, break_long_words=False) or [""]:
                yield f" * {part}".rstrip() + "\n"
    yield " *)\n"
