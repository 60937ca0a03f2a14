# SPDX-License-Identifier: GPL-2.0-only
"""`check`, `slice` and `extract` on a kernel tree: by itself, with a patch, over a commit range."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.tree.files import Roots
from harness.tree.includes import Includes
from tests.cli import Done, kconform
from tests.mini_kernel import COUNTER, QUIET, counter_contract, mini_kernel
from tests.test_tree import commit, git

HEADER = "include/linux/counter.h"


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    counter_contract(tmp_path)
    return mini_kernel(tmp_path / "linux")


def check(kernel: Path, *more: object) -> Done:
    contract = kernel.parent / "counter.py"
    return kconform("check", "--tree", kernel, "--contract", contract, *QUIET, *more)


def changed(kernel: Path, old: str, new: str, shift: str = "") -> Path:
    """A patch that changes the counter's header, made on a tree that has `shift` before it."""
    git(kernel, "init", "-q")
    (kernel / HEADER).write_text(shift + COUNTER)
    commit(kernel, "base")
    (kernel / HEADER).write_text(shift + COUNTER.replace(old, new))
    patch = kernel.parent / "change.diff"
    patch.write_text(git(kernel, "diff"))
    (kernel / HEADER).write_text(COUNTER)
    return patch


def test_a_tree_by_itself(kernel: Path) -> None:
    done = check(kernel)
    assert done.status == 0 and done.out.startswith(f"PASS: 18 passed\ntree: {kernel}\n")
    assert "all 6 states" in done.out and "passed claims on counters: never-below" in done.out
    assert "options of kernel_snippets/base.config" in done.out and not done.err


def test_a_defect_of_the_tree_has_its_line_and_the_trees_sentence(kernel: Path) -> None:
    (kernel / HEADER).write_text(COUNTER.replace("COUNTER_OP(dec, -=)", "COUNTER_OP(dec, = -)"))
    done = check(kernel)
    assert done.status == 1 and "FINDING claim/never-below" in done.out
    assert 'the tree says: "Never below zero."' in done.out
    assert f"{HEADER}:26" in done.out and "1  inc()" in done.out and "2  dec()" in done.out


def test_a_patch_is_applied_and_its_offset_said(kernel: Path) -> None:
    patch = changed(
        kernel, "c->value >= COUNTER_MAX", "c->value > COUNTER_MAX", shift="/* one more line */\n"
    )
    done = check(kernel, patch)
    assert done.status == 1 and "FINDING conformance/full/return" in done.out
    assert f"{HEADER}:28: static inline bool counter_full(" in done.out
    assert "hunk 1 of include/linux/counter.h applied at line 27 (offset -1)" in done.err


def test_the_files_of_the_tree_stay_as_they_are(kernel: Path) -> None:
    patch = changed(kernel, ">= COUNTER_MAX", "> COUNTER_MAX")
    before = {path: path.read_bytes() for path in kernel.rglob("*.h")}
    assert check(kernel, patch).status == 1
    assert {path: path.read_bytes() for path in kernel.rglob("*.h")} == before


def test_a_hunk_that_does_not_fit_is_shown_with_the_nearest_place(kernel: Path) -> None:
    patch = changed(kernel, "c->value >= COUNTER_MAX", "c->value > COUNTER_MAX")
    (kernel / HEADER).write_text(COUNTER.replace("value >=", "count >=").replace("_full", "_is_full"))
    done = check(kernel, patch)
    assert done.status == 2 and done.err.startswith(f"{patch}:5: error: hunk 1 of {HEADER} does not apply: ")
    assert "-	return c->value >= COUNTER_MAX;" in done.err and "counter_is_full" in done.err


def test_a_tree_without_the_file(kernel: Path) -> None:
    patch = changed(kernel, ">= COUNTER_MAX", "> COUNTER_MAX")
    (kernel / HEADER).unlink()
    done = check(kernel, patch)
    assert done.status == 2 and f"the tree has no {HEADER}, which the patch changes" in done.err
    assert done.err.count("\n") == 1


