"""Files that are damaged, a database that is locked, and two who read the same at once."""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest

from proxyweb.db import connection
from proxyweb.db.connection import connect, transaction
from proxyweb.errors import Busy, ProxywebError
from proxyweb.ingest.importer import Importer, ImportFailed
from tests.ingest.factory import log, new_database, traffic
from tests.ingest.importing import BORDERS, LINES, LOG, load, positions, urls, urls_in, write
from tests.ingest.recount import assert_adds_up
from tests.ingest.test_content import COMPRESS


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database with nothing in it; what a test leaves there adds up."""
    conn = new_database(tmp_path / "proxyweb.sqlite")
    yield conn
    assert_adds_up(conn)
    conn.close()


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("left", [0.3, 0.7, 0.98])
def test_of_a_truncated_file_what_is_there_is_taken_once(
    kind: str, left: float, conn: sqlite3.Connection, tmp_path: Path
) -> None:
    whole = COMPRESS[kind](LOG * 4)
    path = write(tmp_path / "old", whole[: int(len(whole) * left)])
    first = load(conn, path)
    assert first.damage
    assert 0 < first.rows < LINES * 4 or kind != "gz"
    again = load(conn, path)
    assert (again.rows, again.skipped) == (0, sum(positions(conn).values()))
    assert again.damage
    assert load(conn, write(path, whole)).rows == LINES * 4 - first.rows
    assert urls(conn) == urls_in(LOG * 4)


@pytest.mark.parametrize("kind", COMPRESS)
def test_flipped_bits_never_end_in_a_crash(kind: str, conn: sqlite3.Connection, tmp_path: Path) -> None:
    whole = COMPRESS[kind](LOG)
    for at in range(0, len(whole), len(whole) // 12):
        flipped = whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]
        for _ in range(2):
            load(conn, write(tmp_path / "old", flipped))


IMPORT = """
import os, sys
from pathlib import Path
from proxyweb.db.connection import connect
from proxyweb.ingest import importer
importer.TRANSACTION_BYTES, importer.BATCHES_AHEAD = 40_000, 1
work = importer.Importer(connect(Path(sys.argv[1])), parallel=sys.argv[3] == "aside")
os.write(int(sys.argv[4]), b"1")
os.read(int(sys.argv[5]), 1)
print(work.import_file(Path(sys.argv[2])).rows)
"""


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("how", [("here", "here"), ("here", "aside"), ("aside", "aside")])
def test_two_processes_with_the_same_file_read_each_line_once(
    how: tuple[str, str], compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    content, database = log(*traffic(20_000)), tmp_path / "proxyweb.sqlite"
    path = write(tmp_path / "access.log", compress(content))
    conn = new_database(database)
    begun, told = os.pipe()
    go, start = os.pipe()
    commands = [[sys.executable, "-c", IMPORT, str(database), str(path), name, str(told), str(go)] for name in how]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=(told, go)) for command in commands]
    for _ in processes:
        os.read(begun, 1)
    os.write(start, b"go")
    assert sum(int(process.communicate(timeout=50)[0]) for process in processes) == 20_000
    for descriptor in (begun, told, go, start):
        os.close(descriptor)
    assert urls(conn) == urls_in(content)
    assert_adds_up(conn)
    assert len(positions(conn)) == 1
    conn.close()


def test_after_a_lock_that_was_not_to_be_had_texts_are_numbered_right(
    conn: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, other = Importer(conn, parallel=False), connect(tmp_path / "proxyweb.sqlite")
    path = write(tmp_path / "access.log", LOG)
    assert work.import_file(write(tmp_path / "first", LOG[: BORDERS[10]])).rows
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.05)
    with transaction(other), pytest.raises(Busy):
        work.import_file(path)
    assert work.import_file(path).rows
    assert urls(conn) == urls_in(LOG)
    other.close()


def test_what_cannot_be_read(conn: sqlite3.Connection, tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(ImportFailed, match=f"{path} can't be read: [A-Z]"):
            load(conn, path)
    damaged = Importer(conn).import_stream(BytesIO(b"\x1f\x8b" + b"garbage" * 9))
    assert (damaged.rows, bool(damaged.damage)) == (0, True)


def test_a_parsing_process_that_ends_unexpectedly_is_an_error(
    conn: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise MemoryError

    monkeypatch.setattr("proxyweb.ingest.batches.encode", fail)
    with pytest.raises(ProxywebError, match="Import again"):
        Importer(conn, parallel=True).import_file(write(tmp_path / "access.log", LOG))
    monkeypatch.undo()
    assert load(conn, tmp_path / "access.log").rows == LINES
