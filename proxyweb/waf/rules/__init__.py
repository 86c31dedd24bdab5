"""The rules as data: a file a category, each rule with what it is after and examples of what it must (not) match.

An example is what stands at the rule's first target, before any encoding: `1' or 1=1` is the value of a parameter,
`/.git/config` a path. A table says it in full: `{ url = "…", agent = "…" }`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from proxyweb.errors import ConfigError
from proxyweb.waf.request import TARGETS

_LINE_END = re.compile(r"\n\s*")
FORMS = ("text", "sql", "shell")
BUILT_IN = Path(__file__).parent
Example = str | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Its severity is what it adds to a request's score, once, however often it matches.

    `pattern` is hyperscan's dialect, on the form of the text that `form` names, whatever the case unless `cased`.
    `names` limits it to parameters of these names; `unless` and `check` see the text after the pattern has matched.
    """

    id: str
    after: str
    severity: int
    pattern: str
    targets: tuple[str, ...] = ("query",)
    form: str = "text"
    cased: bool = False
    names: str = ""
    unless: str = ""
    check: str = ""
    engine: str = "hyperscan"
    match: tuple[Example, ...] = ()
    passes: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Category:
    """What can be switched on and off as one."""

    name: str
    title: str
    description: str
    rules: tuple[Rule, ...]


@cache
def load() -> tuple[Category, ...]:
    """The built-in categories in the order of their names."""
    return tuple(read(path) for path in sorted(BUILT_IN.glob("*.toml")))


def read(path: Path) -> Category:
    """The category in a file. Raises ConfigError with one sentence that names the file and the rule."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} can't be read: {error}.") from error
    try:
        rules = tuple(rule(entry) for entry in table.get("rules", []))
        return Category(table["name"], table["title"], table["description"].strip(), rules)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {error}.") from error


KEYS = frozenset(field.name for field in fields(Rule)) - {"engine"}


def _value(key: str, value: Any) -> Any:
    """Lists as tuples, and patterns in one line: ends of lines, and blanks behind them, don't count."""
    if isinstance(value, list):
        return tuple(value)
    return _LINE_END.sub("", value) if key in ("pattern", "names", "unless") and isinstance(value, str) else value


def rule(entry: Mapping[str, Any]) -> Rule:
    """The rule of one table. Raises ValueError with what is wrong with it."""
    identity = entry.get("id")
    if not isinstance(identity, str) or not identity:
        raise ValueError("a rule must have an id")
    for key in entry.keys() - KEYS:
        raise ValueError(f"{identity} has the unknown key {key!r}")
    for key in ("after", "severity", "pattern"):
        if key not in entry:
            raise ValueError(f"{identity} must have {key}")
    made = Rule(**{key: _value(key, value) for key, value in entry.items()})
    if not set(made.targets) <= set(TARGETS) or not made.targets:
        raise ValueError(f"{identity} must have targets among {', '.join(TARGETS)}")
    if made.form not in FORMS:
        raise ValueError(f"{identity} must have a form among {', '.join(FORMS)}")
    if not isinstance(made.pattern, str) or not made.pattern:
        raise ValueError(f"{identity} must have a text as its pattern")
    if not isinstance(made.severity, int) or not 1 <= made.severity <= 10:
        raise ValueError(f"{identity} must have a severity from 1 to 10")
    return made
