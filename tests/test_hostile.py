# SPDX-License-Identifier: GPL-2.0-only
"""A stranger's C: nothing of it runs outside of the cage, and nothing of this machine gets into it."""

from __future__ import annotations

import contextlib
import ctypes
import random
import subprocess
from pathlib import Path

import pytest

from harness import worker
from harness.build import cache_folder, compiler, engine_library
from harness.cli import extract, main
from harness.driver import Driver, Flight, Libraries
from harness.errors import HarnessError
from harness.loading import load
from harness.object_file import refuse_unsafe_object
from harness.scratch import scratch_folder
from tests.cli import check, kconform
from tests.planted import plant
from tests.test_toys import DEFAULTS, HEAD, QUIET, REST, added_file, toy_diff

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
    "assembly": ("", '	__asm__ volatile("syscall");\n', "inline assembly"),
    "cleanup": ("", "	int toy_x __attribute__((cleanup(toy_y)));\n", "cleanup"),
    "a form feed": ("", '\f#\vinclude "/etc/passwd"\n', "#include"),
    "a comment of splices": ("", '/\\\n* x *\\\n/ #include "/etc/passwd"\n', "#include"),
    "whether a file is there": ("", '#if __has_include("/etc/passwd")\n#endif\n', "__has_include"),
    "digraphs": ("<:\n<:gnu::constructor:>:> static inline void toy_c(void) { }\n", "toy_c", "[[ ]]"),
    "digraphs by macro": ("#define TOY_O <:\n#define TOY_C TOY_O TOY_O gnu::constructor ]]\n",
                          "	extern void toy_c(void) TOY_C;\n", "[[ ]]"),
    "weak within another": (
        "", "	int toy_x __attribute__((aligned(sizeof(int __attribute__((weak))))));\n", "attribute weak"),
    "assembly in an attribute": (
        "", '	int toy_x __attribute__((aligned(({ asm("nop"); 8; }))));\n', "inline assembly"),
    "assembly in lines": ("", '	__as\\\nm__("nop");\n', "inline assembly"),
    "assembly by macro": ("#define TOY(a, b) a##b\n", '	TOY(__as, m__)(".incbin \\"/etc/passwd\\"");\n',
                          "inline assembly"),
    "assembly of a register": ("", '	register long toy_x asm("rax");\n', "inline assembly"),
    "assembly behind a string": ("#define TOY(a, b) a##b\n",
        '	(void)"\\\\\\""; TOY(as, m)("nop"); (void)"\\"";\n', "inline assembly"),
    "a thread's variable": ("static __thread int toy_t;\n", "	toy_t = 1;\n", "a thread's own variable"),
    "a raw string": ("", '	(void)R"x(")x";\n', "raw string"),
    "a pragma by macro": ("#define TOY(a, b) a##b\n", '	TOY(_Pra, gma)("weak getpid");\n', "#pragma weak"),
    "no known attribute": ("", "	int toy_x __attribute__((toy_y));\n", "attribute toy_y"),
    "a section by macro": (
        '#define TOY(a, b) a##b\nstatic int toy_s __attribute__((used,\n	'
        'TOY(sec, tion)(".init_array")));\n',
        "	toy_s = 1;\n", "attribute section"),
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


RESOLVER = """#define TOY(a, b) a##b
static void *toy_resolver(void)
{
	*(volatile int *)0 = 1;
	return 0;
}
"""
PADDING = " + ".join(["0"] * 300)
IFUNC = {
    "padded": (f'unused, aligned(8 + {PADDING}), ifunc("toy_resolver")', 0),
    "in lines": ('unused,\n	ifunc("toy_resolver")', 1),
    "pasted": ('unused,\n\n	TOY(if, unc)("toy_resolver")', 2),
    "pasted, padded": (f'aligned(8 + {PADDING}), TOY(__if, unc__)("toy_resolver")', 0),
}
WITHIN = "	static int toy_t(void) __attribute__(({}));\n"
CALLED = "	static volatile int n;\n	if (n) {{\n		{};\n		toy_t();\n		toy_resolver();\n	}}\n"
DECLARED = {
    "alone": ("", WITHIN, "n = 1"),
    "after a variable": ("static int toy_v = 1, toy_t(void) __attribute__(({}));\n", "", "(void)toy_v"),
    "after a record": (
        "struct toy_r {{ int a; }} v, *toy_t(void) __attribute__(({}));\n", "", "(void)(struct toy_r *)0"),
}  # fmt: skip


@pytest.mark.parametrize("where", DECLARED)
@pytest.mark.parametrize("how", IFUNC)
def test_no_resolver_of_a_patch_runs(how: str, where: str, tmp_path: Path) -> None:
    said, line = IFUNC[how]
    before, within, use = DECLARED[where]
    code = RESOLVER + before.format(said) + INC % (within.format(said) + CALLED.format(use))
    path = tmp_path / "toy.py"
    path.write_text(HEAD + DEFAULTS + REST)
    done = check(toy_diff(code), "--contract", path, *QUIET)
    begins = 1 + code[: code.index("__attribute__((")].count("\n")
    assert done.status == 2 and done.err.count("\n") == 1 and "attribute ifunc" in done.err
    assert f"include/linux/toy.h:{begins + line}: error: " in done.err


def test_a_stack_that_can_be_run_is_none(tmp_path: Path) -> None:
    within = (
        "	int toy_x = 1;\n	int toy_f(void) { return toy_x; }\n	int (*volatile p)(void) = toy_f;\n"
    )
    path = tmp_path / "toy.py"
    path.write_text(HEAD + DEFAULTS + REST)
    done = check(toy_diff(INC % within), "--contract", path, *QUIET)
    assert done.status == 2 and "toy.h:4: error: " in done.err and "trampoline" in done.err


LIBRARY = ("-shared", "-nostdlib", "-fPIC", "-O1", "-Wl,-Bsymbolic")
OBJECTS = {
    "static ifunc": (
        "static void *r(void) { return 0; }\nstatic void f(void) __attribute__((ifunc(\"r\")));\n"
        "void g(void) { f(); }\n", (), r"\(ifunc\)"),
    "hidden ifunc": (
        "static void *r(void) { return 0; }\n"
        "__attribute__((visibility(\"hidden\"))) void f(void) __attribute__((ifunc(\"r\")));\n"
        "void g(void) { f(); }\n", (), r"\(ifunc\)"),
    "stripped ifunc": (
        "static void *r(void) { return 0; }\nstatic void f(void) __attribute__((ifunc(\"r\")));\n"
        "void g(void) { f(); }\n", ("-s",), r"\(ifunc\)"),
    "constructor": ("__attribute__((constructor)) void f(void) { }\n", (), r"runs when it is loaded"),
    "destructor": ("__attribute__((destructor)) void f(void) { }\n", (), r"runs when it is loaded"),
    "an array's section": (
        '__attribute__((section(".init_array.1"), used)) static void *p = 0;\n', (), "runs when it is"),
    "a name outside": ("int f(void);\nint g(void) { return f(); }\n", (), "f, which is outside of it"),
    "a weak name": (
        "extern int f(void) __attribute__((weak));\nint g(void) { return f ? f() : 0; }\n", (), "f, which"),
    "a thread's": ("__thread int f;\nint g(void) { return f; }\n", (), "own variable|outside of it"),
    "another library": ("int f;\n", ("-Wl,--no-as-needed", "-lc"), "has a tag 0x1"),
    "a path": ("int f;\n", ("-Wl,-rpath,/tmp",), "has a tag 0x1d"),
    "an auditor": ("int f;\n", ("-Wl,--audit,x.so",), "has a tag 0x"),
    "a filter": ("int f;\n", ("-Wl,-f,x.so",), "has a tag 0x"),
    "first of all": ("int f;\n", ("-Wl,-z,initfirst",), "has flags 0x"),
    "a stack": ("int f;\n", ("-Wl,-z,execstack",), "stack that can be run"),
    "text that is written": ("int f;\nint g(void) { return f; }\n", ("-Wl,-N",), "both written and run"),
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_what_must_not_be_in_a_library(name: str, tmp_path: Path) -> None:
    text, flags, words = OBJECTS[name]
    source, library = tmp_path / "own.c", tmp_path / "own.so"
    source.write_text(text)
    subprocess.run([compiler(), *LIBRARY, source, *flags, "-o", library], check=True, capture_output=True)
    with pytest.raises(HarnessError, match=words):
        refuse_unsafe_object(library)


def test_a_damaged_library_is_refused_or_whole(tmp_path: Path) -> None:
    source, library = tmp_path / "own.c", tmp_path / "own.so"
    source.write_text("static int f;\nint *g(void) { return &f; }\nint *(*h)(void) = g;\n")
    subprocess.run([compiler(), *LIBRARY, source, "-o", library], check=True)
    refuse_unsafe_object(library)
    whole, chance = library.read_bytes(), random.Random(1)
    damaged = tmp_path / "damaged.so"
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(3):
            at = chance.choice((chance.randrange(len(data)), chance.randrange(800)))
            data[at] = chance.choice((0, 0x7F, 0xFF, chance.randrange(256)))
        damaged.write_bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
        with contextlib.suppress(HarnessError):
            refuse_unsafe_object(damaged)
    damaged.write_bytes(whole[:700])
    with pytest.raises(HarnessError, match="no whole ELF file"):
        refuse_unsafe_object(damaged)


AT_LOAD = """#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
int refused, read_only;
__attribute__((constructor)) static void at_load(void)
{
	struct rlimit limit = { 9, 9 };
	char *none[] = { 0 };

	refused += open("%s", O_WRONLY | O_CREAT, 0600) < 0;
	refused += open("%s", O_RDWR) < 0;
	refused += openat(AT_FDCWD, "/dev/null", O_WRONLY) < 0;
	refused += fork() < 0;
	refused += socket(AF_UNIX, SOCK_STREAM, 0) < 0;
	refused += kill(getppid(), 0) < 0;
	refused += execve("/bin/true", none, none) < 0;
	refused += unlink("%s") < 0;
	refused += prlimit(getppid(), RLIMIT_NOFILE, &limit, 0) < 0;
	read_only = open("%s", O_RDONLY) >= 0;
}
"""


def test_code_that_runs_when_it_is_loaded_is_in_a_cage(tmp_path: Path) -> None:
    """Should one ever get past all that is refused."""
    source, library = tmp_path / "own.c", tmp_path / "own.so"
    source.write_text(AT_LOAD.replace("%s", str(source)).replace(f'open("{source}", O_W', 'open("new", O_W'))
    subprocess.run([compiler(), "-D_GNU_SOURCE", "-shared", "-fPIC", source, "-o", library], check=True)
    with scratch_folder(cache_folder()) as folder:
        engine = engine_library(folder).finish()

    path = tmp_path / "toy.py"
    path.write_text(HEAD + DEFAULTS + REST)
    toy = load(path, {})

    def task() -> list[int]:
        Driver(Libraries(library, engine, engine), toy, Flight())
        own = ctypes.CDLL(str(library))
        return [ctypes.c_int.in_dll(own, name).value for name in ("refused", "read_only")]

    assert worker.run(task, worker.Limits()).result == [9, 1]


NAMES = {
    "a macro w": ("#define w toy_w\nstatic int toy_w;\n", "	w = 1;\n", 1, "w is a name"),
    "a function w": ("static int w(int x)\n{\n	return x;\n}\n", "	*a += w(0);\n", 1, "w is a name"),
    "a macro of ours": ("\n#define kc_reset toy_r\n", "	int kc_reset = 1;\n", 5, "kc_reset is a name"),
    "a macro in a function": ("", "	*a += 0;\n#\\\ndefine s toy_s\n", 4, "s is a name"),
    "a word of ours in a comment": ("/* kc_reset, w */\n", '	(void)"kc_r";\n', 0, ""),
    "a local w": ("", "	int w = 1;\n\n	*a += w - 1;\n", 0, ""),
    "a parameter of ours": ("#define op 3\n", "	*a += op - 3;\n", 1, "op is a name"),
    "memcpy": ("#define memcpy(a, b, c) 0\n", "	memcpy(a, a, 4);\n", 1, "memcpy is a name"),
    "the record of warnings": ("", "	kc_record.warnings = 0;\n", 3, "kc_record is a name"),
    "an option of ours": ("#define KC_GAP 4\n", "	*a += KC_GAP - 4;\n", 1, "KC_GAP is a name"),
    "an enumerator": ("enum toy_e {\n	TOY,\n	kc_e,\n};\n", "	enum toy_e x = kc_e;\n", 3, "kc_e is a name"),
    "a keyword": ("\n#define return toy_r = 1; return\n", "	if (!a)\n		return;\n", 2, "return changes"),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_patch_does_not_change_what_is_around_it(name: str, tmp_path: Path) -> None:
    before, inside, line, words = NAMES[name]
    path = tmp_path / "toy.py"
    path.write_text(HEAD + DEFAULTS + REST)
    done = check(toy_diff(before + INC % inside), "--contract", path, *QUIET)
    if not line:
        assert (done.status, done.err) == (0, "")
        return
    assert done.status == 2 and done.err.count("\n") == 1 and words in done.err
    assert done.err.startswith(f"include/linux/toy.h:{line}: error: ")


@pytest.mark.parametrize("name", ["include/subject.h", "sanitizer.h", "include/kconform/record.h"])
def test_a_patch_does_not_replace_what_is_around_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.py"
    path.write_text(HEAD + DEFAULTS + REST)
    own = added_file(name, "static inline int toy_b(int b)\n{\n	return b;\n}\n")
    done = check(own + toy_diff(INC % "	*a += toy_b(0);\n"), "--contract", path, *QUIET)
    assert done.status == 2
    assert done.err == f"{name}:1: error: {name} has a name of kconform's own; rename it\n"


def test_an_error_that_nobody_foresaw_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise ValueError("one\ntwo")

    monkeypatch.setattr(extract, "run_extract", broken)
    monkeypatch.delenv("KCONFORM_DEBUG", raising=False)
    assert main.main(["extract", "-"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("kconform: error: internal error: ValueError: one two (tests/test_hostile.py:")
    assert said.count("\n") == 1 and "report it" in said
    monkeypatch.setenv("KCONFORM_DEBUG", "1")
    with pytest.raises(ValueError, match="one"):
        main.main(["extract", "-"])


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
