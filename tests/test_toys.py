# SPDX-License-Identifier: GPL-2.0-only
"""Small contracts over small patches: each once made the engine say something untrue."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cli import Done, check
from tests.toy_state import STATE

HEAD = """from __future__ import annotations
from dataclasses import dataclass, replace
from harness.contract import Claim, Contract, Feature, Operation, Symmetry, Threads, bound, put

"""
REST = """
CONTRACT = Contract(name="toy", title="toy", requires=("toy_inc",), headers=("linux/toy.h",), config={},
    world="int a; int b; int c[64];", init="w->a = 0;", owns=("a", "b"), state=State,
    observe={"a": "w->a", "b": "w->b"}, ghost=Ghost, operations=OPERATIONS, claims=CLAIMS,
    features=FEATURES, symmetry=SYMMETRY, threads=THREADS)
"""
DEFAULTS = f"""{STATE}OPERATIONS = (Operation("inc", "toy_inc(&w->a)", model=inc, when=below),)
CLAIMS, FEATURES, SYMMETRY, THREADS = (), (), None, None
"""
INC = "static inline void toy_inc(int *a)\n{\n	*a += 1;\n}\n"


def toy(folder: Path, code: str, contract: str, *arguments: object) -> Done:
    """`check` of a patch that adds `code`, against `contract` over the defaults."""
    path = folder / "toy.py"
    path.write_text(HEAD + DEFAULTS + contract + REST)
    return check(toy_diff(code), "--contract", path, *arguments)


def toy_diff(code: str) -> str:
    """A diff that adds a header with `code`."""
    return added_file("include/linux/toy.h", code)


def added_file(name: str, text: str) -> str:
    """A diff that adds a file."""
    lines = text.rstrip("\n").split("\n")
    diff = f"diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n+++ b/{name}\n"
    return diff + f"@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines)


QUIET = ("--walk", "0", "--no-sanitizers", "--interleave=off")


def test_a_stray_write_is_not_seen_in_other_states(tmp_path: Path) -> None:
    code = INC + "static inline void toy_b(int *b)\n{\n	*b = 1;\n}\n"
    contract = """
def set_a(s: State) -> State:
    return replace(s, a=s.a + 1)
def set_b(s: State) -> State:
    return replace(s, b=1)
def a_when(s: State) -> bool:
    return s.a == 0 and s.b == 0
def never_both(t: State) -> bool:
    return not (t.a > 0 and t.b > 0)
def a_needs_b(t: State) -> bool:
    return t.a == 0 or t.b > 0
OPERATIONS = (Operation("inc", "toy_inc(&w->a)", when=a_when, model=set_a),
              Operation("b", "toy_b(&w->b)", when=a_when, model=set_b))
CLAIMS = (Claim("never-both", "always", "t", "s", never_both),
          Claim("a-needs-b", "always", "t", "s", a_needs_b))
"""
    done = toy(tmp_path, code, contract.replace("toy_b(&w->b)", "toy_b(&w->b); w->c[3] = 1"), *QUIET)
    assert done.failed() == {"claim/a-needs-b", "conformance/b/elsewhere"}


STRAY = """static inline int toy_count(unsigned int a)
{
	int n = 0;

	for (; a; a &= a - 1)
		n++;
	return n;
}
static inline void toy_inc(int *a, int bit)
{
	*a |= 1u << bit;
}
static inline void toy_stray(int *a, int *c)
{
	if (toy_count(*a) >= 11)
		*c = 1;
}
static inline void toy_crash(int *a)
{
	if (toy_count(*a) >= 11)
		__builtin_trap();
}
"""


@pytest.mark.parametrize("crash", [True, False])
def test_a_stray_write_beyond_the_careful_states_is_found_whatever_follows(
    crash: bool, tmp_path: Path
) -> None:
    contract = """
OPERATIONS = (Operation("inc", "toy_inc(&w->a, bit)", {"bit": tuple(range(14))}),
              Operation("stray", "toy_stray(&w->a, &w->c[5])", kind="probe"),
              Operation("crash", "toy_crash(&w->a)", kind="probe"))
