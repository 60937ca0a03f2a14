# SPDX-License-Identifier: GPL-2.0-only
"""Which functions a comparison drove in both revisions, and which it says nothing about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from extractor.items import Item
from harness.contract import Contract
from harness.diff.compare import Compared
from harness.diff.interface import Interface


def driven_functions(compared: Compared) -> frozenset[str]:
    """OLD's functions that calls of both revisions came back from, with those that they call."""
    piece = compared.matched.old.piece
    if compared.driven is None:  # the code is the same, whatever it does
        return frozenset((*piece.functions, *piece.shown))
    contract = compared.aligned.old.contract
    back = {counts.op for counts in compared.driven.counts if counts.back}
    apart = {found.op for found in compared.differences}
    driven = (op for op in contract.operations if op.name in back | apart)
    return frozenset(piece.reached(name for op in driven for name in names_of(contract, op.call)))


def names_of(contract: Contract, call: str) -> Iterator[str]:
    """The names in the C of an operation, and in what of the contract's own stands behind it."""
    yield from words(call)
    if contract.given.intersection(words(call)):
        yield from words(contract.standins)


def words(text: str) -> list[str]:
    """The identifiers of C."""
    return re.findall(r"[A-Za-z_]\w*", text)


def unsaid(need: Sequence[str], interface: Interface, compared: Sequence[Compared]) -> list[str]:
    """What may do otherwise and was not compared: functions with another text, and changed parts of some."""
    driven = frozenset().union(*(driven_functions(one) for one in compared))
    shown = frozenset().union(*(frozenset(one.matched.old.piece.shown) for one in compared))
    own = {change.name for change in interface.changes if change.kind == "function"}
    lost = [name for name in need if name not in driven]
    found = [f"{name}: its text is another, and no call of it was compared" for name in lost if name in own]
    found += [f"{name}: it uses what is another, and no call of it was compared"
              for name in lost if name not in own]  # fmt: skip
    for change in interface.changes:
        item: Item | None = change.new or change.old
        if change.kind == "fragment" and item and item.kind == "function":
            known = change.name in driven or change.name in shown
            said = f"{change.name}: what the patches change inside of it, of which they show only a part"
            found += [] if known else [said]
    same = {name for one in compared if one.driven is None for name in one.matched.old.piece.functions}
    for change in interface.changes:
        if (
            change.kind == "function"
            and change.name in same
            and any(w.startswith("body") for w in change.what)
        ):
            found.append(
                f"{change.name}: it differs under another configuration than the one that was compared"
            )
    return found
