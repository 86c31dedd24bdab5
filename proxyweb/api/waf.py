"""The WAF: what it inspected, found and blocked, which categories of rules are on, and a pattern tried out."""

from __future__ import annotations

import logging
import sqlite3
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

from apiflask import APIBlueprint
from flask import Response
from pydantic import Field

from proxyweb import audit
from proxyweb.api import context
from proxyweb.api.answers import Answer, Done, Shape
from proxyweb.api.binding import answers, body, query
from proxyweb.api.conditional import conditional
from proxyweb.api.envelope import done, success
from proxyweb.api.gate import every_role
from proxyweb.api.parameters import Flag, Payload, Whole
from proxyweb.api.windows import GRAIN, WindowQuery, bounds, ending_now, with_bounds
from proxyweb.db.connection import snapshot
from proxyweb.db.database import advance
from proxyweb.db.session import driver
from proxyweb.errors import Busy, ConfigError, NotFound
from proxyweb.escaping import one_line
from proxyweb.ingest.groups import HOUR_MS
from proxyweb.privacy import mask_mail
from proxyweb.queries import waf
from proxyweb.queries.windows import Window
from proxyweb.waf import trial
from proxyweb.waf.custom import load as load_own
from proxyweb.waf.custom import with_own
from proxyweb.waf.rules import Category, load

log = logging.getLogger("proxyweb.waf")

MOST_LISTED = 10
MOST_TRIED = 200_000
NO_CATEGORY: dict[int | str, Any] = {
    404: {
        "description": "There are no rules of that category.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
    }
}

blueprint = APIBlueprint("waf", __name__, tag="WAF")
trial_runs = Lock()


class KeyCount(Shape):
    """Something, and how many requests."""

    key: str
    count: int


class WafStats(Shape):
    """The WAF in figures. Categories, and the rules in them, are enabled when they are switched on, whether or not the
    WAF is. `total_requests` are those that it inspected; the lists are of what it blocked, at most ten each, most
    first. `avg_url_entropy` is in bits an octet, a statistic, as is `high_entropy_count`: how many are above 5.5.
    `requests_last_minute` is of the last 60 seconds."""

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
    """A category of rules, whether it is switched on, in how many verdicts it stands, and how many of those requests
    were blocked. One that only the log knows has no rules."""

    name: str
    rules: int
    enabled: bool
    description: str
    matches: int
    blocked: int


class CategorySwitch(Payload):
    """Which category is to be on or off."""

    category: Annotated[str, Field(max_length=64)]
    enabled: Flag


class CategorySwitched(Done):
    """The category, and whether it is on now."""

    category: str
    enabled: bool


class RuleTrial(Payload):
    """A pattern in RE2's syntax, and of how many hours it is to be tried on the requests."""

    regex: Annotated[str, Field(min_length=1, max_length=trial.LONGEST_PATTERN)]
    hours: Annotated[int, Whole(1, 168)] = 24


class RuleTried(Shape):
    """What a pattern matched: `scanned` destinations were looked at, newest first. `examples` are different from each
    other, the newest 50 at most. A rule with this pattern would have blocked something when anything matched."""

    regex: str
    hours: int
    scanned: int
    matched: int
    examples: list[str]
    would_block: bool


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
    """The categories of rules, most matches first; behind them, those that only the log knows."""
    with context.reading() as conn, snapshot(conn):
        window = ending_now(conn, parameters.window)
        found = {counted.name: counted for counted in waf.categories(conn, window)}
        off = waf.categories_off(conn)
    known = {category.name: category for category in known_categories()}
    counts = [found.get(name) or waf.CategoryCount(name, 0, 0) for name in {**known, **found}]
    counts.sort(key=lambda counted: (counted.name not in known, -counted.matches, counted.name))
    listed = [_listed(counted, known.get(counted.name), off) for counted in counts]
    return with_bounds(success(listed), window)


