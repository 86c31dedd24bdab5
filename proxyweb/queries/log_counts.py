"""How many: the total of a selection, the log's statistics, and its timeline by the hour."""

from __future__ import annotations

import sqlite3
from typing import Any

from proxyweb.ingest.groups import HOUR_MS
from proxyweb.ingest.record import BLOCKING_REASONS
from proxyweb.ingest.zones import IN_ZONE
from proxyweb.queries.matches import count_by_postings, ids_in, open_from, segments
from proxyweb.queries.selection import Selection
from proxyweb.queries.windows import Window

_BLOCKED = " + ".join(BLOCKING_REASONS)


def total(conn: sqlite3.Connection, selection: Selection) -> int:
    """How many rows a selection has, exactly."""
    if selection.nothing:
        return 0
    if selection.everything:
        return int(conn.execute("SELECT coalesce(sum(requests), 0) FROM hourly_requests").fetchone()[0])
    if selection.search is not None or selection.after_id is not None:
        return _scanned(conn, selection)
    if not selection.values:
        return _in_time(conn, selection.since_ms, selection.until_ms)
    return _by_segments(conn, selection)


def _scanned(conn: sqlite3.Connection, selection: Selection) -> int:
    condition, arguments = selection.where()
    if selection.timed:
        condition += " AND z.max_ms >= :zone_since AND z.min_ms < :zone_until"
        arguments |= {"zone_since": selection.since_ms or 0, "zone_until": selection.until_ms or 1 << 62}
        source = f"log_zones AS z CROSS JOIN proxy_logs AS l ON {IN_ZONE}"
    else:
        source = "proxy_logs AS l"
    return int(conn.execute(f"SELECT count(*) FROM {source} WHERE {condition}", arguments).fetchone()[0])


def _in_time(conn: sqlite3.Connection, since_ms: int | None, until_ms: int | None) -> int:
    """Whole hours from the rollup, the hours at both ends row by row."""
    first = 0 if since_ms is None else -(-since_ms // HOUR_MS)
    last = (1 << 40) if until_ms is None else until_ms // HOUR_MS
    if first > last:
        return _scanned(conn, Selection(since_ms=since_ms, until_ms=until_ms))
    whole = conn.execute(
        "SELECT coalesce(sum(requests), 0) FROM hourly_requests WHERE hour >= ? AND hour < ?", (first, last)
    ).fetchone()[0]
    edges = 0
    if since_ms is not None and since_ms % HOUR_MS:
        edges += _scanned(conn, Selection(since_ms=since_ms, until_ms=first * HOUR_MS))
    if until_ms is not None and until_ms % HOUR_MS:
        edges += _scanned(conn, Selection(since_ms=last * HOUR_MS, until_ms=until_ms))
    return int(whole + edges)


def _by_segments(conn: sqlite3.Connection, selection: Selection) -> int:
    still_open = open_from(conn)
    touched = [segment for segment in segments(conn) if segment.overlaps(selection)]
    by_length = [segment for segment in touched if segment.first_id < still_open and segment.within(selection)]
    counted = 0
    if len(selection.values) == 1:
        [(dimension, values)] = selection.values.items()
        counted = count_by_postings(conn, dimension, values, [segment.number for segment in by_length])
        touched = [segment for segment in touched if segment not in by_length]
    return counted + sum(len(ids_in(conn, segment, selection, segment.first_id >= still_open)) for segment in touched)


def requests_in(conn: sqlite3.Connection, window: Window) -> int:
    """How many requests a window has."""
    counted = "SELECT coalesce(sum(requests), 0) FROM hourly_requests WHERE hour BETWEEN :first AND :last"
    return int(conn.execute(counted, window.hours).fetchone()[0])


def stats(conn: sqlite3.Connection) -> dict[str, Any]:
    """The figures of the whole log. `last_import` in Unix seconds, the log's own times in milliseconds; null before the
    first row."""
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in ("requests", *BLOCKING_REASONS, "auth", "ip_blocks"))
    total_count, policy, waf, origin, terminated, auth, ip_blocks = conn.execute(
        f"SELECT {sums} FROM hourly_requests"
    ).fetchone()
    first, last = conn.execute(
        "SELECT (SELECT min(min_ms) FROM log_zones), (SELECT max(max_ms) FROM log_zones)"
    ).fetchone()
    last_import = conn.execute("SELECT value FROM counters WHERE name = 'last_import'").fetchone()[0]
    rejected = conn.execute("SELECT coalesce(sum(lines), 0) FROM rejected_counts").fetchone()[0]
    return {
        "total_count": total_count,
        "blocked_count": policy + waf + origin + terminated,
        "ip_blocks_count": ip_blocks,
        "last_import": last_import or None,
        "blocked_by": {"policy": policy, "waf": waf, "origin": origin, "terminated": terminated},
        "auth_challenges": auth,
        "first_timestamp": first,
        "last_timestamp": last,
        "rejected_lines": rejected,
    }


def timeline(conn: sqlite3.Connection, last_hour: int, hours: int) -> list[tuple[int, int, int, int]]:
    """`(hour, total, blocked, bytes)` for each of the last `hours` hours, oldest first, `last_hour` being the current
    one. Hours are Unix seconds divided by 3,600."""
    first = last_hour - hours + 1
    found = {
        hour: (requests, blocked, size)
        for hour, requests, blocked, size in conn.execute(
            f"SELECT hour, requests, {_BLOCKED}, bytes FROM hourly_requests WHERE hour BETWEEN ? AND ?",
            (first, last_hour),
        )
    }
    return [(hour, *found.get(hour, (0, 0, 0))) for hour in range(first, last_hour + 1)]
