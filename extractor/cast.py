# SPDX-License-Identifier: GPL-2.0-only
"""What a function refers to: its AST by pycparser, after GNU C is normalised for the parser only.

What is compiled is the patch's own text; nothing that is dropped here is dropped there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pycparser import c_ast, c_parser

from extractor.items import Item

C_KEYWORDS = frozenset(
    [
        "auto",
        "break",
        "case",
        "char",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "float",
        "for",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "typedef",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
        "_Bool",
        "typeof",
        "__typeof__",
        "asm",
        "__asm__",
        "_Static_assert",
        "__func__",
        "__attribute__",
        "__extension__",
        "__inline",
        "__inline__",
        "__alignof__",
        "_Alignof",
    ]
)
ANNOTATIONS = re.compile(
    r"\b(__always_inline|__inline__|__inline|noinline|__must_check|__maybe_unused|__always_unused|"
    r"__user|__rcu|__iomem|__percpu|__force|__bitwise|__randomize_layout|__init|__exit|__cold|"
    r"__pure|__packed|__read_mostly|__extension__|__restrict|fallthrough\s*;|inline)(?=\W|$)"
)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
TOKEN = re.compile(
    r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|->|\n|\S"
)
KNOWN_TYPES = [
    "bool",
    "u8",
    "u16",
    "u32",
    "u64",
    "s8",
    "s16",
    "s32",
    "s64",
    "__u8",
    "__u16",
    "__u32",
    "__u64",
    "size_t",
    "ssize_t",
    "loff_t",
    "gfp_t",
    "pgoff_t",
    "atomic_t",
    "atomic_long_t",
    "atomic64_t",
    "spinlock_t",
    "rwlock_t",
    "uintptr_t",
    "phys_addr_t",
    "dma_addr_t",
    "pgprot_t",
    "pte_t",
    "pmd_t",
    "pud_t",
    "p4d_t",
    "pgd_t",
    "swp_entry_t",
    "rmap_t",
    "fgf_t",
    "vm_fault_t",
    "vm_flags_t",
    "nodemask_t",
    "pid_t",
    "int8_t",
    "uint8_t",
    "int16_t",
    "uint16_t",
    "int32_t",
    "uint32_t",
    "int64_t",
    "uint64_t",
]


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


def facts(item: Item) -> Facts:
    """The facts of `item`; never raises, whatever its text."""
    text = strip_comments(item.text)
    found = function_names(text) if item.kind == "function" else None
    names, calls = found if found is not None else token_names(text, item)
    own = item.name.rpartition(" ")[2]
    kept = frozenset(names - C_KEYWORDS - {own, item.name})
    return Facts(
        item.name,
        item.signature,
        tuple(sorted(calls & kept)),
        kept,
        name_lines(text, kept, item.lines[0].number),
        found is not None,
    )


def strip_comments(text: str) -> str:
    """`text` with each comment as blanks; newlines and strings stay."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return found if found[0] in "\"'" else " " + "\n" * found.count("\n")

    return COMMENT.sub(blank, text)


def name_lines(text: str, names: frozenset[str], first: int) -> dict[str, int]:
    """The post-image line on which each of `names` stands first."""
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), first):
        for word in re.findall(r"[A-Za-z_]\w*", line):
            if word in names or (f"struct {word}" in names):
                lines.setdefault(word, number)
                lines.setdefault(f"struct {word}", number)
    return {name: lines.get(name, first) for name in names}


def token_names(text: str, item: Item) -> tuple[set[str], set[str]]:
    """The identifiers among an item's tokens; a macro's parameters left out."""
    body = text
    parameters: set[str] = set()
    if item.kind == "macro":
        match = re.match(r"\s*#\s*define\s+\w+(\(([^)]*)\))?", text)
        if match:
            body = text[match.end() :]
            parameters = set(re.findall(r"\w+", match.group(2) or ""))
    names: set[str] = set()
    calls: set[str] = set()
    words = [t for t in TOKEN.findall(body) if t not in ("\n", "\\")]
    for i, word in enumerate(words):
        before = words[i - 1] if i else ""
        if not re.match(r"[A-Za-z_]", word) or before in (".", "->", "#"):
            continue
        if before in ("struct", "union", "enum"):
            names.add(f"{before} {word}")
        elif word not in parameters and word not in C_KEYWORDS:
            names.add(word)
            if i + 1 < len(words) and words[i + 1] == "(":
                calls.add(word)
    return names, calls


