"""Counts the URLs of long windows aside: one thread in one of the web server's processes, its result for all of them.

It reads every row of the window in SQLite, which leaves the interpreter to the other threads meanwhile.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from proxyweb.db.connection import connect, snapshot, transaction
from proxyweb.db.database import generation
from proxyweb.errors import Conflict
from proxyweb.locks import held
from proxyweb.queries.url_counts import UrlCounts, keep, kept
from proxyweb.queries.urls import ranked_urls
from proxyweb.queries.windows import window

MOST = 200
"""How long rankings are at most."""
SECONDS_A_ROW = 7e-6
"""Measured with ten million rows."""
NICENESS = 10
"""So that whoever else wants a processor goes first."""


class UrlCounter:
    """Who holds `lock`, a file of the instance folder, counts; the others wait for what comes of it."""

    def __init__(self, database: Path, lock: Path, clock: Callable[[], float]) -> None:
        self._database = database
        self._lock = lock
        self._clock = clock
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None

    def begin(self, name: str, until: float) -> None:
        """Have the window `name` that ends at `until` (Unix seconds) counted, unless something is being counted now.

        Raises what kept this process from it the last time, once.
        """
        with self._mutex:
            if self._thread is not None and self._thread.is_alive():
                return
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure
            self._thread = threading.Thread(target=self._run, args=(name, until), name="url counter", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until nothing is being counted here."""
        with self._mutex:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self, name: str, until: float) -> None:
        try:
            with held(self._lock, "The URLs are being counted."):
                _let_others_go_first()
                self._count(name, until)
        except Conflict:
            pass  # by another process
        except Exception as error:
            self._failure = error

    def _count(self, name: str, until: float) -> None:
        """What rows are deleted from meanwhile is not kept: whoever asks next has it counted anew."""
        with closing(connect(self._database, readonly=True)) as conn, snapshot(conn):
            if kept(conn, name, self._clock()):
                return  # another process was quicker
            deletions = generation(conn, "deletions")
            span = window(conn, name, until)
            counts = UrlCounts(span, ranked_urls(conn, span, MOST))
        with closing(connect(self._database)) as conn, transaction(conn):
            if generation(conn, "deletions") == deletions:
                keep(conn, name, counts, self._clock())


def _let_others_go_first() -> None:
    """Linux counts each thread's niceness by itself; elsewhere it would be the whole process'."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
