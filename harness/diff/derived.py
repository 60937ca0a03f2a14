# SPDX-License-Identifier: GPL-2.0-only
"""Functions of two revisions that no contract covers, under contracts that are derived of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from extractor.cast import strip_comments
from extractor.items import Item
from harness.contract import Loaded
from harness.derive.derive import Derived, derive
from harness.diff.compare import Matched, Setting, side_of
from harness.diff.interface import Interface
from harness.errors import HarnessError
from harness.loading import load, without_unknown
from harness.subjects import fitted

MOST = 400  # functions of one comparison


def in_both(old: Sequence[Item], new: Sequence[Item], interface: Interface) -> list[str]:
    """The functions that both revisions define whole and that may do otherwise, in OLD's order and names.

    Those whose text is another one, but for comments and for names that are renamed, and those that use
    what is, as far as the items go.
    """
    renames = interface.renames
    left, right = texts(old, renames), texts(new, {})
    apart = {name for name, text in left.items() if right.get(renames.get(name, name)) != text}
    apart |= {change.name.rpartition(".")[2] for change in interface.changes if change.how != "renamed"}
    settled = {*interface.settled}
    users: dict[str, list[str]] = {}
    for name, text in left.items():
        for word in {*text}:
            users.setdefault(word, []).append(name)
    todo = list(apart)
    while todo:
        name = todo.pop()
        more = [user for user in users.get(renames.get(name, name), ()) if user not in apart]
        apart |= {*more}
        todo += more
    whole = [{item.name for item in side if item.kind == "function" and item.completeness == "complete"}
             for side in (old, new)]  # fmt: skip
    return [name for name in left if name in apart and name not in settled and name in whole[0]
            and renames.get(name, name) in whole[1]]  # fmt: skip


CODE = ("function", "macro", "record", "typedef", "variable", "declaration")


def texts(items: Sequence[Item], renames: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The tokens of each name's definitions, whatever the configuration."""
    found: dict[str, tuple[str, ...]] = {}
    for item in items:
        if item.kind in CODE:
            found[item.name] = (*found.get(item.name, ()), *words_of(item, renames))
    return found


def words_of(item: Item, renames: Mapping[str, str]) -> tuple[str, ...]:
    """The tokens of an item, in NEW's names."""
    said = re.findall(r"\w+|[^\w\s]", strip_comments(item.text))
    return tuple(renames.get(word, word) for word in said)


def derived_pairs(
    old: Sequence[Item],
    new: Sequence[Item],
    functions: Sequence[str],
    renames: Mapping[str, str],
    setting: Setting,
    folder: Path,
) -> tuple[list[Matched], dict[str, str]]:
    """Contracts of `functions` for both revisions, and why there is none of some."""
    if not functions:
        return [], {}
    lost = dict.fromkeys(functions[MOST:], f"at most {MOST} functions are compared at once")
    left, why = made(old, functions[:MOST], setting)
    lost |= {name: f"{reason} (OLD)" for name, reason in why.items()}
    pairs: list[Matched] = []
    for ours in left:
        there = [renames.get(name, name) for name in ours.functions]
        right, why = made(new, there, setting)
        names = dict(zip(there, ours.functions, strict=True))
        lost |= {names.get(name, name): f"{reason} (NEW)" for name, reason in why.items()}
        for theirs in right:
            name = f"derived {len(pairs) + 1}"
            first = loaded_from(ours.text, old, setting, folder / f"{name}-old.py")
            text = aligned_names(theirs.text, fields(ours.text), fields(theirs.text))
            second = loaded_from(text, new, setting, folder / f"{name}-new.py")
            if not first or not second:
                lost |= dict.fromkeys(ours.functions, "what was derived of it does not fit")
                continue
            pairs.append(Matched(name, side_of(first, old), side_of(second, new), {}))
    return pairs, lost


def fields(text: str) -> list[str]:
    """The fields of the State of a derived contract."""
    state = text[text.index("class State:") : text.index("class Ghost:")]
    return re.findall(r"^    (\w+): int\b", state, re.M)


def aligned_names(text: str, ours: Sequence[str], theirs: Sequence[str]) -> str:
    """NEW's contract, its fields called as OLD's where the object alone has another name, after a parameter,
    or where one has a record of one number for a number, as `flags` of Linux 6.12 is `flags.f` now.
    """
    lone = [[n for n in one if n not in other] for one, other in ((ours, theirs), (theirs, ours))]
    for name in lone[0]:
        near = [n for n in lone[1] if n.startswith(f"{name}_") or name.startswith(f"{n}_")
                or tails(name) & tails(n)]  # fmt: skip
        if len(near) == 1:
            text = re.sub(rf"\b{near[0]}\b", name, text)
    return text


def tails(name: str) -> set[str]:
    """A field's name without what may be the object's: up to two words of it."""
    parts = name.split("_")
    return {"_".join(parts[n:]) for n in range(1, 3) if len(parts) > n}


def made(
    items: Sequence[Item], functions: Sequence[str], setting: Setting
) -> tuple[tuple[Derived, ...], dict[str, str]]:
    """What can be derived of one revision's functions, and why not of the others."""
    try:
        found = derive(items, functions, setting.config, whole_names=True)
    except HarnessError as err:
        return (), dict.fromkeys(functions, str(err))
    return found, {name: why for each in found for name, why in each.left_out.items()}


def loaded_from(text: str, items: Sequence[Item], setting: Setting, path: Path) -> Loaded | None:
    """A derived contract, loaded for the revision that it is of."""
    path.write_text(text)
    loaded, reason = fitted(load(path, without_unknown(path, setting.bounds)), items, setting.config)
    return None if reason else loaded
