"""The stretch of time that an analysis is about, and how rollups and rows are asked for it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from proxyweb.db.database import generation
from proxyweb.ingest.groups import DAY_MS, HOUR_MS
from proxyweb.ingest.rollups import BY_DAY, BY_HOUR, DAY, HOUR, define_functions
from proxyweb.ingest.zones import IN_ZONE

ROWS_OF_WINDOW = f"log_zones AS z CROSS JOIN proxy_logs AS l ON {IN_ZONE}"
IN_WINDOW = "z.max_ms >= :since_ms AND z.min_ms < :end_ms AND l.time_ms >= :since_ms AND l.time_ms < :end_ms"
LENGTHS_MS = {"1h": HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS}
ALL = "all"
_LONGEST_BY_HOUR_MS = 2 * DAY_MS


@dataclass(frozen=True)
class Window:
    """From `since_ms` to `until_ms` (Unix milliseconds).

    It begins on a full hour, or when it is longer than 48 hours on a full UTC day, at or before the moment asked for;
    its last hour or day is the one that `until_ms` is in.

    `counted_by` says where its figures are. Rows are `FROM {ROWS_OF_WINDOW} WHERE {IN_WINDOW}` with `row_bounds`.
    """

    since_ms: int
    until_ms: int
    of_whole_days: bool

    @property
    def hours(self) -> dict[str, int]:
        """Bounds for `hour BETWEEN :first AND :last`."""
        bounds = self.row_bounds
        return {"first": bounds["since_ms"] // HOUR_MS, "last": bounds["end_ms"] // HOUR_MS - 1}

    @property
    def days(self) -> dict[str, int]:
        """Bounds for `day BETWEEN :first AND :last`."""
        return {"first": self.since_ms // DAY_MS, "last": self.until_ms // DAY_MS}

    @property
    def row_bounds(self) -> dict[str, int]:
        """Bounds for IN_WINDOW: the same rows as the rollup's."""
        unit = DAY_MS if self.of_whole_days else HOUR_MS
        return {"since_ms": self.since_ms, "end_ms": (self.until_ms // unit + 1) * unit}


def window(conn: sqlite3.Connection, name: str, now: float) -> Window:
    """The window `1h`, `24h`, `7d`, `30d` or `all` that ends at `now` (Unix seconds)."""
    until_ms = int(now * 1000)
    if name == ALL:
        oldest = conn.execute("SELECT min(min_ms) FROM log_zones").fetchone()[0]
        return Window((until_ms if oldest is None else min(oldest, until_ms)) // DAY_MS * DAY_MS, until_ms, True)
    length = LENGTHS_MS[name]
    unit = HOUR_MS if length <= _LONGEST_BY_HOUR_MS else DAY_MS
    return Window((until_ms - length) // unit * unit, until_ms, unit == DAY_MS)


@dataclass(frozen=True)
class Counted:
    """Where the figures of a window by one dimension are: in the rows of `table` with
    `{bucket} BETWEEN :first AND :last`, given `bounds`."""

    table: str
    bucket: str
    bounds: dict[str, int]

    def sql(self, query: str, **names: str) -> str:
        """A query with its `{table}` and `{bucket}` filled in; and `{buckets}`, the buckets that have rows, as a table
        expression `buckets(bucket)`: few, where a window may have ten thousand."""
        hours = 24 if self.bucket == DAY.name else 1
        buckets = f"""
            buckets(bucket) AS MATERIALIZED (
                SELECT DISTINCT hour / {hours} FROM hourly_requests
                WHERE hour BETWEEN :first * {hours} AND :last * {hours} + {hours - 1}
            )
        """
        return query.format(table=self.table, bucket=self.bucket, buckets=buckets, **names)


def counted_by(conn: sqlite3.Connection, dimension: str, window: Window) -> Counted:
    """The rollup by day or by hour of a dimension (`clients`, `hosts`, …). Hours that are no longer kept, or never
    were since the clock was wrong, are counted from their rows: the same figures, at about 0.3 µs a row."""
    if window.of_whole_days:
        return Counted(BY_DAY[dimension].table, DAY.name, window.days)
    rollup = BY_HOUR[dimension]
    if window.hours["first"] >= generation(conn, "recent_from"):
        return Counted(rollup.table, HOUR.name, window.hours)
    define_functions(conn)
    return Counted(f"({rollup.recount(ROWS_OF_WINDOW, IN_WINDOW)})", HOUR.name, window.hours | window.row_bounds)
