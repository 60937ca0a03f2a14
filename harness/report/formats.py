# SPDX-License-Identifier: GPL-2.0-only
"""The formats that are made of an outline, each in a file of its name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache, partial

from harness.report.outline import Outline

OUTLINED = ("ktap", "junit", "sarif", "b4", "mail")


def outlined(make: Callable[[], Outline]) -> dict[str, Callable[[], str]]:
    """How each of them is made of the outline that `make` gives: once, where any is asked for."""
    once = cache(make)

    def render(name: str) -> str:
        said: str = importlib.import_module(f"harness.report.{name}").render(once())
        return said

    return {name: partial(render, name) for name in OUTLINED}
