# SPDX-License-Identifier: GPL-2.0-only
"""Errors in the formats whose readers look at nothing else."""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
from collections.abc import Callable

from extractor.errors import ExtractError
from harness.cli.options import forms, wants, write_forms
from harness.errors import HarnessError


def told(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A command that writes an array for b4 also where it can judge nothing; its exit status stays 2.

    b4 would call the patch bad, since it takes a command without output for a check that failed.
    """

    @functools.wraps(run)
    def telling(options: argparse.Namespace) -> int:
        if not wants(options, "b4"):
            return run(options)
        forms(options)  # what cannot be written is the caller's error, which b4 shall show as one
        try:
            return run(options)
        except Exception as err:
            # Where it cannot be written either, what was first wrong is still what is said.
            with contextlib.suppress(OSError):
                if "b4" not in getattr(options, "written", ()):
                    refuse(options, err)
                sys.stdout.flush()
            raise

    return telling


def refuse(options: argparse.Namespace, err: Exception) -> None:
    """Writes the array that says why nothing is judged."""
    from harness.report.b4 import refused

    known = isinstance(err, (ExtractError, HarnessError))
    why = str(err) if known else f"error: {type(err).__name__}: {err}"
    options.format = [form for form in options.format if form[0] == "b4"]
    write_forms(options, {"b4": functools.partial(refused, why), "text": str})
