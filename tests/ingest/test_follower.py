"""The follower when the database does not take what it reads, or is another one all of a sudden."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from proxyweb import retention
from proxyweb.db.connection import connect
from proxyweb.ingest import postings, rollups, zones
from proxyweb.ingest.status import FILE_BYTES, FollowerStatus, StatusFile, read_status
from proxyweb.ingest.tail import Tail
from tests.ingest.following import Following, Writer


def test_a_locked_database(following: Following, writer: Writer) -> None:
    writer.write(3)
    following.turn()
    other = connect(following.database)
    other.execute("BEGIN IMMEDIATE")
    writer.write(2)
    following.turn(10)
    writer.path.rename(writer.path.with_name("access.log.1"))
    writer.reopen()
    writer.write(2)
    following.turn(2)
    writer.path.with_name("access.log.1").unlink()
    assert len(following.numbers()) == 3
    status = following.written_status
    assert status
    assert (status.state, status.error) == ("error", "The database is busy: another program keeps it locked.")
    assert status.lag_bytes > 0
    assert status.lag_seconds >= 2
    other.execute("ROLLBACK")
    other.close()
    following.turn()
    assert following.exact(writer)
    assert (following.status.state, following.status.lag_bytes) == ("following", 0)


def test_a_commit_that_fails(following: Following, writer: Writer) -> None:
    writer.write(3)
    following.turn()
    conn = connect(following.database)
    conn.execute("CREATE TRIGGER full BEFORE INSERT ON proxy_logs BEGIN SELECT raise(ABORT, 'no room'); END")
    line = writer.next_lines(1)
    writer.put(writer.next_lines(2) + line[:30])
    following.turn(30)
    assert following.status.error == "The database can't be used: no room."
    assert following.status.lag_bytes > 0
    conn.execute("DROP TRIGGER full")
    conn.close()
    writer.put(line[30:])
    following.until(lambda: following.status.state == "following", turns=20)
    following.turn()
    assert sorted(following.numbers()) == list(range(writer.lines))
    assert following.rejected() == {}


def test_a_disk_that_does_not_give_the_log(
    following: Following, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.write(3)
    following.turn()
    writer.write(3)

    def broken(tail: Tail, size: int, position: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(Tail, "read_at", broken)
        following.turn()
        assert following.status.error == f"{writer.path} can't be read: Input/output error."
        following.turn(12)
        following.restart()
        assert following.status.state == "error"
    following.until(lambda: following.status.state == "following")
    following.turn()
    assert following.exact(writer)


def test_a_restored_database_goes_on_from_its_own_position(following: Following, writer: Writer) -> None:
    writer.write(5)
    following.turn()
    following.stop()
    backup = shutil.copy(following.database, following.database.with_name("backup"))
    following.restart()
    writer.write(5)
    following.turn()
    writer.path.rename(writer.path.with_name("access.log.1"))
    writer.reopen()
    writer.write(5)
    following.turn()
    assert following.exact(writer)
    for name in ("proxyweb.sqlite", "proxyweb.sqlite-wal", "proxyweb.sqlite-shm"):
        (following.database.parent / name).unlink(missing_ok=True)
    following.turn(8)
    assert "is gone" in str(following.status.error)
    assert not following.database.exists(), "none is made"
    Path(backup).rename(following.database)
    writer.write(5)
    following.until(lambda: following.status.state == "following")
    following.turn(8)
    assert following.exact(writer)


def test_an_empty_database_is_not_written_to(following: Following, writer: Writer) -> None:
    following.database.write_bytes(b"")
    writer.write(1)
    following.turn()
    assert "older version" in str(following.status.error)


def test_derived_tables_agree_and_differences_are_told(following: Following, writer: Writer) -> None:
    for _ in range(3):
        writer.write(25_000)
        following.turn()
    assert following.exact(writer)
    conn = connect(following.database)
    assert rollups.differences(conn) + zones.differences(conn) + postings.differences(conn) == []
    conn.execute("UPDATE log_zones SET max_bytes = 1 WHERE zone = 3")
    conn.execute("DELETE FROM log_zones WHERE zone = 5")
    conn.execute("DELETE FROM client_postings WHERE id = (SELECT min(id) FROM client_postings)")
    conn.execute("INSERT INTO user_postings VALUES (?, x'0000')", (7 << 32,))
    assert zones.differences(conn) == ["log_zones: 2 zones differ from the rows"]
    assert postings.differences(conn) == [
        "client_postings: 1 segments differ from the rows", "user_postings: 1 segments differ from the rows",
    ]  # fmt: skip
    conn.close()


def test_texts_that_old_rows_alone_named_are_named_again(
    following: Following, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.write(14)
    following.turn()
    forget = retention._forget_unreferred

    def later(conn: sqlite3.Connection) -> None:
        writer.write(1)
        following.turn()  # a commit between the deletion of the rows and that of the texts
        forget(conn)

    monkeypatch.setattr(retention, "_forget_unreferred", later)
    conn = connect(following.database)
    assert retention.clear_old(conn, 1, following.time + 2 * 86_400) == 14
    writer.write(14)
    following.turn()
    rows = conn.execute("SELECT count(*) FROM proxy_logs").fetchone()[0]
    conn.close()
    assert len(following.numbers()) == rows >= 14


STATUS = FollowerStatus(1.5, "error", "no", "/var/log/squid/access.log", 7, 0.5, 12.5)


def test_the_status_file(tmp_path: Path) -> None:
    path = tmp_path / "follower.json"
    assert read_status(path) is None
    file = StatusFile(path)
    file.write(FollowerStatus(1.0, "following", "é\0" * 5000, "/\udcff" + "日" * 3000, 0, 0, 0))
    assert (path.stat().st_size, path.stat().st_mode & 0o777) == (FILE_BYTES, 0o600)
    file.write(STATUS)
    assert read_status(path) == STATUS
    assert path.stat().st_size == FILE_BYTES
    path.write_bytes(b"{" + b" " * 100)
    assert read_status(path) is None
    file.close()


def test_a_status_that_can_not_be_written_is_no_reason_to_stop(
    database: Path, writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    (database.parent / "follower.json").mkdir()
    following = Following(database.parent, writer.path)
    writer.write(3)
    following.turn(12)
    assert following.exact(writer)
    following.stop()
    assert [record.message for record in caplog.records if "follower.json" in record.message] == [
        f"{database.parent / 'follower.json'} can't be written: Is a directory"
    ]


def test_a_damaged_database(following: Following, writer: Writer) -> None:
    following.turn()
    following.database.write_bytes(b"not a database" * 1000)
    writer.write(1)
    following.turn()
    assert following.status.state == "error"
    assert "damaged" in str(following.status.error)
