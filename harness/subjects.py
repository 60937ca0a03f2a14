# SPDX-License-Identifier: GPL-2.0-only
"""From a slice to compiled subjects; what the compiler refuses is left out, by name and line."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from extractor.items import Item
from extractor.patch import Patch
from extractor.slice import Slice, Unresolved, cut, definitions, live_items
from harness.build import PLAIN, Building, Built, CompileError, Diagnostic, Flavour, RefusedError, build
from harness.contract import SHOWN, Loaded, Wrapper
from harness.errors import HarnessError
from harness.loading import variants
from harness.render import OWN, Rendered, render
from harness.tree.items import TreeItems, elsewhere, lacking, tree_names, tree_slice
from kernel_snippets import INCLUDE

ROUNDS = 4  # of compiling without what the compiler refused


def slice_of(loaded: Loaded, items: Sequence[Item]) -> Slice:
    """What a contract needs of a revision: all that its C mentions, and fragments where it wraps them."""
    if isinstance(items, TreeItems):
        return tree_slice(loaded, items)
    contract = loaded.contract
    said = [*(op.call for op in contract.operations), contract.init, *contract.observe.values()]
    said += [
        contract.standins,
        *(part for wrapper in contract.wrappers for part in (wrapper.of, wrapper.body)),
    ]
    entries = list(dict.fromkeys(re.findall(r"[A-Za-z_]\w*", " ".join(said))))
    return cut(items, entries, loaded.options, [wrapper.of for wrapper in contract.wrappers], contract.given)


def own_code(loaded: Loaded, piece: Slice) -> tuple[Item, ...]:
    """The code that is under test: the patch's; of a tree without one, the functions that are called."""
    if not piece.unit:
        return piece.code
    added = tuple(item for item in piece.code if item.origin == "added")
    called = {name for op in loaded.contract.operations for name in op.called}
    return added or tuple(item for item in piece.code if item.name in called and not item.expansion)


@cache
def shim_names() -> frozenset[str]:
    """Every identifier in the shims: what is none of them is no kernel API that stands ready."""
    texts = (path.read_text() for path in INCLUDE.rglob("*.h"))
    return frozenset(name for text in texts for name in re.findall(r"[A-Za-z_]\w*", text))


def fitted(loaded: Loaded, items: Sequence[Item], config: Mapping[str, bool]) -> tuple[Loaded, str]:
    """The first variant of a contract that a revision has the names for, or why none fits."""
    reasons: dict[str, None] = {}
    for variant in variants(loaded):
        under = variant.under(config)
        reason = misfit(under, items)
        if not reason:
            without = under.contract.absent(provided(items, under.options))
            found = out_of_reach(without.values(), items, under.options)
            absent = {op: name for op, name in without.items() if name not in found}
            return under.without(absent, found), ""
        reasons[reason] = None
    return loaded, "; or ".join(reasons)


def provided(items: Sequence[Item], options: Mapping[str, bool]) -> frozenset[str]:
    """The names that a revision defines, or of which it shows a part inside."""
    if isinstance(items, TreeItems):
        return tree_names(items, options)
    shown = {i.name for i in live_items(items, options) if i.completeness == "fragment"}
    return frozenset(shown.union(definitions(items, options)))


def misfit(loaded: Loaded, items: Sequence[Item]) -> str:
    """Why a contract does not fit a revision; empty where it does."""
    contract, options = loaded.contract, loaded.options
    otherwise = [name for name in contract.pinned if options[name] != contract.config[name]]
    if otherwise:
        need = ", ".join(f"{name}={'y' if contract.config[name] else 'n'}" for name in otherwise)
        return f"{contract.name} is for {need}"
    if isinstance(items, TreeItems):
        missing = [*lacking(contract.requires, items, options)]
    else:
        defined = provided(items, options)
        missing = [f for f in contract.requires if f not in defined]
    if not missing:
        return ""
    few = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    if isinstance(items, TreeItems):
        found = out_of_reach(missing, items, options)
        where = found[missing[0]] if len(found) == len(missing) else "which the tree does not have"
        return f"{loaded.contract.name} needs {few}, {where}"
    there = {item.name for item in items if item.completeness == "complete"}.issuperset(missing)
    why = (
        "which the patch defines only in another configuration"
        if there
        else "which the patch does not define"
    )
    return f"{loaded.contract.name} needs {few}, {why}"


