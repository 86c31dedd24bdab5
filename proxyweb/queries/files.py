"""File types by the extension of the path."""

from __future__ import annotations

import sqlite3

from proxyweb.queries.windows import Window


def extensions(conn: sqlite3.Connection, window: Window) -> tuple[int, list[tuple[str, int, int]]]:
    """How many requests there were, and `(extension, requests, bytes)` of those that had one, most first."""
    bounds = window.hours
    total = conn.execute(
        "SELECT coalesce(sum(requests), 0) FROM hourly_requests WHERE hour BETWEEN :first AND :last", bounds
    ).fetchone()[0]
    found = conn.execute(
        "SELECT x.extension, sum(requests) AS requests, sum(bytes)"
        " FROM hourly_extensions AS h CROSS JOIN extensions AS x ON x.id = h.extension_id"
        " WHERE hour BETWEEN :first AND :last GROUP BY x.id ORDER BY requests DESC, x.extension",
        bounds,
    ).fetchall()
    return total, found
