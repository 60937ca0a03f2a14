# SPDX-License-Identifier: GPL-2.0-only
"""Small contracts over patches that show a part of a function, keep variables, or meet several contracts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Done, check, kconform
from tests.mails import V1
from tests.planted import plant, recount
from tests.planted_parts import DEFECTS, DROP, OFF, SPLIT
from tests.toy_state import STATE

QUICK = ("--walk", "0", "--no-sanitizers", "--interleave=off")
HEAD = (
    """from __future__ import annotations
from dataclasses import dataclass, replace
from harness.contract import SHOWN, Claim, Contract, Operation, Wrapper, bound
"""
    + STATE
    + """GO = Operation("go", "toy_go(&w->a)", model=inc, when=below)
OPERATIONS, CLAIMS = (GO,), ()
BODY = "	int b = 0;\\n\\n	(void)b;\\n" + SHOWN + "\\n"
WRAPPERS = (Wrapper("toy_go", "static void toy_go(int *a)", BODY),)
STANDINS, REQUIRES, HEADERS, CONFIG, PINNED, NAME, OBSERVE = "", ("toy_go",), (), {}, (), "toy", {}
"""
)
REST = """
CONTRACT = Contract(name=NAME, title=NAME, requires=REQUIRES, headers=HEADERS, config=CONFIG,
    world="int a; int b; int c[64];", init="w->a = 0;", owns=("a", "b"), state=State,
    observe={"a": "w->a", "b": "w->b"} | OBSERVE, ghost=Ghost, operations=OPERATIONS, claims=CLAIMS,
    wrappers=WRAPPERS, standins=STANDINS, pinned=PINNED)
