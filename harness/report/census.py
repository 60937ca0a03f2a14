# SPDX-License-Identifier: GPL-2.0-only
"""The census of a tree's headers as a table for people, and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.census.census import Counted
from harness.check import tool_facts
from harness.report.page import wrapped

COLUMNS = ("header", "functions", "generated", "parsed", "live", "sliced", "compiled", "called", "stopped",
           "crashed")  # fmt: skip
LEGEND = (
    "functions: written in the header, in any configuration; generated: made by its macro calls, in this "
    "one; live: both, in this configuration; sliced: all that they need is known; called: came back from a "
    "call on objects made here, also where a BUG fired, which is said below; stopped: at code that is in "
    "another file of the kernel"
)
ELSEWHERE = re.compile(r", whose body is in another file of the kernel$")
TITLES = {
    "absent": "not in this configuration, by condition",
    "unparsed": "not read by pycparser",
    "unresolved": "not compiled, by what they wait for",
    "stopped": "stopped at what is in another file of the kernel",
    "bugs": "called, and a BUG fired, by its condition; the kernel would end there",
    "crashed": "crashed on the objects made here",
}
FEW = 4  # names that are shown of a reason


def numbers(counted: Counted) -> dict[str, int]:
    """The counts of one header, by column."""
    return {
        "functions": len(counted.written),
        "generated": len(counted.generated),
        "parsed": counted.parsed,
        "live": len(counted.live),
        "sliced": len(counted.sliced),
        "compiled": len(counted.compiled),
        "called": len(counted.called) + len(counted.bugs),
        "stopped": len(counted.beyond),
        "crashed": len(counted.crashed),
    }


def census_text(tree: str, configured: str, found: Sequence[Counted], verbose: bool) -> str:
    """The table, then what did not come all the way, most-needed first."""
    rows = [COLUMNS, *((each.header, *map(str, numbers(each).values())) for each in found)]
    if len(found) > 1:
        rows.append(("all", *(str(sum(column)) for column in zip(*(numbers(e).values() for e in found),
                                                                  strict=True))))  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = [f"census of {tree}, for the configuration of {configured}", ""]
    lines += [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    lines += ["", *wrapped(LEGEND, "")]
    for what, title in TITLES.items():
        lines += reasons_text(title, reasons_of(found)[what], verbose)
    facts = tool_facts()
    lines += ["", f"kconform {facts['version']}, {facts['compiler']}, Python {facts['python']}"]
    return "\n".join(lines) + "\n"


def reasons_text(title: str, reasons: Mapping[str, Sequence[str]], verbose: bool) -> list[str]:
    """Each reason with the functions that have it, the most needed first; those of one function together."""
    if not reasons:
        return []
    lines = ["", f"{title}:"]
    ordered = sorted(reasons.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    for reason, names in ordered:
        if len(names) > 1 or verbose:
            shown = names if verbose else names[:FEW]
            more = f" and {len(names) - FEW} more" if len(names) > len(shown) else ""
            lines += wrapped(f"{len(names)}: {reason}: {', '.join(shown)}{more}", "  ")
    single = [f"{reason} ({names[0]})" for reason, names in ordered if len(names) == 1]
    return lines + (wrapped(f"1 each: {', '.join(single)}", "  ") if single and not verbose else [])


def reasons_of(found: Sequence[Counted]) -> dict[str, dict[str, list[str]]]:
    """What did not come all the way: how far it came, why, and which functions."""
    said: dict[str, dict[str, list[str]]] = {what: {} for what in TITLES}
    for each in found:
        reasons = {
            "absent": each.absent,
            "unparsed": dict.fromkeys(each.unparsed, "its text"),
            "unresolved": {name: re.sub(r"^needs ", "", why) for name, why in each.unresolved.items()},
            "stopped": {name: ELSEWHERE.sub("", why) for name, why in each.beyond.items()},
            "bugs": each.bugs,
            "crashed": each.crashed,
        }
        for what, of in reasons.items():
            for name, why in of.items():
                said[what].setdefault(why, []).append(name)
    return said


def census_json(tree: str, configured: str, found: Sequence[Counted]) -> str:
    """The same as JSON (schema 1), with all names."""
    headers: list[dict[str, Any]] = [
        {
            "header": each.header,
            "counts": numbers(each),
            "unparsed": list(each.unparsed),
            "live": list(each.live),
            "compiled": list(each.compiled),
            "called": list(each.called),
            "bugs": dict(each.bugs),
            "stopped": dict(each.beyond),
            "unresolved": dict(each.unresolved),
            "crashed": dict(each.crashed),
            "absent": dict(each.absent),
            "shims": list(each.shims),
        }
        for each in found
    ]
    said = {"schema": 1, "tree": tree, "configuration": configured, "headers": headers, "tool": tool_facts()}
    return json.dumps(said, indent=1) + "\n"
