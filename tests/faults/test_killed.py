"""Processes that are killed, or told to end, in the middle of their work."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from proxyweb import audit_chain
from proxyweb.db.connection import connect, transaction
from proxyweb.db.migrate import is_current
from tests.conftest import ADMIN_PASSWORD
from tests.e2e.program import Follow, command, environment
from tests.e2e.server import Server
from tests.faults.checking import exact, rotate, sound, times, writing
from tests.ingest.factory import log, traffic
from tests.ingest.following import Writer
from tests.test_supervisor import running, wait_for

ADMIN = ("admin", ADMIN_PASSWORD)
ENDED_SECONDS = 5.0
MORE_MB = 1_000_000  # than there is
KINDS = ("worker", "follower", "master")


@contextmanager
def serving(instance: Path, **variables: str) -> Iterator[Server]:
    server = Server(instance, **variables)
    try:
        wait_for(server.healthy, 30)
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def test_the_follower_again_and_again_under_load(follow: Follow, writer: Writer) -> None:
    """At any moment: while it starts, recognises, stores and commits."""
    choose = random.Random(7)
    with writing(writer, 5000, lambda: rotate(writer) if choose.random() < 0.1 else None):
        for _ in range(times(8, 60)):
            follow.kill()
            follow.start()
            if choose.random() < 0.7:
                before = follow.count()
                follow.wait(lambda before=before: follow.count() > before, 30)  # type: ignore[misc]
            time.sleep(choose.random() * 0.3)
    exact(follow, writer)


def test_an_import_again_and_again(instance: Path, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(log(*traffic(40_000)))
    os.utime(path, (time.time() - 60,) * 2)
    words = [sys.executable, "-m", "proxyweb", "import", str(path)]
    follow, choose = Follow(instance, path), random.Random(3)
    for _ in range(times(3, 20)):
        process = subprocess.Popen(words, env=environment(instance, path), stdout=subprocess.DEVNULL)
        before, deadline = follow.count(), time.monotonic() + 20
        while process.poll() is None and follow.count() == before and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(choose.random() * 0.1)
        process.kill()
        process.wait()
    assert command(instance, path, "import", str(path)).returncode == 0
    assert follow.numbers() == list(range(40_000))
    sound(instance)


def test_any_process_of_the_server_while_settings_change(instance: Path, writer: Writer) -> None:
    """What was answered with success is in the audit log, and every line in the log."""
    follow = Follow(instance, writer.path)
    done: list[int] = []
    statuses: set[int] = set()
    stop = threading.Event()
    with serving(instance, ACCESS_LOG=str(writer.path)) as server:
        wait_for(lambda: len(server.descendants()) == 4, 20)

        def change() -> None:
            while not stop.is_set():
                size = MORE_MB + len(done)
                try:
                    answer = requests.put(
                        f"{server.url}/api/settings/max_database_mb", json={"value": size}, auth=ADMIN, timeout=30
                    )
                except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                    continue  # it was killed before it had answered
                statuses.add(answer.status_code)
                if answer.status_code == 200:
                    done.append(size)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            with writing(writer, 1000):
                for number in range(times(3, 40)):
                    started = server.descendants()
                    victim = next(pid for pid in started if is_of(pid, KINDS[number % 3]))
                    os.kill(victim, signal.SIGKILL)
                    wait_for(lambda victim=victim: victim not in server.descendants(), 30)  # type: ignore[misc]
                    wait_for(lambda: len(server.descendants()) >= 4, 30)
                    time.sleep(0.5)
        finally:
            stop.set()
            thread.join()
        wait_for(server.healthy, 30)
        exact(follow, writer)
    assert statuses == {200}
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        told = " ".join(text for (text,) in conn.execute("SELECT target || ' ' || details FROM audit_log"))
        assert audit_chain.verify(conn).wrong == []
    assert [size for size in done if str(size) not in told] == []
    assert len(done) > 5


def is_of(pid: int, kind: str) -> bool:
    """Whether a process is the `follower`, the web server's `master` or a `worker` of it."""
    is_follower = b"follow" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    has_children = bool(Path(f"/proc/{pid}/task/{pid}/children").read_text())
    return kind == ("follower" if is_follower else "master" if has_children else "worker")


def test_the_supervisor(instance: Path, writer: Writer) -> None:
    """Nothing outlives it, and the next one begins where its follower was."""
    follow = Follow(instance, writer.path)
    with writing(writer, 2000):
        for _ in range(times(2)):
            with serving(instance, ACCESS_LOG=str(writer.path)) as server:
                wait_for(lambda: len(server.descendants()) == 4, 20)
                before, started = follow.count(), server.descendants()
                follow.wait(lambda before=before: follow.count() > before, 30)  # type: ignore[misc]
                server.process.kill()
                server.process.communicate()
                wait_for(lambda started=started: not any(map(running, started)))  # type: ignore[misc]
    with follow:
        exact(follow, writer)