"""
GOOD = " 	if (0)\n 		return;\n+	*a += 1;\n }\n"


def hunk(text: str, line: int = 100, function: str = "static void toy_go(int *a)") -> str:
    """A hunk of kernel/toy.c, whose first line is `line` of both files."""
    return f"@@ -{line},0 +{line},0 @@ {function}\n{text}"


def mail(*hunks: str, header: str = "") -> str:
    """A diff of kernel/toy.c, after one of include/linux/toy.h that adds `header`."""
    name = "kernel/toy.c"
    diff = f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n" + "".join(hunks) if hunks else ""
    if header:
        new = "include/linux/toy.h"
        text = "".join(f"+{line}\n" for line in header.rstrip("\n").split("\n"))
        first = f"diff --git a/{new} b/{new}\nnew file mode 100644\n--- /dev/null\n+++ b/{new}\n"
        diff = f"{first}@@ -0,0 +1,0 @@\n{text}{diff}"
    return recount(diff)


def contract(folder: Path, text: str = "", name: str = "toy.py") -> Path:
    path = folder / name
    path.write_text(HEAD + text + REST)
    return path


def toy(folder: Path, text: str, own: str = "", *arguments: object) -> Done:
    return check(text, "--contract", contract(folder, own), *arguments)


def test_a_fragment_is_wrapped_and_a_finding_has_the_patchs_line(tmp_path: Path) -> None:
    good = toy(tmp_path, mail(hunk(GOOD)))
    assert (good.status, good.err, good.json["subject"]["fragments"]) == (0, "", ["toy_go"])
    assert good.json["subject"]["functions"] == []
    wrong = toy(
        tmp_path,
        mail(hunk(GOOD.replace("+	", "+	b = 1;\n+	").replace("1;\n }", "2;\n }"))),
        "",
        *QUICK,
    )
    assert wrong.failed() == {"conformance/go/a"}
    assert wrong.check("conformance/go/a")["where"] == {"file": "kernel/toy.c", "line": 103}


@pytest.mark.parametrize(
    "given, line", [("	*nosuch = 1;", 103), ("	frobnicate(a);", 103), ("	if (*a > = 1) b = 1;", 103)]
)
def test_a_fragment_that_does_not_compile_is_named_and_the_rest_goes_on(
    given: str, line: int, tmp_path: Path
) -> None:
    own = 'OPERATIONS = (GO, Operation("inc", "toy_inc(&w->a)", model=inc, when=below))'
    header = "static inline void toy_inc(int *a)\n{\n	*a += 1;\n}\n"
    text = mail(hunk(GOOD.replace("+	", f"+	b = 1;\n+{given}\n+	", 1)), header=header)
    done = toy(tmp_path, text, own, *QUICK)
    assert done.status == 2 and done.err.startswith(f"kernel/toy.c:{line}: error: toy_go: "), done.err
    assert done.check("conformance/go/a")["verdict"] == "unknown"
    assert done.check("conformance/inc/a")["verdict"] == "pass"
    assert not done.json["explored"]["complete"] and done.json["explored"]["unreached"] == ["go"]


def test_nothing_and_too_much_is_unknown_with_the_reason(tmp_path: Path) -> None:
    own = 'REQUIRES = ()\nOPERATIONS = (GO, Operation("inc", "toy_inc(&w->a)", model=inc, when=below))'
    header = "static inline void toy_inc(int *a)\n{\n	*a += 1;\n}\n"
    none = toy(tmp_path, mail(header=header), own, *QUICK)
    assert none.check("conformance/go/a")["reason"] == "the patch shows nothing of toy_go"
    assert none.check("conformance/inc/a")["verdict"] == "pass"
    two = toy(tmp_path, mail(hunk(GOOD), hunk(GOOD, 200), header=header), own, *QUICK)
    why = "the patch changes toy_go in 2 places, and the contract knows 1"
    assert two.check("conformance/go/a")["reason"] == why
    assert two.check("conformance/inc/a")["verdict"] == "pass"
    alone = check(mail(hunk(GOOD), hunk(GOOD, 200)), "--contract", contract(tmp_path), *QUICK)
    assert alone.status == 2 and alone.err.count("\n") == 1 and alone.out == ""


def test_a_fragment_that_cannot_stand_by_itself_is_refused(tmp_path: Path) -> None:
    done = toy(tmp_path, mail(hunk("+	if (*a)\n }\n")), "", *QUICK)
    assert done.status == 2 and "kernel/toy.c:100: error: toy_go: what the patch adds to toy_go" in done.err


def test_a_whole_function_is_called_instead_of_the_contracts(tmp_path: Path) -> None:
    text = mail(header="static inline void toy_go(int *a)\n{\n	*a += 1;\n}\n")
    done = toy(tmp_path, text, "", *QUICK)
    assert (done.status, done.json["subject"]["functions"]) == (0, ["toy_go"])
    assert done.json["subject"]["fragments"] == []


STANDIN_MACRO = 'STANDINS = "#define toy_step(a) (*(a) += 1)\\n"'
STANDIN = 'STANDINS = "static void toy_step(int *a)\\n{\\n	*a += 1;\\n}\\n"'


def test_a_stand_in_gives_way_to_what_the_patch_adds(tmp_path: Path) -> None:
    step = "static void toy_step(int *a)\n{\n	*a += 2;\n}\n"
    calls = hunk(GOOD.replace("*a += 1", "toy_step(a)"), 200)
    missing = toy(tmp_path, mail(calls), STANDIN, *QUICK)
    assert (missing.status, missing.failed()) == (0, set())
    shown = "".join(f" {line}\n" for line in step.splitlines())
    context = toy(tmp_path, mail(hunk(shown + " \n+/* more */\n", 10, ""), calls), STANDIN, *QUICK)
    assert (context.status, context.failed()) == (0, set())
    own = hunk("".join(f"+{line}\n" for line in step.splitlines()), 10, "")
    for standin in (STANDIN, STANDIN_MACRO):
        new = toy(tmp_path, mail(own, calls), standin, *QUICK)
        assert (new.status, new.failed(), new.err) == (1, {"conformance/go/a"}, "")
        assert new.check("conformance/go/a")["where"]["line"] in (12, 202)  # it may be inlined


COUNTER = """static int toy_calls = 3;

