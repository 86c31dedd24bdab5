"""Traffic over time, the hosts most asked for, and how well the cache does."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from apiflask import APIBlueprint
from flask import Response
from pydantic import Field

from proxyweb.api import context
from proxyweb.api.answers import Answer, Shape
from proxyweb.api.binding import answers, query
from proxyweb.api.conditional import conditional
from proxyweb.api.durations import Timed, took
from proxyweb.api.envelope import success
from proxyweb.api.parameters import Query, Whole
from proxyweb.api.times import written
from proxyweb.api.windows import GRAIN, WindowQuery, bounds, ending_now, with_bounds
from proxyweb.db.connection import snapshot
from proxyweb.queries import hosts, traffic

blueprint = APIBlueprint("traffic", __name__, tag="Traffic")


class TrafficQuery(Query):
    """How much time, in which buckets."""

    period: Annotated[
        Literal["hour", "day", "week", "month"],
        Field(description="12 times 5 minutes, 24 hours, 7 days or 30 days (UTC)."),
    ] = "day"


class TrafficStatistics(Shape):
    """Five lists of equal length, a bucket at each place, oldest first. `labels` are beginnings in UTC; `inbound` are
    bytes to clients, `outbound` bytes from clients. Where the log's format doesn't give these, they are 0 and
    `outbound_known` is false."""

    period: Literal["hour", "day", "week", "month"]
    since: str
    until: str
    labels: list[str]
    requests: list[int]
    blocked: list[int]
    inbound: list[int]
    outbound: list[int]
    outbound_known: bool


class DomainsQuery(WindowQuery):
    """How many hosts, of which time."""

    limit: Annotated[int, Whole(1, 500)] = 50


class DomainStatistics(Timed):
    """A host's requests, and bytes to clients. `Blocked` when not one of them passed."""

    domain_name: str
    requests: int
    blocked: int
    bytes: int
    status: Literal["Allowed", "Blocked"]


class CacheStatistics(Shape):
    """All requests, and those that the cache was asked for: neither tunnels nor what the proxy answered itself.

    `hit_ratio` is hits by hits and misses, 0 to 1; `hit_rate` the same in percent; `byte_hit_rate` that of the bytes
    to clients, in percent; `bytes_saved` those that came out of the cache.
    """

    since: str
    until: str
    requests: int
    hits: int
    misses: int
    hit_rate: float
    hit_ratio: float
    byte_hit_rate: float
    bytes_saved: int


@blueprint.get("/api/traffic/statistics")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(TrafficQuery)
@answers(Answer[TrafficStatistics])
def traffic_statistics(parameters: TrafficQuery) -> Response:
    """Requests and bytes over time, for a chart.

    Every bucket is there; the last one is the current one.
    """
    now = context.now() // GRAIN * GRAIN
    with context.reading() as conn:
        buckets = traffic.by_bucket(conn, parameters.period, int(now * 1000))
    labels = [written(bucket.begin_ms // 1000) for bucket in buckets]
    return success(
        {
            "period": parameters.period,
            "since": labels[0],
            "until": written(now),
            "labels": labels,
            "requests": [bucket.requests for bucket in buckets],
            "blocked": [bucket.blocked for bucket in buckets],
            "inbound": [bucket.bytes for bucket in buckets],
            "outbound": [bucket.bytes_in for bucket in buckets],
            "outbound_known": any(bucket.bytes_in for bucket in buckets),
        }
    )


@blueprint.get("/api/domains/statistics")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(DomainsQuery)
@answers(Answer[list[DomainStatistics]])
def domain_statistics(parameters: DomainsQuery) -> Response:
    """The hosts most asked for, most requests first."""
    with context.reading() as conn, snapshot(conn):
        window = ending_now(conn, parameters.window)
        found = hosts.busiest_hosts(conn, window, parameters.limit)
    return with_bounds(
        success(
            [
                {
                    "domain_name": host.host,
                    "requests": host.requests,
                    "blocked": host.blocked,
                    "bytes": host.bytes,
                    **took(host.elapsed_ms, host.requests),
                    "status": "Blocked" if host.blocked == host.requests else "Allowed",
                }
                for host in found
            ]
        ),
        window,
    )


@blueprint.get("/api/cache/statistics")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(WindowQuery)
@answers(Answer[CacheStatistics])
def cache_statistics(parameters: WindowQuery) -> Response:
    """How much came out of the cache."""
    with context.reading() as conn, snapshot(conn):
        window = ending_now(conn, parameters.window)
        found = traffic.cache(conn, window)
    return success({**bounds(window), **_rates(found)})


def _rates(found: traffic.CacheFigures) -> dict[str, Any]:
    return {
        "requests": found.requests,
        "hits": found.hits,
        "misses": found.misses,
        "hit_rate": round(found.hit_ratio * 100, 2),
        "hit_ratio": round(found.hit_ratio, 4),
        "byte_hit_rate": round(found.byte_hit_ratio * 100, 2),
        "bytes_saved": found.hit_bytes,
    }
