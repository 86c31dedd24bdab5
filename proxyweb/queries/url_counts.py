"""What was counted of the URLs of a long window, kept for a while: it takes seconds, and the same for everyone."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, NamedTuple

from proxyweb.queries.windows import Window

KEPT_SECONDS = 600


class UrlCounts(NamedTuple):
    """The figures of `urls.ranked_urls`, and the window that they are of."""

    window: Window
    figures: dict[str, Any]


def kept(conn: sqlite3.Connection, name: str, now: float) -> UrlCounts | None:
    """What was counted of the window `name` within the last ten minutes before `now` (Unix seconds)."""
    found = conn.execute(
        "SELECT since_ms, until_ms, figures FROM url_counts WHERE window = ? AND counted_at BETWEEN ? AND ?",
        (name, int(now) - KEPT_SECONDS, int(now)),
    ).fetchone()
    if found is None:
        return None
    since_ms, until_ms, figures = found
    return UrlCounts(Window(since_ms, until_ms, of_whole_days=True), json.loads(figures))


def keep(conn: sqlite3.Connection, name: str, counts: UrlCounts, now: float) -> None:
    """Keep what was counted, in the transaction that is open."""
    window, figures = counts
    conn.execute(
        "INSERT OR REPLACE INTO url_counts (window, since_ms, until_ms, counted_at, figures) VALUES (?, ?, ?, ?, ?)",
        (name, window.since_ms, window.until_ms, int(now), json.dumps(figures)),
    )


def forget(conn: sqlite3.Connection) -> None:
    """Let go of all of it, in the transaction that deletes rows it may have counted."""
    conn.execute("DELETE FROM url_counts")
