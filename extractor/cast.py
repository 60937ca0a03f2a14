# SPDX-License-Identifier: GPL-2.0-only
"""What a function refers to: its AST by pycparser, after GNU C is normalised for the parser only.

What is compiled is the patch's own text; nothing that is dropped here is dropped there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pycparser import c_ast, c_parser

from extractor.items import Item
from extractor.scan import SKIPPED, declarators

C_KEYWORDS = frozenset(
    """auto break case char const continue default do double else enum extern float for goto if inline int
    long register restrict return short signed sizeof static struct switch typedef union unsigned void
    volatile while _Bool typeof __typeof__ __attribute__ __alignof__ _Alignof""".split()
)
ANNOTATIONS = re.compile(
    r"\b(__always_inline|__inline__|__inline|noinline\w*|__must_check|__maybe_unused|__always_unused|"
    r"__user|__rcu|__iomem|__percpu|__force|__bitwise|__randomize_layout|__init|__exit|__meminit|__cold|"
    r"__pure|__packed|__read_mostly|__ro_after_init|__extension__|__restrict|__weak|__ref|__sched|"
    r"__no_\w+|__deprecated|asmlinkage|notrace|noinstr|fallthrough\s*;|inline)(?=\W|$)"
)
KNOWN_TYPES = frozenset(
    """bool u8 u16 u32 u64 s8 s16 s32 s64 __u8 __u16 __u32 __u64 __s8 __s16 __s32 __s64 size_t ssize_t loff_t
    gfp_t pgoff_t atomic_t atomic_long_t atomic64_t spinlock_t rwlock_t uintptr_t phys_addr_t dma_addr_t
    pgprot_t pte_t pmd_t pud_t p4d_t pgd_t pg_data_t swp_entry_t rmap_t fgf_t vm_fault_t vm_flags_t
    nodemask_t pid_t int8_t uint8_t int16_t uint16_t int32_t uint32_t int64_t uint64_t va_list""".split()
)
# Names that take arguments beside a declaration; the parser need not see them.
ATTRIBUTES = (
    "__attribute__|__attribute|__aligned|__printf|__scanf|__section|__alloc_size|__acquires|__releases|"
    "__must_hold|__cond_acquires|__counted_by|__no_sanitize|__assume_aligned|__malloc|__cleanup"
)
TOKEN = re.compile(
    r"\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?|[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|->|\.\.\.|"
    r"##|\+\+|--|&&|\|\||<<=?|>>=?|[-+*/%&|^=!<>]=|\S",
    re.S,
)
ENUM = re.compile(r"\s*enum\b")
# The last argument of these names a field.
FIELD_MACRO = re.compile(r"container_of\w*|offsetof\w*|(?:list|hlist|llist|rb|plist)_\w*entry\w*")
NOT_ITERATORS = frozenset(["if", "while", "for", "switch", "sizeof", "typeof", "return"])
FIRST_LINE = 2  # of the parser's text on which words stand: declared types are before
# What pycparser throws at hostile text, beside its own error.
UNREADABLE = (c_parser.ParseError, RecursionError, AssertionError, AttributeError, IndexError, ValueError,
              KeyError, TypeError)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What one item says and needs.

    `names` are the global identifiers that it refers to: functions, macros, variables, constants,
    typedef names and `struct X` tags, but no fields, locals, parameters or labels; `lines` gives the
    first post-image line of each. `calls` are those of `names` that are called. `parsed` is False
    where pycparser could not read the item: then `names` come from its tokens, and are too many.
    """

    name: str
    signature: str
    calls: tuple[str, ...]
    names: frozenset[str]
    lines: Mapping[str, int]
    parsed: bool


@lru_cache(4096)  # each contract cuts a slice of its own, of the same items
def facts(item: Item) -> Facts:
    """The facts of `item`; never raises, whatever its text."""
    text = strip_comments(item.expansion or item.text)
    found = None
    if item.kind == "function":
        found = function_names(text)
    elif item.kind == "macro":
        found = macro_block_names(text)
    names, calls = found or token_names(text, item)
    own = item.name.rpartition(" ")[2]
    kept = frozenset(names - C_KEYWORDS - {own, item.name})
    lines = name_lines(text, kept, item.lines[0].number)
    if item.kind == "function":
        kept = frozenset(lines)  # designators such as `.f = 1` are no references
    return Facts(item.name, item.signature, tuple(sorted(calls & kept)), kept, lines, found is not None)


def strip_comments(text: str) -> str:
    """`text` with each comment as blanks of the same length; strings stay."""

    def strip(match: re.Match[str]) -> str:
        return match.group() if match.group()[0] in "\"'" else blank(match)

    return SKIPPED.sub(strip, text)


