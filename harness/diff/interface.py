# SPDX-License-Identifier: GPL-2.0-only
"""What one revision has other than another by its text: items, signatures, constants, options, fields."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from extractor.cast import TOKEN, strip_comments
from extractor.items import Item
from extractor.kconfig_options import TYPES, attribute_lines
from harness.diff.constants import Values, shown
from harness.diff.outside import beyond
from harness.diff.renames import find_renames, used, zip_variants
from harness.diff.things import Thing, by_key, comparable, living, macro_body, things, touched
from harness.diff.words import Symbol, align, renamed

if TYPE_CHECKING:
    from harness.tree.items import PatchedTree

__all__ = ["Change", "Interface", "comparable", "compare", "touched"]

How = Literal["added", "removed", "changed", "renamed", "moved"]
LONGEST = 160  # characters of a text that is shown
ANNOTATION = re.compile(r"\b(static|extern|inline|__always_inline|__inline__|__inline|noinline)\b\s*")


@dataclass(frozen=True)
class Change:
    """One thing that NEW has other than OLD; `what` says how, a line each.

    `kind` is that of the item, "constant" of an enum's, "option" of Kconfig's, "fragment" of what a patch
    adds inside of a function of which it shows only a part. `name` is OLD's (of what is added, NEW's), of
    a field with its record: "struct folio._refcount".
    """

    how: How
    kind: str
    name: str
    new_name: str = ""
    old: Item | None = None
    new: Item | None = None
    what: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Where it is, in NEW if it is there."""
        item = self.new or self.old
        return item.file if item else ""


@dataclass(frozen=True)
class Interface:
    """The changes from OLD to NEW, in the order of files, and the functions that are none of them.

    `same` are functions that are so token by token, comments and white space aside; `alike` those that
    are so but for names of their own, annotations and renamed items: what they call may do otherwise.
    `settled` are those of both that use nothing that changed, whichever way, as far as the items show; of
    two different trees, nothing either of which it is not known that both have the same. `renames` gives
    NEW's name for OLD's; of a field without its record, of a record with `struct `, of an option with
    `CONFIG_`.
    """

    changes: tuple[Change, ...]
    same: tuple[str, ...]
    alike: tuple[str, ...]
    renames: Mapping[str, str]
    settled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def compare(
    old: Sequence[Item], new: Sequence[Item], config: Mapping[str, bool], new_config: Mapping[str, bool]
) -> Interface:
    """What `new` has other than `old`; of a tree only what the other side speaks of counts.

    The items are those of `comparable`, of two trees of the same files. Constants are evaluated under
    `config` and `new_config`.
    """
    trees = [bool(items) and all(item.origin != "added" for item in items) for items in (old, new)]
    whole = all(trees)
    sides = counted(things(old, whole), things(new, whole))
    behind = [getattr(items, "tree", None) for items in (old, new)]
    return Comparison(*sides, config, new_config, (behind[0], behind[1])).interface()


def counted(old: Sequence[Thing], new: Sequence[Thing]) -> tuple[list[Thing], list[Thing]]:
    """Both sides; in files that both have whole, what only one of them has counts as its own."""
    files = [{thing.item.file for thing in side if thing.item.hunk < 0} for side in (old, new)]
    keys = [{thing.key for thing in side} for side in (old, new)]
    left, right = (
        [
            replace(thing, ours=True) if thing.item.file in both and thing.key not in others else thing
            for thing in side
        ]
        for side, others in ((old, keys[1]), (new, keys[0]))
        for both in [files[0] & files[1]]
    )
    return left, right


