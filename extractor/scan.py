# SPDX-License-Identifier: GPL-2.0-only
"""Cuts a stretch of C into items, lexically: comments, strings, directives, braces, `#if` stack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from extractor.errors import ExtractError
from extractor.items import Completeness, Item, Kind, Origin, SourceLine
from extractor.regions import Region

SKIPPED = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?", re.S)
TOKEN = re.compile(
    rf"(?P<skipped>{SKIPPED.pattern})|(?P<name>[^\W\d]\w*)|(?P<number>\d[\w.]*)|(?P<mark>\S)", re.S
)
DIRECTIVE = re.compile(r"\s*#\s*(\w+)\s*(.*)", re.S)
MAX_NESTING = 200
LABEL = re.compile(r"[A-Za-z_]\w*\s*:(?!:)")
MARKS = re.compile(r"[(\[)\]{};]")
HEADING_RECORD = re.compile(r"\b(struct|union|enum)\b\s*(\w*)\s*(?:\{|$)")
HEADING_MACRO = re.compile(r"#\s*define\s+(\w+)")
CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
NAME = re.compile(r"[^\W\d]\w*")
RECORDS = ("struct", "union", "enum")
STORAGE = ("static", "extern", "const", "inline", "volatile", "__initdata", "__read_mostly")
BASIC = frozenset(["int", "long", "short", "char", "unsigned", "signed", "void", "float", "double", "_Bool"])
BETWEEN = frozenset(
    ["__bitwise", "__user", "__rcu", "__iomem", "__percpu", "__force", "__private", "__nocast"]
)
NO_NAME = frozenset(
    """if while for switch return sizeof typeof __typeof__ __attribute__ __attribute __declspec
    __aligned __printf __scanf __section __alignas _Alignas __counted_by __guarded_by
    __must_hold __acquires __releases""".split()
)


@dataclass(frozen=True)
class Token:
    """One token of C: kind "name", "number", "text" (a string or character) or "mark"; line from 1."""

    kind: str
    text: str
    line: int


def tokens(text: str) -> Iterator[Token]:
    """The tokens of `text`, comments and white space left out; never an error."""
    line, at = 1, 0
    for match in TOKEN.finditer(text):
        line, at = line + text.count("\n", at, match.start()), match.start()
        said = match.group()
        if match.lastgroup != "skipped":
            yield Token(match.lastgroup or "mark", said, line)
        elif said[0] != "/":
            yield Token("text", said, line)


@dataclass
class Conditions:
    """The `#if` stack: each level's condition, its branches' expressions so far, and if it was added."""

    levels: list[tuple[str, tuple[str, ...], bool]] = field(default_factory=list)

    def stack(self) -> tuple[str, ...]:
        """The presence condition here, outermost first."""
        return tuple(expression for expression, _, _ in self.levels if expression)

    def own(self) -> tuple[str, ...]:
        """What of it the patch brings."""
        return tuple(expression for expression, _, added in self.levels if expression and added)

    def directive(self, name: str, rest: str, added: bool) -> None:
        """Follows one conditional directive; an unmatched `#else` or `#endif` changes nothing."""
        said = " ".join(rest.replace("\\\n", " ").split())
        if name.endswith("ndef"):
            said = f"!defined({said})"
        elif name.endswith("def"):
            said = f"defined({said})"
        if name in ("if", "ifdef", "ifndef"):
            self.levels.append((said, (said,), added))
        elif name in ("else", "elif", "elifdef", "elifndef") and self.levels:
            _, before, was_added = self.levels.pop()
            text = " && ".join(map(negation, before))
            if name != "else":
                text, before = f"{text} && ({said})", (*before, said)
            self.levels.append((text, before, was_added or added))
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


def scan_file(name: str, text: str, origin: Origin) -> list[Item]:
    """Every item of a whole C file, in order: of a shim header, or of a kernel tree."""
    lines = tuple(SourceLine(t, n, origin) for n, t in enumerate(text.split("\n"), 1))
    return scan_region(Region(name, lines), Conditions())


def scan_region(region: Region, conditions: Conditions) -> list[Item]:
    """The items of a region; `conditions` becomes what holds at its end."""
    return Scanner(region, conditions).scan()


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
        self.commented = commented_lines("\n".join(ln.text for ln in region.lines))
        self.items: list[Item] = []
        self.own: dict[tuple[str, ...], tuple[str, ...]] = {}  # what the patch brings of each stack

    def stack(self) -> tuple[str, ...]:
        """The presence condition here; what of it is the patch's own is kept for the items under it."""
        stack = self.conditions.stack()
        self.own[stack] = self.conditions.own()
        return stack

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
        if self.region.hunk < 0 or not self.masked:
            return 0
        if (cut := self.cut_macro()) > 0:
            return cut
        first = next((i for i in self.code_lines() if self.column0(i)), None)
        if first is None and next(self.code_lines(), None) is None:
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

    def cut_macro(self) -> int:
        """The line after a macro whose `#define` stands before the region; 0 where there is none."""
        lines, end = self.region.lines, 0
        if is_directive(self.masked[0]):
            return 0
        while end < len(lines) and lines[end].text.rstrip().endswith("\\"):
            end += 1
        if not end:
            return 0
        named = HEADING_MACRO.search(self.region.heading)
        end = min(end + 1, len(lines))
        changed = self.changed(0, end)
        self.add("macro", named[1] if named else "?", lines[:end], self.stack(),
                 "fragment" if changed else "partial", self.region.heading.strip(), changed)  # fmt: skip
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
        start = self.stack()
        lines = self.region.lines[:end]
        changed = self.changed(0, end)
        kind, name = heading_names(self.region.heading)
        fields = list(self.fields(end, name)) if kind == "record" and changed else []
        if not (kind == "record" and changed):
            self.follow(0, end)
        self.add(kind, name, lines, start, "fragment" if changed else "partial",
                 self.region.heading.strip(), changed)  # fmt: skip
        self.items += fields

    def fields(self, end: int, record: str) -> Iterator[Item]:
        """The fields among the added lines of a record, each under its own condition."""
        levels: list[list[Item]] = [[]]  # of each added, still open record: the members seen so far
        held: list[SourceLine] = []
        said = ""
        for source, line, i in zip(self.region.lines, self.masked, range(end)):  # noqa: B905
            if is_directive(line):
                self.follow(i, i + 1)
            elif source.origin != "added":
                held, said = [], ""
            elif line.strip():
                held.append(source)
                for part in re.split(r"([{};])", line):
                    if part == "{":
                        levels.append([])
                    elif part == "}" and len(levels) > 1:
                        inner = levels.pop()
                        levels[-1] += inner
                    elif part == ";":
                        levels[-1] += self.declared(said, tuple(held), record)
                    else:
                        said += part + " "
                        continue
                    said = ""
                if not said.strip():
                    held, said = [], ""
        yield from (item for level in levels for item in level)

    def declared(self, said: str, lines: tuple[SourceLine, ...], record: str) -> Iterator[Item]:
        for name, signature in declarators(said):
            stack = self.stack()
            yield Item("field", name, self.region.file, lines, "added", stack, "complete", signature,
                       self.region.hunk, record, own=self.own[stack])  # fmt: skip

    # Directives.

    def directive(self, at: int) -> int:
        end = at + 1
        while end < len(self.masked) and self.region.lines[end - 1].text.rstrip().endswith("\\"):
            end += 1
        end = self.past_comment(end)
        lines = self.region.lines[at:end]
        match = DIRECTIVE.match("\n".join(self.masked[at:end]))
        name, rest = (match[1], match[2]) if match else ("", "")
        stack = self.stack()
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
            if not is_directive(self.masked[i]) or i in self.continued:
                continue
            last = i + 1
            while last in self.continued:
                last += 1
            match = DIRECTIVE.match("\n".join(self.masked[i:last]))
            if not match:
                continue
            if match[1] == "ifndef" and self.guard(i, match[2]):
                self.conditions.levels.append(("", (), True))
            else:
                added = self.region.lines[i].origin == "added"
                self.conditions.directive(match[1], match[2], added)
            if len(self.conditions.levels) > MAX_NESTING:
                raise ExtractError("#if nested too deeply", file=self.region.file,
                                   line=self.region.lines[i].number, hint="refused")  # fmt: skip

    def guard(self, at: int, name: str) -> bool:
        """An include guard: the file's first directive, and the same name defined at once."""
        if self.region.lines[0].number != 1 or self.conditions.levels or self.items:
            return False
        after = self.next_code(at)
        return bool(re.match(rf"#\s*define\s+{re.escape(name.strip())}\s*$", after))

    # Declarations and definitions.

    def declaration(self, at: int) -> int:
        stack = self.stack()
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
        head: list[str] = []
        bodied: bool | None = None
        branches: list[tuple[int, int]] = []  # depths at each open #if: its branches are alternatives
        for i in range(at, len(self.masked)):
            line = self.masked[i]
            if is_directive(line):
                depth, parens = follow_depths(line, branches, (depth, parens))
                continue
            if i in self.continued or not line.strip():
                continue
            if line[0] == "}" and (depth > 1 or (depth == 0 and bodied is None)):
                return self.past_comment(i + 1), False  # unbalanced: the kernel's column 0 decides
            said = 0  # so much of the line is in the head
            for mark in MARKS.finditer(line):
                n, c = mark.start(), mark[0]
                if bodied is None:
                    head.append(line[said:n])
                    said = n
                if c in "([":
                    parens += 1
                elif c in ")]":
                    parens -= 1
                elif c == "{":
                    if bodied is None and depth == 0 and parens <= 0:
                        bodied = function_head("".join(head))
                    depth += 1
                elif c == "}":
                    depth -= 1
                    if depth <= 0 and bodied and not line[n + 1 :].lstrip().startswith(";"):
                        return self.past_comment(i + 1), True
                elif c == ";" and depth <= 0 and parens <= 0:
                    return self.past_comment(i + 1), True
            if bodied is None:
                head.append(line[said:])
            head.append("\n")
            if depth == 0 and parens == 0 and bodied is None and self.bare_call(at, i):
                return self.past_comment(i + 1), True
        return len(self.masked), False

    def bare_call(self, at: int, i: int) -> bool:
        """`MACRO(args)` alone, as generator macros are called: no semicolon, no body after it."""
        if not CALL.match(self.masked[at].lstrip()) or not self.masked[i].rstrip().endswith(")"):
            return False
        after = self.next_code(i) or "x"
        return not after[0].isspace() and after[0] != "{"

    def next_code(self, i: int) -> str:
        """The first line of code or directive after line `i`, "" for none."""
        return next((self.masked[k] for k in range(i + 1, len(self.masked)) if self.masked[k].strip()), "")

    def past_comment(self, end: int) -> int:
        """`end`, or the line after the comment that is still open there: it belongs to the item."""
        while end in self.commented:
            end += 1
        return end

    def changed(self, start: int, end: int) -> bool:
        lines = self.region.lines[start:end]
        numbers = {ln.number for ln in lines} | {ln.number + 1 for ln in lines[-1:]}
        return any(ln.origin == "added" for ln in lines) or bool(numbers & self.region.removed)

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
            # What was removed before the first line was removed before the item, not from it.
            inside = {ln.number for ln in lines[1:]}
            changed = any(ln.origin == "added" for ln in lines) or bool(inside & self.region.removed)
        origin: Origin = "added" if changed else "context"
        if origin == "context" and lines[0].origin == "tree":
            origin = "tree"
        self.items.append(Item(kind, name, self.region.file, lines, origin, condition, completeness,
                               signature, self.region.hunk, own=self.own.get(condition, ())))  # fmt: skip


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


