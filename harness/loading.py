# SPDX-License-Identifier: GPL-2.0-only
"""Contract files: which there are, and one loaded for given bounds."""

from __future__ import annotations

import ast
import contextlib
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType

from harness.contract import CONTRACTS, Bounds, Contract, Loaded, Source, StaticContract, loading
from harness.errors import HarnessError
from harness.validate import faults


def contract_path(name: str) -> Path:
    """The file of contract `name`: a path that ends in .py, or one that ships."""
    path = Path(name) if name.endswith(".py") else CONTRACTS / (name.replace("-", "_") + ".py")
    if not path.is_file():
        known = ", ".join(shipped())
        raise HarnessError(f"no contract {name}; give a .py file or one of: {known}")
    return path


def shipped() -> list[str]:
    """The names of the contracts that ship with kconform."""
    return sorted(p.stem.replace("_", "-") for p in CONTRACTS.glob("*.py") if not p.stem.startswith("_"))


def is_static(path: Path) -> bool:
    """Whether a contract file claims something of records and options, and runs nothing."""
    return bool(re.search(r"^CONTRACT\b[^=\n]*=\s*StaticContract\(", source_of(path), re.M))


def source_of(path: Path) -> str:
    """The text of a contract file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise HarnessError(f"{path}: error: the file is no UTF-8 text") from None


def load_static(path: Path) -> StaticContract:
    """The static contract in the file at `path`; HarnessError where there is none."""
    contract = execute(path, Bounds({}))[0].namespace.get("CONTRACT")
    if not isinstance(contract, StaticContract):
        raise HarnessError(f"{path}: error: the file defines no CONTRACT")
    return contract


def load(path: Path, bounds: Mapping[str, int]) -> Loaded:
    """Run the contract file at `path` with `bounds`; HarnessError where it is not a contract."""
    used = Bounds(dict(bounds))
    sources = execute(path, used)
    contract = sources[0].namespace.get("CONTRACT")
    if not isinstance(contract, Contract):
        raise HarnessError(f"{path}: error: the file defines no CONTRACT")
    wrong = next(faults(contract), "")
    if wrong:
        raise HarnessError(f"{path}: error: contract {contract.name}: {wrong}")
    unknown = set(bounds) - set(used.used)
    if unknown:
        known = ", ".join(sorted(used.used))
        raise HarnessError(
            f"contract {contract.name} has no bound {', '.join(sorted(unknown))}; it has: {known or 'none'}"
        )
    return Loaded(contract, sources, used.used)


def variants(loaded: Loaded) -> Iterator[Loaded]:
    """A contract as it is, in each of its bindings, and those of other revisions, in theirs.

    Bindings that ask for more than other names are the more particular ones, and stand first.
    """
    bindings = loaded.contract.bindings
    for number in sorted(range(-1, len(bindings)), key=lambda n: n < 0 or not bindings[n].requires):
        yield loaded.bound(number)
    for name in loaded.contract.revisions:
        beside = loaded.path.parent / "revisions" / f"{name}.py"
        path = beside if beside.is_file() else CONTRACTS / "revisions" / f"{name}.py"
        if not path.is_file():
            raise HarnessError(f"{loaded.path}: error: there is no {beside} for revision {name}")
        yield from variants(load(path, loaded.bounds))


@contextlib.contextmanager
def imported_anew() -> Iterator[dict[str, ModuleType]]:
    """Contract files that are imported in here are run for its bounds and settings; these modules."""
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(IMPORTED)}
    found: dict[str, ModuleType] = {}
    try:
        yield found
    finally:
        found |= {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(IMPORTED)}
        sys.modules |= before


IMPORTED = "harness.contracts."


@cache
def parsed(path: Path, text: str) -> ast.Module:
    """The AST of a contract file."""
    return ast.parse(text, str(path))


@cache
def compiled(path: Path, text: str) -> CodeType:
    """The code of a contract file."""
    return compile(parsed(path, text), str(path), "exec")


def execute(path: Path, used: Bounds) -> tuple[Source, ...]:
    """Runs a contract file; its source, and those of the contract files that it imports from."""
    text = source_of(path)
    module = ModuleType("kconform_contract_" + path.stem)
    module.__file__ = str(path)
    token = loading.set(used)
    try:
        tree = parsed(path, text)
        sys.modules[module.__name__] = module  # dataclasses look their module up
        with imported_anew() as others:
            exec(compiled(path, text), module.__dict__)
    except HarnessError:
        raise
    except SyntaxError as err:
        raise HarnessError(f"{path}:{err.lineno}: error: {err.msg}") from None
    except (Exception, SystemExit) as err:
        raise HarnessError(f"{path}: error: {type(err).__name__}: {err}") from None
    finally:
        loading.reset(token)
    own = Source(path, text, tree, module.__dict__)
    return (own, *(imported(other) for other in others.values() if not hasattr(other, "__path__")))


def imported(module: ModuleType) -> Source:
    """The source of a contract file that another one imports from."""
    path = Path(str(module.__file__))
    text = source_of(path)
    return Source(path, text, parsed(path, text), module.__dict__)


def without_unknown(path: Path, bounds: Mapping[str, int]) -> dict[str, int]:
    """Those of `bounds` that the contract file at `path` has; whether any has the rest is said later."""
    known = load(path, {}).bounds if bounds else {}
    return {name: value for name, value in bounds.items() if name in known}


def in_walk(loaded: Loaded) -> Loaded:
    """The contract in the bounds of its random walks; itself where it has none of its own."""
    walk = loaded.contract.walk
    if not walk:
        return loaded
    wide = load(loaded.path, walk).bound(loaded.binding).under(loaded.config)
    return wide.without(loaded.absent, loaded.elsewhere)
