"""What the audit log says, newest first."""

from __future__ import annotations

import sqlite3
from itertools import takewhile
from typing import Any


def audit_page(conn: sqlite3.Connection, limit: int, offset: int) -> tuple[int, list[dict[str, Any]]]:
    """How many entries there are, and `limit` of them after the newest `offset`; `at` in Unix seconds."""
    total = conn.execute("SELECT count(*) FROM audit_log").fetchone()[0]
    rows = conn.execute(
        """
        SELECT id, at, username, action, target, details, source_ip
        FROM audit_log ORDER BY id DESC LIMIT ? OFFSET ?
        """,
        (limit, offset),
    )
    names = [column[0] for column in rows.description]
    return total, [dict(zip(names, row, strict=True)) for row in rows]


def times_of(conn: sqlite3.Connection, username: str, action: str, since: int) -> list[int]:
    """When `username` did `action`, newest first, back to `since`; Unix seconds.

    Entries are in the order of time, so only what came after `since` is looked at.
    """
    rows = conn.execute("SELECT at, username, action FROM audit_log ORDER BY id DESC")
    return [at for at, who, what in takewhile(lambda row: row[0] > since, rows) if (who, what) == (username, action)]
