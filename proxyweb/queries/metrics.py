"""What is told to a monitoring system about the log and the database."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from proxyweb.db.migrate import current_version
from proxyweb.ingest.groups import DAY_MS, HOUR_MS
from proxyweb.ingest.record import BLOCKING_REASONS
from proxyweb.queries.database import database_stats
from proxyweb.queries.log_counts import stats
from proxyweb.queries.waf import CategoryCount, categories
from proxyweb.queries.windows import Window

OUTCOMES = (*BLOCKING_REASONS, "auth")


@dataclass(frozen=True)
class LogFigures:
    """The log as it stands: `stored` counts every row there ever was, `rows` those that are kept. Times in Unix
    seconds, None where there is nothing; `outcomes` and `waf` are since midnight, UTC."""

    schema: str
    stored: int
    rows: int
    oldest: float | None
    newest: float | None
    last_import: int | None
    rejected: dict[str, int]
    outcomes: dict[str, int]
    waf: list[CategoryCount]
    audit_entries: int
    size_bytes: int
    free_bytes: int


def log_figures(conn: sqlite3.Connection, now: float) -> LogFigures:
    """Everything at once; `now` in Unix seconds. From rollups and counters: at any size of the log in a moment."""
    now_ms = int(now * 1000)
    today = Window(now_ms // DAY_MS * DAY_MS, now_ms, of_whole_days=True)
    size, figures = database_stats(conn), stats(conn)
    return LogFigures(
        schema=current_version(conn) or "",
        stored=_number(conn, "SELECT value - 1 FROM counters WHERE name = 'next_id'"),
        rows=figures["total_count"],
        oldest=_seconds(figures["first_timestamp"]),
        newest=_seconds(figures["last_timestamp"]),
        last_import=figures["last_import"],
        rejected=dict(conn.execute("SELECT reason, lines FROM rejected_counts").fetchall()),
        outcomes=outcomes(conn, today),
        waf=categories(conn, today),
        audit_entries=_number(conn, "SELECT coalesce(sum(entries), 0) FROM audit_head"),
        size_bytes=size["size_bytes"] or 0,
        free_bytes=size["free_bytes"] or 0,
    )


def outcomes(conn: sqlite3.Connection, window: Window) -> dict[str, int]:
    """How many requests of the window were blocked, by reason, how many were authentication challenges (`auth`), and
    how many passed."""
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in ("requests", *OUTCOMES))
    first, end = window.row_bounds["since_ms"] // HOUR_MS, window.row_bounds["end_ms"] // HOUR_MS
    requests, *others = conn.execute(
        f"SELECT {sums} FROM hourly_requests WHERE hour >= ? AND hour < ?", (first, end)
    ).fetchone()
    return {"passed": requests - sum(others), **dict(zip(OUTCOMES, others, strict=True))}


def _number(conn: sqlite3.Connection, question: str) -> int:
    return int(conn.execute(question).fetchone()[0])


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
