"""Connections to the one SQLite file, with the settings that everything relies on.

WAL, so that readers never wait for the writer; `synchronous=NORMAL`, which in WAL mode can lose the last commits on a
power cut but never damages the file (the reader's checkpoint is lost with its rows, so they are read again).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from proxyweb.db import damage
from proxyweb.errors import Busy, Damaged, DatabaseError, DiskFull, NoMemory, QueryTimeout

T = TypeVar("T")

BUSY_SECONDS = 5.0
CACHE_KIB = 8_000  # twice and half as much read a log into ten million rows as fast
SMALL_CACHE_KIB = 4_000  # for deleting, which does not get faster by a larger one
SMALLEST_CACHE_KIB = 1_000  # for each thread of the web server, and for a check: the system has the file in memory, too
PAGES_BETWEEN_CHECKPOINTS = 4_000  # 16 MB: an import writes a page of an index several times before it is copied back
UNKNOWN_FORMAT = "unsupported file format"  # what SQLite says, as a plain error, of the schema format at byte 44
OPS_BETWEEN_CLOCK_LOOKS = 50_000  # about 1 ms of SQLite's virtual machine


def connect(
    path: Path, *, readonly: bool = False, busy_seconds: float = BUSY_SECONDS, cache_kib: int = CACHE_KIB
) -> sqlite3.Connection:
    """Open the database file in autocommit mode; transactions are begun by `transaction`. `cache_kib`: of pages.

    A file that is made here belongs to its user alone (0600). Raises DatabaseError when it can't be opened.
    """
    try:
        if not path.exists():
            if readonly:
                raise DatabaseError(f"There is no database at {path}; 'proxyweb serve' makes it.")
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        conn = _open(path, busy_seconds)
        try:
            _set_up(conn, path, readonly, cache_kib)
        except BaseException:
            conn.close()
            raise
    except OSError as error:
        raise DatabaseError(f"The database {path} can't be opened: {error.strerror}.") from error
    except sqlite3.Error as error:
        raise translated(error, path) from error
    return conn


def _set_up(conn: sqlite3.Connection, path: Path, readonly: bool, cache_kib: int) -> None:
    if not readonly:
        if path.stat().st_size == 0:  # it takes the write lock, and only an empty file heeds it
            conn.execute("PRAGMA auto_vacuum = INCREMENTAL")
        conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = NORMAL")
    conn.execute("PRAGMA foreign_keys = ON")
    conn.execute(f"PRAGMA cache_size = -{cache_kib}")
    conn.execute(f"PRAGMA wal_autocheckpoint = {PAGES_BETWEEN_CHECKPOINTS}")
    conn.execute("PRAGMA trusted_schema = OFF")
    if readonly:
        conn.execute("PRAGMA query_only = ON")


def _open(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """A connection to the file that has this name now, and not to one that a restore has just taken the name from.

    The first read waits for a restore's lock; only behind it is it known which file was opened.
    """
    while True:
        before = path.stat().st_ino
        conn = sqlite3.connect(path, isolation_level=None, timeout=busy_seconds, check_same_thread=False)
        try:
            conn.execute("PRAGMA schema_version")
            if path.stat().st_ino == before:
                return conn
        except BaseException:
            conn.close()
            raise
        conn.close()


def translated(error: sqlite3.Error, path: Path | None = None) -> Busy | DatabaseError | QueryTimeout:
    """The typed error for what SQLite said, in words that tell a person what to do."""
    name = getattr(error, "sqlite_errorname", "")
    where = f"The database {path}" if path else "The database"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Busy()
    if name in ("SQLITE_IOERR_NOMEM", "SQLITE_IOERR_SHMMAP"):  # SQLITE_NOMEM is Python's MemoryError
        return NoMemory()
    if name == "SQLITE_INTERRUPT":
        return QueryTimeout()
    if name == "SQLITE_FULL":
        return DiskFull(f"{where} can't grow: the disk is full. Free some space; reading goes on by itself.")
    if name.startswith("SQLITE_READONLY") or name in ("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH"):
        return DatabaseError(f"{where} can't be opened for writing: check its owner and the rights of its folder.")
    if name == "SQLITE_NOTADB" or str(error) == UNKNOWN_FORMAT:
        return Damaged(f"{where} is not an SQLite database, or its first page is damaged: restore a backup.")
    if name.startswith("SQLITE_CORRUPT"):
        return Damaged(f"{where} is damaged: run 'proxyweb check', and restore a backup.")
    if name.startswith("SQLITE_IOERR"):
        return DatabaseError(f"{where} can't be read or written: the disk reports an error.")
    return DatabaseError(f"{where} can't be used: {error}.")


@contextmanager
def transaction(conn: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A write transaction: takes the one write lock at once, commits at the end, rolls back on any exception."""
    begin(conn)
    try:
        yield conn
        conn.execute("COMMIT")
    except BaseException as error:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.IntegrityError | sqlite3.ProgrammingError
        ):
            failure = translated(error)
            if isinstance(failure, Damaged):
                damage.suspect(file_of(conn))
            raise failure from error
        raise


def tried_twice(path: Path, work: Callable[[], T]) -> T:
    """What `work` gives, which opens the database at `path` by itself. It is done again where it comes across damage,
    and the database marked where it does so again. SQLite's errors become typed ones."""
    while True:
        try:
            return work()
        except (sqlite3.Error, Damaged) as error:
            failure = translated(error, path) if isinstance(error, sqlite3.Error) else error
            if isinstance(failure, Damaged) and not damage.is_marked(path):
                damage.suspect(path)
                continue
            raise failure from error


def file_of(conn: sqlite3.Connection) -> Path:
    """The database file of a connection."""
    return Path(conn.execute("PRAGMA database_list").fetchone()[2])


def begin(conn: sqlite3.Connection) -> None:
    """BEGIN IMMEDIATE, asking for the lock every 2 ms: SQLite's own waiting grows to 100 ms between looks, and would
    miss the short gaps that a busy writer leaves. Raises Damaged where the file is known to be."""
    damage.refuse_marked(file_of(conn))
    deadline = time.monotonic() + BUSY_SECONDS
    conn.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                conn.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise translated(error) from error
                time.sleep(0.002)
    finally:
        conn.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


@contextmanager
def snapshot(conn: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A read transaction: every SELECT in it sees the same committed state."""
    conn.execute("BEGIN")
    try:
        yield conn
    finally:
        if conn.in_transaction:
            conn.execute("COMMIT")


@contextmanager
def time_limit(conn: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """End whatever SQLite is doing after `seconds`, as a QueryTimeout."""
    deadline = time.monotonic() + seconds
    conn.set_progress_handler(lambda: time.monotonic() > deadline, OPS_BETWEEN_CLOCK_LOOKS)
    try:
        yield
    except sqlite3.OperationalError as error:
        raise translated(error) from error
    finally:
        conn.set_progress_handler(None, 0)
