"""The security score: how much of what protects the proxy is switched on, and what the traffic says against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

MAX_SCORE = 100
LEAST_OPAQUE_PERCENT = 1


class Criterion(NamedTuple):
    """One line of the score: its setting (or finding), what it is worth, and what to do when it is off."""

    name: str
    points: int
    recommendation: str


CRITERIA = (
    Criterion("enable_waf", 25, "Enable the WAF to block SQL injection, XSS and data leaks."),
    Criterion("ssl_bump_enabled", 15, "Enable HTTPS filtering for full request inspection."),
    Criterion("enable_domain_blacklist", 15, "Enable domain blacklisting to block known malicious sites."),
    Criterion("enable_ip_blacklist", 10, "Enable IP blacklisting to block known malicious addresses."),
    Criterion("block_direct_ip", 10, "Enable direct-IP blocking so that domain rules can't be bypassed."),
    Criterion("enable_content_filtering", 10, "Enable content filtering to block risky file types."),
    Criterion("enable_rate_limiting", 5, "Enable rate limiting to slow brute-force attempts and runaway clients."),
    Criterion("default_password_changed", 5, "Change the generated admin password."),
    Criterion("enable_time_restrictions", 5, "Enable time restrictions to limit the proxy to working hours."),
)


@dataclass(frozen=True)
class Traffic:
    """The last 24 hours in figures.

    Authentication challenges are neither passed nor denied. A 403 of the origin's own is a request that passed.
    """

    requests: int
    denied: int
    """Refused or ended by the proxy itself: by an access rule, the WAF, or `terminate`."""
    auth_challenges: int
    addresses_passed: int
    """Requests to literal addresses that the proxy let through."""
    opaque_tunnels: int
    """CONNECTs that were let through and not decrypted."""


@dataclass(frozen=True)
class Check:
    """A criterion held against the settings: `points` is what it is worth, `earned` what it gave."""

    name: str
    points: int
    earned: int
    passed: bool
    recommendation: str
    """What to do; empty when passed."""


@dataclass(frozen=True)
class Score:
    """Out of `max_score`; recommendations and checks in the order of what they are worth."""

    score: int
    max_score: int
    recommendations: list[str]
    checks: list[Check]
    warnings: list[str]


def score(
    settings: Mapping[str, object],
    default_password_changed: bool,
    waf_categories: Sequence[tuple[str, bool]] = (),
    traffic: Traffic | None = None,
) -> Score:
    """The score of `settings`; `waf_categories` are names and whether each is enabled.

    Without categories the WAF's points are full; with some off they shrink in proportion, rounded down.
    """
    found = {**settings, "default_password_changed": default_password_changed}
    checks = [_check(criterion, bool(found[criterion.name]), waf_categories) for criterion in CRITERIA]
    return Score(
        score=sum(check.earned for check in checks),
        max_score=MAX_SCORE,
        recommendations=[check.recommendation for check in checks if not check.passed],
        checks=checks,
        warnings=_warnings(settings, traffic) if traffic else [],
    )


def is_held_against_traffic(settings: Mapping[str, object]) -> bool:
    """Whether any warning is possible with these settings, so that the traffic is worth asking for."""
    return bool(settings["block_direct_ip"] or settings["ssl_bump_enabled"] or _has_blacklist(settings))


def _check(criterion: Criterion, is_on: bool, waf_categories: Sequence[tuple[str, bool]]) -> Check:
    name, points, recommendation = criterion
    if not is_on:
        return Check(name, points, 0, False, recommendation)
    off = [category for category, enabled in waf_categories if not enabled] if name == "enable_waf" else []
    if off:
        earned = points * (len(waf_categories) - len(off)) // len(waf_categories)
        noun = "category" if len(off) == 1 else "categories"
        return Check(name, points, earned, False, f"Enable the WAF {noun} {_listed(off)}.")
    return Check(name, points, points, True, "")


def _warnings(settings: Mapping[str, object], traffic: Traffic) -> list[str]:
    answered = traffic.requests - traffic.auth_challenges
    if not answered:
        return []
    warnings = []
    if settings["block_direct_ip"] and traffic.addresses_passed:
        passed = traffic.addresses_passed
        requests = "1 request to a literal address" if passed == 1 else f"{passed} requests to literal addresses"
        warnings.append(f"Direct-IP blocking is on, yet {requests} passed in the last 24 hours.")
    opaque = 100 * traffic.opaque_tunnels // traffic.requests
    if settings["ssl_bump_enabled"] and opaque >= LEAST_OPAQUE_PERCENT:
        warnings.append(
            f"HTTPS filtering is on, yet {opaque} % of requests were opaque CONNECT tunnels in the last 24 hours."
        )
    if _has_blacklist(settings) and not traffic.denied:
        requests = "the 1 request" if answered == 1 else f"{answered} requests"
        warnings.append(f"Blacklists are on, yet the proxy blocked none of {requests} in the last 24 hours.")
    return warnings


def _has_blacklist(settings: Mapping[str, object]) -> bool:
    return bool(settings["enable_domain_blacklist"] or settings["enable_ip_blacklist"])


def _listed(names: Sequence[str]) -> str:
    """`sqli`, `sqli and xss`, `sqli, xss and rce`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
