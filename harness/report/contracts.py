# SPDX-License-Identifier: GPL-2.0-only
"""The contracts that ship: what each is for, what it needs of a patch, and what it claims."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from extractor.items import Item
from harness.check import fits, static_misfit
from harness.contract import Claim, Contract, LayoutClaim, OptionClaim, StaticContract, UndoneClaim
from harness.loading import contract_path, is_static, load, load_static, shipped, variants
from harness.tree.items import TreeItems

WIDTH = 100
AnyClaim = Claim | LayoutClaim | OptionClaim | UndoneClaim


def described(items: Sequence[Item] | None, config: Mapping[str, bool]) -> list[dict[str, Any]]:
    """Each contract that ships as plain data; with a patch's `items`, whether it fits that."""
    return [of_file(name, items, config) for name in shipped()]


def of_file(name: str, items: Sequence[Item] | None, config: Mapping[str, bool]) -> dict[str, Any]:
    """One contract."""
    path = contract_path(name)
    if is_static(path):
        static = load_static(path)
        misfit = static_misfit(static, items, config) if items is not None else None
        said = facts(static) | {"runs": False, "bounds": {}, "scope": "", "operations": [], "within": [],
                                "threads": None}  # fmt: skip
        claims: list[AnyClaim] = [*static.layout, *static.options, *static.undone]
    else:
        loaded = shown = load(path, {})
        misfit = None
        if items is not None:
            shown, misfit, _ = fits(loaded, items, config)
        others = [each.contract.title for each in variants(loaded) if each.contract != loaded.contract]
        said = facts(shown.contract) | of_operations(shown.contract) | {"bounds": dict(shown.bounds)}
        said["revisions"] = others
        claims = list(shown.contract.claims)
    said["claims"] = [{"id": c.id, "title": c.title, "sentence": c.sentence} for c in claims]
    what = "tree" if isinstance(items, TreeItems) else "patch"
    return said if misfit is None else said | {"fits": not misfit, "why": misfit, "revision": what}


def facts(contract: Contract | StaticContract) -> dict[str, Any]:
    """What both kinds of contracts have."""
    config = {name: "y" if on else "n" for name, on in contract.config.items()}
    return {
        "name": contract.name,
        "title": contract.title,
        "needs": list(contract.requires),
        "config": config,
    }


def of_operations(contract: Contract) -> dict[str, Any]:
    """What a contract runs."""
    kinds = ("operation", "probe", "misuse", "outlook")
    operations = [{"name": op.name, "kind": op.kind, "part": contract.part(op)}
                  for op in contract.operations if op.kind in kinds]  # fmt: skip
    within = [wrapper.of for wrapper in contract.wrappers]
    threads = contract.threads
    together = (
        {"operations": list(threads.operations), "lock_free": list(threads.lock_free)} if threads else None
    )
    return {"runs": True, "scope": contract.scope, "operations": operations, "within": within,
            "threads": together}  # fmt: skip


def contracts_json(found: Sequence[Mapping[str, Any]]) -> str:
    """The JSON of `kconform contracts`."""
    return json.dumps({"schema": 1, "contracts": found}, indent=1) + "\n"


def contracts_text(found: Sequence[Mapping[str, Any]], *, verbose: bool) -> str:
    """A block a contract; with `verbose` each claim with its sentence."""
    return "\n".join("\n".join(block(said, verbose)) + "\n" for said in found)


def block(said: Mapping[str, Any], verbose: bool) -> Iterator[str]:
    """One contract."""
    yield f"{said['name']}: {said['title']}"
    if "fits" in said:
        fit = f"fits this {said['revision']}" if said["fits"] else f"does not fit: {said['why']}"
        yield from wrapped(fit)
    yield from wrapped(f"needs {', '.join(said['needs'])}")
    if said["within"]:
        yield from wrapped(f"completes {', '.join(said['within'])}, of which a patch shows parts")
    options = " ".join(f"{name}={value}" for name, value in said["config"].items())
    yield from wrapped(f"with {options}")
    if said["runs"]:
        yield from runs(said)
    else:
        yield from wrapped("runs nothing")
    claims = said["claims"]
    if verbose:
        for claim in claims:
            yield from wrapped(f"claims {claim['id']}: {claim['title']}")
            yield from wrapped(f'"{claim["sentence"]}"', "    ")
    elif claims:
        yield from wrapped(f"claims {', '.join(claim['id'] for claim in claims)}")


def runs(said: Mapping[str, Any]) -> Iterator[str]:
    """What a contract runs, and how far."""
    bounds = ", ".join(f"{name}={value}" for name, value in said["bounds"].items())
    count = {kind: sum(op["kind"] == kind for op in said["operations"])
             for kind in ("operation", "probe", "misuse", "outlook")}  # fmt: skip
    kinds = ", ".join(f"{n} {kind}{'s' * (n != 1 and kind != 'misuse')}" for kind, n in count.items() if n)
    yield from wrapped(f"runs {kinds}; {f'bounds {bounds}' if bounds else said['scope']}")
    if threads := said["threads"]:
        readers = f"; read without a lock: {', '.join(threads['lock_free'])}" if threads["lock_free"] else ""
        yield from wrapped(f"at one time: {', '.join(threads['operations'])}{readers}")
    if said["revisions"]:
        yield from wrapped(f"also for other revisions: {'; '.join(said['revisions'])}")


def wrapped(text: str, indent: str = "  ") -> list[str]:
    """`text` within the width."""
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ",
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip
