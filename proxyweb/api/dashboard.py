"""The summary that the dashboard opens with: all of it in one answer, from one state of the log."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from apiflask import APIBlueprint
from flask import Response

from proxyweb.api import context, waf
from proxyweb.api.answers import Answer, Shape
from proxyweb.api.binding import answers
from proxyweb.api.conditional import conditional
from proxyweb.api.envelope import success
from proxyweb.api.log_entries import masks
from proxyweb.api.logs import Bucket
from proxyweb.api.security import SecurityScore, current_score
from proxyweb.api.times import written
from proxyweb.api.waf import WafStats
from proxyweb.api.windows import GRAIN, ending_now
from proxyweb.db.connection import snapshot
from proxyweb.privacy import mask_mail
from proxyweb.queries import dashboard, log_counts
from proxyweb.queries.log_rows import Row
from proxyweb.queries.selection import Mask
from proxyweb.queries.traffic import cache
from proxyweb.queries.waf import categories
from proxyweb.queries.waf_lists import DOMAINS, NETWORKS, count

MOST_LISTED = 10
TIMELINE_HOURS = 24

blueprint = APIBlueprint("dashboard", __name__, tag="Dashboard")


class BlockedHost(Shape):
    """A host, and how many requests to it were blocked."""

    dest: str
    count: int


class BusyClient(Shape):
    """A client, and how many requests it made."""

    ip: str
    count: int


class Threat(Shape):
    """A category of the WAF, and in how many verdicts it stands."""

    category: str
    count: int


class RecentBlock(Shape):
    """A blocked request. `timestamp` in UTC."""

    timestamp: str
    source_ip: str
    method: str
    destination: str
    status: str
    reason: Literal["policy", "waf", "origin", "terminated"]


class CacheUse(Shape):
    """What came out of the proxy's cache. `hit_ratio` is hits among hits and misses, `bytes_saved` the hits' size."""

    hits: int
    misses: int
    hit_ratio: float
    bytes_saved: int


class Summary(Shape):
    """Totals are of the whole log, `today` is the current UTC day; hosts, clients, timeline and cache are of the last
    24 hours, threats and the WAF of the last 7 days."""

    total_requests: int
    blocked_requests: int
    today_requests: int
    today_blocked: int
    ip_blacklist_count: int
    domain_blacklist_count: int
    top_blocked: list[BlockedHost]
    top_clients: list[BusyClient]
    threat_categories: list[Threat]
    recent_blocks: list[RecentBlock]
    waf: WafStats
    timeline: list[Bucket]
    score: SecurityScore
    cache: CacheUse


@blueprint.get("/api/dashboard/summary")
@conditional("logs", "accounts", grain=GRAIN, serves_on=True)
@answers(Answer[Summary])
def summary() -> Response:
    """Everything that the dashboard opens with."""
    mask_client, _ = masks()
    now = int(context.now())
    score = current_score()
    with context.reading() as conn, snapshot(conn):
        day, week = ending_now(conn, "24h"), ending_now(conn, "7d")
        total, today = dashboard.whole_log(conn), dashboard.on_day(conn, now // 86_400)
        top_blocked = dashboard.top_blocked(conn, day, MOST_LISTED)
        top_clients = dashboard.top_clients(conn, day, MOST_LISTED, mask_client)
        recent = dashboard.newest_blocked(conn, total.blocked, MOST_LISTED)
        threats = categories(conn, week)
        waf_stats = waf.stats(conn, week)
        timeline = log_counts.timeline(conn, now // 3600, TIMELINE_HOURS)
        cached = cache(conn, day)
        addresses_listed, domains_listed = count(conn, NETWORKS), count(conn, DOMAINS)
    return success(
        {
            "total_requests": total.requests,
            "blocked_requests": total.blocked,
            "today_requests": today.requests,
            "today_blocked": today.blocked,
            "ip_blacklist_count": addresses_listed,
            "domain_blacklist_count": domains_listed,
            "top_blocked": [{"dest": host, "count": count} for host, count in top_blocked],
            "top_clients": [{"ip": address, "count": count} for address, count in top_clients],
            "threat_categories": [{"category": threat.name, "count": threat.matches} for threat in threats],
            "recent_blocks": [_block(row, mask_client) for row in recent],
            "waf": waf_stats,
            "timeline": [
                {"time": written(hour * 3600), "total": requests, "blocked": blocked, "bytes": size}
                for hour, requests, blocked, size in timeline
            ],
            "score": asdict(score),
            "cache": {
                "hits": cached.hits,
                "misses": cached.misses,
                "hit_ratio": round(cached.hit_ratio, 4),
                "bytes_saved": cached.hit_bytes,
            },
        }
    )


def _block(row: Row, mask_client: Mask | None) -> dict[str, Any]:
    return {
        "timestamp": written(row.time_ms // 1000),
        "source_ip": mask_client(row.client) if mask_client else row.client,
        "method": row.method,
        "destination": mask_mail(row.destination) if mask_client else row.destination,
        "status": row.status,
        "reason": row.reason,
    }
