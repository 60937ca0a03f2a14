# SPDX-License-Identifier: GPL-2.0-only
"""The one root exception of extraction, and what it is of a hunk; they carry facts, the CLI renders them."""

from __future__ import annotations


def printable(text: str, width: int) -> str:
    """A stranger's line as any terminal shows it: at most `width` characters, tabs kept."""
    return "".join(c if c.isprintable() or c == "\t" else " " for c in text[:width])


class ExtractError(Exception):
    """Input that cannot be used: what is wrong, where, and what to do.

    `file` is the input as the user named it (or the patched file, for faults of its C), `line` is
    1-based or None where there is no line; `hint` says the next step, and may be empty.
    """

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.hint = hint

    def __str__(self) -> str:
        where = "" if self.file is None else self.file + (f":{self.line}" if self.line else "") + ": "
        return f"{where}error: {self.message}" + (f"; {self.hint}" if self.hint else "")


class Reject(ExtractError):  # noqa: N818 (what patch tools call it)
    """Hunks that a tree does not take; `file` and `line` are the first one's in its mail.

    `excerpt` shows, in several lines, these hunks and the places of the tree that are nearest to them.
    """

    def __init__(self, message: str, *, file: str, line: int, hint: str = "", excerpt: str = "") -> None:
        super().__init__(message, file=file, line=line, hint=hint)
        self.excerpt = excerpt
