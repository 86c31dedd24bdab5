"""The score by the settings, and its warnings by the traffic."""

from __future__ import annotations

import dataclasses

import pytest

from proxyweb.score import CRITERIA, MAX_SCORE, Traffic, is_held_against_traffic, score
from proxyweb.settings import SETTINGS

SWITCHES = [criterion.name for criterion in CRITERIA if criterion.name != "default_password_changed"]
OFF = dict.fromkeys(SWITCHES, False)
ON = dict.fromkeys(SWITCHES, True)
CATEGORIES = [("sqli", True), ("xss", True), ("rce", True)]
QUIET = Traffic(requests=1000, denied=5, auth_challenges=100, addresses_passed=0, opaque_tunnels=0)


def test_every_switch_is_a_setting_that_is_off_by_default() -> None:
    defaults = {declared.name: declared.default for declared in SETTINGS}
    assert all(defaults[name] is False for name in SWITCHES)
    assert "default_password_changed" not in defaults
    assert sum(criterion.points for criterion in CRITERIA) == MAX_SCORE


def test_all_and_nothing() -> None:
    best = score(ON, True)
    assert (best.score, best.max_score, best.recommendations, best.warnings) == (100, 100, [], [])
    worst = score(OFF, False)
    assert worst.score == 0
    assert worst.recommendations == [criterion.recommendation for criterion in CRITERIA]


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda criterion: criterion.name)
def test_one_off_costs_its_points_and_is_recommended(criterion: tuple[str, int, str]) -> None:
    name, points, recommendation = criterion
    found = score(ON | {name: False}, name != "default_password_changed", CATEGORIES)
    assert found.score == 100 - points
    assert found.recommendations == [recommendation]
    (failed,) = [check for check in found.checks if not check.passed]
    assert dataclasses.astuple(failed) == (name, points, 0, False, recommendation)


def test_all_on_but_https_filtering() -> None:
    found = score(ON | {"ssl_bump_enabled": False}, True)
    assert (found.score, found.recommendations) == (85, ["Enable HTTPS filtering for full request inspection."])


@pytest.mark.parametrize(
    ("off", "points", "recommendation"),
    [
        (["xss"], 16, "Enable the WAF category xss."),
        (["sqli", "rce"], 8, "Enable the WAF categories sqli and rce."),
        (["sqli", "xss", "rce"], 0, "Enable the WAF categories sqli, xss and rce."),
    ],
)
def test_waf_points_shrink_with_categories_that_are_off(off: list[str], points: int, recommendation: str) -> None:
    categories = [(name, name not in off) for name, _ in CATEGORIES]
    found = score(ON, True, categories)
    assert (found.score, found.recommendations) == (75 + points, [recommendation])
    assert (found.checks[0].points, found.checks[0].earned, found.checks[0].passed) == (25, points, False)
    assert score(OFF, False, categories).recommendations[0] == CRITERIA[0].recommendation


def warnings(on: str, **figures: int) -> list[str]:
    settings = OFF | {on: True}
    assert is_held_against_traffic(settings)
    return score(settings, True, traffic=dataclasses.replace(QUIET, **figures)).warnings


def test_addresses_that_passed_while_they_should_be_blocked() -> None:
    assert warnings("block_direct_ip", addresses_passed=41) == [
        "Direct-IP blocking is on, yet 41 requests to literal addresses passed in the last 24 hours."
    ]
    assert warnings("block_direct_ip", addresses_passed=1) == [
        "Direct-IP blocking is on, yet 1 request to a literal address passed in the last 24 hours."
    ]
    assert warnings("block_direct_ip") == []


def test_tunnels_that_nobody_looked_into() -> None:
    assert warnings("ssl_bump_enabled", opaque_tunnels=639) == [
        "HTTPS filtering is on, yet 63 % of requests were opaque CONNECT tunnels in the last 24 hours."
    ]
    assert warnings("ssl_bump_enabled", opaque_tunnels=9) == []


@pytest.mark.parametrize("blacklist", ["enable_domain_blacklist", "enable_ip_blacklist"])
def test_blacklists_that_block_nothing(blacklist: str) -> None:
    assert warnings(blacklist, denied=0) == [
        "Blacklists are on, yet the proxy blocked none of 900 requests in the last 24 hours."
    ]
    assert warnings(blacklist) == []


def test_no_warning_without_a_setting_or_without_traffic() -> None:
    bad = Traffic(requests=100, denied=0, auth_challenges=0, addresses_passed=50, opaque_tunnels=50)
    assert len(score(ON, True, traffic=bad).warnings) == 3
    assert score(OFF, True, traffic=bad).warnings == []
    assert not is_held_against_traffic(OFF)
    assert score(ON, True, traffic=Traffic(0, 0, 0, 0, 0)).warnings == []
    assert score(ON, True, traffic=Traffic(7, 0, 7, 0, 0)).warnings == []
    assert score(ON, True).warnings == []
