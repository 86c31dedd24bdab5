"""SQLite's own check of every page, aside: damage shows before somebody comes across it, be it in years."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from proxyweb.db import damage
from proxyweb.db.connection import SMALLEST_CACHE_KIB, connect, translated
from proxyweb.errors import Damaged, ProxywebError

log = logging.getLogger("proxyweb.follower")

FIRST_SECONDS = 2.0
AGAIN_SECONDS = 1.0
SHARE = 0.02  # of the time, spent checking at most
LEAST_PAUSE_SECONDS = 3600.0
LOWEST_PRIORITY = 19
ERROR_CODE = re.compile(r"error code=(\d+)")


def is_disk_error(said: str) -> bool:
    """Whether quick_check tells of a page that could not be read, by SQLite's code for that."""
    found = ERROR_CODE.search(said)
    return found is not None and int(found[1]) & 0xFF == sqlite3.SQLITE_IOERR


class PageCheck:
    """Checks `database` soon after the start and then every hour, or less often where that takes long.

    In a thread: SQLite lets go of the interpreter for as long as the check takes. It reads in one transaction, during
    which the write-ahead log is not begun anew; a second for each 300 MB or so.
    """

    def __init__(self, database: Path, first_seconds: float = FIRST_SECONDS) -> None:
        self._database = database
        self._first_seconds = first_seconds
        self._ending = threading.Event()
        self._conn: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        while self._thread.is_alive():
            if conn := self._conn:
                conn.interrupt()
            self._thread.join(0.05)

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)  # of this thread alone, on Linux
        pause = self._first_seconds
        while not self._ending.wait(pause):
            begun = time.monotonic()
            try:
                self._check()
            except sqlite3.Error as error:
                self._take(translated(error, self._database))
            except ProxywebError as error:
                self._take(error)
            pause = max(LEAST_PAUSE_SECONDS, (time.monotonic() - begun) / SHARE)

    def _check(self) -> None:
        """What it says of a page that the disk did not give is no damage, and may be told without a code: so what it
        finds is believed when it is found twice."""
        for pause in (AGAIN_SECONDS, 0.0):
            said = self._said()
            if said == "ok" or self._ending.wait(pause):
                return
            if is_disk_error(said):
                log.warning("the pages of the database could not be checked: the disk reports an error (%s)", said)
                return
        log.error("SQLite's quick_check: %s", said)
        damage.mark(self._database)

    def _said(self) -> str:
        with closing(connect(self._database, readonly=True, cache_kib=SMALLEST_CACHE_KIB)) as conn:
            self._conn = conn
            try:
                return str(conn.execute("PRAGMA quick_check(1)").fetchone()[0])
            finally:
                self._conn = None

    def _take(self, error: ProxywebError) -> None:
        if isinstance(error, Damaged):
            damage.mark(self._database)
        elif not self._ending.is_set():
            log.warning("the pages of the database could not be checked: %s", error.detail)
