"""The WAF: what it inspected, found and blocked."""

from __future__ import annotations

import sqlite3
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from proxyweb.api import context
from proxyweb.api.answers import Answer, Shape
from proxyweb.api.binding import answers, query
from proxyweb.api.conditional import conditional
from proxyweb.api.envelope import success
from proxyweb.api.windows import GRAIN, WindowQuery, bounds, ending_now, with_bounds
from proxyweb.db.connection import snapshot
from proxyweb.queries import waf
from proxyweb.queries.windows import Window

MOST_LISTED = 10

blueprint = APIBlueprint("waf", __name__, tag="WAF")


class KeyCount(Shape):
    """Something, and how many requests."""

    key: str
    count: int


class WafStats(Shape):
    """The WAF in figures. `total_requests` are those that it inspected; the lists are of what it blocked, at most ten
    each, most first. `requests_last_minute` is of the last full minute."""

    rules: int
    rules_enabled: int
    categories: int
    categories_enabled: int
    total_requests: int
    total_blocked: int
    block_rate_pct: float
    avg_url_entropy: float
    high_entropy_count: int
    requests_last_minute: int
    top_blocked_categories: list[KeyCount]
    top_destinations: list[KeyCount]
    top_user_agents: list[KeyCount]
    since: str
    until: str


class WafCategory(Shape):
    """A category of rules: in how many verdicts it stands, and how many of those requests were blocked."""

    name: str
    rules: int
    enabled: bool
    description: str
    matches: int
    blocked: int


@blueprint.get("/api/waf/stats")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(WindowQuery)
@answers(Answer[WafStats])
def waf_stats(parameters: WindowQuery) -> Response:
    """What the WAF inspected and blocked."""
    with context.reading() as conn, snapshot(conn):
        found = stats(conn, ending_now(conn, parameters.window))
    return success(found)


@blueprint.get("/api/waf/categories")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(WindowQuery)
@answers(Answer[list[WafCategory]])
def waf_categories(parameters: WindowQuery) -> Response:
    """The categories of rules, most matches first."""
    with context.reading() as conn, snapshot(conn):
        window = ending_now(conn, parameters.window)
        found = waf.categories(conn, window)
    listed = [
        {
            "name": category.name,
            "rules": 0,
            "enabled": False,
            "description": "",
            "matches": category.matches,
            "blocked": category.blocked,
        }
        for category in found
    ]
    return with_bounds(success(listed), window)


def stats(conn: sqlite3.Connection, window: Window) -> dict[str, Any]:
    """A `WafStats` object. Rules, categories and entropy are 0 as long as no engine has any."""
    inspected, blocked = waf.totals(conn, window)
    top = waf.top_blocked(conn, window, MOST_LISTED) if blocked else waf.TopBlocked()
    return {
        "rules": 0,
        "rules_enabled": 0,
        "categories": 0,
        "categories_enabled": 0,
        "total_requests": inspected,
        "total_blocked": blocked,
        "block_rate_pct": round(100 * blocked / inspected, 2) if inspected else 0.0,
        "avg_url_entropy": 0.0,
        "high_entropy_count": 0,
        "requests_last_minute": waf.in_last_minute(conn, window.until_ms),
        "top_blocked_categories": _counted(top.categories),
        "top_destinations": _counted(top.destinations),
        "top_user_agents": _counted(top.agents),
        **bounds(window),
    }


def _counted(ranked: waf.Ranked) -> list[dict[str, Any]]:
    return [{"key": key, "count": count} for key, count in ranked]
