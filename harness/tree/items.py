# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree as a revision: what patches add to it, and behind them the tree itself."""

from __future__ import annotations

import os
import posixpath
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from extractor.apply import apply_patches
from extractor.closure import Closure, Shims
from extractor.errors import ExtractError
from extractor.extract import extract_items, series_items
from extractor.fragments import names
from extractor.items import Item, SourceLine
from extractor.patch import Patch
from extractor.slice import Shown, Slice, Unresolved, shown_parts
from extractor.slice import live_items as existing
from extractor.unit import Unit, changed_names
from harness.contract import Contract, Loaded
from harness.errors import HarnessError
from harness.tree.configuration import bare_metal, refuse_guest, with_options
from harness.tree.files import Roots
from harness.tree.includes import Include, Includes
from harness.tree.revision import read_unit
from harness.tree.shims import shims
from harness.tree.slicing import closed
from harness.tree.source import Tree
from kernel_snippets.tree import EXPORTED


@dataclass
class PatchedTree:
    """A tree's files with patches applied to them; what is made of them is below `folder`.

    `config` is the configuration as C values; contracts and options of a run add to it. `headers` are
    those that a unit includes beside the ones that all of mm needs. `notes` say how hunks were applied.
    """

    name: str
    roots: Roots
    patched: Mapping[str, tuple[SourceLine, ...]]
    headers: tuple[str, ...]
    config: Mapping[str, str]
    folder: Path
    notes: tuple[str, ...] = ()
    configured: str = "kernel_snippets/base.config"
    units: dict[tuple[tuple[str, str], ...], tuple[Unit, Shims]] = field(default_factory=dict)
    slices: dict[tuple[object, ...], Slice] = field(default_factory=dict)
    unfound: dict[Include, None] = field(default_factory=dict)  # in any of the units
    changed: frozenset[tuple[str, str]] = frozenset()  # file and name of what patches change, or cut lines of

    def unit(self, options: Mapping[str, bool], extra: Sequence[Item]) -> tuple[Unit, Shims]:
        """The tree's items under `options`, with `extra` ones behind them, and the shims that go before."""
        refuse_guest(options)
        config = with_options(self.config, options)
        key = tuple(sorted(config.items()))
        if key not in self.units:
            folder = self.folder / f"unit{len(self.units)}"
            folder.mkdir()
            unit, unfound = read_unit(self.includes, config, folder, self.patched)
            self.refuse_unfound(unfound)
            self.unfound |= dict.fromkeys(unfound)
            known = shims({name: True for name, value in config.items() if value == "1"}, folder)
            own = {i.name for i in unit.items if i.origin == "added" or (i.file, i.name) in self.changed}
            known = known.without({header for name, header in known.headers.items() if name in own})
            behind = tuple(existing(extra, {**dict.fromkeys(config, True), **options}))
            self.units[key] = replace(unit, items=(*unit.items, *behind)), known
        return self.units[key]

    def has_word(self, word: str) -> bool:
        """Whether a header that is read may have a name, in whatever configuration."""
        return self.includes.has_word(word)

    @cached_property
    def includes(self) -> Includes:
        """The tree's files that are read, in any configuration."""
        return Includes(self.roots, self.headers)

    def includes_read(self, item: Item) -> bool:
        """Whether an #include of a file that is read leads to one that is."""
        beside = posixpath.dirname(item.file) if '"' in item.text else None
        read = self.includes.found
        return item.file in read and self.includes.path(item.name, beside) in read

    @property
    def left_out(self) -> list[str]:
        """The options of its configuration that it is read without."""
        return sorted(self.config.keys() - bare_metal(self.config).keys())

    def refuse_unfound(self, unfound: Iterable[Include]) -> None:
        """HarnessError for an #include that a patch adds, of what is not there."""
        for include in unfound:
            lines = self.patched.get(include.file, ())
            if 0 < include.line <= len(lines) and lines[include.line - 1].origin == "added":
                raise HarnessError(f"{include.where}: error: the patch includes {include.name}, which the "
                                   "tree does not have; give the tree that it is on")  # fmt: skip

    def text(self, file: str) -> str:
        """A file's text, with patches applied."""
        if file in self.patched:
            return "\n".join(line.text for line in self.patched[file])
        return self.roots.text(file) or ""

    def says(self, words: str) -> bool:
        """Whether a sentence stands in a header that is read; white space and comment stars do not count."""
        for unit, _ in self.units.values():
            for file in unit.order:
                if words in " ".join(re.sub(r"^[ \t]*\*\s|\s\*\s", " ", self.text(file), flags=re.M).split()):
                    return True
        return False


