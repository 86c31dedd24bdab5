"""The security score."""

from __future__ import annotations

from dataclasses import asdict

from apiflask import APIBlueprint
from flask import Response

from proxyweb.api import context
from proxyweb.api.answers import Answer, Shape
from proxyweb.api.binding import answers
from proxyweb.api.conditional import conditional
from proxyweb.api.envelope import success
from proxyweb.api.waf import known_categories
from proxyweb.db.connection import snapshot
from proxyweb.queries.traffic_warnings import is_password_generated, last_day
from proxyweb.queries.waf import categories_off
from proxyweb.score import Score, is_held_against_traffic, score

blueprint = APIBlueprint("security", __name__, tag="Security")


class CheckFound(Shape):
    """One part of the score: what it is worth, what it gave, and what to do; no text when it is passed."""

    name: str
    points: int
    earned: int
    passed: bool
    recommendation: str


class SecurityScore(Shape):
    """Points out of `max_score`. Warnings are where the traffic of the last 24 hours contradicts the settings."""

    score: int
    max_score: int
    recommendations: list[str]
    checks: list[CheckFound]
    warnings: list[str]


@blueprint.get("/api/security/score")
@conditional("logs", "accounts", grain=3600)
@answers(Answer[SecurityScore])
def security_score() -> Response:
    """How well the proxy's settings protect it, and what to do next."""
    return success(asdict(current_score()))


def current_score() -> Score:
    """The score of the settings as they are now."""
    settings = context.settings()
    with context.reading() as conn, snapshot(conn):
        off = categories_off(conn)
        is_changed = not is_password_generated(conn)
        traffic = last_day(conn, int(context.now()) // 3600) if is_held_against_traffic(settings) else None
    switches = [(category.name, category.name not in off) for category in known_categories()]
    return score(settings, is_changed, switches, traffic)
