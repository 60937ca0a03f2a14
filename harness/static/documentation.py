# SPDX-License-Identifier: GPL-2.0-only
"""Whether what a patch documents is there: fields and options that its comments and texts name.

A name that may be the base's own is not judged: a finding needs a reason to think that it was meant
to be one of the patch's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from extractor.conditions import holds
from extractor.items import Item, SourceLine
from extractor.patch import Patch
from extractor.regions import Region
from extractor.scan import mask, masked_lines
from harness.judge import Check
from harness.static.kernel_doc import WORD, Block, Record, blocks, records, subject
from harness.static.named_options import NAMED, Known, Name, judge_names, known_options, names_in, post_images
from harness.static.nearby import slip

QUALIFIED = re.compile(r"\b(?:struct\s+(\w+)\.|(\w+)->)(_\w+)\b(?!\s*\()")
BARE = re.compile(r"(?<![\w>.@%*/`:-])_(?!_)[a-z]\w*\b(?![\w(*:])(?!\s*\()")
STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"")
OPTION_SAID = re.compile(
    r"\b(with|without|if|when|unless)\s+CONFIG_(\w+)(\s+is\s+(?:not\s+set|unset|disabled|off))?", re.I
)
# Where one of these stands, the sentence may say that something is not there.
TURNED = re.compile(
    r"\b(no|not|never|neither|nor|cannot|unlike|otherwise|else|instead|replac\w+|remov\w+|empty|stubs?|with\w*)\b"
    r"|n't\b",
    re.I,
)
NEGATED = re.compile(r"\b(no|not|never|neither|nor|cannot|unlike)\b|n't\b", re.I)
CODE = (".c", ".h")
OTHERS = (".S", ".rs", ".py", ".sh", ".lds", ".dts", ".dtsi", "Makefile", "Kbuild")


def judge_documentation(
    patches: Sequence[Patch], items: Sequence[Item], config: Mapping[str, bool]
) -> Iterator[Check]:
    """documentation/<rule>-<file> of each file and rule that has something to judge."""
    known = records(items)
    options = known_options(patches, items, config)
    parts = list(post_images(patches))
    removed = removed_words(patches)
    for file in dict.fromkeys(part.file for part in parts):
        own = [part for part in parts if part.file == file]
        if file.endswith(CODE):
            yield from judge_kernel_doc(file, own, items, known, removed)
        if not file.endswith(OTHERS):
            yield from judge_prose(file, own, items, known, options)


def removed_words(patches: Sequence[Patch]) -> frozenset[str]:
    """Every word of the lines that the patch removes: what it moves is not new."""
    lines = (ln.text for p in patches for f in p.files for h in f.hunks for ln in h.lines if ln.kind == "-")
    return frozenset(word for text in lines for word in WORD.findall(text))


def made(rule: str, file: str, title: str) -> Check:
    """A check of one rule in one file, passed so far."""
    slug = re.sub(r"[^a-z0-9]+", "-", file.lower()).strip("-")
    return Check(
        f"documentation/{rule}-{slug}", "documentation", "pass", f"documentation: {title}", file=file
    )


@dataclass(frozen=True)
class Judged:
    """A name and what is wrong with it; `doubt` where that is not certain."""

    name: Name
    wrong: str = ""
    doubt: str = ""


def settled(check: Check, names: Sequence[Judged]) -> Iterator[Check]:
    """The check of these names; none where there are none."""
    if not names:
        return
    wrong = [n for n in names if n.wrong]
    doubts = [n for n in names if n.doubt]
    check = replace(check, judged=len(names), line=names[0].name.line)
    if wrong:
        said = "; ".join(f"{n.name.where}: {n.wrong}" for n in wrong)
        yield replace(check, verdict="fail", failed=len(wrong), line=wrong[0].name.line, detail=said)
    elif doubts:
        said = "; ".join(f"{n.name.where}: {n.doubt}" for n in doubts)
        yield replace(check, verdict="unknown", line=doubts[0].name.line, reason=said)
    else:
        yield check


# kernel-doc.


def judge_kernel_doc(file: str, parts: Sequence[Region], items: Sequence[Item],
                     known: dict[str, Record], removed: frozenset[str]) -> Iterator[Check]:  # fmt: skip
    """Fields that kernel-doc names exist; fields that the patch adds have their line there."""
    found = [(b, record) for part in parts for b in blocks(part) if (record := subject(b, known))]
    names: list[Judged] = []
    missing: list[Judged] = []
    for record in {record.name: record for _, record in found}.values():
        own = [b for b, of in found if of.name == record.name]
        missing += undescribed(record, own, items, removed)
        names += [judged for b in own for name, line in b.described if line.origin == "added"
                  for judged in judge_described(Name(name, file, line.number), record)]  # fmt: skip
    yield from settled(made("kernel-doc", file, f"the fields that kernel-doc in {file} names exist"), names)
    title = f"the fields that the patch adds in {file} have their line of kernel-doc"
    yield from settled(made("described", file, title), missing)


def judge_described(name: Name, record: Record) -> Iterator[Judged]:
    """One `@name:` line that the patch adds; nothing where the record may have it out of sight."""
    said = f"@{name.text}: {record.name} has no such field"
    if name.text in record.words:
        yield Judged(name)
    elif meant := slip(name.text, record.added):
        yield Judged(name, f"{said}; the patch adds {meant}")
    elif record.whole:
        yield Judged(name, said)
    elif record.shim:
        doubt = "the shims leave some of it out" if record.cut else "whether its base has it is not known"
        yield Judged(name, doubt=f"{said} here; {doubt}")


def undescribed(record: Record, own: Sequence[Block], items: Sequence[Item],
                removed: frozenset[str]) -> Iterator[Judged]:  # fmt: skip
    """The fields that the patch adds to a record, and which of them lack their line.

    Only where a neighbour has one: in the private part of a record nothing is described.
    """
    described = {name for b in own for name in b.mentioned}
    for item in items:
        if item.kind != "field" or item.parent != record.name or item.name in removed:
            continue
        name = Name(item.name, item.file, item.line)
        if item.name in described:
            yield Judged(name)
        elif any(slip(other, [item.name]) for other in described - record.words):
            continue  # its line is there, misspelt
        elif described_beside(item, items, described) and not item.name.startswith("__"):
            yield Judged(name, f"{record.name}.{item.name} has no line in the kernel-doc of {record.name}")


def described_beside(item: Item, items: Sequence[Item], described: set[str]) -> bool:
    """Whether a field stands in the public, described part of its record."""
    part = next((i for i in items if i.kind == "record" and i.name == item.parent and i.file == item.file
                 and i.lines[0].number <= item.line <= i.lines[-1].number), None)  # fmt: skip
    if not part:
        return False
    before = "\n".join(ln.text for ln in part.lines if ln.number < item.lines[0].number)
    if "private:" in before.rpartition("public:")[2] or f"@{item.name}:" in part.text or nested(item, part):
        return False
    if not re.search(rf"\b{re.escape(item.name)}\s*(?:\)|[;,:=\[])", item.text):
        return False  # a declaration that was not understood
    beside = [ln.text for ln in part.lines if abs(ln.number - item.line) <= 3 and ln.number != item.line]
    return bool(described & set(WORD.findall(mask("\n".join(beside)))))


def nested(item: Item, part: Item) -> bool:
    """Whether a field stands in a member with a name of its own, whose line may speak for both."""
    depth = 0
    lines = zip(part.lines, mask(part.text).split("\n"), strict=True)
    for code in (code for line, code in lines if line.number > item.lines[-1].number):
        for match in re.finditer(r"\{|\}\s*(\w*)", code):
            depth += 1 if match[0] == "{" else -1
            if depth < 0 and match[1] and not match[1].startswith("__"):
                return True
            depth = max(depth, 0)
    return False


# Prose: documents, help texts, comments.


def judge_prose(file: str, parts: Sequence[Region], items: Sequence[Item], known: dict[str, Record],
                options: Known) -> Iterator[Check]:  # fmt: skip
    """Options and fields that added prose names, and the conditions that it gives."""
    said = [(line, text) for part in parts for line, text in prose(part)]
    named = [Name(n.text, file, n.line) for line, text in said for n in names_in(line, file, text)]
    if options.added and named:
        check = made("options", file, f"the options that {file} names exist")
        yield judge_names(replace(check, line=named[0].line), named, options)
    owners = owners_of(known)
    words = code_words(items, known) if owners else frozenset()
    fields = [judged for line, text in said if owners
              for judged in judge_fields(file, line.number, text, known, owners, words)]  # fmt: skip
    yield from settled(made("fields", file, f"the fields that {file} names exist"), fields)
    if not file.endswith(CODE):
        conditions = list(judge_conditions(file, parts, items, options))
        yield from settled(made("conditions", file, f"what {file} says of an option is under it"), conditions)


def prose(part: Region) -> Iterator[tuple[SourceLine, str]]:
    """The added lines of a region, each with its text that is no code."""
    if not part.file.endswith(CODE):
        yield from ((line, line.text) for line in part.lines if line.origin == "added")
        return
    for line, code in zip(part.lines, masked_lines(part.lines), strict=True):
        if line.origin == "added":
            text = "".join(
                " " if b.strip() else a for a, b in zip(line.text, code.ljust(len(line.text)), strict=False)
            )
            yield line, STRING.sub(" ", text)


def owners_of(known: Mapping[str, Record]) -> dict[str, set[str]]:
    """The records that the patch adds each field to."""
    owners: dict[str, set[str]] = {}
    for record in known.values():
        for field in record.added:
            owners.setdefault(field, set()).add(record.name)
    return owners


def judge_fields(
    file: str, line: int, text: str, known: dict[str, Record], owners: Mapping[str, set[str]],
    words: frozenset[str],
) -> Iterator[Judged]:  # fmt: skip
    """The fields that one line of prose names, as `folio->_x`, `struct folio._x` or plain `_x`.

    Not where the line says that something is not there: it may be that one.
    """
    if NEGATED.search(text):
        return
    for match in QUALIFIED.finditer(text):
        record_ = known.get(f"struct {match[1] or match[2]}")
        name = Name(match[3], file, line)
        if record_ and name.text in owners and name.text not in record_.words:
            there = " and ".join(sorted(owners[name.text]))
            yield Judged(name, f"{record_.name} has no {name.text}; the patch adds it to {there}")
        else:
            there_ = record_.words if record_ else words
            yield from judge_field(name, there_, owners, doubtful=not file.endswith(CODE))
    for match in BARE.finditer(text):
        yield from judge_field(Name(match[0], file, line), words, owners, doubtful=False)


def judge_field(
    name: Name, words: frozenset[str], owners: Mapping[str, set[str]], *, doubtful: bool
) -> Iterator[Judged]:
    """One name against the words that are known."""
    if name.text in words or name.text.removesuffix("s") in words:  # several of them
        yield Judged(name)
    elif meant := slip(name.text, owners):
        yield Judged(
            name, f"there is no {name.text}; the patch adds {meant} to {', '.join(sorted(owners[meant]))}"
        )
    elif doubtful:
        yield Judged(
            name, doubt=f"neither patch nor shims have {name.text}; whether its base has is not known"
        )


def code_words(items: Sequence[Item], known: dict[str, Record]) -> frozenset[str]:
    """Every word of the patch's C code, and of all records."""
    own = {word for i in items if i.file.endswith(CODE) for word in WORD.findall(mask(i.text))}
    return frozenset(own).union(*(record.words for record in known.values()))


