"""How large the database is, and what it holds."""

from __future__ import annotations

import sqlite3

from proxyweb.queries.log_counts import stats


def database_stats(conn: sqlite3.Connection) -> dict[str, int | None]:
    """`size_bytes` and, of these, `free_bytes`; `rows` of the log, and the times of its `oldest` and `newest` in
    milliseconds, null when there is none. Rows are counted by the rollups and zones, which are exact."""
    pages, free, page_bytes = (
        int(conn.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    figures = stats(conn)
    return {
        "size_bytes": pages * page_bytes,
        "rows": figures["total_count"],
        "oldest": figures["first_timestamp"],
        "newest": figures["last_timestamp"],
        "free_bytes": free * page_bytes,
    }
