"""The backup over HTTP, the database's figures, and optimizing it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from apiflask import APIFlask

from proxyweb.api import maintenance
from proxyweb.db.connection import connect, transaction
from proxyweb.locks import held
from proxyweb.retention import clear_before
from tests.clients import Client, basic, signed_in
from tests.conftest import ADMIN_PASSWORD
from tests.ingest.factory import START_MS, log, traffic
from tests.ingest.importing import import_log
from tests.ingest.recount import assert_adds_up


@pytest.fixture
def database(instance: Path) -> Path:
    """A log of 3,000 requests."""
    import_log(instance, log(*traffic(3000)), "a.log")
    return instance / "proxyweb.sqlite"


def names(instance: Path) -> set[str]:
    return {path.name for path in instance.iterdir()} - {"backup.lock", "proxyweb.sqlite-wal", "proxyweb.sqlite-shm"}


def test_a_downloaded_backup_is_whole_and_leaves_nothing_behind(
    admin: Client, database: Path, instance: Path, tmp_path: Path
) -> None:
    before = names(instance)
    with admin.get("/api/maintenance/backup") as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/vnd.sqlite3"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="proxyweb-2026-02-02-024000.sqlite"'
        assert answer.headers["Cache-Control"] == "no-store"
        assert names(instance) == before
        content = answer.data
    assert len(content) == int(answer.headers["Content-Length"])
    assert (instance / "secret.key").read_bytes() not in content
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(content)
    with closing(sqlite3.connect(copy)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert_adds_up(conn)
        assert conn.execute("SELECT count(*) FROM proxy_logs").fetchone() == (3000,)
    (entry,) = admin.get("/api/audit-log").json["data"]
    assert (entry["username"], entry["action"], entry["details"]) == (
        "admin", "backup downloaded", f"{len(content)} bytes",
    )  # fmt: skip


def test_a_backup_is_the_admins_and_head_makes_none(viewer: Client, admin: Client, database: Path) -> None:
    assert viewer.get("/api/maintenance/backup").status_code == 403
    assert admin.head("/api/maintenance/backup").status_code == 200
    assert admin.get("/api/maintenance/backup?path=/etc/passwd").status_code == 400
    assert admin.get("/api/audit-log").json["total"] == 0


def test_one_is_made_at_a_time_and_none_while_masking_is_on(admin: Client, database: Path) -> None:
    with held(database.with_name("backup.lock"), ""):
        assert admin.get("/api/maintenance/backup").status_code == 409
    with admin.get("/api/maintenance/backup") as answer:
        assert answer.status_code == 200
        assert admin.get("/api/maintenance/backup").status_code == 409, "while it is fetched"
    with admin.get("/api/maintenance/backup") as answer:
        assert answer.status_code == 200
    admin.put("/api/settings/gdpr_mode", json={"value": True})
    refused = admin.get("/api/maintenance/backup")
    assert (refused.status_code, "proxyweb backup" in refused.json["detail"]) == (403, True)


def test_whatever_fails_nothing_is_left_behind(
    admin: Client, database: Path, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = names(instance)

    def fails(source: Path, copy: Path) -> int:
        copy.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(maintenance, "sound_copy", fails)
        assert admin.get("/api/maintenance/backup").status_code == 503
    assert names(instance) == before
    with closing(connect(database)) as conn:
        conn.execute("CREATE VIEW mine AS SELECT 1")
    assert admin.get("/api/maintenance/backup").status_code == 503
    assert names(instance) == before
    assert admin.get("/api/audit-log").json["total"] == 0


def test_figures(viewer: Client, database: Path) -> None:
    data = viewer.get("/api/database/stats").json["data"]
    with closing(connect(database)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        count, oldest, newest = conn.execute(
            "SELECT count(*), datetime(min(time_ms) / 1000, 'unixepoch'), datetime(max(time_ms) / 1000, 'unixepoch')"
            " FROM proxy_logs"
        ).fetchone()
    assert data == {
        "size_bytes": database.stat().st_size, "rows": count, "oldest": oldest, "newest": newest, "free_bytes": 0,
    }  # fmt: skip
    assert count == 3000


def test_figures_of_an_empty_log(viewer: Client) -> None:
    data = viewer.get("/api/database/stats").json["data"]
    assert (data["rows"], data["oldest"], data["newest"]) == (0, None, None)
    assert data["size_bytes"] > 0


def test_optimizing_gives_back_what_is_free(admin: Client, database: Path) -> None:
    with closing(connect(database)) as conn:
        conn.execute("CREATE TABLE large (x)")
        conn.execute("INSERT INTO large VALUES (zeroblob(3000000))")
        conn.execute("DROP TABLE large")
    assert admin.get("/api/database/stats").json["data"]["free_bytes"] >= 3_000_000
    answer = admin.post("/api/database/optimize").json
    assert answer.keys() == {"status", "message", "freed_bytes"}
    assert answer["freed_bytes"] >= 3_000_000
    assert admin.get("/api/database/stats").json["data"]["free_bytes"] == 0
    assert database.with_name("proxyweb.sqlite-wal").stat().st_size < 200_000, "all but the entry in the audit log"
    entry = admin.get("/api/audit-log").json["data"][0]
    assert (entry["action"], entry["details"]) == ("database optimized", f"{answer['freed_bytes']} bytes freed")


def test_optimizing_keeps_no_writer_waiting(make_app: Callable[..., APIFlask], database: Path) -> None:
    admin = signed_in(make_app(), basic("admin", ADMIN_PASSWORD))
    with closing(connect(database)) as conn:
        for number in range(40):
            with transaction(conn):
                conn.execute(f"CREATE TABLE large{number} (x)")
                conn.executemany(f"INSERT INTO large{number} VALUES (zeroblob(?))", [(1000,)] * 1000)
        for number in range(40):
            conn.execute(f"DROP TABLE large{number}")
    longest, ended = 0.0, threading.Event()

    def write() -> None:
        nonlocal longest
        with closing(connect(database)) as conn:
            while not ended.is_set():
                begun = time.monotonic()
                with transaction(conn):
                    conn.execute("UPDATE counters SET value = value + 1 WHERE name = 'logs'")
                longest = max(longest, time.monotonic() - begun)
                time.sleep(0.005)

    thread = threading.Thread(target=write)
    thread.start()
    answer = admin.post("/api/database/optimize")
    ended.set()
    thread.join()
    assert answer.json["freed_bytes"] > 30_000_000
    assert longest < 0.5


def test_the_size_cap_is_kept_to_by_clear_old(admin: Client, viewer: Client, instance: Path) -> None:
    import_log(instance, log(*traffic(60_000, step_ms=10)), "a.log")
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        assert clear_before(conn, START_MS) == 0
    admin.post("/api/settings", json={"max_database_mb": 3, "log_retention_days": 3650})
    deleted = admin.post("/api/logs/clear-old").json["deleted"]
    data = viewer.get("/api/database/stats").json["data"]
    assert 0 < deleted < 60_000
    assert (data["rows"], data["size_bytes"] <= 3_000_000) == (60_000 - deleted, True)
    entries = admin.get("/api/audit-log").json["data"]
    assert [(entry["username"], entry["action"], entry["details"]) for entry in entries[:2]] == [
        ("proxyweb", "oldest logs deleted", f"{deleted} entries, max_database_mb 3"),
        ("admin", "old logs cleared", "0 entries"),
    ]
