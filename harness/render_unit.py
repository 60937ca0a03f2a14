# SPDX-License-Identifier: GPL-2.0-only
"""Writes a slice of a kernel tree as one header: shims, then the tree's own text in its own order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from extractor.items import Item
from extractor.slice import Slice
from kernel_snippets import STANDINS

HEADER = "kconform/slice.h"
OPTIONS = "generated/autoconf.h"
DATA_BYTES = 1 << 16  # more than any variable of a header has, as far as it is used
TRUE_KEY = re.compile(r"\bstatic_key_true\b|STATIC_KEY_TRUE\b")


def unit_overlays(piece: Slice, headers: Sequence[str]) -> dict[str, str]:
    """The headers of a tree's slice: the slice, and those that a contract or a shim asks for by name."""
    # What other shims include by these names must be the tree's own as well.
    named = dict.fromkeys((*headers, *STANDINS, *piece.replaced))
    options = "".join(f"#define {name} {value}\n" for name, value in sorted(piece.options.items()))
    return {
        OPTIONS: f"#pragma once\n{options}",
        HEADER: slice_text(piece),
        **dict.fromkeys(named, f"#include <{HEADER}>\n"),
    }


def slice_text(piece: Slice) -> str:
    """The slice as a C header that a person can read."""
    parts = ["#pragma once", f"#include <{OPTIONS}>"]
    parts += [f"#include <{header}>" for header in piece.shims]
    parts += [f"{tag};" for tag in piece.tags]
    seen: set[tuple[str, int, str]] = set()
    for item in piece.items:
        place = item.file, item.line, item.text
        if place not in seen:  # a macro call makes several functions
            seen.add(place)
            parts += unit_lines(item)
    return "\n".join(parts) + "\n"


def beyond_text(piece: Slice) -> str:
    """C of what a tree's slice refers to and other files of the kernel have, in an object of its own.

    A function that is called there ends the call: what it does is not known. Data is there, and zero.
    """
    parts = ["#include <kconform/record.h>"]
    for name, item in piece.beyond.items():
        if item.kind == "variable" or item.name != name:
            # A key that is declared true is; all else is zero until somebody writes it.
            first = " = { [0 ... 1023] = 1 }" if TRUE_KEY.search(item.text) else ""
            parts.append(f"int {name}[{DATA_BYTES // 4}] __attribute__((aligned(64))){first};")
        else:
            said = f'{{ KC_BUG, "{name}()", "{name}(), whose body is in another file of the kernel", '
            said += f'"{item.file}", {item.line}, "{name}" }}'
            parts += [
                f"void {name}(void);",
                f"void {name}(void)\n{{\n\tstatic const struct kc_site site = {said};\n",
                "\tkc_warned(&site);\n\tif (kc_record.stop)",
                "\t\tkc_record.stop(KC_STOP_SHIM, &site);\n\t__builtin_trap();\n}",
            ]
    return "\n".join(parts) + "\n"


def unit_lines(item: Item) -> Iterator[str]:
    """An item's lines under their place in the tree; blank ones at most one at a time."""
    last = blank = -1
    for line in item.lines:
        if not line.text.strip():
            blank = line.number
            continue
        if line.number != last + 1:
            if blank == line.number - 1 and blank == last + 1 and last > 0:
                yield ""
            else:
                yield f'#line {line.number} "{item.file}"'
        yield line.text
        last = line.number
