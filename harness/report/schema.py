# SPDX-License-Identifier: GPL-2.0-only
"""The JSON Schemas of what kconform writes as JSON (2020-12): one file a command, and one they share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "schemas"
SHARED = "common"  # what no report is of by itself
Schema = dict[str, Any]


def names() -> list[str]:
    """The reports that have a schema."""
    every = sorted(path.name.partition(".")[0] for path in FOLDER.glob("*.schema.json"))
    return [name for name in every if name != SHARED]


@cache
def read(name: str) -> Schema:
    """One schema as it stands in its file; references to others are URNs, their `$id`."""
    schema: Schema = json.loads((FOLDER / f"{name}.schema.json").read_text())
    return schema


def bundled(name: str) -> Schema:
    """One schema with all that it refers to in its `$defs`, for validators that know no other files."""
    schema = read(name)
    others = {id: read(id.rpartition(":")[2]) for id in sorted(referred(schema, {schema["$id"]}))}
    return schema | {"$defs": schema.get("$defs", {}) | others} if others else schema


def referred(schema: Schema, seen: set[str]) -> Iterator[str]:
    """The `$id` of each other schema that one refers to, directly or by another; `seen` collects them."""
    for target in references(schema):
        id = target.partition("#")[0]
        if id and id not in seen:
            seen.add(id)
            yield id
            yield from referred(read(id.rpartition(":")[2]), seen)


def references(value: Any) -> Iterator[str]:
    """The targets of all references in a schema."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)
