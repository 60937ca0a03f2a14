# SPDX-License-Identifier: GPL-2.0-only
"""The command line: renders results and errors, and decides the exit status."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractor.errors import ExtractError, Reject
from extractor.items import Item
from harness.errors import HarnessError
from harness.inputs import Given, all_items, given, patches_of, tuple_of

if TYPE_CHECKING:  # `extract` needs none of what a check imports, and starts faster without it
    from harness.check import Result
    from harness.contract import Loaded
    from harness.driver import Limits
    from harness.mutate import Strength

EPILOG = """exit status: 0 all passed, 1 at least one finding, 2 the tool could not do its work.
PATCH: a mail, mbox, directory of mails, archive page (text or HTML), bare diff, or - for stdin."""

REPLAY_EPILOG = (
    """exit status: 0 all are gone, 1 at least one is still there or changed, 2 one cannot be run."""
)


DIFF_EPILOG = """exit status: 0 no difference found, 1 differences, 2 not all could be compared.
REVISION: a patch as of `check`, a kernel tree, TREE@REV of a git repository, or one with a patch on it:
TREE+PATCH, TREE@REV+PATCH. With --tree, patches are on that tree, and one alone is compared with it."""


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="kconform",
        description="Checks the inline functions of a mailed kernel patch against a reference model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    extract = commands.add_parser("extract", help="list every item of a patch")
    extract.add_argument("patch", nargs="*", metavar="PATCH", help="with --tree, files of the tree")
    extract.add_argument("--config", action="append", default=[], metavar="CONFIG_X=y|n")
    add_tree(extract)
    extract.add_argument("--json", action="store_true", help="as JSON")
    extract.set_defaults(run=run_extract)
    check = commands.add_parser("check", help="check a patch against its contract", epilog=EPILOG)
    check.add_argument("patch", nargs="*", metavar="PATCH")
    add_tree(check)
    check.add_argument("--contract", metavar="NAME|FILE.py", help="default: the one that fits")
    check.add_argument("--derive", action="store_true", help="also what no contract that fits reaches")
    check.add_argument("--config", action="append", default=[], metavar="CONFIG_X=y|n")
    check.add_argument("--matrix", action="store_true", help="in every configuration of the patch's options")
    check.add_argument("--bound", action="append", default=[], metavar="NAME=N")
    check.add_argument("--walk", type=count, default=300_000, metavar="N", help="calls of random walks")
    check.add_argument("--seed", type=seed, default=1, metavar="N", help="of the walks")
    check.add_argument("--symmetry", choices=("auto", "on", "off"), default="auto")
    check.add_argument("--time", type=amount, default=20.0, metavar="SECONDS", help="for exploration")
    check.add_argument("--memory", type=megabytes, default=1024, metavar="MB", help="for its states")
    check.add_argument("--no-sanitizers", action="store_true")
    check.add_argument("--coverage", action="store_true", help="of the patch's own lines, as a listing")
    check.add_argument("--strength", action="store_true", help="the share of mutants that the checks kill")
    check.add_argument("--traces", metavar="DIR", help="run the traces there again, save findings there")
    check.add_argument("--format", choices=("text", "json"), default="text")
    check.add_argument("-o", "--output", metavar="FILE", help="write the report there")
    check.add_argument("--keep", metavar="DIR", help="leave what was rendered and compiled there")
    check.add_argument("--strict", action="store_true", help="unknown counts as a finding")
    check.add_argument("-v", "--verbose", action="store_true", help="show every check")
    check.set_defaults(run=run_check)
    add_diff(commands)
    mutate = commands.add_parser("mutate", help="what the checks are worth: do they catch planted defects")
    mutate.add_argument("patch", nargs="+", metavar="PATCH")
    mutate.add_argument("--contract", metavar="NAME|FILE.py", help="default: the one that fits")
    mutate.add_argument("--config", action="append", default=[], metavar="CONFIG_X=y|n")
    mutate.add_argument("--bound", action="append", default=[], metavar="NAME=N")
    mutate.add_argument("--seed", type=seed, default=1, metavar="N", help="of the walks")
    mutate.add_argument(
        "--jobs", type=jobs, default=processors(), metavar="N", help="default: one a processor"
    )
    mutate.add_argument("--format", choices=("text", "json"), default="text")
    mutate.add_argument("-o", "--output", metavar="FILE", help="write the report there")
    mutate.set_defaults(run=run_mutate)
    layout = commands.add_parser("layout", help="the records that a patch extends, before and after")
    layout.add_argument("patch", nargs="+", metavar="PATCH")
    layout.add_argument("--config", action="append", default=[], metavar="CONFIG_X=y|n")
    layout.add_argument("--format", choices=("text", "json"), default="text")
    layout.add_argument("-o", "--output", metavar="FILE", help="write the table there")
    layout.set_defaults(run=run_layout)
    contracts = commands.add_parser("contracts", help="what the contracts that ship need and claim")
    contracts.add_argument("patch", nargs="*", metavar="PATCH", help="say which of them fit it")
    contracts.set_defaults(contract=None)
    add_tree(contracts)
    contracts.add_argument("--config", action="append", default=[], metavar="CONFIG_X=y|n")
    contracts.add_argument("--format", choices=("text", "json"), default="text")
    contracts.add_argument("-v", "--verbose", action="store_true", help="each claim with its sentence")
    contracts.set_defaults(run=run_contracts, output=None)
    contract = commands.add_parser("contract", help="a contract to begin with, derived of functions")
    contract.add_argument("patch", nargs="*", metavar="PATCH", help="with --tree alone, headers of the tree")
    contract.add_argument("--derive", action="store_true", required=True, help="of signatures and fields")
    contract.add_argument("--function", action="append", nargs="+", default=[], metavar="NAME")
    contract.add_argument("--config", action="append", default=[], metavar="CONFIG_X=y|n")
    contract.add_argument("-o", "--output", metavar="FILE", help="write it there; several get numbers")
    add_tree(contract)
    contract.set_defaults(run=run_contract, contract=None)
    census = commands.add_parser("census", help="what of a tree's headers can be compiled and called here")
    census.add_argument("patch", nargs="*", metavar="HEADER", help="default: those of mm")
    census.add_argument("--config", action="append", default=[], metavar="CONFIG_X=y|n")
    census.add_argument("--format", choices=("text", "json"), default="text")
    census.add_argument("-o", "--output", metavar="FILE", help="write the report there")
    census.add_argument("-v", "--verbose", action="store_true", help="name every function")
    add_tree(census)
    census.set_defaults(run=run_census)
    slicing = commands.add_parser("slice", help="what functions of a kernel tree need, as one C header")
    slicing.add_argument("header", metavar="HEADER", help="a path below the tree's top")
    slicing.add_argument("name", nargs="+", metavar="FUNCTION")
    slicing.add_argument("--config", action="append", default=[], metavar="CONFIG_X=y|n")
    slicing.add_argument("-o", "--output", metavar="FILE", help="write it there")
    add_tree(slicing)
    slicing.set_defaults(run=run_slice)
    for command in (extract, check, mutate, layout, contract, contracts):
        command.add_argument(
            "--latest", action="store_true", help="of each patch of a series its last version"
        )
        command.add_argument("--prefix", type=count, metavar="K", help="only the first K patches of a series")
    replay = commands.add_parser("replay", help="run saved findings again", epilog=REPLAY_EPILOG)
    replay.add_argument("trace", nargs="+", metavar="TRACE")
    replay.add_argument("--patch", nargs="+", metavar="PATCH", help="another revision than the trace's own")
    add_tree(replay)
    replay.set_defaults(latest=False, prefix=None)
    replay.add_argument("--contract", metavar="NAME|FILE.py", help="for the traces of the contract it has")
    replay.add_argument("--config", action="append", default=[], metavar="CONFIG_X=y|n")
    replay.add_argument("--format", choices=("text", "json"), default="text")
    replay.set_defaults(run=run_replay)
    return top


def add_diff(commands: Any) -> None:
    """`kconform diff`."""
    diff = commands.add_parser(
        "diff", help="what a revision does otherwise than an older one", epilog=DIFF_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    diff.add_argument("revision", nargs="+", metavar="REVISION", help="OLD and NEW; with --tree, NEW alone")
    add_tree(diff)
    diff.add_argument("--contract", metavar="NAME|FILE.py", help="default: every one that fits both")
    diff.add_argument("--config", action="append", default=[], metavar="CONFIG_X=y|n")
    diff.add_argument("--bound", action="append", default=[], metavar="NAME=N")
    diff.add_argument("--walk", type=count, default=300_000, metavar="N", help="calls of random walks")
    diff.add_argument("--seed", type=seed, default=1, metavar="N", help="of the walks")
    diff.add_argument("--time", type=amount, default=20.0, metavar="SECONDS", help="for exploration")
    diff.add_argument("--memory", type=megabytes, default=1024, metavar="MB", help="for its states")
    diff.add_argument(
        "--file", action="append", default=[], metavar="FILE", help="of two trees, what to compare"
    )
    diff.add_argument("--cost", action="store_true", help="what functions take: instructions, stack, lines")
    diff.add_argument("--expect-same", action="store_true", help="any difference breaks a promise")
    diff.add_argument("--traces", metavar="DIR", help="run the findings that are saved there on NEW first")
    diff.add_argument("--format", choices=("text", "json"), default="text")
    diff.add_argument("-o", "--output", metavar="FILE", help="write the report there")
    diff.add_argument("-v", "--verbose", action="store_true", help="show every trace")
    diff.add_argument("--latest", action="store_true", help="of each patch of a series its last version")
    diff.add_argument("--prefix", type=count, metavar="K", help="only the first K patches of a series")
    diff.set_defaults(run=run_diff)


def add_tree(command: argparse.ArgumentParser) -> None:
    """The options of commands that know kernel trees."""
    command.add_argument("--tree", metavar="DIR", help="a kernel tree: what the patch is on, or is checked")
    command.add_argument("--rev", metavar="REV", help="of the git repository that --tree is")
    command.add_argument("--range", metavar="BASE..HEAD", help="its commits as the patches, on BASE")
    command.add_argument("--kconfig", metavar="FILE", help="a .config; default: of x86-64, with mm's options")


def count(text: str) -> int:
    """A whole number that is not negative, for argparse."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not a number")
    return int(text)