def commented_lines(text: str) -> frozenset[int]:
    """The 0-based lines of `text` that begin inside a comment which begins in `text`."""
    found: set[int] = set()
    line = at = 0
    for match in SKIPPED.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        if match.group().startswith("/*"):
            found.update(range(line + 1, line + 1 + match.group().count("\n")))
    return frozenset(found)


def follow_depths(line: str, branches: list[tuple[int, int]], now: tuple[int, int]) -> tuple[int, int]:
    """The nesting after a directive: each branch of an `#if` begins at the same one."""
    match = DIRECTIVE.match(line)
    name = match[1] if match else ""
    if name in ("if", "ifdef", "ifndef"):
        branches.append(now)
    elif name.startswith("el") and branches:
        return branches[-1]
    elif name == "endif" and branches:
        branches.pop()
    return now


# What a declaration is, by its outline: groups in brackets collapsed to their opening mark.


@dataclass(frozen=True)
class Part:
    """A token outside all brackets, or a bracket ("(", "[", "{") with the tokens inside it."""

    text: str
    inner: tuple[str, ...] = ()


def outline(text: str) -> list[Part]:
    """The parts of a declaration, attributes left out; brackets need not be balanced."""
    parts: list[Part] = []
    depth = 0
    opening = ""
    inner: list[str] = []
    for match in TOKEN.finditer(text):  # as tokens(), without the lines
        said = match.group()
        if said[0] == "/" and match.lastgroup == "skipped":
            continue
        if said in ("(", "[", "{"):
            depth += 1
            if depth == 1:
                opening, inner = said, []
                continue
        elif said in (")", "]", "}") and depth:
            depth -= 1
            if depth == 0:
                add_part(parts, Part(opening, tuple(inner)))
                continue
        if depth:
            inner.append(said)
        else:
            parts.append(Part(said))
    if depth:
        add_part(parts, Part(opening, tuple(inner)))
    return parts


