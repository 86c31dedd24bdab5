"""`max_database_mb`: the oldest rows go, no more than needed, and everything still adds up."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from proxyweb import audit_chain, size_cap
from proxyweb.db.connection import transaction
from proxyweb.ingest.importer import Importer
from proxyweb.size_cap import MB, SizeKeeper, keep_to_size
from tests.ingest.factory import log, traffic
from tests.large_log import ROWS, START
from tests.retention.test_retention import wrong


def cap(conn: sqlite3.Connection, megabytes: int) -> None:
    with transaction(conn):
        conn.execute("INSERT OR REPLACE INTO settings VALUES ('max_database_mb', ?)", (str(megabytes),))


def times(conn: sqlite3.Connection) -> list[int]:
    return [moment for (moment,) in conn.execute("SELECT time_ms FROM proxy_logs ORDER BY time_ms")]


def size(conn: sqlite3.Connection, database: Path) -> int:
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database.stat().st_size


@pytest.mark.parametrize("part", [0.9, 0.6, 0.3])
def test_the_oldest_go_and_no_more_than_needed(
    conn: sqlite3.Connection, database: Path, part: float, caplog: pytest.LogCaptureFixture
) -> None:
    before, limit = times(conn), int(size(conn, database) * part / MB)
    assert limit > 1
    cap(conn, limit)
    with caplog.at_level(logging.WARNING, "proxyweb.size_cap"):
        deleted = keep_to_size(conn, START)
    assert 0 < deleted < ROWS
    assert times(conn) == before[deleted:]
    assert limit * MB * 0.93 < size(conn, database) <= limit * MB
    assert wrong(conn) == []
    assert conn.execute("SELECT username, action, details FROM audit_log").fetchall() == [
        ("proxyweb", "oldest logs deleted", f"{deleted} entries, max_database_mb {limit}")
    ]
    assert caplog.messages == [
        f"the database was larger than max_database_mb, {limit} MB: {deleted} oldest entries deleted"
    ]
    assert keep_to_size(conn, START) == 0
    assert audit_chain.verify(conn).entries == 1


def test_nothing_is_done_without_a_cap_or_below_it(conn: sqlite3.Connection, database: Path) -> None:
    assert keep_to_size(conn, START) == 0
    cap(conn, size(conn, database) // MB + 1)
    changes = conn.total_changes
    assert keep_to_size(conn, START) == 0
    assert (len(times(conn)), conn.total_changes) == (ROWS, changes)


def test_free_pages_go_before_rows(conn: sqlite3.Connection, database: Path) -> None:
    limit = size(conn, database) // MB + 1
    with transaction(conn):
        conn.execute("CREATE TABLE large (x)")
        conn.execute("INSERT INTO large VALUES (zeroblob(5000000))")
    conn.execute("DROP TABLE large")
    cap(conn, limit)
    assert size(conn, database) > limit * MB
    assert keep_to_size(conn, START) == 0
    assert size(conn, database) <= limit * MB
    assert len(times(conn)) == ROWS


def test_a_database_that_is_too_large_without_any_row(conn: sqlite3.Connection) -> None:
    with transaction(conn):
        conn.execute("INSERT INTO settings VALUES ('max_database_mb', '1')")
        conn.execute("INSERT INTO source_marks SELECT id, 1000000, zeroblob(2000000) FROM sources LIMIT 1")
    assert keep_to_size(conn, START) == ROWS
    assert times(conn) == []
    assert keep_to_size(conn, START) == 0


def test_it_is_stopped_between_two_transactions_and_goes_on_later(conn: sqlite3.Connection, database: Path) -> None:
    limit = size(conn, database) // MB // 2
    cap(conn, limit)
    looks = iter([False, False])
    keep_to_size(conn, START, lambda: next(looks, True))
    assert wrong(conn) == []
    keep_to_size(conn, START)
    assert size(conn, database) <= limit * MB
    assert wrong(conn) == []


def test_the_keeper_works_beside_an_import(
    conn: sqlite3.Connection, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size_cap, "LOOK_SECONDS", 0.05)
    limit = size(conn, database) // MB // 2
    cap(conn, limit)
    path = tmp_path / "more.log"
    with closing(SizeKeeper(database)) as keeper:
        keeper.start()
        for number in range(5):
            path.write_bytes(log(*traffic(2000, start=number * 2000)))
            Importer(conn, parallel=False).import_file(path)
        deadline = time.monotonic() + 30
        while size(conn, database) > limit * MB and time.monotonic() < deadline:
            time.sleep(0.1)
    assert size(conn, database) <= limit * MB
    assert wrong(conn) == []
    deleted = conn.execute("SELECT sum(CAST(details AS INTEGER)) FROM audit_log").fetchone()[0]
    assert deleted + len(times(conn)) == ROWS + 10_000
