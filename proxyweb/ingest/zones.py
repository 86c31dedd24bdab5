"""Bounds of every 1,024 consecutive ids: the least and greatest time and size in them (a zone map)."""

from __future__ import annotations

import sqlite3

import numpy as np

from proxyweb.ingest.groups import Groups, Ints

ZONE_BITS = 10
ZONE_ROWS = 1 << ZONE_BITS
IN_ZONE = f"l.id BETWEEN z.zone << {ZONE_BITS} AND (z.zone << {ZONE_BITS}) + {ZONE_ROWS - 1}"  # a row `l` of a zone `z`
_UPSERT = """
    INSERT INTO log_zones (zone, rows, min_ms, max_ms, min_bytes, max_bytes) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (zone) DO UPDATE SET
        rows = rows + excluded.rows, min_ms = min(min_ms, excluded.min_ms), max_ms = max(max_ms, excluded.max_ms),
        min_bytes = min(min_bytes, excluded.min_bytes), max_bytes = max(max_bytes, excluded.max_bytes)
"""
RECOUNT = f"""
    SELECT id >> {ZONE_BITS}, count(*), min(time_ms), max(time_ms), min(bytes), max(bytes)
    FROM proxy_logs WHERE id BETWEEN ? AND ? GROUP BY 1
"""


def add_to_zones(conn: sqlite3.Connection, first_id: int, time_ms: Ints, sizes: Ints) -> None:
    """Widen the zones by rows with ids from `first_id` on."""
    zones = np.arange(first_id, first_id + len(time_ms)) >> ZONE_BITS
    groups = Groups(zones)
    bounds = (
        groups.values(zones), groups.sizes(), groups.least(time_ms), groups.greatest(time_ms), groups.least(sizes),
        groups.greatest(sizes),
    )  # fmt: skip
    conn.executemany(_UPSERT, zip(*(column.tolist() for column in bounds), strict=True))


def differences(conn: sqlite3.Connection) -> list[str]:
    """What is wrong with the zones, a sentence each; empty when they are the bounds of the rows."""
    stored = "SELECT zone, rows, min_ms, max_ms, min_bytes, max_bytes FROM log_zones WHERE zone BETWEEN ? AND ?"
    count = "SELECT count(*) FROM (SELECT * FROM ({}) EXCEPT SELECT * FROM ({}))"
    bounds = (0, 1 << 62)
    wrong = max(
        conn.execute(count.format(*order), bounds * 2).fetchone()[0] for order in ((stored, RECOUNT), (RECOUNT, stored))
    )
    return [f"log_zones: {wrong} zones differ from the rows"] if wrong else []


def rebuild_zones(conn: sqlite3.Connection, first_id: int, last_id: int) -> None:
    """Make the zones of a range of ids anew from its rows; the range begins and ends at a zone's borders."""
    conn.execute("DELETE FROM log_zones WHERE zone BETWEEN ? AND ?", (first_id >> ZONE_BITS, last_id >> ZONE_BITS))
    conn.execute(f"INSERT INTO log_zones {RECOUNT}", (first_id, last_id))
