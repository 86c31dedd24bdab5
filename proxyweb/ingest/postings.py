"""Posting lists: for each full segment of ids and each value in it, where in the segment the value stands.

What the API filters by (client, host, kind of result, user) is found through these. A B-tree index on each of four
columns would take 12 to 17 bytes a row and be written all over at every commit; these take 2.5 and are only appended
to. The rows behind the last full segment are few, and scanned.

A client's list has the hosts that stand at its places beside it, so that its hosts are counted without reading rows.
"""

from __future__ import annotations

import sqlite3
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from proxyweb.ingest.groups import Ints, ordered

SEGMENT_BITS = 16
SEGMENT_ROWS = 1 << SEGMENT_BITS
VALUE_BITS = 32
OFFSET = np.uint16
NARROW, WIDE = np.uint16, np.uint32  # the hosts beside a list, if all of them are below 65,536, and if not
TABLES = {"client": "client_postings", "host": "host_postings", "kind": "kind_postings", "user": "user_postings"}
_COLUMNS = """
    SELECT l.id, l.client_id, s.host_id, l.kind_id, l.user_id FROM proxy_logs AS l JOIN sites AS s ON s.id = l.site_id
    WHERE l.id BETWEEN ? AND ? ORDER BY l.id
"""


class OpenSegment:
    """The values of the segment that is being filled, by column; a column's index is the offset in the segment.

    0 stands where there is no row.
    """

    def __init__(self) -> None:
        self.columns: dict[str, list[Ints]] = {name: [] for name in TABLES}
        self.held = 0

    def load(self, conn: sqlite3.Connection, next_id: int) -> None:
        """Take up the open segment from its stored rows."""
        self.columns, self.held = {name: [] for name in TABLES}, 0
        self._take(_columns(conn, next_id >> SEGMENT_BITS << SEGMENT_BITS, next_id))

    def load_new(self, conn: sqlite3.Connection, known_to: int, next_id: int) -> None:
        """Take up what others have stored from the id `known_to` on."""
        if known_to >> SEGMENT_BITS != next_id >> SEGMENT_BITS:
            self.load(conn, next_id)
        else:
            self._take(_columns(conn, known_to, next_id))

    def add(self, conn: sqlite3.Connection, last_id: int, columns: dict[str, Ints]) -> None:
        """Append rows, of which `last_id` is the last; full segments are stored."""
        self._take(columns)
        while self.held >= SEGMENT_ROWS:
            whole = {name: np.concatenate(parts) for name, parts in self.columns.items()}
            full = {name: column[:SEGMENT_ROWS] for name, column in whole.items()}
            _store(conn, last_id + 1 - self.held >> SEGMENT_BITS, full)
            self.columns, self.held = {name: [] for name in TABLES}, 0
            self._take({name: column[SEGMENT_ROWS:] for name, column in whole.items()})

    def _take(self, columns: dict[str, Ints]) -> None:
        for name, values in columns.items():
            self.columns[name].append(values)
        self.held += len(columns["client"])


def differences(conn: sqlite3.Connection) -> list[str]:
    """What is wrong with the posting lists, a sentence each; empty when they say where in the rows each value stands.

    Reads every row; the open segment has no lists.
    """
    next_id = conn.execute("SELECT value FROM counters WHERE name = 'next_id'").fetchone()[0]
    full = next_id >> SEGMENT_BITS
    wrong = dict.fromkeys(TABLES.values(), 0)
    for segment in range(full):
        columns = _full_columns(conn, segment)
        bounds = (segment << VALUE_BITS, (segment + 1 << VALUE_BITS) - 1)
        for name, table in TABLES.items():
            stored = conn.execute(f"SELECT * FROM {table} WHERE id BETWEEN ? AND ? ORDER BY id", bounds)
            wrong[table] += stored.fetchall() != _lists(segment, name, columns)
    for table in wrong:
        beyond = conn.execute(f"SELECT max(id) >> {VALUE_BITS} FROM {table}").fetchone()[0]
        wrong[table] += beyond is not None and beyond >= full
    return [f"{table}: {count} segments differ from the rows" for table, count in wrong.items() if count]


def rebuild_segment(conn: sqlite3.Connection, segment: int) -> None:
    """Make a full segment's lists anew from its rows, after some were deleted."""
    for table in TABLES.values():
        conn.execute(
            f"DELETE FROM {table} WHERE id BETWEEN ? AND ?",
            (segment << VALUE_BITS, (segment + 1 << VALUE_BITS) - 1),
        )
    _store(conn, segment, _full_columns(conn, segment))


def _full_columns(conn: sqlite3.Connection, segment: int) -> dict[str, Ints]:
    return _columns(conn, segment << SEGMENT_BITS, segment + 1 << SEGMENT_BITS)


def _columns(conn: sqlite3.Connection, first: int, end: int) -> dict[str, Ints]:
    """The values of the rows with ids from `first` to before `end`."""
    columns = {name: np.zeros(end - first, np.int64) for name in TABLES}
    rows = conn.execute(_COLUMNS, (first, end - 1)).fetchall()
    if rows:
        numbers, *values = np.array(rows, np.int64).T
        for column, stored in zip(columns.values(), values, strict=True):
            column[numbers - first] = stored
    return columns


def hosts_beside(offsets: bytes, hosts: bytes) -> NDArray[np.uint16 | np.uint32]:
    """The hosts at the places of a client's list, as both are stored."""
    return np.frombuffer(hosts, NARROW if len(hosts) == len(offsets) else WIDE)


def _store(conn: sqlite3.Connection, segment: int, columns: dict[str, Ints]) -> None:
    for name, table in TABLES.items():
        marks = "?, ?, ?" if name == "client" else "?, ?"
        conn.executemany(f"INSERT INTO {table} VALUES ({marks})", _lists(segment, name, columns))


def _lists(segment: int, name: str, columns: dict[str, Ints]) -> list[tuple[int | bytes, ...]]:
    """The rows of a postings table for one segment, by id."""
    column = columns[name]
    placed = ordered(column)
    values = column[placed]
    starts = np.flatnonzero(np.diff(values, prepend=0))  # the places without a row come first, and begin no list
    offsets = placed.astype(OFFSET)
    parts = [_cut(offsets, starts)]
    if name == "client":
        parts.append(_hosts(columns["host"][offsets], starts))
    numbers = segment << VALUE_BITS | values[starts]
    return list(zip(numbers.tolist(), *parts, strict=True))


def _hosts(hosts: Ints, starts: Ints) -> list[bytes]:
    """What stands beside each list, in as few bytes as its greatest number takes."""
    if not len(starts):
        return []
    is_wide = np.maximum.reduceat(hosts, starts) > np.iinfo(NARROW).max
    both = zip(is_wide.tolist(), _cut(hosts.astype(NARROW), starts), _cut(hosts.astype(WIDE), starts), strict=True)
    return [wide if needed else narrow for needed, narrow, wide in both]


def _cut(column: NDArray[np.unsignedinteger], starts: Ints) -> list[bytes]:
    """A column as bytes, cut where lists begin."""
    stored = column.tobytes()
    borders = [*(starts * column.itemsize).tolist(), len(stored)]
    return [stored[begin:end] for begin, end in pairwise(borders)]
