# SPDX-License-Identifier: GPL-2.0-only
"""`kconform check`: a revision against every contract that fits it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractor.extract import series_items
from harness.cli.bisect import add_bisect, bisectable
from harness.cli.options import (
    add_baseline,
    add_config,
    add_effort,
    add_formats,
    add_series,
    add_shard,
    add_threads,
    add_tree,
    bounds_of,
    colored,
    config_of,
    forms,
    limits_of,
    processors,
    put,
    threads_of,
    traces_folder,
    wants,
    write_forms,
)
from harness.cli.told import told
from harness.errors import HarnessError
from harness.inputs import Given, given, patches_of, tuple_of

if TYPE_CHECKING:  # `extract` needs none of what a check imports, and starts faster without it
    from harness.check import Chosen, Result
    from harness.drive import Request
    from harness.report.document import Document, PatchText
    from harness.report.shards import Shard

STATIC, BASE = "static", "base"
# What the shards of one run have in common.
INPUTS = (
    *("command", "derive", "config", "bound", "walk", "seed", "time", "memory", "symmetry"),
    *("no_sanitizers", "coverage", "no_prefixes", "latest", "prefix"),
    *("interleave", "memory_model", "excuse", "stress"),
)
EPILOG = """exit status: 0 all passed, 1 at least one finding, 2 the tool could not do its work.
PATCH: a mail, mbox, directory of mails, archive page (text or HTML), bare diff, or - for stdin."""


def add(commands: Any) -> None:
    """Its grammar."""
    check = commands.add_parser("check", help="check a patch against its contract", epilog=EPILOG)
    check.add_argument("patch", nargs="*", metavar="PATCH")
    add_tree(check)
    check.add_argument("--contract", metavar="NAME|FILE.py", help="default: the one that fits")
    check.add_argument("--derive", action="store_true", help="also what no contract that fits reaches")
    add_config(check)
    check.add_argument("--matrix", action="store_true", help="in every configuration of the patch's options")
    add_effort(check)
    add_threads(check)
    check.add_argument("--symmetry", choices=("auto", "on", "off"), default="auto")
    check.add_argument("--no-sanitizers", action="store_true")
    check.add_argument("--coverage", action="store_true", help="of the patch's own lines, as a listing")
    check.add_argument("--strength", action="store_true", help="the share of mutants that the checks kill")
    check.add_argument("--traces", metavar="DIR", help="run the traces there again, save findings there")
    add_formats(check)
    check.add_argument("--keep", metavar="DIR", help="leave what was rendered and compiled there")
    check.add_argument(
        "--no-prefixes", action="store_true", help="only the whole series, not what each patch brings"
    )
    add_baseline(check)
    add_shard(check)
    check.add_argument("--strict", action="store_true", help="unknown counts as a finding")
    check.add_argument("-v", "--verbose", action="store_true", help="show every check")
    add_series(check)
    add_bisect(check)
    check.set_defaults(run=run_check)


@bisectable
@told
def run_check(options: argparse.Namespace) -> int:
    """`kconform check`."""
    if options.matrix:
        if wants(options, "html"):
            raise HarnessError("--matrix has no page: leave out --format html, or give it without --matrix")
        forms(options)
        return run_matrix(options)
    document = document_of(options)
    emit(options, document)
    return document.status(options.strict)


def document_of(options: argparse.Namespace) -> Document:
    """The check that a command line asks for; what cannot be written, or read, is said before it runs."""
    forms(options)
    if options.matrix:
        raise HarnessError("--matrix has a report of its own: run kconform check --matrix")
    if options.reason and not options.write_baseline:
        raise HarnessError("--reason is of what --write-baseline FILE writes: give that as well")
    if options.write_baseline and options.shard:
        raise HarnessError("--write-baseline is of the whole run: give it to kconform merge")
    if options.strength and options.shard:
        raise HarnessError("--strength is of the whole run: give kconform mutate --shard instead")
    if options.baseline:
        from harness.report.baseline import read_baseline

        read_baseline(options.baseline)
    from harness.build import cache_folder
    from harness.scratch import scratch_folder

    with given(options) as revision, scratch_folder(cache_folder()) as folder:
        return baselined(options, judged(options, revision, folder))


def judged(options: argparse.Namespace, revision: Given, folder: Path) -> Document:
    """`kconform check` of one revision in one configuration; derived contracts are kept in `folder`."""
    from harness import check as checking
    from harness.cli.mutate import strength_of
    from harness.prefixes import stages
    from harness.progress import progress
    from harness.report.stages import with_stages
    from harness.report.words import document
    from harness.subjects import describe
    from harness.traces import save_traces

    begun = time.monotonic()
    config, bounds = config_of(options.config), bounds_of(options.bound)
    every = checking.choose(options.contract, revision.items, bounds, config, folder, options.derive)
    chosen = in_shard(every, options.shard)
    if revision.engine:
        revision.engine.finish()
    request = request_of(options, revision, every, chosen)
    with progress() as poll:
        result = checking.check(request, poll)
    if mine(every, BASE, options.shard):
        result = with_base(options, revision, every, result)
    if options.strength:
        strength = strength_of(revision.items, chosen.driven, processors(), options.seed)
        result = replace(result, strength=strength)
    for lost in result.unresolved:
        print(describe(lost), file=sys.stderr)
    if request.traces:
        save_traces(result, request.traces)
    said = document(result)
    if not options.no_prefixes:
        with progress() as poll:
            before = list(stages(result, chosen, revision, options.contract, poll))
        said = with_stages(said, before)
    order = tuple(loaded.contract.name for loaded in every.driven)
    shard = "/".join(map(str, options.shard)) if options.shard else ""
    return replace(said, order=order, shard=shard, seconds=round(time.monotonic() - begun, 2))


def request_of(options: argparse.Namespace, revision: Given, every: Chosen, chosen: Chosen) -> Request:
    """What is to be run of the contracts that are `chosen` of `every` one that fits."""
    from harness.drive import Request
    from harness.replay import read_folder

    traces = traces_folder(options.traces)
    saved, damaged = read_folder(traces) if traces else ([], [])
    first = not options.shard or options.shard[0] == 1
    own = {loaded.contract.name for loaded in chosen.driven}
    others = {loaded.contract.name for loaded in every.driven} - own
    saved = [(name, trace) for name, trace in saved
             if trace.contract in own or (first and trace.contract not in others)]  # fmt: skip
    return Request(
        revision.patches,
        tuple_of(revision.items),
        chosen.driven,
        chosen.static,
        chosen.near,
        generic=not options.contract and mine(every, STATIC, options.shard),
        config=config_of(options.config),
        limits=limits_of(options),
        symmetry=options.symmetry,
        walk=options.walk,
        seed=options.seed,
        sanitize=not options.no_sanitizers,
        coverage=options.coverage or wants(options, "html"),
        keep=Path(options.keep) if options.keep else None,
        traces=traces,
        saved=tuple(saved),
        damaged=tuple(damaged) if first else (),
        tree=revision.tree,
        notes=revision.notes,
        cover=revision.cover,
        threads=threads_of(options),
    )


def units(chosen: Chosen) -> list[str]:
    """What a run is split into: contracts, all that is read or compiled, and the comparison with the base."""
    return [*(loaded.contract.name for loaded in chosen.driven), STATIC, BASE]


def mine(chosen: Chosen, unit: str, shard: tuple[int, int] | None) -> bool:
    """Whether a unit is in the shard; without one, everything is."""
    return not shard or units(chosen).index(unit) % shard[1] == shard[0] - 1


def in_shard(chosen: Chosen, shard: tuple[int, int] | None) -> Chosen:
    """The contracts that are in the shard."""
    driven = tuple(each for each in chosen.driven if mine(chosen, each.contract.name, shard))
    return replace(chosen, driven=driven, static=chosen.static if mine(chosen, STATIC, shard) else ())


def baselined(options: argparse.Namespace, document: Document) -> Document:
    """`document`, with what a baseline knows marked; a baseline that is asked for is written."""
    if not (options.baseline or options.write_baseline):
        return document
    from harness.report.baseline import baseline_text, read_baseline, today, with_baseline

    known = read_baseline(options.baseline) if options.baseline else []
    if options.write_baseline:
        there = Path(options.write_baseline).is_file()
        old = known or (read_baseline(options.write_baseline) if there else [])
        put(options.write_baseline, baseline_text(document, old, options.reason))
        known = read_baseline(options.write_baseline)
    return with_baseline(document, known, today())


def with_base(options: argparse.Namespace, revision: Given, chosen: Chosen, result: Result) -> Result:
    """`result`, and what a patch on a tree does otherwise than its base.

    Where the patch promises that nothing changes, differences are findings; where no model says what it
    should do, they are said.
    """
    from extractor.promise import promise

    sentence = promise(revision.patches, revision.cover) if revision.tree else ""
    derived = any(loaded.contract.derived for loaded in chosen.driven)
    if not (revision.tree and revision.patches and (sentence or derived)):
        return result
    from harness.cli.promise import against_base, base_lines, checks
    from harness.diff.compare import Setting

    bounds, config = bounds_of(options.bound), config_of(options.config)
    known = tuple(loaded.contract.name for loaded in chosen.driven if not loaded.contract.derived)
    setting = Setting(
        options.contract, bounds, config, limits_of(options), options.walk, options.seed,
        None if options.contract else known,
    )  # fmt: skip
    base = against_base(options, revision, setting)
    if sentence:
        return replace(result, checks=(*result.checks, *checks(base, sentence)))
    return replace(result, base=tuple(base_lines(base)))


def run_matrix(options: argparse.Namespace) -> int:
    """`kconform check --matrix`."""
    from harness.drive import Request
    from harness.matrix.cells import matrix
    from harness.progress import progress
    from harness.report.formats import outlined
    from harness.report.matrix import matrix_json, matrix_text
    from harness.report.outline_matrix import of_matrix

    one = "traces strength keep coverage baseline write_baseline reason shard derive no_prefixes".split()
    alone = [name.replace("_", "-") for name in one if getattr(options, name)]
    if alone:
        raise HarnessError(f"--{alone[0]} is of one configuration: give it without --matrix")
    if options.tree:
        raise HarnessError("--matrix is of a patch by itself: give it without --tree")
    patches = patches_of(options)
    request = Request(
        tuple(patches),
        tuple(series_items(patches)),
        (),
        config=config_of(options.config),
        limits=replace(limits_of(options), digest=True),
        symmetry=options.symmetry,
        walk=options.walk,
        seed=options.seed,
        sanitize=not options.no_sanitizers,
        threads=None,  # the same code runs in every configuration: one of them is enough
    )
    with progress() as poll:
        made = matrix(request, options.contract, bounds_of(options.bound), poll)
    write_forms(options, {
        "text": lambda: matrix_text(made, verbose=options.verbose, color=colored(options)),
        "json": lambda: matrix_json(made),
        **outlined(lambda: of_matrix(made, options.strict)),
    })  # fmt: skip
    bad = made.failed + (made.unknown if options.strict else 0)
    return 1 if bad else 0 if made.whole else 2


def emit(options: argparse.Namespace, document: Document) -> None:
    """Writes each report to where it was asked for."""
    from harness.report.formats import outlined
    from harness.report.json import check_json
    from harness.report.outline import of_check
    from harness.report.text import text_report

    # The page always has coverage: what others have does not depend on whether it is made as well.
    said = document if getattr(options, "coverage", True) else without_coverage(document)
    write_forms(options, {
        "text": lambda: text_report(said, verbose=options.verbose, color=colored(options)),
        "json": lambda: check_json(said, shard_of(options, document.patches, document.tree)),
        "html": lambda: page_of(document, options.strict),
        **outlined(lambda: of_check(document, options.strict)),
    })  # fmt: skip


def page_of(document: Document, strict: bool) -> str:
    """The page; what it needs is imported where it is asked for."""
    from harness.report.html.check import check_page

    return check_page(document, strict)


def without_coverage(document: Document) -> Document:
    """A document, but for what ran of the patch's lines."""
    return replace(document, parts=tuple(replace(part, coverage=None) for part in document.parts))


def shard_of(options: argparse.Namespace, patches: Sequence[PatchText], tree: str = "") -> Shard | None:
    """Which shard of which run this is: of what was read, wherever it lies."""
    if not getattr(options, "shard", None):
        return None
    from harness.check import tool_facts
    from harness.report.shards import Shard, inputs_of

    given = {name: getattr(options, name, None) for name in INPUTS}
    files = [Path(name) for name in (getattr(options, "kconfig", None), options.contract) if name]
    read = [file.read_text() if file.is_file() else str(file) for file in files]
    number, of = options.shard
    shas = [patch.sha256 for patch in patches]
    said = {"options": given, "patches": shas, "tree": tree, "files": read, "tool": tool_facts()}
    return Shard(number, of, inputs_of(said))
