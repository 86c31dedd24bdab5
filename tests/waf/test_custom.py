"""The owner's own rules: what they do, and what is refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from proxyweb.errors import ConfigError, Invalid
from proxyweb.waf.custom import load, matcher, with_own
from proxyweb.waf.engine import Engine
from proxyweb.waf.rules import Category, Rule


def written(folder: Path, text: str) -> Path:
    (folder / "waf_rules.toml").write_text(text, "utf-8")
    return folder


def test_no_file_no_rules(tmp_path: Path) -> None:
    assert load(tmp_path) == ()


def test_own_rules_stand_beside_the_others(tmp_path: Path) -> None:
    text = """
    [[rules]]
    id = "old-shop"
    pattern = '^/shop1/.*\\.do$'
    targets = ["path"]
    [[rules]]
    id = "evil-too"
    category = "AA"
    severity = 2
    pattern = 'bad'
    """
    categories = with_own([Category("AA", "A", "", (Rule("evil", "", 3, "evil"),))], load(written(tmp_path, text)))
    assert [(category.name, len(category.rules)) for category in categories] == [("AA", 2), ("CUSTOM", 1)]
    engine = Engine(categories)
    assert engine.judge("GET", "http://h.test/SHOP1/x.do") == (5, ("old-shop",), ("CUSTOM",), True)
    assert engine.judge("GET", "http://h.test/?q=evil+bad") == (5, ("evil", "evil-too"), ("AA",), True)
    assert engine.with_enabled({"AA"}).judge("GET", "http://h.test/shop1/x.do").score == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rules = 5", "nothing but rules"),
        ("x = 1\n[[rules]]\nid = 'a'\npattern = 'b'", "nothing but rules"),
        ("[[rules]]\nid = 'a'", "must have pattern"),
        ("[[rules]]\npattern = 'evil'", "must have an id"),
        ("[[rules]]\nid = 'a'\npattern = '.*'", "too broad: it matches an empty text"),
        ("[[rules]]\nid = 'a'\npattern = 'e'", "too broad: it matches the harmless"),
        ("[[rules]]\nid = 'a'\npattern = '('", "is no pattern of RE2"),
        ("[[rules]]\nid = 'a'\npattern = '(?=evil)'", "is no pattern of RE2"),
        ("[[rules]]\nid = 'a'\npattern = 'evil'\ncheck = 'luhn'", "unknown key 'check'"),
        ("[[rules]]\nid = 'a'\npattern = 'evil'\ncategory = 'my rules'", "a category such as"),
        ("[[rules]]\nid = 'a'\npattern = 'evil'\ntargets = ['body']", "targets among"),
        ("[[rules]]\nid = 'a'\npattern = 'evil'\n[[rules]]\nid = 'a'\npattern = 'bad'", "there twice"),
        ("[[rules", "can't be read"),
    ],
)
def test_what_is_refused_says_why(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=r"waf_rules\.toml") as refused:
        load(written(tmp_path, text))
    assert sentence in refused.value.detail
    assert refused.value.detail.count(". ") == 0


def test_patterns_that_backtrack_elsewhere_are_linear() -> None:
    search = matcher(r"(x+x+)+y")
    begun = time.perf_counter()
    assert not search("x" * 20_000)
    assert time.perf_counter() - begun < 0.5


@pytest.mark.parametrize("pattern", ["", "x" * 3000, "(a{1000}){1000}", "\ud800"])
def test_patterns_that_are_none(pattern: str) -> None:
    with pytest.raises(Invalid):
        matcher(pattern)
