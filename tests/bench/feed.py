"""A Squid that never sleeps: native lines appended to a log at a steady rate while something else is measured."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from proxyweb.demo.formats import squid
from proxyweb.demo.generate import SEED
from proxyweb.demo.traffic import Traffic

TICK_SECONDS = 0.05


class Feed:
    """Counts what it has appended in `lines`."""

    def __init__(self, log: Path, rate: int) -> None:
        self.lines = 0
        self._log = log
        self._rate = rate
        self._traffic = Traffic(SEED)
        self._stop = Event()
        self._thread = Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        """Begin to append."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the last write."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        started = time.monotonic()
        with self._log.open("ab", buffering=0) as out:
            while not self._stop.wait(TICK_SECONDS):
                due = int((time.monotonic() - started) * self._rate) - self.lines
                batch = self._traffic.batch([int(time.time() * 1000)] * due)
                out.write("".join(f"{line}\n" for line in squid(batch)).encode("ascii"))
                self.lines += due


@contextmanager
def feeding(log: Path, rate: int) -> Iterator[Feed]:
    """Append `rate` lines a second to `log` for the length of the block."""
    feed = Feed(log, rate)
    feed.start()
    try:
        yield feed
    finally:
        feed.stop()
