"""Rules of the owner's own, in `waf_rules.toml` in the instance folder; matched in linear time by google-re2.

    [[rules]]
    id = "old-shop"
    after = "calls of the shop we took down"
    category = "PATH_MANIPULATION"
    severity = 5
    targets = ["path"]
    pattern = '^/shop1/.*\\.do$'

They have these keys and no others. A category of a new name is one of its own. A pattern that
matches what everybody sends is refused: it would block everybody.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import re2  # type: ignore[import-untyped]

from proxyweb.errors import ConfigError, Invalid
from proxyweb.waf.rules import Category, Rule, rule

FILE = "waf_rules.toml"
MOST_RULES = 500
LONGEST = 2000
MEMORY = 8 << 20
MEMORY_OF_ALL = 64 << 20
KEYS = ("id", "after", "category", "severity", "targets", "pattern")
CATEGORY = "CUSTOM"
DESCRIPTION = "Rules of your own."
_CATEGORY = re.compile(r"[A-Z][A-Z0-9_]{1,39}")
# What people send all day, as a rule's targets see it.
HARMLESS = (
    "http://www.example.com/index.html", "https://www.example.org/", "www.example.com", "example.org:443", "/",
    "/index.html",
    "/images/logo.png", "/search", "search", "1", "12345", "en", "true", "a", "hello world", "page", "user@example.com",
    "2024-05-17", "https://www.example.com/news?page=2&lang=en", "GET", "POST", "CONNECT", "curl/8.5.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1 (KHTML, like Gecko) Version/17.4 Safari/605.1",
)  # fmt: skip


def load(folder: Path) -> tuple[Category, ...]:
    """The categories of `waf_rules.toml` in `folder`; none without the file. Raises ConfigError with one sentence."""
    path = folder / FILE
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} can't be read: {error}.") from error
    entries = table.get("rules")
    if table.keys() - {"rules"} or not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise ConfigError(f"{path} must hold nothing but rules, each under [[rules]].")
    if len(entries) > MOST_RULES:
        raise ConfigError(f"{path} has {len(entries)} rules; {MOST_RULES} are the most.")
    try:
        return _by_category(map(_own, entries))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: {error}.") from error
    except Invalid as error:
        raise ConfigError(f"{path}: {error.errors[0][1]}.") from error


def matcher(pattern: str) -> Callable[[str], object]:
    """A search for `pattern` in a text, in time linear in the text. Raises Invalid where that can't be, or where it
    would match what everybody sends."""
    if not isinstance(pattern, str) or not 1 <= len(pattern) <= LONGEST:
        raise Invalid([("regex", f"must be a text of 1 to {LONGEST} characters")])
    try:
        compiled = re2.compile(pattern, options=_options())
    except (re2.error, UnicodeEncodeError) as error:
        raise Invalid([("regex", f"{pattern!r} is no pattern of RE2: {_said(error)}")]) from error

    def search(text: str) -> object:
        return compiled.search(text.encode("utf-8", "replace"))

    if search(""):
        raise Invalid([("regex", f"{pattern!r} is too broad: it matches an empty text")])
    for text in HARMLESS:
        if search(text):
            raise Invalid([("regex", f"{pattern!r} is too broad: it matches the harmless {text!r}")])
    return search


class OwnPatterns:
    """Patterns of RE2 that are looked for at once; each is known by its place."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._set = re2.Set.SearchSet(_options(MEMORY_OF_ALL))
        for pattern in patterns:
            self._set.Add(pattern)
        try:
            self._set.Compile()
        except re2.error as error:
            raise ConfigError(f"{FILE} has rules too large to be looked for at once: {_said(error)}.") from error

    def found(self, text: str) -> list[int]:
        """The places of the patterns that are in `text`."""
        return self._set.Match(text.encode("utf-8", "replace")) or []


def with_own(categories: Iterable[Category], own: Iterable[Category]) -> tuple[Category, ...]:
    """All categories, each once: the owner's rules behind the built-in ones of their category."""
    known = {category.name: category for category in categories}
    for category in own:
        there = known.get(category.name)
        known[category.name] = replace(there, rules=there.rules + category.rules) if there else category
    return tuple(known.values())


def _options(memory: int = MEMORY) -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = memory
    return options


def _own(entry: dict[str, Any]) -> tuple[str, Rule]:
    for key in entry.keys() - KEYS:
        raise ValueError(f"{entry.get('id')!r} has the unknown key {key!r}; {', '.join(KEYS)} are known")
    category = entry.get("category", CATEGORY)
    if not isinstance(category, str) or _CATEGORY.fullmatch(category) is None:
        raise ValueError(f"{entry.get('id')!r} must have a category such as SQL_INJECTION")
    made = rule({"after": "", "severity": 5, **{key: entry[key] for key in entry if key != "category"}})
    matcher(made.pattern)
    return category, replace(made, engine="re2")


def _by_category(rules: Iterable[tuple[str, Rule]]) -> tuple[Category, ...]:
    found: dict[str, list[Rule]] = {}
    names: set[str] = set()
    for category, made in rules:
        if made.id in names:
            raise ValueError(f"{made.id} is there twice")
        names.add(made.id)
        found.setdefault(category, []).append(made)
    return tuple(Category(name, name.capitalize(), DESCRIPTION, tuple(own)) for name, own in found.items())


def _said(error: Exception) -> str:
    text = error.args[0] if error.args else error
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
