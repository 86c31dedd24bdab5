"""Which ids a selection has, found through the posting lists: for what is rare, where a scan would take seconds."""

from __future__ import annotations

import json
import sqlite3
from array import array
from dataclasses import dataclass

from proxyweb.ingest.postings import SEGMENT_BITS, SEGMENT_ROWS, TABLES, VALUE_BITS
from proxyweb.ingest.zones import ZONE_BITS
from proxyweb.queries.selection import Selection

PROBED_AT_MOST = 500  # values looked up one by one in a segment; more, and the segment's whole list is read
_VALUE_MASK = (1 << VALUE_BITS) - 1


@dataclass(frozen=True, slots=True)
class Segment:
    """65,536 consecutive ids: how many rows are left of them, and the bounds of their times."""

    number: int
    rows: int
    min_ms: int
    max_ms: int

    @property
    def first_id(self) -> int:
        return self.number << SEGMENT_BITS

    @property
    def last_id(self) -> int:
        return self.first_id + SEGMENT_ROWS - 1

    def overlaps(self, selection: Selection) -> bool:
        """Whether the selection's range of time touches the segment's."""
        return (selection.since_ms is None or self.max_ms >= selection.since_ms) and (
            selection.until_ms is None or self.min_ms < selection.until_ms
        )

    def within(self, selection: Selection) -> bool:
        """Whether all of the segment lies in the selection's range of time."""
        return (selection.since_ms is None or self.min_ms >= selection.since_ms) and (
            selection.until_ms is None or self.max_ms < selection.until_ms
        )


def segments(conn: sqlite3.Connection) -> list[Segment]:
    """All segments that hold rows, oldest ids first. The last one may be open: it has no posting lists yet."""
    rows = conn.execute(
        f"SELECT zone >> {SEGMENT_BITS - ZONE_BITS} AS segment, sum(rows), min(min_ms), max(max_ms)"
        " FROM log_zones GROUP BY segment ORDER BY segment"
    )
    return [Segment(*row) for row in rows]


def open_from(conn: sqlite3.Connection) -> int:
    """The first id that has no posting lists yet."""
    next_id: int = conn.execute("SELECT value FROM counters WHERE name = 'next_id'").fetchone()[0]
    return next_id >> SEGMENT_BITS << SEGMENT_BITS


def ids_in(conn: sqlite3.Connection, segment: Segment, selection: Selection, is_open: bool) -> list[int]:
    """The ids in a segment that the selection has, ascending."""
    if not is_open and selection.values:
        found = _by_postings(conn, segment, selection)
        if not found or (selection.search is None and selection.after_id is None and segment.within(selection)):
            return found
        condition, arguments = selection.where()
        rows = conn.execute(
            f"SELECT l.id FROM json_each(:ids) AS j CROSS JOIN proxy_logs AS l ON l.id = j.value WHERE {condition}",
            {**arguments, "ids": json.dumps(found)},
        )
    else:
        condition, arguments = selection.where()
        rows = conn.execute(
            f"SELECT l.id FROM proxy_logs AS l WHERE l.id BETWEEN :first AND :last AND {condition}",
            {**arguments, "first": segment.first_id, "last": segment.last_id},
        )
    return [row_id for (row_id,) in rows]


def _by_postings(conn: sqlite3.Connection, segment: Segment, selection: Selection) -> list[int]:
    smallest_first = sorted(selection.values.items(), key=lambda item: len(item[1]))
    found: set[int] | None = None
    for dimension, values in smallest_first:
        offsets = array("H")
        for (blob,) in lists(conn, dimension, segment.number, values):
            offsets.frombytes(blob)
        found = set(offsets) if found is None else found.intersection(offsets)
        if not found:
            return []
    base = segment.first_id
    return [base + offset for offset in sorted(found or ())]


def lists(
    conn: sqlite3.Connection, dimension: str, segment: int, values: frozenset[int], columns: str = "p.offsets"
) -> list[tuple[bytes, ...]]:
    """The posting lists of these values in a full segment."""
    table, base = TABLES[dimension], segment << VALUE_BITS
    if len(values) <= PROBED_AT_MOST:
        return conn.execute(
            f"SELECT {columns} FROM json_each(?) AS j CROSS JOIN {table} AS p ON p.id = j.value",
            (json.dumps([base | value for value in values]),),
        ).fetchall()
    rows = conn.execute(
        f"SELECT p.id, {columns} FROM {table} AS p WHERE id BETWEEN ? AND ?", (base, base | _VALUE_MASK)
    )
    return [tuple(blobs) for list_id, *blobs in rows if list_id & _VALUE_MASK in values]


def count_by_postings(conn: sqlite3.Connection, dimension: str, values: frozenset[int], numbers: list[int]) -> int:
    """How many rows of the given full segments have one of the values, by the length of the lists alone."""
    table = TABLES[dimension]
    if len(values) <= PROBED_AT_MOST:
        sql = (
            f"SELECT sum(length(p.offsets)) / 2 FROM json_each(:segments) AS s CROSS JOIN json_each(:values) AS v"
            f" CROSS JOIN {table} AS p ON p.id = s.value << {VALUE_BITS} | v.value"
        )
    else:
        sql = (
            f"SELECT sum(length(p.offsets)) / 2 FROM json_each(:segments) AS s CROSS JOIN {table} AS p"
            f" ON p.id BETWEEN s.value << {VALUE_BITS} AND (s.value << {VALUE_BITS}) | {_VALUE_MASK}"
            f" WHERE p.id & {_VALUE_MASK} IN (SELECT value FROM json_each(:values))"
        )
    counted = conn.execute(sql, {"segments": json.dumps(numbers), "values": json.dumps(sorted(values))}).fetchone()[0]
    return counted or 0