class TreeItems(tuple[Item, ...]):
    """The items of the patches on a tree, as their mails show them; the tree itself is behind them."""

    tree: PatchedTree


def tree_items(
    tree: Tree, patches: Sequence[Patch], headers: Sequence[str], config: Mapping[str, str], folder: Path
) -> TreeItems:
    """`patches` applied to `tree`; Reject where a hunk does not fit. `folder` must outlive what it gives."""
    patches, passed = within(tree, patches)
    applied = apply_patches(patches, tree.read)
    for name in ("tree", "patched", "units"):
        (folder / name).mkdir()
    root = tree.export(EXPORTED, folder / "tree")
    overlay(applied.files, root, folder / "patched")
    patched = {file: lines for file, lines in applied.files.items() if lines is not None}
    wanted = [*headers, *(file.removeprefix("include/") for file in patched if is_header(file))]
    there = [name for name in dict.fromkeys(wanted) if f"include/{name}" in patched or name in patched
             or any(tree.read(path) is not None for path in (f"include/{name}", name))]  # fmt: skip
    made = TreeItems(shown_items(patches))
    made.tree = PatchedTree(
        tree.name, Roots([folder / "patched", root]), patched, tuple(there), config, folder / "units",
        (*passed, *applied.notes),
        changed=frozenset((file, name) for file, lines in patched.items()
                          for name in changed_names(file, tree.read(file) or "", lines)),
    )  # fmt: skip
    return made


def shown_items(patches: Sequence[Patch]) -> list[Item]:
    """What the mails show of their items; where they fit the tree alone, each for itself."""
    try:
        return series_items(patches)
    except ExtractError:
        return [item for patch in patches for item in extract_items(patch)]


def within(tree: Tree, patches: Sequence[Patch]) -> tuple[list[Patch], tuple[str, ...]]:
    """`patches` without the files that a package of headers cannot have, and what is said of these."""
    if tree.paths("mm", ".c") or tree.paths("mm", ".h"):
        return list(patches), ()
    kept: list[Patch] = []
    notes: list[str] = []
    for patch in patches:
        of_headers = tuple(file for file in patch.files if file.path.startswith(("include/", "arch/")))
        left = [file.path for file in patch.files if file not in of_headers]
        notes += [f"{tree.name} has headers only: not applied there: {', '.join(left)}"] if left else []
        kept.append(replace(patch, files=of_headers))
    return kept, tuple(notes)


def is_header(file: str) -> bool:
    """Whether a patched file is one that a unit includes."""
    return file.endswith(".h") and file.startswith(("include/linux/", "mm/"))


def overlay(files: Mapping[str, Sequence[SourceLine] | None], root: Path, folder: Path) -> None:
    """Writes the files that patches change, beside links to those that may be included with them."""
    for file, lines in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (
            "\n".join(line.text for line in lines) if lines is not None else "#error deleted by the patch\n"
        )
        path.write_text(text)
    tree = Roots([root])
    for parent in {str(Path(file).parent) for file in files}:
        for other in sorted((root / parent).glob("*.h")):
            if tree.find(f"{parent}/{other.name}") and not os.path.lexists(folder / parent / other.name):
                (folder / parent / other.name).symlink_to(other)


