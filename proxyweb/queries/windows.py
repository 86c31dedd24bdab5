"""The stretch of time that an analysis is about, and how rollups and rows are asked for it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from proxyweb.ingest.groups import DAY_MS, HOUR_MS
from proxyweb.ingest.zones import IN_ZONE

ROWS_OF_WINDOW = f"log_zones AS z CROSS JOIN proxy_logs AS l ON {IN_ZONE}"
IN_WINDOW = "z.max_ms >= :since_ms AND z.min_ms < :end_ms AND l.time_ms >= :since_ms AND l.time_ms < :end_ms"
DAYS_OF_WINDOW = """
    days(day) AS MATERIALIZED (
        SELECT DISTINCT hour / 24 FROM hourly_requests WHERE hour BETWEEN :first * 24 AND :last * 24 + 23
    )
"""
"""The days that have rows, as a table expression: few, where a window may have ten thousand. With `Window.days`."""
LENGTHS_MS = {"1h": HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS}
ALL = "all"
_LONGEST_BY_HOUR_MS = 2 * DAY_MS


@dataclass(frozen=True)
class Window:
    """From `since_ms` to `until_ms` (Unix milliseconds).

    It begins on a full hour, or when it is longer than 48 hours on a full UTC day, at or before the moment asked for;
    its last hour or day is the one that `until_ms` is in.

    A window of whole days is answered from any rollup, another one only from those by the hour and from rows:
    `FROM {ROWS_OF_WINDOW} WHERE {IN_WINDOW}` with `row_bounds`.
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
