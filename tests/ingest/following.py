"""A writer such as Squid is, and a follower on a log of its own whose time a test moves."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from proxyweb.db.connection import connect
from proxyweb.ingest.follower import Follower
from proxyweb.ingest.status import FollowerStatus, StatusFile, read_status
from tests.ingest.factory import START_MS, log, traffic

TURN_SECONDS = 0.25


class Writer:
    """Appends numbered lines to a log, as Squid does: to the file that it opened, whatever that is named by now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self._descriptor: int | None = None
        self._lock = threading.Lock()

    def write(self, count: int) -> None:
        """So many whole lines."""
        self.put(self.next_lines(count))

    def next_lines(self, count: int, **fields: Any) -> bytes:
        """So many lines that count as written; `fields` are those of `factory.Request`."""
        self.lines += count
        return log(*traffic(count, start=self.lines - count, **fields))

    def put(self, data: bytes) -> None:
        with self._lock:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            assert os.write(self._descriptor, data) == len(data)

    def reopen(self) -> None:
        """What Squid does when it is told to rotate."""
        self.close()
        self.put(b"")

    def close(self) -> None:
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
            self._descriptor = None


class Following:
    """A follower that is turned by hand. `time` is both clocks: Unix seconds, and those by which it waits."""

    def __init__(self, instance: Path, *paths: Path) -> None:
        self.database = instance / "proxyweb.sqlite"
        self.status_path = instance / "follower.json"
        self.paths = paths
        self.time = START_MS / 1000
        self.monotonic = 1000.0
        self.running = True
        self.follower = self._start()

    def _start(self) -> Follower:
        self.status_file = StatusFile(self.status_path)
        return Follower(
            self.database, self.paths, self.status_file, clock=lambda: self.time, monotonic=lambda: self.monotonic
        )  # fmt: skip

    def turn(self, times: int = 4) -> None:
        """Let it look, unless it is stopped, and time pass between."""
        for _ in range(times):
            if self.running:
                self.follower.turn()
            self.time += TURN_SECONDS
            self.monotonic += TURN_SECONDS

    def until(self, happened: Callable[[], bool], turns: int = 60) -> None:
        """Let it look until something has happened; fails when it does not."""
        for _ in range(turns):
            if happened():
                return
            self.turn(1)
        raise AssertionError(f"did not happen: {self.status}")

    def stop(self) -> None:
        """As after the last turn of a run, or a kill: nothing is stored at the end."""
        self.follower.close()
        self.status_file.close()
        self.running = False

    def restart(self) -> None:
        self.stop()
        self.follower = self._start()
        self.running = True
        self.turn()

    @property
    def status(self) -> FollowerStatus:
        """What a heartbeat would say now."""
        return self.follower.status()

    @property
    def written_status(self) -> FollowerStatus | None:
        return read_status(self.status_path)

    def numbers(self) -> list[int]:
        """The numbers of the lines that are stored, in the order of arrival."""
        return [int(url.rpartition("/")[2]) for url in self.destinations()]

    def destinations(self) -> list[str]:
        """What was asked for, in the order of arrival."""
        conn = connect(self.database, readonly=True)
        try:
            rows = conn.execute("SELECT destination FROM proxy_log_entries ORDER BY id").fetchall()
        finally:
            conn.close()
        return [url for (url,) in rows]

    def exact(self, writer: Writer) -> bool:
        """Whether every line is stored, once, in the order in which it was written."""
        return self.numbers() == list(range(writer.lines))

    def rejected(self) -> dict[str, int]:
        """Rejected lines by reason."""
        conn = connect(self.database, readonly=True)
        try:
            return dict(conn.execute("SELECT reason, lines FROM rejected_counts"))
        finally:
            conn.close()