def test_told_to_end_under_load(follow: Follow, writer: Writer) -> None:
    started = 0.0
    with writing(writer, 2000):
        for _ in range(times(2)):
            # A heartbeat of its own: before that, it may not have come to where it heeds signals.
            follow.wait(lambda started=started: follow.status and follow.status.time > started, 30)  # type: ignore[misc]
            time.sleep(0.5)
            code, seconds = follow.end()
            assert (code, seconds < ENDED_SECONDS) == (0, True)
            started = time.time()
            follow.start()
    exact(follow, writer)


def test_a_second_follower_does_not_start(follow: Follow, writer: Writer) -> None:
    second = command(follow.instance, writer.path, "follow")
    assert (second.returncode, second.stderr) == (
        1, f"proxyweb: Another follower is running: it holds {follow.instance / 'follower.lock'}.\n",
    )  # fmt: skip


@pytest.fixture
def filled(instance: Path, tmp_path: Path) -> Path:
    """An instance with two segments of log entries of 2026."""
    path = tmp_path / "history.log"
    path.write_bytes(log(*traffic(90_000)))
    os.utime(path, (time.time() - 60,) * 2)
    assert command(instance, path, "import", str(path)).returncode == 0
    return instance


def test_told_to_end_during_exports(filled: Path) -> None:
    with serving(filled) as server:
        exports = [requests.get(f"{server.url}/api/logs/export", auth=ADMIN, stream=True, timeout=20) for _ in range(4)]
        for export in exports:
            assert len(next(export.iter_content(1000))) > 0
        begun = time.monotonic()
        server.stop()
        seconds = time.monotonic() - begun
        assert (server.process.returncode, seconds < ENDED_SECONDS) == (0, True), seconds
        for export in exports:
            export.close()
    sound(filled)


def test_told_to_end_while_old_entries_are_deleted(filled: Path, tmp_path: Path) -> None:
    """Whatever it had done by then is whole; the next one does the rest."""
    follow = Follow(filled, tmp_path / "history.log")
    words = [sys.executable, "-m", "proxyweb", "clear-old"]
    ahead = {"PROXYWEB_ACCESS_LOG": ""}
    shorten(filled)
    ended_early = 0
    for delay in (0.05, 0.15, 0.0, 0.1, 0.2)[: times(2, 5)]:
        process = subprocess.Popen(
            words, env={**environment(filled, tmp_path), **ahead}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda process=process: process.poll() is not None or deleting(filled, process.pid), 30)  # type: ignore[misc]
        time.sleep(delay)
        begun = time.monotonic()
        process.terminate()
        ended_early += process.wait(20) != 0
        assert time.monotonic() - begun < ENDED_SECONDS
        sound(filled)
    assert ended_early
    assert command(filled, tmp_path / "history.log", "clear-old").returncode == 0
    assert follow.count() == 0
    sound(filled)


def shorten(instance: Path) -> None:
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        conn.execute("REPLACE INTO settings VALUES ('log_retention_days', '1')")


def deleting(instance: Path, pid: int) -> bool:
    """Whether a process has the database open."""
    try:
        return any(link.readlink() == instance / "proxyweb.sqlite" for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def test_told_to_end_while_the_database_is_optimized(filled: Path) -> None:
    with closing(connect(filled / "proxyweb.sqlite")) as conn:

        def free_pages() -> int:
            return int(conn.execute("PRAGMA freelist_count").fetchone()[0])

        conn.execute("CREATE TABLE large (x)")
        for _ in range(times(50, 600)):
            with transaction(conn):
                conn.executemany("INSERT INTO large VALUES (zeroblob(?))", [(1000,)] * 2000)
        conn.execute("DROP TABLE large")
        before = free_pages()
        with serving(filled) as server:
            asking = threading.Thread(target=optimized, args=(server,))
            asking.start()
            wait_for(lambda: free_pages() < before, 30)
            begun = time.monotonic()
            server.stop()
            assert time.monotonic() - begun < ENDED_SECONDS
            asking.join()
        print(f"{free_pages():,} of {before:,} free pages are left")
    sound(filled)


def optimized(server: Server) -> None:
    with suppress(requests.ConnectionError, requests.exceptions.ChunkedEncodingError):  # the server was told to end
        requests.post(f"{server.url}/api/database/optimize", auth=ADMIN, timeout=60)


def test_told_to_end_while_the_database_is_made(tmp_path: Path) -> None:
    """There is all of its schema, or nothing."""
    made = 0
    for number in range(times(5, 40)):
        instance = tmp_path / f"instance{number}"
        server = Server(instance)
        wait_for((instance / "proxyweb.sqlite").exists, 30)
        time.sleep(number % 10 * 0.01)
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < ENDED_SECONDS
        with closing(connect(instance / "proxyweb.sqlite")) as conn:
            assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            tables = conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            assert not tables or is_current(conn)
            made += bool(tables)
    with serving(instance):
        pass
    sound(instance)