@dataclass
class Comparison:
    """Two revisions being compared."""

    old: list[Thing]
    new: list[Thing]
    config: Mapping[str, bool]
    new_config: Mapping[str, bool]
    trees: tuple[PatchedTree | None, PatchedTree | None] = (None, None)
    same: dict[str, bool] = field(default_factory=dict)  # of a name's definitions, whether all are so
    changes: list[Change] = field(default_factory=list)
    dirty: set[Symbol] = field(default_factory=set)  # names of OLD behind which something else is now

    def interface(self) -> Interface:
        """The result."""
        left, right = by_key(self.old), by_key(self.new)
        self.names = find_renames(left, right)
        self.tags = {f"{kind} {a.text}": f"{kind} {b}" for a, b in self.names.items() if a.space == "tag"
                     for kind in ("struct", "union", "enum")}  # fmt: skip
        self.tags |= {a.text: b for a, b in self.names.items() if a.space == "name"}  # typedefs of records
        self.left, self.right = values(self.old, self.config), values(self.new, self.new_config)
        self.needed = used(thing for thing in self.new if thing.ours)
        self.words = {a.text: b for a, b in self.names.items()}
        self.there = right
        taken: set[tuple[str, str, str]] = set()
        for found in left.values():
            new_key = self.renamed_key(found[0])
            taken.add(new_key)
            self.pair(found, right.get(new_key, []))
        for key, found in right.items():
            if key not in taken:
                self.pair([], found)
        order = {file: n for n, file in enumerate(dict.fromkeys(t.item.file for t in [*self.new, *self.old]))}
        changes = sorted(self.changes, key=lambda c: (order.get(c.file, 0), place(c)))
        return Interface(
            tuple(without_parts(changes)),
            tuple(name for name, is_same in self.same.items() if is_same),
            tuple(name for name, is_same in self.same.items() if not is_same),
            {tagged(a, self.old): tagged(Symbol(a.space, b), self.new) for a, b in self.names.items()},
            tuple(self.settled()),
        )

    def settled(self) -> Iterator[str]:
        """The functions of `same` that use nothing which is not, nor what may be other in another tree."""
        old, new = self.trees
        if not old or not new or old.name == new.name:  # what patches leave alone is the same in one tree
            return settled(self.old, self.same, self.dirty)
        more, unlike = beyond(self.old, old, new)
        return settled([*self.old, *more], self.same, self.dirty | unlike)

    def renamed_key(self, thing: Thing) -> tuple[str, str, str]:
        """What a thing of OLD is known by in NEW."""
        space, parent, text = thing.key
        return space, self.tags.get(parent, parent), self.names.get(thing.symbol, text)

    # Things of one name.

    def pair(self, old: Sequence[Thing], new: Sequence[Thing]) -> None:
        """Compares all that has one name in both."""
        fragments = [t for t in old if t.kind == "fragment"], [t for t in new if t.kind == "fragment"]
        if any(fragments):
            self.fragments(*fragments, [t for t in new if t.kind != "fragment"])
        old = [thing for thing in old if thing.kind != "fragment"]
        new = [thing for thing in new if thing.kind != "fragment"]
        left, right = list(old), list(new)
        found: list[tuple[Thing, Thing, bool | None, list[str]]] = []
        for a, b in zip_variants(old, new, self.now):
            left.remove(a)  # one of the first few
            right.remove(b)
            if a.ours or b.ours:
                found.append((a, b, *self.two(a, b)))
        changed = [each for each in found if each[3]]
        for a, b, _, what in changed[:1]:
            more = [line for _, _, _, lines in changed[1:] for line in lines if line not in what]
            self.change(a, b, [*what, *more])
        if found and not changed and found[0][0].symbol in self.names:
            self.change(found[0][0], found[0][1], [])
        for thing in [thing for thing in left if thing.ours][:1]:
            self.lone(thing, "removed", beside=bool(new))
        for thing in [thing for thing in right if thing.ours][:1]:
            self.lone(thing, "added", beside=bool(old))
        if found and not changed and found[0][0].kind == "function" and not left_ours(left, right):
            name = found[0][0].name
            self.same[name] = all(is_same for _, _, is_same, _ in found)

    def change(self, a: Thing, b: Thing, what: Sequence[str]) -> None:
        how: How = "renamed" if a.symbol in self.names else "changed"
        if how == "changed" and all(line.startswith("moved: ") for line in what):
            how = "moved"
        if any(not line.startswith(("moved: ", "written ")) for line in what):
            self.soil(a)
        self.changes.append(
            Change(how, kind_of(a), full_name(a), full_name(b) if how == "renamed" else "", a.item, b.item,
                   tuple(dict.fromkeys(what)))
        )  # fmt: skip

    def soil(self, thing: Thing) -> None:
        """Notes that something else is behind a name; a field is in the size of its record, too."""
        self.dirty.add(thing.symbol)
        if thing.kind == "field":
            record = thing.parent.rpartition(" ")[2]
            self.dirty |= {Symbol("tag", record), Symbol("name", record)}  # the name is a typedef's

    def lone(self, thing: Thing, how: Literal["added", "removed"], beside: bool) -> None:
        """A thing that only one of the two has; `beside` others of its name that both have."""
        item = thing.item
        self.soil(thing)
        what: list[str] = []
        if thing.kind in ("macro", "constant") and (said := self.said(thing, how == "added")):
            what.append(said)
        if thing.kind == "field":
            what.append(cut(item.signature))
        if thing.kind == "kconfig":
            what += attributes(item)
        if (beside or how == "added") and (condition := plainly(thing.condition)):
            what[:1] = [f"{what[0]}, if {condition}" if what else f"if {condition}"]
        if how == "removed" and not beside and thing.symbol in self.needed:
            what.append("still used: its base must have it")
        old, new = (None, item) if how == "added" else (item, None)
        self.changes.append(Change(how, kind_of(thing), full_name(thing), "", old, new, tuple(what)))

    def said(self, thing: Thing, is_new: bool) -> str:
        """What a constant stands for."""
        text = thing.text if thing.kind == "constant" else macro_body(thing.text)
        if not text:
            return ""
        value = (self.right if is_new else self.left).of(thing.name)
        return cut(text) if value is None or shown(value) == text else f"{cut(text)} = {shown(value)}"

    def two(self, a: Thing, b: Thing) -> tuple[bool | None, list[str]]:
        """Whether two things are the same token by token, and what is other in them."""
        if a.partial or b.partial:
            said = [f"only a part is shown by {'OLD' if a.partial else 'NEW'}: not compared"]
            return None, said if a.kind == b.kind and a.ours and b.ours else []
        what: list[str] = []
        if a.kind != b.kind:
            target = self.target(b)
            if a.kind == "function" and target:
                what.append(f"now a macro for {target.name}()")
                what += self.functions(a, target)
            elif {a.kind, b.kind} != {"declaration", "function"}:
                what.append(f"{kind_of(a)} -> {kind_of(b)}")
            elif not self.alike(a.form.head, b.form.head):
                what.append(f"signature: {signature(a)} -> {signature(b)}")
        elif a.kind in ("function", "declaration"):
            what += self.functions(a, b)
        elif a.kind in ("macro", "constant"):
            what += self.constants(a, b)
        elif a.kind == "kconfig":
            what += self.options(a, b)
        elif a.kind == "record":
            what += self.records(a, b)
        elif not self.alike(a.form.words, b.form.words):
            word = {"field": "type", "typedef": "type"}.get(a.kind, "definition")
            what.append(f"{word}: {flat(a)} -> {flat(b)}")
        if presence := self.presence(a, b):
            what.append(presence)
        if a.item.file != b.item.file and a.kind not in ("field", "constant"):
            what.append(f"moved: {a.item.file} -> {b.item.file}")
        return a.form.words == b.form.words and not what, what

    def target(self, macro: Thing) -> Thing | None:
        """The function of NEW that a macro is another name of."""
        name = macro_body(macro.text) if macro.kind == "macro" else None
        found = [t for t in self.there.get(("name", "", name or ""), ()) if t.kind == "function"]
        return next((t for t in found if t.condition == macro.condition), found[0] if found else None)

    def alike(self, old: Sequence[Symbol], new: Sequence[Symbol]) -> bool:
        """Whether two texts differ in renamed and in local names at most."""
        if self.words:  # messages speak of names, too
            old = [Symbol("", self.now(w.text)) if w.text[:1] == '"' else w for w in old]
        found = align(old, new)
        if found is None:
            return False
        return all(a.space == "local" or self.names.get(a, a.text) == b.text for a, b in found.items())

    def now(self, text: str) -> str:
        """A text of OLD with the names that NEW has for its own."""
        return re.sub(r"[A-Za-z_]\w*", lambda m: self.words.get(m[0], m[0]), text)

    def functions(self, a: Thing, b: Thing) -> Iterator[str]:
        """What is other in two functions."""
        left, right = a.form, b.form
        if self.alike((*left.head, *left.body), (*right.head, *right.body)):
            return
        head = self.alike(left.head, right.head)
        if not head:
            yield f"signature: {signature(a)} -> {signature(b)}"
        if not self.alike(left.body, right.body):
            yield self.body(a, b)
        elif head:
            yield "body: its parameters are used in another order"

    def body(self, a: Thing, b: Thing) -> str:
        """How much is other in a body, as diffstat says it."""
        return f"body: {self.count(self.lines(a, True), self.lines(b, False))}"

    def added_lines(self, old: Sequence[Thing], new: Sequence[Thing]) -> str:
        """How much is other in what patches add inside of a function."""
        sides = [Counter(squeezed(text)) for text in (self.now(joined(old)), joined(new))]
        return f"of what is added: {self.count(*sides)}"

    def count(self, old: Counter[str], new: Counter[str]) -> str:
        plus, minus = (new - old).total(), (old - new).total()
        return f"+{plus} -{minus} lines" if plus or minus else "its lines in another order"

    def lines(self, thing: Thing, is_old: bool) -> Counter[str]:
        text = strip_comments(thing.text)
        if is_old:
            text = self.now(text)
        return Counter(squeezed(text.partition("{")[2]))

    def constants(self, a: Thing, b: Thing) -> Iterator[str]:
        """What is other in two macros or constants of an enum."""
        left, right = self.left.of(a.name), self.right.of(b.name)
        texts = [t.text if t.kind == "constant" else macro_body(t.text) for t in (a, b)]
        if left is not None and right is not None and None not in texts:
            if left != right:
                yield f"value: {shown(left)} -> {shown(right)}"
            elif a.kind == "macro" and not self.alike(a.form.body, b.form.body):
                self.soil(a)  # a shift or a comparison may do otherwise by the type alone
                if typed(texts[0]) != typed(texts[1]):
                    yield f"value: {cut(str(texts[0]))} -> {cut(str(texts[1]))}"
        elif None not in texts and not self.alike(a.form.body, b.form.body):
            sides = [f"{cut(str(text)) or 'nothing'}{'' if value is None else f' = {shown(value)}'}"
                     for text, value in zip(texts, (left, right), strict=True)]  # fmt: skip
            yield f"value: {' -> '.join(sides)}"
        elif texts.count(None) == 1:
            yield "takes arguments" if texts[1] is None else "takes no arguments any more"
        elif None in texts and not self.alike(a.form.words, b.form.words):
            yield "definition" if self.alike(a.form.head, b.form.head) else "parameters and definition"

    def records(self, a: Thing, b: Thing) -> Iterator[str]:
        """What is other in two whole records, beside their fields."""
        outer = [outside(thing.form.words) for thing in (a, b)]
        if not self.alike(*outer):
            yield "attributes"
        new = [renamed([word], self.names)[0].text for word in a.form.words if word.space == "field"]
        there = [word.text for word in b.form.words if word.space == "field"]
        both = set(new) & set(there)
        if [name for name in new if name in both] != [name for name in there if name in both]:
            yield "order of its fields"

    def options(self, a: Thing, b: Thing) -> Iterator[str]:
        """What is other in two entries of Kconfig."""
        old, new = attributes(a.item, self.names), attributes(b.item)
        there, here = set(new), set(old)
        gone = [line for line in old if line not in there]
        come = [line for line in new if line not in here]
        words: dict[str, tuple[list[str], list[str]]] = {}
        for side, lines in enumerate((gone, come)):
            for line in lines:
                words.setdefault(attribute(line), ([], []))[side].append(line)
        for both in words.values():
            sides = [" and ".join(lines) for lines in both]
            if all(sides):
                yield f"{sides[0]} -> {sides[1]}"
            else:
                yield f"no longer {sides[0]}" if sides[0] else f"now {sides[1]}"

    def presence(self, a: Thing, b: Thing) -> str:
        """What is other in the presence conditions, as far as both show them."""
        said = [self.now(text) for text in a.condition]
        mine = [self.now(text) for text in a.own]
        # A hunk need not show the `#if` that it stands under: one that is missing there is none of
        # the patch's own, but may be one of its base. Of a tree all is known.
        gone = [text for text in said if text not in b.condition
                and (text in mine or b.item.hunk < 0)]  # fmt: skip
        come = [text for text in b.condition if text not in said
                and (text in b.own or a.item.hunk < 0)]  # fmt: skip
        if not gone and not come:
            return ""
        return f"{under(come) or 'always there'}, before: {under(gone) or 'always'}" if come else (
            f"no longer {under(gone)}")  # fmt: skip

    # What a patch shows only parts of.

    def fragments(self, old: Sequence[Thing], new: Sequence[Thing], whole: Sequence[Thing]) -> None:
        """Compares what patches add inside of something."""
        a, b = next((t for t in old if t.ours), None), next((t for t in new if t.ours), None)
        if a and b:
            left, right = [[w for t in found for w in t.form.words] for found in (old, new)]
            if a.item.kind == "kconfig":
                left = right = []
                what = list(self.options_of(old, new))
            else:
                what = [] if self.alike(left, right) else [self.added_lines(old, new)]
            if what:
                self.change(a, b, what)
        elif a and whole and not whole[0].partial:
            if what := list(self.inside(old, whole[0])):
                self.change(a, whole[0], what)
        elif a or b:
            self.lone_fragments(old or new, "removed" if a else "added")

    def lone_fragments(self, found: Sequence[Thing], how: Literal["added", "removed"]) -> None:
        thing = found[0]
        lines = [line for each in found for line in each.text.split("\n") if line.strip()]
        said = f"{len(lines)} line{'s' * (len(lines) != 1)}" if lines else "lines are removed there"
        what = attributes(thing.item) if thing.item.kind == "kconfig" else [said]
        self.dirty.add(thing.symbol)
        old, new = (None, thing.item) if how == "added" else (thing.item, None)
        self.changes.append(Change(how, kind_of(thing), thing.name, "", old, new, tuple(what)))

    def options_of(self, old: Sequence[Thing], new: Sequence[Thing]) -> Iterator[str]:
        left = [line for thing in old for line in attributes(thing.item, self.names)]
        right = [line for thing in new for line in attributes(thing.item)]
        there, here = set(right), set(left)
        yield from (f"no longer {line}" for line in left if line not in there)
        yield from (f"now {line}" for line in right if line not in here)

    def inside(self, old: Sequence[Thing], whole: Thing) -> Iterator[str]:
        """What a patch adds inside of a function that the other revision has whole, and that is not there."""
        there = set(squeezed(strip_comments(whole.text)))
        said = list(squeezed(self.now(joined(old))))
        lost = [text for text in said if text not in there]
        if lost:
            yield f"{len(lost)} of {len(said)} added lines are not in it"


