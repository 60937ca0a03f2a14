# SPDX-License-Identifier: GPL-2.0-only
"""What small contracts of the tests have in common: a state of two numbers, and models of it."""

STATE = """
@dataclass(frozen=True)
class State:
    a: int = 0
    b: int = 0
@dataclass(frozen=True)
class Ghost:
    x: int = 0
def inc(s: State) -> State:
    return replace(s, a=s.a + 1)
def below(s: State) -> bool:
    return s.a < 5
def same(s: State) -> State:
    return s
"""
