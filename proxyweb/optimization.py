"""What a database does better after: free pages given back, statistics, a short write-ahead log. Ingest goes on."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from proxyweb.retention import give_back

LOOKED_AT = 400  # rows of an index, for its statistics: milliseconds, whatever its size
RESET_SECONDS = 0.2  # waited for others to let go of the write-ahead log, which keeps writers waiting


def optimize(conn: sqlite3.Connection, path: Path) -> int:
    """Do it all, and tell how many bytes the disk has back. Nobody waits for it longer than a fraction of a second."""
    before = _on_disk(path)
    give_back(conn)
    conn.execute(f"PRAGMA analysis_limit = {LOOKED_AT}")
    conn.execute("PRAGMA optimize")
    conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()  # copies nearly all of it, and holds nobody up
    conn.execute(f"PRAGMA busy_timeout = {int(RESET_SECONDS * 1000)}")
    with suppress(sqlite3.OperationalError):  # somebody reads on: the next checkpoint does it
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return max(0, before - _on_disk(path))


def _on_disk(path: Path) -> int:
    """Bytes of the database and of its write-ahead log."""
    size = path.stat().st_size
    with suppress(FileNotFoundError):
        size += path.with_name(f"{path.name}-wal").stat().st_size
    return size
