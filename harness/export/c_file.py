# SPDX-License-Identifier: GPL-2.0-only
"""A finding as one C file that plain gcc compiles: it shows the steps, exits 1 while the finding is there."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.contract import Operation
from harness.export.finding import (
    Expectation,
    Finding,
    Sources,
    expectation_of,
    objects,
    owned_places,
    sources_of,
)
from harness.export.flat import Part
from harness.render import template
from harness.trace import call_text
from harness.trace_file import clean
from harness.translate import layout

# Marks begin with half a character, which no text has that was read from anywhere.
SLICE = "\ud800slice"
RESTORE = "\ud800restore"  # where the lines are the file's own again
WIDTH = 96
NONE = "NONE"
SANITIZE = "-g -fsanitize=undefined,address -fno-sanitize=signed-integer-overflow,pointer-overflow"
# -fms-extensions and -funsigned-char are the kernel's, and no pragma sets them.
PLAIN_CHAR = re.compile(r"(?<!unsigned )(?<!signed )\bchar\b(?!\s*\*)")


def c_file(finding: Finding, name: str) -> str:
    """The text of the file, which is to be called `name`."""
    sources = sources_of(finding, "export_record.h")
    due = expectation_of(finding)
    filled = context(finding, sources, due, name)
    used = template("export.c.j2").render(filled, libc="")
    libc = [line for word, line in LIBC.items() if re.search(rf"\b{word}\s*\(", used)]
    text = template("export.c.j2").render({**filled, "libc": "\n".join(libc), "slice": SLICE})
    # Blank lines are the template's; in the patch's text they count.
    return restored(re.sub(r"\n{3,}", "\n\n", text).replace(SLICE, filled["slice"]), name)


LIBC = {
    "printf": "int printf(const char *format, ...);",
    "fflush": "int fflush(void *stream);",
    "_exit": "void _exit(int status);",
    "fork": "int fork(void);",
    "wait": "int wait(int *status);",
    "alarm": "unsigned int alarm(unsigned int seconds);",
    "strcmp": "int strcmp(const char *a, const char *b);",
    "memcpy": "void *memcpy(void *to, const void *from, unsigned long n);",
    "memset": "void *memset(void *to, int c, unsigned long n);",
}


def restored(text: str, name: str) -> str:
    """`text` with each mark as the #line that gives the file its own lines back."""
    lines = text.split("\n")
    own = quoted(name)
    said = (f'#line {n + 2} "{own}"' if line == RESTORE else line for n, line in enumerate(lines))
    return "\n".join(said)


def context(finding: Finding, sources: Sources, due: Expectation, name: str) -> dict[str, Any]:
    """What the template is filled with."""
    trace, contract = finding.trace, finding.contract
    columns = finding.columns
    command = command_of(finding, sources, name)
    steps = [*step_rows(finding)]
    words = [*words_of_trace(finding)]
    return {
        "head": comment(head(finding, due, command)),
        "group": trace.group,
        "gap": trace.group == "sanitizer",
        "command": quoted(command),
        "options": [option for option, value in sorted(finding.setting.config.items()) if value],
        "slice": slice_text(sources),
        "columns": columns,
        "world": objects(finding),
        "world_c": world_text(finding, sources, trace.group == "sanitizer"),
        "most_args": max([len(op.args) for op in finding.used] or [0]),
        "steps": steps,
        "words": [(column, value, quoted(text)) for column, value, text in words],
        "width": max([len(step["text"]) for step in steps] + [11]),
        "has_return": any(op.returns or op.observed or op.by for op in finding.used),
        "id": trace.id,
        "what": due.what,
        "counts": bool(due.claim and due.claim.counts),
        "name": due.name,
        "due": due.due,
        "other": due.other,
        "recorded": [[step.observed.get(column, 0) for column in columns] for step in finding.steps[:-1]],
        "owns": owned_places(finding),
        "claim_code": due.code,
        "claim_call": claim_call(due),
        "ghost_fields": [*layout(contract.ghost).offsets.items()],
        "ghost": [value for _, _, value in due.ghost],
        "ghost_words": ", ".join(f"{name} {value}" for name, _, value in due.ghost),
        "expected_words": quoted(expected_words(finding, due)),
    }