def test_what_a_package_of_headers_cannot_have_is_said(kernel: Path) -> None:
    patch = changed(kernel, ">= COUNTER_MAX", "> COUNTER_MAX")
    text = (
        patch.read_text() + "diff --git a/mm/x.c b/mm/x.c\n--- a/mm/x.c\n+++ b/mm/x.c\n@@ -1 +1 @@\n-a\n+b\n"
    )
    patch.write_text(text)
    (kernel / "mm/counter.c").unlink()
    done = check(kernel, patch)
    assert done.status == 1 and "has headers only: not applied there: mm/x.c" in done.err


def test_a_commit_range_is_checked_on_what_is_below_it(kernel: Path) -> None:
    git(kernel, "init", "-q", "-b", "main")
    commit(kernel, "base")
    for number, (old, new) in enumerate(
        ((">= COUNTER_MAX", "> COUNTER_MAX"), ("COUNTER_MAX	5", "COUNTER_MAX	4"))
    ):
        path = kernel / HEADER
        path.write_text(path.read_text().replace(old, new))
        commit(kernel, f"mm: change {number}")
    done = check(kernel, "--range", "HEAD~2..HEAD", "--no-prefixes")
    assert done.status == 0 and "[PATCH 1/2] mm: change 0; [PATCH 2/2] mm: change 1" in done.out
    half = check(kernel, "--range", "HEAD~2..HEAD", "--prefix", "1")
    assert half.status == 1 and "FINDING conformance/full/return" in half.out
    base = check(kernel, "--rev", "HEAD~2")
    assert base.status == 0 and f"tree: {kernel} at {git(kernel, 'rev-parse', 'HEAD~2')[:12]}" in base.out


def test_a_commit_of_a_range_that_only_renames_code_is_not_passed_over(kernel: Path) -> None:
    git(kernel, "init", "-q", "-b", "main")
    commit(kernel, "base")
    moved = "include/linux/counted.h"
    git(kernel, "mv", HEADER, moved)
    rename = commit(kernel, "mm: rename")[:12]
    path = kernel / moved
    path.write_text(COUNTER.replace(">= COUNTER_MAX", "> COUNTER_MAX"))
    commit(kernel, "mm: change it")
    done = check(kernel, "--range", "HEAD~2..HEAD")
    said = f"commit {rename}: error: it only renames {HEADER}, which is code, to {moved}; give what is before"
    assert (done.status, done.out) == (2, "") and done.err.startswith(said), done.err
    assert f"({rename}..HEAD)" in done.err and done.err.count("\n") == 1
    git(kernel, "mv", "Makefile", "Kbuild.txt")
    path.chmod(0o755)
    passed = commit(kernel, "mm: no code")[:12]
    done = check(kernel, "--range", f"{rename}..HEAD")
    assert f"commit {passed}: no change of text, passed over" in done.err, done.err


def test_the_configuration_is_the_users(kernel: Path, tmp_path: Path) -> None:
    config = tmp_path / ".config"
    config.write_text('# a comment\nCONFIG_TOY_WIDE=y\nCONFIG_NAME="x"\n# CONFIG_OTHER is not set\n')
    done = check(kernel, "--kconfig", config)
    assert done.status == 1 and "FINDING conformance/full/return" in done.out
    assert f"the tree was read for the 2 options of {config}" in " ".join(done.out.split())
    assert check(kernel, "--config", "CONFIG_TOY_WIDE=y").status == 1
    config.write_text("CONFIG_A=y\nnonsense\n")
    done = check(kernel, "--kconfig", config)
    assert done.status == 2 and done.err == (
        f"{config}:2: error: 'nonsense' is no line of a .config; write CONFIG_X=y\n"
    )


