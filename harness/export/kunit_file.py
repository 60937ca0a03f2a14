# SPDX-License-Identifier: GPL-2.0-only
"""A finding, or a recorded walk, as one C file for a kernel: a KUnit test, or without KUnit a module.

What a kernel has itself (KERNEL below) is the kernel's there: atomics, bits, locks, lists, IDs, WARN. The
records that a patch changes, page flags and the rest of mm are the shims', under names of their own, since
no running kernel has the patch's fields. So what is compared with userspace is the first kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.errors import HarnessError
from harness.export.c_file import (
    RESTORE,
    SLICE,
    claim_call,
    comment,
    expected_words,
    inert,
    patch_lines,
    quoted,
    restored,
    spaced,
    step_rows,
    world_text,
    wrapped,
)
from harness.export.finding import Expectation, Finding, Sources, expectation_of, sources_of
from harness.render import template
from harness.translate import layout
from kernel_snippets import INCLUDE

# The shims that only a userspace has: in a kernel these headers are its own.
SHIMS = frozenset(
    """kconform/record.h linux/bug.h linux/mmdebug.h linux/mm_types.h linux/page-flags.h linux/mm.h
    linux/page_ref.h linux/rmap.h generated/bounds.h linux/tracepoint-defs.h trace/events/kmem.h
    asm/current.h""".split()
)
# What contracts use of a shim and no kernel has; the template brings these.
IDA = frozenset(["kc_ida_has", "kc_ida_count", "kc_ida_take", "kc_fail_allocations"])
IDA_NEEDS = frozenset(["kc_fail_allocations", "kc_warned"])
PATCH = "\ud800patch"


def kernel_headers() -> frozenset[str]:
    """The include names of what a kernel has itself."""
    return frozenset(str(path.relative_to(INCLUDE)) for path in INCLUDE.rglob("*.h")) - SHIMS


def kunit_file(finding: Finding, name: str, tag: str = "", walk: Sequence[Any] | None = None) -> str:
    """The text of the file, which is to be called `name`; `tag` names its lines in a kernel's log.

    With `walk` the steps are that many calls, of which nothing is expected.
    """
    if finding.subject.piece.unit:
        raise HarnessError("a trace on a kernel tree cannot be exported as a kernel's test: the tree's own "
                           "functions are there; export it as C")  # fmt: skip
    sources = sources_of(finding, "export_kernel_record.h", kernel_headers())
    if "linux/idr.h" in sources.slice.headers:
        sources = sources_of(finding, "export_kernel_record.h", kernel_headers(), IDA_NEEDS)
    refuse_missing(sources)
    due = Expectation("none") if walk is not None else expectation_of(finding)
    filled = context(finding, sources, due, tag or "trace", walk)
    text = template("export_kunit.c.j2").render(filled)
    text = re.sub(r"\n{3,}", "\n\n", text)
    own = "\n".join([*patch_lines(sources.slice.patch)])
    heading = "/* ---- The patch's own text, unchanged; a #line says where it is from. ---- */\n"
    return restored(text.replace(SLICE, "\n".join(base_lines(sources)))
                    .replace(PATCH, f"{heading}{own}\n{RESTORE}"), name)  # fmt: skip


def refuse_missing(sources: Sources) -> None:
    """HarnessError where the contract uses what is a shim's own and no kernel has."""
    own = [name for name in sources.slice.kernel if name.startswith(("kc_", "KC_")) and name not in IDA]
    if own:
        raise HarnessError(f"it cannot run in a kernel: the contract uses {', '.join(sorted(own))}, which "
                           "only the shims have")  # fmt: skip


def base_lines(sources: Sources) -> Iterator[str]:
    """The stand-ins that are this file's own."""
    yield "/* ---- What of the kernel is this file's own: records that the patch changes, and mm's. ---- */"
    yield ""
    yield from (f"{tag};" for tag in sources.slice.tags)
    yield from spaced(sources.slice.base)


def context(
    finding: Finding, sources: Sources, due: Expectation, tag: str, walk: Sequence[Any] | None
) -> dict[str, Any]:
    """What the template is filled with."""
    trace, contract = finding.trace, finding.contract
    renamed, undefined = own_names(sources)
    slug = re.sub(r"[^a-z0-9]+", "_", trace.id.lower()).strip("_")[:60]
    return {
        "head": comment(head(finding, due, walk, own_words(sources))),
        "options": sorted(finding.setting.config.items()),
        "headers": [header for header in sources.slice.headers if header.startswith("linux/")],
        "renamed": renamed,
        "undefined": sorted(undefined),
        "slice": SLICE,
        "patch": PATCH,
        "ida": "linux/idr.h" in sources.slice.headers,
        "columns": finding.columns,
        "world_c": world_text(finding, sources, strcmp="kc_strcmp"),
        "variables": sources.variables,
        "idas": idas(sources),
        "walk": walk is not None,
        "steps": [*step_rows(finding)] if walk is None else walk,
        "most_args": max([len(op.args) for op in finding.used] or [0]),
        "what": due.what,
        "name": due.name,
        "due": due.due,
        "claim_code": due.code,
        "claim_call": claim_call(due),
        "ghost_fields": [*layout(contract.ghost).offsets.items()],
        "ghost": [value for _, _, value in due.ghost],
        "ghost_words": ", ".join(f"{name} {value}" for name, _, value in due.ghost),
        "expected_words": quoted(expected_words(finding, due)) if due.what != "none" else "",
        "said": inert(expected_words(finding, due)) if due.what != "none" else "",
        "case": f"kc_{slug}",
        "suite": f"kconform_{slug}",
        "tag": tag,
    }