def add_part(parts: list[Part], part: Part) -> None:
    """Adds a bracket, or takes away the attribute that it belongs to."""
    if part.text == "(" and parts and parts[-1].text in NO_NAME:
        if "typeof" in parts[-1].text:
            return
        parts.pop()
    else:
        parts.append(part)


def called(parts: Sequence[Part]) -> int:
    """The index of the name before the parameter list, -1 for none; a leading macro call gives way."""
    found = [
        i
        for i in range(len(parts) - 1)
        if parts[i + 1].text == "(" and NAME.match(parts[i].text) and parts[i + 1].inner[:1] != ("*",)
    ]
    return -1 if not found else found[1] if found[0] == 0 and len(found) > 1 else found[0]


def is_record(parts: Sequence[Part]) -> bool:
    """`struct x {`: a record's definition, whatever is declared with it."""
    texts = [p.text for p in parts]
    if "{" not in texts:
        return False
    head = texts[: texts.index("{")]
    return any(t in RECORDS for t in head) and not {"=", "("} & set(head)


@lru_cache(16)  # asked of the same text where a definition ends, and for its kind
def function_head(head: str) -> bool:
    """What stands before a `{` at top level is a function's signature."""
    parts = outline(head)
    texts = [p.text for p in parts]
    return not is_record([*parts, Part("{")]) and "=" not in texts and "(" in texts


