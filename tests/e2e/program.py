"""`proxyweb follow` and other commands as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from proxyweb.db.connection import connect
from proxyweb.ingest.status import FollowerStatus, read_status

FOLLOW = (sys.executable, "-m", "proxyweb", "follow")


def environment(instance: Path, log: Path) -> dict[str, str]:
    return {**os.environ, "PROXYWEB_INSTANCE": str(instance), "PROXYWEB_ACCESS_LOG": str(log)}


def command(
    instance: Path, log: Path, *words: str, by: Sequence[str] = (), given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `proxyweb WORDS` to its end; `by` is a command that runs it, `given` is on its standard input."""
    return subprocess.run(
        [*by, sys.executable, "-m", "proxyweb", *words],
        env=environment(instance, log),
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Follow:
    """`proxyweb follow` on one log; killed at the end of the block at the latest."""

    def __init__(self, instance: Path, log: Path) -> None:
        self.instance = instance
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(
        self, before: Callable[[], None] | None = None, by: Sequence[str] = (), words: Sequence[str] = FOLLOW
    ) -> None:
        """Start it; `before` runs in the new process first, `by` is a command that runs it, `words` one instead."""
        self.process = subprocess.Popen(
            [*by, *words],
            env=environment(self.instance, self.log),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=before,
        )

    @contextmanager
    def started(self, before: Callable[[], None] | None = None, by: Sequence[str] = ()) -> Iterator[Self]:
        """As a block, when it is started in a special way."""
        self.start(before, by)
        try:
            yield self
        finally:
            self.kill()

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        assert self.process.poll() is None, "it has ended by itself"
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def end(self) -> tuple[int, float]:
        """SIGTERM; the exit code and how many seconds it took."""
        begun = time.monotonic()
        self.signal(signal.SIGTERM)
        assert self.process
        code = self.process.wait(10)
        self.process = None
        return code, time.monotonic() - begun

    @property
    def status(self) -> FollowerStatus | None:
        """Its last heartbeat."""
        return read_status(self.instance / "follower.json")

    def destinations(self) -> list[str]:
        """What is stored, in the order of arrival."""
        return [url for (url,) in self._ask("SELECT destination FROM proxy_log_entries ORDER BY id")]

    def count(self) -> int:
        """How many rows are stored."""
        return sum(rows for (rows,) in self._ask("SELECT count(*) FROM proxy_logs"))

    def _ask(self, question: str) -> list[tuple[Any, ...]]:
        """Nothing while there is no database yet."""
        database = self.instance / "proxyweb.sqlite"
        if not database.exists():
            return []
        with closing(connect(database, readonly=True)) as conn:
            tables = conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            return conn.execute(question).fetchall() if tables else []

    def numbers(self) -> list[int]:
        """The numbers of a test writer's lines that are stored."""
        return [int(url.rpartition("/")[2]) for url in self.destinations()]

    def wait(self, happened: Callable[[], object], seconds: float = 15) -> None:
        """Wait for something to happen while it runs."""
        deadline = time.monotonic() + seconds
        while not happened():
            assert self.process is None or self.process.poll() is None, "it has ended by itself"
            assert time.monotonic() < deadline, f"it did not happen: {self.status}"
            time.sleep(0.02)