static inline void toy_go(int *a)
{
	if (toy_calls++ == 4)
		*a = 77;
	else
		*a += 1;
}
"""


def test_a_variable_of_the_patch_is_state(tmp_path: Path) -> None:
    """From its initial value, again in each trace, also under sanitizers and in walks."""
    done = toy(tmp_path, mail(header=COUNTER))
    finding = done.check("conformance/go/a")
    assert (finding["verdict"], len(finding["trace"])) == ("fail", 3)
    assert finding["where"]["line"] == 6
    assert finding["trace"][2]["observed"]["a"] == 77 and finding["doubt"] == ""
    assert done.check("conformance/go/elsewhere")["verdict"] == "pass"
    assert done.check("sanitizer/go")["verdict"] == "pass" and done.json["hidden_state"] == []
    assert check(mail(header=COUNTER), "--contract", tmp_path / "toy.py").untimed == done.untimed


def test_a_variable_that_is_looked_at_reads_as_the_code_left_it(tmp_path: Path) -> None:
    """The write of a wrong value is looked for by observing in the middle of a call."""
    own = 'OBSERVE = {"b": "toy_calls"}'
    text = COUNTER.replace("toy_calls = 3", "toy_calls").replace("toy_calls++ == 4", "toy_calls++ < 0")
    finding = toy(tmp_path, mail(header=text), own, *QUICK).check("conformance/go/b")
    assert (finding["trace"][-1]["observed"]["b"], finding["trace"][-1]["expected"]["b"]) == (1, 0)
    assert finding["where"]["line"] == 5


def test_a_variable_begins_anew_in_walks_and_sanitized(tmp_path: Path) -> None:
    own = """
OPERATIONS = (Operation("go", "toy_go(&w->a)", {"k": ()}, {"k": (1, 2)}, when=below),
              Operation("look", "toy_look()", {"k": (1,)}, kind="probe", when=fresh, returns=three))
"""
    own = (
        "def fresh(s: State) -> bool:\n    return s.a == 0\ndef three(s: State) -> int:\n    return 3\n" + own
    )
    header = "static int toy_calls = 3;\n\nstatic inline void toy_go(int *a)\n{\n	toy_calls++;\n"
    header += "	*a += 1;\n}\n"
    header += "static inline int toy_look(void)\n{\n	return toy_calls;\n}\n"
    done = toy(tmp_path, mail(header=header), own, "--walk", "5000")
    assert (done.status, done.failed()) == (0, set())
    assert done.json["walk"]["transitions"] == 5000


@pytest.mark.parametrize("how", ["static const int toy_calls = 0;", "extern int toy_calls;\nint toy_calls;"])
def test_what_no_call_can_change_is_no_state(how: str, tmp_path: Path) -> None:
    header = f"{how}\n\nstatic inline void toy_go(int *a)\n{{\n	*a += 1 + toy_calls;\n}}\n"
    done = toy(tmp_path, mail(header=header))
    assert (done.status, done.failed(), done.err) == (0, set(), "")


def test_the_variable_begins_anew_for_each_mutant(tmp_path: Path) -> None:
    """Five calls count from 3 to 7, whatever ran before: a mutant that asks for 8 is never told apart."""
    text = mail(header=COUNTER.replace("toy_calls++ == 4", "toy_calls++ == 9"))
    own = contract(tmp_path)
    first, second = (kconform("mutate", "-", "--contract", own, "--jobs", n, stdin=text) for n in (1, 2))
    assert first == second and first.status == 0
    assert "8 of 8 mutants killed" in first.out and "+	if (toy_calls++ == 8)" in first.out


@pytest.mark.parametrize("given", ["static int n;", "static DEFINE_IDA(ida);"])
def test_a_static_variable_in_a_fragment_is_said(given: str, tmp_path: Path) -> None:
    own = 'HEADERS = ("linux/idr.h",)'
    done = toy(tmp_path, mail(hunk(GOOD.replace("+	", f"+	{given}\n+\n+	", 1))), own, *QUICK)
    (said,) = done.json["hidden_state"]
    assert said.startswith("kernel/toy.c:102: toy_go keeps state in a static variable")


@pytest.mark.parametrize(
    "given, word",
    [
        ('	asm volatile("nop");', "inline assembly"),
        ('#include "/etc/passwd"', "#include"),
        ("	static int n __attribute__((section(\"x\")));", "attribute section"),
    ],
)  # fmt: skip
def test_unsafe_code_in_a_fragment_is_refused(given: str, word: str, tmp_path: Path) -> None:
    done = toy(tmp_path, mail(hunk(GOOD.replace("+	", f"+{given}\n+	", 1))), "", *QUICK)
    assert done.status == 2 and word in done.err and done.out == "", done.err
    assert done.err.startswith("kernel/toy.c:102: ")


def test_crashes_loops_and_reports_in_a_fragment_have_its_line(tmp_path: Path) -> None:
    def of(given: str, *arguments: object) -> Done:
        return toy(tmp_path, mail(hunk(GOOD.replace("+	", f"+	{given}\n+	", 1))), "", *arguments)

    crash = of("if (*a == 2)\n+		*(volatile int *)0 = b;", *QUICK).check("crash/go")
    assert (crash["verdict"], len(crash["trace"]), crash["where"]["line"]) == ("fail", 4, 103)
    loop = of("while (*(volatile int *)a == 2)\n+		b++;", *QUICK).check("crash/go")
    assert (loop["verdict"], len(loop["trace"])) == ("fail", 4) and loop["where"]["line"] in (102, 103)
    wild = of("a[*a - 100] = 1;", "--walk", "0")
    report = next(c for c in wild.json["checks"] if c["id"].startswith("sanitizer/go/"))
    assert report["where"] == {"file": "kernel/toy.c", "line": 102}


def test_coverage_counts_a_fragments_lines(tmp_path: Path) -> None:
    text = mail(hunk(GOOD.replace("+	", "+	if (*a == 99)\n+		b = 1;\n+	", 1)))
    said = toy(tmp_path, text, "", *QUICK, "--coverage").json["coverage"]
    (function,) = said["functions"]
    assert (function["name"], function["file"], function["called"]) == ("toy_go", "kernel/toy.c", True)
    assert [(row["line"], row["count"]) for row in function["counts"]] == [(102, 5), (103, 0), (104, 5)]
    assert [missed["line"] for missed in said["missed"]] == [102, 103]


OUTLOOK = """
def minus(s: State) -> int:
    return -1
