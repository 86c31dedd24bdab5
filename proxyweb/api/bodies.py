"""Answers kept in memory by their ETag, so that polling an unchanged database asks it nothing."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

SHARE = 10  # an answer serves for so many times as long as it took to make …
LONGEST_SECONDS = 1.0  # … but no longer than this
QUICK_SECONDS = 0.005  # what takes no longer is made anew each time
TURNS = 16
MOST = 64
MOST_BYTES = 8_000_000


class Body(NamedTuple):
    """A rendered answer and the headers that belong to it."""

    content: bytes
    headers: tuple[tuple[str, str], ...]


class Latest(NamedTuple):
    """The last answer to a question, and until when (by the monotonic clock) it serves although rows have come."""

    etag: str
    until: float


class Bodies:
    """The answers used last, at most 64 and 8 MB; safe to share between threads."""

    def __init__(
        self, most: int = MOST, most_bytes: int = MOST_BYTES, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.monotonic = monotonic
        self._latest: OrderedDict[str, Latest] = OrderedDict()
        self._turns = [threading.Lock() for _ in range(TURNS)]
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._bodies: OrderedDict[str, Body] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, etag: str) -> Body | None:
        with self._lock:
            body = self._bodies.get(etag)
            if body is not None:
                self._bodies.move_to_end(etag)
            return body

    def put(self, etag: str, body: Body) -> None:
        """Keep `body`; one that alone would take over a quarter of the room is not kept."""
        if len(body.content) > self._most_bytes // 4:
            return
        with self._lock:
            replaced = self._bodies.pop(etag, None)
            self._bytes += len(body.content) - (len(replaced.content) if replaced else 0)
            self._bodies[etag] = body
            while len(self._bodies) > self._most or self._bytes > self._most_bytes:
                _, oldest = self._bodies.popitem(last=False)
                self._bytes -= len(oldest.content)

    def turn(self, question: str) -> threading.Lock:
        """A lock that those hold who answer this question, so that all who ask it at once wait for one answer."""
        return self._turns[hash(question) % TURNS]

    def latest(self, question: str) -> str | None:
        """The ETag of an answer to this question that still serves."""
        with self._lock:
            latest = self._latest.get(question)
            return latest.etag if latest is not None and self.monotonic() < latest.until else None

    def answered(self, question: str, etag: str, seconds: float) -> None:
        """Note an answer that took `seconds` to make."""
        if seconds > QUICK_SECONDS:
            with self._lock:
                self._latest.pop(question, None)
                self._latest[question] = Latest(etag, self.monotonic() + min(SHARE * seconds, LONGEST_SECONDS))
                while len(self._latest) > self._most:
                    self._latest.popitem(last=False)
