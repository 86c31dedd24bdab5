"""The follower's way to the database, which may be locked, full, damaged, gone or replaced while it goes on looking."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from proxyweb.db.connection import BUSY_SECONDS, connect
from proxyweb.db.damage import refuse_marked
from proxyweb.db.migrate import is_current
from proxyweb.errors import DatabaseError
from proxyweb.ingest.store import Store

SECONDS_BETWEEN_TRIES = 0.002


class StoreAccess:
    """Opens the store when it is wanted, and never makes a database where there is none."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self._store: Store | None = None
        self._identity = (0, 0)

    def store(self) -> Store:
        """The store. Raises DatabaseError when it can't be opened, is damaged, or is not of this version."""
        refuse_marked(self.database)
        if self._store is None:
            identity = self._identity_now()
            if identity is None:
                raise DatabaseError(f"The database {self.database} is gone; restore a backup.")
            conn = connect(self.database)
            try:
                if not is_current(conn):
                    raise DatabaseError(f"The database {self.database} is of an older version; restart proxyweb.")
            except BaseException:
                conn.close()
                raise
            self._store, self._identity = Store(conn), identity
        return self._store

    def lock_is_free(self, seconds: float) -> bool:
        """Whether the write lock can be had now or within `seconds`.

        Asked for often enough to meet the short gaps of a busy writer, and without the long wait of a transaction.
        """
        conn, deadline = self.store().conn, time.monotonic() + seconds
        conn.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    conn.execute("BEGIN IMMEDIATE")
                    conn.execute("ROLLBACK")
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorname != "SQLITE_BUSY":
                        raise
                else:
                    return True
                if time.monotonic() > deadline:
                    return False
                time.sleep(SECONDS_BETWEEN_TRIES)
        finally:
            conn.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")

    def replaced(self) -> bool:
        """Whether another database, or none, stands where the open one stood."""
        return self._store is not None and self._identity_now() != self._identity

    def close(self) -> None:
        if self._store is not None:
            with suppress(sqlite3.Error):
                self._store.conn.close()
        self._store = None

    def _identity_now(self) -> tuple[int, int] | None:
        try:
            status = self.database.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino
