# SPDX-License-Identifier: GPL-2.0-only
"""A stranger's C: nothing of it runs outside of the cage, and nothing of this machine gets into it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.build import compiler
from harness.errors import HarnessError
from harness.object_file import refuse_unsafe_object
from tests.cli import check, kconform
from tests.planted import plant
from tests.test_toys import DEFAULTS, HEAD, QUIET, REST, toy_diff

INC = "static inline void toy_inc(int *a)\n{\n%s	*a += 1;\n}\n"
CONSTRUCTOR = """{}static inline {}void toy_ctor(void)
{{
	extern int system(const char *) __attribute__((weak));

	if (system)
		system("touch {}");
}}
"""
REFUSED = {
    "a C23 constructor": ("[[gnu::constructor]] static inline void toy_c(void) { }\n", "toy_c", "[[ ]]"),
    "weak": ("", "	extern int getpid(void) __attribute__((weak));\n", "attribute weak"),
    "weak by macro": ("#define toy_w __attribute__((we##ak))\n",
                      "	extern int getpid(void) toy_w;\n", "weak"),
    "weak by pragma": ("", '	_Pragma("weak getpid")\n', "_Pragma"),
    "a digraph": ("", '%:include "/etc/passwd"\n', "#include"),
    "a splice in the word": ("", '#inc\\\nlude "/etc/passwd"\n', "#include"),
    "a splice before it": ("", '#\\\ninclude "/etc/passwd"\n', "#include"),
    "a marker of lines": ("", '# 7 "/etc/passwd"\n', "#7"),
    "cleanup": ("", "	int toy_x __attribute__((cleanup(toy_y)));\n", "cleanup"),
    "assembly": ("", '	__asm__ volatile("syscall");\n', "inline assembly"),
    "an include in a record": (
        'struct toy_r {\n#include "/etc/passwd"\n	int a;\n};\n', "	struct toy_r r;\n", "#include"),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("command", ["check", "mutate"])
def test_what_must_not_be_compiled_is_refused_by_name(text: str, command: str, tmp_path: Path) -> None:
    before, inside, words = REFUSED[text]
    inside = f"	(void){inside};\n" if inside.isidentifier() else inside
    path = tmp_path / "toy.py"
    path.write_text(HEAD + DEFAULTS + REST)
    done = kconform(command, "-", "--contract", path, stdin=toy_diff(before + INC % inside))
    assert done.status == 2 and done.out == "" and done.err.count("\n") == 1
    assert words in done.err and "root:" not in done.err and "include/linux/toy.h:" in done.err


@pytest.mark.parametrize("how", ["[[gnu::constructor]] ", "__attribute__((constructor)) ", "TOY(con) "])
def test_no_code_of_a_patch_runs_when_it_is_loaded(how: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    macro = "#define TOY(x) __attribute__((x##structor))\n" if how.startswith("TOY") else ""
    code = macro + CONSTRUCTOR.format("", how, ran)
    path = tmp_path / "toy.py"
    path.write_text(HEAD + DEFAULTS + REST)
    done = check(toy_diff(code + INC % "	(void)toy_ctor;\n"), "--contract", path, *QUIET)
    assert done.status == 2 and not ran.exists()


@pytest.mark.parametrize("name", ["_init", "_fini"])
def test_what_linkers_call_by_its_name_is_a_function_as_any_other(name: str, tmp_path: Path) -> None:
    """Without more, ld would have it run when the library is loaded, which is before the cage."""
    code = f"void {name}(void)\n{{\n	*(volatile int *)0 = 1;\n}}\n"
    path = tmp_path / "toy.py"
    path.write_text(HEAD + DEFAULTS + REST)
    done = check(toy_diff(code + INC % f"	if (!a)\n		{name}();\n"), "--contract", path, *QUIET)
    assert (done.status, done.err) == (0, "") and not done.failed()
    source, library = tmp_path / "own.c", tmp_path / "own.so"
    source.write_text(code)
    subprocess.run([compiler(), "-shared", "-nostdlib", "-fPIC", source, "-o", library], check=True)
    with pytest.raises(HarnessError, match=r"runs when it is loaded \(DT_(INIT|FINI)\)"):
        refuse_unsafe_object(library)


FIELD = "+					int _mm0_mapcount;\n"
INSIDE = "+	if (mm_alloc_id(mm))\n"


@pytest.mark.parametrize("command", [["check"], ["check", "--matrix"], ["mutate"], ["layout"]])
def test_no_file_of_this_machine_gets_into_a_record(command: list[str]) -> None:
    text = plant((FIELD, '+#include "/etc/passwd"\n' + FIELD))
    done = kconform(*command, "-", stdin=text)
    assert done.status == 2 and "root:" not in done.err + done.out and done.err.count("\n") == 1
    assert "mm_types.h:384" in done.err


def test_no_file_of_this_machine_gets_into_a_fragment() -> None:
    done = check(plant((INSIDE, '+%:include "/etc/passwd"\n' + INSIDE)), *QUIET)
    assert done.status == 2 and "#include" in done.err and "root:" not in done.err