def test_a_slice_says_where_each_name_is_from(kernel: Path) -> None:
    done = kconform("slice", "--tree", kernel, HEADER, "counter_inc", "counter_far")
    head, _, code = done.out.partition("*/")
    assert done.status == 0 and f"{HEADER}:25: function counter_inc" in head
    assert "include/linux/toy_types.h:18: counter_elsewhere" in head
    assert "unsigned long unused" not in code and "struct owner *owner;" in code and "list_head" not in code
    assert f'#line 20 "{HEADER}"\nstatic inline int counter_step(' in code
    assert code.count("COUNTER_OP(") == 2 and "COUNTER_MAX" not in code


def test_inline_assembly_needs_a_shim_and_is_not_compiled(kernel: Path) -> None:
    done = kconform("slice", "--tree", kernel, HEADER, "counter_halt")
    assert f"{HEADER}:40: counter_halt: inline assembly" in done.out and "hlt" not in done.out


def test_generated_functions_are_listed_with_the_written_ones(kernel: Path) -> None:
    done = kconform("extract", "--tree", kernel, HEADER)
    assert done.status == 0 and f"{HEADER}:25: function counter_inc [complete, tree]\n" in done.out
    assert f"{HEADER}:8: macro COUNTER_MAX [complete, tree]  if defined(CONFIG_TOY_WIDE)\n" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "--tree", "/nowhere"), "/nowhere: error: not a directory; give a kernel tree"),
        (("check", "--tree", "."), "not a kernel tree, it has no include/linux"),
        (("check", "--rev", "HEAD", "-"), "--rev is of a kernel tree: give --tree DIR as well"),
        (("check",), "nothing to check: give a patch, or a kernel tree with --tree DIR"),
        (("check", "--tree", "KERNEL", "--rev", "HEAD"), "error:"),
        (("check", "--tree", "KERNEL", "--range", "a..b", "-"), "leave out a patch"),
        (("check", "--tree", "KERNEL", "--matrix"), "--matrix is of a patch by itself"),
        (("check", "--tree", "KERNEL"), "no contract fits this tree"),
        (("slice", HEADER, "counter_inc"), "give --tree DIR"),
        (("slice", "--tree", "KERNEL", "include/linux/no.h", "x"), "the tree has no include/linux/no.h"),
        (("slice", "--tree", "KERNEL", HEADER, "nope"), "nope is not defined for this configuration"),
        (("slice", "--tree", "KERNEL", HEADER, "counter_elsewhere"), "is only declared"),
        (("extract", "--tree", "KERNEL", "../counter.py"), "the tree has no ../counter.py"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    words: tuple[str, ...], said: str, kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parent.parent)
    done = kconform(*(str(kernel) if word == "KERNEL" else word for word in words))
    assert done.status == 2 and said in done.err and done.err.count("\n") == 1 and not done.out


def test_a_function_that_a_patch_adds_to_a_c_file_is_compiled(kernel: Path) -> None:
    git(kernel, "init", "-q")
    commit(kernel, "base")
    source = kernel / "mm/counter.c"
    before = source.read_text()
    source.write_text(
        before
        + "\nstatic bool counter_above(const struct counter *c)\n{\n\treturn c->value > COUNTER_MAX;\n}\n"
        + "\nbool counter_late(struct counter *c)\n{\n\treturn counter_above(c) || counter_full(c);\n}\n"
    )
    patch = kernel.parent / "change.diff"
    patch.write_text(git(kernel, "diff"))
    source.write_text(before)
    contract = kernel.parent / "counter.py"
    contract.write_text(contract.read_text().replace("counter_full", "counter_late"))
    done = check(kernel, patch)
    assert (done.status, done.err) == (0, "") and "all 6 states" in done.out


def test_a_function_that_only_loses_lines_goes_before_its_shim(kernel: Path) -> None:
    """A shim has bit_spin_lock() too: what the patch leaves of the tree's own counts."""
    lock = "static inline void bit_spin_lock(int bit, unsigned long *addr)\n{\n\t*addr |= 1UL << bit;\n"
    old = f"#include <linux/toy_types.h>\n{lock}\t*addr |= 64;\n}}\n"
    base = COUNTER.replace("#include <linux/toy_types.h>\n", old)
    (kernel / HEADER).write_text(base)
    git(kernel, "init", "-q")
    commit(kernel, "base")
    (kernel / HEADER).write_text(base.replace("\t*addr |= 64;\n", ""))
    patch = kernel.parent / "change.diff"
    patch.write_text(git(kernel, "diff"))
    (kernel / HEADER).write_text(base)
    contract = kernel.parent / "counter.py"
    said = contract.read_text().replace(
        '"0"}', '"({ unsigned long x = 0; bit_spin_lock(1, &x); (int)x; }) - 2"}'
    )
    contract.write_text(said)
    done = check(kernel, patch, "--keep", kernel.parent / "kept")
    slices = "".join(path.read_text() for path in (kernel.parent / "kept").rglob("slice.h"))
    assert done.status == 0 and "*addr |= 1UL << bit;" in slices and "64" not in slices


STEP = "static inline int counter_step("
BODY = "return c->owner ? c->owner->step : 1;"
CHAIN = "".join(f"#define M{n}(x) M{n + 1}(x)\n" for n in range(6000)) + "#define M6000(x) int made;\n"
DEEP = "struct deep {" + "struct {" * 2000 + "int a;" + "};" * 2000 + "};\n"


@pytest.mark.parametrize(
    ("before", "inside", "said"),
    [
        ("void _init(void)\n{\n\t*(volatile int *)0 = 1;\n}\n", "if (!c)\n\t\t_init();\n\t", None),
        (CHAIN, "", None),
        (DEEP, "struct deep q;\n\n\t(void)q.a;\n\t", None),
        ("extern int kc_record;\n", "kc_record = 1;\n\t", "kc_record is a name of kconform's own; rename it"),
        ('#define X(a) a##sm("nop")\n', "X(a);\n\t", "inline assembly, which is not compiled"),
        ('#line 1 "/etc/passwd"\n', "", "the tree includes /etc/passwd, which is outside of it"),
    ],
)
def test_a_hostile_tree_does_no_harm(before: str, inside: str, said: str | None, kernel: Path) -> None:
    """Nothing of it runs when a library is loaded; what nests deeply or bears odd names ends no run badly."""
    (kernel / HEADER).write_text(COUNTER.replace(STEP, before + STEP).replace(BODY, inside + BODY))
    done = check(kernel)
    assert "Traceback" not in done.err
    if said is None:
        assert (done.status, done.err) == (0, "") and done.out.startswith("PASS: 18 passed")
    else:
        assert done.status == 2 and said in done.err and done.err.count("\n") == 1


def included(kernel: Path, *lines: str) -> Done:
    """A check of the tree whose header has more lines at its top."""
    text = COUNTER.replace(
        "#include <linux/toy_types.h>", "\n".join(["#include <linux/toy_types.h>", *lines])
    )
    (kernel / HEADER).write_bytes(text.encode("latin-1"))
    return check(kernel)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("#include <a\0b.h>", r"'a\x00b.h', which is no name of a kernel's file"),
        ("#include <a\xe9.h>", "which is no name of a kernel's file"),
        (f"#include <{'a' * 300}.h>", "which is no name of a kernel's file"),
        ("#include <>", "'', which is no name of a kernel's file"),
        ('#include "/etc/passwd"', "the tree includes /etc/passwd, which is outside of it"),
        ("#include </dev/zero>", "the tree includes /dev/zero, which is outside of it"),
        ("#include <../../secret.h>", "the tree includes ../../secret.h, which is outside of it"),
        ("#inc\\\nlude/**/</etc/passwd>", "the tree includes /etc/passwd, which is outside of it"),
        ("%:include </etc/passwd>", "the tree includes /etc/passwd, which is outside of it"),
        ('char *s = R"(" /* )";', "a raw string, which no kernel has"),
        ("#include_next <linux/toy_types.h>", "include_next of a file, which is not read"),
        ('#pragma GCC dependency "/etc/passwd"', "pragma of a file, which is not read"),
    ],
)
def test_an_include_of_what_is_no_file_of_the_tree(line: str, said: str, kernel: Path) -> None:
    text = COUNTER.replace("#include <linux/toy_types.h>", f"#include <linux/toy_types.h>\n{line}")
    (kernel / HEADER).write_bytes(text.encode("latin-1"))
    with pytest.raises(HarnessError) as caught:
        Includes(Roots([kernel]), ["linux/counter.h"])
    assert str(caught.value).startswith(f"{HEADER}:5: error: ") and said in str(caught.value)


