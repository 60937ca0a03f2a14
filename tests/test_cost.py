# SPDX-License-Identifier: GPL-2.0-only
"""What two revisions cost: counted, the same on every run, and as callgrind counts it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from extractor.items import Item
from harness.build import NATIVE
from harness.check import choose
from harness.contract import Loaded
from harness.diff.cost import Cost, Costs, Side, costs
from harness.report.cost import cost_text
from kernel_snippets import BUNDLED_PATCH
from tests.mails import items_of, next_revision
from tests.planted import plant

LOCKED = "+	folio_lock_large_mapcount_data(folio);\n"
ADD = LOCKED + "+	/*\n+	 * We expect that unmapped folios"


def side(path: Path) -> tuple[Loaded, Sequence[Item]]:
    items = items_of(path)
    return choose("mm-owner-tracking", items, {}, {}).driven[0], items


def planted(folder: Path, *edits: tuple[str, str]) -> tuple[Loaded, Sequence[Item]]:
    path = folder / "planted.txt"
    path.write_text(plant(*edits))
    return side(path)


def before_add(code: str) -> tuple[str, str]:
    """An edit that has add() do more when it has the lock."""
    return ADD, ADD.replace(LOCKED, f"{LOCKED}+	{code}\n")


def cost(of: Side, operation: str) -> Cost:
    return next(cost for cost in of.operations if cost.operation == operation)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Costs]:
    folder = tmp_path_factory.mktemp("cost") / "made"
    return folder, costs(side(BUNDLED_PATCH), side(next_revision()), folder)


def test_two_revisions(compiled: tuple[Path, Costs]) -> None:
    found = compiled[1]
    assert not found.reasons and found.options == "gcc -O2, CONFIG_DEBUG_VM=n"
    for each in (found.old, found.new):
        add = cost(each, "add")
        assert add.function == "folio_add_large_mapcount" and add.calls > 30
        assert add.rmw == (1, 1) and add.lines == (3, 3)  # of the folio, of the VMA, of the MM
        assert add.instructions and 10 < add.instructions[0] <= add.instructions[2] < 100
        code = next(code for code in each.functions if code.function == add.function)
        assert 50 < code.bytes < 500 and code.stack
    text = cost_text(found)
    assert "folio_lock_large_mapcount_data (now folio_lock_large_mapcount): instructions" in text
    assert "RMW 1;" in text and "inc" not in text  # a macro for add
    assert max(map(len, text.splitlines())) <= 100


def test_a_revision_costs_what_it_costs(tmp_path: Path) -> None:
    found = costs(side(BUNDLED_PATCH), side(BUNDLED_PATCH), tmp_path / "made")
    assert found.old == found.new
    assert "the same in 13 functions" in cost_text(found) and "->" not in cost_text(found)


def test_the_numbers_are_the_same_on_every_run(compiled: tuple[Path, Costs], tmp_path: Path) -> None:
    assert costs(side(BUNDLED_PATCH), side(next_revision()), tmp_path / "made") == compiled[1]


def test_what_is_added_is_counted(tmp_path: Path) -> None:
    more = "for (volatile int i = 0; i < 100; i++) atomic_inc(&folio->_large_mapcount);"
    back = "atomic_sub(100, &folio->_large_mapcount);"
    found = costs(side(BUNDLED_PATCH), planted(tmp_path, before_add(f"{more} {back}")), tmp_path / "made")
    old, new = cost(found.old, "add"), cost(found.new, "add")
    assert old.rmw == (1, 1) and new.rmw == (102, 102)
    assert old.instructions and new.instructions and new.instructions[0] - old.instructions[2] > 300
    assert cost(found.old, "sub") == cost(found.new, "sub")
    text = cost_text(found)
    assert "RMW 1 -> 102;" in text and "folio_add_large_mapcount" in text.splitlines()[2]
    assert "folio_sub_large_mapcount" not in text


def test_a_line_of_the_world_more(tmp_path: Path) -> None:
    found = costs(
        side(BUNDLED_PATCH), planted(tmp_path, before_add("folio->flags |= 0x100;")), tmp_path / "made"
    )
    assert cost(found.old, "add").lines == (3, 3) and cost(found.new, "add").lines == (4, 4)
    assert "lines 3 -> 4" in cost_text(found)


@pytest.mark.parametrize(
    "code",
    [
        "while (diff > 1) ;",
        "if (diff > 1) folio_lock_large_mapcount_data(folio);",
        "if (diff > 1) *(int *)8 = 0;",
    ],
    ids=["endless", "deadlock", "crash"],
)
def test_calls_that_do_not_come_back_are_left_out(code: str, tmp_path: Path) -> None:
    found = costs(side(BUNDLED_PATCH), planted(tmp_path, before_add(code)), tmp_path / "made")
    assert not found.reasons
    old, new = cost(found.old, "add"), cost(found.new, "add")
    assert old.calls == new.calls > 0 and new.rmw == (1, 1)


def test_what_does_not_compile_is_left_out(tmp_path: Path) -> None:
    found = costs(side(BUNDLED_PATCH), planted(tmp_path, before_add("int x = ;")), tmp_path / "made")
    assert "add" not in {cost.operation for cost in (*found.old.operations, *found.new.operations)}
    assert cost(found.old, "sub").instructions == cost(found.new, "sub").instructions
    assert "add_large" not in cost_text(found)


def test_nothing_in_common(tmp_path: Path) -> None:
    found = costs(side(BUNDLED_PATCH), (side(BUNDLED_PATCH)[0], []), tmp_path / "made")
    assert found.reasons[0].startswith("cost is not known: ")
    assert cost_text(found) == f"{found.reasons[0]}\n"


CALLER = """
#include <dlfcn.h>
#include <stdlib.h>
#include "subject.h"
int main(int argc, char **argv)
{
	const struct kc_subject *(*entry)(void) = dlsym(dlopen(argv[1], RTLD_NOW), "kc_entry");
	const struct kc_subject *s = entry();
	kc_i64 args[4] = { 0, 1 };

	(void)argc;
	s->init();
	s->apply(atoi(argv[2]), args);
	return 0;
}
"""


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
@pytest.mark.parametrize(("name", "number"), [("old", 1), ("new", 0)])
def test_callgrind_counts_the_same(
    compiled: tuple[Path, Costs], name: str, number: int, tmp_path: Path
) -> None:
    folder, found = compiled
    (tmp_path / "caller.c").write_text(CALLER)
    subprocess.run(["gcc", "-O1", "-I", NATIVE, "caller.c", "-o", "caller"], cwd=tmp_path, check=True)
    counted = tmp_path / "counted"
    subprocess.run(
        ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={counted}", "--dump-line=yes",
         "./caller", folder / name / "apart/subject.so", str(number)],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    shown = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", counted],
                           capture_output=True, text=True, check=True).stdout  # fmt: skip
    own = [line for line in shown.splitlines()
           if "apart/include/" in line and ":folio_set_large_mapcount" in line]  # fmt: skip
    total = sum(int(line.split()[0].replace(",", "")) for line in own)
    expected = cost({"old": found.old, "new": found.new}[name], "set").instructions
    assert expected == (total, total, total)
