"""The database as the web application holds it: a reader connection a thread, and write transactions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxyweb.db.connection import SMALLEST_CACHE_KIB, connect, transaction


class Database:
    """One SQLite file. `reader` is this thread's own, query-only; `write` takes the one write lock for a moment."""

    def __init__(self, path: Path, query_seconds: float) -> None:
        self.path = path
        self.query_seconds = query_seconds
        self._local = threading.local()

    @property
    def reader(self) -> sqlite3.Connection:
        conn: sqlite3.Connection | None = getattr(self._local, "reader", None)
        if conn is None:
            conn = self._local.reader = connect(self.path, readonly=True, cache_kib=SMALLEST_CACHE_KIB)
        return conn

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A connection inside BEGIN IMMEDIATE … COMMIT; raises Busy when the lock is not to be had."""
        conn: sqlite3.Connection | None = getattr(self._local, "writer", None)
        if conn is None:
            conn = self._local.writer = connect(self.path, cache_kib=SMALLEST_CACHE_KIB)
        with transaction(conn):
            yield conn

    def close(self) -> None:
        """Close this thread's connections; they are opened again when they are asked for."""
        for name in ("reader", "writer"):
            conn: sqlite3.Connection | None = self._local.__dict__.pop(name, None)
            if conn is not None:
                conn.close()


def generation(conn: sqlite3.Connection, name: str) -> int:
    """How often something changed: `logs`, `settings`, `accounts` or `audit`. What is remembered in memory is kept
    with the generation it was read at, and forgotten when that has moved on."""
    row = conn.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
    return int(row[0])


def advance(conn: sqlite3.Connection, name: str) -> None:
    """Count one change of `name`, in the transaction that made it."""
    conn.execute("UPDATE counters SET value = value + 1 WHERE name = ?", (name,))
