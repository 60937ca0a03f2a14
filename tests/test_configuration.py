# SPDX-License-Identifier: GPL-2.0-only
"""The configuration of the bundled patch, and of the patch with defects planted in its options."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from extractor.extract import extract_items
from extractor.items import Item
from extractor.mail import read_mails
from extractor.patch import Patch, parse_patch
from harness import build
from harness.contracts.mm_owner_configuration import CONTRACT
from harness.judge import Check
from harness.static.configuration import judge_configuration, refused
from harness.static.headers import Compiled, Headers, Undo
from harness.static.nearby import distance, slip
from tests.mails import V1, next_revision
from tests.planted import plant

CONFIG = dict(CONTRACT.config)
DEPENDS = "+	depends on TRANSPARENT_HUGEPAGE && 64BIT\n"
UNDEF = "+#undef CONFIG_MM_ID\n"
HEADER = "arch/x86/entry/vdso/vdso32/fake_32bit_build.h"
HEADER_HUNK = V1[V1.index(f"diff --git a/{HEADER}") : V1.index("diff --git a/include/linux/mm_types.h")]
KCONFIG_HUNK = V1[V1.index("diff --git a/mm/Kconfig") : V1.index("diff --git a/mm/huge_memory.c")]


def read(text: str, folder: Path) -> tuple[list[Patch], list[Item]]:
    path = folder / "mail.txt"
    path.write_text(text)
    patches = [parse_patch(mail) for mail in read_mails([str(path)])]
    return patches, [item for patch in patches for item in extract_items(patch)]


def judged(text: str, folder: Path) -> dict[str, Check]:
    patches, items = read(text, folder)
    checks = list(judge_configuration(CONTRACT, patches, items, CONFIG))
    checks += [Undo(claim, items, CONFIG, folder / claim.id).finish() for claim in CONTRACT.undone]
    return {check.id.partition("/")[2]: check for check in checks}


def wrong(checks: dict[str, Check]) -> dict[str, str]:
    return {id: f"{c.verdict} {c.file}:{c.line}" for id, c in checks.items() if c.verdict != "pass"}


def test_the_bundled_patch_keeps_its_claims(tmp_path: Path) -> None:
    checks = judged(V1, tmp_path)
    assert set(checks) == {
        "64bit-only", "with-thp-only", "manually-enabled", "tested-options", "undone-for-vdso32",
    }  # fmt: skip
    for check in checks.values():
        assert check.verdict == "pass" and check.judged and not check.failed
        assert check.group == "configuration" and check.title.startswith("configuration: ")
    words = " ".join(V1.split())
    assert all(claim.sentence in words for claim in (*CONTRACT.options, *CONTRACT.undone))


@pytest.mark.parametrize(
    "edit, found, detail",
    [
        ((DEPENDS, DEPENDS.replace(" && 64BIT", "")), {"64bit-only": "fail mm/Kconfig:851"},
         "MM_ID can be set with 64BIT=n TRANSPARENT_HUGEPAGE=y: it depends on TRANSPARENT_HUGEPAGE"),
        ((DEPENDS, DEPENDS.replace("&&", "||")),
         {"64bit-only": "fail mm/Kconfig:851", "with-thp-only": "fail mm/Kconfig:851"},
         "MM_ID can be set with 64BIT=n TRANSPARENT_HUGEPAGE=y: it depends on TRANSPARENT_HUGEPAGE || 64BIT"),
        ((DEPENDS, DEPENDS.replace("TRANSPARENT_HUGEPAGE && ", "")), {"with-thp-only": "fail mm/Kconfig:851"},
         "MM_ID can be set with 64BIT=y TRANSPARENT_HUGEPAGE=n: it depends on 64BIT"),
        ((DEPENDS, DEPENDS.replace("&& ", "&& !")), {"64bit-only": "fail mm/Kconfig:851"},
         "MM_ID can never be set: it depends on TRANSPARENT_HUGEPAGE && !64BIT"),
        ((DEPENDS, DEPENDS.replace("64BIT", "MMU")), {"64bit-only": "fail mm/Kconfig:851"},
         "MM_ID can be set with 64BIT=n MMU=y TRANSPARENT_HUGEPAGE=y"),
        ((DEPENDS, ""), {"64bit-only": "fail mm/Kconfig:849", "with-thp-only": "fail mm/Kconfig:849"},
         "MM_ID can be set with 64BIT=n: it depends on nothing"),
        ((DEPENDS, DEPENDS + "+	default y\n"), {"manually-enabled": "fail mm/Kconfig:852"},
         "MM_ID is set without anybody's doing: default y"),
        (('+	bool "MM ID tracking"\n', "+	bool\n"), {
            "64bit-only": "fail mm/Kconfig:851", "with-thp-only": "fail mm/Kconfig:851",
            "manually-enabled": "fail mm/Kconfig:849"}, "MM_ID can never be set"),
        ((" config THP_SWAP\n 	def_bool y\n", " config THP_SWAP\n 	def_bool y\n+	select MM_ID\n"),
         {"manually-enabled": "fail mm/Kconfig:862"},
         "MM_ID is set without anybody's doing: THP_SWAP: select MM_ID"),
    ],
)  # fmt: skip
def test_planted_dependencies(
    edit: tuple[str, str], found: dict[str, str], detail: str, tmp_path: Path
) -> None:
    checks = judged(plant(edit), tmp_path)
    assert wrong(checks) == found
    first = checks[next(iter(found))]
    assert first.detail.startswith(detail) and (first.failed or first.reason)


@pytest.mark.parametrize(
    "edits",
    [
        [(DEPENDS, "+	depends on 64BIT\n+	depends on TRANSPARENT_HUGEPAGE\n")],
        [(DEPENDS, DEPENDS.replace("64BIT", "64BIT && !EXPERT"))],
        [(DEPENDS, DEPENDS + "+	default n\n")],
        [("+config MM_ID\n", "+if 64BIT\n+config MM_ID\n"), (DEPENDS, DEPENDS.replace(" && 64BIT", "")),
         ("+	  optimization.\n", "+	  optimization.\n+endif\n")],
    ],
)  # fmt: skip
def test_harmless_dependencies(edits: list[tuple[str, str]], tmp_path: Path) -> None:
    assert not wrong(judged(plant(*edits), tmp_path))


def test_what_another_option_may_take_is_unknown(tmp_path: Path) -> None:
    checks = judged(plant((DEPENDS, DEPENDS.replace("64BIT", "X86_64"))), tmp_path)
    assert wrong(checks) == {"64bit-only": "unknown mm/Kconfig:851"}
    assert checks["64bit-only"].reason.endswith("whether X86_64 takes 64BIT, the patch does not show")
    checks = judged(plant((KCONFIG_HUNK, "")), tmp_path)
    assert all(
        checks[id].verdict == "unknown" and "no entry" in checks[id].reason
        for id in ("64bit-only", "with-thp-only", "manually-enabled")
    )


@pytest.mark.parametrize(
    "edit, where, detail",
    [
        ((UNDEF, ""), f"fail {HEADER}:15",
         "CONFIG_MM_ID is still defined after it; include/linux/rmap.h:206: warning: left shift count"),
        ((UNDEF, "+#undef CONFIG_MMU\n"), f"fail {HEADER}:16", "CONFIG_MM_ID is still defined after it"),
        ((UNDEF, UNDEF + "+#define CONFIG_MM_ID 1\n"), f"fail {HEADER}:16", "CONFIG_MM_ID is still defined"),
        ((HEADER_HUNK, ""), "fail mm/Kconfig:849",
         f"the patch adds CONFIG_MM_ID and changes nothing in {HEADER}"),
        (("+#ifdef CONFIG_MM_ID\n+\n+/*\n+ * We don't", "+#ifdef CONFIG_MMU\n+\n+/*\n+ * We don't"),
         "fail include/linux/rmap.h:189", "for 32 bit: include/linux/rmap.h:189: error: 'struct folio'"),
    ],
)  # fmt: skip
def test_planted_in_the_32_bit_hack(edit: tuple[str, str], where: str, detail: str, tmp_path: Path) -> None:
    checks = judged(plant(edit), tmp_path)
    assert wrong(checks)["undone-for-vdso32"] == where
    assert checks["undone-for-vdso32"].detail.startswith(detail)


def test_an_option_of_the_base_may_be_undone_where_nothing_is_shown(tmp_path: Path) -> None:
    checks = judged(plant((KCONFIG_HUNK, ""), (HEADER_HUNK, "")), tmp_path)
    assert checks["undone-for-vdso32"].verdict == "unknown"
    checks = judged(plant((KCONFIG_HUNK, ""), (UNDEF, "")), tmp_path)
    assert checks["undone-for-vdso32"].verdict == "unknown"
    assert "only a part is shown" in checks["undone-for-vdso32"].reason


@pytest.fixture
def narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A compiler that has no -m32."""
    path = tmp_path / "cc"
    path.write_text(
        '#!/bin/sh\ncase " $* " in *" -m32 "*) echo "cc: error: unrecognized command-line option '
        '\'-m32\'" >&2; exit 1;; esac\nexec gcc "$@"\n'
    )
    path.chmod(0o755)
    monkeypatch.setenv("CC", str(path))
    build.compiler.cache_clear()
    yield
    build.compiler.cache_clear()


