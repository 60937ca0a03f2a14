# SPDX-License-Identifier: GPL-2.0-only
"""`kconform check --bisect`: the exit statuses that `git bisect run` acts on (git-bisect(1)).

0 is good, 1 is bad, 125 is a revision that cannot be tested and is skipped; any other up to 127 would be
bad as well, and 128 and more end the bisection. So what is the user's to mend (an option, a folder, a
contract file, the compiler) is looked at before the revision is, and ends it; what goes wrong from then on
is of the revision.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import HarnessError

GOOD, BAD, SKIP, ABORT = 0, 1, 125, 128
EPILOG = """
with --bisect, as in git bisect run kconform check --tree . --bisect --contract NAME: 0 good, 1 bad,
125 not judged (it does not compile, no contract fits it), so that git skips the revision, 128 the
command line, the tree's folder or the contract's file is wrong, so that the bisection ends."""


def add_bisect(command: argparse.ArgumentParser) -> None:
    """The option, and what it says of exit statuses."""
    command.add_argument("--bisect", action="store_true", help="exit as git bisect run wants, see below")
    command.epilog = f"{command.epilog or ''}{EPILOG}"


def bisectable(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A command that with --bisect exits as `git bisect run` wants."""

    @functools.wraps(run)
    def bisected(options: argparse.Namespace) -> int:
        if not options.bisect:
            return run(options)
        options.error_status = ABORT
        refuse_what_is_the_users(options)
        options.error_status = SKIP
        try:
            status = run(options)
        except KeyboardInterrupt:
            options.error_status = ABORT
            raise
        return status if status in (GOOD, BAD) else SKIP

    return bisected


def refuse_what_is_the_users(options: argparse.Namespace) -> None:
    """HarnessError or ExtractError for what is wrong with every revision."""
    from extractor.mail import read_mails
    from harness.build import compiler
    from harness.cli.options import bounds_of, config_of, forms
    from harness.loading import contract_path, is_static, load
    from harness.report.baseline import read_baseline
    from harness.tree.configuration import BASE_CONFIG, read_config
    from harness.tree.source import open_tree

    if not options.tree:
        raise HarnessError("--bisect is of a kernel tree that git bisect checks out: give --tree DIR")
    for name in ("range", "matrix", "shard", "strength", "write_baseline", "reason"):
        if getattr(options, name):
            other = name.replace("_", "-")
            raise HarnessError(f"--bisect judges what git bisect checks out: leave out --{other}")
    bounds = bounds_of(options.bound)
    if bounds and not options.contract:
        raise HarnessError("--bisect: a bound is of one contract: give --contract NAME as well")
    forms(options)
    config_of(options.config)
    open_tree(options.tree, options.rev)
    read_config(Path(options.kconfig) if options.kconfig else BASE_CONFIG)
    read_mails([path for path in options.patch if path != "-"])
    if options.contract and not is_static(path := contract_path(options.contract)):
        load(path, bounds)
    if options.baseline:
        read_baseline(options.baseline)
    compiler()


def wanted(words: Sequence[str]) -> bool:
    """Whether a command line that argparse refuses has --bisect, of which it takes abbreviations."""
    return any(word.startswith("--bi") and "--bisect".startswith(word) for word in words)
