"""Backups made while others write are whole; what is restored is checked before anything is touched."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from proxyweb import audit_chain
from proxyweb.audit_chain import Entry
from proxyweb.backup import back_up
from proxyweb.db.connection import connect, transaction
from proxyweb.db.session import open_session
from proxyweb.db.session import transaction as session_transaction
from proxyweb.errors import Conflict, DatabaseError
from proxyweb.restore import restore
from proxyweb.setting_changes import change
from proxyweb.unfinished import PREFIX
from tests.conftest import START, configuration
from tests.e2e.program import Follow, command, environment
from tests.ingest.factory import log, traffic
from tests.ingest.following import Writer
from tests.ingest.importing import import_log
from tests.ingest.recount import assert_adds_up

NO_LOG = Path("/nowhere/access.log")


def proxyweb(instance: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return command(instance, NO_LOG, *map(str, words))


def add(instance: Path, count: int, start: int = 0) -> None:
    import_log(instance, log(*traffic(count, start=start)), f"more.{start}.log")


def rows(database: Path) -> int:
    with closing(connect(database, readonly=True)) as conn:
        return int(conn.execute("SELECT count(*) FROM proxy_logs").fetchone()[0])


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(PREFIX))


@pytest.fixture
def backup(instance: Path, tmp_path: Path) -> Path:
    """A backup of 500 rows, of a database that has 800 by now."""
    add(instance, 500)
    file = tmp_path / "backup.sqlite"
    back_up(instance / "proxyweb.sqlite", file)
    add(instance, 300, start=500)
    return file


def test_a_backup_is_whole_private_and_one_file(instance: Path, tmp_path: Path) -> None:
    add(instance, 500)
    backup = tmp_path / "backup.sqlite"
    made = proxyweb(instance, "backup", backup)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith(f"Backed up {instance / 'proxyweb.sqlite'} to {backup} (")
    assert backup.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in backup.parent.iterdir() if "backup" in path.name) == ["backup.sqlite"]
    assert left_behind(backup.parent) == []
    with closing(sqlite3.connect(f"{backup.as_uri()}?mode=ro&immutable=1", uri=True)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert_adds_up(conn)
    assert rows(backup) == 500
    secret = (instance / "secret.key").read_bytes()
    assert secret not in backup.read_bytes()
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        assert conn.execute("SELECT action, target FROM audit_log").fetchall() == [("backup made", str(backup))]


def test_what_is_there_is_not_replaced_unless_forced(instance: Path, backup: Path, tmp_path: Path) -> None:
    before = backup.read_bytes()
    again = proxyweb(instance, "backup", backup)
    assert (again.returncode, again.stderr) == (
        1, f"proxyweb: There is a file {backup} already; name another one, or replace it with --force.\n",
    )  # fmt: skip
    assert backup.read_bytes() == before
    assert proxyweb(instance, "backup", "--force", backup).returncode == 0
    assert rows(backup) == 800
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("mine")
    link = tmp_path / "link.sqlite"
    link.symlink_to(elsewhere)
    assert proxyweb(instance, "backup", link).returncode == 1
    assert proxyweb(instance, "backup", "--force", link).returncode == 0
    assert (elsewhere.read_text(), link.is_symlink()) == ("mine", False)
    for place in (instance / "proxyweb.sqlite", tmp_path, Path("/dev/null"), tmp_path / "none" / "x.sqlite"):
        with pytest.raises((Conflict, DatabaseError)):
            back_up(instance / "proxyweb.sqlite", place, force=True)
    assert rows(instance / "proxyweb.sqlite") == 800


def test_backups_of_a_running_import_add_up_and_hold_nobody_up(instance: Path, tmp_path: Path) -> None:
    path = tmp_path / "large.log"
    path.write_bytes(log(*traffic(120_000, step_ms=40)))
    words = [sys.executable, "-m", "proxyweb", "import", str(path)]
    counts: list[int] = []
    with subprocess.Popen(words, env=environment(instance, NO_LOG), stdout=subprocess.DEVNULL) as importing:
        while importing.poll() is None:
            file = tmp_path / f"{len(counts)}.sqlite"
            assert proxyweb(instance, "backup", file).returncode == 0
            with closing(connect(file)) as conn:
                assert_adds_up(conn)
            counts.append(rows(file))
    assert importing.returncode == 0
    assert rows(instance / "proxyweb.sqlite") == 120_000
    assert counts == sorted(counts)


def test_a_backup_of_a_damaged_database_is_refused(instance: Path, tmp_path: Path) -> None:
    add(instance, 5000)
    with (instance / "proxyweb.sqlite").open("r+b") as file:
        for page in (20, 40, 60):
            file.seek(page * 4096)
            file.write(os.urandom(4096))
    refused = proxyweb(instance, "backup", tmp_path / "b.sqlite")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "b.sqlite").exists()
    assert left_behind(tmp_path) == []


def test_what_a_killed_one_left_is_removed_by_the_next(instance: Path, tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}dead").mkdir()
    (tmp_path / f"{PREFIX}dead" / "part.sqlite").write_bytes(b"x")
    (tmp_path / f"{PREFIX}link").symlink_to(instance)
    assert proxyweb(instance, "backup", tmp_path / "b.sqlite").returncode == 0
    assert left_behind(tmp_path) == [f"{PREFIX}link"]
    assert (instance / "secret.key").exists()


def test_ended_in_the_middle_it_leaves_nothing_behind(instance: Path, tmp_path: Path) -> None:
    with closing(connect(instance / "proxyweb.sqlite")) as conn, transaction(conn):
        conn.executemany(
            "INSERT INTO rejected_lines (path, position, reason, line, rejected_at) VALUES ('', ?, '', ?, 0)",
            ((number, "x" * 1000) for number in range(80_000)),
        )
    words = [sys.executable, "-m", "proxyweb", "backup", str(tmp_path / "b.sqlite")]
    with subprocess.Popen(words, env=environment(instance, NO_LOG), stderr=subprocess.PIPE) as process:
        while not left_behind(tmp_path):
            assert process.poll() is None
            time.sleep(0.005)
        begun = time.monotonic()
        process.terminate()
        process.communicate(timeout=10)
    assert time.monotonic() - begun < 5
    assert process.returncode in (1, 128 + signal.SIGTERM)
    assert left_behind(tmp_path) == []
    assert not (tmp_path / "b.sqlite").exists()


def test_restored_is_what_was_backed_up_and_the_old_one_is_kept(instance: Path, backup: Path) -> None:
    done = proxyweb(instance, "restore", "--yes", backup)
    assert (done.returncode, done.stderr) == (0, "")
    assert "vouched" not in done.stdout
    assert rows(instance / "proxyweb.sqlite") == 500
    (kept,) = instance.glob("proxyweb.sqlite.before-restore-*")
    assert str(kept) in done.stdout
    assert rows(kept) == 800
    assert (instance / "proxyweb.sqlite").stat().st_mode & 0o777 == 0o600
    assert left_behind(instance) == []
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        assert_adds_up(conn)
        assert audit_chain.verify(conn).wrong == []
        assert conn.execute("SELECT action FROM audit_log").fetchall()[-1] == ("database restored",)
    assert proxyweb(instance, "restore", "--yes", kept).returncode == 0
    assert rows(instance / "proxyweb.sqlite") == 800


def test_nothing_remembered_of_the_old_database_holds_for_the_new_one(instance: Path, backup: Path) -> None:
    with session_transaction(open_session(instance / "proxyweb.sqlite")) as session:
        change(session, {"gdpr_mode": True}, now=START, username="admin")
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        before = dict(conn.execute("SELECT name, value FROM counters"))
    assert proxyweb(instance, "restore", "--yes", backup).returncode == 0
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        after = dict(conn.execute("SELECT name, value FROM counters"))
        assert conn.execute("SELECT count(*) FROM tokens").fetchone() == (0,)
    for name in ("logs", "settings", "accounts", "audit", "deletions"):
        assert after[name] > before[name]


def test_a_backup_in_a_new_place(backup: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    done = proxyweb(new, "restore", "--yes", backup)
    assert done.returncode == 0, done.stderr
    assert "can't be vouched for" in done.stdout, "its audit log was sealed with the other secret key"
    assert rows(new / "proxyweb.sqlite") == 500
    assert list(new.glob("*before*")) == []


def crafted(change: Callable[[sqlite3.Connection], object]) -> Callable[[Path], object]:
    def craft(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as conn:
            change(conn)

    return craft


def runs(*statements: str) -> Callable[[Path], object]:
    return crafted(lambda conn: [conn.execute(statement) for statement in statements])


def overwrite(offset: int, data: bytes) -> Callable[[Path], object]:
    def craft(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    return craft


def renamed_in_schema(conn: sqlite3.Connection) -> None:
    """A trigger under a name that SQLite keeps for itself."""
    conn.execute("CREATE TRIGGER evil AFTER INSERT ON proxy_logs BEGIN DELETE FROM users; END")
    conn.execute("PRAGMA writable_schema = ON")
    conn.execute(
        "UPDATE sqlite_schema SET name = 'sqlite_evil', sql = replace(sql, 'evil', 'sqlite_evil') WHERE name = 'evil'"
    )


def instead(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Something else under the backup's name."""

    def craft(path: Path) -> None:
        path.unlink()
        make(path)

    return craft


