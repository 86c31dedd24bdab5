"""Traffic over time and what the cache made of it, both from rollups of a few hundred rows."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from proxyweb.ingest.groups import DAY_MS, FIVE_MINUTES_MS, HOUR_MS
from proxyweb.ingest.record import BLOCKING_REASONS
from proxyweb.queries.windows import Window

_HOURS_OF_DAY = DAY_MS // HOUR_MS
_BLOCKED = " + ".join(BLOCKING_REASONS)
_BY_FIVE_MINUTES = """
    SELECT five_minutes, requests, blocked, bytes, bytes_in FROM five_minute_requests
    WHERE five_minutes BETWEEN :first AND :last
"""
_BY_HOUR = f"""
    SELECT hour, requests, {_BLOCKED}, bytes, bytes_in FROM hourly_requests WHERE hour BETWEEN :first AND :last
"""
_BY_DAY = f"""
    SELECT hour / {_HOURS_OF_DAY} AS day, sum(requests), sum({_BLOCKED}), sum(bytes), sum(bytes_in)
    FROM hourly_requests
    WHERE hour BETWEEN :first * {_HOURS_OF_DAY} AND :last * {_HOURS_OF_DAY} + {_HOURS_OF_DAY - 1}
    GROUP BY day
"""


@dataclass(frozen=True)
class Period:
    """A chart's axis: how many buckets of which length, and the SELECT that has them."""

    buckets: int
    bucket_ms: int
    sql: str


PERIODS = {
    "hour": Period(12, FIVE_MINUTES_MS, _BY_FIVE_MINUTES),
    "day": Period(24, HOUR_MS, _BY_HOUR),
    "week": Period(7, DAY_MS, _BY_DAY),
    "month": Period(30, DAY_MS, _BY_DAY),
}


class Bucket(NamedTuple):
    """What went through in a stretch of time that begins at `begin_ms`. `bytes` were sent to clients, `bytes_in` came
    from them: 0 where the log's format doesn't say."""

    begin_ms: int
    requests: int
    blocked: int
    bytes: int
    bytes_in: int


class CacheFigures(NamedTuple):
    """Requests of a window, and those that the cache was asked for: answered from it, or fetched. Bytes to clients."""

    requests: int
    hits: int
    misses: int
    hit_bytes: int
    miss_bytes: int

    @property
    def hit_ratio(self) -> float:
        """0 to 1, of the requests that the cache was asked for."""
        return _share(self.hits, self.misses)

    @property
    def byte_hit_ratio(self) -> float:
        """The same of their bytes."""
        return _share(self.hit_bytes, self.miss_bytes)


def by_bucket(conn: sqlite3.Connection, period: str, now_ms: int) -> list[Bucket]:
    """Every bucket of a period, oldest first; the last is the one that `now_ms` (Unix milliseconds) is in."""
    axis = PERIODS[period]
    last = now_ms // axis.bucket_ms
    first = last - axis.buckets + 1
    found = {number: figures for number, *figures in conn.execute(axis.sql, {"first": first, "last": last})}
    return [Bucket(at * axis.bucket_ms, *found.get(at, (0, 0, 0, 0))) for at in range(first, last + 1)]


def cache(conn: sqlite3.Connection, window: Window) -> CacheFigures:
    """How well the cache did in a window."""
    names = CacheFigures._fields
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in names)
    found = conn.execute(f"SELECT {sums} FROM hourly_requests WHERE hour BETWEEN :first AND :last", window.hours)
    return CacheFigures(*found.fetchone())


def _share(part: int, rest: int) -> float:
    return part / (part + rest) if part else 0.0