def blank(match: re.Match[str]) -> str:
    """What `match` found as blanks: newlines stay, so that all else keeps its offset and line."""
    return re.sub(r"[^\n]", " ", match.group())


def tokens(text: str) -> Iterator[tuple[str, int]]:
    """Each token of comment-free C with its 0-based line; operators whole, as the parser wants them."""
    line = at = 0
    for match in TOKEN.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        yield match.group(), line


def name_lines(text: str, names: frozenset[str], first: int) -> dict[str, int]:
    """The post-image line on which each of `names` first stands, not as a field."""
    lines: dict[str, int] = {}
    before = ""
    for word, line in tokens(text):
        name = f"{before} {word}" if before in ("struct", "union", "enum") else word
        if name in names and before not in (".", "->"):
            lines.setdefault(name, first + line)
        before = word
    return lines


def macro_parts(text: str) -> tuple[set[str], str]:
    """The parameters and the replacement text of a macro."""
    match = re.match(r"\s*#\s*define\s+\w+(\(([^)]*)\))?", text)
    if not match:
        return set(), text
    return {"__VA_ARGS__", *re.findall(r"\w+", match[2] or "")}, text[match.end() :]


def token_names(text: str, item: Item) -> tuple[set[str], set[str]]:
    """The identifiers among an item's tokens; a macro's parameters left out."""
    parameters, body = macro_parts(text) if item.kind == "macro" else (set(), text)
    names: set[str] = set()
    calls: set[str] = set()
    words = [word for word, _ in tokens(body) if word != "\\"]
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if not re.match(r"[A-Za-z_]", word) or before in (".", "->", "#", "##") or after == "##":
            continue
        if before in ("struct", "union", "enum"):
            names.add(f"{before} {word}")
        elif word not in parameters and word not in C_KEYWORDS:
            names.add(word)
            if after == "(":
                calls.add(word)
    if item.kind in ("record", "typedef"):
        names -= own_names(body)
    return names, calls


def own_names(text: str) -> set[str]:
    """What a record or typedef declares itself: fields, constants, and parameters of function pointers."""
    if ENUM.match(text):  # of which a constant's value may have a cast: (__force type)1
        return set(re.findall(r"[{,]\s*([A-Za-z_]\w*)\s*(?=[=,}])", text))
    found = {name for piece in re.split(r"[{};]", text) for name, _ in declarators(piece)}
    words = [word for word, _ in tokens(text)]
    for before, word, after in zip(words, words[1:], words[2:], strict=False):
        if after in (",", ")") and (before == "*" or re.match(r"[A-Za-z_]", before)) and before != "struct":
            found.add(word)
    return found


def macro_block_names(text: str) -> tuple[set[str], set[str]] | None:
    """What a macro with a block refers to: its own variables are none of it."""
    parameters, body = macro_parts(text)
    body = body.replace("\\\n", " \n").replace("##", " ")
    if not re.match(r"\s*(\(\s*\{|do\s*\{)", body):
        return None
    found = function_names(f"void f(void) {{ {body} ; }}")
    return (found[0] - parameters, found[1] - parameters) if found else None


def blanked(text: str) -> str:
    """`text` with directives and what pycparser cannot read as blanks: what stays keeps its offset."""
    text = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", blank, text, flags=re.M)
    text = ANNOTATIONS.sub(blank, text)
    text = drop_calls(text, ATTRIBUTES)
    text = drop_calls(text, "typeof|__typeof__|__typeof", "int")
    ranges = r"(?<=\bcase\b)(?:(?!\bcase\b)[^:;{}?\n])*?(\.\.\.[^:;{}.\n]*):"
    return re.sub(ranges, lambda m: m.group().replace(m[1], " " * len(m[1])), text)


def drop_calls(text: str, name: str, instead: str = "") -> str:
    """`text` with `instead` and blanks for each `name ( … )`, parentheses matched."""
    parts: list[str] = []
    at = 0
    for match in re.finditer(rf"\b(?:{name})\s*\(", text):
        if match.start() < at:
            continue
        depth, end = 1, match.end()
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        gap = re.sub(r"[^\n]", " ", text[match.start() + len(instead) : end])
        parts += [text[at : match.start()], instead, gap]
        at = end
    return "".join([*parts, text[at:]])


