"""A log to import, and what came of it."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from proxyweb.db.connection import connect
from proxyweb.ingest.importer import Importer, Summary
from proxyweb.ingest.sources import CHUNK
from tests.ingest.factory import log, traffic

LOG = log(*traffic(3000))  # 330 KB, so that there are several batches
LINES = LOG.count(b"\n")
BORDERS = [0, *(at + 1 for at, byte in enumerate(LOG) if byte == 10)]
IN_A_CHUNK = LOG[:CHUNK].count(b"\n")


def write(path: Path, content: bytes, age: float = 60) -> Path:
    """A file that was last written `age` seconds ago."""
    path.write_bytes(content)
    os.utime(path, (time.time() - age,) * 2)
    return path


def load(conn: sqlite3.Connection, path: Path, again: bool = False) -> Summary:
    """Import one file in this process."""
    before = positions(conn)
    summary = Importer(conn, parallel=False).import_file(path, again)
    after = positions(conn)
    assert all(after[source] >= position for source, position in before.items())
    return summary


def import_log(instance: Path, content: bytes, name: str = "traffic.log") -> Summary:
    """Store a log in the database of an instance; it stays in a file of that name."""
    path = instance / name
    path.write_bytes(content)
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        return Importer(conn, parallel=False).import_file(path)


def positions(conn: sqlite3.Connection) -> dict[int, int]:
    return dict(conn.execute("SELECT id, position FROM sources").fetchall())


def urls(conn: sqlite3.Connection) -> list[str]:
    """What was requested, in order of arrival."""
    return [url for (url,) in conn.execute("SELECT destination FROM proxy_log_entries ORDER BY id")]


def urls_in(content: bytes) -> list[str]:
    return [line.split()[6].decode() for line in content.splitlines()]
