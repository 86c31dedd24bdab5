"""Who asks the proxy by name: users that Squid authenticated. No rollup has them.

They are counted by the length of their posting lists, of which SQLite reads no more than that, at about 0.5 µs a list;
rows are only read in the segments at the window's edges and behind the last full segment.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter

from proxyweb.ingest.postings import SEGMENT_BITS, SEGMENT_ROWS, VALUE_BITS
from proxyweb.ingest.zones import ZONE_BITS
from proxyweb.queries.matches import open_from, segments
from proxyweb.queries.selection import Mask, Selection
from proxyweb.queries.windows import IN_WINDOW, ROWS_OF_WINDOW, Window

_VALUE_MASK = (1 << VALUE_BITS) - 1
_BY_LENGTH = f"""
    SELECT p.id & {_VALUE_MASK}, sum(length(p.offsets)) / 2 FROM json_each(?) AS s CROSS JOIN user_postings AS p
    ON p.id BETWEEN s.value << {VALUE_BITS} AND (s.value << {VALUE_BITS}) | {_VALUE_MASK} GROUP BY 1
"""
_BY_ROW = f"""
    SELECT l.user_id, count(*) FROM {ROWS_OF_WINDOW}
    WHERE z.zone BETWEEN :first_zone AND :last_zone AND {IN_WINDOW} AND l.user_id > 0 GROUP BY l.user_id
"""
_NAMES = "SELECT u.id, u.name FROM json_each(?) AS j CROSS JOIN users_seen AS u ON u.id = j.value"


def busiest_users(
    conn: sqlite3.Connection, window: Window, limit: int, mask_user: Mask | None = None
) -> tuple[int, list[tuple[str, int]]]:
    """How many users there were, and `(name, requests)` of the busiest: most first, then by name. With a mask, by what
    it makes of the names. To be called in a snapshot."""
    by_id = _counted(conn, window)
    counts: Counter[str] = Counter()
    for user_id, name in conn.execute(_NAMES, (json.dumps(list(by_id)),)):
        counts[mask_user(name) if mask_user else name] += by_id[user_id]
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return len(ranked), ranked[:limit]


def _counted(conn: sqlite3.Connection, window: Window) -> Counter[int]:
    bounds, still_open = window.row_bounds, open_from(conn)
    in_window = Selection(since_ms=bounds["since_ms"], until_ms=bounds["end_ms"])
    whole, counts = list[int](), Counter[int]()
    for segment in segments(conn):
        if not segment.overlaps(in_window):
            continue
        if segment.first_id < still_open and segment.within(in_window):
            whole.append(segment.number)
            continue
        first = segment.number << SEGMENT_BITS - ZONE_BITS
        zones = {"first_zone": first, "last_zone": first + (SEGMENT_ROWS >> ZONE_BITS) - 1}
        counts.update(dict(conn.execute(_BY_ROW, bounds | zones).fetchall()))
    counts.update(dict(conn.execute(_BY_LENGTH, (json.dumps(whole),)).fetchall()))
    return counts