def test_without_m32_it_is_unknown(narrow: None, tmp_path: Path) -> None:
    check = judged(V1, tmp_path)["undone-for-vdso32"]
    assert check.verdict == "unknown" and "the compiler has no -m32: " in check.reason


def compiled(text: str, word: int, folder: Path, **changed: bool) -> Compiled:
    items = read(text, folder)[1]
    return Headers(items, {**CONFIG, **changed}, word, folder / "headers").finish()


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("word, on", [(64, True), (64, False), (32, False)])
def test_the_headers_compile_in_every_configuration(word: int, on: bool, debug: bool, tmp_path: Path) -> None:
    said = compiled(V1, word, tmp_path, CONFIG_MM_ID=on, CONFIG_DEBUG_VM=debug)
    assert (said.items, said.said, said.lacking, said.unavailable) == (23, (), (), "")


def test_where_the_headers_do_not_compile(tmp_path: Path) -> None:
    said = compiled(V1, 32, tmp_path, CONFIG_MM_ID=True).said
    assert [(d.file, d.line, d.error) for d in said] == [("include/linux/rmap.h", 206, False)]
    lost = plant(
        (
            "+#ifdef CONFIG_MM_ID\n+					int _mm0",
            "+#ifdef CONFIG_MMU_NOT\n+					int _mm0",
        )
    )
    said = compiled(lost, 64, tmp_path).said
    assert said and all("has no member named '_mm" in d.text for d in said)
    calls = plant(("+	return folio->_mm_ids & FOLIO_MM_IDS_ID0_MASK;", "+	return no_such_shim(folio);"))
    poor = compiled(calls, 64, tmp_path)
    assert not poor.said and "no_such_shim" in poor.lacking[0].text
    include = plant(("+#include <linux/bit_spinlock.h>", "+#include <linux/no_such_shim.h>"))
    assert "no shim" in compiled(include, 64, tmp_path).unavailable