def words_of_trace(finding: Finding) -> Iterator[tuple[str, int, str]]:
    """The contract's words for values of observations; of many, those that the trace has."""
    for column in finding.columns:
        words = finding.contract.words.get(column, {})
        steps = finding.steps
        had = {value.get(column) for step in steps for value in (step.observed, step.expected)}
        for value, text in words.items():
            if len(words) <= FEW_WORDS or value in had:
                yield column, value, text


FEW_WORDS = 16


def claim_call(due: Expectation) -> str:
    """The call of a claim's C."""
    if not due.claim:
        return ""
    code = due.claim.holds.__code__
    return f"{due.function}({', '.join(code.co_varnames[: code.co_argcount])})"


def expected_words(finding: Finding, due: Expectation) -> str:
    """What is due of the last step, in words."""
    contract = finding.contract
    if due.claim:
        return due.claim.title
    if due.what == "value":
        return f"{due.name} is due to be {contract.word(due.name, due.due)}"
    if due.what in ("warnings", "itself"):
        by = finding.last.by if finding.last and due.what == "itself" else ""
        return f"{'a warning' if due.due else 'no warning'}{f' of {by} itself' if by else ''} is due"
    words = {
        "elsewhere": "nothing is due to change but what the call may change",
        "clean": "no report of the sanitizers is due",
    }
    return words.get(due.what, "each call is due to come back")


def step_rows(finding: Finding) -> Iterator[Mapping[str, Any]]:
    """The steps of the trace, with what the model expects of each that ran."""
    contract = finding.contract
    names = [op.name for op in contract.operations]
    for number, step in enumerate(finding.trace.steps[1:], 1):
        due = finding.steps[number].expected if number < len(finding.steps) else {}
        values = [due.get(name, NONE) for name in (*finding.columns, "return", "warnings")]
        op = contract.operations[names.index(step.op)]
        yield {
            "op": names.index(step.op),
            "args": [step.args[name] for name in op.args],
            "text": quoted(call_text(step.op, step.args)),
            "expected": [*values, NONE, NONE],
            "off": hex(off(finding, number)),
        }


def off(finding: Finding, number: int) -> int:
    """A bit for each column of a step that is not as the model expects."""
    if number >= len(finding.steps) or not finding.steps[number].observed:
        return 0
    step = finding.steps[number]
    seen, due = step.observed, step.expected
    bits = 0
    for place, name in enumerate((*finding.columns, "return", "warnings")):
        was, wanted = seen.get(name), due.get(name)
        if name == "warnings":
            was, wanted = (None if value is None else bool(value) for value in (was, wanted))
        bits |= (wanted is not None and was != wanted) << place
    return bits


def world_text(finding: Finding, sources: Sources, gap: bool = False, strcmp: str = "strcmp") -> str:
    """The contract's C: world, initial state, observations, calls."""
    contract = finding.contract
    numbers = {op.name: number for number, op in enumerate(contract.operations)}
    return template("export_world.c.j2").render(
        gap=gap,
        strcmp=strcmp,
        restore=RESTORE,
        world=objects(finding),
        standins=sources.standins,
        wrappers=sources.wrappers,
        by=any(op.by for op in finding.used),
        init="\n".join(f"\t{line}" if line.strip() else "" for line in contract.init.strip("\n").split("\n")),
        observe=[(name, contract.observe[name]) for name in finding.columns],
        operations=[operation(op, numbers[op.name]) for op in finding.used],
    )


def operation(op: Operation, number: int) -> dict[str, Any]:
    """One operation for the template; its C is statements, the last of which may give the result."""
    statements = [part.strip() for part in split_statements(op.call)]
    returns = op.returns is not None or op.observed
    *before, last = statements if not op.by else [*statements, f'return kc_warned_in("{op.by}")']
    return {
        "number": number,
        "name": inert(op.name),
        "args": [(n, name) for n, name in enumerate(op.args) if re.search(rf"\b{name}\b", op.call)],
        "before": before,
        "last": f"return {last}" if returns else last,
        "returns": returns or bool(op.by),
    }


def split_statements(call: str) -> list[str]:
    """C statements in one line, apart: a semicolon within brackets is none's end."""
    found, depth, start = [], 0, 0
    for at, char in enumerate(call):
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(char, 0)
        if char == ";" and not depth:
            found.append(call[start:at])
            start = at + 1
    found.append(call[start:])
    return [part for part in found if part.strip()]


