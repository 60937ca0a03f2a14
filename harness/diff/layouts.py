# SPDX-License-Identifier: GPL-2.0-only
"""Where the fields that patches add are, in one revision and in the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from extractor.errors import ExtractError
from extractor.items import Item, SourceLine
from harness.diff.interface import Change, Interface
from harness.errors import HarnessError
from harness.static.layout import Field, Layouts, Record
from harness.static.layout_build import LayoutBuild, default_config


def layouts_of(items: Sequence[Item], config: Mapping[str, bool], folder: Path) -> Layouts | str:
    """The layouts of the records that patches extend, compiled below `folder`; or why there are none."""
    if hasattr(items, "tree") or not any(item.origin == "added" for item in items):
        return "of a kernel tree no layout is compiled"
    try:
        return LayoutBuild(items, default_config(items, config), folder).finish()
    except (ExtractError, HarnessError) as error:
        return str(error).partition("\n")[0]


def with_layouts(interface: Interface, old: Layouts | str, new: Layouts | str) -> Interface:
    """`interface` with the places of fields that both revisions, or one of them, add; sizes of records."""
    about_fields = any(change.kind == "field" for change in interface.changes)
    for said in (old, new):
        if isinstance(said, str):
            note = (f"offsets of fields are not compared: {said}",) if about_fields else ()
            return replace(interface, notes=(*interface.notes, *note))
    assert isinstance(old, Layouts) and isinstance(new, Layouts)
    names = dict(interface.renames)
    known = {change.name if change.how != "added" else "" for change in interface.changes}
    changes = [with_place(change, old, new) for change in interface.changes]
    notes = list(interface.notes)
    for record in old.extended:
        left, right = old.after.get(record), new.after.get(names.get(record, record))
        if not left or not right:
            continue
        if record in old.cut or right.name in new.cut:
            if any(change.name.startswith(f"{record}.") for change in changes):
                notes.append(f"{record}: its shim has only some fields, so offsets are not compared")
            continue
        if left.size != right.size:
            first, last = item_of("record", left, left), item_of("record", right, right)
            said = f"size: {left.size} -> {right.size} bytes"
            changes.append(Change("changed", "record", record, old=first, new=last, what=(said,)))
        changes += moved(left, right, old.added(record), names, known)
    return replace(interface, changes=tuple(changes), notes=tuple(notes))


def moved(
    left: Record, right: Record, added: Sequence[Field], names: Mapping[str, str], known: set[str]
) -> Iterator[Change]:
    """The fields that both revisions add and that are elsewhere now, though nothing else of them changed."""
    for field in added:
        now = right.field(names.get(field.path, field.path))
        name = f"{left.name}.{field.path}"
        if now and name not in known and placed(field) != placed(now):
            first, last = item_of("field", field, left), item_of("field", now, right)
            said = f"{placed(field)} -> {placed(now)}"
            yield Change("changed", "field", name, old=first, new=last, what=(said,))


def item_of(kind: Literal["field", "record"], at: Field | Record, record: Record) -> Item:
    """An item for a record or field of which only the layout changed."""
    lines = (SourceLine("", at.line, "added"),)
    return Item(kind, at.name, at.file, lines, "added", (), "complete", "", parent=record.name)


def with_place(change: Change, old: Layouts, new: Layouts) -> Change:
    """A change of a field, with where it is."""
    if change.kind != "field":
        return change
    sides: list[str] = []
    for layouts, name, item in (
        (old, change.name, change.old),
        (new, change.new_name or change.name, change.new),
    ):
        record, _, path = name.partition(".")
        found = layouts.after.get(record) if record not in layouts.cut else None
        field = found.field(path) if found and item else None
        sides += [placed(field)] if field else []
    if len(sides) == 2 and sides[0] == sides[1]:
        return change
    if not sides or (len(sides) == 1 and change.old and change.new):
        return change
    if len(sides) == 1:
        first = f"{change.what[0]}, {sides[0]}" if change.what else sides[0]
        return replace(change, what=(first, *change.what[1:]))
    return replace(change, what=(*change.what, " -> ".join(sides)))


def placed(field: Field) -> str:
    """Where a field is, in bytes."""
    return f"at {field.offset}, {field.size} byte{'s' * (field.size != 1)}"