def megabytes(text: str) -> int:
    """An amount of memory, for argparse."""
    if not 1 <= count(text) <= 1 << 20:
        raise argparse.ArgumentTypeError(f"{text} is not a number of MB from 1 to {1 << 20}")
    return int(text)


def seed(text: str) -> int:
    """A 64-bit number, for argparse."""
    if count(text) >= 1 << 64:
        raise argparse.ArgumentTypeError(f"{text} has more than 64 bits")
    return int(text)


def jobs(text: str) -> int:
    """A number of processes, for argparse."""
    if not 1 <= count(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 64")
    return int(text)


def processors() -> int:
    """How many processors this process may use."""
    return min(len(os.sched_getaffinity(0)), 64)


def amount(text: str) -> float:
    """A number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status."""
    open_streams()
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except (ExtractError, HarnessError) as err:
        text = str(err).replace("\n", " ")
        print(text if "error: " in text else f"kconform: error: {text}", file=sys.stderr)
        if isinstance(err, Reject):
            print(err.excerpt, file=sys.stderr)
    except RecursionError:
        print("kconform: error: code that is nested too deeply; refused", file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("kconform: interrupted", file=sys.stderr)
    except OSError as err:
        where = err.filename or "the report"
        print(f"kconform: error: {where}: {err.strerror or err}", file=sys.stderr)
        if not err.filename:  # what is still to be written would fail again, at the interpreter's end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as err:
        if os.environ.get("KCONFORM_DEBUG"):
            raise
        print(internal_error(err), file=sys.stderr)
    return 2


def internal_error(err: Exception) -> str:
    """One line of an error that nobody foresaw, with the place in kconform's (or Python's) source."""
    place = traceback.extract_tb(err.__traceback__)[-1]
    text = " ".join(f"{type(err).__name__}: {err}".split())[:300]
    where = f"{'/'.join(Path(place.filename).parts[-2:])}:{place.lineno}"
    more = "report it with what you gave; KCONFORM_DEBUG=1 shows how it came to it"
    return f"kconform: error: internal error: {text} ({where}); {more}"


def open_streams() -> None:
    """Standard streams that are closed become /dev/null, so that no file takes their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w"))


def run_extract(options: argparse.Namespace) -> int:
    """`kconform extract`."""
    if options.tree:
        from harness.cli_tree import extract_tree

        items = extract_tree(options, config_of(options.config))
    else:
        with given(options) as revision:
            items = list(revision.items)
    if options.json:
        from harness.report_json import items_json

        sys.stdout.write(items_json(items))
        return 0
    for item in items:
        name = f"{item.parent}.{item.name}" if item.parent else item.name
        condition = f"  if {' && '.join(item.condition)}" if item.condition else ""
        print(f"{item.where}: {item.kind} {name} [{item.completeness}, {item.origin}]{condition}")
    return 0


def run_contract(options: argparse.Namespace) -> int:
    """`kconform contract --derive`."""
    from harness.cli_derive import derived_files

    for path, text in derived_files(options, config_of(options.config)):
        if path:
            path.write_text(text)
        else:
            sys.stdout.write(text)
    return 0


def run_census(options: argparse.Namespace) -> int:
    """`kconform census`."""
    from harness.cli_tree import census_of

    write(options, census_of(options, config_of(options.config)))
    return 0


def run_slice(options: argparse.Namespace) -> int:
    """`kconform slice`."""
    from harness.cli_tree import slice_text

    write(options, slice_text(options, config_of(options.config)))
    return 0


def pairs(words: Sequence[str], what: str) -> dict[str, str]:
    """NAME=VALUE options as a mapping."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise HarnessError(f"{what} {word}: give it as NAME=VALUE")
        found[name] = value
    return found


def config_of(words: Sequence[str]) -> dict[str, bool]:
    """--config options; the values are y and n."""
    config: dict[str, bool] = {}
    for name, value in pairs(words, "--config").items():
        if value not in ("y", "n") or not name.startswith("CONFIG_") or not name.isidentifier():
            raise HarnessError(f"--config {name}={value}: give it as CONFIG_X=y or CONFIG_X=n")
        config[name] = value == "y"
    return config


def bounds_of(words: Sequence[str]) -> dict[str, int]:
    """--bound options; the values are numbers."""
    bounds: dict[str, int] = {}
    for name, value in pairs(words, "--bound").items():
        if not value.isdigit():
            raise HarnessError(f"--bound {name}={value}: {value} is not a number")
        bounds[name] = int(value)
    return bounds


def run_check(options: argparse.Namespace) -> int:
    """`kconform check`."""
    if options.matrix:
        return run_matrix(options)
    from harness.build import cache_folder
    from harness.scratch import scratch_folder

    with given(options) as revision, scratch_folder(cache_folder()) as folder:
        return check_revision(options, revision, folder)


def check_revision(options: argparse.Namespace, revision: Given, folder: Path) -> int:
    """`kconform check` of one revision in one configuration; derived contracts are kept in `folder`."""
    from harness import check as checking
    from harness.drive import Request
    from harness.progress import progress
    from harness.replay import read_folder
    from harness.subjects import describe
    from harness.traces import save_traces

    config, bounds = config_of(options.config), bounds_of(options.bound)
    items = revision.items
    chosen = checking.choose(options.contract, items, bounds, config, folder, options.derive)
    if revision.engine:
        revision.engine.finish()
    traces = traces_folder(options.traces)
    saved, damaged = read_folder(traces) if traces else ([], [])
    request = Request(
        revision.patches,
        tuple_of(items),
        chosen.driven,
        chosen.static,
        chosen.near,
        generic=not options.contract,
        config=config,
        limits=limits_of(options),
        symmetry=options.symmetry,
        walk=options.walk,
        seed=options.seed,
        sanitize=not options.no_sanitizers,
        coverage=options.coverage,
        keep=Path(options.keep) if options.keep else None,
        traces=traces,
        saved=tuple(saved),
        damaged=tuple(damaged),
        tree=revision.tree,
        notes=revision.notes,
    )
    with progress() as poll:
        result = checking.check(request, poll)
    result = with_base(options, revision, result)
    if options.strength:
        result = replace(result, strength=strength_of(items, chosen.driven, processors(), options.seed))
    for lost in result.unresolved:
        print(describe(lost), file=sys.stderr)
    if traces:
        save_traces(result, traces)
    emit(options, result)
    bad = result.count("fail") + (result.count("unknown") if options.strict else 0)
    # What did not compile or was not reached was not checked: "all passed" would be untrue.
    return 1 if bad else 0 if result.whole else 2


def with_base(options: argparse.Namespace, revision: Given, result: Result) -> Result:
    """`result`, and what a patch on a tree does otherwise than its base.

    Where the patch promises that nothing changes, differences are findings; where no model says what it
    should do, they are said.
    """
    from extractor.promise import promise

    sentence = promise(revision.patches) if revision.tree else ""
    derived = any(part.loaded.contract.derived for part in result.parts)
    if not (revision.tree and revision.patches and (sentence or derived)):
        return result
    from harness.cli_promise import against_base, base_lines, checks
    from harness.diff.compare import Setting

    bounds, config = bounds_of(options.bound), config_of(options.config)
    known = tuple(part.name for part in result.parts if not part.loaded.contract.derived)
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
    from harness.report_matrix import matrix_json, matrix_text

    alone = [name for name in ("traces", "strength", "keep", "coverage") if getattr(options, name)]
    if alone:
        raise HarnessError(f"--{alone[0]} is of one configuration: give it without --matrix")
    if options.tree:
        raise HarnessError("--matrix is of a patch by itself: give it without --tree")
    patches = patches_of(options)
    request = Request(
        tuple(patches),
        tuple(all_items(patches)),
        (),
        config=config_of(options.config),
        limits=replace(limits_of(options), digest=True),
        symmetry=options.symmetry,
        walk=options.walk,
        seed=options.seed,
        sanitize=not options.no_sanitizers,
    )
    with progress() as poll:
        made = matrix(request, options.contract, bounds_of(options.bound), poll)
    if options.format == "json":
        write(options, matrix_json(made))
    else:
        write(options, matrix_text(made, verbose=options.verbose, color=colored(options)))
    bad = made.failed + (made.unknown if options.strict else 0)
    return 1 if bad else 0 if made.whole else 2


def strength_of(items: Sequence[Item], contracts: Sequence[Loaded], jobs: int, seed: int) -> Strength:
    """What the contracts' checks are worth for this revision."""
    from harness.mutate import mutate

    return mutate(items, contracts, jobs, seed)


def run_mutate(options: argparse.Namespace) -> int:
    """`kconform mutate`."""
    from harness.check import choose
    from harness.report_mutate import strength_json, strength_text

    config = config_of(options.config)
    patches = patches_of(options)
    items = all_items(patches)
    chosen = choose(options.contract, items, bounds_of(options.bound), config)
    strength = strength_of(items, chosen.driven, options.jobs, options.seed)
    what = "; ".join(patch.subject or patch.source for patch in patches)
    write(options, strength_json(strength) if options.format == "json" else strength_text(strength, what))
    return 1 if strength.survived else 0


def run_layout(options: argparse.Namespace) -> int:
    """`kconform layout`."""
    from harness.build import cache_folder
    from harness.report_layout import layout_json, layout_text
    from harness.scratch import scratch_folder
    from harness.static.layout_build import LayoutBuild, conditions, default_config

    given = config_of(options.config)
    patches = patches_of(options)
    items = all_items(patches)
    with scratch_folder(cache_folder()) as folder:
        layouts = LayoutBuild(items, default_config(items, given), folder).finish()
    if options.format == "json":
        write(options, layout_json(layouts, conditions(items)))
    elif not layouts.extended:
        write(options, "the patch changes no record\n")
    else:
        title = "; ".join(patch.subject or patch.source for patch in patches)
        write(options, layout_text(layouts, conditions(items), title))
    return 0


def run_contracts(options: argparse.Namespace) -> int:
    """`kconform contracts`."""
    from harness.report_contracts import contracts_json, contracts_text, described

    config = config_of(options.config)
    with contextlib.ExitStack() as opened:
        any_given = options.patch or options.tree
        items = opened.enter_context(given(options)).items if any_given else None
        found = described(items, config)
    as_json = options.format == "json"
    write(options, contracts_json(found) if as_json else contracts_text(found, verbose=options.verbose))
    return 0


def traces_folder(name: str | None) -> Path | None:
    """The folder of saved traces, made where it is missing."""
    if name is None:
        return None
    folder = Path(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run_diff(options: argparse.Namespace) -> int:
    """`kconform diff`."""
    from harness.cli_diff import diff_of
    from harness.diff.compare import Setting
    from harness.report_diff import diff_text
    from harness.report_diff_json import diff_json

    bounds, config = bounds_of(options.bound), config_of(options.config)
    setting = Setting(options.contract, bounds, config, limits_of(options), options.walk, options.seed)
    result = diff_of(options, setting)
    if options.format == "json":
        write(options, diff_json(result))
    else:
        write(options, diff_text(result, verbose=options.verbose, color=colored(options)))
    return result.status


def run_replay(options: argparse.Namespace) -> int:
    """`kconform replay`."""
    from harness.build import cache_folder
    from harness.loading import contract_path, load
    from harness.replay import Revision, Stage, replay_all
    from harness.report_json import replays_json
    from harness.report_replay import replays_text
    from harness.scratch import scratch_folder
    from harness.trace_file import clean, read_trace

    config = config_of(options.config)
    traces = [(clean(name), read_trace(Path(name))) for name in options.trace]
    own = load(contract_path(options.contract), {}) if options.contract else None
    contracts = {own.contract.name: own} if own else {}
    with contextlib.ExitStack() as opened:
        revision = None
        if options.patch or options.tree:
            on = opened.enter_context(given(options))
            revision = Revision(on.patches, tuple_of(on.items), on.tree)
        folder = opened.enter_context(scratch_folder(cache_folder()))
        replays = list(replay_all(traces, Stage(folder), revision, contracts, config))
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    sys.stdout.write(replays_json(replays) if options.format == "json" else replays_text(replays, color))
    lost = [replayed for replayed in replays if replayed.verdict == "cannot be run"]
    for replayed in lost:
        print(f"{replayed.name}: error: cannot be run: {'; '.join(replayed.how)}", file=sys.stderr)
    bad = any(replayed.verdict in ("still there", "changed") for replayed in replays)
    return 1 if bad else 2 if lost else 0


def limits_of(options: argparse.Namespace) -> Limits:
    """What an exploration may take."""
    from harness.driver import Limits

    return Limits(megabytes=options.memory, seconds=options.time)


def emit(options: argparse.Namespace, result: Result) -> None:
    """Writes the report where it was asked for."""
    from harness.report import text_report
    from harness.report_json import check_json

    if options.format == "json":
        text = check_json(result)
    else:
        text = text_report(result, verbose=options.verbose, color=colored(options))
    write(options, text)


def colored(options: argparse.Namespace) -> bool:
    """Whether the report goes to a terminal that shows colours."""
    return not options.output and sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def write(options: argparse.Namespace, text: str) -> None:
    """A report to its file, or to standard output."""
    if options.output:
        Path(options.output).write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    sys.exit(main())
