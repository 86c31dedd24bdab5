"""Bounds of every 1,024 consecutive ids: the least and greatest time and size in them (a zone map)."""

from __future__ import annotations

import sqlite3

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


class OpenZones:
    """What the rows of a transaction add to the zones."""

    def __init__(self) -> None:
        self.bounds: dict[int, tuple[int, int, int, int, int]] = {}

    def add(self, first_id: int, time_ms: list[int], sizes: list[int]) -> None:
        count, done = len(time_ms), 0
        while done < count:
            zone = first_id + done >> ZONE_BITS
            part = min(count - done, ZONE_ROWS - (first_id + done & ZONE_ROWS - 1))
            times, bytes_ = (
                (time_ms, sizes) if part == count else (time_ms[done : done + part], sizes[done : done + part])
            )
            bounds = (part, min(times), max(times), min(bytes_), max(bytes_))
            if zone in self.bounds:
                old = self.bounds[zone]
                bounds = (
                    old[0] + part,
                    min(old[1], bounds[1]),
                    max(old[2], bounds[2]),
                    min(old[3], bounds[3]),
                    max(old[4], bounds[4]),
                )
            self.bounds[zone] = bounds
            done += part

    def flush(self, conn: sqlite3.Connection) -> None:
        conn.executemany(_UPSERT, ((zone, *bounds) for zone, bounds in self.bounds.items()))
        self.bounds.clear()


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