def shaped(words: Sequence[str]) -> list[str]:
    """Each of `words` as the parser wants it, in its place.

    Iterator macros become loops, types that are macro arguments sizeof, `a ?: b` gets its middle.
    """
    body = words.index("{") if "{" in words else len(words)
    closes = matching(words)
    words = [*words]
    after = annotated(words)
    words[after:body] = [""] * (body - after)
    opening: dict[int, str] = {}
    closing: dict[int, str] = {}
    for i in range(body + 1, len(words) - 1):
        if words[i] == "?" and words[i + 1] == ":":
            closing[i] = " 0"
        end = closes.get(i + 1, len(words)) if words[i + 1] == "(" else len(words)
        if end + 1 >= len(words) or not re.match(r"[A-Za-z_]", words[i]):
            continue
        statement = words[i - 1] in ("{", "}", ";", ":", "else", "do") or words[i - 1] == ")"
        if statement and words[i] not in NOT_ITERATORS and re.match(r"[A-Za-z_{]", words[end + 1]):
            opening[i], closing[end] = "while (", ")"
        if words[i] not in C_KEYWORDS and words[i] != "offsetof":
            for first, last in arguments(words, i + 1, end, closes):
                if words[first] in ("struct", "union", "enum", "unsigned", "int", "long", "void", "char"):
                    opening[first], closing[last] = "sizeof(", ")" + closing.get(last, "")
    return [opening.get(i, "") + word + closing.get(i, "") for i, word in enumerate(words)]


def annotated(words: Sequence[str]) -> int:
    """Where annotations of a function begin that stand between parameters and body; there, if there are none.

    Such as __context_unsafe(): to C they mean nothing.
    """
    body = words.index("{") if "{" in words else len(words)
    parameters = words.index("(") if "(" in words[:body] else body
    if parameters + 1 >= body or words[parameters + 1] == "*":  # it returns a pointer to a function
        return body
    return min(matching(words).get(parameters, body) + 1, body)