OPERATIONS = (GO, Operation("far", "w->b + 3", kind="outlook", title="far ahead", sentence="we could",
                            outcome="it stops at {}", returns=minus))
"""


def test_an_outlook_is_said_and_is_no_finding(tmp_path: Path) -> None:
    done = toy(tmp_path, mail(hunk(GOOD)), OUTLOOK)
    assert (done.status, done.failed(), done.err) == (0, set(), "")
    assert not any("far" in c["id"] for c in done.json["checks"])
    (said,) = done.json["outlooks"]
    assert (said["id"], said["verdict"], said["reason"]) == ("outlook/far", "fail", "it stops at 3")
    text = kconform("check", "-", "--contract", tmp_path / "toy.py", *QUICK, stdin=mail(hunk(GOOD))).out
    assert text.startswith("PASS") and "outlook, no finding: far ahead: it stops at 3" in text
    assert 'the patch says: "we could"' in text
    good = toy(tmp_path, mail(hunk(GOOD)), OUTLOOK.replace("w->b + 3", "-1"), *QUICK)
    assert [c["verdict"] for c in good.json["outlooks"]] == ["pass"]
    strict = toy(tmp_path, mail(hunk(GOOD)), OUTLOOK, *QUICK, "--strict")
    assert strict.status == 0


def test_a_long_operation_is_not_called_where_it_would_be_slow(tmp_path: Path) -> None:
    """It counts its own calls, in a variable of the patch; a second one would show."""
    own = """
def once(s: State) -> int:
    return 1
def fresh(s: State) -> bool:
    return s.a == 0
OPERATIONS = (Operation("go", "toy_go(&w->a)", {"k": (1,)}, {"k": (1, 2)}, model=inc, when=below),
              Operation("long", "toy_long()", kind="probe", when=fresh, long=True, returns=once))
