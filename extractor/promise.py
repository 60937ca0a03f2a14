# SPDX-License-Identifier: GPL-2.0-only
"""Whether a patch's message promises that nothing changes, as kernel developers put it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from extractor.patch import Patch

PROMISE = re.compile(
    r"\bno\s+(?:(?:intended|intentional|real|visible|user-visible|externally\s+visible)\s+)*"
    r"(?:functional|behaviou?ral|semantic)(?:\s+or\s+\w+)?\s+(?:change|difference)s?\b"
    r"|\bno\s+changes?\s+(?:in|of|to)\s+(?:functionality|behaviou?r|semantics)\b"
    r"|\bwithout\s+(?:any\s+)?(?:functional|behaviou?ral|semantic)\s+changes?\b"
    r"|\bwithout\s+(?:changing|any\s+changes?\s+(?:in|of|to))\s+(?:functionality|(?:the\s+)?behaviou?r)\b"
    r"|\b(?:does|do|should|must|will)\s+not\s+(?:change|alter|affect)\s+(?:any\s+|the\s+)?"
    r"(?:functionality|behaviou?r|semantics)\b"
    r"|\b(?:should|does|do|will)\s+not\s+(?:cause|introduce|be)\s+(?:any\s+|a\s+)?"
    r"(?:functional|behaviou?ral|semantic)\s+changes?\b"
    r"|\bfunctionally\s+(?:equivalent|identical|the\s+same)\b"
    r"|(?:^|[\[(,.;:]\s*)NFCI?(?=\s*(?:[\]).,;]|$))",
    re.I | re.M,
)
# A promise with an exception is none that a comparison could hold the patch to as a whole.
EXCEPTION = re.compile(r"\b(?:except|other\s+than|besides|apart\s+from|aside\s+from|but\s+for|until)\b", re.I)

TAGS = re.compile(r"^(?:Re: *)?(?:\[[^]]{0,200}\] *)+")


def promise(patches: Sequence[Patch]) -> str:
    """The sentence by which the patches say that they change no behaviour; "" where not all do.

    Only their messages count, not what they quote.
    """
    found = [next(promises(patch), "") for patch in patches]
    return found[0] if found and all(found) else ""


def promises(patch: Patch) -> Iterator[str]:
    """The sentences of one message that promise it."""
    own = "\n".join(line for line in patch.message.split("\n") if not line.lstrip().startswith((">", "|")))
    text = f"{TAGS.sub('', patch.subject)}.\n\n{own}"
    for paragraph in re.split(r"\n\s*\n", text):
        for sentence in re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split())):
            if PROMISE.search(sentence) and not EXCEPTION.search(sentence):
                yield sentence
