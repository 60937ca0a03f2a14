# SPDX-License-Identifier: GPL-2.0-only
"""Whether a patch's options can be set where they should, and only there: decided from its Kconfig."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from extractor.items import Item
from extractor.kconfig_language import Expression, Value, atoms, both, evaluate, parse
from extractor.kconfig_options import Option, Way, allowed, options, selected, settable, ways
from extractor.patch import Patch
from harness.contract import OptionClaim, StaticContract, UndoneClaim
from harness.errors import HarnessError
from harness.judge import Check
from harness.static.named_options import judge_names, known_options, tested_options

MOST = 4096  # assignments of values that are tried
UNSEEN = "; a menu or `if` around it that the patch does not show would count as well"
Assignment = dict[str, str]


def judge_configuration(
    contract: StaticContract | None,
    patches: Sequence[Patch],
    items: Sequence[Item],
    config: Mapping[str, bool],
) -> Iterator[Check]:
    """configuration/<claim> of each claim on an option, and one check of the options that C tests.

    The last needs no contract, and is made where the patch adds an option. `config` names options
    that are known to exist.
    """
    known = options(items)
    for claim in contract.options if contract else ():
        yield judge_option(claim, known)
    tested = tested_options(patches)
    vocabulary = known_options(patches, items, config)
    if vocabulary.added and tested:
        title = "configuration: C code tests no option that is misspelt"
        check = Check("configuration/tested-options", "configuration", "pass", title)
        yield judge_names(check, tested, vocabulary)


def claim_check(claim: OptionClaim | UndoneClaim) -> Check:
    """The check of a claim, of which nothing is known yet."""
    title = f"configuration: {claim.title}"
    return Check(f"configuration/{claim.id}", "configuration", "unknown", title, quote=claim.sentence)


def judge_option(claim: OptionClaim, known: Sequence[Option]) -> Check:
    """One claim on an option, over all values of what its entry and the claim name."""
    check = claim_check(claim)
    own = [option for option in known if option.name == claim.option]
    if not own:
        return replace(check, reason=f"the patch's Kconfig hunks show no entry of {claim.option}")
    if not all(option.complete for option in own):
        return replace(check, reason=f"of the entry of {claim.option}, not all is shown and understood")
    check = replace(check, file=own[0].file, line=own[0].line, judged=1)
    if claim.manual:
        return judge_manual(check, own[0], known)
    needs = parse(claim.needs)
    if not needs:
        raise HarnessError(f"claim {claim.id}: {claim.needs} is no Kconfig expression")
    return Table(claim, needs, own, known).judge(check)


def judge_manual(check: Check, option: Option, known: Sequence[Option]) -> Check:
    """Whether nothing but an option's prompt sets it."""
    if not option.prompts:
        return replace(check, verdict="fail", failed=1, detail="it has no prompt, so nobody can set it")
    if option.type == "tristate":
        said = (
            f"as a module it defines CONFIG_{option.name}_MODULE, and #ifdef CONFIG_{option.name} is not true"
        )
        return replace(check, verdict="fail", failed=1, line=option.prompts[0].line, detail=said)
    for way in (way for way in ways(option, known) if way.by != "prompt"):
        domain = domains([way])
        if math.prod(map(len, domain.values())) > MOST:
            return replace(check, reason=f"{way.text} depends on {len(domain)} options, too many")
        if any(evaluate(way.expression, row) for row in assignments(domain)):
            return replace(check, verdict="fail", failed=1, file=way.file, line=way.line,
                           detail=f"{option.name} is set without anybody's doing: {way.text}")  # fmt: skip
    return replace(check, verdict="pass")


def domains(found: Sequence[Way], *more: Expression) -> dict[str, tuple[str, ...]]:
    """Everything that these ways and expressions depend on, with the values that each may have."""
    every = [atoms(expression) for expression in (*(way.expression for way in found), *more)]
    names = sorted({name for each in every for name in each})
    return {n: max((each[n] for each in every if n in each), key=len) for n in names}


def assignments(of: Mapping[str, tuple[str, ...]]) -> Iterator[Assignment]:
    """Every assignment of values."""
    for values in itertools.product(*of.values()):
        yield dict(zip(of, values, strict=True))


