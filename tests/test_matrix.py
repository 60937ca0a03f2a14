# SPDX-License-Identifier: GPL-2.0-only
"""Every configuration of the bundled patch in one command, and of the patch with defects planted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli import Done, kconform, once
from tests.mails import V1
from tests.planted import added, plant

ROOT = Path(__file__).parents[1]
CLAIM = "claim/no-false-shared-with-two-mms"
KNOWN = {CLAIM, "conformance/add/exclusive", "conformance/inc/exclusive"}
DEPENDS = "+	depends on TRANSPARENT_HUGEPAGE && 64BIT\n"
REFUSED = "MM_ID=y needs 64BIT=y: mm/Kconfig:851: depends on TRANSPARENT_HUGEPAGE && 64BIT"
KCONFIG = V1[V1.index("diff --git a/mm/Kconfig") : V1.index("diff --git a/mm/huge_memory.c")]
RMAP_END = " /* RMAP flags, currently only relevant for some anon rmap operations. */\n"
SUB = """+	VM_WARN_ON_ONCE(diff <= 0 || mm_id < MM_ID_MIN || mm_id > MM_ID_MAX);
+
+	folio_lock_large_mapcount_data(folio);
+	mapcount_val = atomic_read(&folio->_large_mapcount) - diff;
"""
SPEEDY = ("--walk", "0", "--no-sanitizers")


def matrix(text: str, *arguments: object, form: str = "json", env: dict[str, str] | None = None) -> Done:
    return kconform("check", "-", "--matrix", "--format", form, *arguments, stdin=text, env=env)


def plain() -> Done:
    """What an exploration alone finds in the bundled patch."""
    return once("check", "-", "--matrix", "--format", "json", *SPEEDY, stdin=V1)


def verdicts(done: Done) -> list[str]:
    return [cell["verdict"] for cell in done.json["cells"]]


def fresh(done: Done) -> dict[str, Any]:
    """The findings that the bundled patch has not, by id."""
    return {found["id"]: found for found in done.json["findings"] if found["id"] not in KNOWN}


def said(done: Done, name: str) -> Any:
    return next(check for check in done.json["beside"] if check["id"] == name)


def test_the_bundled_patch() -> None:
    done = plain()
    assert done.status == 1 and not done.err
    assert verdicts(done) == ["FAIL", "FAIL", "PASS", "PASS", "REFUSED", "REFUSED", "COMPILES", "COMPILES"]
    cells = done.json["cells"]
    assert [(c["word"], *c["varied"].values()) for c in cells] == [
        (word, own, debug) for word in (64, 32) for own in "yn" for debug in "yn"
    ]
    assert {c["reason"] for c in cells if c["verdict"] == "REFUSED"} == {REFUSED}
    assert all(c["check"] is None and not c["checks"] for c in cells if c["verdict"] == "REFUSED")
    assert sorted(found["id"] for found in done.json["findings"]) == sorted(KNOWN)
    assert all(found["cells"] == [1, 2] and found["trace"] for found in done.json["findings"])
    assert done.json["counts"]["unknown"] == 0
    assert "mm_alloc_id" in cells[6]["compiled"] and "prep_compound_head" in cells[6]["compiled"]


def test_json_has_each_check_of_each_configuration() -> None:
    done = plain()
    first, second, third = done.json["cells"][:3]
    assert first["check"]["schema"] == done.json["schema"] == 1
    assert first["check"]["config"] == first["config"] and "CONFIG_64BIT" in first["config"]
    assert {part["name"] for part in third["check"]["contracts"]} == {"without-mm-id"}
    away = [c for c in second["check"]["checks"] if c["verdict"] == "unknown"]
    assert away and all(c["group"] == "misuse" and "CONFIG_DEBUG_VM=n" in c["reason"] for c in away)
    assert first["lacks"] == {} and "folio_add_large_mapcount" in third["lacks"]["function"]
    assert "_mm_ids" in third["lacks"]["field"] and "folio_dec_large_mapcount" in third["partly"]
    # What does not depend on a configuration is judged once, and layouts where the fields are.
    groups = [{c["group"] for c in cell["check"]["checks"]} for cell in done.json["cells"][:4]]
    assert all("documentation" not in g and "configuration" not in g for g in groups)
    assert ["layout" in g for g in groups] == [True, True, False, False]
    once = [check for check in done.json["beside"] if not check["cells"]]
    assert {check["group"] for check in once} == {"documentation", "configuration"}


def test_warnings_are_all_that_differs_without_them() -> None:
    done = plain()
    for name in ("mm-owner-tracking", "large-folio-life", "mm-ids", "mm-ids-word", "without-mm-id"):
        for kind in ("same", "silent"):
            check = said(done, f"configuration/{kind}-without-debug-vm/{name}")
            assert check["verdict"] == "pass" and check["judged"] > 10
            assert check["cells"] == ([3, 4] if name == "without-mm-id" else [1, 2])


def bundled() -> Done:
    """The report on the bundled patch."""
    return once("check", "-", "--matrix", stdin=V1)


def test_the_text_says_each_finding_once() -> None:
    done = bundled()
    lines = done.out.split("\n")
    assert lines[0].startswith("FAIL: 3 of ") and "(1 separate finding)" in lines[0]
    assert lines[2] == "8 configurations: 4 run, 2 only compiled, 2 refused"
    assert done.out.count("FINDING") == 1 and f"FINDING {CLAIM}  include/linux/rmap.h:264" in lines
    assert "  in configurations 1, 2 (64 bit, CONFIG_MM_ID=y)" in lines
    assert all(len(line) <= 100 for line in lines)
    assert "(39 checks)" in done.out and "without 4 fields (_mm0_mapcount" in done.out


def test_the_readme_shows_it() -> None:
    lines = bundled().out.rstrip().split("\n")
    readme = (ROOT / "README.md").read_text()
    end = next(i for i, line in enumerate(lines) if line.startswith("FINDING"))
    assert "\n".join(lines[: end - 1]) in readme
    rest = next(i for i, line in enumerate(lines) if line.startswith("CONFIG_DEBUG_VM=n compiles"))
    assert "\n".join(lines[rest:-1]) in readme  # the last line has this machine's versions


def test_a_dependency_that_lets_32_bit_through() -> None:
    done = matrix(plant((DEPENDS, "+	depends on TRANSPARENT_HUGEPAGE\n")), *SPEEDY)
    assert done.status == 1
    assert verdicts(done)[4:] == ["FAIL", "FAIL", "COMPILES", "COMPILES"]
    found = fresh(done)
    assert set(found) == {"configuration/64bit-only", "configuration/compiles"}
    assert found["configuration/64bit-only"]["cells"] == []
    assert found["configuration/compiles"]["cells"] == [5, 6]
    assert found["configuration/compiles"]["where"] == {"file": "include/linux/rmap.h", "line": 206}
    assert "shift count" in found["configuration/compiles"]["reason"]


def test_code_that_only_runs_where_warnings_do() -> None:
    moved = SUB.replace(") - diff;", ");\n+	VM_WARN_ON_ONCE((mapcount_val -= diff) < -1);")
    done = matrix(plant((SUB, moved)), *SPEEDY, "--contract", "mm-owner-tracking")
    found = fresh(done)
    same = found["configuration/same-without-debug-vm/mm-owner-tracking"]
    assert [step["op"] for step in same["trace"]] == ["initial", "set", "sub"]
    assert same["reason"] == "after the last call, mapcount is 1, not 0"
    assert same["cells"] == [1, 2] and same["failed"]
    # The model says so as well, where it is: without the option.
    assert found["conformance/sub/mapcount"]["cells"] == [2]
    text = matrix(plant((SUB, moved)), *SPEEDY, "--contract", "mm-owner-tracking", form="text").out
    assert "  also configuration/same-without-debug-vm/mm-owner-tracking: after the last call" in text


def test_an_exploration_that_does_not_end_differs_from_one_that_does() -> None:
    moved = SUB.replace(") - diff;", ");\n+	VM_WARN_ON_ONCE((mapcount_val -= diff) < -1);")
    done = matrix(plant((SUB, moved)), *SPEEDY, "--contract", "large-folio-life", "--time", "1")
    found = fresh(done)["configuration/same-without-debug-vm/large-folio-life"]
    assert found["trace"][-1]["op"].startswith("unmap") and "mapcount is 1, not 0" in found["reason"]


def test_a_warning_that_is_not_compiled_away() -> None:
    old = "+	VM_WARN_ON_ONCE(folio->_mm1_mapcount >= 0);\n+}"
    done = matrix(plant((old, old.replace("VM_", ""))), *SPEEDY)
    found = fresh(done)["configuration/silent-without-debug-vm/mm-owner-tracking"]
    assert found["where"] == {"file": "include/linux/rmap.h", "line": 219}
    assert "WARN_ON_ONCE(folio->_mm1_mapcount >= 0) fires" in found["reason"]
    assert found["trace"][-1]["observed"]["warnings"] == 1
    assert set(fresh(done)) == {found["id"]}


def test_a_statement_outside_its_ifdef() -> None:
    edit = ("+#ifdef CONFIG_MM_ID\n+	folio->_mm0_mapcount = -1;\n",
            "+	folio->_mm0_mapcount = -1;\n+#ifdef CONFIG_MM_ID\n")  # fmt: skip
    done = matrix(plant(edit), *SPEEDY)
    found = fresh(done)["configuration/compiles"]
    assert done.status == 1 and found["cells"] == [3, 4, 7, 8]
    assert found["where"] == {"file": "mm/internal.h", "line": 668}
    assert "no member named '_mm0_mapcount'" in found["reason"]
    assert found["reason"].endswith("the patch adds _mm0_mapcount only if defined(CONFIG_MM_ID)")


def test_a_header_that_does_not_compile_for_32_bit() -> None:
    code = "static inline unsigned long high_bit(void)\n{\n	return 1UL << 40;\n}\n\n"
    done = matrix(plant((RMAP_END, added(code) + RMAP_END)), *SPEEDY)
    found = fresh(done)["configuration/compiles"]
    assert found["cells"] == [7, 8] and found["where"] == {"file": "include/linux/rmap.h", "line": 335}
    assert verdicts(done)[6:] == ["FAIL", "FAIL"] and "high_bit" in done.json["cells"][6]["compiled"]


def test_other_code_that_does_not_compile_for_32_bit() -> None:
    stub = "+static inline void mm_free_id(struct mm_struct *mm) {}\n"
    done = matrix(plant((stub, stub.replace("{}", "{ unsigned long id = 1UL << 40; (void)id; }"))), *SPEEDY)
    found = fresh(done)["configuration/compiles"]
    assert found["cells"] == [7, 8] and found["where"]["file"] == "kernel/fork.c"
    assert "shift count" in found["reason"]


def test_code_that_lacks_a_shim_is_unknown() -> None:
    code = "static inline void odd(struct page *page)\n{\n	no_such_call(page);\n}\n\n"
    done = matrix(plant((RMAP_END, added(code) + RMAP_END)), *SPEEDY, "--contract", "without-mm-id")
    assert done.status == 2 and verdicts(done)[2:4] == ["UNKNOWN", "UNKNOWN"]
    assert "no_such_call" in done.json["cells"][2]["checks"][0]["reason"]


def test_without_kconfig_only_the_word_and_debugging_vary() -> None:
    done = matrix(V1.replace(KCONFIG, ""), *SPEEDY)
    assert [list(cell["varied"]) for cell in done.json["cells"]] == [["CONFIG_DEBUG_VM"]] * 4
    assert verdicts(done)[:2] == ["FAIL", "FAIL"]
    assert [cell["word"] for cell in done.json["cells"]] == [64, 64, 32, 32]


def test_given_options_are_not_varied() -> None:
    done = matrix(V1, *SPEEDY, "--config", "CONFIG_MM_ID=n", "--config", "CONFIG_64BIT=y")
    assert done.status == 0 and verdicts(done) == ["PASS", "PASS"]
    done = matrix(V1, *SPEEDY, "--config", "CONFIG_MM_ID=n", "--strict")
    assert done.status == 0 and verdicts(done) == ["PASS", "PASS", "COMPILES", "COMPILES"]
    done = matrix(V1, *SPEEDY, "--config", "CONFIG_TRANSPARENT_HUGEPAGE=n")
    assert verdicts(done)[:4] == ["REFUSED", "REFUSED", "PASS", "PASS"]
    text = matrix(V1, "--config", "CONFIG_MM_ID=n", "--config", "CONFIG_64BIT=n", form="text").out
    assert text.startswith("COMPILES: ") and "2 configurations: 0 run, 2 only compiled, 0 refused" in text


def test_one_contract_in_each_configuration() -> None:
    done = matrix(V1, *SPEEDY, "--contract", "mm-ids-word")
    assert done.status == 0
    assert verdicts(done)[:4] == ["PASS", "PASS", "COMPILES", "COMPILES"]
    assert "mm-ids-word is for CONFIG_MM_ID=y" in done.json["cells"][2]["reason"]
    done = matrix(V1, *SPEEDY, "--contract", "mm-owner-configuration")
    assert done.status == 0 and verdicts(done)[:4] == ["COMPILES"] * 4


def test_bounds_are_those_of_the_contracts_that_have_them() -> None:
    done = matrix(V1, *SPEEDY, "--bound", "mms=2")
    cells = done.json["cells"]
    assert cells[0]["check"]["bounds"]["mms"] == 2 and cells[2]["check"]["bounds"] == {}


def test_a_compiler_without_32_bit_is_said(tmp_path: Path) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text(
        '#!/bin/sh\nfor a in "$@"; do [ "$a" = -m32 ] && echo "cc1: sorry, unimplemented: 32-bit mode not '
        'compiled in" >&2 && exit 1; done\nexec gcc "$@"\n'
    )
    compiler.chmod(0o755)
    done = matrix(V1, *SPEEDY, "--config", "CONFIG_MM_ID=n", env={**os.environ, "CC": str(compiler)})
    assert done.status == 2 and verdicts(done) == ["PASS", "PASS", "UNKNOWN", "UNKNOWN"]
    assert "the compiler has no -m32" in done.json["cells"][2]["checks"][0]["reason"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--traces", "x"], "--traces is of one configuration: give it without --matrix"),
        (["--strength"], "--strength is of one configuration"),
        (["--keep", "x"], "--keep is of one configuration"),
        (["--coverage"], "--coverage is of one configuration"),
        (["--bound", "cats=3"], "no bound cats"),
        (["--contract", "nosuch"], "no contract nosuch"),
        (["--config", "CONFIG_MM_ID=y", "--config", "CONFIG_64BIT=n"], f"no such configuration: {REFUSED}"),
    ],
)
def test_bad_options_are_one_line(arguments: list[str], words: str) -> None:
    done = matrix(V1, *arguments)
    assert done.status == 2 and not done.out
    assert words in done.err and done.err.count("\n") == 1
    assert not Path("x").exists()


def test_no_contract_fits() -> None:
    done = matrix(V1.replace("large_mapcount", "big_mapcount").replace("mm_alloc_id", "mm_take_id"))
    assert done.status == 2 and "no contract fits this patch" in done.err and done.err.count("\n") == 1
