# SPDX-License-Identifier: GPL-2.0-only
"""Contract files: which there are, and one loaded for given bounds."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from harness.contract import CONTRACTS, Bounds, Contract, Loaded, loading
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
    """The names of the contracts that ship with kconform and are run."""
    files = (path for path in CONTRACTS.glob("*.py") if not path.stem.startswith("_"))
    return sorted(path.stem.replace("_", "-") for path in files if not is_static(path))


def is_static(path: Path) -> bool:
    """Whether a contract file claims something of records and options, and runs nothing."""
    return "\nCONTRACT = StaticContract(" in path.read_text(encoding="utf-8")


def load(path: Path, bounds: Mapping[str, int]) -> Loaded:
    """Run the contract file at `path` with `bounds`; HarnessError where it is not a contract."""
    try:
        source = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise HarnessError(f"{path}: error: the file is no UTF-8 text") from None
    used = Bounds(dict(bounds))
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
    contract = module.__dict__.get("CONTRACT")
    if not isinstance(contract, Contract):
        raise HarnessError(f"{path}: error: the file defines no CONTRACT")
    wrong = next(faults(contract), "")
    if wrong:
        raise HarnessError(f"{path}: error: contract {contract.name}: {wrong}")
    unknown = set(bounds) - set(used.used)
    if unknown:
        known = ", ".join(sorted(used.used))
        raise HarnessError(
            f"contract {contract.name} has no bound {', '.join(sorted(unknown))}; it has: {known}"
        )
    return Loaded(contract, path, source, tree, module.__dict__, used.used)


def in_walk(loaded: Loaded) -> Loaded:
    """The contract in the bounds of its random walks."""
    walk = loaded.contract.walk
    return load(loaded.path, walk).bound(loaded.binding) if walk else loaded
