"""What the WAF found and blocked, from the verdicts that its helper notes in the log; and what it is to look for."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from proxyweb import json_text
from proxyweb.ingest.record import WAF
from proxyweb.ingest.zones import ZONE_BITS, ZONE_ROWS
from proxyweb.queries.windows import ROWS_OF_WINDOW, Window, counted_by

MINUTE_MS = 60_000
LONGEST_DESTINATION = 8192
_INSPECTED = """
    SELECT coalesce(sum(requests), 0), coalesce(sum(entropy), 0), coalesce(sum(high_entropy), 0)
    FROM {table} WHERE {bucket} BETWEEN :first AND :last
"""
_BY_VERDICT = """
    SELECT w.categories, v.requests
    FROM (SELECT waf_id, sum(requests) AS requests
          FROM {table} WHERE {bucket} BETWEEN :first AND :last GROUP BY waf_id) AS v
    JOIN waf_verdicts AS w ON w.id = v.waf_id
"""
_BLOCKED = """
    SELECT h.host, a.agent, w.categories, b.requests
    FROM (SELECT host_id, agent_id, waf_id, sum(requests) AS requests
          FROM {table} WHERE {bucket} BETWEEN :first AND :last GROUP BY 1, 2, 3) AS b
    CROSS JOIN hosts AS h ON h.id = b.host_id
    CROSS JOIN user_agents AS a ON a.id = b.agent_id
    CROSS JOIN waf_verdicts AS w ON w.id = b.waf_id
"""
_DESTINATIONS = f"""
    SELECT json_group_array(destination) FROM (
        SELECT substr(s.prefix || l.rest, 1, {LONGEST_DESTINATION}) AS destination
        FROM proxy_logs AS l CROSS JOIN sites AS s ON s.id = l.site_id
        WHERE l.id BETWEEN :first AND :last AND l.time_ms BETWEEN :since_ms AND :until_ms
        ORDER BY l.time_ms DESC, l.id DESC LIMIT :most
    )
"""
Ranked = list[tuple[str, int]]  # a text and how many requests, most first, ties by the text


class Totals(NamedTuple):
    """Requests that have a verdict, and those that the WAF blocked; of the former, the mean entropy of their URLs in
    bits an octet, and how many are above 5.5."""

    inspected: int
    blocked: int
    mean_entropy: float
    high_entropy: int


class CategoryCount(NamedTuple):
    """Requests in whose verdict a category stands, and how many of them the WAF blocked."""

    name: str
    matches: int
    blocked: int


@dataclass(frozen=True)
class TopBlocked:
    """What the requests that the WAF blocked have in common."""

    categories: Ranked = field(default_factory=list)
    destinations: Ranked = field(default_factory=list)
    agents: Ranked = field(default_factory=list)


def totals(conn: sqlite3.Connection, window: Window) -> Totals:
    """How many requests of the window were inspected, and blocked for it."""
    by_verdict = counted_by(conn, "waf_verdicts", window)
    inspected, entropy, high = conn.execute(by_verdict.sql(_INSPECTED), by_verdict.bounds).fetchone()
    blocked = conn.execute(
        f"SELECT coalesce(sum({WAF}), 0) FROM hourly_requests WHERE hour BETWEEN :first AND :last", window.hours
    ).fetchone()[0]
    return Totals(inspected, blocked, entropy / 1000 / inspected if inspected else 0.0, high)


def categories(conn: sqlite3.Connection, window: Window) -> list[CategoryCount]:
    """The categories in the window's verdicts, most matches first. A verdict with several counts in each."""
    matches: Counter[str] = Counter()
    blocked: Counter[str] = Counter()
    for counts, dimension in ((matches, "waf_verdicts"), (blocked, "waf_blocks")):
        by_verdict = counted_by(conn, dimension, window)
        for listed, requests in conn.execute(by_verdict.sql(_BY_VERDICT), by_verdict.bounds):
            for name in _names(listed):
                counts[name] += requests
    return [CategoryCount(name, count, blocked[name]) for name, count in _ranked(matches)]


def top_blocked(conn: sqlite3.Connection, window: Window, limit: int) -> TopBlocked:
    """The most frequent categories, hosts and user agents among what the WAF blocked in the window."""
    by_category: Counter[str] = Counter()
    by_host: Counter[str] = Counter()
    by_agent: Counter[str] = Counter()
    blocks = counted_by(conn, "waf_blocks", window)
    for host, agent, listed, requests in conn.execute(blocks.sql(_BLOCKED), blocks.bounds):
        by_host[host] += requests
        by_agent[agent] += requests
        for name in _names(listed):
            by_category[name] += requests
    return TopBlocked(*(_ranked(counts)[:limit] for counts in (by_category, by_host, by_agent)))


def in_last_minute(conn: sqlite3.Connection, until_ms: int) -> int:
    """Requests with a verdict in the minute before `until_ms` (Unix milliseconds)."""
    found = conn.execute(
        f"SELECT count(*) FROM {ROWS_OF_WINDOW} WHERE z.max_ms >= :since_ms AND z.min_ms < :until_ms"
        " AND l.time_ms >= :since_ms AND l.time_ms < :until_ms AND l.waf_id > 0",
        {"since_ms": until_ms - MINUTE_MS, "until_ms": until_ms},
    )
    return int(found.fetchone()[0])


def categories_off(conn: sqlite3.Connection) -> set[str]:
    """The names of the categories that are switched off; perhaps of some that are no more."""
    return {name for (name,) in conn.execute("SELECT name FROM waf_categories_off")}


def switch_category(conn: sqlite3.Connection, name: str, enabled: bool, now: float) -> bool:
    """Switch a category on or off; returns whether it was on before. `now` in Unix seconds."""
    was_enabled = name not in categories_off(conn)
    if was_enabled and not enabled:
        conn.execute("INSERT INTO waf_categories_off VALUES (?, ?)", (name, int(now)))
    elif enabled and not was_enabled:
        conn.execute("DELETE FROM waf_categories_off WHERE name = ?", (name,))
    return was_enabled


def destinations(conn: sqlite3.Connection, since_ms: int, until_ms: int, most: int) -> Iterator[list[str]]:
    """What was asked for from `since_ms` to `until_ms` (Unix milliseconds, both included): `most` destinations, cut to
    8 KB each, a zone of the log at a time. Newest first, as far as rows came in order of time.

    Each zone is a question of its own, so that nothing is held open between them.
    """
    bounds = {"since_ms": since_ms, "until_ms": until_ms}
    zones = conn.execute(
        "SELECT zone FROM log_zones WHERE max_ms >= :since_ms AND min_ms <= :until_ms ORDER BY max_ms DESC, zone DESC",
        bounds,
    ).fetchall()
    for (zone,) in zones:
        first = zone << ZONE_BITS
        within = {**bounds, "first": first, "last": first + ZONE_ROWS - 1, "most": most}
        found: list[str] = json_text.loads(conn.execute(_DESTINATIONS, within).fetchone()[0])
        yield found
        most -= len(found)
        if not most:
            return


def _names(listed: str) -> set[str]:
    """The categories of a verdict, each once."""
    return {name for part in listed.split(",") if (name := part.strip())}


def _ranked(counts: Counter[str]) -> Ranked:
    """Most first, ties by name; without what has no name."""
    return sorted(((name, count) for name, count in counts.items() if name), key=lambda pair: (-pair[1], pair[0]))