def judge_conditions(
    file: str, parts: Sequence[Region], items: Sequence[Item], options: Known
) -> Iterator[Judged]:
    """Names that the patch adds, in paragraphs that say with or without which option they are there."""
    things = {
        i.name
        for i in items
        if i.origin == "added" and i.kind in ("function", "field", "macro") and "_" in i.name
    }
    for paragraph in paragraphs(parts):
        text = " ".join(line.text for line in paragraph)
        said = OPTION_SAID.search(text)
        if not said or len(NAMED.findall(text)) != 1 or TURNED.search(text.replace(said[0], "")):
            continue
        there = (said[1].lower() in ("without", "unless")) == bool(said[3])
        for line in paragraph:
            for word in dict.fromkeys(WORD.findall(line.text)):
                if word in things:
                    yield judge_presence(Name(word, file, line.number), said[2], there, items, options)


def judge_presence(name: Name, option: str, there: bool, items: Sequence[Item], options: Known) -> Judged:
    """Whether something exists where the option is set (`there`) or where it is not."""
    own = [i.condition for i in items if i.name == name.text and i.kind in ("function", "field", "macro")]
    how = f"{'with' if there else 'without'} CONFIG_{option}"
    if not any(possible(condition, option, there) for condition in own):
        return Judged(name, f"{name.text} does not exist {how}")
    under = {said for condition in own for said in NAMED.findall(" ".join(condition))} & options.added
    if option in options.added and under and option not in under:
        return Judged(name, f"{name.text} is under CONFIG_{sorted(under)[0]}, not CONFIG_{option}")
    return Judged(name)


def possible(condition: tuple[str, ...], option: str, value: bool) -> bool:
    """Whether something under `condition` can exist with that value of the option."""
    others = {f"CONFIG_{name}" for name in NAMED.findall(" ".join(condition))}
    return any(holds(condition, {**dict.fromkeys(others, rest), f"CONFIG_{option}": value}) is not False
               for rest in (False, True))  # fmt: skip


def paragraphs(parts: Sequence[Region]) -> Iterator[list[SourceLine]]:
    """Runs of added lines without a blank one."""
    for part in parts:
        held: list[SourceLine] = []
        for line in part.lines:
            if line.origin == "added" and line.text.strip():
                held.append(line)
                continue
            if held:
                yield held
            held = []
        if held:
            yield held