def normalise(text: str) -> str:
    """`text` without what pycparser cannot read; lines stay where they are."""
    text = re.sub(r"^[ \t]*#[^\n]*(?:\\\n[^\n]*)*", "", text, flags=re.M)
    text = ANNOTATIONS.sub(" ", text)
    text = drop_balanced(text, "__attribute__")
    text = drop_balanced(text, "typeof", "int")
    text = drop_balanced(text, "__typeof__", "int")
    text = re.sub(r"\?\s*:", "? 0 :", text)
    return re.sub(r"(\bcase\s+[^:;{}?]+?)\s*\.\.\.\s*[^:;{}]+:", r"\1:", text)


def drop_balanced(text: str, word: str, instead: str = "") -> str:
    """`text` with `word ( … )` replaced, parentheses matched."""
    parts: list[str] = []
    at = 0
    for match in re.finditer(rf"\b{word}\s*\(", text):
        if match.start() < at:
            continue
        depth, end = 1, match.end()
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        parts += [text[at : match.start()], instead]
        at = end
    return "".join([*parts, text[at:]])


def guess_types(text: str) -> set[str]:
    """Identifiers that stand where only a type can: declarations, parameters, casts, sizeof."""
    words = [t for t in TOKEN.findall(text) if t != "\n"]
    starts = {"{", "}", ";", "(", ",", "const", "volatile", "static", ""}
    guessed: set[str] = set()
    for i, word in enumerate(words):
        if not re.match(r"[A-Za-z_]", word) or word in C_KEYWORDS:
            continue
        before = words[i - 1] if i else ""
        stars = i + 1
        while stars < len(words) and words[stars] in ("*", "const"):
            stars += 1
        after = words[stars] if stars < len(words) else ""
        then = words[stars + 1] if stars + 1 < len(words) else ""
        is_name = bool(re.match(r"[A-Za-z_]", after)) and after not in C_KEYWORDS
        declares = is_name and then in ("=", ";", ",", ")", "[", "(")
        # `a * b)` in an argument is a product; `a *b = …;` after a statement is a declaration.
        product = stars > i + 1 and before in ("(", ",") and then in (",", ")", "(", "[")
        if (before in starts and declares and not product) or (
            stars > i + 1 and after == ")" and before == "("
        ):
            guessed.add(word)
    return guessed


def function_names(text: str) -> tuple[set[str], set[str]] | None:
    """What the function in `text` refers to and calls; None where pycparser cannot read it."""
    body = normalise(text)
    head, brace, _ = body.partition("{")
    parameter_types = set(re.findall(r"[(,]\s*(?:const\s+)?([A-Za-z_]\w*)\s*\**\s*\w+\s*(?=[,)])", head))
    types = (guess_types(body) | parameter_types | set(KNOWN_TYPES)) - C_KEYWORDS
    declared = "".join(f"typedef int {name};" for name in sorted(types))
    try:
        tree = c_parser.CParser().parse(declared + body)
    except (
        c_parser.ParseError,
        RecursionError,
        AssertionError,
        AttributeError,
        IndexError,
        ValueError,
    ):
        return None
    definitions = [node for node in tree.ext if isinstance(node, c_ast.FuncDef)]
    if len(definitions) != 1 or not brace:
        return None
    walker = _Names()
    walker.visit(definitions[0])
    used_types = {n for n in walker.types if n in types}
    return walker.names | used_types, walker.calls


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

    def visit_IdentifierType(self, node: Any) -> None:  # noqa: N802
        self.types.update(node.names)

    def visit_FuncCall(self, node: Any) -> None:  # noqa: N802
        if isinstance(node.name, c_ast.ID):
            self.calls.add(node.name.name)
        self.generic_visit(node)

    def visit_ID(self, node: Any) -> None:  # noqa: N802
        if not any(node.name in scope for scope in self.scopes):
            self.names.add(node.name)
