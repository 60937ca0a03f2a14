# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree as a revision: what patches add to it, and behind them the tree itself."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from extractor.apply import apply_patches
from extractor.closure import Closure, Shims
from extractor.extract import extract_items
from extractor.fragments import names
from extractor.items import Item, SourceLine
from extractor.patch import Patch
from extractor.slice import Shown, Slice, Unresolved, shown_parts
from extractor.slice import live_items as existing
from extractor.unit import Unit, changed_names
from harness.contract import Contract, Loaded
from harness.errors import HarnessError
from harness.tree.configuration import with_options
from harness.tree.preprocess import ARCH
from harness.tree.revision import read_unit
from harness.tree.shims import shims
from harness.tree.slicing import closed
from harness.tree.source import Tree

# Where the headers are, and what says include in quotes.
EXPORTED = ("include", f"{ARCH}/include", "mm")


@dataclass
class PatchedTree:
    """A tree's files with patches applied to them; what is made of them is below `folder`.

    `config` is the configuration as C values; contracts and options of a run add to it. `headers` are
    those that a unit includes beside the ones that all of mm needs. `notes` say how hunks were applied.
    """

    name: str
    roots: tuple[Path, ...]
    patched: Mapping[str, tuple[SourceLine, ...]]
    headers: tuple[str, ...]
    config: Mapping[str, str]
    folder: Path
    notes: tuple[str, ...] = ()
    configured: str = "kernel_snippets/base.config"
    units: dict[tuple[tuple[str, str], ...], tuple[Unit, Shims]] = field(default_factory=dict)
    slices: dict[tuple[object, ...], Slice] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    changed: frozenset[tuple[str, str]] = frozenset()  # file and name of what patches change, or cut lines of

    def unit(self, options: Mapping[str, bool], extra: Sequence[Item]) -> tuple[Unit, Shims]:
        """The tree's items under `options`, with `extra` ones behind them, and the shims that go before."""
        config = with_options(self.config, options)
        key = tuple(sorted(config.items()))
        if key not in self.units:
            folder = self.folder / f"unit{len(self.units)}"
            folder.mkdir()
            unit = read_unit(self.roots, self.headers, config, folder, self.patched)
            known = shims({name: True for name, value in config.items() if value == "1"}, folder)
            own = {i.name for i in unit.items if i.origin == "added" or (i.file, i.name) in self.changed}
            known = known.without({header for name, header in known.headers.items() if name in own})
            behind = tuple(existing(extra, {**dict.fromkeys(config, True), **options}))
            self.units[key] = replace(unit, items=(*unit.items, *behind)), known
        return self.units[key]

    def has_word(self, word: str) -> bool:
        """Whether any header of the tree that is read has a name, in whatever configuration.

        Of one that macros paste together, in those that it was read for.
        """
        if not self.units:
            return True
        unit = next(iter(self.units.values()))[0]
        if not self.words:
            self.words = frozenset(
                w for file in unit.order for w in re.findall(r"[A-Za-z_]\w*", self.text(file))
            )
        return word in self.words or any(word in unit.defined for unit, _ in self.units.values())

    def text(self, file: str) -> str:
        """A file's text, with patches applied."""
        if file in self.patched:
            return "\n".join(line.text for line in self.patched[file])
        path = next((root / file for root in self.roots if (root / file).is_file()), None)
        return path.read_text(errors="replace") if path else ""

    def says(self, words: str) -> bool:
        """Whether a sentence stands in a header that is read; white space and comment stars do not count."""
        for unit, _ in self.units.values():
            for file in unit.order:
                if words in " ".join(re.sub(r"^\s*\*\s|\s\*\s", " ", self.text(file), flags=re.M).split()):
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
    there = [name for name in dict.fromkeys(wanted) if tree.read(f"include/{name}") is not None
             or f"include/{name}" in patched or name in patched]  # fmt: skip
    made = TreeItems(item for patch in patches for item in extract_items(patch))
    made.tree = PatchedTree(
        tree.name, (folder / "patched", root), patched, tuple(there), config, folder / "units",
        (*passed, *applied.notes),
        changed=frozenset((file, name) for file, lines in patched.items()
                          for name in changed_names(file, tree.read(file) or "", lines)),
    )  # fmt: skip
    return made


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
    for parent in {str(Path(file).parent) for file in files if not file.startswith("include/")}:
        for other in sorted((root / parent).glob("*.h")):
            if not (folder / parent / other.name).exists():
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
