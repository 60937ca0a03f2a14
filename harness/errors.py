# SPDX-License-Identifier: GPL-2.0-only
"""The root exception of the harness: the tool could not do its work (exit status 2)."""

from __future__ import annotations


class HarnessError(Exception):
    """A run that cannot go on: one line that says what, where, and what to do."""
