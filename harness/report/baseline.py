# SPDX-License-Identifier: GPL-2.0-only
"""Findings that are known already: a file of their fingerprints, each with a reason, some with an end.

A fingerprint is of contract, check and kind of divergence: lines, traces and the patch's subject may
change, what the code does wrong may not.
"""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.report.document import Case, Document, Known

SCHEMA = 1
MOST_BYTES = 16 << 20
FINGERPRINT = re.compile(r"[0-9a-f]{16}", re.ASCII)
REASON = "known when the baseline was written"


@dataclass(frozen=True)
class Entry:
    """One known finding; `expires` is the last day on which it is known, "" for none.

    A finding that shows in more of the calls than it did is another: two defects may look alike.
    """

    fingerprint: str
    contract: str
    check: str
    kind: str
    title: str
    reason: str
    expires: str = ""
    failed: int = 0  # of so many calls, or states, that were judged; 0: nobody has written it down
    judged: int = 0

    @property
    def said(self) -> str:
        """The finding in a few words."""
        return f"{self.check} ({self.kind})"


def today() -> str:
    """The day, as YYYY-MM-DD; that of $SOURCE_DATE_EPOCH where a run is to be reproduced later."""
    moment = os.environ.get("SOURCE_DATE_EPOCH", "")
    if re.fullmatch(r"\d{1,11}", moment, re.ASCII):
        return datetime.datetime.fromtimestamp(int(moment), datetime.timezone.utc).date().isoformat()
    return datetime.date.today().isoformat()


def read_baseline(path: str) -> list[Entry]:
    """The entries of a file; HarnessError, one line, for what is none."""
    try:
        if Path(path).stat().st_size > MOST_BYTES:
            raise HarnessError(f"{path}: error: it is larger than {MOST_BYTES >> 20} MiB: no baseline")
        said = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HarnessError(f"{path}: error: there is no such baseline; write one with "
                           "--write-baseline FILE") from None  # fmt: skip
    except UnicodeDecodeError:
        raise HarnessError(f"{path}: error: it is not UTF-8: no baseline") from None
    except (json.JSONDecodeError, RecursionError) as err:
        where = f":{err.lineno}" if isinstance(err, json.JSONDecodeError) else ""
        raise HarnessError(f"{path}{where}: error: it is not JSON: no baseline") from None
    if (
        not isinstance(said, dict)
        or said.get("schema") != SCHEMA
        or not isinstance(said.get("findings"), list)
    ):
        raise HarnessError(f"{path}: error: not a baseline of schema {SCHEMA}; write one with "
                           "--write-baseline FILE")  # fmt: skip
    return [
        entry_of(one, f"{path}: error: finding {number}") for number, one in enumerate(said["findings"], 1)
    ]


def entry_of(said: Any, where: str) -> Entry:
    """One entry."""
    if not isinstance(said, dict):
        raise HarnessError(f"{where} is not an object")
    words: dict[str, str] = {}
    for name in ("fingerprint", "contract", "check", "kind", "title", "reason"):
        if not isinstance(said.get(name), str) or not said[name].isprintable():
            raise HarnessError(f"{where} has no {name} of one line of text")
        words[name] = said[name]
    if not FINGERPRINT.fullmatch(words["fingerprint"]):
        raise HarnessError(f"{where}: {words['fingerprint'][:40]} is no fingerprint (16 hexadecimal digits)")
    if not words["reason"].strip():
        raise HarnessError(f"{where} has an empty reason: say why it is not mended")
    expires = said.get("expires") or ""
    try:
        if expires and datetime.date.fromisoformat(expires).isoformat() != expires:
            raise ValueError
    except (TypeError, ValueError):
        raise HarnessError(f"{where}: it expires on no day; give it as YYYY-MM-DD, or null") from None
    counts = [said.get(name, 0) for name in ("failed", "judged")]
    if any(type(count) is not int or count < 0 for count in counts):
        raise HarnessError(f"{where}: failed and judged are numbers of calls")
    return Entry(**words, expires=expires, failed=counts[0], judged=counts[1])


