"""The audit log, newest first."""

from __future__ import annotations

import sqlite3
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