def other_pages(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA page_size = 8192")
        conn.execute("VACUUM")


CRAFTED: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "is not an SQLite database"),
    "text": (lambda path: path.write_text("hello\n" * 100), "is not an SQLite database"),
    "cut": (lambda path: os.truncate(path, path.stat().st_size // 2), "is damaged"),
    "random": (overwrite(4096 * 12, os.urandom(4096 * 30)), "damaged"),
    "header": (overwrite(100, b"\xff" * 40), "damaged"),
    "pages": (other_pages, "8192 bytes"),
    "huge pages": (overwrite(16, b"\x00\x01"), "65536 bytes"),
    "trigger": (
        runs("CREATE TRIGGER evil AFTER INSERT ON proxy_logs BEGIN DELETE FROM users; END"),
        "has the trigger 'evil', which proxyweb did not make",
    ),
    "hidden trigger": (crafted(renamed_in_schema), "has the trigger 'sqlite_evil'"),
    "view": (runs("CREATE VIEW v AS SELECT * FROM users"), "has the view 'v'"),
    "table": (runs("CREATE TABLE t (x)"), "has the table 't'"),
    "virtual table": (runs("CREATE VIRTUAL TABLE f USING fts5(x)"), "which proxyweb did not make"),
    "index": (runs("CREATE INDEX i ON users (role)"), "has the index 'i'"),
    "no trigger": (runs("DROP TRIGGER audit_log_is_not_deleted"), "lacks the trigger audit_log_is_not_deleted"),
    "another view": (
        runs("DROP VIEW proxy_log_entries", "CREATE VIEW proxy_log_entries AS SELECT 1"),
        "has a view proxy_log_entries that is not as proxyweb made it",
    ),
    "another trigger": (
        runs(
            "DROP TRIGGER audit_log_is_not_deleted",
            "CREATE TRIGGER audit_log_is_not_deleted BEFORE DELETE ON audit_log BEGIN SELECT 1; END",
        ),
        "has a trigger audit_log_is_not_deleted that is not as",
    ),
    "newer": (runs("UPDATE alembic_version SET version_num = '9999'"), "written by a newer proxyweb (schema 9999"),
    "odd version": (runs("UPDATE alembic_version SET version_num = char(27) || '[0m'"), "does not say of which"),
    "no version": (runs("DELETE FROM alembic_version"), "does not say of which version"),
    "somebody's": (instead(runs("CREATE TABLE notes (x)")), "was not made by proxyweb"),
    "nothing in it": (instead(runs("VACUUM")), "was not made by proxyweb"),
    "missing": (Path.unlink, "There is no file"),
    "folder": (instead(Path.mkdir), "is no file"),
    "fifo": (instead(os.mkfifo), "is no file"),
    "device": (instead(lambda path: path.symlink_to("/dev/zero")), "is no file"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_what_is_not_a_sound_database_of_ours_is_refused(instance: Path, backup: Path, name: str) -> None:
    craft, said = CRAFTED[name]
    craft(backup)
    before = (instance / "proxyweb.sqlite").read_bytes()
    with pytest.raises(DatabaseError) as refused:
        restore(configuration(instance), backup, Entry(0, "admin", "database restored", "", "", ""), START)
    assert said in refused.value.detail
    assert refused.value.detail.isprintable()
    assert (instance / "proxyweb.sqlite").read_bytes() == before
    assert left_behind(instance) == []
    assert list(instance.glob("*before*")) == []


def test_statistics_that_sqlite_made_are_no_reason_to_refuse(instance: Path, backup: Path) -> None:
    runs("ANALYZE")(backup)
    restore(configuration(instance), backup, Entry(0, "admin", "database restored", "", "", ""), START)
    assert rows(instance / "proxyweb.sqlite") == 500


def test_a_live_copy_with_its_write_ahead_log(instance: Path, tmp_path: Path) -> None:
    """What `cp` makes of a database that is in use by nobody at that moment."""
    add(instance, 100)
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        conn.execute("PRAGMA wal_autocheckpoint = 0")
        add(instance, 50, start=100)
        for suffix in ("", "-wal"):
            shutil.copy(f"{instance / 'proxyweb.sqlite'}{suffix}", tmp_path / f"copy.sqlite{suffix}")
    assert proxyweb(instance, "restore", "--yes", tmp_path / "copy.sqlite").returncode == 0
    assert rows(instance / "proxyweb.sqlite") == 150


@pytest.mark.parametrize("kind", ["page", "first page", "gone"])
def test_a_damaged_database_is_replaced_and_kept(instance: Path, backup: Path, kind: str) -> None:
    database = instance / "proxyweb.sqlite"
    if kind == "gone":
        database.unlink()
    else:
        overwrite(0 if kind == "first page" else 4096 * 9, os.urandom(4096 * 3))(database)
    done = proxyweb(instance, "restore", "--yes", backup)
    assert done.returncode == 0, done.stderr
    assert rows(database) == 500
    assert len(list(instance.glob("*before-restore*"))) == (kind != "gone")


def test_a_database_in_use_is_not_replaced(instance: Path, backup: Path) -> None:
    database = instance / "proxyweb.sqlite"
    with closing(connect(database, readonly=True)) as conn:
        assert conn.execute("SELECT count(*) FROM proxy_logs").fetchone() == (800,)
        refused = proxyweb(instance, "restore", "--yes", backup)
        assert (refused.returncode, "in use" in refused.stderr) == (1, True)
    assert list(instance.glob("*before*")) == []
    elsewhere = instance.parent / "elsewhere.sqlite"
    database.rename(elsewhere)
    database.symlink_to(elsewhere)
    refused = proxyweb(instance, "restore", "--yes", backup)
    assert (refused.returncode, "no ordinary file" in refused.stderr) == (1, True)
    assert rows(elsewhere) == 800


def test_it_asks_before(instance: Path, backup: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "proxyweb", "restore", str(backup)],
        env=environment(instance, NO_LOG), input="n\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert asked.returncode == 1
    assert rows(instance / "proxyweb.sqlite") == 800


def test_ingest_goes_on_from_the_backups_position(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    writer, instance, file = Writer(tmp_path / "logs" / "access.log"), tmp_path / "instance", tmp_path / "b.sqlite"
    writer.write(300)
    with Follow(instance, writer.path) as follow:
        follow.wait(lambda: len(follow.numbers()) == 300)
        assert proxyweb(instance, "backup", file).returncode == 0
        writer.write(200)
        follow.wait(lambda: len(follow.numbers()) == 500)
        refused = proxyweb(instance, "restore", "--yes", file)
        assert (refused.returncode, refused.stderr) == (
            1, "proxyweb: The follower is running; end 'proxyweb serve' first.\n",
        )  # fmt: skip
        follow.end()
        overwrite(4096 * 5, os.urandom(4096 * 3))(instance / "proxyweb.sqlite")
        assert proxyweb(instance, "restore", "--yes", file).returncode == 0
        assert len(follow.numbers()) == 300
        follow.start()
        writer.write(10)
        follow.wait(lambda: len(follow.numbers()) == 510)
        assert follow.numbers() == list(range(510))
    writer.close()


def test_killed_at_any_moment_either_the_old_or_the_new_one_is_there(instance: Path, backup: Path) -> None:
    database, whole = instance / "proxyweb.sqlite", instance.parent / "whole"
    shutil.copytree(instance, whole)
    begun = time.monotonic()
    assert proxyweb(instance, "restore", "--yes", backup).returncode == 0
    longest = time.monotonic() - begun
    seen = set()
    for moment in range(16):
        shutil.rmtree(instance)
        shutil.copytree(whole, instance)
        words = [sys.executable, "-m", "proxyweb", "restore", "--yes", str(backup)]
        with subprocess.Popen(
            words, env=environment(instance, NO_LOG), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(longest * (0.5 + moment / 28))
            process.send_signal(signal.SIGKILL)
        with closing(connect(database)) as conn:
            assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert_adds_up(conn)
        seen.add(rows(database))
    assert seen <= {500, 800}


STEPS = """
import os, signal, sys
from pathlib import Path
steps = int(sys.argv[1])
def counted(name):
    real = getattr(os, name)
    def call(*args, **kwargs):
        global steps
        steps -= 1
        if not steps:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    setattr(os, name, call)
for name in ("link", "unlink", "replace", "rename", "fsync", "chown", "fchown", "mkdir", "rmdir"):
    counted(name)
from proxyweb.cli import main
main(["restore", "--yes", sys.argv[2]])
"""


def test_killed_before_each_change_of_a_name(instance: Path, backup: Path) -> None:
    """What the clock may miss: the process is killed before each call that changes what stands where."""
    database, whole = instance / "proxyweb.sqlite", instance.parent / "whole"
    shutil.copytree(instance, whole)
    seen, step, code = [], 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        step += 1
        shutil.rmtree(instance)
        shutil.copytree(whole, instance)
        ended = subprocess.run(
            [sys.executable, "-c", STEPS, str(step), str(backup)], env=environment(instance, NO_LOG),
            capture_output=True, check=False,
        )  # fmt: skip
        code = ended.returncode
        with closing(connect(database)) as conn:
            assert conn.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            assert_adds_up(conn)
        seen.append(rows(database))
    assert code == 0, ended.stderr
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {500, 800}


def test_who_opens_the_database_while_it_is_replaced_gets_the_new_one(instance: Path, backup: Path) -> None:
    ended, failures = threading.Event(), []

    def write() -> None:
        while not ended.is_set():
            try:
                with closing(connect(instance / "proxyweb.sqlite")) as conn, transaction(conn):
                    conn.execute(
                        "INSERT INTO rejected_counts VALUES ('x', 1) ON CONFLICT DO UPDATE SET lines = lines + 1"
                    )
            except Exception as error:
                failures.append(error)
            time.sleep(0.001)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(5):
            done = proxyweb(instance, "restore", "--yes", backup)
            assert done.returncode == 0 or "in use" in done.stderr
            time.sleep(1)
    finally:
        ended.set()
        thread.join()
    assert failures == []
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