# The slice.


def slice_text(sources: Sources) -> str:
    """The shims, then the patch's own text under its lines."""
    cut = sources.slice
    said = ["/* ---- What the patch needs of the kernel: kconform's stand-ins for it. ---- */", ""]
    said += [f"{tag};" for tag in cut.tags]
    said += spaced(cut.base)
    said += ["", "/* ---- The patch's own text, unchanged; a #line says where it is from. ---- */", ""]
    said += [*patch_lines(cut.patch)]
    return "\n".join([*said, RESTORE])


def spaced(parts: Sequence[Part]) -> Iterator[str]:
    """Parts of shims, a blank line around what has several."""
    long = True
    for part in parts:
        if long or "\n" in part.text:
            yield ""
        long = "\n" in part.text
        yield part.text


NEAR = 4  # blank lines that are put in rather than a #line


def patch_lines(parts: Sequence[Part]) -> Iterator[str]:
    """The patch's parts under their lines; stand-ins that need one of them in between."""
    file, number = "", 0
    for part in parts:
        if not part.own:
            if file:
                yield RESTORE
            yield part.text
            file = ""
            continue
        if part.file == file and 0 <= part.line - number <= NEAR:
            yield from [""] * (part.line - number)
        else:
            yield ""
            yield f'#line {part.line} "{part.file}"'
        yield part.text
        file, number = part.file, part.line + part.text.count("\n") + 1


# The head.


def command_of(finding: Finding, sources: Sources, name: str) -> str:
    """How the file is compiled."""
    flags = [SANITIZE] if finding.trace.group == "sanitizer" else []
    own = "\n".join([*(part.text for part in sources.slice.patch), *sources.wrappers])
    if PLAIN_CHAR.search(own):
        flags.append("-funsigned-char")
    if re.search(r"^\s*(?:struct|union)\s+\w+;", own, re.M):
        flags.append("-fms-extensions")
    return " ".join(["gcc", *flags, shlex.quote(clean(name))])


def head(finding: Finding, due: Expectation, command: str) -> Iterator[str]:
    """The lines of the comment that the file begins with."""
    trace, contract = finding.trace, finding.contract
    where = f"  {trace.where[0]}:{trace.where[1]}" if trace.where else ""
    yield f"FINDING {trace.id}{where}"
    yield from wrapped(trace.title, "  ")
    quote = trace.quote if trace.group == "claim" else ""
    yield from wrapped(f'The patch says: "{quote}"', "  ") if quote else ()
    yield from wrapped(f"Due after the last call: {expected_words(finding, due)}.", "  ")
    yield ""
    yield f"  {command} && ./a.out"
    yield ""
    what = "shows each call with what is observed after it, and exits 1 while the finding is there, 0 when "
    what += "it is gone. To try a change, edit the patch's own text below."
    yield from wrapped(what, more="")
    yield ""
    for patch in finding.setting.revision.patches:
        yield from wrapped(f"patch: {patch.subject or patch.source}")
        yield f"  diff sha256 {patch.sha256}"
    if finding.setting.revision.tree:
        yield from wrapped(f"tree: {finding.setting.revision.tree}")
    bounds = ", ".join(f"{name}={value}" for name, value in finding.setting.loaded.bounds.items())
    against = f"against kconform's contract {contract.name}{f', bounds {bounds}' if bounds else ''}"
    yield from wrapped(f"{against}; the patch's code is its author's, all else is kconform's, GPL-2.0-only")


def wrapped(text: str, indent: str = "", more: str = "  ") -> list[str]:
    """Text in lines of a comment."""
    return textwrap.wrap(inert(text), WIDTH, initial_indent=indent, subsequent_indent=indent + more,
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def inert(text: str) -> str:
    """Text in one line that neither ends a comment nor begins one."""
    return clean(text).replace("*/", "* /").replace("/*", "/ *")


def comment(lines: Iterator[str]) -> str:
    """Lines as a comment's, whatever they say."""
    return "\n".join(f" * {inert(line)}".rstrip() for line in lines)


def quoted(text: str) -> str:
    """Text as it stands in a C string."""
    plain = clean(text).replace("\\", "\\\\").replace('"', '\\"')
    return re.sub(r"(?<=\?)\?", r"\\?", plain)  # no two of them: `??/` may be a backslash