def matching(words: Sequence[str]) -> dict[int, int]:
    """The index of the closing parenthesis for that of each opening one."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for i, word in enumerate(words):
        if word == "(":
            opened.append(i)
        elif word == ")" and opened:
            found[opened.pop()] = i
    return found


def arguments(words: Sequence[str], at: int, end: int, closes: Mapping[int, int]) -> list[tuple[int, int]]:
    """First and last index of the first few arguments between parentheses at `at` and `end`."""
    found: list[tuple[int, int]] = []
    first = i = at + 1
    while i <= end and len(found) < 8:
        if i == end or words[i] == ",":
            if i > first:
                found.append((first, i - 1))
            first = i + 1
        i = closes.get(i, i) + 1
    return found


def guess_types(text: str) -> set[str]:
    """Identifiers that stand where only a type can: declarations, parameters, casts."""
    words = [word for word, _ in tokens(text)]
    starts = {"{", "}", ";", "(", ",", "const", "volatile", "static", ""}
    guessed: set[str] = set()
    stars = len(words)  # the next word that is neither * nor const
    following = [stars] * (len(words) + 1)
    for i in range(len(words) - 1, -1, -1):
        following[i] = stars = i if words[i] not in ("*", "const") else stars
    padded = ["", *words, "", "", ""]
    for i, word in enumerate(words):
        if not re.match(r"[A-Za-z_]", word) or word in C_KEYWORDS:
            continue
        before, stars = padded[i], following[i + 1]
        after, then = padded[stars + 1], padded[stars + 2]
        is_name = bool(re.match(r"[A-Za-z_]", after)) and after not in C_KEYWORDS
        declares = is_name and then in ("=", ";", ",", ")", "[", "(")
        # `a * b)` in an argument is a product; `a *b = …;` after a statement is a declaration.
        product = stars > i + 1 and before in ("(", ",") and then in (",", ")", "(", "[")
        cast = after == ")" and before == "(" and (stars > i + 1 or is_cast(padded, i, then))
        if (before in starts and declares and not product) or cast:
            guessed.add(word)
    return guessed


def is_cast(padded: Sequence[str], i: int, then: str) -> bool:
    """`(name) value`, where it is no call and no condition; `padded` has one word before words[0]."""
    before = padded[i - 1] if i else ""
    called = re.match(r"[A-Za-z_)\]]", before) and before != "return"
    return not called and bool(re.match(r"[A-Za-z_\d\"'.]", then))


def function_names(text: str) -> tuple[set[str], set[str]] | None:
    """What the function in `text` refers to and calls; None where pycparser cannot read it.

    Of an `#if` in its body both branches count: together, or where that is no C, one after the other.
    """
    try:
        found = parsed_names(text)
        if found is None and re.search(r"^[ \t]*#[ \t]*el", text, re.M):
            first, last = parsed_names(one_branch(text, True)), parsed_names(one_branch(text, False))
            found = (first[0] | last[0], first[1] | last[1]) if first and last else None
        return found
    except UNREADABLE:
        return None


def one_branch(text: str, first: bool) -> str:
    """`text` with the first, or the last, branch of each `#if … #else … #endif`; the rest is blank."""
    kept: list[str] = []
    taken: list[bool] = []
    for line in text.split("\n"):
        match = re.match(r"\s*#\s*(if|el|endif)", line)
        if match and match[1] == "if":
            taken.append(first)
        elif match and match[1] == "el" and taken:
            taken[-1] = not first
        elif match and match[1] == "endif" and taken:
            taken.pop()
        kept.append(line if not match and all(taken) else " " * len(line))
    return "\n".join(kept)


def parsed_names(text: str) -> tuple[set[str], set[str]] | None:
    """As function_names, of a text whose directives do not matter; may raise any of UNREADABLE."""
    words = [word for word, _ in tokens(blanked(text))]
    read = definition(shaped(words))
    if not read:
        return None
    tree, types = read
    walker = _Names()
    walker.visit(tree)
    beside = words[annotated(words) : words.index("{")]
    walker.names.update(word for word in beside if re.match(r"[A-Za-z_]", word))
    # typeof is dropped for the parser, but a record that it names counts.
    for inside in re.findall(r"\b(?:__)?typeof(?:__)?\s*\(([^;{}]*)", text):
        walker.names.update(" ".join(m) for m in re.findall(r"\b(struct|union|enum)\s+(\w+)", inside))
    used_types = {n for n in walker.types if n in types}
    return walker.names | used_types, walker.calls


def definition(words: Sequence[str]) -> tuple[Any, set[str]] | None:
    """The FuncDef that shaped `words` make, and the types declared for it; may raise any of UNREADABLE.

    Each word stands on a line of its own: a node's coord.line is FIRST_LINE and its word's index.
    """
    body = "\n".join(word.replace("\n", " ") for word in words)
    head, brace, _ = body.partition("{")
    parameter_types = set(re.findall(r"[(,]\s*(?:const\s+)?([A-Za-z_]\w*)\b\s*\**\s*\w+\s*(?=[,)])", head))
    types = (guess_types(body) | parameter_types | KNOWN_TYPES) - C_KEYWORDS
    declared = "".join(f"typedef int {name};" for name in sorted(types))
    try:
        tree = c_parser.CParser().parse(f"{declared}\n{body}")
    except c_parser.ParseError:
        return None
    definitions = [node for node in tree.ext if isinstance(node, c_ast.FuncDef)]
    if len(definitions) != 1 or not brace:
        return None
    return definitions[0], types


class _Names(c_ast.NodeVisitor):  # type: ignore[misc]
    """Collects references that are not to locals; scopes nest."""

    def __init__(self) -> None:
        self.scopes: list[set[str]] = [set()]
        self.names: set[str] = set()
        self.calls: set[str] = set()
        self.types: set[str] = set()

    def visit_FuncDef(self, node: Any) -> None:  # noqa: N802 (pycparser's names)
        self.scopes.append(set())
        self.visit(node.decl.type)
        self.visit(node.body)
        self.scopes.pop()

    def visit_Compound(self, node: Any) -> None:  # noqa: N802
        self.scopes.append(set())
        self.generic_visit(node)
        self.scopes.pop()

    def visit_For(self, node: Any) -> None:  # noqa: N802
        self.visit_Compound(node)

    def visit_Decl(self, node: Any) -> None:  # noqa: N802
        if node.name:
            self.scopes[-1].add(node.name)
        self.generic_visit(node)

    def visit_StructRef(self, node: Any) -> None:  # noqa: N802
        self.visit(node.name)

    def visit_Struct(self, node: Any) -> None:  # noqa: N802
        if node.name:
            self.names.add(f"struct {node.name}")
        self.generic_visit(node)

    def visit_Union(self, node: Any) -> None:  # noqa: N802
        if node.name:
            self.names.add(f"union {node.name}")
        self.generic_visit(node)

    def visit_Enum(self, node: Any) -> None:  # noqa: N802
        if node.name:
            self.names.add(f"enum {node.name}")
        self.generic_visit(node)

    def visit_IdentifierType(self, node: Any) -> None:  # noqa: N802
        self.types.update(node.names)

    def visit_FuncCall(self, node: Any) -> None:  # noqa: N802
        if isinstance(node.name, c_ast.ID):
            self.calls.add(node.name.name)
            if FIELD_MACRO.fullmatch(node.name.name) and node.args and len(node.args.exprs) > 1:
                node.args.exprs.pop()
        self.generic_visit(node)

    def visit_ID(self, node: Any) -> None:  # noqa: N802
        if not any(node.name in scope for scope in self.scopes):
            self.names.add(node.name)
