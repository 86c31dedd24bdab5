"""A sound copy of the database while everything runs: copied, checked, and only then put in its place."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from proxyweb.db.connection import connect, translated
from proxyweb.db.soundness import refuse_unsound
from proxyweb.errors import Conflict, DatabaseError
from proxyweb.unfinished import unfinished

PAGES_A_STEP = 256  # 1 MB; between two steps others get the interpreter
ROOM_TO_SPARE = 16 * 1024 * 1024


def back_up(database: Path, target: Path, *, force: bool = False) -> int:
    """Make a backup of `database` as the file `target`, readable by its owner only; its size in bytes.

    Raises Conflict when there is something at `target` already, unless `force` replaces a file; DatabaseError when the
    copy can't be made or is not sound. Whatever happens, no half of a backup is left behind.
    """
    _refuse_target(database, target, force)
    try:
        with unfinished(target.absolute().parent) as folder:
            copy = folder / target.name
            size = sound_copy(database, copy)
            if not force and os.path.lexists(target):
                raise Conflict(_there(target))
            copy.replace(target)
        sync(target.absolute().parent)
    except OSError as error:
        raise DatabaseError(f"The backup {target} can't be written: {error.strerror}.") from error
    return size


def sound_copy(database: Path, copy: Path) -> int:
    """Copy `database` to the new file `copy` (0600), as it is at this moment, check the copy, and put it on the disk.

    Gives its size in bytes. Raises DatabaseError, OSError.
    """
    with closing(connect(database, readonly=True)) as source:
        _refuse_without_room(source, copy.parent)
        os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            _copy(source, copy)
        except sqlite3.Error as error:
            raise translated(error, database) from error
    try:
        refuse_unsound(copy)
    except DatabaseError as error:
        raise DatabaseError(f"No backup is made, since it could not be restored: {error.detail}") from error
    sync(copy)
    return copy.stat().st_size


def _copy(source: sqlite3.Connection, copy: Path) -> None:
    """SQLite's online backup from a read transaction of its own: in WAL mode that holds nobody up, and others' commits
    don't start it anew. The copy is one file without a write-ahead log."""
    with closing(sqlite3.connect(copy, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous = OFF")  # it is synced as a whole at the end
        source.execute("BEGIN")
        try:
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            source.backup(target, pages=PAGES_A_STEP, sleep=0)
        finally:
            source.execute("ROLLBACK")
        target.execute("PRAGMA journal_mode = DELETE")


def _refuse_target(database: Path, target: Path, force: bool) -> None:
    if not target.name or target.is_dir():
        raise Conflict(f"{target} is a folder; name the file that the backup is to be.")
    if not os.path.lexists(target):
        return
    if target.exists() and (not target.is_file() or _is_same(target, database)):
        raise Conflict(f"{target} can't be replaced by a backup; name another file.")
    if not force:
        raise Conflict(_there(target))


def _is_same(target: Path, database: Path) -> bool:
    return database.exists() and target.samefile(database)


def _there(target: Path) -> str:
    return f"There is a file {target} already; name another one, or replace it with --force."


def _refuse_without_room(source: sqlite3.Connection, folder: Path) -> None:
    pages, page_bytes = (source.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    needed = pages * page_bytes + ROOM_TO_SPARE
    if shutil.disk_usage(folder).free < needed:
        raise DatabaseError(f"There is no room for the copy in {folder.parent}: it takes {needed / 1e6:,.0f} MB.")


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
