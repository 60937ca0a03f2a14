# SPDX-License-Identifier: GPL-2.0-only
"""Cuts a stretch of C into items, lexically: comments, strings, directives, braces, `#if` stack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from extractor.items import Completeness, Item, Kind, Origin, SourceLine

SKIPPED = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
DIRECTIVE = re.compile(r"\s*#\s*(\w+)\s*(.*)", re.S)
LABEL = re.compile(r"[A-Za-z_]\w*\s*:(?!:)")
RECORD = re.compile(r"^(?:typedef\s+)?(?:static\s+|const\s+)*(struct|union|enum)\s*(\w*)[^();=]*\{")
HEADING_RECORD = re.compile(r"\b(struct|union|enum)\s+(\w+)\s*(?:\{|$)")
CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
NO_NAME = frozenset(
    [
        "if",
        "while",
        "for",
        "switch",
        "return",
        "sizeof",
        "typeof",
        "__attribute__",
        "__aligned",
        "__printf",
    ]
)


@dataclass
class Conditions:
    """The `#if` stack: each level its current expression, those before it, and whether it was added."""

    levels: list[tuple[str, tuple[str, ...], bool]] = field(default_factory=list)

    def stack(self) -> tuple[str, ...]:
        """The presence condition here, outermost first."""
        return tuple(expression for expression, _, _ in self.levels if expression)

    def directive(self, name: str, rest: str, added: bool) -> None:
        """Follows one conditional directive; an unmatched `#else` or `#endif` changes nothing."""
        rest = " ".join(rest.split())
        if name == "ifdef":
            self.levels.append((f"defined({rest})", (), added))
        elif name == "ifndef":
            self.levels.append((f"!defined({rest})", (), added))
        elif name == "if":
            self.levels.append((rest, (), added))
        elif name in ("else", "elif") and self.levels:
            now, before, was_added = self.levels.pop()
            negated = " && ".join(map(negation, (*before, now)))
            text = negated if name == "else" else f"{negated} && ({rest})"
            self.levels.append((text, (*before, rest if name == "elif" else now), was_added or added))
        elif name == "endif" and self.levels:
            self.levels.pop()

    def at_border(self) -> Conditions:
        """What is still known in the next hunk of the file: conditions that the patch itself opened."""
        return Conditions([level for level in self.levels if level[2]])


def negation(expression: str) -> str:
    """The opposite of a preprocessor expression."""
    if re.fullmatch(r"!?defined\(\w+\)", expression):
        return expression[1:] if expression[0] == "!" else "!" + expression
    return f"!({expression})"


@dataclass(frozen=True)
class Region:
    """Consecutive post-image lines of one file; `removed` holds the lines that stand after removals."""

    file: str
    lines: tuple[SourceLine, ...]
    heading: str = ""
    hunk: int = -1
    removed: frozenset[int] = frozenset()


def mask(text: str) -> str:
    """`text` with comments, strings and characters as blanks of the same length."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match.group())

    return SKIPPED.sub(blank, text)


