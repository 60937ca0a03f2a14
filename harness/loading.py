# SPDX-License-Identifier: GPL-2.0-only
"""Contract files: which there are, and one loaded for given bounds."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.contract import CONTRACTS, Bounds, Contract, Loaded, StaticContract, loading
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
    contract = execute(path, source_of(path), Bounds({}))[1].get("CONTRACT")
    if not isinstance(contract, StaticContract):
        raise HarnessError(f"{path}: error: the file defines no CONTRACT")
    return contract


def load(path: Path, bounds: Mapping[str, int]) -> Loaded:
    """Run the contract file at `path` with `bounds`; HarnessError where it is not a contract."""
    source, used = source_of(path), Bounds(dict(bounds))
    tree, namespace = execute(path, source, used)
    contract = namespace.get("CONTRACT")
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
    return Loaded(contract, path, source, tree, namespace, used.used)


def execute(path: Path, source: str, used: Bounds) -> tuple[ast.Module, dict[str, Any]]:
    """Runs a contract file; its module, as Python's AST and as names."""
    module = ModuleType("kconform_contract_" + path.stem)
    module.__file__ = str(path)
    token = loading.set(used)
    try:
        tree = ast.parse(source, str(path))
        sys.modules[module.__name__] = module  # dataclasses look their module up
        exec(compile(tree, str(path), "exec"), module.__dict__)
    except HarnessError:
        raise
    except SyntaxError as err:
        raise HarnessError(f"{path}:{err.lineno}: error: {err.msg}") from None
    except (Exception, SystemExit) as err:
        raise HarnessError(f"{path}: error: {type(err).__name__}: {err}") from None
    finally:
        loading.reset(token)
    return tree, module.__dict__


def without_unknown(path: Path, bounds: Mapping[str, int]) -> dict[str, int]:
    """Those of `bounds` that the contract file at `path` has; whether any has the rest is said later."""
    known = load(path, {}).bounds if bounds else {}
    return {name: value for name, value in bounds.items() if name in known}


def in_walk(loaded: Loaded) -> Loaded:
    """The contract in the bounds of its random walks; itself where it has none of its own."""
    walk = loaded.contract.walk
    if not walk:
        return loaded
    return load(loaded.path, walk).bound(loaded.binding).under(loaded.config).without(loaded.absent)