"""
    header = "static inline int toy_long(void)\n{\n	return 1;\n}\n"
    done = toy(tmp_path, mail(hunk(GOOD), header=header), own, "--walk", "1000")
    assert (done.status, done.failed()) == (0, set())
    assert done.check("conformance/long/return")["judged"] == 1
    assert not any(c["id"] == "sanitizer/long" for c in done.json["checks"])
    assert done.check("sanitizer/go")["verdict"] == "pass"
    wrong = toy(tmp_path, mail(hunk(GOOD), header=header.replace("1", "2")), own, "--walk", "1000")
    assert (
        wrong.failed() == {"conformance/long/return"}
        and wrong.check("conformance/long/return")["judged"] == 1
    )


def test_a_pinned_option_is_not_set_otherwise(tmp_path: Path) -> None:
    own = 'CONFIG, PINNED = {"CONFIG_TOY": True, "CONFIG_OTHER": True}, ("CONFIG_TOY",)'
    done = toy(tmp_path, mail(hunk(GOOD)), own, *QUICK, "--config", "CONFIG_TOY=n")
    assert (done.status, done.out) == (2, "") and "toy is for CONFIG_TOY=y" in done.err
    assert toy(tmp_path, mail(hunk(GOOD)), own, *QUICK, "--config", "CONFIG_OTHER=n").status == 0


# Several contracts: those that ship, over the bundled patch.

UNDER = "+#ifdef CONFIG_MM_ID\n+static DEFINE_IDA(mm_ida);\n"


def test_findings_of_several_contracts_are_one_report() -> None:
    edits = [
        *DEFECTS[DROP]["the ID is kept"][1],
        *DEFECTS[SPLIT]["kept"][1],
        *DEFECTS[OFF]["allocation fails"][1],
    ]
    done = check(plant(*edits), *QUICK)
    found = {(c["contract"], c["part"]) for c in done.json["checks"] if c["verdict"] == "fail"}
    assert found >= {("mm-ids", DROP), ("large-folio-life", SPLIT), ("without-mm-id", OFF)}
    assert [c["id"] for c in done.json["checks"]].count("crash/deadlock") == 1
    assert check(plant(*edits), *QUICK).untimed == done.untimed


def test_a_lock_that_is_left_held_is_said_of_the_contracts_that_see_it() -> None:
    end = (
        "+		folio_set_large_mapped_exclusively(folio);\n+	folio_unlock_large_mapcount_data(folio);\n"
    )
    done = check(plant((end, end.partition("\n")[0] + "\n")), *QUICK)
    stuck = [c for c in done.json["checks"] if c["id"] == "crash/deadlock"]
    assert {c["verdict"] for c in stuck} == {"fail"} and "mm-owner-tracking" in {c["contract"] for c in stuck}


def test_a_contract_that_cannot_be_compiled_is_named_and_the_others_go_on() -> None:
    done = check(plant((UNDER, UNDER.replace("ifdef", "ifndef"))), *QUICK)
    assert done.status == 1 and "mm_ida" in done.err
    failed = {said["contract"]: said["reason"] for said in done.json["not_compiled"]}
    assert set(failed) == {"mm-ids"}
    names = [part["name"] for part in done.json["contracts"]]
    assert "mm-owner-tracking" in names and "mm-ids" not in names
    text = kconform("check", "-", *QUICK, stdin=plant((UNDER, UNDER.replace("ifdef", "ifndef")))).out
    assert "not compiled: mm-ids: " in text


def test_a_static_contract_alone() -> None:
    done = check(V1, "--contract", "mm-owner-layout")
    assert (done.status, done.err) == (0, "")
    assert {c["part"] for c in done.json["checks"]} == {"struct layout"} and done.json["contracts"] == []


def test_a_bound_goes_to_the_contracts_that_have_it() -> None:
    done = check(V1, *QUICK, "--bound", "mms=2")
    bounds = {part["name"]: part["bounds"] for part in done.json["contracts"]}
    assert bounds["mm-owner-tracking"]["mms"] == 2 and bounds["mm-ids"] == {}
    wrong = check(V1, *QUICK, "--bound", "cats=2")
    assert (wrong.status, wrong.out) == (2, "") and "no bound cats" in wrong.err
