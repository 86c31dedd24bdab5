"""Patterns of the owner's own, and of those who try one out: none takes others' time, however nasty it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from proxyweb.errors import Invalid
from proxyweb.waf import custom, trial
from proxyweb.waf.custom import with_own
from proxyweb.waf.engine import Engine
from proxyweb.waf.rules import load
from tests.clients import Client

NASTY = (
    r"(x+x+)+y",
    r"(a+)+$",
    r"(a|aa)+$",
    r"(a|a?)+b",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(.*)(.*)(.*)(.*)=z",
    r"(\w*)*\d$",
)
EVERYTHING = ("", "^", "$", ".*", "a*", "()", r"\b|", "(?s).*", "x?", "|evil")
NONE = ("(", "a{1001}", r"(a)\1", "(?=a)", "x" * 2001, "(" * 1000, "[[:nope:]]", "a\x00(", "\\")
LONG = b"http://a.test/" + b"a" * 65_536 + b"!"


@pytest.mark.parametrize("pattern", NASTY)
def test_a_pattern_that_backtracks_elsewhere_is_looked_for_in_linear_time(pattern: str) -> None:
    """In an URL of 64 KB; the standard library takes 14 s for one of these and 28 letters."""
    begun = time.perf_counter()
    search = trial.matcher(pattern)
    assert time.perf_counter() - begun < 1
    assert slow_one(lambda: search(LONG)) < 0.005


def slow_one(call: Callable[[], object]) -> float:
    """The seconds within which 99 of 100 calls come back."""

    def seconds() -> float:
        begun = time.perf_counter()
        call()
        return time.perf_counter() - begun

    return sorted(seconds() for _ in range(200))[198]


def test_the_engine_takes_no_longer_for_rules_of_the_owners_own(instance: Path) -> None:
    """All of them at once, in each part of the same URL."""
    (instance / "waf_rules.toml").write_text(
        "".join(
            f"[[rules]]\nid = 'nasty-{number}'\nafter = 'x'\ncategory = 'SQL_INJECTION'\nseverity = 1\n"
            f"targets = ['path', 'query', 'raw']\npattern = '''q9{pattern.strip('^$')}9q'''\n"
            for number, pattern in enumerate(NASTY)
        )
    )
    engine = Engine(with_own(load(), custom.load(instance)), cache=instance / "cache")
    assert "nasty-0" in engine.judge("GET", "http://a.test/q9xxy9q").rules, "so they are asked"
    url = LONG.decode().replace("/a", "/q9")
    query = f"http://a.test/?{'&'.join(f'{number}=q9{url[20:1000]}' for number in range(67))}"
    for asked in (url, query):
        assert len(asked) > 65_000
        assert slow_one(lambda asked=asked: engine.judge("GET", asked)) < 0.005  # type: ignore[misc]


@pytest.mark.parametrize("pattern", EVERYTHING)
def test_a_pattern_that_matches_everything_is_refused(admin: Client, pattern: str) -> None:
    with pytest.raises(Invalid):
        custom.matcher(pattern)
    answer = admin.post("/api/waf/test-rule", json={"regex": pattern, "hours": 1})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "pattern", ["(", "a{1001}", r"(a)\1", "(?=a)", "x" * 2001, "(" * 1000, "[[:nope:]]", "a\x00(", "\\"]
)
def test_what_is_no_pattern_is_refused_at_once(admin: Client, pattern: str) -> None:
    begun = time.perf_counter()
    answer = admin.post("/api/waf/test-rule", json={"regex": pattern, "hours": 1})
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == ["regex"]
    assert time.perf_counter() - begun < 1
