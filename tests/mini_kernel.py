# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree of a few small headers, made for tests, and a contract for it."""

from __future__ import annotations

from pathlib import Path

from tests.toy_state import STATE

COUNTER = """#ifndef _LINUX_COUNTER_H
#define _LINUX_COUNTER_H

#include <linux/toy_types.h>

/* Never below zero. */
#ifdef CONFIG_TOY_WIDE
#define COUNTER_MAX	1000
#else
#define COUNTER_MAX	5
#endif

#define COUNTER_OP(name, op)					\\
static inline void counter_##name(struct counter *c)		\\
{								\\
	c->value op counter_step(c);				\\
}

/* how far an operation goes */
static inline int counter_step(const struct counter *c)
{
	return c->owner ? c->owner->step : 1;
}

COUNTER_OP(inc, +=)
COUNTER_OP(dec, -=)

static inline bool counter_full(const struct counter *c)
{
	return c->value >= COUNTER_MAX;
}

#ifndef CONFIG_TOY_WIDE
static inline int counter_far(struct counter *c)
{
	return counter_elsewhere(c);
}
#endif

static inline void counter_halt(void)
{
	asm volatile("hlt");
}

#endif
"""
FILES = {
    "Makefile": "VERSION = 9\n",
    "include/linux/kconfig.h": "#include <generated/autoconf.h>\n",
    "include/linux/compiler_types.h": "",
    "include/linux/toy_types.h": """#ifndef _LINUX_TOY_TYPES_H
#define _LINUX_TOY_TYPES_H
#include <linux/list.h>

struct owner {
	int step;
	char name[16];
	struct list_head all;
};

struct counter {
	int value;
	int other;
	struct owner *owner;
	unsigned long unused[40];
};

int counter_elsewhere(struct counter *c);

#endif
""",
    "include/linux/list.h": "#include <linux/no-such-generated-header.h>\n",
    "include/linux/counter.h": COUNTER,
    "mm/counter.c": "int counter_elsewhere(struct counter *c)\n{\n\treturn 0;\n}\n",
}
CONTRACT = f"""from __future__ import annotations
from dataclasses import dataclass, replace
from harness.contract import Claim, Contract, Operation
{STATE}
def dec(s: State) -> State:
    return replace(s, a=s.a - 1)
def above(s: State) -> bool:
    return s.a > 0
def full(s: State) -> int:
    return s.a >= 5
def never_below(t: State) -> bool:
    return t.a >= 0
CONTRACT = Contract(name="counter", title="counters", requires=("counter_inc", "counter_full"),
    headers=("linux/counter.h",), config={{}}, world="struct counter c;", init="", owns=("c",),
    state=State, observe={{"a": "w->c.value", "b": "0"}}, ghost=Ghost,
    operations=(Operation("inc", "counter_inc(&w->c)", model=inc, when=below),
                Operation("dec", "counter_dec(&w->c)", model=dec, when=above),
                Operation("full", "counter_full(&w->c)", kind="probe", model=same, returns=full)),
    claims=(Claim("never-below", "always", "no counter is below zero", "Never below zero.", never_below),))
"""
QUIET = ("--walk", "0", "--no-sanitizers", "--interleave=off")


def mini_kernel(folder: Path) -> Path:
    """The tree, made below `folder`."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def counter_contract(folder: Path) -> Path:
    """The contract's file."""
    path = folder / "counter.py"
    path.write_text(CONTRACT)
    return path
