# SPDX-License-Identifier: GPL-2.0-only
"""SARIF 2.1.0: a result a finding, its trace a code flow, a rule a check.

A result is one defect, as a reader counts them: checks that show the same are named in it, and have their
fingerprints in its properties. Only what fails is a result, since GitHub shows every result as an alert;
unknown verdicts, and what did not compile, are notifications of the run. There are no times in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from harness.lists import few
from harness.report.document import Case, Row
from harness.report.ending import broken, ending, one_line, printable
from harness.report.outline import Outline, also

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "SRCROOT"
STEPS = 1000  # of a code flow; GitHub shows no more
Data = dict[str, Any]


def render(outline: Outline) -> str:
    """The report."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [Run(outline).data()]}
    return json.dumps(log, indent=1) + "\n"


class Run:
    """What several parts of one run refer to: its findings, its rules and its files."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        excused = [(case,) for case in outline.cases if case.verdict == "fail" and not case.blamed]
        self.blocks: list[tuple[Case, ...]] = [*outline.findings, *excused]
        self.rules = {rule_id(block[0]): block[0] for block in reversed(self.blocks)}
        self.order = sorted(self.rules)
        of_patches = [file for patch in outline.patches for file in patch.files]
        places = [place for block in self.blocks for place in places_of(block[0])]
        self.files = [*dict.fromkeys([*of_patches, *(file for file in places if file)])]
        self.patched = frozenset(of_patches)
        self.compared = any(case.known for case in outline.cases)

    def data(self) -> Data:
        """The run."""
        outline = self.outline
        return {
            "tool": {"driver": {
                "name": "kconform",
                "semanticVersion": outline.tool["version"],
                "version": outline.tool["version"],
                "shortDescription": text("Checks mailed Linux kernel patches in userspace."),
                "rules": [self.rule(id, self.rules[id]) for id in self.order],
            }},
            "automationDetails": {"id": f"kconform/{outline.command}/"},
            "originalUriBaseIds": {
                ROOT: {"description": text("The root of the kernel tree that the patch is for.")}
            },
            "columnKind": "unicodeCodePoints",
            "invocations": [self.invocation()],
            "artifacts": [self.artifact(file) for file in self.files],
            "results": [self.result(block) for block in self.blocks],
            "properties": {
                "verdict": outline.word,
                "summary": printable(outline.summary),
                "title": printable(outline.title),
                "compiler": outline.tool["compiler"],
                "python": outline.tool["python"],
                "patches": [{"subject": printable(patch.subject), "sha256": patch.sha256}
                            for patch in outline.patches],
                "run": [*map(printable, outline.about)],
                "notChecked": [*map(printable, outline.unchecked)],
            },
        }  # fmt: skip

    def rule(self, id: str, case: Case) -> Data:
        """A check: what it claims, and whose sentence that is."""
        mutant = case.group == "mutant"
        title = (
            f"A check finds the planted defect {id.rpartition('/')[2]}." if mutant else sentence(case.title)
        )
        says = [f'{case.says or "the contract"} says: "{case.quote}"'] if case.quote else []
        said = text("\n".join([title, *says]))
        return {
            "id": id,
            "shortDescription": text(title),
            "fullDescription": said,
            "help": said,
            "defaultConfiguration": {"level": "error"},
            "properties": {"tags": [case.group], "problem.severity": "error"},
        }

    def result(self, block: Sequence[Case]) -> Data:
        """One finding: the plainest of its cases, and what the others add."""
        case = block[0]
        place = self.place(case.file, case.line) or self.anywhere()
        data: Data = {
            "ruleId": rule_id(case),
            "ruleIndex": self.order.index(rule_id(case)),
            "kind": "fail",
            "level": "error",
            "message": text(message(self.outline, block)),
            "locations": [{"physicalLocation": place}] if place else [],
            "partialFingerprints": {"kconform/v1": case.fingerprint},
            "occurrenceCount": max(case.failed, 1),
        }
        if case.table.rows:
            data["codeFlows"] = [self.code_flow(case, place)]
        reason = ending(case)[1]
        if reason:
            data["suppressions"] = [
                {"kind": "external", "status": "accepted", "justification": one_line(reason)}
            ]
        if self.compared:  # all results must say it, or none
            data["baselineState"] = "unchanged" if case.known else "new"
        data["properties"] = {
            "id": case.id, "contract": case.contract, "part": printable(case.part), "divergence": case.kind,
            "found": "walk" if case.wide else "exploration",
            "also": [{"id": other.id, "fingerprint": other.fingerprint} for other in block[1:]],
        }  # fmt: skip
        return data

    def code_flow(self, case: Case, place: Data | None) -> Data:
        """The trace, a location a step; of a long one its beginning and its last steps."""
        numbered = list(enumerate(case.table.rows))
        shown = numbered if len(numbered) <= STEPS else [numbered[0], *numbered[1 - STEPS :]]
        steps = [self.step(case, number, row, place) for number, row in shown]
        return {"threadFlows": [{"locations": steps}]}

    def step(self, case: Case, number: int, row: Row, place: Data | None) -> Data:
        """One step: its call, and what is observed after it."""
        cells = [*zip(case.table.columns, row.told, strict=False)]
        seen = f"-> {row.stopped}" if row.stopped else ", ".join(f"{name} {cell}" for name, cell in cells)
        location: Data = {"message": text(f"{number} {row.call}: {seen}" if seen else f"{number} {row.call}")}
        if own := self.place(row.file, row.line) or place:
            location["physicalLocation"] = own
        last = number == len(case.table.rows) - 1
        data: Data = {
            "location": location,
            "executionOrder": number + 1,
            "importance": "essential" if last else "important",
        }
        if cells:
            data["state"] = {printable(name): text(cell) for name, cell in cells}
        return data

    def place(self, file: str, line: int) -> Data | None:
        """A file and line, as after the patch."""
        if not file:
            return None
        found: Data = {"artifactLocation": self.location(file)}
        return found | ({"region": {"startLine": line}} if line > 0 else {})

    def anywhere(self) -> Data | None:
        """The top of the patch's first file: GitHub shows no result that has no place."""
        return self.place(self.files[0], 1) if self.files else None

    def location(self, file: str) -> Data:
        """A file of the tree that the patch is for."""
        index = {"index": self.files.index(file)} if file in self.files else {}
        return {"uri": quote(file), "uriBaseId": ROOT} | index

    def artifact(self, file: str) -> Data:
        """A file that was checked, or to which a trace leads."""
        roles = ["analysisTarget"] if file in self.patched else ["tracedFile"]
        return {"location": {"uri": quote(file), "uriBaseId": ROOT}, "roles": roles}

    def invocation(self) -> Data:
        """Whether all was done, and what was not."""
        errors, status = broken(self.outline), self.outline.status
        said = [notification("not-compiled", "error", error) for error in dict.fromkeys(errors)]
        said += [notification("unknown", "warning", words) for words in unknowns(self.outline.cases)]
        said += [notification("remark", "note", remark) for remark in self.outline.remarks]
        return {
            "executionSuccessful": not errors and status != 2,
            "exitCode": status,
            "toolExecutionNotifications": said,
        }


