# SPDX-License-Identifier: GPL-2.0-only
"""Layouts before and after a patch as a table for a terminal, in the manner of pahole, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.report.page import WIDTH, wrapped
from harness.static.layout import Field, Hole, Layouts, Record, holes, paired

LINE = 64  # bytes of a cache line
FEW = 4  # names in a list
Conditions = Mapping[tuple[str, int], str]


@dataclass(frozen=True)
class Row:
    """One line of a table: `mark` is + new, - gone, * moved or resized; `numbers` are its columns."""

    mark: str
    text: str
    numbers: tuple[str, str, str, str] = ("", "", "", "")
    note: str = ""


def layout_text(layouts: Layouts, conditions: Conditions, title: str) -> str:
    """A table and a summary of each extended record; `conditions` are those of added fields."""
    config = " ".join(f"{name}={'y' if on else 'n'}" for name, on in sorted(layouts.config.items()))
    lines = [*wrapped(f"patch: {title}", ""), *wrapped(f"with {config}", "")]
    for name in layouts.extended:
        lines += ["", *record_text(layouts, name, conditions)]
    if layouts.asserts:
        lines.append("")
    for failed in layouts.asserts:
        already = ", as without the patch" if failed in layouts.broken else ""
        lines += wrapped(f"{failed.file}:{failed.line}: assertion fails{already}: {failed.text}", "")
    for lost in layouts.lost:
        lines += ["", *wrapped(f"not shown: {lost.reason}", "")]
    return "\n".join(lines) + "\n"


def record_text(layouts: Layouts, name: str, conditions: Conditions) -> Iterator[str]:
    """The table of one record, and what is to be said of it."""
    before, after = layouts.before.get(name), layouts.after.get(name)
    if before is None or after is None:
        yield f"{name}: not there in this configuration"
        return
    if name in layouts.cut:
        yield from wrapped(
            f"{name}: the shim has only some of the kernel's fields, so the offsets and sizes here are "
            "not the kernel's",
            "",
        )
    rows = [
        Row(" ", f"{name} {{"),
        *rows_of(before.fields, after.fields, before, after, conditions),
        Row("*" if before.size != after.size else " ", "};", _numbers(None, before.size, None, after.size)),
    ]
    yield from table(rows)
    yield from summary(layouts, name)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The rows under their heads; at most `WIDTH` columns."""
    widths = [max(6, *(len(row.numbers[at]) for row in rows)) for at in range(4)]
    room = WIDTH - 2 - sum(widths) - 6 - 14
    left, right = widths[0] + widths[1] + 1, widths[2] + widths[3] + 1
    yield f"{'':{room + 2}} {'before':>{left}}  {'after':>{right}}".rstrip()
    yield _line(" ", "", ("offset", "size", "offset", "size"), widths, room)
    for row in rows:
        line = _line(row.mark, row.text, row.numbers, widths, room)
        if not row.note:
            yield line
        elif len(line) + 2 + len(row.note) <= WIDTH:
            yield f"{line}  {row.note}"
        else:
            yield line
            indent = " " * (len(row.text) - len(row.text.lstrip()) + 6)
            yield from wrapped(f"if {row.note}", indent)


def _line(mark: str, text: str, numbers: Sequence[str], widths: Sequence[int], room: int) -> str:
    if not any(numbers):
        return f"{mark} {_cut(text, WIDTH - 2)}".rstrip()
    one, two, three, four = (f"{number:>{width}}" for number, width in zip(numbers, widths, strict=True))
    return f"{mark} {_cut(text, room):{room}} {one} {two}  {three} {four}".rstrip()


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _numbers(*numbers: int | None) -> tuple[str, str, str, str]:
    one, two, three, four = ("" if n is None else str(n) for n in numbers)
    return one, two, three, four


Scope = Field | Record


def _holes(scope: Scope | None) -> list[Hole]:
    if scope is None:
        return []
    if isinstance(scope, Record):
        return list(holes(scope.fields, scope.kind, 0, 8 * scope.size))
    bits = scope.bits
    if scope.array:  # its members are those of the first element
        bits = max((field.bit_end for field in scope.members), default=scope.bit_offset) - scope.bit_offset
    return list(holes(scope.members, scope.kind, scope.bit_offset, bits))


def rows_of(
    before: Sequence[Field], after: Sequence[Field], old: Scope | None, new: Scope | None,
    conditions: Conditions, depth: int = 1,
) -> Iterator[Row]:  # fmt: skip
    """The members of one struct or union, with its holes and the cache lines that it crosses."""
    gaps = {hole.before: hole for hole in _holes(new)}
    known = {(hole.bit_offset, hole.bits) for hole in _holes(old)}
    place = {field.place: at for at, field in enumerate(after)}
    lines = new is not None and new.kind == "struct"
    reached = new.offset // LINE if isinstance(new, Field) else 0
    for was, now in paired(before, after):
        if now is not None and place[now.place] in gaps:
            yield hole_row(gaps[place[now.place]], known, depth)
        if now is not None and lines and now.offset // LINE > reached:
            reached = now.offset // LINE
            yield cache_line(reached, now.offset, depth)
        yield from field_rows(was, now, conditions, depth)
    if -1 in gaps:
        yield hole_row(gaps[-1], known, depth)


def hole_row(hole: Hole, known: set[tuple[int, int]], depth: int) -> Row:
    """A hole, or the padding at the end."""
    what = "padding" if hole.before < 0 else "hole"
    size = _bits(hole.bits) if hole.bits % 8 else f"{hole.bits // 8} bytes"
    same = (hole.bit_offset, hole.bits) in known
    at, bytes_ = hole.bit_offset // 8, str(hole.bits // 8) if hole.bits % 8 == 0 else _bits(hole.bits)
    left = (str(at), bytes_) if same else ("", "")
    return Row(" " if same else "+", f"{'  ' * depth}/* XXX {size} {what} */", (*left, str(at), bytes_))


