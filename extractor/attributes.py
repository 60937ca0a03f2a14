# SPDX-License-Identifier: GPL-2.0-only
"""What C says to compiler, assembler and linker beside its meaning: attributes, assembly."""

from __future__ import annotations

import re
from collections.abc import Iterator

TEXT = r"\"(?:\\[^\n]|[^\"\\\n])*\"?|'(?:\\[^\n]|[^'\\\n])*'?"
RISKS = (
    rf"(?P<raw>\b(?:u8|[uUL])?R\"[^\n]*)|{TEXT}|(?P<asm>\b(?:asm|__asm|__asm__)\b)|"
    r"(?P<attribute>\b(?:__attribute__|__attribute)\b)|"
    r"(?P<thread>\b(?:__thread|_Thread_local)\b)|"
    r"(?P<square>(?:\[|<:)\s*(?:\[|<:))"  # C23's attributes: gcc takes them as gnu11
)
# ASCII: a letter of another script is no part of a word, so that it can hide none.
RISK = re.compile(RISKS, re.A)
PART = re.compile(rf"{RISKS}|(?P<name>[^\W\d]\w*)|(?P<mark>\S)", re.A)
# The shim's __cleanup(), which guard() and __free() of linux/cleanup.h come to: a function of the same
# text is called where a scope ends. That is a call as any other, in the same sandbox, and nothing runs
# before or after an operation by it. What a patch writes itself must not say it.
CLEANUP = re.compile(r"__attribute__\(\(__cleanup__\([A-Za-z_]\w*\)\)\)", re.A)

# What has code run that nobody calls, puts names or bytes in other places, or takes another one's name.
DENIED = frozenset(
    """alias cleanup constructor destructor ifunc naked section symver target_clones weak weakref""".split()
)
# linux/compiler_attributes.h and compiler_types.h, sparse's, and what gcc's manual has of their kind:
# they change what is generated or what is warned of, where the text stands.
KNOWN = frozenset(
    """
    access address_space aligned alloc_align alloc_size always_inline artificial assume assume_aligned
    bitwise btf_decl_tag btf_type_tag cold const context counted_by counted_by_or_null deprecated
    designated_init diagnose_as_builtin disable_sanitizer_instrumentation error externally_visible
    fallthrough fd_arg fd_arg_read fd_arg_write flatten force format format_arg function_return gcc_struct
    gnu_inline hot indirect_branch iomem latent_entropy leaf malloc may_alias mode ms_abi ms_struct
    no_caller_saved_registers no_icf no_instrument_function no_profile_instrument_function
    no_randomize_layout no_reorder no_sanitize no_sanitize_address no_sanitize_coverage
    no_sanitize_memory no_sanitize_thread no_sanitize_undefined no_split_stack no_stack_protector nocast
    nocf_check noclone noderef noinline noipa nonnull nonstring noplt noreturn nothrow optimize
    overloadable packed pass_dynamic_object_size pass_object_size patchable_function_entry percpu
    preserve_all preserve_most pure randomize_layout rcu regparm retain returns_nonnull returns_twice safe
    scalar_storage_order sentinel signal stack_protect strict_flex_array sysv_abi tainted_args
    transparent_union uninitialized unused used user vector_size visibility warn_if_not_aligned
    warn_unused_result warning zero_call_used_regs
    """.split()
)


def unsafe(text: str, *, expanded: bool = False) -> Iterator[tuple[int, str]]:
    """Offset and kind of what must not be compiled in comment-free `text`: assembly, attributes.

    In `expanded` text, where no macro is left, only attributes that are known to do no harm pass; before
    that a name can be a macro's, and those that are known to do harm are found. Time is linear.
    """
    at = depth = awaited = 0  # the brackets that are open, and that must follow, from an attribute on
    lists: list[int] = []  # the depths at which names are attributes
    while match := (PART if depth or awaited else RISK).search(text, at):
        at, said = match.end(), match.group()
        if match["attribute"]:
            cleanup = CLEANUP.match(text, match.start()) if expanded else None
            at, awaited = (cleanup.end(), 0) if cleanup else (at, 2)
        elif awaited and said != "(":
            awaited = 0
            if expanded:
                yield match.start(), "an attribute that is not in (( ))"
        elif said == "(":
            depth += 1
            lists += [depth] if awaited == 1 else []
            awaited = max(awaited - 1, 0)
        elif said == ")":
            if lists[-1:] == [depth]:
                lists.pop()
            depth -= 1
        elif risk := named_risk(match):
            yield match.start(), risk
        elif lists[-1:] == [depth] and is_refused(match, expanded):
            yield match.start(), f"attribute {said.strip('_')}"


NAMED = {"asm": "inline assembly", "square": "an attribute in [[ ]]", "raw": "a raw string",
         "thread": "a thread's own variable"}  # fmt: skip


def named_risk(match: re.Match[str]) -> str:
    """What is dangerous wherever it stands; empty for anything else."""
    return next((what for group, what in NAMED.items() if match[group]), "")


def is_refused(match: re.Match[str], expanded: bool) -> bool:
    """Whether a part of a list of attributes must not stand there."""
    if not expanded:
        return match.group().strip("_") in DENIED
    return match.group() != "," and match.group().strip("_") not in KNOWN
