"""Answers kept in memory by their ETag, so that polling an unchanged database asks it nothing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

MOST = 64
MOST_BYTES = 8_000_000


class Body(NamedTuple):
    """A rendered answer and the headers that belong to it."""

    content: bytes
    headers: tuple[tuple[str, str], ...]


class Bodies:
    """The answers used last, at most 64 and 8 MB; safe to share between threads."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
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
