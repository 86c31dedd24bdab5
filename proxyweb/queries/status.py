"""What the status page says about the log as a whole."""

from __future__ import annotations

import sqlite3


def requests_count(conn: sqlite3.Connection) -> int:
    """How many requests are kept."""
    return int(conn.execute("SELECT coalesce(sum(requests), 0) FROM hourly_requests").fetchone()[0])
