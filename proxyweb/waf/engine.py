"""The verdict on a request: a pure function of method, URL, headers and the categories that are on.

hyperscan looks for all patterns at once; what it finds is confirmed, and each rule that holds adds its severity once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from copy import copy
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from proxyweb.waf import shell, sql
from proxyweb.waf.checks import CHECKS, WEAKER
from proxyweb.waf.patterns import Pattern, Patterns
from proxyweb.waf.plain import Plain, plain
from proxyweb.waf.request import (
    AGENT,
    HOST,
    METHOD,
    NOTHING,
    PATH,
    QUERY,
    RAW,
    REFERER,
    Value,
    header_values,
    method_value,
    pairs,
    values,
)
from proxyweb.waf.rules import Category, Rule

if TYPE_CHECKING:
    from proxyweb.waf.custom import OwnPatterns

THRESHOLD = 5
REMEMBERED = 4096
LONGEST_REMEMBERED = 1024
LONGEST_EXCUSED = 512  # exceptions are for short texts, and Python's re may take its time over long ones
REPEATED = frozenset((METHOD, HOST, AGENT))
STAGES = {"raw": frozenset((RAW,)), "text": frozenset((PATH, QUERY, REFERER)), "client": REPEATED}
"""Targets whose patterns are looked for together, by the name of the file that keeps them."""
NONE: frozenset[int] = frozenset()
Numbered = tuple[int, Rule]


class Form(NamedTuple):
    """A way to read a text. `trigger` finds the texts worth it; `form` gives what rules of this form look at."""

    trigger: str
    form: Callable[[str], list[str]]
    cased: bool


FORMS = {"sql": Form(sql.TRIGGER, sql.form, True), "shell": Form(shell.TRIGGER, shell.form, False)}


class Verdict(NamedTuple):
    """What was found. Categories by their points, most first; rules in the order of their files."""

    score: int
    rules: tuple[str, ...]
    categories: tuple[str, ...]
    blocked: bool


INNOCENT = Verdict(0, (), (), False)


class Aim(NamedTuple):
    """What is looked for in lines at one target, and whose pattern each is: a rule's number, or None for what only
    makes a text worth a look. No line holds a line's end."""

    patterns: list[Pattern]
    numbers: list[int | None]


class _Confirmed(NamedTuple):
    """A rule made ready: its targets, and what has to hold beside its pattern."""

    id: str
    category: str
    severity: int
    targets: frozenset[str]
    names: Callable[[str], object] | None
    unless: Callable[[str], object] | None
    check: Callable[[str], bool] | None


class _Stage(NamedTuple):
    """Patterns that are looked for at once. `numbers` are the rules they belong to, by the patterns' places.

    A place beyond them is the trigger of one of `forms`. `own` are the patterns of the owner's own rules.
    """

    patterns: Patterns
    numbers: tuple[int, ...]
    forms: tuple[str, ...] = ()
    own: OwnPatterns | None = None
    own_numbers: tuple[int, ...] = ()


