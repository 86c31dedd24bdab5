"""Whatever is done to the audit log behind the program's back is found, and which entry it was done to."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyweb import audit, audit_chain
from proxyweb.audit_chain import Entry, Mark
from proxyweb.db.connection import connect, transaction
from proxyweb.db.session import open_session
from proxyweb.db.session import transaction as session_transaction
from proxyweb.errors import ConfigError
from tests.conftest import START

ENTRIES = 12
TRIGGERS = ("audit_log_is_not_changed", "audit_log_is_not_deleted")


def append(conn: sqlite3.Connection, number: int) -> None:
    with transaction(conn):
        audit_chain.append(conn, Entry(int(START) + number, "admin", "setting changed", "x", f"{number}", "192.0.2.1"))


@pytest.fixture
def conn(instance: Path) -> Iterator[sqlite3.Connection]:
    """A database with twelve entries."""
    with closing(connect(instance / "proxyweb.sqlite")) as opened:
        for number in range(1, ENTRIES + 1):
            append(opened, number)
        yield opened


def tamper(conn: sqlite3.Connection, *statements: str) -> None:
    """Change the log as somebody does who may write to the database file."""
    for trigger in TRIGGERS:
        conn.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    for statement in statements:
        conn.execute(statement)


def wrong(conn: sqlite3.Connection) -> list[str]:
    return audit_chain.verify(conn).wrong


def test_a_log_that_nobody_touched(conn: sqlite3.Connection) -> None:
    report = audit_chain.verify(conn)
    assert (report.entries, report.wrong) == (ENTRIES, [])
    assert audit_chain.verify(conn, known=report.newest).wrong == []
    append(conn, 13)
    assert audit_chain.verify(conn, since=5, known=report.newest).wrong == []


def test_a_new_database_is_sealed_without_an_entry(instance: Path) -> None:
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        assert audit_chain.verify(conn) == (0, None, [])
        conn.execute("DELETE FROM audit_head")
        assert wrong(conn) == ["The record of the log's end is missing or was not sealed with this secret key."]


@pytest.mark.parametrize(
    ("column", "value"),
    [("at", "at - 1"), ("username", "'eve'"), ("action", "'login'"), ("target", "''"), ("details", "'x'"),
     ("source_ip", "'192.0.2.2'"), ("hash", "x'00'")],
)  # fmt: skip
def test_an_edit_of_any_field(conn: sqlite3.Connection, column: str, value: str) -> None:
    tamper(conn, f"UPDATE audit_log SET {column} = {value} WHERE id = 5")
    assert wrong(conn)[0] == "Entry 5 is not as it was written, or is not in its place."


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["DELETE FROM audit_log WHERE id = 1"], ["Entry 1 is missing."]),
        (["DELETE FROM audit_log WHERE id = 5"], ["Entry 5 is missing."]),
        (["DELETE FROM audit_log WHERE id BETWEEN 4 AND 7"], ["Entries 4 to 7 are missing."]),
        (
            ["DELETE FROM audit_log WHERE id > 9"],
            ["The end is missing: there were 12 entries, and the last one there is entry 9."],
        ),
        (["DELETE FROM audit_log"], ["The end is missing: there were 12 entries, and the last one there is entry 0."]),
        (
            ["DELETE FROM audit_log WHERE id > 9", "UPDATE audit_head SET entries = 9"],
            ["The record of the log's end is missing or was not sealed with this secret key."],
        ),
        (
            ["DELETE FROM audit_log", "DELETE FROM audit_head", "DELETE FROM sqlite_sequence"],
            ["The record of the log's end is missing or was not sealed with this secret key."],
        ),
        (
            ["INSERT INTO audit_log SELECT -1, at, username, action, target, details, source_ip, hash FROM audit_log "
             "WHERE id = 1"],
            ["Entry -1 was not written by proxyweb."],
        ),
        (
            ["INSERT INTO audit_log SELECT 13, at, username, action, target, details, source_ip, hash FROM audit_log "
             "WHERE id = 12"],
            ["Entry 13 is not as it was written, or is not in its place.",
             "There is an entry 13, and proxyweb has written only 12."],
        ),
        (
            ["UPDATE audit_log SET id = 100 WHERE id = 3", "UPDATE audit_log SET id = 3 WHERE id = 8",
             "UPDATE audit_log SET id = 8 WHERE id = 100"],
            [f"Entry {number} is not as it was written, or is not in its place." for number in (3, 4, 8, 9)],
        ),
        (
            ["DELETE FROM audit_log WHERE id = 6", "UPDATE audit_log SET id = id - 1 WHERE id > 6"],
            [*(f"Entry {number} is not as it was written, or is not in its place." for number in range(6, 12)),
             "The end is missing: there were 12 entries, and the last one there is entry 11."],
        ),
    ],
)  # fmt: skip
def test_what_is_deleted_added_put_elsewhere_or_cut_off(
    conn: sqlite3.Connection, statements: list[str], said: list[str]
) -> None:
    tamper(conn, *statements)
    assert wrong(conn) == said


@pytest.mark.parametrize(
    "statements",
    [
        ["DELETE FROM audit_log WHERE id > 9"],
        ["DELETE FROM audit_log WHERE id > 9", "DELETE FROM audit_head"],
        ["DELETE FROM audit_log", "DELETE FROM audit_head", "DELETE FROM sqlite_sequence"],
        [
            "DELETE FROM audit_log WHERE id > 9",
            "UPDATE audit_head SET entries = 9, hash = (SELECT hash FROM audit_log WHERE id = 9)",
        ],
        ["UPDATE audit_head SET entries = 0, hash = CAST('the beginning' AS BLOB)", "DELETE FROM audit_log"],
    ],
)
def test_the_next_entry_does_not_make_good_what_was_cut_off(conn: sqlite3.Connection, statements: list[str]) -> None:
    tamper(conn, *statements)
    for number in range(3):
        append(conn, number)
    assert wrong(conn)


def test_another_secret_key_is_told_once_and_the_new_chain_can_be_followed(
    conn: sqlite3.Connection, instance: Path
) -> None:
    (instance / "secret.key").write_bytes(bytes(32))
    audit_chain._key.cache_clear()
    append(conn, 13)
    assert len(wrong(conn)) == ENTRIES + 1
    assert wrong(conn)[-1].startswith("Before entry 13 was written, the log's end was not as proxyweb had left it")
    append(conn, 14)
    assert audit_chain.verify(conn, since=14).wrong == []
    (instance / "secret.key").unlink()
    with pytest.raises(ConfigError, match="is gone"):
        audit_chain.verify(conn)


def test_an_older_database_put_back_shows_against_what_was_kept(
    conn: sqlite3.Connection, instance: Path, tmp_path: Path
) -> None:
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(instance / "proxyweb.sqlite", instance / "older.sqlite")
    append(conn, 13)
    mark = audit_chain.verify(conn).newest
    assert mark
    with closing(connect(instance / "older.sqlite")) as older:
        assert audit_chain.verify(older).wrong == []
        assert audit_chain.verify(older, known=mark).wrong == [
            "Entry 13 was there when its mark was taken, and is not any more."
        ]
        append(older, 99)
        assert audit_chain.verify(older, known=mark).wrong == ["Entry 13 is another one than when its mark was taken."]
    assert audit_chain.verify(conn, known=Mark(13, "00" * 32)).wrong


def test_entries_are_only_appended(conn: sqlite3.Connection) -> None:
    for statement in ("UPDATE audit_log SET details = ''", "DELETE FROM audit_log WHERE id = 12"):
        with pytest.raises(sqlite3.IntegrityError, match="only appended"):
            conn.execute(statement)
    assert wrong(conn) == []


_TEXT = st.text(max_size=20)


@settings(max_examples=40)
@given(texts=st.lists(_TEXT, min_size=3, max_size=3), place=st.randoms())
def test_any_text_is_kept_and_any_byte_counts(prepared: Path, texts: list[str], place: random.Random) -> None:
    with session_transaction(open_session(prepared / "proxyweb.sqlite")) as session:
        conn = session.connection().connection.driver_connection
        assert isinstance(conn, sqlite3.Connection)
        for number in range(3):
            audit.record(session, START, *texts[:2], details=f"{texts[2]}{number}")
        assert wrong(conn) == []
        tamper(conn, f"UPDATE audit_log SET details = details || ' ' WHERE id = {place.randrange(3) + 1}")
        assert wrong(conn)
        session.rollback()


WRITE = """
import sys
from pathlib import Path
from proxyweb import audit
from proxyweb.db.session import open_session, transaction
for number in range(60):
    with transaction(open_session(Path(sys.argv[1]))) as session:
        audit.record(session, number, sys.argv[2], "something")
"""


def test_several_processes_write_one_chain(instance: Path) -> None:
    database = instance / "proxyweb.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", WRITE, database, str(number)]) for number in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    with closing(connect(database)) as conn:
        assert (audit_chain.verify(conn).entries, wrong(conn)) == (240, [])