def declared_name(parts: Sequence[Part]) -> str:
    """The name in a declarator: `(*name)(...)`, `(name)(...)`, or the last before brackets, `=`, `:`, `,`."""
    names: list[str] = []
    for at, part in enumerate(parts):
        if part.text in ("=", ":", ",", ";") and names:
            break
        if part.text == "(" and part.inner[:1] == ("*",):
            return next((t for t in part.inner if NAME.match(t)), "")
        if part.text == "(" and len(part.inner) == 1 and [p.text for p in parts[at + 1 : at + 2]] == ["("]:
            return part.inner[0]
        if NAME.match(part.text):
            names.append(part.text)
    return before_annotations(names)


def before_annotations(names: Sequence[str]) -> str:
    """Of the names in a declarator the declared one: what begins with __ may be said of it, or be it."""
    names = [name for name in names if name not in BETWEEN]
    last = len(names)
    while last > 1 and names[last - 1].startswith("__"):
        last -= 1
    if last < len(names) and not names_something(names[:last]):
        last += 1
    return names[last - 1] if names else ""


def names_something(names: Sequence[str]) -> bool:
    """Whether these are more than a type: `unsigned int`, `const struct page` and `atomic_t` are not."""
    words = [name for name in names if name not in STORAGE]
    return len(words) > 1 and words[-1] not in BASIC and (words[0] not in RECORDS or len(words) > 2)


