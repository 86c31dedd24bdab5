"""Patterns of the owner's own, and of those who try one out: none takes others' time, however nasty it is."""

from __future__ import annotations

import time

import pytest

from proxyweb.errors import Invalid
from proxyweb.waf import custom, trial
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
    taken = []
    for _ in range(200):
        begun = time.perf_counter()
        search(LONG)
        taken.append(time.perf_counter() - begun)
    assert sorted(taken)[len(taken) * 99 // 100] < 0.005


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
