"""File types by the extension of the path."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from proxyweb.queries.windows import Window, counted_by


class FileUse(NamedTuple):
    """Requests for files of one extension, the bytes sent to clients, and how long all of them took."""

    extension: str
    requests: int
    bytes: int
    elapsed_ms: int


class Files(NamedTuple):
    """All requests, how long they took together, and those that had an extension by it, most first."""

    requests: int
    elapsed_ms: int
    extensions: list[FileUse]


def files(conn: sqlite3.Connection, window: Window) -> Files:
    """The files of a window."""
    by_extension = counted_by(conn, "extensions", window)
    requests, elapsed_ms = conn.execute(
        "SELECT coalesce(sum(requests), 0), coalesce(sum(elapsed_ms), 0)"
        " FROM hourly_requests WHERE hour BETWEEN :first AND :last",
        window.hours,
    ).fetchone()
    found = conn.execute(
        "SELECT x.extension, sum(requests) AS requests, sum(bytes), sum(elapsed_ms)"
        f" FROM {by_extension.table} AS h CROSS JOIN extensions AS x ON x.id = h.extension_id"
        f" WHERE {by_extension.bucket} BETWEEN :first AND :last GROUP BY x.id ORDER BY requests DESC, x.extension",
        by_extension.bounds,
    )
    return Files(requests, elapsed_ms, [FileUse(*row) for row in found])