@blueprint.post("/api/waf/categories/toggle")
@body(CategorySwitch)
@answers(CategorySwitched)
@blueprint.doc(responses=NO_CATEGORY)
def switch_category(payload: CategorySwitch) -> Response:
    """Switch a category of rules on or off. The running proxy keeps to it within two seconds."""
    name, enabled = payload.category, payload.enabled
    if name not in {category.name for category in known_categories()}:
        raise NotFound(f"There is no category {one_line(name, 64)}; /api/waf/categories lists them.")
    with context.writing() as session:
        conn = driver(session)
        was_enabled = waf.switch_category(conn, name, enabled, context.now())
        if enabled != was_enabled:
            audit.record(
                session, context.now(), context.identity().username, "WAF category switched", target=name,
                details=f"{_said(was_enabled)} → {_said(enabled)}", address=context.client_address(),
            )  # fmt: skip
            advance(conn, "settings")
    return done(f"{name} is {_said(enabled)}.", category=name, enabled=enabled)


@blueprint.post("/api/waf/test-rule")
@every_role
@body(RuleTrial)
@answers(Answer[RuleTried])
def try_rule(payload: RuleTrial) -> Response:
    """Try a pattern on the destinations of the last hours, as they stand in the log. Nothing is changed or blocked.

    It ends after 200,000 requests or two seconds; `scanned` says how far it came. One trial runs at a time in each
    process: another is answered 503 meanwhile.
    """
    search = trial.matcher(payload.regex)
    until_ms = int(context.now() * 1000)
    if not trial_runs.acquire(blocking=False):
        raise Busy("Another pattern is being tried; try again in a moment.")
    try:
        with context.reading() as conn:
            asked_for = waf.destinations(conn, until_ms - payload.hours * HOUR_MS, until_ms, MOST_TRIED)
            tried = trial.tried(search, asked_for)
    finally:
        trial_runs.release()
    if context.gdpr():
        tried = tried._replace(examples=list(dict.fromkeys(map(mask_mail, tried.examples))))
    return success(
        {"regex": payload.regex, "hours": payload.hours, **tried._asdict(), "would_block": tried.matched > 0}
    )


def known_categories() -> tuple[Category, ...]:
    """Every category there are rules for, the owner's own among them; read once a process."""
    return _categories(context.core().config.instance)


def stats(conn: sqlite3.Connection, window: Window) -> dict[str, Any]:
    """A `WafStats` object."""
    categories, off = known_categories(), waf.categories_off(conn)
    enabled = [category for category in categories if category.name not in off]
    totals = waf.totals(conn, window)
    top = waf.top_blocked(conn, window, MOST_LISTED) if totals.blocked else waf.TopBlocked()
    return {
        "rules": sum(len(category.rules) for category in categories),
        "rules_enabled": sum(len(category.rules) for category in enabled),
        "categories": len(categories),
        "categories_enabled": len(enabled),
        "total_requests": totals.inspected,
        "total_blocked": totals.blocked,
        "block_rate_pct": round(100 * totals.blocked / totals.inspected, 2) if totals.inspected else 0.0,
        "avg_url_entropy": round(totals.mean_entropy, 2),
        "high_entropy_count": totals.high_entropy,
        "requests_last_minute": waf.in_last_minute(conn, window.until_ms),
        "top_blocked_categories": _counted(top.categories),
        "top_destinations": _counted(top.destinations),
        "top_user_agents": _counted(top.agents),
        **bounds(window),
    }


def _counted(ranked: waf.Ranked) -> list[dict[str, Any]]:
    return [{"key": key, "count": count} for key, count in ranked]


def _listed(counted: waf.CategoryCount, category: Category | None, off: set[str]) -> dict[str, Any]:
    """A `WafCategory` object; without a category, of a name that only the log knows."""
    return {
        "name": counted.name,
        "rules": len(category.rules) if category else 0,
        "enabled": category is not None and counted.name not in off,
        "description": " ".join(category.description.split()) if category else "",
        "matches": counted.matches,
        "blocked": counted.blocked,
    }


def _said(enabled: bool) -> str:
    return "on" if enabled else "off"


@lru_cache(1)
def _categories(instance: Path) -> tuple[Category, ...]:
    try:
        return with_own(load(), load_own(instance))
    except ConfigError as error:  # as the helper does
        log.warning("only the built-in rules are listed: %s", error.detail)
        return load()