def typed(text: str | None) -> set[str]:
    """What of a constant's text says its type: suffixes of numbers, casts, calls."""
    suffixes = re.findall(r"\b(?:0[xX][\da-fA-F]+|\d+)([uUlL]+)\b", text or "")
    named = re.findall(r"\b(?:unsigned|signed|char|short|int|long|bool|[us]\d+|\w+_t|sizeof|\w+(?= ?\())\b",
                       text or "")  # fmt: skip
    return {"".join(sorted(suffix.upper())) for suffix in suffixes} | {*named}


def joined(found: Sequence[Thing]) -> str:
    """The text of several fragments."""
    return strip_comments("\n".join(thing.text for thing in found))


def squeezed(text: str) -> Iterator[str]:
    """The lines of a text as their tokens, those of a brace alone left out."""
    return (said for line in text.split("\n") if len(said := " ".join(TOKEN.findall(line))) > 1)


def left_ours(left: Sequence[Thing], right: Sequence[Thing]) -> bool:
    """Whether any thing without a counterpart counts."""
    return any(thing.ours for thing in (*left, *right))


def values(found: Sequence[Thing], config: Mapping[str, bool]) -> Values:
    """The values of the constants of a revision."""
    texts: dict[str, str] = {}
    types: dict[str, str] = {}
    for thing in living(found, config):
        if thing.kind == "constant":
            texts.setdefault(thing.name, thing.text)
        elif thing.kind == "macro" and not thing.partial and (text := macro_body(thing.text)):
            texts.setdefault(thing.name, text)
        elif thing.kind == "typedef" and "{" not in thing.text:
            said = " ".join(strip_comments(thing.text).split()).removeprefix("typedef").rstrip("; ")
            types.setdefault(thing.name, said.removesuffix(thing.name).strip())
    return Values(texts, types, 8 if config.get("CONFIG_64BIT", True) else 4)


