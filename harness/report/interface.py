# SPDX-License-Identifier: GPL-2.0-only
"""The interface of two revisions compared, as a section of a report, and as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from textwrap import wrap

from harness.diff.interface import Change, How, Interface

MARKS: dict[How, str] = {"added": "+", "removed": "-", "changed": "~", "renamed": "→", "moved": ">"}
MOST = 200  # changes that are shown


def interface_text(interface: Interface, width: int = 100) -> str:
    """A line a change, by file, and a summary before them; "" says nothing was compared."""
    lines = [summary(interface)]
    file = ""
    changes = by_file(interface)
    for change in changes[:MOST]:
        if change.file != file:
            file = change.file
            lines.append(f" {file}")
        lines += change_lines(change, interface, width)
    if len(changes) > MOST:
        lines.append(f" and {len(changes) - MOST:,} more; --format json has all")
    for note in interface.notes:
        lines += wrap(note, width, initial_indent=" ", subsequent_indent="   ")
    return "\n".join(lines) + "\n"


def by_file(interface: Interface) -> list[Change]:
    """What is told of, the changes of one file together."""
    changes = list(gathered(interface.changes))
    order = {name: n for n, name in reversed(list(enumerate(change.file for change in changes)))}
    return sorted(changes, key=lambda each: order[each.file])


def gathered(changes: Sequence[Change]) -> Iterator[Change]:
    """`changes`; of functions that macros generate, all that changed in the same way are one."""
    same: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        item = change.new or change.old
        made = bool(item and item.expansion) and change.how in ("added", "removed", "changed")
        key = (change.how, change.file, change.what) if made else (id(change),)
        same.setdefault(key, []).append(change)
    for first, *others in same.values():
        more = f"() and {len(others)} more that macros generate" if others else ""
        yield replace(first, name=first.name + more, kind="functions" if more else first.kind)


def summary(interface: Interface) -> str:
    """What there is of each kind, in one line."""
    counts = Counter(change.how for change in interface.changes)
    said = [f"{counts[how]:,} {how}" for how in MARKS if counts[how]]
    functions = [f"{len(interface.same):,} functions the same" if len(interface.same) != 1 else
                 "1 function the same"] if interface.same else []  # fmt: skip
    if interface.alike:
        functions.append(f"{len(interface.alike):,} but for names")
    return f"interface: {', '.join(said) or 'no change'}; {' and '.join(functions) or 'no function the same'}"


def change_lines(change: Change, interface: Interface, width: int) -> Iterator[str]:
    """One change; what does not fit beside its name goes below it."""
    head = f"  {MARKS[change.how]} {shown_kind(change):<9} {change_name(change)}"
    what = list(change.what)
    if what and len(head) + 2 + len(what[0]) <= width:
        head += f"  {what.pop(0)}"
    yield head
    for line in what:
        yield from broken(line, width)


def change_name(change: Change) -> str:
    """What is changed, under its new name too."""
    name = change.name + ("()" if change.kind in ("function", "fragment") and shows_function(change) else "")
    if change.kind == "fragment":
        name = f"in {name}"
    return f"{name} → {change.new_name}" if change.new_name else name


def shown_kind(change: Change) -> str:
    """The kind of what is changed."""
    item = change.new or change.old
    if change.kind != "fragment" or item is None:
        return change.kind
    return "option" if item.kind == "kconfig" else item.kind


def shows_function(change: Change) -> bool:
    """Whether the name is a function's."""
    return shown_kind(change) == "function"


def broken(line: str, width: int) -> Iterator[str]:
    """A line below a change: of `word: old -> new` that is too long, OLD and NEW each on its own."""
    indent = " " * 14
    old, arrow, new = line.partition(" -> ")
    if arrow and len(indent) + len(line) > width:
        for part in (old, f"-> {new}"):
            yield from wrap(part, width, initial_indent=indent, subsequent_indent=indent + "  ")
    else:
        yield from wrap(line, width, initial_indent=indent, subsequent_indent=indent + "  ")


def interface_json(interface: Interface) -> dict[str, object]:
    """The same as data for JSON."""
    return {
        "changes": [change_json(change) for change in interface.changes],
        "same": list(interface.same),
        "alike": list(interface.alike),
        "settled": list(interface.settled),
        "renames": dict(interface.renames),
        "notes": list(interface.notes),
    }


def change_json(change: Change) -> dict[str, object]:
    """One change as data."""
    items = {"old": change.old, "new": change.new}
    return {
        "how": change.how,
        "kind": change.kind,
        "name": change.name,
        "new_name": change.new_name,
        "what": list(change.what),
        **{side: {"file": item.file, "line": item.line} if item else None for side, item in items.items()},
    }