def out_of_reach(names: Iterable[str], items: Sequence[Item], options: Mapping[str, bool]) -> dict[str, str]:
    """Those of `names` that a tree has, though no code of them under `options`, each with where that is."""
    return elsewhere(names, items, options) if isinstance(items, TreeItems) else {}


def describe(lost: Unresolved) -> str:
    """One unresolved name as `file:line: error: …`."""
    return f"{lost.file}:{lost.line}: error: {lost.user}: {lost.reason}"


@dataclass(frozen=True)
class Subject:
    """A slice as it could be compiled: `lost` is what could not, `missing` what cannot be called."""

    piece: Slice
    rendered: Rendered
    built: Built
    lost: tuple[Unresolved, ...]
    missing: Mapping[str, str]

    @property
    def skip(self) -> frozenset[str]:
        """The operations that cannot be driven."""
        return frozenset(self.rendered.unavailable)


class Attempt:
    """The first try at a subject, under way beside us: nothing is known yet of what the compiler refuses."""

    def __init__(
        self, loaded: Loaded, piece: Slice, config: dict[str, bool], folder: Path, flavour: Flavour = PLAIN
    ) -> None:
        self.loaded, self.piece, self.config, self.folder, self.flavour = (
            loaded, piece, config, folder, flavour,
        )  # fmt: skip
        folder.mkdir(exist_ok=True)
        self.done: dict[tuple[Unresolved, ...], Built] = {}
        rendered = self.render(piece.unresolved)[2]
        self.building: Building | None = build(rendered, config, folder, flavour)

    def compile(self) -> None:
        """Goes on from the preprocessor to the compiler, so that several do it beside each other."""
        with contextlib.suppress(CompileError):  # said when it is finished
            if self.building:
                self.building.compile()

    def render(self, lost: Sequence[Unresolved]) -> tuple[dict[str, str], Slice, Rendered]:
        """Names that cannot be called, what is left of the slice, and its C."""
        missing = missing_names(self.loaded, self.piece, lost)
        left = replace(self.piece, items=tuple(i for i in self.piece.items if i.name not in missing))
        return missing, left, render(self.loaded, left, missing)

    def finish(self, lost: Sequence[Unresolved]) -> Built:
        """The subject without what is `lost`; CompileError where the compiler refuses more than that."""
        without = tuple(lost)
        if without not in self.done:
            begun = None
            if without == self.piece.unresolved:
                begun, self.building = self.building, None  # it is finished once
            begun = begun or build(self.render(lost)[2], self.config, self.folder, self.flavour)
            self.done[without] = begun.finish()
        return self.done[without]

    def settle(self) -> Subject:
        """The subject without what the compiler refuses, found out in a few rounds."""
        lost: list[Unresolved] = list(self.piece.unresolved)
        error: HarnessError | None = None
        for _ in range(ROUNDS):
            missing, left, rendered = self.render(lost)
            try:
                return Subject(left, rendered, self.finish(lost), tuple(lost), missing)
            except RefusedError as err:
                error = err
                # The tree's own code may have what a patch's must not: it needs a shim.
                said = Diagnostic(err.file, err.line, True, f"{err.what}; it needs a shim")
                fresh = [
                    one for one in blame(CompileError((said,), ""), left)
                    if not any(i.origin == "added" for i in left.items if i.name == one.user)
                ]  # fmt: skip
                if not left.unit or not fresh:
                    raise
                lost += fresh
            except CompileError as err:
                error = err
                fresh = list(blame(err, left)) or list(blame_link(err, left))
                if not fresh:
                    raise
                lost += fresh
        assert error
        raise error