def settled(found: Sequence[Thing], same: Mapping[str, bool], dirty: set[Symbol]) -> Iterator[str]:
    """The functions of `same` that use nothing which is not: in the order of `same`."""
    users: dict[Symbol, list[Symbol]] = {}
    for thing in found:
        for symbol in thing.form.symbols:
            users.setdefault(symbol, []).append(thing.symbol)
    reached = set(dirty)
    todo = list(dirty)
    while todo:
        for user in users.get(todo.pop(), ()):
            if user not in reached:
                reached.add(user)
                todo.append(user)
    yield from (name for name in same if Symbol("name", name) not in reached)


def without_parts(changes: Sequence[Change]) -> Iterator[Change]:
    """`changes` without the fields and constants of records that are added or removed as a whole."""
    whole = {(change.how, change.name) for change in changes if change.kind in ("record", "typedef")}
    for change in changes:
        item = change.new or change.old
        parent = item.parent if item and change.kind == "field" else item.name if item else ""
        if change.kind not in ("field", "constant") or (change.how, parent) not in whole:
            yield change


def kind_of(thing: Thing) -> str:
    """A thing's kind as a change has it."""
    return "option" if thing.kind == "kconfig" else thing.kind


def full_name(thing: Thing) -> str:
    """A thing's name, of a field with its record."""
    return f"{thing.parent}.{thing.name}" if thing.kind == "field" else thing.name


def tagged(symbol: Symbol, found: Sequence[Thing]) -> str:
    """A name as `renames` has it: records with their kind."""
    if symbol.space != "tag":
        return symbol.text
    named = (t.name for t in found if t.kind == "record" and t.symbol == symbol)
    return next(named, f"struct {symbol.text}")


def place(change: Change) -> int:
    """The line by which changes of a file are ordered."""
    item = change.new or change.old
    return item.line if item else 0


def outside(words: Sequence[Symbol]) -> list[Symbol]:
    """The words of a record outside of its braces."""
    texts = [word.text for word in words]
    if "{" not in texts:
        return list(words)
    return [*words[: texts.index("{")], *words[len(texts) - texts[::-1].index("}") :]]


def under(condition: Sequence[str]) -> str:
    """A presence condition as a reader wants it: "only under CONFIG_X"; "" for none."""
    return f"only under {plainly(condition)}" if condition else ""


def plainly(condition: Sequence[str]) -> str:
    """A presence condition without `defined()`."""
    return cut(" && ".join(re.sub(r"defined\((\w+)\)", r"\1", text) for text in condition))


def cut(text: str) -> str:
    """A text on one line, of a long one its begin."""
    said = " ".join(text.split())
    return said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"


def flat(thing: Thing) -> str:
    """What declares a thing, on one line."""
    return cut(strip_comments(thing.text).rstrip("; \n").removeprefix("typedef "))


def signature(thing: Thing) -> str:
    """A function's signature without linkage and annotations."""
    return cut(ANNOTATION.sub("", thing.item.signature))


def attribute(line: str) -> str:
    """Which attribute of a Kconfig entry a line is; a prompt and `def_bool` go with the type."""
    word = line.split()[0]
    return "type" if word.removeprefix("def_") in TYPES or word == "prompt" else word


def attributes(item: Item, names: Mapping[Symbol, str] | None = None) -> list[str]:
    """The attributes of a Kconfig item, help left out; of a fragment, those that the patch adds."""
    added = {line.number for line in item.lines if line.origin == "added"}
    words = {a.text.removeprefix("CONFIG_"): b.removeprefix("CONFIG_") for a, b in (names or {}).items()
             if a.text.startswith("CONFIG_")}  # fmt: skip
    found = [text for number, text in attribute_lines(item)
             if item.completeness == "complete" or number in added]  # fmt: skip
    return [cut(re.sub(r"\w+", lambda m: words.get(m[0], m[0]), text)) for text in found]
