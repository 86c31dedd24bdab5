"""A writer of numbered lines in the background, and the look afterwards: nothing lost, nothing twice, all of it sound.

With `PROXYWEB_SOAK=1` everything happens several times as often; `make soak` sets it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from proxyweb.db.connection import connect
from proxyweb.ingest import postings, rollups, zones
from tests.e2e.program import Follow
from tests.ingest.following import Writer
from tests.ingest.rotating import shift

SOAK = os.environ.pop("PROXYWEB_SOAK", "") == "1"  # no variable of the program's, which would refuse it
STORED_SECONDS = 60.0  # by when everything has to be stored, however busy the machine is


def times(usually: int, in_soak: int | None = None) -> int:
    """How often, or how many; by default five times as many in a soak."""
    return usually if not SOAK else usually * 5 if in_soak is None else in_soak


@contextmanager
def writing(writer: Writer, lines_a_second: int, every: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Lines in the background; `every` is called after each tenth of a second."""

    def write(stop: threading.Event) -> None:
        while not stop.wait(0.01):
            for _ in range(10):
                writer.write(lines_a_second // 100)
                if stop.wait(0.01):
                    return
            every()

    with beside(write):
        yield


@contextmanager
def beside(run: Callable[[threading.Event], None]) -> Iterator[None]:
    """Has `run` going in a thread of its own until the block ends, which the event tells it."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def memory_kb(pid: int, name: str) -> int:
    """What the system says of a process's memory under this name, as `VmRSS`."""
    return int(Path(f"/proc/{pid}/status").read_text().partition(f"{name}:")[2].split()[0])


def is_web_worker(pid: int) -> bool:
    """Whether a process of a server's answers requests."""
    is_gunicorn = b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return is_gunicorn and not Path(f"/proc/{pid}/task/{pid}/children").read_text()


def rotate(writer: Writer) -> None:
    """Rename, and have the writer begin a new file."""
    shift(writer.path)
    writer.reopen()


def exact(follow: Follow, writer: Writer, rejected: int = 0) -> None:
    """Wait until all is stored; then nothing may be there twice, and everything derived must agree."""
    follow.wait(lambda: follow.count() >= writer.lines, STORED_SECONDS)
    assert sorted(follow.numbers()) == list(range(writer.lines))
    if rejected:
        follow.wait(lambda: lines_rejected(follow.instance) >= rejected)
    assert lines_rejected(follow.instance) == rejected
    sound(follow.instance)


def sound(instance: Path) -> None:
    """What `proxyweb check --full` looks at."""
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
        assert rollups.differences(conn) + zones.differences(conn) + postings.differences(conn) == []


def lines_rejected(instance: Path) -> int:
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        return int(conn.execute("SELECT coalesce(sum(lines), 0) FROM rejected_counts").fetchone()[0])
