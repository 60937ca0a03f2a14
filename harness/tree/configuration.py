# SPDX-License-Identifier: GPL-2.0-only
"""The configuration of a tree: the base that ships, or a .config; values as the kernel's autoconf.h has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from harness.errors import HarnessError
from kernel_snippets import ROOT
from kernel_snippets.tree import GUEST

BASE_CONFIG = ROOT / "base.config"
SET = re.compile(r'(CONFIG_\w+)=(y|n|m|-?\d+|0[xX][0-9a-fA-F]+|"(?:[^"\\]|\\.)*")\s*')
UNSET = re.compile(r"# (CONFIG_\w+) is not set\s*")
NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,9}")
MAX_BYTES = 4 << 20


def read_config(path: Path) -> dict[str, str]:
    """The options of a .config by name, each with its value as C; HarnessError with the line that is none.

    `y` and `m` are 1 (a module under CONFIG_X_MODULE, as in the kernel's autoconf.h); what is not set has
    no entry.
    """
    try:
        data = path.read_bytes()
    except OSError as err:
        raise HarnessError(f"{path}: {err.strerror or err}; give a kernel's .config") from None
    if len(data) > MAX_BYTES:
        raise HarnessError(f"{path}: larger than {MAX_BYTES >> 20} MB, which no .config is")
    found: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        match = SET.fullmatch(line)
        if match and match[2] == "n":
            found.pop(match[1], None)
        elif match:
            name = match[1] + ("_MODULE" if match[2] == "m" else "")
            found[name] = "1" if match[2] in "ym" else match[2]
        elif unset := UNSET.fullmatch(line):
            found.pop(unset[1], None)
        elif line.strip() and not line.startswith("#"):
            said = line.strip()[:40]
            raise HarnessError(f"{path}:{number}: error: {said!r} is no line of a .config; write CONFIG_X=y")
    return found


def with_options(base: Mapping[str, str], options: Mapping[str, bool]) -> dict[str, str]:
    """`base` with options set or unset."""
    found = dict(base)
    for name, value in options.items():
        if value:
            found.setdefault(name, "1")
        else:
            found.pop(name, None)
    return found


def bare_metal(config: Mapping[str, str]) -> dict[str, str]:
    """`config` for a machine that is nobody's guest."""
    return {name: value for name, value in config.items() if name not in GUEST}


def refuse_guest(options: Mapping[str, bool]) -> None:
    """HarnessError for an option that is asked for and that no tree is read with."""
    if asked := sorted(name for name in GUEST if options.get(name)):
        raise HarnessError(f"{asked[0]}=y: a tree is read for a machine that is no hypervisor's guest, whose "
                           "operations are in C; leave it out")  # fmt: skip


def number_of(config: Mapping[str, str], name: str, otherwise: int) -> int:
    """The value of an option that is a number."""
    said = config.get(name, str(otherwise))
    if not NUMBER.fullmatch(said):
        raise HarnessError(f"{name}={said[:40]} is no number of the kernel's; correct it")
    return number_in(said)


def number_in(said: str) -> int:
    """The value of a NUMBER."""
    return int(said, 16 if said[:2] in ("0x", "0X") else 10)