def test_an_include_that_macros_make_stays_inside_as_well(kernel: Path) -> None:
    done = included(kernel, "#define P </etc/passwd>", "#include P")
    assert done.status == 2 and "/etc/passwd, which is outside of it" in done.err and "root" not in done.err
    assert done.err.count("\n") == 1
    (kernel / "include/linux/late.h").write_text("#define LATE\n")
    done = included(kernel, '#define P "late.h"', "#include P", "#ifndef LATE", "#error", "#endif")
    assert done.status == 0 and not done.err
    # What pastes the words together is told of no file.
    asked = included(kernel, '#if __has_include("/etc/passwd")', "#endif")
    assert asked.err == f"{HEADER}:5: error: __has_include asks what files there are, which is not told; " \
                        "leave it out\n"  # fmt: skip
    made = ("#define C(a, b) a##b", '#if C(__has_, include)("/etc/passwd")', "#undef COUNTER_MAX",
            "#define COUNTER_MAX 6", "#endif")  # fmt: skip
    assert included(kernel, *made).status == 0


def test_nothing_of_a_tree_is_read_but_inside(kernel: Path, tmp_path: Path) -> None:
    """Neither beside a patched file, nor as the target of what is asked for, nor where it is not compiled."""
    (tmp_path / "secret.h").write_text("int secret;\n")
    (kernel / "mm/internal.h").write_text('#include "out.h"\n')
    (kernel / "mm/out.h").symlink_to(tmp_path / "secret.h")
    said = "mm/internal.h:1: error: the tree includes out.h, which is outside of it"
    done = kconform("extract", "--tree", kernel, "mm/internal.h")
    assert done.status == 2 and said in done.err
    patch = tmp_path / "p.diff"
    patch.write_text('--- a/mm/internal.h\n+++ b/mm/internal.h\n@@ -1 +1,2 @@\n #include "out.h"\n+int a;\n')
    done = check(kernel, patch)
    assert done.status == 2 and said in done.err


def test_a_quoted_include_beside_a_patched_header_is_found(kernel: Path) -> None:
    (kernel / "include/linux/beside.h").write_text("#define STEP 1\n")
    (kernel / HEADER).write_text('#include "beside.h"\n' + COUNTER)
    git(kernel, "init", "-q")
    commit(kernel, "base")
    (kernel / HEADER).write_text('#include "beside.h"\n' + COUNTER.replace(": 1;", ": STEP;"))
    patch = kernel.parent / "change.diff"
    patch.write_text(git(kernel, "diff"))
    git(kernel, "checkout", "-q", ".")
    assert check(kernel, patch).status == 0


def said_of(done: Done) -> str:
    """A report without its line ends."""
    return " ".join(done.out.split())


def test_what_a_tree_lacks_is_said_and_is_an_error_of_the_patch_that_includes_it(kernel: Path) -> None:
    done = check(kernel)
    where = "include/linux/list.h:1: linux/no-such-generated-header.h, which the tree does not have"
    assert done.status == 0 and f"{where}: taken for empty" in said_of(done)
    assert f"{where}: taken for empty" in check(kernel, "--format", "json").json["not_checked"]
    first = "#include <linux/toy_types.h>"
    made = f"{first}\n#include <linux/not_here.h>\n#include <linux/kconfig.h>\n#include <generated/x.h>"
    patch = changed(kernel, first, made)
    done = check(kernel, patch)
    assert done.status == 2 and done.err.endswith(
        f"{HEADER}:5: error: the patch includes linux/not_here.h, which the tree does not have; "
        "give the tree that it is on\n"
    )
    patch.write_text(patch.read_text().replace("not_here.h", "list.h"))
    done = check(kernel, patch)
    not_checked = said_of(done).partition("not checked:")[2]
    assert done.status == 0 and f"{HEADER}: linux/" not in not_checked  # they were found, and read


