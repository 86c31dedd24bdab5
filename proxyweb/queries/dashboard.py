"""The figures of the dashboard's summary that no other page asks for."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import NamedTuple

from proxyweb.ingest.groups import DAY_MS, HOUR_MS
from proxyweb.ingest.record import BLOCKING_REASONS
from proxyweb.queries.log_pages import PageRequest, page
from proxyweb.queries.log_rows import Row, rows_by_id
from proxyweb.queries.selection import Filters, Mask, select
from proxyweb.queries.windows import Window, counted_by

HOURS_OF_DAY = DAY_MS // HOUR_MS
_BLOCKED = " + ".join(BLOCKING_REASONS)
_TOP_BLOCKED = """
    WITH counted AS MATERIALIZED (
        SELECT host_id, sum(blocked) AS requests FROM {table}
        WHERE {bucket} BETWEEN :first AND :last AND blocked > 0 GROUP BY host_id
    )
    SELECT h.host, c.requests FROM counted AS c CROSS JOIN hosts AS h ON h.id = c.host_id
    WHERE c.requests >= coalesce((SELECT requests FROM counted ORDER BY requests DESC LIMIT 1 OFFSET :limit), 0)
    AND h.host <> ''
    ORDER BY c.requests DESC, h.host LIMIT :limit
"""
_CLIENTS = """
    SELECT c.address, t.requests
    FROM (SELECT client_id, sum(requests) AS requests FROM {table}
          WHERE {bucket} BETWEEN :first AND :last GROUP BY client_id) AS t
    JOIN clients AS c ON c.id = t.client_id
"""


class Counts(NamedTuple):
    """Requests, and how many of them were blocked."""

    requests: int
    blocked: int


def whole_log(conn: sqlite3.Connection) -> Counts:
    """Every request that is kept."""
    return Counts(*conn.execute(f"SELECT {_sums()} FROM hourly_requests").fetchone())


def on_day(conn: sqlite3.Connection, day: int) -> Counts:
    """The requests of one UTC day: Unix seconds divided by 86,400."""
    first = day * HOURS_OF_DAY
    return Counts(
        *conn.execute(
            f"SELECT {_sums()} FROM hourly_requests WHERE hour BETWEEN ? AND ?", (first, first + HOURS_OF_DAY - 1)
        ).fetchone()
    )


def top_blocked(conn: sqlite3.Connection, window: Window, limit: int) -> list[tuple[str, int]]:
    """`(host, blocked requests)`, most first, ties by name. Requests without a host are left out.

    Only hosts that can be on the list are looked up by name: one more than its length, for the nameless one.
    """
    by_host = counted_by(conn, "hosts", window)
    return conn.execute(by_host.sql(_TOP_BLOCKED), {**by_host.bounds, "limit": limit}).fetchall()


def top_clients(conn: sqlite3.Connection, window: Window, limit: int, mask: Mask | None) -> list[tuple[str, int]]:
    """`(address, requests)`, most first, ties by address. With a mask, of all clients that look the same together."""
    by_client = counted_by(conn, "clients", window)
    counts: Counter[str] = Counter()
    for address, requests in conn.execute(by_client.sql(_CLIENTS), by_client.bounds):
        counts[mask(address) if mask else address] += requests
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]


def newest_blocked(conn: sqlite3.Connection, blocked: int, limit: int) -> list[Row]:
    """The last blocked requests, newest first; `blocked` is how many the log has."""
    selection = select(conn, Filters(blocked=True))
    return rows_by_id(conn, [row_id for _, row_id in page(conn, PageRequest(selection, blocked, limit=limit))])


def _sums() -> str:
    return f"coalesce(sum(requests), 0), coalesce(sum({_BLOCKED}), 0)"