def idas(sources: Sources) -> set[str]:
    """The patch's variables that are the kernel's ID allocators: their memory is not their own."""
    texts = {name: part.text for part in sources.slice.patch for name in part.defines}
    return {name for name in sources.variables if re.search(r"\bida\b|\bDEFINE_IDA\b", texts.get(name, ""))}


def own_names(sources: Sources) -> tuple[list[str], list[str]]:
    """What this file defines and a kernel may have too: names to be changed, and macros to be undone."""
    renamed: dict[str, None] = {}
    undefined: dict[str, None] = {}
    for part in (*sources.slice.base, *sources.slice.patch):
        for name in part.defines:
            word = name.rpartition(" ")[2]
            if part.item.kind == "macro":
                undefined[word] = None
            elif not word.startswith(("kc_", "KC_")) and re.fullmatch(r"[A-Za-z_]\w*", word):
                renamed[word] = None
    text = "\n".join([sources.standins, *sources.wrappers])
    macros = set(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", text, re.M))
    undefined |= dict.fromkeys(sorted(macros))
    for name in sources.given:
        word = name.rpartition(" ")[2]
        if not word.startswith(("kc_", "KC_")):
            renamed[word] = None
    for word in [word for word in renamed if word in undefined]:
        del renamed[word]
    for tag in sources.slice.tags:
        renamed.pop(tag.rpartition(" ")[2], None)
    return sorted(renamed), [word for word in undefined if not word.startswith(("kc_", "KC_"))]


def own_words(sources: Sources) -> Mapping[str, str]:
    """Who brings what, in words."""
    words = {name for name in sources.slice.kernel if not name.startswith(("kc_", "KC_", "CONFIG_"))}
    own = {name.rpartition(" ")[2] for part in sources.slice.base if part.item.kind in ("record", "function")
           for name in part.defines[:1]}  # fmt: skip
    return {
        "kernel": ", ".join(sorted(words)),
        "file": ", ".join(sorted(name for name in own if not name.startswith("kc_"))),
    }


def head(
    finding: Finding, due: Expectation, walk: Sequence[Any] | None, whose: Mapping[str, str]
) -> Iterator[str]:
    """The lines of the comment that the file begins with."""
    trace, contract = finding.trace, finding.contract
    if walk is None:
        where = f"  {trace.where[0]}:{trace.where[1]}" if trace.where else ""
        yield f"FINDING {trace.id}{where}, as a test for a kernel"
        yield from wrapped(trace.title, "  ")
        if trace.group == "claim" and trace.quote:
            yield from wrapped(f'The patch says: "{trace.quote}"', "  ")
        yield from wrapped(f"Due after the last call: {expected_words(finding, due)}.", "  ")
    else:
        yield f"A walk of {len(walk)} calls, for a kernel: what is observed after each is printed."
    yield ""
    yield from wrapped("With CONFIG_KUNIT it is a KUnit suite; without, a module that prints the same KTAP. "
                       "Put it into a folder with a Kbuild that says obj-m := NAME.o, then make -C "
                       "/lib/modules/$(uname -r)/build M=$PWD modules, and load it.", more="")  # fmt: skip
    yield ""
    yield from wrapped(f"The kernel's own here: {whose['kernel'] or 'nothing'}.")
    yield from wrapped(f"This file's, since the patch changes them or they go with what it changes: "
                       f"{whose['file'] or 'nothing'}; each under a name of its own.")  # fmt: skip
    yield from wrapped("Warnings are counted here, as with CONFIG_DEBUG_VM=y; the first of each place also "
                       "goes through the kernel's WARN(). In a tree that has the patch, its own text below "
                       "and these stand-ins can go: include its headers, and leave out the #define of "
                       "names.")  # fmt: skip
    yield ""
    for patch in finding.setting.revision.patches:
        yield from wrapped(f"patch: {patch.subject or patch.source}")
        yield f"  diff sha256 {patch.sha256}"
    yield from wrapped(f"against kconform's contract {contract.name}; the patch's code is its author's, all "
                       "else is kconform's, GPL-2.0-only")  # fmt: skip