def test_a_name_is_absent_only_or_elsewhere(kernel: Path, tmp_path: Path) -> None:
    """What only the headers' declarations or another configuration have is unknown, and is no skip."""
    optional = 'Operation("{0}", "{0}(&w->c)", optional=True, model=same), '
    contract = tmp_path / "counter.py"
    names = ("counter_elsewhere", "counter_far", "counter_nowhere")
    with_them = "".join(optional.format(name) for name in names)
    contract.write_text(contract.read_text().replace("operations=(", f"operations=({with_them}"))
    (kernel / HEADER).write_text(COUNTER.replace(
        "/* how far", "/* counter_nowhere() is a word of a comment */\n/* how far"))  # fmt: skip
    done = check(kernel, "--config", "CONFIG_TOY_WIDE=y")
    assert "absent from this revision: counter_nowhere" in said_of(done)
    said = "counter_far: counter_far, which the tree does not have in this configuration"
    assert said.removeprefix("counter_far: ") in said_of(done)
    done = check(kernel, "--format", "json", "--config", "CONFIG_TOY_WIDE=y")
    found = done.check("crash/counter_elsewhere")
    assert found["verdict"] == "unknown" and "include/linux/toy_types.h:18 only declares" in found["reason"]
    assert "its body is in another file" in found["reason"]
    assert done.check("crash/counter_far")["verdict"] == "unknown"
    assert not any(c["id"].startswith("crash/counter_nowhere") for c in done.json["checks"])


def test_what_a_contract_needs_is_said_where_it_is(kernel: Path, tmp_path: Path) -> None:
    """Whatever configuration was read first."""
    contract = tmp_path / "counter.py"
    for name, said in (
        (
            "counter_elsewhere",
            "which include/linux/toy_types.h:18 only declares: its body is in another file",
        ),
        ("counter_far", "which the tree does not have in this configuration"),
        ("counter_nowhere", "which the tree does not have\n"),
        ("counter_nowhere_inc", "which the tree does not have\n"),
    ):
        counter_contract(tmp_path)
        contract.write_text(contract.read_text().replace('"counter_inc",', f'"{name}",'))
        done = check(kernel, "--config", "CONFIG_TOY_WIDE=y")
        assert done.status == 2 and f"counter needs {name}, {said}" in done.err


def test_options_of_a_guest_are_not_dropped_in_silence(kernel: Path, tmp_path: Path) -> None:
    config = tmp_path / ".config"
    config.write_text("CONFIG_A=y\nCONFIG_PARAVIRT=y\n")
    done = check(kernel, "--kconfig", config)
    said = f"read for the 1 options of {config}, but for CONFIG_PARAVIRT: for no guest of a hypervisor"
    assert done.status == 0 and said in said_of(done)
    told = "CONFIG_PARAVIRT=y: a tree is read for a machine that is no"
    assert told in check(kernel, "--config", "CONFIG_PARAVIRT=y").err
    for command in (("slice", HEADER, "counter_full"), ("census", HEADER), ("extract", HEADER)):
        done = kconform(command[0], "--tree", kernel, "--config", "CONFIG_PARAVIRT=y", *command[1:])
        assert done.status == 2 and told in done.err
        assert done.err.count("\n") == 1


@pytest.mark.parametrize("value", ['"x"', "010", "1" * 5000])
def test_a_number_of_a_config_is_one(value: str, kernel: Path, tmp_path: Path) -> None:
    config = tmp_path / ".config"
    config.write_text(f"CONFIG_NR_CPUS={value}\n")
    done = check(kernel, "--kconfig", config)
    assert "Traceback" not in done.err
    assert (done.status, done.err.count("\n")) == ((0, 0) if value == "010" else (2, 1))