def rule_id(case: Case) -> str:
    """A check's name, whatever the line: GitHub takes another name for another alert."""
    id = case.id
    if case.group == "mutant":  # mutant/ITEM/OPERATOR/FILE:LINE:COLUMN
        id = "/".join(id.split("/")[:3:2])
    return f"{case.contract}/{id}" if case.contract else id


def places_of(case: Case) -> Iterator[str]:
    """The files to which a finding leads."""
    yield case.file
    yield from (row.file for row in case.table.rows)


def message(outline: Outline, block: Sequence[Case]) -> str:
    """A finding in words; its trace is told by the code flow."""
    case = block[0]
    first, *more = outline.words(case)
    said = [sentence(first), *more, case.explained, case.doubt, case.spread, *also(block)]
    return "\n".join(line for line in said if line)


def unknowns(cases: Iterable[Case]) -> Iterator[str]:
    """Unknown verdicts, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for case in cases:
        if case.verdict == "unknown":
            reasons.setdefault(ending(case)[1], []).append(case.id)
    for reason, ids in reasons.items():
        yield f"unknown: {few(ids, 20)}: {reason}"


def notification(id: str, level: str, words: str) -> Data:
    """What the tool says of its run."""
    return {"descriptor": {"id": id}, "level": level, "message": text(words)}


def sentence(words: str) -> str:
    """Words with a full stop: GitHub's title of an alert is the first sentence of its message."""
    return words if words.endswith((".", "!", "?")) else f"{words}."


def text(words: str) -> Data:
    """A message; in SARIF braces are doubled, and nothing may look like a link."""
    plain = printable(words).replace("{", "{{").replace("}", "}}")
    return {"text": re.sub(r"\[(?=[^][]*\]\()", r"\\[", plain)}