class Scanner:
    """Cuts one region; `conditions` goes in as it was at the border and comes out as it is there."""

    def __init__(self, region: Region, conditions: Conditions) -> None:
        self.region = region
        self.conditions = conditions
        self.masked = masked_lines(region.lines)
        self.continued = continued_lines(region.lines, self.masked)
        self.items: list[Item] = []

    def scan(self) -> list[Item]:
        """The region's items, in order."""
        at = self.leading()
        while at < len(self.masked):
            line = self.masked[at]
            if not line.strip():
                at += 1
            elif is_directive(line):
                at = self.directive(at)
            else:
                at = self.declaration(at)
        return self.items

    # What a region begins inside of.

    def leading(self) -> int:
        """Handles the part that belongs to what began before the region; the line after it."""
        first = next((i for i in self.code_lines() if self.column0(i)), None)
        any_code = any(True for _ in self.code_lines())
        if first is None and (not any_code or self.region.hunk < 0):
            return 0
        if first is not None and self.masked[first][0] not in "{}":
            indented = [i for i in self.code_lines() if i < first and not self.label(i)]
            if not indented:
                return 0
            end = first
        else:
            end = len(self.masked)
            closed = (i for i in self.code_lines() if self.masked[i].startswith("}"))
            found = next(closed, None)
            if found is not None:
                end = found + 1
        self.part_of_heading(end)
        return end

    def code_lines(self) -> Iterator[int]:
        for i, line in enumerate(self.masked):
            if line.strip() and not is_directive(line) and i not in self.continued:
                yield i

    def label(self, i: int) -> bool:
        return bool(LABEL.fullmatch(self.masked[i].strip()))

    def column0(self, i: int) -> bool:
        return not self.masked[i][0].isspace() and not self.label(i)

    def part_of_heading(self, end: int) -> None:
        start = self.conditions.stack()
        lines = self.region.lines[:end]
        changed = self.changed(0, end)
        record = HEADING_RECORD.search(self.region.heading)
        call = CALL.search(self.region.heading)
        if record:
            name, kind = f"{record[1]} {record[2]}", "record"
        else:
            name, kind = (call[1] if call else self.region.heading.strip() or "?"), "function"
        fields = list(self.fields(end, name)) if record and changed else []
        if not (record and changed):
            self.follow(0, end)
        self.add("record" if kind == "record" else "function", name, lines, start,
                 "fragment" if changed else "partial", self.region.heading.strip(), changed)  # fmt: skip
        self.items += fields

    def fields(self, end: int, record: str) -> Iterator[Item]:
        """The fields among the added lines of a record, each under its own condition."""
        held: list[SourceLine] = []
        for i in range(end):
            line, source = self.masked[i], self.region.lines[i]
            if is_directive(line):
                self.follow(i, i + 1)
                continue
            if source.origin != "added" or not line.strip():
                continue
            held.append(source)
            text = " ".join(self.masked[k] for k in range(end) if self.region.lines[k] in held)
            text = re.sub(r"\b(union|struct)\s*\{|\}[^;]*;?", " ", text)
            if ";" not in text:
                if not text.strip():
                    held = []
                continue
            for said in filter(str.strip, text.split(";")):
                signature = " ".join(said.split())
                name = re.search(r"\(\s*\*\s*(\w+)\s*\)|(\w+)\s*(?:\[[^;]*\]\s*)*(?::\s*\w+\s*)?$", signature)
                if name:
                    yield Item("field", name[1] or name[2], self.region.file, tuple(held), "added",
                               self.conditions.stack(), "complete", signature, self.region.hunk,
                               record)  # fmt: skip
            held = []

    # Directives.

    def directive(self, at: int) -> int:
        end = at + 1
        while end < len(self.masked) and self.region.lines[end - 1].text.rstrip().endswith("\\"):
            end += 1
        lines = self.region.lines[at:end]
        match = DIRECTIVE.match("\n".join(self.masked[at:end]))
        assert match
        name, rest = match[1], match[2]
        stack = self.conditions.stack()
        if name == "define":
            self.macro(lines, rest, stack)
        elif name == "include":
            target = re.search(r'[<"]([^>"]+)[>"]', lines[0].text)
            self.add("include", target[1] if target else rest.strip(), lines, stack, "complete",
                     lines[0].text.strip())  # fmt: skip
        elif name == "undef":
            self.add("undef", rest.strip(), lines, stack, "complete", f"#undef {rest.strip()}")
        else:
            self.follow(at, end)
        return end

    def macro(self, lines: tuple[SourceLine, ...], rest: str, stack: tuple[str, ...]) -> None:
        body = " ".join(rest.replace("\\\n", " ").split())
        match = re.match(r"(\w+)(\([^)]*\))?\s*(.*)", body)
        if match:
            cut = lines[-1].text.rstrip().endswith("\\")
            signature = match[1] + (match[2] or (" " + match[3] if match[3] else ""))
            self.add("macro", match[1], lines, stack, "partial" if cut else "complete", signature)

    def follow(self, start: int, end: int) -> None:
        """Lets the `#if` stack follow the conditional directives among these lines."""
        for i in range(start, end):
            match = DIRECTIVE.match(self.masked[i]) if is_directive(self.masked[i]) else None
            if not match:
                continue
            if match[1] == "ifndef" and self.guard(i, match[2]):
                self.conditions.levels.append(("", (), True))
            else:
                added = self.region.lines[i].origin == "added"
                self.conditions.directive(match[1], match[2], added)

    def guard(self, at: int, name: str) -> bool:
        """An include guard: the file's first directive, and the same name defined at once."""
        if self.region.lines[0].number != 1 or any(map(is_directive, self.masked[:at])):
            return False
        after = next((t for t in self.masked[at + 1 :] if t.strip()), "")
        return bool(re.match(rf"#\s*define\s+{re.escape(name.strip())}\s*$", after))

    # Declarations and definitions.

    def declaration(self, at: int) -> int:
        stack = self.conditions.stack()
        end, whole = self.extent(at)
        text = "\n".join(t for t in self.masked[at:end] if not is_directive(t))
        kind, name, signature = classify(text)
        self.follow(at, end)
        self.add(kind, name, self.region.lines[at:end], stack, "complete" if whole else "partial",
                 signature)  # fmt: skip
        return end

    def extent(self, at: int) -> tuple[int, bool]:
        """The line after a declaration that begins at `at`, and whether its end is shown."""
        depth = parens = 0
        head = ""
        bodied = False
        for i in range(at, len(self.masked)):
            line = self.masked[i]
            if is_directive(line) or i in self.continued:
                continue
            for n, c in enumerate(line):
                if c in "([":
                    parens += 1
                elif c in ")]":
                    parens -= 1
                elif c == "{":
                    bodied = bodied or (depth == 0 and function_head(head))
                    depth += 1
                elif c == "}":
                    depth -= 1
                    if depth <= 0 and bodied and not line[n + 1 :].strip().startswith(";"):
                        return i + 1, True
                elif c == ";" and depth <= 0 and parens <= 0:
                    return i + 1, True
                if depth == 0:
                    head += c
            head += "\n"
            if depth == 0 and parens == 0 and self.bare_call(head, i):
                return i + 1, True
        return len(self.masked), False

    def bare_call(self, head: str, i: int) -> bool:
        """`MACRO(args)` alone, as generator macros are called: no semicolon, no body after it."""
        if not re.match(r"\s*[A-Za-z_]\w*\s*\(", head) or not head.rstrip().endswith(")"):
            return False
        after = next((t for t in self.masked[i + 1 :] if t.strip()), "x")
        return not after[0].isspace() and after[0] != "{"

    def changed(self, start: int, end: int) -> bool:
        lines = self.region.lines[start:end]
        return any(ln.origin == "added" or ln.number in self.region.removed for ln in lines)

    def add(
        self,
        kind: Kind,
        name: str,
        lines: tuple[SourceLine, ...],
        condition: tuple[str, ...],
        completeness: Completeness,
        signature: str,
        changed: bool | None = None,
    ) -> None:
        if not lines:
            return
        if changed is None:
            changed = any(ln.origin == "added" or ln.number in self.region.removed for ln in lines)
        origin: Origin = "added" if changed else "context"
        if lines[0].origin == "tree":
            origin = "tree"
        self.items.append(Item(kind, name, self.region.file, lines, origin, condition, completeness,
                               signature, self.region.hunk))  # fmt: skip