class Engine:
    """Rules, made ready once. May be used by several threads; they take turns."""

    def __init__(
        self,
        categories: Iterable[Category],
        enabled: Collection[str] | None = None,
        threshold: int = THRESHOLD,
        cache: Path | None = None,
    ) -> None:
        """`enabled` names the categories that are on, None all; `cache` is the folder of compiled patterns."""
        rules = [(category.name, rule) for category in categories for rule in category.rules]
        self._rules = rules
        self._confirmed = [_confirmed(name, rule) for name, rule in rules]
        self._stages = {
            target: stage
            for name, targets in STAGES.items()
            for stage in [_stage(rules, targets, cache and cache / f"{name}.hyperscan")]
            for target in targets
        }
        self._forms = {form: _form_stage(rules, form, cache and cache / f"{form}.hyperscan") for form in FORMS}
        self._known = lru_cache(REMEMBERED)(self._found)
        self._known_beside = lru_cache(REMEMBERED)(self._beside)
        self._query_aim = self.patterns_at(QUERY)
        self._query_lines = Patterns(
            self._query_aim.patterns if self._query_aim else (), cache and cache / "query.hyperscan", lines=True
        )
        self._lock = Lock()
        self.threshold = threshold
        self.enabled = frozenset(name for name, _ in rules) if enabled is None else frozenset(enabled)

    def with_enabled(self, enabled: Collection[str], threshold: int | None = None) -> Engine:
        """The same rules with other categories on: at once, since everything compiled is shared."""
        other = copy(self)
        other.enabled = frozenset(enabled)
        other.threshold = self.threshold if threshold is None else threshold
        return other

    def judge(self, method: str, url: str, headers: Mapping[str, str] = NOTHING) -> Verdict:
        """The verdict on a request, whatever its bytes. `url` is absolute, begins at the slash, or is `host:port`."""
        parts = plain(url)
        if parts is None:
            return self.verdict(self.found(values(method, url, headers)))
        is_short = len(method) + sum(map(len, headers.values())) <= LONGEST_REMEMBERED
        with self._lock:
            beside = (self._known_beside if is_short else self._beside)(method, parts.host, *headers.items())
            return self.verdict(beside | self._in_plain(url, parts))

    def found(self, some: Iterable[Value]) -> frozenset[int]:
        """The numbers of the rules that hold for any of some values, on or off. `verdict` says what follows."""
        with self._lock:  # hyperscan's scratch space is for one at a time
            return self._held(some)

    def patterns_at(self, target: str) -> Aim | None:
        """What is looked for at a target; None where rules of the owner's own have to be asked as well."""
        aimed, forms = _aimed(self._rules, {target})
        if any(rule.engine == "re2" for _, rule in aimed):
            return None
        plain = _telling(_plain(aimed))
        triggers = [(FORMS[form].trigger.replace(r"\n", ""), False) for form in forms]
        return Aim(_patterns(plain, ()) + triggers, [number for number, _ in plain] + [None] * len(forms))

    def _held(self, some: Iterable[Value]) -> frozenset[int]:
        found, in_query = NONE, []
        for value in some:
            if value.target == QUERY:
                in_query.append(value)
            else:
                found |= self._known(value) if value.target in REPEATED else self._found(value)
        lines = "\n".join(value.text for value in in_query)
        if len(in_query) < 2 or lines.count("\n") >= len(in_query):  # nothing to be saved, or a value is several lines
            return found.union(*map(self._found, in_query))
        return found | self._in_lines(lines, lambda: in_query)

    def _beside(self, method: str, host: str, *headers: tuple[str, str]) -> frozenset[int]:
        """What holds for a request beside its URL's path and query. With another path, the same comes again."""
        return self._held((method_value(method), *header_values(host, dict(headers))))

    def _in_plain(self, url: str, parts: Plain) -> frozenset[int]:
        """What holds for a plain URL, but for its host."""
        found = self._found(Value(RAW, url))
        if parts.path != "/":
            found |= self._found(Value(PATH, parts.path))
        if parts.query:
            found |= self._in_lines(parts.lines, lambda: list(pairs(parts.query, QUERY)))
        return found

    def _in_lines(self, lines: str, values_of: Callable[[], Sequence[Value]]) -> frozenset[int]:
        """What holds for values of a query, given a line each: one look at all of them, and most have nothing."""
        if self._query_aim is None:  # the owner's rules have to be asked
            return NONE.union(*map(self._found, values_of()))
        numbers = [self._query_aim.numbers[place] for place in self._query_lines.found(lines)]
        if not numbers:
            return NONE
        some = values_of()
        if any(number is None or any(self.holds(number, value) for value in some) for number in numbers):
            return NONE.union(*map(self._found, some))
        return NONE

    def _found(self, value: Value) -> frozenset[int]:
        """The numbers of the rules that hold for a value, on or off."""
        stage = self._stages[value.target]
        places = stage.patterns.found(value.text)
        if not places and stage.own is None:
            return NONE
        return frozenset(number for number in self._numbers(stage, places, value.text) if self.holds(number, value))

    def _numbers(self, stage: _Stage, places: Sequence[int], text: str) -> Iterator[int]:
        """The rules that the places belong to, with those found in the text's other forms and the owner's own."""
        last = len(stage.numbers)
        for place in places:
            if place < last:
                yield stage.numbers[place]
            else:
                name = stage.forms[place - last]
                form = self._forms[name]
                for formed in FORMS[name].form(text):
                    for other in form.patterns.found(formed):
                        yield form.numbers[other]
        if stage.own is not None:
            for place in stage.own.found(text):
                yield stage.own_numbers[place]

    def holds(self, number: int, value: Value) -> bool:
        """Whether a rule holds for a value in which its pattern was found."""
        rule = self._confirmed[number]
        return (
            value.target in rule.targets
            and self.fits(number, value.name)
            and (rule.unless is None or len(value.text) > LONGEST_EXCUSED or rule.unless(value.text) is None)
            and (rule.check is None or rule.check(value.text))
        )

    def fits(self, number: int, name: str) -> bool:
        """Whether a rule looks at values under a name; empty is none."""
        names = self._confirmed[number].names
        return names is None or names(name) is not None

    def verdict(self, found: Collection[int]) -> Verdict:
        """What follows from the rules that hold, with the categories that are on."""
        if not found:
            return INNOCENT
        rules = [rule for rule in map(self._confirmed.__getitem__, sorted(found)) if rule.category in self.enabled]
        points: dict[str, int] = {}
        for rule in rules:
            points[rule.category] = points.get(rule.category, 0) + rule.severity
        score = sum(points.values())
        ranked = sorted(points, key=lambda name: (-points[name], name))
        return Verdict(score, tuple(rule.id for rule in rules), tuple(ranked), score >= self.threshold)


