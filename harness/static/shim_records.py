# SPDX-License-Identifier: GPL-2.0-only
"""The records of the shims, and of which of them a shim leaves fields out."""

from __future__ import annotations

import re
from collections.abc import Iterator

RECORD = re.compile(r"^((?:struct|union) \w+)\s*\{.*?^\}", re.M | re.S)
# Said in the comment above a record of which a shim has only some fields.
CUT = "others are left out"


def shim_records(text: str) -> Iterator[tuple[str, str, bool]]:
    """Each record of a shim: its name, its text, and whether the shim says that it is cut."""
    for match in RECORD.finditer(text):
        above = text[: match.start()].rstrip().rpartition("/*")[2]
        cut = above.endswith("*/") and CUT in " ".join(above.replace("*", " ").split())
        yield match[1], match.group(), cut
