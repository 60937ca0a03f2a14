# SPDX-License-Identifier: GPL-2.0-only
"""Errors in the formats whose readers look at nothing else."""

from __future__ import annotations

import argparse
import functools
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
        except (ExtractError, HarnessError) as err:
            from harness.report.b4 import refused

            options.format = [form for form in options.format if form[0] == "b4"]
            write_forms(options, {"b4": functools.partial(refused, str(err)), "text": str})
            raise

    return telling