def with_baseline(document: Document, entries: Sequence[Entry], day: str) -> Document:
    """`document`, its findings that `entries` know marked, and what is to be said of the entries.

    An entry that expired knows nothing any more. One whose check was judged, and does not fail in its
    way, can be dropped.
    """
    by_print = {entry.fingerprint: entry for entry in entries}
    cases = tuple(marked(case, by_print.get(case.fingerprint), day) for case in document.cases)
    seen = {case.fingerprint for case in document.cases if case.verdict == "fail"}
    unknown = {(case.contract, case.id) for case in cases if case.verdict == "unknown"}
    judged = {case.contract for case in cases}
    lines: list[str] = []
    for entry in entries:
        if entry.fingerprint in seen:
            if expired(entry, day):
                lines.append(f"known until {entry.expires}, and still there: {entry.said}: {entry.reason}")
        elif entry.contract in judged and (entry.contract, entry.check) not in unknown:
            lines.append(f"no longer there, drop it from the baseline: {entry.said} of {entry.contract}, "
                         f"{entry.fingerprint}")  # fmt: skip
    return replace(document, cases=cases, baseline=tuple(lines))


def baseline_lines(document: Document) -> Iterator[str]:
    """What a baseline knows of a run's findings, and what is to be said of its entries."""
    yield from document.baseline
    known: dict[Known, list[str]] = {}
    for case in document.cases:
        if case.known:
            known.setdefault(case.known, []).append(f"{case.id} ({case.kind})")
    for why, names in known.items():
        until = f" until {why.expires}" if why.expires else ""
        yield f"known{until}, {why.reason}: {', '.join(names)}"


def marked(case: Case, entry: Entry | None, day: str) -> Case:
    """A case, known where an entry that holds says so."""
    if case.verdict != "fail" or case.inherited or entry is None or expired(entry, day):
        return case
    if entry.judged and not case.wide and case.failed * entry.judged > entry.failed * case.judged:
        less = f"the baseline knows it in {entry.failed:,} of {entry.judged:,}"
        return replace(case, worsened=f"{less}; here it is {case.failed:,} of {case.judged:,}")
    return replace(case, known=Known(entry.reason, entry.expires))


def expired(entry: Entry, day: str) -> bool:
    """Whether its last day is over."""
    return bool(entry.expires) and entry.expires < day


def baseline_text(document: Document, old: Sequence[Entry], reason: str) -> str:
    """The file for the findings of a run: those that `old` has keep their reason and their end.

    So do those of `old` that this run says nothing of.
    """
    known = {entry.fingerprint: entry for entry in old}
    found: dict[str, Entry] = {}
    for case in document.cases:
        if case.verdict != "fail" or case.inherited:
            continue
        before = known.get(case.fingerprint)
        found.setdefault(case.fingerprint, Entry(
            case.fingerprint, case.contract, case.id, case.kind, printable(case.title),
            before.reason if before else printable(reason) or REASON, before.expires if before else "",
            0 if case.wide else case.failed, 0 if case.wide else case.judged,
        ))  # fmt: skip
    judged = {(case.contract, case.id) for case in document.cases if case.verdict != "unknown"}
    contracts = {case.contract for case in document.cases}
    for entry in old:
        silent = entry.contract not in contracts or (
            (entry.contract, entry.check) not in judged and ids_of(document, entry)
        )
        if silent:
            found.setdefault(entry.fingerprint, entry)
    ordered = sorted(found.values(), key=lambda entry: (entry.contract, entry.check, entry.kind))
    return json.dumps({"schema": SCHEMA, "findings": [entry_data(e) for e in ordered]}, indent=1) + "\n"


def ids_of(document: Document, entry: Entry) -> bool:
    """Whether a run has the check of an entry at all."""
    return any((case.contract, case.id) == (entry.contract, entry.check) for case in document.cases)


def printable(text: str) -> str:
    """One line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def entry_data(entry: Entry) -> Mapping[str, str | int | None]:
    """One entry as plain data."""
    return {
        "fingerprint": entry.fingerprint,
        "contract": entry.contract,
        "check": entry.check,
        "kind": entry.kind,
        "title": entry.title,
        "reason": entry.reason,
        "expires": entry.expires or None,
        "failed": entry.failed,
        "judged": entry.judged,
    }
