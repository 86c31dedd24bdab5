"""File types by the extension of the path."""

from __future__ import annotations

import sqlite3

from proxyweb.queries.windows import Window, counted_by


def extensions(conn: sqlite3.Connection, window: Window) -> tuple[int, list[tuple[str, int, int]]]:
    """How many requests there were, and `(extension, requests, bytes)` of those that had one, most first."""
    by_extension = counted_by(conn, "extensions", window)
    total = conn.execute(
        "SELECT coalesce(sum(requests), 0) FROM hourly_requests WHERE hour BETWEEN :first AND :last", window.hours
    ).fetchone()[0]
    found = conn.execute(
        "SELECT x.extension, sum(requests) AS requests, sum(bytes)"
        f" FROM {by_extension.table} AS h CROSS JOIN extensions AS x ON x.id = h.extension_id"
        f" WHERE {by_extension.bucket} BETWEEN :first AND :last GROUP BY x.id ORDER BY requests DESC, x.extension",
        by_extension.bounds,
    ).fetchall()
    return total, found
