# SPDX-License-Identifier: GPL-2.0-only
"""The values of macros and enum constants that are plain integer constant expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping

from extractor.conditions import value_of

DEEPEST = 20  # definitions that lead to others
LONGEST = 400  # characters of an expression
WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
CALL = re.compile(r"\b(BIT|BIT_ULL)\s*\(([^()]*)\)|\bsizeof\s*\(([^()]*)\)")
SIZES = {"char": 1, "short": 2, "int": 4, "long": 8, "u8": 1, "u16": 2, "u32": 4, "u64": 8, "s8": 1,
         "s16": 2, "s32": 4, "s64": 8}  # fmt: skip


class Values:
    """The values of names under one configuration: `texts` are what macros and constants stand for.

    `types` gives what each typedef is of. Whatever is not known, or too long, has no value.
    """

    def __init__(self, texts: Mapping[str, str], types: Mapping[str, str], long: int) -> None:
        self.texts = texts
        self.types = types
        self.known: dict[str, int | None] = {
            "BITS_PER_BYTE": 8, "BITS_PER_LONG": 8 * long, "SHRT_MAX": 0x7FFF, "USHRT_MAX": 0xFFFF,
            "INT_MAX": 0x7FFFFFFF, "UINT_MAX": 0xFFFFFFFF,
            "LONG_MAX": (1 << 8 * long - 1) - 1, "ULONG_MAX": (1 << 8 * long) - 1,
        }  # fmt: skip
        self.sizes = {**SIZES, "long": long}

    def of(self, name: str, depth: int = 0) -> int | None:
        """The value of `name`."""
        if name not in self.known:
            self.known[name] = None  # one that leads to itself
            if name in self.texts and depth < DEEPEST:
                value = self.value(self.texts[name], depth + 1)
                self.known[name] = value if value is not None and abs(value) < 1 << 64 else None
        return self.known[name]

    def value(self, text: str, depth: int = 0) -> int | None:
        """The value of an expression."""
        if len(text) > LONGEST or not text.strip():
            return None
        names: dict[str, bool | int | str] = {}
        text = CALL.sub(self._call, text)
        for word in dict.fromkeys(WORD.findall(text)):
            value = self.of(word, depth)
            if value is None:
                return None
            names[word] = value
        return value_of(text, names)

    def _call(self, match: re.Match[str]) -> str:
        if match[1]:
            return f"(1 << ({match[2]}))"
        size = self.size(match[3].split())
        return str(size) if size else match[0]

    def size(self, words: list[str], depth: int = 0) -> int:
        """The bytes of an integer type, 0 where it is none that is known."""
        if len(words) == 1 and words[0] in self.types and depth < DEEPEST:
            return self.size(self.types[words[0]].split(), depth + 1)
        rest = [word for word in words if word not in ("unsigned", "signed", "const", "volatile")]
        if "long" in rest and rest.count("long") > 1:
            return 8
        named = [word for word in rest if word != "int"] or (["int"] if words else [])
        return self.sizes.get(named[0], 0) if len(named) == 1 else 0


def shown(value: int) -> str:
    """A value as people write it: masks in hexadecimal."""
    return hex(value) if value > 0xFFFF else str(value)