"""
    if not crash:
        contract = contract.replace('Operation("crash", "toy_crash(&w->a)", kind="probe")', "")
    done = toy(tmp_path, STRAY, contract, *QUIET)
    finding = done.check("conformance/stray/elsewhere")
    assert (finding["verdict"], finding["failed"], len(finding["trace"])) == ("fail", 470, 13)
    assert done.json["explored"]["states"] == 16384


def test_a_trace_that_is_too_long_to_keep_is_said(tmp_path: Path) -> None:
    code = "static inline void toy_inc(int *a)\n{\n	*a += *a == 4500 ? 2 : 1;\n}\n"
    saved = tmp_path / "saved"
    contract = DEFAULTS.replace("s.a < 5", "s.a < 5000")
    done = toy(tmp_path, code, contract, *QUIET, "--traces", saved)
    finding = done.check("conformance/inc/a")
    assert finding["verdict"] == "fail" and finding["trace"] == []
    assert "more than 4096 calls" in finding["doubt"] and list(saved.iterdir()) == []


OWNERS = """static inline void toy_inc(unsigned int *id, int mm)
{
	*id = mm;
}
static inline int toy_get(unsigned int *id)
{
	if (*id == 3)
		__builtin_trap();
	return *id;
}
static inline int toy_bad(unsigned int *id)
{
	return *id + (*id == 2);
}
"""
OWNED = """
M = bound("mms", 3, least=1, most=20)
IDS = tuple(range(1, M + 1))
@dataclass(frozen=True)
class Ghost:
    maps: tuple[int, ...] = (0,) * M
def own_g(g: Ghost, mm: int) -> Ghost:
    return replace(g, maps=put(g.maps, mm, 1))
def own(s: State, mm: int) -> State:
    return replace(s, a=IDS[mm])
def value(s: State) -> int:
    return s.a
def one(g: Ghost) -> bool:
    return sum(g.maps) == 1
SYMMETRY = Symmetry(IDS, ids=("a",), tuples=("maps",), arguments=("mm",))
OPERATIONS = (
    Operation("inc", "toy_inc((unsigned int *)&w->a, mm + 1)", {"mm": tuple(range(M))},
              model=own, ghost=own_g),
    Operation("get", "toy_get((unsigned int *)&w->a)", kind="probe", model=same, returns=value),
    Operation("bad", "toy_bad((unsigned int *)&w->a)", kind="probe", model=same, returns=value))
FEATURES = (Feature("one mapped", one),)
"""


def test_what_is_called_once_a_world_is_counted_as_that(tmp_path: Path) -> None:
    """Symmetric code: both ways the same, and nothing is said of the ghost that was met by chance."""
    even = OWNERS.replace("*id == 3", "*id").replace("(*id == 2)", "!!*id")
    said = [toy(tmp_path, even, OWNED, *QUIET, "--symmetry", how) for how in ("on", "off")]
    for name in ("crash/get", "conformance/bad/return"):
        on, off = (done.check(name) for done in said)
        assert (on["judged"], on["failed"]) == (off["judged"], off["failed"]) == (4, 3)
        assert off["common"] == []
    assert said[0].json["explored"]["symmetry"] and not said[1].json["explored"]["symmetry"]


def test_code_that_is_not_alike_is_explored_without_symmetry_where_that_shows(tmp_path: Path) -> None:
    for how in ("on", "off"):
        assert {"crash/get", "conformance/bad/return"} <= toy(tmp_path, OWNERS, OWNED, *QUIET,
                                                              "--symmetry", how).failed()  # fmt: skip


def test_a_walk_in_which_nothing_is_legal_ends(tmp_path: Path) -> None:
    start = time.monotonic()
    done = toy(tmp_path, INC, DEFAULTS.replace("s.a < 5", "s.a > 5"))
    assert done.status == 2 and "nothing could be driven" in done.err
    assert time.monotonic() - start < 15  # it took the whole limit of 20 s


def test_a_setup_that_crashes_leaves_claims_unknown(tmp_path: Path) -> None:
    contract = """
def low(t: State) -> bool:
    return t.a < 100
