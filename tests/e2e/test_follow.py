"""`proxyweb follow` under faults: every line is stored once, and the database stays sound."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxyweb.db.connection import connect
from proxyweb.ingest import postings, rollups, zones
from proxyweb.retention import clear_all
from tests.e2e.program import Follow, command, environment
from tests.ingest.following import Writer
from tests.ingest.rotating import shift


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    (tmp_path / "logs").mkdir()
    writer = Writer(tmp_path / "logs" / "access.log")
    writer.write(1)
    yield writer
    writer.close()


@pytest.fixture
def follow(tmp_path: Path, writer: Writer) -> Iterator[Follow]:
    with Follow(tmp_path / "instance", writer.path) as follow:
        follow.wait(lambda: follow.numbers() == [0])
        yield follow


@contextmanager
def writing(writer: Writer, lines_a_second: int, every: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Lines in the background; `every` is called after each tenth of a second."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.01):
            for _ in range(10):
                writer.write(lines_a_second // 100)
                if stop.wait(0.01):
                    return
            every()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def exact(follow: Follow, writer: Writer) -> None:
    """Wait until all is stored; then nothing may be there twice, and everything derived must agree."""
    follow.wait(lambda: len(follow.numbers()) >= writer.lines)
    assert sorted(follow.numbers()) == list(range(writer.lines))
    conn = connect(follow.instance / "proxyweb.sqlite", readonly=True)
    assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert rollups.differences(conn) + zones.differences(conn) + postings.differences(conn) == []
    assert conn.execute("SELECT * FROM rejected_counts").fetchall() == []
    conn.close()


def rotate(writer: Writer) -> None:
    shift(writer.path)
    writer.reopen()


def test_killed_again_and_again_under_load(follow: Follow, writer: Writer) -> None:
    choose = random.Random(7)
    with writing(writer, 5000, lambda: rotate(writer) if choose.random() < 0.1 else None):
        for _ in range(10):
            follow.kill()
            follow.start()
            before = writer.lines
            follow.wait(lambda before=before: max(follow.numbers()[-1:] or [0]) > before)  # type: ignore[misc]
            time.sleep(choose.random() * 0.3)
    exact(follow, writer)


def test_rotated_every_eighty_milliseconds(follow: Follow, writer: Writer) -> None:
    with writing(writer, 3000):
        for _ in range(40):
            shift(writer.path)
            time.sleep(0.03)
            writer.reopen()
            time.sleep(0.05)
    exact(follow, writer)


def test_stopped_with_a_backlog_and_a_rotation(follow: Follow, writer: Writer) -> None:
    follow.signal(signal.SIGSTOP)
    writer.write(40_000)
    rotate(writer)
    writer.write(10)
    rotate(writer)
    writer.write(10)
    follow.signal(signal.SIGCONT)
    exact(follow, writer)


def test_a_database_that_is_locked_for_five_seconds(follow: Follow, writer: Writer) -> None:
    conn = connect(follow.instance / "proxyweb.sqlite")
    conn.execute("BEGIN EXCLUSIVE")
    with writing(writer, 1000):
        follow.wait(lambda: follow.status and follow.status.state == "error")
        time.sleep(2.5)
        status = follow.status
        assert status
        assert status.alive(time.time() - 12), "it goes on telling"
        assert status.lag_bytes > 0
        conn.execute("ROLLBACK")
        conn.close()
        follow.wait(lambda: follow.status and follow.status.state == "following")
    exact(follow, writer)


def test_a_file_that_may_not_grow(tmp_path: Path, writer: Writer) -> None:
    follow = Follow(tmp_path / "instance", writer.path)
    follow.start(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000)))
    writer.write(20_000)
    follow.wait(lambda: follow.status and follow.status.state == "error")
    writer.write(10)
    time.sleep(1)
    assert follow.status
    assert "the disk" in str(follow.status.error)
    assert follow.end()[0] == 0
    with follow:
        exact(follow, writer)


def test_cleared_all_the_time(follow: Follow, writer: Writer) -> None:
    deleted = 0
    conn = connect(follow.instance / "proxyweb.sqlite")
    with writing(writer, 2000):
        for _ in range(30):
            deleted += clear_all(conn)
            time.sleep(0.05)
    conn.close()
    follow.wait(lambda: deleted + len(follow.numbers()) >= writer.lines)
    stored = follow.numbers()
    assert deleted + len(stored) == writer.lines
    assert stored == list(range(deleted, writer.lines))
    writer.write(1)
    follow.wait(lambda: deleted + len(follow.numbers()) == writer.lines)


def test_importers_beside_the_follower(follow: Follow, writer: Writer) -> None:
    words = [sys.executable, "-m", "proxyweb", "import", str(writer.path)]
    with writing(writer, 3000):
        for _ in range(3):
            both = [
                subprocess.Popen(words, env=environment(follow.instance, writer.path), stdout=subprocess.DEVNULL)
                for _ in range(2)
            ]
            assert [process.wait(30) for process in both] == [0, 0]
    exact(follow, writer)


def test_end_and_a_second_one(follow: Follow, writer: Writer) -> None:
    second = command(follow.instance, writer.path, "follow")
    assert (second.returncode, second.stderr) == (
        1, f"proxyweb: Another follower is running: it holds {follow.instance / 'follower.lock'}.\n",
    )  # fmt: skip
    with writing(writer, 2000):
        time.sleep(0.5)
        code, seconds = follow.end()
    assert (code, seconds < 1) == (0, True)
    follow.start()
    exact(follow, writer)
    assert follow.end()[0] == 0
