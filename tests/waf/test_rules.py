"""Every rule is found by its own examples, and by none of those it must leave alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from proxyweb.errors import ConfigError
from proxyweb.waf.engine import Engine
from proxyweb.waf.rules import Category, Rule, load, read, rule
from tests.waf.examples import request

CATEGORIES = {
    "SQL_INJECTION", "XSS_ATTACKS", "COMMAND_INJECTION", "DIRECTORY_TRAVERSAL", "DATA_LEAK_PREVENTION", "SSRF",
    "LOG4SHELL", "XXE", "PROTOTYPE_POLLUTION", "PATH_MANIPULATION", "UNICODE_OBFUSCATION", "CLOUD_SECRETS",
    "SENSITIVE_FILES", "WEBSHELL_C2", "CRYPTO_TUNNEL", "DATA_EXFIL", "POST_EXPLOIT", "JAVA_DESER", "PROTOCOL_ANOMALY",
    "FINANCIAL_DATA", "RANSOMWARE", "DGA", "TYPOSQUAT",
}  # fmt: skip
RULES = [rule for category in load() for rule in category.rules]
MINIMAL = {"id": "a-rule", "after": "something", "severity": 5, "pattern": "x"}


def test_every_category_is_there_and_says_what_it_is() -> None:
    assert {category.name for category in load()} == CATEGORIES
    for category in load():
        assert category.title
        assert len(category.description) > 80, category.name
        assert category.rules, category.name


def test_ids_are_unique() -> None:
    assert [name for name, count in Counter(rule.id for rule in RULES).items() if count > 1] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_examples(engine: Engine, rule: Rule) -> None:
    assert rule.match
    assert rule.passes
    assert rule.after
    for example in rule.match:
        assert rule.id in engine.judge(*request(rule, example)).rules, example
    for example in rule.passes:
        assert rule.id not in engine.judge(*request(rule, example)).rules, example


@pytest.mark.parametrize("category", load(), ids=lambda category: category.name)
def test_every_category_can_block(engine: Engine, category: Category) -> None:
    assert any(engine.judge(*request(rule, example)).blocked for rule in category.rules for example in rule.match)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"id": ""}, "must have an id"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"targets": ["body"]}, "targets among path"),
        ({"targets": []}, "targets among path"),
        ({"form": "latin"}, "form among"),
        ({"severity": 11}, "severity from 1 to 10"),
        ({"severity": "high"}, "severity from 1 to 10"),
        ({"pattern": 5}, "pattern"),
    ],
)
def test_a_rule_that_is_none_is_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        rule(MINIMAL | change)


def test_patterns_may_go_over_several_lines() -> None:
    assert rule(MINIMAL | {"pattern": "\na|b\n   |c d\n"}).pattern == "a|b|c d"


def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    for text in ("name = ", 'name = "X"', "\x00"):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"odd\.toml"):
            read(path)