def is_directive(masked: str) -> bool:
    """True for a line that begins a preprocessor directive."""
    return masked.lstrip().startswith("#")


def continued_lines(lines: Sequence[SourceLine], masked: Sequence[str]) -> frozenset[int]:
    """The lines that belong to a directive above them, by its backslashes."""
    found: set[int] = set()
    for i in range(1, len(masked)):
        if lines[i - 1].text.rstrip().endswith("\\") and (i - 1 in found or is_directive(masked[i - 1])):
            found.add(i)
    return frozenset(found)


def masked_lines(lines: Sequence[SourceLine]) -> list[str]:
    """Each line's code, comments and strings blanked; a region may begin inside a comment."""
    text = "\n".join(ln.text for ln in lines)
    opened, closed = text.find("/*"), text.find("*/")
    starred = [ln.text for ln in lines if ln.text.strip()]
    if closed >= 0 and (opened < 0 or closed < opened):
        text = re.sub(r"[^\n]", " ", text[: closed + 2]) + text[closed + 2 :]
    elif opened < 0 and starred and all(re.match(r"\s*\*(\s|$)", t) for t in starred):
        text = re.sub(r"[^\n]", " ", text)
    return mask(text).split("\n")


def function_head(head: str) -> bool:
    """What stands before a `{` at top level is a function's signature."""
    return not RECORD.match(head.strip() + " {") and "=" not in head and ")" in head


def classify(text: str) -> tuple[Kind, str, str]:
    """Kind, name and one-line signature of a declaration's masked text."""
    head = text.partition("{")[0]
    flat = " ".join(head.split()).rstrip(";").strip()
    typed = re.match(r"^\w[\w\s*]*?[\w*]\s*[\s*]\s*\w+\s*\(", flat)
    if flat.startswith("typedef"):
        names = re.findall(r"\(\s*\*\s*(\w+)\s*\)|(\w+)\s*(?:\[[^\]]*\]\s*)*;", " ".join(text.split()))
        last = names[-1] if names else ("", flat.split()[-1])
        return "typedef", last[0] or last[1], flat
    record = RECORD.match(text.strip())
    if record:
        return "record", f"{record[1]} {record[2]}".strip(), flat
    calls = [m for m in CALL.finditer(flat) if m[1] not in NO_NAME]
    if "{" in text and calls and "=" not in flat and typed:
        return "function", calls[0][1], flat
    if re.match(r"(static\s+)?(const\s+)?DEFINE_\w+\s*\(", flat):
        inside = re.search(r"\(\s*(\w+)", flat)
        return "variable", inside[1] if inside else flat, flat
    if calls and "=" not in flat:
        first = re.search(r"\(\s*(\w*)", flat)
        generator = re.match(r"^\w+\s*\(", flat)
        return (
            "declaration",
            f"{calls[0][1]}({first[1]})" if generator and first else calls[0][1],
            flat,
        )
    variable = re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*(?:=|$)", flat)
    return "variable", variable[1] if variable else flat, flat.partition("=")[0].strip()
