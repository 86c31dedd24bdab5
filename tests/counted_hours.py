"""Databases in which every hour is counted by hour, as if all of the log had come in today."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from proxyweb.db.connection import connect, transaction
from proxyweb.ingest.rollups import BY_HOUR, recount

HOURS = ["hours from rows", "hours from rollups"]
"""The two ways in which a window of hours is answered: parameters of the fixtures that give a database to read."""


def count_hours(conn: sqlite3.Connection) -> None:
    """Fill the rollups by hour, which otherwise begin two days before now."""
    with transaction(conn):
        conn.execute("UPDATE counters SET value = 0 WHERE name = 'recent_from'")
        for rollup in BY_HOUR.values():
            recount(conn, rollup)


def counted_copy(path: Path, folder: Path) -> sqlite3.Connection:
    """A copy of a database with its hours counted."""
    conn = connect(Path(shutil.copy(path, folder / "counted.sqlite")))
    count_hours(conn)
    return conn