def tree_slice(loaded: Loaded, items: TreeItems) -> Slice:
    """What a contract needs of a tree."""
    contract = loaded.contract
    key = (loaded.text, loaded.binding, tuple(loaded.absent), tuple(sorted(loaded.options.items())),
           tuple(loaded.bounds.items()))  # fmt: skip
    tree = items.tree
    if key not in tree.slices:
        unit, known = tree.unit(loaded.options, behind(items))
        shown, lost = fragments_of(contract, items, unit, loaded.options)
        text = "\n".join([
            contract.world, contract.init, contract.standins, *contract.observe.values(),
            *(op.call for op in contract.operations),
            *(said for w in contract.wrappers for said in (w.head, w.body)),
            *(line.text for parts in shown.values() for part in parts for line in part.lines),
        ])  # fmt: skip
        folder = Path(tempfile.mkdtemp(dir=tree.folder))
        piece = closed(Closure(unit, known, given=contract.given), text, (), folder)
        refuse_own_names(piece)
        needs = {of: frozenset().union(*(names(part.lines) for part in parts)) for of, parts in shown.items()}
        tree.slices[key] = replace(
            piece, shown=shown, needs={**piece.needs, **needs}, unresolved=(*piece.unresolved, *lost)
        )
    return tree.slices[key]


def refuse_own_names(piece: Slice) -> None:
    """HarnessError where a slice of a tree has a name that kconform uses below it."""
    named = (item for item in piece.items if item.name.startswith("kc_"))
    if own := next(named, None):
        raise HarnessError(f"{own.where}: error: {own.name} is a name of kconform's own; rename it")


def fragments_of(
    contract: Contract, items: TreeItems, unit: Unit, options: Mapping[str, bool]
) -> tuple[dict[str, tuple[Shown, ...]], list[Unresolved]]:
    """What the patches show of the functions that a contract makes whole."""
    shown: dict[str, tuple[Shown, ...]] = {}
    lost: list[Unresolved] = []
    for name in (wrapper.of for wrapper in contract.wrappers if wrapper.of not in unit.defined):
        parts, without = shown_parts(items, name, options)
        lost += without
        if parts and not without:
            shown[name] = parts
    return shown, lost


def behind(items: Iterable[Item]) -> tuple[Item, ...]:
    """What patches add to .c files, which no unit includes: functions and what is of them whole."""
    return tuple(item for item in items if item.file.endswith(".c") and item.completeness == "complete"
                 and item.origin == "added")  # fmt: skip


def tree_names(items: TreeItems, options: Mapping[str, bool]) -> frozenset[str]:
    """The names that a tree defines under `options`, or of which its patches show a part inside."""
    fragments = frozenset(item.name for item in items if item.completeness == "fragment")
    return fragments.union(items.tree.unit(options, behind(items))[0].defined)


def elsewhere(names: Iterable[str], items: TreeItems, options: Mapping[str, bool]) -> dict[str, str]:
    """Those of `names` that a tree has and does not define under `options`, each with where it is."""
    found: dict[str, str] = {}
    for name in filter(items.tree.has_word, names):
        declared = items.tree.unit(options, behind(items))[0].declared.get(name)
        if declared:
            found[name] = f"which {declared.where} only declares: its body is in another file"
        else:
            found[name] = "which the tree does not have in this configuration"
    return found


def lacking(requires: Iterable[str], items: TreeItems, options: Mapping[str, bool]) -> Iterator[str]:
    """The names that a contract requires and a tree does not define under `options`."""
    extra = behind(items)
    fragments = {item.name for item in items if item.completeness == "fragment"}
    own = fragments.union(item.name for item in extra)
    required = [name for name in requires if name not in own]
    if absent := [name for name in required if not items.tree.has_word(name)]:
        yield from absent
        return
    unit = items.tree.unit(options, extra)[0]
    yield from (name for name in required if name not in unit.defined)
