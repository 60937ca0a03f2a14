# SPDX-License-Identifier: GPL-2.0-only
"""A pytest plugin: `pytest --kconform PATCH` makes a test of every check.

The check runs once, when tests are collected; under xdist one worker runs it and the others read what it
found. Names are those of the reports: kconform::<contract>::<check>.
"""

from __future__ import annotations

import fcntl
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # pytest starts without what a check needs, where none is asked for
    from harness.report.document import Case, Document
    from harness.report.outline import Outline


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plugin's options."""
    group = parser.getgroup("kconform", "kconform: checks of a kernel patch as tests")
    group.addoption("--kconform", action="append", default=[], metavar="PATCH", help="the patch, or a series")
    group.addoption("--kconform-tree", metavar="DIR", help="the kernel tree that it is on, or is checked")
    group.addoption("--kconform-args", default="", metavar="WORDS", help="more options of kconform check")


def asked(config: pytest.Config) -> bool:
    """Whether there is anything to check."""
    return bool(config.getoption("--kconform") or config.getoption("--kconform-tree"))


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Without a file or a folder named, only the checks are tests: a kernel tree has files called test_*."""
    named = config.args_source is not pytest.Config.ArgsSource.INVOCATION_DIR
    return True if asked(config) and not named else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Adds a test for each check, before others choose among the tests."""
    if not asked(config):
        return
    from extractor.errors import ExtractError
    from harness.errors import HarnessError
    from harness.report.outline import of_check

    try:
        outline = of_check(found(config))
    except (ExtractError, HarnessError) as err:
        raise pytest.UsageError(" ".join(str(err).split())) from None
    top = Group.from_parent(session, name="kconform", nodeid="kconform")
    for suite in outline.suites:
        group = Group.from_parent(top, name=suite.name)
        items += [
            CheckItem.from_parent(group, name=case.id, case=case, outline=outline) for case in suite.cases
        ]
    items += [LostItem.from_parent(top, name=f"compiled {number}", said=said)
              for number, said in enumerate(outline.errors, 1)]  # fmt: skip


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Gives the workers of xdist a folder to share what the first of them finds."""
    if asked(node.config):
        node.workerinput["kconform"] = shared(node.config)


FOLDER = pytest.StashKey[str]()


def shared(config: pytest.Config) -> str:
    """That folder; it goes when the run ends."""
    if FOLDER not in config.stash:
        config.stash[FOLDER] = tempfile.mkdtemp(prefix="kconform-")
    return config.stash[FOLDER]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leaves nothing behind."""
    if FOLDER in config.stash:
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


def found(config: pytest.Config) -> Document:
    """The check: run, or read from the worker that ran it."""
    folder = getattr(config, "workerinput", {}).get("kconform")
    if folder is None:
        return run(config)
    from harness.report.shards import dumped, loaded

    path = Path(folder) / "check.json"
    with open(Path(folder) / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            path.write_text(dumped(run(config)))
    return loaded(path.read_text())


def run(config: pytest.Config) -> Document:
    """Runs the check."""
    from kconform import checked

    words = ["check", *config.getoption("--kconform")]
    if tree := config.getoption("--kconform-tree"):
        words += ["--tree", tree]
    return checked([*words, *shlex.split(config.getoption("--kconform-args"))])


class Group(pytest.Collector):
    """All checks, or those of one contract."""

    def collect(self) -> Iterator[pytest.Item]:
        return iter(())


class CheckItem(pytest.Item):
    """One check: it fails with what the report says of it."""

    def __init__(self, *, case: Case, outline: Outline, **rest: Any) -> None:
        super().__init__(**rest)
        self.case, self.outline = case, outline
        self.strict = "--strict" in shlex.split(self.config.getoption("--kconform-args"))

    def runtest(self) -> None:
        case = self.case
        if case.known:
            pytest.xfail(f"known: {case.known.reason}")
        if case.inherited:
            pytest.skip("the base fails it as well")
        if case.verdict == "unknown" and not self.strict:
            pytest.skip(f"unknown: {case.reason}")
        if case.verdict == "unknown":
            pytest.fail(f"unknown: {case.reason}", pytrace=False)
        if case.verdict == "fail":
            raise FindingError

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if not isinstance(excinfo.value, FindingError):
            return super().repr_failure(excinfo, style)
        from harness.report.outline import told

        return "\n".join([*self.outline.words(self.case), *told(self.case)])

    def reportinfo(self) -> tuple[str, int | None, str]:
        case = self.case
        return case.file or "kconform", case.line - 1 if case.line else None, f"{case.contract}: {case.id}"


class LostItem(pytest.Item):
    """What could not be compiled: it was not checked."""

    def __init__(self, *, said: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.said = said

    def runtest(self) -> None:
        pytest.fail(self.said, pytrace=False)

    def reportinfo(self) -> tuple[str, None, str]:
        return "kconform", None, self.name


class FindingError(Exception):
    """A check that fails."""