def test_data_of_other_files_is_named_with_what_reads_it(kernel: Path) -> None:
    text = COUNTER.replace("static inline int counter_step(", "extern int counter_mode;\n"
                           "extern struct static_key counter_key;\nextern struct owner counter_owner;\n"
                           "static inline int counter_step(")  # fmt: skip
    keyed = "(void)&counter_key;\n\tif (counter_mode)\n\t\treturn 2;\n\tcounter_elsewhere((void *)c);\n\t"
    (kernel / HEADER).write_text(text.replace("return c->owner ?", keyed + "return c->owner ?"))
    done = check(kernel)
    said = said_of(done)
    assert (
        "data of other files of the kernel, other than zero, and what reads it: counter_mode (counter_step)"
        in said
    )
    assert "tracepoints of other files, other than off, or on where declared true: counter_key" in said
    assert (
        "functions whose body is in another file of the kernel (a call stops there): counter_elsewhere"
        in said
    )


def test_extract_takes_the_patches_of_a_range_that_were_asked_for(kernel: Path) -> None:
    git(kernel, "init", "-q", "-b", "main")
    commit(kernel, "base")
    for name in ("first", "second"):
        (kernel / HEADER).write_text(
            (kernel / HEADER).read_text().replace("#endif\n", f"#endif\nint {name};\n", 1)
        )
        commit(kernel, name)
    words = ("extract", "--tree", kernel, "--range", "HEAD~2..HEAD", HEADER)
    assert all(f"variable {name}" in kconform(*words).out for name in ("first", "second"))
    half = kconform(*words, "--prefix", "1").out
    assert "variable first" in half and "variable second" not in half


def test_a_link_out_of_the_tree_is_not_read(kernel: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.h").write_text("int secret;\n")
    (kernel / "include/linux/out.h").symlink_to(tmp_path / "secret.h")
    (kernel / HEADER).write_text("#include <linux/out.h>\n" + COUNTER)
    done = check(kernel)
    assert done.status == 2 and done.err == (
        f"{HEADER}:1: error: the tree includes linux/out.h, which is outside of it; leave it out\n"
    )


def test_a_file_outside_of_the_tree_is_not_read(kernel: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.h").write_text("#define COUNTER_MAX 5\n")
    text = COUNTER.replace(
        "#include <linux/toy_types.h>", '#include <linux/toy_types.h>\n#include "../../../secret.h"'
    )
    (kernel / HEADER).write_text(text)
    done = check(kernel)
    assert done.status == 2 and "secret.h, which is outside of it" in done.err and done.err.count("\n") == 1


def test_a_finding_on_a_tree_is_saved_and_run_again(kernel: Path, tmp_path: Path) -> None:
    (kernel / HEADER).write_text(COUNTER.replace("COUNTER_OP(dec, -=)", "COUNTER_OP(dec, = -)"))
    traces = tmp_path / "traces"
    assert check(kernel, "--traces", traces).status == 1
    again = check(kernel, "--traces", traces)
    assert again.status == 1 and "cannot be run" not in again.out + again.err
    saved = sorted(traces.iterdir())
    own = ("--contract", tmp_path / "counter.py")
    alone = kconform("replay", *saved, *own)
    assert (
        alone.status == 2 and alone.err.count(f"it was found on the kernel tree {kernel}: give --tree") == 2
    )
    done = kconform("replay", *saved, "--tree", kernel, *own)
    assert done.status == 1 and done.out.count("STILL THERE") == 2
    assert f"tree: {kernel}, which it was recorded on" in " ".join(done.out.split())
    (kernel / HEADER).write_text(COUNTER)
    assert kconform("replay", *saved, "--tree", kernel, *own).status == 0


def test_contracts_says_which_fit_a_tree(kernel: Path) -> None:
    done = kconform("contracts", "--tree", kernel)
    assert done.status == 0 and "does not fit: page-ref needs" in done.out
    assert "which the tree does not have" in done.out and "fits this patch" not in done.out