def cache_line(number: int, offset: int, depth: int) -> Row:
    """Where a cache line begins."""
    ago = offset - number * LINE
    was = f" was {ago} bytes ago" if ago else ""
    text = f"{'  ' * depth}/* --- cacheline {number} boundary ({number * LINE} bytes){was} --- */"
    return Row(" ", text)


def field_rows(was: Field | None, now: Field | None, conditions: Conditions, depth: int) -> Iterator[Row]:
    """One field, and its members."""
    field = now or was
    assert field
    mark = "+" if was is None else "-" if now is None else "*" if _differ(was, now) else " "
    numbers = (*_place(was), *_place(now))
    note = conditions.get((field.file, field.line), "") if field.added else ""
    indent = "  " * depth
    if not field.kind:
        yield Row(mark, f"{indent}{declared(field)};", numbers, note)
        return
    yield Row(mark, f"{indent}{field.kind} {{", numbers, note)
    yield from rows_of(
        was.members if was else (), now.members if now else (), was, now, conditions, depth + 1
    )
    yield Row(mark, f"{indent}}}{f' {field.name}{field.array}' if field.name else ''};")


def _differ(was: Field, now: Field) -> bool:
    return (was.bit_offset, was.bits) != (now.bit_offset, now.bits)


def _place(field: Field | None) -> tuple[str, str]:
    if field is None:
        return "-", "-"
    if field.bitfield:
        return f"{field.offset}:{field.bit_offset % 8}", _bits(field.bits)
    return str(field.offset), str(field.size)


def _bits(number: int) -> str:
    return f"{number} bit{'s' * (number != 1)}"


def declared(field: Field) -> str:
    """A field as C declares it."""
    space = "" if field.type.endswith("*") else " "
    width = f":{field.bits}" if field.bitfield else ""
    return f"{field.type}{space}{field.name}{field.array}{width}"


def summary(layouts: Layouts, name: str) -> Iterator[str]:
    """What changed: sizes, what was added and what had its bytes before, and what moved."""
    before, after = layouts.before[name], layouts.after[name]
    lines = -(-after.size // LINE)
    said = (
        f"{before.size} -> {after.size} bytes"
        if before.size != after.size
        else f"{after.size} bytes as before"
    )
    yield f"{name}: {said}, {lines} cache line{'s' * (lines != 1)}"
    added = after.added
    if not added:
        yield "  no field is added in this configuration"
    for field in added:
        at, last = field.offset, max(field.end - 1, field.offset)
        under = listed(list(dict.fromkeys(layouts.under(name, field))))
        over = f"over {under}" if under else _filled(layouts, name, field)
        yield from wrapped(f"added: {field.path} at {at} to {last}, {over}", "  ")
    moved = [_moved(old, new) for old, new in layouts.changed(name)]
    yield from wrapped(listed(moved, "; ") if moved else "no other field moves or changes its size", "  ")


def _filled(layouts: Layouts, name: str, field: Field) -> str:
    """Of a field that lies over no other: where its bytes come from."""
    if field.end > layouts.before[name].size:
        return "where the record ended before"
    return "where a hole was"


def _moved(old: Field, new: Field | None) -> str:
    if new is None:
        return f"{old.path} is gone"
    moves = f" moves from {old.offset} to {new.offset}" if old.bit_offset != new.bit_offset else ""
    grows = f" has {new.size} bytes, before {old.size}" if old.bits != new.bits else ""
    return f"{old.path}{moves}{' and' * bool(moves and grows)}{grows}"


def listed(names: Sequence[str], between: str = ", ") -> str:
    """Names, of many only the first."""
    more = f"{between}and {len(names) - FEW} more" if len(names) > FEW else ""
    return between.join(names[:FEW]) + more


def layout_json(layouts: Layouts, conditions: Conditions) -> str:
    """The same for programs; places are in bytes, of bitfields also in bits."""
    records = [
        {
            "name": name,
            "offsets_are_the_kernels": name not in layouts.cut,
            "size_before": layouts.before[name].size,
            "size_after": layouts.after[name].size,
            "fields": list(_json_fields(layouts.before[name].fields, layouts.after[name].fields, conditions)),
            "changed": [old.path for old, _ in layouts.changed(name)],
        }
        for name in layouts.extended
        if name in layouts.before and name in layouts.after
    ]
    data = {
        "schema": 1,
        "config": dict(layouts.config),
        "records": records,
        "assertions": [
            {"text": a.text, "file": a.file, "line": a.line, "without_patch": a in layouts.broken}
            for a in layouts.asserts
        ],
        "lost": [{"name": lost.name, "reason": lost.reason} for lost in layouts.lost],
    }
    return json.dumps(data, indent=2) + "\n"


def _json_fields(
    before: Sequence[Field], after: Sequence[Field], conditions: Conditions
) -> Iterator[dict[str, object]]:
    for was, now in paired(before, after):
        field = now or was
        assert field
        yield {
            "path": field.path if field.name else "",
            "kind": field.kind,
            "type": field.type + field.array,
            "depth": field.depth,
            "added": field.added,
            "condition": conditions.get((field.file, field.line), ""),
            "file": field.file,
            "line": field.line,
            "before": _json_place(was),
            "after": _json_place(now),
        }
        yield from _json_fields(was.members if was else (), now.members if now else (), conditions)


def _json_place(field: Field | None) -> dict[str, int] | None:
    if field is None:
        return None
    bits = {"bit_offset": field.bit_offset, "bits": field.bits} if field.bitfield else {}
    return {"offset": field.offset, "size": field.size, **bits}
