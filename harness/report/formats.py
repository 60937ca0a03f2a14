# SPDX-License-Identifier: GPL-2.0-only
"""The formats by name: those that are made of an outline, each in a file of its name."""

from __future__ import annotations

import importlib

from harness.report.outline import Outline

OUTLINED = ("ktap", "junit", "sarif", "b4", "mail")


def render(name: str, outline: Outline) -> str:
    """`outline` in one of the formats of OUTLINED."""
    said: str = importlib.import_module(f"harness.report.{name}").render(outline)
    return said
