"""The setting `max_database_mb`: when the database is larger, its oldest rows go, until it is not."""

from __future__ import annotations

import logging
import math
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from proxyweb import audit_chain, settings
from proxyweb.audit_chain import Entry
from proxyweb.db.connection import SMALL_CACHE_KIB, connect, snapshot, transaction, translated
from proxyweb.errors import ProxywebError
from proxyweb.ingest.groups import FIVE_MINUTES_MS
from proxyweb.ingest.zones import IN_ZONE
from proxyweb.program_log import configure_log, form_in_use
from proxyweb.retention import clear_before, give_back

log = logging.getLogger("proxyweb.size_cap")

MB = 1_000_000
SPARE = 0.02  # deleted beyond the cap, so that it is not reached again with the next few rows
LOOK_SECONDS = 60.0
END_SECONDS = 2.0
USER = "proxyweb"


def keep_to_size(conn: sqlite3.Connection, now: float, stop: Callable[[], bool] = lambda: False) -> int:
    """Bring the database below `max_database_mb` where it is larger; returns how many rows were deleted.

    In short transactions, as retention deletes; `stop` is asked between them. `now` is Unix seconds.
    """
    cap = _cap(conn)
    if not _is_larger(conn, cap):
        return 0
    deleted = _shrink(conn, cap * MB, stop)
    if deleted:
        log.warning("the database was larger than max_database_mb, %d MB: %d oldest entries deleted", cap, deleted)
        entry = Entry(int(now), USER, "oldest logs deleted", "", f"{deleted} entries, max_database_mb {cap}", "")
        with transaction(conn):
            audit_chain.append(conn, entry)
    return deleted


def _cap(conn: sqlite3.Connection) -> int:
    """In megabytes; 0 for none."""
    return int(settings.read(conn)["max_database_mb"])


def _is_larger(conn: sqlite3.Connection, cap: int) -> bool:
    return cap > 0 and _size(conn) > cap * MB


def _shrink(conn: sqlite3.Connection, cap: int, stop: Callable[[], bool]) -> int:
    """Estimates by the average size of a row how many must go, and looks again: the figures shrink by less than the
    rows do."""
    deleted, goal = 0, cap
    give_back(conn)
    while (size := _size(conn)) > goal and not stop():
        goal = int(cap * (1 - SPARE))
        before_ms = _older_than(conn, 1 - goal / size)
        if before_ms is None:
            log.error("the database is larger than max_database_mb allows, and holds no log entry that could go")
            break
        deleted += clear_before(conn, before_ms, stop)
    return deleted


def _size(conn: sqlite3.Connection) -> int:
    """Bytes of the database, what is still in its write-ahead log included."""
    pages, page_bytes = (conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return int(pages * page_bytes)


def _older_than(conn: sqlite3.Connection, share: float) -> int | None:
    """The time before which so large a share of the rows lies, one row at least; None when there is no row."""
    with snapshot(conn):
        counts = conn.execute("SELECT five_minutes, requests FROM five_minute_requests ORDER BY 1").fetchall()
        wanted = math.ceil(share * sum(requests for _, requests in counts))
        for bucket, requests in counts:
            if wanted <= requests:
                return _time_of(conn, bucket * FIVE_MINUTES_MS, wanted) + 1
            wanted -= requests
    return None


def _time_of(conn: sqlite3.Connection, since_ms: int, place: int) -> int:
    """The time of the so-manyth oldest row of the five minutes that begin at `since_ms`."""
    row = conn.execute(
        f"""
        SELECT l.time_ms FROM log_zones AS z CROSS JOIN proxy_logs AS l ON {IN_ZONE}
        WHERE z.max_ms >= ?1 AND z.min_ms < ?2 AND l.time_ms >= ?1 AND l.time_ms < ?2
        ORDER BY l.time_ms LIMIT 1 OFFSET ?3
        """,
        (since_ms, since_ms + FIVE_MINUTES_MS, place - 1),
    ).fetchone()
    return int(row[0])


class SizeKeeper:
    """Looks once a minute, in a thread of its own, and has a process of its own delete what is too much: reading the
    log goes on meanwhile, and the memory that deleting takes is gone with it."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="size cap", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End it, and the process after the transaction that it is in; one that takes long ends by itself."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            with _telling(), closing(connect(self._database, cache_kib=SMALL_CACHE_KIB)) as conn:
                if _is_larger(conn, _cap(conn)):
                    self._delete()

    def _delete(self) -> None:
        level = logging.getLevelName(log.getEffectiveLevel())
        command = (sys.executable, "-m", "proxyweb.size_cap", str(self._database), level, form_in_use())
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
            while process.poll() is None:
                if self._ended.wait(0.1):
                    process.terminate()
                    break


@contextmanager
def _telling() -> Iterator[None]:
    """Says what went wrong, and lets the next look try again."""
    try:
        yield
    except (ProxywebError, sqlite3.Error) as error:
        known = error if isinstance(error, ProxywebError) else translated(error)
        log.warning("the size of the database could not be kept to: %s", known.detail)
    except OSError as error:
        log.warning("the size of the database could not be kept to: %s", error.strerror or error)


def main() -> None:
    """The process that deletes: `python -m proxyweb.size_cap DATABASE LOG_LEVEL LOG_FORMAT`, until SIGTERM."""
    database, level, form = sys.argv[1:]
    configure_log(level, form)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    with _telling(), closing(connect(Path(database), cache_kib=SMALL_CACHE_KIB)) as conn:
        keep_to_size(conn, time.time(), ended.is_set)


if __name__ == "__main__":
    main()
