# SPDX-License-Identifier: GPL-2.0-only
"""A patch in every configuration as suites of cases, one a configuration."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import tool_facts
from harness.matrix.cells import Matrix
from harness.matrix.plan import Cell
from harness.report.document import Case
from harness.report.matrix import bare, blocks, configured, remark, together, verdict_word
from harness.report.outline import Outline, Suite
from harness.report.words import case_of, patch_text
from harness.subjects import describe


def of_matrix(matrix: Matrix, strict: bool = False) -> Outline:
    """All configurations; what does not depend on one has a suite of its own."""
    whole = together(matrix)
    beside = tuple(bare(matrix, seen.check) for seen in matrix.beside)
    suites = [suite for cell in matrix.cells for suite in suites_of(matrix, cell)]
    if beside:
        suites.append(Suite("beside the configurations", "between two of them, or in all", beside))
    errors = [f"configuration {cell.number}: {describe(lost)}" for cell in matrix.ran if cell.result
              for lost in cell.result.unresolved]  # fmt: skip
    patches = tuple(map(patch_text, matrix.request.patches))
    bad = matrix.failed + (matrix.unknown if strict else 0)
    return Outline(
        command="check",
        word=verdict_word(matrix),
        status=1 if bad else 0 if matrix.whole else 2,
        summary=f"{matrix.failed} failed, {matrix.passed} passed, {matrix.unknown} unknown, "
                f"in {len(matrix.cells)} configurations",
        title="; ".join(patch.subject or patch.source for patch in patches),
        about=tuple(f"{configured(cell)}: {cell.verdict}: {remark(matrix, cell)}" for cell in matrix.cells),
        suites=tuple(suites),
        findings=tuple(blocks(matrix, whole)),
        errors=tuple(errors),
        remarks=tuple(matrix.notes),
        unchecked=(),
        legends=(),
        again=(),
        patches=patches,
        tool=tool_facts(),
    )  # fmt: skip


def suites_of(matrix: Matrix, cell: Cell) -> Iterator[Suite]:
    """The checks of one configuration, a suite a contract; not what waits for a warning compiled away."""
    found: dict[str, list[Case]] = {}
    for check in cell.every:
        if not cell.silent(check):
            case = case_of(cell.result, check) if cell.result else bare(matrix, check)
            found.setdefault(case.contract or case.part or case.group, []).append(case)
    for name, cases in found.items():
        yield Suite(f"{configured(cell)}: {name}", remark(matrix, cell), tuple(cases))
