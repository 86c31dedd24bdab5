"""How often each kind of thing changed, in one SELECT: what every request asks first."""

from __future__ import annotations

import sqlite3


def generations(conn: sqlite3.Connection) -> dict[str, int]:
    """All counters by name: `logs`, `settings`, `accounts`, `audit`, and those that ingest keeps."""
    return dict(conn.execute("SELECT name, value FROM counters").fetchall())
