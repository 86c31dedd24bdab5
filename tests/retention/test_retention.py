"""Clearing leaves figures, zones and posting lists equal to the rows that stay, whatever goes on meanwhile."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from proxyweb.db.connection import connect
from proxyweb.ingest import postings, rollups, zones
from proxyweb.ingest.importer import Importer
from proxyweb.queries.log_counts import stats, total
from proxyweb.queries.selection import Filters, Selection, select
from proxyweb.retention import clear_all, clear_old
from tests.large_log import ROWS, START

DAY = 86_400
END = START + 12 * DAY


def wrong(conn: sqlite3.Connection) -> list[str]:
    """Everything that does not equal a recount of the rows."""
    return [*rollups.differences(conn), *zones.differences(conn), *postings.differences(conn)]


@pytest.mark.parametrize("days", [3.7, 6.0, 11.999])
def test_figures_equal_a_recount_after_each_clearing(conn: sqlite3.Connection, days: float) -> None:
    now = START + days * DAY + 30 * DAY
    before_ms = int((START + days * DAY) * 1000)
    older = conn.execute("SELECT count(*) FROM proxy_logs WHERE time_ms < ?", (before_ms,)).fetchone()[0]
    assert 0 < older < ROWS
    assert clear_old(conn, 30, now) == older
    assert clear_old(conn, 30, now) == 0
    assert wrong(conn) == []
    assert stats(conn)["total_count"] == ROWS - older
    assert stats(conn)["first_timestamp"] >= before_ms
    for filters in (Filters(domain="test"), Filters(client="172.16.9.9"), Filters(blocked=True), Filters(user="bob")):
        selection = select(conn, filters)
        condition, arguments = selection.where()
        counted = conn.execute(f"SELECT count(*) FROM proxy_logs AS l WHERE {condition}", arguments).fetchone()[0]
        assert total(conn, selection) == counted


def test_the_file_shrinks_and_what_nothing_refers_to_is_gone(conn: sqlite3.Connection, database: Path) -> None:
    clear_old(conn, 1, END)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert conn.execute("PRAGMA freelist_count").fetchone()[0] == 0
    size = database.stat().st_size
    assert clear_all(conn) > 0
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert database.stat().st_size < size < ROWS * 30
    assert conn.execute("SELECT (SELECT count(*) FROM sites), (SELECT count(*) FROM hosts)").fetchone() == (0, 0)
    assert total(conn, Selection()) == 0
    assert wrong(conn) == []


def test_ids_are_never_given_twice_and_ingest_goes_on(conn: sqlite3.Connection, tmp_path: Path) -> None:
    importer = Importer(conn, parallel=False)
    log = tmp_path / "more.log"
    line = f"{END}.000 7 10.9.9.9 TCP_MISS/200 286 GET http://new.test/ zoe HIER_DIRECT/192.0.2.1 text/html\n"
    log.write_text(line * 3)
    importer.import_file(log)
    clear_all(conn)
    log.write_text(line * 5)
    importer.import_file(log)
    ids = [row_id for (row_id,) in conn.execute("SELECT id FROM proxy_logs")]
    assert min(ids) > ROWS
    assert wrong(conn) == []
    clear_old(conn, 1, END + 2 * DAY)
    importer.import_file(log, again=True)
    assert total(conn, select(conn, Filters(user="zoe"))) == 5
    assert wrong(conn) == []


def test_two_clearings_and_an_import_at_once(database: Path, tmp_path: Path) -> None:
    log = tmp_path / "meanwhile.log"
    line = "{}.000 7 10.9.9.9 TCP_MISS/200 286 GET http://new.test/{} zoe HIER_DIRECT/192.0.2.1 text/html\n"
    log.write_text("".join(line.format(END + number // 50, number) for number in range(60_000)))
    deleted: list[int] = []
    failures: list[BaseException] = []

    def clear() -> None:
        try:
            with closing(connect(database)) as conn:
                deleted.append(clear_old(conn, 4, END))
        except BaseException as error:
            failures.append(error)

    def read() -> None:
        try:
            with closing(connect(database)) as conn:
                Importer(conn, parallel=False).import_file(log)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for work in (clear, read, clear)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with closing(connect(database)) as conn:
        assert total(conn, Selection()) == ROWS - sum(deleted) + 60_000
        assert wrong(conn) == []


def test_a_clearing_that_is_stopped_leaves_everything_sound_and_the_next_goes_on(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = time.sleep

    def stop(seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():  # and none that an earlier test has left
            raise KeyboardInterrupt
        sleep(seconds)

    with monkeypatch.context() as patched:
        patched.setattr(time, "sleep", stop)
        with pytest.raises(KeyboardInterrupt):
            clear_old(conn, 2, END)
    assert 0 < total(conn, Selection()) < ROWS
    assert wrong(conn) == []
    clear_old(conn, 2, END)
    assert stats(conn)["first_timestamp"] >= (END - 2 * DAY) * 1000