def declarators(said: str) -> Iterator[tuple[str, str]]:
    """Name and signature of each field that a declaration such as `int a, *b` makes."""
    parts = outline(said)
    flat = " ".join(said.split())
    at = called(parts)
    if at == 0:  # DECLARE_BITMAP(name, bits)
        names = [t for t in parts[1].inner if NAME.match(t)]
        yield names[0] if names else parts[0].text, flat
        return
    commas = [i for i, p in enumerate(parts) if p.text == ","]
    starts, ends = [0, *(i + 1 for i in commas)], [*commas, len(parts)]
    for start, end in zip(starts, ends, strict=True):
        name = declared_name(parts[start:end])
        if name and name not in RECORDS:
            first = declared_name(parts[: ends[0]])
            kind = flat.partition(first)[0].rstrip("* ") if start and first else ""
            own = " ".join(flat.split(",")[starts.index(start)].split()) if commas else flat
            yield name, f"{kind} {own}".strip()


def heading_names(heading: str) -> tuple[Kind, str]:
    """Kind and name of what an `@@` heading names; a function where nothing else is said."""
    record = HEADING_RECORD.search(heading)
    if record and "=" not in heading:
        return "record", f"{record[1]} {record[2]}".strip()
    parts = outline(heading)
    if "=" in [p.text for p in parts]:
        return "variable", declared_name(parts) or "?"
    at = called(parts)
    return "function", parts[at].text if at >= 0 else heading.strip() or "?"


def classify(text: str) -> tuple[Kind, str, str]:
    """Kind, name and one-line signature of a declaration's masked text."""
    before, brace, _ = text.partition("{")  # as Scanner.extent() saw it
    if brace and before.count("(") == before.count(")") and function_head(before):
        text = before + "{}"  # what a function does says nothing of what it is
    flat = " ".join(text.partition("{")[0].split()).rstrip("; ")
    parts = outline(text)
    texts = [p.text for p in parts]
    head = [t for t in texts if t not in STORAGE and t != ";"]
    at = called(parts)
    if texts[:1] == ["typedef"]:
        return "typedef", declared_name(parts[1:]) or "?", flat
    if is_record(parts):
        named = texts[: texts.index("{")]
        word = next(t for t in named if t in RECORDS)
        tags = [t for t in named[named.index(word) + 1 :] if NAME.match(t)]
        return "record", f"{word} {tags[-1] if tags else ''}".strip(), signed(word, flat, parts)
    if len(head) == 2 and head[0] in RECORDS:
        return "declaration", " ".join(head), flat
    if at < 0 or "=" in texts[:at]:
        return "variable", declared_name(parts) or flat[:80] or "?", flat.partition("=")[0].strip()
    inner = [t for t in parts[at + 1].inner if NAME.match(t)] or [""]
    typed = any(t not in STORAGE for t in texts[:at])
    if not typed and "{" not in texts and (at or texts[at].startswith("DEFINE_")):
        return "variable", inner[-1 if "PER_CPU" in texts[at] else 0] or texts[at], flat
    if not typed:
        return "declaration", f"{texts[at]}({inner[0]})", flat
    return "function" if "{" in texts[at:] else "declaration", texts[at], flat


def signed(word: str, flat: str, parts: Sequence[Part]) -> str:
    """A record's signature; an enum's names its first constants."""
    inner = next(p.inner for p in parts if p.text == "{")
    names = [t for i, t in enumerate(inner) if NAME.match(t) and (i == 0 or inner[i - 1] == ",")]
    if word != "enum" or not names:
        return flat
    return f"{flat} {{ {', '.join(names[:3])}{', …' if len(names) > 3 else ''} }}"
