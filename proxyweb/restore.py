"""A backup in the place of the database: checked before anything is touched, and the old one is kept.

Two processes with different files under one name would write each other's journal, so a restore needs the database for
itself: the server's and the follower's locks, and SQLite's own, which shows whoever else has it open. Those who come
while the file changes wait for that lock, and then look whether it is still the same file (`db.connection.connect`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

from proxyweb import audit_chain
from proxyweb.audit_chain import Entry
from proxyweb.backup import sync
from proxyweb.config import Config
from proxyweb.db import damage
from proxyweb.db.connection import connect, snapshot, transaction
from proxyweb.db.migrate import migrate
from proxyweb.db.soundness import refuse_unsound
from proxyweb.errors import Conflict, DatabaseError
from proxyweb.locks import held
from proxyweb.unfinished import unfinished

BUSY_SECONDS = 1.0
KEPT = ".before-restore-"
JOURNALS = ("-wal", "-shm", "-journal")
SHARED_FIRST, SHARED_SIZE = 0x40000002, 510  # the bytes that every connection locks (SQLite's os.h)
_AHEAD = """
    UPDATE counters SET value = max(value + 1, ?)
    WHERE name IN ('logs', 'settings', 'accounts', 'audit', 'deletions')
"""  # milliseconds are ahead of every generation that was, so nothing remembered of the old database seems up to date
IN_USE = (
    "The database is in use by another program: an import, another command, or the WAF helper of a running Squid."
    " End it, and try again."
)


class Restored(NamedTuple):
    """Where the old database is, None when there was none, and what is wrong with the new one's audit log."""

    kept: Path | None
    audit: list[str]


def restore(config: Config, file: Path, entry: Entry, now: float) -> Restored:
    """Put the backup `file` in the place of the database; `entry` tells of it in the audit log of the new one.

    Raises DatabaseError when it is not a sound database of ours, Conflict when the database is in use. A process that
    is killed on the way leaves either the old database or the new one.
    """
    database = config.database
    if database.is_symlink() or (database.exists() and not database.is_file()):
        raise Conflict(f"{database} is no ordinary file; name its own folder as PROXYWEB_INSTANCE.")
    with ExitStack() as stack:
        stack.enter_context(held(config.follower_lock, "The follower is running; end 'proxyweb serve' first."))
        stack.enter_context(held(config.server_lock, "The server is running; end 'proxyweb serve' first."))
        try:
            folder = stack.enter_context(unfinished(config.instance))
            copy = folder / file.name
            _take(file, copy)
            refuse_unsound(copy)
            wrong = _finish(config, copy, folder / database.name, entry, now)
            kept = _swap(folder / database.name, database, now)
            damage.forget(database)
        except OSError as error:
            raise DatabaseError(f"{file} can't be restored: {error.strerror}.") from error
    return Restored(kept, wrong)


def _take(file: Path, copy: Path) -> None:
    """A copy of our own, of a regular file and of nothing else; with it what stands in its write-ahead log."""
    if Path(f"{file}-journal").exists():
        raise DatabaseError(
            f"Beside {file} is a journal of something unfinished; make a backup with 'proxyweb backup'."
        )
    for suffix in ("", "-wal"):
        source = Path(f"{file}{suffix}")
        if suffix and not source.exists():
            continue
        if not source.is_file():
            raise DatabaseError(f"{source} is no file." if source.exists() else f"There is no file {source}.")
        with source.open("rb") as found, open(os.open(f"{copy}{suffix}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600),
                                              "wb") as made:  # fmt: skip
            shutil.copyfileobj(found, made, 1 << 20)


def _finish(config: Config, copy: Path, finished: Path, entry: Entry, now: float) -> list[str]:
    """Bring the copy up to date, write down that it was restored, and put all of it on the disk.

    Gives what is wrong with the audit log that came with it, in a sentence each.
    """
    migrate(copy)
    secret = audit_chain.secret_beside(config.database)
    with closing(connect(copy)) as conn:
        with snapshot(conn):
            wrong = audit_chain.verify(conn, secret=secret).wrong
        with transaction(conn):
            conn.execute("DELETE FROM tokens")  # what was taken back since must not hold again
            conn.execute(_AHEAD, (int(now * 1000),))
            audit_chain.append(conn, entry, secret=secret)
    if os.path.lexists(f"{copy}-wal"):
        raise DatabaseError(f"{copy.name} could not be finished; try again.")
    sync(copy)
    if copy != finished:
        copy.replace(finished)
    owner = config.instance.stat()
    if os.geteuid() == 0:
        os.chown(finished, owner.st_uid, owner.st_gid)
    return wrong


def _swap(new: Path, database: Path, now: float) -> Path | None:
    """Give the database's name to `new` in one step, the old one having got another name before."""
    if not database.exists():
        for suffix in JOURNALS:
            Path(f"{database}{suffix}").unlink(missing_ok=True)
        new.replace(database)
        sync(database.parent)
        return None
    for name in database.parent.glob(f"{database.name}{KEPT}*"):
        if name.samefile(database):  # a restore was killed before the new one came: it would be one file by two names
            name.unlink()
    kept = _free_name(database, now)
    with _alone(database):
        for suffix in ("", *JOURNALS):
            if os.path.lexists(f"{database}{suffix}"):
                os.link(f"{database}{suffix}", f"{kept}{suffix}", follow_symlinks=False)
        for suffix in JOURNALS:
            Path(f"{database}{suffix}").unlink(missing_ok=True)
        new.replace(database)
        sync(database.parent)
    return kept


def _free_name(database: Path, now: float) -> Path:
    """Where the old database is to stay, after the time; never where another one is."""
    first = f"{database.name}{KEPT}{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}"
    names = chain([first], (f"{first}-{number}" for number in count(2)))
    return next(path for path in map(database.with_name, names) if not os.path.lexists(path))


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Have the old database for oneself, all of it in its one file. Raises Conflict when others have it open.

    What is damaged so that SQLite can't open it is locked by the same bytes, and left as it is.
    """
    conn = sqlite3.connect(database, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        try:
            conn.execute("PRAGMA journal_mode = DELETE")  # ends the write-ahead log; only who is alone may
            conn.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            conn.close()
            if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise Conflict(IN_USE) from error
            with _locked_bytes(database):
                yield
        else:
            yield
    finally:
        conn.close()


@contextmanager
def _locked_bytes(database: Path) -> Iterator[None]:
    descriptor = os.open(database, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, SHARED_SIZE, SHARED_FIRST)
        except (BlockingIOError, PermissionError):
            raise Conflict(IN_USE) from None
        yield
    finally:
        os.close(descriptor)