def _stage(rules: Sequence[tuple[str, Rule]], targets: Set[str], file: Path | None) -> _Stage:
    """What is looked for at some targets: the plain rules' patterns, then triggers of the forms that others need."""
    aimed, forms = _aimed(rules, targets)
    plain = _plain(aimed)
    own = [(number, rule) for number, rule in aimed if rule.engine == "re2"]
    return _Stage(
        Patterns(_patterns(plain, forms), file),
        tuple(number for number, _ in plain),
        forms,
        _own_patterns([rule.pattern for _, rule in own]) if own else None,
        tuple(number for number, _ in own),
    )


def _aimed(rules: Sequence[tuple[str, Rule]], targets: Set[str]) -> tuple[list[Numbered], tuple[str, ...]]:
    """The rules that look at any of the targets, and the forms that these need."""
    aimed = [(number, rule) for number, (_, rule) in enumerate(rules) if not targets.isdisjoint(rule.targets)]
    return aimed, tuple(form for form in FORMS if any(rule.form == form for _, rule in aimed))


def _plain(aimed: Iterable[Numbered]) -> list[Numbered]:
    return [(number, rule) for number, rule in aimed if rule.form == "text" and rule.engine == "hyperscan"]


def _telling(plain: Sequence[Numbered]) -> list[Numbered]:
    """Without the rules that only hold where another one does."""
    looks = {_look(rule, rule.check) for _, rule in plain}
    return [(number, rule) for number, rule in plain if _look(rule, WEAKER.get(rule.check)) not in looks]


def _look(rule: Rule, check: str | None) -> tuple[object, ...]:
    """What decides whether a rule with this check holds."""
    return rule.pattern, rule.cased, frozenset(rule.targets), rule.names, rule.unless, check


def _patterns(plain: Iterable[Numbered], forms: Iterable[str]) -> list[Pattern]:
    return [(rule.pattern, rule.cased) for _, rule in plain] + [(FORMS[form].trigger, False) for form in forms]


def _own_patterns(patterns: Sequence[str]) -> OwnPatterns:
    from proxyweb.waf.custom import OwnPatterns  # google-re2 is loaded where there are such rules

    return OwnPatterns(patterns)


def _form_stage(rules: Sequence[tuple[str, Rule]], form: str, file: Path | None) -> _Stage:
    formed = [(number, rule) for number, (_, rule) in enumerate(rules) if rule.form == form]
    patterns = [(rule.pattern, rule.cased or FORMS[form].cased) for _, rule in formed]
    return _Stage(Patterns(patterns, file), tuple(number for number, _ in formed))


def _confirmed(category: str, rule: Rule) -> _Confirmed:
    names = re.compile(rule.names).fullmatch if rule.names else None
    unless = re.compile(rule.unless, re.IGNORECASE).search if rule.unless else None
    check = CHECKS[rule.check] if rule.check else None
    return _Confirmed(rule.id, category, rule.severity, frozenset(rule.targets), names, unless, check)