@dataclass(frozen=True)
class Table:
    """The truth table of a claim: where its option can be y, and where what it needs holds."""

    claim: OptionClaim
    needs: Expression
    own: Sequence[Option]
    known: Sequence[Option]

    def judge(self, check: Check) -> Check:
        """The verdict, with the shortest assignment that breaks the claim."""
        found = [way for option in self.own for way in ways(option, self.known)]
        domain = self.domain(found)
        tried = math.prod(map(len, domain.values()))
        if tried > MOST:
            return replace(check, reason=f"{self.claim.option} depends on {len(domain)} options, too many")
        rows = list(assignments(domain))
        there = [row for row in rows if evaluate(self.needs, row) and self.set_by(found, row)]
        broken = [row for row in rows if not evaluate(self.needs, row) and self.set_by(found, row)]
        check = replace(check, judged=tried, line=self.line(found))
        if not there:
            return replace(check, verdict="fail", failed=tried,
                           detail=f"{self.claim.option} can never be set: {self.why(found)}")  # fmt: skip
        if not broken:
            return replace(check, verdict="pass")
        return self.blame(check, domain, broken, found)

    def domain(self, found: Sequence[Way]) -> dict[str, tuple[str, ...]]:
        """As `domains`, with m where an option is known to be tristate."""
        tristate = {option.name for option in self.known if option.type == "tristate"}
        said = domains(found, self.needs)
        return {name: ("n", "m", "y") if name in tristate else values for name, values in said.items()}

    def set_by(self, found: Sequence[Way], row: Assignment) -> Way | None:
        """The first way in which the option can be y there."""
        return next((way for way in found if settable(self.own[0], way, row)), None)

    def blame(
        self,
        check: Check,
        domain: Mapping[str, tuple[str, ...]],
        broken: Sequence[Assignment],
        found: Sequence[Way],
    ) -> Check:
        """Fail where options that are free of what is needed suffice to break it, else unknown."""
        name = self.claim.option
        free = {*atoms(self.needs), *self.claim.free}
        shown = [way for way in found if way.certain]
        sure = [row for row in broken if self.set_by(shown, row)]
        short = sufficient([n for n in domain if n in free], domain, sure)
        if short is None:
            short = shortest(min(broken, key=weight), domain, broken)
            doubt = ", ".join(n for n in short if n not in free) or "the option that selects it"
            said = f"{name} can be set with {spelled(short)}; whether {doubt} takes {self.needs}"
            return replace(check, reason=f"{said}, the patch does not show")
        way = self.set_by(shown, next(row for row in sure if short.items() <= row.items()))
        assert way
        check = replace(check, verdict="fail", failed=len(broken), file=way.file, line=self.line([way]))
        said = f"{name} can be set with {spelled(short)}: {self.why([way])}{UNSEEN}"
        return replace(check, detail=said)

    def line(self, found: Sequence[Way]) -> int:
        """The line that decides: what selects it, else its dependency, else its first line."""
        if found and found[0].by == "select":
            return found[0].line
        return next((c.line for option in self.own for c in option.depends), self.own[0].line)

    def why(self, found: Sequence[Way]) -> str:
        """What decides, in words."""
        if found and found[0].by == "select":
            return found[0].text
        said = [str(c.value) for option in self.own for c in option.depends]
        said += [str(e) for option in self.own for e in option.around]
        return f"it depends on {' and '.join(said) or 'nothing'}"


def weight(row: Assignment) -> tuple[int, list[str]]:
    """The fewer options are set, the simpler is an assignment."""
    return sum(value != "n" for value in row.values()), list(row.values())


def sufficient(
    names: Sequence[str], domain: Mapping[str, tuple[str, ...]], broken: Sequence[Assignment]
) -> Assignment | None:
    """The simplest values of `names` with which every assignment is among `broken`; None for none."""
    counts = Counter(tuple(row[n] for n in names) for row in broken)
    others = math.prod(len(values) for n, values in domain.items() if n not in names)
    rows = [dict(zip(names, values, strict=True)) for values, count in counts.items() if count == others]
    return shortest(min(rows, key=weight), domain, broken) if rows else None


def shortest(
    row: Assignment, domain: Mapping[str, tuple[str, ...]], broken: Sequence[Assignment]
) -> Assignment:
    """`row` without what may have any value: every assignment that has the rest is among `broken`."""
    short = dict(row)
    for name in sorted(row):
        less = {n: v for n, v in short.items() if n != name}
        count = math.prod(len(values) for n, values in domain.items() if n not in less)
        if sum(less.items() <= other.items() for other in broken) == count:
            short = less
    return short


def spelled(row: Mapping[str, str]) -> str:
    """An assignment as it is said."""
    return " ".join(f"{n if n.isidentifier() or n.isalnum() else f'({n})'}={v}" for n, v in row.items())


def refused(items: Sequence[Item], config: Mapping[str, bool]) -> str:
    """Why the patch's Kconfig does not allow `config` (CONFIG_X -> whether it is set); "" where it may.

    It is the configuration that is at fault then, not the patch.
    """
    known = options(items)
    values: dict[str, Value] = {name.removeprefix("CONFIG_"): value for name, value in config.items()}
    for option in known:
        wanted = values.get(option.name)
        if wanted and allowed(option, values, known) is False:
            return f"{option.name}=y {missing(option, values, known)}: {cause(option, values)}"
        if wanted is False and (by := selected(option, values, known)):
            return f"{option.name}=n cannot be: {by}"
    return ""


def refused_by(items: Sequence[Item], usual: Mapping[str, bool], config: Mapping[str, bool]) -> str:
    """Why the patch's Kconfig does not allow what a run sets otherwise than usual.

    Where it does not allow the usual either, that is for the claims on its options to say.
    """
    against = refused(items, {**usual, **config}) if config else ""
    return "" if against and refused(items, usual) else against


def cause(option: Option, values: Mapping[str, Value]) -> str:
    """The line that keeps `option` from being set, as `file:line: text`."""
    for clause in (*option.depends, *option.prompts):
        if evaluate(both(clause.value, clause.when), values) == 0:
            return f"{option.file}:{clause.line}: {clause.text}"
    around = ", ".join(map(str, option.around))
    return f"{option.file}:{option.line}: config {option.name}" + (f", within {around}" if around else "")


def missing(option: Option, values: Mapping[str, Value], known: Sequence[Option]) -> str:
    """The fewest changes of `values` after which `option` may be set."""
    named = sorted(n for n in domains(ways(option, known)) if isinstance(values.get(n), bool))
    for count in range(1, min(len(named), 3) + 1):
        for names in itertools.combinations(named, count):
            changed = {name: not values[name] for name in names}
            if allowed(option, {**values, **changed}, known) is not False:
                return "needs " + " ".join(f"{n}={'y' if v else 'n'}" for n, v in changed.items())
    return "is not allowed"