def missing_names(loaded: Loaded, piece: Slice, lost: Sequence[Unresolved]) -> dict[str, str]:
    """What cannot be called, with the reason; HarnessError where nothing can be observed without it."""
    contract = loaded.contract
    ready = contract.given.union(piece.needs, piece.outside if piece.unit else shim_names())
    missing = {
        name: f"the {'tree' if piece.unit else 'patch'} does not define {name}"
        for op in contract.operations
        for name in op.called
        if name not in ready
    }
    missing |= {name: f"{name}, {where}" for name, where in loaded.elsewhere.items()}
    missing |= {w.of: reason for w in contract.wrappers if (reason := not_wrapped(w, piece))}
    missing |= {
        name: next(f"{u.user}: {u.reason}" for u in lost) for name in piece.dependents(u.user for u in lost)
    }
    needed = " ".join([contract.init, *contract.observe.values()])
    blind = [n for n in re.findall(r"\w+", needed) if n in missing]
    if blind:
        raise HarnessError(describe(lost[0]) if lost else missing[blind[0]])
    return missing


def not_wrapped(wrapper: Wrapper, piece: Slice) -> str:
    """Why a function cannot be made of what the patch shows; empty where it can, or is whole."""
    shown, wanted = len(piece.shown.get(wrapper.of, ())), wrapper.body.count(SHOWN)
    if wrapper.of in piece.functions or shown == wanted:
        return ""
    if not shown:
        return f"the patch shows nothing of {wrapper.of}"
    return f"the patch changes {wrapper.of} in {shown} places, and the contract knows {wanted}"


def blame(err: CompileError, piece: Slice) -> Iterator[Unresolved]:
    """The items of the patch that the compiler's errors are in."""
    parts = [part.item for part in piece.parts]
    for said in err.diagnostics:
        if not said.error:
            continue
        there = [i for i in (*piece.items, *parts) if holds_line(i, said.file, said.line)]
        # What the contract adds to make a function whole does not go with what this patch shows of it.
        there = there or [part for part in parts if said.file == f"{part.name}{OWN}"]
        # A macro call makes several functions, which compile together or not at all.
        for item in there if there and there[0].expansion else there[:1]:
            name = re.search(r"declaration of function '(\w+)'", said.text)
            reason = f"calls {name[1]}(), for which there is no shim" if name else said.text
            line = said.line if said.file == item.file else item.line
            yield Unresolved(name[1] if name else "", item.name, item.file, line, reason)


def blame_link(err: CompileError, piece: Slice) -> Iterator[Unresolved]:
    """The items of the patch that call what the linker does not find."""
    for name in sorted(err.undefined):
        for item in (*piece.items, *(part.item for part in piece.parts)):
            said = next((ln for ln in item.lines if re.search(rf"\b{re.escape(name)}\b", ln.text)), None)
            if said:
                called = re.search(rf"\b{re.escape(name)}\s*\(", said.text)
                reason = f"{f'calls {name}()' if called else f'uses {name}'}, for which there is no shim"
                yield Unresolved(name, item.name, item.file, said.number, reason)


def holds_line(item: Item, file: str, line: int) -> bool:
    """Whether that line of the patch is the item's."""
    return item.file == file and item.lines[0].number <= line <= item.lines[-1].number


def keep_sources(built: Built, keep: Path, loaded: Loaded, patches: Sequence[Patch]) -> None:
    """Leaves a copy of the subject's sources and objects below `keep`, one folder a subject."""
    named = patches[0] if patches else None
    title = re.sub(r"^\[[^\]]*\]\s*", "", named.subject) or Path(named.source).stem if named else "tree"
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:48].strip("-")
    target = keep / f"{slug}.{loaded.contract.name}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(built.folder, target)
