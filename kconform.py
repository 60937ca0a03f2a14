# SPDX-License-Identifier: GPL-2.0-only
"""kconform from Python: `kconform.check("0001-my.patch", tree="linux").findings`."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from os import PathLike

from extractor.errors import ExtractError
from harness.errors import HarnessError
from harness.report.document import Case, Document

__all__ = ["Case", "Document", "ExtractError", "HarnessError", "check", "json", "text"]

Path = str | PathLike[str]


def check(
    *patches: Path,
    tree: Path | None = None,
    rev: str | None = None,
    commits: str | None = None,
    contract: Path | None = None,
    config: Mapping[str, bool] | None = None,
    bounds: Mapping[str, int] | None = None,
    walk: int | None = None,
    seed: int | None = None,
    seconds: float | None = None,
    sanitizers: bool = True,
    coverage: bool = False,
    prefixes: bool = True,
    baseline: Path | None = None,
    more: tuple[str, ...] = (),
) -> Document:
    """What `kconform check` finds of patches, of a kernel tree, or of patches on a tree.

    The arguments are the command's options: `commits` is --range, `seconds` the limit --time, `more`
    any others, as words. `Document.cases` has every check, `Document.findings` those that are to blame,
    `Document.status(strict)` the exit status. ExtractError or HarnessError, one line each, for what the
    command would refuse with exit status 2.
    """
    words = ["check", *map(str, patches), *more]
    given = {"tree": tree, "rev": rev, "range": commits, "contract": contract, "walk": walk, "seed": seed,
             "time": seconds, "baseline": baseline}  # fmt: skip
    words += [f"--{name}={value}" for name, value in given.items() if value is not None]
    words += [f"--config={name}={'y' if value else 'n'}" for name, value in (config or {}).items()]
    words += [f"--bound={name}={value}" for name, value in (bounds or {}).items()]
    words += ["--no-sanitizers"] if not sanitizers else []
    words += ["--coverage"] if coverage else []
    words += ["--no-prefixes"] if not prefixes else []
    return checked(words)


def checked(words: list[str]) -> Document:
    """The check of a command line: `check`, and its words."""
    from harness.cli.check import document_of
    from harness.cli.main import parser

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = parser().parse_args(words)
    except SystemExit:  # argparse has said why, in its last line
        raise HarnessError(said.getvalue().strip().rpartition("\n")[2]) from None
    for name in ("format", "output", "bisect", "verbose"):
        if getattr(options, name):
            raise HarnessError(f"--{name} is of the command: what is returned has it all")
    return document_of(options)


def text(document: Document, *, verbose: bool = False) -> str:
    """The report for a terminal, without colours."""
    from harness.report.text import text_report

    return text_report(document, verbose=verbose)


def json(document: Document) -> str:
    """The report as JSON (`kconform schema check`)."""
    from harness.report.json import check_json

    return check_json(document)
