# SPDX-License-Identifier: GPL-2.0-only
"""The command line: finds the command, and makes errors one line each."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from extractor.errors import ExtractError, Reject
from harness.cli import (
    bisect,
    check,
    contracts,
    diff,
    export,
    extract,
    layout,
    merge,
    mutate,
    record,
    replay,
    schema,
    tree,
)
from harness.errors import HarnessError

COMMANDS = (
    *(extract, check, diff, mutate, merge, layout),
    *(contracts, tree, replay, export, record, schema),
)
EPILOG = """exit status: 0 all passed, 1 at least one finding, 2 the tool could not do its work.
PATCH: a mail, mbox, directory of mails, archive page (text or HTML), bare diff, or - for stdin."""


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="kconform",
        description="Checks the inline functions of a mailed kernel patch against a reference model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status."""
    open_streams()
    options = parsed(sys.argv[1:] if arguments is None else arguments)
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
    error_status: int = getattr(options, "error_status", 2)
    return error_status


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; of one that is wrong the process ends."""
    try:
        return parser().parse_args(arguments)
    except SystemExit as end:
        if end.code and bisect.wanted(arguments):  # git bisect run would take 2 for a revision that is bad
            raise SystemExit(bisect.ABORT) from None
        raise


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


if __name__ == "__main__":
    sys.exit(main())
