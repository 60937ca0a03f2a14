# SPDX-License-Identifier: GPL-2.0-only
"""Whether a patch's message promises that nothing changes, as kernel developers put it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from extractor.patch import Patch

# A patch fails by a promise that it did not give, and loses little by one that is not seen: each form is
# taken only where the words around it are known, too.
NOTHING = (
    r"no (?:(?:intended|intentional|real|actual|visible|user-visible|externally visible) ){0,4}"
    r"(?:(?:functional(?:ity)?|behaviou?r(?:al)?|semantic)(?: (?:or|nor|and) [\w-]+)? "
    r"(?:change|difference|impact|effect|modification)s?"
    r"|(?:changes?|difference) (?:in|of|to) (?:functionality|behaviou?r|semantics))"
)
KEEPS = (
    r"(?:(?:does|do|should|will|shall) not|(?:doesn|don|shouldn|won)['’]t) (?:"
    r"(?:change|alter|affect|modify) (?:any |the )?(?:existing |current )?"
    r"(?:functionality|behaviou?r|semantics)"
    r"|(?:result in|lead to|cause|introduce|be|make|have|bring|imply) (?:any |a )?"
    r"(?:functional(?:ity)?|behaviou?r(?:al)?|semantic) (?:change|difference|impact)s?)"
)
EQUAL = r"functionally (?:equivalent|identical|the same)"
WITHOUT = (
    r"without (?:any )?(?:(?:intended |intentional )?(?:functional|behaviou?ral|semantic) changes?"
    r"|(?:changing|altering|changes? (?:in|of|to)) (?:any |the )?(?:existing |current )?"
    r"(?:functionality|behaviou?r|semantics))"
)
PROMISE = re.compile(rf"\b(?:(?P<stated>{NOTHING}|{KEEPS}|{EQUAL})|{WITHOUT})\b", re.I)
# Who promises, from the last comma or conjunction on: the patch, and neither a function nor its callers.
LEAD = re.compile(
    r"(?:^|[,;:.(\[\]!*—–]|(?: |^)--?(?= )|\b(?:and|so|thus|hence|therefore|with|as|since|because"
    r"|(?:notes?|noted|such|so|means?|meaning) that)\b) ?"
    r"(?:(?:there|thi?s|it|the|these|patch(?:es)?|commit|changes?|series|refactor(?:ing)?|conversion"
    r"|clean-?ups?|renam(?:e|ing)|rework|rewrite|resulting|generated|new|code|is|are|be|remains|stays|should"
    r"|shall|will|has|have|makes?|introduces?|contains?|brings?|results?|resulting|in|causes?|an?|purely|pure"
    r"|just|simply|also|really|absolutely|again|please|intended|of|course) )*$",
    re.I,
)
# What it is of: all of the patch, and no part of it.
TAIL = re.compile(
    r"(?: (?:is|are|was|be|should|intended|intentional|expected|here|whatsoever|at all|introduced|made|caused"
    r"|ha(?:ve|s) been made"
    r"|(?:in|with|by|from|through) this (?:patch|commit|change|series|refactoring|conversion|cleanup)"
    r"|(?:to|as|with) (?:before|the (?:old|previous|original|existing|current) (?:code|version|one))))*"
    r"(?: ?(?:$|[,;:.!()\[\]*—–])| --? | (?:since|as|because|so|and|just|due to)\b)",
    re.I,
)
# Exceptions, conditions, doubts, and what others said.
DOUBT = re.compile(
    r"\b(?:except\w*|other|besides?|apart|aside|until|till|unless|only|but|if|when(?:ever)?|while|where\w*"
    r"|provided|assum\w+|as (?:long|far) as|though|although|however|otherwise|yet|after|once|whether"
    r"|not|cannot|never|neither|hardly|mostly|almost|nearly|largely|basically|practically|modulo|hopefully"
    r"|ideally|supposed\w*|probably|likely|maybe|might|would|seems?|afai\w+|i think|believed?"
    r"|claim\w*|sa(?:y|ys|id)|state[ds]|promise[ds]?|pretend\w*|allege\w*|broke|breaks?|despite|contrary"
    r"|commit [0-9a-f]{7,40}|v\d+|patch(?:es)? #?\d+"
    r"|(?:previous|earlier|last|next|later|following|upcoming|subsequent) (?:patch|commit|change)(?:es|s)?"
    r")\b|n['’]t\b|\?$|[\"“”]"
    # Where it holds; most of what begins so goes on about a part.
    r"|^(?:for|on|under|in(?! preparation| other words| short| fact)|at|from|within|by) ",
    re.I,
)
# Without a change one can do this and that, which is not yet to have done so.
ABLE = re.compile(
    r"\b(?:can|could|may|able|allow\w*|possib\w+|impossible|let|lets|want\w*|need\w*|require\w*|must|way|try"
    r"|tried|hard|difficult|how to|later|easier)\b",
    re.I,
)
# The next sentence may take back what one says.
BACK = re.compile(r"(?:except|other than|apart|aside|besides|but|however|that said|only|unless)\b", re.I)
# "No functional change (intended)"; of a driver for near field communication it is something else.
NFC = re.compile(r"\bNFCI\b|\[NFC\]|^NFC\.?$|(?<=, )NFC\.$|\(NFC\)\.?$")
RADIO = re.compile(r"near[- ]field|\bnfc[:/]|\bbluetooth\b|\bwi-?fi\b", re.I)

TRAILER = re.compile(r"^(?:[A-Z][\w-]*-by|Link|Cc|Closes|Fixes|Change-Id):.*", re.M)
TAGS = re.compile(r"^(?:Re: *)?(?:\[[^]]{0,200}\] *)+")
AROUND = 200  # characters before a promise that are looked at
LONGEST = 2_000  # characters of a sentence: of a longer one nobody knows what it says


def promise(patches: Sequence[Patch], cover: str = "") -> str:
    """The sentence by which the patches say that they change no behaviour; "" where not all do.

    Only their messages count, not what they quote. A cover letter (its subject, then its text) may say
    it of all of them.
    """
    subject, _, text = cover.partition("\n")
    if said := next(promises(subject, text), ""):
        return said
    found = [next(promises(patch.subject, patch.message), "") for patch in patches]
    return found[0] if found and all(found) else ""


def promises(subject: str, message: str) -> Iterator[str]:
    """The sentences of one message that promise it."""
    own = "\n".join(line for line in message.split("\n") if not line.lstrip().startswith((">", "|")))
    tags = TAGS.match(subject)
    title = subject[tags.end() :] if tags else subject
    marked = re.search(r"\[NFC\]|\bNFCI\b", tags[0]) if tags else None
    text = f"{title}.\n\n{TRAILER.sub('', own)}"
    radio = bool(RADIO.search(text))
    if marked and not radio:
        yield subject
    for paragraph in re.split(r"\n\s*\n", text):
        sentences = re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split()))
        for sentence, following in zip(sentences, [*sentences[1:], ""], strict=True):
            if (promised(sentence) or (not radio and NFC.search(sentence))) and not BACK.match(following):
                yield sentence


def promised(sentence: str) -> bool:
    """Whether a sentence says of the whole patch, and without a condition, that nothing changes."""
    if len(sentence) > LONGEST:
        return False
    found = list(PROMISE.finditer(sentence))
    rest = PROMISE.sub(" ", sentence)
    return bool(found) and not DOUBT.search(rest.strip()) and all(whole(match) for match in found)


def whole(match: re.Match[str]) -> bool:
    """Whether the words beside a form are those of a promise of the patch."""
    if not TAIL.match(match.string, match.end()):
        return False
    if not match["stated"]:
        return not ABLE.search(match.string, max(0, match.start() - AROUND), match.start())
    return bool(LEAD.search(match.string, max(0, match.start() - AROUND), match.start()))