OPERATIONS = (*OPERATIONS, Operation("prepare", "*(volatile int *)0 = 1", kind="setup"))
CLAIMS = (Claim("low", "always", "t", "s", low),)
"""
    done = toy(tmp_path, INC, contract, *QUIET)
    assert done.check("claim/low")["verdict"] == "unknown"
    assert done.json["explored"]["unreached"] == ["prepare"] and not done.json["explored"]["complete"]


BAD = {
    "two operations of one name": ("OPERATIONS = OPERATIONS * 2", "operation inc stands 2 times"),
    "a tuple in State": (
        "@dataclass(frozen=True)\nclass State:\n    a: int = 0\n    b: tuple[int, int] = (0, 0)",
        "is a tuple"),
    "five arguments": (
        'OPERATIONS = (Operation("inc", "toy_inc(&w->a)", {n: (1,) for n in "klmno"}),)', "4 are the most"),
    "a name that is taken": (
        'OPERATIONS = (Operation("inc", "toy_inc(&w->a)", {"s": (1,)}),)', "s needs another name"),
    "too many features": ('FEATURES = tuple(Feature(str(i), below) for i in range(64))', "63 are the most"),
    "too many calls": (
        'OPERATIONS = (Operation("inc", "toy_inc(&w->a)", {"k": tuple(range(70000))}),)', "70000 calls"),
    "no function": ('CLAIMS = (Claim("c", "always", "t", "s", bool),)', "is no function"),
    "a parameter that is not there": (
        "def odd(s: State, mm: int) -> bool:\n    return True\n"
        'OPERATIONS = (Operation("inc", "toy_inc(&w->a)", when=odd),)', "takes mm, which is not given"),
    "a missing field": ("@dataclass(frozen=True)\nclass State:\n    a: int = 0", "one is missing"),
    "threads of no operation": ('THREADS = Threads({"imc": {}})', "the contract has no operation imc"),
    "threads by no argument": ('THREADS = Threads({"inc": {}}, by=("mm",))', "by has mm, which is no"),
    "threads that read nothing": (
        'THREADS = Threads({"inc": {}}, lock_free=("z",))', "lock_free has z, which State has not"),
    "an exit": ("raise SystemExit(0)", "SystemExit"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_a_faulty_contract_is_refused_with_one_line(fault: str, tmp_path: Path) -> None:
    contract, words = BAD[fault]
    done = toy(tmp_path, INC, contract, *QUIET)
    assert done.status == 2 and words in done.err and done.err.count("\n") == 1


def test_the_toy_itself_passes(tmp_path: Path) -> None:
    assert toy(tmp_path, INC, "").status == 0


def test_where_a_shim_cannot_go_on_nothing_is_said_of_the_patch(tmp_path: Path) -> None:
    """IDs in more runs than the shim holds: the kernel could free one, the shim cannot."""
    code = """static DEFINE_IDA(toy_ida);
static inline void toy_inc(int *a)
{
	ida_free(&toy_ida, 3 + 4 * (*a)++);
}
"""
    contract = """
OPERATIONS = (Operation("fill", "for (int i = 0; i < 19; i++) kc_ida_take(&toy_ida, 4 * i + 2, 4 * i + 4)",
                        kind="setup", when=fresh, ghost=filled),
              Operation("inc", "toy_inc(&w->a)", model=inc, when=full, ghost=same_g))
"""
    ghost = """
def fresh(g: Ghost) -> bool:
    return g.x == 0
def filled(g: Ghost) -> Ghost:
    return replace(g, x=1)
def full(g: Ghost, s: State) -> bool:
    return g.x == 1 and s.a < 3
def same_g(g: Ghost) -> Ghost:
    return g
"""
    rest = REST.replace('headers=("linux/toy.h",)', 'headers=("linux/idr.h", "linux/toy.h")')
    path = tmp_path / "toy.py"
    path.write_text(HEAD + DEFAULTS + ghost + contract + rest)
    done = check(toy_diff(code), "--contract", path, *QUIET)
    crash = done.check("crash/inc")
    assert (crash["verdict"], done.failed()) == ("unknown", set())
    assert "a shim cannot go on" in crash["reason"] and done.status == 2


WATCHED = """static int toy_count = 5;
static inline void toy_inc(int *a)
{
	toy_count++;
	*a = toy_count;
	toy_count += *a > 7;
}
"""


def test_a_variable_of_the_patch_is_whole_while_a_step_is_watched(tmp_path: Path) -> None:
    """Observing in the midst of a call put the value from before it back into the variable."""
    contract = """
@dataclass(frozen=True)
class State:
    a: int = 0
    b: int = 5
def inc(s: State) -> State:
    return replace(s, a=s.b + 1, b=s.b + 1)
OPERATIONS = (Operation("inc", "toy_inc(&w->a)", model=inc, when=below),)
"""
    rest = REST.replace('"b": "w->b"', '"b": "toy_count"').replace('"a": "w->a"', '"a": "w->a"')
    path = tmp_path / "toy.py"
    path.write_text(HEAD + DEFAULTS.replace("s.a < 5", "s.a < 8") + contract + rest)
    done = check(toy_diff(WATCHED), "--contract", path, *QUIET)
    finding = done.check("conformance/inc/b")
    assert [step["observed"]["b"] for step in finding["trace"]] == [5, 6, 7, 9]
    assert (finding["doubt"], finding["where"]["line"]) == ("", 6)
