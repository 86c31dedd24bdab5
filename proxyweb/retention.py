"""Deleting logs: everything, or what is older than the retention. Readers and ingest go on meanwhile.

Old rows go segment by segment (65,536 ids): read and grouped first, and then deleted in a short transaction that keeps
rollups, zones and posting lists equal to the rows that stay. So a run that is stopped has lost nothing, and the next
one goes on.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from proxyweb.db.connection import file_of, snapshot, transaction
from proxyweb.db.damage import refuse_marked
from proxyweb.db.database import advance
from proxyweb.ingest.postings import SEGMENT_BITS, SEGMENT_ROWS, TABLES, rebuild_segment
from proxyweb.ingest.rollups import ROLLUPS
from proxyweb.ingest.subtraction import Subtraction, renew_last_times
from proxyweb.ingest.zones import ZONE_BITS, rebuild_zones
from proxyweb.memory import give_back_memory
from proxyweb.queries.url_counts import forget as forget_url_counts

DAY_MS = 86_400_000
PAUSE_SECONDS = 0.01  # between transactions, so that whoever waits for the write lock gets it
VACUUM_PAGES = 500  # given back to the disk in one transaction: a few milliseconds
_REFERRED = {
    "clients": "SELECT DISTINCT client_id FROM proxy_logs WHERE id >= ?1 UNION SELECT client_id FROM first_seen",
    "result_kinds": "SELECT DISTINCT kind_id FROM proxy_logs WHERE id >= ?",
    "peers": "SELECT DISTINCT peer_id FROM proxy_logs WHERE id >= ?",
    "users_seen": "SELECT DISTINCT user_id FROM proxy_logs WHERE id >= ?",
    "user_agents": "SELECT DISTINCT agent_id FROM proxy_logs WHERE id >= ?",
    "waf_verdicts": "SELECT DISTINCT waf_id FROM proxy_logs WHERE id >= ?",
    "sites": "SELECT DISTINCT site_id FROM proxy_logs WHERE id >= ?",
    "hosts": "SELECT DISTINCT host_id FROM sites WHERE ?1 >= 0",
}


def clear_old(conn: sqlite3.Connection, days: int, now: float) -> int:
    """Delete the rows older than `days` before `now` (Unix seconds); returns how many. May be run twice at once."""
    return clear_before(conn, int(now * 1000) - days * DAY_MS)


def clear_before(conn: sqlite3.Connection, before_ms: int, stop: Callable[[], bool] = lambda: False) -> int:
    """Delete the rows with times before `before_ms`, and what nothing refers to then; returns how many rows.

    `stop` is asked between transactions; where it ends, the next clearing goes on.
    """
    deleted = 0
    while not stop():
        with snapshot(conn):
            oldest = conn.execute(
                "SELECT zone FROM log_zones WHERE min_ms < ? ORDER BY zone LIMIT 1", (before_ms,)
            ).fetchone()
            if not oldest:
                break
            segment = oldest[0] << ZONE_BITS >> SEGMENT_BITS
            first = segment << SEGMENT_BITS
            subtraction = Subtraction(conn, first, first + SEGMENT_ROWS - 1, before_ms)
        with transaction(conn):
            if subtraction.is_current(conn):  # else another process deletes, too
                deleted += _clear_segment(conn, segment, subtraction, before_ms)
        time.sleep(PAUSE_SECONDS)
    if deleted and not stop():
        _forget_unreferred(conn)
        give_back(conn)
        give_back_memory()
    return deleted


def _clear_segment(conn: sqlite3.Connection, segment: int, subtraction: Subtraction, before_ms: int) -> int:
    first = segment << SEGMENT_BITS
    last = first + SEGMENT_ROWS - 1
    subtraction.take_away(conn)
    deleted = conn.execute(
        "DELETE FROM proxy_logs WHERE id BETWEEN ? AND ? AND time_ms < ?", (first, subtraction.last_id, before_ms)
    ).rowcount
    rebuild_zones(conn, first, last)
    if subtraction.bounds:
        renew_last_times(conn, subtraction.bounds)
    next_id = conn.execute("SELECT value FROM counters WHERE name = 'next_id'").fetchone()[0]
    if next_id > last:
        rebuild_segment(conn, segment)
    forget_url_counts(conn)
    advance(conn, "deletions")
    advance(conn, "logs")
    return deleted


def clear_all(conn: sqlite3.Connection) -> int:
    """Delete every row of the log and what is derived from them; returns how many rows. What was read stays read."""
    with transaction(conn):
        deleted: int = conn.execute("SELECT coalesce(sum(requests), 0) FROM hourly_requests").fetchone()[0]
        derived = [rollup.table for rollup in ROLLUPS] + list(TABLES.values())
        for table in ("proxy_logs", "log_zones", *derived, "first_seen", "rejected_counts", "rejected_lines"):
            conn.execute(f"DELETE FROM {table}")
        for table in ("sites", "hosts", "domains", "clients", "result_kinds"):
            conn.execute(f"DELETE FROM {table}")
        for table in ("peers", "users_seen", "user_agents", "waf_verdicts", "extensions", "services"):
            conn.execute(f"DELETE FROM {table} WHERE id > 0")
        forget_url_counts(conn)
        advance(conn, "deletions")
        advance(conn, "logs")
    give_back(conn)
    return deleted


def _forget_unreferred(conn: sqlite3.Connection) -> None:
    """Delete dimension rows that no log row refers to any more.

    What is referred to is looked up without the write lock; under it, only the rows that came meanwhile.
    """
    with snapshot(conn):
        next_id = conn.execute("SELECT value FROM counters WHERE name = 'next_id'").fetchone()[0]
        referred = {table: _first_column(conn, sql, 0) for table, sql in _REFERRED.items() if table != "hosts"}
        known = {table: _first_column(conn, f"SELECT id FROM {table} WHERE id > 0") for table in referred}
    with transaction(conn):
        for table, ids in referred.items():
            gone = known[table] - ids - _first_column(conn, _REFERRED[table], next_id)
            conn.executemany(f"DELETE FROM {table} WHERE id = ?", ((row_id,) for row_id in gone))
        conn.execute("DELETE FROM hosts WHERE id NOT IN (SELECT host_id FROM sites)")  # domains stay for first_seen
        advance(conn, "deletions")


def _first_column(conn: sqlite3.Connection, sql: str, *arguments: int) -> set[int]:
    return {row_id for (row_id,) in conn.execute(sql, arguments)}


def give_back(conn: sqlite3.Connection) -> None:
    """Shrink the file by its free pages, a few at a time."""
    refuse_marked(file_of(conn))
    free = conn.execute("PRAGMA freelist_count").fetchone()[0]
    while free:
        # As a script: `execute` takes only the first step of this pragma, which is one page.
        conn.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
        time.sleep(PAUSE_SECONDS)
        before, free = free, conn.execute("PRAGMA freelist_count").fetchone()[0]
        if free >= before:  # someone else frees pages at the same time, or takes none back now
            break