def test_configurations_that_kconfig_refuses(tmp_path: Path) -> None:
    items = read(V1, tmp_path)[1]
    depends = "mm/Kconfig:851: depends on TRANSPARENT_HUGEPAGE && 64BIT"
    assert refused(items, CONFIG) == ""
    assert refused(items, {**CONFIG, "CONFIG_64BIT": False}) == f"MM_ID=y needs 64BIT=y: {depends}"
    neither = {"CONFIG_MM_ID": True, "CONFIG_64BIT": False, "CONFIG_TRANSPARENT_HUGEPAGE": False}
    assert refused(items, neither) == f"MM_ID=y needs 64BIT=y TRANSPARENT_HUGEPAGE=y: {depends}"
    assert refused(items, {"CONFIG_MM_ID": True}) == ""
    assert refused(items, {**CONFIG, "CONFIG_64BIT": False, "CONFIG_MM_ID": False}) == ""


def test_a_misspelt_option_in_code(tmp_path: Path) -> None:
    line = "+#ifdef CONFIG_MM_ID\n+static DEFINE_IDA"
    checks = judged(plant((line, line.replace("MM_ID", "MM_IDS"))), tmp_path)
    assert wrong(checks) == {"tested-options": "fail kernel/fork.c:816"}
    assert not wrong(judged(plant((line, line.replace("MM_ID", "NUMA"))), tmp_path))


def test_the_next_revision(tmp_path: Path) -> None:
    patches, items = read(next_revision().read_text(), tmp_path)
    checks = list(judge_configuration(None, patches, items, CONFIG))
    assert [(c.id, c.verdict) for c in checks] == [("configuration/tested-options", "pass")]
    assert refused(items, CONFIG) == ""
    assert "TRANSPARENT_HUGEPAGE: select MM_ID" in refused(items, {**CONFIG, "CONFIG_MM_ID": False})
    for word in (64, 32):
        said = Headers(items, CONFIG, word, tmp_path / str(word)).finish()
        assert (said.said, said.lacking, said.unavailable) == ((), (), "")


def test_a_patch_without_options(tmp_path: Path) -> None:
    text = V1[V1.index("diff --git a/kernel/fork.c") : V1.index("diff --git a/mm/Kconfig")]
    patches, items = read(text, tmp_path)
    assert not list(judge_configuration(None, patches, items, CONFIG)) and not refused(items, CONFIG)


@pytest.mark.parametrize(
    "name, known, strict, meant",
    [
        ("MM_IDS", "MM_ID", True, "MM_ID"), ("MMID", "MM_ID", True, "MM_ID"), ("MM_DI", "MM_ID", True, ""),
        ("MM_DI", "MM_ID", False, "MM_ID"), ("HAS_FOO_BAR", "HAVE_FOO_BAR", True, ""),
        ("ZONE_CMA", "ZONE_DMA", True, ""), ("X86_32", "X86_64", True, ""), ("SMP", "SMT", False, ""),
        ("TRANSPARANT_HUGEPAGE", "TRANSPARENT_HUGEPAGE", True, "TRANSPARENT_HUGEPAGE"),
        ("_mm1_mapcount", "_mm0_mapcount", False, ""), ("MM_ID", "MM_ID", False, ""),
    ],
)  # fmt: skip
def test_slips(name: str, known: str, strict: bool, meant: str) -> None:
    assert slip(name, [known], strict=strict) == meant


def test_distance() -> None:
    others = ("mapcount", "mapcont", "mapcuont", "mpacuont", "map")
    assert [distance("mapcount", other, 2) for other in others] == [0, 1, 1, 2, 3]
